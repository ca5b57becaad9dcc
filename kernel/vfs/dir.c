// SPDX-License-Identifier: GPL-2.0
/*
 * Listing directories. A position is the cookie of the last entry seen (rules/names.h), so it
 * stays good while entries come and go, through restarts of everybody. Each
 * answer of the rank also fills the dcache and the inodes; a listing that passed everything from its
 * start to its end in one epoch of the directory makes it complete. A complete one is listed from the dcache (snapshot.c).
 *
 * A reader that goes straight on holds one answer. Once it has sought, the last ANSWERS_HELD stay, and a position that lies
 * in one of them costs no request. rewinddir forgets them all. The VFS lets one thread into an open directory at a time.
 */
#include <linux/dcache.h>
#include <linux/slab.h>
#include "vfs.h"
#include "protocol/rules/names.h"
#include "protocol/rules/validate.h"

#define LISTING_BYTES (256u << 10)	/* of one answer */
#define ANSWERS_HELD 8			/* of an open directory in which somebody seeks */
#define PLACE_BYTES 8192u		/* of an answer between two places at which a search in it may begin */
#define PLACES (LISTING_BYTES / PLACE_BYTES)

/* An answer of the rank, or of the dcache: every entry behind `first`, up to `last`, or to the end of the directory. */
struct answer {
	struct list_head link;		/* listing's answers */
	struct nacre_mds_request *req;	/* whose bytes these are … */
	u8 *snapshot;			/* … or those of the whole directory; one of the two is NULL */
	struct nacre_reader start;	/* the entries */
	u64 first;
	u64 last;
	bool end;			/* no entry behind this answer */
	u32 place_count;
	struct {
		u64 pos;		/* what comes behind it … */
		struct nacre_reader reader;	/* … begins here */
	} places[PLACES];
};

