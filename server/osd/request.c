// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of clients at the primary. See request.h.
 */
#include <assert.h>
#include <errno.h>
#include "request.h"
#include "scrub.h"
#include "server/base/mutate.h"

#define REQUESTS_MAX 8192u	/* queued and executing, of all clients; more are told to come again */
#define REPAIRS_MAX 3		/* for one request, while it is the device that fails */

static const char *const state_names[] = { "queued", "executing", "committing", "failed" };

const char *request_state_name(enum request_state state)
{
	return state_names[state];
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void request_free(struct request *request)
{
	struct osd *osd = request->osd;

	TAILQ_REMOVE(&request->client->requests, request, client_link);
	object_hold_leave(&request->hold);
	object_hold_leave(&request->source);
	osd_exec_end(&request->exec);
	conn_put(request->conn);
	message_put(request->message);
	osd->request_count--;
	free(request);
}

static void refuse(struct request *request, uint32_t result)
{
	if (!request->discarded)
		reply_result(request->osd, request->conn, request->wire->tid, result);
	request_free(request);
}

void request_committed(struct request *request)
{
	if (!request->discarded)
		reply_executed(request, request->number);
	request_free(request);
}

void request_abandon(struct request *request, uint32_t result)
{
	refuse(request, result);
}

/* Requests under execution see for themselves that their interval has ended. */
void requests_refuse(struct pg *pg, uint32_t result)
{
	struct osd_client *client, *next_client;
	struct request *request, *next;

	HASH_ITER(hh, pg->osd->clients, client, next_client) {
		for (request = TAILQ_FIRST(&client->requests); request; request = next) {
			next = TAILQ_NEXT(request, client_link);
			if (request->pg == pg && (request->state == REQUEST_QUEUED ||
						  request->state == REQUEST_FAILED))
				refuse(request, result);
		}
	}
}

/* ---- execution ---------------------------------------------------------------------------------- */

static void commit(struct request *request, struct mem_bytes *remembered)
{
	struct pg *pg = request->pg;
	const struct nacre_osd_request *wire = request->wire;
	struct nacre_rep_entry entry = {
		.number = pg->last + 1,
		.interval = pg->interval,
		.instance = wire->instance,
		.tid = wire->tid,
		.ino = wire->ino,
		.index = wire->index,
		.snap = wire->snap,
		.op_count = request->exec.result_count,
		.reply = remembered->at,
		.reply_bytes = (uint32_t)remembered->length,
	};

	request->state = REQUEST_COMMITTING;
	request->number = entry.number;
	pg_write(pg, &request->exec, &entry, request, NULL);
	object_hold_changed(&request->hold, HOLD_COMMITTING);
	if (request->source.queue)
		object_hold_changed(&request->source, HOLD_COMMITTING);
	pg_advance(pg);
}

/* May what was executed still count? 0, or why not. */
static uint32_t judge_again(const struct request *request)
{
	const struct pg *pg = request->pg;

	if (request->interval != pg->interval || pg->state != PG_ACTIVE)
		return pg->primary ? NACRE_E_PG_INACTIVE : NACRE_E_NOT_PRIMARY;
	return osd_judge(request->osd, request->wire);
}

/*
 * Does it take blocks that some member has not? Then it fails there as it would here. What members say leaves their
 * reserve out, and metadata may use that.
 */
static void judge_space(struct request *request)
{
	struct osd_exec *exec = &request->exec;

	if (exec->result || !exec->writes || request->wire->pool == NACRE_POOL_META)
		return;
	if (!pg_members_have_space(request->pg, pg_txn_blocks(exec->view.txn)))
		exec->result = ENOSPC;
}

/*
 * It has met a block that does not match its checksum, or that cannot be read: a good replica's bytes are put in its place (scrub.h)
 * before the request runs again, in its place in the queue. What cannot be repaired is its answer then; but a device may fail
 * more often than once. True: that is under way.
 */
static bool repair_first(struct request *request)
{
	unsigned int most = request->exec.device_failed ? REPAIRS_MAX : 1;
	struct osd_object_key key;

	if (request->exec.result != NACRE_E_CHECKSUM || request->repairs >= most)
		return false;
	if (!osd_scrub_has_room(request->osd)) {
		refuse(request, NACRE_E_BUSY);
		return true;
	}
	request->repairs++;
	request->state = REQUEST_QUEUED;
	osd_exec_end(&request->exec);
	memset(&request->exec, 0, sizeof(request->exec));
	/* it waits first: the repair enters before those who do */
	object_hold_changed(&request->hold, HOLD_WAITING);
	if (request->source.queue) {
		object_hold_changed(&request->source, HOLD_WAITING);
		key = request->source.queue->id.key;
		osd_scrub_repair(request->pg, &key);
	}
	key = request->hold.queue->id.key;
	osd_scrub_repair(request->pg, &key);
	request->osd->stats.reads_repaired++;
	return true;
}

static void executed(struct request *request)
{
	struct osd_exec *exec = &request->exec;
	struct mem_bytes remembered = { 0 };
	struct pg *pg = request->pg;
	uint32_t refused = judge_again(request);

	judge_space(request);
	pg->executing--;
	pg->executing_writes -= request->hold.writes;
	request->osd->stats.requests_executed++;
	if (refused || request->discarded) {
		refuse(request, refused);
	} else if (repair_first(request)) {
		;			/* it runs again */
	} else if (!exec->writes) {
		reply_executed(request, exec->version);
		request_free(request);
	} else if (exec->result) {
		request->state = REQUEST_FAILED;
		object_hold_changed(&request->hold, HOLD_ANSWERING);
		object_hold_leave(&request->source);
	} else if (!reply_remember(request, pg->last + 1, &remembered)) {
		refuse(request, E2BIG);
	} else {
		request->osd->stats.conditions_met += exec->condition_met;
		commit(request, &remembered);
	}
	mem_bytes_free(&remembered);
	pg_settle(pg);
}

static void exec_done(struct osd_exec *exec)
{
	executed(exec->owner);
}

static void start(struct request *request)
{
	struct osd_exec *exec = &request->exec;
	struct pg *pg = request->pg;

	request->state = REQUEST_EXECUTING;
	object_hold_changed(&request->hold, HOLD_RUNNING);
	if (request->source.queue)
		object_hold_changed(&request->source, HOLD_RUNNING);
	pg_exec_init(pg, exec, request->wire);
	exec->data = request->message->data;
	exec->done = exec_done;
	exec->owner = request;
	pg->executing++;
	pg->executing_writes += request->hold.writes;
	if (osd_exec_start(exec))
		executed(request);
}

/* Its object is free, or the writes before its failure are committed. */
static bool granted(struct object_hold *hold)
{
	struct request *request = hold->owner;
	struct pg *pg = request->pg;

	if (request->state == REQUEST_FAILED) {
		reply_executed(request, request->exec.version);
		request_free(request);
		return true;
	}
	if (hold->writes && (pg->hold || osd_store_is_full(request->osd->store)))
		return false;
	if (request->source.queue && (!object_hold_may_run(&request->hold) ||
				      !object_hold_may_run(&request->source)))
		return false;
	start(request);
	return true;
}

/* ---- admission ------------------------------------------------------------------------------------ */

/* The other object of a CLONE is lined up for as well; a request clones at most one other. */
static void enter_source(struct request *request, const struct osd_object_key *target)
{
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;
	struct osd_object_key key;
	struct nacre_oid oid;

	nacre_osd_cursor(&cursor, request->wire);
	while (nacre_osd_next(&cursor, &step)) {
		if (step.op.code != NACRE_OSD_OP_CLONE ||
		    nacre_decode_all(nacre_oid_desc(), step.value, step.op.value_size, &oid))
			continue;
		key = (struct osd_object_key){ oid.ino, oid.index, oid.snap, oid.pool, target->pg };
		if (!memcmp(&key, target, sizeof(key)))
			continue;
		request->source.granted = granted;
		request->source.owner = request;
		object_hold_enter(&request->osd->queues, &key, &request->source, HOLD_WRITE);
		return;
	}
}

static bool clones_two(const struct nacre_osd_request *wire)
{
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;
	unsigned int count = 0;

	nacre_osd_cursor(&cursor, wire);
	while (nacre_osd_next(&cursor, &step))
		count += step.op.code == NACRE_OSD_OP_CLONE;
	return count > 1;
}

static void admit(struct osd *osd, struct pg *pg, struct osd_client *client, struct conn *conn,
		  struct message *message)
{
	const struct nacre_osd_request *wire = &message->host.osd_request;
	struct request *request = mem_zero(1, sizeof(*request));
	struct osd_object_key key = { wire->ino, wire->index, wire->snap, wire->pool, pg->key.pg };

	request->osd = osd;
	request->pg = pg;
	request->client = client;
	request->message = message_get(message);
	request->wire = wire;
	request->conn = conn_get(conn);
	request->interval = pg->interval;
	request->hold.granted = granted;
	request->hold.owner = request;
	osd->request_count++;
	TAILQ_INSERT_TAIL(&client->requests, request, client_link);
	object_hold_enter(&osd->queues, &key, &request->hold,
			  nacre_osd_request_writes(wire) ? HOLD_WRITE : HOLD_READ);
	enter_source(request, &key);
}

/* Is it known already? True: it has been dealt with. */
static bool known(struct pg *pg, struct osd_client *client, struct conn *conn,
		  const struct nacre_osd_request *wire)
{
	struct pglog_entry *entry = pglog_request(&pg->log, wire->instance, wire->tid);
	struct request *request;

	if (mutate(MUTATE_OSD_FORGET_RESEND))
		return false;
	TAILQ_FOREACH(request, &client->requests, client_link) {
		if (request->wire->tid != wire->tid || request->pg != pg || request->discarded)
			continue;
		conn_put(request->conn);	/* it is on its way: the answer goes to the new connection */
		request->conn = conn_get(conn);
		return true;
	}
	if (!entry)
		return false;
	if (entry->number <= pg->committed)
		reply_known(pg->osd, conn, wire->tid, entry);	/* LOG-2 */
	else
		reply_result(pg->osd, conn, wire->tid, NACRE_E_PG_INACTIVE);
	return true;
}

/* A newer connection generation: what the older one had not executed is forgotten. */
static void discard_older(struct osd_client *client, uint32_t conn_gen)
{
	struct request *request, *next;

	client->conn_gen = conn_gen;
	for (request = TAILQ_FIRST(&client->requests); request; request = next) {
		next = TAILQ_NEXT(request, client_link);
		if (request->wire->conn_gen >= conn_gen || request->state == REQUEST_COMMITTING)
			continue;
		request->discarded = true;
		request->osd->stats.requests_discarded++;
		if (request->state == REQUEST_QUEUED || request->state == REQUEST_FAILED)
			request_free(request);
	}
}

/* The group, if this OSD may serve it. 0 and *ret_pg, or why not. */
static uint32_t find_group(struct osd *osd, const struct nacre_osd_request *wire, struct pg **ret_pg)
{
	struct pg *pg = pg_find(osd, wire->pool, wire->pg);

	if (!pg || !pg->primary)
		return NACRE_E_NOT_PRIMARY;
	if (pg->state != PG_ACTIVE)
		return NACRE_E_PG_INACTIVE;
	if (!pg->mode)
		return NACRE_E_UNSUPPORTED;
	*ret_pg = pg;
	return 0;
}

void osd_request_message(struct osd *osd, struct conn *conn, struct message *message)
{
	const struct nacre_osd_request *wire = &message->host.osd_request;
	struct osd_client *client;
	struct pg *pg = NULL;
	uint32_t refused = osd_judge(osd, wire);	/* FENCE-1 */

	osd->stats.requests++;
	if (!refused)
		refused = find_group(osd, wire, &pg);
	if (refused) {
		osd->stats.requests_refused++;
		reply_result(osd, conn, wire->tid, refused);
		message_put(message);
		return;
	}
	client = osd_client_get(osd, wire->instance);
	if (wire->oldest_tid > client->oldest_tid)
		client->oldest_tid = wire->oldest_tid;
	if (wire->conn_gen > client->conn_gen)
		discard_older(client, wire->conn_gen);
	if (wire->conn_gen < client->conn_gen) {
		reply_result(osd, conn, wire->tid, NACRE_E_STALE_GENERATION);
	} else if (osd->request_count >= REQUESTS_MAX) {
		osd->stats.requests_busy++;
		reply_result(osd, conn, wire->tid, NACRE_E_BUSY);
	} else if (clones_two(wire)) {
		reply_result(osd, conn, wire->tid, NACRE_E_UNSUPPORTED);
	} else if (!known(pg, client, conn, wire)) {
		admit(osd, pg, client, conn, message);
	}
	message_put(message);
}
