// SPDX-License-Identifier: GPL-2.0
/*
 * Editing the cluster map: what goes in comes out again, the dead set against a
 * plain array of bools, the in-sync rules, and where new pools are placed.
 */
#include <errno.h>
#include <string.h>
#include "maps.h"
#include "protocol/session.h"

/* ---- opening and encoding ------------------------------------------------------------------- */

static void an_edit_that_changes_nothing_raises_the_epoch_only(void **state)
{
	struct mapedit *edit = maps_edit(3, 2);
	struct cluster_map *first, *second;

	edit->ranks[0] = (struct nacre_map_rank){ .rank = 0 };
	edit->rank_count = 1;
	edit->subtrees[0] = (struct nacre_map_subtree){ .ino = 1, .rank = 0 };
	edit->subtree_count = 1;
	edit->head.next_instance = 10;
	assert_int_equal(mapedit_kill(edit, 4), 0);
	first = maps_finish(edit);
	second = maps_finish(mapedit_open(first));
	assert_int_equal(first->view.epoch, 1);
	assert_int_equal(second->view.epoch, 2);
	assert_int_equal(second->view.fence_epoch, 1);
	assert_int_equal(second->bytes_count, first->bytes_count);
	assert_memory_equal(second->bytes + 8, first->bytes + 8, first->bytes_count - 8);
	cluster_map_put(first);
	cluster_map_put(second);
}

static int encoded(struct mapedit *edit)
{
	uint8_t *bytes = NULL;
	size_t length;
	int err = mapedit_encode(edit, &bytes, &length);

	free(bytes);
	return err;
}

static void what_others_would_refuse_is_not_encoded(void **state)
{
	struct mapedit *edit = maps_edit(3, 2);

	assert_int_equal(encoded(edit), 0);
	edit->pgs[5].osd1 = 3;			/* no such OSD */
	assert_int_equal(encoded(edit), -EINVAL);
	edit->pgs[5].osd1 = edit->pgs[5].osd0;
	assert_int_equal(encoded(edit), -EINVAL);
	edit->pgs[5].osd1 = NACRE_OSD_NONE;
	edit->pgs[5].in_sync = 1;
	assert_int_equal(encoded(edit), 0);
	edit->osds[1].id = 2;
	assert_int_equal(encoded(edit), -EINVAL);
	edit->osds[1].id = 1;
	edit->osds[1].flags |= NACRE_OSD_UP;	/* without instance and port */
	assert_int_equal(encoded(edit), -EINVAL);
	edit->osds[1].flags = 0;
	edit->dead_count = 1 << 20;
	assert_int_equal(encoded(edit), -EINVAL);
	mapedit_free(edit);
	edit = mapedit_open(NULL);		/* no file system id */
	assert_int_equal(encoded(edit), -EINVAL);
	mapedit_free(edit);
}

/* ---- instances ------------------------------------------------------------------------------ */

static void instances_are_issued_once(void **state)
{
	struct mapedit *edit = mapedit_open(NULL);

	assert_int_equal(mapedit_new_instance(edit), 1);
	assert_int_equal(mapedit_new_instance(edit), 2);
	assert_int_equal(edit->head.next_instance, 3);
	mapedit_free(edit);
}

static void FENCE_3_only_issued_instances_die(void **state)
{
	struct mapedit *edit = maps_edit(1, 1);

	edit->head.epoch = 7;
	assert_int_equal(mapedit_kill(edit, 0), -EINVAL);
	assert_int_equal(mapedit_kill(edit, 1), -EINVAL);
	assert_int_equal(edit->head.fence_epoch, 0);
	mapedit_new_instance(edit);
	assert_int_equal(mapedit_kill(edit, 1), 0);
	assert_int_equal(edit->head.fence_epoch, 7);
	edit->head.epoch = 8;
	assert_int_equal(mapedit_kill(edit, 1), 0);	/* dead already: the set did not grow */
	assert_int_equal(edit->head.fence_epoch, 7);
	mapedit_free(edit);
}

/* Against an array of bools, for many orders of dying. */
static void the_dead_set_closes_up(void **state)
{
	enum { COUNT = 40 };
	unsigned int random = 1;

	for (int round = 0; round < 200; round++) {
		struct mapedit *edit = maps_edit(1, 1);
		struct cluster_map *map;
		bool dead[COUNT + 1] = { false };
		unsigned int runs = 0;
		int kills = round % (COUNT + 10);

		edit->head.next_instance = COUNT + 1;
		for (int i = 0; i < kills; i++) {
			random = random * 1103515245 + 12345;
			unsigned int id = 1 + (random >> 16) % COUNT;

			assert_int_equal(mapedit_kill(edit, id), 0);
			dead[id] = true;
		}
		for (int id = 1; id <= COUNT; id++)
			runs += dead[id] && !dead[id - 1];
		assert_int_equal(edit->dead_count, runs);
		map = maps_finish(edit);
		for (unsigned int id = 1; id <= COUNT; id++)
			assert_int_equal(nacre_map_is_dead(&map->view, id), dead[id]);
		cluster_map_put(map);
	}
}

