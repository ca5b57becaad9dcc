// SPDX-License-Identifier: GPL-2.0
/*
 * See osd_store_rig.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "osd_store_rig.h"
#include "server/base/log.h"

/* ---- what the store tells ----------------------------------------------------------- */

static void opened(void *owner, int result, const char *why)
{
	struct rig *rig = owner;

	rig->opened = true;
	rig->open_result = result;
	snprintf(rig->why, sizeof(rig->why), "%s", why);
}

static void replayed(void *owner, const struct osd_txn *txn)
{
	((struct rig *)owner)->replayed++;
}

static bool keep(void *owner, const struct osd_txn *txn, struct mem_bytes *value)
{
	return false;
}

static bool settled(void *owner, const struct osd_txn *txn)
{
	const struct rig *rig = owner;

	return !rig->numbered || (rig->settled_at && rig->replayed >= rig->settled_at);
}

static void filled(void *owner, const struct osd_txn *txn)
{
	osd_txn_payload(txn, &((struct rig *)owner)->payloads);
}

static void failed(void *owner, const char *why)
{
	((struct rig *)owner)->failed = true;
}

static void room(void *owner)
{
}

static const struct osd_store_calls calls = { opened, replayed, filled, settled, keep, failed, room };

static void no_line(void *owner, enum log_level level, const char *line)
{
	if (getenv("RIG_LOG"))
		fprintf(stderr, "%s\n", line);
}

/* ---- life ---------------------------------------------------------------------------- */

void rig_create(struct rig *rig, uint64_t seed, uint64_t disk_bytes, uint64_t journal_bytes)
{
	memset(rig, 0, sizeof(*rig));
	rig->world = sim_world_create(seed);
	rig->host = sim_host_add(rig->world, "osd");
	rig->disk = sim_disk_add(rig->host, "disk", disk_bytes);
	rig->keys = kv_mem_disk_create();
	rig->journal_bytes = journal_bytes;
	rig->log = log_create(NULL, "osd", LOG_DEBUG);
	log_set_sink(rig->log, no_line, rig);
}

void rig_destroy(struct rig *rig)
{
	if (rig->store)
		rig_close(rig);
	mem_bytes_free(&rig->payloads);
	kv_mem_disk_destroy(rig->keys);
	log_destroy(rig->log);
	sim_world_destroy(rig->world);
}

void rig_pass(struct rig *rig, uint64_t ms)
{
	sim_run(rig->world, rig->world->now_ns + ms * SIM_NS_PER_MS);
}

void rig_until(struct rig *rig, bool (*holds)(struct rig *rig))
{
	int turns;

	for (turns = 0; turns < 200000 && !holds(rig); turns++)
		sim_run(rig->world, rig->world->now_ns + 50 * SIM_NS_PER_US);
	assert_true(holds(rig));
}

static void formatted(void *owner, int result, const char *why)
{
	opened(owner, result, why);
}

static bool is_open(struct rig *rig)
{
	return rig->opened;
}

int rig_format(struct rig *rig, bool force)
{
	struct osd_format_config config = {
		.io = sim_host_io(rig->host),
		.kv = kv_mem_open(sim_host_io(rig->host), rig->keys),
		.fsid_lo = RIG_FSID_LO,
		.fsid_hi = RIG_FSID_HI,
		.store_lo = 77,
		.store_hi = 88 + rig->world->seed,
		.journal_bytes = rig->journal_bytes,
		.osd_id = RIG_OSD,
		.force = force,
	};

	rig->opened = false;
	assert_int_equal(io_file_open(config.io, "disk", &config.file), 0);
	osd_store_format(&config, formatted, rig);
	rig_until(rig, is_open);
	kv_close(config.kv);
	io_file_close(config.io, config.file);
	return rig->open_result;
}

