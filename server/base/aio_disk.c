// SPDX-License-Identifier: GPL-2.0
/*
 * Disk operations of the epoll driver. An operation is one step, or two: a write
 * that is to be durable has a flush after it.
 *
 *	WAITING ──▶ KERNEL (libaio) ──▶ done      collected during a turn, submitted by one system call
 *	        └─────────┴──▶ HELPER ──▶ done    a thread makes the plain system call
 *
 * The kernel is asked with RWF_NOWAIT, and refuses what would keep the loop waiting
 * in io_submit (a block to be allocated, a lock held by another): that, and what
 * libaio does not know at all (discarding, files without direct I/O, flushes on an
 * old kernel), is done by helper threads of the disks' own.
 *
 * Each step has a deadline. Past it, a step that waits or that no helper has taken
 * up ends with -ETIMEDOUT; what the device already has cannot be taken back, so it
 * is awaited, and the delay is counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "aio_disk.h"

#define BATCH 64
#define DEPTH_LEAST 8
#define HELPER_THREADS 4
#define DRAIN_S 5

static struct aio_disk *aio_of(struct loop_disk *d)
{
	return container(d, struct aio_disk, common);
}

static struct epoll_loop *loop_of_disk(struct aio_disk *d)
{
	return epoll_of(d->common.loop);
}

static bool is_flush(const struct aio_disk *d)
{
	return d->flushing || d->common.disk->kind == IO_DISK_SYNC;
}

/* ---- deadlines ------------------------------------------------------------------------------ */

static void step_ended(struct aio_disk *d, int result);

/* All steps may last equally long, so the list is in order of their ends. */
static void deadline_begin(struct aio_disk *d)
{
	struct epoll_loop *e = loop_of_disk(d);
	struct aio *aio = &e->aio;

	d->overdue_ns = io_now(&e->loop.io) + e->loop.deadline_ns;
	d->next_due = NULL;
	d->due_link = aio->due_tail;
	*aio->due_tail = d;
	aio->due_tail = &d->next_due;
	if (!aio->deadline.heap_index)
		io_timer_arm(&e->loop.io, &aio->deadline, d->overdue_ns);
}

static void deadline_end(struct aio_disk *d)
{
	struct aio *aio = &loop_of_disk(d)->aio;

	if (!d->due_link)
		return;
	*d->due_link = d->next_due;
	if (d->next_due)
		d->next_due->due_link = d->due_link;
	else
		aio->due_tail = d->due_link;
	d->due_link = NULL;
}

static void waiting_remove(struct aio *aio, struct aio_disk *d)
{
	struct aio_disk **link = &aio->waiting;

	while (*link != d)
		link = &(*link)->next_waiting;
	*link = d->next_waiting;
	if (!*link)
		aio->waiting_tail = link;
}

static void overdue(struct aio_disk *d)
{
	struct aio *aio = &loop_of_disk(d)->aio;

	d->common.loop->counters.disk_overdue++;
	deadline_end(d);
	if (d->place == AIO_KERNEL)
		return;
	if (d->place == AIO_WAITING)
		waiting_remove(aio, d);
	else if (!helpers_take_back(&aio->helpers, &d->job))
		return;
	step_ended(d, -ETIMEDOUT);
}

