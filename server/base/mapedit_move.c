// SPDX-License-Identifier: GPL-2.0
/*
 * Where data should be instead: which groups get another member when OSDs come, go for good, or change their weights.
 *
 * A pool's groups have their members in the slots below `replicas`. A move gives a slot to the new member, which is not in
 * sync, and the old one goes on, in sync, in a slot behind `replicas`:
 *
 *	slots   0    1  | 2               0      1  | 2              0    1  | 2
 *	      osd0 osd1 |       ──▶   (osd3)  osd1 | osd0    ──▶   osd3 osd1 |
 *
 * so nothing is less redundant meanwhile, and the map alone says what is under way: whoever is coordinator goes on.
 * The group's primary puts the new member in sync when it has everything, and lets the old one go (mapedit_pg_in_sync(),
 * mapedit_pg_trim()): it knows what no coordinator knows, that the old one has heard that it is primary no more.
 *
 * How many slots an OSD should have follows from its weight. Groups move from those that have most for their weight to
 * those that have least, as long as that makes the two more even; of the groups that could move, the one for which the new
 * member draws the highest number (mapedit_place.c). No two members of a group in one failure domain, if there is another.
 *
 * Slots of OSDs that are out or have no weight are given away, of dead ones at once.
 *
 * How full OSDs are (decision 0017): a move begins only to one that is well off; a lost replica is made anew on one that is
 * nearly full, too, if no other failure domain has better; one that is full is given nothing. A move to one that became full
 * goes back, or elsewhere. Nobody gives anything away for being fuller than others, so nothing can go to and fro.
 *
 * A function of the map and that: no I/O, no clock.
 */
#include <stdlib.h>
#include "mapedit_core.h"

#define CANDIDATES 16u			/* of those that have most, and of those that have least */

struct planner {
	struct mapedit *edit;
	uint32_t pool;
	int replicas;
	const struct mapedit_fill *fills;
	bool empty;			/* nothing is stored yet: members change places at once */
	uint32_t *slots;		/* of each OSD below `replicas`, in this pool */
	uint32_t *all;			/* the same over all pools */
	uint32_t *coming;		/* to each OSD: members of all pools that are being caught up there */
	uint64_t group_bytes;		/* on average, as far as OSDs have said what they hold */
	unsigned int changed;		/* groups */
	unsigned int moving, moving_max;
};

static struct nacre_map_pg *group(const struct planner *p, uint32_t pg)
{
	return &p->edit->pgs[p->edit->pools[p->pool].pg_first + pg];
}

static const struct nacre_map_osd *osd_row(const struct planner *p, uint16_t id)
{
	return &p->edit->osds[id];
}

/* May it have a slot now, as far as its room is not concerned? */
static bool can_hold(const struct planner *p, uint16_t id)
{
	return mapedit_takes_data(osd_row(p, id)) && (p->empty || mapedit_osd_is_up(p->edit, id));
}

/* ---- room ---------------------------------------------------------------------------------------- */

/* The less, the better: who has not said how full it is, is better than one that has said that it is nearly so. */
enum want_of_room { WANT_NONE, WANT_UNKNOWN, WANT_SOME, WANT_ALL };

/* Would one more group make nearly full what is not yet? Groups are of different sizes: half of the room is enough for what comes. */
static bool is_spoken_for(const struct planner *p, uint16_t id)
{
	return (p->coming[id] + 1) * p->group_bytes > p->fills[id].fill.bytes_free / 2;
}

static enum want_of_room want_of_room(const struct planner *p, uint16_t id)
{
	if (p->empty)
		return WANT_NONE;
	switch (p->fills[id].fill.state) {
	case FILL_WELL:
		return is_spoken_for(p, id) ? WANT_SOME : WANT_NONE;
	case FILL_UNKNOWN:
		return WANT_UNKNOWN;
	case FILL_NEARLY:
		return WANT_SOME;
	default:
		return WANT_ALL;
	}
}

