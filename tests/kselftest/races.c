// SPDX-License-Identifier: GPL-2.0
/*
 * Processes of one machine that work on one file at once, each in another way: none waits for ever, and nobody sees bytes
 * that nobody wrote. Numbers are those of the catalogue in Documentation/caps.md.
 */
#include "harness.h"

enum { BYTES = 256 << 10, WORKERS = 4 };

static char buf[BYTES];
static int rounds;

static int opened(void)
{
	return (int)OK(open("f", O_RDWR));
}

/* What is there is of the pattern, or cut off, or not written again yet. */
static void look_at(const char *bytes, size_t count)
{
	static char wanted[BYTES];

	pattern_fill(wanted, sizeof(wanted), 0, 1);
	for (size_t i = 0; i < count; i++)
		if (bytes[i] && bytes[i] != wanted[i])
			test_fail(__FILE__, __LINE__, "byte %zu is %#x", i, (unsigned char)bytes[i]);
}

static void reads(void)
{
	int fd = opened();

	for (int i = 0; i < rounds; i++)
		look_at(buf, (size_t)OK(pread(fd, buf, sizeof(buf), 0)));
}

static void writes(void)
{
	int fd = opened();

	pattern_fill(buf, sizeof(buf), 0, 1);
	for (int i = 0; i < rounds; i++)
		EQUAL(pwrite(fd, buf, sizeof(buf), 0), sizeof(buf));
}

static void truncates(void)
{
	int fd = opened();

	for (int i = 0; i < rounds; i++)
		OK(ftruncate(fd, i % 3 * 5000));
}

static void syncs(void)
{
	int fd = opened();

	for (int i = 0; i < rounds; i++)
		OK(i % 2 ? fsync(fd) : fdatasync(fd));
}

/* Attributes of the file and names beside it: what fsync has to wait for. */
static void changes(void)
{
	for (int i = 0; i < rounds; i++) {
		OK(chmod("f", i % 2 ? 0600 : 0644));
		OK(link("f", "other"));
		OK(unlink("other"));
	}
}

static void all_at_once(void (*const work[])(void), int count)
{
	pid_t workers[WORKERS];

	rounds = (int)test_setting("ROUNDS", 60);
	make_file("f", BYTES, 1);
	for (int i = 0; i < count; i++) {
		workers[i] = (pid_t)OK(fork());
		if (!workers[i]) {
			work[i]();
			_exit(0);
		}
	}
	for (int i = 0; i < count; i++)
		test_join(workers[i], 0);
}

/* B8: readers took caps, then the inode's lock, and writers the other way round. */
TEST_SECONDS(b8_reads_against_writes_and_truncates, 300)
{
	all_at_once((void (*const[])(void)){ reads, writes, truncates, reads }, 4);
}

/* B17: a request that fsync waited for was put twice. */
TEST_SECONDS(b17_fsync_while_it_is_written, 300)
{
	all_at_once((void (*const[])(void)){ syncs, writes, changes, syncs }, 4);
}
