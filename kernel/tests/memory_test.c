// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is not there when an answer comes: the caller hears of it, nothing old or missing is taken for
 * an answer, and what nobody waits for is asked for again. The fault points strike at the very allocation; suite
 * `memory` of the guests does it to all of them.
 */
#include "../fault.h"
#include "../vfs/vfs.h"
#include "objects.h"

static void strike(enum nacre_fault_point point)
{
	atomic_set(&nacre_faults[point], 1);
}

static int look_up(struct test_call *call)
{
	struct qstr name = QSTR_INIT("made", 4);
	struct nacre_mds_request *req = nacre_mds_lookup(call->inode, &name, 0);

	if (IS_ERR(req))
		return PTR_ERR(req);
	call->need = req->target ? req->target->i_ino - TEST_INO : U32_MAX;
	nacre_mds_request_put(req);
	return 0;
}

/* Not "no such file", not -EIO: both would be believed. */
static void unseen_inode_is_enomem(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *root = d_inode(world->mnt->mnt_root);
	struct test_call like = { .function = look_up, .inode = root };
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_SHARED, 1);
	struct test_call *call = test_call(world, &like);

	strike(NACRE_FAULT_inode_memory);
	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_LOOKUP), NULL, &info, 1);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -ENOMEM);
	call = test_call(world, &like);
	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_LOOKUP), NULL, &info, 1);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_EQ(test, call->need, 0);
}

static int make_link(struct test_call *call)
{
	struct dentry *dentry = d_alloc_name(call->world->mnt->mnt_root, "made");
	int err;

	if (!dentry)
		return -ENOMEM;
	inode_lock(call->inode);
	err = call->inode->i_op->symlink(&nop_mnt_idmap, call->inode, dentry, "away");
	inode_unlock(call->inode);
	dput(dentry);
	return err;
}

/* A directory all of whose entries were known has one more now: its absence here is no answer any more. */
static void unseen_entry_ends_completeness(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *root = d_inode(world->mnt->mnt_root);
	struct test_call like = { .function = make_link, .inode = root };
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFLNK | 0777, TEST_CAPS_SHARED, 1);
	struct test_call *call;

	info.symlink = "away";
	info.symlink_bytes = 4;
	nacre_dir_set_complete(root, nacre_inode(root)->dir_epoch, nacre_inode(root)->dir_prunes);
	KUNIT_ASSERT_TRUE(test, nacre_inode(root)->dir_complete);
	call = test_call(world, &like);
	strike(NACRE_FAULT_inode_memory);
	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_SYMLINK), NULL, &info, 1);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -ENOMEM);
	KUNIT_EXPECT_FALSE(test, nacre_inode(root)->dir_complete);
}

static int read_xattr(struct test_call *call)
{
	return nacre_xattr_read(call->inode, "user.a", NULL, 0);
}

/* Not "no such attribute", which for an ACL would open the file to everybody. */
static void unseen_xattrs_are_enomem(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_SHARED, 2);
	struct nacre_xattr xattr = { .name = "user.a", .name_bytes = 6, .value = "xyz",
				     .value_bytes = 3 };
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_SHARED);
	struct test_call like = { .function = read_xattr, .inode = inode };
	struct test_call *call;
	u8 bytes[64];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));
	u32 got;

	KUNIT_ASSERT_EQ(test, nacre_encode(nacre_xattr_desc(), &w, &xattr), 0);
	info.info_flags = NACRE_INFO_HAS_XATTRS;
	info.xattrs = bytes;
	info.xattrs_bytes = nacre_writer_bytes(&w);
	KUNIT_ASSERT_EQ(test, nacre_xattr_read(inode, "user.a", NULL, 0), -ENODATA);
	strike(NACRE_FAULT_xattr_memory);
	KUNIT_EXPECT_EQ(test, PTR_ERR(world->fs->upcalls->learn(world->fs, &info, true,
								NACRE_CAP_PIN, &got)), -ENOMEM);
	KUNIT_EXPECT_EQ(test, got, 0);
	/* The caps are held, the set is not known: it is asked for, and that may fail, too. */
	KUNIT_EXPECT_TRUE(test, nacre_caps_held(inode, NACRE_CAP_XATTR_SHARED));
	call = test_call(world, &like);
	strike(NACRE_FAULT_xattr_memory);
	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_GETATTR), NULL, &info, 1);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -ENOMEM);
	call = test_call(world, &like);
	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_GETATTR), NULL, &info, 1);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 3);
}

/* Servers say a map once: a mount, or a request for its newest epoch, would wait for ever. */
static void lost_map_is_asked_for_again(struct kunit *test)
{
	struct test_world *world = test_world(test);

	strike(NACRE_FAULT_map_memory);
	world->map.epoch = 5;
	test_map_say(world);
	KUNIT_EXPECT_EQ(test, nacre_map_epoch(world->fs), 5);
	KUNIT_EXPECT_EQ(test, atomic_read(&nacre_faults[NACRE_FAULT_map_memory]), 0);
}

/* MEM-1: what would have shared a message goes alone. */
static void updates_without_a_batch_go_alone(struct kunit *test)
{
	struct test_world *world = test_world(test);
	u64 inos = 0;

	for (int i = 0; i < 3; i++) {
		struct inode *inode = test_inode(world, TEST_INO + i, S_IFREG | 0644, TEST_CAPS_FILE);

		nacre_caps_mark_dirty(inode, NACRE_GROUP_AUTH);
	}
	strike(NACRE_FAULT_batch_memory);
	nacre_caps_sync_fs(world->fs, false);
	for (int i = 0; i < 3; i++)
		inos |= BIT_ULL(update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->ino -
				TEST_INO);
	KUNIT_EXPECT_EQ(test, inos, 7);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->rank, NACRE_MSG_CAP_UPDATES));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(unseen_inode_is_enomem),
	KUNIT_CASE(unseen_entry_ends_completeness),
	KUNIT_CASE(unseen_xattrs_are_enomem),
	KUNIT_CASE(lost_map_is_asked_for_again),
	KUNIT_CASE(updates_without_a_batch_go_alone),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_memory",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
