// SPDX-License-Identifier: GPL-2.0
/*
 * main() of every test program here, its checks, and the few helpers that most of them need. See harness.h.
 */
#include "harness.h"

#include <dirent.h>
#include <glob.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_SKIP = 4 };

static struct test *tests, **tests_end = &tests;

void test_register(struct test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

static bool memory_fails(void)
{
	return test_setting("NO_MEMORY", 0);
}

/*
 * A machine whose allocations are made to fail (NO_MEMORY=1): a test that hears of it is over, also where it did not look
 * at the call that failed. EFAULT is the kernel's word for a page of the caller's that could not be had, ENOLCK for the
 * record of a lock.
 */
static void accept_no_memory(void)
{
	if ((errno == ENOMEM || errno == EFAULT || errno == ENOLCK) && memory_fails())
		test_skip("no memory");
}

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	accept_no_memory();
	printf("# %s:%d: ", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(EXIT_FAIL);
}

void test_skip(const char *why)
{
	printf("# skipped: %s\n", why);
	fflush(stdout);
	_exit(EXIT_SKIP);
}

/* A page that could not be read for want of memory is SIGBUS for who touches it. */
static bool has_skipped(int status)
{
	return (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) ||
	       (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS && memory_fails());
}

void test_join(pid_t child, int signal)
{
	int status;

	EQUAL(OK(waitpid(child, &status, 0)), child);
	if (has_skipped(status))
		_exit(EXIT_SKIP);
	if (status != signal)
		test_fail(__FILE__, __LINE__, "a child of the test ended with status 0x%x", (unsigned int)status);
}

void test_note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/* A transfer may fail, and one that has begun end early. */
static bool is_transfer(const char *what)
{
	return strstr(what, "read(") || strstr(what, "write(");
}

void test_equal(const char *file, int line, const char *what, long long left, const char *wanted,
		long long right)
{
	if (left == right)
		return;
	/* Asynchronous calls have their error in the result. */
	if (left < -1)
		errno = (int)-left;
	if (left >= 0 && left < right && is_transfer(what) && memory_fails())
		test_skip("no memory for all of it");
	if (left < 0)
		test_fail(file, line, "%s is %lld (%s), wanted %s = %lld", what, left, strerror(errno), wanted, right);
	test_fail(file, line, "%s is %lld, wanted %s = %lld", what, left, wanted, right);
}

long test_ok(const char *file, int line, const char *what, long result)
{
	if (result < 0)
		test_fail(file, line, "%s: %s", what, strerror(errno));
	return result;
}

void test_fails(const char *file, int line, const char *what, long result, int wanted,
		const char *wanted_name)
{
	if (result >= 0)
		test_fail(file, line, "%s succeeded, wanted %s", what, wanted_name);
	if (errno != wanted)
		test_fail(file, line, "%s: %s, wanted %s", what, strerror(errno), wanted_name);
}

unsigned long test_setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

unsigned long test_statistic(const char *name)
{
	unsigned long sum = 0, value;
	char line[128], word[64];
	glob_t found;
	FILE *stats;

	if (glob("/sys/kernel/debug/nacre/*/stats", 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		stats = fopen(found.gl_pathv[i], "r");
		while (stats && fgets(line, sizeof(line), stats))
			if (sscanf(line, "%63s %lu", word, &value) == 2 && !strcmp(word, name))
				sum += value;
		if (stats)
			fclose(stats);
	}
	globfree(&found);
	return sum;
}

uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* The eight pattern bytes at a position that is a multiple of eight. */
static uint64_t pattern_word(uint64_t position, uint64_t seed)
{
	uint64_t state = position ^ (seed << 48) ^ seed;

	return random_next(&state) | 0x0101010101010101ull; /* no byte is zero: a hole is seen */
}

void pattern_fill(void *buf, size_t bytes, uint64_t position, uint64_t seed)
{
	uint8_t *out = buf;

	while (bytes > 0) {
		uint64_t word = pattern_word(position & ~7ull, seed);
		size_t skip = position & 7, n = 8 - skip;

		if (n > bytes)
			n = bytes;
		memcpy(out, (uint8_t *)&word + skip, n);
		out += n;
		position += n;
		bytes -= n;
	}
}

ssize_t pattern_compare(const void *buf, size_t bytes, uint64_t position, uint64_t seed)
{
	const uint8_t *got = buf;
	uint8_t want[4096];

	for (size_t done = 0; done < bytes;) {
		size_t n = bytes - done < sizeof(want) ? bytes - done : sizeof(want);

		pattern_fill(want, n, position + done, seed);
		for (size_t i = 0; memcmp(got + done, want, n) && i < n; i++)
			if (got[done + i] != want[i])
				return (ssize_t)(done + i);
		done += n;
	}
	return -1;
}

void make_file(const char *path, size_t bytes, uint64_t seed)
{
	int fd = OK(open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644));
	static char buf[1 << 16];

	for (size_t done = 0; done < bytes;) {
		size_t n = bytes - done < sizeof(buf) ? bytes - done : sizeof(buf);

		pattern_fill(buf, n, done, seed);
		EQUAL(OK(write(fd, buf, n)), n);
		done += n;
	}
	OK(close(fd));
}

void check_file(const char *path, size_t bytes, uint64_t seed)
{
	int fd = OK(open(path, O_RDONLY));
	static char buf[1 << 16];
	size_t done = 0;
	ssize_t n;

	EQUAL(stat_of(path).st_size, bytes);
	while ((n = OK(read(fd, buf, sizeof(buf)))) > 0) {
		ssize_t bad = pattern_compare(buf, (size_t)n, done, seed);

		if (bad >= 0)
			test_fail(__FILE__, __LINE__, "%s differs at byte %zu", path, done + (size_t)bad);
		done += (size_t)n;
	}
	EQUAL(done, bytes);
	OK(close(fd));
}

void become_user(uid_t id)
{
	if (id == 0)
		OK(seteuid(0));
	OK(setgroups(0, NULL));
	OK(setegid(id));
	OK(seteuid(id));
}

struct stat stat_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		test_fail(__FILE__, __LINE__, "stat %s: %s", path, strerror(errno));
	return st;
}

