// SPDX-License-Identifier: GPL-2.0
/*
 * The object client: requests that go out again, always under the same id: lost
 * connections, new primaries and intervals, answers that mean "later", OSDs that are
 * not the ones that the map speaks of.
 */
#include "osdc_world.h"

/* ---- again ---------------------------------------------------------------------------------- */

static void LOG_2_a_lost_connection_sends_again_under_the_same_id(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct end end;

	osd->silent = true;
	submit(write_of(0), &end);
	wait_for(&osd->count, 1);
	assert_state("sent");
	conn_reset(osd->conn, -EIO);
	wait_for(&osd->count, 2);
	osd->silent = false;
	conn_reset(osd->conn, -EIO);
	run_until_set(w.io, &end.done);
	assert_int_equal(end.result, 0);
	assert_int_equal(osd->count, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(osd->seen[i].head.tid, osd->seen[0].head.tid);
		assert_int_equal(osd->seen[i].head.conn_gen, i + 1);
		assert_int_equal(osd->seen[i].head.flags, i ? NACRE_OSD_REQUEST_RESEND : 0);
		assert_int_equal(osd->seen[i].data_sum, osd->seen[0].data_sum);
	}
	osdc_request_free(end.request);
}

/* The object's primary goes down; its other member takes over. */
static void LOG_2_a_new_primary_gets_it_under_the_same_id(void **state)
{
	struct fake_osd *osd = find_primary(0), *other;
	struct mapedit *edit = edit_next();
	struct end end;
	uint64_t tid;

	osd->silent = true;
	submit(write_of(0), &end);
	wait_for(&osd->count, 1);
	tid = osd->seen[0].head.tid;
	mapedit_osd_down(edit, osd->id);
	publish(edit);
	other = primary_of(0);
	assert_ptr_not_equal(other, osd);
	run_until_set(w.io, &end.done);
	assert_int_equal(other->seen[0].head.tid, tid);
	assert_int_equal(other->seen[0].head.flags, NACRE_OSD_REQUEST_RESEND);
	assert_int_equal(other->seen[0].head.map_epoch, 2);
	wait_for(&osd->closed, 1);		/* nobody talks to an OSD that is down */
	osdc_request_free(end.request);
}

static void a_new_interval_of_the_group_sends_again(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct mapedit *edit = edit_next();
	struct end end;

	osd->silent = true;
	submit(write_of(0), &end);
	wait_for(&osd->count, 1);
	publish(edit_next());			/* nothing that concerns it */
	run_ms(w.io, 5);
	assert_int_equal(osd->count, 1);
	mapedit_free(edit);
	edit = edit_next();
	for (uint16_t id = 0; id < OSDS; id++)
		if (id != osd->id)
			mapedit_osd_down(edit, id);
	osd->silent = false;
	publish(edit);
	run_until_set(w.io, &end.done);
	assert_int_equal(osd->count, 2);
	assert_int_equal(osd->seen[1].head.tid, osd->seen[0].head.tid);
	assert_int_equal(osd->opened, 1);	/* on the same connection */
	osdc_request_free(end.request);
}

static void answers_that_mean_later_are_obeyed(void **state)
{
	static const uint32_t later[] = {
		NACRE_E_NEWER_EPOCH, NACRE_E_PG_INACTIVE, NACRE_E_LEASE_LOST, NACRE_E_BUSY,
		NACRE_E_WRONG_INTERVAL, NACRE_E_STALE_GENERATION,
		NACRE_E_NOT_PRIMARY, NACRE_E_STALE_EPOCH,	/* by a map no newer than ours */
	};
	struct fake_osd *osd = find_primary(0);
	struct end end;

	for (unsigned int i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		osd->count = 0;
		osd->say = later[i];
		osd->say_count = 3;
		osd->map_epoch = 1;
		submit(write_of(0), &end);
		wait_for(&osd->count, 1);
		run_until_set(w.io, &end.done);
		assert_int_equal(end.result, 0);
		assert_int_equal(osd->count, 4);
		assert_int_equal(osd->seen[3].head.tid, osd->seen[0].head.tid);
		osdc_request_free(end.request);
	}
	assert_int_equal(w.asked, 0);
}

