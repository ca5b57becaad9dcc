// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes. The whole set of an inode is one immutable sequence
 * (struct nacre_xattrs), read under XATTR_SHARED. Under XATTR_EXCL a change makes a new sequence here and
 * is flushed later; else it is a SETXATTR or RMXATTR request.
 */
#include <linux/fs.h>
#include <linux/posix_acl_xattr.h>
#include <linux/slab.h>
#include "vfs.h"
#include "protocol/rules/quota.h"
#include "protocol/rules/validate.h"

/* ---- the sequence ------------------------------------------------------------------------------------------- */

/* The set as it is known now; a reference, NULL = empty. */
static struct nacre_xattrs *get_set(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_xattrs *set;

	spin_lock(&ni->cap_lock);
	set = ni->xattrs ? nacre_xattrs_get(ni->xattrs) : NULL;
	spin_unlock(&ni->cap_lock);
	return set;
}

static struct nacre_reader read_set(const struct nacre_xattrs *set)
{
	return set ? nacre_reader(set->sequence, set->bytes) : nacre_reader(NULL, 0);
}

static bool is_named(const struct nacre_xattr *xattr, const char *name, size_t length)
{
	return xattr->name_bytes == length && !memcmp(xattr->name, name, length);
}

static bool find(const struct nacre_xattrs *set, const char *name, struct nacre_xattr *found)
{
	struct nacre_reader r = read_set(set);

	while (nacre_xattr_next(&r, found))
		if (is_named(found, name, strlen(name)))
			return true;
	return false;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

ssize_t nacre_xattr_read(struct inode *inode, const char *name, void *value, size_t value_bytes)
{
	struct nacre_xattrs *set;
	struct nacre_xattr found;
	ssize_t result = -ENODATA;
	int err;

	err = nacre_caps_refresh(inode, NACRE_GROUP_XATTR, false);
	if (err)
		return err;
	set = get_set(inode);
	if (find(set, name, &found)) {
		result = found.value_bytes;
		if (value_bytes && value_bytes < found.value_bytes)
			result = -ERANGE;
		else if (value_bytes)
			memcpy(value, found.value, found.value_bytes);
	}
	nacre_xattrs_put(set);
	return result;
}

static bool may_list(const struct nacre_xattr *xattr)
{
	return xattr->name_bytes < XATTR_TRUSTED_PREFIX_LEN ||
	       memcmp(xattr->name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN) ||
	       capable(CAP_SYS_ADMIN);
}

ssize_t nacre_listxattr(struct dentry *dentry, char *buffer, size_t buffer_bytes)
{
	struct inode *inode = d_inode(dentry);
	struct nacre_xattrs *set;
	struct nacre_xattr xattr;
	struct nacre_reader r;
	size_t total = 0;
	int err;

	err = nacre_caps_refresh(inode, NACRE_GROUP_XATTR, false);
	if (err)
		return err;
	set = get_set(inode);
	r = read_set(set);
	while (!err && nacre_xattr_next(&r, &xattr)) {
		if (!may_list(&xattr))
			continue;
		if (buffer_bytes && total + xattr.name_bytes + 1 > buffer_bytes) {
			err = -ERANGE;
		} else if (buffer_bytes) {
			memcpy(buffer + total, xattr.name, xattr.name_bytes);
			buffer[total + xattr.name_bytes] = 0;
		}
		total += xattr.name_bytes + 1;
	}
	nacre_xattrs_put(set);
	return err ?: total;
}

ssize_t nacre_xattr_bytes(struct inode *inode)
{
	struct nacre_xattrs *set;
	ssize_t bytes;
	int err;

	err = nacre_caps_refresh(inode, NACRE_GROUP_XATTR, false);
	if (err)
		return err;
	set = get_set(inode);
	bytes = set ? set->bytes : 0;
	nacre_xattrs_put(set);
	return bytes;
}

/* ---- changing here ---------------------------------------------------------------------------------------------- */

static size_t encoded_bytes(size_t name_bytes, size_t value_bytes)
{
	return sizeof(struct nacre_xattr_wire) + name_bytes + value_bytes;
}

/* `set` without `name`, and with it again if there is a value. ERR_PTR, or NULL for the empty set. */
static struct nacre_xattrs *changed_set(const struct nacre_xattrs *set, const char *name,
					const void *value, size_t value_bytes)
{
	struct nacre_xattr xattr, fresh = {
		.name = (const u8 *)name, .name_bytes = strlen(name),
		.value = value, .value_bytes = value_bytes,
	};
	size_t room = (set ? set->bytes : 0) + encoded_bytes(fresh.name_bytes, value_bytes);
	struct nacre_reader r = read_set(set);
	struct nacre_xattrs *result = NULL;
	struct nacre_writer w;
	u8 *buffer;

	buffer = kvmalloc(room, GFP_NOFS);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	w = nacre_writer(buffer, room);
	while (nacre_xattr_next(&r, &xattr))
		if (!is_named(&xattr, name, fresh.name_bytes))
			nacre_encode(nacre_xattr_desc(), &w, &xattr);
	if (value)
		nacre_encode(nacre_xattr_desc(), &w, &fresh);
	if (nacre_writer_bytes(&w) > NACRE_XATTRS_MAX)
		result = ERR_PTR(-ENOSPC);
	else if (nacre_writer_bytes(&w))
		result = nacre_xattrs_new(buffer, nacre_writer_bytes(&w), GFP_NOFS) ?:
			 ERR_PTR(-ENOMEM);
	kvfree(buffer);
	return result;
}

static void put_in_place(struct inode *inode, struct nacre_xattrs *set)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_xattrs *old;

	spin_lock(&ni->cap_lock);
	old = ni->xattrs;
	ni->xattrs = set;
	ni->xattrs_known = true;
	inode_set_ctime_current(inode);
	spin_unlock(&ni->cap_lock);
	nacre_xattrs_put(old);
	nacre_caps_mark_dirty(inode, NACRE_GROUP_XATTR);
}

