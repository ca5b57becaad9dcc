// SPDX-License-Identifier: GPL-2.0
/*
 * The `dir:` store: swaps that race, watching, files that are torn, leases that
 * are renewed, lost, taken over, and an office between candidates. Several stores
 * on one folder stand for several daemons.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "run.h"
#include "server/base/mapstore.h"

#define TERM_NS 300000000ull

struct answer {
	unsigned int count;
	int result;
	uint64_t epoch;
	uint8_t bytes[64];
	size_t length;
	bool came;
	struct mapstore_lease leases[8];
	size_t lease_count;
	bool holds;
	unsigned int changes;
};

static void on_got(void *owner, int result, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct answer *answer = owner;

	answer->count++;
	answer->result = result;
	answer->epoch = epoch;
	answer->length = length < sizeof(answer->bytes) ? length : sizeof(answer->bytes);
	if (answer->length)
		memcpy(answer->bytes, bytes, answer->length);
	answer->came = true;
}

static void on_swapped(void *owner, int result)
{
	struct answer *answer = owner;

	answer->count++;
	answer->result = result;
	answer->came = true;
}

static void on_listed(void *owner, int result, const struct mapstore_lease *leases, size_t count)
{
	struct answer *answer = owner;

	assert_true(count <= 8);
	answer->result = result;
	answer->lease_count = count;
	if (count)
		memcpy(answer->leases, leases, count * sizeof(*leases));
	answer->came = true;
}

static void on_lost(void *owner)
{
	((struct answer *)owner)->count++;
	((struct answer *)owner)->came = true;
}

static void on_elected(void *owner, bool holds)
{
	struct answer *answer = owner;

	answer->holds = holds;
	answer->changes++;
}

struct fixture {
	struct io *io;
	char *folder;
	struct mapstore *store[3];
};

static void setup_stores(struct fixture *f)
{
	const char *error = NULL;
	char url[128];

	f->io = run_loop();
	snprintf(url, sizeof(url), "dir:%s", f->folder);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mapstore_open(f->io, url, &f->store[i], &error), 0);
}

static void setup(struct fixture *f)
{
	f->folder = run_folder();
	setup_stores(f);
}

static void teardown(struct fixture *f)
{
	for (int i = 0; i < 3; i++)
		if (f->store[i])
			mapstore_destroy(f->store[i]);
	loop_destroy(f->io);
	run_folder_remove(f->folder);
}

static int get(struct fixture *f, int store, struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	mapstore_get(f->store[store], on_got, answer);
	assert_false(answer->came);
	run_until_set(f->io, &answer->came);
	return answer->result;
}

static int swap(struct fixture *f, int store, uint64_t epoch, const char *text)
{
	struct answer answer = { 0 };

	mapstore_swap(f->store[store], epoch, (const uint8_t *)text, strlen(text), on_swapped, &answer);
	run_until_set(f->io, &answer.came);
	return answer.result;
}

/* ---- maps ----------------------------------------------------------------------------------- */

static void a_swap_needs_the_epoch_before(void **state)
{
	struct answer answer;
	struct fixture f;

	setup(&f);
	assert_int_equal(get(&f, 0, &answer), -ENOENT);
	assert_non_null(strstr(f.store[0]->fault, "mkfs.nacre"));
	assert_int_equal(swap(&f, 0, 2, "two"), -EAGAIN);
	assert_int_equal(swap(&f, 0, 1, "one"), 0);
	assert_int_equal(swap(&f, 1, 1, "uno"), -EAGAIN);
	assert_int_equal(swap(&f, 1, 2, "two"), 0);
	assert_int_equal(swap(&f, 0, 4, "four"), -EAGAIN);
	assert_int_equal(get(&f, 2, &answer), 0);
	assert_int_equal(answer.epoch, 2);
	assert_int_equal(answer.length, 3);
	assert_memory_equal(answer.bytes, "two", 3);
	teardown(&f);
}

