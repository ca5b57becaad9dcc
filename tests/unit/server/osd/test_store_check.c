// SPDX-License-Identifier: GPL-2.0
/*
 * The check of a store: nothing is found in one that is right, wherever its journal stands, and it is left as it was; each
 * kind of damage to blocks, keys and bitmap is found and named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "osd_store_rig.h"

#define KINDS OSD_CHECK_FAULT_KINDS

static struct rig rig;

static struct rig_found found;

static uint64_t check(bool deep)
{
	return rig_check(&rig, deep, &found);
}

static void expect_one(enum osd_check_fault fault, const char *sentence)
{
	assert_string_equal(found.first, sentence);
	assert_int_equal(found.counts.faults[fault], 1);
	for (int i = 0; i < KINDS; i++)
		if (i != (int)fault)
			assert_int_equal(found.counts.faults[i], 0);
}

/* ---- a store ------------------------------------------------------------------------------- */

static void write_blocks(uint64_t ino, uint64_t first, uint32_t count)
{
	static uint8_t bytes[16 * OSD_BLOCK_BYTES];
	struct rig_request r;
	struct rig_reply reply;

	memset(bytes, (int)ino, sizeof(bytes));
	rig_request(&rig, &r, ino, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, first * OSD_BLOCK_BYTES, bytes, count * OSD_BLOCK_BYTES);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	rig_reply_free(&reply);
}

static void run_op(uint64_t ino, enum nacre_osd_op_code code, const char *name, uint64_t offset, uint64_t length)
{
	struct rig_request r;
	struct rig_reply reply;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, code, 0, name, name ? strlen(name) : 0, name, name ? strlen(name) : 0, offset, length);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	rig_reply_free(&reply);
}

/* Two files, one with room, one with a pair; and one that was removed. */
static int setup(void **state)
{
	rig_serve(&rig);
	write_blocks(10, 0, 3);
	write_blocks(10, 70, 2);	/* in its second list of blocks */
	run_op(10, NACRE_OSD_OP_ALLOCATE, NULL, 100 * OSD_BLOCK_BYTES, 5 * OSD_BLOCK_BYTES);
	write_blocks(11, 0, 4);
	run_op(11, NACRE_OSD_OP_KV_SET, "name", 0, 0);
	write_blocks(12, 0, 16);
	run_op(12, NACRE_OSD_OP_KV_SET, "name", 0, 0);
	run_op(12, NACRE_OSD_OP_DELETE, NULL, 0, 0);
	return 0;
}

static int setup_closed(void **state)
{
	setup(state);
	rig_close(&rig);
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(&rig);
	return 0;
}

/* ---- damage to keys ------------------------------------------------------------------------ */

static bool kv_ended;

static void batch_done(struct kv_batch *batch)
{
	kv_ended = true;
}

static void get_done(struct kv_get *get)
{
	kv_ended = true;
}

static void flush_done(struct kv_flush *flush)
{
	kv_ended = true;
}

static bool has_kv_ended(struct rig *r)
{
	return kv_ended;
}

/* Put a value, or (NULL) remove the key, in the closed store. */
static void put(const struct osd_key *key, const void *value, uint32_t bytes)
{
	struct kv *kv = kv_mem_open(sim_host_io(rig.host), rig.keys);
	struct kv_batch batch = { .done = batch_done };
	struct kv_flush flush = { .done = flush_done };

	if (value)
		kv_batch_put(&batch, key->bytes, key->length, value, bytes);
	else
		kv_batch_delete(&batch, key->bytes, key->length);
	kv_ended = false;
	kv_apply(kv, &batch);
	rig_until(&rig, has_kv_ended);
	kv_ended = false;
	kv_flush(kv, &flush);
	rig_until(&rig, has_kv_ended);
	mem_bytes_free(&batch.bytes);
	kv_close(kv);
}

