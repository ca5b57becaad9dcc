// SPDX-License-Identifier: GPL-2.0
/* The first map. See plan.h. */
#include <errno.h>
#include "plan.h"
#include "protocol/mds.h"
#include "protocol/rules/layout.h"
#include "protocol/session.h"

#define PG_COUNT_DEFAULT 64

const char *const plan_journal_modes[PLAN_JOURNAL_MODES] = { "data", "ordered", "cow" };

static const char *check(const struct plan *plan)
{
	if (!plan->osd_count)
		return "a file system needs an OSD";
	if (plan->osd_count > NACRE_MAP_OSDS_MAX)
		return "more OSDs than a map has room for";
	if (!plan->rank_count || plan->rank_count > NACRE_MAP_RANKS_MAX)
		return "the number of ranks must be from 1 to 64";
	if (!plan->replicas || plan->replicas > NACRE_REPLICAS_MAX)
		return "the number of replicas must be from 1 to 4";
	if (plan->replicas > plan->osd_count)
		return "there are fewer OSDs than replicas";
	if (plan->min_size > plan->replicas)
		return "the least number of replicas is more than the number of replicas";
	if (plan->pg_count & (plan->pg_count - 1) || plan->pg_count > NACRE_MAP_PGS_MAX / 2)
		return "the number of placement groups must be a power of two up to 8192";
	if (plan->journal_mode >= PLAN_JOURNAL_MODES)
		return "there is no such journal mode";
	if (plan->inline_bytes > NACRE_INLINE_MAX || plan->inline_bytes % NACRE_INLINE_UNIT)
		return "inline data must be a multiple of 64 bytes up to 4096";
	return NULL;
}

static void add_osds(struct mapedit *edit, const struct plan *plan)
{
	for (unsigned int i = 0; i < plan->osd_count; i++)
		mapedit_osd_add(edit, plan->osds[i].store_lo, plan->osds[i].store_hi);	/* up when its daemon joins */
}

/* Ranks are down until a daemon takes them; the whole tree belongs to the first. */
static void add_ranks(struct mapedit *edit, const struct plan *plan)
{
	for (unsigned int i = 0; i < plan->rank_count; i++)
		edit->ranks[i] = (struct nacre_map_rank){ .rank = (uint16_t)i };
	edit->rank_count = plan->rank_count;
	edit->subtrees[0] = (struct nacre_map_subtree){ .ino = NACRE_INO_ROOT, .rank = 0 };
	edit->subtree_count = 1;
}

static int add_pool(struct mapedit *edit, const struct plan *plan, unsigned int pg_count)
{
	unsigned int least = plan->replicas > 1 ? plan->replicas - 1 : 1;
	uint32_t id = edit->pool_count;

	edit->pools[id] = (struct nacre_map_pool){
		.id = id,
		.pg_count = pg_count,
		.replicas = (uint8_t)plan->replicas,
		.min_size = (uint8_t)(plan->min_size ? plan->min_size : least),
		.journal_mode = NACRE_JOURNAL_DATA,
		.object_bytes = plan->object_bytes ? plan->object_bytes
						   : NACRE_OBJECT_BYTES_DEFAULT,
		.pg_first = edit->pg_count,
	};
	edit->pool_count++;
	return mapedit_place_pool(edit, id);
}

struct mapedit *plan_map(const struct plan *plan, const char **ret_error)
{
	unsigned int pg_count = plan->pg_count ? plan->pg_count : PG_COUNT_DEFAULT;
	struct mapedit *edit;

	*ret_error = check(plan);
	if (*ret_error)
		return NULL;
	edit = mapedit_open(NULL);
	if (!edit) {
		*ret_error = "out of memory";
		return NULL;
	}
	edit->head.fsid_lo = plan->fsid_lo;
	edit->head.fsid_hi = plan->fsid_hi;
	edit->head.features = NACRE_FEATURES_REQUIRED |
			      (plan->inline_bytes ? NACRE_FEATURE_INLINE : 0);
	add_osds(edit, plan);
	add_ranks(edit, plan);
	/* in the order of their ids: NACRE_POOL_META, NACRE_POOL_DATA */
	if (add_pool(edit, plan, pg_count > 1 ? pg_count / 2 : 1) || add_pool(edit, plan, pg_count)) {
		*ret_error = "the pools cannot be placed";
		mapedit_free(edit);
		return NULL;
	}
	edit->pools[NACRE_POOL_DATA].journal_mode = plan->journal_mode;
	edit->pools[NACRE_POOL_DATA].inline_units = (uint8_t)(plan->inline_bytes / NACRE_INLINE_UNIT);
	return edit;
}
