// SPDX-License-Identifier: GPL-2.0
/*
 * Checking the whole store of an OSD that has lost power. See scrub.h.
 */
#include <stdlib.h>
#include "scrub.h"
#include "server/osd/check.h"
#include "server/osd/kv_mem.h"

struct scrub {
	struct sim_daemon *daemon;
	struct osd_store *store;
	struct osd_check *check;
	void (*done)(struct sim_daemon *daemon);
};

static void on_fault(void *owner, enum osd_check_fault fault, const char *sentence)
{
	struct scrub *scrub = owner;

	sim_fail(scrub->daemon->sim, "%s: after a loss of power its store has a fault (%s): %s",
		 scrub->daemon->host->name, osd_check_fault_name(fault), sentence);
}

/* The store's memory is left as it is, as at a crash. */
static void on_checked(void *owner, int result)
{
	struct scrub *scrub = owner;

	scrub->done(scrub->daemon);
}

static void on_opened(void *owner, int result, const char *why)
{
	struct scrub *scrub = owner;
	struct osd_check_config config = {
		.store = scrub->store, .deep = true, .fault = on_fault, .done = on_checked, .owner = scrub,
	};

	if (result)			/* the OSD will judge that */
		scrub->done(scrub->daemon);
	else
		scrub->check = osd_check_start(&config);
}

static void on_replayed(void *owner, const struct osd_txn *txn)
{
}

static void on_failed(void *owner, const char *why)
{
}

void scrub_start(struct sim_daemon *daemon, void (*done)(struct sim_daemon *daemon))
{
	static const struct osd_store_calls calls = {
		.opened = on_opened, .replayed = on_replayed, .failed = on_failed,
	};
	struct scrub *scrub = calloc(1, sizeof(*scrub));
	struct osd_store_config config = {
		.io = sim_host_io(daemon->host), .log = daemon->log, .osd_id = (uint16_t)daemon->id,
		.read_only = true, .calls = &calls, .owner = scrub,
	};

	scrub->daemon = daemon;
	scrub->done = done;
	config.kv = kv_mem_open(config.io, daemon->kv);
	if (io_file_open(config.io, "store", &config.file) || osd_store_open(&config, &scrub->store))
		sim_fail(daemon->sim, "the store of %s cannot be opened", daemon->host->name);
}
