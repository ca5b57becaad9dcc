// SPDX-License-Identifier: GPL-2.0
/*
 * The object store: formatting and opening, every operation, space, checksums.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "osd_store_rig.h"
#include "server/base/crc.h"

#define DISK (24ull << 20)

static struct rig rig;

static int setup(void **state)
{
	rig_serve(&rig);
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(&rig);
	return 0;
}

/* ---- short hands --------------------------------------------------------------------- */

static uint32_t write_at(uint64_t ino, uint64_t offset, const void *bytes, size_t length)
{
	struct rig_request r;

	rig_request(&rig, &r, ino, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, offset, bytes, length);
	return rig_run(&rig, &r, NULL, true);
}

static uint32_t simple(uint64_t ino, enum nacre_osd_op_code code, uint16_t flags, uint64_t offset,
		       uint64_t length)
{
	struct rig_request r;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, code, flags, NULL, 0, NULL, 0, offset, length);
	return rig_run(&rig, &r, NULL, true);
}

static uint32_t named(uint64_t ino, enum nacre_osd_op_code code, const char *name, const char *value)
{
	struct rig_request r;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, code, 0, name, strlen(name), value, value ? strlen(value) : 0, 0, 0);
	return rig_run(&rig, &r, NULL, true);
}

static void expect_data(uint64_t ino, uint64_t offset, const void *bytes, size_t length)
{
	struct rig_request r;
	struct rig_reply reply;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, offset, length + 1);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	assert_int_equal(reply.data.length, length);
	if (length)
		assert_memory_equal(reply.data.at, bytes, length);
	rig_reply_free(&reply);
}

static uint64_t size_of(uint64_t ino)
{
	struct rig_request r;
	struct rig_reply reply;
	uint64_t size;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	size = reply.results[0].size;
	rig_reply_free(&reply);
	return size;
}

static void expect_named(uint64_t ino, enum nacre_osd_op_code code, const char *name,
			 const char *value)
{
	struct rig_request r;
	struct rig_reply reply;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, code, 0, name, strlen(name), NULL, 0, 0, 0);
	assert_int_equal(rig_run(&rig, &r, &reply, true), value ? 0 : ENODATA);
	if (value) {
		assert_int_equal(reply.output.length, strlen(value));
		assert_memory_equal(reply.output.at, value, strlen(value));
	}
	rig_reply_free(&reply);
}

/* ---- formatting and opening -------------------------------------------------------------- */

static void test_unformatted_is_refused(void **state)
{
	struct rig other;

	rig_create(&other, 2, DISK, 4 << 20);
	assert_int_equal(rig_open(&other, RIG_OSD, RIG_FSID_LO), -EINVAL);
	assert_non_null(strstr(other.why, "not formatted"));
	rig_destroy(&other);
}

static void test_wrong_owner_is_refused(void **state)
{
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD + 1, RIG_FSID_LO), -EINVAL);
	assert_non_null(strstr(rig.why, "belongs to osd3"));
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO + 1), -EINVAL);
	assert_non_null(strstr(rig.why, "belongs to file system"));
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
}

static void test_other_version_is_refused(void **state)
{
	uint8_t block[4096];

	rig_close(&rig);
	sim_disk_peek(rig.disk, 0, block, sizeof(block));
	block[8] = 9;
	sim_disk_poke(rig.disk, 0, block, sizeof(block));
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), -EPROTONOSUPPORT);
	assert_non_null(strstr(rig.why, "version 9"));
	block[8] = OSD_DISK_VERSION;
	block[40] ^= 1;
	sim_disk_poke(rig.disk, 0, block, sizeof(block));
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), -EINVAL);
	assert_non_null(strstr(rig.why, "damaged"));
}

