// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated cluster: three OSDs with two replicas of everything, or three, and one
 * metadata rank, all of it the real code on simulated hosts. Formats, makes
 * the first map, starts, crashes and restarts daemons. Times are short, so that
 * leases, evictions and takeovers happen in every history.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/session.h"
#include "server/base/mapedit.h"
#include "server/base/member.h"
#include "server/osd/osd_core.h"
#include "points.h"
#include "rot.h"
#include "scrub.h"
#include "sim.h"

#define STORE_BYTES (24u << 20)
#define OSD_PORT 7300
#define LEASE_MS 1000
#define OUT_AFTER_MS 4000		/* longer than most are down */
#define SESSION_LEASE_MS 3000
#define RECONNECT_MS 2000
#define REVOKE_WARN_MS 1000
#define REVOKE_EVICT_MS 4000
#define STOPPED_MAX_NS (2 * SIM_NS_PER_S)	/* from its end to its next start */
#define START_LIMIT_NS (60 * SIM_NS_PER_S)

static const uint64_t fsid_lo = 0x5115, fsid_hi = 0xca11;

/* ---- what daemons say ----------------------------------------------------------------- */

static void log_sink(void *owner, enum log_level level, const char *line)
{
	struct sim_daemon *daemon = owner;

	/* before rot.c does, no disk damages what is at rest: a checksum that does not match is a server's fault, healed or not */
	if (level == LOG_ERROR && daemon->kv && !daemon->sim->rotted && strstr(line, "checksum of object"))
		sim_fail(daemon->sim, "%s: %s", daemon->host->name, line);
	if (daemon->sim->options.trace)
		printf("%14.6f %-8s %s\n", (double)daemon->sim->world->now_ns / SIM_NS_PER_S,
		       daemon->host->name, line);
}

static void serving(void *owner)
{
	struct sim_daemon *daemon = owner;

	sim_note(daemon->sim->world, daemon->host, "serves", 0, 0);
	daemon->serving = true;
	if (daemon->osd && daemon->sim->trims)
		osd_discard_ask(&daemon->osd->store->discard);
}

/* It lost its lease: a new one starts in its place, as the daemon's main program does. */
static void fenced(void *owner, const char *reason)
{
	struct sim_daemon *daemon = owner;

	sim_note(daemon->sim->world, daemon->host, "fenced", 0, 0);
	daemon->serving = false;
	daemon->cut_off = true;
	cluster_restart_at(daemon, daemon->sim->world->now_ns);
}

/* Rot in what a transaction of the journal has written directly, and is not known to be committed: then the store is to be made anew. */
static bool cannot_replay(const struct sim_daemon *daemon, int result, const char *reason)
{
	return result == -EIO && daemon->kv && rot_is_there(daemon->sim) && strstr(reason, "written directly");
}

/* Losing a race at the start is no failure of the system; anything else is. */
static void failed(void *owner, int result, const char *reason)
{
	struct sim_daemon *daemon = owner;
	bool anew = cannot_replay(daemon, result, reason);

	sim_note(daemon->sim->world, daemon->host, "gave up", (uint64_t)-result, 0);
	daemon->serving = false;
	daemon->loses_store |= anew;
	if (anew || (result == -EIO && daemon->disk_failed) || result == -EBUSY || result == -EAGAIN || result == -ETIMEDOUT) {
		daemon->cut_off = true;
		cluster_restart_at(daemon, daemon->sim->world->now_ns + SIM_NS_PER_S / 2);
		return;
	}
	sim_fail(daemon->sim, "%s failed: %d, %s", daemon->host->name, result, reason);
}

/* ---- starting ----------------------------------------------------------------------------- */

