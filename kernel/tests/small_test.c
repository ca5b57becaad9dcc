// SPDX-License-Identifier: GPL-2.0
/*
 * Small files in their inodes: where their bytes are read from and go to, and how the data leaves while the rank and the
 * OSD are looking. The machine itself (protocol/rules/inline.h) is tested in user space.
 */
#include <linux/pagemap.h>
#include "../vfs/data.h"
#include "objects.h"

static char bytes[8192];

/* A file of `length` bytes whose data is in the inode, of this client alone. */
static struct inode *small_inode(struct test_world *world, u32 length)
{
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 1);

	memset(bytes, 'p', sizeof(bytes));
	WRITE_ONCE(world->fs->inline_limit, 4096);
	info.object_bytes = 1 << 20;
	info.size = length;
	info.inline_gen = 1;
	info.info_flags |= NACRE_INFO_HAS_DATA;
	info.data = (const u8 *)bytes;
	info.data_bytes = length;
	return test_learn(world, &info);
}

static int write_back(struct test_call *call)
{
	return nacre_pages_write_back(call->inode);
}

static struct test_call *start_write_back(struct test_world *world, struct inode *inode)
{
	struct test_call call = { .function = write_back, .inode = inode };

	return test_call(world, &call);
}

static struct test_message *next_request(struct test_world *world)
{
	return test_server_expect(&world->osd, NACRE_MSG_OSD_REQUEST);
}

static struct nacre_osd_op op_at(struct test_world *world, const struct test_message *message, int i)
{
	const struct nacre_osd_request *request = test_osd_request(message);
	struct nacre_osd_op op = { };

	KUNIT_EXPECT_EQ(world->test, nacre_array_at(nacre_osd_op_desc(), request->ops, i, &op), 0);
	return op;
}

/* IF_NOXATTR, WRITE_FULL of so many bytes, SETXATTR; and how many operations there are. */
static void expect_guard(struct test_world *world, const struct test_message *message, u64 length,
			 int ops)
{
	const struct nacre_osd_request *request = test_osd_request(message);
	struct kunit *test = world->test;

	KUNIT_EXPECT_EQ(test, request->index, 0);
	KUNIT_EXPECT_EQ(test, request->inline_gen, 1);
	KUNIT_ASSERT_EQ(test, nacre_array_count(nacre_osd_op_desc(), request->ops_bytes), ops);
	KUNIT_EXPECT_EQ(test, op_at(world, message, 0).code, NACRE_OSD_OP_IF_NOXATTR);
	KUNIT_EXPECT_EQ(test, op_at(world, message, 0).length, 2);
	KUNIT_EXPECT_EQ(test, op_at(world, message, 1).code, NACRE_OSD_OP_WRITE_FULL);
	KUNIT_EXPECT_EQ(test, op_at(world, message, 1).length, length);
	KUNIT_EXPECT_EQ(test, op_at(world, message, 2).code, NACRE_OSD_OP_SETXATTR);
	KUNIT_EXPECT_EQ(test, request->input_bytes, 2 * NACRE_INLINE_MARK_BYTES + 8);
	KUNIT_EXPECT_MEMEQ(test, request->input, NACRE_INLINE_MARK, NACRE_INLINE_MARK_BYTES);
}

/* Answer every operation of a request well. */
static void reply_well(struct test_world *world, const struct test_message *message)
{
	const struct nacre_osd_request *request = test_osd_request(message);
	int count = nacre_array_count(nacre_osd_op_desc(), request->ops_bytes);
	u8 results[NACRE_OSD_IO_OPS * sizeof(struct nacre_osd_result_wire)];
	struct nacre_writer w = nacre_writer(results, sizeof(results));
	struct nacre_osd_result one = { };
	struct nacre_osd_reply reply = {
		.tid = request->tid,
		.version = 1,
		.map_epoch = world->map.epoch,
		.results = results,
	};

	while (count--)
		nacre_encode(nacre_osd_result_desc(), &w, &one);
	reply.results_bytes = nacre_writer_bytes(&w);
	test_server_say(&world->osd, NACRE_MSG_OSD_REPLY, &reply);
}

static const struct nacre_cap_update *flush(struct test_world *world, struct inode *inode)
{
	nacre_caps_flush_start(inode);
	return update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
}

