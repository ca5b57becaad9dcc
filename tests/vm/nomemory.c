// SPDX-License-Identifier: GPL-2.0
/*
 * System calls on a mount while memory allocations inside the module fail, one after the other. Needs a kernel with
 * failslab and fail_page_alloc (the debug kernel).
 *
 *	nomemory FIRST LAST SOURCE DIR	the module's text is [FIRST, LAST), as /proc/modules and its size say
 *
 * Each call is made with its first allocation failing, then its second, and so on until none is left to fail
 * (/proc/self/fail-nth). Whatever fails must fail with ENOMEM, and the same call must work when there is memory again.
 * After that, allocations fail at random everywhere in the module, its workers included, while files are written, synced
 * and read: what was written must be what is read, and write-back must not fail at all (MEM-1).
 *
 * Prints TAP.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUGFS "/sys/kernel/debug/"
#define FILE_BYTES 40000
#define TRIES_MAX 5000

static const char *source, *dir;
static char path[512], path2[512], content[FILE_BYTES];
static int checks, failed;

/* ---- switching failures on ------------------------------------------------------------------ */

static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		printf("Bail out! %s: %s\n", file, strerror(errno));
		exit(1);
	}
	close(fd);
}

/*
 * The kernel's netfs library ignores that it could not list a folio for write-back, and then waits for it forever. An
 * allocation of that size and kind does not fail unless it is made to; so here it is not.
 */
static void spare_netfs(char first[24], char last[24])
{
	char line[256], symbol[128], address[20] = "";
	FILE *symbols = fopen("/proc/kallsyms", "r");
	bool found = false;

	strcpy(first, "0");
	strcpy(last, "0");
	while (symbols && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%17s %*c %127s", address, symbol) != 2)
			continue;
		if (found) {
			snprintf(last, 24, "0x%s", address);
			break;
		}
		found = !strcmp(symbol, "netfs_buffer_append_folio");
		if (found)
			snprintf(first, 24, "0x%s", address);
	}
	if (symbols)
		fclose(symbols);
}

static void set_up(const char *first, const char *last)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	char name[128], spared_first[24], spared_last[24];

	spare_netfs(spared_first, spared_last);

	for (int i = 0; i < 2; i++) {
		const struct {
			const char *name, *value;
		} settings[] = {
			{ "ignore-gfp-wait", "N" }, { "verbose", "0" },		 { "times", "-1" },
			{ "probability", "0" },	    { "require-start", first }, { "require-end", last },
			{ "reject-start", spared_first }, { "reject-end", spared_last },
			{ "stacktrace-depth", "32" },
		};
		for (size_t j = 0; j < sizeof(settings) / sizeof(settings[0]); j++) {
			snprintf(name, sizeof(name), DEBUGFS "%s/%s", kinds[i], settings[j].name);
			put(name, settings[j].value);
		}
	}
	put(DEBUGFS "fail_page_alloc/min-order", "0");
	put(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
}

/* Percent of the module's allocations that fail. */
static void at_random(const char *percent)
{
	put(DEBUGFS "failslab/probability", percent);
	put(DEBUGFS "fail_page_alloc/probability", percent);
}

static int nth_fd;

static void fail_nth(int n)
{
	char text[16];
	int bytes = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(nth_fd, text, bytes, 0) != bytes)
		printf("# fail-nth: %s\n", strerror(errno));
}

/* Was there an allocation with this number, so that one has failed? */
static bool has_failed(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) <= 0)
		return false;
	return atoi(text) == 0;
}

/* ---- the calls ------------------------------------------------------------------------------ */

/* 0, or -1 with errno; `undo` puts things back as they were before a call that worked. */
struct call {
	const char *name;
	int (*run)(void);
	void (*undo)(void);
};

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
static void nothing(void) { }

static int call_stat(void)
{
	struct stat st;

	return stat(path, &st);
}

static int call_listing(void)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d)
		return -1;
	errno = 0;
	while ((entry = readdir(d)))
		;
	int err = errno;

	closedir(d);
	errno = err;
	return err ? -1 : 0;
}

