// SPDX-License-Identifier: GPL-2.0
/* Small files' data ahead: asked for by who reads in order, as seldom as answers allow, and by nobody else. */
#include "../cmocka_all.h"
#include "protocol/rules/ahead.h"
#include "protocol/rules/names.h"

#define ENTRIES 1000
#define APART (NACRE_COOKIE_END / ENTRIES)	/* of a directory whose entries lie evenly */
#define COOKIE(i) (((__u64)(i) + 1) * APART)

/* Reads files first, first + step … whose data is missing until it came ahead; requests that were made. */
static unsigned int reads(struct nacre_ahead *ahead, unsigned int step, unsigned int an_answer)
{
	unsigned int i, requests = 0, here = 0;

	for (i = 0; i < ENTRIES; i += step) {
		if (!nacre_ahead_open(ahead, COOKIE(i), ENTRIES, i >= here)) {
			requests += i >= here;	/* an OPEN */
			continue;
		}
		requests++;
		here = i + an_answer < ENTRIES ? i + an_answer : ENTRIES;
		nacre_ahead_answered(ahead, COOKIE(here - 1));
	}
	return requests;
}

static void ahead_in_order(void **state)
{
	struct nacre_ahead ahead = { 0 };

	assert_int_equal(reads(&ahead, 1, 50), ENTRIES / 50);
	/* and again, from the beginning */
	assert_int_equal(reads(&ahead, 1, 50), ENTRIES / 50);
	/* with some left out */
	assert_int_equal(reads(&ahead, 5, 50), ENTRIES / 50);
}

/* What is here costs nothing, and where it ends the next answer begins. */
static void ahead_of_what_is_missing(void **state)
{
	struct nacre_ahead ahead = { 0 };
	unsigned int i;

	for (i = 0; i < 100; i++)
		assert_false(nacre_ahead_open(&ahead, COOKIE(i), ENTRIES, 0));
	assert_true(nacre_ahead_open(&ahead, COOKIE(100), ENTRIES, 1));
	/* while that is under way nobody asks for the same */
	assert_false(nacre_ahead_open(&ahead, COOKIE(101), ENTRIES, 1));
	nacre_ahead_answered(&ahead, COOKIE(110));
	assert_false(nacre_ahead_open(&ahead, COOKIE(105), ENTRIES, 1));
}

/* Here and there: an OPEN each, as if nobody were guessing. */
static void ahead_not_at_random(void **state)
{
	struct nacre_ahead ahead = { 0 };
	unsigned int i, place = 0, asked = 0;

	for (i = 0; i < ENTRIES; i++) {
		place = (place * 613 + 331) % ENTRIES;
		if (nacre_ahead_open(&ahead, COOKIE(place), ENTRIES, 1)) {
			asked++;
			nacre_ahead_answered(&ahead, COOKIE(place));
		}
	}
	assert_in_range(asked, 0, ENTRIES / 20);
}

/* Others write what is read: nothing comes, and it is not asked for again and again. */
static void ahead_in_vain(void **state)
{
	struct nacre_ahead ahead = { 0 };
	unsigned int i, asked = 0;

	for (i = 0; i < ENTRIES; i++)
		if (nacre_ahead_open(&ahead, COOKIE(i), ENTRIES, 1)) {
			asked++;
			nacre_ahead_answered(&ahead, 0);
		}
	assert_int_equal(asked, 1);
}

/* A few files may lie anywhere. */
static void ahead_in_small_directories(void **state)
{
	struct nacre_ahead ahead = { 0 };

	assert_true(nacre_ahead_open(&ahead, NACRE_COOKIE_END - 1, 1, 1));
	ahead = (struct nacre_ahead){ 0 };
	assert_true(nacre_ahead_open(&ahead, NACRE_COOKIE_END - 1, 0, 1));
	ahead = (struct nacre_ahead){ 0 };
	assert_true(nacre_ahead_open(&ahead, NACRE_COOKIE_FIRST, NACRE_COOKIE_END, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ahead_in_order),
		cmocka_unit_test(ahead_of_what_is_missing),
		cmocka_unit_test(ahead_not_at_random),
		cmocka_unit_test(ahead_in_vain),
		cmocka_unit_test(ahead_in_small_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
