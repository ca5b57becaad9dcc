// SPDX-License-Identifier: GPL-2.0
/*
 * Damage to the journal: before its end the store refuses to open, and says where; at its very end it cannot be told from a
 * write that a loss of power cut short, and is dropped.
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_hole_in_a_head_is_refused),
		CASE(test_hole_in_the_transactions_is_refused),
		CASE(test_damage_at_the_end_is_a_torn_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
