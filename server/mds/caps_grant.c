/* SPDX-License-Identifier: GPL-2.0 */
/* Locks of inodes, what they let clients have, and giving it; see caps.h. */
#include "core.h"
#include "protocol/rules/size.h"

#define FILE_LOCK 3			/* place of NACRE_GROUP_FILE */
#define SETTLE_SLICE 128		/* inodes looked at in one turn (TIME-1) */

uint32_t mds_caps_sensible(const struct mds_inode *inode)
{
	uint32_t caps = NACRE_CAP_PIN | NACRE_CAPS_AUTH | NACRE_CAPS_XATTR |
			NACRE_CAP_LINK_SHARED | NACRE_CAP_FILE_SHARED;

	/* the rank itself changes size, times and nlink of a directory with every entry */
	if (mds_inode_is_dir(inode))
		return caps | NACRE_CAP_DIR_SHARED;
	caps |= NACRE_CAP_LINK_EXCL | NACRE_CAP_FILE_EXCL;
	return S_ISREG(inode->mode) ? caps | NACRE_CAPS_FILE : caps;
}

/* ---- the table of caps ---------------------------------------------------------------------------- */

struct mds_cap *mds_cap_find(const struct mds_inode *inode, const struct mds_session *session)
{
	struct mds_cap *cap;

	if (inode->cap_count <= session->cap_count) {
		TAILQ_FOREACH(cap, &inode->caps, inode_link)
			if (cap->session == session)
				return cap;
	} else {
		TAILQ_FOREACH(cap, &session->caps, session_link)
			if (cap->inode == inode)
				return cap;
	}
	return NULL;
}

struct mds_cap *mds_cap_get(struct mds *mds, struct mds_inode *inode, struct mds_session *session)
{
	struct mds_cap *cap = mds_cap_find(inode, session);
	uint64_t cap_id;

	if (cap)
		return cap;
	cap = mds_zalloc(sizeof(*cap));
	cap_id = mds_reconnect_cap_id(mds, session->instance, inode->ino);
	nacre_cap_rank_init(&cap->rank, cap_id ? cap_id : mds->next_cap_id++, session->gen);
	cap->inode = inode;
	cap->session = session;
	TAILQ_INSERT_TAIL(&inode->caps, cap, inode_link);
	TAILQ_INSERT_TAIL(&session->caps, cap, session_link);
	inode->cap_count++;
	session->cap_count++;
	mds->counters.caps++;
	/* who was about to leave is not any more: this cap would never be recalled, and nobody in its place */
	mds_inode_used(mds, inode);
	return cap;
}

void mds_cap_drop(struct mds *mds, struct mds_cap *cap)
{
	struct mds_inode *inode = cap->inode;

	TAILQ_REMOVE(&inode->caps, cap, inode_link);
	TAILQ_REMOVE(&cap->session->caps, cap, session_link);
	if (cap->revoke_first_ns)
		TAILQ_REMOVE(&mds->revoking, cap, revoke_link);
	inode->cap_count--;
	cap->session->cap_count--;
	mds->counters.caps--;
	free(cap);
	mds_locks_gather(mds, inode);
	mds_caps_settle(mds, inode);
	mds_inode_leaves(mds, inode);
	mds_inodes_bound(mds);
}

/* ---- locks ------------------------------------------------------------------------------------------ */

/* Is there no holder left that the lock must wait for? */
static bool is_gathered(const struct mds_inode *inode, const struct nacre_lock *lock)
{
	const struct mds_cap *cap;

	TAILQ_FOREACH(cap, &inode->caps, inode_link)
		if (nacre_lock_waits_for(lock, cap->session->instance, cap->rank.held,
					 cap->rank.issued))
			return false;
	return true;
}

static void gather(struct mds *mds, struct mds_inode *inode, int group)
{
	struct nacre_lock *lock = &inode->locks[group];
	__u32 actions;

	if (nacre_lock_is_stable(lock) || !is_gathered(inode, lock))
		return;
	if (nacre_lock_step(lock, NACRE_LOCKE_GATHERED, 0, &actions))
		assert(!"a gathered lock that is not on its way");
	if ((actions & NACRE_LOCKA_GRANT) || inode->probe || inode->trim_end)
		mds_caps_settle(mds, inode);
	if (actions & NACRE_LOCKA_WAKE)
		mds_wake(mds, &inode->waiters);
}

