// SPDX-License-Identifier: GPL-2.0
/*
 * Making a file system.
 *
 *	read the configuration → look at every device → plan the map
 *	→ (force) erase the old map → format each store → put map 1
 *
 * All that can be found out without writing is found out first. The map comes last:
 * without it there is no file system, so one that was made halfway is never mounted.
 *
 * A new store for one OSD, of the file system's or added to it, goes the other way round: the map first says that the old one is gone, so that a store that was
 * destroyed is never taken for one that has its groups' data.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "format.h"
#include "mapaccess.h"
#include "plan.h"
#include "protocol/rules/placement.h"
#include "sections.h"
#include "server/base/config.h"
#include "server/osd/store.h"
#include "tool.h"

struct job {
	const struct format_options *options;
	struct config *global;
	struct sections sections;
	struct config **osds;		/* by id */
	struct plan_osd *stores;	/* by id */
	struct plan plan;
	bool adds;			/* --osd: it is new, nothing is replaced */
	uint8_t *map;			/* encoded */
	size_t map_bytes;
};

static int random_id(uint64_t *lo, uint64_t *hi)
{
	uint64_t id[2] = { 0 };

	while (!id[0] || !id[1])
		if (getrandom(id, sizeof(id), 0) != sizeof(id))
			return -EIO;
	*lo = id[0];
	*hi = id[1];
	return 0;
}

