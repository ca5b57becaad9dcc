// SPDX-License-Identifier: GPL-2.0
/*
 * Reading. Under FILE_CACHE a read answers from the pages, filling what is
 * missing under FILE_READ; without CACHE it asks for the size and reads at the
 * OSDs. References are held while object requests are under way (CAP-1),
 * never while waiting for the rank (CAP-3).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/error.h"
#include "protocol/rules/layout.h"
#include "state.h"

#define READ_CACHED (NACRE_CAP_FILE_SHARED | NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ)

enum read_step { READ_FIRST, READ_HAS_SIZE, READ_DIRECT, READ_AGAIN };

/* One object request that reads for a call: into pages, or into the caller's buffer. */
struct reading {
	struct client_call *call;
	struct inode *inode;
	uint64_t offset;		/* in the file */
	uint32_t length;
	uint32_t truncate_seq;		/* when it was sent */
	uint8_t *to;			/* NULL: into a page */
	uint64_t fill;			/* what the page is being filled by */
};

/* A page that was dropped, cut or written back meanwhile is not filled by what was read before. */
static void fill_page(const struct reading *reading, const uint8_t *bytes)
{
	struct page *page = page_find(reading->inode, reading->offset / CLIENT_PAGE_BYTES);

	if (!page || page->fill != reading->fill || page->uptodate)
		return;
	if (page_is_dirty(page)) {
		memcpy(page->bytes, bytes, page->dirty_from);
		memcpy(page->bytes + page->dirty_to, bytes + page->dirty_to,
		       CLIENT_PAGE_BYTES - page->dirty_to);
	} else {
		memcpy(page->bytes, bytes, CLIENT_PAGE_BYTES);
	}
	page->uptodate = true;
}

/* Bytes behind the object's end, or of an object that does not exist, are zero. */
static void take_bytes(struct reading *reading, const struct osdc_result *result)
{
	uint8_t *bytes = client_alloc(reading->length + 1);

	if (!result->result && result->data_bytes)
		memcpy(bytes, result->data, result->data_bytes < reading->length ?
						    result->data_bytes : reading->length);
	if (reading->to)
		memcpy(reading->to, bytes, reading->length);
	else if (reading->truncate_seq == reading->inode->size.truncate_seq)
		fill_page(reading, bytes);
	free(bytes);
}

static void fill_ends(const struct reading *reading)
{
	struct page *page = page_find(reading->inode, reading->offset / CLIENT_PAGE_BYTES);

	if (!reading->to && page && page->fill == reading->fill)
		page->fill = 0;
}

static void have_read(struct osdc_request *osd_request, uint32_t result)
{
	struct reading *reading = osdc_request_owner(osd_request);
	struct client_call *call = reading->call;
	struct osdc_result op = osdc_request_result(osd_request, 0);
	struct inode *inode = reading->inode;

	if (!result || result == ENOENT)
		take_bytes(reading, &op);
	else
		call->error = -nacre_error_errno(result);
	fill_ends(reading);
	osdc_request_free(osd_request);
	free(reading);
	inode->busy--;
	inode_wake(inode);
	if (!--call->pending)
		call_wake(call);
}

static void read_piece(struct client_call *call, struct inode *inode, uint64_t offset,
		       uint32_t length, uint8_t *to, uint64_t fill)
{
	struct client *client = call->client;
	struct reading *reading = client_alloc(sizeof(*reading));
	struct osdc_request *osd_request;

	*reading = (struct reading){ call, inode, offset, length, inode->size.truncate_seq, to,
				      fill };
	osd_request = osdc_request_new(client->osdc, inode->pool, inode->ino,
				       nacre_layout_index(inode->object_bytes, offset));
	assert(osd_request);
	osdc_add(osd_request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0,
		 nacre_layout_offset(inode->object_bytes, offset), length);
	osdc_request_truncation(osd_request, inode->size.truncate_seq, inode->size.truncate_size);
	client->counters.osd_requests++;
	call->pending++;
	inode->busy++;
	osdc_submit(osd_request, have_read, reading);
}

/* Start filling what is missing; true when all pages of the range are known. */
static bool fill_range(struct client_call *call, struct inode *inode, uint64_t length)
{
	uint64_t index = call->offset / CLIENT_PAGE_BYTES;
	uint64_t last = (call->offset + length - 1) / CLIENT_PAGE_BYTES;
	struct page *page;
	bool known = true;

	for (; index <= last; index++) {
		page = page_get(inode, index);
		if (!page->uptodate && inline_is_in(inode))
			inline_fill(inode, page);
		if (page->uptodate)
			continue;
		known = false;
		if (page->fill || page->writing)
			continue;
		if (!call->refs) {
			call->refs = NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ;
			caps_take(inode, call->refs);
		}
		page->fill = ++call->client->fills;
		read_piece(call, inode, index * CLIENT_PAGE_BYTES, CLIENT_PAGE_BYTES, NULL,
			   page->fill);
	}
	return known;
}

