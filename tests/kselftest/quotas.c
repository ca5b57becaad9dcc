// SPDX-License-Identifier: GPL-2.0
/*
 * Quotas of directory trees: the attributes that set and show them, what is counted, what is refused with EDQUOT,
 * what statfs says inside. Needs nacre: elsewhere all of it is skipped.
 */
#define _GNU_SOURCE
#include "harness.h"

#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#define MAX_BYTES "nacre.quota.max_bytes"
#define MAX_FILES "nacre.quota.max_files"
#define BYTES "nacre.quota.bytes"
#define FILES "nacre.quota.files"
#define MB (1 << 20)

static int set(const char *dir, const char *name, const char *value)
{
	return setxattr(dir, name, value, strlen(value), 0);
}

static void make_limited(const char *dir, const char *bytes, const char *files)
{
	OK(mkdir(dir, 0755));
	if (bytes && set(dir, MAX_BYTES, bytes) && errno == EOPNOTSUPP)
		test_skip("no quotas here");
	if (files && set(dir, MAX_FILES, files) && errno == EOPNOTSUPP)
		test_skip("no quotas here");
}

static long long get(const char *dir, const char *name)
{
	char text[32] = "";
	long length = OK(getxattr(dir, name, text, sizeof(text) - 1));

	EQUAL(length, strlen(text));
	return atoll(text);
}

static int open_new(const char *path)
{
	return open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
}

static void make_empty(const char *path)
{
	OK(close((int)OK(open_new(path))));
}

/* Archivers are not to find them. A security module may have given the directory a label. */
static void is_not_listed(const char *path)
{
	char names[1024];
	ssize_t at, bytes = OK(listxattr(path, names, sizeof(names)));

	for (at = 0; at < bytes; at += (ssize_t)strlen(names + at) + 1)
		if (strncmp(names + at, "nacre.", 6) == 0)
			test_fail(__FILE__, __LINE__, "%s lists %s", path, names + at);
}

TEST(attributes)
{
	char text[4];

	make_limited("d", "10K", NULL);
	EQUAL(get("d", MAX_BYTES), 10240);
	EQUAL(get("d", BYTES), 0);
	EQUAL(get("d", FILES), 0);
	FAILS(getxattr("d", MAX_FILES, text, sizeof(text)), ENODATA);
	FAILS(getxattr("d", MAX_BYTES, text, sizeof(text)), ERANGE);
	EQUAL(OK(getxattr("d", MAX_BYTES, NULL, 0)), 5);
	FAILS(set("d", MAX_BYTES, "much"), EINVAL);
	FAILS(set("d", BYTES, "1"), EPERM);
	FAILS(set("d", "nacre.quota.other", "1"), EOPNOTSUPP);
	OK(set("d", MAX_FILES, "7"));
	EQUAL(get("d", MAX_FILES), 7);
	is_not_listed("d");
	OK(mkdir("d/sub", 0755));
	FAILS(getxattr("d/sub", MAX_BYTES, text, sizeof(text)), ENODATA);
	EQUAL(get("d", FILES), 1);
	OK(mkdir("full", 0755));
	OK(mkdir("full/sub", 0755));
	FAILS(set("full", MAX_FILES, "7"), ENOTEMPTY);
	OK(removexattr("d", MAX_FILES));
	FAILS(removexattr("d", MAX_FILES), ENODATA);
	OK(set("d", MAX_BYTES, "0"));
	FAILS(getxattr("d", BYTES, text, sizeof(text)), ENODATA);
	make_file("d/large", 100000, 1);
}

/* Not even who owns the directory may set what limits him. */
TEST(administrator)
{
	make_limited("d", NULL, "7");
	OK(chown("d", 1000, 1000));
	become_user(1000);
	FAILS(set("d", MAX_FILES, "8"), EPERM);
	FAILS(removexattr("d", MAX_FILES), EPERM);
	EQUAL(get("d", MAX_FILES), 7);
	become_user(0);
}

TEST(files)
{
	make_limited("d", NULL, "4");
	OK(mkdir("d/sub", 0755));
	make_empty("d/sub/f");
	OK(symlink("target", "d/link"));
	OK(mknod("d/fifo", S_IFIFO | 0600, 0));
	EQUAL(get("d", FILES), 4);
	FAILS(open_new("d/more"), EDQUOT);
	FAILS(mkdir("d/sub/more", 0755), EDQUOT);
	FAILS(symlink("target", "d/more"), EDQUOT);
	FAILS(mknod("d/more", S_IFIFO | 0600, 0), EDQUOT);
	CHECK(!exists("d/more"));
	/* another name is no other file */
	OK(link("d/sub/f", "d/name"));
	OK(unlink("d/sub/f"));
	EQUAL(get("d", FILES), 4);
	OK(unlink("d/name"));
	EQUAL(get("d", FILES), 3);
	make_empty("d/more");
	make_empty("outside");
	FAILS(rename("outside", "d/outside"), EDQUOT);
	OK(rename("outside", "d/more"));
	EQUAL(get("d", FILES), 4);
}

