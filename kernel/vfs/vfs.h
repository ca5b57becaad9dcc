/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of vfs/ offer each other and module.c: operation tables, inodes,
 * dentries, xattrs, options.
 */
#ifndef NACRE_KERNEL_VFS_H
#define NACRE_KERNEL_VFS_H

#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/xattr.h>
#include "../caps/caps.h"
#include "../compat.h"
#include "../mds/mds.h"

/* ---- super.c, options.c -------------------------------------------------------------------- */

/* Cache of inodes, file system type. */
int nacre_vfs_init(void);
/* No mount is left. */
void nacre_vfs_exit(void);

extern const struct super_operations nacre_super_ops;
extern const struct fs_parameter_spec nacre_parameters[];

int nacre_options_parse(struct fs_context *fc, struct fs_parameter *param);
/* Take "ADDRESS[:port]:/path" apart. 0, or -EINVAL with a message in fc's log. */
int nacre_options_source(struct fs_context *fc, struct nacre_options *options);
void nacre_options_default(struct nacre_options *options);
void nacre_options_free(struct nacre_options *options);
/* Do both name the same mount, so that they may share a client instance? */
bool nacre_options_same(const struct nacre_options *a, const struct nacre_options *b);
/* Take over what a remount may change; -EINVAL names the first option that it may not. */
int nacre_options_remount(struct fs_context *fc, struct nacre_options *now,
			  const struct nacre_options *asked);
int nacre_show_options(struct seq_file *m, struct dentry *root);
int nacre_statfs(struct dentry *dentry, struct kstatfs *buf);
/* From here on no wait of ours lasts, and everything is answered with EIO (WAIT-1); `why` is said in the log. */
void nacre_fs_cut(struct nacre_fs *fs, const char *why);

/* ---- ioctl.c --------------------------------------------------------------------------------- */

long nacre_ioctl(struct file *file, unsigned int command, unsigned long argument);

/* ---- inode.c ------------------------------------------------------------------------------- */

struct inode *nacre_inode_alloc(struct super_block *sb);
void nacre_inode_free(struct inode *inode);
void nacre_inode_evict(struct inode *inode);
/* nacre_upcalls.learn and .find. */
struct inode *nacre_inode_learn(struct nacre_fs *fs, const struct nacre_inode_info *info, bool make,
				u32 need, u32 *got);
struct inode *nacre_inode_find(struct nacre_fs *fs, u64 ino, bool *freeing);
int nacre_inode_cache_init(void);
void nacre_inode_cache_exit(void);

/* ---- flags.c: attributes of chattr(1) ------------------------------------------------------- */

int nacre_fileattr_get(struct dentry *dentry, nacre_compat_fileattr_t *attr);
int nacre_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry, nacre_compat_fileattr_t *attr);
/* -EPERM if the inode has one of these (enum nacre_inode_flags); may ask the rank. 0, or why it could not be asked. */
int nacre_flags_forbid(struct inode *inode, u32 which);

/* ---- attr.c: attributes -------------------------------------------------------------------- */

int nacre_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
		  u32 request_mask, unsigned int query_flags);
int nacre_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr);
/* Change attributes of an inode that have been checked. The inode lock is held. */
int nacre_attr_set(struct mnt_idmap *idmap, struct inode *inode, struct iattr *attr);
int nacre_permission(struct mnt_idmap *idmap, struct inode *inode, int mask);
int nacre_update_time(struct inode *inode, NACRE_COMPAT_TIMES);
/* The inode's attributes, and what was done to it or in it: wait until all of that is journaled. Killable. */
int nacre_sync_metadata(struct inode *inode);

/* ---- dentry.c ------------------------------------------------------------------------------ */

extern const struct dentry_operations nacre_dentry_ops;
/* The directory's epoch if its dentries may be trusted now, else 0. */
u64 nacre_dir_epoch(struct inode *dir);
/* This dentry is what the directory said in that epoch (0: do not trust it). */
void nacre_dentry_stamp(struct dentry *dentry, u64 epoch);
/* A change of this name is under way: ask the rank about it meanwhile. */
void nacre_dentry_unsure(struct dentry *dentry);
/* The directory's epoch if it is complete: then the absence of a name is known. Else 0. */
u64 nacre_dir_complete_epoch(struct inode *dir);
/* Every entry is in the dcache, if this is still the epoch and no dentry was pruned since `prunes`. */
void nacre_dir_set_complete(struct inode *dir, u64 epoch, u32 prunes);
void nacre_dir_incomplete(struct inode *dir);

