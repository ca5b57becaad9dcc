// SPDX-License-Identifier: GPL-2.0
/*
 * The rank audits itself: in half of the histories again and again while clients work and things break, when it must find
 * nothing wrong; and at the end of each, when all clients are gone, and nothing may be held, undeclared or on its way
 * out either. An audit that its rank does not live to end is nobody's.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "server/mds/audit.h"
#include "server/mds/checkpoint.h"
#include "sim.h"

#define EVERY_MAX_NS (2 * SIM_NS_PER_S)
#define WRITEBACK_LIMIT_NS (120 * SIM_NS_PER_S)
#define AUDIT_LIMIT_NS (120 * SIM_NS_PER_S)

#define KIND_TEXT(NAME, text, wrong, doc) #text,
static const char *const kind_texts[] = { MDS_AUDIT_KINDS(KIND_TEXT) };

/* No objects and inodes of these kinds may have been found. */
static void check(struct sim *sim, int kinds, const char *when)
{
	const struct mds_audit_total *total;
	int kind;

	for (kind = 0; kind < kinds; kind++) {
		total = mds_audit_total(sim->mds.mds, (enum mds_audit_kind)kind);
		if (total->inodes || total->objects)
			sim_fail(sim, "an audit %s found %s: inodes %" PRIu64 ", objects %" PRIu64,
				 when, kind_texts[kind], total->inodes, total->objects);
	}
}

static void ended(void *owner)
{
	struct sim *sim = owner;

	sim->audits++;
	sim->audit_ended = true;
	check(sim, MDS_AUDIT_ORPHAN, "while clients work");
}

static void run_audit(struct sim_event *event)
{
	struct sim *sim = (struct sim *)((char *)event - offsetof(struct sim, audit_event));

	if (sim->draining)
		return;
	if (sim->mds.serving)
		mds_audit_start(sim->mds.mds, ended, sim);	/* or one runs */
	sim_event_at(sim->world, NULL, event,
		     sim->world->now_ns + sim_below(&sim->audit_random, EVERY_MAX_NS));
}

void audits_begin(struct sim *sim)
{
	sim->audit_random = sim_random_from(sim->options.seed ^ 0xa0d17);
	sim->audit_event.run = run_audit;
	if (sim_below(&sim->audit_random, 2))
		sim_event_at(sim->world, NULL, &sim->audit_event, sim->world->now_ns);
}

/* ---- the end --------------------------------------------------------------------------- */

static bool is_written_back(struct sim *sim)
{
	return sim->mds.serving && mds_checkpoint_idle(sim->mds.mds);
}

static bool is_started(struct sim *sim)
{
	sim->audit_ended = false;
	return sim->mds.serving && !mds_audit_start(sim->mds.mds, ended, sim);
}

static bool is_ended(struct sim *sim)
{
	return sim->audit_ended;
}

void audit_at_end(struct sim *sim)
{
	if (!sim_until(sim, cluster_serves, WRITEBACK_LIMIT_NS, "to serve at the end"))
		return;
	mds_checkpoint_force(sim->mds.mds);
	if (sim_until(sim, is_written_back, WRITEBACK_LIMIT_NS, "to write everything back") &&
	    sim_until(sim, is_started, AUDIT_LIMIT_NS, "to audit itself") &&
	    sim_until(sim, is_ended, AUDIT_LIMIT_NS, "to end its audit"))
		check(sim, MDS_AUDIT_KIND_COUNT, "at the end");
}
