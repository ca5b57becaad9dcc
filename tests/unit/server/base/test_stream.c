// SPDX-License-Identifier: GPL-2.0
/* Streams on loopback: order and content, back-pressure, closing from either side, refusals. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "run.h"
#include "server/base/loop_net.h"

struct end {
	struct io *io;
	struct io_stream *stream;
	uint64_t received, sum;
	bool opened, closed;
	int reason;
	int closes;
	bool pause_at_once;
	bool paused;
};

static void end_opened(void *owner)
{
	((struct end *)owner)->opened = true;
}

static void end_pause(struct end *end, bool paused)
{
	end->paused = paused;
	io_stream_pause(end->io, end->stream, paused);
}

static void end_received(void *owner, const uint8_t *bytes, size_t length)
{
	struct end *end = owner;

	assert_false(end->closed);
	assert_false(end->paused);
	for (size_t i = 0; i < length; i++)
		end->sum = end->sum * 31 + bytes[i];
	end->received += length;
	if (end->pause_at_once)
		end_pause(end, true);
}

static void end_closed(void *owner, int reason)
{
	struct end *end = owner;

	end->closed = true;
	end->closes++;
	end->reason = reason;
	end->stream = NULL;
}

static const struct io_stream_events events = { end_opened, end_received, end_closed };

struct server {
	struct io *io;
	struct end end;
	bool accepted;
	bool refuse;
};

static void on_accept(void *owner, struct io_stream *stream, const struct io_address *peer)
{
	struct server *server = owner;

	server->accepted = true;
	if (server->refuse) {
		io_stream_close(server->io, stream);
		return;
	}
	server->end.io = server->io;
	server->end.stream = stream;
	io_stream_attach(server->io, stream, &events, &server->end);
}

struct pair {
	struct io *io;
	struct server server;
	struct end client;
	struct io_listener *listener;
};

static void pair_open(struct pair *pair)
{
	struct io_address address;

	memset(pair, 0, sizeof(*pair));
	pair->io = run_loop();
	pair->server.io = pair->io;
	pair->client.io = pair->io;
	assert_int_equal(io_address_parse("127.0.0.1:0", 0, &address), 0);
	assert_int_equal(io_listen(pair->io, &address, on_accept, &pair->server, &pair->listener), 0);
	address.port = io_listener_port(pair->io, pair->listener);
	assert_true(address.port != 0);
	assert_int_equal(io_connect(pair->io, &address, &events, &pair->client,
				    &pair->client.stream), 0);
	run_until_set(pair->io, &pair->server.accepted);
	run_until_set(pair->io, &pair->client.opened);
}

static void pair_free(struct pair *pair)
{
	io_listener_close(pair->io, pair->listener);
	run_ms(pair->io, 5);
	loop_destroy(pair->io);
}

struct sending {
	struct io_send send;
	struct iovec iov[3];
	uint8_t *bytes;
	int result;
	bool done;
	struct sending **last_done;	/* proves the order */
};

static void sending_done(struct io_send *send, int result)
{
	struct sending *s = (struct sending *)send;

	s->result = result;
	s->done = true;
	if (s->last_done)
		assert_true(*s->last_done < s);
	if (s->last_done)
		*s->last_done = s;
}

static uint64_t fill(uint8_t *bytes, size_t length, uint64_t sum)
{
	for (size_t i = 0; i < length; i++) {
		bytes[i] = (uint8_t)rand();
		sum = sum * 31 + bytes[i];
	}
	return sum;
}

/* Sends of all sizes, empty ones among them, in three pieces each: all arrive in order. */
static void sends_arrive_whole_and_in_order(void **state)
{
	enum { COUNT = 300 };
	static struct sending s[COUNT];
	struct sending *last = NULL;
	uint64_t sum = 0, total = 0;
	struct pair pair;

	pair_open(&pair);
	memset(s, 0, sizeof(s));
	for (int i = 0; i < COUNT; i++) {
		size_t length = i % 10 == 3 ? 0 : (size_t)(rand() % 200000);

		s[i].bytes = malloc(length + 1);
		sum = fill(s[i].bytes, length, sum);
		total += length;
		s[i].iov[0] = (struct iovec){ s[i].bytes, length / 3 };
		s[i].iov[1] = (struct iovec){ s[i].bytes + length / 3, 0 };
		s[i].iov[2] = (struct iovec){ s[i].bytes + length / 3, length - length / 3 };
		s[i].last_done = &last;
		s[i].send = (struct io_send){ .iov = s[i].iov, .iov_count = 3, .done = sending_done };
		io_stream_send(pair.io, pair.client.stream, &s[i].send);
	}
	run_until_set(pair.io, &s[COUNT - 1].done);
	while (pair.server.end.received < total)
		run_ms(pair.io, 2);
	assert_int_equal(pair.server.end.received, total);
	assert_true(pair.server.end.sum == sum);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(s[i].result, 0);
		free(s[i].bytes);
	}
	pair_free(&pair);
}

