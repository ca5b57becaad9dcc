/* SPDX-License-Identifier: GPL-2.0 */
/* Quotas: which there are, what they are charged, and how that is stored; see quota.h. */
#include "core.h"
#include "quota.h"

void mds_quotas_init(struct mds *mds)
{
	mds->quotas.next_id = 1;
	mds->quotas.timer.fire = mds_quota_look;
	TAILQ_INIT(&mds->quotas.touched);
	TAILQ_INIT(&mds->quotas.reserving);
	TAILQ_INIT(&mds->quotas.asks);
	TAILQ_INIT(&mds->quotas.waiters);
}

/* ---- the table ------------------------------------------------------------------------------------------ */

struct mds_quota *mds_quota_find(const struct mds *mds, uint32_t id)
{
	struct mds_quota *quota;

	HASH_FIND(hh, mds->quotas.by_id, &id, sizeof(id), quota);
	return quota;
}

struct mds_quota *mds_quota_of_dir(const struct mds *mds, uint64_t dir)
{
	struct mds_quota *quota;

	HASH_FIND(hh_dir, mds->quotas.by_dir, &dir, sizeof(dir), quota);
	return quota;
}

static struct mds_quota *quota_new(struct mds *mds, uint32_t id)
{
	struct mds_quota *quota = mds_zalloc(sizeof(*quota));

	quota->id = id;
	HASH_ADD(hh, mds->quotas.by_id, id, sizeof(quota->id), quota);
	if (mds->quotas.next_id <= id)
		mds->quotas.next_id = id + 1;
	mds->counters.quotas++;
	return quota;
}

static void set_dir(struct mds *mds, struct mds_quota *quota, uint64_t dir)
{
	if (quota->dir == dir)
		return;
	if (quota->dir)
		HASH_DELETE(hh_dir, mds->quotas.by_dir, quota);
	quota->dir = dir;
	if (dir)
		HASH_ADD(hh_dir, mds->quotas.by_dir, dir, sizeof(quota->dir), quota);
}

static void quota_free(struct mds *mds, struct mds_quota *quota)
{
	set_dir(mds, quota, 0);
	if (quota->touched)
		TAILQ_REMOVE(&mds->quotas.touched, quota, touch);
	HASH_DELETE(hh, mds->quotas.by_id, quota);
	mds->counters.quotas--;
	free(quota);
}

void mds_quotas_free(struct mds *mds)
{
	struct mds_quota *quota, *next;

	mds_quota_room_free(mds);
	HASH_ITER(hh, mds->quotas.by_id, quota, next)
		quota_free(mds, quota);
}

/* ---- who counts where ------------------------------------------------------------------------------------- */

uint32_t mds_quota_now(const struct mds *mds, uint32_t id)
{
	const struct mds_quota *quota = id ? mds_quota_find(mds, id) : NULL;

	while (quota && !quota->dir)
		quota = mds_quota_find(mds, quota->parent);
	return quota ? quota->id : 0;
}

uint32_t mds_quota_inside(const struct mds *mds, const struct mds_inode *dir)
{
	const struct mds_quota *quota;

	if (!mds->quotas.by_id)
		return 0;
	quota = mds_quota_of_dir(mds, dir->ino);
	return quota ? quota->id : mds_quota_now(mds, dir->quota);
}

void mds_quota_touch(struct mds *mds, struct mds_quota *quota)
{
	if (quota->touched)
		return;
	quota->touched = true;
	TAILQ_INSERT_TAIL(&mds->quotas.touched, quota, touch);
}

struct mds_quota *mds_quota_new(struct mds *mds, const struct mds_inode *dir)
{
	uint32_t parent = mds_quota_now(mds, dir->quota);
	const struct mds_quota *above = mds_quota_find(mds, parent);
	struct mds_quota *quota;
	int depth = 1;

	for (; above; above = mds_quota_find(mds, above->parent))
		if (++depth > MDS_QUOTA_DEPTH_MAX)
			return NULL;
	quota = quota_new(mds, mds->quotas.next_id);
	quota->parent = parent;
	set_dir(mds, quota, dir->ino);
	mds_quota_touch(mds, quota);
	return quota;
}

