// SPDX-License-Identifier: GPL-2.0
/*
 * Taking in an inode as the rank shows it: values, group by group, and the cap that goes along.
 *
 * A group's values are taken unless this client has values of its own that the rank has not, and
 * unless the info is older than what is known. Holding a group exclusively is no reason by itself: the
 * reply to a request of ours brings what it changed. Sizes follow protocol/rules/size.h. Called
 * from the inbox worker only, so infos never race.
 */
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>
#include "../fault.h"
#include "internal.h"

/* ---- extended attributes --------------------------------------------------------------------------- */

struct nacre_xattrs *nacre_xattrs_new(const u8 *sequence, u32 bytes, gfp_t gfp)
{
	struct nacre_xattrs *xattrs;

	if (nacre_fault(NACRE_FAULT_xattr_memory))
		return NULL;
	xattrs = kvmalloc(struct_size(xattrs, sequence, bytes), gfp);
	if (!xattrs)
		return NULL;
	refcount_set(&xattrs->ref, 1);
	xattrs->bytes = bytes;
	memcpy(xattrs->sequence, sequence, bytes);
	return xattrs;
}

struct nacre_xattrs *nacre_xattrs_get(struct nacre_xattrs *xattrs)
{
	refcount_inc(&xattrs->ref);
	return xattrs;
}

/* From any context in which kvfree may sleep is fine; never under a spinlock. */
void nacre_xattrs_put(struct nacre_xattrs *xattrs)
{
	if (xattrs && refcount_dec_and_test(&xattrs->ref))
		kvfree(xattrs);
}

/* What was learnt of the set, prepared before the lock; *old is put after it. */
struct xattr_news {
	bool known;
	bool lost;			/* there was no memory to take it in */
	struct nacre_xattrs *set;
};

static struct xattr_news read_xattrs(const struct nacre_inode_info *info)
{
	struct xattr_news news = { };

	if (info->info_flags & NACRE_INFO_NO_XATTRS) {
		news.known = true;
	} else if (info->info_flags & NACRE_INFO_HAS_XATTRS) {
		news.set = nacre_xattrs_new(info->xattrs, info->xattrs_bytes, GFP_NOFS);
		news.known = news.set != NULL;
		news.lost = !news.known;
	}
	return news;
}

/* ACLs lie in the set: cached ones are of the set before. */
static void forget_acls(struct inode *inode, bool none)
{
	if (none && IS_POSIXACL(inode)) {
		set_cached_acl(inode, ACL_TYPE_ACCESS, NULL);
		set_cached_acl(inode, ACL_TYPE_DEFAULT, NULL);
	} else {
		forget_all_cached_acls(inode);
	}
}

/* ---- groups ---------------------------------------------------------------------------------------- */

/* Groups of which the info's values are to be taken over, judged before the cap in it counts. */
static bool takes_locked(const struct nacre_inode *ni, u32 group)
{
	u32 cover = nacre_group_cover(group);

	/* Values of ours that the rank does not have yet: changed, on the way, or being changed. */
	return !((ni->cap.dirty | ni->cap.flushing) & group && ni->cap.held & cover) &&
	       !(ni->cap_used & cover);
}

static u32 groups_to_take_locked(struct nacre_inode *ni, const struct nacre_inode_info *info,
				 bool fresh)
{
	u32 groups = 0;

	if (fresh)
		return NACRE_GROUPS_ALL;
	if (info->version < ni->version)
		return 0;
	for (int i = 0; i < NACRE_GROUP_COUNT; i++)
		if (info->valid & nacre_group_at(i) && takes_locked(ni, nacre_group_at(i)))
			groups |= nacre_group_at(i);
	return groups;
}

static void take_auth_locked(struct inode *inode, const struct nacre_inode_info *info)
{
	inode->i_mode = (inode->i_mode & S_IFMT) | (info->mode & ~S_IFMT);
	i_uid_write(inode, info->uid);
	i_gid_write(inode, info->gid);
}

