// SPDX-License-Identifier: GPL-2.0
/*
 * One connection: the machine of rules/conn.h with a socket, a timer and an
 * owner. Every change of state is a step of the machine; this file does what the
 * step says.
 *
 * Steps are taken from stream events, timers and the reset task, all at the top
 * of the loop, so the owner is never called from inside a call it made. A step
 * may end the conn's stay in its msgr: callers hold a reference or look no more.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "msgr_conn.h"
#include "protocol/error.h"

static const struct nacre_machine *machine_of(const struct conn *conn)
{
	return conn->dialled ? &nacre_conn_dialler_machine : &nacre_conn_listener_machine;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct conn *conn_get(struct conn *conn)
{
	conn->references++;
	return conn;
}

void conn_put(struct conn *conn)
{
	if (!conn || --conn->references)
		return;
	assert(!conn->msgr && !conn->link && !conn->reset.queued);
	free(conn);
}

void conn_forget(struct conn *conn)
{
	if (!conn->msgr)
		return;
	io_timer_cancel(conn->io, &conn->timer);
	if (conn->link)
		link_hang_up(conn->link);
	*conn->at = conn->next;
	if (conn->next)
		conn->next->at = conn->at;
	conn->msgr->accepted_count -= !conn->dialled;
	conn->msgr = NULL;
	conn->state = NACRE_CONN_CLOSED;
	conn_put(conn);
}

static void timer_fire(struct io_timer *timer)
{
	struct conn *conn = (struct conn *)((char *)timer - offsetof(struct conn, timer));

	conn->reason = -ETIMEDOUT;
	conn_step(conn, NACRE_CONNE_TIMEOUT);
}

static void reset_run(struct io_task *task)
{
	struct conn *conn = (struct conn *)((char *)task - offsetof(struct conn, reset));

	if (conn->msgr && conn->breaking)
		conn_step(conn, conn->bad_message ? NACRE_CONNE_BAD : NACRE_CONNE_DOWN);
	conn_put(conn);
}

struct conn *conn_create(struct msgr *msgr, bool dialled, const struct io_address *address)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->msgr = msgr;
	conn->io = msgr->io;
	conn->references = 1;
	conn->dialled = dialled;
	conn->address = *address;
	conn->peer.is_listener = dialled;
	conn->state = NACRE_CONN_IDLE;
	conn->timer.fire = timer_fire;
	conn->reset.run = reset_run;
	conn->next = msgr->conns;
	conn->at = &msgr->conns;
	if (conn->next)
		conn->next->at = &conn->next;
	msgr->conns = conn;
	msgr->accepted_count += !dialled;
	conn_describe(conn, NULL, 0);
	return conn;
}

/* Who it is, for people: "client.17 (host) 10.0.0.3:4711", "osd2.5 10.0.0.4:7300". */
void conn_describe(struct conn *conn, const char *name, size_t name_bytes)
{
	char address[IO_ADDRESS_TEXT_BYTES];
	unsigned long long instance = conn->peer.instance;
	char clean[33] = "";

	io_address_print(&conn->address, address);
	for (size_t i = 0; i < name_bytes && i < sizeof(clean) - 1; i++)
		clean[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
	switch (conn->peer.role) {
	case NACRE_ROLE_OSD:
		snprintf(conn->text, sizeof(conn->text), "osd%u.%llu %s", conn->peer_id, instance,
			 address);
		break;
	case NACRE_ROLE_MDS:
		snprintf(conn->text, sizeof(conn->text), "mds%u.%llu %s", conn->peer_id, instance,
			 address);
		break;
	case NACRE_ROLE_CLIENT:
	case NACRE_ROLE_TOOL:
		snprintf(conn->text, sizeof(conn->text), "%s.%llu (%s) %s",
			 conn->peer.role == NACRE_ROLE_TOOL ? "tool" : "client", instance, clean,
			 address);
		break;
	default:
		snprintf(conn->text, sizeof(conn->text), "%s", address);
		break;
	}
}

/* ---- what a step says ----------------------------------------------------------------------- */

static void start_timer(struct conn *conn, uint64_t ms)
{
	io_timer_arm(conn->io, &conn->timer,
		     io_now(conn->io) + msgr_scaled_ns(conn->msgr, ms));
}

/* Between half and one and a half of what the rules say, so that many do not come at once. */
static void start_pause(struct conn *conn)
{
	uint64_t ms = nacre_conn_backoff_ms(conn->attempts++);
	uint64_t ns = msgr_scaled_ns(conn->msgr, ms);

	ns = ns / 2 + io_random(conn->io) % (ns + 1);
	io_timer_arm(conn->io, &conn->timer, io_now(conn->io) + ns);
}

static struct link *link_create(struct conn *conn)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->conn = conn;
	link->io = conn->io;
	conn->link = link;
	conn->seq = 0;
	conn->peer.received = 0;
	conn->paused = false;
	return link;
}

