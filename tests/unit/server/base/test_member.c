// SPDX-License-Identifier: GPL-2.0
/*
 * Members of one small cluster on a `dir:` store: joining, changing the map at once,
 * restarts, namesakes, fencing, ranks and standbys, and what the coordinator makes
 * of leases that end.
 */
#include <errno.h>
#include "run.h"
#include "maps.h"
#include "server/base/mapstore.h"
#include "server/base/member.h"

#define LEASE_MS 300
#define DAEMONS 5

struct daemon_under_test {
	struct fixture *f;
	struct msgr *msgr;
	struct mapstore *store;
	struct member *member;
	uint64_t instance, epoch;
	bool joined, fenced, failed, left;
	unsigned int maps;
	int result;
	char reason[256];
};

struct fixture {
	struct io *io;
	char *folder;
	char url[128];
	struct log *log;
	struct daemon_under_test d[DAEMONS];
};

static void on_joined(void *owner, uint64_t instance)
{
	struct daemon_under_test *d = owner;

	assert_true(d->maps > 0);
	assert_true(member_lease_valid(d->member));
	d->instance = instance;
	d->joined = true;
}

static void on_map(void *owner, struct cluster_map *map)
{
	struct daemon_under_test *d = owner;

	assert_true(map->view.epoch > d->epoch);
	d->epoch = map->view.epoch;
	d->maps++;
}

static void on_fenced(void *owner, const char *reason)
{
	struct daemon_under_test *d = owner;

	assert_false(d->fenced);
	assert_false(member_lease_valid(d->member));
	d->fenced = true;
	snprintf(d->reason, sizeof(d->reason), "%s", reason);
}

static void on_failed(void *owner, int result, const char *reason)
{
	struct daemon_under_test *d = owner;

	d->failed = true;
	d->result = result;
	snprintf(d->reason, sizeof(d->reason), "%s", reason);
}

static const struct member_handler member_handler = { on_joined, on_map, on_fenced, on_failed };

static void no_opened(void *owner, struct conn *conn)
{
}

static void no_message(void *owner, struct conn *conn, struct message *message)
{
	message_put(message);
}

static void no_closed(void *owner, struct conn *conn, int reason)
{
}

static const struct msgr_handler msgr_handler = { no_opened, no_message, no_closed };

static void start_with_store(struct fixture *f, int slot, enum nacre_role role, uint16_t id,
			     uint64_t store_lo)
{
	struct daemon_under_test *d = &f->d[slot];
	struct msgr_config msgr_config = {
		.io = f->io, .name = "x", .role = role, .id = id, .handler = &msgr_handler, .owner = d,
	};
	struct member_config config = {
		.io = f->io, .role = role, .id = id, .store_lo = store_lo, .store_hi = 1,
		.time_scale_percent = 100, .lease_ms = LEASE_MS, .handler = &member_handler,
		.owner = d, .log = f->log,
	};
	const char *error;
	char name[16];

	snprintf(name, sizeof(name), "%s%u", role == NACRE_ROLE_OSD ? "osd" : "mds", id);
	memset(d, 0, sizeof(*d));
	d->f = f;
	assert_int_equal(mapstore_open(f->io, f->url, &d->store, &error), 0);
	assert_int_equal(msgr_create(&msgr_config, &d->msgr), 0);
	config.name = name;
	config.store = d->store;
	config.msgr = d->msgr;
	assert_int_equal(io_address_parse("10.1.2.3", (uint16_t)(7300 + slot), &config.address), 0);
	assert_int_equal(member_start(&config, &d->member), 0);
}

static void start(struct fixture *f, int slot, enum nacre_role role, uint16_t id)
{
	start_with_store(f, slot, role, id, 100u + id);
}

/* Without leaving, as a crash would (but for the file lock, which ends with the store). */
static void crash(struct fixture *f, int slot)
{
	struct daemon_under_test *d = &f->d[slot];

	if (!d->member)
		return;
	member_destroy(d->member);
	mapstore_destroy(d->store);
	msgr_destroy(d->msgr);
	d->member = NULL;
	d->store = NULL;
}

static void on_left(void *owner)
{
	((struct daemon_under_test *)owner)->left = true;
}

static void leave(struct fixture *f, int slot)
{
	member_leave(f->d[slot].member, on_left, &f->d[slot]);
	run_until_set(f->io, &f->d[slot].left);
	crash(f, slot);
}

