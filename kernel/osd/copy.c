// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes that somebody may change while they are sent: the pages of a direct
 * write belong to its caller. If they change between checksum and sending, the
 * server refuses the frame and hangs up; then the request is sent again from a
 * copy, so that a caller who never stops scribbling costs one reset, not one after the other.
 */
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include "internal.h"

bool nacre_osd_wants_copy(const struct nacre_osd_io *io)
{
	return io->unstable && io->counted && !io->copy.iov_base;
}

void nacre_osd_copy(struct nacre_osd_client *client, u64 tid)
{
	struct nacre_osd_io *io;
	struct iov_iter from;
	size_t bytes = 0;
	void *copy;

	spin_lock(&client->lock);
	io = nacre_osd_find(client, tid);
	if (io)
		bytes = io->length;
	spin_unlock(&client->lock);
	copy = bytes ? kvmalloc(bytes, GFP_NOFS | __GFP_NOWARN) : NULL;

	/* While it waits nobody but a cancel, which takes the lock, can end it and let go of the pages. */
	spin_lock(&client->lock);
	io = nacre_osd_find(client, tid);
	if (io && copy && io->state == NACRE_OSD_IO_WAITING && nacre_osd_wants_copy(io)) {
		from = io->iter;
		if (copy_from_iter(copy, bytes, &from) == bytes) {
			io->copy.iov_base = copy;
			io->copy.iov_len = bytes;
			iov_iter_kvec(&io->iter, ITER_SOURCE, &io->copy, 1, bytes);
			copy = NULL;
		}
	}
	if (io)
		io->unstable = false;	/* copied, or not to be had */
	spin_unlock(&client->lock);
	kvfree(copy);
}