static void copy_range(struct client_call *call, struct inode *inode, uint64_t length)
{
	uint64_t at = 0, offset, from, part;
	struct page *page;

	for (; at < length; at += part) {
		offset = call->offset + at;
		from = offset % CLIENT_PAGE_BYTES;
		part = CLIENT_PAGE_BYTES - from < length - at ? CLIENT_PAGE_BYTES - from :
								length - at;
		page = page_find(inode, offset / CLIENT_PAGE_BYTES);
		memcpy((uint8_t *)call->data + at, page->bytes + from, part);
	}
	call->bytes = length;
}

static uint64_t below_end(const struct client_call *call, uint64_t size)
{
	if (call->offset >= size)
		return 0;
	return size - call->offset < call->length ? size - call->offset : call->length;
}

static void read_cached(struct client_call *call, struct inode *inode)
{
	uint64_t length = below_end(call, inode->size.size);

	if (length && !fill_range(call, inode, length)) {
		if (!call->pending)
			call_wait(&inode->waiters, call);
		return;
	}
	copy_range(call, inode, length);
	call->local = !call->refs;
	call->client->counters.local_hits += call->local;
	call_end(call, 0);
}

/* The mark was looked for. If it is there and the read was not all of object 0's, the call reads once more. */
static void have_looked(struct osdc_request *osd_request, uint32_t result)
{
	struct reading *reading = osdc_request_owner(osd_request);
	struct client_call *call = reading->call;
	struct inode *inode = reading->inode;
	struct osdc_result op;

	if (result && result != ENOENT)
		call->error = -nacre_error_errno(result);
	else if (!inline_looked(inode, osd_request, &op))
		call->step = READ_DIRECT;
	else if (reading->to)
		take_bytes(reading, &op);
	else
		call->step = READ_AGAIN;
	osdc_request_free(osd_request);
	free(reading);
	inode->busy--;
	call->pending--;
	call_wake(call);
}

/* INLINE: the copy as it is now answers, unless object 0 says that the data has left (decision 0003). */
static void read_looking(struct client_call *call, struct inode *inode)
{
	struct client *client = call->client;
	struct reading *reading = client_alloc(sizeof(*reading));
	struct osdc_request *osd_request = osdc_request_new(client->osdc, inode->pool, inode->ino, 0);
	bool in_object_0 = call->offset + call->bytes <= inode->object_bytes;

	assert(osd_request);
	*reading = (struct reading){ .call = call, .inode = inode, .offset = call->offset,
				     .length = (uint32_t)call->bytes };
	inline_read(inode, call->offset, call->data, call->bytes);
	if (inline_look(osd_request, call->offset, in_object_0 ? (uint32_t)call->bytes : 0))
		reading->to = call->data;
	osdc_request_truncation(osd_request, inode->size.truncate_seq, inode->size.truncate_size);
	client->counters.osd_requests++;
	call->pending++;
	inode->busy++;
	osdc_submit(osd_request, have_looked, reading);
}

static void read_direct(struct client_call *call, struct inode *inode)
{
	__u64 offset = call->offset, left = below_end(call, inode->size.size);
	struct nacre_piece piece;

	call->bytes = left;
	call->step = READ_DIRECT;
	if (!left) {
		call_end(call, 0);
		return;
	}
	if (!call->refs) {
		call->refs = NACRE_CAP_FILE_READ;
		caps_take(inode, call->refs);
	}
	if (inline_is_in(inode)) {
		read_looking(call, inode);
		return;
	}
	while (nacre_layout_next(inode->object_bytes, &offset, &left, &piece))
		read_piece(call, inode, piece.file_offset, piece.bytes,
			   (uint8_t *)call->data + (piece.file_offset - call->offset), 0);
}

void step_READ(struct client_call *call)
{
	struct inode *inode = inode_get(call->client, call->ino);

	if (call->error || call->step == READ_DIRECT) {
		call_end(call, call->error);
		return;
	}
	if (call->step == READ_AGAIN) {
		read_direct(call, inode);
		return;
	}
	if (!call->refs && !call_may_go(call))
		return;
	/* while a change of ours is under way the pages are good, but the size must be asked for */
	if (call->refs || (caps_can(inode, READ_CACHED) &&
			   (!inode->changing || call->step == READ_HAS_SIZE))) {
		read_cached(call, inode);
	} else if (!caps_can(inode, NACRE_CAP_FILE_READ)) {
		call->step = READ_FIRST;
		call_acquire(call, inode, NACRE_CAP_FILE_READ);
	} else if (call->step == READ_FIRST) {
		call->step = READ_HAS_SIZE;
		call_getattr(call, inode, NACRE_GROUP_FILE);
	} else if (inode->dirty_pages || inode->writing_pages) {
		pages_write_back(inode);
		call_wait(&inode->waiters, call);
	} else {
		read_direct(call, inode);
	}
}
