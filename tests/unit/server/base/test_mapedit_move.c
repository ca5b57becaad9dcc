// SPDX-License-Identifier: GPL-2.0
/* Moving groups to where they should be (server/base/mapedit_move.c): every step's map is looked at, catching up is instant. */
#include <errno.h>
#include <string.h>
#include "maps.h"
#include "server/base/mapedit_core.h"

#define MOVING_MAX 5u

static struct mapedit *edit;
static unsigned int moves;		/* new members in all */

static void open_osds(unsigned int osds, uint8_t replicas)
{
	edit = maps_edit(osds, replicas);
	for (uint16_t id = 0; id < osds; id++)
		assert_int_equal(mapedit_osd_up(edit, id, mapedit_new_instance(edit), 0, 0xffff7f000001, 7300), 0);
	moves = 0;
}

static int teardown(void **state)
{
	mapedit_free(edit);
	return 0;
}

static void add_osd(uint32_t weight, uint32_t domain)
{
	uint16_t id = (uint16_t)edit->osd_count++;

	edit->osds[id] = (struct nacre_map_osd){ .id = id, .flags = NACRE_OSD_IN, .weight = weight, .domain = domain };
	assert_int_equal(mapedit_osd_up(edit, id, mapedit_new_instance(edit), 0, 0xffff7f000001, 7300), 0);
}

static unsigned int slots_of(uint32_t pool, uint16_t osd)
{
	unsigned int count = 0;

	for (uint32_t pg = 0; pg < edit->pools[pool].pg_count; pg++)
		count += nacre_pg_slot_of(&edit->pgs[edit->pools[pool].pg_first + pg], osd) >= 0;
	return count;
}

/* OSD-1: as many have everything as before, and one of them serves. */
static void check_groups(const struct nacre_map_pg *before, unsigned int in_sync_least)
{
	for (unsigned int i = 0; i < edit->pg_count; i++) {
		const struct nacre_map_pg *g = &edit->pgs[i];

		assert_true((unsigned int)__builtin_popcount(g->in_sync) >= in_sync_least);
		for (int slot = 0; slot < NACRE_REPLICAS_MAX; slot++)
			if (mapedit_is_in_sync(g, slot)) {
				int was = nacre_pg_slot_of(&before[i], nacre_pg_slot(g, slot));

				assert_true(was >= 0 && mapedit_is_in_sync(&before[i], was));
			}
		assert_int_equal(g->interval, memcmp(&before[i], g, sizeof(*g)) ? edit->head.epoch : before[i].interval);
	}
}

/* All that are being caught up get there, as their primaries would say; then those who need not stay go. */
static void catch_up(void)
{
	for (uint32_t pool = 0; pool < edit->pool_count; pool++)
		for (uint32_t pg = 0; pg < edit->pools[pool].pg_count; pg++) {
			struct nacre_map_pg *g = &edit->pgs[edit->pools[pool].pg_first + pg];

			for (unsigned int slot = 0; slot < NACRE_REPLICAS_MAX; slot++) {
				uint16_t osd = nacre_pg_slot(g, (int)slot);

				if (osd == NACRE_OSD_NONE || mapedit_is_in_sync(g, (int)slot) || !mapedit_osd_is_up(edit, osd))
					continue;
				assert_int_equal(mapedit_pg_in_sync(edit, pool, pg, slot), 0);
				moves++;
			}
			mapedit_pg_trim(edit, pool, pg);
		}
}

/* Until nothing is left to do. */
static void settle(unsigned int in_sync_least)
{
	struct nacre_map_pg *before = calloc(edit->pg_count, sizeof(*before));
	unsigned int rounds = 0, more = 1;

	while (more) {
		memcpy(before, edit->pgs, edit->pg_count * sizeof(*before));
		edit->head.epoch++;
		more = mapedit_rebalance(edit, MOVING_MAX);
		assert_true(more <= MOVING_MAX);
		check_groups(before, in_sync_least);
		edit->head.epoch++;
		catch_up();
		assert_true(++rounds < 1000);
	}
	free(before);
	for (unsigned int i = 0; i < edit->pg_count; i++)
		for (int slot = edit->pools[0].replicas; slot < NACRE_REPLICAS_MAX; slot++)
			assert_int_equal(nacre_pg_slot(&edit->pgs[i], slot), NACRE_OSD_NONE);
}

static void assert_even(unsigned int osds, unsigned int replicas)
{
	for (uint32_t pool = 0; pool < edit->pool_count; pool++)
		for (uint16_t id = 0; id < osds; id++) {
			unsigned int share = edit->pools[pool].pg_count * replicas / osds;

			assert_in_range(slots_of(pool, id), share, share + 1);
		}
}

static void a_new_file_system_is_even_and_stays(void **state)
{
	open_osds(3, 2);
	assert_even(3, 2);
	edit->head.epoch++;
	assert_int_equal(mapedit_rebalance(edit, MOVING_MAX), 0);
}

static void a_fourth_osd_takes_its_share_and_nothing_else_moves(void **state)
{
	open_osds(3, 2);
	add_osd(0x10000, 3);
	settle(2);
	assert_even(4, 2);
	assert_int_equal(moves, slots_of(0, 3) + slots_of(1, 3));
	assert_int_equal(moves, 96 * 2 / 4);
}

