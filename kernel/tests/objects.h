/* SPDX-License-Identifier: GPL-2.0 */
/* Files and object requests for tests: open and write an inode as a user would, answer as an OSD would. */
#ifndef NACRE_TESTS_OBJECTS_H
#define NACRE_TESTS_OBJECTS_H

#include "world.h"

/* Open without asking anybody for permission. Close with test_close(), which does not leave it to a worker. */
struct file *test_open(struct test_world *world, struct inode *inode, int flags);
void test_close(struct test_world *world, struct file *file);
/* Write at an offset; the number of bytes or -errno. */
ssize_t test_write(struct file *file, const void *bytes, size_t length, loff_t offset);

static inline const struct nacre_cap_update *update_of(const struct test_message *message)
{
	return (const void *)message->host;
}

/* The one operation of an OSD_REQUEST. */
struct nacre_osd_op test_osd_op(struct test_world *world, const struct test_message *message);
static inline const struct nacre_osd_request *test_osd_request(const struct test_message *message)
{
	return (const void *)message->host;
}

/* Answer it: a result, data that was read, the object's size. */
void test_osd_reply(struct test_world *world, const struct test_message *message, u32 result,
		    const void *data, u32 data_bytes, u64 size);

#endif
