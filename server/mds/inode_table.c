/* SPDX-License-Identifier: GPL-2.0 */
/* The table of inodes, their stored form, and what is dropped when it is full; see inode.h. */
#include "core.h"

#define EVICT_SLICE 256			/* inodes looked at in one turn (TIME-1) */
#define EXCESS_SHARE 8			/* of the limit: over it by so much, new inodes wait for others to go */
#define EXCESS_MIN 64
#define AHEAD_SHARE 32			/* of the limit: so many more are recalled when one has to be */
#define STAYS_MS 10000			/* before scaling: what a client has use for is not recalled again sooner */

struct mds_inode *mds_inode_peek(struct mds *mds, uint64_t ino)
{
	struct mds_inode *inode;

	HASH_FIND(hh, mds->inodes, &ino, sizeof(ino), inode);
	return inode;
}

static void set_leaving(struct mds *mds, struct mds_inode *inode, bool leaving)
{
	mds->leaving_count += leaving;
	mds->leaving_count -= inode->leaving;
	inode->leaving = leaving;
}

void mds_inode_used(struct mds *mds, struct mds_inode *inode)
{
	set_leaving(mds, inode, false);
	TAILQ_REMOVE(&mds->lru, inode, lru);
	TAILQ_INSERT_TAIL(&mds->lru, inode, lru);
}

void mds_inode_stays(struct mds *mds, struct mds_inode *inode)
{
	mds_inode_used(mds, inode);
	inode->recall_after_ns = mds_now(mds) + mds_scaled_ns(mds, STAYS_MS);
}

struct mds_inode *mds_inode_find(struct mds *mds, uint64_t ino)
{
	struct mds_inode *inode = mds_inode_peek(mds, ino);

	if (inode)
		mds_inode_used(mds, inode);
	return inode;
}

struct mds_inode *mds_inode_new(struct mds *mds, uint64_t ino)
{
	struct mds_inode *inode = mds_zalloc(sizeof(*inode));
	int i;

	inode->ino = ino;
	inode->own_dirty.kind = MDS_DIRTY_OWN;
	inode->trace_dirty.kind = MDS_DIRTY_TRACE;
	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		nacre_lock_init(&inode->locks[i], nacre_group_at(i));
	TAILQ_INIT(&inode->caps);
	TAILQ_INIT(&inode->waiters);
	TAILQ_INIT(&inode->claims);
	HASH_ADD(hh, mds->inodes, ino, sizeof(inode->ino), inode);
	TAILQ_INSERT_TAIL(&mds->lru, inode, lru);
	mds->counters.inodes++;
	mds_inodes_bound(mds);
	return inode;
}

uint64_t mds_inodes_excess(const struct mds *mds)
{
	uint64_t all = mds->counters.inodes + mds->counters.inline_bytes / MDS_INODE_ROOM;

	return all > mds->config.cache_inodes ? all - mds->config.cache_inodes : 0;
}

void mds_inodes_bound(struct mds *mds)
{
	if (mds_inodes_excess(mds))
		mds_defer(mds, &mds->evict_task);
}

static void let_in(struct mds *mds, uint64_t count)
{
	struct mds_request *request;

	for (; count && (request = TAILQ_FIRST(&mds->waiting_memory)); count--)
		mds_request_ready(mds, request);
}

void mds_inodes_sweep(struct mds *mds)
{
	let_in(mds, EXCESS_MIN);
	mds_inodes_bound(mds);		/* what stayed for a client's sake may be due again */
}

void mds_inode_free(struct mds *mds, struct mds_inode *inode)
{
	assert(TAILQ_EMPTY(&inode->caps) && TAILQ_EMPTY(&inode->waiters) && !inode->pins);
	assert(TAILQ_EMPTY(&inode->claims));
	mds_dirty_drop(mds, &inode->own_dirty);
	mds_dirty_drop(mds, &inode->trace_dirty);
	if (inode->home)
		mds_dentry_clear(inode->home);
	if (inode->dir)
		mds_dir_free(mds, inode->dir);
	if (inode->settling)
		TAILQ_REMOVE(&mds->settle, inode, settle);
	set_leaving(mds, inode, false);
	mds_quota_inode_free(mds, inode);
	HASH_DEL(mds->inodes, inode);
	TAILQ_REMOVE(&mds->lru, inode, lru);
	mds->counters.inodes--;
	/* one for each that goes would keep the number where it is, and loads come on top */
	if (!mds_inodes_are_too_many(mds))
		let_in(mds, 2);
	free(inode->symlink.bytes);
	free(inode->xattrs.bytes);
	mds_inode_set_data(mds, inode, NULL, 0);
	free(inode->writers);
	free(inode);
}

