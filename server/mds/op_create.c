/* SPDX-License-Identifier: GPL-2.0 */
/* CREATE, MKDIR, MKNOD, SYMLINK: new inodes under new names. TMPFILE: under none. */
#include "core.h"
#include "ops.h"
#include "protocol/rules/size.h"

uint64_t mds_op_time(struct mds *mds, const struct mds_request *request)
{
	const struct nacre_record_req *record = &request->message->host.record;

	return record->ctime ? record->ctime : io_wall(mds->io);
}

void mds_dir_changed(struct mds_change *change, struct mds_inode *dir, int entries, int subdirs,
		     uint64_t now)
{
	dir->size += (uint64_t)(int64_t)entries;
	dir->nsubdirs += (uint32_t)subdirs;
	dir->nlink += (uint32_t)subdirs;
	dir->mtime = now;
	dir->ctime = nacre_time_later(dir->ctime, now);
	mds_change_inode(change, dir);
}

/* ---- inode numbers ---------------------------------------------------------------------------------- */

int mds_choose_ino(struct mds *mds, struct mds_request *request, uint64_t *ret_ino)
{
	uint64_t ino = request->message->host.record.ino;

	if (!ino) {
		*ret_ino = mds_take_inos(mds, 1);
		return 0;
	}
	if (mds_inode_find(mds, ino))
		return EINVAL;
	*ret_ino = ino;
	if (mds_intervals_has(&request->session->inos, ino))
		return 0;
	/*
	 * A re-sent unsafe request names the number that the incarnation before chose for it
	 * and lost in its crash: replay has left room for those (MDS_INO_GAP).
	 */
	if (request->head->applied && ino >= mds->lost_inos && ino < mds->lost_end)
		return 0;
	return EINVAL;
}

/* ---- the inode --------------------------------------------------------------------------------------- */

static void set_attributes(struct mds_inode *inode, const struct nacre_record_req *record,
			   uint64_t now)
{
	uint32_t mask = record->set_mask;

	inode->uid = mask & NACRE_SET_UID ? record->uid : 0;
	inode->gid = mask & NACRE_SET_GID ? record->gid : 0;
	inode->rdev = record->rdev;
	inode->atime = mask & NACRE_SET_ATIME ? record->atime : now;
	inode->mtime = mask & NACRE_SET_MTIME ? record->mtime : now;
	inode->ctime = now;
	inode->btime = mask & NACRE_SET_BTIME ? record->btime : now;
	mds_blob_set(&inode->symlink, record->value, record->value_bytes);
	mds_blob_set(&inode->xattrs, record->xattrs, record->xattrs_bytes);
	if (S_ISLNK(inode->mode))
		inode->size = record->value_bytes;
}

struct mds_inode *mds_make_inode(struct mds_change *change, struct mds_dentry *dentry,
				 uint64_t ino, uint32_t mode, uint64_t now)
{
	struct mds *mds = change->mds;
	struct cluster_map *map = member_map(mds->member);
	struct mds_inode *inode = mds_inode_new(mds, ino);
	struct nacre_map_pool pool = { .object_bytes = NACRE_OBJECT_BYTES_DEFAULT };

	nacre_map_pool_at(&map->view, NACRE_POOL_DATA, &pool);
	mds_inode_set_mode(mds, inode, mode);
	inode->nlink = S_ISDIR(mode) ? 2 : 1;
	inode->pool = NACRE_POOL_DATA;
	inode->object_bytes = pool.object_bytes;
	inode->atime = inode->mtime = inode->ctime = inode->btime = now;
	if (inode->dir)
		inode->dir->complete = true;
	inode->recorded = true;		/* of a new number the table's records say nothing */
	if (dentry)
		mds_dentry_set_primary(dentry, inode);
	else
		inode->nlink = 0;
	if (dentry)
		inode->quota = mds_quota_inside(mds, dentry->dir->inode);
	inode->own = !dentry;		/* an orphan from the beginning: stays as long as somebody holds it */
	mds_change_home(change, inode);
	return inode;
}

/* INO-1: a number from the client's own range carries an implicit max_size; another's is journaled first. */
static void give_writer(struct mds *mds, struct mds_session *session, struct mds_inode *inode,
			bool delegated)
{
	struct mds_writer_slot *slot = mds_writer_get(inode, session->instance);

	slot->max_size = mds_quota_first_max(mds, inode);
	slot->safe_max = delegated ? slot->max_size : 0;
}

/* ---- making ------------------------------------------------------------------------------------------- */

