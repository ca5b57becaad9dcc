/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From replay to active; see reconnect.h.
 *
 *	window open: claims come in and are loaded, requests and cap messages wait
 *	  ─▶ all sessions back, or gone behind the fence
 *	  ─▶ writers that did not come back: their files are to be probed
 *	  ─▶ re-sent unsafe requests, one after the other in the order of apply numbers
 *	  ─▶ active: claims that found nothing are refused, what waited goes on
 */
#include "change.h"
#include "core.h"
#include "server/base/mapedit.h"

/* A cap that a client says it holds. */
struct claim {
	TAILQ_ENTRY(claim) link;	/* reconnect->refused, when its inode was not found */
	struct mds_load_wait wait;
	struct mds *mds;
	uint64_t instance;
	struct nacre_cap_claim body;
};

/* A message that has to wait. */
struct kept {
	TAILQ_ENTRY(kept) link;
	uint64_t instance;
	struct message *message;
	bool values_only;		/* CAP_UPDATE: what it says of caps was heeded at once */
};

struct mds_reconnect {
	struct mds *mds;
	struct io_timer window;
	unsigned int loading;		/* claims whose inodes are on their way */
	bool resending;
	struct mds_commit numbers;	/* before it ends: see journal_numbers() */
	struct mds_request *current;	/* unsafe request that is being repeated */
	TAILQ_HEAD(, claim) refused;
	TAILQ_HEAD(, kept) kept;
};

static void next_unsafe(struct mds *mds);

/* ---- claims ---------------------------------------------------------------------------------------------------- */

/* SIZE-1: a claimed writer whose range is in no image gets a new one by itself, once the rank is active. */
static void accept_claim(struct mds *mds, struct mds_session *session, struct mds_inode *inode,
			 const struct nacre_cap_claim *body)
{
	uint32_t held = body->held & mds_caps_sensible(inode);
	struct mds_cap *cap = mds_cap_get(mds, inode, session);
	int i;

	nacre_cap_rank_claim(&cap->rank, body->cap_id, session->gen, held,
			     body->wanted & mds_caps_sensible(inode));
	cap->claimed_dirty = body->dirty;
	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		nacre_lock_claim(&inode->locks[i], session->instance, held);
	cap->regrant = true;
	mds_caps_settle(mds, inode);
}

static void claim_is_loaded(struct mds *mds, struct mds_load_wait *wait, uint32_t result)
{
	struct claim *claim = container_of(wait, struct claim, wait);
	struct mds_session *session = mds_session_find(mds, claim->instance);
	struct mds_inode *inode = mds_inode_find(mds, claim->body.ino);

	if (session && inode && !result)
		accept_claim(mds, session, inode, &claim->body);
	if (inode || !session) {
		free(claim);
	} else {
		/* made by an unsafe request that will be repeated, or gone */
		TAILQ_INSERT_TAIL(&mds->reconnect->refused, claim, link);
	}
	mds->reconnect->loading--;
	mds_reconnect_check(mds);
}

static void take_claim(struct mds *mds, struct mds_session *session,
		       const struct nacre_cap_claim *body)
{
	struct mds_inode *inode = mds_inode_find(mds, body->ino);
	struct claim *claim;

	if (inode) {
		accept_claim(mds, session, inode, body);
		return;
	}
	claim = mds_zalloc(sizeof(*claim));
	claim->wait.done = claim_is_loaded;
	claim->mds = mds;
	claim->instance = session->instance;
	claim->body = *body;
	mds->reconnect->loading++;
	mds_load_inode_for(mds, body->ino, &claim->wait);
}

void mds_reconnect_claims(struct mds *mds, struct mds_session *session,
			  const struct nacre_session_reconnect *part)
{
	int i, count = nacre_array_count(nacre_cap_claim_desc(), part->claims_bytes);
	struct nacre_cap_claim claim;

	if (!mds->reconnect)
		return;
	session->renewed_ns = mds_now(mds);
	mds_session_finished(session, part->oldest_tid);
	for (i = 0; i < count; i++)
		if (!nacre_array_at(nacre_cap_claim_desc(), part->claims, (uint32_t)i, &claim))
			take_claim(mds, session, &claim);
}

void mds_reconnect_done(struct mds *mds, struct mds_session *session)
{
	if (session->state == NACRE_RSES_CLAIMING)	/* not of one that is being evicted */
		session->settled = true;
	mds_session_step(mds, session, NACRE_RSESE_DONE);
	mds_reconnect_check(mds);
}

