// SPDX-License-Identifier: GPL-2.0
/*
 * Disk operations on io_uring. A file is opened for direct I/O, locked against a
 * second process, and registered with the ring.
 *
 * Each operation is a chain, submitted as one:
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
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "uring_ring.h"

#define CHAIN_MAX 4
#define IOVS_INSIDE 8			/* longer vectors are allocated */

struct io_file {
	struct uring *u;
	int fd;
	int slot;			/* in u->files; -1: not registered */
	uint64_t bytes;
};

/* One io_disk on its way. */
struct uring_disk {
	struct uring *u;
	struct io_disk *disk;
	struct uring_disk *next_free;
	struct uring_op op;		/* the operation itself */
	struct uring_op flush_op;
	unsigned int pending;		/* of these two, completions to come */
	bool flushes;			/* a flush is linked */
	int result, flush_result;
	uint64_t offset;		/* of what is left */
	struct iovec *iov;		/* of what is left; inside[], or allocated */
	unsigned int iov_count, iov_at;
	struct iovec inside[IOVS_INSIDE];
};

/* ---- files ---------------------------------------------------------------------------------- */

static int find_bytes(int fd, uint64_t *ret_bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*ret_bytes = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, ret_bytes))
		return -errno;
	return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? 0 : -ENOTBLK;
}

static void register_file(struct uring *u, struct io_file *file)
{
	file->slot = -1;
	for (int i = 0; i < URING_FILES && u->files_registered; i++) {
		if (u->files[i])
			continue;
		if (io_uring_register_files_update(&u->ring, (unsigned int)i, &file->fd, 1) == 1) {
			file->slot = i;
			u->files[i] = file;
		}
		return;
	}
}

int uring_file_open(struct io *io, const char *path, struct io_file **ret_file)
{
	struct io_file *file = calloc(1, sizeof(*file));
	int err = 0;

	if (!file)
		return -ENOMEM;
	file->u = uring_of(io);
	file->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (file->fd < 0 && errno == EINVAL)	/* a file system without direct I/O */
		file->fd = open(path, O_RDWR | O_CLOEXEC);
	if (file->fd < 0)
		err = -errno;
	else if (flock(file->fd, LOCK_EX | LOCK_NB))
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (!err)
		err = find_bytes(file->fd, &file->bytes);
	if (err) {
		if (file->fd >= 0)
			close(file->fd);
		free(file);
		return err;
	}
	register_file(file->u, file);
	*ret_file = file;
	return 0;
}

uint64_t uring_file_bytes(struct io_file *file)
{
	return file->bytes;
}

void uring_file_close(struct io_file *file)
{
	int none = -1;

	if (file->slot >= 0) {
		io_uring_register_files_update(&file->u->ring, (unsigned int)file->slot, &none, 1);
		file->u->files[file->slot] = NULL;
	}
	close(file->fd);
	free(file);
}

/* ---- chains --------------------------------------------------------------------------------- */

static void chain_complete(struct uring_disk *d);

static struct io_uring_sqe *chain_sqe(struct uring_disk *d, struct uring_op *op)
{
	d->pending++;
	return uring_sqe(d->u, op);
}

/* What both ends of a chain's links have in common: the registered file, the link to what follows. */
static void chain_flags(struct uring_disk *d, struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_IO_LINK;
	if (d->disk->file->slot >= 0)
		sqe->flags |= IOSQE_FIXED_FILE;
}

static void chain_deadline(struct uring_disk *d, bool more)
{
	struct io_uring_sqe *sqe = uring_sqe(d->u, &d->u->deadline_op);

	io_uring_prep_link_timeout(sqe, &d->u->disk_deadline, IORING_TIMEOUT_BOOTTIME);
	if (more)
		sqe->flags |= IOSQE_IO_LINK;
}

static void chain_flush(struct uring_disk *d, struct uring_op *op, int fd)
{
	struct io_uring_sqe *sqe = chain_sqe(d, op);

	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	chain_flags(d, sqe);
	d->u->counters.disk_syncs++;
	chain_deadline(d, false);
}

static void chain_start(struct uring_disk *d)
{
	struct io_file *file = d->disk->file;
	int fd = file->slot >= 0 ? file->slot : file->fd;
	struct io_uring_sqe *sqe;

	uring_sqe_reserve(d->u, CHAIN_MAX);
	if (d->disk->kind == IO_DISK_SYNC) {
		chain_flush(d, &d->op, fd);
		return;
	}
	sqe = chain_sqe(d, &d->op);
	switch (d->disk->kind) {
	case IO_DISK_READ:
		io_uring_prep_readv(sqe, fd, d->iov + d->iov_at, d->iov_count - d->iov_at, d->offset);
		break;
	case IO_DISK_WRITE:
		io_uring_prep_writev(sqe, fd, d->iov + d->iov_at, d->iov_count - d->iov_at, d->offset);
		break;
	default:
		io_uring_prep_fallocate(sqe, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)d->disk->offset, (off_t)d->disk->length);
		break;
	}
	chain_flags(d, sqe);
	chain_deadline(d, d->flushes);
	if (d->flushes)
		chain_flush(d, &d->flush_op, fd);
}

