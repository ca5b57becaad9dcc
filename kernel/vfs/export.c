// SPDX-License-Identifier: GPL-2.0
/*
 * File handles: name_to_handle_at, open_by_handle_at, and NFS servers.
 *
 * A handle is an inode number, and that of a directory that the inode was in if the caller
 * wants to find its name again. Numbers are never used twice (INO-1), so a handle needs no
 * generation, and it outlives mounts and restarts of all servers: the rank finds an inode
 * by its number from the backtrace on its first object. What is gone is ESTALE.
 */
#include <linux/exportfs.h>
#include <linux/fs.h>
#include <linux/unaligned.h>
#include "vfs.h"

#define HANDLE_INO 0x6e			/* type: the number */
#define HANDLE_INO_PARENT 0x6f		/* type: the number, then that of a directory it is in */
#define INO_WORDS 2			/* of 32 bits */

static int encode_fh(struct inode *inode, u32 *words, int *count, struct inode *parent)
{
	int need = parent ? 2 * INO_WORDS : INO_WORDS, have = *count;

	*count = need;
	if (have < need)
		return FILEID_INVALID;
	put_unaligned_le64(nacre_ino(inode), words);
	if (parent)
		put_unaligned_le64(nacre_ino(parent), words + INO_WORDS);
	return parent ? HANDLE_INO_PARENT : HANDLE_INO;
}

/* It has no name any more, and nobody here has it open: on its way out, if not kept by another client. */
static bool is_gone(struct inode *inode)
{
	struct dentry *alias;

	if (inode->i_nlink)
		return false;
	alias = d_find_any_alias(inode);
	dput(alias);
	return !alias;
}

/* A dentry of what a request has found. Puts the request. */
static struct dentry *found(struct nacre_mds_request *req)
{
	struct inode *inode;

	if (IS_ERR(req))
		return ERR_CAST(req);
	inode = req->target;
	req->target = NULL;
	nacre_mds_request_put(req);
	if (inode && is_gone(inode)) {
		iput(inode);
		inode = NULL;
	}
	return d_obtain_alias(inode ?: ERR_PTR(-ESTALE));
}

static struct dentry *find(struct super_block *sb, const u32 *words)
{
	u64 ino = get_unaligned_le64(words);

	/* Below are the rank's own, which nobody gets a handle of. */
	if (ino != NACRE_INO_ROOT && ino < NACRE_INO_FIRST(0))
		return ERR_PTR(-ESTALE);
	return found(nacre_mds_getattr(nacre_fs(sb), ino, NULL, NACRE_GROUP_AUTH | NACRE_GROUP_LINK,
				       0, NACRE_REQUEST_WANT_XATTRS));
}

static struct dentry *fh_to_dentry(struct super_block *sb, struct fid *fid, int count, int type)
{
	if ((type != HANDLE_INO && type != HANDLE_INO_PARENT) || count < INO_WORDS)
		return NULL;
	return find(sb, fid->raw);
}

static struct dentry *fh_to_parent(struct super_block *sb, struct fid *fid, int count, int type)
{
	if (type != HANDLE_INO_PARENT || count < 2 * INO_WORDS)
		return NULL;
	return find(sb, fid->raw + INO_WORDS);
}

/* Of a directory: where its only name is. */
static struct dentry *get_parent(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);

	return found(nacre_mds_parent(nacre_inode_fs(inode), nacre_ino(inode)));
}

/*
 * An NFS server answers only what is journaled, as its clients do not repeat that to the server's next life; what is not
 * need not be dirty, so that writing the inode back would not do. And other clients change files between the looks that it
 * takes before and after a change, which it therefore must not call atomic.
 */
const struct export_operations nacre_export_ops = {
	.encode_fh = encode_fh,
	.fh_to_dentry = fh_to_dentry,
	.fh_to_parent = fh_to_parent,
	.get_parent = get_parent,
	.commit_metadata = nacre_sync_metadata,
	.flags = EXPORT_OP_NOWCC | EXPORT_OP_NOATOMIC_ATTR | EXPORT_OP_REMOTE_FS,
};