static void put_map(struct fixture *f, struct mapedit *edit);

static void setup(struct fixture *f, unsigned int osds, uint8_t replicas, unsigned int ranks)
{
	struct mapedit *edit = maps_edit(osds, replicas);

	memset(f, 0, sizeof(*f));
	f->io = run_ring();
	f->folder = run_folder();
	snprintf(f->url, sizeof(f->url), "dir:%s", f->folder);
	f->log = getenv("TEST_LOG") ? log_create(NULL, "test", LOG_DEBUG) : NULL;
	for (unsigned int i = 0; i < ranks; i++)
		edit->ranks[edit->rank_count++] = (struct nacre_map_rank){ .rank = (uint16_t)i };
	put_map(f, edit);
}

static void on_put(void *owner, int result)
{
	assert_int_equal(result, 0);
	*(bool *)owner = true;
}

static void put_map(struct fixture *f, struct mapedit *edit)
{
	struct mapstore *store;
	const char *error;
	bool done = false;
	uint8_t *bytes;
	size_t length;

	assert_int_equal(mapstore_open(f->io, f->url, &store, &error), 0);
	assert_int_equal(mapedit_encode(edit, &bytes, &length), 0);
	mapstore_swap(store, edit->head.epoch, bytes, length, on_put, &done);
	run_until_set(f->io, &done);
	mapstore_destroy(store);
	mapedit_free(edit);
	free(bytes);
}

static void teardown(struct fixture *f)
{
	for (int i = 0; i < DAEMONS; i++)
		crash(f, i);
	run_ms(f->io, 10);
	uring_destroy(f->io);
	log_destroy(f->log);
	run_folder_remove(f->folder);
}

static struct nacre_map_osd osd_row(struct fixture *f, int slot, uint32_t id)
{
	struct nacre_map_osd osd;

	assert_int_equal(nacre_map_osd_at(&member_map(f->d[slot].member)->view, id, &osd), 0);
	return osd;
}

static struct nacre_map_rank rank_row(struct fixture *f, int slot, uint32_t id)
{
	struct nacre_map_rank rank;

	assert_int_equal(nacre_map_rank_at(&member_map(f->d[slot].member)->view, id, &rank), 0);
	return rank;
}

/* ---- joining -------------------------------------------------------------------------------- */

static void all_join_at_once(void **state)
{
	struct fixture f;

	setup(&f, 3, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	for (uint16_t i = 0; i < 3; i++)
		start(&f, 1 + i, NACRE_ROLE_OSD, i);
	for (int i = 0; i < 4; i++)
		run_until_set(f.io, &f.d[i].joined);
	run_ms(f.io, 150);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(f.d[i].epoch, 5);
		assert_int_equal(member_map(f.d[i].member)->view.epoch, 5);
		for (int j = 0; j < i; j++)
			assert_true(f.d[i].instance != f.d[j].instance);
	}
	for (uint32_t i = 0; i < 3; i++) {
		struct nacre_map_osd osd = osd_row(&f, 0, i);

		assert_int_equal(osd.flags, NACRE_OSD_UP | NACRE_OSD_IN);
		assert_int_equal(osd.instance, f.d[1 + i].instance);
		assert_int_equal(osd.store_lo, 100 + i);
		assert_int_equal(osd.address_hi, 0);
		assert_true(osd.address_lo == 0xffff0a010203ull);
		assert_int_equal(osd.port, 7301 + i);
	}
	assert_int_equal(rank_row(&f, 1, 0).state, NACRE_RANK_REPLAY);
	assert_int_equal(rank_row(&f, 1, 0).incarnation, 1);
	assert_int_equal(rank_row(&f, 1, 0).instance, f.d[0].instance);
	assert_int_equal(member_rank(f.d[0].member), 0);
	assert_int_equal(member_rank(f.d[1].member), -1);
	teardown(&f);
}

static void what_cannot_join_says_why(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 7);
	run_until_set(f.io, &f.d[0].failed);
	assert_string_equal(f.d[0].reason, "the map has no OSD 7: it has 2");
	start(&f, 1, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[1].joined);
	leave(&f, 1);
	start_with_store(&f, 1, NACRE_ROLE_OSD, 0, 555);
	run_until_set(f.io, &f.d[1].failed);
	assert_non_null(strstr(f.d[1].reason, "another store"));
	/* a store without a map */
	snprintf(f.url, sizeof(f.url), "dir:/tmp");
	start(&f, 2, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[2].failed);
	assert_int_equal(f.d[2].result, -ENOENT);
	assert_non_null(strstr(f.d[2].reason, "mkfs.nacre"));
	teardown(&f);
}

