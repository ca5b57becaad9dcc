// SPDX-License-Identifier: GPL-2.0
/*
 * Scrub and repair: rot of data and of checksums is never served (CSUM-1), is repaired from a good replica, on a
 * checksum's verdict only (CSUM-2), and is told of with object, offset, replica and reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "osd_cluster_rig.h"
#include "protocol/error.h"
#include "server/osd/scrub.h"

/* Memory of crashed daemons stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

#define BYTES (40u << 10)

static struct cluster c;
static uint8_t pattern[BYTES];

static void start(unsigned int osds, unsigned int replicas, unsigned int min_size)
{
	unsigned int i;

	for (i = 0; i < BYTES; i++)
		pattern[i] = (uint8_t)(i * 7 + i / 4096);
	cluster_start(&c, 42, osds, replicas, min_size);
}

static int teardown(void **state)
{
	cluster_end(&c);
	memset(&c, 0, sizeof(c));
	return 0;
}

static void write_pattern(uint64_t ino)
{
	assert_int_equal(cluster_write(&c, ino, 0, pattern, BYTES), 0);
	cluster_pass(&c, 1000);		/* written back */
}

static void expect_pattern(uint64_t ino)
{
	static uint8_t got[BYTES];
	size_t length;

	assert_int_equal(cluster_read(&c, ino, got, BYTES, &length), 0);
	assert_int_equal(length, BYTES);
	assert_memory_equal(got, pattern, BYTES);
}

static struct osd_object *find_object(unsigned int osd, uint64_t ino)
{
	struct osd_object_key key = { ino, 0, NACRE_SNAP_HEAD, 1, cluster_pg(&c, ino) };
	struct osd_objects *objects = &c.osds[osd].osd->store->objects;
	struct osd_object *object = osd_object_pin(objects, &key);

	osd_object_unpin(objects, object);
	return object;
}

/* Change the bytes of one block on the device of one OSD, which is not told. */
static void rot(unsigned int osd, uint64_t ino, uint32_t block)
{
	struct osd_store *store = c.osds[osd].osd->store;
	struct osd_object *object = find_object(osd, ino);
	struct sim_file *file = (struct sim_file *)store->file;
	uint64_t offset;
	uint8_t byte;

	assert_non_null(object->chunks[0]);
	offset = store->super.data_offset + object->chunks[0]->block[block] * OSD_BLOCK_BYTES + 100;
	sim_disk_peek(file, offset, &byte, 1);
	byte ^= 0x10;
	sim_disk_poke(file, offset, &byte, 1);
}

static uint16_t replica_of(uint64_t ino)
{
	return (uint16_t)((cluster_primary(&c, ino) + 1) % 3);
}

static struct osd_scrub *scrub_at(uint64_t ino)
{
	return c.osds[cluster_primary(&c, ino)].osd->scrub;
}

static bool is_scrubbed(struct cluster *cluster)
{
	unsigned int i;

	for (i = 0; i < cluster->osd_count; i++)
		if (cluster->osds[i].osd && (cluster->osds[i].osd->scrub->run ||
					     !TAILQ_EMPTY(&cluster->osds[i].osd->scrub->asked) ||
					     !TAILQ_EMPTY(&cluster->osds[i].osd->scrub->objects)))
			return false;
	return true;
}

/* Scrub everything; how much was found. */
static uint64_t scrub_all(bool deep)
{
	uint64_t before = 0, after = 0;
	unsigned int i;

	for (i = 0; i < c.osd_count; i++)
		before += c.osds[i].osd->scrub->found;
	for (i = 0; i < c.osd_count; i++)
		osd_scrub_ask(c.osds[i].osd, NULL, deep);
	cluster_until(&c, is_scrubbed, 120, "a scrub");
	for (i = 0; i < c.osd_count; i++)
		after += c.osds[i].osd->scrub->found;
	return after - before;
}

static const struct scrub_finding *finding(uint64_t ino, unsigned int back)
{
	const struct osd_scrub *scrub = scrub_at(ino);

	return &scrub->findings[(scrub->found - 1 - back) % SCRUB_FINDINGS_MAX];
}

/* ---- reads ------------------------------------------------------------------------------------ */

