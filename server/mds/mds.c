/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A rank's life: it is made, joins, takes its rank, serves, ends. Holds the parts together and hands every
 * message to the part that it concerns. See mds.h.
 */
#include <stdarg.h>
#include "core.h"
#include "map_readers.h"
#include "replay.h"
#include "statfs.h"
#include "writeback.h"

#define SWEEP_MS 250			/* before scaling: leases, revokes, evictions, write-back by age */
#define STOP_MS 5000			/* before scaling: a clean stop waits so long for the journal */

/* ---- state ------------------------------------------------------------------------------------------------- */

const char *mds_state_name(enum mds_state state)
{
	static const char *const names[] = {
		[MDS_JOINING] = "joining", [MDS_REPLAYING] = "replaying",
		[MDS_RECONNECTING] = "reconnecting", [MDS_ACTIVE] = "active",
		[MDS_STOPPING] = "stopping", [MDS_DEAD] = "dead",
	};

	return names[state];
}

void mds_set_state(struct mds *mds, enum mds_state state)
{
	mds->state = state;
	log_info(mds->log, "rank", "rank %u, incarnation %llu: %s", mds->config.rank,
		 (unsigned long long)mds->incarnation, mds_state_name(state));
}

void mds_set_barrier(struct mds *mds, uint64_t epoch)
{
	if (epoch <= mds->barrier_epoch)
		return;
	mds->barrier_epoch = epoch;
	osdc_set_barrier(mds->osdc, epoch);
}

static void tell_end(struct io_task *task)
{
	struct mds *mds = container_of(task, struct mds, end_task);

	if (mds->end_result)
		mds->config.events->failed(mds->config.owner, mds->end_result, mds->end_reason);
	else
		mds->config.events->fenced(mds->config.owner, mds->end_reason);
}

/* From here on nothing is served and nothing written; the owner hears of it from the top of the loop. */
static void end(struct mds *mds, int result, const char *reason)
{
	if (mds->state == MDS_DEAD)
		return;
	snprintf(mds->end_reason, sizeof(mds->end_reason), "%s", reason);
	mds->end_result = result;
	mds_set_state(mds, MDS_DEAD);
	io_defer(mds->io, &mds->end_task);
}

void mds_fail(struct mds *mds, int result, const char *format, ...)
{
	char reason[256];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	log_error(mds->log, "rank", "%s", reason);
	/* an OSD may know before us that another has the rank: that is no failure of ours */
	end(mds, mds->osdc && osdc_is_fenced(mds->osdc) ? 0 : result, reason);
}

/* ---- messages ------------------------------------------------------------------------------------------------ */

static bool is_client(const struct conn *conn)
{
	enum nacre_role role = conn_peer_role(conn);

	return role == NACRE_ROLE_CLIENT || role == NACRE_ROLE_TOOL;
}

static void opened(void *owner, struct conn *conn)
{
	struct mds *mds = owner;

	if (mds->state == MDS_DEAD || osdc_opened(mds->osdc, conn) ||
	    mds_statfs_opened(mds, conn))
		return;
	if (!is_client(conn))
		return;
	/* what a client has to say cannot be judged before replay is over: it comes again */
	if (mds->state < MDS_RECONNECTING && conn_peer_role(conn) == NACRE_ROLE_CLIENT)
		conn_reset(conn, -EAGAIN);
	else
		mds_session_connected(mds, conn);
}

static void closed(void *owner, struct conn *conn, int reason)
{
	struct mds *mds = owner;

	if (mds->state == MDS_DEAD || osdc_closed(mds->osdc, conn, reason) ||
	    mds_statfs_closed(mds, conn))
		return;
	if (!is_client(conn))
		return;
	mds_map_forget(mds, conn);
	mds_session_disconnected(mds, conn);
}

