/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Work on the objects of one file while its FILE lock is pinned, so nobody reads, writes or sees what is being
 * changed: cutting (truncate.c), probing (recover.c). What the two share: requests side by side, a pause when
 * something failed and then another round, the end, and the end of the rank.
 *
 * An owner's struct begins with this one; it is freed with it.
 */
#ifndef MDS_FILEWORK_H
#define MDS_FILEWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <bsd/sys/queue.h>
#include "listing.h"
#include "server/base/osdc.h"

struct mds_inode;
struct mds_filework;

struct mds_filework_ops {
	/* Go on: submit what is next, or end. Nothing is in flight. */
	void (*go)(struct mds_filework *work);
	/* About an object. False: it has to be done once more; `go` is called after a pause. */
	bool (*answered)(struct mds_filework *work, uint64_t index, struct osdc_request *request,
			 uint32_t result);
	const char *what;		/* for the log */
};

struct mds_filework {
	TAILQ_ENTRY(mds_filework) link;	/* mds->fileworks */
	struct mds *mds;
	struct mds_inode *inode;	/* pinned */
	const struct mds_filework_ops *ops;
	struct mds_listing *listing;	/* of the inode's objects; NULL: every object that there may be is asked */
	unsigned int in_flight;
	unsigned int pauses;		/* so far */
	bool failed;			/* something in this round */
	struct io_timer pause;
};

TAILQ_HEAD(mds_filework_list, mds_filework);

/* The FILE lock is the rank's own, and pinned; false: not yet, it is on its way (event: NEED_LOCK or LOST). */
bool mds_file_lock_pin(struct mds *mds, struct mds_inode *inode, uint8_t event);

/* Its lock is pinned already; `go` is the caller's to call. */
void mds_filework_begin(struct mds *mds, struct mds_filework *work, struct mds_inode *inode,
			const struct mds_filework_ops *ops);
/* Unpins, wakes who waits for the inode, frees. */
void mds_filework_end(struct mds_filework *work);
/* A request on one of the file's objects, and its way. */
struct osdc_request *mds_filework_request(struct mds_filework *work, uint64_t index);
void mds_filework_submit(struct mds_filework *work, struct osdc_request *request, uint64_t index);
/* Are so many objects worth asking the groups which of them there are? */
bool mds_filework_is_sparse(const struct mds_filework *work, uint64_t objects);
/* Ask them; `go` is called with each page, and at the end. */
void mds_filework_list(struct mds_filework *work);
void mds_filework_free_all(struct mds *mds);

#endif
