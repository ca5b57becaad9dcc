// SPDX-License-Identifier: GPL-2.0
/* What groups have applied: sequences that keep the rules, and some that break them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tests/sim/applied.h"

#define SENDER 0x15u

/* Note a request of group 0.`pg`: NULL, or what is wrong. */
static const char *note(struct applied *applied, uint32_t pg, uint64_t number, uint64_t interval,
			uint64_t instance, uint64_t tid)
{
	const struct applied_entry entry = {
		.pg = pg, .number = number, .interval = interval, .instance = instance, .tid = tid,
	};

	return applied_note(applied, &entry);
}

static int begin(void **state)
{
	*state = applied_create();
	return 0;
}

static int end(void **state)
{
	applied_destroy(*state);
	return 0;
}

/* Replicas show the same entries, restarts and replaced logs show them again. */
static void test_the_same_log_seen_again(void **state)
{
	struct applied *applied = *state;
	unsigned int look;

	for (look = 0; look < 3; look++) {
		assert_null(note(applied, 0, 1, 4, SENDER, 10));
		assert_null(note(applied, 0, 2, 4, SENDER, 12));
		assert_null(note(applied, 0, 3, 5, SENDER, 11));
	}
	assert_int_equal(applied_count(applied), 3);
	assert_null(applied_is_whole(applied));
}

/* tids are the sender's, over all groups; and groups count for themselves. */
static void test_other_groups_and_senders(void **state)
{
	struct applied *applied = *state;

	assert_null(note(applied, 0, 1, 4, SENDER, 10));
	assert_null(note(applied, 1, 1, 4, SENDER, 10));
	assert_null(note(applied, 0, 2, 4, SENDER + 1, 10));
	assert_null(applied_is_whole(applied));
}

static void test_applied_twice(void **state)
{
	struct applied *applied = *state;
	const char *wrong;

	assert_null(note(applied, 0, 1, 4, SENDER, 10));
	assert_null(note(applied, 0, 2, 4, SENDER, 11));
	wrong = note(applied, 0, 3, 4, SENDER, 10);
	assert_non_null(wrong);
	assert_non_null(strstr(wrong, "LOG-2"));
}

/* The first entry is long out of every log when the request comes again. */
static void test_applied_twice_after_the_log_was_cut(void **state)
{
	struct applied *applied = *state;
	uint64_t number;

	for (number = 1; number < 10000; number++)
		assert_null(note(applied, 0, number, 4, SENDER, number));
	assert_non_null(note(applied, 0, number, 900, SENDER, 1));
}

static void test_a_number_becomes_another_request(void **state)
{
	struct applied *applied = *state;
	const char *wrong;

	assert_null(note(applied, 0, 1, 4, SENDER, 10));
	wrong = note(applied, 0, 1, 4, SENDER, 11);
	assert_non_null(wrong);
	assert_non_null(strstr(wrong, "OSD-1"));
	assert_non_null(note(applied, 0, 1, 5, SENDER, 10));
}

static void test_not_seen(void **state)
{
	struct applied *applied = *state;

	assert_null(note(applied, 0, 1, 4, SENDER, 10));
	assert_null(note(applied, 0, 3, 4, SENDER, 12));
	assert_non_null(applied_is_whole(applied));
	assert_null(note(applied, 0, 2, 4, SENDER, 11));
	assert_null(applied_is_whole(applied));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_same_log_seen_again, begin, end),
		cmocka_unit_test_setup_teardown(test_other_groups_and_senders, begin, end),
		cmocka_unit_test_setup_teardown(test_applied_twice, begin, end),
		cmocka_unit_test_setup_teardown(test_applied_twice_after_the_log_was_cut, begin, end),
		cmocka_unit_test_setup_teardown(test_a_number_becomes_another_request, begin, end),
		cmocka_unit_test_setup_teardown(test_not_seen, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