/* A paused receiver gets nothing, the sender is held up; resumed, every byte is there. */
static void a_paused_stream_holds_the_sender(void **state)
{
	size_t length = 32 << 20;
	struct sending s = { .bytes = malloc(length) };
	uint64_t sum = fill(s.bytes, length, 0), seen;
	struct pair pair;

	pair_open(&pair);
	pair.server.end.pause_at_once = true;
	s.iov[0] = (struct iovec){ s.bytes, length };
	s.send = (struct io_send){ .iov = s.iov, .iov_count = 1, .done = sending_done };
	io_stream_send(pair.io, pair.client.stream, &s.send);
	run_ms(pair.io, 100);
	seen = pair.server.end.received;
	assert_true(seen > 0 && seen < length);
	assert_false(s.done);
	run_ms(pair.io, 50);
	assert_int_equal(pair.server.end.received, seen);
	/* resuming delivers a piece and pauses again, over and over */
	for (int i = 0; i < 20; i++) {
		end_pause(&pair.server.end, false);
		run_ms(pair.io, 1);
	}
	assert_true(pair.server.end.received > seen);
	pair.server.end.pause_at_once = false;
	end_pause(&pair.server.end, false);
	run_until_set(pair.io, &s.done);
	while (pair.server.end.received < length)
		run_ms(pair.io, 2);
	assert_true(pair.server.end.sum == sum);
	free(s.bytes);
	pair_free(&pair);
}

static void closing_is_told_once_to_both(void **state)
{
	struct sending s[3] = { 0 };
	size_t length = 64 << 20;
	struct pair pair;

	pair_open(&pair);
	pair.server.end.pause_at_once = true;
	s[0].bytes = calloc(1, length);
	for (int i = 0; i < 3; i++) {
		s[i].iov[0] = (struct iovec){ s[0].bytes, length };
		s[i].send = (struct io_send){ .iov = s[i].iov, .iov_count = 1, .done = sending_done };
		io_stream_send(pair.io, pair.client.stream, &s[i].send);
	}
	run_ms(pair.io, 20);
	io_stream_close(pair.io, pair.client.stream);
	io_stream_close(pair.io, pair.client.stream);
	assert_false(pair.client.closed);	/* never from inside the call */
	run_until_set(pair.io, &pair.client.closed);
	for (int i = 0; i < 3; i++) {
		assert_true(s[i].done);
		assert_int_equal(s[i].result, -ECANCELED);
	}
	assert_int_equal(pair.client.reason, -ECANCELED);
	pair.server.end.pause_at_once = false;
	if (pair.server.end.stream)
		end_pause(&pair.server.end, false);
	run_until_set(pair.io, &pair.server.end.closed);
	run_ms(pair.io, 10);
	assert_int_equal(pair.client.closes, 1);
	assert_int_equal(pair.server.end.closes, 1);
	free(s[0].bytes);
	pair_free(&pair);
}

static void destroying_tells_who_has_closed(void **state)
{
	struct sending s = { 0 };
	struct pair pair;

	pair_open(&pair);
	s.send = (struct io_send){ .iov = s.iov, .iov_count = 0, .done = sending_done };
	io_stream_send(pair.io, pair.client.stream, &s.send);
	io_stream_close(pair.io, pair.client.stream);
	loop_destroy(pair.io);
	assert_true(s.done);
	assert_int_equal(pair.client.closes, 1);
	assert_int_equal(pair.server.end.closes, 0);
}

static void nobody_listens(void **state)
{
	struct io *io = run_loop();
	struct end end = { .io = io };
	struct io_address address;

	assert_int_equal(io_address_parse("127.0.0.1:1", 0, &address), 0);
	assert_int_equal(io_connect(io, &address, &events, &end, &end.stream), 0);
	run_until_set(io, &end.closed);
	assert_false(end.opened);
	assert_int_equal(end.reason, -ECONNREFUSED);
	/* closing while the connect is under way */
	memset(&end, 0, sizeof(end));
	end.io = io;
	assert_int_equal(io_address_parse("192.0.2.1:9", 0, &address), 0);
	if (!io_connect(io, &address, &events, &end, &end.stream)) {
		run_ms(io, 5);
		if (end.stream)
			io_stream_close(io, end.stream);
		run_until_set(io, &end.closed);
		assert_int_equal(end.closes, 1);
	}
	loop_destroy(io);
}