static void acknowledge(struct test_world *world, u64 flush_id)
{
	struct nacre_cap_flush_ack ack = { .ino = TEST_INO, .flush_id = flush_id,
					   .flags = NACRE_FLUSH_ACK_SAFE };

	test_server_say(&world->rank, NACRE_MSG_CAP_FLUSH_ACK, &ack);
	test_settle(world);
}

/* ---- while it is small ----------------------------------------------------------------------------- */

static void pages_are_filled_from_the_inode(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct file *file = test_open(world, small_inode(world, 100), O_RDONLY);
	char read[200];
	loff_t at = 0;

	KUNIT_EXPECT_EQ(test, kernel_read(file, read, sizeof(read), &at), 100);
	KUNIT_EXPECT_MEMEQ(test, read, bytes, 100);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	test_close(world, file);
}

static void a_small_write_goes_with_the_flush(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = small_inode(world, 100);
	struct file *file = test_open(world, inode, O_WRONLY);
	const struct nacre_cap_update *update;

	KUNIT_EXPECT_EQ(test, test_write(file, "earl", 4, 110), 4);
	KUNIT_EXPECT_EQ(test, nacre_pages_write_back(inode), 0);
	KUNIT_EXPECT_FALSE(test, nacre_pages_dirty(inode));
	update = flush(world, inode);
	KUNIT_EXPECT_EQ(test, update->update_flags, NACRE_CAP_UPDATE_HAS_DATA);
	KUNIT_EXPECT_EQ(test, update->inline_gen, 1);
	KUNIT_EXPECT_EQ(test, update->size, 114);
	KUNIT_ASSERT_EQ(test, update->data_bytes, 114);
	KUNIT_EXPECT_MEMEQ(test, update->data, bytes, 100);
	KUNIT_EXPECT_MEMEQ(test, update->data + 100, "\0\0\0\0\0\0\0\0\0\0earl", 14);
	acknowledge(world, update->flush_id);
	/* The rank has them: a flush of times alone need not say them again. */
	nacre_caps_mark_dirty(inode, NACRE_GROUP_FILE);
	KUNIT_EXPECT_EQ(test, flush(world, inode)->update_flags, 0);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	test_close(world, file);
}

/* What is dirty in a page goes along when age or sync flush the file's attributes: its size is not told before its bytes. */
static void sync_takes_the_page_along(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct file *file = test_open(world, small_inode(world, 0), O_WRONLY);
	const struct nacre_cap_update *update;

	KUNIT_EXPECT_EQ(test, test_write(file, "pearl", 5, 0), 5);
	nacre_caps_sync_fs(world->fs, false);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_ASSERT_EQ(test, update->data_bytes, 5);
	KUNIT_EXPECT_MEMEQ(test, update->data, "pearl", 5);
	test_close(world, file);
}

static void inline_4_a_flush_says_the_same_again(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = small_inode(world, 0);
	struct file *file = test_open(world, inode, O_WRONLY);
	const struct nacre_cap_update *update;

	KUNIT_EXPECT_EQ(test, test_write(file, "pearl", 5, 0), 5);
	nacre_pages_write_back(inode);
	flush(world, inode);
	KUNIT_EXPECT_EQ(test, test_write(file, "oyster", 6, 0), 6);
	nacre_pages_write_back(inode);
	test_reconnect(world, false);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_ASSERT_EQ(test, update->data_bytes, 5);
	KUNIT_EXPECT_MEMEQ(test, update->data, "pearl", 5);
	update = flush(world, inode);
	KUNIT_ASSERT_EQ(test, update->data_bytes, 6);
	KUNIT_EXPECT_MEMEQ(test, update->data, "oyster", 6);
	test_close(world, file);
}

/* With the answer the file may pass to others; what was written here goes in the same message. */
static void cap_1_the_answer_carries_the_bytes(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = small_inode(world, 0);
	struct file *file = test_open(world, inode, O_WRONLY);
	const struct nacre_cap_update *update;

	KUNIT_EXPECT_EQ(test, test_write(file, "pearl", 5, 0), 5);
	test_revoke(world, TEST_INO, TEST_CAPS_SHARED, 2, 0);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->update_flags,
			NACRE_CAP_UPDATE_ANSWER | NACRE_CAP_UPDATE_HAS_DATA);
	KUNIT_ASSERT_EQ(test, update->data_bytes, 5);
	KUNIT_EXPECT_MEMEQ(test, update->data, "pearl", 5);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	test_close(world, file);
}

