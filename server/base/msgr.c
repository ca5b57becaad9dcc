// SPDX-License-Identifier: GPL-2.0
/*
 * The messenger: identity, listening, dialling, counters. Connections are in
 * conn.c, their hello in hello.c, frames in receive.c and send.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "msgr_conn.h"

#define WINDOW_DEFAULT (64ull << 20)
#define QUEUE_DEFAULT (64ull << 20)
#define CONNS_DEFAULT 4096

STATS_ROWS(counter_rows, MSGR_COUNTERS);

#define MESSAGE_ROW(NAME, number, body, sender, data_max, doc) { #NAME, doc },
static const struct stats_row message_rows[] = { NACRE_MESSAGES(MESSAGE_ROW) };
#define MESSAGE_COUNT (sizeof(message_rows) / sizeof(message_rows[0]))

uint64_t msgr_scaled_ns(const struct msgr *msgr, uint64_t ms)
{
	return ms * 10000ull * msgr->time_scale_percent;
}

static void make_stats(struct msgr *msgr)
{
	msgr->stats = (struct stats_set){ "net", counter_rows, (uint64_t *)&msgr->counters,
					  sizeof(msgr->counters) / sizeof(uint64_t) };
	msgr->received_stats = (struct stats_set){ "received", message_rows, msgr->received,
						   MESSAGE_COUNT };
	msgr->sent_stats = (struct stats_set){ "sent", message_rows, msgr->sent, MESSAGE_COUNT };
}

int msgr_create(const struct msgr_config *config, struct msgr **ret_msgr)
{
	struct msgr *msgr = calloc(1, sizeof(*msgr));

	if (msgr) {
		msgr->received = calloc(MESSAGE_COUNT, sizeof(uint64_t));
		msgr->sent = calloc(MESSAGE_COUNT, sizeof(uint64_t));
	}
	if (!msgr || !msgr->received || !msgr->sent) {
		msgr_destroy(msgr);
		return -ENOMEM;
	}
	msgr->io = config->io;
	msgr->log = config->log;
	msgr->handler = config->handler;
	msgr->owner = config->owner;
	snprintf(msgr->name, sizeof(msgr->name), "%s", config->name);
	msgr->role = config->role;
	msgr->id = config->id;
	msgr->time_scale_percent = config->time_scale_percent ? config->time_scale_percent : 100;
	msgr->window_bytes = config->window_bytes ? config->window_bytes : WINDOW_DEFAULT;
	msgr->queue_bytes = config->queue_bytes ? config->queue_bytes : QUEUE_DEFAULT;
	msgr->conns_max = config->conns_max ? config->conns_max : CONNS_DEFAULT;
	make_stats(msgr);
	*ret_msgr = msgr;
	return 0;
}

void msgr_destroy(struct msgr *msgr)
{
	struct conn *conn;

	if (!msgr)
		return;
	if (msgr->listener)
		io_listener_close(msgr->io, msgr->listener);
	while ((conn = msgr->conns)) {
		bool was_open = conn_is_open(conn);

		conn_get(conn);
		conn->state = NACRE_CONN_CLOSED;
		if (was_open)
			msgr->handler->closed(msgr->owner, conn, -ESHUTDOWN);
		conn_forget(conn);
		conn_put(conn);
	}
	free(msgr->received);
	free(msgr->sent);
	free(msgr);
}

void msgr_set_id(struct msgr *msgr, uint16_t id)
{
	msgr->id = id;
}

void msgr_set_instance(struct msgr *msgr, uint64_t instance)
{
	msgr->instance = instance;
}

void msgr_set_fsid(struct msgr *msgr, uint64_t fsid_lo, uint64_t fsid_hi)
{
	msgr->fsid_lo = fsid_lo;
	msgr->fsid_hi = fsid_hi;
}

void msgr_set_map_epoch(struct msgr *msgr, uint64_t epoch)
{
	msgr->map_epoch = epoch;
}

void msgr_set_required(struct msgr *msgr, uint64_t features)
{
	msgr->required = features;
}

static void accepted(void *owner, struct io_stream *stream, const struct io_address *peer)
{
	struct msgr *msgr = owner;
	char text[IO_ADDRESS_TEXT_BYTES];

	if (msgr->accepted_count >= msgr->conns_max) {
		log_warn(msgr->log, "msgr", "too many connections, %s is turned away",
			 io_address_print(peer, text));
		io_stream_close(msgr->io, stream);
		return;
	}
	conn_accept(msgr, stream, peer);
}

int msgr_listen(struct msgr *msgr, const struct io_address *address)
{
	if (msgr->listener)
		return -EALREADY;
	return io_listen(msgr->io, address, accepted, msgr, &msgr->listener);
}

uint16_t msgr_port(const struct msgr *msgr)
{
	return msgr->listener ? io_listener_port(msgr->io, msgr->listener) : 0;
}

struct conn *msgr_dial(struct msgr *msgr, const struct io_address *address, void *conn_owner)
{
	struct conn *conn = conn_create(msgr, true, address);

	if (!conn)
		return NULL;
	conn->owner = conn_owner;
	conn_step(conn, NACRE_CONNE_DIAL);
	return conn;
}

const struct stats_set *msgr_stats(const struct msgr *msgr)
{
	return &msgr->stats;
}

const struct stats_set *msgr_received_stats(const struct msgr *msgr)
{
	return &msgr->received_stats;
}

const struct stats_set *msgr_sent_stats(const struct msgr *msgr)
{
	return &msgr->sent_stats;
}
