// SPDX-License-Identifier: GPL-2.0
/*
 * Journal mode ordered: which blocks are overwritten in place, that an intent is durable before, what a loss of power leaves at
 * every moment and what is said of it, and how it ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "osd_store_rig.h"
#include "server/base/mutate.h"
#include "server/osd/check.h"

#define LARGE (64u << 10)
#define LARGE_BLOCKS (LARGE / OSD_BLOCK_BYTES)
#define OBJECTS 3u

/* Memory of operations under way at a crash stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct rig rig;

static uint32_t put(uint64_t ino, uint64_t offset, size_t length, uint8_t value, bool wait)
{
	return rig_put(&rig, ino, offset, length, value, wait);
}

static int value_of(uint64_t ino, uint64_t offset, size_t length)
{
	return rig_value(&rig, ino, offset, length);
}

static void reopen(void)
{
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
}

/* Objects 1 to OBJECTS of two LARGEs with their number as value, which nothing in the journal speaks of. */
static void begin(void)
{
	uint64_t ino;

	rig.mode = &osd_journal_mode_ordered;
	for (ino = 1; ino <= OBJECTS; ino++)
		assert_int_equal(put(ino, 0, 2 * LARGE, (uint8_t)ino, true), 0);
	reopen();
	for (ino = 1; ino <= OBJECTS; ino++)
		assert_int_equal(value_of(ino, 0, 2 * LARGE), ino);
}

static int setup(void **state)
{
	rig_serve(&rig);
	begin();
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(&rig);
	return 0;
}

/* ---- where -------------------------------------------------------------------------------- */

static void test_under_load_the_place_stays(void **state)
{
	struct osd_store_stats *stats = rig.store->stats;
	uint64_t ino, places[OBJECTS + 1];

	for (ino = 1; ino <= OBJECTS; ino++)
		places[ino] = rig_place(&rig, ino, 0);
	for (ino = 1; ino <= OBJECTS; ino++)
		assert_int_equal(put(ino, 0, LARGE, (uint8_t)(10 + ino), ino == OBJECTS), 0);
	/* the first found the journal at rest: an intent would have cost a record of its own */
	assert_int_not_equal(rig_place(&rig, 1, 0), places[1]);
	for (ino = 2; ino <= OBJECTS; ino++)
		assert_int_equal(rig_place(&rig, ino, 0), places[ino]);
	assert_int_equal(stats->intents, OBJECTS - 1);
	assert_int_equal(stats->flushes_intents, 0);
	assert_int_equal(stats->bytes_in_place, (OBJECTS - 1) * LARGE);
	rig_pass(&rig, 1000);
	assert_int_equal(stats->bytes_data, OBJECTS * LARGE);	/* once */
	reopen();
	assert_true(TAILQ_EMPTY(&rig.store->intents.unstable));
	for (ino = 1; ino <= OBJECTS; ino++) {
		assert_int_equal(value_of(ino, 0, LARGE), 10 + ino);
		assert_int_equal(value_of(ino, LARGE, LARGE), ino);
	}
}

static void test_edges_go_to_fresh_blocks(void **state)
{
	uint64_t first = rig_place(&rig, 2, 0), second = rig_place(&rig, 2, 1);
	uint64_t last = rig_place(&rig, 2, LARGE_BLOCKS);

	put(1, 0, LARGE, 9, false);
	assert_int_equal(put(2, 100, LARGE, 12, true), 0);
	assert_int_not_equal(rig_place(&rig, 2, 0), first);
	assert_int_equal(rig_place(&rig, 2, 1), second);
	assert_int_not_equal(rig_place(&rig, 2, LARGE_BLOCKS), last);
	reopen();
	assert_int_equal(value_of(2, 0, 100), 2);
	assert_int_equal(value_of(2, 100, LARGE), 12);
	assert_int_equal(value_of(2, 100 + LARGE, LARGE - 100), 2);
}

