// SPDX-License-Identifier: GPL-2.0
/*
 * The session's steps: what came is turned into an event of the machine in
 * protocol/rules/session.h, and the actions it names are carried out here.
 *
 * Everything runs in the inbox worker, one step after the other, but for
 * mds_session_force, which must work while the inbox is stuck. The state is under
 * mds->lock; actions are taken after it.
 */
#include "client.h"
#include "../osd/client.h"

#define CUT_TIMEOUT_MS 2000		/* an unmount waits so long for the rank to hear that it was forced */

/* ---- results of a rank ------------------------------------------------------------------------ */

/* The rank does not know us any more. */
bool mds_result_kills(u32 result)
{
	return result == NACRE_E_NO_SESSION || result == NACRE_E_EVICTED ||
	       result == NACRE_E_DEAD_INSTANCE || result == NACRE_E_UNKNOWN_INSTANCE;
}

/* Ask again in a while. */
bool mds_result_waits(u32 result)
{
	return result == NACRE_E_NOT_ACTIVE || result == NACRE_E_BUSY ||
	       result == NACRE_E_LEASE_LOST || result == NACRE_E_STALE_EPOCH ||
	       result == NACRE_E_NEWER_EPOCH;
}

/* ---- lease ------------------------------------------------------------------------------------ */

static bool lease_lives(const struct nacre_mds_client *mds)
{
	return ktime_get_coarse_boottime_ns() < READ_ONCE(mds->lease_end_ns);
}

bool nacre_mds_may_io(const struct nacre_fs *fs)
{
	const struct nacre_mds_client *mds = fs->mds;

	return nacre_session_may_io(READ_ONCE(mds->state), READ_ONCE(mds->io_stopped)) &&
	       lease_lives(mds);
}

/* The lease counts from when the answered message was *sent*. */
static void start_lease(struct nacre_mds_client *mds, u64 sent_ns)
{
	WRITE_ONCE(mds->lease_end_ns, sent_ns + mds->lease_ms * NSEC_PER_MSEC);
	mod_delayed_work(mds->fs->work, &mds->renew_work, msecs_to_jiffies(mds->lease_ms / 3) + 1);
}

static void send_renew(struct nacre_mds_client *mds)
{
	struct nacre_session_renew renew = { };

	mutex_lock(&mds->send_mutex);
	spin_lock(&mds->lock);
	renew.renew_seq = ++mds->renew_seq;
	renew.inos_left = mds->inos_left;
	renew.oldest_tid = mds_oldest_tid_locked(mds);
	mds->renew_sent_ns[renew.renew_seq % NACRE_RENEWALS_KEPT] = mds_now_ns();
	spin_unlock(&mds->lock);
	mds_send_locked(mds, NACRE_MSG_SESSION_RENEW, &renew, true);
	mutex_unlock(&mds->send_mutex);
}

/* Every third of a lease: renew; and notice when it is out. */
void mds_session_renew_work(struct work_struct *work)
{
	struct nacre_mds_client *mds = container_of(to_delayed_work(work), struct nacre_mds_client,
						    renew_work);
	u8 state = READ_ONCE(mds->state);
	u64 now = mds_now_ns(), end = READ_ONCE(mds->lease_end_ns);
	unsigned long next = msecs_to_jiffies(mds->lease_ms / 3) + 1;

	if (state != NACRE_SESSION_OPEN && state != NACRE_SESSION_STALE &&
	    state != NACRE_SESSION_CLOSING && state != NACRE_SESSION_RECONNECTING)
		return;
	if (now >= end)
		mds_post(mds, MDS_EVENT_SESSION, NACRE_SESE_LEASE_OUT, NULL);
	else
		next = min(next, nsecs_to_jiffies(end - now) + 1);
	if (state != NACRE_SESSION_RECONNECTING)
		send_renew(mds);
	queue_delayed_work(mds->fs->work, &mds->renew_work, next);
}

/* ---- beginnings ------------------------------------------------------------------------------- */

/*
 * Once a connection: without an instance each of them asks for another one, and the rank would in the end evict
 * the session that nobody took.
 */
static void send_open(struct nacre_mds_client *mds)
{
	struct nacre_session_open open = { .instance = mds->fs->instance };
	u32 generation;

	mutex_lock(&mds->send_mutex);
	generation = nacre_conn_generation(mds->conn);
	if (mds->open_gen != generation) {
		mds->begin_sent_ns = mds_now_ns();
		if (!mds_send_locked(mds, NACRE_MSG_SESSION_OPEN, &open, true))
			mds->open_gen = generation;
	}
	mutex_unlock(&mds->send_mutex);
}

