// SPDX-License-Identifier: GPL-2.0
/*
 * Writing the journal: group commit, ring space, order. See journal.h.
 */
#include <assert.h>
#include <errno.h>
#include <xxhash.h>
#include "journal.h"
#include "server/base/crc.h"

#define RECORD_IOVS_MAX 1024u		/* what one write may be gathered from */
#define PIPELINE_BYTES (256u << 10)

static void pump(struct io_task *task);

void osd_journal_init(struct osd_journal *journal, struct io *io, struct io_file *file,
		      const struct osd_disk_super *super, const struct osd_journal_owner *calls,
		      void *owner)
{
	memset(journal, 0, sizeof(*journal));
	journal->io = io;
	journal->file = file;
	journal->offset = super->journal_offset;
	journal->bytes = super->journal_bytes;
	journal->store_lo = super->store_lo;
	journal->unit = OSD_BLOCK_BYTES;
	journal->pipeline_bytes = PIPELINE_BYTES;
	journal->waiting_last = &journal->waiting;
	journal->writing_last = &journal->writing;
	journal->pump.run = pump;
	journal->calls = calls;
	journal->owner = owner;
}

void osd_journal_set_unit(struct osd_journal *journal, uint32_t wanted)
{
	struct io_units units = io_file_units(journal->io, journal->file);

	journal->unit = wanted ? wanted : units.sector;
	if (journal->unit < units.least)
		journal->unit = units.least;
	assert(journal->unit && OSD_BLOCK_BYTES % journal->unit == 0);
}

void osd_journal_begin(struct osd_journal *journal, const struct osd_disk_state *state)
{
	journal->head = state->position;
	journal->tail = state->position;
	journal->next_record = state->record;
	journal->chain = state->chain;
	journal->next_seq = state->applied_seq + 1;
}

void osd_record_free(struct osd_record *record)
{
	mem_buffer_put(record->head);
	mem_buffer_put(record->copies);
	free(record->iov);
	free(record);
}

void osd_journal_fini(struct osd_journal *journal)
{
	struct osd_record *record;
	struct osd_txn *txn;

	while ((record = journal->writing)) {
		journal->writing = record->next;
		while ((txn = record->txns)) {
			record->txns = txn->next;
			osd_txn_free(txn);
		}
		osd_record_free(record);
	}
	while ((txn = journal->waiting)) {
		journal->waiting = txn->next;
		osd_txn_free(txn);
	}
	journal->waiting_last = &journal->waiting;
	journal->writing_last = &journal->writing;
	journal->writing_count = 0;
}

/* ---- space -------------------------------------------------------------------------- */

static uint64_t round_block(uint64_t bytes)
{
	return (bytes + OSD_BLOCK_BYTES - 1) / OSD_BLOCK_BYTES * OSD_BLOCK_BYTES;
}

/* How much of so many bytes, the last of a record, is written. */
static uint64_t round_unit(const struct osd_journal *journal, uint64_t bytes)
{
	return (bytes + journal->unit - 1) / journal->unit * journal->unit;
}

static uint64_t record_bytes(uint64_t packed_bytes, uint64_t image_count)
{
	return round_block(sizeof(struct osd_disk_record_wire) + packed_bytes) +
	       image_count * OSD_BLOCK_BYTES;
}

bool osd_journal_fits(const struct osd_journal *journal, uint64_t packed_bytes, uint32_t image_count)
{
	/* Half, because a SKIP of nearly the same length may have to go before it. */
	return record_bytes(packed_bytes, image_count) <= journal->bytes / 2;
}

static uint64_t to_ring_end(const struct osd_journal *journal)
{
	return journal->bytes - journal->head % journal->bytes;
}

static bool has_room(const struct osd_journal *journal, uint64_t length)
{
	if (length > to_ring_end(journal))
		length += to_ring_end(journal);
	return length <= journal->bytes - osd_journal_used(journal);
}

void osd_journal_trim(struct osd_journal *journal, uint64_t position)
{
	assert(position >= journal->tail && position <= journal->head);
	journal->tail = position;
	osd_journal_kick(journal);
}

/* ---- making a record ------------------------------------------------------------------ */

static struct osd_record *record_new(struct osd_journal *journal)
{
	struct osd_record *record = mem_zero(1, sizeof(*record));

	record->journal = journal;
	record->record = journal->next_record++;
	record->position = journal->head;
	record->txns_last = &record->txns;
	return record;
}

