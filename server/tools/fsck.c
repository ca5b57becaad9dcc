// SPDX-License-Identifier: GPL-2.0
/*
 * The check of an OSD's store, run by a loop of its own: device and RocksDB are opened for reading, the journal is
 * replayed in memory, and then server/osd/check.c walks over all of it. One line a second says how far it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fsck.h"
#include "server/base/loop.h"
#include "server/osd/check.h"
#include "tool.h"

#define PROGRESS_NS 1000000000ull
#define FAULT_LINES 1000u		/* more are counted only */

struct fsck {
	const char *name;
	bool deep;
	struct io *io;
	struct osd_store *store;
	struct osd_check *check;
	struct io_timer progress;
	int result;			/* of opening, then of the check */
	char why[256];
	unsigned int lines;
};

/* ---- progress ------------------------------------------------------------------------------ */

static uint64_t faults_of(const struct osd_check_counts *counts)
{
	uint64_t sum = 0;

	for (int i = 0; i < OSD_CHECK_FAULT_KINDS; i++)
		sum += counts->faults[i];
	return sum;
}

static void show_progress(struct io_timer *timer)
{
	struct fsck *fsck = (struct fsck *)((char *)timer - offsetof(struct fsck, progress));
	const struct osd_check_counts *counts = osd_check_counts(fsck->check);
	bool terminal = isatty(STDERR_FILENO);

	fprintf(stderr, "%s%s: %" PRIu64 " of %" PRIu64 " objects, %" PRIu64 " blocks compared, %" PRIu64 " faults%s",
		terminal ? "\r" : "", fsck->name, counts->objects, fsck->store->object_count,
		counts->blocks_compared, faults_of(counts), terminal ? "\033[K" : "\n");
	io_timer_arm(fsck->io, timer, io_now(fsck->io) + PROGRESS_NS);
}

/* ---- the check ----------------------------------------------------------------------------- */

static void on_fault(void *owner, enum osd_check_fault fault, const char *sentence)
{
	struct fsck *fsck = owner;

	if (fsck->lines++ < FAULT_LINES)
		printf("%s: %s: %s\n", fsck->name, osd_check_fault_name(fault), sentence);
	else if (fsck->lines == FAULT_LINES + 1)
		printf("%s: further faults are counted only\n", fsck->name);
}

static void on_checked(void *owner, int result)
{
	struct fsck *fsck = owner;

	fsck->result = result;
	if (result)
		snprintf(fsck->why, sizeof(fsck->why), "the key-value store cannot be read: %s", strerror(-result));
	io_timer_cancel(fsck->io, &fsck->progress);
	loop_stop(fsck->io);
}

static void on_opened(void *owner, int result, const char *why)
{
	struct fsck *fsck = owner;
	struct osd_check_config config = {
		.store = fsck->store, .deep = fsck->deep, .fault = on_fault, .done = on_checked, .owner = fsck,
	};

	fsck->result = result;
	snprintf(fsck->why, sizeof(fsck->why), "%s", why ? why : "");
	if (result) {
		loop_stop(fsck->io);
		return;
	}
	fsck->check = osd_check_start(&config);
	fsck->progress.fire = show_progress;
	io_timer_arm(fsck->io, &fsck->progress, io_now(fsck->io) + PROGRESS_NS);
}

static void on_replayed(void *owner, const struct osd_txn *txn)
{
}

static void on_failed(void *owner, const char *why)
{
}

/* ---- the verdict ---------------------------------------------------------------------------- */

static int verdict(const struct fsck *fsck)
{
	const struct osd_check_counts *counts = osd_check_counts(fsck->check);
	uint64_t faults = faults_of(counts);

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	printf("objects %" PRIu64 "\nblocks %" PRIu64 "\nunwritten %" PRIu64 "\ncompared %" PRIu64 "\nunstable %" PRIu64 "\n"
	       "pairs %" PRIu64 "\nlog_entries %" PRIu64 "\nkept %" PRIu64 "\nleaked_blocks %" PRIu64 "\n",
	       counts->objects, counts->blocks, counts->unwritten, counts->blocks_compared, counts->unstable, counts->pairs,
	       counts->log_entries, counts->kept, counts->leaked);
	for (int i = 0; i < OSD_CHECK_FAULT_KINDS; i++)
		printf("faults_%s %" PRIu64 "\n", osd_check_fault_name(i), counts->faults[i]);
	printf("%s: %s\n", fsck->name, faults ? "faults were found" : "clean");
	return faults ? FSCK_FAULTS : FSCK_CLEAN;
}

static int not_made(const struct fsck *fsck, const char *why)
{
	tool_failed("%s: %s", fsck->name, why);
	return FSCK_NOT_MADE;
}

static int check_store(struct fsck *fsck, struct osd_store_config *config)
{
	int result;

	if (osd_store_open(config, &fsck->store))
		return not_made(fsck, "out of memory");
	loop_run(fsck->io);
	result = fsck->result ? not_made(fsck, fsck->why) : verdict(fsck);
	if (fsck->check)
		osd_check_free(fsck->check);
	osd_store_abandon(fsck->store);
	return result;
}

/* Both are needed; of either kind of failure a sentence was printed. */
static int open_both(struct fsck *fsck, const struct config *config, struct osd_store_config *store)
{
	char error[TOOL_ERROR_BYTES];
	int err = kv_rocksdb_open(fsck->io, config->kv_dir, KV_READ_ONLY, &store->kv, error, sizeof(error));

	if (err)
		return not_made(fsck, error);
	err = io_file_open(fsck->io, config->device, &store->file);
	if (!err)
		return 0;
	snprintf(error, sizeof(error), "%s cannot be opened: %s", config->device, strerror(-err));
	kv_close(store->kv);
	return not_made(fsck, error);
}

int fsck_run(const struct config *config, bool deep)
{
	static const struct osd_store_calls calls = {
		.opened = on_opened, .replayed = on_replayed, .failed = on_failed,
	};
	struct fsck fsck = { .name = config->daemon, .deep = deep };
	struct loop_config loop = { 0 };
	struct osd_store_config store = { .read_only = true, .calls = &calls, .owner = &fsck };
	int result, err;

	if (strncmp(fsck.name, "osd", 3) || !*config->device || !*config->kv_dir)
		return not_made(&fsck, "it is no OSD with device and kv_dir in the configuration");
	store.osd_id = (uint16_t)strtoul(fsck.name + 3, NULL, 10);
	store.log = log_create(NULL, fsck.name, LOG_ERROR);
	err = loop_create(&loop, &fsck.io);
	if (err) {
		log_destroy(store.log);
		return not_made(&fsck, loop_error(err));
	}
	store.io = fsck.io;
	result = open_both(&fsck, config, &store);
	if (!result)
		result = check_store(&fsck, &store);
	loop_destroy(fsck.io);
	log_destroy(store.log);
	return result;
}
