// SPDX-License-Identifier: GPL-2.0
/*
 * Names: looking them up, making, linking, removing and renaming them. Every change is one
 * nacre_record in one request, made by `change`; what differs is in the record, in
 * the inodes it names and in what happens to the dentries after it.
 *
 *	fill record → dentries unsure → request → (inbox: inodes, caps) → dentries stamped
 *
 * The VFS holds the directories' inode locks. The rank judges again what the VFS has
 * checked from the cache: existence, emptiness, type.
 */
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include "vfs.h"

/* ---- looking up ------------------------------------------------------------------------------------------- */

/*
 * Somebody is about to make this name and nothing else: the rank will say EEXIST if need be.
 * Not without the right to: then the caller must hear EEXIST rather than EACCES.
 */
static bool is_exclusive_make(struct inode *dir, unsigned int flags)
{
	return (flags & (LOOKUP_CREATE | LOOKUP_EXCL)) == (LOOKUP_CREATE | LOOKUP_EXCL) &&
	       !(flags & LOOKUP_RENAME_TARGET) &&
	       !inode_permission(&nop_mnt_idmap, dir, MAY_WRITE | MAY_EXEC);
}

/* Caps worth having with the answer, by what an open is going to do. */
static u32 caps_of_open(unsigned int open_flags)
{
	u32 wanted = 0;

	if ((open_flags & O_ACCMODE) != O_WRONLY)
		wanted |= NACRE_WANT_READ;
	if ((open_flags & O_ACCMODE) != O_RDONLY)
		wanted |= NACRE_WANT_WRITE;
	return wanted;
}

static struct dentry *look_up(struct inode *dir, struct dentry *dentry, u32 wanted)
{
	struct nacre_mds_request *req;
	struct inode *inode = NULL;
	struct dentry *result;
	u64 epoch;

	if (dentry->d_name.len > NACRE_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	epoch = nacre_dir_complete_epoch(dir);
	if (epoch) {
		nacre_count(nacre_inode_fs(dir), lookups_local);
		nacre_dentry_stamp(dentry, epoch);
		d_add(dentry, NULL);
		return NULL;
	}
	req = nacre_mds_lookup(dir, &dentry->d_name, wanted);
	if (IS_ERR(req))
		return ERR_CAST(req);
	epoch = req->dir_epoch;
	if (!req->result) {
		inode = req->target ?: ERR_PTR(-EIO);
		req->target = NULL;
	}
	nacre_mds_request_put(req);

	nacre_dentry_stamp(dentry, epoch);
	result = d_splice_alias(inode, dentry);
	if (!IS_ERR_OR_NULL(result))
		nacre_dentry_stamp(result, epoch);
	return result;
}

struct dentry *nacre_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	if (is_exclusive_make(dir, flags))
		return NULL;
	return look_up(dir, dentry, flags & LOOKUP_OPEN ? NACRE_WANT_READ : 0);
}

/* A creator has its inode to itself, until somebody else uses it. */
#define WANT_NEW (NACRE_CAPS_ALL_SHARED | (NACRE_CAPS_ANY_EXCL & ~NACRE_CAP_DIRX))

/* ---- one change -------------------------------------------------------------------------------------------- */

static void set_name(struct nacre_record *record, struct inode *dir, const struct dentry *dentry)
{
	record->parent = dir->i_ino;
	record->name = dentry->d_name.name;
	record->name_bytes = dentry->d_name.len;
	record->ctime = nacre_time_ns(current_time(dir));
}

/* Send the record and wait. The request, or ERR_PTR. */
static struct nacre_mds_request *change(const struct nacre_record *record, struct inode *dir,
					struct inode *dir2, struct inode *target,
					struct inode *victim)
{
	struct nacre_mds_request *req;
	int err;

	req = nacre_mds_record(nacre_inode_fs(dir), record, dir, dir2, target, victim);
	if (IS_ERR(req))
		return req;
	err = nacre_mds_call(req);
	if (err) {
		nacre_mds_request_put(req);
		return ERR_PTR(err);
	}
	return req;
}

/* Attach what was made to its dentry, hashed or not. */
static void attach(struct dentry *dentry, struct inode *inode, u64 epoch)
{
	nacre_dentry_stamp(dentry, epoch);
	if (d_unhashed(dentry))
		d_add(dentry, inode);
	else
		d_instantiate(dentry, inode);
}

/* ---- making ------------------------------------------------------------------------------------------------ */

