// SPDX-License-Identifier: GPL-2.0
/*
 * Editing the cluster map: opening one into host structs, encoding it again, and
 * the edits that members and the coordinator make. How a new pool is placed is
 * in mapedit_place.c.
 *
 * No I/O, no clock: an edit is a function of the map it was opened from. Every
 * table is allocated at its limit, so that appending never fails for memory;
 * pages that nobody touches cost nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "mapedit_core.h"
#include "member.h"
#include "protocol/codec.h"
#include "protocol/session.h"

#define SUBTREES_MAX 4096
#define DEAD_MAX 16384

/* ---- opening -------------------------------------------------------------------------------- */

static bool allocate(struct mapedit *edit)
{
	edit->osds = calloc(NACRE_MAP_OSDS_MAX, sizeof(*edit->osds));
	edit->subtrees = calloc(SUBTREES_MAX, sizeof(*edit->subtrees));
	edit->dead = calloc(DEAD_MAX, sizeof(*edit->dead));
	edit->pgs = calloc(NACRE_MAP_PGS_MAX, sizeof(*edit->pgs));
	return edit->osds && edit->subtrees && edit->dead && edit->pgs;
}

/* The map was validated (cluster_map_create), so every element is there and every table fits. */
static void take_over(struct mapedit *edit, const struct cluster_map *map)
{
	const struct nacre_map_view *view = &map->view;

	edit->head = (struct nacre_map){
		.epoch = view->epoch + 1,
		.fsid_lo = view->fsid_lo,
		.fsid_hi = view->fsid_hi,
		.features = view->features,
		.next_instance = view->next_instance,
		.fence_epoch = view->fence_epoch,
	};
	while (!nacre_map_pool_at(view, edit->pool_count, &edit->pools[edit->pool_count]))
		edit->pool_count++;
	while (!nacre_map_osd_at(view, edit->osd_count, &edit->osds[edit->osd_count]))
		edit->osd_count++;
	while (!nacre_map_rank_at(view, edit->rank_count, &edit->ranks[edit->rank_count]))
		edit->rank_count++;
	while (!nacre_map_subtree_at(view, edit->subtree_count,
				     &edit->subtrees[edit->subtree_count]))
		edit->subtree_count++;
	while (!nacre_map_dead_at(view, edit->dead_count, &edit->dead[edit->dead_count]))
		edit->dead_count++;
	for (; edit->pg_count < view->pg_count; edit->pg_count++)
		nacre_array_at(nacre_map_pg_desc(), view->placement, edit->pg_count,
			       &edit->pgs[edit->pg_count]);
}

struct mapedit *mapedit_open(const struct cluster_map *map)
{
	struct mapedit *edit = calloc(1, sizeof(*edit));

	if (!edit || !allocate(edit)) {
		mapedit_free(edit);
		return NULL;
	}
	if (map)
		take_over(edit, map);
	else
		edit->head = (struct nacre_map){ .epoch = 1, .next_instance = 1 };
	return edit;
}

void mapedit_free(struct mapedit *edit)
{
	if (!edit)
		return;
	free(edit->osds);
	free(edit->subtrees);
	free(edit->dead);
	free(edit->pgs);
	free(edit);
}

/* ---- encoding ------------------------------------------------------------------------------- */

static bool within_limits(const struct mapedit *edit)
{
	return edit->pool_count <= NACRE_MAP_POOLS_MAX && edit->osd_count <= NACRE_MAP_OSDS_MAX &&
	       edit->rank_count <= NACRE_MAP_RANKS_MAX && edit->subtree_count <= SUBTREES_MAX &&
	       edit->dead_count <= DEAD_MAX && edit->pg_count <= NACRE_MAP_PGS_MAX;
}

/* One table behind the writer: where it begins and its length become a tail of the map. */
static int put_table(const struct nacre_struct *desc, const void *rows, unsigned int count,
		     struct nacre_writer *w, const __u8 **ret_table, __u32 *ret_bytes)
{
	int err;

	*ret_table = w->at;
	for (unsigned int i = 0; i < count; i++) {
		err = nacre_encode(desc, w, (const uint8_t *)rows + (size_t)i * desc->host_bytes);
		if (err)
			return err;
	}
	*ret_bytes = (__u32)(w->at - *ret_table);
	return 0;
}