/* Three stores want every epoch at once: exactly one gets each. */
static void of_racing_swaps_one_wins(void **state)
{
	struct fixture f;

	setup(&f);
	for (uint64_t epoch = 1; epoch <= 40; epoch++) {
		struct answer answer[3] = { 0 };
		int won = 0;

		for (int i = 0; i < 3; i++)
			mapstore_swap(f.store[i], epoch, (const uint8_t *)&epoch, 8, on_swapped,
				      &answer[i]);
		for (int i = 0; i < 3; i++) {
			run_until_set(f.io, &answer[i].came);
			assert_true(!answer[i].result || answer[i].result == -EAGAIN);
			won += !answer[i].result;
		}
		assert_int_equal(won, 1);
	}
	teardown(&f);
}

/*
 * A process is forked before the test has a loop: a thread of it might hold the allocator's lock, and a child would wait
 * for that thread for ever.
 */

/* A process that swaps whatever epoch is next, as fast as it can; its exit status is how often it won. */
static int swap_in_a_process(const char *folder, uint64_t last)
{
	struct fixture f = { .io = run_loop() };
	struct answer answer;
	const char *error;
	char url[128];
	int won = 0;

	snprintf(url, sizeof(url), "dir:%s", folder);
	if (mapstore_open(f.io, url, &f.store[0], &error))
		return 255;
	for (;;) {
		if (get(&f, 0, &answer) && answer.result != -ENOENT)
			return 255;
		if (answer.epoch >= last)
			return won;
		won += !swap(&f, 0, answer.epoch + 1, "x");
	}
}

static void of_racing_processes_one_wins(void **state)
{
	pid_t child[4];
	struct fixture f;
	int status, won = 0;

	f.folder = run_folder();
	for (int i = 0; i < 4; i++) {
		child[i] = fork();
		if (!child[i])
			_exit(swap_in_a_process(f.folder, 100));
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 255);
		won += WEXITSTATUS(status);
	}
	assert_int_equal(won, 100);
	setup_stores(&f);
	teardown(&f);
}

static bool is_there(struct fixture *f, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	return !access(path, F_OK);
}

static void old_maps_are_trimmed(void **state)
{
	struct fixture f;

	setup(&f);
	for (uint64_t epoch = 1; epoch <= 40; epoch++)
		assert_int_equal(swap(&f, 0, epoch, "x"), 0);
	assert_true(is_there(&f, "map.40"));
	assert_true(is_there(&f, "map.9"));
	assert_false(is_there(&f, "map.8"));
	/* the number of a trimmed map is free as a name, and yet not to be had */
	assert_int_equal(swap(&f, 0, 3, "x"), -EAGAIN);
	assert_false(is_there(&f, "map.3"));
	teardown(&f);
}

static bool has_epoch(void *arg)
{
	return ((struct answer *)arg)->epoch == 7;
}

static void hears_of_every_change(struct fixture *fixture)
{
	struct answer answer = { 0 };
	struct fixture f = *fixture;

	assert_int_equal(swap(&f, 0, 1, "one"), 0);
	mapstore_watch(f.store[1], on_got, &answer);
	run_until_set(f.io, &answer.came);
	assert_int_equal(answer.epoch, 1);
	run_ms(f.io, 120);
	assert_int_equal(answer.count, 1);
	for (uint64_t epoch = 2; epoch <= 7; epoch++)
		assert_int_equal(swap(&f, 0, epoch, "more"), 0);
	run_until(f.io, has_epoch, &answer);
	assert_true(answer.count <= 7);
	teardown(&f);
}

static void a_watcher_hears_of_every_change(void **state)
{
	struct fixture f;

	setup(&f);
	hears_of_every_change(&f);
}

/* The folder cannot be watched: it is looked at instead. */
static void a_watcher_that_must_poll_hears_of_every_change(void **state)
{
	static struct io_ops ops;
	struct fixture f;

	setup(&f);
	ops = *f.io->ops;
	ops.folder_watch = NULL;
	f.io->ops = &ops;
	hears_of_every_change(&f);
}

static uint64_t jobs_done(struct fixture *f)
{
	const struct stats_set *set = loop_stats(f->io);

	for (size_t i = 0; i < set->count; i++)
		if (!strcmp(set->rows[i].name, "jobs"))
			return set->values[i];
	fail();
	return 0;
}

