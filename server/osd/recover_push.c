// SPDX-License-Identifier: GPL-2.0
/*
 * Sending one object to a member that is being caught up: attributes, then the
 * blocks that are there (written ones with their bytes, of unwritten ones only where they are), then the keys, then the word that this was all of it. The
 * object is held as by a reader, so it is read at one committed version.
 */
#include <errno.h>
#include "recover.h"
#include "scrub.h"
#include "server/base/mutate.h"

#define PARTS_MAX 8u			/* sent and not yet stored */
#define KEYS_BYTES (128u << 10)
#define KEYS_COUNT 4096u
#define WRITTEN (1u << OSD_BLOCK_WRITTEN)
#define UNWRITTEN (1u << OSD_BLOCK_UNWRITTEN)

enum push_step {
	PUSH_HEAD,
	PUSH_DATA,
	PUSH_KEYS,
	PUSH_END,
};

struct recovery_push {
	struct pg_recovery *recovery;	/* NULL: it has ended, only the execution is awaited */
	struct pg *pg;
	struct osd_object_key key;
	struct object_hold hold;
	enum push_step step;
	bool executing;
	struct osd_object *object;	/* pinned once it is held */
	uint32_t chunk;			/* DATA: being read */
	uint32_t block;			/* DATA: next block of the chunk to send */
	bool chunk_read;
	bool room_sent;			/* DATA: of its unwritten blocks */
	struct mem_bytes data;		/* DATA: bytes of the chunk */
	struct mem_bytes keys;		/* KEYS: a page of pairs */
	struct mem_bytes last_key;
	bool keys_more;
	struct mem_bytes op;		/* the operation being executed, encoded */
	struct nacre_osd_request request;
	struct osd_exec exec;
};

static void turn(struct recovery_push *push);

static void push_free(struct recovery_push *push)
{
	object_hold_leave(&push->hold);
	if (push->object)
		osd_object_unpin(&push->pg->osd->store->objects, push->object);
	mem_bytes_free(&push->data);
	mem_bytes_free(&push->keys);
	mem_bytes_free(&push->last_key);
	mem_bytes_free(&push->op);
	free(push);
}

void recovery_push_end(struct pg_recovery *recovery)
{
	struct recovery_push *push = recovery->push;

	if (!push)
		return;
	recovery->push = NULL;
	push->recovery = NULL;
	if (!push->executing)
		push_free(push);
}

/* ---- reading it -------------------------------------------------------------------------------- */

/* Take what was read. False: that was the end of the recovery, or of the push. */
static bool read_done(struct recovery_push *push)
{
	struct osd_exec *exec = &push->exec;
	struct pg_recovery *recovery = push->recovery;
	struct osd_object_key key = push->key;
	struct pg *pg = push->pg;
	uint32_t result = exec->result;

	push->executing = false;
	pg->executing--;
	if (push->step == PUSH_DATA) {
		mem_bytes_free(&push->data);
		push->data = exec->read_data;
		memset(&exec->read_data, 0, sizeof(exec->read_data));
		push->chunk_read = true;
		push->room_sent = false;
		push->block = 0;
	} else if (push->step == PUSH_KEYS) {
		mem_bytes_free(&push->keys);
		push->keys = exec->output;
		memset(&exec->output, 0, sizeof(exec->output));
		push->keys_more = exec->results[0].result_flags & NACRE_OSD_RESULT_MORE;
	}
	osd_exec_end(exec);
	if (!recovery) {
		push_free(push);
		return false;
	}
	if (result) {
		log_error(pg->osd->log, "recover", "%u.%u: object %llx.%llx cannot be read: result %u",
			  pg->key.pool, pg->key.pg, (unsigned long long)push->key.ino,
			  (unsigned long long)push->key.index, result);
		if (result == NACRE_E_CHECKSUM)
			osd_scrub_repair(pg, &key);	/* before the next attempt */
		pg_recovery_end(pg, recovery->member, "an object cannot be read here");
		return false;
	}
	return true;
}

