/* SPDX-License-Identifier: GPL-2.0 */
/* The table of sessions and what the machine of protocol/rules/session.h has done; see session.h. */
#include "change.h"
#include "core.h"

#define SAFE_NEWS_MS 20			/* before scaling: a client hears so late of what no reply told */
#define DROP_SLICE 256			/* caps of a session that ends, in one turn */

struct mds_session *mds_session_find(struct mds *mds, uint64_t instance)
{
	struct mds_session *session;

	HASH_FIND(hh, mds->sessions, &instance, sizeof(instance), session);
	return session;
}

struct mds_session *mds_session_new(struct mds *mds, uint64_t instance)
{
	struct mds_session *session = mds_zalloc(sizeof(*session));

	session->mds = mds;
	session->instance = instance;
	session->state = NACRE_RSES_NONE;
	session->gen = (uint32_t)mds->incarnation;
	TAILQ_INIT(&session->caps);
	TAILQ_INIT(&session->requests);
	TAILQ_INIT(&session->filelock_owners);
	HASH_ADD(hh, mds->sessions, instance, sizeof(session->instance), session);
	mds->counters.sessions++;
	return session;
}

static void unbind(struct mds_session *session)
{
	struct conn *conn = session->conn;

	if (!conn)
		return;
	session->conn = NULL;
	conn_set_owner(conn, NULL);
	conn_put(conn);
}

void mds_session_free(struct mds *mds, struct mds_session *session)
{
	struct mds_done_request *done, *next;

	mds_requests_drop_session(mds, session);
	mds_filelocks_drop_session(mds, session);
	while (!TAILQ_EMPTY(&session->caps))	/* only when the rank goes */
		mds_cap_drop(mds, TAILQ_FIRST(&session->caps));
	if (session->committing)
		mds_journal_forget(mds, &session->commit);
	if (session->safe_waiting)
		TAILQ_REMOVE(&mds->tell_safe, session, safe_link);
	if (session->revokes)
		TAILQ_REMOVE(&mds->gathered, session, revokes_link);
	free(session->revokes);
	HASH_ITER(hh, session->completed, done, next) {
		HASH_DEL(session->completed, done);
		free(done);
	}
	mds_intervals_free(&session->inos);
	mds_intervals_free(&session->flushes);
	mds_intervals_free(&session->offered);
	unbind(session);
	HASH_DEL(mds->sessions, session);
	mds->counters.sessions--;
	free(session);
}

void mds_session_free_all(struct mds *mds)
{
	struct mds_session *session, *next;

	HASH_ITER(hh, mds->sessions, session, next)
		mds_session_free(mds, session);
}

bool mds_session_serves(const struct mds_session *session)
{
	return session->state == NACRE_RSES_OPEN || session->state == NACRE_RSES_STALE;
}

const char *mds_session_state_name(const struct mds_session *session)
{
	return nacre_machine_state(&nacre_rank_session_machine, session->state);
}

uint64_t mds_session_lease_ns(const struct mds *mds)
{
	return mds_scaled_ns(mds, mds->config.session_lease_ms);
}

uint64_t mds_session_margin_ns(const struct mds *mds)
{
	return mds_session_lease_ns(mds) / 4;
}

/* ---- sending -------------------------------------------------------------------------------------------- */

void mds_send(struct mds *mds, struct conn *conn, uint16_t type, const void *body)
{
	int result = conn_send(conn, type, body, NULL);

	if (result == -ENOBUFS) {
		log_warn(mds->log, "session", "%s does not read, its connection is reset",
			 conn_peer_text(conn));
		conn_reset(conn, result);
	} else if (result && result != -ENOTCONN) {
		log_error(mds->log, "session", "message %u to %s: %s", type, conn_peer_text(conn),
			  strerror(-result));
	}
}

void mds_session_send(struct mds *mds, struct mds_session *session, uint16_t type, const void *body)
{
	mds_caps_send_gathered(mds, session);
	/* nothing that claims authority leaves without the lease on the rank */
	if (session->conn && member_lease_valid(mds->member))
		mds_send(mds, session->conn, type, body);
}

static void fill_state(struct mds *mds, struct nacre_session_state *state, uint64_t instance,
		       uint32_t result)
{
	*state = (struct nacre_session_state){
		.result = result,
		.lease_ms = (uint32_t)(mds_session_lease_ns(mds) / 1000000),
		.instance = instance,
		.incarnation = mds->incarnation,
		.barrier_epoch = mds->barrier_epoch,
	};
}

