// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the journal at start-up: from where the key-value store's state says,
 * record by record, until one does not continue the chain. That is the torn or
 * unwritten tail: nothing behind it was ever acknowledged. If records behind it show that it was, the journal is damaged.
 * See journal.h.
 */
#include <assert.h>
#include <errno.h>
#include <xxhash.h>
#include "journal.h"
#include "server/base/crc.h"

#define WINDOW_BYTES (1u << 20)

static void step(struct osd_scan *scan);

/* ---- the window ------------------------------------------------------------------------ */

static void window_read(struct io_disk *disk, int result)
{
	struct osd_scan *scan = (struct osd_scan *)((char *)disk - offsetof(struct osd_scan, disk));

	if (result) {
		mem_buffer_put(scan->window);
		scan->window = NULL;
		scan->calls->done(scan->owner, result);
		return;
	}
	step(scan);
}

static void read_ring(struct osd_scan *scan, uint64_t ring_at, uint64_t bytes,
		      void (*done)(struct io_disk *disk, int result))
{
	struct osd_journal *journal = scan->journal;

	mem_buffer_put(scan->window);
	scan->window = mem_buffer_new(bytes);
	scan->iov = (struct iovec){ scan->window->bytes, bytes };
	memset(&scan->disk, 0, sizeof(scan->disk));
	scan->disk.kind = IO_DISK_READ;
	scan->disk.file = journal->file;
	scan->disk.iov = &scan->iov;
	scan->disk.iov_count = 1;
	scan->disk.offset = journal->offset + ring_at;
	scan->disk.done = done;
	io_disk_submit(journal->io, &scan->disk);
}

/* Are [head, +length) in the window? If not, they are being read. */
static const uint8_t *window_at(struct osd_scan *scan, uint64_t length)
{
	struct osd_journal *journal = scan->journal;
	uint64_t ring_at = journal->head % journal->bytes;
	uint64_t want = length > WINDOW_BYTES ? length : WINDOW_BYTES;

	if (scan->window && journal->head >= scan->window_position &&
	    journal->head + length <= scan->window_position + scan->window->length)
		return scan->window->bytes + (journal->head - scan->window_position);
	if (want > journal->bytes - ring_at)
		want = journal->bytes - ring_at;
	scan->window_position = journal->head;
	read_ring(scan, ring_at, want, window_read);
	return NULL;
}

/* ---- records ------------------------------------------------------------------------------ */

/* Is this the head of the next record? Fills its length in the ring. */
static bool head_continues(const struct osd_journal *journal, const uint8_t *bytes,
			   struct osd_disk_record *head, uint64_t *ret_length)
{
	uint64_t left = journal->bytes - journal->head % journal->bytes;
	struct nacre_reader r = nacre_reader(bytes, sizeof(struct osd_disk_record_wire));
	uint64_t length;

	if (!osd_disk_sealed(bytes, sizeof(struct osd_disk_record_wire)) ||
	    nacre_decode(osd_disk_record_desc(), &r, head))
		return false;
	if (head->magic != OSD_RECORD_MAGIC || head->store_lo != journal->store_lo ||
	    head->record != journal->next_record || head->chain != journal->chain)
		return false;
	if (head->kind == OSD_RECORD_SKIP)
		length = (uint64_t)head->skip_blocks * OSD_BLOCK_BYTES;
	else
		length = (sizeof(struct osd_disk_record_wire) + (uint64_t)head->txn_bytes +
			  OSD_BLOCK_BYTES - 1) / OSD_BLOCK_BYTES * OSD_BLOCK_BYTES +
			 (uint64_t)head->image_count * OSD_BLOCK_BYTES;
	*ret_length = length;
	return length && length <= left;
}

static void drop_txns(struct osd_record *record)
{
	struct osd_txn *txn;

	while ((txn = record->txns)) {
		record->txns = txn->next;
		osd_txn_free(txn);
	}
}

/* Transactions that the key-value store has already are left out. */
static int unpack_record(struct osd_scan *scan, const struct osd_disk_record *head,
			 const uint8_t *bytes, uint64_t length, struct osd_record *record)
{
	const uint8_t *txns = bytes + sizeof(struct osd_disk_record_wire);
	const uint8_t *images = bytes + length - (uint64_t)head->image_count * OSD_BLOCK_BYTES;
	struct nacre_reader r = nacre_reader(txns, head->txn_bytes);
	struct osd_txn *txn;
	uint32_t i;

	if (crc_of(txns, head->txn_bytes) != head->txn_crc)
		return -EBADMSG;
	for (i = 0; i < head->txn_count; i++) {
		if (osd_txn_unpack(&r, scan->window, &images, bytes + length, &txn))
			return -EBADMSG;
		if (txn->seq != head->first_seq + i) {
			osd_txn_free(txn);
			return -EBADMSG;
		}
		record->last_seq = txn->seq;
		if (txn->seq <= scan->applied_seq) {
			osd_txn_free(txn);
			continue;
		}
		record->image_bytes += (uint64_t)txn->image_count * OSD_BLOCK_BYTES;
		*record->txns_last = txn;
		record->txns_last = &txn->next;
	}
	return nacre_reader_left(&r) ? -EBADMSG : 0;
}

