// SPDX-License-Identifier: GPL-2.0
/*
 * I/O between a caller's memory and the OSDs, past the page cache: O_DIRECT, and
 * every read and write of a file that several clients use and one of them writes
 * (no CACHE, no BUFFER: state MIX of the lock table).
 *
 *	pin user pages → (inode lock) → caps → flush what overlaps → one request per
 *	piece of an object → wait, killably → size and times → caps back → unpin
 *
 * netfs has such a path, too. Ours waits killably (WAIT-1), reads holes and the end
 * of file right, and pins the caller's pages before it holds any cap, since
 * their faults may need caps themselves (CAP-3).
 *
 * Asynchronous calls return when everything is submitted, and end in a worker; they
 * keep their cap references until then. A write that makes the file longer, or
 * that must be synced, is finished before it returns.
 */
#include <linux/pagemap.h>
#include <linux/slab.h>
#include "data.h"
#include "protocol/rules/layout.h"

#define CHUNK_BYTES (32u << 20)		/* pinned and in flight at once, per call */

/* One call's chunk. */
struct direct {
	struct inode *inode;
	struct kiocb *iocb;		/* asynchronous: told at the end; else NULL */
	bool write;
	u32 caps;			/* references held */
	u64 start;			/* in the file, bytes */
	size_t length;
	struct iov_iter iter;		/* the caller's memory, kernel pages */
	size_t taken;			/* bytes by which the caller's iterator has moved */
	struct bio_vec *pages;		/* pinned for it, NULL = none */
	unsigned int page_count;
	bool unpin;

	atomic_t pending;		/* requests unanswered, one more while submitting */
	struct completion done;
	struct work_struct work;	/* asynchronous: the end */
	spinlock_t lock;		/* the next two */
	u64 failed_at;			/* lowest file offset that failed … */
	int error;			/* … and why; 0 = nothing has */
	struct nacre_osd_io **ios;
	unsigned int io_count;
};

static struct workqueue_struct *direct_work;

/* ---- the caller's memory ------------------------------------------------------------------- */

static struct direct *direct_new(struct inode *inode, struct iov_iter *iter, bool write)
{
	size_t length = min_t(size_t, iov_iter_count(iter), CHUNK_BYTES);
	struct direct *d = kzalloc(sizeof(*d), GFP_KERNEL);
	ssize_t count;

	if (!d)
		return ERR_PTR(-ENOMEM);
	d->inode = inode;
	d->write = write;
	init_completion(&d->done);
	spin_lock_init(&d->lock);
	d->failed_at = U64_MAX;
	if (!user_backed_iter(iter)) {
		d->iter = *iter;
		iov_iter_truncate(&d->iter, length);
		iov_iter_advance(iter, length);
		d->taken = length;
		return d;
	}
	d->unpin = iov_iter_extract_will_pin(iter);
	count = netfs_extract_user_iter(iter, length, &d->iter, 0);
	if (count <= 0) {
		kfree(d);
		return ERR_PTR(count ?: -EFAULT);
	}
	d->pages = (struct bio_vec *)d->iter.bvec;
	d->page_count = count;
	d->taken = iov_iter_count(&d->iter);
	return d;
}

static void release_pages_of(struct direct *d)
{
	unsigned int i;

	for (i = 0; i < d->page_count; i++) {
		struct page *page = d->pages[i].bv_page;

		if (!d->write)
			set_page_dirty_lock(page);
		if (d->unpin)
			unpin_user_page(page);
	}
	kvfree(d->pages);
}

static void direct_free(struct direct *d)
{
	unsigned int i;

	for (i = 0; i < d->io_count; i++)
		nacre_osd_io_put(d->ios[i]);
	kvfree(d->ios);
	release_pages_of(d);
	kfree(d);
}

/* ---- requests ------------------------------------------------------------------------------ */

static void end_async(struct work_struct *work);

static void one_ended(struct direct *d)
{
	if (!atomic_dec_and_test(&d->pending))
		return;
	if (d->iocb)
		queue_work(direct_work, &d->work);
	else
		complete(&d->done);
}

static void io_done(struct nacre_osd_io *io)
{
	struct direct *d = io->owner;
	u64 at = io->oid.index * nacre_inode(d->inode)->object_bytes + io->offset;
	struct iov_iter tail;

	if (io->result) {
		spin_lock(&d->lock);
		if (at < d->failed_at) {
			d->failed_at = at;
			d->error = io->result;
		}
		spin_unlock(&d->lock);
	} else if (!d->write && io->transferred < io->length) {
		/* Behind the object's end, below the file's: a hole. */
		tail = io->iter;
		iov_iter_advance(&tail, io->transferred);
		iov_iter_zero(io->length - io->transferred, &tail);
	}
	one_ended(d);
}

