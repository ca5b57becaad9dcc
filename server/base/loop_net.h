/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Listeners and streams of a loop: the half that all drivers share. sockets.c
 * makes sockets, listener.c and stream.c own what is open.
 */
#ifndef NACRE_LOOP_NET_H
#define NACRE_LOOP_NET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include "loop_core.h"

#define ACCEPT_PAUSE_NS 100000000ull	/* out of descriptors: a driver tries again after it */
#define SEND_IOVS 64			/* of one sendmsg, over all queued sends */

/* ---- sockets.c ------------------------------------------------------------------------------ */

/* A socket name of either family. */
union socket_name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* A new socket of the address's family, and the address as its name. The descriptor, or -errno. */
int socket_for(const struct io_address *address, union socket_name *ret_name,
	       unsigned int *ret_name_bytes);
void socket_address(const union socket_name *name, struct io_address *ret_address);
/* A connected socket's options: no delay, notice dead peers. */
void socket_options(const struct loop *loop, int fd);
/* Listening sockets. The descriptor, or -errno. */
int socket_listen(const struct io_address *address);
int socket_listen_path(const char *path);

/* ---- listener.c ----------------------------------------------------------------------------- */

struct io_listener {
	struct loop *loop;
	struct io_listener *next, **link;	/* in loop->listeners */
	int fd;
	bool closing;
	char *path;				/* UNIX socket, to be unlinked */
	void (*accepted)(void *owner, struct io_stream *stream, const struct io_address *peer);
	void *owner;
};

/* A connection has been accepted: `fd` is the listener's to own. */
void loop_listener_took(struct io_listener *listener, int fd);
void loop_listener_free(struct io_listener *listener);

int loop_listen(struct io *io, const struct io_address *address,
		void (*accepted)(void *, struct io_stream *, const struct io_address *),
		void *owner, struct io_listener **ret_listener);
int loop_listen_path(struct io *io, const char *path,
		     void (*accepted)(void *, struct io_stream *, const struct io_address *),
		     void *owner, struct io_listener **ret_listener);
uint16_t loop_listener_port(struct io_listener *listener);
void loop_listener_close(struct io_listener *listener);

/* ---- stream.c ------------------------------------------------------------------------------- */

struct io_stream {
	struct loop *loop;
	struct io_stream *next, **link;	/* in loop->streams */
	const struct io_stream_events *events;	/* NULL: not attached yet */
	void *owner;
	int fd;
	int reason;			/* why it ended */
	bool connecting;
	bool paused;
	bool ended;
	bool given_up;			/* by its owner, who waits for `closed` only */
	struct io_task task;		/* looks at what is to be done next */
	struct io_send *sends, **sends_tail;
	struct iovec iov[SEND_IOVS];	/* of the sendmsg under way */
};

/* A stream on a connected socket, or with a name one that connects. NULL: no memory, fd is closed. */
struct io_stream *loop_stream_create(struct loop *loop, int fd, const void *name,
				     unsigned int name_bytes);
void loop_stream_connected(struct io_stream *stream, int result);
/* Bytes for the owner of a stream that is neither paused nor ended. */
void loop_stream_received(struct io_stream *stream, const uint8_t *bytes, size_t length);
/* Gather what is queued into stream->iov, as far as it fits; returns the number of pieces. */
unsigned int loop_stream_gather(struct io_stream *stream);
/* `bytes` more have gone out: end the sends that are complete. */
void loop_stream_sent(struct io_stream *stream, size_t bytes);
/* The peer, an error, or our owner has ended it. Only the first reason counts. */
void loop_stream_end(struct io_stream *stream, int reason);

int loop_connect(struct io *io, const struct io_address *address,
		 const struct io_stream_events *events, void *owner, struct io_stream **ret_stream);
void loop_stream_attach(struct io_stream *stream, const struct io_stream_events *events,
			void *owner);
void loop_stream_send(struct io_stream *stream, struct io_send *send);
void loop_stream_pause(struct io_stream *stream, bool paused);
void loop_stream_close(struct io_stream *stream);

#endif
