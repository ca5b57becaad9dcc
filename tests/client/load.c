// SPDX-License-Identifier: GPL-2.0
/*
 * The load generator: every client keeps `depth` calls under way until its
 * files are done with. Latencies are kept one by one, so percentiles are exact.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "load.h"
#include "server/base/loop.h"
#include "state.h"

#define LOAD_NAME(name, doc) #name,
const char *const load_kind_names[] = { LOAD_KINDS(LOAD_NAME) };

#define PARTS_ALL 100			/* more than any kind has */

struct load;

/* One call at a time. */
struct lane {
	struct load *load;
	struct load_client *client;
	struct client_call call;
	unsigned int file;
	unsigned int part;		/* a kind may take several calls for a file */
	uint64_t began_ns;
	uint64_t listed;		/* entries */
	bool looking;			/* the file's number is being asked for */
	char name[32];
};

struct load_client {
	struct client *client;
	uint64_t dir;
	uint64_t *inos;			/* by file */
	unsigned int next_file;
	struct lane lanes[LOAD_DEPTH_MAX];
};

struct load {
	const struct load_options *options;
	enum load_kind kind;
	struct load_client *clients;
	unsigned int running;		/* lanes */
	uint64_t *latencies;		/* ns */
	size_t done, room;
	uint8_t *data;
	int error;
};

/* ---- one call, waited for --------------------------------------------------------- */

static void stop_ring(struct client_call *call)
{
	loop_stop(call->owner);
}

int load_call(const struct load_options *options, struct client *client, struct client_call *call)
{
	call->done = stop_ring;
	call->owner = options->io;
	client_start(client, call);
	loop_run(options->io);
	return call->result;
}

struct client *load_mount(const struct load_options *options, const char *name)
{
	struct client_config config = {
		.io = options->io, .name = name, .mds = options->mds, .dirty_pages_max = 8192,
		.inline_max = NACRE_INLINE_MAX, .inodes_max = options->inodes,
	};
	struct client_call call = { .kind = CLIENT_MOUNT };
	struct client *client;
	int err = client_create(&config, &client);

	if (!err)
		err = load_call(options, client, &call);
	if (!err)
		return client;
	fprintf(stderr, "nacre-load: cannot mount: %s\n", strerror(-err));
	return NULL;
}

int load_unmount(const struct load_options *options, struct client *client)
{
	struct client_call call = { .kind = CLIENT_UNMOUNT };
	int err = load_call(options, client, &call);

	client_destroy(client);
	return err;
}

/* ---- what each kind asks of a file ------------------------------------------------- */

static void ask(struct lane *lane, enum client_call_kind kind, uint64_t ino)
{
	memset(&lane->call, 0, sizeof(lane->call));
	lane->call.kind = kind;
	lane->call.ino = ino;
	lane->call.name = lane->name;
	lane->call.mode = 0644;
}

static void ask_open(struct lane *lane, enum client_call_kind kind, uint32_t flags)
{
	ask(lane, kind, lane->client->inos[lane->file]);
	lane->call.flags = flags;
}

static void ask_io(struct lane *lane, enum client_call_kind kind)
{
	ask(lane, kind, lane->client->inos[lane->file]);
	lane->call.data = lane->load->data;
	lane->call.length = lane->load->options->bytes;
}

/* What this run has not made is looked for by name; false: the file's number is known. */
static bool ask_number(struct lane *lane)
{
	uint64_t *ino = &lane->client->inos[lane->file];

	if (lane->looking)
		*ino = lane->call.attr.ino;
	lane->looking = !*ino;
	if (!*ino)
		ask(lane, CLIENT_LOOKUP, lane->client->dir);
	return !*ino;
}

static bool ask_file_io(struct lane *lane, enum client_call_kind kind, uint32_t flags)
{
	if (!lane->part && ask_number(lane))
		return true;
	switch (lane->part++) {
	case 0:
		ask_open(lane, CLIENT_OPEN, flags);
		return true;
	case 1:
		ask_io(lane, kind);
		return true;
	case 2:
		if (kind == CLIENT_WRITE && lane->load->options->fsync) {
			ask(lane, CLIENT_FSYNC, lane->client->inos[lane->file]);
			return true;
		}
		lane->part++;
		/* fall through */
	case 3:
		ask_open(lane, CLIENT_CLOSE, flags);
		return true;
	default:
		return false;
	}
}

static bool ask_create(struct lane *lane)
{
	if (lane->part++ == 0) {
		ask(lane, CLIENT_CREATE, lane->client->dir);
		lane->call.flags = NACRE_RECORD_EXCL;
		return true;
	}
	if (lane->part > 2)
		return false;
	lane->client->inos[lane->file] = lane->call.attr.ino;
	ask_open(lane, CLIENT_CLOSE, NACRE_OPEN_READ | NACRE_OPEN_WRITE);
	return true;
}

