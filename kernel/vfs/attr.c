// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes: answered from the inode while their caps are held, changed in the inode while they
 * are held exclusively, else asked for and changed at the rank.
 *
 *	chmod, chown, utimes	AUTH_EXCL, FILE_EXCL: here, dirty, flushed later; else SETATTR
 *	truncate		always SETATTR: the rank truncates (SIZE-3)
 */
#include <linux/pagemap.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include "vfs.h"

/*
 * What programs are told of O_DIRECT. It takes any offset, length and address; a program that asks gets
 * what disks say, so that it does not take up writing single bytes.
 */
#define DIRECT_ALIGNMENT 512

/* ---- reading --------------------------------------------------------------------------------------------- */

static u32 groups_of(u32 request_mask)
{
	u32 groups = 0;

	if (request_mask & (STATX_MODE | STATX_UID | STATX_GID))
		groups |= NACRE_GROUP_AUTH;
	if (request_mask & STATX_NLINK)
		groups |= NACRE_GROUP_LINK;
	if (request_mask & (STATX_SIZE | STATX_BLOCKS | STATX_ATIME | STATX_MTIME))
		groups |= NACRE_GROUP_FILE;
	/* Every group's changes move ctime. */
	if (request_mask & STATX_CTIME)
		groups |= NACRE_GROUP_AUTH | NACRE_GROUP_LINK | NACRE_GROUP_FILE;
	return groups;
}

/* In units of 512 bytes, as POSIX has it: an upper bound that follows what was written, not where. */
static u64 blocks_of(struct nacre_inode *ni, u64 size)
{
	u64 bytes;

	if (!S_ISREG(ni->netfs.inode.i_mode))
		return 0;
	spin_lock(&ni->cap_lock);
	bytes = nacre_size_allocated(ni->allocated, 0, size);
	spin_unlock(&ni->cap_lock);
	return bytes >> 9;
}

/* Another client writes the file, and has said how it stands. */
static void show_reported(const struct nacre_reported *reported, struct kstat *stat)
{
	stat->size = reported->size;
	stat->blocks = nacre_size_allocated(reported->allocated, 0, reported->size) >> 9;
	stat->atime = nacre_timespec(reported->atime);
	stat->mtime = nacre_timespec(reported->mtime);
	stat->ctime = nacre_timespec(reported->ctime);
}

int nacre_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
		  u32 request_mask, unsigned int query_flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_reported reported = { };
	u32 groups = groups_of(request_mask);
	int err;

	if (groups && !(query_flags & AT_STATX_DONT_SYNC)) {
		err = nacre_caps_stat(inode, groups, query_flags & AT_STATX_FORCE_SYNC, &reported);
		if (err)
			return err;
	}
	generic_fillattr(idmap, request_mask, inode, stat);
	generic_fill_statx_attr(inode, stat);
	stat->attributes_mask |= STATX_ATTR_NODUMP;
	if (READ_ONCE(ni->flags) & NACRE_INODE_NODUMP)
		stat->attributes |= STATX_ATTR_NODUMP;
	stat->result_mask |= STATX_BTIME;
	stat->btime = nacre_timespec(ni->btime_ns);
	stat->blocks = blocks_of(ni, stat->size);
	if (reported.there)
		show_reported(&reported, stat);
	stat->blksize = ni->object_bytes ? min_t(u32, ni->object_bytes, NACRE_DATA_MAX) : PAGE_SIZE;
	if (request_mask & STATX_DIOALIGN && S_ISREG(inode->i_mode)) {
		stat->result_mask |= STATX_DIOALIGN;
		stat->dio_mem_align = DIRECT_ALIGNMENT;
		stat->dio_offset_align = DIRECT_ALIGNMENT;
	}
	return 0;
}

int nacre_permission(struct mnt_idmap *idmap, struct inode *inode, int mask)
{
	u32 groups = NACRE_GROUP_AUTH | (IS_POSIXACL(inode) ? NACRE_GROUP_XATTR : 0);
	int err;

	if (!nacre_caps_current(inode, groups)) {
		if (mask & MAY_NOT_BLOCK)
			return -ECHILD;
		err = nacre_caps_refresh(inode, groups, false);
		if (err)
			return err;
	}
	if (mask & MAY_WRITE && READ_ONCE(nacre_inode(inode)->flags) & NACRE_INODE_IMMUTABLE)
		return -EPERM;
	return generic_permission(idmap, inode, mask);
}

/*
 * Times by use. mtime and ctime come with a write, whose caller marks FILE dirty once it has its caps. atime moves by reading
 * while FILE is held exclusively. It is kept as on a local file system mounted with lazytime: the VFS wants it written
 * when somebody syncs, when the inode leaves the cache, or after hours (->dirty_inode).
 */
int nacre_update_time(struct inode *inode, NACRE_COMPAT_TIMES)
{
	int err;

	if (!nacre_compat_times_atime())
		return nacre_compat_times_update(inode);
	if (!nacre_caps_held(inode, NACRE_CAP_FILE_EXCL))
		return 0;
	err = nacre_compat_times_update(inode);
	if (err)
		return err;
	nacre_caps_accessed(inode);
	__mark_inode_dirty(inode, I_DIRTY_TIME);
	return 0;
}

/* ---- changing here ------------------------------------------------------------------------------------------ */

