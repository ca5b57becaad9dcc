// SPDX-License-Identifier: GPL-2.0
/*
 * Small files whose data is in the inode, by protocol/rules/inline.h: what object 0 would hold if it were there, and
 * what flushes say of it. How the data is read, written and taken out is vfs/small.c's.
 *
 * Bytes are immutable once they are here: a change makes new ones. So a flush, a guard or a read that has a reference
 * needs no memory of its own, and what is sent again is what was sent (MEM-1). All of it under cap_lock.
 */
#include <linux/slab.h>
#include <linux/uio.h>
#include "internal.h"
#include "protocol/rules/inline.h"

/* ---- bytes ------------------------------------------------------------------------------------------- */

static struct nacre_small_bytes *bytes_new(u32 room, gfp_t gfp)
{
	/* Goes with the inode, which the VFS may drop: not counted as what the kernel cannot give back. */
	struct nacre_small_bytes *bytes = kzalloc(struct_size(bytes, at, room), gfp | __GFP_RECLAIMABLE);

	if (bytes) {
		refcount_set(&bytes->ref, 1);
		bytes->room = room;
	}
	return bytes;
}

static struct nacre_small_bytes *bytes_get(struct nacre_small_bytes *bytes)
{
	if (bytes)
		refcount_inc(&bytes->ref);
	return bytes;
}

void nacre_small_put(struct nacre_small_bytes *bytes)
{
	if (bytes && refcount_dec_and_test(&bytes->ref))
		kfree(bytes);
}

/* `bytes` may be NULL: none. Takes over the reference. */
static void set_bytes_locked(struct nacre_inode *ni, struct nacre_small_bytes *bytes, u32 length)
{
	struct nacre_fs *fs = nacre_inode_fs(&ni->netfs.inode);
	struct nacre_small *small = &ni->small;

	lockdep_assert_held(&ni->cap_lock);
	nacre_count_add(fs, inline_bytes, bytes ? bytes->room : 0);
	nacre_count_sub(fs, inline_bytes, small->bytes ? small->bytes->room : 0);
	nacre_small_put(small->bytes);
	small->bytes = bytes;
	small->length = length;
}

static void forget_flush_locked(struct nacre_small *small)
{
	nacre_small_put(small->flush_bytes);
	small->flush_bytes = NULL;
	small->flush_left = false;
	small->flush_has_data = false;
}

static void act_locked(struct nacre_inode *ni, u32 actions)
{
	if (actions & NACRE_INLINEA_DROP) {
		set_bytes_locked(ni, NULL, 0);
		ni->small.news = false;
	}
	if (actions & NACRE_INLINEA_TELL) {
		nacre_count(nacre_inode_fs(&ni->netfs.inode), uninlined);
		caps_dirty_locked(ni, NACRE_GROUP_FILE);
	}
	if (actions & NACRE_INLINEA_WAKE)
		wake_up_all(&ni->cap_wait);
}

/* ---- what the rank says -------------------------------------------------------------------------------- */

/* Prepared before the lock: a grant without its bytes would be worth nothing (INLINE-5), and they are few. */
struct nacre_small_bytes *caps_small_read(const struct nacre_inode_info *info)
{
	struct nacre_small_bytes *bytes;

	if (!info->data_bytes)
		return NULL;
	bytes = bytes_new(info->data_bytes, GFP_NOFS | __GFP_NOFAIL);
	memcpy(bytes->at, info->data, info->data_bytes);
	return bytes;
}

/*
 * Ours are newer than the rank's: we alone may change them, or what we have said is not journaled and we have held
 * something of the file ever since.
 */
bool caps_small_is_newer_locked(const struct nacre_inode *ni)
{
	return ni->small.news || ni->cap.held & NACRE_CAP_FILE_EXCL;
}

void caps_small_told_locked(struct nacre_inode *ni, const struct nacre_inode_info *info, bool ours,
			    struct nacre_small_bytes **bytes)
{
	bool first = ni->small.file.state == NACRE_INLINE_UNKNOWN;
	u32 actions;

	ni->small.told = info->inline_gen;
	actions = nacre_inline_told(&ni->small.file, info->inline_gen,
				    info->info_flags & NACRE_INFO_HAS_DATA);
	if (actions & NACRE_INLINEA_TAKE && (first || !ours)) {
		set_bytes_locked(ni, *bytes, info->data_bytes);
		*bytes = NULL;
		ni->small.news = false;
	}
	act_locked(ni, actions);
}

void caps_small_cut_locked(struct nacre_inode *ni, u64 size)
{
	ni->small.length = min_t(u64, ni->small.length, size);
}

void caps_small_stepped_locked(struct nacre_inode *ni)
{
	/* What was told is in its flush; from here on others may write. */
	if (!(ni->cap.held & NACRE_CAPS_FILE))
		ni->small.news = false;
}

