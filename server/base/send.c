// SPDX-License-Identifier: GPL-2.0
/*
 * Sending: one allocation holds frame header and encoded body, the payload's
 * pieces are sent from where they are (or copied, when nobody is told of the
 * release). Bytes count against the queue until the stream has taken them.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "crc.h"
#include "msgr_conn.h"
#include "protocol/codec.h"

struct out {
	struct io_send send;
	struct conn *conn;		/* referenced */
	size_t bytes;			/* header, body and payload */
	void (*release)(void *owner);
	void *release_owner;
	uint8_t *copy;			/* of a payload that is not released */
	uint8_t *head;			/* header and body, behind the vector */
	struct iovec iov[];
};

static void out_done(struct io_send *send, int result)
{
	struct out *out = (struct out *)send;
	struct conn *conn = out->conn;

	conn->queued_bytes -= out->bytes;
	if (conn->msgr && !result)
		conn->msgr->counters.sent_bytes += out->bytes;
	if (out->release)
		out->release(out->release_owner);
	free(out->copy);
	free(out);
	if (conn->lingers)
		conn_forget(conn);
	conn_put(conn);
}

static void put_header(struct conn *conn, const struct nacre_message *row, uint8_t *head,
		       uint32_t body_bytes, uint32_t data_bytes, uint32_t data_crc)
{
	struct nacre_frame frame = {
		.magic = NACRE_FRAME_MAGIC,
		.type = row->type,
		.version = NACRE_FRAME_VERSION,
		.body_bytes = body_bytes,
		.data_bytes = data_bytes,
		.seq = ++conn->seq,
		.ack = conn->peer.received,
		.conn_gen = conn->generation,
		.body_crc = crc_of(head + NACRE_FRAME_BYTES, body_bytes),
		.data_crc = data_crc,
	};
	struct nacre_writer w = nacre_writer(head, NACRE_FRAME_BYTES);
	__le32 crc;
	int err = nacre_encode(nacre_frame_desc(), &w, &frame);

	assert(!err);
	crc = nacre_to_le32(crc_of(head, NACRE_FRAME_CRC_BYTES));
	memcpy(head + NACRE_FRAME_CRC_BYTES, &crc, sizeof(crc));
}

/* The payload's vector, or a copy of its bytes. 0, -ENOMEM. */
static int take_payload(struct out *out, const struct payload *payload)
{
	size_t at = 0;

	out->send.iov_count = 1;
	if (!payload || !payload->bytes)
		return 0;
	if (payload->release) {
		memcpy(out->iov + 1, payload->iov, payload->iov_count * sizeof(*out->iov));
		out->send.iov_count += payload->iov_count;
		return 0;
	}
	out->copy = malloc(payload->bytes);
	if (!out->copy)
		return -ENOMEM;
	for (unsigned int i = 0; i < payload->iov_count; i++) {
		memcpy(out->copy + at, payload->iov[i].iov_base, payload->iov[i].iov_len);
		at += payload->iov[i].iov_len;
	}
	assert(at == payload->bytes);
	out->iov[1] = (struct iovec){ out->copy, payload->bytes };
	out->send.iov_count = 2;
	return 0;
}

static uint32_t payload_crc(const struct out *out)
{
	uint32_t crc = 0;

	for (unsigned int i = 1; i < out->send.iov_count; i++)
		crc = crc_add(crc, out->iov[i].iov_base, out->iov[i].iov_len);
	return crc;
}

static struct out *out_create(size_t iovs, size_t head_bytes)
{
	struct out *out = malloc(sizeof(*out) + iovs * sizeof(struct iovec) + head_bytes);

	if (!out)
		return NULL;
	memset(out, 0, sizeof(*out));
	out->head = (uint8_t *)(out->iov + iovs);
	out->send.iov = out->iov;
	out->send.done = out_done;
	return out;
}

int send_message(struct conn *conn, const struct nacre_message *row, const void *host,
		 const struct payload *payload)
{
	uint32_t data_bytes = payload ? payload->bytes : 0;
	size_t iovs = 2 + (payload ? payload->iov_count : 0);
	size_t body_bytes = nacre_encoded_bytes(row->body(), host);
	struct nacre_writer w;
	struct out *out;
	int err;

	if (body_bytes > nacre_message_body_max(row) || data_bytes > row->data_max)
		return -EMSGSIZE;
	out = out_create(iovs, NACRE_FRAME_BYTES + body_bytes);
	if (!out)
		return -ENOMEM;
	w = nacre_writer(out->head + NACRE_FRAME_BYTES, body_bytes);
	err = nacre_encode(row->body(), &w, host);
	if (!err)
		err = take_payload(out, payload);
	if (err) {
		free(out);
		return err;
	}
	put_header(conn, row, out->head, (uint32_t)body_bytes, data_bytes, payload_crc(out));
	out->iov[0] = (struct iovec){ out->head, NACRE_FRAME_BYTES + body_bytes };
	out->bytes = NACRE_FRAME_BYTES + body_bytes + data_bytes;
	out->conn = conn_get(conn);
	if (payload && data_bytes) {
		out->release = payload->release;
		out->release_owner = payload->owner;
	}
	conn->queued_bytes += out->bytes;
	io_stream_send(conn->io, conn->link->stream, &out->send);
	return 0;
}
