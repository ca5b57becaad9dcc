// SPDX-License-Identifier: GPL-2.0
/*
 * Wrong bytes from a server: each gives a count, a line and another connection, and the mount goes on. Every case sends
 * one wrong frame or body on the metadata connection. (What is wrong with a body is judged by protocol/rules and
 * tested in user space at length; here it is seen to reach the connection.)
 */
#include "world.h"

/* Frames refused so far. */
static u64 refused(struct test_world *world)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(world->fs->stats, cpu)->frames_bad;
	return sum;
}

/* After it, the client refuses the frame, connects again, and is served. */
static void expect_refusal(struct test_world *world, u16 type, const void *body, u32 body_bytes,
			   enum test_spoil spoil)
{
	u32 connections = world->rank.connections;
	u64 before = refused(world);

	KUNIT_ASSERT_EQ(world->test,
			test_server_say_raw(&world->rank, type, body, body_bytes, spoil), 0);
	test_server_wait_connections(&world->rank, connections + 1);
	KUNIT_EXPECT_EQ(world->test, refused(world), before + 1);
	test_settle(world);
	KUNIT_EXPECT_TRUE(world->test, nacre_mds_may_io(world->fs));
}

static const struct nacre_safe_wire safe = { .safe = cpu_to_le64(1) };

static void expect_bad_frame(struct kunit *test, enum test_spoil spoil)
{
	expect_refusal(test_world(test), NACRE_MSG_SAFE, &safe, sizeof(safe), spoil);
}

/* ---- frames --------------------------------------------------------------------------------- */

static void frame_magic(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_MAGIC);
}

static void frame_version(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_VERSION);
}

static void frame_unknown_type(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_TYPE);
}

static void frame_header_checksum(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_HEADER_CRC);
}

static void frame_body_checksum(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_BODY_CRC);
}

static void frame_checksum_of_no_data(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_DATA_CRC);
}

static void frame_reserved_field(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_RESERVED);
}

static void frame_gap(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_GAP);
}

static void frame_body_too_long(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_BODY_BYTES);
}

static void frame_data_too_long(struct kunit *test)
{
	expect_bad_frame(test, TEST_SPOIL_DATA_BYTES);
}

static void frame_body_too_short(struct kunit *test)
{
	expect_refusal(test_world(test), NACRE_MSG_SAFE, &safe, sizeof(safe) - 1,
		       TEST_SPOIL_NOTHING);
}

/* A frame that was seen before is no mistake, and has no effect. */
static void frame_repeated_is_dropped(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_safe_wire other = { .safe = cpu_to_le64(9) };
	u64 before = refused(world);

	test_server_say_raw(&world->rank, NACRE_MSG_SAFE, &safe, sizeof(safe), TEST_SPOIL_NOTHING);
	test_server_say_raw(&world->rank, NACRE_MSG_SAFE, &other, sizeof(other),
			    TEST_SPOIL_REPEAT);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, world->fs->mds->safe, 1);
	KUNIT_EXPECT_EQ(test, refused(world), before);
}

/* ---- bodies --------------------------------------------------------------------------------- */

/* What only a client says. */
static void message_of_the_other_direction(struct kunit *test)
{
	struct nacre_session_close_wire close = { .instance = cpu_to_le64(1) };

	expect_refusal(test_world(test), NACRE_MSG_SESSION_CLOSE, &close, sizeof(close),
		       TEST_SPOIL_NOTHING);
}

static void body_reserved_field(struct kunit *test)
{
	struct nacre_safe_wire body = { .safe = cpu_to_le64(1), .reserved0 = cpu_to_le64(1) };

	expect_refusal(test_world(test), NACRE_MSG_SAFE, &body, sizeof(body), TEST_SPOIL_NOTHING);
}

static void body_with_more_behind_it(struct kunit *test)
{
	u8 body[sizeof(safe) + 1] = { };

	memcpy(body, &safe, sizeof(safe));
	expect_refusal(test_world(test), NACRE_MSG_SAFE, body, sizeof(body), TEST_SPOIL_NOTHING);
}

static void tail_over_the_end(struct kunit *test)
{
	struct nacre_reply_wire body = { .tid = cpu_to_le64(1), .traces_bytes = cpu_to_le32(8) };

	expect_refusal(test_world(test), NACRE_MSG_REPLY, &body, sizeof(body), TEST_SPOIL_NOTHING);
}

static void tail_lengths_that_wrap(struct kunit *test)
{
	struct nacre_reply_wire body = {
		.tid = cpu_to_le64(1),
		.traces_bytes = cpu_to_le32(U32_MAX - 15),
		.extra_bytes = cpu_to_le32(16),
	};

	expect_refusal(test_world(test), NACRE_MSG_REPLY, &body, sizeof(body), TEST_SPOIL_NOTHING);
}

/* A body of one message around an info that is changed first. */
static void expect_bad_grant(struct kunit *test, const struct nacre_inode_info *info)
{
	u8 body[512] = { };
	struct nacre_writer w = nacre_writer(body + sizeof(struct nacre_cap_grant_wire),
					     sizeof(body) - sizeof(struct nacre_cap_grant_wire));
	struct nacre_cap_grant_wire *grant = (void *)body;
	u32 bytes;

	KUNIT_ASSERT_EQ(test, nacre_encode(nacre_inode_info_desc(), &w, info), 0);
	bytes = nacre_writer_bytes(&w);
	grant->info_bytes = cpu_to_le32(bytes);
	expect_refusal(test_world(test), NACRE_MSG_CAP_GRANT, body, sizeof(*grant) + bytes,
		       TEST_SPOIL_NOTHING);
}

