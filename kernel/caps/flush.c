// SPDX-License-Identifier: GPL-2.0
/*
 * Sending what an inode has to say: answers to revokes, dirty attributes, wishes, all of it
 * in one CAP_UPDATE; and flushing by age, for fsync and for sync.
 *
 *	change under EXCL ─▶ dirty ─(5 s, fsync, revoke, sync)─▶ flushing ─CAP_FLUSH_ACK, safe─▶ clean
 *
 * An inode on the `dirty` list has a reference for it, so dirty attributes are never evicted.
 */
#include "internal.h"
#include "protocol/rules/layout.h"

/* ---- one message ------------------------------------------------------------------------------------ */

/*
 * What was written goes along once. Sent again, all that is not acknowledged goes: the rank may have had the half
 * of it, and count that twice; the sum is an upper bound.
 */
static u64 written_locked(struct nacre_inode *ni, bool again)
{
	u64 news = ni->written;

	ni->written_sent += news;
	ni->written = 0;
	return again ? ni->written_sent : news;
}

/* Values of the groups as they are now. The reference on the xattrs is the caller's. */
static struct nacre_xattrs *fill_values_locked(struct nacre_inode *ni, u32 groups, bool again,
					       struct nacre_cap_update *update)
{
	struct inode *inode = &ni->netfs.inode;
	struct nacre_xattrs *xattrs = NULL;

	lockdep_assert_held(&ni->cap_lock);
	update->dirty = groups;
	update->ctime = nacre_time_ns(inode_get_ctime(inode));
	if (groups & NACRE_GROUP_AUTH) {
		update->mode = inode->i_mode;
		update->uid = i_uid_read(inode);
		update->gid = i_gid_read(inode);
	}
	if (groups & NACRE_GROUP_FILE) {
		update->size = i_size_read(inode);
		update->written = written_locked(ni, again);
		update->truncate_seq = ni->truncate_seq;
		update->atime = nacre_time_ns(inode_get_atime(inode));
		ni->accessed = false;
		update->mtime = nacre_time_ns(inode_get_mtime(inode));
	}
	if (groups & NACRE_GROUP_XATTR && ni->xattrs) {
		xattrs = nacre_xattrs_get(ni->xattrs);
		update->xattrs = xattrs->sequence;
		update->xattrs_bytes = xattrs->bytes;
	}
	return xattrs;
}

/* ROOM-1: what the rank is asked to let us write comes with it, and may be more. */
static void fill_room_locked(struct nacre_inode *ni, struct nacre_cap_update *update)
{
	if (ni->max_size_wanted > ni->max_size)
		update->max_size_wanted = ni->max_size_wanted;
	if (!ni->keeps || !(update->dirty & NACRE_GROUP_FILE))
		return;
	update->update_flags |= NACRE_CAP_UPDATE_KEEPS;
	update->max_size_wanted = max(update->max_size_wanted, ni->keeps);
}

static u64 oldest_flush(struct nacre_fs *fs)
{
	struct nacre_caps *caps = &fs->caps;
	u64 oldest;

	spin_lock(&caps->lock);
	oldest = caps->flush_last + 1;
	if (!list_empty(&caps->flushing))
		oldest = list_first_entry(&caps->flushing, struct nacre_inode,
					  flushing_link)->flush_oldest;
	spin_unlock(&caps->lock);
	return oldest;
}

static u64 flush_id_locked(const struct nacre_inode *ni, u32 groups)
{
	for (int i = 0; i < NACRE_GROUP_COUNT; i++)
		if (groups & nacre_group_at(i))
			return ni->cap.flush_id[i];
	return 0;
}

/* Groups that share the flush id of the first one of `groups`. */
static u32 same_flush_locked(const struct nacre_inode *ni, u32 groups)
{
	u64 id = flush_id_locked(ni, groups);
	u32 same = 0;

	for (int i = 0; i < NACRE_GROUP_COUNT; i++)
		if (groups & nacre_group_at(i) && ni->cap.flush_id[i] == id)
			same |= nacre_group_at(i);
	return same;
}

/*
 * The groups of which the next message has the values. What it says is held has just been judged, so it goes with all
 * flushes that were numbered till now: one that followed would come when its cover is given back, and count for nothing
 * (CAP-1). `again`: values that were sent before, under the flush id they have; they yield to such a flush.
 */
