// SPDX-License-Identifier: GPL-2.0
/*
 * The bare writer: as a journal does it, with nothing in it. One disk write at a time takes `batch` writes, is
 * O_DIRECT, and is linked to its flush.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bare.h"

/* One disk write and its flush. 0 or -errno. */
static int write_flushed(struct io_uring *ring, int fd, const struct iovec *iov, uint64_t offset)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int result = 0;

	io_uring_prep_writev(sqe, fd, iov, 1, offset);
	sqe->flags |= IOSQE_IO_LINK;
	io_uring_sqe_set_data64(sqe, iov->iov_len);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data64(sqe, 0);
	io_uring_submit_and_wait(ring, 2);
	for (int i = 0; i < 2; i++) {
		if (io_uring_wait_cqe(ring, &cqe))
			return -EIO;
		if (cqe->res < 0 || (uint64_t)cqe->res != cqe->user_data)
			result = cqe->res < 0 ? cqe->res : -EIO;
		io_uring_cqe_seen(ring, cqe);
	}
	return result;
}

static int run(const struct bare_options *options, int fd, struct io_uring *ring, struct iovec *iov,
	       uint64_t *latencies, struct bare_result *result)
{
	uint64_t offset = 0, began;
	size_t disk_writes = 0;
	uint32_t left;
	int err = 0;

	bare_begin(&result->usage);
	for (left = options->count; left && !err; disk_writes++) {
		uint32_t batch = left < options->batch ? left : options->batch;

		began = bare_now_ns();
		iov->iov_len = (size_t)batch * options->bytes;
		err = write_flushed(ring, fd, iov, offset);
		latencies[disk_writes] = bare_now_ns() - began;
		offset += iov->iov_len;
		left -= batch;
	}
	bare_end(&result->usage);
	result->operations = options->count;
	result->p50_us = bare_percentile(latencies, disk_writes, 50);
	result->p99_us = bare_percentile(latencies, disk_writes, 99);
	return err;
}

int bare_write(const struct bare_options *options, struct bare_result *result)
{
	size_t room = (size_t)options->batch * options->bytes;
	uint64_t *latencies = calloc(options->count, sizeof(*latencies));
	struct iovec iov = { .iov_base = NULL };
	struct io_uring ring;
	int fd, err;

	if (!latencies || posix_memalign(&iov.iov_base, BARE_BLOCK, room)) {
		free(latencies);
		return -ENOMEM;
	}
	memset(iov.iov_base, 0x5a, room);
	fd = open(options->file, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
	err = fd < 0 ? -errno : 0;
	if (!err && ftruncate(fd, (off_t)options->count * options->bytes))
		err = -errno;
	if (!err)
		err = bare_ring(&ring, 8);
	if (!err) {
		err = run(options, fd, &ring, &iov, latencies, result);
		io_uring_queue_exit(&ring);
	}
	if (fd >= 0) {
		close(fd);
		unlink(options->file);
	}
	free(iov.iov_base);
	free(latencies);
	return err;
}
