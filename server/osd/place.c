// SPDX-License-Identifier: GPL-2.0
/*
 * Giving changed blocks their places. See place.h.
 */
#include <errno.h>
#include "exec.h"
#include "place.h"
#include "server/base/crc.h"
#include "server/base/mutate.h"

struct placing {
	struct osd_store *store;
	struct osd_view *view;
	struct osd_txn *txn;
	bool direct;
	bool in_place;			/* overwrite where that can be told in time: intents.h */
	uint32_t run, used;		/* which taken block is next */
};

/* Take runs of blocks until there are enough. False: there are not, and none is taken. */
static bool take_runs(struct placing *p, uint32_t want)
{
	struct osd_alloc *alloc = &p->store->alloc;
	struct osd_txn *txn = p->txn;
	uint32_t first = txn->space_count, count;
	uint64_t block;

	p->run = first;
	while (want) {
		if (osd_alloc_take(alloc, want, p->direct, &block, &count)) {
			while (txn->space_count > first) {
				txn->space_count--;
				osd_alloc_give(alloc, txn->space[txn->space_count].block,
					       txn->space[txn->space_count].count);
			}
			return false;
		}
		osd_txn_space(txn, block, count, true);
		want -= count;
	}
	return true;
}

static uint64_t next_taken(struct placing *p)
{
	const struct osd_disk_space *space = p->txn->space;

	while (!space[p->run].taken || p->used == space[p->run].count) {
		p->run++;
		p->used = 0;
	}
	return space[p->run].block + p->used++;
}

/* Was the block allocated, in the place that it still has, and never written? */
static bool is_unwritten(const struct placing *p, uint32_t c, uint32_t i)
{
	const struct osd_object *object = p->view->object;

	return object->exists && object->chunks[c] &&
	       object->chunks[c]->block[i] == p->view->chunks[c]->map.block[i] &&
	       osd_chunk_state(object->chunks[c], i) == OSD_BLOCK_UNWRITTEN;
}

/* OSD-4: nothing that can be replayed speaks of the block. */
static bool is_barred(const struct placing *p, uint64_t block)
{
	if (mutate(MUTATE_OSD_OVERWRITE_BARRED) && !osd_images_find(&p->store->images, block))
		return false;
	return osd_bars_has(&p->store->alloc.bars, block, false);
}

/*
 * Can a block be overwritten where it is, with an intent? Wholly, so that nobody needs what was there; below the object's size, so that
 * nothing of it is to be zeros if this is lost; and no bar, so that the block is the object's by what is durable.
 */
static bool can_overwrite(const struct placing *p, uint32_t c, uint32_t i)
{
	const struct osd_object *object = p->view->object;
	const struct osd_view_chunk *chunk = p->view->chunks[c];
	uint64_t end = ((uint64_t)c * OSD_CHUNK_BLOCKS + i + 1) * OSD_BLOCK_BYTES;

	return p->in_place && chunk->images[i].whole && object->exists && object->chunks[c] &&
	       !osd_view_is_shared(p->view, chunk->map.block[i]) &&
	       object->chunks[c]->block[i] == chunk->map.block[i] &&
	       osd_chunk_state(object->chunks[c], i) == OSD_BLOCK_WRITTEN &&
	       end <= object->onode.size && end <= p->view->onode.size && !is_barred(p, chunk->map.block[i]);
}

/* Is a block written, or zeroed in its place, that others have, too? They keep it. */
static bool must_part(const struct placing *p, uint32_t c, uint32_t i)
{
	const struct osd_view_chunk *chunk = p->view->chunks[c];
	uint64_t block = chunk->map.block[i];

	return block != OSD_NO_BLOCK && (chunk->images[i].bytes || osd_chunk_state(&chunk->map, i) == OSD_BLOCK_UNWRITTEN) &&
	       osd_view_is_shared(p->view, block);
}

/* Must the new bytes of a block that has a place go to another one? */
static bool must_move(const struct placing *p, uint32_t c, uint32_t i)
{
	const struct osd_view_chunk *chunk = p->view->chunks[c];
	uint64_t block = chunk->map.block[i];

	if (must_part(p, c, i))
		return true;
	if (block == OSD_NO_BLOCK || !chunk->images[i].bytes)
		return false;
	if (!p->direct)
		return osd_bars_has(&p->store->alloc.bars, block, true);
	if (can_overwrite(p, c, i))
		return false;
	return !is_unwritten(p, c, i) || osd_bars_has(&p->store->alloc.bars, block, false);
}

