// SPDX-License-Identifier: GPL-2.0
/*
 * What is known of inodes: the table, and how a rank's info is taken in. A
 * group's values are taken when the info says they are current, is not older
 * than what is known, and the cap machine says that they are not ours to know
 * better. Sizes follow protocol/rules/size.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "state.h"

struct inode *inode_find(struct client *client, uint64_t ino)
{
	struct inode *inode;

	HASH_FIND(hh, client->inodes, &ino, sizeof(ino), inode);
	return inode;
}

struct inode *inode_get(struct client *client, uint64_t ino)
{
	struct inode *inode = inode_find(client, ino);

	if (inode)
		return inode;
	inode = client_alloc(sizeof(*inode));
	inode->client = client;
	inode->ino = ino;
	HASH_ADD(hh, client->inodes, ino, sizeof(inode->ino), inode);
	return inode;
}

void inode_forget(struct inode *inode)
{
	dentries_drop(inode);
	pages_drop_all(inode);
	HASH_DEL(inode->client->inodes, inode);
	free(inode->symlink);
	free(inode->xattrs);
	free(inode->small);
	free(inode);
}

void inode_wake(struct inode *inode)
{
	call_wake_all(&inode->waiters);
	call_wake_all(&inode->client->syncing);
}

bool inode_is_current(const struct inode *inode, uint32_t groups)
{
	uint32_t group;
	int i;

	if (!inode->version || inode->changing)
		return false;
	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		group = groups & nacre_group_at(i);
		if (group && !caps_can(inode, nacre_group_shared(group)) &&
		    !caps_can(inode, nacre_group_excl(group)))
			return false;
	}
	return true;
}

void inode_attr(const struct inode *inode, struct client_attr *attr)
{
	*attr = (struct client_attr){
		.ino = inode->ino, .version = inode->version, .size = inode->size.size,
		.atime = inode->atime, .mtime = inode->mtime, .ctime = inode->ctime,
		.mode = inode->mode, .uid = inode->uid, .gid = inode->gid,
		.nlink = inode->nlink, .rdev = inode->rdev, .flags = inode->flags,
		.truncate_seq = inode->size.truncate_seq,
		.truncate_size = inode->size.truncate_size,
		.inline_gen = inline_gen_seen(inode),
		.kept = inode->kept,
	};
}

/* ---- taking an info in ----------------------------------------------------------------- */

static bool takes(const struct inode *inode, const struct nacre_inode_info *info, uint32_t group,
		  enum told why)
{
	if (!inode->version)
		return true;
	if (!(info->valid & group))
		return false;
	switch (why) {
	case TOLD_CHANGED:
		return true;
	case TOLD_CHANGED_AGAIN:
		return !((inode->cap.dirty | inode->cap.flushing) & group);
	default:
		return nacre_cap_client_takes(&inode->cap, group);
	}
}

static void take_xattrs(struct inode *inode, const struct nacre_inode_info *info)
{
	if (!(info->info_flags & (NACRE_INFO_HAS_XATTRS | NACRE_INFO_NO_XATTRS)))
		return;
	free(inode->xattrs);
	inode->xattrs = client_alloc(info->xattrs_bytes + 1);
	memcpy(inode->xattrs, info->xattrs, info->xattrs_bytes);
	inode->xattrs_bytes = info->xattrs_bytes;
	inode->xattrs_known = true;
}

/* SIZE-3: a truncation that was not known cuts what is cached. */
static void take_size(struct inode *inode, const struct nacre_inode_info *info)
{
	const uint32_t writing = NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_WRITE |
				 NACRE_CAP_FILE_BUFFER;
	struct nacre_size said = { info->size, info->truncate_size, info->truncate_seq };
	uint32_t known = inode->size.truncate_seq;
	bool writes = (inode->cap.held & writing) ||
		      ((inode->cap.dirty | inode->cap.flushing) & NACRE_GROUP_FILE);

	if (!inode->version) {
		inode->size = said;
		return;
	}
	if (nacre_size_learn(&inode->size, &said, writes, !!(info->valid & NACRE_GROUP_FILE)) !=
	    NACRE_SIZE_CUT)
		return;
	if (inode->size.truncate_seq != known)
		inline_cut(inode, said.truncate_size);
	inline_cut(inode, said.size);
	pages_cut(inode, said.truncate_size);
}

static void take_times(struct inode *inode, const struct nacre_inode_info *info, enum told why)
{
	if (takes(inode, info, NACRE_GROUP_FILE, why)) {
		inode->atime = info->atime;
		inode->mtime = info->mtime;
	}
	inode->ctime = inode->version ? nacre_time_later(inode->ctime, info->ctime) : info->ctime;
}

static void take_values(struct inode *inode, const struct nacre_inode_info *info, enum told why)
{
	if (takes(inode, info, NACRE_GROUP_AUTH, why)) {
		inode->mode = info->mode;
		inode->uid = info->uid;
		inode->gid = info->gid;
		inode->flags = info->inode_flags;
	}
	if (takes(inode, info, NACRE_GROUP_LINK, why))
		inode->nlink = info->nlink;
	if (takes(inode, info, NACRE_GROUP_XATTR, why))
		take_xattrs(inode, info);
	take_times(inode, info, why);
	if (S_ISREG(info->mode))
		take_size(inode, info);
	else
		inode->size.size = info->size;
	inode->rdev = info->rdev;
	inode->pool = info->pool;
	inode->object_bytes = info->object_bytes;
	if (info->symlink_bytes && !inode->symlink) {
		inode->symlink = client_alloc(info->symlink_bytes + 1);
		memcpy(inode->symlink, info->symlink, info->symlink_bytes);
	}
}

struct inode *inode_learn(struct client *client, const struct nacre_inode_info *info, enum told why)
{
	struct inode *inode = inode_get(client, info->ino);
	struct nacre_cap_event grant = { .kind = NACRE_CAPE_GRANT };

	if (info->version >= inode->version) {
		take_values(inode, info, why);
		inode->version = info->version;
		inode->kept = info->info_flags & NACRE_INFO_KEPT;
	}
	inline_told(inode, info);
	if (!info->cap_id)
		return inode;
	grant.cap_id = info->cap_id;
	grant.gen = info->cap_gen;
	grant.seq = info->cap_seq;
	grant.caps = info->issued;
	grant.missing = NACRE_GROUPS_ALL & ~info->valid;
	if (inode->cap.cap_id != info->cap_id || info->cap_seq > inode->cap.seq) {
		if (info->info_flags & NACRE_INFO_NO_ROOM) {
			inode->max_size_refused = inode->max_size_asked;
			inode->max_size_refusals++;
		}
		inode->max_size = info->max_size;
		inode->max_size_asked = 0;
	}
	caps_event(inode, grant);
	inode_wake(inode);
	return inode;
}

void attr_from_info(struct client_attr *attr, const struct nacre_inode_info *info)
{
	*attr = (struct client_attr){
		.ino = info->ino, .version = info->version, .size = info->size,
		.atime = info->atime, .mtime = info->mtime, .ctime = info->ctime,
		.mode = info->mode, .uid = info->uid, .gid = info->gid, .nlink = info->nlink,
		.rdev = info->rdev, .flags = info->inode_flags, .truncate_seq = info->truncate_seq,
		.truncate_size = info->truncate_size, .inline_gen = info->inline_gen,
	};
}
