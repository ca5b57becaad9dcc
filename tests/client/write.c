// SPDX-License-Identifier: GPL-2.0
/*
 * Writing. Under FILE_BUFFER a write goes to the pages, else straight to the
 * OSDs. Nothing is written behind max_size (SIZE-1). A write that must stop in
 * the middle goes on behind what it has written, never again from the start:
 * another's bytes may stand there by then. An append is a write whose place is found under
 * FILE_EXCL, which it holds until it is done.
 */
#include <assert.h>
#include <string.h>
#include "protocol/error.h"
#include "protocol/rules/layout.h"
#include "state.h"

#define WRITE_BUFFERED (NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)

#define APPEND_CAPS (NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_WRITE)

enum write_step { WRITE_FIRST, WRITE_DIRECT, APPEND_PLACED };

static uint64_t write_end(const struct client_call *call)
{
	return call->offset + call->length;
}

void write_grow(struct client_call *call, struct inode *inode, uint64_t start, uint64_t end)
{
	if (end > inode->size.size)
		inode->size.size = end;
	inode->written += nacre_size_written(start, end - start, &inode->written_end);
	inode->mtime = inode->ctime = io_wall(call->client->io);
	caps_dirty(inode, NACRE_GROUP_FILE);
	if (nacre_size_should_ask(inode->size.size, inode->max_size, end))
		caps_want_size(inode, end + inode->object_bytes);
}

static void write_buffered(struct client_call *call, struct inode *inode)
{
	uint64_t offset, from, part;
	struct page *page;
	bool fresh;

	if (inline_stays(inode, write_end(call))) {
		offset = call->offset + call->bytes;
		part = call->length - call->bytes;
		inline_write(inode, offset, (const uint8_t *)call->data + call->bytes, part);
		call->bytes = call->length;
		write_grow(call, inode, offset, offset + part);
	}
	for (; call->bytes < call->length; call->bytes += part) {
		offset = call->offset + call->bytes;
		from = offset % CLIENT_PAGE_BYTES;
		part = CLIENT_PAGE_BYTES - from;
		if (part > call->length - call->bytes)
			part = call->length - call->bytes;
		fresh = offset - from >= inode->size.size;
		page = page_get(inode, offset / CLIENT_PAGE_BYTES);
		if (!page->uptodate && inline_is_in(inode))
			inline_fill(inode, page);
		page->uptodate |= fresh;
		if (!page_write(inode, page, (uint32_t)from,
				(const uint8_t *)call->data + call->bytes, (uint32_t)part)) {
			pages_write_back(inode);
			call_wait(&inode->waiters, call);
			return;
		}
		write_grow(call, inode, offset, offset + part);
	}
	if (call->client->dirty_pages > call->client->config.dirty_pages_max)
		pages_write_back(inode);
	call->local = true;
	call->client->counters.local_hits++;
	call_end(call, 0);
}

static void have_written(struct osdc_request *osd_request, uint32_t result)
{
	struct client_call *call = osdc_request_owner(osd_request);

	if (result)
		call->error = -nacre_error_errno(result);
	osdc_request_free(osd_request);
	if (!--call->pending)
		call_wake(call);
}

static void have_written_guarded(struct osdc_request *osd_request, uint32_t result)
{
	struct client_call *call = osdc_request_owner(osd_request);

	inline_guard_answered(inode_get(call->client, call->ino), !result);
	have_written(osd_request, result);
}

/* One piece; `bytes` 0: only the guard. */
static void submit_piece(struct client_call *call, struct inode *inode, const struct nacre_piece *piece,
			 piece_op add)
{
	bool guarded = inline_needs_guard(inode);
	struct osdc_request *osd_request = osdc_request_new(call->client->osdc, inode->pool,
							    inode->ino, piece->index);

	assert(osd_request);
	if (guarded)
		inline_guard(inode, osd_request);
	if (piece->bytes)
		add(call, osd_request, piece);
	osdc_request_truncation(osd_request, inode->size.truncate_seq, inode->size.truncate_size);
	osdc_request_mtime(osd_request, io_wall(call->client->io));
	call->client->counters.osd_requests++;
	call->pending++;
	osdc_submit(osd_request, guarded ? have_written_guarded : have_written, call);
}

void pieces_submit(struct client_call *call, struct inode *inode, piece_op add)
{
	__u64 offset = call->offset + call->sent, left = call->length - call->sent;
	struct nacre_piece piece = { 0 };

	if (inline_needs_guard(inode)) {
		if (nacre_layout_index(inode->object_bytes, offset) == 0)
			nacre_layout_next(inode->object_bytes, &offset, &left, &piece);
		submit_piece(call, inode, &piece, add);
	} else {
		while (nacre_layout_next(inode->object_bytes, &offset, &left, &piece))
			submit_piece(call, inode, &piece, add);
	}
	call->sent = offset - call->offset;
}

