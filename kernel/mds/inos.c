// SPDX-License-Identifier: GPL-2.0
/*
 * Inode numbers delegated to this session (INO-1). A file made under one of them can be written at
 * once: its number was journaled as ours before we heard of it, and so was its max_size.
 * With none left the rank chooses, and the first write waits for its journal.
 */
#include <linux/slab.h>
#include "client.h"

struct mds_ino_range {
	struct list_head link;
	u64 first;
	u64 count;
};

static void add(struct nacre_mds_client *mds, u64 first, u64 count)
{
	struct mds_ino_range *range = kmalloc(sizeof(*range), GFP_NOFS);

	if (!range)
		return;		/* numbers are not scarce */
	range->first = first;
	range->count = count;
	spin_lock(&mds->lock);
	list_add_tail(&range->link, &mds->inos);
	mds->inos_left += count;
	spin_unlock(&mds->lock);
}

void mds_inos_take_in(struct nacre_mds_client *mds, u64 first, u64 count)
{
	if (count)
		add(mds, first, count);
}

u64 nacre_mds_take_ino(struct nacre_fs *fs)
{
	struct nacre_mds_client *mds = fs->mds;
	struct mds_ino_range *range, *empty = NULL;
	u64 ino = NACRE_INO_NONE;

	spin_lock(&mds->lock);
	range = list_first_entry_or_null(&mds->inos, struct mds_ino_range, link);
	if (range) {
		ino = range->first++;
		mds->inos_left--;
		if (!--range->count) {
			list_del(&range->link);
			empty = range;
		}
	}
	spin_unlock(&mds->lock);
	kfree(empty);
	return ino;
}

void nacre_mds_give_ino_back(struct nacre_fs *fs, u64 ino)
{
	if (ino)
		add(fs->mds, ino, 1);
}

void mds_inos_drop(struct nacre_mds_client *mds)
{
	struct mds_ino_range *range, *next;
	LIST_HEAD(list);

	spin_lock(&mds->lock);
	list_splice_init(&mds->inos, &list);
	mds->inos_left = 0;
	spin_unlock(&mds->lock);
	list_for_each_entry_safe(range, next, &list, link)
		kfree(range);
}
