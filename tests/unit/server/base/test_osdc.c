// SPDX-License-Identifier: GPL-2.0
/*
 * The object client against OSDs that answer as they are told (fake_osd.h): where
 * requests go, when they go again, when they wait, in which order, how they end.
 */
#include "fake_osd.h"

#define OSDS 3
#define FILE_INO 0x100000

struct world {
	struct io *io;
	struct fake_osd osds[OSDS];
	struct msgr *msgr;
	struct osdc *osdc;
	struct cluster_map *map;
	unsigned int closed;
	uint64_t wanted;		/* epoch the client asked for last */
	unsigned int asked;
	bool ending;
};

static struct world w;

/* ---- the client's side ---------------------------------------------------------------------- */

static void on_opened(void *owner, struct conn *conn)
{
	assert_true(osdc_opened(w.osdc, conn));
}

static void on_message(void *owner, struct conn *conn, struct message *message)
{
	assert_true(osdc_message(w.osdc, conn, message));
}

static void on_closed(void *owner, struct conn *conn, int reason)
{
	w.closed++;
	assert_true(osdc_closed(w.osdc, conn, reason));
}

static const struct msgr_handler handler = { on_opened, on_message, on_closed };

static void on_want(void *owner, uint64_t epoch)
{
	w.wanted = epoch;
	w.asked++;
}

/* ---- maps ----------------------------------------------------------------------------------- */

static struct mapedit *edit_next(void)
{
	struct mapedit *edit = mapedit_open(w.map);

	assert_non_null(edit);
	return edit;
}

/* The map changes, and the client hears of it. */
static void publish(struct mapedit *edit)
{
	struct cluster_map *map = maps_finish(edit);

	cluster_map_put(w.map);
	w.map = map;
	osdc_set_map(w.osdc, map);
}

