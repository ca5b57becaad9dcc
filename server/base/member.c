// SPDX-License-Identifier: GPL-2.0
/*
 * A daemon's way into the cluster, and out of it.
 *
 *	LOOKING ──map, nobody of our name──▶ ENTERING ──in the map──▶ HOLDING ──lease──▶ SERVING
 *	   any state ──lease or row lost──▶ ENDED (fenced)      SERVING ──▶ LEAVING ──▶ ENDED
 *
 * A new instance is taken with every start; the one before goes into the dead set
 * with the same map, so that nothing it may still send counts. A namesake that is
 * alive is waited for until its lease must have ended; if it renews it, we fail.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "member_core.h"

#define LEASE_MS_DEFAULT 5000
#define OFFICE "coordinator"

#define container(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

static void look(struct member *member);
static void hold(struct member *member);

/* ---- ends ----------------------------------------------------------------------------------- */

static void end(struct member *member)
{
	member->state = MEMBER_ENDED;
	io_timer_cancel(member->config.io, &member->retry);
	coordinator_stop(&member->coordinator);
	member_changes_stop(member);
	mapstore_lease_release(member->config.store);
}

static void fail(struct member *member, int result, const char *format, ...)
{
	va_list args;

	if (format) {
		va_start(args, format);
		vsnprintf(member->reason, sizeof(member->reason), format, args);
		va_end(args);
	}
	end(member);
	member->config.handler->failed(member->config.owner, result, member->reason);
}

void member_fence(struct member *member, const char *format, ...)
{
	va_list args;

	if (member->state == MEMBER_ENDED)
		return;
	va_start(args, format);
	vsnprintf(member->reason, sizeof(member->reason), format, args);
	va_end(args);
	end(member);
	member->config.handler->fenced(member->config.owner, member->reason);
}

static void retry_fire(struct io_timer *timer)
{
	struct member *member = container(timer, struct member, retry);

	member->retry_do(member);
}

static void retry_at(struct member *member, void (*retry_do)(struct member *member), uint64_t at_ns)
{
	member->retry_do = retry_do;
	io_timer_arm(member->config.io, &member->retry, at_ns);
}

/* ---- standing in the map -------------------------------------------------------------------- */

/* A free rank: ours of old first, then any. Ranks of live leases are not free. -1: none. */
static int free_rank(const struct member *member, const struct mapedit *next)
{
	int found = -1;

	for (unsigned int i = 0; i < next->rank_count; i++) {
		const struct nacre_map_rank *rank = &next->ranks[i];

		if (rank->state != NACRE_RANK_DOWN && member->rank_is_held[i])
			continue;
		if (i == member->config.id)
			return (int)i;
		if (found < 0)
			found = (int)i;
	}
	return found;
}

static uint64_t address_half(const uint8_t *bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | bytes[i];
	return v;
}

static int take_rank(struct member *member, struct mapedit *next, int index, uint64_t instance)
{
	const struct io_address *address = &member->config.address;
	struct nacre_map_rank *rank = &next->ranks[index];
	int err = 0;

	if (rank->instance && rank->instance != instance)
		err = mapedit_kill(next, rank->instance);
	rank->instance = instance;
	rank->address_hi = address_half(address->ip);
	rank->address_lo = address_half(address->ip + 8);
	rank->port = address->port;
	rank->incarnation++;
	rank->state = NACRE_RANK_REPLAY;
	return err;
}

static int raise_osd(struct member *member, struct mapedit *next, uint64_t instance)
{
	const struct member_config *config = &member->config;
	struct nacre_map_osd *osd = &next->osds[config->id];

	osd->store_lo = config->store_lo;
	osd->store_hi = config->store_hi;
	return mapedit_osd_up(next, config->id, instance, address_half(config->address.ip),
			      address_half(config->address.ip + 8), config->address.port);
}

/* The edit of a start: a new instance, our row, and the end of our former instance. */
static int enter_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	struct member *member = owner;
	int err = 0;

	member->entering = mapedit_new_instance(next);
	if (member->namesake && member->namesake < member->entering)
		err = mapedit_kill(next, member->namesake);
	if (err)
		return err;
	if (member->config.role == NACRE_ROLE_OSD)
		return raise_osd(member, next, member->entering);
	member->entering_rank = free_rank(member, next);
	if (member->entering_rank < 0)
		return 0;		/* standby */
	return take_rank(member, next, member->entering_rank, member->entering);
}

static void entered(void *owner, int result)
{
	struct member *member = owner;

	if (result) {
		fail(member, result, "it cannot be put into the map: %s", strerror(-result));
		return;
	}
	member->state = MEMBER_HOLDING;
	member->give_up_ns = io_now(member->config.io) + 3 * member->term_ns;
	hold(member);
}