static void a_full_dead_set_says_so(void **state)
{
	struct mapedit *edit = maps_edit(1, 1);
	int err = 0;
	uint64_t id;

	edit->head.next_instance = 1 << 20;
	for (id = 1; !err; id += 2)
		err = mapedit_kill(edit, id);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(edit->dead_count, 16384);
	assert_int_equal(mapedit_kill(edit, 2), 0);	/* joins two runs */
	assert_int_equal(edit->dead_count, 16383);
	assert_int_equal(encoded(edit), 0);
	mapedit_free(edit);
}

/* ---- OSDs come and go ----------------------------------------------------------------------- */

static void bring_up(struct mapedit *edit, uint16_t id)
{
	uint64_t instance = mapedit_new_instance(edit);

	assert_int_equal(mapedit_osd_up(edit, id, instance, 0, 0xffff7f000001, 7300 + id), 0);
}

static struct cluster_map *all_up(unsigned int osds, uint8_t replicas)
{
	struct mapedit *edit = maps_edit(osds, replicas);

	for (uint16_t id = 0; id < osds; id++)
		bring_up(edit, id);
	return maps_finish(edit);
}

static bool is_member(const struct mapedit *edit, unsigned int pg, uint16_t osd)
{
	return nacre_pg_slot_of(&edit->pgs[pg], osd) >= 0;
}

static void an_osd_that_starts_begins_new_intervals_of_its_groups(void **state)
{
	struct cluster_map *map = all_up(4, 2);
	struct mapedit *edit = mapedit_open(map);
	uint64_t former = edit->osds[1].instance;

	bring_up(edit, 1);
	for (unsigned int pg = 0; pg < edit->pg_count; pg++) {
		assert_int_equal(edit->pgs[pg].interval, is_member(edit, pg, 1) ? 2 : 1);
		assert_int_equal(edit->pgs[pg].in_sync, 3);
	}
	assert_int_equal(mapedit_osd_up(edit, 9, 1, 0, 1, 1), -ENOENT);
	assert_int_equal(mapedit_osd_up(edit, 1, 0, 0, 1, 1), -EINVAL);
	assert_int_equal(mapedit_osd_up(edit, 1, 99, 0, 1, 1), -EINVAL);
	assert_int_equal(mapedit_osd_up(edit, 1, 1, 0, 1, 0), -EINVAL);
	cluster_map_put(map);
	map = maps_finish(edit);
	assert_true(nacre_map_is_dead(&map->view, former));
	assert_true(nacre_map_osd_is_up(&map->view, 1));
	cluster_map_put(map);
}

static void OSD_1_the_last_in_sync_member_never_leaves(void **state)
{
	struct cluster_map *map = all_up(3, 3);
	struct mapedit *edit = mapedit_open(map);

	assert_int_equal(mapedit_osd_down(edit, 9), -ENOENT);
	for (uint16_t id = 0; id < 3; id++)
		assert_int_equal(mapedit_osd_down(edit, id), 0);
	for (unsigned int pg = 0; pg < edit->pg_count; pg++) {
		struct nacre_map_pg *g = &edit->pgs[pg];

		/* 0 and 1 left while another was up; 2 was the last */
		assert_int_equal(g->in_sync, 1u << nacre_pg_slot_of(g, 2));
		assert_int_equal(g->interval, 2);
	}
	cluster_map_put(map);
	map = maps_finish(edit);
	for (uint16_t id = 0; id < 3; id++)
		assert_false(nacre_map_osd_is_up(&map->view, id));
	assert_int_equal(map->view.dead_count, 1);	/* instances 1 to 3 */
	assert_int_equal(nacre_map_primary(&map->view, 0, 0), -EAGAIN);
	cluster_map_put(map);
}

