/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quotas of directory trees (decision 0012). An inode's image names the quota that it is charged to; a quota is a record of the
 * rank's table with its limits, its use, and the quota that its directory is charged to in turn. What charges go
 * where is decided in one place, when a change is committed: the event that changes an inode has the quotas' new sums in it,
 * so a crash loses both or none.
 *
 * Bytes are reserved before they are written: what a writer was granted ahead of the file's size (SIZE-1) counts until its
 * range ends. Use and reserves together never get over a limit by growing. When reserves stand in the way, the caps of the files
 * that have them are taken back, and whoever asked waits for that.
 *
 * A file system without quotas pays a comparison of inode->quota.
 */
#ifndef MDS_QUOTA_H
#define MDS_QUOTA_H

#include <uthash.h>
#include "format.h"
#include "request.h"

struct mds;
struct mds_cap;
struct mds_inode;
struct admin_answer;

#define MDS_QUOTA_DEPTH_MAX 32		/* quotas one within the other when one is set */

struct mds_quota {
	uint32_t id;			/* never used again */
	uint32_t parent;		/* id of the quota that its directory is charged to; 0 = none */
	uint64_t dir;			/* 0: lifted, and only kept because the sums of its parent have those charged to it */
	uint64_t max_bytes, max_files;	/* 0 = no limit */
	uint64_t used_bytes, used_files;	/* with those of quotas within */
	uint64_t reserved;		/* bytes; in memory only, rebuilt from the writers' ranges */
	uint64_t seq;			/* batch of its last change */
	bool gone;			/* with the next event */
	bool touched;
	TAILQ_ENTRY(mds_quota) touch;
	UT_hash_handle hh, hh_dir;
};

/* What an inode is charged: as in its image, and what its writers may yet make of it. */
struct mds_charge {
	TAILQ_ENTRY(mds_charge) link;	/* with `reserved` */
	struct mds_inode *inode;
	uint32_t id;
	bool counted;			/* it has a name */
	uint64_t bytes;
	uint64_t reserved;
};

/* Somebody who asked for a larger max_size, while reserves are on their way back. */
struct mds_quota_ask;

struct mds_quotas {
	struct mds_quota *by_id;	/* NULL: there are none */
	struct mds_quota *by_dir;
	uint32_t next_id;
	bool ready;			/* all are known: reserves count */
	TAILQ_HEAD(, mds_quota) touched;	/* by the change that is being made */
	TAILQ_HEAD(, mds_charge) reserving;
	TAILQ_HEAD(, mds_quota_ask) asks;
	struct mds_waitlist waiters;	/* requests that wait for reserves */
	struct io_timer timer;		/* looks after both */
	bool looking;			/* it is armed */
	uint64_t until_ns;		/* of the ask that is being looked at; 0 = none is */
};

void mds_quotas_init(struct mds *mds);
void mds_quotas_free(struct mds *mds);

/* ---- who counts where ------------------------------------------------------------------------------- */

struct mds_quota *mds_quota_find(const struct mds *mds, uint32_t id);
struct mds_quota *mds_quota_of_dir(const struct mds *mds, uint64_t dir);
/* `id`, or where that one's tree counts now that it is lifted; 0 = nowhere. */
uint32_t mds_quota_now(const struct mds *mds, uint32_t id);
/* Where what is made in this directory counts. */
uint32_t mds_quota_inside(const struct mds *mds, const struct mds_inode *dir);
/* Set one on an empty directory. NULL: too many one within the other. */
struct mds_quota *mds_quota_new(struct mds *mds, const struct mds_inode *dir);
void mds_quota_lift(struct mds *mds, struct mds_quota *quota);
/* The inode counts where `dir` does from now on; so do a quota of its own and all in it. */
void mds_quota_move(struct mds *mds, struct mds_inode *inode, const struct mds_inode *dir);
/* It has lost its last name. */
void mds_quota_orphan(struct mds *mds, struct mds_inode *inode);

/* ---- sums: from a change to the journal, and back ------------------------------------------------------ */

/* The quota goes with the event that is being made. */
void mds_quota_touch(struct mds *mds, struct mds_quota *quota);
/* An inode is what the event will say: charge it so. */
void mds_quota_charge(struct mds *mds, struct mds_inode *inode);
void mds_quota_image(const struct mds_quota *quota, struct mds_quota_image *image);
/* Batch `seq` carries what was touched. */
void mds_quotas_commit(struct mds *mds, uint64_t seq);
/* From the journal or the table. 0, -EBADMSG. */
int mds_quota_known(struct mds *mds, const uint8_t *bytes, uint32_t length, uint64_t seq);
uint32_t mds_quota_encode(struct mds *mds, uint64_t id, uint8_t *bytes);
/* An image was read: it is charged for already. */
void mds_quota_inode_known(struct mds *mds, struct mds_inode *inode);
void mds_quota_inode_free(struct mds *mds, struct mds_inode *inode);
/* The journal is read: reserves count from here on. */
void mds_quotas_ready(struct mds *mds);

/* ---- room (quota_room.c) ---------------------------------------------------------------------------------- */

/* May so much more come to count in `to`, from where it counts in `from` (0 = nowhere)? 0 or EDQUOT. */
int mds_quota_room(struct mds *mds, uint32_t from, uint32_t to, int64_t files, int64_t bytes);
/* May a request make this file so long? EDQUOT; parks while reserves are on their way back. */
int mds_quota_req_size(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
		       uint64_t size);
/*
 * The max_size to grant a writer that asks for `wanted` (0: to begin with). False: none now; it is told so, or it waits
 * and is asked for again.
 */
bool mds_quota_grant(struct mds *mds, struct mds_cap *cap, uint64_t wanted, uint64_t *max_size);
/* To begin with, whoever it is. */
uint64_t mds_quota_first_max(struct mds *mds, const struct mds_inode *inode);
/* A writer has stepped back: he has flushed what he wrote, and what he was granted ahead of it is free. */
void mds_quota_cut_range(struct mds *mds, struct mds_cap *cap);
/* It is going to count elsewhere: waits until all that was written is told of, and nothing granted ahead. 0, or parks. */
int mds_quota_req_known(struct mds *mds, struct mds_request *request, struct mds_inode *inode);
/* Writers' ranges have changed without a change to journal. */
void mds_quota_reserve(struct mds *mds, struct mds_inode *inode);
void mds_quota_room_free(struct mds *mds);
void mds_quota_look(struct io_timer *timer);

/* ---- requests (op_quota.c) ----------------------------------------------------------------------------------- */

/* SETXATTR and RMXATTR of the file system's own names. */
int mds_op_quota_set(struct mds *mds, struct mds_request *request);
bool mds_quotas_show(void *owner, int argc, char **argv, struct admin_answer *answer);

#endif