/* ---- a standby takes a rank that became free ------------------------------------------------ */

static int standby_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	struct member *member = owner;

	for (unsigned int i = 0; i < next->rank_count; i++)
		if (next->ranks[i].state == NACRE_RANK_DOWN)
			return take_rank(member, next, (int)i, member->instance);
	return -EALREADY;
}

static void standby_done(void *owner, int result)
{
	((struct member *)owner)->taking = false;
}

static void stand_in(struct member *member)
{
	struct nacre_map_rank rank;

	if (member->config.role != NACRE_ROLE_MDS || member->rank >= 0 || member->taking ||
	    member->state != MEMBER_SERVING)
		return;
	for (uint32_t i = 0; !nacre_map_rank_at(&member->map->view, i, &rank); i++)
		if (rank.state == NACRE_RANK_DOWN) {
			member->taking = true;
			member_change_map(member, standby_edit, standby_done, member);
			return;
		}
}

/* ---- holding the lease ---------------------------------------------------------------------- */

static void lease_lost(void *owner)
{
	member_fence(owner, "its lease on the map could not be renewed in time");
}

static void watch_got(void *owner, int result, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct member *member = owner;

	if (member->state == MEMBER_ENDED)
		return;
	if (!result && member_take_map(member, epoch, bytes, length) && member->state != MEMBER_ENDED)
		member_fence(member, "%s", member->reason);
	else if (result)
		log_error(member->config.log, "member", "the map store: %s",
			  member->config.store->fault);
	if (member->state != MEMBER_ENDED)
		stand_in(member);
}

static void elected(void *owner, bool holds)
{
	struct member *member = owner;

	if (member->state == MEMBER_ENDED)
		return;
	if (member->coordinator.holds != holds)
		log_info(member->config.log, "member", holds ? "is coordinator now"
							      : "is not coordinator any more");
	member->coordinator.holds = holds;
}

static void hold(struct member *member)
{
	struct io *io = member->config.io;
	int err = mapstore_lease_hold(member->config.store, member->name, member->instance,
				      member->term_ns, lease_lost, member);

	if (err == -EBUSY && io_now(io) < member->give_up_ns) {
		retry_at(member, hold, io_now(io) + member->term_ns / 8);
		return;
	}
	if (err == -EBUSY) {
		fail(member, err, "another %s is running and holds the lease", member->name);
		return;
	}
	if (err) {
		fail(member, err, "the lease cannot be taken: %s", strerror(-err));
		return;
	}
	member->state = MEMBER_SERVING;
	log_info(member->config.log, "member", "joined as instance %llu, map %llu",
		 (unsigned long long)member->instance,
		 (unsigned long long)member->map->view.epoch);
	mapstore_watch(member->config.store, watch_got, member);
	mapstore_elect(member->config.store, OFFICE, member->term_ns, elected, member);
	coordinator_start(&member->coordinator, member);
	member->config.handler->joined(member->config.owner, member->instance);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* The holder of our name is alive: wait until it must be gone; if it renews, it will not go. */
static void wait_for_namesake(struct member *member, const struct mapstore_lease *lease)
{
	if (member->namesake_expires_ns && lease->expires_ns > member->namesake_expires_ns) {
		fail(member, -EBUSY, "another %s is running, instance %llu", member->name,
		     (unsigned long long)lease->instance);
		return;
	}
	if (!member->namesake_expires_ns)
		log_info(member->config.log, "member", "waits for the end of the lease of instance %llu",
			 (unsigned long long)lease->instance);
	member->namesake_expires_ns = lease->expires_ns;
	retry_at(member, look, lease->expires_ns + 1);
}

static bool is_live(const struct member *member, const struct mapstore_lease *lease)
{
	return !lease->released && !lease->gone && lease->expires_ns > io_now(member->config.io);
}

static void note_held_ranks(struct member *member, const struct mapstore_lease *leases, size_t count)
{
	struct nacre_map_rank rank;

	for (uint32_t i = 0; !nacre_map_rank_at(&member->map->view, i, &rank); i++) {
		/* no lease at all: its daemon may be about to take one; the coordinator decides */
		member->rank_is_held[i] = true;
		for (size_t l = 0; l < count; l++)
			if (leases[l].instance == rank.instance)
				member->rank_is_held[i] = is_live(member, &leases[l]);
	}
}

static void looked(void *owner, int result, const struct mapstore_lease *leases, size_t count)
{
	struct member *member = owner;

	if (member->state != MEMBER_LOOKING)
		return;
	if (result) {
		fail(member, result, "the leases cannot be read: %s", strerror(-result));
		return;
	}
	member->namesake = 0;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(leases[i].name, member->name))
			continue;
		if (is_live(member, &leases[i])) {
			wait_for_namesake(member, &leases[i]);
			return;
		}
		member->namesake = leases[i].instance;
	}
	note_held_ranks(member, leases, count);
	member->state = MEMBER_ENTERING;
	member_change_map(member, enter_edit, entered, member);
}

