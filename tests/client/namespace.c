// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that read or change names. Every change is one record, sent at once
 * and awaited; what the reply says is kept where caps allow.
 */
#include <string.h>
#include <sys/stat.h>
#include "protocol/rules/record.h"
#include "protocol/rules/validate.h"
#include "state.h"

#define NAME_OF(text) .name = (const __u8 *)(text), .name_bytes = (__u32)strlen(text)

/* A directory's dirty attributes and position in the machine are asked for with it. */
#define DIR_WANTED (NACRE_CAP_PIN | NACRE_CAP_DIR_SHARED)

static void submit_record(struct client_call *call, struct nacre_record *record, uint32_t wanted,
			  request_replied replied, struct inode *a, struct inode *b,
			  struct inode *c)
{
	struct nacre_record_req body = { .wanted = wanted };

	record->ctime = io_wall(call->client->io);
	nacre_record_to_req(&body, record);
	call_submit(call, nacre_record_message(record->kind), &body, replied, a, b, c);
}

/* The target of a reply into the call; false when the reply has none. */
static bool take_target(struct client_call *call, const struct nacre_reply *reply, uint8_t role)
{
	struct nacre_inode_info info;
	struct inode *inode;

	if (!nacre_trace_find(reply, role, &info))
		return false;
	inode = inode_find(call->client, info.ino);
	if (inode && info.version >= inode->version)
		inode_attr(inode, &call->attr);
	else
		attr_from_info(&call->attr, &info);
	return true;
}

/* ---- lookup --------------------------------------------------------------------------- */

static void looked_up(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;
	struct inode *dir = request->inodes[0];
	int err = reply_error(reply);

	if (!err && !take_target(call, reply, NACRE_TRACE_TARGET))
		err = -EIO;
	if (!err || err == -ENOENT)
		dentry_learn(dir, request, reply, NACRE_TRACE_PARENT, call->name,
			     err ? 0 : call->attr.ino, call->attr.mode);
	call_end(call, err);
}

void step_LOOKUP(struct client_call *call)
{
	struct nacre_lookup_req body = {
		.parent = call->ino, .wanted = NACRE_CAPS_ALL_SHARED, NAME_OF(call->name),
		.flags = NACRE_REQUEST_REPORT,
	};
	struct inode *dir, *target;
	uint64_t ino;

	if (!call_may_go(call))
		return;
	dir = inode_get(call->client, call->ino);
	if (!dentry_answers(dir, call->name, &ino)) {
		call_submit(call, NACRE_MSG_LOOKUP, &body, looked_up, dir, NULL, NULL);
		return;
	}
	target = ino ? inode_find(call->client, ino) : NULL;
	if (ino && (!target || !target->version)) {
		call_submit(call, NACRE_MSG_LOOKUP, &body, looked_up, dir, NULL, NULL);
		return;
	}
	if (target)
		inode_attr(target, &call->attr);
	call->local = true;
	call->client->counters.local_hits++;
	call_end(call, target ? 0 : -ENOENT);
}

/* ---- creating --------------------------------------------------------------------------- */

static void created(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;
	struct inode *dir = request->inodes[0], *inode;
	int err = reply_error(reply);

	/* made, but gone again when the answer to a re-sent request was given */
	if (!err && !take_target(call, reply, NACRE_TRACE_TARGET))
		err = -ESTALE;
	if (err) {
		if (call->name)
			dentry_drop(dir, call->name);
		call_end(call, err);
		return;
	}
	if (call->name)
		dentry_learn(dir, request, reply, NACRE_TRACE_PARENT, call->name, call->attr.ino,
			     call->attr.mode);
	inode = inode_get(call->client, call->attr.ino);
	if (request->unsafe) {
		request_names(request, inode);
		request->body.record.ino = inode->ino;	/* a resend makes the same inode */
	}
	call->created = reply->flags & NACRE_REPLY_CREATED;
	inode->linkable = call->kind == CLIENT_TMPFILE;
	if (call->kind == CLIENT_CREATE || call->kind == CLIENT_TMPFILE) {
		inode->open_read++;
		inode->open_write++;
		caps_want(inode, 0);
	}
	call_end(call, 0);
}

static void create(struct client_call *call, uint16_t kind, uint32_t type, uint32_t wanted)
{
	struct nacre_record record = {
		.kind = kind, .parent = call->ino, .name = (const __u8 *)call->name,
		.name_bytes = call->name ? (__u32)strlen(call->name) : 0, .mode = type | (call->mode & 07777), .uid = call->uid, .gid = call->gid,
		.set_mask = NACRE_SET_MODE | NACRE_SET_UID | NACRE_SET_GID,
		.ino = session_take_ino(call->client),
	};

	if (type == S_IFREG)
		record.record_flags = (uint16_t)(call->flags | (inline_limit(call->client) ? NACRE_RECORD_INLINE : 0));
	if (kind == NACRE_RECORD_SYMLINK) {
		record.value = (const __u8 *)call->value;
		record.value_bytes = (uint32_t)strlen(call->value);
	}
	submit_record(call, &record, wanted, created, inode_get(call->client, call->ino), NULL,
		      NULL);
}

void step_CREATE(struct client_call *call)
{
	if (call_may_go(call))
		create(call, NACRE_RECORD_CREATE, S_IFREG, NACRE_WANT_READ | NACRE_WANT_WRITE);
}

void step_TMPFILE(struct client_call *call)
{
	if (call_may_go(call))
		create(call, NACRE_RECORD_TMPFILE, S_IFREG, NACRE_WANT_READ | NACRE_WANT_WRITE);
}

void step_MKDIR(struct client_call *call)
{
	if (call_may_go(call))
		create(call, NACRE_RECORD_MKDIR, S_IFDIR, NACRE_CAPS_ALL_SHARED);
}

