/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of lock.c, lock_wait.c and lock_session.c: file locks of programs. What a program holds is in the kernel's own lists
 * (/proc/locks, and what close gives up); the rank knows it, too, and decides.
 *
 *	take:  the rank first, then our list      give up:  our list first, then the rank
 *
 * so our list never has what the rank has given to another; but for a write lock on its way to be a read lock, which
 * the rank allows for in claims. Calls of one owner on one file
 * follow one another (struct lock_call), while waits stand aside.
 *
 * Locks: claims_sem (a list is changed under it for reading; claims read them all under it for writing) → lock →
 * flc_lock of the kernel's lists. Nobody waits for the rank under any of them.
 */
#ifndef NACRE_KERNEL_LOCKS_H
#define NACRE_KERNEL_LOCKS_H

#include <linux/filelock.h>
#include "vfs.h"
#include "protocol/filelocks.h"

/* A call about a lock; on its caller's stack. */
struct lock_call {
	struct list_head link;		/* nacre_inode.lock_calls; under nacre_locks.lock, like all of it */
	struct inode *inode;
	struct file_lock *fl;
	bool speaking;			/* with the rank: others of its owner stand back */
	bool overtaken;			/* another of its owner went ahead: what the rank said may be old */
	u64 claims;			/* nacre_locks.claims before the rank was asked */
};

/* Somebody who waits for a lock; on his stack. */
struct lock_wait {
	struct list_head link;		/* nacre_locks.waits */
	wait_queue_head_t wq;
	u64 id;
	u64 since_ns;
	struct inode *inode;
	const struct file_lock *fl;
	bool over;			/* the rank has said so, with this result */
	int result;
};

/* ---- lock.c ---- */

void lock_fill(const struct nacre_fs *fs, const struct file_lock *fl, struct nacre_filelock_req *body);
/*
 * Ask the rank; *queued (may be NULL): it said NACRE_REPLY_QUEUED; `holder` (may be NULL): who is in the way, ino 0 = nobody.
 * Killable; but an UNLOCK is sent whatever happens to the caller.
 */
int lock_ask(struct inode *inode, const struct file_lock *fl, u8 op, u64 waiter, bool *queued,
	     struct nacre_filelock *holder);
/* It is this call's turn. -EINTR; `surely`: of one that is being killed, too. */
int lock_call_begin(struct lock_call *call, bool surely);
/* The rank is about to be asked: what has happened so far does not make its answer old. */
void lock_call_afresh(struct lock_call *call);
/* It stands aside until _begin, or leaves. */
void lock_call_pause(struct lock_call *call);
void lock_call_end(struct lock_call *call);

/* ---- lock_wait.c ---- */

/* Have the rank give it, however long that takes. 0, -ERESTARTSYS, -EDEADLK … */
int lock_wait_for(struct lock_call *call);

/* ---- lock_session.c ---- */

/* The inode's list has changed: does it have any locks? Under claims_sem, or after something was given up. */
void lock_list_changed(struct inode *inode);

#endif
