// SPDX-License-Identifier: GPL-2.0
/*
 * Changing an object in a view. See view.h.
 */
#include <assert.h>
#include "exec.h"

static const uint8_t zeros[OSD_BLOCK_BYTES] __attribute__((aligned(4096)));

void osd_view_begin(struct osd_view *view, struct osd_object *object)
{
	memset(view, 0, sizeof(*view));
	view->object = object;
	view->exists = object->exists;
	RB_INIT(&view->keys);
	view->txn = osd_txn_new();
	if (view->exists)
		osd_onode_copy(&view->onode, &object->onode);
}

static void drop_image(struct osd_view_image *image)
{
	mem_buffer_put(image->buffer);
	*image = (struct osd_view_image){ 0 };
}

void osd_view_end(struct osd_view *view)
{
	struct osd_change *change;
	uint32_t c, i;

	if (view->txn) {
		TAILQ_FOREACH(change, &view->txn->changes, link)
			osd_changes_leave(&view->keys, change);
		osd_txn_free(view->txn);
		view->txn = NULL;
	}
	for (c = 0; c < OSD_CHUNKS_MAX; c++) {
		if (!view->chunks[c])
			continue;
		for (i = 0; i < OSD_CHUNK_BLOCKS; i++)
			drop_image(&view->chunks[c]->images[i]);
		free(view->chunks[c]);
		view->chunks[c] = NULL;
	}
	osd_shares_forget(view);
	osd_onode_free(&view->onode);
}

/* ---- chunks ------------------------------------------------------------------------------- */

/* Does the object, as it was, have this chunk? */
static bool object_has_chunk(const struct osd_object *object, uint32_t chunk)
{
	return object->exists && osd_onode_has_chunk(&object->onode, chunk);
}

uint32_t osd_view_own_chunk(struct osd_exec *exec, uint32_t chunk, struct osd_view_chunk **ret_chunk)
{
	struct osd_view *view = &exec->view;
	struct osd_object *object = view->object;
	struct osd_view_chunk *own = view->chunks[chunk];
	uint32_t i;

	if (!own) {
		if (object_has_chunk(object, chunk) && osd_exec_need_chunk(exec, object, chunk))
			return OSD_MISS;
		own = mem_zero(1, sizeof(*own));
		for (i = 0; i < OSD_CHUNK_BLOCKS; i++)
			own->map.block[i] = OSD_NO_BLOCK;
		if (object_has_chunk(object, chunk))
			own->map = *object->chunks[chunk];
		view->chunks[chunk] = own;
	}
	*ret_chunk = own;
	return 0;
}

static enum osd_block_state own_state(const struct osd_view_chunk *chunk, uint32_t i)
{
	return chunk->images[i].bytes ? OSD_BLOCK_WRITTEN : osd_chunk_state(&chunk->map, i);
}

/* Make block `i` of a chunk a hole. */
static void drop_block(struct osd_view *view, struct osd_view_chunk *chunk, uint32_t i)
{
	drop_image(&chunk->images[i]);
	chunk->map.unwritten &= ~(1ull << i);
	if (chunk->map.block[i] == OSD_NO_BLOCK)
		return;
	osd_txn_space(view->txn, chunk->map.block[i], 1, false);
	chunk->map.block[i] = OSD_NO_BLOCK;
	chunk->map.crc[i] = 0;
}

/* Make blocks [first, end) holes. 0 or OSD_MISS, with nothing dropped. */
static uint32_t drop_blocks(struct osd_exec *exec, uint32_t first, uint32_t end)
{
	uint32_t begin = first / OSD_CHUNK_BLOCKS, c, n, missing = 0;
	struct osd_view *view = &exec->view;
	struct osd_view_chunk *own;

	for (c = begin; c * OSD_CHUNK_BLOCKS < end; c++)
		if (view->chunks[c] || object_has_chunk(view->object, c))
			missing |= osd_view_own_chunk(exec, c, &own);
	if (missing)
		return OSD_MISS;
	/* most objects have few chunks, and a removal comes by all that there may be */
	for (c = begin; c * OSD_CHUNK_BLOCKS < end; c++) {
		own = view->chunks[c];
		for (n = c * OSD_CHUNK_BLOCKS; own && n < (c + 1) * OSD_CHUNK_BLOCKS; n++)
			if (n >= first && n < end)
				drop_block(view, own, n % OSD_CHUNK_BLOCKS);
	}
	return 0;
}

