// SPDX-License-Identifier: GPL-2.0
/*
 * fallocate, SEEK_DATA and SEEK_HOLE, copy_file_range. Where a file system may choose (how fine its holes are, whether it
 * keeps room behind the end of a file) both choices pass.
 */
#define _GNU_SOURCE
#include <linux/falloc.h>
#include <sys/mman.h>
#include "harness.h"

#define KIB 1024
#define MIB (1024 * KIB)
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static char buf[9 * MIB], want[9 * MIB];

/* What calls that return their errno give, as others do. */
static int by_errno(int result)
{
	errno = result;
	return result ? -1 : 0;
}

static char *map_of(int fd, size_t bytes)
{
	char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	OK(map == MAP_FAILED ? -1 : 0);
	return map;
}

/* A file of that pattern, open, and the same in `want`. */
static int patterned(const char *name, size_t bytes, uint64_t seed)
{
	make_file(name, bytes, seed);
	pattern_fill(want, bytes, 0, seed);
	return (int)OK(open(name, O_RDWR));
}

static void expect(int fd, size_t bytes)
{
	struct stat st;

	OK(fstat(fd, &st));
	EQUAL(st.st_size, bytes);
	memset(buf, 0x55, bytes);
	EQUAL(OK(pread(fd, buf, bytes, 0)), bytes);
	for (size_t i = 0; i < bytes; i++)
		if (buf[i] != want[i])
			test_fail(__FILE__, __LINE__, "differs at byte %zu", i);
}

/* The same, with nothing left in the page cache that could answer. */
static void expect_cold(int fd, size_t bytes)
{
	OK(fsync(fd));
	OK(by_errno(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)));
	expect(fd, bytes);
}

/* tmpfs cannot. */
static bool can_zero(int fd)
{
	return !fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1) || errno != EOPNOTSUPP;
}

static void punch(int fd, size_t from, size_t length)
{
	OK(fallocate(fd, PUNCH, (off_t)from, (off_t)length));
	memset(want + from, 0, length);
}

TEST(room_extends_and_changes_nothing)
{
	int fd = patterned("a", 10000, 1);

	OK(fallocate(fd, 0, 5000, 20000));
	memset(want + 10000, 0, 15000);
	expect(fd, 25000);
	expect_cold(fd, 25000);
	OK(fallocate(fd, 0, 0, 100));
	expect(fd, 25000);
	OK(fallocate(fd, 0, 6 * MIB, 1));
	memset(want + 25000, 0, 6 * MIB + 1 - 25000);
	expect_cold(fd, 6 * MIB + 1);
	OK(ftruncate(fd, 30000));
	OK(ftruncate(fd, 50000));
	expect_cold(fd, 50000);
	OK(close(fd));
}

TEST(room_is_data_or_a_hole_but_reads_zero)
{
	int fd = (int)OK(open("a", O_CREAT | O_RDWR, 0644));

	OK(by_errno(posix_fallocate(fd, 1 * MIB, 5 * MIB)));
	memset(want, 0, 6 * MIB);
	expect(fd, 6 * MIB);
	EQUAL(OK(pwrite(fd, "hello", 5, 3 * MIB)), 5);
	memcpy(want + 3 * MIB, "hello", 5);
	expect_cold(fd, 6 * MIB);
	OK(close(fd));
}

TEST(keep_size)
{
	int fd = patterned("a", 10000, 2);

	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 100, 5000));
	expect(fd, 10000);
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 5000, 1 * MIB));
	expect(fd, 10000);
	if (can_zero(fd)) {
		want[0] = 0;
		OK(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE, 9000, 9 * MIB));
		memset(want + 9000, 0, 1000);
		expect_cold(fd, 10000);
	}
	EQUAL(OK(lseek(fd, 0, SEEK_HOLE)), 10000);
	OK(close(fd));
}

