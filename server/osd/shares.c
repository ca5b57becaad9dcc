// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of shared blocks in memory, and their records. See shares.h.
 */
#include <assert.h>
#include <errno.h>
#include "protocol/codec.h"
#include "shares.h"

#define PAGES_MAX 4096u			/* in memory, and more only while they are in use */

void osd_shares_init(struct osd_shares *shares, uint64_t blocks)
{
	memset(shares, 0, sizeof(*shares));
	shares->page_count = (blocks + OSD_SHARE_BLOCKS - 1) / OSD_SHARE_BLOCKS;
	shares->records = mem_zero(shares->page_count / 64 + 1, sizeof(*shares->records));
	TAILQ_INIT(&shares->unused);
}

static void page_free(struct osd_shares *shares, struct osd_share_page *page)
{
	HASH_DELETE(hh, shares->pages, page);
	shares->in_memory--;
	free(page);
}

void osd_shares_fini(struct osd_shares *shares)
{
	struct osd_share_page *page, *next;

	HASH_ITER(hh, shares->pages, page, next)
		page_free(shares, page);
	free(shares->records);
	memset(shares, 0, sizeof(*shares));
}

/* ---- which pages have a record --------------------------------------------------------- */

bool osd_shares_has_record(const struct osd_shares *shares, uint64_t number)
{
	return shares->records[number / 64] >> (number % 64) & 1;
}

void osd_shares_set_record(struct osd_shares *shares, uint64_t number, bool exists)
{
	if (osd_shares_has_record(shares, number) == exists)
		return;
	shares->records[number / 64] ^= 1ull << (number % 64);
	shares->record_count += exists ? 1 : (uint64_t)-1;
}

int osd_shares_note(struct osd_shares *shares, const uint8_t *key, uint32_t key_bytes)
{
	uint64_t number;

	if (osd_key_share_parse(key, key_bytes, &number) || number >= shares->page_count)
		return -EBADMSG;
	osd_shares_set_record(shares, number, true);
	return 0;
}

/* ---- records --------------------------------------------------------------------------- */

int osd_share_decode(uint32_t more[OSD_SHARE_BLOCKS], const uint8_t *value, uint32_t length)
{
	int i, count = nacre_array_count(osd_disk_share_desc(), length);
	struct osd_disk_share run;
	uint32_t n, end = 0;

	for (i = 0; i < count; i++) {
		if (nacre_array_at(osd_disk_share_desc(), value, (uint32_t)i, &run) || !run.count || !run.more ||
		    run.first < end || run.first + run.count > OSD_SHARE_BLOCKS)
			return -EBADMSG;
		end = run.first + run.count;
		for (n = run.first; n < end; n++)
			more[n] = run.more;
	}
	return count > 0 ? 0 : -EBADMSG;
}

void osd_share_encode(const uint32_t more[OSD_SHARE_BLOCKS], struct mem_bytes *ret_value)
{
	struct osd_disk_share run;
	uint32_t n, end;

	for (n = 0; n < OSD_SHARE_BLOCKS; n = end) {
		for (end = n + 1; end < OSD_SHARE_BLOCKS && more[end] == more[n]; end++)
			;
		run = (struct osd_disk_share){ .first = (uint16_t)n, .count = (uint16_t)(end - n), .more = more[n] };
		if (more[n])
			osd_disk_append(ret_value, osd_disk_share_desc(), &run);
	}
}

/* ---- pages ----------------------------------------------------------------------------- */

static void evict(struct osd_shares *shares)
{
	struct osd_share_page *page;

	while (shares->in_memory > PAGES_MAX && (page = TAILQ_FIRST(&shares->unused))) {
		TAILQ_REMOVE(&shares->unused, page, lru);
		page_free(shares, page);
	}
}

struct osd_share_page *osd_share_pin(struct osd_shares *shares, uint64_t number)
{
	struct osd_share_page *page;

	HASH_FIND(hh, shares->pages, &number, sizeof(number), page);
	if (page) {
		if (!page->pins++)
			TAILQ_REMOVE(&shares->unused, page, lru);
		return page;
	}
	page = mem_zero(1, sizeof(*page));
	page->number = number;
	page->shares = shares;
	page->pins = 1;
	page->loaded = !osd_shares_has_record(shares, number);
	HASH_ADD(hh, shares->pages, number, sizeof(page->number), page);
	shares->in_memory++;
	evict(shares);
	return page;
}

void osd_share_unpin(struct osd_share_page *page)
{
	struct osd_shares *shares = page->shares;

	assert(page->pins);
	if (--page->pins)
		return;
	TAILQ_INSERT_TAIL(&shares->unused, page, lru);
	evict(shares);
}

int osd_share_load(struct osd_share_page *page, const uint8_t *value, uint32_t length)
{
	if (page->loaded)		/* meanwhile, for somebody who may have changed it since */
		return 0;
	if (!value || osd_share_decode(page->more, value, length)) {
		memset(page->more, 0, sizeof(page->more));
		return -EBADMSG;
	}
	page->loaded = true;
	return 0;
}
