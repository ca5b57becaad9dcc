// SPDX-License-Identifier: GPL-2.0
/* Lookup and judgement in the cluster map. See placement.h; the checks of a whole map are in map_check.c. */
#include <linux/errno.h>
#include <linux/string.h>
#include "placement.h"
#include "../codec.h"
#include "../error.h"

static void put_le64(__u64 value, __u8 *at)
{
	int i;

	for (i = 0; i < 8; i++, value >>= 8)
		at[i] = (__u8)value;
}

void nacre_placement_bytes(__u64 ino, __u64 index, __u32 pool, __u8 bytes[NACRE_PLACEMENT_BYTES])
{
	put_le64(ino, bytes);
	put_le64(index, bytes + 8);
	put_le64(pool, bytes + 16);
}

__u32 nacre_placement_group(__u64 hash, __u32 pg_count)
{
	return (__u32)hash & (pg_count - 1);
}

/* Length of one table, as a count. */
static int count_table(const struct nacre_struct *desc, __u32 bytes, __u32 *count)
{
	int n = nacre_array_count(desc, bytes);

	if (n < 0)
		return n;
	*count = (__u32)n;
	return 0;
}

int nacre_map_view(struct nacre_map_view *view, const struct nacre_map *map)
{
	if (count_table(nacre_map_pool_desc(), map->pools_bytes, &view->pool_count) ||
	    count_table(nacre_map_osd_desc(), map->osds_bytes, &view->osd_count) ||
	    count_table(nacre_map_rank_desc(), map->ranks_bytes, &view->rank_count) ||
	    count_table(nacre_map_subtree_desc(), map->subtrees_bytes, &view->subtree_count) ||
	    count_table(nacre_map_dead_desc(), map->dead_bytes, &view->dead_count) ||
	    count_table(nacre_map_pg_desc(), map->placement_bytes, &view->pg_count))
		return -EBADMSG;
	view->epoch = map->epoch;
	view->fsid_lo = map->fsid_lo;
	view->fsid_hi = map->fsid_hi;
	view->features = map->features;
	view->next_instance = map->next_instance;
	view->fence_epoch = map->fence_epoch;
	view->pools = map->pools;
	view->osds = map->osds;
	view->ranks = map->ranks;
	view->subtrees = map->subtrees;
	view->dead = map->dead;
	view->placement = map->placement;
	return 0;
}

static int element(const struct nacre_struct *desc, const __u8 *table, __u32 count, __u32 index,
		   void *out)
{
	return index < count ? nacre_array_at(desc, table, index, out) : -ENOENT;
}

int nacre_map_pool_at(const struct nacre_map_view *view, __u32 index, struct nacre_map_pool *out)
{
	return element(nacre_map_pool_desc(), view->pools, view->pool_count, index, out);
}

int nacre_map_osd_at(const struct nacre_map_view *view, __u32 index, struct nacre_map_osd *out)
{
	return element(nacre_map_osd_desc(), view->osds, view->osd_count, index, out);
}

int nacre_map_rank_at(const struct nacre_map_view *view, __u32 index, struct nacre_map_rank *out)
{
	return element(nacre_map_rank_desc(), view->ranks, view->rank_count, index, out);
}

int nacre_map_subtree_at(const struct nacre_map_view *view, __u32 index,
			 struct nacre_map_subtree *out)
{
	return element(nacre_map_subtree_desc(), view->subtrees, view->subtree_count, index, out);
}

int nacre_map_dead_at(const struct nacre_map_view *view, __u32 index, struct nacre_map_dead *out)
{
	return element(nacre_map_dead_desc(), view->dead, view->dead_count, index, out);
}

int nacre_map_pg_at(const struct nacre_map_view *view, __u32 pool, __u32 pg,
		    struct nacre_map_pg *out)
{
	struct nacre_map_pool p;

	if (nacre_map_pool_at(view, pool, &p) || pg >= p.pg_count || p.pg_first >= view->pg_count)
		return -ENOENT;
	return element(nacre_map_pg_desc(), view->placement, view->pg_count, p.pg_first + pg, out);
}

int nacre_map_pg_of(const struct nacre_map_view *view, __u32 pool, __u64 hash, __u32 *pg)
{
	struct nacre_map_pool p;
	int err = nacre_map_pool_at(view, pool, &p);

	if (err)
		return err;
	*pg = nacre_placement_group(hash, p.pg_count);
	return 0;
}

