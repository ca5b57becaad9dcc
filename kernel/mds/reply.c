// SPDX-License-Identifier: GPL-2.0
/*
 * Taking in answers, in the inbox worker: the request is found by its tid, the
 * inodes in its traces are learnt with their caps, and only then does the
 * caller hear of it. Then the request waits on `unsafe` until the rank's journal
 * has its change.
 */
#include <linux/slab.h>
#include "client.h"
#include "../osd/client.h"
#include "../trace.h"
#include "protocol/rules/validate.h"

/* ---- safe ----------------------------------------------------------------------------------- */

void mds_take_safe(struct nacre_mds_client *mds, u64 safe)
{
	struct nacre_mds_request *req, *next;
	LIST_HEAD(done);

	spin_lock(&mds->lock);
	if (safe > mds->safe)
		mds->safe = safe;
	list_for_each_entry_safe(req, next, &mds->unsafe, link) {
		if (req->applied > mds->safe)
			break;
		list_move_tail(&req->link, &done);
		clear_bit(NACRE_MDSR_UNSAFE, &req->flags);
		mds->oldest_unsafe = 0;
	}
	spin_unlock(&mds->lock);

	list_for_each_entry_safe(req, next, &done, link) {
		list_del_init(&req->link);
		trace_nacre_mds_request(req->fs->id, NACRE_MDS_STEP_SAFE, req->tid, req->op->name,
					0, req->applied, 0);
		mds_request_settled(req);
		mds_reap_request(mds, req);
	}
	wake_up_all(&mds->wait);
}

/* The inode's fsync must wait for this change. */
static void note_applied(struct inode *inode, u64 applied)
{
	struct nacre_inode *ni;
	u32 generation;

	if (!inode)
		return;
	ni = nacre_inode(inode);
	generation = nacre_mds_generation(nacre_inode_fs(inode));
	spin_lock(&ni->cap_lock);
	if (ni->unsafe_generation != generation)
		ni->unsafe_applied = 0;
	ni->unsafe_generation = generation;
	ni->unsafe_applied = max(ni->unsafe_applied, applied);
	spin_unlock(&ni->cap_lock);
}

/* Keep the list in the order of apply numbers: a new incarnation gets them in this order. */
/* In apply order. */
static void insert_unsafe_locked(struct nacre_mds_client *mds, struct nacre_mds_request *req)
{
	struct list_head *at;

	for (at = mds->unsafe.prev; at != &mds->unsafe; at = at->prev)
		if (list_entry(at, struct nacre_mds_request, link)->applied < req->applied)
			break;
	list_add(&req->link, at);
	set_bit(NACRE_MDSR_UNSAFE, &req->flags);
}

static void add_unsafe(struct nacre_mds_client *mds, struct nacre_mds_request *req)
{
	note_applied(req->parent, req->applied);
	note_applied(req->parent2, req->applied);
	note_applied(req->target, req->applied);
	note_applied(req->victim, req->applied);

	nacre_mds_request_get(req);
	spin_lock(&mds->lock);
	insert_unsafe_locked(mds, req);
	if (mds->oldest_unsafe)
		mds->oldest_unsafe = min(mds->oldest_unsafe, req->tid);
	spin_unlock(&mds->lock);
}

/* ---- traces --------------------------------------------------------------------------------- */

static void take_report(struct nacre_mds_request *req, const struct nacre_inode_info *info)
{
	req->reported = (struct nacre_reported){
		.there = true,
		.truncate_seq = info->truncate_seq,
		.size = info->size,
		.allocated = info->allocated,
		.atime = info->atime,
		.mtime = info->mtime,
		.ctime = info->ctime,
	};
}