static void start_connect(struct conn *conn)
{
	struct link *link = link_create(conn);
	int err = -ENOMEM;

	conn->generation++;
	conn->msgr->counters.dialled++;
	if (link)
		err = io_connect(conn->io, &conn->address, &link_events, link, &link->stream);
	if (!err) {
		start_timer(conn, HELLO_MS);
		return;
	}
	if (link) {
		conn->link = NULL;
		free(link);
	}
	conn_reset(conn, err);
}

static void complain(struct conn *conn, enum nacre_conn_event event)
{
	struct msgr *msgr = conn->msgr;

	if (event == NACRE_CONNE_REFUSED) {
		msgr->counters.refused++;
		if (!conn->dialled && conn->reply.result == NACRE_E_NOT_ACTIVE)
			return;		/* it comes again, nobody need look into it */
		log_warn(msgr->log, "msgr", "%s %s: %s",
			 conn->dialled ? "refused by" : "refused", conn->text, conn->bad);
	} else {
		msgr->counters.bad++;
		log_warn(msgr->log, "msgr", "reset %s: %s: %s", conn->text, conn->bad_message,
			 conn->bad);
	}
}

/*
 * A refusal is still to go out: the stream stays until it has (send.c), or for a while. What
 * comes meanwhile is not looked at.
 */
static void linger(struct conn *conn)
{
	conn->breaking = true;
	conn->lingers = true;
	start_timer(conn, REFUSAL_MS);
}

static void hang_up(struct conn *conn)
{
	if (conn->link)
		link_hang_up(conn->link);
}

static void tell_up(struct conn *conn)
{
	io_timer_cancel(conn->io, &conn->timer);
	conn->attempts = 0;
	conn->msgr->counters.opened++;
	log_debug(conn->msgr->log, "msgr", "open: %s", conn->text);
	conn->msgr->handler->opened(conn->msgr->owner, conn);
}

static void tell_closed(struct conn *conn, bool lost)
{
	if (lost) {
		conn->msgr->counters.broken++;
		if (!conn->bad_message)		/* that had its line */
			log_info(conn->msgr->log, "msgr", "lost %s: %s", conn->text,
				 conn->reason ? strerror(-conn->reason) : "it hung up");
	}
	conn->msgr->handler->closed(conn->msgr->owner, conn, conn->reason);
}

/* Actions in the order in which they make sense; the owner hears last. */
static void act(struct conn *conn, enum nacre_conn_event event, uint32_t actions)
{
	bool lingers = actions & NACRE_CONNA_SEND_REPLY && actions & NACRE_CONNA_HANG_UP;

	if (actions & NACRE_CONNA_COMPLAIN)
		complain(conn, event);
	if (actions & NACRE_CONNA_SEND_REPLY)
		hello_reply_send(conn);
	if (lingers)
		linger(conn);
	else if (actions & NACRE_CONNA_HANG_UP)
		hang_up(conn);
	if (actions & NACRE_CONNA_CONNECT)
		start_connect(conn);
	if (actions & (NACRE_CONNA_SEND_HELLO | NACRE_CONNA_TIMER))
		start_timer(conn, HELLO_MS);
	if (actions & NACRE_CONNA_SEND_HELLO)
		hello_send(conn);
	if (actions & NACRE_CONNA_PAUSE)
		start_pause(conn);
	if (actions & NACRE_CONNA_FAILED)
		conn->refused = true;
	if (actions & NACRE_CONNA_UP)
		tell_up(conn);
	else if (actions & (NACRE_CONNA_LOST | NACRE_CONNA_FAILED))
		tell_closed(conn, actions & NACRE_CONNA_LOST);
	if (!lingers && conn->msgr && conn->state == NACRE_CONN_CLOSED && !conn->dialled)
		conn_forget(conn);
}

