/* SPDX-License-Identifier: GPL-2.0 */
/* Entries of directories in memory; see dentry.h. */
#include <xxhash.h>
#include "core.h"
#include "split.h"
#include "protocol/rules/names.h"

#define ABSENT_MANY 1024		/* absent, clean nodes that are kept as knowledge of what is not there */
#define TRIM_SLICE 64			/* dropped at a time; what is held goes to the end of the line */
#define DROP_SLICE 256

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
	TAILQ_INIT(&dir->loose[MDS_LOOSE_ABSENT]);
	TAILQ_INIT(&dir->loose[MDS_LOOSE_REMOTE]);
	RB_INIT(&dir->held_names);
	TAILQ_INIT(&dir->held_ranges);
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

static void set_loose(struct mds_dentry *dentry, enum mds_loose loose)
{
	struct mds_dir *dir = dentry->dir;

	if (dentry->loose == loose)
		return;
	if (dentry->loose != MDS_NOT_LOOSE) {
		TAILQ_REMOVE(&dir->loose[dentry->loose], dentry, loose_link);
		dir->loose_count[dentry->loose]--;
	}
	if (loose != MDS_NOT_LOOSE) {
		TAILQ_INSERT_TAIL(&dir->loose[loose], dentry, loose_link);
		dir->loose_count[loose]++;
	}
	dentry->loose = (uint8_t)loose;
}

/* As it is now. */
static void find_place(struct mds_dentry *dentry)
{
	if (dentry->inode || !mds_dirty_is_clean(&dentry->dirty))
		set_loose(dentry, MDS_NOT_LOOSE);
	else
		set_loose(dentry, dentry->ino ? MDS_LOOSE_REMOTE : MDS_LOOSE_ABSENT);
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
	dentry->loose = MDS_NOT_LOOSE;
	find_place(dentry);
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

void mds_dentry_set_primary(struct mds_dentry *dentry, struct mds_inode *inode)
{
	if (inode->home && inode->home != dentry)
		inode->home->inode = NULL;
	if (dentry->inode && dentry->inode != inode)
		dentry->inode->home = NULL;
	dentry->ino = inode->ino;
	dentry->mode = inode->mode & S_IFMT;
	dentry->inode = inode;
	find_place(dentry);
	inode->home = dentry;
	inode->own = false;
}

void mds_dentry_set_remote(struct mds_dentry *dentry, uint64_t ino, uint32_t mode)
{
	if (dentry->inode)
		dentry->inode->home = NULL;
	dentry->inode = NULL;
	dentry->ino = ino;
	dentry->mode = mode & S_IFMT;
	find_place(dentry);
}

void mds_dentry_clear(struct mds_dentry *dentry)
{
	mds_dentry_set_remote(dentry, 0, 0);
}

void mds_dentry_mark_dirty(struct mds *mds, struct mds_dentry *dentry, uint64_t seq)
{
	set_loose(dentry, MDS_NOT_LOOSE);
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
	set_loose(dentry, MDS_NOT_LOOSE);
	if (dentry->dirty.queued)
		RB_REMOVE(mds_dirty_entries, &dir->dirty, dentry);
	mds_dirty_drop(mds, &dentry->dirty);
	RB_REMOVE(mds_entries, &dir->entries, dentry);
	dir->entry_count--;
	free(dentry);
}

void mds_dentry_trim(struct mds *mds, struct mds_dentry *dentry)
{
	if (!mds_dirty_is_clean(&dentry->dirty))
		return;
	if (dentry->ino || mds_dir_holds(dentry->dir, dentry->cookie))
		find_place(dentry);
	else
		mds_dentry_forget(mds, dentry);
}

static void drop_some(struct mds *mds, struct mds_dir *dir, enum mds_loose kind, unsigned int some)
{
	struct mds_dentry *dentry;

	for (; some && (dentry = TAILQ_FIRST(&dir->loose[kind])); some--) {
		if (!mds_dir_holds(dir, dentry->cookie)) {
			mds_dentry_forget(mds, dentry);
			continue;
		}
		TAILQ_REMOVE(&dir->loose[kind], dentry, loose_link);
		TAILQ_INSERT_TAIL(&dir->loose[kind], dentry, loose_link);
	}
}

void mds_dir_trim(struct mds *mds, struct mds_dir *dir)
{
	if (dir->loose_count[MDS_LOOSE_ABSENT] > ABSENT_MANY)
		drop_some(mds, dir, MDS_LOOSE_ABSENT, TRIM_SLICE);
}

void mds_dir_drop_loose(struct mds *mds, struct mds_dir *dir)
{
	drop_some(mds, dir, MDS_LOOSE_ABSENT, DROP_SLICE);
	drop_some(mds, dir, MDS_LOOSE_REMOTE, DROP_SLICE);
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
