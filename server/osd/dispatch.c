// SPDX-License-Identifier: GPL-2.0
/*
 * What arrives, by type: from clients, from primaries to members, from members to
 * primaries. Bytes were decoded and validated before (server/base/msgr.h).
 */
#include "pg.h"
#include "request.h"
#include "scrub.h"
#include "stabilize.h"
#include "subscribers.h"

/* FENCE-1, and the own lease: both are judged at admission and again at execution. */
uint32_t osd_judge(struct osd *osd, const struct nacre_osd_request *request)
{
	if (!osd_may_serve(osd) || !osd->map)
		return NACRE_E_LEASE_LOST;
	return nacre_map_judge(&osd->map->view, request->instance, request->map_epoch,
			       request->barrier_epoch);
}

static void on_request(struct osd *osd, struct conn *conn, struct message *message)
{
	osd_request_message(osd, conn, message);
}

static void on_statfs(struct osd *osd, struct conn *conn, struct message *message)
{
	struct nacre_osd_statfs answer = { .tid = message->host.osd_statfs_req.tid };
	struct osd_store_space space;

	if (osd->store_open) {
		space = osd_store_space(osd->store);
		answer.bytes_total = space.bytes_total;
		answer.bytes_free = space.bytes_free;
		answer.objects = space.objects;
		conn_send(conn, NACRE_MSG_OSD_STATFS_REPLY, &answer, NULL);
	}
	message_put(message);
}

static void on_map_get(struct osd *osd, struct conn *conn, struct message *message)
{
	osd_subscribe(osd, conn, &message->host.map_get);
	message_put(message);
}

/* ---- between OSDs --------------------------------------------------------------------------- */

/* All their bodies begin so. */
struct pg_head {
	uint32_t pool, pg;
	uint64_t interval;
};

