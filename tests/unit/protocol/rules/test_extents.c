// SPDX-License-Identifier: GPL-2.0
/* Interval sets against the plainest model there is: an array of bits. */
#include "../cmocka_all.h"
#include "protocol/rules/extents.h"

#define SPACE 256
#define ROOM 200

static struct nacre_extent array[ROOM];
static struct nacre_extents set;
static __u8 bits[SPACE];

static int setup(void **state)
{
	set = (struct nacre_extents){ .at = array, .room = ROOM };
	memset(bits, 0, sizeof(bits));
	return 0;
}

static void compare(void)
{
	__u64 i, total = 0;

	assert_null(nacre_extents_invariant(&set));
	for (i = 0; i < SPACE; i++) {
		assert_int_equal(nacre_extents_contains(&set, i, 1), bits[i]);
		assert_int_equal(nacre_extents_overlaps(&set, i, 1), bits[i]);
		total += bits[i];
	}
	assert_int_equal(nacre_extents_total(&set), total);
}

static int all_bits(__u64 start, __u64 length, int value)
{
	__u64 i;

	for (i = start; i < start + length; i++)
		if (bits[i] != value)
			return 0;
	return 1;
}

static void compare_range(__u64 start, __u64 length)
{
	__u64 gap = 0, gap_length = 0;

	assert_int_equal(nacre_extents_contains(&set, start, length), all_bits(start, length, 1));
	assert_int_equal(nacre_extents_overlaps(&set, start, length), !all_bits(start, length, 0));
	if (nacre_extents_gap(&set, start, length, &gap, &gap_length)) {
		assert_true(all_bits(start, gap - start, 1));
		assert_true(gap_length && all_bits(gap, gap_length, 0));
		assert_true(gap + gap_length == start + length || bits[gap + gap_length]);
	} else {
		assert_true(all_bits(start, length, 1));
	}
}

static void extents_random(void **state)
{
	unsigned int run, seed = 1;

	for (run = 0; run < 20000; run++) {
		__u64 start = (__u64)rand_r(&seed) % SPACE;
		__u64 length = 1 + (__u64)rand_r(&seed) % (SPACE - start < 20 ? SPACE - start : 20);
		int add = rand_r(&seed) % 2;

		assert_int_equal(add ? nacre_extents_add(&set, start, length) :
				       nacre_extents_remove(&set, start, length), 0);
		memset(bits + start, add, length);
		compare_range((__u64)rand_r(&seed) % 200, 1 + (__u64)rand_r(&seed) % 50);
		if (run % 64 == 0)
			compare();
	}
	compare();
}

static void extents_take_random(void **state)
{
	unsigned int run, seed = 7, taken = 0;
	__u64 start, got, want, align;

	for (run = 0; run < 20000; run++) {
		want = 8ull << rand_r(&seed) % 3;
		align = 1ull << rand_r(&seed) % 4;
		if (rand_r(&seed) % 2) {
			start = (__u64)rand_r(&seed) % (SPACE - 40);
			assert_int_equal(nacre_extents_add(&set, start, 1 + want), 0);
			memset(bits + start, 1, 1 + want);
		} else if (!nacre_extents_take(&set, (__u64)rand_r(&seed) % (SPACE + 20), want, align,
					       &start, &got)) {
			assert_true(got && got <= want && got % align == 0 && start % align == 0);
			assert_true(all_bits(start, got, 1));
			memset(bits + start, 0, got);
			taken++;
		}
		if (run % 64 == 0)
			compare();
	}
	assert_true(taken > 1000);
}

static void extents_take_prefers_the_hint(void **state)
{
	__u64 start, got;

	nacre_extents_add(&set, 0, 16);
	nacre_extents_add(&set, 100, 8);
	nacre_extents_add(&set, 120, 16);
	assert_int_equal(nacre_extents_take(&set, 100, 16, 1, &start, &got), 0);
	assert_int_equal(start, 120);
	assert_int_equal(nacre_extents_take(&set, 100, 16, 1, &start, &got), 0);
	assert_int_equal(start, 0);
	assert_int_equal(nacre_extents_take(&set, 0, 16, 1, &start, &got), 0);
	assert_int_equal(start, 100);
	assert_int_equal(got, 8);
	assert_int_equal(nacre_extents_take(&set, 0, 16, 1, &start, &got), -ENOSPC);
	assert_int_equal(nacre_extents_take(&set, 0, 3, 2, &start, &got), -EINVAL);
	assert_int_equal(nacre_extents_take(&set, 0, 0, 1, &start, &got), -EINVAL);
}

static void extents_full_array_is_unchanged(void **state)
{
	set.room = 2;
	assert_int_equal(nacre_extents_add(&set, 10, 10), 0);
	assert_int_equal(nacre_extents_add(&set, 30, 10), 0);
	assert_int_equal(nacre_extents_add(&set, 50, 10), -ENOSPC);
	assert_int_equal(nacre_extents_remove(&set, 12, 2), -ENOSPC);
	assert_int_equal(nacre_extents_total(&set), 20);
	assert_int_equal(nacre_extents_add(&set, 20, 10), 0);
	assert_int_equal(set.count, 1);
	assert_int_equal(nacre_extents_remove(&set, 12, 2), 0);
	assert_int_equal(set.count, 2);
}

static void extents_at_the_ends_of_numbers(void **state)
{
	__u64 top = ~0ull;

	assert_int_equal(nacre_extents_add(&set, top - 10, 10), 0);
	assert_int_equal(nacre_extents_add(&set, top - 1, 2), -EINVAL);
	assert_int_equal(nacre_extents_add(&set, 5, 0), -EINVAL);
	assert_int_equal(nacre_extents_add(&set, 0, 1), 0);
	assert_true(nacre_extents_contains(&set, top - 10, 10));
	assert_null(nacre_extents_invariant(&set));
	assert_true(nacre_range_overlaps(top - 1, 1, top - 5, 5));
	assert_false(nacre_range_overlaps(top, 0, 0, top));
	assert_true(nacre_range_within(5, 5, 10));
	assert_false(nacre_range_within(5, top, 10));
	assert_false(nacre_range_within(11, 0, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(extents_random, setup),
		cmocka_unit_test_setup(extents_take_random, setup),
		cmocka_unit_test_setup(extents_take_prefers_the_hint, setup),
		cmocka_unit_test_setup(extents_full_array_is_unchanged, setup),
		cmocka_unit_test_setup(extents_at_the_ends_of_numbers, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
