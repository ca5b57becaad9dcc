// SPDX-License-Identifier: GPL-2.0
/* `nacre scrub`: what an OSD's answer says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "server/tools/scrub.h"

static void answers_are_understood(void **state)
{
	struct scrub_words words;

	assert_true(scrub_parse("scrub 1.5 deep, 3 objects, 4096 bytes\nscrub_asked 12\nscrub_done 5\n"
				"scrub_objects 70\nscrub_bytes 123456789012\nscrub_found 2\n", &words));
	assert_int_equal(words.asked, 12);
	assert_int_equal(words.done, 5);
	assert_int_equal(words.objects, 70);
	assert_int_equal(words.bytes, 123456789012);
	assert_int_equal(words.found, 2);
	assert_true(scrub_parse("scrub none\nscrub_asked 0\n", &words));
	assert_int_equal(words.asked, 0);
}

static void others_are_not(void **state)
{
	struct scrub_words words;

	assert_false(scrub_parse("", &words));
	assert_false(scrub_parse("state serving\n", &words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_understood),
		cmocka_unit_test(others_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