static uint32_t block_count(uint64_t bytes)
{
	return (uint32_t)((bytes + OSD_BLOCK_BYTES - 1) / OSD_BLOCK_BYTES);
}

/* ---- being there ------------------------------------------------------------------------------ */

void osd_view_create(struct osd_exec *exec)
{
	struct osd_view *view = &exec->view;

	view->changed = true;
	if (view->exists)
		return;
	view->exists = true;
	view->onode.truncate_seq = exec->request->truncate_seq;
	view->onode.truncate_size = exec->request->truncate_size;
}

uint32_t osd_view_remove(struct osd_exec *exec)
{
	struct osd_view *view = &exec->view;

	if (drop_blocks(exec, 0, OSD_CHUNKS_MAX * OSD_CHUNK_BLOCKS))
		return OSD_MISS;
	osd_view_keys_clear(exec);
	osd_onode_free(&view->onode);
	view->exists = false;
	view->changed = true;
	return 0;
}

/* ---- bytes --------------------------------------------------------------------------------------- */

uint32_t osd_view_block(struct osd_exec *exec, uint32_t n, const uint8_t **ret_bytes)
{
	struct osd_view *view = &exec->view;
	struct osd_view_chunk *own = view->chunks[n / OSD_CHUNK_BLOCKS];
	uint32_t i = n % OSD_CHUNK_BLOCKS, c = n / OSD_CHUNK_BLOCKS;
	const struct osd_chunk *map;

	*ret_bytes = zeros;
	if (own && own->images[i].bytes) {
		*ret_bytes = own->images[i].bytes;
		return 0;
	}
	if (!own && !object_has_chunk(view->object, c))
		return 0;
	if (!own && osd_exec_need_chunk(exec, view->object, c))
		return OSD_MISS;
	map = own ? &own->map : view->object->chunks[c];
	if (osd_chunk_state(map, i) != OSD_BLOCK_WRITTEN)
		return 0;
	return osd_exec_need_block(exec, map->block[i], map->crc[i], ret_bytes);
}

uint32_t osd_view_read(struct osd_exec *exec, uint64_t offset, uint64_t length, uint8_t *bytes)
{
	uint64_t end = offset + length, part;
	const uint8_t *block;
	uint32_t missing = 0, err;

	for (; offset < end; offset += part, bytes += part) {
		part = OSD_BLOCK_BYTES - offset % OSD_BLOCK_BYTES;
		if (part > end - offset)
			part = end - offset;
		err = osd_view_block(exec, (uint32_t)(offset / OSD_BLOCK_BYTES), &block);
		if (err == OSD_MISS)
			missing = OSD_MISS;	/* go on: ask for all that is missing at once */
		else if (err)
			return err;
		else
			memcpy(bytes, block + offset % OSD_BLOCK_BYTES, part);
	}
	return missing;
}

