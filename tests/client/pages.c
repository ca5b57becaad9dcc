// SPDX-License-Identifier: GPL-2.0
/*
 * The data cache: pages of 4 KiB with one dirty range each, and their
 * write-back to the objects. Dirty pages and pages under write-back count as a
 * use of FILE_BUFFER, a write-back holds FILE_WRITE. A page is written by one
 * request at a time, so that an older one can never arrive last.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/error.h"
#include "protocol/rules/layout.h"
#include "state.h"

#define RUN_PAGES_MAX 64u

struct page *page_find(struct inode *inode, uint64_t index)
{
	struct page *page;

	HASH_FIND(hh, inode->pages, &index, sizeof(index), page);
	return page;
}

struct page *page_get(struct inode *inode, uint64_t index)
{
	struct page *page = page_find(inode, index);

	if (page)
		return page;
	page = client_alloc(sizeof(*page));
	page->index = index;
	HASH_ADD(hh, inode->pages, index, sizeof(page->index), page);
	return page;
}

bool page_is_dirty(const struct page *page)
{
	return page->dirty_from < page->dirty_to;
}

static void page_clean(struct inode *inode, struct page *page)
{
	if (page_is_dirty(page)) {
		inode->dirty_pages--;
		inode->client->dirty_pages--;
	}
	page->dirty_from = page->dirty_to = 0;
}

static void page_drop(struct inode *inode, struct page *page)
{
	page_clean(inode, page);
	HASH_DEL(inode->pages, page);
	free(page);
}

void pages_drop_clean(struct inode *inode)
{
	struct page *page, *next;

	HASH_ITER(hh, inode->pages, page, next)
		if (!page_is_dirty(page) && !page->writing)
			page_drop(inode, page);
}

void pages_drop_all(struct inode *inode)
{
	struct page *page, *next;

	HASH_ITER(hh, inode->pages, page, next)
		page_drop(inode, page);
}

/* The file was cut: what lies behind is gone, and zero should it grow again. */
void pages_cut(struct inode *inode, uint64_t size)
{
	struct page *page, *next;
	uint64_t start;
	uint32_t edge;

	inode->written_end = 0;
	HASH_ITER(hh, inode->pages, page, next) {
		start = page->index * CLIENT_PAGE_BYTES;
		if (start >= size) {
			page_drop(inode, page);
		} else if (size - start < CLIENT_PAGE_BYTES) {
			edge = (uint32_t)(size - start);
			memset(page->bytes + edge, 0, CLIENT_PAGE_BYTES - edge);
			if (page->dirty_from >= edge)
				page_clean(inode, page);
			else if (page->dirty_to > edge)
				page->dirty_to = edge;
		}
	}
	caps_used_changed(inode);
}

bool page_write(struct inode *inode, struct page *page, uint32_t from, const uint8_t *bytes,
		uint32_t length)
{
	uint32_t to = from + length;

	if (page_is_dirty(page) && !page->uptodate &&
	    (from > page->dirty_to || to < page->dirty_from))
		return false;
	memcpy(page->bytes + from, bytes, length);
	if (!page_is_dirty(page)) {
		page->dirty_from = from;
		page->dirty_to = to;
		inode->dirty_pages++;
		inode->client->dirty_pages++;
	} else {
		if (from < page->dirty_from)
			page->dirty_from = from;
		if (to > page->dirty_to)
			page->dirty_to = to;
	}
	if (page->dirty_from == 0 && page->dirty_to == CLIENT_PAGE_BYTES)
		page->uptodate = true;
	return true;
}

void pages_overlay(struct inode *inode, uint64_t offset, const uint8_t *bytes, uint64_t length)
{
	uint64_t from, part;
	struct page *page;

	for (; length; offset += part, bytes += part, length -= part) {
		from = offset % CLIENT_PAGE_BYTES;
		part = CLIENT_PAGE_BYTES - from;
		if (part > length)
			part = length;
		page = page_find(inode, offset / CLIENT_PAGE_BYTES);
		if (page)
			memcpy(page->bytes + from, bytes, part);
	}
}

void pages_drop_range(struct inode *inode, uint64_t offset, uint64_t length)
{
	uint64_t index = offset / CLIENT_PAGE_BYTES, end = offset + length;
	struct page *page;

	for (; index * CLIENT_PAGE_BYTES < end; index++) {
		page = page_find(inode, index);
		if (page)
			page_drop(inode, page);
	}
}

/* ---- write-back -------------------------------------------------------------------- */

/* Adjoining pages of one object, in one request; or none, and only the guard of inline data. */
struct writeback {
	struct inode *inode;
	uint64_t index;
	uint32_t count;
	bool guard;
};

static void page_written(struct inode *inode, struct page *page)
{
	page->writing = false;
	if (!page->uptodate && !page_is_dirty(page))
		page_drop(inode, page);
}

/* What could not be written is lost, and told. */
static void lose_dirty(struct inode *inode)
{
	struct page *page, *next;

	HASH_ITER(hh, inode->pages, page, next)
		if (!page->writing)
			page_drop(inode, page);
}

