// SPDX-License-Identifier: GPL-2.0
/*
 * fsync, sync and the ends of a mount. Data goes out first, then attributes,
 * then the rank is asked to journal what it has only promised. A change counts
 * as safe when the rank has said so, not when it has answered.
 */
#include "state.h"

enum sync_step { SYNC_BEGIN, SYNC_ASK, SYNC_WAIT, SYNC_CLOSING };

static void rank_synced(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;

	request->call = NULL;
	call->request = NULL;
	if (reply->result)
		call->error = reply_error(reply);
	call_wake(call);
}

void call_sync_rank(struct client_call *call)
{
	struct request *last = TAILQ_LAST(&call->client->unsafe, request_list);
	struct nacre_sync_req body = { .upto = last ? last->applied : 0 };

	call_submit(call, NACRE_MSG_SYNC, &body, rank_synced, NULL, NULL, NULL);
}

static bool names(const struct request *request, const struct inode *inode)
{
	int i;

	for (i = 0; i < 3; i++)
		if (request->inodes[i] == inode)
			return true;
	return false;
}

/* A change with a tid up to call->mark that is not safe; inode NULL: of any. */
static struct request *unsafe_one(const struct client_call *call, const struct inode *inode)
{
	struct request *request;

	TAILQ_FOREACH(request, &call->client->unsafe, entry)
		if (request->tid <= call->mark && (!inode || names(request, inode)))
			return request;
	TAILQ_FOREACH(request, &call->client->unanswered, entry)
		if (request->changes && request->tid <= call->mark &&
		    (!inode || names(request, inode)))
			return request;
	return NULL;
}

/* Write out one inode; true when nothing of it is left to be written or flushed. */
static bool push(struct inode *inode, bool first)
{
	if (inode->dirty_pages)
		pages_write_back(inode);
	if (!inode->dirty_pages && !inode->writing_pages && (first || inode->cap.dirty))
		caps_flush(inode, true);
	return caps_are_clean(inode);
}

/* Ask once for what is unsafe, then wait; true when nothing is. */
static bool rank_is_done(struct client_call *call, struct inode *inode,
			 struct call_list *waiters)
{
	if (!unsafe_one(call, inode))
		return true;
	if (call->step == SYNC_ASK) {
		call->step = SYNC_WAIT;
		call_sync_rank(call);
	} else {
		call_wait(waiters, call);
	}
	return false;
}

static int take_error(struct inode *inode)
{
	int error = inode->error;

	inode->error = 0;
	return error;
}

void step_FSYNC(struct client_call *call)
{
	struct inode *inode = inode_find(call->client, call->ino);
	bool first = call->step == SYNC_BEGIN;

	if (!call_may_go(call))
		return;
	if (!inode) {
		call_end(call, 0);
		return;
	}
	if (first) {
		call->mark = call->client->next_tid;
		call->step = SYNC_ASK;
	}
	if (!push(inode, first))
		call_wait(&inode->waiters, call);
	else if (rank_is_done(call, inode, &inode->waiters))
		call_end(call, take_error(inode));
}

/* Everything of this mount; true when all is clean and safe. */
static bool sync_all(struct client_call *call)
{
	struct client *client = call->client;
	bool first = call->step == SYNC_BEGIN, clean = true;
	struct inode *inode, *next;

	if (first) {
		call->mark = client->next_tid;
		call->step = SYNC_ASK;
	}
	updates_batch(client);
	HASH_ITER(hh, client->inodes, inode, next)
		clean &= push(inode, first);
	updates_end(client);
	if (!clean)
		call_wait(&client->syncing, call);
	return clean && rank_is_done(call, NULL, &client->syncing);
}

static int take_errors(struct client *client)
{
	struct inode *inode, *next;
	int error = 0;

	HASH_ITER(hh, client->inodes, inode, next)
		if (inode->error)
			error = take_error(inode);
	return error;
}

void step_SYNC(struct client_call *call)
{
	if (call_may_go(call) && sync_all(call))
		call_end(call, take_errors(call->client));
}

void step_MOUNT(struct client_call *call)
{
	struct inode *root;

	if (call->client->session == NACRE_SESSION_NEW)
		session_event(call->client, NACRE_SESE_OPEN);
	if (!call_may_go(call))
		return;
	root = inode_get(call->client, NACRE_INO_ROOT);
	if (!call->step++) {
		call_getattr(call, root, NACRE_GROUP_AUTH);
		return;
	}
	inode_attr(root, &call->attr);
	call_end(call, 0);
}

void step_UNMOUNT(struct client_call *call)
{
	struct client *client = call->client;

	if (call->step == SYNC_CLOSING) {
		if (client->session == NACRE_SESSION_CLOSED)
			call_end(call, take_errors(client));
		else
			call_wait(&client->calls_waiting, call);
		return;
	}
	if (!call_may_go(call) || !sync_all(call))
		return;
	call->step = SYNC_CLOSING;
	call_wait(&client->calls_waiting, call);
	session_event(client, NACRE_SESE_CLOSE);
}