static void set_owner(struct mnt_idmap *idmap, struct inode *dir, struct nacre_record *record,
		      umode_t *mode)
{
	record->uid = from_kuid(&init_user_ns, mapped_fsuid(idmap, &init_user_ns));
	if (dir->i_mode & S_ISGID) {
		record->gid = i_gid_read(dir);
		if (S_ISDIR(*mode))
			*mode |= S_ISGID;
	} else {
		record->gid = from_kgid(&init_user_ns, mapped_fsgid(idmap, &init_user_ns));
	}
}

/* May the inode number that the record offered be in use now? */
static bool was_used(const struct nacre_mds_request *req, int err)
{
	if (err == -EINTR || err == -ETIMEDOUT || err == -EIO)
		return true;		/* nobody knows */
	return !err && (req->body.record.kind != NACRE_RECORD_CREATE ||
			req->reply_flags & NACRE_REPLY_CREATED);
}

/*
 * Make what the record's kind says. Fills owner, mode (umask and default ACL applied), times and
 * inherited xattrs; kind, and what is particular to it, are the caller's.
 */
static struct nacre_mds_request *make(struct mnt_idmap *idmap, struct inode *dir,
				      struct dentry *dentry, umode_t mode, u32 wanted,
				      struct nacre_record *record)
{
	struct nacre_fs *fs = nacre_inode_fs(dir);
	struct nacre_mds_request *req;
	u8 *xattrs = NULL;
	int err;

	if (dentry->d_name.len > NACRE_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	set_name(record, dir, dentry);
	if (record->kind == NACRE_RECORD_TMPFILE)
		record->name_bytes = 0;		/* the VFS calls it "/" */
	set_owner(idmap, dir, record, &mode);
	err = nacre_acl_inherit(dir, dentry, &mode, &xattrs, &record->xattrs_bytes);
	if (err)
		return ERR_PTR(err);
	record->xattrs = xattrs;
	record->mode = mode;
	record->set_mask = NACRE_SET_MODE | NACRE_SET_UID | NACRE_SET_GID | NACRE_SET_ATIME |
			   NACRE_SET_MTIME | NACRE_SET_CTIME | NACRE_SET_BTIME;
	record->atime = record->mtime = record->btime = record->ctime;

	record->ino = nacre_mds_take_ino(fs);
	req = nacre_mds_record(fs, record, dir, NULL, NULL, NULL);
	kvfree(xattrs);
	if (IS_ERR(req))
		return req;
	req->body.record.wanted = wanted;
	err = nacre_mds_call(req);
	if (!was_used(req, err))
		nacre_mds_give_ino_back(fs, record->ino);
	if (!err && !req->target && !req->learn_error && record->kind == NACRE_RECORD_TMPFILE) {
		err = -ESTALE;
	} else if (!err && !req->target) {
		/* Made, but there was no memory to take it in: the directory has a name more than is known here. */
		nacre_dir_incomplete(dir);
		err = req->learn_error ?: -EIO;
	}
	if (err) {
		nacre_dentry_unsure(dentry);
		nacre_mds_request_put(req);
		return ERR_PTR(err);
	}
	return req;
}

/* make, for those that end with an inode under a dentry and no more. */
static int make_entry(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		      umode_t mode, struct nacre_record *record)
{
	struct nacre_mds_request *req;
	struct inode *inode;

	req = make(idmap, dir, dentry, mode, WANT_NEW, record);
	if (IS_ERR(req))
		return PTR_ERR(req);
	inode = req->target;
	ihold(inode);
	attach(dentry, inode, req->dir_epoch);
	/* Nothing is in it yet, so everything in it is known. */
	if (S_ISDIR(inode->i_mode))
		nacre_dir_set_complete(inode, req->target_epoch, 0);
	nacre_mds_request_put(req);
	return 0;
}

/* A new file's data begins in its inode, where the file system has that and the mount wants it. */
static u32 inline_flag(const struct inode *dir)
{
	return nacre_inline_here(nacre_inode_fs(dir)) ? NACRE_RECORD_INLINE : 0;
}

static int nacre_create(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			umode_t mode NACRE_COMPAT_CREATE_EXCL)
{
	struct nacre_record record = {
		.kind = NACRE_RECORD_CREATE,
		.record_flags = NACRE_RECORD_EXCL | inline_flag(dir),
	};

	return make_entry(idmap, dir, dentry, mode | S_IFREG, &record);
}

static nacre_compat_mkdir_t nacre_mkdir(struct mnt_idmap *idmap, struct inode *dir,
					struct dentry *dentry, umode_t mode)
{
	struct nacre_record record = { .kind = NACRE_RECORD_MKDIR };

