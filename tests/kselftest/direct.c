// SPDX-License-Identifier: GPL-2.0
/*
 * O_DIRECT: whole blocks, the end of the file, holes, and agreement with buffered and mapped accesses of one file.
 */
#include "harness.h"

#include <sys/mman.h>

#define MIB   (1u << 20)
#define BLOCK 4096u

static char *aligned(size_t bytes)
{
	void *buf = NULL;

	EQUAL(posix_memalign(&buf, BLOCK, bytes), 0);
	return buf;
}

static int open_direct(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT, 0644);

	if (fd < 0 && errno == EINVAL)
		test_skip("no O_DIRECT on this file system");
	return OK(fd);
}

TEST(write_and_read_back)
{
	int fd = open_direct("f", O_CREAT | O_RDWR);
	char *buf = aligned(6 * MIB);

	pattern_fill(buf, 6 * MIB, 0, 1);
	EQUAL(pwrite(fd, buf, 6 * MIB, 0), 6 * MIB);
	EQUAL(stat_of("f").st_size, 6 * MIB);
	memset(buf, 0, 6 * MIB);
	EQUAL(pread(fd, buf, 6 * MIB, 0), 6 * MIB);
	EQUAL(pattern_compare(buf, 6 * MIB, 0, 1), -1);
	OK(close(fd));
	check_file("f", 6 * MIB, 1);
}

/* statx says how direct I/O must be aligned, finer than a block, and that is enough. */
TEST(alignment)
{
	char *buf = aligned(2 * BLOCK);
	struct statx told;
	unsigned int step, memory;
	int fd;

	make_file("f", 3 * BLOCK, 1);
	OK(statx(AT_FDCWD, "f", 0, STATX_DIOALIGN, &told));
	if (!(told.stx_mask & STATX_DIOALIGN))
		test_skip("no word of how O_DIRECT is to be aligned");
	step = told.stx_dio_offset_align;
	memory = told.stx_dio_mem_align;
	CHECK(step && BLOCK % step == 0);
	CHECK(memory && BLOCK % memory == 0);
	fd = open_direct("f", O_RDWR);
	pattern_fill(buf + memory, BLOCK, step, 2);
	EQUAL(pwrite(fd, buf + memory, BLOCK, step), BLOCK);
	memset(buf, 0, 2 * BLOCK);
	EQUAL(pread(fd, buf + memory, BLOCK, step), BLOCK);
	EQUAL(pattern_compare(buf + memory, BLOCK, step, 2), -1);
	EQUAL(pread(fd, buf + memory, step, 0), step);
	EQUAL(pattern_compare(buf + memory, step, 0, 1), -1);
	EQUAL(pread(fd, buf + memory, BLOCK, BLOCK + step), BLOCK);
	EQUAL(pattern_compare(buf + memory, BLOCK, BLOCK + step, 1), -1);
	EQUAL(stat_of("f").st_size, 3 * BLOCK);
	OK(statx(AT_FDCWD, ".", 0, STATX_DIOALIGN, &told));
	CHECK(!(told.stx_mask & STATX_DIOALIGN));
	OK(close(fd));
}

TEST(short_read_at_the_end)
{
	char *buf = aligned(3 * BLOCK);
	int fd;

	make_file("f", BLOCK + 100, 1);
	fd = open_direct("f", O_RDONLY);
	EQUAL(pread(fd, buf, 3 * BLOCK, 0), BLOCK + 100);
	EQUAL(pattern_compare(buf, BLOCK + 100, 0, 1), -1);
	EQUAL(pread(fd, buf, BLOCK, BLOCK), 100);
	EQUAL(pread(fd, buf, BLOCK, 2 * BLOCK), 0);
	EQUAL(pread(fd, buf, BLOCK, 100 * MIB), 0);
	OK(close(fd));
}

TEST(holes)
{
	int fd = open_direct("f", O_CREAT | O_RDWR);
	char *buf = aligned(MIB);

	pattern_fill(buf, BLOCK, 9 * MIB, 1);
	EQUAL(pwrite(fd, buf, BLOCK, 9 * MIB), BLOCK);
	for (unsigned int at = 0; at < 9 * MIB; at += MIB) {
		memset(buf, 'x', MIB);
		EQUAL(pread(fd, buf, MIB, at), MIB);
		for (unsigned int i = 0; i < MIB; i++)
			if (buf[i])
				test_fail(__FILE__, __LINE__, "byte %u of a hole is not zero", at + i);
	}
	EQUAL(pread(fd, buf, MIB, 9 * MIB), BLOCK);
	EQUAL(pattern_compare(buf, BLOCK, 9 * MIB, 1), -1);
	OK(close(fd));
}

TEST(sees_buffered_writes_and_is_seen)
{
	char *buf = aligned(MIB);
	int direct, buffered;

	make_file("f", 2 * MIB, 1);
	direct = open_direct("f", O_RDWR);
	buffered = OK(open("f", O_RDWR));
	for (unsigned int round = 0; round < 20; round++) {
		pattern_fill(buf, MIB, MIB, 100 + round);
		EQUAL(pwrite(buffered, buf, MIB, MIB), MIB);
		memset(buf, 0, MIB);
		EQUAL(pread(direct, buf, MIB, MIB), MIB);
		EQUAL(pattern_compare(buf, MIB, MIB, 100 + round), -1);
		pattern_fill(buf, MIB, 0, 200 + round);
		EQUAL(pwrite(direct, buf, MIB, 0), MIB);
		memset(buf, 0, MIB);
		EQUAL(pread(buffered, buf, MIB, 0), MIB);
		EQUAL(pattern_compare(buf, MIB, 0, 200 + round), -1);
	}
	OK(close(direct));
	OK(close(buffered));
}

TEST(beside_a_map)
{
	char *buf = aligned(MIB), *map;
	int fd;

	make_file("f", MIB, 1);
	fd = open_direct("f", O_RDWR);
	map = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	pattern_fill(map, MIB, 0, 2);
	EQUAL(pread(fd, buf, MIB, 0), MIB);
	EQUAL(pattern_compare(buf, MIB, 0, 2), -1);
	pattern_fill(buf, MIB, 0, 3);
	EQUAL(pwrite(fd, buf, MIB, 0), MIB);
	EQUAL(pattern_compare(map, MIB, 0, 3), -1);
	OK(munmap(map, MIB));
	OK(close(fd));
}

TEST(appends)
{
	int fd = open_direct("f", O_CREAT | O_WRONLY | O_APPEND);
	char *buf = aligned(BLOCK);

	for (unsigned int i = 0; i < 100; i++) {
		pattern_fill(buf, BLOCK, i * BLOCK, 1);
		EQUAL(write(fd, buf, BLOCK), BLOCK);
	}
	OK(close(fd));
	check_file("f", 100 * BLOCK, 1);
}

TEST(after_truncate)
{
	int fd = open_direct("f", O_CREAT | O_RDWR);
	char *buf = aligned(MIB);

	pattern_fill(buf, MIB, 0, 1);
	EQUAL(pwrite(fd, buf, MIB, 0), MIB);
	OK(ftruncate(fd, 10));
	OK(ftruncate(fd, MIB));
	EQUAL(pread(fd, buf, MIB, 0), MIB);
	EQUAL(pattern_compare(buf, 10, 0, 1), -1);
	for (unsigned int i = 10; i < MIB; i++)
		EQUAL(buf[i], 0);
	OK(close(fd));
}
