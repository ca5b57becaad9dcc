// SPDX-License-Identifier: GPL-2.0
/*
 * The page cache: what netfs asks of us to fill and to write pages, and what the
 * caps ask of us when they are taken away.
 *
 *	netfs_read_to_pagecache ─ prepare_read, issue_read ──▶ READ of one object ──▶ terminated
 *	netfs_writepages ─ prepare_write, issue_write ──▶ WRITE of one object ──▶ terminated
 *
 * Small files have no object for as long as their data is in the inode: small.c.
 *
 * Requests end at object boundaries and never split a folio. They are sent again
 * below us (osd/) until they succeed or the mount gives up, so netfs sees only
 * final errors. Read-ahead outlives the call that began it: it holds a reference on
 * CACHE and READ of its own. Dirty pages hold none; the cap machine asks
 * nacre_pages_dirty() instead (CAP-1).
 *
 * zero_point: nothing lies at the OSDs from there on. It is exact only while CACHE is
 * held; whenever others may have written it is raised to the file's end.
 */
#include <linux/log2.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/writeback.h>
#include "data.h"
#include "protocol/rules/layout.h"

#define READ_CAPS (NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ)

/* ---- requests on objects ------------------------------------------------------------------- */

u32 nacre_data_rsize(const struct inode *inode)
{
	return rounddown_pow_of_two(nacre_inode_fs(inode)->options.rsize);
}

u32 nacre_data_wsize(const struct inode *inode)
{
	return rounddown_pow_of_two(nacre_inode_fs(inode)->options.wsize);
}

u32 nacre_data_reach(const struct inode *inode, u64 pos, u32 chunk)
{
	u32 object = nacre_inode(inode)->object_bytes;
	u32 to_chunk = chunk - (pos & (chunk - 1));
	u32 to_object = object - nacre_layout_offset(object, pos);

	return min(to_chunk, to_object);
}

void nacre_data_io(struct nacre_osd_io *io, struct inode *inode, u16 code, u64 pos, u64 length)
{
	struct nacre_inode *ni = nacre_inode(inode);
	u32 offset = nacre_layout_offset(ni->object_bytes, pos);

	io->oid.ino = nacre_ino(inode);
	io->oid.index = nacre_layout_index(ni->object_bytes, pos);
	io->oid.pool = ni->pool;
	io->code = code;
	io->offset = offset;
	io->length = min_t(u64, length, ni->object_bytes - offset);
	io->mtime_ns = nacre_time_ns(inode_get_mtime(inode));
	spin_lock(&ni->cap_lock);
	io->truncate_seq = ni->truncate_seq;
	io->truncate_size = ni->truncate_size;
	spin_unlock(&ni->cap_lock);
}

/* One of netfs's subrequests, what is left of it, as a request of ours. */
static void fill_io(struct nacre_osd_io *io, struct netfs_io_subrequest *subreq, u16 code,
		    nacre_osd_done done)
{
	struct inode *inode = subreq->rreq->inode;

	nacre_data_io(io, inode, code, subreq->start + subreq->transferred,
		      subreq->len - subreq->transferred);
	io->iter = subreq->io_iter;
	iov_iter_truncate(&io->iter, io->length);
	io->done = done;
	io->owner = subreq;
}

/* ---- netfs: reading ------------------------------------------------------------------------ */

static int init_request(struct netfs_io_request *rreq, struct file *file)
{
	rreq->rsize = nacre_data_rsize(rreq->inode);
	rreq->wsize = nacre_data_wsize(rreq->inode);
	if (rreq->origin == NETFS_READAHEAD) {
		nacre_caps_dup(rreq->inode, READ_CAPS);
		rreq->netfs_priv = rreq;
	}
	return 0;	/* for write-back anything else would drop dirty pages */
}

static void free_request(struct netfs_io_request *rreq)
{
	if (rreq->netfs_priv)
		nacre_caps_put(rreq->inode, READ_CAPS);
}

static int prepare_read(struct netfs_io_subrequest *subreq)
{
	struct netfs_io_request *rreq = subreq->rreq;

	rreq->io_streams[0].sreq_max_len =
		nacre_data_reach(rreq->inode, subreq->start + subreq->transferred, rreq->rsize);
	return 0;
}

