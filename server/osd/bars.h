/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Blocks that may not be written directly, as a record that can still be replayed
 * speaks of them (OSD-4):
 *
 *	RESTING	the record has an image for the block, gives it back, or makes it
 *		unwritten: replay would put the image over what is written now, or
 *		what the block holds is still somebody's until the record is safe
 *	DIRECT	the record points to what was written directly: REC-1 reads it there
 *		again. Nothing else may be put there, not even by write-back
 *
 * A bar is set when its transaction is submitted (or replayed) and lifted when the journal is trimmed
 * behind it. Bars are not counted: they are set in the present of two generations, and a generation is
 * forgotten as a whole when the last transaction that set a bar in it is trimmed.
 */
#ifndef NACRE_SERVER_OSD_BARS_H
#define NACRE_SERVER_OSD_BARS_H

#include <stdbool.h>
#include <stdint.h>

enum osd_bar {
	OSD_BAR_RESTING,
	OSD_BAR_DIRECT,
	OSD_BAR_KINDS,
};

struct osd_bars {
	uint64_t chunk_count;			/* of OSD_BITMAP_BLOCKS blocks */
	uint64_t **maps[OSD_BAR_KINDS][2];	/* by generation, 0 is the present one; a chunk without bars is NULL */
	uint64_t count[2];			/* set in each generation */
	uint64_t given[2];			/* of these, for blocks that were given back */
	uint64_t last_seq[2];			/* the last transaction that set one */
};

void osd_bars_init(struct osd_bars *bars, uint64_t chunk_count);
void osd_bars_fini(struct osd_bars *bars);
/* Transaction `seq` sets a bar. */
void osd_bars_set(struct osd_bars *bars, enum osd_bar kind, uint64_t block, uint32_t count, uint64_t seq);
/* It gives blocks back: they rest. */
void osd_bars_give(struct osd_bars *bars, uint64_t block, uint32_t count, uint64_t seq);
/* Has the block a bar, of whatever kind, or with `direct_only` of that one? */
bool osd_bars_has(const struct osd_bars *bars, uint64_t block, bool direct_only);
/* The same for 64 blocks that begin at a multiple of 64, as bits. */
uint64_t osd_bars_word(const struct osd_bars *bars, uint64_t block, bool direct_only);
/* All transactions up to `seq` are trimmed. */
void osd_bars_trimmed(struct osd_bars *bars, uint64_t seq);

#endif
