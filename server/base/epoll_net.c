// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets on epoll. A listener is level-triggered. A stream is registered once,
 * for edges of both directions: an edge sets `readable` or `writable`, and the
 * stream's task reads and writes until a call says that there is no more. So
 * pausing, resuming and waiting for room cost no system call.
 *
 * No call leaves anything with the kernel: an ended stream is idle at once. A
 * stream that has more to move than a turn may last goes to the end of the queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "epoll_loop.h"

#define ACCEPTS_PER_TURN 64
#define RECEIVES_PER_TURN 4		/* of one stream (TIME-1) */
#define SENDS_PER_TURN 8

/* ---- accepting ------------------------------------------------------------------------------ */

static struct epoll_listener *listener_of(struct io_listener *listener)
{
	return container(listener, struct epoll_listener, common);
}

static bool passes_by_itself(int err)
{
	return err == EAGAIN || err == EINTR || err == ECONNABORTED;
}

static void accept_ready(struct loop *loop, struct loop_op *op, int events, unsigned int flags)
{
	struct epoll_listener *l = container(op, struct epoll_listener, op);
	int fd;

	for (int n = 0; n < ACCEPTS_PER_TURN && !l->common.closing; n++) {
		fd = accept4(l->common.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			loop_listener_took(&l->common, fd);
			continue;
		}
		if (!passes_by_itself(errno)) {
			epoll_remove(loop, l->common.fd);
			io_timer_arm(&loop->io, &l->retry, io_now(&loop->io) + ACCEPT_PAUSE_NS);
		}
		return;
	}
}

static void accept_retry(struct io_timer *timer)
{
	struct epoll_listener *l = container(timer, struct epoll_listener, retry);
	struct io *io = &l->common.loop->io;

	if (epoll_add(l->common.loop, l->common.fd, EPOLLIN, &l->op))
		io_timer_arm(io, timer, io_now(io) + ACCEPT_PAUSE_NS);
}

static void accept_ended(struct io_task *task)
{
	loop_listener_free(&container(task, struct epoll_listener, end)->common);
}

int epoll_accept_start(struct io_listener *listener)
{
	struct epoll_listener *l = listener_of(listener);

	l->op.complete = accept_ready;
	l->retry.fire = accept_retry;
	l->end.run = accept_ended;
	if (fcntl(listener->fd, F_SETFL, O_NONBLOCK))
		return -errno;
	return epoll_add(listener->loop, listener->fd, EPOLLIN, &l->op);
}

void epoll_accept_stop(struct io_listener *listener)
{
	epoll_remove(listener->loop, listener->fd);
	loop_defer(&listener->loop->io, &listener_of(listener)->end);
}

void epoll_listener_exit(struct io_listener *listener)
{
	io_timer_cancel(&listener->loop->io, &listener_of(listener)->retry);
}

/* ---- streams: receiving and sending --------------------------------------------------------- */

static struct epoll_stream *stream_of(struct io_stream *stream)
{
	return container(stream, struct epoll_stream, common);
}

/* One piece; false: that was all there is. */
static bool receive_once(struct epoll_stream *s)
{
	struct epoll_loop *e = epoll_of(s->common.loop);
	ssize_t got = recv(s->common.fd, e->buffer, e->buffer_bytes, 0);

	if (got < 0 && errno == EINTR)
		return true;
	if (got < 0 && errno == EAGAIN) {
		s->readable = false;
		return false;
	}
	if (got <= 0) {
		loop_stream_end(&s->common, got ? -errno : 0);
		return false;
	}
	/* a short read has emptied the socket: what comes later is a new edge */
	s->readable = (size_t)got == e->buffer_bytes || s->ending;
	s->common.loop->counters.net_received_bytes += (uint64_t)got;
	loop_stream_received(&s->common, e->buffer, (size_t)got);
	return s->readable;
}

void epoll_stream_receive(struct io_stream *stream)
{
	struct epoll_stream *s = stream_of(stream);

	for (int n = 0; s->readable && !stream->paused && !stream->ended; n++) {
		if (n == RECEIVES_PER_TURN) {
			loop_defer(&stream->loop->io, &stream->task);
			return;
		}
		if (!receive_once(s))
			return;
	}
}

/* One sendmsg; false: there is no room, or no stream any more. */
static bool send_once(struct epoll_stream *s)
{
	struct io_stream *stream = &s->common;
	struct msghdr msg = { .msg_iov = stream->iov, .msg_iovlen = loop_stream_gather(stream) };
	ssize_t sent = msg.msg_iovlen ? sendmsg(stream->fd, &msg, MSG_NOSIGNAL) : 0;

	if (sent >= 0) {
		loop_stream_sent(stream, (size_t)sent);	/* 0: empty sends */
		return true;
	}
	if (errno == EINTR)
		return true;
	if (errno == EAGAIN)
		s->writable = false;
	else
		loop_stream_end(stream, -errno);
	return false;
}

void epoll_stream_send(struct io_stream *stream)
{
	struct epoll_stream *s = stream_of(stream);

	for (int n = 0; s->writable && stream->sends && !stream->ended; n++) {
		if (n == SENDS_PER_TURN) {
			loop_defer(&stream->loop->io, &stream->task);
			return;
		}
		if (!send_once(s))
			return;
	}
}

/* ---- streams: events and life --------------------------------------------------------------- */

static void connect_ended(struct epoll_stream *s)
{
	socklen_t length = sizeof(int);
	int err = 0;

	if (getsockopt(s->common.fd, SOL_SOCKET, SO_ERROR, &err, &length))
		err = errno;
	loop_stream_connected(&s->common, -err);
}

static void stream_ready(struct loop *loop, struct loop_op *op, int events, unsigned int flags)
{
	struct epoll_stream *s = container(op, struct epoll_stream, op);

	if (s->common.ended)
		return;
	s->ending |= !!(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
	s->readable |= s->ending || events & EPOLLIN;
	s->writable |= s->ending || events & EPOLLOUT;
	if (!s->common.connecting)
		loop_defer(&loop->io, &s->common.task);
	else if (s->writable)
		connect_ended(s);
}

int epoll_stream_init(struct io_stream *stream, const void *name, unsigned int name_bytes)
{
	struct epoll_stream *s = stream_of(stream);

	s->op.complete = stream_ready;
	if (name && fcntl(stream->fd, F_SETFL, O_NONBLOCK))
		return -errno;
	/* connecting comes first: an idle socket would be reported as hung up */
	if (name && connect(stream->fd, name, name_bytes) && errno != EINPROGRESS) {
		loop_stream_end(stream, -errno);
		return 0;
	}
	return epoll_add(stream->loop, stream->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &s->op);
}

void epoll_stream_quiet(struct io_stream *stream)
{
	/* nothing is under way */
}

bool epoll_stream_idle(const struct io_stream *stream)
{
	return true;
}

void epoll_stream_exit(struct io_stream *stream)
{
	epoll_remove(stream->loop, stream->fd);
}
