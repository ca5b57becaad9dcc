// SPDX-License-Identifier: GPL-2.0
/* Updates of many inodes in one message; see cap_batch.h. */
#include "cap_batch.h"
#include "../codec.h"
#include "../messages.h"

void nacre_cap_batch_init(struct nacre_cap_batch *batch, void *buffer, __u32 room)
{
	batch->buffer = buffer;
	batch->room = room;
	batch->used = 0;
	batch->count = 0;
}

int nacre_cap_batch_add(struct nacre_cap_batch *batch, const struct nacre_cap_update *update)
{
	struct nacre_writer w = nacre_writer(batch->buffer + batch->used, batch->room - batch->used);
	int err = nacre_encode(nacre_cap_update_desc(), &w, update);

	if (err)
		return err;
	batch->used += (__u32)nacre_writer_bytes(&w);
	batch->count++;
	return 0;
}

__u16 nacre_cap_batch_take(struct nacre_cap_batch *batch, union nacre_cap_batch_body *body)
{
	__u16 type = batch->count > 1 ? NACRE_MSG_CAP_UPDATES : NACRE_MSG_CAP_UPDATE;

	if (!batch->count)
		return 0;
	if (type == NACRE_MSG_CAP_UPDATES)
		body->updates = (struct nacre_cap_updates){ .updates = batch->buffer,
							    .updates_bytes = batch->used };
	else
		nacre_decode_all(nacre_cap_update_desc(), batch->buffer, batch->used, &body->update);
	batch->used = 0;
	batch->count = 0;
	return type;
}