/* The first and the last block of a write, where they are not wholly written, from what was there. */
static uint32_t fill_edges(struct osd_exec *exec, uint64_t offset, uint64_t length, uint8_t *bytes)
{
	uint32_t first = (uint32_t)(offset / OSD_BLOCK_BYTES);
	uint32_t last = (uint32_t)((offset + length - 1) / OSD_BLOCK_BYTES);
	bool cut_first = offset % OSD_BLOCK_BYTES;
	bool cut_last = (offset + length) % OSD_BLOCK_BYTES;
	const uint8_t *old_first = zeros, *old_last = zeros;
	uint32_t err_first = 0, err_last = 0;

	if (cut_first || (cut_last && last == first))
		err_first = osd_view_block(exec, first, &old_first);
	if (cut_last && last != first)
		err_last = osd_view_block(exec, last, &old_last);
	if (err_first || err_last)
		return err_first && err_first != OSD_MISS ? err_first : err_last ? err_last : err_first;
	if (cut_first || (cut_last && last == first))
		memcpy(bytes, old_first, OSD_BLOCK_BYTES);
	if (cut_last && last != first)
		memcpy(bytes + (uint64_t)(last - first) * OSD_BLOCK_BYTES, old_last,
		       OSD_BLOCK_BYTES);
	return 0;
}

/* Bytes of [offset, +length) are new in them, and the rest is as the view had it. */
static void set_images(struct osd_exec *exec, uint32_t first, uint32_t count,
		       struct mem_buffer *buffer, uint64_t offset, uint64_t length)
{
	struct osd_view_chunk *chunk;
	struct osd_view_image *image;
	uint64_t begin;
	uint32_t n;
	bool whole;

	for (n = 0; n < count; n++) {
		chunk = exec->view.chunks[(first + n) / OSD_CHUNK_BLOCKS];
		chunk->map.unwritten &= ~(1ull << ((first + n) % OSD_CHUNK_BLOCKS));
		image = &chunk->images[(first + n) % OSD_CHUNK_BLOCKS];
		begin = (uint64_t)(first + n) * OSD_BLOCK_BYTES;
		whole = image->whole || (begin >= offset && begin + OSD_BLOCK_BYTES <= offset + length);
		drop_image(image);
		image->whole = whole;
		image->buffer = mem_buffer_get(buffer);
		image->bytes = buffer->bytes + (uint64_t)n * OSD_BLOCK_BYTES;
	}
}

/* Bytes that end up in images. */
static uint32_t put_bytes(struct osd_exec *exec, uint64_t offset, uint64_t length,
			  const uint8_t *data)
{
	uint32_t first = (uint32_t)(offset / OSD_BLOCK_BYTES);
	uint32_t count = block_count(offset + length) - first;
	uint32_t c, missing = 0, err;
	struct mem_buffer *buffer;
	struct osd_view_chunk *own;

	for (c = first / OSD_CHUNK_BLOCKS; c <= (first + count - 1) / OSD_CHUNK_BLOCKS; c++)
		missing |= osd_view_own_chunk(exec, c, &own);
	buffer = mem_buffer_new((uint64_t)count * OSD_BLOCK_BYTES);
	err = fill_edges(exec, offset, length, buffer->bytes);
	if (!err && !missing) {
		if (data)
			memcpy(buffer->bytes + offset % OSD_BLOCK_BYTES, data, length);
		else
			memset(buffer->bytes + offset % OSD_BLOCK_BYTES, 0, length);
		set_images(exec, first, count, buffer, offset, length);
		exec->view.changed = true;
	}
	mem_buffer_put(buffer);
	return err ? err : missing;
}

uint32_t osd_view_write(struct osd_exec *exec, uint64_t offset, uint64_t length,
			const uint8_t *data)
{
	struct osd_view *view = &exec->view;
	uint32_t err;

	osd_view_create(exec);
	if (!length)
		return 0;
	err = put_bytes(exec, offset, length, data);
	if (!err && offset + length > view->onode.size)
		view->onode.size = offset + length;
	return err;
}

/* Zero a part of one block, unless it is not written. */
static uint32_t zero_part(struct osd_exec *exec, uint64_t offset, uint64_t length)
{
	struct osd_view_chunk *own;
	uint32_t n = (uint32_t)(offset / OSD_BLOCK_BYTES);

	if (!length)
		return 0;
	if (!exec->view.chunks[n / OSD_CHUNK_BLOCKS] &&
	    !object_has_chunk(exec->view.object, n / OSD_CHUNK_BLOCKS))
		return 0;
	if (osd_view_own_chunk(exec, n / OSD_CHUNK_BLOCKS, &own))
		return OSD_MISS;
	if (own_state(own, n % OSD_CHUNK_BLOCKS) != OSD_BLOCK_WRITTEN)
		return 0;
	return put_bytes(exec, offset, length, NULL);
}

