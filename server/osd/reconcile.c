// SPDX-License-Identifier: GPL-2.0
/*
 * A new interval at its primary. The logs of members that are in sync are prefixes of
 * one sequence: numbers were given by one primary at a time, members took them in
 * order, and no number was given before all logs were equal at the last
 * interval's beginning. So the longest is right for all, and what the others
 * lack is sent to them as the transactions it was (REC-1 keeps them). When all
 * have made it durable everything in the log is committed, and service begins; at first with what a crash may have
 * torn in the middle of an overwrite that nobody has in the log (stabilize.h).
 */
#include <assert.h>
#include "pg.h"
#include "stabilize.h"
#include "protocol/error.h"

static bool takes_part(const struct pg_member *member)
{
	return member->in_sync && member->up;
}

static void ask(struct pg *pg, struct pg_member *member)
{
	struct nacre_rep_query query = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = pg->interval,
	};

	member->asked = osd_peer_send(pg->osd, member->osd, NACRE_MSG_REP_QUERY, &query, NULL);
}

static void fetch(struct pg *pg, const struct pg_member *longest)
{
	struct nacre_rep_fetch request = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = pg->interval,
		.first = pg->last + 1,
		.last = longest->last,
	};

	/* Sent again at a tick: what comes twice is dropped by its number. */
	osd_peer_send(pg->osd, longest->osd, NACRE_MSG_REP_FETCH, &request, NULL);
	pg->fetching = longest->last;
}

/* All members are durable up to the end: the log is committed. */
static void reconciled(struct pg *pg)
{
	int slot;

	pg->fetching = 0;
	pg->osd->stats.reconciled++;
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		pg->members[slot].in_set = takes_part(&pg->members[slot]);
	pg_set_state(pg, pg->enough ? PG_ACTIVE : PG_STARVED);
	pg_stabilize(pg);
	pg_advance(pg);
	assert(pg->committed == pg->last);
	pg_recover(pg);
}

void pg_reconcile_advance(struct pg *pg)
{
	struct pg_member *longest = NULL, *member;
	bool equal = true;
	int slot;

	if (pg->state != PG_RECONCILING)
		return;
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		if (!takes_part(member))
			continue;
		if (!member->told)
			return;
		if (!longest || member->last > longest->last)
			longest = member;
	}
	if (longest && longest->last > pg->last) {
		if (pg->fetching != longest->last)
			fetch(pg, longest);
		return;
	}
	if (pg->durable < pg->last)
		return;
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		if (!takes_part(member))
			continue;
		if (!pg_push(pg, member)) {
			log_error(pg->osd->log, "pg", "%u.%u: osd%u lacks transaction %llu, which is not kept here",
				  pg->key.pool, pg->key.pg, member->osd,
				  (unsigned long long)member->sent + 1);
			pg_drop_member(pg, member, NACRE_E_DAMAGED);
		}
		equal &= member->acked >= pg->last;
	}
	if (equal)
		reconciled(pg);
}

void pg_on_info(struct pg *pg, struct pg_member *member, const struct nacre_rep_info *info)
{
	if (info->result || pg->state != PG_RECONCILING || member->told)
		return;
	member->told = true;
	member->last = info->last;
	/* Beyond our own end it is ahead of us; that is fetched, and then it has it. */
	member->acked = info->last;
	member->sent = info->last;
	pg_reconcile_advance(pg);
}

void pg_reconcile(struct pg *pg)
{
	struct pg_member *member;
	int slot;

	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		if (takes_part(member) && !member->told && !member->asked)
			ask(pg, member);
	}
	pg->fetching = 0;	/* at a tick, what does not come is asked for again */
	pg_reconcile_advance(pg);
}
