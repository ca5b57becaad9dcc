// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a request to the metadata rank: numbered, sent, answered; re-sent on another connection and to
 * another incarnation; given up by its caller; failed with its session.
 */
#include "../vfs/vfs.h"
#include "world.h"

/* A request that reads: the attributes of a file. */
static struct nacre_mds_request *getattr_new(struct test_world *world, u64 ino)
{
	struct nacre_mds_request *req = nacre_mds_request_new(world->fs, NACRE_MSG_GETATTR);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(world->test, req);
	req->body.getattr.ino = ino;
	req->body.getattr.mask = NACRE_GROUP_AUTH;
	return req;
}

/* A request that changes: a name is removed from the root. */
static struct nacre_mds_request *unlink_new(struct test_world *world, const char *name)
{
	struct nacre_record record = {
		.kind = NACRE_RECORD_UNLINK,
		.parent = NACRE_INO_ROOT,
		.ctime = TEST_NOW_NS,
		.name = name,
		.name_bytes = strlen(name),
	};
	struct nacre_mds_request *req;

	req = nacre_mds_record(world->fs, &record, d_inode(world->mnt->mnt_root), NULL, NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(world->test, req);
	return req;
}

static bool lists_are_empty(struct test_world *world)
{
	struct nacre_mds_client *mds = world->fs->mds;
	bool empty;

	spin_lock(&mds->lock);
	empty = list_empty(&mds->requests) && list_empty(&mds->resending) &&
		list_empty(&mds->unsafe);
	spin_unlock(&mds->lock);
	return empty;
}

/* ---- answered ------------------------------------------------------------------------------- */

static void answer_brings_the_inode(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0640, TEST_CAPS_SHARED, 1);
	struct nacre_mds_request *req = getattr_new(world, TEST_INO);
	struct test_call *call = test_call_request(world, req);
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_GETATTR);

	KUNIT_EXPECT_EQ(test, test_tid(message), req->tid);
	KUNIT_EXPECT_EQ(test, test_request_flags(message), 0);
	test_reply(world, message, NULL, &info, 1);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_ASSERT_NOT_NULL(test, req->target);
	KUNIT_EXPECT_EQ(test, req->target->i_ino, TEST_INO);
	KUNIT_EXPECT_TRUE(test, nacre_caps_held(req->target, TEST_CAPS_SHARED));
	nacre_mds_request_put(req);
	KUNIT_EXPECT_TRUE(test, lists_are_empty(world));
}

static void error_becomes_errno(struct kunit *test)
{
	static const struct {
		u32 result;
		int error;
	} rows[] = {
		{ EACCES, -EACCES }, { ENOSPC, -ENOSPC }, { NACRE_E_DAMAGED, -EIO },
		{ NACRE_E_WRONG_RANK, -EREMOTE }, { 5555, -EIO },
	};
	struct test_world *world = test_world(test);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct nacre_reply like = { .result = rows[i].result };
		struct nacre_mds_request *req = getattr_new(world, TEST_INO);
		struct test_message *message;
		struct test_call *call = test_call_request(world, req);

		message = test_server_expect(&world->rank, NACRE_MSG_GETATTR);
		test_reply(world, message, &like, NULL, 0);
		KUNIT_EXPECT_EQ(test, test_call_result(call), rows[i].error);
		nacre_mds_request_put(req);
	}
}

static void tids_count_up_and_oldest_is_said(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *one = getattr_new(world, TEST_INO), *two;
	struct test_call *first = test_call_request(world, one), *second;
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_GETATTR), *next;
	const struct nacre_getattr_req *body;

	two = getattr_new(world, TEST_INO + 1);
	second = test_call_request(world, two);
	next = test_server_expect(&world->rank, NACRE_MSG_GETATTR);
	body = (const void *)next->host;
	KUNIT_EXPECT_EQ(test, two->tid, one->tid + 1);
	KUNIT_EXPECT_EQ(test, body->oldest_tid, one->tid);
	/* Answers come in any order. */
	test_reply(world, next, NULL, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(second), 0);
	KUNIT_EXPECT_FALSE(test, test_call_is_over(first));
	test_reply(world, message, NULL, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(first), 0);
	nacre_mds_request_put(one);
	nacre_mds_request_put(two);
}

static void second_reply_is_ignored(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = getattr_new(world, TEST_INO);
	struct nacre_reply bad = { .result = EIO };
	struct test_call *call = test_call_request(world, req);
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_GETATTR);

	test_reply(world, message, NULL, NULL, 0);
	test_reply(world, message, &bad, NULL, 0);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_EQ(test, req->result, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&req->ref), 1);
	nacre_mds_request_put(req);
}

