// SPDX-License-Identifier: GPL-2.0
/* The coordinator: what becomes of daemons whose leases end, alone and all together. */
#include "members.h"

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
		cmocka_unit_test(a_dead_osd_leaves_the_in_sync_sets),
		cmocka_unit_test(a_cluster_that_died_together_comes_back_whole),
		cmocka_unit_test(who_does_not_come_back_is_marked_down_later),
		cmocka_unit_test(the_last_in_sync_members_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
