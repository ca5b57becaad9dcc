// SPDX-License-Identifier: GPL-2.0
/*
 * Object servers among themselves and with clients: fencing, request ids, generations,
 * replication, reconciliation after crashes, catching up by log and by objects.
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

/* Memory of crashed daemons stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct cluster c;
static uint32_t room_result;

static void start(unsigned int osds, unsigned int replicas, unsigned int min_size)
{
	cluster_start(&c, 42, osds, replicas, min_size);
}

static int teardown(void **state)
{
	c.log_keep = 0;
	cluster_end(&c);
	memset(&c, 0, sizeof(c));
	return 0;
}

static void expect(uint64_t ino, const char *bytes)
{
	char got[256];
	size_t length;

	assert_int_equal(cluster_read(&c, ino, got, sizeof(got), &length), 0);
	assert_int_equal(length, strlen(bytes));
	assert_memory_equal(got, bytes, length);
}

static uint32_t write_text(uint64_t ino, const char *bytes)
{
	return cluster_write(&c, ino, 0, bytes, strlen(bytes));
}

/* ---- FENCE-1 ------------------------------------------------------------------------------ */

static void test_fence_1_unknown_instance(void **state)
{
	struct nacre_osd_request head = { .ino = 100, .instance = 1000 };

	start(1, 1, 1);
	assert_int_equal(cluster_raw(&c, 0, &head, NACRE_OSD_OP_WRITE, NULL, 0, "x", 1),
			 NACRE_E_UNKNOWN_INSTANCE);
	expect(100, "");
}

static uint64_t second_instance;

static int issue_second(struct cluster *cluster, struct mapedit *next)
{
	second_instance = mapedit_new_instance(next);
	return 0;
}

static int kill_second(struct cluster *cluster, struct mapedit *next)
{
	return mapedit_kill(next, second_instance);
}

static void test_fence_1_dead_instance(void **state)
{
	struct nacre_osd_request head = { .ino = 100 }, again = { .ino = 100 };

	start(1, 1, 1);
	cluster_edit(&c, issue_second);
	cluster_pass(&c, 500);
	head.instance = again.instance = second_instance;
	assert_int_equal(cluster_raw(&c, 0, &head, NACRE_OSD_OP_WRITE, NULL, 0, "alive", 5), 0);
	cluster_edit(&c, kill_second);
	cluster_pass(&c, 500);
	assert_int_equal(cluster_raw(&c, 0, &again, NACRE_OSD_OP_WRITE, NULL, 0, "DEAD", 4),
			 NACRE_E_DEAD_INSTANCE);
	expect(100, "alive");
}

static void test_fence_1_newer_epoch_and_barrier(void **state)
{
	struct nacre_osd_request head = { .ino = 100 }, barrier = { .ino = 100 };

	start(1, 1, 1);
	head.map_epoch = c.map->view.epoch + 5;
	assert_int_equal(cluster_raw(&c, 0, &head, NACRE_OSD_OP_WRITE, NULL, 0, "x", 1),
			 NACRE_E_NEWER_EPOCH);
	barrier.barrier_epoch = c.map->view.epoch + 1;
	assert_int_equal(cluster_raw(&c, 0, &barrier, NACRE_OSD_OP_WRITE, NULL, 0, "x", 1),
			 NACRE_E_NEWER_EPOCH);
	expect(100, "");
}

static void test_fence_1_not_primary(void **state)
{
	struct nacre_osd_request head = { .ino = 100 };

	start(2, 2, 1);
	assert_int_equal(cluster_raw(&c, !cluster_primary(&c, 100), &head, NACRE_OSD_OP_WRITE, NULL,
				     0, "x", 1), NACRE_E_NOT_PRIMARY);
}