void mds_locks_gather(struct mds *mds, struct mds_inode *inode)
{
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		gather(mds, inode, i);
}

int mds_lock_step(struct mds *mds, struct mds_inode *inode, int group, uint8_t event,
		  uint64_t loner)
{
	struct nacre_lock *lock = &inode->locks[group];
	struct mds_cap *cap;
	__u32 actions;
	int result = nacre_lock_step(lock, event, loner, &actions);

	if (result)
		return result;
	if (group == FILE_LOCK && inode->lent == MDS_LENT)
		inode->lent = MDS_NOT_LENT;
	if (actions & NACRE_LOCKA_REVOKE) {
		TAILQ_FOREACH(cap, &inode->caps, inode_link)
			mds_cap_revoke(mds, cap,
				       nacre_lock_forbidden(lock, cap->session->instance,
							    cap->rank.held));
		gather(mds, inode, group);
	}
	return 0;
}

bool mds_caps_returning(const struct mds_inode *inode, uint64_t client, uint32_t group)
{
	const struct mds_cap *cap;

	TAILQ_FOREACH(cap, &inode->caps, inode_link)
		if (cap->session->instance == client)
			return cap->rank.held & ~cap->rank.issued & nacre_group_cover(group);
	return false;
}

/* The request itself is about to change the group: its way there is not to be turned round. */
static bool is_on_its_way(const struct nacre_lock *lock, const struct mds_request *request)
{
	return lock->state == NACRE_LOCK_TO_LOCK && lock->loner == request->session->instance;
}

bool mds_lock_read(struct mds *mds, struct mds_inode *inode, uint32_t groups,
		   const struct mds_request *request)
{
	uint64_t client = request->session->instance;
	bool all = true;
	int i;

	if ((groups & NACRE_GROUP_FILE) && (inode->probe || inode->trim_end))
		return false;	/* SIZE-2, SIZE-3 */
	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		if (!(groups & nacre_group_at(i)) ||
		    (nacre_lock_can_read(&inode->locks[i], client) &&
		     !mds_caps_returning(inode, client, nacre_group_at(i))))
			continue;
		if (!mds_claimed(inode, nacre_group_at(i), request) &&
		    !is_on_its_way(&inode->locks[i], request))
			mds_lock_step(mds, inode, i, NACRE_LOCKE_NEED_SYNC, 0);
		all &= nacre_lock_can_read(&inode->locks[i], client) &&
		       !mds_caps_returning(inode, client, nacre_group_at(i));
	}
	return all;
}

bool mds_lock_change(struct mds *mds, struct mds_inode *inode, uint32_t groups,
		     const struct mds_request *request)
{
	uint64_t client = request->session->instance;
	bool all = true;
	int i;

	if ((groups & NACRE_GROUP_FILE) && (inode->probe || inode->trim_end))
		return false;
	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		if (!(groups & nacre_group_at(i)) ||
		    nacre_lock_can_change(&inode->locks[i], client))
			continue;
		if (!mds_claimed(inode, nacre_group_at(i), request))
			mds_lock_step(mds, inode, i, NACRE_LOCKE_NEED_LOCK, client);
		all &= nacre_lock_can_change(&inode->locks[i], client);
	}
	return all;
}

/* ---- settling: locks go where the holders want them -------------------------------------------------- */

/* EXCL or MIX, and whoever had reason for it has given his bits back. */
static bool is_left(const struct mds_inode *inode, const struct nacre_lock *lock)
{
	const struct mds_cap *cap;

	if (lock->state != NACRE_LOCK_EXCL && lock->state != NACRE_LOCK_MIX)
		return false;
	TAILQ_FOREACH(cap, &inode->caps, inode_link)
		if (cap->rank.held & nacre_group_cover(lock->group))
			return false;
	return true;
}

/* Does whoever it was lent to have what he needed it for? */
static bool is_in_use(const struct mds_inode *inode, const struct nacre_lock *lock)
{
	uint32_t lent = lock->state == NACRE_LOCK_EXCL ? nacre_group_cover(lock->group) :
							 NACRE_CAP_FILE_CACHE;
	const struct mds_cap *cap;

	TAILQ_FOREACH(cap, &inode->caps, inode_link)
		if (cap->rank.held & lent)
			return true;
	return false;
}

