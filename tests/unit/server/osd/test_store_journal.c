// SPDX-License-Identifier: GPL-2.0
/*
 * Damage to the journal: before its end the store refuses to open, and says where; at its very end it cannot be told from a
 * write that a loss of power cut short, and is dropped. And records that are written no longer than they are (decision 0019).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "osd_store_rig.h"

#define RECORDS 12u

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

static void write_one(uint64_t ino)
{
	struct rig_request r;
	struct rig_reply reply;

	rig_request(&rig, &r, ino, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, 0, "nacre", 5);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	rig_reply_free(&reply);
}

/* Where the journal's record of this number begins on the device; 0: there is none. */
static uint64_t find_record(uint64_t number)
{
	const struct osd_disk_super *super = &rig.store->super;
	uint8_t bytes[sizeof(struct osd_disk_record_wire)];
	struct osd_disk_record head;
	struct nacre_reader r;
	uint64_t at;

	for (at = super->journal_offset; at < super->data_offset; at += OSD_BLOCK_BYTES) {
		sim_disk_peek(rig.disk, at, bytes, sizeof(bytes));
		r = nacre_reader(bytes, sizeof(bytes));
		if (osd_disk_sealed(bytes, sizeof(bytes)) && !nacre_decode(osd_disk_record_desc(), &r, &head) &&
		    head.record == number)
			return at;
	}
	return 0;
}

/* One record for each of RECORDS writes; then the record that is so many before the last one is damaged at `offset`. */
static uint64_t damage(unsigned int before_last, uint64_t offset)
{
	uint64_t last = 0, at;
	unsigned int i;

	for (i = 0; i < RECORDS; i++)
		write_one(100 + i);
	while (find_record(last + 1))
		last++;
	assert_true(last >= RECORDS);
	at = find_record(last - before_last);
	sim_disk_poke(rig.disk, at + offset, "rot", 3);
	rig_crash(&rig, SIM_CRASH_KILL, 0);
	return at;
}

static void expect_refused(uint64_t at)
{
	char place[64];

	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), -EBADMSG);
	snprintf(place, sizeof(place), "offset %llu of the device", (unsigned long long)at);
	assert_non_null(strstr(rig.why, "journal is damaged"));
	assert_non_null(strstr(rig.why, place));
}

static void test_hole_in_a_head_is_refused(void **state)
{
	expect_refused(damage(6, 30));
}

static void test_hole_in_the_transactions_is_refused(void **state)
{
	expect_refused(damage(8, sizeof(struct osd_disk_record_wire) + 20));
}

/* Not that it could be told apart: the last ones may be torn, all of them. */
static void test_damage_at_the_end_is_a_torn_tail(void **state)
{
	damage(0, 30);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_true(rig.replayed < RECORDS + 1);
	rig_close(&rig);
}

/* What a loss of power may have torn is what was under way: a record that fills the ring's end is one of them. */
static void test_no_more_are_under_way_than_may_be_torn(void **state)
{
	struct osd_journal *journal = &rig.store->journal;
	unsigned int i, skips = 0, most = 0;
	uint64_t before;

	journal->pipeline_bytes = 1;
	for (i = 0; i < 4000; i++) {
		rig_put(&rig, 100 + i % 40, 0, 1 + i % 7 * 5000, (uint8_t)i, false);
		before = journal->next_record;
		sim_run(rig.world, rig.world->now_ns + 20 * SIM_NS_PER_US);
		skips += journal->next_record > before + 1;
		most = journal->writing_count > most ? journal->writing_count : most;
	}
	assert_true(skips);
	assert_int_equal(most, OSD_WRITING_MAX);
	rig_close(&rig);
}

/* ---- records shorter than their blocks ------------------------------------------------------ */

#define LARGE (64u << 10)
#define RUBBISH 0xa5
#define SECTOR SIM_SECTOR_BYTES

/* What lies in the ring in front of the newest record, before anything is written there. */
static void fill_ring_with_rubbish(void)
{
	const struct osd_journal *journal = &rig.store->journal;
	uint8_t block[OSD_BLOCK_BYTES];
	uint64_t at;

	assert_int_equal(journal->unit, SECTOR);
	memset(block, RUBBISH, sizeof(block));
	for (at = journal->head; at < journal->bytes; at += OSD_BLOCK_BYTES)
		sim_disk_poke(rig.disk, journal->offset + at, block, sizeof(block));
}