/* OSD-4, REC-1: what a record that can be replayed speaks of stays as it is. */
static void test_what_can_be_replayed_is_not_overwritten(void **state)
{
	uint64_t place;

	put(1, 0, LARGE, 9, false);
	assert_int_equal(put(2, 0, LARGE, 12, true), 0);
	place = rig_place(&rig, 2, 0);
	put(1, 0, LARGE, 9, false);
	assert_int_equal(put(2, 0, LARGE, 13, true), 0);
	assert_int_not_equal(rig_place(&rig, 2, 0), place);
	rig.mode = &osd_journal_mode_data;
	assert_int_equal(put(3, 0, LARGE, 14, true), 0);
	place = rig_place(&rig, 3, 0);
	rig.mode = &osd_journal_mode_ordered;
	put(1, 0, LARGE, 9, false);
	assert_int_equal(put(3, 0, LARGE, 15, true), 0);
	assert_int_not_equal(rig_place(&rig, 3, 0), place);
	rig_crash(&rig, SIM_CRASH_POWER, 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	rig_pass(&rig, 1000);
	assert_int_equal(value_of(2, 0, LARGE), 13);
	assert_int_equal(value_of(3, 0, LARGE), 15);
}

/* The last block of an object, and what lies behind it, is not overwritten in place where zeros are to be. */
static void test_behind_the_end_nothing_is_overwritten(void **state)
{
	struct osd_store_stats *stats = rig.store->stats;

	put(1, 0, LARGE, 9, false);
	assert_int_equal(put(2, 2 * LARGE, LARGE, 12, true), 0);
	assert_int_equal(stats->intents, 0);
	assert_int_equal(value_of(2, 2 * LARGE, LARGE), 12);
}

static void test_many_share_a_record(void **state)
{
	struct osd_store_stats *stats = rig.store->stats;
	uint64_t i;

	put(1, 0, LARGE, 9, false);
	for (i = 0; i < 4; i++)
		put(2 + i % 2, i / 2 * LARGE, LARGE, (uint8_t)(20 + i), false);
	rig_pass(&rig, 15);
	assert_int_equal(rig.durable, rig.submitted);
	assert_int_equal(stats->intents, 4);
	assert_int_equal(stats->records, 2);
	assert_int_equal(stats->flushes_intents, 0);
}

static void test_alone_an_intent_has_its_record_if_that_is_wanted(void **state)
{
	uint64_t place = rig_place(&rig, 1, 0);

	rig.store->intents.alone = true;
	assert_int_equal(put(1, 0, LARGE, 9, true), 0);
	assert_int_equal(rig_place(&rig, 1, 0), place);
	assert_int_equal(rig.store->stats->flushes_intents, 1);
	assert_int_equal(value_of(1, 0, LARGE), 9);
}

/* ---- crashes -------------------------------------------------------------------------------- */

static unsigned int faults, unstable_seen, torn_seen;

static void on_fault(void *owner, enum osd_check_fault fault, const char *sentence)
{
	faults++;
}

static void on_checked(void *owner, int result)
{
	assert_int_equal(result, 0);
	*(bool *)owner = true;
}

static bool checked;

static bool is_checked(struct rig *r)
{
	return checked;
}

/* What a scrub of the store says: corrupt counts as a fault, unstable does not. */
static void scrub(void)
{
	struct osd_check_config config = {
		.store = rig.store, .deep = true, .fault = on_fault, .done = on_checked, .owner = &checked,
	};
	struct osd_check *check;

	rig_pass(&rig, 1000);
	checked = false;
	check = osd_check_start(&config);
	rig_until(&rig, is_checked);
	torn_seen += osd_check_counts(check)->unstable != 0;
	osd_check_free(check);
}

/* A block that is not unstable has its old value or the new one; which: ret_new. */
static bool block_is_good(uint64_t ino, uint32_t n, int old, int new, bool done)
{
	struct osd_object_key key = { ino, 0, NACRE_SNAP_HEAD, 1, 0 };
	int value;

	if (osd_intents_cover(&rig.store->intents, &key, n)) {
		unstable_seen++;
		return !done;
	}
	value = value_of(ino, (uint64_t)n * OSD_BLOCK_BYTES, OSD_BLOCK_BYTES);
	return value == new || (value == old && !done);
}

/*
 * All objects are overwritten, the second one twice, and the power goes after so many microseconds. What was acknowledged is there;
 * the rest is old, new, or said to be unstable; then it is written once more, and that is the end of that.
 */
static unsigned int crash_after(uint64_t us, uint64_t seed)
{
	unsigned int bad = 0;
	uint64_t ino;
	uint32_t n;
	bool done;

	rig_create(&rig, seed, 24ull << 20, 4 << 20);
	assert_int_equal(rig_format(&rig, false), 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	rig.lone_intents = seed % 2;
	begin();
	for (ino = 1; ino <= OBJECTS; ino++)
		put(ino, 100, LARGE, (uint8_t)(10 + ino), false);
	put(2, LARGE, LARGE, 22, false);
	sim_run(rig.world, rig.world->now_ns + us * SIM_NS_PER_US);
	done = rig.durable == rig.submitted;
	rig_crash(&rig, SIM_CRASH_POWER, 2);
	rig.durable = rig.submitted;	/* what has not come by now does not come */
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	faults = 0;
	scrub();
	bad += faults;
	for (ino = 1; ino <= OBJECTS; ino++)
		for (n = 1; n < LARGE_BLOCKS; n++)
			bad += !block_is_good(ino, n, (int)ino, 10 + (int)ino, done);
	for (n = LARGE_BLOCKS + 1; n < 2 * LARGE_BLOCKS; n++)
		bad += !block_is_good(2, n, 2, 22, done);
	for (ino = 1; ino <= OBJECTS; ino++)
		put(ino, 0, 2 * LARGE, (uint8_t)(30 + ino), true);
	bad += !TAILQ_EMPTY(&rig.store->intents.unstable);
	reopen();
	bad += !TAILQ_EMPTY(&rig.store->intents.unstable);
	for (ino = 1; ino <= OBJECTS; ino++)
		bad += value_of(ino, 0, 2 * LARGE) != 30 + (int)ino;
	rig_destroy(&rig);
	return bad;
}

static unsigned int crash_at_all_times(void)
{
	unsigned int bad = 0, us, seed;

	unstable_seen = torn_seen = 0;
	for (seed = 1; seed <= 6; seed++)
		for (us = 0; us < 6000; us += 100)
			bad += crash_after(us, seed * 10000 + us + seed % 2);
	return bad;
}

static void test_a_crash_leaves_old_or_new_or_unstable(void **state)
{
	assert_int_equal(crash_at_all_times(), 0);
	print_message("%u blocks unstable, %u times torn\n", unstable_seen, torn_seen);
	assert_true(unstable_seen > 100 && torn_seen > 10);
}

static void noticed(enum mutation mutation)
{
	mutate_set(mutation, true);
	assert_int_not_equal(crash_at_all_times(), 0);
	mutate_set(mutation, false);
}

static void test_mutations_are_noticed(void **state)
{
	noticed(MUTATE_OSD_INTENT_SKIPPED);
	noticed(MUTATE_OSD_INTENT_UNAWAITED);
	noticed(MUTATE_OSD_DATA_UNFLUSHED);
}

/* Unstable blocks are not corrupt, and nobody reads them as if they were good; damage elsewhere is corrupt. */
static void test_unstable_and_corrupt_are_told_apart(void **state)
{
	struct osd_disk_intent intent = { .ino = 2, .snap = NACRE_SNAP_HEAD, .pool = 1 };
	struct osd_disk_blocks run = { .first = 3, .count = 1 };
	uint8_t block[OSD_BLOCK_BYTES] = { 1 };
	struct mem_bytes blocks = { 0 }, value = { 0 };
	struct osd_key key;
	uint32_t n;

	osd_disk_append(&blocks, osd_disk_blocks_desc(), &run);
	intent.blocks = blocks.at;
	intent.blocks_bytes = (uint32_t)blocks.length;
	osd_disk_append(&value, osd_disk_intent_desc(), &intent);
	osd_key_intent(&key, 1, 0);
	assert_int_equal(osd_intents_load(&rig.store->intents, key.bytes, key.length, value.at,
					  (uint32_t)value.length), 0);
	for (n = 3; n < 5; n++)
		sim_disk_poke(rig.disk, rig.store->super.data_offset + rig_place(&rig, 2, n) * OSD_BLOCK_BYTES,
			      block, sizeof(block));
	faults = torn_seen = 0;
	scrub();
	assert_int_equal(faults, 1);
	assert_int_equal(torn_seen, 1);
	assert_int_equal(rig.store->stats->checksum_errors, 0);
	assert_int_equal(value_of(2, 3 * OSD_BLOCK_BYTES, OSD_BLOCK_BYTES), -2);
	assert_int_equal(rig.store->stats->checksum_errors, 0);
	assert_int_equal(value_of(2, 4 * OSD_BLOCK_BYTES, OSD_BLOCK_BYTES), -2);
	assert_int_equal(rig.store->stats->checksum_errors, 1);
	/* a part of it: what it should be is not known, so nothing is told apart; wholly: it is known again */
	assert_int_equal(put(2, 3 * OSD_BLOCK_BYTES, OSD_BLOCK_BYTES, 7, true), 0);
	assert_true(TAILQ_EMPTY(&rig.store->intents.unstable));
	assert_int_equal(value_of(2, 3 * OSD_BLOCK_BYTES, OSD_BLOCK_BYTES), 7);
	value.at[0] ^= 1;
	assert_int_equal(osd_intents_load(&rig.store->intents, key.bytes, key.length, value.at, 5), -EBADMSG);
	mem_bytes_free(&blocks);
	mem_bytes_free(&value);
}

/* REC-1: the payload of what is not known to be committed is read again from where it was overwritten. */
static void test_payloads_are_read_again(void **state)
{
	size_t i;

	rig.numbered = true;
	put(1, 0, LARGE, 7, false);
	put(2, 0, LARGE, 8, true);
	assert_int_equal(rig.store->stats->intents, 1);
	put(1, LARGE, LARGE, 9, false);
	put(2, 0, LARGE, 10, true);	/* not over it */
	rig_crash(&rig, SIM_CRASH_KILL, 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.payloads.length, 4 * LARGE);
	for (i = 0; i < rig.payloads.length; i++)
		assert_int_equal(rig.payloads.at[i], 7 + i / LARGE);
	rig.numbered = false;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_under_load_the_place_stays),
		CASE(test_edges_go_to_fresh_blocks),
		CASE(test_what_can_be_replayed_is_not_overwritten),
		CASE(test_behind_the_end_nothing_is_overwritten),
		CASE(test_many_share_a_record),
		CASE(test_alone_an_intent_has_its_record_if_that_is_wanted),
		cmocka_unit_test(test_a_crash_leaves_old_or_new_or_unstable),
		cmocka_unit_test(test_mutations_are_noticed),
		CASE(test_unstable_and_corrupt_are_told_apart),
		CASE(test_payloads_are_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
