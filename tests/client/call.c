// SPDX-License-Identifier: GPL-2.0
/*
 * Calls: the table of their steps, where they wait, how they end. A call is in
 * exactly one list at any time: waiting for the session, waiting for an inode,
 * asleep until a completion wakes it, or about to run. Steps run from the top
 * of the loop only.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "state.h"

#define CALL_ROW(NAME, doc) { #NAME, step_##NAME },
static const struct {
	const char *name;
	call_step step;
} calls[] = { CLIENT_CALLS(CALL_ROW) };

const char *client_call_name(enum client_call_kind kind)
{
	return kind < CLIENT_CALL_KINDS ? calls[kind].name : "?";
}

void *client_alloc(size_t bytes)
{
	void *memory = calloc(1, bytes);

	assert(memory);
	return memory;
}

static void call_unlink(struct client_call *call)
{
	if (!call->link)
		return;
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	call->link = NULL;
}

/* At the end, so that calls run in the order in which they came to wait. */
void call_wait(struct call_list *list, struct client_call *call)
{
	struct client_call **link = &list->first;

	call_unlink(call);
	while (*link)
		link = &(*link)->next;
	*link = call;
	call->link = link;
	call->next = NULL;
}

void call_wake(struct client_call *call)
{
	struct client *client = call->client;

	if (client->gone)
		return;
	call_wait(&client->running, call);
	io_defer(client->io, &client->run_task);
}

void call_wake_all(struct call_list *list)
{
	while (list->first && !list->first->client->gone)
		call_wake(list->first);
}

static void run_calls(struct io_task *task)
{
	struct client *client = (struct client *)((char *)task -
						  offsetof(struct client, run_task));
	struct client_call *call;

	if (client->gone) {
		free(client);
		return;
	}
	while ((call = client->running.first)) {
		call_wait(&client->asleep, call);
		calls[call->kind].step(call);
	}
}

void calls_init(struct client *client)
{
	client->run_task.run = run_calls;
}

void client_start(struct client *client, struct client_call *call)
{
	call->client = client;
	call->result = 0;
	call->bytes = 0;
	call->entries = NULL;
	call->entry_count = 0;
	call->created = call->local = false;
	call->tid = 0;
	call->next = NULL;
	call->link = NULL;
	call->request = NULL;
	call->reading = NULL;
	call->step = call->pending = 0;
	call->refs = 0;
	call->error = 0;
	call->mark = 0;
	call->began_ns = io_now(client->io);
	memset(&call->attr, 0, sizeof(call->attr));
	call_wake(call);
}

void call_end(struct client_call *call, int result)
{
	struct client *client = call->client;
	struct inode *inode = call->refs ? inode_find(client, call->ino) : NULL;

	assert(!call->pending);
	if (call->request)
		call->request->call = NULL;
	call->request = NULL;
	if (inode) {
		caps_give(inode, call->refs);
		inode_wake(inode);
	}
	call->refs = 0;
	call_unlink(call);
	call->result = result;
	call->done(call);
}

bool call_may_go(struct client_call *call)
{
	struct client *client = call->client;

	if (nacre_session_may_io(client->session, client->io_stopped))
		return true;
	if (client->session == NACRE_SESSION_KILLED || client->session == NACRE_SESSION_CLOSED)
		call_end(call, client->session == NACRE_SESSION_KILLED ? -ESTALE : -ENOTCONN);
	else
		call_wait(&client->calls_waiting, call);
	return false;
}

/* Those with object requests under way end when these do; the rest ends now. */
static void list_fail(struct call_list *list, int result)
{
	struct client_call *call, *next;

	for (call = list->first; call; call = next) {
		next = call->next;
		call->error = result;
		if (!call->pending)
			call_end(call, result);
	}
}

void calls_fail(struct client *client, int result)
{
	struct inode *inode, *next;

	list_fail(&client->calls_waiting, result);
	list_fail(&client->syncing, result);
	list_fail(&client->lock_waiters, result);
	list_fail(&client->running, result);
	list_fail(&client->asleep, result);
	HASH_ITER(hh, client->inodes, inode, next)
		list_fail(&inode->waiters, result);
}

void client_call_clean(struct client_call *call)
{
	size_t i;

	for (i = 0; i < call->entry_count; i++)
		free(call->entries[i].name);
	free(call->entries);
	call->entries = NULL;
	call->entry_count = 0;
}