static void make_map(void)
{
	struct mapedit *edit = maps_edit(OSDS, 2);

	edit->head.next_instance = 1000;
	for (uint16_t id = 0; id < OSDS; id++)
		assert_int_equal(mapedit_osd_up(edit, id, FAKE_INSTANCE + id, 0, 0xffff7f000001,
						msgr_port(w.osds[id].msgr)), 0);
	w.map = maps_finish(edit);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void create(unsigned int requests_max)
{
	struct msgr_config config = { .io = w.io, .name = "test", .role = NACRE_ROLE_CLIENT,
				      .time_scale_percent = 20, .handler = &handler };
	struct osdc_config osdc = { .io = w.io, .time_scale_percent = 20,
				    .requests_max = requests_max };

	assert_int_equal(msgr_create(&config, &w.msgr), 0);
	msgr_set_instance(w.msgr, FAKE_CLIENT);
	msgr_set_fsid(w.msgr, 11, 22);
	osdc.msgr = w.msgr;
	w.osdc = osdc_create(&osdc);
	assert_non_null(w.osdc);
	osdc_on_stale_map(w.osdc, on_want, NULL);
}

/* A client that knows neither map nor instance, and OSDs that run. */
static int setup_bare(void **state)
{
	memset(&w, 0, sizeof(w));
	w.io = run_ring();
	for (uint16_t id = 0; id < OSDS; id++)
		fake_start(&w.osds[id], w.io, id, FAKE_INSTANCE + id, 0);
	make_map();
	create(0);
	return 0;
}

static int setup(void **state)
{
	setup_bare(state);
	osdc_set_instance(w.osdc, FAKE_CLIENT);
	osdc_set_map(w.osdc, w.map);
	return 0;
}

static int setup_narrow(void **state)
{
	setup_bare(state);
	osdc_destroy(w.osdc);
	msgr_destroy(w.msgr);
	create(4);
	osdc_set_instance(w.osdc, FAKE_CLIENT);
	osdc_set_map(w.osdc, w.map);
	return 0;
}

static int teardown(void **state)
{
	w.ending = true;
	osdc_destroy(w.osdc);
	msgr_destroy(w.msgr);
	for (unsigned int id = 0; id < OSDS; id++)
		msgr_destroy(w.osds[id].msgr);
	cluster_map_put(w.map);
	run_ms(w.io, 5);
	uring_destroy(w.io);
	return 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

struct end {
	bool done;
	uint32_t result;
	unsigned int order;		/* the how manieth to end */
	struct osdc_request *request;
};

static unsigned int ends;

static void on_done(struct osdc_request *request, uint32_t result)
{
	struct end *end = osdc_request_owner(request);

	if (w.ending) {			/* the test has failed, its variables are gone */
		osdc_request_free(request);
		return;
	}
	assert_false(end->done);
	end->done = true;
	end->result = result;
	end->order = ++ends;
	assert_ptr_equal(end->request, request);
}

static void submit(struct osdc_request *request, struct end *end)
{
	memset(end, 0, sizeof(*end));
	end->request = request;
	osdc_submit(request, on_done, end);
	assert_false(end->done);	/* never from inside the call */
}

static struct osdc_request *stat_of(uint64_t index)
{
	struct osdc_request *request = osdc_request_new(w.osdc, NACRE_POOL_DATA, FILE_INO, index);

	assert_int_equal(osdc_add(request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0), 0);
	return request;
}

static struct osdc_request *write_of(uint64_t index)
{
	struct osdc_request *request = osdc_request_new(w.osdc, NACRE_POOL_DATA, FILE_INO, index);

	assert_int_equal(osdc_add_data(request, NACRE_OSD_OP_WRITE, 0, "nacre", 5), 0);
	return request;
}

/* The primary, by the newest map, of an object that a request has gone to. */
static struct fake_osd *primary_of(uint64_t index)
{
	for (unsigned int id = 0; id < OSDS; id++)
		for (unsigned int i = 0; i < w.osds[id].count; i++) {
			struct nacre_osd_request *head = &w.osds[id].seen[i].head;

			if (head->index == index)
				return &w.osds[nacre_map_primary(&w.map->view, head->pool, head->pg)];
		}
	fail();
	return NULL;
}

/* Send one there to find out who it is; its connection is up afterwards. */
static struct fake_osd *find_primary(uint64_t index)
{
	struct end end;
	struct fake_osd *osd;

	submit(stat_of(index), &end);
	run_until_set(w.io, &end.done);
	osdc_request_free(end.request);
	osd = primary_of(index);
	assert_int_equal(osd->count, 1);		/* it went to the right one */
	osd->count = 0;
	return osd;
}

struct at_least {
	unsigned int *count, wanted;
};

static bool has_seen(void *arg)
{
	struct at_least *wait = arg;

	return *wait->count >= wait->wanted;
}

static void wait_for(unsigned int *count, unsigned int wanted)
{
	struct at_least wait = { count, wanted };

	run_until(w.io, has_seen, &wait);
}

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

static char state_seen[32];

static void see(void *owner, uint64_t tid, const struct nacre_oid *oid, int osd, uint64_t age_ns,
		const char *state)
{
	assert_int_equal(oid->ino, FILE_INO);
	snprintf(state_seen, sizeof(state_seen), "%s", state);
}

static void assert_state(const char *state)
{
	state_seen[0] = 0;
	osdc_for_each(w.osdc, see, NULL);
	assert_string_equal(state_seen, state);
}

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

/* ---- the end -------------------------------------------------------------------------------- */

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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define BARE(name) cmocka_unit_test_setup_teardown(name, setup_bare, teardown)

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
		CASE(LOG_2_a_lost_connection_sends_again_under_the_same_id),
		CASE(LOG_2_a_new_primary_gets_it_under_the_same_id),
		CASE(a_new_interval_of_the_group_sends_again),
		CASE(answers_that_mean_later_are_obeyed),
		CASE(an_osd_with_a_newer_map_makes_us_wait_for_it),
		CASE(an_answer_without_sense_costs_the_connection),
		CASE(FENCE_1_a_dead_instance_ends_the_request),
		CASE(LOG_2_under_a_new_instance_nothing_sent_goes_again),
		CASE(destroying_ends_all_of_them),
		CASE(an_owner_may_destroy_it_when_told),
		CASE(changes_of_one_object_happen_in_order),
		CASE(reads_go_side_by_side),
		CASE(the_oldest_unfinished_id_is_told),
		cmocka_unit_test_setup_teardown(
			only_so_many_are_in_flight_and_the_others_wait_in_order, setup_narrow,
			teardown),
		CASE(an_osd_that_is_ahead_of_our_map_gets_nothing_until_we_have_it),
		CASE(an_osd_that_is_behind_our_map_is_dialled_again),
		CASE(an_osd_that_refuses_us_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
