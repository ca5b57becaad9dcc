// SPDX-License-Identifier: GPL-2.0
/*
 * What clients do: each has a few workers that make one random call (choices.c) after
 * another, and lives that begin and end. Every call goes into the history.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "protocol/session.h"
#include "choices.h"
#include "clones.h"
#include "locking.h"
#include "workload.h"

#define THINK_MAX_NS (3 * SIM_NS_PER_MS)
#define PAUSE_MAX_NS (400 * SIM_NS_PER_MS)

/* ---- calls ---------------------------------------------------------------------------------- */

static void done(struct client_call *call)
{
	struct sim_worker *worker = call->owner;
	struct sim_client *client = worker->client;
	struct sim *sim = client->sim;
	struct sim_open_file *file = worker_file_in_use(worker);
	const char *wrong = NULL;

	sim_note(sim->world, client->host, client_call_name(call->kind), worker->number,
		 (uint64_t)(uint32_t)-call->result);
	if (file)
		file->using--;
	worker->busy = false;
	if (!client_is_mounted(client->client))
		return;
	wrong = history_end(sim->history, worker->number, sim->world->now_ns);
	if (wrong)
		sim_fail(sim, "call %u of client %u: %s", worker->number, client->id, wrong);
	worker_learn(worker);
	client_call_clean(call);
	workload_think(worker);
}

/* The cells say where they are. Files stay as small as those that are written at chosen places. */
static void placed(struct client_call *call)
{
	struct sim_worker *worker = call->owner;
	uint64_t end = CELLS_MAX * CELL_BYTES;

	if (call->offset + call->length > end)
		call->length = call->offset < end ? end - call->offset : 0;
	history_fill(worker->number, call->offset, worker->words, call->length);
}

static void begin(struct sim_worker *worker)
{
	struct sim_client *client = worker->client;
	struct sim *sim = client->sim;
	struct sim_open_file *file;

	worker_choose(worker);
	file = worker_file_in_use(worker);
	if (file)
		file->using++;
	worker->call.placed = placed;
	worker->call.done = done;
	worker->call.owner = worker;
	worker->busy = true;
	worker->number = history_begin(sim->history, client->life, &worker->call,
				       sim->world->now_ns);
	if (worker->call.kind == CLIENT_WRITE)
		history_fill(worker->number, worker->call.offset, worker->words,
			     worker->call.length);
	sim->ops_begun++;
	client_start(client->client, &worker->call);
	if (!worker_dice(worker, 40))
		client_trim(client->client, 1 + (unsigned int)worker_dice(worker, 4));
}

static void thought(struct sim_event *event)
{
	struct sim_worker *worker = (struct sim_worker *)((char *)event -
							  offsetof(struct sim_worker, event));
	struct sim *sim = worker->client->sim;
	bool over = sim->draining || sim->ops_begun >= sim->options.ops;

	if (!worker->client->mounted || locking_next(worker, over) || over)
		return;
	begin(worker);
}

/* Mostly no time, at times long enough for caps, leases and dirty data to age. */
void workload_think(struct sim_worker *worker)
{
	uint64_t longest = worker_dice(worker, 30) ? THINK_MAX_NS : PAUSE_MAX_NS;
	struct sim_world *world = worker->client->sim->world;

	worker->event.run = thought;
	sim_event_at(world, worker->client->host, &worker->event,
		     world->now_ns + worker_dice(worker, longest));
}

/* ---- lives -------------------------------------------------------------------------------------- */

static void mounted(struct client_call *call)
{
	struct sim_client *client = call->owner;
	unsigned int i;

	if (call->result)
		return;
	client->mounted = true;
	for (i = 0; i < SIM_WORKERS; i++)
		workload_think(&client->workers[i]);
}

/* After an eviction: what was under way is over; a new instance begins. */
static void run_client_event(struct sim_event *event);

static void killed(void *owner, const char *reason)
{
	struct sim_client *client = owner;
	struct sim_world *world = client->sim->world;

	sim_note(world, client->host, "evicted", client_instance(client->client), 0);
	client->sim->evictions++;
	client->killed = true;
	client->mounted = false;
	sim_event_at(world, client->host, &client->event, world->now_ns);
}