static void read_done(struct nacre_osd_io *io)
{
	struct netfs_io_subrequest *subreq = io->owner;
	int result = io->result;

	nacre_trace_pages(subreq->rreq->inode, NACRE_PAGES_STEP_ISSUE_READ, subreq->start,
			  subreq->len, result ?: io->transferred);
	if (!result) {
		subreq->transferred += io->transferred;
		/* Behind the object's end lies a hole. */
		__set_bit(NETFS_SREQ_CLEAR_TAIL, &subreq->flags);
	}
	nacre_compat_read_terminated(subreq, result);
}

static void issue_read(struct netfs_io_subrequest *subreq)
{
	struct inode *inode = subreq->rreq->inode;
	struct nacre_osd_io *io;

	if (nacre_small_fill(inode, subreq->start + subreq->transferred, subreq->io_iter)) {
		subreq->transferred = subreq->len;
		nacre_compat_read_terminated(subreq, 0);
		return;
	}
	io = nacre_osd_io_reserve(nacre_inode_fs(inode));
	fill_io(io, subreq, NACRE_OSD_OP_READ, read_done);
	nacre_osd_submit(io);
	nacre_osd_io_put(io);
}

static void readahead(struct readahead_control *ractl)
{
	struct inode *inode = ractl->mapping->host;
	u32 got;

	/* No cap, no read-ahead: the pages are read one by one by who really needs them. */
	if (nacre_caps_try(inode, READ_CAPS, 0, 0, &got))
		return;
	netfs_readahead(ractl);
	nacre_caps_put(inode, got);
}

/* ---- netfs: writing ------------------------------------------------------------------------ */

static void begin_writeback(struct netfs_io_request *wreq)
{
	wreq->io_streams[0].avail = true;
}

static void prepare_write(struct netfs_io_subrequest *subreq)
{
	struct netfs_io_request *wreq = subreq->rreq;

	wreq->io_streams[subreq->stream_nr].sreq_max_len =
		nacre_data_reach(wreq->inode, subreq->start, wreq->wsize);
}

static void write_done(struct nacre_osd_io *io)
{
	struct netfs_io_subrequest *subreq = io->owner;
	struct inode *inode = subreq->rreq->inode;
	u64 end = subreq->start + subreq->transferred + io->length;
	ssize_t result = io->result ?: (ssize_t)io->length;

	if (io->guard)
		nacre_small_guarded(inode, io);
	/* What lies there has to be read there, once its pages are gone. */
	if (!io->result)
		nacre_data_raise_remote(inode, end, 0);
	nacre_trace_pages(inode, NACRE_PAGES_STEP_ISSUE_WRITE, subreq->start,
			  subreq->len, result);
	nacre_compat_write_terminated(subreq, result);
}

static void issue_write(struct netfs_io_subrequest *subreq)
{
	struct inode *inode = subreq->rreq->inode;
	u64 start = subreq->start + subreq->transferred;
	size_t length = subreq->len - subreq->transferred;
	struct nacre_osd_io *io;

	if (nacre_small_keep(inode, start, subreq->io_iter, length)) {
		nacre_data_raise_remote(inode, start + length, 0);
		nacre_compat_write_terminated(subreq, length);
		return;
	}
	io = nacre_small_leave(inode, nacre_layout_index(nacre_inode(inode)->object_bytes, start));
	fill_io(io, subreq, NACRE_OSD_OP_WRITE, write_done);
	nacre_small_submit(inode, io);
	nacre_osd_io_put(io);
}

static void update_i_size(struct inode *inode, loff_t end)
{
	nacre_data_grow(inode, end);
}

const struct netfs_request_ops nacre_netfs_ops = {
	.init_request = init_request,
	.free_request = free_request,
	.prepare_read = prepare_read,
	.issue_read = issue_read,
	.begin_writeback = begin_writeback,
	.prepare_write = prepare_write,
	.issue_write = issue_write,
	.update_i_size = update_i_size,
};

const struct address_space_operations nacre_address_ops = {
	.read_folio = netfs_read_folio,
	.readahead = readahead,
	.writepages = netfs_writepages,
	.dirty_folio = netfs_dirty_folio,
	.release_folio = netfs_release_folio,
	.invalidate_folio = netfs_invalidate_folio,
	.direct_IO = noop_direct_IO,
	.migrate_folio = filemap_migrate_folio,
};

void nacre_pages_init(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	u32 whole = min3(nacre_data_rsize(inode), nacre_data_wsize(inode), ni->object_bytes);

	netfs_inode_init(&ni->netfs, &nacre_netfs_ops, true);
	inode->i_mapping->a_ops = &nacre_address_ops;
	/* A frame's checksum is taken before its pages are sent. */
	mapping_set_stable_writes(inode->i_mapping);
	/* No folio straddles two requests. */
	mapping_set_folio_order_range(inode->i_mapping, 0,
				      min_t(int, ilog2(whole) - PAGE_SHIFT, MAX_PAGECACHE_ORDER));
}

