// SPDX-License-Identifier: GPL-2.0
/*
 * Caps as the module handles them: what is taken in from the rank, and what a revoke sets going. With
 * caps_session_test.c, every action of the client's machine (protocol/rules/cap_client.h) from the message that
 * causes it to what the rank, the OSD or a caller sees of it.
 */
#include <linux/pagemap.h>
#include "../vfs/data.h"
#include "objects.h"
#include "protocol/rules/validate.h"

#define ALL_SHARED TEST_CAPS_SHARED

/* ---- taking in ------------------------------------------------------------------------------ */

static void grant_makes_a_cap(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 2);

	KUNIT_EXPECT_TRUE(test, nacre_caps_held(inode, ALL_SHARED));
	KUNIT_EXPECT_FALSE(test, nacre_caps_held(inode, NACRE_CAP_FILE_READ));
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->max_size, 0);
	test_grant(world, &info);
	test_wait_held(world, inode, TEST_CAPS_FILE);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->max_size, 1 << 30);
}

static void values_are_taken_in(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 04755, ALL_SHARED, 1);
	struct inode *inode;

	info.uid = 1000;
	info.gid = 100;
	info.nlink = 3;
	info.size = 5000;
	info.mtime = -1;		/* a nanosecond before 1970 */
	inode = test_learn(world, &info);
	KUNIT_EXPECT_EQ(test, inode->i_mode, S_IFREG | 04755);
	KUNIT_EXPECT_EQ(test, i_uid_read(inode), 1000);
	KUNIT_EXPECT_EQ(test, i_gid_read(inode), 100);
	KUNIT_EXPECT_EQ(test, inode->i_nlink, 3);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 5000);
	KUNIT_EXPECT_EQ(test, inode_get_mtime(inode).tv_sec, -1);
	KUNIT_EXPECT_EQ(test, inode_get_mtime(inode).tv_nsec, 999999999);
}

static void only_valid_groups_are_taken_in(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0600, ALL_SHARED, 2);

	info.valid = NACRE_GROUP_LINK;
	info.nlink = 7;
	test_learn(world, &info);
	KUNIT_EXPECT_EQ(test, inode->i_mode, S_IFREG | 0644);
	KUNIT_EXPECT_EQ(test, inode->i_nlink, 7);
}

static void older_version_is_ignored(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, ALL_SHARED, 5);
	struct inode *inode = test_learn(world, &info);

	info = test_info_cap(TEST_INO, S_IFREG | 0600, ALL_SHARED, 6);
	info.version = 4;
	test_learn(world, &info);
	KUNIT_EXPECT_EQ(test, inode->i_mode, S_IFREG | 0644);
}

static void older_grant_is_ignored(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, ALL_SHARED, 5);
	struct inode *inode = test_learn(world, &info);

	info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 4);
	test_grant(world, &info);
	test_settle(world);
	KUNIT_EXPECT_FALSE(test, nacre_caps_held(inode, NACRE_CAP_FILE_EXCL));
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->cap.seq, 5);
}

static void size_grows(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, ALL_SHARED, 2);

	info.size = 1 << 20;
	test_learn(world, &info);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 1 << 20);
	KUNIT_EXPECT_EQ(test, nacre_compat_remote_size(inode), 1 << 20);
}

/*
 * A larger size that the rank said is applied after its lock, when a write of ours has reached the OSDs behind it: what netfs knows of
 * them is not lowered, or the bytes there would be taken for zeros once their pages are gone.
 */
static void late_size_lowers_nothing(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);

	nacre_data_grow(inode, 9000);
	nacre_data_raise_remote(inode, 9000, 8192);
	nacre_pages_set_size(inode, 5000, false);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 9000);
	KUNIT_EXPECT_EQ(test, nacre_compat_remote_size(inode), 9000);
	KUNIT_EXPECT_EQ(test, nacre_compat_zero_point(inode), 8192);
}

