// SPDX-License-Identifier: GPL-2.0
/*
 * A member that was away takes objects from the primary: lists what it has, stores
 * what it is sent, and at the end the log that belongs to it. Until then its own log
 * stays as it was: should this be cut short, the next attempt begins from there
 * and comes by every object that was touched.
 */
#include <errno.h>
#include "member_job.h"
#include "object_list.h"
#include "protocol/rules/extents.h"

/* ---- lists ---------------------------------------------------------------------------------- */

struct listing {
	struct osd_list list;
	struct pg *pg;
	struct conn *conn;		/* counted */
	uint64_t interval;
};

static void listed(struct osd_list *list)
{
	struct listing *listing = list->owner;
	struct pg *pg = listing->pg;
	struct nacre_rep_listed answer = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = listing->interval,
		.result = list->result ? EIO : 0,
		.flags = list->pairs.more ? NACRE_REP_LIST_MORE : 0,
	};
	struct nacre_rep_listed_object object;
	struct mem_bytes objects = { 0 };
	struct kv_pair pair;
	size_t at = 0;

	while (!answer.result && kv_pairs_next(&list->pairs, &at, &pair)) {
		if (object_list_take(&pair, &object))
			answer.result = NACRE_E_DAMAGED;
		else
			osd_disk_append(&objects, nacre_rep_listed_object_desc(), &object);
	}
	answer.objects = objects.at;
	answer.objects_bytes = (uint32_t)objects.length;
	conn_send(listing->conn, NACRE_MSG_REP_LISTED, &answer, NULL);
	mem_bytes_free(&objects);
	mem_bytes_free(&list->pairs.bytes);
	conn_put(listing->conn);
	free(listing);
}

void member_list(struct pg *pg, struct message *message)
{
	const struct nacre_rep_list *wire = &message->host.rep_list;
	struct nacre_rep_listed_object after = { wire->ino, wire->index, wire->snap, 0, 0 };
	struct listing *listing = mem_zero(1, sizeof(*listing));

	listing->pg = pg;
	listing->conn = conn_get(message->conn);
	listing->interval = pg->interval;
	object_list_range(&listing->list, pg, wire->flags & NACRE_REP_LIST_FIRST ? NULL : &after);
	listing->list.count_max = wire->count < NACRE_REP_LIST_MAX ? wire->count : NACRE_REP_LIST_MAX;
	listing->list.bytes_max = 16u << 20;
	listing->list.done = listed;
	listing->list.owner = listing;
	osd_store_list(pg->osd->store, &listing->list);
}

/* ---- objects ----------------------------------------------------------------------------------- */

static void set_attributes(struct osd_exec *exec, const struct nacre_rep_object *wire)
{
	struct nacre_reader r = nacre_reader(wire->attributes, wire->attributes_bytes);
	struct nacre_key_value pair;

	while (!nacre_decode(nacre_key_value_desc(), &r, &pair))
		osd_attr_set(&exec->view.onode, pair.key, pair.key_bytes, pair.value,
			     pair.value_bytes);
}

static void set_keys(struct osd_exec *exec, const struct nacre_rep_object *wire)
{
	struct nacre_reader r = nacre_reader(wire->keys, wire->keys_bytes);
	struct nacre_key_value pair;

	while (!nacre_decode(nacre_key_value_desc(), &r, &pair))
		osd_view_key_set(exec, pair.key, pair.key_bytes, pair.value, pair.value_bytes);
}

/* Room for blocks that were never written. */
static uint32_t set_room(struct osd_exec *exec, const struct message *message)
{
	int i, count = nacre_array_count(nacre_osd_extent_desc(), message->data_bytes);
	struct nacre_osd_extent extent;
	uint32_t err = 0;

	for (i = 0; !err && i < count; i++) {
		if (nacre_array_at(nacre_osd_extent_desc(), message->data, (uint32_t)i, &extent) ||
		    extent.extent_flags != NACRE_OSD_EXTENT_UNWRITTEN || !extent.length ||
		    !nacre_range_within(extent.offset, extent.length, NACRE_OBJECT_MAX))
			return EBADMSG;
		err = osd_view_allocate(exec, extent.offset, extent.length, NACRE_OSD_OPF_KEEP);
	}
	return err;
}

