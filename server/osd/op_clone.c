// SPDX-License-Identifier: GPL-2.0
/*
 * CLONE: an object becomes a copy of another one of its group. The bytes are copied
 * when the request is executed and journaled as images, so replay never copies.
 */
#include <errno.h>
#include <xxhash.h>
#include "op.h"
#include "protocol/rules/placement.h"

/* The source, loaded and pinned. 0, OSD_MISS or an error; the caller unpins. */
static uint32_t find_source(struct osd_exec *exec, const struct osd_op *op,
			    struct osd_object **ret_object)
{
	uint8_t bytes[NACRE_PLACEMENT_BYTES];
	struct osd_object_key key;
	struct nacre_oid oid;

	*ret_object = NULL;
	if (nacre_decode_all(nacre_oid_desc(), op->value, op->wire->value_size, &oid))
		return EINVAL;
	nacre_placement_bytes(oid.ino, oid.index, oid.pool, bytes);
	if (oid.pool != exec->request->pool ||
	    nacre_placement_group(XXH64(bytes, sizeof(bytes), 0), exec->pg_count) != exec->pg)
		return EXDEV;
	key = (struct osd_object_key){ oid.ino, oid.index, oid.snap, oid.pool, exec->pg };
	*ret_object = osd_object_pin(&exec->store->objects, &key);
	return osd_exec_need_object(exec, *ret_object);
}

/* All bytes of the source, a chunk at a time; holes stay holes, and unwritten blocks have their room here, too. */
static uint32_t copy_chunk(struct osd_exec *exec, struct osd_object *from, uint32_t chunk)
{
	uint64_t at = (uint64_t)chunk * OSD_CHUNK_BYTES;
	enum osd_block_state state;
	const uint8_t *bytes;
	uint32_t i, err, missing = 0;

	if (!osd_onode_has_chunk(&from->onode, chunk))
		return 0;
	if (osd_exec_need_chunk(exec, from, chunk))
		return OSD_MISS;
	for (i = 0; i < OSD_CHUNK_BLOCKS; i++, at += OSD_BLOCK_BYTES) {
		state = osd_chunk_state(from->chunks[chunk], i);
		if (state == OSD_BLOCK_HOLE)
			continue;
		err = 0;
		if (state == OSD_BLOCK_WRITTEN)
			err = osd_exec_need_block(exec, from->chunks[chunk]->block[i],
						  from->chunks[chunk]->crc[i], &bytes);
		if (!err && !missing)
			err = state == OSD_BLOCK_WRITTEN ?
			      osd_view_write(exec, at, OSD_BLOCK_BYTES, bytes) :
			      osd_view_allocate(exec, at, OSD_BLOCK_BYTES, 0);
		if (err && err != OSD_MISS)
			return err;
		missing |= err;
	}
	return missing;
}

static uint32_t copy_keys(struct osd_exec *exec, const struct osd_object *from)
{
	const struct kv_pairs *pairs;
	struct osd_key first, end;
	struct kv_pair pair;
	size_t at = 0;

	if (!from->onode.kv_id)
		return 0;
	osd_key_pair(&first, from->onode.kv_id, NULL, 0);
	osd_key_pair(&end, from->onode.kv_id + 1, NULL, 0);
	if (osd_exec_need_list(exec, &first, &end, UINT32_MAX / 2, UINT32_MAX / 2, &pairs))
		return OSD_MISS;
	while (kv_pairs_next(pairs, &at, &pair))
		osd_view_key_set(exec, pair.key + OSD_KEY_PAIR_BYTES,
				 pair.key_bytes - OSD_KEY_PAIR_BYTES, pair.value,
				 pair.value_bytes);
	return 0;
}

static uint32_t copy_object(struct osd_exec *exec, struct osd_object *from)
{
	struct osd_onode *onode = &exec->view.onode;
	uint32_t c, err, missing = 0, i;

	if (exec->view.exists)
		missing = osd_view_remove(exec);
	osd_view_create(exec);
	for (c = 0; c < OSD_CHUNKS_MAX; c++) {
		err = copy_chunk(exec, from, c);
		if (err && err != OSD_MISS)
			return err;
		missing |= err;
	}
	missing |= copy_keys(exec, from);
	if (missing)
		return OSD_MISS;
	for (i = 0; i < from->onode.attr_count; i++)
		osd_attr_set(onode, from->onode.attrs[i]->bytes, from->onode.attrs[i]->name_bytes,
			     from->onode.attrs[i]->bytes + from->onode.attrs[i]->name_bytes,
			     from->onode.attrs[i]->value_bytes);
	onode->size = from->onode.size;
	onode->mtime = from->onode.mtime;
	onode->truncate_seq = from->onode.truncate_seq;
	onode->truncate_size = from->onode.truncate_size;
	return 0;
}

uint32_t osd_op_clone(struct osd_exec *exec, struct osd_op *op)
{
	struct osd_object *from;
	uint32_t err = find_source(exec, op, &from);

	if (!err && !from->exists)
		err = ENOENT;
	if (!err && from != exec->view.object)	/* of itself: nothing to do */
		err = copy_object(exec, from);
	if (from)
		osd_object_unpin(&exec->store->objects, from);
	return err;
}
