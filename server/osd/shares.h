/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Blocks that more than one object has, as CLONE shares them: how often each is referred to. Decision 0018.
 *
 * The device is counted in pages of OSD_SHARE_BLOCKS blocks. A page in which a block is shared has a record, key R, which says
 * of each such block how many references it has beyond the first; blocks without one have one owner, or none. The
 * records are keys like others: a transaction puts their new values, so journal, replay and write-back need to
 * know nothing of them, and replay twice is replay once. What is in memory is the state after all transactions made so far:
 *
 *	which pages have a record	a bit for each, read when the store is opened: as many as the device is large
 *	pages				loaded when an execution needs them, dropped when others do
 *
 * An execution gathers the pages of all blocks that it gives up, shares or writes before it places anything
 * (osd_shares_gather()), so that nothing has to be loaded between its decisions and its commit. Its own changes are
 * counted beside the pages until it commits.
 *
 * Invariants: a block with records has all of its references in objects, and is written, never unwritten. What is
 * shared is overwritten nowhere, in no journal mode. What has had its last but one reference taken away rests (bars.h): until that
 * is safe, another object has it.
 */
#ifndef NACRE_SERVER_OSD_SHARES_H
#define NACRE_SERVER_OSD_SHARES_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include "layout.h"
#include "mem.h"

struct osd_exec;
struct osd_view;

struct osd_share_page {
	uint64_t number;
	UT_hash_handle hh;
	TAILQ_ENTRY(osd_share_page) lru;	/* while nobody pins it */
	struct osd_shares *shares;
	uint32_t pins;
	bool loaded;
	uint32_t more[OSD_SHARE_BLOCKS];	/* references beyond the first */
};

TAILQ_HEAD(osd_share_page_list, osd_share_page);

struct osd_shares {
	uint64_t page_count;		/* of the device */
	uint64_t record_count;
	uint64_t *records;		/* bitmap: which pages have one */
	struct osd_share_page *pages;	/* hash by number: in memory */
	struct osd_share_page_list unused;	/* least recently used first */
	uint64_t in_memory;
};

void osd_shares_init(struct osd_shares *shares, uint64_t blocks);
void osd_shares_fini(struct osd_shares *shares);
/* What stands under an R key, when the store is opened. 0 or -EBADMSG. */
int osd_shares_note(struct osd_shares *shares, const uint8_t *key, uint32_t key_bytes);
/* Has a page a record? */
bool osd_shares_has_record(const struct osd_shares *shares, uint64_t number);
void osd_shares_set_record(struct osd_shares *shares, uint64_t number, bool exists);

/* A record: into the numbers of a page's blocks, all of which are 0 before. 0 or -EBADMSG. */
int osd_share_decode(uint32_t more[OSD_SHARE_BLOCKS], const uint8_t *value, uint32_t length);
void osd_share_encode(const uint32_t more[OSD_SHARE_BLOCKS], struct mem_bytes *ret_value);

/* Find or make a page, pinned; it may have to be loaded. */
struct osd_share_page *osd_share_pin(struct osd_shares *shares, uint64_t number);
void osd_share_unpin(struct osd_share_page *page);
/* What the R key says. 0 or -EBADMSG. */
int osd_share_load(struct osd_share_page *page, const uint8_t *value, uint32_t length);

/* ---- an execution: share_use.c ------------------------------------------------------------ */

/* A page, and what this run changes of it. Of a view. */
struct osd_share_use {
	uint64_t number;
	UT_hash_handle hh;
	struct osd_share_page *page;	/* pinned */
	int32_t delta[OSD_SHARE_BLOCKS];
	uint32_t changes;		/* of blocks of it, at most */
};

/* All operations have run: count what they share and give up. 0, OSD_MISS, NACRE_E_DAMAGED. */
uint32_t osd_shares_gather(struct osd_exec *exec);
/* Has somebody else this block of the view, too? */
bool osd_view_is_shared(const struct osd_view *view, uint64_t block);
/* The view gives a block up, after osd_shares_gather(). */
void osd_view_unshare(struct osd_view *view, uint64_t block);
/* All has its place: what others have still is not given back. */
void osd_shares_settle(struct osd_view *view);
/* Bytes that the records need in the transaction, at most. */
uint64_t osd_shares_bytes(const struct osd_view *view);
/* Make the changes: into memory and the view's transaction. */
void osd_shares_commit(struct osd_exec *exec);
/* Forget them. */
void osd_shares_forget(struct osd_view *view);

#endif
