// SPDX-License-Identifier: GPL-2.0
/* Leases in the `dir:` store: renewed, lost, taken over; an office between candidates; and erasing. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include "stores.h"

#define TERM_NS 300000000ull

/* ---- leases --------------------------------------------------------------------------------- */

static void list(struct fixture *f, struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	mapstore_leases(f->store[2], on_listed, answer);
	run_until_set(f->io, &answer->came);
	assert_int_equal(answer->result, 0);
}

static bool is_released(struct fixture *f, const char *name)
{
	struct answer leases;
	bool released = false;

	list(f, &leases);
	assert_int_equal(leases.lease_count, 2);
	for (size_t i = 0; i < 2; i++)
		if (!strcmp(leases.leases[i].name, name))
			released = leases.leases[i].released;
	return released;
}

static void a_lease_is_renewed_and_exclusive(void **state)
{
	struct answer lost = { 0 }, leases;
	uint64_t first;
	struct fixture f;

	setup(&f);
	assert_false(mapstore_lease_valid(f.store[0]));
	assert_int_equal(mapstore_lease_hold(f.store[0], "osd0", 5, TERM_NS, on_lost, &lost), 0);
	assert_true(mapstore_lease_valid(f.store[0]));
	assert_int_equal(mapstore_lease_hold(f.store[1], "osd0", 6, TERM_NS, on_lost, &lost), -EBUSY);
	assert_int_equal(mapstore_lease_hold(f.store[1], "osd1", 6, TERM_NS, on_lost, &lost), 0);
	list(&f, &leases);
	assert_int_equal(leases.lease_count, 2);
	first = leases.leases[0].expires_ns;
	run_ms(f.io, 700);
	assert_true(mapstore_lease_valid(f.store[0]));
	assert_int_equal(lost.count, 0);
	list(&f, &leases);
	assert_true(leases.leases[0].expires_ns > first);
	assert_false(leases.leases[0].released || leases.leases[0].gone);
	mapstore_lease_release(f.store[0]);
	assert_false(mapstore_lease_valid(f.store[0]));
	/* a renewal that was under way may be written after it, and is put right when it is back */
	for (int i = 0; i < 100 && !is_released(&f, "osd0"); i++)
		run_ms(f.io, 10);
	assert_true(is_released(&f, "osd0"));
	assert_false(is_released(&f, "osd1"));
	assert_int_equal(mapstore_lease_hold(f.store[1], "osd1", 6, TERM_NS, on_lost, &lost), -EALREADY);
	teardown(&f);
}

static struct fill told_fill(struct fixture *f)
{
	struct answer leases;

	list(f, &leases);
	assert_int_equal(leases.lease_count, 1);
	return leases.leases[0].fill;
}

/* How full an OSD is goes with its lease; a line of a daemon that does not tell says nothing, and a wrong one neither. */
static void how_full_it_is_goes_with_the_lease(void **state)
{
	struct answer lost = { 0 };
	struct fixture f;
	char command[200];

	setup(&f);
	mapstore_lease_tell(f.store[0], (struct fill){ FILL_NEARLY, .bytes_total = 1000000000000, .bytes_free = 150000000000 });
	assert_int_equal(mapstore_lease_hold(f.store[0], "osd0", 5, TERM_NS, on_lost, &lost), 0);
	assert_int_equal(told_fill(&f).state, FILL_NEARLY);
	assert_int_equal(told_fill(&f).bytes_total, 1000000000000);
	assert_int_equal(told_fill(&f).bytes_free, 150000000000);
	mapstore_lease_tell(f.store[0], (struct fill){ FILL_FULL, .bytes_total = 1000000000000 });
	run_ms(f.io, 300);
	assert_int_equal(told_fill(&f).state, FILL_FULL);
	for (unsigned int older = 0; older < 2; older++) {
		snprintf(command, sizeof(command), older ? "sed -i 's/ fill .*//' %s/lease.osd0" : "sed -i 's/ fill 3/ fill 1/' %s/lease.osd0", f.folder);
		assert_int_equal(system(command), 0);
		assert_int_equal(told_fill(&f).state, FILL_UNKNOWN);
	}
	teardown(&f);
}

/* The renewal cannot be written: the holder stops before the term ends for others. */
static void a_lease_that_is_not_renewed_is_lost_in_time(void **state)
{
	struct answer lost = { 0 }, leases;
	uint64_t looked;
	struct fixture f;
	char path[128];

	setup(&f);
	assert_int_equal(mapstore_lease_hold(f.store[0], "osd0", 5, TERM_NS, on_lost, &lost), 0);
	list(&f, &leases);
	/* time passes without the loop, as if the process had been stopped; how much of it, a busy machine decides */
	do {
		looked = io_now(f.io);
		assert_true(looked < leases.leases[0].expires_ns || !mapstore_lease_valid(f.store[0]));
		usleep(1000);
	} while (mapstore_lease_valid(f.store[0]));
	run_until_set(f.io, &lost.came);
	assert_int_equal(lost.count, 1);
	run_ms(f.io, 100);
	assert_int_equal(lost.count, 1);
	assert_false(mapstore_lease_valid(f.store[0]));
	/* another's file in its place is found at the next renewal */
	memset(&lost, 0, sizeof(lost));
	assert_int_equal(mapstore_lease_hold(f.store[1], "osd0", 6, TERM_NS, on_lost, &lost), 0);
	snprintf(path, sizeof(path), "cp %s/lease.osd0 %s/x && mv %s/x %s/lease.osd0", f.folder,
		 f.folder, f.folder, f.folder);
	assert_int_equal(system(path), 0);
	run_until_set(f.io, &lost.came);
	teardown(&f);
}

