// SPDX-License-Identifier: GPL-2.0
/*
 * CLONE: an object becomes a copy of another one of its group. It has the same blocks (shares.h): no bytes are read, or
 * written. Attributes and pairs are copied.
 *
 * A snapshot is made by cloning to its name, which nobody has yet, and never changes again. An object that is cloned over remembers the newest truncation of
 * which it or the source knows (SIZE-3): late requests of before are to be cut, and those of after have nothing to catch up with.
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

/*
 * Where the source's bytes are, a chunk at a time: holes stay holes, and unwritten blocks have room of their own here, as it is promised to
 * one. What a crash may have torn is made the same on all replicas before anybody comes by it; should it be met, it is not passed on.
 */
static uint32_t share_chunk(struct osd_exec *exec, struct osd_object *from, uint32_t chunk)
{
	uint32_t i, n, err = 0, missing = 0;
	const struct osd_chunk *map;

	if (!osd_onode_has_chunk(&from->onode, chunk))
		return 0;
	if (osd_exec_need_chunk(exec, from, chunk))
		return OSD_MISS;
	map = from->chunks[chunk];
	for (i = 0; i < OSD_CHUNK_BLOCKS; i++) {
		n = chunk * OSD_CHUNK_BLOCKS + i;
		if (osd_chunk_state(map, i) == OSD_BLOCK_WRITTEN)
			err = osd_intents_cover(&exec->store->intents, &from->key, n) ? NACRE_E_CHECKSUM :
			      osd_view_share(exec, n, map->block[i], map->crc[i]);
		else if (osd_chunk_state(map, i) == OSD_BLOCK_UNWRITTEN)
			err = osd_view_allocate(exec, (uint64_t)n * OSD_BLOCK_BYTES, OSD_BLOCK_BYTES, NACRE_OSD_OPF_KEEP);
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
	uint64_t truncate_size = onode->truncate_size;
	uint32_t c, err, missing = 0, i, truncate_seq = exec->view.exists ? onode->truncate_seq : 0;

	if (exec->view.exists)
		missing = osd_view_remove(exec);
	osd_view_create(exec);
	for (c = 0; c < OSD_CHUNKS_MAX; c++) {
		err = share_chunk(exec, from, c);
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
	if (truncate_seq > onode->truncate_seq) {
		onode->truncate_seq = truncate_seq;
		onode->truncate_size = truncate_size;
	}
	return 0;
}

uint32_t osd_op_clone(struct osd_exec *exec, struct osd_op *op)
{
	struct osd_object *from;
	uint32_t err = find_source(exec, op, &from);

	if (!err && !from->exists)
		err = ENOENT;
	if (!err && exec->view.exists && exec->request->snap != NACRE_SNAP_HEAD)
		err = EEXIST;
	if (!err && from != exec->view.object)	/* of itself: nothing to do */
		err = copy_object(exec, from);
	if (from)
		osd_object_unpin(&exec->store->objects, from);
	return err;
}
