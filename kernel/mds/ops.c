// SPDX-License-Identifier: GPL-2.0
/*
 * Requests as data: one row per message type that says what a request touches,
 * and the ready-made requests that the rest of the module calls. The engine that
 * sends, waits and re-sends is request.c; answers are taken in by reply.c.
 */
#include "client.h"

#define FILE_LINK (NACRE_GROUP_FILE | NACRE_GROUP_LINK)

/*
 * While a request is under way, nobody answers from the cache what it changes
 * (lock_table.h: the loner of LOCK); entries of directories are guarded by
 * their dentries instead.
 */
static const struct nacre_mds_op ops[] = {
	{ NACRE_MSG_LOOKUP, .name = "LOOKUP" },
	{ NACRE_MSG_GETATTR, .name = "GETATTR" },
	{ NACRE_MSG_OPEN, .name = "OPEN" },
	{ NACRE_MSG_READDIR, .keeps_reply = true, .name = "READDIR" },
	{ NACRE_MSG_STATFS, .keeps_reply = true, .name = "STATFS" },
	{ NACRE_MSG_QUOTA, .keeps_reply = true, .name = "QUOTA" },
	{ NACRE_MSG_SYNC, .name = "SYNC" },
	{ NACRE_MSG_FILELOCK, .keeps_reply = true, .name = "FILELOCK" },
	{ NACRE_MSG_CREATE, .parent_groups = NACRE_GROUP_FILE,
	  .changes = true, .creates = true, .name = "CREATE" },
	{ NACRE_MSG_MKDIR, .parent_groups = FILE_LINK,
	  .changes = true, .creates = true, .name = "MKDIR" },
	{ NACRE_MSG_MKNOD, .parent_groups = NACRE_GROUP_FILE,
	  .changes = true, .creates = true, .name = "MKNOD" },
	{ NACRE_MSG_SYMLINK, .parent_groups = NACRE_GROUP_FILE,
	  .changes = true, .creates = true, .name = "SYMLINK" },
	{ NACRE_MSG_LINK, .parent_groups = NACRE_GROUP_FILE, .target_groups = NACRE_GROUP_LINK,
	  .changes = true, .name = "LINK" },
	{ NACRE_MSG_UNLINK, .parent_groups = NACRE_GROUP_FILE, .victim_groups = NACRE_GROUP_LINK,
	  .changes = true, .name = "UNLINK" },
	{ NACRE_MSG_RMDIR, .parent_groups = FILE_LINK, .victim_groups = NACRE_GROUP_LINK,
	  .changes = true, .name = "RMDIR" },
	{ NACRE_MSG_RENAME, .parent_groups = FILE_LINK, .target_groups = NACRE_GROUP_LINK,
	  .victim_groups = NACRE_GROUP_LINK, .changes = true, .name = "RENAME" },
	{ NACRE_MSG_SETATTR, .target_groups = NACRE_GROUP_AUTH | NACRE_GROUP_FILE,
	  .changes = true, .name = "SETATTR" },
	{ NACRE_MSG_SETXATTR, .target_groups = NACRE_GROUP_XATTR | NACRE_GROUP_AUTH,
	  .changes = true, .name = "SETXATTR" },
	{ NACRE_MSG_RMXATTR, .target_groups = NACRE_GROUP_XATTR | NACRE_GROUP_AUTH,
	  .changes = true, .name = "RMXATTR" },
	{ NACRE_MSG_TMPFILE, .changes = true, .creates = true, .name = "TMPFILE" },
};

const struct nacre_mds_op *mds_op_find(u16 type)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (ops[i].type == type)
			return &ops[i];
	return NULL;
}

/* Call, and turn a failure into an ERR_PTR that has no request behind it. */
static struct nacre_mds_request *call(struct nacre_mds_request *req)
{
	int err = nacre_mds_call(req);

