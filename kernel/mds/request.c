// SPDX-License-Identifier: GPL-2.0
/*
 * Requests: made, numbered, sent, waited for, re-sent, given up.
 *
 *	new ──call──▶ on `requests` ──REPLY──▶ on `unsafe` ──safe──▶ reaped
 *	                  │  ▲                    │
 *	                  └──┘ resend             └ (a reply that says SAFE skips it)
 *
 * A request stays on its list until the rank has answered, also when its caller
 * was killed: the answer carries caps, and a change may have happened (LOG-2).
 * One reference belongs to the list, one to the caller. An unsafe one that is re-sent to a new incarnation counts as under way
 * again until that has answered: the rank may speak of its inodes before.
 *
 * Locks: see client.h; the inodes' `changing` counts are under their cap_lock.
 */
#include <linux/slab.h>
#include "client.h"
#include "../trace.h"

static struct kmem_cache *request_cache;

/* ---- life ---------------------------------------------------------------------------------- */

static struct nacre_mds_request *request_new(struct nacre_fs *fs, u16 type, gfp_t gfp)
{
	struct nacre_mds_request *req = kmem_cache_zalloc(request_cache, gfp);

	if (!req)
		return ERR_PTR(-ENOMEM);
	kref_init(&req->ref);
	INIT_LIST_HEAD(&req->link);
	init_completion(&req->done);
	req->fs = fs;
	req->op = mds_op_find(type);
	req->started = jiffies;
	return req;
}

struct nacre_mds_request *nacre_mds_request_new(struct nacre_fs *fs, u16 type)
{
	return request_new(fs, type, GFP_NOFS);
}

struct nacre_mds_request *nacre_mds_request_new_surely(struct nacre_fs *fs, u16 type)
{
	struct nacre_mds_request *req = request_new(fs, type, GFP_NOFS | __GFP_NOFAIL);

	__set_bit(NACRE_MDSR_SURELY, &req->flags);
	return req;
}

struct nacre_mds_request *nacre_mds_request_get(struct nacre_mds_request *req)
{
	kref_get(&req->ref);
	return req;
}

void nacre_mds_request_drop_entries(struct nacre_mds_request *req)
{
	for (u32 i = 0; i < req->entry_count; i++)
		iput(req->entries[i]);
	kvfree(req->entries);
	req->entries = NULL;
	req->entry_count = 0;
}

static void request_free(struct kref *ref)
{
	struct nacre_mds_request *req = container_of(ref, struct nacre_mds_request, ref);

	/* Caps that nobody took. */
	if (req->got)
		req->fs->upcalls->caps_put(req->target, req->got);
	nacre_mds_request_drop_entries(req);
	iput(req->parent);
	iput(req->parent2);
	iput(req->target);
	iput(req->victim);
	for (int i = 0; i < NACRE_MDSR_OWNED; i++)
		kvfree(req->owned[i]);
	if (req->in)
		nacre_incoming_put(req->in);
	kmem_cache_free(request_cache, req);
}

void nacre_mds_request_put(struct nacre_mds_request *req)
{
	kref_put(&req->ref, request_free);
}

const u8 *nacre_mds_request_keep(struct nacre_mds_request *req, const void *bytes, size_t length)
{
	for (int i = 0; i < NACRE_MDSR_OWNED; i++) {
		if (req->owned[i])
			continue;
		req->owned[i] = kvmemdup(bytes, length, GFP_NOFS);
		return req->owned[i];
	}
	return NULL;
}

/* ---- what is under way on an inode ----------------------------------------------------------- */

static void count_changing(struct inode *inode, u32 groups, int by)
{
	struct nacre_inode *ni;

	if (!inode || !groups)
		return;
	ni = nacre_inode(inode);
	spin_lock(&ni->cap_lock);
	for (int i = 0; i < NACRE_GROUP_COUNT; i++)
		if (groups & nacre_group_at(i))
			ni->changing[i] += by;
	spin_unlock(&ni->cap_lock);
}

static void mark_changing(struct nacre_mds_request *req, int by)
{
	if (!req->op->changes)
		return;
	count_changing(req->parent, req->op->parent_groups, by);
	count_changing(req->parent2, req->op->parent_groups, by);
	count_changing(req->victim, req->op->victim_groups, by);
	/* A target that the reply named was not counted when the request went out. */
	if (!req->op->creates)
		count_changing(req->target, req->op->target_groups, by);
}

