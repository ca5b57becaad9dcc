/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters from a table. Each owner declares a list
 *
 *	#define OSD_COUNTERS(C)  C(requests, "object requests executed")  …
 *
 * and gets a struct of uint64_t with STATS_STRUCT, and rows for the admin
 * socket and the manual with STATS_ROWS. Single-threaded: plain additions.
 *
 * A counter whose name begins with "longest_" is a maximum; `counters forget` makes it begin anew.
 */
#ifndef NACRE_STATS_H
#define NACRE_STATS_H

#include <stddef.h>
#include <stdint.h>

#define STATS_FIELD(name, doc) uint64_t name;
#define STATS_STRUCT(tag, LIST) struct tag { LIST(STATS_FIELD) }

struct stats_row {
	const char *name;
	const char *doc;
};
#define STATS_ROW(name, doc) { #name, doc },
#define STATS_ROWS(array, LIST) static const struct stats_row array[] = { LIST(STATS_ROW) }

/* A set that the admin socket prints: rows[i] describes values[i]. */
struct stats_set {
	const char *area;		/* "osd", "net" */
	const struct stats_row *rows;
	uint64_t *values;
	size_t count;
	void (*refresh)(void);		/* bring the values up to date, before they are printed; may be NULL */
};

static inline void stats_longest(uint64_t *longest, uint64_t value)
{
	if (*longest < value)
		*longest = value;
}

#endif
