// SPDX-License-Identifier: GPL-2.0
/*
 * A file larger than the machine's memory: written, read back right, partly overwritten, read back again. BIG_MIB= sets
 * its size; 2,048 is usual, in a guest with 1,024 MiB.
 */
#include "harness.h"

#define MIB (1u << 20)

static char buf[MIB];

static void write_range(int fd, unsigned long from, unsigned long to, uint64_t seed)
{
	for (unsigned long i = from; i < to; i++) {
		pattern_fill(buf, MIB, (uint64_t)i * MIB, seed);
		EQUAL(OK(pwrite(fd, buf, MIB, (off_t)i * MIB)), MIB);
	}
}

static void check_range(int fd, unsigned long from, unsigned long to, uint64_t seed)
{
	for (unsigned long i = from; i < to; i++) {
		ssize_t bad;

		EQUAL(OK(pread(fd, buf, MIB, (off_t)i * MIB)), MIB);
		bad = pattern_compare(buf, MIB, (uint64_t)i * MIB, seed);
		if (bad >= 0)
			test_fail(__FILE__, __LINE__, "differs at byte %llu",
				  (unsigned long long)i * MIB + (unsigned long long)bad);
	}
}

TEST_SECONDS(larger_than_memory, 1500)
{
	unsigned long count = test_setting("BIG_MIB", 2048), middle = count / 2;
	int fd = OK(open("big", O_CREAT | O_RDWR, 0644));

	write_range(fd, 0, count, 1);
	OK(fsync(fd));
	EQUAL(stat_of("big").st_size, (long long)count * MIB);
	check_range(fd, 0, count, 1);
	write_range(fd, middle, middle + 8, 2);
	OK(close(fd));
	fd = OK(open("big", O_RDONLY));
	check_range(fd, middle - 8, middle, 1);
	check_range(fd, middle, middle + 8, 2);
	check_range(fd, middle + 8, middle + 16, 1);
	OK(close(fd));
	OK(unlink("big"));
}
