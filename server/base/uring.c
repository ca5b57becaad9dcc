// SPDX-License-Identifier: GPL-2.0
/*
 * The driver on io_uring: one ring for all. What callbacks, tasks and timers of a
 * turn prepare is submitted by the one system call that waits for the next;
 * nothing is submitted earlier, unless the submission queue is full.
 *
 * Owns the ring and the receive buffers that it provides to the kernel, and finds
 * out whether this kernel will do.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "uring_ring.h"

#define ENTRIES_DEFAULT 1024
#define BUFFERS_DEFAULT 64
#define BUFFER_BYTES_DEFAULT 65536
#define COMPLETIONS_PER_TURN 256	/* then tasks and timers have their turn (TIME-1) */
#define LONGEST_WAIT_NS (3600 * 1000000000ull)

/* ---- submission and completion -------------------------------------------------------------- */

static void submit_now(struct uring *u)
{
	int result;

	do {
		result = io_uring_submit(&u->ring);
	} while (result == -EINTR || result == -EAGAIN);
	assert(result >= 0);
}

struct io_uring_sqe *uring_sqe(struct uring *u, struct loop_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (!sqe) {
		submit_now(u);
		sqe = io_uring_get_sqe(&u->ring);
		assert(sqe);
	}
	io_uring_sqe_set_data(sqe, op);
	u->in_flight++;
	return sqe;
}

void uring_sqe_reserve(struct uring *u, unsigned int count)
{
	if (io_uring_sq_space_left(&u->ring) < count)
		submit_now(u);
}

static void ignore_completion(struct loop *loop, struct loop_op *op, int result, unsigned int flags)
{
}

void uring_cancel(struct uring *u, struct loop_op *op)
{
	static struct loop_op ignored = { .complete = ignore_completion };
	struct io_uring_sqe *sqe = uring_sqe(u, &ignored);

	io_uring_prep_cancel(sqe, op, 0);
}

static void uring_complete(struct loop *loop)
{
	struct uring *u = uring_of(loop);
	struct io_uring_cqe *cqe;
	struct loop_op *op;
	unsigned int flags;
	int result;

	for (int n = 0; n < COMPLETIONS_PER_TURN; n++) {
		if (io_uring_peek_cqe(&u->ring, &cqe))
			return;
		op = io_uring_cqe_get_data(cqe);
		result = cqe->res;
		flags = cqe->flags;
		io_uring_cqe_seen(&u->ring, cqe);
		if (!(flags & IORING_CQE_F_MORE))
			u->in_flight--;
		loop->counters.completions++;
		op->complete(loop, op, result, flags);
	}
}

static void uring_wait(struct loop *loop, uint64_t until_ns)
{
	struct uring *u = uring_of(loop);
	uint64_t now = until_ns ? io_now(&loop->io) : 0, wait_ns;
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;

	if (until_ns <= now || io_uring_cq_ready(&u->ring)) {
		io_uring_submit_and_get_events(&u->ring);
		return;
	}
	wait_ns = until_ns - now < LONGEST_WAIT_NS ? until_ns - now : LONGEST_WAIT_NS;
	ts.tv_sec = (long long)(wait_ns / 1000000000ull);
	ts.tv_nsec = (long long)(wait_ns % 1000000000ull);
	io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
}

/* ---- watched descriptors -------------------------------------------------------------------- */

static void watch_arm(struct uring *u, struct loop_watch *watch)
{
	struct io_uring_sqe *sqe = uring_sqe(u, &watch->op);

	if (watch->buffer)
		io_uring_prep_read(sqe, watch->fd, watch->buffer, watch->bytes, 0);
	else
		io_uring_prep_poll_add(sqe, watch->fd, POLLIN);
}

static void watch_complete(struct loop *loop, struct loop_op *op, int result, unsigned int flags)
{
	struct loop_watch *watch = container(op, struct loop_watch, op);

	if (loop->dying)
		return;
	if (!watch->ending && (watch->buffer ? result == (int)watch->bytes : result > 0))
		watch->ready(loop, watch);
	if (watch->ending)
		watch->ended(watch);
	else
		watch_arm(uring_of(loop), watch);
}

static int uring_watch(struct loop *loop, struct loop_watch *watch)
{
	watch->op.complete = watch_complete;
	watch_arm(uring_of(loop), watch);
	return 0;
}

static void uring_unwatch(struct loop *loop, struct loop_watch *watch)
{
	watch->ending = true;
	uring_cancel(uring_of(loop), &watch->op);
}

/* ---- life ----------------------------------------------------------------------------------- */

/* The newest way of running completions that this kernel knows. */
static int ring_init(struct uring *u, unsigned int entries)
{
	static const unsigned int tries[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	struct io_uring_params params;
	int err = -EINVAL;

	for (unsigned int i = 0; i < sizeof(tries) / sizeof(tries[0]) && err == -EINVAL; i++) {
		memset(&params, 0, sizeof(params));
		params.flags = tries[i] | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
		params.cq_entries = entries * 4;
		err = io_uring_queue_init_params(entries, &u->ring, &params);
	}
	u->ring_made = !err;
	if (!err)
		io_uring_register_ring_fd(&u->ring);
	return err;
}

/*
 * A filter may let a ring be made and forbid its use; and multishot receive, which a kernel does
 * not announce, came with SEND_ZC.
 */
static int ring_works(struct uring *u)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&u->ring);
	bool new_enough = probe && io_uring_opcode_supported(probe, IORING_OP_SEND_ZC);
	struct io_uring_cqe *cqe;
	int result;

	io_uring_free_probe(probe);
	io_uring_prep_nop(io_uring_get_sqe(&u->ring));
	result = io_uring_submit_and_wait(&u->ring, 1);
	if (result < 0)
		return result;
	if (!io_uring_peek_cqe(&u->ring, &cqe))
		io_uring_cqe_seen(&u->ring, cqe);
	return new_enough ? 0 : -EINVAL;
}