/* Fill the head, whose fields depend on what follows it. */
static void seal_head(struct osd_record *record, enum osd_record_kind kind, uint64_t first_seq,
		      uint32_t txn_count, uint32_t txn_bytes, uint32_t image_count)
{
	struct osd_journal *journal = record->journal;
	struct osd_disk_record head = {
		.magic = OSD_RECORD_MAGIC,
		.kind = kind,
		.store_lo = journal->store_lo,
		.record = record->record,
		.first_seq = first_seq,
		.chain = journal->chain,
		.txn_count = txn_count,
		.txn_bytes = txn_bytes,
		.image_count = image_count,
		.skip_blocks = kind == OSD_RECORD_SKIP ?
			       (uint32_t)(record->length / OSD_BLOCK_BYTES) : 0,
	};
	struct nacre_writer w = nacre_writer(record->head->bytes,
					     sizeof(struct osd_disk_record_wire));
	const uint8_t *txns = record->head->bytes + sizeof(struct osd_disk_record_wire);

	head.txn_crc = txn_bytes ? crc_of(txns, txn_bytes) : 0;
	nacre_encode(osd_disk_record_desc(), &w, &head);
	osd_disk_seal(record->head->bytes, sizeof(struct osd_disk_record_wire));
	journal->chain = XXH64(record->head->bytes, sizeof(struct osd_disk_record_wire), 0);
	record->chain_after = journal->chain;
}

static void record_written(struct io_disk *disk, int result);

/* Write a record that is complete; the flush is part of the write. */
static void record_submit(struct osd_record *record, unsigned int iov_count)
{
	struct osd_journal *journal = record->journal;
	unsigned int i;

	journal->head += record->length;
	*journal->writing_last = record;
	journal->writing_last = &record->next;
	journal->writing_count++;
	for (i = 0; i < iov_count; i++)
		*journal->bytes_written += record->iov[i].iov_len;
	++*journal->flushes;
	record->disk.kind = IO_DISK_WRITE;
	record->disk.file = journal->file;
	record->disk.iov = record->iov;
	record->disk.iov_count = iov_count;
	record->disk.offset = journal->offset + record->position % journal->bytes;
	record->disk.sync = true;
	record->disk.done = record_written;
	io_disk_submit(journal->io, &record->disk);
}

static void write_skip(struct osd_journal *journal)
{
	struct osd_record *record = record_new(journal);

	record->length = to_ring_end(journal);
	record->last_seq = journal->waiting->seq - 1;
	record->head = mem_buffer_new(OSD_BLOCK_BYTES);
	memset(record->head->bytes, 0, OSD_BLOCK_BYTES);
	seal_head(record, OSD_RECORD_SKIP, 0, 0, 0, 0);
	record->iov = mem_zero(1, sizeof(*record->iov));
	record->iov[0] = (struct iovec){ record->head->bytes,
					 round_unit(journal, sizeof(struct osd_disk_record_wire)) };
	record_submit(record, 1);
}

/* How many elements gather() will make of one transaction. */
static unsigned int txn_iovs(const struct osd_txn *txn)
{
	unsigned int count = 0;
	uint32_t i;

	for (i = 0; i < txn->image_count; i++)
		count += !i || txn->images[i - 1].bytes + OSD_BLOCK_BYTES != txn->images[i].bytes;
	return count;
}

/* Images in more pieces than one write may have: as one copy. */
static unsigned int gather_copies(struct osd_record *record)
{
	struct osd_txn *txn;
	uint8_t *at;
	uint32_t i;

	record->copies = mem_buffer_new(record->image_bytes);
	at = record->copies->bytes;
	for (txn = record->txns; txn; txn = txn->next)
		for (i = 0; i < txn->image_count; i++, at += OSD_BLOCK_BYTES)
			memcpy(at, txn->images[i].bytes, OSD_BLOCK_BYTES);
	record->iov[1] = (struct iovec){ record->copies->bytes, record->image_bytes };
	return 2;
}

/*
 * Gather head and images; images that lie together in memory become one element. `bytes` of the head count: where nothing comes
 * behind them they are written, and of their last block what was there before stays.
 */
static unsigned int gather(struct osd_record *record, uint64_t bytes, uint32_t image_count)
{
	struct iovec *last = record->iov = mem_zero(image_count + 1, sizeof(*record->iov));
	struct osd_txn *txn;
	uint32_t i;

	*last = (struct iovec){ record->head->bytes,
				image_count ? record->head->length : round_unit(record->journal, bytes) };
	if (txn_iovs(record->txns) >= RECORD_IOVS_MAX)
		return gather_copies(record);
	for (txn = record->txns; txn; txn = txn->next) {
		for (i = 0; i < txn->image_count; i++) {
			if (last != record->iov &&
			    (uint8_t *)last->iov_base + last->iov_len == txn->images[i].bytes)
				last->iov_len += OSD_BLOCK_BYTES;
			else
				*++last = (struct iovec){ (void *)txn->images[i].bytes,
							  OSD_BLOCK_BYTES };
		}
	}
	return (unsigned int)(last - record->iov) + 1;
}

/* May its record be written? Not before the data that it points to is durable. */
static bool is_ready(const struct osd_txn *txn)
{
	return txn->direct_state == OSD_DIRECT_DURABLE;
}