uint64_t mds_reconnect_cap_id(struct mds *mds, uint64_t instance, uint64_t ino)
{
	struct claim *claim;
	uint64_t cap_id = 0;

	if (!mds->reconnect)
		return 0;
	TAILQ_FOREACH(claim, &mds->reconnect->refused, link)
		if (claim->instance == instance && claim->body.ino == ino) {
			cap_id = claim->body.cap_id;
			TAILQ_REMOVE(&mds->reconnect->refused, claim, link);
			free(claim);
			break;
		}
	return cap_id;
}

/* What is left of the claims: the client is to forget these caps. */
static void refuse_claims(struct mds *mds)
{
	struct claim *claim;

	while ((claim = TAILQ_FIRST(&mds->reconnect->refused))) {
		struct mds_session *session = mds_session_find(mds, claim->instance);
		struct nacre_cap_revoke revoke = {
			.ino = claim->body.ino,
			.cap_id = claim->body.cap_id,
			.cap_gen = (uint32_t)mds->incarnation,
			.cap_seq = 1,
			.barrier_epoch = mds->barrier_epoch,
		};

		TAILQ_REMOVE(&mds->reconnect->refused, claim, link);
		if (session)
			mds_session_send(mds, session, NACRE_MSG_CAP_REVOKE, &revoke);
		free(claim);
	}
}

/* ---- messages that wait ---------------------------------------------------------------------------------------- */

void mds_reconnect_keep(struct mds *mds, struct mds_session *session, struct message *message,
			bool values_only)
{
	struct kept *kept = mds_zalloc(sizeof(*kept));

	kept->instance = session->instance;
	kept->message = message;
	kept->values_only = values_only;
	TAILQ_INSERT_TAIL(&mds->reconnect->kept, kept, link);
}

static void handle(struct mds *mds, struct kept *kept)
{
	struct mds_session *session = mds_session_find(mds, kept->instance);

	TAILQ_REMOVE(&mds->reconnect->kept, kept, link);
	if (session && kept->values_only)
		mds_cap_take_values(mds, session, kept->message);
	else if (session)
		mds_cap_take(mds, session, kept->message);
	else
		message_put(kept->message);
	free(kept);
}

/* In the order in which they came: unsafe requests first, then what the client has set since. */
static void handle_kept(struct mds *mds)
{
	struct kept *kept;

	while ((kept = TAILQ_FIRST(&mds->reconnect->kept)))
		handle(mds, kept);
}

/* A CAP_UPDATE of this session and inode? */
static bool is_update_of(const struct kept *kept, const struct mds_session *session, uint64_t ino)
{
	return kept->instance == session->instance && kept->message->type == NACRE_MSG_CAP_UPDATE &&
	       kept->message->host.cap_update.ino == ino;
}

uint32_t mds_reconnect_dirty(const struct mds *mds, const struct mds_session *session, uint64_t ino)
{
	const struct kept *kept;
	uint32_t dirty = 0;

	TAILQ_FOREACH(kept, &mds->reconnect->kept, link)
		if (is_update_of(kept, session, ino))
			dirty |= kept->message->host.cap_update.dirty;
	return dirty;
}

void mds_reconnect_take_values(struct mds *mds, const struct mds_session *session, uint64_t ino)
{
	struct kept *kept, *next;

	if (!mds->reconnect)
		return;
	TAILQ_FOREACH_SAFE(kept, &mds->reconnect->kept, link, next)
		if (is_update_of(kept, session, ino)) {
			kept->values_only = true;
			handle(mds, kept);
		}
}

/* ---- writers that are gone ---------------------------------------------------------------------------------------- */

/*
 * Of each range: its holder is back with the cap, or with values that were on their way (they may yet be lost with it: INLINE-4); is back
 * without either or has left (all is flushed); or is lost.
 */
static void check_writers(struct mds *mds, struct mds_inode *inode)
{
	uint32_t i = 0;

	while (i < inode->writer_count) {
		uint64_t instance = inode->writers[i].instance;
		struct mds_session *session = mds_session_find(mds, instance);
		struct mds_cap *cap = session ? mds_cap_find(inode, session) : NULL;

		if (cap && ((cap->rank.held & NACRE_CAPS_FILE) ||
			    (cap->claimed_dirty & NACRE_GROUP_FILE)))
			i++;
		else if (session || mds_intervals_has(&mds->closed, instance))
			mds_caps_end_writer(mds, inode, instance);
		else
			mds_evict_writer(mds, inode, instance);
	}
}

