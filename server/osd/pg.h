/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A placement group, as one of its members holds it.
 *
 *	                  map: no role, or too few in sync
 *	   ┌──────────────────────────────────────────────────┐
 *	LOADING ──log is read──▶ INACTIVE ◀───new interval──── any state
 *	                          │    │
 *	        primary, enough   │    │  another one is primary
 *	                          ▼    ├──────── in sync ──────▶ REPLICA
 *	                   RECONCILING └──────── not in sync ──▶ RECOVERING
 *	                          │
 *	                all logs equal, durable
 *	                          ├── in sync ≥ min_size ──▶ ACTIVE
 *	                          └── fewer ───────────────▶ STARVED
 *
 * Every new interval goes through INACTIVE until nothing of the old one is under way
 * here, and then to what the map says.
 */
#ifndef NACRE_SERVER_OSD_PG_H
#define NACRE_SERVER_OSD_PG_H

#include "osd_core.h"
#include "pglog.h"

#define PG_STATES(S)									\
	S(LOADING, "loading", "its log is being read from the store")			\
	S(INACTIVE, "inactive", "no role in the map, or what the last interval began is not done") \
	S(RECONCILING, "reconciling", "primary; makes the logs of all in-sync members equal")	\
	S(ACTIVE, "active", "primary; serves clients, and catches up members that were away")	\
	S(STARVED, "starved", "primary; reconciled, but fewer than min_size are in sync: catches up members only") \
	S(REPLICA, "replica", "in sync; makes the primary's transactions durable")		\
	S(RECOVERING, "recovering", "not in sync; takes what the primary sends")

#define PG_STATE_ENUM(NAME, text, doc) PG_##NAME,
enum pg_state {
	PG_STATES(PG_STATE_ENUM)
};
const char *pg_state_name(enum pg_state state);

struct osd_exec;
struct pg_recovery;
struct pg_stabilizing;
struct pg_unstable;
struct osd_exec;

/* Another member, as its primary knows it in this interval. */
struct pg_member {
	uint16_t osd;			/* NACRE_OSD_NONE: the slot is empty or ours */
	bool up;
	bool in_sync;			/* by the map */
	bool in_set;			/* its answer is needed for a commit */
	bool asked, told;		/* REP_QUERY sent; REP_INFO came */
	uint64_t last;			/* newest number it has, by its REP_INFO */
	uint64_t sent;			/* sent on this connection up to here */
	uint64_t acked;			/* durable there up to here */
	uint64_t committed_told;	/* it knows that so much is committed */
	struct pg_recovery *recovery;	/* catching up */
	uint64_t retry_ns;		/* not before; io_now */
	bool no_room;			/* what it is missing does not fit there: not before it has room again */
	unsigned int times_full;	/* it was sent what it is missing and had no room for that, in this interval */
};

/* A write that clients wait for. */
struct pg_write {
	TAILQ_ENTRY(pg_write) link;
	uint64_t number;
	uint64_t blocks;		/* it takes so many on each member */
	struct request *request;	/* NULL: nobody waits any more */
	struct pg_stabilizing *stabilizing;	/* or it is ours: stabilize.h */
};

TAILQ_HEAD(pg_write_list, pg_write);
TAILQ_HEAD(pg_stabilizing_list, pg_stabilizing);

struct pg {
	struct {
		uint32_t pool, pg;
	} key;
	UT_hash_handle hh;
	struct osd *osd;
	enum pg_state state;
	uint64_t state_ns;		/* since when */
	struct nacre_map_pg row;	/* of the map */
	uint64_t interval;
	int slot;			/* ours; -1 = none */
	bool primary;			/* by the map */
	bool enough;			/* by the map: in-sync members up >= min_size */
	uint32_t pg_count, object_bytes, replicas, direct_blocks;	/* of the pool */
	const struct osd_journal_mode *mode;

