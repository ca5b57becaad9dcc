// SPDX-License-Identifier: GPL-2.0
/*
 * Write-back: blocks, then keys, then room in the journal. See writeback.h.
 */
#include <assert.h>
#include <errno.h>
#include "store.h"
#include "server/base/mutate.h"

#define BATCH_IMAGE_BYTES (16u << 20)	/* of one batch, but at least one record */
#define BATCH_RECORDS 1024u
#define WRITE_IOVS_MAX 512u
#define SETTLE_NS 2000000000ull	/* how long a record may wait to be known committed */

static void advance(struct osd_writeback *wb);

/* One write of consecutive blocks. */
struct block_write {
	struct osd_writeback *wb;
	struct io_disk disk;
	struct iovec iov[];
};

void osd_writeback_init(struct osd_writeback *wb, struct osd_store *store, uint32_t wait_ms)
{
	memset(wb, 0, sizeof(*wb));
	wb->store = store;
	wb->queue_last = &wb->queue;
	wb->wait_ms = wait_ms;
}

void osd_writeback_begin(struct osd_writeback *wb, const struct osd_disk_state *state)
{
	wb->applied = *state;
	wb->flushed_position = state->position;
}

bool osd_writeback_busy(const struct osd_writeback *wb)
{
	return wb->state != OSD_WRITEBACK_IDLE || wb->flushing;
}

/* ---- forgetting transactions -------------------------------------------------------------- */

static void forget_txn(struct osd_store *store, struct osd_txn *txn)
{
	struct osd_change *change;
	uint32_t i;

	TAILQ_FOREACH(change, &txn->changes, link)
		osd_changes_leave(&store->changes, change);
	for (i = 0; i < txn->image_count; i++)
		osd_images_leave(&store->images, &txn->images[i]);
	osd_txn_free(txn);
}

static void forget_record(struct osd_writeback *wb)
{
	struct osd_record *record = wb->queue;
	struct osd_txn *txn;

	wb->queue = record->next;
	if (!wb->queue)
		wb->queue_last = &wb->queue;
	wb->queue_images -= record->image_bytes;
	wb->queue_bytes -= record->length;
	while ((txn = record->txns)) {
		record->txns = txn->next;
		forget_txn(wb->store, txn);
	}
	osd_record_free(record);
}

void osd_writeback_fini(struct osd_writeback *wb)
{
	struct osd_record *record;
	struct osd_txn *txn;

	io_timer_cancel(wb->store->io, &wb->timer);
	while ((record = wb->queue)) {
		wb->queue = record->next;
		while ((txn = record->txns)) {
			record->txns = txn->next;
			osd_txn_free(txn);
		}
		osd_record_free(record);
	}
	mem_bytes_free(&wb->batch.bytes);
}

/* ---- 1: images to their blocks -------------------------------------------------------------- */

static void fail(struct osd_writeback *wb, const char *why)
{
	osd_store_fail(wb->store, why);
}

static void device_synced(struct io_disk *disk, int result)
{
	struct osd_writeback *wb = (struct osd_writeback *)((char *)disk -
							    offsetof(struct osd_writeback, sync));

	wb->state = OSD_WRITEBACK_IDLE;
	if (result) {
		fail(wb, "the device cannot be flushed");
		return;
	}
	wb->state = OSD_WRITEBACK_KEYS;
	advance(wb);
}

static void images_written(struct osd_writeback *wb)
{
	struct osd_store *store = wb->store;

	wb->state = OSD_WRITEBACK_IDLE;
	if (wb->write_result) {
		fail(wb, "a write to the data area failed");
		return;
	}
	wb->state = OSD_WRITEBACK_DEVICE;
	store->stats->flushes++;
	memset(&wb->sync, 0, sizeof(wb->sync));
	wb->sync.kind = IO_DISK_SYNC;
	wb->sync.file = store->file;
	wb->sync.done = device_synced;
	io_disk_submit(store->io, &wb->sync);
}