void mds_request_settled(struct nacre_mds_request *req)
{
	if (test_and_clear_bit(NACRE_MDSR_MARKED, &req->flags))
		mark_changing(req, -1);
}

/* The end of a change whose caller is gone: its directories' dentries may be wrong. */
static void count_unsure(struct inode *dir, int by)
{
	struct nacre_inode *ni;

	if (!dir)
		return;
	ni = nacre_inode(dir);
	spin_lock(&ni->cap_lock);
	ni->dir_unsure += by;
	ni->dir_epoch = atomic64_inc_return(&nacre_inode_fs(dir)->dir_epochs);
	ni->dir_complete = false;
	spin_unlock(&ni->cap_lock);
}

static void mark_unsure(struct nacre_mds_request *req, int by)
{
	if (!req->op->changes)
		return;
	count_unsure(req->parent, by);
	count_unsure(req->parent2, by);
}

/* ---- sending -------------------------------------------------------------------------------- */

static u64 first_tid(const struct list_head *list)
{
	return list_empty(list) ? U64_MAX : list_first_entry(list, struct nacre_mds_request, link)->tid;
}

/* Unsafe ones may be sent again to a new incarnation. They are in another order, and may be thousands. */
static u64 oldest_unsafe_locked(struct nacre_mds_client *mds)
{
	struct nacre_mds_request *req;

	if (mds->oldest_unsafe)
		return mds->oldest_unsafe;
	mds->oldest_unsafe = U64_MAX;
	list_for_each_entry(req, &mds->unsafe, link)
		mds->oldest_unsafe = min(mds->oldest_unsafe, req->tid);
	list_for_each_entry(req, &mds->resending, link)
		mds->oldest_unsafe = min(mds->oldest_unsafe, req->tid);
	return mds->oldest_unsafe;
}

u64 mds_oldest_tid_locked(struct nacre_mds_client *mds)
{
	lockdep_assert_held(&mds->lock);
	return min(min(mds->next_tid, oldest_unsafe_locked(mds)),
		   min(first_tid(&mds->requests), first_tid(&mds->resending)));
}

/* The head is the same in every request body. */
static void fill_head(struct nacre_mds_request *req, u64 oldest_tid, u64 features)
{
	struct nacre_statfs_req *head = &req->body.statfs;

	head->tid = req->tid;
	head->oldest_tid = oldest_tid;
	head->applied = req->applied;
	if (test_bit(NACRE_MDSR_SENT, &req->flags))
		head->flags |= NACRE_REQUEST_RESEND;
	/* A rank of before would refuse it. */
	if (!(features & NACRE_FEATURE_SIZE_REPORT))
		head->flags &= ~NACRE_REQUEST_REPORT;
}

static int send_request(struct nacre_mds_client *mds, struct nacre_mds_request *req)
{
	u64 oldest;
	int err;

	lockdep_assert_held(&mds->send_mutex);
	spin_lock(&mds->lock);
	oldest = mds_oldest_tid_locked(mds);
	spin_unlock(&mds->lock);
	fill_head(req, oldest, mds->conn ? nacre_conn_features(mds->conn) : 0);
	trace_nacre_mds_request(req->fs->id, test_bit(NACRE_MDSR_SENT, &req->flags) ?
				NACRE_MDS_STEP_RESEND : NACRE_MDS_STEP_SEND, req->tid,
				req->op->name, 0, req->applied, 0);
	err = mds_send_locked(mds, req->op->type, &req->body, false);
	if (err)
		return err;
	set_bit(NACRE_MDSR_SENT, &req->flags);
	nacre_count(req->fs, mds_requests);
	if (req->op->changes)
		nacre_count(req->fs, mds_records);
	return 0;
}

/* Number it and put it on the list. -EIO: there is no session, and will be none. */
static int enlist(struct nacre_mds_client *mds, struct nacre_mds_request *req)
{
	int err = 0;

	/* First, so that whoever ends the request finds it counted. */
	mark_changing(req, 1);
	set_bit(NACRE_MDSR_MARKED, &req->flags);
	spin_lock(&mds->lock);
	if (mds->state == NACRE_SESSION_CLOSED ||
	    (mds->state == NACRE_SESSION_KILLED && req->fs->state == NACRE_FS_STOPPING)) {
		err = -EIO;
	} else {
		req->tid = mds->next_tid++;
		nacre_mds_request_get(req);
		list_add_tail(&req->link, &mds->requests);
	}
	spin_unlock(&mds->lock);
	if (err)
		mds_request_settled(req);
	return err;
}

