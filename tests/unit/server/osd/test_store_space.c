// SPDX-License-Identifier: GPL-2.0
/*
 * Where an object has blocks: MAP says it, SEEK finds what was written and what was not, ALLOCATE gives room without
 * writing, ZERO gives it back, and what was allocated can be overwritten on a full store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "osd_store_rig.h"

#define INO 7
#define BLOCK 4096ull

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

static uint32_t run(uint64_t ino, enum nacre_osd_op_code code, uint16_t flags, uint64_t offset,
		    uint64_t length, struct rig_reply *reply)
{
	struct rig_request r;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, code, flags, NULL, 0, NULL, 0, offset, length);
	return rig_run(&rig, &r, reply, true);
}

static uint32_t allocate(uint64_t offset, uint64_t length)
{
	return run(INO, NACRE_OSD_OP_ALLOCATE, 0, offset, length, NULL);
}

static uint32_t zero(uint64_t offset, uint64_t length)
{
	return run(INO, NACRE_OSD_OP_ZERO, 0, offset, length, NULL);
}

static uint32_t write_letter(uint64_t ino, uint64_t offset, char letter, size_t length)
{
	struct rig_request r;
	char *bytes = malloc(length);
	uint32_t result;

	memset(bytes, letter, length);
	rig_request(&rig, &r, ino, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, offset, bytes, length);
	result = rig_run(&rig, &r, NULL, true);
	free(bytes);
	return result;
}

static uint64_t seek(bool hole, uint64_t offset, uint64_t length)
{
	struct rig_reply reply;
	uint64_t found;

	assert_int_equal(run(INO, NACRE_OSD_OP_SEEK, hole ? NACRE_OSD_OPF_HOLE : 0, offset, length,
			     &reply), 0);
	found = reply.results[0].size;
	rig_reply_free(&reply);
	return found;
}

#define DATA(offset) seek(false, offset, RIG_OBJECT_BYTES - (offset))
#define HOLE(offset) seek(true, offset, RIG_OBJECT_BYTES - (offset))

static void expect_letter(uint64_t offset, char letter, size_t length)
{
	struct rig_reply reply;
	size_t i;

	assert_int_equal(run(INO, NACRE_OSD_OP_READ, 0, offset, length, &reply), 0);
	assert_int_equal(reply.data.length, length);
	for (i = 0; i < length; i++)
		assert_int_equal(reply.data.at[i], letter);
	rig_reply_free(&reply);
}

/* Where there are blocks: "first:count", u = unwritten. */
static void expect_map_of(uint64_t ino, const char *want)
{
	struct nacre_osd_extent extent;
	struct nacre_reader reader;
	struct rig_reply reply;
	char got[256] = "";
	size_t at = 0;

	assert_int_equal(run(ino, NACRE_OSD_OP_MAP, 0, 0, NACRE_OBJECT_MAX, &reply), 0);
	reader = nacre_reader(reply.output.at, reply.output.length);
	while (nacre_reader_left(&reader)) {
		assert_int_equal(nacre_decode(nacre_osd_extent_desc(), &reader, &extent), 0);
		at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%llu:%llu%s", at ? " " : "",
				       (unsigned long long)extent.offset / BLOCK,
				       (unsigned long long)extent.length / BLOCK,
				       extent.extent_flags ? "u" : "");
	}
	assert_string_equal(got, want);
	rig_reply_free(&reply);
}

static void expect_map(const char *want)
{
	expect_map_of(INO, want);
}

static uint64_t size(void)
{
	struct rig_reply reply;
	uint64_t bytes;

	assert_int_equal(run(INO, NACRE_OSD_OP_STAT, 0, 0, 0, &reply), 0);
	bytes = reply.results[0].size;
	rig_reply_free(&reply);
	return bytes;
}

