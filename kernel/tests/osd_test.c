// SPDX-License-Identifier: GPL-2.0
/*
 * Object requests: what is said to an OSD, what its answers mean, and how a request goes on under its
 * number through broken connections, "later", and maps.
 */
#include "../vfs/data.h"
#include "objects.h"


static u8 page[PAGE_SIZE];

/* A request on a part of a page, in object 3 of a file. */
static struct nacre_osd_io *io_new(struct test_world *world, u16 code, u64 length)
{
	struct nacre_osd_io *io = nacre_osd_io_new(world->fs, GFP_KERNEL);
	struct kvec *part = kunit_kzalloc(world->test, sizeof(*part), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(world->test, io);
	KUNIT_ASSERT_NOT_NULL(world->test, part);
	part->iov_base = page;
	part->iov_len = length;
	iov_iter_kvec(&io->iter, code == NACRE_OSD_OP_READ ? ITER_DEST : ITER_SOURCE, part, 1,
		      length);
	io->oid.ino = TEST_INO;
	io->oid.index = 3;
	io->oid.pool = NACRE_POOL_DATA;
	io->code = code;
	io->offset = 8192;
	io->length = length;
	return io;
}

static struct test_message *next_request(struct test_world *world)
{
	return test_server_expect(&world->osd, NACRE_MSG_OSD_REQUEST);
}

/* ---- what is said --------------------------------------------------------------------------- */

static void request_says_what_it_is(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_WRITE, 100);
	const struct nacre_osd_request *request;
	struct test_message *message;
	struct test_call *call;
	struct nacre_osd_op op;

	memset(page, 0x5a, sizeof(page));
	io->truncate_seq = 4;
	io->truncate_size = 1 << 22;
	io->mtime_ns = TEST_NOW_NS;
	call = test_call_io(world, io);
	message = next_request(world);
	request = test_osd_request(message);
	op = test_osd_op(world, message);
	KUNIT_EXPECT_EQ(test, request->tid, io->tid);
	KUNIT_EXPECT_EQ(test, request->oldest_tid, io->tid);
	KUNIT_EXPECT_EQ(test, request->instance, TEST_CLIENT_INSTANCE);
	KUNIT_EXPECT_EQ(test, request->map_epoch, 1);
	KUNIT_EXPECT_EQ(test, request->conn_gen, message->conn_gen);
	KUNIT_EXPECT_EQ(test, request->ino, TEST_INO);
	KUNIT_EXPECT_EQ(test, request->index, 3);
	KUNIT_EXPECT_EQ(test, request->snap, NACRE_SNAP_HEAD);
	KUNIT_EXPECT_EQ(test, request->pool, NACRE_POOL_DATA);
	KUNIT_EXPECT_EQ(test, request->flags, 0);
	KUNIT_EXPECT_EQ(test, request->truncate_seq, 4);
	KUNIT_EXPECT_EQ(test, request->truncate_size, 1 << 22);
	KUNIT_EXPECT_EQ(test, request->mtime, TEST_NOW_NS);
	KUNIT_EXPECT_EQ(test, op.code, NACRE_OSD_OP_WRITE);
	KUNIT_EXPECT_EQ(test, op.offset, 8192);
	KUNIT_EXPECT_EQ(test, op.length, 100);
	KUNIT_EXPECT_EQ(test, message->data_bytes, 100);
	KUNIT_EXPECT_MEMEQ(test, message->data, page, 100);
	test_osd_reply(world, message, 0, NULL, 0, 8292);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_osd_io_put(io);
}