/* Written and synced with one descriptor: only what write() took has to arrive. */
static int call_write(void)
{
	int fd = open(path, O_RDWR), err = 0;

	if (fd < 0)
		return -1;
	if (pwrite(fd, content, sizeof(content), 0) < 0 || fsync(fd))
		err = errno;
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

static int call_read(void)
{
	static char got[FILE_BYTES];
	int fd = open(path, O_RDONLY), err = 0;

	if (fd < 0)
		return -1;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	ssize_t n = pread(fd, got, sizeof(got), 0);

	if (n < 0)
		err = errno;
	else if (memcmp(got, content, n))
		err = EBADMSG;
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

static const struct call calls[] = {
	{ "mount", call_mount, undo_mount },
	/* mounted from here on */
	{ "create", call_create, undo_create },
	{ "write and fsync", call_write, nothing },
	{ "read", call_read, nothing },
	{ "stat", call_stat, nothing },
	{ "chmod", call_chmod, nothing },
	{ "truncate", call_truncate, nothing },
	{ "mkdir", call_mkdir, undo_mkdir },
	{ "listing", call_listing, nothing },
	{ "rename", call_rename, undo_rename },
	{ "unlink", call_unlink, undo_unlink },
	{ "umount", call_umount, undo_umount },
};

/* ---- checks --------------------------------------------------------------------------------- */

static void check(bool good, const char *what, int count)
{
	printf("%sok %d - %s (%d)\n", good ? "" : "not ", ++checks, what, count);
	fflush(stdout);
	failed += !good;
}

/* All of a call's own allocations, one after the other. */
static void try_all(const struct call *call)
{
	bool good = true;
	int n = 1, refused = 0;

	for (; n < TRIES_MAX && good; n++) {
		bool injected;
		int err;

		fail_nth(n);
		err = call->run() ? errno : 0;
		injected = has_failed();
		fail_nth(0);
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
		if (!injected)
			break;
	}
	printf("# %s: %d allocations, without which it failed %d times\n", call->name, n - 1, refused);
	check(good && n < TRIES_MAX, call->name, n - 1);
}

/* One file under random failures: false if what was written is not there. */
static bool round_trip(int number, int *done)
{
	bool good = true;
	int fd;

	snprintf(path, sizeof(path), "%s/round%d", dir, number % 10);
	fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0644);
	if (fd < 0)
		return errno == ENOMEM;
	ssize_t n = pwrite(fd, content, sizeof(content), 0);

	if (n < 0) {
		good = errno == ENOMEM;
	} else if (fsync(fd) && errno != ENOMEM) {
		printf("# round %d: fsync: %s\n", number, strerror(errno));
		good = false;
	}
	close(fd);
	if (n > 0 && call_read() && errno != ENOMEM) {
		printf("# round %d: read: %s\n", number, strerror(errno));
		good = false;
	}
	*done += n > 0;
	return good;
}

static void try_at_random(int rounds)
{
	bool good = true;
	int done = 0;

	mount(source, dir, "nacre", 0, NULL);
	at_random("3");
	for (int i = 0; i < rounds && good; i++)
		good = round_trip(i, &done);
	at_random("0");
	check(good && done > 0, "files written, synced and read while allocations fail at random", done);
	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "%s/round%d", dir, i);
		unlink(path);
	}
	check(!umount(dir), "unmounted afterwards", 0);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: nomemory FIRST LAST SOURCE DIR\n");
		return 2;
	}
	source = argv[3];
	dir = argv[4];
	snprintf(path, sizeof(path), "%s/a", dir);
	snprintf(path2, sizeof(path2), "%s/b", dir);
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (char)(i * 7 + i / 251 + 1);
	set_up(argv[1], argv[2]);
	nth_fd = open("/proc/self/fail-nth", O_RDWR);
	if (nth_fd < 0) {
		printf("Bail out! fail-nth: %s\n", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		try_all(&calls[i]);
		if (i == 0)
			mount(source, dir, "nacre", 0, NULL);
		if (calls[i].run == call_create)
			call_create();
	}
	call_unlink();
	umount(dir);
	try_at_random(atoi(getenv("ROUNDS") ? getenv("ROUNDS") : "60"));
	printf("1..%d\n", checks);
	return failed != 0;
}
