// SPDX-License-Identifier: GPL-2.0
/*
 * Two clients that want the same file, in turns: in each turn one side makes one call that takes from the other what it has.
 * The side that serves prints how long these calls took on both sides (p50, p99, the longest, of all times sorted), how many
 * there were in a second, the pauses between them included, and what the mounts have sent and were told to give back for each.
 * Nothing is judged but that each call finds what the other side did last.
 *
 *   pingpong serve DIR PORT             KIND= says what is done, STEPS= how often by each side
 *   pingpong join DIR ADDRESS PORT      the same
 *
 * chmod      both have looked at the mode, one changes it: copies of an attribute are taken back, no data is
 * read       one has written a byte that only it has, the other opens and reads it
 * rewrite    the other has read and keeps the page, the one opens and writes it
 * write      both have the file open and write one byte each in turns
 * together   the same, but nobody waits for his turn
 */
#define _GNU_SOURCE
#include "turns.h"

#include <time.h>

static unsigned long step;
static double *took_us;			/* of this side; in the end of both */
static size_t took_count;
static int file = -1;

static double now_us(void)
{
	struct timespec now;

	OK(clock_gettime(CLOCK_MONOTONIC, &now));
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void take(double began_us)
{
	took_us[took_count++] = now_us() - began_us;
}

/* What step number `n` writes. */
static char byte_of(unsigned long n)
{
	return (char)('a' + n % 26);
}

static void write_byte(int fd, unsigned long n)
{
	char byte = byte_of(n);

	EQUAL(pwrite(fd, &byte, 1, 0), 1);
}

static void read_byte(int fd, unsigned long n)
{
	char byte = 0;

	EQUAL(pread(fd, &byte, 1, 0), 1);
	EQUAL(byte, byte_of(n));
}

/* ---- one turn of each kind: what is measured, then what the other side's next turn needs ------------------------- */

static void turn_chmod(unsigned long n)
{
	double began;

	EQUAL(stat_of("file").st_mode & 0777, 0600 | (n - 1) % 8);
	/* this side has a copy now, and so has the other one since its own turn */
	began = now_us();
	OK(chmod("file", 0600 | n % 8));
	take(began);
}

static void look_again(unsigned long n)
{
	EQUAL(stat_of("file").st_mode & 0777, 0600 | n % 8);
}

static void turn_read(unsigned long n)
{
	double began = now_us();
	int fd = OK(open("file", O_RDONLY));

	read_byte(fd, n - 1);
	take(began);
	OK(close(fd));
	fd = OK(open("file", O_WRONLY));
	write_byte(fd, n);
	OK(close(fd));
}

static void turn_rewrite(unsigned long n)
{
	double began = now_us();
	int fd = OK(open("file", O_WRONLY));

	write_byte(fd, n);
	take(began);
	OK(close(fd));
}

static void read_again(unsigned long n)
{
	int fd = OK(open("file", O_RDONLY));

	read_byte(fd, n);
	OK(close(fd));
}

static void turn_write(unsigned long n)
{
	double began = now_us();

	write_byte(file, n);
	take(began);
}

struct kind {
	const char *name;
	void (*turn)(unsigned long n);
	void (*after)(unsigned long n);	/* by both sides, before the next turn */
	bool keeps_open, together;
};

static const struct kind kinds[] = {
	{ .name = "chmod", .turn = turn_chmod, .after = look_again },
	{ .name = "read", .turn = turn_read },
	{ .name = "rewrite", .turn = turn_rewrite, .after = read_again },
	{ .name = "write", .turn = turn_write, .keeps_open = true },
	{ .name = "together", .turn = turn_write, .keeps_open = true, .together = true },
};

static const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (name && !strcmp(kinds[i].name, name))
			return &kinds[i];
	test_fail(__FILE__, __LINE__, "KIND=%s is none of chmod, read, rewrite, write, together", name ? name : "");
}

/* ---- turns ---------------------------------------------------------------------------------------------------------- */

/* Both sides come here; what either did before, the other sees behind it. */
static void meet(bool first)
{
	if (first)
		turns_say(++step);
	else
		turns_hear(++step);
	if (first)
		turns_hear(++step);
	else
		turns_say(++step);
}

static void in_turns(const struct kind *kind, bool serves, unsigned long steps)
{
	for (unsigned long n = 1; n <= 2 * steps; n++) {
		if ((n % 2 == 1) == serves)
			kind->turn(n);
		meet((n % 2 == 1) == serves);
		if (kind->after) {
			kind->after(n);
			meet(serves);
		}
	}
}

static void begin(const struct kind *kind, bool serves)
{
	int fd;

	if (serves) {
		fd = OK(open("file", O_CREAT | O_EXCL | O_WRONLY, 0600));
		OK(fchmod(fd, 0600));
		write_byte(fd, 0);
		OK(close(fd));
	}
	meet(serves);
	if (kind->after)
		kind->after(0);
	if (kind->keeps_open)
		file = OK(open("file", O_RDWR));
	meet(serves);
}

/* What is counted on both sides: the mount's own counters, 0 where there are none. */
enum { COUNTED = 3 };
static const char *const counted[COUNTED] = { "mds_messages", "osd_requests", "caps_revoked" };

static void look_at_counters(unsigned long *now)
{
	for (int i = 0; i < COUNTED; i++)
		now[i] = test_statistic(counted[i]);
}

static int compare_times(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The other side's times behind ours, its counts added to ours. */
static void add_other_side(unsigned long steps, unsigned long *counts)
{
	unsigned long theirs[COUNTED];

	turns_receive(took_us + took_count, steps * sizeof(*took_us));
	took_count += steps;
	turns_receive(theirs, sizeof(theirs));
	for (int i = 0; i < COUNTED; i++)
		counts[i] += theirs[i];
}

static void report(const struct kind *kind, double seconds, const unsigned long *counts)
{
	double calls = (double)took_count;

	qsort(took_us, took_count, sizeof(*took_us), compare_times);
	printf("# %s: %zu calls, p50 %.0f us, p99 %.0f us, longest %.0f us, %.1f a second; for each", kind->name, took_count,
	       took_us[took_count / 2], took_us[took_count * 99 / 100], took_us[took_count - 1], calls / seconds);
	for (int i = 0; i < COUNTED; i++)
		printf(" %s %.2f", counted[i], (double)counts[i] / calls);
	printf("\n");
}

int main(int argc, char **argv)
{
	bool serves = turns_begin("pingpong", argc, argv);
	const struct kind *kind = kind_of(getenv("KIND"));
	unsigned long steps = test_setting("STEPS", 500), before[COUNTED], counts[COUNTED];
	double began;

	took_us = calloc(2 * steps, sizeof(*took_us));
	CHECK(took_us && steps);
	OK(chdir(argv[2]));
	begin(kind, serves);
	look_at_counters(before);
	meet(serves);
	began = now_us();
	if (kind->together)
		for (unsigned long n = 0; n < steps; n++)
			kind->turn(n);
	else
		in_turns(kind, serves, steps);
	meet(serves);
	began = now_us() - began;
	look_at_counters(counts);
	for (int i = 0; i < COUNTED; i++)
		counts[i] -= before[i];
	if (serves) {
		add_other_side(steps, counts);
		report(kind, began / 1e6, counts);
	} else {
		turns_send(took_us, steps * sizeof(*took_us));
		turns_send(counts, sizeof(counts));
	}
	turns_end(argv[1], "%lu times %s", steps, kind->name);
	return 0;
}
