// SPDX-License-Identifier: GPL-2.0
/*
 * nacre-store: what a write costs an OSD's device, in counts: bytes to data area and journal for each byte written, and
 * flushes for each write; per journal mode, size, depth, and for appends and overwrites. The store alone, on a real device or file,
 * from the making of the store until all is written back; no network, no replicas. Times are ratios: to a loop that does nothing but write as many bytes
 * to the same device, as many at a time, with as many flushes.
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
#define WRITES_MAX 2048u
#define MODES 3u
#define ROWS 12u
#define RAW_BYTES (512u << 20)

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
	uint64_t begun_ns;
	struct osd_exec exec;
	struct nacre_osd_request request;
	struct mem_bytes ops;
};

/* What a row was like. */
struct times {
	uint64_t ns[WRITES_MAX];	/* of each write */
	uint32_t count;
	uint64_t begun_ns, ended_ns;
};

/* One write of the bare writer. */
struct raw_write {
	struct io_disk disk;
	struct raw *raw;
	uint64_t begun_ns;
	bool written, flushing;
};

/* The bare writer: so many writes share a flush, or each is followed by so many. */
struct raw {
	struct bench *bench;
	struct io_file *file;
	struct raw_write writes[DEPTH_MAX];
	struct io_disk sync;
	struct iovec iov;
	bool syncing;
	uint32_t left, busy, batch, syncs, syncs_left;
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
	uint32_t direct_bytes;		/* see store.h */
	struct times times;
	struct raw raw;
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

static void note_time(struct bench *bench, uint64_t begun_ns)
{
	struct times *times = &bench->times;

	times->ended_ns = io_now(bench->io);
	if (times->count < WRITES_MAX)
		times->ns[times->count++] = times->ended_ns - begun_ns;
}

static void clear_times(struct bench *bench)
{
	bench->times.count = 0;
	bench->times.begun_ns = io_now(bench->io);
}

static void written(struct osd_txn *txn)
{
	struct slot *slot = txn->owner;
	struct bench *bench = slot->bench;

	note_time(bench, slot->begun_ns);
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

	clear_times(bench);
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
		.direct_bytes = bench->direct_bytes, .calls = &calls, .owner = bench,
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

/* ---- the bare writer ---------------------------------------------------------------------- */

static void raw_begin(struct raw_write *write);
static void raw_pump(struct raw *raw);
static void raw_sync(struct raw *raw);

static void raw_synced(struct io_disk *disk, int result)
{
	struct raw *raw = (struct raw *)((char *)disk - offsetof(struct raw, sync));
	uint32_t i;

	raw->syncing = false;
	if (result) {
		fail(raw->bench, result, "the device cannot be flushed");
		return;
	}
	if (--raw->syncs_left) {
		raw_sync(raw);
		return;
	}
	for (i = 0; i < DEPTH_MAX; i++) {
		if (!raw->writes[i].flushing)
			continue;
		raw->writes[i].flushing = false;
		note_time(raw->bench, raw->writes[i].begun_ns);
		raw->busy--;
		if (raw->left)
			raw_begin(&raw->writes[i]);
	}
	if (!raw->busy)
		loop_stop(raw->bench->io);
	else
		raw_pump(raw);
}

static void raw_sync(struct raw *raw)
{
	raw->syncing = true;
	memset(&raw->sync, 0, sizeof(raw->sync));
	raw->sync.kind = IO_DISK_SYNC;
	raw->sync.file = raw->file;
	raw->sync.done = raw_synced;
	io_disk_submit(raw->bench->io, &raw->sync);
}

/* Flush, if enough is written, or all that is under way. */
static void raw_pump(struct raw *raw)
{
	uint32_t i, written = 0;

	for (i = 0; i < DEPTH_MAX; i++)
		written += raw->writes[i].written;
	if (raw->syncing || !written || (written < raw->batch && written < raw->busy))
		return;
	for (i = 0; i < DEPTH_MAX; i++) {
		raw->writes[i].flushing = raw->writes[i].written;
		raw->writes[i].written = false;
	}
	raw->syncs_left = raw->syncs;
	raw_sync(raw);
}

static void raw_written(struct io_disk *disk, int result)
{
	struct raw_write *write = (struct raw_write *)((char *)disk - offsetof(struct raw_write, disk));

	if (result) {
		fail(write->raw->bench, result, "the device cannot be written");
		return;
	}
	write->written = true;
	raw_pump(write->raw);
}

static void raw_begin(struct raw_write *write)
{
	struct raw *raw = write->raw;
	struct io_disk *disk = &write->disk;

	raw->left--;
	raw->busy++;
	write->begun_ns = io_now(raw->bench->io);
	memset(disk, 0, sizeof(*disk));
	disk->kind = IO_DISK_WRITE;
	disk->file = raw->file;
	disk->iov = &raw->iov;
	disk->iov_count = 1;
	disk->offset = (uint64_t)rand() % (RAW_BYTES / raw->iov.iov_len) * raw->iov.iov_len;
	disk->done = raw_written;
	io_disk_submit(raw->bench->io, disk);
}

/* As many writes of the row's size, as many at a time, and as many flushes, on the same device. */
static int run_raw(struct bench *bench, double flushes)
{
	struct raw *raw = &bench->raw;
	uint32_t i;
	int err;

	memset(raw, 0, sizeof(*raw));
	raw->bench = bench;
	raw->left = bench->row.writes;
	raw->syncs = flushes < 1.5 ? 1 : (uint32_t)(flushes + 0.5);
	raw->batch = flushes >= 1 ? 1 : (uint32_t)(1 / flushes + 0.5);
	if (raw->batch > bench->row.depth)
		raw->batch = bench->row.depth;
	raw->iov = (struct iovec){ bench->data, bench->row.bytes };
	err = io_file_open(bench->io, bench->device, &raw->file);
	if (err)
		return fail(bench, err, "the device cannot be opened");
	clear_times(bench);
	for (i = 0; i < bench->row.depth; i++) {
		raw->writes[i].raw = raw;
		raw_begin(&raw->writes[i]);
	}
	loop_run(bench->io);
	io_file_close(bench->io, raw->file);
	return bench->result;
}

/* ---- all modes side by side --------------------------------------------------------------------- */

/* A row in one mode. */
struct figures {
	double device, data, journal, flushes, intents;	/* for each byte, or each write */
	double writes_s;
	double rate, p99;		/* ratios to the bare writer */
};

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void take_times(struct times *times, double *ret_rate, double *ret_p99)
{
	qsort(times->ns, times->count, sizeof(*times->ns), compare_ns);
	*ret_rate = times->count * 1e9 / (double)(times->ended_ns - times->begun_ns);
	*ret_p99 = (double)times->ns[(times->count - 1) * 99 / 100];
}

static int measure(struct bench *bench, const struct row *row, const struct osd_journal_mode *mode,
		   struct figures *ret)
{
	double bytes = (double)row->bytes * row->writes, rate, p99;
	int err;

	bench->row = *row;
	bench->row.mode = mode;
	err = run_row(bench);
	if (err)
		return err;
	ret->data = (double)bench->stats.bytes_data / bytes;
	ret->journal = (double)bench->stats.bytes_journal / bytes;
	ret->device = ret->data + ret->journal;
	ret->flushes = (double)bench->stats.flushes / row->writes;
	ret->intents = (double)bench->stats.flushes_intents / row->writes;
	take_times(&bench->times, &ret->rate, &ret->p99);
	ret->writes_s = ret->rate;
	err = run_raw(bench, ret->flushes);
	if (err)
		return err;
	take_times(&bench->times, &rate, &p99);
	ret->rate /= rate;
	ret->p99 /= p99;
	return 0;
}

static const struct osd_journal_mode *const modes[MODES] = {
	&osd_journal_mode_data, &osd_journal_mode_ordered, &osd_journal_mode_cow,
};

static void print_head(const char *first, const char *columns, unsigned int count)
{
	printf("%s", first);
	for (unsigned int i = 0; i < MODES; i++)
		printf(" %s: %s", modes[i]->name, columns);
	printf("\n|");
	for (unsigned int i = 0; i < 3 + MODES * count; i++)
		printf("---|");
	printf("\n");
}

static int run_all(struct bench *bench)
{
	static const struct row kinds[] = {
		{ .bytes = 4096, .writes = WRITES_MAX },
		{ .bytes = 64 << 10, .writes = 1024 },
		{ .bytes = 4 << 20, .writes = 64 },
	};
	struct figures figures[ROWS][MODES];
	struct row rows[ROWS];
	char names[ROWS][64];
	unsigned int i, m;
	int err = 0;

	print_head("| | bytes | depth |", "device | data area | journal | flushes |", 4);
	for (i = 0; !err && i < ROWS; i++) {
		rows[i] = kinds[i / 4];
		rows[i].overwrites = i & 2;
		rows[i].depth = i & 1 ? DEPTH_MAX : 1;
		for (m = 0; !err && m < MODES; m++)
			err = measure(bench, &rows[i], modes[m], &figures[i][m]);
		snprintf(names[i], sizeof(names[i]), "| %s | %u | %u |", rows[i].overwrites ? "overwrite" : "append", rows[i].bytes, rows[i].depth);
		printf("%s", names[i]);
		for (m = 0; !err && m < MODES; m++)
			printf(" %.3f | %.3f | %.3f | %.3f |", figures[i][m].device, figures[i][m].data,
			       figures[i][m].journal, figures[i][m].flushes);
		printf("\n");
		fflush(stdout);
	}
	printf("\nThe same rows: flushes for nothing but intents, for each write; writes per second and their p99, as ratios to a loop that only writes, with as many flushes\n\n");
	print_head("| | bytes | depth |", "intents | rate | p99 |", 3);
	for (i = 0; !err && i < ROWS; i++) {
		printf("%s", names[i]);
		for (m = 0; m < MODES; m++)
			printf(" %.3f | %.2f | %.2f |", figures[i][m].intents, figures[i][m].rate, figures[i][m].p99);
		printf("\n");
	}
	return err;
}

/* The best of a few, as others use the machine, too. */
static int measure_best(struct bench *bench, const struct row *row, const struct osd_journal_mode *mode,
			struct figures *ret)
{
	double best = 0;
	int i, err = 0;

	for (i = 0; !err && i < 5; i++) {
		err = measure(bench, row, mode, ret);
		best = ret->writes_s > best ? ret->writes_s : best;
	}
	ret->writes_s = best;
	return err;
}

/* Where does writing directly begin to be cheaper than through the journal? Overwrites of all sizes, both ways. */
static int run_threshold(struct bench *bench)
{
	struct figures journaled, direct;
	struct row row;
	int err = 0;

	printf("| bytes | depth | journaled: device | flushes | rate | direct: device | flushes | rate |\n|---|---|---|---|---|---|---|---|\n");
	for (row = (struct row){ .bytes = 4096, .depth = 1 }; !err && row.bytes <= 256 << 10; row.depth = row.depth == 1 ? DEPTH_MAX : 1) {
		row.writes = 1024;
		row.overwrites = true;
		err = measure_best(bench, &row, &osd_journal_mode_data, &journaled);
		bench->direct_bytes = 1;
		if (!err)
			err = measure_best(bench, &row, &osd_journal_mode_ordered, &direct);
		bench->direct_bytes = 0;
		printf("| %u | %u | %.3f | %.3f | %.0f | %.3f | %.3f | %.0f |\n", row.bytes, row.depth, journaled.device,
		       journaled.flushes, journaled.writes_s, direct.device, direct.flushes, direct.writes_s);
		fflush(stdout);
		row.bytes *= row.depth == 1 ? 1 : 2;
	}
	return err;
}

int main(int argc, char **argv)
{
	struct loop_config loop = { 0 };
	bool threshold = argc == 4 && !strcmp(argv[3], "threshold");
	struct bench bench = { .log = log_create(NULL, "store", LOG_ERROR) };
	struct mem_buffer *data;
	int err;

	if (argc != 3 && !threshold) {
		fprintf(stderr, "usage: nacre-store DEVICE KV_FOLDER [threshold]     both are overwritten; of at least 1 GiB\n");
		return 2;
	}
	bench.device = argv[1];
	bench.kv_dir = argv[2];
	data = mem_buffer_new(OBJECT_BYTES);
	bench.data = data->bytes;
	memset(bench.data, 0, OBJECT_BYTES);
	if (getrandom(bench.data, 256, 0) < 0)
		return 1;
	err = loop_create(&loop, &bench.io);
	if (!err)
		err = threshold ? run_threshold(&bench) : run_all(&bench);
	if (err)
		fprintf(stderr, "nacre-store: %s (%s)\n", bench.why, strerror(-err));
	loop_destroy(bench.io);
	log_destroy(bench.log);
	mem_buffer_put(data);
	return err ? 1 : 0;
}
