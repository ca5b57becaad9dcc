// SPDX-License-Identifier: GPL-2.0
/*
 * The `dir:` map store: a directory on one machine, no server.
 *
 * A map is a file map.EPOCH. Swapping in epoch N is: a new file, made durable,
 * then a look whether N is still next, then link() to map.N, then an fsync of the directory;
 * link() fails when somebody else's N is there, which a rename would not. Who removes an old map removes the new files
 * that wanted its number first: so link() fails also for one who was stopped behind his look for so long that the
 * number has become free again. A file whose header or checksum is wrong is refused: it is never taken for "no map".
 *
 * Watching is a look for map.(N + 1) whenever a map's name appears in the folder, and every LOOK_MS in case
 * nobody said so; every POLL_MS where folders cannot be watched. Old maps are removed but for
 * the last KEEP. All file work is done by helper threads; leases and offices are in
 * dir_lease.c and dir_office.c.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "crc.h"
#include "mapstore_dir.h"
#include "protocol/codec.h"

#define POLL_MS 50
#define LOOK_MS 1000
#define KEEP 32
#define NEW_MAP ".new.map."		/* EPOCH.PROCESS.JOB */
#define MAP_FILE_MAX (8u << 20)
#define MAP_MAGIC 0x50414d455243414eull		/* "NACREMAP" */
#define MAP_FILE_VERSION 1

#define MAP_HEADER_FIELDS(F, R, T)				\
	F(64, magic, "NACREMAP")				\
	F(32, version, "MAP_FILE_VERSION")			\
	F(32, crc, "CRC32C of the map behind this header")	\
	F(64, epoch, "of the map")				\
	F(64, length, "bytes of the map")
NACRE_STRUCT(map_header, MAP_HEADER_FIELDS, 32);
NACRE_STRUCT_DEFINE(map_header, MAP_HEADER_FIELDS)

struct dir_store {
	struct mapstore base;
	char *folder;
	bool closing;
	unsigned int jobs;		/* get, swap, watch and leases under way */
	struct dir_lease lease;
	struct dir_office office;
	/* watch */
	mapstore_got watch_got;
	void *watch_owner;
	uint64_t watch_epoch;		/* told last */
	int watch_result;		/* told last */
	struct io_timer watch_timer;	/* the next look */
	struct io_folder *watch_folder;	/* NULL: names cannot be watched */
	bool looking;			/* a look is with a helper … */
	bool look_again;		/* … and a name has appeared meanwhile */
};

/* One call on its way through a helper thread. */
struct dir_job {
	struct io_job job;
	struct dir_store *store;
	uint64_t epoch;			/* in: swap, watch; out: get, watch */
	uint8_t *bytes;
	size_t length;
	int result;
	char fault[200];
	struct mapstore_lease *leases;
	size_t lease_count;
	mapstore_got got;
	mapstore_swapped swapped;
	void (*listed)(void *owner, int result, const struct mapstore_lease *leases, size_t count);
	void *owner;
};

/* ---- files (in a helper) -------------------------------------------------------------------- */

/* Take the header off; the map's bytes move to the front. */
static int unwrap(struct dir_job *job, uint64_t epoch)
{
	struct nacre_reader r = nacre_reader(job->bytes, job->length);
	struct map_header header;

	if (nacre_decode(map_header_desc(), &r, &header) || header.magic != MAP_MAGIC) {
		snprintf(job->fault, sizeof(job->fault), "map.%" PRIu64 " is not a map file", epoch);
		return -EBADMSG;
	}
	if (header.version != MAP_FILE_VERSION) {
		snprintf(job->fault, sizeof(job->fault), "map.%" PRIu64 " has version %u, not %u",
			 epoch, header.version, MAP_FILE_VERSION);
		return -EBADMSG;
	}
	if (header.epoch != epoch || header.length != nacre_reader_left(&r) ||
	    header.crc != crc_of(r.at, nacre_reader_left(&r))) {
		snprintf(job->fault, sizeof(job->fault),
			 "map.%" PRIu64 " is torn or damaged: its checksum does not match", epoch);
		return -EBADMSG;
	}
	job->length = header.length;
	memmove(job->bytes, r.at, job->length);
	return 0;
}