/* Cut off from the map store its lease runs out, and from then on it executes nothing. */
static void test_fence_1_lease_lost(void **state)
{
	struct nacre_osd_request head;
	uint32_t result = 0;
	int tries;

	start(1, 1, 1);
	c.no_restart = true;
	sim_partition(c.osds[0].host, sim_store_host(c.store), 60 * SIM_NS_PER_S);
	for (tries = 0; !result && tries < 100; tries++) {
		head = (struct nacre_osd_request){ .ino = 100 };
		result = cluster_raw(&c, 0, &head, NACRE_OSD_OP_WRITE, NULL, 0, "x", 1);
		cluster_pass(&c, 50);
	}
	assert_int_equal(result, NACRE_E_LEASE_LOST);
	for (tries = 0; tries < 20; tries++) {
		head = (struct nacre_osd_request){ .ino = 100 };
		assert_int_equal(cluster_raw(&c, 0, &head, NACRE_OSD_OP_WRITE, NULL, 0, "y", 1),
				 NACRE_E_LEASE_LOST);
		cluster_pass(&c, 50);
	}
	assert_true(c.osds[0].fenced);
}

/* Judged again when its turn comes: the sender was alive when it arrived. */
static void test_fence_1_sender_dies_in_the_queue(void **state)
{
	struct nacre_osd_request write = { .ino = 100 }, read = { .ino = 100 },
				 late = { .ino = 100 };
	uint16_t primary;

	start(2, 2, 1);
	cluster_edit(&c, issue_second);
	cluster_pass(&c, 200);
	primary = cluster_primary(&c, 100);
	/* A write that is not committed, a read behind it, and the late write behind that. */
	sim_partition(c.osds[0].host, c.osds[1].host, 1500 * SIM_NS_PER_MS);
	cluster_raw_send(&c, primary, &write, NACRE_OSD_OP_WRITE, NULL, 0, "write", 5);
	cluster_raw_send(&c, primary, &read, NACRE_OSD_OP_READ, NULL, 0, NULL, 5);
	late.instance = second_instance;
	cluster_raw_send(&c, primary, &late, NACRE_OSD_OP_WRITE, NULL, 0, "LATE!", 5);
	cluster_pass(&c, 200);
	assert_false(c.reply.came);
	cluster_edit(&c, kill_second);
	cluster_pass(&c, 8000);
	assert_true(c.reply.came);
	assert_int_equal(c.reply.tid, late.tid);
	assert_int_equal(c.reply.result, NACRE_E_DEAD_INSTANCE);
	expect(100, "write");
}

/* ---- request ids and generations ----------------------------------------------------------------- */

static void test_resend_is_answered_as_before(void **state)
{
	struct nacre_osd_request one = { .ino = 200, .tid = 7000 }, two = { .ino = 200, .tid = 7001 };
	struct nacre_osd_request again;
	uint16_t primary;
	uint64_t version;

	start(3, 3, 1);
	primary = cluster_primary(&c, 200);
	assert_int_equal(cluster_raw(&c, primary, &one, NACRE_OSD_OP_WRITE, NULL, 0, "one", 3), 0);
	version = c.reply.version;
	assert_int_equal(cluster_raw(&c, primary, &two, NACRE_OSD_OP_WRITE, NULL, 0, "two", 3), 0);
	again = (struct nacre_osd_request){ .ino = 200, .tid = 7000 };
	assert_int_equal(cluster_raw(&c, primary, &again, NACRE_OSD_OP_WRITE, NULL, 0, "one", 3), 0);
	assert_int_equal(c.reply.version, version);
	assert_int_equal(c.reply.result_count, 1);
	expect(200, "two");
	/* Also after a restart, and after a change of primary. */
	cluster_osd_kill(&c.osds[primary], SIM_CRASH_POWER);
	cluster_pass(&c, 3000);
	assert_int_not_equal(cluster_primary(&c, 200), primary);
	again = (struct nacre_osd_request){ .ino = 200, .tid = 7000 };
	assert_int_equal(cluster_raw(&c, cluster_primary(&c, 200), &again, NACRE_OSD_OP_WRITE, NULL,
				     0, "one", 3), 0);
	assert_int_equal(c.reply.version, version);
	expect(200, "two");
}

