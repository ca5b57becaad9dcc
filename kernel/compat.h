/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only place that looks at which kernel this is. The module is written for Linux 6.12 as Debian
 * keeps it; where one of its updates, or a newer kernel, has changed an interface, both ways are here
 * under one name. Hardly anything is decided by a version number, since updates bring changes to old
 * releases: Kbuild reads the kernel's headers and says what they have (NACRE_HAVE_*).
 *
 * In the order of the folders: time and sockets, the VFS, security and ACLs, netfs.
 */
#ifndef NACRE_COMPAT_H
#define NACRE_COMPAT_H

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fileattr.h>
#include <linux/net.h>
#include <linux/netfs.h>
#include <linux/posix_acl_xattr.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "nacre needs Linux 6.12 or newer"
#endif

/* ---- time and sockets ---------------------------------------------------------------------- */

/* What a timer is part of: `var` is of the type looked for. */
#ifdef timer_container_of
#define nacre_compat_timer_owner(var, timer, field) timer_container_of(var, timer, field)
#else
#define nacre_compat_timer_owner(var, timer, field) from_timer(var, timer, field)
#endif

static inline int nacre_compat_connect(struct socket *sock, struct sockaddr_storage *address,
				       int length, int flags)
{
#ifdef NACRE_HAVE_SOCKADDR_UNSIZED
	return kernel_connect(sock, (struct sockaddr_unsized *)address, length, flags);
#else
	return kernel_connect(sock, (struct sockaddr *)address, length, flags);
#endif
}

/* ---- inodes -------------------------------------------------------------------------------- */

/* What find_inode_nowait() hands to its callback. */
#ifdef NACRE_HAVE_INO_U64
typedef u64 nacre_compat_hash_t;
#else
typedef unsigned long nacre_compat_hash_t;
#endif

/* I_* flags. For a caller without i_lock as well: then they may change at once. */
static inline unsigned int nacre_compat_inode_state(struct inode *inode)
{
#ifdef NACRE_HAVE_INODE_STATE
	return inode_state_read_once(inode);
#else
	return READ_ONCE(inode->i_state);
#endif
}

/* What ->fileattr_get fills and ->fileattr_set is given. */
#ifdef NACRE_HAVE_FILE_KATTR
typedef struct file_kattr nacre_compat_fileattr_t;
#else
typedef struct fileattr nacre_compat_fileattr_t;
#endif

/* ->update_time: the parameters that say which times; is it atime; and the change itself. */
#ifdef NACRE_HAVE_FS_UPDATE_TIME
#define NACRE_COMPAT_TIMES enum fs_update_time times, unsigned int flags
#define nacre_compat_times_atime() (times == FS_UPD_ATIME)
#define nacre_compat_times_update(inode) min(inode_update_time(inode, times, flags), 0)
#else
#define NACRE_COMPAT_TIMES int times
#define nacre_compat_times_atime() (times & S_ATIME)
#define nacre_compat_times_update(inode) (inode_update_timestamps(inode, times), 0)
#endif

/* ---- names --------------------------------------------------------------------------------- */

static inline void nacre_compat_set_dentry_ops(struct super_block *sb,
					       const struct dentry_operations *ops)
{
#ifdef NACRE_HAVE_DEFAULT_D_OP
	set_default_d_op(sb, ops);
#else
	sb->s_d_op = ops;
#endif
}

/* ->d_revalidate is told the directory and the name, too: parameters in front of the others. */
#ifdef NACRE_HAVE_REVALIDATE_NAME
#define NACRE_COMPAT_REVALIDATED struct inode *in_dir, const struct qstr *by_name,
#else
#define NACRE_COMPAT_REVALIDATED
#endif

/* ->create once said whether it must be new, which it always must: a parameter behind the others. */
#ifdef NACRE_HAVE_CREATE_PLAIN
#define NACRE_COMPAT_CREATE_EXCL
#else
#define NACRE_COMPAT_CREATE_EXCL , bool excl
#endif

/* ->mkdir returns the dentry, if it is another one than it was given. Ours never is. */
#ifdef NACRE_HAVE_MKDIR_DENTRY
#define nacre_compat_mkdir_t struct dentry *
#define nacre_compat_mkdir_result(err) ERR_PTR(err)
#else
#define nacre_compat_mkdir_t int
#define nacre_compat_mkdir_result(err) (err)
#endif

