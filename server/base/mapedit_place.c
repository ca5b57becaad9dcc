// SPDX-License-Identifier: GPL-2.0
/*
 * Placing the groups of a new pool: weighted rendezvous hashing. For each group
 * every OSD draws a number from its own hash, weighted; the highest draws get the
 * slots, no two from one failure domain as long as there is another.
 *
 * An OSD's draw depends on nobody else, so when one comes or goes only its own
 * share moves. The weighting -w / ln(u), u uniform in (0, 1), gives each OSD slots
 * in proportion to its weight (Schindelhauer and Schomaker, "Weighted distributed
 * hash tables", SPAA 2005), but for chance, which is evened out (mapedit_move.c). The
 * result stands in the map as a table: only who plans computes it.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>
#include "mapedit_core.h"

/* u in (0, 1): 53 bits of the hash, and a half, so that it is never 0. */
double mapedit_draw(uint32_t pool, uint32_t pg, const struct nacre_map_osd *osd)
{
	uint32_t key[3] = { pool, pg, osd->id };
	double u = ((double)(XXH64(key, sizeof(key), 0) >> 11) + 0.5) / 9007199254740992.0;

	return -(double)osd->weight / log(u);
}

bool mapedit_takes_data(const struct nacre_map_osd *osd)
{
	return (osd->flags & NACRE_OSD_IN) && osd->weight;
}

struct choice {
	uint16_t osds[NACRE_REPLICAS_MAX];
	uint32_t domains[NACRE_REPLICAS_MAX];
	unsigned int count;
};

static bool may_join(const struct choice *choice, const struct nacre_map_osd *osd, bool any_domain)
{
	for (unsigned int i = 0; i < choice->count; i++)
		if (choice->osds[i] == osd->id || (!any_domain && choice->domains[i] == osd->domain))
			return false;
	return mapedit_takes_data(osd);
}

/* The highest draw among those who may join; NULL: there is none. */
static const struct nacre_map_osd *best(const struct mapedit *edit, uint32_t pool, uint32_t pg,
					const struct choice *choice, bool any_domain)
{
	const struct nacre_map_osd *winner = NULL;
	double highest = 0, drawn;

	for (unsigned int i = 0; i < edit->osd_count; i++) {
		if (!may_join(choice, &edit->osds[i], any_domain))
			continue;
		drawn = mapedit_draw(pool, pg, &edit->osds[i]);
		if (!winner || drawn > highest) {
			winner = &edit->osds[i];
			highest = drawn;
		}
	}
	return winner;
}

static void choose(const struct mapedit *edit, uint32_t pool, uint32_t pg, struct choice *choice)
{
	const struct nacre_map_osd *osd;

	choice->count = 0;
	while (choice->count < edit->pools[pool].replicas) {
		osd = best(edit, pool, pg, choice, false);
		if (!osd)
			osd = best(edit, pool, pg, choice, true);
		if (!osd)
			return;
		choice->osds[choice->count] = osd->id;
		choice->domains[choice->count] = osd->domain;
		choice->count++;
	}
}

/* A new group is empty: all its members hold everything. */
static struct nacre_map_pg new_group(const struct choice *choice, uint64_t epoch)
{
	uint16_t slots[NACRE_REPLICAS_MAX];

	for (unsigned int i = 0; i < NACRE_REPLICAS_MAX; i++)
		slots[i] = i < choice->count ? choice->osds[i] : NACRE_OSD_NONE;
	return (struct nacre_map_pg){
		.interval = epoch,
		.osd0 = slots[0],
		.osd1 = slots[1],
		.osd2 = slots[2],
		.osd3 = slots[3],
		.in_sync = (uint8_t)((1u << choice->count) - 1),
	};
}

int mapedit_place_pool(struct mapedit *edit, uint32_t pool)
{
	const struct nacre_map_pool *p;
	struct choice choice;

	if (pool >= edit->pool_count)
		return -ENOENT;
	p = &edit->pools[pool];
	if (!p->pg_count || p->replicas > NACRE_REPLICAS_MAX)
		return -EINVAL;
	if (p->pg_count > NACRE_MAP_PGS_MAX || p->pg_first > NACRE_MAP_PGS_MAX - p->pg_count)
		return -ENOSPC;
	for (uint32_t pg = 0; pg < p->pg_count; pg++) {
		choose(edit, pool, pg, &choice);
		if (!choice.count)
			return -ENODEV;
		edit->pgs[p->pg_first + pg] = new_group(&choice, edit->head.epoch);
	}
	if (edit->pg_count < p->pg_first + p->pg_count)
		edit->pg_count = p->pg_first + p->pg_count;
	mapedit_even_out(edit, pool);
	return 0;
}