int rig_open(struct rig *rig, uint16_t osd_id, uint64_t fsid_lo)
{
	struct osd_store_config config = {
		.io = sim_host_io(rig->host),
		.log = rig->log,
		.fsid_lo = fsid_lo,
		.fsid_hi = RIG_FSID_HI,
		.osd_id = osd_id,
		.backlog_bytes = rig->backlog_bytes,
		.cache_bytes = 256 << 10,
		.writeback_ms = 20,
		.read_only = rig->read_only,
		.direct_bytes = rig->direct_bytes,
		.trim_bytes = rig->trim_bytes,
		.pipeline_bytes = rig->pipeline_bytes,
		.lone_intents = rig->lone_intents,
		.discard = rig->discard,
		.discard_bytes = rig->discard_bytes ? rig->discard_bytes : OSD_BLOCK_BYTES,
		.discard_ms = 5,
		.calls = &calls,
		.owner = rig,
	};

	rig->opened = rig->failed = false;
	rig->replayed = 0;
	assert_int_equal(io_file_open(config.io, "disk", &config.file), 0);
	config.kv = kv_mem_open(config.io, rig->keys);
	assert_int_equal(osd_store_open(&config, &rig->store), 0);
	rig_until(rig, is_open);
	if (rig->open_result) {
		osd_store_abandon(rig->store);
		rig->store = NULL;
	}
	return rig->open_result;
}

void rig_serve(struct rig *rig)
{
	rig_create(rig, 1, 24ull << 20, 4 << 20);
	assert_int_equal(rig_format(rig, false), 0);
	assert_int_equal(rig_open(rig, RIG_OSD, RIG_FSID_LO), 0);
}

static void store_closed(void *owner)
{
	struct rig *rig = owner;

	rig->closed = true;
	rig->store = NULL;
}

static bool is_closed(struct rig *rig)
{
	return rig->closed;
}

void rig_close(struct rig *rig)
{
	rig->closed = false;
	osd_store_close(rig->store, store_closed, rig);
	rig_until(rig, is_closed);
}

void rig_crash(struct rig *rig, enum sim_crash kind, unsigned int keep_batches)
{
	struct osd_store *dead = rig->store;
	struct kv_mem_disk *none = kv_mem_disk_create();

	sim_host_crash(rig->host, kind);
	kv_mem_disk_crash(rig->keys, keep_batches);
	sim_host_restart(rig->host);
	/* Its memory is given back here, so that leaks of the store itself are seen. */
	free(dead->kv);
	dead->kv = kv_mem_open(sim_host_io(rig->host), none);
	dead->failed = true;
	osd_store_abandon(dead);
	kv_mem_disk_destroy(none);
	rig->store = NULL;
}

/* ---- checking ---------------------------------------------------------------------------- */

static struct rig_found *finding;
static bool checked;

static void on_fault(void *owner, enum osd_check_fault fault, const char *sentence)
{
	if (!*finding->first)
		snprintf(finding->first, sizeof(finding->first), "%s: %s", osd_check_fault_name(fault), sentence);
}

static void on_checked(void *owner, int result)
{
	assert_int_equal(result, 0);
	checked = true;
}

static bool is_checked(struct rig *rig)
{
	return checked;
}

uint64_t rig_check(struct rig *rig, bool deep, struct rig_found *found)
{
	struct osd_check_config config = { .deep = deep, .fault = on_fault, .done = on_checked };
	struct osd_check *check;
	uint64_t faults = 0;
	int i;

	memset(found, 0, sizeof(*found));
	finding = found;
	checked = false;
	rig->read_only = true;
	assert_int_equal(rig_open(rig, RIG_OSD, 0), 0);		/* of whichever file system */
	config.store = rig->store;
	check = osd_check_start(&config);
	rig_until(rig, is_checked);
	found->counts = *osd_check_counts(check);
	osd_check_free(check);
	found->replayed = rig->store->stats->replayed;
	rig_close(rig);
	rig->read_only = false;
	for (i = 0; i < OSD_CHECK_FAULT_KINDS; i++)
		faults += found->counts.faults[i];
	return faults;
}