/* The caller frees it. */
static uint8_t *get(const struct osd_key *key, uint32_t *bytes)
{
	struct kv *kv = kv_mem_open(sim_host_io(rig.host), rig.keys);
	struct kv_get get = { .key = key->bytes, .key_bytes = key->length, .done = get_done };

	kv_ended = false;
	kv_get(kv, &get);
	rig_until(&rig, has_kv_ended);
	assert_int_equal(get.result, 0);
	kv_close(kv);
	*bytes = get.value_bytes;
	return get.value;
}

static struct osd_key object_key(uint64_t ino)
{
	struct nacre_oid oid = { .ino = ino, .pool = 1, .snap = NACRE_SNAP_HEAD };
	struct osd_key key;

	osd_key_object(&key, 0, &oid);	/* the rig's only group */
	return key;
}

static uint64_t object_id(uint64_t ino)
{
	struct osd_key key = object_key(ino);
	struct osd_onode onode;
	uint32_t bytes;
	uint8_t *value = get(&key, &bytes);
	uint64_t id;

	memset(&onode, 0, sizeof(onode));
	assert_int_equal(osd_onode_decode(&onode, value, bytes), 0);
	id = onode.object_id;
	osd_onode_free(&onode);
	free(value);
	return id;
}

/* A bit of the allocation bitmap. */
static void flip(uint64_t block)
{
	struct osd_key key;
	uint32_t bytes;
	uint8_t *value;

	osd_key_bitmap(&key, block / OSD_BITMAP_BLOCKS);
	value = get(&key, &bytes);
	value[block % OSD_BITMAP_BLOCKS / 8] ^= (uint8_t)(1u << (block % 8));
	put(&key, value, bytes);
	free(value);
}

/* Where a block of an object is. */
static uint64_t place_of(uint64_t ino, uint32_t block)
{
	struct osd_chunk *chunk = osd_chunk_new();
	struct osd_key key;
	uint32_t bytes;
	uint8_t *value;
	uint64_t place;

	osd_key_chunk(&key, object_id(ino), block / OSD_CHUNK_BLOCKS);
	value = get(&key, &bytes);
	assert_int_equal(osd_chunk_decode(chunk, value, bytes), 0);
	place = chunk->block[block % OSD_CHUNK_BLOCKS];
	free(chunk);
	free(value);
	return place;
}

/* ---- the cases ----------------------------------------------------------------------------- */

static void a_store_that_is_right_is_clean(void **state)
{
	assert_int_equal(check(true), 0);
	assert_int_equal(found.counts.objects, 2);
	assert_int_equal(found.counts.blocks, 3 + 2 + 5 + 4);
	assert_int_equal(found.counts.unwritten, 5);
	assert_int_equal(found.counts.blocks_compared, 3 + 2 + 4);
	assert_int_equal(found.counts.pairs, 1);
	assert_int_equal(check(false), 0);
	assert_int_equal(found.counts.blocks_compared, 0);
}

/* All of it is in the journal only, the removal of keys too; and there it stays. */
static void what_is_in_the_journal_counts(void **state)
{
	write_blocks(11, 2, 4);
	rig_crash(&rig, SIM_CRASH_KILL, 0);
	assert_int_equal(check(true), 0);
	assert_int_equal(found.replayed, 9);
	assert_int_equal(found.counts.objects, 2);
	assert_int_equal(found.counts.blocks_compared, 3 + 2 + 6);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.store->stats->replayed, 9);
}

static void rot_is_found_when_all_is_read(void **state)
{
	uint64_t place = place_of(10, 71), at;
	uint8_t byte;

	assert_int_equal(check(false), 0);
	/* the data area begins behind superblock and journal */
	at = OSD_BLOCK_BYTES + rig.journal_bytes + place * OSD_BLOCK_BYTES + 77;
	sim_disk_peek(rig.disk, at, &byte, 1);
	byte ^= 4;
	sim_disk_poke(rig.disk, at, &byte, 1);
	assert_int_equal(check(false), 0);
	assert_int_equal(check(true), 1);
	assert_non_null(strstr(found.first, "block 71 at"));
	assert_int_equal(found.counts.faults[OSD_CHECK_DATA], 1);
}