/* A dentry to be filled in, or the one that somebody else has made meanwhile. Until it is filled in, `wq` is in use. */
#ifdef NACRE_HAVE_LOOKUP_PLAIN
#define NACRE_COMPAT_LOOKUP_QUEUE(wq)
#define nacre_compat_alloc_parallel(parent, name, wq) d_alloc_parallel(parent, name)
#else
#define NACRE_COMPAT_LOOKUP_QUEUE(wq) DECLARE_WAIT_QUEUE_HEAD_ONSTACK(wq);
#define nacre_compat_alloc_parallel(parent, name, wq) d_alloc_parallel(parent, name, &(wq))
#endif

/* ->setlease of files that have none. Where it is not needed any more the VFS refuses by itself. */
#ifdef NACRE_HAVE_NOSETLEASE
#define NACRE_COMPAT_NO_LEASES simple_nosetlease
#else
#define NACRE_COMPAT_NO_LEASES NULL
#endif

/* ---- security and ACLs --------------------------------------------------------------------- */

#ifdef NACRE_HAVE_LSM_CONTEXT
typedef struct lsm_context nacre_compat_label;
#else
typedef struct {
	void *context;
	u32 len;
} nacre_compat_label;
#endif

/* The label of what will be made under this dentry, to be released when 0 is returned. */
static inline int nacre_compat_label_new(struct dentry *dentry, int mode, const char **xattr_name,
					 nacre_compat_label *label)
{
#ifdef NACRE_HAVE_LSM_CONTEXT
	return security_dentry_init_security(dentry, mode, &dentry->d_name, xattr_name, label);
#else
	return security_dentry_init_security(dentry, mode, &dentry->d_name, xattr_name,
					     &label->context, &label->len);
#endif
}

static inline void nacre_compat_label_release(nacre_compat_label *label)
{
#ifdef NACRE_HAVE_LSM_CONTEXT
	security_release_secctx(label);
#else
	security_release_secctx(label->context, label->len);
#endif
}

/* An ACL in the form of its extended attribute, kmalloc'ed, NULL without memory. */
static inline void *nacre_compat_acl_encode(const struct posix_acl *acl, size_t *bytes)
{
#ifdef NACRE_HAVE_ACL_ALLOCATED
	return posix_acl_to_xattr(&init_user_ns, acl, bytes, GFP_NOFS);
#else
	void *value;

	*bytes = posix_acl_xattr_size(acl->a_count);
	value = kmalloc(*bytes, GFP_NOFS);
	if (value)
		posix_acl_to_xattr(&init_user_ns, acl, value, *bytes);
	return value;
#endif
}

/* ---- netfs --------------------------------------------------------------------------------- */

/* Later updates of 6.12 took over the rolling buffer, and with it another way to end a read. */
static inline void nacre_compat_read_terminated(struct netfs_io_subrequest *subreq, int error)
{
#ifdef NACRE_HAVE_ROLLING_BUFFER
	subreq->error = error;
	netfs_read_subreq_terminated(subreq);
#else
	netfs_read_subreq_terminated(subreq, error, true);
#endif
}

static inline void nacre_compat_write_terminated(struct netfs_io_subrequest *subreq, ssize_t result)
{
#ifdef NACRE_HAVE_WRITE_PLAIN
	netfs_write_subrequest_terminated(subreq, result);
#else
	netfs_write_subrequest_terminated(subreq, result, true);
#endif
}

/*
 * What netfs believes of the servers' copy: the file's size, and zero_point, from where on nothing lies there.
 * Newer kernels want i_lock for a change and have names for it; older ones change it themselves without.
 */
static inline u64 nacre_compat_remote_size(struct inode *inode)
{
#ifdef NACRE_HAVE_NETFS_SIZES
	return netfs_read_remote_i_size(inode);
#else
	return READ_ONCE(netfs_inode(inode)->remote_i_size);
#endif
}

static inline u64 nacre_compat_zero_point(struct inode *inode)
{
#ifdef NACRE_HAVE_NETFS_SIZES
	return netfs_read_zero_point(inode);
#else
	return READ_ONCE(netfs_inode(inode)->zero_point);
#endif
}

/* With i_lock held. */
static inline void nacre_compat_set_sizes(struct inode *inode, u64 remote_size, u64 zero_point)
{
#ifdef NACRE_HAVE_NETFS_SIZES
	netfs_write_remote_i_size(inode, remote_size);
	netfs_write_zero_point(inode, zero_point);
#else
	netfs_inode(inode)->remote_i_size = remote_size;
	netfs_inode(inode)->zero_point = zero_point;
#endif
}

#endif
