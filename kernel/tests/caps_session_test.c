// SPDX-License-Identifier: GPL-2.0
/* Caps: who waits for them, what becomes of them with a connection, an incarnation, a session. See caps_test.c. */
#include <linux/pagemap.h>
#include "../vfs/data.h"
#include "objects.h"
#include "protocol/codec.h"
#include "protocol/rules/validate.h"

#define ALL_SHARED TEST_CAPS_SHARED

/* ---- waking and wishes ---------------------------------------------------------------------- */

static int get_caps(struct test_call *call)
{
	u32 got;
	int err = nacre_caps_get(call->inode, call->need, 0, call->end, &got);

	if (!err)
		nacre_caps_put(call->inode, got);
	return err;
}

static struct test_call *want_caps(struct test_world *world, struct inode *inode, u32 need, u64 end)
{
	struct test_call call = { .function = get_caps, .inode = inode, .need = need, .end = end };

	return test_call(world, &call);
}

static void action_wake(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 2);
	struct test_call *call = want_caps(world, inode, NACRE_CAP_FILE_READ, 0);
	const struct nacre_open_req *open;
	struct test_message *message;

	message = test_server_expect(&world->rank, NACRE_MSG_OPEN);
	open = (const void *)message->host;
	KUNIT_EXPECT_EQ(test, open->ino, TEST_INO);
	KUNIT_EXPECT_EQ(test, open->need, NACRE_CAP_FILE_READ);
	/* Others have it: nothing now, a grant later. Meanwhile it asks again, and gets the same answer. */
	test_reply(world, message, NULL, NULL, 0);
	KUNIT_EXPECT_FALSE(test, test_call_is_over(call));
	test_grant(world, &info);
	while (!test_call_is_over(call)) {
		message = test_server_poll(&world->rank, NACRE_MSG_OPEN);
		if (message)
			test_reply(world, message, NULL, NULL, 0);
		schedule_timeout_uninterruptible(1);
	}
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
}

/* The references are taken with the reply, so a revoke right behind it finds them in use. */
static void reply_takes_the_references(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 2);
	struct test_call *call = want_caps(world, inode, NACRE_CAP_FILE_READ, 0);
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_OPEN);

	test_reply(world, message, NULL, &info, 1);
	test_revoke(world, TEST_INO, ALL_SHARED, 3, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_EQ(test, update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->held,
			ALL_SHARED);
}

static void wishes_travel_with_the_next_message(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	struct file *file = test_open(world, inode, O_RDONLY);

	test_revoke(world, TEST_INO, NACRE_CAP_PIN, 2, 0);
	KUNIT_EXPECT_EQ(test,
			update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->wanted,
			NACRE_WANT_READ);
	test_close(world, file);
}

/* SIZE-1 */
static void size_1_write_waits_for_max_size(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 1);
	const struct nacre_cap_update *update;
	struct test_call *call;
	struct inode *inode;

	info.max_size = 4096;
	inode = test_learn(world, &info);
	call = want_caps(world, inode, NACRE_CAP_FILE_WRITE, 10000);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->max_size_wanted, 10000);
	KUNIT_EXPECT_FALSE(test, test_call_is_over(call));
	info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 2);
	info.max_size = 1 << 20;
	test_grant(world, &info);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
}

/* A refusal speaks of all that was asked for here: whoever needs less asks again for himself. */
static void who_is_refused_room_hears_edquot(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 1);
	struct test_call *large, *small;
	struct inode *inode;

	info.max_size = 4096;
	inode = test_learn(world, &info);
	small = want_caps(world, inode, NACRE_CAP_FILE_WRITE, 10000);
	test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE);
	large = want_caps(world, inode, NACRE_CAP_FILE_WRITE, 20000);
	KUNIT_EXPECT_EQ(test, update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->max_size_wanted,
			20000);
	info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 2);
	info.max_size = 4096;
	info.info_flags |= NACRE_INFO_NO_ROOM;
	test_grant(world, &info);
	KUNIT_EXPECT_EQ(test, test_call_result(large), -EDQUOT);
	KUNIT_EXPECT_EQ(test, update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->max_size_wanted,
			10000);
	KUNIT_EXPECT_FALSE(test, test_call_is_over(small));
	info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 3);
	info.max_size = 10000;
	test_grant(world, &info);
	KUNIT_EXPECT_EQ(test, test_call_result(small), 0);
}

