// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges of a file whose bytes are not sent: fallocate, and where data is
 * (SEEK_DATA, SEEK_HOLE). The OSDs are asked object by object; what is dirty here is
 * written back before, so they know.
 *
 *	fallocate: inode lock → privileges → caps (and room, to grow) → faults held off,
 *	           the range's pages written and dropped → ZERO or ALLOCATE at the objects
 *	           → size and times → caps back → unlock → sync, if asked
 *
 *	0, ZERO_RANGE		every block of the range is allocated, and unwritten where nothing was: writing there
 *				cannot meet ENOSPC
 *	PUNCH_HOLE		whole blocks are given back
 *	KEEP_SIZE		the same, and behind the file's end: the rank is told before (ROOM-1)
 *
 * What has been allocated when space runs out stays, and the file ends behind it, if it may grow.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include "batch.h"
#include "data.h"

/* ---- fallocate ----------------------------------------------------------------------------- */

#define MODES (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)

/*
 * Nothing of the range is cached when this returns, and faults are held off: what the objects say is read anew
 * after it. The pages at its edges are written first, the others with them: they may be mapped.
 */
static int drop_cached(struct inode *inode, u64 start, u64 end)
{
	struct address_space *mapping = inode->i_mapping;
	u64 first = round_down(start, PAGE_SIZE), last = round_up(end, PAGE_SIZE) - 1;
	int err;

	filemap_invalidate_lock(mapping);
	do {
		err = filemap_write_and_wait_range(mapping, first, last);
		if (!err)
			err = invalidate_inode_pages2_range(mapping, first >> PAGE_SHIFT, last >> PAGE_SHIFT);
	} while (err == -EBUSY && !fatal_signal_pending(current) && !nacre_fs_error(nacre_inode_fs(inode)));
	if (err)
		filemap_invalidate_unlock(mapping);
	else
		nacre_data_raise_remote(inode, 0, last + 1);
	return err;
}

/* Ask the objects for all of [b->at, b->end). 0 or the first error; *done: up to where all is well. */
static int run_range(struct nacre_batch *b, u64 *done)
{
	/* Room is taken in order, so that none is left behind the end of a file when it runs out. */
	unsigned int width = b->code == NACRE_OSD_OP_ALLOCATE ? 1 : NACRE_BATCH_MAX, i;
	int err = 0;

	*done = b->at;
	while (!err && b->at < b->end) {
		err = nacre_batch_run(b, width);
		for (i = 0; !err && i < b->count; i++) {
			err = b->ios[i]->result;
			if (!err)
				*done = nacre_batch_position(b, b->ios[i], b->ios[i]->offset + b->ios[i]->length);
		}
	}
	nacre_batch_empty(b);
	return err;
}

static u16 range_flags(int mode)
{
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return 0;
	return (mode & FALLOC_FL_ZERO_RANGE ? NACRE_OSD_OPF_ZERO : 0) |
	       (mode & FALLOC_FL_KEEP_SIZE ? NACRE_OSD_OPF_KEEP : 0);
}

