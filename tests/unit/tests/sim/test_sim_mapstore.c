// SPDX-License-Identifier: GPL-2.0
/* The simulated map store: swaps race, watches lag, leases and offices run out on the virtual clock. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tests/sim/sim_mapstore.h"

#define TERM_NS (5 * SIM_NS_PER_S)

/* One member and what it was told. */
struct member {
	struct sim_host *host;
	struct mapstore *store;
	int got_result, swap_result, lost, elected, dismissed;
	uint64_t got_epoch, watched_epoch;
	int watched;
	struct mapstore_lease leases[4];
	size_t lease_count;
};

struct fixture {
	struct sim_world *world;
	struct sim_store *store;
	struct member a, b;
};

static void run_ms(struct fixture *f, uint64_t ms)
{
	sim_run(f->world, f->world->now_ns + ms * SIM_NS_PER_MS);
}

static void begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->world = sim_world_create(4);
	f->store = sim_store_create(f->world);
	f->a.host = sim_host_add(f->world, "a");
	f->b.host = sim_host_add(f->world, "b");
	f->a.store = sim_store_open(f->store, sim_host_io(f->a.host));
	f->b.store = sim_store_open(f->store, sim_host_io(f->b.host));
	f->a.swap_result = f->b.swap_result = f->a.got_result = 1;
}

static void end(struct fixture *f)
{
	sim_store_destroy(f->store);
	sim_world_destroy(f->world);
}

static void got(void *owner, int result, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct member *m = owner;

	m->got_result = result;
	m->got_epoch = epoch;
}

static void watched(void *owner, int result, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct member *m = owner;

	assert_int_equal(result, 0);
	assert_true(epoch > m->watched_epoch);
	assert_int_equal(length, 1);
	assert_int_equal(bytes[0], epoch);
	m->watched_epoch = epoch;
	m->watched++;
}

static void swapped(void *owner, int result) { ((struct member *)owner)->swap_result = result; }
static void lost(void *owner) { ((struct member *)owner)->lost++; }
static void elected(void *owner, bool holds)
{
	struct member *m = owner;

	if (holds)
		m->elected++;
	else
		m->dismissed++;
}

static void listed(void *owner, int result, const struct mapstore_lease *leases, size_t count)
{
	struct member *m = owner;

	memcpy(m->leases, leases, count * sizeof(*leases));
	m->lease_count = count;
}

static void swap_to(struct member *m, uint8_t epoch)
{
	mapstore_swap(m->store, epoch, &epoch, 1, swapped, m);
}

static void test_one_swap_of_two_wins(void **state)
{
	struct fixture f;

	begin(&f);
	mapstore_get(f.a.store, got, &f.a);
	run_ms(&f, 10);
	assert_int_equal(f.a.got_result, -ENOENT);
	swap_to(&f.a, 1);
	swap_to(&f.b, 1);
	run_ms(&f, 10);
	assert_int_equal(f.a.swap_result + f.b.swap_result, -EAGAIN);
	swap_to(&f.a, 3);
	run_ms(&f, 10);
	assert_int_equal(f.a.swap_result, -EAGAIN);
	mapstore_get(f.a.store, got, &f.a);
	run_ms(&f, 10);
	assert_int_equal(f.a.got_result, 0);
	assert_int_equal(f.a.got_epoch, 1);
	end(&f);
}

static void test_watch_lags_and_ends_at_the_newest(void **state)
{
	struct fixture f;
	uint8_t epoch;

	begin(&f);
	mapstore_watch(f.a.store, watched, &f.a);
	for (epoch = 1; epoch <= 50; epoch++) {
		swap_to(&f.b, epoch);
		run_ms(&f, 4);
		assert_int_equal(f.b.swap_result, 0);
	}
	sim_partition(f.a.host, sim_store_host(f.store), SIM_NS_PER_S);
	run_ms(&f, 500);
	assert_true(f.a.watched < 50);
	run_ms(&f, 1000);
	assert_int_equal(f.a.watched_epoch, 50);
	end(&f);
}

static void test_lease_is_renewed_and_lost_when_cut_off(void **state)
{
	struct fixture f;

	begin(&f);
	assert_int_equal(mapstore_lease_hold(f.a.store, "osd0", 7, TERM_NS, lost, &f.a), 0);
	assert_int_equal(mapstore_lease_hold(f.b.store, "osd0", 8, TERM_NS, lost, &f.b), -EBUSY);
	run_ms(&f, 60000);
	assert_true(mapstore_lease_valid(f.a.store));
	sim_partition(f.a.host, sim_store_host(f.store), 60 * SIM_NS_PER_S);
	run_ms(&f, 4900 + 1250);
	assert_false(mapstore_lease_valid(f.a.store));
	run_ms(&f, 100);
	assert_int_equal(f.a.lost, 1);
	mapstore_leases(f.b.store, listed, &f.b);
	run_ms(&f, 10);
	assert_int_equal(f.b.lease_count, 1);
	assert_true(f.b.leases[0].expires_ns <= io_now(sim_host_io(f.b.host)));
	assert_int_equal(mapstore_lease_hold(f.b.store, "osd0", 8, TERM_NS, lost, &f.b), 0);
	end(&f);
}

static void test_paused_holder_finds_its_lease_gone(void **state)
{
	struct fixture f;

	begin(&f);
	mapstore_lease_hold(f.a.store, "mds0", 7, TERM_NS, lost, &f.a);
	run_ms(&f, 1000);
	sim_host_pause(f.a.host, 2 * TERM_NS);
	run_ms(&f, 6000);
	assert_int_equal(mapstore_lease_hold(f.b.store, "mds0", 8, TERM_NS, lost, &f.b), 0);
	run_ms(&f, 5000);
	assert_int_equal(f.a.lost, 1);
	assert_true(mapstore_lease_valid(f.b.store));
	end(&f);
}

static void test_office_moves_when_its_holder_dies(void **state)
{
	struct fixture f;

	begin(&f);
	mapstore_elect(f.a.store, "coordinator", TERM_NS, elected, &f.a);
	run_ms(&f, 100);
	mapstore_elect(f.b.store, "coordinator", TERM_NS, elected, &f.b);
	run_ms(&f, 30000);
	assert_int_equal(f.a.elected, 1);
	assert_int_equal(f.b.elected, 0);
	sim_host_pause(f.a.host, 3 * TERM_NS);
	run_ms(&f, 2 * 5000);
	assert_int_equal(f.b.elected, 1);
	run_ms(&f, 2 * 5000);
	assert_int_equal(f.a.dismissed, 1);
	sim_host_crash(f.b.host, SIM_CRASH_POWER);
	run_ms(&f, 10000);
	assert_int_equal(f.a.elected, 2);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_swap_of_two_wins),
		cmocka_unit_test(test_watch_lags_and_ends_at_the_newest),
		cmocka_unit_test(test_lease_is_renewed_and_lost_when_cut_off),
		cmocka_unit_test(test_paused_holder_finds_its_lease_gone),
		cmocka_unit_test(test_office_moves_when_its_holder_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
