/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The journal: a ring of records on the device, each one group commit. All
 * transactions that wait at one time go into one write and one flush; when much
 * is waiting, the next record is written while the one before is under way.
 *
 * Positions count bytes without end; the place in the ring is the position
 * modulo its size. A record begins on a block of its own and takes whole ones, of
 * which what is behind its end need not be written (`unit`, decision 0019).
 * A record never wraps: one of kind SKIP fills the ring's end.
 * What lies between `tail` and `head` is still needed. The journal has no pointers of
 * its own at rest: where replay begins stands in the key-value store's state
 * (layout.h), and where it ends is found by the chain of records.
 *
 *	           tail                          head
 *	  ...free...|  applied, not flushed | durable | under way |...free...
 *
 * A transaction is durable when its record and all records before it are. A
 * full ring makes transactions wait, it is no error. A failed write ends the store.
 */
#ifndef NACRE_SERVER_OSD_JOURNAL_H
#define NACRE_SERVER_OSD_JOURNAL_H

#include "server/base/io.h"
#include "txn.h"

#define OSD_RECORD_BYTES_MAX (8u << 20)	/* of a record with more than one transaction */
#define OSD_WRITING_MAX 4u		/* records under way, SKIP included: what a loss of power may tear (journal_scan.c) */

/* One group commit, from its making until it is applied. */
struct osd_record {
	struct osd_record *next;	/* journal's, then write-back's, in order */
	uint64_t record;		/* its number */
	uint64_t position;
	uint64_t length;		/* in the ring: bytes, a multiple of the block */
	uint64_t chain_after;		/* hash of its head: what the next one carries */
	struct osd_txn *txns, **txns_last;
	uint64_t last_seq;		/* of its last transaction, or the one before it */
	uint64_t image_bytes;
	uint64_t durable_ns;		/* since when; io_now */
	bool written;
	struct osd_journal *journal;
	struct mem_buffer *head;	/* head and transactions, padded */
	struct mem_buffer *copies;	/* of images, when they lie in too many pieces; else NULL */
	struct io_disk disk;
	struct iovec *iov;
};

struct osd_journal_owner {
	/* Durable; the owner takes the record over. */
	void (*durable)(void *owner, struct osd_record *record);
	/* Transactions wait because the ring is full. */
	void (*full)(void *owner);
	/* The device failed: nothing more will become durable. */
	void (*failed)(void *owner, int result);
};

struct osd_journal {
	struct io *io;
	struct io_file *file;
	uint64_t offset;		/* of the ring on the device */
	uint64_t bytes;			/* of the ring */
	uint64_t store_lo;
	uint32_t unit;			/* a write's length is a multiple of it */
	uint64_t pipeline_bytes;	/* so much waiting is worth a record of its own beside those under way */
	uint64_t head, tail;		/* positions */
	uint64_t next_record;
	uint64_t chain;			/* hash of the newest record's head */
	uint64_t next_seq;
	struct osd_txn *waiting, **waiting_last;
	uint64_t waiting_bytes;
	struct osd_record *writing, **writing_last;	/* in order */
	unsigned int writing_count;
	struct io_task pump;
	bool held;			/* the owner's: make no new records now */
	bool failed;
	const struct osd_journal_owner *calls;
	void *owner;
	uint64_t *bytes_written;	/* counters of the owner */
	uint64_t *flushes;
};

void osd_journal_init(struct osd_journal *journal, struct io *io, struct io_file *file,
		      const struct osd_disk_super *super, const struct osd_journal_owner *calls,
		      void *owner);
/*
 * A record is written up to a multiple of the device's physical sector, or of `wanted`, if that is not 0. Not of the logical
 * sector: where that is smaller, the device reads what else is in the physical one and writes all of it, which costs more than it
 * spares, and a loss of power then may take the whole. That takes nothing else: a record shares no block with another.
 */
void osd_journal_set_unit(struct osd_journal *journal, uint32_t wanted);
/* Begin where the stored state says; nothing is written yet. */
void osd_journal_begin(struct osd_journal *journal, const struct osd_disk_state *state);
/* Frees what was not yet durable. */
void osd_journal_fini(struct osd_journal *journal);

/* Can a transaction with so many images and packed bytes ever be journaled? */
bool osd_journal_fits(const struct osd_journal *journal, uint64_t packed_bytes, uint32_t image_count);

/* Queue a packed transaction; it gets its seq beforehand from osd_journal_next_seq(). */
uint64_t osd_journal_next_seq(struct osd_journal *journal);
void osd_journal_submit(struct osd_journal *journal, struct osd_txn *txn);
/* Look again for work: space was made, or `held` ended. */
void osd_journal_kick(struct osd_journal *journal);
/* Everything before this position is not needed any more. */
void osd_journal_trim(struct osd_journal *journal, uint64_t position);

/* Bytes between tail and head. */
static inline uint64_t osd_journal_used(const struct osd_journal *journal)
{
	return journal->head - journal->tail;
}

void osd_record_free(struct osd_record *record);

/* ---- replay: journal_scan.c ------------------------------------------------------- */

struct osd_scan_owner {
	/* A whole record; the owner takes it over. True: go on; false: osd_scan_resume() will follow. */
	bool (*found)(void *owner, struct osd_record *record);
	/* The end of the journal is found, the journal stands behind it; or -EIO; or -EBADMSG: there it is damaged. */
	void (*done)(void *owner, int result);
};

struct osd_scan {
	struct osd_journal *journal;
	uint64_t applied_seq;		/* transactions up to it are left out */
	struct mem_buffer *window;	/* what of the ring is in memory */
	uint64_t window_position;
	uint64_t ahead, ahead_end;	/* what is looked at behind the end */
	struct io_disk disk;
	struct iovec iov;
	const struct osd_scan_owner *calls;
	void *owner;
};

/* Walk the records from the journal's head on. */
void osd_scan_start(struct osd_scan *scan, struct osd_journal *journal, uint64_t applied_seq,
		    const struct osd_scan_owner *calls, void *owner);
void osd_scan_resume(struct osd_scan *scan);

#endif
