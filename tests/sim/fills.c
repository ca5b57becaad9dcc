// SPDX-License-Identifier: GPL-2.0
/* See fills.h. */
#include "fills.h"
#include "sim_mapstore.h"

#define EVERY_MAX_NS (4 * SIM_NS_PER_S)

static void pretend(struct sim *sim, unsigned int osd, bool pretends, enum fill_state state)
{
	char name[16];

	snprintf(name, sizeof(name), "osd%u", osd);
	sim_store_pretend_fill(sim->store, name, pretends, state);
}

static void run_change(struct sim_event *event)
{
	struct sim *sim = (struct sim *)((char *)event - offsetof(struct sim, fill_event));
	unsigned int osd = (unsigned int)sim_below(&sim->fill_random, SIM_OSDS);
	enum fill_state state = (enum fill_state)sim_below(&sim->fill_random, FILL_FULL + 1);

	pretend(sim, osd, true, state);
	sim_note(sim->world, sim->osds[osd].host, "pretends to be as full as", state, 0);
	sim->fills_changed++;
	sim_event_at(sim->world, NULL, event, sim->world->now_ns + sim_below(&sim->fill_random, EVERY_MAX_NS));
}

void fills_begin(struct sim *sim)
{
	sim->fill_random = sim_random_from(sim->options.seed ^ 0xf1115);
	sim->fill_event.run = run_change;
	/* a member that leaves would take with it what a scrub is to find */
	if (!sim->rots && !sim_below(&sim->fill_random, 2))
		sim_event_at(sim->world, NULL, &sim->fill_event,
			     sim->world->now_ns + sim_below(&sim->fill_random, EVERY_MAX_NS));
}

void fills_end(struct sim *sim)
{
	unsigned int osd;

	sim_event_cancel(sim->world, &sim->fill_event);
	if (!sim->fills_changed || sim_below(&sim->fill_random, 2))
		return;
	for (osd = 0; osd < SIM_OSDS; osd++)
		pretend(sim, osd, false, FILL_UNKNOWN);
}

void fills_read(struct sim *sim, struct mapedit_fill fills[NACRE_MAP_OSDS_MAX])
{
	unsigned int osd;
	char name[16];

	for (osd = 0; osd < SIM_OSDS; osd++) {
		snprintf(name, sizeof(name), "osd%u", osd);
		fills[osd] = (struct mapedit_fill){ .fill = sim_store_fill(sim->store, name) };
	}
}
