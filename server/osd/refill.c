// SPDX-License-Identifier: GPL-2.0
/*
 * Reading at replay what was written directly. See refill.h.
 */
#include <errno.h>
#include "refill.h"
#include "server/base/crc.h"

static void step(struct osd_refill *refill);

static void end(struct osd_refill *refill, int result)
{
	refill->running = false;
	refill->record = NULL;
	refill->txn = NULL;
	refill->done(refill, result);
}

/* The bytes of one run are here: checked, they are the transaction's again. 0 or -EIO. */
static int take(struct osd_refill *refill)
{
	struct osd_block_read *read = &refill->read;
	struct osd_image *image;
	uint32_t i;

	for (i = 0; i < read->count; i++) {
		image = &refill->txn->direct[refill->at + i];
		image->bytes = read->buffer->bytes + (size_t)i * OSD_BLOCK_BYTES;
		image->buffer = mem_buffer_get(read->buffer);
		if (crc_of(image->bytes, OSD_BLOCK_BYTES) != image->crc)
			return -EIO;
	}
	refill->at += read->count;
	return 0;
}

static void run_read(struct osd_block_read *read)
{
	struct osd_refill *refill = read->owner;
	int err = read->result ? read->result : take(refill);

	mem_buffer_put(read->buffer);
	read->buffer = NULL;
	if (err)
		end(refill, err);
	else
		step(refill);
}

/* Read the next run of consecutive blocks. False: there is none. */
static bool read_run(struct osd_refill *refill)
{
	const struct osd_txn *txn = refill->txn;
	uint32_t at = refill->at, count = 1;

	if (at == txn->direct_count)
		return false;
	while (at + count < txn->direct_count &&
	       txn->direct[at + count].block == txn->direct[at].block + count)
		count++;
	refill->read.block = txn->direct[at].block;
	refill->read.count = count;
	refill->read.done = run_read;
	refill->read.owner = refill;
	osd_store_read_blocks(refill->store, &refill->read);
	return true;
}

/* The owner has them; the memory goes. */
static void filled(struct osd_refill *refill)
{
	struct osd_store *store = refill->store;
	struct osd_txn *txn = refill->txn;
	uint32_t i;

	store->calls->filled(store->owner, txn);
	for (i = 0; i < txn->direct_count; i++) {
		mem_buffer_put(txn->direct[i].buffer);
		txn->direct[i].buffer = NULL;
		txn->direct[i].bytes = NULL;
	}
}

bool osd_txn_is_needed(struct osd_store *store, const struct osd_txn *txn)
{
	return txn->unread && txn->number && store->calls->settled && store->calls->filled &&
	       !store->calls->settled(store->owner, txn);
}

static void next_txn(struct osd_refill *refill)
{
	if (refill->txn)
		refill->txn = refill->txn->next;
	else
		refill->txn = refill->record->txns;
	while (!refill->txn && (refill->record = refill->record->next))
		refill->txn = refill->record->txns;
	refill->at = 0;
}

static void step(struct osd_refill *refill)
{
	struct osd_store *store = refill->store;

	while (refill->txn) {
		if (osd_txn_is_needed(store, refill->txn)) {
			if (read_run(refill))
				return;
			filled(refill);
		}
		refill->txn->unread = false;
		next_txn(refill);
	}
	end(refill, 0);
}

void osd_refill_start(struct osd_refill *refill)
{
	refill->running = true;
	refill->record = refill->store->writeback.queue;
	refill->txn = NULL;
	if (refill->record)
		next_txn(refill);
	step(refill);
}
