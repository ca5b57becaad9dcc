// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets: addresses, options, listeners. A listener is one multishot accept;
 * each completion is a new socket that becomes a stream (uring_stream.c).
 *
 * A listener that is closed lives on until its accept has ended in the kernel.
 * When the process is out of descriptors it pauses and tries again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "uring_ring.h"
#include "uring_sockaddr.h"

#define BACKLOG 512
#define ACCEPT_PAUSE_NS 100000000ull

/* Before scaling: a silent peer is probed after 10 s, and given up after 30 s; so is one that takes no bytes. */
#define KEEPALIVE_IDLE_S 10
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES 4
#define UNACKED_S 30

struct io_listener {
	struct uring *u;
	struct io_listener *next, **link;	/* in u->listeners */
	int fd;
	bool closing;
	bool armed;				/* the accept is under way */
	struct uring_op op;
	struct io_timer retry;
	char *path;				/* UNIX socket, to be unlinked */
	void (*accepted)(void *owner, struct io_stream *stream, const struct io_address *peer);
	void *owner;
};

/* ---- addresses and options ------------------------------------------------------------------ */

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

int uring_socket_for(const struct io_address *address, union uring_sockaddr *ret_name,
		     socklen_t *ret_length)
{
	bool v4 = !memcmp(address->ip, mapped, sizeof(mapped));
	int fd;

	memset(ret_name, 0, sizeof(*ret_name));
	if (v4) {
		ret_name->v4.sin_family = AF_INET;
		ret_name->v4.sin_port = htons(address->port);
		memcpy(&ret_name->v4.sin_addr, address->ip + 12, 4);
		*ret_length = sizeof(ret_name->v4);
	} else {
		ret_name->v6.sin6_family = AF_INET6;
		ret_name->v6.sin6_port = htons(address->port);
		memcpy(&ret_name->v6.sin6_addr, address->ip, 16);
		*ret_length = sizeof(ret_name->v6);
	}
	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static void address_of(const union uring_sockaddr *name, struct io_address *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	if (name->any.sa_family == AF_INET) {
		memcpy(ret_address->ip, mapped, sizeof(mapped));
		memcpy(ret_address->ip + 12, &name->v4.sin_addr, 4);
		ret_address->port = ntohs(name->v4.sin_port);
	} else if (name->any.sa_family == AF_INET6) {
		memcpy(ret_address->ip, &name->v6.sin6_addr, 16);
		ret_address->port = ntohs(name->v6.sin6_port);
	}
}

static void set_option(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

/* At least one, and what TCP takes at most. */
static int scaled_seconds(const struct uring *u, unsigned int seconds)
{
	uint64_t scaled = (uint64_t)seconds * u->time_scale_percent / 100;

	return scaled < 1 ? 1 : scaled > 32767 ? 32767 : (int)scaled;
}

void uring_socket_options(const struct uring *u, int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, scaled_seconds(u, KEEPALIVE_IDLE_S));
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, scaled_seconds(u, KEEPALIVE_INTERVAL_S));
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, scaled_seconds(u, UNACKED_S) * 1000);
}

/* ---- accepting ------------------------------------------------------------------------------ */

static void accept_arm(struct io_listener *listener)
{
	struct io_uring_sqe *sqe = uring_sqe(listener->u, &listener->op);

	io_uring_prep_multishot_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
	listener->armed = true;
}

static void listener_free(struct io_listener *listener)
{
	timers_cancel(&listener->u->timers, &listener->retry);
	*listener->link = listener->next;
	if (listener->next)
		listener->next->link = listener->link;
	close(listener->fd);
	free(listener->path);
	free(listener);
}

static void accept_retry(struct io_timer *timer)
{
	accept_arm(container(timer, struct io_listener, retry));
}

static void take_socket(struct io_listener *listener, int fd)
{
	union uring_sockaddr name;
	socklen_t length = sizeof(name);
	struct io_address peer;
	struct io_stream *stream;

	memset(&name, 0, sizeof(name));
	if (listener->closing || getpeername(fd, &name.any, &length)) {
		close(fd);
		return;
	}
	address_of(&name, &peer);
	if (!listener->path)
		uring_socket_options(listener->u, fd);
	stream = uring_stream_create(listener->u, fd);
	if (!stream) {
		close(fd);
		return;
	}
	listener->u->counters.net_accepted++;
	listener->accepted(listener->owner, stream, &peer);
}