static void start_osd(struct sim_daemon *daemon)
{
	static const struct osd_events events = { serving, fenced, failed };
	struct io *io = sim_host_io(daemon->host);
	struct osd_config config = {
		.io = io, .log = daemon->log, .listen = daemon->host->address,
		.advertise = daemon->host->address, .name = daemon->host->name,
		.id = (uint16_t)daemon->id, .time_scale_percent = 100, .lease_ms = LEASE_MS,
		.backlog_bytes = daemon->sim->backlog_bytes, .cache_bytes = 1 << 20, .writeback_ms = 50,
		.out_after_ms = OUT_AFTER_MS,
		.direct_bytes = daemon->sim->direct_bytes, .trim_bytes = daemon->sim->trim_bytes,
		.pipeline_bytes = daemon->sim->pipeline_bytes,
		.lone_intents = daemon->sim->lone_intents >> daemon->id & 1,
		.discard = daemon->sim->discard, .discard_bytes = 4096, .discard_ms = daemon->sim->discard_ms,
		.log_keep = 64, .scrub_bytes_per_s = 4u << 20,
		/* by themselves only in some histories: then under every fault */
		.scrub_light_s = daemon->sim->options.seed % 2 ? 3 : 0, .scrub_deep_s = daemon->sim->options.seed % 2 ? 10 : 0,
		.events = &events, .owner = daemon,
	};

	config.listen.port = config.advertise.port = OSD_PORT;
	config.mapstore = sim_store_open(daemon->sim->store, io);
	config.kv = kv_mem_open(io, daemon->kv);
	if (io_file_open(io, "store", &config.file) || osd_create(&config, &daemon->osd))
		sim_fail(daemon->sim, "%s cannot be created", daemon->host->name);
}

static void start_mds(struct sim_daemon *daemon)
{
	static const struct mds_events events = { serving, fenced, failed };
	struct sim_random random = sim_random_from(daemon->sim->options.seed ^ daemon->sim->world->now_ns);
	struct io *io = sim_host_io(daemon->host);
	struct mds_config config = {
		.io = io, .log = daemon->log, .listen = daemon->host->address,
		.advertise = daemon->host->address, .name = daemon->host->name, .rank = 0,
		.time_scale_percent = 100, .lease_ms = LEASE_MS, .out_after_ms = OUT_AFTER_MS,
		.session_lease_ms = SESSION_LEASE_MS, .reconnect_ms = RECONNECT_MS,
		.revoke_warn_ms = REVOKE_WARN_MS, .revoke_evict_ms = REVOKE_EVICT_MS,
		.cache_inodes = 24, .ino_range = 32,
		/* another one each time: fragments are merged, too */
		.dir_split = 2u << sim_below(&random, 5), .journal_bytes = daemon->sim->mds_journal_bytes, .events = &events, .owner = daemon,
	};

	config.listen.port = config.advertise.port = NACRE_DEFAULT_PORT;
	config.store = sim_store_open(daemon->sim->store, io);
	if (mds_create(&config, &daemon->mds))
		sim_fail(daemon->sim, "%s cannot be created", daemon->host->name);
}

/* ---- stores --------------------------------------------------------------------------------- */

#define STORE_HI 0x57012e

/* An empty store on the daemon's disk; `formatted` is called when it is one. */
static void format_osd(struct sim_daemon *daemon, uint64_t store_lo, osd_formatted formatted)
{
	struct osd_format_config config = {
		.io = sim_host_io(daemon->host), .fsid_lo = fsid_lo, .fsid_hi = fsid_hi,
		.store_lo = store_lo, .store_hi = STORE_HI, .journal_bytes = daemon->sim->osd_journal_bytes,
		.osd_id = (uint16_t)daemon->id, .force = true,
	};

	if (daemon->kv)
		kv_mem_disk_destroy(daemon->kv);
	daemon->kv = kv_mem_disk_create();
	daemon->formatting = config.kv = kv_mem_open(config.io, daemon->kv);
	if (io_file_open(config.io, "store", &config.file))
		abort();
	osd_store_format(&config, formatted, daemon);
}

static void formatted(void *owner, int result, const char *why)
{
	struct sim_daemon *daemon = owner;

	if (result)
		sim_fail(daemon->sim, "%s cannot be formatted: %s", daemon->host->name, why);
	kv_close(daemon->formatting);
	daemon->formatting = NULL;
}

static void formatted_first(void *owner, int result, const char *why)
{
	struct sim_daemon *daemon = owner;

	formatted(daemon, result, why);
	daemon->sim->world->stop = true;
}

static void formatted_again(void *owner, int result, const char *why)
{
	struct sim_daemon *daemon = owner;

	daemon->scrubs = false;
	formatted(daemon, result, why);
	start_osd(daemon);
}

