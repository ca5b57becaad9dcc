// SPDX-License-Identifier: GPL-2.0
/* File locks: what is asked of the rank and when, waits through restarts (FLOCK-3), claims (FLOCK-2), the loss of a session. */
#include <kunit/test.h>
#include <linux/filelock.h>
#include "objects.h"
#include "protocol/codec.h"
#include "../vfs/vfs.h"

#define TEST_LOCKED 0x10000000200ull

/* A flock(2) that a thread makes. */
struct flock_call {
	struct test_call call;
	struct file *file;
	unsigned char type;
	bool waits;
};

static struct flock_call wanted;	/* what the next thread does; one case runs at a time */

static int do_flock(struct test_call *call)
{
	struct flock_call mine = wanted;
	struct file_lock fl;

	locks_init_lock(&fl);
	fl.c.flc_file = mine.file;
	fl.c.flc_owner = mine.file;
	fl.c.flc_pid = 1;
	fl.c.flc_flags = FL_FLOCK | (mine.waits ? FL_SLEEP : 0);
	fl.c.flc_type = mine.type;
	fl.fl_end = OFFSET_MAX;
	return nacre_flock(mine.file, mine.waits ? F_SETLKW : F_SETLK, &fl);
}

static struct test_call *start_flock(struct test_world *world, struct file *file, unsigned char type,
				     bool waits)
{
	struct test_call operands = { .function = do_flock };

	wanted = (struct flock_call){ .file = file, .type = type, .waits = waits };
	return test_call(world, &operands);
}

static struct file *locked_file(struct test_world *world)
{
	return test_open(world, test_inode(world, TEST_LOCKED, S_IFREG | 0644, TEST_CAPS_FILE), O_RDONLY);
}

static const struct nacre_filelock_req *asked(const struct test_message *message)
{
	return (const void *)message->host;
}

/* The rank answers the next FILELOCK so; what was asked. */
static struct nacre_filelock_req answer_next(struct test_world *world, u32 result, u32 flags)
{
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_FILELOCK);
	struct nacre_reply like = { .result = result, .flags = flags | NACRE_REPLY_SAFE };
	struct nacre_filelock_req body = *asked(message);

	test_reply(world, message, &like, NULL, 0);
	return body;
}

static void take(struct kunit *test, struct file *file)
{
	struct test_world *world = test_world(test);
	struct test_call *call = start_flock(world, file, F_WRLCK, false);
	struct nacre_filelock_req body = answer_next(world, 0, 0);

	KUNIT_EXPECT_EQ(test, body.ino, TEST_LOCKED);
	KUNIT_EXPECT_EQ(test, body.op, NACRE_FILELOCK_SET);
	KUNIT_EXPECT_EQ(test, body.kind, NACRE_FILELOCK_FLOCK);
	KUNIT_EXPECT_EQ(test, body.last, NACRE_FILELOCK_END);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
}

static void give_up(struct kunit *test, struct file *file)
{
	struct test_world *world = test_world(test);
	struct test_call *call = start_flock(world, file, F_UNLCK, false);

	KUNIT_EXPECT_EQ(test, answer_next(world, 0, 0).lock_mode, NACRE_FILELOCK_UNLOCK);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	test_close(world, file);
}

static bool is_held(struct file *file)
{
	struct file_lock_context *ctx = locks_inode_context(file_inode(file));

	return ctx && !list_empty(&ctx->flc_flock);
}

static void a_refused_lock_is_not_ours(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct file *file = locked_file(world);
	struct test_call *call = start_flock(world, file, F_WRLCK, false);

	answer_next(world, EAGAIN, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, is_held(file));
	take(test, file);
	KUNIT_EXPECT_TRUE(test, is_held(file));
	give_up(test, file);
}

