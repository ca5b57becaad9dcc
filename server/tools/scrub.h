/* SPDX-License-Identifier: GPL-2.0 */
/* `nacre scrub`: lets OSDs compare and repair the replicas that they are primary of (server/osd/scrub.h), and waits. */
#ifndef NACRE_TOOLS_SCRUB_H
#define NACRE_TOOLS_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

/* As of an audit. */
enum scrub_exit {
	SCRUB_CLEAN = 0,
	SCRUB_FINDINGS = 1,		/* repaired or not */
	SCRUB_NOT_MADE = 2,
};

/* What of an answer to `scrub status` is needed here. */
struct scrub_words {
	uint64_t asked, done;		/* groups */
	uint64_t objects, bytes;	/* of them */
	uint64_t found;			/* findings since the OSD's start */
};

/* False: it is no such answer. */
bool scrub_parse(const char *answer, struct scrub_words *words);

/*
 * One OSD of this machine, or "all" of its configuration. What is found goes to standard output, progress to standard
 * error. enum scrub_exit.
 */
int scrub_run(const char *config_file, const char *name, bool deep, unsigned int limit_ms);

#endif
