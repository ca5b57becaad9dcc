// SPDX-License-Identifier: GPL-2.0
/* Pools whose journal mode and least direct write change while they are used, and replicas that do not agree on it (decision 0020). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "osd_cluster_rig.h"
#include "server/osd/journal_mode.h"
#include "server/osd/osd_core.h"

#define LARGE (64u << 10)
#define INO 900u

/* Memory of crashed daemons stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct cluster c;
static uint8_t bytes[LARGE];
static uint8_t next_mode;
static uint16_t next_units;

static int journal_otherwise(struct cluster *c, struct mapedit *next)
{
	return mapedit_pool_journal(next, NACRE_POOL_DATA, next_mode, next_units);
}

/* All OSDs have heard of it. */
static void change_pool(uint8_t mode, uint16_t units)
{
	next_mode = mode;
	next_units = units;
	cluster_edit(&c, journal_otherwise);
	cluster_pass(&c, 3000);
	cluster_refresh(&c);
}

static uint64_t bytes_direct(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < c.osd_count; i++)
		sum += c.osds[i].osd->store->stats->bytes_direct;
	return sum;
}

/* Bytes written directly, on both replicas, by a write of LARGE. */
static uint64_t write_one(uint8_t value)
{
	uint64_t before = bytes_direct();

	memset(bytes, value, LARGE);
	assert_int_equal(cluster_write(&c, INO, 0, bytes, LARGE), 0);
	return bytes_direct() - before;
}

static void test_a_pool_may_change_its_mode_at_any_time(void **state)
{
	uint8_t back[LARGE];
	size_t got = 0;

	memset(&c, 0, sizeof(c));
	cluster_start(&c, 1, 2, 2, 1);
	assert_int_equal(write_one(1), 0);
	change_pool(NACRE_JOURNAL_COW, LARGE / NACRE_DIRECT_UNIT);
	assert_int_equal(write_one(2), 2 * LARGE);
	change_pool(NACRE_JOURNAL_COW, LARGE / NACRE_DIRECT_UNIT + 1);
	assert_int_equal(write_one(3), 0);
	change_pool(NACRE_JOURNAL_ORDERED, 1);
	assert_int_equal(write_one(4), 2 * LARGE);
	change_pool(NACRE_JOURNAL_COW, 0);	/* as the OSD does: every one of this rig, from the first block on */
	assert_int_equal(write_one(5), 2 * LARGE);
	change_pool(NACRE_JOURNAL_DATA, 1);
	assert_int_equal(write_one(6), 0);
	assert_int_equal(cluster_read(&c, INO, back, LARGE, &got), 0);
	assert_memory_equal(back, bytes, LARGE);
	cluster_compare_replicas(&c);
	cluster_end(&c);
}

/* A member that has not heard of the new map executes the request in the mode it knows. */
static void test_replicas_may_differ_in_their_mode(void **state)
{
	struct pg *pg;
	unsigned int i, osd;
	uint8_t value = 10;

	memset(&c, 0, sizeof(c));
	cluster_start(&c, 2, 2, 2, 1);
	for (i = 0; i < 9; i++) {
		for (osd = 0; osd < 2; osd++) {
			pg = pg_find(c.osds[osd].osd, NACRE_POOL_DATA, cluster_pg(&c, INO));
			pg->mode = osd_journal_mode_find((uint8_t)(osd ? i / 3 : i % 3));
			pg->direct_blocks = osd;
		}
		write_one(value++);
		cluster_compare_replicas(&c);
	}
	cluster_osd_kill(&c.osds[0], SIM_CRASH_POWER);
	cluster_osd_kill(&c.osds[1], SIM_CRASH_POWER);
	cluster_pass(&c, 10);
	for (i = 0; i < 2; i++) {
		sim_host_restart(c.osds[i].host);
		cluster_osd_start(&c.osds[i]);
	}
	cluster_until(&c, cluster_all_clean, 120, "to be clean");
	cluster_compare_replicas(&c);
	assert_int_equal(cluster_read(&c, INO, bytes, LARGE, &(size_t){ 0 }), 0);
	assert_int_equal(bytes[0], value - 1);
	cluster_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pool_may_change_its_mode_at_any_time),
		cmocka_unit_test(test_replicas_may_differ_in_their_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
