// SPDX-License-Identifier: GPL-2.0
/*
 * Journal mode cow: what is written once, what is durable before what, which blocks may be written when, and what
 * happens when there is no room. The random histories of test_store_crash.c have it, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "osd_store_rig.h"
#include "server/base/mutate.h"

#define KIB 1024u
#define LARGE (64 * KIB)
#define LARGE_BLOCKS (LARGE / OSD_BLOCK_BYTES)

/* Memory of operations under way at a crash stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct rig rig;

static int setup(void **state)
{
	rig_serve(&rig);
	rig.mode = &osd_journal_mode_cow;
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(&rig);
	return 0;
}

static uint32_t put(uint64_t ino, uint64_t offset, size_t length, uint8_t value, bool wait)
{
	return rig_put(&rig, ino, offset, length, value, wait);
}

static uint32_t op(uint64_t ino, enum nacre_osd_op_code code, uint16_t flags, uint64_t offset, uint64_t length,
		   bool wait)
{
	struct rig_request r;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, code, flags, NULL, 0, NULL, 0, offset, length);
	return rig_run(&rig, &r, NULL, wait);
}

static int value_of(uint64_t ino, uint64_t offset, size_t length)
{
	return rig_value(&rig, ino, offset, length);
}

static uint64_t place_of(uint64_t ino, uint32_t n)
{
	return rig_place(&rig, ino, n);
}

static void reopen(void)
{
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
}

/* ---- once --------------------------------------------------------------------------------- */

static void test_large_writes_are_written_once(void **state)
{
	struct osd_store_stats *stats = rig.store->stats;

	assert_int_equal(put(1, 0, LARGE, 7, true), 0);
	assert_int_equal(put(1, 0, LARGE, 8, true), 0);
	rig_pass(&rig, 1000);
	assert_int_equal(stats->bytes_direct, 2 * LARGE);
	assert_int_equal(stats->bytes_data, 2 * LARGE);
	assert_true(stats->bytes_journal <= 4 * OSD_BLOCK_BYTES);
	assert_int_equal(value_of(1, 0, LARGE), 8);
	reopen();
	assert_int_equal(value_of(1, 0, LARGE), 8);
}

static void test_small_writes_go_through_the_journal(void **state)
{
	uint64_t place;

	assert_int_equal(put(1, 0, LARGE, 7, true), 0);
	reopen();		/* nothing can be replayed any more */
	assert_int_equal(value_of(1, 0, LARGE), 7);
	place = place_of(1, 1);
	assert_int_equal(put(1, 4096, 4096, 8, true), 0);
	assert_int_equal(rig.store->stats->bytes_direct, 0);
	assert_int_equal(place_of(1, 1), place);
	assert_int_equal(value_of(1, 4096, 4096), 8);
	assert_int_equal(value_of(1, 8192, LARGE - 8192), 7);
}

static void test_edges_are_merged(void **state)
{
	assert_int_equal(put(1, 0, 2 * LARGE, 7, true), 0);
	assert_int_equal(put(1, 1000, LARGE, 8, true), 0);
	reopen();
	assert_int_equal(value_of(1, 0, 1000), 7);
	assert_int_equal(value_of(1, 1000, LARGE), 8);
	assert_int_equal(value_of(1, 1000 + LARGE, LARGE - 1000), 7);
}

static void test_a_flush_is_shared(void **state)
{
	uint64_t before = rig.store->stats->flushes, ino;

	for (ino = 1; ino <= 32; ino++)
		assert_int_equal(put(ino, 0, LARGE, 7, false), 0);
	rig_pass(&rig, 15);	/* before write-back */
	assert_int_equal(rig.durable, rig.submitted);
	assert_true(rig.store->stats->flushes - before < 32);
}

/* ---- crashes -------------------------------------------------------------------------------- */

#define ABSENT (-9)

static bool is_one_of(uint64_t ino, size_t length, int a, int b, int c)
{
	bool absent = op(ino, NACRE_OSD_OP_STAT, 0, 0, 0, true) == ENOENT;
	int value = absent ? ABSENT : value_of(ino, 0, length);

	return value == a || value == b || value == c;
}

/*
 * Three objects of one value each. All of them are overwritten, one is deleted, one cut and one zeroed, without waiting, and the power
 * goes after so many microseconds. Each must be as before or as at some later moment. How many are not?
 */