	return nacre_compat_mkdir_result(make_entry(idmap, dir, dentry, mode | S_IFDIR, &record));
}

static int nacre_mknod(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		       umode_t mode, dev_t rdev)
{
	struct nacre_record record = {
		.kind = NACRE_RECORD_MKNOD,
	};

	if (S_ISBLK(mode) || S_ISCHR(mode))
		record.rdev = MAJOR(rdev) << 20 | MINOR(rdev);
	if (S_ISREG(mode)) {
		record.kind = NACRE_RECORD_CREATE;
		record.record_flags = NACRE_RECORD_EXCL | inline_flag(dir);
	}
	return make_entry(idmap, dir, dentry, mode, &record);
}

static int nacre_symlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			 const char *target)
{
	struct nacre_record record = {
		.kind = NACRE_RECORD_SYMLINK,
		.value = (const u8 *)target,
		.value_bytes = strlen(target),
	};

	if (record.value_bytes > NACRE_SYMLINK_MAX)
		return -ENAMETOOLONG;
	return make_entry(idmap, dir, dentry, S_IFLNK | 0777, &record);
}

/* ---- opening and making in one ------------------------------------------------------------------------------- */

static int open_known(struct inode *dir, struct dentry *dentry, struct file *file,
		      unsigned int flags)
{
	struct dentry *found = NULL;

	if (d_in_lookup(dentry)) {
		found = look_up(dir, dentry, caps_of_open(flags));
		if (IS_ERR(found))
			return PTR_ERR(found);
	}
	return finish_no_open(file, found);
}

static int open_made(struct inode *dir, struct dentry *dentry, struct file *file,
		     struct nacre_mds_request *req)
{
	struct inode *inode = req->target;
	struct dentry *alias;

	req->target = NULL;
	if (!d_unhashed(dentry))
		d_drop(dentry);
	nacre_dentry_stamp(dentry, req->dir_epoch);
	alias = d_splice_alias(inode, dentry);
	if (IS_ERR(alias))
		return PTR_ERR(alias);
	if (alias)
		nacre_dentry_stamp(alias, req->dir_epoch);
	if (req->reply_flags & NACRE_REPLY_CREATED)
		file->f_mode |= FMODE_CREATED;
	/* What was there need not be a regular file: the VFS goes on with it. */
	if (alias || !S_ISREG(inode->i_mode))
		return finish_no_open(file, alias);
	return finish_open(file, dentry, nacre_file_open);
}

/*
 * Never with TRUNC: whether the caller may write an existing file is judged by the VFS after this,
 * and it truncates then.
 */
static int nacre_atomic_open(struct inode *dir, struct dentry *dentry, struct file *file,
			     unsigned int flags, umode_t mode)
{
	struct nacre_record record = {
		.kind = NACRE_RECORD_CREATE,
		.record_flags = (flags & O_EXCL ? NACRE_RECORD_EXCL : 0) | inline_flag(dir),
	};
	struct nacre_mds_request *req;
	int err;

	if (!(flags & O_CREAT))
		return open_known(dir, dentry, file, flags);
	req = make(file_mnt_idmap(file), dir, dentry, mode | S_IFREG, WANT_NEW | caps_of_open(flags),
		   &record);
	if (req == ERR_PTR(-EEXIST) && !(flags & O_EXCL))
		return open_known(dir, dentry, file, flags);	/* no regular file is there */
	if (IS_ERR(req))
		return PTR_ERR(req);
	err = open_made(dir, dentry, file, req);
	nacre_mds_request_put(req);
	return err;
}

/*
 * A file without a name. The rank may have made it and let it go again, when it was restarted before the answer
 * came and nobody was there to claim it: that is ESTALE, and the VFS opens once more.
 */
static int nacre_tmpfile(struct mnt_idmap *idmap, struct inode *dir, struct file *file, umode_t mode)
{
	u32 wanted = WANT_NEW | caps_of_open(file->f_flags);
	struct nacre_record record = { .kind = NACRE_RECORD_TMPFILE, .record_flags = inline_flag(dir) };
	struct dentry *dentry = file->f_path.dentry;
	struct nacre_mds_request *req;

	req = make(idmap, dir, dentry, mode | S_IFREG, wanted, &record);
	if (IS_ERR(req))
		return PTR_ERR(req);
	ihold(req->target);
	d_mark_tmpfile(file, req->target);
	d_instantiate(dentry, req->target);
	nacre_mds_request_put(req);
	return finish_open_simple(file, 0);
}

/* ---- linking and removing ---------------------------------------------------------------------------------------- */

