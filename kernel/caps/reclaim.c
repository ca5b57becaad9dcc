// SPDX-License-Identifier: GPL-2.0
/*
 * Caps and the life of the session: claims to a new incarnation, what is said again on a new connection,
 * and the loss of all of them; and the making and unmaking of a client's caps.
 *
 * Sweeps take inodes off the list one by one onto a second one, so that inodes may come and
 * go meanwhile. Inodes are freed by RCU, which keeps one readable between leaving the
 * list and its cap_lock; one that is being evicted has no cap any more.
 */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "internal.h"
#include "protocol/codec.h"

/* The next inode of a sweep, moved from `from` to `to`. Under RCU. */
static struct nacre_inode *sweep_next(struct nacre_caps *caps, struct list_head *from,
				      struct list_head *to)
{
	struct nacre_inode *ni;

	spin_lock(&caps->lock);
	ni = list_first_entry_or_null(from, struct nacre_inode, cap_link);
	if (ni)
		list_move_tail(&ni->cap_link, to);
	spin_unlock(&caps->lock);
	return ni;
}

static void sweep_begin(struct nacre_caps *caps, struct list_head *todo)
{
	mutex_lock(&caps->sweep_mutex);
	spin_lock(&caps->lock);
	list_splice_init(&caps->inodes, todo);
	spin_unlock(&caps->lock);
}

/* What was not reached goes back as well. */
static void sweep_end(struct nacre_caps *caps, struct list_head *todo)
{
	spin_lock(&caps->lock);
	list_splice_tail(todo, &caps->inodes);
	spin_unlock(&caps->lock);
	mutex_unlock(&caps->sweep_mutex);
}

/* ---- claims -------------------------------------------------------------------------------------------- */

static bool fill_claim(struct nacre_inode *ni, struct nacre_cap_claim *claim)
{
	bool has_claim;

	spin_lock(&ni->cap_lock);
	has_claim = nacre_cap_client_has_claim(&ni->cap);
	if (has_claim) {
		ni->cap_claimed = true;
		nacre_cap_client_claim(&ni->cap, ni->netfs.inode.i_ino, claim);
		claim->wanted |= caps_kept_locked(ni);
		claim->size = i_size_read(&ni->netfs.inode);
		claim->max_size = ni->max_size;
		if (ni->open_readers || ni->open_writers)
			claim->flags |= NACRE_CLAIM_OPEN;
	}
	spin_unlock(&ni->cap_lock);
	return has_claim;
}

/* One part: up to CAPS_CLAIM_BATCH claims. Returns how many. */
static u32 fill_part(struct nacre_caps *caps, struct list_head *todo, struct nacre_writer *w)
{
	struct nacre_cap_claim claim;
	struct nacre_inode *ni;
	u32 count = 0;

	while (count < CAPS_CLAIM_BATCH) {
		bool has_claim;

		rcu_read_lock();
		ni = sweep_next(caps, todo, &caps->inodes);
		has_claim = ni && fill_claim(ni, &claim);
		rcu_read_unlock();
		if (!ni)
			break;
		if (!has_claim)
			continue;
		nacre_encode(nacre_cap_claim_desc(), w, &claim);
		count++;
	}
	return count;
}

/* nacre_upcalls.claim_caps; sending is held, so nothing is said about a cap after its claim. */
int nacre_caps_claim(struct nacre_fs *fs)
{
	size_t bytes = CAPS_CLAIM_BATCH * sizeof(struct nacre_cap_claim_wire);
	struct nacre_session_reconnect part = { .instance = fs->instance };
	u8 *buffer = kvmalloc(bytes, GFP_NOFS | __GFP_NOFAIL);
	LIST_HEAD(todo);
	u32 count;
	int err;

	nacre_mds_reconnect_head(fs, &part);
	sweep_begin(&fs->caps, &todo);
	do {
		struct nacre_writer w = nacre_writer(buffer, bytes);

		count = fill_part(&fs->caps, &todo, &w);
		part.claims = buffer;
		part.claims_bytes = nacre_writer_bytes(&w);
		part.flags = count == CAPS_CLAIM_BATCH ? NACRE_RECONNECT_MORE : 0;
		err = nacre_mds_send(fs, NACRE_MSG_SESSION_RECONNECT, &part);
		cond_resched();
	} while (!err && count == CAPS_CLAIM_BATCH);
	sweep_end(&fs->caps, &todo);
	kvfree(buffer);
	return err;
}

/* ---- again ----------------------------------------------------------------------------------------------- */

typedef void (*sweep_function)(struct inode *inode);

/* Call on every inode that has a cap, with a reference and without locks. */
static void sweep(struct nacre_fs *fs, sweep_function function)
{
	struct nacre_caps *caps = &fs->caps;
	struct nacre_inode *ni;
	LIST_HEAD(todo);

	sweep_begin(caps, &todo);
	do {
		struct inode *inode = NULL;

		rcu_read_lock();
		ni = sweep_next(caps, &todo, &caps->inodes);
		if (ni)
			inode = igrab(&ni->netfs.inode);
		rcu_read_unlock();
		if (inode) {
			function(inode);
			nacre_mds_iput(fs, inode);
		}
		cond_resched();		/* TIME-1 */
	} while (ni);
	sweep_end(caps, &todo);
}