static void learn_target(struct nacre_mds_request *req, struct nacre_inode_info *info)
{
	struct nacre_fs *fs = req->fs;
	bool abandoned = test_bit(NACRE_MDSR_ABANDONED, &req->flags);
	struct inode *inode;

	/* What GETATTR asked for is current by definition, wherever the rank's locks go next; of a report only a size that has grown is for keeping. */
	if (req->op->type == NACRE_MSG_GETATTR && info->info_flags & NACRE_INFO_REPORTED) {
		info->valid |= req->body.getattr.mask & ~NACRE_GROUP_FILE;
		take_report(req, info);
	} else if (req->op->type == NACRE_MSG_GETATTR) {
		info->valid |= req->body.getattr.mask;
	}
	if (req->op->creates)
		req->body.record.ino = info->ino;	/* a resend makes the same inode */
	inode = fs->upcalls->learn(fs, info, true, abandoned ? 0 : req->need, &req->got);
	if (IS_ERR(inode))
		req->learn_error = PTR_ERR(inode);	/* a revoke will be answered UNKNOWN */
	else if (req->target)
		nacre_mds_iput(fs, inode);
	else
		req->target = inode;
}

static void learn_known(struct nacre_fs *fs, const struct nacre_inode_info *info)
{
	u32 got;
	struct inode *inode = fs->upcalls->learn(fs, info, false, 0, &got);

	if (!IS_ERR_OR_NULL(inode))
		nacre_mds_iput(fs, inode);
}

static void learn_traces(struct nacre_mds_request *req, const struct nacre_reply *reply)
{
	struct nacre_reader r = nacre_reader(reply->traces, reply->traces_bytes);
	struct nacre_inode_info info;

	while (nacre_trace_next(&r, &info)) {
		if (info.role == NACRE_TRACE_TARGET)
			learn_target(req, &info);
		else
			learn_known(req->fs, &info);
	}
}

/* The inodes of a listing, in its order; an entry without info, or without memory, stays NULL. */
static void learn_entries(struct nacre_mds_request *req, const struct nacre_reply *reply)
{
	struct nacre_reader r = nacre_reader(reply->extra, reply->extra_bytes);
	struct nacre_inode_info info;
	struct nacre_dirent entry;
	u32 count = 0;

	while (nacre_dirent_next(&r, &entry))
		count++;
	req->entries = kvcalloc(count, sizeof(*req->entries), GFP_NOFS);
	if (!req->entries)
		return;
	req->entry_count = count;
	r = nacre_reader(reply->extra, reply->extra_bytes);
	for (u32 i = 0; nacre_dirent_next(&r, &entry); i++) {
		struct inode *inode;
		u32 got;

		if (!entry.info_bytes ||
		    nacre_decode_all(nacre_inode_info_desc(), entry.info, entry.info_bytes, &info))
			continue;
		inode = req->fs->upcalls->learn(req->fs, &info, true, 0, &got);
		if (!IS_ERR_OR_NULL(inode))
			req->entries[i] = inode;
	}
}

/* In which epoch of the directory did the rank say this? Its revokes come after it. */
static u64 epoch_of(struct inode *dir)
{
	struct nacre_inode *ni;
	u64 epoch = 0;

	if (!dir)
		return 0;
	ni = nacre_inode(dir);
	spin_lock(&ni->cap_lock);
	if (nacre_cap_client_can_use(&ni->cap, NACRE_CAP_DIR_SHARED))
		epoch = ni->dir_epoch;
	spin_unlock(&ni->cap_lock);
	return epoch;
}

/* ---- the reply ------------------------------------------------------------------------------ */

static struct nacre_mds_request *find_request(struct nacre_mds_client *mds, struct list_head *list, u64 tid)
{
	struct nacre_mds_request *req;

	spin_lock(&mds->lock);
	list_for_each_entry(req, list, link) {
		if (req->tid == tid) {
			nacre_mds_request_get(req);
			spin_unlock(&mds->lock);
			return req;
		}
	}
	spin_unlock(&mds->lock);
	return NULL;
}

/* Take it off the list of unanswered ones; false if somebody failed it meanwhile. */
static bool take_answered(struct nacre_mds_client *mds, struct nacre_mds_request *req)
{
	bool mine = false;

	spin_lock(&mds->lock);
	if (!test_bit(NACRE_MDSR_DONE, &req->flags)) {
		mds_request_take_locked(mds, req);
		mine = true;
	}
	spin_unlock(&mds->lock);
	return mine;
}

