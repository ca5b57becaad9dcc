// SPDX-License-Identifier: GPL-2.0
/*
 * Running compound requests: from the first operation to the last, again whenever
 * something had to be loaded, and then the commit. See exec.h.
 */
#include <assert.h>
#include <errno.h>
#include "exec.h"
#include "server/base/crc.h"

/* ---- one run -------------------------------------------------------------------------------- */

static void reset(struct osd_exec *exec)
{
	exec->result = 0;
	exec->failed_op = 0;
	exec->result_count = 0;
	exec->taken_mask = 0;
	exec->output.length = 0;
	exec->read_data.length = 0;
	exec->load_error = 0;
	memset(exec->results, 0, sizeof(exec->results));
}

bool osd_exec_output(struct osd_exec *exec, struct osd_op *op, const void *bytes, size_t length)
{
	if (exec->output.length + length > OSD_OUTPUT_MAX)
		return false;
	mem_append_bytes(&exec->output, bytes, length);
	op->result->output_size += (uint32_t)length;
	return true;
}

/*
 * SIZE-3: a request that knows of a newer truncation than the object has seen
 * brings it along; the truncation's own operation, when it comes, finds it done.
 */
static uint32_t catch_truncation(struct osd_exec *exec)
{
	const struct nacre_osd_request *request = exec->request;
	struct osd_onode *onode = &exec->view.onode;
	uint64_t limit;
	uint32_t err;

	if (!exec->writes || !exec->view.exists || request->snap != NACRE_SNAP_HEAD ||
	    request->truncate_seq <= onode->truncate_seq)
		return 0;
	limit = osd_view_limit(exec, request->truncate_size);
	err = osd_view_cut(exec, limit);
	if (err)
		return err;
	onode->truncate_seq = request->truncate_seq;
	onode->truncate_size = request->truncate_size;
	exec->view.changed = true;
	return 0;
}

/* A snapshot is made and removed; what members are told to do with it was judged by their primary, and is more: stabilize.h. */
static bool is_read_only(const struct osd_exec *exec, uint16_t code)
{
	return !exec->resolved && exec->request->snap != NACRE_SNAP_HEAD && nacre_osd_op_writes(code) &&
	       code != NACRE_OSD_OP_CLONE && code != NACRE_OSD_OP_DELETE;
}

static uint32_t run_step(struct osd_exec *exec, const struct nacre_osd_step *step, uint32_t index,
			 uint32_t *skip)
{
	struct osd_op op = {
		.wire = &step->op,
		.name = step->name,
		.value = step->value,
		.data = exec->data + step->data_offset,
		.result = &exec->results[index],
	};
	osd_op_run run = osd_op_find(step->op.code);
	uint32_t err;

	if (*skip) {
		--*skip;
		op.result->result_flags = NACRE_OSD_RESULT_SKIPPED;
		return 0;
	}
	err = !run ? NACRE_E_UNSUPPORTED : is_read_only(exec, step->op.code) ? EROFS : run(exec, &op);
	if (err == OSD_MISS)
		return err;
	op.result->result = err;
	*skip = op.skip;
	if (nacre_osd_op_writes(step->op.code))
		exec->taken_mask |= 1ull << index;
	return err;
}

/*
 * Blocks that have to stay free. Nobody may stand in the way of what comes below him:
 *
 *	file data		all of the reserve
 *	  promised already	half: a primary has judged it by what its members last said; or a member that was away is sent it
 *	metadata		a quarter: on a store that is full of file data something can be deleted
 *	  promised already	nothing
 */
static uint64_t blocks_to_leave(const struct osd_exec *exec)
{
	uint64_t reserve = exec->store->alloc.reserve;

	if (exec->request->pool == NACRE_POOL_META)
		return exec->resolved ? 0 : reserve / 4;
	return exec->resolved ? reserve / 2 : reserve;
}

/* Can what the view holds become a transaction? Gives its blocks their places. */
static uint32_t place(struct osd_exec *exec)
{
	struct osd_view *view = &exec->view;
	uint64_t packed = exec->request->input_bytes * 4ull + osd_attrs_bytes(&view->onode) + 65536;
	struct osd_view_count count = osd_view_count(view);
	int err;

	packed += count.chunks * 2048ull + (count.images + count.homeless) * 16ull + osd_shares_bytes(view);
	if (!osd_journal_fits(&exec->store->journal, packed, count.images))
		return EFBIG;
	err = exec->mode->place(exec->store, view, view->txn, blocks_to_leave(exec));
	if (!err)
		osd_shares_settle(view);
	exec->placed = !err;
	exec->wants_space = err == -EAGAIN;
	return exec->wants_space ? OSD_MISS : (uint32_t)-err;
}

