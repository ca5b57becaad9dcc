/* SPDX-License-Identifier: GPL-2.0 */
/* The life of a request, parking and waking; see request.h. */
#include "core.h"
#include "server/base/mutate.h"

static void request_run(struct mds *mds, struct mds_request *request)
{
	int result;

	request->wait = MDS_WAIT_NOTHING;
	request->since_ns = mds_now(mds);
	if (mds->state != MDS_ACTIVE && !mds_reconnect_runs(mds, request)) {
		mds_request_park(mds, request, &mds->waiting_active, MDS_WAIT_ACTIVE, 0);
		return;
	}
	result = request->resend_done ? mds_op_resend(mds, request) :
					request->op->handle(mds, request);
	if (result > 0)
		mds_request_fail(mds, request, (uint32_t)result);
}

/* ---- parking and waking -------------------------------------------------------------------------- */

static void put_on(struct mds *mds, struct mds_request *request, struct mds_waitlist *list)
{
	assert(!request->waiting_on);
	request->waiting_on = list;
	mds->counters.requests_waiting++;
	TAILQ_INSERT_TAIL(list, request, wait_link);
}

int mds_request_park(struct mds *mds, struct mds_request *request, struct mds_waitlist *list,
		     enum mds_wait wait, uint64_t ino)
{
	put_on(mds, request, list);
	request->wait = wait;
	request->wait_ino = ino;
	mds_spent_park(mds, request);
	return MDS_PARKED;
}

static void unpark(struct mds *mds, struct mds_request *request)
{
	TAILQ_REMOVE(request->waiting_on, request, wait_link);
	request->waiting_on = NULL;
	mds->counters.requests_waiting--;
}

void mds_request_ready(struct mds *mds, struct mds_request *request)
{
	unpark(mds, request);
	put_on(mds, request, &mds->ready);
	mds_spent_ready(mds, request);
	mds_defer(mds, &mds->ready_task);
}

void mds_wake_result(struct mds *mds, struct mds_waitlist *list, uint32_t result)
{
	struct mds_request *request, *next;

	/* one pass over what stands here now: the list may be filled again meanwhile */
	for (request = TAILQ_FIRST(list); request; request = next) {
		next = TAILQ_NEXT(request, wait_link);
		if (result)
			request->load_result = result;
		mds_request_ready(mds, request);
	}
}

void mds_wake(struct mds *mds, struct mds_waitlist *list)
{
	mds_wake_result(mds, list, 0);
}

void mds_requests_run(struct mds *mds)
{
	struct mds_request *request;
	unsigned int ran;

	for (ran = 0; ran < MDS_READY_SLICE; ran++) {
		request = TAILQ_FIRST(&mds->ready);
		if (!request || mds->state == MDS_DEAD)
			return;
		unpark(mds, request);
		mds_spent_run(mds, request);
		request_run(mds, request);
	}
	if (!TAILQ_EMPTY(&mds->ready))
		mds_defer(mds, &mds->ready_task);
}

/* ---- claims ---------------------------------------------------------------------------------------- */

bool mds_claimed(const struct mds_inode *inode, uint32_t groups, const struct mds_request *request)
{
	const struct mds_claim *claim;

	TAILQ_FOREACH(claim, &inode->claims, link) {
		if (request && claim->request->number >= request->number)
			return false;
		if (claim->groups & groups)
			return true;
	}
	return false;
}

void mds_request_claim(struct mds_request *request, struct mds_inode *inode, uint32_t groups)
{
	struct mds_claim *claim, *at;
	unsigned int i;

	for (i = 0; i < request->claim_count; i++)
		if (request->claims[i].inode == inode) {
			request->claims[i].groups |= groups;
			return;
		}
	if (request->claim_count == MDS_CLAIMS_MAX)
		return;
	claim = &request->claims[request->claim_count++];
	*claim = (struct mds_claim){ .request = request, .inode = inode, .groups = groups };
	TAILQ_FOREACH(at, &inode->claims, link)
		if (at->request->number > request->number) {
			TAILQ_INSERT_BEFORE(at, claim, link);
			return;
		}
	TAILQ_INSERT_TAIL(&inode->claims, claim, link);
}

void mds_request_unclaim(struct mds *mds, struct mds_request *request)
{
	unsigned int i;

	for (i = 0; i < request->claim_count; i++) {
		struct mds_inode *inode = request->claims[i].inode;

		TAILQ_REMOVE(&inode->claims, &request->claims[i], link);
		mds_caps_settle(mds, inode);
		mds_wake(mds, &inode->waiters);
	}
	request->claim_count = 0;
}

void mds_request_hold(struct mds_request *request, struct mds_inode *dir, uint64_t first,
		      uint64_t last)
{
	unsigned int i;

	for (i = 0; i < request->hold_count; i++)
		if (!request->holds[i].name && request->holds[i].dir == dir &&
		    request->holds[i].first == first) {
			mds_hold_up_to(&request->holds[i], last);
			return;
		}
	assert(request->hold_count < MDS_HOLDS_MAX);
	mds_hold_begin(&request->holds[request->hold_count++], dir, first, last);
}

void mds_request_hold_name(struct mds_request *request, struct mds_inode *dir, const uint8_t *name,
			   uint32_t name_bytes)
{
	uint64_t cookie = mds_name_cookie(name, name_bytes);
	struct mds_hold *hold;
	unsigned int i;

	for (i = 0; i < request->hold_count; i++) {
		hold = &request->holds[i];
		if (hold->dir == dir && hold->name && hold->name_bytes == name_bytes &&
		    !memcmp(hold->name, name, name_bytes))
			return;
	}
	assert(request->hold_count < MDS_HOLDS_MAX);
	hold = &request->holds[request->hold_count++];
	mds_hold_begin(hold, dir, cookie, cookie);
	hold->name = name;
	hold->name_bytes = name_bytes;
}

