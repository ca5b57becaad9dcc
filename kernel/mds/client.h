/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of mds/: the client's one struct and what its files offer each other.
 * Nothing outside the folder includes this.
 */
#ifndef NACRE_KERNEL_MDS_CLIENT_H
#define NACRE_KERNEL_MDS_CLIENT_H

#include "mds.h"
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/rules/record.h"

#define NACRE_MOUNT_TIMEOUT_MS 20000	/* a mount waits so long for an answer */
#define NACRE_MOUNT_REFUSED_MS 5000	/* … and so long if it is always refused */
#define NACRE_CLOSE_TIMEOUT_MS 10000	/* an unmount waits so long for the last answer */
#define NACRE_RETRY_MS 200		/* before asking again a rank that was busy or not active */
#define NACRE_PARTING_MS 2000u		/* a task that ends waits so long for what it gives up */
#define NACRE_RENEWALS_KEPT 4		/* renewals whose time of sending is remembered */

/* What the inbox worker works off, in order. */
enum mds_event_kind {
	MDS_EVENT_OPENED,		/* the connection is ready; value = instance of the daemon */
	MDS_EVENT_CLOSED,		/* it broke; value = -errno */
	MDS_EVENT_MESSAGE,
	MDS_EVENT_SESSION,		/* a session event from a timer or a caller; value = the event */
	MDS_EVENT_FENCED,		/* value = instance, dead in the map */
	MDS_EVENT_RESEND,		/* unanswered requests once more: the rank was busy */
};

struct nacre_mds_client {
	struct nacre_fs *fs;
	struct nacre_conn *conn;	/* NULL once the client is stopped */

	struct mutex send_mutex;	/* order of what goes out; guards flow_gen */
	u32 flow_gen;			/* connection generation on which the session flows; 0 = none */

	spinlock_t lock;		/* everything below, up to the next lock */
	u8 state;			/* enum nacre_session_client_state */
	bool io_stopped;
	bool cut_said, cut_heard;	/* READ_ONCE; that the mount was cut off */
	u32 generation;			/* of the session; counts instances */
	u64 rank_instance;		/* daemon that holds our session */
	u64 conn_instance;		/* daemon at the other end now */
	u64 next_tid;
	struct list_head requests;	/* unanswered, by tid */
	struct list_head resending;	/* what resending has still before it; empty otherwise */
	struct list_head unsafe;	/* answered and not journaled, by applied */
	u64 oldest_unsafe;		/* no tid of theirs is smaller; 0 = to be found anew */
	u64 applied;			/* highest apply number seen */
	u64 safe;			/* cumulative, from the rank */
	struct list_head inos;		/* struct mds_ino_range: numbers delegated to us … */
	u64 inos_left;			/* … so many */
	u64 lease_ms;			/* already scaled by the rank */
	u64 renew_seq;
	u64 renew_sent_ns[NACRE_RENEWALS_KEPT];	/* by renew_seq, CLOCK_BOOTTIME */
	u32 open_gen;			/* inbox: connection generation on which SESSION_OPEN went out, 0 = none */
	u64 begin_sent_ns;		/* SESSION_OPEN or _RECONNECT_DONE, CLOCK_BOOTTIME */
	u64 map_wanted;			/* epoch that object requests wait for */
	int open_error;			/* why the session cannot be opened, if that is final */

	u64 lease_end_ns;		/* READ_ONCE; CLOCK_BOOTTIME; 0 = none */
	wait_queue_head_t wait;		/* session state, safe */

	spinlock_t inbox_lock;
	struct list_head inbox;		/* struct mds_event */
	bool inbox_closed;
	struct work_struct inbox_work;

	struct delayed_work renew_work;
	struct delayed_work retry_work;	/* SESSION_OPEN, claims or requests again */
	bool retry_begin;		/* retry_work: the session's beginning, not only requests */
	struct work_struct map_work;

	spinlock_t reap_lock;
	struct list_head reap_requests;	/* finished: inode references are dropped by reap_work */
	struct llist_head reap_inodes;
	struct work_struct reap_work;
};

/* client.c */
void mds_post(struct nacre_mds_client *mds, enum mds_event_kind kind, u64 value,
	      struct nacre_incoming *in);
void mds_map_subscribe(struct nacre_mds_client *mds);

/* send.c: send_mutex held. */
int mds_send_locked(struct nacre_mds_client *mds, u16 type, const void *host, bool session);

/* session.c; all from the inbox worker, but mds_session_force. */
void mds_session_event(struct nacre_mds_client *mds, u8 event);
void mds_session_connected(struct nacre_mds_client *mds, u64 instance);
void mds_session_state(struct nacre_mds_client *mds, const struct nacre_session_state *state);
void mds_session_killed(struct nacre_mds_client *mds, const struct nacre_session_killed *killed);
/* The end of a session that is not closed in order: all fails, and the rank is told. */
void mds_session_force(struct nacre_mds_client *mds);
/* If it was told: let that arrive before the connection goes, under a limit of time. */
void mds_session_await_cut(struct nacre_mds_client *mds);
void mds_session_renew_work(struct work_struct *work);
void mds_session_retry_work(struct work_struct *work);
bool mds_result_kills(u32 result);
bool mds_result_waits(u32 result);

/* request.c; all but _resend and _fail under send_mutex. */
void mds_request_resend(struct nacre_mds_client *mds);
void mds_request_resend_unsafe(struct nacre_mds_client *mds);
void mds_request_resend_unanswered(struct nacre_mds_client *mds);
/* Those that were never sent. */
void mds_request_send_new(struct nacre_mds_client *mds);
/* End requests with `error`: all, or only those that may not be repeated under a new instance. */
void mds_request_fail(struct nacre_mds_client *mds, int error, bool all);
u64 mds_oldest_tid_locked(struct nacre_mds_client *mds);

void mds_request_take_locked(struct nacre_mds_client *mds, struct nacre_mds_request *req);
void mds_request_finish(struct nacre_mds_client *mds, struct nacre_mds_request *req, int result);
/* It is not under way any more: the inodes' `changing` counts. */
void mds_request_settled(struct nacre_mds_request *req);
/* A change that was reported as done is lost. */
void mds_request_lost(struct nacre_mds_request *req, int error);

/* reply.c */
void mds_reply(struct nacre_mds_client *mds, struct nacre_incoming *in);
void mds_take_safe(struct nacre_mds_client *mds, u64 safe);

/* inos.c */
void mds_inos_take_in(struct nacre_mds_client *mds, u64 first, u64 count);
void mds_inos_drop(struct nacre_mds_client *mds);

/* reap.c */
void mds_reap_request(struct nacre_mds_client *mds, struct nacre_mds_request *req);
void mds_reap_work(struct work_struct *work);

/* ops.c: one row per request type. */
struct nacre_mds_op {
	u16 type;
	u8 parent_groups;		/* cap groups of the directories that it changes */
	u8 target_groups;
	u8 victim_groups;
	bool changes;			/* carries a record */
	bool creates;			/* its target is new: remember its number for a resend */
	bool keeps_reply;		/* the caller reads `extra` */
	const char *name;
};
const struct nacre_mds_op *mds_op_find(u16 type);

static inline u64 mds_now_ns(void)
{
	return ktime_get_boottime_ns();
}

#endif
