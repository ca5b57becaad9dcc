/* SPDX-License-Identifier: GPL-2.0 */
/* Entries of directories in memory; see dentry.h. */
#include <xxhash.h>
#include "core.h"
#include "split.h"
#include "protocol/rules/names.h"

#define IDLE_MANY 1024			/* absent, clean nodes that are kept as knowledge of what is not there */

int mds_dentry_compare(const struct mds_dentry *a, const struct mds_dentry *b)
{
	/* that of two names is hardly ever the same */
	if (a->cookie != b->cookie)
		return a->cookie < b->cookie ? -1 : 1;
	return nacre_dentry_compare(a->cookie, a->name, a->name_bytes, b->cookie, b->name,
				    b->name_bytes);
}

RB_GENERATE(mds_entries, mds_dentry, node, mds_dentry_compare)
RB_GENERATE(mds_dirty_entries, mds_dentry, dirty_node, mds_dentry_compare)

uint64_t mds_name_cookie(const uint8_t *name, uint32_t name_bytes)
{
	return nacre_name_cookie(XXH64(name, name_bytes, 0));
}

struct mds_dir *mds_dir_new(struct mds_inode *inode)
{
	struct mds_dir *dir = mds_zalloc(sizeof(*dir));

	dir->inode = inode;
	RB_INIT(&dir->entries);
	RB_INIT(&dir->dirty);
	TAILQ_INIT(&dir->loads);
	TAILQ_INIT(&dir->idle);
	return dir;
}

/* A key to search the tree with: a dentry on the stack with room for a name. */
union dentry_probe {
	struct mds_dentry dentry;
	uint8_t room[sizeof(struct mds_dentry) + NACRE_NAME_MAX + 1];
};

struct mds_dentry *mds_dentry_find(struct mds_dir *dir, const uint8_t *name, uint32_t name_bytes)
{
	union dentry_probe probe;

	probe.dentry.cookie = mds_name_cookie(name, name_bytes);
	probe.dentry.name_bytes = (uint8_t)name_bytes;
	memcpy(probe.dentry.name, name, name_bytes);
	return RB_FIND(mds_entries, &dir->entries, &probe.dentry);
}

static void set_idle(struct mds_dentry *dentry, bool idle)
{
	struct mds_dir *dir = dentry->dir;

	if (dentry->idle == idle)
		return;
	dentry->idle = idle;
	if (idle) {
		TAILQ_INSERT_TAIL(&dir->idle, dentry, idle_link);
		dir->idle_count++;
	} else {
		TAILQ_REMOVE(&dir->idle, dentry, idle_link);
		dir->idle_count--;
	}
}

struct mds_dentry *mds_dentry_get(struct mds_dir *dir, const uint8_t *name, uint32_t name_bytes)
{
	struct mds_dentry *dentry = mds_dentry_find(dir, name, name_bytes);

	if (dentry)
		return dentry;
	dentry = mds_zalloc(sizeof(*dentry) + name_bytes);
	dentry->dir = dir;
	dentry->cookie = mds_name_cookie(name, name_bytes);
	dentry->name_bytes = (uint8_t)name_bytes;
	dentry->dirty.kind = MDS_DIRTY_ENTRY;
	memcpy(dentry->name, name, name_bytes);
	RB_INSERT(mds_entries, &dir->entries, dentry);
	dir->entry_count++;
	set_idle(dentry, true);
	return dentry;
}

struct mds_dentry *mds_dentry_after(struct mds_dir *dir, uint64_t cookie)
{
	union dentry_probe probe;

	/* no name sorts below the empty one of the next cookie */
	probe.dentry.cookie = cookie + 1;
	probe.dentry.name_bytes = 0;
	return RB_NFIND(mds_entries, &dir->entries, &probe.dentry);
}

struct mds_dentry *mds_dentry_dirty_from(struct mds_dir *dir, uint64_t cookie)
{
	union dentry_probe probe;

	probe.dentry.cookie = cookie;
	probe.dentry.name_bytes = 0;
	return RB_NFIND(mds_dirty_entries, &dir->dirty, &probe.dentry);
}

struct mds_dentry *mds_dentry_next(struct mds_dentry *dentry)
{
	return RB_NEXT(mds_entries, &dentry->dir->entries, dentry);
}

/* Every change of what it names passes here. */
static void set_ino(struct mds_dentry *dentry, uint64_t ino)
{
	dentry->ino = ino;
	set_idle(dentry, !ino && mds_dirty_is_clean(&dentry->dirty));
}

void mds_dentry_set_primary(struct mds_dentry *dentry, struct mds_inode *inode)
{
	if (inode->home && inode->home != dentry)
		inode->home->inode = NULL;
	if (dentry->inode && dentry->inode != inode)
		dentry->inode->home = NULL;
	set_ino(dentry, inode->ino);
	dentry->mode = inode->mode & S_IFMT;
	dentry->inode = inode;
	inode->home = dentry;
	inode->own = false;
}

void mds_dentry_set_remote(struct mds_dentry *dentry, uint64_t ino, uint32_t mode)
{
	if (dentry->inode)
		dentry->inode->home = NULL;
	dentry->inode = NULL;
	set_ino(dentry, ino);
	dentry->mode = mode & S_IFMT;
}

void mds_dentry_clear(struct mds_dentry *dentry)
{
	mds_dentry_set_remote(dentry, 0, 0);
}

void mds_dentry_mark_dirty(struct mds *mds, struct mds_dentry *dentry, uint64_t seq)
{
	set_idle(dentry, false);
	if (!dentry->dirty.queued)
		RB_INSERT(mds_dirty_entries, &dentry->dir->dirty, dentry);
	mds_dirty_mark(mds, &dentry->dirty, seq);
}

void mds_dentry_written(struct mds_dentry *dentry)
{
	RB_REMOVE(mds_dirty_entries, &dentry->dir->dirty, dentry);
}

void mds_dentry_unwritten(struct mds_dentry *dentry)
{
	if (!dentry->dirty.queued)
		RB_INSERT(mds_dirty_entries, &dentry->dir->dirty, dentry);
}

void mds_dentry_forget(struct mds *mds, struct mds_dentry *dentry)
{
	struct mds_dir *dir = dentry->dir;

	if (dentry->ino)
		dir->complete = false;
	set_idle(dentry, false);
	if (dentry->dirty.queued)
		RB_REMOVE(mds_dirty_entries, &dir->dirty, dentry);
	mds_dirty_drop(mds, &dentry->dirty);
	RB_REMOVE(mds_entries, &dir->entries, dentry);
	dir->entry_count--;
	free(dentry);
}

void mds_dentry_trim(struct mds *mds, struct mds_dentry *dentry)
{
	if (dentry->ino || !mds_dirty_is_clean(&dentry->dirty))
		return;
	if (dentry->dir->busy)
		set_idle(dentry, true);
	else
		mds_dentry_forget(mds, dentry);
}

void mds_dir_trim(struct mds *mds, struct mds_dir *dir)
{
	if (dir->busy || dir->idle_count < IDLE_MANY)
		return;
	while (!TAILQ_EMPTY(&dir->idle))
		mds_dentry_forget(mds, TAILQ_FIRST(&dir->idle));
}

void mds_dir_free(struct mds *mds, struct mds_dir *dir)
{
	struct mds_dentry *dentry, *next;

	for (dentry = RB_MIN(mds_entries, &dir->entries); dentry; dentry = next) {
		next = mds_dentry_next(dentry);
		if (dentry->inode)
			dentry->inode->home = NULL;
		mds_dentry_forget(mds, dentry);
	}
	mds_split_free(dir);
	free(dir);
}
