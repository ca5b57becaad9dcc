// SPDX-License-Identifier: GPL-2.0
/*
 * Mounting and unmounting: a client instance (struct nacre_fs) is built in the order
 * in which its areas lean on each other, its session is opened, its root is
 * fetched; and all of it backwards.
 *
 * Mounts of the same source with the same options share one super block and so
 * one client instance, unless `noshare` is given.
 */
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/statfs.h>
#include <net/net_namespace.h>
#include "data.h"
#include "../debugfs.h"
#include "../osd/client.h"

#define NACRE_SUPER_MAGIC 0x6e616372	/* "nacr" */
/* Times are signed 64-bit nanoseconds on the wire (protocol/mds.h). */
#define NACRE_TIME_MIN_S (-9223372036LL)
#define NACRE_TIME_MAX_S 9223372036LL

static const struct nacre_upcalls upcalls = {
	.learn = nacre_inode_learn,
	.find = nacre_inode_find,
	.caps_put = nacre_caps_put,
	.cap_message = nacre_caps_message,
	.claim_caps = nacre_caps_claim,
	.caps_reconnected = nacre_caps_reconnected,
	.caps_reflush = nacre_caps_reflush,
	.caps_lost = nacre_caps_lost,
	.claim_locks = nacre_locks_claim,
	.lock_granted = nacre_lock_granted,
	.locks_flow = nacre_locks_flow,
	.locks_lost = nacre_locks_lost,
};

/* ---- the client instance ----------------------------------------------------------------------------- */

static void fs_free(struct nacre_fs *fs)
{
	nacre_debugfs_destroy(fs);
	nacre_mds_client_stop(fs);
	nacre_caps_destroy(fs);		/* its last workers drop inodes by the mds client's */
	nacre_mds_client_destroy(fs);
	nacre_osd_client_destroy(fs);
	if (fs->work)
		destroy_workqueue(fs->work);
	nacre_stats_destroy(fs);
	nacre_options_free(&fs->options);
	put_net(fs->net);
	kfree(fs);
}

/* Without servers yet: what sget compares. Takes over the contents of `options`. */
static struct nacre_fs *fs_new(struct fs_context *fc, struct nacre_options *options)
{
	struct nacre_fs *fs = kzalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	fs->options = *options;
	options->source = NULL;
	options->path = NULL;
	fs->net = get_net(fc->net_ns);
	fs->state = NACRE_FS_MOUNTING;
	fs->upcalls = &upcalls;
	fs->time_scale_percent = 100;
	init_waitqueue_head(&fs->state_wait);
	spin_lock_init(&fs->map_lock);
	nacre_locks_init(&fs->locks);
	return fs;
}

static int fs_start(struct nacre_fs *fs)
{
	int err;

	err = nacre_stats_create(fs);
	if (err)
		return err;
	fs->work = alloc_workqueue("nacre", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!fs->work)
		return -ENOMEM;
	err = nacre_caps_create(fs);
	if (err)
		return err;
	err = nacre_osd_client_create(fs);
	if (err)
		return err;
	err = nacre_mds_client_create(fs);
	if (err)
		return err;
	err = nacre_debugfs_create(fs);
	if (err)
		return err;
	nacre_debugfs_file(fs, "session", nacre_mds_show_session);
	nacre_debugfs_file(fs, "mds_requests", nacre_mds_show_requests);
	nacre_debugfs_file(fs, "caps", nacre_caps_show);
	nacre_debugfs_file(fs, "filelocks", nacre_locks_show);
	nacre_debugfs_file(fs, "osd_requests", nacre_osd_show_requests);
	nacre_debugfs_file(fs, "connections", nacre_osd_show_conns);
	return 0;
}

/* ---- root -------------------------------------------------------------------------------------------- */

