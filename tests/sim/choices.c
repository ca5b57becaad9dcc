// SPDX-License-Identifier: GPL-2.0
/*
 * What a worker calls next: at random, on a small set of names, so that workers get in each other's way. It mostly
 * works with what its client has seen: directories, files, open files.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "choices.h"
#include "quotas.h"
#include "protocol/session.h"

static struct sim_random *random_of(const struct sim_worker *worker)
{
	return &worker->client->sim->random;
}

uint64_t worker_dice(const struct sim_worker *worker, uint64_t sides)
{
	return sim_below(random_of(worker), sides);
}

/* ---- what a client knows ------------------------------------------------------------ */

static uint64_t some_dir(const struct sim_worker *worker)
{
	uint64_t ino = worker->client->dirs[worker_dice(worker, SIM_DIRS)];

	return ino && worker_dice(worker, 3) ? ino : NACRE_INO_ROOT;
}

static const char *some_name(const struct sim_worker *worker, char kind)
{
	const char *name;

	do
		name = history_names[worker_dice(worker, NAMES_MAX)];
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
		remember(client->dirs + 1, SIM_DIRS - 1, attr->ino, worker_dice(worker, SIM_DIRS));
	else if (S_ISREG(attr->mode))
		remember(client->known, SIM_FILES, attr->ino, worker_dice(worker, SIM_FILES));
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
	struct sim_open_file *file = &worker->client->open[worker_dice(worker, SIM_FILES)];

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
	worker->call.mode = 0600 | (uint32_t)worker_dice(worker, 0200);
}

static bool choose_create(struct sim_worker *worker)
{
	set_name(worker, CLIENT_CREATE, worker_dice(worker, 20) ? 'f' : 'a');
	worker->call.flags = worker_dice(worker, 3) ? NACRE_RECORD_EXCL : 0;
	return open_find(worker->client, 0, 0) != NULL;
}

static bool choose_tmpfile(struct sim_worker *worker)
{
	set(worker, CLIENT_TMPFILE, some_dir(worker));
	worker->call.mode = 0600 | (uint32_t)worker_dice(worker, 0200);
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
	worker->call.ino2 = worker->client->known[worker_dice(worker, SIM_FILES)];
	return worker->call.ino2 != 0;
}

static bool choose_unlink(struct sim_worker *worker)
{
	static const char kinds[] = "ffffffllssa";

	set_name(worker, CLIENT_UNLINK, kinds[worker_dice(worker, sizeof(kinds) - 1)]);
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
	char kind = worker_dice(worker, 5) ? 'f' : 'd';

	set_name(worker, CLIENT_RENAME, kind);
	worker->call.ino2 = worker_dice(worker, 2) ? worker->call.ino : some_dir(worker);
	worker->call.name2 = some_name(worker, kind);
	worker->call.flags = worker_dice(worker, 4) ? 0 : NACRE_RENAME_NOREPLACE;
	return true;
}

static bool choose_lookup(struct sim_worker *worker)
{
	set(worker, CLIENT_LOOKUP, some_dir(worker));
	worker->call.name = history_names[worker_dice(worker, NAMES_MAX)];
	return true;
}

static bool choose_readdir(struct sim_worker *worker)
{
	set(worker, CLIENT_READDIR, some_dir(worker));
	if (worker->client->sim->inlines && worker_dice(worker, 2))
		worker->call.flags = CLIENT_WITH_DATA;
	return true;
}

static uint64_t some_file(const struct sim_worker *worker)
{
	struct sim_open_file *file = worker_dice(worker, 2) ? some_open(worker, ~0u) : NULL;

	return file ? file->ino : worker->client->known[worker_dice(worker, SIM_FILES)];
}

static bool choose_getattr(struct sim_worker *worker)
{
	set(worker, CLIENT_GETATTR, worker_dice(worker, 6) ? some_file(worker) : some_dir(worker));
	return worker->call.ino != 0;
}

static bool choose_chmod(struct sim_worker *worker)
{
	set(worker, CLIENT_SETATTR, some_file(worker));
	worker->call.set_mask = NACRE_SET_MODE;
	worker->call.mode = 0600 | (uint32_t)worker_dice(worker, 0200);
	/* A fifth of the histories has attributes of chattr, too; those that forbid nothing. Nothing else is drawn for them. */
	if (worker->client->sim->options.seed % 5 == 0 && worker->call.mode & 1) {
		worker->call.set_mask = NACRE_SET_FLAGS;
		worker->call.flags = (worker->call.mode >> 1 & 7) * NACRE_INODE_NOATIME;
		worker->call.mode = 0;
	}
	return worker->call.ino != 0;
}

/* Where files end, mostly: around the limit of inline data, where there is such. */
static uint64_t some_cells(const struct sim_worker *worker)
{
	uint64_t small = SIM_INLINE_BYTES / CELL_BYTES * 3 / 2;

	return worker->client->sim->inlines && worker_dice(worker, 8) ? small : CELLS_MAX;
}