static int read_newest(struct dir_job *job)
{
	char path[DIR_PATH_BYTES];
	uint64_t lowest;
	int err = -ENOENT;

	for (int look = 0; look < 3 && err == -ENOENT; look++) {	/* it may be removed meanwhile */
		err = dir_range(job->store->folder, "map.", &lowest, &job->epoch);
		if (err || !job->epoch) {
			snprintf(job->fault, sizeof(job->fault), "%s: %s", job->store->folder,
				 err ? strerror(-err) : "no map here, run mkfs.nacre");
			return err ? err : -ENOENT;
		}
		err = dir_path(path, job->store->folder, "map.%" PRIu64, job->epoch);
		if (!err)
			err = dir_read(path, MAP_FILE_MAX, &job->bytes, &job->length);
	}
	if (err)
		snprintf(job->fault, sizeof(job->fault), "map.%" PRIu64 ": %s", job->epoch,
			 strerror(-err));
	return err ? err : unwrap(job, job->epoch);
}

static void get_work(struct io_job *io_job)
{
	struct dir_job *job = (struct dir_job *)io_job;

	job->result = read_newest(job);
}

/* Anything newer than `epoch`? Mostly not, and then it costs one look-up of a name. */
static void watch_work(struct io_job *io_job)
{
	struct dir_job *job = (struct dir_job *)io_job;
	char path[DIR_PATH_BYTES];
	uint64_t known = job->epoch;

	job->result = dir_path(path, job->store->folder, "map.%" PRIu64, known + 1);
	if (!job->result && known && access(path, F_OK) && errno == ENOENT)
		job->result = -EALREADY;
	if (!job->result)
		job->result = read_newest(job);
	if (!job->result && job->epoch <= known)
		job->result = -EALREADY;
}

/* Files that are to become a map up to `last`, which others have won. */
static int remove_losers(const char *folder, uint64_t last)
{
	DIR *dir = opendir(folder);
	char path[DIR_PATH_BYTES];
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return -errno;
	while (!err && (errno = 0, entry = readdir(dir))) {
		if (strncmp(entry->d_name, NEW_MAP, strlen(NEW_MAP)) ||
		    strtoull(entry->d_name + strlen(NEW_MAP), NULL, 10) > last)
			continue;
		err = dir_path(path, folder, "%s", entry->d_name);
		if (!err && unlink(path) && errno != ENOENT)
			err = -errno;
	}
	if (!err)
		err = -errno;
	closedir(dir);
	return err;
}

/* Maps that are left over are taken by the next one's trimming. */
static void trim(const char *folder, uint64_t epoch)
{
	char path[DIR_PATH_BYTES];

	if (epoch <= KEEP || remove_losers(folder, epoch - KEEP))
		return;
	for (epoch -= KEEP; epoch; epoch--)
		if (dir_path(path, folder, "map.%" PRIu64, epoch) || unlink(path))
			return;
}

static int write_temporary(struct dir_job *job, char temporary[DIR_PATH_BYTES])
{
	struct map_header header = {
		.magic = MAP_MAGIC, .version = MAP_FILE_VERSION, .epoch = job->epoch,
		.length = job->length, .crc = crc_of(job->bytes, job->length),
	};
	uint8_t head[32];
	struct nacre_writer w = nacre_writer(head, sizeof(head));
	int err;

	err = nacre_encode(map_header_desc(), &w, &header);
	if (!err)
		err = dir_path(temporary, job->store->folder, NEW_MAP "%" PRIu64 ".%d.%p",
			       job->epoch, getpid(), (void *)job);
	if (err)
		return err;
	unlink(temporary);		/* of a process of old that had our number */
	return dir_write_new(temporary, head, sizeof(head), job->bytes, job->length);
}

/* 0: the epoch is the next one; -EAGAIN: somebody was faster. */
static int look_if_next(const char *folder, uint64_t epoch)
{
	uint64_t lowest, highest;
	int err = dir_range(folder, "map.", &lowest, &highest);

	return err ? err : highest + 1 == epoch ? 0 : -EAGAIN;
}