/* One step of the path from the file system's root to the mount's. */
static struct inode *step_down(struct fs_context *fc, struct inode *dir, const char *name,
			       size_t length)
{
	struct qstr component = QSTR_INIT(name, length);
	struct nacre_mds_request *req;
	struct inode *inode;

	req = nacre_mds_lookup(dir, &component, 0);
	if (!IS_ERR(req) && req->result) {
		int err = req->result;

		nacre_mds_request_put(req);
		req = ERR_PTR(err);
	}
	if (IS_ERR(req)) {
		errorfc(fc, "path: %.*s: error %ld", (int)length, name, PTR_ERR(req));
		return ERR_CAST(req);
	}
	inode = req->target;
	req->target = NULL;
	nacre_mds_request_put(req);
	return inode ?: ERR_PTR(-EIO);
}

static struct inode *fetch_top(struct nacre_fs *fs)
{
	struct nacre_mds_request *req;
	struct inode *inode;

	req = nacre_mds_getattr(fs, NACRE_INO_ROOT, NULL, NACRE_GROUPS_ALL, 0,
				NACRE_REQUEST_WANT_XATTRS);
	if (IS_ERR(req))
		return ERR_CAST(req);
	inode = req->target;
	req->target = NULL;
	nacre_mds_request_put(req);
	return inode ?: ERR_PTR(-EIO);
}

static struct inode *fetch_root(struct fs_context *fc, struct nacre_fs *fs)
{
	struct inode *inode = fetch_top(fs), *next;
	const char *at = fs->options.path;

	while (!IS_ERR(inode)) {
		size_t length;

		at += strspn(at, "/");
		length = strcspn(at, "/");
		if (!length)
			break;
		next = step_down(fc, inode, at, length);
		iput(inode);
		inode = next;
		at += length;
	}
	if (!IS_ERR(inode) && !S_ISDIR(inode->i_mode)) {
		errorfc(fc, "path: %s is no directory", fs->options.path);
		iput(inode);
		return ERR_PTR(-ENOTDIR);
	}
	return inode;
}

/* ---- super block --------------------------------------------------------------------------------------- */

static void set_read_ahead(struct super_block *sb)
{
	sb->s_bdi->ra_pages = nacre_fs(sb)->options.rasize >> PAGE_SHIFT;
	sb->s_bdi->io_pages = nacre_fs(sb)->options.rsize >> PAGE_SHIFT;
}

static int set_up_super(struct super_block *sb)
{
	struct nacre_fs *fs = nacre_fs(sb);
	int err;

	fs->sb = sb;
	sb->s_magic = NACRE_SUPER_MAGIC;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_maxbytes = min_t(u64, NACRE_FILE_MAX, MAX_LFS_FILESIZE);
	sb->s_time_gran = 1;
	sb->s_time_min = NACRE_TIME_MIN_S;
	sb->s_time_max = NACRE_TIME_MAX_S;
	sb->s_op = &nacre_super_ops;
	nacre_compat_set_dentry_ops(sb, &nacre_dentry_ops);
	sb->s_xattr = nacre_xattr_handlers;
	sb->s_export_op = &nacre_export_ops;
	if (fs->options.acl)
		sb->s_flags |= SB_POSIXACL;
	err = super_setup_bdi(sb);
	if (!err)
		set_read_ahead(sb);
	return err;
}

static int open_session(struct fs_context *fc, struct nacre_fs *fs)
{
	int err = nacre_mds_session_open(fs);

	switch (err) {
	case 0:
	case -EINTR:
		return err;
	case -EPROTONOSUPPORT:
		errorfc(fc, "%s: the server speaks another version of the protocol",
			fs->options.source);
		return err;
	case -ECONNREFUSED:
		errorfc(fc, "%s: nobody answers at this address", fs->options.source);
		return err;
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		errorfc(fc, "%s: no way to this address", fs->options.source);
		return err;
	case -ETIMEDOUT:
		errorfc(fc, "%s: no metadata server answered in time", fs->options.source);
		return err;
	default:
		errorfc(fc, "%s: the session cannot be opened: error %d", fs->options.source, err);
		return err;
	}
}

