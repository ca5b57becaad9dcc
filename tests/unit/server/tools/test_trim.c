// SPDX-License-Identifier: GPL-2.0
/* `nacre trim`: what an OSD's answer says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "server/tools/trim.h"

static void answers_are_understood(void **state)
{
	struct trim_words words;

	assert_true(trim_parse("discard on\ndiscard_unit 65536\ntrim_asked 3\ntrim_done 2\ntrim_at 4096\ntrim_end 123456789012\n"
			       "trim_bytes 777\n", &words));
	assert_int_equal(words.asked, 3);
	assert_int_equal(words.done, 2);
	assert_int_equal(words.at, 4096);
	assert_int_equal(words.end, 123456789012);
	assert_int_equal(words.bytes, 777);
	assert_false(words.refused);
	assert_true(trim_parse("discard refused\ntrim_asked 1\ntrim_done 1\n", &words));
	assert_true(words.refused);
}

static void others_are_not(void **state)
{
	struct trim_words words;

	assert_false(trim_parse("", &words));
	assert_false(trim_parse("state serving\n", &words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_understood),
		cmocka_unit_test(others_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
