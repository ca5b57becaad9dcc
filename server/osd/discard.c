// SPDX-License-Identifier: GPL-2.0
/*
 * Discarding free blocks. See discard.h.
 */
#include <errno.h>
#include <string.h>
#include "server/base/mutate.h"
#include "store.h"

#define WAIT_MS 30000u			/* what is given back meanwhile is gathered */
#define UNIT_BYTES 65536u
#define RUN_BYTES_MAX (64u << 20)	/* of one discard: so much is held */
#define RUN_SHARE 16u			/* and no more than this part of a small store */
#define STEP_UNITS 65536u		/* looked at in one turn of the loop */
#define STEP_NS 1000000u
#define PAUSE_TIMES 3u			/* so many times as long as a discard took: clients have the device most of the time */
#define WORD_BITS 64u

static void fired(struct io_timer *timer);

static void arm(struct osd_discard *discard, uint64_t ns)
{
	struct io *io = discard->store->io;

	io_timer_arm(io, &discard->timer, io_now(io) + ns);
}

void osd_discard_init(struct osd_discard *discard, struct osd_store *store, const struct osd_store_config *config)
{
	uint64_t bytes = config->discard_bytes ? config->discard_bytes : UNIT_BYTES;
	uint64_t grain = io_file_units(store->io, store->file).discard;
	uint64_t first = store->super.data_offset / OSD_BLOCK_BYTES;

	if (!grain)
		grain = OSD_BLOCK_BYTES;	/* that it cannot is said when something is to be discarded */
	bytes = (bytes + grain - 1) / grain * grain;
	discard->store = store;
	discard->on = config->discard && !config->read_only;
	discard->wait_ms = config->discard_ms ? config->discard_ms : WAIT_MS;
	discard->unit = (uint32_t)(bytes / OSD_BLOCK_BYTES);
	discard->skip = (discard->unit - first % discard->unit) % discard->unit;
	if (discard->skip < store->super.data_blocks)
		discard->units = (store->super.data_blocks - discard->skip) / discard->unit;
	if (discard->on)
		discard->noted = mem_zero(discard->units / WORD_BITS + 1, sizeof(uint64_t));
	discard->timer.fire = fired;
}

void osd_discard_fini(struct osd_discard *discard)
{
	if (discard->store)
		io_timer_cancel(discard->store->io, &discard->timer);
	free(discard->noted);
	discard->noted = NULL;
}

bool osd_discard_is_busy(const struct osd_discard *discard)
{
	return discard->store && discard->store->alloc.held_count;
}

const char *osd_discard_name(const struct osd_discard *discard)
{
	return discard->refused ? "refused" : discard->on ? "on" : "off";
}

/* ---- what is noted ------------------------------------------------------------------------------ */

static void note(struct osd_discard *discard, uint64_t unit, bool given)
{
	uint64_t mask = 1ull << (unit % WORD_BITS);

	if (given)
		discard->noted[unit / WORD_BITS] |= mask;
	else if (discard->noted)
		discard->noted[unit / WORD_BITS] &= ~mask;
}

void osd_discard_given(struct osd_discard *discard, uint64_t block, uint32_t count)
{
	uint64_t unit = block < discard->skip ? 0 : (block - discard->skip) / discard->unit;

	if (!discard->noted || discard->refused || block + count <= discard->skip)
		return;
	for (; unit < discard->units && discard->skip + unit * discard->unit < block + count; unit++)
		note(discard, unit, true);
	discard->again = true;
	if (discard->state == OSD_DISCARD_IDLE) {
		discard->state = OSD_DISCARD_WAITS;
		arm(discard, discard->wait_ms * 1000000ull);
	}
	if (discard->state == OSD_DISCARD_WAITS && mutate(MUTATE_OSD_DISCARD_EARLY))
		arm(discard, 0);
}

/* The next unit that the sweep has to look at, from `at` on; `end`: none before it. */
static uint64_t next_unit(const struct osd_discard *discard, uint64_t at, uint64_t end)
{
	uint64_t word;

	while (at < end && !discard->all) {
		word = discard->noted ? discard->noted[at / WORD_BITS] >> (at % WORD_BITS) : 0;
		if (word) {
			at += (uint64_t)__builtin_ctzll(word);
			break;
		}
		at = (at / WORD_BITS + 1) * WORD_BITS;
	}
	return at < end ? at : end;
}

/* ---- the sweep ---------------------------------------------------------------------------------- */

static void end_sweep(struct osd_discard *discard)
{
	struct osd_store *store = discard->store;

	discard->state = OSD_DISCARD_IDLE;
	if (discard->all) {
		discard->done++;
		log_info(store->log, "store", "what is free is discarded, in units of %llu bytes: %llu bytes",
			 (unsigned long long)discard->unit * OSD_BLOCK_BYTES, (unsigned long long)discard->all_bytes);
	}
	discard->all = false;
	if (!discard->all_wanted && !(discard->on && discard->again))
		return;
	discard->state = OSD_DISCARD_WAITS;
	arm(discard, discard->all_wanted ? 0 : discard->wait_ms * 1000000ull);
}

