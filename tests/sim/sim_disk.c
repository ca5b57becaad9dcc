// SPDX-License-Identifier: GPL-2.0
/*
 * Simulated disks. A file is a table of pages. `now` is what reads see;
 * `durable` is what a loss of power leaves, kept only while it differs. Each
 * finished write that is not durable yet is a record, in the order of finishing;
 * a sync makes a prefix of them durable.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "sim_disk.h"

#define PAGE_BYTES IO_DISK_ALIGN

struct page {
	uint8_t *now;			/* NULL: zeros */
	uint8_t *durable;		/* NULL: as now */
	unsigned int records;		/* not durable, that touch it */
};

struct record {
	struct record *next;
	uint64_t number;		/* in the order of finishing */
	uint64_t offset;
	size_t length;
	uint8_t bytes[];
};

/* One operation on its way; disk->private. */
struct op {
	struct sim_event event;
	struct op *next, **link;	/* in file->writes, while it is a write or a discard in flight */
	struct sim_host *host;
	struct io_disk *disk;
	bool syncing;			/* the sync, or the second half of a write with sync */
	uint64_t cutoff;		/* SYNC: records up to this become durable */
};

struct sim_file {
	struct sim_host *host;
	struct sim_file *next;
	char path[64];
	uint64_t bytes;
	uint32_t sector;
	uint32_t grain;			/* of discards; 0: it knows none */
	uint64_t discarded;		/* bytes */
	struct page *pages;
	struct record *records, **records_last;
	uint64_t record_count;		/* ever */
	struct op *writes;		/* in flight, and discards */
	struct sim_event *at_flush;	/* see sim_disk_at_flush() */
	bool at_flush_alone;
	struct sim_event *at_write;	/* see sim_disk_at_write() */
	unsigned int at_write_skip;
	bool fails;			/* the next operation does */
};

struct sim_file *sim_disk_add(struct sim_host *host, const char *path, uint64_t bytes)
{
	struct sim_file *file = calloc(1, sizeof(*file));

	assert(file && bytes % PAGE_BYTES == 0 && strlen(path) < sizeof(file->path));
	file->host = host;
	strcpy(file->path, path);
	file->bytes = bytes;
	file->sector = host->world->seed / 2 % 2 ? PAGE_BYTES : SIM_SECTOR_BYTES;
	file->grain = PAGE_BYTES << host->world->seed / 4 % 3;
	file->pages = calloc(bytes / PAGE_BYTES, sizeof(*file->pages));
	assert(file->pages);
	file->records_last = &file->records;
	file->next = host->files;
	host->files = file;
	return file;
}

int sim_disk_open(struct io *io, const char *path, struct io_file **ret_file)
{
	struct sim_file *file = sim_host_of(io)->files;

	while (file && strcmp(file->path, path))
		file = file->next;
	if (!file)
		return -ENOENT;
	*ret_file = (struct io_file *)file;
	return 0;
}

uint64_t sim_disk_bytes(struct io_file *file)
{
	return ((struct sim_file *)file)->bytes;
}

struct io_units sim_disk_units(const struct io_file *file)
{
	uint32_t sector = ((const struct sim_file *)file)->sector;

	return (struct io_units){ sector, sector, ((const struct sim_file *)file)->grain };
}

void sim_disk_close(struct io_file *file)
{
}

/* ---- pages ----------------------------------------------------------------- */

static uint8_t *page_bytes(uint8_t **page)
{
	if (!*page) {
		*page = calloc(1, PAGE_BYTES);
		assert(*page);
	}
	return *page;
}

/* Call `each` for the parts of a range that lie in one page. */
static void for_pages(struct sim_file *file, uint64_t offset, uint8_t *bytes, size_t length,
		      void (*each)(struct page *page, size_t at, uint8_t *bytes, size_t length))
{
	size_t at, part;

	assert(offset <= file->bytes && length <= file->bytes - offset);
	for (; length; offset += part, bytes += part, length -= part) {
		at = offset % PAGE_BYTES;
		part = PAGE_BYTES - at < length ? PAGE_BYTES - at : length;
		each(&file->pages[offset / PAGE_BYTES], at, bytes, part);
	}
}

static void page_read(struct page *page, size_t at, uint8_t *bytes, size_t length)
{
	if (page->now)
		memcpy(bytes, page->now + at, length);
	else
		memset(bytes, 0, length);
}

static void page_set(struct page *page, size_t at, uint8_t *bytes, size_t length)
{
	memcpy(page_bytes(&page->now) + at, bytes, length);
	if (page->durable)
		memcpy(page->durable + at, bytes, length);
}

