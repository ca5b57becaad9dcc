// SPDX-License-Identifier: GPL-2.0
/*
 * The messenger on loopback: two ends with hello, messages, payloads, reconnects
 * and back-pressure; then a raw peer that sends every kind of wrong bytes, each of
 * which must cost it its connection, one log line, and nothing else.
 */
#include <errno.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include "run.h"
#include "server/base/crc.h"
#include "server/base/msgr.h"
#include "protocol/codec.h"
#include "protocol/error.h"

#define KEEP 64

struct party {
	struct io *io;
	struct msgr *msgr;
	struct log *log;
	unsigned int opened, closed, messages, warnings;
	int reason;
	struct conn *conn;		/* the last that opened */
	struct message *kept[KEEP];
	unsigned int kept_count;
	bool keep, echo, close_on_message, destroy_on_message;
	uint64_t bytes;
	char last_line[512];
};

static void on_opened(void *owner, struct conn *conn)
{
	struct party *party = owner;

	party->opened++;
	party->conn = conn;
}

static void on_message(void *owner, struct conn *conn, struct message *message)
{
	struct party *party = owner;

	party->messages++;
	party->bytes += message->data_bytes;
	if (party->echo) {
		struct nacre_osd_statfs_req body = { .tid = message->host.osd_statfs_req.tid + 1 };

		conn_send(conn, NACRE_MSG_OSD_STATFS, &body, NULL);
	}
	if (party->keep && party->kept_count < KEEP)
		party->kept[party->kept_count++] = message;
	else
		message_put(message);
	if (party->close_on_message)
		conn_close(conn);
	if (party->destroy_on_message) {
		msgr_destroy(party->msgr);
		party->msgr = NULL;
	}
}

static void on_closed(void *owner, struct conn *conn, int reason)
{
	struct party *party = owner;

	party->closed++;
	party->reason = reason;
	if (party->conn == conn && !conn_is_open(conn))
		party->conn = NULL;
}

static const struct msgr_handler handler = { on_opened, on_message, on_closed };

static void on_line(void *owner, enum log_level level, const char *line)
{
	struct party *party = owner;

	if (level > LOG_WARN)
		return;
	party->warnings++;
	snprintf(party->last_line, sizeof(party->last_line), "%s", line);
}

static void party_create(struct party *party, struct io *io, enum nacre_role role, uint64_t instance,
			 uint64_t window)
{
	struct msgr_config config = {
		.io = io, .name = "party", .role = role, .id = role == NACRE_ROLE_CLIENT ? 0 : 3, .handler = &handler,
		.owner = party, .window_bytes = window, .queue_bytes = 8 << 20,
	};

	memset(party, 0, sizeof(*party));
	party->io = io;
	party->log = log_create(NULL, "test", LOG_INFO);
	log_set_sink(party->log, on_line, party);
	config.log = party->log;
	assert_int_equal(msgr_create(&config, &party->msgr), 0);
	msgr_set_instance(party->msgr, instance);
	msgr_set_fsid(party->msgr, 11, 22);
	msgr_set_map_epoch(party->msgr, 5);
}

static struct io_address party_listen(struct party *party, uint16_t port)
{
	struct io_address address;

	assert_int_equal(io_address_parse("127.0.0.1", port, &address), 0);
	assert_int_equal(msgr_listen(party->msgr, &address), 0);
	address.port = msgr_port(party->msgr);
	return address;
}

static void party_free(struct party *party)
{
	for (unsigned int i = 0; i < party->kept_count; i++)
		message_put(party->kept[i]);
	msgr_destroy(party->msgr);
	log_destroy(party->log);
}

static uint64_t counter(const struct party *party, const char *name)
{
	const struct stats_set *set = msgr_stats(party->msgr);

	for (size_t i = 0; i < set->count; i++)
		if (!strcmp(set->rows[i].name, name))
			return set->values[i];
	fail();
	return 0;
}

struct wait {
	unsigned int *count, at_least;
};

static bool counted(void *arg)
{
	struct wait *wait = arg;

	return *wait->count >= wait->at_least;
}

static void wait_for(struct io *io, unsigned int *count, unsigned int at_least)
{
	struct wait wait = { count, at_least };

	run_until(io, counted, &wait);
}

/* ---- two ends ------------------------------------------------------------------------------- */

