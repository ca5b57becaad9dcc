// SPDX-License-Identifier: GPL-2.0
/*
 * Stepping an inode's cap machine: the references are summed up for it, and what it
 * asks for becomes work for the inode's worker (work.c) or happens on the spot.
 *
 * Decide under cap_lock, act after it: nothing here sleeps, sends or touches pages.
 */
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include "internal.h"
#include "../trace.h"

/* What depends on the cap right now: references, pages that are not at the OSDs yet, a guard that nobody waits for. */
u32 caps_used_locked(struct nacre_inode *ni)
{
	u32 used = ni->cap_used;

	lockdep_assert_held(&ni->cap_lock);
	if (S_ISREG(ni->netfs.inode.i_mode) && nacre_pages_dirty(&ni->netfs.inode))
		used |= NACRE_CAP_FILE_BUFFER;
	if (ni->small.guard)
		used |= NACRE_CAP_FILE_WRITE;
	return used;
}

/* Dentries learnt until now, and the absence of others, are not trusted any more. */
static void forget_entries_locked(struct nacre_inode *ni)
{
	ni->dir_epoch = atomic64_inc_return(&nacre_inode_fs(&ni->netfs.inode)->dir_epochs);
	ni->dir_complete = false;
}

static void forget_xattrs_locked(struct nacre_inode *ni)
{
	if (!ni->xattrs_known || ni->cap.issued & NACRE_CAPS_XATTR)
		return;
	ni->xattrs_known = false;
	forget_all_cached_acls(&ni->netfs.inode);
}

/*
 * A flush gets its id when it is decided, not when it is sent: an acknowledgement of
 * the flush before it then cannot be taken for its own.
 */
static void number_flush_locked(struct nacre_inode *ni, u32 groups)
{
	struct nacre_caps *caps = &nacre_inode_fs(&ni->netfs.inode)->caps;
	struct nacre_cap_event sent = { .kind = NACRE_CAPE_FLUSH_SENT };
	struct nacre_cap_step step;

	ni->flush_todo |= groups;
	spin_lock(&caps->lock);
	sent.flush_id = ++caps->flush_last;
	if (list_empty(&ni->flushing_link)) {
		ni->flush_oldest = sent.flush_id;
		list_add_tail(&ni->flushing_link, &caps->flushing);
	}
	spin_unlock(&caps->lock);
	if (ni->flush_todo & NACRE_GROUP_FILE)
		caps_small_numbered_locked(ni, sent.flush_id);
	sent.groups = ni->flush_todo;
	sent.used = caps_used_locked(ni);
	nacre_cap_client_step(&ni->cap, &sent, &step);
}

/* Keep the list of inodes that a new incarnation must hear of. */
static void list_cap_locked(struct nacre_inode *ni)
{
	struct nacre_caps *caps = &nacre_inode_fs(&ni->netfs.inode)->caps;

	spin_lock(&caps->lock);
	if (ni->cap.cap_id && list_empty(&ni->cap_link)) {
		list_add_tail(&ni->cap_link, &caps->inodes);
		caps->inode_count++;
	} else if (!ni->cap.cap_id && !list_empty(&ni->cap_link)) {
		list_del_init(&ni->cap_link);
		caps->inode_count--;
	}
	spin_unlock(&caps->lock);
}

