// SPDX-License-Identifier: GPL-2.0
/*
 * Reading and writing: holes, truncation, appends, fsync, and a long random run against a copy in memory. Buffered,
 * mapped and direct accesses are mixed there; each alone is in mapped.c and direct.c.
 */
#include "harness.h"

#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define MIB (1u << 20)

static bool all_zero(const char *buf, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (buf[i])
			return false;
	return true;
}

TEST(sizes_around_boundaries)
{
	static const size_t sizes[] = { 0,	1,	   511,	      512,	 4095,	  4096,	  4097,
					65535,	65537,	   1048575,   1048577,	 4194303, 4194304, 4194305,
					8388607, 8388609 };
	char name[32];

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), "f%zu", sizes[i]);
		make_file(name, sizes[i], i);
	}
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), "f%zu", sizes[i]);
		check_file(name, sizes[i], i);
	}
}

TEST(holes_read_as_zero)
{
	static char buf[MIB];
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	EQUAL(pwrite(fd, "end", 3, 9 * MIB + 5), 3);
	EQUAL(pwrite(fd, "mid", 3, 5 * MIB), 3);
	EQUAL(stat_of("f").st_size, 9 * MIB + 8);
	for (unsigned int at = 0; at < 9; at++) {
		EQUAL(pread(fd, buf, MIB, at * MIB), MIB);
		if (at == 5) {
			CHECK(memcmp(buf, "mid", 3) == 0);
			memset(buf, 0, 3);
		}
		CHECK(all_zero(buf, MIB));
	}
	EQUAL(pread(fd, buf, MIB, 9 * MIB), 8);
	CHECK(all_zero(buf, 5) && memcmp(buf + 5, "end", 3) == 0);
	EQUAL(pread(fd, buf, MIB, 9 * MIB + 8), 0);
	OK(fsync(fd));
	OK(close(fd));
}

TEST(sparse_file_of_a_tebibyte)
{
	const off_t far = 1ll << 40;
	char buf[8192];
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	EQUAL(pwrite(fd, "far", 3, far), 3);
	OK(fsync(fd));
	EQUAL(stat_of("f").st_size, far + 3);
	CHECK(stat_of("f").st_blocks < 100000);
	EQUAL(pread(fd, buf, sizeof(buf), far - 4096), 4096 + 3);
	CHECK(all_zero(buf, 4096) && memcmp(buf + 4096, "far", 3) == 0);
	EQUAL(pread(fd, buf, sizeof(buf), far / 2), sizeof(buf));
	CHECK(all_zero(buf, sizeof(buf)));
	OK(ftruncate(fd, 10));
	OK(close(fd));
}

/* st_blocks is what was written, whatever the size: whoever looks for holes (tar, du, cp) believes it. */
TEST(blocks_follow_what_was_written)
{
	enum { BLOCKS = MIB / 512, SLACK = 256 }; /* some file systems count their own blocks, too */
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
	blkcnt_t blocks;

	EQUAL(stat_of("f").st_blocks, 0);
	EQUAL(pwrite(fd, "x", 1, 0), 1);
	CHECK(stat_of("f").st_blocks > 0); /* before it is written back, too: else tar takes it for one hole */
	make_file("f", MIB, 1);
	blocks = stat_of("f").st_blocks;
	if (blocks < BLOCKS || blocks >= BLOCKS + SLACK)
		test_fail(__FILE__, __LINE__, "%lld blocks of a file of 1 MiB", (long long)blocks);
	OK(ftruncate(fd, 1ll << 30));
	CHECK(stat_of("f").st_blocks < BLOCKS + SLACK);
	EQUAL(pwrite(fd, "x", 1, 500 * MIB), 1);
	OK(fsync(fd));
	blocks = stat_of("f").st_blocks;
	CHECK(blocks > BLOCKS && blocks < BLOCKS + SLACK);
	OK(ftruncate(fd, 0));
	EQUAL(stat_of("f").st_blocks, 0);
	OK(close(fd));
}

TEST(truncate_down_and_up)
{
	static char buf[10000];
	int fd;

	make_file("f", 10000, 1);
	OK(truncate("f", 5000));
	check_file("f", 5000, 1);
	OK(truncate("f", 10000));
	fd = OK(open("f", O_RDWR));
	EQUAL(pread(fd, buf, sizeof(buf), 0), 10000);
	EQUAL(pattern_compare(buf, 5000, 0, 1), -1);
	CHECK(all_zero(buf + 5000, 5000)); /* what was cut off does not come back */
	OK(ftruncate(fd, 0));
	EQUAL(stat_of("f").st_size, 0);
	EQUAL(pread(fd, buf, sizeof(buf), 0), 0);
	FAILS(truncate("f", -1), EINVAL);
	OK(close(fd));
}

