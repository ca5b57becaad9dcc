/* SPDX-License-Identifier: GPL-2.0 */
/* Making a file system, or a new store for one of its OSDs: what mkfs.nacre does once its arguments are understood. */
#ifndef NACRE_TOOLS_FORMAT_H
#define NACRE_TOOLS_FORMAT_H

#include <stdbool.h>

struct format_options {
	const char *config_file;
	unsigned int replicas;		/* 0: 2, or 1 if there is one OSD only */
	unsigned int min_size;		/* 0: see plan.h */
	unsigned int pg_count;		/* 0: see plan.h */
	unsigned int ranks;		/* 0: 1 */
	unsigned int inline_bytes;	/* 0: no inline data */
	bool replaces;			/* --osd: format_replace(), of `osd` */
	unsigned int osd;
	unsigned int journal_mode;	/* of the data pool, enum nacre_journal_mode */
	bool force;			/* destroy what is there */
	bool quiet;			/* say nothing when all goes well */
};

/* An exit status (tool.h); what went wrong has been said. */
int format_run(const struct format_options *options);
/*
 * An OSD of a file system that exists, or the next one, and which does not run, gets a new store, empty: first in the map, where it is in sync
 * with nothing any more, then on its device. When it is started the other replicas fill it. Refused where it alone has
 * all of some group.
 */
int format_replace(const struct format_options *options);

#endif
