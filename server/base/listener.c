// SPDX-License-Identifier: GPL-2.0
/*
 * Listeners: each accepted socket becomes a stream (stream.c). A driver does the
 * accepting, and tries again after a pause when the process is out of descriptors.
 *
 * A listener that is closed lives on until the system is done with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "loop_net.h"

void loop_listener_free(struct io_listener *listener)
{
	if (listener->loop->driver->listener_exit)
		listener->loop->driver->listener_exit(listener);
	*listener->link = listener->next;
	if (listener->next)
		listener->next->link = listener->link;
	close(listener->fd);
	free(listener->path);
	free(listener);
}

void loop_listener_took(struct io_listener *listener, int fd)
{
	struct loop *loop = listener->loop;
	union socket_name name;
	socklen_t length = sizeof(name);
	struct io_address peer;
	struct io_stream *stream;

	memset(&name, 0, sizeof(name));
	if (loop->dying || listener->closing || getpeername(fd, &name.any, &length)) {
		close(fd);
		return;
	}
	socket_address(&name, &peer);
	if (!listener->path)
		socket_options(loop, fd);
	stream = loop_stream_create(loop, fd, NULL, 0);
	if (!stream)
		return;
	loop->counters.net_accepted++;
	listener->accepted(listener->owner, stream, &peer);
}

static struct io_listener *listener_new(struct loop *loop, int fd, const char *path)
{
	struct io_listener *listener = calloc(1, loop->driver->listener_bytes);

	if (listener && path)
		listener->path = strdup(path);
	if (!listener || (path && !listener->path)) {
		free(listener);
		return NULL;
	}
	listener->loop = loop;
	listener->fd = fd;
	listener->next = loop->listeners;
	listener->link = &loop->listeners;
	if (listener->next)
		listener->next->link = &listener->next;
	loop->listeners = listener;
	return listener;
}

/* `fd` listens already. */
static int begin(struct io *io, int fd, const char *path,
		 void (*accepted)(void *, struct io_stream *, const struct io_address *),
		 void *owner, struct io_listener **ret_listener)
{
	struct loop *loop = loop_of(io);
	struct io_listener *listener;
	int err;

	if (fd < 0)
		return fd;
	listener = listener_new(loop, fd, path);
	if (!listener) {
		close(fd);
		return -ENOMEM;
	}
	listener->accepted = accepted;
	listener->owner = owner;
	err = loop->driver->accept_start(listener);
	if (err)
		loop_listener_free(listener);
	else
		*ret_listener = listener;
	return err;
}

int loop_listen(struct io *io, const struct io_address *address,
		void (*accepted)(void *, struct io_stream *, const struct io_address *),
		void *owner, struct io_listener **ret_listener)
{
	return begin(io, socket_listen(address), NULL, accepted, owner, ret_listener);
}

int loop_listen_path(struct io *io, const char *path,
		     void (*accepted)(void *, struct io_stream *, const struct io_address *),
		     void *owner, struct io_listener **ret_listener)
{
	return begin(io, socket_listen_path(path), path, accepted, owner, ret_listener);
}

uint16_t loop_listener_port(struct io_listener *listener)
{
	union socket_name name;
	socklen_t length = sizeof(name);
	struct io_address address;

	memset(&name, 0, sizeof(name));
	if (getsockname(listener->fd, &name.any, &length))
		return 0;
	socket_address(&name, &address);
	return address.port;
}

void loop_listener_close(struct io_listener *listener)
{
	if (listener->closing)
		return;
	listener->closing = true;
	if (listener->path)
		unlink(listener->path);
	/* connecting is refused from here on, though the accept may still be to end */
	shutdown(listener->fd, SHUT_RDWR);
	listener->loop->driver->accept_stop(listener);
}

void loop_listeners_free(struct loop *loop)
{
	while (loop->listeners)
		loop_listener_free(loop->listeners);
}
