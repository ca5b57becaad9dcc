/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entries of directories in memory: per directory a tree in listing order. An entry is *primary* (its
 * inode is stored in it, and is in memory with it), *remote* (the inode has its own object), or
 * *absent* (removed, and not yet so in the object; or kept while a load is under way that
 * might still see it).
 */
#ifndef MDS_DENTRY_H
#define MDS_DENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include "dirty.h"
#include "fragment.h"
#include "hold.h"
#include "protocol/mds.h"

struct mds;
struct mds_inode;
struct mds_load;
struct mds_split;

/* Clean entries that no inode keeps. */
enum mds_loose {
	MDS_LOOSE_ABSENT,		/* knowledge of what is not there */
	MDS_LOOSE_REMOTE,
	MDS_LOOSE_KINDS,
	MDS_NOT_LOOSE = MDS_LOOSE_KINDS,
};

struct mds_dentry {
	RB_ENTRY(mds_dentry) node;
	uint64_t cookie;		/* beside the node: a search reads nothing else on its way */
	union {
		RB_ENTRY(mds_dentry) dirty_node;	/* dir->dirty */
		TAILQ_ENTRY(mds_dentry) loose_link;	/* dir->loose[] */
	};
	struct mds_dir *dir;
	uint64_t ino;			/* 0 = absent */
	struct mds_inode *inode;	/* primary: the inode; else NULL */
	struct mds_dirty dirty;
	uint32_t mode;			/* file type bits */
	uint8_t loose;			/* enum mds_loose: on which list */
	uint8_t name_bytes;
	uint8_t name[];
};

TAILQ_HEAD(mds_dentry_list, mds_dentry);
RB_HEAD(mds_entries, mds_dentry);
RB_HEAD(mds_dirty_entries, mds_dentry);
TAILQ_HEAD(mds_loads, mds_load);

struct mds_dir {
	struct mds_inode *inode;
	struct mds_entries entries;
	struct mds_dirty_entries dirty;	/* entries with dirty.queued */
	struct mds_loads loads;		/* under way on this directory */
	uint64_t entry_count;		/* nodes in the tree */
	struct mds_dentry_list loose[MDS_LOOSE_KINDS];	/* of them, oldest first */
	uint64_t loose_count[MDS_LOOSE_KINDS];
	uint64_t misses;		/* entries read one by one since it was last read whole */
	struct mds_held_names held_names;	/* who needs what (hold.h) */
	struct mds_held_ranges held_ranges;
	uint64_t hold_number;
	uint32_t busy;			/* holds: the directory itself may not go */
	uint32_t writing;		/* write-backs under way */
	uint32_t sealed;		/* of them: not submitted yet (writeback.c) */
	struct mds_split *split;	/* a fragment that is being split or merged; NULL: none is */
	uint64_t split_after_ns;	/* the last one failed: none before then */
	bool tidy;			/* nothing is left over of an earlier one (split.h) */
	bool complete;			/* every entry of the objects is in the tree */
};

RB_PROTOTYPE(mds_entries, mds_dentry, node, mds_dentry_compare)
RB_PROTOTYPE(mds_dirty_entries, mds_dentry, dirty_node, mds_dentry_compare)
int mds_dentry_compare(const struct mds_dentry *a, const struct mds_dentry *b);

uint64_t mds_name_cookie(const uint8_t *name, uint32_t name_bytes);

struct mds_dir *mds_dir_new(struct mds_inode *inode);
/* Frees it and its entries; none may hold an inode or be on its way to the store. */
void mds_dir_free(struct mds *mds, struct mds_dir *dir);

/* The entry in memory (perhaps absent), or NULL: nothing is known of it. */
struct mds_dentry *mds_dentry_find(struct mds_dir *dir, const uint8_t *name, uint32_t name_bytes);
/* The same, and if there is none a new absent one. NULL: no memory. */
struct mds_dentry *mds_dentry_get(struct mds_dir *dir, const uint8_t *name, uint32_t name_bytes);
/* First entry behind a cookie, absent ones included. */
struct mds_dentry *mds_dentry_after(struct mds_dir *dir, uint64_t cookie);
struct mds_dentry *mds_dentry_next(struct mds_dentry *dentry);
/* First entry from a cookie on that is to be written back. */
struct mds_dentry *mds_dentry_dirty_from(struct mds_dir *dir, uint64_t cookie);
/* It is on its way to the store: no more in dir->dirty. The other way: it did not get there. */
void mds_dentry_written(struct mds_dentry *dentry);
void mds_dentry_unwritten(struct mds_dentry *dentry);

/* Make it name an inode: the one stored in it, or one with its own object. */
void mds_dentry_set_primary(struct mds_dentry *dentry, struct mds_inode *inode);
void mds_dentry_set_remote(struct mds_dentry *dentry, uint64_t ino, uint32_t mode);
/* Make it absent; an inode stored in it is without a home then. */
void mds_dentry_clear(struct mds_dentry *dentry);
/* Batch `seq` changed it, or the inode stored in it. */
void mds_dentry_mark_dirty(struct mds *mds, struct mds_dentry *dentry, uint64_t seq);
/* It has become clean: dropped if it is absent, and nobody needs to know that. */
void mds_dentry_trim(struct mds *mds, struct mds_dentry *dentry);
/* Once there are many absent, clean nodes: drop a few that nobody holds (TIME-1). */
void mds_dir_trim(struct mds *mds, struct mds_dir *dir);
/* The directory should leave memory: drop some of what no inode keeps (TIME-1). */
void mds_dir_drop_loose(struct mds *mds, struct mds_dir *dir);
/* Drop a clean node; the directory is no more complete. Its inode must be without home before. */
void mds_dentry_forget(struct mds *mds, struct mds_dentry *dentry);

#endif