/* Run everything from the start. False: something is missing. */
static bool run(struct osd_exec *exec)
{
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;
	uint32_t err, index = 0, skip = 0;

	reset(exec);
	err = osd_exec_need_object(exec, exec->view.object);
	if (!err) {
		osd_view_begin(&exec->view, exec->view.object);
		exec->view.direct_blocks = exec->direct_blocks;
		exec->version = exec->view.exists ? exec->view.onode.version : 0;
		err = catch_truncation(exec);
	}
	if (!err && exec->body)
		err = exec->body(exec);
	nacre_osd_cursor(&cursor, exec->request);
	while (!err && nacre_osd_next(&cursor, &step)) {
		err = run_step(exec, &step, index, &skip);
		exec->failed_op = err ? index : 0;
		exec->result_count = ++index;
	}
	if (exec->load_error)
		err = exec->load_error;
	if (!err && exec->writes)
		err = osd_shares_gather(exec);
	if (!err && exec->writes) {
		err = place(exec);
		exec->failed_op = err && index ? index - 1 : 0;
	}
	if (err == OSD_MISS) {
		osd_view_end(&exec->view);
		return false;
	}
	exec->result = err;
	return true;
}

static void space_changed(struct osd_space_wait *wait, int result)
{
	struct osd_exec *exec = (struct osd_exec *)((char *)wait - offsetof(struct osd_exec, space_wait));

	exec->load_error = (uint32_t)-result;
	osd_exec_loaded(exec);
}

/* Run until it is done or loads are under way. */
static bool turn(struct osd_exec *exec)
{
	exec->running = true;
	if (run(exec)) {
		exec->running = false;
	} else if (exec->wants_space) {
		exec->wants_space = false;
		exec->space_wait.wake = space_changed;
		osd_store_wait_space(exec->store, &exec->space_wait);
	} else {
		osd_exec_load(exec);
	}
	return !exec->running;
}

void osd_exec_loaded(struct osd_exec *exec)
{
	if (exec->load_error) {		/* a device or a key-value store that gives nothing */
		uint32_t error = exec->load_error;

		reset(exec);
		exec->result = error;
		exec->running = false;
	}
	if (!exec->running || turn(exec))
		exec->done(exec);
}

bool osd_exec_start(struct osd_exec *exec)
{
	const struct nacre_osd_request *request = exec->request;
	struct osd_object_key key = {
		.ino = request->ino,
		.index = request->index,
		.snap = request->snap,
		.pool = request->pool,
		.pg = exec->pg,
	};

	exec->writes = exec->resolved || nacre_osd_request_writes(request);
	exec->view.object = osd_object_pin(&exec->store->objects, &key);
	return turn(exec);
}

/* ---- the end ------------------------------------------------------------------------------------ */

/* Blocks that were taken and are not needed: the transaction never came to be. */
static void give_back(struct osd_exec *exec)
{
	struct osd_txn *txn = exec->view.txn;
	uint32_t i;

	for (i = 0; i < txn->space_count; i++)
		if (txn->space[i].taken)
			osd_alloc_give(&exec->store->alloc, txn->space[i].block, txn->space[i].count);
}

void osd_exec_end(struct osd_exec *exec)
{
	struct osd_object *object = exec->view.object;

	assert(!exec->loading);
	if (exec->placed && exec->view.txn)
		give_back(exec);
	osd_view_end(&exec->view);
	if (object)
		osd_object_unpin(&exec->store->objects, object);
	exec->view.object = NULL;
	osd_exec_loads_free(exec);
	mem_bytes_free(&exec->output);
	mem_bytes_free(&exec->read_data);
}

/* Written blocks that become unwritten in their places: until that is safe, their bytes are the object's. */
static void rest_zeroed(struct osd_exec *exec, const struct osd_chunk *old, const struct osd_chunk *map)
{
	uint32_t i;

	for (i = 0; i < OSD_CHUNK_BLOCKS; i++)
		if (old->block[i] == map->block[i] && osd_chunk_state(old, i) == OSD_BLOCK_WRITTEN &&
		    osd_chunk_state(map, i) == OSD_BLOCK_UNWRITTEN)
			osd_txn_rest(exec->view.txn, map->block[i]);
}