/* What `extra` means depends on the request, so the connection could not judge it. */
static bool extra_is_good(const struct nacre_mds_request *req, const struct nacre_reply *reply)
{
	const char *reason;

	if (req->op->type != NACRE_MSG_READDIR || reply->result)
		return true;
	if (!nacre_validate_dirents(reply->extra, reply->extra_bytes, &reason))
		return true;
	pr_warn_ratelimited("nacre: metadata server: READDIR reply: %s\n", reason);
	return false;
}

static void answer(struct nacre_mds_client *mds, struct nacre_mds_request *req,
		   struct nacre_incoming *in, const struct nacre_reply *reply)
{
	int result = reply->result ? -nacre_error_errno(reply->result) : 0;

	if (!extra_is_good(req, reply)) {
		nacre_count(mds->fs, frames_bad);
		nacre_conn_reset(mds->conn, -EBADMSG);
		return;
	}
	learn_traces(req, reply);
	if (req->op->type == NACRE_MSG_READDIR && !reply->result)
		learn_entries(req, reply);
	req->dir_epoch = epoch_of(req->parent);
	req->dir_epoch2 = epoch_of(req->parent2);
	if (req->op->creates)
		req->target_epoch = epoch_of(req->target);
	req->reply_flags = reply->flags;
	/* Who only asked hears that the answer found no room; who changed something is told that it was done. */
	if (!result && !req->op->changes)
		result = req->learn_error;
	if (req->op->keeps_reply && !reply->result) {
		nacre_incoming_get(in);
		req->in = in;
	}
	if (!take_answered(mds, req))
		return;
	req->applied = reply->applied;
	if (req->op->changes && reply->applied && !(reply->flags & NACRE_REPLY_SAFE) &&
	    !reply->result)
		add_unsafe(mds, req);
	mds_request_finish(mds, req, result);
	mds_reap_request(mds, req);	/* the list's reference */
}

/*
 * A change that was answered before was done again, by a new incarnation, which gives it a number of its own. What the incarnation said of
 * its inodes until now was older than what we had.
 */
static void answer_again(struct nacre_mds_client *mds, struct nacre_mds_request *req,
			 const struct nacre_reply *reply)
{
	bool stays = reply->applied && !(reply->flags & NACRE_REPLY_SAFE) && !reply->result;
	bool mine;

	learn_traces(req, reply);
	mds_request_settled(req);
	spin_lock(&mds->lock);
	mine = test_and_clear_bit(NACRE_MDSR_UNSAFE, &req->flags);
	if (mine) {
		list_del_init(&req->link);
		mds->oldest_unsafe = 0;
		req->applied = reply->applied;
		if (stays)
			insert_unsafe_locked(mds, req);
	}
	spin_unlock(&mds->lock);
	if (!mine || stays)
		return;
	if (reply->result)
		mds_request_lost(req, -EIO);
	mds_reap_request(mds, req);	/* the list's reference */
	wake_up_all(&mds->wait);
}

void mds_reply(struct nacre_mds_client *mds, struct nacre_incoming *in)
{
	const struct nacre_reply *reply = in->host;
	struct nacre_mds_request *req;

	nacre_count(mds->fs, mds_replies);
	if (reply->barrier_epoch)
		nacre_osd_set_barrier(mds->fs, reply->barrier_epoch);	/* FENCE-2 */
	if (mds_result_kills(reply->result)) {
		mds_session_event(mds, NACRE_SESE_KILLED);
		return;
	}
	if (mds_result_waits(reply->result)) {
		mod_delayed_work(mds->fs->work, &mds->retry_work, msecs_to_jiffies(NACRE_RETRY_MS));
		return;
	}
	/* before whoever asked goes on: his syncfs waits for this one, too */
	spin_lock(&mds->lock);
	mds->applied = max(mds->applied, reply->applied);
	spin_unlock(&mds->lock);
	req = find_request(mds, &mds->requests, reply->tid);
	if (req) {
		answer(mds, req, in, reply);
		mds_reap_request(mds, req);
	} else if ((req = find_request(mds, &mds->unsafe, reply->tid))) {
		answer_again(mds, req, reply);
		mds_reap_request(mds, req);
	}
	mds_take_safe(mds, reply->safe);
}
