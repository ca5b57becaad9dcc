// SPDX-License-Identifier: GPL-2.0
/*
 * Direct writes: data, flush, and only then the record. See direct.h.
 */
#include "server/base/mutate.h"
#include "store.h"

#define WRITE_BLOCKS_MAX 1024u	/* of one write: 4 MiB */

static void pump(struct io_task *task);

/* One write of consecutive blocks. */
struct direct_write {
	struct osd_store *store;
	struct osd_txn *txn;
	struct io_disk disk;
	struct iovec iov[];
};

void osd_direct_init(struct osd_direct *direct, struct osd_store *store)
{
	memset(direct, 0, sizeof(*direct));
	direct->store = store;
	direct->last = &direct->first;
	direct->pump.run = pump;
}

/* ---- durable ------------------------------------------------------------------------------- */

/* What is durable leaves the queue, and the journal may go on. */
static void settle(struct osd_direct *direct)
{
	struct osd_txn **link = &direct->first, *txn;

	while ((txn = *link)) {
		if (txn->direct_state != OSD_DIRECT_DURABLE) {
			link = &txn->next_direct;
			continue;
		}
		*link = txn->next_direct;
		direct->bytes -= (uint64_t)txn->direct_count * OSD_BLOCK_BYTES;
	}
	direct->last = link;
	osd_journal_kick(&direct->store->journal);
}

static void move_on(struct osd_direct *direct, enum osd_direct_state from, enum osd_direct_state to)
{
	struct osd_txn *txn;

	for (txn = direct->first; txn; txn = txn->next_direct)
		if (txn->direct_state == from)
			txn->direct_state = to;
}

static void flushed(struct io_disk *disk, int result)
{
	struct osd_direct *direct = (struct osd_direct *)((char *)disk -
							  offsetof(struct osd_direct, sync));
	struct osd_store *store = direct->store;

	direct->flushing = false;
	store->loads--;
	if (result) {
		osd_store_fail(store, "the device cannot be flushed");
		return;
	}
	move_on(direct, OSD_DIRECT_FLUSHING, OSD_DIRECT_DURABLE);
	settle(direct);
	pump(&direct->pump);
}

/* Is something written, and everything else that was under way with the first of it? */
static bool is_gathered(struct osd_direct *direct)
{
	struct osd_txn *txn;
	bool written = false, waits = false;

	for (txn = direct->first; txn; txn = txn->next_direct)
		written |= txn->direct_state == OSD_DIRECT_WRITTEN;
	if (written && !direct->gather_seq)
		direct->gather_seq = direct->last_seq;
	for (txn = direct->first; txn && txn->seq <= direct->gather_seq; txn = txn->next_direct)
		waits |= txn->direct_state == OSD_DIRECT_WRITING;
	return written && !waits;
}