static void leaked_blocks_are_found(void **state)
{
	flip(1000);
	flip(1001);
	flip(1003);
	assert_int_equal(check(false), 2);
	assert_string_equal(found.first, "leak: blocks 1000 to 1001 are marked as used, and no object has them");
	assert_int_equal(found.counts.leaked, 3);
}

static void a_block_that_is_marked_as_free_is_found(void **state)
{
	char sentence[256];
	uint64_t place = place_of(11, 3);

	snprintf(sentence, sizeof(sentence), "place: object b.0 of pool 1, group 0: block 3 is at %llu, which is marked as free",
		 (unsigned long long)place);
	flip(place);
	assert_int_equal(check(false), 1);
	expect_one(OSD_CHECK_PLACE, sentence);
}

static void a_block_of_two_objects_is_found(void **state)
{
	struct osd_key from, to;
	uint32_t bytes;
	uint8_t *value;

	osd_key_chunk(&from, object_id(11), 0);
	osd_key_chunk(&to, object_id(10), 0);
	value = get(&from, &bytes);
	put(&to, value, bytes);
	free(value);
	assert_int_equal(check(true), 4 + 1);	/* and three blocks have nobody any more */
	assert_int_equal(found.counts.faults[OSD_CHECK_PLACE], 4);
	assert_int_equal(found.counts.leaked, 3);
	assert_non_null(strstr(found.first, "where another is, too"));
}

static void what_belongs_to_no_object_is_found(void **state)
{
	struct osd_key key = object_key(11);

	put(&key, NULL, 0);
	assert_int_equal(check(false), 4);
	/* the state counts one object more; its blocks, its list of blocks, its pair */
	assert_int_equal(found.counts.faults[OSD_CHECK_METADATA], 1);
	assert_int_equal(found.counts.faults[OSD_CHECK_LEAK], 3);
	assert_string_equal(found.first, "metadata: there are 1 objects, and the state says 2");
}

static void a_missing_list_of_blocks_is_found(void **state)
{
	struct osd_key key;

	osd_key_chunk(&key, object_id(10), 1);
	put(&key, NULL, 0);
	assert_true(check(false) >= 2);
	assert_int_equal(found.counts.faults[OSD_CHECK_METADATA], 1);
	assert_non_null(strstr(found.first, "its lists of blocks are not those that it says it has"));
}

static void what_cannot_be_understood_is_found(void **state)
{
	struct osd_key key = object_key(10);

	put(&key, "rubbish", 7);
	assert_true(check(true) >= 1);
	assert_int_equal(found.counts.faults[OSD_CHECK_METADATA], 1);
	assert_non_null(strstr(found.first, "its metadata cannot be understood"));
}

/* ---- counts of shared blocks ------------------------------------------------------------------ */

/* Objects 20 to 22 have four blocks between them. */
static int setup_shared(void **state)
{
	setup(state);
	write_blocks(20, 0, 4);
	assert_int_equal(rig_clone(&rig, 21, 20, NACRE_SNAP_HEAD, true), 0);
	rig.snap = 5;
	assert_int_equal(rig_clone(&rig, 22, 21, NACRE_SNAP_HEAD, true), 0);
	rig.snap = 0;
	rig_close(&rig);
	return 0;
}

/* Set what is said of blocks [block, +4) of the device; more: how many objects beyond the first. */
static void put_count(uint64_t block, uint32_t more)
{
	struct osd_disk_share run = { .first = block % OSD_SHARE_BLOCKS, .count = 4, .more = more };
	struct mem_bytes value = { 0 };
	struct osd_key key;

	osd_key_share(&key, block / OSD_SHARE_BLOCKS);
	osd_disk_append(&value, osd_disk_share_desc(), &run);
	put(&key, more ? value.at : NULL, (uint32_t)value.length);
	mem_bytes_free(&value);
}