static void test_csum_1_read_is_repaired(void **state)
{
	start(3, 3, 2);
	write_pattern(100);
	rot(cluster_primary(&c, 100), 100, 3);
	expect_pattern(100);
	assert_int_equal(scrub_at(100)->found, 1);
	assert_true(finding(100, 0)->repaired);
	assert_int_equal(finding(100, 0)->offset, 3 * 4096);
	assert_int_equal(finding(100, 0)->length, 4096);
	assert_int_equal(finding(100, 0)->osd, cluster_primary(&c, 100));
	assert_int_equal(finding(100, 0)->key.ino, 100);
	cluster_pass(&c, 1000);
	assert_int_equal(scrub_all(true), 0);
	cluster_compare_replicas(&c);
}

/* The edges of a write are read before it: bytes beside it come from the good replica. */
static void test_csum_1_partial_overwrite(void **state)
{
	start(3, 3, 2);
	write_pattern(100);
	rot(cluster_primary(&c, 100), 100, 2);
	assert_int_equal(cluster_write(&c, 100, 2 * 4096 + 10, "nacre", 5), 0);
	memcpy(pattern + 2 * 4096 + 10, "nacre", 5);
	expect_pattern(100);
	cluster_compare_replicas(&c);
}

/* Everywhere the same block: an error for it, and what is beside it can be read. */
static void test_nobody_has_it(void **state)
{
	static uint8_t got[BYTES];
	size_t length;
	unsigned int i;

	start(3, 3, 2);
	write_pattern(100);
	for (i = 0; i < 3; i++)
		rot(i, 100, 5);
	assert_int_equal(cluster_read(&c, 100, got, BYTES, &length), NACRE_E_CHECKSUM);
	assert_int_equal(scrub_at(100)->found, 3);
	assert_false(finding(100, 0)->repaired);
	assert_int_equal(cluster_read(&c, 100, got, 4096, &length), 0);
	assert_memory_equal(got, pattern, 4096);
	/* and a block more on one of them is repaired still */
	rot(cluster_primary(&c, 100), 100, 0);
	assert_int_equal(cluster_read(&c, 100, got, 4096, &length), 0);
	assert_memory_equal(got, pattern, 4096);
}

/* A read meets a device that fails, and again when all has been repaired: it is repaired again (simulator, seed 312042). */
static void test_device_fails_twice(void **state)
{
	struct nacre_osd_request read = { .ino = 100 };
	struct cluster_osd *primary;

	start(3, 3, 2);
	write_pattern(100);
	primary = &c.osds[cluster_primary(&c, 100)];
	sim_disk_fail_next(primary->host, true);
	cluster_raw_send(&c, primary->id, &read, NACRE_OSD_OP_READ, NULL, 0, NULL, BYTES);
	while (!primary->osd->stats.reads_repaired)
		sim_run(c.world, c.world->now_ns + SIM_NS_PER_US);
	sim_disk_fail_next(primary->host, false);
	while (!TAILQ_EMPTY(&primary->osd->scrub->objects))
		sim_run(c.world, c.world->now_ns + SIM_NS_PER_US);
	assert_false(c.reply.came);
	sim_disk_fail_next(primary->host, true);
	while (primary->osd->stats.reads_repaired < 2 && !c.reply.came)
		sim_run(c.world, c.world->now_ns + SIM_NS_PER_US);
	sim_disk_fail_next(primary->host, false);
	cluster_pass(&c, 1000);
	assert_true(c.reply.came);
	assert_int_equal(c.reply.result, 0);
	expect_pattern(100);
}

/* Each replica has another bad block: all are repaired, each from somebody else. */
static void test_each_has_another(void **state)
{
	unsigned int i;

	start(3, 3, 2);
	write_pattern(100);
	for (i = 0; i < 3; i++)
		rot(i, 100, 4 + i);
	assert_int_equal(scrub_all(true), 3);
	expect_pattern(100);
	cluster_pass(&c, 1000);
	assert_int_equal(scrub_all(true), 0);
	cluster_compare_replicas(&c);
}

/* ---- scrubs ------------------------------------------------------------------------------------- */

