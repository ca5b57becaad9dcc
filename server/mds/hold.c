/* SPDX-License-Identifier: GPL-2.0 */
/* What must stay in memory of a directory; see hold.h. */
#include "core.h"

static int compare(const struct mds_hold *a, const struct mds_hold *b)
{
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

RB_GENERATE_INTERNAL(mds_held_names, mds_hold, node, compare, static __attribute__((unused)))

static bool is_name(const struct mds_hold *hold)
{
	return hold->first == hold->last;
}

static void enter(struct mds_hold *hold)
{
	if (is_name(hold))
		RB_INSERT(mds_held_names, &hold->dir->dir->held_names, hold);
	else
		TAILQ_INSERT_TAIL(&hold->dir->dir->held_ranges, hold, link);
}

static void leave(struct mds_hold *hold)
{
	if (is_name(hold))
		RB_REMOVE(mds_held_names, &hold->dir->dir->held_names, hold);
	else
		TAILQ_REMOVE(&hold->dir->dir->held_ranges, hold, link);
}

void mds_hold_begin(struct mds_hold *hold, struct mds_inode *dir, uint64_t first, uint64_t last)
{
	hold->dir = dir;
	hold->first = first;
	hold->last = last;
	hold->number = ++dir->dir->hold_number;
	hold->name = NULL;
	mds_inode_pin(dir);
	dir->dir->busy++;
	enter(hold);
}

void mds_hold_up_to(struct mds_hold *hold, uint64_t last)
{
	if (last <= hold->last)
		return;
	leave(hold);
	hold->last = last;
	enter(hold);
}

void mds_hold_end(struct mds *mds, struct mds_hold *hold)
{
	struct mds_inode *dir = hold->dir;

	if (!dir)
		return;
	leave(hold);
	hold->dir = NULL;
	dir->dir->busy--;
	mds_dir_trim(mds, dir->dir);
	mds_inode_unpin(mds, dir);
}

void mds_dir_hold_absent(struct mds_dir *dir)
{
	struct mds_hold *hold;

	RB_FOREACH(hold, mds_held_names, &dir->held_names)
		if (hold->name && !mds_dentry_find(dir, hold->name, hold->name_bytes))
			mds_dentry_get(dir, hold->name, hold->name_bytes);
}

bool mds_dir_holds(struct mds_dir *dir, uint64_t cookie)
{
	struct mds_hold probe = { .first = cookie };
	struct mds_hold *hold = RB_NFIND(mds_held_names, &dir->held_names, &probe);

	if (hold && hold->first == cookie)
		return true;
	TAILQ_FOREACH(hold, &dir->held_ranges, link)
		if (cookie >= hold->first && cookie <= hold->last)
			return true;
	return false;
}
