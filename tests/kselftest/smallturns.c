// SPDX-License-Identifier: GPL-2.0
/*
 * Two clients write one small file, which a file system may keep in its inode: in each round the file is made by one of
 * them, then both write parts of their own at the same time, within the first bytes or far behind them, and then both
 * must find all of it. Whoever takes the data out of the inode must not take the other's bytes away.
 *
 *   smallturns serve DIR PORT            one side
 *   smallturns join DIR ADDRESS PORT     the other side
 *
 * Both draw the same rounds from one generator. ROUNDS= sets their number, SEED= the sequence.
 */
#include "turns.h"

enum { ROOM = 12000, PARTS = 8 };

/* A part that one side writes. */
struct part {
	bool serves;
	size_t at, bytes;
	uint64_t seed;
};

/* What the round's file should be. */
static char model[ROOM];
static size_t model_bytes;
static struct part parts[PARTS];
static size_t first_bytes;
static unsigned long step;

static void both(void)
{
	turns_say(++step);
	turns_hear(step);
}

static void model_write(size_t at, size_t bytes, uint64_t seed)
{
	pattern_fill(model + at, bytes, at, seed);
	if (model_bytes < at + bytes)
		model_bytes = at + bytes;
}

/* Parts do not touch each other: each has its own eighth of the file, which may be a small one. */
static void draw(uint64_t *dice, uint64_t seed)
{
	size_t span = random_next(dice) % 2 ? 200 : ROOM / PARTS;

	memset(model, 0, sizeof(model));
	model_bytes = 0;
	first_bytes = random_next(dice) % 3 ? random_next(dice) % 1500 : 0;
	model_write(0, first_bytes, seed);
	for (unsigned int i = 0; i < PARTS; i++) {
		size_t from = random_next(dice) % span;

		parts[i].at = i * span + from;
		parts[i].bytes = random_next(dice) % (span - from + 1);
		parts[i].serves = random_next(dice) % 2;
		parts[i].seed = seed + i + 1;
		if (parts[i].bytes)
			model_write(parts[i].at, parts[i].bytes, parts[i].seed);
	}
}

static void write_parts(int fd, bool serves)
{
	static char buf[ROOM];

	for (unsigned int i = 0; i < PARTS; i++) {
		struct part *part = &parts[i];

		if (part->serves != serves || !part->bytes)
			continue;
		pattern_fill(buf, part->bytes, part->at, part->seed);
		EQUAL(pwrite(fd, buf, part->bytes, (off_t)part->at), part->bytes);
	}
}

static void compare(int fd)
{
	static char buf[ROOM + 1];

	EQUAL(pread(fd, buf, sizeof(buf), 0), model_bytes);
	for (size_t i = 0; i < model_bytes; i++)
		if (buf[i] != model[i])
			test_fail(__FILE__, __LINE__,
				  "step %lu: byte %zu of %zu is %#x instead of %#x", step, i,
				  model_bytes, (unsigned char)buf[i], (unsigned char)model[i]);
}

static void make(const char *path, uint64_t seed)
{
	static char buf[ROOM];
	int fd = OK(open(path, O_CREAT | O_EXCL | O_RDWR, 0644));

	pattern_fill(buf, first_bytes, 0, seed);
	EQUAL(write(fd, buf, first_bytes), first_bytes);
	OK(close(fd));
}

static void one_round(const char *dir, bool serves, uint64_t *dice, unsigned long number)
{
	uint64_t seed = number * 100;
	bool maker, syncs;
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/f%lu", dir, number);
	draw(dice, seed);
	maker = (random_next(dice) % 2) == serves;
	syncs = random_next(dice) % 2;
	if (maker)
		make(path, seed);
	both();
	fd = OK(open(path, O_RDWR));
	/* They have it open together; a read before says what was there. */
	if (random_next(dice) % 2) {
		char first = 0;

		EQUAL(pread(fd, &first, 1, 0), first_bytes ? 1 : 0);
		EQUAL(first, first_bytes ? (pattern_fill(&first, 1, 0, seed), first) : 0);
	}
	both();
	write_parts(fd, serves);
	if (syncs)
		OK(fsync(fd));
	both();
	compare(fd);
	both();
	OK(close(fd));
	fd = OK(open(path, O_RDONLY));
	compare(fd);
	OK(close(fd));
	both();
	if (maker)
		OK(unlink(path));
	both();
}

int main(int argc, char **argv)
{
	bool serves = turns_begin("smallturns", argc, argv);
	unsigned long rounds = test_setting("ROUNDS", 200), seed = test_setting("SEED", 1);
	uint64_t dice = seed;

	for (unsigned long i = 0; i < rounds; i++)
		one_round(argv[2], serves, &dice, i);
	both();
	if (serves)
		OK(rmdir(argv[2]));
	turns_end(serves ? "serves" : "joins", "%lu small files written by two (SEED=%lu)", rounds, seed);
	return 0;
}
