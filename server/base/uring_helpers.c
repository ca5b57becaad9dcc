// SPDX-License-Identifier: GPL-2.0
/*
 * Helper threads for work that blocks (io_offload). Jobs wait in a queue, done
 * ones come back in another; a write to an eventfd wakes the loop, which has a
 * read of it in the ring. Helpers take no signals: those are for the loop.
 *
 * Urgent jobs (a lease's renewal) have a queue and a thread of their own, so that
 * a database that stalls all others costs no lease (TIME-1).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "uring_ring.h"

static struct io_job *take_job(struct uring_helpers *helpers, struct uring_queue *queue)
{
	struct io_job *job;

	pthread_mutex_lock(&helpers->lock);
	while (!queue->head && !helpers->stop)
		pthread_cond_wait(&queue->more, &helpers->lock);
	job = queue->head;
	if (job) {
		queue->head = job->next;
		if (!queue->head)
			queue->tail = &queue->head;
	}
	pthread_mutex_unlock(&helpers->lock);
	return job;
}

static void hand_back(struct uring_helpers *helpers, struct io_job *job)
{
	static const uint64_t one = 1;
	bool first;

	pthread_mutex_lock(&helpers->lock);
	first = !helpers->done;
	job->next = NULL;
	*helpers->done_tail = job;
	helpers->done_tail = &job->next;
	pthread_mutex_unlock(&helpers->lock);
	if (first && write(helpers->event_fd, &one, sizeof(one)) < 0)
		abort();	/* an eventfd's counter cannot be full of ones */
}

static void *helper_main(void *owner)
{
	struct uring_queue *queue = owner;
	struct uring_helpers *helpers = queue->helpers;
	struct io_job *job;

	while ((job = take_job(helpers, queue))) {
		job->work(job);
		hand_back(helpers, job);
	}
	return NULL;
}

static void event_read(struct uring *u)
{
	struct uring_helpers *helpers = &u->helpers;

	io_uring_prep_read(uring_sqe(u, &helpers->event_op), helpers->event_fd,
			   &helpers->event_value, sizeof(helpers->event_value), 0);
}

static void run_done(struct uring *u)
{
	struct uring_helpers *helpers = &u->helpers;
	struct io_job *job, *next;

	pthread_mutex_lock(&helpers->lock);
	job = helpers->done;
	helpers->done = NULL;
	helpers->done_tail = &helpers->done;
	pthread_mutex_unlock(&helpers->lock);
	for (; job; job = next) {
		next = job->next;
		u->counters.jobs++;
		job->done(job);
	}
}

static void event_complete(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
	if (u->dying)
		return;
	event_read(u);
	run_done(u);
}

void uring_offload(struct io *io, struct io_job *job)
{
	struct uring_helpers *helpers = &uring_of(io)->helpers;
	struct uring_queue *queue = job->urgent ? &helpers->urgent : &helpers->todo;

	job->next = NULL;
	pthread_mutex_lock(&helpers->lock);
	*queue->tail = job;
	queue->tail = &job->next;
	pthread_cond_signal(&queue->more);
	pthread_mutex_unlock(&helpers->lock);
}

static void queue_init(struct uring_helpers *helpers, struct uring_queue *queue)
{
	queue->helpers = helpers;
	queue->tail = &queue->head;
	pthread_cond_init(&queue->more, NULL);
}

int uring_helpers_start(struct uring *u, unsigned int count)
{
	struct uring_helpers *helpers = &u->helpers;
	sigset_t all, before;
	int err = 0;

	pthread_mutex_init(&helpers->lock, NULL);
	queue_init(helpers, &helpers->todo);
	queue_init(helpers, &helpers->urgent);
	helpers->done_tail = &helpers->done;
	helpers->event_op.complete = event_complete;
	helpers->threads = calloc(count + 1, sizeof(*helpers->threads));
	helpers->event_fd = eventfd(0, EFD_CLOEXEC);
	if (!helpers->threads || helpers->event_fd < 0)
		return helpers->threads ? -errno : -ENOMEM;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!err && helpers->count < count + 1) {
		err = -pthread_create(&helpers->threads[helpers->count], NULL, helper_main,
				      helpers->count ? &helpers->todo : &helpers->urgent);
		helpers->count += !err;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		event_read(u);
	return err;
}

/* Jobs already given are done before the threads end, and their `done` is called: they are their owners' memory. */
void uring_helpers_stop(struct uring *u)
{
	struct uring_helpers *helpers = &u->helpers;

	pthread_mutex_lock(&helpers->lock);
	helpers->stop = true;
	pthread_cond_broadcast(&helpers->todo.more);
	pthread_cond_broadcast(&helpers->urgent.more);
	pthread_mutex_unlock(&helpers->lock);
	for (unsigned int i = 0; i < helpers->count; i++)
		pthread_join(helpers->threads[i], NULL);
	run_done(u);
	free(helpers->threads);
	helpers->threads = NULL;
	if (helpers->event_fd >= 0)
		close(helpers->event_fd);
	pthread_cond_destroy(&helpers->todo.more);
	pthread_cond_destroy(&helpers->urgent.more);
	pthread_mutex_destroy(&helpers->lock);
}