/* Requests and cap messages need a session that is served, or about to be. */
static void session_work(struct mds *mds, struct conn *conn, struct message *message)
{
	struct mds_session *session = conn_owner(conn);
	bool claiming = session && session->state == NACRE_RSES_CLAIMING;

	if (session && (claiming || mds_session_serves(session))) {
		if (mds_op_find(message->type))
			mds_request_take(mds, session, message);
		else if (message->type == NACRE_MSG_SIZE_REPORT)
			mds_report_take(mds, session, message);
		else
			mds_cap_message(mds, session, message);
		return;
	}
	if (!session)
		mds_send_killed(mds, conn, conn_peer_instance(conn), NACRE_E_NO_SESSION,
				"no such session");
	else if (session->state == NACRE_RSES_EVICTING || session->state == NACRE_RSES_FENCED)
		mds_send_killed(mds, conn, session->instance, NACRE_E_EVICTED, session->why);
	message_put(message);
}

static void dispatch(struct mds *mds, struct conn *conn, struct message *message)
{
	switch (message->type) {
	case NACRE_MSG_MAP_GET:
		mds_map_get(mds, conn, &message->host.map_get);
		message_put(message);
		break;
	case NACRE_MSG_SESSION_OPEN:
	case NACRE_MSG_SESSION_RENEW:
	case NACRE_MSG_SESSION_CLOSE:
	case NACRE_MSG_SESSION_RECONNECT:
	case NACRE_MSG_SESSION_FILELOCKS:
	case NACRE_MSG_SESSION_RECONNECT_DONE:
		mds_session_message(mds, conn, message);
		break;
	default:
		if (mds_op_find(message->type) || message->type == NACRE_MSG_CAP_UPDATE ||
		    message->type == NACRE_MSG_CAP_UPDATES || message->type == NACRE_MSG_CAP_RELEASE ||
		    message->type == NACRE_MSG_SIZE_REPORT)
			session_work(mds, conn, message);
		else
			message_put(message);
		break;
	}
}

static void message_came(void *owner, struct conn *conn, struct message *message)
{
	struct mds *mds = owner;

	if (mds->state == MDS_DEAD || mds->state == MDS_STOPPING) {
		if (mds->state == MDS_DEAD || !osdc_message(mds->osdc, conn, message))
			message_put(message);
		return;
	}
	if (osdc_message(mds->osdc, conn, message) || mds_statfs_message(mds, conn, message))
		return;
	if (is_client(conn) && (mds->state >= MDS_RECONNECTING ||
				message->type == NACRE_MSG_MAP_GET))
		dispatch(mds, conn, message);
	else
		message_put(message);
}

static const struct msgr_handler msgr_handler = {
	.opened = opened,
	.message = message_came,
	.closed = closed,
};

/* ---- the cluster -------------------------------------------------------------------------------------------------- */

/* A rank is ours: find out what it holds. */
static void take_rank(struct mds *mds)
{
	struct cluster_map *map = member_map(mds->member);
	struct nacre_map_rank rank;

	if (mds->state != MDS_JOINING || !mds->instance || member_rank(mds->member) < 0)
		return;
	mds->config.rank = (uint16_t)member_rank(mds->member);
	if (nacre_map_rank_at(&map->view, mds->config.rank, &rank))
		return;
	mds->incarnation = rank.incarnation;
	mds->next_cap_id = (rank.incarnation << 40) + 1;
	msgr_set_id(mds->msgr, mds->config.rank);
	/* whoever had the rank before is dead in this map: no OSD may still listen to it */
	mds_set_barrier(mds, map->view.epoch);
	mds_replay_begin(mds);
}

static void joined(void *owner, uint64_t instance)
{
	struct mds *mds = owner;

	mds->instance = instance;
	msgr_set_instance(mds->msgr, instance);
	osdc_set_instance(mds->osdc, instance);
	take_rank(mds);
}

