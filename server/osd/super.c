// SPDX-License-Identifier: GPL-2.0
/*
 * Formatting a device. The key-value store's state is made durable first, the
 * superblock last: a device is a store only when both are there.
 */
#include <errno.h>
#include <fcntl.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server/base/loop.h"
#include "store.h"

#define JOURNAL_BYTES_DEFAULT (256ull << 20)
#define DATA_BLOCKS_MIN 256u

struct format {
	struct osd_format_config config;
	struct osd_disk_super super;
	osd_formatted done;
	void *owner;
	struct mem_buffer *block;
	struct io_disk disk;
	struct iovec iov;
	struct kv_batch batch;
	struct kv_flush flush;
};

static void finish(struct format *f, int result, const char *why)
{
	osd_formatted done = f->done;
	void *owner = f->owner;

	mem_buffer_put(f->block);
	mem_bytes_free(&f->batch.bytes);
	free(f);
	done(owner, result, why);
}

static void block_io(struct format *f, enum io_disk_kind kind, void (*done)(struct io_disk *, int))
{
	f->iov = (struct iovec){ f->block->bytes, OSD_BLOCK_BYTES };
	memset(&f->disk, 0, sizeof(f->disk));
	f->disk.kind = kind;
	f->disk.file = f->config.file;
	f->disk.iov = &f->iov;
	f->disk.iov_count = 1;
	f->disk.sync = kind == IO_DISK_WRITE;
	f->disk.done = done;
	io_disk_submit(f->config.io, &f->disk);
}

static void super_written(struct io_disk *disk, int result)
{
	finish((struct format *)((char *)disk - offsetof(struct format, disk)), result,
	       result ? "the superblock cannot be written" : "");
}

static void state_flushed(struct kv_flush *flush)
{
	struct format *f = (struct format *)((char *)flush - offsetof(struct format, flush));
	struct nacre_writer w = nacre_writer(f->block->bytes, OSD_BLOCK_BYTES);

	if (flush->result) {
		finish(f, flush->result, "the key-value store cannot be written");
		return;
	}
	memset(f->block->bytes, 0, OSD_BLOCK_BYTES);
	nacre_encode(osd_disk_super_desc(), &w, &f->super);
	osd_disk_seal(f->block->bytes, sizeof(struct osd_disk_super_wire));
	block_io(f, IO_DISK_WRITE, super_written);
}

static void state_applied(struct kv_batch *batch)
{
	struct format *f = (struct format *)((char *)batch - offsetof(struct format, batch));

	if (batch->result) {
		finish(f, batch->result, "the key-value store cannot be written");
		return;
	}
	f->flush.done = state_flushed;
	kv_flush(f->config.kv, &f->flush);
}

static void write_state(struct format *f)
{
	struct osd_disk_state state = {
		.store_lo = f->super.store_lo,
		.store_hi = f->super.store_hi,
		.record = 1,
		.chain = f->super.store_hi,
		.next_id = 1,
	};
	struct mem_bytes value = { 0 };
	struct osd_key key;

	osd_key_state(&key);
	osd_disk_append(&value, osd_disk_state_desc(), &state);
	kv_batch_put(&f->batch, key.bytes, key.length, value.at, (uint32_t)value.length);
	mem_bytes_free(&value);
	f->batch.done = state_applied;
	kv_apply(f->config.kv, &f->batch);
}

/* An old superblock is only overwritten on demand. */
static void block_read(struct io_disk *disk, int result)
{
	struct format *f = (struct format *)((char *)disk - offsetof(struct format, disk));
	struct nacre_reader r = nacre_reader(f->block->bytes, sizeof(struct osd_disk_super_wire));
	struct osd_disk_super old;

	if (result) {
		finish(f, result, "the device cannot be read");
		return;
	}
	if (!f->config.force && !nacre_decode(osd_disk_super_desc(), &r, &old) &&
	    old.magic == OSD_SUPER_MAGIC) {
		finish(f, -EEXIST, "the device holds a nacre object store already");
		return;
	}
	write_state(f);
}