/* SIZE-3: first the pages and the size, then the number that object requests carry. */
static void size_is_cut(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, ALL_SHARED, 1);
	struct inode *inode;

	info.size = 1 << 20;
	inode = test_learn(world, &info);
	info = test_info_cap(TEST_INO, S_IFREG | 0644, ALL_SHARED, 2);
	info.size = 100;
	info.truncate_seq = 1;
	info.truncate_size = 100;
	test_learn(world, &info);
	nacre_caps_settle_size(inode);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 100);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->truncate_seq, 1);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->truncate_size, 100);
}

/* A smaller size of the same truncation is no news for a writer. */
static void writers_size_stays(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 2);

	nacre_data_grow(inode, 9000);
	info.size = 10;
	test_learn(world, &info);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 9000);
}

static void dirty_values_stay(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0600, TEST_CAPS_FILE, 2);

	inode->i_mode = S_IFREG | 0444;
	nacre_caps_mark_dirty(inode, NACRE_GROUP_AUTH);
	test_learn(world, &info);
	KUNIT_EXPECT_EQ(test, inode->i_mode, S_IFREG | 0444);
}

static void xattrs_come_and_go(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, ALL_SHARED, 1);
	struct nacre_xattr xattr = { .name = "user.a", .name_bytes = 6, .value = "xyz",
				     .value_bytes = 3 };
	u8 bytes[64], value[8];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));
	struct inode *inode;

	KUNIT_ASSERT_EQ(test, nacre_encode(nacre_xattr_desc(), &w, &xattr), 0);
	info.info_flags = NACRE_INFO_HAS_XATTRS;
	info.xattrs = bytes;
	info.xattrs_bytes = nacre_writer_bytes(&w);
	inode = test_learn(world, &info);
	KUNIT_ASSERT_EQ(test, nacre_xattr_read(inode, "user.a", value, sizeof(value)), 3);
	KUNIT_EXPECT_MEMEQ(test, value, "xyz", 3);
	KUNIT_EXPECT_EQ(test, nacre_xattr_read(inode, "user.a", value, 2), -ERANGE);
	KUNIT_EXPECT_EQ(test, nacre_xattr_read(inode, "user.b", value, 8), -ENODATA);

	info = test_info_cap(TEST_INO, S_IFREG | 0644, ALL_SHARED, 2);
	test_learn(world, &info);
	KUNIT_EXPECT_EQ(test, nacre_xattr_read(inode, "user.a", value, 8), -ENODATA);
}

static void changed_type_is_refused(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFDIR | 0755, ALL_SHARED, 2);
	u32 got;

	KUNIT_EXPECT_EQ(test, PTR_ERR(world->fs->upcalls->learn(world->fs, &info, true, 0, &got)),
			-EIO);
	KUNIT_EXPECT_TRUE(test, S_ISREG(inode->i_mode));
}

/* ---- answers -------------------------------------------------------------------------------- */

static void action_answer(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	const struct nacre_cap_update *update;

	test_revoke(world, TEST_INO, NACRE_CAP_PIN, 2, 0);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->ino, TEST_INO);
	KUNIT_EXPECT_EQ(test, update->cap_id, TEST_INO + 1);
	KUNIT_EXPECT_EQ(test, update->cap_seq, 2);
	KUNIT_EXPECT_EQ(test, update->held, NACRE_CAP_PIN);
	KUNIT_EXPECT_EQ(test, update->update_flags, NACRE_CAP_UPDATE_ANSWER);
	KUNIT_EXPECT_EQ(test, update->dirty, 0);
	KUNIT_EXPECT_FALSE(test, nacre_caps_held(inode, NACRE_CAP_AUTH_SHARED));
	KUNIT_EXPECT_TRUE(test, nacre_caps_held(inode, NACRE_CAP_PIN));
}

static void cap_2_repeated_revoke_is_answered_again(struct kunit *test)
{
	struct test_world *world = test_world(test);

	test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	for (u32 repeats = 0; repeats < 3; repeats++) {
		const struct nacre_cap_update *update;

		test_revoke(world, TEST_INO, NACRE_CAP_PIN, 2, repeats);
		update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
		KUNIT_EXPECT_EQ(test, update->update_flags, NACRE_CAP_UPDATE_ANSWER);
		KUNIT_EXPECT_EQ(test, update->held, NACRE_CAP_PIN);
	}
}