bool cluster_edit_map(struct sim *sim, bool (*change)(void *owner, struct mapedit *edit), void *owner)
{
	struct cluster_map *map = NULL;
	struct mapedit *edit;
	uint64_t epoch;
	uint8_t *bytes;
	size_t length;
	const uint8_t *newest = sim_store_map(sim->store, &epoch, &length);
	bool done;

	if (cluster_map_create(newest, length, &map))
		abort();
	edit = mapedit_open(map);
	done = change(owner, edit) && !mapedit_encode(edit, &bytes, &length);
	if (done) {
		sim_store_set_map(sim->store, edit->head.epoch, bytes, length);
		free(bytes);
	}
	mapedit_free(edit);
	cluster_map_put(map);
	return done;
}

struct replacement {
	unsigned int osd;
	uint64_t store_lo;
};

static bool replace(void *owner, struct mapedit *edit)
{
	const struct replacement *replacement = owner;
	unsigned int pg;

	return !mapedit_osd_replace(edit, (uint16_t)replacement->osd, replacement->store_lo, STORE_HI, &pg);
}

/* What the map says of the OSD's store from now on. False: nobody else has all of some group. */
static bool replace_in_map(struct sim_daemon *daemon, uint64_t store_lo)
{
	struct replacement replacement = { daemon->id, store_lo };
	bool done = cluster_edit_map(daemon->sim, replace, &replacement);

	if (done)
		sim_note(daemon->sim->world, daemon->host, "its store is lost, and made anew", store_lo, 0);
	return done;
}

/* What has read the store dies, and the OSD begins. */
static void run_scrubbed(struct sim_event *event)
{
	struct sim_daemon *daemon = (struct sim_daemon *)((char *)event -
							  offsetof(struct sim_daemon, event));

	cluster_crash(daemon, SIM_CRASH_KILL);
	sim_host_restart(daemon->host);
	start_osd(daemon);
}

static void scrubbed(struct sim_daemon *daemon)
{
	daemon->scrubs = false;
	daemon->event.run = run_scrubbed;
	sim_event_at(daemon->sim->world, NULL, &daemon->event, daemon->sim->world->now_ns);
}

static void run_restart(struct sim_event *event)
{
	struct sim_daemon *daemon = (struct sim_daemon *)((char *)event -
							  offsetof(struct sim_daemon, event));

	if (daemon->cut_off)
		cluster_crash(daemon, SIM_CRASH_KILL);
	if (daemon->host->up)
		return;
	sim_host_restart(daemon->host);
	if (!daemon->kv)
		start_mds(daemon);
	else if (daemon->loses_store && replace_in_map(daemon, daemon->host->world->now_ns))
		format_osd(daemon, daemon->host->world->now_ns, formatted_again);
	else if (daemon->scrubs && !rot_is_there(daemon->sim))
		scrub_start(daemon, scrubbed);
	else
		start_osd(daemon);
	daemon->loses_store = false;
}

void cluster_restart_at(struct sim_daemon *daemon, uint64_t at_ns)
{
	daemon->event.run = run_restart;
	sim_event_at(daemon->sim->world, NULL, &daemon->event, at_ns);
}

/* Its memory is left as it is: nothing of it runs any more. */
void cluster_crash(struct sim_daemon *daemon, enum sim_crash kind)
{
	unsigned int keep;

	if (daemon->osd && daemon->osd->store)
		points_count(daemon->sim->options.points, daemon->osd->store,
			     kind == SIM_CRASH_KILL ? SIM_POINT_KILL :
			     daemon->sim->crash_together ? SIM_POINT_POWER_ALL : SIM_POINT_POWER);
	sim_host_crash(daemon->host, kind);
	daemon->scrubs |= kind == SIM_CRASH_POWER &&
			  (daemon->sim->journal_modes[NACRE_POOL_DATA] != NACRE_JOURNAL_DATA || daemon->sim->pools_change);
	if (daemon->kv) {
		keep = (unsigned int)sim_below(&daemon->sim->world->random, 4);
		kv_mem_disk_crash(daemon->kv, keep);
	}
	daemon->osd = NULL;
	daemon->mds = NULL;
	daemon->serving = daemon->stops = daemon->cut_off = false;
}

/* ---- stopping --------------------------------------------------------------------------------- */

static void run_exit(struct sim_event *event)
{
	struct sim_daemon *daemon = (struct sim_daemon *)((char *)event - offsetof(struct sim_daemon, event));
	struct sim_world *world = daemon->sim->world;

	cluster_crash(daemon, SIM_CRASH_KILL);
	cluster_restart_at(daemon, world->now_ns + sim_below(&daemon->sim->random, STOPPED_MAX_NS));
}