void mds_request_pin(struct mds_request *request, struct mds_inode *inode)
{
	unsigned int i;

	for (i = 0; i < request->pin_count; i++)
		if (request->pins[i] == inode)
			return;
	if (request->pin_count == MDS_REQUEST_PINS_MAX)
		return;
	request->pins[request->pin_count++] = inode;
	mds_inode_pin(inode);
}

static void release_holds(struct mds *mds, struct mds_request *request)
{
	while (request->pin_count) {
		struct mds_inode *inode = request->pins[--request->pin_count];

		mds_inode_unpin(mds, inode);
		if (!inode->nlink)
			mds_caps_settle(mds, inode);
	}
	while (request->hold_count)
		mds_hold_end(mds, &request->holds[--request->hold_count]);
}

/* ---- beginning and end ----------------------------------------------------------------------------- */

void mds_request_end(struct mds *mds, struct mds_request *request)
{
	if (request->waiting_on)
		unpark(mds, request);
	TAILQ_REMOVE(&request->session->requests, request, session_link);
	mds_caps_unask(mds, request);
	mds_request_unclaim(mds, request);
	release_holds(mds, request);
	TAILQ_REMOVE(&mds->requests, request, all_link);
	request->session->request_count--;
	mds->request_count--;
	mds_reconnect_ended(mds, request);
	mds_spent_end(mds, request);
	message_put(request->message);
	free(request);
}

static void send_result(struct mds *mds, struct mds_session *session, uint64_t tid,
			uint32_t result)
{
	struct nacre_reply reply = {
		.tid = tid,
		.safe = session->safe,
		.barrier_epoch = mds->barrier_epoch,
		.result = result,
		.flags = NACRE_REPLY_SAFE,
	};

	session->told_safe = session->safe;
	mds_session_send(mds, session, NACRE_MSG_REPLY, &reply);
}

/*
 * A request that has failed is not remembered: coming again, it is a new one, and may succeed. So where the client has another connection by
 * now, over which it comes again, nothing is said of this time: who has been told of it would do it a second time (LOG-2).
 */
void mds_request_fail(struct mds *mds, struct mds_request *request, uint32_t result)
{
	if (request->connection == request->session->connections)
		send_result(mds, request->session, request->head->tid, result);
	mds_request_end(mds, request);
}

/* Is it, already? Then it came again, and is answered where it came last. */
static bool is_under_way(const struct mds_session *session, uint64_t tid)
{
	struct mds_request *request;

	TAILQ_FOREACH(request, &session->requests, session_link)
		if (request->head->tid == tid) {
			request->connection = session->connections;
			return true;
		}
	return false;
}

static bool too_many(struct mds *mds, const struct mds_session *session)
{
	return mds->request_count >= MDS_REQUESTS_MAX ||
	       session->request_count >= MDS_SESSION_REQUESTS_MAX ||
	       session->completed_count + session->request_count >= MDS_COMPLETED_MAX;
}

static struct mds_request *request_new(struct mds *mds, struct mds_session *session,
				       struct message *message, const struct mds_op *op)
{
	struct mds_request *request = mds_zalloc(sizeof(*request));

	request->message = message;
	request->op = op;
	request->head = (const struct mds_request_head *)&message->host;
	request->session = session;
	request->connection = session->connections;
	request->number = ++mds->request_number;
	TAILQ_INSERT_TAIL(&mds->requests, request, all_link);
	TAILQ_INSERT_TAIL(&session->requests, request, session_link);
	session->request_count++;
	mds->request_count++;
	mds->counters.requests++;
	mds_spent_begin(mds, request);
	return request;
}

void mds_request_take(struct mds *mds, struct mds_session *session, struct message *message)
{
	const struct mds_request_head *head = (const struct mds_request_head *)&message->host;
	const struct mds_op *op = mds_op_find(message->type);
	struct mds_done_request *done;
	struct mds_request *request;

	mds_session_finished(session, head->oldest_tid);
	if (head->tid < session->oldest_tid || is_under_way(session, head->tid)) {
		message_put(message);
		return;
	}
	done = mds_session_completed(session, head->tid);
	if (mutate(MUTATE_MDS_FORGET_RESEND))
		done = NULL;
	if (!done && too_many(mds, session)) {
		mds->counters.busy++;
		send_result(mds, session, head->tid, NACRE_E_BUSY);
		message_put(message);
		return;
	}
	request = request_new(mds, session, message, op);
	if (done) {
		request->resend_done = true;
		request->applied = done->applied;
		request->ino = done->ino;
		request->reply_flags = done->flags;
		mds->counters.resends++;
	}
	request_run(mds, request);
}

void mds_requests_drop_session(struct mds *mds, struct mds_session *session)
{
	struct mds_request *request;

	while ((request = TAILQ_FIRST(&session->requests))) {
		if (request->head->flags & NACRE_REQUEST_RESEND)
			session->settled = false;
		mds_request_end(mds, request);
	}
}

void mds_requests_free(struct mds *mds)
{
	struct mds_request *request;

	while ((request = TAILQ_FIRST(&mds->requests)))
		mds_request_end(mds, request);
}
