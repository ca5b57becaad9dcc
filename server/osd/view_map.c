// SPDX-License-Identifier: GPL-2.0
/*
 * How the blocks of a view stand: written, allocated only, or not there. See view.h.
 */
#include "exec.h"

uint32_t osd_view_state(struct osd_exec *exec, uint32_t n, enum osd_block_state *ret_state)
{
	struct osd_view *view = &exec->view;
	uint32_t c = n / OSD_CHUNK_BLOCKS, i = n % OSD_CHUNK_BLOCKS;
	struct osd_view_chunk *own = view->chunks[c];

	*ret_state = OSD_BLOCK_HOLE;
	if (own) {
		*ret_state = own->images[i].bytes ? OSD_BLOCK_WRITTEN : osd_chunk_state(&own->map, i);
		return 0;
	}
	if (!view->object->exists || !osd_onode_has_chunk(&view->object->onode, c))
		return 0;
	if (osd_exec_need_chunk(exec, view->object, c))
		return OSD_MISS;
	*ret_state = osd_chunk_state(view->object->chunks[c], i);
	return 0;
}

struct osd_view_count osd_view_count(const struct osd_view *view)
{
	struct osd_view_count count = { 0 };
	uint32_t c, i;

	for (c = 0; c < OSD_CHUNKS_MAX; c++) {
		count.chunks += !!view->chunks[c];
		for (i = 0; view->chunks[c] && i < OSD_CHUNK_BLOCKS; i++) {
			count.images += !!view->chunks[c]->images[i].bytes;
			count.homeless += osd_view_is_homeless(view->chunks[c], i);
		}
	}
	return count;
}

uint32_t osd_view_seek(struct osd_exec *exec, bool hole, uint64_t end, uint64_t *offset)
{
	enum osd_block_state state;
	uint32_t missing = 0;
	uint64_t at = *offset;

	for (; at < end; at = (at / OSD_BLOCK_BYTES + 1) * OSD_BLOCK_BYTES) {
		missing |= osd_view_state(exec, (uint32_t)(at / OSD_BLOCK_BYTES), &state);
		if (!missing && (state == OSD_BLOCK_WRITTEN) != hole)
			break;
	}
	*offset = at < end ? at : end;
	return missing;
}

uint32_t osd_view_extent(struct osd_exec *exec, uint64_t *offset, uint64_t end,
			 struct nacre_osd_extent *ret_extent)
{
	enum osd_block_state state, next;
	uint64_t at = *offset;
	uint32_t missing = osd_view_state(exec, (uint32_t)(at / OSD_BLOCK_BYTES), &state);

	do {
		at += OSD_BLOCK_BYTES;
		if (at < end)
			missing |= osd_view_state(exec, (uint32_t)(at / OSD_BLOCK_BYTES), &next);
	} while (at < end && (missing || next == state));	/* missing: ask for all of it at once */
	*ret_extent = (struct nacre_osd_extent){
		.offset = *offset,
		.length = state == OSD_BLOCK_HOLE ? 0 : (uint32_t)(at - *offset),
		.extent_flags = state == OSD_BLOCK_UNWRITTEN ? NACRE_OSD_EXTENT_UNWRITTEN : 0,
	};
	*offset = at;
	return missing;
}