static void test_seek(void **state)
{
	assert_int_equal(DATA(0), RIG_OBJECT_BYTES);	/* no object: one hole */
	assert_int_equal(HOLE(5), 5);
	assert_int_equal(write_letter(INO, 100 * BLOCK + 10, 'a', 5), 0);
	assert_int_equal(write_letter(INO, 70 * BLOCK, 'b', 2 * BLOCK), 0);
	rig_pass(&rig, 200);
	assert_int_equal(HOLE(0), 0);
	assert_int_equal(DATA(0), 70 * BLOCK);
	assert_int_equal(DATA(70 * BLOCK + 5), 70 * BLOCK + 5);
	assert_int_equal(HOLE(70 * BLOCK + 5), 72 * BLOCK);
	assert_int_equal(DATA(72 * BLOCK), 100 * BLOCK);
	assert_int_equal(HOLE(100 * BLOCK), 101 * BLOCK);	/* not at the object's end, in the middle of it */
	assert_int_equal(HOLE(100 * BLOCK + 50), 101 * BLOCK);
	assert_int_equal(DATA(101 * BLOCK), RIG_OBJECT_BYTES);
	assert_int_equal(seek(false, 0, 70 * BLOCK), 70 * BLOCK);	/* none in that range */
	assert_int_equal(seek(true, 70 * BLOCK, 100), 70 * BLOCK + 100);
	assert_int_equal(zero(70 * BLOCK, BLOCK), 0);
	assert_int_equal(DATA(0), 71 * BLOCK);
	assert_int_equal(zero(71 * BLOCK, BLOCK - 1), 0);	/* in part: the block stays */
	assert_int_equal(DATA(0), 71 * BLOCK);
}

static void test_allocate(void **state)
{
	uint64_t before = rig.store->alloc.free;

	assert_int_equal(write_letter(INO, 64 * BLOCK, 'a', BLOCK), 0);
	assert_int_equal(allocate(62 * BLOCK + 1, 4 * BLOCK), 0);
	assert_int_equal(rig.store->alloc.free, before - 5);
	assert_int_equal(size(), 66 * BLOCK + 1);
	rig_pass(&rig, 200);
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.store->alloc.free, before - 5);
	assert_int_equal(DATA(0), 64 * BLOCK);
	assert_int_equal(HOLE(64 * BLOCK), 65 * BLOCK);
	expect_map("62:2u 64:1 65:2u");
	expect_letter(62 * BLOCK, 0, 2 * BLOCK);
	expect_letter(64 * BLOCK, 'a', BLOCK);
	expect_letter(65 * BLOCK, 0, BLOCK + 1);
	assert_int_equal(run(INO, NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OPF_ZERO, 63 * BLOCK, 2 * BLOCK, NULL), 0);
	expect_letter(62 * BLOCK, 0, 4 * BLOCK);
	expect_map("62:5u");
	assert_int_equal(rig.store->alloc.free, before - 5);
	assert_int_equal(size(), 66 * BLOCK + 1);
}

/* Room costs no bytes: neither in the journal's images nor at the device, and reading it reads nothing. */
static void test_room_is_not_written(void **state)
{
	uint64_t data, read, images = rig.store->stats->bytes_journal;

	assert_int_equal(allocate(0, 1024 * BLOCK), 0);
	assert_in_range(rig.store->stats->bytes_journal - images, 1, 40 * BLOCK);
	rig_pass(&rig, 1000);
	data = rig.store->stats->bytes_data;
	assert_int_equal(data, 0);
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	read = rig.store->stats->bytes_read;
	expect_letter(0, 0, 64 * BLOCK);
	assert_int_equal(rig.store->stats->bytes_read, read);
}

