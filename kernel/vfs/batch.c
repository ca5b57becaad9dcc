// SPDX-License-Identifier: GPL-2.0
/* Asking the objects of a range a few at a time; see batch.h. */
#include <linux/fs.h>
#include "batch.h"
#include "data.h"
#include "protocol/rules/layout.h"

static void one_ended(struct nacre_batch *b)
{
	if (atomic_dec_and_test(&b->pending))
		complete(&b->done);
}

static void io_done(struct nacre_osd_io *io)
{
	one_ended(io->owner);
}

static int fill(struct nacre_batch *b, unsigned int count)
{
	struct nacre_osd_io *io;

	while (b->count < count && b->at < b->end) {
		io = nacre_osd_io_new(nacre_inode_fs(b->inode), GFP_KERNEL);
		if (!io)
			return -ENOMEM;
		nacre_data_io(io, b->inode, b->code, b->at, min_t(u64, b->piece, b->end - b->at));
		io->op_flags = b->op_flags;
		io->output = b->output ? b->output + b->count * b->output_room : NULL;
		io->output_room = b->output_room;
		io->done = io_done;
		io->owner = b;
		b->ios[b->count++] = io;
		b->at += io->length;
	}
	return 0;
}

void nacre_batch_empty(struct nacre_batch *b)
{
	while (b->count)
		nacre_osd_io_put(b->ios[--b->count]);
}

int nacre_batch_run(struct nacre_batch *b, unsigned int count)
{
	unsigned int i;
	int err;

	nacre_batch_empty(b);
	err = fill(b, min_t(unsigned int, count, NACRE_BATCH_MAX));
	if (err)
		return err;
	init_completion(&b->done);
	atomic_set(&b->pending, b->count + 1);
	for (i = 0; i < b->count; i++)
		nacre_osd_submit(b->ios[i]);
	one_ended(b);
	if (!wait_for_completion_killable(&b->done))
		return 0;
	for (i = 0; i < b->count; i++)
		nacre_osd_cancel(b->ios[i], -EINTR);
	wait_for_completion(&b->done);
	return 0;
}

u64 nacre_batch_position(const struct nacre_batch *b, const struct nacre_osd_io *io, u64 offset)
{
	return io->oid.index * nacre_inode(b->inode)->object_bytes + offset;
}