static void reply_to_nobody_is_ignored(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_reply reply = { .tid = 123456789 };
	u32 connections = world->rank.connections;

	test_server_say(&world->rank, NACRE_MSG_REPLY, &reply);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, world->rank.connections, connections);
}

/* While a change is under way, nobody answers from the cache what it changes. */
static void change_is_counted_while_under_way(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *root = d_inode(world->mnt->mnt_root);
	struct nacre_mds_request *req = unlink_new(world, "a");
	struct test_message *message;
	struct test_call *call;

	KUNIT_EXPECT_TRUE(test, nacre_caps_current(root, NACRE_GROUP_FILE));
	call = test_call_request(world, req);
	message = test_server_expect(&world->rank, NACRE_MSG_UNLINK);
	KUNIT_EXPECT_FALSE(test, nacre_caps_current(root, NACRE_GROUP_FILE));
	KUNIT_EXPECT_TRUE(test, nacre_caps_current(root, NACRE_GROUP_AUTH));
	test_reply(world, message, NULL, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_TRUE(test, nacre_caps_current(root, NACRE_GROUP_FILE));
	nacre_mds_request_put(req);
}

/* ---- unsafe and safe ------------------------------------------------------------------------ */

static struct nacre_mds_request *unlinked(struct test_world *world, const char *name, u64 applied)
{
	struct nacre_mds_request *req = unlink_new(world, name);
	struct nacre_reply like = { .applied = applied };
	struct test_call *call = test_call_request(world, req);

	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_UNLINK), &like, NULL, 0);
	KUNIT_EXPECT_EQ(world->test, test_call_result(call), 0);
	return req;
}

static void unsafe_until_said_safe(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = unlinked(world, "a", 1);
	struct nacre_safe safe = { .safe = 1 };

	KUNIT_EXPECT_FALSE(test, lists_are_empty(world));
	KUNIT_EXPECT_EQ(test, world->fs->mds->applied, 1);
	test_server_say(&world->rank, NACRE_MSG_SAFE, &safe);
	test_wait(world, lists_are_empty(world));
	KUNIT_EXPECT_EQ(test, nacre_mds_wait_safe(world->fs, 1), 0);
	nacre_mds_request_put(req);
}

static u32 changing(struct test_world *world)
{
	struct nacre_inode *root = nacre_inode(d_inode(world->mnt->mnt_root));

	return READ_ONCE(root->changing[nacre_group_index(NACRE_GROUP_FILE)]);
}

/*
 * A new incarnation grants caps before it has done again what was unsafe: what it says of inodes then is old, and stood for what a
 * stat answered, until somebody else changed them.
 */
static void unsafe_is_under_way_again(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = unlinked(world, "a", 3);
	struct nacre_reply like = { .applied = 5 };
	struct nacre_safe safe = { .safe = 5 };
	struct test_message *message;

	KUNIT_EXPECT_EQ(test, changing(world), 0);
	test_reconnect(world, true);
	message = test_server_expect(&world->rank, NACRE_MSG_UNLINK);
	KUNIT_EXPECT_EQ(test, changing(world), 1);
	test_reply(world, message, &like, NULL, 0);
	test_wait(world, !changing(world));
	KUNIT_EXPECT_FALSE(test, lists_are_empty(world));
	/* Under the number that it has there. */
	test_server_say(&world->rank, NACRE_MSG_SAFE, &safe);
	test_wait(world, lists_are_empty(world));
	nacre_mds_request_put(req);
}

static void refused_when_done_again_is_lost(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *root = d_inode(world->mnt->mnt_root);
	struct nacre_mds_request *req = unlinked(world, "a", 3);
	struct nacre_reply like = { .result = ENOENT };

	test_reconnect(world, true);
	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_UNLINK), &like, NULL, 0);
	test_wait(world, lists_are_empty(world));
	KUNIT_EXPECT_EQ(test, changing(world), 0);
	KUNIT_EXPECT_EQ(test, filemap_check_errors(root->i_mapping), -EIO);
	nacre_mds_request_put(req);
}

static u64 oldest_tid(struct test_world *world)
{
	u64 oldest;

	spin_lock(&world->fs->mds->lock);
	oldest = mds_oldest_tid_locked(world->fs->mds);
	spin_unlock(&world->fs->mds->lock);
	return oldest;
}