/* What the older generation had queued is never executed; what was numbered is. */
static void test_newer_generation_discards(void **state)
{
	struct nacre_osd_request write = { .ino = 203, .conn_gen = 1 };
	struct nacre_osd_request read = { .ino = 203, .conn_gen = 1 };
	struct nacre_osd_request queued = { .ino = 203, .conn_gen = 1 };
	struct nacre_osd_request newer = { .ino = 203, .conn_gen = 2 };
	uint16_t primary;

	start(2, 2, 1);
	primary = cluster_primary(&c, 203);
	sim_partition(c.osds[0].host, c.osds[1].host, 1000 * SIM_NS_PER_MS);
	cluster_raw_send(&c, primary, &write, NACRE_OSD_OP_WRITE, NULL, 0, "numbered", 8);
	cluster_raw_send(&c, primary, &read, NACRE_OSD_OP_READ, NULL, 0, NULL, 8);
	cluster_raw_send(&c, primary, &queued, NACRE_OSD_OP_WRITE, NULL, 0, "QUEUED", 6);
	cluster_pass(&c, 100);
	cluster_raw_send(&c, primary, &newer, NACRE_OSD_OP_READ, NULL, 0, NULL, 8);
	cluster_pass(&c, 6000);
	assert_int_equal(c.osds[primary].osd->stats.requests_discarded, 2);
	assert_int_equal(c.reply.tid, newer.tid);
	assert_int_equal(c.reply.result, 0);
	assert_int_equal(c.reply.version, 1);	/* the only write of the group */
}

static void test_older_generation_is_refused(void **state)
{
	struct nacre_osd_request head = { .ino = 202, .conn_gen = 9 };
	struct nacre_osd_request old = { .ino = 202, .conn_gen = 8 };

	start(1, 1, 1);
	assert_int_equal(cluster_raw(&c, 0, &head, NACRE_OSD_OP_WRITE, NULL, 0, "new", 3), 0);
	assert_int_equal(cluster_raw(&c, 0, &old, NACRE_OSD_OP_WRITE, NULL, 0, "old", 3),
			 NACRE_E_STALE_GENERATION);
}

/* ---- replication, reconciliation, catching up --------------------------------------------------------- */

static void test_replicas_are_equal(void **state)
{
	char text[32];
	uint64_t ino;

	start(3, 3, 2);
	for (ino = 300; ino < 330; ino++) {
		snprintf(text, sizeof(text), "object %u", (unsigned int)ino);
		assert_int_equal(write_text(ino, text), 0);
	}
	cluster_compare_replicas(&c);
	for (ino = 300; ino < 330; ino++) {
		snprintf(text, sizeof(text), "object %u", (unsigned int)ino);
		expect(ino, text);
	}
}

static void test_one_down_goes_on_and_catches_up_by_log(void **state)
{
	char text[32];
	uint64_t ino;

	start(3, 3, 1);
	for (ino = 400; ino < 420; ino++)
		assert_int_equal(write_text(ino, "before"), 0);
	cluster_osd_kill(&c.osds[1], SIM_CRASH_KILL);
	for (ino = 410; ino < 430; ino++) {
		snprintf(text, sizeof(text), "during %u", (unsigned int)ino);
		assert_int_equal(write_text(ino, text), 0);
	}
	assert_false(cluster_all_clean(&c));
	sim_host_restart(c.osds[1].host);
	cluster_osd_start(&c.osds[1]);
	cluster_until(&c, cluster_all_clean, 60, "all in sync again");
	cluster_compare_replicas(&c);
	assert_true(c.osds[1].osd->stats.objects_pulled > 0);
	expect(405, "before");
	expect(425, "during 425");
}

static uint64_t epoch_now(void)
{
	cluster_refresh(&c);
	return c.map->view.epoch;
}

