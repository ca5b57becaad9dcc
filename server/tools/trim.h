/* SPDX-License-Identifier: GPL-2.0 */
/* `nacre trim`: lets OSDs tell their devices of all blocks that are free (server/osd/discard.h), and waits. */
#ifndef NACRE_TOOLS_TRIM_H
#define NACRE_TOOLS_TRIM_H

#include <stdbool.h>
#include <stdint.h>

/* What of an answer to `trim status` is needed here. */
struct trim_words {
	uint64_t asked, done;		/* trims since the OSD's start */
	uint64_t at, end;		/* bytes of the device that are looked at, of how many */
	uint64_t bytes;			/* of these, that it was told of */
	bool refused;			/* the device knows no such thing */
};

/* False: it is no such answer. */
bool trim_parse(const char *answer, struct trim_words *words);

/* One OSD of this machine, or "all" of its configuration. Progress goes to standard error. An exit status. */
int trim_run(const char *config_file, const char *name, unsigned int limit_ms);

#endif