int caps_step_locked(struct nacre_inode *ni, struct nacre_cap_event *event)
{
	struct nacre_fs *fs = nacre_inode_fs(&ni->netfs.inode);
	u64 had = ni->cap.cap_id;
	u32 gen = ni->cap.gen;
	struct nacre_cap_step step;
	int err;

	lockdep_assert_held(&ni->cap_lock);
	event->used = caps_used_locked(ni);
	err = nacre_cap_client_step(&ni->cap, event, &step);
	if (err)
		return err;
	trace_nacre_cap(fs->id, ni->netfs.inode.i_ino, nacre_cap_event_name(event->kind),
			nacre_machine_state(&nacre_cap_client_machine, ni->cap.state),
			ni->cap.issued, ni->cap.held, ni->cap.wanted, event->used, ni->cap.dirty,
			ni->cap.flushing, step.actions);

	if (had != ni->cap.cap_id)
		list_cap_locked(ni);
	if (gen != ni->cap.gen)
		ni->cap_claimed = false;
	if (step.actions & NACRE_CAPA_INVALIDATE_DIR)
		forget_entries_locked(ni);
	forget_xattrs_locked(ni);
	nacre_flags_show_locked(ni);
	if (step.actions & NACRE_CAPA_LOST) {
		ni->lost_groups |= step.flush;
		ni->flush_todo = 0;
		ni->reflush_todo = 0;
		ni->max_size = 0;
		ni->max_size_wanted = 0;
		ni->written = 0;
		ni->written_sent = 0;
		caps_small_lost_locked(ni);
	}
	if (step.actions & NACRE_CAPA_FLUSH)
		number_flush_locked(ni, step.flush);
	caps_small_stepped_locked(ni);
	if (!(ni->cap.issued & NACRE_CAP_FILE_WRITE)) {
		ni->keeps = 0;
		/* The rank forgets such a request with the cap: whoever waits asks again. */
		if (ni->max_size_wanted)
			wake_up_all(&ni->cap_wait);
		ni->max_size_wanted = 0;
	}
	if (step.actions & NACRE_CAPA_REFLUSH)
		ni->reflush_todo |= step.reflush;
	/* The machine starts write-back once; a writer that was already inside may dirty pages after it. */
	if (ni->cap.state == NACRE_CAPC_WRITING && nacre_pages_dirty(&ni->netfs.inode))
		step.actions |= NACRE_CAPA_WRITEBACK;
	ni->cap_todo |= step.actions & (NACRE_CAPA_WRITEBACK | NACRE_CAPA_INVALIDATE |
					NACRE_CAPA_ANSWER | NACRE_CAPA_FLUSH | NACRE_CAPA_REFLUSH |
					NACRE_CAPA_LOST);
	if (step.actions & NACRE_CAPA_WAKE)
		wake_up_all(&ni->cap_wait);
	return 0;
}

void caps_kick(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_fs *fs = nacre_inode_fs(inode);

	if (!READ_ONCE(ni->cap_todo))
		return;
	/* An inode on its way out gives its cap back as a whole: nacre_caps_evict. */
	if (!igrab(inode))
		return;
	if (!queue_work(fs->caps.work, &ni->cap_work))
		nacre_mds_iput(fs, inode);
}

int caps_step(struct inode *inode, struct nacre_cap_event *event)
{
	struct nacre_inode *ni = nacre_inode(inode);
	int err;

	spin_lock(&ni->cap_lock);
	err = caps_step_locked(ni, event);
	spin_unlock(&ni->cap_lock);
	caps_kick(inode);
	return err;
}

/* ---- references ------------------------------------------------------------------------------ */

/*
 * What is held exclusively is kept as long as nobody else needs it: the rank takes back what it thinks
 * we do not want. Once it has taken something back, we do not want it any more.
 */
u32 caps_kept_locked(const struct nacre_inode *ni)
{
	return ni->cap.issued & NACRE_CAPS_ANY_EXCL;
}

/* May a new use of all these bits begin? */
bool caps_usable_locked(struct nacre_inode *ni, u32 bits)
{
	lockdep_assert_held(&ni->cap_lock);
	return nacre_cap_client_can_use(&ni->cap, bits) && !(ni->cap_todo & NACRE_CAPA_LOST);
}

void caps_take_locked(struct nacre_inode *ni, u32 bits)
{
	unsigned long each = bits;
	int bit;

	lockdep_assert_held(&ni->cap_lock);
	for_each_set_bit(bit, &each, 32)
		ni->cap_users[bit]++;
	ni->cap_used |= bits;
}

void nacre_caps_dup(struct inode *inode, u32 bits)
{
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	WARN_ON_ONCE(bits & ~ni->cap_used);
	caps_take_locked(ni, bits);
	spin_unlock(&ni->cap_lock);
}

void nacre_caps_put(struct inode *inode, u32 bits)
{
	struct nacre_cap_event use = { .kind = NACRE_CAPE_USE };
	struct nacre_inode *ni = nacre_inode(inode);
	unsigned long each = bits;
	bool kick = false;
	int bit;

	spin_lock(&ni->cap_lock);
	for_each_set_bit(bit, &each, 32) {
		if (WARN_ON_ONCE(!ni->cap_users[bit]))
			continue;
		if (!--ni->cap_users[bit])
			ni->cap_used &= ~BIT(bit);
	}
	if (ni->cap.owes_answer && bits & ~ni->cap_used) {
		caps_step_locked(ni, &use);
		kick = true;
	}
	if (ni->cap_todo & NACRE_CAPA_LOST)
		wake_up_all(&ni->cap_wait);
	spin_unlock(&ni->cap_lock);
	if (kick)
		caps_kick(inode);
}

bool nacre_caps_held(struct inode *inode, u32 bits)
{
	struct nacre_inode *ni = nacre_inode(inode);
	bool held;

	if (!nacre_mds_may_io(nacre_inode_fs(inode)))
		return false;
	spin_lock(&ni->cap_lock);
	held = caps_usable_locked(ni, bits);
	spin_unlock(&ni->cap_lock);
	return held;
}