TEST(truncate_of_many_objects)
{
	static char buf[MIB];
	int fd;

	make_file("f", 13 * MIB, 1);
	OK(truncate("f", 4 * MIB + 100));
	OK(truncate("f", 12 * MIB));
	fd = OK(open("f", O_RDONLY));
	EQUAL(pread(fd, buf, MIB, 4 * MIB), MIB);
	EQUAL(pattern_compare(buf, 100, 4 * MIB, 1), -1);
	CHECK(all_zero(buf + 100, MIB - 100));
	EQUAL(pread(fd, buf, MIB, 8 * MIB), MIB);
	CHECK(all_zero(buf, MIB));
	OK(close(fd));
}

/* What one may write up to was large once, and is not after a truncation: a write that lies between waited for ever (SIZE-1). */
TEST(write_far_behind_a_truncation)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
	char buf[512], read_back[512];

	for (off_t far = 200 * MIB; far > 100 * MIB; far -= 25 * MIB) {
		pattern_fill(buf, sizeof(buf), far, 1);
		EQUAL(pwrite(fd, buf, sizeof(buf), far), sizeof(buf));
		EQUAL(pread(fd, read_back, sizeof(buf), far), sizeof(buf));
		EQUAL(memcmp(buf, read_back, sizeof(buf)), 0);
		OK(ftruncate(fd, MIB));
	}
	EQUAL(stat_of("f").st_size, MIB);
	OK(close(fd));
}

TEST(open_with_truncate)
{
	make_file("f", 5 * MIB, 1);
	OK(close((int)OK(open("f", O_WRONLY | O_TRUNC))));
	EQUAL(stat_of("f").st_size, 0);
	make_file("f", 10, 2);
	check_file("f", 10, 2);
}

TEST(appends_of_two_processes)
{
	enum { EACH = 500, RECORD = 37 };
	static char buf[2 * EACH * RECORD];
	unsigned int seen[2] = { 0, 0 };
	pid_t writers[2];
	int fd;

	for (int who = 0; who < 2; who++) {
		writers[who] = (pid_t)OK(fork());
		if (writers[who])
			continue;
		fd = OK(open("f", O_CREAT | O_WRONLY | O_APPEND, 0644));
		for (int i = 0; i < EACH; i++) {
			char record[RECORD + 1];

			snprintf(record, sizeof(record), "%d %34d\n", who, i);
			EQUAL(write(fd, record, RECORD), RECORD);
		}
		_exit(0);
	}
	for (int who = 0; who < 2; who++)
		test_join(writers[who], 0);
	fd = OK(open("f", O_RDONLY));
	EQUAL(read(fd, buf, sizeof(buf)), sizeof(buf));
	EQUAL(stat_of("f").st_size, sizeof(buf));
	for (int i = 0; i < 2 * EACH; i++) {
		int who, number;

		EQUAL(sscanf(buf + i * RECORD, "%d %d", &who, &number), 2);
		CHECK(who == 0 || who == 1);
		EQUAL(number, seen[who]++); /* nobody's records are lost, torn or out of order */
	}
	OK(close(fd));
}

TEST(vectors)
{
	char a[100], b[3000], c[7], back[3107];
	struct iovec out[3] = { { a, sizeof(a) }, { b, sizeof(b) }, { c, sizeof(c) } };
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	pattern_fill(a, sizeof(a), 0, 1);
	pattern_fill(b, sizeof(b), 100, 1);
	pattern_fill(c, sizeof(c), 3100, 1);
	EQUAL(writev(fd, out, 3), 3107);
	EQUAL(pread(fd, back, sizeof(back), 0), 3107);
	EQUAL(pattern_compare(back, sizeof(back), 0, 1), -1);
	OK(close(fd));
}

TEST(access_modes)
{
	char byte = 'x';
	int fd;

	make_file("f", 10, 1);
	fd = OK(open("f", O_RDONLY));
	FAILS(write(fd, &byte, 1), EBADF);
	FAILS(ftruncate(fd, 1), EINVAL);
	OK(close(fd));
	fd = OK(open("f", O_WRONLY));
	FAILS(read(fd, &byte, 1), EBADF);
	OK(close(fd));
	fd = OK(open(".", O_RDONLY));
	FAILS(read(fd, &byte, 1), EISDIR);
	OK(fsync(fd));
	OK(close(fd));
}