void mds_session_send_state(struct mds *mds, struct mds_session *session, uint32_t result)
{
	struct nacre_session_state state;

	fill_state(mds, &state, session->instance, result);
	state.renew_seq = session->renew_seq;
	state.applied = session->applied;
	state.safe = session->safe;
	if (!result && session->offered.count && session->conn) {
		struct mds_run run = session->offered.runs[0];

		state.ino_first = run.first;
		state.ino_count = run.count;
		mds_intervals_remove(&session->offered, run.first, run.count);
	}
	session->renew_seq = 0;
	session->told_safe = session->safe;
	mds_session_send(mds, session, NACRE_MSG_SESSION_STATE, &state);
}

/* To a connection that has no session here. */
static void refuse(struct mds *mds, struct conn *conn, uint64_t instance, uint32_t result)
{
	struct nacre_session_state state;

	fill_state(mds, &state, instance, result);
	mds_send(mds, conn, NACRE_MSG_SESSION_STATE, &state);
}

void mds_send_killed(struct mds *mds, struct conn *conn, uint64_t instance, uint32_t result,
		     const char *why)
{
	struct nacre_session_killed killed = {
		.instance = instance,
		.result = result,
		.text = (const uint8_t *)(why ? why : "evicted"),
	};

	killed.text_bytes = (uint32_t)strlen((const char *)killed.text);
	mds_send(mds, conn, NACRE_MSG_SESSION_KILLED, &killed);
}

/* ---- what the journal says ------------------------------------------------------------------------------- */

void mds_session_is_safe(struct mds *mds, uint64_t instance, uint64_t applied)
{
	struct mds_session *session = mds_session_find(mds, instance);

	if (!session || applied <= session->safe)
		return;
	session->safe = applied;
	if (session->safe_waiting)
		return;
	session->safe_waiting = true;
	TAILQ_INSERT_TAIL(&mds->tell_safe, session, safe_link);
	if (!mds->safe_timer.heap_index)
		io_timer_arm(mds->io, &mds->safe_timer,
			     mds_now(mds) + mds_scaled_ns(mds, SAFE_NEWS_MS));
}

void mds_session_tell_safe(struct mds *mds)
{
	struct mds_session *session;

	while ((session = TAILQ_FIRST(&mds->tell_safe))) {
		struct nacre_safe safe = { .safe = session->safe };

		TAILQ_REMOVE(&mds->tell_safe, session, safe_link);
		session->safe_waiting = false;
		if (session->told_safe >= session->safe)
			continue;
		session->told_safe = session->safe;
		mds_session_send(mds, session, NACRE_MSG_SAFE, &safe);
	}
}

static void journaled(struct mds *mds, struct mds_commit *commit)
{
	struct mds_session *session = container_of(commit, struct mds_session, commit);

	session->committing = false;
	mds_session_step(mds, session, NACRE_RSESE_JOURNALED);
}

/* INO-1: the session and its first numbers are in the journal before anybody is told of them. */
static void journal_begin(struct mds *mds, struct mds_session *session)
{
	struct mds_change change;
	__u64 first, count;
	uint64_t ino = mds_take_inos(mds, mds->config.ino_range);

	mds_ids_block(mds, &first, &count);
	mds_change_begin(&change, mds, session);
	mds_change_session(&change, MDS_ITEM_SESSION_BEGIN, session->instance, 0, 0);
	mds_change_session(&change, MDS_ITEM_SESSION_INOS, session->instance, ino, mds->config.ino_range);
	mds_change_next_ino(&change);
	mds_change_interval(&change, MDS_ITEM_BLOCK, first, count);
	mds_intervals_add(&session->inos, ino, mds->config.ino_range);
	mds_intervals_add(&session->offered, ino, mds->config.ino_range);
	session->commit.done = journaled;
	session->committing = true;
	mds_journal_on_safe(mds, mds_change_commit(&change), &session->commit);
	mds_journal_flush(mds);
}

uint64_t mds_session_journal_end(struct mds *mds, struct mds_session *session, bool closed)
{
	struct mds_change change;
	uint64_t seq;

	mds_change_begin(&change, mds, NULL);
	mds_change_session(&change, MDS_ITEM_SESSION_END, session->instance, closed, 0);
	seq = mds_change_commit(&change);
	mds_record_set(mds, MDS_RECORD_SESSION, session->instance, false, seq);
	return seq;
}

