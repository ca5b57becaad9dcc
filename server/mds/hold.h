/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What must stay in memory of a directory for whoever is at work on it: entries, there or absent, in a range of cookies.
 * A load holds what it may read: the old version that it may bring is then known by the new one in memory. A request
 * holds what was loaded for it until it has its answer. All else of the directory may go, however busy it is.
 */
#ifndef MDS_HOLD_H
#define MDS_HOLD_H

#include <stdbool.h>
#include <stdint.h>
#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

struct mds;
struct mds_dir;
struct mds_inode;

struct mds_hold {
	struct mds_inode *dir;		/* pinned; NULL: nothing is held */
	uint64_t first, last;		/* cookies */
	uint64_t number;		/* many may hold the same name */
	const uint8_t *name;		/* of a request, which has it in its message; else NULL */
	uint32_t name_bytes;
	union {
		RB_ENTRY(mds_hold) node;	/* first == last: dir->held_names */
		TAILQ_ENTRY(mds_hold) link;	/* else dir->held_ranges */
	};
};

RB_HEAD(mds_held_names, mds_hold);
TAILQ_HEAD(mds_held_ranges, mds_hold);

void mds_hold_begin(struct mds_hold *hold, struct mds_inode *dir, uint64_t first, uint64_t last);
/* Of a range: it grows. */
void mds_hold_up_to(struct mds_hold *hold, uint64_t last);
/* Harmless if nothing is held. */
void mds_hold_end(struct mds *mds, struct mds_hold *hold);
/*
 * Everything in the directory is known now: what is held by name and is not there gets an entry that says so. It
 * stays, as the rest need not: else a request could miss for ever what a directory has not.
 */
void mds_dir_hold_absent(struct mds_dir *dir);
/* Does anybody hold entries with this cookie? */
bool mds_dir_holds(struct mds_dir *dir, uint64_t cookie);

#endif