static void requests_without_data(struct kunit *test)
{
	static const u16 codes[] = { NACRE_OSD_OP_ZERO, NACRE_OSD_OP_TRUNCATE, NACRE_OSD_OP_DELETE,
				     NACRE_OSD_OP_STAT };
	struct test_world *world = test_world(test);

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct nacre_osd_io *io = io_new(world, codes[i], 0);
		struct test_message *message;
		struct test_call *call;

		io->length = codes[i] == NACRE_OSD_OP_ZERO ? 512 : 0;
		io->offset = codes[i] == NACRE_OSD_OP_DELETE || codes[i] == NACRE_OSD_OP_STAT ?
			     0 : 8192;
		call = test_call_io(world, io);
		message = next_request(world);
		KUNIT_EXPECT_EQ(test, test_osd_op(world, message).code, codes[i]);
		KUNIT_EXPECT_EQ(test, test_osd_op(world, message).length, io->length);
		KUNIT_EXPECT_EQ(test, message->data_bytes, 0);
		test_osd_reply(world, message, 0, NULL, 0, 4711);
		KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
		KUNIT_EXPECT_EQ(test, io->object_size, 4711);
		nacre_osd_io_put(io);
	}
}

/* What a request of the page cache is made of: layout, truncation and pool of the inode. */
static void request_of_a_file(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 1);
	struct nacre_osd_io *io = nacre_osd_io_reserve(world->fs);
	struct inode *inode;

	info.object_bytes = 1 << 20;
	info.truncate_seq = 9;
	info.truncate_size = 77;
	inode = test_learn(world, &info);
	nacre_data_io(io, inode, NACRE_OSD_OP_READ, (5ULL << 20) + 100, 2 << 20);
	KUNIT_EXPECT_EQ(test, io->oid.ino, TEST_INO);
	KUNIT_EXPECT_EQ(test, io->oid.index, 5);
	KUNIT_EXPECT_EQ(test, io->oid.pool, NACRE_POOL_DATA);
	KUNIT_EXPECT_EQ(test, io->offset, 100);
	KUNIT_EXPECT_EQ(test, io->length, (1 << 20) - 100);
	KUNIT_EXPECT_EQ(test, io->truncate_seq, 9);
	KUNIT_EXPECT_EQ(test, io->truncate_size, 77);
	/* Behind 2^32 objects, nothing wraps. */
	nacre_data_io(io, inode, NACRE_OSD_OP_READ, NACRE_FILE_MAX - 1, 1);
	KUNIT_EXPECT_EQ(test, io->oid.index, (NACRE_FILE_MAX >> 20) - 1);
	KUNIT_EXPECT_EQ(test, io->offset, (1 << 20) - 1);
	nacre_osd_io_put(io);
}

/* ---- what answers mean ---------------------------------------------------------------------- */

static void read_fills_the_iterator(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_READ, 100);
	struct test_call *call;

	memset(page, 0, sizeof(page));
	call = test_call_io(world, io);
	/* Short: the object ends there. */
	test_osd_reply(world, next_request(world), 0, "0123456789", 10, 8202);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_EQ(test, io->transferred, 10);
	KUNIT_EXPECT_EQ(test, io->object_size, 8202);
	KUNIT_EXPECT_MEMEQ(test, page, "0123456789", 10);
	KUNIT_EXPECT_EQ(test, page[10], 0);
	nacre_osd_io_put(io);
}

static void absent_object_reads_as_a_hole(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_READ, 100);
	struct test_call *call = test_call_io(world, io);

	test_osd_reply(world, next_request(world), ENOENT, NULL, 0, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_EQ(test, io->transferred, 0);
	nacre_osd_io_put(io);
}

static void errors_become_errno(struct kunit *test)
{
	static const struct {
		u32 result;
		int error;
	} rows[] = {
		{ ENOSPC, -ENOSPC }, { ENOENT, -ENOENT }, { NACRE_E_CHECKSUM, -EIO },
		{ NACRE_E_CMP_FAILED, -ECANCELED }, { NACRE_E_UNSUPPORTED, -EOPNOTSUPP },
	};
	struct test_world *world = test_world(test);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_WRITE, 100);
		struct test_call *call = test_call_io(world, io);

		test_osd_reply(world, next_request(world), rows[i].result, NULL, 0, 0);
		KUNIT_EXPECT_EQ(test, test_call_result(call), rows[i].error);
		nacre_osd_io_put(io);
	}
}

