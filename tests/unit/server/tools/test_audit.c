// SPDX-License-Identifier: GPL-2.0
/* The words of an audit's report, and an audit that cannot be made. Whole ones are made by tests/tools/audit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "server/tools/audit.h"

static void test_words(void **state)
{
	struct audit_words words;

	assert_true(audit_parse("state running\nat pool 1 group 2 of 64\nobjects 17\nentries 4\nbeing_changed 0\n",
				&words));
	assert_string_equal(words.state, "running");
	assert_string_equal(words.at, "pool 1 group 2 of 64");
	assert_int_equal(words.objects, 17);
	assert_int_equal(words.entries, 4);
	assert_true(audit_parse("state findings\nobjects 3\nentries 1\nleaked ino 0x1 pool 1 objects 9 bytes 9\n",
				&words));
	assert_string_equal(words.state, "findings");
	assert_string_equal(words.at, "");
	assert_int_equal(words.objects, 3);
	assert_true(audit_parse("state none\n", &words));
	assert_false(audit_parse("", &words));
	assert_false(audit_parse("unknown command\n", &words));
}

static void not_made(const char *text)
{
	char path[] = "/tmp/nacre-audit.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "%s", text) >= 0);
	close(fd);
	assert_int_equal(audit_run(path, NULL, 100), AUDIT_NOT_MADE);
	assert_int_equal(audit_run(path, "mds7", 100), AUDIT_NOT_MADE);
	unlink(path);
}

static void test_not_made(void **state)
{
	not_made("[global]\nrun_dir = /nonexistent\n\n[osd0]\n");
	not_made("[global]\nrun_dir = /nonexistent\n\n[mds0]\n\n[mds1]\n");
	not_made("nonsense\n");
	assert_int_equal(audit_run("/nonexistent/nacre.conf", NULL, 100), AUDIT_NOT_MADE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words), cmocka_unit_test(test_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
