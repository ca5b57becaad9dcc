// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on an object's bytes.
 *
 * SIZE-3, three cases of a request's truncate_seq against the object's: older, and
 * what it writes is cut at the object's truncation; newer, and the truncation is
 * caught up with before the first operation (exec.c); equal, and a TRUNCATE has
 * been done already, by a writer that knew of it. 0 stands outside of all that.
 */
#include <errno.h>
#include "op.h"
#include "server/base/crc.h"

/* Does the request come from before the newest truncation that the object has seen? */
static bool is_late(const struct osd_exec *exec)
{
	return exec->request->truncate_seq && exec->view.exists &&
	       exec->request->truncate_seq < exec->view.onode.truncate_seq;
}

/* The end of what a request may still write. */
static uint64_t write_limit(const struct osd_exec *exec)
{
	return is_late(exec) ? osd_view_limit(exec, exec->view.onode.truncate_size) :
			       NACRE_OBJECT_MAX;
}

/* Does it know of a truncation that the object has not seen? A snapshot is from before. */
static bool knows_truncation(const struct osd_exec *exec)
{
	return exec->request->snap == NACRE_SNAP_HEAD && exec->request->truncate_seq > exec->view.onode.truncate_seq;
}

/* The size that this request should see: not beyond such a truncation. */
static uint64_t size_seen(const struct osd_exec *exec)
{
	uint64_t size = exec->view.exists ? exec->view.onode.size : 0, limit;

	if (!knows_truncation(exec))
		return size;
	limit = osd_view_limit(exec, exec->request->truncate_size);
	return size < limit ? size : limit;
}

/* Bytes of [offset, +length) that there are. */
static uint64_t readable(uint64_t size, uint64_t offset, uint64_t length)
{
	if (offset >= size)
		return 0;
	return length < size - offset ? length : size - offset;
}

uint32_t osd_op_read(struct osd_exec *exec, struct osd_op *op)
{
	uint64_t size = size_seen(exec);
	uint64_t length = readable(size, op->wire->offset, op->wire->length);
	uint32_t err;

	op->result->size = size;
	if (!length)
		return 0;
	if (exec->read_data.length + length > NACRE_DATA_MAX)
		return E2BIG;
	err = osd_view_read(exec, op->wire->offset, length, mem_append(&exec->read_data, length));
	if (err)
		exec->read_data.length -= length;
	else
		op->result->data_size = (uint32_t)length;
	return err;
}

uint32_t osd_op_stat(struct osd_exec *exec, struct osd_op *op)
{
	if (!exec->view.exists)
		return ENOENT;
	op->result->size = size_seen(exec);
	op->result->mtime = exec->view.onode.mtime;
	return 0;
}

uint32_t osd_op_checksum(struct osd_exec *exec, struct osd_op *op)
{
	uint64_t length = readable(size_seen(exec), op->wire->offset, op->wire->length);
	uint8_t *bytes = mem_zero(1, length);
	uint32_t err = osd_view_read(exec, op->wire->offset, length, bytes);
	__le32 crc = nacre_to_le32(crc_of(bytes, length));

	free(bytes);
	if (err)
		return err;
	return osd_exec_output(exec, op, &crc, sizeof(crc)) ? 0 : E2BIG;
}

uint32_t osd_op_create(struct osd_exec *exec, struct osd_op *op)
{
	if (exec->view.exists && (op->wire->op_flags & NACRE_OSD_OPF_EXCL))
		return EEXIST;
	osd_view_create(exec);
	return 0;
}

uint32_t osd_op_write(struct osd_exec *exec, struct osd_op *op)
{
	uint64_t offset = op->wire->offset;
	uint64_t length = readable(write_limit(exec), offset, op->wire->length);	/* SIZE-3 */

	return osd_view_write(exec, offset, length, op->data);
}

uint32_t osd_op_write_full(struct osd_exec *exec, struct osd_op *op)
{
	uint64_t length = readable(write_limit(exec), 0, op->wire->length);	/* SIZE-3 */
	uint32_t err = osd_view_truncate(exec, 0);

	return err ? err : osd_view_write(exec, 0, length, op->data);
}

uint32_t osd_op_zero(struct osd_exec *exec, struct osd_op *op)
{
	uint64_t offset = op->wire->offset;

	return osd_view_zero(exec, offset, readable(write_limit(exec), offset, op->wire->length));	/* SIZE-3 */
}

uint32_t osd_op_allocate(struct osd_exec *exec, struct osd_op *op)
{
	uint64_t offset = op->wire->offset;
	uint64_t length = readable(write_limit(exec), offset, op->wire->length);	/* SIZE-3 */

	return osd_view_allocate(exec, offset, length, op->wire->op_flags);
}

/* In whole blocks: behind the object's last one is a hole, and what was never written is one. */
uint32_t osd_op_seek(struct osd_exec *exec, struct osd_op *op)
{
	uint64_t blocks = (size_seen(exec) + OSD_BLOCK_BYTES - 1) / OSD_BLOCK_BYTES;
	uint64_t offset = op->wire->offset, end = offset + op->wire->length;
	uint64_t there = offset + readable(blocks * OSD_BLOCK_BYTES, offset, op->wire->length);
	bool hole = op->wire->op_flags & NACRE_OSD_OPF_HOLE;
	uint64_t found = offset;
	uint32_t err = there > offset ? osd_view_seek(exec, hole, there, &found) : 0;

	op->result->size = found == there && !hole ? end : found;
	return err;
}

/* Where the blocks end that this request should see, in bytes. */
static uint64_t blocks_seen(const struct osd_exec *exec)
{
	if (!knows_truncation(exec))
		return NACRE_OBJECT_MAX;
	return osd_view_limit(exec, exec->request->truncate_size);
}

uint32_t osd_op_map(struct osd_exec *exec, struct osd_op *op)
{
	uint64_t length = readable(blocks_seen(exec), op->wire->offset, op->wire->length);
	uint64_t at = op->wire->offset / OSD_BLOCK_BYTES * OSD_BLOCK_BYTES;
	uint64_t end = op->wire->offset + length;
	struct mem_bytes extents = { 0 };
	struct nacre_osd_extent extent;
	uint32_t err = 0;

	while (!err && length && at < end) {
		err = osd_view_extent(exec, &at, end, &extent);
		if (!err && extent.length)
			osd_disk_append(&extents, nacre_osd_extent_desc(), &extent);
	}
	if (!err && !osd_exec_output(exec, op, extents.at, extents.length))
		err = E2BIG;
	mem_bytes_free(&extents);
	return err;
}

uint32_t osd_op_truncate(struct osd_exec *exec, struct osd_op *op)
{
	const struct nacre_osd_request *request = exec->request;
	struct osd_onode *onode = &exec->view.onode;
	uint32_t err;

	/* Already done by a writer that brought it along, or overtaken: SIZE-3. */
	if (request->truncate_seq && exec->view.exists &&
	    exec->view.object->exists &&
	    request->truncate_seq <= exec->view.object->onode.truncate_seq)
		return 0;
	err = osd_view_truncate(exec, op->wire->offset);
	if (!err && request->truncate_seq) {
		onode->truncate_seq = request->truncate_seq;
		onode->truncate_size = request->truncate_size;
	}
	return err;
}

uint32_t osd_op_delete(struct osd_exec *exec, struct osd_op *op)
{
	if (!exec->view.exists)
		return op->wire->op_flags & NACRE_OSD_OPF_QUIET ? 0 : ENOENT;
	return osd_view_remove(exec);
}
