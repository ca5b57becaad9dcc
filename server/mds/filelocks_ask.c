/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The request FILELOCK: test, take, give up, wait, cancel. Each is answered at once, and each may be repeated: it says what
 * is to be, not what is to change, and a client has one under way for an owner and a file at a time (FLOCK-3).
 */
#include "core.h"
#include "ops.h"
#include "server/base/mutate.h"

static int answer(struct mds *mds, struct mds_request *request, uint32_t flags)
{
	return mds_reply_extra(mds, request, NULL, 0, NULL, 0, flags);
}

static void fill_want(const struct nacre_filelock_req *body, struct nacre_filelock_owner *owner,
		      struct nacre_filelock_want *want)
{
	*want = (struct nacre_filelock_want){ owner, body->start, body->last, body->pid, body->lock_mode };
}

/* ---- TEST ------------------------------------------------------------------------------------------------ */

static int test(struct mds *mds, struct mds_request *request, const struct nacre_filelock_req *body)
{
	struct mds_filelock_file *file = mds_filelock_file_find(mds, body->ino);
	struct mds_filelock_owner *known = mds_filelock_owner_find(mds, request->session, body->owner,
								   body->kind);
	uint8_t room[sizeof(struct nacre_filelock_wire)];
	struct nacre_writer w = nacre_writer(room, sizeof(room));
	struct nacre_filelock_owner stranger;
	struct nacre_filelock_range *range = NULL;
	struct nacre_filelock_want want;

	nacre_filelock_owner_init(&stranger, request->session->instance, body->owner, body->kind);
	fill_want(body, known ? &known->rules : &stranger, &want);
	if (file)
		range = nacre_filelock_conflict(&file->rules, &want);
	if (range) {
		struct nacre_filelock lock = {
			.ino = body->ino, .owner = range->owner->id,
			.instance = range->owner->instance, .start = range->start,
			.last = range->last, .pid = range->pid, .kind = range->owner->kind,
			.lock_mode = range->mode,
		};

		nacre_encode(nacre_filelock_desc(), &w, &lock);
	}
	return mds_reply_extra(mds, request, NULL, 0, room, (uint32_t)nacre_writer_bytes(&w), 0);
}

/* ---- SET --------------------------------------------------------------------------------------------------- */

static int unlock(struct mds *mds, struct mds_request *request, const struct nacre_filelock_req *body)
{
	struct mds_filelock_file *file = mds_filelock_file_find(mds, body->ino);
	struct mds_filelock_owner *owner = mds_filelock_owner_find(mds, request->session, body->owner,
								   body->kind);
	struct nacre_filelock_want want;

	if (file && owner) {
		fill_want(body, &owner->rules, &want);
		mds_filelock_take(mds, file, &want);
		if (!mutate(MUTATE_MDS_LOSE_WAKE_UP))
			mds_filelocks_settle(mds);
		mds_filelock_tidy(mds, file, owner);
	}
	return answer(mds, request, 0);
}

/* Positive: the result of a request that got nothing. */
static int set(struct mds *mds, struct mds_request *request, const struct nacre_filelock_req *body)
{
	struct mds_session *session = request->session;
	struct mds_filelock_owner *owner;
	struct mds_filelock_file *file;
	struct nacre_filelock_want want;
	int result;

	if (session->filelock_ranges >= NACRE_FILELOCKS_SESSION_MAX)
		return ENOLCK;
	file = mds_filelock_file_get(mds, body->ino);
	owner = mds_filelock_owner_get(mds, session, body->owner, body->kind);
	fill_want(body, &owner->rules, &want);
	result = mds_filelock_take(mds, file, &want);
	if (!result)
		mds_filelocks_end_deadlocks(mds, &owner->rules);
	mds_filelocks_settle(mds);
	mds_filelock_tidy(mds, file, owner);
	return result ? -result : answer(mds, request, 0);
}

/* ---- WAIT, CANCEL ------------------------------------------------------------------------------------------- */

static struct mds_filelock_wait *find_wait(const struct mds_filelock_owner *owner, uint64_t id)
{
	struct nacre_link *at;

	for (at = owner->rules.waiting.next; at != &owner->rules.waiting; at = at->next) {
		struct nacre_filelock_waiter *waiter =
			nacre_link_entry(at, struct nacre_filelock_waiter, in_owner);

		if (waiter->id == id)
			return mds_filelock_wait_of(waiter);
	}
	return NULL;
}

/* Queued, and perhaps given at once: the one order for all. */
static bool queue(struct mds *mds, struct mds_filelock_file *file,
		  const struct nacre_filelock_want *want, uint64_t id)
{
	struct mds_filelock_wait *wait = mds_filelock_queue(mds, file, want, id);
	bool granted = false;

	wait->granted = &granted;
	mds_filelocks_settle(mds);
	if (!granted)
		wait->granted = NULL;
	return granted;
}

static int wait(struct mds *mds, struct mds_request *request, const struct nacre_filelock_req *body)
{
	struct mds_session *session = request->session;
	struct mds_filelock_file *file = mds_filelock_file_get(mds, body->ino);
	struct mds_filelock_owner *owner = mds_filelock_owner_get(mds, session, body->owner, body->kind);
	uint32_t flags = NACRE_REPLY_QUEUED;
	struct nacre_filelock_want want;
	int result = 0;

	fill_want(body, &owner->rules, &want);
	if (find_wait(owner, body->waiter))
		return answer(mds, request, flags);	/* asked again */
	if (nacre_filelock_holds(&file->rules, &want))
		flags = 0;				/* and again, behind a message that was lost */
	else if (session->filelock_ranges >= NACRE_FILELOCKS_SESSION_MAX ||
		 session->filelock_waits >= NACRE_FILELOCK_WAITERS_MAX)
		result = ENOLCK;
	else if (nacre_filelock_deadlocks(&file->rules, &want))
		result = EDEADLK;
	else if (queue(mds, file, &want, body->waiter))
		flags = 0;
	mds_filelock_tidy(mds, file, owner);
	return result ? result : answer(mds, request, flags);
}

static int cancel(struct mds *mds, struct mds_request *request, const struct nacre_filelock_req *body)
{
	struct mds_filelock_file *file = mds_filelock_file_find(mds, body->ino);
	struct mds_filelock_owner *owner = mds_filelock_owner_find(mds, request->session, body->owner,
								   body->kind);
	struct mds_filelock_wait *found = owner ? find_wait(owner, body->waiter) : NULL;
	struct nacre_filelock_want want;
	int result = 0;

	if (found) {
		mds_filelock_wait_end(mds, found);
		mds_filelocks_settle(mds);
	} else if (file && owner) {
		fill_want(body, &owner->rules, &want);
		result = nacre_filelock_holds(&file->rules, &want) ? EALREADY : 0;
	}
	mds_filelock_tidy(mds, file, owner);
	return result ? result : answer(mds, request, 0);
}

int mds_op_filelock(struct mds *mds, struct mds_request *request)
{
	const struct nacre_filelock_req *body = &request->message->host.filelock;

	switch (body->op) {
	case NACRE_FILELOCK_TEST:
		return test(mds, request, body);
	case NACRE_FILELOCK_WAIT:
		return wait(mds, request, body);
	case NACRE_FILELOCK_CANCEL:
		return cancel(mds, request, body);
	default:
		return body->lock_mode == NACRE_FILELOCK_UNLOCK ? unlock(mds, request, body) :
								   set(mds, request, body);
	}
}