/* How many are moved, and how many of them come back to nobody. */
static uint32_t count_moves(const struct placing *p, uint32_t *ret_parted)
{
	uint32_t c, i, count = 0;

	*ret_parted = 0;
	for (c = 0; c < OSD_CHUNKS_MAX; c++) {
		for (i = 0; p->view->chunks[c] && i < OSD_CHUNK_BLOCKS; i++) {
			count += must_move(p, c, i);
			*ret_parted += must_part(p, c, i);
		}
	}
	return count;
}

static void add_image(struct placing *p, struct osd_view_chunk *chunk, uint32_t i,
		      uint32_t object_block)
{
	struct osd_txn *txn = p->txn;
	struct osd_image *image = p->direct ? &txn->direct[txn->direct_count++] :
					      &txn->images[txn->image_count++];

	chunk->map.crc[i] = crc_of(chunk->images[i].bytes, OSD_BLOCK_BYTES);
	image->block = chunk->map.block[i];
	image->object_block = object_block;
	image->crc = chunk->map.crc[i];
	image->bytes = chunk->images[i].bytes;
	image->buffer = mem_buffer_get(chunk->images[i].buffer);
}

static void place_block(struct placing *p, uint32_t c, uint32_t i)
{
	struct osd_view_chunk *chunk = p->view->chunks[c];
	bool in_place = p->direct && chunk->images[i].bytes && can_overwrite(p, c, i);

	if (must_move(p, c, i)) {
		p->txn->moved += !must_part(p, c, i);
		osd_view_unshare(p->view, chunk->map.block[i]);
		osd_txn_space(p->txn, chunk->map.block[i], 1, false);
		chunk->map.block[i] = OSD_NO_BLOCK;
	}
	if (osd_view_is_homeless(chunk, i))
		chunk->map.block[i] = next_taken(p);
	if (chunk->images[i].bytes)
		add_image(p, chunk, i, c * OSD_CHUNK_BLOCKS + i);
	if (in_place) {
		p->txn->direct[p->txn->direct_count - 1].in_place = true;
		p->txn->in_place++;
	}
}

static int place(struct placing *p, uint64_t leave)
{
	struct osd_view_count count = osd_view_count(p->view);
	uint32_t parted, moves = count_moves(p, &parted), c, i;
	const struct osd_alloc *alloc = &p->store->alloc;
	struct osd_image *images;

	if (!osd_store_has_space(p->store, (uint64_t)count.homeless + parted, leave))
		return -ENOSPC;
	/* other blocks that are replaced come back with the same transaction; in place none are needed at all */
	if (moves > parted && !osd_store_has_space(p->store, (uint64_t)count.homeless + moves,
					  !p->direct ? 0 : leave > alloc->reserve ? leave : alloc->reserve))
		return -EAGAIN;
	if (!take_runs(p, count.homeless + moves))
		return -EAGAIN;
	images = mem_zero(count.images, sizeof(*images));
	if (p->direct)
		p->txn->direct = images;
	else
		p->txn->images = images;
	for (c = 0; c < OSD_CHUNKS_MAX; c++)
		for (i = 0; p->view->chunks[c] && i < OSD_CHUNK_BLOCKS; i++)
			place_block(p, c, i);
	return 0;
}

int osd_place_journaled(struct osd_store *store, struct osd_view *view, struct osd_txn *txn,
			uint64_t leave)
{
	struct placing p = { .store = store, .view = view, .txn = txn };

	return place(&p, leave);
}

int osd_place_direct(struct osd_store *store, struct osd_view *view, struct osd_txn *txn, uint64_t leave,
		     bool in_place)
{
	struct placing p = { .store = store, .view = view, .txn = txn, .direct = true, .in_place = in_place };
	int err;

	if (osd_view_count(view).images < (view->direct_blocks ? view->direct_blocks : store->direct_blocks))
		return osd_place_journaled(store, view, txn, leave);
	err = place(&p, leave);
	if (err != -EAGAIN)
		return err;
	osd_store_want_space(store);
	return osd_place_journaled(store, view, txn, leave);
}
