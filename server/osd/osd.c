// SPDX-License-Identifier: GPL-2.0
/*
 * The object server's life: map, store, network, membership, and back. See osd.h.
 *
 *	osd_create: listens ─▶ map ─▶ store opens ─▶ joins ─▶ serving
 *	                                                          │ stop, fence, failure
 *	event ◀─ store closed ◀─ nothing executes, journal empty ◀┘
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "pg.h"
#include "request.h"
#include "scrub.h"
#include "subscribers.h"

#define TICK_MS 200u
#define END_POLL_NS 2000000u

STATS_ROWS(osd_rows, OSD_COUNTERS);
STATS_ROWS(store_rows, OSD_STORE_COUNTERS);

bool osd_may_serve(struct osd *osd)
{
	return osd->serving && member_lease_valid(osd->member);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void left(void *owner)
{
	struct osd *osd = owner;

	osd->stopped(osd->stop_owner);
}

/* Tell whoever waits for it. */
static void end(struct osd *osd)
{
	const struct osd_events *events = osd->config.events;

	if (osd->ending == OSD_FAILED)
		events->failed(osd->config.owner, osd->fail_result, osd->reason);
	else if (osd->ending == OSD_FENCED)
		events->fenced(osd->config.owner, osd->reason);
	else if (osd->member)
		member_leave(osd->member, left, osd);
	else
		left(osd);
}

static void store_closed(void *owner)
{
	struct osd *osd = owner;

	osd->store = NULL;
	osd->store_open = false;
	end(osd);
}

static bool is_quiet(struct osd *osd)
{
	struct osd_store *store = osd->store;

	if (!store || store->failed)
		return true;
	return pgs_quiet(osd) && !store->loads && !store->journal.waiting && !store->journal.writing;
}

static void end_poll(struct io_timer *timer)
{
	struct osd *osd = (struct osd *)((char *)timer - offsetof(struct osd, end_timer));

	if (!is_quiet(osd)) {
		io_timer_arm(osd->io, timer, io_now(osd->io) + END_POLL_NS);
		return;
	}
	if (!osd->store || osd->store->failed) {
		/* A device that failed may answer never, or later: its memory stays as it is. */
		end(osd);
		return;
	}
	osd_clients_free(osd);
	pgs_end(osd);
	osd_store_close(osd->store, store_closed, osd);
}

/* Take no more messages, begin nothing, and end when what is under way has ended. */
static void begin_end(struct osd *osd, enum osd_ending ending)
{
	bool begun = osd->ending != OSD_RUNS;

	osd->serving = false;
	osd->failed = true;
	if (ending > osd->ending)
		osd->ending = ending;
	if (begun)
		return;
	io_timer_cancel(osd->io, &osd->tick);
	osd_edits_end(osd);
	osd_scrub_stop(osd);
	osd->end_timer.fire = end_poll;
	io_timer_arm(osd->io, &osd->end_timer, io_now(osd->io));
}

void osd_fail(struct osd *osd, int result, const char *why)
{
	if (osd->ending == OSD_FAILED)
		return;
	osd->fail_result = result;
	if (why != osd->reason)
		snprintf(osd->reason, sizeof(osd->reason), "%s", why);
	begin_end(osd, OSD_FAILED);
}

void osd_stop(struct osd *osd, void (*stopped)(void *owner), void *owner)
{
	osd->stopped = stopped;
	osd->stop_owner = owner;
	begin_end(osd, OSD_STOPS);
}

void osd_destroy(struct osd *osd)
{
	io_timer_cancel(osd->io, &osd->tick);
	io_timer_cancel(osd->io, &osd->end_timer);
	osd->failed = true;
	osd_edits_end(osd);
	osd_scrub_stop(osd);
	osd_subscribers_free(osd);
	osd_peers_close(osd);
	if (osd->member)
		member_destroy(osd->member);
	if (osd->msgr)
		msgr_destroy(osd->msgr);
	if (!osd->store) {	/* else executions or the device still hold on to it: it stays */
		pgs_free(osd);
		osd_clients_free(osd);
	}
	if (osd->map)
		cluster_map_put(osd->map);
	if (osd->store)
		return;
	osd_scrub_free(osd);
	free(osd);
}