static void weights_are_followed(void **state)
{
	open_osds(4, 2);
	edit->osds[1].weight = 0x20000;
	settle(2);
	/* 128 slots in five shares, two for one of them */
	assert_in_range(slots_of(1, 1), 51, 52);
	assert_in_range(slots_of(1, 0), 25, 26);
	edit->osds[1].weight = 0x10000;
	settle(2);
	assert_even(4, 2);
}

static void without_weight_it_is_emptied(void **state)
{
	open_osds(4, 3);
	edit->osds[2].weight = 0;
	settle(3);
	assert_int_equal(slots_of(0, 2) + slots_of(1, 2), 0);
	for (unsigned int i = 0; i < edit->pg_count; i++)
		assert_int_equal(edit->pgs[i].in_sync, 7);
}

/* The one that is dead and out is replaced at once; nobody waits for it to have everything. */
static void a_dead_one_that_is_out_is_replaced(void **state)
{
	open_osds(4, 2);
	assert_int_equal(mapedit_osd_down(edit, 1), 0);
	settle(1);
	assert_int_equal(slots_of(1, 1), 32);		/* down only: it may come back */
	edit->osds[1].flags &= ~(uint32_t)NACRE_OSD_IN;
	settle(1);
	assert_int_equal(slots_of(0, 1) + slots_of(1, 1), 0);
	for (unsigned int i = 0; i < edit->pg_count; i++)
		assert_int_equal(edit->pgs[i].in_sync, 3);
	/* and if it comes back, it gets its share again */
	assert_int_equal(mapedit_osd_up(edit, 1, mapedit_new_instance(edit), 0, 0xffff7f000001, 7300), 0);
	settle(2);
	assert_even(4, 2);
}

static void the_last_that_has_everything_stays_where_it_is(void **state)
{
	unsigned int had;

	open_osds(3, 1);
	had = slots_of(1, 0);
	assert_int_equal(mapedit_osd_down(edit, 0), 0);
	edit->osds[0].flags &= ~(uint32_t)NACRE_OSD_IN;
	settle(1);
	assert_int_equal(slots_of(1, 0), had);
}

/* Primary until the last moment: it goes in a step of its own. */
static void one_replica_moves_too(void **state)
{
	open_osds(2, 1);
	add_osd(0x10000, 2);
	settle(1);
	assert_in_range(slots_of(1, 2), 21, 22);
}

static void a_new_domain_is_used(void **state)
{
	open_osds(4, 2);
	for (uint16_t id = 0; id < 4; id++)
		edit->osds[id].domain = id == 3;	/* three in one machine */
	settle(2);
	/* half of all slots is not its share, but every group with one replica there is better off */
	for (unsigned int i = 0; i < edit->pg_count; i++)
		assert_true(nacre_pg_slot_of(&edit->pgs[i], 3) >= 0);
	edit->osds[2].domain = 1;
	settle(2);
	for (unsigned int i = 0; i < edit->pg_count; i++)
		assert_int_not_equal(edit->osds[edit->pgs[i].osd0].domain, edit->osds[edit->pgs[i].osd1].domain);
	assert_even(4, 2);
}

/* A target that dies on the way, and is out, is replaced; the old member has gone on all the time. */
static void a_target_that_dies_is_replaced(void **state)
{
	open_osds(3, 2);
	add_osd(0x10000, 3);
	edit->head.epoch++;
	assert_int_equal(mapedit_rebalance(edit, MOVING_MAX), MOVING_MAX);
	assert_int_equal(mapedit_osd_down(edit, 3), 0);
	assert_int_equal(mapedit_rebalance(edit, MOVING_MAX), 0);
	edit->osds[3].flags &= ~(uint32_t)NACRE_OSD_IN;
	settle(2);
	assert_int_equal(slots_of(0, 3) + slots_of(1, 3), 0);
	for (unsigned int i = 0; i < edit->pg_count; i++)
		assert_int_equal(edit->pgs[i].in_sync, 3);
}

static void too_few_are_filled_when_there_are_more(void **state)
{
	open_osds(2, 3);
	settle(2);
	add_osd(0x10000, 2);
	settle(2);
	assert_even(3, 3);
}

/* Four replicas leave no room for a fifth member: what is dead is replaced, nothing else moves. */
static void four_replicas_do_not_move(void **state)
{
	open_osds(4, 4);
	add_osd(0x10000, 4);
	settle(4);
	assert_int_equal(slots_of(1, 4), 0);
	assert_int_equal(mapedit_osd_down(edit, 0), 0);
	edit->osds[0].flags &= ~(uint32_t)NACRE_OSD_IN;
	settle(3);
	assert_int_equal(slots_of(1, 4), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_new_file_system_is_even_and_stays, teardown),
		cmocka_unit_test_teardown(a_fourth_osd_takes_its_share_and_nothing_else_moves, teardown),
		cmocka_unit_test_teardown(weights_are_followed, teardown),
		cmocka_unit_test_teardown(without_weight_it_is_emptied, teardown),
		cmocka_unit_test_teardown(a_dead_one_that_is_out_is_replaced, teardown),
		cmocka_unit_test_teardown(the_last_that_has_everything_stays_where_it_is, teardown),
		cmocka_unit_test_teardown(one_replica_moves_too, teardown),
		cmocka_unit_test_teardown(a_new_domain_is_used, teardown),
		cmocka_unit_test_teardown(a_target_that_dies_is_replaced, teardown),
		cmocka_unit_test_teardown(too_few_are_filled_when_there_are_more, teardown),
		cmocka_unit_test_teardown(four_replicas_do_not_move, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