/* ROOM-1: the rank hears of room before it is taken; what it was told counts as long as WRITE stays. */
static void room_1_is_told_while_write_is_held(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	const struct nacre_cap_update *update;
	u64 end = 9 << 20;

	nacre_caps_keep(inode, end);
	nacre_caps_flush_start(inode);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->dirty, NACRE_GROUP_FILE);
	KUNIT_EXPECT_TRUE(test, update->update_flags & NACRE_CAP_UPDATE_KEEPS);
	KUNIT_EXPECT_EQ(test, update->max_size_wanted, end);
	KUNIT_EXPECT_TRUE(test, nacre_caps_keeps(inode, end));
	KUNIT_EXPECT_NE(test, nacre_inode(inode)->kept, 0);
	test_revoke(world, TEST_INO, ALL_SHARED, 2, 0);
	test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE);
	KUNIT_EXPECT_FALSE(test, nacre_caps_keeps(inode, end));
}

/* An OSD outage evicts nobody: the rank hears which group is waited for. */
static void waiting_for_a_group_is_said(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct file *file = test_open(world, inode, O_WRONLY);
	const struct nacre_cap_update *update;
	struct test_message *request;

	world->map.epoch = 2;
	world->map.in_sync = 0;
	test_map_say(world);
	KUNIT_EXPECT_EQ(test, test_write(file, "pearl", 5, 0), 5);
	test_revoke(world, TEST_INO, ALL_SHARED, 2, 0);
	test_wait(world, nacre_inode(inode)->cap.state == NACRE_CAPC_WRITING);
	test_wait(world, READ_ONCE(world->fs->osd->waiting) == 1);
	test_revoke(world, TEST_INO, ALL_SHARED, 2, 1);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->update_flags, NACRE_CAP_UPDATE_WAITING);
	KUNIT_EXPECT_EQ(test, update->waiting_pg, NACRE_POOL_DATA << 24);

	world->map.epoch = 3;
	world->map.in_sync = 1;
	test_map_say(world);
	request = test_server_expect(&world->osd, NACRE_MSG_OSD_REQUEST);
	test_osd_reply(world, request, 0, NULL, 0, 5);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_TRUE(test, update->update_flags & NACRE_CAP_UPDATE_ANSWER);
	test_close(world, file);
}

/* ---- the session's life --------------------------------------------------------------------- */

static void action_reflush(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	const struct nacre_cap_update *update;
	u64 flush_id;

	inode->i_mode = S_IFREG | 0400;
	nacre_caps_mark_dirty(inode, NACRE_GROUP_AUTH);
	nacre_caps_flush_start(inode);
	flush_id = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->flush_id;
	test_reconnect(world, false);
	update = update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE));
	KUNIT_EXPECT_EQ(test, update->flush_id, flush_id);
	KUNIT_EXPECT_EQ(test, update->dirty, NACRE_GROUP_AUTH);
	KUNIT_EXPECT_EQ(test, update->mode, S_IFREG | 0400);
}

static void action_release(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, ALL_SHARED);
	const struct nacre_cap_release *release;
	struct nacre_cap_ref ref;

	world->inode_count = 0;
	clear_nlink(inode);		/* nobody keeps it in the cache */
	iput(inode);
	release = (const void *)test_server_expect(&world->rank, NACRE_MSG_CAP_RELEASE)->host;
	KUNIT_ASSERT_EQ(test, nacre_array_count(nacre_cap_ref_desc(), release->caps_bytes), 1);
	KUNIT_ASSERT_EQ(test, nacre_array_at(nacre_cap_ref_desc(), release->caps, 0, &ref), 0);
	KUNIT_EXPECT_EQ(test, ref.ino, TEST_INO);
	KUNIT_EXPECT_EQ(test, ref.cap_id, TEST_INO + 1);
	KUNIT_EXPECT_EQ(test, ref.cap_seq, 1);
	/* It is gone: the rank's next word about it is answered so. */
	test_revoke(world, TEST_INO, 0, 2, 0);
	KUNIT_EXPECT_TRUE(test, update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))
			  ->update_flags & NACRE_CAP_UPDATE_UNKNOWN);
}