static void an_accepted_stream_may_be_refused(void **state)
{
	struct pair pair;

	pair_open(&pair);
	pair.server.refuse = true;
	pair.server.accepted = false;
	struct end second = { .io = pair.io };
	struct io_address address;

	assert_int_equal(io_address_parse("127.0.0.1", io_listener_port(pair.io, pair.listener),
					  &address), 0);
	assert_int_equal(io_connect(pair.io, &address, &events, &second, &second.stream), 0);
	run_until_set(pair.io, &second.closed);
	assert_false(pair.client.closed);
	pair_free(&pair);
}

/* Out of descriptors, the connection waits in the backlog and is accepted when there is one again. */
static void accepting_goes_on_when_there_are_descriptors(void **state)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct rlimit limit, low;
	int fds[64], count = 0, fd;
	struct pair pair;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){ 64, limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	pair_open(&pair);
	pair.server.refuse = true;
	pair.server.accepted = false;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	while ((fds[count] = open("/dev/null", O_RDONLY)) >= 0)
		count++;
	name.sin_port = htons(io_listener_port(pair.io, pair.listener));
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	run_ms(pair.io, 50);
	assert_false(pair.server.accepted);
	while (count)
		close(fds[--count]);
	run_until_set(pair.io, &pair.server.accepted);
	close(fd);
	pair_free(&pair);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_stale_unix_socket_is_replaced(void **state)
{
	struct io *io = run_loop();
	char *folder = run_folder(), *path;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct server server = { .io = io };
	struct io_listener *listener, *second;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(asprintf(&path, "%s/socket", folder) > 0);
	strcpy(name.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	close(fd);
	assert_int_equal(io_listen_path(io, path, on_accept, &server, &listener), 0);
	assert_int_equal(io_listen_path(io, path, on_accept, &server, &second), -EADDRINUSE);
	io_listener_close(io, listener);
	run_ms(io, 5);
	assert_int_equal(access(path, F_OK), -1);
	loop_destroy(io);
	free(path);
	run_folder_remove(folder);
}

static void addresses_are_parsed_and_printed(void **state)
{
	static const struct { const char *in, *out; } good[] = {
		{ "1.2.3.4", "1.2.3.4:7270" }, { "1.2.3.4:5", "1.2.3.4:5" }, { "::1", "[::1]:7270" },
		{ "[::1]", "[::1]:7270" }, { "[fe80::1]:65535", "[fe80::1]:65535" },
		{ "::ffff:9.8.7.6", "9.8.7.6:7270" },
	};
	static const char *const bad[] = { "", "1.2.3", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:70000",
		"[::1", "[::1]x", "[::1]:", "host", "1.2.3.4:12 ", ":1" };
	char text[IO_ADDRESS_TEXT_BYTES];
	struct io_address address;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(io_address_parse(good[i].in, 7270, &address), 0);
		assert_string_equal(io_address_print(&address, text), good[i].out);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(io_address_parse(bad[i], 7270, &address), -EINVAL);
}

static int tcp_option(int fd, int option)
{
	socklen_t length = sizeof(int);
	int value = 0;

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, option, &value, &length), 0);
	return value;
}

static void deadlines_of_sockets_are_scaled(void **state)
{
	static const struct { uint32_t percent; int idle, interval, unacked_ms; } rows[] = {
		{ 0, 10, 5, 30000 }, { 1000, 100, 50, 300000 }, { 5, 1, 1, 1000 },
		{ 100000, 10000, 5000, 30000000 },
	};
	struct loop_config config = { 0 };
	struct io *io;
	int fd;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config.time_scale_percent = rows[i].percent;
		assert_int_equal(loop_create(&config, &io), 0);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		socket_options(loop_of(io), fd);
		assert_int_equal(tcp_option(fd, TCP_KEEPIDLE), rows[i].idle);
		assert_int_equal(tcp_option(fd, TCP_KEEPINTVL), rows[i].interval);
		assert_int_equal(tcp_option(fd, TCP_USER_TIMEOUT), rows[i].unacked_ms);
		close(fd);
		loop_destroy(io);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_arrive_whole_and_in_order),
		cmocka_unit_test(a_paused_stream_holds_the_sender),
		cmocka_unit_test(closing_is_told_once_to_both),
		cmocka_unit_test(destroying_tells_who_has_closed),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(an_accepted_stream_may_be_refused),
		cmocka_unit_test(accepting_goes_on_when_there_are_descriptors),
		cmocka_unit_test(a_stale_unix_socket_is_replaced),
		cmocka_unit_test(addresses_are_parsed_and_printed),
		cmocka_unit_test(deadlines_of_sockets_are_scaled),
	};

	return run_on_each_loop(tests);
}
