// SPDX-License-Identifier: GPL-2.0
/*
 * Listing a directory, whole, in as many requests as it takes. A listing that
 * nothing disturbed, under DIR_SHARED from end to end, makes the directory's
 * copy complete: it then answers listings and negative lookups.
 */
#include <stdlib.h>
#include <string.h>
#include "protocol/rules/validate.h"
#include "state.h"

#define ENTRIES_PER_REQUEST 1024u
#define BYTES_PER_REQUEST (256u << 10)

static void list_add(struct client_call *call, uint64_t ino, uint32_t mode, const void *name,
		     size_t name_bytes)
{
	struct client_entry *entry;

	call->entries = realloc(call->entries, (call->entry_count + 1) * sizeof(*entry));
	entry = &call->entries[call->entry_count++];
	entry->ino = ino;
	entry->mode = mode;
	entry->name = client_alloc(name_bytes + 1);
	memcpy(entry->name, name, name_bytes);
}

static void list_from_copy(struct client_call *call, struct inode *dir)
{
	struct dentry *dentry, *next;

	HASH_ITER(hh, dir->dentries, dentry, next)
		if (dentry->ino)
			list_add(call, dentry->ino, dentry->mode, dentry->name,
				 strlen(dentry->name));
	call->local = true;
	call->client->counters.local_hits++;
	call_end(call, 0);
}

static void take_info(struct client *client, const struct nacre_dirent *dirent)
{
	struct nacre_inode_info info;

	if (dirent->info_bytes && !nacre_decode_all(nacre_inode_info_desc(), dirent->info,
						    dirent->info_bytes, &info))
		inode_learn(client, &info, TOLD);
}

static void take_entries(struct request *request, const struct nacre_reply *reply, bool keep)
{
	struct nacre_reader reader = nacre_reader(reply->extra, reply->extra_bytes);
	struct client_call *call = request->call;
	struct nacre_dirent dirent;
	struct client_entry *entry;

	while (nacre_dirent_next(&reader, &dirent)) {
		take_info(call->client, &dirent);
		list_add(call, dirent.ino, dirent.mode, dirent.name, dirent.name_bytes);
		entry = &call->entries[call->entry_count - 1];
		if (keep)
			dentry_set(request->inodes[0], entry->name, entry->ino, entry->mode, 0);
		call->mark = dirent.cookie;
	}
}

/* call->offset is the directory's count of cuts when the listing began, while it may become complete. */
#define NOT_COMPLETE UINT64_MAX

static void listed(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;
	struct inode *dir = request->inodes[0];
	size_t before = call->entry_count;
	bool keep = request_was_alone(request, dir) && caps_can(dir, NACRE_CAP_DIR_SHARED) &&
		    reply_is_newest(dir, reply, NACRE_TRACE_TARGET);

	if (reply->result) {
		call_end(call, reply_error(reply));
		return;
	}
	if (call->step == 1)
		call->offset = keep ? dir->dir_cuts : NOT_COMPLETE;
	if (!keep || call->offset != dir->dir_cuts)
		call->offset = NOT_COMPLETE;
	take_entries(request, reply, keep);
	request->call = NULL;
	call->request = NULL;
	if (!(reply->flags & NACRE_REPLY_END) && call->entry_count > before) {
		call_wake(call);
		return;
	}
	if (call->offset == dir->dir_cuts)
		dir->complete = true;
	call_end(call, 0);
}

void step_READDIR(struct client_call *call)
{
	struct nacre_readdir_req body = {
		.ino = call->ino, .after = call->mark, .max_entries = ENTRIES_PER_REQUEST,
		.max_bytes = BYTES_PER_REQUEST,
		.wanted = NACRE_CAP_PIN | NACRE_CAP_DIR_SHARED,
		.flags = call->flags & CLIENT_WITH_DATA ? NACRE_REQUEST_WANT_DATA : 0,
	};
	struct inode *dir;

	if (!call_may_go(call))
		return;
	dir = inode_get(call->client, call->ino);
	if (!call->step++ && dir->complete && !dir->changing &&
	    caps_can(dir, NACRE_CAP_DIR_SHARED)) {
		list_from_copy(call, dir);
		return;
	}
	call_submit(call, NACRE_MSG_READDIR, &body, listed, dir, NULL, NULL);
}

/* Nothing is kept of a part: whoever lists in parts has no use for a copy of the whole. */
static void part_listed(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;

	if (reply->result) {
		call_end(call, reply_error(reply));
		return;
	}
	take_entries(request, reply, false);
	call->offset = reply->flags & NACRE_REPLY_END ? 0 : call->mark;
	call_end(call, 0);
}

void step_LIST(struct client_call *call)
{
	struct nacre_readdir_req body = {
		.ino = call->ino, .after = call->offset, .max_entries = ENTRIES_PER_REQUEST,
		.max_bytes = BYTES_PER_REQUEST, .flags = NACRE_REQUEST_NO_CAPS,
	};

	if (call_may_go(call))
		call_submit(call, NACRE_MSG_READDIR, &body, part_listed,
			    inode_get(call->client, call->ino), NULL, NULL);
}

static void got_statfs(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;
	struct nacre_statfs statfs;

	if (!reply->result && !nacre_decode_all(nacre_statfs_desc(), reply->extra,
						reply->extra_bytes, &statfs)) {
		call->bytes = statfs.bytes_free;
		call->length = statfs.bytes_total;
	}
	call_end(call, reply_error(reply));
}

static void got_quota(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;

	if (!reply->result && nacre_decode_all(nacre_quota_desc(), reply->extra, reply->extra_bytes,
					       &call->quota))
		call_end(call, -EBADMSG);
	else
		call_end(call, reply_error(reply));
}

void step_QUOTA(struct client_call *call)
{
	struct nacre_quota_req body = { .ino = call->ino };

	if (call_may_go(call))
		call_submit(call, NACRE_MSG_QUOTA, &body, got_quota, NULL, NULL, NULL);
}

void step_STATFS(struct client_call *call)
{
	struct nacre_statfs_req body = { .tid = 0 };

	if (call_may_go(call))
		call_submit(call, NACRE_MSG_STATFS, &body, got_statfs, NULL, NULL, NULL);
}