static void forget_all(struct sim_client *client)
{
	unsigned int i;

	history_died(client->sim->history, client->life, client->client);
	for (i = 0; i < SIM_WORKERS; i++) {
		client->workers[i].busy = false;
		sim_event_cancel(client->sim->world, &client->workers[i].event);
	}
	locking_forget(client);
	clones_client_gone(client);
	memset(client->dirs, 0, sizeof(client->dirs));
	memset(client->known, 0, sizeof(client->known));
	memset(client->open, 0, sizeof(client->open));
	client->mounted = client->killed = false;
	client->client = NULL;
}

static void start(struct sim_client *client)
{
	struct sim *sim = client->sim;
	struct client_config config = {
		.io = sim_host_io(client->host), .name = client->host->name,
		.mds = sim->mds.host->address, .inodes_max = 12, .dirty_pages_max = 32,
		.dirty_ms = 300, .killed = killed, .owner = client,
		.inline_max = client->inline_max,
	};
	unsigned int i;

	config.mds.port = NACRE_DEFAULT_PORT;
	if (client_create(&config, &client->client)) {
		sim_fail(sim, "a client cannot be made");
		return;
	}
	client->life = history_born(sim->history);
	client->dirs[0] = NACRE_INO_ROOT;
	for (i = 0; i < SIM_WORKERS; i++)
		client->workers[i].client = client;
	memset(&client->mount_call, 0, sizeof(client->mount_call));
	client->mount_call.kind = CLIENT_MOUNT;
	client->mount_call.done = mounted;
	client->mount_call.owner = client;
	client_start(client->client, &client->mount_call);
}

static void run_client_event(struct sim_event *event)
{
	struct sim_client *client = (struct sim_client *)((char *)event -
							  offsetof(struct sim_client, event));
	struct client *old = client->client;

	if (!client->host->up)
		sim_host_restart(client->host);
	if (client->killed) {
		forget_all(client);
		client_destroy(old);
	}
	if (!client->client && !client->sim->draining)
		start(client);
}

void workload_client_crash(struct sim_client *client, enum sim_crash kind)
{
	if (client->client) {
		if (client->sim->ops_begun % 2)
			client_cut(client->client);
		forget_all(client);
	}
	sim_host_crash(client->host, kind);
}

void workload_client_start_at(struct sim_client *client, uint64_t at_ns)
{
	client->event.run = run_client_event;
	sim_event_at(client->sim->world, NULL, &client->event, at_ns);
}

void workload_start(struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < sim->client_count; i++) {
		sim->clients[i].event.run = run_client_event;
		workload_client_start_at(&sim->clients[i], sim->world->now_ns);
	}
}

bool workload_is_idle(struct sim *sim)
{
	unsigned int i, w;

	for (i = 0; i < sim->client_count; i++) {
		if (sim->clients[i].event.heap_index || sim->clients[i].killed)
			return false;
		if (sim->clients[i].client && !sim->clients[i].mounted)
			return false;
		for (w = 0; w < SIM_WORKERS; w++)
			if (sim->clients[i].workers[w].busy || locking_holds(&sim->clients[i].workers[w]))
				return false;
	}
	return true;
}

bool workload_is_done(struct sim *sim)
{
	return sim->ops_begun >= sim->options.ops;
}

const char *workload_stuck(struct sim *sim)
{
	static char text[128];
	struct sim_worker *worker;
	struct io *io;
	unsigned int i, w;

	for (i = 0; i < sim->client_count; i++)
		for (w = 0; w < SIM_WORKERS; w++) {
			worker = &sim->clients[i].workers[w];
			io = sim_host_io(sim->clients[i].host);
			if (!worker->busy || io_now(io) - worker->call.began_ns < SIM_CALL_LIMIT_NS)
				continue;
			snprintf(text, sizeof(text), "call %u of client %u (%s) is stuck",
				 worker->number, i, client_call_name(worker->call.kind));
			return text;
		}
	return NULL;
}
