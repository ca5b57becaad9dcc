// SPDX-License-Identifier: GPL-2.0
/*
 * Helper threads for work that blocks (io_offload). Jobs wait in a queue, done
 * ones come back in another; a write to an eventfd wakes the loop, which watches
 * it. Helpers take no signals: those are for the loop.
 *
 * Urgent jobs (a lease's renewal) have a queue and a thread of their own, so that
 * a database that stalls all others costs no lease (TIME-1).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "loop_core.h"

static struct io_job *take_job(struct helpers *helpers, struct helpers_queue *queue)
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

static void hand_back(struct helpers *helpers, struct io_job *job)
{
	static const uint64_t one = 1;
	bool first;

	pthread_mutex_lock(&helpers->lock);
	first = !helpers->done;
	job->next = NULL;
	*helpers->done_tail = job;
	helpers->done_tail = &job->next;
	pthread_mutex_unlock(&helpers->lock);
	if (first && write(helpers->watch.fd, &one, sizeof(one)) < 0)
		abort();	/* an eventfd's counter cannot be full of ones */
}

static void *helper_main(void *owner)
{
	struct helpers_queue *queue = owner;
	struct helpers *helpers = queue->helpers;
	struct io_job *job;

	while ((job = take_job(helpers, queue))) {
		job->work(job);
		hand_back(helpers, job);
	}
	return NULL;
}

static void run_done(struct helpers *helpers)
{
	struct io_job *job, *next;

	pthread_mutex_lock(&helpers->lock);
	job = helpers->done;
	helpers->done = NULL;
	helpers->done_tail = &helpers->done;
	pthread_mutex_unlock(&helpers->lock);
	for (; job; job = next) {
		next = job->next;
		++*helpers->counter;
		job->done(job);
	}
}

static void event_read(struct loop *loop, struct loop_watch *watch)
{
	run_done(container(watch, struct helpers, watch));
}

static struct helpers_queue *queue_of(struct helpers *helpers, const struct io_job *job)
{
	return job->urgent ? &helpers->urgent : &helpers->todo;
}

void helpers_give(struct helpers *helpers, struct io_job *job)
{
	struct helpers_queue *queue = queue_of(helpers, job);

	job->next = NULL;
	pthread_mutex_lock(&helpers->lock);
	*queue->tail = job;
	queue->tail = &job->next;
	pthread_cond_signal(&queue->more);
	pthread_mutex_unlock(&helpers->lock);
}

bool helpers_take_back(struct helpers *helpers, struct io_job *job)
{
	struct helpers_queue *queue = queue_of(helpers, job);
	struct io_job **link;
	bool found;

	pthread_mutex_lock(&helpers->lock);
	for (link = &queue->head; *link && *link != job; link = &(*link)->next)
		;
	found = *link;
	if (found) {
		*link = job->next;
		if (!*link)
			queue->tail = link;
	}
	pthread_mutex_unlock(&helpers->lock);
	return found;
}

void loop_offload(struct io *io, struct io_job *job)
{
	helpers_give(&loop_of(io)->helpers, job);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void queue_init(struct helpers *helpers, struct helpers_queue *queue)
{
	queue->helpers = helpers;
	queue->head = NULL;
	queue->tail = &queue->head;
	pthread_cond_init(&queue->more, NULL);
}

static int start_threads(struct helpers *helpers, unsigned int count, bool urgent)
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!err && helpers->count < count + urgent) {
		err = -pthread_create(&helpers->threads[helpers->count], NULL, helper_main,
				      helpers->count < count ? &helpers->todo : &helpers->urgent);
		helpers->count += !err;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int helpers_start(struct helpers *helpers, struct loop *loop, unsigned int count, bool urgent,
		  uint64_t *counter)
{
	int err;

	helpers->loop = loop;
	helpers->counter = counter;
	helpers->threads = calloc(count + urgent, sizeof(*helpers->threads));
	if (!helpers->threads)
		return -ENOMEM;
	pthread_mutex_init(&helpers->lock, NULL);
	queue_init(helpers, &helpers->todo);
	queue_init(helpers, &helpers->urgent);
	helpers->done_tail = &helpers->done;
	helpers->watch = (struct loop_watch){
		.fd = eventfd(0, EFD_CLOEXEC), .buffer = &helpers->event_value,
		.bytes = sizeof(helpers->event_value), .ready = event_read,
	};
	if (helpers->watch.fd < 0)
		return -errno;
	err = start_threads(helpers, count, urgent);
	if (!err)
		err = loop->driver->watch(loop, &helpers->watch);
	return err;
}

/* Jobs already given are done before the threads end, and their `done` is called: they are their owners' memory. */
void helpers_stop(struct helpers *helpers)
{
	if (!helpers->threads)
		return;
	pthread_mutex_lock(&helpers->lock);
	helpers->stop = true;
	pthread_cond_broadcast(&helpers->todo.more);
	pthread_cond_broadcast(&helpers->urgent.more);
	pthread_mutex_unlock(&helpers->lock);
	for (unsigned int i = 0; i < helpers->count; i++)
		pthread_join(helpers->threads[i], NULL);
	run_done(helpers);
	free(helpers->threads);
	helpers->threads = NULL;
	helpers->count = 0;
	helpers->stop = false;
	if (helpers->watch.fd >= 0)
		close(helpers->watch.fd);
	pthread_cond_destroy(&helpers->todo.more);
	pthread_cond_destroy(&helpers->urgent.more);
	pthread_mutex_destroy(&helpers->lock);
}
