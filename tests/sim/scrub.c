// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the whole store of an OSD that has lost power. See scrub.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "scrub.h"
#include "server/osd/exec.h"
#include "server/osd/kv_mem.h"

#define OBJECTS_MAX 65536u
#define OBJECT_READ (4u << 20)

struct scrub {
	struct sim_daemon *daemon;
	struct osd_store *store;
	struct osd_list list;
	size_t at;			/* in the list */
	struct nacre_oid oid;
	struct osd_exec exec;
	struct nacre_osd_request request;
	uint8_t op[sizeof(struct nacre_osd_op_wire)];
	void (*done)(struct sim_daemon *daemon);
};

static void next_object(struct scrub *scrub);

/* Its memory is left as it is, as at a crash. */
static void end(struct scrub *scrub)
{
	mem_bytes_free(&scrub->list.pairs.bytes);
	scrub->done(scrub->daemon);
}

static void judge(struct scrub *scrub)
{
	if (scrub->exec.result == NACRE_E_CHECKSUM)
		sim_fail(scrub->daemon->sim, "%s: after a loss of power object %" PRIx64 ".%" PRIu64
			 " of pool %u is damaged", scrub->daemon->host->name, (uint64_t)scrub->oid.ino,
			 (uint64_t)scrub->oid.index, scrub->oid.pool);
	osd_exec_end(&scrub->exec);
}

static void object_read(struct osd_exec *exec)
{
	struct scrub *scrub = exec->owner;

	judge(scrub);
	next_object(scrub);
}

/* Begin to read an object. True: it is read already. */
static bool read_object(struct scrub *scrub, uint32_t pg)
{
	struct nacre_osd_op op = { .code = NACRE_OSD_OP_READ, .length = OBJECT_READ };
	struct nacre_writer writer = nacre_writer(scrub->op, sizeof(scrub->op));
	struct osd_exec *exec = &scrub->exec;

	nacre_encode(nacre_osd_op_desc(), &writer, &op);
	scrub->request = (struct nacre_osd_request){
		.ino = scrub->oid.ino, .index = scrub->oid.index, .snap = scrub->oid.snap,
		.pool = scrub->oid.pool, .pg = pg, .ops = scrub->op, .ops_bytes = sizeof(scrub->op),
	};
	memset(exec, 0, sizeof(*exec));
	exec->store = scrub->store;
	exec->request = &scrub->request;
	exec->pg = pg;
	exec->done = object_read;
	exec->owner = scrub;
	return osd_exec_start(exec);
}

static void next_object(struct scrub *scrub)
{
	struct kv_pair pair;
	uint32_t pg;

	while (!scrub->daemon->sim->failed && kv_pairs_next(&scrub->list.pairs, &scrub->at, &pair)) {
		if (osd_key_object_parse(pair.key, pair.key_bytes, &pg, &scrub->oid))
			continue;
		if (!read_object(scrub, pg))
			return;
		judge(scrub);
	}
	end(scrub);
}

static void listed(struct osd_list *list)
{
	next_object(list->owner);
}

/* ---- the store ----------------------------------------------------------------------------- */

static void opened(void *owner, int result, const char *why)
{
	struct scrub *scrub = owner;
	struct osd_list *list = &scrub->list;

	if (result) {			/* the OSD will judge that */
		end(scrub);
		return;
	}
	list->first = (struct osd_key){ .length = 1, .bytes = { 'O' } };
	list->end = (struct osd_key){ .length = 1, .bytes = { 'P' } };
	list->count_max = OBJECTS_MAX;
	list->bytes_max = 64u << 20;
	list->done = listed;
	list->owner = scrub;
	osd_store_list(scrub->store, list);
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
}

static void room(void *owner)
{
}

void scrub_start(struct sim_daemon *daemon, uint64_t fsid_lo, uint64_t fsid_hi,
		 void (*done)(struct sim_daemon *daemon))
{
	static const struct osd_store_calls calls = {
		.opened = opened, .replayed = replayed, .keep = keep, .failed = failed, .room = room,
	};
	struct scrub *scrub = calloc(1, sizeof(*scrub));
	struct osd_store_config config = {
		.io = sim_host_io(daemon->host), .log = daemon->log, .fsid_lo = fsid_lo, .fsid_hi = fsid_hi,
		.osd_id = (uint16_t)daemon->id, .backlog_bytes = UINT64_MAX / 4, .calls = &calls, .owner = scrub,
	};

	scrub->daemon = daemon;
	scrub->done = done;
	config.kv = kv_mem_open(config.io, daemon->kv);
	if (io_file_open(config.io, "store", &config.file) || osd_store_open(&config, &scrub->store)) {
		sim_fail(daemon->sim, "the store of %s cannot be opened", daemon->host->name);
		return;
	}
	/* never idle, so write-back does nothing */
	scrub->store->writeback.state = OSD_WRITEBACK_DEVICE;
}
