// SPDX-License-Identifier: GPL-2.0
/*
 * Tables and arithmetic as the kernel compiles them: rows of requests, the codec in both directions, layout and
 * extents near the ends of 64 bits, checksums. (At length they are tested in user space.)
 */
#include <kunit/test.h>
#include "../mds/client.h"
#include "../net/internal.h"
#include "protocol/rules/extents.h"
#include "protocol/rules/layout.h"

/* ---- operations ----------------------------------------------------------------------------- */

static bool is_request(u16 type)
{
	return type >= NACRE_MSG_LOOKUP && type < NACRE_MSG_REPLY;
}

static void every_request_has_an_operation(struct kunit *test)
{
	unsigned int count;
	const struct nacre_message *rows = nacre_message_table(&count);

	for (unsigned int i = 0; i < count; i++) {
		const struct nacre_mds_op *op = mds_op_find(rows[i].type);

		KUNIT_EXPECT_EQ_MSG(test, !!op, is_request(rows[i].type), "%s", rows[i].name);
		if (op)
			KUNIT_EXPECT_STREQ(test, op->name, rows[i].name);
	}
}

static void operations_that_change_are_records(struct kunit *test)
{
	const u16 entry = NACRE_PART_PARENT | NACRE_PART_NAME;

	for (u16 type = 0; type < NACRE_MSG_LIMIT; type++) {
		const struct nacre_mds_op *op = mds_op_find(type);
		const struct nacre_record_rule *rule;
		u16 kind = nacre_record_kind_of(type);

		if (!op)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, op->changes, kind != 0, "%s", op->name);
		if (!kind)
			continue;
		rule = nacre_record_rule(kind);
		KUNIT_ASSERT_NOT_NULL(test, rule);
		KUNIT_EXPECT_EQ(test, nacre_record_message(kind), type);
		KUNIT_EXPECT_EQ_MSG(test, op->creates, rule->file_types != 0, "%s", op->name);
		/* Whoever names an entry changes its directory. */
		KUNIT_EXPECT_EQ_MSG(test, !!op->parent_groups, (rule->must & entry) == entry,
				    "%s", op->name);
	}
}

static void only_changes_touch_groups(struct kunit *test)
{
	for (u16 type = 0; type < NACRE_MSG_LIMIT; type++) {
		const struct nacre_mds_op *op = mds_op_find(type);

		if (!op)
			continue;
		if (!op->changes)
			KUNIT_EXPECT_EQ(test, op->parent_groups | op->target_groups |
					op->victim_groups, 0);
		/* Who reads the reply's extra does not change anything, and the other way round. */
		KUNIT_EXPECT_FALSE(test, op->keeps_reply && op->changes);
		KUNIT_EXPECT_EQ(test, (op->parent_groups | op->target_groups | op->victim_groups) &
				~NACRE_GROUPS_ALL, 0);
	}
}

/* ---- codec ---------------------------------------------------------------------------------- */

static void revoke_there_and_back(struct kunit *test)
{
	struct nacre_cap_revoke in = { .ino = ~0ULL - 1, .cap_id = 2, .cap_gen = 3, .cap_seq = 4,
				       .keep = 5, .repeats = 6, .barrier_epoch = 7 }, out;
	u8 bytes[sizeof(struct nacre_cap_revoke_wire)];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));

	KUNIT_ASSERT_EQ(test, nacre_encode(nacre_cap_revoke_desc(), &w, &in), 0);
	KUNIT_EXPECT_EQ(test, nacre_writer_bytes(&w), sizeof(bytes));
	KUNIT_EXPECT_EQ(test, bytes[0], 0xfe);
	KUNIT_ASSERT_EQ(test, nacre_decode_all(nacre_cap_revoke_desc(), bytes, sizeof(bytes), &out),
			0);
	KUNIT_EXPECT_MEMEQ(test, &in, &out, sizeof(in));
}

static void every_cut_of_a_body_is_refused(struct kunit *test)
{
	struct nacre_lookup_req in = { .tid = 1, .parent = 1, .name = "pearl", .name_bytes = 5 };
	size_t bytes = nacre_encoded_bytes(nacre_lookup_req_desc(), &in);
	struct nacre_lookup_req out;

	KUNIT_ASSERT_EQ(test, bytes, sizeof(struct nacre_lookup_req_wire) + 5);
	for (size_t cut = 0; cut <= bytes; cut++) {
		/* Of exactly that length, so that KASAN sees a byte read behind it. */
		u8 *whole = kmalloc(bytes, GFP_KERNEL | __GFP_NOFAIL);
		u8 *part = kmalloc(max(cut, 1), GFP_KERNEL | __GFP_NOFAIL);
		struct nacre_writer w = nacre_writer(whole, bytes);

		nacre_encode(nacre_lookup_req_desc(), &w, &in);
		memcpy(part, whole, cut);
		KUNIT_EXPECT_EQ(test, nacre_decode_all(nacre_lookup_req_desc(), part, cut, &out),
				cut == bytes ? 0 : -EBADMSG);
		kfree(part);
		kfree(whole);
	}
}