static void deadline_passed(struct io_timer *timer)
{
	struct aio *aio = container(timer, struct aio, deadline);
	struct io *io = &container(aio, struct epoll_loop, aio)->loop.io;
	uint64_t now = io_now(io);

	while (aio->due && aio->due->overdue_ns <= now)
		overdue(aio->due);
	if (aio->due)
		io_timer_arm(io, timer, aio->due->overdue_ns);
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* In a helper thread: nothing but the operation's own is touched. */
static void help(struct io_job *job)
{
	struct aio_disk *d = container(job, struct aio_disk, job);
	const struct io_disk *disk = d->common.disk;
	const struct iovec *iov = d->common.iov + d->common.iov_at;
	int iov_count = (int)(d->common.iov_count - d->common.iov_at);
	ssize_t result;

	if (is_flush(d))
		result = fdatasync(disk->file->fd);
	else if (disk->kind == IO_DISK_READ)
		result = preadv(disk->file->fd, iov, iov_count, (off_t)d->common.offset);
	else if (disk->kind == IO_DISK_WRITE)
		result = pwritev(disk->file->fd, iov, iov_count, (off_t)d->common.offset);
	else
		result = loop_disk_discard(disk);
	d->result = result < 0 ? -errno : (int)result;
}

static void helped(struct io_job *job)
{
	struct aio_disk *d = container(job, struct aio_disk, job);

	step_ended(d, d->result);
}

static void ask_helper(struct aio_disk *d)
{
	d->place = AIO_HELPER;
	d->job = (struct io_job){ .work = help, .done = helped };
	helpers_give(&loop_of_disk(d)->aio.helpers, &d->job);
}

static void step_start(struct aio_disk *d)
{
	struct aio *aio = &loop_of_disk(d)->aio;

	d->common.loop->counters.disk_syncs += is_flush(d);
	deadline_begin(d);
	if (!aio->depth || !d->common.disk->file->direct || d->common.disk->kind == IO_DISK_DISCARD) {
		ask_helper(d);
		return;
	}
	d->place = AIO_WAITING;
	d->next_waiting = NULL;
	*aio->waiting_tail = d;
	aio->waiting_tail = &d->next_waiting;
}

static void step_ended(struct aio_disk *d, int result)
{
	deadline_end(d);
	if (!is_flush(d))
		result = loop_disk_advance(&d->common, result);
	if (d->common.loop->dying || result < 0) {
		loop_disk_finish(&d->common, result < 0 ? result : 0);
	} else if (result > 0) {
		step_start(d);			/* a short transfer goes on */
	} else if (d->common.flushes && !d->flushing) {
		d->flushing = true;
		step_start(d);
	} else {
		loop_disk_finish(&d->common, 0);
	}
}

void aio_disk_start(struct loop_disk *common)
{
	struct aio_disk *d = aio_of(common);

	d->flushing = false;
	d->due_link = NULL;
	step_start(d);
}

/* ---- the kernel's context ------------------------------------------------------------------- */

static struct iocb *prepare(struct aio_disk *d)
{
	const struct io_disk *disk = d->common.disk;
	const struct iovec *iov = d->common.iov + d->common.iov_at;
	int iov_count = (int)(d->common.iov_count - d->common.iov_at);

	if (is_flush(d))
		io_prep_fdsync(&d->iocb, disk->file->fd);
	else if (disk->kind == IO_DISK_READ)
		io_prep_preadv(&d->iocb, disk->file->fd, iov, iov_count, (long long)d->common.offset);
	else
		io_prep_pwritev(&d->iocb, disk->file->fd, iov, iov_count, (long long)d->common.offset);
	if (!is_flush(d))
		d->iocb.aio_rw_flags = RWF_NOWAIT;
	io_set_eventfd(&d->iocb, loop_of_disk(d)->aio.watch.fd);
	return &d->iocb;
}

/* What a thread that may wait can do. A real mistake it will be told again. */
static bool is_refusal(int result)
{
	return result == -EAGAIN || result == -EOPNOTSUPP || result == -EINVAL;
}

static void take_submitted(struct aio *aio, int count)
{
	for (int i = 0; i < count; i++) {
		aio->waiting->place = AIO_KERNEL;
		waiting_remove(aio, aio->waiting);
		aio->in_flight++;
	}
}

void aio_submit(struct epoll_loop *e)
{
	struct aio *aio = &e->aio;
	struct iocb *batch[BATCH];
	struct aio_disk *d;
	int count, result;

	while (aio->waiting && aio->in_flight < aio->depth) {
		count = 0;
		for (d = aio->waiting; d && count < BATCH; d = d->next_waiting) {
			if (aio->in_flight + (unsigned int)count == aio->depth)
				break;
			batch[count++] = prepare(d);
		}
		result = io_submit(aio->context, count, batch);
		take_submitted(aio, result > 0 ? result : 0);
		if (result > 0)
			continue;
		d = aio->waiting;		/* the first is the one refused, whatever for */
		waiting_remove(aio, d);
		ask_helper(d);
	}
}

/* Lead back what is complete, at most as many as the context holds; returns the number. */
static int reap(struct epoll_loop *e, long least, struct timespec *patience)
{
	struct aio *aio = &e->aio;
	struct io_event events[BATCH];
	struct aio_disk *d;
	int count = io_getevents(aio->context, least, BATCH, events, patience);

	for (int i = 0; i < count; i++) {
		d = container(events[i].obj, struct aio_disk, iocb);
		aio->in_flight--;
		if (is_refusal((int)events[i].res) && !e->loop.dying)
			ask_helper(d);
		else
			step_ended(d, (int)events[i].res);
	}
	return count;
}

static void was_counted(struct loop *loop, struct loop_watch *watch)
{
	struct epoll_loop *e = epoll_of(loop);
	struct timespec now = { 0 };

	while (reap(e, 0, &now) == BATCH)
		;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* A context of the wished depth, or of what the system (fs.aio-max-nr) has left, or none. */
static int context_init(struct epoll_loop *e)
{
	struct aio *aio = &e->aio;

	aio->watch = (struct loop_watch){
		.fd = eventfd(0, EFD_CLOEXEC), .buffer = &aio->event_value,
		.bytes = sizeof(aio->event_value), .ready = was_counted,
	};
	if (aio->watch.fd < 0)
		return -errno;
	for (unsigned int depth = e->entries; depth && !aio->depth; depth /= 2) {
		if (!io_setup((int)depth, &aio->context))
			aio->depth = depth;
		if (depth <= DEPTH_LEAST)
			break;
	}
	return epoll_watch(&e->loop, &aio->watch);
}

int aio_file_init(struct io_file *file)
{
	struct epoll_loop *e = epoll_of(file->loop);
	struct aio *aio = &e->aio;
	int err;

	if (aio->open)
		return 0;
	aio->waiting_tail = &aio->waiting;
	aio->due_tail = &aio->due;
	aio->deadline.fire = deadline_passed;
	err = context_init(e);
	if (!err)
		err = helpers_start(&aio->helpers, &e->loop, HELPER_THREADS, false,
				    &e->loop.counters.disk_helped);
	aio->open = !err;
	if (err) {
		helpers_stop(&aio->helpers);
		aio_exit(e);
	}
	return err;
}

void aio_drain(struct epoll_loop *e)
{
	struct timespec patience = { .tv_sec = DRAIN_S };
	struct aio *aio = &e->aio;
	struct aio_disk *d;

	while ((d = aio->waiting)) {
		waiting_remove(aio, d);
		step_ended(d, -ECANCELED);
	}
	helpers_stop(&aio->helpers);
	while (aio->in_flight && reap(e, 1, &patience) > 0)
		;
}

/* The end of a context awaits what is in it. */
void aio_exit(struct epoll_loop *e)
{
	struct aio *aio = &e->aio;

	if (aio->depth)
		io_destroy(aio->context);
	aio->depth = 0;
	if (aio->watch.fd > 0)
		close(aio->watch.fd);
	aio->watch.fd = -1;
}