/* An open directory. */
struct listing {
	struct list_head answers;	/* the one used last first */
	u32 held;			/* how many */
	struct answer *now;		/* the one being handed out, NULL = none */
	struct nacre_reader reader;	/* its next entry */
	u64 pos;			/* the position at which `reader` goes on */
	bool sought;			/* somebody went elsewhere than on */
	u64 reached;			/* every entry up to here was seen since the start */
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

/* All dentries of an answer of the rank. */
static void prime_all(struct dentry *parent, struct listing *listing, struct answer *answer)
{
	struct nacre_mds_request *req = answer->req;
	struct nacre_reader r = answer->start;
	struct nacre_dirent entry;

	for (u32 i = 0; nacre_dirent_next(&r, &entry); i++) {
		struct inode *inode = i < req->entry_count ? req->entries[i] : NULL;

		if (!inode || !req->dir_epoch || !prime(parent, &entry, inode, req->dir_epoch))
			listing->whole = false;
		cond_resched();
	}
	nacre_mds_request_drop_entries(req);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void free_answer(struct answer *answer)
{
	if (answer->req)
		nacre_mds_request_put(answer->req);
	kvfree(answer->snapshot);
	kfree(answer);
}

static void drop_answer(struct listing *listing, struct answer *answer)
{
	if (listing->now == answer)
		listing->now = NULL;
	list_del(&answer->link);
	listing->held--;
	free_answer(answer);
}

static void drop_answers(struct listing *listing)
{
	struct answer *answer, *next;

	list_for_each_entry_safe(answer, next, &listing->answers, link)
		drop_answer(listing, answer);
}

/* A listing begins: remember by what its end will be judged. */
static void start(struct inode *dir, struct listing *listing)
{
	listing->prunes = READ_ONCE(nacre_inode(dir)->dir_prunes);
	listing->whole = true;
	listing->epoch = 0;
	listing->reached = NACRE_COOKIE_DOTDOT;
}

/* Is this answer the next part of a listing that left nothing out? If it is the last one, the directory is known. */
static void judge(struct inode *dir, struct listing *listing, const struct answer *answer)
{
	u64 epoch = answer->req->dir_epoch;

	if (answer->first < NACRE_COOKIE_FIRST)
		listing->epoch = epoch;
	else if (listing->epoch != epoch || answer->first != listing->reached)
		listing->whole = false;
	listing->reached = answer->last;
	if (answer->end && listing->whole)
		nacre_dir_set_complete(dir, listing->epoch, listing->prunes);
}

/* Hand this one out from position `pos`, which lies in it. */
static void use(struct listing *listing, struct answer *answer, u64 pos)
{
	struct nacre_reader at = answer->start;
	struct nacre_dirent entry;

	for (u32 i = 0; i < answer->place_count && answer->places[i].pos <= pos; i++)
		at = answer->places[i].reader;
	listing->reader = at;
	while (nacre_dirent_next(&at, &entry) && entry.cookie <= pos)
		listing->reader = at;
	listing->pos = pos;
	listing->now = answer;
	list_move(&answer->link, &listing->answers);
}

/* An answer at hand that knows what comes behind `pos`, or NULL. */
static struct answer *find(struct listing *listing, u64 pos)
{
	struct answer *answer;

	list_for_each_entry(answer, &listing->answers, link)
		if (answer->first <= pos && (pos < answer->last || answer->end))
			return answer;
	return NULL;
}

/* ---- getting them ------------------------------------------------------------------------------------------- */

/* `next` is what comes behind the last position that is known of the answer. */
static void note_place(struct answer *answer, const struct nacre_reader *next)
{
	u32 count = answer->place_count;

	if (count < PLACES && next->at - answer->start.at >= count * PLACE_BYTES) {
		answer->places[count].pos = answer->last;
		answer->places[count].reader = *next;
		answer->place_count++;
	}
}

/* Its last position, and places in it. */
static void survey(struct answer *answer)
{
	struct nacre_reader r = answer->start, before = r;
	struct nacre_dirent entry;

	for (; nacre_dirent_next(&r, &entry); before = r) {
		note_place(answer, &before);
		answer->last = entry.cookie;
	}
}

/* From the dcache, if the directory is complete: all of it. */
static bool have(struct file *file, struct answer *answer)
{
	struct dentry *parent = file->f_path.dentry;
	size_t bytes;

	if (nacre_dir_snapshot(parent, &answer->snapshot, &bytes))
		return false;
	nacre_count(nacre_inode_fs(d_inode(parent)), listings_local);
	answer->start = nacre_reader(answer->snapshot, bytes);
	answer->end = true;
	survey(answer);
	return true;
}

/* From the rank, what is behind `pos`. */
static int ask(struct file *file, struct listing *listing, struct answer *answer, u64 pos)
{
	struct inode *dir = file_inode(file);
	const struct nacre_reply *reply;
	struct nacre_mds_request *req;

	if (pos < NACRE_COOKIE_FIRST)
		start(dir, listing);
	req = nacre_mds_readdir(dir, pos < NACRE_COOKIE_FIRST ? 0 : pos, LISTING_BYTES,
				LISTING_BYTES / sizeof(struct nacre_dirent_wire), false);
	if (IS_ERR(req))
		return PTR_ERR(req);
	reply = req->in->host;
	answer->req = req;
	answer->start = nacre_reader(reply->extra, reply->extra_bytes);
	answer->first = answer->last = pos;
	answer->end = req->reply_flags & NACRE_REPLY_END || !reply->extra_bytes;
	survey(answer);
	prime_all(file->f_path.dentry, listing, answer);
	judge(dir, listing, answer);
	return 0;
}

/* Get the answer that has what is behind `pos`. */
static int fetch(struct file *file, struct listing *listing, u64 pos)
{
	struct answer *answer = kzalloc(sizeof(*answer), GFP_KERNEL);
	int err;

	if (!answer)
		return -ENOMEM;
	if (!have(file, answer)) {
		err = ask(file, listing, answer, pos);
		if (err) {
			free_answer(answer);
			return err;
		}
	}
	while (listing->held >= (listing->sought ? ANSWERS_HELD : 1))
		drop_answer(listing, list_last_entry(&listing->answers, struct answer, link));
	list_add(&answer->link, &listing->answers);
	listing->held++;
	use(listing, answer, pos);
	return 0;
}

/* Have the answer with what comes behind `pos`. */
static int go_to(struct file *file, struct listing *listing, u64 pos)
{
	struct answer *answer;

	if (listing->now && listing->pos == pos)
		return 0;
	if (listing->pos != pos && pos >= NACRE_COOKIE_FIRST)
		listing->sought = true;
	answer = find(listing, pos);
	if (!answer)
		return fetch(file, listing, pos);
	use(listing, answer, pos);
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
	if (!ctx->pos) {
		drop_answers(listing);
		listing->sought = false;
	}
	/* 0 and 1 are "." and ".."; behind ".." stands 2, which is NACRE_COOKIE_DOTDOT. */
	if (!dir_emit_dots(file, ctx))
		return 0;
	while (ctx->pos != NACRE_COOKIE_END) {
		err = go_to(file, listing, ctx->pos);
		if (err)
			return err;
		if (emit(listing, ctx))
			return 0;
		if (listing->now->end)
			ctx->pos = NACRE_COOKIE_END;
		else
			listing->now = NULL;
	}
	return 0;
}

/* ---- open directories ------------------------------------------------------------------------------------------ */

static int dir_open(struct inode *inode, struct file *file)
{
	struct listing *listing = kzalloc(sizeof(*listing), GFP_KERNEL);

	if (!listing)
		return -ENOMEM;
	INIT_LIST_HEAD(&listing->answers);
	file->private_data = listing;
	return 0;
}

static int dir_release(struct inode *inode, struct file *file)
{
	struct listing *listing = file->private_data;

	drop_answers(listing);
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
	int err = nacre_sync_metadata(file_inode(file)), lost;

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