/* ---- in the cluster ------------------------------------------------------------------------------ */

static void tick(struct io_timer *timer)
{
	struct osd *osd = (struct osd *)((char *)timer - offsetof(struct osd, tick));
	struct pg *pg, *next;

	HASH_ITER(hh, osd->pgs, pg, next)
		pg_tick(pg);
	osd_strays_tick(osd);
	osd_scrub_tick(osd);
	osd_fill_tick(osd);
	io_timer_arm(osd->io, &osd->tick, io_now(osd->io) + osd_scaled_ns(osd, TICK_MS));
}

static void joined(void *owner, uint64_t instance)
{
	struct osd *osd = owner;

	if (osd->failed)
		return;
	osd->instance = instance;
	osd->serving = true;
	msgr_set_instance(osd->msgr, instance);
	osd->tick.fire = tick;
	io_timer_arm(osd->io, &osd->tick, io_now(osd->io));
	osd->config.events->serving(osd->config.owner);
}

static void map_changed(void *owner, struct cluster_map *map)
{
	struct osd *osd = owner;

	if (osd->failed)
		return;
	if (osd->map)
		cluster_map_put(osd->map);
	osd->map = cluster_map_get(map);
	msgr_set_map_epoch(osd->msgr, map->view.epoch);
	osd_peers_update(osd);
	pgs_update(osd);
	osd_clients_prune(osd);
	osd_publish_map(osd);
}

static void fenced(void *owner, const char *reason)
{
	struct osd *osd = owner;

	snprintf(osd->reason, sizeof(osd->reason), "%s", reason);
	begin_end(osd, OSD_FENCED);
}

static void cannot_join(void *owner, int result, const char *reason)
{
	osd_fail(owner, result, reason);
}

static const struct member_handler member_handler = { joined, map_changed, fenced, cannot_join };

static int start_member(struct osd *osd)
{
	struct member_config config = {
		.io = osd->io,
		.store = osd->config.mapstore,
		.msgr = osd->msgr,
		.role = NACRE_ROLE_OSD,
		.name = osd->name,
		.id = osd->id,
		.address = osd->config.advertise,
		.store_lo = osd->store->super.store_lo,
		.store_hi = osd->store->super.store_hi,
		.time_scale_percent = osd->config.time_scale_percent,
		.lease_ms = osd->config.lease_ms,
		.out_after_ms = osd->config.out_after_ms,
		.handler = &member_handler,
		.owner = osd,
		.log = osd->log,
	};

	if (!config.address.port)
		config.address.port = msgr_port(osd->msgr);
	osd_fill_tick(osd);		/* with its lease it says already how full it is */
	return member_start(&config, &osd->member);
}

static int start_network(struct osd *osd)
{
	struct msgr_config config = {
		.io = osd->io,
		.name = osd->name,
		.role = NACRE_ROLE_OSD,
		.id = osd->id,
		.time_scale_percent = osd->config.time_scale_percent,
		.handler = &osd_msgr_handler,
		.owner = osd,
		.log = osd->log,
	};
	int err = msgr_create(&config, &osd->msgr);

	return err ? err : msgr_listen(osd->msgr, &osd->config.listen);
}

/* ---- the store ------------------------------------------------------------------------------------- */

static void store_opened(void *owner, int result, const char *why)
{
	struct osd *osd = owner;

	if (result) {
		osd_store_abandon(osd->store);
		osd->store = NULL;
		osd_fail(osd, result, why);
		return;
	}
	osd->store_open = true;
	if (osd->failed)
		return;
	msgr_set_fsid(osd->msgr, osd->store->super.fsid_lo, osd->store->super.fsid_hi);
	result = start_member(osd);
	if (result)
		osd_fail(osd, result, "it cannot begin to join");
}

static void store_failed(void *owner, const char *why)
{
	struct osd *osd = owner;

	osd_fail(osd, osd->store && osd->store->damaged ? -EBADMSG : -EIO, why);
}