static void action_answer_unknown(struct kunit *test)
{
	struct test_world *world = test_world(test);
	const struct nacre_cap_update *update;

	test_revoke(world, TEST_INO, NACRE_CAP_PIN, 4, 0);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->ino, TEST_INO);
	KUNIT_EXPECT_EQ(test, update->cap_seq, 4);
	KUNIT_EXPECT_EQ(test, update->update_flags,
			NACRE_CAP_UPDATE_ANSWER | NACRE_CAP_UPDATE_UNKNOWN);
	KUNIT_EXPECT_EQ(test, update->held, 0);
}

static void grant_of_unknown_inode_is_answered(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, ALL_SHARED, 1);
	const struct nacre_cap_update *update;

	test_grant(world, &info);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_TRUE(test, update->update_flags & NACRE_CAP_UPDATE_UNKNOWN);
}

static void revoke_of_an_older_cap_is_answered_unknown(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, ALL_SHARED, 1);
	struct inode *inode;

	info.cap_gen = 2;
	inode = test_learn(world, &info);
	test_revoke(world, TEST_INO, 0, 9, 0);		/* generation 1 */
	KUNIT_EXPECT_TRUE(test, update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))
			  ->update_flags & NACRE_CAP_UPDATE_UNKNOWN);
	KUNIT_EXPECT_TRUE(test, nacre_caps_held(inode, ALL_SHARED));
}

/* CAP-1 */
static void cap_1_answer_waits_for_references(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	u32 got, none;

	KUNIT_ASSERT_EQ(test, nacre_caps_try(inode, NACRE_CAP_FILE_READ, 0, 0, &got), 0);
	test_revoke(world, TEST_INO, ALL_SHARED, 2, 0);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, nacre_caps_try(inode, NACRE_CAP_FILE_READ, 0, 0, &none), -EAGAIN);
	nacre_caps_dup(inode, got);
	nacre_caps_put(inode, got);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->rank, NACRE_MSG_CAP_UPDATE));
	nacre_caps_put(inode, got);
	KUNIT_EXPECT_EQ(test, update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->held,
			ALL_SHARED);
}

static void action_writeback(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct file *file = test_open(world, inode, O_WRONLY);
	struct test_message *request;
	const struct nacre_cap_update *update;

	KUNIT_EXPECT_EQ(test, test_write(file, "pearl", 5, 10), 5);
	test_revoke(world, TEST_INO, TEST_CAPS_FILE & ~NACRE_CAP_FILE_BUFFER, 2, 0);
	request = test_server_expect(&world->osd, NACRE_MSG_OSD_REQUEST);
	KUNIT_EXPECT_EQ(test, test_osd_op(world, request).code, NACRE_OSD_OP_WRITE);
	KUNIT_EXPECT_MEMEQ(test, request->data + 10, "pearl", 5);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->rank, NACRE_MSG_CAP_UPDATE));
	test_osd_reply(world, request, 0, NULL, 0, 15);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_TRUE(test, update->update_flags & NACRE_CAP_UPDATE_ANSWER);
	KUNIT_EXPECT_FALSE(test, update->held & NACRE_CAP_FILE_BUFFER);
	KUNIT_EXPECT_FALSE(test, nacre_pages_dirty(inode));
	KUNIT_EXPECT_NE(test, inode->i_mapping->nrpages, 0);
	test_close(world, file);
}

static void action_invalidate(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct file *file = test_open(world, inode, O_WRONLY);
	struct test_message *request;

	KUNIT_EXPECT_EQ(test, test_write(file, "pearl", 5, 0), 5);
	test_revoke(world, TEST_INO, ALL_SHARED, 2, 0);
	request = test_server_expect(&world->osd, NACRE_MSG_OSD_REQUEST);
	test_osd_reply(world, request, 0, NULL, 0, 5);
	KUNIT_EXPECT_EQ(test, update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->held,
			ALL_SHARED);
	KUNIT_EXPECT_EQ(test, inode->i_mapping->nrpages, 0);
	test_close(world, file);
}