/* Eight groups are caught up by two primaries: each asks for few maps, not for one a group. */
static void test_catching_up_takes_one_map_for_many_groups(void **state)
{
	uint64_t ino, before;

	start(3, 3, 1);
	cluster_osd_kill(&c.osds[1], SIM_CRASH_KILL);
	for (ino = 700; ino < 740; ino++)
		assert_int_equal(write_text(ino, "during"), 0);
	sim_host_restart(c.osds[1].host);
	cluster_osd_start(&c.osds[1]);
	cluster_until(&c, cluster_all_serve, 60, "it serves again");
	before = epoch_now();
	cluster_until(&c, cluster_all_clean, 60, "all in sync again");
	assert_int_equal(c.osds[0].osd->stats.members_caught_up + c.osds[2].osd->stats.members_caught_up,
			 2 * CLUSTER_PGS);
	assert_in_range(epoch_now() - before, 1, 4);
	cluster_compare_replicas(&c);
}

/* The log is cut shorter than what happened meanwhile: all objects are compared. */
static void test_catch_up_by_objects(void **state)
{
	uint8_t bytes[300000];
	char text[32];
	int round;
	uint64_t ino;

	c.log_keep = 4;
	start(2, 2, 1);
	for (ino = 500; ino < 520; ino++)
		assert_int_equal(write_text(ino, "before"), 0);
	cluster_osd_kill(&c.osds[1], SIM_CRASH_POWER);
	for (round = 0; round < 4; round++) {
		for (ino = 505; ino < 530; ino++) {
			snprintf(text, sizeof(text), "round %d of %u", round, (unsigned int)ino);
			assert_int_equal(write_text(ino, text), 0);
		}
	}
	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(cluster_write(&c, 530, 1000000, bytes, sizeof(bytes)), 0);
	sim_host_restart(c.osds[1].host);
	cluster_osd_start(&c.osds[1]);
	cluster_until(&c, cluster_all_clean, 60, "all in sync again");
	cluster_compare_replicas(&c);
	expect(502, "before");
	expect(529, "round 3 of 529");
}

static void request_done(struct osdc_request *request, uint32_t result)
{
	uint32_t *done = osdc_request_owner(request);

	*done = result;
}

static bool has_result(struct cluster *cluster)
{
	return room_result != UINT32_MAX;
}

static uint32_t allocate(uint64_t ino, uint64_t offset, uint64_t length)
{
	struct osdc_request *request = osdc_request_new(c.osdc, 1, ino, 0);

	osdc_add(request, NACRE_OSD_OP_ALLOCATE, 0, NULL, 0, NULL, 0, offset, length);
	room_result = UINT32_MAX;
	osdc_submit(request, request_done, &room_result);
	cluster_until(&c, has_result, 60, "room");
	osdc_request_free(request);
	return room_result;
}

/* A member that was away has the same room afterwards, and wrote nothing for it; also where its log said enough. */
static void test_caught_up_member_has_room(void **state)
{
	uint64_t free_blocks;

	c.log_keep = 4;
	start(2, 2, 1);
	assert_int_equal(write_text(500, "before"), 0);
	free_blocks = c.osds[1].osd->store->alloc.free;
	cluster_osd_kill(&c.osds[1], SIM_CRASH_POWER);
	assert_int_equal(allocate(500, 0, 3u << 20), 0);
	assert_int_equal(allocate(501, 100000, 1u << 20), 0);
	assert_int_equal(cluster_write(&c, 500, 1u << 20, "text", 4), 0);
	sim_host_restart(c.osds[1].host);
	cluster_osd_start(&c.osds[1]);
	cluster_until(&c, cluster_all_clean, 60, "all in sync again");
	cluster_compare_replicas(&c);
	assert_int_equal(c.osds[0].osd->store->alloc.free, c.osds[1].osd->store->alloc.free);
	assert_in_range(free_blocks - c.osds[1].osd->store->alloc.free, 1024, 1030);
	assert_true(c.osds[1].osd->store->stats->bytes_data < 1u << 20);
}

