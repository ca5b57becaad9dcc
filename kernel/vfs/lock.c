// SPDX-License-Identifier: GPL-2.0
/*
 * fcntl, open-file-description and flock locks, as the VFS asks for them. The rank decides; see locks.h for the order of
 * things, lock_wait.c for blocking calls, lock_session.c for restarts and evictions.
 *
 * With `locallocks` the rank is not asked: this machine's own programs are then all there is.
 */
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include "locks.h"
#include "protocol/codec.h"

#define LOST_RACE (-ESTALE)		/* of apply: ask the rank again */

/* ---- words for the rank ------------------------------------------------------------------------- */

/* A number that is an owner's own and does not tell where it lives: both steps can be undone. */
static u64 owner_number(const struct nacre_fs *fs, fl_owner_t owner)
{
	u64 number = (u64)(unsigned long)owner ^ fs->locks.secret[0];

	return ror64(number * (fs->locks.secret[1] | 1), 32);
}

/* The last close gives up locks of the open file without saying which kind they are: an owner that is a file tells. */
static u8 kind_of(const struct file_lock *fl)
{
	if (fl->c.flc_flags & FL_FLOCK)
		return NACRE_FILELOCK_FLOCK;
	return fl->c.flc_owner == fl->c.flc_file ? NACRE_FILELOCK_OFD : NACRE_FILELOCK_POSIX;
}

static u8 mode_of(const struct file_lock *fl)
{
	switch (fl->c.flc_type) {
	case F_RDLCK:
		return NACRE_FILELOCK_READ;
	case F_WRLCK:
		return NACRE_FILELOCK_WRITE;
	default:
		return NACRE_FILELOCK_UNLOCK;
	}
}

void lock_fill(const struct nacre_fs *fs, const struct file_lock *fl, struct nacre_filelock_req *body)
{
	bool whole = fl->c.flc_flags & FL_FLOCK;

	body->owner = owner_number(fs, fl->c.flc_owner);
	body->start = whole ? 0 : fl->fl_start;
	body->last = whole ? NACRE_FILELOCK_END : fl->fl_end;
	body->pid = current->tgid;
	body->kind = kind_of(fl);
	body->lock_mode = mode_of(fl);
}

static int take_holder(struct nacre_mds_request *req, struct nacre_filelock *holder)
{
	const struct nacre_reply *reply = req->in->host;

	memset(holder, 0, sizeof(*holder));
	if (!reply->extra_bytes)
		return 0;
	return nacre_decode_all(nacre_filelock_desc(), reply->extra, reply->extra_bytes, holder) ? -EIO : 0;
}

int lock_ask(struct inode *inode, const struct file_lock *fl, u8 op, u64 waiter, bool *queued,
	     struct nacre_filelock *holder)
{
	struct nacre_filelock_req body = { .ino = inode->i_ino, .op = op, .waiter = waiter };
	struct nacre_mds_request *req;
	int err = 0;

	lock_fill(nacre_inode_fs(inode), fl, &body);
	req = nacre_mds_filelock(nacre_inode_fs(inode), &body);
	if (IS_ERR(req))
		return PTR_ERR(req);
	if (queued)
		*queued = req->reply_flags & NACRE_REPLY_QUEUED;
	if (holder)
		err = take_holder(req, holder);
	nacre_mds_request_put(req);
	return err;
}

/* ---- one call of an owner at a time ----------------------------------------------------------------- */

static bool is_mine(const struct lock_call *call, const struct lock_call *other)
{
	return other != call && other->fl->c.flc_owner == call->fl->c.flc_owner;
}

static bool begin(struct lock_call *call, bool surely)
{
	struct nacre_locks *locks = &nacre_inode_fs(call->inode)->locks;
	struct nacre_inode *ni = nacre_inode(call->inode);
	struct lock_call *other;
	bool mine = true;

	spin_lock(&locks->lock);
	list_for_each_entry(other, &ni->lock_calls, link)
		mine &= !other->speaking || !is_mine(call, other);
	if (mine || surely) {
		list_for_each_entry(other, &ni->lock_calls, link)
			other->overtaken |= is_mine(call, other);
		call->speaking = true;
		if (list_empty(&call->link))
			list_add_tail(&call->link, &ni->lock_calls);
	}
	spin_unlock(&locks->lock);
	return mine || surely;
}