/* Does the lock stay where a request needed it? */
static bool is_lent(struct mds_inode *inode, int group)
{
	if (group != FILE_LOCK || inode->lent == MDS_NOT_LENT)
		return false;
	if (inode->lent == MDS_LENT && !is_in_use(inode, &inode->locks[group]))
		inode->lent = MDS_NOT_LENT;
	return inode->lent != MDS_NOT_LENT;
}

/*
 * Bring one lock where demand wants it. One that the rank had, or that a client has left, goes back to SYNC: a listing
 * revokes nothing, so it could not be shown in one.
 */
static void settle_lock(struct mds *mds, struct mds_inode *inode, int group)
{
	struct nacre_lock *lock = &inode->locks[group];
	struct nacre_lock_demand demand = { 0 };
	uint32_t sensible = mds_caps_sensible(inode);
	const struct mds_cap *cap;
	__u64 loner;
	int event;

	if (mds_claimed(inode, nacre_group_at(group), NULL) || is_lent(inode, group))
		return;
	if (group == FILE_LOCK && (inode->probe || inode->trim_end))
		return;		/* recover.c, truncate.c have it, or are on their way to it */
	TAILQ_FOREACH(cap, &inode->caps, inode_link)
		nacre_lock_demand_add(&demand, nacre_group_at(group), cap->session->instance,
				      (cap->rank.wanted | cap->asked) & sensible);
	event = nacre_lock_target(lock, &demand, &loner);
	if (event >= 0)
		mds_lock_step(mds, inode, group, (uint8_t)event, loner);
	else if ((lock->state == NACRE_LOCK_LOCK && !lock->change_pin) ||
		 (!demand.wanting && is_left(inode, lock)))
		mds_lock_step(mds, inode, group, NACRE_LOCKE_NEED_SYNC, 0);
}

/*
 * A client's values of a group are on their way again (CAP-1): nobody is to know it without them. Not even this client, when it has
 * given back what it changed them with: it takes what it is told with a grant for newer than what it has said.
 */
static bool is_behind(const struct mds_inode *inode, uint64_t client, uint32_t group)
{
	const struct mds_cap *cap;

	TAILQ_FOREACH(cap, &inode->caps, inode_link)
		if (cap->claimed_dirty & group &&
		    (cap->session->instance != client || !(cap->rank.held & nacre_group_cover(group))))
			return true;
	return false;
}

/* Bits of `caps` that may be granted to this client at this moment. */
static uint32_t grantable(const struct mds_inode *inode, uint64_t client, uint32_t caps)
{
	uint32_t may = NACRE_CAP_PIN;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		/* whoever it is lent to has had his turn: claims of younger requests do not bar him */
		bool barred = !(i == FILE_LOCK && inode->lent == MDS_LENDING) &&
			      mds_claimed(inode, nacre_group_at(i), NULL);

		if (!barred && !is_behind(inode, client, nacre_group_at(i)))
			may |= nacre_lock_may_grant(&inode->locks[i], client);
	}
	if (inode->probe || inode->trim_end)
		may &= ~(uint32_t)NACRE_CAPS_FILE;
	/* SIZE-1: no FILE_WRITE before its max_size is journaled */
	if (!mds_caps_max_size(inode, client))
		may &= ~(uint32_t)(NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER);
	return caps & may & mds_caps_sensible(inode);
}

/* Grant what a holder wants and does not have. SHARE-1: true when that has to wait for the journal. */
static bool settle_cap(struct mds *mds, struct mds_cap *cap)
{
	struct mds_inode *inode = cap->inode;
	uint64_t client = cap->session->instance;
	/* what is held but not issued is being revoked: not given again before the answer */
	uint32_t missing = cap->rank.wanted & ~cap->rank.held & mds_caps_sensible(inode);

	if ((!missing && !cap->regrant) || !mds_session_serves(cap->session))
		return false;
	if ((missing & NACRE_CAP_FILE_WRITE) && S_ISREG(inode->mode) &&
	    !mds_caps_max_size(inode, client) &&
	    (nacre_lock_may_grant(&inode->locks[FILE_LOCK], client) & NACRE_CAP_FILE_WRITE))
		mds_caps_extend(mds, cap, 0);
	missing = grantable(inode, client, missing);
	if (!missing && !cap->regrant)
		return false;
	if (inode->unsafe_instance != client &&
	    !mds_journal_is_safe(&mds->journal, inode->unsafe_seq))
		return true;
	cap->regrant = false;
	nacre_cap_rank_grant(&cap->rank, missing);
	mds_caps_send_grant(mds, cap);
	return false;
}