/* An empty store is in sync with nothing, whoever else is up; what it alone has is not given up. */
static void a_replaced_store_has_nothing(void **state)
{
	struct cluster_map *map = all_up(3, 2);
	struct mapedit *edit = mapedit_open(map);
	unsigned int at;

	assert_int_equal(mapedit_osd_replace(edit, 9, 5, 6, &at), -ENOENT);
	assert_int_equal(mapedit_osd_down(edit, 1), 0);
	assert_int_equal(mapedit_osd_replace(edit, 0, 5, 6, &at), -ENODATA);
	assert_true(nacre_pg_slot_of(&edit->pgs[at], 0) >= 0 && nacre_pg_slot_of(&edit->pgs[at], 1) >= 0);
	assert_true(edit->osds[0].flags & NACRE_OSD_UP);
	assert_int_equal(mapedit_osd_replace(edit, 1, 5, 6, &at), 0);
	assert_int_equal(edit->osds[1].store_lo, 5);
	assert_int_equal(edit->osds[1].store_hi, 6);
	mapedit_free(edit);
	/* nobody else is up, and yet they have it all */
	edit = mapedit_open(map);
	for (unsigned int pg = 0; pg < edit->pg_count; pg++)
		edit->pgs[pg].in_sync = (1u << edit->pools[0].replicas) - 1;
	for (uint16_t id = 0; id < 3; id++)
		edit->osds[id].flags &= ~(uint32_t)NACRE_OSD_UP;
	assert_int_equal(mapedit_osd_replace(edit, 2, 5, 6, &at), 0);
	for (unsigned int pg = 0; pg < edit->pg_count; pg++) {
		struct nacre_map_pg *g = &edit->pgs[pg];
		int slot = nacre_pg_slot_of(g, 2);

		assert_int_equal(slot < 0 ? 0 : g->in_sync >> slot & 1, 0);
		assert_int_equal(g->interval, slot < 0 ? 1 : edit->head.epoch);
	}
	mapedit_free(edit);
	cluster_map_put(map);
}

static void an_osd_that_was_not_in_sync_changes_nothing_by_going(void **state)
{
	struct cluster_map *map = all_up(3, 2);
	struct mapedit *edit = mapedit_open(map);

	for (unsigned int pg = 0; pg < edit->pg_count; pg++) {
		int slot = nacre_pg_slot_of(&edit->pgs[pg], 2);

		if (slot >= 0)
			edit->pgs[pg].in_sync &= ~(1u << slot);
	}
	assert_int_equal(mapedit_osd_down(edit, 2), 0);
	for (unsigned int pg = 0; pg < edit->pg_count; pg++)
		assert_int_equal(edit->pgs[pg].interval, 1);
	assert_int_equal(mapedit_osd_down(edit, 2), 0);		/* again: harmless */
	mapedit_free(edit);
	cluster_map_put(map);
}

static void a_member_that_caught_up_is_in_sync_in_a_new_interval(void **state)
{
	struct cluster_map *map = all_up(3, 2);
	struct mapedit *edit = mapedit_open(map);

	assert_int_equal(mapedit_osd_down(edit, edit->pgs[32 + 7].osd1), 0);
	assert_int_equal(edit->pgs[32 + 7].in_sync, 1);
	edit->head.epoch++;
	assert_int_equal(mapedit_pg_in_sync(edit, 1, 7, 0), -EALREADY);
	assert_int_equal(mapedit_pg_in_sync(edit, 1, 7, 1), 0);
	assert_int_equal(edit->pgs[32 + 7].in_sync, 3);
	assert_int_equal(edit->pgs[32 + 7].interval, 3);
	assert_int_equal(mapedit_pg_in_sync(edit, 1, 7, 2), -ENOENT);	/* an empty slot */
	assert_int_equal(mapedit_pg_in_sync(edit, 1, 7, 4), -ENOENT);
	assert_int_equal(mapedit_pg_in_sync(edit, 1, 64, 0), -ENOENT);
	assert_int_equal(mapedit_pg_in_sync(edit, 2, 0, 0), -ENOENT);
	mapedit_free(edit);
	cluster_map_put(map);
}

/* ---- placement ------------------------------------------------------------------------------ */

static unsigned int groups_of(const struct mapedit *edit, uint16_t osd)
{
	unsigned int count = 0;

	for (unsigned int pg = 0; pg < edit->pg_count; pg++)
		count += is_member(edit, pg, osd);
	return count;
}

static void replicas_stand_in_different_domains(void **state)
{
	struct mapedit *edit = maps_edit(1, 1);

	edit->pool_count = edit->pg_count = 0;
	for (uint16_t id = 0; id < 6; id++)
		edit->osds[id] = (struct nacre_map_osd){ .id = id, .flags = NACRE_OSD_IN,
							 .weight = 0x10000, .domain = id / 2 };
	edit->osd_count = 6;
	maps_add_pool(edit, 256, 3, 2);
	for (unsigned int pg = 0; pg < 256; pg++) {
		struct nacre_map_pg *g = &edit->pgs[pg];

		assert_int_equal(g->in_sync, 7);
		assert_int_equal(1 << g->osd0 / 2 | 1 << g->osd1 / 2 | 1 << g->osd2 / 2, 7);
	}
	/* four replicas, three domains: two of them share one, but no OSD */
	maps_add_pool(edit, 64, 4, 2);
	assert_int_equal(edit->pools[1].pg_first, 256);
	for (unsigned int pg = 256; pg < 320; pg++)
		assert_int_equal(edit->pgs[pg].in_sync, 15);
	assert_int_equal(encoded(edit), 0);
	mapedit_free(edit);
}

