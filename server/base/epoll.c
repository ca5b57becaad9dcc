// SPDX-License-Identifier: GPL-2.0
/*
 * The driver on epoll and libaio, for where io_uring cannot be had. What turns
 * prepare for the disk is submitted before the loop waits; sockets are read and
 * written by the tasks of their streams; one timerfd stands for all timers,
 * because epoll's own timeout knows milliseconds only.
 *
 * Objects that events point to are freed by tasks and not earlier: when tasks run,
 * all events of the turn have been led back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "aio_disk.h"

#define ENTRIES_DEFAULT 256
#define BUFFER_BYTES_DEFAULT 65536

/* ---- events --------------------------------------------------------------------------------- */

int epoll_add(struct loop *loop, int fd, uint32_t events, struct loop_op *op)
{
	struct epoll_event event = { .events = events, .data.ptr = op };

	return epoll_ctl(epoll_of(loop)->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void epoll_remove(struct loop *loop, int fd)
{
	epoll_ctl(epoll_of(loop)->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void epoll_complete(struct loop *loop)
{
	struct epoll_loop *e = epoll_of(loop);
	struct loop_op *op;

	for (int i = 0; i < e->event_count; i++) {
		op = e->events[i].data.ptr;
		loop->counters.completions++;
		op->complete(loop, op, (int)e->events[i].events, 0);
	}
	e->event_count = 0;
}

static void watch_complete(struct loop *loop, struct loop_op *op, int events, unsigned int flags)
{
	struct loop_watch *watch = container(op, struct loop_watch, op);

	if (watch->ending)
		return;
	if (!watch->buffer || read(watch->fd, watch->buffer, watch->bytes) == (ssize_t)watch->bytes)
		watch->ready(loop, watch);
}

static void watch_end(struct io_task *task)
{
	struct loop_watch *watch = container(task, struct loop_watch, end);

	watch->ended(watch);
}

static void epoll_unwatch(struct loop *loop, struct loop_watch *watch)
{
	watch->ending = true;
	epoll_remove(loop, watch->fd);
	watch->end.run = watch_end;
	loop_defer(&loop->io, &watch->end);
}

int epoll_watch(struct loop *loop, struct loop_watch *watch)
{
	watch->op.complete = watch_complete;
	if (fcntl(watch->fd, F_SETFL, O_NONBLOCK))
		return -errno;
	return epoll_add(loop, watch->fd, EPOLLIN, &watch->op);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void timer_fired(struct loop *loop, struct loop_watch *watch)
{
	epoll_of(loop)->timer_at_ns = UINT64_MAX;
}

static void timer_set(struct epoll_loop *e, uint64_t at_ns)
{
	struct itimerspec at = { .it_value = { (time_t)(at_ns / 1000000000ull),
					       (long)(at_ns % 1000000000ull) } };

	if (timerfd_settime(e->timer.fd, TFD_TIMER_ABSTIME, &at, NULL))
		abort();	/* a lost deadline would be worse */
	e->timer_at_ns = at_ns;
}

static void epoll_wait_until(struct loop *loop, uint64_t until_ns)
{
	struct epoll_loop *e = epoll_of(loop);
	bool at_once = !until_ns;
	int count;

	aio_submit(e);
	/* set for too early it costs a turn, set for too late it would cost a deadline */
	if (!at_once && until_ns < e->timer_at_ns) {
		at_once = until_ns <= io_now(&loop->io);
		if (!at_once)
			timer_set(e, until_ns);
	}
	count = epoll_wait(e->epoll_fd, e->events, EPOLL_EVENTS, at_once ? 0 : -1);
	e->event_count = count > 0 ? count : 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int epoll_init(struct loop *loop, const struct loop_config *config)
{
	struct epoll_loop *e = epoll_of(loop);

	e->entries = config->entries ? config->entries : ENTRIES_DEFAULT;
	e->buffer_bytes = config->recv_buffer_bytes ? config->recv_buffer_bytes : BUFFER_BYTES_DEFAULT;
	e->timer.fd = -1;
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->epoll_fd < 0)
		return -errno;
	e->buffer = malloc(e->buffer_bytes);
	if (!e->buffer)
		return -ENOMEM;
	e->timer = (struct loop_watch){
		.fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC), .buffer = &e->timer_value,
		.bytes = sizeof(e->timer_value), .ready = timer_fired,
	};
	e->timer_at_ns = UINT64_MAX;
	return e->timer.fd < 0 ? -errno : epoll_watch(loop, &e->timer);
}

static void epoll_drain(struct loop *loop)
{
	aio_drain(epoll_of(loop));
}

static void epoll_exit(struct loop *loop)
{
	struct epoll_loop *e = epoll_of(loop);

	aio_exit(e);
	free(e->buffer);
	if (e->timer.fd >= 0)
		close(e->timer.fd);
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
}

const struct loop_driver epoll_driver = {
	.name = "epoll and libaio",
	.loop_bytes = sizeof(struct epoll_loop),
	.listener_bytes = sizeof(struct epoll_listener),
	.stream_bytes = sizeof(struct epoll_stream),
	.disk_bytes = sizeof(struct aio_disk),
	.init = epoll_init,
	.drain = epoll_drain,
	.exit = epoll_exit,
	.complete = epoll_complete,
	.wait = epoll_wait_until,
	.watch = epoll_watch,
	.unwatch = epoll_unwatch,
	.accept_start = epoll_accept_start,
	.accept_stop = epoll_accept_stop,
	.listener_exit = epoll_listener_exit,
	.stream_init = epoll_stream_init,
	.stream_receive = epoll_stream_receive,
	.stream_send = epoll_stream_send,
	.stream_quiet = epoll_stream_quiet,
	.stream_idle = epoll_stream_idle,
	.stream_exit = epoll_stream_exit,
	.file_init = aio_file_init,
	.disk_start = aio_disk_start,
};