/* The file grows into its room, by writes and otherwise, and what is cut off takes its room along. */
TEST(room_behind_the_end)
{
	int fd = patterned("a", 10000, 13);

	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 9 * MIB));
	memset(want + 10000, 0, 9 * MIB - 10000);
	OK(ftruncate(fd, 5 * MIB));
	expect_cold(fd, 5 * MIB);
	EQUAL(OK(pwrite(fd, "hello", 5, 6 * MIB + 1)), 5);
	memcpy(want + 6 * MIB + 1, "hello", 5);
	expect_cold(fd, 6 * MIB + 6);
	punch(fd, 6 * MIB - 5000, 5000);
	OK(ftruncate(fd, 6 * MIB + 6));
	expect_cold(fd, 6 * MIB + 6);
	OK(ftruncate(fd, 100));
	OK(ftruncate(fd, 9 * MIB));
	memset(want + 100, 0, 9 * MIB - 100);
	expect_cold(fd, 9 * MIB);
	OK(unlink("a"));
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 9 * MIB, 1 * MIB));
	OK(close(fd));
}

TEST(holes_of_all_edges)
{
	static const size_t edges[] = { 0, 1, 511, 4095, 4096, 4097, 12288, 65536, 65537 };
	int fd = patterned("a", 200000, 3);

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		for (size_t j = i + 1; j < sizeof(edges) / sizeof(edges[0]); j++) {
			EQUAL(OK(pwrite(fd, want, 200000, 0)), 200000);
			punch(fd, edges[i], edges[j] - edges[i]);
			expect(fd, 200000);
			pattern_fill(want, 200000, 0, i * 16 + j);
		}
	EQUAL(OK(pwrite(fd, want, 200000, 0)), 200000);
	punch(fd, 4000, 90000);
	expect_cold(fd, 200000);
	OK(close(fd));
}

TEST(a_hole_across_objects)
{
	int fd = patterned("a", 9 * MIB, 4);

	punch(fd, 3 * MIB + 5, 5 * MIB);
	expect(fd, 9 * MIB);
	expect_cold(fd, 9 * MIB);
	OK(close(fd));
}

TEST(a_hole_behind_the_end)
{
	int fd = patterned("a", 10000, 5);

	OK(fallocate(fd, PUNCH, 20000, 5000));
	expect(fd, 10000);
	OK(fallocate(fd, PUNCH, 8000, 1ll << 40));
	memset(want + 8000, 0, 2000);
	expect(fd, 10000);
	OK(ftruncate(fd, 20000));
	memset(want + 10000, 0, 10000);
	expect_cold(fd, 20000);
	OK(close(fd));
}

TEST(zero_range)
{
	int fd = patterned("a", 100000, 6);

	if (!can_zero(fd))
		test_skip("no FALLOC_FL_ZERO_RANGE here");
	want[0] = 0;
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 3000, 50000));
	memset(want + 3000, 0, 50000);
	expect(fd, 100000);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 90000, 5 * MIB));
	memset(want + 90000, 0, 5 * MIB);
	expect(fd, 90000 + 5 * MIB);
	expect_cold(fd, 90000 + 5 * MIB);
	OK(close(fd));
}

TEST(mapped_pages_see_it)
{
	int fd = patterned("a", 64 * KIB, 7);
	char *map = map_of(fd, 64 * KIB);

	memset(map, 'm', 64 * KIB);
	memset(want, 'm', 64 * KIB);
	punch(fd, 5000, 30000);
	for (size_t i = 0; i < 64 * KIB; i++)
		EQUAL(map[i], want[i]);
	memset(map + 10000, 'n', 10);
	memset(want + 10000, 'n', 10);
	expect(fd, 64 * KIB);
	OK(munmap(map, 64 * KIB));
	expect_cold(fd, 64 * KIB);
	OK(close(fd));
}

