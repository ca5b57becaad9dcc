/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is there room in a quota? And what stands in its way: bytes that writers were granted ahead of what they have written.
 * Their caps are taken back then. Whoever asked waits for that; he is refused when it is of no use. See quota.h.
 */
#include "core.h"
#include "quota.h"
#include "protocol/rules/size.h"

#define LOOK_MS 20			/* before scaling, as all here */
#define PATIENCE_MS 5000		/* for reserves to come back */
#define AHEAD_SHARE 16			/* of what is free a writer is granted a part ahead of what he asks for */

struct mds_quota_ask {
	TAILQ_ENTRY(mds_quota_ask) link;
	uint64_t ino, instance;
	uint64_t wanted;
	uint64_t until_ns;
};

/* ---- what there is ---------------------------------------------------------------------------------------- */

static bool is_within(const struct mds *mds, uint32_t id, const struct mds_quota *quota)
{
	const struct mds_quota *at;

	for (at = mds_quota_find(mds, id); at; at = mds_quota_find(mds, at->parent))
		if (at == quota)
			return true;
	return false;
}

static uint64_t left_of(uint64_t limit, uint64_t taken)
{
	return limit > taken ? limit - taken : 0;
}

int mds_quota_room(struct mds *mds, uint32_t from, uint32_t to, int64_t files, int64_t bytes)
{
	const struct mds_quota *quota = to ? mds_quota_find(mds, to) : NULL;

	for (; quota; quota = mds_quota_find(mds, quota->parent)) {
		if (is_within(mds, from, quota))
			continue;
		if ((files > 0 && quota->max_files &&
		     left_of(quota->max_files, quota->used_files) < (uint64_t)files) ||
		    (bytes > 0 && quota->max_bytes &&
		     left_of(quota->max_bytes, quota->used_bytes + quota->reserved) < (uint64_t)bytes)) {
			mds->counters.quota_refusals++;
			return EDQUOT;
		}
	}
	return 0;
}

static bool limits_bytes(const struct mds *mds, const struct mds_inode *inode)
{
	const struct mds_quota *quota = inode->quota ? mds_quota_find(mds, inode->quota) : NULL;

	for (; quota; quota = mds_quota_find(mds, quota->parent))
		if (quota->max_bytes)
			return true;
	return false;
}

/* Bytes by which this file may grow beyond its size; `with_reserves`: of others, too, which may come back unused. */
static uint64_t bytes_left(const struct mds *mds, const struct mds_inode *inode, bool with_reserves)
{
	uint64_t own = inode->charge ? inode->charge->reserved : 0, least = UINT64_MAX;
	const struct mds_quota *quota = inode->quota ? mds_quota_find(mds, inode->quota) : NULL;

	for (; quota; quota = mds_quota_find(mds, quota->parent)) {
		uint64_t taken = quota->used_bytes + (with_reserves ? 0 : quota->reserved - own);

		if (quota->max_bytes && least > left_of(quota->max_bytes, taken))
			least = left_of(quota->max_bytes, taken);
	}
	return least;
}

/* ---- taking reserves back ------------------------------------------------------------------------------------ */

static bool is_coming_back(const struct mds_inode *inode)
{
	const struct mds_cap *cap;

	if (inode->probe)
		return true;
	TAILQ_FOREACH(cap, &inode->caps, inode_link)
		if (cap->revoke_first_ns)
			return true;
	return false;
}

/* Do the two count in one quota that limits bytes? */
static bool share_limit(const struct mds *mds, uint32_t a, uint32_t b)
{
	const struct mds_quota *quota = mds_quota_find(mds, a);

	for (; quota; quota = mds_quota_find(mds, quota->parent))
		if (quota->max_bytes && is_within(mds, b, quota))
			return true;
	return false;
}

/* Take back what others have reserved where this file counts. False: nothing is to be expected. */
static bool squeeze(struct mds *mds, const struct mds_inode *inode)
{
	struct mds_charge *charge, *next;
	bool expected = false;

	TAILQ_FOREACH_SAFE(charge, &mds->quotas.reserving, link, next) {
		struct mds_inode *other = charge->inode;

		if (other == inode || !share_limit(mds, inode->quota, charge->id))
			continue;
		if (is_coming_back(other)) {
			expected = true;
		} else if (mds_now(mds) >= other->recall_after_ns && TAILQ_EMPTY(&other->claims) &&
			   !other->trim_end && other->cap_count) {
			mds->counters.quota_recalls++;
			mds_caps_recall(mds, other);
			expected = true;
		}
	}
	return expected;
}

