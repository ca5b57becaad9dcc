// SPDX-License-Identifier: GPL-2.0
/*
 * The messenger against a raw peer that sends every kind of wrong bytes: each must
 * cost it its connection, one log line, and nothing else.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include "parties.h"
#include "server/base/crc.h"
#include "protocol/error.h"

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
	struct io *io = run_loop();
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
	loop_destroy(io);
}

static void a_frame_seen_before_is_forgotten(void **state)
{
	struct io *io = run_loop();
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
	loop_destroy(io);
}

static void a_wrong_version_is_told_why(void **state)
{
	struct io *io = run_loop();
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
	loop_destroy(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_bytes_cost_the_sender_its_connection),
		cmocka_unit_test(a_frame_seen_before_is_forgotten),
		cmocka_unit_test(a_wrong_version_is_told_why),
	};

	return run_on_each_loop(tests);
}