static void no_room_and_tails_too_long(struct kunit *test)
{
	static u8 name[NACRE_NAME_MAX + 1];
	struct nacre_lookup_req in = { .tid = 1, .parent = 1, .name = name, .name_bytes = 5 };
	u8 bytes[512];
	struct nacre_writer w = nacre_writer(bytes, sizeof(struct nacre_lookup_req_wire) + 4);

	KUNIT_EXPECT_EQ(test, nacre_encode(nacre_lookup_req_desc(), &w, &in), -EMSGSIZE);
	w = nacre_writer(bytes, sizeof(bytes));
	in.name_bytes = NACRE_NAME_MAX + 1;
	KUNIT_EXPECT_EQ(test, nacre_encode(nacre_lookup_req_desc(), &w, &in), -EINVAL);
}

/* The known answer of CRC32C, and the same over scattered pages. */
static void checksums(struct kunit *test)
{
	static u8 bytes[] = "123456789";
	struct kvec parts[] = { { bytes, 4 }, { bytes + 4, 5 } };
	bool lendable = true;
	struct iov_iter iter;

	KUNIT_EXPECT_EQ(test, nacre_crc32c(bytes, 9), 0xe3069283);
	iov_iter_kvec(&iter, ITER_SOURCE, parts, 2, 9);
	KUNIT_EXPECT_EQ(test, ~nacre_crc32c_iter(~0, &iter, 9, &lendable), 0xe3069283);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 9);
	KUNIT_EXPECT_EQ(test, nacre_crc32c(bytes, 0), 0);
}

/* ---- layout and extents --------------------------------------------------------------------- */

static void layout_sizes(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, nacre_layout_valid(4096));
	KUNIT_EXPECT_TRUE(test, nacre_layout_valid(64 << 20));
	KUNIT_EXPECT_FALSE(test, nacre_layout_valid(0));
	KUNIT_EXPECT_FALSE(test, nacre_layout_valid(2048));
	KUNIT_EXPECT_FALSE(test, nacre_layout_valid(128 << 20));
	KUNIT_EXPECT_FALSE(test, nacre_layout_valid((4 << 20) + 4096));
}

static void layout_of_a_range_over_three_objects(struct kunit *test)
{
	u64 offset = (1 << 20) - 10, length = (1 << 20) + 30;
	struct nacre_piece piece;

	KUNIT_ASSERT_EQ(test, nacre_layout_next(1 << 20, &offset, &length, &piece), 1);
	KUNIT_EXPECT_EQ(test, piece.index, 0);
	KUNIT_EXPECT_EQ(test, piece.offset, (1 << 20) - 10);
	KUNIT_EXPECT_EQ(test, piece.bytes, 10);
	KUNIT_ASSERT_EQ(test, nacre_layout_next(1 << 20, &offset, &length, &piece), 1);
	KUNIT_EXPECT_EQ(test, piece.index, 1);
	KUNIT_EXPECT_EQ(test, piece.offset, 0);
	KUNIT_EXPECT_EQ(test, piece.bytes, 1 << 20);
	KUNIT_ASSERT_EQ(test, nacre_layout_next(1 << 20, &offset, &length, &piece), 1);
	KUNIT_EXPECT_EQ(test, piece.index, 2);
	KUNIT_EXPECT_EQ(test, piece.file_offset, 2 << 20);
	KUNIT_EXPECT_EQ(test, piece.bytes, 20);
	KUNIT_EXPECT_EQ(test, nacre_layout_next(1 << 20, &offset, &length, &piece), 0);
}

