// SPDX-License-Identifier: GPL-2.0
/*
 * Hard links across folders, link counts, files that are unlinked while open, and inodes that are neither file nor
 * folder.
 */
#define _GNU_SOURCE
#include "harness.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

TEST(links_across_folders)
{
	OK(mkdir("p", 0755));
	OK(mkdir("q", 0755));
	make_file("p/a", 5000, 1);
	OK(link("p/a", "q/b"));
	OK(link("q/b", "c"));
	EQUAL(stat_of("p/a").st_nlink, 3);
	EQUAL(stat_of("q/b").st_ino, stat_of("p/a").st_ino);
	make_file("q/b", 6000, 2); /* truncates and writes the one inode */
	check_file("p/a", 6000, 2);
	check_file("c", 6000, 2);
	OK(chmod("c", 0600));
	EQUAL(stat_of("p/a").st_mode & 07777, 0600);
	OK(unlink("p/a"));
	EQUAL(stat_of("c").st_nlink, 2);
	OK(unlink("q/b"));
	EQUAL(stat_of("c").st_nlink, 1);
	check_file("c", 6000, 2);
}

TEST(link_errors)
{
	make_file("a", 1, 1);
	make_file("b", 1, 2);
	FAILS(link("a", "b"), EEXIST);
	FAILS(link("a", "none/b"), ENOENT);
	FAILS(link("a", "b/c"), ENOTDIR);
}

TEST(link_to_a_symlink)
{
	OK(symlink("target", "s"));
	OK(linkat(AT_FDCWD, "s", AT_FDCWD, "t", 0));
	EQUAL(stat_of("t").st_ino, stat_of("s").st_ino);
	CHECK(S_ISLNK(stat_of("t").st_mode));
}

TEST(many_links)
{
	enum { LINKS = 500 };
	char name[32];

	make_file("a", 10, 1);
	for (int i = 0; i < LINKS; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		OK(link("a", name));
	}
	EQUAL(stat_of("a").st_nlink, LINKS + 1);
	for (int i = 0; i < LINKS; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		OK(unlink(name));
	}
	EQUAL(stat_of("a").st_nlink, 1);
}

TEST(unlinked_while_open)
{
	static char buf[20000];
	struct stat st;
	int fd;

	make_file("a", 10000, 1);
	fd = OK(open("a", O_RDWR));
	OK(unlink("a"));
	CHECK(!exists("a"));
	OK(fstat(fd, &st));
	EQUAL(st.st_nlink, 0);
	EQUAL(st.st_size, 10000);
	pattern_fill(buf, 10000, 10000, 1);
	EQUAL(pwrite(fd, buf, 10000, 10000), 10000);
	OK(fsync(fd));
	EQUAL(pread(fd, buf, sizeof(buf), 0), 20000);
	EQUAL(pattern_compare(buf, 20000, 0, 1), -1);
	OK(ftruncate(fd, 5));
	OK(fchmod(fd, 0600));
	OK(fstat(fd, &st));
	EQUAL(st.st_size, 5);
	make_file("a", 3, 2); /* the name is free for another file */
	check_file("a", 3, 2);
	OK(close(fd));
	check_file("a", 3, 2);
}

/* O_TMPFILE: read and written like any file, no name until it is given one. */
TEST(file_without_a_name)
{
	char text[10], self[40];
	int fd = OK(open(".", O_TMPFILE | O_RDWR, 0640)), again;
	struct stat st;

	OK(fstat(fd, &st));
	EQUAL(st.st_nlink, 0);
	EQUAL(st.st_mode, S_IFREG | 0640);
	EQUAL(OK(write(fd, "nameless", 8)), 8);
	OK(fsync(fd));
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	again = OK(open(self, O_RDONLY));
	EQUAL(OK(pread(again, text, sizeof(text), 0)), 8);
	CHECK(!memcmp(text, "nameless", 8));
	OK(close(again));
	OK(mkdir("d", 0755));
	OK(linkat(AT_FDCWD, self, AT_FDCWD, "d/named", AT_SYMLINK_FOLLOW));
	FAILS(linkat(fd, "", AT_FDCWD, "d/named", AT_EMPTY_PATH), EEXIST);
	EQUAL(stat_of("d/named").st_ino, st.st_ino);
	EQUAL(stat_of("d/named").st_nlink, 1);
	EQUAL(OK(pwrite(fd, "NAME", 4, 0)), 4);
	OK(close(fd));
	fd = OK(open("d/named", O_RDONLY));
	EQUAL(OK(pread(fd, text, sizeof(text), 0)), 8);
	CHECK(!memcmp(text, "NAMEless", 8));
	OK(unlink("d/named"));
	FAILS(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH), ENOENT);
	OK(close(fd));
	OK(rmdir("d"));
}

TEST(files_without_a_name_that_stay_so)
{
	int fd = OK(open(".", O_TMPFILE | O_EXCL | O_WRONLY, 0600));
	int fds[50];

	EQUAL(OK(write(fd, "x", 1)), 1);
	FAILS(linkat(fd, "", AT_FDCWD, "a", AT_EMPTY_PATH), ENOENT);
	OK(close(fd));
	for (int i = 0; i < 50; i++) {
		fds[i] = OK(open(".", O_TMPFILE | O_RDWR, 0600));
		EQUAL(OK(pwrite(fds[i], &i, sizeof(i), 100000)), sizeof(i));
	}
	OK(linkat(fds[7], "", AT_FDCWD, "seven", AT_EMPTY_PATH));
	for (int i = 0; i < 50; i++)
		OK(close(fds[i]));
	EQUAL(stat_of("seven").st_size, 100000 + sizeof(int));
	OK(unlink("seven"));
}

TEST(removed_folder_while_open)
{
	struct stat st;
	int fd;

	OK(mkdir("d", 0755));
	fd = OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(rmdir("d"));
	OK(fstat(fd, &st));
	EQUAL(st.st_nlink, 0);
	FAILS(openat(fd, "x", O_CREAT | O_WRONLY, 0644), ENOENT);
	OK(close(fd));
}

TEST(folder_link_counts)
{
	OK(mkdir("d", 0755));
	EQUAL(stat_of("d").st_nlink, 2);
	OK(mkdir("d/a", 0755));
	OK(mkdir("d/b", 0755));
	make_file("d/f", 1, 1);
	EQUAL(stat_of("d").st_nlink, 4);
	OK(rmdir("d/a"));
	EQUAL(stat_of("d").st_nlink, 3);
}

TEST(special_files)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd;

	OK(mkfifo("fifo", 0640));
	CHECK(S_ISFIFO(stat_of("fifo").st_mode));
	OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	EQUAL(stat_of("null").st_rdev, makedev(1, 3));
	OK(mknod("block", S_IFBLK | 0600, makedev(259, 70000)));
	EQUAL(stat_of("block").st_rdev, makedev(259, 70000));
	OK(mknod("plain", S_IFREG | 0644, 0));
	EQUAL(stat_of("plain").st_size, 0);
	fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	CHECK(S_ISSOCK(stat_of("socket").st_mode));
	OK(close(fd));
	fd = OK(open("fifo", O_RDWR | O_NONBLOCK));
	EQUAL(write(fd, "x", 1), 1);
	OK(close(fd));
	OK(rename("fifo", "fifo2"));
	OK(unlink("fifo2"));
	OK(unlink("null"));
}
