// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting until changes are journaled. Every unsafe reply has an apply number, what
 * is safe is said cumulatively, and SYNC asks the rank not to take its time.
 */
#include "client.h"

int nacre_mds_wait_safe(struct nacre_fs *fs, u64 applied)
{
	struct nacre_mds_request *req;
	int err;

	if (READ_ONCE(fs->mds->safe) >= applied)
		return nacre_fs_error(fs);
	req = nacre_mds_request_new(fs, NACRE_MSG_SYNC);
	if (IS_ERR(req))
		return PTR_ERR(req);
	req->body.sync.upto = applied;
	err = nacre_mds_call(req);
	nacre_mds_request_put(req);
	return err;
}

int nacre_mds_sync_all(struct nacre_fs *fs)
{
	struct nacre_mds_request *req = nacre_mds_request_new(fs, NACRE_MSG_SYNC);
	int err;

	if (IS_ERR(req))
		return PTR_ERR(req);
	err = nacre_mds_call(req);	/* upto 0: all */
	nacre_mds_request_put(req);
	return err;
}

int nacre_mds_sync_inode(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_fs *fs = nacre_inode_fs(inode);
	u64 applied = 0;

	spin_lock(&ni->cap_lock);
	/* Apply numbers of a session that was killed mean nothing; its losses are reported by errseq. */
	if (ni->unsafe_generation == nacre_mds_generation(fs))
		applied = ni->unsafe_applied;
	spin_unlock(&ni->cap_lock);
	return nacre_mds_wait_safe(fs, applied);
}

int nacre_mds_sync_fs(struct nacre_fs *fs)
{
	return nacre_mds_wait_safe(fs, READ_ONCE(fs->mds->applied));
}

int nacre_mds_wait_io(struct nacre_fs *fs)
{
	struct nacre_mds_client *mds = fs->mds;
	int err;

	err = nacre_wait(fs, mds->wait, nacre_mds_may_io(fs) || nacre_fs_error(fs) ||
			 READ_ONCE(mds->state) == NACRE_SESSION_CLOSED);
	if (err)
		return err;
	if (READ_ONCE(mds->state) == NACRE_SESSION_CLOSED)
		return -EIO;
	return nacre_fs_error(fs);
}
