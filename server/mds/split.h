/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Splitting and merging fragments of directories (fragment.h), one at a time for each directory, in the background:
 *
 *	clear ─▶ copy ─▶ switch ─▶ clear
 *
 * copy: the keys that move are written into the other object, a few in a request; the old object stays as it is.
 * Entries that move are not written back meanwhile: what changes waits in memory and in the journal.
 * switch: one event, the directory's image with its new count. From there on everybody reads and writes at the new
 * place; before it is journaled nothing is written back there.
 * clear: what is in the wrong place is deleted. After n fragments that can be two things and no other:
 * the object behind the last one (of a split that did not get to its switch, or of a merge that did), and, in the last
 * one's source, keys of the last one (the other way round). A crash leaves them; they harm nobody, as all who read a
 * fragment stop at its end, and go before the next split or merge, or with the directory.
 *
 * No request waits for any of this: the count is shown to nobody, so the switch is nothing that others would have to see
 * journaled (SHARE-1), and what is loaded meanwhile overtakes the keys on their way (load.h).
 */
#ifndef MDS_SPLIT_H
#define MDS_SPLIT_H

#include "inode.h"
#include "dentry.h"

struct mds;

static inline uint32_t mds_dir_fragments(const struct mds_inode *dir)
{
	return dir->fragments ? dir->fragments : 1;
}

/* The fragment that holds a cookie. */
static inline struct mds_fragment mds_dir_fragment(const struct mds_inode *dir, uint64_t cookie)
{
	return mds_fragment_of(mds_dir_fragments(dir), cookie);
}

/* Its size may have changed, or it has come into memory: begin what there is to do. */
void mds_split_look(struct mds *mds, struct mds_inode *dir);
/* Is this entry on its way to another object, so that it must not be written back? */
bool mds_split_holds(const struct mds_dir *dir, uint64_t cookie);
/* The rank ends. */
void mds_split_free(struct mds_dir *dir);

#endif
