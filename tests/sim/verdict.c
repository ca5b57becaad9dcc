// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a history: faults stop and heal, everybody syncs and unmounts, a
 * fresh client reads the whole tree, and the history must have an order in
 * which all that anybody ever saw, this reader included, is right. Then the
 * stores are compared, replica by replica (stores.c), and no request may have been
 * applied twice (groups.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "protocol/session.h"
#include "clones.h"
#include "fills.h"
#include "pools.h"
#include "quotas.h"
#include "rot.h"
#include "server/mds/core.h"
#include "sim.h"
#include "stores.h"
#include "weights.h"

#define QUIET_LIMIT_NS (300 * SIM_NS_PER_S)
#define PURGE_NS (20 * SIM_NS_PER_S)
#define INODES_MAX 512

/* What the reader found. */
struct tree {
	uint64_t dirs[INODES_MAX];
	size_t dir_count, dir_read;
	struct store_inode inodes[INODES_MAX];	/* everything, directories included */
	uint32_t names[INODES_MAX];	/* how many names it has */
	uint32_t nlink[INODES_MAX];
	struct quotas_inode places[INODES_MAX];	/* the same, for who adds up what is below a directory */
	size_t count;
};

struct reader {
	struct sim *sim;
	struct client *client;
	uint32_t life;
	struct client_call call;
	bool done;
	uint64_t words[CELLS_MAX * CELL_BYTES / 8 + 64];
};

/* ---- one call after another -------------------------------------------------------- */

static void call_done(struct client_call *call)
{
	struct reader *reader = call->owner;

	reader->done = true;
	reader->sim->world->stop = true;
}

/* Make reader->call, wait for its end, put it into the history. */
static bool make_call(struct reader *reader)
{
	struct sim *sim = reader->sim;
	uint64_t limit_ns = sim->world->now_ns + SIM_CALL_LIMIT_NS;
	const char *wrong;
	uint32_t number;

	reader->call.done = call_done;
	reader->call.owner = reader;
	reader->done = false;
	number = history_begin(sim->history, reader->life, &reader->call, sim->world->now_ns);
	client_start(reader->client, &reader->call);
	while (!reader->done && !sim->failed && sim->world->now_ns < limit_ns)
		sim_run(sim->world, limit_ns);
	if (!reader->done) {
		sim_fail(sim, "%s is stuck although everything is healed",
			 client_call_name(reader->call.kind));
		client_dump(reader->client, stderr);
		return false;
	}
	wrong = history_end(sim->history, number, sim->world->now_ns);
	if (wrong)
		sim_fail(sim, "call %u: %s", number, wrong);
	return !sim->failed;
}

static bool call_named(struct reader *reader, enum client_call_kind kind, uint64_t ino)
{
	memset(&reader->call, 0, sizeof(reader->call));
	reader->call.kind = kind;
	reader->call.ino = ino;
	reader->call.data = reader->words;
	reader->call.length = sizeof(reader->words);
	reader->call.name = kind == CLIENT_GETXATTR ? "user.test" : NULL;
	reader->call.flags = kind == CLIENT_OPEN || kind == CLIENT_CLOSE ? NACRE_OPEN_READ : 0;
	return make_call(reader);
}

static bool must(struct reader *reader, enum client_call_kind kind, uint64_t ino)
{
	if (!call_named(reader, kind, ino))
		return false;
	if (reader->call.result)
		sim_fail(reader->sim, "at the end, %s of %llx gave errno %d",
			 client_call_name(kind), (unsigned long long)ino, -reader->call.result);
	return !reader->sim->failed;
}

/* ---- leaving -------------------------------------------------------------------------- */

/* A last call; false when the client is gone before its end, or the history has failed. */
static bool last_call(struct sim *sim, struct sim_client *client, enum client_call_kind kind)
{
	struct reader reader = { .sim = sim, .client = client->client, .life = client->life };

	if (!call_named(&reader, kind, 0))
		return false;
	if (client->killed) {
		sim_run(sim->world, sim->world->now_ns + SIM_NS_PER_S);
		return false;
	}
	if (reader.call.result)
		sim_fail(sim, "at the end, %s of client %u gave errno %d", client_call_name(kind),
			 client->id, -reader.call.result);
	return !sim->failed;
}

/* Whoever hears only now that it was evicted has nothing to sync; workload.c cleans up behind it. */
static bool leave(struct sim *sim, struct sim_client *client)
{
	if (!client->client || !last_call(sim, client, CLIENT_SYNC) ||
	    !last_call(sim, client, CLIENT_UNMOUNT))
		return !sim->failed;
	client_destroy(client->client);
	client->client = NULL;
	return true;
}

/* ---- reading the tree ------------------------------------------------------------------- */

static void tree_add(struct reader *reader, struct tree *tree, const struct store_inode *found,
		     uint32_t nlink, uint64_t parent)
{
	uint64_t ino = found->ino;
	bool is_dir = found->is_dir;

	size_t i;

	for (i = 0; i < tree->count && tree->inodes[i].ino != ino; i++)
		;
	if (i == INODES_MAX) {
		sim_fail(reader->sim, "the tree is larger than names allow");
		return;
	}
	if (i == tree->count) {
		tree->inodes[i] = *found;
		tree->places[tree->count++] = (struct quotas_inode){ ino, parent, found->size };
		if (is_dir)
			tree->dirs[tree->dir_count++] = ino;
	} else if (is_dir) {
		sim_fail(reader->sim, "directory %llx has two names", (unsigned long long)ino);
	}
	tree->names[i]++;
	tree->nlink[i] = is_dir ? 1 : nlink;
}

static bool read_file(struct reader *reader, uint64_t ino)
{
	if (!must(reader, CLIENT_OPEN, ino) || !must(reader, CLIENT_READ, ino))
		return false;
	if (!call_named(reader, CLIENT_GETXATTR, ino))
		return false;
	return must(reader, CLIENT_CLOSE, ino);
}

static bool read_link(struct reader *reader, uint64_t ino)
{
	if (!must(reader, CLIENT_READLINK, ino))
		return false;
	if (reader->call.bytes != 2 || memcmp(reader->words, "f0", 2))
		sim_fail(reader->sim, "a symbolic link has another target");
	return !reader->sim->failed;
}

static bool read_entry(struct reader *reader, struct tree *tree, uint64_t ino, uint64_t parent)
{
	struct store_inode found = { .ino = ino };
	uint32_t mode;

	if (!must(reader, CLIENT_GETATTR, ino))
		return false;
	mode = reader->call.attr.mode;
	found.size = S_ISREG(mode) ? reader->call.attr.size : 0;
	found.is_dir = S_ISDIR(mode);
	found.kept = reader->call.attr.kept;
	found.is_inline = reader->call.attr.inline_gen;
	reader->sim->inline_files += found.is_inline;
	tree_add(reader, tree, &found, reader->call.attr.nlink, parent);
	if (S_ISREG(mode))
		return read_file(reader, ino);
	return S_ISLNK(mode) ? read_link(reader, ino) : !reader->sim->failed;
}

static bool read_dir(struct reader *reader, struct tree *tree, uint64_t ino)
{
	struct client_entry *entries;
	size_t count, i;
	bool good;

	if (!must(reader, CLIENT_READDIR, ino))
		return false;
	entries = reader->call.entries;
	count = reader->call.entry_count;
	for (i = 0, good = true; good && i < count; i++)
		good = read_entry(reader, tree, entries[i].ino, ino);
	for (i = 0; i < count; i++)
		free(entries[i].name);
	free(entries);
	return good;
}

static void check_links(struct sim *sim, const struct tree *tree)
{
	size_t i;

	for (i = 1; i < tree->count; i++)
		if (tree->names[i] != tree->nlink[i])
			sim_fail(sim, "inode %llx has %u names and nlink %u",
				 (unsigned long long)tree->inodes[i].ino, tree->names[i],
				 tree->nlink[i]);
}

static bool read_quotas(struct reader *reader, const struct tree *tree)
{
	size_t i;

	for (i = 0; i < tree->dir_count; i++) {
		if (!must(reader, CLIENT_QUOTA, tree->dirs[i]))
			return false;
		quotas_check(reader->sim, tree->dirs[i], &reader->call.quota, tree->places, tree->count);
	}
	return !reader->sim->failed;
}

static bool read_tree(struct sim *sim, struct tree *tree)
{
	struct sim_host *host = sim_host_add(sim->world, "reader");
	struct client_config config = {
		.io = sim_host_io(host), .name = "reader", .mds = sim->mds.host->address,
	};
	struct reader *reader = calloc(1, sizeof(*reader));
	bool good;

	config.mds.port = NACRE_DEFAULT_PORT;
	reader->sim = sim;
	reader->life = history_born(sim->history);
	if (client_create(&config, &reader->client))
		abort();
	good = must(reader, CLIENT_MOUNT, 0);
	tree_add(reader, tree, &(struct store_inode){ .ino = NACRE_INO_ROOT, .is_dir = true }, 1, 0);
	while (good && tree->dir_read < tree->dir_count)
		good = read_dir(reader, tree, tree->dirs[tree->dir_read++]);
	good = good && read_quotas(reader, tree);
	if (good)
		clones_check(sim, reader->client);
	good = good && must(reader, CLIENT_UNMOUNT, 0);
	if (good)
		client_destroy(reader->client);
	free(reader);
	check_links(sim, tree);
	return good && !sim->failed;
}

/* ---- the verdict ---------------------------------------------------------------------------- */

static bool is_quiet(struct sim *sim)
{
	return cluster_serves(sim) && workload_is_idle(sim) && clones_are_idle(sim);
}

/* What a client that has crashed had asked for may be done long after that: it waits for caps, perhaps of others that have crashed. */
static bool nothing_is_asked(struct sim *sim)
{
	return sim->mds.serving && !sim->mds.mds->request_count;
}

void verdict(struct sim *sim)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	uint64_t placement;
	unsigned int i;

	sim->draining = true;
	faults_end(sim);
	weights_end(sim);
	fills_end(sim);
	pools_end(sim);
	if (!sim_until(sim, is_quiet, QUIET_LIMIT_NS, "to be quiet"))
		goto out;
	for (i = 0; i < sim->client_count; i++)
		if (!leave(sim, &sim->clients[i]))
			goto out;
	rot_at_end(sim);
	if (sim->failed || !sim_until(sim, nothing_is_asked, QUIET_LIMIT_NS, "to end what dead clients have asked for") ||
	    !read_tree(sim, tree))
		goto out;
	if (!history_check(sim->history, stderr)) {
		sim_fail(sim, "the history has no order");
		goto out;
	}
	if (!sim_until(sim, weights_settled, QUIET_LIMIT_NS, "to be where it should be"))
		goto out;
	placement = weights_placement(sim);
	sim_run(sim->world, sim->world->now_ns + PURGE_NS);
	if (!sim->failed && weights_placement(sim) != placement)
		sim_fail(sim, "groups go on moving when nothing changes any more");
	if (!sim->failed)
		audit_at_end(sim);
	if (!sim->failed)
		stores_check(sim, tree->inodes, tree->count);
out:
	free(tree);
}