static void say_again(struct inode *inode)
{
	struct nacre_cap_event event = { .kind = NACRE_CAPE_RECONNECTED };
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	/* If the new incarnation's grant was lost, this makes the rank repeat it. */
	ni->cap_claimed = false;
	caps_step_locked(ni, &event);
	if (ni->max_size_wanted > ni->max_size)
		ni->cap_todo |= CAPS_TODO_MAX_SIZE;
	spin_unlock(&ni->cap_lock);
	caps_send_todo(inode);
}

/* nacre_upcalls.caps_reconnected; sending is held. */
void nacre_caps_reconnected(struct nacre_fs *fs)
{
	sweep(fs, say_again);
}

/* nacre_upcalls.caps_reflush; sending is held. */
void nacre_caps_reflush(struct nacre_fs *fs)
{
	sweep(fs, caps_send_flushing);
}

/* ---- lost -------------------------------------------------------------------------------------------------- */

static void lose(struct inode *inode)
{
	struct nacre_cap_event event = { .kind = NACRE_CAPE_LOST };

	caps_step(inode, &event);
	caps_clean(inode);
}

/* nacre_upcalls.caps_lost */
void nacre_caps_lost(struct nacre_fs *fs)
{
	sweep(fs, lose);
	wake_up_all(&fs->caps.flush_wait);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

void nacre_caps_init_inode(struct nacre_inode *ni)
{
	spin_lock_init(&ni->cap_lock);
	mutex_init(&ni->size_mutex);
	init_waitqueue_head(&ni->cap_wait);
	INIT_WORK(&ni->cap_work, caps_inode_work);
	INIT_LIST_HEAD(&ni->cap_link);
	INIT_LIST_HEAD(&ni->dirty_link);
	INIT_LIST_HEAD(&ni->flushing_link);
	INIT_LIST_HEAD(&ni->small.parked);
}

int nacre_caps_create(struct nacre_fs *fs)
{
	struct nacre_caps *caps = &fs->caps;

	spin_lock_init(&caps->lock);
	mutex_init(&caps->sweep_mutex);
	INIT_LIST_HEAD(&caps->inodes);
	INIT_LIST_HEAD(&caps->dirty);
	INIT_LIST_HEAD(&caps->flushing);
	INIT_LIST_HEAD(&caps->releases);
	init_waitqueue_head(&caps->flush_wait);
	INIT_DELAYED_WORK(&caps->flush_work, caps_flush_work);
	INIT_DELAYED_WORK(&caps->release_work, caps_release_work);
	caps->work = alloc_workqueue("nacre-caps", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return caps->work ? 0 : -ENOMEM;
}

void nacre_caps_drain(struct nacre_fs *fs)
{
	flush_workqueue(fs->caps.work);
}

void nacre_caps_destroy(struct nacre_fs *fs)
{
	if (!fs->caps.work)
		return;
	cancel_delayed_work_sync(&fs->caps.flush_work);
	cancel_delayed_work_sync(&fs->caps.release_work);
	destroy_workqueue(fs->caps.work);
	fs->caps.work = NULL;
	caps_drop_releases(fs);
}

/* ---- debugfs -------------------------------------------------------------------------------------------------- */

static void show_inode(struct seq_file *m, struct nacre_inode *ni)
{
	char issued[NACRE_CAPS_TEXT_BYTES], held[NACRE_CAPS_TEXT_BYTES], used[NACRE_CAPS_TEXT_BYTES];

	spin_lock(&ni->cap_lock);
	seq_printf(m, "%llx %s issued=%s held=%s used=%s dirty=%x flushing=%x seq=%u max_size=%llu inline=%s\n",
		   (u64)ni->netfs.inode.i_ino,
		   nacre_machine_state(&nacre_cap_client_machine, ni->cap.state),
		   nacre_caps_text(ni->cap.issued, issued), nacre_caps_text(ni->cap.held, held),
		   nacre_caps_text(caps_used_locked(ni), used), ni->cap.dirty, ni->cap.flushing,
		   ni->cap.seq, ni->max_size,
		   nacre_machine_state(&nacre_inline_machine, ni->small.file.state));
	spin_unlock(&ni->cap_lock);
}

void nacre_caps_show(struct seq_file *m, struct nacre_fs *fs)
{
	struct nacre_caps *caps = &fs->caps;
	struct nacre_inode *ni;
	LIST_HEAD(todo);

	seq_printf(m, "# %llu inodes with caps, %llu dirty\n", caps->inode_count, caps->dirty_count);
	sweep_begin(caps, &todo);
	do {
		rcu_read_lock();
		ni = sweep_next(caps, &todo, &caps->inodes);
		if (ni)
			show_inode(m, ni);
		rcu_read_unlock();
	} while (ni && !seq_has_overflowed(m));
	sweep_end(caps, &todo);
}
