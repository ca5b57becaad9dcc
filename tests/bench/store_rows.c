// SPDX-License-Identifier: GPL-2.0
/* Writes to a store of an OSD: a row of nacre-store's table. See store.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "store.h"

int bench_fail(struct bench *bench, int result, const char *why)
{
	bench->result = result;
	snprintf(bench->why, sizeof(bench->why), "%s", why);
	loop_stop(bench->io);
	return result;
}

int bench_open_device(struct bench *bench, struct io_file **ret_file)
{
	int err = -EBUSY;

	for (int i = 0; err == -EBUSY && i < 100; i++) {
		if (i)
			usleep(20000);
		err = io_file_open(bench->io, bench->device, ret_file);
	}
	return err ? bench_fail(bench, err, "the device cannot be opened") : 0;
}

/* ---- what the store tells --------------------------------------------------------------- */

static void opened(void *owner, int result, const char *why)
{
	bench_fail(owner, result, why);
}

static void replayed(void *owner, const struct osd_txn *txn)
{
}

static bool keep(void *owner, const struct osd_txn *txn, struct mem_bytes *value)
{
	return false;
}

static void failed(void *owner, const char *why)
{
	bench_fail(owner, -EIO, why);
}

static void room(void *owner)
{
}

static void closed(void *owner)
{
	loop_stop(((struct bench *)owner)->io);
}

/* ---- writing ---------------------------------------------------------------------------- */

static void begin(struct slot *slot);

void bench_note_time(struct bench *bench, uint64_t begun_ns)
{
	struct times *times = &bench->times;

	times->ended_ns = io_now(bench->io);
	if (times->count < WRITES_MAX)
		times->ns[times->count++] = times->ended_ns - begun_ns;
}

void bench_clear_times(struct bench *bench)
{
	bench->times.count = 0;
	bench->times.begun_ns = io_now(bench->io);
}

static void written(struct osd_txn *txn)
{
	struct slot *slot = txn->owner;
	struct bench *bench = slot->bench;

	bench_note_time(bench, slot->begun_ns);
	bench->busy--;
	if (bench->left)
		begin(slot);
	else if (!bench->busy)
		loop_stop(bench->io);
}

static void executed(struct osd_exec *exec)
{
	struct slot *slot = exec->owner;
	struct bench *bench = slot->bench;
	struct osd_txn *txn;

	if (exec->result) {
		bench_fail(bench, -(int)exec->result, "a write failed");
		return;
	}
	txn = osd_exec_commit(exec, ++bench->number, 1);
	txn->durable = written;
	txn->owner = slot;
	osd_store_submit(bench->store, txn);
	osd_exec_end(exec);
}

/* Where the next write goes: behind the last one, or anywhere in the slot's first object. */
static uint64_t next_offset(struct slot *slot, uint64_t *ret_index)
{
	const struct row *row = &slot->bench->row;
	uint64_t offset = slot->written;

	*ret_index = 0;
	if (slot->bench->fills)
		return 0;
	if (row->overwrites)
		return (uint64_t)rand() % (OBJECT_BYTES / row->bytes) * row->bytes;
	slot->written += row->bytes;
	*ret_index = offset / OBJECT_BYTES;
	return offset % OBJECT_BYTES;
}

static void begin(struct slot *slot)
{
	struct bench *bench = slot->bench;
	struct nacre_osd_op op = {
		.code = NACRE_OSD_OP_WRITE,
		.length = bench->fills ? OBJECT_BYTES : bench->row.bytes,
	};
	uint64_t index;

	bench->left--;
	bench->busy++;
	slot->begun_ns = io_now(bench->io);
	op.offset = next_offset(slot, &index);
	memset(&slot->exec, 0, sizeof(slot->exec));
	slot->ops.length = 0;
	osd_disk_append(&slot->ops, nacre_osd_op_desc(), &op);
	slot->request = (struct nacre_osd_request){
		.ino = 1 + slot->number, .index = index, .snap = NACRE_SNAP_HEAD, .pool = NACRE_POOL_DATA,
		.ops = slot->ops.at, .ops_bytes = (uint32_t)slot->ops.length,
	};
	slot->exec.store = bench->store;
	slot->exec.mode = bench->row.mode;
	slot->exec.request = &slot->request;
	slot->exec.data = bench->data;
	slot->exec.pg_count = 1;
	slot->exec.object_bytes = OBJECT_BYTES;
	slot->exec.done = executed;
	slot->exec.owner = slot;
	if (osd_exec_start(&slot->exec))
		executed(&slot->exec);
}

static int run_writes(struct bench *bench, uint32_t writes, uint32_t depth)
{
	uint32_t i;

	bench_clear_times(bench);
	bench->left = writes;
	for (i = 0; i < depth && bench->left && !bench->result; i++) {
		bench->slots[i].bench = bench;
		bench->slots[i].number = i;
		begin(&bench->slots[i]);
	}
	loop_run(bench->io);
	return bench->result;
}

/* ---- a row -------------------------------------------------------------------------------- */

static int format(struct bench *bench)
{
	struct osd_format_paths paths = { bench->device, bench->kv_dir };
	struct osd_format_config config = { .fsid_lo = 1, .force = true };

	/* random, as what an earlier row has left in the journal is told apart by it */
	if (getrandom(&config.store_lo, sizeof(config.store_lo), 0) < 0 ||
	    getrandom(&config.store_hi, sizeof(config.store_hi), 0) < 0)
		return -errno;
	return osd_store_format_paths(&paths, &config, bench->why, sizeof(bench->why));
}

static int open_store(struct bench *bench)
{
	static const struct osd_store_calls calls = {
		.opened = opened, .replayed = replayed, .keep = keep, .failed = failed, .room = room,
	};
	struct osd_store_config config = {
		.io = bench->io, .log = bench->log, .fsid_lo = 1, .stats = &bench->stats,
		.direct_bytes = bench->direct_bytes, .journal_unit = bench->journal_unit, .calls = &calls, .owner = bench,
	};
	int err = bench_open_device(bench, &config.file);

	if (err)
		return err;
	err = kv_rocksdb_open(bench->io, bench->kv_dir, false, &config.kv, bench->why,
			      sizeof(bench->why));
	if (err)
		return err;
	osd_store_open(&config, &bench->store);
	loop_run(bench->io);
	bench->unit_used = bench->store->journal.unit;
	return bench->result;
}

/* Until everything is where it belongs. */
static void close_store(struct bench *bench)
{
	osd_store_close(bench->store, closed, bench);
	loop_run(bench->io);
}

/* Begins with a new store; what is overwritten is there and written back when counting begins. */
int bench_run_row(struct bench *bench)
{
	int err = format(bench);

	memset(bench->slots, 0, sizeof(bench->slots));
	if (!err && bench->row.overwrites) {
		err = open_store(bench);
		bench->fills = true;
		if (!err)
			err = run_writes(bench, bench->row.depth, bench->row.depth);
		bench->fills = false;
		if (!err)
			close_store(bench);
	}
	if (!err)
		err = open_store(bench);
	memset(&bench->stats, 0, sizeof(bench->stats));
	if (!err)
		err = run_writes(bench, bench->row.writes, bench->row.depth);
	if (!err)
		close_store(bench);
	return err;
}
