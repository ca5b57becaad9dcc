/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A client's request at the primary of its group, from admission to answer:
 *
 *	QUEUED ──object is free──▶ EXECUTING ──▶ COMMITTING ──durable everywhere──▶ answered
 *	                               ├── reads ─────────────────────────────────▶ answered
 *	                               └── fails ──▶ FAILED ──writes before it──────▶ answered
 *
 * FENCE-1 is judged at admission and again when it is executed.
 */
#ifndef NACRE_SERVER_OSD_REQUEST_H
#define NACRE_SERVER_OSD_REQUEST_H

#include "exec.h"
#include "object_queue.h"
#include "pg.h"

enum request_state {
	REQUEST_QUEUED,
	REQUEST_EXECUTING,
	REQUEST_COMMITTING,
	REQUEST_FAILED,
};

struct request {
	struct osd *osd;
	struct pg *pg;
	struct osd_client *client;
	TAILQ_ENTRY(request) client_link;
	struct message *message;	/* counted */
	const struct nacre_osd_request *wire;
	struct conn *conn;		/* counted; where the answer goes */
	enum request_state state;
	uint8_t repairs;		/* how often it has met a bad block */
	bool discarded;			/* nobody wants an answer; not executed if that is possible still */
	uint64_t interval;		/* of the group, at admission */
	uint64_t number;		/* COMMITTING */
	struct object_hold hold;
	struct object_hold source;	/* CLONE: the other object */
	struct osd_exec exec;
};

/* A request arrived: judge it, answer it or line it up. Takes the message over. */
void osd_request_message(struct osd *osd, struct conn *conn, struct message *message);
/* Its number is committed: answer. */
void request_committed(struct request *request);
/* The group's interval has ended: what is not numbered is refused with `result`. */
void requests_refuse(struct pg *pg, uint32_t result);
/* The same for what is numbered and will not be answered from here. */
void request_abandon(struct request *request, uint32_t result);

const char *request_state_name(enum request_state state);

/* ---- reply.c ---------------------------------------------------------------------------- */

/* Answer with a result and nothing else. */
void reply_result(struct osd *osd, struct conn *conn, uint64_t tid, uint32_t result);
/* Answer with what the execution gave. */
void reply_executed(struct request *request, uint64_t version);
/* Answer a re-sent request from the log. */
void reply_known(struct osd *osd, struct conn *conn, uint64_t tid,
		 const struct pglog_entry *entry);
/* What the log remembers of an answer: nothing, if it is all zeros. False: too much. */
bool reply_remember(const struct request *request, uint64_t version, struct mem_bytes *bytes);

#endif
