/* SPDX-License-Identifier: GPL-2.0 */
/*
 * RENAME, with NOREPLACE, EXCHANGE and WHITEOUT. The parts of one rename are collected in struct
 * move, judged, and then applied in one change.
 */
#include "core.h"
#include "ops.h"
#include "protocol/rules/size.h"

struct move {
	const struct nacre_record_req *record;
	struct mds_inode *from, *to;		/* directories */
	struct mds_dentry *old, *new;		/* entries; new: NULL or absent if free */
	struct mds_inode *inode;		/* what is moved */
	struct mds_inode *victim;		/* what is replaced, or comes back; NULL */
};

static bool exchanges(const struct move *move)
{
	return move->record->rename_flags & NACRE_RENAME_EXCHANGE;
}

/* ---- finding -------------------------------------------------------------------------------------------- */

static int find_dirs(struct mds *mds, struct mds_request *request, struct move *move)
{
	int result = req_dir(mds, request, move->record->parent, &move->from);

	if (!result)
		result = req_dir(mds, request, move->record->parent2, &move->to);
	if (!result)
		result = req_read(mds, request, move->from, NACRE_GROUP_DIR);
	if (!result)
		result = req_read(mds, request, move->to, NACRE_GROUP_DIR);
	return result;
}

static int find_entries(struct mds *mds, struct mds_request *request, struct move *move)
{
	const struct nacre_record_req *record = move->record;
	int result = req_entry(mds, request, move->from, record->name, record->name_bytes,
			       &move->old);

	if (!result && (!move->old || !move->old->ino))
		result = ENOENT;
	if (!result && record->ino && record->ino != move->old->ino)
		result = ESTALE;
	if (!result)
		result = req_entry(mds, request, move->to, record->name2, record->name2_bytes,
				   &move->new);
	if (!result)
		result = req_entry_inode(mds, request, move->old, &move->inode);
	if (!result && move->new && move->new->ino)
		result = req_entry_inode(mds, request, move->new, &move->victim);
	return result;
}

/* ---- judging ---------------------------------------------------------------------------------------------- */

/* Is `dir` the directory `top`, or somewhere below it? The way up is always in memory. */
static bool is_below(const struct mds_inode *dir, const struct mds_inode *top)
{
	while (dir != top) {
		if (!dir->home)
			return false;
		dir = dir->home->dir->inode;
	}
	return true;
}

static int judge_types(const struct move *move)
{
	bool dir = mds_inode_is_dir(move->inode);

	if (!move->victim || exchanges(move))
		return 0;
	if (dir && !mds_inode_is_dir(move->victim))
		return ENOTDIR;
	if (!dir && mds_inode_is_dir(move->victim))
		return EISDIR;
	return mds_inode_is_dir(move->victim) && move->victim->size ? ENOTEMPTY : 0;
}

static int judge(const struct move *move)
{
	if (move->victim && (move->record->rename_flags & NACRE_RENAME_NOREPLACE))
		return EEXIST;
	if (!move->victim && exchanges(move))
		return ENOENT;
	if (mds_inode_is_dir(move->inode) && is_below(move->to, move->inode))
		return EINVAL;
	if (exchanges(move) && mds_inode_is_dir(move->victim) &&
	    is_below(move->from, move->victim))
		return EINVAL;
	return judge_types(move);
}

/*
 * Between trees with different quotas what moves takes its sums along, if they are known: those of a file, of an empty
 * directory, of a directory with a quota of its own. Anything else is to be copied, as between file systems.
 */
static int judge_quota(struct mds *mds, struct mds_request *request, const struct move *move)
{
	const struct mds_quota *own = mds_quota_of_dir(mds, move->inode->ino);
	uint32_t from = mds_quota_now(mds, move->inode->quota), to = mds_quota_inside(mds, move->to);
	bool whiteout = move->record->rename_flags & NACRE_RENAME_WHITEOUT;
	int64_t files = 1, bytes = 0;

	if (request->head->applied)
		return 0;
	if (exchanges(move) && from != to)
		return EXDEV;
	if (from == to)
		return mds_quota_room(mds, 0, to, whiteout && !move->victim, 0);
	if (own) {
		files += (int64_t)own->used_files;
		bytes = (int64_t)(own->used_bytes + own->reserved);
	} else if (mds_inode_is_dir(move->inode)) {
		if (move->inode->size)
			return EXDEV;
	} else if (move->inode->nlink > 1) {
		return EXDEV;
	} else if (S_ISREG(move->inode->mode)) {
		int result = mds_quota_req_known(mds, request, move->inode);

		if (result)
			return result;
		bytes = (int64_t)move->inode->size;
	}
	if (move->victim && (mds_inode_is_dir(move->victim) || move->victim->nlink == 1)) {
		files--;
		bytes -= S_ISREG(move->victim->mode) ? (int64_t)move->victim->size : 0;
	}
	return mds_quota_room(mds, from, to, files, bytes);
}

