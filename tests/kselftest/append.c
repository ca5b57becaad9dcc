// SPDX-License-Identifier: GPL-2.0
/*
 * Several clients append to one file, each record a write of its own with O_APPEND: none is lost, torn, overwritten or out
 * of its writer's order.
 *
 *   append write FILE WHO COUNT         one writer of two, 0 or 1: begins when the other one is there, too
 *   append check FILE WRITERS COUNT     what they have left
 *   append write-long, check-long       the same with records of 2.5 MiB: they may be cut, but no byte is lost
 */
#include <limits.h>
#include "harness.h"

enum { RECORD = 35, ROOM = 64, LONG_RECORD = 5 << 19 };

static char long_record[LONG_RECORD];

static void record(char *text, unsigned int who, unsigned int number)
{
	/* its own number from end to end, so that a torn one shows */
	snprintf(text, ROOM, "%u %010u %010u %010u\n", who % 10, number, number * 7, number * 13);
}

/* Neither writes before both are here: FILE.WHO says who is. */
static void meet(const char *path, unsigned int who)
{
	char mine[PATH_MAX], theirs[PATH_MAX];

	snprintf(mine, sizeof(mine), "%s.%u", path, who);
	snprintf(theirs, sizeof(theirs), "%s.%u", path, 1 - who);
	OK(close(OK(open(mine, O_CREAT | O_WRONLY, 0644))));
	while (access(theirs, F_OK) < 0)
		usleep(1000);
}

static void write_records(const char *path, unsigned int who, unsigned int count)
{
	char text[ROOM];
	int fd = OK(open(path, O_CREAT | O_WRONLY | O_APPEND, 0644));

	meet(path, who);
	for (unsigned int i = 0; i < count; i++) {
		record(text, who, i);
		EQUAL(write(fd, text, RECORD), RECORD);
	}
	OK(close(fd));
}

static void check_records(const char *path, unsigned int writers, unsigned int count)
{
	unsigned int next[10] = { 0 }, before = 0, changes = 0;
	char text[ROOM], wanted[ROOM];
	FILE *file = fopen(path, "r");

	CHECK(file && writers <= 10);
	EQUAL(stat_of(path).st_size, writers * count * RECORD);
	for (unsigned int i = 0; i < writers * count; i++) {
		unsigned int who;

		EQUAL(fread(text, 1, RECORD, file), RECORD);
		who = (unsigned int)(text[0] - '0');
		CHECK(who < writers);
		record(wanted, who, next[who]++);
		if (memcmp(text, wanted, RECORD))
			test_fail(__FILE__, __LINE__, "record %u is \"%.34s\", wanted \"%.34s\"", i, text,
				  wanted);
		changes += i && who != before;
		before = who;
	}
	for (unsigned int who = 0; who < writers; who++)
		EQUAL(next[who], count);
	fclose(file);
	test_note("writers took turns %u times", changes);
}

static void write_long(const char *path, unsigned int who, unsigned int count)
{
	int fd = OK(open(path, O_CREAT | O_WRONLY | O_APPEND, 0644));

	memset(long_record, (int)('0' + who), LONG_RECORD);
	meet(path, who);
	for (unsigned int i = 0; i < count; i++)
		EQUAL(write(fd, long_record, LONG_RECORD), LONG_RECORD);
	OK(close(fd));
}

static void check_long(const char *path, unsigned int writers, unsigned int count)
{
	unsigned long bytes[256] = { 0 };
	int fd = OK(open(path, O_RDONLY));
	ssize_t got;

	EQUAL(stat_of(path).st_size, (long long)writers * count * LONG_RECORD);
	while ((got = OK(read(fd, long_record, LONG_RECORD))) > 0)
		for (ssize_t i = 0; i < got; i++)
			bytes[(unsigned char)long_record[i]]++;
	for (unsigned int who = 0; who < writers; who++)
		EQUAL(bytes['0' + who], (long long)count * LONG_RECORD);
	OK(close(fd));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(const char *path, unsigned int who, unsigned int count);
		unsigned int who_max;
	} verbs[] = {
		{ "write", write_records, 1 }, { "check", check_records, 10 },
		{ "write-long", write_long, 1 }, { "check-long", check_long, 10 },
	};

	for (unsigned int i = 0; argc == 5 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name) && (unsigned int)atoi(argv[3]) <= verbs[i].who_max) {
			verbs[i].run(argv[2], (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4]));
			return 0;
		}
	fprintf(stderr, "usage: append write|write-long FILE 0|1 COUNT | append check|check-long FILE WRITERS COUNT\n");
	return 2;
}
