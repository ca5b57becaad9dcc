// SPDX-License-Identifier: GPL-2.0
/* Pools of the map, and how their writes are journaled. See pool.h. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mapaccess.h"
#include "plan.h"
#include "pool.h"
#include "tool.h"

#define DIRECT_BYTES_MAX (4u << 20)

static const char *const names[] = { [NACRE_POOL_META] = "metadata", [NACRE_POOL_DATA] = "data" };
#define NAMES (sizeof(names) / sizeof(names[0]))

const char *pool_name(uint32_t id)
{
	return id < NAMES ? names[id] : "";
}

bool pool_parse(const char *text, uint32_t *ret_id)
{
	uint64_t id;

	for (*ret_id = 0; *ret_id < NAMES; ++*ret_id)
		if (!strcmp(text, names[*ret_id]))
			return true;
	if (!tool_number(text, 0, NACRE_MAP_POOLS_MAX - 1, &id))
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

void pool_list(FILE *out, const struct cluster_map *map)
{
	struct nacre_map_pool p;

	for (uint32_t i = 0; !nacre_map_pool_at(&map->view, i, &p); i++) {
		fprintf(out, "pool %u%s%s: %u replicas, min_size %u, %u groups, journal-mode %s, direct-bytes ", i,
			*pool_name(i) ? " " : "", pool_name(i), p.replicas, p.min_size, p.pg_count,
			plan_journal_modes[p.journal_mode < PLAN_JOURNAL_MODES ? p.journal_mode : 0]);
		if (p.direct_units)
			fprintf(out, "%u\n", p.direct_units * NACRE_DIRECT_UNIT);
		else
			fprintf(out, "0 (as each OSD decides)\n");
	}
}

/* ---- changing one --------------------------------------------------------------------------- */

struct change {
	uint32_t id;
	int mode;			/* -1: as it is */
	int units;			/* likewise */
};

static int set_journal(void *owner, const struct cluster_map *now, struct mapedit *next, char *error, size_t error_bytes)
{
	const struct change *change = owner;
	const struct nacre_map_pool *pool = &next->pools[change->id];
	int err;

	err = mapedit_pool_journal(next, change->id,
				   change->mode < 0 ? pool->journal_mode : (uint8_t)change->mode,
				   change->units < 0 ? pool->direct_units : (uint16_t)change->units);
	if (err == -ENOENT)
		snprintf(error, error_bytes, "pool %u: the map has no such pool", change->id);
	return err;
}

static int find_mode(const char *text)
{
	for (int mode = 0; mode < (int)PLAN_JOURNAL_MODES; mode++)
		if (!strcmp(text, plan_journal_modes[mode]))
			return mode;
	return -1;
}

static int take_option(int option, const char *which, struct change *change)
{
	uint64_t bytes;

	switch (option) {
	case 'j':
		change->mode = find_mode(optarg);
		if (change->mode < 0)
			return tool_misused("--journal-mode %s: must be data, ordered or cow", optarg);
		return TOOL_OK;
	case 'd':
		if (!tool_number(optarg, 0, DIRECT_BYTES_MAX, &bytes) || bytes % NACRE_DIRECT_UNIT)
			return tool_misused("--direct-bytes %s: must be a multiple of %u up to %u, or 0", optarg,
					    NACRE_DIRECT_UNIT, DIRECT_BYTES_MAX);
		change->units = (int)(bytes / NACRE_DIRECT_UNIT);
		return TOOL_OK;
	default:
		return tool_misused("pool: %s: unknown option, or its value is missing", which);
	}
}

static int parse(int argc, char **argv, struct change *change)
{
	static const struct option options[] = {
		{ "journal-mode", required_argument, NULL, 'j' },
		{ "direct-bytes", required_argument, NULL, 'd' },
		{ 0 },
	};
	int option, status;

	if (!pool_parse(argv[1], &change->id))
		return tool_misused("pool %s: pools are metadata, data, or a number", argv[1]);
	optind = 0;			/* begin anew, behind the command and its pool */
	while ((option = getopt_long(argc - 1, argv + 1, "+", options, NULL)) != -1) {
		status = take_option(option, argv[optind], change);
		if (status)
			return status;
	}
	if (optind < argc - 1)
		return tool_misused("pool: %s: an argument that means nothing here", argv[1 + optind]);
	if (change->mode < 0 && change->units < 0)
		return tool_misused("pool %s: what is to be changed? --journal-mode, --direct-bytes", argv[1]);
	return TOOL_OK;
}

static int print_pools(const char *map_store, char *error, size_t error_bytes)
{
	struct cluster_map *map;

	if (mapaccess_get(map_store, &map, error, error_bytes))
		return tool_failed("%s", error);
	pool_list(stdout, map);
	cluster_map_put(map);
	return TOOL_OK;
}

int pool_run(const char *map_store, int argc, char **argv)
{
	struct change change = { .mode = -1, .units = -1 };
	char error[TOOL_ERROR_BYTES];
	uint64_t epoch;
	int err, status;

	if (argc == 1)
		return print_pools(map_store, error, sizeof(error));
	status = parse(argc, argv, &change);
	if (status)
		return status;
	err = mapaccess_edit(map_store, set_journal, &change, &epoch, error, sizeof(error));
	if (err == -EALREADY)
		printf("%s is like that already\n", argv[1]);
	else if (err)
		return tool_failed("%s", error);
	else
		printf("%s is changed: map %llu\n", argv[1], (unsigned long long)epoch);
	return TOOL_OK;
}