/* What chattr(1) has forbidden. */
static int judge_flags(const struct mds_request *request, const struct move *move)
{
	int result = req_free_of(request, move->from, NACRE_INODE_FIXED);

	if (!result)
		result = req_free_of(request, move->to, move->victim ? NACRE_INODE_FIXED : NACRE_INODE_IMMUTABLE);
	if (!result)
		result = req_free_of(request, move->inode, NACRE_INODE_FIXED);
	if (!result && move->victim)
		result = req_free_of(request, move->victim, NACRE_INODE_FIXED);
	return result;
}

static int lock(struct mds *mds, struct mds_request *request, const struct move *move)
{
	uint32_t groups = NACRE_GROUP_DIR | NACRE_GROUP_FILE;
	int result = req_room(mds, request);

	if (mds_inode_is_dir(move->inode) || (move->victim && mds_inode_is_dir(move->victim)))
		groups |= NACRE_GROUP_LINK;
	if (!result)
		result = req_change(mds, request, move->from, groups);
	if (!result)
		result = req_change(mds, request, move->to, groups);
	if (!result)
		result = req_change(mds, request, move->inode, NACRE_GROUP_LINK);
	if (!result && move->victim)
		result = req_change(mds, request, move->victim,
				    mds_inode_is_dir(move->victim) && !exchanges(move) ?
					    NACRE_GROUP_LINK | NACRE_GROUP_DIR :
					    NACRE_GROUP_LINK);
	return result;
}

/* ---- applying ------------------------------------------------------------------------------------------------ */

/* Make an entry name an inode that is in no entry at the moment. */
static void put(struct mds_change *change, struct mds_dentry *dentry, struct mds_inode *inode)
{
	if (inode->own)
		mds_dentry_set_remote(dentry, inode->ino, inode->mode);
	else
		mds_dentry_set_primary(dentry, inode);
	mds_change_entry(change, dentry);
	mds_change_home(change, inode);
}

static void count(struct mds_change *change, const struct move *move, uint64_t now)
{
	int moved = mds_inode_is_dir(move->inode);
	int back = move->victim && mds_inode_is_dir(move->victim);

	if (exchanges(move)) {
		mds_dir_changed(change, move->from, 0, back - moved, now);
		mds_dir_changed(change, move->to, 0, moved - back, now);
		return;
	}
	mds_dir_changed(change, move->from, -1, -moved, now);
	mds_dir_changed(change, move->to, move->victim ? 0 : 1, moved - back, now);
}

static void leave_whiteout(struct mds *mds, struct mds_change *change, const struct move *move,
			   uint64_t now)
{
	struct mds_inode *inode;

	inode = mds_make_inode(change, move->old, mds_take_inos(mds, 1), S_IFCHR, now);
	inode->rdev = 0;
	mds_change_next_ino(change);
	mds_dir_changed(change, move->from, 1, 0, now);
}

static void apply(struct mds *mds, struct mds_request *request, struct move *move)
{
	uint64_t now = mds_op_time(mds, request);
	struct mds_change change;

	mds_change_begin_request(&change, request);
	change.ino = move->inode->ino;
	move->new = mds_dentry_get(move->to->dir, move->record->name2, move->record->name2_bytes);
	mds_dentry_clear(move->old);
	mds_dentry_clear(move->new);
	put(&change, move->new, move->inode);
	if (mds->quotas.by_id && mds_quota_now(mds, move->inode->quota) != mds_quota_inside(mds, move->to))
		mds_quota_move(mds, move->inode, move->to);
	move->inode->ctime = nacre_time_later(move->inode->ctime, now);
	count(&change, move, now);
	if (exchanges(move)) {
		put(&change, move->old, move->victim);
		move->victim->ctime = nacre_time_later(move->victim->ctime, now);
	} else {
		mds_change_entry(&change, move->old);
		if (move->victim)
			mds_name_lost(&change, move->victim, now);
		if (move->record->rename_flags & NACRE_RENAME_WHITEOUT)
			leave_whiteout(mds, &change, move, now);
	}
	mds_request_commit(request, &change);
	if (move->victim) {
		mds_caps_tell_orphan(mds, move->victim, request->session);
		mds_caps_settle(mds, move->victim);
	}
}

int mds_op_rename(struct mds *mds, struct mds_request *request)
{
	struct move move = { .record = &request->message->host.record };
	int result = find_dirs(mds, request, &move);

	if (!result)
		result = find_entries(mds, request, &move);
	if (!result)
		result = judge(&move);
	if (!result)
		result = judge_flags(request, &move);
	/* two names of one inode: nothing is to be done, says POSIX */
	if (!result && move.inode != move.victim)
		result = lock(mds, request, &move);
	if (!result && move.inode != move.victim && mds->quotas.by_id)
		result = judge_quota(mds, request, &move);
	if (result)
		return result;
	if (move.inode != move.victim)
		apply(mds, request, &move);
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, move.inode, request->head->wanted },
			{ NACRE_TRACE_PARENT, move.from, 0 },
			{ NACRE_TRACE_PARENT2, move.to == move.from ? NULL : move.to, 0 },
			{ NACRE_TRACE_VICTIM, move.victim == move.inode ? NULL : move.victim, 0 },
		}, 4);
}