/* Nobody looks for a map while there is none: three watchers, at most one look each in the time of six polls. */
static void watching_costs_nothing_while_nothing_changes(void **state)
{
	struct answer answers[3] = { 0 };
	struct fixture f;
	uint64_t before;

	setup(&f);
	assert_int_equal(swap(&f, 0, 1, "one"), 0);
	for (int i = 0; i < 3; i++)
		mapstore_watch(f.store[i], on_got, &answers[i]);
	for (int i = 0; i < 3; i++)
		run_until_set(f.io, &answers[i].came);
	before = jobs_done(&f);
	run_ms(f.io, 300);
	assert_in_range(jobs_done(&f) - before, 0, 3);
	before = jobs_done(&f);
	for (uint64_t epoch = 2; epoch <= 7; epoch++)
		assert_int_equal(swap(&f, 0, epoch, "more"), 0);
	for (int i = 0; i < 3; i++)
		run_until(f.io, has_epoch, &answers[i]);
	assert_in_range(jobs_done(&f) - before, 6 + 3, 6 + 3 * 7 * 2);	/* swaps, and looks because of them */
	teardown(&f);
}

static void spoil(struct fixture *f, const char *name, off_t at, off_t cut)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	if (at >= 0)
		assert_int_equal(pwrite(fd, "\xff", 1, at), 1);
	if (cut >= 0)
		assert_int_equal(ftruncate(fd, cut), 0);
	close(fd);
}

static void a_torn_map_is_refused_with_a_reason(void **state)
{
	struct answer answer;
	struct fixture f;

	setup(&f);
	assert_int_equal(swap(&f, 0, 1, "the map"), 0);
	spoil(&f, "map.1", 34, -1);
	assert_int_equal(get(&f, 0, &answer), -EBADMSG);
	assert_string_equal(f.store[0]->fault, "map.1 is torn or damaged: its checksum does not match");
	spoil(&f, "map.1", -1, 35);
	assert_int_equal(get(&f, 0, &answer), -EBADMSG);
	spoil(&f, "map.1", -1, 3);
	assert_int_equal(get(&f, 0, &answer), -EBADMSG);
	assert_string_equal(f.store[0]->fault, "map.1 is not a map file");
	spoil(&f, "map.1", -1, 0);
	assert_int_equal(get(&f, 0, &answer), -EBADMSG);
	/* and it is not taken for "no map": nobody writes over it */
	assert_int_equal(swap(&f, 0, 1, "another"), -EAGAIN);
	teardown(&f);
}

static void wrong_urls_are_named(void **state)
{
	struct io *io = run_loop();
	struct mapstore *store;
	const char *error;

	assert_int_equal(mapstore_open(io, "file:/tmp", &store, &error), -EINVAL);
	assert_string_equal(error, "a map store is dir:PATH");
	assert_int_equal(mapstore_open(io, "dir:relative", &store, &error), -EINVAL);
	assert_int_equal(mapstore_open(io, "etcd:http://x", &store, &error), -EINVAL);
	assert_int_equal(mapstore_open(io, "dir:/nonexistent/x", &store, &error), -ENOENT);
	assert_int_equal(mapstore_open(io, "dir:/proc/version", &store, &error), -ENOTDIR);
	loop_destroy(io);
}

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
		 "sed -i 's/ 0 [0-9a-f-]* [0-9a-f]* *$/ 0 other deadbeef/' %s/lease.osd0", f.folder);
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
		cmocka_unit_test(a_swap_needs_the_epoch_before),
		cmocka_unit_test(of_racing_swaps_one_wins),
		cmocka_unit_test(of_racing_processes_one_wins),
		cmocka_unit_test(old_maps_are_trimmed),
		cmocka_unit_test(a_watcher_hears_of_every_change),
		cmocka_unit_test(a_watcher_that_must_poll_hears_of_every_change),
		cmocka_unit_test(watching_costs_nothing_while_nothing_changes),
		cmocka_unit_test(a_torn_map_is_refused_with_a_reason),
		cmocka_unit_test(wrong_urls_are_named),
		cmocka_unit_test(a_lease_is_renewed_and_exclusive),
		cmocka_unit_test(a_lease_that_is_not_renewed_is_lost_in_time),
		cmocka_unit_test(a_dead_process_leaves_its_lease_at_once),
		cmocka_unit_test(a_lease_of_another_boot_has_run_out),
		cmocka_unit_test(one_of_several_holds_the_office),
		cmocka_unit_test(erasing_is_refused_while_a_daemon_runs),
	};

	return run_on_each_loop(tests);
}