/* Under XATTR_EXCL, and the inode lock of the VFS. 0, -EAGAIN: not held. */
static int write_here(struct inode *inode, const char *name, const void *value, size_t value_bytes,
		      int flags)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_xattrs *set, *fresh;
	struct nacre_xattr found;
	bool exists;
	u32 got;
	int err;

	err = nacre_caps_try(inode, NACRE_CAP_XATTR_EXCL, 0, 0, &got);
	if (err)
		return err;
	err = -EAGAIN;
	if (!READ_ONCE(ni->xattrs_known))
		goto out;
	set = get_set(inode);
	exists = find(set, name, &found);
	err = 0;
	if (exists && flags & XATTR_CREATE)
		err = -EEXIST;
	else if (!exists && (flags & XATTR_REPLACE || !value))
		err = -ENODATA;
	fresh = err ? NULL : changed_set(set, name, value, value_bytes);
	nacre_xattrs_put(set);
	if (IS_ERR(fresh))
		err = PTR_ERR(fresh);
	if (!err)
		put_in_place(inode, fresh);
out:
	nacre_caps_put(inode, got);
	return err;
}

/* ---- changing at the rank ---------------------------------------------------------------------------------------- */

static int write_there(struct inode *inode, const char *name, const void *value,
		       size_t value_bytes, int flags)
{
	struct nacre_record record = {
		.kind = value ? NACRE_RECORD_SETXATTR : NACRE_RECORD_RMXATTR,
		.ino = inode->i_ino,
		.name = (const u8 *)name,
		.name_bytes = strlen(name),
		.value = value,
		.value_bytes = value_bytes,
		.ctime = nacre_time_ns(current_time(inode)),
	};
	struct nacre_mds_request *req;
	int err;

	if (flags & XATTR_CREATE)
		record.xattr_flags = NACRE_XATTR_CREATE;
	else if (value && flags & XATTR_REPLACE)
		record.xattr_flags = NACRE_XATTR_REPLACE;
	nacre_caps_flush_start(inode);		/* LOG-1 */
	req = nacre_mds_record(nacre_inode_fs(inode), &record, NULL, NULL, inode, NULL);
	if (IS_ERR(req))
		return PTR_ERR(req);
	req->body.record.flags = NACRE_REQUEST_WANT_XATTRS;
	err = nacre_mds_call(req);
	nacre_mds_request_put(req);
	return err;
}