static void hello_tells_who_is_who(void **state)
{
	struct io *io = run_ring();
	struct party server, client;
	struct io_address address;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	address = party_listen(&server, 0);
	assert_non_null(msgr_dial(client.msgr, &address, &client));
	wait_for(io, &client.opened, 1);
	wait_for(io, &server.opened, 1);
	assert_int_equal(conn_peer_instance(server.conn), 17);
	assert_int_equal(conn_peer_role(server.conn), NACRE_ROLE_CLIENT);
	assert_int_equal(conn_peer_map_epoch(server.conn), 5);
	assert_int_equal(conn_peer_instance(client.conn), 7);
	assert_int_equal(conn_peer_role(client.conn), NACRE_ROLE_OSD);
	assert_int_equal(conn_peer_id(client.conn), 3);
	assert_int_equal(conn_generation(server.conn), 1);
	assert_ptr_equal(conn_owner(client.conn), &client);
	assert_true(!strncmp(conn_peer_text(server.conn), "client.17 (party) 127.0.0.1:", 28));
	assert_true(!strncmp(conn_peer_text(client.conn), "osd3.7 127.0.0.1:", 17));
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

static uint8_t *pattern(size_t bytes, unsigned int seed)
{
	uint8_t *p = malloc(bytes);

	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(i * 131 + seed + i / 4096);
	return p;
}

static unsigned int released;

static void on_release(void *owner)
{
	released++;
	free(owner);
}

static int send_write(struct conn *conn, uint64_t tid, uint8_t *bytes, uint32_t length, bool release)
{
	struct iovec iov[2] = { { bytes, length / 2 }, { bytes + length / 2, length - length / 2 } };
	struct payload payload = { .iov = iov, .iov_count = 2, .bytes = length,
				   .release = release ? on_release : NULL, .owner = bytes };
	uint8_t op[32] = { 0 };
	struct nacre_osd_request request = {
		.tid = tid, .oldest_tid = 1, .instance = 17, .map_epoch = 5, .conn_gen = 1,
		.pool = 1, .ino = 0x100000, .snap = NACRE_SNAP_HEAD, .ops = op, .ops_bytes = 32,
	};
	struct nacre_osd_op host = { .code = NACRE_OSD_OP_WRITE, .length = length };
	struct nacre_writer w = nacre_writer(op, sizeof(op));

	assert_int_equal(nacre_encode(nacre_osd_op_desc(), &w, &host), 0);
	return conn_send(conn, NACRE_MSG_OSD_REQUEST, &request, length ? &payload : NULL);
}

static void data_arrives_page_aligned_and_padded(void **state)
{
	static const uint32_t sizes[] = { 1, 4095, 4096, 4097, 100000, 4 << 20 };
	struct io *io = run_ring();
	struct party server, client;
	struct io_address address;

	released = 0;
	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	server.keep = true;
	address = party_listen(&server, 0);
	msgr_dial(client.msgr, &address, NULL);
	wait_for(io, &client.opened, 1);
	for (unsigned int i = 0; i < 6; i++) {
		uint8_t *bytes = pattern(sizes[i], i);

		assert_int_equal(send_write(client.conn, i + 1, bytes, sizes[i], i % 2), 0);
		if (i % 2 == 0)
			free(bytes);		/* was copied */
	}
	wait_for(io, &server.messages, 6);
	for (unsigned int i = 0; i < 6; i++) {
		struct message *m = server.kept[i];
		uint8_t *bytes = pattern(sizes[i], i);

		assert_int_equal(m->host.osd_request.tid, i + 1);
		assert_int_equal(m->data_bytes, sizes[i]);
		assert_int_equal((uintptr_t)m->data % 4096, 0);
		assert_memory_equal(m->data, bytes, sizes[i]);
		for (uint32_t at = sizes[i]; at % 4096; at++)
			assert_int_equal(m->data[at], 0);
		free(bytes);
	}
	wait_for(io, &released, 3);
	assert_int_equal(conn_queued_bytes(client.conn), 0);
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

/* A receiver that holds what it gets stops the sender; the sender's queue is bounded. */
static void a_full_window_holds_the_sender_back(void **state)
{
	struct io *io = run_ring();
	struct party server, client;
	struct io_address address;
	unsigned int sent = 0, before;
	uint8_t *bytes = pattern(1 << 20, 1);
	int err = 0;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 2 << 20);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	server.keep = true;
	address = party_listen(&server, 0);
	msgr_dial(client.msgr, &address, NULL);
	wait_for(io, &client.opened, 1);
	while (sent < 60) {
		err = send_write(client.conn, sent + 1, bytes, 1 << 20, false);
		if (err == -ENOBUFS) {
			before = server.messages;
			run_ms(io, 30);
			if (server.messages == before)
				break;
			continue;
		}
		assert_int_equal(err, 0);
		sent++;
	}
	assert_int_equal(err, -ENOBUFS);
	assert_true(server.messages >= 2 && server.messages < 6);
	assert_true(counter(&server, "held_back") >= 1);
	assert_true(counter(&client, "overflowed") >= 1);
	/* let go: everything flows again */
	server.keep = false;
	while (server.kept_count)
		message_put(server.kept[--server.kept_count]);
	wait_for(io, &server.messages, sent);
	assert_int_equal(server.bytes, (uint64_t)sent << 20);
	free(bytes);
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

static void a_peer_reconnects_under_a_new_generation(void **state)
{
	struct io *io = run_ring();
	struct party server, client;
	struct io_address address;
	struct conn *first;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	address = party_listen(&server, 0);
	first = msgr_dial(client.msgr, &address, NULL);
	wait_for(io, &server.opened, 1);
	wait_for(io, &client.opened, 1);
	conn_reset(server.conn, -EIO);
	assert_int_equal(server.closed, 0);		/* never from inside the call */
	assert_false(conn_is_open(server.conn));
	assert_int_equal(send_write(server.conn, 1, NULL, 0, false), -ENOTCONN);
	wait_for(io, &client.closed, 1);
	assert_int_equal(server.closed, 1);
	assert_int_equal(server.reason, -EIO);
	wait_for(io, &client.opened, 2);
	wait_for(io, &server.opened, 2);
	assert_ptr_equal(client.conn, first);
	assert_int_equal(conn_generation(client.conn), 2);
	assert_int_equal(conn_generation(server.conn), 2);
	/* the listener is gone, then comes back on the same port */
	party_free(&server);
	wait_for(io, &client.closed, 2);
	run_ms(io, 200);
	party_create(&server, io, NACRE_ROLE_OSD, 8, 0);
	party_listen(&server, address.port);
	wait_for(io, &client.opened, 3);
	assert_int_equal(conn_peer_instance(client.conn), 8);
	assert_true(conn_generation(client.conn) >= 4);
	conn_close(client.conn);
	wait_for(io, &server.closed, 1);
	assert_int_equal(client.closed, 2);		/* conn_close is not told back */
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

static void other_file_systems_are_refused_for_good(void **state)
{
	struct io *io = run_ring();
	struct party server, client;
	struct io_address address;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	msgr_set_fsid(server.msgr, 99, 98);
	address = party_listen(&server, 0);
	client.conn = msgr_dial(client.msgr, &address, NULL);
	struct conn *conn = conn_get(client.conn);

	wait_for(io, &client.closed, 1);
	assert_true(conn_is_refused(conn));
	assert_int_equal(client.reason, -ENODEV);
	assert_int_equal(server.opened + client.opened, 0);
	assert_int_equal(client.warnings, 1);
	assert_non_null(strstr(client.last_line,
			       "party belongs to file system 00000000000000620000000000000063"));
	assert_int_equal(server.warnings, 1);
	run_ms(io, 200);
	assert_int_equal(counter(&client, "dialled"), 1);
	conn_put(conn);
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

static void a_daemon_that_has_not_joined_asks_to_come_later(void **state)
{
	struct io *io = run_ring();
	struct party server, client;
	struct io_address address;

	party_create(&server, io, NACRE_ROLE_MDS, 0, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	address = party_listen(&server, 0);
	client.conn = msgr_dial(client.msgr, &address, NULL);
	run_ms(io, 150);
	assert_int_equal(client.opened, 0);
	assert_true(counter(&client, "dialled") >= 2);
	msgr_set_instance(server.msgr, 9);
	wait_for(io, &client.opened, 1);
	assert_int_equal(client.warnings + server.warnings, 0);
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

static void an_older_connection_of_an_instance_is_replaced(void **state)
{
	struct io *io = run_ring();
	struct party server, a, b;
	struct io_address address;
	struct conn *conn;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&a, io, NACRE_ROLE_CLIENT, 17, 0);
	party_create(&b, io, NACRE_ROLE_CLIENT, 17, 0);
	address = party_listen(&server, 0);
	msgr_dial(a.msgr, &address, NULL);
	wait_for(io, &server.opened, 1);
	conn = msgr_dial(b.msgr, &address, NULL);
	wait_for(io, &b.opened, 1);
	assert_int_equal(server.closed, 0);		/* the same generation: both stay */
	conn_reset(conn, -EIO);
	wait_for(io, &b.opened, 2);			/* generation 2 */
	wait_for(io, &a.closed, 1);
	party_free(&a);
	party_free(&b);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

/* Closing, and destroying the whole messenger, from inside a handler. */
static void handlers_may_close_and_destroy(void **state)
{
	struct io *io = run_ring();

	for (int destroy = 0; destroy < 2; destroy++) {
		struct party server, client;
		struct io_address address;

		party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
		party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
		server.close_on_message = !destroy;
		server.destroy_on_message = destroy;
		server.keep = true;
		address = party_listen(&server, 0);
		msgr_dial(client.msgr, &address, NULL);
		wait_for(io, &client.opened, 1);
		for (unsigned int i = 0; i < 20; i++)
			assert_int_equal(send_write(client.conn, i + 1, (uint8_t *)"x", 1, false), 0);
		wait_for(io, &client.closed, 1);
		assert_int_equal(server.messages, 1);	/* nothing behind the close was delivered */
		assert_int_equal(server.kept[0]->host.osd_request.tid, 1);
		party_free(&client);
		party_free(&server);
	}
	run_ms(io, 5);
	uring_destroy(io);
}

/* ---- a raw peer ----------------------------------------------------------------------------- */

static int raw_connect(const struct io_address *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(address->port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

/* A frame with right checksums, which the cases then spoil. */
static size_t make_frame(uint8_t *out, uint16_t type, uint64_t seq, const void *body,
			 uint32_t body_bytes, uint32_t data_bytes)
{
	struct nacre_frame frame = {
		.magic = NACRE_FRAME_MAGIC, .type = type, .version = NACRE_FRAME_VERSION,
		.body_bytes = body_bytes, .data_bytes = data_bytes, .seq = seq, .conn_gen = 1,
		.body_crc = crc_of(body, body_bytes),
	};
	struct nacre_writer w = nacre_writer(out, NACRE_FRAME_BYTES);
	__le32 crc;

	memset(out + NACRE_FRAME_BYTES + body_bytes, 'd', data_bytes);
	if (data_bytes)
		frame.data_crc = crc_of(out + NACRE_FRAME_BYTES + body_bytes, data_bytes);
	assert_int_equal(nacre_encode(nacre_frame_desc(), &w, &frame), 0);
	crc = nacre_to_le32(crc_of(out, NACRE_FRAME_CRC_BYTES));
	memcpy(out + NACRE_FRAME_CRC_BYTES, &crc, 4);
	memmove(out + NACRE_FRAME_BYTES, body, body_bytes);
	return NACRE_FRAME_BYTES + body_bytes + data_bytes;
}

static void fix_header_crc(uint8_t *frame)
{
	__le32 crc = nacre_to_le32(crc_of(frame, NACRE_FRAME_CRC_BYTES));

	memcpy(frame + NACRE_FRAME_CRC_BYTES, &crc, 4);
}

static size_t make_hello(uint8_t *out, uint64_t instance)
{
	struct nacre_hello hello = {
		.protocol = NACRE_PROTOCOL_VERSION, .role = NACRE_ROLE_CLIENT,
		.features = NACRE_FEATURES_SUPPORTED, .required = NACRE_FEATURES_REQUIRED,
		.instance = instance, .conn_gen = 1, .name = (const uint8_t *)"raw", .name_bytes = 3,
	};
	uint8_t body[128];
	struct nacre_writer w = nacre_writer(body, sizeof(body));

	assert_int_equal(nacre_encode(nacre_hello_desc(), &w, &hello), 0);
	return make_frame(out, NACRE_MSG_HELLO, 1, body, (uint32_t)nacre_writer_bytes(&w), 0);
}

/* A small good request, second frame on the connection. */
static size_t make_request(uint8_t *out, uint64_t seq)
{
	uint8_t op[32] = { NACRE_OSD_OP_WRITE }, body[256];
	struct nacre_osd_request request = {
		.tid = 1, .oldest_tid = 1, .instance = 17, .map_epoch = 1, .conn_gen = 1, .pool = 1,
		.ino = 0x100000, .snap = NACRE_SNAP_HEAD, .ops = op, .ops_bytes = 32,
	};
	struct nacre_writer w = nacre_writer(body, sizeof(body));

	op[16] = 100;		/* length */
	assert_int_equal(nacre_encode(nacre_osd_request_desc(), &w, &request), 0);
	return make_frame(out, NACRE_MSG_OSD_REQUEST, seq, body, (uint32_t)nacre_writer_bytes(&w), 100);
}

enum spoil {
	GOOD, MAGIC, VERSION, TYPE, RESERVED, HEADER_CRC, BODY_CRC, DATA_CRC, BODY_SHORT, BODY_LONG,
	DATA_LONG, GAP, SECOND_HELLO, WRONG_SENDER, BODY_DECODE, BODY_MEANING, NOT_HELLO_FIRST,
	GARBAGE, SPOILS
};

static size_t make_spoiled(uint8_t *out, enum spoil spoil)
{
	size_t length = make_request(out, spoil == GAP ? 3 : 2);
	__le32 big = nacre_to_le32(0x7fffffff);
	uint64_t statfs[4] = { 1 };
	__le32 crc;

	switch (spoil) {
	case MAGIC:
		out[0] ^= 1;
		break;
	case VERSION:
		out[6] = 9;
		break;
	case TYPE:
		out[4] = 127;
		break;
	case RESERVED:
		out[7] = 1;
		break;
	case HEADER_CRC:
		out[20] ^= 4;
		return length;
	case BODY_CRC:
		out[NACRE_FRAME_BYTES + 3] ^= 1;
		return length;
	case DATA_CRC:
		out[length - 1] ^= 1;
		return length;
	case BODY_SHORT:
		out[8] = 5;
		break;
	case BODY_LONG:
		memcpy(out + 8, &big, 4);
		break;
	case DATA_LONG:
		memcpy(out + 12, &big, 4);
		break;
	case SECOND_HELLO:
		length = make_hello(out, 17);
		out[16] = 2;
		break;
	case WRONG_SENDER:
		return make_frame(out, NACRE_MSG_OSD_STATFS_REPLY, 2, statfs, 32, 0);
	case BODY_DECODE:		/* a tail's length beyond the body */
		memcpy(out + NACRE_FRAME_BYTES + 112, &big, 4);
		crc = nacre_to_le32(crc_of(out + NACRE_FRAME_BYTES, length - NACRE_FRAME_BYTES - 100));
		memcpy(out + 48, &crc, 4);
		break;
	case BODY_MEANING:		/* an operation that does not exist */
		out[NACRE_FRAME_BYTES + 120] = 99;
		crc = nacre_to_le32(crc_of(out + NACRE_FRAME_BYTES, length - NACRE_FRAME_BYTES - 100));
		memcpy(out + 48, &crc, 4);
		break;
	default:
		break;
	}
	fix_header_crc(out);
	return length;
}

struct raw_wait {
	int fd;
};

static bool raw_ended(void *arg)
{
	struct raw_wait *wait = arg;
	uint8_t bytes[4096];
	ssize_t n = recv(wait->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void wrong_bytes_cost_the_sender_its_connection(void **state)
{
	struct io *io = run_ring();
	struct party server, client;
	struct io_address address;
	uint8_t bytes[8192];
	size_t length;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 18, 0);
	address = party_listen(&server, 0);
	msgr_dial(client.msgr, &address, NULL);
	wait_for(io, &client.opened, 1);
	for (enum spoil spoil = GOOD; spoil < SPOILS; spoil++) {
		struct raw_wait wait = { raw_connect(&address) };
		unsigned int opened = server.opened, closed = server.closed;
		unsigned int warnings = server.warnings, messages = server.messages;
		uint64_t bad = counter(&server, "bad");

		if (spoil == GARBAGE) {
			for (size_t i = 0; i < sizeof(bytes); i++)
				bytes[i] = (uint8_t)rand();
			assert_true(send(wait.fd, bytes, sizeof(bytes), 0) > 0);
			opened--;
		} else if (spoil == NOT_HELLO_FIRST) {
			length = make_request(bytes, 1);
			assert_true(send(wait.fd, bytes, length, 0) > 0);
			opened--;
		} else {
			length = make_hello(bytes, 17);
			assert_true(send(wait.fd, bytes, length, 0) > 0);
			wait_for(io, &server.opened, opened + 1);
			length = make_spoiled(bytes, spoil);
			assert_true(send(wait.fd, bytes, length, 0) > 0);
		}
		if (spoil == GOOD) {
			wait_for(io, &server.messages, messages + 1);
			close(wait.fd);
			wait_for(io, &server.closed, closed + 1);
			assert_int_equal(server.warnings, warnings);
			continue;
		}
		run_until(io, raw_ended, &wait);
		close(wait.fd);
		run_ms(io, 2);
		assert_int_equal(server.warnings, warnings + 1);
		assert_non_null(strstr(server.last_line, "msgr: reset"));
		assert_int_equal(counter(&server, "bad"), bad + 1);
		assert_int_equal(server.messages, messages);
		if (spoil != GARBAGE && spoil != NOT_HELLO_FIRST) {
			assert_int_equal(server.closed, closed + 1);
			assert_int_equal(server.reason, -EBADMSG);
		}
	}
	/* the honest neighbour has not noticed */
	assert_int_equal(client.closed, 0);
	assert_int_equal(send_write(client.conn, 1, (uint8_t *)"x", 1, false), 0);
	unsigned int messages = server.messages;

	wait_for(io, &server.messages, messages + 1);
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

static void a_frame_seen_before_is_forgotten(void **state)
{
	struct io *io = run_ring();
	struct party server;
	struct io_address address;
	uint8_t bytes[4096];
	size_t length;
	int fd;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	address = party_listen(&server, 0);
	fd = raw_connect(&address);
	length = make_hello(bytes, 17);
	assert_true(send(fd, bytes, length, 0) > 0);
	length = make_request(bytes, 2);
	assert_true(send(fd, bytes, length, 0) > 0);
	assert_true(send(fd, bytes, length, 0) > 0);
	length = make_request(bytes, 3);
	/* byte by byte, too */
	for (size_t i = 0; i < length; i++) {
		assert_true(send(fd, bytes + i, 1, 0) > 0);
		if (i % 40 == 0)
			run_ms(io, 1);
	}
	wait_for(io, &server.messages, 2);
	run_ms(io, 5);
	assert_int_equal(server.messages, 2);
	assert_int_equal(server.warnings, 0);
	close(fd);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

static void a_wrong_version_is_told_why(void **state)
{
	struct io *io = run_ring();
	struct party server;
	struct io_address address;
	uint8_t bytes[4096];
	struct nacre_hello_reply reply;
	struct raw_wait wait;
	size_t length;
	__le32 crc;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	address = party_listen(&server, 0);
	wait.fd = raw_connect(&address);
	length = make_hello(bytes, 17);
	bytes[NACRE_FRAME_BYTES] = 2;			/* protocol */
	crc = nacre_to_le32(crc_of(bytes + NACRE_FRAME_BYTES, length - NACRE_FRAME_BYTES));
	memcpy(bytes + 48, &crc, 4);
	fix_header_crc(bytes);
	assert_true(send(wait.fd, bytes, length, 0) > 0);
	run_ms(io, 50);
	ssize_t got = recv(wait.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	assert_true(got > NACRE_FRAME_BYTES);
	assert_int_equal(nacre_decode_all(nacre_hello_reply_desc(), bytes + NACRE_FRAME_BYTES,
					  (size_t)got - NACRE_FRAME_BYTES, &reply), 0);
	assert_int_equal(reply.result, NACRE_E_BAD_VERSION);
	assert_true(reply.text_bytes > 10);
	assert_int_equal(server.warnings, 1);
	assert_int_equal(server.opened + server.closed, 0);
	run_until(io, raw_ended, &wait);		/* it hangs up by itself */
	close(wait.fd);
	party_free(&server);
	run_ms(io, 5);
	uring_destroy(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_tells_who_is_who),
		cmocka_unit_test(data_arrives_page_aligned_and_padded),
		cmocka_unit_test(a_full_window_holds_the_sender_back),
		cmocka_unit_test(a_peer_reconnects_under_a_new_generation),
		cmocka_unit_test(other_file_systems_are_refused_for_good),
		cmocka_unit_test(a_daemon_that_has_not_joined_asks_to_come_later),
		cmocka_unit_test(an_older_connection_of_an_instance_is_replaced),
		cmocka_unit_test(handlers_may_close_and_destroy),
		cmocka_unit_test(wrong_bytes_cost_the_sender_its_connection),
		cmocka_unit_test(a_frame_seen_before_is_forgotten),
		cmocka_unit_test(a_wrong_version_is_told_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
