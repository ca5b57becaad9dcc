// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets on io_uring: multishot accept, connect, multishot receive into provided
 * buffers, gathered sends in order.
 *
 * A stream has at most one connect, one receive and one send in the kernel; it is
 * idle when none is left there. Pausing cancels the receive. What had been received
 * by then is held back, at most as much as the provided buffers hold, and
 * delivered first afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "uring_ring.h"

/* ---- accepting ------------------------------------------------------------------------------ */

static struct uring_listener *listener_of(struct io_listener *listener)
{
	return container(listener, struct uring_listener, common);
}

static void accept_arm(struct uring_listener *l)
{
	struct io_uring_sqe *sqe = uring_sqe(uring_of(l->common.loop), &l->op);

	io_uring_prep_multishot_accept(sqe, l->common.fd, NULL, NULL, SOCK_CLOEXEC);
	l->armed = true;
}

static void accept_retry(struct io_timer *timer)
{
	accept_arm(container(timer, struct uring_listener, retry));
}

static void accept_complete(struct loop *loop, struct loop_op *op, int result, unsigned int flags)
{
	struct uring_listener *l = container(op, struct uring_listener, op);

	if (!(flags & IORING_CQE_F_MORE))
		l->armed = false;
	if (result >= 0)
		loop_listener_took(&l->common, result);
	if (l->armed || loop->dying)
		return;
	if (l->common.closing)
		loop_listener_free(&l->common);
	else if (result >= 0 || result == -ECONNABORTED)
		accept_arm(l);
	else
		io_timer_arm(&loop->io, &l->retry, io_now(&loop->io) + ACCEPT_PAUSE_NS);
}

int uring_accept_start(struct io_listener *listener)
{
	struct uring_listener *l = listener_of(listener);

	l->op.complete = accept_complete;
	l->retry.fire = accept_retry;
	accept_arm(l);
	return 0;
}

void uring_accept_stop(struct io_listener *listener)
{
	struct uring_listener *l = listener_of(listener);

	if (l->armed)
		uring_cancel(uring_of(listener->loop), &l->op);
	else
		loop_listener_free(listener);
}

void uring_listener_exit(struct io_listener *listener)
{
	io_timer_cancel(&listener->loop->io, &listener_of(listener)->retry);
}

/* ---- what is held back ---------------------------------------------------------------------- */

/* Received while paused. */
struct held {
	struct held *next;
	size_t bytes;
	uint8_t data[];
};

static struct uring_stream *stream_of(struct io_stream *stream)
{
	return container(stream, struct uring_stream, common);
}

static int hold(struct uring_stream *s, const uint8_t *bytes, size_t length)
{
	struct held *held = malloc(sizeof(*held) + length);

	if (!held)
		return -ENOMEM;
	held->next = NULL;
	held->bytes = length;
	memcpy(held->data, bytes, length);
	*s->held_tail = held;
	s->held_tail = &held->next;
	return 0;
}

static struct held *take_held(struct uring_stream *s)
{
	struct held *held = s->held;

	if (held)
		s->held = held->next;
	if (!s->held)
		s->held_tail = &s->held;
	return held;
}

