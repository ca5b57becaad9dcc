// SPDX-License-Identifier: GPL-2.0
/* A client of admin.h, without a loop: connect, write, read to the end, all under one deadline. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "ask.h"
#include "server/base/admin.h"
#include "server/base/config.h"

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* 0, -ETIMEDOUT, -errno. */
static int wait_for(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now;
	int n;

	do {
		now = now_ms();
		n = now < deadline_ms ? poll(&p, 1, (int)(deadline_ms - now)) : 0;
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

/* "osd scrub 3\n" in one piece. 0 or -E2BIG. */
static int make_line(int argc, char *const *argv, char line[ADMIN_LINE_BYTES])
{
	size_t at = 0, length;

	for (int i = 0; i < argc; i++) {
		length = strlen(argv[i]);
		if (length + 2 > ADMIN_LINE_BYTES - at)
			return -E2BIG;
		memcpy(line + at, argv[i], length);
		at += length;
		line[at++] = i + 1 < argc ? ' ' : '\n';
	}
	line[at] = 0;
	return 0;
}

/* A descriptor or -errno. A full backlog gives EAGAIN on a UNIX socket: come again. */
static int connect_to(const char *path, uint64_t deadline_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		if (err != -EAGAIN || now_ms() >= deadline_ms) {
			close(fd);
			return err == -EAGAIN ? -ETIMEDOUT : err;
		}
		poll(NULL, 0, 10);
	}
	return fd;
}

static int write_all(int fd, const char *bytes, size_t length, uint64_t deadline_ms)
{
	ssize_t n;
	int err;

	while (length) {
		err = wait_for(fd, POLLOUT, deadline_ms);
		if (err)
			return err;
		n = send(fd, bytes, length, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			length -= (size_t)n;
		}
	}
	return 0;
}

static bool grow(char **text, size_t *room)
{
	char *larger = realloc(*text, *room * 2);

	if (!larger)
		return false;
	*text = larger;
	*room *= 2;
	return true;
}

static int read_all(int fd, uint64_t deadline_ms, char **ret_text)
{
	size_t room = 4096, have = 0;
	char *text = malloc(room);
	ssize_t n = 1;
	int err = text ? 0 : -ENOMEM;

	while (!err && n) {
		err = wait_for(fd, POLLIN, deadline_ms);
		if (!err && have + 1 == room && !grow(&text, &room))
			err = -ENOMEM;
		if (err)
			break;
		n = recv(fd, text + have, room - have - 1, 0);
		if (n > 0)
			have += (size_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			err = -errno;
	}
	if (err) {
		free(text);
		return err;
	}
	text[have] = 0;
	*ret_text = text;
	return 0;
}

int ask_path(const struct config *config, const char *daemon, char *path, size_t path_bytes)
{
	int n = *config->admin_socket ? snprintf(path, path_bytes, "%s", config->admin_socket) :
					snprintf(path, path_bytes, "%s/%s.sock", config->run_dir, daemon);

	return n < (int)path_bytes ? 0 : -ENAMETOOLONG;
}

int ask(const char *path, int argc, char *const *argv, unsigned int limit_ms, char **ret_answer,
	char *error, size_t error_bytes)
{
	uint64_t deadline_ms = now_ms() + limit_ms;
	char line[ADMIN_LINE_BYTES + 1];
	int fd, err = make_line(argc, argv, line);

	if (err) {
		snprintf(error, error_bytes, "the command is too long");
		return err;
	}
	fd = connect_to(path, deadline_ms);
	if (fd < 0) {
		snprintf(error, error_bytes, "nobody answers at %s: %s", path, strerror(-fd));
		return fd;
	}
	err = write_all(fd, line, strlen(line), deadline_ms);
	if (!err)
		err = read_all(fd, deadline_ms, ret_answer);
	if (err == -ETIMEDOUT)
		snprintf(error, error_bytes, "no answer at %s within %u ms", path, limit_ms);
	else if (err)
		snprintf(error, error_bytes, "asking at %s: %s", path, strerror(-err));
	close(fd);
	return err;
}
