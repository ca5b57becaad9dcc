// SPDX-License-Identifier: GPL-2.0
/*
 * Byte streams on io_uring: connect, multishot receive into provided buffers,
 * gathered sends in order.
 *
 *	CONNECTING ──▶ OPEN ──▶ ENDED (peer, error, or our close) ──▶ freed
 *
 * A stream has at most one connect, one receive and one send in the kernel. Its
 * task looks at what is to be started; sends queued during one turn go out as
 * one sendmsg. An ended stream waits until nothing of it is in the kernel, then
 * ends its sends, calls `closed`, and is gone.
 *
 * Pausing cancels the receive. What had been received by then is held back, at
 * most as much as the provided buffers hold, and delivered first afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "uring_ring.h"
#include "uring_sockaddr.h"

#define SEND_IOVS 64			/* of one sendmsg, over all queued sends */

/* Received while paused. */
struct held {
	struct held *next;
	size_t bytes;
	uint8_t data[];
};

struct io_stream {
	struct uring *u;
	struct io_stream *next, **link;	/* in u->streams */
	const struct io_stream_events *events;	/* NULL: not attached yet */
	void *owner;
	int fd;
	int reason;			/* why it ended */
	bool connecting;		/* the connect is in the kernel, on send_op */
	bool receiving;			/* the receive is in the kernel */
	bool sending;			/* the send is in the kernel */
	bool paused;
	bool ended;
	bool given_up;			/* by its owner, who waits for `closed` only */
	struct io_task task;
	struct uring_op receive_op;
	struct uring_op send_op;
	struct held *held, **held_tail;
	struct io_send *sends, **sends_tail;
	union uring_sockaddr name;	/* connect */
	struct msghdr msg;
	struct iovec iov[SEND_IOVS];
};

/* The peer, an error, or our owner has ended it. Only the first reason counts. */
static void stream_end(struct io_stream *stream, int reason)
{
	if (stream->ended)
		return;
	stream->ended = true;
	stream->reason = reason;
	/* what is in the kernel ends by it */
	shutdown(stream->fd, SHUT_RDWR);
	if (stream->connecting)
		uring_cancel(stream->u, &stream->send_op);
	if (stream->receiving)
		uring_cancel(stream->u, &stream->receive_op);
	uring_defer(&stream->u->io, &stream->task);
}

static void held_free(struct io_stream *stream)
{
	struct held *held;

	while ((held = stream->held)) {
		stream->held = held->next;
		free(held);
	}
	stream->held_tail = &stream->held;
}

static void stream_unlink(struct io_stream *stream)
{
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
}

