// SPDX-License-Identifier: GPL-2.0
/*
 * File handles: name_to_handle_at and open_by_handle_at of files, folders and what has moved or gone. Handles of a file
 * system that has none are skipped.
 */
#define _GNU_SOURCE
#include "harness.h"

struct handle {
	struct file_handle head;
	unsigned char bytes[128];
};

static int top;				/* any place of the mount */

static struct handle handle_of(const char *path)
{
	struct handle handle = { .head.handle_bytes = sizeof(handle.bytes) };
	int mount_id;
	int result = name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0);

	if (result && errno == EOPNOTSUPP)
		test_skip("no file handles here");
	OK(result);
	top = OK(open(".", O_RDONLY | O_DIRECTORY));
	return handle;
}

static int open_handle(const struct handle *handle, int flags)
{
	return open_by_handle_at(top, (struct file_handle *)&handle->head, flags);
}

TEST(a_file)
{
	struct handle handle;
	char text[16];
	int fd;

	make_file("f", 10000, 1);
	handle = handle_of("f");
	fd = OK(open_handle(&handle, O_RDWR));
	EQUAL(OK(pwrite(fd, "handle", 6, 0)), 6);
	OK(close(fd));
	fd = OK(open("f", O_RDONLY));
	EQUAL(OK(read(fd, text, 6)), 6);
	CHECK(!memcmp(text, "handle", 6));
	OK(close(fd));
}

TEST(what_has_moved)
{
	struct handle handle;
	struct stat st;
	int fd;

	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	make_file("a/f", 100, 2);
	st = stat_of("a/f");
	handle = handle_of("a/f");
	OK(rename("a/f", "b/g"));
	OK(rmdir("a"));
	fd = OK(open_handle(&handle, O_RDONLY));
	OK(fstat(fd, &st));
	EQUAL(st.st_ino, stat_of("b/g").st_ino);
	OK(close(fd));
}

/* Nothing of the path is in memory: each folder up to the root is asked for where it is. */
TEST(a_folder_far_below)
{
	struct handle handle;
	struct stat st;
	int fd;

	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	OK(mkdir("a/b/c", 0755));
	make_file("a/b/c/f", 10, 3);
	handle = handle_of("a/b/c");
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd >= 0) {
		sync();
		EQUAL(OK(write(fd, "2", 1)), 1);
		OK(close(fd));
	}
	fd = OK(open_handle(&handle, O_RDONLY | O_DIRECTORY));
	OK(fstatat(fd, "f", &st, 0));
	EQUAL(st.st_ino, stat_of("a/b/c/f").st_ino);
	OK(fstatat(fd, "../../..", &st, 0));
	EQUAL(st.st_ino, stat_of(".").st_ino);
	OK(close(fd));
}

TEST(what_is_gone)
{
	struct handle handle;
	int kept, again;

	make_file("f", 100, 4);
	handle = handle_of("f");
	OK(unlink("f"));
	FAILS(open_handle(&handle, O_RDONLY), ESTALE);
	make_file("f", 100, 5);		/* another file, whatever its number */
	FAILS(open_handle(&handle, O_RDONLY), ESTALE);
	handle = handle_of("f");
	kept = OK(open("f", O_RDONLY));
	OK(unlink("f"));
	again = OK(open_handle(&handle, O_RDONLY));	/* not gone yet */
	OK(close(again));
	OK(close(kept));
	FAILS(open_handle(&handle, O_RDONLY), ESTALE);
	handle.head.handle_bytes = 4;
	CHECK(open_handle(&handle, O_RDONLY) < 0);
}

TEST(small_buffers)
{
	struct handle handle = handle_of(".");
	int mount_id, bytes = (int)handle.head.handle_bytes;

	handle.head.handle_bytes = 0;
	FAILS(name_to_handle_at(AT_FDCWD, ".", &handle.head, &mount_id, 0), EOVERFLOW);
	EQUAL(handle.head.handle_bytes, bytes);
}