static void check_inodes(struct mds *mds)
{
	struct mds_inode *inode, *next;

	HASH_ITER(hh, mds->inodes, inode, next) {
		check_writers(mds, inode);
		if (inode->probe || inode->trim_end || !inode->nlink)
			mds_caps_settle(mds, inode);
	}
}

/* What was claimed as dirty and has not come by now was safe before, or its client has lost it. */
static void end_dirty_claims(struct mds *mds)
{
	struct mds_inode *inode, *next;
	struct mds_cap *cap;

	HASH_ITER(hh, mds->inodes, inode, next)
		TAILQ_FOREACH(cap, &inode->caps, inode_link)
			if (cap->claimed_dirty) {
				cap->claimed_dirty = 0;
				mds_caps_settle(mds, inode);
			}
}

/* A claim that does not agree with another's: the lock says who has to give way. */
static void revoke_conflicts(struct mds *mds)
{
	struct mds_inode *inode, *next;
	struct mds_cap *cap;
	int i;

	HASH_ITER(hh, mds->inodes, inode, next)
		TAILQ_FOREACH(cap, &inode->caps, inode_link)
			for (i = 0; i < NACRE_GROUP_COUNT; i++)
				mds_cap_revoke(mds, cap,
					       nacre_lock_forbidden(&inode->locks[i],
								    cap->session->instance,
								    cap->rank.held));
}

/* ---- becoming active ------------------------------------------------------------------------------------------------ */

static int mark_rank(struct mds *mds, const struct cluster_map *now, struct mapedit *next,
		     uint32_t state)
{
	struct nacre_map_rank *rank = &next->ranks[mds->config.rank];

	if (mds->config.rank >= next->rank_count || rank->instance != mds->instance)
		return -ESTALE;
	if (rank->state == state)
		return -EALREADY;
	rank->state = state;
	return 0;
}

static int mark_reconnect(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	return mark_rank(owner, now, next, NACRE_RANK_RECONNECT);
}

static int mark_active(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	return mark_rank(owner, now, next, NACRE_RANK_ACTIVE);
}

static void marked(void *owner, int result)
{
	struct mds *mds = owner;

	if (result && result != -EALREADY && mds->state != MDS_DEAD)
		log_warn(mds->log, "reconnect", "the map does not take our state: %s",
			 strerror(-result));
}

static void become_active(struct mds *mds)
{
	struct mds_reconnect *reconnect = mds->reconnect;

	mds_set_state(mds, MDS_ACTIVE);
	member_change_map(mds->member, mark_active, marked, mds);
	handle_kept(mds);
	end_dirty_claims(mds);
	refuse_claims(mds);
	check_inodes(mds);
	mds_caps_settle_run(mds);
	io_timer_cancel(mds->io, &reconnect->window);
	mds->reconnect = NULL;
	free(reconnect);
	mds_intervals_free(&mds->closed);
	mds_wake(mds, &mds->waiting_active);
	mds_purge_kick(mds);
	mds_leftover_begin(mds);
	mds_checkpoint_kick(mds);
	mds->config.events->active(mds->config.owner);
}

static struct mds_request *find_unsafe(struct mds *mds)
{
	struct mds_request *request, *best = NULL;

	TAILQ_FOREACH(request, &mds->waiting_active, wait_link)
		if (request->head->applied && !request->resend_done &&
		    (!best || (request->session == best->session &&
			       request->head->applied < best->head->applied)))
			best = request;
	return best;
}

bool mds_reconnect_runs(const struct mds *mds, const struct mds_request *request)
{
	return mds->reconnect && mds->reconnect->current == request;
}

void mds_reconnect_ended(struct mds *mds, const struct mds_request *request)
{
	if (!mds_reconnect_runs(mds, request))
		return;
	mds->reconnect->current = NULL;
	next_unsafe(mds);
}

static void numbers_are_safe(struct mds *mds, struct mds_commit *commit)
{
	if (mds->state != MDS_RECONNECTING)
		return;
	if (find_unsafe(mds))
		next_unsafe(mds);
	else
		become_active(mds);
}

/*
 * INO-1: the numbers that were left free for what was lost are behind us in the journal, and so is what was sent again, before a new
 * number is given out unsafely. Else the next incarnation would leave the same ones free, and give that number to somebody else.
 */
static void journal_numbers(struct mds *mds)
{
	struct mds_change change;

	mds->reconnect->numbers.done = numbers_are_safe;
	mds_change_begin(&change, mds, NULL);
	mds_change_interval(&change, MDS_ITEM_NEXT_INO, mds->next_ino, 0);
	mds_journal_on_safe(mds, mds_change_commit(&change), &mds->reconnect->numbers);
	mds_journal_flush(mds);
}

