// SPDX-License-Identifier: GPL-2.0
/*
 * Discarding free blocks: which, when, in which pieces, what is held meanwhile, and what becomes of a device that cannot. The simulated disk puts
 * anything where it was told to discard, and asserts that nobody writes there meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "osd_store_rig.h"
#include "server/base/mutate.h"

#define LARGE (256u << 10)
#define ABSENT (-9)

/* Memory of operations under way at a crash stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct rig rig;

static const struct osd_store_stats *stats(void)
{
	return rig.store->stats;
}

static void serve(uint64_t seed, bool discard, uint32_t unit)
{
	rig_create(&rig, seed, 24ull << 20, 4 << 20);
	rig.discard = discard;
	rig.discard_bytes = unit;
	rig.mode = &osd_journal_mode_cow;
	assert_int_equal(rig_format(&rig, false), 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
}

static int teardown(void **state)
{
	mutate_set(MUTATE_OSD_DISCARD_EARLY, false);
	rig_destroy(&rig);
	return 0;
}

static uint32_t put(uint64_t ino, uint8_t value, bool wait)
{
	return rig_put(&rig, ino, 0, LARGE, value, wait);
}

static uint32_t delete(uint64_t ino, bool wait)
{
	return rig_range(&rig, ino, NACRE_OSD_OP_DELETE, 0, 0, 0, wait);
}

static int value_of(uint64_t ino)
{
	if (rig_range(&rig, ino, NACRE_OSD_OP_STAT, 0, 0, 0, true) == ENOENT)
		return ABSENT;
	return rig_value(&rig, ino, 0, LARGE);
}

/* ---- which ------------------------------------------------------------------------------- */

static void test_what_is_freed_is_discarded(void **state)
{
	serve(1, true, 0);
	assert_int_equal(put(1, 7, true), 0);
	assert_int_equal(put(2, 8, true), 0);
	assert_int_equal(put(1, 9, true), 0);		/* to fresh blocks: the old ones are free */
	rig_pass(&rig, 1000);
	assert_int_equal(stats()->bytes_discarded, LARGE);
	assert_int_equal(delete(2, true), 0);
	rig_pass(&rig, 1000);
	assert_int_equal(stats()->bytes_discarded, 2 * LARGE);
	assert_int_equal(value_of(1), 9);
	rig_pass(&rig, 5000);				/* and once */
	assert_int_equal(stats()->bytes_discarded, 2 * LARGE);
	assert_int_equal(stats()->discards_refused, 0);
}

static void test_off_discards_nothing(void **state)
{
	serve(1, false, 0);
	assert_int_equal(put(1, 7, true), 0);
	assert_int_equal(delete(1, true), 0);
	rig_pass(&rig, 5000);
	assert_int_equal(stats()->bytes_discarded, 0);
	assert_string_equal(osd_discard_name(&rig.store->discard), "off");
}

static void test_shared_blocks_go_with_the_last(void **state)
{
	serve(1, true, 0);
	assert_int_equal(put(1, 7, true), 0);
	assert_int_equal(rig_clone(&rig, 2, 1, NACRE_SNAP_HEAD, true), 0);
	assert_int_equal(delete(1, true), 0);
	rig_pass(&rig, 1000);
	assert_int_equal(stats()->bytes_discarded, 0);
	assert_int_equal(value_of(2), 7);
	assert_int_equal(delete(2, true), 0);
	rig_pass(&rig, 1000);
	assert_int_equal(stats()->bytes_discarded, LARGE);
}

/* A piece of which something is in use stays, until that is free as well. */
static void test_only_whole_units_and_aligned(void **state)
{
	const struct osd_discard *discard;
	uint32_t unit = 64u << 10;

	serve(1, true, unit);
	discard = &rig.store->discard;
	assert_int_equal((rig.store->super.data_offset + discard->skip * OSD_BLOCK_BYTES) % unit, 0);
	assert_int_equal(discard->unit * OSD_BLOCK_BYTES, unit);
	assert_true(discard->skip % discard->unit);
	assert_int_equal(put(1, 7, true), 0);
	assert_int_equal(put(2, 8, true), 0);
	assert_int_equal(put(3, 9, true), 0);
	assert_int_equal(delete(2, true), 0);
	rig_pass(&rig, 1000);
	assert_int_equal(stats()->bytes_discarded, LARGE - unit);	/* its ends share units with its neighbours */
	assert_int_equal(stats()->discards, 1);
	assert_int_equal(value_of(1), 7);
	assert_int_equal(value_of(3), 9);
	assert_int_equal(delete(3, true), 0);
	rig_pass(&rig, 1000);
	assert_int_equal(stats()->bytes_discarded, 2 * LARGE);		/* and is free behind it: a part of another unit */
	assert_int_equal(stats()->discards, 2);
}

