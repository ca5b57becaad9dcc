// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes and extended attributes. What an exclusive holder changes stays
 * here, dirty, until it is flushed; everything else, and every truncation
 * (SIZE-3), is a record at the rank.
 */
#include <stdlib.h>
#include <string.h>
#include "protocol/rules/names.h"
#include "protocol/rules/quota.h"
#include "protocol/rules/record.h"
#include "protocol/rules/validate.h"
#include "state.h"

#define ATTR_GROUPS (NACRE_GROUP_AUTH | NACRE_GROUP_LINK | NACRE_GROUP_FILE)
#define SET_AUTH (NACRE_SET_MODE | NACRE_SET_UID | NACRE_SET_GID)
#define SET_TIMES (NACRE_SET_ATIME | NACRE_SET_MTIME)

/* The reply has been learnt; the call looks at the inode again. */
static void got_attr(struct request *request, const struct nacre_reply *reply)
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

static void getattr(struct client_call *call, struct inode *inode, uint32_t groups, uint32_t flags,
		    request_replied replied)
{
	struct nacre_getattr_req body = {
		.ino = inode->ino, .mask = groups, .wanted = inode->cap.wanted,
		.flags = flags | (groups & NACRE_GROUP_XATTR ? NACRE_REQUEST_WANT_XATTRS : 0),
	};

	call_submit(call, NACRE_MSG_GETATTR, &body, replied, inode, NULL, NULL);
}

void call_getattr(struct client_call *call, struct inode *inode, uint32_t groups)
{
	getattr(call, inode, groups, 0, got_attr);
}

/* What the file's writer has reported is the answer of this call, and is kept nowhere. What was written here since may not be mixed in. */
static void end_by_report(struct client_call *call, const struct inode *inode,
			  const struct nacre_inode_info *info)
{
	inode_attr(inode, &call->attr);
	call->attr.size = info->size;
	call->attr.atime = info->atime;
	call->attr.mtime = info->mtime;
	call->attr.ctime = nacre_time_later(inode->ctime, info->ctime);
	call->client->counters.sizes_reported++;
	call_end(call, 0);
}

static void got_stat(struct request *request, const struct nacre_reply *reply)
{
	struct nacre_inode_info info;

	if (!reply->result && nacre_trace_find(reply, NACRE_TRACE_TARGET, &info) &&
	    (info.info_flags & NACRE_INFO_REPORTED))
		end_by_report(request->call, request->inodes[0], &info);
	else
		got_attr(request, reply);
}

void step_GETATTR(struct client_call *call)
{
	struct inode *inode;

	if (!call->step && !call_may_go(call))
		return;
	inode = inode_get(call->client, call->ino);
	if (!call->step++ && !inode_is_current(inode, ATTR_GROUPS)) {
		getattr(call, inode, ATTR_GROUPS, NACRE_REQUEST_REPORT, got_stat);
		return;
	}
	call->local = call->step == 1;
	call->client->counters.local_hits += call->local;
	inode_attr(inode, &call->attr);
	call_end(call, 0);
}

/* ---- setting -------------------------------------------------------------------------- */

/* Bits under which all of set_mask may be changed here; 0: the rank must do it. */
static uint32_t local_caps(uint32_t set_mask)
{
	uint32_t caps = 0;

	if (set_mask & ~(SET_AUTH | SET_TIMES))
		return 0;
	if (set_mask & SET_AUTH)
		caps |= NACRE_CAP_AUTH_EXCL;
	if (set_mask & SET_TIMES)
		caps |= NACRE_CAP_FILE_EXCL;
	return caps;
}

static void set_locally(struct client_call *call, struct inode *inode)
{
	uint32_t mask = call->set_mask, groups = 0;

	if (mask & NACRE_SET_MODE)
		inode->mode = (inode->mode & ~07777u) | (call->mode & 07777);
	if (mask & NACRE_SET_UID)
		inode->uid = call->uid;
	if (mask & NACRE_SET_GID)
		inode->gid = call->gid;
	if (mask & NACRE_SET_ATIME)
		inode->atime = call->atime;
	if (mask & NACRE_SET_MTIME)
		inode->mtime = call->mtime;
	inode->ctime = io_wall(call->client->io);
	groups |= mask & SET_AUTH ? NACRE_GROUP_AUTH : 0;
	groups |= mask & SET_TIMES ? NACRE_GROUP_FILE : 0;
	caps_dirty(inode, groups);
	call->local = true;
	call->client->counters.local_hits++;
	inode_attr(inode, &call->attr);
	call_end(call, 0);
}

static void attr_set(struct request *request, const struct nacre_reply *reply)
{
	struct client_call *call = request->call;

	inode_attr(request->inodes[0], &call->attr);
	call_end(call, reply_error(reply));
}

void step_SETATTR(struct client_call *call)
{
	struct nacre_record record = {
		.kind = NACRE_RECORD_SETATTR, .ino = call->ino, .set_mask = call->set_mask,
		.mode = call->mode & 07777, .uid = call->uid, .gid = call->gid,
		.size = call->length, .atime = call->atime, .mtime = call->mtime,
		.rdev = call->set_mask & NACRE_SET_FLAGS ? call->flags : 0,
	};
	struct nacre_record_req body = { .wanted = 0 };
	uint32_t caps = local_caps(call->set_mask);
	struct inode *inode;

	if (!call_may_go(call))
		return;
	inode = inode_get(call->client, call->ino);
	if (caps_can(inode, caps) && !inode->changing) {
		set_locally(call, inode);
		return;
	}
	record.mode = call->set_mask & NACRE_SET_MODE ? record.mode : 0;
	record.ctime = io_wall(call->client->io);
	nacre_record_to_req(&body, &record);
	body.wanted = inode->cap.wanted;
	call_submit(call, NACRE_MSG_SETATTR, &body, attr_set, inode, NULL, NULL);
}

