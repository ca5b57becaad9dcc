/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cap updates of several inodes on their way into one message. Who flushes many inodes at once adds their updates
 * here, in order, and sends what nacre_cap_batch_take() makes of them: a CAP_UPDATES, or the CAP_UPDATE itself
 * when it stayed alone.
 *
 *	add, add, add ─▶ full (-EMSGSIZE) ─▶ take, send ─▶ add …  ─▶ take, send
 *
 * Whatever else goes to the rank must not overtake them: take and send before it. The buffer is the
 * caller's; nothing is allocated. Pure.
 */
#ifndef NACRE_RULES_CAP_BATCH_H
#define NACRE_RULES_CAP_BATCH_H

#include "../caps.h"

struct nacre_cap_batch {
	__u8 *buffer;			/* room for one update without xattrs at least */
	__u32 room;			/* bytes, at most the tail's limit of nacre_cap_updates */
	__u32 used;
	__u32 count;			/* updates in it */
};

union nacre_cap_batch_body {
	struct nacre_cap_update update;
	struct nacre_cap_updates updates;
};

void nacre_cap_batch_init(struct nacre_cap_batch *batch, void *buffer, __u32 room);

/* Copy an update with its xattrs. 0, or -EMSGSIZE: it does not fit beside the others, or (count is 0) at all. */
int nacre_cap_batch_add(struct nacre_cap_batch *batch, const struct nacre_cap_update *update);

/*
 * Type and body of the message that says all that was added; 0 = nothing was. The batch is empty then; the
 * body's tails point into the buffer until something is added.
 */
__u16 nacre_cap_batch_take(struct nacre_cap_batch *batch, union nacre_cap_batch_body *body);

#endif