/* Decide how many of the waiting transactions the next record takes. */
static uint32_t choose(const struct osd_journal *journal, uint64_t *ret_packed, uint32_t *ret_images)
{
	uint64_t packed = 0, images = 0;
	const struct osd_txn *txn;
	unsigned int iovs = 1;
	uint32_t count = 0;

	for (txn = journal->waiting; txn && is_ready(txn); txn = txn->next, count++) {
		iovs += txn_iovs(txn);
		if (count && (iovs > RECORD_IOVS_MAX ||
			      record_bytes(packed + txn->packed.length, images + txn->image_count) >
			      OSD_RECORD_BYTES_MAX ||
			      !osd_journal_fits(journal, packed + txn->packed.length,
						(uint32_t)images + txn->image_count)))
			break;
		packed += txn->packed.length;
		images += txn->image_count;
	}
	*ret_packed = packed;
	*ret_images = (uint32_t)images;
	return count;
}

static void take_txns(struct osd_journal *journal, struct osd_record *record, uint32_t count)
{
	uint8_t *at = record->head->bytes + sizeof(struct osd_disk_record_wire);
	struct osd_txn *txn;

	while (count--) {
		txn = journal->waiting;
		journal->waiting = txn->next;
		if (!journal->waiting)
			journal->waiting_last = &journal->waiting;
		txn->next = NULL;
		memcpy(at, txn->packed.at, txn->packed.length);
		at += txn->packed.length;
		journal->waiting_bytes -= txn->packed.length +
					  (uint64_t)txn->image_count * OSD_BLOCK_BYTES;
		mem_bytes_free(&txn->packed);
		*record->txns_last = txn;
		record->txns_last = &txn->next;
		record->last_seq = txn->seq;
	}
}

/* Make and write one record of what waits. False: it waits on, for room in the ring or the end of those under way. */
static bool write_record(struct osd_journal *journal)
{
	struct osd_record *record;
	uint64_t packed;
	uint32_t images, count = choose(journal, &packed, &images);
	uint64_t length = record_bytes(packed, images);
	uint64_t first_seq = journal->waiting->seq;
	bool wraps = length > to_ring_end(journal);

	if (!has_room(journal, length)) {
		journal->calls->full(journal->owner);
		return false;
	}
	if (wraps && journal->writing_count + 1 >= OSD_WRITING_MAX)
		return false;
	if (wraps)
		write_skip(journal);
	record = record_new(journal);
	record->length = length;
	record->image_bytes = (uint64_t)images * OSD_BLOCK_BYTES;
	record->head = mem_buffer_new(length - record->image_bytes);
	memset(record->head->bytes, 0, record->head->length);
	take_txns(journal, record, count);
	seal_head(record, OSD_RECORD_TXNS, first_seq, count, (uint32_t)packed, images);
	record_submit(record, gather(record, sizeof(struct osd_disk_record_wire) + packed, images));
	return true;
}

/* ---- turning ----------------------------------------------------------------------------- */

static void pump(struct io_task *task)
{
	struct osd_journal *journal = (struct osd_journal *)((char *)task -
							     offsetof(struct osd_journal, pump));

	while (journal->waiting && is_ready(journal->waiting) && !journal->failed && !journal->held) {
		if (journal->writing_count >= OSD_WRITING_MAX)
			return;
		if (journal->writing_count && journal->waiting_bytes < journal->pipeline_bytes)
			return;
		if (!write_record(journal))
			return;
	}
}

void osd_journal_kick(struct osd_journal *journal)
{
	if (journal->waiting && is_ready(journal->waiting) && !journal->failed)
		io_defer(journal->io, &journal->pump);
}

uint64_t osd_journal_next_seq(struct osd_journal *journal)
{
	return journal->next_seq++;
}

void osd_journal_submit(struct osd_journal *journal, struct osd_txn *txn)
{
	assert(osd_journal_fits(journal, txn->packed.length, txn->image_count));
	txn->next = NULL;
	*journal->waiting_last = txn;
	journal->waiting_last = &txn->next;
	journal->waiting_bytes += txn->packed.length + (uint64_t)txn->image_count * OSD_BLOCK_BYTES;
	osd_journal_kick(journal);
}

/* Records become durable in order, whichever write is done first. */
static void record_written(struct io_disk *disk, int result)
{
	struct osd_record *record = (struct osd_record *)((char *)disk -
							  offsetof(struct osd_record, disk));
	struct osd_journal *journal = record->journal;

	if (result) {
		if (!journal->failed) {
			journal->failed = true;
			journal->calls->failed(journal->owner, result);
		}
		return;
	}
	record->written = true;
	while ((record = journal->writing) && record->written && !journal->failed) {
		journal->writing = record->next;
		if (!journal->writing)
			journal->writing_last = &journal->writing;
		journal->writing_count--;
		record->next = NULL;
		mem_buffer_put(record->head);
		mem_buffer_put(record->copies);
		record->head = record->copies = NULL;
		journal->calls->durable(journal->owner, record);
	}
	osd_journal_kick(journal);
}
