// SPDX-License-Identifier: GPL-2.0
/*
 * Giving caps back of inodes that leave the cache, in batches: a release is worth no
 * message of its own. A release that is lost with a connection does no harm: the
 * rank's next revoke is answered UNKNOWN.
 */
#include <linux/slab.h>
#include "internal.h"
#include "protocol/codec.h"

struct caps_release {
	struct list_head link;
	struct nacre_cap_ref ref;
};

/* MEM-1: an inode is evicted under memory pressure and cannot wait for memory that is not there. */
static void queue_release(struct nacre_fs *fs, const struct nacre_cap_ref *ref)
{
	struct caps_release *release = kmalloc(sizeof(*release), GFP_NOFS | __GFP_NOFAIL);
	struct nacre_caps *caps = &fs->caps;
	unsigned long delay = msecs_to_jiffies(CAPS_RELEASE_DELAY_MS);

	release->ref = *ref;
	spin_lock(&caps->lock);
	list_add_tail(&release->link, &caps->releases);
	if (++caps->release_count >= CAPS_RELEASE_BATCH)
		delay = 0;
	spin_unlock(&caps->lock);
	if (delay)
		queue_delayed_work(fs->work, &caps->release_work, delay);
	else
		mod_delayed_work(fs->work, &caps->release_work, 0);
}

static bool send_batch(struct nacre_fs *fs, u8 *buffer, size_t buffer_bytes)
{
	struct nacre_writer w = nacre_writer(buffer, buffer_bytes);
	struct nacre_caps *caps = &fs->caps;
	struct nacre_cap_release message = { .caps = buffer };
	struct caps_release *release, *next;
	LIST_HEAD(batch);
	u32 count = 0;

	spin_lock(&caps->lock);
	list_for_each_entry_safe(release, next, &caps->releases, link) {
		if (count == CAPS_RELEASE_BATCH)
			break;
		list_move_tail(&release->link, &batch);
		caps->release_count--;
		count++;
	}
	spin_unlock(&caps->lock);
	if (!count)
		return false;
	list_for_each_entry_safe(release, next, &batch, link) {
		nacre_encode(nacre_cap_ref_desc(), &w, &release->ref);
		kfree(release);
	}
	message.caps_bytes = nacre_writer_bytes(&w);
	nacre_mds_send_begin(fs);
	if (!nacre_mds_send(fs, NACRE_MSG_CAP_RELEASE, &message))
		nacre_count(fs, mds_cap_releases);
	nacre_mds_send_end(fs);
	return true;
}

void caps_release_work(struct work_struct *work)
{
	struct nacre_fs *fs = container_of(to_delayed_work(work), struct nacre_fs, caps.release_work);
	size_t bytes = CAPS_RELEASE_BATCH * sizeof(struct nacre_cap_ref_wire);
	u8 *buffer = kvmalloc(bytes, GFP_NOFS);

	if (!buffer) {
		queue_delayed_work(fs->work, &fs->caps.release_work,
				   msecs_to_jiffies(CAPS_RELEASE_DELAY_MS));
		return;
	}
	while (send_batch(fs, buffer, bytes))
		cond_resched();		/* TIME-1 */
	kvfree(buffer);
}

/* The inode leaves the cache; its pages are gone and nothing refers to it. */
void nacre_caps_evict(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_fs *fs = nacre_inode_fs(inode);
	struct nacre_caps *caps = &fs->caps;
	struct nacre_cap_event drop = { .kind = NACRE_CAPE_DROP };
	struct nacre_cap_ref ref = { .ino = inode->i_ino };

	spin_lock(&ni->cap_lock);
	ref.cap_id = ni->cap.cap_id;
	ref.cap_gen = ni->cap.gen;
	ref.cap_seq = ni->cap.seq;
	if (caps_step_locked(ni, &drop)) {
		/* Only a killed session leaves something behind; it is over with this inode all the same. */
		drop.kind = NACRE_CAPE_LOST;
		caps_step_locked(ni, &drop);
	}
	spin_lock(&caps->lock);
	list_del_init(&ni->flushing_link);
	spin_unlock(&caps->lock);
	caps_small_evict_locked(ni);
	spin_unlock(&ni->cap_lock);

	if (ref.cap_id && READ_ONCE(fs->state) == NACRE_FS_RUNNING)
		queue_release(fs, &ref);
	nacre_xattrs_put(ni->xattrs);
	ni->xattrs = NULL;
}

void caps_drop_releases(struct nacre_fs *fs)
{
	struct caps_release *release, *next;

	list_for_each_entry_safe(release, next, &fs->caps.releases, link)
		kfree(release);
	INIT_LIST_HEAD(&fs->caps.releases);
}
