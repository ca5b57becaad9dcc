/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Taking caps back: sent once at once, then repeated until it is answered (CAP-2), warned of, and in the
 * end the client is evicted. A client that cannot answer for want of an OSD is excused for as long
 * as that placement group is not active in the map.
 *
 * What is recalled in one turn goes to each client in one message; nothing that is said to it meanwhile overtakes that.
 */
#include "core.h"
#include "protocol/codec.h"

#define REPEAT_MS 1000			/* before scaling */
#define GATHER_MAX 512			/* revokes in one message */

/* ---- several in one message ------------------------------------------------------------------------------ */

static bool gather(struct mds *mds, struct mds_session *session, const struct nacre_cap_revoke *revoke)
{
	const uint32_t each = sizeof(struct nacre_cap_revoke_wire);
	struct nacre_writer w;

	if (!mds->gathering || !session->conn ||
	    !(conn_peer_features(session->conn) & NACRE_FEATURE_CAP_REVOKES))
		return false;
	if (!session->revokes) {
		session->revokes = mds_must(malloc((size_t)GATHER_MAX * each));
		TAILQ_INSERT_TAIL(&mds->gathered, session, revokes_link);
	}
	w = nacre_writer(session->revokes + session->revokes_bytes, each);
	nacre_encode(nacre_cap_revoke_desc(), &w, revoke);
	session->revokes_bytes += each;
	if (session->revokes_bytes == GATHER_MAX * each)
		mds_caps_send_gathered(mds, session);
	return true;
}

void mds_caps_send_gathered(struct mds *mds, struct mds_session *session)
{
	struct nacre_cap_revokes several = { .revokes = session->revokes, .revokes_bytes = session->revokes_bytes };
	struct nacre_cap_revoke alone;

	if (!session->revokes)
		return;
	TAILQ_REMOVE(&mds->gathered, session, revokes_link);
	session->revokes = NULL;
	session->revokes_bytes = 0;
	if (nacre_array_count(nacre_cap_revoke_desc(), several.revokes_bytes) > 1) {
		mds_session_send(mds, session, NACRE_MSG_CAP_REVOKES, &several);
	} else {
		nacre_array_at(nacre_cap_revoke_desc(), several.revokes, 0, &alone);
		mds_session_send(mds, session, NACRE_MSG_CAP_REVOKE, &alone);
	}
	free((void *)several.revokes);
}

void mds_caps_gather_end(struct mds *mds)
{
	mds->gathering = false;
	while (!TAILQ_EMPTY(&mds->gathered))
		mds_caps_send_gathered(mds, TAILQ_FIRST(&mds->gathered));
}

/* ---- one ------------------------------------------------------------------------------------------------- */

static void send_revoke(struct mds *mds, struct mds_cap *cap)
{
	struct nacre_cap_revoke revoke = {
		.ino = cap->inode->ino,
		.cap_id = cap->rank.cap_id,
		.cap_gen = cap->rank.gen,
		.cap_seq = cap->rank.revoke_seq,
		.keep = cap->rank.issued,
		.repeats = cap->repeats,
		.barrier_epoch = mds->barrier_epoch,
	};

	cap->revoke_sent_ns = mds_now(mds);
	if (!gather(mds, cap->session, &revoke))
		mds_session_send(mds, cap->session, NACRE_MSG_CAP_REVOKE, &revoke);
}

void mds_cap_revoke(struct mds *mds, struct mds_cap *cap, uint32_t caps)
{
	if (!caps || !nacre_cap_rank_revoke(&cap->rank, caps))
		return;
	if (!cap->revoke_first_ns) {
		cap->revoke_first_ns = mds_now(mds);
		cap->revoke_excused_ns = 0;
		cap->waiting_since_ns = 0;
		cap->warned = false;
		TAILQ_INSERT_TAIL(&mds->revoking, cap, revoke_link);
	}
	cap->repeats = 0;
	mds->counters.revokes++;
	send_revoke(mds, cap);
}

void mds_caps_recall(struct mds *mds, struct mds_inode *inode)
{
	struct mds_cap *cap, *next;
	int i;

	/* a lock that lets a client have values of its own is to say that they are on their way back */
	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (inode->locks[i].state == NACRE_LOCK_EXCL || inode->locks[i].state == NACRE_LOCK_MIX)
			mds_lock_step(mds, inode, i, NACRE_LOCKE_NEED_SYNC, 0);
	TAILQ_FOREACH_SAFE(cap, &inode->caps, inode_link, next) {
		if (!cap->rank.held && !cap->claimed_dirty) {
			mds_cap_drop(mds, cap);	/* claimed with nothing in it */
			continue;
		}
		cap->recalled = true;
		cap->rank.wanted = 0;	/* the answer says what is */
		mds->counters.recalls++;
		mds_cap_revoke(mds, cap, cap->rank.issued);
	}
}

void mds_cap_revoke_answered(struct mds *mds, struct mds_cap *cap)
{
	if (!cap->revoke_first_ns || nacre_cap_rank_revoking(&cap->rank))
		return;
	stats_longest(&mds->counters.longest_revoke_us, (mds_now(mds) - cap->revoke_first_ns) / 1000);
	cap->revoke_first_ns = 0;
	TAILQ_REMOVE(&mds->revoking, cap, revoke_link);
}

/* Time since the last sweep does not count while the client waits for an inactive group. */
static void excuse(struct mds *mds, struct mds_cap *cap, uint64_t now)
{
	struct cluster_map *map = member_map(mds->member);

	if (!cap->waiting_since_ns)
		return;
	if (map && !nacre_map_pg_active(&map->view, cap->waiting_pg >> 24,
					cap->waiting_pg & 0xffffff))
		cap->revoke_excused_ns += now - cap->waiting_since_ns;
	cap->waiting_since_ns = now;
}

/* One outstanding revoke: repeat, warn, or give the client up (returns true then). */
static bool sweep_revoke(struct mds *mds, struct mds_cap *cap, uint64_t now)
{
	uint64_t age;

	excuse(mds, cap, now);
	age = now - cap->revoke_first_ns - cap->revoke_excused_ns;
	if (age > mds_scaled_ns(mds, mds->config.revoke_evict_ms)) {
		mds_evict(mds, cap->session, "did not give a cap back in time");
		return true;
	}
	if (age > mds_scaled_ns(mds, mds->config.revoke_warn_ms) && !cap->warned) {
		cap->warned = true;
		log_warn(mds->log, "caps", "client %llu has not given back %#x on inode %#llx for %llu ms",
			 (unsigned long long)cap->session->instance,
			 cap->rank.held & ~cap->rank.issued, (unsigned long long)cap->inode->ino,
			 (unsigned long long)(age / 1000000));
	}
	if (now - cap->revoke_sent_ns >= mds_scaled_ns(mds, REPEAT_MS)) {
		cap->repeats++;
		mds->counters.revokes_repeated++;
		send_revoke(mds, cap);
	}
	return false;
}

void mds_caps_revoke_sweep(struct mds *mds)
{
	uint64_t now = mds_now(mds);
	struct mds_cap *cap;

	TAILQ_FOREACH(cap, &mds->revoking, revoke_link)
		if (mds_session_serves(cap->session) && sweep_revoke(mds, cap, now))
			return;
}