int nacre_xattr_write(struct inode *inode, const char *name, const void *value, size_t value_bytes,
		      int flags)
{
	int err;

	if (strlen(name) > NACRE_XATTR_NAME_MAX)
		return -ERANGE;
	if (value_bytes > NACRE_XATTR_VALUE_MAX)
		return -E2BIG;
	err = nacre_flags_forbid(inode, NACRE_INODE_FIXED);
	if (err)
		return err;
	err = write_here(inode, name, value, value_bytes, flags);
	if (err == -EAGAIN)
		err = write_there(inode, name, value, value_bytes, flags);
	return err;
}

/* ---- handlers ------------------------------------------------------------------------------------------------------ */

static int handler_get(const struct xattr_handler *handler, struct dentry *dentry,
		       struct inode *inode, const char *name, void *value, size_t value_bytes)
{
	return nacre_xattr_read(inode, xattr_full_name(handler, name), value, value_bytes);
}

static int handler_set(const struct xattr_handler *handler, struct mnt_idmap *idmap,
		       struct dentry *dentry, struct inode *inode, const char *name,
		       const void *value, size_t value_bytes, int flags)
{
	return nacre_xattr_write(inode, xattr_full_name(handler, name), value, value_bytes, flags);
}

static const struct xattr_handler user_handler = {
	.prefix = XATTR_USER_PREFIX,
	.get = handler_get,
	.set = handler_set,
};

static const struct xattr_handler trusted_handler = {
	.prefix = XATTR_TRUSTED_PREFIX,
	.get = handler_get,
	.set = handler_set,
};

static const struct xattr_handler security_handler = {
	.prefix = XATTR_SECURITY_PREFIX,
	.get = handler_get,
	.set = handler_set,
};

/* Files that grew here may not have said so yet: they do, on the same way before the question. */
int nacre_quota_get(struct inode *inode, struct nacre_quota *quota)
{
	int err = nacre_mds_quota(inode, quota);

	if (err || !quota->dir)
		return err;
	err = nacre_caps_sync_fs(nacre_inode_fs(inode), false);
	return err ?: nacre_mds_quota(inode, quota);
}

/*
 * Quotas (rules/quota.h). Nothing of them is kept here: use changes with whatever anybody does in the tree. Who may set a limit is
 * not its directory's owner, whom it limits, but the administrator.
 */
static int own_get(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode,
		   const char *name, void *value, size_t value_bytes)
{
	const char *full = xattr_full_name(handler, name);
	enum nacre_quota_xattr xattr = nacre_quota_xattr((const u8 *)full, strlen(full));
	char text[NACRE_QUOTA_TEXT_BYTES];
	struct nacre_quota quota;
	u32 bytes;
	int err;

	if (xattr == NACRE_QUOTA_NONE)
		return -EOPNOTSUPP;
	err = nacre_quota_get(inode, &quota);
	if (err)
		return err;
	if (quota.dir != inode->i_ino ||
	    (nacre_quota_is_settable(xattr) && !nacre_quota_value(xattr, &quota)))
		return -ENODATA;
	bytes = nacre_quota_text(nacre_quota_value(xattr, &quota), text);
	if (value_bytes && value_bytes < bytes)
		return -ERANGE;
	if (value_bytes)
		memcpy(value, text, bytes);
	return bytes;
}

static int own_set(const struct xattr_handler *handler, struct mnt_idmap *idmap, struct dentry *dentry,
		   struct inode *inode, const char *name, const void *value, size_t value_bytes,
		   int flags)
{
	if (!nacre_mds_has_feature(nacre_inode_fs(inode), NACRE_FEATURE_QUOTA))
		return -EOPNOTSUPP;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (value_bytes > NACRE_QUOTA_TEXT_BYTES)
		return -EINVAL;
	return write_there(inode, xattr_full_name(handler, name), value, value_bytes, flags);
}

static const struct xattr_handler own_handler = {
	.prefix = NACRE_XATTR_OWN_PREFIX,
	.get = own_get,
	.set = own_set,
};

/* POSIX ACLs come through get_inode_acl and set_acl. */
const struct xattr_handler * const nacre_xattr_handlers[] = {
	&user_handler,
	&trusted_handler,
	&security_handler,
	&own_handler,
	NULL
};