__u16 nacre_pg_slot(const struct nacre_map_pg *pg, int slot)
{
	switch (slot) {
	case 0:
		return pg->osd0;
	case 1:
		return pg->osd1;
	case 2:
		return pg->osd2;
	case 3:
		return pg->osd3;
	case 4:
		return pg->osd4 ? pg->osd4 - 1 : NACRE_OSD_NONE;
	default:
		return NACRE_OSD_NONE;
	}
}

void nacre_pg_set_slot(struct nacre_map_pg *pg, int slot, __u16 osd)
{
	switch (slot) {
	case 0:
		pg->osd0 = osd;
		break;
	case 1:
		pg->osd1 = osd;
		break;
	case 2:
		pg->osd2 = osd;
		break;
	case 3:
		pg->osd3 = osd;
		break;
	case 4:
		pg->osd4 = osd == NACRE_OSD_NONE ? 0 : osd + 1;
		break;
	}
}

int nacre_pg_slot_of(const struct nacre_map_pg *pg, __u16 osd)
{
	int slot;

	if (osd == NACRE_OSD_NONE)
		return -1;
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (nacre_pg_slot(pg, slot) == osd)
			return slot;
	return -1;
}

int nacre_map_osd_is_up(const struct nacre_map_view *view, __u16 osd)
{
	struct nacre_map_osd o;

	return osd != NACRE_OSD_NONE && !nacre_map_osd_at(view, osd, &o) &&
	       (o.flags & NACRE_OSD_UP);
}

static int slot_serves(const struct nacre_map_view *view, const struct nacre_map_pg *pg, int slot)
{
	return (pg->in_sync & 1u << slot) && nacre_map_osd_is_up(view, nacre_pg_slot(pg, slot));
}

int nacre_map_primary(const struct nacre_map_view *view, __u32 pool, __u32 pg)
{
	struct nacre_map_pg g;
	int slot, err = nacre_map_pg_at(view, pool, pg, &g);

	if (err)
		return err;
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (slot_serves(view, &g, slot))
			return nacre_pg_slot(&g, slot);
	return -EAGAIN;
}

int nacre_map_pg_alive(const struct nacre_map_view *view, __u32 pool, __u32 pg)
{
	struct nacre_map_pg g;
	int slot, alive = 0;

	if (nacre_map_pg_at(view, pool, pg, &g))
		return 0;
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		alive += slot_serves(view, &g, slot);
	return alive;
}

int nacre_map_pg_active(const struct nacre_map_view *view, __u32 pool, __u32 pg)
{
	struct nacre_map_pool p;

	if (nacre_map_pool_at(view, pool, &p))
		return 0;
	return nacre_map_pg_alive(view, pool, pg) >= (int)p.min_size;
}

int nacre_map_was_issued(const struct nacre_map_view *view, __u64 instance)
{
	return instance && instance < view->next_instance;
}

int nacre_map_is_dead(const struct nacre_map_view *view, __u64 instance)
{
	struct nacre_map_dead run;
	__u32 low = 0, high = view->dead_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (nacre_map_dead_at(view, middle, &run))
			return 1;
		if (instance < run.first)
			high = middle;
		else if (instance - run.first < run.count)
			return 1;
		else
			low = middle + 1;
	}
	return 0;
}

/* FENCE-1: only a map that is new enough may judge. */
__u32 nacre_map_judge(const struct nacre_map_view *view, __u64 instance, __u64 epoch,
		      __u64 barrier)
{
	if (epoch > view->epoch || barrier > view->epoch)
		return NACRE_E_NEWER_EPOCH;
	if (!nacre_map_was_issued(view, instance))
		return NACRE_E_UNKNOWN_INSTANCE;
	if (nacre_map_is_dead(view, instance))
		return NACRE_E_DEAD_INSTANCE;
	return NACRE_OK;
}

int nacre_map_subtree_rank(const struct nacre_map_view *view, __u64 ino)
{
	struct nacre_map_subtree s;
	__u32 low = 0, high = view->subtree_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (nacre_map_subtree_at(view, middle, &s))
			return -ENOENT;
		if (s.ino == ino)
			return (int)s.rank;
		if (ino < s.ino)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENOENT;
}