static int nacre_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	struct nacre_record record = { .kind = NACRE_RECORD_LINK, .ino = inode->i_ino };
	struct nacre_mds_request *req;

	if (dentry->d_name.len > NACRE_NAME_MAX)
		return -ENAMETOOLONG;
	/* What lost its last name elsewhere, a moment ago, gets none. */
	if (nacre_compat_inode_state(inode) & I_LINKABLE)
		record.record_flags = NACRE_RECORD_NAMELESS;
	nacre_caps_flush_start(inode);		/* LOG-1 */
	set_name(&record, dir, dentry);
	nacre_dentry_unsure(dentry);
	req = change(&record, dir, NULL, inode, NULL);
	if (IS_ERR(req))
		return PTR_ERR(req);
	ihold(inode);
	attach(dentry, inode, req->dir_epoch);
	nacre_mds_request_put(req);
	return 0;
}

static int remove(struct inode *dir, struct dentry *dentry, u16 kind)
{
	struct inode *inode = d_inode(dentry);
	struct nacre_record record = { .kind = kind, .ino = inode->i_ino };
	struct nacre_mds_request *req;

	set_name(&record, dir, dentry);
	nacre_dentry_unsure(dentry);
	req = change(&record, dir, NULL, NULL, inode);
	if (IS_ERR(req))
		return PTR_ERR(req);
	/* The VFS makes the dentry negative: that is what the directory says now. */
	nacre_dentry_stamp(dentry, req->dir_epoch);
	nacre_mds_request_put(req);
	return 0;
}

static int nacre_unlink(struct inode *dir, struct dentry *dentry)
{
	return remove(dir, dentry, NACRE_RECORD_UNLINK);
}

static int nacre_rmdir(struct inode *dir, struct dentry *dentry)
{
	return remove(dir, dentry, NACRE_RECORD_RMDIR);
}

/* ---- renaming ------------------------------------------------------------------------------------------------------ */

#define RENAME_KNOWN (RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)

static u16 rename_flags_of(unsigned int flags)
{
	return (flags & RENAME_NOREPLACE ? NACRE_RENAME_NOREPLACE : 0) |
	       (flags & RENAME_EXCHANGE ? NACRE_RENAME_EXCHANGE : 0) |
	       (flags & RENAME_WHITEOUT ? NACRE_RENAME_WHITEOUT : 0);
}

/*
 * LOG-1: dirty attributes of what moves go first. Replacing a file by a new one is how programs
 * save: have the new one's data on its way before the old one goes.
 */
static void prepare_source(struct inode *source, struct inode *replaced)
{
	/* A small file's pages go into its inode, so that the flush has them. */
	if (replaced && S_ISREG(source->i_mode))
		filemap_flush(source->i_mapping);
	nacre_caps_flush_start(source);
}

/* The VFS moves the dentries right after; what they are stamped with holds at their new places. */
static void stamp_moved(struct dentry *old, struct dentry *new, unsigned int flags,
			const struct nacre_mds_request *req)
{
	u64 here = req->dir_epoch, there = req->parent2 ? req->dir_epoch2 : req->dir_epoch;

	nacre_dentry_stamp(old, there);
	if (flags & RENAME_EXCHANGE)
		nacre_dentry_stamp(new, here);
	/* The whiteout has no dentry yet. */
	if (flags & RENAME_WHITEOUT)
		nacre_dir_incomplete(d_inode(old->d_parent));
}

static int nacre_rename(struct mnt_idmap *idmap, struct inode *old_dir, struct dentry *old,
			struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	struct inode *source = d_inode(old), *replaced = d_inode(new);
	struct nacre_record record = {
		.kind = NACRE_RECORD_RENAME,
		.parent2 = new_dir->i_ino,
		.name2 = new->d_name.name,
		.name2_bytes = new->d_name.len,
		.rename_flags = rename_flags_of(flags),
	};
	struct nacre_mds_request *req;

	if (flags & ~RENAME_KNOWN)
		return -EINVAL;
	if (new->d_name.len > NACRE_NAME_MAX)
		return -ENAMETOOLONG;
	prepare_source(source, replaced);
	set_name(&record, old_dir, old);
	nacre_dentry_unsure(old);
	nacre_dentry_unsure(new);
	req = change(&record, old_dir, new_dir == old_dir ? NULL : new_dir, source, replaced);
	if (IS_ERR(req))
		return PTR_ERR(req);
	stamp_moved(old, new, flags, req);
	nacre_mds_request_put(req);
	return 0;
}

const struct inode_operations nacre_dir_inode_ops = {
	.lookup = nacre_lookup,
	.atomic_open = nacre_atomic_open,
	.create = nacre_create,
	.tmpfile = nacre_tmpfile,
	.mkdir = nacre_mkdir,
	.mknod = nacre_mknod,
	.symlink = nacre_symlink,
	.link = nacre_link,
	.unlink = nacre_unlink,
	.rmdir = nacre_rmdir,
	.rename = nacre_rename,
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
