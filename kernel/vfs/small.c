// SPDX-License-Identifier: GPL-2.0
/*
 * I/O on small files whose data is in the inode (protocol/rules/inline.h); the bytes themselves, and what the rank
 * hears of them, are caps/small.c's. They stand in object 0's place: pages are filled from them, and written back to
 * them as long as the file is small and this client's alone.
 *
 *	write-back ─▶ stays small ─▶ new bytes in the inode; the next flush of FILE carries them
 *	          └▶ else ─▶ guard ─▶ answered: the data is at the OSDs from here on ─▶ what was parked goes out
 *
 * Of a file that others may write, a read asks object 0 for the mark first, and a write waits for the guard.
 */
#include <linux/pagemap.h>
#include "data.h"

/* ---- the guard (INLINE-1, INLINE-2) ------------------------------------------------------------------ */

/* What has waited for a guard goes out, or ends as the guard did. */
static void let_go(struct inode *inode, struct list_head *parked)
{
	struct nacre_osd_io *io, *next;

	list_for_each_entry_safe(io, next, parked, parked) {
		list_del_init(&io->parked);
		nacre_small_submit(inode, io);
		nacre_osd_io_put(io);
	}
}

void nacre_small_guarded(struct inode *inode, const struct nacre_osd_io *guard)
{
	LIST_HEAD(parked);

	nacre_small_guard_ended(inode, guard->result, guard->answered, &parked);
	let_go(inode, &parked);
}

static void guard_done(struct nacre_osd_io *io)
{
	struct inode *inode = io->owner;
	struct nacre_fs *fs = nacre_inode_fs(inode);

	if (io->part.iov_base)
		nacre_small_put(container_of(io->part.iov_base, struct nacre_small_bytes, at));
	nacre_small_guarded(inode, io);
	nacre_mds_iput(fs, inode);
	/* Last: an unmount waits for it, and may have waited for nothing else. */
	if (atomic_dec_and_test(&fs->caps.guards))
		wake_up_all(&fs->caps.flush_wait);
}

/* A soft mount's writes end, though their guard goes on. */
static void guard_overdue(struct nacre_osd_io *io)
{
	struct inode *inode = io->owner;
	LIST_HEAD(parked);

	nacre_small_guard_overdue(inode, io, &parked);
	let_go(inode, &parked);
	nacre_mds_iput(nacre_inode_fs(inode), inode);
}

/* A guard with these bytes and nothing else. Takes over a reference on the inode. */
static void send_guard(struct inode *inode, struct nacre_osd_io *io,
		       const struct nacre_small_copy *copy)
{
	nacre_data_io(io, inode, NACRE_OSD_OP_WRITE_FULL, 0, copy->length);
	io->part.iov_base = copy->bytes ? copy->bytes->at : NULL;
	io->part.iov_len = copy->length;
	iov_iter_kvec(&io->iter, ITER_SOURCE, &io->part, 1, copy->length);
	io->done = guard_done;
	io->overdue = guard_overdue;
	io->owner = inode;
	atomic_inc(&nacre_inode_fs(inode)->caps.guards);
	nacre_osd_submit(io);
}

/*
 * Before an unmount ends the session: every guard was answered, and what the answers mean is journaled (INLINE-4).
 * 0, or -errno: the rank has to be left without a word, and then looks at object 0 itself.
 */
int nacre_small_settle(struct nacre_fs *fs)
{
	int err = nacre_wait(fs, fs->caps.flush_wait,
			     !atomic_read(&fs->caps.guards) || nacre_fs_error(fs));

	if (!err)
		err = nacre_caps_sync_fs(fs, true);
	if (err)
		nacre_osd_fail_all(fs, -EIO);
	nacre_osd_drain(fs);
	return err;
}

struct nacre_osd_io *nacre_small_leave(struct inode *inode, u64 index)
{
	struct nacre_fs *fs = nacre_inode_fs(inode);
	struct nacre_osd_io *io = nacre_osd_io_reserve(fs);
	struct nacre_small_copy copy;
	/* An inode that is being freed has nobody who would miss its data. */
	struct inode *pin = nacre_small_needs_guard(inode) ? igrab(inode) : NULL;
	u64 gen;

