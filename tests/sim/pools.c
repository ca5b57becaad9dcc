// SPDX-License-Identifier: GPL-2.0
/* See pools.h. */
#include "pools.h"
#include "server/base/mapedit_core.h"

#define EVERY_MAX_NS (3 * SIM_NS_PER_S)

struct pooling {
	uint32_t pool;
	uint8_t mode;
	uint16_t units;
};

static bool journal_otherwise(void *owner, struct mapedit *edit)
{
	const struct pooling *pooling = owner;

	return !mapedit_pool_journal(edit, pooling->pool, pooling->mode, pooling->units);
}

static void run_change(struct sim_event *event)
{
	struct sim *sim = (struct sim *)((char *)event - offsetof(struct sim, pool_event));
	struct sim_random *random = &sim->pool_random;
	struct pooling pooling = {
		/* file data more often than metadata, which is small */
		.pool = sim_below(random, 3) ? NACRE_POOL_DATA : NACRE_POOL_META,
		.mode = (uint8_t)sim_below(random, NACRE_JOURNAL_COW + 1),
		/* what is written here is small, too */
		.units = (uint16_t)sim_below(random, 4),
	};

	if (cluster_edit_map(sim, journal_otherwise, &pooling)) {
		sim_note(sim->world, NULL, "pool journals otherwise", pooling.pool << 8 | pooling.mode, pooling.units);
		sim->pools_changed++;
	}
	sim_event_at(sim->world, NULL, event, sim->world->now_ns + sim_below(random, EVERY_MAX_NS));
}

void pools_choose(struct sim *sim)
{
	sim->pool_random = sim_random_from(sim->options.seed ^ 0x90015);
	sim->pools_change = sim->options.journals_by_seed && !sim_below(&sim->pool_random, 3);
}

void pools_begin(struct sim *sim)
{
	sim->pool_event.run = run_change;
	if (sim->pools_change)
		sim_event_at(sim->world, NULL, &sim->pool_event,
			     sim->world->now_ns + sim_below(&sim->pool_random, EVERY_MAX_NS));
}

void pools_end(struct sim *sim)
{
	sim_event_cancel(sim->world, &sim->pool_event);
}
