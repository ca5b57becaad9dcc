// SPDX-License-Identifier: GPL-2.0
/*
 * Reads whole stores and compares them; see stores.h. An object is summed up by
 * hashes of what a client could ask of it, by the same execution that serves
 * clients, so checksums are checked on the way.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "protocol/rules/inline.h"
#include "protocol/rules/layout.h"
#include "protocol/rules/placement.h"
#include "server/base/member.h"
#include "server/osd/check.h"
#include "server/osd/exec.h"
#include "server/osd/layout.h"
#include "server/osd/pglog.h"
#include "server/osd/store.h"
#include "groups.h"
#include "stores.h"

#define OPEN_LIMIT_NS (60 * SIM_NS_PER_S)
#define KEYS_MAX 8192u		/* of one kind in a group */
#define DATA_MAX (1u << 22)

/* One object of one replica. */
struct object_sum {
	struct nacre_oid oid;
	uint64_t size, version, hash;
	bool marked;			/* its inline data has been left here */
};

struct group_sums {
	struct object_sum *objects;
	size_t count;
};

struct opened {
	struct sim *sim;
	struct osd_store *store;
	bool done;
	int result;
	char why[128];
};

/* ---- opening ------------------------------------------------------------------------ */

static void on_opened(void *owner, int result, const char *why)
{
	struct opened *opened = owner;

	opened->done = true;
	opened->result = result;
	snprintf(opened->why, sizeof(opened->why), "%s", why ? why : "");
	opened->sim->world->stop = true;
}

static void on_replayed(void *owner, const struct osd_txn *txn)
{
}

static bool on_keep(void *owner, const struct osd_txn *txn, struct mem_bytes *value)
{
	return false;
}

static void on_failed(void *owner, const char *why)
{
	struct opened *opened = owner;

	sim_fail(opened->sim, "a store failed: %s", why);
}

static void on_room(void *owner)
{
}

static const struct osd_store_calls store_calls = {
	.opened = on_opened, .replayed = on_replayed, .keep = on_keep, .failed = on_failed,
	.room = on_room,
};

static bool open_store(struct sim_daemon *daemon, const struct cluster_map *map,
		       struct opened *opened)
{
	struct sim *sim = daemon->sim;
	struct osd_store_config config = {
		.io = sim_host_io(daemon->host), .log = daemon->log,
		.fsid_lo = map->map.fsid_lo, .fsid_hi = map->map.fsid_hi,
		.osd_id = (uint16_t)daemon->id, .calls = &store_calls, .owner = opened,
		.read_only = true,
	};

	opened->sim = sim;
	sim_host_restart(daemon->host);
	config.kv = kv_mem_open(config.io, daemon->kv);
	if (io_file_open(config.io, "store", &config.file) ||
	    osd_store_open(&config, &opened->store)) {
		sim_fail(sim, "the store of osd%u cannot be opened", daemon->id);
		return false;
	}
	sim_run(sim->world, sim->world->now_ns + OPEN_LIMIT_NS);
	if (!opened->done || opened->result)
		sim_fail(sim, "the store of osd%u does not open: %s", daemon->id, opened->why);
	return !sim->failed;
}

/* ---- each by itself --------------------------------------------------------------------- */

static void on_fault(void *owner, enum osd_check_fault fault, const char *sentence)
{
	struct opened *opened = owner;

	sim_fail(opened->sim, "a store has a fault (%s): %s", osd_check_fault_name(fault), sentence);
}

static void on_checked(void *owner, int result)
{
	struct opened *opened = owner;

	opened->done = true;
	opened->result = result;
	opened->sim->world->stop = true;
}

static void check_store(struct sim *sim, struct opened *opened)
{
	struct osd_check_config config = {
		.store = opened->store, .deep = true, .fault = on_fault, .done = on_checked, .owner = opened,
	};
	struct osd_check *check = osd_check_start(&config);

	opened->done = false;
	sim_run(sim->world, sim->world->now_ns + OPEN_LIMIT_NS);
	if (!opened->done || opened->result)
		sim_fail(sim, "the check of a store does not end");
	osd_check_free(check);
}

/* ---- reading an object ------------------------------------------------------------------ */

static void on_done_exec(struct osd_exec *exec)
{
	struct opened *opened = exec->owner;

	opened->done = true;
	opened->sim->world->stop = true;
}

static void put_op(struct nacre_writer *writer, uint16_t code, uint64_t offset, uint64_t length)
{
	struct nacre_osd_op op = { .code = code, .offset = offset, .length = length };

	nacre_encode(nacre_osd_op_desc(), writer, &op);
}