/* What the device gives back as a whole is larger than what was wished for. */
static void test_the_device_s_grain_counts(void **state)
{
	serve(1, true, 0);
	sim_disk_set_grain(rig.disk, 12u << 10);
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.store->discard.unit, 3);
	assert_int_equal(put(1, 7, true), 0);
	assert_int_equal(delete(1, true), 0);
	rig_pass(&rig, 1000);
	assert_true(stats()->bytes_discarded && stats()->bytes_discarded % (12u << 10) == 0);
}

static void test_asked_for_all_that_is_free_goes(void **state)
{
	const struct osd_discard *discard;
	uint64_t used;

	serve(1, false, 0);
	discard = &rig.store->discard;
	assert_int_equal(put(1, 7, true), 0);
	assert_int_equal(put(2, 8, true), 0);
	assert_int_equal(delete(1, true), 0);
	used = rig.store->alloc.blocks - rig.store->alloc.free;
	osd_discard_ask(&rig.store->discard);
	osd_discard_ask(&rig.store->discard);
	assert_int_equal(discard->asked, 1);
	rig_pass(&rig, 1000);
	assert_int_equal(discard->done, 1);
	assert_int_equal(discard->all_bytes, discard->units * OSD_BLOCK_BYTES - used * OSD_BLOCK_BYTES);
	assert_int_equal(stats()->bytes_discarded, discard->all_bytes);
	assert_true(stats()->discards > 10);		/* not all at once: somebody may want to write */
	assert_int_equal(value_of(2), 8);
	rig_pass(&rig, 5000);
	assert_int_equal(stats()->bytes_discarded, discard->all_bytes);
}

/* ---- when -------------------------------------------------------------------------------- */

/*
 * What is overwritten and what is deleted is discarded, when the power goes after so many microseconds. Each object must be as before,
 * or as after. How many are not?
 */