static int fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct nacre_fs *fs = nacre_fs(sb);
	struct inode *root;
	int err;

	err = set_up_super(sb);
	if (err)
		return err;
	err = fs_start(fs);
	if (err)
		return err;
	err = open_session(fc, fs);
	if (err)
		return err;
	WRITE_ONCE(fs->state, NACRE_FS_RUNNING);
	root = fetch_root(fc, fs);
	if (!IS_ERR(root))
		sb->s_root = d_make_root(root);
	if (IS_ERR(root) || !sb->s_root) {
		nacre_mds_session_close(fs);
		return PTR_ERR_OR_ZERO(root) ?: -ENOMEM;
	}
	return 0;
}

static int same_super(struct super_block *sb, struct fs_context *fc)
{
	struct nacre_fs *have = nacre_fs(sb), *want = fc->s_fs_info;

	return net_eq(have->net, want->net) && !nacre_fs_error(have) &&
	       nacre_options_same(&have->options, &want->options);
}

static int get_tree(struct fs_context *fc)
{
	struct nacre_options *options = fc->fs_private;
	struct super_block *sb;
	int err;

	err = nacre_options_source(fc, options);
	if (err)
		return err;
	fc->s_fs_info = fs_new(fc, options);
	if (!fc->s_fs_info)
		return -ENOMEM;
	sb = sget_fc(fc, same_super, set_anon_super_fc);
	if (IS_ERR(sb))
		return PTR_ERR(sb);
	if (!sb->s_root) {
		err = fill_super(sb, fc);
		if (err) {
			deactivate_locked_super(sb);
			return err;
		}
		sb->s_flags |= SB_ACTIVE;
	}
	fc->root = dget(sb->s_root);
	return 0;
}

static int reconfigure(struct fs_context *fc)
{
	struct super_block *sb = fc->root->d_sb;
	int err;

	err = sync_filesystem(sb);
	if (!err)
		err = nacre_options_remount(fc, &nacre_fs(sb)->options, fc->fs_private);
	if (!err)
		set_read_ahead(sb);
	return err;
}

static void free_fc(struct fs_context *fc)
{
	/* Still ours if sget found another one, or failed. */
	if (fc->s_fs_info)
		fs_free(fc->s_fs_info);
	if (fc->fs_private) {
		nacre_options_free(fc->fs_private);
		kfree(fc->fs_private);
	}
}

static const struct fs_context_operations context_ops = {
	.free = free_fc,
	.parse_param = nacre_options_parse,
	.get_tree = get_tree,
	.reconfigure = reconfigure,
};

static int init_fs_context(struct fs_context *fc)
{
	struct nacre_options *options = kzalloc(sizeof(*options), GFP_KERNEL);

	if (!options)
		return -ENOMEM;
	nacre_options_default(options);
	if (fc->root) {
		*options = nacre_fs(fc->root->d_sb)->options;
		options->source = NULL;
		options->path = NULL;
	}
	fc->fs_private = options;
	fc->ops = &context_ops;
	return 0;
}

/* ---- unmounting ------------------------------------------------------------------------------------------ */

void nacre_fs_cut(struct nacre_fs *fs, const char *why)
{
	pr_warn("nacre: %s: %s: everything under way ends with an error\n", fs->options.source, why);
	WRITE_ONCE(fs->state, NACRE_FS_FORCED);
	wake_up_all(&fs->state_wait);
	nacre_osd_fail_all(fs, -EIO);
	nacre_mds_force(fs);
}

static void umount_begin(struct super_block *sb)
{
	nacre_fs_cut(nacre_fs(sb), "forced unmount");
}

/* All inodes are evicted but those that dirty attributes or requests still hold. */
static void put_super(struct super_block *sb)
{
	struct nacre_fs *fs = nacre_fs(sb);

	if (!fs->mds)
		return;
	nacre_caps_drain(fs);
	/* INLINE-4: else it is cut off, as if we had died, and the rank looks at the objects. */
	if (!nacre_small_settle(fs))
		nacre_mds_session_close(fs);
	nacre_mds_force(fs);		/* nothing is left of a session that was closed in order */
	nacre_mds_drain(fs);
	nacre_caps_drain(fs);
	nacre_mds_drain(fs);
}