static void exec_done(struct osd_exec *exec)
{
	struct recovery_push *push = exec->owner;
	struct pg *pg = push->pg;

	if (read_done(push))
		turn(push);
	pg_settle(pg);
}

/* Which blocks of the chunk are there must be known, also where nothing is to be read. */
static uint32_t need_chunk(struct osd_exec *exec)
{
	const struct recovery_push *push = exec->owner;

	return osd_exec_need_chunk(exec, exec->view.object, push->chunk);
}

/* Execute one reading operation (or none: only the metadata). True: done at once. */
static bool read_begin(struct recovery_push *push, const struct nacre_osd_op *op)
{
	struct osd_exec *exec = &push->exec;
	struct pg *pg = push->pg;

	push->op.length = 0;
	if (op)
		osd_disk_append(&push->op, nacre_osd_op_desc(), op);
	push->request = (struct nacre_osd_request){
		.ino = push->key.ino,
		.index = push->key.index,
		.snap = push->key.snap,
		.pool = push->key.pool,
		.pg = push->key.pg,
		.ops = push->op.at,
		.ops_bytes = (uint32_t)push->op.length,
		.input = push->last_key.at,
		.input_bytes = op ? op->name_size : 0,
	};
	memset(exec, 0, sizeof(*exec));
	pg_exec_init(pg, exec, &push->request);
	exec->body = push->step == PUSH_DATA ? need_chunk : NULL;
	exec->done = exec_done;
	exec->owner = push;
	push->executing = true;
	pg->executing++;
	return osd_exec_start(exec);
}

/* ---- sending it ---------------------------------------------------------------------------------- */

/* False: it could not be sent, and the recovery has ended. */
static bool send_part(struct recovery_push *push, struct nacre_rep_object *wire, const uint8_t *data,
		      uint32_t data_bytes)
{
	struct pg_recovery *recovery = push->recovery;
	struct osd_onode *onode = &push->object->onode;
	struct iovec iov = { (void *)data, data_bytes };
	struct payload payload = { &iov, 1, data_bytes, NULL, NULL };
	struct pg *pg = push->pg;

	wire->pool = pg->key.pool;
	wire->pg = pg->key.pg;
	wire->interval = pg->interval;
	wire->part = ++recovery->part_sent;
	wire->ino = push->key.ino;
	wire->index = push->key.index;
	wire->snap = push->key.snap;
	wire->version = onode->version;
	wire->version_interval = onode->interval;
	wire->size = onode->size;
	wire->mtime = onode->mtime;
	wire->truncate_size = onode->truncate_size;
	wire->truncate_seq = onode->truncate_seq;
	if (osd_peer_send(pg->osd, recovery->member->osd, NACRE_MSG_REP_OBJECT, wire,
			  data_bytes ? &payload : NULL))
		return true;
	pg_recovery_end(pg, recovery->member, "an object cannot be sent");
	return false;
}

static bool send_head(struct recovery_push *push)
{
	const struct osd_onode *onode = &push->object->onode;
	struct nacre_rep_object wire = { .flags = NACRE_REP_OBJECT_FIRST };
	struct mem_bytes attributes = { 0 };
	struct nacre_key_value pair;
	bool sent;
	uint32_t i;

	if (!push->object->exists)
		wire.flags |= NACRE_REP_OBJECT_LAST | NACRE_REP_OBJECT_ABSENT;
	for (i = 0; i < onode->attr_count; i++) {
		pair = (struct nacre_key_value){
			.key = onode->attrs[i]->bytes,
			.key_bytes = onode->attrs[i]->name_bytes,
			.value = onode->attrs[i]->bytes + onode->attrs[i]->name_bytes,
			.value_bytes = onode->attrs[i]->value_bytes,
		};
		osd_disk_append(&attributes, nacre_key_value_desc(), &pair);
	}
	wire.attributes = attributes.at;
	wire.attributes_bytes = (uint32_t)attributes.length;
	sent = send_part(push, &wire, NULL, 0);
	mem_bytes_free(&attributes);
	return sent;
}

