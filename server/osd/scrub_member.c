// SPDX-License-Identifier: GPL-2.0
/*
 * The member's side of a scrub. Scans run beside the primary's transactions, for the primary holds the object; bytes are
 * read and repaired in the order of its messages, so that a repair that comes late meets the version that it is not for.
 */
#include <errno.h>
#include "member_job.h"
#include "scrub.h"

#define MEMBER_SCANS_MAX 16u		/* at a time; more are told to come again */

struct member_scan {
	struct osd_object_scan scan;
	struct conn *conn;		/* counted */
	uint64_t tid, interval;
};

static void answer_scan(const struct member_scan *member)
{
	const struct osd_object_scan *scan = &member->scan;
	struct nacre_rep_scrubbed answer = {
		.pool = scan->key.pool,
		.pg = scan->key.pg,
		.interval = member->interval,
		.tid = member->tid,
		.version = scan->version,
		.version_interval = scan->interval,
		.size = scan->size,
		.head = scan->head,
		.keys = scan->keys,
		.data = scan->data,
		.bytes = scan->bytes,
		.result = scan->result,
		.flags = (scan->exists ? 0 : NACRE_REP_SCRUB_ABSENT) | (scan->unstable ? NACRE_REP_SCRUB_UNSTABLE : 0) |
			 (scan->cut ? NACRE_REP_SCRUB_CUT : 0),
	};
	struct mem_bytes bad = { 0 };
	uint32_t i;

	for (i = 0; i < scan->bad_count; i++)
		osd_disk_append(&bad, nacre_osd_extent_desc(), &scan->bad[i]);
	answer.bad = bad.at;
	answer.bad_bytes = (uint32_t)bad.length;
	conn_send(member->conn, NACRE_MSG_REP_SCRUBBED, &answer, NULL);
	mem_bytes_free(&bad);
}

static void scanned(struct osd_object_scan *scan)
{
	struct member_scan *member = scan->owner;

	scan->pg->osd->scrub->member_scans--;
	scan->pg->osd->stats.scrub_bytes += scan->bytes;
	answer_scan(member);
	conn_put(member->conn);
	free(member);
}

void scrub_member_scan(struct pg *pg, struct message *message)
{
	const struct nacre_rep_scrub *wire = &message->host.rep_scrub;
	struct member_scan *member = mem_zero(1, sizeof(*member));

	member->conn = conn_get(message->conn);
	member->tid = wire->tid;
	member->interval = pg->interval;
	member->scan.pg = pg;
	member->scan.key = (struct osd_object_key){ wire->ino, wire->index, wire->snap, pg->key.pool, pg->key.pg };
	member->scan.deep = wire->what == NACRE_REP_SCRUB_DEEP;
	member->scan.done = scanned;
	member->scan.owner = member;
	if (++pg->osd->scrub->member_scans <= MEMBER_SCANS_MAX) {
		osd_object_scan_start(&member->scan);
		return;
	}
	member->scan.unstable = true;
	scanned(&member->scan);
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static uint32_t body(struct osd_exec *exec)
{
	const struct member_job *job = exec->owner;
	const struct nacre_rep_scrub *wire = &job->message->host.rep_scrub;

	if (wire->what == NACRE_REP_SCRUB_READ)
		return osd_repair_read(exec, wire->version, wire->version_interval, wire->offset, wire->length);
	return osd_repair_view(exec, wire->version, wire->version_interval, wire->offset, wire->length,
			       job->message->data);
}

static void executed(struct member_job *job)
{
	const struct nacre_rep_scrub *wire = &job->message->host.rep_scrub;
	struct osd_exec *exec = &job->exec;
	struct nacre_rep_scrubbed answer = {
		.pool = wire->pool,
		.pg = wire->pg,
		.interval = wire->interval,
		.tid = wire->tid,
		.version = wire->version,
		.version_interval = wire->version_interval,
		.result = exec->result,
	};
	struct iovec iov = { exec->read_data.at, exec->read_data.length };
	struct payload payload = { &iov, 1, (uint32_t)exec->read_data.length, NULL, NULL };
	struct osd_txn *txn;

	if (!member_job_valid(job))
		return;
	if (!exec->result && wire->what == NACRE_REP_SCRUB_REPAIR) {
		txn = osd_exec_commit(exec, wire->version, wire->version_interval);
		txn->bulk = true;
		osd_store_submit(job->pg->osd->store, txn);
		job->pg->osd->stats.scrub_repaired += wire->length / OSD_BLOCK_BYTES;
	}
	conn_send(job->message->conn, NACRE_MSG_REP_SCRUBBED, &answer,
		  !exec->result && wire->what == NACRE_REP_SCRUB_READ ? &payload : NULL);
}

bool scrub_member_begin(struct member_job *job)
{
	const struct nacre_rep_scrub *wire = &job->message->host.rep_scrub;
	struct pg *pg = job->pg;

	if (pg->state != PG_REPLICA || !pg->mode)
		return false;
	job->request = (struct nacre_osd_request){
		.ino = wire->ino,
		.index = wire->index,
		.snap = wire->snap,
		.pool = pg->key.pool,
		.pg = pg->key.pg,
	};
	job->exec.body = body;
	job->executed = executed;
	return true;
}
