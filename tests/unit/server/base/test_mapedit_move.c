// SPDX-License-Identifier: GPL-2.0
/* Moving groups to where they should be (server/base/mapedit_move.c): every step's map is looked at, catching up is instant. */
#include <errno.h>
#include <string.h>
#include "maps.h"
#include "protocol/session.h"
#include "server/base/mapedit_core.h"

#define MOVING_MAX 5u

static struct mapedit *edit;
static struct mapedit_fill fills[NACRE_MAP_OSDS_MAX];
static unsigned int moves;		/* new members in all */

/* An OSD of a thousand units says how many of them are in use. */
static void say(unsigned int osd, enum fill_state state, uint64_t used)
{
	fills[osd].fill = (struct fill){ state, .bytes_total = 1000, .bytes_free = 1000 - used };
}

static unsigned int plan(void)
{
	edit->head.epoch++;
	return mapedit_rebalance(edit, fills, MOVING_MAX);
}

static void open_osds(unsigned int osds, uint8_t replicas)
{
	edit = maps_edit(osds, replicas);
	for (uint16_t id = 0; id < osds; id++)
		assert_int_equal(mapedit_osd_up(edit, id, mapedit_new_instance(edit), 0, 0xffff7f000001, 7300), 0);
	moves = 0;
	for (unsigned int id = 0; id < NACRE_MAP_OSDS_MAX; id++)
		say(id, FILL_WELL, 0);
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
		for (int slot = 0; slot < NACRE_PG_SLOTS; slot++)
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

			for (unsigned int slot = 0; slot < NACRE_PG_SLOTS; slot++) {
				uint16_t osd = nacre_pg_slot(g, (int)slot);

				if (osd == NACRE_OSD_NONE || mapedit_is_in_sync(g, (int)slot) || !mapedit_osd_is_up(edit, osd) ||
				    fills[osd].fill.state == FILL_FULL)
					continue;
				assert_int_equal(mapedit_pg_in_sync(edit, pool, pg, slot), 0);
				moves++;
			}
			mapedit_pg_trim(edit, pool, pg);
		}
}

/* Until nothing is left to do; members whose OSDs are full do not get there. */
static void settle_waiting(unsigned int in_sync_least)
{
	struct nacre_map_pg *before = calloc(edit->pg_count, sizeof(*before));
	unsigned int rounds = 0, more = 1;

	while (more) {
		memcpy(before, edit->pgs, edit->pg_count * sizeof(*before));
		more = plan();
		assert_true(more <= 2 * MOVING_MAX);	/* some may get their old places back */
		check_groups(before, in_sync_least);
		edit->head.epoch++;
		catch_up();
		assert_true(++rounds < 1000);
	}
	free(before);
}

