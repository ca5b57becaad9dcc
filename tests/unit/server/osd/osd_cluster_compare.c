// SPDX-License-Identifier: GPL-2.0
/*
 * Looking at replicas: everything that in-sync members of a group hold is the
 * same (OSD-3). See osd_cluster_rig.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <xxhash.h>
#include "osd_cluster_rig.h"
#include "server/osd/exec.h"

static bool is_done(struct cluster *c)
{
	return c->done;
}

static void exec_done(struct osd_exec *exec)
{
	((struct cluster *)exec->owner)->done = true;
}

/* Everything about one object on one OSD, as one number. */
static uint64_t object_hash(struct cluster *c, struct osd_store *store, uint32_t pg,
			    const struct nacre_oid *oid)
{
	struct nacre_osd_op ops[4] = {
		{ .code = NACRE_OSD_OP_READ, .length = 4u << 20 },
		{ .code = NACRE_OSD_OP_LISTXATTR },
		{ .code = NACRE_OSD_OP_KV_LIST, .length = 10000, .offset = 400000 },
		{ .code = NACRE_OSD_OP_MAP, .length = NACRE_OBJECT_MAX },
	};
	struct mem_bytes encoded = { 0 };
	struct nacre_osd_request request = { .ino = oid->ino, .index = oid->index,
					     .snap = oid->snap, .pool = oid->pool };
	struct osd_exec exec = { .store = store, .mode = &osd_journal_mode_data,
				 .request = &request, .pg = pg, .pg_count = CLUSTER_PGS,
				 .object_bytes = 4u << 20, .done = exec_done, .owner = c };
	struct osd_onode *onode;
	uint64_t hash, numbers[4];
	int i;

	for (i = 0; i < 4; i++)
		osd_disk_append(&encoded, nacre_osd_op_desc(), &ops[i]);
	request.ops = encoded.at;
	request.ops_bytes = (uint32_t)encoded.length;
	c->done = false;
	if (!osd_exec_start(&exec))
		cluster_until(c, is_done, 10, "a look at a replica");
	assert_int_equal(exec.result, 0);
	onode = &exec.view.object->onode;
	numbers[0] = onode->size;
	numbers[1] = onode->version;
	numbers[2] = onode->interval;
	numbers[3] = onode->truncate_seq;
	hash = XXH64(numbers, sizeof(numbers), 0);
	hash = XXH64(exec.read_data.at, exec.read_data.length, hash);
	hash = XXH64(exec.output.at, exec.output.length, hash);
	osd_exec_end(&exec);
	mem_bytes_free(&encoded);
	return hash;
}

static void list_done(struct osd_list *list)
{
	((struct cluster *)list->owner)->done = true;
}

static uint64_t group_hash(struct cluster *c, uint16_t osd, uint32_t pool, uint32_t pg)
{
	struct osd_store *store = c->osds[osd].osd->store;
	struct osd_list list = { .count_max = 10000, .bytes_max = 1 << 24, .done = list_done,
				 .owner = c };
	struct nacre_oid oid;
	struct kv_pair pair;
	uint64_t hash = 0, one;
	uint32_t found;
	size_t at = 0;

	osd_key_group_begin(&list.first, 'O', pool, pg);
	osd_key_group_end(&list.end, 'O', pool, pg);
	c->done = false;
	osd_store_list(store, &list);
	cluster_until(c, is_done, 10, "a list");
	while (kv_pairs_next(&list.pairs, &at, &pair)) {
		assert_int_equal(osd_key_object_parse(pair.key, pair.key_bytes, &found, &oid), 0);
		hash = XXH64(pair.key, pair.key_bytes, hash);
		one = object_hash(c, store, pg, &oid);
		hash = XXH64(&one, sizeof(one), hash);
	}
	mem_bytes_free(&list.pairs.bytes);
	return hash;
}

void cluster_compare_replicas(struct cluster *c)
{
	struct nacre_map_pg row;
	uint32_t pool, pg;
	uint64_t first = 0, hash;
	bool any;
	int slot;

	for (pool = 0; pool < 2; pool++) {
		for (pg = 0; pg < CLUSTER_PGS; pg++) {
			assert_int_equal(nacre_map_pg_at(&c->map->view, pool, pg, &row), 0);
			for (slot = 0, any = false; slot < NACRE_PG_SLOTS; slot++) {
				if (!(row.in_sync >> slot & 1))
					continue;
				hash = group_hash(c, nacre_pg_slot(&row, slot), pool, pg);
				if (any && hash != first)
					fail_msg("OSD-3: group %u.%u differs on osd%u", pool, pg,
						 nacre_pg_slot(&row, slot));
				first = hash;
				any = true;
			}
		}
	}
}
