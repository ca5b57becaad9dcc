// SPDX-License-Identifier: GPL-2.0
/*
 * The object client: what goes out and comes back, what a request waits for, how it
 * ends, order and bounds. When it goes out again is in test_osdc_resend.c.
 */
#include "osdc_world.h"

/* ---- there and back ------------------------------------------------------------------------- */

static void operations_and_data_go_out_and_results_come_back(void **state)
{
	struct osdc_request *request = osdc_request_new(w.osdc, NACRE_POOL_DATA, FILE_INO, 3);
	uint8_t bytes[9000], all[9003];
	struct osdc_result result;
	struct fake_seen *seen;
	struct end end;

	memset(bytes, 'x', sizeof(bytes));
	memcpy(all, bytes, 9000);
	memcpy(all + 9000, "abc", 3);
	osdc_request_truncation(request, 4, 4096);
	osdc_request_mtime(request, 99);
	assert_int_equal(osdc_add(request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 4096, 100), 0);
	assert_int_equal(osdc_add_data(request, NACRE_OSD_OP_WRITE, 0, bytes, 9000), 1);
	assert_int_equal(osdc_add(request, NACRE_OSD_OP_SETXATTR, 0, "a", 1, "value", 5, 0, 0), 2);
	assert_int_equal(osdc_add_data(request, NACRE_OSD_OP_WRITE, 9000, "abc", 3), 3);
	assert_int_equal(osdc_add(request, NACRE_OSD_OP_GETXATTR, 0, "color", 5, NULL, 0, 0, 0), 4);
	assert_int_equal(osdc_add(request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 7, 20), 5);
	submit(request, &end);
	memset(bytes, 0, sizeof(bytes));		/* it has its own copy */
	run_until_set(w.io, &end.done);
	assert_int_equal(end.result, 0);
	seen = &primary_of(3)->seen[0];
	assert_int_equal(seen->ops, 6);
	assert_int_equal(seen->data_bytes, 9003);
	assert_int_equal(seen->data_sum, fake_sum(all, 9003));
	assert_int_equal(seen->head.truncate_seq, 4);
	assert_int_equal(seen->head.truncate_size, 4096);
	assert_int_equal(seen->head.mtime, 99);
	assert_int_equal(seen->head.instance, FAKE_CLIENT);
	assert_int_equal(seen->head.map_epoch, 1);
	assert_int_equal(seen->head.conn_gen, 1);
	assert_int_equal(seen->head.flags, 0);
	assert_int_equal(seen->head.snap, NACRE_SNAP_HEAD);
	assert_int_equal(osdc_request_version(request), seen->head.tid * 10);
	result = osdc_request_result(request, 0);
	assert_int_equal(result.data_bytes, 100);
	assert_int_equal(result.data[99], fake_byte(4096 + 99));
	assert_int_equal(result.size, 12345);
	assert_int_equal(result.mtime, 678);
	result = osdc_request_result(request, 4);
	assert_int_equal(result.output_bytes, 5);
	assert_memory_equal(result.output, "color", 5);
	assert_null(result.data);
	result = osdc_request_result(request, 5);
	assert_int_equal(result.data_bytes, 20);
	assert_int_equal(result.data[0], fake_byte(7));
	assert_int_equal(osdc_request_result(request, 6).result, ECANCELED);
	osdc_request_free(request);
}

static void an_operation_that_fails_ends_the_request(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct end end;

	osd->say = ENOENT;
	osd->say_count = 1;
	submit(stat_of(0), &end);
	run_until_set(w.io, &end.done);
	assert_int_equal(end.result, ENOENT);
	assert_int_equal(osdc_request_failed_op(end.request), 0);
	assert_int_equal(osdc_request_result(end.request, 0).result, ENOENT);
	osdc_request_free(end.request);
}

static void ends_with(struct osdc_request *request, uint32_t result)
{
	struct end end;

	submit(request, &end);
	run_until_set(w.io, &end.done);
	assert_int_equal(end.result, result);
	osdc_request_free(request);
}