static void shares_follow_the_weights(void **state)
{
	struct mapedit *edit = maps_edit(1, 1);

	edit->pool_count = edit->pg_count = 0;
	for (uint16_t id = 0; id < 4; id++)
		edit->osds[id] = (struct nacre_map_osd){
			.id = id, .flags = id == 3 ? 0 : NACRE_OSD_IN, .domain = id,
			.weight = id == 1 ? 0x20000 : 0x10000,
		};
	edit->osd_count = 4;
	maps_add_pool(edit, 4096, 1, 1);
	assert_in_range(groups_of(edit, 0), 900, 1150);		/* a quarter: 1024 */
	assert_in_range(groups_of(edit, 1), 1900, 2200);	/* a half */
	assert_in_range(groups_of(edit, 2), 900, 1150);
	assert_int_equal(groups_of(edit, 3), 0);		/* takes no data */
	mapedit_free(edit);
}

static void too_few_osds_leave_slots_empty(void **state)
{
	struct mapedit *edit = maps_edit(2, 3);

	assert_int_equal(edit->pgs[0].in_sync, 3);
	assert_int_equal(edit->pgs[0].osd2, NACRE_OSD_NONE);
	assert_int_equal(encoded(edit), 0);
	assert_int_equal(mapedit_place_pool(edit, 2), -ENOENT);
	assert_int_equal(mapedit_place_pool(edit, 1000), -ENOENT);
	edit->osds[0].flags = edit->osds[1].flags = 0;
	assert_int_equal(mapedit_place_pool(edit, 1), -ENODEV);
	edit->pools[1].pg_count = NACRE_MAP_PGS_MAX;
	assert_int_equal(mapedit_place_pool(edit, 1), -ENOSPC);
	mapedit_free(edit);
}

/* ---- pools ---------------------------------------------------------------------------------- */

/* A member that does not know the size refuses the map by its features, not as damaged. */
static void a_pool_with_a_size_of_its_own_demands_the_feature(void **state)
{
	struct mapedit *edit = maps_edit(3, 2);
	uint64_t before = edit->head.features;

	assert_int_equal(mapedit_pool_journal(edit, 2, NACRE_JOURNAL_COW, 0), -ENOENT);
	assert_int_equal(mapedit_pool_journal(edit, 1, NACRE_JOURNAL_DATA, 0), -EALREADY);
	assert_int_equal(mapedit_pool_journal(edit, 1, NACRE_JOURNAL_COW, 0), 0);
	assert_int_equal(edit->head.features, before);
	assert_int_equal(mapedit_pool_journal(edit, 1, NACRE_JOURNAL_COW, 4), 0);
	assert_int_equal(mapedit_pool_journal(edit, 0, NACRE_JOURNAL_DATA, 1), 0);
	assert_int_equal(edit->head.features, before | NACRE_FEATURE_POOL_DIRECT);
	assert_int_equal(encoded(edit), 0);
	assert_int_equal(mapedit_pool_journal(edit, 1, NACRE_JOURNAL_ORDERED, 0), 0);
	assert_int_equal(edit->head.features, before | NACRE_FEATURE_POOL_DIRECT);
	assert_int_equal(mapedit_pool_journal(edit, 0, NACRE_JOURNAL_DATA, 0), 0);
	assert_int_equal(edit->head.features, before);
	assert_int_equal(encoded(edit), 0);
	edit->pools[0].direct_units = 1;
	assert_int_equal(encoded(edit), -EINVAL);
	mapedit_free(edit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_edit_that_changes_nothing_raises_the_epoch_only),
		cmocka_unit_test(what_others_would_refuse_is_not_encoded),
		cmocka_unit_test(instances_are_issued_once),
		cmocka_unit_test(FENCE_3_only_issued_instances_die),
		cmocka_unit_test(the_dead_set_closes_up),
		cmocka_unit_test(a_full_dead_set_says_so),
		cmocka_unit_test(an_osd_that_starts_begins_new_intervals_of_its_groups),
		cmocka_unit_test(OSD_1_the_last_in_sync_member_never_leaves),
		cmocka_unit_test(a_replaced_store_has_nothing),
		cmocka_unit_test(an_osd_that_was_not_in_sync_changes_nothing_by_going),
		cmocka_unit_test(a_member_that_caught_up_is_in_sync_in_a_new_interval),
		cmocka_unit_test(replicas_stand_in_different_domains),
		cmocka_unit_test(shares_follow_the_weights),
		cmocka_unit_test(too_few_osds_leave_slots_empty),
		cmocka_unit_test(a_pool_with_a_size_of_its_own_demands_the_feature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