/* The values ride in the answer that gives up the bit which covers them. */
static void action_flush_with_the_answer(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	const struct nacre_cap_update *update;

	inode->i_mode = S_IFREG | 0400;
	i_uid_write(inode, 7);
	nacre_caps_mark_dirty(inode, NACRE_GROUP_AUTH);
	test_revoke(world, TEST_INO, ALL_SHARED, 2, 0);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_TRUE(test, update->update_flags & NACRE_CAP_UPDATE_ANSWER);
	KUNIT_EXPECT_EQ(test, update->dirty, NACRE_GROUP_AUTH);
	KUNIT_EXPECT_NE(test, update->flush_id, 0);
	KUNIT_EXPECT_EQ(test, update->mode, S_IFREG | 0400);
	KUNIT_EXPECT_EQ(test, update->uid, 7);
}

static void action_flush_by_itself(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct nacre_inode *ni = nacre_inode(inode);
	const struct nacre_cap_update *update;
	struct nacre_cap_flush_ack ack = { .ino = TEST_INO };

	nacre_data_grow(inode, 77);
	nacre_caps_mark_dirty(inode, NACRE_GROUP_FILE);
	nacre_caps_flush_start(inode);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->update_flags, 0);
	KUNIT_EXPECT_EQ(test, update->dirty, NACRE_GROUP_FILE);
	KUNIT_EXPECT_EQ(test, update->size, 77);
	KUNIT_EXPECT_EQ(test, ni->cap.flushing, NACRE_GROUP_FILE);

	/* Taken in is not journaled. */
	ack.flush_id = update->flush_id;
	test_server_say(&world->rank, NACRE_MSG_CAP_FLUSH_ACK, &ack);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, ni->cap.flushing, NACRE_GROUP_FILE);
	ack.flags = NACRE_FLUSH_ACK_SAFE;
	test_server_say(&world->rank, NACRE_MSG_CAP_FLUSH_ACK, &ack);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, ni->cap.flushing, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&ni->dirty_link));
	KUNIT_EXPECT_EQ(test, world->fs->caps.dirty_count, 0);
}

static void refused_flush_is_an_error_of_the_file(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct nacre_cap_flush_ack ack = { .ino = TEST_INO, .result = ENOSPC };

	nacre_caps_mark_dirty(inode, NACRE_GROUP_FILE);
	nacre_caps_flush_start(inode);
	ack.flush_id =
		update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->flush_id;
	test_server_say(&world->rank, NACRE_MSG_CAP_FLUSH_ACK, &ack);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, filemap_check_errors(inode->i_mapping), -ENOSPC);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->cap.flushing, 0);
}

/* A time that reading has moved is no change to be flushed, until whoever has it to himself gives that back, or is asked. */
static void access_time_goes_with_the_cap(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct nacre_inode *ni = nacre_inode(inode);
	const struct nacre_cap_update *update;

	inode_set_atime(inode, 12345, 6);
	nacre_caps_accessed(inode);
	nacre_caps_flush_start(inode);
	KUNIT_EXPECT_EQ(test, ni->cap.dirty | ni->cap.flushing, 0);
	test_revoke(world, TEST_INO, ALL_SHARED, 2, 0);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_TRUE(test, update->update_flags & NACRE_CAP_UPDATE_ANSWER);
	KUNIT_EXPECT_EQ(test, update->dirty, NACRE_GROUP_FILE);
	KUNIT_EXPECT_EQ(test, update->atime, 12345 * NSEC_PER_SEC + 6);
	KUNIT_EXPECT_FALSE(test, ni->accessed);
}