static void deliver_held(struct uring_stream *s)
{
	struct held *held;

	while (!s->common.paused && !s->common.ended && (held = take_held(s))) {
		loop_stream_received(&s->common, held->data, held->bytes);
		free(held);
	}
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void take_bytes(struct uring_stream *s, const uint8_t *bytes, size_t length)
{
	s->common.loop->counters.net_received_bytes += length;
	if (s->common.ended)
		return;
	if (!s->common.paused && !s->held)
		loop_stream_received(&s->common, bytes, length);
	else if (hold(s, bytes, length))
		loop_stream_end(&s->common, -ENOMEM);
}

static void receive_complete(struct loop *loop, struct loop_op *op, int result, unsigned int flags)
{
	struct uring_stream *s = container(op, struct uring_stream, receive_op);
	unsigned int buffer = flags >> IORING_CQE_BUFFER_SHIFT;
	struct uring *u = uring_of(loop);

	if (!(flags & IORING_CQE_F_MORE))
		s->receiving = false;
	if (loop->dying)
		return;
	if (result > 0 && flags & IORING_CQE_F_BUFFER)
		take_bytes(s, u->buffers + (size_t)buffer * u->buffer_bytes, (size_t)result);
	if (flags & IORING_CQE_F_BUFFER)
		uring_buffer_recycle(u, buffer);
	if (result == -ENOBUFS)
		loop->counters.net_starved++;
	else if (result <= 0 && result != -EINTR && result != -ECANCELED)
		loop_stream_end(&s->common, result);	/* -ECANCELED: paused, perhaps only for a moment */
	if (!s->receiving)
		loop_defer(&loop->io, &s->common.task);
}

void uring_stream_receive(struct io_stream *stream)
{
	struct uring_stream *s = stream_of(stream);
	struct io_uring_sqe *sqe;

	deliver_held(s);
	if (stream->ended || stream->paused || s->receiving)
		return;
	sqe = uring_sqe(uring_of(stream->loop), &s->receive_op);
	io_uring_prep_recv_multishot(sqe, stream->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	s->receiving = true;
}

void uring_stream_quiet(struct io_stream *stream)
{
	struct uring_stream *s = stream_of(stream);
	struct uring *u = uring_of(stream->loop);

	if (stream->connecting && stream->ended)
		uring_cancel(u, &s->send_op);
	if (s->receiving)
		uring_cancel(u, &s->receive_op);
}

/* ---- connecting and sending ----------------------------------------------------------------- */

static void send_complete(struct loop *loop, struct loop_op *op, int result, unsigned int flags)
{
	struct uring_stream *s = container(op, struct uring_stream, send_op);

	if (loop->dying)
		return;
	if (s->common.connecting) {
		loop_stream_connected(&s->common, result);
		return;
	}
	s->sending = false;
	if (result > 0)
		loop_stream_sent(&s->common, (size_t)result);
	else if (result != -EINTR && result != -EAGAIN)
		loop_stream_end(&s->common, result ? result : -EPIPE);
	loop_defer(&loop->io, &s->common.task);
}

void uring_stream_send(struct io_stream *stream)
{
	struct uring_stream *s = stream_of(stream);
	struct io_uring_sqe *sqe;
	unsigned int count;

	if (s->sending)
		return;
	count = loop_stream_gather(stream);
	if (!count) {
		loop_stream_sent(stream, 0);	/* empty sends */
		return;
	}
	memset(&s->msg, 0, sizeof(s->msg));
	s->msg.msg_iov = stream->iov;
	s->msg.msg_iovlen = count;
	sqe = uring_sqe(uring_of(stream->loop), &s->send_op);
	io_uring_prep_sendmsg(sqe, stream->fd, &s->msg, MSG_NOSIGNAL | MSG_WAITALL);
	s->sending = true;
}

/* ---- life ----------------------------------------------------------------------------------- */

int uring_stream_init(struct io_stream *stream, const void *name, unsigned int name_bytes)
{
	struct uring_stream *s = stream_of(stream);

	s->receive_op.complete = receive_complete;
	s->send_op.complete = send_complete;
	s->held_tail = &s->held;
	if (!name)
		return 0;
	memcpy(&s->name, name, name_bytes);
	io_uring_prep_connect(uring_sqe(uring_of(stream->loop), &s->send_op), stream->fd,
			      &s->name.any, name_bytes);
	return 0;
}

bool uring_stream_idle(const struct io_stream *stream)
{
	const struct uring_stream *s = (const struct uring_stream *)stream;

	return !stream->connecting && !s->receiving && !s->sending;
}

void uring_stream_exit(struct io_stream *stream)
{
	struct held *held;

	while ((held = take_held(stream_of(stream))))
		free(held);
}
