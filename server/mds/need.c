/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What handlers ask for before they work: inodes and entries in memory, locks, other sessions'
 * changes journaled. Each function parks the request or says that it is there. See request.h.
 */
#include "core.h"
#include "server/base/mutate.h"

/* A load that this request waited for has failed: its result, once. */
static uint32_t take_load_result(struct mds_request *request)
{
	uint32_t result = request->load_result;

	request->load_result = 0;
	return result;
}

int req_safe(struct mds *mds, struct mds_request *request, uint64_t seq, enum mds_wait wait)
{
	struct mds_waitlist *list = mds_journal_waiters(mds, seq);

	if (!list)
		return 0;
	mds_journal_flush(mds);
	return mds_request_park(mds, request, list, wait, 0);
}

int req_share(struct mds *mds, struct mds_request *request, struct mds_inode *inode)
{
	/* SHARE-1 */
	if (inode->unsafe_instance == request->session->instance ||
	    mds_journal_is_safe(&mds->journal, inode->unsafe_seq) ||
	    mutate(MUTATE_MDS_SHOW_UNSAFE))
		return 0;
	mds->counters.shared_flushes++;
	return req_safe(mds, request, inode->unsafe_seq, MDS_WAIT_SAFE);
}

int req_inode(struct mds *mds, struct mds_request *request, uint64_t ino,
	      struct mds_inode **ret_inode)
{
	struct mds_inode *inode = mds_inode_find(mds, ino);
	uint32_t result;

	if (!inode) {
		result = take_load_result(request);
		if (result)
			return (int)result;
		return mds_request_park(mds, request, mds_load_inode(mds, ino), MDS_WAIT_LOAD,
					ino);
	}
	mds_request_pin(request, inode);
	*ret_inode = inode;
	return req_share(mds, request, inode);
}

int req_dir(struct mds *mds, struct mds_request *request, uint64_t ino, struct mds_inode **ret_dir)
{
	int result = req_inode(mds, request, ino, ret_dir);

	if (result)
		return result;
	if (!mds_inode_is_dir(*ret_dir))
		return ENOTDIR;
	return (*ret_dir)->nlink ? 0 : ENOENT;
}

int req_entry(struct mds *mds, struct mds_request *request, struct mds_inode *dir,
	      const uint8_t *name, uint32_t name_bytes, struct mds_dentry **ret_dentry)
{
	uint32_t result;

	*ret_dentry = mds_dentry_find(dir->dir, name, name_bytes);
	if (*ret_dentry || dir->dir->complete)
		return 0;
	result = take_load_result(request);
	if (result)
		return (int)result;
	mds_request_hold_name(request, dir, name, name_bytes);
	return mds_request_park(mds, request, mds_load_entry(mds, dir, name, name_bytes),
				MDS_WAIT_LOAD, dir->ino);
}

int req_entry_inode(struct mds *mds, struct mds_request *request, struct mds_dentry *dentry,
		    struct mds_inode **ret_inode)
{
	if (dentry->inode) {
		*ret_inode = dentry->inode;
		mds_inode_used(mds, *ret_inode);
		mds_request_pin(request, *ret_inode);
		return req_share(mds, request, *ret_inode);
	}
	return req_inode(mds, request, dentry->ino, ret_inode);
}

int req_empty(struct mds *mds, struct mds_request *request, struct mds_inode *dir)
{
	return dir->size ? ENOTEMPTY : 0;
}

int req_read(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
	     uint32_t groups)
{
	if (mds_lock_read(mds, inode, groups, request))
		return 0;
	mds_request_claim(request, inode, groups);
	return mds_request_park(mds, request, &inode->waiters, MDS_WAIT_LOCK, inode->ino);
}

int req_change(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
	       uint32_t groups)
{
	bool mine = mds_lock_change(mds, inode, groups, request);

	mds_request_claim(request, inode, groups);
	if (mine)
		return 0;
	return mds_request_park(mds, request, &inode->waiters, MDS_WAIT_LOCK, inode->ino);
}

int req_free_of(const struct mds_request *request, const struct mds_inode *inode, uint32_t flags)
{
	return (inode->flags & flags) && !request->changed && !request->head->applied ? EPERM : 0;
}

/* The FILE lock is in one of these states, EXCL for this client; `event` brings it there. */
static int req_file_in(struct mds *mds, struct mds_request *request, struct mds_inode *inode, bool sync, bool exclusive,
		       uint8_t event)
{
	int file = nacre_group_index(NACRE_GROUP_FILE);
	const struct nacre_lock *lock = &inode->locks[file];
	uint64_t client = request->session->instance;
	int looks;

	for (looks = 0; looks < 2 && !inode->probe && !inode->trim_end; looks++) {
		if ((sync && lock->state == NACRE_LOCK_SYNC) ||
		    (exclusive && lock->state == NACRE_LOCK_EXCL && lock->loner == client))
			return 0;
		if (!looks && !mds_claimed(inode, NACRE_GROUP_FILE, request))
			mds_lock_step(mds, inode, file, event, client);
	}
	mds_request_claim(request, inode, NACRE_GROUP_FILE);
	return mds_request_park(mds, request, &inode->waiters, MDS_WAIT_LOCK, inode->ino);
}

int req_file(struct mds *mds, struct mds_request *request, struct mds_inode *inode, bool exclusive)
{
	/* EXCL of the client has in it what SYNC would give it */
	return req_file_in(mds, request, inode, !exclusive, true,
			   exclusive ? NACRE_LOCKE_NEED_EXCL : NACRE_LOCKE_NEED_SYNC);
}

int req_no_writer(struct mds *mds, struct mds_request *request, struct mds_inode *inode)
{
	return req_file_in(mds, request, inode, true, false, NACRE_LOCKE_NEED_SYNC);
}

int req_room(struct mds *mds, struct mds_request *request)
{
	/* for the sake of memory once: so much slower is who makes it grow, whatever keeps it from shrinking */
	bool crowded = !request->was_crowded && mds_inodes_are_too_many(mds);

	/* before the rank is active only what was sent again is carried out, and the journal is not trimmed before that has come to its end */
	if (mds->reconnect || (!mds_journal_is_full(mds) && !crowded))
		return 0;
	mds_journal_flush(mds);
	mds_checkpoint_kick(mds);
	if (mds_journal_is_full(mds)) {
		mds->counters.waits_for_room++;
		return mds_request_park(mds, request, &mds->waiting_room, MDS_WAIT_ROOM, 0);
	}
	mds->counters.waits_for_memory++;
	request->was_crowded = true;
	return mds_request_park(mds, request, &mds->waiting_memory, MDS_WAIT_MEMORY, 0);
}