/* ---- extended attributes ----------------------------------------------------------------- */

static bool same_name(const struct nacre_xattr *xattr, const char *name)
{
	return xattr->name_bytes == strlen(name) && !memcmp(xattr->name, name, xattr->name_bytes);
}

static bool xattr_find(const struct inode *inode, const char *name, struct nacre_xattr *xattr)
{
	struct nacre_reader reader = nacre_reader(inode->xattrs, inode->xattrs_bytes);

	while (nacre_xattr_next(&reader, xattr))
		if (same_name(xattr, name))
			return true;
	return false;
}

/* The set without `name`, and with the new value if there is one. */
static void xattrs_replace(struct inode *inode, const char *name, const char *value,
			   size_t value_bytes)
{
	struct nacre_xattr fresh = {
		.name = (const __u8 *)name, .name_bytes = (__u32)strlen(name),
		.value = (const __u8 *)value, .value_bytes = (__u32)value_bytes,
	};
	size_t room = inode->xattrs_bytes + nacre_encoded_bytes(nacre_xattr_desc(), &fresh);
	uint8_t *bytes = client_alloc(room);
	struct nacre_writer writer = nacre_writer(bytes, room);
	struct nacre_reader reader = nacre_reader(inode->xattrs, inode->xattrs_bytes);
	struct nacre_xattr xattr;

	while (nacre_xattr_next(&reader, &xattr))
		if (!same_name(&xattr, name))
			nacre_encode(nacre_xattr_desc(), &writer, &xattr);
	if (value)
		nacre_encode(nacre_xattr_desc(), &writer, &fresh);
	free(inode->xattrs);
	inode->xattrs = bytes;
	inode->xattrs_bytes = (uint32_t)nacre_writer_bytes(&writer);
}

static void change_xattr(struct client_call *call, uint16_t kind)
{
	struct nacre_record record = {
		.kind = kind, .ino = call->ino, .name = (const __u8 *)call->name,
		.name_bytes = (__u32)strlen(call->name),
		.value = (const __u8 *)call->value, .value_bytes = (__u32)call->value_bytes,
		.xattr_flags = (uint16_t)call->flags, .ctime = io_wall(call->client->io),
	};
	struct nacre_record_req body;
	struct inode *inode = inode_get(call->client, call->ino);

	nacre_record_to_req(&body, &record);
	body.wanted = inode->cap.wanted;
	body.flags = NACRE_REQUEST_WANT_XATTRS;
	call_submit(call, nacre_record_message(kind), &body, reply_ends_call, inode, NULL, NULL);
}

static void change_xattr_locally(struct client_call *call, struct inode *inode, bool removes)
{
	struct nacre_xattr old;
	bool exists = xattr_find(inode, call->name, &old);

	call->local = true;
	call->client->counters.local_hits++;
	if ((removes || (call->flags & NACRE_XATTR_REPLACE)) && !exists) {
		call_end(call, -ENODATA);
		return;
	}
	if (!removes && (call->flags & NACRE_XATTR_CREATE) && exists) {
		call_end(call, -EEXIST);
		return;
	}
	xattrs_replace(inode, call->name, removes ? NULL : call->value, call->value_bytes);
	inode->ctime = io_wall(call->client->io);
	caps_dirty(inode, NACRE_GROUP_XATTR);
	call_end(call, 0);
}

static void step_change_xattr(struct client_call *call, uint16_t kind)
{
	struct inode *inode;

	if (!call_may_go(call))
		return;
	inode = inode_get(call->client, call->ino);
	if (caps_can(inode, NACRE_CAP_XATTR_EXCL) && inode->xattrs_known && !inode->changing &&
	    !nacre_xattr_is_own((const __u8 *)call->name, (__u32)strlen(call->name)))
		change_xattr_locally(call, inode, kind == NACRE_RECORD_RMXATTR);
	else
		change_xattr(call, kind);
}

void step_SETXATTR(struct client_call *call)
{
	step_change_xattr(call, NACRE_RECORD_SETXATTR);
}

void step_RMXATTR(struct client_call *call)
{
	step_change_xattr(call, NACRE_RECORD_RMXATTR);
}

void step_GETXATTR(struct client_call *call)
{
	struct nacre_xattr xattr;
	struct inode *inode;

	if (!call->step && !call_may_go(call))
		return;
	inode = inode_get(call->client, call->ino);
	if (!call->step++ &&
	    (!inode->xattrs_known || !inode_is_current(inode, NACRE_GROUP_XATTR))) {
		call_getattr(call, inode, NACRE_GROUP_XATTR);
		return;
	}
	call->local = call->step == 1;
	call->client->counters.local_hits += call->local;
	if (!inode->xattrs_known) {
		call_end(call, -EIO);
	} else if (!xattr_find(inode, call->name, &xattr)) {
		call_end(call, -ENODATA);
	} else if (xattr.value_bytes > call->length) {
		call_end(call, -ERANGE);
	} else {
		memcpy(call->data, xattr.value, xattr.value_bytes);
		call->bytes = xattr.value_bytes;
		call_end(call, 0);
	}
}

void step_READLINK(struct client_call *call)
{
	struct inode *inode;
	size_t length;

	if (!call->step && !call_may_go(call))
		return;
	inode = inode_get(call->client, call->ino);
	if (!call->step++ && !inode->symlink) {
		call_getattr(call, inode, NACRE_GROUP_AUTH);
		return;
	}
	if (!inode->symlink) {
		call_end(call, -EINVAL);
		return;
	}
	length = strlen(inode->symlink);
	call->bytes = length < call->length ? length : call->length;
	memcpy(call->data, inode->symlink, call->bytes);
	call_end(call, 0);
}