/* The same, and nobody waits for room. */
static void settle(unsigned int in_sync_least)
{
	settle_waiting(in_sync_least);
	for (unsigned int i = 0; i < edit->pg_count; i++)
		for (int slot = edit->pools[0].replicas; slot < NACRE_PG_SLOTS; slot++)
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
	assert_int_equal(plan(), 0);
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
	assert_int_equal(plan(), MOVING_MAX);
	assert_int_equal(mapedit_osd_down(edit, 3), 0);
	assert_int_equal(plan(), 0);
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

static void mark_out(uint16_t osd)
{
	assert_int_equal(mapedit_osd_down(edit, osd), 0);
	edit->osds[osd].flags &= ~(uint32_t)NACRE_OSD_IN;
}

/* The slot behind four is the fifth, which older programs do not know: the map says so from its first use on. */
static void four_replicas_move_too(void **state)
{
	open_osds(4, 4);
	assert_false(edit->head.features & NACRE_FEATURE_FIFTH_SLOT);
	add_osd(0x10000, 4);
	settle(4);
	assert_true(edit->head.features & NACRE_FEATURE_FIFTH_SLOT);
	assert_even(5, 4);
	mark_out(0);
	settle(3);
	assert_int_equal(slots_of(1, 0), 0);
	assert_int_equal(slots_of(1, 4), 64);
	assert_int_equal(mapedit_osd_up(edit, 0, mapedit_new_instance(edit), 0, 0xffff7f000001, 7300), 0);
	settle(4);
	assert_even(5, 4);
}

/* ---- how full OSDs are --------------------------------------------------------------------------- */

static unsigned int all_slots_of(uint16_t osd)
{
	return slots_of(0, osd) + slots_of(1, osd);
}

static void nothing_moves_to_one_that_is_nearly_full(void **state)
{
	static const enum fill_state not_yet[] = { FILL_NEARLY, FILL_FULL, FILL_UNKNOWN };

	open_osds(3, 2);
	add_osd(0x10000, 3);
	for (unsigned int i = 0; i < 3; i++) {
		say(3, not_yet[i], 900);
		assert_int_equal(plan(), 0);
	}
	say(3, FILL_WELL, 100);
	settle(2);
	assert_even(4, 2);
	/* what it has it keeps, and it is the others that go on without it */
	say(3, FILL_FULL, 1000);
	assert_int_equal(plan(), 0);
}

static void others_even_out_beside_one_that_is_nearly_full(void **state)
{
	open_osds(3, 2);
	add_osd(0x10000, 3);
	add_osd(0x10000, 4);
	say(3, FILL_NEARLY, 900);
	settle(2);
	assert_int_equal(all_slots_of(3), 0);
	assert_in_range(slots_of(1, 4), 32, 33);
	say(3, FILL_WELL, 800);
	settle(2);
	assert_even(5, 2);
}

/* Who is to be emptied waits rather than filling up another. */
static void an_emptied_one_waits_for_room(void **state)
{
	open_osds(4, 2);
	edit->osds[0].weight = 0;
	for (unsigned int id = 1; id < 4; id++)
		say(id, FILL_NEARLY, 900);
	assert_int_equal(plan(), 0);
	say(2, FILL_WELL, 100);
	settle(2);
	/* only those that are on the other one with room already are left */
	for (unsigned int i = 0; i < edit->pg_count; i++)
		assert_true(nacre_pg_slot_of(&edit->pgs[i], 0) < 0 || nacre_pg_slot_of(&edit->pgs[i], 2) >= 0);
	say(1, FILL_WELL, 100);
	settle(2);
	assert_int_equal(all_slots_of(0), 0);
}

/* Redundancy before room, but never on one that is full. */
static void what_is_lost_is_made_anew_on_one_that_is_nearly_full(void **state)
{
	unsigned int had;

	open_osds(5, 2);
	mark_out(0);
	say(1, FILL_FULL, 1000);
	had = all_slots_of(1);
	say(2, FILL_NEARLY, 900);
	say(3, FILL_UNKNOWN, 0);
	assert_int_equal(plan(), MOVING_MAX);
	for (unsigned int i = 0; i < edit->pg_count; i++)
		for (int slot = 0; slot < 2; slot++)
			if (!mapedit_is_in_sync(&edit->pgs[i], slot) && nacre_pg_slot(&edit->pgs[i], slot))
				assert_true(nacre_pg_slot(&edit->pgs[i], slot) == 4 ||
					    (nacre_pg_slot_of(&edit->pgs[i], 4) >= 0 && nacre_pg_slot(&edit->pgs[i], slot) == 3));
	say(3, FILL_NEARLY, 900);
	say(4, FILL_NEARLY, 900);
	catch_up();
	settle(1);
	assert_int_equal(all_slots_of(0), 0);
	assert_int_equal(all_slots_of(1), had);
	for (unsigned int i = 0; i < edit->pg_count; i++)
		assert_int_equal(edit->pgs[i].in_sync, 3);
}

static void nothing_is_made_anew_where_all_are_full(void **state)
{
	open_osds(3, 2);
	mark_out(0);
	say(1, FILL_FULL, 1000);
	say(2, FILL_FULL, 1000);
	assert_int_equal(plan(), 0);
}

/* Its own failure domain is worth more than plenty of room; who is to go does not give it up, and waits. */
static void a_domain_of_its_own_comes_before_room(void **state)
{
	for (unsigned int lost = 0; lost < 2; lost++) {
		open_osds(4, 2);
		for (uint16_t id = 0; id < 4; id++)
			edit->osds[id].domain = id / 2;
		settle(2);
		edit->osds[0].weight = 0;
		say(1, FILL_NEARLY, 900);
		if (lost)
			mark_out(0);
		settle(lost ? 1 : 2);
		assert_int_equal(all_slots_of(0), lost ? 0 : 48);
		for (unsigned int i = 0; i < edit->pg_count; i++)
			assert_int_not_equal(edit->osds[edit->pgs[i].osd0].domain, edit->osds[edit->pgs[i].osd1].domain);
		if (!lost)
			mapedit_free(edit);
	}
}

static bool goes_to(const struct nacre_map_pg *g, uint16_t osd)
{
	int slot = nacre_pg_slot_of(g, osd);

	return slot >= 0 && !mapedit_is_in_sync(g, slot);
}

static unsigned int coming_to(uint16_t osd)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < edit->pg_count; i++)
		count += goes_to(&edit->pgs[i], osd);
	return count;
}

static void a_move_to_one_that_became_full_goes_back(void **state)
{
	open_osds(3, 2);
	add_osd(0x10000, 3);
	add_osd(0x10000, 4);
	say(4, FILL_NEARLY, 900);
	assert_int_equal(plan(), MOVING_MAX);
	assert_int_equal(coming_to(3), MOVING_MAX);
	say(3, FILL_NEARLY, 900);	/* what has begun goes on */
	assert_int_equal(plan(), 0);
	say(3, FILL_FULL, 1000);
	say(4, FILL_WELL, 0);
	/* the old members have everything, and get their places again; then others can go where there is room */
	assert_int_equal(plan(), 2 * MOVING_MAX);
	assert_int_equal(coming_to(3), 0);
	assert_int_equal(coming_to(4), MOVING_MAX);
	say(4, FILL_FULL, 1000);
	assert_int_equal(plan(), MOVING_MAX);
	assert_int_equal(plan(), 0);
	assert_int_equal(all_slots_of(3) + all_slots_of(4), 0);
	assert_even(3, 2);
}

