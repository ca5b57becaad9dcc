/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first map of a file system, from what mkfs.nacre was told: pools, OSDs, ranks,
 * the root's authority, placement. A function of its arguments.
 */
#ifndef NACRE_TOOLS_PLAN_H
#define NACRE_TOOLS_PLAN_H

#include "server/base/mapedit.h"

/* Names of enum nacre_journal_mode. */
#define PLAN_JOURNAL_MODES 3u
extern const char *const plan_journal_modes[PLAN_JOURNAL_MODES];

struct plan_osd {
	uint64_t store_lo, store_hi;	/* identity of its store, random */
};

struct plan {
	uint64_t fsid_lo, fsid_hi;	/* random */
	const struct plan_osd *osds;	/* OSD i is osds[i], in a failure domain of its own */
	unsigned int osd_count;
	unsigned int rank_count;
	unsigned int replicas;
	unsigned int min_size;		/* 0: one less than replicas, at least 1 */
	unsigned int pg_count;		/* of the data pool, a power of two; 0: 64 */
	uint32_t object_bytes;		/* 0: NACRE_OBJECT_BYTES_DEFAULT */
	uint8_t journal_mode;		/* of the data pool; metadata is small writes, which go through the journal in every mode */
	uint32_t inline_bytes;		/* files up to this size keep their data in the inode; 0: none do */
};

/* The map, ready to be encoded; NULL with a sentence in *ret_error. */
struct mapedit *plan_map(const struct plan *plan, const char **ret_error);

#endif