static void look_later(struct mds *mds)
{
	if (mds->quotas.looking)
		return;
	mds->quotas.looking = true;
	io_timer_arm(mds->io, &mds->quotas.timer, mds_now(mds) + mds_scaled_ns(mds, LOOK_MS));
}

enum verdict { ROOM, NO_ROOM, WAIT };

static enum verdict judge(struct mds *mds, const struct mds_inode *inode, uint64_t end, uint64_t until_ns)
{
	uint64_t more = end > inode->size ? end - inode->size : 0;

	if (more <= bytes_left(mds, inode, false))
		return ROOM;
	if (more <= bytes_left(mds, inode, true) && mds_now(mds) < until_ns && squeeze(mds, inode))
		return WAIT;
	mds->counters.quota_refusals++;
	return NO_ROOM;
}

static uint64_t patience(const struct mds *mds)
{
	return mds_scaled_ns(mds, PATIENCE_MS);
}

int mds_quota_req_size(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
		       uint64_t size)
{
	if (!inode->quota || size <= inode->size || request->head->applied)
		return 0;
	switch (judge(mds, inode, size, request->message->received_ns + patience(mds))) {
	case ROOM:
		return 0;
	case NO_ROOM:
		return EDQUOT;
	default:
		look_later(mds);
		return mds_request_park(mds, request, &mds->quotas.waiters, MDS_WAIT_QUOTA, inode->ino);
	}
}

/* ---- writers ----------------------------------------------------------------------------------------------------- */

uint64_t mds_quota_first_max(struct mds *mds, const struct mds_inode *inode)
{
	uint64_t most = nacre_size_next_max(inode->size, 0, 0, inode->object_bytes), ahead;

	if (!inode->quota || !limits_bytes(mds, inode))
		return most;
	ahead = bytes_left(mds, inode, false) / AHEAD_SHARE;
	if (ahead > inode->object_bytes)
		ahead = inode->object_bytes;
	if (ahead > most - inode->size)
		ahead = most - inode->size;
	/* a range of nothing is none: an empty file may have its first byte */
	return inode->size + ahead ? inode->size + ahead : 1;
}

static struct mds_quota_ask *find_ask(struct mds *mds, const struct mds_cap *cap)
{
	struct mds_quota_ask *ask;

	TAILQ_FOREACH(ask, &mds->quotas.asks, link)
		if (ask->ino == cap->inode->ino && ask->instance == cap->session->instance)
			break;
	return ask;
}

static void wait_for_room(struct mds *mds, const struct mds_cap *cap, uint64_t wanted, uint64_t until_ns)
{
	struct mds_quota_ask *ask = find_ask(mds, cap);

	if (!ask) {
		ask = mds_zalloc(sizeof(*ask));
		ask->ino = cap->inode->ino;
		ask->instance = cap->session->instance;
		ask->until_ns = until_ns;
		TAILQ_INSERT_TAIL(&mds->quotas.asks, ask, link);
	}
	if (ask->wanted < wanted)
		ask->wanted = wanted;
	look_later(mds);
}

/* Clients that do not know of quotas would wait for ever. */
static bool can_be_refused(const struct mds_session *session)
{
	return session->conn && (conn_peer_features(session->conn) & NACRE_FEATURE_QUOTA);
}

