/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests on a real loop: run it until something is true, or fail after ten
 * seconds; run a group on each kind of loop. Also a scratch folder that goes away
 * with the test.
 */
#ifndef NACRE_TEST_RUN_H
#define NACRE_TEST_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "server/base/io.h"
#include "server/base/loop.h"

#define RUN_LIMIT_NS 10000000000ull

struct run {
	struct io_timer timer;
	struct io *io;
	bool (*until)(void *arg);
	void *arg;
	uint64_t give_up_ns;
	bool reached;
};

static inline void run_look(struct io_timer *timer)
{
	struct run *run = (struct run *)timer;

	run->reached = run->until(run->arg);
	if (run->reached || io_now(run->io) >= run->give_up_ns)
		loop_stop(run->io);
	else
		io_timer_arm(run->io, timer, io_now(run->io) + 200000);
}

/* True when `until` became true within `limit_ns`. */
static inline bool run_for(struct io *io, bool (*until)(void *arg), void *arg, uint64_t limit_ns)
{
	struct run run = { .io = io, .until = until, .arg = arg,
			   .timer.fire = run_look, .give_up_ns = io_now(io) + limit_ns };

	io_timer_arm(io, &run.timer, io_now(io));
	loop_run(io);
	return run.reached;
}

static inline bool run_flag(void *arg)
{
	return *(volatile bool *)arg;
}

#define run_until(io, until, arg) assert_true(run_for(io, until, arg, RUN_LIMIT_NS))
#define run_until_set(io, flag) assert_true(run_for(io, run_flag, flag, RUN_LIMIT_NS))

static inline bool run_never(void *arg)
{
	return false;
}

/* Let the loop run for a while. */
static inline void run_ms(struct io *io, unsigned int ms)
{
	run_for(io, run_never, NULL, ms * 1000000ull);
}

static inline struct io *run_loop(void)
{
	struct loop_config config = { 0 };
	struct io *io;

	assert_int_equal(loop_create(&config, &io), 0);
	return io;
}

/* Loops are of this kind from here on, if there can be one of it. */
static inline bool run_choose(const char *kind)
{
	struct loop_config config = { 0 };
	struct io *io;
	int err;

	setenv("NACRE_IO", kind, 1);
	err = loop_create(&config, &io);
	if (err) {
		printf("not on %s: %s\n", kind, loop_error(err));
		return false;
	}
	printf("on %s\n", io->ops->name);
	loop_destroy(io);
	return true;
}

/* The tests of the seam itself run on either kind; the rest on what the environment says. */
#define run_on_each_loop(tests)							\
	((run_choose("uring") ? cmocka_run_group_tests(tests, NULL, NULL) : 0) +	\
	 (run_choose("aio") ? cmocka_run_group_tests(tests, NULL, NULL) : 1))

static inline char *run_folder(void)
{
	char *path = strdup("/tmp/nacre-unit.XXXXXX");

	assert_non_null(mkdtemp(path));
	return path;
}

static inline void run_folder_remove(char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", path);
	assert_int_equal(system(command), 0);
	free(path);
}

#endif
