// SPDX-License-Identifier: GPL-2.0
/*
 * The object client: a request's way from submit to done, and what moves all of
 * them: a newer map, our own instance, the barrier.
 *
 * Every change of a request's state is a move between lists (osdc_core.h). The
 * work task tells the finished and sends the ready; timers and messages only move.
 * See osdc.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include "osdc_core.h"
#include "protocol/error.h"

#define REQUESTS_DEFAULT 1024

#define OSDC_STATE_TEXT(NAME, text, why) text,
static const char *const state_texts[] = { OSDC_STATES(OSDC_STATE_TEXT) };

uint64_t osdc_scaled_ns(const struct osdc *osdc, uint64_t ms)
{
	return ms * 10000ull * osdc->time_scale_percent;
}

/* ---- moves ---------------------------------------------------------------------------------- */

void osdc_move(struct osdc_request *request, enum osdc_state state, struct osdc_list *list)
{
	if (request->list)
		TAILQ_REMOVE(request->list, request, entry);
	if (request->state == OSDC_LATER)
		io_timer_cancel(request->osdc->io, &request->timer);
	if (state != OSDC_SENT && state != OSDC_CONNECTING)
		request->target = NULL;
	request->state = state;
	request->list = list;
	if (list)
		TAILQ_INSERT_TAIL(list, request, entry);
}

void osdc_make_ready(struct osdc_request *request)
{
	osdc_move(request, OSDC_READY, &request->osdc->ready);
	io_defer(request->osdc->io, &request->osdc->work);
}

static void later_fire(struct io_timer *timer)
{
	osdc_make_ready((struct osdc_request *)((char *)timer -
						offsetof(struct osdc_request, timer)));
}

/* Between half and one and a half of the pause, so that many do not come at once. */
void osdc_make_later(struct osdc_request *request)
{
	struct osdc *osdc = request->osdc;
	uint64_t ms = OSDC_LATER_MAX_MS, ns;

	if (request->attempts < 6)
		ms = (uint64_t)OSDC_LATER_MS << request->attempts;
	request->attempts++;
	ns = osdc_scaled_ns(osdc, ms);
	ns = ns / 2 + io_random(osdc->io) % (ns + 1);
	osdc_move(request, OSDC_LATER, NULL);
	io_timer_arm(osdc->io, &request->timer, io_now(osdc->io) + ns);
}

void osdc_park(struct osdc_request *request, uint64_t epoch)
{
	osdc_move(request, OSDC_PARKED, &request->osdc->parked);
	if (epoch)
		osdc_want(request->osdc, epoch);
}

static void admit(struct osdc_request *request)
{
	request->osdc->admitted++;
	if (osdc_order_enter(request))
		osdc_make_ready(request);
	else
		osdc_move(request, OSDC_BEHIND, NULL);
}

static void finish_outside(struct osdc_request *request, uint32_t result)
{
	request->result = result;
	osdc_move(request, OSDC_DONE, &request->osdc->finished);
	io_defer(request->osdc->io, &request->osdc->work);
}

void osdc_finish(struct osdc_request *request, uint32_t result)
{
	struct osdc *osdc = request->osdc;
	struct osdc_request *next;

	if (result == NACRE_E_DEAD_INSTANCE)
		osdc->fenced = true;
	if (request->state != OSDC_QUEUED) {
		osdc_order_leave(request);
		osdc->admitted--;
	}
	finish_outside(request, result);
	while (osdc->admitted < osdc->requests_max && (next = TAILQ_FIRST(&osdc->queued)))
		admit(next);
}

bool osdc_is_fenced(const struct osdc *osdc)
{
	return osdc->fenced;
}

/* ---- the work task -------------------------------------------------------------------------- */

/* Hand a finished request back to its owner. */
static void tell(struct osdc_request *request)
{
	osdc_move(request, OSDC_DONE, NULL);
	TAILQ_REMOVE(&request->osdc->all, request, age);
	request->done(request, request->result);
	osdc_request_put(request);
}

static void tell_finished(struct osdc *osdc)
{
	struct osdc_request *request;

	osdc->telling = true;
	while ((request = TAILQ_FIRST(&osdc->finished)))
		tell(request);
	osdc->telling = false;
}

static void ask(struct osdc *osdc)
{
	osdc->asked_epoch = osdc->wanted_epoch;
	io_timer_arm(osdc->io, &osdc->ask_timer,
		     io_now(osdc->io) + osdc_scaled_ns(osdc, OSDC_ASK_MS));
	if (osdc->want_map)
		osdc->want_map(osdc->want_owner, osdc->wanted_epoch);
}

static bool is_wanting(const struct osdc *osdc)
{
	return osdc->wanted_epoch > (osdc->map ? osdc->map->view.epoch : 0);
}

/* A task cannot be taken back: when it is queued, it comes here again. */
static void bury(struct osdc *osdc)
{
	osdc->dead = true;
	if (!osdc->telling && !osdc->work.queued)
		free(osdc);
}

static void work_run(struct io_task *task)
{
	struct osdc *osdc = (struct osdc *)((char *)task - offsetof(struct osdc, work));
	struct osdc_request *request;

	tell_finished(osdc);
	if (osdc->dead) {
		bury(osdc);
		return;
	}
	while ((request = TAILQ_FIRST(&osdc->ready)))
		osdc_go(request);
	/* last, as the owner may do anything */
	if (is_wanting(osdc) && osdc->asked_epoch < osdc->wanted_epoch)
		ask(osdc);
}

static void ask_fire(struct io_timer *timer)
{
	struct osdc *osdc = (struct osdc *)((char *)timer - offsetof(struct osdc, ask_timer));

	if (is_wanting(osdc))
		ask(osdc);
}