static void look(struct member *member)
{
	mapstore_leases(member->config.store, looked, member);
}

/* What can never become right by waiting. 0, or -errno and the reason. */
static int check_place(struct member *member)
{
	const struct member_config *config = &member->config;
	struct nacre_map_osd osd;

	if (config->role != NACRE_ROLE_OSD)
		return 0;
	if (nacre_map_osd_at(&member->map->view, config->id, &osd)) {
		snprintf(member->reason, sizeof(member->reason), "the map has no OSD %u: it has %u",
			 config->id, member->map->view.osd_count);
		return -ENOENT;
	}
	if ((osd.store_lo || osd.store_hi) &&
	    (osd.store_lo != config->store_lo || osd.store_hi != config->store_hi)) {
		snprintf(member->reason, sizeof(member->reason),
			 "the map knows %s with another store: this device was formatted anew, or belongs to another OSD",
			 member->name);
		return -EINVAL;
	}
	return 0;
}

static void first_map(void *owner, int result, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct member *member = owner;
	int err;

	if (member->state != MEMBER_LOOKING)
		return;
	if (result) {
		fail(member, result, "no cluster map: %s", *member->config.store->fault ?
		     member->config.store->fault : strerror(-result));
		return;
	}
	err = member_take_map(member, epoch, bytes, length);
	if (!err)
		err = check_place(member);
	if (err)
		fail(member, err, NULL);
	else
		look(member);
}

int member_start(const struct member_config *config, struct member **ret_member)
{
	struct member *member = calloc(1, sizeof(*member));
	uint32_t lease_ms = config->lease_ms ? config->lease_ms : LEASE_MS_DEFAULT;
	uint32_t scale = config->time_scale_percent ? config->time_scale_percent : 100;

	if (member)
		member->rank_is_held = calloc(NACRE_MAP_RANKS_MAX, sizeof(bool));
	if (!member || !member->rank_is_held) {
		free(member);
		return -ENOMEM;
	}
	member->config = *config;
	snprintf(member->name, sizeof(member->name), "%s", config->name);
	member->state = MEMBER_LOOKING;
	member->term_ns = (uint64_t)lease_ms * 10000ull * scale;
	member->out_ns = (uint64_t)config->out_after_ms * 10000ull * scale;
	member->rank = -1;
	member->retry.fire = retry_fire;
	member_changes_init(member);
	mapstore_get(config->store, first_map, member);
	*ret_member = member;
	return 0;
}

/* ---- leaving -------------------------------------------------------------------------------- */

static void left(struct member *member)
{
	end(member);
	member->left(member->left_owner);
}

static int leave_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	struct member *member = owner;
	bool found = false;

	for (unsigned int i = 0; i < next->rank_count; i++)
		if (next->ranks[i].instance == member->instance) {
			next->ranks[i].state = NACRE_RANK_DOWN;
			found = true;
		}
	return found ? mapedit_kill(next, member->instance) : -EALREADY;
}

static void leave_done(void *owner, int result)
{
	left(owner);
}

void member_leave(struct member *member, void (*left_call)(void *owner), void *owner)
{
	bool serves = member->state == MEMBER_SERVING;

	member->left = left_call;
	member->left_owner = owner;
	if (serves && member->rank >= 0) {
		member->state = MEMBER_LEAVING;
		member_change_map(member, leave_edit, leave_done, member);
		return;
	}
	end(member);
	retry_at(member, left, io_now(member->config.io));
}

void member_destroy(struct member *member)
{
	if (!member)
		return;
	if (member->state != MEMBER_ENDED)
		end(member);
	io_timer_cancel(member->config.io, &member->retry);
	free(member->change_bytes);
	cluster_map_put(member->map);
	free(member->rank_is_held);
	free(member);
}

/* ---- questions ------------------------------------------------------------------------------ */

struct cluster_map *member_map(struct member *member)
{
	return member->map;
}

uint64_t member_instance(const struct member *member)
{
	return member->instance;
}

bool member_lease_valid(struct member *member)
{
	return member->state == MEMBER_SERVING && mapstore_lease_valid(member->config.store);
}

bool member_is_coordinator(const struct member *member)
{
	return member->coordinator.holds;
}

int member_rank(const struct member *member)
{
	return member->rank;
}

const char *member_state(const struct member *member)
{
#define STATE_NAME(name, doc) [MEMBER_##name] = #name,
	static const char *const names[] = { MEMBER_STATES(STATE_NAME) };

	return names[member->state];
}