/* Is this member kept from having everything by its OSD being full? */
static bool is_stuck(const struct planner *p, const struct nacre_map_pg *g, int slot)
{
	uint16_t id = nacre_pg_slot(g, slot);

	return id != NACRE_OSD_NONE && !mapedit_is_in_sync(g, slot) && mapedit_osd_is_up(p->edit, id) &&
	       want_of_room(p, id) == WANT_ALL;
}

/* ---- groups ------------------------------------------------------------------------------------ */

static bool has_leaver(const struct planner *p, const struct nacre_map_pg *g)
{
	for (int slot = p->replicas; slot < NACRE_PG_SLOTS; slot++)
		if (nacre_pg_slot(g, slot) != NACRE_OSD_NONE)
			return true;
	return false;
}

static bool serves(const struct planner *p, const struct nacre_map_pg *g, int slot)
{
	return mapedit_is_in_sync(g, slot) && (p->empty || mapedit_osd_is_up(p->edit, nacre_pg_slot(g, slot)));
}

static int count_servers(const struct planner *p, const struct nacre_map_pg *g)
{
	int count = 0;

	for (int slot = 0; slot < NACRE_PG_SLOTS; slot++)
		count += serves(p, g, slot);
	return count;
}

static bool all_serve(const struct planner *p, const struct nacre_map_pg *g)
{
	for (int slot = 0; slot < p->replicas; slot++)
		if (!serves(p, g, slot))
			return false;
	return true;
}

/* All its members are there and have everything, and none is leaving. */
static bool is_whole(const struct planner *p, const struct nacre_map_pg *g)
{
	return all_serve(p, g) && !has_leaver(p, g);
}

/* Is anybody being caught up, or about to leave? Not if that waits for one who is down, or has no room. */
static bool is_moving(const struct planner *p, const struct nacre_map_pg *g)
{
	for (int slot = 0; slot < p->replicas; slot++)
		if (!mapedit_is_in_sync(g, slot) && mapedit_osd_is_up(p->edit, nacre_pg_slot(g, slot)) && !is_stuck(p, g, slot))
			return true;
	return has_leaver(p, g) && all_serve(p, g);
}

/* Would it stand beside a member of the same failure domain, if it had this slot? */
static bool collides(const struct planner *p, const struct nacre_map_pg *g, int slot, uint16_t id)
{
	for (int other = 0; other < p->replicas; other++) {
		uint16_t neighbour = nacre_pg_slot(g, other);

		if (other != slot && neighbour != NACRE_OSD_NONE &&
		    osd_row(p, neighbour)->domain == osd_row(p, id)->domain)
			return true;
	}
	return false;
}

static bool may_have(const struct planner *p, const struct nacre_map_pg *g, int slot, uint16_t id, bool any_domain)
{
	return nacre_pg_slot_of(g, id) < 0 && can_hold(p, id) && (any_domain || !collides(p, g, slot, id));
}

/* ---- shares ------------------------------------------------------------------------------------- */

static void count_slots(struct planner *p, uint32_t pool, uint32_t *slots)
{
	const struct nacre_map_pool *row = &p->edit->pools[pool];

	for (uint32_t pg = 0; pg < row->pg_count; pg++)
		for (int slot = 0; slot < row->replicas; slot++) {
			uint16_t id = nacre_pg_slot(&p->edit->pgs[row->pg_first + pg], slot);

			if (id != NACRE_OSD_NONE)
				slots[id]++;
		}
}

/* Slots for a weight, compared: below 0 when a would have fewer with `a_more` more. Both have a weight. */
static int compare_shares(const struct planner *p, uint16_t a, uint32_t a_more, uint16_t b)
{
	uint64_t of_a = (uint64_t)(p->slots[a] + a_more) * osd_row(p, b)->weight;
	uint64_t of_b = (uint64_t)p->slots[b] * osd_row(p, a)->weight;

	return of_a < of_b ? -1 : of_a > of_b;
}

/* Which of two should get the next slot: the one with fewer here, then over all pools. */
static bool needs_more(const struct planner *p, uint16_t a, uint16_t b)
{
	int order = compare_shares(p, a, 0, b);

	return order < 0 || (!order && (uint64_t)p->all[a] * osd_row(p, b)->weight <
					       (uint64_t)p->all[b] * osd_row(p, a)->weight);
}

