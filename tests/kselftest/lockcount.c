// SPDX-License-Identifier: GPL-2.0
/*
 * File locks between clients: each of these is a step that a suite puts together.
 *
 *   lockcount count FILE ROUNDS KIND    raise the number in FILE so often, each time under a lock
 *   lockcount check FILE NUMBER         the number is this
 *   lockcount hold FILE KIND            take a lock, say "held", keep it
 *   lockcount try FILE KIND             exit code 0: it could be had; 1: somebody is in the way
 *   lockcount wait FILE KIND            wait for it
 *
 * KIND: posix, ofd, flock.
 */
#include <sys/file.h>
#include "harness.h"

static int take(int fd, const char *kind, bool waits)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!strcmp(kind, "flock"))
		return flock(fd, LOCK_EX | (waits ? 0 : LOCK_NB));
	if (!strcmp(kind, "ofd"))
		return fcntl(fd, waits ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
	return fcntl(fd, waits ? F_SETLKW : F_SETLK, &lock);
}

static void give_up(int fd, const char *kind)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (!strcmp(kind, "flock"))
		OK(flock(fd, LOCK_UN));
	else
		OK(fcntl(fd, !strcmp(kind, "ofd") ? F_OFD_SETLK : F_SETLK, &lock));
}

static void count(int fd, unsigned int rounds, const char *kind)
{
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t value = 0;

		OK(take(fd, kind, true));
		OK(pread(fd, &value, sizeof(value), 0));
		value++;
		EQUAL(pwrite(fd, &value, sizeof(value), 0), sizeof(value));
		give_up(fd, kind);
	}
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "", *last = argv[argc - 1];
	int fd = argc > 2 ? (int)OK(open(argv[2], O_RDWR | O_CREAT, 0644)) : -1;
	uint64_t value = 0;

	if (argc == 5 && !strcmp(verb, "count")) {
		count(fd, (unsigned int)atoi(argv[3]), last);
	} else if (argc == 4 && !strcmp(verb, "check")) {
		EQUAL(pread(fd, &value, sizeof(value), 0), sizeof(value));
		EQUAL(value, strtoull(last, NULL, 0));
	} else if (argc == 4 && !strcmp(verb, "hold")) {
		OK(take(fd, last, true));
		printf("held\n");
		fflush(stdout);
		for (;;)
			pause();
	} else if (argc == 4 && !strcmp(verb, "try")) {
		return take(fd, last, false) ? 1 : 0;
	} else if (argc == 4 && !strcmp(verb, "wait")) {
		OK(take(fd, last, true));
	} else {
		fprintf(stderr, "see the head of tests/kselftest/lockcount.c\n");
		return 2;
	}
	return 0;
}