static struct nacre_inode_info granted(void)
{
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, NACRE_CAP_PIN, 1);

	info.role = NACRE_TRACE_GRANT;
	return info;
}

static void grant_of_unknown_bits(struct kunit *test)
{
	struct nacre_inode_info info = granted();

	info.issued = 1u << 31;
	expect_bad_grant(test, &info);
}

static void grant_of_inode_zero(struct kunit *test)
{
	struct nacre_inode_info info = granted();

	info.ino = 0;
	expect_bad_grant(test, &info);
}

static void grant_with_an_impossible_layout(struct kunit *test)
{
	struct nacre_inode_info info = granted();

	info.object_bytes = 12345;
	expect_bad_grant(test, &info);
}

static void grant_with_an_impossible_size(struct kunit *test)
{
	struct nacre_inode_info info = granted();

	info.size = NACRE_FILE_MAX + 1;
	expect_bad_grant(test, &info);
}

static void grant_with_bad_xattrs(struct kunit *test)
{
	struct nacre_inode_info info = granted();

	info.info_flags = NACRE_INFO_HAS_XATTRS;
	info.xattrs = "\xff\xff\xff\x7f user.a";
	info.xattrs_bytes = 11;
	expect_bad_grant(test, &info);
}

static void session_state_that_makes_no_sense(struct kunit *test)
{
	struct nacre_session_state_wire body = { .instance = cpu_to_le64(10) };	/* no lease */

	expect_refusal(test_world(test), NACRE_MSG_SESSION_STATE, &body, sizeof(body),
		       TEST_SPOIL_NOTHING);
}

static void map_whose_tables_do_not_fit(struct kunit *test)
{
	struct test_world *world = test_world(test);
	u8 body[sizeof(struct nacre_map_wire) + 5] = { };
	struct nacre_map_wire *map = (void *)body;

	map->epoch = cpu_to_le64(7);
	map->fsid_lo = cpu_to_le64(1);
	map->fsid_hi = cpu_to_le64(1);
	map->next_instance = cpu_to_le64(1000);
	map->pools_bytes = cpu_to_le32(5);
	expect_refusal(world, NACRE_MSG_MAP, body, sizeof(body), TEST_SPOIL_NOTHING);
	KUNIT_EXPECT_EQ(test, nacre_map_epoch(world->fs), 1);
}

/* Extra is judged where it is known what was asked for. */
static void listing_out_of_order(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_dirent entry = { .ino = TEST_INO, .cookie = 99, .mode = S_IFREG,
				      .name = "a", .name_bytes = 1 };
	struct nacre_mds_request *req = nacre_mds_request_new(world->fs, NACRE_MSG_READDIR);
	struct nacre_reply like = { };
	struct test_message *message;
	struct test_call *call;
	u8 extra[128];
	struct nacre_writer w = nacre_writer(extra, sizeof(extra));

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, req);
	KUNIT_ASSERT_EQ(test, nacre_encode(nacre_dirent_desc(), &w, &entry), 0);
	entry.cookie = 98;
	KUNIT_ASSERT_EQ(test, nacre_encode(nacre_dirent_desc(), &w, &entry), 0);
	like.extra = extra;
	like.extra_bytes = nacre_writer_bytes(&w);
	req->body.readdir.ino = NACRE_INO_ROOT;
	req->body.readdir.max_entries = 10;
	req->body.readdir.max_bytes = 4096;
	call = test_call_request(world, req);
	message = test_server_expect(&world->rank, NACRE_MSG_READDIR);
	test_reply(world, message, &like, NULL, 0);
	/* Refused; asked again on the next connection, it is answered well. */
	message = test_server_expect(&world->rank, NACRE_MSG_READDIR);
	KUNIT_EXPECT_EQ(test, test_request_flags(message), NACRE_REQUEST_RESEND);
	KUNIT_EXPECT_EQ(test, refused(world), 1);
	test_reply(world, message, NULL, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_EQ(test, req->entry_count, 0);
	nacre_mds_request_put(req);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(frame_magic),
	KUNIT_CASE(frame_version),
	KUNIT_CASE(frame_unknown_type),
	KUNIT_CASE(frame_header_checksum),
	KUNIT_CASE(frame_body_checksum),
	KUNIT_CASE(frame_checksum_of_no_data),
	KUNIT_CASE(frame_reserved_field),
	KUNIT_CASE(frame_gap),
	KUNIT_CASE(frame_body_too_long),
	KUNIT_CASE(frame_data_too_long),
	KUNIT_CASE(frame_body_too_short),
	KUNIT_CASE(frame_repeated_is_dropped),
	KUNIT_CASE(message_of_the_other_direction),
	KUNIT_CASE(body_reserved_field),
	KUNIT_CASE(body_with_more_behind_it),
	KUNIT_CASE(tail_over_the_end),
	KUNIT_CASE(tail_lengths_that_wrap),
	KUNIT_CASE(grant_of_unknown_bits),
	KUNIT_CASE(grant_of_inode_zero),
	KUNIT_CASE(grant_with_an_impossible_layout),
	KUNIT_CASE(grant_with_an_impossible_size),
	KUNIT_CASE(grant_with_bad_xattrs),
	KUNIT_CASE(session_state_that_makes_no_sense),
	KUNIT_CASE(map_whose_tables_do_not_fit),
	KUNIT_CASE(listing_out_of_order),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_decode",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