/* Does the member know of unwritten blocks? If not, it gets zeros. */
static bool knows_unwritten(const struct recovery_push *push)
{
	struct conn *conn = osd_peer_conn(push->pg->osd, push->recovery->member->osd);

	return conn && (conn_peer_features(conn) & NACRE_FEATURE_UNWRITTEN);
}

/* The next run of blocks in one of these states (1 << enum osd_block_state), from *first on. False: there is none. */
static bool next_run(const struct osd_chunk *chunk, uint32_t states, uint32_t *first, uint32_t *ret_end)
{
	uint32_t n = *first;

	while (n < OSD_CHUNK_BLOCKS && !(states >> osd_chunk_state(chunk, n) & 1))
		n++;
	*first = n;
	while (n < OSD_CHUNK_BLOCKS && states >> osd_chunk_state(chunk, n) & 1)
		n++;
	*ret_end = n;
	return *first < n;
}

/* The chunk's unwritten blocks, all in one part. False: it could not be sent, and the recovery has ended. */
static bool send_room(struct recovery_push *push)
{
	const struct osd_chunk *chunk = push->object->chunks[push->chunk];
	struct nacre_rep_object wire = { .flags = NACRE_REP_OBJECT_ROOM };
	struct mem_bytes extents = { 0 };
	struct nacre_osd_extent extent;
	uint32_t first, end;
	bool sent = true;

	push->room_sent = true;
	if (!chunk->unwritten || !knows_unwritten(push) || mutate(MUTATE_OSD_ROOM_UNSENT))
		return true;
	for (first = 0; next_run(chunk, UNWRITTEN, &first, &end); first = end) {
		extent = (struct nacre_osd_extent){
			.offset = (uint64_t)push->chunk * OSD_CHUNK_BYTES + (uint64_t)first * OSD_BLOCK_BYTES,
			.length = (end - first) * OSD_BLOCK_BYTES,
			.extent_flags = NACRE_OSD_EXTENT_UNWRITTEN,
		};
		osd_disk_append(&extents, nacre_osd_extent_desc(), &extent);
	}
	sent = send_part(push, &wire, extents.at, (uint32_t)extents.length);
	mem_bytes_free(&extents);
	return sent;
}

/* The next run of blocks whose bytes are sent. False: there is none. */
static bool next_data(struct recovery_push *push, uint32_t *ret_first, uint32_t *ret_end)
{
	uint32_t states = knows_unwritten(push) ? WRITTEN : WRITTEN | UNWRITTEN;

	if (!next_run(push->object->chunks[push->chunk], states, &push->block, ret_end))
		return false;
	*ret_first = push->block;
	push->block = *ret_end;
	return (uint64_t)*ret_first * OSD_BLOCK_BYTES < push->data.length;
}

/* False: something has to be awaited, or it has ended. */
static bool step_data(struct recovery_push *push)
{
	const struct osd_onode *onode = &push->object->onode;
	struct nacre_osd_op op = { .code = NACRE_OSD_OP_READ, .length = OSD_CHUNK_BYTES };
	struct nacre_rep_object wire = { 0 };
	uint64_t from, to;
	uint32_t first, end;

	if (push->chunk_read && !push->room_sent)
		return send_room(push);
	if (push->chunk_read && next_data(push, &first, &end)) {
		from = (uint64_t)first * OSD_BLOCK_BYTES;
		to = (uint64_t)end * OSD_BLOCK_BYTES;
		if (to > push->data.length)
			to = push->data.length;
		wire.offset = (uint64_t)push->chunk * OSD_CHUNK_BYTES + from;
		return send_part(push, &wire, push->data.at + from, (uint32_t)(to - from));
	}
	if (push->chunk_read)
		push->chunk++;
	push->chunk_read = false;
	while (push->chunk < OSD_CHUNKS_MAX && !osd_onode_has_chunk(onode, push->chunk))
		push->chunk++;
	if (push->chunk == OSD_CHUNKS_MAX) {
		push->step = PUSH_KEYS;
		push->keys_more = onode->kv_id;
		return true;
	}
	op.offset = (uint64_t)push->chunk * OSD_CHUNK_BYTES;
	return read_begin(push, &op) && read_done(push);
}

