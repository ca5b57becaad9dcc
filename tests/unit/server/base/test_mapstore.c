// SPDX-License-Identifier: GPL-2.0
/* Maps in the `dir:` store: swaps that race, watching, files that are torn. Leases are in test_mapstore_lease.c. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "stores.h"

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

static void make_empty(struct fixture *f, const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
}

static void old_maps_are_trimmed(void **state)
{
	struct fixture f;

	setup(&f);
	/* of processes that are stopped before they link them */
	make_empty(&f, ".new.map.8.1.0x1");
	make_empty(&f, ".new.map.9.1.0x1");
	for (uint64_t epoch = 1; epoch <= 40; epoch++)
		assert_int_equal(swap(&f, 0, epoch, "x"), 0);
	assert_true(is_there(&f, "map.40"));
	assert_true(is_there(&f, "map.9"));
	assert_false(is_there(&f, "map.8"));
	assert_false(is_there(&f, ".new.map.8.1.0x1"));
	assert_true(is_there(&f, ".new.map.9.1.0x1"));
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
	};

	return run_on_each_loop(tests);
}