static bool has_mark(const struct osd_exec *exec)
{
	struct nacre_reader r = nacre_reader(exec->output.at, exec->results[1].output_size);
	struct nacre_key_value attr;

	while (nacre_reader_left(&r) && !nacre_decode(nacre_key_value_desc(), &r, &attr))
		if (attr.key_bytes == NACRE_INLINE_MARK_BYTES &&
		    !memcmp(attr.key, NACRE_INLINE_MARK, attr.key_bytes))
			return true;
	return false;
}

/* Everything of an object in one request: facts, attributes, keys, data, and which blocks there are. */
static void read_object(struct opened *opened, const struct nacre_map_pool *pool, uint32_t pg,
			struct object_sum *sum)
{
	uint8_t ops[5 * sizeof(struct nacre_osd_op_wire)];
	struct nacre_writer writer = nacre_writer(ops, sizeof(ops));
	struct nacre_osd_request request = {
		.ino = sum->oid.ino, .index = sum->oid.index, .snap = sum->oid.snap,
		.pool = sum->oid.pool, .pg = pg, .ops = ops, .ops_bytes = sizeof(ops),
	};
	struct osd_exec *exec = calloc(1, sizeof(*exec));

	put_op(&writer, NACRE_OSD_OP_STAT, 0, 0);
	put_op(&writer, NACRE_OSD_OP_LISTXATTR, 0, 0);
	put_op(&writer, NACRE_OSD_OP_KV_LIST, OSD_OUTPUT_MAX / 2, KEYS_MAX);
	put_op(&writer, NACRE_OSD_OP_READ, 0, DATA_MAX);
	put_op(&writer, NACRE_OSD_OP_MAP, 0, NACRE_OBJECT_MAX);
	exec->store = opened->store;
	exec->mode = osd_journal_mode_find(pool->journal_mode);
	exec->request = &request;
	exec->pg = pg;
	exec->pg_count = pool->pg_count;
	exec->object_bytes = pool->object_bytes;
	exec->done = on_done_exec;
	exec->owner = opened;
	opened->done = osd_exec_start(exec);
	if (!opened->done)
		sim_run(opened->sim->world, opened->sim->world->now_ns + OPEN_LIMIT_NS);
	if (!opened->done || exec->result) {
		sim_fail(opened->sim, "object %" PRIx64 ".%" PRIu64 " of pool %u cannot be read: %u",
			 (uint64_t)sum->oid.ino, (uint64_t)sum->oid.index, sum->oid.pool,
			 exec->result);
		return;
	}
	sum->size = exec->results[0].size;
	sum->version = exec->version;
	sum->marked = has_mark(exec);
	sum->hash = XXH64(exec->output.at, exec->output.length, exec->results[0].mtime);
	sum->hash = XXH64(exec->read_data.at, exec->read_data.length, sum->hash);
	osd_exec_end(exec);
	free(exec);
}

/* ---- reading a group ---------------------------------------------------------------------- */

static void on_listed(struct osd_list *list)
{
	struct opened *opened = list->owner;

	opened->done = true;
	opened->sim->world->stop = true;
}

/* All keys of one kind, with their values. */
static struct osd_list *list_group(struct opened *opened, char kind, uint32_t pool, uint32_t pg)
{
	struct osd_list *list = calloc(1, sizeof(*list));

	list->store = opened->store;
	osd_key_group_begin(&list->first, kind, pool, pg);
	osd_key_group_end(&list->end, kind, pool, pg);
	list->count_max = KEYS_MAX;
	list->bytes_max = 64u << 20;
	list->done = on_listed;
	list->owner = opened;
	opened->done = false;
	osd_store_list(opened->store, list);
	if (!opened->done)
		sim_run(opened->sim->world, opened->sim->world->now_ns + OPEN_LIMIT_NS);
	return list;
}

static void list_end(struct osd_list *list)
{
	mem_bytes_free(&list->pairs.bytes);
	free(list);
}

static void list_objects(struct opened *opened, uint32_t pool, uint32_t pg,
			 struct group_sums *sums)
{
	struct osd_list *list = list_group(opened, 'O', pool, pg);
	struct kv_pair pair;
	size_t at = 0;
	uint32_t found;

	sums->objects = calloc(KEYS_MAX, sizeof(*sums->objects));
	while (kv_pairs_next(&list->pairs, &at, &pair))
		if (!osd_key_object_parse(pair.key, pair.key_bytes, &found,
					  &sums->objects[sums->count].oid))
			sums->count++;
	list_end(list);
}