/* The key behind which the next page begins. */
static void remember_last_key(struct recovery_push *push)
{
	struct nacre_reader r = nacre_reader(push->keys.at, push->keys.length);
	struct nacre_key_value pair = { 0 };

	while (!nacre_decode(nacre_key_value_desc(), &r, &pair))
		;
	push->last_key.length = 0;
	mem_append_bytes(&push->last_key, pair.key, pair.key_bytes);
}

static bool step_keys(struct recovery_push *push)
{
	struct nacre_osd_op op = { .code = NACRE_OSD_OP_KV_LIST, .offset = KEYS_BYTES,
				   .length = KEYS_COUNT };
	struct nacre_rep_object wire = { 0 };

	if (push->keys.length) {
		wire.keys = push->keys.at;
		wire.keys_bytes = (uint32_t)push->keys.length;
		if (!send_part(push, &wire, NULL, 0))
			return false;
		remember_last_key(push);
		push->keys.length = 0;
		return true;
	}
	if (!push->keys_more) {
		push->step = PUSH_END;
		return true;
	}
	op.name_size = (uint32_t)push->last_key.length;
	return read_begin(push, &op) && read_done(push);
}

static void finish(struct recovery_push *push)
{
	struct pg_recovery *recovery = push->recovery;

	recovery->pushed++;
	recovery->pg->osd->stats.objects_pushed++;
	recovery_push_end(recovery);
	pg_recovery_advance(recovery->pg, recovery->member);
}

static void step_end(struct recovery_push *push)
{
	struct nacre_rep_object wire = { .flags = NACRE_REP_OBJECT_LAST };

	if (send_part(push, &wire, NULL, 0))
		finish(push);
}

/* Go on until something has to be awaited, or the end. */
static void turn(struct recovery_push *push)
{
	struct pg_recovery *recovery = push->recovery;

	while (recovery->part_sent - recovery->part_done < PARTS_MAX) {
		switch (push->step) {
		case PUSH_HEAD:
			if (!send_head(push))
				return;
			if (!push->object->exists) {
				finish(push);
				return;
			}
			push->step = PUSH_DATA;
			break;
		case PUSH_DATA:
			if (!step_data(push))
				return;
			break;
		case PUSH_KEYS:
			if (!step_keys(push))
				return;
			break;
		case PUSH_END:
			step_end(push);
			return;
		}
	}
}

void recovery_push_go_on(struct pg_recovery *recovery)
{
	struct recovery_push *push = recovery->push;

	if (push->object && !push->executing)
		turn(push);
}

/* Nobody changes it now: what is read from here on is what the member shall have. */
static bool granted(struct object_hold *hold)
{
	struct recovery_push *push = hold->owner;
	struct pg_recovery *recovery = push->recovery;
	struct missing *missing;

	object_hold_changed(hold, HOLD_RUNNING);
	HASH_FIND(hh, recovery->missing, &push->key, sizeof(push->key), missing);
	if (missing) {
		HASH_DELETE(hh, recovery->missing, missing);
		TAILQ_REMOVE(&recovery->order, missing, link);
		recovery->missing_count--;
		free(missing);
	}
	push->object = osd_object_pin(&push->pg->osd->store->objects, &push->key);
	if (read_begin(push, NULL) && read_done(push))
		turn(push);
	return true;
}

void recovery_push_start(struct pg_recovery *recovery)
{
	struct recovery_push *push = mem_zero(1, sizeof(*push));

	push->recovery = recovery;
	push->pg = recovery->pg;
	push->key = TAILQ_FIRST(&recovery->order)->key;
	push->hold.granted = granted;
	push->hold.owner = push;
	recovery->push = push;
	/* Writers may be waiting for this very recovery to end: before them. */
	object_hold_enter(&recovery->pg->osd->queues, &push->key, &push->hold, HOLD_READ_FIRST);
}
