/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a crash may have torn is made the same on all members, before anybody reads it (journal mode `ordered`, decision 0016).
 *
 *	a member's query is answered: REP_UNSTABLE ──▶ ranges of the group ◀── our own store's, at the end of reconciling
 *	service begins: for each range a write of what stands here, lined up before all requests
 *
 * An overwrite that nobody has in the log was never acknowledged, so whatever its range holds is right, as long as it is
 * the same everywhere and for ever. The primary's bytes are chosen. They are written by an ordinary transaction of the
 * group, so a crash in between finds either that or the intents, and members that are caught up get it, too. A member
 * that is not in sync is sent the whole object.
 */
#ifndef NACRE_SERVER_OSD_STABILIZE_H
#define NACRE_SERVER_OSD_STABILIZE_H

#include "object_queue.h"
#include "pg.h"

/* A range that is to be the same on all members. */
struct pg_unstable {
	struct {
		struct osd_object_key object;
		uint32_t offset, length;
	} id;
	UT_hash_handle hh;
};

/* A member told of ranges. */
void pg_unstable_told(struct pg *pg, struct pg_member *member, const struct nacre_rep_unstable *unstable);
/* Tell our primary of ours, on the connection on which it has asked. */
void pg_unstable_tell(struct pg *pg, struct conn *conn);
/* Service begins: line up what is to be written. */
void pg_stabilize(struct pg *pg);
/* The interval has ended, or all has: what is not numbered is forgotten. */
void pg_stabilize_reset(struct pg *pg);
/* Its number is committed, or will not be by us. */
void pg_stabilized(struct pg_stabilizing *job);

#endif
