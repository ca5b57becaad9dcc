// SPDX-License-Identifier: GPL-2.0
/*
 * Is a whole cluster map meaningful? Run once on every map that comes from the wire or from
 * the map store; lookups (placement.c) may then rely on what is checked here. See placement.h.
 */
#include <linux/errno.h>
#include "placement.h"
#include "layout.h"
#include "../mds.h"
#include "../session.h"

static int is_power_of_two(__u32 n)
{
	return n && !(n & (n - 1));
}

static const char *check_head(const struct nacre_map_view *view)
{
	if (!view->epoch)
		return "map: epoch 0";
	if (!view->fsid_lo && !view->fsid_hi)
		return "map: no file system id";
	if (!view->next_instance)
		return "map: no next instance";
	if (view->fence_epoch > view->epoch)
		return "map: fence epoch ahead of the map's";
	return NULL;
}

static const char *check_pool(const struct nacre_map_pool *p, __u32 index, __u32 pg_first)
{
	if (p->id != index)
		return "map: pool out of place";
	if (!is_power_of_two(p->pg_count) || p->pg_count > NACRE_MAP_PGS_MAX)
		return "map: pool's group count";
	if (p->pg_first != pg_first)
		return "map: pool's groups out of place";
	if (!p->replicas || p->replicas > NACRE_REPLICAS_MAX)
		return "map: pool's replicas";
	if (!p->min_size || p->min_size > p->replicas)
		return "map: pool's min_size";
	if (p->journal_mode > NACRE_JOURNAL_COW)
		return "map: pool's journal mode";
	if (p->flags)
		return "map: pool's flags";
	if (p->inline_units * NACRE_INLINE_UNIT > NACRE_INLINE_MAX)
		return "map: pool's inline data";
	if (!nacre_layout_valid(p->object_bytes))
		return "map: pool's object size";
	return NULL;
}

static const char *check_pools(const struct nacre_map_view *view)
{
	struct nacre_map_pool p;
	const char *reason;
	__u32 i, pg_first = 0;

	for (i = 0; i < view->pool_count; i++) {
		if (nacre_map_pool_at(view, i, &p))
			return "map: pool's reserved fields";
		if (p.inline_units && !(view->features & NACRE_FEATURE_INLINE))
			return "map: inline data without its feature";
		if (p.direct_units && !(view->features & NACRE_FEATURE_POOL_DIRECT))
			return "map: size of direct writes without its feature";
		reason = check_pool(&p, i, pg_first);
		if (reason)
			return reason;
		pg_first += p.pg_count;
	}
	return pg_first == view->pg_count ? NULL : "map: placement table's length";
}

static const char *check_osds(const struct nacre_map_view *view)
{
	struct nacre_map_osd o;
	__u32 i;

	for (i = 0; i < view->osd_count; i++) {
		if (nacre_map_osd_at(view, i, &o))
			return "map: OSD's reserved fields";
		if (o.id != i)
			return "map: OSD out of place";
		if (o.flags & ~(__u32)(NACRE_OSD_UP | NACRE_OSD_IN))
			return "map: OSD's flags";
		if (o.instance >= view->next_instance)
			return "map: OSD's instance was never issued";
		if ((o.flags & NACRE_OSD_UP) && (!o.instance || !o.port))
			return "map: OSD up without instance or port";
	}
	return NULL;
}

static const char *check_ranks(const struct nacre_map_view *view)
{
	struct nacre_map_rank r;
	__u32 i;

	for (i = 0; i < view->rank_count; i++) {
		if (nacre_map_rank_at(view, i, &r))
			return "map: rank's reserved fields";
		if (r.rank != i)
			return "map: rank out of place";
		if (r.state > NACRE_RANK_ACTIVE)
			return "map: rank's state";
		if (r.instance >= view->next_instance)
			return "map: rank's instance was never issued";
		if (r.state != NACRE_RANK_DOWN && (!r.instance || !r.port || !r.incarnation))
			return "map: rank held without instance, port or incarnation";
	}
	return NULL;
}

static const char *check_subtrees(const struct nacre_map_view *view)
{
	struct nacre_map_subtree s;
	__u64 last = 0;
	__u32 i;

	for (i = 0; i < view->subtree_count; i++) {
		if (nacre_map_subtree_at(view, i, &s))
			return "map: subtree's reserved fields";
		if (s.ino <= last)
			return "map: subtrees out of order";
		if (s.rank >= view->rank_count)
			return "map: subtree of a rank that does not exist";
		last = s.ino;
	}
	return NULL;
}

static const char *check_dead(const struct nacre_map_view *view)
{
	struct nacre_map_dead run;
	__u64 free_from = 1;		/* lowest id at which the next run may begin */
	__u32 i;

	for (i = 0; i < view->dead_count; i++) {
		if (nacre_map_dead_at(view, i, &run))
			return "map: dead run's reserved fields";
		if (run.first < free_from)
			return "map: dead set out of order";
		if (!run.count || run.first >= view->next_instance ||
		    run.count > view->next_instance - run.first)
			return "map: dead instances that were never issued";
		free_from = run.first + run.count + 1;
	}
	return NULL;
}

static const char *check_group(const struct nacre_map_view *view, const struct nacre_map_pg *g)
{
	int slot;
	__u16 osd;

	if (!g->interval || g->interval > view->epoch)
		return "map: group's interval";
	if (g->in_sync >> NACRE_PG_SLOTS)
		return "map: group's in-sync bits";
	if (g->osd4 && !(view->features & NACRE_FEATURE_FIFTH_SLOT))
		return "map: group's fifth member without the feature";
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		osd = nacre_pg_slot(g, slot);
		if (osd == NACRE_OSD_NONE) {
			if (g->in_sync & 1u << slot)
				return "map: empty slot in sync";
			continue;
		}
		if (osd >= view->osd_count)
			return "map: group on an OSD that does not exist";
		if (nacre_pg_slot_of(g, osd) != slot)
			return "map: group twice on one OSD";
	}
	return NULL;
}

static const char *check_groups(const struct nacre_map_view *view)
{
	struct nacre_map_pool p;
	struct nacre_map_pg g;
	const char *reason;
	__u32 i, pg;

	for (i = 0; i < view->pool_count; i++) {
		if (nacre_map_pool_at(view, i, &p))
			return "map: pool's reserved fields";
		for (pg = 0; pg < p.pg_count; pg++) {
			if (nacre_map_pg_at(view, i, pg, &g))
				return "map: group's reserved fields";
			reason = check_group(view, &g);
			if (reason)
				return reason;
		}
	}
	return NULL;
}

int nacre_map_validate(const struct nacre_map_view *view, const char **reason)
{
	static const char *(*const checks[])(const struct nacre_map_view *) = {
		check_head, check_pools, check_osds, check_ranks, check_subtrees, check_dead,
		check_groups,
	};
	unsigned int i;

	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		*reason = checks[i](view);
		if (*reason)
			return -EBADMSG;
	}
	return 0;
}
