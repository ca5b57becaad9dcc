/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a test case stands in: a mount of nacre whose metadata rank and whose only OSD are the test's
 * own (server.h). Made before each case, unmounted after it; a suite names
 *
 *	.init = test_world_init, .exit = test_world_exit
 *
 * On its own the rank opens, renews and closes the session, gives out the map and the root's
 * attributes, and takes in what an unmount flushes. Everything else is the case's.
 */
#ifndef NACRE_TESTS_WORLD_H
#define NACRE_TESTS_WORLD_H

#include <linux/completion.h>
#include "../caps/internal.h"
#include "../mds/client.h"
#include "../osd/internal.h"
#include "server.h"

#define TEST_INO 0x10000000001ULL	/* numbers of test files begin here */
#define TEST_NOW_NS 1700000000000000000ULL
#define TEST_RANK_INSTANCE 1
#define TEST_OSD_INSTANCE 2
#define TEST_CLIENT_INSTANCE 10		/* of the first session */
#define TEST_LEASE_MS 60000
#define TEST_CALLS 8
#define TEST_INODES 16
#define TEST_FLUSHES 32

/* All that may be cached of a regular file; and everything that its lone user has. */
#define TEST_CAPS_SHARED (NACRE_CAPS_ALL_SHARED & ~NACRE_CAPS_DIR)
#define TEST_CAPS_FILE (NACRE_CAPS_KNOWN & ~NACRE_CAPS_DIR)

/* The map that the rank gives out; a case may change it and say it anew (test_map_say). */
struct test_map {
	u64 epoch;
	u64 dead_first, dead_count;	/* count 0: nobody is dead */
	u16 osd_flags;
	u8 in_sync;			/* of every group */
};

struct test_world {
	struct kunit *test;
	struct test_server rank, osd;
	struct test_map map;
	struct vfsmount *mnt;
	struct nacre_fs *fs;
	u64 next_instance;		/* for the next session */
	u32 opens;			/* SESSION_OPENs heard */
	struct nacre_cap_flush_ack flushes[TEST_FLUSHES];	/* heard, to be acknowledged at the end … */
	u32 flush_count;		/* … so many, the last of them there */
	u64 ino_first, ino_count;	/* range that SESSION_STATE delegates */
	bool keeps_silent;		/* the rank answers nothing by itself but hellos and the session's messages */
	bool obliging;			/* the end: every request is answered, every flush taken in … */
	bool osd_is_gone;		/* … but by the OSD */
	u32 closes, cuts;		/* SESSION_CLOSEs heard: in order; of a mount that was cut off */
	struct inode *inodes[TEST_INODES];	/* references to be dropped at the end */
	u32 inode_count;
	struct file *files[TEST_CALLS];		/* open ones; objects.h */
	struct test_call *calls[TEST_CALLS];
	u32 call_count;
};

int test_world_init(struct kunit *test);
void test_world_exit(struct kunit *test);
/* From now on every request is answered and every flush taken in; so are those that were heard and not answered. */
void test_oblige(struct test_world *world);
/* What the end of a case does, earlier: all inodes are dropped, and nothing is mounted any more. */
void test_unmount(struct test_world *world);
static inline struct test_world *test_world(struct kunit *test)
{
	return test->priv;
}

/* ---- inodes -------------------------------------------------------------------------------- */

/* A regular file (or `mode`) as a rank would show it, all groups valid, without a cap. */
struct nacre_inode_info test_info(u64 ino, umode_t mode);
/* With a cap: id from the inode number, generation 1. */
struct nacre_inode_info test_info_cap(u64 ino, umode_t mode, u32 issued, u32 seq);
/* Show it to the client as a reply would. The reference is dropped at the end of the case. */
struct inode *test_learn(struct test_world *world, const struct nacre_inode_info *info);
/* The inode of this info, learnt for the first time. */
struct inode *test_inode(struct test_world *world, u64 ino, umode_t mode, u32 issued);
/* Does the client hold and may it use these bits? Waits until it does. */
void test_wait_held(struct test_world *world, struct inode *inode, u32 caps);
/* Say CAP_GRANT, CAP_REVOKE. */
void test_grant(struct test_world *world, const struct nacre_inode_info *info);
void test_revoke(struct test_world *world, u64 ino, u32 keep, u32 seq, u32 repeats);
/* All that has come from the rank so far is worked off, and so is what inodes' workers had to do. */
void test_settle(struct test_world *world);

/* ---- replies ------------------------------------------------------------------------------- */

/* Answer the request that `message` is; `infos` become traces. */
void test_reply(struct test_world *world, const struct test_message *message,
		const struct nacre_reply *like, const struct nacre_inode_info *infos, u32 count);
/* Answer SESSION_OPEN, or SESSION_RECONNECT_DONE, which the rank leaves to the case. */
void test_say_state(struct test_world *world, u32 result);
/* End the session from the rank's side. */
void test_kill_session(struct test_world *world);
/* Break the connection; with another incarnation at the other end afterwards if `anew`. */
void test_reconnect(struct test_world *world, bool anew);
u64 test_tid(const struct test_message *message);
u32 test_request_flags(const struct test_message *message);

/* ---- the map ------------------------------------------------------------------------------- */

/* Send world->map, and wait until the client has it. */
void test_map_say(struct test_world *world);

/* ---- calls that wait ----------------------------------------------------------------------- */

/* A function in a thread of its own, which can be killed. */
struct test_call {
	struct test_world *world;
	int (*function)(struct test_call *call);
	/* What it is called with; the function knows which it reads. */
	struct inode *inode;
	struct nacre_mds_request *req;
	struct nacre_osd_io *io;
	u32 need;
	u64 end;
	struct task_struct *task;
	struct completion done;
	int result;
};

/* Start one with these operands; the world ends it, if the case does not. */
struct test_call *test_call(struct test_world *world, const struct test_call *operands);
/* nacre_mds_call(), nacre_osd_call(). */
struct test_call *test_call_request(struct test_world *world, struct nacre_mds_request *req);
struct test_call *test_call_io(struct test_world *world, struct nacre_osd_io *io);
int test_call_result(struct test_call *call);
bool test_call_is_over(struct test_call *call);
void test_call_kill(struct test_call *call);

/* Wait for a condition that something else brings about; the case fails and ends when it does not come. */
#define test_wait(world, condition)							\
do {											\
	unsigned long end_ = jiffies + msecs_to_jiffies(TEST_PATIENCE_MS);		\
											\
	while (!(condition) && time_before(jiffies, end_))				\
		schedule_timeout_uninterruptible(1);					\
	KUNIT_ASSERT_TRUE_MSG((world)->test, (condition), "never: %s", #condition);	\
} while (0)

#endif
