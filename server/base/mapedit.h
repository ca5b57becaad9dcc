/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A cluster map opened for editing: arrays of host structs, each with room up to
 * its limit (protocol/map.h), so that who adds a row writes it and counts it.
 * mkfs.nacre makes the first map with it, members and the coordinator the
 * following ones. Encoding raises the epoch by one. Changes of placement raise
 * the interval of the groups concerned to the new epoch.
 */
#ifndef NACRE_MAPEDIT_H
#define NACRE_MAPEDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "fill.h"
#include "protocol/map.h"

struct cluster_map;

#define MAPEDIT_WEIGHT_ONE 0x10000u

struct mapedit {
	struct nacre_map head;			/* tails unused; epoch: the new one */
	struct nacre_map_pool pools[NACRE_MAP_POOLS_MAX];
	unsigned int pool_count;
	struct nacre_map_osd *osds;
	unsigned int osd_count;
	struct nacre_map_rank ranks[NACRE_MAP_RANKS_MAX];
	unsigned int rank_count;
	struct nacre_map_subtree *subtrees;
	unsigned int subtree_count;
	struct nacre_map_dead *dead;
	unsigned int dead_count;
	struct nacre_map_pg *pgs;
	unsigned int pg_count;
};

struct mapedit *mapedit_open(const struct cluster_map *map);	/* NULL map: empty, epoch 1 */
void mapedit_free(struct mapedit *edit);
/* Encoded bytes, malloc'ed. 0, -EINVAL (not a valid map), -ENOMEM. */
int mapedit_encode(const struct mapedit *edit, uint8_t **ret_bytes, size_t *ret_length);

uint64_t mapedit_new_instance(struct mapedit *edit);
/*
 * Put an instance into the dead set, merging neighbours; sets fence_epoch. One that
 * is dead already changes nothing: 0. -EINVAL: never issued. -ENOSPC: too many runs.
 */
int mapedit_kill(struct mapedit *edit, uint64_t instance);
/*
 * An OSD started: up, new instance and address; the former instance is dead, its
 * groups begin a new interval. -ENOENT: no such OSD. -EINVAL: never issued, port 0.
 */
int mapedit_osd_up(struct mapedit *edit, uint16_t id, uint64_t instance, uint64_t address_hi,
		   uint64_t address_lo, uint16_t port);
/*
 * An OSD is gone: down and dead instance; in every group where another in-sync
 * member is up, it leaves the in-sync set (the last in-sync member never does).
 */
int mapedit_osd_down(struct mapedit *edit, uint16_t id);
/*
 * An OSD gets a new store, which is empty: it is down, and in sync with no group. -ENOENT: no such OSD. -ENODATA: nobody
 * else is in sync with a group (*ret_pg, its place among all groups), whose data would be lost with the old one.
 */
int mapedit_osd_replace(struct mapedit *edit, uint16_t id, uint64_t store_lo, uint64_t store_hi,
			unsigned int *ret_pg);
/* May it be given data, as an administrator sees it? */
bool mapedit_takes_data(const struct nacre_map_osd *osd);
/* Another OSD, down, in a failure domain of its own: it gets data when it is up. -ENOSPC: the table is full. */
int mapedit_osd_add(struct mapedit *edit, uint64_t store_lo, uint64_t store_hi);
/*
 * Member `slot` of a group holds everything again; if it took another's place, that one goes. By the group's primary only.
 * -ENOENT; -EALREADY: it was in sync.
 */
int mapedit_pg_in_sync(struct mapedit *edit, uint32_t pool, uint32_t pg, unsigned int slot);
/* Members whose places were taken go. By the group's primary only, in an interval it serves in. -EALREADY: none can go now. */
int mapedit_pg_trim(struct mapedit *edit, uint32_t pool, uint32_t pg);
/*
 * How the OSDs journal what is written to a pool, from the next map on; `direct_units` as in the map. -ENOENT: no such pool. -EALREADY: they do
 * so. A map with units demands the feature of all members; the last pool that loses them takes the demand back.
 */
int mapedit_pool_journal(struct mapedit *edit, uint32_t pool, uint8_t journal_mode, uint16_t direct_units);
struct mapedit_fill {
	struct fill fill;
	bool full_for_long;		/* nobody waits any more for it to have room */
};
/*
 * Begin to move groups to where they should be, as long as fewer than `moving_max` are on their way or being caught up; `fills` by OSD id.
 * Returns how many it changed. See mapedit_move.c.
 */
unsigned int mapedit_rebalance(struct mapedit *edit, const struct mapedit_fill *fills, unsigned int moving_max);
/*
 * Weighted rendezvous over failure domains: fill the slots of all groups of a new
 * pool, fewer than `replicas` where there are too few OSDs. -ENODEV: no OSD takes data.
 */
int mapedit_place_pool(struct mapedit *edit, uint32_t pool);

#endif