/* A write finishes: visible, and not durable. */
static void page_write(struct page *page, size_t at, uint8_t *bytes, size_t length)
{
	if (!page->records++) {
		page_bytes(&page->now);
		page->durable = malloc(PAGE_BYTES);
		assert(page->durable);
		memcpy(page->durable, page->now, PAGE_BYTES);
	}
	memcpy(page->now + at, bytes, length);
}

/* The oldest record of this page becomes durable. */
static void page_settle(struct page *page, size_t at, uint8_t *bytes, size_t length)
{
	assert(page->records);
	if (--page->records) {
		memcpy(page->durable + at, bytes, length);
		return;
	}
	free(page->durable);
	page->durable = NULL;
}

static void page_revert(struct page *page, size_t at, uint8_t *bytes, size_t length)
{
	if (!page->durable)
		return;
	free(page->now);
	page->now = page->durable;
	page->durable = NULL;
	page->records = 0;
}

void sim_disk_peek(struct sim_file *file, uint64_t offset, void *buffer, size_t length)
{
	for_pages(file, offset, buffer, length, page_read);
}

void sim_disk_poke(struct sim_file *file, uint64_t offset, const void *buffer, size_t length)
{
	for_pages(file, offset, (uint8_t *)buffer, length, page_set);
}

/* ---- operations -------------------------------------------------------------- */

static uint64_t latency_ns(struct sim_world *world, uint32_t longest_us)
{
	uint64_t us = sim_between(&world->random, longest_us / 4, longest_us);

	if (sim_chance(&world->random, world->faults.disk_slow_ppm))
		us *= sim_between(&world->random, 2, 100);
	return us * SIM_NS_PER_US;
}

static bool is_change(const struct io_disk *disk)
{
	return disk->kind == IO_DISK_WRITE || disk->kind == IO_DISK_DISCARD;
}

/* Bytes that an operation reads, writes or discards. */
static size_t disk_bytes(const struct io_disk *disk)
{
	size_t length = disk->kind == IO_DISK_DISCARD ? disk->length : 0;
	unsigned int i;

	for (i = 0; i < disk->iov_count; i++)
		length += disk->iov[i].iov_len;
	return length;
}

static struct record *record_new(const struct io_disk *disk)
{
	size_t length = disk_bytes(disk);
	struct record *record = malloc(sizeof(*record) + length);
	unsigned int i;

	assert(record);
	record->next = NULL;
	record->offset = disk->offset;
	record->length = 0;
	for (i = 0; i < disk->iov_count; i++) {
		memcpy(record->bytes + record->length, disk->iov[i].iov_base,
		       disk->iov[i].iov_len);
		record->length += disk->iov[i].iov_len;
	}
	return record;
}

static void finish_write(struct sim_file *file, struct record *record)
{
	record->number = ++file->record_count;
	*file->records_last = record;
	file->records_last = &record->next;
	for_pages(file, record->offset, record->bytes, record->length, page_write);
}

static void settle(struct sim_file *file, uint64_t cutoff)
{
	struct record *record;

	while ((record = file->records) && record->number <= cutoff) {
		for_pages(file, record->offset, record->bytes, record->length, page_settle);
		file->records = record->next;
		if (!file->records)
			file->records_last = &file->records;
		free(record);
	}
}

static void read_now(struct sim_file *file, const struct io_disk *disk)
{
	uint64_t offset = disk->offset;
	unsigned int i;

	for (i = 0; i < disk->iov_count; i++) {
		for_pages(file, offset, disk->iov[i].iov_base, disk->iov[i].iov_len, page_read);
		offset += disk->iov[i].iov_len;
	}
}

/* What is discarded reads as before, as zeros, or as anything, each page for itself; that is a write, and is lost or torn like one. */
static struct record *discard_record(struct sim_file *file, const struct io_disk *disk)
{
	struct sim_random *random = &file->host->world->random;
	struct record *record = malloc(sizeof(*record) + disk->length);
	size_t at;

	assert(record);
	file->discarded += disk->length;
	record->next = NULL;
	record->offset = disk->offset;
	record->length = disk->length;
	for (at = 0; at < disk->length; at += PAGE_BYTES) {
		if (sim_below(random, 4))
			memset(record->bytes + at, sim_below(random, 2) ? 0 : (int)sim_below(random, 256), PAGE_BYTES);
		else
			sim_disk_peek(file, disk->offset + at, record->bytes + at, PAGE_BYTES);
	}
	return record;
}