/* The journal's order is not the order in which they were asked: the rank forgets no answer that may be asked for again. */
static void oldest_is_said_until_it_is_safe(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *one = unlinked(world, "a", 3), *two, *three;
	struct nacre_safe safe = { .safe = 2 };

	KUNIT_EXPECT_EQ(test, oldest_tid(world), one->tid);
	two = unlinked(world, "b", 1);
	three = unlinked(world, "c", 2);
	KUNIT_EXPECT_EQ(test, oldest_tid(world), one->tid);
	test_server_say(&world->rank, NACRE_MSG_SAFE, &safe);
	test_wait(world, READ_ONCE(world->fs->mds->safe) == 2);
	KUNIT_EXPECT_EQ(test, oldest_tid(world), one->tid);
	safe.safe = 3;
	test_server_say(&world->rank, NACRE_MSG_SAFE, &safe);
	test_wait(world, lists_are_empty(world));
	KUNIT_EXPECT_EQ(test, oldest_tid(world), three->tid + 1);
	nacre_mds_request_put(one);
	nacre_mds_request_put(two);
	nacre_mds_request_put(three);
}

static int wait_safe(struct test_call *call)
{
	return nacre_mds_sync_inode(call->inode);
}

static void fsync_asks_for_the_journal(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = unlinked(world, "a", 7);
	struct test_call operands = { .function = wait_safe,
				      .inode = d_inode(world->mnt->mnt_root) };
	struct test_call *call = test_call(world, &operands);
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_SYNC);
	struct nacre_reply like = { .safe = 7, .applied = 0 };

	KUNIT_EXPECT_EQ(test, ((const struct nacre_sync_req *)message->host)->upto, 7);
	test_reply(world, message, &like, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	test_wait(world, lists_are_empty(world));
	nacre_mds_request_put(req);
}

/* ---- again ---------------------------------------------------------------------------------- */

static void log_2_resent_under_its_number(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = unlink_new(world, "a");
	struct test_call *call = test_call_request(world, req);
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_UNLINK);

	test_reconnect(world, false);
	message = test_server_expect(&world->rank, NACRE_MSG_UNLINK);
	KUNIT_EXPECT_EQ(test, test_tid(message), req->tid);
	KUNIT_EXPECT_EQ(test, test_request_flags(message), NACRE_REQUEST_RESEND);
	test_reply(world, message, NULL, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_mds_request_put(req);
}

static void busy_rank_is_asked_again(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = getattr_new(world, TEST_INO);
	struct nacre_reply busy = { .result = NACRE_E_BUSY };
	struct test_call *call = test_call_request(world, req);

	for (int i = 0; i < 3; i++)
		test_reply(world, test_server_expect(&world->rank, NACRE_MSG_GETATTR), &busy, NULL,
			   0);
	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_GETATTR), NULL, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_mds_request_put(req);
}

/* Claims, unsafe ones in the order of their apply numbers, unanswered ones, done. */
static void new_incarnation_gets_all_in_order(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *second = unlinked(world, "b", 2), *first = unlinked(world, "a", 1);
	struct nacre_mds_request *open = unlink_new(world, "c");
	struct test_call *call = test_call_request(world, open);
	struct test_message *message;

	test_server_expect(&world->rank, NACRE_MSG_UNLINK);
	test_server_forget(&world->rank);
	test_reconnect(world, true);
	message = test_server_expect(&world->rank, 0);
	KUNIT_EXPECT_EQ(test, message->type, NACRE_MSG_SESSION_RECONNECT);
	message = test_server_expect(&world->rank, 0);
	KUNIT_EXPECT_EQ(test, test_tid(message), first->tid);
	KUNIT_EXPECT_EQ(test, ((const struct nacre_record_req *)message->host)->applied, 1);
	message = test_server_expect(&world->rank, 0);
	KUNIT_EXPECT_EQ(test, test_tid(message), second->tid);
	KUNIT_EXPECT_EQ(test, test_request_flags(message), NACRE_REQUEST_RESEND);
	message = test_server_expect(&world->rank, 0);
	KUNIT_EXPECT_EQ(test, test_tid(message), open->tid);
	test_server_expect(&world->rank, NACRE_MSG_SESSION_RECONNECT_DONE);
	test_say_state(world, 0);
	test_reply(world, message, NULL, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_mds_request_put(open);
	nacre_mds_request_put(first);
	nacre_mds_request_put(second);
}

/* ---- given up ------------------------------------------------------------------------------- */

/* WAIT-1 */
static void wait_1_killed_before_it_was_sent(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = unlink_new(world, "a");
	struct test_call *call;

	world->rank.hello_result = NACRE_E_NOT_ACTIVE;
	test_server_hang_up(&world->rank);
	test_wait(world, !nacre_conn_is_open(world->fs->mds->conn));
	call = test_call_request(world, req);
	test_wait(world, !lists_are_empty(world));
	test_call_kill(call);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -EINTR);
	KUNIT_EXPECT_TRUE(test, lists_are_empty(world));
	KUNIT_EXPECT_EQ(test, nacre_inode(d_inode(world->mnt->mnt_root))->dir_unsure, 0);
	nacre_mds_request_put(req);
	/* It never happened, and nobody hears of it. */
	world->rank.hello_result = 0;
	test_wait(world, nacre_conn_is_open(world->fs->mds->conn));
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->rank, NACRE_MSG_UNLINK));
}

