/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One change of the rank's state: the caller alters inodes and entries in memory and names
 * them here, mds_change_commit() makes the journal event, counts versions,
 * marks dirt and unsafe state, and remembers the request (LOG-2).
 *
 * A change is begun, filled and committed within one turn of the loop, after everything that can fail or
 * must wait has been done. It lives on the stack.
 */
#ifndef MDS_CHANGE_H
#define MDS_CHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include "format.h"

struct mds;
struct mds_inode;
struct mds_dentry;
struct mds_session;
struct mds_request;

#define MDS_CHANGE_INODES 8
#define MDS_CHANGE_ENTRIES 8
#define MDS_CHANGE_ITEMS 4

struct mds_change {
	struct mds *mds;
	struct mds_session *session;	/* whose; NULL = the rank's own */
	uint64_t tid;			/* of the request; 0 = none */
	uint64_t flush_id;
	uint64_t ino;			/* made or changed; for the answer to a resend */
	uint16_t kind;
	uint16_t flags;			/* enum nacre_reply_flags to repeat in that answer */
	bool unseen;			/* no client can tell the difference: no new version, nobody waits for it (SHARE-1) */
	struct mds_inode *inodes[MDS_CHANGE_INODES];
	bool renamed[MDS_CHANGE_INODES];	/* its home is new: so is its backtrace */
	unsigned int inode_count;
	struct mds_dentry *entries[MDS_CHANGE_ENTRIES];
	unsigned int entry_count;
	struct {
		uint16_t type;
		union {
			struct mds_session_item session;
			struct mds_interval interval;
			struct mds_purge_image purge;
		};
	} items[MDS_CHANGE_ITEMS];
	unsigned int item_count;
};

/* The rank's own change, or one that a session causes beside its requests. */
void mds_change_begin(struct mds_change *change, struct mds *mds, struct mds_session *session);
/* What a request does: takes the next apply number at commit. */
void mds_change_begin_request(struct mds_change *change, struct mds_request *request);
void mds_change_inode(struct mds_change *change, struct mds_inode *inode);
/* As above, and it lives in another entry now, or no more in one. */
void mds_change_home(struct mds_change *change, struct mds_inode *inode);
void mds_change_entry(struct mds_change *change, struct mds_dentry *dentry);
void mds_change_session(struct mds_change *change, uint16_t type, uint64_t instance,
			uint64_t first, uint64_t count);
void mds_change_interval(struct mds_change *change, uint16_t type, uint64_t first,
			 uint64_t count);
/* The lowest number never given out, and from where on those before it may still be named by unsafe requests that are sent again. */
void mds_change_next_ino(struct mds_change *change);
void mds_change_purge(struct mds_change *change, const struct mds_purge_image *purge);
/* Returns the batch that carries it. */
uint64_t mds_change_commit(struct mds_change *change);

#endif
