// SPDX-License-Identifier: GPL-2.0
/* The linearizability check: histories that have an order, and some that have none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "tests/sim/register.h"

struct row {
	uint64_t begin, end;
	enum register_op op;
	uint64_t a, b;
	uint32_t life;
	bool maybe;
};

static bool check(const struct row *rows, size_t count, uint64_t initial)
{
	struct register_log log = { .count = 0 };
	struct register_event stuck;
	struct register_event event;
	bool good;
	size_t i;

	for (i = 0; i < count; i++) {
		event = (struct register_event){
			.begin_ns = rows[i].begin, .end_ns = rows[i].end, .op = rows[i].op,
			.a = rows[i].a, .b = rows[i].b, .life = rows[i].life,
			.maybe = rows[i].maybe, .call = (uint32_t)i,
		};
		register_add(&log, &event);
	}
	good = register_check(&log, initial, &stuck);
	register_free(&log);
	return good;
}
#define CHECK(initial, ...) \
	check((const struct row[]){ __VA_ARGS__ }, \
	      sizeof((const struct row[]){ __VA_ARGS__ }) / sizeof(struct row), initial)

static void test_sequential(void **state)
{
	assert_true(CHECK(0, { 1, 2, REG_SET, 5 }, { 3, 4, REG_READ, 5 }));
	assert_false(CHECK(0, { 1, 2, REG_SET, 5 }, { 3, 4, REG_READ, 0 }));
	assert_false(CHECK(0, { 1, 2, REG_SET, 5 }, { 3, 4, REG_SET, 6 }, { 5, 6, REG_READ, 5 }));
	assert_true(CHECK(0, { 1, 2, REG_RAISE, 9 }, { 3, 4, REG_RAISE, 5 }, { 5, 6, REG_READ, 9 }));
	assert_true(CHECK(7, { 1, 2, REG_READ_NOT, 0 }, { 1, 2, REG_READ_AT_LEAST, 7 },
			  { 1, 2, REG_READ_AT_MOST, 8 }));
	assert_false(CHECK(7, { 1, 2, REG_READ_AT_MOST, 6 }));
}

static void test_overlap_may_be_ordered_either_way(void **state)
{
	assert_true(CHECK(0, { 1, 9, REG_SET, 5 }, { 2, 3, REG_READ, 0 }, { 4, 5, REG_READ, 5 }));
	assert_false(CHECK(0, { 1, 9, REG_SET, 5 }, { 2, 3, REG_READ, 5 }, { 4, 5, REG_READ, 0 }));
	assert_true(CHECK(0, { 1, 9, REG_SET, 5 }, { 1, 9, REG_SET, 6 }, { 10, 11, REG_READ, 5 }));
}

static void test_two_swaps_cannot_both_take_the_same(void **state)
{
	assert_false(CHECK(0, { 1, 9, REG_SWAP, 0, 5 }, { 2, 8, REG_SWAP, 0, 6 }));
	assert_true(CHECK(0, { 1, 9, REG_SWAP, 0, 5 }, { 2, 8, REG_SWAP, 5, 6 }));
}

static void test_unanswered_may_have_happened_or_not(void **state)
{
	const uint64_t never = REGISTER_NEVER;

	assert_true(CHECK(0, { 1, never, REG_SET, 5, 0, 1, true }, { 3, 4, REG_READ, 0 }));
	assert_true(CHECK(0, { 1, never, REG_SET, 5, 0, 1, true }, { 3, 4, REG_READ, 0 },
			  { 5, 6, REG_READ, 5 }));
	assert_false(CHECK(0, { 1, never, REG_SET, 5, 0, 1, true }, { 3, 4, REG_READ, 5 },
			   { 5, 6, REG_READ, 0 }));
}

static void test_lost_or_not_but_not_after_it_was_seen(void **state)
{
	assert_true(CHECK(0, { 1, 2, REG_SET, 5, 0, 1, true }, { 3, 4, REG_READ, 0 }));
	assert_true(CHECK(0, { 1, 2, REG_SET, 5, 0, 1, true }, { 3, 4, REG_READ, 5 }));
	assert_false(CHECK(0, { 1, 2, REG_SET, 5, 0, 1, true }, { 3, 4, REG_READ, 5 },
			   { 5, 6, REG_READ, 0 }));
	/* what its own client saw before it died does not count */
	assert_true(CHECK(0, { 1, 2, REG_SET, 5, 0, 1, true }, { 3, 4, REG_READ, 5, 0, 1 },
			  { 5, 6, REG_READ, 0 }));
	/* a maybe does not happen after it was answered */
	assert_false(CHECK(0, { 1, 2, REG_SET, 5, 0, 1, true }, { 3, 4, REG_READ, 0 },
			   { 5, 6, REG_READ, 5 }));
}

static bool check_any(enum register_op op, uint64_t later)
{
	struct register_log log = { .count = 0 };
	struct register_event events[] = {
		{ .begin_ns = 1, .end_ns = 2, .op = REG_SET, .a = 5, .life = 1 },
		{ .begin_ns = 3, .end_ns = 4, .op = REG_SWAP, .a = 5, .b = 0, .life = 1 },
		{ .begin_ns = 5, .end_ns = REGISTER_NEVER, .op = op, .life = 2, .maybe = true },
		{ .begin_ns = 6, .end_ns = 7, .op = REG_READ, .a = later, .life = 1 },
	};
	struct register_event stuck;
	bool good;
	size_t i;

	for (i = 0; i < 4; i++)
		register_add(&log, &events[i]);
	log.values = calloc(2, sizeof(*log.values));
	log.value_count = 2;
	log.values[0] = (struct register_value){ 5, false };
	log.values[1] = (struct register_value){ 6, true };
	good = register_check(&log, 0, &stuck);
	register_free(&log);
	return good;
}

static void test_effects_nobody_was_told(void **state)
{
	assert_true(check_any(REG_SET_ANY, 5));
	assert_true(check_any(REG_SET_ANY, 6));
	assert_false(check_any(REG_SET_ANY, 7));
	assert_true(check_any(REG_SWAP_ANY, 6));
	assert_false(check_any(REG_SWAP_ANY, 5));
	assert_true(check_any(REG_SWAP_ANY, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequential),
		cmocka_unit_test(test_overlap_may_be_ordered_either_way),
		cmocka_unit_test(test_two_swaps_cannot_both_take_the_same),
		cmocka_unit_test(test_unanswered_may_have_happened_or_not),
		cmocka_unit_test(test_lost_or_not_but_not_after_it_was_seen),
		cmocka_unit_test(test_effects_nobody_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
