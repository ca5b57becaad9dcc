// SPDX-License-Identifier: GPL-2.0
/* The cluster map: which one counts, and what a new one sets going. */
#include "objects.h"

static struct nacre_osd_io *stat_new(struct test_world *world)
{
	struct nacre_osd_io *io = nacre_osd_io_new(world->fs, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(world->test, io);
	io->oid.ino = TEST_INO;
	io->oid.pool = NACRE_POOL_DATA;
	io->code = NACRE_OSD_OP_STAT;
	return io;
}

static void newer_map_replaces(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_cmap *old = nacre_map_current(world->fs);

	KUNIT_EXPECT_EQ(test, nacre_map_epoch(world->fs), 1);
	world->map.epoch = 5;
	test_map_say(world);
	KUNIT_EXPECT_EQ(test, nacre_map_epoch(world->fs), 5);
	/* Whoever still reads the old one may. */
	KUNIT_ASSERT_NOT_NULL(test, old);
	KUNIT_EXPECT_EQ(test, old->view.epoch, 1);
	KUNIT_EXPECT_EQ(test, nacre_map_primary(&old->view, NACRE_POOL_DATA, 0), 0);
	nacre_cmap_put(old);
}

static void older_map_is_ignored(struct kunit *test)
{
	struct test_world *world = test_world(test);

	world->map.epoch = 5;
	test_map_say(world);
	world->map.epoch = 4;
	world->map.in_sync = 0;
	test_map_say(world);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, nacre_map_epoch(world->fs), 5);
}

static void same_epoch_is_ignored(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_cmap *before = nacre_map_current(world->fs), *after;

	test_map_say(world);
	test_settle(world);
	after = nacre_map_current(world->fs);
	KUNIT_EXPECT_PTR_EQ(test, after, before);
	nacre_cmap_put(before);
	nacre_cmap_put(after);
}

static void request_waits_for_an_active_group(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io;
	struct test_call *call;
	u32 group = 0;

	world->map.epoch = 2;
	world->map.in_sync = 0;
	test_map_say(world);
	io = stat_new(world);
	call = test_call_io(world, io);
	KUNIT_EXPECT_TRUE(test, test_server_is_quiet(&world->osd, NACRE_MSG_OSD_REQUEST));
	KUNIT_EXPECT_TRUE(test, nacre_osd_waits_for_group(world->fs, TEST_INO, &group));
	KUNIT_EXPECT_EQ(test, group, NACRE_POOL_DATA << 24);
	KUNIT_EXPECT_FALSE(test, nacre_osd_waits_for_group(world->fs, TEST_INO + 1, &group));
	world->map.epoch = 3;
	world->map.in_sync = 1;
	test_map_say(world);
	test_osd_reply(world, test_server_expect(&world->osd, NACRE_MSG_OSD_REQUEST), 0, NULL, 0,
		       0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_osd_io_put(io);
}

static void osd_that_went_down_is_taken_leave_of(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct nacre_osd_io *io = stat_new(world);
	struct test_call *call = test_call_io(world, io);

	test_server_expect(&world->osd, NACRE_MSG_OSD_REQUEST);
	world->map.epoch = 2;
	world->map.osd_flags = NACRE_OSD_IN;
	test_map_say(world);
	test_wait(world, READ_ONCE(world->fs->osd->waiting) == 1);
	world->map.epoch = 3;
	world->map.osd_flags = NACRE_OSD_IN | NACRE_OSD_UP;
	test_map_say(world);
	test_osd_reply(world, test_server_expect(&world->osd, NACRE_MSG_OSD_REQUEST), 0, NULL, 0,
		       0);
	KUNIT_EXPECT_EQ(test, test_call_result(call), 0);
	nacre_osd_io_put(io);
}

/* FENCE-1: the map is the judge, before any server says a word. */
static void fence_1_own_death_is_noticed(struct kunit *test)
{
	struct test_world *world = test_world(test);
	struct inode *inode = test_inode(world, TEST_INO, S_IFREG | 0644, TEST_CAPS_FILE);

	world->map.epoch = 2;
	world->map.dead_first = TEST_CLIENT_INSTANCE;
	world->map.dead_count = 1;
	test_map_say(world);
	test_wait(world, READ_ONCE(world->fs->instance) > TEST_CLIENT_INSTANCE);
	KUNIT_EXPECT_FALSE(test, nacre_caps_held(inode, NACRE_CAP_PIN));
}

static void deaths_of_others_are_no_matter(struct kunit *test)
{
	struct test_world *world = test_world(test);

	world->map.epoch = 2;
	world->map.dead_first = TEST_CLIENT_INSTANCE + 1;
	world->map.dead_count = 20;
	test_map_say(world);
	test_settle(world);
	KUNIT_EXPECT_EQ(test, READ_ONCE(world->fs->instance), TEST_CLIENT_INSTANCE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(newer_map_replaces),
	KUNIT_CASE(older_map_is_ignored),
	KUNIT_CASE(same_epoch_is_ignored),
	KUNIT_CASE(request_waits_for_an_active_group),
	KUNIT_CASE(osd_that_went_down_is_taken_leave_of),
	KUNIT_CASE(fence_1_own_death_is_noticed),
	KUNIT_CASE(deaths_of_others_are_no_matter),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_map",
	.init = test_world_init,
	.exit = test_world_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