/* What of [offset, end) does not fill a block. */
static uint32_t zero_edges(struct osd_exec *exec, uint64_t offset, uint64_t end)
{
	uint64_t first = block_count(offset), last = end / OSD_BLOCK_BYTES;
	uint32_t err;

	if (first > last)		/* inside one block */
		return zero_part(exec, offset, end - offset);
	err = zero_part(exec, offset, first * OSD_BLOCK_BYTES - offset);
	return err ? err : zero_part(exec, last * OSD_BLOCK_BYTES, end - last * OSD_BLOCK_BYTES);
}

uint32_t osd_view_zero(struct osd_exec *exec, uint64_t offset, uint64_t length)
{
	struct osd_view *view = &exec->view;
	uint64_t end = offset + length, first, last = (uint64_t)block_count(view->onode.size) * OSD_BLOCK_BYTES;
	uint32_t err;

	if (!view->exists)
		return 0;
	if (end >= view->onode.size && end < last)	/* the last block is whole then: behind the size are zeros */
		end = last;
	first = block_count(offset);
	view->changed = true;
	err = zero_edges(exec, offset, end);
	return err ? err : drop_blocks(exec, (uint32_t)first, (uint32_t)(end / OSD_BLOCK_BYTES));
}

/* Allocate block `i` of a chunk, unwritten; with `zero` also if it is written: it keeps its place. */
static void allocate_block(struct osd_view_chunk *chunk, uint32_t i, bool zero)
{
	if (!zero && own_state(chunk, i) != OSD_BLOCK_HOLE)
		return;
	drop_image(&chunk->images[i]);
	chunk->map.unwritten |= 1ull << i;
	chunk->map.crc[i] = 0;
}

uint32_t osd_view_allocate(struct osd_exec *exec, uint64_t offset, uint64_t length, uint16_t flags)
{
	uint32_t n = (uint32_t)(offset / OSD_BLOCK_BYTES), end = block_count(offset + length), c;
	uint32_t missing = 0, err;
	bool zero = flags & NACRE_OSD_OPF_ZERO, whole;
	struct osd_view_chunk *own;

	osd_view_create(exec);
	if (!length)
		return 0;
	for (c = n / OSD_CHUNK_BLOCKS; c <= (end - 1) / OSD_CHUNK_BLOCKS; c++)
		missing |= osd_view_own_chunk(exec, c, &own);
	err = zero ? zero_edges(exec, offset, offset + length) : 0;
	if (err || missing)
		return err ? err : missing;
	for (; n < end; n++) {
		whole = (uint64_t)n * OSD_BLOCK_BYTES >= offset &&
			(n + 1ull) * OSD_BLOCK_BYTES <= offset + length;
		allocate_block(exec->view.chunks[n / OSD_CHUNK_BLOCKS], n % OSD_CHUNK_BLOCKS, zero && whole);
	}
	if (!(flags & NACRE_OSD_OPF_KEEP) && offset + length > exec->view.onode.size)
		exec->view.onode.size = offset + length;
	return 0;
}

static void gain(struct osd_view *view, uint64_t block)
{
	struct osd_disk_space *last = view->gained_count ? &view->gained[view->gained_count - 1] : NULL;

	if (last && last->block + last->count == block) {
		last->count++;
		return;
	}
	if (view->gained_count == view->gained_room) {
		view->gained_room = view->gained_room * 2 + 8;
		view->gained = mem_resize(view->gained, view->gained_room * sizeof(*view->gained));
	}
	view->gained[view->gained_count++] = (struct osd_disk_space){ .block = block, .count = 1 };
}

