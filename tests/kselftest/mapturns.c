// SPDX-License-Identifier: GPL-2.0
/*
 * Two clients map one file shared and take turns: what the one has stored and given to msync, the other one loads after it.
 *
 *   mapturns serve DIR PORT             one side; waits for the other
 *   mapturns join DIR ADDRESS PORT      the other side
 *
 * Both draw the same stores from one generator and keep the same model of the file. The maps stay the whole time; now and
 * then a side uses a descriptor instead, for its store or for its look, or maps anew. ROUNDS= sets the number of
 * rounds, SEED= the sequence. The first byte that differs ends the test.
 */
#include "turns.h"

#include <sys/mman.h>

enum { FILE_BYTES = 12 * 4096 + 1000, STORE_BYTES_MAX = 3 * 4096 };

static char model[FILE_BYTES], seen[FILE_BYTES];
static unsigned long round_number;
static uint64_t dice;
static char *map;
static int fd;

static void map_anew(void)
{
	if (map)
		OK(munmap(map, FILE_BYTES));
	map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
}

/* One store, in both models; by the side whose turn it is in the file, too. */
static void store(bool acting)
{
	size_t at = random_next(&dice) % FILE_BYTES, bytes = 1 + random_next(&dice) % STORE_BYTES_MAX;
	bool by_write = random_next(&dice) % 8 == 0;

	if (bytes > FILE_BYTES - at)
		bytes = FILE_BYTES - at;
	pattern_fill(model + at, bytes, at, round_number);
	if (!acting)
		return;
	if (by_write) {
		EQUAL(pwrite(fd, model + at, bytes, (off_t)at), bytes);
	} else {
		memcpy(map + at, model + at, bytes);
		OK(msync(map, FILE_BYTES, MS_SYNC));
	}
}

static void look(uint64_t *mine)
{
	const char *now = map;

	if (random_next(mine) % 8 == 0) {
		EQUAL(pread(fd, seen, FILE_BYTES, 0), FILE_BYTES);
		now = seen;
	} else if (random_next(mine) % 64 == 0) {
		map_anew();
		now = map;
	}
	for (size_t i = 0; i < FILE_BYTES; i++)
		if (now[i] != model[i])
			test_fail(__FILE__, __LINE__, "round %lu: byte %zu is %#x in the %s, wanted %#x",
				  round_number, i, (unsigned char)now[i], now == seen ? "file" : "map",
				  (unsigned char)model[i]);
}

int main(int argc, char **argv)
{
	unsigned long rounds = test_setting("ROUNDS", 10000);
	bool serves = turns_begin("mapturns", argc, argv);
	uint64_t mine;

	dice = test_setting("SEED", 1);
	mine = dice + serves;
	OK(chdir(argv[2]));
	fd = OK(open("map", O_CREAT | O_RDWR, 0644));
	OK(ftruncate(fd, FILE_BYTES));
	map_anew();
	turns_say(round_number);
	turns_hear(round_number);
	for (round_number = 1; round_number <= rounds; round_number++) {
		bool acting = (round_number % 2 == 0) == serves;

		store(acting);
		if (acting) {
			turns_say(round_number);
			turns_hear(round_number);
		} else {
			turns_hear(round_number);
			look(&mine);
			turns_say(round_number);
		}
	}
	turns_end(argv[1], "saw all of the other side's %lu stores", rounds / 2);
	return 0;
}
