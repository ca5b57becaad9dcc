// SPDX-License-Identifier: GPL-2.0
/*
 * The last references, dropped where waiting does no harm: iput of an unlinked inode
 * waits for its pages, and the inbox must not. Anyone may hand over an inode or a
 * request here, from any context.
 */
#include <linux/llist.h>
#include "client.h"

void mds_reap_request(struct nacre_mds_client *mds, struct nacre_mds_request *req)
{
	/* Only the last reference needs the worker: then nobody can find the request any more. */
	if (refcount_dec_not_one(&req->ref.refcount))
		return;
	spin_lock(&mds->reap_lock);
	list_add_tail(&req->link, &mds->reap_requests);
	spin_unlock(&mds->reap_lock);
	queue_work(mds->fs->work, &mds->reap_work);
}

void nacre_mds_iput(struct nacre_fs *fs, struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);

	if (atomic_add_unless(&inode->i_count, -1, 1))
		return;
	/* The count of puts lets an inode be handed over again while it is on the list. */
	if (atomic_inc_return(&ni->puts) == 1)
		llist_add(&ni->put_link, &fs->mds->reap_inodes);
	queue_work(fs->work, &fs->mds->reap_work);
}

static void reap_inodes(struct nacre_mds_client *mds)
{
	struct llist_node *list = llist_del_all(&mds->reap_inodes);
	struct nacre_inode *ni, *next;

	llist_for_each_entry_safe(ni, next, list, put_link) {
		int puts = atomic_xchg(&ni->puts, 0);

		while (puts--)
			iput(&ni->netfs.inode);
	}
}

static void reap_requests(struct nacre_mds_client *mds)
{
	struct nacre_mds_request *req, *next;
	LIST_HEAD(list);

	spin_lock(&mds->reap_lock);
	list_splice_init(&mds->reap_requests, &list);
	spin_unlock(&mds->reap_lock);
	list_for_each_entry_safe(req, next, &list, link) {
		list_del_init(&req->link);
		nacre_mds_request_put(req);
	}
}

void mds_reap_work(struct work_struct *work)
{
	struct nacre_mds_client *mds = container_of(work, struct nacre_mds_client, reap_work);

	reap_requests(mds);
	reap_inodes(mds);
}
