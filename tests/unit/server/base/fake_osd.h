/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An OSD for tests of the object client: it speaks the real messenger, writes
 * down every request, and answers as the test has told it to. It stores nothing:
 * every read gives bytes that name their place.
 */
#ifndef NACRE_TEST_FAKE_OSD_H
#define NACRE_TEST_FAKE_OSD_H

#include <errno.h>
#include "maps.h"
#include "run.h"
#include "server/base/msgr.h"
#include "server/base/osdc.h"
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/rules/validate.h"

#define FAKE_SEEN 256
#define FAKE_INSTANCE 100		/* OSD n runs as instance 100 + n */
#define FAKE_CLIENT 50			/* the client's */

struct fake_seen {
	struct nacre_osd_request head;	/* tails not valid */
	unsigned int ops;
	uint16_t code;			/* of the first operation */
	uint32_t data_bytes;
	uint32_t data_sum;
};

struct fake_osd {
	struct msgr *msgr;
	uint16_t id;
	struct conn *conn;
	unsigned int opened, closed, count;
	struct fake_seen seen[FAKE_SEEN];
	bool silent;			/* take requests and say nothing */
	uint32_t say;			/* the result of the next `say_count` answers */
	unsigned int say_count;
	uint64_t map_epoch;		/* told in answers */
	enum { FAKE_RIGHT, FAKE_FEW_RESULTS, FAKE_MUCH_DATA } lie;
};

static inline uint8_t fake_byte(uint64_t offset)
{
	return (uint8_t)(offset * 7 + offset / 251);
}

static inline uint32_t fake_sum(const uint8_t *bytes, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < length; i++)
		sum = sum * 31 + bytes[i];
	return sum;
}

struct fake_answer {
	uint8_t results[NACRE_OSD_OPS_MAX * sizeof(struct nacre_osd_result_wire)];
	struct nacre_writer w;
	uint8_t output[4096];
	uint32_t output_bytes;
	uint8_t data[65536];
	uint32_t data_bytes;
};

static inline void fake_run_op(struct fake_answer *answer, const struct nacre_osd_step *step)
{
	struct nacre_osd_result row = { .size = 12345, .mtime = 678 };

	if (step->op.code == NACRE_OSD_OP_READ) {
		row.data_size = (uint32_t)step->op.length;
		for (uint32_t i = 0; i < row.data_size; i++)
			answer->data[answer->data_bytes++] = fake_byte(step->op.offset + i);
	}
	if (step->op.code == NACRE_OSD_OP_GETXATTR) {	/* its value is its name */
		row.output_size = step->op.name_size;
		memcpy(answer->output + answer->output_bytes, step->name, row.output_size);
		answer->output_bytes += row.output_size;
	}
	assert_int_equal(nacre_encode(nacre_osd_result_desc(), &answer->w, &row), 0);
}

static inline void fake_answer(struct fake_osd *osd, struct conn *conn, const struct message *message)
{
	const struct nacre_osd_request *request = &message->host.osd_request;
	struct nacre_osd_reply reply = { .tid = request->tid, .version = request->tid * 10,
					 .map_epoch = osd->map_epoch };
	struct fake_answer *answer = calloc(1, sizeof(*answer));
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;
	struct iovec iov = { answer->data, 0 };
	struct payload payload = { .iov = &iov, .iov_count = 1 };

	answer->w = nacre_writer(answer->results, sizeof(answer->results));
	if (osd->say_count) {
		osd->say_count--;
		reply.result = osd->say;
	} else {
		nacre_osd_cursor(&cursor, request);
		while (nacre_osd_next(&cursor, &step)) {
			if (osd->lie == FAKE_FEW_RESULTS && cursor.index == 2)
				break;
			if (osd->lie == FAKE_MUCH_DATA)
				step.op.length++;
			fake_run_op(answer, &step);
		}
	}
	reply.results = answer->results;
	reply.results_bytes = (uint32_t)nacre_writer_bytes(&answer->w);
	reply.output = answer->output;
	reply.output_bytes = answer->output_bytes;
	iov.iov_len = payload.bytes = answer->data_bytes;
	assert_int_equal(conn_send(conn, NACRE_MSG_OSD_REPLY, &reply,
				   payload.bytes ? &payload : NULL), 0);
	free(answer);
}

static inline void fake_message(void *owner, struct conn *conn, struct message *message)
{
	struct fake_osd *osd = owner;
	struct fake_seen *seen = &osd->seen[osd->count++];
	struct nacre_osd_op op;

	assert_int_equal(message->type, NACRE_MSG_OSD_REQUEST);
	assert_true(osd->count < FAKE_SEEN);
	seen->head = message->host.osd_request;
	seen->ops = (unsigned int)nacre_array_count(nacre_osd_op_desc(), seen->head.ops_bytes);
	assert_int_equal(nacre_array_at(nacre_osd_op_desc(), seen->head.ops, 0, &op), 0);
	seen->code = op.code;
	seen->data_bytes = message->data_bytes;
	seen->data_sum = fake_sum(message->data, message->data_bytes);
	if (!osd->silent)
		fake_answer(osd, conn, message);
	message_put(message);
}

static inline void fake_opened(void *owner, struct conn *conn)
{
	struct fake_osd *osd = owner;

	osd->opened++;
	osd->conn = conn;
}

static inline void fake_closed(void *owner, struct conn *conn, int reason)
{
	struct fake_osd *osd = owner;

	osd->closed++;
	if (osd->conn == conn)
		osd->conn = NULL;
}

static const struct msgr_handler fake_handler = { fake_opened, fake_message, fake_closed };

static inline void fake_start(struct fake_osd *osd, struct io *io, uint16_t id, uint64_t instance,
			      uint16_t port)
{
	struct msgr_config config = { .io = io, .name = "fake", .role = NACRE_ROLE_OSD, .id = id,
				      .time_scale_percent = 20, .handler = &fake_handler,
				      .owner = osd };
	struct io_address address;

	memset(osd, 0, sizeof(*osd));
	osd->id = id;
	assert_int_equal(msgr_create(&config, &osd->msgr), 0);
	msgr_set_instance(osd->msgr, instance);
	msgr_set_fsid(osd->msgr, 11, 22);
	assert_int_equal(io_address_parse("127.0.0.1", port, &address), 0);
	assert_int_equal(msgr_listen(osd->msgr, &address), 0);
}

#endif
