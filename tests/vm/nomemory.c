// SPDX-License-Identifier: GPL-2.0
/*
 * nacre without memory (failing.h). Needs the debug kernel; FIRST and LAST are the module's text as /proc/modules and
 * its size say.
 *
 *	nomemory load FILE                            each allocation of the module's loading fails once
 *	nomemory calls FIRST LAST SOURCE DIR          each allocation of each kind of system call, of mount and umount
 *	nomemory rounds FIRST LAST SOURCE DIR         at random, the module's workers' included: mount, write, read, umount
 *	nomemory during FIRST LAST PERCENT INTERVAL COMMAND...
 *	                                              at random while a command runs, one in INTERVAL with PERCENT
 *
 * A call may fail with ENOMEM and with nothing else, and works as soon as there is memory again. What was written
 * is there; write-back and unmounting do not fail at all (MEM-1). Environment: STEP=N looks at every N-th allocation
 * only, ROUNDS=N.
 *
 * Prints TAP; during: the command's exit code.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "failing.h"

#define FILE_BYTES 40960
#define TRIES_MAX 5000
#define MOUNT_PERCENT 1		/* of the allocations in a mount, which has hundreds … */
#define PERCENT 5		/* … and of those after it */

static const char *source, *dir, *module;
static char path[512], path2[512];
static char content[FILE_BYTES] __attribute__((aligned(4096)));
static char got[FILE_BYTES] __attribute__((aligned(4096)));
static int checks, failed;

static void check(bool good, const char *what, int count)
{
	printf("%sok %d - %s (%d)\n", good ? "" : "not ", ++checks, what, count);
	fflush(stdout);
	failed += !good;
}

static int setting(const char *name, int otherwise)
{
	const char *text = getenv(name);

	return text ? atoi(text) : otherwise;
}

/* ---- the calls ------------------------------------------------------------------------------ */

/* 0, or -1 with errno; `undo` puts things back as they were before a call that worked. */
struct call {
	const char *name;
	int (*run)(void);
	void (*undo)(void);
};

/* Ends a call on one descriptor: the first error counts. */
static int close_after(int fd, bool good)
{
	int err = good ? 0 : errno;

	if (close(fd) && !err)
		err = errno;
	errno = err;
	return err ? -1 : 0;
}

static int call_mount(void) { return mount(source, dir, "nacre", 0, NULL); }
static void undo_mount(void) { umount(dir); }
static int call_umount(void) { return umount(dir); }
static void undo_umount(void) { mount(source, dir, "nacre", 0, NULL); }

static int call_create(void)
{
	int fd = open(path, O_CREAT | O_RDWR, 0644);

	return fd < 0 ? -1 : close(fd);
}

static void undo_create(void) { unlink(path); }
static int call_mkdir(void) { return mkdir(path2, 0755) && errno != EEXIST ? -1 : 0; }
static void undo_mkdir(void) { rmdir(path2); }
static int call_symlink(void) { return symlink("away", path2) && errno != EEXIST ? -1 : 0; }
static int call_mknod(void) { return mknod(path2, S_IFIFO | 0600, 0) && errno != EEXIST ? -1 : 0; }
static int call_link(void) { return link(path, path2) && errno != EEXIST ? -1 : 0; }
static void undo_second(void) { unlink(path2); }

/* An attempt that failed may have done it: then it is done. */
static int call_rename(void)
{
	int err;

	if (!rename(path, path2))
		return 0;
	err = errno;
	if (!access(path2, F_OK) && access(path, F_OK))
		return 0;
	errno = err;
	return -1;
}

static void undo_rename(void) { rename(path2, path); }
static int call_unlink(void) { return unlink(path) && errno != ENOENT ? -1 : 0; }
static void undo_unlink(void) { call_create(); }
static int call_chmod(void) { return chmod(path, 0600); }
static int call_truncate(void) { return truncate(path, 100); }
static int call_setxattr(void) { return setxattr(path, "user.a", "value", 5, 0); }
static void nothing(void) { }

/* What follows finds no inode, dentry or page in the cache that is not in use. What was used gets a second chance. */
static void forget(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	for (int i = 0; i < 2; i++)
		if (fd < 0 || write(fd, "3", 1) != 1)
			perror("# drop_caches");
	close(fd);
}

static int call_stat(void)
{
	struct stat st;

	forget();
	return stat(path, &st);
}

static int call_getxattr(void)
{
	char value[8];
	ssize_t n;

	forget();
	n = getxattr(path, "user.a", value, sizeof(value));

	if (n >= 0 && (n != 5 || memcmp(value, "value", 5))) {
		errno = EBADMSG;
		return -1;
	}
	return n < 0 ? -1 : 0;
}

