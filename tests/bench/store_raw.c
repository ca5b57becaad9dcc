// SPDX-License-Identifier: GPL-2.0
/* A loop that does nothing but write and flush: what nacre-store's rates are ratios to. See store.h. */
#include <stdlib.h>
#include <string.h>
#include "store.h"

static void raw_begin(struct raw_write *write);
static void raw_pump(struct raw *raw);
static void raw_sync(struct raw *raw);

static void raw_synced(struct io_disk *disk, int result)
{
	struct raw *raw = (struct raw *)((char *)disk - offsetof(struct raw, sync));
	uint32_t i;

	raw->syncing = false;
	if (result) {
		bench_fail(raw->bench, result, "the device cannot be flushed");
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
		bench_note_time(raw->bench, raw->writes[i].begun_ns);
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
		bench_fail(write->raw->bench, result, "the device cannot be written");
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

int bench_run_raw(struct bench *bench, double flushes)
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
	err = bench_open_device(bench, &raw->file);
	if (err)
		return err;
	bench_clear_times(bench);
	for (i = 0; i < bench->row.depth; i++) {
		raw->writes[i].raw = raw;
		raw_begin(&raw->writes[i]);
	}
	loop_run(bench->io);
	io_file_close(bench->io, raw->file);
	return bench->result;
}
