// SPDX-License-Identifier: GPL-2.0
/*
 * What clients do: each has a few workers that make one random call after
 * another on a small set of names, so that they get in each other's way. A
 * worker remembers what its client has seen (directories, files, open files)
 * and mostly works with that. Every call goes into the history.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "protocol/session.h"
#include "sim.h"

#define THINK_MAX_NS (3 * SIM_NS_PER_MS)
#define PAUSE_MAX_NS (400 * SIM_NS_PER_MS)

static void think(struct sim_worker *worker);

static struct sim_random *random_of(const struct sim_worker *worker)
{
	return &worker->client->sim->random;
}

static uint64_t dice(const struct sim_worker *worker, uint64_t sides)
{
	return sim_below(random_of(worker), sides);
}

/* ---- what a client knows ------------------------------------------------------------ */

static uint64_t some_dir(const struct sim_worker *worker)
{
	uint64_t ino = worker->client->dirs[dice(worker, SIM_DIRS)];

	return ino && dice(worker, 3) ? ino : NACRE_INO_ROOT;
}

static const char *some_name(const struct sim_worker *worker, char kind)
{
	const char *name;

	do
		name = history_names[dice(worker, NAMES_MAX)];
	while (name[0] != kind);
	return name;
}

static void remember(uint64_t *table, size_t count, uint64_t ino, uint64_t place)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (table[i] == ino)
			return;
	table[place % count] = ino;
}

static void remember_inode(struct sim_worker *worker, const struct client_attr *attr)
{
	struct sim_client *client = worker->client;

	if (S_ISDIR(attr->mode))
		remember(client->dirs + 1, SIM_DIRS - 1, attr->ino, dice(worker, SIM_DIRS));
	else if (S_ISREG(attr->mode))
		remember(client->known, SIM_FILES, attr->ino, dice(worker, SIM_FILES));
}

static void forget_inode(struct sim_client *client, uint64_t ino)
{
	size_t i;

	for (i = 1; i < SIM_DIRS; i++)
		if (client->dirs[i] == ino)
			client->dirs[i] = 0;
	for (i = 0; i < SIM_FILES; i++)
		if (client->known[i] == ino)
			client->known[i] = 0;
}

static struct sim_open_file *open_find(struct sim_client *client, uint64_t ino, uint32_t flags)
{
	size_t i;

	for (i = 0; i < SIM_FILES; i++)
		if (client->open[i].ino == ino && client->open[i].flags == flags)
			return &client->open[i];
	return NULL;
}

static bool remember_open(struct sim_client *client, uint64_t ino, uint32_t flags)
{
	struct sim_open_file *file = open_find(client, 0, 0);

	if (!file)
		return false;
	file->ino = ino;
	file->flags = flags;
	return true;
}

static struct sim_open_file *some_open(const struct sim_worker *worker, uint32_t flag)
{
	struct sim_open_file *file = &worker->client->open[dice(worker, SIM_FILES)];

	return file->ino && (file->flags & flag) ? file : NULL;
}

/* ---- choosing --------------------------------------------------------------------------- */

static void set(struct sim_worker *worker, enum client_call_kind kind, uint64_t ino)
{
	worker->call.kind = kind;
	worker->call.ino = ino;
}

static void set_name(struct sim_worker *worker, enum client_call_kind kind, char name_kind)
{
	set(worker, kind, some_dir(worker));
	worker->call.name = some_name(worker, name_kind);
	worker->call.mode = 0600 | (uint32_t)dice(worker, 0200);
}

static bool choose_create(struct sim_worker *worker)
{
	set_name(worker, CLIENT_CREATE, dice(worker, 20) ? 'f' : 'a');
	worker->call.flags = dice(worker, 3) ? NACRE_RECORD_EXCL : 0;
	return open_find(worker->client, 0, 0) != NULL;
}

static bool choose_mkdir(struct sim_worker *worker)
{
	set_name(worker, CLIENT_MKDIR, 'd');
	return true;
}

static bool choose_symlink(struct sim_worker *worker)
{
	set_name(worker, CLIENT_SYMLINK, 's');
	worker->call.value = "f0";
	return true;
}

static bool choose_link(struct sim_worker *worker)
{
	set_name(worker, CLIENT_LINK, 'l');
	worker->call.ino2 = worker->client->known[dice(worker, SIM_FILES)];
	return worker->call.ino2 != 0;
}

static bool choose_unlink(struct sim_worker *worker)
{
	static const char kinds[] = "ffffffllssa";

	set_name(worker, CLIENT_UNLINK, kinds[dice(worker, sizeof(kinds) - 1)]);
	return true;
}

