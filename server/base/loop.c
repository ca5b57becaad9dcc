// SPDX-License-Identifier: GPL-2.0
/*
 * The turns of a loop, whatever its driver.
 *
 * A turn: completions (which call owners back) → deferred tasks → due timers →
 * the driver hands over what all these made, and waits. Nothing is called back
 * from inside a call that asks for something.
 *
 * Owns the clock, random numbers, tasks, timers and signals.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "loop_core.h"
#include "loop_disk.h"
#include "loop_net.h"

/* ---- clock, random numbers ------------------------------------------------------------------ */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static uint64_t loop_now(struct io *io)
{
	return clock_ns(CLOCK_BOOTTIME);
}

static uint64_t loop_wall(struct io *io)
{
	return clock_ns(CLOCK_REALTIME);
}

static uint64_t rotate(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

/* xoshiro256** (Blackman, Vigna): jitter and identities, not secrets. */
static uint64_t loop_random(struct io *io)
{
	uint64_t *s = loop_of(io)->random_state;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

/* ---- tasks and timers ----------------------------------------------------------------------- */

static void loop_timer_arm(struct io *io, struct io_timer *timer, uint64_t at_ns)
{
	timers_arm(&loop_of(io)->timers, timer, at_ns);
}

static void loop_timer_cancel(struct io *io, struct io_timer *timer)
{
	timers_cancel(&loop_of(io)->timers, timer);
}

void loop_defer(struct io *io, struct io_task *task)
{
	struct loop *loop = loop_of(io);

	if (task->queued)
		return;
	task->queued = true;
	task->next = NULL;
	*loop->tasks_tail = task;
	loop->tasks_tail = &task->next;
}

/* Run what is queued by now; what these queue waits for the next turn. */
static void run_tasks(struct loop *loop)
{
	struct io_task *last = loop->tasks ? container(loop->tasks_tail, struct io_task, next) : NULL;
	struct io_task *task;

	while (last) {
		task = loop->tasks;
		loop->tasks = task->next;
		if (!loop->tasks)
			loop->tasks_tail = &loop->tasks;
		if (task == last)
			last = NULL;
		task->queued = false;
		task->run(task);
	}
}

static void run_timers(struct loop *loop)
{
	uint64_t now = loop_now(&loop->io);
	uint64_t armed = loop->timers.armed;
	struct io_timer *timer;

	/* a timer armed anew by these waits for the next turn */
	while ((timer = timers_first(&loop->timers)) && timer->at_ns <= now && timer->order <= armed) {
		timers_cancel(&loop->timers, timer);
		timer->fire(timer);
	}
}

/* TIME-1, to be looked at: how long a turn took, what the system does for it when it is handed over included. */
static void time_turn(struct loop *loop, uint64_t woken_ns, uint64_t *cpu_ns)
{
	uint64_t now_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	stats_longest(&loop->counters.longest_turn_us, (loop_now(&loop->io) - woken_ns) / 1000);
	stats_longest(&loop->counters.longest_turn_cpu_us, (now_cpu_ns - *cpu_ns) / 1000);
	*cpu_ns = now_cpu_ns;
}

int loop_run(struct io *io)
{
	uint64_t woken_ns = loop_now(io), cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct loop *loop = loop_of(io);
	struct io_timer *timer;

	loop->stopping = false;
	for (;;) {
		loop->driver->complete(loop);
		run_tasks(loop);
		run_timers(loop);
		if (loop->stopping)
			return 0;
		loop->counters.turns++;
		time_turn(loop, woken_ns, &cpu_ns);
		timer = timers_first(&loop->timers);
		loop->driver->wait(loop, loop->tasks ? 0 : timer ? timer->at_ns : UINT64_MAX);
		woken_ns = loop_now(io);
	}
}

void loop_stop(struct io *io)
{
	loop_of(io)->stopping = true;
}

/* ---- signals -------------------------------------------------------------------------------- */

static void signal_read(struct loop *loop, struct loop_watch *watch)
{
	struct signalfd_siginfo info;

	memcpy(&info, loop->signal_buffer, sizeof(info));
	loop->on_signal(loop->signal_owner, (int)info.ssi_signo);
}

int loop_on_signal(struct io *io, void (*handler)(void *owner, int signal), void *owner)
{
	struct loop *loop = loop_of(io);
	sigset_t set;

	_Static_assert(sizeof(struct signalfd_siginfo) <= sizeof(loop->signal_buffer), "one signal");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return -EINVAL;
	loop->on_signal = handler;
	loop->signal_owner = owner;
	if (loop->signals.fd >= 0)
		return 0;
	loop->signals = (struct loop_watch){
		.fd = signalfd(-1, &set, SFD_CLOEXEC), .buffer = loop->signal_buffer,
		.bytes = sizeof(struct signalfd_siginfo), .ready = signal_read,
	};
	if (loop->signals.fd < 0)
		return -errno;
	return loop->driver->watch(loop, &loop->signals);
}

/* ---- what io.h asks for, and where it is ---------------------------------------------------- */

const struct io_ops loop_ops = {
	.now_ns = loop_now,
	.wall_ns = loop_wall,
	.random = loop_random,
	.timer_arm = loop_timer_arm,
	.timer_cancel = loop_timer_cancel,
	.defer = loop_defer,
	.offload = loop_offload,
	.listen = loop_listen,
	.listen_path = loop_listen_path,
	.listener_port = loop_listener_port,
	.listener_close = loop_listener_close,
	.connect = loop_connect,
	.stream_attach = loop_stream_attach,
	.stream_send = loop_stream_send,
	.stream_pause = loop_stream_pause,
	.stream_close = loop_stream_close,
	.folder_watch = loop_folder_watch,
	.folder_close = loop_folder_close,
	.file_open = loop_file_open,
	.file_bytes = loop_file_bytes,
	.file_units = loop_file_units,
	.file_close = loop_file_close,
	.disk = loop_disk_submit,
};
