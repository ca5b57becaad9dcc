/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which blocks of the data area are in use: two bitmaps in memory.
 *
 * `used` is the state after all transactions made so far, and is what blocks are
 * taken from. `applied` follows the transactions as they are applied; its changed
 * parts go into the same batch of the key-value store, so that what is stored
 * is always exactly the state at applied_seq, and the replay of the journal
 * brings both bitmaps to the end. Start-up reads the bitmap, never the objects.
 *
 * A reserve is kept from ordinary requests: what a primary has promised to a
 * client, its replicas can always store, and a rank can always say that a file
 * is gone.
 */
#ifndef NACRE_SERVER_OSD_ALLOCATOR_H
#define NACRE_SERVER_OSD_ALLOCATOR_H

#include <stdbool.h>
#include <stdint.h>
#include "bars.h"
#include "kv.h"
#include "layout.h"

struct osd_alloc {
	uint64_t blocks;		/* of the data area */
	uint64_t free;			/* in `used` */
	uint64_t reserve;		/* blocks that ordinary requests leave free */
	uint64_t hint;			/* where the next search begins */
	uint64_t chunk_count;
	uint64_t *used;
	uint64_t *applied;
	uint32_t *chunk_free;		/* free blocks of each OSD_BITMAP_BLOCKS */
	bool *chunk_changed;		/* since the last osd_alloc_save() */
	struct osd_bars bars;		/* what may not be written directly, or not at all */
	uint64_t held;			/* from this block on so many are being discarded (discard.h): */
	uint32_t held_count;		/* nobody gets them, though they are free */
};

void osd_alloc_init(struct osd_alloc *alloc, uint64_t blocks);
void osd_alloc_fini(struct osd_alloc *alloc);

/*
 * Take one run of 1 to `want` blocks, as long as is found without a long search. None of those
 * to which something was written directly not long ago; for writing directly, none with a bar at all.
 * 0, or -ENOSPC: there is no such block. The reserve is the caller's to heed.
 */
int osd_alloc_take(struct osd_alloc *alloc, uint32_t want, bool direct, uint64_t *ret_block,
		   uint32_t *ret_count);
/* How many of `want` blocks, from this one on, could be taken. */
uint32_t osd_alloc_run(const struct osd_alloc *alloc, uint64_t block, uint32_t want, bool direct);
/* Give blocks back; they can be taken again at once, but for what bars forbid. */
void osd_alloc_give(struct osd_alloc *alloc, uint64_t block, uint32_t count);
/* Replay: mark as a transaction in the journal says, whatever was there. */
void osd_alloc_mark(struct osd_alloc *alloc, const struct osd_disk_space *space);
/* A transaction is being applied. */
void osd_alloc_applied(struct osd_alloc *alloc, const struct osd_disk_space *space);
/* Put the changed parts of `applied` into a batch. */
void osd_alloc_save(struct osd_alloc *alloc, struct kv_batch *batch);
/* One stored part, at start-up. 0 or -EBADMSG. */
int osd_alloc_load(struct osd_alloc *alloc, uint64_t chunk, const uint8_t *bytes, uint32_t length);

bool osd_alloc_is_used(const struct osd_alloc *alloc, uint64_t block);

#endif