/* Its log as it stands there: an in-sync replica, and nothing is under way, so all of it is committed. */
static void read_log(struct opened *opened, uint32_t pool, uint32_t pg)
{
	struct osd_list *list = list_group(opened, 'L', pool, pg);
	struct nacre_rep_entry entry;
	struct kv_pair pair;
	uint64_t committed;
	size_t at = 0;

	while (kv_pairs_next(&list->pairs, &at, &pair)) {
		if (!pglog_value_parse(pair.value, pair.value_bytes, &entry, &committed))
			groups_note(opened->sim, pool, pg, &entry);
		else
			sim_fail(opened->sim, "the log of group %u.%u cannot be read", pool, pg);
	}
	list_end(list);
}

static void sum_group(struct opened *opened, const struct nacre_map_pool *pool, uint32_t pg,
		      struct group_sums *sums)
{
	size_t i;

	list_objects(opened, pool->id, pg, sums);
	for (i = 0; i < sums->count && !opened->sim->failed; i++)
		read_object(opened, pool, pg, &sums->objects[i]);
}

/* ---- comparing ------------------------------------------------------------------------------ */

static bool same_oid(const struct nacre_oid *a, const struct nacre_oid *b)
{
	return a->ino == b->ino && a->index == b->index && a->snap == b->snap &&
	       a->pool == b->pool;
}

static void compare(struct sim *sim, const struct group_sums *a, const struct group_sums *b,
		    uint16_t osd_a, uint16_t osd_b)
{
	const struct object_sum *x, *y;
	size_t i;

	for (i = 0; i < a->count || i < b->count; i++) {
		x = &a->objects[i];
		y = &b->objects[i];
		if (i >= a->count || i >= b->count || !same_oid(&x->oid, &y->oid)) {
			sim_fail(sim, "osd%u and osd%u do not have the same objects (%" PRIx64
				 ".%" PRIu64 " and %" PRIx64 ".%" PRIu64 ")", osd_a, osd_b,
				 (uint64_t)x->oid.ino, (uint64_t)x->oid.index,
				 (uint64_t)y->oid.ino, (uint64_t)y->oid.index);
			return;
		}
		if (x->size != y->size || x->version != y->version || x->hash != y->hash) {
			sim_fail(sim, "OSD-3: object %" PRIx64 ".%" PRIu64 " of pool %u differs: osd%u"
				 " size %" PRIu64 " version %" PRIu64 ", osd%u size %" PRIu64
				 " version %" PRIu64 "%s", (uint64_t)x->oid.ino,
				 (uint64_t)x->oid.index, x->oid.pool, osd_a, x->size, x->version,
				 osd_b, y->size, y->version,
				 x->hash != y->hash ? ", contents differ" : "");
			return;
		}
	}
}

/* Does a file with this inode need the object? A directory has none but in the metadata pool. */
static bool is_needed(const struct object_sum *sum, const struct store_inode *inode,
		      const struct nacre_map_pool *pool)
{
	const struct nacre_oid *oid = &sum->oid;

	if (oid->pool == NACRE_POOL_META)
		return true;
	if (inode->kept && !sum->size)
		return true;
	return !inode->is_dir &&
	       (!oid->index || oid->index < nacre_layout_objects(pool->object_bytes, inode->size));
}

/* Data is in one place only. */
static void check_inline(struct sim *sim, const struct object_sum *sum,
			 const struct store_inode *inode)
{
	if (!inode->is_inline || sum->oid.pool != NACRE_POOL_DATA)
		return;
	if (sum->oid.index || sum->size || sum->marked)
		sim_fail(sim, "object %" PRIx64 ".%" PRIu64 " of an inline file has %" PRIu64
			 " bytes%s", inode->ino, (uint64_t)sum->oid.index, sum->size,
			 sum->marked ? " and the mark" : "");
}

static bool find_owner(struct sim *sim, const struct object_sum *sum,
		       const struct nacre_map_pool *pool, struct store_inode *inodes, size_t count)
{
	const struct nacre_oid *oid = &sum->oid;
	size_t i;

	if (oid->ino < NACRE_INO_FIRST(0))
		return true;
	for (i = 0; i < count; i++)
		if (inodes[i].ino == oid->ino) {
			inodes[i].stored |= !oid->index;
			check_inline(sim, sum, &inodes[i]);
			return is_needed(sum, &inodes[i], pool);
		}
	return false;
}