void osdc_want(struct osdc *osdc, uint64_t epoch)
{
	if (epoch <= osdc->wanted_epoch)
		return;
	osdc->wanted_epoch = epoch;
	io_defer(osdc->io, &osdc->work);
}

/* ---- submitting ----------------------------------------------------------------------------- */

void osdc_submit(struct osdc_request *request, osdc_done done, void *owner)
{
	struct osdc *osdc = request->osdc;
	int err = osdc_request_check(request);

	assert(request->state == OSDC_MAKING);
	request->done = done;
	request->owner = owner;
	request->seq = ++osdc->last_seq;
	request->submitted_ns = io_now(osdc->io);
	request->timer.fire = later_fire;
	osdc_request_get(request);
	TAILQ_INSERT_TAIL(&osdc->all, request, age);
	if (err)
		finish_outside(request, (uint32_t)-err);
	else if (osdc->admitted < osdc->requests_max && TAILQ_EMPTY(&osdc->queued))
		admit(request);
	else
		osdc_move(request, OSDC_QUEUED, &osdc->queued);
}

/* ---- what moves all of them ----------------------------------------------------------------- */

/* Oldest first. When we are dead, all are looked at again, and end. */
static void follow_map(struct osdc *osdc)
{
	bool dead = nacre_map_is_dead(&osdc->map->view, osdc->instance);
	struct osdc_request *request;

	TAILQ_FOREACH(request, &osdc->all, age) {
		switch (request->state) {
		case OSDC_PARKED:
			osdc_make_ready(request);
			break;
		case OSDC_SENT:
		case OSDC_LATER:
		case OSDC_CONNECTING:
			if (dead || osdc_is_moved(request))
				osdc_make_ready(request);
			break;
		default:
			break;
		}
	}
}

void osdc_set_map(struct osdc *osdc, struct cluster_map *map)
{
	if (osdc->map && map->view.epoch <= osdc->map->view.epoch)
		return;
	cluster_map_get(map);
	cluster_map_put(osdc->map);
	osdc->map = map;
	osdc_targets_follow_map(osdc);
	follow_map(osdc);
}

void osdc_set_barrier(struct osdc *osdc, uint64_t epoch)
{
	if (epoch > osdc->barrier)
		osdc->barrier = epoch;
}

/*
 * LOG-2: an OSD knows a request by (instance, id). Under another instance one that
 * was sent could be applied twice, so it ends here, as if the OSD had refused it.
 */
void osdc_set_instance(struct osdc *osdc, uint64_t instance)
{
	struct osdc_request *request, *next;

	if (instance == osdc->instance)
		return;
	osdc->instance = instance;
	osdc_targets_drop(osdc);	/* their hellos named the old one */
	TAILQ_FOREACH_SAFE(request, &osdc->all, age, next) {
		if (request->state == OSDC_DONE || request->state == OSDC_QUEUED)
			continue;
		if (request->sent_osd >= 0 && request->sent_instance != instance)
			osdc_finish(request, NACRE_E_DEAD_INSTANCE);
		else if (request->state == OSDC_PARKED)
			osdc_make_ready(request);
	}
}

void osdc_on_stale_map(struct osdc *osdc, void (*want_map)(void *owner, uint64_t epoch), void *owner)
{
	osdc->want_map = want_map;
	osdc->want_owner = owner;
}

void osdc_for_each(struct osdc *osdc,
		   void (*see)(void *owner, uint64_t tid, const struct nacre_oid *oid, int osd,
			       uint64_t age_ns, const char *state),
		   void *owner)
{
	uint64_t now = io_now(osdc->io);
	struct osdc_request *request;

	TAILQ_FOREACH(request, &osdc->all, age) {
		struct nacre_oid oid = { .ino = request->body.ino, .index = request->body.index,
					 .snap = request->body.snap, .pool = request->body.pool };

		see(owner, request->body.tid, &oid, request->target ? request->target->id : -1,
		    now - request->submitted_ns, state_texts[request->state]);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

static void init_lists(struct osdc *osdc)
{
	TAILQ_INIT(&osdc->all);
	TAILQ_INIT(&osdc->queued);
	TAILQ_INIT(&osdc->ready);
	TAILQ_INIT(&osdc->parked);
	TAILQ_INIT(&osdc->finished);
	TAILQ_INIT(&osdc->targets);
	RB_INIT(&osdc->by_object);
	RB_INIT(&osdc->by_tid);
}

struct osdc *osdc_create(const struct osdc_config *config)
{
	struct osdc *osdc = calloc(1, sizeof(*osdc));

	if (!osdc)
		return NULL;
	osdc->io = config->io;
	osdc->msgr = config->msgr;
	osdc->time_scale_percent = config->time_scale_percent ? config->time_scale_percent : 100;
	osdc->requests_max = config->requests_max ? config->requests_max : REQUESTS_DEFAULT;
	osdc->work.run = work_run;
	osdc->ask_timer.fire = ask_fire;
	init_lists(osdc);
	return osdc;
}

void osdc_destroy(struct osdc *osdc)
{
	struct osdc_request *request;

	if (!osdc)
		return;
	osdc->requests_max = 0;		/* nothing is admitted any more */
	osdc_targets_drop(osdc);
	while ((request = TAILQ_FIRST(&osdc->all))) {
		if (request->state != OSDC_DONE)
			osdc_finish(request, ECANCELED);
		tell(request);
	}
	io_timer_cancel(osdc->io, &osdc->ask_timer);
	cluster_map_put(osdc->map);
	bury(osdc);
}
