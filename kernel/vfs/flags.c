// SPDX-License-Identifier: GPL-2.0
/*
 * The attributes of chattr(1), by FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and their likes. They belong to the group AUTH and are changed
 * at the rank only, which holds everybody to "immutable" and "append only".
 *
 * What was said last is ni->flags. The VFS looks at i_flags before it asks us, so "immutable" and "append only" stand there
 * only while a cap on AUTH makes them true: without one nacre_permission() and others here ask, and judge.
 */
#include "vfs.h"

static const struct {
	u32 ours, linux_flag, vfs;	/* vfs: in i_flags */
} flags[] = {
	{ NACRE_INODE_IMMUTABLE, FS_IMMUTABLE_FL, S_IMMUTABLE },
	{ NACRE_INODE_APPEND, FS_APPEND_FL, S_APPEND },
	{ NACRE_INODE_NOATIME, FS_NOATIME_FL, S_NOATIME },
	{ NACRE_INODE_NODUMP, FS_NODUMP_FL, 0 },
	{ NACRE_INODE_SYNC, FS_SYNC_FL, S_SYNC },
};

/* Returns false if there are others, which nacre does not have. */
static bool from_linux(u32 from, u32 *to)
{
	*to = 0;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (from & flags[i].linux_flag)
			*to |= flags[i].ours;
		from &= ~flags[i].linux_flag;
	}
	return !from;
}

void nacre_flags_show_locked(struct nacre_inode *ni)
{
	u32 fixed = ni->cap.issued & NACRE_CAPS_AUTH ? 0 : NACRE_INODE_FIXED;
	unsigned int mask = 0, shown = 0;

	lockdep_assert_held(&ni->cap_lock);
	if (!ni->flags && !ni->flags_shown)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		mask |= flags[i].vfs;
		if (ni->flags & ~fixed & flags[i].ours)
			shown |= flags[i].vfs;
	}
	ni->flags_shown = shown;
	inode_set_flags(&ni->netfs.inode, shown, mask);
}

int nacre_flags_forbid(struct inode *inode, u32 which)
{
	struct nacre_inode *ni = nacre_inode(inode);
	int err;

	if (!(READ_ONCE(ni->flags) & which))
		return 0;
	err = nacre_caps_refresh(inode, NACRE_GROUP_AUTH, false);
	if (err)
		return err;
	return READ_ONCE(ni->flags) & which ? -EPERM : 0;
}

int nacre_fileattr_get(struct dentry *dentry, nacre_compat_fileattr_t *attr)
{
	struct inode *inode = d_inode(dentry);
	u32 ours, shown = 0;
	int err;

	err = nacre_caps_refresh(inode, NACRE_GROUP_AUTH, false);
	if (err)
		return err;
	ours = READ_ONCE(nacre_inode(inode)->flags);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (ours & flags[i].ours)
			shown |= flags[i].linux_flag;
	fileattr_fill_flags(attr, shown);
	return 0;
}

/* Who may is the VFS's to judge, on grounds of nacre_fileattr_get(). */
int nacre_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry, nacre_compat_fileattr_t *attr)
{
	struct inode *inode = d_inode(dentry);
	struct nacre_record record = {
		.kind = NACRE_RECORD_SETATTR,
		.ino = inode->i_ino,
		.set_mask = NACRE_SET_FLAGS | NACRE_SET_CTIME,
		.ctime = nacre_time_ns(current_time(inode)),
	};
	struct nacre_mds_request *req;
	int err;

	if (fileattr_has_fsx(attr) || !from_linux(attr->flags, &record.rdev) ||
	    !nacre_mds_has_feature(nacre_inode_fs(inode), NACRE_FEATURE_INODE_FLAGS))
		return -EOPNOTSUPP;
	nacre_caps_flush_start(inode);		/* LOG-1 */
	req = nacre_mds_record(nacre_inode_fs(inode), &record, NULL, NULL, inode, NULL);
	if (IS_ERR(req))
		return PTR_ERR(req);
	err = nacre_mds_call(req);
	nacre_mds_request_put(req);
	return err;
}