static void commit_chunk(struct osd_exec *exec, uint32_t chunk, uint64_t object_id)
{
	struct osd_view *view = &exec->view;
	struct osd_object *object = view->object;
	struct osd_view_chunk *own = view->chunks[chunk];
	bool had = object->exists && osd_onode_has_chunk(&object->onode, chunk);
	bool has = !osd_chunk_is_empty(&own->map);
	struct mem_bytes value = { 0 };
	struct osd_key key;

	osd_key_chunk(&key, object_id, chunk);
	if (has) {
		osd_chunk_encode(&own->map, &value);
		osd_txn_put(view->txn, &key, value.at, value.length);
		mem_bytes_free(&value);
	} else if (had) {
		osd_txn_delete(view->txn, &key);
	}
	if (object->exists && object->chunks[chunk])
		rest_zeroed(exec, object->chunks[chunk], &own->map);
	osd_onode_set_chunk(&view->onode, chunk, has);
	if (has && !object->chunks[chunk])
		object->chunks[chunk] = osd_chunk_new();
	if (has) {
		*object->chunks[chunk] = own->map;
	} else {
		free(object->chunks[chunk]);
		object->chunks[chunk] = NULL;
	}
}

static void commit_metadata(struct osd_exec *exec, uint64_t number, uint64_t interval)
{
	struct osd_view *view = &exec->view;
	struct osd_object *object = view->object;
	struct nacre_oid oid = { object->key.ino, object->key.index, object->key.snap,
				 object->key.pool };
	uint64_t object_id = object->exists ? object->onode.object_id :
			     view->exists   ? osd_store_new_id(exec->store) : 0;
	struct mem_bytes value = { 0 };
	struct osd_key key;
	uint32_t c;

	for (c = 0; c < OSD_CHUNKS_MAX; c++)
		if (view->chunks[c])
			commit_chunk(exec, c, object_id);
	osd_key_object(&key, object->key.pg, &oid);
	view->txn->objects_more = view->exists && !object->exists;
	view->txn->objects_less = !view->exists && object->exists;
	if (view->exists) {
		view->onode.object_id = object_id;
		view->onode.version = number;
		view->onode.interval = interval;
		if (exec->request->mtime)
			view->onode.mtime = exec->request->mtime;
		osd_onode_encode(&view->onode, &value);
		osd_txn_put(view->txn, &key, value.at, value.length);
		mem_bytes_free(&value);
	} else if (object->exists) {
		osd_txn_delete(view->txn, &key);
	}
	osd_onode_free(&object->onode);
	object->onode = view->onode;
	memset(&view->onode, 0, sizeof(view->onode));
	object->exists = view->exists;
	osd_object_account(&exec->store->objects, object);
}

static uint64_t bytes_asked(const struct osd_exec *exec)
{
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;
	uint64_t bytes = 0;

	nacre_osd_cursor(&cursor, exec->request);
	while (nacre_osd_next(&cursor, &step))
		if (exec->taken_mask >> (cursor.index - 1) & 1)
			bytes += step.op.code == NACRE_OSD_OP_WRITE ||
				 step.op.code == NACRE_OSD_OP_WRITE_FULL ?
				 step.op.length : step.op.name_size + step.op.value_size;
	return bytes;
}

struct osd_txn *osd_exec_commit(struct osd_exec *exec, uint64_t number, uint64_t interval)
{
	struct osd_view *view = &exec->view;
	struct osd_txn *txn = view->txn;
	struct osd_change *change;

	assert(!exec->result && exec->writes && exec->placed);
	txn->object = view->object->key;
	osd_intents_settle(&exec->store->intents, view);
	if (view->changed)
		commit_metadata(exec, number, interval);
	osd_shares_commit(exec);
	txn->client_bytes = bytes_asked(exec);
	/* Its keys move from the view's set to the store's. */
	TAILQ_FOREACH(change, &txn->changes, link)
		osd_changes_leave(&view->keys, change);
	view->txn = NULL;
	return txn;
}

void osd_exec_resolved(const struct osd_exec *exec, struct mem_bytes *ret_request,
		       struct mem_bytes *ret_data)
{
	struct nacre_osd_request request = *exec->request;
	struct mem_bytes ops = { 0 }, input = { 0 };
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;

	nacre_osd_cursor(&cursor, exec->request);
	while (nacre_osd_next(&cursor, &step)) {
		if (!(exec->taken_mask >> (cursor.index - 1) & 1))
			continue;
		osd_disk_append(&ops, nacre_osd_op_desc(), &step.op);
		mem_append_bytes(&input, step.name, step.op.name_size + step.op.value_size);
		if (step.op.code == NACRE_OSD_OP_WRITE || step.op.code == NACRE_OSD_OP_WRITE_FULL)
			mem_append_bytes(ret_data, exec->data + step.data_offset, step.op.length);
	}
	request.ops = ops.at;
	request.ops_bytes = (uint32_t)ops.length;
	request.input = input.at;
	request.input_bytes = (uint32_t)input.length;
	osd_disk_append(ret_request, nacre_osd_request_desc(), &request);
	mem_bytes_free(&ops);
	mem_bytes_free(&input);
}
