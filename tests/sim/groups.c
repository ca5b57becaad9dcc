// SPDX-License-Identifier: GPL-2.0
/* Looking into the groups of OSDs; see groups.h. */
#include <stdlib.h>
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

/* How far a log was looked at. In a new state it may be another log: then all of it is looked at again. */
struct looked {
	struct {
		uint32_t osd, pool, pg;
	} key;
	enum pg_state state;
	uint64_t state_ns, interval;
	uint64_t number;
	UT_hash_handle hh;
};

static struct looked *looked_at(struct sim *sim, uint32_t osd, const struct pg *pg)
{
	const typeof(((struct looked *)NULL)->key) key = { osd, pg->key.pool, pg->key.pg };
	struct looked *looked;

	HASH_FIND(hh, sim->looked, &key, sizeof(key), looked);
	if (!looked) {
		looked = calloc(1, sizeof(*looked));
		if (!looked)
			abort();
		looked->key = key;
		HASH_ADD(hh, sim->looked, key, sizeof(key), looked);
	}
	if (looked->state != pg->state || looked->state_ns != pg->state_ns || looked->interval != pg->interval) {
		looked->state = pg->state;
		looked->state_ns = pg->state_ns;
		looked->interval = pg->interval;
		looked->number = 0;
	}
	return looked;
}

static void watch_group(struct sim *sim, uint32_t osd, const struct pg *pg)
{
	struct looked *looked = looked_at(sim, osd, pg);
	const struct pglog_entry *entry;
	struct nacre_rep_entry wire;
	uint32_t i = 0;

	if (pg->state == PG_LOADING || looked->number >= pg->committed)
		return;
	if (looked->number && looked->number >= pglog_first(&pg->log))
		i = (uint32_t)(looked->number - pglog_first(&pg->log)) + 1;
	for (; i < pg->log.count && !sim->failed; i++) {
		entry = pglog_at(&pg->log, i);
		if (entry->number > pg->committed)
			break;
		pglog_wire(entry, false, &wire);
		groups_note(sim, pg->key.pool, pg->key.pg, &wire);
		looked->number = entry->number;
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
			watch_group(sim, i, pg);
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
	struct looked *looked, *next;

	HASH_ITER(hh, sim->looked, looked, next) {
		HASH_DEL(sim->looked, looked);
		free(looked);
	}
	sim->world->watch = NULL;
	applied_destroy(sim->applied);
}
