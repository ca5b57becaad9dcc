/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A client and three OSDs that answer as they are told (fake_osd.h), on one ring,
 * for test_osdc.c and test_osdc_resend.c.
 */
#ifndef NACRE_TEST_OSDC_WORLD_H
#define NACRE_TEST_OSDC_WORLD_H

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

static inline void on_opened(void *owner, struct conn *conn)
{
	assert_true(osdc_opened(w.osdc, conn));
}

static inline void on_message(void *owner, struct conn *conn, struct message *message)
{
	assert_true(osdc_message(w.osdc, conn, message));
}

static inline void on_closed(void *owner, struct conn *conn, int reason)
{
	w.closed++;
	assert_true(osdc_closed(w.osdc, conn, reason));
}

static const struct msgr_handler world_handler = { on_opened, on_message, on_closed };

static inline void on_want(void *owner, uint64_t epoch)
{
	w.wanted = epoch;
	w.asked++;
}

/* ---- maps ----------------------------------------------------------------------------------- */

static inline struct mapedit *edit_next(void)
{
	struct mapedit *edit = mapedit_open(w.map);

	assert_non_null(edit);
	return edit;
}

/* The map changes, and the client hears of it. */
static inline void publish(struct mapedit *edit)
{
	struct cluster_map *map = maps_finish(edit);

	cluster_map_put(w.map);
	w.map = map;
	osdc_set_map(w.osdc, map);
}

static inline void make_map(void)
{
	struct mapedit *edit = maps_edit(OSDS, 2);

	edit->head.next_instance = 1000;
	for (uint16_t id = 0; id < OSDS; id++)
		assert_int_equal(mapedit_osd_up(edit, id, FAKE_INSTANCE + id, 0, 0xffff7f000001,
						msgr_port(w.osds[id].msgr)), 0);
	w.map = maps_finish(edit);
}

/* ---- life ----------------------------------------------------------------------------------- */

static inline void create(unsigned int requests_max)
{
	struct msgr_config config = { .io = w.io, .name = "test", .role = NACRE_ROLE_CLIENT,
				      .time_scale_percent = 20, .handler = &world_handler };
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
static inline int setup_bare(void **state)
{
	memset(&w, 0, sizeof(w));
	w.io = run_loop();
	for (uint16_t id = 0; id < OSDS; id++)
		fake_start(&w.osds[id], w.io, id, FAKE_INSTANCE + id, 0);
	make_map();
	create(0);
	return 0;
}

static inline int setup(void **state)
{
	setup_bare(state);
	osdc_set_instance(w.osdc, FAKE_CLIENT);
	osdc_set_map(w.osdc, w.map);
	return 0;
}

static inline int setup_narrow(void **state)
{
	setup_bare(state);
	osdc_destroy(w.osdc);
	msgr_destroy(w.msgr);
	create(4);
	osdc_set_instance(w.osdc, FAKE_CLIENT);
	osdc_set_map(w.osdc, w.map);
	return 0;
}

static inline int teardown(void **state)
{
	w.ending = true;
	osdc_destroy(w.osdc);
	msgr_destroy(w.msgr);
	for (unsigned int id = 0; id < OSDS; id++)
		msgr_destroy(w.osds[id].msgr);
	cluster_map_put(w.map);
	run_ms(w.io, 5);
	loop_destroy(w.io);
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

static inline void on_done(struct osdc_request *request, uint32_t result)
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

static inline void submit(struct osdc_request *request, struct end *end)
{
	memset(end, 0, sizeof(*end));
	end->request = request;
	osdc_submit(request, on_done, end);
	assert_false(end->done);	/* never from inside the call */
}

static inline struct osdc_request *stat_of(uint64_t index)
{
	struct osdc_request *request = osdc_request_new(w.osdc, NACRE_POOL_DATA, FILE_INO, index);

	assert_int_equal(osdc_add(request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0), 0);
	return request;
}

static inline struct osdc_request *write_of(uint64_t index)
{
	struct osdc_request *request = osdc_request_new(w.osdc, NACRE_POOL_DATA, FILE_INO, index);

	assert_int_equal(osdc_add_data(request, NACRE_OSD_OP_WRITE, 0, "nacre", 5), 0);
	return request;
}

/* The primary, by the newest map, of an object that a request has gone to. */
static inline struct fake_osd *primary_of(uint64_t index)
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
static inline struct fake_osd *find_primary(uint64_t index)
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

static inline bool has_seen(void *arg)
{
	struct at_least *wait = arg;

	return *wait->count >= wait->wanted;
}

static inline void wait_for(unsigned int *count, unsigned int wanted)
{
	struct at_least wait = { count, wanted };

	run_until(w.io, has_seen, &wait);
}

static char state_seen[32];

static inline void see(void *owner, uint64_t tid, const struct nacre_oid *oid, int osd, uint64_t age_ns,
		const char *state)
{
	assert_int_equal(oid->ino, FILE_INO);
	snprintf(state_seen, sizeof(state_seen), "%s", state);
}

static inline void assert_state(const char *state)
{
	state_seen[0] = 0;
	osdc_for_each(w.osdc, see, NULL);
	assert_string_equal(state_seen, state);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define BARE(name) cmocka_unit_test_setup_teardown(name, setup_bare, teardown)

#endif
