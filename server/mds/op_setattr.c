/* SPDX-License-Identifier: GPL-2.0 */
/* SETATTR, and the change of a file's size that CREATE with TRUNC shares with it (SIZE-3). */
#include "core.h"
#include "ops.h"
#include "protocol/rules/inline.h"
#include "protocol/rules/size.h"

#define FILE_LOCK 3			/* place of NACRE_GROUP_FILE */
#define OWNERSHIP (NACRE_SET_MODE | NACRE_SET_UID | NACRE_SET_GID | NACRE_SET_KILL_PRIV)
/* A change of flags concerns all that may be done to the inode: nobody does it on grounds of what it was. */
#define FLAGS_GROUPS (NACRE_GROUP_AUTH | NACRE_GROUP_LINK | NACRE_GROUP_XATTR | NACRE_GROUP_FILE)
#define TIMES (NACRE_SET_ATIME | NACRE_SET_MTIME | NACRE_SET_BTIME)

/* ---- size ---------------------------------------------------------------------------------------------- */

/* Nobody has the file's data or size, not even the client that asks: what it wrote is flushed. */
static int req_alone(struct mds *mds, struct mds_request *request, struct mds_inode *inode)
{
	struct nacre_lock *lock = &inode->locks[FILE_LOCK];

	if (!inode->probe && !inode->trim_end && !nacre_lock_can_change(lock, 0) &&
	    !mds_claimed(inode, NACRE_GROUP_FILE, request))
		mds_lock_step(mds, inode, FILE_LOCK, NACRE_LOCKE_NEED_LOCK, 0);
	mds_request_claim(request, inode, NACRE_GROUP_FILE);
	if (!inode->probe && !inode->trim_end && nacre_lock_can_change(lock, 0))
		return 0;
	return mds_request_park(mds, request, &inode->waiters, MDS_WAIT_LOCK, inode->ino);
}

/* Does anything lie behind the new end that is to go? A file that grows grows into the room that was kept for it. */
static bool is_cut(const struct mds_inode *inode, uint64_t size)
{
	return size < inode->size || (size == inode->size && size < inode->data_end);
}

static void set_size(struct mds *mds, struct mds_inode *inode, uint64_t size, uint64_t now)
{
	struct nacre_size known = { inode->size, inode->truncate_size, inode->truncate_seq };
	bool cut = is_cut(inode, size);

	if (cut) {
		nacre_size_truncate(&known, size);
		inode->truncate_size = known.truncate_size;
		inode->truncate_seq = known.truncate_seq;
	}
	inode->size = size;
	inode->allocated = nacre_size_allocated(inode->allocated, 0, size);
	mds_inline_step(mds, inode, NACRE_INLINERE_CUT);
	if (cut && inode->data_end > size) {
		inode->trim_end = inode->data_end;
		inode->data_end = size;
	}
	/*
	 * Nobody writes at this moment. Who writes again needs a range that is journaled behind the end of the cut
	 * (SIZE-1): so a cut that is repeated after a crash finds nothing new.
	 */
	if (inode->trim_end)
		inode->writer_count = 0;
	inode->mtime = now;
	inode->ctime = nacre_time_later(inode->ctime, now);
}

int mds_set_size(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
		 uint64_t size, void (*more)(struct mds *mds, struct mds_request *request,
					     struct mds_inode *inode))
{
	struct mds_change change;
	int result;

	if (request->changed && !inode->trim_end)
		return 0;
	if (request->changed)
		return mds_request_park(mds, request, &inode->waiters, MDS_WAIT_TRIM, inode->ino);
	if (!S_ISREG(inode->mode))
		return mds_inode_is_dir(inode) ? EISDIR : EINVAL;
	if (size > NACRE_FILE_MAX)
		return EFBIG;
	result = req_room(mds, request);
	if (!result)
		result = is_cut(inode, size) || inode->writer_count ? req_alone(mds, request, inode) :
					       req_change(mds, request, inode, NACRE_GROUP_FILE);
	if (!result)
		result = mds_quota_req_size(mds, request, inode, size);
	if (result)
		return result;
	set_size(mds, inode, size, mds_op_time(mds, request));
	if (more)
		more(mds, request, inode);
	mds_change_begin_request(&change, request);
	change.ino = inode->ino;
	mds_change_inode(&change, inode);
	mds_request_commit(request, &change);
	if (!inode->trim_end)
		return 0;
	mds_truncate_run(mds, inode);
	return mds_request_park(mds, request, &inode->waiters, MDS_WAIT_TRIM, inode->ino);
}