	/* That a name does not exist is an answer, too. */
	if (err && !(err == -ENOENT && req->op->type == NACRE_MSG_LOOKUP)) {
		nacre_mds_request_put(req);
		return ERR_PTR(err);
	}
	return req;
}

static u32 xattr_flag(const struct nacre_fs *fs)
{
	/* Permission checks need the ACL with the mode. */
	return fs->options.acl ? NACRE_REQUEST_WANT_XATTRS : 0;
}

struct nacre_mds_request *nacre_mds_lookup(struct inode *dir, const struct qstr *name, u32 wanted)
{
	struct nacre_fs *fs = nacre_inode_fs(dir);
	struct nacre_mds_request *req = nacre_mds_request_new(fs, NACRE_MSG_LOOKUP);

	if (IS_ERR(req))
		return req;
	ihold(dir);
	req->parent = dir;
	req->body.lookup.parent = dir->i_ino;
	/* A name is not worth the size of its file: whoever wants that asks for it. */
	req->body.lookup.flags = xattr_flag(fs) | NACRE_REQUEST_REPORT;
	req->body.lookup.wanted = wanted;
	req->body.lookup.name_bytes = name->len;
	req->body.lookup.name = nacre_mds_request_keep(req, name->name, name->len);
	if (!req->body.lookup.name) {
		nacre_mds_request_put(req);
		return ERR_PTR(-ENOMEM);
	}
	nacre_count(fs, lookups_sent);
	return call(req);
}

struct nacre_mds_request *nacre_mds_getattr(struct nacre_fs *fs, u64 ino, struct inode *inode,
					    u32 mask, u32 wanted, u32 flags)
{
	struct nacre_mds_request *req = nacre_mds_request_new(fs, NACRE_MSG_GETATTR);

	if (IS_ERR(req))
		return req;
	if (inode) {
		ihold(inode);
		req->target = inode;
	}
	req->body.getattr.ino = ino;
	req->body.getattr.mask = mask;
	req->body.getattr.wanted = wanted;
	req->body.getattr.flags = flags;
	return call(req);
}

struct nacre_mds_request *nacre_mds_parent(struct nacre_fs *fs, u64 ino)
{
	struct nacre_mds_request *req = nacre_mds_request_new(fs, NACRE_MSG_GETATTR);

	if (IS_ERR(req))
		return req;
	req->body.getattr.ino = ino;
	req->body.getattr.mask = NACRE_GROUP_AUTH | NACRE_GROUP_LINK;
	req->body.getattr.flags = xattr_flag(fs) | NACRE_REQUEST_OF_PARENT;
	return call(req);
}

struct nacre_mds_request *nacre_mds_open(struct inode *inode, u32 need, u32 wanted, u32 open_flags)
{
	struct nacre_mds_request *req = nacre_mds_request_new(nacre_inode_fs(inode), NACRE_MSG_OPEN);

	if (IS_ERR(req))
		return req;
	ihold(inode);
	req->target = inode;
	req->need = need;
	req->body.open.ino = inode->i_ino;
	req->body.open.need = need;
	req->body.open.wanted = wanted;
	req->body.open.open_flags = open_flags;
	return call(req);
}

struct nacre_mds_request *nacre_mds_readdir(struct inode *dir, u64 after, u32 max_bytes,
					    u32 max_entries, bool data)
{
	struct nacre_mds_request *req = nacre_mds_request_new(nacre_inode_fs(dir),
							      NACRE_MSG_READDIR);

	if (IS_ERR(req))
		return req;
	ihold(dir);
	req->parent = dir;
	req->body.readdir.ino = dir->i_ino;
	req->body.readdir.after = after;
	req->body.readdir.max_bytes = max_bytes;
	req->body.readdir.max_entries = max_entries;
	req->body.readdir.flags = xattr_flag(nacre_inode_fs(dir)) |
				  (data ? NACRE_REQUEST_WANT_DATA : 0);
	return call(req);
}