/* What is charged to it stays so; nobody but its parent looks at the sums any more, and without one nobody at all. */
void mds_quota_lift(struct mds *mds, struct mds_quota *quota)
{
	struct mds_quota *other, *next;

	quota->max_bytes = quota->max_files = 0;
	set_dir(mds, quota, 0);
	mds_quota_touch(mds, quota);
	if (quota->parent)
		return;
	quota->gone = true;
	HASH_ITER(hh, mds->quotas.by_id, other, next)
		if (other->parent == quota->id) {
			other->parent = 0;
			mds_quota_touch(mds, other);
		}
}

/* Add to a quota and all that it is in. */
static void add(struct mds *mds, uint32_t id, int64_t files, int64_t bytes, int64_t reserved)
{
	struct mds_quota *quota = id ? mds_quota_find(mds, id) : NULL;

	for (; quota; quota = mds_quota_find(mds, quota->parent)) {
		quota->used_files += (uint64_t)files;
		quota->used_bytes += (uint64_t)bytes;
		quota->reserved += (uint64_t)reserved;
		if (files || bytes)
			mds_quota_touch(mds, quota);
	}
}

void mds_quota_move(struct mds *mds, struct mds_inode *inode, const struct mds_inode *dir)
{
	struct mds_quota *own = mds_quota_of_dir(mds, inode->ino);
	uint32_t to = mds_quota_inside(mds, dir);

	/* its own sums are as they were; those around it change */
	if (own) {
		add(mds, own->parent, -(int64_t)own->used_files, -(int64_t)own->used_bytes,
		    -(int64_t)own->reserved);
		own->parent = to;
		add(mds, own->parent, (int64_t)own->used_files, (int64_t)own->used_bytes,
		    (int64_t)own->reserved);
		mds_quota_touch(mds, own);
	}
	inode->quota = to;
}

void mds_quota_orphan(struct mds *mds, struct mds_inode *inode)
{
	struct mds_quota *own = inode->dir ? mds_quota_of_dir(mds, inode->ino) : NULL;

	inode->quota = 0;
	if (!own)
		return;
	own->gone = true;
	mds_quota_touch(mds, own);
}

/* ---- charging ------------------------------------------------------------------------------------------------ */

static uint64_t bytes_of(const struct mds_inode *inode)
{
	return S_ISREG(inode->mode) ? inode->size : 0;
}

/* Bytes that the file may yet grow by without anybody being asked; of a lost writer's, until they are looked at (SIZE-2). */
static uint64_t reserve_of(const struct mds_inode *inode)
{
	uint64_t end = inode->probe ? inode->data_end : 0;
	uint32_t i;

	for (i = 0; i < inode->writer_count; i++)
		if (end < inode->writers[i].max_size)
			end = inode->writers[i].max_size;
	return S_ISREG(inode->mode) && end > inode->size ? end - inode->size : 0;
}

static void set_reserved(struct mds *mds, struct mds_charge *charge, uint64_t reserved)
{
	if (reserved == charge->reserved)
		return;
	add(mds, charge->id, 0, 0, (int64_t)(reserved - charge->reserved));
	if (!charge->reserved)
		TAILQ_INSERT_TAIL(&mds->quotas.reserving, charge, link);
	else if (!reserved)
		TAILQ_REMOVE(&mds->quotas.reserving, charge, link);
	charge->reserved = reserved;
}

void mds_quota_reserve(struct mds *mds, struct mds_inode *inode)
{
	if (inode->charge && mds->quotas.ready)
		set_reserved(mds, inode->charge, reserve_of(inode));
}

static struct mds_charge *get_charge(struct mds_inode *inode)
{
	if (!inode->charge) {
		inode->charge = mds_zalloc(sizeof(*inode->charge));
		inode->charge->inode = inode;
		inode->charge->id = inode->quota;
	}
	return inode->charge;
}

void mds_quota_inode_free(struct mds *mds, struct mds_inode *inode)
{
	if (!inode->charge)
		return;
	set_reserved(mds, inode->charge, 0);
	free(inode->charge);
	inode->charge = NULL;
}