void mds_inode_pin(struct mds_inode *inode)
{
	inode->pins++;
}

void mds_inode_unpin(struct mds *mds, struct mds_inode *inode)
{
	assert(inode->pins);
	inode->pins--;
	mds_inodes_bound(mds);
}

int mds_inode_set_mode(struct mds *mds, struct mds_inode *inode, uint32_t mode)
{
	if (inode->mode && (inode->mode & S_IFMT) != (mode & S_IFMT))
		return -EBADMSG;
	inode->mode = mode;
	if (S_ISDIR(mode) && !inode->dir)
		inode->dir = mds_dir_new(inode);
	return 0;
}

/* ---- dropping ---------------------------------------------------------------------------------- */

/* Could it go, if it were clean and no client held it? */
static bool inode_is_unused(const struct mds_inode *inode)
{
	const struct mds_dir *dir = inode->dir;

	if (inode->ino == NACRE_INO_ROOT || inode->pins || inode->settling || !inode->nlink ||
	    inode->trim_end || inode->probe || inode->stub)
		return false;
	if (!TAILQ_EMPTY(&inode->waiters) || !TAILQ_EMPTY(&inode->claims))
		return false;
	return !dir || !(dir->entry_count || dir->busy || dir->writing || !TAILQ_EMPTY(&dir->loads));
}

/* Does nobody and nothing need it in memory? */
static bool inode_is_idle(const struct mds_inode *inode)
{
	if (inode->cap_count || !inode_is_unused(inode) ||
	    !mds_dirty_is_clean(&inode->own_dirty) || !mds_dirty_is_clean(&inode->trace_dirty))
		return false;
	return !inode->home ||
	       (mds_dirty_is_clean(&inode->home->dirty) &&
		!mds_dir_holds(inode->home->dir, inode->home->cookie));
}

/* Does it stay for entries only that no inode keeps? One that is known whole stays known as long as there are inodes. */
static bool is_loose(const struct mds_dir *dir)
{
	return dir->entry_count &&
	       (!dir->complete || dir->entry_count == dir->loose_count[MDS_LOOSE_ABSENT] +
						      dir->loose_count[MDS_LOOSE_REMOTE]);
}

static void drop_inode(struct mds *mds, struct mds_inode *inode)
{
	struct mds_dentry *home = inode->home;

	if (home) {
		struct mds_dir *dir = home->dir;

		inode->home = NULL;
		home->inode = NULL;
		dir->complete = false;
		mds_dentry_forget(mds, home);
	}
	mds_inode_free(mds, inode);
	mds->counters.evicted_inodes++;
}

bool mds_inodes_are_too_many(const struct mds *mds)
{
	return mds_inodes_excess(mds) > mds->config.cache_inodes / EXCESS_SHARE + EXCESS_MIN &&
	       mds_checkpoint_works(mds);
}

/*
 * Used while its caps were on their way back: to recall what it was given since, before the answer is there, can go on for ever with a
 * client whose next request crosses each answer. The answer says whether it stays.
 */
static bool is_recalled(const struct mds_inode *inode)
{
	const struct mds_cap *cap;

	TAILQ_FOREACH(cap, &inode->caps, inode_link)
		if (cap->recalled)
			return true;
	return false;
}

/* Begin to make it idle, if fewer than `most` are on their way. */
static bool start_leaving(struct mds *mds, struct mds_inode *inode, uint64_t most)
{
	if (inode->leaving || mds->leaving_count >= most || mds->state != MDS_ACTIVE ||
	    !inode_is_unused(inode) || mds_now(mds) < inode->recall_after_ns || is_recalled(inode))
		return false;
	set_leaving(mds, inode, true);
	mds_caps_recall(mds, inode);
	return true;
}

void mds_inode_leaves(struct mds *mds, struct mds_inode *inode)
{
	if (!inode->leaving || inode->cap_count)
		return;
	TAILQ_REMOVE(&mds->lru, inode, lru);
	TAILQ_INSERT_HEAD(&mds->lru, inode, lru);
	mds_defer(mds, &mds->evict_task);
}

static void look_again_later(struct mds *mds, struct mds_inode *inode)
{
	TAILQ_REMOVE(&mds->lru, inode, lru);
	TAILQ_INSERT_TAIL(&mds->lru, inode, lru);
}