static void stream_finish(struct io_stream *stream)
{
	struct io_send *send;

	held_free(stream);
	stream_unlink(stream);
	close(stream->fd);
	while ((send = stream->sends)) {
		stream->sends = send->next;
		if (!stream->sends)
			stream->sends_tail = &stream->sends;
		send->done(send, stream->reason ? stream->reason : -ECANCELED);
	}
	if (stream->events)
		stream->events->closed(stream->owner, stream->reason);
	free(stream);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void receive_arm(struct io_stream *stream)
{
	struct io_uring_sqe *sqe = uring_sqe(stream->u, &stream->receive_op);

	io_uring_prep_recv_multishot(sqe, stream->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	stream->receiving = true;
}

static int hold(struct io_stream *stream, const uint8_t *bytes, size_t length)
{
	struct held *held = malloc(sizeof(*held) + length);

	if (!held)
		return -ENOMEM;
	held->next = NULL;
	held->bytes = length;
	memcpy(held->data, bytes, length);
	*stream->held_tail = held;
	stream->held_tail = &held->next;
	return 0;
}

static void deliver_held(struct io_stream *stream)
{
	struct held *held;

	while ((held = stream->held) && !stream->paused && !stream->ended) {
		stream->held = held->next;
		if (!stream->held)
			stream->held_tail = &stream->held;
		stream->events->received(stream->owner, held->data, held->bytes);
		free(held);
	}
}

static void take_bytes(struct io_stream *stream, const uint8_t *bytes, size_t length)
{
	stream->u->counters.net_received_bytes += length;
	if (stream->ended)
		return;
	if (!stream->paused && !stream->held)
		stream->events->received(stream->owner, bytes, length);
	else if (hold(stream, bytes, length))
		stream_end(stream, -ENOMEM);
}

static void receive_complete(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
	struct io_stream *stream = container(op, struct io_stream, receive_op);
	unsigned int buffer = flags >> IORING_CQE_BUFFER_SHIFT;

	if (!(flags & IORING_CQE_F_MORE))
		stream->receiving = false;
	if (u->dying)
		return;
	if (result > 0 && flags & IORING_CQE_F_BUFFER)
		take_bytes(stream, u->buffers + (size_t)buffer * u->buffer_bytes, (size_t)result);
	if (flags & IORING_CQE_F_BUFFER)
		uring_buffer_recycle(u, buffer);
	if (result == -ENOBUFS)
		u->counters.net_starved++;
	else if (result <= 0 && result != -EINTR && result != -ECANCELED)
		stream_end(stream, result);	/* -ECANCELED: paused, perhaps only for a moment */
	if (!stream->receiving)
		uring_defer(&u->io, &stream->task);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Gather what is queued, as far as it fits; returns the number of pieces. */
static unsigned int gather(struct io_stream *stream)
{
	unsigned int count = 0;

	for (struct io_send *send = stream->sends; send; send = send->next) {
		size_t skip = send->sent;

		for (unsigned int i = 0; i < send->iov_count; i++) {
			if (skip >= send->iov[i].iov_len) {
				skip -= send->iov[i].iov_len;
				continue;
			}
			if (count == SEND_IOVS)
				return count;
			stream->iov[count].iov_base = (uint8_t *)send->iov[i].iov_base + skip;
			stream->iov[count++].iov_len = send->iov[i].iov_len - skip;
			skip = 0;
		}
	}
	return count;
}

/* `bytes` more have gone out: end the sends that are complete. */
static void account_sent(struct io_stream *stream, size_t bytes)
{
	struct io_send *send;
	size_t left;

	while ((send = stream->sends)) {
		left = 0;
		for (unsigned int i = 0; i < send->iov_count; i++)
			left += send->iov[i].iov_len;
		left -= send->sent;
		if (bytes < left) {
			send->sent += bytes;
			return;
		}
		bytes -= left;
		stream->sends = send->next;
		if (!stream->sends)
			stream->sends_tail = &stream->sends;
		send->done(send, 0);
	}
}

static void send_start(struct io_stream *stream)
{
	struct io_uring_sqe *sqe;
	unsigned int count = gather(stream);

	if (!count) {
		account_sent(stream, 0);	/* empty sends */
		return;
	}
	memset(&stream->msg, 0, sizeof(stream->msg));
	stream->msg.msg_iov = stream->iov;
	stream->msg.msg_iovlen = count;
	sqe = uring_sqe(stream->u, &stream->send_op);
	io_uring_prep_sendmsg(sqe, stream->fd, &stream->msg, MSG_NOSIGNAL | MSG_WAITALL);
	stream->sending = true;
}

static void connect_complete(struct io_stream *stream, int result)
{
	stream->connecting = false;
	if (result)
		stream_end(stream, result);
	else if (!stream->ended)
		stream->events->opened(stream->owner);
}

static void send_complete(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
	struct io_stream *stream = container(op, struct io_stream, send_op);

	if (u->dying) {
		stream->sending = false;
		return;
	}
	if (stream->connecting) {
		connect_complete(stream, result);
	} else {
		stream->sending = false;
		if (result > 0) {
			u->counters.net_sent_bytes += (uint64_t)result;
			account_sent(stream, (size_t)result);
		} else if (result != -EINTR && result != -EAGAIN) {
			stream_end(stream, result ? result : -EPIPE);
		}
	}
	uring_defer(&u->io, &stream->task);
}

/* ---- what is to be done next ---------------------------------------------------------------- */

static void stream_run(struct io_task *task)
{
	struct io_stream *stream = container(task, struct io_stream, task);

	if (stream->ended) {
		if (!stream->connecting && !stream->receiving && !stream->sending)
			stream_finish(stream);
		return;
	}
	if (stream->connecting)
		return;
	deliver_held(stream);
	if (stream->ended) {
		uring_defer(&stream->u->io, &stream->task);
		return;
	}
	if (stream->events && !stream->paused && !stream->receiving)
		receive_arm(stream);
	if (stream->sends && !stream->sending)
		send_start(stream);
}

/* ---- the calls of io.h ---------------------------------------------------------------------- */

struct io_stream *uring_stream_create(struct uring *u, int fd)
{
	struct io_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->u = u;
	stream->fd = fd;
	stream->task.run = stream_run;
	stream->receive_op.complete = receive_complete;
	stream->send_op.complete = send_complete;
	stream->held_tail = &stream->held;
	stream->sends_tail = &stream->sends;
	stream->next = u->streams;
	stream->link = &u->streams;
	if (stream->next)
		stream->next->link = &stream->next;
	u->streams = stream;
	return stream;
}

int uring_connect(struct io *io, const struct io_address *address,
		  const struct io_stream_events *events, void *owner,
		  struct io_stream **ret_stream)
{
	struct uring *u = uring_of(io);
	union uring_sockaddr name;
	struct io_stream *stream;
	socklen_t length;
	int fd;

	fd = uring_socket_for(address, &name, &length);
	if (fd < 0)
		return fd;
	uring_socket_options(u, fd);
	stream = uring_stream_create(u, fd);
	if (!stream) {
		close(fd);
		return -ENOMEM;
	}
	stream->name = name;
	stream->events = events;
	stream->owner = owner;
	stream->connecting = true;
	io_uring_prep_connect(uring_sqe(u, &stream->send_op), fd, &stream->name.any, length);
	*ret_stream = stream;
	return 0;
}

void uring_stream_attach(struct io_stream *stream, const struct io_stream_events *events,
			 void *owner)
{
	stream->events = events;
	stream->owner = owner;
	uring_defer(&stream->u->io, &stream->task);
}

void uring_stream_send(struct io_stream *stream, struct io_send *send)
{
	send->next = NULL;
	send->sent = 0;
	*stream->sends_tail = send;
	stream->sends_tail = &send->next;
	if (!stream->ended)
		uring_defer(&stream->u->io, &stream->task);
}

void uring_stream_pause(struct io_stream *stream, bool paused)
{
	if (stream->paused == paused || stream->ended)
		return;
	stream->paused = paused;
	if (paused && stream->receiving)
		uring_cancel(stream->u, &stream->receive_op);
	uring_defer(&stream->u->io, &stream->task);
}

void uring_stream_close(struct io_stream *stream)
{
	stream->given_up = true;
	stream_end(stream, -ECANCELED);
}

/* Owners who have closed a stream wait for `closed`, and get it; others are not called any more. */
void uring_streams_free(struct uring *u)
{
	struct io_stream *stream;

	while ((stream = u->streams)) {
		if (stream->given_up) {
			stream_finish(stream);
			continue;
		}
		held_free(stream);
		stream_unlink(stream);
		close(stream->fd);
		free(stream);
	}
}