static void what_an_osd_would_refuse_is_not_sent(void **state)
{
	struct osdc_request *request = stat_of(1);
	static char much[NACRE_VALUE_MAX + 1];

	for (int i = 1; i < NACRE_OSD_OPS_MAX; i++)
		osdc_add(request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
	assert_int_equal(osdc_add(request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0), -E2BIG);
	ends_with(request, E2BIG);
	request = stat_of(1);
	assert_int_equal(osdc_add(request, NACRE_OSD_OP_SETXATTR, 0, "a", 1, much, sizeof(much), 0, 0),
			 -EINVAL);
	ends_with(request, EINVAL);
	request = stat_of(1);		/* two fit, the third does not */
	osdc_add(request, NACRE_OSD_OP_KV_SET, 0, "a", 1, much, NACRE_VALUE_MAX - 1, 0, 0);
	osdc_add(request, NACRE_OSD_OP_KV_SET, 0, "b", 1, much, NACRE_VALUE_MAX - 1, 0, 0);
	assert_int_equal(osdc_add(request, NACRE_OSD_OP_KV_SET, 0, "c", 1, "d", 1, 0, 0), -E2BIG);
	ends_with(request, E2BIG);
	request = stat_of(1);
	osdc_add(request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, 0);	/* of nothing */
	ends_with(request, EINVAL);
	ends_with(osdc_request_new(w.osdc, NACRE_POOL_DATA, FILE_INO, 0), EINVAL);	/* no operation */
	request = osdc_request_new(w.osdc, 7, FILE_INO, 0);
	osdc_add(request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
	ends_with(request, ENXIO);
	for (unsigned int id = 0; id < OSDS; id++)
		assert_int_equal(w.osds[id].count, 0);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void without_instance_or_map_a_request_waits(void **state)
{
	struct end end;

	submit(stat_of(0), &end);
	run_ms(w.io, 5);
	assert_state("map");
	assert_int_equal(w.asked, 0);		/* without an instance nothing is missing yet */
	osdc_set_instance(w.osdc, FAKE_CLIENT);
	run_ms(w.io, 5);
	assert_state("map");
	assert_int_equal(w.wanted, 1);
	osdc_set_map(w.osdc, w.map);
	run_until_set(w.io, &end.done);
	assert_int_equal(end.result, 0);
	osdc_request_free(end.request);
}

static void an_instance_that_the_map_does_not_know_waits_for_a_newer_one(void **state)
{
	struct mapedit *edit = edit_next();
	struct end end;

	osdc_set_instance(w.osdc, 1000);
	osdc_set_map(w.osdc, w.map);
	submit(stat_of(0), &end);
	run_ms(w.io, 5);
	assert_state("map");
	assert_int_equal(w.wanted, 2);
	edit->head.next_instance = 1001;
	publish(edit);
	run_until_set(w.io, &end.done);
	assert_int_equal(primary_of(0)->seen[0].head.map_epoch, 2);
	osdc_request_free(end.request);
}

static void FENCE_2_no_request_below_the_barrier(void **state)
{
	struct end end;

	osdc_set_barrier(w.osdc, 3);
	osdc_set_barrier(w.osdc, 2);			/* never goes back */
	submit(stat_of(0), &end);
	run_ms(w.io, 5);
	assert_int_equal(w.wanted, 3);
	publish(edit_next());
	run_ms(w.io, 5);
	assert_false(end.done);
	publish(edit_next());
	run_until_set(w.io, &end.done);
	assert_int_equal(primary_of(0)->seen[0].head.barrier_epoch, 3);
	assert_int_equal(primary_of(0)->seen[0].head.map_epoch, 3);
	osdc_request_free(end.request);
}

static void a_missing_map_is_asked_for_again(void **state)
{
	struct end end;

	osdc_set_barrier(w.osdc, 2);
	submit(stat_of(0), &end);
	wait_for(&w.asked, 3);			/* every 500 ms, at a fifth */
	publish(edit_next());
	run_until_set(w.io, &end.done);
	run_ms(w.io, 150);
	assert_int_equal(w.asked, 3);
	osdc_request_free(end.request);
}

static void a_group_without_primary_waits_for_one(void **state)
{
	struct mapedit *edit = edit_next();
	struct end end;

	for (uint16_t id = 0; id < OSDS; id++)
		mapedit_osd_down(edit, id);
	publish(edit);
	submit(write_of(0), &end);
	run_ms(w.io, 5);
	assert_state("map");
	assert_int_equal(w.wanted, 3);
	edit = edit_next();
	for (uint16_t id = 0; id < OSDS; id++) {
		msgr_set_instance(w.osds[id].msgr, 200 + id);
		mapedit_osd_up(edit, id, 200 + id, 0, 0xffff7f000001, msgr_port(w.osds[id].msgr));
	}
	publish(edit);
	run_until_set(w.io, &end.done);
	assert_int_equal(end.result, 0);
	osdc_request_free(end.request);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Whatever its object: the group that is named, at that group's primary; ENXIO for one that does not exist. */
static void a_group_can_be_asked_by_its_number(void **state)
{
	struct nacre_map_pool pool;
	struct osdc_request *request;
	struct end end;
	uint32_t pg;

	assert_int_equal(nacre_map_pool_at(&w.map->view, NACRE_POOL_DATA, &pool), 0);
	for (pg = 0; pg <= pool.pg_count; pg++) {
		int osd = nacre_map_primary(&w.map->view, NACRE_POOL_DATA, pg);

		request = osdc_request_new(w.osdc, NACRE_POOL_DATA, FILE_INO, 0);
		osdc_add(request, NACRE_OSD_OP_OBJECTS, 0, NULL, 0, NULL, 0, FILE_INO, 1);
		osdc_request_group(request, pg);
		submit(request, &end);
		run_until_set(w.io, &end.done);
		assert_int_equal(end.result, pg < pool.pg_count ? 0 : ENXIO);
		osdc_request_free(request);
		if (pg == pool.pg_count)
			break;
		assert_int_equal(w.osds[osd].seen[w.osds[osd].count - 1].head.pg, pg);
	}
}

static void FENCE_1_a_dead_instance_ends_the_request(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct mapedit *edit = edit_next();
	struct end said, sent, fresh;

	osd->say = NACRE_E_DEAD_INSTANCE;
	osd->say_count = 1;
	submit(write_of(0), &said);
	run_until_set(w.io, &said.done);
	assert_int_equal(said.result, NACRE_E_DEAD_INSTANCE);
	assert_true(osdc_is_fenced(w.osdc));
	osdc_request_free(said.request);
	/* our own map says it before any OSD does */
	osd->silent = true;
	submit(write_of(0), &sent);
	wait_for(&osd->count, 2);
	mapedit_kill(edit, FAKE_CLIENT);
	publish(edit);
	submit(write_of(1), &fresh);
	run_until_set(w.io, &sent.done);
	run_until_set(w.io, &fresh.done);
	assert_int_equal(sent.result, NACRE_E_DEAD_INSTANCE);
	assert_int_equal(fresh.result, NACRE_E_DEAD_INSTANCE);
	osdc_request_free(sent.request);
	osdc_request_free(fresh.request);
}

static void LOG_2_under_a_new_instance_nothing_sent_goes_again(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct end sent, behind;

	osd->silent = true;
	submit(write_of(0), &sent);
	submit(write_of(0), &behind);
	wait_for(&osd->count, 1);
	assert_state("behind");
	osd->silent = false;
	msgr_set_instance(w.msgr, FAKE_CLIENT + 1);
	osdc_set_instance(w.osdc, FAKE_CLIENT + 1);
	run_until_set(w.io, &sent.done);
	run_until_set(w.io, &behind.done);
	assert_int_equal(sent.result, NACRE_E_DEAD_INSTANCE);
	assert_int_equal(behind.result, 0);
	assert_int_equal(osd->count, 2);
	assert_int_equal(osd->seen[1].head.instance, FAKE_CLIENT + 1);
	assert_int_equal(conn_peer_instance(osd->conn), FAKE_CLIENT + 1);
	osdc_request_free(sent.request);
	osdc_request_free(behind.request);
}

static void destroying_ends_all_of_them(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct end end[4];

	osd->silent = true;
	for (unsigned int i = 0; i < 4; i++)
		submit(i < 2 ? write_of(0) : stat_of(i), &end[i]);
	wait_for(&osd->count, 1);
	osdc_destroy(w.osdc);
	w.osdc = NULL;
	for (unsigned int i = 0; i < 4; i++) {
		assert_true(end[i].done);
		assert_true(!end[i].result || end[i].result == ECANCELED);
		osdc_request_free(end[i].request);
	}
	assert_int_equal(end[1].result, ECANCELED);
}

static void destroy_from_done(struct osdc_request *request, uint32_t result)
{
	*(bool *)osdc_request_owner(request) = true;
	osdc_request_free(request);
	osdc_destroy(w.osdc);
	w.osdc = NULL;
}

static void an_owner_may_destroy_it_when_told(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct osdc_request *unsent = stat_of(0);
	struct end other;
	bool done = false;

	osd->silent = true;
	submit(write_of(0), &other);
	osdc_submit(osdc_request_new(w.osdc, 7, FILE_INO, 0), destroy_from_done, &done);
	run_until_set(w.io, &done);
	assert_true(other.done);
	osdc_request_free(other.request);
	osdc_request_free(unsent);
}

/* ---- order and bounds ----------------------------------------------------------------------- */

static void changes_of_one_object_happen_in_order(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct end end[5];

	ends = 0;
	osd->say = NACRE_E_BUSY;		/* with the first only: the next must not overtake it */
	osd->say_count = 2;
	submit(write_of(0), &end[0]);
	submit(write_of(0), &end[1]);
	submit(stat_of(0), &end[2]);
	submit(stat_of(0), &end[3]);
	submit(write_of(0), &end[4]);
	run_until_set(w.io, &end[4].done);
	assert_int_equal(osd->count, 7);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(end[i].order, i + 1);
		assert_int_equal(osd->seen[i + 2].code, i == 2 || i == 3 ? NACRE_OSD_OP_STAT
									 : NACRE_OSD_OP_WRITE);
		osdc_request_free(end[i].request);
	}
	assert_int_equal(osd->seen[0].head.tid, osd->seen[2].head.tid);
}

static void reads_go_side_by_side(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct end end[4];

	osd->silent = true;
	for (unsigned int i = 0; i < 3; i++)
		submit(stat_of(0), &end[i]);
	submit(write_of(0), &end[3]);
	wait_for(&osd->count, 3);
	run_ms(w.io, 5);
	assert_int_equal(osd->count, 3);
	osd->silent = false;
	conn_reset(osd->conn, -EIO);
	run_until_set(w.io, &end[3].done);
	assert_int_equal(osd->count, 7);
	for (unsigned int i = 0; i < 3; i++)	/* again, in their order */
		assert_int_equal(osd->seen[3 + i].head.tid, osd->seen[i].head.tid);
	for (unsigned int i = 0; i < 4; i++)
		osdc_request_free(end[i].request);
}

/* Changes in line do not hold it up; those that come later wait for it, and a read behind it waits for the changes. */
static void a_read_may_overtake_changes(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct osdc_request *early = stat_of(0);
	struct end end[5];

	osdc_request_overtakes(early);
	osd->silent = true;
	submit(write_of(0), &end[0]);
	submit(write_of(0), &end[1]);
	submit(early, &end[2]);
	submit(stat_of(0), &end[3]);
	submit(write_of(0), &end[4]);
	wait_for(&osd->count, 2);
	run_ms(w.io, 5);
	assert_int_equal(osd->count, 2);
	assert_int_equal(osd->seen[0].code, NACRE_OSD_OP_WRITE);
	assert_int_equal(osd->seen[1].code, NACRE_OSD_OP_STAT);
	osd->silent = false;
	conn_reset(osd->conn, -EIO);
	run_until_set(w.io, &end[4].done);
	assert_int_equal(osd->count, 7);
	assert_int_equal(osd->seen[4].code, NACRE_OSD_OP_WRITE);
	assert_int_equal(osd->seen[5].code, NACRE_OSD_OP_STAT);
	assert_int_equal(osd->seen[6].code, NACRE_OSD_OP_WRITE);
	for (unsigned int i = 0; i < 5; i++)
		osdc_request_free(end[i].request);
}

static void the_oldest_unfinished_id_is_told(void **state)
{
	struct fake_osd *osd = find_primary(0);		/* id 1 */
	struct end slow, quick;

	osd->silent = true;
	submit(write_of(0), &slow);
	wait_for(&osd->count, 1);
	assert_int_equal(osd->seen[0].head.tid, 2);
	assert_int_equal(osd->seen[0].head.oldest_tid, 2);
	osd->silent = false;
	for (uint64_t index = 1; index < 5; index++) {
		submit(stat_of(index), &quick);
		run_until_set(w.io, &quick.done);
		osdc_request_free(quick.request);
	}
	conn_reset(osd->conn, -EIO);
	run_until_set(w.io, &slow.done);
	osdc_request_free(slow.request);
	submit(stat_of(0), &quick);
	run_until_set(w.io, &quick.done);
	assert_int_equal(osd->seen[osd->count - 1].head.oldest_tid, osd->seen[osd->count - 1].head.tid);
	assert_int_equal(osd->seen[osd->count - 1].head.tid, 7);
	osdc_request_free(quick.request);
	for (unsigned int id = 0; id < OSDS; id++)
		for (unsigned int i = 0; i < w.osds[id].count; i++)
			if (w.osds[id].seen[i].head.tid > 2 && w.osds[id].seen[i].head.tid < 7)
				assert_int_equal(w.osds[id].seen[i].head.oldest_tid, 2);
}

static unsigned int all_seen(void)
{
	return w.osds[0].count + w.osds[1].count + w.osds[2].count;
}

static bool all_done(void *arg)
{
	struct end *end = arg;

	for (unsigned int i = 0; i < 20; i++)
		if (!end[i].done)
			return false;
	return true;
}

static void only_so_many_are_in_flight_and_the_others_wait_in_order(void **state)
{
	struct end end[20];

	for (unsigned int id = 0; id < OSDS; id++)
		w.osds[id].silent = true;
	for (unsigned int i = 0; i < 20; i++)
		submit(stat_of(i), &end[i]);
	run_ms(w.io, 50);
	assert_int_equal(all_seen(), 4);
	assert_state("queued");
	for (unsigned int id = 0; id < OSDS; id++)	/* the first four */
		for (unsigned int i = 0; i < w.osds[id].count; i++)
			assert_in_range(w.osds[id].seen[i].head.index, 0, 3);
	for (unsigned int id = 0; id < OSDS; id++) {
		w.osds[id].silent = false;
		if (w.osds[id].conn)
			conn_reset(w.osds[id].conn, -EIO);
	}
	run_until(w.io, all_done, end);
	assert_int_equal(all_seen(), 24);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(end[i].result, 0);
		osdc_request_free(end[i].request);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(operations_and_data_go_out_and_results_come_back),
		CASE(an_operation_that_fails_ends_the_request),
		CASE(what_an_osd_would_refuse_is_not_sent),
		BARE(without_instance_or_map_a_request_waits),
		BARE(an_instance_that_the_map_does_not_know_waits_for_a_newer_one),
		CASE(FENCE_2_no_request_below_the_barrier),
		CASE(a_missing_map_is_asked_for_again),
		CASE(a_group_without_primary_waits_for_one),
		CASE(a_group_can_be_asked_by_its_number),
		CASE(FENCE_1_a_dead_instance_ends_the_request),
		CASE(LOG_2_under_a_new_instance_nothing_sent_goes_again),
		CASE(destroying_ends_all_of_them),
		CASE(an_owner_may_destroy_it_when_told),
		CASE(changes_of_one_object_happen_in_order),
		CASE(reads_go_side_by_side),
		CASE(a_read_may_overtake_changes),
		CASE(the_oldest_unfinished_id_is_told),
		cmocka_unit_test_setup_teardown(
			only_so_many_are_in_flight_and_the_others_wait_in_order, setup_narrow,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
