// SPDX-License-Identifier: GPL-2.0
/*
 * Byte streams, as their owners see them: connected, received, sent in order,
 * ended once.
 *
 *	CONNECTING ──▶ OPEN ──▶ ENDED (peer, error, or our close) ──▶ freed
 *
 * A stream's task looks at what is to be started, and lets the driver start it;
 * sends queued during one turn go out as one sendmsg. An ended stream waits until
 * nothing of it is left with the system, then ends its sends, calls `closed`,
 * and is gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "loop_net.h"

void loop_stream_end(struct io_stream *stream, int reason)
{
	if (stream->ended)
		return;
	stream->ended = true;
	stream->reason = reason;
	/* what is with the system ends by it */
	shutdown(stream->fd, SHUT_RDWR);
	stream->loop->driver->stream_quiet(stream);
	loop_defer(&stream->loop->io, &stream->task);
}

/* It leaves the list and its socket; its memory is still there. */
static void stream_exit(struct io_stream *stream)
{
	if (stream->loop->driver->stream_exit)
		stream->loop->driver->stream_exit(stream);
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	close(stream->fd);
}

static struct io_send *take_send(struct io_stream *stream)
{
	struct io_send *send = stream->sends;

	stream->sends = send->next;
	if (!stream->sends)
		stream->sends_tail = &stream->sends;
	return send;
}

static void stream_finish(struct io_stream *stream)
{
	struct io_send *send;

	stream_exit(stream);
	while (stream->sends) {
		send = take_send(stream);
		send->done(send, stream->reason ? stream->reason : -ECANCELED);
	}
	if (stream->events)
		stream->events->closed(stream->owner, stream->reason);
	free(stream);
}

/* ---- what drivers tell ---------------------------------------------------------------------- */

void loop_stream_connected(struct io_stream *stream, int result)
{
	stream->connecting = false;
	if (result)
		loop_stream_end(stream, result);
	else if (!stream->ended)
		stream->events->opened(stream->owner);
	loop_defer(&stream->loop->io, &stream->task);
}

void loop_stream_received(struct io_stream *stream, const uint8_t *bytes, size_t length)
{
	stream->events->received(stream->owner, bytes, length);
}

unsigned int loop_stream_gather(struct io_stream *stream)
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

void loop_stream_sent(struct io_stream *stream, size_t bytes)
{
	struct io_send *send;
	size_t left;

	stream->loop->counters.net_sent_bytes += bytes;
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
		take_send(stream);
		send->done(send, 0);
	}
}

/* ---- what is to be done next ---------------------------------------------------------------- */

static void stream_run(struct io_task *task)
{
	struct io_stream *stream = container(task, struct io_stream, task);
	const struct loop_driver *driver = stream->loop->driver;

	if (stream->ended) {
		if (driver->stream_idle(stream))
			stream_finish(stream);
		return;
	}
	if (stream->connecting)
		return;
	/* whoever ends it meanwhile queues this task anew: it is not freed under its own feet */
	if (stream->events)
		driver->stream_receive(stream);
	if (!stream->ended && stream->sends)
		driver->stream_send(stream);
}

/* ---- the calls of io.h ---------------------------------------------------------------------- */

struct io_stream *loop_stream_create(struct loop *loop, int fd, const void *name,
				     unsigned int name_bytes)
{
	struct io_stream *stream = calloc(1, loop->driver->stream_bytes);

	if (!stream) {
		close(fd);
		return NULL;
	}
	stream->loop = loop;
	stream->fd = fd;
	stream->connecting = name;
	stream->task.run = stream_run;
	stream->sends_tail = &stream->sends;
	if (loop->driver->stream_init(stream, name, name_bytes)) {
		close(fd);
		free(stream);
		return NULL;
	}
	stream->next = loop->streams;
	stream->link = &loop->streams;
	if (stream->next)
		stream->next->link = &stream->next;
	loop->streams = stream;
	return stream;
}

int loop_connect(struct io *io, const struct io_address *address,
		 const struct io_stream_events *events, void *owner, struct io_stream **ret_stream)
{
	struct loop *loop = loop_of(io);
	union socket_name name;
	struct io_stream *stream;
	unsigned int bytes;
	int fd;

	fd = socket_for(address, &name, &bytes);
	if (fd < 0)
		return fd;
	socket_options(loop, fd);
	stream = loop_stream_create(loop, fd, &name, bytes);
	if (!stream)
		return -ENOMEM;
	stream->events = events;
	stream->owner = owner;
	*ret_stream = stream;
	return 0;
}

void loop_stream_attach(struct io_stream *stream, const struct io_stream_events *events,
			void *owner)
{
	stream->events = events;
	stream->owner = owner;
	loop_defer(&stream->loop->io, &stream->task);
}

void loop_stream_send(struct io_stream *stream, struct io_send *send)
{
	send->next = NULL;
	send->sent = 0;
	*stream->sends_tail = send;
	stream->sends_tail = &send->next;
	if (!stream->ended)
		loop_defer(&stream->loop->io, &stream->task);
}

void loop_stream_pause(struct io_stream *stream, bool paused)
{
	if (stream->paused == paused || stream->ended)
		return;
	stream->paused = paused;
	if (paused)
		stream->loop->driver->stream_quiet(stream);
	loop_defer(&stream->loop->io, &stream->task);
}

void loop_stream_close(struct io_stream *stream)
{
	stream->given_up = true;
	loop_stream_end(stream, -ECANCELED);
}

/* Owners who have closed a stream wait for `closed`, and get it; others are not called any more. */
void loop_streams_free(struct loop *loop)
{
	struct io_stream *stream;

	while ((stream = loop->streams)) {
		if (stream->given_up) {
			stream_finish(stream);
			continue;
		}
		stream_exit(stream);
		free(stream);
	}
}