static u32 take_groups_locked(struct nacre_inode *ni, bool again)
{
	u32 groups = ni->flush_todo;

	if (again) {
		ni->reflush_todo &= ni->cap.flushing & ~groups;
		groups = groups ? 0 : same_flush_locked(ni, ni->reflush_todo);
		ni->reflush_todo &= ~groups;
	} else {
		ni->flush_todo = 0;
	}
	return groups;
}

/* Says what `todo` asks for, and values; false if there was nothing to say. */
static bool send_update(struct nacre_inode *ni, u32 todo, bool again)
{
	struct inode *inode = &ni->netfs.inode;
	struct nacre_fs *fs = nacre_inode_fs(inode);
	struct nacre_small_bytes *small = NULL;
	struct nacre_cap_update update;
	struct nacre_xattrs *xattrs = NULL;
	u32 groups;

	spin_lock(&ni->cap_lock);
	groups = take_groups_locked(ni, again);
	/* without a cap it was lost meanwhile: there is nobody to tell */
	if (!ni->cap.cap_id ||
	    !(groups || todo & (NACRE_CAPA_ANSWER | NACRE_CAPA_WANT | CAPS_TODO_MAX_SIZE))) {
		spin_unlock(&ni->cap_lock);
		return false;
	}
	nacre_cap_client_update(&ni->cap, inode->i_ino, todo & NACRE_CAPA_ANSWER ? 1 : 0, &update);
	update.wanted |= caps_kept_locked(ni);
	if (groups) {
		update.flush_id = flush_id_locked(ni, groups);
		xattrs = fill_values_locked(ni, groups, again, &update);
	}
	if (groups & NACRE_GROUP_FILE)
		small = caps_small_fill_locked(ni, &update);
	if (todo & CAPS_TODO_SYNC)
		update.update_flags |= NACRE_CAP_UPDATE_SYNC;
	fill_room_locked(ni, &update);
	spin_unlock(&ni->cap_lock);

	update.oldest_flush = oldest_flush(fs);
	if (update.flush_id)
		update.oldest_flush = min(update.oldest_flush, update.flush_id);
	if (!caps_batch_add(fs, &update) && !nacre_mds_send(fs, NACRE_MSG_CAP_UPDATE, &update))
		nacre_count(fs, mds_cap_updates);
	nacre_xattrs_put(xattrs);
	nacre_small_put(small);
	return true;
}

static void send_again(struct nacre_inode *ni)
{
	while (send_update(ni, 0, true))
		;
}

void caps_send_flushing(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	ni->flush_todo = 0;
	ni->reflush_todo = ni->cap.flushing;
	spin_unlock(&ni->cap_lock);
	send_again(ni);
}

/*
 * A cap that was claimed from a new incarnation has no version there before it is granted anew, so what is
 * said of it waits for that grant.
 */
bool caps_has_to_say(struct nacre_inode *ni)
{
	return READ_ONCE(ni->cap_todo) & CAPS_TODO_SEND && !READ_ONCE(ni->cap_claimed);
}

void caps_send_todo(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	u32 todo = 0;

	spin_lock(&ni->cap_lock);
	if (caps_has_to_say(ni))
		todo = ni->cap_todo & (CAPS_TODO_SEND | CAPS_TODO_SYNC);
	ni->cap_todo &= ~todo;
	spin_unlock(&ni->cap_lock);
	if (!(todo & CAPS_TODO_SEND))
		return;
	/* what is sent again goes before the answer that gives its cover back (CAP-1), or rides in that */
	send_again(ni);
	send_update(ni, todo, false);
	send_again(ni);
}

/* ---- dirty -------------------------------------------------------------------------------------------- */

static void list_dirty_locked(struct nacre_inode *ni)
{
	struct nacre_fs *fs = nacre_inode_fs(&ni->netfs.inode);
	struct nacre_caps *caps = &fs->caps;

	lockdep_assert_held(&ni->cap_lock);
	spin_lock(&caps->lock);
	if (list_empty(&ni->dirty_link)) {
		ihold(&ni->netfs.inode);
		list_add_tail(&ni->dirty_link, &caps->dirty);
		if (!caps->dirty_count++)
			queue_delayed_work(fs->work, &caps->flush_work,
					   msecs_to_jiffies(CAPS_FLUSH_TICK_MS));
	}
	spin_unlock(&caps->lock);
}