static bool ask_once(struct lane *lane, enum client_call_kind kind)
{
	if (lane->part++)
		return false;
	ask(lane, kind, lane->client->dir);
	return true;
}

static bool ask_list(struct lane *lane)
{
	uint64_t at = lane->part ? lane->call.offset : 0;

	if (lane->part && !at)
		return false;
	if (!lane->part++)
		lane->listed = 0;
	ask(lane, CLIENT_LIST, lane->client->dir);
	lane->call.offset = at;
	return true;
}

static bool ask_stat(struct lane *lane)
{
	if (lane->part > 1)
		return false;
	if (!lane->part++) {
		ask(lane, CLIENT_LOOKUP, lane->client->dir);
	} else {
		lane->client->inos[lane->file] = lane->call.attr.ino;
		ask(lane, CLIENT_GETATTR, lane->call.attr.ino);
	}
	return true;
}

/* The next call for the lane's file; false when the file is done with. */
static bool ask_kind(struct lane *lane, enum load_kind kind)
{
	static const enum load_kind mix[] = { LOAD_stat, LOAD_stat, LOAD_read, LOAD_write };

	switch (kind) {
	case LOAD_create:
		return ask_create(lane);
	case LOAD_stat:
		return ask_stat(lane);
	case LOAD_readdir:
		return ask_once(lane, CLIENT_READDIR);
	case LOAD_list:
		return ask_list(lane);
	case LOAD_write:
		return ask_file_io(lane, CLIENT_WRITE, NACRE_OPEN_WRITE);
	case LOAD_read:
		return ask_file_io(lane, CLIENT_READ, NACRE_OPEN_READ);
	case LOAD_remove:
		lane->client->inos[lane->file] = 0;
		return ask_once(lane, CLIENT_UNLINK);
	default:
		return ask_kind(lane, mix[lane->file * 2654435761u >> 30]);
	}
}

/* ---- running ------------------------------------------------------------------------ */

static bool next_file(struct lane *lane)
{
	const struct load_options *options = lane->load->options;
	bool once = lane->load->kind == LOAD_readdir || lane->load->kind == LOAD_list;
	unsigned int files = once ? 1 : options->files;

	if (lane->client->next_file >= files || lane->load->error)
		return false;
	lane->file = lane->client->next_file++;
	lane->part = 0;
	lane->looking = false;
	snprintf(lane->name, sizeof(lane->name), "file%u", lane->file);
	return true;
}

static void lane_done(struct client_call *call);

static void lane_go(struct lane *lane)
{
	struct load *load = lane->load;

	while (!ask_kind(lane, load->kind))
		if (!next_file(lane)) {
			if (!--load->running)
				loop_stop(load->options->io);
			return;
		}
	lane->call.done = lane_done;
	lane->call.owner = lane;
	lane->began_ns = io_now(load->options->io);
	client_start(lane->client->client, &lane->call);
}

static void check_listed(struct lane *lane)
{
	const struct load_options *options = lane->load->options;

	lane->listed += lane->call.entry_count;
	if (lane->call.offset || lane->call.result || lane->listed == options->files)
		return;
	fprintf(stderr, "nacre-load: %" PRIu64 " entries listed, and there are %u\n", lane->listed,
		options->files);
	lane->call.result = -EBADMSG;
}

static void keep_latency(struct load *load, uint64_t ns)
{
	if (load->done == load->room) {
		load->room = load->room ? load->room * 2 : 65536;
		load->latencies = realloc(load->latencies, load->room * sizeof(*load->latencies));
		assert(load->latencies);
	}
	load->latencies[load->done++] = ns;
}

static void lane_done(struct client_call *call)
{
	struct lane *lane = call->owner;
	struct load *load = lane->load;

	keep_latency(load, io_now(load->options->io) - lane->began_ns);
	if (call->kind == CLIENT_LIST)
		check_listed(lane);
	if (call->result && !load->error) {
		load->error = call->result;
		fprintf(stderr, "nacre-load: %s of %s: %s\n", client_call_name(call->kind),
			lane->name, strerror(-call->result));
	}
	if (call->result)
		lane->part = PARTS_ALL;
	client_call_clean(call);
	lane_go(lane);
}

static struct client_counters sum_counters(const struct load *load)
{
	struct client_counters sum = { .mds_messages = 0 };
	uint64_t *to = (uint64_t *)&sum;
	const uint64_t *from;
	unsigned int i;
	size_t j;

