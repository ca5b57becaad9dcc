/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replay's reading of what was written directly (direct.h). The journal does not hold these bytes, and
 * most transactions are known to be committed by the time the journal has been read: nobody asks for their
 * payload again. For the few that are not (REC-1) it is read from where it was written, which the
 * bars keep as it is. Until then write-back leaves their records alone.
 */
#ifndef NACRE_SERVER_OSD_REFILL_H
#define NACRE_SERVER_OSD_REFILL_H

#include "store.h"

struct osd_refill {
	struct osd_store *store;
	struct osd_record *record;	/* of the write-back's queue */
	struct osd_txn *txn;		/* of the record, NULL: none is being read */
	uint32_t at;			/* of its direct blocks */
	bool running;
	struct osd_block_read read;
	void (*done)(struct osd_refill *refill, int result);
};

/* Go over all that write-back has queued. `done` follows, perhaps at once. */
void osd_refill_start(struct osd_refill *refill);

#endif
