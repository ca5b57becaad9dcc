// SPDX-License-Identifier: GPL-2.0
/*
 * Shared blocks, in each journal mode: a clone writes no data, whatever is done to one object leaves the others as they are, a
 * block goes back with its last reference, also on a full store and through crashes. And snapshots, which are read only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "osd_store_rig.h"
#include "server/base/mutate.h"

#define BLOCK OSD_BLOCK_BYTES
#define LARGE (64u << 10)
#define HEAD NACRE_SNAP_HEAD

/* Memory of operations under way at a crash stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct rig rig;
static struct rig_found found;

static int serve(const struct osd_journal_mode *mode)
{
	rig_serve(&rig);
	rig.mode = mode;
	return 0;
}

static int setup_data(void **state)
{
	return serve(&osd_journal_mode_data);
}

static int setup_cow(void **state)
{
	return serve(&osd_journal_mode_cow);
}

/* What is overwritten is so in its place wherever that may be. */
static int setup_ordered(void **state)
{
	serve(&osd_journal_mode_ordered);
	rig.lone_intents = true;
	rig_close(&rig);
	return rig_open(&rig, RIG_OSD, RIG_FSID_LO);
}

static int teardown(void **state)
{
	rig_destroy(&rig);
	return 0;
}

static uint32_t put(uint64_t ino, uint64_t offset, size_t length, uint8_t value)
{
	return rig_put(&rig, ino, offset, length, value, true);
}

static uint32_t range(uint64_t ino, enum nacre_osd_op_code code, uint16_t flags, uint64_t offset, uint64_t length)
{
	return rig_range(&rig, ino, code, flags, offset, length, true);
}

static void expect(uint64_t ino, uint64_t offset, size_t length, int value)
{
	assert_int_equal(rig_value(&rig, ino, offset, length), value);
}

/* Written back, trimmed, nothing in memory; all that a check can find is right. */
static void reopen(void)
{
	rig_close(&rig);
	if (rig_check(&rig, true, &found))
		fail_msg("%s", found.first);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
}

static uint64_t free_blocks(void)
{
	return rig.store->alloc.free;
}

/* ---- sharing ------------------------------------------------------------------------------- */

static void test_a_clone_writes_no_data(void **state)
{
	struct osd_store_stats *stats = rig.store->stats;
	uint64_t before, data, journal, read, kv, at;

	for (at = 0; at < RIG_OBJECT_BYTES; at += 16 * LARGE)
		assert_int_equal(put(1, at, 16 * LARGE, (uint8_t)(7 + at / LARGE)), 0);
	rig_pass(&rig, 1000);
	before = free_blocks();
	data = stats->bytes_data;
	journal = stats->bytes_journal;
	read = stats->bytes_read;
	kv = stats->bytes_kv;
	assert_int_equal(rig_clone(&rig, 2, 1, HEAD, true), 0);
	rig_pass(&rig, 1000);
	assert_int_equal(free_blocks(), before);
	assert_int_equal(stats->bytes_data, data);
	assert_int_equal(stats->bytes_read, read);
	assert_true(stats->bytes_journal - journal <= 2 * BLOCK);
	print_message("clone of 4 MiB: journal %llu, data %llu, read %llu, keys %llu bytes\n",
		      (unsigned long long)(stats->bytes_journal - journal), (unsigned long long)(stats->bytes_data - data),
		      (unsigned long long)(stats->bytes_read - read), (unsigned long long)(stats->bytes_kv - kv));
	reopen();
	for (at = 0; at < RIG_OBJECT_BYTES; at += 16 * LARGE)
		expect(2, at, 16 * LARGE, (int)(7 + at / LARGE));
}