/* ---- snapshot.c ---------------------------------------------------------------------------- */

/*
 * The entries of a complete directory in the order of a listing, as a nacre_dirent sequence without infos, from the dcache
 * (kvfree *bytes). -EAGAIN: ask the rank. The directory's inode lock is held.
 */
int nacre_dir_snapshot(struct dentry *parent, u8 **bytes, size_t *length);

/* ---- namei.c, dir.c, symlink.c ---------------------------------------------------------------- */

extern const struct inode_operations nacre_dir_inode_ops;
extern const struct inode_operations nacre_file_inode_ops;	/* inode.c */
extern const struct inode_operations nacre_special_inode_ops;
extern const struct inode_operations nacre_symlink_inode_ops;
extern const struct file_operations nacre_dir_ops;
struct dentry *nacre_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags);

/* ---- file.c, pages.c ------------------------------------------------------------------------ */

extern const struct file_operations nacre_file_ops;
extern const struct address_space_operations nacre_address_ops;
extern const struct netfs_request_ops nacre_netfs_ops;
/*
 * A new inode is a regular file; layout and first size are known: operations of its mapping, netfs
 * context. Later sizes that are not from our own writes come by nacre_pages_set_size().
 */
void nacre_pages_init(struct inode *inode);
/* Before the file grows past `size` by no write: what a mapping has left behind its end becomes zeros. May sleep. */
void nacre_data_zero_tail(struct inode *inode, u64 size);
/* ->open of regular files; atomic_open ends with it. */
int nacre_file_open(struct inode *inode, struct file *file);

/* ---- export.c -------------------------------------------------------------------------------- */

extern const struct export_operations nacre_export_ops;

/* ---- xattr.c, acl.c ------------------------------------------------------------------------- */

extern const struct xattr_handler * const nacre_xattr_handlers[];
ssize_t nacre_listxattr(struct dentry *dentry, char *buffer, size_t buffer_bytes);
/* What all of them take; 0 = there is none. */
ssize_t nacre_xattr_bytes(struct inode *inode);
/* Value of an xattr by its full name: length, -ENODATA, -ERANGE … */
ssize_t nacre_xattr_read(struct inode *inode, const char *name, void *value, size_t value_bytes);
int nacre_xattr_write(struct inode *inode, const char *name, const void *value, size_t value_bytes,
		      int flags);
/* The quota that an inode counts in, with what was written here; all zero: none. */
int nacre_quota_get(struct inode *inode, struct nacre_quota *quota);

struct posix_acl *nacre_get_acl(struct inode *inode, int type, bool rcu);
int nacre_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl, int type);
/*
 * What a new inode in `dir` inherits: umask or default ACL applied to *mode, ACLs and label as a
 * nacre_xattr sequence in *xattrs (kvfree it; NULL: none).
 */
int nacre_acl_inherit(struct inode *dir, struct dentry *dentry, umode_t *mode, u8 **xattrs,
		      u32 *xattrs_bytes);

/* ---- lock.c, lock_wait.c, lock_session.c ----------------------------------------------------- */

void nacre_locks_init(struct nacre_locks *locks);
void nacre_locks_init_inode(struct nacre_inode *ni);
/* nacre_upcalls of these names. */
int nacre_locks_claim(struct nacre_fs *fs);
void nacre_lock_granted(struct nacre_fs *fs, const struct nacre_filelock_granted *granted);
void nacre_locks_flow(struct nacre_fs *fs);
void nacre_locks_lost(struct nacre_fs *fs);
void nacre_locks_show(struct seq_file *m, struct nacre_fs *fs);

int nacre_lock(struct file *file, int command, struct file_lock *lock);
int nacre_flock(struct file *file, int command, struct file_lock *lock);

#endif