/* A write, of a whole block or a part, makes it a written one with zeros around; ZERO takes the place, ALLOCATE and ZERO keep it. */
static void test_unwritten_becomes_written(void **state)
{
	uint64_t before;

	assert_int_equal(allocate(0, 8 * BLOCK), 0);
	before = rig.store->alloc.free;
	assert_int_equal(write_letter(INO, BLOCK + 100, 'a', 10), 0);
	assert_int_equal(write_letter(INO, 3 * BLOCK, 'b', BLOCK), 0);
	assert_int_equal(write_letter(INO, 5 * BLOCK - 10, 'c', 20), 0);
	assert_int_equal(rig.store->alloc.free, before);
	expect_map("0:1u 1:1 2:1u 3:3 6:2u");
	rig_pass(&rig, 200);
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	expect_map("0:1u 1:1 2:1u 3:3 6:2u");
	expect_letter(0, 0, BLOCK + 100);
	expect_letter(BLOCK + 100, 'a', 10);
	expect_letter(BLOCK + 110, 0, 2 * BLOCK - 110);
	expect_letter(3 * BLOCK, 'b', BLOCK);
	expect_letter(5 * BLOCK - 10, 'c', 20);
	expect_letter(5 * BLOCK + 10, 0, BLOCK - 10);
	assert_int_equal(run(INO, NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OPF_ZERO, 2 * BLOCK + 1, 2 * BLOCK, NULL), 0);
	expect_map("0:1u 1:1 2:2u 4:2 6:2u");
	expect_letter(4 * BLOCK, 0, BLOCK - 10);
	assert_int_equal(rig.store->alloc.free, before);
	assert_int_equal(zero(0, 2 * BLOCK), 0);
	assert_int_equal(zero(7 * BLOCK, 100), 0);	/* in part: zeros already */
	assert_int_equal(rig.store->alloc.free, before + 2);
	expect_map("2:2u 4:2 6:2u");
	assert_int_equal(run(INO, NACRE_OSD_OP_TRUNCATE, 0, 6 * BLOCK + 5, 0, NULL), 0);
	expect_map("2:2u 4:2 6:1u");
	assert_int_equal(rig.store->alloc.free, before + 3);
}

/* KEEP: room behind the size is there for writes and for MAP alone, until a cut, to whatever size, takes it. */
static void test_room_behind_the_size(void **state)
{
	uint64_t before = rig.store->alloc.free;

	assert_int_equal(run(INO, NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OPF_KEEP, BLOCK, 99 * BLOCK, NULL), 0);
	assert_int_equal(size(), 0);
	assert_int_equal(write_letter(INO, 0, 'a', 100), 0);
	assert_int_equal(size(), 100);
	assert_int_equal(rig.store->alloc.free, before - 100);
	assert_int_equal(DATA(0), 0);
	assert_int_equal(HOLE(0), BLOCK);
	expect_map("0:1 1:99u");
	assert_int_equal(write_letter(INO, 50 * BLOCK, 'b', 1), 0);
	expect_letter(100, 0, 50 * BLOCK - 100);
	assert_int_equal(size(), 50 * BLOCK + 1);
	assert_int_equal(rig.store->alloc.free, before - 100);
	rig_pass(&rig, 200);
	rig_close(&rig);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	expect_map("0:1 1:49u 50:1 51:49u");
	assert_int_equal(zero(60 * BLOCK + 1, 10 * BLOCK), 0);	/* behind the size, too: the file may be larger than that */
	expect_map("0:1 1:49u 50:1 51:10u 70:30u");
	assert_int_equal(run(INO, NACRE_OSD_OP_TRUNCATE, 0, 50 * BLOCK + 1, 0, NULL), 0);	/* to the size it has */
	expect_map("0:1 1:49u 50:1");
	assert_int_equal(run(INO, NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OPF_KEEP | NACRE_OSD_OPF_ZERO, 50 * BLOCK, 4 * BLOCK, NULL), 0);
	expect_map("0:1 1:53u");
	assert_int_equal(size(), 50 * BLOCK + 1);
	assert_int_equal(run(INO, NACRE_OSD_OP_TRUNCATE, 0, 52 * BLOCK, 0, NULL), 0);	/* grows */
	expect_map("0:1 1:51u");
	assert_int_equal(run(INO, NACRE_OSD_OP_DELETE, 0, 0, 0, NULL), 0);
	assert_int_equal(rig.store->alloc.free, before);
}

/* SIZE-3: a request brings a truncation along that the object has not seen: room behind that goes, and the object does not grow. */
static void test_size_3_takes_room(void **state)
{
	struct rig_request r;

	assert_int_equal(write_letter(INO, 0, 'a', 10), 0);
	assert_int_equal(run(INO, NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OPF_KEEP, 0, 8 * BLOCK, NULL), 0);
	rig_request(&rig, &r, INO, 0);
	r.head.truncate_seq = 5;
	r.head.truncate_size = 2 * BLOCK + 1;
	rig_op(&r, NACRE_OSD_OP_SETXATTR, 0, "x", 1, "y", 1, 0, 0);
	assert_int_equal(rig_run(&rig, &r, NULL, true), 0);
	expect_map("0:1 1:2u");
	assert_int_equal(size(), 10);
}