/* ---- the rest ---------------------------------------------------------------------------------------------- */

static void set_attributes(struct mds *mds, struct mds_request *request, struct mds_inode *inode)
{
	const struct nacre_record_req *record = &request->message->host.record;
	uint32_t mask = record->set_mask;

	if (mask & NACRE_SET_MODE)
		inode->mode = (inode->mode & S_IFMT) | (record->mode & ~(uint32_t)S_IFMT);
	if (mask & NACRE_SET_UID)
		inode->uid = record->uid;
	if (mask & NACRE_SET_GID)
		inode->gid = record->gid;
	if (mask & NACRE_SET_FLAGS)
		inode->flags = record->rdev;
	if (mask & NACRE_SET_KILL_PRIV)
		inode->mode &= ~(uint32_t)(S_ISUID | (inode->mode & S_IXGRP ? S_ISGID : 0));
	if (mask & NACRE_SET_ATIME)
		inode->atime = record->atime;
	if (mask & NACRE_SET_MTIME)
		inode->mtime = record->mtime;
	if (mask & NACRE_SET_BTIME)
		inode->btime = record->btime;
	inode->ctime = nacre_time_later(inode->ctime, mds_op_time(mds, request));
}

static int change_attributes(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
			     uint32_t groups)
{
	struct mds_change change;
	int result = req_room(mds, request);

	if (!result)
		result = req_change(mds, request, inode, groups);
	if (result)
		return result;
	set_attributes(mds, request, inode);
	mds_change_begin_request(&change, request);
	change.ino = inode->ino;
	mds_change_inode(&change, inode);
	mds_request_commit(request, &change);
	return 0;
}

/* setuid and setgid, and nothing else, as any write takes them away */
static bool only_drops_privileges(const struct mds_inode *inode, const struct nacre_record_req *record)
{
	uint32_t changed = (record->mode ^ inode->mode) & ~(uint32_t)S_IFMT;

	return !(record->set_mask & (NACRE_SET_UID | NACRE_SET_GID | NACRE_SET_SIZE)) &&
	       !(changed & ~(uint32_t)(S_ISUID | S_ISGID)) && !(record->mode & changed);
}

/* Flags that would forbid it. They themselves can be changed whatever they are: who may is the client's to say. */
static uint32_t forbidding(const struct mds_inode *inode, const struct nacre_record_req *record)
{
	if (record->set_mask & (NACRE_SET_MODE | NACRE_SET_UID | NACRE_SET_GID | NACRE_SET_SIZE) &&
	    !only_drops_privileges(inode, record))
		return NACRE_INODE_FIXED;
	return record->set_mask & (NACRE_SET_MODE | TIMES) ? NACRE_INODE_IMMUTABLE : 0;
}

int mds_op_setattr(struct mds *mds, struct mds_request *request)
{
	const struct nacre_record_req *record = &request->message->host.record;
	uint32_t groups = (record->set_mask & OWNERSHIP ? NACRE_GROUP_AUTH : 0) |
			  (record->set_mask & TIMES ? NACRE_GROUP_FILE : 0) |
			  (record->set_mask & NACRE_SET_FLAGS ? FLAGS_GROUPS : 0);
	struct mds_inode *inode;
	int result = req_inode(mds, request, record->ino, &inode);

	if (!result)
		result = req_free_of(request, inode, forbidding(inode, record));
	if (!result && !request->changed && (groups & NACRE_GROUP_AUTH))
		result = req_change(mds, request, inode, NACRE_GROUP_AUTH);
	if (!result && (record->set_mask & NACRE_SET_SIZE))
		result = mds_set_size(mds, request, inode, record->size, set_attributes);
	else if (!result)
		result = change_attributes(mds, request, inode,
					   groups ? groups : NACRE_GROUP_AUTH);
	if (result)
		return result;
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, request->head->wanted },
		}, 1);
}
