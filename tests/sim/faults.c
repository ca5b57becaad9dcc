// SPDX-License-Identifier: GPL-2.0
/*
 * What goes wrong, when: at random intervals one fault of the classes that the
 * history has. Every fault ends: what crashes is started again, partitions and
 * pauses are bounded. At most one OSD and one of everything else is down at a
 * time, but a partition or a pause may come on top.
 */
#include <string.h>
#include "points.h"
#include "rot.h"
#include "protocol/map.h"
#include "sim_disk.h"
#include "sim_net.h"
#include "server/osd/osd_core.h"

#define FAULT_EVERY_MAX_NS (1500 * SIM_NS_PER_MS)
#define DOWN_MAX_NS (2500 * SIM_NS_PER_MS)
#define SHORT_MAX_NS (700 * SIM_NS_PER_MS)
#define LONG_MAX_NS (12 * SIM_NS_PER_S)
#define WRITES_MAX 12u			/* writes and flushes that pass before a crash at one of them */
#define POWER_WAITS 400u		/* flushes until one is found at which something is overwritten in place */

static uint64_t dice(struct sim *sim, uint64_t sides)
{
	return sim_below(&sim->random, sides);
}

static bool has(const struct sim *sim, enum sim_fault_class class)
{
	return sim->options.faults & class;
}

/* OSDs may be fenced, or out of sync, for a while. */
static void trouble(struct sim *sim, uint64_t duration_ns)
{
	if (sim->world->now_ns + duration_ns > sim->troubled_until_ns)
		sim->troubled_until_ns = sim->world->now_ns + duration_ns;
}

/* Mostly short; at times longer than leases. */
static uint64_t some_while(struct sim *sim)
{
	return SIM_NS_PER_MS + dice(sim, dice(sim, 6) ? SHORT_MAX_NS : LONG_MAX_NS);
}

static enum sim_crash some_crash(struct sim *sim)
{
	return dice(sim, 2) ? SIM_CRASH_KILL : SIM_CRASH_POWER;
}

static struct sim_host *some_host(struct sim *sim)
{
	return sim->world->hosts[dice(sim, sim->world->host_count)];
}

static bool osd_is_down(const struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++)
		if (!sim->osds[i].osd || !sim->osds[i].serving)
			return true;
	return false;
}

static bool holds_overwrites(const struct osd_txn *txn)
{
	for (; txn; txn = txn->next)
		if (txn->in_place && txn->direct_state != OSD_DIRECT_WAITING)
			return true;
	return false;
}

/* Is something being overwritten in place? What a loss of power leaves of that only its intent tells. */
static bool overwrites(const struct sim_daemon *daemon)
{
	const struct osd *osd = daemon->osd;
	const struct osd_record *record;

	if (!osd || !osd->store)
		return false;
	for (record = osd->store->journal.writing; record; record = record->next)
		if (holds_overwrites(record->txns))
			return true;
	return holds_overwrites(osd->store->journal.waiting);
}

static void crash_one_client(struct sim *sim, struct sim_client *client)
{
	if (!client->host->up)
		return;
	workload_client_crash(client, some_crash(sim));
	workload_client_start_at(client, sim->world->now_ns + dice(sim, DOWN_MAX_NS));
}

static bool may_lose_osds(const struct sim *sim, const struct sim_daemon *daemon)
{
	return daemon->host->up && !osd_is_down(sim) && sim->faults_on && rot_bears_faults(sim);
}

/* This OSD, and at times others or all of them at the same moment. */
static void crash_osds(struct sim *sim, struct sim_daemon *daemon, enum sim_crash kind, bool all)
{
	bool together = all || (!daemon->power_waits && !dice(sim, 3));
	unsigned int i;

	sim->crash_together = together;
	for (i = 0; i < SIM_OSDS; i++)
		if (all || &sim->osds[i] == daemon || (together && dice(sim, 2))) {
			cluster_crash(&sim->osds[i], kind);
			cluster_restart_at(&sim->osds[i], sim->world->now_ns + dice(sim, DOWN_MAX_NS));
		}
	sim->crash_together = false;
}

