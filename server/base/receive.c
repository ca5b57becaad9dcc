// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving: a stream's bytes become frames, frames become messages.
 *
 *	header (CRC, then rules/conn.h) → body and data into memory of their own
 *	→ their CRCs → decode → validate → the handler
 *
 * Nothing of a frame is believed before its checksum, and no length before the
 * header's. Data lands in page-aligned memory, padded with zeros to a page.
 * What a handler holds counts against the window; a full one stops reading.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "crc.h"
#include "msgr_conn.h"
#include "protocol/codec.h"
#include "protocol/rules/validate.h"

#define PAGE_BYTES 4096u

_Static_assert(sizeof(union message_host) >= NACRE_BODY_HOST_MAX, "room for every body");

/* ---- messages ------------------------------------------------------------------------------- */

static uint64_t message_cost(const struct message *message)
{
	return sizeof(*message) + message->body_bytes + message->data_bytes;
}

/* Body and message are one allocation; the data has its own. */
static struct message *message_create(struct conn *conn, const struct nacre_frame *frame)
{
	size_t data_room = (frame->data_bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
	struct message *message = malloc(sizeof(*message) + frame->body_bytes);

	if (!message)
		return NULL;
	memset(message, 0, offsetof(struct message, host));
	message->body = (uint8_t *)(message + 1);
	if (frame->data_bytes) {
		message->data = aligned_alloc(PAGE_BYTES, data_room);
		if (!message->data) {
			free(message);
			return NULL;
		}
		memset(message->data + frame->data_bytes, 0, data_room - frame->data_bytes);
	}
	message->type = frame->type;
	message->conn_gen = frame->conn_gen;
	message->references = 1;
	message->body_bytes = frame->body_bytes;
	message->data_bytes = frame->data_bytes;
	message->conn = conn_get(conn);
	return message;
}

struct message *message_part(struct message *whole, uint16_t type, const void *host, size_t host_bytes)
{
	struct message *part = malloc(sizeof(*part));