bool mds_session_drop_caps(struct mds *mds, struct mds_session *session,
			   void (*end_writer)(struct mds *, struct mds_inode *, uint64_t))
{
	struct mds_cap *cap;
	int dropped = 0;

	while ((cap = TAILQ_FIRST(&session->caps))) {
		if (dropped++ == DROP_SLICE) {
			mds_defer(mds, &mds->end_sessions_task);
			return false;
		}
		end_writer(mds, cap->inode, session->instance);
		mds_cap_drop(mds, cap);
	}
	return true;
}

/* It has flushed all it wrote: nothing is probed. */
static void journal_end(struct mds *mds, struct mds_session *session)
{
	session->closing_caps = !mds_session_drop_caps(mds, session, mds_caps_end_writer);
	if (session->closing_caps)
		return;
	if (session->committing)
		mds_journal_forget(mds, &session->commit);
	session->commit.done = journaled;
	session->committing = true;
	mds_journal_on_safe(mds, mds_session_journal_end(mds, session, true), &session->commit);
	mds_journal_flush(mds);
}

/* ---- the machine ------------------------------------------------------------------------------------------ */

static void consider_evict(struct mds *mds, struct mds_session *session)
{
	uint64_t grace = 2 * mds_session_lease_ns(mds);
	struct mds_cap *cap;

	if (mds_now(mds) - session->stale_ns > grace) {
		mds_evict(mds, session, "silent for too long");
		return;
	}
	TAILQ_FOREACH(cap, &mds->revoking, revoke_link)
		if (cap->session == session) {
			mds_evict(mds, session, "silent, and its caps are wanted");
			return;
		}
	if (mds_filelocks_hinders(mds, session))
		mds_evict(mds, session, "silent, and a file lock of it is wanted");
}

static void free_session(struct mds *mds, struct mds_session *session)
{
	mds_evict_bury(mds, session->instance);
	mds_session_free(mds, session);
	mds_reconnect_check(mds);
}

void mds_session_step(struct mds *mds, struct mds_session *session, uint8_t event)
{
	uint8_t before = session->state;
	__u32 actions;

	if (nacre_machine_step(&nacre_rank_session_machine, &session->state, event, &actions)) {
		log_warn(mds->log, "session", "client %llu: %s in state %s is not expected",
			 (unsigned long long)session->instance,
			 nacre_machine_event(&nacre_rank_session_machine, event),
			 mds_session_state_name(session));
		return;
	}
	if (actions & NACRE_RSESA_START_LEASE) {
		session->renewed_ns = mds_now(mds);
		session->stale_ns = 0;
	}
	if (before != NACRE_RSES_STALE && session->state == NACRE_RSES_STALE)
		session->stale_ns = mds_now(mds);
	if (actions & NACRE_RSESA_JOURNAL) {
		if (session->state == NACRE_RSES_OPENING)
			journal_begin(mds, session);
		else
			journal_end(mds, session);
	}
	if (actions & NACRE_RSESA_STATE_OK)
		mds_session_send_state(mds, session, 0);
	if (actions & NACRE_RSESA_STATE_GONE)
		mds_session_send_state(mds, session, NACRE_E_NO_SESSION);
	if ((actions & NACRE_RSESA_KILLED) && session->conn)
		mds_send_killed(mds, session->conn, session->instance, NACRE_E_EVICTED,
				session->why);
	if (actions & NACRE_RSESA_FENCE)
		mds_evict_fence(mds, session);
	if (actions & NACRE_RSESA_RECOVER)
		mds_evict_recover(mds, session);
	if (actions & NACRE_RSESA_CONSIDER_EVICT)
		consider_evict(mds, session);
	if (actions & NACRE_RSESA_FREE)
		free_session(mds, session);
}

void mds_session_close_sweep(struct mds *mds)
{
	struct mds_session *session, *next;

	HASH_ITER(hh, mds->sessions, session, next)
		if (session->closing_caps)
			journal_end(mds, session);
}

void mds_session_sweep(struct mds *mds)
{
	uint64_t limit = mds_session_lease_ns(mds) + mds_session_margin_ns(mds);
	uint64_t now = mds_now(mds);
	struct mds_session *session, *next;

	HASH_ITER(hh, mds->sessions, session, next)
		if (mds_session_serves(session) && now - session->renewed_ns > limit)
			mds_session_step(mds, session, NACRE_RSESE_LEASE_OUT);
}

/* ---- connections and messages -------------------------------------------------------------------------------- */

