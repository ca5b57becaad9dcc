// SPDX-License-Identifier: GPL-2.0
/*
 * A member under another primary: makes its transactions durable in their order,
 * tells how far its log goes, takes objects and a log when it was away.
 *
 * One message at a time is executed per group, so the log is always a prefix.
 * Fetched transactions (REP_TRANSACTION) go the same way at a primary that
 * reconciles. Messages of another interval are refused; those that came before an
 * interval ended and were not executed are forgotten with it.
 */
#include <errno.h>
#include "member_job.h"
#include "scrub.h"
#include "stabilize.h"
#include "server/base/mutate.h"

/* ---- answers ---------------------------------------------------------------------------- */

void member_send_done(struct pg *pg, struct conn *conn, uint64_t interval, uint64_t number,
		      uint32_t result)
{
	struct nacre_rep_done done = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = interval,
		.number = number,
		.bytes_free = osd_store_space(pg->osd->store).bytes_free,
		.result = result,
	};

	/* If it is not open the primary asks again when it is. */
	conn_send(conn, NACRE_MSG_REP_DONE, &done, NULL);
}

void pg_member_durable(struct pg *pg)
{
	if (pg->primary_conn)
		member_send_done(pg, pg->primary_conn, pg->interval, pg->durable, 0);
}

static void answer_query(struct pg *pg)
{
	const struct nacre_rep_query *query = &pg->query->host.rep_query;
	struct nacre_rep_info info = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = pg->interval,
		.first = pglog_first(&pg->log),
		.last = pg->last,
		.committed = pg->committed,
		.bytes_free = osd_store_space(pg->osd->store).bytes_free,
	};
	struct nacre_rep_entry entry;
	struct mem_bytes entries = { 0 };
	uint32_t i;

	for (i = 0; (query->flags & NACRE_REP_QUERY_LOG) && i < pg->log.count; i++) {
		pglog_wire(pglog_at(&pg->log, i), false, &entry);
		osd_disk_append(&entries, nacre_rep_entry_desc(), &entry);
	}
	info.entries = entries.at;
	info.entries_bytes = (uint32_t)entries.length;
	pg_unstable_tell(pg, pg->query->conn);
	conn_send(pg->query->conn, NACRE_MSG_REP_INFO, &info, NULL);
	mem_bytes_free(&entries);
	message_put(pg->query);
	pg->query = NULL;
}

/* ---- transactions -------------------------------------------------------------------------- */

void member_job_end(struct member_job *job)
{
	osd_exec_end(&job->exec);
	if (job->pg->job == job)
		job->pg->job = NULL;
	message_put(job->message);
	free(job);
}

/* Is the interval in which the message came still there? */
bool member_job_valid(const struct member_job *job)
{
	const struct pg *pg = job->pg;

	return job->interval == pg->interval && !pg->osd->failed &&
	       (pg->state == PG_REPLICA || pg->state == PG_RECOVERING || pg->state == PG_RECONCILING);
}

static void apply_executed(struct member_job *job)
{
	const struct nacre_rep_apply *apply = &job->message->host.rep_apply;
	struct nacre_rep_entry entry;
	struct pg *pg = job->pg;
	struct osd_txn *txn;

	if (!member_job_valid(job) || apply->number != pg->last + 1)
		return;
	if (job->exec.result) {
		log_error(pg->osd->log, "pg", "%u.%u: transaction %llu cannot be applied: result %u",
			  pg->key.pool, pg->key.pg, (unsigned long long)apply->number,
			  job->exec.result);
		member_send_done(pg, job->message->conn, pg->interval, pg->durable, job->exec.result);
		return;
	}
	nacre_decode_all(nacre_rep_entry_desc(), apply->entry, apply->entry_bytes, &entry);
	txn = osd_exec_commit(&job->exec, entry.number, entry.interval);
	pg_set_committed(pg, apply->committed);
	pg->osd->stats.applied++;
	if (job->message->type == NACRE_MSG_REP_TRANSACTION)
		pg->osd->stats.transactions_fetched++;
	pg_submit(pg, txn, &entry, pg_kept_message(job->message));
}

static bool begin_apply(struct member_job *job)
{
	const struct nacre_rep_apply *apply = &job->message->host.rep_apply;
	struct pg *pg = job->pg;

	if (apply->number <= pg->last) {	/* sent again */
		pg_set_committed(pg, apply->committed);
		if (apply->number <= pg->durable && pg->state != PG_RECONCILING)
			pg_member_durable(pg);
		return false;
	}
	if (apply->number != pg->last + 1 || !pg->mode ||
	    nacre_decode_all(nacre_osd_request_desc(), apply->transaction, apply->transaction_bytes,
			     &job->request))
		return false;
	if (mutate(MUTATE_OSD_REPLICAS_JUDGE) && osd_judge(pg->osd, &job->request))
		job->request.ops_bytes = 0;
	job->executed = apply_executed;
	return true;
}

/* ---- the inbox ----------------------------------------------------------------------------------- */