	for (i = 0; i < load->options->clients; i++) {
		from = (const uint64_t *)client_counters(load->clients[i].client);
		for (j = 0; j < sizeof(sum) / sizeof(*to); j++)
			to[j] += from[j];
	}
	return sum;
}

static int compare_latency(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

static void report(struct load *load, uint64_t took_ns, const struct client_counters *before)
{
	struct client_counters after = sum_counters(load);
	double calls = load->done ? (double)load->done : 1;

	qsort(load->latencies, load->done, sizeof(*load->latencies), compare_latency);
	printf("%-8s %9zu calls %7.2f s %10.0f/s  p50 %8.1f us  p99 %8.1f us  longest %8.1f us  per call: "
	       "%5.2f MDS messages %5.2f OSD requests\n",
	       load_kind_names[load->kind], load->done, (double)took_ns / 1e9,
	       calls / ((double)took_ns / 1e9),
	       load->done ? (double)load->latencies[load->done / 2] / 1e3 : 0,
	       load->done ? (double)load->latencies[load->done * 99 / 100] / 1e3 : 0,
	       load->done ? (double)load->latencies[load->done - 1] / 1e3 : 0,
	       (double)(after.mds_messages - before->mds_messages) / calls,
	       (double)(after.osd_requests - before->osd_requests) / calls);
	fflush(stdout);
}

static int sync_all(struct load *load)
{
	struct client_call call = { .kind = CLIENT_SYNC };
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < load->options->clients; i++)
		err = load_call(load->options, load->clients[i].client, &call);
	if (err)
		fprintf(stderr, "nacre-load: what was written could not be stored: %s\n", strerror(-err));
	return err;
}

static int run_kind(struct load *load, enum load_kind kind)
{
	const struct load_options *options = load->options;
	struct client_counters before = sum_counters(load);
	uint64_t begin_ns = io_now(options->io);
	unsigned int i, j;
	struct lane *lane;

	load->kind = kind;
	load->done = 0;
	load->running = options->clients * options->depth;
	for (i = 0; i < options->clients; i++) {
		load->clients[i].next_file = 0;
		for (j = 0; j < options->depth; j++) {
			lane = &load->clients[i].lanes[j];
			lane->load = load;
			lane->client = &load->clients[i];
			if (next_file(lane))
				lane_go(lane);
			else
				load->running--;
		}
	}
	if (load->running)
		loop_run(options->io);
	if (!load->error)
		load->error = sync_all(load);
	report(load, io_now(options->io) - begin_ns, &before);
	return load->error;
}

static void dir_name(const struct load_options *options, unsigned int i, char *name, size_t room)
{
	if (options->dir)
		snprintf(name, room, "%s.%u", options->dir, i);
	else
		snprintf(name, room, "load.%d.%u", (int)getpid(), i);
}

static int begin_client(struct load *load, unsigned int i)
{
	const struct load_options *options = load->options;
	struct load_client *client = &load->clients[i];
	struct client_call call = { .kind = CLIENT_MKDIR, .ino = NACRE_INO_ROOT, .mode = 0755 };
	char name[64];

	dir_name(options, i, name, sizeof(name));
	client->client = load_mount(options, name);
	if (!client->client)
		return -EIO;
	client->inos = client_alloc(options->files * sizeof(*client->inos));
	call.name = name;
	if (load_call(options, client->client, &call) == -EEXIST && options->dir) {
		call.kind = CLIENT_LOOKUP;
		load_call(options, client->client, &call);
	}
	if (call.result) {
		fprintf(stderr, "nacre-load: mkdir %s: %s\n", name, strerror(-call.result));
		return call.result;
	}
	client->dir = call.attr.ino;
	return 0;
}

static void end_client(struct load *load, unsigned int i)
{
	struct client_call call = { .kind = CLIENT_RMDIR, .ino = NACRE_INO_ROOT };
	char name[64];

	dir_name(load->options, i, name, sizeof(name));
	call.name = name;
	if (!load->options->keep && !load->error)
		load_call(load->options, load->clients[i].client, &call);
	load_unmount(load->options, load->clients[i].client);
	free(load->clients[i].inos);
}

int load_run(const struct load_options *options, const enum load_kind *kinds, unsigned int count)
{
	struct load load = { .options = options };
	unsigned int i, begun = 0;

	load.clients = client_alloc(options->clients * sizeof(*load.clients));
	load.data = client_alloc(options->bytes + 1);
	for (; !load.error && begun < options->clients; begun++)
		load.error = begin_client(&load, begun);
	for (i = 0; !load.error && i < count; i++)
		run_kind(&load, kinds[i]);
	for (i = 0; i < begun; i++)
		if (load.clients[i].client)
			end_client(&load, i);
	free(load.latencies);
	free(load.clients);
	free(load.data);
	return load.error ? 1 : 0;
}
