// SPDX-License-Identifier: GPL-2.0
/* Files and object requests for tests. See objects.h. */
#include <linux/dcache.h>
#include <linux/file.h>
#include "objects.h"

/* A file that stays open when its case ends early is closed by the world, or nothing could be unmounted. */
static void remember(struct test_world *world, struct file *was, struct file *becomes)
{
	for (int i = 0; i < TEST_CALLS; i++) {
		if (world->files[i] == was) {
			world->files[i] = becomes;
			return;
		}
	}
	KUNIT_FAIL(world->test, "too many open files");
}

struct file *test_open(struct test_world *world, struct inode *inode, int flags)
{
	struct path path = { .mnt = world->mnt };
	struct file *file;

	ihold(inode);
	path.dentry = d_obtain_alias(inode);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(world->test, path.dentry);
	file = dentry_open(&path, flags, current_cred());
	dput(path.dentry);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(world->test, file);
	remember(world, NULL, file);
	return file;
}

void test_close(struct test_world *world, struct file *file)
{
	remember(world, file, NULL);
	__fput_sync(file);
}

ssize_t test_write(struct file *file, const void *bytes, size_t length, loff_t offset)
{
	return kernel_write(file, bytes, length, &offset);
}

struct nacre_osd_op test_osd_op(struct test_world *world, const struct test_message *message)
{
	const struct nacre_osd_request *request = test_osd_request(message);
	struct nacre_osd_op op = { };

	KUNIT_ASSERT_EQ(world->test, nacre_array_count(nacre_osd_op_desc(), request->ops_bytes), 1);
	KUNIT_ASSERT_EQ(world->test, nacre_array_at(nacre_osd_op_desc(), request->ops, 0, &op), 0);
	return op;
}

void test_osd_reply(struct test_world *world, const struct test_message *message, u32 result,
		    const void *data, u32 data_bytes, u64 size)
{
	struct nacre_osd_result one = { .result = result, .data_size = data_bytes, .size = size };
	u8 bytes[sizeof(struct nacre_osd_result_wire)];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));
	struct nacre_osd_reply reply = {
		.tid = test_osd_request(message)->tid,
		.version = 1,
		.map_epoch = world->map.epoch,
		.result = result,
		.results = bytes,
	};

	nacre_encode(nacre_osd_result_desc(), &w, &one);
	reply.results_bytes = result ? 0 : nacre_writer_bytes(&w);
	test_server_say_data(&world->osd, NACRE_MSG_OSD_REPLY, &reply, data, data_bytes);
}
