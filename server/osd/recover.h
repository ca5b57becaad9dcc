/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Catching up one member that was away, at the primary. Between recover.c (what is
 * missing, the end), recover_list.c (comparing all objects) and recover_push.c (sending one).
 *
 *	ASKING ──its log meets ours──────────────▶ PUSHING ──nothing is missing──▶ CLOSING
 *	   └──it does not──▶ LISTING ──compared──────▲                               │
 *	                                             writes are held, none is under way,
 *	                                             nothing is missing: its log ─────┤
 *	                              EDITING ◀──durable there: it is in the set──── LOGGING
 *
 * `missing` names every object that may differ there. It begins with what was
 * changed here since the last common entry of both logs, and there since the same
 * entry; or, when the logs do not meet, with all objects whose (version, interval)
 * differ. Every write that is numbered while this goes on adds its object. An object
 * leaves when it is read, committed, for sending. So when it is empty, no write is under
 * way and none may begin, the member has what we have.
 */
#ifndef NACRE_SERVER_OSD_RECOVER_H
#define NACRE_SERVER_OSD_RECOVER_H

#include "exec.h"
#include "object_queue.h"
#include "pg.h"

enum recovery_state {
	RECOVERY_ASKING,
	RECOVERY_LISTING,
	RECOVERY_PUSHING,
	RECOVERY_CLOSING,		/* pushing, with new writes held */
	RECOVERY_LOGGING,
	RECOVERY_EDITING,
};

/* An object that may differ. */
struct missing {
	struct osd_object_key key;
	UT_hash_handle hh;
	TAILQ_ENTRY(missing) link;
};

TAILQ_HEAD(missing_list, missing);

struct recovery_push;
struct recovery_compare;

struct pg_recovery {
	struct pg *pg;
	struct pg_member *member;
	enum recovery_state state;
	struct missing *missing;	/* hash */
	struct missing_list order;	/* oldest first */
	uint64_t missing_count;
	struct recovery_push *push;	/* the object being sent */
	struct recovery_compare *compare;	/* LISTING */
	uint64_t part_sent, part_done;	/* of REP_OBJECT */
	uint64_t pushed;		/* objects */
};

void recovery_add(struct pg_recovery *recovery, const struct osd_object_key *key);
/* All objects are compared. */
void recovery_compared(struct pg_recovery *recovery);

/* ---- recover_list.c ---- */

void recovery_compare_start(struct pg_recovery *recovery);
void recovery_compare_end(struct pg_recovery *recovery);

/* ---- recover_push.c ---- */

/* Send the oldest missing object. */
void recovery_push_start(struct pg_recovery *recovery);
/* Parts were stored: send more, if that was what it waited for. */
void recovery_push_go_on(struct pg_recovery *recovery);
/* Forget it; what is under way ends by itself. */
void recovery_push_end(struct pg_recovery *recovery);

#endif