	if (!pin)
		return io;
	if (!nacre_small_guard_begin(inode, io, &copy, &gen)) {
		nacre_mds_iput(fs, pin);
		return io;
	}
	io->guard = true;
	io->inline_gen = gen;
	/* The usual case, a file that grows at once: no bytes, so the guard rides on the write. A soft mount's writes end before guards. */
	if (!copy.bytes && !index && !READ_ONCE(fs->options.soft_timeout_ms)) {
		nacre_mds_iput(fs, pin);
		return io;
	}
	send_guard(pin, io, &copy);
	nacre_osd_io_put(io);
	return nacre_osd_io_reserve(fs);
}

void nacre_small_submit(struct inode *inode, struct nacre_osd_io *io)
{
	int error = 0;

	if (io->guard) {
		nacre_osd_submit(io);
		return;
	}
	kref_get(&io->ref);
	switch (nacre_small_turn(inode, &io->parked, &error)) {
	case NACRE_SMALL_PARKED:
		return;		/* and so is the reference */
	case NACRE_SMALL_GO:
		nacre_osd_submit(io);
		break;
	case NACRE_SMALL_FAILED:
		io->result = error;
		io->done(io);
		break;
	}
	nacre_osd_io_put(io);
}

int nacre_small_leave_wait(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_fs *fs = nacre_inode_fs(inode);
	int err;

	if (!nacre_small_needs_guard(inode))
		return 0;
	/* Index 1: nothing rides on it. A guard that nobody waits for any more goes on by itself. */
	nacre_osd_io_put(nacre_small_leave(inode, 1));
	err = nacre_wait(fs, ni->cap_wait, !READ_ONCE(ni->small.guard) || nacre_fs_error(fs));
	if (!err)
		err = nacre_fs_error(fs);
	if (!err && nacre_small_needs_guard(inode))
		err = READ_ONCE(ni->small.guard_error) ?: -EIO;
	return err;
}

/* ---- reading what others may write ------------------------------------------------------------------- */

/* Object 0 has the mark: 1; it has none: 0; or -errno. */
static int look_for_mark(struct inode *inode)
{
	struct nacre_osd_io *io = nacre_osd_io_new(nacre_inode_fs(inode), GFP_KERNEL);
	int err;

	if (!io)
		return -ENOMEM;
	nacre_data_io(io, inode, NACRE_OSD_OP_GETXATTR, 0, 0);
	err = nacre_osd_call(io);
	nacre_osd_io_put(io);
	return !err ? 1 : err == -ENODATA || err == -ENOENT ? 0 : err;
}

ssize_t nacre_small_look(struct inode *inode, u64 start, size_t length, struct iov_iter *to)
{
	struct nacre_small_copy copy;
	ssize_t result = 0;
	int marked;

	if (!nacre_small_get(inode, &copy))
		return 0;
	marked = look_for_mark(inode);
	if (marked < 0) {
		result = marked;
	} else if (marked) {
		nacre_small_seen(inode);
	} else {
		nacre_small_read(&copy, start, length, to);
		result = length;
	}
	nacre_small_put(copy.bytes);
	return result;
}

/* ---- pages ------------------------------------------------------------------------------------------------ */

bool nacre_small_fill(struct inode *inode, u64 start, struct iov_iter to)
{
	struct nacre_small_copy copy;

	if (!nacre_small_get(inode, &copy))
		return false;
	nacre_small_read(&copy, start, iov_iter_count(&to), &to);
	nacre_small_put(copy.bytes);
	return true;
}

void nacre_pages_keep_small(struct inode *inode)
{
	if (S_ISREG(inode->i_mode) && nacre_small_fits(inode, 0) && nacre_pages_dirty(inode))
		filemap_flush(inode->i_mapping);
}