static int swap(struct dir_job *job)
{
	char path[DIR_PATH_BYTES], temporary[DIR_PATH_BYTES];
	const char *folder = job->store->folder;
	int err;

	err = look_if_next(folder, job->epoch);
	if (!err)
		err = dir_path(path, folder, "map.%" PRIu64, job->epoch);
	if (!err)
		err = write_temporary(job, temporary);
	if (err)
		return err;
	/* from here on the number cannot become free without our file being gone */
	err = look_if_next(folder, job->epoch);
	if (!err && link(temporary, path))
		err = errno == EEXIST || errno == ENOENT ? -EAGAIN : -errno;
	unlink(temporary);
	if (!err)
		err = dir_sync(folder);
	if (!err)
		trim(folder, job->epoch);
	return err;
}

static void swap_work(struct io_job *io_job)
{
	struct dir_job *job = (struct dir_job *)io_job;

	job->result = swap(job);
	if (job->result && job->result != -EAGAIN)
		snprintf(job->fault, sizeof(job->fault), "%s: map %" PRIu64 " cannot be written: %s",
			 job->store->folder, job->epoch, strerror(-job->result));
}

static void leases_work(struct io_job *io_job)
{
	struct dir_job *job = (struct dir_job *)io_job;

	job->result = dir_leases_read(job->store->folder, &job->leases, &job->lease_count);
}

/* ---- calls (on the loop) -------------------------------------------------------------------- */

/* Helpers may still be at work for it. */
static void store_free_when_idle(void *owner)
{
	struct dir_store *store = owner;

	if (!store->closing || store->jobs || store->lease.busy || store->office.busy)
		return;
	free(store->folder);
	free(store);
}

static struct dir_job *job_create(struct mapstore *base, void *owner, void (*work)(struct io_job *),
				  void (*done)(struct io_job *))
{
	struct dir_job *job = calloc(1, sizeof(*job));

	if (!job)
		abort();		/* 400 bytes; without a store there is no daemon */
	job->store = (struct dir_store *)base;
	job->owner = owner;
	job->job.work = work;
	job->job.done = done;
	job->job.urgent = true;
	job->store->jobs++;
	return job;
}

static void job_end(struct dir_job *job)
{
	struct dir_store *store = job->store;

	store->jobs--;
	free(job->bytes);
	free(job->leases);
	free(job);
	store_free_when_idle(store);
}

static void call_done(struct io_job *io_job)
{
	struct dir_job *job = (struct dir_job *)io_job;
	struct dir_store *store = job->store;

	memcpy(store->base.fault, job->fault, sizeof(job->fault));
	if (store->closing)
		;
	else if (job->got)
		job->got(job->owner, job->result, job->epoch, job->bytes, job->length);
	else if (job->swapped)
		job->swapped(job->owner, job->result);
	else
		job->listed(job->owner, job->result, job->leases, job->lease_count);
	job_end(job);
}

static void store_get(struct mapstore *base, mapstore_got got, void *owner)
{
	struct dir_job *job = job_create(base, owner, get_work, call_done);

	job->got = got;
	io_offload(base->io, &job->job);
}

static void store_swap(struct mapstore *base, uint64_t new_epoch, const uint8_t *bytes,
		       size_t length, mapstore_swapped swapped, void *owner)
{
	struct dir_job *job = job_create(base, owner, swap_work, call_done);

	job->swapped = swapped;
	job->epoch = new_epoch;
	job->length = length;
	job->bytes = malloc(length + 1);
	if (!job->bytes)
		abort();
	memcpy(job->bytes, bytes, length);
	io_offload(base->io, &job->job);
}

static void store_leases(struct mapstore *base,
			 void (*listed)(void *owner, int result,
					const struct mapstore_lease *leases, size_t count),
			 void *owner)
{
	struct dir_job *job = job_create(base, owner, leases_work, call_done);

	job->listed = listed;
	io_offload(base->io, &job->job);
}

static uint64_t next_look_ns(const struct dir_store *store)
{
	if (store->look_again)
		return 0;
	return (store->watch_folder ? LOOK_MS : POLL_MS) * 1000000ull;
}