void rig_crash_and_check(struct rig *rig, enum sim_crash kind, unsigned int keep_batches)
{
	struct rig_found found;

	rig_crash(rig, kind, keep_batches);
	if (rig_check(rig, true, &found))
		fail_msg("after a crash, seed %llu: %s", (unsigned long long)rig->world->seed, found.first);
	assert_int_equal(rig_open(rig, RIG_OSD, RIG_FSID_LO), 0);
}

/* ---- requests ---------------------------------------------------------------------------- */

void rig_request(struct rig *rig, struct rig_request *r, uint64_t ino, uint64_t index)
{
	memset(r, 0, sizeof(*r));
	r->head.tid = ++rig->tid;
	r->head.instance = 5;
	r->head.map_epoch = 1;
	r->head.ino = ino;
	r->head.index = index;
	r->head.snap = rig->snap ? rig->snap : NACRE_SNAP_HEAD;
	r->head.pool = 1;
}

void rig_op(struct rig_request *r, enum nacre_osd_op_code code, uint16_t flags, const void *name,
	    size_t name_bytes, const void *value, size_t value_bytes, uint64_t offset,
	    uint64_t length)
{
	struct nacre_osd_op op = {
		.code = (uint16_t)code,
		.op_flags = flags,
		.name_size = (uint32_t)name_bytes,
		.value_size = (uint32_t)value_bytes,
		.offset = offset,
		.length = length,
	};

	osd_disk_append(&r->ops, nacre_osd_op_desc(), &op);
	mem_append_bytes(&r->input, name, name_bytes);
	mem_append_bytes(&r->input, value, value_bytes);
}

void rig_data_op(struct rig_request *r, enum nacre_osd_op_code code, uint64_t offset,
		 const void *bytes, size_t length)
{
	rig_op(r, code, 0, NULL, 0, NULL, 0, offset, length);
	mem_append_bytes(&r->data, bytes, length);
}

void rig_request_free(struct rig_request *r)
{
	mem_bytes_free(&r->ops);
	mem_bytes_free(&r->input);
	mem_bytes_free(&r->data);
}

void rig_reply_free(struct rig_reply *reply)
{
	mem_bytes_free(&reply->output);
	mem_bytes_free(&reply->data);
}

/* ---- running them -------------------------------------------------------------------------- */

static bool exec_ended;

static void exec_done(struct osd_exec *exec)
{
	exec_ended = true;
}

static bool is_executed(struct rig *rig)
{
	return exec_ended;
}

static void txn_durable(struct osd_txn *txn)
{
	((struct rig *)txn->owner)->durable++;
}

static bool all_durable(struct rig *rig)
{
	return rig->durable == rig->submitted || rig->failed;
}

static void take_reply(struct osd_exec *exec, struct rig_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	reply->result = exec->result;
	reply->failed_op = exec->failed_op;
	reply->result_count = exec->result_count;
	memcpy(reply->results, exec->results, sizeof(reply->results));
	mem_append_bytes(&reply->output, exec->output.at, exec->output.length);
	mem_append_bytes(&reply->data, exec->read_data.at, exec->read_data.length);
	reply->version = exec->version;
}