void step_SYMLINK(struct client_call *call)
{
	if (call_may_go(call))
		create(call, NACRE_RECORD_SYMLINK, S_IFLNK, NACRE_CAPS_ALL_SHARED);
}

static void linked(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;
	int err = reply_error(reply);

	if (!err)
		request->inodes[1]->linkable = false;
	if (err || !take_target(call, reply, NACRE_TRACE_TARGET))
		dentry_drop(request->inodes[0], call->name);
	else
		dentry_learn(request->inodes[0], request, reply, NACRE_TRACE_PARENT, call->name,
			     call->attr.ino, call->attr.mode);
	call_end(call, err);
}

void step_LINK(struct client_call *call)
{
	struct nacre_record record = {
		.kind = NACRE_RECORD_LINK, .parent = call->ino, NAME_OF(call->name),
		.ino = call->ino2,
	};
	struct inode *inode;

	if (!call_may_go(call))
		return;
	inode = inode_get(call->client, call->ino2);
	record.record_flags = inode->linkable ? NACRE_RECORD_NAMELESS : 0;
	submit_record(call, &record, DIR_WANTED, linked, inode_get(call->client, call->ino), inode,
		      NULL);
}

/* ---- removing ----------------------------------------------------------------------------- */

/* What lost its last name here is let go of at once. */
static void reap(struct client *client, uint64_t ino)
{
	struct inode *inode = inode_find(client, ino);

	if (inode && inode->version && !inode->nlink && caps_try_drop(inode) && !inode->busy)
		inode_forget(inode);
}

static void removed(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;
	struct client *client = call->client;
	int err = reply_error(reply);

	/* a change that was made before, and is answered again, shows what it was about as TARGET */
	if (!err && !take_target(call, reply, NACRE_TRACE_VICTIM))
		take_target(call, reply, NACRE_TRACE_TARGET);
	if (err && err != -ENOENT)
		dentry_drop(request->inodes[0], call->name);
	else
		dentry_learn(request->inodes[0], request, reply, NACRE_TRACE_PARENT, call->name, 0,
			     0);
	if (!err)
		reap(client, call->attr.ino);
	call_end(call, err);
}

static void removal(struct client_call *call, uint16_t kind)
{
	struct nacre_record record = {
		.kind = kind, .parent = call->ino, NAME_OF(call->name),
	};
	struct inode *dir, *victim;
	struct dentry *dentry;

	if (!call_may_go(call))
		return;
	dir = inode_get(call->client, call->ino);
	dentry = dentry_find(dir, call->name);
	victim = dentry && dentry->ino ? inode_find(call->client, dentry->ino) : NULL;
	submit_record(call, &record, DIR_WANTED, removed, dir, victim, NULL);
}

void step_UNLINK(struct client_call *call)
{
	removal(call, NACRE_RECORD_UNLINK);
}

void step_RMDIR(struct client_call *call)
{
	removal(call, NACRE_RECORD_RMDIR);
}

/* ---- renaming ------------------------------------------------------------------------------- */

/* What the names are now: the source's inode at the destination, and the other way round in an exchange. */
static void rename_learn(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;
	struct inode *from = request->inodes[0];
	struct inode *to = call->ino == call->ino2 ? from : request->inodes[1];
	uint8_t to_role = from == to ? NACRE_TRACE_PARENT : NACRE_TRACE_PARENT2;
	struct nacre_inode_info info;

	if ((call->flags & NACRE_RENAME_EXCHANGE) || !nacre_trace_find(reply, NACRE_TRACE_TARGET,
								       &info)) {
		dentry_drop(from, call->name);
		dentry_drop(to, call->name2);
		return;
	}
	attr_from_info(&call->attr, &info);
	if (from == to && !strcmp(call->name, call->name2))
		return;
	dentry_learn(from, request, reply, NACRE_TRACE_PARENT, call->name, 0, 0);
	dentry_learn(to, request, reply, to_role, call->name2, info.ino, info.mode);
}

static void renamed(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;
	struct client *client = call->client;
	struct nacre_inode_info info;
	int err = reply_error(reply);

	if (err) {
		dentry_drop(request->inodes[0], call->name);
		if (request->inodes[1])
			dentry_drop(request->inodes[1], call->name2);
	} else {
		rename_learn(request, reply);
		if (nacre_trace_find(reply, NACRE_TRACE_VICTIM, &info))
			reap(client, info.ino);
	}
	call_end(call, err);
}

/* LOG-1: a rename over a file first writes out the source's dirty data. */
static bool source_is_clean(struct client_call *call, struct inode *dir)
{
	struct dentry *dentry = dentry_find(dir, call->name);
	struct inode *source = dentry && dentry->ino ? inode_find(call->client, dentry->ino) : NULL;

	if (!source)
		return true;
	caps_flush(source, false);
	if (!source->dirty_pages && !source->writing_pages)
		return true;
	pages_write_back(source);
	call_wait(&source->waiters, call);
	return false;
}

void step_RENAME(struct client_call *call)
{
	struct nacre_record record = {
		.kind = NACRE_RECORD_RENAME, .parent = call->ino, NAME_OF(call->name),
		.parent2 = call->ino2, .name2 = (const __u8 *)call->name2,
		.name2_bytes = (__u32)strlen(call->name2), .rename_flags = (uint16_t)call->flags,
	};
	struct inode *dir, *dir2;

	if (!call_may_go(call))
		return;
	dir = inode_get(call->client, call->ino);
	if (!source_is_clean(call, dir))
		return;
	dir2 = inode_get(call->client, call->ino2);
	submit_record(call, &record, DIR_WANTED, renamed, dir, dir2, NULL);
}
