/* SPDX-License-Identifier: GPL-2.0 */
/* nacre-store's parts: tables (store.c), writes to a store (store_rows.c), the bare writer they are compared with (store_raw.c). */
#ifndef NACRE_BENCH_STORE_H
#define NACRE_BENCH_STORE_H

#include "server/base/loop.h"
#include "server/osd/exec.h"

#define OBJECT_BYTES (4u << 20)
#define DEPTH_MAX 16u
#define WRITES_MAX 2048u
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
	uint32_t direct_bytes;		/* see server/osd/store.h */
	uint32_t journal_unit;		/* likewise */
	uint32_t unit_used;		/* what the store made of that */
	struct times times;
	struct raw raw;
	int result;
	char why[256];
};

/* Keep why, and end the loop. Returns the result. */
int bench_fail(struct bench *bench, int result, const char *why);
/* The device; what was closed just now the system may still hold for a moment. */
int bench_open_device(struct bench *bench, struct io_file **ret_file);
void bench_note_time(struct bench *bench, uint64_t begun_ns);
void bench_clear_times(struct bench *bench);

/* Write bench->row to a new store; bench->stats and bench->times say what it was like. 0 or -errno. */
int bench_run_row(struct bench *bench);
/* As many writes of the row's size, as many at a time, and as many flushes for each, on the same device. */
int bench_run_raw(struct bench *bench, double flushes);

#endif