/* More data than was asked for never reaches the caller's pages. */
static void too_much_data_resets_the_connection(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_READ, 8);
	struct test_call *call;
	u32 connections;

	memset(page, 0, sizeof(page));
	call = test_call_io(world, io);
	connections = world->osd.connections;
	test_osd_reply(world, next_request(world), 0, "0123456789", 10, 10);
	test_server_wait_connections(&world->osd, connections + 1);
	KUNIT_EXPECT_EQ(test, page[8], 0);
	test_osd_reply(world, next_request(world), 0, "01234567", 8, 8);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_EQ(test, io->transferred, 8);
	nacre_osd_io_put(io);
}

static void reply_without_result_resets_the_connection(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_WRITE, 8);
	struct test_call *call = test_call_io(world, io);
	struct test_message *message = next_request(world);
	struct nacre_osd_reply empty = { .tid = test_osd_request(message)->tid, .map_epoch = 1 };
	u32 connections = world->osd.connections;

	test_server_say(&world->osd, NACRE_MSG_OSD_REPLY, &empty);
	test_server_wait_connections(&world->osd, connections + 1);
	KUNIT_EXPECT_FALSE(test, test_call_is_over(call));
	test_osd_reply(world, next_request(world), 0, NULL, 0, 8);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_osd_io_put(io);
}

/* ---- again ---------------------------------------------------------------------------------- */

static void resent_under_its_number(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_WRITE, 100);
	struct test_call *call = test_call_io(world, io);
	struct test_message *before = next_request(world), *after;

	test_server_hang_up(&world->osd);
	after = next_request(world);
	KUNIT_EXPECT_EQ(test, test_osd_request(after)->tid, test_osd_request(before)->tid);
	KUNIT_EXPECT_EQ(test, test_osd_request(after)->flags, NACRE_OSD_REQUEST_RESEND);
	KUNIT_EXPECT_GT(test, test_osd_request(after)->conn_gen,
			test_osd_request(before)->conn_gen);
	test_osd_reply(world, after, 0, NULL, 0, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_osd_io_put(io);
}

static void later_is_tried_again(struct kunit *test)
{
	static const u32 results[] = { NACRE_E_BUSY, NACRE_E_PG_INACTIVE, NACRE_E_LEASE_LOST,
				       NACRE_E_WRONG_INTERVAL };
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_WRITE, 100);
	struct test_call *call = test_call_io(world, io);

	for (size_t i = 0; i < ARRAY_SIZE(results); i++)
		test_osd_reply(world, next_request(world), results[i], NULL, 0, 0);
	KUNIT_EXPECT_FALSE(test, test_call_is_over(call));
	test_osd_reply(world, next_request(world), 0, NULL, 0, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_osd_io_put(io);
}

/* The OSD has a newer map: the request waits for that one. */
static void stale_epoch_waits_for_the_map(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_WRITE, 100);
	struct test_call *call = test_call_io(world, io);
	struct test_message *message = next_request(world);
	struct nacre_osd_reply reply = { .tid = test_osd_request(message)->tid, .map_epoch = 5,
					 .result = NACRE_E_STALE_EPOCH };

	test_server_say(&world->osd, NACRE_MSG_OSD_REPLY, &reply);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	world->map.epoch = 5;
	test_map_say(world);
	message = next_request(world);
	KUNIT_EXPECT_EQ(test, test_osd_request(message)->map_epoch, 5);
	test_osd_reply(world, message, 0, NULL, 0, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_osd_io_put(io);
}

/* FENCE-2 */
static void fence_2_nothing_goes_out_below_the_barrier(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_WRITE, 100);
	struct test_message *message;
	struct test_call *call;

	nacre_osd_set_barrier(world->fs, 3);
	nacre_osd_set_barrier(world->fs, 2);		/* it never falls */
	call = test_call_io(world, io);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	world->map.epoch = 3;
	test_map_say(world);
	message = next_request(world);
	KUNIT_EXPECT_EQ(test, test_osd_request(message)->barrier_epoch, 3);
	test_osd_reply(world, message, 0, NULL, 0, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_osd_io_put(io);
}