TEST(times_and_privileges)
{
	struct stat before, after;
	int fd = patterned("a", 10000, 8);

	OK(chmod("a", 06777));
	before = stat_of("a");
	usleep(20000);
	become_user(1000);
	punch(fd, 0, 4096);
	become_user(0);
	after = stat_of("a");
	EQUAL(after.st_mode & 07777, 0777);
	CHECK(after.st_mtim.tv_sec > before.st_mtim.tv_sec || after.st_mtim.tv_nsec > before.st_mtim.tv_nsec);
	EQUAL(after.st_ctim.tv_sec, after.st_mtim.tv_sec);
	EQUAL(after.st_ctim.tv_nsec, after.st_mtim.tv_nsec);
	OK(close(fd));
}

TEST(what_is_refused)
{
	int fd = patterned("a", 100, 9), reading = (int)OK(open("a", O_RDONLY));

	FAILS(fallocate(fd, 0, -1, 10), EINVAL);
	FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
	FAILS(fallocate(fd, PUNCH | FALLOC_FL_ZERO_RANGE, 0, 10), EOPNOTSUPP);
	FAILS(fallocate(reading, 0, 0, 10), EBADF);
	expect(fd, 100);
	OK(close(fd));
	OK(close(reading));
}

/* ---- where data is ---------------------------------------------------------------------------- */

TEST(seek_in_a_sparse_file)
{
	int fd = (int)OK(open("a", O_CREAT | O_RDWR, 0644));
	off_t at;

	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	OK(ftruncate(fd, 8 * MIB));
	EQUAL(OK(pwrite(fd, "x", 1, 5 * MIB)), 1);
	for (int synced = 0; synced < 2; synced++) {
		at = OK(lseek(fd, 0, SEEK_DATA));
		CHECK(at > 0 && at <= 5 * MIB);
		at = OK(lseek(fd, 5 * MIB, SEEK_HOLE));
		CHECK(at > 5 * MIB && at < 8 * MIB);
		FAILS(lseek(fd, at, SEEK_DATA), ENXIO);
		EQUAL(OK(lseek(fd, 0, SEEK_HOLE)), 0);
		EQUAL(OK(lseek(fd, 7 * MIB, SEEK_HOLE)), 7 * MIB);
		EQUAL(OK(lseek(fd, 5 * MIB, SEEK_DATA)), 5 * MIB);
		FAILS(lseek(fd, 8 * MIB, SEEK_HOLE), ENXIO);
		FAILS(lseek(fd, -1, SEEK_HOLE), ENXIO);
		OK(fsync(fd));
	}
	punch(fd, 4 * MIB, 2 * MIB);
	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	OK(close(fd));
}

TEST(seek_in_a_full_file)
{
	int fd = patterned("a", 5 * MIB + 100, 10);

	EQUAL(OK(lseek(fd, 100, SEEK_DATA)), 100);
	EQUAL(OK(lseek(fd, 100, SEEK_HOLE)), 5 * MIB + 100);
	OK(close(fd));
}

TEST(seek_over_a_large_hole)
{
	int fd = (int)OK(open("a", O_CREAT | O_RDWR, 0644));
	off_t end = 1ll << 30, at;

	EQUAL(OK(pwrite(fd, "end", 3, end)), 3);
	at = OK(lseek(fd, 0, SEEK_DATA));
	CHECK(at <= end && at > end - 1 * MIB);
	EQUAL(OK(lseek(fd, at, SEEK_HOLE)), end + 3);
	OK(close(fd));
}

/* Dirty pages are data, also those that only a map has. */
TEST(seek_finds_what_was_stored)
{
	int fd = (int)OK(open("a", O_CREAT | O_RDWR, 0644));
	char *map;

	OK(ftruncate(fd, 1 * MIB));
	map = map_of(fd, 1 * MIB);
	map[512 * KIB] = 1;
	CHECK(OK(lseek(fd, 0, SEEK_DATA)) <= 512 * KIB);
	OK(munmap(map, 1 * MIB));
	OK(close(fd));
}

/* ---- copies ------------------------------------------------------------------------------------- */

