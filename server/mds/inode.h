/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An inode in memory, and the table of them. An inode's entry and it live and
 * die together: an inode that is stored in a directory entry has that entry cached
 * (`home`), so the way up to the root is always in memory.
 *
 * Single-threaded, no locks. A pointer to an inode is good within one turn of the
 * loop only; who needs it longer pins it or looks it up again.
 */
#ifndef MDS_INODE_H
#define MDS_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <uthash.h>
#include "dirty.h"
#include "format.h"
#include "protocol/rules/lock_table.h"

struct mds;
struct mds_dentry;
struct mds_dir;
struct mds_cap;
struct mds_claim;
struct mds_request;
struct mds_charge;

TAILQ_HEAD(mds_waitlist, mds_request);
TAILQ_HEAD(mds_cap_list, mds_cap);

/* A session's right to extend the file, in the image and as far as it is journaled (SIZE-1). */
struct mds_writer_slot {
	uint64_t instance;
	uint64_t max_size;		/* as last journaled or on its way there */
	uint64_t safe_max;		/* as the client may know it */
	uint64_t seq;			/* batch that carries max_size */
};

/* Bytes of variable length; NULL when empty. */
struct mds_blob {
	uint8_t *bytes;
	uint32_t length;
};

/* The FILE lock, lent: what a request must have goes before what others would like to have. */
enum mds_lent {
	MDS_NOT_LENT,
	MDS_LENDING,			/* the request is being answered: the lock stays whoever claims it */
	MDS_LENT,			/* until another request needs it elsewhere, or the bits are given back */
};

struct mds_inode {
	uint64_t ino;
	uint64_t version;
	uint32_t mode, uid, gid, nlink, rdev, object_bytes, nsubdirs, truncate_seq;
	uint16_t pool;
	bool own;			/* stored in an object of its own */
	bool own_stored;		/* there may be such an object: one was written, or replay does not know */
	bool stub;			/* replay: only the number is known yet */
	bool probe;			/* a writer was lost (SIZE-2) */
	bool probing;			/* recover.c is at work on that */
	bool trimming;			/* truncate.c is at work on trim_end */
	bool settling;			/* on mds->settle */
	bool leaving;			/* to be dropped as soon as it is clean and nobody holds a cap */
	bool recorded;			/* the next two are what the table's records say */
	bool recorded_orphan, recorded_writers;
	uint32_t fragments;		/* of a directory, as in its image: mds_dir_fragments() */
	uint32_t flags;			/* enum nacre_inode_flags */
	uint64_t size, data_end, allocated, trim_end, truncate_size, inline_gen;
	uint64_t atime, mtime, ctime, btime, xattr_version;
	struct mds_blob symlink, xattrs, data;
	struct mds_writer_slot *writers;
	uint32_t writer_count;
	uint32_t quota;			/* as in its image: id of the quota that it is charged to; 0 = none */
	struct mds_charge *charge;	/* quota.h; NULL: none */

	uint32_t pins;			/* loads, trims, probes and whoever else needs it here */
	uint32_t cap_count;
	uint8_t lent;			/* enum mds_lent: FILE is where a request needed it, whatever the demand */
	uint64_t unsafe_seq;		/* batch of its last change (SHARE-1) */
	uint64_t unsafe_instance;	/* whose that was */
	uint64_t recall_after_ns;	/* a client had use for it when it was recalled: not again before that */
	uint64_t settle_seq;		/* with `settling`: not before this batch is safe */
	struct mds_dentry *home;	/* the entry it is stored in; NULL: own object */
	struct mds_dir *dir;		/* of a directory: its entries */
	struct mds_dirty own_dirty;	/* its own object's attribute */
	struct mds_dirty trace_dirty;	/* its backtrace */
	struct nacre_lock locks[NACRE_GROUP_COUNT];
	struct mds_cap_list caps;
	struct mds_waitlist waiters;	/* for locks, trims and probes */
	TAILQ_HEAD(mds_claims, mds_claim) claims;	/* requests that wait, or waited, for a lock here */
	TAILQ_ENTRY(mds_inode) lru;	/* most recently used last */
	TAILQ_ENTRY(mds_inode) settle;
	UT_hash_handle hh;
};

