// SPDX-License-Identifier: GPL-2.0
/*
 * The bare echo: a server as nacre's are on io_uring (multishot receive into provided buffers, one gathered send of a
 * connection at a time, one system call a turn), with nothing in it: it counts bytes and answers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bare.h"

#define BUFFERS 64u			/* as the servers have */
#define BUFFER_BYTES 65536u

struct connection {
	int fd;
	size_t bytes;			/* of the request that is coming in */
	uint64_t owed;			/* bytes of replies, not yet given to the kernel */
	bool sending;
};

struct server {
	const struct bare_options *options;
	struct io_uring ring;
	struct io_uring_buf_ring *buffers;
	uint8_t *memory;		/* of the buffers */
	uint8_t *reply;			/* what all replies are made of */
	struct connection connections[BARE_CONNECTIONS_MAX];
	uint64_t answered;
};

/* What a completion is about: connection * 2, + 1 for its send. */
static void arm_receive(struct server *server, unsigned int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&server->ring);

	io_uring_prep_recv_multishot(sqe, server->connections[i].fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	io_uring_sqe_set_data64(sqe, i * 2ull);
}

static void send_owed(struct server *server, unsigned int i)
{
	struct connection *connection = &server->connections[i];
	size_t most = BARE_MESSAGE_MAX, length = connection->owed < most ? connection->owed : most;
	struct io_uring_sqe *sqe;

	if (connection->sending || !length)
		return;
	sqe = io_uring_get_sqe(&server->ring);
	io_uring_prep_send(sqe, connection->fd, server->reply, length, MSG_NOSIGNAL | MSG_WAITALL);
	io_uring_sqe_set_data64(sqe, i * 2ull + 1);
	connection->owed -= length;
	connection->sending = true;
}

static void give_back(struct server *server, unsigned int buffer)
{
	io_uring_buf_ring_add(server->buffers, server->memory + (size_t)buffer * BUFFER_BYTES,
			      BUFFER_BYTES, (unsigned short)buffer, io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(server->buffers, 1);
}

static int received(struct server *server, unsigned int i, const struct io_uring_cqe *cqe)
{
	struct connection *connection = &server->connections[i];
	uint64_t requests;

	if (cqe->res <= 0 && cqe->res != -ENOBUFS)
		return cqe->res ? cqe->res : -EPIPE;
	if (cqe->flags & IORING_CQE_F_BUFFER)
		give_back(server, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	if (!(cqe->flags & IORING_CQE_F_MORE))
		arm_receive(server, i);
	if (cqe->res < 0)
		return 0;
	connection->bytes += (size_t)cqe->res;
	requests = connection->bytes / server->options->request;
	connection->bytes %= server->options->request;
	connection->owed += requests * server->options->reply;
	server->answered += requests;
	return 0;
}

static int turn(struct server *server)
{
	unsigned int head, count = 0;
	struct io_uring_cqe *cqe;
	int err = 0;

	io_uring_submit_and_wait(&server->ring, 1);
	io_uring_for_each_cqe(&server->ring, head, cqe) {
		unsigned int i = (unsigned int)(cqe->user_data / 2);

		count++;
		if (cqe->user_data & 1)
			server->connections[i].sending = false;
		else if (!err)
			err = received(server, i, cqe);
	}
	io_uring_cq_advance(&server->ring, count);
	for (unsigned int i = 0; i < server->options->connections; i++)
		send_owed(server, i);
	return err;
}

static bool owes(const struct server *server)
{
	for (unsigned int i = 0; i < server->options->connections; i++)
		if (server->connections[i].owed || server->connections[i].sending)
			return true;
	return false;
}

static int serve(struct server *server, struct bare_usage *usage)
{
	int err = 0;

	for (unsigned int i = 0; i < server->options->connections; i++)
		arm_receive(server, i);
	bare_begin(usage);
	while (!err && (server->answered < server->options->count || owes(server)))
		err = turn(server);
	bare_end(usage);
	return err;
}

static int buffers_init(struct server *server)
{
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = 0 };
	int flags = MAP_ANONYMOUS | MAP_PRIVATE, err;

	server->buffers = mmap(NULL, BUFFERS * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
			       flags, -1, 0);
	server->memory = mmap(NULL, (size_t)BUFFERS * BUFFER_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
	server->reply = calloc(1, BARE_MESSAGE_MAX);
	if (server->buffers == MAP_FAILED || server->memory == MAP_FAILED || !server->reply)
		return -ENOMEM;
	reg.ring_addr = (uintptr_t)server->buffers;
	err = io_uring_register_buf_ring(&server->ring, &reg, 0);
	if (err)
		return err;
	io_uring_buf_ring_init(server->buffers);
	for (unsigned int i = 0; i < BUFFERS; i++)
		give_back(server, i);
	return 0;
}

/* A listener on a free port of this machine. */
static int listen_any(uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(fd, BARE_CONNECTIONS_MAX) || getsockname(fd, (struct sockaddr *)&at, &length))
		return -errno;
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static int start(struct server *server, int listener)
{
	int err = bare_ring(&server->ring, 1024);

	if (!err)
		err = buffers_init(server);
	for (unsigned int i = 0; i < server->options->connections && !err; i++) {
		server->connections[i].fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		err = server->connections[i].fd < 0 ? -errno : 0;
	}
	return err;
}

int bare_echo(const struct bare_options *options, struct bare_result *result)
{
	struct server *server = calloc(1, sizeof(*server));
	int report[2], listener, status, err;
	double times[2];
	uint16_t port = 0;
	pid_t pid;

	listener = listen_any(&port);
	if (!server || listener < 0 || pipe(report))
		return -ENOMEM;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(bare_echo_client(options, port, report[1]) ? 1 : 0);
	close(report[1]);
	server->options = options;
	err = start(server, listener);
	if (!err)
		err = serve(server, &result->usage);
	result->operations = server->answered;
	if (!err && read(report[0], times, sizeof(times)) != sizeof(times))
		err = -EIO;
	for (unsigned int i = 0; i < options->connections; i++)
		if (server->connections[i].fd)
			close(server->connections[i].fd);
	if (waitpid(pid, &status, 0) != pid || status)
		err = err ? err : -EIO;
	result->p50_us = err ? 0 : times[0];
	result->p99_us = err ? 0 : times[1];
	return err;		/* what is left is the process's */
}
