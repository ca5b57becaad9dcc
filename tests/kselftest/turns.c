// SPDX-License-Identifier: GPL-2.0
/* The barrier of turns.h: a TCP connection, over which each side sends the number of the step it has done. */
#include "turns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/socket.h>

static int other;

/* Where memory is made to fail, the other side may have given up, and this one skips the rest, too. */
__attribute__((noreturn)) static void gone(unsigned long step)
{
	if (test_setting("NO_MEMORY", 0))
		test_skip("the other side has gone");
	test_fail(__FILE__, __LINE__, "the other side has gone at step %lu", step);
}

void turns_say(unsigned long step)
{
	if (send(other, &step, sizeof(step), MSG_NOSIGNAL) != sizeof(step))
		gone(step);
}

void turns_hear(unsigned long step)
{
	unsigned long theirs = 0;
	ssize_t got = recv(other, &theirs, sizeof(theirs), MSG_WAITALL);

	if (got != sizeof(theirs))
		gone(step);
	EQUAL(theirs, step);
}

void turns_send(const void *bytes, size_t count)
{
	const char *at = bytes;

	while (count) {
		ssize_t sent = send(other, at, count, MSG_NOSIGNAL);

		if (sent <= 0)
			gone(0);
		at += sent;
		count -= (size_t)sent;
	}
}

void turns_receive(void *bytes, size_t count)
{
	if (count && recv(other, bytes, count, MSG_WAITALL) != (ssize_t)count)
		gone(0);
}

static void meet(const char *address, int port)
{
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int on = 1, fd = OK(socket(AF_INET, SOCK_STREAM, 0));

	if (address) {
		EQUAL(inet_pton(AF_INET, address, &where.sin_addr), 1);
		OK(connect(fd, (struct sockaddr *)&where, sizeof(where)));
		other = fd;
	} else {
		OK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
		OK(bind(fd, (struct sockaddr *)&where, sizeof(where)));
		OK(listen(fd, 1));
		printf("# ready\n");
		fflush(stdout);
		other = OK(accept(fd, NULL, NULL));
	}
	OK(setsockopt(other, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
}

bool turns_begin(const char *program, int argc, char **argv)
{
	bool serves = argc == 4 && !strcmp(argv[1], "serve");

	if (!serves && !(argc == 5 && !strcmp(argv[1], "join"))) {
		fprintf(stderr, "usage: %s serve DIR PORT | %s join DIR ADDRESS PORT\n", program, program);
		exit(2);
	}
	meet(serves ? NULL : argv[3], atoi(argv[serves ? 3 : 4]));
	if (serves)
		OK(mkdir(argv[2], 0755));
	turns_say(0);
	turns_hear(0);
	return serves;
}

void turns_end(const char *side, const char *what, ...)
{
	va_list args;

	printf("TAP version 13\n1..1\nok 1 - %s ", side);
	va_start(args, what);
	vprintf(what, args);
	va_end(args);
	printf("\n");
}
