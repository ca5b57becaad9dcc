/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may touch an object now: one queue per object that somebody waits for.
 *
 *	WAITING ──granted──▶ RUNNING ──executed──▶ COMMITTING ──▶ left
 *	                        └──failed──▶ ANSWERING (all writes before it are committed) ──▶ left
 *
 * A reader runs when no writer is before it, so that nobody sees what is not
 * committed (OSD-1, OSD-2). A writer runs when no reader is before it and all
 * writers before it are executed: their commits may be under way together. What a
 * failed comparison reveals is told when the writes before it are committed.
 */
#ifndef NACRE_SERVER_OSD_OBJECT_QUEUE_H
#define NACRE_SERVER_OSD_OBJECT_QUEUE_H

#include <bsd/sys/queue.h>
#include <uthash.h>
#include "object.h"
#include "server/base/io.h"

enum object_hold_state {
	HOLD_WAITING,
	HOLD_RUNNING,
	HOLD_COMMITTING,
	HOLD_ANSWERING,
};

enum object_hold_kind {
	HOLD_READ,
	HOLD_WRITE,
	HOLD_READ_FIRST,		/* before all who still wait: they may be waiting for this one */
	HOLD_WRITE_FIRST,		/* likewise */
};

struct object_hold {
	TAILQ_ENTRY(object_hold) link;
	struct object_queue *queue;	/* NULL: in none */
	enum object_hold_state state;
	bool writes;
	/*
	 * WAITING: it may run; returns whether it does (its state is changed then).
	 * ANSWERING: it may answer, and leaves.
	 */
	bool (*granted)(struct object_hold *hold);
	void *owner;
};

TAILQ_HEAD(object_hold_list, object_hold);

struct object_queue {
	struct object_key_hash {
		struct osd_object_key key;
	} id;
	UT_hash_handle hh;
	struct object_hold_list holds;
	struct object_queues *queues;
	TAILQ_ENTRY(object_queue) changed;
	bool is_changed;
};

TAILQ_HEAD(object_queue_list, object_queue);

/* All queues of one OSD. */
struct object_queues {
	struct io *io;
	struct object_queue *all;	/* hash by key */
	struct object_queue_list changed;
	struct io_task pump;
};

void object_queues_init(struct object_queues *queues, struct io *io);
/* Line up; `granted` is called from the top of the loop. */
void object_hold_enter(struct object_queues *queues, const struct osd_object_key *key,
		       struct object_hold *hold, enum object_hold_kind kind);
/* It goes before all who wait, if it still waits itself. */
void object_hold_first(struct object_hold *hold);
/* Could it run now, as far as its queue is concerned? */
bool object_hold_may_run(const struct object_hold *hold);
/* Does nobody else do anything with the object, committing included? */
bool object_hold_is_alone(const struct object_hold *hold);
/* Its state has changed: look who may run now. */
void object_hold_changed(struct object_hold *hold, enum object_hold_state state);
void object_hold_leave(struct object_hold *hold);
/* Something else that holds waited for has changed: ask all again. */
void object_queues_kick(struct object_queues *queues);

#endif
