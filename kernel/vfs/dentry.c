// SPDX-License-Identifier: GPL-2.0
/*
 * Trust in dentries. A dentry carries (in d_time) the epoch of its directory in which the rank
 * told of it, and is trusted while DIR_SHARED is held and the epoch is still the
 * directory's: every loss of the cap begins a new one. Epochs are never used twice, not even
 * by two directories, so a dentry that moved does not look trusted by chance.
 *
 * The complete flag says that in this epoch every entry is in the dcache: then the absence of
 * a dentry is an answer, too. It goes with the epoch and with the first dentry pruned.
 *
 * All of it works without sleeping: path walks under RCU come here.
 */
#include <linux/dcache.h>
#include <linux/namei.h>
#include "vfs.h"

u64 nacre_dir_epoch(struct inode *dir)
{
	struct nacre_inode *ni = nacre_inode(dir);
	u64 epoch = 0;

	if (!nacre_mds_may_io(nacre_inode_fs(dir)))
		return 0;
	spin_lock(&ni->cap_lock);
	if (nacre_cap_client_can_use(&ni->cap, NACRE_CAP_DIR_SHARED) && !ni->dir_unsure)
		epoch = ni->dir_epoch;
	spin_unlock(&ni->cap_lock);
	return epoch;
}

void nacre_dentry_stamp(struct dentry *dentry, u64 epoch)
{
	WRITE_ONCE(dentry->d_time, epoch);
}

void nacre_dentry_unsure(struct dentry *dentry)
{
	WRITE_ONCE(dentry->d_time, 0);
}

static bool is_trusted(struct dentry *dentry, struct inode *dir)
{
	u64 stamp = READ_ONCE(dentry->d_time);

	return stamp && stamp == nacre_dir_epoch(dir);
}

/* ---- completeness --------------------------------------------------------------------------------------- */

u64 nacre_dir_complete_epoch(struct inode *dir)
{
	u64 epoch = nacre_dir_epoch(dir);

	return epoch && READ_ONCE(nacre_inode(dir)->dir_complete) ? epoch : 0;
}

void nacre_dir_set_complete(struct inode *dir, u64 epoch, u32 prunes)
{
	struct nacre_inode *ni = nacre_inode(dir);

	spin_lock(&ni->cap_lock);
	if (epoch && ni->dir_epoch == epoch && ni->dir_prunes == prunes && !ni->dir_unsure)
		ni->dir_complete = true;
	spin_unlock(&ni->cap_lock);
}

void nacre_dir_incomplete(struct inode *dir)
{
	struct nacre_inode *ni = nacre_inode(dir);

	spin_lock(&ni->cap_lock);
	ni->dir_prunes++;
	ni->dir_complete = false;
	spin_unlock(&ni->cap_lock);
}

static void prune(struct dentry *dentry)
{
	struct dentry *parent = dentry->d_parent;

	if (!IS_ROOT(dentry) && d_inode(parent))
		nacre_dir_incomplete(d_inode(parent));
}

/* ---- revalidation ----------------------------------------------------------------------------------------- */

/* Ask the rank what the name stands for, and compare. 1 valid, 0 not, -errno. */
static int ask(struct dentry *dentry, struct inode *dir)
{
	struct nacre_mds_request *req;
	struct name_snapshot name;
	int valid;

	take_dentry_name_snapshot(&name, dentry);
	req = nacre_mds_lookup(dir, &name.name, 0);
	release_dentry_name_snapshot(&name);
	if (IS_ERR(req))
		return PTR_ERR(req);
	if (req->result == -ENOENT)
		valid = d_really_is_negative(dentry);
	else
		valid = req->target && d_inode(dentry) == req->target;
	if (valid)
		nacre_dentry_stamp(dentry, req->dir_epoch);
	nacre_mds_request_put(req);
	return valid;
}

static int revalidate(NACRE_COMPAT_REVALIDATED struct dentry *dentry, unsigned int flags)
{
	struct dentry *parent = READ_ONCE(dentry->d_parent);
	struct inode *dir = d_inode_rcu(parent);
	int valid;

	if (!dir)
		return -ECHILD;		/* under RCU: being torn down */
	if (IS_ROOT(dentry))
		return 1;
	if (is_trusted(dentry, dir)) {
		nacre_count(nacre_inode_fs(dir), lookups_local);
		return 1;
	}
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	/* About to be made: a fresh dentry lets looking up and making be one message. */
	if (d_really_is_negative(dentry) && flags & LOOKUP_CREATE)
		return 0;
	parent = dget_parent(dentry);
	valid = ask(dentry, d_inode(parent));
	dput(parent);
	return valid;
}

const struct dentry_operations nacre_dentry_ops = {
	.d_revalidate = revalidate,
	.d_prune = prune,
};