/* The device cannot, which is no fault: said once. */
static void refuse(struct osd_discard *discard, int result)
{
	struct osd_store *store = discard->store;

	store->stats->discards_refused++;
	if (!discard->refused)
		log_warn(store->log, "store", "the device does not discard free blocks (%s): it is not told of them any more",
			 strerror(-result));
	discard->refused = true;
	discard->state = OSD_DISCARD_IDLE;
	discard->all = discard->all_wanted = discard->again = false;
	discard->done = discard->asked;
}

static void discarded(struct io_disk *disk, int result)
{
	struct osd_discard *discard = (struct osd_discard *)((char *)disk - offsetof(struct osd_discard, disk));
	struct osd_store *store = discard->store;
	uint64_t took = io_now(store->io) - discard->began_ns;

	store->alloc.held_count = 0;
	if (result) {
		refuse(discard, result);
	} else {
		store->stats->discards++;
		store->stats->bytes_discarded += disk->length;
		discard->all_bytes += discard->all ? disk->length : 0;
		arm(discard, took * PAUSE_TIMES > STEP_NS ? took * PAUSE_TIMES : STEP_NS);
	}
	osd_store_wake_space(store);
}

/* Discard `count` units, from `at` on. */
static void begin(struct osd_discard *discard, uint64_t count)
{
	struct osd_store *store = discard->store;
	struct osd_alloc *alloc = &store->alloc;
	uint64_t i;

	for (i = 0; i < count; i++)
		note(discard, discard->at + i, false);
	alloc->held = discard->skip + discard->at * discard->unit;
	alloc->held_count = (uint32_t)count * discard->unit;
	discard->at += count;
	discard->began_ns = io_now(store->io);
	memset(&discard->disk, 0, sizeof(discard->disk));
	discard->disk.kind = IO_DISK_DISCARD;
	discard->disk.file = store->file;
	discard->disk.offset = store->super.data_offset + alloc->held * OSD_BLOCK_BYTES;
	discard->disk.length = (uint64_t)alloc->held_count * OSD_BLOCK_BYTES;
	discard->disk.done = discarded;
	io_disk_submit(store->io, &discard->disk);
}

/* May all of a unit be discarded? If something of it is in use it is given back, and noted, later. */
static bool is_free(struct osd_discard *discard, uint64_t unit)
{
	const struct osd_alloc *alloc = &discard->store->alloc;
	uint64_t block = discard->skip + unit * discard->unit;
	uint32_t run = osd_alloc_run(alloc, block, discard->unit, !mutate(MUTATE_OSD_DISCARD_EARLY));

	if (run == discard->unit)
		return true;
	if (osd_alloc_is_used(alloc, block + run))
		note(discard, unit, false);
	else
		discard->again = true;
	return false;
}

static void sweep(struct osd_discard *discard)
{
	uint64_t end = discard->at + STEP_UNITS < discard->units ? discard->at + STEP_UNITS : discard->units;
	uint64_t most = RUN_BYTES_MAX / OSD_BLOCK_BYTES, count;

	if (most > discard->store->alloc.blocks / RUN_SHARE)
		most = discard->store->alloc.blocks / RUN_SHARE;
	while ((discard->at = next_unit(discard, discard->at, end)) < end) {
		for (count = 0; !count || (count + 1) * discard->unit <= most; count++)
			if (next_unit(discard, discard->at + count, end) != discard->at + count ||
			    discard->at + count == end || !is_free(discard, discard->at + count))
				break;
		if (count) {
			begin(discard, count);
			return;
		}
		discard->at++;
	}
	if (discard->at < discard->units)
		arm(discard, STEP_NS);
	else
		end_sweep(discard);
}

static void begin_sweep(struct osd_discard *discard)
{
	struct osd_store *store = discard->store;

	discard->state = OSD_DISCARD_SWEEPS;
	discard->due = discard->again = false;
	discard->at = 0;
	discard->all = discard->all_wanted;
	discard->all_wanted = false;
	if (discard->all)
		discard->all_bytes = 0;
	if (!io_file_units(store->io, store->file).discard)
		refuse(discard, -EOPNOTSUPP);
	else
		sweep(discard);
}

/* Is it worth it to have what rests trimmed before? */
static bool must_hurry(const struct osd_discard *discard)
{
	return !discard->due && osd_store_resting(discard->store) >= discard->unit && !mutate(MUTATE_OSD_DISCARD_EARLY);
}

static void fired(struct io_timer *timer)
{
	struct osd_discard *discard = (struct osd_discard *)((char *)timer - offsetof(struct osd_discard, timer));
	struct osd_store *store = discard->store;

	if (store->failed || store->closing)
		return;
	if (store->opening) {
		arm(discard, discard->wait_ms * 1000000ull);
	} else if (discard->state == OSD_DISCARD_SWEEPS) {
		sweep(discard);
	} else if (must_hurry(discard)) {
		discard->due = true;
		arm(discard, discard->wait_ms * 1000000ull);
		osd_store_want_space(store);
	} else {
		begin_sweep(discard);
	}
}

void osd_discard_trimmed(struct osd_discard *discard)
{
	if (discard->due)
		arm(discard, 0);
}

void osd_discard_ask(struct osd_discard *discard)
{
	if (discard->all || discard->all_wanted)
		return;
	discard->asked++;
	discard->all_wanted = true;
	discard->refused = false;
	if (discard->state == OSD_DISCARD_SWEEPS)
		return;
	discard->state = OSD_DISCARD_WAITS;
	discard->due = false;
	arm(discard, 0);
}