static void access_time_is_said_when_asked_for(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);

	inode_set_atime(inode, 12345, 6);
	nacre_caps_accessed(inode);
	nacre_caps_say_accessed(inode);
	nacre_caps_sync_fs(world->fs, false);
	KUNIT_EXPECT_EQ(test, update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->atime,
			12345 * NSEC_PER_SEC + 6);
	/* once */
	nacre_caps_say_accessed(inode);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->cap.dirty, 0);
}

/* The acknowledgement of the flush before says nothing of the one after. */
static void late_ack_does_not_clean(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct nacre_cap_flush_ack ack = { .ino = TEST_INO, .flags = NACRE_FLUSH_ACK_SAFE };

	nacre_caps_mark_dirty(inode, NACRE_GROUP_FILE);
	nacre_caps_flush_start(inode);
	ack.flush_id =
		update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->flush_id;
	nacre_caps_mark_dirty(inode, NACRE_GROUP_FILE);
	nacre_caps_flush_start(inode);
	test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE);
	test_server_say(&world->rank, NACRE_MSG_CAP_FLUSH_ACK, &ack);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->cap.flushing, NACRE_GROUP_FILE);
}

/* Sync says what is dirty of many inodes in one message, in the order in which they became so. */
static void sync_of_many_is_one_message(struct kunit *test)
{
	struct test_world *world = test_world(test);
	const struct nacre_cap_updates *updates;
	struct nacre_cap_update update;
	struct nacre_reader r;
	struct inode *inode;
	u64 ino = TEST_INO;

	for (; ino < TEST_INO + 10; ino++) {
		inode = test_inode(world, ino, S_IFREG | 0644, TEST_CAPS_FILE);
		nacre_caps_mark_dirty(inode, NACRE_GROUP_AUTH);
	}
	nacre_caps_sync_fs(world->fs, false);
	updates = (const void *)test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATES)->host;
	r = nacre_reader(updates->updates, updates->updates_bytes);
	for (ino = TEST_INO; nacre_cap_update_next(&r, &update); ino++) {
		struct nacre_cap_flush_ack ack = { .ino = ino, .flush_id = update.flush_id,
						   .flags = NACRE_FLUSH_ACK_SAFE };

		KUNIT_EXPECT_EQ(test, update.ino, ino);
		KUNIT_EXPECT_EQ(test, update.dirty, NACRE_GROUP_AUTH);
		test_server_say(&world->rank, NACRE_MSG_CAP_FLUSH_ACK, &ack);
	}
	KUNIT_EXPECT_EQ(test, ino, TEST_INO + 10);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, world->fs->caps.dirty_count, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(sync_of_many_is_one_message),
	KUNIT_CASE(grant_makes_a_cap),
	KUNIT_CASE(values_are_taken_in),
	KUNIT_CASE(only_valid_groups_are_taken_in),
	KUNIT_CASE(older_version_is_ignored),
	KUNIT_CASE(older_grant_is_ignored),
	KUNIT_CASE(size_grows),
	KUNIT_CASE(late_size_lowers_nothing),
	KUNIT_CASE(size_is_cut),
	KUNIT_CASE(writers_size_stays),
	KUNIT_CASE(dirty_values_stay),
	KUNIT_CASE(xattrs_come_and_go),
	KUNIT_CASE(changed_type_is_refused),
	KUNIT_CASE(action_answer),
	KUNIT_CASE(cap_2_repeated_revoke_is_answered_again),
	KUNIT_CASE(action_answer_unknown),
	KUNIT_CASE(grant_of_unknown_inode_is_answered),
	KUNIT_CASE(revoke_of_an_older_cap_is_answered_unknown),
	KUNIT_CASE(cap_1_answer_waits_for_references),
	KUNIT_CASE(action_writeback),
	KUNIT_CASE(action_invalidate),
	KUNIT_CASE(action_flush_with_the_answer),
	KUNIT_CASE(action_flush_by_itself),
	KUNIT_CASE(refused_flush_is_an_error_of_the_file),
	KUNIT_CASE(access_time_goes_with_the_cap),
	KUNIT_CASE(access_time_is_said_when_asked_for),
	KUNIT_CASE(late_ack_does_not_clean),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_caps",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
