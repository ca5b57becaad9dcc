// SPDX-License-Identifier: GPL-2.0
/*
 * Where an object has blocks: SEEK finds them and the holes between, ALLOCATE fills holes, ZERO makes them, and what was
 * allocated can be overwritten on a full store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
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
	assert_int_equal(DATA(0), 62 * BLOCK);
	assert_int_equal(HOLE(62 * BLOCK), 67 * BLOCK);
	expect_letter(62 * BLOCK, 0, 2 * BLOCK);
	expect_letter(64 * BLOCK, 'a', BLOCK);
	expect_letter(65 * BLOCK, 0, BLOCK + 1);
	assert_int_equal(run(INO, NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OPF_ZERO, 63 * BLOCK, 2 * BLOCK, NULL), 0);
	expect_letter(62 * BLOCK, 0, 4 * BLOCK);
	assert_int_equal(rig.store->alloc.free, before - 5);
	assert_int_equal(size(), 66 * BLOCK + 1);
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
		CASE(test_size_3_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