/* What one part changes. */
static uint32_t object_body(struct osd_exec *exec)
{
	struct member_job *job = exec->owner;
	const struct nacre_rep_object *wire = &job->message->host.rep_object;
	struct osd_onode *onode = &exec->view.onode;
	uint32_t err = 0;

	if ((wire->flags & NACRE_REP_OBJECT_FIRST) && exec->view.exists)
		err = osd_view_remove(exec);
	if (err || (wire->flags & NACRE_REP_OBJECT_ABSENT))
		return err;
	if (wire->flags & NACRE_REP_OBJECT_ROOM)
		err = set_room(exec, job->message);
	else
		err = osd_view_write(exec, wire->offset, job->message->data_bytes, job->message->data);
	if (err)
		return err;
	set_attributes(exec, wire);
	set_keys(exec, wire);
	if (wire->flags & NACRE_REP_OBJECT_LAST) {
		onode->size = wire->size;
		onode->mtime = wire->mtime;
		onode->truncate_size = wire->truncate_size;
		onode->truncate_seq = wire->truncate_seq;
	}
	return 0;
}

static void object_executed(struct member_job *job)
{
	const struct nacre_rep_object *wire = &job->message->host.rep_object;
	struct pg *pg = job->pg;
	struct nacre_rep_object_done done = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = job->interval,
		.part = wire->part,
		.result = job->exec.result,
	};
	bool last = wire->flags & NACRE_REP_OBJECT_LAST;
	struct osd_txn *txn;

	if (!member_job_valid(job))
		return;
	if (!job->exec.result) {
		/* Version 0 until all of it is there: it equals nobody's. */
		txn = osd_exec_commit(&job->exec, last ? wire->version : 0,
				      last ? wire->version_interval : 0);
		txn->bulk = true;
		osd_store_submit(pg->osd->store, txn);
		pg->osd->stats.objects_pulled += last;
	}
	done.bytes_free = osd_store_space(pg->osd->store).bytes_free;
	conn_send(job->message->conn, NACRE_MSG_REP_OBJECT_DONE, &done, NULL);
}

bool member_begin_object(struct member_job *job)
{
	const struct nacre_rep_object *wire = &job->message->host.rep_object;
	struct pg *pg = job->pg;

	if (pg->state != PG_RECOVERING || !pg->mode)
		return false;
	job->request = (struct nacre_osd_request){
		.ino = wire->ino,
		.index = wire->index,
		.snap = wire->snap,
		.pool = pg->key.pool,
		.pg = pg->key.pg,
	};
	job->exec.body = object_body;
	job->executed = object_executed;
	return true;
}

/* ---- the log -------------------------------------------------------------------------------------- */

#define LOG_TXN_BYTES (128u << 10)	/* of entries in one transaction */

static void log_durable(struct osd_txn *txn)
{
	struct pg *pg = txn->owner;

	pg->durable = txn->committed;	/* as long as the log that it brought */
	pg_member_durable(pg);
	pg_settle(pg);
}

/* The next few entries in one transaction. */
static void extend_log(struct pg *pg, struct osd_txn *txn, struct nacre_reader *r)
{
	const uint8_t *from = r->at;
	struct nacre_rep_entry entry;

	while (nacre_reader_left(r) && (size_t)(r->at - from) < LOG_TXN_BYTES) {
		if (nacre_decode(nacre_rep_entry_desc(), r, &entry))
			return;		/* cannot be: the message was validated */
		pg_extend_log(pg, txn, &entry);
	}
}

/*
 * In several transactions, oldest entries first. After a crash between them the log is
 * too short for the objects, which is harmless: it names a point that the
 * objects have passed, and all of what comes after it is sent again.
 */
static void replace_log(struct pg *pg, uint64_t last)
{
	struct nacre_reader r = nacre_reader(pg->log_parts.at, pg->log_parts.length);
	struct osd_txn *txn = osd_txn_new();

	pg_clear_log(pg, txn);
	for (;;) {
		extend_log(pg, txn, &r);
		txn->bulk = true;
		if (!nacre_reader_left(&r))
			break;
		osd_store_submit(pg->osd->store, txn);
		txn = osd_txn_new();
	}
	pg->last = pg->committed = last;
	txn->committed = last;
	txn->durable = log_durable;
	txn->owner = pg;
	osd_store_submit(pg->osd->store, txn);
}

void member_take_log(struct member_job *job)
{
	const struct nacre_rep_log *wire = &job->message->host.rep_log;
	struct pg *pg = job->pg;

	if (pg->state != PG_RECOVERING)
		return;
	if (wire->flags & NACRE_REP_LOG_FIRST)
		pg->log_parts.length = 0;
	mem_append_bytes(&pg->log_parts, wire->entries, wire->entries_bytes);
	if (!(wire->flags & NACRE_REP_LOG_LAST))
		return;
	replace_log(pg, wire->last);
	mem_bytes_free(&pg->log_parts);
}
