// SPDX-License-Identifier: GPL-2.0
/*
 * Data of small files ahead of their being read: who opens the files of a directory in their order gets the data of many with
 * one listing, instead of one OPEN each. When that pays is decided by protocol/rules/ahead.h; what came is in the inodes
 * with its caps (INLINE-5) when nacre_mds_readdir returns, and what did not come a read asks for itself.
 */
#include <linux/dcache.h>
#include <linux/xxhash.h>
#include "data.h"
#include "protocol/codec.h"
#include "protocol/rules/names.h"
#include "protocol/rules/validate.h"

#define AHEAD_BYTES (256u << 10)	/* of one answer; the rank gives half of it to data */
#define AHEAD_ENTRIES 128

/* Its data is in the inode, as the rank has last said, and not in ours. */
static bool is_missing(struct inode *inode)
{
	return READ_ONCE(nacre_inode(inode)->small.told) &&
	       !nacre_caps_held(inode, NACRE_CAP_FILE_READ | NACRE_CAP_FILE_CACHE);
}

/* The last entry that came with its data; 0: none did. */
static u64 last_with_data(const struct nacre_mds_request *req)
{
	const struct nacre_reply *reply = req->in->host;
	struct nacre_reader r = nacre_reader(reply->extra, reply->extra_bytes);
	struct nacre_inode_info info;
	struct nacre_dirent entry;
	u64 last = 0;

	while (nacre_dirent_next(&r, &entry))
		if (!nacre_decode_all(nacre_inode_info_desc(), entry.info, entry.info_bytes, &info) &&
		    info.info_flags & NACRE_INFO_HAS_DATA)
			last = entry.cookie;
	return last;
}

static void ask(struct inode *dir, u64 cookie)
{
	struct nacre_inode *ni = nacre_inode(dir);
	struct nacre_mds_request *req;
	u64 covered = 0;

	req = nacre_mds_readdir(dir, cookie - 1, AHEAD_BYTES, AHEAD_ENTRIES, true);
	if (!IS_ERR(req)) {
		covered = last_with_data(req);
		nacre_mds_request_put(req);
	}
	spin_lock(&ni->cap_lock);
	nacre_ahead_answered(&ni->ahead, covered);
	spin_unlock(&ni->cap_lock);
}

void nacre_small_ahead(struct inode *inode, struct dentry *dentry)
{
	struct dentry *parent;
	struct name_snapshot name;
	struct inode *dir;
	bool asks;
	u64 cookie;

	if (!READ_ONCE(nacre_inode_fs(inode)->inline_limit))
		return;
	take_dentry_name_snapshot(&name, dentry);
	cookie = nacre_name_cookie(xxh64(name.name.name, name.name.len, 0));
	release_dentry_name_snapshot(&name);
	parent = dget_parent(dentry);
	dir = d_inode(parent);
	/* One that was found by its handle has no name yet. */
	if (S_ISDIR(dir->i_mode)) {
		struct nacre_inode *ni = nacre_inode(dir);
		bool missing = is_missing(inode);

		spin_lock(&ni->cap_lock);
		asks = nacre_ahead_open(&ni->ahead, cookie, i_size_read(dir), missing);
		spin_unlock(&ni->cap_lock);
		if (asks)
			ask(dir, cookie);
	}
	dput(parent);
}
