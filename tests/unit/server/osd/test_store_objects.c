// SPDX-License-Identifier: GPL-2.0
/*
 * Listing the objects of a group (OBJECTS), over what is applied and what is not yet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "osd_store_rig.h"

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

/* Objects of a range of inodes, in order, applied or not yet; page by page behind the last one. */
static void test_objects_of_inodes(void **state)
{
	struct nacre_oid oid = { 0 };
	uint8_t behind[sizeof(struct nacre_oid_wire)];
	unsigned int i, seen = 0, pages = 0;
	struct nacre_reader reader;
	struct nacre_writer w;
	struct rig_reply reply;
	struct rig_request r;
	bool more = true;

	for (i = 0; i < 5000; i++) {
		rig_request(&rig, &r, 1000 + i % 1000, i / 1000);
		rig_op(&r, NACRE_OSD_OP_CREATE, 0, NULL, 0, NULL, 0, 0, 0);
		assert_int_equal(rig_run(&rig, &r, NULL, i % 100 == 99), 0);
	}
	rig_pass(&rig, 1000);
	for (i = 0; i < 1000; i += 10) {	/* gone, but only above what is applied */
		rig_request(&rig, &r, 1000 + i, 3);
		rig_op(&r, NACRE_OSD_OP_DELETE, 0, NULL, 0, NULL, 0, 0, 0);
		assert_int_equal(rig_run(&rig, &r, NULL, false), 0);
	}
	for (i = 100; more; pages++) {
		rig_request(&rig, &r, 1, 0);
		w = nacre_writer(behind, sizeof(behind));
		nacre_encode(nacre_oid_desc(), &w, &oid);
		rig_op(&r, NACRE_OSD_OP_OBJECTS, 0, NULL, 0, behind, pages ? sizeof(behind) : 0, 1100, 800);
		assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
		reader = nacre_reader(reply.output.at, reply.output.length);
		for (; nacre_reader_left(&reader); seen++) {
			assert_int_equal(nacre_decode(nacre_oid_desc(), &reader, &oid), 0);
			assert_int_equal(oid.ino, 1000 + i);
			assert_int_equal(oid.snap, NACRE_SNAP_HEAD);
			i += oid.index == 4;
		}
		more = reply.results[0].result_flags & NACRE_OSD_RESULT_MORE;
		rig_reply_free(&reply);
	}
	assert_int_equal(seen, 800 * 5 - 80);
	assert_int_equal(pages, 2);
	rig_request(&rig, &r, 1, 0);
	rig_op(&r, NACRE_OSD_OP_OBJECTS, 0, NULL, 0, NULL, 0, 3000, 1000000);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	assert_int_equal(reply.output.length, 0);
	assert_int_equal(reply.results[0].result_flags, 0);
	rig_reply_free(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_objects_of_inodes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
