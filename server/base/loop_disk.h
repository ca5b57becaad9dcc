/* SPDX-License-Identifier: GPL-2.0 */
/* Files and disk operations of a loop: the half that all drivers share. See disk.c. */
#ifndef NACRE_LOOP_DISK_H
#define NACRE_LOOP_DISK_H

#include "loop_core.h"

#define DISK_IOVS_INSIDE 8		/* longer vectors are allocated */

struct io_file {
	struct loop *loop;
	struct io_file *next, **link;	/* in loop->files */
	int fd;
	int slot;			/* the driver's */
	bool direct;			/* the file system knows direct I/O */
	bool device;			/* a block device, not a regular file */
	uint64_t bytes;
	struct io_units units;
};

/* One io_disk on its way; a driver's own half follows it. */
struct loop_disk {
	struct loop *loop;
	struct io_disk *disk;
	struct loop_disk *next_spare;
	uint64_t began_ns;
	bool flushes;			/* a flush follows the write */
	uint64_t offset;		/* of what is left */
	struct iovec *iov;		/* of what is left; inside[], or allocated */
	unsigned int iov_count, iov_at;
	struct iovec inside[DISK_IOVS_INSIDE];
};

static inline bool loop_disk_transfers(const struct loop_disk *d)
{
	return d->disk->kind == IO_DISK_READ || d->disk->kind == IO_DISK_WRITE;
}

/* What the `result` of its first step means: 1 = some is left to transfer, 0 = it is complete, or -errno. */
int loop_disk_advance(struct loop_disk *d, int result);
/* Do a discard, which blocks: for helper threads. As a system call: 0, or -1 and errno. */
int loop_disk_discard(const struct io_disk *disk);
/* It has ended: `d` is spare again, its owner is told. */
void loop_disk_finish(struct loop_disk *d, int result);

int loop_file_open(struct io *io, const char *path, struct io_file **ret_file);
uint64_t loop_file_bytes(struct io_file *file);
struct io_units loop_file_units(const struct io_file *file);
/* Ask the system. disk_units.c */
struct io_units disk_units_find(int fd, bool direct);
void loop_file_close(struct io_file *file);
void loop_disk_submit(struct io *io, struct io_disk *disk);

#endif