int lock_call_begin(struct lock_call *call, bool surely)
{
	struct nacre_locks *locks = &nacre_inode_fs(call->inode)->locks;

	if (!wait_event_killable(locks->turn, begin(call, false)))
		return 0;
	if (!surely)
		return -EINTR;
	begin(call, true);
	return 0;
}

void lock_call_pause(struct lock_call *call)
{
	struct nacre_locks *locks = &nacre_inode_fs(call->inode)->locks;

	spin_lock(&locks->lock);
	call->speaking = false;
	spin_unlock(&locks->lock);
	wake_up_all(&locks->turn);
}

void lock_call_afresh(struct lock_call *call)
{
	struct nacre_locks *locks = &nacre_inode_fs(call->inode)->locks;

	spin_lock(&locks->lock);
	call->overtaken = false;
	call->claims = READ_ONCE(locks->claims);
	spin_unlock(&locks->lock);
}

void lock_call_end(struct lock_call *call)
{
	struct nacre_locks *locks = &nacre_inode_fs(call->inode)->locks;

	spin_lock(&locks->lock);
	list_del_init(&call->link);
	spin_unlock(&locks->lock);
	wake_up_all(&locks->turn);
}

/* ---- our list -------------------------------------------------------------------------------------------- */

/* Into the kernel's list, without waiting and without reclaim that could wait for us. */
static int change_list(struct file *file, struct file_lock *fl)
{
	unsigned int flags = fl->c.flc_flags, nofs = memalloc_nofs_save();
	int err;

	fl->c.flc_flags &= ~FL_SLEEP;
	err = locks_lock_file_wait(file, fl);
	fl->c.flc_flags = flags;
	memalloc_nofs_restore(nofs);
	return err;
}

/* The rank has given it: now it is ours, unless something has happened in between. */
static int apply(struct lock_call *call, struct file *file)
{
	struct nacre_locks *locks = &nacre_inode_fs(call->inode)->locks;
	int err = LOST_RACE;

	down_read(&locks->claims_sem);
	if (READ_ONCE(nacre_inode(call->inode)->locks_lost)) {
		err = -EIO;
	} else if (!READ_ONCE(call->overtaken) && call->claims == locks->claims) {
		err = change_list(file, call->fl);
		lock_list_changed(call->inode);
	}
	up_read(&locks->claims_sem);
	return err;
}

/* ---- giving up -------------------------------------------------------------------------------------------- */

static int give_up_begun(struct lock_call *call, struct file *file)
{
	int err = change_list(file, call->fl);

	lock_list_changed(call->inode);
	/* The rank hears of it in any case; there is nobody to tell that it did not answer. */
	if (!err)
		lock_ask(call->inode, call->fl, NACRE_FILELOCK_SET, 0, NULL, NULL);
	return err;
}

static int give_up(struct file *file, struct file_lock *fl)
{
	struct lock_call call = { .inode = file_inode(file), .fl = fl };
	int err;

	INIT_LIST_HEAD(&call.link);
	lock_call_begin(&call, true);
	err = give_up_begun(&call, file);
	lock_call_end(&call);
	return err;
}

/* Whether the rank has given it is not known, or it is of no use: what a killed caller leaves. */
static void take_back(struct lock_call *call, struct file *file)
{
	unsigned char type = call->fl->c.flc_type;

	call->fl->c.flc_type = F_UNLCK;
	give_up_begun(call, file);
	call->fl->c.flc_type = type;
}

/* ---- taking ------------------------------------------------------------------------------------------------ */

/* Answers of the rank that say that nothing has changed. */
static bool is_refusal(int err)
{
	return err == -EAGAIN || err == -EDEADLK || err == -ENOLCK || err == -ERESTARTSYS;
}

