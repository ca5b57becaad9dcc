/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way of a lost client out (FENCE-2):
 *
 *	evict ─▶ instance into the map's dead set ─▶ that map is in force, barrier raised
 *	      ─▶ its lease has run out with margin, or it says that its mount was cut off
 *	      ─▶ caps dropped, slice by slice: writers' sizes to be probed, others go on
 *	      ─▶ undeclared numbers purged, session's end journaled
 *
 * Also how the instance of a client that went properly gets into the dead set, some day.
 */
#include "change.h"
#include "core.h"
#include "protocol/rules/size.h"
#include "server/base/mapedit.h"

#define BURY_MS 30000			/* before scaling: proper ends are collected so long */
#define BURY_AGAIN_MS 1000		/* before scaling: after a change of the map that failed */

/* ---- the map ------------------------------------------------------------------------------------------ */

static int kill_dying(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	struct mds *mds = owner;
	unsigned int killed = 0;
	uint32_t i;
	uint64_t n;

	for (i = 0; i < mds->dying.count; i++)
		for (n = 0; n < mds->dying.runs[i].count; n++) {
			uint64_t instance = mds->dying.runs[i].first + n;

			if (nacre_map_is_dead(&now->view, instance))
				continue;
			if (mapedit_kill(next, instance))
				return -ENOSPC;
			killed++;
		}
	return killed ? 0 : -EALREADY;
}

static void bury_now(struct mds *mds);

static void buried(void *owner, int result)
{
	struct mds *mds = owner;

	mds->burying = false;
	if (mds->state == MDS_DEAD)
		return;
	if (result && result != -EALREADY) {
		log_warn(mds->log, "session", "the dead set could not be changed: %s",
			 strerror(-result));
		mds->bury_at_ns = mds_now(mds) + mds_scaled_ns(mds, BURY_AGAIN_MS);
	}
	mds_evict_map_changed(mds);
}

static void bury_now(struct mds *mds)
{
	if (mds->burying)
		return;
	mds->burying = true;
	mds->bury_at_ns = 0;
	member_change_map(mds->member, kill_dying, buried, mds);
}

void mds_evict_bury(struct mds *mds, uint64_t instance)
{
	struct cluster_map *map = member_map(mds->member);

	if (map && nacre_map_is_dead(&map->view, instance))
		return;
	mds_intervals_add(&mds->dying, instance, 1);
	if (!mds->bury_at_ns)
		mds->bury_at_ns = mds_now(mds) + mds_scaled_ns(mds, BURY_MS);
}

void mds_evict_fence(struct mds *mds, struct mds_session *session)
{
	mds_intervals_add(&mds->dying, session->instance, 1);
	/* the change that is under way may have been made without it: another follows (mds_evict_sweep) */
	if (mds->burying)
		mds->bury_at_ns = mds_now(mds);
	bury_now(mds);
}

void mds_evict_map_changed(struct mds *mds)
{
	struct cluster_map *map = member_map(mds->member);
	struct mds_session *session, *next;
	uint32_t i;

	for (i = 0; i < mds->dying.count;) {
		uint64_t first = mds->dying.runs[i].first;

		if (nacre_map_is_dead(&map->view, first))
			mds_intervals_remove(&mds->dying, first, 1);
		else
			i++;
	}
	HASH_ITER(hh, mds->sessions, session, next)
		if (session->state != NACRE_RSES_FENCED && session->state != NACRE_RSES_NONE &&
		    nacre_map_is_dead(&map->view, session->instance))
			mds_session_step(mds, session, NACRE_RSESE_FENCE);
}

/* ---- recovery -------------------------------------------------------------------------------------------- */

void mds_evict(struct mds *mds, struct mds_session *session, const char *why)
{
	if (session->state == NACRE_RSES_EVICTING || session->state == NACRE_RSES_FENCED ||
	    session->state == NACRE_RSES_CLOSING)
		return;
	session->why = why;
	mds->counters.evictions++;
	log_warn(mds->log, "session", "client %llu (%s) is evicted: %s",
		 (unsigned long long)session->instance, session->name, why);
	mds_session_step(mds, session, NACRE_RSESE_EVICT);
}

void mds_evict_recover(struct mds *mds, struct mds_session *session)
{
	struct cluster_map *map = member_map(mds->member);

	/* FENCE-2: whatever is granted from here on carries this epoch */
	mds_set_barrier(mds, map->view.fence_epoch);
	mds_requests_drop_session(mds, session);
}

/* SIZE-2: the lost client may have written up to its max_size. */
void mds_evict_writer(struct mds *mds, struct mds_inode *inode, uint64_t instance)
{
	struct mds_writer_slot *slot = mds_writer_find(inode, instance);
	struct mds_change change;

	if (!slot)
		return;
	if (inode->data_end < slot->max_size)
		inode->data_end = slot->max_size;
	inode->probe = true;		/* INLINE-4: with inline data, for the mark as well */
	mds_writer_drop(inode, instance);
	mds_change_begin(&change, mds, NULL);
	mds_change_inode(&change, inode);
	mds_change_commit(&change);
	mds_caps_settle(mds, inode);
}

static void finish(struct mds *mds, struct mds_session *session)
{
	uint32_t i;

	if (!mds_session_drop_caps(mds, session, mds_evict_writer))
		return;
	/*
	 * INO-1: a number that was not declared can have data only if the request that declared it was answered
	 * unsafe by the incarnation before, lost with it, and not done again by this one.
	 */
	for (i = 0; session->inherited && !session->settled && i < session->inos.count; i++)
		mds_purge_numbers(mds, session->inos.runs[i].first, session->inos.runs[i].count);
	mds_session_journal_end(mds, session, false);
	mds_journal_flush(mds);
	mds_session_step(mds, session, NACRE_RSESE_RECOVERED);
}

void mds_evict_sweep(struct mds *mds)
{
	uint64_t wait = mds_session_lease_ns(mds) + mds_session_margin_ns(mds);
	uint64_t now = mds_now(mds);
	struct mds_session *session, *next;

	HASH_ITER(hh, mds->sessions, session, next)
		if (session->state == NACRE_RSES_FENCED &&
		    (session->cut || now >= session->renewed_ns + wait))
			finish(mds, session);
	if (mds->dying.count && !mds->burying && mds->bury_at_ns && now >= mds->bury_at_ns)
		bury_now(mds);
}
