/* SPDX-License-Identifier: GPL-2.0 */
/* LOOKUP, GETATTR, OPEN: showing inodes, and working for caps on them. */
#include "core.h"
#include "ops.h"

#define ATTRIBUTES (NACRE_GROUP_AUTH | NACRE_GROUP_LINK | NACRE_GROUP_XATTR | NACRE_GROUP_FILE)

int mds_op_lookup(struct mds *mds, struct mds_request *request)
{
	const struct nacre_lookup_req *body = &request->message->host.lookup;
	struct mds_inode *dir, *inode = NULL;
	struct mds_dentry *dentry;
	int result;

	result = req_dir(mds, request, body->parent, &dir);
	if (!result)
		result = req_read(mds, request, dir, NACRE_GROUP_DIR);
	if (!result)
		result = req_entry(mds, request, dir, body->name, body->name_bytes, &dentry);
	if (!result && dentry && dentry->ino) {
		result = req_entry_inode(mds, request, dentry, &inode);
		if (!result)
			result = req_read(mds, request, inode, ATTRIBUTES);
	}
	if (result)
		return result;
	if (!inode)
		request->result = ENOENT;
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, request->head->wanted },
			{ NACRE_TRACE_PARENT, dir, 0 },
		}, 2);
}

int mds_op_getattr(struct mds *mds, struct mds_request *request)
{
	const struct nacre_getattr_req *body = &request->message->host.getattr;
	struct mds_inode *inode;
	int result;

	result = req_inode(mds, request, body->ino, &inode);
	if (!result)
		result = req_read(mds, request, inode, body->mask & ATTRIBUTES);
	if (result)
		return result;
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, request->head->wanted },
		}, 1);
}

/*
 * FILE_EXCL that the client must have, for an append to a file that others write, too. The lock is lent to it
 * until the reply is made; then it goes where the demand wants it, behind what the client does under
 * the references that the reply gave it.
 */
static int open_exclusively(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
			    uint32_t wanted)
{
	const struct nacre_open_req *body = &request->message->host.open;
	int result = req_exclusive(mds, request, inode);

	if (result)
		return result;
	mds_request_unclaim(mds, request);
	inode->lent = true;
	if (mds_caps_ready(mds, request->session, inode, wanted,
			   body->need & mds_caps_sensible(inode))) {
		result = mds_reply(mds, request, (struct mds_trace[]){
				{ NACRE_TRACE_TARGET, inode, wanted },
			}, 1);
	} else {
		mds_request_claim(request, inode, NACRE_GROUP_FILE);
		result = mds_request_park(mds, request, &inode->waiters, MDS_WAIT_LOCK,
					  inode->ino);
	}
	inode->lent = false;
	mds_caps_settle(mds, inode);
	return result;
}

int mds_op_open(struct mds *mds, struct mds_request *request)
{
	const struct nacre_open_req *body = &request->message->host.open;
	uint32_t wanted = request->head->wanted;
	struct mds_inode *inode;
	int result;

	result = req_inode(mds, request, body->ino, &inode);
	if (result)
		return result;
	if (body->open_flags & NACRE_OPEN_READ)
		wanted |= NACRE_WANT_READ;
	if (body->open_flags & NACRE_OPEN_WRITE)
		wanted |= NACRE_WANT_WRITE;
	if ((body->need & NACRE_CAP_FILE_EXCL) && S_ISREG(inode->mode))
		return open_exclusively(mds, request, inode, wanted);
	mds_caps_ask(mds, request, inode, wanted);
	/* what a lock gives to several at once can be waited for; copies and buffers come if they can */
	if (!mds_caps_ready(mds, request->session, inode, wanted,
			    body->need & (NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE)))
		return mds_request_park(mds, request, &inode->waiters, MDS_WAIT_LOCK, inode->ino);
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, wanted },
		}, 1);
}
