/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is newer in memory (and in the journal) than in the objects. Embedded
 * in everything that is written back; checkpoint.c owns the queue.
 */
#ifndef MDS_DIRTY_H
#define MDS_DIRTY_H

#include <stdbool.h>
#include <stdint.h>
#include <bsd/sys/queue.h>

struct mds;

enum mds_dirty_kind {
	MDS_DIRTY_ENTRY,		/* a key of a directory object */
	MDS_DIRTY_OWN,			/* an inode's own object */
	MDS_DIRTY_TRACE,		/* a backtrace */
	MDS_DIRTY_RECORD,		/* a key of the table object */
	MDS_DIRTY_KINDS,
};

struct mds_dirty {
	TAILQ_ENTRY(mds_dirty) link;	/* checkpoint queue, in the order of `since` */
	TAILQ_ENTRY(mds_dirty) writing_link;	/* what is on its way */
	uint64_t since;			/* batch of the first change that is not on its way to the store */
	uint64_t last;			/* batch of the newest change */
	uint64_t writing_since;		/* `since` of the version that is being written */
	uint64_t marked_ns;		/* when it became dirty */
	uint8_t kind;
	bool queued;
	bool writing;
};

TAILQ_HEAD(mds_dirty_list, mds_dirty);

/* Changed by batch `seq`. */
void mds_dirty_mark(struct mds *mds, struct mds_dirty *dirty, uint64_t seq);
/* Need not be written any more (must not be writing). */
void mds_dirty_drop(struct mds *mds, struct mds_dirty *dirty);

static inline bool mds_dirty_is_clean(const struct mds_dirty *dirty)
{
	return !dirty->queued && !dirty->writing;
}

#endif