static unsigned int crash_after(uint64_t us, uint64_t seed)
{
	unsigned int bad = 0;
	bool done;

	rig_create(&rig, seed, 24ull << 20, 4 << 20);
	rig.mode = &osd_journal_mode_cow;
	assert_int_equal(rig_format(&rig, false), 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	put(1, 0, LARGE, 1, true);
	put(2, 0, LARGE, 2, true);
	put(3, 0, LARGE, 3, true);
	reopen();
	put(1, 0, LARGE, 11, false);
	op(2, NACRE_OSD_OP_DELETE, 0, 0, 0, false);
	op(3, NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OPF_ZERO, 0, LARGE, false);
	put(3, 0, LARGE, 13, false);
	put(4, 0, 2 * LARGE, 4, false);
	rig_pass(&rig, 0);
	sim_run(rig.world, rig.world->now_ns + us * SIM_NS_PER_US);
	done = rig.durable == rig.submitted;
	rig_crash(&rig, SIM_CRASH_POWER, 2);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	bad += !is_one_of(1, LARGE, 11, done ? 11 : 1, 11);
	bad += !is_one_of(2, LARGE, ABSENT, done ? ABSENT : 2, ABSENT);
	bad += !is_one_of(3, LARGE, 13, done ? 13 : 3, done ? 13 : 0);
	bad += !is_one_of(4, 2 * LARGE, 4, done ? 4 : ABSENT, 4);
	rig_destroy(&rig);
	return bad;
}

static unsigned int crash_at_all_times(void)
{
	unsigned int bad = 0, us, seed;

	for (seed = 1; seed <= 8; seed++)
		for (us = 0; us < 4000; us += 50)
			bad += crash_after(us, seed * 10000 + us);
	return bad;
}

static void test_a_crash_leaves_old_or_new(void **state)
{
	assert_int_equal(crash_at_all_times(), 0);
}

static void test_mutations_are_noticed(void **state)
{
	mutate_set(MUTATE_OSD_DATA_UNFLUSHED, true);
	assert_int_not_equal(crash_at_all_times(), 0);
	mutate_set(MUTATE_OSD_DATA_UNFLUSHED, false);
	mutate_set(MUTATE_OSD_REUSE_EARLY, true);
	assert_int_not_equal(crash_at_all_times(), 0);
	mutate_set(MUTATE_OSD_REUSE_EARLY, false);
}

/* ---- which blocks ------------------------------------------------------------------------------ */

static bool is_among(uint64_t ino, uint64_t first, uint32_t count)
{
	uint32_t n;

	for (n = 0; n < LARGE_BLOCKS; n++)
		if (place_of(ino, n) >= first && place_of(ino, n) < first + count)
			return true;
	return false;
}

static void test_what_was_given_back_rests(void **state)
{
	uint64_t first;

	assert_int_equal(put(1, 0, LARGE, 7, true), 0);
	first = place_of(1, 0);
	assert_int_equal(op(1, NACRE_OSD_OP_DELETE, 0, 0, 0, true), 0);
	rig.store->alloc.hint = first;
	assert_int_equal(put(2, 0, LARGE, 8, true), 0);
	assert_false(is_among(2, first, LARGE_BLOCKS));
	reopen();
	rig.store->alloc.hint = first;
	assert_int_equal(put(3, 0, LARGE, 9, true), 0);
	assert_true(is_among(3, first, LARGE_BLOCKS));
}

/* OSD-4: an image that can be replayed would go over what is written directly. */
static void test_what_was_journaled_rests(void **state)
{
	uint64_t first;

	rig.mode = &osd_journal_mode_data;
	assert_int_equal(put(1, 0, LARGE, 7, true), 0);
	first = place_of(1, 0);
	assert_int_equal(op(1, NACRE_OSD_OP_DELETE, 0, 0, 0, true), 0);
	rig.mode = &osd_journal_mode_cow;
	rig.store->alloc.hint = first;
	assert_int_equal(put(2, 0, LARGE, 8, true), 0);
	assert_false(is_among(2, first, LARGE_BLOCKS));
	rig_crash(&rig, SIM_CRASH_POWER, 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_true(rig.replayed || rig.store->stats->replayed);
	rig_pass(&rig, 1000);
	assert_int_equal(value_of(2, 0, LARGE), 8);
}

/* REC-1 reads it there after a restart: nothing else may be put there, not even through the journal. */
static void test_what_was_written_directly_stays(void **state)
{
	uint64_t place;

	assert_int_equal(put(1, 0, LARGE, 7, true), 0);
	place = place_of(1, 3);
	rig.mode = &osd_journal_mode_data;
	assert_int_equal(put(1, 3 * 4096, 4096, 8, true), 0);
	assert_int_not_equal(place_of(1, 3), place);
	reopen();
	assert_int_equal(value_of(1, 3 * 4096, 4096), 8);
	place = place_of(1, 3);
	assert_int_equal(put(1, 3 * 4096, 4096, 9, true), 0);
	assert_int_equal(place_of(1, 3), place);
}

/* REC-1: what is not known to be committed is whole after a restart, though the journal has not got its bytes. */
static void test_payloads_are_read_again(void **state)
{
	size_t i;

	rig.numbered = true;
	assert_int_equal(put(1, 0, LARGE, 7, true), 0);
	assert_int_equal(put(1, 100, LARGE, 8, true), 0);
	assert_int_equal(put(1, 0, 4096, 9, true), 0);	/* its block is not overwritten in place */
	assert_int_equal(op(1, NACRE_OSD_OP_DELETE, 0, 0, 0, true), 0);
	assert_int_equal(put(2, 0, 4 * LARGE, 10, true), 0);	/* and none of them is given to another */
	rig_crash(&rig, SIM_CRASH_KILL, 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.replayed, 5);
	assert_int_equal(rig.payloads.length, 6 * LARGE);
	for (i = 0; i < rig.payloads.length; i++)
		assert_int_equal(rig.payloads.at[i], i < LARGE ? 7 : i < 2 * LARGE ? 8 : 10);
	rig.numbered = false;
}

/* Replay that waits for write-back: no record that is still to come may settle what is being read. */
static void test_payloads_are_read_while_replay_waits(void **state)
{
	enum { BEFORE = 5, DIRECT = 40, BEHIND = 4, IMAGES = 8192 };
	uint64_t ino = 1, i;

	rig.numbered = true;
	rig.mode = &osd_journal_mode_data;
	for (i = 0; i < BEFORE; i++)
		assert_int_equal(put(ino++, 0, IMAGES, 7, true), 0);
	rig.mode = &osd_journal_mode_cow;
	for (i = 0; i < DIRECT; i++)
		assert_int_equal(put(ino++, 0, LARGE, 8, true), 0);
	rig.mode = &osd_journal_mode_data;
	for (i = 0; i <= BEHIND; i++)
		assert_int_equal(put(ino++, 0, IMAGES, 9, true), 0);
	rig_crash(&rig, SIM_CRASH_KILL, 0);
	rig.backlog_bytes = (BEFORE + BEHIND - 1) * IMAGES;
	rig.settled_at = BEFORE + DIRECT + BEHIND + 1;
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.replayed, rig.settled_at);
	assert_int_equal(rig.payloads.length, DIRECT * LARGE);
	for (i = 0; i < rig.payloads.length; i++)
		assert_int_equal(rig.payloads.at[i], 8);
	rig.backlog_bytes = rig.settled_at = 0;
	rig.numbered = false;
}

static void test_damaged_payloads_end_the_start(void **state)
{
	uint8_t block[4096] = { 1 };

	rig.numbered = true;
	assert_int_equal(put(1, 0, LARGE, 7, true), 0);
	sim_disk_poke(rig.disk, rig.store->super.data_offset + place_of(1, 5) * 4096, block, sizeof(block));
	rig_crash(&rig, SIM_CRASH_KILL, 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), -EIO);
	assert_non_null(strstr(rig.why, "written directly"));
	rig.numbered = false;
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);	/* nobody needs them: the start goes well */
	assert_int_equal(value_of(1, 0, LARGE), -2);
}