bool nacre_mds_has_feature(struct nacre_fs *fs, u64 feature)
{
	struct nacre_mds_client *mds = fs->mds;
	bool has;

	mutex_lock(&mds->send_mutex);
	has = mds->conn && nacre_conn_features(mds->conn) & feature;
	mutex_unlock(&mds->send_mutex);
	return has;
}

/* What the answer has beside inodes: one structure. The request ends here. */
static int take_extra(struct nacre_mds_request *req, const struct nacre_struct *desc, void *out)
{
	const struct nacre_reply *reply;
	int err;

	req = call(req);
	if (IS_ERR(req))
		return PTR_ERR(req);
	reply = req->in->host;
	err = nacre_decode_all(desc, reply->extra, reply->extra_bytes, out);
	nacre_mds_request_put(req);
	return err;
}

int nacre_mds_statfs(struct nacre_fs *fs, struct nacre_statfs *out)
{
	struct nacre_mds_request *req = nacre_mds_request_new(fs, NACRE_MSG_STATFS);

	return IS_ERR(req) ? PTR_ERR(req) : take_extra(req, nacre_statfs_desc(), out);
}

int nacre_mds_quota(struct inode *inode, struct nacre_quota *out)
{
	struct nacre_fs *fs = nacre_inode_fs(inode);
	struct nacre_mds_request *req;

	memset(out, 0, sizeof(*out));
	if (!nacre_mds_has_feature(fs, NACRE_FEATURE_QUOTA))
		return 0;
	req = nacre_mds_request_new(fs, NACRE_MSG_QUOTA);
	if (IS_ERR(req))
		return PTR_ERR(req);
	req->body.quota.ino = inode->i_ino;
	return take_extra(req, nacre_quota_desc(), out);
}

struct nacre_mds_request *nacre_mds_filelock(struct nacre_fs *fs, const struct nacre_filelock_req *body)
{
	bool gives_up = body->op == NACRE_FILELOCK_CANCEL || body->lock_mode == NACRE_FILELOCK_UNLOCK;
	struct nacre_mds_request *req = gives_up ? nacre_mds_request_new_surely(fs, NACRE_MSG_FILELOCK) :
						   nacre_mds_request_new(fs, NACRE_MSG_FILELOCK);

	if (IS_ERR(req))
		return req;
	req->body.filelock = *body;
	nacre_count(fs, lock_requests);
	return call(req);
}

/* Copy the record's tails into the request's keeping. */
static int keep_tails(struct nacre_mds_request *req, struct nacre_record *record)
{
	const struct {
		const u8 **bytes;
		u32 length;
	} tails[] = {
		{ &record->name, record->name_bytes },
		{ &record->name2, record->name2_bytes },
		{ &record->value, record->value_bytes },
		{ &record->xattrs, record->xattrs_bytes },
	};

	BUILD_BUG_ON(ARRAY_SIZE(tails) > NACRE_MDSR_OWNED);
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		if (!tails[i].length)
			continue;
		*tails[i].bytes = nacre_mds_request_keep(req, *tails[i].bytes, tails[i].length);
		if (!*tails[i].bytes)
			return -ENOMEM;
	}
	return 0;
}

static struct inode *hold(struct inode *inode)
{
	if (inode)
		ihold(inode);
	return inode;
}

struct nacre_mds_request *nacre_mds_record(struct nacre_fs *fs, const struct nacre_record *record,
					   struct inode *dir, struct inode *dir2,
					   struct inode *target, struct inode *victim)
{
	struct nacre_mds_request *req;
	struct nacre_record copy = *record;
	int err;

	req = nacre_mds_request_new(fs, nacre_record_message(record->kind));
	if (IS_ERR(req))
		return req;
	err = keep_tails(req, &copy);
	if (err) {
		nacre_mds_request_put(req);
		return ERR_PTR(err);
	}
	nacre_record_to_req(&req->body.record, &copy);
	req->parent = hold(dir);
	req->parent2 = hold(dir2);
	req->target = hold(target);
	req->victim = hold(victim);
	return req;
}
