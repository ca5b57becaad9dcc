// SPDX-License-Identifier: GPL-2.0
/*
 * The second implementation of server/base/io.h: clocks, random numbers,
 * timers, tasks and helper jobs of one simulated host. Network and disk are in
 * sim_net.c and sim_disk.c.
 *
 * A host's clock is the world's plus an offset, so that nobody can compare the
 * clocks of two hosts by accident.
 */
#include <assert.h>
#include <stdlib.h>
#include "sim_disk.h"
#include "sim_net.h"
#include "sim_world.h"

#define WALL_START_NS (1700000000ull * SIM_NS_PER_S)
#define TASKS_MAX 1000000u	/* in one turn: more is a loop that never ends */

static uint64_t sim_now(struct io *io)
{
	struct sim_host *host = sim_host_of(io);

	return host->world->now_ns + host->clock_offset_ns;
}

static uint64_t sim_wall(struct io *io)
{
	struct sim_host *host = sim_host_of(io);

	return WALL_START_NS + host->world->now_ns + (uint64_t)host->wall_offset_ns;
}

static uint64_t sim_random_of(struct io *io)
{
	return sim_random_next(&sim_host_of(io)->random);
}

static void timer_arm(struct io *io, struct io_timer *timer, uint64_t at_ns)
{
	struct sim_host *host = sim_host_of(io);
	uint64_t now_ns = sim_now(io);

	assert(host->up);
	timer->at_ns = at_ns;
	if (at_ns < now_ns)
		at_ns = now_ns;
	sim_timer_at(host->world, host, timer, at_ns - host->clock_offset_ns);
}

static void timer_cancel(struct io *io, struct io_timer *timer)
{
	sim_timer_cancel(sim_host_of(io)->world, timer);
}

/* The top of the loop: all tasks, also those that tasks queue. */
static void run_tasks(struct sim_event *event)
{
	struct sim_host *host = (struct sim_host *)((char *)event -
						    offsetof(struct sim_host, tasks_event));
	struct io_task *task;
	unsigned int count = 0;

	while ((task = host->tasks)) {
		host->tasks = task->next;
		if (!host->tasks)
			host->tasks_tail = &host->tasks;
		task->queued = false;
		task->run(task);
		if (!host->up)
			return;
		assert(++count < TASKS_MAX);
	}
}

static void defer(struct io *io, struct io_task *task)
{
	struct sim_host *host = sim_host_of(io);

	assert(host->up);
	if (task->queued)
		return;
	task->queued = true;
	task->next = NULL;
	*host->tasks_tail = task;
	host->tasks_tail = &task->next;
	host->tasks_event.run = run_tasks;
	if (!host->tasks_event.heap_index)
		sim_event_at(host->world, host, &host->tasks_event, host->world->now_ns);
}

/* A job in a helper thread: its work is done at one time, and told at another. */
struct sim_job {
	struct sim_event event;
	struct sim_host *host;
	struct io_job *job;
	bool worked;
};

static void run_job(struct sim_event *event)
{
	struct sim_job *sim_job = (struct sim_job *)event;
	struct sim_host *host = sim_job->host;
	struct io_job *job = sim_job->job;

	if (!sim_job->worked) {
		sim_job->worked = true;
		job->work(job);
		sim_event_at(host->world, host, event, host->world->now_ns +
			     sim_below(&host->world->random, 20 * SIM_NS_PER_US));
		return;
	}
	free(sim_job);
	job->done(job);
}

static void offload(struct io *io, struct io_job *job)
{
	struct sim_host *host = sim_host_of(io);
	struct sim_job *sim_job = calloc(1, sizeof(*sim_job));
	uint64_t delay_us = sim_between(&host->world->random, 1, host->world->faults.offload_us);

	assert(host->up && sim_job);
	sim_job->event.run = run_job;
	sim_job->host = host;
	sim_job->job = job;
	sim_event_at(host->world, host, &sim_job->event,
		     host->world->now_ns + delay_us * SIM_NS_PER_US);
}

const struct io_ops sim_io_ops = {
	.name = "simulated",
	.now_ns = sim_now,
	.wall_ns = sim_wall,
	.random = sim_random_of,
	.timer_arm = timer_arm,
	.timer_cancel = timer_cancel,
	.defer = defer,
	.offload = offload,
	.listen = sim_net_listen,
	.listen_path = sim_net_listen_path,
	.listener_port = sim_net_listener_port,
	.listener_close = sim_net_listener_close,
	.connect = sim_net_connect,
	.stream_attach = sim_net_attach,
	.stream_send = sim_net_send,
	.stream_pause = sim_net_pause,
	.stream_close = sim_net_close,
	.file_open = sim_disk_open,
	.file_bytes = sim_disk_bytes,
	.file_units = sim_disk_units,
	.file_close = sim_disk_close,
	.disk = sim_disk_submit,
};
