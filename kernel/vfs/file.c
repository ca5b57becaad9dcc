// SPDX-License-Identifier: GPL-2.0
/*
 * Calls on open regular files.
 *
 *	write: inode lock → privileges → caps (→ EXCL and the size, for append) → checks
 *	       → netfs_perform_write, or direct.c when nothing may be buffered → caps back
 *	       → unlock → sync, if asked
 *
 * The copy to or from user memory runs with page faults off: the user's page may be
 * one of ours, and its fault would wait for caps while we hold some (CAP-3). What
 * could not be copied is faulted in with no caps held, and tried again.
 */
#include <linux/fadvise.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <linux/uaccess.h>
#include <linux/writeback.h>
#include "data.h"

#define FAULT_IN_BYTES (256 << 10)	/* user memory faulted in at once */
/* Bytes that one go moves under one set of references: a revoke waits for no more than that. */
#define GO_BYTES (1 << 20)

/* References for a call. Those of `want` that came together with `need` are taken, too. */
static int take_caps(struct inode *inode, u32 need, u32 want, u64 end, u32 *got)
{
	int err = nacre_caps_get(inode, need, want, end, got);
	u32 more;

	if (!err && want & ~*got && !nacre_caps_try(inode, 0, want & ~*got, 0, &more))
		*got |= more;
	return err;
}

/* ---- open and close ------------------------------------------------------------------------ */

int nacre_file_open(struct inode *inode, struct file *file)
{
	int err = generic_file_open(inode, file);

	if (!err && file->f_mode & FMODE_WRITE && !(file->f_flags & O_APPEND))
		err = nacre_flags_forbid(inode, NACRE_INODE_APPEND);
	if (err)
		return err;
	file->f_mode |= FMODE_CAN_ODIRECT;
	if ((file->f_flags & O_ACCMODE) == O_RDONLY)
		nacre_small_ahead(inode, file->f_path.dentry);
	return nacre_caps_open(inode, file->f_flags);
}

static int file_release(struct inode *inode, struct file *file)
{
	nacre_caps_release_file(inode, file->f_flags);
	return 0;
}

/* close(2) tells of write-back errors that nobody has heard of yet; it waits for nothing. */
static int file_flush(struct file *file, fl_owner_t id)
{
	return file->f_mode & FMODE_WRITE ? file_check_and_advance_wb_err(file) : 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* One go from the page cache. Positive, 0 at the end, -EFAULT: fault in and retry; *uncached: no CACHE to be had. */
static ssize_t cached_read(struct kiocb *iocb, struct iov_iter *to, bool *uncached)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t left = iov_iter_count(to);
	ssize_t done;
	u32 got;
	int err;

	err = take_caps(inode, NACRE_CAP_FILE_READ, NACRE_CAP_FILE_CACHE, 0, &got);
	if (err)
		return err;
	*uncached = !(got & NACRE_CAP_FILE_CACHE);
	if (*uncached) {
		nacre_caps_put(inode, got);
		return 0;
	}
	iov_iter_truncate(to, GO_BYTES);
	pagefault_disable();
	done = filemap_read(iocb, to, 0);
	pagefault_enable();
	iov_iter_reexpand(to, left - max_t(ssize_t, done, 0));
	nacre_caps_put(inode, got);
	return done;
}

/* After a go that moved `done` bytes of `wanted`: is there sense in another? Faults in what it stopped at. */
static bool go_on(struct iov_iter *iter, size_t wanted, ssize_t *done, bool reading)
{
	size_t left = min_t(size_t, iov_iter_count(iter), FAULT_IN_BYTES);

	if (!left || (*done <= 0 && *done != -EFAULT) || fatal_signal_pending(current))
		return false;
	if (*done == min_t(size_t, wanted, GO_BYTES))
		return true;
	if (!user_backed_iter(iter))
		return false;
	if ((reading ? fault_in_iov_iter_writeable(iter, left)
		     : fault_in_iov_iter_readable(iter, left)) < left)
		return true;
	*done = -EFAULT;
	return false;
}