static int broken_after(uint64_t us, enum sim_crash kind)
{
	int broken, before, after;

	serve(us, true, 0);
	assert_int_equal(put(1, 1, true), 0);
	assert_int_equal(put(2, 2, true), 0);
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	put(1, 11, false);
	delete(2, false);
	sim_run(rig.world, rig.world->now_ns + us * SIM_NS_PER_US);
	rig_crash(&rig, kind, 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	before = value_of(1);
	after = value_of(2);
	broken = (before != 1 && before != 11) + (after != 2 && after != ABSENT);
	assert_false(before == 1 && after == ABSENT);		/* a prefix */
	return broken;
}

static int broken_by_crashes(enum sim_crash kind)
{
	int broken = 0;
	uint64_t us;

	for (us = 1; us < 40000; us += 1 + us / 20) {
		broken += broken_after(us, kind);
		rig_destroy(&rig);
	}
	serve(1, true, 0);		/* for teardown */
	return broken;
}

static void test_a_loss_of_power_finds_old_or_new(void **state)
{
	assert_int_equal(broken_by_crashes(SIM_CRASH_POWER), 0);
}

static void test_a_kill_finds_old_or_new(void **state)
{
	assert_int_equal(broken_by_crashes(SIM_CRASH_KILL), 0);
}

/* The tests above can fail. */
static void test_too_early_is_noticed(void **state)
{
	mutate_set(MUTATE_OSD_DISCARD_EARLY, true);
	assert_true(broken_by_crashes(SIM_CRASH_POWER) > 0);
}

/* REC-1: what was written directly and is free already is read again at replay, and is right. */
static void test_what_is_replayed_is_there(void **state)
{
	serve(1, true, 0);
	rig.numbered = true;
	assert_int_equal(put(1, 7, true), 0);
	assert_int_equal(delete(1, true), 0);
	rig_pass(&rig, 3);
	rig_crash(&rig, SIM_CRASH_POWER, 0);
	rig.payloads.length = 0;
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_true(rig.replayed);
	assert_true(rig.payloads.length >= LARGE);
	assert_int_equal(rig.payloads.at[0], 7);
	rig_pass(&rig, 10000);
	assert_int_equal(stats()->bytes_discarded, LARGE);	/* replay has noted it */
}

/* ---- held -------------------------------------------------------------------------------- */

static void test_what_is_held_is_taken_by_nobody(void **state)
{
	struct osd_alloc alloc;
	uint32_t count;
	uint64_t block;

	osd_alloc_init(&alloc, 200);
	alloc.held = 60;
	alloc.held_count = 80;
	assert_int_equal(osd_alloc_run(&alloc, 0, 200, false), 60);
	assert_int_equal(osd_alloc_run(&alloc, 139, 10, false), 0);
	assert_int_equal(osd_alloc_run(&alloc, 140, 100, true), 60);
	assert_int_equal(osd_alloc_take(&alloc, 60, false, &block, &count), 0);
	assert_int_equal(block, 0);
	assert_int_equal(osd_alloc_take(&alloc, 200, false, &block, &count), 0);
	assert_int_equal(block, 140);
	assert_int_equal(count, 60);
	assert_int_equal(osd_alloc_take(&alloc, 1, false, &block, &count), -ENOSPC);
	alloc.held_count = 0;
	assert_int_equal(osd_alloc_take(&alloc, 200, true, &block, &count), 0);
	assert_int_equal(block, 60);
	assert_int_equal(count, 80);
	osd_alloc_fini(&alloc);
	serve(1, true, 0);
}

/*
 * A full store, all of whose free blocks are one range: the object before the reserve makes room for another, at any moment of that being
 * discarded. Who needs blocks that are held waits for them, and no write fails.
 */
static void test_a_full_store_waits_for_what_is_held(void **state)
{
	uint64_t waits = 0, end = 1, us;

	serve(1, true, 0);
	while (!put(end, (uint8_t)end, end % 8 == 0))
		end++;
	rig.world->faults.disk_write_us = 4000;		/* and a discard takes as long */
	for (us = 50; us < 6000; us += 150) {
		assert_int_equal(delete(end - 1, true), 0);
		rig_close(&rig);		/* nothing rests */
		assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
		osd_discard_ask(&rig.store->discard);
		sim_run(rig.world, rig.world->now_ns + us * SIM_NS_PER_US);
		assert_int_equal(put(end - 1, (uint8_t)us, true), 0);
		assert_int_equal(value_of(end - 1), (uint8_t)us);
		waits += stats()->space_waits;
	}
	assert_true(waits);
	assert_int_equal(value_of(1), 1);
}

/* ---- refused ------------------------------------------------------------------------------ */

static void free_something(uint64_t ino)
{
	assert_int_equal(put(ino, 7, true), 0);
	assert_int_equal(delete(ino, true), 0);
	rig_pass(&rig, 1000);
}

static void test_a_device_that_knows_none(void **state)
{
	serve(1, true, 0);
	sim_disk_set_grain(rig.disk, 0);
	free_something(1);
	free_something(2);
	assert_string_equal(osd_discard_name(&rig.store->discard), "refused");
	assert_int_equal(stats()->discards_refused, 1);
	assert_int_equal(stats()->bytes_discarded, 0);
	assert_false(rig.failed);
	osd_discard_ask(&rig.store->discard);		/* it is asked once more */
	rig_pass(&rig, 1000);
	assert_int_equal(stats()->discards_refused, 2);
	assert_int_equal(rig.store->discard.done, 1);
}

static void test_an_error_is_no_failure_of_the_store(void **state)
{
	serve(1, false, 0);
	rig_pass(&rig, 1000);
	sim_disk_fail_next(rig.host, true);
	osd_discard_ask(&rig.store->discard);
	rig_pass(&rig, 1000);
	assert_int_equal(stats()->discards_refused, 1);
	assert_false(rig.failed);
	assert_int_equal(put(1, 7, true), 0);
	osd_discard_ask(&rig.store->discard);
	rig_pass(&rig, 1000);
	assert_true(stats()->bytes_discarded);
	assert_string_equal(osd_discard_name(&rig.store->discard), "off");
	assert_int_equal(value_of(1), 7);
}

/* Closed in the middle of a trim: what is under way is awaited, and no more begins. */
static void test_closing_does_not_wait_for_a_trim(void **state)
{
	uint64_t us;

	serve(1, false, 0);
	assert_int_equal(put(1, 7, true), 0);
	rig.world->faults.disk_write_us = 20000;	/* and a discard takes longer than closing does */
	for (us = 50; us < 20000; us += 1500) {
		osd_discard_ask(&rig.store->discard);
		sim_run(rig.world, rig.world->now_ns + us * SIM_NS_PER_US);
		rig_close(&rig);
		assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	}
	assert_int_equal(value_of(1), 7);
}

#define CASE(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_what_is_freed_is_discarded),
		CASE(test_off_discards_nothing),
		CASE(test_shared_blocks_go_with_the_last),
		CASE(test_only_whole_units_and_aligned),
		CASE(test_the_device_s_grain_counts),
		CASE(test_asked_for_all_that_is_free_goes),
		CASE(test_a_loss_of_power_finds_old_or_new),
		CASE(test_a_kill_finds_old_or_new),
		CASE(test_too_early_is_noticed),
		CASE(test_what_is_replayed_is_there),
		CASE(test_what_is_held_is_taken_by_nobody),
		CASE(test_a_full_store_waits_for_what_is_held),
		CASE(test_a_device_that_knows_none),
		CASE(test_an_error_is_no_failure_of_the_store),
		CASE(test_closing_does_not_wait_for_a_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
