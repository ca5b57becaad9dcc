// SPDX-License-Identifier: GPL-2.0
/*
 * The worker of an inode: does what its machine asked for, in the order of the
 * machine's actions, until nothing is left. It holds a reference on the inode and
 * no locks; waiting for OSDs here delays this inode only.
 */
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/pagemap.h>
#include "internal.h"

static u32 take_todo(struct nacre_inode *ni, u32 which)
{
	u32 todo;

	spin_lock(&ni->cap_lock);
	todo = ni->cap_todo & which;
	ni->cap_todo &= ~todo;
	spin_unlock(&ni->cap_lock);
	return todo;
}

/*
 * The session was killed. Dirty pages may not be written any more, cached ones may be
 * old: drop all, once nobody who still holds a reference is inside; and say so on this file only.
 */
static void drop_lost(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct address_space *mapping = inode->i_mapping;
	bool lost;

	/* Ends: object requests have been failed, and nobody waits for the MDS inside (CAP-3). */
	wait_event(ni->cap_wait, !(READ_ONCE(ni->cap_used) & CAPS_DATA));
	lost = ni->lost_groups || (S_ISREG(inode->i_mode) && nacre_pages_dirty(inode));
	if (lost)
		mapping_set_error(mapping, -EIO);
	filemap_invalidate_lock(mapping);
	unmap_mapping_range(mapping, 0, 0, 1);
	truncate_inode_pages(mapping, 0);
	filemap_invalidate_unlock(mapping);

	spin_lock(&ni->cap_lock);
	ni->lost_groups = 0;
	ni->cap_todo &= ~NACRE_CAPA_LOST;
	spin_unlock(&ni->cap_lock);
	wake_up_all(&ni->cap_wait);
}

static void write_back(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_cap_event use = { .kind = NACRE_CAPE_USE };

	nacre_pages_write_back(inode);
	/*
	 * An OSD that refuses leaves pages dirty, and a writer who is inside may dirty more: the machine asks again until he is out. Do not
	 * spin: on one processor he would never come out.
	 */
	if (nacre_pages_dirty(inode))
		msleep(CAPS_RETRY_MS);
	else
		wait_event_timeout(ni->cap_wait, !(READ_ONCE(ni->cap_used) & NACRE_CAP_FILE_BUFFER),
				   msecs_to_jiffies(CAPS_RETRY_MS));
	caps_step(inode, &use);
}

static void invalidate(struct inode *inode)
{
	struct nacre_cap_event done = { .kind = NACRE_CAPE_INVALIDATED };

	nacre_pages_invalidate(inode);
	caps_step(inode, &done);
}

static void send(struct inode *inode)
{
	struct nacre_fs *fs = nacre_inode_fs(inode);

	nacre_mds_send_begin(fs);
	caps_send_todo(inode);
	nacre_mds_send_end(fs);
}

void caps_inode_work(struct work_struct *work)
{
	struct nacre_inode *ni = container_of(work, struct nacre_inode, cap_work);
	struct inode *inode = &ni->netfs.inode;

	for (;;) {
		if (READ_ONCE(ni->cap_todo) & NACRE_CAPA_LOST)
			drop_lost(inode);
		else if (take_todo(ni, NACRE_CAPA_WRITEBACK))
			write_back(inode);
		else if (take_todo(ni, NACRE_CAPA_INVALIDATE))
			invalidate(inode);
		else if (caps_has_to_say(ni))
			send(inode);
		else if (take_todo(ni, CAPS_TODO_SIZE))
			nacre_caps_settle_size(inode);
		else if (take_todo(ni, CAPS_TODO_PRUNE))
			d_prune_aliases(inode);
		else
			break;
	}
	caps_clean(inode);
	iput(inode);
}

/* ---- sizes ---------------------------------------------------------------------------------------- */

/*
 * A truncation the rank told of becomes one of our pages: first the pages and i_size, then the
 * number that object requests carry, so that a late write of cut-off bytes goes out under
 * the old number and is trimmed (SIZE-3).
 */
void nacre_caps_settle_size(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_size said;

	if (!READ_ONCE(ni->size_pending))
		return;
	mutex_lock(&ni->size_mutex);
	for (;;) {
		spin_lock(&ni->cap_lock);
		if (!ni->size_pending) {
			spin_unlock(&ni->cap_lock);
			break;
		}
		said = ni->size_said;
		spin_unlock(&ni->cap_lock);

		nacre_pages_set_size(inode, said.size, true);

		spin_lock(&ni->cap_lock);
		ni->truncate_seq = said.truncate_seq;
		ni->truncate_size = said.truncate_size;
		ni->written_end = 0;	/* the block may be gone */
		if (ni->size_said.truncate_seq == said.truncate_seq &&
		    ni->size_said.size == said.size)
			ni->size_pending = false;
		spin_unlock(&ni->cap_lock);
	}
	mutex_unlock(&ni->size_mutex);
	wake_up_all(&ni->cap_wait);
}