static void action_invalidate_dir(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *dir = test_inode(world, TEST_INO, S_IFDIR | 0755, NACRE_CAPS_ALL_SHARED);
	u64 epoch = nacre_dir_epoch(dir);

	KUNIT_ASSERT_NE(test, epoch, 0);
	nacre_dir_set_complete(dir, epoch, nacre_inode(dir)->dir_prunes);
	KUNIT_EXPECT_EQ(test, nacre_dir_complete_epoch(dir), epoch);
	test_revoke(world, TEST_INO, NACRE_CAPS_ALL_SHARED & ~NACRE_CAP_DIR_SHARED, 2, 0);
	test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE);
	KUNIT_EXPECT_EQ(test, nacre_dir_epoch(dir), 0);
	KUNIT_EXPECT_EQ(test, nacre_dir_complete_epoch(dir), 0);
	KUNIT_EXPECT_NE(test, nacre_inode(dir)->dir_epoch, epoch);
}

static void action_lost(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct inode *other = test_inode(world, TEST_INO + 2, S_IFREG | 0644, TEST_CAPS_FILE);
	struct file *file = test_open(world, inode, O_WRONLY);

	KUNIT_EXPECT_EQ(test, test_write(file, "pearl", 5, 0), 5);
	test_kill_session(world);
	test_wait(world, !(READ_ONCE(nacre_inode(inode)->cap_todo) & NACRE_CAPA_LOST));
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->cap.cap_id, 0);
	KUNIT_EXPECT_FALSE(test, nacre_caps_held(inode, NACRE_CAP_PIN));
	KUNIT_EXPECT_EQ(test, inode->i_mapping->nrpages, 0);
	/* It is said once, and on the file that lost something only. */
	KUNIT_EXPECT_EQ(test, filemap_check_errors(inode->i_mapping), -EIO);
	KUNIT_EXPECT_EQ(test, filemap_check_errors(inode->i_mapping), 0);
	KUNIT_EXPECT_EQ(test, filemap_check_errors(other->i_mapping), 0);
	KUNIT_EXPECT_EQ(test, world->fs->caps.dirty_count, 0);
	test_close(world, file);
}

static void nothing_is_used_without_a_lease(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	u64 end = READ_ONCE(world->fs->mds->lease_end_ns);
	u32 got;

	WRITE_ONCE(world->fs->mds->lease_end_ns, 1);
	KUNIT_EXPECT_FALSE(test, nacre_caps_held(inode, NACRE_CAP_PIN));
	KUNIT_EXPECT_FALSE(test, nacre_caps_current(inode, NACRE_GROUP_AUTH));
	KUNIT_EXPECT_EQ(test, nacre_caps_try(inode, NACRE_CAP_FILE_READ, 0, 0, &got), -EAGAIN);
	WRITE_ONCE(world->fs->mds->lease_end_ns, end);
	KUNIT_EXPECT_TRUE(test, nacre_caps_current(inode, NACRE_GROUP_AUTH));
}

static void new_incarnation_gets_claims(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct file *file = test_open(world, inode, O_WRONLY);
	const struct nacre_session_reconnect *part;
	struct nacre_cap_claim claim;
	int count, found = 0;

	nacre_data_grow(inode, 4321);
	test_reconnect(world, true);
	part = (const void *)test_server_expect(&world->rank, NACRE_MSG_SESSION_RECONNECT)->host;
	KUNIT_EXPECT_EQ(test, part->instance, TEST_CLIENT_INSTANCE);
	count = nacre_array_count(nacre_cap_claim_desc(), part->claims_bytes);
	KUNIT_EXPECT_EQ(test, count, 2);	/* the root, too */
	for (int i = 0; i < count; i++) {
		nacre_array_at(nacre_cap_claim_desc(), part->claims, i, &claim);
		if (claim.ino != TEST_INO)
			continue;
		found++;
		KUNIT_EXPECT_EQ(test, claim.held, TEST_CAPS_FILE);
		KUNIT_EXPECT_EQ(test, claim.size, 4321);
		KUNIT_EXPECT_EQ(test, claim.max_size, 1 << 30);
		KUNIT_EXPECT_EQ(test, claim.flags, NACRE_CLAIM_OPEN);
	}
	KUNIT_EXPECT_EQ(test, found, 1);
	test_server_expect(&world->rank, NACRE_MSG_SESSION_RECONNECT_DONE);
	test_say_state(world, 0);
	test_wait(world, READ_ONCE(world->fs->mds->state) == NACRE_SESSION_OPEN);
	test_close(world, file);
}

