// SPDX-License-Identifier: GPL-2.0
/*
 * Small files whose data is in the inode, by protocol/rules/inline.h: the client's copy of the bytes, what flushes
 * say of them, and the guard with which they leave.
 *
 * While a file stays small, writing under FILE_BUFFER changes the copy, and makes FILE dirty: the flush carries
 * the bytes, no page is dirty and no object request is made. Pages are filled from the copy for as long as the
 * data is here. A write beyond the limit makes dirty pages above it; their write-back, like any write without
 * BUFFER, begins with the guard.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "server/base/mutate.h"
#include "state.h"

uint32_t inline_limit(const struct client *client)
{
	struct nacre_map_pool pool;
	uint32_t limit;

	if (!client->map || nacre_map_pool_at(&client->map->view, NACRE_POOL_DATA, &pool))
		return 0;
	limit = nacre_inline_limit(&pool);
	return limit < client->config.inline_max ? limit : client->config.inline_max;
}

/* ---- what the rank says --------------------------------------------------------------------- */

static void act(struct inode *inode, uint32_t actions)
{
	if (actions & NACRE_INLINEA_DROP) {
		inode->small_bytes = 0;
		inode->small_news = false;
	}
	if (actions & NACRE_INLINEA_TELL)
		caps_dirty(inode, NACRE_GROUP_FILE);
	if (actions & NACRE_INLINEA_WAKE)
		inode_wake(inode);
}

static void take_bytes(struct inode *inode, const uint8_t *bytes, uint32_t length)
{
	if (!inode->small)
		inode->small = client_alloc(NACRE_INLINE_MAX);
	memcpy(inode->small, bytes, length);
	inode->small_bytes = length;
	inode->small_news = false;
}

/*
 * Ours are newer than the rank's: we alone may change them, or what we have said is not journaled and we have held something of the
 * file ever since.
 */
static bool ours_are_newer(const struct inode *inode)
{
	return inode->small_news || (inode->cap.held & NACRE_CAP_FILE_EXCL);
}

void inline_told(struct inode *inode, const struct nacre_inode_info *info)
{
	bool first = inode->inlined.state == NACRE_INLINE_UNKNOWN;
	uint32_t actions;

	if (!S_ISREG(info->mode))
		return;
	inode->told_inline = info->inline_gen;
	actions = nacre_inline_told(&inode->inlined, info->inline_gen,
				    info->info_flags & NACRE_INFO_HAS_DATA);
	if ((actions & NACRE_INLINEA_TAKE) &&
	    (first || !ours_are_newer(inode)))
		take_bytes(inode, info->data, info->data_bytes);
	act(inode, actions);
}

void inline_caps_changed(struct inode *inode)
{
	/* what was told is in its flush; from here on others may write */
	if (!(inode->cap.held & NACRE_CAPS_FILE))
		inode->small_news = false;
}

void inline_cut(struct inode *inode, uint64_t size)
{
	if (inode->small_bytes > size)
		inode->small_bytes = (uint32_t)size;
}

void inline_lost(struct inode *inode)
{
	act(inode, nacre_inline_lost(&inode->inlined));
}

uint64_t inline_gen_seen(const struct inode *inode)
{
	return inode->inlined.state <= NACRE_INLINE_LEAVING ? inode->told_inline : 0;
}

/* ---- reading and writing the copy ------------------------------------------------------------- */

bool inline_is_in(const struct inode *inode)
{
	return nacre_inline_is_in(&inode->inlined);
}

bool inline_stays(const struct inode *inode, uint64_t end)
{
	uint64_t size = end > inode->size.size ? end : inode->size.size;

	return inode->inlined.state == NACRE_INLINE_INLINE && size <= inline_limit(inode->client) &&
	       !inode->dirty_pages && !inode->writing_pages;
}

void inline_write(struct inode *inode, uint64_t offset, const uint8_t *bytes, uint64_t length)
{
	if (inode->small_bytes < offset)
		memset(inode->small + inode->small_bytes, 0, offset - inode->small_bytes);
	memcpy(inode->small + offset, bytes, length);
	if (inode->small_bytes < offset + length)
		inode->small_bytes = (uint32_t)(offset + length);
	inode->small_news = true;
	inode->small_flush = 0;
	pages_overlay(inode, offset, bytes, length);
}

void inline_read(const struct inode *inode, uint64_t offset, uint8_t *to, uint64_t length)
{
	uint64_t have = offset < inode->small_bytes ? inode->small_bytes - offset : 0;

	if (have > length)
		have = length;
	if (have)
		memcpy(to, inode->small + offset, have);
	memset(to + have, 0, length - have);
}