static void test_format_spares_a_store(void **state)
{
	rig_close(&rig);
	assert_int_equal(rig_format(&rig, false), -EEXIST);
	assert_int_equal(rig_format(&rig, true), 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
}

/* ---- operations ----------------------------------------------------------------------------- */

static void test_write_at_offsets(void **state)
{
	uint8_t big[20000], want[25000];

	memset(want, 0, sizeof(want));
	memset(big, 7, sizeof(big));
	memcpy(want + 5000, big, sizeof(big));
	assert_int_equal(write_at(10, 5000, big, sizeof(big)), 0);
	assert_int_equal(size_of(10), 25000);
	expect_data(10, 0, want, sizeof(want));
	assert_int_equal(write_at(10, 6000, "hello", 5), 0);
	memcpy(want + 6000, "hello", 5);
	expect_data(10, 0, want, sizeof(want));
	rig_pass(&rig, 200);		/* written back: from the disk now */
	assert_int_equal(rig.store->images.count, 0);
	expect_data(10, 0, want, sizeof(want));
	assert_int_equal(write_at(10, 4090, "0123456789", 10), 0);
	memcpy(want + 4090, "0123456789", 10);
	expect_data(10, 0, want, sizeof(want));
}

static void test_truncate_zero(void **state)
{
	uint8_t want[16384];
	uint64_t free_before = rig.store->alloc.free;

	memset(want, 3, sizeof(want));
	assert_int_equal(write_at(11, 0, want, sizeof(want)), 0);
	assert_int_equal(rig.store->alloc.free, free_before - 4);
	assert_int_equal(simple(11, NACRE_OSD_OP_ZERO, 0, 4000, 4200), 0);
	memset(want + 4000, 0, 4200);
	expect_data(11, 0, want, sizeof(want));
	assert_int_equal(rig.store->alloc.free, free_before - 3);	/* a whole block went */
	assert_int_equal(simple(11, NACRE_OSD_OP_TRUNCATE, 0, 12000, 0), 0);
	assert_int_equal(size_of(11), 12000);
	assert_int_equal(simple(11, NACRE_OSD_OP_TRUNCATE, 0, 16384, 0), 0);
	memset(want + 12000, 0, 4384);
	expect_data(11, 0, want, sizeof(want));
	assert_int_equal(simple(11, NACRE_OSD_OP_TRUNCATE, 0, 0, 0), 0);
	assert_int_equal(rig.store->alloc.free, free_before);
	assert_int_equal(simple(11, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	assert_int_equal(simple(11, NACRE_OSD_OP_DELETE, 0, 0, 0), ENOENT);
	assert_int_equal(simple(11, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, 0, 0), 0);
}

static void test_create_exclusive(void **state)
{
	assert_int_equal(simple(12, NACRE_OSD_OP_CREATE, NACRE_OSD_OPF_EXCL, 0, 0), 0);
	assert_int_equal(simple(12, NACRE_OSD_OP_CREATE, NACRE_OSD_OPF_EXCL, 0, 0), EEXIST);
	assert_int_equal(simple(12, NACRE_OSD_OP_CREATE, 0, 0, 0), 0);
	assert_int_equal(rig.store->object_count, 1);
}

static void test_attributes(void **state)
{
	assert_int_equal(named(13, NACRE_OSD_OP_SETXATTR, "b", "two"), 0);
	assert_int_equal(named(13, NACRE_OSD_OP_SETXATTR, "a", "one"), 0);
	assert_int_equal(named(13, NACRE_OSD_OP_SETXATTR, "b", "three"), 0);
	expect_named(13, NACRE_OSD_OP_GETXATTR, "a", "one");
	expect_named(13, NACRE_OSD_OP_GETXATTR, "b", "three");
	assert_int_equal(named(13, NACRE_OSD_OP_CMPXATTR, "b", "three"), 0);
	assert_int_equal(named(13, NACRE_OSD_OP_CMPXATTR, "b", "two"), NACRE_E_CMP_FAILED);
	assert_int_equal(named(13, NACRE_OSD_OP_CMPXATTR, "c", ""), NACRE_E_CMP_FAILED);
	assert_int_equal(named(13, NACRE_OSD_OP_RMXATTR, "b", NULL), 0);
	assert_int_equal(named(13, NACRE_OSD_OP_RMXATTR, "b", NULL), ENODATA);
	expect_named(13, NACRE_OSD_OP_GETXATTR, "b", NULL);
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	expect_named(13, NACRE_OSD_OP_GETXATTR, "a", "one");
}

/* A comparison or a failure in the middle leaves nothing of what came before. */
static void test_compound_is_atomic(void **state)
{
	struct rig_request r;
	struct rig_reply reply;

	rig_request(&rig, &r, 14, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, 0, "data", 4);
	rig_op(&r, NACRE_OSD_OP_SETXATTR, 0, "x", 1, "y", 1, 0, 0);
	rig_op(&r, NACRE_OSD_OP_CMPSIZE, 0, NULL, 0, NULL, 0, 0, 5);
	rig_op(&r, NACRE_OSD_OP_KV_SET, 0, "k", 1, "v", 1, 0, 0);
	assert_int_equal(rig_run(&rig, &r, &reply, true), NACRE_E_CMP_FAILED);
	assert_int_equal(reply.failed_op, 2);
	assert_int_equal(reply.results[2].result, NACRE_E_CMP_FAILED);
	rig_reply_free(&reply);
	assert_int_equal(simple(14, NACRE_OSD_OP_STAT, 0, 0, 0), ENOENT);
	assert_int_equal(rig.store->object_count, 0);
}

/* The shared writers' request of DESIGN section 7: the first one un-inlines. */
static void test_if_noxattr_uninlines_once(void **state)
{
	struct rig_request r;
	struct rig_reply reply;
	int i;

	for (i = 0; i < 2; i++) {
		rig_request(&rig, &r, 15, 0);
		rig_op(&r, NACRE_OSD_OP_IF_NOXATTR, 0, "mark", 4, NULL, 0, 0, 2);
		rig_data_op(&r, NACRE_OSD_OP_WRITE_FULL, 0, "initial bytes", 13);
		rig_op(&r, NACRE_OSD_OP_SETXATTR, 0, "mark", 4, "1", 1, 0, 0);
		rig_data_op(&r, NACRE_OSD_OP_WRITE, i ? 0 : 8, i ? "I" : "BYTES", i ? 1 : 5);
		assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
		assert_int_equal(reply.results[1].result_flags,
				 i ? NACRE_OSD_RESULT_SKIPPED : 0);
		assert_int_equal(reply.results[3].result_flags, 0);
		rig_reply_free(&reply);
	}
	expect_data(15, 0, "Initial BYTES", 13);
}

static uint64_t version_of(uint64_t ino)
{
	struct rig_request r;
	struct rig_reply reply;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	rig_reply_free(&reply);
	return reply.version;
}

/*
 * OSD-3: one replica's object has had keys, the other's was sent as a copy without any. Removing one that is not there
 * is a change for both, or for none.
 */
static void test_absent_key_removed(void **state)
{
	uint64_t before[2];

	assert_int_equal(named(40, NACRE_OSD_OP_KV_SET, "k", "v"), 0);
	assert_int_equal(named(40, NACRE_OSD_OP_KV_RM, "k", NULL), 0);
	assert_int_equal(named(41, NACRE_OSD_OP_SETXATTR, "x", "y"), 0);
	before[0] = version_of(40);
	before[1] = version_of(41);
	assert_int_equal(named(40, NACRE_OSD_OP_KV_RM, "k", NULL), 0);
	assert_int_equal(named(41, NACRE_OSD_OP_KV_RM, "k", NULL), 0);
	assert_true(version_of(40) > before[0]);
	assert_true(version_of(41) > before[1]);
}

static void test_keys_list_in_order(void **state)
{
	struct rig_request r;
	struct rig_reply reply;
	struct nacre_key_value pair;
	struct nacre_reader reader;
	char name[16], last[16] = "";
	int i, seen = 0, rounds = 0;
	bool more = true;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "key%03d", (i * 7) % 300);
		assert_int_equal(named(16, NACRE_OSD_OP_KV_SET, name, name + 3), 0);
		if (i == 150)
			rig_pass(&rig, 200);	/* half applied, half above */
	}
	for (i = 0; i < 300; i += 3) {
		snprintf(name, sizeof(name), "key%03d", i);
		assert_int_equal(named(16, NACRE_OSD_OP_KV_RM, name, NULL), 0);
	}
	while (more) {
		rig_request(&rig, &r, 16, 0);
		rig_op(&r, NACRE_OSD_OP_KV_LIST, 0, last, strlen(last), NULL, 0, 100000, 17);
		assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
		reader = nacre_reader(reply.output.at, reply.output.length);
		while (nacre_reader_left(&reader)) {
			assert_int_equal(nacre_decode(nacre_key_value_desc(), &reader, &pair), 0);
			snprintf(name, sizeof(name), "key%03d", seen / 2 * 3 + seen % 2 + 1);
			assert_int_equal(pair.key_bytes, 6);
			assert_memory_equal(pair.key, name, 6);
			assert_memory_equal(pair.value, name + 3, 3);
			memcpy(last, pair.key, 6);
			seen++;
		}
		more = reply.results[0].result_flags & NACRE_OSD_RESULT_MORE;
		rounds++;
		rig_reply_free(&reply);
	}
	assert_int_equal(seen, 200);
	assert_true(rounds >= 12);
	assert_int_equal(simple(16, NACRE_OSD_OP_KV_CLEAR, 0, 0, 0), 0);
	expect_named(16, NACRE_OSD_OP_KV_GET, "key001", NULL);
	assert_int_equal(named(16, NACRE_OSD_OP_KV_SET, "new", "1"), 0);
	expect_named(16, NACRE_OSD_OP_KV_GET, "new", "1");
}

/* Own changes earlier in the same request are listed too. */
static void test_keys_list_sees_own_request(void **state)
{
	struct rig_request r;
	struct rig_reply reply;

	assert_int_equal(named(17, NACRE_OSD_OP_KV_SET, "b", "old"), 0);
	assert_int_equal(named(17, NACRE_OSD_OP_KV_SET, "c", "gone"), 0);
	rig_request(&rig, &r, 17, 0);
	rig_op(&r, NACRE_OSD_OP_KV_SET, 0, "a", 1, "1", 1, 0, 0);
	rig_op(&r, NACRE_OSD_OP_KV_SET, 0, "b", 1, "2", 1, 0, 0);
	rig_op(&r, NACRE_OSD_OP_KV_RM, 0, "c", 1, NULL, 0, 0, 0);
	rig_op(&r, NACRE_OSD_OP_KV_LIST, 0, NULL, 0, NULL, 0, 1000, 10);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	assert_int_equal(reply.output.length, 2 * (8 + 1 + 1));
	assert_int_equal(reply.output.at[8], 'a');
	assert_int_equal(reply.output.at[18], 'b');
	assert_int_equal(reply.output.at[19], '2');
	assert_int_equal(reply.results[3].result_flags, 0);
	rig_reply_free(&reply);
}

static void test_clone(void **state)
{
	uint8_t want[400000];
	size_t i;

	for (i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)(i * 31 >> 3);
	assert_int_equal(write_at(18, 0, want, sizeof(want)), 0);
	assert_int_equal(simple(18, NACRE_OSD_OP_ZERO, 0, 8192, 8192), 0);
	memset(want + 8192, 0, 8192);
	assert_int_equal(named(18, NACRE_OSD_OP_SETXATTR, "a", "attr"), 0);
	assert_int_equal(named(18, NACRE_OSD_OP_KV_SET, "k", "kv"), 0);
	assert_int_equal(write_at(19, 0, "to be replaced", 14), 0);
	assert_int_equal(rig_clone(&rig, 19, 18, NACRE_SNAP_HEAD, true), 0);
	assert_int_equal(write_at(18, 0, "changed", 7), 0);
	assert_int_equal(simple(18, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	rig_pass(&rig, 200);
	expect_data(19, 0, want, sizeof(want));
	expect_named(19, NACRE_OSD_OP_GETXATTR, "a", "attr");
	expect_named(19, NACRE_OSD_OP_KV_GET, "k", "kv");
}

static void test_checksum_operation(void **state)
{
	struct rig_request r;
	struct rig_reply reply;
	uint32_t crc;

	assert_int_equal(write_at(20, 0, "0123456789", 10), 0);
	rig_request(&rig, &r, 20, 0);
	rig_op(&r, NACRE_OSD_OP_CHECKSUM, 0, NULL, 0, NULL, 0, 2, 100);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	memcpy(&crc, reply.output.at, 4);
	assert_int_equal(crc, crc_of("23456789", 8));
	rig_reply_free(&reply);
}

/* ---- SIZE-3 --------------------------------------------------------------------------------- */

static uint32_t write_seq(uint64_t ino, uint64_t offset, const void *bytes, size_t length,
			  uint32_t seq, uint64_t size)
{
	struct rig_request r;

	rig_request(&rig, &r, ino, 0);
	r.head.truncate_seq = seq;
	r.head.truncate_size = size;
	rig_data_op(&r, NACRE_OSD_OP_WRITE, offset, bytes, length);
	return rig_run(&rig, &r, NULL, true);
}

static uint32_t truncate_seq(uint64_t ino, uint64_t to, uint32_t seq)
{
	struct rig_request r;

	rig_request(&rig, &r, ino, 0);
	r.head.truncate_seq = seq;
	r.head.truncate_size = to;
	rig_op(&r, NACRE_OSD_OP_TRUNCATE, 0, NULL, 0, NULL, 0, to, 0);
	return rig_run(&rig, &r, NULL, true);
}

static void test_size_3_late_write_is_trimmed(void **state)
{
	assert_int_equal(write_seq(21, 0, "0123456789", 10, 1, 0), 0);
	assert_int_equal(truncate_seq(21, 4, 2), 0);
	assert_int_equal(write_seq(21, 2, "abcdef", 6, 1, 0), 0);
	expect_data(21, 0, "01ab", 4);
	assert_int_equal(write_seq(21, 6, "late", 4, 1, 0), 0);
	expect_data(21, 0, "01ab", 4);
}

static void test_size_3_early_writer_brings_truncation(void **state)
{
	assert_int_equal(write_seq(22, 0, "0123456789", 10, 1, 0), 0);
	assert_int_equal(write_seq(22, 6, "new", 3, 2, 4), 0);	/* knows of truncation 2 to 4 */
	expect_data(22, 0, "0123\0\0new", 9);
	assert_int_equal(truncate_seq(22, 4, 2), 0);		/* comes late: done already */
	expect_data(22, 0, "0123\0\0new", 9);
	assert_int_equal(truncate_seq(22, 1, 3), 0);
	expect_data(22, 0, "0", 1);
}

/* ---- space ------------------------------------------------------------------------------------ */

static void test_full_then_freed_then_usable(void **state)
{
	uint8_t *mega = mem_zero(1, 1 << 20);
	uint64_t free_before = rig.store->alloc.free, position = 2 << 20, ino, freed;
	struct rig_request r;
	uint32_t err = 0;

	for (ino = 100; !err; ino++)
		err = write_at(ino, 0, mega, 1 << 20);
	assert_int_equal(err, ENOSPC);
	ino--;
	assert_int_equal(simple(ino, NACRE_OSD_OP_STAT, 0, 0, 0), ENOENT);	/* nothing is left behind */
	assert_true(rig.store->alloc.free >= rig.store->alloc.reserve);
	/* What says that a file is gone has its place when there is none for data. */
	for (err = 0; !err; position += 4096)
		err = write_at(100, position, mega, 4096);
	assert_int_equal(err, ENOSPC);
	rig_request(&rig, &r, 90, 0);
	r.head.pool = NACRE_POOL_META;
	rig_data_op(&r, NACRE_OSD_OP_WRITE, 0, mega, 4096);
	assert_int_equal(rig_run(&rig, &r, NULL, true), 0);
	assert_true(rig.store->alloc.free < rig.store->alloc.reserve);
	freed = rig.store->alloc.free;
	/* A compound whose last operation has no space takes back the first. */
	rig_request(&rig, &r, 100, 0);
	rig_op(&r, NACRE_OSD_OP_SETXATTR, 0, "x", 1, "y", 1, 0, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, 1 << 20, mega, 1 << 20);
	assert_int_equal(rig_run(&rig, &r, NULL, true), ENOSPC);
	assert_int_equal(rig.store->alloc.free, freed);
	expect_named(100, NACRE_OSD_OP_GETXATTR, "x", NULL);
	/* Overwriting in place and deleting go on. */
	assert_int_equal(write_at(100, 0, "over", 4), 0);
	while (--ino >= 100)
		assert_int_equal(simple(ino, NACRE_OSD_OP_DELETE, 0, 0, 0), 0);
	free_before--;		/* the metadata stays */
	assert_int_equal(rig.store->alloc.free, free_before);
	assert_int_equal(write_at(200, 0, mega, 1 << 20), 0);
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.store->alloc.free, free_before - 256);
	free(mega);
}

static void test_larger_than_journal_is_refused(void **state)
{
	uint8_t *bytes = mem_zero(1, 4 << 20);

	assert_int_equal(write_at(30, 0, bytes, 4 << 20), EFBIG);
	assert_int_equal(write_at(30, 0, bytes, 1 << 20), 0);
	free(bytes);
}

/* The journal is much smaller than what is written: it makes writers wait, never fail. */
static void test_journal_full_is_backpressure(void **state)
{
	uint8_t *mega = mem_zero(1, 1 << 20);
	struct rig_request r;
	int i;

	for (i = 0; i < 30; i++) {
		memset(mega, i, 1 << 20);
		rig_request(&rig, &r, 31, 0);
		rig_data_op(&r, NACRE_OSD_OP_WRITE_FULL, 0, mega, 1 << 20);
		assert_int_equal(rig_run(&rig, &r, NULL, false), 0);
	}
	assert_true(rig.store->journal.waiting_bytes > 20u << 20);
	rig_pass(&rig, 20000);
	assert_int_equal(rig.durable, rig.submitted);
	assert_true(rig.store->stats->journal_full > 0);
	expect_data(31, 0, mega, 1 << 20);
	free(mega);
}

/* ---- rot ------------------------------------------------------------------------------------------ */

static void test_damage_is_detected(void **state)
{
	uint8_t bytes[12288], block[4096];
	struct rig_request r;
	struct rig_reply reply;
	uint64_t at;

	memset(bytes, 9, sizeof(bytes));
	assert_int_equal(write_at(40, 0, bytes, sizeof(bytes)), 0);
	rig_pass(&rig, 200);
	for (at = rig.store->super.data_offset;; at += 4096) {
		sim_disk_peek(rig.disk, at, block, sizeof(block));
		if (block[0] == 9)
			break;
	}
	block[1000] ^= 0x10;
	sim_disk_poke(rig.disk, at, block, sizeof(block));
	rig_request(&rig, &r, 40, 0);
	rig_op(&r, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, 12288);
	assert_int_equal(rig_run(&rig, &r, &reply, true), NACRE_E_CHECKSUM);
	rig_reply_free(&reply);
	assert_int_equal(rig.store->stats->checksum_errors, 1);
	assert_int_equal(write_at(40, 10, "partial", 7), NACRE_E_CHECKSUM);	/* no laundering */
	assert_int_equal(write_at(40, 0, bytes, 4096), 0);			/* a whole block heals */
	expect_data(40, 0, bytes, sizeof(bytes));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_unformatted_is_refused),
		CASE(test_wrong_owner_is_refused),
		CASE(test_other_version_is_refused),
		CASE(test_format_spares_a_store),
		CASE(test_write_at_offsets),
		CASE(test_truncate_zero),
		CASE(test_create_exclusive),
		CASE(test_attributes),
		CASE(test_compound_is_atomic),
		CASE(test_if_noxattr_uninlines_once),
		CASE(test_absent_key_removed),
		CASE(test_keys_list_in_order),
		CASE(test_keys_list_sees_own_request),
		CASE(test_clone),
		CASE(test_checksum_operation),
		CASE(test_size_3_late_write_is_trimmed),
		CASE(test_size_3_early_writer_brings_truncation),
		CASE(test_full_then_freed_then_usable),
		CASE(test_larger_than_journal_is_refused),
		CASE(test_journal_full_is_backpressure),
		CASE(test_damage_is_detected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