/* ---- changes -------------------------------------------------------------------------------------- */

static void set_member(struct planner *p, struct nacre_map_pg *g, int slot, uint16_t id)
{
	uint16_t old = nacre_pg_slot(g, slot);

	if (old != NACRE_OSD_NONE) {
		p->slots[old]--;
		p->all[old]--;
	}
	p->slots[id]++;
	p->all[id]++;
	mapedit_set_slot(p->edit, g, slot, id);
	p->changed++;
}

/* To one that has nothing of it. */
static void give(struct planner *p, struct nacre_map_pg *g, int slot, uint16_t id)
{
	set_member(p, g, slot, id);
	p->coming[id]++;
	p->moving++;
}

/* The old member goes on behind the others until the new one has everything. */
static void move(struct planner *p, struct nacre_map_pg *g, int slot, uint16_t id)
{
	uint16_t old = nacre_pg_slot(g, slot);
	int has_all = slot;

	give(p, g, slot, id);
	if (!p->empty) {
		has_all = p->replicas;
		mapedit_set_slot(p->edit, g, has_all, old);
	}
	g->in_sync |= (uint8_t)(1u << has_all);
}

static bool suits_better(const struct planner *p, uint16_t a, uint16_t b)
{
	enum want_of_room of_a = want_of_room(p, a), of_b = want_of_room(p, b);

	return of_a < of_b || (of_a == of_b && needs_more(p, a, b));
}

/* Who should have this slot, of those that want for no more room than that: NACRE_OSD_NONE if there is nobody. */
static uint16_t find_new(const struct planner *p, uint32_t pg, int slot, bool any_domain, enum want_of_room most)
{
	const struct nacre_map_pg *g = group(p, pg);
	uint16_t found = NACRE_OSD_NONE;

	for (uint16_t id = 0; id < p->edit->osd_count; id++)
		if (may_have(p, g, slot, id, any_domain) && want_of_room(p, id) <= most &&
		    (found == NACRE_OSD_NONE || suits_better(p, id, found)))
			found = id;
	return found;
}

/* For a replica that is lost. A failure domain of its own is worth more than plenty of room. */
static uint16_t find_for_lost(const struct planner *p, uint32_t pg, int slot)
{
	uint16_t id = find_new(p, pg, slot, false, WANT_SOME);

	return id == NACRE_OSD_NONE ? find_new(p, pg, slot, true, WANT_SOME) : id;
}

/* For one that is to go, which can wait, also for room in another failure domain. */
static uint16_t find_for_leaver(const struct planner *p, uint32_t pg, int slot)
{
	bool any_domain = find_new(p, pg, slot, false, WANT_ALL) == NACRE_OSD_NONE;

	return find_new(p, pg, slot, any_domain, WANT_NONE);
}

/* Members that left and are not in sync have nothing that anybody needs. */
static void drop_lost_leavers(struct planner *p, struct nacre_map_pg *g)
{
	for (int slot = p->replicas; slot < NACRE_PG_SLOTS; slot++)
		if (nacre_pg_slot(g, slot) != NACRE_OSD_NONE && !mapedit_is_in_sync(g, slot)) {
			mapedit_set_slot(p->edit, g, slot, NACRE_OSD_NONE);
			p->changed++;
		}
}

/* One that is leaving, and need not, gets its place back. It has everything already: how full it is does not matter. */
static bool take_back(struct planner *p, struct nacre_map_pg *g, int slot)
{
	for (int behind = p->replicas; behind < NACRE_PG_SLOTS; behind++) {
		uint16_t id = nacre_pg_slot(g, behind);

		if (!serves(p, g, behind) || !can_hold(p, id) || collides(p, g, slot, id))
			continue;
		mapedit_set_slot(p->edit, g, behind, NACRE_OSD_NONE);
		set_member(p, g, slot, id);
		g->in_sync |= (uint8_t)(1u << slot);
		return true;
	}
	return false;
}