bool mds_quota_grant(struct mds *mds, struct mds_cap *cap, uint64_t wanted, uint64_t *max_size)
{
	struct mds_inode *inode = cap->inode;
	uint64_t until_ns = mds->quotas.until_ns ? mds->quotas.until_ns : mds_now(mds) + patience(mds);
	uint64_t most;

	if (!limits_bytes(mds, inode) || !can_be_refused(cap->session))
		return true;
	if (!wanted) {
		*max_size = mds_quota_first_max(mds, inode);
		return true;
	}
	switch (judge(mds, inode, wanted, until_ns)) {
	case WAIT:
		wait_for_room(mds, cap, wanted, until_ns);
		return false;
	case NO_ROOM:
		cap->no_room = true;
		cap->regrant = true;
		mds_caps_settle(mds, inode);
		return false;
	default:
		most = wanted > inode->size ? wanted : inode->size;
		most += (bytes_left(mds, inode, false) - (most - inode->size)) / AHEAD_SHARE;
		if (*max_size > most)
			*max_size = most;
		return true;
	}
}

/*
 * The range stays, or it would have to be journaled before he goes on; a shorter one than is journaled is always right. One that is on its way
 * to him is left alone: he waits for it.
 */
static void cut(struct mds *mds, struct mds_inode *inode, struct mds_writer_slot *slot)
{
	uint64_t least = inode->size ? inode->size : 1;

	if (slot->safe_max != slot->max_size || slot->max_size <= least)
		return;
	slot->max_size = slot->safe_max = least;
	mds_quota_reserve(mds, inode);
	mds_inode_mark_dirty(mds, inode, false, mds->journal.safe_seq);
}

void mds_quota_cut_range(struct mds *mds, struct mds_cap *cap)
{
	struct mds_writer_slot *slot = mds_writer_find(cap->inode, cap->session->instance);

	if (slot && limits_bytes(mds, cap->inode))
		cut(mds, cap->inode, slot);
}

int mds_quota_req_known(struct mds *mds, struct mds_request *request, struct mds_inode *inode)
{
	int result = S_ISREG(inode->mode) ? req_no_writer(mds, request, inode) : 0;
	uint32_t i;

	for (i = 0; !result && i < inode->writer_count; i++) {
		struct mds_writer_slot *slot = &inode->writers[i];

		if (slot->safe_max != slot->max_size) {
			/* or who wants to write takes the lock back in the meantime, and this one it, for ever */
			mds_request_claim(request, inode, NACRE_GROUP_FILE);
			mds_journal_flush(mds);
			result = mds_request_park(mds, request, &inode->waiters, MDS_WAIT_LOCK, inode->ino);
		} else {
			cut(mds, inode, slot);
		}
	}
	return result;
}

/* He asks once more, as if he had just now, but for how long he may yet wait. */
static void look_at(struct mds *mds, const struct mds_quota_ask *ask)
{
	struct mds_session *session = mds_session_find(mds, ask->instance);
	struct mds_inode *inode = mds_inode_peek(mds, ask->ino);
	struct mds_cap *cap = session && inode ? mds_cap_find(inode, session) : NULL;

	if (!cap || !((cap->rank.held | cap->rank.wanted) & NACRE_CAP_FILE_WRITE))
		return;
	if (!(cap->rank.held & NACRE_CAP_FILE_WRITE) && mds_now(mds) < ask->until_ns) {
		/* he has to step back for a moment, and will not ask again when he goes on */
		wait_for_room(mds, cap, ask->wanted, ask->until_ns);
		return;
	}
	mds->quotas.until_ns = ask->until_ns;
	mds_caps_extend(mds, cap, ask->wanted);
	mds->quotas.until_ns = 0;
}

void mds_quota_look(struct io_timer *timer)
{
	struct mds *mds = container_of(timer, struct mds, quotas.timer);
	struct mds_quota_ask *ask;
	TAILQ_HEAD(, mds_quota_ask) asks;

	mds->quotas.looking = false;
	mds_wake(mds, &mds->quotas.waiters);
	TAILQ_INIT(&asks);
	TAILQ_CONCAT(&asks, &mds->quotas.asks, link);
	while ((ask = TAILQ_FIRST(&asks))) {
		TAILQ_REMOVE(&asks, ask, link);
		look_at(mds, ask);
		free(ask);
	}
}

void mds_quota_room_free(struct mds *mds)
{
	struct mds_quota_ask *ask;

	io_timer_cancel(mds->io, &mds->quotas.timer);
	while ((ask = TAILQ_FIRST(&mds->quotas.asks))) {
		TAILQ_REMOVE(&mds->quotas.asks, ask, link);
		free(ask);
	}
}