static void a_namesake_that_lives_is_not_pushed_out(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[0].joined);
	start(&f, 1, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[1].failed);
	assert_int_equal(f.d[1].result, -EBUSY);
	assert_non_null(strstr(f.d[1].reason, "another osd0 is running"));
	assert_false(f.d[0].fenced);
	assert_int_equal(f.d[0].epoch, 2);
	teardown(&f);
}

/* A restart: new instance, the old one dead, the in-sync sets as they were, new intervals. */
static void a_restarted_osd_keeps_its_place(void **state)
{
	uint64_t first;
	struct fixture f;
	struct nacre_map_pg pg;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	start(&f, 1, NACRE_ROLE_OSD, 1);
	run_until_set(f.io, &f.d[0].joined);
	run_until_set(f.io, &f.d[1].joined);
	first = f.d[0].instance;
	crash(&f, 0);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[0].joined);
	assert_true(f.d[0].instance > first);
	assert_true(nacre_map_is_dead(&member_map(f.d[0].member)->view, first));
	assert_false(nacre_map_is_dead(&member_map(f.d[0].member)->view, f.d[0].instance));
	assert_int_equal(nacre_map_pg_at(&member_map(f.d[0].member)->view, 1, 5, &pg), 0);
	assert_int_equal(pg.in_sync, 3);
	assert_int_equal(pg.interval, f.d[0].epoch);
	teardown(&f);
}

/* ---- fencing -------------------------------------------------------------------------------- */

static int kill_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	return mapedit_kill(next, *(uint64_t *)owner);
}

static void on_changed(void *owner, int result)
{
	assert_int_equal(result, 0);
}

static void a_dead_instance_stops_serving(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	start(&f, 1, NACRE_ROLE_OSD, 1);
	run_until_set(f.io, &f.d[0].joined);
	run_until_set(f.io, &f.d[1].joined);
	assert_true(member_lease_valid(f.d[0].member));
	member_change_map(f.d[1].member, kill_edit, on_changed, &f.d[0].instance);
	run_until_set(f.io, &f.d[0].fenced);
	assert_non_null(strstr(f.d[0].reason, "is dead in map"));
	assert_false(f.d[1].fenced);
	teardown(&f);
}

/* The process does not run for longer than its lease: it may not answer afterwards. */
static void a_stopped_process_fences_itself(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[0].joined);
	usleep(LEASE_MS * 1000 + 50000);
	assert_false(member_lease_valid(f.d[0].member));
	run_until_set(f.io, &f.d[0].fenced);
	/* and may come back as somebody new */
	crash(&f, 0);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[0].joined);
	teardown(&f);
}

/* ---- changes -------------------------------------------------------------------------------- */

struct adding {
	unsigned int tries, done;
	int result;
};

static int add_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	struct adding *adding = owner;

	adding->tries++;
	next->osds[1].weight++;
	return 0;
}

static int no_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	return -EALREADY;
}

static void on_added(void *owner, int result)
{
	struct adding *adding = owner;

	adding->result = result;
	adding->done++;
}

static bool all_added(void *arg)
{
	struct adding *adding = arg;

	return adding[0].done == 10 && adding[1].done == 10 && adding[2].done == 10;
}

/* Three members add to one number, ten times each at once: none is lost. */
static void racing_changes_all_count(void **state)
{
	struct adding adding[3] = { 0 }, none = { 0 };
	struct fixture f;
	uint32_t before;

	setup(&f, 3, 2, 1);
	for (uint16_t i = 0; i < 3; i++)
		start(&f, i, NACRE_ROLE_OSD, i);
	for (int i = 0; i < 3; i++)
		run_until_set(f.io, &f.d[i].joined);
	before = osd_row(&f, 0, 1).weight;
	for (int n = 0; n < 10; n++)
		for (int i = 0; i < 3; i++)
			member_change_map(f.d[i].member, add_edit, on_added, &adding[i]);
	run_until(f.io, all_added, adding);
	run_ms(f.io, 120);
	for (int i = 0; i < 3; i++)
		assert_int_equal(osd_row(&f, i, 1).weight, before + 30);
	assert_true(adding[0].tries + adding[1].tries + adding[2].tries > 30);
	member_change_map(f.d[0].member, no_edit, on_added, &none);
	run_ms(f.io, 20);
	assert_int_equal(none.done, 1);
	assert_int_equal(none.result, -EALREADY);
	teardown(&f);
}