static void test_replica_is_repaired(void **state)
{
	uint64_t ino;

	start(3, 3, 2);
	for (ino = 100; ino < 130; ino++)
		write_pattern(ino);
	assert_int_equal(scrub_all(true), 0);
	assert_int_equal(scrub_all(false), 0);
	rot(replica_of(110), 110, 1);
	rot(replica_of(110), 110, 2);
	assert_int_equal(scrub_all(false), 0);	/* a light one reads no bytes */
	assert_int_equal(scrub_all(true), 1);
	assert_int_equal(finding(110, 0)->osd, replica_of(110));
	assert_int_equal(finding(110, 0)->offset, 4096);
	assert_int_equal(finding(110, 0)->length, 8192);
	assert_true(finding(110, 0)->repaired);
	cluster_pass(&c, 1000);
	assert_int_equal(scrub_all(true), 0);
	cluster_compare_replicas(&c);
}

/* A checksum that has rotted is as good as a block that has. */
static void test_checksum_is_repaired(void **state)
{
	struct osd_object *object;

	start(3, 3, 2);
	write_pattern(100);
	object = find_object(replica_of(100), 100);
	object->chunks[0]->crc[7] ^= 1;
	assert_int_equal(scrub_all(true), 1);
	assert_true(finding(100, 0)->repaired);
	cluster_pass(&c, 1000);
	assert_int_equal(scrub_all(true), 0);
	cluster_compare_replicas(&c);
}

/* All checksums match, and the bytes differ: nobody can say who is right. */
static void test_csum_2_no_verdict_no_repair(void **state)
{
	struct osd_object *object;

	start(3, 3, 2);
	write_pattern(100);
	object = find_object(replica_of(100), 100);
	object->onode.mtime += 5;
	assert_int_equal(scrub_all(false), 1);
	assert_int_equal(finding(100, 0)->reason, SCRUB_ATTRIBUTES);
	assert_false(finding(100, 0)->repaired);
	assert_int_equal(scrub_all(true), 1);
	/* nor is a bad block repaired then */
	rot(cluster_primary(&c, 100), 100, 3);
	assert_int_equal(scrub_all(true), 2);
	assert_false(finding(100, 0)->repaired);
	object->onode.mtime -= 5;
	assert_int_equal(scrub_all(true), 1);
	assert_true(finding(100, 0)->repaired);
	expect_pattern(100);
}

static void test_missing_object_is_reported(void **state)
{
	struct osd_object *object;

	start(3, 3, 2);
	write_pattern(100);
	object = find_object(replica_of(100), 100);
	object->exists = false;
	assert_int_equal(scrub_all(false), 1);
	assert_int_equal(finding(100, 0)->reason, SCRUB_ABSENT);
	assert_int_equal(finding(100, 0)->osd, replica_of(100));
	object->exists = true;
	assert_int_equal(scrub_all(false), 0);
}

/* Writes go on, to the objects being scrubbed, too: nothing is called bad. */
static void test_no_false_alarm_under_writes(void **state)
{
	unsigned int i, round;

	start(3, 3, 2);
	for (i = 0; i < 8; i++)
		write_pattern(100 + i);
	for (round = 0; round < 30; round++) {
		for (i = 0; i < c.osd_count; i++)
			osd_scrub_ask(c.osds[i].osd, NULL, true);
		for (i = 0; i < 8; i++)
			assert_int_equal(cluster_write(&c, 100 + i, round * 1000, pattern, 6000 + round), 0);
	}
	cluster_until(&c, is_scrubbed, 120, "a scrub");
	for (i = 0; i < c.osd_count; i++)
		assert_int_equal(c.osds[i].osd->scrub->found, 0);
	cluster_compare_replicas(&c);
}

/* The map changes in the middle: the scrub begins again, and comes to its end. */
static void test_survives_a_new_interval(void **state)
{
	uint64_t ino;

	start(3, 3, 2);
	for (ino = 100; ino < 120; ino++)
		write_pattern(ino);
	rot(cluster_primary(&c, 100), 100, 1);
	for (ino = 0; ino < 3; ino++)
		osd_scrub_ask(c.osds[ino].osd, NULL, true);
	cluster_pass(&c, 250);
	cluster_osd_kill(&c.osds[replica_of(100)], SIM_CRASH_KILL);
	cluster_osd_start_later(&c.osds[replica_of(100)], 1500);
	cluster_pass(&c, 2000);
	cluster_until(&c, cluster_all_clean, 60, "all in sync");
	cluster_until(&c, is_scrubbed, 120, "the scrubs");
	scrub_all(true);
	assert_int_equal(scrub_all(true), 0);
	expect_pattern(100);
	cluster_compare_replicas(&c);
}

