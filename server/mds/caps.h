/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Caps as the rank keeps them: one struct per (inode, session), the locks of inodes, grants, revokes, and
 * what clients say about their caps. What may be held and when is decided by
 * protocol/rules/lock_table.h and cap_rank.h; here are the lists, the messages and the timers.
 *
 * caps_grant.c: locks and grants. caps_revoke.c: revokes and their deadlines. caps_update.c: messages
 * from clients. A cap is made by a reply (mds_caps_issue) and goes with a release or its session.
 */
#ifndef MDS_CAPS_H
#define MDS_CAPS_H

#include "inode.h"
#include "protocol/rules/cap_rank.h"

struct mds_session;
struct message;

struct mds_cap {
	struct nacre_cap_rank rank;
	struct mds_inode *inode;
	struct mds_session *session;
	uint32_t asked;			/* what its waiting OPENs want; answers to revokes do not speak of that */
	uint32_t claimed_dirty;		/* groups whose values the last incarnation may have lost, still to be sent again */
	uint64_t granted_ns;		/* when the last grant was sent */
	uint64_t revoke_first_ns;	/* when the outstanding revoke was first sent; 0 = none */
	uint64_t revoke_sent_ns;	/* and last */
	uint64_t revoke_excused_ns;	/* time in which it could not be answered, for want of an OSD */
	uint64_t waiting_since_ns;	/* the client waits for placement group `waiting_pg` */
	uint32_t waiting_pg;		/* pool << 24 | group */
	uint32_t repeats;
	bool warned;
	bool recalled;			/* all of it is wanted back: it ends with the answer, if the client has no use for it */
	bool no_room;			/* what it asked for is more than a quota leaves: the next grant says so */
	bool regrant;			/* the client may have lost our last grant: say it again */
	TAILQ_ENTRY(mds_cap) inode_link;
	TAILQ_ENTRY(mds_cap) session_link;
	TAILQ_ENTRY(mds_cap) revoke_link;	/* mds->revoking, oldest first */
};


struct mds_cap *mds_cap_find(const struct mds_inode *inode, const struct mds_session *session);
struct mds_cap *mds_cap_get(struct mds *mds, struct mds_inode *inode, struct mds_session *session);
/* It is no more: looks at locks, orphans, writers. */
void mds_cap_drop(struct mds *mds, struct mds_cap *cap);

/* Bits that make sense on an inode of this type. */
uint32_t mds_caps_sensible(const struct mds_inode *inode);

/* Has this client values of the group of its own, on their way back with bits that were revoked? Then ours are old. */
bool mds_caps_returning(const struct mds_inode *inode, uint64_t client, uint32_t group);
/* One step of a lock; revokes what it must, wakes and settles. Result of nacre_lock_step. */
int mds_lock_step(struct mds *mds, struct mds_inode *inode, int group, uint8_t event,
		  uint64_t loner);
/*
 * May this request read (change) these groups now? If not the locks are on their way, or an
 * older request's claim stands before it.
 */
bool mds_lock_read(struct mds *mds, struct mds_inode *inode, uint32_t groups,
		   const struct mds_request *request);
bool mds_lock_change(struct mds *mds, struct mds_inode *inode, uint32_t groups,
		     const struct mds_request *request);
/* Holders have given bits back: locks on their way may have arrived. */
void mds_locks_gather(struct mds *mds, struct mds_inode *inode);
/* Nobody works on the inode any more: bring its locks where the holders want them, and grant; from the top of the loop. */
void mds_caps_settle(struct mds *mds, struct mds_inode *inode);
void mds_caps_settle_run(struct mds *mds);

/*
 * Give this session what it may have of `wanted` and all that is free to have, as part of a
 * reply: fills the cap fields of `info`.
 */
void mds_caps_issue(struct mds *mds, struct mds_session *session, struct mds_inode *inode,
		    uint32_t wanted, struct nacre_inode_info *info);
/* The same without a wish being noted: what is free of `offer` as well, for whoever lists files with their data. */
void mds_caps_offer(struct mds *mds, struct mds_session *session, struct mds_inode *inode,
		    uint32_t offer, struct nacre_inode_info *info);
/* This waiting request wants these bits until it ends, whatever the client's cap messages say. */
void mds_caps_ask(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
		  uint32_t wanted);
void mds_caps_unask(struct mds *mds, struct mds_request *request);
/*
 * Note what this session wants and set locks in motion. True: all of `need` can be issued now;
 * else the inode's waiters are woken when something has changed.
 */
bool mds_caps_ready(struct mds *mds, struct mds_session *session, struct mds_inode *inode,
		    uint32_t wanted, uint32_t need);
/* A new inode: everything exclusively to its creator. */
void mds_caps_creator(struct mds *mds, struct mds_session *session, struct mds_inode *inode);
/* Send a CAP_GRANT with what is issued. */
void mds_caps_send_grant(struct mds *mds, struct mds_cap *cap);
/* Everybody but `session` is told that the inode has no name left. */
void mds_caps_tell_orphan(struct mds *mds, struct mds_inode *inode, struct mds_session *session);

/* Revoke these bits (as forbidden by a lock, or to win memory back). */
void mds_cap_revoke(struct mds *mds, struct mds_cap *cap, uint32_t caps);
/* Take all caps on this inode back, to win memory; a client that has it open keeps, or gets again, what it needs. */
void mds_caps_recall(struct mds *mds, struct mds_inode *inode);
/* Between `mds->gathering` being set and this, a client's revokes are put together; mds_session_send() lets nothing overtake them. */
void mds_caps_gather_end(struct mds *mds);
void mds_caps_send_gathered(struct mds *mds, struct mds_session *session);
/* An answer has come: is it all? */
void mds_cap_revoke_answered(struct mds *mds, struct mds_cap *cap);
void mds_caps_revoke_sweep(struct mds *mds);

/* max_size that this client may be told (SIZE-1). */
uint64_t mds_caps_max_size(const struct mds_inode *inode, uint64_t instance);
/* A writer needs room up to `wanted`: journals a larger max_size and then grants it. */
void mds_caps_extend(struct mds *mds, struct mds_cap *cap, uint64_t wanted);
/* Its max_size is carried by batch `seq`: tell it then. */
void mds_caps_tell_max(struct mds *mds, struct mds_cap *cap, uint64_t seq);
/* It may extend the file no more: what it wrote is flushed. */
void mds_caps_end_writer(struct mds *mds, struct mds_inode *inode, uint64_t instance);

/* A CAP_UPDATE, several in CAP_UPDATES, or a CAP_RELEASE; while the rank repeats unsafe requests some have to wait. */
void mds_cap_message(struct mds *mds, struct mds_session *session, struct message *message);
/* The same, at once: it has waited for a new incarnation's begin, or need not. */
void mds_cap_take(struct mds *mds, struct mds_session *session, struct message *message);
/*
 * A size report (report.h): size and times as a flush would bring them. It is no flush: of inline data and of blocks written
 * nothing is said, and nothing is acknowledged.
 */
void mds_cap_take_report(struct mds *mds, struct mds_cap *cap, const struct nacre_size_report *report);
/* The values of a CAP_UPDATE alone; what it says of caps is known. */
void mds_cap_take_values(struct mds *mds, struct mds_session *session, struct message *message);

#endif
