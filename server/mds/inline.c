/* SPDX-License-Identifier: GPL-2.0 */
/* Data in the inode; see inline.h. */
#include "core.h"
#include "inline.h"
#include "protocol/rules/inline.h"

#define DATA_CAPS (NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE | \
		   NACRE_CAP_FILE_BUFFER)

void mds_inline_begin(struct mds *mds, struct mds_inode *inode)
{
	struct cluster_map *map = member_map(mds->member);
	struct nacre_map_pool pool;

	if (!nacre_map_pool_at(&map->view, inode->pool, &pool) && nacre_inline_limit(&pool))
		inode->inline_gen = NACRE_INLINE_FIRST_GEN;
}

static uint32_t step(struct mds_inode *inode, uint8_t event)
{
	uint8_t state = nacre_inline_rank_state(inode->inline_gen, inode->probe);
	uint32_t actions = 0;

	if (nacre_machine_step(&nacre_inline_rank_machine, &state, event, &actions))
		assert(!"an event that a file's inline data cannot have");
	return actions;
}

static void act(struct mds *mds, struct mds_inode *inode, uint32_t actions)
{
	if (actions & NACRE_INLINERA_DROP) {
		inode->inline_gen = 0;
		mds_inode_set_data(mds, inode, NULL, 0);
		/* object 0 has what was here; what else there is, flushes and ranges tell */
		if (inode->data_end < inode->size)
			inode->data_end = inode->size;
		mds->counters.uninlined++;
	}
	if ((actions & NACRE_INLINERA_SHORTEN) && inode->data.length > inode->size)
		mds_inode_set_data(mds, inode, inode->data.bytes, (uint32_t)inode->size);
	if (actions & NACRE_INLINERA_PROBE)
		inode->probe = true;
}

void mds_inline_step(struct mds *mds, struct mds_inode *inode, uint8_t event)
{
	act(mds, inode, step(inode, event));
}

/* A flush from before a truncation has the bytes of before. */
static void store(struct mds *mds, struct mds_inode *inode, const struct nacre_cap_update *update)
{
	if (update->truncate_seq >= inode->truncate_seq)
		mds_inode_set_data(mds, inode, update->data, update->data_bytes);
}

/*
 * Bytes of who shares the file by now. A flush numbered after the file was shared says once more what its sender has not seen
 * journaled: taken in when its sender was alone, and journaled before anybody else had any of it (SHARE-1). What has left
 * since, or was cut, is not said anew; and the rest can only be the same.
 */
static bool is_known(const struct mds_inode *inode, const struct nacre_cap_update *update)
{
	if (!inode->inline_gen || update->truncate_seq < inode->truncate_seq)
		return true;
	return inode->data.length == update->data_bytes &&
	       !(update->data_bytes && memcmp(inode->data.bytes, update->data, update->data_bytes));
}

void mds_inline_flush(struct mds *mds, struct mds_inode *inode,
		      const struct nacre_cap_update *update, bool alone)
{
	uint32_t actions;

	if (update->update_flags & NACRE_CAP_UPDATE_UNINLINED)
		mds_inline_step(mds, inode, NACRE_INLINERE_LEFT);
	if (!(update->update_flags & NACRE_CAP_UPDATE_HAS_DATA))
		return;
	if (!alone && is_known(inode, update))
		return;
	actions = alone ? step(inode, NACRE_INLINERE_BYTES) : NACRE_INLINERA_REFUSE;
	if (actions & NACRE_INLINERA_STORE)
		store(mds, inode, update);
	if (actions & NACRE_INLINERA_REFUSE)
		log_error(mds->log, "inline", "client bytes for inode %#llx, %s",
			  (unsigned long long)inode->ino,
			  alone ? "whose data has left it" : "which others have, too");
}

void mds_inline_fill(const struct mds_inode *inode, bool asked, struct nacre_inode_info *info)
{
	if (!inode->inline_gen || (!asked && !(info->issued & DATA_CAPS)))
		return;
	info->info_flags |= NACRE_INFO_HAS_DATA;
	info->data = inode->data.bytes;
	info->data_bytes = inode->data.length;
}