static bool choose_rmdir(struct sim_worker *worker)
{
	set_name(worker, CLIENT_RMDIR, 'd');
	return true;
}

/* Names of directories and of files stay apart, and links are not renamed: see events.c. */
static bool choose_rename(struct sim_worker *worker)
{
	char kind = dice(worker, 5) ? 'f' : 'd';

	set_name(worker, CLIENT_RENAME, kind);
	worker->call.ino2 = dice(worker, 2) ? worker->call.ino : some_dir(worker);
	worker->call.name2 = some_name(worker, kind);
	worker->call.flags = dice(worker, 4) ? 0 : NACRE_RENAME_NOREPLACE;
	return true;
}

static bool choose_lookup(struct sim_worker *worker)
{
	set(worker, CLIENT_LOOKUP, some_dir(worker));
	worker->call.name = history_names[dice(worker, NAMES_MAX)];
	return true;
}

static bool choose_readdir(struct sim_worker *worker)
{
	set(worker, CLIENT_READDIR, some_dir(worker));
	return true;
}

static uint64_t some_file(const struct sim_worker *worker)
{
	struct sim_open_file *file = dice(worker, 2) ? some_open(worker, ~0u) : NULL;

	return file ? file->ino : worker->client->known[dice(worker, SIM_FILES)];
}

static bool choose_getattr(struct sim_worker *worker)
{
	set(worker, CLIENT_GETATTR, dice(worker, 6) ? some_file(worker) : some_dir(worker));
	return worker->call.ino != 0;
}

static bool choose_chmod(struct sim_worker *worker)
{
	set(worker, CLIENT_SETATTR, some_file(worker));
	worker->call.set_mask = NACRE_SET_MODE;
	worker->call.mode = 0600 | (uint32_t)dice(worker, 0200);
	return worker->call.ino != 0;
}

static bool choose_truncate(struct sim_worker *worker)
{
	set(worker, CLIENT_SETATTR, some_file(worker));
	worker->call.set_mask = NACRE_SET_SIZE;
	worker->call.length = dice(worker, CELLS_MAX) * CELL_BYTES;
	return worker->call.ino != 0;
}

static bool choose_setxattr(struct sim_worker *worker)
{
	set(worker, CLIENT_SETXATTR, some_file(worker));
	worker->value = sim_random_next(random_of(worker)) | 1;
	worker->call.name = "user.test";
	worker->call.value = (const char *)&worker->value;
	worker->call.value_bytes = sizeof(worker->value);
	return worker->call.ino != 0;
}

static bool choose_getxattr(struct sim_worker *worker)
{
	set(worker, CLIENT_GETXATTR, some_file(worker));
	worker->call.name = "user.test";
	worker->call.data = worker->words;
	worker->call.length = sizeof(worker->value);
	return worker->call.ino != 0;
}

static bool choose_open(struct sim_worker *worker)
{
	static const uint32_t flags[] = { NACRE_OPEN_READ, NACRE_OPEN_READ | NACRE_OPEN_WRITE };

	set(worker, CLIENT_OPEN, worker->client->known[dice(worker, SIM_FILES)]);
	worker->call.flags = flags[dice(worker, 2)];
	return worker->call.ino && open_find(worker->client, 0, 0);
}

static bool choose_close(struct sim_worker *worker)
{
	struct sim_open_file *file = some_open(worker, ~0u);

	if (!file || file->using)
		return false;
	set(worker, CLIENT_CLOSE, file->ino);
	worker->call.flags = file->flags;
	file->ino = 0;
	file->flags = 0;
	return true;
}

static bool choose_io(struct sim_worker *worker, enum client_call_kind kind, uint32_t flag)
{
	struct sim_open_file *file = some_open(worker, flag);
	uint64_t cells = dice(worker, 4) ? 1 + dice(worker, 16) : 1 + dice(worker, CELLS_MAX);
	uint64_t first = dice(worker, CELLS_MAX - cells + 1);

	if (!file)
		return false;
	set(worker, kind, file->ino);
	worker->call.offset = first * CELL_BYTES;
	worker->call.length = cells * CELL_BYTES;
	worker->call.data = worker->words;
	return true;
}

static bool choose_read(struct sim_worker *worker)
{
	return choose_io(worker, CLIENT_READ, NACRE_OPEN_READ);
}

static bool choose_write(struct sim_worker *worker)
{
	return choose_io(worker, CLIENT_WRITE, NACRE_OPEN_WRITE);
}

static bool choose_fsync(struct sim_worker *worker)
{
	set(worker, CLIENT_FSYNC, dice(worker, 4) ? some_file(worker) : some_dir(worker));
	return worker->call.ino != 0;
}