/* So many writes of 64 KiB with a record without images each. The number of the first. */
static uint64_t write_records(unsigned int count)
{
	uint64_t first = rig.store->journal.next_record;
	unsigned int i;

	rig.mode = &osd_journal_mode_cow;
	for (i = 0; i < count; i++)
		assert_int_equal(rig_put(&rig, 500 + i, 0, LARGE, (uint8_t)(1 + i), true), 0);
	return first;
}

/* How many bytes of a record's blocks were written; the rest is as it was. */
static uint32_t written_bytes(uint64_t at)
{
	uint8_t block[OSD_BLOCK_BYTES];
	uint32_t end = OSD_BLOCK_BYTES;

	sim_disk_peek(rig.disk, at, block, sizeof(block));
	while (end && block[end - 1] == RUBBISH)
		end--;
	return (end + SECTOR - 1) / SECTOR * SECTOR;
}

static void test_a_record_is_written_up_to_its_last_sector(void **state)
{
	uint64_t first, before, i;

	fill_ring_with_rubbish();
	before = rig.store->stats->bytes_journal;
	first = write_records(RECORDS);
	assert_true(rig.store->stats->bytes_journal - before <= RECORDS * LARGE / 20);	/* 1.05 in all */
	for (i = 0; i < RECORDS; i++) {
		assert_true(written_bytes(find_record(first + i)) < OSD_BLOCK_BYTES);
		assert_int_equal(find_record(first + i) % OSD_BLOCK_BYTES, 0);
	}
	rig_crash(&rig, SIM_CRASH_KILL, 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.store->stats->replayed, RECORDS);
	for (i = 0; i < RECORDS; i++)
		assert_int_equal(rig_value(&rig, 500 + i, 0, LARGE), 1 + i);
	rig_close(&rig);
}

/* The head is whole and what follows is not: that of an older life of the ring, or rubbish. */
static void test_a_short_record_that_is_torn_is_the_end(void **state)
{
	uint8_t sector[SECTOR];
	uint64_t first, at;

	fill_ring_with_rubbish();
	first = write_records(RECORDS);
	at = find_record(first + RECORDS - 1);
	assert_true(written_bytes(at) > SECTOR);
	memset(sector, RUBBISH, sizeof(sector));
	sim_disk_poke(rig.disk, at + written_bytes(at) - SECTOR, sector, sizeof(sector));
	rig_crash(&rig, SIM_CRASH_KILL, 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.store->stats->replayed, RECORDS - 1);
	assert_int_equal(rig_value(&rig, 500 + RECORDS - 2, 0, LARGE), RECORDS - 1);
	assert_int_equal(rig_value(&rig, 500 + RECORDS - 1, 0, LARGE), -3);
	rig_close(&rig);
}

/* Nothing less than the device can write; nothing less than a sector, unless that is wanted. */
static void test_the_unit_is_what_the_device_says(void **state)
{
	struct osd_journal *journal = &rig.store->journal;

	osd_journal_set_unit(journal, 2048);
	assert_int_equal(journal->unit, 2048);
	osd_journal_set_unit(journal, 0);
	assert_int_equal(journal->unit, SECTOR);
	teardown(NULL);
	rig_create(&rig, 2, 24ull << 20, 4 << 20);
	assert_int_equal(rig_format(&rig, false), 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	assert_int_equal(rig.store->journal.unit, OSD_BLOCK_BYTES);
	osd_journal_set_unit(&rig.store->journal, SECTOR);
	assert_int_equal(rig.store->journal.unit, OSD_BLOCK_BYTES);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_hole_in_a_head_is_refused),
		CASE(test_hole_in_the_transactions_is_refused),
		CASE(test_damage_at_the_end_is_a_torn_tail),
		CASE(test_no_more_are_under_way_than_may_be_torn),
		CASE(test_a_record_is_written_up_to_its_last_sector),
		CASE(test_a_short_record_that_is_torn_is_the_end),
		CASE(test_the_unit_is_what_the_device_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
