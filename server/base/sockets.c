// SPDX-License-Identifier: GPL-2.0
/* Sockets: names, options, and those that listen, on TCP and on paths. All of them are made without waiting. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "loop_net.h"

#define BACKLOG 512

/* Before scaling: a silent peer is probed after 10 s, and given up after 30 s; so is one that takes no bytes. */
#define KEEPALIVE_IDLE_S 10
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES 4
#define UNACKED_S 30

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

int socket_for(const struct io_address *address, union socket_name *ret_name,
	       unsigned int *ret_name_bytes)
{
	bool v4 = !memcmp(address->ip, mapped, sizeof(mapped));
	int fd;

	memset(ret_name, 0, sizeof(*ret_name));
	if (v4) {
		ret_name->v4.sin_family = AF_INET;
		ret_name->v4.sin_port = htons(address->port);
		memcpy(&ret_name->v4.sin_addr, address->ip + 12, 4);
		*ret_name_bytes = sizeof(ret_name->v4);
	} else {
		ret_name->v6.sin6_family = AF_INET6;
		ret_name->v6.sin6_port = htons(address->port);
		memcpy(&ret_name->v6.sin6_addr, address->ip, 16);
		*ret_name_bytes = sizeof(ret_name->v6);
	}
	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

void socket_address(const union socket_name *name, struct io_address *ret_address)
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
static int scaled_seconds(const struct loop *loop, unsigned int seconds)
{
	uint64_t scaled = (uint64_t)seconds * loop->time_scale_percent / 100;

	return scaled < 1 ? 1 : scaled > 32767 ? 32767 : (int)scaled;
}

void socket_options(const struct loop *loop, int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, scaled_seconds(loop, KEEPALIVE_IDLE_S));
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, scaled_seconds(loop, KEEPALIVE_INTERVAL_S));
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, scaled_seconds(loop, UNACKED_S) * 1000);
}

/* ---- listening ------------------------------------------------------------------------------ */

int socket_listen(const struct io_address *address)
{
	union socket_name name;
	unsigned int bytes;
	int fd, err;

	fd = socket_for(address, &name, &bytes);
	if (fd < 0)
		return fd;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!bind(fd, &name.any, bytes) && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
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

int socket_listen_path(const char *path)
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
		return fd;
	close(fd);
	return err;
}