static struct sim_daemon *daemon_of(struct sim_event *event)
{
	return (struct sim_daemon *)((char *)event - offsetof(struct sim_daemon, crash_event));
}

static void run_power_loss(struct sim_event *event)
{
	struct sim_daemon *daemon = daemon_of(event);
	struct sim *sim = daemon->sim;
	bool all = !dice(sim, 3);
	unsigned int i;

	if (!may_lose_osds(sim, daemon))
		return;
	if (daemon->power_waits && !overwrites(daemon)) {
		daemon->power_waits--;
		sim_disk_at_flush(daemon->host, event, true);
		return;
	}
	/* with the clients that would write it again: then nobody but the OSDs can end what is unstable */
	if (daemon->power_waits && has(sim, SIM_FAULT_CLIENT_CRASH) && dice(sim, 3)) {
		all = true;
		for (i = 0; i < sim->client_count; i++)
			crash_one_client(sim, &sim->clients[i]);
	}
	crash_osds(sim, daemon, SIM_CRASH_POWER, all);
}

static void run_crash_at_write(struct sim_event *event)
{
	struct sim_daemon *daemon = daemon_of(event);
	struct sim *sim = daemon->sim;

	if (may_lose_osds(sim, daemon))
		crash_osds(sim, daemon, some_crash(sim), !dice(sim, 3));
}

/* Most of the time an OSD's disk has nothing to do: orders of data, record and flush show in the short time in which they are under way. */
static void crash_osd_at_work(struct sim *sim, struct sim_daemon *daemon)
{
	/* at a flush: one in so many. Who waits for something to be overwritten in place must not be disturbed. */
	static const uint64_t chances[] = {
		[NACRE_JOURNAL_DATA] = UINT64_MAX, [NACRE_JOURNAL_ORDERED] = 1, [NACRE_JOURNAL_COW] = 2,
	};

	if (dice(sim, chances[sim->journal_modes[NACRE_POOL_DATA]])) {
		daemon->crash_event.run = run_crash_at_write;
		sim_disk_at_write(daemon->host, &daemon->crash_event, (unsigned int)dice(sim, WRITES_MAX));
		return;
	}
	daemon->crash_event.run = run_power_loss;
	daemon->power_waits = sim->lone_intents && dice(sim, 4) ? POWER_WAITS : 0;
	sim_disk_at_flush(daemon->host, &daemon->crash_event, daemon->power_waits);
}

static void crash_daemon(struct sim *sim, struct sim_daemon *daemon)
{
	if (!daemon->host->up)
		return;
	if (!dice(sim, 5)) {
		cluster_stop(daemon);
		return;
	}
	if (daemon->kv && dice(sim, 6)) {
		crash_osd_at_work(sim, daemon);
		return;
	}
	cluster_crash(daemon, some_crash(sim));
	cluster_restart_at(daemon, sim->world->now_ns + dice(sim, DOWN_MAX_NS));
}

/* One operation of the disk fails: a write or a flush ends the daemon, and another one is started in its place. */
static void break_disk(struct sim *sim, struct sim_daemon *daemon)
{
	daemon->disk_failed = true;
	points_error(sim->options.points);
	sim_disk_fail_next(daemon->host, true);
}

/* At times a disk is lost with what is on it. */
static void crash_osd(struct sim *sim)
{
	struct sim_daemon *daemon = &sim->osds[dice(sim, SIM_OSDS)];

	if (!dice(sim, 8) && !rot_is_there(sim)) {
		break_disk(sim, daemon);
		return;
	}
	crash_daemon(sim, daemon);
	daemon->loses_store = sim->faults_done % 4 == 3 && !rot_is_there(sim);
}

static void crash_client(struct sim *sim)
{
	crash_one_client(sim, &sim->clients[dice(sim, sim->client_count)]);
}

static void partition(struct sim *sim)
{
	struct sim_host *a = some_host(sim), *b = some_host(sim);
	uint64_t duration_ns = some_while(sim);

	if (a == b)
		return;
	trouble(sim, duration_ns);
	sim_partition(a, b, duration_ns);
}

