/* SPDX-License-Identifier: GPL-2.0 */
/* Between purge.c, which does the jobs, and purge_backlog.c, which keeps no more of them in memory than it must. */
#ifndef MDS_PURGE_INTERNAL_H
#define MDS_PURGE_INTERNAL_H

#include "purge.h"

struct mds_listing;

struct purge_job {
	struct mds *mds;
	struct mds_purge_image image;
	uint64_t seq;			/* batch that says the inode is gone */
	uint64_t number;		/* next: of the numbers from image.ino */
	uint64_t index;			/* and object of it */
	bool meta_done;
	bool begun;
	struct mds_listing *listing;	/* NULL: all objects that there may be are deleted */
	unsigned int in_flight;
	unsigned int failures;		/* times that something stayed */
	bool failed;			/* something stays: all of it is done once more */
	uint64_t again_ns;		/* not before */
	bool away;			/* all its deletions are under way: on no list until the last is answered */
	TAILQ_ENTRY(purge_job) link;
	UT_hash_handle hh;
};

TAILQ_HEAD(purge_jobs, purge_job);

struct mds_purger {
	struct purge_job *by_ino;	/* all */
	struct purge_jobs inodes;	/* removed ones, by batch */
	struct purge_jobs numbers;	/* mere numbers, by batch: after those */
	unsigned int count;
	unsigned int in_flight;
	uint64_t stored;		/* jobs that only the table has; never too low */
	uint64_t behind;		/* taken from the table up to this inode; 0: from the beginning */
	uint64_t taken;			/* since the beginning */
	bool listing;			/* of the table */
};

struct purge_job *purge_find(struct mds *mds, uint64_t ino);
void purge_free_job(struct mds_purger *purger, struct purge_job *job);
/* There is room in memory: take jobs from the table. */
void purge_refill(struct mds *mds);

#endif