/* A member is caught up from a primary with a bad block: that is repaired first, from the third. */
static void test_catching_up_repairs_first(void **state)
{
	uint16_t primary, away;

	start(3, 3, 2);
	write_pattern(100);
	primary = cluster_primary(&c, 100);
	away = replica_of(100);
	cluster_osd_kill(&c.osds[away], SIM_CRASH_KILL);
	cluster_pass(&c, 3000);
	assert_int_equal(cluster_write(&c, 100, 30000, pattern + 30000, 100), 0);
	cluster_pass(&c, 1000);
	rot(primary, 100, 3);
	cluster_osd_start_later(&c.osds[away], 1);
	cluster_until(&c, cluster_all_clean, 60, "all in sync");
	expect_pattern(100);
	assert_int_equal(scrub_all(true), 0);
	cluster_compare_replicas(&c);
}

/* So many bytes of a replica in a second, and no more. */
static void test_it_is_throttled(void **state)
{
	uint64_t ino, begin_ns;
	unsigned int i;

	start(3, 3, 2);
	for (ino = 100; ino < 120; ino++)
		write_pattern(ino);
	for (i = 0; i < 3; i++)
		c.osds[i].osd->config.scrub_bytes_per_s = 100u << 10;
	begin_ns = c.world->now_ns;
	assert_int_equal(scrub_all(true), 0);
	assert_true(c.world->now_ns - begin_ns > 20ull * BYTES * SIM_NS_PER_S / (100u << 10) / 3);
}

static uint64_t scrubs_so_far(void)
{
	uint64_t scrubs = 0;
	unsigned int i;

	for (i = 0; i < 3; i++)
		scrubs += c.osds[i].osd->stats.scrubs;
	return scrubs;
}

/* Each group once in the period, and not all at once. */
static void test_by_itself(void **state)
{
	uint64_t half;
	unsigned int i;

	start(3, 3, 2);
	write_pattern(100);
	cluster_pass(&c, 5000);
	assert_int_equal(scrubs_so_far(), 0);	/* not unless it is told to */
	rot(replica_of(100), 100, 1);
	for (i = 0; i < 3; i++)
		c.osds[i].osd->config.scrub_deep_s = 60;
	cluster_pass(&c, 30000);
	half = scrubs_so_far();
	assert_true(half > 0);
	cluster_pass(&c, 45000);
	assert_true(scrubs_so_far() > half);
	assert_true(scrubs_so_far() >= 2 * CLUSTER_PGS);
	assert_true(scrubs_so_far() <= 4 * CLUSTER_PGS);
	assert_int_equal(scrub_at(100)->found, 1);
	assert_true(finding(100, 0)->repaired);
}

/* Asking again does not make the queue longer. */
static void test_asked_twice(void **state)
{
	unsigned int i, groups;

	start(3, 3, 2);
	groups = osd_scrub_ask(c.osds[0].osd, NULL, true);
	for (i = 0; i < 100; i++)
		assert_int_equal(osd_scrub_ask(c.osds[0].osd, NULL, true), groups);
	assert_int_equal(c.osds[0].osd->scrub->asked_groups, groups);
	cluster_until(&c, is_scrubbed, 60, "the scrubs");
	assert_int_equal(c.osds[0].osd->scrub->asked_done, groups);
}

#define CASE(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_csum_1_read_is_repaired),
		CASE(test_csum_1_partial_overwrite),
		CASE(test_nobody_has_it),
		CASE(test_device_fails_twice),
		CASE(test_each_has_another),
		CASE(test_replica_is_repaired),
		CASE(test_checksum_is_repaired),
		CASE(test_csum_2_no_verdict_no_repair),
		CASE(test_missing_object_is_reported),
		CASE(test_no_false_alarm_under_writes),
		CASE(test_survives_a_new_interval),
		CASE(test_catching_up_repairs_first),
		CASE(test_it_is_throttled),
		CASE(test_by_itself),
		CASE(test_asked_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