static void finish(struct osd_scan *scan)
{
	mem_buffer_put(scan->window);
	scan->window = NULL;
	scan->calls->done(scan->owner, 0);
}

/* The record at the head is whole: the journal moves behind it. */
static void advance(struct osd_journal *journal, struct osd_record *record, uint64_t length,
		    const uint8_t *bytes)
{
	record->journal = journal;
	record->record = journal->next_record++;
	record->position = journal->head;
	record->length = length;
	journal->chain = XXH64(bytes, sizeof(struct osd_disk_record_wire), 0);
	record->chain_after = journal->chain;
	journal->head += length;
	if (record->last_seq >= journal->next_seq)
		journal->next_seq = record->last_seq + 1;
}

/* Look at one record. True: there was one, and the owner wants more. */
static bool scan_one(struct osd_scan *scan, bool *ret_end)
{
	struct osd_journal *journal = scan->journal;
	struct osd_record *record;
	struct osd_disk_record head;
	const uint8_t *bytes;
	uint64_t length;

	*ret_end = false;
	bytes = window_at(scan, OSD_BLOCK_BYTES);
	if (!bytes)
		return false;
	if (osd_journal_used(journal) >= journal->bytes ||
	    !head_continues(journal, bytes, &head, &length)) {
		*ret_end = true;
		return false;
	}
	record = mem_zero(1, sizeof(*record));
	record->txns_last = &record->txns;
	record->last_seq = journal->next_seq - 1;
	if (head.kind == OSD_RECORD_TXNS) {
		bytes = window_at(scan, length);
		if (!bytes) {
			free(record);
			return false;
		}
		if (unpack_record(scan, &head, bytes, length, record)) {
			drop_txns(record);
			free(record);
			*ret_end = true;
			return false;
		}
	}
	advance(journal, record, length, bytes);
	return scan->calls->found(scan->owner, record);
}

/* ---- behind the end ------------------------------------------------------------------------- */

/*
 * A torn tail is a few records at most, those that were being written when the power went. One so much newer is there
 * only if all up to here had been durable: then what cannot be read here is no tail, but damage, and what was
 * acknowledged is missing.
 */
static bool is_much_newer(const struct osd_journal *journal, const uint8_t *bytes)
{
	struct nacre_reader r = nacre_reader(bytes, sizeof(struct osd_disk_record_wire));
	struct osd_disk_record head;

	return osd_disk_sealed(bytes, sizeof(struct osd_disk_record_wire)) &&
	       !nacre_decode(osd_disk_record_desc(), &r, &head) && head.magic == OSD_RECORD_MAGIC &&
	       head.store_lo == journal->store_lo && head.record >= journal->next_record + OSD_WRITING_MAX;
}

static void read_ahead(struct osd_scan *scan);

static void ahead_read(struct io_disk *disk, int result)
{
	struct osd_scan *scan = (struct osd_scan *)((char *)disk - offsetof(struct osd_scan, disk));
	size_t at;

	for (at = 0; !result && at < scan->iov.iov_len; at += OSD_BLOCK_BYTES)
		if (is_much_newer(scan->journal, scan->window->bytes + at))
			result = -EBADMSG;
	scan->ahead += scan->iov.iov_len;
	if (!result && scan->ahead < scan->ahead_end) {
		read_ahead(scan);
		return;
	}
	mem_buffer_put(scan->window);
	scan->window = NULL;
	scan->calls->done(scan->owner, result);
}

static void read_ahead(struct osd_scan *scan)
{
	struct osd_journal *journal = scan->journal;
	uint64_t ring_at = scan->ahead % journal->bytes, want = scan->ahead_end - scan->ahead;

	if (want > WINDOW_BYTES)
		want = WINDOW_BYTES;
	if (want > journal->bytes - ring_at)
		want = journal->bytes - ring_at;
	read_ring(scan, ring_at, want, ahead_read);
}

/* The end is found: is it one? */
static void look_ahead(struct osd_scan *scan)
{
	struct osd_journal *journal = scan->journal;
	uint64_t bytes = journal->bytes - osd_journal_used(journal);

	if (bytes > (uint64_t)OSD_WRITING_MAX * OSD_RECORD_BYTES_MAX)
		bytes = (uint64_t)OSD_WRITING_MAX * OSD_RECORD_BYTES_MAX;
	scan->ahead = journal->head;
	scan->ahead_end = journal->head + bytes;
	if (bytes)
		read_ahead(scan);
	else
		finish(scan);
}

static void step(struct osd_scan *scan)
{
	bool end;

	while (scan_one(scan, &end))
		;
	if (end)
		look_ahead(scan);
}

void osd_scan_start(struct osd_scan *scan, struct osd_journal *journal, uint64_t applied_seq,
		    const struct osd_scan_owner *calls, void *owner)
{
	memset(scan, 0, sizeof(*scan));
	scan->journal = journal;
	scan->applied_seq = applied_seq;
	scan->calls = calls;
	scan->owner = owner;
	step(scan);
}

void osd_scan_resume(struct osd_scan *scan)
{
	step(scan);
}