static void job_done(struct osd_exec *exec)
{
	struct member_job *job = exec->owner;
	struct pg *pg = job->pg;

	pg->executing--;
	job->executed(job);
	member_job_end(job);
	pg_settle(pg);
	pg_member_advance(pg);
}

/* Execute it. False: it is done already. */
static bool run_job(struct member_job *job)
{
	struct osd_exec *exec = &job->exec;
	struct pg *pg = job->pg;

	pg_exec_init(pg, exec, &job->request);
	exec->data = job->message->data;
	exec->resolved = true;
	exec->done = job_done;
	exec->owner = job;
	pg->job = job;
	pg->executing++;
	if (!osd_exec_start(exec))
		return true;
	pg->executing--;
	job->executed(job);
	return false;
}

/* Begin one message of the inbox. True: it is being executed. */
static bool begin(struct pg *pg, struct message *message)
{
	struct member_job *job = mem_zero(1, sizeof(*job));
	bool runs = false;

	job->pg = pg;
	job->message = message;
	job->interval = pg->interval;
	if (message->type == NACRE_MSG_REP_LOG)
		member_take_log(job);
	else if (message->type == NACRE_MSG_REP_SCRUB)
		runs = scrub_member_begin(job) && run_job(job);
	else if (message->type == NACRE_MSG_REP_OBJECT)
		runs = member_begin_object(job) && run_job(job);
	else
		runs = begin_apply(job) && run_job(job);
	if (!runs)
		member_job_end(job);
	return runs;
}

void pg_member_advance(struct pg *pg)
{
	struct message *message;

	while (!pg->osd->failed && !pg->job && (message = pg->inbox) && !osd_store_is_full(pg->osd->store)) {
		pg->inbox = message->next;
		if (!pg->inbox)
			pg->inbox_last = &pg->inbox;
		message->next = NULL;
		if (begin(pg, message))
			break;
	}
	if (pg->query && !pg->osd->failed && !pg->inbox && pg_is_quiet(pg) &&
	    (pg->state == PG_REPLICA || pg->state == PG_RECOVERING))
		answer_query(pg);
}

void pg_member_reset(struct pg *pg)
{
	struct message *message;

	while ((message = pg->inbox)) {
		pg->inbox = message->next;
		message_put(message);
	}
	pg->inbox_last = &pg->inbox;
	if (pg->query)
		message_put(pg->query);
	pg->query = NULL;
	if (pg->primary_conn)
		conn_put(pg->primary_conn);
	pg->primary_conn = NULL;
	mem_bytes_free(&pg->log_parts);
}

/* ---- fetch, and what else needs no execution --------------------------------------------------------- */

static void send_fetched(struct pg *pg, struct message *message)
{
	const struct nacre_rep_fetch *fetch = &message->host.rep_fetch;
	struct pg_kept *kept;
	uint64_t number;

	for (number = fetch->first; number <= fetch->last; number++) {
		kept = pg_kept_find(pg, number);
		if (!kept) {
			log_error(pg->osd->log, "pg", "%u.%u: transaction %llu is wanted and not kept",
				  pg->key.pool, pg->key.pg, (unsigned long long)number);
			return;
		}
		if (!pg_kept_send(pg, kept, message->conn, NACRE_MSG_REP_TRANSACTION))
			return;		/* it is asked for again */
	}
}

static void keep_query(struct pg *pg, struct message *message)
{
	if (pg->query)
		message_put(pg->query);
	pg->query = message_get(message);
}

static void remember_primary(struct pg *pg, struct conn *conn)
{
	if (pg->primary_conn == conn)
		return;
	if (pg->primary_conn)
		conn_put(pg->primary_conn);
	pg->primary_conn = conn_get(conn);
}

/* Scans wait for nothing; what reads or stores bytes is one of the primary's messages in their order. */
static bool is_scan(const struct message *message)
{
	return message->type == NACRE_MSG_REP_SCRUB && (message->host.rep_scrub.what == NACRE_REP_SCRUB_LIGHT ||
							message->host.rep_scrub.what == NACRE_REP_SCRUB_DEEP);
}

void pg_member_message(struct pg *pg, struct message *message)
{
	if (pg->state != PG_RECONCILING)
		remember_primary(pg, message->conn);
	switch (message->type) {
	case NACRE_MSG_REP_QUERY:
		keep_query(pg, message);
		break;
	case NACRE_MSG_REP_COMMITTED:
		pg_set_committed(pg, message->host.rep_committed.committed);
		break;
	case NACRE_MSG_REP_FETCH:
		send_fetched(pg, message);
		break;
	case NACRE_MSG_REP_LIST:
		member_list(pg, message);
		break;
	default:
		if (is_scan(message)) {
			scrub_member_scan(pg, message);
			break;
		}
		message->next = NULL;
		*pg->inbox_last = message_get(message);
		pg->inbox_last = &message->next;
	}
	message_put(message);
	pg_member_advance(pg);
}