void inline_fill(const struct inode *inode, struct page *page)
{
	inline_read(inode, page->index * CLIENT_PAGE_BYTES, page->bytes, CLIENT_PAGE_BYTES);
	page->uptodate = true;
}

/* ---- flushes ------------------------------------------------------------------------------------ */

void inline_flush(struct inode *inode, struct flush *flush)
{
	if (!(flush->groups & NACRE_GROUP_FILE))
		return;
	flush->inline_gen = inode->inlined.gen;
	flush->left = nacre_inline_says_left(&inode->inlined, flush->id) &&
		      !mutate(MUTATE_INLINE_UNTOLD);
	if (!nacre_inline_says_data(&inode->inlined, inode->small_news))
		return;
	flush->data = client_alloc(inode->small_bytes + 1);
	memcpy(flush->data, inode->small, inode->small_bytes);
	flush->data_bytes = inode->small_bytes;
	if (!inode->small_flush)
		inode->small_flush = flush->id;
}

void inline_put_flush(const struct flush *flush, struct nacre_cap_update *update)
{
	if (!(update->dirty & NACRE_GROUP_FILE) || !(flush->left || flush->data))
		return;
	update->inline_gen = flush->inline_gen;
	update->update_flags |= flush->left ? NACRE_CAP_UPDATE_UNINLINED :
					      NACRE_CAP_UPDATE_HAS_DATA;
	update->data = flush->data;
	update->data_bytes = flush->data_bytes;
	/* sent again after a truncation, which has had it */
	if (update->data_bytes > update->size)
		update->data_bytes = (uint32_t)update->size;
}

void inline_flushed(struct inode *inode, uint64_t flush_id)
{
	nacre_inline_flushed(&inode->inlined, flush_id);
	if (inode->small_flush && flush_id >= inode->small_flush) {
		inode->small_news = false;
		inode->small_flush = 0;
	}
}

/* ---- the guard ------------------------------------------------------------------------------------ */

bool inline_needs_guard(const struct inode *inode)
{
	return nacre_inline_needs_guard(&inode->inlined);
}

/* INLINE-1: if the mark is absent, the bytes that were inline, and the mark; the caller adds the real operation. */
void inline_guard(struct inode *inode, struct osdc_request *osd_request)
{
	__le64 gen = nacre_to_le64(inode->inlined.gen);
	bool forget = mutate(MUTATE_INLINE_FORGET);

	osdc_add(osd_request, NACRE_OSD_OP_IF_NOXATTR, 0, NACRE_INLINE_MARK,
		 NACRE_INLINE_MARK_BYTES, NULL, 0, 0, 2);
	osdc_add_data(osd_request, NACRE_OSD_OP_WRITE_FULL, 0, inode->small,
		      forget ? 0 : inode->small_bytes);
	osdc_add(osd_request, NACRE_OSD_OP_SETXATTR, 0, NACRE_INLINE_MARK,
		 NACRE_INLINE_MARK_BYTES, &gen, sizeof(gen), 0, 0);
	osdc_request_inline_gen(osd_request, inode->inlined.gen);
	nacre_inline_guard_sent(&inode->inlined);
}

void inline_guard_answered(struct inode *inode, bool good)
{
	act(inode, nacre_inline_guard_answered(&inode->inlined, good));
}

/* ---- a read that looks for the mark ----------------------------------------------------------------- */

/*
 * In one request: is there a mark, and what stands there? Without one the copy, as it was when the request went out, is
 * the answer, for any part of the file (INLINE-2).
 */
enum look { LOOK_MARK, LOOK_STAT, LOOK_READ };

bool inline_look(struct osdc_request *osd_request, uint64_t offset, uint32_t length)
{
	osdc_add(osd_request, NACRE_OSD_OP_IF_NOXATTR, 0, NACRE_INLINE_MARK,
		 NACRE_INLINE_MARK_BYTES, NULL, 0, 0, 1);
	osdc_add(osd_request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
	if (length)
		osdc_add(osd_request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, offset, length);
	return length != 0;
}

bool inline_looked(struct inode *inode, const struct osdc_request *osd_request,
		   struct osdc_result *ret_read)
{
	struct osdc_result stat = osdc_request_result(osd_request, LOOK_STAT);

	*ret_read = osdc_request_result(osd_request, LOOK_READ);
	if (!(stat.flags & NACRE_OSD_RESULT_SKIPPED))
		return false;
	act(inode, nacre_inline_seen(&inode->inlined));
	return true;
}