static void test_room_is_written_in_its_place(void **state)
{
	uint64_t place;

	assert_int_equal(op(1, NACRE_OSD_OP_ALLOCATE, 0, 0, LARGE, true), 0);
	place = place_of(1, 0);
	assert_int_equal(put(1, 0, LARGE, 7, true), 0);
	assert_int_equal(place_of(1, 0), place);
	assert_int_equal(rig.store->stats->bytes_direct, LARGE);
	assert_int_equal(put(1, 0, LARGE, 8, true), 0);
	assert_int_not_equal(place_of(1, 0), place);
	reopen();
	assert_int_equal(value_of(1, 0, LARGE), 8);
}

/* Bytes that are zeroed away in their places are the object's until that is durable. */
static void test_zeroed_blocks_rest(void **state)
{
	uint64_t place;

	assert_int_equal(put(1, 0, LARGE, 7, true), 0);
	reopen();
	assert_int_equal(op(1, NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OPF_ZERO, 0, LARGE, false), 0);
	place = place_of(1, 0);
	assert_int_equal(put(1, 0, LARGE, 8, true), 0);
	assert_int_not_equal(place_of(1, 0), place);
	assert_int_equal(value_of(1, 0, LARGE), 8);
}

/* ---- no room -------------------------------------------------------------------------------------- */

