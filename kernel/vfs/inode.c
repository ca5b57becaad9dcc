// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes: memory, finding and making them when the rank shows one, and letting them go. What
 * the rank says of them is taken in by caps/apply.c.
 *
 * New inodes are made by the inbox worker only; everybody else finds them through
 * a request's answer. Inode numbers are 64 bits and are i_ino.
 */
#include <linux/pagemap.h>
#include <linux/slab.h>
#include "data.h"
#include "../fault.h"
#include "protocol/rules/layout.h"

static struct kmem_cache *inode_cache;

const struct inode_operations nacre_file_inode_ops = {
	.fiemap = nacre_fiemap,
	.permission = nacre_permission,
	.getattr = nacre_getattr,
	.setattr = nacre_setattr,
	.update_time = nacre_update_time,
	.listxattr = nacre_listxattr,
	.get_inode_acl = nacre_get_acl,
	.set_acl = nacre_set_acl,
	.fileattr_get = nacre_fileattr_get,
	.fileattr_set = nacre_fileattr_set,
};

const struct inode_operations nacre_special_inode_ops = {
	.permission = nacre_permission,
	.getattr = nacre_getattr,
	.setattr = nacre_setattr,
	.update_time = nacre_update_time,
	.listxattr = nacre_listxattr,
	.get_inode_acl = nacre_get_acl,
	.set_acl = nacre_set_acl,
};

/* The target never changes; it hangs on i_link, where even an RCU walk reads it. */
const struct inode_operations nacre_symlink_inode_ops = {
	.get_link = simple_get_link,
	.permission = nacre_permission,
	.getattr = nacre_getattr,
	.setattr = nacre_setattr,
	.update_time = nacre_update_time,
	.listxattr = nacre_listxattr,
};

/* ---- memory -------------------------------------------------------------------------------------------- */

static void init_once(void *object)
{
	struct nacre_inode *ni = object;

	inode_init_once(&ni->netfs.inode);
}

struct inode *nacre_inode_alloc(struct super_block *sb)
{
	struct nacre_inode *ni = alloc_inode_sb(sb, inode_cache, GFP_KERNEL);

	if (!ni)
		return NULL;
	/* All of ours: what the VFS initialised once stays. */
	memset_after(ni, 0, netfs);
	nacre_caps_init_inode(ni);
	nacre_locks_init_inode(ni);
	ni->dir_epoch = atomic64_inc_return(&nacre_fs(sb)->dir_epochs);
	return &ni->netfs.inode;
}

/* After a grace period: walks under RCU may have been reading it. */
void nacre_inode_free(struct inode *inode)
{
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	kmem_cache_free(inode_cache, nacre_inode(inode));
}

int nacre_inode_cache_init(void)
{
	inode_cache = kmem_cache_create("nacre_inode", sizeof(struct nacre_inode), 0,
					SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT, init_once);
	return inode_cache ? 0 : -ENOMEM;
}

void nacre_inode_cache_exit(void)
{
	rcu_barrier();		/* inodes on their way to nacre_inode_free */
	kmem_cache_destroy(inode_cache);
}

/* ---- finding -------------------------------------------------------------------------------------------- */

static int match_living(struct inode *inode, nacre_compat_hash_t ino, void *data)
{
	bool *freeing = data;
	int verdict = 1;

	if (inode->i_ino != ino)
		return 0;
	spin_lock(&inode->i_lock);
	if (nacre_compat_inode_state(inode) & (I_FREEING | I_WILL_FREE)) {
		*freeing = true;
		verdict = -1;
	} else {
		__iget(inode);
	}
	spin_unlock(&inode->i_lock);
	return verdict;
}

/* Does not wait for one that is being freed: cap messages must go on. */
struct inode *nacre_inode_find(struct nacre_fs *fs, u64 ino, bool *freeing)
{
	*freeing = false;
	return find_inode_nowait(fs->sb, ino, match_living, freeing);
}

/* ---- making --------------------------------------------------------------------------------------------- */

static int set_symlink(struct inode *inode, const struct nacre_inode_info *info)
{
	char *target = kmemdup_nul((const char *)info->symlink, info->symlink_bytes, GFP_NOFS);

	if (!target)
		return -ENOMEM;
	inode->i_link = target;
	inode->i_op = &nacre_symlink_inode_ops;
	return 0;
}

static void set_special(struct inode *inode, const struct nacre_inode_info *info)
{
	init_special_inode(inode, inode->i_mode,
			   MKDEV(info->rdev >> 20, info->rdev & 0xfffff));
	inode->i_op = &nacre_special_inode_ops;
}

static void set_regular(struct inode *inode, const struct nacre_inode_info *info)
{
	struct nacre_inode *ni = nacre_inode(inode);

	inode->i_op = &nacre_file_inode_ops;
	inode->i_fop = &nacre_file_ops;
	nacre_pages_init(inode);
	ni->truncate_seq = info->truncate_seq;
	ni->truncate_size = info->truncate_size;
}

/* What never changes, and the first size; all else comes with nacre_caps_apply. */
static int set_up(struct inode *inode, const struct nacre_inode_info *info)
{
	struct nacre_inode *ni = nacre_inode(inode);

	inode->i_mode = info->mode;
	i_size_write(inode, info->size);
	netfs_inode_init(&ni->netfs, &nacre_netfs_ops, false);
	ni->object_bytes = info->object_bytes;
	ni->pool = info->pool;
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		if (!nacre_layout_valid(info->object_bytes))
			return -EIO;
		set_regular(inode, info);
		return 0;
	case S_IFDIR:
		inode->i_op = &nacre_dir_inode_ops;
		inode->i_fop = &nacre_dir_ops;
		return 0;
	case S_IFLNK:
		return set_symlink(inode, info);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		set_special(inode, info);
		return 0;
	default:
		return -EIO;
	}
}

struct inode *nacre_inode_learn(struct nacre_fs *fs, const struct nacre_inode_info *info, bool make,
				u32 need, u32 *got)
{
	struct inode *inode;
	bool fresh, freeing;
	int err;

	*got = 0;
	if (!make) {
		inode = nacre_inode_find(fs, info->ino, &freeing);
		fresh = false;
	} else {
		inode = nacre_fault(NACRE_FAULT_inode_memory) ? NULL : iget_locked(fs->sb, info->ino);
		if (!inode)
			return ERR_PTR(-ENOMEM);
		fresh = nacre_compat_inode_state(inode) & I_NEW;
	}
	if (!inode)
		return NULL;
	err = fresh ? set_up(inode, info) : 0;
	if (err) {
		iget_failed(inode);
		return ERR_PTR(err);
	}
	if ((inode->i_mode ^ info->mode) & S_IFMT) {
		pr_warn_ratelimited("nacre: inode %llx has changed its type\n", info->ino);
		nacre_mds_iput(fs, inode);
		return ERR_PTR(-EIO);
	}
	err = nacre_caps_apply(inode, info, fresh, need, got);
	if (fresh)
		unlock_new_inode(inode);
	if (err) {
		nacre_mds_iput(fs, inode);
		return ERR_PTR(err);
	}
	return inode;
}

/* ---- letting go ------------------------------------------------------------------------------------------- */

void nacre_inode_evict(struct inode *inode)
{
	if (S_ISREG(inode->i_mode))
		netfs_wait_for_outstanding_io(inode);
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	nacre_caps_evict(inode);
}
