/* SPDX-License-Identifier: GPL-2.0 */
/* LINK, UNLINK, RMDIR: names come and go. */
#include "core.h"
#include "ops.h"
#include "protocol/rules/size.h"

void mds_name_lost(struct mds_change *change, struct mds_inode *inode, uint64_t now)
{
	inode->ctime = nacre_time_later(inode->ctime, now);
	inode->nlink = mds_inode_is_dir(inode) ? 0 : inode->nlink - 1;
	if (!inode->nlink) {
		inode->own = true;	/* an orphan: stays as long as somebody holds it */
		mds_quota_orphan(change->mds, inode);
	}
	mds_change_home(change, inode);
}

/* An inode that gets its second name moves into an object of its own; its first entry then only names it. */
static void move_out(struct mds_change *change, struct mds_inode *inode)
{
	struct mds_dentry *home = inode->home;

	if (!home)
		return;
	mds_dentry_set_remote(home, inode->ino, inode->mode);
	inode->own = true;
	mds_change_entry(change, home);
}

/* A name in another tree would make a file count in two; one without a name comes to count with its first. */
static int judge_quota(struct mds *mds, struct mds_request *request, const struct mds_inode *dir,
		       struct mds_inode *inode)
{
	uint32_t inside = mds_quota_inside(mds, dir);
	int result;

	if (request->head->applied || (!inside && !inode->quota))
		return 0;
	if (inode->nlink)
		return mds_quota_now(mds, inode->quota) == inside ? 0 : EXDEV;
	result = mds_quota_req_known(mds, request, inode);
	return result ? result : mds_quota_room(mds, 0, inside, 1, (int64_t)inode->size);
}

int mds_op_link(struct mds *mds, struct mds_request *request)
{
	const struct nacre_record_req *record = &request->message->host.record;
	uint64_t now = mds_op_time(mds, request);
	struct mds_dentry *dentry;
	struct mds_inode *dir, *inode;
	struct mds_change change;
	int result;

	result = req_dir(mds, request, record->parent, &dir);
	if (!result)
		result = req_inode(mds, request, record->ino, &inode);
	if (!result && mds_inode_is_dir(inode))
		result = EPERM;
	if (!result)
		result = req_free_of(request, dir, NACRE_INODE_IMMUTABLE);
	if (!result)
		result = req_free_of(request, inode, NACRE_INODE_FIXED);
	if (!result)
		result = req_read(mds, request, dir, NACRE_GROUP_DIR);
	if (!result)
		result = req_entry(mds, request, dir, record->name, record->name_bytes, &dentry);
	if (!result && dentry && dentry->ino)
		result = EEXIST;
	if (!result)
		result = req_room(mds, request);
	if (!result)
		result = req_change(mds, request, dir, NACRE_GROUP_DIR | NACRE_GROUP_FILE);
	if (!result)
		result = req_change(mds, request, inode, NACRE_GROUP_LINK);
	if (result)
		return result;
	if (!inode->nlink && !(record->record_flags & NACRE_RECORD_NAMELESS))
		return ENOENT;
	if (inode->nlink >= NACRE_LINK_MAX)
		return EMLINK;
	result = judge_quota(mds, request, dir, inode);
	if (result)
		return result;
	if (!inode->nlink)
		inode->quota = mds_quota_inside(mds, dir);
	mds_change_begin_request(&change, request);
	change.ino = inode->ino;
	move_out(&change, inode);
	dentry = mds_dentry_get(dir->dir, record->name, record->name_bytes);
	mds_dentry_set_remote(dentry, inode->ino, inode->mode);
	mds_change_entry(&change, dentry);
	inode->nlink++;
	inode->ctime = nacre_time_later(inode->ctime, now);
	mds_change_home(&change, inode);
	mds_dir_changed(&change, dir, 1, 0, now);
	mds_request_commit(request, &change);
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, request->head->wanted },
			{ NACRE_TRACE_PARENT, dir, 0 },
		}, 2);
}

/* The name and what it names, as UNLINK and RMDIR need them. */
static int find_victim(struct mds *mds, struct mds_request *request, struct mds_inode **ret_dir,
		       struct mds_dentry **ret_dentry, struct mds_inode **ret_inode)
{
	const struct nacre_record_req *record = &request->message->host.record;
	int result = req_dir(mds, request, record->parent, ret_dir);

	if (!result)
		result = req_read(mds, request, *ret_dir, NACRE_GROUP_DIR);
	if (!result)
		result = req_entry(mds, request, *ret_dir, record->name, record->name_bytes,
				   ret_dentry);
	if (!result && (!*ret_dentry || !(*ret_dentry)->ino))
		result = ENOENT;
	if (!result && record->ino && record->ino != (*ret_dentry)->ino)
		result = ESTALE;
	if (!result)
		result = req_entry_inode(mds, request, *ret_dentry, ret_inode);
	if (!result)
		result = req_free_of(request, *ret_dir, NACRE_INODE_FIXED);
	if (!result)
		result = req_free_of(request, *ret_inode, NACRE_INODE_FIXED);
	return result;
}

static int remove_name(struct mds *mds, struct mds_request *request, struct mds_inode *dir,
		       struct mds_dentry *dentry, struct mds_inode *inode)
{
	uint64_t now = mds_op_time(mds, request);
	struct mds_change change;

	mds_change_begin_request(&change, request);
	change.ino = inode->ino;
	mds_dentry_clear(dentry);
	mds_change_entry(&change, dentry);
	mds_name_lost(&change, inode, now);
	mds_dir_changed(&change, dir, -1, mds_inode_is_dir(inode) ? -1 : 0, now);
	mds_request_commit(request, &change);
	mds_caps_tell_orphan(mds, inode, request->session);
	mds_caps_settle(mds, inode);
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_PARENT, dir, 0 },
			{ NACRE_TRACE_VICTIM, inode, 0 },
		}, 2);
}

int mds_op_unlink(struct mds *mds, struct mds_request *request)
{
	struct mds_dentry *dentry;
	struct mds_inode *dir, *inode;
	int result = find_victim(mds, request, &dir, &dentry, &inode);

	if (!result && mds_inode_is_dir(inode))
		result = EISDIR;
	if (!result)
		result = req_room(mds, request);
	if (!result)
		result = req_change(mds, request, dir, NACRE_GROUP_DIR | NACRE_GROUP_FILE);
	if (!result)
		result = req_change(mds, request, inode, NACRE_GROUP_LINK);
	return result ? result : remove_name(mds, request, dir, dentry, inode);
}

int mds_op_rmdir(struct mds *mds, struct mds_request *request)
{
	struct mds_dentry *dentry;
	struct mds_inode *dir, *inode;
	int result = find_victim(mds, request, &dir, &dentry, &inode);

	if (!result && !mds_inode_is_dir(inode))
		result = ENOTDIR;
	if (!result)
		result = req_empty(mds, request, inode);
	if (!result)
		result = req_room(mds, request);
	if (!result)
		result = req_change(mds, request, dir,
				    NACRE_GROUP_DIR | NACRE_GROUP_FILE | NACRE_GROUP_LINK);
	if (!result)
		result = req_change(mds, request, inode, NACRE_GROUP_LINK | NACRE_GROUP_DIR);
	return result ? result : remove_name(mds, request, dir, dentry, inode);
}
