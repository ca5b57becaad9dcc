// SPDX-License-Identifier: GPL-2.0
/*
 * Where a request goes: the primary by the map, the connection to it, and the
 * send. OSDs are dialled when the first request needs them; a connection is
 * dropped when its OSD leaves the map or is another by now.
 *
 * A lost connection comes back by itself (msgr.h) under a new generation, and all
 * that was unanswered on it goes out again under the old request ids (LOG-2).
 */
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>
#include "osdc_core.h"
#include "protocol/error.h"

/* ---- where ---------------------------------------------------------------------------------- */

struct place {
	uint32_t pg;
	int osd;			/* the primary, or -EAGAIN: none for the time being */
	uint64_t interval;
};

/* False: there is no such pool or group. */
static bool find_place(const struct osdc_request *request, struct place *place)
{
	const struct nacre_map_view *view = &request->osdc->map->view;
	const struct nacre_osd_request *body = &request->body;
	uint8_t bytes[NACRE_PLACEMENT_BYTES];
	struct nacre_map_pg group;

	nacre_placement_bytes(body->ino, body->index, body->pool, bytes);
	place->pg = request->group;
	if ((!request->by_group &&
	     nacre_map_pg_of(view, body->pool, XXH64(bytes, sizeof(bytes), 0), &place->pg)) ||
	    nacre_map_pg_at(view, body->pool, place->pg, &group))
		return false;
	place->interval = group.interval;
	place->osd = -EAGAIN;
	if (nacre_map_pg_active(view, body->pool, place->pg))
		place->osd = nacre_map_primary(view, body->pool, place->pg);
	return true;
}

bool osdc_is_moved(const struct osdc_request *request)
{
	struct place place;

	return !find_place(request, &place) || place.osd != request->sent_osd ||
	       place.interval != request->sent_interval;
}

/* ---- targets -------------------------------------------------------------------------------- */

static void dial(struct osdc_target *target)
{
	struct osdc *osdc = target->osdc;

	target->conn = msgr_dial(osdc->msgr, &target->address, target);
	if (!target->conn)		/* no memory: the same as a refusal */
		io_timer_arm(osdc->io, &target->timer,
			     io_now(osdc->io) + osdc_scaled_ns(osdc, OSDC_REDIAL_MS));
}

static void redial(struct io_timer *timer)
{
	dial((struct osdc_target *)((char *)timer - offsetof(struct osdc_target, timer)));
}

static struct io_address address_of(const struct nacre_map_osd *row)
{
	struct io_address address = { .port = row->port };

	for (int i = 0; i < 8; i++) {
		address.ip[i] = (uint8_t)(row->address_hi >> (56 - 8 * i));
		address.ip[8 + i] = (uint8_t)(row->address_lo >> (56 - 8 * i));
	}
	return address;
}

static bool same_address(const struct io_address *a, const struct io_address *b)
{
	return a->port == b->port && !memcmp(a->ip, b->ip, sizeof(a->ip));
}

static struct osdc_target *target_of(struct osdc *osdc, uint16_t id)
{
	struct osdc_target *target = osdc->target_of[id];
	struct nacre_map_osd row;

	if (target || nacre_map_osd_at(&osdc->map->view, id, &row))
		return target;
	target = calloc(1, sizeof(*target));
	if (!target)
		return NULL;
	target->osdc = osdc;
	target->id = id;
	target->instance = row.instance;
	target->address = address_of(&row);
	target->timer.fire = redial;
	TAILQ_INIT(&target->pending);
	TAILQ_INIT(&target->sent);
	TAILQ_INSERT_TAIL(&osdc->targets, target, entry);
	osdc->target_of[id] = target;
	dial(target);
	return target;
}

static void target_drop(struct osdc_target *target)
{
	struct osdc *osdc = target->osdc;
	struct osdc_request *request;

	while ((request = TAILQ_FIRST(&target->sent)) || (request = TAILQ_FIRST(&target->pending)))
		osdc_make_ready(request);
	io_timer_cancel(osdc->io, &target->timer);
	if (target->conn)
		conn_close(target->conn);
	osdc->target_of[target->id] = NULL;
	TAILQ_REMOVE(&osdc->targets, target, entry);
	free(target);
}