/* Everything that can happen to the bytes of one of two, whichever it is; the other has been loaded anew or not. */
static void change_all(uint64_t ino, uint64_t other, bool anew)
{
	uint64_t at;

	assert_int_equal(range(1, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, 0, 0), 0);
	assert_int_equal(put(1, 0, 8 * LARGE, 5), 0);
	assert_int_equal(rig_clone(&rig, 2, 1, HEAD, true), 0);
	if (anew)
		reopen();
	assert_int_equal(put(ino, 100, 200, 6), 0);				/* a part of a block */
	assert_int_equal(put(ino, LARGE, LARGE, 7), 0);				/* many whole blocks */
	assert_int_equal(put(ino, LARGE, LARGE, 8), 0);				/* which are its own now */
	assert_int_equal(range(ino, NACRE_OSD_OP_ZERO, 0, 2 * LARGE + 10, LARGE), 0);
	assert_int_equal(range(ino, NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OPF_ZERO, 4 * LARGE + 10, LARGE), 0);
	assert_int_equal(put(ino, 4 * LARGE + 2 * BLOCK, BLOCK, 9), 0);		/* unwritten, and nobody else's */
	assert_int_equal(put(ino, 4 * LARGE + 3 * BLOCK, BLOCK, 9), 0);
	assert_int_equal(range(ino, NACRE_OSD_OP_TRUNCATE, 0, 7 * LARGE + 10, 0), 0);
	expect(other, 0, 8 * LARGE, 5);
	reopen();
	expect(other, 0, 8 * LARGE, 5);
	expect(ino, 0, 100, 5);
	expect(ino, 100, 200, 6);
	expect(ino, 300, LARGE - 300, 5);
	expect(ino, LARGE, LARGE, 8);
	expect(ino, 2 * LARGE, 10, 5);
	expect(ino, 2 * LARGE + 10, LARGE, 0);
	expect(ino, 3 * LARGE + 10, LARGE - 10, 5);
	expect(ino, 4 * LARGE, 10, 5);
	expect(ino, 4 * LARGE + 10, 2 * BLOCK - 10, 0);
	expect(ino, 4 * LARGE + 2 * BLOCK, 2 * BLOCK, 9);
	for (at = 5 * LARGE + BLOCK; at < 7 * LARGE; at += LARGE)
		expect(ino, at, BLOCK, 5);
	expect(ino, 7 * LARGE, 11, -3);
}

static void test_what_is_done_to_one_leaves_the_other(void **state)
{
	change_all(1, 2, false);
	change_all(1, 2, true);
	change_all(2, 1, false);
	change_all(2, 1, true);
}

