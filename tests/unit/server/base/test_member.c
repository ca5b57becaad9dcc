// SPDX-License-Identifier: GPL-2.0
/*
 * Members: joining at once, changing the map, restarts, namesakes, fencing, ranks and
 * standbys.
 */
#include "members.h"

/* ---- joining -------------------------------------------------------------------------------- */

static void all_join_at_once(void **state)
{
	struct fixture f;

	setup(&f, 3, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	for (uint16_t i = 0; i < 3; i++)
		start(&f, 1 + i, NACRE_ROLE_OSD, i);
	for (int i = 0; i < 4; i++)
		run_until_set(f.io, &f.d[i].joined);
	run_ms(f.io, 150);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(f.d[i].epoch, 5);
		assert_int_equal(member_map(f.d[i].member)->view.epoch, 5);
		for (int j = 0; j < i; j++)
			assert_true(f.d[i].instance != f.d[j].instance);
	}
	for (uint32_t i = 0; i < 3; i++) {
		struct nacre_map_osd osd = osd_row(&f, 0, i);

		assert_int_equal(osd.flags, NACRE_OSD_UP | NACRE_OSD_IN);
		assert_int_equal(osd.instance, f.d[1 + i].instance);
		assert_int_equal(osd.store_lo, 100 + i);
		assert_int_equal(osd.address_hi, 0);
		assert_true(osd.address_lo == 0xffff0a010203ull);
		assert_int_equal(osd.port, 7301 + i);
	}
	assert_int_equal(rank_row(&f, 1, 0).state, NACRE_RANK_REPLAY);
	assert_int_equal(rank_row(&f, 1, 0).incarnation, 1);
	assert_int_equal(rank_row(&f, 1, 0).instance, f.d[0].instance);
	assert_int_equal(member_rank(f.d[0].member), 0);
	assert_int_equal(member_rank(f.d[1].member), -1);
	teardown(&f);
}

static void what_cannot_join_says_why(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 7);
	run_until_set(f.io, &f.d[0].failed);
	assert_string_equal(f.d[0].reason, "the map has no OSD 7: it has 2");
	start(&f, 1, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[1].joined);
	leave(&f, 1);
	start_with_store(&f, 1, NACRE_ROLE_OSD, 0, 555);
	run_until_set(f.io, &f.d[1].failed);
	assert_non_null(strstr(f.d[1].reason, "another store"));
	/* a store without a map */
	snprintf(f.url, sizeof(f.url), "dir:/tmp");
	start(&f, 2, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[2].failed);
	assert_int_equal(f.d[2].result, -ENOENT);
	assert_non_null(strstr(f.d[2].reason, "mkfs.nacre"));
	teardown(&f);
}

static void a_namesake_that_lives_is_not_pushed_out(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[0].joined);
	start(&f, 1, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[1].failed);
	assert_int_equal(f.d[1].result, -EBUSY);
	assert_non_null(strstr(f.d[1].reason, "another osd0 is running"));
	assert_false(f.d[0].fenced);
	assert_int_equal(f.d[0].epoch, 2);
	teardown(&f);
}

/* A restart: new instance, the old one dead, the in-sync sets as they were, new intervals. */
static void a_restarted_osd_keeps_its_place(void **state)
{
	uint64_t first;
	struct fixture f;
	struct nacre_map_pg pg;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	start(&f, 1, NACRE_ROLE_OSD, 1);
	run_until_set(f.io, &f.d[0].joined);
	run_until_set(f.io, &f.d[1].joined);
	first = f.d[0].instance;
	crash(&f, 0);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[0].joined);
	assert_true(f.d[0].instance > first);
	assert_true(nacre_map_is_dead(&member_map(f.d[0].member)->view, first));
	assert_false(nacre_map_is_dead(&member_map(f.d[0].member)->view, f.d[0].instance));
	assert_int_equal(nacre_map_pg_at(&member_map(f.d[0].member)->view, 1, 5, &pg), 0);
	assert_int_equal(pg.in_sync, 3);
	assert_int_equal(pg.interval, f.d[0].epoch);
	teardown(&f);
}

/* ---- fencing -------------------------------------------------------------------------------- */

static int kill_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	return mapedit_kill(next, *(uint64_t *)owner);
}

static void on_changed(void *owner, int result)
{
	assert_int_equal(result, 0);
}

static void a_dead_instance_stops_serving(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	start(&f, 1, NACRE_ROLE_OSD, 1);
	run_until_set(f.io, &f.d[0].joined);
	run_until_set(f.io, &f.d[1].joined);
	assert_true(member_lease_valid(f.d[0].member));
	member_change_map(f.d[1].member, kill_edit, on_changed, &f.d[0].instance);
	run_until_set(f.io, &f.d[0].fenced);
	assert_non_null(strstr(f.d[0].reason, "is dead in map"));
	assert_false(f.d[1].fenced);
	teardown(&f);
}