/*
 * So it does while a guard is under way: others' guard, with the rank's bytes, may come to object 0 before ours. A write of the
 * same client was lost to that as soon as it had to connect to the OSD first.
 */
static void inline_1_the_answer_carries_the_bytes_of_a_guard(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = small_inode(world, 0);
	struct file *file = test_open(world, inode, O_WRONLY);
	const struct nacre_cap_update *update;
	struct test_message *guard;

	KUNIT_EXPECT_EQ(test, test_write(file, "pearl", 5, 0), 5);
	KUNIT_EXPECT_EQ(test, nacre_pages_write_back(inode), 0);
	nacre_osd_io_put(nacre_small_leave(inode, 1));
	guard = next_request(world);
	test_revoke(world, TEST_INO, TEST_CAPS_SHARED | NACRE_CAP_FILE_WRITE, 2, 0);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->update_flags,
			NACRE_CAP_UPDATE_ANSWER | NACRE_CAP_UPDATE_HAS_DATA);
	KUNIT_ASSERT_EQ(test, update->data_bytes, 5);
	KUNIT_EXPECT_MEMEQ(test, update->data, "pearl", 5);
	acknowledge(world, update->flush_id);
	reply_well(world, guard);
	test_wait(world, nacre_inode(inode)->small.file.state == NACRE_INLINE_LEFT);
	KUNIT_EXPECT_EQ(test, flush(world, inode)->update_flags, NACRE_CAP_UPDATE_UNINLINED);
	test_close(world, file);
}

/* An info on its way while we changed the file has older bytes. */
static void ours_are_newer(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = small_inode(world, 5);
	struct file *file = test_open(world, inode, O_WRONLY);
	const struct nacre_cap_update *update;

	KUNIT_EXPECT_EQ(test, test_write(file, "earl", 4, 1), 4);
	nacre_pages_write_back(inode);
	small_inode(world, 5);
	update = flush(world, inode);
	KUNIT_ASSERT_EQ(test, update->data_bytes, 5);
	KUNIT_EXPECT_MEMEQ(test, update->data, "pearl", 5);
	test_close(world, file);
}

/* ---- when it leaves ------------------------------------------------------------------------------- */

static void inline_1_guard_rides_on_the_first_write(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = small_inode(world, 0);
	struct file *file = test_open(world, inode, O_WRONLY);
	const struct nacre_cap_update *update;
	struct test_message *message;
	struct test_call *call;

	KUNIT_EXPECT_EQ(test, test_write(file, bytes, 5000, 0), 5000);
	call = start_write_back(world, inode);
	message = next_request(world);
	expect_guard(world, message, 0, 4);
	KUNIT_EXPECT_EQ(test, op_at(world, message, 3).code, NACRE_OSD_OP_WRITE);
	KUNIT_EXPECT_EQ(test, op_at(world, message, 3).length, 5000);
	reply_well(world, message);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	update = flush(world, inode);
	KUNIT_EXPECT_EQ(test, update->update_flags, NACRE_CAP_UPDATE_UNINLINED);
	KUNIT_EXPECT_EQ(test, update->inline_gen, 1);
	acknowledge(world, update->flush_id);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->small.file.state, NACRE_INLINE_NONE);
	test_close(world, file);
}

/*
 * Another client's guard came first, and it has written since, says the rank: no page is filled from what this client still had.
 * Pages behind the old end were filled with zeros as long as this client's own guard was under way.
 */
static void inline_2_who_hears_that_it_has_left_asks_the_objects(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = small_inode(world, 100);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 2);
	struct test_message *guard;
	struct iov_iter to;
	struct kvec vec = { .iov_base = bytes, .iov_len = 4096 };

	iov_iter_kvec(&to, ITER_DEST, &vec, 1, vec.iov_len);
	nacre_osd_io_put(nacre_small_leave(inode, 1));
	guard = next_request(world);
	KUNIT_EXPECT_TRUE(test, nacre_small_fill(inode, 4096, to));
	info.version++;
	info.object_bytes = 1 << 20;
	info.size = 8000;
	test_learn(world, &info);
	KUNIT_EXPECT_FALSE(test, nacre_small_fill(inode, 4096, to));
	reply_well(world, guard);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->small.file.state, NACRE_INLINE_NONE);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->small.file.guards, 0);
}