static void test_the_last_one_gives_blocks_back(void **state)
{
	uint64_t empty = free_blocks(), full, place;

	assert_int_equal(put(1, 0, 4 * LARGE, 3), 0);
	full = free_blocks();
	assert_int_equal(rig_clone(&rig, 2, 1, HEAD, true), 0);
	assert_int_equal(rig_clone(&rig, 3, 2, HEAD, true), 0);
	assert_int_equal(rig_clone(&rig, 3, 1, HEAD, true), 0);	/* once more: the same blocks */
	assert_int_equal(free_blocks(), full);
	assert_true(rig.store->shares.record_count);
	reopen();
	assert_true(rig.store->shares.record_count);
	assert_int_equal(range(1, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	assert_int_equal(range(3, NACRE_OSD_OP_TRUNCATE, 0, LARGE, 0), 0);
	assert_int_equal(free_blocks(), full);
	reopen();
	expect(2, 0, 4 * LARGE, 3);
	place = rig_place(&rig, 2, 0);
	assert_int_equal(range(2, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	assert_int_equal(free_blocks(), empty - LARGE / BLOCK);
	assert_true(osd_alloc_is_used(&rig.store->alloc, place));
	expect(3, 0, LARGE, 3);
	assert_int_equal(range(3, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	assert_int_equal(free_blocks(), empty);
	assert_int_equal(rig.store->shares.record_count, 0);
	reopen();
	assert_int_equal(free_blocks(), empty);
	assert_int_equal(rig.store->shares.record_count, 0);
}

/* The image of what is shared is in the journal only, and stays its source's until it is at its place. */
static void test_images_of_the_journal_are_shared(void **state)
{
	uint64_t seed;

	for (seed = 0; seed < 3; seed++) {
		rig_put(&rig, 1, 0, 3 * BLOCK, (uint8_t)(10 + seed), false);
		assert_int_equal(rig_clone(&rig, 2, 1, HEAD, false), 0);
		rig_put(&rig, 1, BLOCK + 5, BLOCK, 99, false);
		assert_int_equal(rig_range(&rig, 1, NACRE_OSD_OP_DELETE, 0, 0, 0, true), 0);
		expect(2, 0, 3 * BLOCK, (int)(10 + seed));
		rig_crash_and_check(&rig, seed ? SIM_CRASH_POWER : SIM_CRASH_KILL, 0);
		expect(2, 0, 3 * BLOCK, (int)(10 + seed));
		rig_pass(&rig, 1000);
		reopen();
		expect(2, 0, 3 * BLOCK, (int)(10 + seed));
	}
}

/* One request: what is gained, written, given up and gained again. */
static void test_a_compound_request(void **state)
{
	struct nacre_oid from = { .ino = 1, .snap = HEAD, .pool = 1 };
	struct mem_bytes value = { 0 };
	uint8_t bytes[2 * BLOCK];
	struct rig_request r;
	uint64_t before;

	memset(bytes, 6, sizeof(bytes));
	assert_int_equal(put(1, 0, 4 * LARGE, 5), 0);
	assert_int_equal(put(2, 0, LARGE, 4), 0);
	osd_disk_append(&value, nacre_oid_desc(), &from);
	before = free_blocks();
	rig_request(&rig, &r, 2, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, 0, bytes, sizeof(bytes));
	rig_op(&r, NACRE_OSD_OP_CLONE, 0, NULL, 0, value.at, value.length, 0, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, BLOCK / 2, bytes, sizeof(bytes));
	rig_op(&r, NACRE_OSD_OP_TRUNCATE, 0, NULL, 0, NULL, 0, 3 * LARGE + 1, 0);
	assert_int_equal(rig_run(&rig, &r, NULL, true), 0);
	/* three that were written and the last one, which was cut, instead of what it had */
	assert_int_equal(free_blocks(), before - 4 + LARGE / BLOCK);
	reopen();
	expect(1, 0, 4 * LARGE, 5);
	expect(2, 0, BLOCK / 2, 5);
	expect(2, BLOCK / 2, sizeof(bytes), 6);
	expect(2, BLOCK / 2 + sizeof(bytes), 3 * LARGE + 1 - BLOCK / 2 - sizeof(bytes), 5);
	rig_request(&rig, &r, 2, 0);
	rig_op(&r, NACRE_OSD_OP_CLONE, 0, NULL, 0, value.at, value.length, 0, 0);
	rig_op(&r, NACRE_OSD_OP_DELETE, 0, NULL, 0, NULL, 0, 0, 0);
	assert_int_equal(rig_run(&rig, &r, NULL, true), 0);
	assert_int_equal(rig.store->shares.record_count, 0);
	assert_int_equal(free_blocks(), before + LARGE / BLOCK);
	reopen();
	expect(1, 0, 4 * LARGE, 5);
	mem_bytes_free(&value);
}

/* Pages are loaded, and dropped, while others change what they count. */
static void test_many_clones(void **state)
{
	uint64_t ino;

	assert_int_equal(put(1, 0, LARGE, 1), 0);
	for (ino = 2; ino < 60; ino++)
		assert_int_equal(rig_clone(&rig, ino, ino - 1, HEAD, ino % 7 == 0), 0);
	reopen();
	for (ino = 1; ino < 60; ino += 2)
		assert_int_equal(rig_put(&rig, ino, ino % 16 * BLOCK, BLOCK, (uint8_t)(100 + ino), ino % 5 == 0), 0);
	reopen();
	for (ino = 1; ino < 60; ino++)
		expect(ino, ino % 16 * BLOCK, BLOCK, ino % 2 ? (int)(100 + ino) : 1);
	for (ino = 1; ino < 60; ino++)
		assert_int_equal(rig_range(&rig, ino, NACRE_OSD_OP_DELETE, 0, 0, 0, ino == 59), 0);
	assert_int_equal(rig.store->shares.record_count, 0);
	reopen();
	assert_int_equal(rig.store->alloc.free, rig.store->alloc.blocks);
}

/* ---- a full store --------------------------------------------------------------------------- */

static void fill(void)
{
	uint64_t offset = 0, ino = 100;
	size_t length = LARGE;

	while (length >= BLOCK) {
		if (rig_put(&rig, ino, offset, length, 1, true)) {
			length /= 2;
			continue;
		}
		offset += length;
		if (offset + length > RIG_OBJECT_BYTES) {
			ino++;
			offset = 0;
		}
	}
}

static void test_a_full_store_refuses_what_needs_a_fresh_block(void **state)
{
	assert_int_equal(put(1, 0, 2 * LARGE, 5), 0);
	assert_int_equal(range(1, NACRE_OSD_OP_ALLOCATE, 0, 0, 2 * LARGE), 0);
	assert_int_equal(rig_clone(&rig, 2, 1, HEAD, true), 0);
	fill();
	assert_int_equal(free_blocks(), rig.store->alloc.reserve);
	assert_int_equal(put(1, 0, LARGE, 6), ENOSPC);
	assert_int_equal(put(2, 5, 5, 6), ENOSPC);
	assert_int_equal(range(1, NACRE_OSD_OP_TRUNCATE, 0, 5, 0), ENOSPC);
	assert_int_equal(put(100, 0, LARGE, 6), 0);			/* nobody else's: that goes on */
	assert_int_equal(rig_clone(&rig, 3, 1, HEAD, true), 0);		/* and that needs none */
	expect(1, 0, 2 * LARGE, 5);
	expect(2, 0, 2 * LARGE, 5);
	reopen();
	assert_int_equal(range(2, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	assert_int_equal(range(3, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	assert_int_equal(put(1, 0, LARGE, 6), 0);
	reopen();
	expect(1, 0, LARGE, 6);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static void test_a_snapshot_is_read_only(void **state)
{
	static const struct {
		enum nacre_osd_op_code code;
		uint64_t offset, length;
		bool named;
	} changes[] = {
		{ NACRE_OSD_OP_CREATE, 0, 0, false }, { NACRE_OSD_OP_ZERO, 0, 10, false }, { NACRE_OSD_OP_TRUNCATE, 5, 0, false },
		{ NACRE_OSD_OP_ALLOCATE, 0, 10, false }, { NACRE_OSD_OP_KV_CLEAR, 0, 0, false }, { NACRE_OSD_OP_SETXATTR, 0, 0, true },
		{ NACRE_OSD_OP_RMXATTR, 0, 0, true }, { NACRE_OSD_OP_KV_SET, 0, 0, true }, { NACRE_OSD_OP_KV_RM, 0, 0, true },
	};
	struct rig_request r;
	struct rig_reply reply;
	size_t i;

	assert_int_equal(put(1, 0, LARGE, 5), 0);
	rig.snap = 3;
	assert_int_equal(rig_clone(&rig, 1, 1, HEAD, true), 0);
	assert_int_equal(rig_clone(&rig, 1, 1, HEAD, true), EEXIST);
	assert_int_equal(put(1, 0, LARGE, 6), EROFS);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		rig_request(&rig, &r, 1, 0);
		rig_op(&r, changes[i].code, 0, "name", changes[i].named ? 4 : 0, NULL, 0, changes[i].offset, changes[i].length);
		assert_int_equal(rig_run(&rig, &r, NULL, true), EROFS);
	}
	rig.snap = 0;
	assert_int_equal(put(1, 0, LARGE, 6), 0);
	assert_int_equal(range(1, NACRE_OSD_OP_TRUNCATE, 0, LARGE / 2, 0), 0);
	reopen();
	expect(1, 0, LARGE / 2, 6);
	rig.snap = 3;
	expect(1, 0, LARGE, 5);
	/* a reader that knows of a later truncation sees all of it */
	rig_request(&rig, &r, 1, 0);
	r.head.truncate_seq = 9;
	rig_op(&r, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, LARGE);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	assert_int_equal(reply.data.length, LARGE);
	rig_reply_free(&reply);
}

static void test_snapshots_of_snapshots_and_back(void **state)
{
	uint64_t before = free_blocks();

	assert_int_equal(put(1, 0, LARGE, 5), 0);
	rig.snap = 3;
	assert_int_equal(rig_clone(&rig, 1, 1, HEAD, true), 0);
	rig.snap = 0;
	assert_int_equal(put(1, 0, 2 * LARGE, 6), 0);
	rig.snap = 4;
	assert_int_equal(rig_clone(&rig, 1, 1, 3, true), 0);
	rig.snap = 5;
	assert_int_equal(rig_clone(&rig, 1, 1, 8, true), ENOENT);
	assert_int_equal(rig_clone(&rig, 1, 1, HEAD, true), 0);
	rig.snap = 3;
	assert_int_equal(range(1, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	rig.snap = 0;
	assert_int_equal(rig_clone(&rig, 1, 1, 4, true), 0);	/* back */
	reopen();
	expect(1, 0, LARGE, 5);
	expect(1, LARGE, 1, -3);
	assert_int_equal(range(1, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	rig.snap = 5;
	expect(1, 0, 2 * LARGE, 6);
	assert_int_equal(range(1, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	rig.snap = 4;
	expect(1, 0, LARGE, 5);
	assert_int_equal(range(1, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	assert_int_equal(free_blocks(), before);
	reopen();
}

/* SIZE-3: going back does not undo the word of a truncation, so that who knows of it does not cut what came back. */
static void test_going_back_remembers_the_newest_truncation(void **state)
{
	uint8_t bytes[10] = { 0 };
	struct rig_request r;

	assert_int_equal(put(1, 0, LARGE, 5), 0);
	rig.snap = 3;
	assert_int_equal(rig_clone(&rig, 1, 1, HEAD, true), 0);
	rig.snap = 0;
	rig_request(&rig, &r, 1, 0);
	r.head.truncate_seq = 2;
	r.head.truncate_size = 100;
	rig_op(&r, NACRE_OSD_OP_TRUNCATE, 0, NULL, 0, NULL, 0, 100, 0);
	assert_int_equal(rig_run(&rig, &r, NULL, true), 0);
	assert_int_equal(rig_clone(&rig, 1, 1, 3, true), 0);
	rig_request(&rig, &r, 1, 0);
	r.head.truncate_seq = 2;
	r.head.truncate_size = 100;
	rig_data_op(&r, NACRE_OSD_OP_WRITE, LARGE, bytes, sizeof(bytes));
	assert_int_equal(rig_run(&rig, &r, NULL, true), 0);
	expect(1, 0, LARGE, 5);
}

/* ---- crashes ---------------------------------------------------------------------------------- */

static bool is_one_of(int value, int a, int b)
{
	return value == a || value == b;
}

/*
 * Object 4 is a clone of 1. It goes, and 1 is overwritten at once, while other writes keep the journal busy and intents are gathered; then
 * the power goes. 4 is there, whole and as it was, or is not; nothing is torn but what is said to be.
 */
static unsigned int crash_after(uint64_t us, uint64_t seed, const struct osd_journal_mode *mode)
{
	struct osd_object_key key = { 1, 0, HEAD, 1, 0 };
	uint64_t ino, n;
	unsigned int bad;
	int value;

	rig_create(&rig, seed, 24ull << 20, 4 << 20);
	rig.mode = mode;
	assert_int_equal(rig_format(&rig, false), 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	for (ino = 1; ino <= 3; ino++)
		put(ino, 0, 2 * LARGE, (uint8_t)ino);
	assert_int_equal(rig_clone(&rig, 4, 1, HEAD, true), 0);
	rig_close(&rig);			/* nothing is barred any more */
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	for (ino = 1; ino <= 4; ino++)
		expect(ino, 0, 2 * LARGE, ino == 4 ? 1 : (int)ino);
	rig_put(&rig, 3, 0, LARGE, 13, false);
	rig_put(&rig, 2, 0, LARGE, 12, false);
	if (seed % 3)
		rig_range(&rig, 4, NACRE_OSD_OP_DELETE, 0, 0, 0, false);
	rig_put(&rig, 1, 0, LARGE, 11, false);
	sim_run(rig.world, rig.world->now_ns + us * SIM_NS_PER_US);
	rig_crash(&rig, SIM_CRASH_POWER, 2);
	rig.durable = rig.submitted;		/* what has not come by now does not come */
	bad = rig_check(&rig, true, &found) != 0;
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	value = rig_value(&rig, 4, 0, 2 * LARGE);
	bad += !is_one_of(value, 1, -3) || (value == -3 && seed % 3 == 0);
	for (n = 0; n < LARGE / BLOCK; n++)
		if (!osd_intents_cover(&rig.store->intents, &key, (uint32_t)n))
			bad += !is_one_of(rig_value(&rig, 1, n * BLOCK, BLOCK), 1, 11);
	rig_destroy(&rig);
	return bad;
}

static unsigned int crash_at_all_times(const struct osd_journal_mode *mode)
{
	unsigned int bad = 0, us, seed;

	for (seed = 1; seed <= 6; seed++)
		for (us = 0; us < 6000; us += 100)
			bad += crash_after(us, seed * 10000 + us + seed, mode);
	return bad;
}

static void test_a_crash_leaves_the_clone_as_it_was(void **state)
{
	assert_int_equal(crash_at_all_times(&osd_journal_mode_data), 0);
	assert_int_equal(crash_at_all_times(&osd_journal_mode_cow), 0);
	assert_int_equal(crash_at_all_times(&osd_journal_mode_ordered), 0);
}

static void noticed(enum mutation mutation, const struct osd_journal_mode *mode)
{
	mutate_set(mutation, true);
	assert_int_not_equal(crash_at_all_times(mode), 0);
	mutate_set(mutation, false);
}

static void test_mutations_are_noticed(void **state)
{
	noticed(MUTATE_OSD_CLONE_FORGETS_SHARE, &osd_journal_mode_data);
	noticed(MUTATE_OSD_CLONE_FORGETS_SHARE, &osd_journal_mode_ordered);
}

#define CASE(test)						\
	{ #test ", data", test, setup_data, teardown, NULL },	\
	{ #test ", cow", test, setup_cow, teardown, NULL },	\
	{ #test ", ordered", test, setup_ordered, teardown, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_clone_writes_no_data),
		CASE(test_what_is_done_to_one_leaves_the_other),
		CASE(test_the_last_one_gives_blocks_back),
		CASE(test_images_of_the_journal_are_shared),
		CASE(test_a_compound_request),
		CASE(test_many_clones),
		CASE(test_a_full_store_refuses_what_needs_a_fresh_block),
		CASE(test_a_snapshot_is_read_only),
		CASE(test_snapshots_of_snapshots_and_back),
		CASE(test_going_back_remembers_the_newest_truncation),
		cmocka_unit_test(test_a_crash_leaves_the_clone_as_it_was),
		cmocka_unit_test(test_mutations_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
