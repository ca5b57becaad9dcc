/* SPDX-License-Identifier: GPL-2.0 */
/* OSDs of this machine that let themselves be told to work, and asked how far they are (scrub.c, trim.c). */
#ifndef NACRE_TOOLS_TARGETS_H
#define NACRE_TOOLS_TARGETS_H

#include <stdbool.h>

#define TARGET_PAUSE_MS 200		/* between two questions */

struct target {
	char name[16];
	char path[4096];		/* of its admin socket */
	bool begun;			/* it was told to */
	bool ended, failed;
};

/*
 * The OSD NAME, or "all" that a configuration has a section for. How many; 0 after a sentence about what is wrong. The caller frees
 * them. One without a usable section has failed.
 */
unsigned int targets_find(const char *config_file, const char *name, struct target **ret_targets);
/* It has ended, without success: say why. */
void target_fail(struct target *target, const char *why);
/* Ask for COMMAND and up to two words (NULL: less). The answer, malloc'ed, or NULL: the target has failed. */
char *target_ask(struct target *target, const char *command, const char *first, const char *second, unsigned int limit_ms);
/*
 * How far all of them are, after so many rounds of questions, on standard error: on a terminal in place, else a line now and then. `last`:
 * this line stays in any case.
 */
void targets_progress(unsigned int rounds, bool last, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
