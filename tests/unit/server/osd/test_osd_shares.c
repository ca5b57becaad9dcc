// SPDX-License-Identifier: GPL-2.0
/*
 * Clones and snapshots among object servers: replicas are equal, whoever was away gets them, each object of a shared block is
 * repaired, and what a group leaves behind is removed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "osd_cluster_rig.h"
#include "server/osd/scrub.h"

#define BYTES (64u << 10)
#define HEAD NACRE_SNAP_HEAD

/* Memory of crashed daemons stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct cluster c;

static int teardown(void **state)
{
	cluster_end(&c);
	memset(&c, 0, sizeof(c));
	return 0;
}

static void start(unsigned int osds, unsigned int replicas)
{
	cluster_start(&c, 42, osds, replicas, 1);
}

static uint32_t write_byte(uint64_t ino, uint64_t snap, uint64_t offset, size_t length, uint8_t value)
{
	struct osdc_request *request = osdc_request_new(c.osdc, 1, ino, 0);
	uint8_t bytes[BYTES];
	uint32_t result;

	memset(bytes, value, length);
	osdc_request_snap(request, snap);
	osdc_add_data(request, NACRE_OSD_OP_WRITE, offset, bytes, length);
	result = cluster_run(&c, request);
	osdc_request_free(request);
	return result;
}

static uint32_t clone_object(uint64_t ino, uint64_t snap, uint64_t from, uint64_t from_snap)
{
	struct nacre_oid oid = { .ino = from, .snap = from_snap, .pool = 1 };
	struct osdc_request *request = osdc_request_new(c.osdc, 1, ino, 0);
	struct mem_bytes value = { 0 };
	uint32_t result;

	osd_disk_append(&value, nacre_oid_desc(), &oid);
	osdc_request_snap(request, snap);
	osdc_add(request, NACRE_OSD_OP_CLONE, 0, NULL, 0, value.at, value.length, 0, 0);
	result = cluster_run(&c, request);
	osdc_request_free(request);
	mem_bytes_free(&value);
	return result;
}

static uint32_t delete_object(uint64_t ino, uint64_t snap)
{
	struct osdc_request *request = osdc_request_new(c.osdc, 1, ino, 0);
	uint32_t result;

	osdc_request_snap(request, snap);
	osdc_add(request, NACRE_OSD_OP_DELETE, 0, NULL, 0, NULL, 0, 0, 0);
	result = cluster_run(&c, request);
	osdc_request_free(request);
	return result;
}

/* All bytes of [offset, +length) are this value. */
static void expect(uint64_t ino, uint64_t snap, uint64_t offset, size_t length, uint8_t value)
{
	struct osdc_request *request = osdc_request_new(c.osdc, 1, ino, 0);
	struct osdc_result result;
	size_t i;

	osdc_request_snap(request, snap);
	osdc_add(request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, offset, length);
	assert_int_equal(cluster_run(&c, request), 0);
	result = osdc_request_result(request, 0);
	assert_int_equal(result.data_bytes, length);
	for (i = 0; i < length; i++)
		assert_int_equal(result.data[i], value);
	osdc_request_free(request);
}

/* A number in the group of another one. */
static uint64_t beside(uint64_t ino)
{
	uint64_t other = ino + 1;

	while (cluster_pg(&c, other) != cluster_pg(&c, ino))
		other++;
	return other;
}

static void come_back(unsigned int osd)
{
	sim_host_restart(c.osds[osd].host);
	cluster_osd_start(&c.osds[osd]);
	cluster_until(&c, cluster_all_clean, 60, "all in sync again");
	cluster_compare_replicas(&c);
}

static uint64_t used_blocks(unsigned int osd)
{
	const struct osd_alloc *alloc = &c.osds[osd].osd->store->alloc;

	return alloc->blocks - alloc->free;
}

