// SPDX-License-Identifier: GPL-2.0
/*
 * A mount that is shut down by ioctl; the suite unmounts it afterwards, and looks from another one what is left.
 *
 *   shutdown sync DIR          first everything is written back; afterwards every call says EIO
 *   shutdown after-sync DIR    all of it is there
 *   shutdown now DIR           nothing is written back any more
 *   shutdown after-now DIR     what was synced before is there
 */
#include <sys/ioctl.h>
#include "harness.h"

#define SHUTDOWN _IOR('X', 125, uint32_t)

/* A file system may keep small files in their inodes, and bring them back another way. */
enum { BYTES = 300000, SMALL_BYTES = 1500 };

static void make_synced(const char *name, size_t bytes)
{
	int fd;

	make_file(name, bytes, 1);
	fd = OK(open(name, O_RDONLY));
	OK(fsync(fd));
	OK(close(fd));
}

static void shut_down(uint32_t how)
{
	int here = OK(open(".", O_RDONLY)), file = OK(open("kept", O_RDWR));
	uint32_t wrong = 3;
	char byte = 0;

	FAILS(ioctl(here, SHUTDOWN, &wrong), EINVAL);
	FAILS(ioctl(here, SHUTDOWN, NULL), EFAULT);
	OK(ioctl(here, SHUTDOWN, &how));
	FAILS(mkdir("late", 0755), EIO);
	FAILS(open("late", O_CREAT | O_WRONLY, 0644), EIO);
	FAILS(pwrite(file, &byte, 1, 0), EIO);
	FAILS(pread(file, &byte, 1, 0), EIO);
	FAILS(syncfs(here), EIO);
	FAILS(fsync(file), EIO);
}

static void sync_it(void)
{
	make_synced("kept", BYTES);
	make_synced("small", SMALL_BYTES);
	make_file("unsynced", BYTES, 1);
	make_file("unsynced-small", SMALL_BYTES, 1);
	shut_down(0);
}

static void now(void)
{
	make_synced("kept", BYTES);
	make_synced("small", SMALL_BYTES);
	make_file("lost", BYTES, 1);
	make_file("lost-small", SMALL_BYTES, 1);
	shut_down(2);
}

static void after(void)
{
	check_file("kept", BYTES, 1);
	check_file("small", SMALL_BYTES, 1);
	FAILS(access("late", F_OK), ENOENT);
}

static void after_sync(void)
{
	after();
	check_file("unsynced", BYTES, 1);
	check_file("unsynced-small", SMALL_BYTES, 1);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} steps[] = { { "sync", sync_it }, { "after-sync", after_sync }, { "now", now }, { "after-now", after } };

	for (unsigned int i = 0; argc == 3 && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!strcmp(argv[1], steps[i].name)) {
			OK(chdir(argv[2]));
			steps[i].run();
			return 0;
		}
	fprintf(stderr, "usage: shutdown sync|after-sync|now|after-now DIR\n");
	return 2;
}
