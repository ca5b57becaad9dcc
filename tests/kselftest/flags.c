// SPDX-License-Identifier: GPL-2.0
/*
 * The attributes of chattr(1): what immutable and append-only files and folders refuse, who may set them, and that they are
 * kept and shown. OTHER= names the same folder on another mount, which is held to what this one has set.
 */
#define _GNU_SOURCE
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include "harness.h"

static int set(const char *path, int flags)
{
	int fd = (int)OK(open(path, O_RDONLY)), result, err;

	result = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	err = errno;
	OK(close(fd));
	errno = err;
	return result;
}

static int get(const char *path)
{
	int fd = (int)OK(open(path, O_RDONLY)), flags = 0;

	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	OK(close(fd));
	return flags;
}

/* A file that may be marked, or the test is none. */
static void make(const char *name)
{
	make_file(name, 5000, 1);
	if (set(name, 0) && (errno == EOPNOTSUPP || errno == ENOTTY))
		test_skip("no attributes of chattr here");
}

static const char *elsewhere(const char *name)
{
	static char path[4096];
	char here[1024];

	OK(getcwd(here, sizeof(here)) ? 0 : -1);
	snprintf(path, sizeof(path), "%s/%s/%s", getenv("OTHER"), strrchr(here, '/') + 1, name);
	return path;
}

static void refuses_changes(const char *name)
{
	FAILS(truncate(name, 1), EPERM);
	FAILS(chmod(name, 0600), EPERM);
	FAILS(chown(name, 1, 1), EPERM);
	FAILS(open(name, O_RDWR), EPERM);
	FAILS(open(name, O_WRONLY | O_TRUNC), EPERM);
	FAILS(setxattr(name, "user.x", "1", 1, 0), EPERM);
	FAILS(unlink(name), EPERM);
}

TEST(immutable_file)
{
	int fd;

	make("f");
	make_file("g", 1, 1);
	fd = (int)OK(open("f", O_RDWR));
	OK(set("f", FS_IMMUTABLE_FL));
	refuses_changes("f");
	FAILS(open("f", O_WRONLY | O_APPEND), EPERM);
	FAILS(link("f", "h"), EPERM);
	FAILS(rename("f", "h"), EPERM);
	FAILS(rename("g", "f"), EPERM);
	FAILS(utimensat(AT_FDCWD, "f", NULL, 0), EPERM);
	/* not even who had it open before */
	FAILS(pwrite(fd, "x", 1, 0), EPERM);
	FAILS(ftruncate(fd, 0), EPERM);
	OK(close(fd));
	check_file("f", 5000, 1);
	OK(set("f", 0));
	OK(truncate("f", 1));
	OK(unlink("f"));
}

TEST(append_only_file)
{
	int fd;

	make("f");
	OK(set("f", FS_APPEND_FL));
	refuses_changes("f");
	FAILS(rename("f", "h"), EPERM);
	fd = (int)OK(open("f", O_WRONLY | O_APPEND));
	EQUAL(OK(write(fd, "more", 4)), 4);
	OK(close(fd));
	EQUAL(stat_of("f").st_size, 5004);
	OK(utimensat(AT_FDCWD, "f", NULL, 0));
	OK(set("f", 0));
	OK(unlink("f"));
}

TEST(folders)
{
	make("f");
	OK(mkdir("d", 0755));
	make_file("d/old", 1, 1);
	OK(set("d", FS_APPEND_FL));
	make_file("d/new", 1, 1);
	FAILS(unlink("d/old"), EPERM);
	FAILS(rename("d/old", "d/other"), EPERM);
	OK(set("d", FS_IMMUTABLE_FL));
	FAILS(open("d/more", O_CREAT | O_WRONLY, 0644), EPERM);
	FAILS(mkdir("d/more", 0755), EPERM);
	FAILS(symlink("t", "d/more"), EPERM);
	FAILS(link("f", "d/more"), EPERM);
	FAILS(rename("f", "d/more"), EPERM);
	FAILS(unlink("d/old"), EPERM);
	FAILS(rmdir("d"), EPERM);
	/* what is in it may be written */
	make_file("d/old", 2, 2);
	OK(set("d", 0));
	OK(unlink("d/old"));
}

TEST(privilege)
{
	int fd, flags = FS_IMMUTABLE_FL;

	make("f");
	OK(chown("f", 1000, 1000));
	fd = (int)OK(open("f", O_RDONLY));
	become_user(1000);
	FAILS(ioctl(fd, FS_IOC_SETFLAGS, &flags), EPERM);
	flags = FS_NODUMP_FL;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	become_user(0);
	become_user(1001);
	flags = 0;
	CHECK(ioctl(fd, FS_IOC_SETFLAGS, &flags) && (errno == EACCES || errno == EPERM));
	become_user(0);
	EQUAL(get("f"), FS_NODUMP_FL);
	OK(close(fd));
}

TEST(shown)
{
	const int all = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NOATIME_FL | FS_NODUMP_FL | FS_SYNC_FL;
	struct statx st;

	make("f");
	FAILS(set("f", FS_COMPR_FL), EOPNOTSUPP);
	OK(set("f", all));
	EQUAL(get("f"), all);
	OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &st));
	EQUAL(st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP),
	      STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP);
	OK(set("f", 0));
	EQUAL(get("f"), 0);
	OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &st));
	EQUAL(st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP), 0);
	EQUAL(st.stx_attributes_mask & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP),
	      STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP);
}

/* The other mount had the file open and its attributes at hand; in the next call it is held to what was set here, both ways. */
TEST(other_mount)
{
	char byte = 'x';
	int fd;

	if (!getenv("OTHER"))
		test_skip("no other mount");
	make("f");
	OK(mkdir("d", 0755));
	fd = (int)OK(open(elsewhere("f"), O_RDWR));
	EQUAL(OK(pwrite(fd, &byte, 1, 0)), 1);
	for (int i = 0; i < 3; i++) {
		EQUAL(stat_of(elsewhere("f")).st_size, 5000);
		OK(set("f", FS_IMMUTABLE_FL));
		FAILS(open(elsewhere("f"), O_RDWR), EPERM);
		FAILS(chmod(elsewhere("f"), 0600), EPERM);
		FAILS(setxattr(elsewhere("f"), "user.x", "1", 1, 0), EPERM);
		FAILS(unlink(elsewhere("f")), EPERM);
		EQUAL(get(elsewhere("f")), FS_IMMUTABLE_FL);
		FAILS(pwrite(fd, &byte, 1, 0), EPERM);
		OK(set(elsewhere("f"), FS_APPEND_FL));
		FAILS(open("f", O_RDWR), EPERM);
		OK(close((int)OK(open("f", O_WRONLY | O_APPEND))));
		OK(set("f", 0));
		OK(chmod(elsewhere("f"), 0600 + i));
		OK(setxattr(elsewhere("f"), "user.x", "1", 1, 0));
		OK(close((int)OK(open(elsewhere("f"), O_RDWR))));
		EQUAL(OK(pwrite(fd, &byte, 1, 0)), 1);
		OK(set("d", FS_IMMUTABLE_FL));
		FAILS(open(elsewhere("d/g"), O_CREAT | O_WRONLY, 0644), EPERM);
		OK(set("d", 0));
		make_file(elsewhere("d/g"), 1, 1);
		OK(unlink("d/g"));
	}
	OK(close(fd));
}
