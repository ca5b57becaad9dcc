// SPDX-License-Identifier: GPL-2.0
/*
 * Memory-mapped files: shared and private maps, what is seen through read() and after msync, the end of the file, and
 * user buffers that are themselves maps of files on the mount.
 */
#include "harness.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MIB (1u << 20)

static char *map_file(int fd, size_t bytes, int protection, int flags)
{
	char *map = mmap(NULL, bytes, protection, flags, fd, 0);

	if (map == MAP_FAILED)
		test_fail(__FILE__, __LINE__, "mmap: %s", strerror(errno));
	return map;
}

TEST(shared_map_is_the_file)
{
	static char buf[3 * MIB];
	int fd;
	char *map;

	make_file("f", 3 * MIB, 1);
	fd = OK(open("f", O_RDWR));
	map = map_file(fd, 3 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
	EQUAL(pattern_compare(map, 3 * MIB, 0, 1), -1);
	pattern_fill(map, 3 * MIB, 0, 2);
	EQUAL(pread(fd, buf, sizeof(buf), 0), sizeof(buf));
	EQUAL(pattern_compare(buf, sizeof(buf), 0, 2), -1);
	pattern_fill(buf, MIB, MIB, 3);
	EQUAL(pwrite(fd, buf, MIB, MIB), MIB);
	EQUAL(pattern_compare(map + MIB, MIB, MIB, 3), -1);
	OK(msync(map, 3 * MIB, MS_SYNC));
	OK(munmap(map, 3 * MIB));
	OK(close(fd));
}

TEST(map_outlives_descriptor_and_name)
{
	int fd;
	char *map;

	make_file("f", MIB, 1);
	fd = OK(open("f", O_RDWR));
	map = map_file(fd, MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
	OK(close(fd));
	map[5] = 'x';
	OK(msync(map, MIB, MS_SYNC));
	OK(unlink("f"));
	map[6] = 'y';
	EQUAL(map[5], 'x');
	OK(munmap(map, MIB));
}

TEST(private_map_stays_private)
{
	int fd;
	char *map;

	make_file("f", MIB, 1);
	fd = OK(open("f", O_RDONLY));
	map = map_file(fd, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	memset(map, 'p', MIB);
	check_file("f", MIB, 1);
	OK(munmap(map, MIB));
	OK(close(fd));
}

static sigjmp_buf after_fault;

static void on_fault(int signal)
{
	siglongjmp(after_fault, signal);
}

TEST(past_the_end)
{
	int fd;
	char *map;

	make_file("f", 5000, 1);
	fd = OK(open("f", O_RDWR));
	map = map_file(fd, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
	for (int i = 5000; i < 8192; i++)
		EQUAL(map[i], 0);
	map[6000] = 'x'; /* beyond the end, within the page: is not written */
	OK(msync(map, 8192, MS_SYNC));
	signal(SIGBUS, on_fault);
	if (sigsetjmp(after_fault, 1) == 0) {
		map[3 * 4096] = 'x';
		test_fail(__FILE__, __LINE__, "no SIGBUS past the end of the file");
	}
	OK(ftruncate(fd, 8192));
	OK(munmap(map, 4 * 4096));
	map = map_file(fd, 8192, PROT_READ, MAP_SHARED);
	EQUAL(pattern_compare(map, 5000, 0, 1), -1);
	EQUAL(map[7000], 0);
	OK(close(fd));
}

TEST(truncate_under_a_map)
{
	int fd;
	char *map;

	make_file("f", 4 * MIB, 1);
	fd = OK(open("f", O_RDWR));
	map = map_file(fd, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
	pattern_fill(map, 4 * MIB, 0, 2);
	OK(ftruncate(fd, MIB + 10));
	OK(ftruncate(fd, 4 * MIB));
	EQUAL(pattern_compare(map, MIB + 10, 0, 2), -1);
	for (unsigned int i = MIB + 10; i < 4 * MIB; i += 37)
		EQUAL(map[i], 0);
	OK(munmap(map, 4 * MIB));
	OK(close(fd));
}

TEST(written_through_another_process)
{
	pid_t writer;
	char *map;
	int fd;

	make_file("f", MIB, 1);
	fd = OK(open("f", O_RDWR));
	map = map_file(fd, MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
	writer = (pid_t)OK(fork());
	if (!writer) {
		int mine = OK(open("f", O_RDWR));

		pattern_fill(map_file(mine, MIB, PROT_READ | PROT_WRITE, MAP_SHARED), MIB, 0, 5);
		_exit(0);
	}
	test_join(writer, 0);
	EQUAL(pattern_compare(map, MIB, 0, 5), -1);
	OK(munmap(map, MIB));
	OK(close(fd));
}

/* read() and write() whose user buffer is a map of a file on the same mount. */
TEST(b6_b9_a_buffer_that_needs_caps)
{
	int from, to;
	char *map;

	make_file("from", 2 * MIB, 1);
	make_file("to", 2 * MIB, 2);
	from = OK(open("from", O_RDWR));
	to = OK(open("to", O_RDWR));
	OK(fsync(from));
	OK(posix_fadvise(from, 0, 0, POSIX_FADV_DONTNEED));
	map = map_file(from, 2 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
	EQUAL(pwrite(to, map, 2 * MIB, 0), 2 * MIB);
	check_file("to", 2 * MIB, 1);
	make_file("to", 2 * MIB, 3);
	EQUAL(pread(to, map, 2 * MIB, 0), 2 * MIB);
	OK(msync(map, 2 * MIB, MS_SYNC));
	check_file("from", 2 * MIB, 3);
	EQUAL(pwrite(from, map + MIB, MIB, 0), MIB); /* a file written from its own map */
	EQUAL(memcmp(map, map + MIB, MIB), 0);
	OK(munmap(map, 2 * MIB));
	OK(close(from));
	OK(close(to));
}
