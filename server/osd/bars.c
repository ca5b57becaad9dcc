// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks that may not be written directly. See bars.h.
 */
#include "bars.h"
#include "layout.h"
#include "mem.h"

#define CHUNK_WORDS (OSD_BITMAP_BLOCKS / 64u)

void osd_bars_init(struct osd_bars *bars, uint64_t chunk_count)
{
	int kind, generation;

	memset(bars, 0, sizeof(*bars));
	bars->chunk_count = chunk_count;
	for (kind = 0; kind < OSD_BAR_KINDS; kind++)
		for (generation = 0; generation < 2; generation++)
			bars->maps[kind][generation] = mem_zero(chunk_count, sizeof(uint64_t *));
}

static void lift(struct osd_bars *bars, int generation)
{
	uint64_t chunk;
	int kind;

	for (kind = 0; kind < OSD_BAR_KINDS; kind++) {
		for (chunk = 0; bars->count[generation] && chunk < bars->chunk_count; chunk++) {
			free(bars->maps[kind][generation][chunk]);
			bars->maps[kind][generation][chunk] = NULL;
		}
	}
	bars->count[generation] = 0;
	bars->last_seq[generation] = 0;
}

void osd_bars_fini(struct osd_bars *bars)
{
	int kind, generation;

	for (generation = 0; generation < 2; generation++)
		lift(bars, generation);
	for (kind = 0; kind < OSD_BAR_KINDS; kind++)
		for (generation = 0; generation < 2; generation++)
			free(bars->maps[kind][generation]);
	memset(bars, 0, sizeof(*bars));
}

void osd_bars_set(struct osd_bars *bars, enum osd_bar kind, uint64_t block, uint32_t count, uint64_t seq)
{
	uint64_t **chunk;

	bars->count[0] += count;
	if (seq > bars->last_seq[0])
		bars->last_seq[0] = seq;
	for (; count; count--, block++) {
		chunk = &bars->maps[kind][0][block / OSD_BITMAP_BLOCKS];
		if (!*chunk)
			*chunk = mem_zero(CHUNK_WORDS, sizeof(uint64_t));
		(*chunk)[block / 64 % CHUNK_WORDS] |= 1ull << (block % 64);
	}
}

void osd_bars_give(struct osd_bars *bars, uint64_t block, uint32_t count, uint64_t seq)
{
	bars->given[0] += count;
	osd_bars_set(bars, OSD_BAR_RESTING, block, count, seq);
}

uint64_t osd_bars_word(const struct osd_bars *bars, uint64_t block, bool direct_only)
{
	uint64_t word = 0, chunk = block / OSD_BITMAP_BLOCKS;
	int kind, generation;

	for (kind = direct_only ? OSD_BAR_DIRECT : 0; kind < OSD_BAR_KINDS; kind++)
		for (generation = 0; generation < 2; generation++)
			if (bars->maps[kind][generation][chunk])
				word |= bars->maps[kind][generation][chunk][block / 64 % CHUNK_WORDS];
	return word;
}

bool osd_bars_has(const struct osd_bars *bars, uint64_t block, bool direct_only)
{
	return osd_bars_word(bars, block, direct_only) >> (block % 64) & 1;
}

/* The present generation becomes the old one when that is gone: twice, and nothing at all is barred. */
void osd_bars_trimmed(struct osd_bars *bars, uint64_t seq)
{
	uint64_t **maps;
	int turn, kind;

	for (turn = 0; turn < 2 && bars->last_seq[1] <= seq; turn++) {
		lift(bars, 1);
		for (kind = 0; kind < OSD_BAR_KINDS; kind++) {
			maps = bars->maps[kind][0];
			bars->maps[kind][0] = bars->maps[kind][1];
			bars->maps[kind][1] = maps;
		}
		bars->count[1] = bars->count[0];
		bars->last_seq[1] = bars->last_seq[0];
		bars->given[1] = bars->given[0];
		bars->count[0] = bars->given[0] = bars->last_seq[0] = 0;
	}
}