static int put_tables(const struct mapedit *edit, struct nacre_writer *w, struct nacre_map *map)
{
	int err;

	err = put_table(nacre_map_pool_desc(), edit->pools, edit->pool_count, w, &map->pools,
			&map->pools_bytes);
	if (!err)
		err = put_table(nacre_map_osd_desc(), edit->osds, edit->osd_count, w, &map->osds,
				&map->osds_bytes);
	if (!err)
		err = put_table(nacre_map_rank_desc(), edit->ranks, edit->rank_count, w,
				&map->ranks, &map->ranks_bytes);
	if (!err)
		err = put_table(nacre_map_subtree_desc(), edit->subtrees, edit->subtree_count, w,
				&map->subtrees, &map->subtrees_bytes);
	if (!err)
		err = put_table(nacre_map_dead_desc(), edit->dead, edit->dead_count, w, &map->dead,
				&map->dead_bytes);
	if (!err)
		err = put_table(nacre_map_pg_desc(), edit->pgs, edit->pg_count, w, &map->placement,
				&map->placement_bytes);
	return err;
}

static size_t tables_bytes(const struct mapedit *edit)
{
	return edit->pool_count * sizeof(struct nacre_map_pool_wire) +
	       edit->osd_count * sizeof(struct nacre_map_osd_wire) +
	       edit->rank_count * sizeof(struct nacre_map_rank_wire) +
	       edit->subtree_count * sizeof(struct nacre_map_subtree_wire) +
	       edit->dead_count * sizeof(struct nacre_map_dead_wire) +
	       edit->pg_count * sizeof(struct nacre_map_pg_wire);
}

/* Nobody may put a map into the store that others would refuse. */
static int encode_valid(const struct nacre_map *map, uint8_t **ret_bytes, size_t *ret_length)
{
	struct nacre_map_view view;
	struct nacre_writer w;
	const char *reason;
	size_t length = nacre_encoded_bytes(nacre_map_desc(), map);
	uint8_t *bytes;

	if (nacre_map_view(&view, map) || nacre_map_validate(&view, &reason))
		return -EINVAL;
	bytes = malloc(length);
	if (!bytes)
		return -ENOMEM;
	w = nacre_writer(bytes, length);
	if (nacre_encode(nacre_map_desc(), &w, map)) {
		free(bytes);
		return -EINVAL;
	}
	*ret_bytes = bytes;
	*ret_length = length;
	return 0;
}

int mapedit_encode(const struct mapedit *edit, uint8_t **ret_bytes, size_t *ret_length)
{
	struct nacre_map map = edit->head;
	struct nacre_writer w;
	size_t room = tables_bytes(edit);
	uint8_t *tables;
	int err;

	if (!within_limits(edit))
		return -EINVAL;
	tables = malloc(room + 1);
	if (!tables)
		return -ENOMEM;
	w = nacre_writer(tables, room);
	err = put_tables(edit, &w, &map);
	err = err ? -EINVAL : encode_valid(&map, ret_bytes, ret_length);
	free(tables);
	return err;
}

/* ---- instances ------------------------------------------------------------------------------ */

uint64_t mapedit_new_instance(struct mapedit *edit)
{
	return edit->head.next_instance++;
}