static void layout_at_the_end_of_the_largest_file(struct kunit *test)
{
	u64 offset = NACRE_FILE_MAX - 1, length = 1;
	struct nacre_piece piece;

	KUNIT_ASSERT_EQ(test, nacre_layout_next(4096, &offset, &length, &piece), 1);
	KUNIT_EXPECT_EQ(test, piece.index, (NACRE_FILE_MAX >> 12) - 1);
	KUNIT_EXPECT_EQ(test, piece.offset, 4095);
	KUNIT_EXPECT_EQ(test, piece.bytes, 1);
	KUNIT_EXPECT_EQ(test, nacre_layout_objects(4096, NACRE_FILE_MAX), NACRE_FILE_MAX >> 12);
	KUNIT_EXPECT_EQ(test, nacre_layout_objects(4096, 0), 0);
	KUNIT_EXPECT_EQ(test, nacre_layout_object_size(4096, 1, 4097), 1);
	KUNIT_EXPECT_EQ(test, nacre_layout_object_size(4096, 2, 4097), 0);
}

static void extents_merge_and_split(struct kunit *test)
{
	struct nacre_extent room[3];
	struct nacre_extents set = { .at = room, .room = 3 };
	u64 start, length;

	KUNIT_EXPECT_EQ(test, nacre_extents_add(&set, 10, 10), 0);
	KUNIT_EXPECT_EQ(test, nacre_extents_add(&set, 30, 10), 0);
	KUNIT_EXPECT_EQ(test, nacre_extents_add(&set, 20, 10), 0);
	KUNIT_EXPECT_EQ(test, set.count, 1);
	KUNIT_EXPECT_EQ(test, nacre_extents_total(&set), 30);
	KUNIT_EXPECT_EQ(test, nacre_extents_remove(&set, 15, 5), 0);
	KUNIT_EXPECT_EQ(test, nacre_extents_remove(&set, 30, 5), 0);
	KUNIT_EXPECT_EQ(test, set.count, 3);
	/* Full: one more is refused and nothing is changed. */
	KUNIT_EXPECT_EQ(test, nacre_extents_add(&set, 100, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, nacre_extents_total(&set), 20);
	KUNIT_EXPECT_EQ(test, nacre_extents_gap(&set, 10, 30, &start, &length), 1);
	KUNIT_EXPECT_EQ(test, start, 15);
	KUNIT_EXPECT_EQ(test, length, 5);
	KUNIT_EXPECT_NULL(test, nacre_extents_invariant(&set));
}

/* A time of the first second came back as the one before (xfstests generic/402). */
static void times_to_the_ends_of_their_range(struct kunit *test)
{
	static const struct timespec64 times[] = {
		{ -9223372036LL, 0 }, { -1, 999999999 }, { 0, 0 }, { 9223372036LL, 0 },
	};
	struct timespec64 back;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		back = nacre_timespec(nacre_time_ns(times[i]));
		KUNIT_EXPECT_EQ(test, back.tv_sec, times[i].tv_sec);
		KUNIT_EXPECT_EQ(test, back.tv_nsec, times[i].tv_nsec);
	}
}

static void ranges_that_wrap(struct kunit *test)
{
	struct nacre_extent room[3];
	struct nacre_extents set = { .at = room, .room = 3 };

	KUNIT_EXPECT_EQ(test, nacre_extents_add(&set, ~0ULL - 5, 10), -EINVAL);
	KUNIT_EXPECT_EQ(test, nacre_extents_add(&set, 5, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, set.count, 0);
	KUNIT_EXPECT_FALSE(test, nacre_range_within(~0ULL - 5, 10, ~0ULL));
	KUNIT_EXPECT_TRUE(test, nacre_range_within(NACRE_FILE_MAX - 1, 1, NACRE_FILE_MAX));
	KUNIT_EXPECT_FALSE(test, nacre_range_within(NACRE_FILE_MAX - 1, 2, NACRE_FILE_MAX));
	KUNIT_EXPECT_FALSE(test, nacre_range_overlaps(0, 10, 10, 5));
	KUNIT_EXPECT_TRUE(test, nacre_range_overlaps(0, 11, 10, 5));
	KUNIT_EXPECT_FALSE(test, nacre_range_overlaps(0, 0, 0, 5));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_request_has_an_operation),
	KUNIT_CASE(operations_that_change_are_records),
	KUNIT_CASE(only_changes_touch_groups),
	KUNIT_CASE(revoke_there_and_back),
	KUNIT_CASE(every_cut_of_a_body_is_refused),
	KUNIT_CASE(no_room_and_tails_too_long),
	KUNIT_CASE(checksums),
	KUNIT_CASE(layout_sizes),
	KUNIT_CASE(layout_of_a_range_over_three_objects),
	KUNIT_CASE(layout_at_the_end_of_the_largest_file),
	KUNIT_CASE(extents_merge_and_split),
	KUNIT_CASE(times_to_the_ends_of_their_range),
	KUNIT_CASE(ranges_that_wrap),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_tables",
	.test_cases = cases,
};
kunit_test_suite(suite);