static void test_replicas_are_equal(void **state)
{
	uint64_t other, blocks;
	unsigned int i;

	c.journal_mode = NACRE_JOURNAL_COW;
	start(3, 3);
	other = beside(100);
	assert_int_equal(write_byte(100, HEAD, 0, BYTES, 1), 0);
	blocks = used_blocks(0);
	assert_int_equal(clone_object(100, 5, 100, HEAD), 0);
	assert_int_equal(clone_object(other, HEAD, 100, 5), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(used_blocks(i), blocks);
	assert_int_equal(clone_object(100, 5, 100, HEAD), EEXIST);
	assert_int_equal(write_byte(100, 5, 0, 10, 9), EROFS);
	assert_int_equal(write_byte(100, HEAD, BYTES / 2, BYTES / 4, 2), 0);
	assert_int_equal(write_byte(other, HEAD, 10, 10, 3), 0);
	cluster_compare_replicas(&c);
	expect(100, 5, 0, BYTES, 1);
	expect(100, HEAD, BYTES / 2, BYTES / 4, 2);
	expect(100, HEAD, 0, BYTES / 2, 1);
	expect(other, HEAD, 10, 10, 3);
	assert_int_equal(delete_object(100, HEAD), 0);
	assert_int_equal(delete_object(100, 5), 0);
	expect(other, HEAD, 20, BYTES - 20, 1);
	assert_int_equal(delete_object(other, HEAD), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(used_blocks(i), 0);
}

static void change_while_away(uint64_t other)
{
	assert_int_equal(clone_object(100, 6, 100, HEAD), 0);
	assert_int_equal(write_byte(100, HEAD, 0, BYTES / 2, 2), 0);
	assert_int_equal(clone_object(100, 7, 100, HEAD), 0);
	assert_int_equal(delete_object(100, 5), 0);
	assert_int_equal(clone_object(other, HEAD, 100, 6), 0);
	assert_int_equal(write_byte(other, HEAD, BYTES / 2, BYTES / 2, 3), 0);
}

static void expect_changed(uint64_t other)
{
	expect(100, 6, 0, BYTES, 1);
	expect(100, HEAD, 0, BYTES / 2, 2);
	expect(100, HEAD, BYTES / 2, BYTES / 2, 1);
	expect(100, 7, 0, BYTES / 2, 2);
	expect(other, HEAD, 0, BYTES / 2, 1);
	expect(other, HEAD, BYTES / 2, BYTES / 2, 3);
}

/* One is away, with objects that share blocks; then its primary is, so that it has to serve what it was sent. */
static void away_and_back(void)
{
	uint64_t other;
	uint16_t primary;

	start(2, 2);
	other = beside(100);
	primary = cluster_primary(&c, 100);
	assert_int_equal(write_byte(100, HEAD, 0, BYTES, 1), 0);
	assert_int_equal(clone_object(100, 5, 100, HEAD), 0);
	cluster_osd_kill(&c.osds[!primary], SIM_CRASH_POWER);
	change_while_away(other);
	come_back(!primary);
	expect_changed(other);
	cluster_osd_kill(&c.osds[primary], SIM_CRASH_KILL);
	cluster_pass(&c, 5000);
	expect_changed(other);
	/* what the copies share or do not share differs by now */
	assert_int_equal(clone_object(100, 8, 100, 6), 0);
	assert_int_equal(write_byte(100, HEAD, 0, BYTES, 4), 0);
	come_back(primary);
	expect(100, 8, 0, BYTES, 1);
	expect(100, HEAD, 0, BYTES, 4);
	assert_int_equal(write_byte(other, HEAD, 0, BYTES, 5), 0);
	cluster_compare_replicas(&c);
}

static void test_who_was_away_catches_up(void **state)
{
	away_and_back();
}

static void test_who_was_away_is_sent_objects(void **state)
{
	c.log_keep = 2;
	away_and_back();
}

/* ---- scrub -------------------------------------------------------------------------------------- */

static bool is_scrubbed(struct cluster *cluster)
{
	unsigned int i;

	for (i = 0; i < cluster->osd_count; i++)
		if (cluster->osds[i].osd->scrub->run || !TAILQ_EMPTY(&cluster->osds[i].osd->scrub->asked) ||
		    !TAILQ_EMPTY(&cluster->osds[i].osd->scrub->objects))
			return false;
	return true;
}

static uint64_t scrub_all(void)
{
	uint64_t before = 0, after = 0;
	unsigned int i;

	for (i = 0; i < c.osd_count; i++) {
		before += c.osds[i].osd->scrub->found;
		osd_scrub_ask(c.osds[i].osd, NULL, true);
	}
	cluster_until(&c, is_scrubbed, 120, "a scrub");
	for (i = 0; i < c.osd_count; i++)
		after += c.osds[i].osd->scrub->found;
	return after - before;
}

/* The same block of three objects: each of them is repaired, and has one of its own then. */
static void test_each_object_of_a_bad_block_is_repaired(void **state)
{
	struct osd_object_key key = { .ino = 100, .snap = HEAD, .pool = 1 };
	struct osd_object *object;
	struct osd_store *store;
	uint64_t blocks;

	start(3, 3);
	assert_int_equal(write_byte(100, HEAD, 0, BYTES, 1), 0);
	assert_int_equal(clone_object(100, 5, 100, HEAD), 0);
	assert_int_equal(clone_object(100, 6, 100, HEAD), 0);
	cluster_pass(&c, 1000);
	store = c.osds[1].osd->store;
	blocks = used_blocks(1);
	key.pg = cluster_pg(&c, 100);
	object = osd_object_pin(&store->objects, &key);
	sim_disk_poke((struct sim_file *)store->file, store->super.data_offset + object->chunks[0]->block[3] * OSD_BLOCK_BYTES, "x", 1);
	osd_object_unpin(&store->objects, object);
	assert_int_equal(scrub_all(), 3);
	cluster_pass(&c, 1000);
	assert_int_equal(scrub_all(), 0);
	assert_int_equal(used_blocks(1), blocks + 2);
	expect(100, HEAD, 0, BYTES, 1);
	expect(100, 5, 0, BYTES, 1);
	expect(100, 6, 0, BYTES, 1);
	cluster_compare_replicas(&c);
}

/* ---- moving --------------------------------------------------------------------------------------- */

static int empty_first(struct cluster *cluster, struct mapedit *next)
{
	next->osds[0].weight = 0;
	return 0;
}

static bool has_left(struct cluster *cluster)
{
	return !osd_store_space(cluster->osds[0].osd->store).objects && cluster_all_clean(cluster);
}

static void test_groups_move_with_their_snapshots(void **state)
{
	uint64_t ino;

	start(3, 2);
	for (ino = 100; ino < 110; ino++) {
		assert_int_equal(write_byte(ino, HEAD, 0, BYTES, 1), 0);
		assert_int_equal(clone_object(ino, 5, ino, HEAD), 0);
		assert_int_equal(write_byte(ino, HEAD, 0, BYTES / 2, 2), 0);
	}
	cluster_edit(&c, empty_first);
	cluster_until(&c, has_left, 120, "the first one to be empty");
	cluster_compare_replicas(&c);
	for (ino = 100; ino < 110; ino++) {
		expect(ino, 5, 0, BYTES, 1);
		expect(ino, HEAD, 0, BYTES / 2, 2);
	}
	assert_int_equal(used_blocks(0), 0);
	assert_int_equal(c.osds[0].osd->store->shares.record_count, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_replicas_are_equal),
		CASE(test_who_was_away_catches_up),
		CASE(test_who_was_away_is_sent_objects),
		CASE(test_each_object_of_a_bad_block_is_repaired),
		CASE(test_groups_move_with_their_snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