/* Flush what is written, one flush at a time: what is written meanwhile shares the next. */
static void pump(struct io_task *task)
{
	struct osd_direct *direct = (struct osd_direct *)((char *)task -
							  offsetof(struct osd_direct, pump));
	struct osd_store *store = direct->store;

	if (direct->flushing || store->failed || !is_gathered(direct))
		return;
	direct->gather_seq = 0;
	if (mutate(MUTATE_OSD_DATA_UNFLUSHED)) {
		move_on(direct, OSD_DIRECT_WRITTEN, OSD_DIRECT_DURABLE);
		settle(direct);
		return;
	}
	move_on(direct, OSD_DIRECT_WRITTEN, OSD_DIRECT_FLUSHING);
	direct->flushing = true;
	store->stats->flushes++;
	store->stats->flushes_direct++;
	store->loads++;
	memset(&direct->sync, 0, sizeof(direct->sync));
	direct->sync.kind = IO_DISK_SYNC;
	direct->sync.file = store->file;
	direct->sync.done = flushed;
	io_disk_submit(store->io, &direct->sync);
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Readers find the bytes on the device from now on. */
static void drop_bytes(struct osd_store *store, struct osd_txn *txn)
{
	uint32_t i;

	for (i = 0; i < txn->direct_count; i++) {
		osd_images_leave(&store->images, &txn->direct[i]);
		mem_buffer_put(txn->direct[i].buffer);
		txn->direct[i].buffer = NULL;
		txn->direct[i].bytes = NULL;
	}
}

static void write_end(struct osd_store *store, struct osd_txn *txn)
{
	if (--txn->direct_writes)
		return;
	drop_bytes(store, txn);
	txn->direct_state = OSD_DIRECT_WRITTEN;
	/* at the end of the turn: what else it finds done shares the flush */
	io_defer(store->io, &store->direct.pump);
}

static void written(struct io_disk *disk, int result)
{
	struct direct_write *write = (struct direct_write *)((char *)disk -
							     offsetof(struct direct_write, disk));
	struct osd_store *store = write->store;
	struct osd_txn *txn = write->txn;

	free(write);
	store->loads--;
	if (result)
		osd_store_fail(store, "a direct write to the data area failed");
	else
		write_end(store, txn);
}

static void write_run(struct osd_store *store, struct osd_txn *txn, uint32_t first, uint32_t count)
{
	struct direct_write *write = mem_zero(1, sizeof(*write) + count * sizeof(*write->iov));
	const struct osd_image *image = &txn->direct[first];
	struct iovec *last = write->iov;
	uint32_t i;

	*last = (struct iovec){ (void *)image->bytes, OSD_BLOCK_BYTES };
	for (i = 1; i < count; i++) {
		if ((uint8_t *)last->iov_base + last->iov_len == image[i].bytes)
			last->iov_len += OSD_BLOCK_BYTES;
		else
			*++last = (struct iovec){ (void *)image[i].bytes, OSD_BLOCK_BYTES };
	}
	write->store = store;
	write->txn = txn;
	write->disk.kind = IO_DISK_WRITE;
	write->disk.file = store->file;
	write->disk.iov = write->iov;
	write->disk.iov_count = (unsigned int)(last - write->iov) + 1;
	write->disk.offset = store->super.data_offset + image->block * OSD_BLOCK_BYTES;
	write->disk.done = written;
	txn->direct_writes++;
	store->loads++;
	store->stats->bytes_data += (uint64_t)count * OSD_BLOCK_BYTES;
	store->stats->bytes_direct += (uint64_t)count * OSD_BLOCK_BYTES;
	io_disk_submit(store->io, &write->disk);
}

static void write_all(struct osd_direct *direct, struct osd_txn *txn)
{
	uint32_t at, length;

	txn->direct_state = OSD_DIRECT_WRITING;
	direct->store->stats->bytes_in_place += (uint64_t)txn->in_place * OSD_BLOCK_BYTES;
	txn->direct_writes = 1;		/* ours, so that the end is not seen too early */
	for (at = 0; at < txn->direct_count; at += length) {
		for (length = 1; length < WRITE_BLOCKS_MAX && at + length < txn->direct_count; length++)
			if (txn->direct[at + length].block != txn->direct[at].block + length)
				break;
		write_run(direct->store, txn, at, length);
	}
	write_end(direct->store, txn);
}

void osd_direct_begin(struct osd_direct *direct, struct osd_txn *txn)
{
	direct->last_seq = txn->seq;
	txn->next_direct = NULL;
	*direct->last = txn;
	direct->last = &txn->next_direct;
	direct->bytes += (uint64_t)txn->direct_count * OSD_BLOCK_BYTES;
	if (txn->intent_seq)
		txn->direct_state = OSD_DIRECT_WAITING;
	else
		write_all(direct, txn);
}

void osd_direct_intended(struct osd_direct *direct, uint64_t seq)
{
	struct osd_txn *txn;

	for (txn = direct->first; txn && !direct->store->failed; txn = txn->next_direct)
		if (txn->direct_state == OSD_DIRECT_WAITING && txn->intent_seq <= seq)
			write_all(direct, txn);
}
