/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemons' log: one line an event, to standard error or a file, with time,
 * level and area. Warnings and errors are rate-limited per call site, but not to
 * a sink. Not for tracing. A NULL log swallows every line.
 */
#ifndef NACRE_LOG_H
#define NACRE_LOG_H

#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* A daemon's log; in the simulator each simulated daemon has its own. */
struct log;

/* NULL (errno set): no memory, or the file cannot be opened. */
struct log *log_create(const char *path_or_null, const char *daemon, enum log_level level);
void log_destroy(struct log *log);
void log_set_level(struct log *log, enum log_level level);
/* Where lines go instead of the file (simulator, tests); NULL restores. */
void log_set_sink(struct log *log, void (*sink)(void *owner, enum log_level level, const char *line),
		  void *owner);
void log_line(struct log *log, enum log_level level, const char *area, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#define log_error(log, area, ...) log_line(log, LOG_ERROR, area, __VA_ARGS__)
#define log_warn(log, area, ...) log_line(log, LOG_WARN, area, __VA_ARGS__)
#define log_info(log, area, ...) log_line(log, LOG_INFO, area, __VA_ARGS__)
#define log_debug(log, area, ...) log_line(log, LOG_DEBUG, area, __VA_ARGS__)

#endif
