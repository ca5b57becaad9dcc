// SPDX-License-Identifier: GPL-2.0
/*
 * Owner, mode, times, extended attributes, statfs, and that permissions are enforced.
 */
#define _GNU_SOURCE
#include "harness.h"

#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/xattr.h>

static struct timespec ts(time_t seconds, long nanoseconds)
{
	return (struct timespec){ .tv_sec = seconds, .tv_nsec = nanoseconds };
}

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static void tick(void)
{
	usleep(20000); /* longer than the granularity of the kernel's coarse clock */
}

TEST(mode)
{
	static const mode_t modes[] = { 0, 0644, 0777, 01777, 04755, 02755, 0600 };

	make_file("f", 1, 1);
	OK(mkdir("d", 0755));
	for (unsigned int i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		OK(chmod("f", modes[i]));
		EQUAL(stat_of("f").st_mode, S_IFREG | modes[i]);
		OK(chmod("d", modes[i]));
		EQUAL(stat_of("d").st_mode, S_IFDIR | modes[i]);
	}
}

/* statx says when a file was made; nothing moves that. */
TEST(birth_time)
{
	struct statx made, now;
	int fd;

	make_file("f", 10, 1);
	OK(statx(AT_FDCWD, "f", 0, STATX_BTIME, &made));
	if (!(made.stx_mask & STATX_BTIME))
		test_skip("no birth times here");
	tick();
	OK(chmod("f", 0600));
	OK(utimensat(AT_FDCWD, "f", (struct timespec[]){ ts(1000, 0), ts(2000, 0) }, 0));
	fd = OK(open("f", O_WRONLY | O_TRUNC));
	OK(fsync(fd));
	OK(close(fd));
	OK(rename("f", "g"));
	OK(statx(AT_FDCWD, "g", AT_STATX_FORCE_SYNC, STATX_BTIME, &now));
	EQUAL(now.stx_btime.tv_sec, made.stx_btime.tv_sec);
	EQUAL(now.stx_btime.tv_nsec, made.stx_btime.tv_nsec);
	CHECK(now.stx_btime.tv_sec > 2000);
}

TEST(umask_at_creation)
{
	umask(027);
	OK(close((int)OK(open("f", O_CREAT | O_WRONLY, 0666))));
	OK(mkdir("d", 0777));
	EQUAL(stat_of("f").st_mode & 07777, 0640);
	EQUAL(stat_of("d").st_mode & 07777, 0750);
}

TEST(owner)
{
	make_file("f", 1, 1);
	OK(chmod("f", 06755));
	OK(chown("f", 1000, 2000));
	EQUAL(stat_of("f").st_uid, 1000);
	EQUAL(stat_of("f").st_gid, 2000);
	EQUAL(stat_of("f").st_mode & 07000, 0); /* set-id bits go */
	OK(chown("f", (uid_t)-1, 4294967294u));
	EQUAL(stat_of("f").st_uid, 1000);
	EQUAL(stat_of("f").st_gid, 4294967294u);
	OK(symlink("f", "s"));
	OK(lchown("s", 5, 6));
	EQUAL(stat_of("s").st_uid, 5);
	EQUAL(stat_of("f").st_uid, 1000);
}

TEST(set_group_folder_is_inherited)
{
	OK(mkdir("d", 0755));
	OK(chown("d", 0, 2000));
	OK(chmod("d", 02775));
	make_file("d/f", 1, 1);
	OK(mkdir("d/e", 0755));
	EQUAL(stat_of("d/f").st_gid, 2000);
	EQUAL(stat_of("d/e").st_gid, 2000);
	EQUAL(stat_of("d/e").st_mode & 07777, 02755);
}

TEST(permissions_are_enforced)
{
	make_file("f", 1, 1);
	OK(chmod("f", 0640));
	OK(mkdir("d", 0700));
	make_file("d/inner", 1, 1);
	become_user(1000);
	FAILS(open("f", O_RDONLY), EACCES);
	FAILS(open("d/inner", O_RDONLY), EACCES);
	FAILS(open("new", O_CREAT | O_WRONLY, 0644), EACCES);
	FAILS(chmod("f", 0666), EPERM);
	FAILS(chown("f", 1000, 1000), EPERM);
	become_user(0);
	OK(chmod("f", 0644));
	become_user(1000);
	OK(close((int)OK(open("f", O_RDONLY))));
	become_user(0);
}

TEST(times_set_exactly)
{
	static const struct timespec times[][2] = {
		{ { 0, 0 }, { 1, 1 } },
		{ { 1700000000, 123456789 }, { 1600000000, 999999999 } },
		{ { 4294967296, 5 }, { 9000000000, 7 } }, /* past 32 bits */
		{ { -1, 500000000 }, { -2000000000, 0 } },  /* before 1970 */
	};

	make_file("f", 1, 1);
	for (unsigned int i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct stat st;

		OK(utimensat(AT_FDCWD, "f", times[i], 0));
		st = stat_of("f");
		EQUAL(st.st_atim.tv_sec, times[i][0].tv_sec);
		EQUAL(st.st_atim.tv_nsec, times[i][0].tv_nsec);
		EQUAL(st.st_mtim.tv_sec, times[i][1].tv_sec);
		EQUAL(st.st_mtim.tv_nsec, times[i][1].tv_nsec);
	}
}