static void an_osd_with_a_newer_map_makes_us_wait_for_it(void **state)
{
	static const uint32_t stale[] = { NACRE_E_NOT_PRIMARY, NACRE_E_STALE_EPOCH };
	struct fake_osd *osd = find_primary(0);
	struct end end;

	for (unsigned int i = 0; i < 2; i++) {
		osd->count = 0;
		osd->say = stale[i];
		osd->say_count = 1;
		osd->map_epoch = w.map->view.epoch + 2;
		w.wanted = 0;
		submit(write_of(0), &end);
		wait_for(&osd->count, 1);
		run_ms(w.io, 20);
		assert_state("map");
		assert_int_equal(w.wanted, w.map->view.epoch + 2);
		publish(edit_next());
		run_ms(w.io, 20);
		assert_int_equal(osd->count, 1);
		publish(edit_next());
		run_until_set(w.io, &end.done);
		assert_int_equal(osd->count, 2);
		assert_int_equal(osd->seen[1].head.tid, osd->seen[0].head.tid);
		assert_int_equal(osd->seen[1].head.map_epoch, w.map->view.epoch);
		osdc_request_free(end.request);
	}
}

static void an_answer_without_sense_costs_the_connection(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct osdc_request *request;
	struct end end;

	for (int lie = FAKE_FEW_RESULTS; lie <= FAKE_MUCH_DATA; lie++) {
		unsigned int closed = w.closed;

		osd->lie = lie;
		osd->count = 0;
		request = osdc_request_new(w.osdc, NACRE_POOL_DATA, FILE_INO, 0);
		osdc_add(request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, 100);
		osdc_add(request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, 100);
		submit(request, &end);
		wait_for(&w.closed, closed + 1);
		osd->lie = FAKE_RIGHT;
		run_until_set(w.io, &end.done);
		assert_int_equal(end.result, 0);
		osdc_request_free(request);
	}
}

/* ---- who is at the other end ---------------------------------------------------------------- */

/* The daemon was restarted and our map does not say so yet. */
static void an_osd_that_is_ahead_of_our_map_gets_nothing_until_we_have_it(void **state)
{
	struct fake_osd *osd = find_primary(0);
	uint16_t id = osd->id, port = msgr_port(osd->msgr);
	struct mapedit *edit = edit_next();
	struct end end;

	msgr_destroy(osd->msgr);
	fake_start(osd, w.io, id, 300, port);
	msgr_set_map_epoch(osd->msgr, 5);
	submit(write_of(0), &end);
	wait_for(&osd->opened, 1);
	run_ms(w.io, 20);
	assert_int_equal(osd->count, 0);
	assert_int_equal(w.wanted, 5);
	assert_state("connecting");
	assert_int_equal(mapedit_osd_up(edit, id, 300, 0, 0xffff7f000001, port), 0);
	publish(edit);
	run_until_set(w.io, &end.done);
	assert_int_equal(osd->count, 1);
	assert_int_equal(osd->opened, 1);	/* the connection was good */
	osdc_request_free(end.request);
}

static void an_osd_that_is_behind_our_map_is_dialled_again(void **state)
{
	struct fake_osd *osd = find_primary(0);
	struct mapedit *edit = edit_next();
	struct end end;

	assert_int_equal(mapedit_osd_up(edit, osd->id, 300, 0, 0xffff7f000001,
					msgr_port(osd->msgr)), 0);
	publish(edit);
	submit(write_of(0), &end);
	wait_for(&osd->opened, 3);
	assert_int_equal(osd->count, 0);
	msgr_set_instance(osd->msgr, 300);
	run_until_set(w.io, &end.done);
	osdc_request_free(end.request);
}

static void an_osd_that_refuses_us_is_tried_again(void **state)
{
	struct end end;

	for (unsigned int id = 0; id < OSDS; id++)
		msgr_set_fsid(w.osds[id].msgr, 33, 44);
	submit(stat_of(0), &end);
	wait_for(&w.closed, 2);
	assert_false(end.done);
	for (unsigned int id = 0; id < OSDS; id++)
		msgr_set_fsid(w.osds[id].msgr, 11, 22);
	run_until_set(w.io, &end.done);
	osdc_request_free(end.request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(LOG_2_a_lost_connection_sends_again_under_the_same_id),
		CASE(LOG_2_a_new_primary_gets_it_under_the_same_id),
		CASE(a_new_interval_of_the_group_sends_again),
		CASE(answers_that_mean_later_are_obeyed),
		CASE(an_osd_with_a_newer_map_makes_us_wait_for_it),
		CASE(an_answer_without_sense_costs_the_connection),
		CASE(an_osd_that_is_ahead_of_our_map_gets_nothing_until_we_have_it),
		CASE(an_osd_that_is_behind_our_map_is_dialled_again),
		CASE(an_osd_that_refuses_us_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