/* What an operation under way does when it ends. */
static struct record *record_of(struct sim_file *file, const struct io_disk *disk)
{
	return disk->kind == IO_DISK_DISCARD ? discard_record(file, disk) : record_new(disk);
}

void sim_disk_set_grain(struct sim_file *file, uint32_t bytes)
{
	file->grain = bytes;
}

uint64_t sim_disk_discarded(const struct sim_host *host)
{
	const struct sim_file *file;
	uint64_t bytes = 0;

	for (file = host->files; file; file = file->next)
		bytes += file->discarded;
	return bytes;
}

static void finish(struct op *op, int result)
{
	struct io_disk *disk = op->disk;

	free(op);
	disk->done(disk, result);
}

static void unlink_write(struct op *op)
{
	if (!op->link)
		return;
	*op->link = op->next;
	if (op->next)
		op->next->link = op->link;
	op->link = NULL;
}

void sim_disk_at_flush(struct sim_host *host, struct sim_event *event, bool alone)
{
	struct sim_file *file;

	for (file = host->files; file; file = file->next) {
		file->at_flush = event;
		file->at_flush_alone = alone;
	}
}

void sim_disk_at_write(struct sim_host *host, struct sim_event *event, unsigned int skip)
{
	struct sim_file *file;

	for (file = host->files; file; file = file->next) {
		file->at_write = event;
		file->at_write_skip = skip;
	}
}

static void tell_write(struct sim_file *file, uint64_t latency)
{
	struct sim_world *world = file->host->world;

	if (!file->at_write || file->at_write_skip--)
		return;
	sim_event_at(world, NULL, file->at_write, world->now_ns + sim_below(&world->random, 2 * latency));
	file->at_write = NULL;
}

void sim_disk_fail_next(struct sim_host *host, bool fail)
{
	struct sim_file *file;

	for (file = host->files; file; file = file->next)
		file->fails = fail;
}

/* A flush has begun, and will take so long. */
static void tell_flush(struct sim_file *file, uint64_t latency)
{
	struct sim_world *world = file->host->world;

	if (!file->at_flush || (!file->at_flush_alone && !file->writes && !file->records->next))
		return;
	sim_event_at(world, NULL, file->at_flush, world->now_ns + sim_below(&world->random, latency));
	file->at_flush = NULL;
}

static void begin_flush(struct op *op, struct sim_file *file)
{
	struct sim_world *world = op->host->world;
	uint64_t latency = latency_ns(world, world->faults.disk_sync_us);

	op->syncing = true;
	op->cutoff = file->record_count;
	sim_event_at(world, op->host, &op->event, world->now_ns + latency);
	tell_flush(file, latency);
}

static void run_op(struct sim_event *event)
{
	struct op *op = (struct op *)event;
	struct io_disk *disk = op->disk;
	struct sim_file *file = (struct sim_file *)disk->file;
	struct sim_world *world = op->host->world;

	unlink_write(op);
	if (file->fails) {
		if (is_change(disk) && !op->syncing && sim_below(&world->random, 2))
			finish_write(file, record_of(file, disk));
		file->fails = false;
		sim_note(world, op->host, "disk error", disk->kind, disk->offset);
		finish(op, -EIO);
		return;
	}
	if (op->syncing)
		settle(file, op->cutoff);
	else if (disk->kind == IO_DISK_READ)
		read_now(file, disk);
	else
		finish_write(file, record_of(file, disk));
	if (disk->kind == IO_DISK_WRITE && disk->sync && !op->syncing) {
		begin_flush(op, file);
		return;
	}
	finish(op, 0);
}

static void check_alignment(const struct sim_file *file, const struct io_disk *disk)
{
	size_t length = disk_bytes(disk);
	unsigned int i, last = disk->iov_count - 1;
	uint32_t unit = disk->kind == IO_DISK_WRITE ? file->sector : IO_DISK_ALIGN;

	if (disk->kind == IO_DISK_SYNC)
		return;
	assert(disk->offset % IO_DISK_ALIGN == 0 && length % unit == 0);
	assert(disk->offset <= file->bytes && length <= file->bytes - disk->offset);
	for (i = 0; disk->kind != IO_DISK_DISCARD && i < disk->iov_count; i++)
		assert((uintptr_t)disk->iov[i].iov_base % IO_DISK_ALIGN == 0 &&
		       disk->iov[i].iov_len % (i == last ? unit : IO_DISK_ALIGN) == 0);
}