static void bind(struct mds *mds, struct mds_session *session, struct conn *conn)
{
	struct conn *old = session->conn;

	if (old == conn)
		return;
	if (old) {
		conn_get(old);
		unbind(session);
		conn_close(old);
		conn_put(old);
	}
	session->conn = conn_get(conn);
	session->connections++;
	session->connected_ns = mds_now(mds);
	conn_set_owner(conn, session);
}

void mds_session_connected(struct mds *mds, struct conn *conn)
{
	uint64_t instance = conn_peer_instance(conn);
	struct mds_session *session = instance ? mds_session_find(mds, instance) : NULL;

	if (session)
		bind(mds, session, conn);
}

void mds_session_disconnected(struct mds *mds, struct conn *conn)
{
	struct mds_session *session = conn_owner(conn);

	if (session && session->conn == conn)
		unbind(session);
	mds_ids_forget(mds, conn);
}

void mds_session_open(struct mds *mds, struct conn *conn, uint64_t instance)
{
	struct mds_session *session = mds_session_find(mds, instance);

	if (!session) {
		session = mds_session_new(mds, instance);
		snprintf(session->name, sizeof(session->name), "%s", conn_peer_text(conn));
	}
	bind(mds, session, conn);
	conn_set_peer_instance(conn, instance);
	mds_session_step(mds, session, NACRE_RSESE_OPEN);
}

static void open_message(struct mds *mds, struct conn *conn, const struct nacre_session_open *open)
{
	struct cluster_map *map = member_map(mds->member);
	struct mds_session *session = mds_session_find(mds, open->instance);

	if (open->rank != mds->config.rank)
		refuse(mds, conn, open->instance, NACRE_E_WRONG_RANK);
	else if (mds->state != MDS_ACTIVE && !session)
		refuse(mds, conn, open->instance, NACRE_E_NOT_ACTIVE);
	else if (!open->instance)
		mds_ids_take(mds, conn);
	else if (nacre_map_is_dead(&map->view, open->instance) ||
		 !nacre_map_was_issued(&map->view, open->instance))
		mds_send_killed(mds, conn, open->instance, NACRE_E_DEAD_INSTANCE,
				"the instance is dead");
	else
		mds_session_open(mds, conn, open->instance);
}

static void renew(struct mds *mds, struct mds_session *session,
		  const struct nacre_session_renew *renewal)
{
	session->renew_seq = renewal->renew_seq;
	mds_session_finished(session, renewal->oldest_tid);
	mds_session_offer_inos(mds, session, renewal->inos_left);
	mds_session_step(mds, session, NACRE_RSESE_RENEW);
}

void mds_session_message(struct mds *mds, struct conn *conn, struct message *message)
{
	struct mds_session *session = conn_owner(conn);

	if (message->type == NACRE_MSG_SESSION_OPEN) {
		open_message(mds, conn, &message->host.session_open);
		message_put(message);
		return;
	}
	if (!session) {
		uint64_t instance = conn_peer_instance(conn);

		if (message->type == NACRE_MSG_SESSION_CLOSE)
			refuse(mds, conn, instance, NACRE_E_NO_SESSION);
		else
			mds_send_killed(mds, conn, instance, NACRE_E_NO_SESSION, "no such session");
		message_put(message);
		return;
	}
	switch (message->type) {
	case NACRE_MSG_SESSION_RENEW:
		renew(mds, session, &message->host.session_renew);
		break;
	case NACRE_MSG_SESSION_CLOSE:
		if (message->host.session_close.flags & NACRE_CLOSE_CUT) {
			session->cut = true;
			mds_evict(mds, session, "its mount was cut off");
			break;
		}
		mds_requests_drop_session(mds, session);
		mds_session_step(mds, session, NACRE_RSESE_CLOSE);
		break;
	case NACRE_MSG_SESSION_RECONNECT:
		mds_session_step(mds, session, NACRE_RSESE_CLAIMS);
		if (session->state == NACRE_RSES_CLAIMING)
			mds_reconnect_claims(mds, session, &message->host.session_reconnect);
		break;
	case NACRE_MSG_SESSION_FILELOCKS:
		if (session->state == NACRE_RSES_CLAIMING)
			mds_filelocks_claims(mds, session, &message->host.session_filelocks);
		break;
	case NACRE_MSG_SESSION_RECONNECT_DONE:
		mds_reconnect_done(mds, session);
		break;
	}
	message_put(message);
}
