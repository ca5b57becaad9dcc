/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A set of 64-bit numbers as ascending runs that do not touch: delegated inode
 * numbers, finished flushes, dead instances on their way to the map.
 */
#ifndef MDS_INTERVALS_H
#define MDS_INTERVALS_H

#include <stdbool.h>
#include <stdint.h>

struct mds_run {
	uint64_t first;
	uint64_t count;
};

struct mds_intervals {
	struct mds_run *runs;
	uint32_t count;
	uint32_t room;
};

bool mds_intervals_has(const struct mds_intervals *set, uint64_t number);
void mds_intervals_add(struct mds_intervals *set, uint64_t first, uint64_t count);
void mds_intervals_remove(struct mds_intervals *set, uint64_t first, uint64_t count);
/* Everything below `number`. */
void mds_intervals_remove_below(struct mds_intervals *set, uint64_t number);
uint64_t mds_intervals_total(const struct mds_intervals *set);
void mds_intervals_free(struct mds_intervals *set);

#endif
