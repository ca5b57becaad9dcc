// SPDX-License-Identifier: GPL-2.0
/*
 * Leases of the `dir:` store. A lease is a claim in PATH/lease.NAME, stamped on
 * CLOCK_BOOTTIME and renewed every third of its term by a helper thread.
 *
 * The holder counts from before the renewal was written and takes a margin off,
 * so that it stops before anybody else sees the term end. A claim may be taken
 * over when it does not stand any more, or when its process has ended (its lock
 * is gone); the taker puts a new file in place, and a holder that was stopped
 * finds at its next renewal that the file is not its own.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "mapstore_dir.h"

#define container(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

static uint64_t with_margin(const struct dir_claim *claim)
{
	return claim->stamp_ns + claim->term_ns - claim->term_ns / 8;
}

bool dir_lease_valid(const struct dir_lease *lease)
{
	return lease->held && io_now(lease->io) < lease->valid_until_ns;
}

static void drop(struct dir_lease *lease)
{
	lease->held = false;
	io_timer_cancel(lease->io, &lease->renew);
	io_timer_cancel(lease->io, &lease->expire);
}

static void close_file(struct dir_lease *lease)
{
	if (lease->fd >= 0)
		close(lease->fd);
	lease->fd = -1;
}

static void lose(struct dir_lease *lease)
{
	drop(lease);
	if (!lease->busy)
		close_file(lease);
	lease->lost(lease->owner);
}

/* In a helper: the file must still be ours. */
static void renew_work(struct io_job *job)
{
	struct dir_lease *lease = container(job, struct dir_lease, job);

	if (!dir_claim_in_place(lease->fd, lease->path))
		lease->result = -ESTALE;
	else
		lease->result = dir_claim_write(lease->fd, &lease->written);
}

static void renew_later(struct dir_lease *lease, uint64_t ns)
{
	io_timer_arm(lease->io, &lease->renew, io_now(lease->io) + ns);
}

static void take_result(struct dir_lease *lease)
{
	if (!lease->held) {		/* released or lost meanwhile */
		if (lease->claim.released && lease->fd >= 0)
			dir_claim_write(lease->fd, &lease->claim);
		close_file(lease);
		return;
	}
	if (lease->result == -ESTALE) {
		lose(lease);
		return;
	}
	if (!lease->result) {
		lease->valid_until_ns = with_margin(&lease->written);
		io_timer_arm(lease->io, &lease->expire, lease->valid_until_ns);
	}
	renew_later(lease, lease->claim.term_ns / (lease->result ? 10 : 3));
}

static void renew_done(struct io_job *job)
{
	struct dir_lease *lease = container(job, struct dir_lease, job);

	lease->busy = false;
	take_result(lease);
	lease->idle(lease->idle_owner);
}

static void renew_fire(struct io_timer *timer)
{
	struct dir_lease *lease = container(timer, struct dir_lease, renew);

	if (!dir_lease_valid(lease)) {	/* too late: nobody renews what has run out */
		lose(lease);
		return;
	}
	dir_claim_stamp(&lease->claim);
	lease->written = lease->claim;
	lease->busy = true;
	io_offload(lease->io, &lease->job);
}

static void expire_fire(struct io_timer *timer)
{
	lose(container(timer, struct dir_lease, expire));
}

/* May we have this name: nobody's claim stands, or its process has ended, or it is ours. */
static int check_free(const char *path, uint64_t instance, uint64_t now_ns)
{
	struct dir_claim claim;
	int err = dir_claim_read(path, &claim);

	if (err == -ENOENT || err == -EBADMSG)
		return 0;
	if (err)
		return err;
	if (claim.instance == instance || !dir_claim_stands(&claim, now_ns))
		return 0;
	return dir_claim_has_holder(path) ? -EBUSY : 0;
}

int dir_lease_hold(struct dir_lease *lease, const char *name, uint64_t instance, uint64_t term_ns,
		   void (*lost)(void *owner), void *owner)
{
	char temporary[DIR_PATH_BYTES];
	int err;

	if (lease->held || lease->busy)
		return -EALREADY;
	err = dir_path(lease->path, lease->folder, "lease.%s", name);
	if (!err)
		err = check_free(lease->path, instance, io_now(lease->io));
	if (err)
		return err;
	lease->claim = (struct dir_claim){ .instance = instance, .term_ns = term_ns, .fill = lease->claim.fill };
	snprintf(lease->claim.name, sizeof(lease->claim.name), "%s", name);
	dir_claim_stamp(&lease->claim);
	lease->fd = dir_claim_create(lease->folder, &lease->claim, temporary);
	if (lease->fd < 0)
		return lease->fd;
	if (rename(temporary, lease->path)) {
		err = -errno;
		unlink(temporary);
		close_file(lease);
		return err;
	}
	lease->held = true;
	lease->valid_until_ns = with_margin(&lease->claim);
	lease->lost = lost;
	lease->owner = owner;
	lease->job.work = renew_work;
	lease->job.done = renew_done;
	lease->job.urgent = true;
	lease->renew.fire = renew_fire;
	lease->expire.fire = expire_fire;
	io_timer_arm(lease->io, &lease->expire, lease->valid_until_ns);
	renew_later(lease, term_ns / 3);
	return 0;
}

void dir_lease_tell(struct dir_lease *lease, struct fill fill)
{
	lease->claim.fill = fill;
}

void dir_lease_release(struct dir_lease *lease)
{
	if (!lease->held)
		return;
	drop(lease);
	lease->claim.released = true;
	if (dir_claim_in_place(lease->fd, lease->path))
		dir_claim_write(lease->fd, &lease->claim);
	if (!lease->busy)
		close_file(lease);
}

void dir_lease_stop(struct dir_lease *lease)
{
	drop(lease);
	if (!lease->busy)
		close_file(lease);
}

/* ---- all leases ----------------------------------------------------------------------------- */

static bool read_one(const char *folder, const char *file, struct mapstore_lease *lease)
{
	char path[DIR_PATH_BYTES];
	struct dir_claim claim;

	if (strncmp(file, "lease.", 6) || dir_path(path, folder, "%s", file) ||
	    dir_claim_read(path, &claim))
		return false;
	memset(lease, 0, sizeof(*lease));
	memcpy(lease->name, claim.name, sizeof(lease->name));
	lease->instance = claim.instance;
	lease->released = claim.released;
	lease->fill = claim.fill;
	lease->gone = !dir_claim_has_holder(path);
	/* of another boot: run out, whatever its stamp says */
	if (claim.released || dir_claim_stands(&claim, claim.stamp_ns))
		lease->expires_ns = claim.stamp_ns + claim.term_ns;
	return true;
}

int dir_leases_read(const char *folder, struct mapstore_lease **ret_leases, size_t *ret_count)
{
	struct mapstore_lease *leases = NULL, *more, one;
	size_t count = 0, room = 0;
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (!read_one(folder, entry->d_name, &one))
			continue;
		if (count == room) {
			room = room ? room * 2 : 16;
			more = realloc(leases, room * sizeof(*leases));
			if (!more) {
				free(leases);
				closedir(dir);
				return -ENOMEM;
			}
			leases = more;
		}
		leases[count++] = one;
	}
	closedir(dir);
	*ret_leases = leases;
	*ret_count = count;
	return 0;
}