/* Nothing is said about a claimed cap before the new incarnation has granted it. */
static void claimed_cap_is_silent_until_granted(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 1);

	test_reconnect(world, true);
	test_server_expect(&world->rank, NACRE_MSG_SESSION_RECONNECT_DONE);
	test_say_state(world, 0);
	test_wait(world, READ_ONCE(world->fs->mds->state) == NACRE_SESSION_OPEN);
	nacre_caps_mark_dirty(inode, NACRE_GROUP_AUTH);
	nacre_caps_flush_start(inode);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->rank, NACRE_MSG_CAP_UPDATE));
	info.cap_gen = 2;
	test_grant(world, &info);
	KUNIT_EXPECT_EQ(test, update_of(test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATE))->dirty,
			NACRE_GROUP_AUTH);
}

static void put_revoke(struct nacre_writer *w, u64 ino)
{
	struct nacre_cap_revoke revoke = { .ino = ino, .cap_id = ino + 1, .cap_gen = 1, .cap_seq = 2 };

	nacre_encode(nacre_cap_revoke_desc(), w, &revoke);
}

/* What was asked in one message, and needs no work, is answered in one. */
static void several_revokes_are_answered_at_once(struct kunit *test)
{
	struct test_world *world = test_world(test);
	u8 bytes[2 * sizeof(struct nacre_cap_revoke_wire)];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));
	struct nacre_cap_revokes several = { .revokes = bytes, .revokes_bytes = sizeof(bytes) };
	const struct nacre_cap_updates *updates;
	struct nacre_cap_update update;
	struct nacre_reader r;

	for (u64 ino = TEST_INO; ino < TEST_INO + 2; ino++) {
		test_inode(world, ino, S_IFREG | 0644, ALL_SHARED);
		put_revoke(&w, ino);
	}
	test_server_say(&world->rank, NACRE_MSG_CAP_REVOKES, &several);
	updates = (const void *)test_server_expect(&world->rank, NACRE_MSG_CAP_UPDATES)->host;
	r = nacre_reader(updates->updates, updates->updates_bytes);
	for (u64 ino = TEST_INO; ino < TEST_INO + 2; ino++) {
		KUNIT_ASSERT_TRUE(test, nacre_cap_update_next(&r, &update));
		KUNIT_EXPECT_EQ(test, update.ino, ino);
		KUNIT_EXPECT_EQ(test, update.held, 0);
		KUNIT_EXPECT_EQ(test, update.update_flags, NACRE_CAP_UPDATE_ANSWER);
	}
	KUNIT_EXPECT_EQ(test, nacre_reader_left(&r), 0);
}

/* Others need not wait for the end of its lease: it answers nobody any more. */
static void fence_2_a_cut_mount_says_so(struct kunit *test)
{
	struct test_world *world = test_world(test);

	test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);
	nacre_fs_cut(world->fs, "cut by a test");
	test_wait(world, world->cuts == 1);
	test_unmount(world);
	KUNIT_EXPECT_EQ(test, world->cuts, 1);
	KUNIT_EXPECT_EQ(test, world->closes, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(action_wake),
	KUNIT_CASE(reply_takes_the_references),
	KUNIT_CASE(wishes_travel_with_the_next_message),
	KUNIT_CASE(size_1_write_waits_for_max_size),
	KUNIT_CASE(who_is_refused_room_hears_edquot),
	KUNIT_CASE(room_1_is_told_while_write_is_held),
	KUNIT_CASE(waiting_for_a_group_is_said),
	KUNIT_CASE(action_reflush),
	KUNIT_CASE(action_release),
	KUNIT_CASE(action_invalidate_dir),
	KUNIT_CASE(action_lost),
	KUNIT_CASE(nothing_is_used_without_a_lease),
	KUNIT_CASE(new_incarnation_gets_claims),
	KUNIT_CASE(claimed_cap_is_silent_until_granted),
	KUNIT_CASE(several_revokes_are_answered_at_once),
	KUNIT_CASE(fence_2_a_cut_mount_says_so),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_caps_session",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