	if (!part)
		abort();
	assert(host_bytes <= sizeof(part->host));
	memset(part, 0, offsetof(struct message, host));
	memcpy(&part->host, host, host_bytes);
	part->type = type;
	part->conn_gen = whole->conn_gen;
	part->references = 1;
	part->received_ns = whole->received_ns;
	part->conn = conn_get(whole->conn);
	part->conn->held_bytes += message_cost(part);
	part->whole = message_get(whole);
	return part;
}

static void message_free(struct message *message)
{
	message_put(message->whole);
	conn_put(message->conn);
	free(message->data);
	free(message);
}

struct message *message_get(struct message *message)
{
	message->references++;
	return message;
}

void message_put(struct message *message)
{
	if (!message || --message->references)
		return;
	message_release(message);
	message_free(message);
}

void message_release(struct message *message)
{
	if (message->released)
		return;
	message->released = true;
	message->conn->held_bytes -= message_cost(message);
	receive_window(message->conn);
}

void receive_window(struct conn *conn)
{
	bool full = conn->msgr && conn->held_bytes >= conn->msgr->window_bytes;

	if (!conn->msgr || !conn->link || full == conn->paused)
		return;
	conn->paused = full;
	conn->msgr->counters.held_back += full;
	io_stream_pause(conn->io, conn->link->stream, full);
}

/* ---- one frame ------------------------------------------------------------------------------ */

/* The header is complete: false when the connection is over. */
static bool take_header(struct link *link)
{
	struct conn *conn = link->conn;
	enum nacre_frame_verdict verdict;
	const char *reason;
	__le32 crc;

	memcpy(&crc, link->header + NACRE_FRAME_CRC_BYTES, sizeof(crc));
	if (nacre_le32(crc) != crc_of(link->header, NACRE_FRAME_CRC_BYTES)) {
		conn_bad(conn, "header", "checksum");
		return false;
	}
	if (nacre_decode_all(nacre_frame_desc(), link->header, NACRE_FRAME_BYTES, &link->frame)) {
		conn_bad(conn, "header", "reserved field");
		return false;
	}
	verdict = nacre_frame_judge(&link->frame, &conn->peer, &link->row, &reason);
	if (verdict == NACRE_FRAME_RESET) {
		conn_bad(conn, link->row ? link->row->name : "header", reason);
		return false;
	}
	link->drop = verdict == NACRE_FRAME_DROP;
	link->message = message_create(conn, &link->frame);
	if (!link->message) {
		conn_reset(conn, -ENOMEM);
		return false;
	}
	return true;
}

static bool check_parts(struct link *link)
{
	struct message *message = link->message;

	if (crc_of(message->body, message->body_bytes) != link->frame.body_crc) {
		conn_bad(link->conn, link->row->name, "body checksum");
		return false;
	}
	if (message->data_bytes &&
	    crc_of(message->data, message->data_bytes) != link->frame.data_crc) {
		conn_bad(link->conn, link->row->name, "data checksum");
		return false;
	}
	return true;
}

static void count_received(struct msgr *msgr, const struct message *message,
			   const struct nacre_message *row)
{
	unsigned int count;

	msgr->received[row - nacre_message_table(&count)]++;
	msgr->counters.received_bytes += NACRE_FRAME_BYTES + (uint64_t)message->body_bytes +
					 message->data_bytes;
}

/* The frame is complete: check, decode, validate, deliver. The link's conn may be gone afterwards. */
static void take_frame(struct link *link)
{
	struct message *message = link->message;
	struct conn *conn = link->conn;
	const char *reason;

	if (!check_parts(link))
		return;
	link->message = NULL;
	if (link->drop) {
		message_free(message);
		return;
	}
	if (nacre_open_body(link->row, message->body, message->body_bytes, message->data_bytes,
			    &message->host, &reason)) {
		message_free(message);
		conn_bad(conn, link->row->name, reason);
		return;
	}
	message->received_ns = io_now(conn->io);
	count_received(conn->msgr, message, link->row);
	if (conn->state != NACRE_CONN_READY) {
		hello_take(conn, message);
		message_free(message);
		return;
	}
	conn->held_bytes += message_cost(message);
	conn->msgr->handler->message(conn->msgr->owner, conn, message);
	receive_window(conn);
}

/* ---- the stream's events -------------------------------------------------------------------- */

/* Where the next bytes go, and how many are missing there. */
static uint8_t *part(struct link *link, size_t *ret_missing)
{
	uint8_t *start = link->header;
	size_t bytes = NACRE_FRAME_BYTES;

	if (link->stage == RECEIVE_BODY) {
		start = link->message->body;
		bytes = link->message->body_bytes;
	} else if (link->stage == RECEIVE_DATA) {
		start = link->message->data;
		bytes = link->message->data_bytes;
	}
	*ret_missing = bytes - link->have;
	return start + link->have;
}

/* A part is complete. */
static void next_stage(struct link *link)
{
	link->have = 0;
	if (link->stage == RECEIVE_HEADER) {
		if (take_header(link))
			link->stage = RECEIVE_BODY;
		return;
	}
	if (link->stage == RECEIVE_BODY && link->message->data_bytes) {
		link->stage = RECEIVE_DATA;
		return;
	}
	link->stage = RECEIVE_HEADER;
	take_frame(link);
}

static bool link_listens(const struct link *link)
{
	return link->conn && !link->conn->breaking;
}

static void link_received(void *owner, const uint8_t *bytes, size_t length)
{
	struct link *link = owner;
	struct conn *conn = link->conn;
	size_t missing, n;
	uint8_t *to;

	if (!conn)
		return;
	conn_get(conn);			/* a handler may close it */
	while (link_listens(link)) {
		to = part(link, &missing);
		n = length < missing ? length : missing;
		memcpy(to, bytes, n);
		link->have += n;
		bytes += n;
		length -= n;
		if (n < missing)
			break;
		next_stage(link);
	}
	conn_put(conn);
}

static void link_opened(void *owner)
{
	struct link *link = owner;

	if (link->conn)
		conn_step(link->conn, NACRE_CONNE_TCP_UP);
}

static void link_closed(void *owner, int reason)
{
	struct link *link = owner;
	struct conn *conn = link->conn;

	if (link->message)
		message_free(link->message);
	link->message = NULL;
	link->stream = NULL;
	if (conn) {
		if (!conn->breaking)
			conn->reason = reason;
		conn_step(conn, conn->bad_message ? NACRE_CONNE_BAD : NACRE_CONNE_DOWN);
	}
	assert(!link->conn);		/* every step without a stream hangs up */
	free(link);
}

const struct io_stream_events link_events = {
	.opened = link_opened,
	.received = link_received,
	.closed = link_closed,
};

void link_hang_up(struct link *link)
{
	link->conn->link = NULL;
	link->conn = NULL;
	if (link->stream)
		io_stream_close(link->io, link->stream);
}
