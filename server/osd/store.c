// SPDX-License-Identifier: GPL-2.0
/*
 * The object store in use: submitting transactions, space, failure. Opening and
 * closing are in store_open.c, reading in store_read.c. See store.h.
 */
#include <assert.h>
#include <errno.h>
#include "store.h"

/* Waiting for the journal: more than this, and callers should pause. */
#define WAITING_BYTES_MAX (32u << 20)

void osd_store_fail(struct osd_store *store, const char *why)
{
	if (store->failed)
		return;
	store->failed = true;
	store->journal.failed = true;
	log_error(store->log, "store", "%s; nothing more will be made durable", why);
	store->calls->failed(store->owner, why);
}

uint64_t osd_store_new_id(struct osd_store *store)
{
	return store->next_id++;
}

bool osd_store_has_space(const struct osd_store *store, uint64_t blocks, uint64_t leave)
{
	return !blocks || store->alloc.free >= blocks + leave;
}

struct osd_store_space osd_store_space(const struct osd_store *store)
{
	const struct osd_alloc *alloc = &store->alloc;
	uint64_t free_blocks = alloc->free > alloc->reserve ? alloc->free - alloc->reserve : 0;

	return (struct osd_store_space){
		.bytes_total = (alloc->blocks - alloc->reserve) * OSD_BLOCK_BYTES,
		.bytes_free = free_blocks * OSD_BLOCK_BYTES,
		.objects = store->object_count,
	};
}

bool osd_store_is_full(struct osd_store *store)
{
	bool full = store->journal.waiting_bytes > WAITING_BYTES_MAX;

	store->was_full |= full;
	return full;
}

/* Tell the owner that it may execute again. */
static void tell_room(struct osd_store *store)
{
	if (!store->was_full || store->journal.waiting_bytes > WAITING_BYTES_MAX / 2)
		return;
	store->was_full = false;
	store->calls->room(store->owner);
}

/* Make the transaction what readers see. */
void osd_store_enter(struct osd_store *store, struct osd_txn *txn)
{
	struct osd_change *change;
	uint32_t i, n;

	TAILQ_FOREACH(change, &txn->changes, link) {
		change->seq = txn->seq;
		osd_changes_enter(&store->changes, change);
	}
	for (i = 0; i < txn->space_count; i++)
		for (n = 0; !txn->space[i].taken && n < txn->space[i].count; n++)
			osd_images_freed(&store->images, txn->space[i].block + n, txn->seq);
	for (i = 0; i < txn->image_count; i++) {
		txn->images[i].seq = txn->seq;
		osd_images_enter(&store->images, &txn->images[i]);
	}
	store->object_count += txn->objects_more - (uint64_t)txn->objects_less;
}

void osd_store_submit(struct osd_store *store, struct osd_txn *txn)
{
	uint32_t i;

	txn->seq = osd_journal_next_seq(&store->journal);
	txn->next_id = store->next_id;
	for (i = 0; i < txn->space_count; i++)
		if (!txn->space[i].taken)
			osd_alloc_give(&store->alloc, txn->space[i].block, txn->space[i].count);
	osd_store_enter(store, txn);
	store->stats->bytes_client_written += txn->client_bytes;
	osd_txn_pack(txn);
	osd_journal_submit(&store->journal, txn);
}

/* ---- what the journal tells ------------------------------------------------------------ */

/* Images in memory are bounded: no new records while too many wait for their place. */
static void hold_journal(struct osd_store *store)
{
	bool hold = store->writeback.queue_images > store->backlog_limit;

	if (store->journal.held && !hold) {
		store->journal.held = false;
		osd_journal_kick(&store->journal);
	}
	store->journal.held = hold;
}

void osd_store_applied(struct osd_store *store)
{
	hold_journal(store);
	if (store->opening)
		osd_open_resume(store);
	tell_room(store);
}

static void record_durable(void *owner, struct osd_record *record)
{
	struct osd_store *store = owner;
	struct osd_txn *txn;

	store->stats->records++;
	osd_writeback_add(&store->writeback, record);
	for (txn = record->txns; txn && !store->failed; txn = txn->next) {
		store->stats->transactions++;
		if (txn->durable)
			txn->durable(txn);
	}
	hold_journal(store);
	tell_room(store);
}

static void journal_full(void *owner)
{
	struct osd_store *store = owner;

	store->stats->journal_full++;
	osd_writeback_hurry(&store->writeback);
}

static void journal_failed(void *owner, int result)
{
	osd_store_fail(owner, "the journal cannot be written");
}

const struct osd_journal_owner osd_store_journal_calls = {
	.durable = record_durable,
	.full = journal_full,
	.failed = journal_failed,
};