/* An orphan that nobody holds or works on any more: its objects are to go. */
static bool reap_orphan(struct mds *mds, struct mds_inode *inode)
{
	if (inode->nlink || inode->cap_count || inode->pins || !TAILQ_EMPTY(&inode->waiters) ||
	    !TAILQ_EMPTY(&inode->claims) || inode->trim_end || inode->probe ||
	    mds->state != MDS_ACTIVE || inode->ino == NACRE_INO_ROOT)
		return false;	/* before that an unsafe request may still be about it */
	return mds_purge_inode(mds, inode);
}

static void settle_inode(struct mds *mds, struct mds_inode *inode)
{
	struct mds_cap *cap;
	bool wait = false;
	int i;

	if (reap_orphan(mds, inode))
		return;
	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		settle_lock(mds, inode, i);
	TAILQ_FOREACH(cap, &inode->caps, inode_link)
		wait |= settle_cap(mds, cap);
	if (inode->trim_end && !inode->trimming)
		mds_truncate_run(mds, inode);
	if (inode->probe && !inode->probing)
		mds_recover_size(mds, inode);
	if (wait) {
		mds_journal_flush(mds);
		mds_caps_settle(mds, inode);
		inode->settle_seq = inode->unsafe_seq;
	}
}

void mds_caps_settle(struct mds *mds, struct mds_inode *inode)
{
	if (!inode->settling) {
		inode->settling = true;
		TAILQ_INSERT_TAIL(&mds->settle, inode, settle);
	}
	inode->settle_seq = 0;
	mds_defer(mds, &mds->settle_task);
}

void mds_caps_settle_run(struct mds *mds)
{
	struct mds_inode *inode, *next, *last = TAILQ_LAST(&mds->settle, mds_inode_list);
	unsigned int looked = 0;

	/* before all claims are in, nobody knows what a lock allows */
	if (!mds_is_serving(mds))
		return;
	for (inode = TAILQ_FIRST(&mds->settle); inode; inode = next) {
		bool is_last = inode == last;

		next = TAILQ_NEXT(inode, settle);
		if (mds_journal_is_safe(&mds->journal, inode->settle_seq)) {
			TAILQ_REMOVE(&mds->settle, inode, settle);
			inode->settling = false;
			if (inode->nlink)
				mds_inode_leaves(mds, inode);
			settle_inode(mds, inode);
		}
		if (is_last)
			break;
		if (++looked == SETTLE_SLICE) {
			mds_defer(mds, &mds->settle_task);
			break;
		}
	}
}

/* ---- granting ------------------------------------------------------------------------------------------ */

void mds_caps_issue(struct mds *mds, struct mds_session *session, struct mds_inode *inode,
		    uint32_t wanted, struct nacre_inode_info *info)
{
	mds_cap_get(mds, inode, session)->rank.wanted |= wanted & mds_caps_sensible(inode);
	mds_caps_offer(mds, session, inode, wanted, info);
}

void mds_caps_offer(struct mds *mds, struct mds_session *session, struct mds_inode *inode,
		    uint32_t offer, struct nacre_inode_info *info)
{
	struct mds_cap *cap = mds_cap_get(mds, inode, session);
	uint32_t give;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		settle_lock(mds, inode, i);
	give = grantable(inode, session->instance,
			 NACRE_CAPS_ALL_SHARED | offer | cap->rank.wanted);
	/* bits that are on their way back are not given again before that has ended */
	give &= ~(cap->rank.held & ~cap->rank.issued);
	info->issued = nacre_cap_rank_grant(&cap->rank, give);
	info->cap_id = cap->rank.cap_id;
	info->cap_gen = cap->rank.gen;
	info->cap_seq = cap->rank.seq;
	cap->granted_ns = mds_now(mds);
}

void mds_caps_ask(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
		  uint32_t wanted)
{
	struct mds_cap *cap = mds_cap_get(mds, inode, request->session);

	request->asked = inode;
	request->asked_caps = wanted & mds_caps_sensible(inode);
	cap->asked |= request->asked_caps;
}