int caps_dirty_locked(struct nacre_inode *ni, u32 groups)
{
	struct nacre_cap_event dirty = { .kind = NACRE_CAPE_DIRTY, .groups = groups };
	bool was_clean = !ni->cap.dirty;
	int err = caps_step_locked(ni, &dirty);

	if (err)
		return err;
	if (was_clean)
		ni->dirty_since = jiffies;
	list_dirty_locked(ni);
	return 0;
}

void nacre_caps_mark_dirty(struct inode *inode, u32 groups)
{
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	caps_dirty_locked(ni, groups);
	spin_unlock(&ni->cap_lock);
}

void nacre_caps_accessed(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	ni->accessed = caps_usable_locked(ni, NACRE_CAP_FILE_EXCL);
	spin_unlock(&ni->cap_lock);
}

void caps_dirty_accessed_locked(struct nacre_inode *ni)
{
	if (ni->accessed)
		caps_dirty_locked(ni, NACRE_GROUP_FILE);
	ni->accessed = false;
}

void nacre_caps_say_accessed(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);

	/* What is dirty has a reference, and write-back comes here without one. */
	if (!READ_ONCE(ni->accessed) || !igrab(inode))
		return;
	spin_lock(&ni->cap_lock);
	caps_dirty_accessed_locked(ni);
	spin_unlock(&ni->cap_lock);
	nacre_mds_iput(nacre_inode_fs(inode), inode);
}

void nacre_caps_keep(struct inode *inode, u64 end)
{
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	ni->kept = max(ni->kept, (u32)min_t(u64, U32_MAX, nacre_layout_objects(ni->object_bytes, max(end, ni->keeps))));
	ni->keeps = end;
	if (end)
		caps_dirty_locked(ni, NACRE_GROUP_FILE);
	spin_unlock(&ni->cap_lock);
}

bool nacre_caps_keeps(struct inode *inode, u64 end)
{
	return READ_ONCE(nacre_inode(inode)->keeps) == end;
}

void caps_clean(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_fs *fs = nacre_inode_fs(inode);
	struct nacre_caps *caps = &fs->caps;
	bool release = false;

	spin_lock(&ni->cap_lock);
	spin_lock(&caps->lock);
	if (!ni->cap.flushing)
		list_del_init(&ni->flushing_link);
	if (!ni->cap.flushing && !ni->cap.dirty && !list_empty(&ni->dirty_link)) {
		list_del_init(&ni->dirty_link);
		caps->dirty_count--;
		release = true;
	}
	spin_unlock(&caps->lock);
	spin_unlock(&ni->cap_lock);
	wake_up_all(&caps->flush_wait);
	if (release)
		nacre_mds_iput(fs, inode);
}

/* ---- flushing ----------------------------------------------------------------------------------------- */

/* Flush what is dirty, while sending is held. Returns the id of the latest flush under way, 0 = none. */
static u64 flush_held(struct inode *inode, bool sync)
{
	struct nacre_cap_event flush = { .kind = NACRE_CAPE_FLUSH };
	struct nacre_inode *ni = nacre_inode(inode);
	u64 latest = 0;

	spin_lock(&ni->cap_lock);
	caps_step_locked(ni, &flush);
	if (sync && ni->cap_todo & NACRE_CAPA_FLUSH)
		ni->cap_todo |= CAPS_TODO_SYNC;
	for (int i = 0; i < NACRE_GROUP_COUNT; i++)
		if (ni->cap.flushing & nacre_group_at(i))
			latest = max(latest, ni->cap.flush_id[i]);
	spin_unlock(&ni->cap_lock);
	caps_send_todo(inode);
	return latest;
}

static u64 flush_now(struct inode *inode, bool sync)
{
	struct nacre_fs *fs = nacre_inode_fs(inode);
	u64 latest;

	nacre_mds_send_begin(fs);
	latest = flush_held(inode, sync);
	nacre_mds_send_end(fs);
	return latest;
}

