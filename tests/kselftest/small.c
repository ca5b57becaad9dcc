// SPDX-License-Identifier: GPL-2.0
/*
 * Small files, which a file system may keep in their inodes: everything that one can do first with a file of few bytes,
 * the way across the limit (4096 bytes, where there is one) and what truncation and maps make of it. After each, what
 * is in memory is thrown out where that is allowed, and the file must be the same.
 */
#include "harness.h"

#include <sys/mman.h>

enum { LIMIT = 4096, ROOM = 4 * LIMIT };

/* What the file should be. */
static char model[ROOM];
static size_t model_bytes;

static void settle(int fd)
{
	int drop;

	OK(fsync(fd));
	drop = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (drop >= 0) {
		(void)!write(drop, "3", 1);
		close(drop);
	}
}

static void compare(const char *path)
{
	char buf[ROOM + 1];
	int fd = OK(open(path, O_RDONLY));

	EQUAL(stat_of(path).st_size, model_bytes);
	EQUAL(read(fd, buf, sizeof(buf)), model_bytes);
	for (size_t i = 0; i < model_bytes; i++)
		if (buf[i] != model[i])
			test_fail(__FILE__, __LINE__, "%s: byte %zu of %zu is %#x instead of %#x",
				  path, i, model_bytes, (unsigned char)buf[i],
				  (unsigned char)model[i]);
	OK(close(fd));
}

/* As it is in memory, and as it is behind it. */
static void check(const char *path, int fd)
{
	compare(path);
	settle(fd);
	compare(path);
}

static void model_write(size_t at, size_t bytes, uint64_t seed)
{
	pattern_fill(model + at, bytes, at, seed);
	if (model_bytes < at + bytes)
		model_bytes = at + bytes;
}

static void model_cut(size_t bytes)
{
	if (bytes < model_bytes)
		memset(model + bytes, 0, model_bytes - bytes);
	model_bytes = bytes;
}

static void do_write(int fd, size_t at, size_t bytes, uint64_t seed)
{
	model_write(at, bytes, seed);
	EQUAL(pwrite(fd, model + at, bytes, (off_t)at), bytes);
}

static void do_cut(int fd, size_t bytes)
{
	model_cut(bytes);
	OK(ftruncate(fd, (off_t)bytes));
}

static void do_append(const char *path, size_t bytes, uint64_t seed)
{
	int fd = OK(open(path, O_WRONLY | O_APPEND));
	size_t at = model_bytes;

	model_write(at, bytes, seed);
	EQUAL(write(fd, model + at, bytes), bytes);
	OK(close(fd));
}

static void do_store(int fd, size_t at, size_t bytes, uint64_t seed)
{
	char *map = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	model_write(at, bytes, seed);
	memcpy(map + at, model + at, bytes);
	OK(munmap(map, ROOM));
}

static int new_file(const char *path, size_t bytes)
{
	int fd = OK(open(path, O_CREAT | O_EXCL | O_RDWR, 0644));

	model_cut(0);
	if (bytes)
		do_write(fd, 0, bytes, 1);
	return fd;
}

/* ---- one first operation each ----------------------------------------------------------------- */

static const size_t sizes[] = { 0, 1, 63, 64, 100, 4095, 4096, 4097, 8192, 9000 };

/* Or every EVERY-th of them: to throw out what is in memory takes a debug kernel a second. */
#define EACH_SIZE(bytes) \
	(size_t i_ = 0, bytes; i_ < 10 && (bytes = sizes[i_], 1); i_ += test_setting("EVERY", 1))

TEST(write_and_read)
{
	for EACH_SIZE(bytes) {
		int fd = new_file("f", bytes);

		check("f", fd);
		OK(close(fd));
		compare("f");
		OK(unlink("f"));
	}
}

TEST(write_again)
{
	for EACH_SIZE(bytes) {
		int fd = new_file("f", bytes);

		settle(fd);
		do_write(fd, 10, 50, 2);
		check("f", fd);
		do_write(fd, bytes / 2, 30, 3);
		check("f", fd);
		OK(close(fd));
		OK(unlink("f"));
	}
}

TEST(append)
{
	for EACH_SIZE(bytes) {
		int fd = new_file("f", bytes);

		for (unsigned int i = 0; i < 6; i++) {
			do_append("f", 700, i + 2);
			if (i % 2)
				check("f", fd);
		}
		check("f", fd);
		OK(close(fd));
		OK(unlink("f"));
	}
}

TEST(cut_and_stretch)
{
	static const size_t ends[] = { 50, 4000, 0, 4096, 10, 12000, 20, 5000, 4096, 1 };

	for EACH_SIZE(bytes) {
		int fd = new_file("f", bytes);

		for (unsigned int i = 0; i < 10; i++) {
			do_cut(fd, ends[i]);
			check("f", fd);
			if (i % 3 == 2) {
				do_write(fd, 5, 40, i + 2);
				check("f", fd);
			}
		}
		OK(close(fd));
		OK(unlink("f"));
	}
}

