/* SPDX-License-Identifier: GPL-2.0 */
/* The cluster map in words: a summary of how the cluster fares, or all of it. */
#ifndef NACRE_TOOLS_SHOW_H
#define NACRE_TOOLS_SHOW_H

#include <stdio.h>
#include "mapaccess.h"

/*
 * A line for the map, one for every daemon, one for each pool's placement groups.
 * A daemon that the map calls up and whose lease has run out is marked. How full OSDs are they have said with their leases.
 */
void show_status(FILE *out, const struct cluster_map *map, const struct mapaccess_lease *leases,
		 size_t lease_count);

/* Every table of the map, a row a line. */
void show_map(FILE *out, const struct cluster_map *map);

/* How the groups of a pool are, as far as the map says. */
struct show_groups {
	unsigned int active;		/* all copies in sync and up */
	unsigned int degraded;		/* serving with fewer */
	unsigned int inactive;		/* fewer than min_size */
	unsigned int moving;		/* of all: another OSD is taking a member's place */
};
struct show_groups show_count_groups(const struct nacre_map_view *view, uint32_t pool);

#endif