/* A store of version 1 has no unwritten blocks and is read as it is; it becomes one of this version at once. */
static void test_version_1_is_taken_over(void **state)
{
	uint8_t block[4096];

	assert_int_equal(write_letter(INO, 0, 'a', BLOCK), 0);
	rig_close(&rig);
	sim_disk_peek(rig.disk, 0, block, sizeof(block));
	assert_int_equal(block[8], OSD_DISK_VERSION);
	block[8] = 1;
	osd_disk_seal(block, sizeof(struct osd_disk_super_wire));
	sim_disk_poke(rig.disk, 0, block, sizeof(block));
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	expect_letter(0, 'a', BLOCK);
	rig_close(&rig);
	sim_disk_peek(rig.disk, 0, block, sizeof(block));
	assert_int_equal(block[8], OSD_DISK_VERSION);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	expect_letter(0, 'a', BLOCK);
}

/* A copy has room of its own. */
static void test_clone_has_room(void **state)
{
	uint64_t before;

	assert_int_equal(allocate(0, 3 * BLOCK), 0);
	assert_int_equal(write_letter(INO, BLOCK, 'a', BLOCK), 0);
	before = rig.store->alloc.free;
	assert_int_equal(rig_clone(&rig, INO + 1, INO, NACRE_SNAP_HEAD, true), 0);
	assert_int_equal(rig.store->alloc.free, before - 2);	/* what is written is shared */
	expect_map_of(INO + 1, "0:1u 1:1 2:1u");
}

/* What fallocate(2) promises: an allocated range can be written when nothing else can. */
static void test_allocated_on_full_store(void **state)
{
	uint64_t offset = 0, ino = 100;

	assert_int_equal(write_letter(INO, BLOCK, 'a', BLOCK), 0);
	assert_int_equal(allocate(0, 16 * BLOCK), 0);
	while (!write_letter(ino, offset, 'x', 256 * BLOCK))
		if ((offset += 256 * BLOCK) == RIG_OBJECT_BYTES)
			offset = 0, ino++;
	while (!write_letter(ino, offset, 'x', BLOCK))
		offset += BLOCK;
	assert_int_equal(write_letter(INO, 16 * BLOCK, 'b', 1), ENOSPC);
	assert_int_equal(allocate(0, 17 * BLOCK), ENOSPC);
	assert_int_equal(write_letter(INO, 0, 'b', 16 * BLOCK), 0);
	expect_letter(0, 'b', 16 * BLOCK);
}

/* SIZE-3: neither zeros nor room reach behind a truncation that the sender did not know of. */
static void test_size_3_late(void **state)
{
	struct rig_request r;
	unsigned int i;

	assert_int_equal(write_letter(INO, 0, 'a', 2 * BLOCK), 0);
	rig_request(&rig, &r, INO, 0);
	r.head.truncate_seq = 5;
	r.head.truncate_size = BLOCK;
	rig_op(&r, NACRE_OSD_OP_TRUNCATE, 0, NULL, 0, NULL, 0, BLOCK, 0);
	assert_int_equal(rig_run(&rig, &r, NULL, true), 0);
	assert_int_equal(write_letter(INO, BLOCK, 'b', BLOCK), 0);
	for (i = 0; i < 3; i++) {
		rig_request(&rig, &r, INO, 0);
		r.head.truncate_seq = 4;
		r.head.truncate_size = 100 * BLOCK;
		rig_op(&r, i ? NACRE_OSD_OP_ALLOCATE : NACRE_OSD_OP_ZERO, i == 2 ? NACRE_OSD_OPF_ZERO : 0,
		       NULL, 0, NULL, 0, BLOCK / 2, 3 * BLOCK);
		assert_int_equal(rig_run(&rig, &r, NULL, true), 0);
	}
	assert_int_equal(size(), 2 * BLOCK);
	expect_letter(0, 'a', BLOCK / 2);
	expect_letter(BLOCK / 2, 0, BLOCK / 2);
	expect_letter(BLOCK, 'b', BLOCK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_seek), CASE(test_allocate), CASE(test_allocated_on_full_store),
		CASE(test_room_is_not_written), CASE(test_unwritten_becomes_written), CASE(test_clone_has_room), CASE(test_room_behind_the_size),
		CASE(test_size_3_takes_room),
		CASE(test_version_1_is_taken_over),
		CASE(test_size_3_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
