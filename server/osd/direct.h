/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writing data to its place before its record is journaled (journal modes `cow` and `ordered`).
 *
 *	submit ──its intent, if it has one, is durable──▶ writing ──all of its writes are done──▶ written ──flush──▶ durable ──▶ the record
 *
 * A transaction with such data waits in the journal's queue, and all behind it wait too, until a flush of the
 * device has ended that began after its last write. One flush serves all that were written when it
 * began, and it begins only when those are written that were under way when the first of them was. So a record in the journal never points to bytes that a loss of power could still take.
 *
 * The blocks are nobody's when they are written: taken by this transaction, or allocated and never written, and without a
 * bar (bars.h); or an intent tells that they are being overwritten (intents.h). Until its writes are done readers find the bytes among the images; then on the device.
 */
#ifndef NACRE_SERVER_OSD_DIRECT_H
#define NACRE_SERVER_OSD_DIRECT_H

#include "server/base/io.h"
#include "txn.h"

struct osd_store;

struct osd_direct {
	struct osd_store *store;
	struct osd_txn *first, **last;	/* in the order of submission, by txn->next_direct, until durable */
	uint64_t bytes;			/* of them */
	uint64_t last_seq;		/* of the newest */
	uint64_t gather_seq;		/* the next flush waits for the writes up to this one; 0: nothing is written yet */
	bool flushing;
	struct io_disk sync;
	struct io_task pump;
};

void osd_direct_init(struct osd_direct *direct, struct osd_store *store);
/* The transaction has been submitted: begin its writes. */
void osd_direct_begin(struct osd_direct *direct, struct osd_txn *txn);
/* Intents up to this transaction are durable: begin the writes that have waited for them. */
void osd_direct_intended(struct osd_direct *direct, uint64_t seq);

#endif
