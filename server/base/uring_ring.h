/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the io_uring driver share: the ring and its buffers.
 *
 *	uring.c		the ring: submit, wait, lead back; what it needs of the kernel
 *	uring_net.c	accepting and streams		uring_disk.c	disk operations
 */
#ifndef NACRE_URING_RING_H
#define NACRE_URING_RING_H

#include <liburing.h>
#include "loop_disk.h"
#include "loop_net.h"

#define URING_FILES 16			/* registered files at most */

struct uring {
	struct loop loop;
	struct io_uring ring;
	bool ring_made;
	size_t in_flight;		/* operations whose last completion has not come */
	/* receive buffers, provided to the kernel */
	struct io_uring_buf_ring *buffer_ring;
	size_t buffer_ring_bytes;
	uint8_t *buffers;
	unsigned int buffer_count, buffer_bytes;
	/* disk */
	struct io_file *files[URING_FILES];
	bool files_registered;
	struct __kernel_timespec disk_deadline;
	struct loop_op deadline_op;
};

static inline struct uring *uring_of(struct loop *loop) { return (struct uring *)loop; }

/* A submission entry that completes into `op`; never NULL. */
struct io_uring_sqe *uring_sqe(struct uring *u, struct loop_op *op);
/* Make room for `count` entries that must go in together (a chain of links). */
void uring_sqe_reserve(struct uring *u, unsigned int count);
/* Cancel what was submitted with `op`, if it is still under way. */
void uring_cancel(struct uring *u, struct loop_op *op);
void uring_buffer_recycle(struct uring *u, unsigned int id);

/* uring_net.c */
struct uring_listener {
	struct io_listener common;
	struct loop_op op;
	bool armed;			/* the accept is under way */
	struct io_timer retry;
};

struct uring_stream {
	struct io_stream common;
	struct loop_op receive_op;
	struct loop_op send_op;		/* also of the connect */
	bool receiving;			/* the receive is in the kernel */
	bool sending;			/* the send is in the kernel */
	struct held *held, **held_tail;
	union socket_name name;		/* connect */
	struct msghdr msg;
};

int uring_accept_start(struct io_listener *listener);
void uring_accept_stop(struct io_listener *listener);
void uring_listener_exit(struct io_listener *listener);
int uring_stream_init(struct io_stream *stream, const void *name, unsigned int name_bytes);
void uring_stream_receive(struct io_stream *stream);
void uring_stream_send(struct io_stream *stream);
void uring_stream_quiet(struct io_stream *stream);
bool uring_stream_idle(const struct io_stream *stream);
void uring_stream_exit(struct io_stream *stream);

/* uring_disk.c */
struct uring_disk {
	struct loop_disk common;
	struct loop_op op;		/* the operation itself */
	struct loop_op flush_op;
	struct io_job job;		/* a device's discard */
	unsigned int pending;		/* of these two, completions to come */
	int result, flush_result;
};

int uring_file_init(struct io_file *file);
void uring_file_exit(struct io_file *file);
void uring_disk_start(struct loop_disk *d);
void uring_deadline_passed(struct loop *loop, struct loop_op *op, int result, unsigned int flags);

#endif
