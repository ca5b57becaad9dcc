/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading metadata objects into memory: single entries, pages of directories, inodes by their number. What is in memory
 * already is newer and wins; and what may be read stays in memory until it has been. So reads of entries need not wait
 * for write-backs of the same fragment, and overtake them: of a line of these the last ends after a tenth of a second.
 */
#ifndef MDS_LOAD_H
#define MDS_LOAD_H

#include "dentry.h"
#include "inode.h"

struct mds;
struct mds_request;

/* Somebody who is no request and waits for a load. */
struct mds_load_wait {
	TAILQ_ENTRY(mds_load_wait) link;
	void (*done)(struct mds *mds, struct mds_load_wait *wait, uint32_t result);
};

TAILQ_HEAD(mds_load_waits, mds_load_wait);

enum mds_load_kind {
	MDS_LOAD_ENTRY,			/* one entry of `dir` */
	MDS_LOAD_PAGE,			/* entries behind `after` */
	MDS_LOAD_ALL,			/* all entries, page by page */
	MDS_LOAD_INODE,			/* an inode by its number */
};

/* One read under way; who needs the same thing shares it. */
struct mds_load {
	TAILQ_ENTRY(mds_load) link;	/* dir->loads, or mds->inode_loads */
	struct mds *mds;
	enum mds_load_kind kind;
	struct mds_inode *dir;		/* NULL: INODE */
	struct mds_hold hold;		/* what it may read of `dir` */
	uint64_t ino;			/* INODE: which */
	uint64_t after;			/* PAGE, ALL: cookie that this page starts behind */
	uint64_t last;			/* and the last one of the fragment that it is read from */
	uint32_t pool;			/* INODE: where its backtrace is looked for */
	struct mds_backtrace trace;	/* INODE: what was found; name in name[] */
	struct osdc_request *attributes;	/* INODE: read, and not used yet */
	uint32_t attributes_result;
	struct mds_load_wait step;	/* INODE: waits for directory or entry */
	struct osdc_request *request;
	struct mds_waitlist waiters;	/* requests */
	struct mds_load_waits watchers;	/* others */
	uint8_t name_bytes;
	uint8_t name[NACRE_NAME_MAX];
};

/* Read one entry: if the directory is small, or many of its entries are asked for, all of it. */
struct mds_waitlist *mds_load_entry(struct mds *mds, struct mds_inode *dir, const uint8_t *name,
				    uint32_t name_bytes);
void mds_load_entry_for(struct mds *mds, struct mds_inode *dir, const uint8_t *name,
			uint32_t name_bytes, struct mds_load_wait *wait);
/* Read a page of the directory; wakes with the page's end in the requests. */
struct mds_waitlist *mds_load_page(struct mds *mds, struct mds_inode *dir, uint64_t after);
/* Find an inode by its number. ESTALE: there is none. */
struct mds_waitlist *mds_load_inode(struct mds *mds, uint64_t ino);
/* The same for others than requests: `done` is called from the top of the loop. EIDRM: it is to be purged. */
void mds_load_inode_for(struct mds *mds, uint64_t ino, struct mds_load_wait *wait);
void mds_load_free_all(struct mds *mds);

/* Put a decoded entry into memory unless something newer is there. */
int mds_load_install(struct mds *mds, struct mds_inode *dir, const uint8_t *name,
		     uint32_t name_bytes, const uint8_t *value, uint32_t value_bytes);
int mds_load_install_own(struct mds *mds, uint64_t ino, const uint8_t *value,
			 uint32_t value_bytes);

#endif