bool exists(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return true;
	if (errno != ENOENT)
		test_fail(__FILE__, __LINE__, "stat %s: %s", path, strerror(errno));
	return false;
}

/* A test that ended in the middle may have left behind what nobody may remove. */
static void clear_attributes(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
		return;
	flags = 0;
	ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

/* Relative all the way down: whole paths may be too long to use. */
static void remove_tree(int parent, const char *name)
{
	struct dirent *entry;
	DIR *dir;
	int fd;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return;
	fd = openat(parent, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
	clear_attributes(fd);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			remove_tree(fd, entry->d_name);
	unlinkat(parent, name, dir ? AT_REMOVEDIR : 0);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

/* Where memory is made to fail, removing fails now and then, too. */
static void remove_folder(const char *folder)
{
	int tries = memory_fails() ? 1000 : 1;

	do
		remove_tree(AT_FDCWD, folder);
	while (--tries && (access(folder, F_OK) == 0 || errno != ENOENT));
}

static void run_in_child(const struct test *test, const char *folder)
{
	if ((mkdir(folder, 0755) && errno != EEXIST) || chdir(folder))
		test_fail(__FILE__, __LINE__, "%s: %s", folder, strerror(errno));
	test->run();
	fflush(stdout);
	_exit(EXIT_PASS);
}

/* The wait status of the test's child, which is killed when its time is over. */
static int run_and_wait(const struct test *test, const char *folder)
{
	unsigned int limit = test->seconds * (unsigned int)test_setting("SLOW", 1);
	sigset_t child;
	int status;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_UNBLOCK, &child, NULL);
		setpgid(0, 0);
		run_in_child(test, folder);
	}
	if (sigtimedwait(&child, NULL, &(struct timespec){ .tv_sec = limit }) < 0) {
		printf("# took longer than %u s\n", limit);
		kill(pid, SIGKILL);
	}
	if (waitpid(pid, &status, 0) != pid)
		status = EXIT_FAIL << 8;
	kill(-pid, SIGKILL);	/* children that it left behind, when it ended early */
	return status;
}

static bool report(unsigned int number, const struct test *test, int status)
{
	bool skipped = has_skipped(status);
	bool passed = skipped || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PASS);

	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	printf("%s %u - %s%s\n", passed ? "ok" : "not ok", number, test->name, skipped ? " # SKIP" : "");
	fflush(stdout);
	return passed;
}

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* A test in a folder of its own, which stays when it fails. What takes long is said: somebody waits for the whole. */
static bool run_one(unsigned int number, const struct test *test, const char *folder)
{
	time_t began = seconds_now(), ended;
	bool passed;

	remove_folder(folder);
	passed = report(number, test, run_and_wait(test, folder));
	ended = seconds_now();
	if (passed)
		remove_folder(folder);
	if (seconds_now() - began >= 5)
		printf("# %s took %ld s, and %ld s to be removed\n", test->name, (long)(ended - began), (long)(seconds_now() - ended));
	return passed;
}

/* Weak: a program that is one test of two processes has a main() of its own. */
__attribute__((weak)) int main(int argc, char **argv)
{
	const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *only = argc > 2 ? argv[2] : "";
	unsigned int planned = 0, number = 0, failed = 0;
	char folder[4096];

	if (argc < 2) {
		fprintf(stderr, "usage: %s DIR [NAME]\n", program);
		return 2;
	}
	umask(022);
	for (struct test *t = tests; t; t = t->next)
		planned += strstr(t->name, only) != NULL;
	printf("TAP version 13\n1..%u\n", planned);
	for (struct test *t = tests; t; t = t->next) {
		if (!strstr(t->name, only))
			continue;
		snprintf(folder, sizeof(folder), "%s/%s.%s", argv[1], program, t->name);
		failed += !run_one(++number, t, folder);
	}
	return failed ? 1 : 0;
}
