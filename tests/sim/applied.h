/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What placement groups have applied, for ever: of each group the one sequence of
 * committed requests, number by number. Logs of OSDs are cut at their old end,
 * replaced, lost with a disk's unsynced writes and sent again; what was committed
 * once is remembered here, and must never change:
 *
 *	- a number stands for one request, on every OSD, at any time (OSD-1),
 *	- a request, known by its sender's instance and its tid, has one number (LOG-2).
 *
 * Entries not known to be committed are none of its business: they may be lost, and
 * their request applied elsewhere. groups.c is who looks.
 */
#ifndef NACRE_SIM_APPLIED_H
#define NACRE_SIM_APPLIED_H

#include <stdint.h>

struct applied;

struct applied_entry {
	uint32_t pool, pg;
	uint64_t number, interval;
	uint64_t instance, tid;
};

struct applied *applied_create(void);
void applied_destroy(struct applied *applied);

/* It is committed, as somebody's log says. NULL, or what is wrong, until the next call. */
const char *applied_note(struct applied *applied, const struct applied_entry *entry);
/* Has every number up to the newest been noted? NULL, or which was cut off before anybody looked. */
const char *applied_is_whole(struct applied *applied);
/* How many there are. */
uint64_t applied_count(const struct applied *applied);

#endif
