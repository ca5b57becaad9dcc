/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Telling the device which blocks are free, in the background (decision 0021): those that were given back (osd_discard = on), or, when an
 * operator asks (nacre trim), all that are free.
 *
 *	IDLE ──given back──▶ WAITS ──a while, and what rests is applied and trimmed──▶ SWEEPS ──the end──▶ IDLE
 *	                                                        │ ▲
 *	                                   a run of units, held ▼ │ pause
 *	                                                   under way at the device
 *
 * A block is discarded only if it could be taken for writing directly: free, and without a bar (bars.h). So what freed it is durable, no
 * record that can be replayed speaks of it, and no image of it is on its way. While it is under way it is *held*, and nobody can take
 * it: a write and a discard of one block never meet. What a discarded block reads as is nobody's business, as no free block is ever read.
 *
 * The area is cut into *units*, the least that is worth it, aligned on the device. One bit says that something of a unit was given back;
 * a unit of which something is in use loses it, as it gets it again before all of it is free.
 */
#ifndef NACRE_SERVER_OSD_DISCARD_H
#define NACRE_SERVER_OSD_DISCARD_H

#include <stdbool.h>
#include <stdint.h>
#include "server/base/io.h"

struct osd_store;
struct osd_store_config;

enum osd_discard_state {
	OSD_DISCARD_IDLE,
	OSD_DISCARD_WAITS,
	OSD_DISCARD_SWEEPS,
};

struct osd_discard {
	struct osd_store *store;
	enum osd_discard_state state;
	bool on;			/* what is given back is discarded without being asked for */
	bool refused;			/* the device cannot: not tried again until somebody asks */
	bool due;			/* WAITS: what rests has been hurried */
	bool all;			/* SWEEPS: all that is free, not only what was given back */
	bool all_wanted;		/* the next sweep is of all */
	bool again;			/* something is left for another sweep */
	uint32_t wait_ms;
	uint32_t unit;			/* blocks */
	uint64_t skip;			/* blocks before unit 0 */
	uint64_t units;
	uint64_t at;			/* SWEEPS: the next one */
	uint64_t *noted;		/* a bit for each; NULL: off */
	struct io_timer timer;
	struct io_disk disk;		/* under way: as long as blocks are held (allocator.h) */
	uint64_t began_ns;
	uint64_t asked, done;		/* sweeps of all, since the start */
	uint64_t all_bytes;		/* that the last of them has discarded */
};

/* Device and allocator are known. */
void osd_discard_init(struct osd_discard *discard, struct osd_store *store, const struct osd_store_config *config);
/* Nothing is under way, or it never ends. */
void osd_discard_fini(struct osd_discard *discard);
/* A transaction gives blocks back. */
void osd_discard_given(struct osd_discard *discard, uint64_t block, uint32_t count);
/* Bars were lifted. */
void osd_discard_trimmed(struct osd_discard *discard);
/* Discard all that is free. Harmless while that is under way. */
void osd_discard_ask(struct osd_discard *discard);
bool osd_discard_is_busy(const struct osd_discard *discard);
/* off, on, or refused. */
const char *osd_discard_name(const struct osd_discard *discard);

#endif