uint32_t rig_run(struct rig *rig, struct rig_request *r, struct rig_reply *reply, bool wait)
{
	struct osd_exec exec = {
		.store = rig->store,
		.mode = rig->mode ? rig->mode : &osd_journal_mode_data,
		.request = &r->head,
		.data = r->data.at,
		.pg_count = 1,
		.object_bytes = RIG_OBJECT_BYTES,
		.done = exec_done,
	};
	struct mem_bytes request = { 0 }, data = { 0 };
	struct osd_txn *txn;
	const char *reason;
	uint32_t result;

	r->head.ops = r->ops.at;
	r->head.ops_bytes = (uint32_t)r->ops.length;
	r->head.input = r->input.at;
	r->head.input_bytes = (uint32_t)r->input.length;
	if (nacre_validate_osd_request(&r->head, (uint32_t)r->data.length, &reason))
		fail_msg("%s", reason);
	exec_ended = false;
	if (!osd_exec_start(&exec))
		rig_until(rig, is_executed);
	if (reply)
		take_reply(&exec, reply);
	if (!exec.result && exec.writes) {
		osd_exec_resolved(&exec, &request, &data);
		txn = osd_exec_commit(&exec, rig->submitted + 1, 1);
		if (rig->numbered) {
			txn->number = rig->submitted + 1;
			mem_append_bytes(&txn->request, request.at, request.length);
		}
		txn->durable = txn_durable;
		txn->owner = rig;
		rig->submitted++;
		osd_store_submit(rig->store, txn);
		if (wait)
			rig_until(rig, all_durable);
	}
	result = exec.result;
	osd_exec_end(&exec);
	mem_bytes_free(&request);
	mem_bytes_free(&data);
	rig_request_free(r);
	return result;
}

/* ---- objects of one byte's value ------------------------------------------------------------- */

uint32_t rig_put(struct rig *rig, uint64_t ino, uint64_t offset, size_t length, uint8_t value, bool wait)
{
	struct rig_request r;

	rig_request(rig, &r, ino, 0);
	rig_op(&r, NACRE_OSD_OP_WRITE, 0, NULL, 0, NULL, 0, offset, length);
	memset(mem_append(&r.data, length), value, length);
	return rig_run(rig, &r, NULL, wait);
}

int rig_value(struct rig *rig, uint64_t ino, uint64_t offset, size_t length)
{
	struct rig_request r;
	struct rig_reply reply;
	uint32_t result;
	int value;
	size_t i;

	rig_request(rig, &r, ino, 0);
	rig_op(&r, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, offset, length);
	result = rig_run(rig, &r, &reply, true);
	value = result ? -2 : reply.data.length != length ? -3 : reply.data.at[0];
	for (i = 0; value >= 0 && i < length; i++)
		if (reply.data.at[i] != value)
			value = -1;
	rig_reply_free(&reply);
	return value;
}

uint32_t rig_clone(struct rig *rig, uint64_t to, uint64_t from, uint64_t from_snap, bool wait)
{
	struct nacre_oid oid = { .ino = from, .snap = from_snap, .pool = 1 };
	struct mem_bytes value = { 0 };
	struct rig_request r;

	osd_disk_append(&value, nacre_oid_desc(), &oid);
	rig_request(rig, &r, to, 0);
	rig_op(&r, NACRE_OSD_OP_CLONE, 0, NULL, 0, value.at, value.length, 0, 0);
	mem_bytes_free(&value);
	return rig_run(rig, &r, NULL, wait);
}

uint32_t rig_range(struct rig *rig, uint64_t ino, enum nacre_osd_op_code code, uint16_t flags, uint64_t offset, uint64_t length,
		   bool wait)
{
	struct rig_request r;

	rig_request(rig, &r, ino, 0);
	rig_op(&r, code, flags, NULL, 0, NULL, 0, offset, length);
	return rig_run(rig, &r, NULL, wait);
}

uint64_t rig_place(struct rig *rig, uint64_t ino, uint32_t n)
{
	struct osd_object_key key = { ino, 0, rig->snap ? rig->snap : NACRE_SNAP_HEAD, 1, 0 };
	struct osd_object *object = osd_object_pin(&rig->store->objects, &key);
	uint64_t block;

	assert_non_null(object->chunks[n / OSD_CHUNK_BLOCKS]);
	block = object->chunks[n / OSD_CHUNK_BLOCKS]->block[n % OSD_CHUNK_BLOCKS];
	osd_object_unpin(&rig->store->objects, object);
	return block;
}