uint32_t osd_view_share(struct osd_exec *exec, uint32_t n, uint64_t block, uint32_t crc)
{
	uint32_t i = n % OSD_CHUNK_BLOCKS;
	struct osd_view_chunk *own;

	if (osd_view_own_chunk(exec, n / OSD_CHUNK_BLOCKS, &own))
		return OSD_MISS;
	own->map.block[i] = block;
	own->map.crc[i] = crc;
	gain(&exec->view, block);
	exec->view.changed = true;
	return 0;
}

uint32_t osd_view_cut(struct osd_exec *exec, uint64_t size)
{
	struct osd_view *view = &exec->view;
	uint32_t err = 0;

	osd_view_create(exec);
	if (size < view->onode.size)
		err = osd_view_zero(exec, size, view->onode.size - size);
	if (!err)
		err = drop_blocks(exec, block_count(size), OSD_CHUNKS_MAX * OSD_CHUNK_BLOCKS);
	if (!err && size < view->onode.size)
		view->onode.size = size;
	return err;
}

uint32_t osd_view_truncate(struct osd_exec *exec, uint64_t size)
{
	uint32_t err = osd_view_cut(exec, size);

	if (!err)
		exec->view.onode.size = size;
	return err;
}

uint64_t osd_view_limit(const struct osd_exec *exec, uint64_t truncate_size)
{
	uint64_t begin;

	if (!exec->object_bytes ||
	    __builtin_mul_overflow(exec->request->index, exec->object_bytes, &begin) ||
	    truncate_size <= begin)
		return 0;
	return truncate_size - begin < exec->object_bytes ? truncate_size - begin :
							    exec->object_bytes;
}

/* ---- keys -------------------------------------------------------------------------------------------- */

/*
 * Whether an object has a prefix for keys differs between replicas: one that was sent as a copy without keys has
 * none. What counts as a change must not (OSD-3), so removing a key that is not there is one.
 */

/* The newest change of a key in this view stands for all. */
static void enter_key(struct osd_view *view)
{
	struct osd_change *change = TAILQ_LAST(&view->txn->changes, osd_change_list);
	struct osd_change *old = osd_changes_enter(&view->keys, change);

	view->changed = true;
	if (!old)
		return;
	TAILQ_REMOVE(&view->txn->changes, old, link);
	free(old);
}

void osd_view_key_set(struct osd_exec *exec, const uint8_t *name, uint32_t name_bytes,
		      const uint8_t *value, uint32_t value_bytes)
{
	struct osd_view *view = &exec->view;
	struct osd_key key;

	osd_view_create(exec);
	if (!view->onode.kv_id)
		view->onode.kv_id = osd_store_new_id(exec->store);
	osd_key_pair(&key, view->onode.kv_id, name, name_bytes);
	osd_txn_put(view->txn, &key, value, value_bytes);
	enter_key(view);
}

void osd_view_key_remove(struct osd_exec *exec, const uint8_t *name, uint32_t name_bytes)
{
	struct osd_view *view = &exec->view;
	struct osd_key key;

	if (!view->exists)
		return;
	view->changed = true;
	if (!view->onode.kv_id)
		return;
	osd_key_pair(&key, view->onode.kv_id, name, name_bytes);
	osd_txn_delete(view->txn, &key);
	enter_key(view);
}

/* The keys lose their prefix; what stands under it is removed without being listed. */
void osd_view_keys_clear(struct osd_exec *exec)
{
	struct osd_view *view = &exec->view;
	struct osd_key first, end;

	if (!view->exists)
		return;
	view->changed = true;
	if (!view->onode.kv_id)
		return;
	osd_key_pair(&first, view->onode.kv_id, NULL, 0);
	osd_key_pair(&end, view->onode.kv_id + 1, NULL, 0);
	osd_txn_delete_range(view->txn, &first, &end);
	view->onode.kv_id = 0;
}
