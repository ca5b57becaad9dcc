// SPDX-License-Identifier: GPL-2.0
/* Looking into the groups of OSDs; see groups.h. */
#include "applied.h"
#include "groups.h"
#include "server/osd/pg.h"

void groups_note(struct sim *sim, uint32_t pool, uint32_t pg, const struct nacre_rep_entry *entry)
{
	const struct applied_entry applied = {
		.pool = pool, .pg = pg, .number = entry->number, .interval = entry->interval,
		.instance = entry->instance, .tid = entry->tid,
	};
	const char *wrong = applied_note(sim->applied, &applied);

	if (wrong)
		sim_fail(sim, "%s", wrong);
}

static void watch_group(struct sim *sim, const struct pg *pg)
{
	const struct pglog_entry *entry;
	struct nacre_rep_entry wire;
	uint32_t i;

	if (pg->state == PG_LOADING)
		return;
	for (i = 0; i < pg->log.count && !sim->failed; i++) {
		entry = pglog_at(&pg->log, i);
		if (entry->number > pg->committed)
			break;
		pglog_wire(entry, false, &wire);
		groups_note(sim, pg->key.pool, pg->key.pg, &wire);
	}
}

static void look(void *owner)
{
	struct sim *sim = owner;
	struct pg *pg, *next;
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++) {
		if (!sim->osds[i].osd)
			continue;
		HASH_ITER(hh, sim->osds[i].osd->pgs, pg, next)
			watch_group(sim, pg);
	}
}

void groups_watch(struct sim *sim)
{
	sim->applied = applied_create();
	sim->world->watch = look;
	sim->world->watch_owner = sim;
}

void groups_check(struct sim *sim)
{
	const char *missed = applied_is_whole(sim->applied);

	if (missed)
		sim_fail(sim, "%s", missed);
}

uint64_t groups_applied(const struct sim *sim)
{
	return applied_count(sim->applied);
}

void groups_forget(struct sim *sim)
{
	sim->world->watch = NULL;
	applied_destroy(sim->applied);
}
