/* SPDX-License-Identifier: GPL-2.0 */
/* SETXATTR, RMXATTR. An inode's xattrs are one nacre_xattr sequence, rebuilt at every change. */
#include "core.h"
#include "ops.h"
#include "protocol/rules/quota.h"
#include "protocol/rules/size.h"
#include "protocol/rules/validate.h"

/* Copy the sequence without `name` into `w`; true if it was there. 0 or -EMSGSIZE in *result. */
static bool copy_others(const struct mds_inode *inode, const struct nacre_record_req *record,
			struct nacre_writer *w, int *result)
{
	struct nacre_reader r = nacre_reader(inode->xattrs.bytes, inode->xattrs.length);
	struct nacre_xattr xattr;
	bool found = false;

	*result = 0;
	while (nacre_xattr_next(&r, &xattr)) {
		if (xattr.name_bytes == record->name_bytes &&
		    !memcmp(xattr.name, record->name, record->name_bytes))
			found = true;
		else if (nacre_encode(nacre_xattr_desc(), w, &xattr))
			*result = -EMSGSIZE;
	}
	return found;
}

static int commit_xattrs(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
			 const struct nacre_writer *w)
{
	struct mds_change change;

	mds_blob_set(&inode->xattrs, w->start, (uint32_t)nacre_writer_bytes(w));
	inode->xattr_version++;
	inode->ctime = nacre_time_later(inode->ctime, mds_op_time(mds, request));
	mds_change_begin_request(&change, request);
	change.ino = inode->ino;
	mds_change_inode(&change, inode);
	mds_request_commit(request, &change);
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, request->head->wanted },
		}, 1);
}

static int find(struct mds *mds, struct mds_request *request, struct mds_inode **ret_inode)
{
	int result = req_inode(mds, request, request->message->host.record.ino, ret_inode);

	if (!result)
		result = req_free_of(request, *ret_inode, NACRE_INODE_FIXED);
	if (!result)
		result = req_room(mds, request);
	if (!result)
		result = req_change(mds, request, *ret_inode, NACRE_GROUP_XATTR);
	return result;
}

int mds_op_setxattr(struct mds *mds, struct mds_request *request)
{
	const struct nacre_record_req *record = &request->message->host.record;
	struct nacre_writer w = nacre_writer(mds->scratch, NACRE_XATTRS_MAX);
	struct nacre_xattr xattr = {
		.name = record->name, .name_bytes = record->name_bytes,
		.value = record->value, .value_bytes = record->value_bytes,
	};
	struct mds_inode *inode;
	int room, result;
	bool found;

	if (nacre_xattr_is_own(record->name, record->name_bytes))
		return mds_op_quota_set(mds, request);
	result = find(mds, request, &inode);
	if (result)
		return result;
	found = copy_others(inode, record, &w, &room);
	if (found && (record->xattr_flags & NACRE_XATTR_CREATE))
		return EEXIST;
	if (!found && (record->xattr_flags & NACRE_XATTR_REPLACE))
		return ENODATA;
	if (room || nacre_encode(nacre_xattr_desc(), &w, &xattr))
		return ENOSPC;
	return commit_xattrs(mds, request, inode, &w);
}

int mds_op_rmxattr(struct mds *mds, struct mds_request *request)
{
	const struct nacre_record_req *record = &request->message->host.record;
	struct nacre_writer w = nacre_writer(mds->scratch, NACRE_XATTRS_MAX);
	struct mds_inode *inode;
	int room, result;

	if (nacre_xattr_is_own(record->name, record->name_bytes))
		return mds_op_quota_set(mds, request);
	result = find(mds, request, &inode);
	if (result)
		return result;
	if (!copy_others(inode, record, &w, &room))
		return ENODATA;
	return commit_xattrs(mds, request, inode, &w);
}
