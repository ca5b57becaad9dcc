// SPDX-License-Identifier: GPL-2.0
/*
 * Speaks the protocol wrongly, on purpose, to a server or to a client, and expects nothing worse than a reset
 * connection. Prints TAP. It builds frames with the real encoder and then breaks one thing in each; the checksum is its
 * own.
 *
 *   noise send ADDRESS PORT    one broken conversation per connection to a server, then a proper one: it still serves
 *   noise serve ADDRESS PORT   takes a server's place for a client that keeps reconnecting
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/messages.h"

enum { CLOSE_MS = 10000, BODY_ROOM = 4096 };

/* A frame before it is sent: the header in wire form, so that anything in it can be broken. */
struct frame {
	struct nacre_frame_wire head;
	uint8_t body[BODY_ROOM];
	uint32_t body_bytes;
};

static bool to_client; /* `serve`: our frames answer a client's */
static uint64_t sent;  /* frames on this connection */
static unsigned int number, failed;

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static uint32_t crc32c(const void *bytes, size_t count)
{
	const uint8_t *p = bytes;
	uint32_t crc = ~0u;

	while (count--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

static void seal(struct frame *f)
{
	f->head.body_crc = htole32(f->body_bytes ? crc32c(f->body, f->body_bytes) : 0);
	f->head.header_crc = htole32(crc32c(&f->head, NACRE_FRAME_CRC_BYTES));
}

static struct frame frame_of(uint16_t type, const void *host)
{
	struct frame f = { 0 };

	if (host) {
		struct nacre_writer w = nacre_writer(f.body, sizeof(f.body));

		if (nacre_encode(nacre_message_find(type)->body(), &w, host))
			abort();
		f.body_bytes = (uint32_t)nacre_writer_bytes(&w);
	}
	f.head.magic = htole32(NACRE_FRAME_MAGIC);
	f.head.type = htole16(type);
	f.head.version = NACRE_FRAME_VERSION;
	f.head.body_bytes = htole32(f.body_bytes);
	f.head.seq = htole64(sent + 1);
	f.head.conn_gen = htole32(1);
	seal(&f);
	return f;
}

static struct nacre_hello proper_hello(void)
{
	return (struct nacre_hello){
		.protocol = NACRE_PROTOCOL_VERSION,
		.role = NACRE_ROLE_CLIENT,
		.features = NACRE_FEATURES_SUPPORTED,
		.required = NACRE_FEATURES_REQUIRED,
		.conn_gen = 1,
		.name = (const uint8_t *)"noise",
		.name_bytes = 5,
	};
}

static struct nacre_hello_reply proper_reply(void)
{
	return (struct nacre_hello_reply){
		.protocol = NACRE_PROTOCOL_VERSION,
		.features = NACRE_FEATURES_SUPPORTED,
		.required = NACRE_FEATURES_REQUIRED,
		.role = NACRE_ROLE_MDS,
		.instance = 7,
		.fsid_lo = 1,
		.fsid_hi = 2,
		.map_epoch = 1,
		.time_scale_percent = 100,
	};
}

static struct frame opening(void)
{
	struct nacre_hello hello = proper_hello();
	struct nacre_hello_reply reply = proper_reply();

	return to_client ? frame_of(NACRE_MSG_HELLO_REPLY, &reply) : frame_of(NACRE_MSG_HELLO, &hello);
}

/* ---- the wire ---------------------------------------------------------------------------------------------------- */

static void put(int fd, const void *bytes, size_t count)
{
	for (const uint8_t *p = bytes; count;) {
		ssize_t n = send(fd, p, count, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* closed already: that is what is wanted */
		p += n;
		count -= (size_t)n;
	}
}

static void put_frame(int fd, const struct frame *f)
{
	put(fd, &f->head, sizeof(f->head));
	put(fd, f->body, f->body_bytes);
	sent++;
}

/* Reads one frame; its type, or 0 when the connection ended or nothing came in time. */
static uint16_t get_frame(int fd, struct frame *f)
{
	struct timeval limit = { .tv_sec = CLOSE_MS / 1000 };
	uint32_t bytes;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (recv(fd, &f->head, sizeof(f->head), MSG_WAITALL) != sizeof(f->head))
		return 0;
	bytes = le32toh(f->head.body_bytes);
	if (bytes > sizeof(f->body) || recv(fd, f->body, bytes, MSG_WAITALL) != (ssize_t)bytes)
		return 0;
	f->body_bytes = bytes;
	return le16toh(f->head.type);
}

/* Does the other side close within the limit? What it still says is read and dropped. */
static bool was_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char dropped[65536];
	ssize_t n;

	for (;;) {
		if (poll(&p, 1, CLOSE_MS) <= 0)
			return false;
		n = recv(fd, dropped, sizeof(dropped), 0);
		if (n <= 0)
			return n == 0 || errno == ECONNRESET;
	}
}

/* The proper beginning of a conversation. */
static void begin(int fd)
{
	struct frame f = opening(), answer;

	put_frame(fd, &f);
	if (!to_client)
		get_frame(fd, &answer);
}

/* ---- one broken thing each --------------------------------------------------------------------------------------- */

static void noise_random(int fd)
{
	uint32_t state = 1;
	uint8_t bytes[4096];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
	put(fd, bytes, sizeof(bytes));
}

static void noise_http(int fd)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: nacre\r\nUser-Agent: somebody who is lost, and says so at length\r\n\r\n";

	put(fd, text, sizeof(text) - 1);
}

static void noise_magic(int fd)
{
	struct frame f = opening();

	f.head.magic ^= 1;
	seal(&f);
	put_frame(fd, &f);
}

static void noise_frame_version(int fd)
{
	struct frame f = opening();

	f.head.version = NACRE_FRAME_VERSION + 1;
	seal(&f);
	put_frame(fd, &f);
}

static void noise_header_crc(int fd)
{
	struct frame f = opening();

	f.head.header_crc ^= htole32(1);
	put_frame(fd, &f);
}

static void noise_body_crc(int fd)
{
	struct frame f = opening();

	f.body[f.body_bytes - 1] ^= 1;
	put_frame(fd, &f);
}

static void noise_reserved(int fd)
{
	struct frame f = opening();

	f.head.reserved2 = htole64(1);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_huge_body(int fd)
{
	struct frame f = opening();

	f.head.body_bytes = htole32(0xffffffff);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_huge_data(int fd)
{
	struct frame f = opening();

	f.head.data_bytes = htole32(NACRE_DATA_MAX + 1);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_unexpected_data(int fd)
{
	struct frame f = opening();
	uint8_t data[4096] = { 0 };

	f.head.data_bytes = htole32(sizeof(data));
	f.head.data_crc = htole32(crc32c(data, sizeof(data)));
	seal(&f);
	put_frame(fd, &f);
	put(fd, data, sizeof(data));
}

static void noise_unknown_type(int fd)
{
	struct frame f = opening();

	f.head.type = htole16(9999);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_first_seq(int fd)
{
	struct frame f = opening();

	f.head.seq = htole64(5);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_not_a_hello(int fd)
{
	struct nacre_map_get get = { 0 };
	struct frame f = frame_of(NACRE_MSG_MAP_GET, &get);

	put_frame(fd, &f);
}

static void noise_short_body(int fd)
{
	struct frame f = opening();

	f.body_bytes -= 20;
	f.head.body_bytes = htole32(f.body_bytes);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_long_body(int fd)
{
	struct frame f = opening();

	f.body_bytes += 8;
	f.head.body_bytes = htole32(f.body_bytes);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_protocol_version(int fd)
{
	struct nacre_hello hello = proper_hello();
	struct nacre_hello_reply reply = proper_reply();
	struct frame f;

	hello.protocol = reply.protocol = NACRE_PROTOCOL_VERSION + 77;
	f = to_client ? frame_of(NACRE_MSG_HELLO_REPLY, &reply) : frame_of(NACRE_MSG_HELLO, &hello);
	put_frame(fd, &f);
}

static void noise_unknown_feature(int fd)
{
	struct nacre_hello hello = proper_hello();
	struct nacre_hello_reply reply = proper_reply();
	struct frame f;

	hello.features = hello.required = reply.features = reply.required = 1ull << 60 | 1;
	f = to_client ? frame_of(NACRE_MSG_HELLO_REPLY, &reply) : frame_of(NACRE_MSG_HELLO, &hello);
	put_frame(fd, &f);
}

static void noise_other_file_system(int fd)
{
	struct nacre_hello hello = proper_hello();
	struct nacre_hello_reply reply = proper_reply();
	struct frame f;

	hello.fsid_lo = hello.fsid_hi = 0xbad;
	reply.result = NACRE_E_BAD_FSID;
	f = to_client ? frame_of(NACRE_MSG_HELLO_REPLY, &reply) : frame_of(NACRE_MSG_HELLO, &hello);
	put_frame(fd, &f);
}

static void noise_hello_twice(int fd)
{
	struct frame f;

	begin(fd);
	f = opening();
	put_frame(fd, &f);
}

static void noise_seq_gap(int fd)
{
	struct nacre_map_get get = { 0 };
	struct frame f;

	begin(fd);
	f = frame_of(NACRE_MSG_MAP_GET, &get);
	f.head.seq = htole64(sent + 5);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_body_reserved(int fd)
{
	struct nacre_map_get get = { 0 };
	struct frame f;

	begin(fd);
	f = frame_of(NACRE_MSG_MAP_GET, &get);
	memset(f.body + 12, 0xff, 4);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_wrong_direction(int fd)
{
	struct frame f;

	begin(fd);
	f = frame_of(to_client ? NACRE_MSG_LOOKUP : NACRE_MSG_REPLY, NULL);
	f.body_bytes = nacre_message_find(to_client ? NACRE_MSG_LOOKUP : NACRE_MSG_REPLY)->body()->wire_bytes;
	f.head.body_bytes = htole32(f.body_bytes);
	seal(&f);
	put_frame(fd, &f);
}

static void noise_tail_past_the_end(int fd)
{
	struct frame f = opening();
	const struct nacre_struct *desc = nacre_message_find(le16toh(f.head.type))->body();

	for (unsigned int i = 0; i < desc->field_count; i++)
		if (desc->fields[i].kind == NACRE_FIELD_TAIL)
			memset(f.body + desc->fields[i].wire_offset, 0x7f, 4);
	seal(&f);
	put_frame(fd, &f);
}

static const struct {
	const char *what;
	void (*make)(int fd);
} noises[] = {
	{ "random bytes", noise_random },
	{ "another protocol's text", noise_http },
	{ "wrong magic number", noise_magic },
	{ "unknown frame version", noise_frame_version },
	{ "wrong header checksum", noise_header_crc },
	{ "wrong body checksum", noise_body_crc },
	{ "a reserved header field set", noise_reserved },
	{ "a body of 4 GiB announced", noise_huge_body },
	{ "more data than any message has", noise_huge_data },
	{ "data where the message has none", noise_unexpected_data },
	{ "unknown message type", noise_unknown_type },
	{ "the first frame is not number 1", noise_first_seq },
	{ "the first frame is no hello", noise_not_a_hello },
	{ "a body that is too short", noise_short_body },
	{ "a body that is too long", noise_long_body },
	{ "a tail that ends past the body", noise_tail_past_the_end },
	{ "another protocol version", noise_protocol_version },
	{ "a required feature nobody has", noise_unknown_feature },
	{ "another file system", noise_other_file_system },
	{ "a second hello", noise_hello_twice },
	{ "a gap in the frames' numbers", noise_seq_gap },
	{ "a reserved body field set", noise_body_reserved },
	{ "a message of the other direction", noise_wrong_direction },
};
enum { NOISES = sizeof(noises) / sizeof(noises[0]) };

/* ---- both ways --------------------------------------------------------------------------------------------------- */

static void report(bool good, const char *what)
{
	printf("%s %u - %s\n", good ? "ok" : "not ok", ++number, what);
	fflush(stdout);
	failed += !good;
}

static struct sockaddr_in place(const char *address, const char *port)
{
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, address, &where.sin_addr) != 1) {
		fprintf(stderr, "noise: '%s' is no address\n", address);
		exit(2);
	}
	return where;
}

static int dial(const struct sockaddr_in *where)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sent = 0;
	if (connect(fd, (const struct sockaddr *)where, sizeof(*where))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool hello_is_accepted(const struct sockaddr_in *where)
{
	int fd = dial(where);
	struct nacre_hello_reply reply;
	struct frame f = opening(), answer;
	bool good;

	if (fd < 0)
		return false;
	put_frame(fd, &f);
	good = get_frame(fd, &answer) == NACRE_MSG_HELLO_REPLY &&
	       nacre_decode_all(nacre_hello_reply_desc(), answer.body, answer.body_bytes, &reply) == 0 &&
	       reply.result == 0;
	close(fd);
	return good;
}

static int send_all(const char *address, const char *port)
{
	struct sockaddr_in where = place(address, port);

	printf("1..%d\n", NOISES + 1);
	for (unsigned int i = 0; i < NOISES; i++) {
		int fd = dial(&where);

		if (fd >= 0)
			noises[i].make(fd);
		report(fd >= 0 && was_closed(fd), noises[i].what);
		close(fd);
	}
	report(hello_is_accepted(&where), "a proper hello is accepted afterwards");
	return failed ? 1 : 0;
}

static int serve_all(const char *address, const char *port)
{
	struct sockaddr_in where = place(address, port);
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = { .fd = listener, .events = POLLIN };
	struct frame hello;

	to_client = true;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&where, sizeof(where)) || listen(listener, 8)) {
		perror("noise");
		return 2;
	}
	printf("1..%d\n# ready\n", NOISES);
	fflush(stdout);
	for (unsigned int i = 0; i < NOISES; i++) {
		int fd = poll(&p, 1, 60000) > 0 ? accept(listener, NULL, NULL) : -1;

		sent = 0;
		if (fd >= 0 && get_frame(fd, &hello) == NACRE_MSG_HELLO)
			noises[i].make(fd);
		report(fd >= 0 && was_closed(fd), noises[i].what);
		close(fd);
	}
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && !strcmp(argv[1], "send"))
		return send_all(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve_all(argv[2], argv[3]);
	fprintf(stderr, "usage: noise send ADDRESS PORT | noise serve ADDRESS PORT\n");
	return 2;
}
