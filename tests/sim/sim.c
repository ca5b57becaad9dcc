// SPDX-License-Identifier: GPL-2.0
/* One history from beginning to end, and what is printed when it fails. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/map.h"
#include "server/osd/journal_mode.h"
#include "clones.h"
#include "fills.h"
#include "groups.h"
#include "pools.h"
#include "quotas.h"
#include "rot.h"
#include "sim.h"
#include "weights.h"

#define SLICE_NS (100 * SIM_NS_PER_MS)
#define HISTORY_LIMIT_NS (3600 * SIM_NS_PER_S)
#define NOTES_SHOWN 300

void sim_fail(struct sim *sim, const char *format, ...)
{
	va_list args;

	sim->world->stop = true;
	if (sim->failed)
		return;
	sim->failed = true;
	va_start(args, format);
	vsnprintf(sim->why, sizeof(sim->why), format, args);
	va_end(args);
}

void sim_dump(struct sim *sim, FILE *out)
{
	unsigned int i;

	fprintf(out, "time %.6f, mds %s\n", (double)sim->world->now_ns / SIM_NS_PER_S,
		sim->mds.serving ? "serves" : "does not serve");
	for (i = 0; i < SIM_OSDS; i++)
		fprintf(out, "osd%u %s\n", i, sim->osds[i].serving ? "serves" : "does not serve");
	for (i = 0; i < sim->client_count; i++)
		if (sim->clients[i].client)
			client_dump(sim->clients[i].client, out);
}

/* What holds at any time between two events. */
static void check_rules(struct sim *sim)
{
	const char *broken;
	unsigned int i;

	broken = workload_stuck(sim);
	if (!broken)
		broken = clones_stuck(sim);
	if (broken)
		sim_fail(sim, "%s", broken);
	for (i = 0; i < sim->client_count && !sim->failed; i++) {
		if (!sim->clients[i].client || sim->clients[i].killed)
			continue;
		broken = client_invariant(sim->clients[i].client);
		if (broken)
			sim_fail(sim, "client %u: %s", i, broken);
	}
	rot_check(sim);
}

bool sim_until(struct sim *sim, bool (*done)(struct sim *sim), uint64_t limit_ns,
	       const char *what)
{
	uint64_t end_ns = sim->world->now_ns + limit_ns;

	while (!sim->failed && !done(sim)) {
		if (sim->world->now_ns >= end_ns) {
			sim_fail(sim, "waited too long for the world %s", what);
			break;
		}
		sim_run(sim->world, sim->world->now_ns + SLICE_NS);
		if (!sim->failed)
			check_rules(sim);
	}
	return !sim->failed;
}

/* Some seeds have all faults, some few, some none. */
static uint32_t faults_of_seed(struct sim *sim)
{
	uint32_t faults = 0;
	int i;

	switch (sim_below(&sim->random, 8)) {
	case 0:
		return 0;
	case 1:
	case 2:
	case 3:
		return SIM_FAULT_ALL;
	default:
		for (i = 0; i < 3; i++)
			faults |= 1u << sim_below(&sim->random, 7);
		return faults;
	}
}

/*
 * In a third of the histories the file system has inline data. Random numbers of their own: what the others do
 * does not change with it.
 */
static void choose_inlines(struct sim *sim)
{
	struct sim_random random = sim_random_from(sim->options.seed ^ 0x511a11);
	static const uint32_t limits[] = { SIM_INLINE_BYTES, SIM_INLINE_BYTES, SIM_INLINE_BYTES,
					   SIM_INLINE_BYTES / 2, 0 };
	unsigned int i;

	sim->inlines = sim->options.inlines_by_seed ? !sim_below(&random, 3) : sim->options.inlines;
	for (i = 0; sim->inlines && i < sim->client_count; i++)
		sim->clients[i].inline_max = limits[sim_below(&random, 5)];
}

/*
 * In a quarter of the histories every OSD has all: two are left to agree when one dies. In half of these one OSD alone serves nothing. Random
 * numbers of their own, as above.
 */
static void choose_replicas(struct sim *sim)
{
	struct sim_random random = sim_random_from(sim->options.seed ^ 0x3e711ca5);

	sim->replicas = sim_below(&random, 4) ? 2 : SIM_OSDS;
	if (sim->options.replicas)
		sim->replicas = sim->options.replicas;
	sim->min_size = sim->replicas > 2 ? (uint8_t)(1 + sim_below(&random, 2)) : 1;
}

/*
 * A third of the histories has file data in each journal mode, and a part of those metadata, too; what is small and goes through the
 * journal begins at different sizes, as what is written here is small. In mode ordered journals are trimmed soon, as only what cannot be
 * replayed any more is overwritten in place. Random numbers of their own, as above.
 */
static void choose_journals(struct sim *sim)
{
	struct sim_random random = sim_random_from(sim->options.seed ^ 0xc0117);
	uint8_t mode = (uint8_t)sim_below(&random, 3);

	if (!sim->options.journals_by_seed)
		mode = sim->options.journal;
	sim->journal_modes[NACRE_POOL_DATA] = mode;
	sim->journal_modes[NACRE_POOL_META] = sim_below(&random, 3) ? NACRE_JOURNAL_DATA : mode;
	sim->direct_bytes = 4096u << sim_below(&random, 2);
	pools_choose(sim);
	sim->trim_bytes = mode == NACRE_JOURNAL_ORDERED || sim->pools_change ? 4096ull << sim_below(&random, 4) : 0;
	sim->lone_intents = mode == NACRE_JOURNAL_ORDERED || sim->pools_change ? (uint8_t)(1 + sim_below(&random, (1u << SIM_OSDS) - 1)) : 0;
}