/* Look at so many, drop the idle ones, begin to make others idle. Returns how many of them. */
static unsigned int evict_slice(struct mds *mds)
{
	uint64_t most = mds_inodes_excess(mds);
	unsigned int looked, moved = 0;

	/* in company, as one comes after the other where they are made: the next ones then find idle ones that can go at once */
	if (mds->leaving_count < most)
		most += mds->config.cache_inodes / AHEAD_SHARE;

	for (looked = 0; looked < EVICT_SLICE && mds_inodes_excess(mds); looked++) {
		struct mds_inode *inode = TAILQ_FIRST(&mds->lru);

		if (!inode)
			break;
		if (inode_is_idle(inode)) {
			drop_inode(mds, inode);
			moved++;
			continue;
		}
		if (inode->dir && is_loose(inode->dir))
			mds_dir_drop_loose(mds, inode->dir);
		look_again_later(mds, inode);
		if (inode->leaving && !inode_is_unused(inode))
			set_leaving(mds, inode, false);
		moved += start_leaving(mds, inode, most);
	}
	return moved;
}

void mds_inode_evict(struct mds *mds)
{
	unsigned int moved;

	mds->gathering = true;
	moved = evict_slice(mds);
	mds_caps_gather_end(mds);
	if (!mds_inodes_excess(mds))
		return;
	mds_checkpoint_kick(mds);
	/* go on next turn only if this one was of use; the next load, release or write-back starts it again */
	if (moved)
		mds_defer(mds, &mds->evict_task);
}

void mds_inode_free_all(struct mds *mds)
{
	struct mds_inode *inode, *next;

	HASH_ITER(hh, mds->inodes, inode, next) {
		struct mds_claim *claim;

		TAILQ_FOREACH(claim, &inode->claims, link)
			claim->inode = NULL;
		TAILQ_INIT(&inode->claims);
		TAILQ_INIT(&inode->waiters);
		inode->pins = 0;
		mds_inode_free(mds, inode);
	}
}

/* Most changes are of something else: the records are looked for only when what they say is to change. */
static void follow_records(struct mds *mds, struct mds_inode *inode, uint64_t seq)
{
	bool orphan = !inode->nlink, writers = inode->writer_count || inode->probe;

	if (!inode->recorded || inode->recorded_orphan != orphan)
		mds_record_set(mds, MDS_RECORD_ORPHAN, inode->ino, orphan, seq);
	if (!inode->recorded || inode->recorded_writers != writers)
		mds_record_set(mds, MDS_RECORD_WRITERS, inode->ino, writers, seq);
	inode->recorded = true;
	inode->recorded_orphan = orphan;
	inode->recorded_writers = writers;
}

void mds_inode_mark_dirty(struct mds *mds, struct mds_inode *inode, bool moved, uint64_t seq)
{
	if (inode->home)
		mds_dentry_mark_dirty(mds, inode->home, seq);
	else
		mds_dirty_mark(mds, &inode->own_dirty, seq);
	if (inode->home && moved)
		mds_dirty_mark(mds, &inode->trace_dirty, seq);
	follow_records(mds, inode, seq);
}

/* ---- stored form -------------------------------------------------------------------------------- */

void mds_blob_set(struct mds_blob *blob, const void *bytes, uint32_t length)
{
	uint8_t *copy = NULL;

	if (length) {
		copy = mds_must(malloc(length));
		memcpy(copy, bytes, length);
	}
	free(blob->bytes);
	blob->bytes = copy;
	blob->length = length;
}

void mds_inode_set_data(struct mds *mds, struct mds_inode *inode, const void *bytes, uint32_t length)
{
	mds->counters.inline_bytes += length;
	mds->counters.inline_bytes -= inode->data.length;
	mds_blob_set(&inode->data, bytes, length);
	mds_inodes_bound(mds);
}

void mds_inode_to_image(const struct mds_inode *inode, struct mds_image *image,
			struct mds_writer_wire *room)
{
	uint32_t i;

	*image = (struct mds_image){
		.ino = inode->ino, .version = inode->version,
		.mode = inode->mode, .uid = inode->uid, .gid = inode->gid,
		.nlink = inode->nlink, .rdev = inode->rdev,
		.object_bytes = inode->object_bytes, .pool = inode->pool,
		.image_flags = (inode->own ? MDS_IMAGE_OWN : 0) |
			       (inode->probe ? MDS_IMAGE_PROBE : 0) |
			       (uint16_t)(inode->flags << MDS_IMAGE_INODE_FLAGS_SHIFT),
		.nsubdirs = inode->nsubdirs, .fragments = inode->fragments, .quota = inode->quota,
		.size = inode->size, .data_end = inode->data_end,
		.allocated = inode->allocated,
		.trim_end = inode->trim_end, .truncate_size = inode->truncate_size,
		.truncate_seq = inode->truncate_seq, .inline_gen = inode->inline_gen,
		.atime = inode->atime, .mtime = inode->mtime, .ctime = inode->ctime,
		.btime = inode->btime, .xattr_version = inode->xattr_version,
		.symlink = inode->symlink.bytes, .symlink_bytes = inode->symlink.length,
		.xattrs = inode->xattrs.bytes, .xattrs_bytes = inode->xattrs.length,
		.data = inode->data.bytes, .data_bytes = inode->data.length,
		.writers = (const uint8_t *)room,
		.writers_bytes = inode->writer_count * (uint32_t)sizeof(*room),
	};
	for (i = 0; i < inode->writer_count; i++) {
		room[i].instance = nacre_to_le64(inode->writers[i].instance);
		room[i].max_size = nacre_to_le64(inode->writers[i].max_size);
	}
}