/* What is in the inode already is read from there; what this mount writes leaves it if its own limit says so. */
static void a_mount_may_want_less(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = small_inode(world, 100);
	struct file *file = test_open(world, inode, O_RDWR);
	struct test_message *message;
	struct test_call *call;
	char read[100];
	loff_t at = 0;

	WRITE_ONCE(world->fs->options.inline_bytes, 110);
	KUNIT_EXPECT_EQ(test, test_write(file, "pearl", 5, 105), 5);
	KUNIT_EXPECT_EQ(test, nacre_pages_write_back(inode), 0);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	WRITE_ONCE(world->fs->options.inline_bytes, 0);
	nacre_pages_invalidate(inode);
	KUNIT_EXPECT_EQ(test, kernel_read(file, read, sizeof(read), &at), 100);
	KUNIT_EXPECT_MEMEQ(test, read, bytes, 100);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	KUNIT_EXPECT_EQ(test, test_write(file, "oyster", 6, 0), 6);
	call = start_write_back(world, inode);
	message = next_request(world);
	expect_guard(world, message, 110, 3);
	reply_well(world, message);
	reply_well(world, next_request(world));
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	test_close(world, file);
}

/* A file whose data is on its way out: a write of "pearl" waits for the guard, which waits for its answer. */
struct leaving {
	struct inode *inode;
	struct file *file;
	struct test_call *call;		/* the write-back */
	struct test_message *guard;
};

static struct leaving begin_to_leave(struct test_world *world, u32 length, loff_t offset)
{
	struct leaving it = { .inode = small_inode(world, length) };

	it.file = test_open(world, it.inode, O_WRONLY);
	KUNIT_EXPECT_EQ(world->test, test_write(it.file, "pearl", 5, offset), 5);
	it.call = start_write_back(world, it.inode);
	it.guard = next_request(world);
	expect_guard(world, it.guard, length, 3);
	return it;
}

static void inline_1_guard_brings_the_bytes(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct leaving it = begin_to_leave(world, 100, 6000);
	struct test_message *message;

	KUNIT_ASSERT_EQ(test, it.guard->data_bytes, 100);
	KUNIT_EXPECT_MEMEQ(test, it.guard->data, bytes, 100);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	reply_well(world, it.guard);
	message = next_request(world);
	KUNIT_EXPECT_EQ(test, test_osd_op(world, message).code, NACRE_OSD_OP_WRITE);
	reply_well(world, message);
	KUNIT_EXPECT_EQ(test, test_call_result(it.call), 0);
	test_close(world, it.file);
}

static void inline_2_other_objects_wait_for_the_mark(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct leaving it = begin_to_leave(world, 0, 3 << 20);
	struct test_message *message;

	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	reply_well(world, it.guard);
	message = next_request(world);
	KUNIT_EXPECT_EQ(test, test_osd_request(message)->index, 3);
	reply_well(world, message);
	KUNIT_EXPECT_EQ(test, test_call_result(it.call), 0);
	test_close(world, it.file);
}

/* Nothing was done: the data is where it was, and the write has failed. */
static void failed_guard_leaves_it_inline(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct leaving it = begin_to_leave(world, 100, 6000);

	test_osd_reply(world, it.guard, ENOSPC, NULL, 0, 0);
	test_call_result(it.call);
	KUNIT_EXPECT_EQ(test, filemap_check_errors(it.inode->i_mapping), -ENOSPC);
	KUNIT_EXPECT_EQ(test, nacre_inode(it.inode)->small.file.state, NACRE_INLINE_INLINE);
	KUNIT_EXPECT_EQ(test, nacre_inode(it.inode)->small.length, 100);
	test_close(world, it.file);
}

/* ---- when nobody answers ---------------------------------------------------------------------------- */

/* The limit is set first: it decides whether a guard rides, and when the write ends. */
static struct leaving begin_softly(struct test_world *world)
{
	WRITE_ONCE(world->fs->options.soft_timeout_ms, 100);
	return begin_to_leave(world, 100, 6000);
}

static void expect_write_fails(struct test_world *world, struct leaving *it)
{
	test_call_result(it->call);
	KUNIT_EXPECT_EQ(world->test, filemap_check_errors(it->inode->i_mapping), -EIO);
	KUNIT_EXPECT_EQ(world->test, nacre_inode(it->inode)->small.file.state, NACRE_INLINE_LEAVING);
}