TEST(open_with_trunc)
{
	for EACH_SIZE(bytes) {
		int fd = new_file("f", bytes);

		settle(fd);
		OK(close(fd));
		fd = OK(open("f", O_RDWR | O_TRUNC));
		model_cut(0);
		compare("f");
		do_write(fd, 0, bytes / 2 + 1, 2);
		check("f", fd);
		OK(close(fd));
		OK(unlink("f"));
	}
}

TEST(load_and_store)
{
	for EACH_SIZE(bytes) {
		int fd;

		if (!bytes)
			continue;
		fd = new_file("f", bytes);
		settle(fd);
		do_store(fd, bytes / 2, bytes - bytes / 2, 2);
		check("f", fd);
		do_store(fd, 0, 1, 3);
		check("f", fd);
		OK(close(fd));
		OK(unlink("f"));
	}
}

/* A map that stays while the file grows across the limit. */
TEST(map_outlives_growth)
{
	int fd = new_file("f", 100);
	char *map = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	settle(fd);
	EQUAL(map[99], model[99]);
	do_write(fd, 6000, 100, 2);
	map[50] = model[50] = 'm';
	EQUAL(map[6050], model[6050]);
	check("f", fd);
	EQUAL(map[50], 'm');
	map[6001] = model[6001] = 'n';
	check("f", fd);
	OK(munmap(map, ROOM));
	OK(close(fd));
}

TEST(o_direct)
{
	char *buf = NULL;

	EQUAL(posix_memalign((void **)&buf, LIMIT, ROOM), 0);
	for EACH_SIZE(bytes) {
		int fd = new_file("f", bytes), direct = open("f", O_RDWR | O_DIRECT);

		if (direct < 0 && errno == EINVAL)
			test_skip("no O_DIRECT on this file system");
		settle(fd);
		EQUAL(pread(OK(direct), buf, ROOM, 0), bytes);
		EQUAL(memcmp(buf, model, bytes), 0);
		model_write(0, LIMIT, 2);
		memcpy(buf, model, LIMIT);
		EQUAL(pwrite(direct, buf, LIMIT, 0), LIMIT);
		check("f", fd);
		model_write(LIMIT, LIMIT, 3);
		memcpy(buf, model + LIMIT, LIMIT);
		EQUAL(pwrite(direct, buf, LIMIT, LIMIT), LIMIT);
		check("f", fd);
		EQUAL(pread(direct, buf, ROOM, 0), model_bytes);
		EQUAL(memcmp(buf, model, model_bytes), 0);
		OK(close(direct));
		OK(close(fd));
		OK(unlink("f"));
	}
	free(buf);
}

TEST(attributes_in_between)
{
	for EACH_SIZE(bytes) {
		struct timespec times[2] = { { 1000, 1 }, { 2000, 2 } };
		int fd = new_file("f", bytes);

		OK(fchmod(fd, 0600));
		do_write(fd, 20, 10, 2);
		OK(futimens(fd, times));
		check("f", fd);
		EQUAL(stat_of("f").st_mode & 07777, 0600);
		EQUAL(stat_of("f").st_mtim.tv_sec, 2000);
		OK(fchmod(fd, 0640));
		OK(rename("f", "g"));
		do_append("g", 100, 3);
		check("g", fd);
		EQUAL(stat_of("g").st_mode & 07777, 0640);
		OK(close(fd));
		OK(unlink("g"));
	}
}

TEST(unlinked_while_open)
{
	for EACH_SIZE(bytes) {
		int fd = new_file("f", bytes);
		char buf[ROOM];

		OK(unlink("f"));
		do_write(fd, 5, 50, 2);
		settle(fd);
		EQUAL(pread(fd, buf, ROOM, 0), model_bytes);
		EQUAL(memcmp(buf, model, model_bytes), 0);
		do_write(fd, 5000, 50, 3);
		settle(fd);
		EQUAL(pread(fd, buf, ROOM, 0), model_bytes);
		EQUAL(memcmp(buf, model, model_bytes), 0);
		OK(close(fd));
	}
}

/* ---- anything in any order ------------------------------------------------------------------------ */

static void any(int fd, uint64_t *dice, uint64_t seed)
{
	size_t at = random_next(dice) % 6000, bytes = 1 + random_next(dice) % 1500;

	/* Most of the time below the limit. */
	if (random_next(dice) % 4) {
		at %= 1500;
		bytes = bytes % 800 + 1;
	}
	switch (random_next(dice) % 6) {
	case 0:
		do_cut(fd, at);
		break;
	case 1:
		if (model_bytes + bytes <= ROOM)
			do_append("f", bytes, seed);
		break;
	case 2:
		if (model_bytes > at)
			do_store(fd, at, model_bytes - at, seed);
		break;
	default:
		do_write(fd, at, bytes, seed);
	}
}

TEST_SECONDS(random, 300)
{
	uint64_t dice = test_setting("SEED", 1);
	unsigned long rounds = test_setting("ROUNDS", 60);

	for (unsigned long i = 0; i < rounds; i++) {
		int fd = new_file("f", random_next(&dice) % 2000);

		for (unsigned int j = 0; j < 12; j++) {
			any(fd, &dice, j + 2);
			if (random_next(&dice) % 3)
				compare("f");
			else
				check("f", fd);
		}
		check("f", fd);
		OK(close(fd));
		OK(unlink("f"));
	}
}