/* Changed at the rank only: what else of AUTH is changed here, and on its way there, is no reason to keep old ones. */
static void take_flags_locked(struct nacre_inode *ni, const struct nacre_inode_info *info, bool fresh)
{
	if (!fresh && (!(info->valid & NACRE_GROUP_AUTH) || info->version < ni->version))
		return;
	ni->flags = info->inode_flags;
	nacre_flags_show_locked(ni);
}

static void take_link_locked(struct inode *inode, const struct nacre_inode_info *info)
{
	struct nacre_inode *ni = nacre_inode(inode);

	set_nlink(inode, info->nlink);
	if (!info->nlink)
		ni->cap_todo |= CAPS_TODO_PRUNE;
}

static void take_times_locked(struct inode *inode, const struct nacre_inode_info *info)
{
	inode_set_mtime_to_ts(inode, nacre_timespec(info->mtime));
	inode_set_atime_to_ts(inode, nacre_timespec(info->atime));
}

/* What is in a flush the rank has counted: FILE is not taken over before that. */
static void take_allocated_locked(struct nacre_inode *ni, const struct nacre_inode_info *info)
{
	ni->allocated = info->allocated + ni->written;
	ni->kept = info->info_flags & NACRE_INFO_KEPT ? info->nsubdirs : 0;
}

/* Any group may change ctime; while values of ours are on the way, the later one counts. */
static void take_ctime_locked(struct nacre_inode *ni, const struct nacre_inode_info *info)
{
	struct inode *inode = &ni->netfs.inode;
	u64 ours = nacre_time_ns(inode_get_ctime(inode));

	if (ni->cap.dirty | ni->cap.flushing)
		inode_set_ctime_to_ts(inode, nacre_timespec(nacre_time_later(ours, info->ctime)));
	else
		inode_set_ctime_to_ts(inode, nacre_timespec(info->ctime));
}

/* Bytes in the inode are cut at once: nobody has the file's data while the rank truncates it. */
static void cut_small_locked(struct nacre_inode *ni, const struct nacre_inode_info *info, u32 known)
{
	if (info->truncate_seq != known)
		caps_small_cut_locked(ni, info->truncate_size);
	caps_small_cut_locked(ni, info->size);
}

/*
 * Returns GREW if i_size is to be raised after the lock. A cut waits for process context: pages
 * hang on it (nacre_caps_settle_size).
 */
static enum nacre_size_change take_size_locked(struct nacre_inode *ni,
					       const struct nacre_inode_info *info, u64 *size)
{
	bool writes = ni->cap.held & nacre_group_cover(NACRE_GROUP_FILE) ||
		      (ni->cap.dirty | ni->cap.flushing) & NACRE_GROUP_FILE;
	const struct nacre_size said = {
		.size = info->size,
		.truncate_seq = info->truncate_seq,
		.truncate_size = info->truncate_size,
	};
	struct nacre_size mine = {
		.size = i_size_read(&ni->netfs.inode),
		.truncate_seq = ni->truncate_seq,
		.truncate_size = ni->truncate_size,
	};
	u32 known;
	enum nacre_size_change change;

	if (ni->size_pending)
		mine = ni->size_said;
	known = mine.truncate_seq;
	change = nacre_size_learn(&mine, &said, writes, !!(info->valid & NACRE_GROUP_FILE));
	if (change == NACRE_SIZE_SAME)
		return change;
	if (change == NACRE_SIZE_CUT)
		cut_small_locked(ni, info, known);
	if (change == NACRE_SIZE_CUT || ni->size_pending) {
		ni->size_said = mine;
		ni->size_pending = true;
		ni->cap_todo |= CAPS_TODO_SIZE;
		return NACRE_SIZE_SAME;
	}
	*size = mine.size;
	return change;
}

/* ---- the cap --------------------------------------------------------------------------------------- */