	struct pglog log;
	uint64_t last;			/* newest number submitted here */
	uint64_t durable;		/* newest number durable here, with all before it */
	uint64_t committed;		/* known to be durable on all in-sync members */
	struct pg_kept_list kept;	/* not known to be committed, by number */
	uint64_t *unspill;		/* T keys to remove with the next transaction */
	uint32_t unspill_count, unspill_room;
	struct osd_list *loading;

	unsigned int executing;		/* of requests and of the primary's messages */
	unsigned int executing_writes;	/* of them, requests that may change something */
	struct pg_write_list writes;	/* executed, not committed, by number */
	bool hold;			/* start no writes: a recovery is about to end */

	struct pg_member members[NACRE_PG_SLOTS];
	struct pg_unstable *unstable;	/* stabilize.c: what members and we do not know; hash */
	struct pg_stabilizing_list stabilizing;
	uint64_t fetching;		/* reconcile.c: up to this number from the longest log */
	uint64_t light_wall_ns, deep_wall_ns;	/* scrubbed last; 0: not since the start */
	bool edit_under_way;		/* a change of the map that puts members in or out of sync */

	struct message *inbox, **inbox_last;	/* member.c: of the primary, in order */
	struct member_job *job;		/* member.c: the one being executed */
	struct conn *primary_conn;	/* member.c: where answers go; counted */
	struct message *query;		/* member.c: waits until nothing is under way */
	struct mem_bytes log_parts;	/* member.c: REP_LOG so far */
};

/* ---- pg.c: life and map ------------------------------------------------------------------- */

struct pg *pg_find(struct osd *osd, uint32_t pool, uint32_t pg);
/* A newer map: make groups, begin intervals. */
void pgs_update(struct osd *osd);
/* A group of which there is something in the store though the map gives us no place in it: load that. */
void pg_adopt(struct osd *osd, uint32_t pool, uint32_t number);
/* The end: forget what peers sent and what is sent to them; the store may still ask for what is kept. */
void pgs_end(struct osd *osd);
bool pgs_quiet(struct osd *osd);
void pgs_free(struct osd *osd);
void pg_set_state(struct pg *pg, enum pg_state state);
/* Something ended: may a waiting interval begin now? */
void pg_settle(struct pg *pg);
/* Is nothing of an earlier interval under way here? */
bool pg_is_quiet(const struct pg *pg);
/* Where a request on one of its objects is executed: the fields of exec.h that follow from the group. */
void pg_exec_init(const struct pg *pg, struct osd_exec *exec, const struct nacre_osd_request *request);
/* Every so often: send again what is missing. */
void pg_tick(struct pg *pg);
/* The connection to another OSD is open, for the first time or again. */
void pg_peer_opened(struct pg *pg, uint16_t osd);
struct pg_member *pg_member_of(struct pg *pg, uint16_t osd);

/* ---- pg_commit.c: numbers, the log, what is kept ---------------------------------------------- */

/*
 * Enter a transaction into the group: log entry, what is kept, trimming; then submit
 * it. entry->number is last + 1. txn belongs to the store then.
 */
void pg_submit(struct pg *pg, struct osd_txn *txn, const struct nacre_rep_entry *entry,
	       struct pg_kept *kept);
/* So much is known to be committed. */
void pg_set_committed(struct pg *pg, uint64_t committed);
struct pg_kept *pg_kept_find(struct pg *pg, uint64_t number);
/* Send it whole, as REP_APPLY or REP_TRANSACTION. False: the connection takes nothing now. */
bool pg_kept_send(struct pg *pg, struct pg_kept *kept, struct conn *conn, uint16_t type);
/* Forget the log and what is kept, in a transaction that the caller submits. */
void pg_clear_log(struct pg *pg, struct osd_txn *txn);
/* Append an entry whose transaction is here already, likewise; all up to it is committed. */
void pg_extend_log(struct pg *pg, struct osd_txn *txn, const struct nacre_rep_entry *entry);

/* ---- pg_load.c -------------------------------------------------------------------------------- */

/* Read log and kept transactions from the store, then pg_settle(). */
void pg_load(struct pg *pg);

/* ---- replicate.c: the primary serving ------------------------------------------------------------ */