static int writers_from_image(struct mds_inode *inode, const struct mds_image *image)
{
	int count = nacre_array_count(mds_writer_desc(), image->writers_bytes);
	int i;

	if (count < 0 || count > MDS_WRITERS_MAX)
		return -EBADMSG;
	inode->writers = mds_resize(inode->writers, (size_t)count * sizeof(*inode->writers));
	for (i = 0; i < count; i++) {
		struct mds_writer writer;

		if (nacre_array_at(mds_writer_desc(), image->writers, (uint32_t)i, &writer))
			return -EBADMSG;
		inode->writers[i] = (struct mds_writer_slot){
			.instance = writer.instance,
			.max_size = writer.max_size,
			.safe_max = writer.max_size,
		};
	}
	inode->writer_count = (uint32_t)count;
	return 0;
}

int mds_inode_from_image(struct mds *mds, struct mds_inode *inode, const struct mds_image *image)
{
	if (image->ino != inode->ino || !nacre_layout_valid(image->object_bytes) ||
	    image->fragments > MDS_FRAGMENTS_MAX || mds_inode_set_mode(mds, inode, image->mode))
		return -EBADMSG;
	if ((image->inline_gen && !S_ISREG(image->mode)) ||
	    (image->data_bytes && (!image->inline_gen || image->data_bytes > image->size)))
		return -EBADMSG;
	inode->version = image->version;
	inode->uid = image->uid;
	inode->gid = image->gid;
	inode->nlink = image->nlink;
	inode->rdev = image->rdev;
	inode->object_bytes = image->object_bytes;
	inode->pool = image->pool;
	inode->own = image->image_flags & MDS_IMAGE_OWN;
	inode->own_stored |= inode->own;
	inode->probe = image->image_flags & MDS_IMAGE_PROBE;
	inode->flags = image->image_flags >> MDS_IMAGE_INODE_FLAGS_SHIFT & NACRE_INODE_FLAGS_KNOWN;
	inode->nsubdirs = image->nsubdirs;
	inode->fragments = image->fragments;
	inode->size = image->size;
	inode->data_end = image->data_end;
	inode->allocated = image->allocated;
	inode->trim_end = image->trim_end;
	inode->truncate_size = image->truncate_size;
	inode->truncate_seq = image->truncate_seq;
	inode->inline_gen = image->inline_gen;
	inode->atime = image->atime;
	inode->mtime = image->mtime;
	inode->ctime = image->ctime;
	inode->btime = image->btime;
	inode->xattr_version = image->xattr_version;
	inode->stub = false;
	mds_blob_set(&inode->symlink, image->symlink, image->symlink_bytes);
	mds_blob_set(&inode->xattrs, image->xattrs, image->xattrs_bytes);
	mds_inode_set_data(mds, inode, image->data, image->data_bytes);
	if (writers_from_image(inode, image))
		return -EBADMSG;
	inode->quota = image->quota;
	mds_quota_inode_known(mds, inode);
	return 0;
}

/* ---- writers ------------------------------------------------------------------------------------ */

struct mds_writer_slot *mds_writer_find(struct mds_inode *inode, uint64_t instance)
{
	uint32_t i;

	for (i = 0; i < inode->writer_count; i++)
		if (inode->writers[i].instance == instance)
			return &inode->writers[i];
	return NULL;
}

struct mds_writer_slot *mds_writer_get(struct mds_inode *inode, uint64_t instance)
{
	struct mds_writer_slot *slot = mds_writer_find(inode, instance);

	if (slot || inode->writer_count == MDS_WRITERS_MAX)
		return slot;
	inode->writers = mds_resize(inode->writers,
				    (inode->writer_count + 1) * sizeof(*inode->writers));
	slot = &inode->writers[inode->writer_count++];
	*slot = (struct mds_writer_slot){ .instance = instance };
	return slot;
}

void mds_writer_drop(struct mds_inode *inode, uint64_t instance)
{
	struct mds_writer_slot *slot = mds_writer_find(inode, instance);

	if (slot)
		*slot = inode->writers[--inode->writer_count];
}