static ssize_t file_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t count = iov_iter_count(to), wanted;
	loff_t start = iocb->ki_pos;
	ssize_t done, total = 0;
	bool uncached = false;

	if (!count)
		return 0;
	/* What is in the inode needs no OSD. */
	if (iocb->ki_flags & IOCB_DIRECT && !nacre_small_fits(inode, 0))
		return nacre_direct_read(iocb, to);
	do {
		wanted = iov_iter_count(to);
		done = cached_read(iocb, to, &uncached);
		if (uncached)
			done = nacre_direct_read(iocb, to);
		if (done > 0)
			total += done;
	} while (!uncached && iocb->ki_pos < i_size_read(inode) && go_on(to, wanted, &done, true));
	nacre_trace_pages(inode, uncached ? NACRE_PAGES_STEP_SYNC_READ : NACRE_PAGES_STEP_READ,
			  start, count, total ?: done);
	return total ?: done;
}

static ssize_t file_splice_read(struct file *in, loff_t *pos, struct pipe_inode_info *pipe,
				size_t length, unsigned int flags)
{
	struct inode *inode = file_inode(in);
	ssize_t done;
	u32 got;
	int err;

	if (in->f_flags & O_DIRECT)
		return copy_splice_read(in, pos, pipe, length, flags);
	err = take_caps(inode, NACRE_CAP_FILE_READ, NACRE_CAP_FILE_CACHE, 0, &got);
	if (err)
		return err;
	if (got & NACRE_CAP_FILE_CACHE) {
		done = filemap_splice_read(in, pos, pipe, length, flags);
		nacre_caps_put(inode, got);
		return done;
	}
	nacre_caps_put(inode, got);
	return copy_splice_read(in, pos, pipe, length, flags);
}

/* ---- writing ------------------------------------------------------------------------------- */

ssize_t nacre_write_begin(struct kiocb *iocb, struct iov_iter *from, size_t go, bool again, u32 *got)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool append = iocb->ki_flags & IOCB_APPEND;
	u32 need = NACRE_CAP_FILE_WRITE | (append ? NACRE_CAP_FILE_EXCL : 0);
	u64 start, end;
	ssize_t count;
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	do {
		start = append ? i_size_read(inode) : iocb->ki_pos;
		end = min_t(u64, start + min(iov_iter_count(from), go), inode->i_sb->s_maxbytes);
		err = take_caps(inode, need, NACRE_CAPS_WRITER, end, got);
		if (err)
			return err;
		if (!append || i_size_read(inode) == start)
			break;
		/* Waiting for EXCL has brought a newer size: max_size must reach as far. */
		nacre_caps_put(inode, *got);
	} while (1);
	if (!again) {
		count = generic_write_checks(iocb, from);
	} else {
		/* Between two goes of a long append others may have appended: it is cut in two then, nobody's bytes are lost. */
		if (append)
			iocb->ki_pos = start;
		count = iov_iter_count(from);
	}
	if (count <= 0)
		nacre_caps_put(inode, *got);
	return count;
}

/* One go into the page cache, as cached_read; `from` moves on by what was taken. */
static ssize_t buffered_write(struct kiocb *iocb, struct iov_iter *from, bool again, bool *unbuffered)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	int sync = iocb->ki_flags & (IOCB_DSYNC | IOCB_SYNC);
	ssize_t count, left;
	u32 got;

	left = nacre_write_begin(iocb, from, GO_BYTES, again, &got);
	if (left <= 0)
		return left;
	*unbuffered = (got & NACRE_CAPS_BUFFERED) != NACRE_CAPS_BUFFERED;
	if (*unbuffered) {
		nacre_caps_put(inode, got);
		return 0;
	}
	if (iocb->ki_pos > i_size_read(inode))
		nacre_data_zero_tail(inode, i_size_read(inode));
	/* Syncing comes after the caps are given back. */
	iocb->ki_flags &= ~sync;
	iov_iter_truncate(from, GO_BYTES);
	pagefault_disable();
	count = netfs_perform_write(iocb, from, NULL);
	pagefault_enable();
	iov_iter_reexpand(from, left - max_t(ssize_t, count, 0));
	iocb->ki_flags |= sync;
	if (count > 0)
		nacre_data_modified(inode, iocb->ki_pos - count, count);
	nacre_caps_put(inode, got);
	return count;
}