static void test_writes_go_on_while_one_catches_up(void **state)
{
	uint8_t *bytes = mem_zero(1, 200000);
	char text[32];
	int round = 0;
	uint64_t ino;

	start(2, 2, 1);
	for (ino = 600; ino < 640; ino++)
		assert_int_equal(write_text(ino, "before"), 0);
	cluster_osd_kill(&c.osds[0], SIM_CRASH_KILL);
	for (ino = 600; ino < 640; ino++)	/* much to send, so that it takes a while */
		assert_int_equal(cluster_write(&c, ino, 0, bytes, 200000), 0);
	sim_host_restart(c.osds[0].host);
	cluster_osd_start(&c.osds[0]);
	while (!cluster_all_clean(&c)) {
		snprintf(text, sizeof(text), "round %4d", ++round);
		assert_int_equal(write_text(600 + (uint64_t)round * 7 % 40, text), 0);
		assert_true(round < 20000);
	}
	cluster_compare_replicas(&c);
	free(bytes);
}

static void test_all_killed_together(void **state)
{
	char text[32];
	uint64_t ino;
	unsigned int i;

	start(3, 3, 1);
	for (ino = 700; ino < 740; ino++) {
		snprintf(text, sizeof(text), "acked %u", (unsigned int)ino);
		assert_int_equal(write_text(ino, text), 0);
	}
	for (i = 0; i < 3; i++)
		cluster_osd_kill(&c.osds[i], SIM_CRASH_POWER);
	cluster_pass(&c, 100);
	for (i = 0; i < 3; i++) {
		sim_host_restart(c.osds[i].host);
		cluster_osd_start(&c.osds[i]);
	}
	cluster_until(&c, cluster_all_clean, 60, "all in sync again");
	cluster_compare_replicas(&c);
	for (ino = 700; ino < 740; ino++) {
		snprintf(text, sizeof(text), "acked %u", (unsigned int)ino);
		expect(ino, text);
	}
}

/* One is ahead by a transaction that the others never got: it is sent to them, exactly. */
static void test_longest_log_wins(void **state)
{
	struct nacre_osd_request head = { .ino = 800 };
	uint16_t primary;
	unsigned int i;

	start(3, 3, 1);
	primary = cluster_primary(&c, 800);
	assert_int_equal(write_text(800, "first"), 0);
	for (i = 0; i < 3; i++)
		if (i != primary)
			sim_partition(c.osds[primary].host, c.osds[i].host, 400 * SIM_NS_PER_MS);
	cluster_raw_send(&c, primary, &head, NACRE_OSD_OP_WRITE, NULL, 0, "ahead", 5);
	cluster_pass(&c, 100);
	assert_false(c.reply.came);
	for (i = 0; i < 3; i++)
		cluster_osd_kill(&c.osds[i], SIM_CRASH_POWER);
	sim_heal(c.world);
	for (i = 0; i < 3; i++) {
		sim_host_restart(c.osds[i].host);
		cluster_osd_start(&c.osds[i]);
	}
	cluster_until(&c, cluster_all_clean, 60, "all in sync again");
	cluster_compare_replicas(&c);
	expect(800, "ahead");
}

