// SPDX-License-Identifier: GPL-2.0
/*
 * Queues of objects. See object_queue.h.
 */
#include <assert.h>
#include "object_queue.h"

static void pump(struct io_task *task);

void object_queues_init(struct object_queues *queues, struct io *io)
{
	memset(queues, 0, sizeof(*queues));
	queues->io = io;
	queues->pump.run = pump;
	TAILQ_INIT(&queues->changed);
}

static void mark_changed(struct object_queue *queue)
{
	if (!queue->is_changed) {
		queue->is_changed = true;
		TAILQ_INSERT_TAIL(&queue->queues->changed, queue, changed);
	}
	io_defer(queue->queues->io, &queue->queues->pump);
}

/* Before all who still wait. */
static void insert_first(struct object_queue *queue, struct object_hold *hold)
{
	struct object_hold *before;

	TAILQ_FOREACH(before, &queue->holds, link)
		if (before->state == HOLD_WAITING)
			break;
	if (before)
		TAILQ_INSERT_BEFORE(before, hold, link);
	else
		TAILQ_INSERT_TAIL(&queue->holds, hold, link);
}

void object_hold_enter(struct object_queues *queues, const struct osd_object_key *key,
		       struct object_hold *hold, enum object_hold_kind kind)
{
	struct object_queue *queue;

	HASH_FIND(hh, queues->all, key, sizeof(*key), queue);
	if (!queue) {
		queue = mem_zero(1, sizeof(*queue));
		queue->id.key = *key;
		queue->queues = queues;
		TAILQ_INIT(&queue->holds);
		HASH_ADD(hh, queues->all, id, sizeof(queue->id), queue);
	}
	hold->queue = queue;
	hold->state = HOLD_WAITING;
	hold->writes = kind == HOLD_WRITE || kind == HOLD_WRITE_FIRST;
	if (kind == HOLD_READ_FIRST || kind == HOLD_WRITE_FIRST)
		insert_first(queue, hold);
	else
		TAILQ_INSERT_TAIL(&queue->holds, hold, link);
	mark_changed(queue);
}

void object_hold_first(struct object_hold *hold)
{
	if (!hold->queue || hold->state != HOLD_WAITING)
		return;
	TAILQ_REMOVE(&hold->queue->holds, hold, link);
	insert_first(hold->queue, hold);
	mark_changed(hold->queue);
}

bool object_hold_may_run(const struct object_hold *hold)
{
	const struct object_hold *before;

	TAILQ_FOREACH(before, &hold->queue->holds, link) {
		if (before == hold)
			break;
		if (before->writes != hold->writes || (hold->writes && before->state < HOLD_COMMITTING))
			return false;
	}
	return true;
}

bool object_hold_is_alone(const struct object_hold *hold)
{
	const struct object_hold *other;

	TAILQ_FOREACH(other, &hold->queue->holds, link)
		if (other != hold && (other->state == HOLD_RUNNING || other->state == HOLD_COMMITTING))
			return false;
	return true;
}

/* Is nothing before it that could still fail to be committed? */
static bool may_answer(const struct object_hold *hold)
{
	const struct object_hold *before;

	TAILQ_FOREACH(before, &hold->queue->holds, link) {
		if (before == hold)
			break;
		if (before->state == HOLD_COMMITTING)
			return false;
	}
	return true;
}

void object_hold_changed(struct object_hold *hold, enum object_hold_state state)
{
	hold->state = state;
	mark_changed(hold->queue);
}

void object_hold_leave(struct object_hold *hold)
{
	struct object_queue *queue = hold->queue;

	if (!queue)
		return;
	TAILQ_REMOVE(&queue->holds, hold, link);
	hold->queue = NULL;
	mark_changed(queue);
}

void object_queues_kick(struct object_queues *queues)
{
	struct object_queue *queue, *next;

	HASH_ITER(hh, queues->all, queue, next)
		mark_changed(queue);
}

/* Let one go that may; false: none may. Whoever is let go may change the queue. */
static bool grant_one(struct object_queue *queue)
{
	struct object_hold *hold;

	TAILQ_FOREACH(hold, &queue->holds, link) {
		if (hold->state == HOLD_ANSWERING && may_answer(hold))
			return hold->granted(hold);
		if (hold->state != HOLD_WAITING)
			continue;
		if (!object_hold_may_run(hold))
			return false;
		if (hold->granted(hold))
			return true;
		if (hold->writes)
			return false;	/* it waits for something else; order is kept */
	}
	return false;
}

static void pump(struct io_task *task)
{
	struct object_queues *queues = (struct object_queues *)((char *)task -
								offsetof(struct object_queues, pump));
	struct object_queue *queue;

	while ((queue = TAILQ_FIRST(&queues->changed))) {
		while (grant_one(queue))
			;
		TAILQ_REMOVE(&queues->changed, queue, changed);
		queue->is_changed = false;
		if (!TAILQ_EMPTY(&queue->holds))
			continue;
		HASH_DELETE(hh, queues->all, queue);
		free(queue);
	}
}