TAILQ_HEAD(mds_inode_list, mds_inode);

static inline bool mds_inode_is_dir(const struct mds_inode *inode)
{
	return S_ISDIR(inode->mode);
}

/* The inode, if it is in memory; marks it used. */
struct mds_inode *mds_inode_find(struct mds *mds, uint64_t ino);
/* The same, for what is no use of it. */
struct mds_inode *mds_inode_peek(struct mds *mds, uint64_t ino);
/* It may be wanted again. */
void mds_inode_used(struct mds *mds, struct mds_inode *inode);
/* Recalled, and a client has use for it: it stays, and nobody is asked again for a while. */
void mds_inode_stays(struct mds *mds, struct mds_inode *inode);
/* A new one with nothing but its number. NULL: no memory. */
struct mds_inode *mds_inode_new(struct mds *mds, uint64_t ino);
/* Take it out of the table and free it. Nothing may refer to it. */
void mds_inode_free(struct mds *mds, struct mds_inode *inode);
void mds_inode_pin(struct mds_inode *inode);
void mds_inode_unpin(struct mds *mds, struct mds_inode *inode);
/* It was given its type: makes dir, sets up locks. */
int mds_inode_set_mode(struct mds *mds, struct mds_inode *inode, uint32_t mode);

/*
 * How many inodes too many are in memory. Inline data counts as the inodes that would take its room, or a limit of 100,000
 * would be one of 500 MB.
 */
#define MDS_INODE_ROOM 1024		/* bytes of an inode with its entry and a cap, about */
uint64_t mds_inodes_excess(const struct mds *mds);
/* More is in memory now, or may leave it: if it is too much, some go. */
void mds_inodes_bound(struct mds *mds);
/*
 * Drop unused inodes, least recently used first, until the table is within its limit; a slice a call (TIME-1). From those
 * that clients hold the caps are taken back; those that are dirty are written back. Either way they are `leaving`,
 * until somebody uses them.
 */
void mds_inode_evict(struct mds *mds);
/* It has become clean, or was given back: if it is leaving, it goes now. */
void mds_inode_leaves(struct mds *mds, struct mds_inode *inode);
/*
 * Requests that wait for memory (req_room()) come one by one: one for each inode that goes; and a few each sweep, as
 * clients may keep what they have.
 */
void mds_inodes_sweep(struct mds *mds);
/* Does memory hold more than it should by far, while write-backs under way will let some of it go? */
bool mds_inodes_are_too_many(const struct mds *mds);
void mds_inode_free_all(struct mds *mds);

/*
 * Batch `seq` changed it: what it is stored in is to be written, its backtrace too if `moved`;
 * and the table's records follow what it now is (orphan, has writers).
 */
void mds_inode_mark_dirty(struct mds *mds, struct mds_inode *inode, bool moved, uint64_t seq);

void mds_blob_set(struct mds_blob *blob, const void *bytes, uint32_t length);
/* Inline data: counted. */
void mds_inode_set_data(struct mds *mds, struct mds_inode *inode, const void *bytes, uint32_t length);

/* Between the struct and its stored form. The image's tails point into the inode, writers into `room`. */
#define MDS_WRITERS_MAX 1024
void mds_inode_to_image(const struct mds_inode *inode, struct mds_image *image,
			struct mds_writer_wire *room);
/* 0, -ENOMEM, -EBADMSG. Leaves home, dirt, locks and caps alone. */
int mds_inode_from_image(struct mds *mds, struct mds_inode *inode, const struct mds_image *image);

struct mds_writer_slot *mds_writer_find(struct mds_inode *inode, uint64_t instance);
/* A slot for this session, made if need be; NULL: no memory, or MDS_WRITERS_MAX. */
struct mds_writer_slot *mds_writer_get(struct mds_inode *inode, uint64_t instance);
void mds_writer_drop(struct mds_inode *inode, uint64_t instance);

#endif