static void a_wait_ends_when_it_is_granted(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_filelock_granted granted = { .ino = TEST_LOCKED };
	struct file *file = locked_file(world);
	struct test_call *call = start_flock(world, file, F_WRLCK, true);
	struct nacre_filelock_req body = answer_next(world, 0, NACRE_REPLY_QUEUED);

	KUNIT_EXPECT_EQ(test, body.op, NACRE_FILELOCK_WAIT);
	test_settle(world);
	KUNIT_EXPECT_FALSE(test, test_call_is_over(call));
	granted.waiter = body.waiter;
	KUNIT_EXPECT_EQ(test, test_server_say(&world->rank, NACRE_MSG_FILELOCK_GRANTED, &granted), 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_TRUE(test, is_held(file));
	give_up(test, file);
}

static void flock_3_who_waits_asks_a_new_incarnation(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct file *file = locked_file(world);
	struct test_call *call = start_flock(world, file, F_WRLCK, true);
	struct nacre_filelock_req first = answer_next(world, 0, NACRE_REPLY_QUEUED), second;

	test_settle(world);
	test_reconnect(world, true);
	test_server_expect(&world->rank, NACRE_MSG_SESSION_RECONNECT_DONE);
	test_say_state(world, 0);
	second = answer_next(world, 0, 0);
	KUNIT_EXPECT_EQ(test, second.op, NACRE_FILELOCK_WAIT);
	KUNIT_EXPECT_EQ(test, second.waiter, first.waiter);
	KUNIT_EXPECT_NE(test, second.tid, first.tid);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	give_up(test, file);
}

static void flock_2_held_locks_are_declared(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct file *file = locked_file(world);
	const struct nacre_session_filelocks *part;
	struct nacre_filelock lock;

	take(test, file);
	test_reconnect(world, true);
	part = (const void *)test_server_expect(&world->rank, NACRE_MSG_SESSION_FILELOCKS)->host;
	KUNIT_EXPECT_EQ(test, nacre_array_count(nacre_filelock_desc(), part->locks_bytes), 1);
	nacre_array_at(nacre_filelock_desc(), part->locks, 0, &lock);
	KUNIT_EXPECT_EQ(test, lock.ino, TEST_LOCKED);
	KUNIT_EXPECT_EQ(test, lock.instance, TEST_CLIENT_INSTANCE);
	KUNIT_EXPECT_EQ(test, lock.lock_mode, NACRE_FILELOCK_WRITE);
	test_server_expect(&world->rank, NACRE_MSG_SESSION_RECONNECT_DONE);
	test_say_state(world, 0);
	test_wait(world, READ_ONCE(world->fs->mds->state) == NACRE_SESSION_OPEN);
	give_up(test, file);
}

/* The answer is of an incarnation to whose successor the claims have gone without this lock. */
static void a_lock_that_missed_the_claims_is_asked_for_again(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct file *file = locked_file(world);
	struct test_call *call = start_flock(world, file, F_WRLCK, false);
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_FILELOCK);
	struct nacre_reply like = { .flags = NACRE_REPLY_SAFE };

	down_write(&world->fs->locks.claims_sem);
	world->fs->locks.claims++;
	up_write(&world->fs->locks.claims_sem);
	test_reply(world, message, &like, NULL, 0);
	KUNIT_EXPECT_EQ(test, answer_next(world, 0, 0).op, NACRE_FILELOCK_SET);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_TRUE(test, is_held(file));
	give_up(test, file);
}

/* FLOCK-1: others may have it by now. */
static void lost_locks_bar_the_file(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct file *file = locked_file(world);
	struct inode *inode = file_inode(file);
	struct test_call *call;
	u32 got;

	take(test, file);
	nacre_locks_lost(world->fs);
	KUNIT_EXPECT_EQ(test, nacre_caps_try(inode, NACRE_CAP_FILE_READ, 0, 0, &got), -EIO);
	call = start_flock(world, file, F_WRLCK, false);
	KUNIT_EXPECT_EQ(test, test_call_result(call), -EIO);
	call = start_flock(world, file, F_UNLCK, false);
	answer_next(world, 0, 0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	KUNIT_EXPECT_EQ(test, nacre_caps_try(inode, NACRE_CAP_FILE_READ, 0, 0, &got), 0);
	nacre_caps_put(inode, got);
	test_close(world, file);
}

static void a_killed_waiter_cancels_and_gives_up(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct file *file = locked_file(world);
	struct test_call *call = start_flock(world, file, F_WRLCK, true);

	answer_next(world, 0, NACRE_REPLY_QUEUED);
	test_settle(world);
	test_call_kill(call);
	KUNIT_EXPECT_EQ(test, answer_next(world, 0, 0).op, NACRE_FILELOCK_CANCEL);
	KUNIT_EXPECT_LT(test, test_call_result(call), 0);
	KUNIT_EXPECT_FALSE(test, is_held(file));
	test_server_forget(&world->rank);
	test_close(world, file);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_refused_lock_is_not_ours),
	KUNIT_CASE(a_wait_ends_when_it_is_granted),
	KUNIT_CASE(flock_3_who_waits_asks_a_new_incarnation),
	KUNIT_CASE(flock_2_held_locks_are_declared),
	KUNIT_CASE(a_lock_that_missed_the_claims_is_asked_for_again),
	KUNIT_CASE(lost_locks_bar_the_file),
	KUNIT_CASE(a_killed_waiter_cancels_and_gives_up),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_locks",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
