// SPDX-License-Identifier: GPL-2.0
/*
 * Journal mode ordered with replicas: power goes in the middle of overwrites in place that nobody will repeat. What was acknowledged is
 * there; the rest may be old, new or mixed, but it is the same on all replicas, before and after the primary changes (OSD-2, OSD-3).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "osd_cluster_rig.h"
#include "server/base/mutate.h"
#include "server/osd/osd_core.h"
#include "tests/sim/sim_net.h"

#define LARGE (64u << 10)
#define INO 900u
#define SECTOR 512u

/* Memory of crashed daemons stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct cluster c;
static uint8_t bytes[LARGE];
static unsigned int stabilized;		/* ranges, in all histories */

static void kill_at(unsigned int i, uint64_t us)
{
	uint64_t now = c.world->now_ns;

	if (us)
		sim_run(c.world, now + us * SIM_NS_PER_US);
	cluster_osd_kill(&c.osds[i], SIM_CRASH_POWER);
}

static void restart(unsigned int i)
{
	sim_host_restart(c.osds[i].host);
	cluster_osd_start(&c.osds[i]);
}

/* Only these two values, by whole sectors; or the new one, if it was acknowledged. */
static bool is_right(const uint8_t *got, uint8_t old, uint8_t new, bool acked)
{
	uint32_t at, i;

	for (at = 0; at < LARGE; at += SECTOR) {
		if (got[at] != new && (acked || got[at] != old))
			return false;
		for (i = 1; i < SECTOR; i++)
			if (got[at + i] != got[at])
				return false;
	}
	return true;
}

static void count_stabilized(void)
{
	unsigned int i;

	for (i = 0; i < c.osd_count; i++)
		if (c.osds[i].osd)
			stabilized += (unsigned int)c.osds[i].osd->stats.stabilized;
}

/* An object that nothing in the journals speaks of, on all replicas. */
static void prepare(uint8_t value)
{
	int i;

	memset(bytes, value, LARGE);
	assert_int_equal(cluster_write(&c, INO, 0, bytes, LARGE), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(cluster_write(&c, INO + 1, 0, &i, sizeof(i)), 0);
		cluster_pass(&c, 3000);
	}
}

/* Do all serve, in sync, in good time? */
static bool becomes_clean(void)
{
	int i;

	for (i = 0; i < 1200 && !cluster_all_clean(&c); i++)
		cluster_pass(&c, 100);
	return cluster_all_clean(&c);
}

/* Reads the object. What cannot be read, and what is not right, counts. */
static unsigned int read_all(uint8_t *into, bool acked)
{
	size_t got = 0;

	if (cluster_read(&c, INO, into, LARGE, &got) || got != LARGE)
		return 1;
	return !is_right(into, 1, 2, acked);
}

/* How much is wrong. `compare`: also whether the stores differ; that would end the test. */
static unsigned int one_history(uint64_t seed, bool compare)
{
	static uint8_t first[LARGE], second[LARGE];
	struct sim_random dice = sim_random_from(seed);
	struct nacre_osd_request head = { .ino = INO };
	bool late = sim_below(&dice, 3) == 0, acked;
	unsigned int bad;
	uint16_t primary;

	memset(&c, 0, sizeof(c));
	c.journal_mode = NACRE_JOURNAL_ORDERED;
	cluster_start(&c, seed, 2, 2, 1);
	prepare(1);
	primary = cluster_primary(&c, INO);
	memset(bytes, 2, LARGE);
	cluster_raw_send(&c, primary, &head, NACRE_OSD_OP_WRITE, NULL, 0, bytes, LARGE);
	kill_at(primary, 100 + sim_below(&dice, 3000));
	kill_at(!primary, sim_below(&dice, 2) ? sim_below(&dice, 1500) : 0);
	acked = c.reply.came && !c.reply.result;
	cluster_pass(&c, 10);
	restart(primary);
	if (late)			/* it comes back out of sync, and is caught up */
		cluster_pass(&c, 20000);
	restart(!primary);
	if (!becomes_clean()) {
		cluster_end(&c);
		return 1;
	}
	bad = read_all(first, acked);
	if (compare)
		cluster_compare_replicas(&c);
	count_stabilized();
	cluster_osd_kill(&c.osds[primary], SIM_CRASH_KILL);
	cluster_pass(&c, 20000);
	bad += read_all(second, acked) || memcmp(first, second, LARGE);
	cluster_end(&c);
	return bad;
}

static unsigned int seeds(unsigned int usual)
{
	const char *wanted = getenv("SEEDS");

	return wanted ? (unsigned int)atoi(wanted) : usual;
}

static unsigned int histories(unsigned int count, bool compare)
{
	unsigned int bad = 0;
	uint64_t seed;

	stabilized = 0;
	for (seed = 1; seed <= count; seed++)
		bad += one_history(seed, compare);
	return bad;
}

static void test_what_is_torn_becomes_the_same_everywhere(void **state)
{
	assert_int_equal(histories(seeds(60), true), 0);
	print_message("%u ranges made the same\n", stabilized);
}

static void noticed(enum mutation mutation)
{
	mutate_set(mutation, true);
	assert_int_not_equal(histories(60, false), 0);
	mutate_set(mutation, false);
}

static void test_mutations_are_noticed(void **state)
{
	noticed(MUTATE_OSD_UNSTABLE_UNHEEDED);
	noticed(MUTATE_OSD_UNSTABLE_UNTOLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_torn_becomes_the_same_everywhere),
		cmocka_unit_test(test_mutations_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