static void say(const struct job *job, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void say(const struct job *job, const char *format, ...)
{
	va_list args;

	if (job->options->quiet)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
}

/* ---- the configuration ---------------------------------------------------------------------- */

/* The map's tables have no gaps. */
static int check_numbers(const struct job *job)
{
	const struct sections *sections = &job->sections;
	const char *file = job->options->config_file;

	if (!sections->osd_count)
		return tool_failed("%s: no [osd0]: a file system needs an OSD", file);
	if (!sections->mds_count)
		return tool_failed("%s: no [mds0]: a file system needs a metadata server", file);
	for (unsigned int i = 0; i < sections->osd_count; i++)
		if (sections->osds[i] != i)
			return tool_failed("%s: no [osd%u]: OSDs are numbered from 0 without gaps",
					   file, i);
	return TOOL_OK;
}

static int load_osds(struct job *job)
{
	char error[TOOL_ERROR_BYTES], name[16];

	job->osds = calloc(job->sections.osd_count, sizeof(*job->osds));
	job->stores = calloc(job->sections.osd_count, sizeof(*job->stores));
	if (!job->osds || !job->stores)
		return tool_failed("out of memory");
	for (unsigned int i = 0; i < job->sections.osd_count; i++) {
		snprintf(name, sizeof(name), "osd%u", i);
		if (config_load(job->options->config_file, name, &job->osds[i], error,
				sizeof(error)))
			return tool_failed("%s", error);
	}
	return TOOL_OK;
}

static int load(struct job *job)
{
	const char *file = job->options->config_file;
	char error[TOOL_ERROR_BYTES];
	int err, status;

	if (config_load(file, NULL, &job->global, error, sizeof(error)))
		return tool_failed("%s", error);
	if (!*job->global->map_store)
		return tool_failed("%s: [global] needs map_store", file);
	err = sections_read(file, &job->sections);
	if (err)
		return tool_failed("%s: %s", file,
				   err == -EFBIG ? "more daemons than a map has room for"
						 : strerror(-err));
	status = check_numbers(job);
	return status ? status : load_osds(job);
}

/* ---- devices -------------------------------------------------------------------------------- */

static int check_device(const struct job *job, unsigned int id)
{
	const struct config *osd = job->osds[id], *other;
	struct stat st;

	if (!*osd->device || !*osd->kv_dir)
		return tool_failed("%s: [osd%u] needs device and kv_dir",
				   job->options->config_file, id);
	if (stat(osd->device, &st))
		return tool_failed("osd%u: device %s: %s", id, osd->device, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return tool_failed("osd%u: device %s is neither a file nor a block device", id,
				   osd->device);
	for (unsigned int i = 0; i < id; i++) {
		other = job->osds[i];
		if (!strcmp(other->device, osd->device) || !strcmp(other->kv_dir, osd->kv_dir))
			return tool_failed("osd%u and osd%u share a device or kv_dir: %s, %s", i, id,
					   osd->device, osd->kv_dir);
	}
	return TOOL_OK;
}

static int make_kv_dir(const struct job *job, unsigned int id)
{
	const char *path = job->osds[id]->kv_dir;
	char current[4096];

	/* the file every RocksDB has */
	snprintf(current, sizeof(current), "%s/CURRENT", path);
	if (!job->options->force && !access(current, F_OK))
		return tool_failed("osd%u: kv_dir %s holds a database already (--force destroys it)",
				   id, path);
	if (!mkdir(path, 0755) || errno == EEXIST)
		return TOOL_OK;
	return tool_failed("osd%u: kv_dir %s cannot be made: %s", id, path, strerror(errno));
}

static int format_store(const struct job *job, unsigned int id)
{
	const struct config *osd = job->osds[id];
	struct osd_format_paths paths = { .device = osd->device, .kv_dir = osd->kv_dir };
	struct osd_format_config config = {
		.fsid_lo = job->plan.fsid_lo,
		.fsid_hi = job->plan.fsid_hi,
		.store_lo = job->stores[id].store_lo,
		.store_hi = job->stores[id].store_hi,
		.journal_bytes = osd->osd_journal_bytes,
		.osd_id = (uint16_t)id,
		.force = job->options->force,
	};
	char error[TOOL_ERROR_BYTES];
	int err, status = make_kv_dir(job, id);

	if (status)
		return status;
	err = osd_store_format_paths(&paths, &config, error, sizeof(error));
	if (err)
		return tool_failed("osd%u: %s: %s%s", id, osd->device, error,
				   err == -EEXIST ? " (--force destroys it)" : "");
	say(job, "osd%u  %s formatted, keys in %s\n", id, osd->device, osd->kv_dir);
	return TOOL_OK;
}

/* ---- the map -------------------------------------------------------------------------------- */

static int plan_it(struct job *job)
{
	const struct format_options *options = job->options;
	unsigned int osds = job->sections.osd_count;
	struct mapedit *edit;
	const char *why;
	int err = 0;

	for (unsigned int i = 0; i < osds && !err; i++)
		err = random_id(&job->stores[i].store_lo, &job->stores[i].store_hi);
	if (!err)
		err = random_id(&job->plan.fsid_lo, &job->plan.fsid_hi);
	if (err)
		return tool_failed("no random numbers: %s", strerror(-err));
	job->plan.osds = job->stores;
	job->plan.osd_count = osds;
	job->plan.rank_count = options->ranks ? options->ranks : 1;
	job->plan.replicas = options->replicas ? options->replicas : osds > 1 ? 2 : 1;
	job->plan.min_size = options->min_size;
	job->plan.pg_count = options->pg_count;
	job->plan.inline_bytes = options->inline_bytes;
	job->plan.journal_mode = (uint8_t)options->journal_mode;
	edit = plan_map(&job->plan, &why);
	if (!edit)
		return tool_failed("%s: %u OSDs, %u replicas: %s", options->config_file, osds,
				   job->plan.replicas, why);
	err = mapedit_encode(edit, &job->map, &job->map_bytes);
	mapedit_free(edit);
	return err ? tool_failed("the map cannot be encoded: %s", strerror(-err)) : TOOL_OK;
}

static int refuse_existing(const struct job *job, const struct cluster_map *map)
{
	return tool_failed("%s holds a file system already: %016llx%016llx, map %llu (--force destroys it)",
			   job->global->map_store, (unsigned long long)map->view.fsid_hi,
			   (unsigned long long)map->view.fsid_lo,
			   (unsigned long long)map->view.epoch);
}

static int empty_store(const char *url)
{
	char busy[64] = "";
	int err = mapstore_erase(url, busy, sizeof(busy));

	if (err == -EBUSY)
		return tool_failed("%s: %s is running; stop all daemons first", url, busy);
	if (err && err != -ENOENT)
		return tool_failed("%s cannot be emptied: %s", url, strerror(-err));
	return TOOL_OK;
}

/* An empty store, or one that may be emptied, and is. */
static int clear_store(const struct job *job)
{
	const char *url = job->global->map_store;
	struct cluster_map *map = NULL;
	char error[TOOL_ERROR_BYTES];
	int err, status = TOOL_OK;

	if (mapaccess_make_folder(url, error, sizeof(error)))
		return tool_failed("%s", error);
	err = mapaccess_get(url, &map, error, sizeof(error));
	if (err == -EINVAL)
		status = tool_failed("%s", error);
	else if (job->options->force)
		status = empty_store(url);
	else if (!err)
		status = refuse_existing(job, map);
	else if (err != -ENOENT)
		status = tool_failed("%s", error);
	cluster_map_put(map);
	return status;
}

static int put_map(const struct job *job)
{
	const struct plan *plan = &job->plan;
	unsigned int pgs = plan->pg_count ? plan->pg_count : 64;
	char error[TOOL_ERROR_BYTES];

	if (mapaccess_put(job->global->map_store, 1, job->map, job->map_bytes, error, sizeof(error)))
		return tool_failed("%s", error);
	say(job, "file system %016llx%016llx: %u OSDs, %u replicas, %u and %u placement groups, map 1 in %s\n",
	    (unsigned long long)plan->fsid_hi, (unsigned long long)plan->fsid_lo, plan->osd_count,
	    plan->replicas, pgs > 1 ? pgs / 2 : 1, pgs, job->global->map_store);
	return TOOL_OK;
}

/* ---- one store anew --------------------------------------------------------------------------- */

static int refuse_running(const struct job *job, unsigned int id)
{
	struct mapaccess_lease *leases = NULL;
	char error[TOOL_ERROR_BYTES], name[16];
	size_t count = 0;
	bool runs = false;

	snprintf(name, sizeof(name), "osd%u", id);
	if (mapaccess_leases(job->global->map_store, &leases, &count, error, sizeof(error)))
		return tool_failed("%s", error);
	for (size_t i = 0; i < count; i++)
		runs |= leases[i].alive && !strcmp(leases[i].lease.name, name);
	free(leases);
	return runs ? tool_failed("%s runs, or its lease has not run out yet: stop it first", name) : TOOL_OK;
}

/* Before the map is touched: what would be refused afterwards. */
static int refuse_destruction(const struct job *job, unsigned int id)
{
	const struct config *osd = job->osds[id];
	char current[4096];
	__le64 magic = 0;
	FILE *device;

	if (job->options->force)
		return TOOL_OK;
	snprintf(current, sizeof(current), "%s/CURRENT", osd->kv_dir);
	device = fopen(osd->device, "re");
	if (!device || fread(&magic, sizeof(magic), 1, device) != 1)
		magic = 0;
	if (device)
		fclose(device);
	if (nacre_le64(magic) != OSD_SUPER_MAGIC && access(current, F_OK))
		return TOOL_OK;
	return tool_failed("osd%u: %s or %s holds a store (--force destroys it)", id, osd->device, osd->kv_dir);
}

static void say_loss(const struct mapedit *edit, unsigned int id, unsigned int at, char *error, size_t error_bytes)
{
	unsigned int pool = 0;

	while (pool + 1 < edit->pool_count && edit->pools[pool + 1].pg_first <= at)
		pool++;
	snprintf(error, error_bytes, "osd%u alone has all of group %u of pool %u: with its store that data would be lost; "
		 "start other members first", id, at - edit->pools[pool].pg_first, pool);
}

/* The next OSD that the map has no row for is a new one. */
static int new_store(void *owner, const struct cluster_map *now, struct mapedit *next, char *error, size_t error_bytes)
{
	struct job *job = owner;
	unsigned int id = job->options->osd, at = 0;
	struct plan_osd *store = &job->stores[id];
	int err;

	job->plan.fsid_lo = now->view.fsid_lo;
	job->plan.fsid_hi = now->view.fsid_hi;
	job->adds = id == next->osd_count;
	if (job->adds)
		err = mapedit_osd_add(next, store->store_lo, store->store_hi);
	else
		err = mapedit_osd_replace(next, (uint16_t)id, store->store_lo, store->store_hi, &at);
	if (err == -ENODATA)
		say_loss(next, id, at, error, error_bytes);
	else if (err == -ENOENT)
		snprintf(error, error_bytes, "osd%u: the map has no such OSD, and the next one would be osd%u", id,
			 next->osd_count);
	else if (err)
		snprintf(error, error_bytes, "osd%u: %s", id, strerror(-err));
	return err;
}

static int change_map(struct job *job)
{
	unsigned int id = job->options->osd;
	char error[TOOL_ERROR_BYTES];
	uint64_t epoch;

	if (mapaccess_edit(job->global->map_store, new_store, job, &epoch, error, sizeof(error)))
		return tool_failed("%s", error);
	say(job, job->adds ? "osd%u  is new: map %llu\n" : "osd%u  is in sync with nothing any more: map %llu\n", id,
	    (unsigned long long)epoch);
	return TOOL_OK;
}

static int replace(struct job *job)
{
	unsigned int id = job->options->osd;
	int status = load(job);

	if (!status && id >= job->sections.osd_count)
		status = tool_failed("%s: no [osd%u]", job->options->config_file, id);
	if (!status)
		status = check_device(job, id);
	if (!status)
		status = refuse_destruction(job, id);
	if (!status)
		status = refuse_running(job, id);
	if (!status && random_id(&job->stores[id].store_lo, &job->stores[id].store_hi))
		status = tool_failed("no random numbers");
	if (!status)
		status = change_map(job);
	return status ? status : format_store(job, id);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int run(struct job *job)
{
	int status = load(job);

	for (unsigned int i = 0; !status && i < job->sections.osd_count; i++)
		status = check_device(job, i);
	if (!status)
		status = plan_it(job);
	if (!status)
		status = clear_store(job);
	for (unsigned int i = 0; !status && i < job->sections.osd_count; i++)
		status = format_store(job, i);
	return status ? status : put_map(job);
}

static int run_job(const struct format_options *options, int (*work)(struct job *job))
{
	struct job *job = calloc(1, sizeof(*job));
	int status;

	if (!job)
		return tool_failed("out of memory");
	job->options = options;
	status = work(job);
	for (unsigned int i = 0; job->osds && i < job->sections.osd_count; i++)
		config_free(job->osds[i]);
	config_free(job->global);
	free(job->osds);
	free(job->stores);
	free(job->map);
	free(job);
	return status;
}

int format_run(const struct format_options *options)
{
	return run_job(options, run);
}

int format_replace(const struct format_options *options)
{
	return run_job(options, replace);
}