static void wait_1_killed_after_it_was_sent(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode *root = nacre_inode(d_inode(world->mnt->mnt_root));
	struct nacre_mds_request *req = unlink_new(world, "a");
	struct test_call *call = test_call_request(world, req);
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_UNLINK);

	test_call_kill(call);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -EINTR);
	/* It may happen yet: until its answer the directory's entries are not trusted. */
	KUNIT_EXPECT_EQ(test, root->dir_unsure, 1);
	KUNIT_EXPECT_EQ(test, nacre_dir_epoch(&root->netfs.inode), 0);
	nacre_mds_request_put(req);
	test_reply(world, message, NULL, NULL, 0);
	test_wait(world, !READ_ONCE(root->dir_unsure));
	test_wait(world, lists_are_empty(world));
	KUNIT_EXPECT_NE(test, nacre_dir_epoch(&root->netfs.inode), 0);
}

/* The caps of an answer that nobody waits for any more are not left taken. */
static void caps_of_an_abandoned_request_are_free(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_SHARED);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 2);
	struct nacre_mds_request *req = nacre_mds_request_new(world->fs, NACRE_MSG_OPEN);
	struct test_message *message;
	struct test_call *call;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, req);
	ihold(inode);
	req->target = inode;
	req->need = NACRE_CAP_FILE_READ;
	req->body.open.ino = TEST_INO;
	req->body.open.need = NACRE_CAP_FILE_READ;
	req->body.open.wanted = NACRE_CAP_FILE_READ;
	call = test_call_request(world, req);
	message = test_server_expect(&world->rank, NACRE_MSG_OPEN);
	test_call_kill(call);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -EINTR);
	nacre_mds_request_put(req);
	test_reply(world, message, NULL, &info, 1);
	test_wait_held(world, inode, TEST_CAPS_FILE);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, nacre_inode(inode)->cap_used, 0);
}

static void soft_limit_ends_the_wait(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = getattr_new(world, TEST_INO);

	world->fs->options.soft_timeout_ms = 100;
	KUNIT_EXPECT_EQ(test, nacre_mds_call(req), -ETIMEDOUT);
	world->fs->options.soft_timeout_ms = 0;
	nacre_mds_request_put(req);
}

static void forced_unmount_ends_the_wait(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = getattr_new(world, TEST_INO);
	struct test_call *call = test_call_request(world, req);

	test_server_expect(&world->rank, NACRE_MSG_GETATTR);
	nacre_super_ops.umount_begin(world->mnt->mnt_sb);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -EIO);
	nacre_mds_request_put(req);
	req = getattr_new(world, TEST_INO);
	KUNIT_EXPECT_EQ(test, nacre_mds_call(req), -EIO);
	nacre_mds_request_put(req);
}

/* ---- the session is killed ------------------------------------------------------------------ */

static void killed_session_fails_a_sent_change(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = unlink_new(world, "a");
	struct test_call *call = test_call_request(world, req);

	test_server_expect(&world->rank, NACRE_MSG_UNLINK);
	test_kill_session(world);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -EIO);
	KUNIT_EXPECT_TRUE(test, lists_are_empty(world));
	nacre_mds_request_put(req);
}

static void killed_session_repeats_what_reads(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = getattr_new(world, TEST_INO);
	struct test_call *call = test_call_request(world, req);

	test_server_expect(&world->rank, NACRE_MSG_GETATTR);
	test_kill_session(world);
	KUNIT_EXPECT_EQ(test, nacre_mds_generation(world->fs), 2);
	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_GETATTR), NULL, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_mds_request_put(req);
}

