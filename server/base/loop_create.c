// SPDX-License-Identifier: GPL-2.0
/*
 * Which driver a loop gets, its life and its end.
 *
 * The wish of the configuration comes first, then the environment's NACRE_IO. Without
 * either io_uring is tried; where it cannot be had (a sysctl, a seccomp filter, a
 * kernel too old) the loop runs on epoll and libaio, and knows why.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "loop_core.h"

#define HELPERS_DEFAULT 2
#define DEADLINE_MS_DEFAULT 30000
#define BAD_WISH (-EDOM)

STATS_ROWS(counter_rows, LOOP_COUNTERS);

bool loop_kind_parse(const char *text, enum loop_kind *ret_kind)
{
	static const char *const names[] = { [LOOP_AUTO] = "auto", [LOOP_URING] = "uring", [LOOP_AIO] = "aio" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], text)) {
			*ret_kind = (enum loop_kind)i;
			return true;
		}
	return false;
}

const char *loop_error(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return "io_uring is not allowed here: see sysctl kernel.io_uring_disabled, and seccomp filters";
	case -ENOSYS:
		return "this kernel has no io_uring";
	case -EINVAL:
		return "this kernel's io_uring is too old, Linux 6.1 or newer is needed";
	case -ENOMEM:
		return "no memory for a loop; that of io_uring is limited by ulimit -l";
	case BAD_WISH:
		return "the environment's NACRE_IO must be auto, uring or aio";
	default:
		return strerror(-err);
	}
}

static int loop_init(struct loop *loop, const struct loop_config *config)
{
	uint64_t deadline_ms = config->deadline_ms ? config->deadline_ms : DEADLINE_MS_DEFAULT;
	unsigned int threads = config->helper_threads ? config->helper_threads : HELPERS_DEFAULT;
	int err;

	loop->ops = loop_ops;
	loop->ops.name = loop->driver->name;
	loop->io.ops = &loop->ops;
	loop->tasks_tail = &loop->tasks;
	loop->signals.fd = -1;
	loop->time_scale_percent = config->time_scale_percent ? config->time_scale_percent : 100;
	loop->deadline_ns = deadline_ms * loop->time_scale_percent / 100 * 1000000;
	loop->stats = (struct stats_set){ "io", counter_rows, (uint64_t *)&loop->counters,
					  sizeof(loop->counters) / sizeof(uint64_t) };
	if (getrandom(loop->random_state, sizeof(loop->random_state), 0) != sizeof(loop->random_state))
		return -EIO;
	err = loop->driver->init(loop, config);
	if (!err)
		err = helpers_start(&loop->helpers, loop, threads, true, &loop->counters.jobs);
	return err;
}

static void loop_exit(struct loop *loop)
{
	timers_free(&loop->timers);
	if (loop->signals.fd >= 0)
		close(loop->signals.fd);
	loop->driver->exit(loop);
	free(loop);
}

static int create(const struct loop_driver *driver, const struct loop_config *config,
		  struct loop **ret_loop)
{
	struct loop *loop = calloc(1, driver->loop_bytes);
	int err;

	if (!loop)
		return -ENOMEM;
	loop->driver = driver;
	err = loop_init(loop, config);
	if (err) {
		loop->dying = true;
		helpers_stop(&loop->helpers);
		loop_exit(loop);
		return err;
	}
	*ret_loop = loop;
	return 0;
}

int loop_create(const struct loop_config *config, struct io **ret_io)
{
	const char *wish = getenv("NACRE_IO");
	enum loop_kind kind = config->kind;
	struct loop *loop = NULL;
	int err = 0, why = 0;

	if (kind == LOOP_AUTO && wish && !loop_kind_parse(wish, &kind))
		return BAD_WISH;
	if (kind != LOOP_AIO)
		err = create(&uring_driver, config, &loop);
	if (err && kind == LOOP_AUTO)
		why = err;
	if (kind == LOOP_AIO || why)
		err = create(&epoll_driver, config, &loop);
	if (err)
		return err;
	loop->fallback = why ? loop_error(why) : NULL;
	*ret_io = &loop->io;
	return 0;
}

void loop_destroy(struct io *io)
{
	struct loop *loop = loop_of(io);

	loop->dying = true;
	helpers_stop(&loop->helpers);
	loop->driver->drain(loop);
	loop_streams_free(loop);
	loop_listeners_free(loop);
	loop_folders_free(loop);
	loop_disk_free(loop);
	loop_exit(loop);
}

const struct stats_set *loop_stats(struct io *io)
{
	return &loop_of(io)->stats;
}

const char *loop_fallback(struct io *io)
{
	return loop_of(io)->fallback;
}
