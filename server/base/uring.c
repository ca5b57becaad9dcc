// SPDX-License-Identifier: GPL-2.0
/*
 * io.h on io_uring: one ring, one thread, one loop.
 *
 * A turn: completions (which call owners back) → deferred tasks → due timers →
 * one system call that submits what all these made and waits. Nothing is
 * submitted from inside a callback, unless the submission queue is full.
 *
 * Owns the ring, the clock, random numbers, tasks and signals; sockets, disks and
 * helper threads are in files of their own (see uring_ring.h).
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "uring_ring.h"

#define ENTRIES_DEFAULT 1024
#define HELPERS_DEFAULT 2
#define BUFFERS_DEFAULT 64
#define BUFFER_BYTES_DEFAULT 65536
#define DEADLINE_MS_DEFAULT 30000
#define COMPLETIONS_PER_TURN 256	/* then tasks and timers have their turn (TIME-1) */

STATS_ROWS(counter_rows, URING_COUNTERS);

/* ---- clock, random numbers, tasks, timers --------------------------------------------------- */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static uint64_t uring_now(struct io *io)
{
	return clock_ns(CLOCK_BOOTTIME);
}

static uint64_t uring_wall(struct io *io)
{
	return clock_ns(CLOCK_REALTIME);
}

static uint64_t rotate(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

/* xoshiro256** (Blackman, Vigna): jitter and identities, not secrets. */
static uint64_t uring_random(struct io *io)
{
	uint64_t *s = uring_of(io)->random_state;
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

static void uring_timer_arm(struct io *io, struct io_timer *timer, uint64_t at_ns)
{
	timers_arm(&uring_of(io)->timers, timer, at_ns);
}

static void uring_timer_cancel(struct io *io, struct io_timer *timer)
{
	timers_cancel(&uring_of(io)->timers, timer);
}

void uring_defer(struct io *io, struct io_task *task)
{
	struct uring *u = uring_of(io);

	if (task->queued)
		return;
	task->queued = true;
	task->next = NULL;
	*u->tasks_tail = task;
	u->tasks_tail = &task->next;
}

/* Run what is queued by now; what these queue waits for the next turn. */
static void run_tasks(struct uring *u)
{
	struct io_task *last = u->tasks ? container(u->tasks_tail, struct io_task, next) : NULL;
	struct io_task *task;

	while (last) {
		task = u->tasks;
		u->tasks = task->next;
		if (!u->tasks)
			u->tasks_tail = &u->tasks;
		if (task == last)
			last = NULL;
		task->queued = false;
		task->run(task);
	}
}

static void run_timers(struct uring *u)
{
	uint64_t now = uring_now(&u->io);
	uint64_t armed = u->timers.armed;
	struct io_timer *timer;

	/* a timer armed anew by these waits for the next turn */
	while ((timer = timers_first(&u->timers)) && timer->at_ns <= now && timer->order <= armed) {
		timers_cancel(&u->timers, timer);
		timer->fire(timer);
	}
}

/* ---- submission and completion -------------------------------------------------------------- */

static void submit_now(struct uring *u)
{
	int result;

	do {
		result = io_uring_submit(&u->ring);
	} while (result == -EINTR || result == -EAGAIN);
	assert(result >= 0);
}

struct io_uring_sqe *uring_sqe(struct uring *u, struct uring_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (!sqe) {
		submit_now(u);
		sqe = io_uring_get_sqe(&u->ring);
		assert(sqe);
	}
	io_uring_sqe_set_data(sqe, op);
	u->in_flight++;
	return sqe;
}

void uring_sqe_reserve(struct uring *u, unsigned int count)
{
	if (io_uring_sq_space_left(&u->ring) < count)
		submit_now(u);
}

static void ignore_completion(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
}

void uring_cancel(struct uring *u, struct uring_op *op)
{
	static struct uring_op ignored = { .complete = ignore_completion };
	struct io_uring_sqe *sqe = uring_sqe(u, &ignored);

	io_uring_prep_cancel(sqe, op, 0);
}

static void run_completions(struct uring *u)
{
	struct io_uring_cqe *cqe;
	struct uring_op *op;
	unsigned int flags;
	int result;

	for (int n = 0; n < COMPLETIONS_PER_TURN; n++) {
		if (io_uring_peek_cqe(&u->ring, &cqe))
			return;
		op = io_uring_cqe_get_data(cqe);
		result = cqe->res;
		flags = cqe->flags;
		io_uring_cqe_seen(&u->ring, cqe);
		if (!(flags & IORING_CQE_F_MORE))
			u->in_flight--;
		u->counters.completions++;
		op->complete(u, op, result, flags);
	}
}

/* Hand over what was prepared; wait for a completion, the next timer, or not at all. */
static void submit_and_wait(struct uring *u, uint64_t longest_ns)
{
	struct io_timer *timer = timers_first(&u->timers);
	uint64_t now, wait_ns = longest_ns;
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;

	u->counters.turns++;
	if (timer) {
		now = uring_now(&u->io);
		if (timer->at_ns <= now)
			wait_ns = 0;
		else if (timer->at_ns - now < wait_ns)
			wait_ns = timer->at_ns - now;
	}
	if (u->tasks || !wait_ns || io_uring_cq_ready(&u->ring)) {
		io_uring_submit_and_get_events(&u->ring);
		return;
	}
	ts.tv_sec = (long long)(wait_ns / 1000000000ull);
	ts.tv_nsec = (long long)(wait_ns % 1000000000ull);
	io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
}

int uring_run(struct io *io)
{
	struct uring *u = uring_of(io);

	u->stopping = false;
	for (;;) {
		run_completions(u);
		run_tasks(u);
		run_timers(u);
		if (u->stopping)
			return 0;
		submit_and_wait(u, 3600 * 1000000000ull);
	}
}

void uring_stop(struct io *io)
{
	uring_of(io)->stopping = true;
}

/* ---- signals -------------------------------------------------------------------------------- */

static void signal_read(struct uring *u)
{
	struct io_uring_sqe *sqe = uring_sqe(u, &u->signal_op);

	io_uring_prep_read(sqe, u->signal_fd, u->signal_buffer, sizeof(u->signal_buffer), 0);
}

static void signal_complete(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
	struct signalfd_siginfo info;

	if (u->dying)
		return;
	signal_read(u);
	if (result < (int)sizeof(info))
		return;
	memcpy(&info, u->signal_buffer, sizeof(info));
	u->on_signal(u->signal_owner, (int)info.ssi_signo);
}

int uring_on_signal(struct io *io, void (*handler)(void *owner, int signal), void *owner)
{
	struct uring *u = uring_of(io);
	sigset_t set;

	_Static_assert(sizeof(struct signalfd_siginfo) <= sizeof(u->signal_buffer), "one signal");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return -EINVAL;
	u->on_signal = handler;
	u->signal_owner = owner;
	if (u->signal_fd >= 0)
		return 0;
	u->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (u->signal_fd < 0)
		return -errno;
	u->signal_op.complete = signal_complete;
	signal_read(u);
	return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

static const struct io_ops uring_ops = {
	.name = "io_uring",
	.now_ns = uring_now,
	.wall_ns = uring_wall,
	.random = uring_random,
	.timer_arm = uring_timer_arm,
	.timer_cancel = uring_timer_cancel,
	.defer = uring_defer,
	.offload = uring_offload,
	.listen = uring_listen,
	.listen_path = uring_listen_path,
	.listener_port = uring_listener_port,
	.listener_close = uring_listener_close,
	.connect = uring_connect,
	.stream_attach = uring_stream_attach,
	.stream_send = uring_stream_send,
	.stream_pause = uring_stream_pause,
	.stream_close = uring_stream_close,
	.folder_watch = uring_folder_watch,
	.folder_close = uring_folder_close,
	.file_open = uring_file_open,
	.file_bytes = uring_file_bytes,
	.file_close = uring_file_close,
	.disk = uring_disk_submit,
};

/* The newest way of running completions that this kernel knows. */
static int ring_init(struct uring *u, unsigned int entries)
{
	static const unsigned int tries[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	struct io_uring_params params;
	int err = -EINVAL;

	for (unsigned int i = 0; i < sizeof(tries) / sizeof(tries[0]) && err == -EINVAL; i++) {
		memset(&params, 0, sizeof(params));
		params.flags = tries[i] | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
		params.cq_entries = entries * 4;
		err = io_uring_queue_init_params(entries, &u->ring, &params);
	}
	if (!err)
		io_uring_register_ring_fd(&u->ring);
	return err;
}

/* The ring of receive buffers (liburing 2.3 only registers it). */
static int buffers_init(struct uring *u, unsigned int count, unsigned int bytes)
{
	struct io_uring_buf_reg reg = { .ring_entries = count, .bgid = 0 };
	int mask = io_uring_buf_ring_mask(count);
	int err;

	u->buffer_ring_bytes = count * sizeof(struct io_uring_buf);
	u->buffer_ring = mmap(NULL, u->buffer_ring_bytes, PROT_READ | PROT_WRITE,
			      MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	u->buffers = mmap(NULL, (size_t)count * bytes, PROT_READ | PROT_WRITE,
			  MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	u->buffer_count = count;
	u->buffer_bytes = bytes;
	if (u->buffer_ring == MAP_FAILED || u->buffers == MAP_FAILED)
		return -ENOMEM;
	reg.ring_addr = (uintptr_t)u->buffer_ring;
	err = io_uring_register_buf_ring(&u->ring, &reg, 0);
	if (err)
		return err;
	io_uring_buf_ring_init(u->buffer_ring);
	for (unsigned int i = 0; i < count; i++)
		io_uring_buf_ring_add(u->buffer_ring, u->buffers + (size_t)i * bytes, bytes,
				      (unsigned short)i, mask, (int)i);
	io_uring_buf_ring_advance(u->buffer_ring, (int)count);
	return 0;
}

void uring_buffer_recycle(struct uring *u, unsigned int id)
{
	io_uring_buf_ring_add(u->buffer_ring, u->buffers + (size_t)id * u->buffer_bytes,
			      u->buffer_bytes, (unsigned short)id,
			      io_uring_buf_ring_mask(u->buffer_count), 0);
	io_uring_buf_ring_advance(u->buffer_ring, 1);
}

static unsigned int power_of_two(unsigned int at_least)
{
	unsigned int n = 1;

	while (n < at_least)
		n *= 2;
	return n;
}

static unsigned int or_default(unsigned int value, unsigned int def)
{
	return value ? value : def;
}

int uring_create(const struct uring_config *config, struct io **ret_io)
{
	struct uring *u = calloc(1, sizeof(*u));
	uint64_t deadline_ms = or_default(config->deadline_ms, DEADLINE_MS_DEFAULT);
	int err;

	if (!u)
		return -ENOMEM;
	u->io.ops = &uring_ops;
	u->tasks_tail = &u->tasks;
	u->signal_fd = -1;
	u->stats = (struct stats_set){ "io", counter_rows, (const uint64_t *)&u->counters,
				       sizeof(u->counters) / sizeof(uint64_t) };
	u->time_scale_percent = or_default(config->time_scale_percent, 100);
	deadline_ms = deadline_ms * u->time_scale_percent / 100;
	u->disk_deadline.tv_sec = (long long)deadline_ms / 1000;
	u->disk_deadline.tv_nsec = (long long)(deadline_ms % 1000) * 1000000;
	u->deadline_op.complete = uring_deadline_passed;
	if (getrandom(u->random_state, sizeof(u->random_state), 0) != sizeof(u->random_state)) {
		free(u);
		return -EIO;
	}
	err = ring_init(u, or_default(config->entries, ENTRIES_DEFAULT));
	if (err) {
		free(u);
		return err;
	}
	err = buffers_init(u, power_of_two(or_default(config->recv_buffers, BUFFERS_DEFAULT)),
			   or_default(config->recv_buffer_bytes, BUFFER_BYTES_DEFAULT));
	if (!err)
		err = uring_helpers_start(u, or_default(config->helper_threads, HELPERS_DEFAULT));
	u->files_registered = !err && !io_uring_register_files_sparse(&u->ring, URING_FILES);
	if (err) {
		uring_destroy(&u->io);
		return err;
	}
	*ret_io = &u->io;
	return 0;
}

/* End everything under way, so that the kernel writes into no memory that is freed. */
static void drain(struct uring *u)
{
	static struct uring_op ignored = { .complete = ignore_completion };
	uint64_t give_up = uring_now(&u->io) + 5000000000ull;
	struct io_uring_sqe *sqe = uring_sqe(u, &ignored);

	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	while (u->in_flight && uring_now(&u->io) < give_up) {
		submit_and_wait(u, 100000000ull);
		run_completions(u);
	}
}

void uring_destroy(struct io *io)
{
	struct uring *u = uring_of(io);

	u->dying = true;
	if (u->helpers.threads)
		uring_helpers_stop(u);
	drain(u);
	io_uring_queue_exit(&u->ring);
	uring_streams_free(u);
	uring_listeners_free(u);
	uring_folders_free(u);
	uring_disk_free(u);
	timers_free(&u->timers);
	if (u->signal_fd >= 0)
		close(u->signal_fd);
	if (u->buffer_ring && u->buffer_ring != MAP_FAILED)
		munmap(u->buffer_ring, u->buffer_ring_bytes);
	if (u->buffers && u->buffers != MAP_FAILED)
		munmap(u->buffers, (size_t)u->buffer_count * u->buffer_bytes);
	free(u);
}

const struct stats_set *uring_stats(struct io *io)
{
	return &uring_of(io)->stats;
}
