/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions of clients at this rank: life (the machine in protocol/rules/session.h), lease, delegated
 * inode numbers, requests and flushes that were taken in. session.c has the table and the machine's
 * actions, session_ids.c the numbers, evict.c the way of a lost client out.
 */
#ifndef MDS_SESSION_H
#define MDS_SESSION_H

#include "caps.h"
#include "filelocks.h"
#include "intervals.h"
#include "journal.h"
#include "record.h"
#include "request.h"
#include "protocol/rules/session.h"
#include "server/base/msgr.h"

struct mds_done_request {
	uint64_t tid;			/* key */
	uint64_t applied;
	uint64_t ino;
	uint16_t kind;
	uint16_t flags;
	UT_hash_handle hh;
};

struct mds_session {
	struct mds *mds;
	uint64_t instance;
	char name[64];
	uint8_t state;			/* enum nacre_rank_session_state */
	bool inherited;			/* known from the incarnation before */
	bool settled;			/* and came back to this one: all that it sent again was done */
	uint32_t gen;			/* of its caps: the incarnation's low bits */
	struct conn *conn;		/* referenced; NULL: not connected */
	uint32_t connections;		/* so many came */
	uint64_t connected_ns;		/* when that connection came */
	uint64_t renewed_ns;		/* when the lease last began */
	uint64_t stale_ns;		/* when it ran out; 0 = it lives */
	uint64_t applied;		/* apply number of the last change */
	uint64_t safe;			/* of it, journaled */
	uint64_t told_safe;		/* of it, told to the client */
	uint64_t touch_seq;		/* last batch with a change of its own, and its place there */
	uint32_t touch_index;
	bool safe_waiting;		/* on mds->tell_safe */
	uint64_t oldest_tid;
	struct mds_intervals inos;	/* delegated, not declared yet (INO-1) */
	struct mds_intervals flushes;	/* cap flushes taken in */
	struct mds_intervals offered;	/* ranges that are journaled and not yet told */
	bool offering;			/* a range is on its way to the journal */
	struct mds_done_request *completed;	/* by tid (LOG-2) */
	uint32_t completed_count;
	struct mds_cap_list caps;	/* newest last */
	uint32_t cap_count;
	struct mds_waitlist requests;
	uint32_t request_count;
	struct mds_filelock_owner_list filelock_owners;
	uint32_t filelock_ranges, filelock_waits;	/* of all of them */
	struct mds_commit commit;	/* begin or end on its way to the journal */
	uint64_t commit_seq;
	bool committing;
	bool cut;			/* it relies on nothing any more: its lease need not run out */
	bool closing_caps;		/* its end is journaled when all its caps are dropped */
	uint64_t renew_seq;		/* to echo */
	const char *why;		/* of an eviction, for people */
	TAILQ_ENTRY(mds_session) safe_link;
	uint8_t *revokes;		/* gathered (caps_revoke.c); NULL: none */
	uint32_t revokes_bytes;
	TAILQ_ENTRY(mds_session) revokes_link;
	UT_hash_handle hh;
};

TAILQ_HEAD(mds_session_list, mds_session);

struct mds_session *mds_session_find(struct mds *mds, uint64_t instance);
/* A session known from the journal or the table, or new. */
struct mds_session *mds_session_new(struct mds *mds, uint64_t instance);
void mds_session_free(struct mds *mds, struct mds_session *session);
/*
 * Drop caps of a session that ends, so many a turn (TIME-1); end_writer says of each inode that this client writes no
 * more. True: none is left. Else end_sessions_task goes on.
 */
bool mds_session_drop_caps(struct mds *mds, struct mds_session *session,
			   void (*end_writer)(struct mds *mds, struct mds_inode *inode, uint64_t instance));
/* Go on with those that are closing. */
void mds_session_close_sweep(struct mds *mds);
/* Feed the machine and do what it says. */
void mds_session_step(struct mds *mds, struct mds_session *session, uint8_t event);
/* Are its requests and cap messages taken? */
bool mds_session_serves(const struct mds_session *session);
const char *mds_session_state_name(const struct mds_session *session);

