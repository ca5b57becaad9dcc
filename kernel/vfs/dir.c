// SPDX-License-Identifier: GPL-2.0
/*
 * Listing directories. A position is the cookie of the last entry seen (rules/names.h), so it
 * stays good while entries come and go, through restarts of everybody. Each
 * answer of the rank also fills the dcache and the inodes; a listing that reached its end in
 * one epoch of the directory makes it complete. A complete one is listed from the dcache (snapshot.c).
 */
#include <linux/dcache.h>
#include <linux/slab.h>
#include "vfs.h"
#include "protocol/rules/names.h"
#include "protocol/rules/validate.h"

#define LISTING_BYTES (256u << 10)	/* of one answer */

/* An open directory. */
struct listing {
	struct nacre_mds_request *req;	/* the answer being handed out … */
	u8 *snapshot;			/* … or what was in the dcache, all of it; both NULL = none */
	size_t snapshot_bytes;
	struct nacre_reader reader;	/* its next entry */
	u64 pos;			/* the position at which `reader` goes on */
	bool end;			/* no entry behind this answer */
	u64 epoch;			/* of the directory, since the start; 0 = not one epoch */
	u32 prunes;			/* of the directory, at the start */
	bool whole;			/* every entry since the start has its dentry */
};

/* ---- filling the dcache ----------------------------------------------------------------------------------- */

/* The dentry of this entry, made if it is not there. True if it says what the rank said. */
static bool prime(struct dentry *parent, const struct nacre_dirent *entry, struct inode *inode,
		  u64 epoch)
{
	NACRE_COMPAT_LOOKUP_QUEUE(wq)
	struct qstr name = QSTR_INIT((const char *)entry->name, entry->name_bytes);
	struct dentry *dentry, *alias;
	bool good = false;

	name.hash = full_name_hash(parent, name.name, name.len);
	dentry = d_lookup(parent, &name);
	if (!dentry) {
		dentry = nacre_compat_alloc_parallel(parent, &name, wq);
		if (IS_ERR(dentry))
			return false;
	}
	if (d_in_lookup(dentry)) {
		nacre_dentry_stamp(dentry, epoch);
		alias = d_splice_alias(igrab(inode), dentry);
		d_lookup_done(dentry);
		if (!IS_ERR_OR_NULL(alias)) {
			dput(dentry);
			dentry = alias;
			nacre_dentry_stamp(dentry, epoch);
		}
		good = !IS_ERR(alias);
	} else if (d_inode(dentry) == inode) {
		nacre_dentry_stamp(dentry, epoch);
		good = true;
	} else {
		/* It says something else; whoever walks here asks the rank. */
		nacre_dentry_unsure(dentry);
	}
	dput(dentry);
	return good;
}