/* The process does not run for longer than its lease: it may not answer afterwards. */
static void a_stopped_process_fences_itself(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[0].joined);
	usleep(LEASE_MS * 1000 + 50000);
	assert_false(member_lease_valid(f.d[0].member));
	run_until_set(f.io, &f.d[0].fenced);
	/* and may come back as somebody new */
	crash(&f, 0);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[0].joined);
	teardown(&f);
}

/* ---- changes -------------------------------------------------------------------------------- */

struct adding {
	unsigned int tries, done;
	int result;
};

static int add_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	struct adding *adding = owner;

	adding->tries++;
	next->osds[1].weight++;
	return 0;
}

static int no_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	return -EALREADY;
}

static void on_added(void *owner, int result)
{
	struct adding *adding = owner;

	adding->result = result;
	adding->done++;
}

static bool all_added(void *arg)
{
	struct adding *adding = arg;

	return adding[0].done == 10 && adding[1].done == 10 && adding[2].done == 10;
}

/* Three members add to one number, ten times each at once: none is lost. */
static void racing_changes_all_count(void **state)
{
	struct adding adding[3] = { 0 }, none = { 0 };
	struct fixture f;
	uint32_t before;

	setup(&f, 3, 2, 1);
	for (uint16_t i = 0; i < 3; i++)
		start(&f, i, NACRE_ROLE_OSD, i);
	for (int i = 0; i < 3; i++)
		run_until_set(f.io, &f.d[i].joined);
	before = osd_row(&f, 0, 1).weight;
	for (int n = 0; n < 10; n++)
		for (int i = 0; i < 3; i++)
			member_change_map(f.d[i].member, add_edit, on_added, &adding[i]);
	run_until(f.io, all_added, adding);
	run_ms(f.io, 120);
	for (int i = 0; i < 3; i++)
		assert_int_equal(osd_row(&f, i, 1).weight, before + 30);
	assert_true(adding[0].tries + adding[1].tries + adding[2].tries > 30);
	member_change_map(f.d[0].member, no_edit, on_added, &none);
	run_ms(f.io, 20);
	assert_int_equal(none.done, 1);
	assert_int_equal(none.result, -EALREADY);
	teardown(&f);
}

/* ---- ranks ---------------------------------------------------------------------------------- */

static bool holds_rank(void *arg)
{
	struct member *member = arg;

	return member_rank(member) == 0;
}

static void a_standby_takes_over_a_rank(void **state)
{
	struct nacre_map_rank rank;
	struct fixture f;
	uint64_t old;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	start(&f, 1, NACRE_ROLE_MDS, 1);
	run_until_set(f.io, &f.d[1].joined);
	assert_int_equal(member_rank(f.d[1].member), -1);
	/* it leaves: free at once */
	old = f.d[0].instance;
	leave(&f, 0);
	run_until(f.io, holds_rank, f.d[1].member);
	rank = rank_row(&f, 1, 0);
	assert_int_equal(rank.incarnation, 2);
	assert_int_equal(rank.state, NACRE_RANK_REPLAY);
	assert_int_equal(rank.instance, f.d[1].instance);
	assert_true(nacre_map_is_dead(&member_map(f.d[1].member)->view, old));
	/* it dies: free when its lease has ended */
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	run_ms(f.io, 200);
	assert_int_equal(member_rank(f.d[0].member), -1);
	old = f.d[1].instance;
	crash(&f, 1);
	run_until(f.io, holds_rank, f.d[0].member);
	assert_int_equal(rank_row(&f, 0, 0).incarnation, 3);
	assert_true(nacre_map_is_dead(&member_map(f.d[0].member)->view, old));
	teardown(&f);
}

static void a_restarted_mds_takes_its_rank_again(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	crash(&f, 0);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	assert_int_equal(member_rank(f.d[0].member), 0);
	assert_int_equal(rank_row(&f, 0, 0).incarnation, 2);
	teardown(&f);
}

/* Another daemon may take the rank of one whose process has ended, and fences it by the same map. */
static void the_rank_of_a_dead_process_is_free(void **state)
{
	struct fixture f;
	uint64_t old;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	old = f.d[0].instance;
	crash(&f, 0);
	start(&f, 1, NACRE_ROLE_MDS, 1);
	run_until_set(f.io, &f.d[1].joined);
	assert_int_equal(member_rank(f.d[1].member), 0);
	assert_true(nacre_map_is_dead(&member_map(f.d[1].member)->view, old));
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_join_at_once),
		cmocka_unit_test(what_cannot_join_says_why),
		cmocka_unit_test(a_namesake_that_lives_is_not_pushed_out),
		cmocka_unit_test(a_restarted_osd_keeps_its_place),
		cmocka_unit_test(a_dead_instance_stops_serving),
		cmocka_unit_test(a_stopped_process_fences_itself),
		cmocka_unit_test(racing_changes_all_count),
		cmocka_unit_test(a_standby_takes_over_a_rank),
		cmocka_unit_test(a_restarted_mds_takes_its_rank_again),
		cmocka_unit_test(the_rank_of_a_dead_process_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