TEST(bytes)
{
	static char buf[MB];
	int fd;

	make_limited("d", "4M", NULL);
	fd = (int)OK(open_new("d/f"));
	for (int i = 0; i < 4; i++)
		EQUAL(OK(write(fd, buf, sizeof(buf))), sizeof(buf));
	FAILS(write(fd, buf, sizeof(buf)), EDQUOT);
	/* what is there may be written again */
	EQUAL(OK(pwrite(fd, buf, sizeof(buf), MB)), sizeof(buf));
	OK(fsync(fd));
	EQUAL(get("d", BYTES), 4 * MB);
	FAILS(ftruncate(fd, 4 * MB + 1), EDQUOT);
	FAILS(fallocate(fd, 0, 4 * MB, 1), EDQUOT);
	OK(ftruncate(fd, MB));
	EQUAL(get("d", BYTES), MB);
	EQUAL(OK(pwrite(fd, buf, sizeof(buf), MB)), sizeof(buf));
	OK(close(fd));
	OK(unlink("d/f"));
	EQUAL(get("d", BYTES), 0);
	make_file("d/g", 4 * MB, 1);
	check_file("d/g", 4 * MB, 1);
}

/* Many files, each closed before the next: what was granted ahead of their sizes is nobody's loss. */
TEST(many_files)
{
	static char buf[64 << 10];
	char name[32];
	int i, fd, err = 0;

	make_limited("d", "2M", NULL);
	for (i = 0; i < 40 && !err; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		fd = (int)OK(open_new(name));
		if (write(fd, buf, sizeof(buf)) != sizeof(buf))
			err = errno;
		OK(close(fd));
	}
	EQUAL(err, EDQUOT);
	EQUAL(i, 33);
	EQUAL(get("d", BYTES), 2 * MB);
}

/* A file that is removed counts no more, though it is open. */
TEST(removed_while_open)
{
	static char buf[MB];
	int fd;

	make_limited("d", "1M", "1");
	fd = (int)OK(open_new("d/f"));
	EQUAL(OK(write(fd, buf, sizeof(buf))), sizeof(buf));
	OK(unlink("d/f"));
	EQUAL(get("d", FILES), 0);
	EQUAL(get("d", BYTES), 0);
	make_file("d/g", MB, 1);
	OK(close(fd));
	EQUAL(get("d", BYTES), MB);
}

TEST(between_trees)
{
	make_limited("a", "1M", NULL);
	make_limited("b", "1M", NULL);
	OK(mkdir("a/dir", 0755));
	make_file("a/f", 1000, 1);
	EQUAL(get("a", BYTES), 1000);
	OK(rename("a/f", "b/f"));
	EQUAL(get("a", BYTES), 0);
	EQUAL(get("b", BYTES), 1000);
	check_file("b/f", 1000, 1);
	OK(rename("a/dir", "b/dir"));
	OK(rename("b/f", "b/dir/f"));
	FAILS(rename("b/dir", "a/dir"), EXDEV);
	FAILS(rename("b/dir", "dir"), EXDEV);
	FAILS(link("b/dir/f", "a/link"), EXDEV);
	OK(rename("b", "a/b"));
	EQUAL(get("a", BYTES), 1000);
	EQUAL(get("a", FILES), 3);
	EQUAL(get("a/b", FILES), 2);
	OK(rename("a/b", "b"));
	EQUAL(get("a", FILES), 0);
}

TEST(space)
{
	struct statvfs st, all;

	make_limited("d", "8M", "100");
	make_file("d/f", 2 * MB, 1);
	OK(mkdir("d/sub", 0755));
	OK(statvfs("d/sub", &st));
	EQUAL((unsigned long long)st.f_blocks * st.f_frsize, 8 * MB);
	EQUAL((unsigned long long)st.f_bavail * st.f_frsize, 6 * MB);
	EQUAL(st.f_files, 100);
	EQUAL(st.f_ffree, 98);
	OK(statvfs(".", &all));
	CHECK(all.f_blocks > st.f_blocks);
}