/* Cut the range into requests. */
static int make_requests(struct direct *d)
{
	u32 chunk = d->write ? nacre_data_wsize(d->inode) : nacre_data_rsize(d->inode);
	u32 piece = min(chunk, nacre_inode(d->inode)->object_bytes);
	struct iov_iter rest = d->iter;
	size_t left = d->length;
	u64 at = d->start;

	d->ios = kvcalloc(left / piece + 2, sizeof(*d->ios), GFP_KERNEL);
	if (!d->ios)
		return -ENOMEM;
	while (left) {
		u32 bytes = min_t(size_t, left, nacre_data_reach(d->inode, at, chunk));
		struct nacre_osd_io *io;

		io = nacre_osd_io_new(nacre_inode_fs(d->inode), GFP_KERNEL);
		if (!io)
			return -ENOMEM;
		nacre_data_io(io, d->inode, d->write ? NACRE_OSD_OP_WRITE : NACRE_OSD_OP_READ, at,
			      bytes);
		io->iter = rest;
		iov_iter_truncate(&io->iter, bytes);
		iov_iter_advance(&rest, bytes);
		io->unstable = d->write && d->pages;
		io->done = io_done;
		io->owner = d;
		d->ios[d->io_count++] = io;
		at += bytes;
		left -= bytes;
	}
	return 0;
}

static void submit_all(struct direct *d)
{
	unsigned int i;

	atomic_set(&d->pending, d->io_count + 1);
	for (i = 0; i < d->io_count; i++)
		nacre_osd_submit(d->ios[i]);
	one_ended(d);
}

/* A killed wait takes its requests back, so that nothing touches the caller's memory any more. */
static void wait_killably(struct direct *d)
{
	unsigned int i;

	if (!wait_for_completion_killable(&d->done))
		return;
	for (i = 0; i < d->io_count; i++)
		nacre_osd_cancel(d->ios[i], -EINTR);
	wait_for_completion(&d->done);
}

/* Bytes that are in order from the start on, or the error. */
static ssize_t outcome(const struct direct *d)
{
	u64 good = min_t(u64, d->failed_at - d->start, d->length);

	return d->error && !good ? d->error : (ssize_t)good;
}

/* What a write leaves behind: size, times, no old pages in the cache. Caps are held. */
static void wrote(struct direct *d, ssize_t bytes)
{
	struct address_space *mapping = d->inode->i_mapping;
	u64 end = d->start + bytes;

	if (bytes <= 0)
		return;
	nacre_data_grow(d->inode, end);
	nacre_data_modified(d->inode, d->start, bytes);
	/* A mapping may have read the old bytes in while the new ones were on their way. */
	if (mapping->nrpages)
		invalidate_inode_pages2_range(mapping, d->start >> PAGE_SHIFT,
					      (end - 1) >> PAGE_SHIFT);
}

static void end_async(struct work_struct *work)
{
	struct direct *d = container_of(work, struct direct, work);
	struct kiocb *iocb = d->iocb;
	ssize_t bytes = outcome(d);

	if (d->write)
		wrote(d, bytes);
	nacre_trace_pages(d->inode, d->write ? NACRE_PAGES_STEP_DIRECT_WRITE
					     : NACRE_PAGES_STEP_DIRECT_READ,
			  d->start, d->length, bytes);
	nacre_caps_put(d->inode, d->caps);
	inode_dio_end(d->inode);
	if (bytes > 0)
		iocb->ki_pos += bytes;
	direct_free(d);
	iocb->ki_complete(iocb, bytes);
}