/*
 * Is this slot due another member: nobody has it, or one that has not everything, and is not to have it, or cannot, as its OSD is full? Where an old
 * member goes on, that was a move. Else it may be one that was away and lacks little, so it is waited for.
 */
static bool is_vacant(const struct planner *p, const struct nacre_map_pg *g, int slot)
{
	uint16_t id = nacre_pg_slot(g, slot);

	if (id == NACRE_OSD_NONE || mapedit_is_in_sync(g, slot))
		return id == NACRE_OSD_NONE;
	return !mapedit_takes_data(osd_row(p, id)) ||
	       (is_stuck(p, g, slot) && (has_leaver(p, g) || p->fills[id].full_for_long));
}

static bool fill_slot(struct planner *p, uint32_t pg)
{
	struct nacre_map_pg *g = group(p, pg);

	for (int slot = 0; slot < p->replicas && count_servers(p, g); slot++) {
		uint16_t id;

		if (!is_vacant(p, g, slot))
			continue;
		if (take_back(p, g, slot))
			return true;
		id = count_servers(p, g) < p->replicas ? find_for_lost(p, pg, slot) : find_for_leaver(p, pg, slot);
		if (id != NACRE_OSD_NONE) {
			give(p, g, slot, id);
			return true;
		}
	}
	return false;
}

/* A member that should have nothing, or stands beside another of its failure domain without need. */
static bool move_misplaced(struct planner *p, uint32_t pg)
{
	struct nacre_map_pg *g = group(p, pg);

	if (!is_whole(p, g))
		return false;
	for (int slot = 0; slot < p->replicas; slot++) {
		uint16_t old = nacre_pg_slot(g, slot), id = NACRE_OSD_NONE;

		if (!mapedit_takes_data(osd_row(p, old)))
			id = find_for_leaver(p, pg, slot);
		else if (collides(p, g, slot, old))
			id = find_new(p, pg, slot, false, WANT_NONE);
		if (id != NACRE_OSD_NONE) {
			move(p, g, slot, id);
			return true;
		}
	}
	return false;
}

/* ---- evenness ------------------------------------------------------------------------------------- */

struct ranking {
	uint16_t ids[NACRE_MAP_OSDS_MAX];
	unsigned int count;
};

static int by_need(const void *a, const void *b, void *planner)
{
	uint16_t left = *(const uint16_t *)a, right = *(const uint16_t *)b;

	if (needs_more(planner, left, right))
		return -1;
	return needs_more(planner, right, left) ? 1 : left - right;
}

static void rank_osds(struct planner *p, struct ranking *ranking)
{
	ranking->count = 0;
	for (uint16_t id = 0; id < p->edit->osd_count; id++)
		if (can_hold(p, id))
			ranking->ids[ranking->count++] = id;
	qsort_r(ranking->ids, ranking->count, sizeof(ranking->ids[0]), by_need, p);
}

/* Let one group go from `from` to `to`. False: none can. */
static bool move_between(struct planner *p, uint16_t from, uint16_t to)
{
	struct nacre_map_pg *g, *best = NULL;
	int slot, best_slot = -1;
	double highest = 0, drawn;

	for (uint32_t pg = 0; pg < p->edit->pools[p->pool].pg_count; pg++) {
		g = group(p, pg);
		slot = nacre_pg_slot_of(g, from);
		if (slot < 0 || slot >= p->replicas || !is_whole(p, g) || !may_have(p, g, slot, to, false))
			continue;
		drawn = mapedit_draw(p->pool, pg, osd_row(p, to));
		if (!best || drawn > highest) {
			best = g;
			best_slot = slot;
			highest = drawn;
		}
	}
	if (best)
		move(p, best, best_slot, to);
	return best;
}

