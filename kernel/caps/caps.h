/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Capabilities as the rest of the module uses them. The machine itself is
 * protocol/rules/cap_client.h; here it meets waiting, page cache and messages.
 */
#ifndef NACRE_CAPS_H_KERNEL
#define NACRE_CAPS_H_KERNEL

#include "../nacre.h"

/*
 * Get references on caps: all of `need`, and those of `want` that are held
 * anyway. May ask the MDS and wait, killably; must not be called with cap
 * references, folio locks, or in reclaim (CAP-3). `end` is the offset below
 * which the caller will write (0: no write): max_size is raised first (SIZE-1).
 * 0 with *got; -EINTR/-ERESTARTSYS killed; -EIO, -ESTALE, -ETIMEDOUT (soft).
 */
int nacre_caps_get(struct inode *inode, u32 need, u32 want, u64 end, u32 *got);
/* The same without asking or waiting: 0 or -EAGAIN. */
int nacre_caps_try(struct inode *inode, u32 need, u32 want, u64 end, u32 *got);
/* One more reference on bits of which the caller holds one already. Any context. */
void nacre_caps_dup(struct inode *inode, u32 bits);
/* Give references back; may queue work that answers a revoke. Any context. */
void nacre_caps_put(struct inode *inode, u32 bits);
/* Are these bits held now and not being revoked? No reference is taken. */
bool nacre_caps_held(struct inode *inode, u32 bits);

/* Attributes of these groups (nacre_cap_group) were changed locally under their EXCL caps. Any context. */
void nacre_caps_mark_dirty(struct inode *inode, u32 groups);
/*
 * Reading has moved atime under FILE_EXCL. That alone is worth no message: it goes along with the next flush of FILE, with
 * FILE_EXCL at the latest, or when the VFS wants it written (nacre_caps_say_accessed). Any context.
 */
void nacre_caps_accessed(struct inode *inode);
/* Such an atime is dirty from now on; the last reference on the inode may be on its way out. Any context. */
void nacre_caps_say_accessed(struct inode *inode);
/* Flush dirty attributes and wait until they are journaled (fsync). Killable. */
int nacre_caps_flush_wait(struct inode *inode);
/*
 * ROOM-1: say so before room behind the file's end is taken, up to `end`: the rank journals it, and deletes what is there with
 * the file. FILE_WRITE is held; then nacre_caps_flush_wait() without it, and nacre_caps_keeps() under it again: true if
 * it was issued all the time, so that what the rank knows still holds. 0 takes the word back.
 */
void nacre_caps_keep(struct inode *inode, u64 end);
bool nacre_caps_keeps(struct inode *inode, u64 end);
/* Start flushing; no wait (write_inode, age, sync). */
void nacre_caps_flush_start(struct inode *inode);
/* Make the groups in `mask` current: from held caps, or by asking the MDS. Killable. */
int nacre_caps_refresh(struct inode *inode, u32 mask, bool force);
/*
 * The same for a call that only shows them: of a file that another client writes FILE may be in *reported instead, and then stays
 * as old in the inode as it was, but for a size that has grown.
 */
int nacre_caps_stat(struct inode *inode, u32 mask, bool force, struct nacre_reported *reported);
/* Are the groups current without asking? Never sleeps: good under RCU. */
bool nacre_caps_current(struct inode *inode, u32 groups);
/* Flush all dirty attributes; wait: until they are journaled, killably. */
int nacre_caps_sync_fs(struct nacre_fs *fs, bool wait);
/* Apply a truncation that the rank told of to size and pages. May sleep; not under folio locks. */
void nacre_caps_settle_size(struct inode *inode);

/* ---- small files: small.c ------------------------------------------------------------------ */

/* A reference on a file's bytes in the inode, as they were at one moment. */
struct nacre_small_copy {
	struct nacre_small_bytes *bytes;	/* NULL = none */
	u32 length;
};

/* Is the file's data, as far as is known here, what this client has of it in memory? No lock: a hint. */
bool nacre_small_is_in(struct inode *inode);
/* Must a guard be answered before anything is written at the OSDs? No lock: a hint. */
bool nacre_small_needs_guard(struct inode *inode);
/* Would a file that reaches to `end` at least have its data in the inode, as far as is known here? A hint. */
bool nacre_small_fits(struct inode *inode, u64 end);
/* The bytes as they are now; false: they are at the OSDs. */
bool nacre_small_get(struct inode *inode, struct nacre_small_copy *copy);
void nacre_small_put(struct nacre_small_bytes *bytes);
/* What the file has in [start, +length) by that copy. */
void nacre_small_read(const struct nacre_small_copy *copy, u64 start, size_t length,
		      struct iov_iter *to);