static void a_dead_process_leaves_its_lease_at_once(void **state)
{
	struct answer leases, lost = { 0 };
	struct fixture f;
	int status;
	pid_t child;

	f.folder = run_folder();
	child = fork();
	if (!child) {
		struct io *io = run_loop();
		struct mapstore *store;
		const char *error;
		char url[128];

		snprintf(url, sizeof(url), "dir:%s", f.folder);
		if (mapstore_open(io, url, &store, &error) ||
		    mapstore_lease_hold(store, "osd0", 5, 60000000000ull, on_lost, &lost))
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	setup_stores(&f);
	list(&f, &leases);
	assert_int_equal(leases.lease_count, 1);
	assert_true(leases.leases[0].gone);
	assert_true(leases.leases[0].expires_ns > io_now(f.io));
	assert_int_equal(mapstore_lease_hold(f.store[0], "osd0", 6, TERM_NS, on_lost, &lost), 0);
	teardown(&f);
}

static void a_lease_of_another_boot_has_run_out(void **state)
{
	struct answer leases, lost = { 0 };
	struct fixture f;
	char command[256];

	setup(&f);
	assert_int_equal(mapstore_lease_hold(f.store[0], "osd0", 5, 60000000000ull, on_lost, &lost), 0);
	/* the same claim with another boot's name, and its checksum made right by the store itself */
	snprintf(command, sizeof(command),
		 "sed -i 's/ 0 [0-9a-f-]* [0-9a-f]* fill .*$/ 0 other deadbeef/' %s/lease.osd0", f.folder);
	assert_int_equal(system(command), 0);
	list(&f, &leases);
	assert_int_equal(leases.lease_count, 0);	/* its checksum is wrong: no claim at all */
	assert_int_equal(mapstore_lease_hold(f.store[1], "osd0", 6, TERM_NS, on_lost, &lost), 0);
	teardown(&f);
}

/* ---- offices -------------------------------------------------------------------------------- */

static bool one_holds(void *arg)
{
	struct answer *answer = arg;

	return answer[0].holds || answer[1].holds || answer[2].holds;
}

static void one_of_several_holds_the_office(void **state)
{
	struct answer lost = { 0 }, office[3] = { 0 };
	struct fixture f;
	char name[16];
	int holder;

	setup(&f);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "osd%d", i);
		assert_int_equal(mapstore_lease_hold(f.store[i], name, (uint64_t)i + 1, TERM_NS, on_lost,
						     &lost), 0);
		mapstore_elect(f.store[i], "coordinator", TERM_NS, on_elected, &office[i]);
	}
	run_until(f.io, one_holds, office);
	run_ms(f.io, 700);
	assert_int_equal(office[0].holds + office[1].holds + office[2].holds, 1);
	assert_int_equal(office[0].changes + office[1].changes + office[2].changes, 1);
	holder = office[0].holds ? 0 : office[1].holds ? 1 : 2;
	/* the holder leaves: another follows */
	mapstore_destroy(f.store[holder]);
	f.store[holder] = NULL;
	office[holder].holds = false;
	run_until(f.io, one_holds, office);
	assert_int_equal(lost.count, 0);
	/* who has no lease is no candidate: it steps down by itself */
	for (int i = 0; i < 3; i++)
		if (f.store[i])
			mapstore_lease_release(f.store[i]);
	run_ms(f.io, 500);
	assert_false(one_holds(office));
	teardown(&f);
}

/* ---- erasing -------------------------------------------------------------------------------- */

static void erasing_is_refused_while_a_daemon_runs(void **state)
{
	struct answer answer, lost = { 0 };
	char url[128], busy[32] = "";
	struct fixture f;

	setup(&f);
	snprintf(url, sizeof(url), "dir:%s", f.folder);
	assert_int_equal(mapstore_erase(url, busy, sizeof(busy)), -ENOENT);
	assert_int_equal(swap(&f, 0, 1, "one"), 0);
	assert_int_equal(mapstore_lease_hold(f.store[0], "mds0", 5, TERM_NS, on_lost, &lost), 0);
	assert_int_equal(mapstore_erase(url, busy, sizeof(busy)), -EBUSY);
	assert_string_equal(busy, "mds0");
	mapstore_lease_release(f.store[0]);
	assert_int_equal(mapstore_erase(url, busy, sizeof(busy)), 0);
	assert_int_equal(get(&f, 1, &answer), -ENOENT);
	assert_int_equal(mapstore_erase("dir:/nonexistent/x", busy, sizeof(busy)), -ENOENT);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_is_renewed_and_exclusive),
		cmocka_unit_test(how_full_it_is_goes_with_the_lease),
		cmocka_unit_test(a_lease_that_is_not_renewed_is_lost_in_time),
		cmocka_unit_test(a_dead_process_leaves_its_lease_at_once),
		cmocka_unit_test(a_lease_of_another_boot_has_run_out),
		cmocka_unit_test(one_of_several_holds_the_office),
		cmocka_unit_test(erasing_is_refused_while_a_daemon_runs),
	};

	return run_on_each_loop(tests);
}
