// SPDX-License-Identifier: GPL-2.0
/*
 * Journal mode `data`: changed blocks stay where they are, new ones get a place, and
 * the images of all that are written go into the journal. An overwrite in place can be torn by a
 * crash only while its image is still in the journal.
 */
#include <errno.h>
#include "exec.h"
#include "server/base/crc.h"

/* Take runs of blocks until there are enough. 0, or -ENOSPC with none taken. */
static int take_runs(struct osd_store *store, struct osd_txn *txn, uint32_t want)
{
	uint32_t first = txn->space_count, count;
	uint64_t block;

	while (want) {
		if (osd_alloc_take(&store->alloc, want, &block, &count)) {
			while (txn->space_count > first) {
				txn->space_count--;
				osd_alloc_give(&store->alloc, txn->space[txn->space_count].block,
					       txn->space[txn->space_count].count);
			}
			return -ENOSPC;
		}
		osd_txn_space(txn, block, count, true);
		want -= count;
	}
	return 0;
}

/* The next block of the runs from txn->space[*run] on. */
static uint64_t next_taken(const struct osd_txn *txn, uint32_t *run, uint32_t *used)
{
	while (!txn->space[*run].taken || *used == txn->space[*run].count) {
		++*run;
		*used = 0;
	}
	return txn->space[*run].block + (*used)++;
}

static void add_image(struct osd_txn *txn, struct osd_view_chunk *chunk, uint32_t i,
		      uint32_t object_block)
{
	struct osd_image *image = &txn->images[txn->image_count++];

	chunk->map.crc[i] = crc_of(chunk->images[i].bytes, OSD_BLOCK_BYTES);
	image->block = chunk->map.block[i];
	image->object_block = object_block;
	image->crc = chunk->map.crc[i];
	image->bytes = chunk->images[i].bytes;
	image->buffer = mem_buffer_get(chunk->images[i].buffer);
}

static int data_place(struct osd_store *store, struct osd_view *view, struct osd_txn *txn,
		      uint64_t leave)
{
	struct osd_view_count count = osd_view_count(view);
	uint32_t run = 0, used = 0, c, i;
	struct osd_view_chunk *chunk;

	if (!osd_store_has_space(store, count.homeless, leave))
		return -ENOSPC;
	if (take_runs(store, txn, count.homeless))
		return -ENOSPC;
	txn->images = mem_zero(count.images, sizeof(*txn->images));
	for (c = 0; c < OSD_CHUNKS_MAX; c++) {
		chunk = view->chunks[c];
		for (i = 0; chunk && i < OSD_CHUNK_BLOCKS; i++) {
			if (osd_view_is_homeless(chunk, i))
				chunk->map.block[i] = next_taken(txn, &run, &used);
			if (chunk->images[i].bytes)
				add_image(txn, chunk, i, c * OSD_CHUNK_BLOCKS + i);
		}
	}
	return 0;
}

const struct osd_journal_mode osd_journal_mode_data = {
	.name = "data",
	.number = NACRE_JOURNAL_DATA,
	.place = data_place,
};

const struct osd_journal_mode *osd_journal_mode_find(uint8_t number)
{
	return number == NACRE_JOURNAL_DATA ? &osd_journal_mode_data : NULL;
}
