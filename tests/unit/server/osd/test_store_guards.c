// SPDX-License-Identifier: GPL-2.0
/*
 * The three guards with which inline data can leave the inode: the mark (which nacre uses, for object 0 may exist for its
 * backtrace), an object's size, and its exclusive creation. Where nothing else makes the object all three come to the same: of
 * two writers with the same initial bytes the first brings them, and no write is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
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

enum guard { BY_MARK, BY_SIZE, BY_CREATION };
#define INITIAL "initial bytes"

/* The writer's first request; then, if a guard says that another was first, the plain write. */
static void write_guarded(enum guard guard, uint64_t ino, uint64_t offset, const char *text)
{
	struct rig_request r;
	struct rig_reply reply;
	uint32_t result;

	rig_request(&rig, &r, ino, 0);
	if (guard == BY_MARK)
		rig_op(&r, NACRE_OSD_OP_IF_NOXATTR, 0, "inline", 6, NULL, 0, 0, 2);
	else if (guard == BY_SIZE)
		rig_op(&r, NACRE_OSD_OP_CMPSIZE, 0, NULL, 0, NULL, 0, 0, 0);
	else
		rig_op(&r, NACRE_OSD_OP_CREATE, NACRE_OSD_OPF_EXCL, NULL, 0, NULL, 0, 0, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE_FULL, 0, INITIAL, sizeof(INITIAL) - 1);
	if (guard == BY_MARK)
		rig_op(&r, NACRE_OSD_OP_SETXATTR, 0, "inline", 6, "1", 1, 0, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, offset, text, (uint32_t)strlen(text));
	result = rig_run(&rig, &r, &reply, true);
	rig_reply_free(&reply);
	if (!result)
		return;
	assert_int_equal(result, guard == BY_SIZE ? NACRE_E_CMP_FAILED : EEXIST);
	rig_request(&rig, &r, ino, 0);
	rig_data_op(&r, NACRE_OSD_OP_WRITE, offset, text, (uint32_t)strlen(text));
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	rig_reply_free(&reply);
}

static void expect(uint64_t ino, const char *text)
{
	struct rig_request r;
	struct rig_reply reply;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, 100);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	assert_int_equal(reply.results[0].data_size, strlen(text));
	assert_memory_equal(reply.data.at, text, strlen(text));
	rig_reply_free(&reply);
}

static void test_inline_1_three_guards(void **state)
{
	enum guard guard;

	for (guard = BY_MARK; guard <= BY_CREATION; guard++) {
		write_guarded(guard, 20 + guard, 0, "I");
		write_guarded(guard, 20 + guard, 8, "BYTES");
		write_guarded(guard, 20 + guard, 1, "N");
		expect(20 + guard, "INitial BYTES");
	}
}

/* Only the mark says anything about an object that has its backtrace already. */
static void test_inline_1_backtrace(void **state)
{
	struct rig_request r;
	struct rig_reply reply;

	rig_request(&rig, &r, 30, 0);
	rig_op(&r, NACRE_OSD_OP_SETXATTR, 0, "backtrace", 9, "b", 1, 0, 0);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	rig_reply_free(&reply);
	write_guarded(BY_MARK, 30, 8, "BYTES");
	write_guarded(BY_MARK, 30, 0, "I");
	expect(30, "Initial BYTES");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_inline_1_three_guards, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inline_1_backtrace, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