/* ---- ranks ---------------------------------------------------------------------------------- */

static bool holds_rank(void *arg)
{
	struct member *member = arg;

	return member_rank(member) == 0;
}

static void a_standby_takes_over_a_rank(void **state)
{
	struct nacre_map_rank rank;
	struct fixture f;
	uint64_t old;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	start(&f, 1, NACRE_ROLE_MDS, 1);
	run_until_set(f.io, &f.d[1].joined);
	assert_int_equal(member_rank(f.d[1].member), -1);
	/* it leaves: free at once */
	old = f.d[0].instance;
	leave(&f, 0);
	run_until(f.io, holds_rank, f.d[1].member);
	rank = rank_row(&f, 1, 0);
	assert_int_equal(rank.incarnation, 2);
	assert_int_equal(rank.state, NACRE_RANK_REPLAY);
	assert_int_equal(rank.instance, f.d[1].instance);
	assert_true(nacre_map_is_dead(&member_map(f.d[1].member)->view, old));
	/* it dies: free when its lease has ended */
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	run_ms(f.io, 200);
	assert_int_equal(member_rank(f.d[0].member), -1);
	old = f.d[1].instance;
	crash(&f, 1);
	run_until(f.io, holds_rank, f.d[0].member);
	assert_int_equal(rank_row(&f, 0, 0).incarnation, 3);
	assert_true(nacre_map_is_dead(&member_map(f.d[0].member)->view, old));
	teardown(&f);
}

static void a_restarted_mds_takes_its_rank_again(void **state)
{
	struct fixture f;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	crash(&f, 0);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	assert_int_equal(member_rank(f.d[0].member), 0);
	assert_int_equal(rank_row(&f, 0, 0).incarnation, 2);
	teardown(&f);
}

/* Another daemon may take the rank of one whose process has ended, and fences it by the same map. */
static void the_rank_of_a_dead_process_is_free(void **state)
{
	struct fixture f;
	uint64_t old;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	run_until_set(f.io, &f.d[0].joined);
	old = f.d[0].instance;
	crash(&f, 0);
	start(&f, 1, NACRE_ROLE_MDS, 1);
	run_until_set(f.io, &f.d[1].joined);
	assert_int_equal(member_rank(f.d[1].member), 0);
	assert_true(nacre_map_is_dead(&member_map(f.d[1].member)->view, old));
	teardown(&f);
}

/* ---- the coordinator ------------------------------------------------------------------------ */

struct expected {
	struct fixture *f;
	int slot;
	uint32_t osd, flags;
};

static bool osd_has_flags(void *arg)
{
	struct expected *expected = arg;

	return osd_row(expected->f, expected->slot, expected->osd).flags == expected->flags;
}

static void a_dead_osd_leaves_the_in_sync_sets(void **state)
{
	struct fixture f;
	struct expected down = { &f, 0, 2, NACRE_OSD_IN };
	const struct nacre_map_view *view;
	struct nacre_map_pg pg;
	unsigned int left = 0;

	setup(&f, 3, 2, 1);
	for (uint16_t i = 0; i < 3; i++)
		start(&f, i, NACRE_ROLE_OSD, i);
	for (int i = 0; i < 3; i++)
		run_until_set(f.io, &f.d[i].joined);
	run_ms(f.io, 2 * LEASE_MS);
	crash(&f, 2);
	run_until(f.io, osd_has_flags, &down);
	view = &member_map(f.d[0].member)->view;
	assert_true(nacre_map_is_dead(view, f.d[2].instance));
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(nacre_map_pg_at(view, 1, i, &pg), 0);
		assert_int_equal(nacre_map_pg_active(view, 1, i), 1);
		left += nacre_pg_slot_of(&pg, 2) >= 0;
		if (nacre_pg_slot_of(&pg, 2) >= 0)
			assert_false(pg.in_sync & 1u << nacre_pg_slot_of(&pg, 2));
	}
	assert_true(left > 10);
	teardown(&f);
}

