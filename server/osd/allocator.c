// SPDX-License-Identifier: GPL-2.0
/*
 * The block allocator. See allocator.h.
 */
#include <assert.h>
#include <errno.h>
#include "allocator.h"

#define WORD_BITS 64u
#define CHUNK_WORDS (OSD_BITMAP_BLOCKS / WORD_BITS)
#define SEARCH_RUNS 256u	/* free runs looked at before the longest of them must do */

static bool bit(const uint64_t *map, uint64_t block)
{
	return map[block / WORD_BITS] >> (block % WORD_BITS) & 1;
}

/* Set or clear one bit; returns whether that changed it. */
static bool bit_set(uint64_t *map, uint64_t block, bool value)
{
	uint64_t mask = 1ull << (block % WORD_BITS);
	uint64_t *word = &map[block / WORD_BITS];

	if (!!(*word & mask) == value)
		return false;
	*word ^= mask;
	return true;
}

void osd_alloc_init(struct osd_alloc *alloc, uint64_t blocks)
{
	uint64_t block, end;

	memset(alloc, 0, sizeof(*alloc));
	alloc->blocks = blocks;
	alloc->free = blocks;
	alloc->chunk_count = (blocks + OSD_BITMAP_BLOCKS - 1) / OSD_BITMAP_BLOCKS;
	alloc->used = mem_zero(alloc->chunk_count * CHUNK_WORDS, sizeof(uint64_t));
	alloc->applied = mem_zero(alloc->chunk_count * CHUNK_WORDS, sizeof(uint64_t));
	alloc->chunk_free = mem_zero(alloc->chunk_count, sizeof(uint32_t));
	alloc->chunk_changed = mem_zero(alloc->chunk_count, sizeof(bool));
	osd_bars_init(&alloc->bars, alloc->chunk_count);
	for (block = 0; block < alloc->chunk_count; block++)
		alloc->chunk_free[block] = OSD_BITMAP_BLOCKS;
	/* What the last chunk has beyond the end is never free. */
	end = alloc->chunk_count * OSD_BITMAP_BLOCKS;
	for (block = blocks; block < end; block++) {
		bit_set(alloc->used, block, true);
		alloc->chunk_free[block / OSD_BITMAP_BLOCKS]--;
	}
	/* A fiftieth, so that a small store keeps room too and a large one does not waste it. */
	alloc->reserve = blocks / 50 < 65536 ? blocks / 50 : 65536;
}

void osd_alloc_fini(struct osd_alloc *alloc)
{
	free(alloc->used);
	free(alloc->applied);
	free(alloc->chunk_free);
	free(alloc->chunk_changed);
	osd_bars_fini(&alloc->bars);
	memset(alloc, 0, sizeof(*alloc));
}

/* Which of the block's 64 are held. */
static uint64_t held_word(const struct osd_alloc *alloc, uint64_t block)
{
	uint64_t first = block - block % WORD_BITS, end = alloc->held + alloc->held_count, word = UINT64_MAX;

	if (end <= first || alloc->held >= first + WORD_BITS)
		return 0;
	if (alloc->held > first)
		word <<= alloc->held - first;
	if (end < first + WORD_BITS)
		word &= ~(UINT64_MAX << (end - first));
	return word;
}

/* 64 blocks as bits: which cannot be taken. */
static uint64_t word_at(const struct osd_alloc *alloc, uint64_t block, bool direct)
{
	return alloc->used[block / WORD_BITS] | osd_bars_word(&alloc->bars, block, !direct) |
	       held_word(alloc, block);
}

/* The first block in [from, end) that can be taken, or end. */
static uint64_t find_free(const struct osd_alloc *alloc, uint64_t from, uint64_t end, bool direct)
{
	uint64_t word;

	while (from < end) {
		if (!alloc->chunk_free[from / OSD_BITMAP_BLOCKS]) {
			from = (from / OSD_BITMAP_BLOCKS + 1) * OSD_BITMAP_BLOCKS;
			continue;
		}
		word = ~word_at(alloc, from, direct) >> (from % WORD_BITS);
		if (word) {
			from += (uint64_t)__builtin_ctzll(word);
			return from < end ? from : end;
		}
		from = (from / WORD_BITS + 1) * WORD_BITS;
	}
	return end;
}

uint32_t osd_alloc_run(const struct osd_alloc *alloc, uint64_t block, uint32_t want, bool direct)
{
	uint64_t at = block, end = want < alloc->blocks - block ? block + want : alloc->blocks, word;

	while (at < end) {
		word = word_at(alloc, at, direct) >> (at % WORD_BITS);
		if (word) {
			at += (uint64_t)__builtin_ctzll(word);
			break;
		}
		at = (at / WORD_BITS + 1) * WORD_BITS;
	}
	return (uint32_t)((at < end ? at : end) - block);
}