void uring_deadline_passed(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
	if (result == -ETIME || result == -EALREADY)
		u->counters.disk_overdue++;
}

static void op_complete(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
	struct uring_disk *d = container(op, struct uring_disk, op);

	d->result = result;
	if (!--d->pending)
		chain_complete(d);
}

static void flush_complete(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
	struct uring_disk *d = container(op, struct uring_disk, flush_op);

	d->flush_result = result;
	if (!--d->pending)
		chain_complete(d);
}

/* ---- one operation -------------------------------------------------------------------------- */

static bool moves_bytes(const struct io_disk *disk)
{
	return disk->kind == IO_DISK_READ || disk->kind == IO_DISK_WRITE;
}

/* `bytes` are done; returns whether some are left. */
static bool advance(struct uring_disk *d, size_t bytes)
{
	d->offset += bytes;
	while (d->iov_at < d->iov_count && bytes >= d->iov[d->iov_at].iov_len)
		bytes -= d->iov[d->iov_at++].iov_len;
	if (d->iov_at == d->iov_count)
		return false;
	d->iov[d->iov_at].iov_base = (uint8_t *)d->iov[d->iov_at].iov_base + bytes;
	d->iov[d->iov_at].iov_len -= bytes;
	return true;
}

static void count_done(struct uring *u, const struct io_disk *disk)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; moves_bytes(disk) && i < disk->iov_count; i++)
		bytes += disk->iov[i].iov_len;
	u->counters.disk_reads += disk->kind == IO_DISK_READ;
	u->counters.disk_bytes_read += disk->kind == IO_DISK_READ ? bytes : 0;
	u->counters.disk_writes += disk->kind == IO_DISK_WRITE;
	u->counters.disk_bytes_written += disk->kind == IO_DISK_WRITE ? bytes : 0;
	u->counters.disk_discards += disk->kind == IO_DISK_DISCARD;
}

static void spare(struct uring_disk *d)
{
	if (d->iov != d->inside)
		free(d->iov);
	d->next_free = d->u->disk_free;
	d->u->disk_free = d;
}

static void finish(struct uring_disk *d, int result)
{
	struct io_disk *disk = d->disk;
	struct uring *u = d->u;

	if (result == -ECANCELED || result == -EINTR)
		result = -ETIMEDOUT;	/* its deadline cancelled it */
	spare(d);
	if (u->dying)
		return;
	count_done(u, disk);
	disk->done(disk, result);
}

static void chain_complete(struct uring_disk *d)
{
	bool retry = d->result == -EAGAIN;
	int result = d->result;

	if (moves_bytes(d->disk) && result > 0)
		retry = advance(d, (size_t)result);
	else if (moves_bytes(d->disk) && result == 0 && d->iov_at < d->iov_count)
		result = -EIO;		/* beyond the end of the file */
	if (retry && !d->u->dying)
		chain_start(d);
	else if (result >= 0 && d->flushes)
		finish(d, d->flush_result);
	else
		finish(d, result < 0 ? result : 0);
}

/* The few hundred bytes of an operation must be had: an OSD cannot refuse its own journal's write. */
static void *must_have(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct uring_disk *disk_new(struct uring *u)
{
	struct uring_disk *d = u->disk_free;

	if (!d)
		return must_have(malloc(sizeof(*d)));
	u->disk_free = d->next_free;
	return d;
}

void uring_disk_submit(struct io *io, struct io_disk *disk)
{
	struct uring *u = uring_of(io);
	struct uring_disk *d = disk_new(u);
	unsigned int count = moves_bytes(disk) ? disk->iov_count : 0;

	memset(d, 0, offsetof(struct uring_disk, inside));
	d->u = u;
	d->disk = disk;
	d->op.complete = op_complete;
	d->flush_op.complete = flush_complete;
	d->flushes = disk->kind == IO_DISK_WRITE && disk->sync;
	d->offset = disk->offset;
	d->iov = d->inside;
	if (count > IOVS_INSIDE)
		d->iov = must_have(malloc(count * sizeof(*d->iov)));
	d->iov_count = count;
	if (count)
		memcpy(d->iov, disk->iov, count * sizeof(*d->iov));
	chain_start(d);
}

void uring_disk_free(struct uring *u)
{
	struct uring_disk *d;

	while ((d = u->disk_free)) {
		u->disk_free = d->next_free;
		free(d);
	}
	for (int i = 0; i < URING_FILES; i++)
		if (u->files[i]) {
			close(u->files[i]->fd);
			free(u->files[i]);
		}
}