/* One move that makes two OSDs more even; the most uneven first. */
static bool even_out_once(struct planner *p, struct ranking *ranking)
{
	unsigned int least, most, tried = 0;

	rank_osds(p, ranking);
	for (least = 0; least < ranking->count && tried < CANDIDATES; least++) {
		if (want_of_room(p, ranking->ids[least]) > WANT_NONE)
			continue;
		tried++;
		for (most = ranking->count; most-- > 0 && ranking->count - most <= CANDIDATES;) {
			if (compare_shares(p, ranking->ids[least], 1, ranking->ids[most]) >= 0)
				break;
			if (move_between(p, ranking->ids[most], ranking->ids[least]))
				return true;
		}
	}
	return false;
}

/* ---- all of it -------------------------------------------------------------------------------------- */

static bool may_move(const struct planner *p)
{
	return p->moving < p->moving_max;
}

static void plan_pool(struct planner *p)
{
	const struct nacre_map_pool *pool = &p->edit->pools[p->pool];
	struct ranking ranking;

	p->replicas = pool->replicas;
	for (uint32_t pg = 0; pg < pool->pg_count && may_move(p); pg++)
		fill_slot(p, pg);
	for (uint32_t pg = 0; pg < pool->pg_count && may_move(p); pg++)
		move_misplaced(p, pg);
	while (may_move(p) && even_out_once(p, &ranking))
		;
}

static void count_coming(struct planner *p, const struct nacre_map_pg *g)
{
	for (int slot = 0; slot < p->replicas; slot++)
		if (nacre_pg_slot(g, slot) != NACRE_OSD_NONE && !mapedit_is_in_sync(g, slot))
			p->coming[nacre_pg_slot(g, slot)]++;
}

static void find_group_bytes(struct planner *p)
{
	uint64_t bytes = 0, groups = 0;

	for (uint16_t id = 0; id < p->edit->osd_count; id++)
		if (p->fills[id].fill.state != FILL_UNKNOWN) {
			bytes += p->fills[id].fill.bytes_total - p->fills[id].fill.bytes_free;
			groups += p->all[id];
		}
	p->group_bytes = groups ? bytes / groups : 0;
}

static void count_moving(struct planner *p)
{
	for (p->pool = 0; p->pool < p->edit->pool_count; p->pool++) {
		p->replicas = p->edit->pools[p->pool].replicas;
		for (uint32_t pg = 0; pg < p->edit->pools[p->pool].pg_count; pg++) {
			drop_lost_leavers(p, group(p, pg));
			p->moving += is_moving(p, group(p, pg));
			count_coming(p, group(p, pg));
		}
	}
}

/* The counts, over all pools; NULL: no memory. */
static uint32_t *count_all(struct planner *p)
{
	p->slots = calloc(3 * NACRE_MAP_OSDS_MAX, sizeof(*p->slots));
	if (!p->slots)
		return NULL;
	p->all = p->slots + NACRE_MAP_OSDS_MAX;
	p->coming = p->all + NACRE_MAP_OSDS_MAX;
	for (uint32_t pool = 0; pool < p->edit->pool_count; pool++)
		count_slots(p, pool, p->all);
	return p->slots;
}

static void take_pool(struct planner *p, uint32_t pool)
{
	p->pool = pool;
	for (unsigned int id = 0; id < NACRE_MAP_OSDS_MAX; id++)
		p->slots[id] = 0;
	count_slots(p, pool, p->slots);
}

unsigned int mapedit_rebalance(struct mapedit *edit, const struct mapedit_fill *fills, unsigned int moving_max)
{
	struct planner p = { .edit = edit, .fills = fills, .moving_max = moving_max };

	if (!count_all(&p))
		return 0;
	count_moving(&p);
	find_group_bytes(&p);
	for (uint32_t pool = 0; pool < edit->pool_count; pool++) {
		take_pool(&p, pool);
		plan_pool(&p);
	}
	free(p.slots);
	return p.changed;
}

void mapedit_even_out(struct mapedit *edit, uint32_t pool)
{
	struct planner p = { .edit = edit, .empty = true, .replicas = edit->pools[pool].replicas };
	struct ranking ranking;

	if (!count_all(&p))
		return;
	take_pool(&p, pool);
	while (even_out_once(&p, &ranking))
		;
	free(p.slots);
}