TEST(sync_flavours)
{
	static char buf[MIB];
	static const int flags[] = { O_SYNC, O_DSYNC };

	for (unsigned int i = 0; i < 2; i++) {
		int fd = OK(open("f", O_CREAT | O_RDWR | flags[i], 0644));

		pattern_fill(buf, MIB, 0, i);
		EQUAL(pwrite(fd, buf, MIB, 0), MIB);
		EQUAL(pwrite(fd, buf, 100, 0), 100);
		OK(fdatasync(fd));
		OK(syncfs(fd));
		OK(close(fd));
		check_file("f", MIB, i);
	}
}

TEST(seek_to_data_and_holes)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	EQUAL(pwrite(fd, "x", 1, 8 * MIB), 1);
	OK(fsync(fd));
	EQUAL(lseek(fd, 8 * MIB, SEEK_DATA), 8 * MIB);
	EQUAL(lseek(fd, 8 * MIB, SEEK_HOLE), 8 * MIB + 1);
	FAILS(lseek(fd, 8 * MIB + 1, SEEK_DATA), ENXIO);
	CHECK(lseek(fd, 0, SEEK_DATA) <= 8 * MIB);
	EQUAL(lseek(fd, 0, SEEK_END), 8 * MIB + 1);
	OK(close(fd));
}

/* The random run: a file and its model in memory. */
enum { MODEL_BYTES = 9 * MIB, STEP_BYTES = 300000 };
static char model[MODEL_BYTES], scratch[MODEL_BYTES];
static size_t model_size;

static void random_write(int fd, size_t at, size_t bytes, uint64_t seed)
{
	if (at + bytes > MODEL_BYTES)
		bytes = MODEL_BYTES - at;
	if (at > model_size)
		memset(model + model_size, 0, at - model_size);
	pattern_fill(model + at, bytes, at, seed);
	EQUAL(pwrite(fd, model + at, bytes, (off_t)at), bytes);
	if (at + bytes > model_size)
		model_size = at + bytes;
}

static void random_mapped_write(int fd, size_t at, size_t bytes, uint64_t seed)
{
	char *map;

	if (model_size == 0 || at >= model_size)
		return;
	if (bytes > model_size - at)
		bytes = model_size - at;
	map = mmap(NULL, model_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	pattern_fill(model + at, bytes, at, seed);
	memcpy(map + at, model + at, bytes);
	OK(munmap(map, model_size));
}

static void random_truncate(int fd, size_t size)
{
	if (size > model_size)
		memset(model + model_size, 0, size - model_size);
	model_size = size;
	OK(ftruncate(fd, (off_t)size));
}

static void random_check(int fd, size_t at, size_t bytes)
{
	size_t want = at >= model_size ? 0 : model_size - at;

	if (want > bytes)
		want = bytes;
	EQUAL(pread(fd, scratch, bytes, (off_t)at), want);
	for (size_t i = 0; i < want; i++)
		if (scratch[i] != model[at + i])
			test_fail(__FILE__, __LINE__, "byte %zu of %zu is %02x, wanted %02x", at + i,
				  model_size, (unsigned char)scratch[i], (unsigned char)model[at + i]);
}

TEST_SECONDS(random_against_a_model, 300)
{
	uint64_t random = test_setting("SEED", 1);
	unsigned long steps = test_setting("STEPS", 1500);
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	for (unsigned long step = 0; step < steps; step++) {
		size_t at = random_next(&random) % MODEL_BYTES, bytes = random_next(&random) % STEP_BYTES;
		uint64_t dice = random_next(&random) % 100;

		if (dice < 40)
			random_check(fd, at, bytes);
		else if (dice < 70)
			random_write(fd, at, bytes, step);
		else if (dice < 80)
			random_mapped_write(fd, at, bytes, step);
		else if (dice < 88)
			random_truncate(fd, at);
		else if (dice < 94)
			OK(fsync(fd));
		else if (dice < 97)
			OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		else
			EQUAL(stat_of("f").st_size, model_size);
	}
	random_check(fd, 0, MODEL_BYTES);
	OK(fsync(fd));
	OK(close(fd));
}