static void block_written(struct io_disk *disk, int result)
{
	struct block_write *write = (struct block_write *)((char *)disk -
							   offsetof(struct block_write, disk));
	struct osd_writeback *wb = write->wb;

	free(write);
	if (result)
		wb->write_result = result;
	if (!--wb->writes)
		images_written(wb);
}

static void write_run(struct osd_writeback *wb, struct osd_image **images, uint32_t count)
{
	struct block_write *write = mem_zero(1, sizeof(*write) + count * sizeof(*write->iov));
	struct osd_store *store = wb->store;
	uint32_t i;

	write->wb = wb;
	for (i = 0; i < count; i++)
		write->iov[i] = (struct iovec){ (void *)images[i]->bytes, OSD_BLOCK_BYTES };
	write->disk.kind = IO_DISK_WRITE;
	write->disk.file = store->file;
	write->disk.iov = write->iov;
	write->disk.iov_count = count;
	write->disk.offset = store->super.data_offset + images[0]->block * OSD_BLOCK_BYTES;
	write->disk.done = block_written;
	wb->writes++;
	store->stats->bytes_data += (uint64_t)count * OSD_BLOCK_BYTES;
	io_disk_submit(store->io, &write->disk);
}

static int by_block(const void *a, const void *b)
{
	const struct osd_image *x = *(struct osd_image *const *)a;
	const struct osd_image *y = *(struct osd_image *const *)b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* The images of the batch that nothing newer in it replaces, by block. */
static struct osd_image **needed_images(struct osd_writeback *wb, uint32_t *ret_count)
{
	uint64_t room = 0, count = 0;
	struct osd_record *record = wb->queue;
	struct osd_image **images;
	struct osd_txn *txn;
	unsigned int n;
	uint32_t i;

	for (n = 0; n < wb->batch_records; n++, record = record->next)
		room += record->image_bytes / OSD_BLOCK_BYTES;
	images = mem_zero(room, sizeof(*images));
	for (n = 0, record = wb->queue; n < wb->batch_records; n++, record = record->next) {
		for (txn = record->txns; txn; txn = txn->next) {
			for (i = 0; i < txn->image_count; i++) {
				if (osd_image_needed(&txn->images[i], wb->batch_seq))
					images[count++] = &txn->images[i];
				else
					wb->store->stats->images_saved++;
			}
		}
	}
	qsort(images, count, sizeof(*images), by_block);
	*ret_count = (uint32_t)count;
	return images;
}

static void write_images(struct osd_writeback *wb)
{
	uint32_t count, at, length;
	struct osd_image **images = needed_images(wb, &count);

	wb->state = OSD_WRITEBACK_IMAGES;
	wb->write_result = 0;
	wb->writes = 1;		/* ours, so that the end is not seen too early */
	for (at = 0; at < count; at += length) {
		for (length = 1; length < WRITE_IOVS_MAX && at + length < count; length++)
			if (images[at + length]->block != images[at]->block + length)
				break;
		write_run(wb, images + at, length);
	}
	free(images);
	if (--wb->writes)
		return;
	if (count)
		images_written(wb);
	else
		wb->state = OSD_WRITEBACK_KEYS;	/* no block was touched: nothing to flush */
}

/* ---- 2: keys ---------------------------------------------------------------------------------- */

static void batch_change(struct osd_writeback *wb, const struct osd_change *change)
{
	const struct osd_change *newest;

	if (change->kind == OSD_CHANGE_DELETE_RANGE) {
		kv_batch_delete_range(&wb->batch, change->bytes, change->key_bytes,
				      osd_change_value(change), change->value_bytes);
		return;
	}
	if (!change->in_set) {
		newest = osd_changes_find(&wb->store->changes, change->bytes, change->key_bytes);
		if (newest && newest->seq <= wb->batch_seq)
			return;
	}
	if (change->kind == OSD_CHANGE_PUT)
		kv_batch_put(&wb->batch, change->bytes, change->key_bytes, osd_change_value(change),
			     change->value_bytes);
	else
		kv_batch_delete(&wb->batch, change->bytes, change->key_bytes);
}

/* REC-1: what is not known to be committed outlives its journal record under a T key. */
static void batch_kept(struct osd_writeback *wb, const struct osd_txn *txn)
{
	struct osd_store *store = wb->store;
	struct mem_bytes value = { 0 };
	struct osd_key key;

	if (!txn->number || !store->calls->keep(store->owner, txn, &value))
		return;
	osd_key_kept(&key, txn->pool, txn->pg, txn->number);
	kv_batch_put(&wb->batch, key.bytes, key.length, value.at, (uint32_t)value.length);
	mem_bytes_free(&value);
}

static void batch_txn(struct osd_writeback *wb, const struct osd_txn *txn)
{
	const struct osd_change *change;
	uint32_t i;

	TAILQ_FOREACH(change, &txn->changes, link)
		batch_change(wb, change);
	for (i = 0; i < txn->space_count; i++)
		osd_alloc_applied(&wb->store->alloc, &txn->space[i]);
	batch_kept(wb, txn);
	wb->next.next_id = txn->next_id;
	wb->next.objects += txn->objects_more - (uint64_t)txn->objects_less;
}

static void batch_state(struct osd_writeback *wb)
{
	struct mem_bytes value = { 0 };
	struct osd_key key;

	osd_key_state(&key);
	osd_disk_append(&value, osd_disk_state_desc(), &wb->next);
	kv_batch_put(&wb->batch, key.bytes, key.length, value.at, (uint32_t)value.length);
	mem_bytes_free(&value);
}

static void batch_applied(struct kv_batch *batch)
{
	struct osd_writeback *wb = (struct osd_writeback *)((char *)batch -
							    offsetof(struct osd_writeback, batch));

	mem_bytes_free(&batch->bytes);
	batch->count = 0;
	wb->state = OSD_WRITEBACK_IDLE;
	if (batch->result) {
		fail(wb, "the key-value store refuses a batch");
		return;
	}
	wb->applied = wb->next;
	while (wb->batch_records--)
		forget_record(wb);
	wb->batch_records = 0;
	osd_store_applied(wb->store);
	advance(wb);
}

static void apply_keys(struct osd_writeback *wb)
{
	struct osd_record *record = wb->queue;
	struct osd_txn *txn;
	unsigned int n;

	wb->next = wb->applied;
	for (n = 0; n < wb->batch_records; n++, record = record->next) {
		for (txn = record->txns; txn; txn = txn->next)
			batch_txn(wb, txn);
		wb->next.position = record->position + record->length;
		wb->next.record = record->record + 1;
		wb->next.chain = record->chain_after;
	}
	wb->next.applied_seq = wb->batch_seq;
	osd_alloc_save(&wb->store->alloc, &wb->batch);
	batch_state(wb);
	wb->store->stats->bytes_kv += wb->batch.bytes.length;
	wb->batch.done = batch_applied;
	kv_apply(wb->store->kv, &wb->batch);
}

/* ---- 3: room in the journal ---------------------------------------------------------------------- */

static void keys_flushed(struct kv_flush *flush)
{
	struct osd_writeback *wb = (struct osd_writeback *)((char *)flush -
							    offsetof(struct osd_writeback, flush));

	wb->flushing = false;
	if (flush->result) {
		fail(wb, "the key-value store cannot be flushed");
		return;
	}
	wb->flushed_position = wb->flush_position;
	if (!wb->idle && osd_journal_used(&wb->store->journal) < wb->store->journal.bytes / 2)
		wb->all = wb->store->space_waits;
	osd_journal_trim(&wb->store->journal, wb->flushed_position);
	osd_store_trimmed(wb->store, wb->flush_seq);
	advance(wb);
}

/* A quarter of the ring held by what is applied: make that durable, and have it back. */
static bool flush_is_due(const struct osd_writeback *wb)
{
	uint64_t held = wb->applied.position - wb->flushed_position;

	return held && (wb->all || held >= (wb->trim_bytes ? wb->trim_bytes : wb->store->journal.bytes / 4));
}

static void flush_keys(struct osd_writeback *wb)
{
	wb->flushing = true;
	wb->flush_position = wb->applied.position;
	wb->flush_seq = wb->applied.applied_seq;
	wb->store->stats->kv_flushes++;
	wb->flush.done = keys_flushed;
	if (mutate(MUTATE_OSD_TRIM_EARLY)) {
		wb->flush.result = 0;
		keys_flushed(&wb->flush);
		return;
	}
	kv_flush(wb->store->kv, &wb->flush);
}

/* ---- turning ---------------------------------------------------------------------------------------- */

/*
 * Should a record wait a little? What is known to be committed is applied and
 * forgotten; what is not would have to be written once more, under a T key.
 */
static bool should_wait(const struct osd_writeback *wb, const struct osd_record *record)
{
	struct osd_store *store = wb->store;
	const struct osd_txn *txn;

	for (txn = record->txns; txn; txn = txn->next)
		if (osd_txn_is_needed(store, txn))
			return true;
	if (!store->calls->settled || wb->all || wb->queue_images > store->backlog_limit / 2 ||
	    wb->queue_bytes > store->journal.bytes / 2 ||
	    io_now(store->io) - record->durable_ns > SETTLE_NS)
		return false;
	for (txn = record->txns; txn; txn = txn->next)
		if (txn->number && !store->calls->settled(store->owner, txn))
			return true;
	return false;
}

static void choose_batch(struct osd_writeback *wb)
{
	struct osd_record *record;
	uint64_t bytes = 0;

	wb->batch_records = 0;
	for (record = wb->queue; record && !should_wait(wb, record); record = record->next) {
		if (wb->batch_records && (bytes + record->image_bytes > BATCH_IMAGE_BYTES ||
					  wb->batch_records >= BATCH_RECORDS))
			break;
		bytes += record->image_bytes;
		wb->batch_seq = record->last_seq;
		wb->batch_records++;
	}
}

static bool batch_is_due(const struct osd_writeback *wb)
{
	return wb->queue && (wb->all || !wb->timer.heap_index ||
			     wb->queue_images >= wb->store->backlog_limit / 4 ||
			     wb->queue_bytes >= wb->store->journal.bytes / 4);
}

static void timer_fired(struct io_timer *timer)
{
	advance((struct osd_writeback *)((char *)timer - offsetof(struct osd_writeback, timer)));
}

static void arm_timer(struct osd_writeback *wb)
{
	struct io *io = wb->store->io;

	wb->timer.fire = timer_fired;
	if (wb->queue && !wb->timer.heap_index)
		io_timer_arm(io, &wb->timer, io_now(io) + wb->wait_ms * 1000000ull);
}

/* Begin whatever may begin now. */
static void advance(struct osd_writeback *wb)
{
	if (wb->store->failed)
		return;
	if (!wb->flushing && flush_is_due(wb))
		flush_keys(wb);
	if (wb->state == OSD_WRITEBACK_IDLE && batch_is_due(wb)) {
		choose_batch(wb);
		if (wb->batch_records)
			write_images(wb);
		else
			arm_timer(wb);
	}
	if (wb->state == OSD_WRITEBACK_KEYS && !wb->batch.bytes.length)
		apply_keys(wb);
	if (osd_writeback_busy(wb) || wb->queue)
		return;
	wb->all = wb->store->space_waits;
	if (wb->idle)
		wb->idle(wb->store);
}

void osd_writeback_add(struct osd_writeback *wb, struct osd_record *record)
{
	record->next = NULL;
	record->durable_ns = io_now(wb->store->io);
	*wb->queue_last = record;
	wb->queue_last = &record->next;
	wb->queue_images += record->image_bytes;
	wb->queue_bytes += record->length;
	if (wb->store->read_only)
		return;
	arm_timer(wb);
	if (wb->state == OSD_WRITEBACK_IDLE && batch_is_due(wb))
		advance(wb);
}

void osd_writeback_hurry(struct osd_writeback *wb)
{
	wb->all = true;
	advance(wb);
}

void osd_writeback_drain(struct osd_writeback *wb, void (*idle)(struct osd_store *store))
{
	wb->idle = idle;
	wb->all = true;
	advance(wb);
}