static u32 groups_set(const struct iattr *attr)
{
	u32 groups = 0;

	if (attr->ia_valid & (ATTR_MODE | ATTR_UID | ATTR_GID))
		groups |= NACRE_GROUP_AUTH;
	if (attr->ia_valid & (ATTR_ATIME | ATTR_MTIME | ATTR_SIZE))
		groups |= NACRE_GROUP_FILE;
	if (!groups && attr->ia_valid & ATTR_CTIME)
		groups = NACRE_GROUP_AUTH;
	return groups;
}

/* Under EXCL caps on everything it touches: 0, or -EAGAIN. */
static int set_here(struct mnt_idmap *idmap, struct inode *inode, struct iattr *attr)
{
	struct nacre_inode *ni = nacre_inode(inode);
	u32 groups = groups_set(attr), got;
	int err;

	if (!groups)
		return 0;
	err = nacre_caps_try(inode, nacre_group_excl(groups), 0, 0, &got);
	if (err)
		return err;
	spin_lock(&ni->cap_lock);
	setattr_copy(idmap, inode, attr);
	spin_unlock(&ni->cap_lock);
	nacre_caps_mark_dirty(inode, groups);
	nacre_caps_put(inode, got);
	return 0;
}

/* ---- changing at the rank ------------------------------------------------------------------------------------- */

static void fill_record(struct mnt_idmap *idmap, struct inode *inode, const struct iattr *attr,
			struct nacre_record *record)
{
	struct timespec64 now = current_time(inode);

	record->kind = NACRE_RECORD_SETATTR;
	record->ino = inode->i_ino;
	record->set_mask = NACRE_SET_CTIME;
	record->ctime = nacre_time_ns(attr->ia_valid & ATTR_CTIME ? attr->ia_ctime : now);
	if (attr->ia_valid & ATTR_MODE) {
		record->set_mask |= NACRE_SET_MODE;
		record->mode = attr->ia_mode;
	}
	if (attr->ia_valid & ATTR_UID) {
		record->set_mask |= NACRE_SET_UID;
		record->uid = from_kuid(&init_user_ns, from_vfsuid(idmap, &init_user_ns,
								   attr->ia_vfsuid));
	}
	if (attr->ia_valid & ATTR_GID) {
		record->set_mask |= NACRE_SET_GID;
		record->gid = from_kgid(&init_user_ns, from_vfsgid(idmap, &init_user_ns,
								   attr->ia_vfsgid));
	}
	if (attr->ia_valid & ATTR_SIZE) {
		record->set_mask |= NACRE_SET_SIZE;
		record->size = attr->ia_size;
	}
	if (attr->ia_valid & ATTR_ATIME) {
		record->set_mask |= NACRE_SET_ATIME;
		record->atime = nacre_time_ns(attr->ia_valid & ATTR_ATIME_SET ? attr->ia_atime : now);
	}
	if (attr->ia_valid & ATTR_MTIME) {
		record->set_mask |= NACRE_SET_MTIME;
		record->mtime = nacre_time_ns(attr->ia_valid & ATTR_MTIME_SET ? attr->ia_mtime : now);
	}
}

static int set_there(struct mnt_idmap *idmap, struct inode *inode, const struct iattr *attr)
{
	struct nacre_mds_request *req;
	struct nacre_record record = { };
	int err;

	/* LOG-1: what is dirty here comes before it, on the same connection. */
	nacre_caps_flush_start(inode);
	fill_record(idmap, inode, attr, &record);
	req = nacre_mds_record(nacre_inode_fs(inode), &record, NULL, NULL, inode, NULL);
	if (IS_ERR(req))
		return PTR_ERR(req);
	err = nacre_mds_call(req);
	nacre_mds_request_put(req);
	nacre_caps_settle_size(inode);
	return err;
}

/* A truncation that changes nothing but times, and the size is known exactly; room behind it would go. */
static bool is_idle_truncate(struct inode *inode, const struct iattr *attr)
{
	return attr->ia_valid & ATTR_SIZE && attr->ia_size == i_size_read(inode) &&
	       !READ_ONCE(nacre_inode(inode)->kept) && nacre_caps_held(inode, NACRE_CAP_FILE_EXCL);
}

int nacre_attr_set(struct mnt_idmap *idmap, struct inode *inode, struct iattr *attr)
{
	int err = -EAGAIN;

	if (!(attr->ia_valid & ATTR_SIZE)) {
		err = set_here(idmap, inode, attr);
	} else {
		inode_dio_wait(inode);
		if (attr->ia_size > i_size_read(inode))
			nacre_data_zero_tail(inode, i_size_read(inode));
	}
	if (err == -EAGAIN)
		err = set_there(idmap, inode, attr);
	return err;
}

int nacre_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err;

	err = nacre_caps_refresh(inode, NACRE_GROUP_AUTH, false);
	if (err)
		return err;
	/* Again, as the flags may be others now. What a write does to the mode comes with FORCE. */
	err = attr->ia_valid & ATTR_FORCE ? 0 : may_setattr(idmap, inode, attr->ia_valid);
	if (err)
		return err;
	err = setattr_prepare(idmap, dentry, attr);
	if (err)
		return err;
	if (is_idle_truncate(inode, attr))
		attr->ia_valid &= ~ATTR_SIZE;
	else if (attr->ia_valid & ATTR_SIZE)
		attr->ia_valid |= ATTR_MTIME | ATTR_CTIME;
	err = nacre_attr_set(idmap, inode, attr);
	if (!err && attr->ia_valid & ATTR_MODE)
		err = posix_acl_chmod(idmap, dentry, inode->i_mode);
	return err;
}

int nacre_sync_metadata(struct inode *inode)
{
	int err = nacre_caps_flush_wait(inode);

	return err ?: nacre_mds_sync_inode(inode);
}