/* What was reported as done and is lost is reported as lost. */
static void killed_session_reports_unsafe_changes(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *root = d_inode(world->mnt->mnt_root);
	struct nacre_mds_request *req = unlinked(world, "a", 3);

	KUNIT_EXPECT_EQ(test, filemap_check_errors(root->i_mapping), 0);
	test_kill_session(world);
	KUNIT_EXPECT_TRUE(test, lists_are_empty(world));
	KUNIT_EXPECT_EQ(test, filemap_check_errors(root->i_mapping), -EIO);
	/* Apply numbers begin anew: this waits for nothing. */
	KUNIT_EXPECT_EQ(test, nacre_mds_sync_inode(root), 0);
	nacre_mds_request_put(req);
}

/* A second SESSION_OPEN would begin a session that nobody uses, and that is evicted in the end. */
static void session_is_asked_for_once(struct kunit *test)
{
	struct test_world *world = test_world(test);

	KUNIT_EXPECT_EQ(test, world->opens, 1);
	for (u32 i = 1; i <= 3; i++) {
		test_kill_session(world);
		test_settle(world);
		KUNIT_EXPECT_EQ(test, world->opens, 1 + i);
	}
	test_reconnect(world, false);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, world->opens, 4);
}

static void no_session_in_a_reply_kills(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_mds_request *req = getattr_new(world, TEST_INO);
	struct nacre_reply like = { .result = NACRE_E_NO_SESSION };
	struct test_call *call = test_call_request(world, req);

	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_GETATTR), &like, NULL, 0);
	test_reply(world, test_server_expect(&world->rank, NACRE_MSG_GETATTR), NULL, NULL, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_GT(test, READ_ONCE(world->fs->instance), TEST_CLIENT_INSTANCE);
	nacre_mds_request_put(req);
}

/* ---- inode numbers -------------------------------------------------------------------------- */

static void ino_1_numbers_are_used_once(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_fs *fs = world->fs;

	KUNIT_EXPECT_EQ(test, nacre_mds_take_ino(fs), NACRE_INO_NONE);
	world->ino_first = TEST_INO + 100;
	world->ino_count = 2;
	test_say_state(world, 0);
	test_wait(world, READ_ONCE(fs->mds->inos_left) == 2);
	KUNIT_EXPECT_EQ(test, nacre_mds_take_ino(fs), TEST_INO + 100);
	KUNIT_EXPECT_EQ(test, nacre_mds_take_ino(fs), TEST_INO + 101);
	KUNIT_EXPECT_EQ(test, nacre_mds_take_ino(fs), NACRE_INO_NONE);
	nacre_mds_give_ino_back(fs, TEST_INO + 101);
	KUNIT_EXPECT_EQ(test, nacre_mds_take_ino(fs), TEST_INO + 101);
	nacre_mds_give_ino_back(fs, TEST_INO + 101);
	/* They belonged to the session. */
	world->ino_count = 0;
	test_kill_session(world);
	KUNIT_EXPECT_EQ(test, nacre_mds_take_ino(fs), NACRE_INO_NONE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(answer_brings_the_inode),
	KUNIT_CASE(error_becomes_errno),
	KUNIT_CASE(tids_count_up_and_oldest_is_said),
	KUNIT_CASE(second_reply_is_ignored),
	KUNIT_CASE(reply_to_nobody_is_ignored),
	KUNIT_CASE(change_is_counted_while_under_way),
	KUNIT_CASE(unsafe_until_said_safe),
	KUNIT_CASE(unsafe_is_under_way_again),
	KUNIT_CASE(refused_when_done_again_is_lost),
	KUNIT_CASE(oldest_is_said_until_it_is_safe),
	KUNIT_CASE(fsync_asks_for_the_journal),
	KUNIT_CASE(log_2_resent_under_its_number),
	KUNIT_CASE(busy_rank_is_asked_again),
	KUNIT_CASE(new_incarnation_gets_all_in_order),
	KUNIT_CASE(wait_1_killed_before_it_was_sent),
	KUNIT_CASE(wait_1_killed_after_it_was_sent),
	KUNIT_CASE(caps_of_an_abandoned_request_are_free),
	KUNIT_CASE(soft_limit_ends_the_wait),
	KUNIT_CASE(forced_unmount_ends_the_wait),
	KUNIT_CASE(killed_session_fails_a_sent_change),
	KUNIT_CASE(killed_session_repeats_what_reads),
	KUNIT_CASE(killed_session_reports_unsafe_changes),
	KUNIT_CASE(session_is_asked_for_once),
	KUNIT_CASE(no_session_in_a_reply_kills),
	KUNIT_CASE(ino_1_numbers_are_used_once),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_requests",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