/*
 * An execution of ours that has succeeded gets its number, which entry->number is, and goes to the journal and to the members.
 * Whoever waits for it, request or stabilizing, is told by pg_advance().
 */
void pg_write(struct pg *pg, struct osd_exec *exec, const struct nacre_rep_entry *entry,
	      struct request *request, struct pg_stabilizing *stabilizing);
/* Send the newest transactions to all that are in the set. */
void pg_replicate(struct pg *pg);
/* Send one member everything behind member->sent. False: something is not kept any more. */
bool pg_push(struct pg *pg, struct pg_member *member);
/* Something became durable, here or there: commit what can be. */
void pg_advance(struct pg *pg);
void pg_on_done(struct pg *pg, struct pg_member *member, const struct nacre_rep_done *done);
/* Blocks that a transaction takes and does not give back: what it needs on a member. */
uint64_t pg_txn_blocks(const struct osd_txn *txn);
/* Can every member store `blocks` more? If not, they are asked how it stands by now. */
bool pg_members_have_space(struct pg *pg, uint64_t blocks);
/* Its answer tells how much space it has; nothing else comes of it in service. */
void pg_ask_space(struct pg *pg, const struct pg_member *member);
/* Tell members what is committed, if they do not know. */
void pg_tell_committed(struct pg *pg);
/* A member cannot apply what is committed elsewhere: take it out of sync. */
void pg_drop_member(struct pg *pg, struct pg_member *member, uint32_t result);

/* ---- reconcile.c: a new interval at its primary ---------------------------------------------------- */

void pg_reconcile(struct pg *pg);
void pg_on_info(struct pg *pg, struct pg_member *member, const struct nacre_rep_info *info);
/* A fetched transaction is durable, or a member has come further: go on. */
void pg_reconcile_advance(struct pg *pg);

/* ---- recover.c: catching up members that were away ---------------------------------------------------- */

/* Begin where it is due; every so often. */
void pg_recover(struct pg *pg);
/* The connection to it is open; what was sent on an older one may be lost. */
void pg_recovery_opened(struct pg *pg, struct pg_member *member);
void pg_recovery_end(struct pg *pg, struct pg_member *member, const char *why);
/* A write to an object has been numbered: those who are catching up need it again. */
void pg_recovery_touch(struct pg *pg, const struct nacre_rep_entry *entry);
/* Nothing is under way any more, or an answer came: go on. */
void pg_recovery_advance(struct pg *pg, struct pg_member *member);
void pg_recovery_info(struct pg *pg, struct pg_member *member, const struct nacre_rep_info *info);
void pg_recovery_listed(struct pg *pg, struct pg_member *member,
			const struct nacre_rep_listed *listed);
void pg_recovery_object_done(struct pg *pg, struct pg_member *member,
			     const struct nacre_rep_object_done *done);
void pg_recovery_log_done(struct pg *pg, struct pg_member *member);
/* The map was asked to call it in sync, in that interval: 0, or why it does not. */
void pg_recovery_edited(struct pg *pg, struct pg_member *member, uint64_t interval, int result);
/* How far, for people: objects still to send. */
uint64_t pg_recovery_left(const struct pg *pg);

/* ---- sync_edit.c: who is in sync, in the map --------------------------------------------------------------- */

/* Ask the map to call the member in sync, or not any more. Not while one of the group's edits is under way. */
void pg_edit_sync(struct pg *pg, const struct pg_member *member, bool in);
/* At its primary: members whose places were taken, and are not needed any more, leave the group. */
void pg_trim(struct pg *pg);

/* ---- member.c: under another primary ------------------------------------------------------------------ */

/* A message of the group's primary; takes the reference over. */
void pg_member_message(struct pg *pg, struct message *message);
/* The interval has ended: forget what it sent and is not executed. */
void pg_member_reset(struct pg *pg);
/* Go on with the inbox, or with a query that waited. */
void pg_member_advance(struct pg *pg);
/* A transaction became durable: tell the primary. */
void pg_member_durable(struct pg *pg);

#endif