static void next_unsafe(struct mds *mds)
{
	struct mds_reconnect *reconnect = mds->reconnect;
	struct mds_request *request = find_unsafe(mds);

	if (!request) {
		journal_numbers(mds);
		return;
	}
	reconnect->current = request;
	mds_request_ready(mds, request);
}

static bool is_settled(const struct mds *mds)
{
	struct mds_session *session, *next;

	HASH_ITER(hh, mds->sessions, session, next)
		if (session->state == NACRE_RSES_AWAITED ||
		    session->state == NACRE_RSES_CLAIMING ||
		    session->state == NACRE_RSES_EVICTING || session->state == NACRE_RSES_FENCED)
			return false;
	return !mds->reconnect->loading;
}

bool mds_is_serving(const struct mds *mds)
{
	return mds->state == MDS_ACTIVE || (mds->reconnect && mds->reconnect->resending);
}

void mds_reconnect_check(struct mds *mds)
{
	if (!mds->reconnect || mds->reconnect->resending || mds->state == MDS_DEAD ||
	    !is_settled(mds))
		return;
	mds->reconnect->resending = true;
	check_inodes(mds);
	revoke_conflicts(mds);
	mds_caps_settle_run(mds);
	next_unsafe(mds);
}

/* ---- the window ---------------------------------------------------------------------------------------------------------- */

static void window_is_over(struct io_timer *timer)
{
	struct mds_reconnect *reconnect = container_of(timer, struct mds_reconnect, window);
	struct mds *mds = reconnect->mds;
	struct mds_session *session, *next;

	HASH_ITER(hh, mds->sessions, session, next)
		if (session->state == NACRE_RSES_AWAITED || session->state == NACRE_RSES_CLAIMING) {
			session->why = "did not come back in time";
			mds->counters.evictions++;
			log_warn(mds->log, "reconnect", "client %llu (%s) is evicted: %s",
				 (unsigned long long)session->instance, session->name,
				 session->why);
			mds_session_step(mds, session, NACRE_RSESE_WINDOW_OUT);
		}
	mds_reconnect_check(mds);
}

/* Instance ids of the incarnation before that were never given out: nobody will ever have them. */
static void bury_leftover_ids(struct mds *mds)
{
	__u64 first, count;

	mds_ids_block(mds, &first, &count);
	for (; count; count--, first++)
		mds_evict_bury(mds, first);
	mds_ids_set_block(mds, 0, 0);
}

void mds_reconnect_begin(struct mds *mds)
{
	struct mds_reconnect *reconnect = mds_zalloc(sizeof(*reconnect));
	struct mds_session *session, *next;

	reconnect->mds = mds;
	reconnect->window.fire = window_is_over;
	TAILQ_INIT(&reconnect->refused);
	TAILQ_INIT(&reconnect->kept);
	mds->reconnect = reconnect;
	mds_set_state(mds, MDS_RECONNECTING);
	bury_leftover_ids(mds);
	HASH_ITER(hh, mds->sessions, session, next) {
		session->renewed_ns = mds_now(mds);	/* as late as it can have renewed with the one before */
		session->inherited = true;
	}
	if (mds->sessions) {
		log_info(mds->log, "reconnect", "waiting for %llu sessions",
			 (unsigned long long)mds->counters.sessions);
		member_change_map(mds->member, mark_reconnect, marked, mds);
		io_timer_arm(mds->io, &reconnect->window,
			     mds_now(mds) + mds_scaled_ns(mds, mds->config.reconnect_ms));
	}
	mds_evict_map_changed(mds);
	mds_reconnect_check(mds);
}

void mds_reconnect_free(struct mds *mds)
{
	struct mds_reconnect *reconnect = mds->reconnect;
	struct claim *claim;
	struct kept *kept;

	if (!reconnect)
		return;
	mds_journal_forget(mds, &reconnect->numbers);
	io_timer_cancel(mds->io, &reconnect->window);
	while ((claim = TAILQ_FIRST(&reconnect->refused))) {
		TAILQ_REMOVE(&reconnect->refused, claim, link);
		free(claim);
	}
	while ((kept = TAILQ_FIRST(&reconnect->kept))) {
		TAILQ_REMOVE(&reconnect->kept, kept, link);
		message_put(kept->message);
		free(kept);
	}
	mds->reconnect = NULL;
	free(reconnect);
}