void mds_quota_charge(struct mds *mds, struct mds_inode *inode)
{
	struct mds_charge *charge;

	if (!inode->quota && !inode->charge)
		return;
	charge = get_charge(inode);
	if (charge->id != inode->quota) {
		set_reserved(mds, charge, 0);
		add(mds, charge->id, -(int64_t)charge->counted, -(int64_t)charge->bytes, 0);
		charge->id = inode->quota;
		charge->counted = false;
		charge->bytes = 0;
	}
	if (!inode->quota) {
		mds_quota_inode_free(mds, inode);
		return;
	}
	add(mds, charge->id, !charge->counted, (int64_t)(bytes_of(inode) - charge->bytes), 0);
	charge->counted = true;
	charge->bytes = bytes_of(inode);
	mds_quota_reserve(mds, inode);
}

void mds_quota_inode_known(struct mds *mds, struct mds_inode *inode)
{
	mds_quota_inode_free(mds, inode);
	if (!inode->quota)
		return;
	get_charge(inode)->counted = true;
	inode->charge->bytes = bytes_of(inode);
	mds_quota_reserve(mds, inode);
}

void mds_quotas_ready(struct mds *mds)
{
	struct mds_inode *inode, *next;

	mds->quotas.ready = true;
	HASH_ITER(hh, mds->inodes, inode, next)
		mds_quota_reserve(mds, inode);
}

/* ---- stored form ----------------------------------------------------------------------------------------------- */

static bool is_gone(const struct mds_quota *quota)
{
	return quota->gone || (!quota->dir && !quota->used_files);
}

void mds_quota_image(const struct mds_quota *quota, struct mds_quota_image *image)
{
	*image = (struct mds_quota_image){
		.id = quota->id, .parent = quota->parent, .dir = quota->dir,
		.max_bytes = quota->max_bytes, .max_files = quota->max_files,
		.used_bytes = quota->used_bytes, .used_files = quota->used_files,
		.quota_flags = is_gone(quota) ? MDS_QUOTA_GONE : 0,
	};
}

uint32_t mds_quota_encode(struct mds *mds, uint64_t id, uint8_t *bytes)
{
	struct nacre_writer w = nacre_writer(bytes, sizeof(struct mds_quota_image_wire));
	struct mds_quota_image image;

	mds_quota_image(mds_quota_find(mds, (uint32_t)id), &image);
	nacre_encode(mds_quota_image_desc(), &w, &image);
	return (uint32_t)nacre_writer_bytes(&w);
}

void mds_quotas_commit(struct mds *mds, uint64_t seq)
{
	struct mds_quota *quota;

	while ((quota = TAILQ_FIRST(&mds->quotas.touched))) {
		TAILQ_REMOVE(&mds->quotas.touched, quota, touch);
		quota->touched = false;
		quota->seq = seq;
		mds_record_set(mds, MDS_RECORD_QUOTA, quota->id, !is_gone(quota), seq);
		if (is_gone(quota))
			quota_free(mds, quota);
	}
}

int mds_quota_known(struct mds *mds, const uint8_t *bytes, uint32_t length, uint64_t seq)
{
	struct mds_quota_image image;
	struct mds_quota *quota;

	if (nacre_decode_all(mds_quota_image_desc(), bytes, length, &image) || !image.id)
		return -EBADMSG;
	quota = mds_quota_find(mds, image.id);
	if (!quota)
		quota = quota_new(mds, image.id);
	quota->parent = image.parent;
	set_dir(mds, quota, image.dir);
	quota->max_bytes = image.max_bytes;
	quota->max_files = image.max_files;
	quota->used_bytes = image.used_bytes;
	quota->used_files = image.used_files;
	quota->gone = image.quota_flags & MDS_QUOTA_GONE;
	if (!seq)
		return 0;		/* from the table */
	mds_record_set(mds, MDS_RECORD_QUOTA, quota->id, !quota->gone, seq);
	if (quota->gone)
		quota_free(mds, quota);
	return 0;
}
