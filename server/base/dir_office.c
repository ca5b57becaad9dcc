// SPDX-License-Identifier: GPL-2.0
/*
 * Offices of the `dir:` store. The holder of the highest term PATH/office.NAME.TERM
 * has the office while its claim stands; a candidate that finds none standing
 * makes the next term by link(), so that one of several wins.
 *
 * Every third of the term a helper looks: the holder renews its claim, others see
 * whether it still stands. A holder stops by its own clock, before others can see
 * the term end.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "mapstore_dir.h"

#define container(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* Terms below the present one are history. */
static void sweep(const struct dir_office *office, uint64_t lowest, uint64_t below)
{
	char path[DIR_PATH_BYTES];

	for (; lowest < below; lowest++)
		if (!dir_path(path, office->folder, "office.%s.%" PRIu64, office->name, lowest))
			unlink(path);
}

static int take_term(struct dir_office *office, uint64_t term)
{
	char temporary[DIR_PATH_BYTES];
	int fd, err = 0;

	if (dir_path(office->path, office->folder, "office.%s.%" PRIu64, office->name, term))
		return -ENAMETOOLONG;
	fd = dir_claim_create(office->folder, &office->claim, temporary);
	if (fd < 0)
		return fd;
	if (link(temporary, office->path))
		err = errno == EEXIST ? -EBUSY : -errno;
	unlink(temporary);
	if (err)
		close(fd);
	else
		office->fd = fd;
	return err;
}

/* Stopped for so long that our term was swept away: the number was free for the wrong reason. */
static int check_newest(struct dir_office *office, const char *prefix, uint64_t term)
{
	uint64_t lowest, highest;
	int err = dir_range(office->folder, prefix, &lowest, &highest);

	if (!err && highest != term)
		err = -EBUSY;
	if (err) {
		unlink(office->path);
		close(office->fd);
		office->fd = -1;
	}
	return err;
}

/* In a helper. 0: the office is ours; -EBUSY: another's. */
static int look(struct dir_office *office)
{
	char prefix[48], path[DIR_PATH_BYTES];
	struct dir_claim claim;
	uint64_t lowest, highest;
	int err;

	snprintf(prefix, sizeof(prefix), "office.%s.", office->name);
	err = dir_range(office->folder, prefix, &lowest, &highest);
	if (!err && highest)
		err = dir_path(path, office->folder, "%s%" PRIu64, prefix, highest);
	if (err)
		return err;
	if (office->fd >= 0) {
		if (!highest || !dir_claim_in_place(office->fd, path))
			return -EBUSY;		/* a later term has begun */
		return dir_claim_write(office->fd, &office->claim);
	}
	if (highest && !dir_claim_read(path, &claim) &&
	    dir_claim_stands(&claim, office->claim.stamp_ns) && dir_claim_has_holder(path))
		return -EBUSY;
	err = take_term(office, highest + 1);
	if (!err)
		err = check_newest(office, prefix, highest + 1);
	if (!err && highest)
		sweep(office, lowest, highest + 1);
	return err;
}

static void look_work(struct io_job *job)
{
	struct dir_office *office = container(job, struct dir_office, job);

	office->result = look(office);
}

static void set_holds(struct dir_office *office, bool holds)
{
	if (office->holds == holds)
		return;
	office->holds = holds;
	office->elected(office->owner, holds);
}

static void step_down(struct dir_office *office)
{
	if (office->fd >= 0)
		close(office->fd);
	office->fd = -1;
	set_holds(office, false);
}

static void look_later(struct dir_office *office)
{
	io_timer_arm(office->io, &office->look, io_now(office->io) + office->claim.term_ns / 3);
}

static void take_result(struct dir_office *office)
{
	if (office->stopped) {
		dir_office_stop(office);
		return;
	}
	look_later(office);
	if (!office->result) {
		office->valid_until_ns = office->claim.stamp_ns + office->claim.term_ns -
					 office->claim.term_ns / 8;
		if (io_now(office->io) < office->valid_until_ns)
			set_holds(office, true);
	} else if (office->result == -EBUSY || io_now(office->io) >= office->valid_until_ns) {
		step_down(office);
	}
}

static void look_done(struct io_job *job)
{
	struct dir_office *office = container(job, struct dir_office, job);

	office->busy = false;
	take_result(office);
	office->idle(office->idle_owner);
}

static void look_fire(struct io_timer *timer)
{
	struct dir_office *office = container(timer, struct dir_office, look);

	if (!dir_lease_valid(office->lease) ||
	    (office->holds && io_now(office->io) >= office->valid_until_ns)) {
		look_later(office);
		step_down(office);
		return;
	}
	office->claim.instance = office->lease->claim.instance;
	memcpy(office->claim.name, office->lease->claim.name, sizeof(office->claim.name));
	dir_claim_stamp(&office->claim);
	office->busy = true;
	io_offload(office->io, &office->job);
}

void dir_office_stand(struct dir_office *office, const char *name, uint64_t term_ns,
		      void (*elected)(void *owner, bool holds), void *owner)
{
	snprintf(office->name, sizeof(office->name), "%s", name);
	office->claim.term_ns = term_ns;
	office->elected = elected;
	office->owner = owner;
	office->fd = -1;
	office->stopped = false;
	office->job.work = look_work;
	office->job.done = look_done;
	office->job.urgent = true;
	office->look.fire = look_fire;
	io_timer_arm(office->io, &office->look, io_now(office->io));
}

void dir_office_stop(struct dir_office *office)
{
	if (!office->elected)
		return;			/* never stood */
	office->stopped = true;
	office->holds = false;
	io_timer_cancel(office->io, &office->look);
	if (office->busy || office->fd < 0)
		return;
	office->claim.released = true;
	dir_claim_write(office->fd, &office->claim);
	close(office->fd);
	office->fd = -1;
}