/* Run a prepared chunk; -EIOCBQUEUED: it ends by itself, and `d` is not ours any more. */
static ssize_t run(struct direct *d, struct kiocb *async)
{
	ssize_t bytes;

	bytes = make_requests(d);
	if (bytes)
		return bytes;
	if (async) {
		d->iocb = async;
		INIT_WORK(&d->work, end_async);
		inode_dio_begin(d->inode);
		submit_all(d);
		return -EIOCBQUEUED;
	}
	submit_all(d);
	wait_killably(d);
	bytes = outcome(d);
	if (d->write)
		wrote(d, bytes);
	nacre_trace_pages(d->inode, d->write ? NACRE_PAGES_STEP_DIRECT_WRITE
					     : NACRE_PAGES_STEP_DIRECT_READ,
			  d->start, d->length, bytes);
	return bytes;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* The inode lock keeps truncation by this client away; caps keep others' away. */
static ssize_t read_locked(struct direct *d, struct kiocb *iocb, bool async)
{
	struct inode *inode = d->inode;
	u64 pos = iocb->ki_pos, size;
	ssize_t bytes;
	int err;

	err = nacre_caps_get(inode, NACRE_CAP_FILE_READ, 0, 0, &d->caps);
	if (err)
		return err;
	size = i_size_read(inode);
	if (pos >= size) {
		bytes = 0;
		goto put;
	}
	d->start = pos;
	d->length = min_t(u64, iov_iter_count(&d->iter), size - pos);
	iov_iter_truncate(&d->iter, d->length);
	bytes = filemap_write_and_wait_range(inode->i_mapping, pos, pos + d->length - 1);
	if (bytes)
		goto put;
	bytes = nacre_small_look(inode, pos, d->length, &d->iter);
	if (bytes) {
		iocb->ki_pos += max_t(ssize_t, bytes, 0);
		goto put;
	}
	bytes = run(d, async ? iocb : NULL);
	if (bytes == -EIOCBQUEUED)
		return bytes;
	if (bytes > 0)
		iocb->ki_pos += bytes;
put:
	nacre_caps_put(inode, d->caps);
	return bytes;
}

static ssize_t read_chunk(struct kiocb *iocb, struct iov_iter *to, bool async)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct direct *d;
	ssize_t bytes;

	/* Where SHARED cannot be had the rank knows the size, and nobody else. */
	bytes = nacre_caps_refresh(inode, NACRE_GROUP_FILE, false);
	if (bytes)
		return bytes;
	d = direct_new(inode, to, false);
	if (IS_ERR(d))
		return PTR_ERR(d);
	if (down_read_killable(&inode->i_rwsem)) {
		direct_free(d);
		return -EINTR;
	}
	bytes = read_locked(d, iocb, async);
	up_read(&inode->i_rwsem);
	if (bytes == -EIOCBQUEUED)
		return bytes;
	iov_iter_revert(to, d->taken - max_t(ssize_t, bytes, 0));
	direct_free(d);
	return bytes;
}

ssize_t nacre_direct_read(struct kiocb *iocb, struct iov_iter *to)
{
	bool async = !is_sync_kiocb(iocb) && iov_iter_count(to) <= CHUNK_BYTES;
	ssize_t bytes = 0, total = 0;
	size_t chunk;

	file_accessed(iocb->ki_filp);
	while (iov_iter_count(to)) {
		chunk = min_t(size_t, iov_iter_count(to), CHUNK_BYTES);
		bytes = read_chunk(iocb, to, async);
		if (bytes <= 0)
			break;
		total += bytes;
		if (bytes < chunk)
			break;
	}
	return total ?: bytes;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Cached pages of the range go out first and then away; nothing behind it is known to be empty any more. */
static int clear_way(struct direct *d)
{
	struct address_space *mapping = d->inode->i_mapping;
	u64 end = d->start + d->length;
	int err;

	if (d->start > i_size_read(d->inode))
		nacre_data_zero_tail(d->inode, i_size_read(d->inode));
	if (mapping->nrpages) {
		err = filemap_write_and_wait_range(mapping, d->start, end - 1);
		if (err)
			return err;
		invalidate_inode_pages2_range(mapping, d->start >> PAGE_SHIFT,
					      (end - 1) >> PAGE_SHIFT);
	}
	nacre_data_raise_remote(d->inode, end, end);
	return 0;
}

static ssize_t write_chunk(struct direct *d, struct kiocb *iocb, bool again, bool async)
{
	ssize_t bytes;

	bytes = nacre_write_begin(iocb, &d->iter, CHUNK_BYTES, again, &d->caps);
	if (bytes <= 0)
		return bytes;
	d->start = iocb->ki_pos;
	d->length = bytes;
	if (d->start + d->length > i_size_read(d->inode))
		async = false;
	bytes = clear_way(d);
	if (!bytes)
		bytes = nacre_small_leave_wait(d->inode);
	if (!bytes)
		bytes = run(d, async ? iocb : NULL);
	if (bytes == -EIOCBQUEUED)
		return bytes;
	if (bytes > 0)
		iocb->ki_pos += bytes;
	nacre_caps_put(d->inode, d->caps);
	return bytes;
}

ssize_t nacre_direct_write_locked(struct kiocb *iocb, struct iov_iter *from, bool again)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool async = !is_sync_kiocb(iocb) && iov_iter_count(from) <= CHUNK_BYTES &&
		     !(iocb->ki_flags & IOCB_DSYNC);
	ssize_t bytes = 0, total = 0;
	struct direct *d;
	size_t taken;

	while (iov_iter_count(from)) {
		d = direct_new(inode, from, true);
		if (IS_ERR(d)) {
			bytes = PTR_ERR(d);
			break;
		}
		taken = d->taken;
		bytes = write_chunk(d, iocb, again, async);
		if (bytes == -EIOCBQUEUED)
			return bytes;
		direct_free(d);
		iov_iter_revert(from, taken - max_t(ssize_t, bytes, 0));
		if (bytes <= 0)
			break;
		total += bytes;
		again = true;
		if (bytes < taken)
			break;
	}
	return total ?: bytes;
}

int nacre_direct_init(void)
{
	direct_work = alloc_workqueue("nacre_direct", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return direct_work ? 0 : -ENOMEM;
}

void nacre_direct_exit(void)
{
	destroy_workqueue(direct_work);
}