/* First run that begins behind the instance. */
static unsigned int run_behind(const struct mapedit *edit, uint64_t instance)
{
	unsigned int low = 0, high = edit->dead_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (edit->dead[middle].first <= instance)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void remove_run(struct mapedit *edit, unsigned int at)
{
	edit->dead_count--;
	memmove(&edit->dead[at], &edit->dead[at + 1],
		(edit->dead_count - at) * sizeof(edit->dead[0]));
}

static int insert_run(struct mapedit *edit, unsigned int at, uint64_t instance)
{
	if (edit->dead_count == DEAD_MAX)
		return -ENOSPC;
	memmove(&edit->dead[at + 1], &edit->dead[at],
		(edit->dead_count - at) * sizeof(edit->dead[0]));
	edit->dead[at] = (struct nacre_map_dead){ .first = instance, .count = 1 };
	edit->dead_count++;
	return 0;
}

/* FENCE-3: the set only grows, so it closes up and stays small. */
int mapedit_kill(struct mapedit *edit, uint64_t instance)
{
	unsigned int behind = run_behind(edit, instance);
	struct nacre_map_dead *before = behind ? &edit->dead[behind - 1] : NULL;
	struct nacre_map_dead *after = behind < edit->dead_count ? &edit->dead[behind] : NULL;
	int err = 0;

	if (!instance || instance >= edit->head.next_instance)
		return -EINVAL;
	if (before && instance - before->first < before->count)
		return 0;
	if (before && instance == before->first + before->count) {
		before->count++;
		if (after && after->first == instance + 1) {
			before->count += after->count;
			remove_run(edit, behind);
		}
	} else if (after && after->first == instance + 1) {
		after->first--;
		after->count++;
	} else {
		err = insert_run(edit, behind, instance);
	}
	if (!err)
		edit->head.fence_epoch = edit->head.epoch;
	return err;
}

/* ---- OSDs and their groups ------------------------------------------------------------------ */

bool mapedit_osd_is_up(const struct mapedit *edit, uint16_t id)
{
	return id < edit->osd_count && (edit->osds[id].flags & NACRE_OSD_UP);
}

int mapedit_osd_up(struct mapedit *edit, uint16_t id, uint64_t instance, uint64_t address_hi,
		   uint64_t address_lo, uint16_t port)
{
	struct nacre_map_osd *osd;
	int err = 0;

	if (id >= edit->osd_count)
		return -ENOENT;
	osd = &edit->osds[id];
	if (!instance || instance >= edit->head.next_instance || !port)
		return -EINVAL;
	/* what the former daemon of this name may still say counts no more */
	if (osd->instance && osd->instance != instance)
		err = mapedit_kill(edit, osd->instance);
	if (err)
		return err;
	osd->instance = instance;
	osd->address_hi = address_hi;
	osd->address_lo = address_lo;
	osd->port = port;
	osd->flags |= NACRE_OSD_UP | NACRE_OSD_IN;
	for (unsigned int i = 0; i < edit->pg_count; i++)
		if (nacre_pg_slot_of(&edit->pgs[i], id) >= 0)
			edit->pgs[i].interval = edit->head.epoch;
	return 0;
}

void mapedit_set_slot(struct mapedit *edit, struct nacre_map_pg *pg, int slot, uint16_t osd)
{
	nacre_pg_set_slot(pg, slot, osd);
	/* it stays: the next move would need it again, and refuse whom it let in meanwhile */
	if (pg->osd4)
		edit->head.features |= NACRE_FEATURE_FIFTH_SLOT;
	pg->in_sync &= (uint8_t)~(1u << slot);
	pg->interval = edit->head.epoch;
}

/* Another in-sync member that is up: it holds all that was acknowledged (OSD-1). */
static bool has_other(const struct mapedit *edit, const struct nacre_map_pg *pg, int slot)
{
	for (int other = 0; other < NACRE_PG_SLOTS; other++)
		if (other != slot && (pg->in_sync & 1u << other) &&
		    mapedit_osd_is_up(edit, nacre_pg_slot(pg, other)))
			return true;
	return false;
}

int mapedit_osd_down(struct mapedit *edit, uint16_t id)
{
	struct nacre_map_osd *osd;
	int slot, err = 0;

	if (id >= edit->osd_count)
		return -ENOENT;
	osd = &edit->osds[id];
	if (osd->instance)
		err = mapedit_kill(edit, osd->instance);
	if (err)
		return err;
	osd->flags &= ~(uint32_t)NACRE_OSD_UP;
	for (unsigned int i = 0; i < edit->pg_count; i++) {
		struct nacre_map_pg *pg = &edit->pgs[i];

		slot = nacre_pg_slot_of(pg, id);
		if (slot < 0 || !(pg->in_sync & 1u << slot) || !has_other(edit, pg, slot))
			continue;
		pg->in_sync &= ~(1u << slot);
		pg->interval = edit->head.epoch;
	}
	return 0;
}

int mapedit_osd_replace(struct mapedit *edit, uint16_t id, uint64_t store_lo, uint64_t store_hi,
			unsigned int *ret_pg)
{
	struct nacre_map_pg *pg;
	int slot, err;

	for (*ret_pg = 0; *ret_pg < edit->pg_count; ++*ret_pg) {
		slot = nacre_pg_slot_of(&edit->pgs[*ret_pg], id);
		if (slot >= 0 && edit->pgs[*ret_pg].in_sync == 1u << slot)
			return -ENODATA;
	}
	err = mapedit_osd_down(edit, id);
	if (err)
		return err;
	edit->osds[id].store_lo = store_lo;
	edit->osds[id].store_hi = store_hi;
	/* also where the others are down: they have what was acknowledged, and the new store has nothing */
	for (pg = edit->pgs; pg < edit->pgs + edit->pg_count; pg++) {
		slot = nacre_pg_slot_of(pg, id);
		if (slot < 0 || !(pg->in_sync & 1u << slot))
			continue;
		pg->in_sync &= ~(1u << slot);
		pg->interval = edit->head.epoch;
	}
	return 0;
}

static bool has_domain(const struct mapedit *edit, uint32_t domain)
{
	for (unsigned int i = 0; i < edit->osd_count; i++)
		if (edit->osds[i].domain == domain)
			return true;
	return false;
}

int mapedit_osd_add(struct mapedit *edit, uint64_t store_lo, uint64_t store_hi)
{
	unsigned int id = edit->osd_count;
	uint32_t domain = id;

	if (id == NACRE_MAP_OSDS_MAX)
		return -ENOSPC;
	while (has_domain(edit, domain))
		domain++;
	edit->osds[edit->osd_count++] = (struct nacre_map_osd){
		.id = (uint16_t)id,
		.flags = NACRE_OSD_IN,
		.weight = MAPEDIT_WEIGHT_ONE,
		.domain = domain,
		.store_lo = store_lo,
		.store_hi = store_hi,
	};
	return 0;
}

/* The group's row; NULL: there is no such group. */
static struct nacre_map_pg *group_at(struct mapedit *edit, uint32_t pool, uint32_t pg)
{
	if (pool >= edit->pool_count || pg >= edit->pools[pool].pg_count)
		return NULL;
	return &edit->pgs[edit->pools[pool].pg_first + pg];
}

/* The slot that serves, -1: none does. */
static int primary_slot(const struct mapedit *edit, const struct nacre_map_pg *pg)
{
	for (int slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (mapedit_is_in_sync(pg, slot) && mapedit_osd_is_up(edit, nacre_pg_slot(pg, slot)))
			return slot;
	return -1;
}

/*
 * Members behind the pool's replicas go when all before them are there and have everything. Not the one in `stays`: it
 * serves, and a primary that left would not hear that it is none any more.
 */
static bool let_leavers_go(struct mapedit *edit, uint32_t pool, struct nacre_map_pg *pg, int stays)
{
	int slot, replicas = edit->pools[pool].replicas;
	bool gone = false;

	for (slot = 0; slot < replicas; slot++)
		if (!mapedit_is_in_sync(pg, slot) || !mapedit_osd_is_up(edit, nacre_pg_slot(pg, slot)))
			return false;
	for (; slot < NACRE_PG_SLOTS; slot++) {
		if (slot == stays || nacre_pg_slot(pg, slot) == NACRE_OSD_NONE)
			continue;
		mapedit_set_slot(edit, pg, slot, NACRE_OSD_NONE);
		gone = true;
	}
	return gone;
}

int mapedit_pg_in_sync(struct mapedit *edit, uint32_t pool, uint32_t pg, unsigned int slot)
{
	struct nacre_map_pg *group = group_at(edit, pool, pg);
	int serves;

	if (!group || slot >= NACRE_PG_SLOTS || nacre_pg_slot(group, (int)slot) == NACRE_OSD_NONE)
		return -ENOENT;
	if (mapedit_is_in_sync(group, (int)slot))
		return -EALREADY;
	serves = primary_slot(edit, group);
	group->in_sync |= (uint8_t)(1u << slot);
	group->interval = edit->head.epoch;
	let_leavers_go(edit, pool, group, serves);
	return 0;
}

int mapedit_pg_trim(struct mapedit *edit, uint32_t pool, uint32_t pg)
{
	struct nacre_map_pg *group = group_at(edit, pool, pg);

	if (!group)
		return -ENOENT;
	return let_leavers_go(edit, pool, group, primary_slot(edit, group)) ? 0 : -EALREADY;
}

/* ---- pools ---------------------------------------------------------------------------------- */

int mapedit_pool_journal(struct mapedit *edit, uint32_t pool, uint8_t journal_mode, uint16_t direct_units)
{
	struct nacre_map_pool *row = &edit->pools[pool];
	bool any = false;

	if (pool >= edit->pool_count)
		return -ENOENT;
	if (row->journal_mode == journal_mode && row->direct_units == direct_units)
		return -EALREADY;
	row->journal_mode = journal_mode;
	row->direct_units = direct_units;
	for (uint32_t i = 0; i < edit->pool_count; i++)
		any |= edit->pools[i].direct_units;
	edit->head.features &= ~(uint64_t)NACRE_FEATURE_POOL_DIRECT;
	if (any)
		edit->head.features |= NACRE_FEATURE_POOL_DIRECT;
	return 0;
}