TEST(times_survive_later_changes)
{
	struct timespec set[2] = { ts(1000000000, 1), ts(1000000000, 2) };
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	EQUAL(write(fd, "data", 4), 4);
	OK(futimens(fd, set)); /* as tar does: write, set times, change owner and mode, close */
	OK(fchown(fd, 3, 4));
	OK(fchmod(fd, 0600));
	OK(close(fd));
	EQUAL(stat_of("f").st_mtim.tv_sec, 1000000000);
	EQUAL(stat_of("f").st_mtim.tv_nsec, 2);
	fd = OK(open("f", O_RDONLY));
	OK(fsync(fd));
	OK(close(fd));
	EQUAL(stat_of("f").st_mtim.tv_nsec, 2);
}

TEST(what_moves_which_time)
{
	struct stat before, after;
	int fd;

	OK(mkdir("d", 0755));
	make_file("d/f", 100, 1);
	before = stat_of("d/f");
	tick();
	OK(chmod("d/f", 0600));
	after = stat_of("d/f");
	CHECK(later(after.st_ctim, before.st_ctim));
	EQUAL(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	tick();
	before = after;
	fd = OK(open("d/f", O_WRONLY | O_APPEND));
	EQUAL(write(fd, "x", 1), 1);
	OK(close(fd));
	after = stat_of("d/f");
	CHECK(later(after.st_mtim, before.st_mtim));
	CHECK(later(after.st_ctim, before.st_ctim));
	before = stat_of("d");
	tick();
	OK(unlink("d/f"));
	CHECK(later(stat_of("d").st_mtim, before.st_mtim));
	before = stat_of("d");
	tick();
	make_file("d/g", 1, 1);
	CHECK(later(stat_of("d").st_mtim, before.st_mtim));
}

TEST(write_clears_set_id)
{
	int fd;

	make_file("f", 10, 1);
	OK(chown("f", 1000, 1000));
	OK(chmod("f", 06777));
	become_user(1000);
	fd = OK(open("f", O_WRONLY));
	EQUAL(write(fd, "x", 1), 1);
	OK(close(fd));
	become_user(0);
	EQUAL(stat_of("f").st_mode & 07777, 0777);
}

TEST(xattrs)
{
	char value[4000], got[8192];
	ssize_t bytes;
	int set;

	make_file("f", 1, 1);
	set = setxattr("f", "user.a", "one", 3, 0);
	if (set && errno == EOPNOTSUPP)
		test_skip("no user attributes on this file system");
	OK(set);
	EQUAL(getxattr("f", "user.a", got, sizeof(got)), 3);
	CHECK(memcmp(got, "one", 3) == 0);
	FAILS(setxattr("f", "user.a", "two", 3, XATTR_CREATE), EEXIST);
	FAILS(setxattr("f", "user.b", "two", 3, XATTR_REPLACE), ENODATA);
	OK(setxattr("f", "user.a", "", 0, XATTR_REPLACE));
	EQUAL(getxattr("f", "user.a", got, sizeof(got)), 0);
	pattern_fill(value, sizeof(value), 0, 1);
	OK(setxattr("f", "user.big", value, sizeof(value), 0));
	EQUAL(getxattr("f", "user.big", NULL, 0), sizeof(value));
	FAILS(getxattr("f", "user.big", got, 10), ERANGE);
	EQUAL(getxattr("f", "user.big", got, sizeof(got)), sizeof(value));
	CHECK(memcmp(got, value, sizeof(value)) == 0);
	bytes = OK(listxattr("f", got, sizeof(got)));
	CHECK(memmem(got, (size_t)bytes, "user.a", 7));
	CHECK(memmem(got, (size_t)bytes, "user.big", 9));
	OK(removexattr("f", "user.a"));
	FAILS(getxattr("f", "user.a", got, sizeof(got)), ENODATA);
	FAILS(removexattr("f", "user.a"), ENODATA);
	OK(setxattr("f", "trusted.t", "x", 1, 0));
	OK(mkdir("d", 0755));
	OK(setxattr("d", "user.d", "dir", 3, 0));
	EQUAL(getxattr("d", "user.d", got, sizeof(got)), 3);
	OK(rename("f", "g"));
	EQUAL(getxattr("g", "user.big", NULL, 0), sizeof(value));
}

TEST(statfs_makes_sense)
{
	struct statvfs st;

	OK(statvfs(".", &st));
	CHECK(st.f_bsize >= 512);
	CHECK(st.f_blocks > 0);
	CHECK(st.f_bfree <= st.f_blocks);
	CHECK(st.f_bavail <= st.f_bfree);
	EQUAL(st.f_namemax, 255);
}

TEST(sizes_and_blocks)
{
	make_file("f", 100000, 1);
	OK(close((int)OK(open("f", O_RDONLY))));
	EQUAL(stat_of("f").st_size, 100000);
	CHECK(stat_of("f").st_blocks * 512 >= 98304);
	EQUAL(stat_of("f").st_nlink, 1);
	CHECK(stat_of("f").st_blksize >= 4096);
}