static int call_statfs(void)
{
	struct statfs space;

	return statfs(dir, &space);
}

/* The number of entries, or -1 with errno; *found: one of them has this name. */
static int list(const char *name, bool *found)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int count = 0, err;

	*found = false;
	if (!d)
		return -1;
	for (errno = 0; (entry = readdir(d)); count++)
		*found = *found || !strcmp(entry->d_name, name);
	err = errno;
	closedir(d);
	errno = err;
	return err ? -1 : count;
}

static int call_listing(void)
{
	bool found;

	forget();
	return list("", &found) < 0 ? -1 : 0;
}

/* Written and synced with one descriptor: only what write() took has to arrive. */
static int write_with(int flags)
{
	int fd = open(path, O_RDWR | flags);

	if (fd < 0)
		return -1;
	return close_after(fd, pwrite(fd, content, sizeof(content), 0) >= 0 && !fsync(fd));
}

static int read_with(int flags)
{
	int fd = open(path, O_RDONLY | flags);
	ssize_t n;

	if (fd < 0)
		return -1;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	n = pread(fd, got, sizeof(got), 0);
	if (n > 0 && memcmp(got, content, n)) {
		n = -1;
		errno = EBADMSG;
	}
	return close_after(fd, n >= 0);
}

static int call_write(void) { return write_with(0); }
static int call_direct_write(void) { return write_with(O_DIRECT); }
static int call_append(void) { return write_with(O_APPEND); }
static int call_read(void) { return read_with(0); }
static int call_direct_read(void) { return read_with(O_DIRECT); }

/* A fault without memory is repeated by the kernel until there is some: it cannot fail. */
static int call_store(void)
{
	char *map;
	int fd;

	forget();
	fd = open(path, O_RDWR);
	if (fd < 0)
		return -1;
	map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return close_after(fd, false);
	memcpy(map, content, FILE_BYTES);
	if (msync(map, FILE_BYTES, MS_SYNC)) {
		munmap(map, FILE_BYTES);
		return close_after(fd, false);
	}
	munmap(map, FILE_BYTES);
	return close_after(fd, true);
}

static const struct call calls[] = {
	{ "mount", call_mount, undo_mount },
	/* mounted from here on */
	{ "create", call_create, undo_create },
	{ "write and fsync", call_write, nothing },
	{ "store to a map and msync", call_store, nothing },
	{ "read", call_read, nothing },
	{ "direct write", call_direct_write, nothing },
	{ "direct read", call_direct_read, nothing },
	{ "append", call_append, nothing },
	{ "stat of what is not cached", call_stat, nothing },
	{ "chmod", call_chmod, nothing },
	{ "truncate", call_truncate, nothing },
	{ "set an attribute", call_setxattr, nothing },
	{ "read an attribute that is not cached", call_getxattr, nothing },
	{ "mkdir", call_mkdir, undo_mkdir },
	{ "symlink", call_symlink, undo_second },
	{ "mknod", call_mknod, undo_second },
	{ "link", call_link, undo_second },
	{ "listing of what is not cached", call_listing, nothing },
	{ "statfs", call_statfs, nothing },
	{ "rename", call_rename, undo_rename },
	{ "unlink", call_unlink, undo_unlink },
	{ "umount", call_umount, undo_umount },
};

/* ---- one by one ----------------------------------------------------------------------------- */

/* All of a call's own allocations, one after the other. */
static void try_all(const struct call *call, int step)
{
	bool good = true, struck = true;
	int n, refused = 0;

	for (n = 1; struck && good && n < TRIES_MAX; n += step) {
		int err;

		failing_nth(n);
		err = call->run() ? errno : 0;
		struck = failing_has_struck();
		failing_nth(0);
		refused += err != 0;
		if (err && err != ENOMEM) {
			printf("# %s, allocation %d: %s\n", call->name, n, strerror(err));
			good = false;
		}
		/* With memory it works, whatever the attempt before has left. */
		if (err && call->run()) {
			printf("# %s after allocation %d had failed: %s\n", call->name, n, strerror(errno));
			good = false;
		}
		call->undo();
	}
	printf("# %s: up to %d allocations, without which it failed %d times\n", call->name, n - 1, refused);
	check(good && !struck, call->name, n - 1);
}

static int verb_calls(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		try_all(&calls[i], calls[i].run == call_mount ? setting("STEP", 1) : 1);
		if (calls[i].run == call_mount)
			call_mount();
		if (calls[i].run == call_create)
			call_create();
	}
	call_unlink();
	check(!umount(dir), "unmounted afterwards", 0);
	return 0;
}

