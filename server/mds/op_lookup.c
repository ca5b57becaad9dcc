/* SPDX-License-Identifier: GPL-2.0 */
/* LOOKUP, GETATTR, OPEN: showing inodes, and working for caps on them. */
#include "core.h"
#include "ops.h"

#define ATTRIBUTES (NACRE_GROUP_AUTH | NACRE_GROUP_LINK | NACRE_GROUP_XATTR | NACRE_GROUP_FILE)

/* What an entry's inode is shown with: its size is not worth the caps of whoever is writing it, if the client says so. */
static uint32_t looked_up(struct mds *mds, const struct mds_request *request, const struct mds_inode *inode)
{
	return mds_report_spares(mds, request, inode) ? ATTRIBUTES & ~NACRE_GROUP_FILE : ATTRIBUTES;
}

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
			result = req_read(mds, request, inode, looked_up(mds, request, inode));
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
	bool may_be_reported = request->head->flags & NACRE_REQUEST_REPORT;
	uint32_t groups = body->mask & ATTRIBUTES;
	struct mds_inode *inode;
	int result;

	result = req_inode(mds, request, body->ino, &inode);
	if (!result && (request->head->flags & NACRE_REQUEST_OF_PARENT)) {
		if (!inode->home)
			return ENOENT;
		inode = inode->home->dir->inode;	/* in memory as long as its entry is */
	}
	if (!result)
		result = req_read(mds, request, inode, may_be_reported ? groups & ~NACRE_GROUP_FILE : groups);
	if (!result && may_be_reported && (groups & NACRE_GROUP_FILE))
		result = req_report(mds, request, inode);
	if (result)
		return result;
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, request->head->wanted },
		}, 1);
}

/* Bits that a lock gives to one client only, and that which it does not give beside a writer. */
#define ONE_ONLY (NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_BUFFER)
#define NO_WRITER NACRE_CAP_FILE_CACHE

/*
 * Bits that the client must have though others write, too: FILE_EXCL to append, BUFFER and CACHE for a page that is mapped. The
 * lock is lent to it, and stays when the reply is made, behind what the client does under the references that the reply
 * gave it, until another request needs it elsewhere: two that map one file shared pass it to and fro, and are
 * not sent back by each other's wishes to where neither could go on.
 */
static int open_lent(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
		     uint32_t wanted)
{
	uint32_t need = request->message->host.open.need & mds_caps_sensible(inode);
	int result = req_file(mds, request, inode, need & ONE_ONLY);

	if (result)
		return result;
	/* claims do not bar him to whom it is lent; they stay until he has it, or two that wait for one thing would wake each other for ever */
	inode->lent = MDS_LENDING;
	if (mds_caps_ready(mds, request->session, inode, wanted, need)) {
		mds_request_unclaim(mds, request);
		result = mds_reply(mds, request, (struct mds_trace[]){
				{ NACRE_TRACE_TARGET, inode, wanted },
			}, 1);
		inode->lent = MDS_LENT;
	} else {
		mds_request_claim(request, inode, NACRE_GROUP_FILE);
		result = mds_request_park(mds, request, &inode->waiters, MDS_WAIT_LOCK,
					  inode->ino);
		inode->lent = MDS_NOT_LENT;
	}
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
	if ((body->need & (ONE_ONLY | NO_WRITER)) && S_ISREG(inode->mode))
		return open_lent(mds, request, inode, wanted);
	mds_caps_ask(mds, request, inode, wanted);
	/* what a lock gives to several at once can be waited for; copies and buffers come if they can */
	if (!mds_caps_ready(mds, request->session, inode, wanted,
			    body->need & (NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE)))
		return mds_request_park(mds, request, &inode->waiters, MDS_WAIT_LOCK, inode->ino);
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, wanted },
		}, 1);
}