/* Everything is there and nobody is in the way. */
static int make(struct mds *mds, struct mds_request *request, struct mds_inode *dir)
{
	const struct nacre_record_req *record = &request->message->host.record;
	struct mds_session *session = request->session;
	uint64_t now = mds_op_time(mds, request), ino;
	bool is_dir = S_ISDIR(record->mode), delegated;
	bool nameless = request->op->kind == NACRE_RECORD_TMPFILE;
	struct mds_dentry *dentry = NULL;
	struct mds_change change;
	struct mds_inode *inode;
	int result = mds_choose_ino(mds, request, &ino);

	if (result)
		return result;
	mds_change_begin_request(&change, request);
	change.ino = ino;
	change.flags = request->op->kind == NACRE_RECORD_CREATE ? NACRE_REPLY_CREATED : 0;
	if (!nameless)
		dentry = mds_dentry_get(dir->dir, record->name, record->name_bytes);
	inode = mds_make_inode(&change, dentry, ino, record->mode, now);
	set_attributes(inode, record, now);
	delegated = mds_intervals_has(&session->inos, ino);
	mds_intervals_remove(&session->inos, ino, 1);
	if (S_ISREG(inode->mode))
		give_writer(mds, session, inode, delegated);
	if (record->record_flags & NACRE_RECORD_INLINE)
		mds_inline_begin(mds, inode);
	if (!nameless)
		mds_dir_changed(&change, dir, 1, is_dir, now);
	if (!delegated)
		mds_change_next_ino(&change);
	mds_request_commit(request, &change);
	mds_caps_creator(mds, session, inode);
	if (S_ISREG(inode->mode) && !delegated)
		mds_caps_tell_max(mds, mds_cap_find(inode, session), request->commit_seq);
	mds_session_offer_inos(mds, session, mds_intervals_total(&session->inos));
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, request->head->wanted },
			{ NACRE_TRACE_PARENT, dir, 0 },
		}, 2);
}

/* The directory says where the file is to be, which is nowhere yet: it is only asked to exist. */
int mds_op_tmpfile(struct mds *mds, struct mds_request *request)
{
	struct mds_inode *dir;
	int result = req_dir(mds, request, request->message->host.record.parent, &dir);

	if (!result)
		result = req_free_of(request, dir, NACRE_INODE_IMMUTABLE);
	if (!result)
		result = req_room(mds, request);
	return result ? result : make(mds, request, dir);
}

/* The directory with the name in it, or free for it. */
static int find(struct mds *mds, struct mds_request *request, struct mds_inode **ret_dir,
		struct mds_dentry **ret_dentry)
{
	const struct nacre_record_req *record = &request->message->host.record;
	int result = req_dir(mds, request, record->parent, ret_dir);

	if (!result)
		result = req_read(mds, request, *ret_dir, NACRE_GROUP_DIR);
	if (!result)
		result = req_entry(mds, request, *ret_dir, record->name, record->name_bytes,
				   ret_dentry);
	return result;
}

static int make_new(struct mds *mds, struct mds_request *request, struct mds_inode *dir)
{
	const struct nacre_record_req *record = &request->message->host.record;
	uint32_t groups = NACRE_GROUP_DIR | NACRE_GROUP_FILE;
	int result;

	if (record->data_bytes)
		return NACRE_E_UNSUPPORTED;	/* comes with a flush */
	if (S_ISDIR(record->mode)) {
		groups |= NACRE_GROUP_LINK;
		if (dir->nlink >= NACRE_LINK_MAX)
			return EMLINK;
	}
	result = req_free_of(request, dir, NACRE_INODE_IMMUTABLE);
	if (!result)
		result = req_room(mds, request);
	if (!result)
		result = req_change(mds, request, dir, groups);
	if (!result && !request->head->applied)
		result = mds_quota_room(mds, 0, mds_quota_inside(mds, dir), 1, 0);
	return result ? result : make(mds, request, dir);
}

int mds_op_make(struct mds *mds, struct mds_request *request)
{
	struct mds_dentry *dentry;
	struct mds_inode *dir;
	int result = find(mds, request, &dir, &dentry);

	if (result)
		return result;
	if (dentry && dentry->ino)
		return EEXIST;
	return make_new(mds, request, dir);
}

/* CREATE of a file that is there: opens it, and cuts it if asked. */
static int open_existing(struct mds *mds, struct mds_request *request, struct mds_inode *dir,
			 struct mds_dentry *dentry)
{
	const struct nacre_record_req *record = &request->message->host.record;
	struct mds_inode *inode;
	int result = req_entry_inode(mds, request, dentry, &inode);

	if (!result && (record->record_flags & NACRE_RECORD_TRUNC))
		result = req_free_of(request, inode, NACRE_INODE_FIXED);
	if (!result && S_ISREG(inode->mode) && (record->record_flags & NACRE_RECORD_TRUNC))
		result = mds_set_size(mds, request, inode, 0, NULL);
	if (!result)
		result = req_read(mds, request, inode,
				  NACRE_GROUP_AUTH | NACRE_GROUP_LINK | NACRE_GROUP_XATTR);
	if (result)
		return result;
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, inode, request->head->wanted },
			{ NACRE_TRACE_PARENT, dir, 0 },
		}, 2);
}

int mds_op_create(struct mds *mds, struct mds_request *request)
{
	const struct nacre_record_req *record = &request->message->host.record;
	struct mds_dentry *dentry;
	struct mds_inode *dir;
	int result = find(mds, request, &dir, &dentry);

	if (result)
		return result;
	if (!dentry || !dentry->ino)
		return make_new(mds, request, dir);
	if (record->record_flags & NACRE_RECORD_EXCL)
		return EEXIST;
	return open_existing(mds, request, dir, dentry);
}
