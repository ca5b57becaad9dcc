// SPDX-License-Identifier: GPL-2.0
/* See weights.h. */
#include <stdlib.h>
#include <xxhash.h>
#include "server/base/mapedit_core.h"
#include "fills.h"
#include "rot.h"
#include "weights.h"

#define EVERY_MAX_NS (4 * SIM_NS_PER_S)
#define MOVING_MAX 1000u

static const uint32_t choices[] = { 0, MAPEDIT_WEIGHT_ONE / 2, MAPEDIT_WEIGHT_ONE, 2 * MAPEDIT_WEIGHT_ONE };

struct weighing {
	unsigned int osd;
	uint32_t weight;
};

/* All replicas must have a place. */
static bool weigh(void *owner, struct mapedit *edit)
{
	const struct weighing *weighing = owner;
	uint32_t replicas = edit->pools[NACRE_POOL_DATA].replicas;
	unsigned int others = 0, i;

	for (i = 0; i < edit->osd_count; i++)
		others += i != weighing->osd && edit->osds[i].weight;
	if (others < replicas && !weighing->weight)
		return false;
	edit->osds[weighing->osd].weight = weighing->weight;
	return true;
}

static bool weigh_all_alike(void *owner, struct mapedit *edit)
{
	unsigned int i;

	for (i = 0; i < edit->osd_count; i++)
		edit->osds[i].weight = MAPEDIT_WEIGHT_ONE;
	return true;
}

static void run_change(struct sim_event *event)
{
	struct sim *sim = (struct sim *)((char *)event - offsetof(struct sim, weight_event));
	struct weighing weighing = {
		.osd = (unsigned int)sim_below(&sim->weight_random, SIM_OSDS),
		.weight = choices[sim_below(&sim->weight_random, sizeof(choices) / sizeof(choices[0]))],
	};

	/* a member that leaves would take with it what a scrub is to find */
	if (!rot_is_there(sim) && cluster_edit_map(sim, weigh, &weighing)) {
		sim_note(sim->world, sim->osds[weighing.osd].host, "weighs", weighing.weight, 0);
		sim->weights_changed++;
	}
	sim_event_at(sim->world, NULL, event, sim->world->now_ns + sim_below(&sim->weight_random, EVERY_MAX_NS));
}

void weights_begin(struct sim *sim)
{
	sim->weight_random = sim_random_from(sim->options.seed ^ 0x3e19475);
	sim->weight_event.run = run_change;
	if (!sim_below(&sim->weight_random, 3))
		sim_event_at(sim->world, NULL, &sim->weight_event,
			     sim->world->now_ns + sim_below(&sim->weight_random, EVERY_MAX_NS));
}

void weights_end(struct sim *sim)
{
	sim_event_cancel(sim->world, &sim->weight_event);
	if (sim->weights_changed && sim_below(&sim->weight_random, 2))
		cluster_edit_map(sim, weigh_all_alike, NULL);
}

struct question {
	struct sim *sim;
	bool settled;
};

/* Nothing is changed: it is only asked whether there is anything left to do. */
static bool is_settled(void *owner, struct mapedit *edit)
{
	struct mapedit_fill fills[NACRE_MAP_OSDS_MAX] = { 0 };
	struct question *question = owner;
	unsigned int i;

	question->settled = true;
	for (i = 0; i < edit->osd_count; i++)
		question->settled &= edit->osds[i].flags & NACRE_OSD_UP;	/* one that is not is due its share when it is */
	for (i = 0; i < edit->pg_count; i++)
		question->settled &= edit->pgs[i].in_sync == (1u << question->sim->replicas) - 1;	/* and nobody behind them */
	fills_read(question->sim, fills);
	question->settled = question->settled && !mapedit_rebalance(edit, fills, MOVING_MAX);
	return false;
}

bool weights_settled(struct sim *sim)
{
	struct question question = { sim };

	cluster_edit_map(sim, is_settled, &question);
	return question.settled && cluster_serves(sim);
}

static bool hash_slots(void *owner, struct mapedit *edit)
{
	uint64_t *hash = owner;
	uint16_t osd;

	for (unsigned int i = 0; i < edit->pg_count; i++)
		for (int slot = 0; slot < NACRE_PG_SLOTS; slot++) {
			osd = nacre_pg_slot(&edit->pgs[i], slot);
			*hash = XXH64(&osd, sizeof(osd), *hash);
		}
	return false;
}

uint64_t weights_placement(struct sim *sim)
{
	uint64_t hash = 0;

	cluster_edit_map(sim, hash_slots, &hash);
	return hash;
}
