// SPDX-License-Identifier: GPL-2.0
/* The coordinator: what becomes of daemons whose leases end, alone and all together. */
#include "members.h"
#include "server/base/mapedit.h"

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

/* ---- how full OSDs are --------------------------------------------------------------------- */

static void tell(struct fixture *f, int slot, enum fill_state state)
{
	mapstore_lease_tell(f->d[slot].store, (struct fill){ state, .bytes_total = 1000, .bytes_free = 900 });
}

static int empty_osd0(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	next->osds[0].weight = 0;
	return 0;
}

static void on_changed(void *owner, int result)
{
	assert_int_equal(result, 0);
}

/* Groups that an OSD has in another's place, who goes on. */
static unsigned int coming_to(struct fixture *f, uint16_t osd)
{
	const struct nacre_map_view *view = &member_map(f->d[0].member)->view;
	unsigned int count = 0;
	struct nacre_map_pg pg;

	for (uint32_t pool = 0; pool < 2; pool++)
		for (uint32_t i = 0; !nacre_map_pg_at(view, pool, i, &pg); i++)
			count += nacre_pg_slot(&pg, 2) != NACRE_OSD_NONE && nacre_pg_slot_of(&pg, osd) >= 0 &&
				 nacre_pg_slot_of(&pg, osd) < 2 && !(pg.in_sync >> nacre_pg_slot_of(&pg, osd) & 1);
	return count;
}

static bool some_come_to_osd2(void *f) { return coming_to(f, 2); }
static bool some_come_to_osd1(void *f) { return coming_to(f, 1); }

/* What they say with their leases decides who is given groups, and when. */
static void groups_go_to_those_that_say_they_have_room(void **state)
{
	struct fixture f;

	setup(&f, 4, 2, 1);
	start(&f, 0, NACRE_ROLE_MDS, 0);
	for (uint16_t i = 0; i < 4; i++) {
		start(&f, i + 1, NACRE_ROLE_OSD, i);
		if (i)
			tell(&f, i + 1, i == 2 ? FILL_FULL : FILL_NEARLY);
	}
	for (int i = 0; i < 5; i++)
		run_until_set(f.io, &f.d[i].joined);
	member_change_map(f.d[0].member, empty_osd0, on_changed, &f);
	run_ms(f.io, 4 * LEASE_MS);
	assert_int_equal(coming_to(&f, 1) + coming_to(&f, 2) + coming_to(&f, 3), 0);
	/* one that was full until now is no better than nearly full */
	tell(&f, 3, FILL_WELL);
	run_ms(f.io, 4 * LEASE_MS);
	assert_false(some_come_to_osd2(&f));
	tell(&f, 2, FILL_WELL);
	run_until(f.io, some_come_to_osd1, &f);
	/* on the way it becomes full: osd0 has nowhere else to go, and what has begun waits */
	tell(&f, 2, FILL_FULL);
	run_ms(f.io, 4 * LEASE_MS);
	assert_true(some_come_to_osd1(&f));
	/* elsewhere it can go */
	tell(&f, 4, FILL_WELL);
	run_ms(f.io, 4 * LEASE_MS);
	assert_false(some_come_to_osd2(&f));
	assert_true(coming_to(&f, 3));
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_osd_leaves_the_in_sync_sets),
		cmocka_unit_test(a_cluster_that_died_together_comes_back_whole),
		cmocka_unit_test(who_does_not_come_back_is_marked_down_later),
		cmocka_unit_test(the_last_in_sync_members_stay),
		cmocka_unit_test(groups_go_to_those_that_say_they_have_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