static void add_write(struct client_call *call, struct osdc_request *osd_request,
		      const struct nacre_piece *piece)
{
	osdc_add_data(osd_request, NACRE_OSD_OP_WRITE, piece->offset,
		      (const uint8_t *)call->data + (piece->file_offset - call->offset), piece->bytes);
}

static void write_direct(struct client_call *call, struct inode *inode)
{
	call->step = WRITE_DIRECT;
	call->sent = call->bytes;
	if (!call->refs) {
		call->refs = NACRE_CAP_FILE_WRITE;
		caps_take(inode, call->refs);
	}
	pieces_submit(call, inode, add_write);
}

static void written_direct(struct client_call *call, struct inode *inode)
{
	if (!call->error && inode->cap.cap_id && call->sent < call->length) {
		pieces_submit(call, inode, add_write);
		return;
	}
	if (!call->error && inode->cap.cap_id) {
		pages_overlay(inode, call->offset + call->bytes,
			      (const uint8_t *)call->data + call->bytes, call->length - call->bytes);
		write_grow(call, inode, call->offset + call->bytes, write_end(call));
		call->bytes = call->length;
	}
	call_end(call, call->error);
}

void step_WRITE(struct client_call *call)
{
	struct inode *inode = inode_get(call->client, call->ino);
	bool extends = write_end(call) > inode->size.size;

	if (call->step == WRITE_DIRECT) {
		written_direct(call, inode);
		return;
	}
	if (!call->length || write_end(call) > NACRE_FILE_MAX) {
		call_end(call, call->length ? -EFBIG : 0);
		return;
	}
	if (!call_may_go(call))
		return;
	if (!caps_can(inode, NACRE_CAP_FILE_WRITE) || inode->changing || inode->ranges) {
		if (inode->changing || inode->ranges)
			call_wait(&inode->waiters, call);
		else
			call_acquire(call, inode, NACRE_CAP_FILE_WRITE);
	} else if (extends && write_end(call) > inode->max_size) {
		caps_wait_size(call, inode, write_end(call));
	} else if (caps_can(inode, WRITE_BUFFERED)) {
		write_buffered(call, inode);
	} else if (inode->dirty_pages || inode->writing_pages) {
		pages_write_back(inode);
		call_wait(&inode->waiters, call);
	} else {
		write_direct(call, inode);
	}
}

/*
 * Everything that it takes is there: this is its place. The file ends behind it from now on, so that the next append
 * of this client goes there, and one of another client waits for EXCL until this one ends.
 */
static void place(struct client_call *call, struct inode *inode)
{
	call->step = APPEND_PLACED;
	call->refs = APPEND_CAPS | (inode->cap.issued & NACRE_CAP_FILE_BUFFER);
	caps_take(inode, call->refs);
	call->offset = inode->size.size;
	if (call->placed)
		call->placed(call);
	if (call->length)
		write_grow(call, inode, call->offset, write_end(call));
}

static void find_place(struct client_call *call, struct inode *inode)
{
	uint64_t end = inode->size.size + call->length;

	if (inode->changing || inode->ranges) {
		call_wait(&inode->waiters, call);
	} else if (!caps_can(inode, APPEND_CAPS)) {
		call_acquire(call, inode, APPEND_CAPS);
	} else if (end > NACRE_FILE_MAX) {
		call_end(call, -EFBIG);
	} else if (end > inode->max_size) {
		caps_wait_size(call, inode, end);
	} else if (!caps_can(inode, WRITE_BUFFERED) &&
		   (inode->dirty_pages || inode->writing_pages)) {
		pages_write_back(inode);
		call_wait(&inode->waiters, call);
	} else {
		place(call, inode);
	}
}

void step_APPEND(struct client_call *call)
{
	struct inode *inode = inode_get(call->client, call->ino);

	if (call->step == WRITE_DIRECT) {
		written_direct(call, inode);
		return;
	}
	if (call->step == WRITE_FIRST) {
		if (!call_may_go(call))
			return;
		find_place(call, inode);
		if (call->step != APPEND_PLACED)
			return;
	}
	if (!call->length)
		call_end(call, 0);
	else if (call->refs & NACRE_CAP_FILE_BUFFER)
		write_buffered(call, inode);
	else
		write_direct(call, inode);
}
