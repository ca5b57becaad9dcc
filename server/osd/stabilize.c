// SPDX-License-Identifier: GPL-2.0
/*
 * Making unstable ranges the same on all members. See stabilize.h.
 */
#include <errno.h>
#include "exec.h"
#include "recover.h"
#include "server/base/mutate.h"
#include "stabilize.h"

#define INSTANCE UINT64_MAX		/* the requester of these writes: no session has it */

/* One range, being written. */
struct pg_stabilizing {
	TAILQ_ENTRY(pg_stabilizing) link;	/* of the group, until it is committed */
	struct pg *pg;
	uint64_t interval;
	struct osd_object_key key;
	uint32_t offset, length;
	struct object_hold hold;
	struct mem_bytes data, ops;
	struct nacre_osd_request request;
	struct osd_exec exec;
};

/* ---- which ranges ------------------------------------------------------------------------ */

static void add(struct pg *pg, const struct osd_object_key *object, uint32_t offset, uint32_t length)
{
	struct pg_unstable *unstable = mem_zero(1, sizeof(*unstable)), *same;

	unstable->id.object = *object;
	unstable->id.offset = offset;
	unstable->id.length = length;
	HASH_FIND(hh, pg->unstable, &unstable->id, sizeof(unstable->id), same);
	if (same)
		free(unstable);
	else
		HASH_ADD(hh, pg->unstable, id, sizeof(unstable->id), unstable);
}

void pg_unstable_told(struct pg *pg, struct pg_member *member, const struct nacre_rep_unstable *wire)
{
	int i, count = nacre_array_count(nacre_rep_range_desc(), wire->ranges_bytes);
	struct osd_object_key key = { .pool = pg->key.pool, .pg = pg->key.pg };
	struct nacre_rep_range range;

	for (i = 0; i < count; i++) {
		nacre_array_at(nacre_rep_range_desc(), wire->ranges, (uint32_t)i, &range);
		key.ino = range.ino;
		key.index = range.index;
		key.snap = range.snap;
		if (member->recovery)
			recovery_add(member->recovery, &key);
		else if (pg->state == PG_RECONCILING)
			add(pg, &key, range.offset, range.length);
	}
}

/* Call `each` for the ranges of the group that our store does not know. */
static void own_ranges(struct pg *pg, void (*each)(void *context, const struct osd_object_key *object,
						   uint32_t offset, uint32_t length), void *context)
{
	struct osd_unstable *unstable;
	uint32_t first, count;

	TAILQ_FOREACH(unstable, &pg->osd->store->intents.unstable, link) {
		if (unstable->object.pool != pg->key.pool || unstable->object.pg != pg->key.pg)
			continue;
		for (first = 0; osd_unstable_run(unstable, &first, &count); first += count)
			each(context, &unstable->object, first * OSD_BLOCK_BYTES, count * OSD_BLOCK_BYTES);
	}
}

struct telling {
	struct pg *pg;
	struct conn *conn;
	struct mem_bytes ranges;
};

static void tell_now(struct telling *telling)
{
	struct nacre_rep_unstable wire = {
		.pool = telling->pg->key.pool,
		.pg = telling->pg->key.pg,
		.interval = telling->pg->interval,
		.ranges = telling->ranges.at,
		.ranges_bytes = (uint32_t)telling->ranges.length,
	};

	if (telling->ranges.length)
		conn_send(telling->conn, NACRE_MSG_REP_UNSTABLE, &wire, NULL);
	telling->ranges.length = 0;
}

static void tell_one(void *context, const struct osd_object_key *object, uint32_t offset, uint32_t length)
{
	struct nacre_rep_range range = { object->ino, object->index, object->snap, offset, length };
	struct telling *telling = context;

	osd_disk_append(&telling->ranges, nacre_rep_range_desc(), &range);
	if (telling->ranges.length == NACRE_REP_LIST_MAX * sizeof(struct nacre_rep_range_wire))
		tell_now(telling);
}

void pg_unstable_tell(struct pg *pg, struct conn *conn)
{
	struct telling telling = { .pg = pg, .conn = conn };

	if (mutate(MUTATE_OSD_UNSTABLE_UNTOLD))
		return;
	own_ranges(pg, tell_one, &telling);
	tell_now(&telling);
	mem_bytes_free(&telling.ranges);
}

/* ---- writing one ------------------------------------------------------------------------------ */

static void job_free(struct pg_stabilizing *job)
{
	TAILQ_REMOVE(&job->pg->stabilizing, job, link);
	object_hold_leave(&job->hold);
	osd_exec_end(&job->exec);
	mem_bytes_free(&job->data);
	mem_bytes_free(&job->ops);
	free(job);
}

void pg_stabilized(struct pg_stabilizing *job)
{
	job_free(job);
}

/*
 * Before the operations run: what stands here becomes what they write. The object may have been cut or deleted by what
 * reconciling has brought; behind its size there are zeros, which a write that never was may have overwritten.
 */
