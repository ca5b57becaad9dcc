// SPDX-License-Identifier: GPL-2.0
/*
 * FIFREEZE and FITHAW: who would change something waits, who reads does not, and all that was written is at the servers.
 * The whole mount is frozen: nothing else may run on it meanwhile. OTHER= names the same folder on another mount, which
 * goes on: what the frozen one holds is given back when it is asked for.
 */
#define _GNU_SOURCE
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "harness.h"

static int mount_fd;

static void freeze(void)
{
	int result;

	mount_fd = OK(open(".", O_RDONLY | O_DIRECTORY));
	result = ioctl(mount_fd, FIFREEZE, 0);

	if (result && errno == EOPNOTSUPP)
		test_skip("this file system cannot be frozen");
	OK(result);
}

static void thaw(void)
{
	OK(ioctl(mount_fd, FITHAW, 0));
}

/* What a process waits for is the lock that a thaw gives back. */
static bool stands_still(pid_t child)
{
	char path[64], where[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/wchan", child);
	file = fopen(path, "r");
	CHECK(file);
	if (!fgets(where, sizeof(where), file))
		where[0] = 0;
	fclose(file);
	return strstr(where, "percpu_rwsem");
}

/* 0, or the errno with which another mount fails to read what this one has frozen. */
static int read_elsewhere(const char *name)
{
	char path[4096], byte, here[1024];
	int fd, err;

	if (!getenv("OTHER") || !getcwd(here, sizeof(here)))
		return 0;
	snprintf(path, sizeof(path), "%s/%s/%s", getenv("OTHER"), strrchr(here, '/') + 1, name);
	fd = open(path, O_RDONLY);
	err = fd < 0 || pread(fd, &byte, 1, 0) != 1 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * A child does this while the file system is frozen; it waits for the thaw, then goes on. There is a file "f", which another
 * mount, if there is one, reads meanwhile.
 */
static void waits_for_the_thaw(void (*run)(void))
{
	pid_t child, ended = 0;
	int err;

	make_file("f", 10000, 1);
	freeze();
	child = (pid_t)OK(fork());
	if (!child) {
		run();
		_exit(0);
	}
	while (!ended && !stands_still(child)) {
		usleep(1000);
		ended = waitpid(child, NULL, WNOHANG);
	}
	err = read_elsewhere("f");
	thaw();
	EQUAL(ended, 0);
	EQUAL(err, 0);
	test_join(child, 0);
}

static void write_more(void)
{
	int fd = OK(open("f", O_WRONLY));

	EQUAL(OK(pwrite(fd, "later", 5, 0)), 5);
	OK(close(fd));
}

TEST(a_write_waits)
{
	char text[5];
	int fd;

	waits_for_the_thaw(write_more);
	fd = OK(open("f", O_RDONLY));
	EQUAL(OK(pread(fd, text, 5, 0)), 5);
	CHECK(!memcmp(text, "later", 5));
	OK(close(fd));
}

static void make_folder(void)
{
	OK(mkdir("made", 0755));
}

TEST(a_new_name_waits)
{
	waits_for_the_thaw(make_folder);
	stat_of("made");
}

static char *map;

static void store(void)
{
	map[0] = 'm';
}

TEST(a_store_to_a_map_waits)
{
	char byte;
	int fd = OK(open("f", O_RDWR | O_CREAT, 0644));

	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	waits_for_the_thaw(store);
	EQUAL(OK(pread(fd, &byte, 1, 0)), 1);
	EQUAL(byte, 'm');
	OK(close(fd));
}

TEST(reads_go_on)
{
	static char bytes[10000], wanted[10000];
	ssize_t got = -1;
	int fd;

	make_file("f", sizeof(bytes), 1);
	pattern_fill(wanted, sizeof(wanted), 0, 1);
	freeze();
	fd = open("f", O_RDONLY);
	if (fd >= 0)
		got = pread(fd, bytes, sizeof(bytes), 0);
	thaw();
	EQUAL(got, sizeof(bytes));
	CHECK(!memcmp(bytes, wanted, sizeof(bytes)));
	OK(close(fd));
}

TEST(a_second_freeze_is_told)
{
	int result, err;

	freeze();
	result = ioctl(mount_fd, FIFREEZE, 0);
	err = errno;
	thaw();
	EQUAL(result, -1);
	EQUAL(err, EBUSY);
	FAILS(ioctl(mount_fd, FITHAW, 0), EINVAL);
}