/* Objects until nothing fits; their number. */
static uint64_t fill(void)
{
	uint64_t ino = 100;
	uint32_t result;

	while (!(result = put(ino, 0, LARGE, (uint8_t)ino, true)))
		ino++;
	assert_int_equal(result, ENOSPC);
	while (!put(ino, 0, 4096, 1, true))
		ino++;
	return ino - 100;
}

static void test_a_full_device_can_be_overwritten(void **state)
{
	uint64_t count = fill(), ino;

	for (ino = 100; ino < 120; ino++)
		assert_int_equal(put(ino, 0, LARGE, (uint8_t)(ino + 1), true), 0);
	assert_int_equal(put(1, 0, LARGE, 1, true), ENOSPC);
	reopen();
	for (ino = 100; ino < 120; ino++)
		assert_int_equal(value_of(ino, 0, LARGE), (uint8_t)(ino + 1));
	for (ino = 100; ino < 100 + count; ino++)
		assert_int_equal(op(ino, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, 0, 0, true), 0);
	assert_int_equal(put(1, 0, LARGE, 1, true), 0);
}

static void test_room_never_ends(void **state)
{
	unsigned int i;

	assert_int_equal(op(1, NACRE_OSD_OP_ALLOCATE, 0, 0, 16 * LARGE, true), 0);
	fill();
	for (i = 0; i < 64; i++)
		assert_int_equal(put(1, i % 16 * LARGE, LARGE, (uint8_t)i, i % 3 == 0), 0);
	reopen();
	for (i = 48; i < 64; i++)
		assert_int_equal(value_of(1, i % 16 * LARGE, LARGE), i);
}

/* All that is free is barred: a request waits, and gets it. */
static void test_barred_blocks_are_waited_for(void **state)
{
	unsigned int i;

	fill();
	rig.store->alloc.reserve = 0;
	assert_int_equal(put(1, 0, LARGE, 1, true), 0);
	rig.mode = &osd_journal_mode_data;
	for (i = 0; put(1000 + i, 0, 4096, 1, false) != ENOSPC; i++)
		;
	assert_int_equal(put(1, 0, 4096, 2, true), 0);	/* not in its place, and there is no other */
	assert_true(rig.store->stats->space_waits);
	assert_int_equal(value_of(1, 0, 4096), 2);
}

/* Blocks that rest come back by themselves, as they run out. */
static void test_overwriting_goes_on_for_ever(void **state)
{
	uint64_t i, size = 1 << 20;

	for (i = 0; i < 100; i++)
		assert_int_equal(put(1 + i % 4, 0, size, (uint8_t)i, i % 4 == 0), 0);
	rig_pass(&rig, 1000);
	assert_int_equal(rig.durable, rig.submitted);
	assert_true(rig.store->stats->bytes_direct > 80 * size);
	for (i = 96; i < 100; i++)
		assert_int_equal(value_of(1 + i % 4, 0, size), (uint8_t)i);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_large_writes_are_written_once),
		CASE(test_small_writes_go_through_the_journal),
		CASE(test_edges_are_merged),
		CASE(test_a_flush_is_shared),
		cmocka_unit_test(test_a_crash_leaves_old_or_new),
		cmocka_unit_test(test_mutations_are_noticed),
		CASE(test_what_was_given_back_rests),
		CASE(test_what_was_journaled_rests),
		CASE(test_what_was_written_directly_stays),
		CASE(test_payloads_are_read_again),
		CASE(test_payloads_are_read_while_replay_waits),
		CASE(test_damaged_payloads_end_the_start),
		CASE(test_room_is_written_in_its_place),
		CASE(test_zeroed_blocks_rest),
		CASE(test_a_full_device_can_be_overwritten),
		CASE(test_room_never_ends),
		CASE(test_barred_blocks_are_waited_for),
		CASE(test_overwriting_goes_on_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