static uint32_t fill(struct osd_exec *exec)
{
	struct pg_stabilizing *job = exec->owner;
	const struct osd_onode *onode = &exec->view.onode;
	struct nacre_osd_op write = { .code = NACRE_OSD_OP_WRITE, .offset = job->offset, .length = job->length };
	struct nacre_osd_op zero = { .code = NACRE_OSD_OP_ZERO, .offset = onode->size };
	uint32_t err;

	if (!exec->view.exists || job->offset >= onode->size)
		return ENOENT;
	if (onode->size - job->offset < write.length) {
		write.length = onode->size - job->offset;
		zero.length = OSD_BLOCK_BYTES - (onode->size - 1) % OSD_BLOCK_BYTES - 1;
	}
	mem_bytes_free(&job->data);
	mem_append(&job->data, write.length);
	err = osd_view_read(exec, write.offset, write.length, job->data.at);
	exec->data = job->data.at;
	job->ops.length = 0;
	osd_disk_append(&job->ops, nacre_osd_op_desc(), &write);
	if (zero.length)
		osd_disk_append(&job->ops, nacre_osd_op_desc(), &zero);
	job->request.ops = job->ops.at;
	job->request.ops_bytes = (uint32_t)job->ops.length;
	return err;
}

static bool is_valid(const struct pg_stabilizing *job)
{
	const struct pg *pg = job->pg;

	return job->interval == pg->interval && (pg->state == PG_ACTIVE || pg->state == PG_STARVED);
}

static void executed(struct pg_stabilizing *job)
{
	struct pg *pg = job->pg;
	struct nacre_rep_entry entry = {
		.number = pg->last + 1, .interval = pg->interval, .instance = INSTANCE, .tid = pg->last + 1,
		.ino = job->key.ino, .index = job->key.index, .snap = job->key.snap, .op_count = 1,
	};

	pg->executing--;
	pg->executing_writes--;
	if (job->exec.result && job->exec.result != ENOENT)
		log_error(pg->osd->log, "pg", "%u.%u: object %llx.%llx, torn by a crash, cannot be made the same everywhere: result %u",
			  pg->key.pool, pg->key.pg, (unsigned long long)job->key.ino,
			  (unsigned long long)job->key.index, job->exec.result);
	if (!is_valid(job) || job->exec.result) {
		job_free(job);
	} else {
		job->request.tid = entry.tid;
		pg->osd->stats.stabilized++;
		pg_write(pg, &job->exec, &entry, NULL, job);
		object_hold_changed(&job->hold, HOLD_COMMITTING);
		pg_advance(pg);
	}
	pg_settle(pg);
}

static void exec_done(struct osd_exec *exec)
{
	executed(exec->owner);
}

static bool granted(struct object_hold *hold)
{
	struct pg_stabilizing *job = hold->owner;
	struct osd_exec *exec = &job->exec;
	struct pg *pg = job->pg;

	if (!is_valid(job)) {
		job_free(job);
		return true;
	}
	if (pg->hold || osd_store_is_full(pg->osd->store))
		return false;
	object_hold_changed(hold, HOLD_RUNNING);
	job->request = (struct nacre_osd_request){
		.tid = 1, .instance = INSTANCE, .map_epoch = pg->interval, .pool = job->key.pool, .pg = job->key.pg,
		.ino = job->key.ino, .index = job->key.index, .snap = job->key.snap,
	};
	pg_exec_init(pg, exec, &job->request);
	exec->resolved = true;
	exec->body = fill;
	exec->done = exec_done;
	exec->owner = job;
	pg->executing++;
	pg->executing_writes++;
	if (osd_exec_start(exec))
		executed(job);
	return true;
}

/* ---- all of them ---------------------------------------------------------------------------------- */

static void line_up(struct pg *pg, const struct pg_unstable *unstable)
{
	struct pg_stabilizing *job = mem_zero(1, sizeof(*job));

	job->pg = pg;
	job->interval = pg->interval;
	job->key = unstable->id.object;
	job->offset = unstable->id.offset;
	job->length = unstable->id.length;
	job->hold.granted = granted;
	job->hold.owner = job;
	TAILQ_INSERT_TAIL(&pg->stabilizing, job, link);
	object_hold_enter(&pg->osd->queues, &job->key, &job->hold, HOLD_WRITE);
}

static void forget_ranges(struct pg *pg)
{
	struct pg_unstable *unstable, *next;

	HASH_ITER(hh, pg->unstable, unstable, next) {
		HASH_DELETE(hh, pg->unstable, unstable);
		free(unstable);
	}
}

static void add_own(void *context, const struct osd_object_key *object, uint32_t offset, uint32_t length)
{
	add(context, object, offset, length);
}

void pg_stabilize(struct pg *pg)
{
	struct pg_unstable *unstable;

	own_ranges(pg, add_own, pg);
	for (unstable = pg->unstable; unstable; unstable = unstable->hh.next)
		if (pg->mode && !mutate(MUTATE_OSD_UNSTABLE_UNHEEDED))
			line_up(pg, unstable);
	forget_ranges(pg);
}

void pg_stabilize_reset(struct pg *pg)
{
	struct pg_stabilizing *job, *next;

	forget_ranges(pg);
	for (job = TAILQ_FIRST(&pg->stabilizing); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->hold.state == HOLD_WAITING)
			job_free(job);
	}
}
