// SPDX-License-Identifier: GPL-2.0
/* Weights of OSDs. See weight.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mapaccess.h"
#include "tool.h"
#include "weight.h"

#define WEIGHT_MAX 1000.0

struct change {
	unsigned int osd;
	uint32_t weight;
};

/* Nobody may be left without data to take: groups would stay where they are for ever. */
static bool any_weight(const struct mapedit *edit)
{
	for (unsigned int i = 0; i < edit->osd_count; i++)
		if (edit->osds[i].weight)
			return true;
	return false;
}

static int set_weight(void *owner, const struct cluster_map *now, struct mapedit *next, char *error, size_t error_bytes)
{
	const struct change *change = owner;

	if (change->osd >= next->osd_count) {
		snprintf(error, error_bytes, "osd%u: the map has no such OSD", change->osd);
		return -ENOENT;
	}
	if (next->osds[change->osd].weight == change->weight)
		return -EALREADY;
	next->osds[change->osd].weight = change->weight;
	if (any_weight(next))
		return 0;
	snprintf(error, error_bytes, "osd%u is the last one that takes data", change->osd);
	return -EINVAL;
}

static int parse(const char *osd, const char *weight, struct change *ret_change)
{
	uint64_t id;
	double value;
	char *end;

	if (strncmp(osd, "osd", 3) || !tool_number(osd + 3, 0, NACRE_MAP_OSDS_MAX - 1, &id))
		return tool_misused("weight %s: it is no OSD", osd);
	errno = 0;
	value = strtod(weight, &end);
	/* not-a-number fails both comparisons */
	if (errno || end == weight || *end || !(value >= 0 && value <= WEIGHT_MAX) || strpbrk(weight, "xXnN"))
		return tool_misused("weight %s %s: must be a number from 0 to %.0f", osd, weight, WEIGHT_MAX);
	ret_change->osd = (unsigned int)id;
	ret_change->weight = (uint32_t)(value * MAPEDIT_WEIGHT_ONE + 0.5);
	if (value > 0 && !ret_change->weight)
		return tool_misused("weight %s %s: so little is nothing; say 0", osd, weight);
	return TOOL_OK;
}

int weight_run(const char *map_store, const char *osd, const char *weight)
{
	char error[TOOL_ERROR_BYTES];
	struct change change;
	uint64_t epoch;
	int err, status = parse(osd, weight, &change);

	if (status)
		return status;
	err = mapaccess_edit(map_store, set_weight, &change, &epoch, error, sizeof(error));
	if (err == -EALREADY)
		printf("%s has that weight already\n", osd);
	else if (err)
		return tool_failed("%s", error);
	else
		printf("%s weighs %.2f: map %llu\n", osd, (double)change.weight / MAPEDIT_WEIGHT_ONE,
		       (unsigned long long)epoch);
	return TOOL_OK;
}