static void kill_sb(struct super_block *sb)
{
	struct nacre_fs *fs = nacre_fs(sb);

	if (fs->state == NACRE_FS_RUNNING)
		WRITE_ONCE(fs->state, NACRE_FS_STOPPING);
	kill_anon_super(sb);
	fs_free(fs);
}

static int sync_fs(struct super_block *sb, int wait)
{
	struct nacre_fs *fs = nacre_fs(sb);
	int err = nacre_caps_sync_fs(fs, wait);

	if (!err && wait)
		err = nacre_mds_sync_fs(fs);
	return err;
}

/*
 * The VFS keeps out writers and faults, and has synced: all data is at the OSDs, attributes and names are journaled. What
 * we do later by ourselves changes nothing at the servers: there is nothing dirty, and access times wait for something that is.
 */
static int freeze_fs(struct super_block *sb)
{
	return nacre_fs_error(nacre_fs(sb));
}

/* Inside a tree with a quota that is the space there is, if the disks have as much. */
static void apply_quota(const struct nacre_quota *quota, struct nacre_statfs *space)
{
	if (quota->bytes_total) {
		space->bytes_total = min(space->bytes_total, quota->bytes_total);
		space->bytes_free = min(space->bytes_free, quota->bytes_free);
	}
	if (quota->files_total) {
		space->files_free = min(space->files_free, quota->files_free);
		space->files = quota->files_total - min(quota->files_total, quota->files_free);
	}
}

int nacre_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct nacre_fs *fs = nacre_fs(dentry->d_sb);
	struct nacre_statfs space;
	struct nacre_quota quota;
	int err = nacre_mds_statfs(fs, &space) ?: nacre_quota_get(d_inode(dentry), &quota);

	if (err)
		return err;
	apply_quota(&quota, &space);
	buf->f_type = NACRE_SUPER_MAGIC;
	buf->f_bsize = PAGE_SIZE;
	buf->f_frsize = PAGE_SIZE;
	buf->f_blocks = space.bytes_total >> PAGE_SHIFT;
	buf->f_bfree = space.bytes_free >> PAGE_SHIFT;
	buf->f_bavail = buf->f_bfree;
	buf->f_files = space.files + space.files_free;
	buf->f_ffree = space.files_free;
	buf->f_namelen = NACRE_NAME_MAX;
	buf->f_fsid.val[0] = lower_32_bits(fs->fsid_lo);
	buf->f_fsid.val[1] = lower_32_bits(fs->fsid_hi);
	return 0;
}

/* What is dirty we know ourselves, but for times that wait for the VFS (nacre_update_time). */
static void dirty_inode(struct inode *inode, int flags)
{
	nacre_caps_say_accessed(inode);
}

const struct super_operations nacre_super_ops = {
	.alloc_inode = nacre_inode_alloc,
	.free_inode = nacre_inode_free,
	.dirty_inode = dirty_inode,
	.evict_inode = nacre_inode_evict,
	.put_super = put_super,
	.sync_fs = sync_fs,
	.freeze_fs = freeze_fs,
	.statfs = nacre_statfs,
	.show_options = nacre_show_options,
	.umount_begin = umount_begin,
};

static struct file_system_type nacre_fs_type = {
	.owner = THIS_MODULE,
	.name = "nacre",
	.init_fs_context = init_fs_context,
	.parameters = nacre_parameters,
	.kill_sb = kill_sb,
	.fs_flags = FS_ALLOW_IDMAP,
};
MODULE_ALIAS_FS("nacre");

int nacre_vfs_init(void)
{
	int err = nacre_inode_cache_init();

	if (err)
		return err;
	err = register_filesystem(&nacre_fs_type);
	if (err)
		nacre_inode_cache_exit();
	return err;
}

void nacre_vfs_exit(void)
{
	unregister_filesystem(&nacre_fs_type);
	nacre_inode_cache_exit();
}