static void send_close(struct nacre_mds_client *mds)
{
	struct nacre_session_close close = { .instance = mds->fs->instance };

	mutex_lock(&mds->send_mutex);
	mds_send_locked(mds, NACRE_MSG_SESSION_CLOSE, &close, true);
	mutex_unlock(&mds->send_mutex);
}

/* From here on everything may go out on the present connection. */
static void flow_locked(struct nacre_mds_client *mds)
{
	lockdep_assert_held(&mds->send_mutex);
	mds->flow_gen = nacre_conn_generation(mds->conn);
}

static void flow_and_resend(struct nacre_mds_client *mds)
{
	mutex_lock(&mds->send_mutex);
	flow_locked(mds);
	/* LOG-1: attributes before the requests that follow them. */
	mds->fs->upcalls->caps_reconnected(mds->fs);
	mds_request_resend_unanswered(mds);
	mutex_unlock(&mds->send_mutex);
	mds->fs->upcalls->locks_flow(mds->fs);
	nacre_count(mds->fs, mds_reconnects);
}

/*
 * To a new incarnation: claims, flushes, unsafe requests by apply number, unanswered ones, done. New
 * requests wait for its answer.
 */
static void send_claims(struct nacre_mds_client *mds)
{
	struct nacre_session_reconnect_done done = { .instance = mds->fs->instance };

	mutex_lock(&mds->send_mutex);
	mds->flow_gen = 0;
	if (mds->fs->upcalls->claim_caps(mds->fs) || mds->fs->upcalls->claim_locks(mds->fs))
		goto out;		/* the connection broke: the next one begins anew */
	flow_locked(mds);
	mds->fs->upcalls->caps_reflush(mds->fs);
	mds_request_resend_unsafe(mds);
	mds_request_resend_unanswered(mds);
	mds->flow_gen = 0;
	mds->begin_sent_ns = mds_now_ns();
	mds_send_locked(mds, NACRE_MSG_SESSION_RECONNECT_DONE, &done, true);
out:
	mutex_unlock(&mds->send_mutex);
	nacre_count(mds->fs, mds_reconnects);
}