/* All die and come back one after the other: no group loses a replica by it. */
static void a_cluster_that_died_together_comes_back_whole(void **state)
{
	struct fixture f;
	struct nacre_map_pg pg;

	setup(&f, 3, 2, 1);
	for (uint16_t i = 0; i < 3; i++)
		start(&f, i, NACRE_ROLE_OSD, i);
	for (int i = 0; i < 3; i++)
		run_until_set(f.io, &f.d[i].joined);
	run_ms(f.io, 2 * LEASE_MS);
	for (int i = 0; i < 3; i++)
		crash(&f, i);
	run_ms(f.io, 2 * LEASE_MS);
	for (uint16_t i = 0; i < 3; i++) {
		start(&f, i, NACRE_ROLE_OSD, i);
		run_until_set(f.io, &f.d[i].joined);
		run_ms(f.io, LEASE_MS);
	}
	run_ms(f.io, 3 * LEASE_MS);
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(nacre_map_pg_at(&member_map(f.d[0].member)->view, 1, i, &pg), 0);
		assert_int_equal(pg.in_sync, 3);
	}
	for (int i = 0; i < 3; i++)
		assert_false(f.d[i].fenced);
	teardown(&f);
}

/* One does not come back: after the grace its groups go on without it. */
static void who_does_not_come_back_is_marked_down_later(void **state)
{
	struct fixture f;
	struct expected down = { &f, 0, 1, NACRE_OSD_IN };
	uint64_t start_ns;

	setup(&f, 2, 2, 1);
	for (uint16_t i = 0; i < 2; i++)
		start(&f, i, NACRE_ROLE_OSD, i);
	for (int i = 0; i < 2; i++)
		run_until_set(f.io, &f.d[i].joined);
	for (int i = 0; i < 2; i++)
		crash(&f, i);
	start(&f, 0, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[0].joined);
	start_ns = io_now(f.io);
	run_until(f.io, osd_has_flags, &down);
	assert_true(io_now(f.io) - start_ns >= 3 * LEASE_MS * 1000000ull);
	teardown(&f);
}

/* A daemon that watches all OSDs die: those whose groups gain nothing stay as they are. */
static void the_last_in_sync_members_stay(void **state)
{
	struct fixture f;
	struct nacre_map_pg pg;

	setup(&f, 2, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	start(&f, 1, NACRE_ROLE_OSD, 0);
	start(&f, 2, NACRE_ROLE_OSD, 1);
	for (int i = 0; i < 3; i++)
		run_until_set(f.io, &f.d[i].joined);
	run_ms(f.io, 2 * LEASE_MS);
	crash(&f, 1);
	crash(&f, 2);
	run_ms(f.io, 8 * LEASE_MS);
	assert_true(member_is_coordinator(f.d[0].member));
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(nacre_map_pg_at(&member_map(f.d[0].member)->view, 1, i, &pg), 0);
		assert_int_equal(pg.in_sync, 3);
	}
	/* one comes back: now the other one's leaving helps */
	struct expected down = { &f, 0, 1, NACRE_OSD_IN };

	start(&f, 1, NACRE_ROLE_OSD, 0);
	run_until_set(f.io, &f.d[1].joined);
	run_until(f.io, osd_has_flags, &down);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_join_at_once),
		cmocka_unit_test(what_cannot_join_says_why),
		cmocka_unit_test(a_namesake_that_lives_is_not_pushed_out),
		cmocka_unit_test(a_restarted_osd_keeps_its_place),
		cmocka_unit_test(a_dead_instance_stops_serving),
		cmocka_unit_test(a_stopped_process_fences_itself),
		cmocka_unit_test(racing_changes_all_count),
		cmocka_unit_test(a_standby_takes_over_a_rank),
		cmocka_unit_test(a_restarted_mds_takes_its_rank_again),
		cmocka_unit_test(the_rank_of_a_dead_process_is_free),
		cmocka_unit_test(a_dead_osd_leaves_the_in_sync_sets),
		cmocka_unit_test(a_cluster_that_died_together_comes_back_whole),
		cmocka_unit_test(who_does_not_come_back_is_marked_down_later),
		cmocka_unit_test(the_last_in_sync_members_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