static void map_changed(void *owner, struct cluster_map *map)
{
	struct mds *mds = owner;

	if (mds->state == MDS_DEAD)
		return;
	msgr_set_fsid(mds->msgr, map->view.fsid_lo, map->view.fsid_hi);
	msgr_set_map_epoch(mds->msgr, map->view.epoch);
	osdc_set_map(mds->osdc, map);
	take_rank(mds);
	if (mds->state >= MDS_RECONNECTING)
		mds_evict_map_changed(mds);
	if (mds->member)
		mds_map_tell(mds);
}

static void fenced(void *owner, const char *reason)
{
	end(owner, 0, reason);
}

static void failed(void *owner, int result, const char *reason)
{
	end(owner, result, reason);
}

static const struct member_handler member_handler = {
	.joined = joined,
	.map_changed = map_changed,
	.fenced = fenced,
	.failed = failed,
};

/* ---- timers and tasks ------------------------------------------------------------------------------------------------ */

static void sweep(struct io_timer *timer)
{
	struct mds *mds = container_of(timer, struct mds, sweep_timer);

	if (mds->state == MDS_DEAD)
		return;
	io_timer_arm(mds->io, timer, mds_now(mds) + mds_scaled_ns(mds, SWEEP_MS));
	if (mds->state == MDS_RECONNECTING || mds->state == MDS_ACTIVE) {
		mds_session_sweep(mds);
		mds_caps_revoke_sweep(mds);
		mds_evict_sweep(mds);
		mds_checkpoint_kick(mds);
		mds_purge_kick(mds);
		mds_inodes_sweep(mds);
	}
}

static void safe_news(struct io_timer *timer)
{
	struct mds *mds = container_of(timer, struct mds, safe_timer);

	if (mds->state != MDS_DEAD)
		mds_session_tell_safe(mds);
}

static void ready_task(struct io_task *task)
{
	mds_requests_run(container_of(task, struct mds, ready_task));
}

static void settle_task(struct io_task *task)
{
	struct mds *mds = container_of(task, struct mds, settle_task);

	if (mds->state != MDS_DEAD)
		mds_caps_settle_run(mds);
}

static void evict_task(struct io_task *task)
{
	struct mds *mds = container_of(task, struct mds, evict_task);

	/* what was just loaded goes to the requests that wait for it, first */
	if (!TAILQ_EMPTY(&mds->ready))
		mds_defer(mds, task);
	else if (mds_is_serving(mds))
		mds_inode_evict(mds);
}

static void end_sessions_task(struct io_task *task)
{
	struct mds *mds = container_of(task, struct mds, end_sessions_task);

	if (mds->state == MDS_DEAD)
		return;
	mds_session_close_sweep(mds);
	mds_evict_sweep(mds);
}

static void init_lists(struct mds *mds)
{
	TAILQ_INIT(&mds->lru);
	TAILQ_INIT(&mds->fileworks);
	TAILQ_INIT(&mds->settle);
	TAILQ_INIT(&mds->inode_loads);
	TAILQ_INIT(&mds->tell_safe);
	TAILQ_INIT(&mds->gathered);
	TAILQ_INIT(&mds->revoking);
	TAILQ_INIT(&mds->requests);
	TAILQ_INIT(&mds->ready);
	TAILQ_INIT(&mds->waiting_active);
	TAILQ_INIT(&mds->waiting_room);
	TAILQ_INIT(&mds->waiting_memory);
	mds_report_init(mds);
	mds->settle_task.run = settle_task;
	mds->evict_task.run = evict_task;
	mds->ready_task.run = ready_task;
	mds->end_sessions_task.run = end_sessions_task;
	mds->end_task.run = tell_end;
	mds->safe_timer.fire = safe_news;
	mds->sweep_timer.fire = sweep;
}

/* ---- beginning and end --------------------------------------------------------------------------------------------------- */