/* Is the daemon at the other end the one that the map speaks of? Else nothing is sent to it. */
static bool is_the_one(const struct osdc_target *target)
{
	return target->conn && conn_is_open(target->conn) &&
	       conn_peer_role(target->conn) == NACRE_ROLE_OSD &&
	       conn_peer_id(target->conn) == target->id &&
	       conn_peer_instance(target->conn) == target->instance;
}

/* ---- sending -------------------------------------------------------------------------------- */

static void payload_released(void *owner)
{
	osdc_request_put(owner);
}

static int send_request(struct osdc_request *request, struct osdc_target *target,
			const struct place *place)
{
	struct osdc *osdc = request->osdc;
	struct nacre_osd_request *body = &request->body;
	struct payload payload = { .iov = request->data, .iov_count = request->data_count,
				   .bytes = request->data_bytes, .release = payload_released,
				   .owner = request };
	int err;

	if (!body->tid)
		osdc_tid_assign(request);
	body->oldest_tid = osdc_tid_oldest(osdc);
	body->instance = osdc->instance;
	body->map_epoch = osdc->map->view.epoch;
	body->barrier_epoch = osdc->barrier;
	body->conn_gen = conn_generation(target->conn);
	body->pg = place->pg;
	body->flags = request->sent_osd >= 0 ? NACRE_OSD_REQUEST_RESEND : 0;
	if (request->data_bytes)
		osdc_request_get(request);
	err = conn_send(target->conn, NACRE_MSG_OSD_REQUEST, body,
			request->data_bytes ? &payload : NULL);
	if (err) {
		if (request->data_bytes)
			osdc_request_put(request);
		return err;
	}
	if (request->sent_osd != target->id || request->sent_interval != place->interval)
		request->attempts = 0;
	request->sent_osd = target->id;
	request->sent_interval = place->interval;
	request->sent_instance = osdc->instance;
	return 0;
}

static void go_to(struct osdc_request *request, struct osdc_target *target,
		  const struct place *place)
{
	int err;

	request->target = target;
	err = is_the_one(target) ? send_request(request, target, place) : -ENOTCONN;
	switch (err) {
	case 0:
		osdc_move(request, OSDC_SENT, &target->sent);
		if (!request->first_sent_ns)
			request->first_sent_ns = io_now(target->osdc->io);
		break;
	case -ENOTCONN:
		osdc_move(request, OSDC_CONNECTING, &target->pending);
		break;
	case -ENOBUFS:
	case -ENOMEM:
		osdc_make_later(request);
		break;
	default:
		osdc_finish(request, (uint32_t)-err);
		break;
	}
}

/* What of the map and of ourselves is missing before any OSD can be asked; true: it waits or has ended. */
static bool held_up(struct osdc_request *request)
{
	struct osdc *osdc = request->osdc;
	uint64_t need = request->need_epoch > osdc->barrier ? request->need_epoch : osdc->barrier;

	if (!osdc->instance) {
		osdc_park(request, 0);
		return true;
	}
	if (!osdc->map || osdc->map->view.epoch < need) {	/* FENCE-2 */
		osdc_park(request, need ? need : 1);
		return true;
	}
	if (nacre_map_is_dead(&osdc->map->view, osdc->instance)) {
		osdc_finish(request, NACRE_E_DEAD_INSTANCE);
		return true;
	}
	/* judged by a map that does not know us, we would be nobody */
	if (!nacre_map_was_issued(&osdc->map->view, osdc->instance)) {
		osdc_park(request, osdc->map->view.epoch + 1);
		return true;
	}
	return false;
}

void osdc_go(struct osdc_request *request)
{
	struct osdc_target *target;
	struct place place;

	if (held_up(request))
		return;
	if (!find_place(request, &place)) {
		osdc_finish(request, ENXIO);
		return;
	}
	if (place.osd < 0) {
		osdc_park(request, request->osdc->map->view.epoch + 1);
		return;
	}
	target = target_of(request->osdc, (uint16_t)place.osd);
	if (target)
		go_to(request, target, &place);
	else
		osdc_make_later(request);
}