static bool choose_truncate(struct sim_worker *worker)
{
	set(worker, CLIENT_SETATTR, some_file(worker));
	worker->call.set_mask = NACRE_SET_SIZE;
	worker->call.length = worker_dice(worker, some_cells(worker)) * CELL_BYTES;
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

	set(worker, CLIENT_OPEN, worker->client->known[worker_dice(worker, SIM_FILES)]);
	worker->call.flags = flags[worker_dice(worker, 2)];
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
	uint64_t span = some_cells(worker), some = span < CELLS_MAX ? 6 : 16;
	uint64_t cells = 1 + worker_dice(worker, worker_dice(worker, 4) ? some : span);
	uint64_t first = worker_dice(worker, span - cells + 1);

	if (!file)
		return false;
	set(worker, kind, file->ino);
	worker->call.offset = kind == CLIENT_APPEND ? HISTORY_NOT_PLACED : first * CELL_BYTES;
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

static bool choose_append(struct sim_worker *worker)
{
	return choose_io(worker, CLIENT_APPEND, NACRE_OPEN_WRITE);
}

static bool choose_allocate(struct sim_worker *worker)
{
	static const uint32_t flags[] = { 0, CLIENT_ALLOCATE_ZERO, CLIENT_ALLOCATE_PUNCH, CLIENT_ALLOCATE_PUNCH,
					  CLIENT_ALLOCATE_KEEP, CLIENT_ALLOCATE_KEEP | CLIENT_ALLOCATE_ZERO };

	worker->call.flags = flags[worker_dice(worker, 6)];
	return choose_io(worker, CLIENT_ALLOCATE, NACRE_OPEN_WRITE);
}

static bool choose_seek(struct sim_worker *worker)
{
	worker->call.flags = worker_dice(worker, 3) ? 0 : CLIENT_SEEK_HOLE;
	return choose_io(worker, CLIENT_SEEK, NACRE_OPEN_READ);
}

static bool choose_fsync(struct sim_worker *worker)
{
	set(worker, CLIENT_FSYNC, worker_dice(worker, 4) ? some_file(worker) : some_dir(worker));
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

static bool choose_quota(struct sim_worker *worker)
{
	uint64_t dir = worker->client->dirs[worker_dice(worker, SIM_DIRS)];

	if (!dir || !worker->client->sim->quotas)
		return false;
	quotas_choose(worker->client->sim, &worker->call, dir, sim_random_next(random_of(worker)));
	return true;
}

static const struct {
	unsigned int weight;
	bool (*choose)(struct sim_worker *worker);
} choices[] = {
	{ 12, choose_create }, { 2, choose_tmpfile }, { 3, choose_mkdir }, { 1, choose_symlink }, { 3, choose_link },
	{ 7, choose_unlink }, { 2, choose_rmdir }, { 7, choose_rename }, { 14, choose_lookup },
	{ 3, choose_readdir }, { 8, choose_getattr }, { 4, choose_chmod }, { 3, choose_truncate },
	{ 3, choose_setxattr }, { 3, choose_getxattr }, { 8, choose_open }, { 6, choose_close },
	{ 18, choose_read }, { 15, choose_write }, { 4, choose_append }, { 4, choose_allocate }, { 4, choose_seek },
	{ 4, choose_fsync }, { 1, choose_sync }, { 1, choose_statfs },
	{ 3, choose_quota },
};

void worker_choose(struct sim_worker *worker)
{
	unsigned int total = 0, i;
	uint64_t pick;

	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		total += choices[i].weight;
	do {
		memset(&worker->call, 0, sizeof(worker->call));
		pick = worker_dice(worker, total);
		for (i = 0; pick >= choices[i].weight; i++)
			pick -= choices[i].weight;
	} while (!choices[i].choose(worker));
}

/* ---- what comes of a call: it is known, or known to be gone ---------------------------------- */

struct sim_open_file *worker_file_in_use(struct sim_worker *worker)
{
	static const uint32_t flags[CLIENT_CALL_KINDS] = {
		[CLIENT_READ] = NACRE_OPEN_READ,
		[CLIENT_WRITE] = NACRE_OPEN_WRITE, [CLIENT_APPEND] = NACRE_OPEN_WRITE,
		[CLIENT_ALLOCATE] = NACRE_OPEN_WRITE, [CLIENT_SEEK] = NACRE_OPEN_READ,
	};
	uint32_t flag = flags[worker->call.kind];
	struct sim_client *client = worker->client;
	size_t i;

	for (i = 0; i < SIM_FILES; i++)
		if (client->open[i].ino == worker->call.ino && (client->open[i].flags & flag))
			return &client->open[i];
	return NULL;
}

void worker_learn(struct sim_worker *worker)
{
	struct client_call *call = &worker->call;
	struct sim_client *client = worker->client;

	if (call->result == -ESTALE || (call->result == -ENOENT && !call->name))
		forget_inode(client, call->ino);
	if (call->result)
		return;
	if (call->kind == CLIENT_LOOKUP || call->kind == CLIENT_CREATE || call->kind == CLIENT_TMPFILE ||
	    call->kind == CLIENT_MKDIR)
		remember_inode(worker, &call->attr);
	if (call->kind == CLIENT_UNLINK || call->kind == CLIENT_RMDIR)
		if (worker_dice(worker, 2))
			forget_inode(client, call->attr.ino);
	if (call->kind == CLIENT_OPEN)
		remember_open(client, call->ino, call->flags);
	if (call->kind == CLIENT_CREATE || call->kind == CLIENT_TMPFILE)
		remember_open(client, call->attr.ino, NACRE_OPEN_READ | NACRE_OPEN_WRITE);
}