static int call_load(void)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);

	return close_after(fd, !syscall(SYS_finit_module, fd, "", 0));
}

static void undo_load(void) { syscall(SYS_delete_module, "nacre", O_NONBLOCK); }

static int verb_load(void)
{
	static const struct call load = { "loading the module", call_load, undo_load };

	try_all(&load, setting("STEP", 1));
	return 0;
}

/* ---- at random ------------------------------------------------------------------------------ */

/* One file on a mount of its own; *written: bytes that have to be there afterwards, -1 = none were taken. */
static bool use_mount(int number, ssize_t *written)
{
	const char *name = strrchr(path, '/') + 1;
	bool good = true, found;
	int fd, count;

	*written = -1;
	fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0644);
	if (fd < 0)
		return errno == ENOMEM;
	*written = pwrite(fd, content, sizeof(content), 0);
	if (*written < 0)
		good = errno == ENOMEM;
	/* Every other file is left to the unmount. */
	else if (number % 2 && fsync(fd) && errno != ENOMEM)
		good = false;
	if (!good)
		printf("# round %d: write or fsync: %s\n", number, strerror(errno));
	close(fd);
	count = list(name, &found);
	if (count < 0 ? errno != ENOMEM : !found) {
		printf("# round %d: listing: %s\n", number, count < 0 ? strerror(errno) : "a file is missing");
		good = false;
	}
	if (*written > 0 && call_read() && errno != ENOMEM) {
		printf("# round %d: read: %s\n", number, strerror(errno));
		good = false;
	}
	return good;
}

/* With memory again: what was taken is there. */
static bool is_there(int number, ssize_t written)
{
	struct stat st;
	bool good;

	if (call_mount()) {
		printf("# round %d: mount afterwards: %s\n", number, strerror(errno));
		return false;
	}
	good = written < 0 || (!stat(path, &st) && st.st_size == written && !call_read());
	if (!good)
		printf("# round %d: %zd bytes were written and are not there\n", number, written);
	unlink(path);
	return !call_umount() && good;
}

static bool try_round(int number, int *done)
{
	ssize_t written;
	bool good;

	failing_at_random(MOUNT_PERCENT, 1);
	while (call_mount()) {
		if (errno == ENOMEM)
			continue;
		printf("# round %d: mount: %s\n", number, strerror(errno));
		failing_at_random(0, 1);
		return false;
	}
	failing_at_random(PERCENT, 1);
	good = use_mount(number, &written);
	if (call_umount()) {
		printf("# round %d: umount: %s\n", number, strerror(errno));
		good = false;
	}
	failing_at_random(0, 1);
	*done += written > 0;
	return is_there(number, written) && good;
}

static int verb_rounds(void)
{
	int rounds = setting("ROUNDS", 60), done = 0;
	bool good = true;

	for (int i = 0; i < rounds && good; i++)
		good = try_round(i, &done);
	check(good && done > 0, "mounted, written, synced, listed, read and unmounted at random", done);
	return 0;
}

static int verb_during(char **command)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	failing_at_random(atoi(command[-2]), atoi(command[-1]));
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	failing_at_random(0, 1);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- */

static int usage(void)
{
	fprintf(stderr, "usage: nomemory load FILE | nomemory calls|rounds FIRST LAST SOURCE DIR\n"
			"       nomemory during FIRST LAST PERCENT INTERVAL COMMAND...\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	int code;

	if (!strcmp(verb, "load") && argc == 3) {
		module = argv[2];
		failing_under("do_one_initcall");
		code = verb_load();
	} else if (!strcmp(verb, "during") && argc > 6) {
		failing_in(argv[2], argv[3]);
		return verb_during(argv + 6);
	} else if ((!strcmp(verb, "calls") || !strcmp(verb, "rounds")) && argc == 6) {
		/* Our own pages are there: a fault in them that finds no memory would make a call fail with EFAULT. */
		memset(got, 1, sizeof(got));
		source = argv[4];
		dir = argv[5];
		snprintf(path, sizeof(path), "%s/a", dir);
		snprintf(path2, sizeof(path2), "%s/b", dir);
		for (size_t i = 0; i < sizeof(content); i++)
			content[i] = (char)(i * 7 + i / 251 + 1);
		failing_in(argv[2], argv[3]);
		code = *verb == 'c' ? verb_calls() : verb_rounds();
	} else {
		return usage();
	}
	printf("1..%d\n", checks);
	return code ?: failed != 0;
}