void nacre_caps_flush_start(struct inode *inode)
{
	if (READ_ONCE(nacre_inode(inode)->cap.dirty))
		flush_now(inode, false);
}

static bool flush_is_over(struct nacre_inode *ni, u64 flush_id)
{
	bool over;

	spin_lock(&ni->cap_lock);
	over = !ni->cap.flushing || ni->flush_acked >= flush_id;
	spin_unlock(&ni->cap_lock);
	return over;
}

int nacre_caps_flush_wait(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_fs *fs = nacre_inode_fs(inode);
	u64 flush_id = flush_now(inode, true);
	int err = nacre_fs_error(fs);

	if (!flush_id || err)
		return err;
	/* A loss is reported by the mapping's error; here it only ends the wait. */
	err = nacre_wait(fs, fs->caps.flush_wait,
			 flush_is_over(ni, flush_id) || nacre_fs_error(fs));
	return err ?: nacre_fs_error(fs);
}

/* ---- by age, and all ------------------------------------------------------------------------------------ */

/* The first dirty inode, moved to the end of the list; a reference, or NULL. */
static struct inode *next_dirty(struct nacre_fs *fs)
{
	struct nacre_caps *caps = &fs->caps;
	struct nacre_inode *ni;
	struct inode *inode = NULL;

	spin_lock(&caps->lock);
	ni = list_first_entry_or_null(&caps->dirty, struct nacre_inode, dirty_link);
	if (ni) {
		inode = &ni->netfs.inode;
		ihold(inode);		/* the list has one */
		list_move_tail(&ni->dirty_link, &caps->dirty);
	}
	spin_unlock(&caps->lock);
	return inode;
}

/* Flush so many of them at once, as updates that share messages, if there is a buffer for these. False: the list was empty. */
static bool flush_some(struct nacre_fs *fs, unsigned long before, u64 count, void *buffer)
{
	struct inode *inode = NULL;

	nacre_mds_send_begin(fs);
	caps_batch_begin(fs, buffer);
	while (count-- && (inode = next_dirty(fs))) {
		struct nacre_inode *ni = nacre_inode(inode);

		if (READ_ONCE(ni->cap.dirty) && time_before_eq(READ_ONCE(ni->dirty_since), before)) {
			nacre_pages_keep_small(inode);
			flush_held(inode, false);
		}
		nacre_mds_iput(fs, inode);
	}
	caps_batch_end(fs);
	nacre_mds_send_end(fs);
	return inode;
}

/* Flush all that became dirty before `before`. */
static void flush_older(struct nacre_fs *fs, unsigned long before)
{
	u64 left = READ_ONCE(fs->caps.dirty_count);
	/* For one inode alone none is needed. */
	void *buffer = left > 1 ? caps_batch_buffer() : NULL;

	while (left && flush_some(fs, before, min(left, CAPS_FLUSH_BATCH), buffer)) {
		left -= min(left, CAPS_FLUSH_BATCH);
		cond_resched();		/* TIME-1 */
	}
	kvfree(buffer);
}

void caps_flush_work(struct work_struct *work)
{
	struct nacre_fs *fs = container_of(to_delayed_work(work), struct nacre_fs, caps.flush_work);

	flush_older(fs, jiffies - msecs_to_jiffies(CAPS_FLUSH_AGE_MS));
	if (READ_ONCE(fs->caps.dirty_count))
		queue_delayed_work(fs->work, &fs->caps.flush_work,
				   msecs_to_jiffies(CAPS_FLUSH_TICK_MS));
}

static bool flushed_up_to(struct nacre_fs *fs, u64 flush_id)
{
	return oldest_flush(fs) > flush_id;
}

int nacre_caps_sync_fs(struct nacre_fs *fs, bool wait)
{
	u64 last;
	int err;

	flush_older(fs, jiffies);
	if (!wait)
		return 0;
	last = READ_ONCE(fs->caps.flush_last);
	if (flushed_up_to(fs, last))
		return nacre_fs_error(fs);
	/* One request makes the rank journal everything that came before it. */
	nacre_mds_sync_all(fs);
	err = nacre_wait(fs, fs->caps.flush_wait,
			 flushed_up_to(fs, last) || nacre_fs_error(fs));
	return err ?: nacre_fs_error(fs);
}