static void prime_all(struct dentry *parent, struct listing *listing)
{
	struct nacre_mds_request *req = listing->req;
	const struct nacre_reply *reply = req->in->host;
	struct nacre_reader r = nacre_reader(reply->extra, reply->extra_bytes);
	struct nacre_dirent entry;

	for (u32 i = 0; nacre_dirent_next(&r, &entry); i++) {
		struct inode *inode = i < req->entry_count ? req->entries[i] : NULL;

		if (!inode || !req->dir_epoch || !prime(parent, &entry, inode, req->dir_epoch))
			listing->whole = false;
		cond_resched();
	}
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void drop_answer(struct listing *listing)
{
	if (listing->req)
		nacre_mds_request_put(listing->req);
	listing->req = NULL;
	kvfree(listing->snapshot);
	listing->snapshot = NULL;
}

static bool has_answer(const struct listing *listing)
{
	return listing->req || listing->snapshot;
}

/* A listing begins: remember by what its end will be judged. */
static void start(struct inode *dir, struct listing *listing)
{
	listing->prunes = READ_ONCE(nacre_inode(dir)->dir_prunes);
	listing->whole = true;
	listing->epoch = 0;
}

/* Of a snapshot, which is of the whole directory, any position can be had. */
static void seek_here(struct listing *listing, u64 after)
{
	struct nacre_reader at = nacre_reader(listing->snapshot, listing->snapshot_bytes);
	struct nacre_dirent entry;

	do
		listing->reader = at;
	while (nacre_dirent_next(&at, &entry) && entry.cookie <= after);
	listing->pos = after;
	listing->end = true;
}

/* What is behind `after`, from the dcache; false: the rank has to be asked. */
static bool fetch_here(struct file *file, struct listing *listing, u64 after)
{
	if (!listing->snapshot) {
		drop_answer(listing);
		if (nacre_dir_snapshot(file->f_path.dentry, &listing->snapshot,
				       &listing->snapshot_bytes))
			return false;
		nacre_count(nacre_inode_fs(file_inode(file)), listings_local);
	}
	seek_here(listing, after);
	return true;
}

/* Get the answer that begins behind `after`. */
static int fetch(struct file *file, struct listing *listing, u64 after)
{
	struct inode *dir = file_inode(file);
	struct nacre_mds_request *req;
	const struct nacre_reply *reply;

	if (fetch_here(file, listing, after))
		return 0;
	if (after < NACRE_COOKIE_FIRST)
		start(dir, listing);
	req = nacre_mds_readdir(dir, after < NACRE_COOKIE_FIRST ? 0 : after, LISTING_BYTES,
				LISTING_BYTES / sizeof(struct nacre_dirent_wire), false);
	if (IS_ERR(req))
		return PTR_ERR(req);
	reply = req->in->host;
	listing->req = req;
	listing->reader = nacre_reader(reply->extra, reply->extra_bytes);
	listing->pos = after;
	listing->end = req->reply_flags & NACRE_REPLY_END || !reply->extra_bytes;
	if (after < NACRE_COOKIE_FIRST)
		listing->epoch = req->dir_epoch;
	else if (listing->epoch != req->dir_epoch)
		listing->whole = false;
	prime_all(file->f_path.dentry, listing);
	if (listing->end && listing->whole)
		nacre_dir_set_complete(dir, listing->epoch, listing->prunes);
	return 0;
}

/* Hand out entries; true if the caller's buffer is full. */
static bool emit(struct listing *listing, struct dir_context *ctx)
{
	struct nacre_reader at = listing->reader;
	struct nacre_dirent entry;

	while (nacre_dirent_next(&at, &entry)) {
		if (!dir_emit(ctx, (const char *)entry.name, entry.name_bytes, entry.ino,
			      fs_umode_to_dtype(entry.mode)))
			return true;
		ctx->pos = entry.cookie;
		listing->reader = at;
		listing->pos = entry.cookie;
	}
	return false;
}

static int iterate(struct file *file, struct dir_context *ctx)
{
	struct listing *listing = file->private_data;
	int err;

	/* Who begins anew asks anew: an answer from before may be of an empty directory, at the same position. */
	if (!ctx->pos)
		drop_answer(listing);
	/* 0 and 1 are "." and ".."; behind ".." stands 2, which is NACRE_COOKIE_DOTDOT. */
	if (!dir_emit_dots(file, ctx))
		return 0;
	for (;;) {
		if (ctx->pos == NACRE_COOKIE_END)
			return 0;
		if (!has_answer(listing) || listing->pos != ctx->pos) {
			err = fetch(file, listing, ctx->pos);
			if (err)
				return err;
		}
		if (emit(listing, ctx))
			return 0;
		if (listing->end)
			ctx->pos = NACRE_COOKIE_END;
		else
			drop_answer(listing);
	}
}

/* ---- open directories ------------------------------------------------------------------------------------------ */

static int dir_open(struct inode *inode, struct file *file)
{
	file->private_data = kzalloc(sizeof(struct listing), GFP_KERNEL);
	return file->private_data ? 0 : -ENOMEM;
}

static int dir_release(struct inode *inode, struct file *file)
{
	struct listing *listing = file->private_data;

	drop_answer(listing);
	kfree(listing);
	return 0;
}

/* Any cookie is a position, whatever the directory's size. */
static loff_t dir_llseek(struct file *file, loff_t offset, int whence)
{
	return generic_file_llseek_size(file, offset, whence, NACRE_COOKIE_END, 0);
}

/* What was done in this directory is journaled, and its own attributes are. */
static int dir_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err, lost;

	err = nacre_caps_flush_wait(inode);
	if (!err)
		err = nacre_mds_sync_inode(inode);
	lost = file_check_and_advance_wb_err(file);
	return err ?: lost;
}

const struct file_operations nacre_dir_ops = {
	.open = dir_open,
	.release = dir_release,
	.llseek = dir_llseek,
	.read = generic_read_dir,
	.iterate_shared = iterate,
	.fsync = dir_fsync,
	.unlocked_ioctl = nacre_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.lock = nacre_lock,
	.flock = nacre_flock,
};
