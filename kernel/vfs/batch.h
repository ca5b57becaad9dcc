/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The objects of a range of a file, asked a few at a time: one request a piece, sent together and awaited together
 * (range.c, fiemap.c).
 */
#ifndef NACRE_KERNEL_VFS_BATCH_H
#define NACRE_KERNEL_VFS_BATCH_H

#include <linux/completion.h>
#include "../osd/client.h"

#define NACRE_BATCH_MAX 16		/* objects asked at once */

struct nacre_batch {
	/* The caller's. */
	struct inode *inode;
	u16 code, op_flags;
	u32 piece;			/* at most so many bytes of an object in one request */
	u64 at, end;			/* what is still to be asked, in the file */
	void *output;			/* for operations with output: output_room bytes for each of those asked at once */
	u32 output_room;
	/* Those asked last, in order, answered. */
	struct nacre_osd_io *ios[NACRE_BATCH_MAX];
	unsigned int count;
	/* batch.c's. */
	atomic_t pending;
	struct completion done;
};

/* Ask for the next pieces, `count` at most, and wait: killed, those without an answer say -EINTR. -errno: none was sent. */
int nacre_batch_run(struct nacre_batch *b, unsigned int count);
/* Done with the answers; also before the batch goes. */
void nacre_batch_empty(struct nacre_batch *b);
/* Where in the file a place in the object of `io` is. */
u64 nacre_batch_position(const struct nacre_batch *b, const struct nacre_osd_io *io, u64 offset);

#endif