/* Once: the rank, and our list. LOST_RACE: again. */
static int try_to_take(struct lock_call *call, struct file *file)
{
	int err;

	if (call->fl->c.flc_flags & FL_SLEEP) {
		err = lock_wait_for(call);
	} else {
		lock_call_afresh(call);
		err = lock_ask(call->inode, call->fl, NACRE_FILELOCK_SET, 0, NULL, NULL);
	}
	if (err) {
		if (!is_refusal(err))
			take_back(call, file);
		return err;
	}
	err = apply(call, file);
	if (err == -EAGAIN) {
		/* Another of our programs has given it up at the rank, and is about to do so here. */
		schedule_timeout_killable(1);
		err = LOST_RACE;
	}
	if (err && err != LOST_RACE)
		take_back(call, file);
	return err;
}

static int take(struct file *file, struct file_lock *fl)
{
	struct lock_call call = { .inode = file_inode(file), .fl = fl };
	int err;

	INIT_LIST_HEAD(&call.link);
	if (READ_ONCE(nacre_inode(call.inode)->locks_lost))
		return -EIO;
	err = lock_call_begin(&call, false);
	if (err)
		return err;
	do {
		err = try_to_take(&call, file);
		if (err == LOST_RACE && fatal_signal_pending(current)) {
			take_back(&call, file);
			err = -EINTR;
		}
	} while (err == LOST_RACE);
	lock_call_end(&call);
	return err;
}

/* ---- the calls ----------------------------------------------------------------------------------------------- */

/* Somebody on this machine, with his number; else somebody elsewhere, whose number means nothing here. */
static int test(struct file *file, struct file_lock *fl)
{
	unsigned char type = fl->c.flc_type;
	struct nacre_filelock holder;
	int err;

	posix_test_lock(file, fl);
	if (fl->c.flc_type != F_UNLCK)
		return 0;
	fl->c.flc_type = type;
	err = lock_ask(file_inode(file), fl, NACRE_FILELOCK_TEST, 0, NULL, &holder);
	if (err)
		return err;
	fl->c.flc_type = F_UNLCK;
	if (!holder.ino)
		return 0;
	fl->c.flc_type = holder.lock_mode == NACRE_FILELOCK_WRITE ? F_WRLCK : F_RDLCK;
	fl->c.flc_pid = holder.kind == NACRE_FILELOCK_OFD ? -1 : 0;
	fl->fl_start = holder.start;
	fl->fl_end = holder.last;
	return 0;
}

int nacre_lock(struct file *file, int command, struct file_lock *fl)
{
	bool local = nacre_inode_fs(file_inode(file))->options.locallocks;

	if (command == F_CANCELLK)
		return -EINVAL;
	if (command == F_GETLK) {
		if (!local)
			return test(file, fl);
		posix_test_lock(file, fl);
		return 0;
	}
	if (local)
		return locks_lock_file_wait(file, fl);
	return fl->c.flc_type == F_UNLCK ? give_up(file, fl) : take(file, fl);
}

/* Does this open file have a flock of another mode? */
static bool changes_mode(struct file *file, const struct file_lock *fl)
{
	struct file_lock_context *ctx = locks_inode_context(file_inode(file));
	struct file_lock *held;
	bool changes = false;

	if (!ctx)
		return false;
	spin_lock(&ctx->flc_lock);
	for_each_file_lock(held, &ctx->flc_flock)
		changes |= held->c.flc_file == file && held->c.flc_type != fl->c.flc_type;
	spin_unlock(&ctx->flc_lock);
	return changes;
}

int nacre_flock(struct file *file, int command, struct file_lock *fl)
{
	unsigned char type = fl->c.flc_type;

	if (nacre_inode_fs(file_inode(file))->options.locallocks)
		return locks_lock_file_wait(file, fl);
	if (type == F_UNLCK)
		return give_up(file, fl);
	/* As on every Linux file system: the old one is gone before the new one is asked for. */
	if (changes_mode(file, fl)) {
		fl->c.flc_type = F_UNLCK;
		give_up(file, fl);
		fl->c.flc_type = type;
	}
	return take(file, fl);
}
