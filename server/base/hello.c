// SPDX-License-Identifier: GPL-2.0
/*
 * The hello: what each side says of itself, and whether the two suit. The rules
 * judge (rules/conn.h); here are the words, and what is remembered of the peer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "msgr_conn.h"
#include "protocol/error.h"

void hello_send(struct conn *conn)
{
	const struct msgr *msgr = conn->msgr;
	struct nacre_hello hello = {
		.protocol = NACRE_PROTOCOL_VERSION,
		.role = (uint8_t)msgr->role,
		.id = msgr->id,
		.features = NACRE_FEATURES_SUPPORTED,
		.required = NACRE_FEATURES_REQUIRED,
		.instance = msgr->instance,
		.fsid_lo = msgr->fsid_lo,
		.fsid_hi = msgr->fsid_hi,
		.map_epoch = msgr->map_epoch,
		.conn_gen = conn->generation,
		.name = (const uint8_t *)msgr->name,
		.name_bytes = (uint32_t)strlen(msgr->name),
	};

	if (send_message(conn, nacre_message_find(NACRE_MSG_HELLO), &hello, NULL))
		conn_reset(conn, -ENOMEM);
}

void hello_reply_send(struct conn *conn)
{
	if (send_message(conn, nacre_message_find(NACRE_MSG_HELLO_REPLY), &conn->reply, NULL))
		conn_reset(conn, -ENOMEM);
}

/* Why a result, for a person who reads it on the other side. */
static void explain(struct conn *conn, uint32_t result, const struct nacre_hello *hello)
{
	const struct msgr *msgr = conn->msgr;
	char name[32];

	switch (result) {
	case NACRE_E_BAD_VERSION:
		snprintf(conn->reply_text, sizeof(conn->reply_text),
			 "%s speaks version %u with features %#llx and demands %#llx, you speak %u with %#llx and demand %#llx",
			 msgr->name, NACRE_PROTOCOL_VERSION,
			 (unsigned long long)NACRE_FEATURES_SUPPORTED,
			 (unsigned long long)(NACRE_FEATURES_REQUIRED | msgr->required), hello->protocol,
			 (unsigned long long)hello->features, (unsigned long long)hello->required);
		break;
	case NACRE_E_BAD_FSID:
		snprintf(conn->reply_text, sizeof(conn->reply_text),
			 "%s belongs to file system %016llx%016llx", msgr->name,
			 (unsigned long long)msgr->fsid_hi, (unsigned long long)msgr->fsid_lo);
		break;
	case NACRE_E_NOT_ACTIVE:
		snprintf(conn->reply_text, sizeof(conn->reply_text),
			 "%s has not joined the cluster yet", msgr->name);
		break;
	default:
		snprintf(conn->reply_text, sizeof(conn->reply_text), "%s: %s", msgr->name,
			 nacre_error_name(result, name, sizeof(name)));
		break;
	}
}

static uint32_t judge(const struct conn *conn, const struct nacre_hello *hello)
{
	const struct msgr *msgr = conn->msgr;
	uint32_t result = nacre_hello_judge(hello, msgr->fsid_lo, msgr->fsid_hi);
	bool daemon = msgr->role == NACRE_ROLE_MDS || msgr->role == NACRE_ROLE_OSD;

	if (!result && (msgr->required & ~hello->features))
		result = NACRE_E_BAD_VERSION;
	if (!result && daemon && !msgr->instance)
		result = NACRE_E_NOT_ACTIVE;
	return result;
}

static void prepare_reply(struct conn *conn, const struct nacre_hello *hello, uint32_t result)
{
	const struct msgr *msgr = conn->msgr;

	conn->reply_text[0] = 0;
	if (result)
		explain(conn, result, hello);
	conn->reply = (struct nacre_hello_reply){
		.result = result,
		.protocol = NACRE_PROTOCOL_VERSION,
		.features = NACRE_FEATURES_SUPPORTED,
		.required = NACRE_FEATURES_REQUIRED | msgr->required,
		.instance = msgr->instance,
		.fsid_lo = msgr->fsid_lo,
		.fsid_hi = msgr->fsid_hi,
		.map_epoch = msgr->map_epoch,
		.time_scale_percent = msgr->time_scale_percent,
		.role = (uint8_t)msgr->role,
		.id = msgr->id,
		.text = (const uint8_t *)conn->reply_text,
		.text_bytes = (uint32_t)strlen(conn->reply_text),
	};
}

/* A newer connection of the same instance: what still comes on the older one is of the past. */
static void replace_older(struct conn *conn)
{
	struct conn *older;

	for (older = conn->msgr->conns; older; older = older->next)
		if (older != conn && !older->dialled && older->state == NACRE_CONN_READY &&
		    older->peer.instance == conn->peer.instance &&
		    older->peer.role == conn->peer.role && older->generation < conn->generation)
			conn_reset(older, -ESTALE);
}

static void take_hello(struct conn *conn, const struct nacre_hello *hello)
{
	uint32_t result = judge(conn, hello);

	conn->peer.role = hello->role;
	conn->peer.instance = hello->instance;
	conn->peer.features = hello->features;
	conn->peer_id = hello->id;
	conn->peer_map_epoch = hello->map_epoch;
	conn->generation = hello->conn_gen;
	conn_describe(conn, (const char *)hello->name, hello->name_bytes);
	prepare_reply(conn, hello, result);
	if (result) {
		conn->bad = conn->reply_text;
		conn_step(conn, NACRE_CONNE_REFUSED);
		return;
	}
	if (hello->instance)
		replace_older(conn);
	conn_step(conn, NACRE_CONNE_HELLO);
}

/* Results that waiting may change. */
static bool passes(uint32_t result)
{
	switch (result) {
	case NACRE_E_BAD_VERSION:
	case NACRE_E_BAD_FSID:
	case NACRE_E_DEAD_INSTANCE:
	case NACRE_E_UNKNOWN_INSTANCE:
	case NACRE_E_EVICTED:
		return false;
	default:
		return true;
	}
}

static void take_reply(struct conn *conn, const struct nacre_hello_reply *reply)
{
	uint32_t result = nacre_hello_reply_judge(reply, conn->msgr->fsid_lo, conn->msgr->fsid_hi);
	char name[32];

	conn->peer.role = reply->role;
	conn->peer.instance = reply->instance;
	conn->peer.features = reply->features;
	conn->peer_id = reply->id;
	conn->peer_map_epoch = reply->map_epoch;
	conn_describe(conn, NULL, 0);
	if (!result) {
		conn_step(conn, NACRE_CONNE_WELCOME);
		return;
	}
	conn->reason = -nacre_error_errno(result);
	if (reply->text_bytes)
		snprintf(conn->reply_text, sizeof(conn->reply_text), "%.*s",
			 (int)reply->text_bytes, (const char *)reply->text);
	else
		snprintf(conn->reply_text, sizeof(conn->reply_text), "%s",
			 nacre_error_name(result, name, sizeof(name)));
	conn->bad = conn->reply_text;
	if (passes(result)) {
		log_info(conn->msgr->log, "msgr", "%s asks to come later: %s", conn->text,
			 conn->reply_text);
		conn_step(conn, NACRE_CONNE_DOWN);
	} else {
		conn_step(conn, NACRE_CONNE_REFUSED);
	}
}

void hello_take(struct conn *conn, const struct message *message)
{
	if (message->type == NACRE_MSG_HELLO)
		take_hello(conn, &message->host.hello);
	else
		take_reply(conn, &message->host.hello_reply);
}