static void set_defaults(struct mds_config *config)
{
#define DEFAULT(field, value) (config->field = config->field ? config->field : (value))
	DEFAULT(time_scale_percent, 100);
	DEFAULT(lease_ms, 5000);
	DEFAULT(session_lease_ms, 30000);
	DEFAULT(reconnect_ms, 20000);
	DEFAULT(revoke_warn_ms, 10000);
	DEFAULT(revoke_evict_ms, 30000);
	DEFAULT(size_report_ms, 50);
	DEFAULT(commit_ms, 5);
	DEFAULT(cache_inodes, 100000);
	DEFAULT(dir_split, 16384);
	DEFAULT(ino_range, MDS_INO_RANGE);
	DEFAULT(journal_bytes, 64u << 20);
#undef DEFAULT
}

static void make_parts(struct mds *mds)
{
	init_lists(mds);
	mds->scratch = mds_zalloc(MDS_SCRATCH_BYTES);
	mds->scratch2 = mds_zalloc(MDS_SCRATCH_BYTES);
	mds_journal_init(mds);
	mds_checkpoint_init(mds);
	mds_purge_init(mds);
	mds_filelocks_init(mds);
	mds_quotas_init(mds);
	mds->audit_task.run = mds_audit_task;
	mds_recover_init(mds);
	mds_ids_init(mds);
	mds_statfs_init(mds);
	mds_slowest_init(mds);
}

static int make_connections(struct mds *mds)
{
	const struct mds_config *config = &mds->config;
	struct msgr_config msgr = {
		.io = config->io, .name = mds->name, .role = NACRE_ROLE_MDS, .id = config->rank,
		.time_scale_percent = config->time_scale_percent, .log = config->log,
		.handler = &msgr_handler, .owner = mds,
	};
	struct osdc_config osdc = {
		.io = config->io, .time_scale_percent = config->time_scale_percent,
	};
	int result = msgr_create(&msgr, &mds->msgr);

	if (result)
		return result;
	osdc.msgr = mds->msgr;
	mds->osdc = mds_must(osdc_create(&osdc));
	return msgr_listen(mds->msgr, &config->listen);
}

static int join(struct mds *mds)
{
	struct member_config member = {
		.io = mds->io, .store = mds->config.store, .msgr = mds->msgr,
		.role = NACRE_ROLE_MDS, .name = mds->name, .id = mds->config.rank,
		.address = mds->config.advertise, .log = mds->log,
		.time_scale_percent = mds->config.time_scale_percent,
		.lease_ms = mds->config.lease_ms, .out_after_ms = mds->config.out_after_ms,
		.handler = &member_handler, .owner = mds,
	};

	if (!memcmp(member.address.ip, (uint8_t[16]){ 0 }, 16))
		memcpy(member.address.ip, mds->config.listen.ip, 16);
	if (!member.address.port)
		member.address.port = msgr_port(mds->msgr);
	return member_start(&member, &mds->member);
}

int mds_create(const struct mds_config *config, struct mds **ret_mds)
{
	struct mds *mds = mds_zalloc(sizeof(*mds));
	int result;

	mds->config = *config;
	set_defaults(&mds->config);
	snprintf(mds->name, sizeof(mds->name), "%s", config->name);
	mds->io = config->io;
	mds->log = config->log;
	mds->state = MDS_JOINING;
	make_parts(mds);
	result = make_connections(mds);
	if (!result)
		result = join(mds);
	if (result) {
		log_error(mds->log, "rank", "cannot start: %s", strerror(-result));
		mds_destroy(mds);
		return result;
	}
	io_timer_arm(mds->io, &mds->sweep_timer, mds_now(mds) + mds_scaled_ns(mds, SWEEP_MS));
	*ret_mds = mds;
	return 0;
}

void *mds_owner(const struct mds *mds)
{
	return mds->config.owner;
}

uint16_t mds_port(const struct mds *mds)
{
	return msgr_port(mds->msgr);
}