void mds_caps_unask(struct mds *mds, struct mds_request *request)
{
	struct mds_inode *inode = request->asked;
	const struct mds_request *other;
	struct mds_cap *cap;

	if (!inode)
		return;
	request->asked = NULL;
	cap = mds_cap_find(inode, request->session);
	if (!cap)
		return;
	cap->asked = 0;
	TAILQ_FOREACH(other, &request->session->requests, session_link)
		if (other->asked == inode)
			cap->asked |= other->asked_caps;
	mds_caps_settle(mds, inode);
}

bool mds_caps_ready(struct mds *mds, struct mds_session *session, struct mds_inode *inode,
		    uint32_t wanted, uint32_t need)
{
	struct mds_cap *cap = mds_cap_get(mds, inode, session);
	int i;

	cap->rank.wanted |= wanted & mds_caps_sensible(inode);
	/* somebody needs what he is not granted where it is lent to */
	if (inode->lent == MDS_LENT && (need & ~cap->rank.issued & NACRE_CAPS_FILE))
		inode->lent = MDS_NOT_LENT;
	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		settle_lock(mds, inode, i);
	if ((wanted & NACRE_CAP_FILE_WRITE) && S_ISREG(inode->mode))
		mds_caps_extend(mds, cap, 0);
	need &= ~cap->rank.issued;
	/* what is on its way back is given again when it has arrived, and not by this reply */
	return !(need & cap->rank.held) && !(need & ~grantable(inode, session->instance, need));
}

void mds_caps_creator(struct mds *mds, struct mds_session *session, struct mds_inode *inode)
{
	struct mds_cap *cap = mds_cap_get(mds, inode, session);
	uint32_t give = mds_caps_sensible(inode) & ~(uint32_t)NACRE_CAP_DIRX;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (give & nacre_group_excl(nacre_group_at(i)))
			mds_lock_step(mds, inode, i, NACRE_LOCKE_NEED_EXCL, session->instance);
	nacre_cap_rank_grant(&cap->rank, grantable(inode, session->instance, give));
}

void mds_caps_send_grant(struct mds *mds, struct mds_cap *cap)
{
	struct nacre_writer w = nacre_writer(mds->scratch, MDS_SCRATCH_BYTES);
	struct nacre_cap_grant grant = {
		.barrier_epoch = mds->barrier_epoch,
		.safe = cap->session->safe,
		.info = mds->scratch,
	};
	struct nacre_inode_info info;

	mds_info_fill(cap->inode, cap->session, NACRE_TRACE_GRANT, false, &info);
	info.cap_id = cap->rank.cap_id;
	info.cap_gen = cap->rank.gen;
	info.cap_seq = cap->rank.seq;
	info.issued = cap->rank.issued;
	mds_inline_fill(cap->inode, false, &info);
	if (cap->no_room)
		info.info_flags |= NACRE_INFO_NO_ROOM;
	cap->no_room = false;
	if (nacre_encode(nacre_inode_info_desc(), &w, &info))
		return;
	grant.info_bytes = (uint32_t)nacre_writer_bytes(&w);
	cap->granted_ns = mds_now(mds);
	mds->counters.grants++;
	mds_session_send(mds, cap->session, NACRE_MSG_CAP_GRANT, &grant);
}

/* The news may be another session's unsafe change: it goes out when that is journaled (SHARE-1). */
struct orphan_news {
	struct mds_commit commit;
	uint64_t ino;
	uint64_t instance;		/* who knows already */
};

static void tell_orphan(struct mds *mds, struct mds_commit *commit)
{
	struct orphan_news *news = container_of(commit, struct orphan_news, commit);
	struct mds_inode *inode = mds_inode_find(mds, news->ino);
	struct mds_cap *cap;

	if (inode)
		TAILQ_FOREACH(cap, &inode->caps, inode_link)
			if (cap->session->instance != news->instance) {
				nacre_cap_rank_grant(&cap->rank, 0);
				mds_caps_send_grant(mds, cap);
			}
	free(news);
}

void mds_caps_tell_orphan(struct mds *mds, struct mds_inode *inode, struct mds_session *session)
{
	struct orphan_news *news;

	if (inode->nlink || inode->cap_count < 1)
		return;
	news = mds_zalloc(sizeof(*news));
	news->commit.done = tell_orphan;
	news->commit.owned = true;
	news->ino = inode->ino;
	news->instance = session->instance;
	mds_journal_on_safe(mds, inode->unsafe_seq, &news->commit);
	mds_journal_flush(mds);
}
