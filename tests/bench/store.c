// SPDX-License-Identifier: GPL-2.0
/*
 * nacre-store: what a write costs an OSD's device, in counts: bytes to data area and journal for each byte written, and
 * flushes for each write; per journal mode, size, depth, and for appends and overwrites. The store alone, on a real device or file,
 * from the making of the store until all is written back; no network, no replicas. Times are not measured.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "server/base/loop.h"
#include "server/osd/exec.h"

#define OBJECT_BYTES (4u << 20)
#define DEPTH_MAX 16u

struct row {
	const struct osd_journal_mode *mode;
	uint32_t bytes;			/* of a write */
	uint32_t depth;
	uint32_t writes;
	bool overwrites;
};

struct bench;

/* One write at a time, on objects of its own. */
struct slot {
	struct bench *bench;
	uint32_t number;
	uint64_t written;		/* bytes appended */
	struct osd_exec exec;
	struct nacre_osd_request request;
	struct mem_bytes ops;
};

struct bench {
	const char *device, *kv_dir;
	struct io *io;
	struct log *log;
	struct osd_store *store;
	struct osd_store_stats stats;
	struct row row;
	bool fills;			/* what is to be overwritten */
	uint32_t left, busy;
	struct slot slots[DEPTH_MAX];
	uint64_t number;
	uint8_t *data;
	int result;
	char why[256];
};

static int fail(struct bench *bench, int result, const char *why)
{
	bench->result = result;
	snprintf(bench->why, sizeof(bench->why), "%s", why);
	loop_stop(bench->io);
	return result;
}

/* ---- what the store tells --------------------------------------------------------------- */

static void opened(void *owner, int result, const char *why)
{
	fail(owner, result, why);
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
	fail(owner, -EIO, why);
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

static void written(struct osd_txn *txn)
{
	struct slot *slot = txn->owner;
	struct bench *bench = slot->bench;

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
		fail(bench, -(int)exec->result, "a write failed");
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
		.calls = &calls, .owner = bench,
	};
	int err = io_file_open(bench->io, bench->device, &config.file);

	if (err)
		return fail(bench, err, "the device cannot be opened");
	err = kv_rocksdb_open(bench->io, bench->kv_dir, false, &config.kv, bench->why,
			      sizeof(bench->why));
	if (err)
		return err;
	osd_store_open(&config, &bench->store);
	loop_run(bench->io);
	return bench->result;
}

/* Until everything is where it belongs. */
static void close_store(struct bench *bench)
{
	osd_store_close(bench->store, closed, bench);
	loop_run(bench->io);
}

/* Begins with a new store; what is overwritten is there and written back when counting begins. */
static int run_row(struct bench *bench)
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

static void print_mode(const struct bench *bench)
{
	const struct row *row = &bench->row;
	double bytes = (double)row->bytes * row->writes;
	double data = (double)bench->stats.bytes_data, journal = (double)bench->stats.bytes_journal;

	printf(" %.3f | %.3f | %.3f | %.3f |", (data + journal) / bytes, data / bytes, journal / bytes,
	       (double)bench->stats.flushes / row->writes);
}

/* The same writes in all modes, side by side. */
static int run_modes(struct bench *bench, struct row row)
{
	static const struct osd_journal_mode *const modes[] = { &osd_journal_mode_data, &osd_journal_mode_cow };
	unsigned int i;
	int err = 0;

	printf("| %s | %u | %u |", row.overwrites ? "overwrite" : "append", row.bytes, row.depth);
	for (i = 0; !err && i < sizeof(modes) / sizeof(modes[0]); i++) {
		bench->row = row;
		bench->row.mode = modes[i];
		err = run_row(bench);
		if (!err)
			print_mode(bench);
	}
	printf("\n");
	fflush(stdout);
	return err;
}

static int run_all(struct bench *bench)
{
	static const struct row rows[] = {
		{ .bytes = 4096, .writes = 2048 },
		{ .bytes = 64 << 10, .writes = 1024 },
		{ .bytes = 4 << 20, .writes = 64 },
	};
	unsigned int i;
	struct row row;
	int err = 0;

	printf("| | bytes | depth | data: device | data area | journal | flushes | cow: device | data area | journal | flushes |\n"
	       "|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (i = 0; !err && i < 4 * sizeof(rows) / sizeof(rows[0]); i++) {
		row = rows[i / 4];
		row.overwrites = i & 2;
		row.depth = i & 1 ? DEPTH_MAX : 1;
		err = run_modes(bench, row);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct loop_config loop = { 0 };
	struct bench bench = { .log = log_create(NULL, "store", LOG_ERROR) };
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: nacre-store DEVICE KV_FOLDER     both are overwritten; of at least 1 GiB\n");
		return 2;
	}
	bench.device = argv[1];
	bench.kv_dir = argv[2];
	bench.data = mem_zero(1, OBJECT_BYTES);
	if (getrandom(bench.data, 256, 0) < 0)
		return 1;
	err = loop_create(&loop, &bench.io);
	if (!err)
		err = run_all(&bench);
	if (err)
		fprintf(stderr, "nacre-store: %s (%s)\n", bench.why, strerror(-err));
	loop_destroy(bench.io);
	log_destroy(bench.log);
	free(bench.data);
	return err ? 1 : 0;
}
