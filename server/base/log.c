// SPDX-License-Identifier: GPL-2.0
/*
 * The daemons' log. A line goes out with one write(), so that lines of several
 * daemons in one file do not mix. Warnings and errors are limited to BURST lines
 * per call site and WINDOW; what was left out is said when the site speaks again.
 * A call site is known by its format string. With a sink nothing is limited, so
 * that a simulation stays deterministic.
 *
 * One thread at a time, like everything of a daemon's loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "log.h"

#define SITES 64			/* call sites remembered; a collision forgets the older one */
#define WINDOW_NS 5000000000ull
#define BURST 10
#define LINE_BYTES 1024

struct site {
	const char *format;
	uint64_t since_ns;		/* start of its window */
	unsigned int lines;		/* in this window */
	unsigned int left_out;
};

struct log {
	int fd;
	bool owns_fd;
	enum log_level level;
	char daemon[32];
	void (*sink)(void *owner, enum log_level level, const char *line);
	void *sink_owner;
	struct site sites[SITES];
};

static const char *const level_names[] = { "error", "warn", "info", "debug" };

struct log *log_create(const char *path_or_null, const char *daemon, enum log_level level)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->fd = STDERR_FILENO;
	log->level = level;
	snprintf(log->daemon, sizeof(log->daemon), "%s", daemon ? daemon : "");
	if (path_or_null && *path_or_null) {
		log->fd = open(path_or_null, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		log->owns_fd = true;
		if (log->fd < 0) {
			free(log);
			return NULL;
		}
	}
	return log;
}

void log_destroy(struct log *log)
{
	if (!log)
		return;
	if (log->owns_fd)
		close(log->fd);
	free(log);
}

void log_set_level(struct log *log, enum log_level level)
{
	log->level = level;
}

void log_set_sink(struct log *log, void (*sink)(void *owner, enum log_level level, const char *line),
		  void *owner)
{
	log->sink = sink;
	log->sink_owner = owner;
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* May this site speak now? *ret_left_out: lines it did not say before. */
static bool site_may_speak(struct log *log, const char *format, unsigned int *ret_left_out)
{
	struct site *site = &log->sites[((uintptr_t)format >> 3) % SITES];
	uint64_t now = monotonic_ns();

	*ret_left_out = 0;
	if (site->format != format || now - site->since_ns >= WINDOW_NS) {
		if (site->format == format)
			*ret_left_out = site->left_out;
		*site = (struct site){ .format = format, .since_ns = now };
	}
	if (site->lines == BURST) {
		site->left_out++;
		return false;
	}
	site->lines++;
	return true;
}

static size_t put_time(char *line, size_t room)
{
	struct timespec ts;
	struct tm tm;
	size_t at;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	at = strftime(line, room, "%Y-%m-%dT%H:%M:%S", &tm);
	return at + (size_t)snprintf(line + at, room - at, ".%06ldZ ", ts.tv_nsec / 1000);
}

static void write_line(const struct log *log, const char *line, size_t length)
{
	ssize_t done;

	while (length) {
		done = write(log->fd, line, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;		/* nobody is left to tell */
		line += done;
		length -= (size_t)done;
	}
}

/* Control characters would let a peer's text forge lines. */
static void blank_controls(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

void log_line(struct log *log, enum log_level level, const char *area, const char *format, ...)
{
	char line[LINE_BYTES];
	unsigned int left_out = 0;
	size_t at = 0, text;
	va_list args;

	if (!log || level > log->level)
		return;
	if (!log->sink && level <= LOG_WARN && !site_may_speak(log, format, &left_out))
		return;
	if (!log->sink)
		at = put_time(line, sizeof(line));
	text = at;
	if (!log->sink)
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s %s ", log->daemon,
				       level_names[level]);
	at += (size_t)snprintf(line + at, sizeof(line) - at, "%.24s: ", area);
	va_start(args, format);
	vsnprintf(line + at, sizeof(line) - at - 64, format, args);
	va_end(args);
	blank_controls(line + text);
	at = strlen(line);
	if (left_out)
		at += (size_t)snprintf(line + at, sizeof(line) - at, " (%u lines like this left out)",
				       left_out);
	if (log->sink) {
		log->sink(log->sink_owner, level, line);
		return;
	}
	line[at++] = '\n';
	write_line(log, line, at);
}