static void take_cap_locked(struct nacre_inode *ni, const struct nacre_inode_info *info)
{
	struct nacre_cap_event grant = {
		.kind = NACRE_CAPE_GRANT,
		.cap_id = info->cap_id,
		.gen = info->cap_gen,
		.seq = info->cap_seq,
		.caps = info->issued,
	};

	if (!info->cap_id)
		return;
	if (caps_step_locked(ni, &grant))
		return;
	if (ni->cap.cap_id != info->cap_id || ni->cap.seq != info->cap_seq)
		return;		/* older than what is known */
	if (info->info_flags & NACRE_INFO_NO_ROOM && ni->max_size_wanted > info->max_size) {
		ni->max_size_refused = ni->max_size_wanted;
		ni->max_size_refusals++;
		ni->max_size_wanted = 0;
		wake_up_all(&ni->cap_wait);
	}
	if (info->max_size != ni->max_size) {
		ni->max_size = info->max_size;
		if (ni->max_size >= ni->max_size_wanted)
			ni->max_size_wanted = 0;
		wake_up_all(&ni->cap_wait);
	}
}

/* All of `need` for a caller that waits for this reply, or nothing. */
static u32 take_needed_locked(struct nacre_inode *ni, u32 need)
{
	if (!need || !caps_usable_locked(ni, need))
		return 0;
	caps_take_locked(ni, need);
	return need;
}

/*
 * The set before is as good as none when the new one found no room: an old answer would be a wrong one, and "there
 * is no ACL" the worst of them. Returns the set to be put after the lock.
 */
static struct nacre_xattrs *take_xattrs_locked(struct inode *inode, struct xattr_news *news)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_xattrs *old = ni->xattrs;

	ni->xattrs = news->set;
	ni->xattrs_known = news->known;
	news->set = NULL;
	forget_acls(inode, news->known && !ni->xattrs);
	return old;
}

int nacre_caps_apply(struct inode *inode, const struct nacre_inode_info *info, bool fresh,
		     u32 need, u32 *got)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct xattr_news news = read_xattrs(info);
	struct nacre_small_bytes *small = caps_small_read(info);
	struct nacre_xattrs *old = NULL;
	bool newer;
	enum nacre_size_change change = NACRE_SIZE_SAME;
	u64 size = 0;
	int err = 0;
	u32 groups;

	spin_lock(&ni->cap_lock);
	groups = groups_to_take_locked(ni, info, fresh);
	newer = caps_small_is_newer_locked(ni);
	take_cap_locked(ni, info);
	if (groups & NACRE_GROUP_AUTH)
		take_auth_locked(inode, info);
	take_flags_locked(ni, info, fresh);
	if (groups & NACRE_GROUP_LINK)
		take_link_locked(inode, info);
	if (groups & NACRE_GROUP_FILE) {
		take_times_locked(inode, info);
		take_allocated_locked(ni, info);
	}
	if (groups)
		take_ctime_locked(ni, info);
	if (S_ISREG(inode->i_mode) && !fresh)
		change = take_size_locked(ni, info, &size);
	else if (groups & NACRE_GROUP_FILE && S_ISDIR(inode->i_mode))
		i_size_write(inode, info->size);
	if (S_ISREG(inode->i_mode))
		caps_small_told_locked(ni, info, newer, &small);
	if (groups & NACRE_GROUP_XATTR && (news.known || news.lost)) {
		old = take_xattrs_locked(inode, &news);
		err = news.lost ? -ENOMEM : 0;
	}
	ni->version = max(ni->version, info->version);
	ni->btime_ns = info->btime;
	*got = err ? 0 : take_needed_locked(ni, need);
	spin_unlock(&ni->cap_lock);

	if (change == NACRE_SIZE_GREW)
		nacre_pages_set_size(inode, size, false);
	nacre_xattrs_put(old);
	nacre_xattrs_put(news.set);
	nacre_small_put(small);
	caps_kick(inode);
	return err;
}