/* One host from everybody. */
static void isolate(struct sim *sim)
{
	struct sim_host *a = some_host(sim);
	uint64_t duration_ns = some_while(sim);
	unsigned int i;

	trouble(sim, duration_ns);
	for (i = 0; i < sim->world->host_count; i++)
		if (sim->world->hosts[i] != a)
			sim_partition(a, sim->world->hosts[i], duration_ns);
}

static void pause_host(struct sim *sim)
{
	struct sim_host *host = some_host(sim);
	uint64_t duration_ns = some_while(sim);

	if (!host->up || host == sim_store_host(sim->store))
		return;
	trouble(sim, duration_ns);
	sim_host_pause(host, duration_ns);
}

/* Could it take an OSD away? */
static bool is_of_osds(enum sim_fault_class class)
{
	return class == SIM_FAULT_PARTITION || class == SIM_FAULT_OSD_CRASH || class == SIM_FAULT_PAUSE;
}

static void strike(struct sim *sim)
{
	static const enum sim_fault_class classes[] = {
		SIM_FAULT_LOSS, SIM_FAULT_PARTITION, SIM_FAULT_OSD_CRASH, SIM_FAULT_MDS_CRASH,
		SIM_FAULT_CLIENT_CRASH, SIM_FAULT_PAUSE,
	};
	enum sim_fault_class class = classes[dice(sim, sizeof(classes) / sizeof(classes[0]))];

	if (!has(sim, class) || (!rot_bears_faults(sim) && is_of_osds(class)))
		return;
	sim->faults_done++;
	if (class == SIM_FAULT_LOSS)
		sim_net_reset(some_host(sim), some_host(sim));
	else if (class == SIM_FAULT_PARTITION && dice(sim, 3))
		partition(sim);
	else if (class == SIM_FAULT_PARTITION)
		isolate(sim);
	else if (class == SIM_FAULT_OSD_CRASH && !osd_is_down(sim))
		crash_osd(sim);
	else if (class == SIM_FAULT_MDS_CRASH && sim->mds.serving)
		crash_daemon(sim, &sim->mds);
	else if (class == SIM_FAULT_CLIENT_CRASH)
		crash_client(sim);
	else if (class == SIM_FAULT_PAUSE)
		pause_host(sim);
}

static void run_fault(struct sim_event *event)
{
	struct sim *sim = (struct sim *)((char *)event - offsetof(struct sim, fault_event));

	if (!sim->faults_on)
		return;
	strike(sim);
	sim_event_at(sim->world, NULL, event, sim->world->now_ns + dice(sim, FAULT_EVERY_MAX_NS));
}

/* How bad network and disks are, for the whole history. */
static void set_chances(struct sim *sim)
{
	struct sim_faults *faults = &sim->world->faults;

	if (has(sim, SIM_FAULT_LOSS)) {
		faults->net_drop_ppm = (uint32_t)dice(sim, 500);
		faults->net_duplicate_ppm = (uint32_t)dice(sim, 500);
		faults->net_swap_ppm = (uint32_t)dice(sim, 500);
		faults->net_corrupt_ppm = (uint32_t)dice(sim, 300);
		faults->net_reset_ppm = (uint32_t)dice(sim, 500);
		faults->net_split_ppm = (uint32_t)dice(sim, 100000);
	}
	if (has(sim, SIM_FAULT_SLOW)) {
		faults->net_slow_ppm = (uint32_t)dice(sim, 20000);
		faults->disk_slow_ppm = (uint32_t)dice(sim, 20000);
	}
}

void faults_begin(struct sim *sim)
{
	sim->faults_on = true;
	set_chances(sim);
	sim->fault_event.run = run_fault;
	sim_event_at(sim->world, NULL, &sim->fault_event,
		     sim->world->now_ns + dice(sim, FAULT_EVERY_MAX_NS));
}

void faults_end(struct sim *sim)
{
	struct sim_faults *faults = &sim->world->faults;

	sim->faults_on = false;
	sim_event_cancel(sim->world, &sim->fault_event);
	faults->net_drop_ppm = faults->net_duplicate_ppm = faults->net_swap_ppm = 0;
	faults->net_corrupt_ppm = faults->net_reset_ppm = 0;
	faults->net_slow_ppm = faults->disk_slow_ppm = 0;
	sim_heal(sim->world);
}