/*
 * In half of the histories blocks that are freed are discarded, soon; in a third all that are free, whenever an OSD begins to serve. Random
 * numbers of their own, as above.
 */
static void choose_discards(struct sim *sim)
{
	struct sim_random random = sim_random_from(sim->options.seed ^ 0xd15ca2d);

	sim->discard = sim_below(&random, 2);
	sim->discard_ms = 10u << sim_below(&random, 6);
	sim->trims = !sim_below(&random, 3);
}

/*
 * In half of the histories an OSD's journal has several records under way, as it has elsewhere only where much waits; in others journals are
 * short, of OSDs and of the rank, and what waits behind them is little, so that they fill up. Random numbers of their own, as above.
 */
static void choose_journal_sizes(struct sim *sim)
{
	struct sim_random random = sim_random_from(sim->options.seed ^ 0x9195e11e);

	if (sim_below(&random, 2))
		sim->pipeline_bytes = 1u << sim_below(&random, 16);
	sim->osd_journal_bytes = (1u << 20) << 2 * sim_below(&random, 2);
	sim->backlog_bytes = (32u << 10) << 5 * sim_below(&random, 2);
	sim->mds_journal_bytes = (16u << 10) << 2 * sim_below(&random, 4);
}

static void prepare(struct sim *sim)
{
	char name[24];
	unsigned int i;

	if (sim->options.faults_by_seed)
		sim->options.faults = faults_of_seed(sim);
	sim->client_count = sim->options.clients ? sim->options.clients :
				    2 + (unsigned int)sim_below(&sim->random, 3);
	for (i = 0; i < sim->client_count; i++) {
		snprintf(name, sizeof(name), "client%u", i);
		sim->clients[i].sim = sim;
		sim->clients[i].id = i;
		sim->clients[i].host = sim_host_add(sim->world, name);
	}
	choose_inlines(sim);
	choose_replicas(sim);
	choose_journals(sim);
	choose_discards(sim);
	choose_journal_sizes(sim);
	quotas_begin(sim);
}

static void report(struct sim *sim)
{
	static const char *const modes[] = { "", ", data ", ", all " };
	struct history_counts counts = history_counts(sim->history);
	uint64_t discarded = 0;
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++)
		discarded += sim_disk_discarded(sim->osds[i].host);
	if (sim->options.verbose)
		printf("%.1f virtual s, %" PRIu64 " events, %" PRIu64 " calls (%" PRIu64
		       " answered, %" PRIu64 " errors, %" PRIu64 " maybe), %" PRIu64
		       " observations, %" PRIu64 " requests applied, %" PRIu64 " faults, %" PRIu64
		       " evictions, %" PRIu64 " audits, %" PRIu64 " rotten blocks, %" PRIu64 " inline files%s, %" PRIu64 " quotas set, %" PRIu64
		       " judged, %" PRIu64 " weights changed, %" PRIu64 " fills, %" PRIu64 " pools, %" PRIu64 " clones, %" PRIu64 " bytes discarded, %u replicas%s%s\n",
		       (double)sim->world->now_ns / SIM_NS_PER_S, sim->world->events_run,
		       counts.calls, counts.answered, counts.failed, counts.maybe, counts.events,
		       groups_applied(sim), sim->faults_done, sim->evictions, sim->audits,
		       sim->rotted, sim->inline_files, sim->inlines ? "" : " (off)", sim->quotas_set, sim->quotas_judged, sim->weights_changed, sim->fills_changed, sim->pools_changed, sim->cloned, discarded, sim->replicas,
		       modes[sim->journal_modes[NACRE_POOL_META] ? 2 : !!sim->journal_modes[NACRE_POOL_DATA]],
		       sim->journal_modes[NACRE_POOL_DATA] ?
		       osd_journal_mode_find(sim->journal_modes[NACRE_POOL_DATA])->name : "");
	if (!sim->failed)
		return;
	fprintf(stderr, "--- the last that happened\n");
	sim_notes_print(sim->world, NOTES_SHOWN);
	fprintf(stderr, "--- who waits for what\n");
	sim_dump(sim, stderr);
	fprintf(stderr, "--- seed %" PRIu64 ", %" PRIu64 " calls, faults %x: %s\n", sim->options.seed,
		sim->options.ops, sim->options.faults, sim->why);
}

bool sim_history(const struct sim_options *options, uint64_t *ret_hash)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	bool good;

	sim->options = *options;
	sim->world = sim_world_create(options->seed);
	sim->world->trace = options->trace;
	sim->random = sim_random_from(options->seed ^ 0x5eed);
	sim->history = history_create();
	groups_watch(sim);
	prepare(sim);
	cluster_create(sim);
	if (!sim->failed) {
		locking_begin(sim);
		workload_start(sim);
		clones_begin(sim);
		faults_begin(sim);
		audits_begin(sim);
		weights_begin(sim);
		pools_begin(sim);
		rot_begin(sim);
		fills_begin(sim);
		sim_until(sim, workload_is_done, HISTORY_LIMIT_NS, "to finish its calls");
	}
	if (!sim->failed)
		verdict(sim);
	report(sim);
	*ret_hash = sim->world->hash;
	good = !sim->failed;
	history_destroy(sim->history);
	groups_forget(sim);
	return good;
}