/* Divide the device. 0, or -ENOSPC: it is too small. */
static int make_layout(struct format *f)
{
	struct osd_disk_super *super = &f->super;
	uint64_t bytes = io_file_bytes(f->config.io, f->config.file) / OSD_BLOCK_BYTES *
			 OSD_BLOCK_BYTES;
	uint64_t journal = f->config.journal_bytes ? f->config.journal_bytes :
						     JOURNAL_BYTES_DEFAULT;

	if (journal > bytes / 4)
		journal = bytes / 4;
	journal = journal / OSD_BLOCK_BYTES * OSD_BLOCK_BYTES;
	if (journal < OSD_JOURNAL_BYTES_MIN)
		return -ENOSPC;
	super->magic = OSD_SUPER_MAGIC;
	super->version = OSD_DISK_VERSION;
	super->osd_id = f->config.osd_id;
	super->fsid_lo = f->config.fsid_lo;
	super->fsid_hi = f->config.fsid_hi;
	super->store_lo = f->config.store_lo;
	super->store_hi = f->config.store_hi;
	super->device_bytes = bytes;
	super->journal_offset = OSD_BLOCK_BYTES;
	super->journal_bytes = journal;
	super->data_offset = super->journal_offset + journal;
	super->data_blocks = (bytes - super->data_offset) / OSD_BLOCK_BYTES;
	super->block_bytes = OSD_BLOCK_BYTES;
	return super->data_blocks < DATA_BLOCKS_MIN ? -ENOSPC : 0;
}

void osd_store_format(const struct osd_format_config *config, osd_formatted done, void *owner)
{
	struct format *f = mem_zero(1, sizeof(*f));

	f->config = *config;
	f->done = done;
	f->owner = owner;
	if (make_layout(f)) {
		finish(f, -ENOSPC, "the device is too small: 5 MiB are needed at least");
		return;
	}
	f->block = mem_buffer_new(OSD_BLOCK_BYTES);
	block_io(f, IO_DISK_READ, block_read);
}

/* ---- for a tool ------------------------------------------------------------------------------ */

struct tool {
	struct io *io;
	int result;
	char *error;
	size_t error_bytes;
};

static void tool_done(void *owner, int result, const char *why)
{
	struct tool *tool = owner;

	tool->result = result;
	if (result)
		snprintf(tool->error, tool->error_bytes, "%s", why);
	loop_stop(tool->io);
}

static int refuse(char *error, size_t error_bytes, int result, const char *what, const char *path)
{
	snprintf(error, error_bytes, "%s: %s", path, what);
	return result;
}

static void destroy_kv(const char *kv_dir)
{
	rocksdb_options_t *options = rocksdb_options_create();
	char *why = NULL;

	rocksdb_destroy_db(options, kv_dir, &why);
	free(why);
	rocksdb_options_destroy(options);
}

static int format_opened(struct tool *tool, struct osd_format_config *config)
{
	config->io = tool->io;
	tool->result = -EIO;
	osd_store_format(config, tool_done, tool);
	if (tool->result != -ENOSPC)
		loop_run(tool->io);
	return tool->result;
}

int osd_store_format_paths(const struct osd_format_paths *paths, struct osd_format_config *config,
			   char *error, size_t error_bytes)
{
	struct tool tool = { .error = error, .error_bytes = error_bytes };
	struct loop_config loop = { 0 };
	int err = loop_create(&loop, &tool.io);

	if (err)
		return refuse(error, error_bytes, err, loop_error(err), paths->device);
	err = io_file_open(tool.io, paths->device, &config->file);
	if (err) {
		refuse(error, error_bytes, err, "the device cannot be opened", paths->device);
		loop_destroy(tool.io);
		return err;
	}
	if (config->force)
		destroy_kv(paths->kv_dir);
	err = kv_rocksdb_open(tool.io, paths->kv_dir, KV_CREATE, &config->kv, error, error_bytes);
	if (!err) {
		err = format_opened(&tool, config);
		kv_close(config->kv);
	}
	io_file_close(tool.io, config->file);
	loop_destroy(tool.io);
	return err;
}
