// SPDX-License-Identifier: GPL-2.0
/*
 * Disk operations on io_uring. A file is registered with the ring; each operation
 * is a chain, submitted as one:
 *
 *	operation → its deadline [→ flush → its deadline]
 *
 * A short transfer breaks the chain, and the rest is submitted as a new one. A
 * deadline that passes cancels what has not reached the device; what the device
 * already has cannot be taken back, so its completion is awaited (its buffers are
 * still the device's) and the delay is counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include "uring_ring.h"

#define CHAIN_MAX 4

/* ---- files ---------------------------------------------------------------------------------- */

int uring_file_init(struct io_file *file)
{
	struct uring *u = uring_of(file->loop);

	file->slot = -1;			/* not registered: slower, not worse */
	for (int i = 0; i < URING_FILES && u->files_registered; i++) {
		if (u->files[i])
			continue;
		if (io_uring_register_files_update(&u->ring, (unsigned int)i, &file->fd, 1) == 1) {
			file->slot = i;
			u->files[i] = file;
		}
		break;
	}
	return 0;
}

void uring_file_exit(struct io_file *file)
{
	struct uring *u = uring_of(file->loop);
	int none = -1;

	if (file->slot < 0)
		return;
	io_uring_register_files_update(&u->ring, (unsigned int)file->slot, &none, 1);
	u->files[file->slot] = NULL;
}

/* ---- chains --------------------------------------------------------------------------------- */

static void chain_complete(struct uring_disk *d);

static struct io_uring_sqe *chain_sqe(struct uring_disk *d, struct loop_op *op)
{
	d->pending++;
	return uring_sqe(uring_of(d->common.loop), op);
}

/* What both ends of a chain's links have in common: the registered file, the link to what follows. */
static void chain_flags(struct uring_disk *d, struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_IO_LINK;
	if (d->common.disk->file->slot >= 0)
		sqe->flags |= IOSQE_FIXED_FILE;
}

static void chain_deadline(struct uring_disk *d, bool more)
{
	struct uring *u = uring_of(d->common.loop);
	struct io_uring_sqe *sqe = uring_sqe(u, &u->deadline_op);

	io_uring_prep_link_timeout(sqe, &u->disk_deadline, IORING_TIMEOUT_BOOTTIME);
	if (more)
		sqe->flags |= IOSQE_IO_LINK;
}

static void chain_flush(struct uring_disk *d, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe = chain_sqe(d, op);

	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	chain_flags(d, sqe);
	d->common.loop->counters.disk_syncs++;
	chain_deadline(d, false);
}

static void chain_start(struct uring_disk *d)
{
	const struct io_disk *disk = d->common.disk;
	const struct iovec *iov = d->common.iov + d->common.iov_at;
	unsigned int iov_count = d->common.iov_count - d->common.iov_at;
	int fd = disk->file->slot >= 0 ? disk->file->slot : disk->file->fd;
	struct io_uring_sqe *sqe;

	uring_sqe_reserve(uring_of(d->common.loop), CHAIN_MAX);
	if (disk->kind == IO_DISK_SYNC) {
		chain_flush(d, &d->op, fd);
		return;
	}
	sqe = chain_sqe(d, &d->op);
	switch (disk->kind) {
	case IO_DISK_READ:
		io_uring_prep_readv(sqe, fd, iov, iov_count, d->common.offset);
		break;
	case IO_DISK_WRITE:
		io_uring_prep_writev(sqe, fd, iov, iov_count, d->common.offset);
		break;
	default:
		io_uring_prep_fallocate(sqe, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)disk->offset, (off_t)disk->length);
		break;
	}
	chain_flags(d, sqe);
	chain_deadline(d, d->common.flushes);
	if (d->common.flushes)
		chain_flush(d, &d->flush_op, fd);
}

void uring_deadline_passed(struct loop *loop, struct loop_op *op, int result, unsigned int flags)
{
	if (result == -ETIME || result == -EALREADY)
		loop->counters.disk_overdue++;
}

static void op_complete(struct loop *loop, struct loop_op *op, int result, unsigned int flags)
{
	struct uring_disk *d = container(op, struct uring_disk, op);

	d->result = result;
	if (!--d->pending)
		chain_complete(d);
}

static void flush_complete(struct loop *loop, struct loop_op *op, int result, unsigned int flags)
{
	struct uring_disk *d = container(op, struct uring_disk, flush_op);

	d->flush_result = result;
	if (!--d->pending)
		chain_complete(d);
}

static void chain_complete(struct uring_disk *d)
{
	int result = d->result == -EAGAIN ? 1 : loop_disk_advance(&d->common, d->result);

	if (result > 0 && !d->common.loop->dying) {
		chain_start(d);
		return;
	}
	if (!result && d->common.flushes)
		result = d->flush_result;
	if (result == -ECANCELED || result == -EINTR)
		result = -ETIMEDOUT;	/* its deadline cancelled it */
	loop_disk_finish(&d->common, result < 0 ? result : 0);
}

/* In a helper thread: only newer rings know how to ask a device. */
static void discard(struct io_job *job)
{
	struct uring_disk *d = container(job, struct uring_disk, job);

	d->result = loop_disk_discard(d->common.disk) ? -errno : 0;
}

static void device_discarded(struct io_job *job)
{
	struct uring_disk *d = container(job, struct uring_disk, job);

	loop_disk_finish(&d->common, d->result);
}

void uring_disk_start(struct loop_disk *common)
{
	struct uring_disk *d = container(common, struct uring_disk, common);

	if (common->disk->kind == IO_DISK_DISCARD && common->disk->file->device) {
		d->job = (struct io_job){ .work = discard, .done = device_discarded };
		loop_offload(&common->loop->io, &d->job);
		return;
	}
	d->op.complete = op_complete;
	d->flush_op.complete = flush_complete;
	d->pending = 0;
	d->result = d->flush_result = 0;
	chain_start(d);
}
