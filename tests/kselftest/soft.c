// SPDX-License-Identifier: GPL-2.0
/*
 * A mount with a soft limit whose servers have gone: every call ends, and says ETIMEDOUT. The suite takes servers away and
 * brings them back between the steps:
 *
 *   soft prepare DIR     with all servers
 *   soft data DIR        without object servers
 *   soft names DIR       without the metadata server
 *   soft after DIR       with all of them again: nothing is stuck, and what was written before is there
 */
#include "harness.h"

enum { BYTES = 1 << 20 };

static void prepare(void)
{
	int fd;

	make_file("kept", BYTES, 1);
	make_file("cut", BYTES, 1);
	OK(mkdir("folder", 0755));
	fd = OK(open("kept", O_RDONLY));
	OK(syncfs(fd));
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	OK(close(fd));
}

static void data(void)
{
	static char buf[BYTES];
	int fd = OK(open("kept", O_RDONLY));

	/* buffered reads have their own word for it: the page could not be had */
	CHECK(pread(fd, buf, BYTES, 0) < 0 && (errno == ETIMEDOUT || errno == EIO));
	OK(close(fd));
	fd = OK(open("kept", O_RDONLY | O_DIRECT));
	FAILS(pread(fd, (void *)(((uintptr_t)buf + 4095) & ~4095ul), 8192, 0), ETIMEDOUT);
	OK(close(fd));
	fd = OK(open("lost", O_CREAT | O_RDWR, 0644));
	EQUAL(pwrite(fd, buf, BYTES, 0), BYTES);
	CHECK(fsync(fd) < 0 && (errno == ETIMEDOUT || errno == EIO));
	FAILS(fsync(fd), ETIMEDOUT); /* the bytes are given up and told of; now it is the journal that has no place */
	OK(close(fd));
}

static void names(void)
{
	int fd = OK(open(".", O_RDONLY));

	FAILS(mkdir("folder/new", 0755), ETIMEDOUT);
	FAILS(truncate("cut", 10), ETIMEDOUT);
	FAILS(syncfs(fd), ETIMEDOUT);
	OK(close(fd));
}

static void after(void)
{
	struct stat st;
	int fd;

	check_file("kept", BYTES, 1);
	/* a change that nobody has answered may have been made or not */
	st = stat_of("cut");
	CHECK(st.st_size == BYTES || st.st_size == 10);
	if (exists("folder/new"))
		OK(rmdir("folder/new"));
	OK(rmdir("folder"));
	make_file("lost", BYTES, 2);
	fd = OK(open("lost", O_RDONLY));
	OK(fsync(fd));
	OK(close(fd));
	check_file("lost", BYTES, 2);
	OK(unlink("lost"));
	OK(unlink("kept"));
	OK(unlink("cut"));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} steps[] = { { "prepare", prepare }, { "data", data }, { "names", names }, { "after", after } };

	for (unsigned int i = 0; argc == 3 && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!strcmp(argv[1], steps[i].name)) {
			OK(chdir(argv[2]));
			steps[i].run();
			return 0;
		}
	fprintf(stderr, "usage: soft prepare|data|names|after DIR\n");
	return 2;
}