#define HEAD_FITS(name)								\
	_Static_assert(offsetof(struct name, pool) == 0 && offsetof(struct name, pg) == 4 && \
		       offsetof(struct name, interval) == 8, #name)
HEAD_FITS(nacre_rep_apply);
HEAD_FITS(nacre_rep_done);
HEAD_FITS(nacre_rep_committed);
HEAD_FITS(nacre_rep_query);
HEAD_FITS(nacre_rep_info);
HEAD_FITS(nacre_rep_fetch);
HEAD_FITS(nacre_rep_list);
HEAD_FITS(nacre_rep_listed);
HEAD_FITS(nacre_rep_object);
HEAD_FITS(nacre_rep_object_done);
HEAD_FITS(nacre_rep_log);
HEAD_FITS(nacre_rep_scrub);
HEAD_FITS(nacre_rep_scrubbed);
HEAD_FITS(nacre_rep_unstable);

static void refuse(struct osd *osd, struct conn *conn, const struct pg_head *head)
{
	struct nacre_rep_done done = {
		.pool = head->pool,
		.pg = head->pg,
		.interval = head->interval,
		.result = NACRE_E_WRONG_INTERVAL,
	};

	osd->stats.wrong_interval++;
	conn_send(conn, NACRE_MSG_REP_DONE, &done, NULL);
}

/* From a primary, for its member: only within one interval, and from nobody else. */
static void on_primary(struct osd *osd, struct conn *conn, struct message *message)
{
	const struct pg_head *head = (const struct pg_head *)&message->host;
	struct pg *pg = pg_find(osd, head->pool, head->pg);
	bool for_member = message->type != NACRE_MSG_REP_TRANSACTION;
	bool ready = pg && (for_member ? pg->state == PG_REPLICA || pg->state == PG_RECOVERING :
					 pg->state == PG_RECONCILING && pg->fetching);

	if (!pg || head->interval != pg->interval || !osd->serving ||
	    !osd_peer_is(osd, conn, conn_peer_id(conn)) ||
	    (for_member && nacre_map_primary(&osd->map->view, head->pool, head->pg) !=
			   conn_peer_id(conn))) {
		refuse(osd, conn, head);
		message_put(message);
		return;
	}
	/* A query waits until the role has begun; nothing else is sent before it is answered. */
	if (!ready && (message->type != NACRE_MSG_REP_QUERY || pg->primary)) {
		message_put(message);
		return;
	}
	pg_member_message(pg, message);
}

/* From a member, for its primary. */
static void on_member(struct osd *osd, struct conn *conn, struct message *message)
{
	const struct pg_head *head = (const struct pg_head *)&message->host;
	struct pg *pg = pg_find(osd, head->pool, head->pg);
	struct pg_member *member = pg ? pg_member_of(pg, conn_peer_id(conn)) : NULL;
	bool recovering = member && member->recovery && !member->in_set;

	if (!member || !pg->primary || head->interval != pg->interval ||
	    !osd_peer_is(osd, conn, member->osd)) {
		message_put(message);
		return;
	}
	if (message->type == NACRE_MSG_REP_DONE) {
		if (message->host.rep_done.result != NACRE_E_WRONG_INTERVAL)
			osd_peer_space(osd, member->osd, message->host.rep_done.bytes_free);
	} else if (message->type == NACRE_MSG_REP_INFO) {
		osd_peer_space(osd, member->osd, message->host.rep_info.bytes_free);
	}
	if (message->type == NACRE_MSG_REP_DONE)
		pg_on_done(pg, member, &message->host.rep_done);
	else if (message->type == NACRE_MSG_REP_UNSTABLE)
		pg_unstable_told(pg, member, &message->host.rep_unstable);
	else if (message->type == NACRE_MSG_REP_INFO && !member->recovery)
		pg_on_info(pg, member, &message->host.rep_info);
	else if (message->type == NACRE_MSG_REP_INFO && recovering)
		pg_recovery_info(pg, member, &message->host.rep_info);
	else if (message->type == NACRE_MSG_REP_LISTED && recovering)
		pg_recovery_listed(pg, member, &message->host.rep_listed);
	else if (message->type == NACRE_MSG_REP_LISTED && !member->recovery)
		osd_scrub_listed(pg, member, &message->host.rep_listed);
	else if (message->type == NACRE_MSG_REP_SCRUBBED)
		scrub_object_answered(pg, member, message);
	else if (message->type == NACRE_MSG_REP_OBJECT_DONE && recovering)
		pg_recovery_object_done(pg, member, &message->host.rep_object_done);
	message_put(message);
	pg_settle(pg);
}

/* ---- the table ---------------------------------------------------------------------------------- */

static void (*const table[NACRE_MSG_LIMIT])(struct osd *, struct conn *, struct message *) = {
	[NACRE_MSG_MAP_GET] = on_map_get,
	[NACRE_MSG_OSD_REQUEST] = on_request,
	[NACRE_MSG_OSD_STATFS] = on_statfs,
	[NACRE_MSG_REP_APPLY] = on_primary,
	[NACRE_MSG_REP_DONE] = on_member,
	[NACRE_MSG_REP_COMMITTED] = on_primary,
	[NACRE_MSG_REP_QUERY] = on_primary,
	[NACRE_MSG_REP_INFO] = on_member,
	[NACRE_MSG_REP_FETCH] = on_primary,
	[NACRE_MSG_REP_TRANSACTION] = on_primary,
	[NACRE_MSG_REP_LIST] = on_primary,
	[NACRE_MSG_REP_LISTED] = on_member,
	[NACRE_MSG_REP_OBJECT] = on_primary,
	[NACRE_MSG_REP_OBJECT_DONE] = on_member,
	[NACRE_MSG_REP_LOG] = on_primary,
	[NACRE_MSG_REP_SCRUB] = on_primary,
	[NACRE_MSG_REP_SCRUBBED] = on_member,
	[NACRE_MSG_REP_UNSTABLE] = on_member,
};

static void on_message(void *owner, struct conn *conn, struct message *message)
{
	struct osd *osd = owner;

	if (osd->failed && message->type == NACRE_MSG_OSD_REQUEST) {
		reply_result(osd, conn, message->host.osd_request.tid, NACRE_E_LEASE_LOST);
	} else if (!osd->failed && message->type < NACRE_MSG_LIMIT && table[message->type]) {
		table[message->type](osd, conn, message);
		return;
	}
	message_put(message);
}

/* A peer that we dialled is there. */
static void on_opened(void *owner, struct conn *conn)
{
	struct osd *osd = owner;
	struct pg *pg, *next;
	uint16_t id = conn_peer_id(conn);

	if (id >= osd->peer_count || osd->peers[id].conn != conn)
		return;
	HASH_ITER(hh, osd->pgs, pg, next)
		pg_peer_opened(pg, id);
}

static void on_closed(void *owner, struct conn *conn, int reason)
{
	osd_unsubscribe(owner, conn);
}

const struct msgr_handler osd_msgr_handler = { on_opened, on_message, on_closed };
