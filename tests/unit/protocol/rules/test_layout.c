// SPDX-License-Identifier: GPL-2.0
/* File layout: pieces cover a range exactly, in order, each inside one object. */
#include "../cmocka_all.h"
#include "protocol/osd.h"
#include "protocol/rules/layout.h"

static void layout_sizes(void **state)
{
	assert_true(nacre_layout_valid(4096));
	assert_true(nacre_layout_valid(4u << 20));
	assert_true(nacre_layout_valid(NACRE_OBJECT_MAX));
	assert_false(nacre_layout_valid(0));
	assert_false(nacre_layout_valid(2048));
	assert_false(nacre_layout_valid(4096 + 1));
	assert_false(nacre_layout_valid(NACRE_OBJECT_MAX * 2));
}

static void check_pieces(__u32 object_bytes, __u64 offset, __u64 length)
{
	__u64 at = offset, left = length, expect = offset;
	struct nacre_piece p;

	while (nacre_layout_next(object_bytes, &at, &left, &p)) {
		assert_int_equal(p.file_offset, expect);
		assert_int_equal(p.index, expect / object_bytes);
		assert_int_equal(p.offset, expect % object_bytes);
		assert_true(p.bytes && p.offset + (__u64)p.bytes <= object_bytes);
		expect += p.bytes;
	}
	assert_int_equal(expect, offset + length);
	assert_int_equal(at, offset + length);
}

static void layout_pieces(void **state)
{
	static const __u64 offsets[] = { 0, 1, 4095, 4096, 4097, 1ull << 40, (1ull << 60) - 9000 };
	static const __u64 lengths[] = { 0, 1, 4095, 4096, 4097, 8192, 9000 };
	size_t i, j;

	for (i = 0; i < COUNT_OF(offsets); i++)
		for (j = 0; j < COUNT_OF(lengths); j++) {
			check_pieces(4096, offsets[i], lengths[j]);
			check_pieces(4u << 20, offsets[i], lengths[j]);
		}
}

static void layout_objects_of_a_size(void **state)
{
	static const __u64 sizes[] = { 0, 1, 4095, 4096, 4097, 12288, 12289 };
	__u64 total, i, n;
	size_t s;

	for (s = 0; s < COUNT_OF(sizes); s++) {
		n = nacre_layout_objects(4096, sizes[s]);
		assert_int_equal(n, (sizes[s] + 4095) / 4096);
		for (i = 0, total = 0; i < n + 2; i++)
			total += nacre_layout_object_size(4096, i, sizes[s]);
		assert_int_equal(total, sizes[s]);
	}
	assert_int_equal(nacre_layout_objects(4096, 1ull << 60), 1ull << 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_sizes), cmocka_unit_test(layout_pieces),
		cmocka_unit_test(layout_objects_of_a_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