static void written(struct osdc_request *osd_request, uint32_t result)
{
	struct writeback *wb = osdc_request_owner(osd_request);
	struct inode *inode = wb->inode;
	struct page *page;
	uint32_t i;

	osdc_request_free(osd_request);
	if (wb->guard) {
		inline_guard_answered(inode, !result);
		if (result)
			lose_dirty(inode);
	}
	for (i = 0; i < wb->count; i++) {
		page = page_find(inode, wb->index + i);
		if (page && page->writing)
			page_written(inode, page);
	}
	inode->writing_pages -= wb->count;
	inode->busy--;
	free(wb);
	if (result)
		inode->error = -nacre_error_errno(result);
	if (!inode->dirty_pages)
		inode->write_all = false;
	else if (inode->write_all)
		pages_write_back(inode);
	caps_give(inode, NACRE_CAP_FILE_WRITE);
	if (caps_are_clean(inode))
		inode->dirty_since_ns = 0;
	inode_wake(inode);
}

/* May this page join the run that the page before it ends? */
static bool joins(struct inode *inode, const struct page *before, const struct page *page)
{
	uint64_t start;

	if (!page || !page_is_dirty(page) || page->writing ||
	    before->dirty_to != CLIENT_PAGE_BYTES || page->dirty_from)
		return false;
	start = page->index * CLIENT_PAGE_BYTES;
	return nacre_layout_offset(inode->object_bytes, start) != 0;
}

static void take_page(struct inode *inode, struct page *page, uint8_t *run, uint32_t *run_bytes)
{
	memcpy(run + *run_bytes, page->bytes + page->dirty_from,
	       page->dirty_to - page->dirty_from);
	*run_bytes += page->dirty_to - page->dirty_from;
	page_clean(inode, page);
	page->fill = 0;
	page->writing = true;
	inode->writing_pages++;
}

static struct osdc_request *wb_request(struct writeback *wb, uint64_t object)
{
	struct inode *inode = wb->inode;
	struct osdc_request *osd_request = osdc_request_new(inode->client->osdc, inode->pool,
							    inode->ino, object);

	assert(osd_request);
	caps_take(inode, NACRE_CAP_FILE_WRITE);
	inode->busy++;
	wb->guard = inline_needs_guard(inode);
	if (wb->guard)
		inline_guard(inode, osd_request);
	return osd_request;
}

static void wb_submit(struct writeback *wb, struct osdc_request *osd_request)
{
	struct inode *inode = wb->inode;

	osdc_request_truncation(osd_request, inode->size.truncate_seq, inode->size.truncate_size);
	osdc_request_mtime(osd_request, inode->mtime);
	inode->client->counters.osd_requests++;
	osdc_submit(osd_request, written, wb);
}

static void write_run(struct inode *inode, struct page *first)
{
	static uint8_t run[RUN_PAGES_MAX * CLIENT_PAGE_BYTES];
	uint64_t start = first->index * CLIENT_PAGE_BYTES + first->dirty_from;
	struct writeback *wb = client_alloc(sizeof(*wb));
	struct page *page = first, *next;
	struct osdc_request *osd_request;
	uint32_t run_bytes = 0;
	bool more;

	wb->inode = inode;
	wb->index = first->index;
	do {
		next = wb->count + 1 < RUN_PAGES_MAX ? page_find(inode, page->index + 1) : NULL;
		more = joins(inode, page, next);
		take_page(inode, page, run, &run_bytes);
		wb->count++;
		page = next;
	} while (more);
	osd_request = wb_request(wb, nacre_layout_index(inode->object_bytes, start));
	osdc_add_data(osd_request, NACRE_OSD_OP_WRITE,
		      nacre_layout_offset(inode->object_bytes, start), run, run_bytes);
	wb_submit(wb, osd_request);
}

static bool is_in_object_0(const struct inode *inode, const struct page *page)
{
	return page->index * CLIENT_PAGE_BYTES < inode->object_bytes;
}

/* INLINE-2: nothing but object 0 before a guard is answered; then written() goes on. */
static void write_guarded(struct inode *inode)
{
	struct page *page, *next;
	struct writeback *wb;

	HASH_ITER(hh, inode->pages, page, next)
		if (page_is_dirty(page) && !page->writing && is_in_object_0(inode, page))
			write_run(inode, page);
	if (!inode->dirty_pages || inode->inlined.guards)
		return;
	wb = client_alloc(sizeof(*wb));
	wb->inode = inode;
	wb_submit(wb, wb_request(wb, 0));
}

void pages_write_back(struct inode *inode)
{
	struct page *page, *next;

	if (inode->client->gone)
		return;
	inode->write_all = inode->dirty_pages != 0;
	if (inline_needs_guard(inode)) {
		write_guarded(inode);
		return;
	}
	HASH_ITER(hh, inode->pages, page, next)
		if (page_is_dirty(page) && !page->writing)
			write_run(inode, page);
}

/* ---- age ----------------------------------------------------------------------------- */

/* An inode without names or users is not worth keeping: the rank waits to purge it. */
static bool is_dead(const struct inode *inode)
{
	return inode->version && !inode->nlink && !inode->open_read && !inode->open_write;
}

/* Write back and flush what has been dirty for long, and let go of what is dead. */
void pages_age(struct client *client)
{
	uint64_t limit_ns = client->config.dirty_ms * 1000000ull;
	uint64_t now_ns = io_now(client->io);
	struct inode *inode, *next;

	updates_batch(client);
	HASH_ITER(hh, client->inodes, inode, next) {
		if (inode->dirty_since_ns && now_ns - inode->dirty_since_ns >= limit_ns) {
			inode->dirty_since_ns = now_ns;
			pages_write_back(inode);
			caps_flush(inode, false);
		}
		if (is_dead(inode) && caps_try_drop(inode))
			inode_forget(inode);
	}
	updates_end(client);
}
