// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for a file lock. The rank queues us and says so at once; then it tells us when we have it. That word may be
 * lost with a connection or with the rank, so whenever the session flows again we ask again, as the same
 * waiter (FLOCK-3). A signal cancels, and the answer says whether the lock had been given by then.
 */
#include "locks.h"
#include "protocol/error.h"

static void wait_enter(struct nacre_locks *locks, struct lock_wait *wait)
{
	init_waitqueue_head(&wait->wq);
	wait->since_ns = ktime_get_boottime_ns();
	spin_lock(&locks->lock);
	wait->id = ++locks->last_wait;
	list_add_tail(&wait->link, &locks->waits);
	spin_unlock(&locks->lock);
}

static void wait_leave(struct nacre_locks *locks, struct lock_wait *wait)
{
	spin_lock(&locks->lock);
	list_del(&wait->link);
	spin_unlock(&locks->lock);
}

/* The rank may know better. 0: it has given us the lock in the meantime. */
static int cancel(struct lock_call *call, const struct lock_wait *wait, int why)
{
	int err = lock_ask(call->inode, call->fl, NACRE_FILELOCK_CANCEL, wait->id, NULL, NULL);

	if (err == -EALREADY)
		return 0;
	return err ?: why;
}

/* Until the wait is over (1), or the rank must be asked again (0). Other calls of the owner may go on meanwhile. */
static int sleep(struct lock_call *call, struct lock_wait *wait, u64 flows)
{
	struct nacre_fs *fs = nacre_inode_fs(call->inode);
	int err;

	lock_call_pause(call);
	err = wait_event_interruptible(wait->wq, READ_ONCE(wait->over) || nacre_fs_error(fs) ||
				       READ_ONCE(fs->locks.flows) != flows);
	lock_call_begin(call, true);
	if (READ_ONCE(wait->over))
		return wait->result ?: 1;
	if (err)
		return cancel(call, wait, err) ?: 1;
	return nacre_fs_error(fs);
}

int lock_wait_for(struct lock_call *call)
{
	struct nacre_locks *locks = &nacre_inode_fs(call->inode)->locks;
	struct lock_wait wait = { .inode = call->inode, .fl = call->fl };
	int result = 0;

	wait_enter(locks, &wait);
	while (!result) {
		u64 flows = READ_ONCE(locks->flows);
		bool queued = false;

		lock_call_afresh(call);
		result = lock_ask(call->inode, call->fl, NACRE_FILELOCK_WAIT, wait.id, &queued, NULL);
		if (!result)
			result = queued ? sleep(call, &wait, flows) : 1;
	}
	wait_leave(locks, &wait);
	return result > 0 ? 0 : result;
}

/* nacre_upcalls.lock_granted */
void nacre_lock_granted(struct nacre_fs *fs, const struct nacre_filelock_granted *granted)
{
	struct nacre_locks *locks = &fs->locks;
	struct lock_wait *wait;

	spin_lock(&locks->lock);
	list_for_each_entry(wait, &locks->waits, link)
		if (wait->id == granted->waiter && !wait->over) {
			wait->result = granted->result ? -nacre_error_errno(granted->result) : 0;
			WRITE_ONCE(wait->over, true);
			wake_up_all(&wait->wq);
		}
	spin_unlock(&locks->lock);
}

/* nacre_upcalls.locks_flow: the session flows, on a connection on which nothing was said yet. */
void nacre_locks_flow(struct nacre_fs *fs)
{
	struct nacre_locks *locks = &fs->locks;
	struct lock_wait *wait;

	spin_lock(&locks->lock);
	WRITE_ONCE(locks->flows, locks->flows + 1);
	list_for_each_entry(wait, &locks->waits, link)
		wake_up_all(&wait->wq);
	spin_unlock(&locks->lock);
}
