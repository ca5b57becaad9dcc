/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all tools do alike: a mistake gets one sentence on standard error that
 * names it, behind the program's name, and an exit status that says whose it was.
 */
#ifndef NACRE_TOOL_H
#define NACRE_TOOL_H

#include <stdbool.h>
#include <stdint.h>

enum tool_exit {
	TOOL_OK = 0,
	TOOL_FAILED = 1,		/* something in the world is not as it should be */
	TOOL_MISUSED = 2,		/* the arguments are not */
};

/* Room for one such sentence. */
#define TOOL_ERROR_BYTES 512

/* The program's name in these sentences; set first in main(). */
void tool_name(const char *program);
/* Say it; returns TOOL_FAILED. */
int tool_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Say it and where help is; returns TOOL_MISUSED. */
int tool_misused(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole number within limits, nothing behind it. */
bool tool_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

#endif
