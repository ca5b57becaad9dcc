// SPDX-License-Identifier: GPL-2.0
/* Sizes and times: truncations order sizes (SIZE-3), max_size runs ahead of writers (SIZE-1). */
#include "../cmocka_all.h"
#include "protocol/mds.h"
#include "protocol/rules/size.h"

#define OBJECT (4u << 20)

static void size_flush_size_3(void **state)
{
	struct nacre_size known = { .size = 100, .truncate_seq = 2, .truncate_size = 50 };

	assert_int_equal(nacre_size_flush(&known, 900, 1), NACRE_SIZE_SAME);
	assert_int_equal(known.size, 100);
	assert_int_equal(nacre_size_flush(&known, 80, 2), NACRE_SIZE_SAME);
	assert_int_equal(nacre_size_flush(&known, 120, 2), NACRE_SIZE_GREW);
	assert_int_equal(known.size, 120);
	assert_int_equal(nacre_size_flush(&known, 10, 3), NACRE_SIZE_CUT);
	assert_int_equal(known.size, 10);
	assert_int_equal(known.truncate_seq, 3);
	nacre_size_truncate(&known, 4);
	assert_int_equal(known.truncate_seq, 4);
	assert_int_equal(known.truncate_size, 4);
	/* a late flush from before the truncation */
	assert_int_equal(nacre_size_flush(&known, 500, 3), NACRE_SIZE_SAME);
	assert_int_equal(known.size, 4);
}

static void size_learn(void **state)
{
	struct nacre_size mine = { .size = 100, .truncate_seq = 1 };
	struct nacre_size said = { .size = 60, .truncate_seq = 1 };

	assert_int_equal(nacre_size_learn(&mine, &said, 1, 1), NACRE_SIZE_SAME);
	assert_int_equal(mine.size, 100);
	assert_int_equal(nacre_size_learn(&mine, &said, 0, 0), NACRE_SIZE_SAME);
	said.size = 200;
	assert_int_equal(nacre_size_learn(&mine, &said, 1, 0), NACRE_SIZE_GREW);
	/* others write it, and said so: Linux cuts copies at the size that it knows */
	said.size = 300;
	assert_int_equal(nacre_size_learn(&mine, &said, 0, 0), NACRE_SIZE_GREW);
	assert_int_equal(mine.size, 300);
	said.size = 60;
	assert_int_equal(nacre_size_learn(&mine, &said, 0, 1), NACRE_SIZE_CUT);
	assert_int_equal(mine.size, 60);
	said = (struct nacre_size){ .size = 5, .truncate_size = 5, .truncate_seq = 2 };
	assert_int_equal(nacre_size_learn(&mine, &said, 1, 0), NACRE_SIZE_CUT);
	assert_int_equal(mine.truncate_size, 5);
	said.truncate_seq = 1;
	said.size = 1000;
	assert_int_equal(nacre_size_learn(&mine, &said, 0, 1), NACRE_SIZE_SAME);
}

/* In whatever order flushes of two writers and a truncation arrive, the result is the same. */
static void size_flush_commutes(void **state)
{
	static const struct nacre_size news[3] = { { 70, 0, 1 }, { 90, 0, 1 }, { 20, 20, 2 } };
	static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					  { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct nacre_size known;
	int i, j;

	for (i = 0; i < 6; i++) {
		known = (struct nacre_size){ .size = 50, .truncate_seq = 1 };
		for (j = 0; j < 3; j++)
			nacre_size_flush(&known, news[orders[i][j]].size,
					 news[orders[i][j]].truncate_seq);
		assert_int_equal(known.size, 20);
		assert_int_equal(known.truncate_seq, 2);
	}
}

static void max_size_grows_size_1(void **state)
{
	__u64 size = 0, max_size = 0, asked = 0;

	/* Writing 1 TiB in steps of 1 MiB asks a few hundred times, and never writes above the grant. */
	for (; size < 1ull << 40; size += 1u << 20) {
		if (nacre_size_should_ask(size, max_size, size + (1u << 20))) {
			__u64 next = nacre_size_next_max(size, max_size, size + (1u << 20), OBJECT);

			assert_true(next > max_size && next % OBJECT == 0);
			assert_true(next - size <= 1025ull * OBJECT + (1u << 20));
			max_size = next;
			asked++;
		}
		assert_true(size + (1u << 20) <= max_size);
	}
	assert_true(asked < 1000);
	assert_int_equal(nacre_size_next_max(0, 0, ~0ull, OBJECT), NACRE_FILE_MAX);
	assert_int_equal(nacre_size_next_max(10, NACRE_FILE_MAX, 20, OBJECT), NACRE_FILE_MAX);
	assert_false(nacre_size_should_ask(100, 100u << 20, 50));
	assert_true(nacre_size_should_ask(100, 100, 101));
}

/* What a file takes: never less than was written, never more than its size. */
static void allocated_is_an_upper_bound(void **state)
{
	__u64 last = 0, sum = 0, i;

	/* a file written from its beginning in small pieces takes its size */
	for (i = 0; i < 1000; i++)
		sum = nacre_size_allocated(sum, nacre_size_written(i * 37, 37, &last), i * 37 + 37);
	assert_int_equal(sum, 40960);
	/* the same with a hole before it: each block counts once */
	for (i = 0, sum = 0; i < 1000; i++)
		sum += nacre_size_written((1ull << 40) + i * 37, 37, &last);
	assert_int_equal(sum, 40960);
	/* a block that is written over and over */
	for (i = 0, sum = 0; i < 10; i++)
		sum += nacre_size_written((1ull << 40) + 100, 200, &last);
	assert_int_equal(sum, 4096);
	assert_int_equal(nacre_size_allocated(4096, 4096, 1ull << 40), 8192);
	assert_int_equal(nacre_size_allocated(4096, 4096, 10), 4096);
	assert_int_equal(nacre_size_allocated(4096, 0, 0), 0);
	assert_int_equal(nacre_size_allocated(~0ull, ~0ull, 5000), 8192);
}

static void times(void **state)
{
	__u64 before_1970 = (__u64)-5;

	assert_int_equal(nacre_time_later(3, 4), 4);
	assert_int_equal(nacre_time_later(before_1970, 4), 4);
	assert_true(nacre_time_compare(before_1970, 0) < 0);
	assert_int_equal(nacre_time_compare(7, 7), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_flush_size_3), cmocka_unit_test(size_learn),
		cmocka_unit_test(size_flush_commutes), cmocka_unit_test(max_size_grows_size_1),
		cmocka_unit_test(allocated_is_an_upper_bound), cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