/* The ring of receive buffers (liburing 2.3 only registers it). */
static int buffers_init(struct uring *u, unsigned int count, unsigned int bytes)
{
	struct io_uring_buf_reg reg = { .ring_entries = count, .bgid = 0 };
	int mask = io_uring_buf_ring_mask(count);
	int err;

	u->buffer_ring_bytes = count * sizeof(struct io_uring_buf);
	u->buffer_ring = mmap(NULL, u->buffer_ring_bytes, PROT_READ | PROT_WRITE,
			      MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	u->buffers = mmap(NULL, (size_t)count * bytes, PROT_READ | PROT_WRITE,
			  MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	u->buffer_count = count;
	u->buffer_bytes = bytes;
	if (u->buffer_ring == MAP_FAILED || u->buffers == MAP_FAILED)
		return -ENOMEM;
	reg.ring_addr = (uintptr_t)u->buffer_ring;
	err = io_uring_register_buf_ring(&u->ring, &reg, 0);
	if (err)
		return err;
	io_uring_buf_ring_init(u->buffer_ring);
	for (unsigned int i = 0; i < count; i++)
		io_uring_buf_ring_add(u->buffer_ring, u->buffers + (size_t)i * bytes, bytes,
				      (unsigned short)i, mask, (int)i);
	io_uring_buf_ring_advance(u->buffer_ring, (int)count);
	return 0;
}

void uring_buffer_recycle(struct uring *u, unsigned int id)
{
	io_uring_buf_ring_add(u->buffer_ring, u->buffers + (size_t)id * u->buffer_bytes,
			      u->buffer_bytes, (unsigned short)id,
			      io_uring_buf_ring_mask(u->buffer_count), 0);
	io_uring_buf_ring_advance(u->buffer_ring, 1);
}

static unsigned int power_of_two(unsigned int at_least)
{
	unsigned int n = 1;

	while (n < at_least)
		n *= 2;
	return n;
}

static unsigned int or_default(unsigned int value, unsigned int def)
{
	return value ? value : def;
}

static int uring_init(struct loop *loop, const struct loop_config *config)
{
	struct uring *u = uring_of(loop);
	int err;

	u->disk_deadline.tv_sec = (long long)(loop->deadline_ns / 1000000000ull);
	u->disk_deadline.tv_nsec = (long long)(loop->deadline_ns % 1000000000ull);
	u->deadline_op.complete = uring_deadline_passed;
	err = ring_init(u, or_default(config->entries, ENTRIES_DEFAULT));
	if (!err)
		err = ring_works(u);
	if (!err)
		err = buffers_init(u, power_of_two(or_default(config->recv_buffers, BUFFERS_DEFAULT)),
				   or_default(config->recv_buffer_bytes, BUFFER_BYTES_DEFAULT));
	u->files_registered = !err && !io_uring_register_files_sparse(&u->ring, URING_FILES);
	return err;
}

static void uring_drain(struct loop *loop)
{
	static struct loop_op ignored = { .complete = ignore_completion };
	struct uring *u = uring_of(loop);
	uint64_t give_up = io_now(&loop->io) + 5000000000ull;
	struct io_uring_sqe *sqe = uring_sqe(u, &ignored);

	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	while (u->in_flight && io_now(&loop->io) < give_up) {
		uring_wait(loop, io_now(&loop->io) + 100000000ull);
		uring_complete(loop);
	}
}

static void uring_exit(struct loop *loop)
{
	struct uring *u = uring_of(loop);

	if (u->ring_made)
		io_uring_queue_exit(&u->ring);
	if (u->buffer_ring && u->buffer_ring != MAP_FAILED)
		munmap(u->buffer_ring, u->buffer_ring_bytes);
	if (u->buffers && u->buffers != MAP_FAILED)
		munmap(u->buffers, (size_t)u->buffer_count * u->buffer_bytes);
}

const struct loop_driver uring_driver = {
	.name = "io_uring",
	.loop_bytes = sizeof(struct uring),
	.listener_bytes = sizeof(struct uring_listener),
	.stream_bytes = sizeof(struct uring_stream),
	.disk_bytes = sizeof(struct uring_disk),
	.init = uring_init,
	.drain = uring_drain,
	.exit = uring_exit,
	.complete = uring_complete,
	.wait = uring_wait,
	.watch = uring_watch,
	.unwatch = uring_unwatch,
	.accept_start = uring_accept_start,
	.accept_stop = uring_accept_stop,
	.listener_exit = uring_listener_exit,
	.stream_init = uring_stream_init,
	.stream_receive = uring_stream_receive,
	.stream_send = uring_stream_send,
	.stream_quiet = uring_stream_quiet,
	.stream_idle = uring_stream_idle,
	.stream_exit = uring_stream_exit,
	.file_init = uring_file_init,
	.file_exit = uring_file_exit,
	.disk_start = uring_disk_start,
};