static void bury(struct io_task *task)
{
	free(container_of(task, struct mds, bury_task));
}

static void free_parts(struct mds *mds)
{
	mds_requests_free(mds);
	mds_reconnect_free(mds);
	mds_session_free_all(mds);
	mds_filelocks_free(mds);
	mds_journal_free(mds);
	mds_purge_free(mds);
	mds_filework_free_all(mds);
	mds_audit_free(mds);
	mds_leftover_free(mds);
	mds_recover_free(mds);
	mds_load_free_all(mds);
	mds_inode_free_all(mds);
	mds_quotas_free(mds);
	mds_record_free_all(mds);
	mds_intervals_free(&mds->closed);
	mds_intervals_free(&mds->dying);
	mds_replay_free(mds);
	mds_ids_free(mds);
	mds_statfs_free(mds);
	mds_slowest_free(mds);
	mds_map_readers_free(mds);
	free(mds->scratch);
	free(mds->scratch2);
}

static void cancel_timers(struct mds *mds)
{
	io_timer_cancel(mds->io, &mds->journal.timer);
	io_timer_cancel(mds->io, &mds->safe_timer);
	io_timer_cancel(mds->io, &mds->sweep_timer);
	io_timer_cancel(mds->io, &mds->report_timer);
	io_timer_cancel(mds->io, &mds->stop_timer);
}

void mds_destroy(struct mds *mds)
{
	bool queued = mds->settle_task.queued || mds->evict_task.queued ||
		      mds->purge_task.queued || mds->audit_task.queued || mds->ready_task.queued ||
		      mds->journal.flush_task.queued || mds->checkpoint.task.queued ||
		      mds->end_task.queued || mds->end_sessions_task.queued;

	mds->state = MDS_DEAD;
	cancel_timers(mds);
	mds_admin_unregister(mds);
	mds_writeback_free_sealed(mds);
	osdc_destroy(mds->osdc);
	free_parts(mds);
	if (mds->member)
		member_destroy(mds->member);
	if (mds->msgr)
		msgr_destroy(mds->msgr);
	/* tasks that are queued already still look at the state */
	mds->bury_task.run = bury;
	if (queued)
		io_defer(mds->io, &mds->bury_task);
	else
		free(mds);
}

/* ---- a clean stop ------------------------------------------------------------------------------------------------------------ */

static void left(void *owner)
{
	struct mds *mds = owner;

	mds->stopped(mds->stopped_owner);
}

static void leave(struct mds *mds)
{
	if (mds->leaving)
		return;
	mds->leaving = true;
	io_timer_cancel(mds->io, &mds->stop_timer);
	member_leave(mds->member, left, mds);
}

static void journal_is_safe(struct mds *mds, struct mds_commit *commit)
{
	leave(mds);
}

static void stop_waiting(struct io_timer *timer)
{
	struct mds *mds = container_of(timer, struct mds, stop_timer);

	log_warn(mds->log, "rank", "stopping without the last of the journal: the OSDs do not answer");
	mds_journal_forget(mds, &mds->stop_commit);
	leave(mds);
}

void mds_stop(struct mds *mds, void (*stopped)(void *owner), void *owner)
{
	bool writes = mds->state == MDS_ACTIVE || mds->state == MDS_RECONNECTING;

	mds->stopped = stopped;
	mds->stopped_owner = owner;
	if (mds->state != MDS_DEAD)
		mds_set_state(mds, MDS_STOPPING);
	mds->stop_timer.fire = stop_waiting;
	if (!writes) {
		leave(mds);
		return;
	}
	mds->stop_commit.done = journal_is_safe;
	mds_journal_hold(mds, false);
	mds_journal_on_safe(mds, mds_journal_open_seq(mds), &mds->stop_commit);
	mds_journal_flush(mds);
	io_timer_arm(mds->io, &mds->stop_timer, mds_now(mds) + mds_scaled_ns(mds, STOP_MS));
}