void caps_small_lost_locked(struct nacre_inode *ni)
{
	act_locked(ni, nacre_inline_lost(&ni->small.file));
	forget_flush_locked(&ni->small);
}

void caps_small_evict_locked(struct nacre_inode *ni)
{
	set_bytes_locked(ni, NULL, 0);
	forget_flush_locked(&ni->small);
}

/* ---- flushes --------------------------------------------------------------------------------------------- */

/*
 * What a flush says is settled when it gets its number, for with its answer the file may pass to others; and it stays
 * the same whenever it is sent (INLINE-4). Bytes that come later are dirty, and a later flush's.
 */
void caps_small_numbered_locked(struct nacre_inode *ni, u64 flush_id)
{
	struct nacre_small *small = &ni->small;

	forget_flush_locked(small);
	small->flush_left = nacre_inline_says_left(&small->file, flush_id);
	small->flush_has_data = nacre_inline_says_data(&small->file, small->news);
	if (!small->flush_has_data)
		return;
	small->flush_bytes = bytes_get(small->bytes);
	small->flush_length = small->length;
	if (!small->news_flush)
		small->news_flush = flush_id;
}

struct nacre_small_bytes *caps_small_fill_locked(struct nacre_inode *ni,
						 struct nacre_cap_update *update)
{
	struct nacre_small *small = &ni->small;

	lockdep_assert_held(&ni->cap_lock);
	if (small->flush_left) {
		update->inline_gen = small->file.gen;
		update->update_flags |= NACRE_CAP_UPDATE_UNINLINED;
		return NULL;
	}
	if (!small->flush_has_data)
		return NULL;
	update->inline_gen = small->file.gen;
	update->update_flags |= NACRE_CAP_UPDATE_HAS_DATA;
	if (!small->flush_bytes)
		return NULL;
	/* Sent again after a truncation, which has had it. */
	update->data_bytes = min_t(u64, small->flush_length, update->size);
	update->data = small->flush_bytes->at;
	return bytes_get(small->flush_bytes);
}

/* A flush is journaled; judged before the cap's machine forgets its number. */
void caps_small_flushed_locked(struct nacre_inode *ni, u64 flush_id)
{
	struct nacre_small *small = &ni->small;

	if (ni->cap.flush_id[nacre_group_index(NACRE_GROUP_FILE)] != flush_id)
		return;
	nacre_inline_flushed(&small->file, flush_id);
	if (small->news_flush && flush_id >= small->news_flush) {
		small->news = false;
		small->news_flush = 0;
	}
	forget_flush_locked(small);
}

/* ---- the copy, for vfs/ ------------------------------------------------------------------------------------ */

bool nacre_small_is_in(struct inode *inode)
{
	return nacre_inline_is_in(&nacre_inode(inode)->small.file);
}

bool nacre_small_needs_guard(struct inode *inode)
{
	return nacre_inline_needs_guard(&nacre_inode(inode)->small.file);
}

bool nacre_small_fits(struct inode *inode, u64 end)
{
	struct nacre_small *small = &nacre_inode(inode)->small;
	u64 size = max_t(u64, end, i_size_read(inode));

	return READ_ONCE(small->told) && size <= nacre_inline_here(nacre_inode_fs(inode)) &&
	       READ_ONCE(small->file.state) <= NACRE_INLINE_INLINE;
}

bool nacre_small_get(struct inode *inode, struct nacre_small_copy *copy)
{
	struct nacre_inode *ni = nacre_inode(inode);
	bool is_in;

	if (!nacre_small_is_in(inode))
		return false;
	spin_lock(&ni->cap_lock);
	is_in = nacre_small_is_in(inode);
	if (is_in) {
		copy->bytes = bytes_get(ni->small.bytes);
		copy->length = ni->small.length;
	}
	spin_unlock(&ni->cap_lock);
	return is_in;
}

void nacre_small_read(const struct nacre_small_copy *copy, u64 start, size_t length,
		      struct iov_iter *to)
{
	size_t have = start < copy->length ? min_t(u64, copy->length - start, length) : 0;

	/* To kernel pages, which take all of it. */
	if (have)
		WARN_ON_ONCE(copy_to_iter(copy->bytes->at + start, have, to) != have);
	iov_iter_zero(length - have, to);
}

static bool keeps_locked(struct nacre_inode *ni, u64 end)
{
	struct inode *inode = &ni->netfs.inode;

	return ni->small.file.state == NACRE_INLINE_INLINE && !ni->small.file.guards &&
	       ni->cap.held & NACRE_CAP_FILE_EXCL && nacre_small_fits(inode, end);
}