/* The new incarnation has taken us in: what waited goes out. Of each cap we speak when it is granted anew. */
static void flow_again(struct nacre_mds_client *mds)
{
	mutex_lock(&mds->send_mutex);
	flow_locked(mds);
	mds_request_send_new(mds);
	mutex_unlock(&mds->send_mutex);
	mds->fs->upcalls->locks_flow(mds->fs);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void drop(struct nacre_mds_client *mds)
{
	struct nacre_fs *fs = mds->fs;

	mutex_lock(&mds->send_mutex);
	mds->flow_gen = 0;
	mutex_unlock(&mds->send_mutex);
	/* What is on its way to the OSDs is judged by the fence, and must not be re-sent. */
	nacre_osd_fail_all(fs, -EIO);
	fs->upcalls->caps_lost(fs);
	fs->upcalls->locks_lost(fs);
	mds_request_fail(mds, -EIO, nacre_fs_error(fs) || fs->state == NACRE_FS_STOPPING);
}

/* A killed session comes back by itself, under an instance of its own. */
static void restart(struct nacre_mds_client *mds)
{
	struct nacre_fs *fs = mds->fs;

	if (nacre_fs_error(fs) || READ_ONCE(fs->state) != NACRE_FS_RUNNING)
		return;
	pr_warn("nacre: %s: evicted by the metadata server; going on under a new instance\n",
		fs->options.source);
	nacre_count(fs, evictions);
	spin_lock(&mds->lock);
	mds->generation++;
	mds->applied = 0;
	mds->safe = 0;
	spin_unlock(&mds->lock);
	mds_inos_drop(mds);
	fs->instance = 0;
	mds->open_gen = nacre_conn_generation(mds->conn);	/* the next connection is asked */
	mds_session_event(mds, NACRE_SESE_RESTART);
	mds_session_event(mds, NACRE_SESE_OPEN);
	nacre_conn_reset(mds->conn, -ESTALE);	/* the next hello says: no instance yet */
}

/* ---- the machine ------------------------------------------------------------------------------ */

static void act(struct nacre_mds_client *mds, u32 actions)
{
	if (actions & NACRE_SESA_STOP_LEASE)
		cancel_delayed_work(&mds->renew_work);
	if (actions & NACRE_SESA_DROP)
		drop(mds);
	if (actions & NACRE_SESA_SEND_OPEN)
		send_open(mds);
	if (actions & NACRE_SESA_SEND_CLAIMS)
		send_claims(mds);
	if (actions & NACRE_SESA_RESEND)
		flow_and_resend(mds);
	if (actions & NACRE_SESA_SEND_RENEW)
		send_renew(mds);
	if (actions & NACRE_SESA_SEND_CLOSE)
		send_close(mds);
	if (actions & NACRE_SESA_RETRY_LATER) {
		mds->retry_begin = true;
		mod_delayed_work(mds->fs->work, &mds->retry_work, msecs_to_jiffies(NACRE_RETRY_MS));
	}
	if (actions & (NACRE_SESA_WAKE | NACRE_SESA_RESUME_IO))
		wake_up_all(&mds->wait);
}

/* Step the machine; what it does not list is nonsense from the rank and changes nothing. */
static bool step(struct nacre_mds_client *mds, u8 event, u32 *actions)
{
	int err;

	spin_lock(&mds->lock);
	err = nacre_machine_step(&nacre_session_machine, &mds->state, event, actions);
	if (!err && *actions & NACRE_SESA_STOP_IO)
		WRITE_ONCE(mds->io_stopped, true);
	if (!err && *actions & NACRE_SESA_RESUME_IO)
		WRITE_ONCE(mds->io_stopped, false);
	spin_unlock(&mds->lock);
	if (err)
		pr_debug("nacre: session event %s makes no sense now\n",
			 nacre_machine_event(&nacre_session_machine, event));
	return !err;
}

void mds_session_event(struct nacre_mds_client *mds, u8 event)
{
	u32 actions;

	if (!step(mds, event, &actions))
		return;
	act(mds, actions);
	if (event == NACRE_SESE_KILLED && READ_ONCE(mds->state) == NACRE_SESSION_KILLED)
		restart(mds);
}

/* The rank need not wait for the end of our lease. Out of turn: whoever has send_mutex may be stuck. */
static void send_cut(struct nacre_mds_client *mds)
{
	struct nacre_session_close close = {
		.instance = READ_ONCE(mds->fs->instance), .flags = NACRE_CLOSE_CUT,
	};
	struct nacre_outgoing *out;

	if (!close.instance || !mds->conn)
		return;
	out = nacre_outgoing_new(NACRE_MSG_SESSION_CLOSE, &close, GFP_NOFS);
	if (!IS_ERR(out) && !nacre_conn_send(mds->conn, out))
		WRITE_ONCE(mds->cut_said, true);
}

void mds_session_force(struct nacre_mds_client *mds)
{
	bool was_over = READ_ONCE(mds->state) == NACRE_SESSION_CLOSED;

	mds_session_event(mds, NACRE_SESE_FORCE);
	if (!was_over)
		send_cut(mds);
	mds_request_fail(mds, -EIO, true);
	wake_up_all(&mds->wait);
}

void mds_session_await_cut(struct nacre_mds_client *mds)
{
	if (READ_ONCE(mds->cut_said))
		wait_event_timeout(mds->wait, READ_ONCE(mds->cut_heard) ||
				   !nacre_conn_is_open(mds->conn), msecs_to_jiffies(CUT_TIMEOUT_MS));
}

void mds_session_connected(struct nacre_mds_client *mds, u64 instance)
{
	bool same;

	spin_lock(&mds->lock);
	mds->conn_instance = instance;
	same = instance == mds->rank_instance;
	spin_unlock(&mds->lock);
	mds_session_event(mds, same ? NACRE_SESE_CONNECTED : NACRE_SESE_INCARNATION);
}

/* ---- what the rank says of the session ---------------------------------------------------------- */

/* Was this the answer that an unmount waits for? */
static bool cut_is_heard(struct nacre_mds_client *mds)
{
	if (!READ_ONCE(mds->cut_said))
		return false;
	WRITE_ONCE(mds->cut_heard, true);
	wake_up_all(&mds->wait);
	return true;
}

static void take_numbers(struct nacre_mds_client *mds, const struct nacre_session_state *state)
{
	if (state->lease_ms)
		WRITE_ONCE(mds->lease_ms, state->lease_ms);
	mds_inos_take_in(mds, state->ino_first, state->ino_count);
}

static void opened(struct nacre_mds_client *mds, const struct nacre_session_state *state)
{
	mds->fs->instance = state->instance;
	mds->rank_instance = mds->conn_instance;
	start_lease(mds, mds->begin_sent_ns);
	mutex_lock(&mds->send_mutex);
	flow_locked(mds);
	mutex_unlock(&mds->send_mutex);
	nacre_osd_renew_instance(mds->fs);
	mds_session_event(mds, NACRE_SESE_OPENED);
	mds_request_resend(mds);
	mds->fs->upcalls->locks_flow(mds->fs);
}

static void reconnected(struct nacre_mds_client *mds)
{
	mds->rank_instance = mds->conn_instance;
	start_lease(mds, mds->begin_sent_ns);
	mds_session_event(mds, NACRE_SESE_RECONNECTED);
	flow_again(mds);
}

static void renewed(struct nacre_mds_client *mds, u64 seq)
{
	u64 sent;

	spin_lock(&mds->lock);
	if (seq > mds->renew_seq || seq + NACRE_RENEWALS_KEPT <= mds->renew_seq) {
		spin_unlock(&mds->lock);
		return;		/* too late to know when it was sent */
	}
	sent = mds->renew_sent_ns[seq % NACRE_RENEWALS_KEPT];
	spin_unlock(&mds->lock);
	if (sent + mds->lease_ms * NSEC_PER_MSEC <= mds_now_ns())
		return;
	if (sent + mds->lease_ms * NSEC_PER_MSEC > READ_ONCE(mds->lease_end_ns))
		WRITE_ONCE(mds->lease_end_ns, sent + mds->lease_ms * NSEC_PER_MSEC);
	mds_session_event(mds, NACRE_SESE_RENEWED);
}

static void refused(struct nacre_mds_client *mds, u32 result)
{
	u8 state = READ_ONCE(mds->state);

	if (mds_result_kills(result)) {
		if (cut_is_heard(mds))
			return;
		mds_session_event(mds, state == NACRE_SESSION_CLOSING ? NACRE_SESE_ENDED :
				  NACRE_SESE_KILLED);
		return;
	}
	if (!mds_result_waits(result) && state == NACRE_SESSION_OPENING) {
		mds->open_error = -nacre_error_errno(result);
		wake_up_all(&mds->wait);
		return;
	}
	mds->open_gen = 0;
	mds_session_event(mds, NACRE_SESE_REFUSED);
	if (state == NACRE_SESSION_RECONNECTING) {
		mds->retry_begin = true;
		mod_delayed_work(mds->fs->work, &mds->retry_work, msecs_to_jiffies(NACRE_RETRY_MS));
	}
}

void mds_session_state(struct nacre_mds_client *mds, const struct nacre_session_state *state)
{
	if (state->barrier_epoch)
		nacre_osd_set_barrier(mds->fs, state->barrier_epoch);
	if (state->result) {
		refused(mds, state->result);
		return;
	}
	take_numbers(mds, state);
	switch (READ_ONCE(mds->state)) {
	case NACRE_SESSION_OPENING:
		opened(mds, state);
		break;
	case NACRE_SESSION_RECONNECTING:
		if (!state->renew_seq)
			reconnected(mds);
		break;
	default:
		if (state->renew_seq)
			renewed(mds, state->renew_seq);
	}
	mds_take_safe(mds, state->safe);
}

void mds_session_killed(struct nacre_mds_client *mds, const struct nacre_session_killed *killed)
{
	if (killed->instance != mds->fs->instance)
		return;
	if (cut_is_heard(mds))
		return;
	pr_warn_ratelimited("nacre: %s: the metadata server ends the session: %.*s\n",
			    mds->fs->options.source, (int)killed->text_bytes, killed->text);
	mds_session_event(mds, NACRE_SESE_KILLED);
}

/* The rank asked to wait: begin the session again, or only ask again what was refused. */
void mds_session_retry_work(struct work_struct *work)
{
	struct nacre_mds_client *mds = container_of(to_delayed_work(work), struct nacre_mds_client,
						    retry_work);
	struct nacre_conn *conn;

	if (!mds->retry_begin) {
		mds_post(mds, MDS_EVENT_RESEND, 0, NULL);
		return;
	}
	mds->retry_begin = false;
	conn = READ_ONCE(mds->conn);
	if (conn && nacre_conn_is_open(conn))
		mds_post(mds, MDS_EVENT_SESSION, NACRE_SESE_INCARNATION, NULL);
}