/* Send it if the session flows now; else it goes out when the session does. */
static int submit(struct nacre_mds_client *mds, struct nacre_mds_request *req)
{
	int err;

	if (test_bit(NACRE_MDSR_SURELY, &req->flags))
		mutex_lock(&mds->send_mutex);	/* nobody waits for the rank under it */
	else if (mutex_lock_killable(&mds->send_mutex))
		return -EINTR;
	err = nacre_fs_error(req->fs) ?: enlist(mds, req);
	if (!err) {
		trace_nacre_mds_request(req->fs->id, NACRE_MDS_STEP_SUBMIT, req->tid,
					req->op->name, 0, 0, 0);
		send_request(mds, req);
	}
	mutex_unlock(&mds->send_mutex);
	return err;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/*
 * The caller stops waiting. A request that never went out is taken back; one that did stays
 * until its answer. Returns true if it was answered in the meantime.
 */
static bool give_up(struct nacre_mds_client *mds, struct nacre_mds_request *req)
{
	bool unsent = false;

	spin_lock(&mds->lock);
	if (test_bit(NACRE_MDSR_DONE, &req->flags)) {
		spin_unlock(&mds->lock);
		wait_for_completion(&req->done);	/* is being completed right now */
		return true;
	}
	set_bit(NACRE_MDSR_ABANDONED, &req->flags);
	if (!test_bit(NACRE_MDSR_SENT, &req->flags) && !test_bit(NACRE_MDSR_SURELY, &req->flags)) {
		unsent = true;
		mds_request_take_locked(mds, req);
	}
	spin_unlock(&mds->lock);

	trace_nacre_mds_request(req->fs->id, NACRE_MDS_STEP_ABORT, req->tid, req->op->name, 0, 0, 0);
	mark_unsure(req, 1);		/* ended by mds_request_finish */
	if (unsent) {
		mds_request_finish(mds, req, -EINTR);
		nacre_mds_request_put(req);	/* the list's */
	}
	return false;
}

/* 0: no limit. No signal reaches a task that exits or is none of a program's. */
static unsigned int patience_ms(const struct nacre_mds_request *req)
{
	unsigned int soft_ms = req->fs->options.soft_timeout_ms;

	if (test_bit(NACRE_MDSR_SURELY, &req->flags) && current->flags & (PF_EXITING | PF_KTHREAD))
		return soft_ms ? min(soft_ms, NACRE_PARTING_MS) : NACRE_PARTING_MS;
	return soft_ms;
}

int nacre_mds_call(struct nacre_mds_request *req)
{
	struct nacre_mds_client *mds = req->fs->mds;
	unsigned int soft_ms = patience_ms(req);
	long left;
	int err;

	err = submit(mds, req);
	if (err) {
		req->result = err;
		return err;
	}
	/* WAIT-1: killable; umount -f and the soft limit end it, too. */
	if (soft_ms)
		left = wait_for_completion_killable_timeout(&req->done, msecs_to_jiffies(soft_ms));
	else
		left = wait_for_completion_killable(&req->done) ?: 1;
	if (left <= 0 && !give_up(mds, req))
		req->result = left ? -EINTR : -ETIMEDOUT;
	return req->result;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Off its list, to be finished by the caller: from here on nobody else ends it. */
void mds_request_take_locked(struct nacre_mds_client *mds, struct nacre_mds_request *req)
{
	lockdep_assert_held(&mds->lock);
	list_del_init(&req->link);
	set_bit(NACRE_MDSR_DONE, &req->flags);
}

/* Tell the caller of a request that was taken. Once per request, without locks. */
void mds_request_finish(struct nacre_mds_client *mds, struct nacre_mds_request *req, int result)
{
	mds_request_settled(req);
	if (test_bit(NACRE_MDSR_ABANDONED, &req->flags))
		mark_unsure(req, -1);
	else
		req->result = result;
	trace_nacre_mds_request(req->fs->id, NACRE_MDS_STEP_REPLY, req->tid, req->op->name,
				req->target ? req->target->i_ino : 0, req->applied, result);
	complete_all(&req->done);
}

/* A change that was reported as done is lost: the next fsync of what it touched says so. */
void mds_request_lost(struct nacre_mds_request *req, int error)
{
	struct inode *inodes[] = { req->parent, req->parent2, req->target };

	for (size_t i = 0; i < ARRAY_SIZE(inodes); i++)
		if (inodes[i])
			mapping_set_error(inodes[i]->i_mapping, error);
}

/*
 * Can it be asked again under a new instance? What only reads, or was never sent. What SYNC asks for,
 * an apply number, is over.
 */
static bool can_repeat(const struct nacre_mds_request *req)
{
	if (req->op->type == NACRE_MSG_SYNC)
		return false;
	return !req->op->changes || !test_bit(NACRE_MDSR_SENT, &req->flags);
}

static void take_failed_locked(struct nacre_mds_client *mds, struct list_head *from, bool all,
			       struct list_head *failed)
{
	struct nacre_mds_request *req, *next;

	list_for_each_entry_safe(req, next, from, link) {
		if (!all && can_repeat(req))
			continue;
		mds_request_take_locked(mds, req);
		list_add_tail(&req->link, failed);
	}
}

void mds_request_fail(struct nacre_mds_client *mds, int error, bool all)
{
	struct nacre_mds_request *req, *next;
	LIST_HEAD(failed);
	LIST_HEAD(lost);

	spin_lock(&mds->lock);
	take_failed_locked(mds, &mds->requests, all, &failed);
	take_failed_locked(mds, &mds->resending, all, &failed);
	list_for_each_entry(req, &mds->unsafe, link)
		clear_bit(NACRE_MDSR_UNSAFE, &req->flags);
	list_splice_tail_init(&mds->unsafe, &lost);
	mds->oldest_unsafe = 0;
	spin_unlock(&mds->lock);

	list_for_each_entry_safe(req, next, &failed, link) {
		list_del_init(&req->link);
		mds_request_finish(mds, req, error);
		mds_reap_request(mds, req);
	}
	list_for_each_entry_safe(req, next, &lost, link) {
		list_del_init(&req->link);
		mds_request_lost(req, error);
		mds_request_settled(req);
		mds_reap_request(mds, req);
	}
	wake_up_all(&mds->wait);
}

/* ---- again ---------------------------------------------------------------------------------- */

/*
 * Re-send a list in its order. It passes through `resending`, so that requests which are given
 * up or failed meanwhile simply vanish from it; nothing new comes, send_mutex is held.
 */
static void resend_list(struct nacre_mds_client *mds, struct list_head *list, bool sent_too)
{
	struct nacre_mds_request *req;
	int err = 0;

	lockdep_assert_held(&mds->send_mutex);
	spin_lock(&mds->lock);
	list_splice_tail_init(list, &mds->resending);
	while (!list_empty(&mds->resending)) {
		req = list_first_entry(&mds->resending, struct nacre_mds_request, link);
		list_move_tail(&req->link, list);
		if (err || (!sent_too && test_bit(NACRE_MDSR_SENT, &req->flags)))
			continue;
		nacre_mds_request_get(req);
		spin_unlock(&mds->lock);
		if (list == &mds->unsafe && !test_and_set_bit(NACRE_MDSR_MARKED, &req->flags))
			mark_changing(req, 1);
		err = send_request(mds, req);
		/* It has become safe, or was failed, before it was counted. */
		if (list == &mds->unsafe && !test_bit(NACRE_MDSR_UNSAFE, &req->flags))
			mds_request_settled(req);
		mds_reap_request(mds, req);
		spin_lock(&mds->lock);
	}
	spin_unlock(&mds->lock);
}

void mds_request_resend_unsafe(struct nacre_mds_client *mds)
{
	resend_list(mds, &mds->unsafe, true);
}

void mds_request_resend_unanswered(struct nacre_mds_client *mds)
{
	resend_list(mds, &mds->requests, true);
}

void mds_request_send_new(struct nacre_mds_client *mds)
{
	resend_list(mds, &mds->requests, false);
}

void mds_request_resend(struct nacre_mds_client *mds)
{
	mutex_lock(&mds->send_mutex);
	resend_list(mds, &mds->requests, true);
	mutex_unlock(&mds->send_mutex);
}

int nacre_mds_init(void)
{
	request_cache = KMEM_CACHE(nacre_mds_request, SLAB_RECLAIM_ACCOUNT);
	return request_cache ? 0 : -ENOMEM;
}

void nacre_mds_exit(void)
{
	kmem_cache_destroy(request_cache);
}