static void shared_blocks_are_no_fault(void **state)
{
	assert_int_equal(check(true), 0);
	assert_int_equal(found.counts.blocks, 5 + 5 + 4 + 3 * 4);
	put_count(place_of(20, 0), 2);		/* as it is */
	assert_int_equal(check(true), 0);
}

static void a_count_that_is_gone_is_found(void **state)
{
	put_count(place_of(20, 0), 0);
	assert_int_equal(check(true), 8);
	assert_int_equal(found.counts.faults[OSD_CHECK_PLACE], 8);
	assert_non_null(strstr(found.first, "where another is, too"));
}

static void a_count_that_is_too_low_is_found(void **state)
{
	char sentence[256];
	uint64_t place = place_of(20, 0);

	put_count(place, 1);
	assert_int_equal(check(true), 4);
	assert_int_equal(found.counts.faults[OSD_CHECK_SHARE], 4);
	snprintf(sentence, sizeof(sentence),
		 "share: object 16.0 of pool 1, group 0: block 0 is at %llu, which is counted for 2 objects, and more have it",
		 (unsigned long long)place);
	assert_string_equal(found.first, sentence);
}

static void a_count_that_is_too_high_is_found(void **state)
{
	char sentence[256];
	uint64_t place = place_of(20, 0);

	put_count(place, 3);
	assert_int_equal(check(true), 4);
	assert_int_equal(found.counts.faults[OSD_CHECK_SHARE], 4);
	snprintf(sentence, sizeof(sentence), "share: block %llu is counted for 4 objects, and 3 have it", (unsigned long long)place);
	assert_string_equal(found.first, sentence);
	/* one that has an owner, and no other */
	put_count(place, 2);
	put_count(place_of(11, 0) + 1024, 1);
	assert_int_equal(check(true), 4);
	assert_int_equal(found.counts.faults[OSD_CHECK_SHARE], 4);
	snprintf(sentence, sizeof(sentence), "share: block %llu is counted for 2 objects, and marked as free",
		 (unsigned long long)place_of(11, 0) + 1024);
	assert_string_equal(found.first, sentence);
}

static void a_count_of_what_was_never_written_is_found(void **state)
{
	put_count(place_of(10, 100), 1);
	assert_true(check(true) >= 4);
	assert_true(found.counts.faults[OSD_CHECK_SHARE] >= 4);
	assert_non_null(strstr(found.first, "was never written"));
}

static void a_count_that_cannot_be_understood_is_found(void **state)
{
	struct osd_key key;

	osd_key_share(&key, 3);
	put(&key, "rubbish", 7);
	assert_int_equal(check(false), 1);
	expect_one(OSD_CHECK_METADATA, "metadata: which blocks are shared cannot be understood");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_store_that_is_right_is_clean, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(what_is_in_the_journal_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(rot_is_found_when_all_is_read, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(leaked_blocks_are_found, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(a_block_that_is_marked_as_free_is_found, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(a_block_of_two_objects_is_found, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(what_belongs_to_no_object_is_found, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(a_missing_list_of_blocks_is_found, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_understood_is_found, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(shared_blocks_are_no_fault, setup_shared, teardown),
		cmocka_unit_test_setup_teardown(a_count_that_is_gone_is_found, setup_shared, teardown),
		cmocka_unit_test_setup_teardown(a_count_that_is_too_low_is_found, setup_shared, teardown),
		cmocka_unit_test_setup_teardown(a_count_that_is_too_high_is_found, setup_shared, teardown),
		cmocka_unit_test_setup_teardown(a_count_of_what_was_never_written_is_found, setup_shared, teardown),
		cmocka_unit_test_setup_teardown(a_count_that_cannot_be_understood_is_found, setup_shared, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