static bool choose_sync(struct sim_worker *worker)
{
	set(worker, CLIENT_SYNC, 0);
	return true;
}

static bool choose_statfs(struct sim_worker *worker)
{
	set(worker, CLIENT_STATFS, 0);
	return true;
}

static const struct {
	unsigned int weight;
	bool (*choose)(struct sim_worker *worker);
} choices[] = {
	{ 12, choose_create }, { 3, choose_mkdir }, { 1, choose_symlink }, { 3, choose_link },
	{ 7, choose_unlink }, { 2, choose_rmdir }, { 7, choose_rename }, { 14, choose_lookup },
	{ 3, choose_readdir }, { 8, choose_getattr }, { 4, choose_chmod }, { 3, choose_truncate },
	{ 3, choose_setxattr }, { 3, choose_getxattr }, { 8, choose_open }, { 6, choose_close },
	{ 18, choose_read }, { 18, choose_write }, { 4, choose_fsync }, { 1, choose_sync },
	{ 1, choose_statfs },
};

static void choose(struct sim_worker *worker)
{
	unsigned int total = 0, i;
	uint64_t pick;

	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		total += choices[i].weight;
	do {
		memset(&worker->call, 0, sizeof(worker->call));
		pick = dice(worker, total);
		for (i = 0; pick >= choices[i].weight; i++)
			pick -= choices[i].weight;
	} while (!choices[i].choose(worker));
}

/* ---- calls ---------------------------------------------------------------------------------- */

static struct sim_open_file *file_in_use(struct sim_worker *worker)
{
	uint32_t flag = worker->call.kind == CLIENT_WRITE ? NACRE_OPEN_WRITE : NACRE_OPEN_READ;
	struct sim_client *client = worker->client;
	size_t i;

	if (worker->call.kind != CLIENT_READ && worker->call.kind != CLIENT_WRITE)
		return NULL;
	for (i = 0; i < SIM_FILES; i++)
		if (client->open[i].ino == worker->call.ino && (client->open[i].flags & flag))
			return &client->open[i];
	return NULL;
}

static void learn(struct sim_worker *worker)
{
	struct client_call *call = &worker->call;
	struct sim_client *client = worker->client;

	if (call->result == -ESTALE || (call->result == -ENOENT && !call->name))
		forget_inode(client, call->ino);
	if (call->result)
		return;
	if (call->kind == CLIENT_LOOKUP || call->kind == CLIENT_CREATE ||
	    call->kind == CLIENT_MKDIR)
		remember_inode(worker, &call->attr);
	if (call->kind == CLIENT_UNLINK || call->kind == CLIENT_RMDIR)
		if (dice(worker, 2))
			forget_inode(client, call->attr.ino);
	if (call->kind == CLIENT_OPEN)
		remember_open(client, call->ino, call->flags);
	if (call->kind == CLIENT_CREATE)
		remember_open(client, call->attr.ino, NACRE_OPEN_READ | NACRE_OPEN_WRITE);
}

static void done(struct client_call *call)
{
	struct sim_worker *worker = call->owner;
	struct sim_client *client = worker->client;
	struct sim *sim = client->sim;
	struct sim_open_file *file = file_in_use(worker);
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
	learn(worker);
	client_call_clean(call);
	think(worker);
}

static void begin(struct sim_worker *worker)
{
	struct sim_client *client = worker->client;
	struct sim *sim = client->sim;
	struct sim_open_file *file;

	choose(worker);
	file = file_in_use(worker);
	if (file)
		file->using++;
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
	if (!dice(worker, 40))
		client_trim(client->client, 1 + (unsigned int)dice(worker, 4));
}

static void thought(struct sim_event *event)
{
	struct sim_worker *worker = (struct sim_worker *)((char *)event -
							  offsetof(struct sim_worker, event));
	struct sim *sim = worker->client->sim;

	if (sim->draining || sim->ops_begun >= sim->options.ops || !worker->client->mounted)
		return;
	begin(worker);
}

/* Mostly no time, at times long enough for caps, leases and dirty data to age. */
static void think(struct sim_worker *worker)
{
	uint64_t longest = dice(worker, 30) ? THINK_MAX_NS : PAUSE_MAX_NS;
	struct sim_world *world = worker->client->sim->world;

	worker->event.run = thought;
	sim_event_at(world, worker->client->host, &worker->event,
		     world->now_ns + dice(worker, longest));
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
		think(&client->workers[i]);
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
	if (client->client)
		forget_all(client);
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
			if (sim->clients[i].workers[w].busy)
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
