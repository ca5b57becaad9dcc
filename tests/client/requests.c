// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to the rank. A request is *unanswered* until its reply; a change is
 * then *unsafe* until the rank says that its apply number is journaled. Both
 * kinds are kept and sent again when the connection, or the rank, was lost:
 * unsafe ones in apply order, then unanswered ones in tid order, under their
 * old tids (LOG-2).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/rules/validate.h"
#include "state.h"

#define RETRY_NS (100 * 1000000ull)

/* What every request body begins with (NACRE_REQUEST_HEAD). */
static struct nacre_statfs_req *head_of(struct request *request)
{
	return &request->body.statfs;
}

void rank_send(struct client *client, uint16_t type, const void *body)
{
	updates_send(client);
	if (client->gone || conn_send(client->mds, type, body, NULL))
		return;
	if (type != NACRE_MSG_SESSION_RENEW && type != NACRE_MSG_MAP_GET)
		client->counters.mds_messages++;
}

uint64_t requests_oldest_tid(const struct client *client)
{
	const struct request *request;
	uint64_t oldest = client->next_tid + 1;

	TAILQ_FOREACH(request, &client->unanswered, entry)
		if (request->tid < oldest)
			oldest = request->tid;
	TAILQ_FOREACH(request, &client->unsafe, entry)
		if (request->tid < oldest)
			oldest = request->tid;
	return oldest;
}

/* Encoding and decoding the body makes a copy of its tails that is one piece. */
struct request *request_new(struct client *client, uint16_t type, const void *body,
			    struct client_call *call, request_replied replied)
{
	struct request *request = client_alloc(sizeof(*request));
	const struct nacre_struct *desc = nacre_message_find(type)->body();
	size_t length = nacre_encoded_bytes(desc, body);
	struct nacre_writer writer;
	int err;

	request->bytes = client_alloc(length);
	writer = nacre_writer(request->bytes, length);
	err = nacre_encode(desc, &writer, body);
	assert(!err);
	err = nacre_decode_all(desc, request->bytes, length, &request->body);
	assert(!err);
	request->type = type;
	request->changes = nacre_record_kind_of(type) != 0;
	request->tid = ++client->next_tid;
	request->replied = replied;
	request->call = call;
	if (call)
		call->request = request;
	return request;
}

void request_names(struct request *request, struct inode *inode)
{
	int i;

	for (i = 0; inode && i < 3; i++) {
		if (request->inodes[i] == inode)
			return;
		if (!request->inodes[i]) {
			request->inodes[i] = inode;
			request->marks[i] = inode->changing ? UINT64_MAX : inode->changes;
			inode->busy++;
			if (request->changes && !request->unsafe) {
				inode->changing++;
				inode->changes++;
			}
			return;
		}
	}
}

bool request_was_alone(const struct request *request, const struct inode *inode)
{
	uint64_t since = request->changes ? 1 : 0;
	int i;

	for (i = 0; i < 3; i++)
		if (request->inodes[i] == inode)
			return !inode->changing && request->marks[i] != UINT64_MAX &&
			       inode->changes == request->marks[i] + since;
	return false;
}

static void send_request(struct client *client, struct request *request)
{
	struct nacre_statfs_req *head = head_of(request);

	head->tid = request->tid;
	head->oldest_tid = requests_oldest_tid(client);
	head->applied = request->unsafe ? request->applied : 0;
	if (!(conn_peer_features(client->mds) & NACRE_FEATURE_SIZE_REPORT))
		head->flags &= ~(uint32_t)NACRE_REQUEST_REPORT;
	if (request->sent) {
		head->flags |= NACRE_REQUEST_RESEND;
		client->counters.resends++;
	}
	request->sent = true;
	request->sent_ns = io_now(client->io);
	client->counters.mds_requests++;
	rank_send(client, request->type, &request->body);
}