/* Send to the client; nothing is kept when it is away. A client that does not read loses its connection. */
void mds_session_send(struct mds *mds, struct mds_session *session, uint16_t type, const void *body);
void mds_session_send_state(struct mds *mds, struct mds_session *session, uint32_t result);
/* The same to a connection, with or without a session. */
void mds_send(struct mds *mds, struct conn *conn, uint16_t type, const void *body);
void mds_send_killed(struct mds *mds, struct conn *conn, uint64_t instance, uint32_t result,
		     const char *why);

/* Connection and session messages. */
void mds_session_connected(struct mds *mds, struct conn *conn);
void mds_session_disconnected(struct mds *mds, struct conn *conn);
void mds_session_message(struct mds *mds, struct conn *conn, struct message *message);
/* Leases, stale sessions; called a few times per lease. */
void mds_session_sweep(struct mds *mds);
void mds_session_free_all(struct mds *mds);

/* Lease, and lease with the margin that the rank adds, in ns. */
uint64_t mds_session_lease_ns(const struct mds *mds);
uint64_t mds_session_margin_ns(const struct mds *mds);

/* Requests: was it applied? Finished below oldest_tid. */
struct mds_done_request *mds_session_completed(struct mds_session *session, uint64_t tid);
void mds_session_complete(struct mds_session *session, const struct mds_done_request *done);
void mds_session_finished(struct mds_session *session, uint64_t oldest_tid);

/* A session of this instance on this connection: new, or known already. */
void mds_session_open(struct mds *mds, struct conn *conn, uint64_t instance);
/* Its end goes into the journal; the batch. */
uint64_t mds_session_journal_end(struct mds *mds, struct mds_session *session, bool closed);

/* Journal progress: called by journal.c. */
void mds_session_is_safe(struct mds *mds, uint64_t instance, uint64_t applied);
/* SAFE to those whom no reply has told. */
void mds_session_tell_safe(struct mds *mds);

/* Delegate a range when few numbers are left (INO-1). */
void mds_session_offer_inos(struct mds *mds, struct mds_session *session, uint64_t left);
/* Numbers never given out before. */
/*
 * Numbers that a session is given at a time, by default. A range is journaled before it is given, so what a session has
 * at hand must last for as many changes as may wait for the journal: with fewer, a client that makes small
 * files would stand still when they are used up, long before anything else is full.
 */
#define MDS_INO_RANGE (2 * MDS_COMPLETED_MAX)
#define MDS_INO_GAP (1u << 20)		/* left free by a new incarnation for unsafe requests of the one before */
uint64_t mds_take_inos(struct mds *mds, uint64_t count);
/* Open a session under an unused instance id, now or when the map has given a block of them. */
void mds_ids_init(struct mds *mds);
void mds_ids_free(struct mds *mds);
void mds_ids_take(struct mds *mds, struct conn *conn);
void mds_ids_forget(struct mds *mds, struct conn *conn);
/* Ids taken from the map and not given out. */
void mds_ids_block(const struct mds *mds, __u64 *ret_first, __u64 *ret_count);
void mds_ids_set_block(struct mds *mds, uint64_t first, uint64_t count);

/* evict.c: put it out, for this reason; harmless when it is on its way. */
void mds_evict(struct mds *mds, struct mds_session *session, const char *why);
void mds_evict_fence(struct mds *mds, struct mds_session *session);
void mds_evict_recover(struct mds *mds, struct mds_session *session);
/* This lost instance could extend the file: its size has to be probed. */
void mds_evict_writer(struct mds *mds, struct mds_inode *inode, uint64_t instance);
/* A closed session's instance goes into the dead set, some day. */
void mds_evict_bury(struct mds *mds, uint64_t instance);
void mds_evict_map_changed(struct mds *mds);
void mds_evict_sweep(struct mds *mds);

/* Build the stored form in `room`; returns its length. */
#define MDS_SESSION_IMAGE_ROOM (256u << 10)
uint32_t mds_session_encode(const struct mds_session *session, uint8_t *room, uint32_t room_bytes);
int mds_session_decode(struct mds *mds, const uint8_t *bytes, uint32_t length);

#endif