/* ---- sizes --------------------------------------------------------------------------------- */

static void write_size(struct inode *inode, u64 size)
{
	spin_lock(&inode->i_lock);
	i_size_write(inode, size);
	spin_unlock(&inode->i_lock);
}

void nacre_data_grow(struct inode *inode, u64 end)
{
	spin_lock(&inode->i_lock);
	if (end > i_size_read(inode))
		i_size_write(inode, end);
	spin_unlock(&inode->i_lock);
}

void nacre_data_raise_remote(struct inode *inode, u64 size, u64 zero_point)
{
	spin_lock(&inode->i_lock);
	nacre_compat_set_sizes(inode, max(size, nacre_compat_remote_size(inode)),
			       max(zero_point, nacre_compat_zero_point(inode)));
	spin_unlock(&inode->i_lock);
}

void nacre_data_zero_tail(struct inode *inode, u64 size)
{
	size_t from = offset_in_page(size);
	struct folio *folio;

	if (!from)
		return;
	folio = filemap_lock_folio(inode->i_mapping, size >> PAGE_SHIFT);
	if (IS_ERR(folio))
		return;
	folio_wait_writeback(folio);
	/* No store through a mapping comes between the zeros and the new size. */
	if (folio_mkclean(folio))
		folio_mark_dirty(folio);
	if (folio_test_uptodate(folio))
		folio_zero_segment(folio, offset_in_folio(folio, size), folio_size(folio));
	folio_unlock(folio);
	folio_put(folio);
}

void nacre_data_modified(struct inode *inode, u64 pos, u64 bytes)
{
	struct nacre_inode *ni = nacre_inode(inode);
	u64 size = i_size_read(inode), written;

	spin_lock(&ni->cap_lock);
	written = nacre_size_written(pos, bytes, &ni->written_end);
	ni->written = nacre_size_allocated(ni->written, written, size);
	ni->allocated = nacre_size_allocated(ni->allocated, written, size);
	spin_unlock(&ni->cap_lock);
	inode_set_mtime_to_ts(inode, inode_set_ctime_current(inode));
	nacre_caps_mark_dirty(inode, NACRE_GROUP_FILE);
}

void nacre_pages_set_size(struct inode *inode, u64 size, bool truncated)
{
	u64 old = i_size_read(inode);

	nacre_trace_pages(inode, NACRE_PAGES_STEP_SET_SIZE, old, size, truncated);
	if (truncated) {
		write_size(inode, size);
		truncate_pagecache(inode, size);
		spin_lock(&inode->i_lock);
		nacre_compat_set_sizes(inode, size, size);
		spin_unlock(&inode->i_lock);
		return;
	}
	/* It grew: no folio is touched, a caller may be one whom folios wait for; a writer of ours may be ahead. */
	nacre_data_grow(inode, size);
	nacre_data_raise_remote(inode, size, size);
}

/* ---- for the caps -------------------------------------------------------------------------- */

bool nacre_pages_dirty(struct inode *inode)
{
	return mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY) ||
	       mapping_tagged(inode->i_mapping, PAGECACHE_TAG_WRITEBACK);
}

int nacre_pages_write_back(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	int err;

	err = filemap_fdatawrite(mapping);
	/* Whoever calls fsync shall still hear of errors. */
	filemap_fdatawait_keep_errors(mapping);
	nacre_trace_pages(inode, NACRE_PAGES_STEP_WRITE_BACK, 0, i_size_read(inode), err);
	return err;
}

int nacre_pages_invalidate(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	int err;

	/* With faults held off nobody maps a page anew; a page made writable meanwhile is written first. */
	filemap_invalidate_lock(mapping);
	while ((err = invalidate_inode_pages2(mapping)) && !nacre_fs_error(nacre_inode_fs(inode))) {
		filemap_fdatawrite(mapping);
		filemap_fdatawait_keep_errors(mapping);
		cond_resched();
	}
	if (err)
		truncate_inode_pages(mapping, 0);
	nacre_data_raise_remote(inode, 0, i_size_read(inode));
	filemap_invalidate_unlock(mapping);
	nacre_trace_pages(inode, NACRE_PAGES_STEP_INVALIDATE, 0, i_size_read(inode), err);
	return 0;
}
