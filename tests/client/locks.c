// SPDX-License-Identifier: GPL-2.0
/*
 * File locks: the rank first when one is taken, our list first when it is given up, so that the list never has what
 * another may have. A wait is queued at the rank; whenever the session flows again its call asks once
 * more, as the same waiter (FLOCK-3). Ranges are given up as they were taken: splitting is the rules' matter.
 */
#include <errno.h>
#include <stdlib.h>
#include "protocol/codec.h"
#include "state.h"

/* What call->step says of a LOCK. */
enum { NEW, ASKED, QUEUED, CANCELLED };

/* ---- the list ------------------------------------------------------------------------------------- */

static bool is_same(const struct lock *lock, uint64_t ino, const struct client_lock *what)
{
	return lock->ino == ino && lock->what.owner == what->owner && lock->what.kind == what->kind &&
	       lock->what.start == what->start && lock->what.last == what->last;
}

static void forget(struct client *client, uint64_t ino, const struct client_lock *what)
{
	struct lock *lock;

	TAILQ_FOREACH(lock, &client->locks, entry)
		if (is_same(lock, ino, what)) {
			TAILQ_REMOVE(&client->locks, lock, entry);
			free(lock);
			return;
		}
}

static void keep(struct client *client, uint64_t ino, const struct client_lock *what)
{
	struct lock *lock = client_alloc(sizeof(*lock));

	forget(client, ino, what);
	lock->ino = ino;
	lock->what = *what;
	TAILQ_INSERT_TAIL(&client->locks, lock, entry);
}

void locks_init(struct client *client)
{
	TAILQ_INIT(&client->locks);
}

void locks_free(struct client *client)
{
	struct lock *lock;

	while ((lock = TAILQ_FIRST(&client->locks))) {
		TAILQ_REMOVE(&client->locks, lock, entry);
		free(lock);
	}
}

/* FLOCK-2: behind the caps, before RECONNECT_DONE. */
void locks_claims_send(struct client *client)
{
	uint8_t room[64 * sizeof(struct nacre_filelock_wire)];
	struct nacre_writer w = nacre_writer(room, sizeof(room));
	struct nacre_session_filelocks part = { .instance = client->instance, .locks = room };
	struct lock *lock;

	TAILQ_FOREACH(lock, &client->locks, entry) {
		struct nacre_filelock body = {
			.ino = lock->ino, .owner = lock->what.owner, .instance = client->instance,
			.start = lock->what.start, .last = lock->what.last,
			.kind = lock->what.kind, .lock_mode = lock->what.mode,
		};

		nacre_encode(nacre_filelock_desc(), &w, &body);
		part.locks_bytes = (uint32_t)nacre_writer_bytes(&w);
		if (part.locks_bytes < sizeof(room) && TAILQ_NEXT(lock, entry))
			continue;
		rank_send(client, NACRE_MSG_SESSION_FILELOCKS, &part);
		w = nacre_writer(room, sizeof(room));
	}
}

bool client_may_rely(const struct client *client)
{
	return nacre_session_may_io(client->session, client->io_stopped) &&
	       io_now(client->io) < client->lease_until_ns;
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static void ask(struct client_call *call, uint8_t op, uint8_t mode, request_replied replied)
{
	struct nacre_filelock_req body = {
		.ino = call->ino, .owner = call->lock.owner, .start = call->lock.start,
		.last = call->lock.last, .kind = call->lock.kind, .lock_mode = mode, .op = op,
	};

	if (op == NACRE_FILELOCK_WAIT || op == NACRE_FILELOCK_CANCEL)
		body.waiter = call->mark;
	call_submit(call, NACRE_MSG_FILELOCK, &body, replied, NULL, NULL, NULL);
}

static void had(struct client_call *call)
{
	keep(call->client, call->ino, &call->lock);
	call_end(call, 0);
}

static void got_lock(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;

	if (reply->result) {
		call_end(call, reply_error(reply));
	} else if (!(reply->flags & NACRE_REPLY_QUEUED)) {
		had(call);
	} else if (call->step == CANCELLED) {
		/* it was to be cancelled before this answer came */
		call->request = NULL;
		call_wake(call);
		request->call = NULL;
	} else {
		call->step = QUEUED;
		call->request = NULL;
		request->call = NULL;
		call_wait(&call->client->lock_waiters, call);
	}
}

static void got_cancel(struct request *request, const struct nacre_reply *reply)
{
	if (reply->result == EALREADY)
		had(request->call);
	else
		call_end(request->call, reply->result ? reply_error(reply) : -EINTR);
}

void step_LOCK(struct client_call *call)
{
	if (!call_may_go(call))
		return;
	if (call->step == CANCELLED) {
		ask(call, NACRE_FILELOCK_CANCEL, call->lock.mode, got_cancel);
		return;
	}
	if (!call->mark)
		call->mark = ++call->client->last_waiter;
	call->step = ASKED;
	ask(call, call->lock.waits ? NACRE_FILELOCK_WAIT : NACRE_FILELOCK_SET, call->lock.mode, got_lock);
}

void client_cancel(struct client_call *call)
{
	if (call->step != QUEUED)
		return;
	call->step = CANCELLED;
	call_wake(call);
}

void locks_granted(struct client *client, const struct nacre_filelock_granted *granted)
{
	struct client_call *call, *next;

	for (call = client->lock_waiters.first; call; call = next) {
		next = call->next;
		if (call->mark != granted->waiter || call->step != QUEUED)
			continue;
		/* at once: a claim may be the next that is sent */
		if (granted->result)
			call_end(call, -(int)granted->result);
		else
			had(call);
	}
}

void locks_flow(struct client *client)
{
	call_wake_all(&client->lock_waiters);
}

void step_UNLOCK(struct client_call *call)
{
	if (!call_may_go(call))
		return;
	forget(call->client, call->ino, &call->lock);
	ask(call, NACRE_FILELOCK_SET, NACRE_FILELOCK_UNLOCK, reply_ends_call);
}

static void got_holder(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;
	struct nacre_filelock holder = { 0 };
	int err = reply_error(reply);

	if (!err && reply->extra_bytes &&
	    nacre_decode_all(nacre_filelock_desc(), reply->extra, reply->extra_bytes, &holder))
		err = -EBADMSG;
	call->lock.holder = holder.instance;
	call_end(call, err);
}

void step_TESTLOCK(struct client_call *call)
{
	if (call_may_go(call))
		ask(call, NACRE_FILELOCK_TEST, call->lock.mode, got_holder);
}