static void store_room(void *owner)
{
	struct osd *osd = owner;
	struct pg *pg, *next;

	object_queues_kick(&osd->queues);
	HASH_ITER(hh, osd->pgs, pg, next)
		pg_member_advance(pg);
}

static const struct osd_store_calls store_calls = {
	.opened = store_opened,
	.replayed = osd_kept_replayed,
	.filled = osd_kept_filled,
	.settled = osd_kept_settled,
	.keep = osd_kept_keep,
	.failed = store_failed,
	.room = store_room,
};

/* The map tells which file system this is; the store must belong to it. */
static void got_map(void *owner, int result, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct osd *osd = owner;
	struct osd_store_config config = {
		.io = osd->io,
		.file = osd->config.file,
		.kv = osd->config.kv,
		.log = osd->log,
		.osd_id = osd->id,
		.backlog_bytes = osd->config.backlog_bytes,
		.cache_bytes = osd->config.cache_bytes,
		.writeback_ms = osd->config.writeback_ms,
		.direct_bytes = osd->config.direct_bytes,
		.journal_unit = osd->config.journal_unit,
		.pipeline_bytes = osd->config.pipeline_bytes,
		.trim_bytes = osd->config.trim_bytes,
		.lone_intents = osd->config.lone_intents,
		.discard = osd->config.discard,
		.discard_bytes = osd->config.discard_bytes,
		.discard_ms = osd->config.discard_ms,
		.stats = &osd->store_stats,
		.calls = &store_calls,
		.owner = osd,
	};
	struct cluster_map *map;

	if (osd->failed)
		return;
	if (result || cluster_map_create(bytes, length, &map)) {
		osd_fail(osd, result ? result : -EBADMSG,
			 result == -ENOENT ? "there is no cluster map: run mkfs.nacre" :
					     "the cluster map cannot be read");
		return;
	}
	config.fsid_lo = map->view.fsid_lo;
	config.fsid_hi = map->view.fsid_hi;
	cluster_map_put(map);
	osd_store_open(&config, &osd->store);
}

static void set_defaults(struct osd_config *config)
{
	if (!config->time_scale_percent)
		config->time_scale_percent = 100;
	if (!config->log_keep)
		config->log_keep = OSD_LOG_KEEP;
	if (!config->nearfull_percent)
		config->nearfull_percent = 85;
	if (!config->scrub_bytes_per_s)
		config->scrub_bytes_per_s = 32u << 20;
}

int osd_create(const struct osd_config *config, struct osd **ret_osd)
{
	struct osd *osd = mem_zero(1, sizeof(*osd));
	int err;

	osd->config = *config;
	set_defaults(&osd->config);
	snprintf(osd->name, sizeof(osd->name), "%s", config->name);
	osd->io = config->io;
	osd->log = config->log;
	osd->id = config->id;
	TAILQ_INIT(&osd->replayed);
	object_queues_init(&osd->queues, osd->io);
	osd_edits_init(osd);
	osd_strays_init(osd);
	osd->scrub = osd_scrub_create(osd);
	osd->stats_set = (struct stats_set){ "osd", osd_rows, (uint64_t *)&osd->stats,
					     sizeof(osd_rows) / sizeof(osd_rows[0]) };
	osd->store_stats_set = (struct stats_set){ "store", store_rows,
						   (uint64_t *)&osd->store_stats,
						   sizeof(store_rows) / sizeof(store_rows[0]) };
	err = start_network(osd);
	if (err) {
		log_error(osd->log, "osd", "cannot listen: %s", strerror(-err));
		if (osd->msgr)
			msgr_destroy(osd->msgr);
		osd_scrub_free(osd);
		free(osd);
		return err;
	}
	*ret_osd = osd;
	mapstore_get(config->mapstore, got_map, osd);
	return 0;
}

uint16_t osd_port(const struct osd *osd)
{
	return osd->msgr ? msgr_port(osd->msgr) : 0;
}

void *osd_owner(const struct osd *osd)
{
	return osd->config.owner;
}