/* Who is to go cannot be taken back: it waits, and is not in the way of others that move. */
static void what_waits_for_a_full_one_is_in_nobodys_way(void **state)
{
	open_osds(3, 1);
	edit->osds[0].weight = 0;
	say(2, FILL_NEARLY, 900);
	assert_int_equal(plan(), MOVING_MAX);
	say(1, FILL_FULL, 1000);
	assert_int_equal(plan(), 0);
	assert_int_equal(coming_to(1), MOVING_MAX);
	add_osd(0x10000, 3);
	assert_int_equal(plan(), MOVING_MAX);
	assert_int_equal(coming_to(1), 0);
	assert_int_equal(coming_to(3), MOVING_MAX);
}

/* A member that was away may lack little: only after long do others get its place. */
static void a_full_member_that_was_away_is_waited_for(void **state)
{
	open_osds(4, 2);
	assert_int_equal(mapedit_osd_down(edit, 1), 0);
	assert_int_equal(mapedit_osd_up(edit, 1, mapedit_new_instance(edit), 0, 0xffff7f000001, 7300), 0);
	say(1, FILL_FULL, 1000);
	assert_int_equal(plan(), 0);
	fills[1].full_for_long = true;
	settle(1);
	assert_int_equal(all_slots_of(1), 0);
	for (unsigned int i = 0; i < edit->pg_count; i++)
		assert_int_equal(edit->pgs[i].in_sync, 3);
	/* what is in sync stays, however full it is */
	say(2, FILL_FULL, 1000);
	fills[2].full_for_long = true;
	assert_int_equal(plan(), 0);
}

/* 96 groups, two members each, 2400 units: a group has 12 or 13. No more come at a time than half of the room is for. */
static void no_more_comes_than_there_is_room_for(void **state)
{
	open_osds(3, 2);
	for (unsigned int id = 0; id < 3; id++)
		say(id, FILL_WELL, 800);
	add_osd(0x10000, 3);
	say(3, FILL_WELL, 940);
	assert_int_equal(plan(), 1);
	assert_int_equal(coming_to(3), 1);
	assert_int_equal(plan(), 0);
	say(3, FILL_WELL, 880);
	assert_int_equal(plan(), 2);
	assert_int_equal(coming_to(3), 3);
	/* what is lost is made anew nevertheless */
	mark_out(0);
	plan();
	assert_int_equal(coming_to(1) + coming_to(2) + coming_to(3), MOVING_MAX);
}

/* Any weights, any fullness: it comes to rest, and then nothing is where it must not be. */
static void it_comes_to_rest_however_full_they_are(void **state)
{
	srand(17);
	for (unsigned int round = 0; round < 300; round++) {
		unsigned int replicas = 1 + (unsigned int)rand() % 4, osds = replicas + 1 + (unsigned int)rand() % 4;

		open_osds(osds, (uint8_t)replicas);
		for (unsigned int step = 0; step < 6; step++) {
			unsigned int osd = (unsigned int)rand() % osds;

			edit->osds[osd].weight = (uint32_t)(rand() % 3) << 16;
			say((unsigned int)rand() % osds, (enum fill_state)(rand() % 4), (uint64_t)(rand() % 1000));
			if (rand() % 2)
				plan();		/* and it changes again on the way */
			else
				settle_waiting(1);
		}
		for (unsigned int id = 0; id < osds; id++)
			say(id, FILL_WELL, 0);
		settle(replicas);
		mapedit_free(edit);
		edit = NULL;
	}
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
		cmocka_unit_test_teardown(four_replicas_move_too, teardown),
		cmocka_unit_test_teardown(nothing_moves_to_one_that_is_nearly_full, teardown),
		cmocka_unit_test_teardown(others_even_out_beside_one_that_is_nearly_full, teardown),
		cmocka_unit_test_teardown(an_emptied_one_waits_for_room, teardown),
		cmocka_unit_test_teardown(what_is_lost_is_made_anew_on_one_that_is_nearly_full, teardown),
		cmocka_unit_test_teardown(nothing_is_made_anew_where_all_are_full, teardown),
		cmocka_unit_test_teardown(a_domain_of_its_own_comes_before_room, teardown),
		cmocka_unit_test_teardown(a_move_to_one_that_became_full_goes_back, teardown),
		cmocka_unit_test_teardown(what_waits_for_a_full_one_is_in_nobodys_way, teardown),
		cmocka_unit_test_teardown(a_full_member_that_was_away_is_waited_for, teardown),
		cmocka_unit_test_teardown(no_more_comes_than_there_is_room_for, teardown),
		cmocka_unit_test_teardown(it_comes_to_rest_however_full_they_are, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
