// SPDX-License-Identifier: GPL-2.0
/*
 * Groups move to other OSDs: the coordinator plans, the primary fills the new member and lets the old one go, who removes what
 * it has; while clients write, while daemons die.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "osd_cluster_rig.h"

/* Memory of crashed daemons stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

#define FIRST 900u
#define FILES 60u

static struct cluster c;
static uint16_t target;			/* of edits */
static uint32_t weight;

static int teardown(void **state)
{
	cluster_end(&c);
	memset(&c, 0, sizeof(c));
	return 0;
}

static int weigh(struct cluster *cluster, struct mapedit *next)
{
	next->osds[target].weight = weight;
	return 0;
}

static void set_weight(uint16_t osd, uint32_t to)
{
	target = osd;
	weight = to;
	cluster_edit(&c, weigh);
}

static void write_all(const char *what)
{
	char text[64];
	uint64_t ino;

	for (ino = FIRST; ino < FIRST + FILES; ino++) {
		snprintf(text, sizeof(text), "%s of %u", what, (unsigned int)ino);
		assert_int_equal(cluster_write(&c, ino, 0, text, sizeof(text)), 0);
	}
}

static void expect_all(const char *what)
{
	char text[64], got[64];
	size_t length;
	uint64_t ino;

	for (ino = FIRST; ino < FIRST + FILES; ino++) {
		snprintf(text, sizeof(text), "%s of %u", what, (unsigned int)ino);
		assert_int_equal(cluster_read(&c, ino, got, sizeof(got), &length), 0);
		assert_int_equal(length, sizeof(got));
		assert_string_equal(got, text);
	}
}

static unsigned int slots_of(uint16_t osd)
{
	struct nacre_map_pg row;
	unsigned int count = 0;

	cluster_refresh(&c);
	for (uint32_t pool = 0; pool < 2; pool++)
		for (uint32_t pg = 0; pg < CLUSTER_PGS; pg++)
			count += !nacre_map_pg_at(&c.map->view, pool, pg, &row) && nacre_pg_slot_of(&row, osd) >= 0;
	return count;
}

static uint64_t objects_of(uint16_t osd)
{
	return osd_store_space(c.osds[osd].osd->store).objects;
}

static bool has_left(struct cluster *cluster)
{
	return cluster->osds[target].serving && !slots_of(target) && !objects_of(target) && cluster_all_clean(cluster);
}

/* Everybody has a share again: even in each of the two pools. */
static bool has_returned(struct cluster *cluster)
{
	unsigned int share = 2 * CLUSTER_PGS * cluster->replicas / cluster->osd_count;

	for (uint16_t id = 0; id < cluster->osd_count; id++)
		if (slots_of(id) + 1 < share || slots_of(id) > share + 2)
			return false;
	return cluster_all_clean(cluster);
}

static void test_an_osd_without_weight_is_emptied(void **state)
{
	cluster_start(&c, 1, 4, 2, 1);
	write_all("first");
	assert_true(objects_of(2) > 0);
	set_weight(2, 0);
	cluster_until(&c, has_left, 120, "it has nothing any more");
	expect_all("first");
	cluster_compare_replicas(&c);
	write_all("second");
	/* and back: filled anew, whatever it knew before */
	set_weight(2, 0x10000);
	cluster_until(&c, has_returned, 120, "it has its share again");
	expect_all("second");
	cluster_compare_replicas(&c);
}

static void test_writes_go_on_while_groups_move(void **state)
{
	char text[64];
	unsigned int round = 0;

	cluster_start(&c, 2, 4, 3, 2);
	write_all("first");
	set_weight(0, 0);
	while (!has_left(&c)) {
		snprintf(text, sizeof(text), "round %u", ++round);
		write_all(text);
		assert_true(round < 2000);
	}
	assert_true(round > 1);
	expect_all(text);
	cluster_compare_replicas(&c);
}

/* With one replica the old member is primary until the new one has everything. */
static void test_a_single_replica_moves(void **state)
{
	cluster_start(&c, 3, 3, 1, 1);
	write_all("only");
	set_weight(1, 0);
	cluster_until(&c, has_left, 120, "it has nothing any more");
	expect_all("only");
}

static void pass_and_kill(uint16_t osd, uint64_t after_ms)
{
	cluster_pass(&c, after_ms);
	cluster_osd_kill(&c.osds[osd], SIM_CRASH_POWER);
	cluster_pass(&c, 3000);
	sim_host_restart(c.osds[osd].host);
	cluster_osd_start(&c.osds[osd]);
}

/* Whoever dies at whatever moment of it: it goes on, and nothing is lost. */
static void test_deaths_on_the_way(void **state)
{
	for (uint16_t osd = 0; osd < 4; osd++)
		for (uint64_t after = 1; after < 3000; after = after * 3 + 20) {
			cluster_start(&c, 100 + after + osd, 4, 2, 1);
			write_all("first");
			set_weight(1, 0);
			pass_and_kill(osd, after);
			cluster_until(&c, cluster_all_serve, 60, "it serves again");
			write_all("second");
			cluster_until(&c, has_left, 200, "it has nothing any more");
			expect_all("second");
			cluster_compare_replicas(&c);
			teardown(state);
		}
	cluster_start(&c, 1, 1, 1, 1);		/* for teardown */
}

/*
 * Groups come back to an OSD that is about to remove what it has of them, at any moment of that, and go again. Found by the
 * simulator: the log must go each time before the objects, and a member without a log may have objects.
 */
static void test_groups_that_come_back_at_any_moment(void **state)
{
	char text[64];

	for (uint64_t seed = 0; seed < 12; seed++) {
		c.log_keep = 64;
		cluster_start(&c, 300 + seed, 3, 2, 1);
		for (unsigned int turn = 0; turn < 14; turn++) {
			snprintf(text, sizeof(text), "turn %u", turn);
			write_all(text);
			set_weight(turn % 3, turn % 2 ? 0x10000 : 0);
			cluster_pass(&c, sim_below(&c.world->random, 900));
			set_weight((turn + 1) % 3, 0x10000);
			set_weight((turn + 2) % 3, 0x10000);
			set_weight(turn % 3, 0x10000);
			cluster_pass(&c, sim_below(&c.world->random, 500));
		}
		cluster_until(&c, has_returned, 200, "all is even again");
		expect_all(text);
		cluster_compare_replicas(&c);
		if (seed < 11)
			teardown(state);
	}
}

/* It was let go while it did not run: what it has is found when it starts. */
static void test_strays_are_found_at_the_start(void **state)
{
	cluster_start(&c, 5, 4, 2, 1);
	write_all("first");
	cluster_osd_kill(&c.osds[3], SIM_CRASH_KILL);
	target = 3;
	set_weight(3, 0);
	for (int i = 0; i < 60 && slots_of(3); i++)
		cluster_pass(&c, 1000);
	assert_int_equal(slots_of(3), 0);
	sim_host_restart(c.osds[3].host);
	cluster_osd_start(&c.osds[3]);
	cluster_until(&c, has_left, 120, "it has nothing any more");
	assert_true(c.osds[3].osd->stats.strays_removed > 0);
	expect_all("first");
	cluster_compare_replicas(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_an_osd_without_weight_is_emptied, teardown),
		cmocka_unit_test_teardown(test_writes_go_on_while_groups_move, teardown),
		cmocka_unit_test_teardown(test_a_single_replica_moves, teardown),
		cmocka_unit_test_teardown(test_deaths_on_the_way, teardown),
		cmocka_unit_test_teardown(test_groups_that_come_back_at_any_moment, teardown),
		cmocka_unit_test_teardown(test_strays_are_found_at_the_start, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