/*
 * Write-back of a file that stays small: the bytes go into the inode, and the next flush of FILE carries them. False:
 * they are to be written at the OSDs. Needs no cap reference (the page is under write-back).
 */
bool nacre_small_keep(struct inode *inode, u64 start, struct iov_iter from, size_t length);

/*
 * `guard` is to be sent now, with these bytes; it ends with nacre_small_guard_ended(). False: none is needed, or one is
 * on its way.
 */
bool nacre_small_guard_begin(struct inode *inode, const struct nacre_osd_io *guard,
			     struct nacre_small_copy *copy, u64 *gen);
/* `answered`: by an OSD. What has waited for it is moved to *parked. */
void nacre_small_guard_ended(struct inode *inode, int result, bool answered,
			     struct list_head *parked);
/* It is over the soft limit, and goes on. What has waited for it is moved to *parked; what comes until it ends fails. */
void nacre_small_guard_overdue(struct inode *inode, const struct nacre_osd_io *guard,
			       struct list_head *parked);
/* INLINE-2: may a write of pages go out? PARKED: `link` is in the list; FAILED: the guard has failed, with *error. */
enum nacre_small_turn { NACRE_SMALL_GO, NACRE_SMALL_PARKED, NACRE_SMALL_FAILED };
enum nacre_small_turn nacre_small_turn(struct inode *inode, struct list_head *link, int *error);
/* A read has found the mark. */
void nacre_small_seen(struct inode *inode);

/* open and release of files: count and tell `wanted`. */
int nacre_caps_open(struct inode *inode, int file_flags);
void nacre_caps_release_file(struct inode *inode, int file_flags);

/* ---- for vfs/inode.c and vfs/super.c --------------------------------------------------------- */

/*
 * Take in what the rank says of an inode. fresh: it is new here, the caller has set its type and size.
 * Takes references on `need` if all of it can be used (*got). -ENOMEM: all was taken in but the extended
 * attributes; they are unknown from here on, and no references were taken.
 */
int nacre_caps_apply(struct inode *inode, const struct nacre_inode_info *info, bool fresh,
		     u32 need, u32 *got);
void nacre_caps_init_inode(struct nacre_inode *ni);
/* The inode leaves the cache: give its cap back. */
void nacre_caps_evict(struct inode *inode);

int nacre_caps_create(struct nacre_fs *fs);
/* Wait until every inode's worker is done. */
void nacre_caps_drain(struct nacre_fs *fs);
void nacre_caps_destroy(struct nacre_fs *fs);

/* nacre_upcalls */
void nacre_caps_message(struct nacre_fs *fs, u16 type, const void *host);
int nacre_caps_claim(struct nacre_fs *fs);
void nacre_caps_reconnected(struct nacre_fs *fs);
void nacre_caps_reflush(struct nacre_fs *fs);
void nacre_caps_lost(struct nacre_fs *fs);

struct nacre_xattrs *nacre_xattrs_new(const u8 *sequence, u32 bytes, gfp_t gfp);
struct nacre_xattrs *nacre_xattrs_get(struct nacre_xattrs *xattrs);
void nacre_xattrs_put(struct nacre_xattrs *xattrs);

void nacre_caps_show(struct seq_file *m, struct nacre_fs *fs);

/*
 * Offered by vfs/pages.c to the cap work (leftward callbacks, process context,
 * no cap references held by the caller):
 */
/* Write all dirty pages back and wait for them. */
int nacre_pages_write_back(struct inode *inode);
/* Drop all clean pages, also mapped ones; loops until none is left (kernel notes: -EBUSY). */
int nacre_pages_invalidate(struct inode *inode);
/* The size changed elsewhere, or by our truncate: i_size, page cache, netfs zero_point. */
void nacre_pages_set_size(struct inode *inode, u64 size, bool truncated);
bool nacre_pages_dirty(struct inode *inode);
/* By vfs/flags.c, under cap_lock: i_flags follow ni->flags and the cap on AUTH. */
void nacre_flags_show_locked(struct nacre_inode *ni);
/* A small file is about to be flushed: let the flush have what its pages have. Waits for nothing. */
void nacre_pages_keep_small(struct inode *inode);

#endif