static void accept_complete(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
	struct io_listener *listener = container(op, struct io_listener, op);

	if (!(flags & IORING_CQE_F_MORE))
		listener->armed = false;
	if (u->dying) {
		if (result >= 0)
			close(result);
		return;
	}
	if (result >= 0)
		take_socket(listener, result);
	if (listener->armed)
		return;
	if (listener->closing)
		listener_free(listener);
	else if (result >= 0 || result == -ECONNABORTED)
		accept_arm(listener);
	else
		timers_arm(&u->timers, &listener->retry, io_now(&u->io) + ACCEPT_PAUSE_NS);
}

/* ---- listening ------------------------------------------------------------------------------ */

static int listener_create(struct uring *u, int fd, const char *path,
			   void (*accepted)(void *, struct io_stream *, const struct io_address *),
			   void *owner, struct io_listener **ret_listener)
{
	struct io_listener *listener = calloc(1, sizeof(*listener));

	if (listener && path)
		listener->path = strdup(path);
	if (!listener || (path && !listener->path)) {
		free(listener);
		return -ENOMEM;
	}
	listener->u = u;
	listener->fd = fd;
	listener->accepted = accepted;
	listener->owner = owner;
	listener->op.complete = accept_complete;
	listener->retry.fire = accept_retry;
	listener->next = u->listeners;
	listener->link = &u->listeners;
	if (listener->next)
		listener->next->link = &listener->next;
	u->listeners = listener;
	accept_arm(listener);
	*ret_listener = listener;
	return 0;
}

int uring_listen(struct io *io, const struct io_address *address,
		 void (*accepted)(void *, struct io_stream *, const struct io_address *),
		 void *owner, struct io_listener **ret_listener)
{
	union uring_sockaddr name;
	socklen_t length;
	int fd, err = 0;

	fd = uring_socket_for(address, &name, &length);
	if (fd < 0)
		return fd;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(fd, &name.any, length) || listen(fd, BACKLOG))
		err = -errno;
	if (!err)
		err = listener_create(uring_of(io), fd, NULL, accepted, owner, ret_listener);
	if (err)
		close(fd);
	return err;
}

/* A socket file that nobody listens on is left from a process that died. */
static int remove_stale(const struct sockaddr_un *name)
{
	int fd, err = 0;

	if (access(name->sun_path, F_OK))
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)name, sizeof(*name)))
		err = -EADDRINUSE;
	else if (errno != ECONNREFUSED)
		err = -errno;
	else if (unlink(name->sun_path))
		err = -errno;
	close(fd);
	return err;
}

int uring_listen_path(struct io *io, const char *path,
		      void (*accepted)(void *, struct io_stream *, const struct io_address *),
		      void *owner, struct io_listener **ret_listener)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, err;

	if (strlen(path) >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	memcpy(name.sun_path, path, strlen(path) + 1);
	err = remove_stale(&name);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177);
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)))
		err = -errno;
	umask(mask);
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	if (!err)
		err = listener_create(uring_of(io), fd, path, accepted, owner, ret_listener);
	if (err)
		close(fd);
	return err;
}

uint16_t uring_listener_port(struct io_listener *listener)
{
	union uring_sockaddr name;
	socklen_t length = sizeof(name);
	struct io_address address;

	memset(&name, 0, sizeof(name));
	if (getsockname(listener->fd, &name.any, &length))
		return 0;
	address_of(&name, &address);
	return address.port;
}

void uring_listener_close(struct io_listener *listener)
{
	if (listener->closing)
		return;
	listener->closing = true;
	if (listener->path)
		unlink(listener->path);
	if (listener->armed) {
		/* connecting is refused from now on, though the accept is still to end */
		shutdown(listener->fd, SHUT_RDWR);
		uring_cancel(listener->u, &listener->op);
	} else {
		listener_free(listener);
	}
}

void uring_listeners_free(struct uring *u)
{
	while (u->listeners)
		listener_free(u->listeners);
}