static void watch_done(struct io_job *io_job)
{
	struct dir_job *job = (struct dir_job *)io_job;
	struct dir_store *store = job->store;

	store->looking = false;
	if (!store->closing)
		io_timer_arm(store->base.io, &store->watch_timer,
			     io_now(store->base.io) + next_look_ns(store));
	/* a fault is told when it begins, not at every look */
	if (!store->closing && job->result != -EALREADY &&
	    (!job->result || job->result != store->watch_result)) {
		memcpy(store->base.fault, job->fault, sizeof(job->fault));
		if (!job->result)
			store->watch_epoch = job->epoch;
		store->watch_result = job->result;
		store->watch_got(store->watch_owner, job->result, job->epoch, job->bytes, job->length);
	}
	job_end(job);
}

static void watch_fire(struct io_timer *timer)
{
	struct dir_store *store = (struct dir_store *)((char *)timer -
				  offsetof(struct dir_store, watch_timer));
	struct dir_job *job;

	store->looking = true;
	store->look_again = false;
	job = job_create(&store->base, NULL, watch_work, watch_done);
	job->epoch = store->watch_epoch;
	io_offload(store->base.io, &job->job);
}

/* A new map is linked under its name at last; the rest of what appears is on the way there, or a lease. */
static void watch_named(void *owner, const char *name)
{
	struct dir_store *store = owner;

	if (*name && strncmp(name, "map.", 4))
		return;
	if (store->looking)
		store->look_again = true;
	else
		io_timer_arm(store->base.io, &store->watch_timer, io_now(store->base.io));
}

static void store_watch(struct mapstore *base, mapstore_got got, void *owner)
{
	struct dir_store *store = (struct dir_store *)base;

	store->watch_got = got;
	store->watch_owner = owner;
	store->watch_epoch = 0;
	io_folder_watch(base->io, store->folder, watch_named, store, &store->watch_folder);
	io_timer_arm(base->io, &store->watch_timer, io_now(base->io));
}

static int store_lease_hold(struct mapstore *base, const char *name, uint64_t instance,
			    uint64_t term_ns, void (*lost)(void *owner), void *owner)
{
	return dir_lease_hold(&((struct dir_store *)base)->lease, name, instance, term_ns, lost,
			      owner);
}

static bool store_lease_valid(struct mapstore *base)
{
	return dir_lease_valid(&((struct dir_store *)base)->lease);
}

static void store_lease_tell(struct mapstore *base, struct fill fill)
{
	dir_lease_tell(&((struct dir_store *)base)->lease, fill);
}

static void store_lease_release(struct mapstore *base)
{
	dir_lease_release(&((struct dir_store *)base)->lease);
}

static void store_elect(struct mapstore *base, const char *office, uint64_t term_ns,
			void (*elected)(void *owner, bool holds), void *owner)
{
	dir_office_stand(&((struct dir_store *)base)->office, office, term_ns, elected, owner);
}

static void store_destroy(struct mapstore *base)
{
	struct dir_store *store = (struct dir_store *)base;

	store->closing = true;
	io_timer_cancel(base->io, &store->watch_timer);
	io_folder_close(base->io, store->watch_folder);
	dir_lease_stop(&store->lease);
	dir_office_stop(&store->office);
	store_free_when_idle(store);
}

static const struct mapstore_ops dir_ops = {
	.name = "dir",
	.get = store_get,
	.swap = store_swap,
	.watch = store_watch,
	.lease_hold = store_lease_hold,
	.lease_valid = store_lease_valid,
	.lease_tell = store_lease_tell,
	.lease_release = store_lease_release,
	.leases = store_leases,
	.elect = store_elect,
	.destroy = store_destroy,
};

int mapstore_dir_open(struct io *io, const char *folder, struct mapstore **ret_store)
{
	struct dir_store *store;
	struct stat st;

	if (stat(folder, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	store = calloc(1, sizeof(*store));
	if (store)
		store->folder = strdup(folder);
	if (!store || !store->folder) {
		free(store);
		return -ENOMEM;
	}
	store->base.ops = &dir_ops;
	store->base.io = io;
	store->watch_timer.fire = watch_fire;
	store->lease.io = store->office.io = io;
	store->lease.folder = store->office.folder = store->folder;
	store->lease.fd = store->office.fd = -1;
	store->office.lease = &store->lease;
	store->lease.idle = store->office.idle = store_free_when_idle;
	store->lease.idle_owner = store->office.idle_owner = store;
	*ret_store = &store->base;
	return 0;
}