/* A user's pages may change while they are sent: the second time a copy goes out. */
static void unstable_bytes_are_copied_for_a_resend(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_WRITE, 100);
	struct test_message *message;
	struct test_call *call;

	memset(page, 'a', sizeof(page));
	io->unstable = true;
	call = test_call_io(world, io);
	next_request(world);
	test_server_hang_up(&world->osd);
	message = next_request(world);
	KUNIT_EXPECT_PTR_NE(test, io->copy.iov_base, NULL);
	KUNIT_EXPECT_EQ(test, message->data[0], 'a');
	test_osd_reply(world, message, 0, NULL, 0, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_osd_io_put(io);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* WAIT-1; the reply that comes after it finds nobody. */
static void wait_1_killed_call_leaves_nothing(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_READ, 100);
	struct test_call *call = test_call_io(world, io);
	struct test_message *message = next_request(world);

	test_call_kill(call);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -EINTR);
	KUNIT_EXPECT_EQ(test, kref_read(&io->ref), 1);
	nacre_osd_io_put(io);
	memset(page, 0, sizeof(page));
	test_osd_reply(world, message, 0, "0123456789", 10, 10);
	/* Behind it: whoever comes next is served. */
	io = io_new(world, NACRE_OSD_OP_STAT, 0);
	io->offset = 0;
	call = test_call_io(world, io);
	test_osd_reply(world, next_request(world), 0, NULL, 0, 10);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_EQ(test, page[0], 0);
	nacre_osd_io_put(io);
}

static void fail_all_ends_what_is_under_way(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *sent = io_new(world, NACRE_OSD_OP_WRITE, 100), *waiting;
	struct test_call *first = test_call_io(world, sent), *second;

	next_request(world);
	nacre_osd_set_barrier(world->fs, 9);
	waiting = io_new(world, NACRE_OSD_OP_WRITE, 100);
	second = test_call_io(world, waiting);
	test_wait(world, READ_ONCE(world->fs->osd->total) == 2);
	nacre_osd_fail_all(world->fs, -EIO);
	KUNIT_EXPECT_EQ(test, test_call_result(first), -EIO);
	KUNIT_EXPECT_EQ(test, test_call_result(second), -EIO);
	KUNIT_EXPECT_EQ(test, world->fs->osd->total, 0);
	KUNIT_EXPECT_EQ(test, world->fs->osd->waiting, 0);
	nacre_osd_io_put(sent);
	nacre_osd_io_put(waiting);
}

/* FENCE-1: an OSD knows us to be dead; the map that says so ends the session. */
static void fence_1_dead_instance_ends_the_request(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = io_new(world, NACRE_OSD_OP_WRITE, 100);
	struct test_call *call = test_call_io(world, io);

	world->map.epoch = 2;
	world->map.dead_first = TEST_CLIENT_INSTANCE;
	world->map.dead_count = 1;
	test_osd_reply(world, next_request(world), NACRE_E_DEAD_INSTANCE, NULL, 0, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -EIO);
	/* It asks for the map, reads of its death there, and begins anew. */
	test_wait(world, READ_ONCE(world->fs->instance) > TEST_CLIENT_INSTANCE);
	nacre_osd_io_put(io);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(request_says_what_it_is),
	KUNIT_CASE(requests_without_data),
	KUNIT_CASE(request_of_a_file),
	KUNIT_CASE(read_fills_the_iterator),
	KUNIT_CASE(absent_object_reads_as_a_hole),
	KUNIT_CASE(errors_become_errno),
	KUNIT_CASE(too_much_data_resets_the_connection),
	KUNIT_CASE(reply_without_result_resets_the_connection),
	KUNIT_CASE(resent_under_its_number),
	KUNIT_CASE(later_is_tried_again),
	KUNIT_CASE(stale_epoch_waits_for_the_map),
	KUNIT_CASE(fence_2_nothing_goes_out_below_the_barrier),
	KUNIT_CASE(unstable_bytes_are_copied_for_a_resend),
	KUNIT_CASE(wait_1_killed_call_leaves_nothing),
	KUNIT_CASE(fail_all_ends_what_is_under_way),
	KUNIT_CASE(fence_1_dead_instance_ends_the_request),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_osd",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
