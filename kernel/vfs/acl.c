// SPDX-License-Identifier: GPL-2.0
/*
 * POSIX ACLs, which lie in the extended attributes system.posix_acl_access and _default, and
 * what a new inode inherits: umask or default ACL, and the security label. An inode
 * is made with all of it in its one record (catalogue B11).
 */
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/security.h>
#include <linux/slab.h>
#include "vfs.h"
#include "protocol/codec.h"

#define LABEL_NAME_MAX 64

struct posix_acl *nacre_get_acl(struct inode *inode, int type, bool rcu)
{
	const char *name = posix_acl_xattr_name(type);
	struct posix_acl *acl;
	void *value = NULL;
	ssize_t length;

	if (rcu)
		return ERR_PTR(-ECHILD);
	length = nacre_xattr_read(inode, name, NULL, 0);
	if (length > 0) {
		value = kmalloc(length, GFP_NOFS);
		if (!value)
			return ERR_PTR(-ENOMEM);
		length = nacre_xattr_read(inode, name, value, length);
	}
	if (length > 0)
		acl = posix_acl_from_xattr(&init_user_ns, value, length);
	else if (!length || length == -ENODATA || length == -EOPNOTSUPP)
		acl = NULL;
	else
		acl = ERR_PTR(length);
	kfree(value);
	return acl;
}

/* An ACL in the form of its extended attribute: *value is kmalloc'ed. Its length, or -errno. */
static int encode_acl(const struct posix_acl *acl, void **value)
{
	size_t bytes;

	*value = nacre_compat_acl_encode(acl, &bytes);
	return *value ? (int)bytes : -ENOMEM;
}

int nacre_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	struct iattr attr = { .ia_valid = ATTR_MODE | ATTR_CTIME, .ia_mode = inode->i_mode };
	umode_t mode = inode->i_mode;
	void *value = NULL;
	int length = 0, err;

	if (type == ACL_TYPE_DEFAULT && !S_ISDIR(inode->i_mode))
		return acl ? -EACCES : 0;
	if (type == ACL_TYPE_ACCESS && acl) {
		err = posix_acl_update_mode(idmap, inode, &mode, &acl);
		if (err)
			return err;
	}
	if (acl) {
		length = encode_acl(acl, &value);
		if (length < 0)
			goto out;
	}
	length = nacre_xattr_write(inode, posix_acl_xattr_name(type), value, length, 0);
	if (length == -ENODATA && !value)
		length = 0;		/* there was none to be removed */
	if (length)
		goto out;
	set_cached_acl(inode, type, acl);
	if (mode != inode->i_mode) {
		attr.ia_mode = mode;
		attr.ia_ctime = current_time(inode);
		length = nacre_attr_set(idmap, inode, &attr);
	}
out:
	kfree(value);
	return length;
}

/* ---- inheritance ------------------------------------------------------------------------------------------ */

/* Up to three: access ACL, default ACL, label. */
struct inherited {
	const char *name[3];
	void *value[3];
	int length[3];
	int count;
};

static int inherit_acl(struct inherited *in, struct posix_acl *acl, const char *name)
{
	int length;

	if (!acl)
		return 0;
	length = encode_acl(acl, &in->value[in->count]);
	if (length < 0)
		return length;
	in->name[in->count] = name;
	in->length[in->count++] = length;
	return 0;
}

/* The label that the security module gives to what is made here, if it gives one. */
static int inherit_label(struct inherited *in, struct dentry *dentry, umode_t mode,
			 char full_name[LABEL_NAME_MAX])
{
	nacre_compat_label label = { };
	const char *name = NULL;
	u32 length;
	int err;

	err = nacre_compat_label_new(dentry, mode, &name, &label);
	if (err)
		return err == -EOPNOTSUPP ? 0 : err;
	length = label.len;
	if (!name || !length)
		return 0;
	in->value[in->count] = kmemdup(label.context, length, GFP_NOFS);
	nacre_compat_label_release(&label);
	if (!in->value[in->count])
		return -ENOMEM;
	strscpy(full_name, name, LABEL_NAME_MAX);
	in->name[in->count] = full_name;
	in->length[in->count++] = length;
	return 0;
}

static int encode_inherited(const struct inherited *in, u8 **xattrs, u32 *xattrs_bytes)
{
	struct nacre_writer w;
	size_t bytes = 0;

	for (int i = 0; i < in->count; i++)
		bytes += sizeof(struct nacre_xattr_wire) + strlen(in->name[i]) + in->length[i];
	if (!bytes)
		return 0;
	*xattrs = kvmalloc(bytes, GFP_NOFS);
	if (!*xattrs)
		return -ENOMEM;
	w = nacre_writer(*xattrs, bytes);
	for (int i = 0; i < in->count; i++) {
		struct nacre_xattr xattr = {
			.name = (const u8 *)in->name[i], .name_bytes = strlen(in->name[i]),
			.value = in->value[i], .value_bytes = in->length[i],
		};
		int err = nacre_encode(nacre_xattr_desc(), &w, &xattr);

		if (err)
			return err;
	}
	*xattrs_bytes = nacre_writer_bytes(&w);
	return 0;
}

int nacre_acl_inherit(struct inode *dir, struct dentry *dentry, umode_t *mode, u8 **xattrs,
		      u32 *xattrs_bytes)
{
	struct posix_acl *access = NULL, *standard = NULL;
	struct inherited in = { };
	char label_name[LABEL_NAME_MAX];
	int err;

	*xattrs = NULL;
	*xattrs_bytes = 0;
	err = posix_acl_create(dir, mode, &standard, &access);
	if (err)
		return err;
	err = inherit_acl(&in, access, XATTR_NAME_POSIX_ACL_ACCESS);
	if (!err)
		err = inherit_acl(&in, standard, XATTR_NAME_POSIX_ACL_DEFAULT);
	if (!err)
		err = inherit_label(&in, dentry, *mode, label_name);
	if (!err)
		err = encode_inherited(&in, xattrs, xattrs_bytes);
	if (err) {
		kvfree(*xattrs);
		*xattrs = NULL;
	}
	for (int i = 0; i < in.count; i++)
		kfree(in.value[i]);
	posix_acl_release(access);
	posix_acl_release(standard);
	return err;
}