static void changing_ends(struct request *request)
{
	int i;

	if (request->unsafe && !request->again)
		return;
	request->again = false;
	for (i = 0; request->changes && i < 3; i++)
		if (request->inodes[i]) {
			request->inodes[i]->changing--;
			inode_wake(request->inodes[i]);
		}
}

/* What a new incarnation says of an inode before it has done this again is older than what we have. */
static void changing_again(struct request *request)
{
	int i;

	if (request->again)
		return;
	request->again = true;
	for (i = 0; request->changes && i < 3; i++)
		if (request->inodes[i])
			request->inodes[i]->changing++;
}

static bool may_send(const struct client *client)
{
	return client->session == NACRE_SESSION_OPEN && conn_is_open(client->mds);
}

/* What cannot be sent now goes with the next connection or state of the session. */
void request_submit(struct request *request)
{
	struct client *client = request->call->client;

	TAILQ_INSERT_TAIL(&client->unanswered, request, entry);
	if (may_send(client))
		send_request(client, request);
}

void requests_send_new(struct client *client)
{
	struct request *request;

	if (!may_send(client))
		return;
	TAILQ_FOREACH(request, &client->unanswered, entry)
		if (!request->sent)
			send_request(client, request);
}

void requests_resend(struct client *client)
{
	struct request *request;

	TAILQ_FOREACH(request, &client->unanswered, entry)
		send_request(client, request);
}

void requests_resend_to_new(struct client *client)
{
	struct request *request;

	TAILQ_FOREACH(request, &client->unsafe, entry) {
		changing_again(request);
		send_request(client, request);
	}
	requests_resend(client);
}

void call_submit(struct client_call *call, uint16_t type, const void *body,
		 request_replied replied, struct inode *a, struct inode *b, struct inode *c)
{
	struct request *request = request_new(call->client, type, body, call, replied);
	struct inode *inodes[] = { a, b, c };
	int i;

	for (i = 0; i < 3; i++) {
		if (request->changes && inodes[i])
			caps_flush(inodes[i], false);
		request_names(request, inodes[i]);
	}
	if (request->changes)
		call->tid = request->tid;
	request_submit(request);
}

static void inodes_put(struct request *request)
{
	int i;

	for (i = 0; i < 3; i++)
		if (request->inodes[i])
			request->inodes[i]->busy--;
}

static void request_free(struct request *request)
{
	inodes_put(request);
	if (request->call)
		request->call->request = NULL;
	free(request->bytes);
	free(request);
}

/* ---- replies ------------------------------------------------------------------------ */

static struct request *find(struct request_list *list, uint64_t tid)
{
	struct request *request;

	TAILQ_FOREACH(request, list, entry)
		if (request->tid == tid)
			return request;
	return NULL;
}

static void insert_unsafe(struct client *client, struct request *request)
{
	struct request *other;

	TAILQ_FOREACH_REVERSE(other, &client->unsafe, request_list, entry)
		if (other->applied < request->applied) {
			TAILQ_INSERT_AFTER(&client->unsafe, other, request, entry);
			return;
		}
	TAILQ_INSERT_HEAD(&client->unsafe, request, entry);
}

void requests_safe(struct client *client, uint64_t safe)
{
	struct request *request;
	struct inode *inodes[3];
	int i;

	if (safe > client->safe)
		client->safe = safe;
	while ((request = TAILQ_FIRST(&client->unsafe)) && request->applied <= client->safe) {
		TAILQ_REMOVE(&client->unsafe, request, entry);
		changing_ends(request);
		memcpy(inodes, request->inodes, sizeof(inodes));
		request_free(request);
		for (i = 0; i < 3; i++)
			if (inodes[i])
				inode_wake(inodes[i]);
	}
}

/* The rank cannot answer now; ask again in a moment. */
static bool asks_to_wait(uint32_t result)
{
	return result >= 1000 && nacre_error_errno(result) == EAGAIN;
}