void conn_step(struct conn *conn, enum nacre_conn_event event)
{
	uint32_t actions;

	if (nacre_machine_step(machine_of(conn), &conn->state, (uint8_t)event, &actions)) {
		/* BAD or DOWN of a link that is ours, in a state without one: our mistake */
		assert(event == NACRE_CONNE_DOWN || event == NACRE_CONNE_TIMEOUT);
		return;
	}
	conn_get(conn);
	conn->breaking = false;
	act(conn, event, actions);
	conn->bad = conn->bad_message = NULL;
	conn_put(conn);
}

/* ---- ends ----------------------------------------------------------------------------------- */

void conn_reset(struct conn *conn, int reason)
{
	if (!conn->msgr || conn->breaking)
		return;
	conn->breaking = true;
	conn->reason = reason;
	if (conn->reset.queued)
		return;
	conn_get(conn);
	io_defer(conn->io, &conn->reset);
}

void conn_bad(struct conn *conn, const char *message, const char *reason)
{
	if (!conn->msgr || conn->breaking)
		return;
	conn->bad_message = message;
	conn->bad = reason;
	conn_reset(conn, -EBADMSG);
}

void conn_close(struct conn *conn)
{
	conn_forget(conn);
}

/* ---- beginnings ----------------------------------------------------------------------------- */

void conn_accept(struct msgr *msgr, struct io_stream *stream, const struct io_address *peer)
{
	struct conn *conn = conn_create(msgr, false, peer);
	struct link *link = conn ? link_create(conn) : NULL;

	if (!link) {
		if (conn)
			conn_forget(conn);
		io_stream_close(msgr->io, stream);
		return;
	}
	msgr->counters.accepted++;
	link->stream = stream;
	io_stream_attach(msgr->io, stream, &link_events, link);
	conn_step(conn, NACRE_CONNE_ACCEPT);
}

/* ---- what owners ask and do ----------------------------------------------------------------- */

int conn_send(struct conn *conn, uint16_t type, const void *host, const struct payload *payload)
{
	const struct nacre_message *row = nacre_message_find(type);
	unsigned int count;
	int err;

	if (!row)
		return -EINVAL;
	if (!conn_is_open(conn))
		return -ENOTCONN;
	if (conn->queued_bytes >= conn->msgr->queue_bytes) {
		conn->msgr->counters.overflowed++;
		return -ENOBUFS;
	}
	err = send_message(conn, row, host, payload);
	if (!err)
		conn->msgr->sent[row - nacre_message_table(&count)]++;
	return err;
}

bool conn_is_open(const struct conn *conn)
{
	return conn->msgr && conn->state == NACRE_CONN_READY && !conn->breaking;
}

bool conn_is_refused(const struct conn *conn)
{
	return conn->refused;
}

void conn_set_owner(struct conn *conn, void *owner)
{
	conn->owner = owner;
}

void *conn_owner(const struct conn *conn)
{
	return conn->owner;
}

void conn_set_peer_instance(struct conn *conn, uint64_t instance)
{
	conn->peer.instance = instance;
}

uint64_t conn_peer_instance(const struct conn *conn)
{
	return conn->peer.instance;
}

enum nacre_role conn_peer_role(const struct conn *conn)
{
	return (enum nacre_role)conn->peer.role;
}

uint16_t conn_peer_id(const struct conn *conn)
{
	return conn->peer_id;
}

uint64_t conn_peer_map_epoch(const struct conn *conn)
{
	return conn->peer_map_epoch;
}

uint64_t conn_peer_features(const struct conn *conn)
{
	return conn->peer.features;
}

uint32_t conn_generation(const struct conn *conn)
{
	return conn->generation;
}

uint64_t conn_queued_bytes(const struct conn *conn)
{
	return conn->queued_bytes;
}

const char *conn_peer_text(const struct conn *conn)
{
	return conn->text;
}
