// SPDX-License-Identifier: GPL-2.0
/* Asking the map store and waiting for its answer. See mapaccess.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "mapaccess.h"
#include "server/base/loop.h"

#define LIMIT_S 30			/* no store may take longer */
#define EDIT_TRIES 20

/* One question on its way. */
struct access {
	struct io *io;
	struct mapstore *store;
	int result;
	struct cluster_map *map;
	struct mapaccess_lease *leases;
	size_t count;
	struct io_timer timer;		/* the limit; then a pause for the store to end */
};

static void answered(struct access *access, int result)
{
	access->result = result;
	loop_stop(access->io);
}

static int begin(struct access *access, const char *url, char *error, size_t error_bytes)
{
	struct loop_config config = { .helper_threads = 1 };
	const char *fault = "";
	int err = loop_create(&config, &access->io);

	if (err) {
		snprintf(error, error_bytes, "%s", loop_error(err));
		return err;
	}
	err = mapstore_open(access->io, url, &access->store, &fault);
	if (err) {
		snprintf(error, error_bytes, "map_store = %s: %s", url, fault);
		loop_destroy(access->io);
	}
	return err;
}

static void time_over(struct io_timer *timer)
{
	loop_stop(((struct access *)((char *)timer - offsetof(struct access, timer)))->io);
}

/* Wait for the answer, then let what the store has left under way end. */
static int finish(struct access *access, const char *url, char *error, size_t error_bytes)
{
	access->result = -ETIMEDOUT;
	access->timer.fire = time_over;
	io_timer_arm(access->io, &access->timer, io_now(access->io) + LIMIT_S * 1000000000ull);
	loop_run(access->io);
	if (access->result)
		snprintf(error, error_bytes, "%s: %s", url,
			 *access->store->fault ? access->store->fault : strerror(-access->result));
	mapstore_destroy(access->store);
	io_timer_arm(access->io, &access->timer, io_now(access->io));
	loop_run(access->io);
	loop_destroy(access->io);
	return access->result;
}

/* ---- the newest map ------------------------------------------------------------------------- */

static void got(void *owner, int result, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct access *access = owner;

	if (!result)
		result = cluster_map_create(bytes, length, &access->map);
	answered(access, result);
}

int mapaccess_get(const char *url, struct cluster_map **ret_map, char *error, size_t error_bytes)
{
	struct access access = { 0 };
	int err = begin(&access, url, error, error_bytes);

	if (err)
		return err;
	mapstore_get(access.store, got, &access);
	err = finish(&access, url, error, error_bytes);
	if (!err)
		*ret_map = access.map;
	return err;
}

/* ---- leases --------------------------------------------------------------------------------- */

static void listed(void *owner, int result, const struct mapstore_lease *leases, size_t count)
{
	struct access *access = owner;
	uint64_t now = io_now(access->io);

	if (!result && count) {
		access->leases = calloc(count, sizeof(*access->leases));
		if (!access->leases)
			result = -ENOMEM;
	}
	for (size_t i = 0; !result && i < count; i++) {
		access->leases[i].lease = leases[i];
		access->leases[i].alive = !leases[i].released && !leases[i].gone &&
					  leases[i].expires_ns > now;
		access->count++;
	}
	answered(access, result);
}

int mapaccess_leases(const char *url, struct mapaccess_lease **ret_leases, size_t *ret_count,
		     char *error, size_t error_bytes)
{
	struct access access = { 0 };
	int err = begin(&access, url, error, error_bytes);

	if (err)
		return err;
	mapstore_leases(access.store, listed, &access);
	err = finish(&access, url, error, error_bytes);
	if (err) {
		free(access.leases);
		return err;
	}
	*ret_leases = access.leases;
	*ret_count = access.count;
	return 0;
}

/* ---- a new map ------------------------------------------------------------------------------ */

static void swapped(void *owner, int result)
{
	answered(owner, result);
}

int mapaccess_make_folder(const char *url, char *error, size_t error_bytes)
{
	int err;

	if (strncmp(url, "dir:", 4) || !mkdir(url + 4, 0755) || errno == EEXIST)
		return 0;
	err = -errno;
	snprintf(error, error_bytes, "map_store = %s: the folder cannot be made: %s", url,
		 strerror(-err));
	return err;
}

int mapaccess_put(const char *url, uint64_t epoch, const uint8_t *bytes, size_t length, char *error,
		  size_t error_bytes)
{
	struct access access = { 0 };
	int err = begin(&access, url, error, error_bytes);

	if (err)
		return err;
	mapstore_swap(access.store, epoch, bytes, length, swapped, &access);
	return finish(&access, url, error, error_bytes);
}

static int edit_once(const char *url, mapaccess_change change, void *owner, uint64_t *ret_epoch, char *error,
		     size_t error_bytes)
{
	struct cluster_map *map = NULL;
	struct mapedit *edit = NULL;
	uint8_t *bytes = NULL;
	size_t length;
	int err = mapaccess_get(url, &map, error, error_bytes);

	if (err)
		return err;
	edit = mapedit_open(map);
	err = edit ? change(owner, map, edit, error, error_bytes) : -ENOMEM;
	if (!edit)
		snprintf(error, error_bytes, "out of memory");
	if (!err && (err = mapedit_encode(edit, &bytes, &length)))
		snprintf(error, error_bytes, "the changed map cannot be encoded: %s", strerror(-err));
	if (!err)
		err = mapaccess_put(url, edit->head.epoch, bytes, length, error, error_bytes);
	if (!err)
		*ret_epoch = edit->head.epoch;
	free(bytes);
	mapedit_free(edit);
	cluster_map_put(map);
	return err;
}

int mapaccess_edit(const char *url, mapaccess_change change, void *owner, uint64_t *ret_epoch, char *error,
		   size_t error_bytes)
{
	int err = -EAGAIN;

	for (int i = 0; err == -EAGAIN && i < EDIT_TRIES; i++)
		err = edit_once(url, change, owner, ret_epoch, error, error_bytes);
	if (err == -EAGAIN)
		snprintf(error, error_bytes, "%s: the map changes all the time: try again", url);
	return err;
}
