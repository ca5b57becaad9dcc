// SPDX-License-Identifier: GPL-2.0
/*
 * Size reports (protocol/rules/size_report.h) at both ends: what a writer says when the rank asks, and what a stat does with
 * what another client said.
 */
#include <linux/fcntl.h>
#include "world.h"

#define WRITERS_CAPS (NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)

/* ---- the writer ----------------------------------------------------------------------------- */

static struct inode *written_file(struct test_world *world)
{
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 1);
	struct inode *inode;

	info.size = 5000;
	info.truncate_seq = 3;
	inode = test_learn(world, &info);
	KUNIT_ASSERT_EQ(world->test, nacre_caps_open(inode, O_WRONLY), 0);
	nacre_caps_mark_dirty(inode, NACRE_GROUP_FILE);
	return inode;
}

static const struct nacre_size_report *ask(struct test_world *world, u64 ino, u32 gen)
{
	const struct nacre_size_ask ask = { .ino = ino, .cap_id = ino + 1, .cap_gen = gen, .ask_id = 9 };
	const struct nacre_size_report *report;

	test_server_say(&world->rank, NACRE_MSG_SIZE_ASK, &ask);
	report = (const void *)test_server_expect(&world->rank, NACRE_MSG_SIZE_REPORT)->host;
	KUNIT_EXPECT_EQ(world->test, report->ino, ino);
	KUNIT_EXPECT_EQ(world->test, report->ask_id, 9);
	return report;
}

static void writer_reports_and_keeps_its_caps(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = written_file(world);
	const struct nacre_size_report *report = ask(world, TEST_INO, 1);

	KUNIT_EXPECT_EQ(test, report->report_flags, 0);
	KUNIT_EXPECT_EQ(test, report->size, 5000);
	KUNIT_EXPECT_EQ(test, report->truncate_seq, 3);
	i_size_write(inode, 6000);
	KUNIT_EXPECT_EQ(test, ask(world, TEST_INO, 1)->size, 6000);
	KUNIT_EXPECT_TRUE(test, nacre_caps_held(inode, WRITERS_CAPS));
	nacre_caps_release_file(inode, O_WRONLY);
}

/* Its times may be older than what others have set since. */
static void who_has_no_news_tells_no_values(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE, 1);
	const struct nacre_size_report *report;
	struct inode *inode;

	info.size = 5000;
	inode = test_learn(world, &info);
	KUNIT_ASSERT_EQ(test, nacre_caps_open(inode, O_WRONLY), 0);
	report = ask(world, TEST_INO, 1);
	KUNIT_EXPECT_EQ(test, report->report_flags, NACRE_SIZE_REPORT_CLEAN);
	KUNIT_EXPECT_EQ(test, report->mtime, 0);
	nacre_caps_release_file(inode, O_WRONLY);
}

static void who_does_not_write_has_no_report(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = written_file(world);

	KUNIT_EXPECT_EQ(test, ask(world, TEST_INO, 2)->report_flags, NACRE_SIZE_REPORT_NONE);
	KUNIT_EXPECT_EQ(test, ask(world, TEST_INO + 7, 1)->report_flags, NACRE_SIZE_REPORT_NONE);
	nacre_caps_release_file(inode, O_WRONLY);
	KUNIT_EXPECT_EQ(test, ask(world, TEST_INO, 1)->report_flags, NACRE_SIZE_REPORT_NONE);
}

/* Between hearing of a cut and applying it, size and number are of two files. */
static void size_3_no_report_while_a_cut_is_under_way(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = written_file(world);
	struct nacre_inode *ni = nacre_inode(inode);

	WRITE_ONCE(ni->size_pending, true);
	KUNIT_EXPECT_EQ(test, ask(world, TEST_INO, 1)->report_flags, NACRE_SIZE_REPORT_NONE);
	WRITE_ONCE(ni->size_pending, false);
	KUNIT_EXPECT_EQ(test, ask(world, TEST_INO, 1)->report_flags, 0);
	nacre_caps_release_file(inode, O_WRONLY);
}

/* ---- who looks ------------------------------------------------------------------------------ */

static struct nacre_reported reported;

static int stat_call(struct test_call *call)
{
	memset(&reported, 0, sizeof(reported));
	return nacre_caps_stat(call->inode, NACRE_GROUP_FILE, false, &reported);
}

/* A stat that the rank answers by a report of so many bytes. */
static void stat_of(struct test_world *world, struct inode *inode, u64 size)
{
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, NACRE_CAP_PIN, 1);
	struct test_call *call = test_call(world, &(struct test_call){ .function = stat_call, .inode = inode });
	struct test_message *message = test_server_expect(&world->rank, NACRE_MSG_GETATTR);

	KUNIT_EXPECT_EQ(world->test, test_request_flags(message), NACRE_REQUEST_REPORT);
	info.valid &= ~NACRE_GROUP_FILE;
	info.info_flags |= NACRE_INFO_REPORTED;
	info.size = size;
	info.mtime = 77;
	test_reply(world, message, NULL, &info, 1);
	KUNIT_EXPECT_EQ(world->test, test_call_result(call), 0);
}

/* It answers the call, and the next one asks again. The inode keeps the size, as Linux cuts copies at what stands there, and nothing else. */
static void only_the_size_of_a_report_is_kept(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_inode_info info = test_info_cap(TEST_INO, S_IFREG | 0644, NACRE_CAP_PIN, 1);
	struct inode *inode;

	info.size = 100;
	inode = test_learn(world, &info);
	stat_of(world, inode, 4000);
	KUNIT_EXPECT_TRUE(test, reported.there);
	KUNIT_EXPECT_EQ(test, reported.size, 4000);
	KUNIT_EXPECT_EQ(test, reported.mtime, 77);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 4000);
	KUNIT_EXPECT_NE(test, nacre_time_ns(inode_get_mtime(inode)), 77);
	KUNIT_EXPECT_FALSE(test, nacre_caps_current(inode, NACRE_GROUP_FILE));
	stat_of(world, inode, 9000);
	KUNIT_EXPECT_EQ(test, reported.size, 9000);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(writer_reports_and_keeps_its_caps),
	KUNIT_CASE(who_has_no_news_tells_no_values),
	KUNIT_CASE(who_does_not_write_has_no_report),
	KUNIT_CASE(size_3_no_report_while_a_cut_is_under_way),
	KUNIT_CASE(only_the_size_of_a_report_is_kept),
	{ },
};

static struct kunit_suite suite = {
	.name = "nacre_size_report",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
