// SPDX-License-Identifier: GPL-2.0
/*
 * Opening and closing files, and asking the rank for caps. OPEN is the request
 * that waits until the caps it needs are granted; they may be gone again when
 * its answer is read, so the asker looks, and asks again.
 */
#include "state.h"

static void acquired(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;

	if (reply->result) {
		call_end(call, reply_error(reply));
		return;
	}
	call->request = NULL;
	request->call = NULL;
	call_wake(call);
}

void call_acquire(struct client_call *call, struct inode *inode, uint32_t need)
{
	struct nacre_open_req body = {
		.ino = inode->ino,
		.need = need,
		.wanted = inode->cap.wanted | need,
	};

	if (need & NACRE_CAP_FILE_READ) {
		body.wanted |= NACRE_WANT_READ;
		body.open_flags |= NACRE_OPEN_READ;
	}
	if (need & NACRE_CAP_FILE_WRITE) {
		body.wanted |= NACRE_WANT_WRITE;
		body.open_flags |= NACRE_OPEN_WRITE;
	}
	call_submit(call, NACRE_MSG_OPEN, &body, acquired, inode, NULL, NULL);
}

void step_OPEN(struct client_call *call)
{
	struct inode *inode;
	uint32_t need = NACRE_CAP_PIN;

	if (!call_may_go(call))
		return;
	inode = inode_get(call->client, call->ino);
	if (call->flags & NACRE_OPEN_READ)
		need |= NACRE_CAP_FILE_READ;
	if (call->flags & NACRE_OPEN_WRITE)
		need |= NACRE_CAP_FILE_WRITE;
	if (!call->step++ && !caps_can(inode, need)) {
		call_acquire(call, inode, need);
		return;
	}
	inode->open_read += !!(call->flags & NACRE_OPEN_READ);
	inode->open_write += !!(call->flags & NACRE_OPEN_WRITE);
	caps_want(inode, 0);
	inode_attr(inode, &call->attr);
	call_end(call, 0);
}

void step_CLOSE(struct client_call *call)
{
	struct inode *inode = inode_find(call->client, call->ino);

	if (inode) {
		if (call->flags & NACRE_OPEN_READ && inode->open_read)
			inode->open_read--;
		if (call->flags & NACRE_OPEN_WRITE && inode->open_write)
			inode->open_write--;
		caps_want(inode, 0);
	}
	call_end(call, 0);
}
