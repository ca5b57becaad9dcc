// SPDX-License-Identifier: GPL-2.0
/*
 * Counts of shared blocks, as recorded and as found. See check_shares.h.
 */
#include <errno.h>
#include "check_shares.h"

struct check_share_page {
	uint64_t number;
	UT_hash_handle hh;
	uint32_t recorded[OSD_SHARE_BLOCKS];
	uint32_t found[OSD_SHARE_BLOCKS];
};

static struct check_share_page *find(const struct check_shares *shares, uint64_t number)
{
	struct check_share_page *page;

	HASH_FIND(hh, shares->pages, &number, sizeof(number), page);
	return page;
}

static struct check_share_page *find_or_make(struct check_shares *shares, uint64_t number)
{
	struct check_share_page *page = find(shares, number);

	if (page)
		return page;
	page = mem_zero(1, sizeof(*page));
	page->number = number;
	HASH_ADD(hh, shares->pages, number, sizeof(page->number), page);
	return page;
}

int check_shares_record(struct check_shares *shares, const struct kv_pair *pair)
{
	uint64_t number;

	if (osd_key_share_parse(pair->key, pair->key_bytes, &number))
		return -EBADMSG;
	return osd_share_decode(find_or_make(shares, number)->recorded, pair->value, pair->value_bytes);
}

uint32_t check_shares_recorded(const struct check_shares *shares, uint64_t block)
{
	const struct check_share_page *page = find(shares, block / OSD_SHARE_BLOCKS);

	return page ? page->recorded[block % OSD_SHARE_BLOCKS] : 0;
}

uint32_t check_shares_found(struct check_shares *shares, uint64_t block)
{
	return ++find_or_make(shares, block / OSD_SHARE_BLOCKS)->found[block % OSD_SHARE_BLOCKS];
}

static int by_number(const struct check_share_page *a, const struct check_share_page *b)
{
	return a->number < b->number ? -1 : a->number > b->number;
}

void check_shares_compare(struct check_shares *shares, void *owner,
			  void (*fewer)(void *owner, uint64_t block, uint32_t recorded, uint32_t found))
{
	const struct check_share_page *page;
	uint32_t n;

	HASH_SORT(shares->pages, by_number);
	for (page = shares->pages; page; page = page->hh.next)
		for (n = 0; n < OSD_SHARE_BLOCKS; n++)
			if (page->found[n] < page->recorded[n])
				fewer(owner, page->number * OSD_SHARE_BLOCKS + n, page->recorded[n], page->found[n]);
}

void check_shares_free(struct check_shares *shares)
{
	struct check_share_page *page, *next;

	HASH_ITER(hh, shares->pages, page, next) {
		HASH_DELETE(hh, shares->pages, page);
		free(page);
	}
}
