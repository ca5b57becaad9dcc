// SPDX-License-Identifier: GPL-2.0
/*
 * The object store in use: submitting transactions, space, failure. Opening and
 * closing are in store_open.c, reading in store_read.c. See store.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include "server/base/mutate.h"
#include "rebuild.h"
#include "store.h"

/* Waiting for the journal: more than this, and callers should pause. */
#define WAITING_BYTES_MAX (32u << 20)

/* ---- waiting for blocks ---------------------------------------------------------------- */

static void wake_space(struct osd_store *store, int result)
{
	struct osd_space_wait *wait = store->space_waits, *next;

	store->space_waits = NULL;
	for (; wait; wait = next) {
		next = wait->next;
		store->loads--;
		wait->wake(wait, result);
	}
}

void osd_store_wake_space(struct osd_store *store)
{
	wake_space(store, 0);
}

void osd_store_want_space(struct osd_store *store)
{
	osd_writeback_hurry(&store->writeback);
}

void osd_store_wait_space(struct osd_store *store, struct osd_space_wait *wait)
{
	struct osd_space_wait **link = &store->space_waits;

	while (*link)
		link = &(*link)->next;
	wait->next = NULL;
	*link = wait;
	store->stats->space_waits++;
	store->loads++;
	osd_store_want_space(store);
}

void osd_store_trimmed(struct osd_store *store, uint64_t seq)
{
	osd_bars_trimmed(&store->alloc.bars, seq);
	osd_discard_trimmed(&store->discard);
	osd_store_wake_space(store);
}

/* ---- submitting ------------------------------------------------------------------------ */

void osd_store_fail(struct osd_store *store, const char *why)
{
	if (store->failed)
		return;
	store->failed = true;
	store->journal.failed = true;
	log_error(store->log, "store", "%s; nothing more will be made durable", why);
	store->calls->failed(store->owner, why);
	wake_space(store, -EIO);
}

void osd_store_keys_failed(struct osd_store *store)
{
	const char *complaint = store->kv->complaint;
	char why[640];

	snprintf(why, sizeof(why), "the key-value store cannot be read%s%s: make a new store (mkfs.nacre --osd N --force), "
		 "which its peers fill", complaint ? ": " : "", complaint ? complaint : "");
	store->damaged = osd_rebuild_helps(complaint);
	osd_store_fail(store, why);
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

static uint64_t waiting_bytes(const struct osd_store *store)
{
	return store->journal.waiting_bytes + store->direct.bytes;
}

bool osd_store_is_full(struct osd_store *store)
{
	bool full = waiting_bytes(store) > WAITING_BYTES_MAX;

	store->was_full |= full;
	return full;
}

/* Tell the owner that it may execute again. */
static void tell_room(struct osd_store *store)
{
	if (!store->was_full || waiting_bytes(store) > WAITING_BYTES_MAX / 2)
		return;
	store->was_full = false;
	store->calls->room(store->owner);
}

/* What may not be written directly as long as the transaction can be replayed. */
static void set_bars(struct osd_store *store, const struct osd_txn *txn)
{
	struct osd_bars *bars = &store->alloc.bars;
	uint32_t i;

	for (i = 0; i < txn->space_count; i++) {
		if (txn->space[i].taken)
			continue;
		osd_discard_given(&store->discard, txn->space[i].block, txn->space[i].count);
		if (mutate(MUTATE_OSD_REUSE_EARLY))
			store->alloc.hint = txn->space[i].block;
		else
			osd_bars_give(bars, txn->space[i].block, txn->space[i].count, txn->seq);
	}
	for (i = 0; i < txn->image_count; i++)
		osd_bars_set(bars, OSD_BAR_RESTING, txn->images[i].block, 1, txn->seq);
	for (i = 0; i < txn->resting_count; i++)
		osd_bars_set(bars, OSD_BAR_RESTING, txn->resting[i], 1, txn->seq);
	for (i = 0; i < txn->direct_count; i++)
		osd_bars_set(bars, OSD_BAR_DIRECT, txn->direct[i].block, 1, txn->seq);
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
	for (i = 0; i < txn->direct_count && !txn->unread; i++) {
		txn->direct[i].seq = txn->seq;
		assert(!osd_images_find(&store->images, txn->direct[i].block));
		osd_images_enter(&store->images, &txn->direct[i]);
	}
	set_bars(store, txn);
	store->object_count += txn->objects_more - (uint64_t)txn->objects_less;
}

uint64_t osd_store_resting(const struct osd_store *store)
{
	return store->alloc.bars.given[0] + store->alloc.bars.given[1];
}

void osd_store_submit(struct osd_store *store, struct osd_txn *txn)
{
	uint32_t i;

	if (txn->in_place)
		osd_intents_begin(&store->intents, txn);
	txn->seq = osd_journal_next_seq(&store->journal);
	txn->next_id = store->next_id;
	for (i = 0; i < txn->space_count; i++)
		if (!txn->space[i].taken)
			osd_alloc_give(&store->alloc, txn->space[i].block, txn->space[i].count);
	osd_store_enter(store, txn);
	store->stats->bytes_client_written += txn->client_bytes;
	osd_txn_pack(txn);
	if (txn->direct_count)
		osd_direct_begin(&store->direct, txn);
	osd_journal_submit(&store->journal, txn);
	/* where something is written directly, blocks that rest are to be had again before the others are used up */
	if (store->stats->bytes_direct && osd_store_resting(store) > store->alloc.free / 2)
		osd_store_want_space(store);
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

static bool holds_only_intents(const struct osd_record *record)
{
	const struct osd_txn *txn = record->txns;

	while (txn && txn->intents)
		txn = txn->next;
	return record->txns && !txn;
}

static void record_durable(void *owner, struct osd_record *record)
{
	struct osd_store *store = owner;
	struct osd_txn *txn;

	store->stats->records++;
	store->stats->flushes_intents += holds_only_intents(record);
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
