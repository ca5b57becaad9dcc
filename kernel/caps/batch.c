// SPDX-License-Identifier: GPL-2.0
/*
 * Updates of many inodes in one message: what age and sync flush goes out by the hundred (protocol/rules/cap_batch.h).
 *
 * A batch is open only while sending is held, so nothing overtakes it, and send_mutex guards it. Its buffer is made before
 * that, once for a round of batches. Without memory for it there is no batch, and each update goes alone (MEM-1).
 */
#include "internal.h"
#include "../fault.h"

void *caps_batch_buffer(void)
{
	if (nacre_fault(NACRE_FAULT_batch_memory))
		return NULL;
	return kvmalloc(CAPS_FLUSH_BYTES, GFP_NOFS | __GFP_NOWARN);
}

void caps_batch_begin(struct nacre_fs *fs, void *buffer)
{
	nacre_cap_batch_init(&fs->caps.batch, buffer, buffer ? CAPS_FLUSH_BYTES : 0);
}

static void batch_send(struct nacre_fs *fs)
{
	struct nacre_cap_batch *batch = &fs->caps.batch;
	union nacre_cap_batch_body body;
	u32 count = batch->count;
	u16 type = nacre_cap_batch_take(batch, &body);

	if (type && !nacre_mds_send(fs, type, &body))
		nacre_count_add(fs, mds_cap_updates, count);
}

bool caps_batch_add(struct nacre_fs *fs, const struct nacre_cap_update *update)
{
	struct nacre_cap_batch *batch = &fs->caps.batch;

	if (!batch->room)
		return false;
	if (!nacre_cap_batch_add(batch, update))
		return true;
	batch_send(fs);
	return !nacre_cap_batch_add(batch, update);
}

void caps_batch_end(struct nacre_fs *fs)
{
	batch_send(fs);
	nacre_cap_batch_init(&fs->caps.batch, NULL, 0);
}