static void finish(struct client *client, struct request *request,
		   const struct nacre_reply *reply)
{
	bool stays = reply->applied && !(reply->flags & NACRE_REPLY_SAFE) &&
		     reply->applied > client->safe && !reply->result;

	request->applied = reply->applied;
	if (request->unsafe && reply->result)
		client->counters.lost_changes++;
	changing_ends(request);
	if (stays) {
		request->unsafe = true;
		insert_unsafe(client, request);
	}
	if (request->call)
		request->replied(request, reply);
	if (!stays)
		request_free(request);
}

void requests_reply(struct client *client, const struct nacre_reply *reply)
{
	struct request *request = find(&client->unanswered, reply->tid);
	struct request_list *list = &client->unanswered;

	if (reply->barrier_epoch)
		osdc_set_barrier(client->osdc, reply->barrier_epoch);
	if (session_is_fatal(reply->result)) {
		session_killed(client, reply->result, "a request was refused");
		return;
	}
	if (!request) {
		list = &client->unsafe;
		request = find(list, reply->tid);
	}
	if (request && asks_to_wait(reply->result)) {
		request->sent = false;
		if (!client->again_timer.heap_index)
			io_timer_arm(client->io, &client->again_timer,
				     io_now(client->io) + RETRY_NS);
		return;
	}
	if (request)
		TAILQ_REMOVE(list, request, entry);
	reply_learn(client, reply, request);
	if (request)
		finish(client, request, reply);
	requests_safe(client, reply->safe);
}

static void again_fired(struct io_timer *timer)
{
	requests_send_new((struct client *)((char *)timer - offsetof(struct client, again_timer)));
}

void requests_init(struct client *client)
{
	TAILQ_INIT(&client->unanswered);
	TAILQ_INIT(&client->unsafe);
	TAILQ_INIT(&client->flushes);
	client->again_timer.fire = again_fired;
}

/* ---- the end ------------------------------------------------------------------------- */

/* For client_is_safe(), which is asked when the session is gone. */
static void remember_lost(struct client *client, uint64_t tid)
{
	client->lost_tids = realloc(client->lost_tids,
				    (client->lost_count + 1) * sizeof(*client->lost_tids));
	assert(client->lost_tids);
	client->lost_tids[client->lost_count++] = tid;
}

static void drop_list(struct client *client, struct request_list *list)
{
	struct request *request;
	int i;

	while ((request = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, request, entry);
		remember_lost(client, request->tid);
		for (i = 0; i < 3; i++)
			if (request->inodes[i] && request->changes)
				request->inodes[i]->error = -EIO;
		changing_ends(request);
		request_free(request);
	}
}

void requests_drop(struct client *client)
{
	drop_list(client, &client->unsafe);
	drop_list(client, &client->unanswered);
}

bool client_is_safe(const struct client *client, uint64_t tid)
{
	const struct request *request;
	size_t i;

	for (i = 0; i < client->lost_count; i++)
		if (client->lost_tids[i] == tid)
			return false;
	TAILQ_FOREACH(request, &client->unsafe, entry)
		if (request->tid == tid)
			return false;
	TAILQ_FOREACH(request, &client->unanswered, entry)
		if (request->tid == tid)
			return false;
	return true;
}

void reply_ends_call(struct request *request, const struct nacre_reply *reply)
{
	call_end(request->call, reply_error(reply));
}

int reply_error(const struct nacre_reply *reply)
{
	return reply->result ? -nacre_error_errno(reply->result) : 0;
}

static enum told why_told(const struct request *request, uint64_t ino)
{
	int i;

	for (i = 0; request && request->changes && i < 3; i++)
		if (request->inodes[i] && request->inodes[i]->ino == ino)
			return request->unsafe ? TOLD_CHANGED_AGAIN : TOLD_CHANGED;
	return TOLD;
}

void reply_learn(struct client *client, const struct nacre_reply *reply,
		 const struct request *request)
{
	struct nacre_reader reader = nacre_reader(reply->traces, reply->traces_bytes);
	struct nacre_inode_info info;

	while (nacre_trace_next(&reader, &info))
		inode_learn(client, &info, why_told(request, info.ino));
}