/* ---- connections come and go ---------------------------------------------------------------- */

static struct osdc_target *find_target(struct osdc *osdc, const struct conn *conn)
{
	struct osdc_target *target = NULL;

	if (conn_peer_id(conn) < NACRE_MAP_OSDS_MAX)
		target = osdc->target_of[conn_peer_id(conn)];
	if (target && target->conn == conn)
		return target;
	TAILQ_FOREACH(target, &osdc->targets, entry)
		if (target->conn == conn)
			return target;
	return NULL;
}

/* All that waited for the connection, in order. */
static void release_pending(struct osdc_target *target)
{
	struct osdc_request *request;

	while ((request = TAILQ_FIRST(&target->pending)))
		osdc_make_ready(request);
}

/* Another daemon answers than the map told: an older one, or one whose map we have not seen. */
static void judge_stranger(struct osdc_target *target)
{
	struct osdc *osdc = target->osdc;
	struct conn *conn = target->conn;
	uint64_t epoch = osdc->map->view.epoch + 1;

	if (conn_peer_role(conn) != NACRE_ROLE_OSD || conn_peer_id(conn) != target->id ||
	    conn_peer_instance(conn) < target->instance) {
		conn_reset(conn, -EPROTO);
		return;
	}
	osdc_want(osdc, conn_peer_map_epoch(conn) > epoch ? conn_peer_map_epoch(conn) : epoch);
}

bool osdc_opened(struct osdc *osdc, struct conn *conn)
{
	struct osdc_target *target = find_target(osdc, conn);

	if (!target)
		return false;
	if (is_the_one(target))
		release_pending(target);
	else
		judge_stranger(target);
	return true;
}

bool osdc_closed(struct osdc *osdc, struct conn *conn, int reason)
{
	struct osdc_target *target = find_target(osdc, conn);
	struct osdc_request *request;

	if (!target)
		return false;
	/* sent before what is pending: again in front of it, in their order */
	while ((request = TAILQ_LAST(&target->sent, osdc_list))) {
		osdc_move(request, OSDC_CONNECTING, NULL);
		TAILQ_INSERT_HEAD(&target->pending, request, entry);
		request->list = &target->pending;
	}
	if (conn_is_refused(conn)) {
		conn_close(conn);
		target->conn = NULL;
		io_timer_arm(osdc->io, &target->timer,
			     io_now(osdc->io) + osdc_scaled_ns(osdc, OSDC_REDIAL_MS));
	}
	return true;
}

bool osdc_message(struct osdc *osdc, struct conn *conn, struct message *message)
{
	struct osdc_target *target = find_target(osdc, conn);

	if (!target || message->type != NACRE_MSG_OSD_REPLY)
		return false;
	osdc_reply(target, message);
	return true;
}

/* ---- the map changes ------------------------------------------------------------------------ */

/* Same daemon as the map says now; one that was ahead of our map may have become the one. */
static bool target_stays(struct osdc_target *target, const struct nacre_map_osd *row)
{
	struct io_address address = address_of(row);
	bool ahead = target->conn && conn_is_open(target->conn) &&
		     conn_peer_instance(target->conn) == row->instance;

	if (!(row->flags & NACRE_OSD_UP) || !same_address(&address, &target->address))
		return false;
	if (target->instance != row->instance && !ahead)
		return false;
	target->instance = row->instance;
	return true;
}

void osdc_targets_follow_map(struct osdc *osdc)
{
	struct osdc_target *target, *next;
	struct nacre_map_osd row;

	TAILQ_FOREACH_SAFE(target, &osdc->targets, entry, next) {
		if (nacre_map_osd_at(&osdc->map->view, target->id, &row) ||
		    !target_stays(target, &row))
			target_drop(target);
		else if (is_the_one(target))
			release_pending(target);
	}
}

void osdc_targets_drop(struct osdc *osdc)
{
	struct osdc_target *target;

	while ((target = TAILQ_FIRST(&osdc->targets)))
		target_drop(target);
}