static void find_orphans(struct sim *sim, const struct group_sums *sums,
			 const struct nacre_map_pool *pool, struct store_inode *inodes, size_t count)
{
	size_t i;

	for (i = 0; i < sums->count && !sim->failed; i++)
		if (!find_owner(sim, &sums->objects[i], pool, inodes, count) && !sim->failed)
			sim_fail(sim, "object %" PRIx64 ".%" PRIu64 " of pool %u belongs to nothing",
				 (uint64_t)sums->objects[i].oid.ino,
				 (uint64_t)sums->objects[i].oid.index, sums->objects[i].oid.pool);
}

/* Everything that has a name is found by its number: by a backtrace or as an own inode, in one pool or another. */
static void find_missing(struct sim *sim, const struct store_inode *inodes, size_t count)
{
	size_t i;

	for (i = 0; i < count && !sim->failed; i++)
		if (!inodes[i].stored && inodes[i].ino != NACRE_INO_ROOT)
			sim_fail(sim, "inode %" PRIx64 " has no object at all", inodes[i].ino);
}

/* What an OSD had of a group that is elsewhere now is gone. */
static void check_no_strays(struct sim *sim, struct opened *opened, const struct nacre_map_pool *pool, uint32_t pg,
			    unsigned int osd)
{
	struct group_sums sums = { NULL };

	sum_group(opened, pool, pg, &sums);
	if (sums.count && !sim->failed)
		sim_fail(sim, "osd%u has %zu objects of group %u.%u, of which it is no member", osd, sums.count, pool->id, pg);
	free(sums.objects);
}

static void check_group(struct sim *sim, struct opened *opened, const struct cluster_map *map,
			const struct nacre_map_pool *pool, uint32_t pg, struct store_inode *inodes,
			size_t count)
{
	struct group_sums sums[NACRE_PG_SLOTS] = { { NULL } };
	struct nacre_map_pg group;
	int slot, first = -1;
	uint16_t osd;

	nacre_map_pg_at(&map->view, pool->id, pg, &group);
	for (slot = 0; slot < NACRE_PG_SLOTS && !sim->failed; slot++) {
		osd = nacre_pg_slot(&group, slot);
		if (osd == NACRE_OSD_NONE || !(group.in_sync >> slot & 1))
			continue;
		read_log(&opened[osd], pool->id, pg);
		sum_group(&opened[osd], pool, pg, &sums[slot]);
		if (first < 0)
			first = slot;
		else if (!sim->failed)
			compare(sim, &sums[first], &sums[slot], nacre_pg_slot(&group, first), osd);
	}
	for (osd = 0; osd < SIM_OSDS; osd++)
		if (nacre_pg_slot_of(&group, osd) < 0)
			check_no_strays(sim, &opened[osd], pool, pg, osd);
	if (first >= 0)
		find_orphans(sim, &sums[first], pool, inodes, count);
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		free(sums[slot].objects);
}

/* Everything is up and healed: every group must have all its replicas again. */
static void check_in_sync(struct sim *sim, const struct cluster_map *map)
{
	struct nacre_map_pool pool;
	struct nacre_map_pg group;
	uint32_t id, pg;

	for (id = 0; !nacre_map_pool_at(&map->view, id, &pool); id++)
		for (pg = 0; pg < pool.pg_count; pg++) {
			nacre_map_pg_at(&map->view, id, pg, &group);
			if (group.in_sync != (1u << pool.replicas) - 1)
				sim_fail(sim, "group %u.%u has not got all its replicas back", id,
					 pg);
		}
}

void stores_check(struct sim *sim, struct store_inode *inodes, size_t count)
{
	struct opened opened[SIM_OSDS] = { { NULL } };
	struct cluster_map *map = NULL;
	struct nacre_map_pool pool;
	const uint8_t *bytes;
	uint64_t epoch;
	size_t length;
	uint32_t id, pg;

	bytes = sim_store_map(sim->store, &epoch, &length);
	if (cluster_map_create(bytes, length, &map)) {
		sim_fail(sim, "the last map cannot be read");
		return;
	}
	check_in_sync(sim, map);
	cluster_crash(&sim->mds, SIM_CRASH_KILL);
	for (id = 0; id < SIM_OSDS; id++)
		cluster_crash(&sim->osds[id], SIM_CRASH_KILL);
	for (id = 0; id < SIM_OSDS && !sim->failed; id++)
		if (open_store(&sim->osds[id], map, &opened[id]))
			check_store(sim, &opened[id]);
	for (id = 0; !sim->failed && !nacre_map_pool_at(&map->view, id, &pool); id++)
		for (pg = 0; pg < pool.pg_count && !sim->failed; pg++)
			check_group(sim, opened, map, &pool, pg, inodes, count);
	find_missing(sim, inodes, count);
	if (!sim->failed)
		groups_check(sim);
	cluster_map_put(map);
}
