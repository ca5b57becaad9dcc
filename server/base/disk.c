// SPDX-License-Identifier: GPL-2.0
/*
 * Files, and the life of a disk operation. A file is opened for direct I/O and
 * locked against a second process. An operation has a copy of its vector, so
 * that a short transfer can go on where it stopped; how its steps are done, and
 * what becomes of one that passes its deadline, is the driver's part.
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
#include "loop_disk.h"

/* ---- files ---------------------------------------------------------------------------------- */

static int find_kind(struct io_file *file)
{
	struct stat st;

	if (fstat(file->fd, &st))
		return -errno;
	file->bytes = (uint64_t)st.st_size;
	file->device = S_ISBLK(st.st_mode);
	if (file->device && ioctl(file->fd, BLKGETSIZE64, &file->bytes))
		return -errno;
	return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? 0 : -ENOTBLK;
}

static int file_init(struct io_file *file, const char *path)
{
	int err;

	file->direct = true;
	file->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (file->fd < 0 && errno == EINVAL) {	/* a file system without direct I/O */
		file->direct = false;
		file->fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (file->fd < 0)
		return -errno;
	if (flock(file->fd, LOCK_EX | LOCK_NB))
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else
		err = find_kind(file);
	if (!err)
		err = file->loop->driver->file_init(file);
	file->units = disk_units_find(file->fd, file->direct);
	if (err)
		close(file->fd);
	return err;
}

int loop_file_open(struct io *io, const char *path, struct io_file **ret_file)
{
	struct io_file *file = calloc(1, sizeof(*file));
	struct loop *loop = loop_of(io);
	int err;

	if (!file)
		return -ENOMEM;
	file->loop = loop;
	err = file_init(file, path);
	if (err) {
		free(file);
		return err;
	}
	file->next = loop->files;
	file->link = &loop->files;
	if (file->next)
		file->next->link = &file->next;
	loop->files = file;
	*ret_file = file;
	return 0;
}

uint64_t loop_file_bytes(struct io_file *file)
{
	return file->bytes;
}

struct io_units loop_file_units(const struct io_file *file)
{
	return file->units;
}

void loop_file_close(struct io_file *file)
{
	if (file->loop->driver->file_exit)
		file->loop->driver->file_exit(file);
	*file->link = file->next;
	if (file->next)
		file->next->link = file->link;
	close(file->fd);
	free(file);
}

/* ---- operations ----------------------------------------------------------------------------- */

/* `bytes` are done; returns whether some are left. */
static bool skip_bytes(struct loop_disk *d, size_t bytes)
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

int loop_disk_advance(struct loop_disk *d, int result)
{
	if (result < 0 || !loop_disk_transfers(d))
		return result < 0 ? result : 0;
	if (result > 0)
		return skip_bytes(d, (size_t)result);
	return d->iov_at < d->iov_count ? -EIO : 0;	/* beyond the end of the file */
}

/*
 * A device is asked to discard: fallocate() would have it write zeros, which is more than is wanted, where it cannot
 * give zeros back for free.
 */
int loop_disk_discard(const struct io_disk *disk)
{
	const struct io_file *file = disk->file;
	uint64_t range[2] = { disk->offset, disk->length };

	return file->device ? ioctl(file->fd, BLKDISCARD, range) :
			      fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)disk->offset, (off_t)disk->length);
}

static void count_done(struct loop *loop, const struct loop_disk *d)
{
	const struct io_disk *disk = d->disk;
	uint64_t bytes = 0;

	for (unsigned int i = 0; loop_disk_transfers(d) && i < disk->iov_count; i++)
		bytes += disk->iov[i].iov_len;
	loop->counters.disk_reads += disk->kind == IO_DISK_READ;
	loop->counters.disk_bytes_read += disk->kind == IO_DISK_READ ? bytes : 0;
	loop->counters.disk_writes += disk->kind == IO_DISK_WRITE;
	loop->counters.disk_bytes_written += disk->kind == IO_DISK_WRITE ? bytes : 0;
	stats_longest(&loop->counters.longest_disk_us, (io_now(&loop->io) - d->began_ns) / 1000);
	loop->counters.disk_discards += disk->kind == IO_DISK_DISCARD;
}

void loop_disk_finish(struct loop_disk *d, int result)
{
	struct io_disk *disk = d->disk;
	struct loop *loop = d->loop;

	if (!loop->dying)
		count_done(loop, d);
	if (d->iov != d->inside)
		free(d->iov);
	d->next_spare = loop->disk_spare;
	loop->disk_spare = d;
	if (!loop->dying)
		disk->done(disk, result);
}

/* The few hundred bytes of an operation must be had: an OSD cannot refuse its own journal's write. */
static void *must_have(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct loop_disk *disk_new(struct loop *loop)
{
	struct loop_disk *d = loop->disk_spare;

	if (!d)
		return must_have(malloc(loop->driver->disk_bytes));
	loop->disk_spare = d->next_spare;
	return d;
}

void loop_disk_submit(struct io *io, struct io_disk *disk)
{
	struct loop *loop = loop_of(io);
	struct loop_disk *d = disk_new(loop);

	memset(d, 0, offsetof(struct loop_disk, inside));
	d->loop = loop;
	d->disk = disk;
	d->began_ns = io_now(io);
	d->flushes = disk->kind == IO_DISK_WRITE && disk->sync;
	d->offset = disk->offset;
	d->iov = d->inside;
	d->iov_count = loop_disk_transfers(d) ? disk->iov_count : 0;
	if (d->iov_count > DISK_IOVS_INSIDE)
		d->iov = must_have(malloc(d->iov_count * sizeof(*d->iov)));
	if (d->iov_count)
		memcpy(d->iov, disk->iov, d->iov_count * sizeof(*d->iov));
	loop->driver->disk_start(d);
}

void loop_disk_free(struct loop *loop)
{
	struct loop_disk *d;

	while ((d = loop->disk_spare)) {
		loop->disk_spare = d->next_spare;
		free(d);
	}
	while (loop->files)
		loop_file_close(loop->files);
}