/* How far the file will reach, as far as is known before caps are held. */
static u64 direct_end(const struct kiocb *iocb, const struct iov_iter *from)
{
	bool append = iocb->ki_flags & IOCB_APPEND;

	return (append ? i_size_read(file_inode(iocb->ki_filp)) : iocb->ki_pos) + iov_iter_count(from);
}

static ssize_t write_locked(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool again = false, unbuffered = false;
	ssize_t done, total = 0;
	size_t wanted;

	done = nacre_flags_forbid(inode, NACRE_INODE_IMMUTABLE);
	if (!done)
		done = file_remove_privs(iocb->ki_filp);
	if (done)
		return done;
	if (iocb->ki_flags & IOCB_DIRECT && !nacre_small_fits(inode, direct_end(iocb, from)))
		return nacre_direct_write_locked(iocb, from, false);
	do {
		wanted = iov_iter_count(from);
		done = buffered_write(iocb, from, again, &unbuffered);
		/* Caps were given back in between: an append finds its place again, unless it has begun. */
		if (unbuffered)
			done = nacre_direct_write_locked(iocb, from, again);
		again = true;
		if (done > 0)
			total += done;
	} while (!unbuffered && !signal_pending(current) && go_on(from, wanted, &done, false));
	nacre_trace_pages(inode, unbuffered ? NACRE_PAGES_STEP_SYNC_WRITE : NACRE_PAGES_STEP_WRITE,
			  iocb->ki_pos - total, total, total ?: done);
	return total ?: done;
}

/* The goes of a long append need not lie side by side, so all of the file is synced: what was before is clean as a rule. */
static ssize_t sync_written(struct kiocb *iocb, ssize_t done)
{
	int err;

	if (!(iocb->ki_flags & IOCB_APPEND) || !iocb_is_dsync(iocb))
		return generic_write_sync(iocb, done);
	err = vfs_fsync_range(iocb->ki_filp, 0, LLONG_MAX, !(iocb->ki_flags & IOCB_SYNC));
	return err ?: done;
}

static ssize_t file_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t done;

	if (!iov_iter_count(from))
		return 0;
	if (down_write_killable(&inode->i_rwsem))
		return -EINTR;
	done = write_locked(iocb, from);
	up_write(&inode->i_rwsem);
	return done > 0 ? sync_written(iocb, done) : done;
}

/* ---- the rest ------------------------------------------------------------------------------ */

static int file_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err, late;

	err = file_write_and_wait_range(file, start, end);
	if (err)
		return err;
	err = nacre_sync_metadata(inode);
	late = file_check_and_advance_wb_err(file);
	return err ?: late;
}

static loff_t file_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	int err;

	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		offset = nacre_seek(inode, offset, whence == SEEK_HOLE);
		return offset < 0 ? offset : vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
	}
	if (whence == SEEK_END) {
		err = nacre_caps_refresh(inode, NACRE_GROUP_FILE, false);
		if (err)
			return err;
	}
	return generic_file_llseek(file, offset, whence);
}

static int file_fadvise(struct file *file, loff_t offset, loff_t length, int advice)
{
	struct inode *inode = file_inode(file);
	u32 got;
	int err;

	if (advice != POSIX_FADV_WILLNEED)
		return generic_fadvise(file, offset, length, advice);
	err = take_caps(inode, NACRE_CAP_FILE_READ, NACRE_CAP_FILE_CACHE, 0, &got);
	if (err)
		return err;
	if (got & NACRE_CAP_FILE_CACHE)
		err = generic_fadvise(file, offset, length, advice);
	nacre_caps_put(inode, got);
	return err;
}

const struct file_operations nacre_file_ops = {
	.owner = THIS_MODULE,
	.open = nacre_file_open,
	.release = file_release,
	.flush = file_flush,
	.read_iter = file_read_iter,
	.write_iter = file_write_iter,
	.llseek = file_llseek,
	.fsync = file_fsync,
	.unlocked_ioctl = nacre_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = nacre_mmap,
	.splice_read = file_splice_read,
	.splice_write = iter_file_splice_write,
	.fadvise = file_fadvise,
	.fallocate = nacre_fallocate,
	.copy_file_range = nacre_copy_range,
	.lock = nacre_lock,
	.flock = nacre_flock,
	.setlease = NACRE_COMPAT_NO_LEASES,
};
