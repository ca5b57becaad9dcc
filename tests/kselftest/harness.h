/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small harness for programs that test a mounted file system and print TAP. A program is a list of TEST(name)
 * functions; harness.c has main(): `PROGRAM DIR [NAME]` runs each test (or those whose name contains NAME) in a child
 * of its own, inside a fresh folder DIR/PROGRAM.NAME that is removed afterwards when the test passed.
 *
 * A check that fails prints where and why as a TAP comment and ends the test; nothing is returned to be looked at, so
 * helpers can check, too.
 */
#ifndef NACRE_KSELFTEST_HARNESS_H
#define NACRE_KSELFTEST_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct test {
	const char *name;
	void (*run)(void);
	unsigned int seconds; /* a test that takes longer is ended and has failed */
	struct test *next;
};

void test_register(struct test *test);

#define TEST_SECONDS(test_name, limit)                                                             \
	static void run_##test_name(void);                                                         \
	__attribute__((constructor)) static void register_##test_name(void)                        \
	{                                                                                          \
		static struct test test = { #test_name, run_##test_name, limit, NULL };            \
		test_register(&test);                                                              \
	}                                                                                          \
	static void run_##test_name(void)
#define TEST(test_name) TEST_SECONDS(test_name, 120)

void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));
void test_skip(const char *why) __attribute__((noreturn));
/*
 * Waits for a child whose checks are part of the test: where it fails, the test does; where it skips, too. signal: what
 * ends it, 0 when it ends by itself.
 */
void test_join(pid_t child, int signal);
void test_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The condition holds. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			test_fail(__FILE__, __LINE__, "not so: %s", #condition);                   \
	} while (0)

/* Two integers are equal. */
#define EQUAL(left, right)                                                                         \
	test_equal(__FILE__, __LINE__, #left, (long long)(left), #right, (long long)(right))

/* A call that returns >= 0; its value. */
#define OK(call) test_ok(__FILE__, __LINE__, #call, (call))
/* A call that returns < 0 and sets errno to this. */
#define FAILS(call, wanted) test_fails(__FILE__, __LINE__, #call, (call), wanted, #wanted)

void test_equal(const char *file, int line, const char *what, long long left, const char *wanted,
		long long right);
long test_ok(const char *file, int line, const char *what, long result);
void test_fails(const char *file, int line, const char *what, long result, int wanted,
		const char *wanted_name);

/* A number from the environment, for runs that should be shorter or longer than usual. */
unsigned long test_setting(const char *name, unsigned long otherwise);

/* A counter of nacre's mounts on this machine, summed over them; 0 on other file systems. */
unsigned long test_statistic(const char *name);

/* Bytes that depend on seed and file position, so that misplaced data shows. */
void pattern_fill(void *buf, size_t bytes, uint64_t position, uint64_t seed);
/* Index of the first byte that differs, or -1. */
ssize_t pattern_compare(const void *buf, size_t bytes, uint64_t position, uint64_t seed);

/* A small generator with the same sequence everywhere. */
uint64_t random_next(uint64_t *state);

/* Make a file of that pattern; returns nothing, fails the test when it cannot. */
void make_file(const char *path, size_t bytes, uint64_t seed);
/* The file has that size and exactly that pattern. */
void check_file(const char *path, size_t bytes, uint64_t seed);

/* Go on with this user's and group's rights, or with root's again. */
void become_user(uid_t id);

struct stat stat_of(const char *path);
bool exists(const char *path);

#endif
