// SPDX-License-Identifier: GPL-2.0
/*
 * Two clients: one keeps a file open and writes, the other asks for its size. After each write the next stat has its size; a
 * stat beside the writing never goes back; and the writer keeps what it has cached, however often the other one looks: by the
 * mounts' own counters, where there are any, nothing is taken back from it. At the end the file is cut under the writer.
 *
 *   sizes serve DIR PORT            the writer
 *   sizes join DIR ADDRESS PORT     who looks
 *
 * ROUNDS= sets the number of writes, SEED= what they are.
 */
#define _GNU_SOURCE
#include "turns.h"

enum { BYTES_MAX = 20000, RECORD = 1000, RECORDS = 300, CUTS = 8 };

static unsigned long step;
static uint64_t dice;
static off_t size;			/* what it must be, on both sides */
static char bytes[BYTES_MAX];
static int file = -1, appender = -1;

static void mine_is_done(void)
{
	turns_say(++step);
}

static void other_is_done(void)
{
	turns_hear(++step);
}

/* One write that both sides know of; the writer's side does it. Some are inside, some behind a hole, some appended. */
static void one_write(bool writes)
{
	size_t length = 1 + random_next(&dice) % BYTES_MAX;
	unsigned int kind = random_next(&dice) % 4;
	off_t at = size;

	if (kind == 0 && size)
		at = (off_t)(random_next(&dice) % (uint64_t)size);
	else if (kind == 1)
		at = size + (off_t)(random_next(&dice) % BYTES_MAX);
	if (writes && kind == 2)
		EQUAL(write(appender, bytes, length), length);
	else if (writes)
		EQUAL(pwrite(file, bytes, length, at), length);
	if (at + (off_t)length > size)
		size = at + (off_t)length;
}

static struct stat look(void)
{
	struct stat st;

	OK(lstat("file", &st));
	return st;
}

/* The first look brings mode and owner, which the maker has to itself until then; from here on nothing is to be taken. */
static void begin(bool writes)
{
	if (writes) {
		file = OK(open("file", O_CREAT | O_EXCL | O_WRONLY, 0644));
		appender = OK(open("file", O_WRONLY | O_APPEND));
		one_write(true);
		mine_is_done();
		other_is_done();
		return;
	}
	one_write(false);
	other_is_done();
	EQUAL(look().st_size, size);
	mine_is_done();
}

static void rounds(bool writes, unsigned long count)
{
	struct timespec last = { 0, 0 };
	struct stat st;

	for (unsigned long i = 0; i < count; i++) {
		one_write(writes);
		if (writes) {
			mine_is_done();
			other_is_done();
			continue;
		}
		other_is_done();
		st = look();
		EQUAL(st.st_size, size);
		CHECK(st.st_blocks > 0 && st.st_blocks * 512 < st.st_size + 8192);
		CHECK(st.st_mtim.tv_sec > last.tv_sec ||
		      (st.st_mtim.tv_sec == last.tv_sec && st.st_mtim.tv_nsec >= last.tv_nsec));
		last = st.st_mtim;
		mine_is_done();
	}
}

/* Both at once: never less than before. (A record may show in parts: a write of two pages grows the file twice.) */
static void beside_the_writing(bool writes)
{
	off_t seen = size, now;

	size += RECORD * RECORDS;
	if (writes) {
		for (unsigned int i = 0; i < RECORDS; i++)
			EQUAL(write(appender, bytes, RECORD), RECORD);
		mine_is_done();
		other_is_done();
		return;
	}
	while (seen < size) {
		now = look().st_size;
		if (now < seen || now > size)
			test_fail(__FILE__, __LINE__, "%lld bytes, after %lld, on the way to %lld", (long long)now,
				  (long long)seen, (long long)size);
		seen = now;
	}
	other_is_done();
	EQUAL(look().st_size, size);
	mine_is_done();
}

static void cut_under_the_writer(bool writes)
{
	struct stat st;

	for (unsigned int i = 0; i < CUTS; i++) {
		size = (off_t)(random_next(&dice) % (uint64_t)(size + 1));
		if (writes) {
			other_is_done();
			OK(fstat(file, &st));
			EQUAL(st.st_size, size);
			one_write(true);
			mine_is_done();
		} else {
			OK(truncate("file", size));
			EQUAL(look().st_size, size);
			mine_is_done();
			one_write(false);
			other_is_done();
			EQUAL(look().st_size, size);
		}
	}
}

int main(int argc, char **argv)
{
	unsigned long count = test_setting("ROUNDS", 300), revoked, beside, reported;
	bool writes = turns_begin("sizes", argc, argv);

	dice = test_setting("SEED", 1);
	OK(chdir(argv[2]));
	begin(writes);
	revoked = test_statistic("caps_revoked");
	reported = test_statistic("sizes_reported");
	rounds(writes, count);
	beside = test_statistic("caps_revoked");
	revoked = beside - revoked;
	beside_the_writing(writes);
	beside = test_statistic("caps_revoked") - beside;
	reported = test_statistic("sizes_reported") - reported;
	test_note("%lu caps taken from here, %lu stats answered by reports", revoked, reported);
	EQUAL(revoked, 0);
	/* a stat that comes while the rank is changing the file itself, for more room, is not answered by a report */
	CHECK(beside <= 2);
	/* where such a counter exists, every stat of the other side's file was answered so */
	CHECK(writes || !test_statistic("mds_requests") || reported > count);
	cut_under_the_writer(writes);
	turns_end(argv[1], writes ? "wrote %lu times, and kept what it had" : "saw the size of %lu writes", count);
	return 0;
}