/* What is being discarded nobody may write, and the other way round: who is first is not said. */
static void check_discards(const struct sim_file *file, const struct io_disk *disk)
{
	const struct io_disk *other;
	const struct op *op;

	for (op = file->writes; op && is_change(disk); op = op->next) {
		other = op->disk;
		if (disk->kind == IO_DISK_DISCARD || other->kind == IO_DISK_DISCARD)
			assert(disk->offset + disk_bytes(disk) <= other->offset ||
			       other->offset + disk_bytes(other) <= disk->offset);
	}
}

void sim_disk_submit(struct io *io, struct io_disk *disk)
{
	struct sim_host *host = sim_host_of(io);
	struct sim_world *world = host->world;
	struct sim_file *file = (struct sim_file *)disk->file;
	struct op *op = calloc(1, sizeof(*op));
	uint32_t longest_us = world->faults.disk_write_us;
	uint64_t latency;

	assert(op && host->up);
	check_alignment(file, disk);
	check_discards(file, disk);
	op->event.run = run_op;
	op->host = host;
	op->disk = disk;
	if (disk->kind == IO_DISK_SYNC) {
		op->syncing = true;
		op->cutoff = file->record_count;
		longest_us = world->faults.disk_sync_us;
	} else if (disk->kind == IO_DISK_READ) {
		longest_us = world->faults.disk_read_us;
	} else {
		op->next = file->writes;
		op->link = &file->writes;
		if (op->next)
			op->next->link = &op->next;
		file->writes = op;
	}
	latency = latency_ns(world, longest_us);
	sim_event_at(world, host, &op->event, world->now_ns + latency);
	if (disk->kind != IO_DISK_READ)
		tell_write(file, latency);
	if (disk->kind == IO_DISK_SYNC && file->at_flush_alone)
		tell_flush(file, latency);
}

/* ---- loss of power ------------------------------------------------------------- */

/* A write that was not durable leaves all, nothing, or some sectors. */
static void tear(struct sim_file *file, struct record *record)
{
	struct sim_random *random = &file->host->world->random;
	uint64_t fate = sim_below(random, 10);
	size_t at, part, end = record->length;

	if (fate < 4)
		return;
	if (fate == 8)
		end = sim_below(random, end / SIM_SECTOR_BYTES + 1) * SIM_SECTOR_BYTES;
	for (at = 0; at < end; at += part) {
		part = end - at < SIM_SECTOR_BYTES ? end - at : SIM_SECTOR_BYTES;
		if (fate < 9 || sim_below(random, 2))
			sim_disk_poke(file, record->offset + at, record->bytes + at, part);
	}
}

/* The records in a random order. */
static void tear_all(struct sim_file *file, struct record **records, size_t count)
{
	struct sim_random *random = &file->host->world->random;
	struct record *record;
	size_t i, other;

	for (i = 0; i < count; i++) {
		other = i + sim_below(random, count - i);
		record = records[other];
		records[other] = records[i];
		records[i] = record;
		tear(file, record);
	}
}

static void lose_power(struct sim_file *file)
{
	struct record *record, **records;
	size_t count = 0, i;

	for (record = file->records; record; record = record->next)
		count++;
	records = calloc(count + 1, sizeof(*records));
	assert(records);
	for (i = 0, record = file->records; record; record = record->next) {
		for_pages(file, record->offset, record->bytes, record->length, page_revert);
		records[i++] = record;
	}
	tear_all(file, records, count);
	for (i = 0; i < count; i++)
		free(records[i]);
	free(records);
	file->records = NULL;
	file->records_last = &file->records;
}

/* Writes in flight had begun: each may finish in part. A killed program's others are safe. */
void sim_disk_crash(struct sim_host *host, enum sim_crash kind)
{
	struct sim_file *file;
	struct op *op;

	for (file = host->files; file; file = file->next) {
		file->at_flush = NULL;
		file->at_write = NULL;
		file->fails = false;
		for (op = file->writes; op; op = op->next)
			if (sim_below(&host->world->random, 2))
				finish_write(file, record_of(file, op->disk));
		file->writes = NULL;
		if (kind == SIM_CRASH_POWER)
			lose_power(file);
	}
}

void sim_disk_destroy_all(struct sim_host *host)
{
	struct sim_file *file;
	uint64_t i;

	while ((file = host->files)) {
		host->files = file->next;
		settle(file, UINT64_MAX);
		for (i = 0; i < file->bytes / PAGE_BYTES; i++)
			free(file->pages[i].now);
		free(file->pages);
		free(file);
	}
}