/* A member is fuller than its primary: it is heeded, and forgiven when it has room again. */
static void test_full_member_then_freed(void **state)
{
	uint8_t *mega = mem_zero(1, 1 << 20);
	struct osd_alloc *alloc;
	struct { uint64_t block; uint32_t count; } runs[64];
	uint64_t ino, taken = 0;
	uint32_t err = 0;
	uint16_t member;

	start(2, 2, 1);
	assert_int_equal(write_text(819, "small"), 0);
	member = !cluster_primary(&c, 820);
	alloc = &c.osds[member].osd->store->alloc;
	/* Fill it behind everybody's back. */
	while (alloc->free > alloc->reserve + 500) {
		assert_int_equal(osd_alloc_take(alloc, 100, false, &runs[taken].block, &runs[taken].count), 0);
		taken++;
	}
	for (ino = 820; !err && ino < 880; ino++)
		err = cluster_write(&c, ino, 8192, mega, 1 << 20);
	assert_int_equal(err, ENOSPC);
	assert_true(alloc->free >= alloc->reserve);
	expect(819, "small");
	/* Room again: within moments writes go on, though nothing told the primaries. */
	while (taken--)
		osd_alloc_give(alloc, runs[taken].block, runs[taken].count);
	while (cluster_write(&c, 890, 0, mega, 1 << 20) == ENOSPC)
		cluster_pass(&c, 10);
	cluster_until(&c, cluster_all_clean, 10, "all in sync, as before");
	free(mega);
}

/*
 * The same when the journal has forgotten it: what is not known to be committed
 * was put under a T key before its record went.
 */
static void test_rec_1_kept_beyond_the_journal(void **state)
{
	struct nacre_osd_request head = { .ino = 810 };
	uint8_t bytes[9000];
	struct osd_store *store;
	struct pg_kept *kept;
	uint16_t primary;
	unsigned int i;

	start(3, 3, 1);
	memset(bytes, 0xab, sizeof(bytes));
	primary = cluster_primary(&c, 810);
	assert_int_equal(write_text(810, "first"), 0);
	for (i = 0; i < 3; i++)
		if (i != primary)
			sim_partition(c.osds[primary].host, c.osds[i].host, 9 * SIM_NS_PER_S);
	cluster_raw_send(&c, primary, &head, NACRE_OSD_OP_WRITE, NULL, 0, bytes, sizeof(bytes));
	cluster_pass(&c, 100);
	store = c.osds[primary].osd->store;
	for (i = 0; i < 3; i++) {
		osd_writeback_hurry(&store->writeback);
		cluster_pass(&c, 300);
	}
	assert_int_equal(osd_journal_used(&store->journal), 0);
	kept = TAILQ_LAST(&pg_find(c.osds[primary].osd, 1, cluster_pg(&c, 810))->kept, pg_kept_list);
	assert_non_null(kept);
	assert_true(kept->spilled);
	for (i = 0; i < 3; i++)
		cluster_osd_kill(&c.osds[i], SIM_CRASH_POWER);
	sim_heal(c.world);
	for (i = 0; i < 3; i++) {
		sim_host_restart(c.osds[i].host);
		cluster_osd_start(&c.osds[i]);
	}
	cluster_until(&c, cluster_all_clean, 60, "all in sync again");
	cluster_compare_replicas(&c);
	assert_int_equal(cluster_read(&c, 810, bytes, sizeof(bytes), &(size_t){ 0 }), 0);
	assert_int_equal(bytes[0], 0xab);
	assert_int_equal(bytes[8999], 0xab);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_fence_1_unknown_instance),
		CASE(test_fence_1_dead_instance),
		CASE(test_fence_1_newer_epoch_and_barrier),
		CASE(test_fence_1_not_primary),
		CASE(test_fence_1_lease_lost),
		CASE(test_fence_1_sender_dies_in_the_queue),
		CASE(test_resend_is_answered_as_before),
		CASE(test_older_generation_is_refused),
		CASE(test_newer_generation_discards),
		CASE(test_replicas_are_equal),
		CASE(test_one_down_goes_on_and_catches_up_by_log),
		CASE(test_catching_up_takes_one_map_for_many_groups),
		CASE(test_catch_up_by_objects), CASE(test_caught_up_member_has_room),
		CASE(test_writes_go_on_while_one_catches_up),
		CASE(test_all_killed_together),
		CASE(test_longest_log_wins),
		CASE(test_rec_1_kept_beyond_the_journal),
		CASE(test_full_member_then_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