/* Look for a run in [from, end): the first that is long enough, or the longest of the first few. */
static uint32_t search(const struct osd_alloc *alloc, uint64_t from, uint64_t end, uint32_t want,
		       bool direct, uint64_t *ret_block)
{
	uint32_t best = 0, length, runs = 0;
	uint64_t block = from;

	for (; runs < SEARCH_RUNS; runs++, block += length) {
		block = find_free(alloc, block, end, direct);
		if (block >= end)
			break;
		length = osd_alloc_run(alloc, block, want, direct);
		if (length > best) {
			best = length;
			*ret_block = block;
		}
		if (best == want)
			break;
	}
	return best;
}

static void mark(struct osd_alloc *alloc, uint64_t block, uint32_t count, bool taken)
{
	assert(block <= alloc->blocks && count <= alloc->blocks - block);
	for (; count; count--, block++) {
		if (!bit_set(alloc->used, block, taken))
			continue;
		alloc->free += taken ? (uint64_t)-1 : 1;
		alloc->chunk_free[block / OSD_BITMAP_BLOCKS] += taken ? (uint32_t)-1 : 1;
	}
}

int osd_alloc_take(struct osd_alloc *alloc, uint32_t want, bool direct, uint64_t *ret_block,
		   uint32_t *ret_count)
{
	uint32_t count;

	assert(want);
	if (!alloc->free)
		return -ENOSPC;
	count = search(alloc, alloc->hint, alloc->blocks, want, direct, ret_block);
	if (!count)
		count = search(alloc, 0, alloc->blocks, want, direct, ret_block);
	if (!count)
		return -ENOSPC;
	mark(alloc, *ret_block, count, true);
	alloc->hint = *ret_block + count;
	*ret_count = count;
	return 0;
}

void osd_alloc_give(struct osd_alloc *alloc, uint64_t block, uint32_t count)
{
	mark(alloc, block, count, false);
}

void osd_alloc_mark(struct osd_alloc *alloc, const struct osd_disk_space *space)
{
	mark(alloc, space->block, space->count, space->taken);
}

void osd_alloc_applied(struct osd_alloc *alloc, const struct osd_disk_space *space)
{
	uint64_t block = space->block;
	uint32_t i;

	for (i = 0; i < space->count; i++, block++)
		if (bit_set(alloc->applied, block, space->taken))
			alloc->chunk_changed[block / OSD_BITMAP_BLOCKS] = true;
}

/* Bit i of byte b is block 8 * b + i, on every machine. */
static void chunk_bytes(const struct osd_alloc *alloc, uint64_t chunk, uint8_t *bytes)
{
	uint32_t i;

	for (i = 0; i < OSD_BITMAP_BYTES; i++)
		bytes[i] = (uint8_t)(alloc->applied[chunk * CHUNK_WORDS + i / 8] >> (i % 8 * 8));
}

void osd_alloc_save(struct osd_alloc *alloc, struct kv_batch *batch)
{
	uint8_t bytes[OSD_BITMAP_BYTES];
	struct osd_key key;
	uint64_t chunk;

	for (chunk = 0; chunk < alloc->chunk_count; chunk++) {
		if (!alloc->chunk_changed[chunk])
			continue;
		chunk_bytes(alloc, chunk, bytes);
		osd_key_bitmap(&key, chunk);
		kv_batch_put(batch, key.bytes, key.length, bytes, sizeof(bytes));
		alloc->chunk_changed[chunk] = false;
	}
}

int osd_alloc_load(struct osd_alloc *alloc, uint64_t chunk, const uint8_t *bytes, uint32_t length)
{
	uint64_t block = chunk * OSD_BITMAP_BLOCKS;
	uint32_t i;

	if (chunk >= alloc->chunk_count || length != OSD_BITMAP_BYTES)
		return -EBADMSG;
	for (i = 0; i < OSD_BITMAP_BLOCKS; i++, block++) {
		if (!(bytes[i / 8] >> (i % 8) & 1))
			continue;
		if (block >= alloc->blocks)
			return -EBADMSG;
		bit_set(alloc->applied, block, true);
		mark(alloc, block, 1, true);
	}
	return 0;
}

bool osd_alloc_is_used(const struct osd_alloc *alloc, uint64_t block)
{
	return bit(alloc->used, block);
}