/* What stands beside the new bytes [start, end) stays as it was. */
static u32 merge_locked(const struct nacre_small *small, struct nacre_small_bytes *bytes,
			u32 start, u32 end)
{
	u32 length = max(small->length, end);

	if (small->bytes) {
		memcpy(bytes->at, small->bytes->at, min(start, small->length));
		if (small->length > end)
			memcpy(bytes->at + end, small->bytes->at + end, small->length - end);
	}
	return length;
}

bool nacre_small_keep(struct inode *inode, u64 start, struct iov_iter from, size_t length)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_small_bytes *bytes = NULL;
	u64 end = start + length;
	struct inode *pin;
	bool kept = false;
	u32 all;

	/* Dirty attributes have a reference on the inode, which nobody may have had open for long. */
	if (!nacre_small_fits(inode, end) || !(pin = igrab(inode)))
		return false;
	bytes = bytes_new(max_t(u64, READ_ONCE(ni->small.length), end),
			  GFP_NOFS | __GFP_NORETRY | __GFP_NOWARN);
	if (!bytes || copy_from_iter(bytes->at + start, length, &from) != length)
		goto out;
	spin_lock(&ni->cap_lock);
	if (keeps_locked(ni, end) && ni->small.length <= bytes->room) {
		all = merge_locked(&ni->small, bytes, start, end);
		set_bytes_locked(ni, bytes, all);
		bytes = NULL;
		ni->small.news = true;
		ni->small.news_flush = 0;
		kept = !caps_dirty_locked(ni, NACRE_GROUP_FILE);
	}
	spin_unlock(&ni->cap_lock);
out:
	nacre_small_put(bytes);
	nacre_mds_iput(nacre_inode_fs(inode), pin);
	return kept;
}

/* ---- the guard ----------------------------------------------------------------------------------------------- */

bool nacre_small_guard_begin(struct inode *inode, const struct nacre_osd_io *guard,
			     struct nacre_small_copy *copy, u64 *gen)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_small *small = &ni->small;
	bool begins;

	spin_lock(&ni->cap_lock);
	begins = nacre_small_needs_guard(inode) && !small->guard;
	if (begins) {
		small->guard = guard;
		small->guard_late = false;
		nacre_inline_guard_sent(&small->file);
		copy->bytes = bytes_get(small->bytes);
		copy->length = small->length;
		*gen = small->file.gen;
	}
	spin_unlock(&ni->cap_lock);
	return begins;
}

void nacre_small_guard_ended(struct inode *inode, int result, bool answered,
			     struct list_head *parked)
{
	struct nacre_cap_event use = { .kind = NACRE_CAPE_USE };
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_small *small = &ni->small;
	struct inode *pin = igrab(inode);
	u32 actions = 0;

	spin_lock(&ni->cap_lock);
	/* Without an answer nobody knows whether it was done: the state stays until another guard is answered. */
	if (answered)
		actions = nacre_inline_guard_answered(&small->file, !result);
	else
		small->file.guards--;
	small->guard = NULL;
	small->guard_error = result;
	list_splice_init(&small->parked, parked);
	/* An inode that is being freed has no name left: what it was is of no interest any more. */
	act_locked(ni, pin ? actions : actions & ~NACRE_INLINEA_TELL);
	if (ni->cap.owes_answer)
		caps_step_locked(ni, &use);
	spin_unlock(&ni->cap_lock);
	wake_up_all(&ni->cap_wait);
	caps_kick(inode);
	if (pin)
		nacre_mds_iput(nacre_inode_fs(inode), pin);
}

void nacre_small_guard_overdue(struct inode *inode, const struct nacre_osd_io *guard,
			       struct list_head *parked)
{
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	/* The caller's reference keeps the address from being another guard's. */
	if (ni->small.guard == guard) {
		ni->small.guard_late = true;
		list_splice_init(&ni->small.parked, parked);
	}
	spin_unlock(&ni->cap_lock);
	wake_up_all(&ni->cap_wait);
}

enum nacre_small_turn nacre_small_turn(struct inode *inode, struct list_head *link, int *error)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_small *small = &ni->small;
	enum nacre_small_turn turn = NACRE_SMALL_GO;

	if (!nacre_small_needs_guard(inode))
		return turn;
	spin_lock(&ni->cap_lock);
	if (small->guard && small->guard_late) {
		turn = NACRE_SMALL_FAILED;
		*error = -ETIMEDOUT;
	} else if (small->guard) {
		turn = NACRE_SMALL_PARKED;
		list_add_tail(link, &small->parked);
	} else if (nacre_small_needs_guard(inode)) {
		turn = NACRE_SMALL_FAILED;
		*error = small->guard_error ?: -EIO;
	}
	spin_unlock(&ni->cap_lock);
	return turn;
}

void nacre_small_seen(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	act_locked(ni, nacre_inline_seen(&ni->small.file));
	spin_unlock(&ni->cap_lock);
}