static void stopped(void *owner)
{
	struct sim_daemon *daemon = owner;
	struct sim_world *world = daemon->sim->world;

	sim_note(world, daemon->host, "has stopped", 0, 0);
	daemon->event.run = run_exit;
	sim_event_at(world, NULL, &daemon->event, world->now_ns);
}

void cluster_stop(struct sim_daemon *daemon)
{
	if (!daemon->serving || daemon->stops)
		return;
	sim_note(daemon->sim->world, daemon->host, "is to stop", 0, 0);
	daemon->serving = false;
	daemon->stops = true;
	if (daemon->osd)
		osd_stop(daemon->osd, stopped, daemon);
	else
		mds_stop(daemon->mds, stopped, daemon);
}

bool cluster_serves(struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++)
		if (!sim->osds[i].serving)
			return false;
	return sim->mds.serving;
}

/* ---- making -------------------------------------------------------------------------------- */

static void add_pool(const struct sim *sim, struct mapedit *edit, uint32_t id, uint32_t object_bytes)
{
	edit->pools[id] = (struct nacre_map_pool){
		.id = id, .pg_count = SIM_PGS, .replicas = sim->replicas, .min_size = sim->min_size,
		.journal_mode = sim->journal_modes[id], .object_bytes = object_bytes,
		.pg_first = id * SIM_PGS,
	};
	edit->pool_count = id + 1;
}

static void first_map(struct sim *sim)
{
	struct mapedit *edit = mapedit_open(NULL);
	uint8_t *bytes;
	size_t length;
	uint16_t i;

	edit->head.fsid_lo = fsid_lo;
	edit->head.fsid_hi = fsid_hi;
	edit->head.next_instance = 1;
	for (i = 0; i < SIM_OSDS; i++)
		edit->osds[i] = (struct nacre_map_osd){
			.id = i, .flags = NACRE_OSD_IN, .weight = 0x10000, .domain = i,
			.store_lo = (uint64_t)i + 1, .store_hi = 0x57012e,
		};
	edit->osd_count = SIM_OSDS;
	edit->ranks[0].rank = 0;
	edit->rank_count = 1;
	edit->subtrees[0] = (struct nacre_map_subtree){ .ino = NACRE_INO_ROOT, .rank = 0 };
	edit->subtree_count = 1;
	add_pool(sim, edit, NACRE_POOL_META, 4u << 20);
	mapedit_place_pool(edit, NACRE_POOL_META);
	add_pool(sim, edit, NACRE_POOL_DATA, SIM_OBJECT_BYTES);
	if (sim->inlines) {
		edit->head.features |= NACRE_FEATURE_INLINE;
		edit->pools[NACRE_POOL_DATA].inline_units = SIM_INLINE_BYTES / NACRE_INLINE_UNIT;
	}
	mapedit_place_pool(edit, NACRE_POOL_DATA);
	if (mapedit_encode(edit, &bytes, &length)) {
		sim_fail(sim, "the first map is not valid");
		mapedit_free(edit);
		return;
	}
	sim_store_set_map(sim->store, edit->head.epoch, bytes, length);
	free(bytes);
	mapedit_free(edit);
}

static void add_daemon(struct sim *sim, struct sim_daemon *daemon, const char *kind,
		       unsigned int id)
{
	char name[24];

	snprintf(name, sizeof(name), "%s%u", kind, id);
	daemon->sim = sim;
	daemon->id = id;
	daemon->host = sim_host_add(sim->world, name);
	daemon->log = log_create(NULL, daemon->host->name, LOG_DEBUG);
	log_set_sink(daemon->log, log_sink, daemon);
}

void cluster_create(struct sim *sim)
{
	unsigned int i;

	sim->store = sim_store_create(sim->world);
	add_daemon(sim, &sim->mds, "mds", 0);
	for (i = 0; i < SIM_OSDS && !sim->failed; i++) {
		add_daemon(sim, &sim->osds[i], "osd", i);
		sim_disk_add(sim->osds[i].host, "store", STORE_BYTES);
		format_osd(&sim->osds[i], i + 1, formatted_first);
		sim_run(sim->world, sim->world->now_ns + START_LIMIT_NS);
	}
	first_map(sim);
	for (i = 0; i < SIM_OSDS && !sim->failed; i++)
		start_osd(&sim->osds[i]);
	if (!sim->failed)
		start_mds(&sim->mds);
	sim_until(sim, cluster_serves, START_LIMIT_NS, "to serve for the first time");
}
