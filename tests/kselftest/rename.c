// SPDX-License-Identifier: GPL-2.0
/*
 * rename(2) and renameat2(2): over what exists, across folders, its flags, its errors, and what open files see.
 */
#include "harness.h"

#include <sys/syscall.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#define RENAME_EXCHANGE	 (1 << 1)
#define RENAME_WHITEOUT	 (1 << 2)
#endif

static long rename_flags(const char *from, const char *to, unsigned int flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

TEST(file_over_file)
{
	struct stat before;

	make_file("a", 100, 1);
	make_file("b", 5000, 2);
	before = stat_of("a");
	OK(rename("a", "b"));
	CHECK(!exists("a"));
	check_file("b", 100, 1);
	EQUAL(stat_of("b").st_ino, before.st_ino);
	EQUAL(stat_of("b").st_nlink, 1);
}

TEST(open_target_lives_on)
{
	char buf[5000];
	int fd;

	make_file("a", 100, 1);
	make_file("b", 5000, 2);
	fd = OK(open("b", O_RDWR));
	OK(rename("a", "b"));
	EQUAL(read(fd, buf, sizeof(buf)), 5000);
	EQUAL(pattern_compare(buf, 5000, 0, 2), -1);
	pattern_fill(buf, 100, 5000, 2);
	EQUAL(write(fd, buf, 100), 100);
	EQUAL(pread(fd, buf, 100, 5000), 100);
	EQUAL(pattern_compare(buf, 100, 5000, 2), -1);
	OK(close(fd));
	check_file("b", 100, 1);
}

TEST(open_source_keeps_writing)
{
	char buf[100];
	int fd;

	make_file("a", 100, 1);
	fd = OK(open("a", O_RDWR | O_APPEND));
	OK(mkdir("d", 0755));
	OK(rename("a", "d/b"));
	pattern_fill(buf, 100, 100, 1);
	EQUAL(write(fd, buf, 100), 100);
	OK(close(fd));
	check_file("d/b", 200, 1);
}

TEST(onto_itself)
{
	make_file("a", 10, 1);
	OK(rename("a", "a"));
	OK(link("a", "b"));
	OK(rename("a", "b")); /* two links of one inode: nothing happens, both stay */
	EQUAL(stat_of("a").st_nlink, 2);
	EQUAL(stat_of("b").st_nlink, 2);
}

TEST(folders)
{
	OK(mkdir("a", 0755));
	make_file("a/f", 10, 1);
	OK(mkdir("b", 0755));
	OK(rename("a", "b")); /* over an empty folder */
	check_file("b/f", 10, 1);
	OK(mkdir("c", 0755));
	make_file("c/g", 1, 1);
	FAILS(rename("b", "c"), ENOTEMPTY);
	make_file("file", 1, 1);
	FAILS(rename("b", "file"), ENOTDIR);
	FAILS(rename("file", "b"), EISDIR);
	FAILS(rename("none", "x"), ENOENT);
	OK(mkdir("b/inner", 0755));
	FAILS(rename("b", "b/inner/b"), EINVAL);
	FAILS(rename("b/inner", "b"), ENOTEMPTY);
}

TEST(folder_between_parents)
{
	OK(mkdir("p", 0755));
	OK(mkdir("q", 0755));
	OK(mkdir("p/d", 0755));
	make_file("p/d/f", 10, 3);
	EQUAL(stat_of("p").st_nlink, 3);
	EQUAL(stat_of("q").st_nlink, 2);
	OK(rename("p/d", "q/e"));
	EQUAL(stat_of("p").st_nlink, 2);
	EQUAL(stat_of("q").st_nlink, 3);
	EQUAL(stat_of("q/e/..").st_ino, stat_of("q").st_ino);
	check_file("q/e/f", 10, 3);
}

TEST(noreplace)
{
	make_file("a", 10, 1);
	make_file("b", 10, 2);
	FAILS(rename_flags("a", "b", RENAME_NOREPLACE), EEXIST);
	check_file("b", 10, 2);
	OK(rename_flags("a", "c", RENAME_NOREPLACE));
	CHECK(!exists("a"));
	check_file("c", 10, 1);
}

TEST(exchange)
{
	ino_t file, folder;

	make_file("file", 10, 1);
	OK(mkdir("p", 0755));
	OK(mkdir("p/folder", 0755));
	make_file("p/folder/f", 10, 2);
	file = stat_of("file").st_ino;
	folder = stat_of("p/folder").st_ino;
	OK(rename_flags("file", "p/folder", RENAME_EXCHANGE));
	EQUAL(stat_of("file").st_ino, folder);
	EQUAL(stat_of("p/folder").st_ino, file);
	check_file("file/f", 10, 2);
	check_file("p/folder", 10, 1);
	EQUAL(stat_of("p").st_nlink, 2);
	FAILS(rename_flags("file", "none", RENAME_EXCHANGE), ENOENT);
	FAILS(rename_flags("file", "p", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	OK(mkdir("file/inner", 0755));
	FAILS(rename_flags("file", "file/inner", RENAME_EXCHANGE), EINVAL);
}

TEST(one_link_over_another_file)
{
	make_file("a", 10, 1);
	OK(link("a", "a2"));
	make_file("b", 10, 2);
	OK(link("b", "b2"));
	OK(rename("a", "b"));
	EQUAL(stat_of("b").st_nlink, 2);
	EQUAL(stat_of("b2").st_nlink, 1);
	check_file("a2", 10, 1);
	check_file("b2", 10, 2);
}

TEST(sticky_folder)
{
	OK(mkdir("sticky", 0777));
	OK(chmod("sticky", 01777));
	make_file("sticky/mine", 1, 1);
	become_user(1000);
	FAILS(rename("sticky/mine", "sticky/theirs"), EPERM);
	FAILS(unlink("sticky/mine"), EPERM);
	become_user(0);
}

TEST(many_times_around)
{
	char from[16], to[16];

	make_file("n0", 4097, 9);
	for (int i = 0; i < 300; i++) {
		snprintf(from, sizeof(from), "n%d", i % 7);
		snprintf(to, sizeof(to), "n%d", (i + 1) % 7);
		OK(rename(from, to));
		CHECK(!exists(from));
	}
	check_file(to, 4097, 9);
}