static void a_soft_write_ends_before_its_guard(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct leaving it = begin_softly(world);
	struct test_message *message;

	expect_write_fails(world, &it);
	/* Nor does any other wait for it, or go out before it is answered (INLINE-2). */
	KUNIT_EXPECT_EQ(test, test_write(it.file, "pearl", 5, 6000), 5);
	it.call = start_write_back(world, it.inode);
	expect_write_fails(world, &it);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	WRITE_ONCE(world->fs->options.soft_timeout_ms, 0);
	reply_well(world, it.guard);
	test_wait(world, nacre_inode(it.inode)->small.file.state == NACRE_INLINE_LEFT);
	KUNIT_EXPECT_EQ(test, test_write(it.file, "pearl", 5, 6000), 5);
	it.call = start_write_back(world, it.inode);
	message = next_request(world);
	KUNIT_EXPECT_EQ(test, test_osd_op(world, message).code, NACRE_OSD_OP_WRITE);
	reply_well(world, message);
	KUNIT_EXPECT_EQ(test, test_call_result(it.call), 0);
	KUNIT_EXPECT_EQ(test, filemap_check_errors(it.inode->i_mapping), 0);
	test_close(world, it.file);
}

/* The cap is not given back before it is known whether the data has left (CAP-1). */
static void cap_1_a_late_guard_is_waited_for(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct leaving it = begin_softly(world);
	const struct nacre_cap_update *update;

	expect_write_fails(world, &it);
	test_revoke(world, TEST_INO, TEST_CAPS_SHARED & ~NACRE_CAPS_FILE, 2, 0);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->rank, NACRE_MSG_CAP_UPDATE));
	reply_well(world, it.guard);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->update_flags & NACRE_CAP_UPDATE_UNINLINED,
			NACRE_CAP_UPDATE_UNINLINED);
	test_close(world, it.file);
}

static int unmount(struct test_call *call)
{
	test_unmount(call->world);
	return 0;
}

/* Nobody waits for the guard any more but the end of the session. */
static void inline_4_an_unmount_waits_for_the_guard(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct test_call like = { .function = unmount };
	const struct nacre_cap_update *update;
	struct inode *inode = small_inode(world, 100);
	struct test_message *guard;
	struct test_call *call;

	nacre_osd_io_put(nacre_small_leave(inode, 1));
	guard = next_request(world);
	call = test_call(world, &like);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_FALSE(test, test_call_is_over(call));
	KUNIT_EXPECT_EQ(test, world->closes, 0);
	reply_well(world, guard);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->update_flags, NACRE_CAP_UPDATE_UNINLINED);
	test_oblige(world);
	test_call_result(call);
	KUNIT_EXPECT_EQ(test, world->closes, 1);
}

/* A soft one does not, and then says that it is cut off: the rank looks at object 0 behind the fence. */
static void inline_4_a_soft_unmount_is_cut_off(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct leaving it = begin_softly(world);

	expect_write_fails(world, &it);
	test_close(world, it.file);
	world->obliging = true;
	world->osd_is_gone = true;
	test_unmount(world);
	KUNIT_EXPECT_EQ(test, world->closes, 0);
	KUNIT_EXPECT_EQ(test, world->cuts, 1);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(pages_are_filled_from_the_inode),
	KUNIT_CASE(a_small_write_goes_with_the_flush),
	KUNIT_CASE(sync_takes_the_page_along),
	KUNIT_CASE(inline_4_a_flush_says_the_same_again),
	KUNIT_CASE(cap_1_the_answer_carries_the_bytes),
	KUNIT_CASE(inline_1_the_answer_carries_the_bytes_of_a_guard),
	KUNIT_CASE(ours_are_newer),
	KUNIT_CASE(inline_1_guard_rides_on_the_first_write),
	KUNIT_CASE(inline_1_guard_brings_the_bytes),
	KUNIT_CASE(inline_2_other_objects_wait_for_the_mark),
	KUNIT_CASE(failed_guard_leaves_it_inline),
	KUNIT_CASE(inline_2_who_hears_that_it_has_left_asks_the_objects),
	KUNIT_CASE(a_mount_may_want_less),
	KUNIT_CASE(a_soft_write_ends_before_its_guard),
	KUNIT_CASE(cap_1_a_late_guard_is_waited_for),
	KUNIT_CASE(inline_4_an_unmount_waits_for_the_guard),
	KUNIT_CASE(inline_4_a_soft_unmount_is_cut_off),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_small",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
