/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Applying what the journal holds: lazily, in batches of whole records, in order.
 *
 *	images to their blocks → flush of the device → one batch of keys, with
 *	applied_seq and the journal's position → the transactions are forgotten
 *
 * and, when much of the journal is held only by batches that are not durable:
 *
 *	flush of the key-value store → the journal is trimmed up to that batch
 *
 * The flush of the device comes before the batch because the key-value store may
 * make a batch durable whenever it likes, and replay will not come back to it.
 */
#ifndef NACRE_SERVER_OSD_WRITEBACK_H
#define NACRE_SERVER_OSD_WRITEBACK_H

#include "journal.h"
#include "kv.h"

struct osd_store;

enum osd_writeback_state {
	OSD_WRITEBACK_IDLE,
	OSD_WRITEBACK_IMAGES,		/* writes of blocks are under way */
	OSD_WRITEBACK_DEVICE,		/* the device is being flushed */
	OSD_WRITEBACK_KEYS,		/* the batch is being applied */
};

struct osd_writeback {
	struct osd_store *store;
	enum osd_writeback_state state;
	struct osd_record *queue, **queue_last;	/* durable, not applied, in order */
	uint64_t queue_images;		/* bytes of images in them */
	uint64_t queue_bytes;		/* of the journal that they hold */
	unsigned int batch_records;	/* of the queue, being applied */
	uint64_t batch_seq;		/* last transaction of the batch */
	unsigned int writes;		/* under way */
	int write_result;
	struct osd_disk_state applied;	/* as of the last batch that is done */
	struct osd_disk_state next;	/* as the batch being applied will leave it */
	struct kv_batch batch;
	struct io_disk sync;
	struct kv_flush flush;
	bool flushing;
	uint64_t flush_position;	/* to which the flush lets the journal be trimmed */
	uint64_t flush_seq;		/* the last transaction before it */
	uint64_t flushed_position;
	struct io_timer timer;
	uint32_t wait_ms;
	uint64_t trim_bytes;		/* see store.h */
	bool all;			/* do not wait: closing, or the journal is full */
	void (*idle)(struct osd_store *store);	/* nothing is left and all is flushed; may be NULL */
};

void osd_writeback_init(struct osd_writeback *wb, struct osd_store *store, uint32_t wait_ms);
/* Free what is queued; the store's sets do not know of it any more. */
void osd_writeback_fini(struct osd_writeback *wb);
/* Where the stored state stands, at start-up. */
void osd_writeback_begin(struct osd_writeback *wb, const struct osd_disk_state *state);
/* A record is durable. */
void osd_writeback_add(struct osd_writeback *wb, struct osd_record *record);
/* The journal needs room: apply and flush now. */
void osd_writeback_hurry(struct osd_writeback *wb);
/* Apply and flush everything, then call `idle`. */
void osd_writeback_drain(struct osd_writeback *wb, void (*idle)(struct osd_store *store));
/* Is anything under way on disk or key-value store? */
bool osd_writeback_busy(const struct osd_writeback *wb);

#endif