/* Caps are held. FALLOC_FL_KEEP_SIZE is in `mode` only if the range ends behind the file, or for a hole. */
static int change_range(struct inode *inode, int mode, u64 start, u64 end, u32 piece)
{
	bool punch = mode & FALLOC_FL_PUNCH_HOLE, grows = !(mode & FALLOC_FL_KEEP_SIZE);
	struct nacre_batch b = {
		.inode = inode,
		.code = punch ? NACRE_OSD_OP_ZERO : NACRE_OSD_OP_ALLOCATE,
		.op_flags = range_flags(mode),
		.piece = piece,
		.at = start,
		.end = end,
	};
	u64 done = start;
	int err;

	if (grows && end > i_size_read(inode))
		nacre_data_zero_tail(inode, i_size_read(inode));
	err = drop_cached(inode, start, end);
	if (err)
		return err;
	/* Objects are changed here: a small file's data leaves its inode first. */
	err = nacre_small_leave_wait(inode);
	if (!err)
		err = run_range(&b, &done);
	if (grows && done > i_size_read(inode)) {
		nacre_data_grow(inode, done);
		nacre_data_raise_remote(inode, done, done);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	if (done > start && !punch) {
		nacre_data_modified(inode, start, done - start);
	} else if (done > start) {
		inode_set_mtime_to_ts(inode, inode_set_ctime_current(inode));
		nacre_caps_mark_dirty(inode, NACRE_GROUP_FILE);
	}
	return err;
}

/* Is room asked for behind the file's end? */
static bool is_behind(struct inode *inode, int mode, u64 end)
{
	return mode & FALLOC_FL_KEEP_SIZE && !(mode & FALLOC_FL_PUNCH_HOLE) && end > i_size_read(inode);
}

/* FILE_WRITE, and what else the range needs: a size that may be reached, or that the rank knows of room behind the end. */
static int range_begin(struct inode *inode, int mode, u64 end, bool unwritten, u32 *got)
{
	bool told = false;
	u64 limit;
	int err;

	for (;; told = true) {
		limit = mode & FALLOC_FL_KEEP_SIZE && !is_behind(inode, mode, end) ? 0 : end;
		err = nacre_caps_get(inode, NACRE_CAP_FILE_WRITE, NACRE_CAPS_WRITER, limit, got);
		if (err || !is_behind(inode, mode, end) || (told && nacre_caps_keeps(inode, end)))
			return err;
		if (unwritten)
			nacre_caps_keep(inode, end);
		else
			err = -EOPNOTSUPP;
		nacre_caps_put(inode, *got);
		err = err ?: nacre_caps_flush_wait(inode);
		if (err)
			return err;
	}
}

static int fallocate_locked(struct file *file, int mode, u64 start, u64 end)
{
	struct inode *inode = file_inode(file);
	bool unwritten = nacre_mds_has_feature(nacre_inode_fs(inode), NACRE_FEATURE_UNWRITTEN);
	bool keep = mode & FALLOC_FL_KEEP_SIZE, behind;
	u32 got, piece = nacre_inode(inode)->object_bytes;
	int err;

	inode_dio_wait(inode);
	err = file_remove_privs(file);
	if (!err && keep)
		err = nacre_caps_refresh(inode, NACRE_GROUP_FILE, false);
	if (!err && !keep && end > i_size_read(inode))
		err = inode_newsize_ok(inode, end);
	if (err)
		return err;
	/* Older OSDs write zeros to give room, as many as a request can carry. */
	if (!unwritten && !(mode & FALLOC_FL_PUNCH_HOLE))
		piece = nacre_data_wsize(inode);
	err = range_begin(inode, mode, end, unwritten, &got);
	if (err)
		return err;
	behind = is_behind(inode, mode, end);
	if (mode & FALLOC_FL_PUNCH_HOLE)
		end = min_t(u64, end, round_up(i_size_read(inode), PAGE_SIZE));
	else if (!behind)
		mode &= ~FALLOC_FL_KEEP_SIZE;
	if (start < end)
		err = change_range(inode, mode, start, end, piece);
	if (behind)
		nacre_caps_keep(inode, 0);
	nacre_caps_put(inode, got);
	return err;
}

long nacre_fallocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	struct inode *inode = file_inode(file);
	int err;

	if (mode & ~MODES)
		return -EOPNOTSUPP;
	if (down_write_killable(&inode->i_rwsem))
		return -EINTR;
	err = fallocate_locked(file, mode, offset, offset + length);
	up_write(&inode->i_rwsem);
	nacre_trace_pages(inode, NACRE_PAGES_STEP_FALLOCATE, offset, length, err);
	if (!err && file->f_flags & O_DSYNC)
		err = vfs_fsync(file, !(file->f_flags & __O_SYNC));
	return err;
}

/* ---- where data is ----------------------------------------------------------------------------- */

/* The first answer that is not "none in that piece", or the end. */
static loff_t find(struct nacre_batch *b)
{
	unsigned int width = 1, i;
	int err = 0;
	u64 found;

	/* A file with large holes has few objects: more and more are asked at once. */
	for (; b->at < b->end; width *= 2) {
		err = nacre_batch_run(b, width);
		for (i = 0; !err && i < b->count; i++) {
			err = b->ios[i]->result;
			found = b->ios[i]->object_size;
			if (!err && found < b->ios[i]->offset + b->ios[i]->length)
				return nacre_batch_position(b, b->ios[i], found);
		}
		if (err)
			return err;
	}
	return b->end;
}

static loff_t seek_locked(struct inode *inode, loff_t offset, bool hole)
{
	u64 size = i_size_read(inode);
	struct nacre_batch b = {
		.inode = inode,
		.code = NACRE_OSD_OP_SEEK,
		.op_flags = hole ? NACRE_OSD_OPF_HOLE : 0,
		.piece = nacre_inode(inode)->object_bytes,
		.at = offset,
		.end = size,
	};
	loff_t found;
	int err;

	if (offset < 0 || offset >= size)
		return -ENXIO;
	/* What lies in dirty pages is data, and after this the OSDs say so, too. */
	err = filemap_write_and_wait_range(inode->i_mapping, offset, LLONG_MAX);
	if (err)
		return err;
	/* A small file is data from its first byte to its last. */
	if (nacre_small_is_in(inode))
		return hole ? size : offset;
	found = find(&b);
	nacre_batch_empty(&b);
	return found == size && !hole ? -ENXIO : found;
}

loff_t nacre_seek(struct inode *inode, loff_t offset, bool hole)
{
	loff_t found;
	u32 got;
	int err;

	err = nacre_caps_refresh(inode, NACRE_GROUP_FILE, false);
	if (err)
		return err;
	if (down_read_killable(&inode->i_rwsem))
		return -EINTR;
	found = nacre_caps_get(inode, NACRE_CAP_FILE_READ, NACRE_CAP_FILE_CACHE, 0, &got);
	if (!found) {
		found = seek_locked(inode, offset, hole);
		nacre_caps_put(inode, got);
	}
	up_read(&inode->i_rwsem);
	nacre_trace_pages(inode, NACRE_PAGES_STEP_SEEK, offset, hole, found);
	return found;
}

/* ---- copies ------------------------------------------------------------------------------------ */

/* Through the page cache, or past it, under each file's own caps; also from one mount of nacre to another. */
ssize_t nacre_copy_range(struct file *in, loff_t from, struct file *out, loff_t to, size_t length,
			 unsigned int flags)
{
	return splice_copy_file_range(in, from, out, to, length);
}