TEST(copy_file_range_copies)
{
	int from = patterned("a", 3 * MIB, 11), to = (int)OK(open("b", O_CREAT | O_RDWR, 0644));
	off_t in = 1000, out = 500;
	ssize_t done;

	while ((done = OK(copy_file_range(from, &in, to, &out, (size_t)(2 * MIB - (in - 1000)), 0))) > 0 &&
	       in < 1000 + 2 * MIB)
		;
	EQUAL(in, 1000 + 2 * MIB);
	EQUAL(out, 500 + 2 * MIB);
	memmove(want + 500, want + 1000, 2 * MIB);
	memset(want, 0, 500);
	expect_cold(to, 500 + 2 * MIB);
	in = 3 * MIB;
	EQUAL(OK(copy_file_range(from, &in, to, &out, 10, 0)), 0);
	OK(close(from));
	OK(close(to));
}

/* From this mount to that of the folder OTHER=, which may be another client of the same file system, and back. */
TEST(copy_file_range_between_mounts)
{
	const char *other = getenv("OTHER");
	char path[200];
	off_t in = 0, out = 0;
	int from, to;

	if (!other)
		test_skip("no other mount: OTHER=FOLDER");
	snprintf(path, sizeof(path), "%s/copied", other);
	from = patterned("a", 3 * MIB, 12);
	to = (int)OK(open(path, O_CREAT | O_RDWR, 0644));
	while (OK(copy_file_range(from, &in, to, &out, MIB, 0)) > 0)
		;
	EQUAL(out, 3 * MIB);
	expect(to, 3 * MIB);
	in = MIB;
	out = 0;
	while (in < 2 * MIB)
		OK(copy_file_range(to, &in, from, &out, (size_t)(2 * MIB - in), 0));
	memmove(want, want + MIB, MIB);
	expect_cold(from, 3 * MIB);
	OK(close(from));
	OK(close(to));
	OK(unlink(path));
}

/* ---- all of it, at random, against a model --------------------------------------------------------- */

TEST_SECONDS(random_against_a_model, 300)
{
	uint64_t dice = test_setting("SEED", 42), size = 0;
	int fd = (int)OK(open("a", O_CREAT | O_RDWR, 0644)), modes[] = { 0, PUNCH, FALLOC_FL_ZERO_RANGE };
	unsigned int kinds;

	/* a byte, which can then be zeroed within the file */
	EQUAL(OK(write(fd, "", 1)), 1);
	kinds = can_zero(fd) ? 6 : 5;
	OK(ftruncate(fd, 0));
	memset(want, 0, sizeof(want));
	for (unsigned long step = test_setting("STEPS", 400); step; step--) {
		size_t from = random_next(&dice) % (5 * MIB), length = 1 + random_next(&dice) % (300 * KIB);
		unsigned int what = random_next(&dice) % kinds;
		int mode;

		what += kinds < 6 && what >= 2;
		mode = what < 3 ? modes[what] : 0;
		if (what < 3) {
			if (!what && random_next(&dice) % 2)
				mode = FALLOC_FL_KEEP_SIZE;
			OK(fallocate(fd, mode, (off_t)from, (off_t)length));
			if (what && from < size)
				memset(want + from, 0, what == 2 || length < size - from ? length : size - from);
		} else if (what == 3) {
			OK(ftruncate(fd, (off_t)from));
			if (from < size)
				memset(want + from, 0, size - from);
			size = from;
		} else {
			pattern_fill(want + from, length, from, step);
			EQUAL(OK(pwrite(fd, want + from, length, (off_t)from)), (long)length);
		}
		if (what != 1 && what != 3 && mode != FALLOC_FL_KEEP_SIZE && from + length > size)
			size = from + length;
		if (step % 50 == 0)
			expect(fd, size);
		if (step % 90 == 0)
			expect_cold(fd, size);
	}
	expect_cold(fd, size);
	OK(close(fd));
}
