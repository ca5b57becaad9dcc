// SPDX-License-Identifier: GPL-2.0
/*
 * The client of the bare echo: every connection keeps `depth` requests under way until all are answered. Its own cost
 * is not measured, so it is plain poll().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bare.h"

struct peer {
	uint64_t sent_ns[BARE_DEPTH_MAX];	/* of the requests under way, a ring */
	uint64_t asked, answered;		/* requests */
	size_t bytes;				/* of the reply that is coming in */
};

struct client {
	const struct bare_options *options;
	struct peer *peers;
	struct pollfd *polls;
	uint64_t *latencies;
	uint64_t asked, answered;		/* of all */
	uint8_t *data;
};

static int connect_to(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) ? -errno : fd;
}

/* As many requests as there is depth for, in one piece. */
static int ask(struct client *client, unsigned int i)
{
	const struct bare_options *options = client->options;
	struct peer *peer = &client->peers[i];
	uint64_t now = bare_now_ns();
	size_t length = 0, done;
	ssize_t sent;

	while (peer->asked - peer->answered < options->depth && client->asked < options->count) {
		peer->sent_ns[peer->asked++ % options->depth] = now;
		client->asked++;
		length += options->request;
	}
	for (done = 0; done < length; done += (size_t)sent) {
		sent = send(client->polls[i].fd, client->data + done, length - done, MSG_NOSIGNAL);
		if (sent < 0)
			return -errno;
	}
	return 0;
}

static int take(struct client *client, unsigned int i)
{
	const struct bare_options *options = client->options;
	struct peer *peer = &client->peers[i];
	ssize_t got = recv(client->polls[i].fd, client->data, BARE_MESSAGE_MAX, 0);
	uint64_t now = bare_now_ns();

	if (got <= 0)
		return got ? -errno : -EPIPE;
	for (peer->bytes += (size_t)got; peer->bytes >= options->reply; peer->bytes -= options->reply)
		client->latencies[client->answered++] =
			now - peer->sent_ns[peer->answered++ % options->depth];
	return ask(client, i);
}

static int run(struct client *client)
{
	unsigned int i, count = client->options->connections;
	int err = 0;

	for (i = 0; i < count && !err; i++)
		err = ask(client, i);
	while (!err && client->answered < client->options->count) {
		if (poll(client->polls, count, -1) < 0)
			return -errno;
		for (i = 0; i < count && !err; i++)
			if (client->polls[i].revents)
				err = take(client, i);
	}
	return err;
}

int bare_echo_client(const struct bare_options *options, uint16_t port, int report)
{
	struct client client = {
		.options = options,
		.peers = calloc(options->connections, sizeof(struct peer)),
		.polls = calloc(options->connections, sizeof(struct pollfd)),
		.latencies = calloc(options->count, sizeof(uint64_t)),
		.data = calloc(BARE_DEPTH_MAX, BARE_MESSAGE_MAX),
	};
	double times[2];
	int err = 0;

	if (!client.peers || !client.polls || !client.latencies || !client.data)
		return -ENOMEM;		/* the process ends */
	for (unsigned int i = 0; i < options->connections && !err; i++) {
		client.polls[i].fd = connect_to(port);
		client.polls[i].events = POLLIN;
		err = client.polls[i].fd < 0 ? client.polls[i].fd : 0;
	}
	if (!err)
		err = run(&client);
	times[0] = bare_percentile(client.latencies, client.answered, 50);
	times[1] = bare_percentile(client.latencies, client.answered, 99);
	if (!err && write(report, times, sizeof(times)) != sizeof(times))
		err = -EIO;
	return err;
}
