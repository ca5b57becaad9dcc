// SPDX-License-Identifier: GPL-2.0
/*
 * A member's maps: taking newer ones on, and changing the map by compare and swap.
 *
 * Changes go one after another. Each is an edit of the newest map; when somebody
 * else's map comes first, the newest one is fetched and the edit made again. A
 * store that fails is asked again: a change ends only by its edit's own word, or
 * with the member.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "member_core.h"

#define RETRY_NS 100000000ull		/* after a failure of the store */

#define container(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* ---- taking maps on ------------------------------------------------------------------------- */

/* Is our row still ours? */
static void check_own_row(struct member *member)
{
	const struct nacre_map_view *view = &member->map->view;
	struct nacre_map_osd osd;

	if (nacre_map_is_dead(view, member->instance)) {
		member_fence(member, "instance %llu is dead in map %llu",
			     (unsigned long long)member->instance, (unsigned long long)view->epoch);
		return;
	}
	if (member->config.role == NACRE_ROLE_OSD &&
	    (nacre_map_osd_at(view, member->config.id, &osd) || osd.instance != member->instance ||
	     !(osd.flags & NACRE_OSD_UP)))
		member_fence(member, "map %llu does not know this daemon any more",
			     (unsigned long long)view->epoch);
}

static void find_own_rank(struct member *member)
{
	struct nacre_map_rank rank;

	member->rank = -1;
	for (uint32_t i = 0; !nacre_map_rank_at(&member->map->view, i, &rank); i++)
		if (rank.instance == member->instance && rank.state != NACRE_RANK_DOWN)
			member->rank = (int)i;
	if (member->rank >= 0)
		msgr_set_id(member->config.msgr, (uint16_t)member->rank);
}

/* We stand in this map, or did: tell the server. */
static void announce(struct member *member)
{
	const struct nacre_map_view *view = &member->map->view;

	if (member->config.role == NACRE_ROLE_MDS)
		find_own_rank(member);
	msgr_set_fsid(member->config.msgr, view->fsid_lo, view->fsid_hi);
	msgr_set_map_epoch(member->config.msgr, view->epoch);
	msgr_set_required(member->config.msgr, view->features);
	msgr_set_instance(member->config.msgr, member->instance);
	if (member->state != MEMBER_LEAVING)
		check_own_row(member);
	if (member->state != MEMBER_ENDED)
		member->config.handler->map_changed(member->config.owner, member->map);
}

int member_take_map(struct member *member, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct cluster_map *map;
	int err;

	if (member->map && member->map->view.epoch >= epoch)
		return 0;
	err = cluster_map_create(bytes, length, &map);
	if (!err && map->view.epoch != epoch) {
		cluster_map_put(map);
		err = -EBADMSG;
	}
	if (err) {
		snprintf(member->reason, sizeof(member->reason), "map %llu cannot be understood: %s",
			 (unsigned long long)epoch, strerror(-err));
		return err;
	}
	if (map->view.features & ~NACRE_FEATURES_SUPPORTED) {
		snprintf(member->reason, sizeof(member->reason),
			 "map %llu demands features %#llx, this version has %#llx",
			 (unsigned long long)epoch, (unsigned long long)map->view.features,
			 (unsigned long long)NACRE_FEATURES_SUPPORTED);
		cluster_map_put(map);
		return -EPROTONOSUPPORT;
	}
	cluster_map_put(member->map);
	member->map = map;
	if (member->instance)
		announce(member);
	return 0;
}

/* ---- changing ------------------------------------------------------------------------------- */

static void kick(struct member *member, uint64_t in_ns)
{
	io_timer_arm(member->config.io, &member->change_kick,
		     io_now(member->config.io) + in_ns);
}

static void change_end(struct member *member, int result)
{
	struct member_change *change = member->changes;

	member->changes = change->next;
	if (!member->changes)
		member->changes_tail = &member->changes;
	else
		kick(member, 0);
	change->changed(change->owner, result);
	free(change);
}

static void store_faulty(struct member *member, const char *what, int result)
{
	const char *fault = member->config.store->fault;

	log_warn(member->config.log, "member", "%s: %s; tried again", what,
		 *fault ? fault : strerror(-result));
	kick(member, RETRY_NS);
}

static void refetched(void *owner, int result, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct member *member = owner;

	member->change_busy = false;
	if (member->state == MEMBER_ENDED)
		return;
	if (!result)
		result = member_take_map(member, epoch, bytes, length);
	if (member->state == MEMBER_ENDED)
		return;
	if (result)
		store_faulty(member, "the map cannot be read", result);
	else
		kick(member, 0);
}

static void drop_bytes(struct member *member)
{
	free(member->change_bytes);
	member->change_bytes = NULL;
}

static void swapped(void *owner, int result)
{
	struct member *member = owner;
	int err;

	member->change_busy = false;
	if (member->state == MEMBER_ENDED)
		return;
	if (result) {
		/* another's map came first; or it is not known whose did: look */
		if (result != -EAGAIN)
			log_warn(member->config.log, "member", "%s", member->config.store->fault);
		drop_bytes(member);
		member->change_busy = true;
		mapstore_get(member->config.store, refetched, member);
		return;
	}
	if (member->entering) {
		member->instance = member->entering;
		member->entering = 0;
	}
	err = member_take_map(member, member->change_epoch, member->change_bytes,
			      member->change_length);
	drop_bytes(member);
	if (member->state != MEMBER_ENDED)
		change_end(member, err);
}

/* Make the edit and hand its map to the store. 0, or the edit's reason for not doing it. */
static int try_change(struct member *member)
{
	struct mapedit *next = mapedit_open(member->map);
	int result;

	if (!next)
		return -ENOMEM;
	result = member->changes->edit(member->changes->owner, member->map, next);
	if (!result)
		result = mapedit_encode(next, &member->change_bytes, &member->change_length);
	if (!result) {
		member->change_busy = true;
		member->change_epoch = next->head.epoch;
		mapstore_swap(member->config.store, next->head.epoch, member->change_bytes,
			      member->change_length, swapped, member);
	}
	mapedit_free(next);
	return result;
}

static void change_fire(struct io_timer *timer)
{
	struct member *member = container(timer, struct member, change_kick);
	int result;

	if (!member->changes || member->change_busy || !member->map)
		return;
	result = try_change(member);
	if (result)
		change_end(member, result);
}

void member_change_map(struct member *member, member_edit edit,
		       void (*changed)(void *owner, int result), void *owner)
{
	struct member_change *change = calloc(1, sizeof(*change));

	if (!change)
		abort();		/* 32 bytes */
	change->edit = edit;
	change->changed = changed;
	change->owner = owner;
	*member->changes_tail = change;
	member->changes_tail = &change->next;
	if (!member->change_kick.heap_index && !member->change_busy)
		kick(member, 0);
}

void member_changes_init(struct member *member)
{
	member->changes_tail = &member->changes;
	member->change_kick.fire = change_fire;
}

void member_changes_stop(struct member *member)
{
	struct member_change *change;

	io_timer_cancel(member->config.io, &member->change_kick);
	while ((change = member->changes)) {
		member->changes = change->next;
		free(change);
	}
	member->changes_tail = &member->changes;
	if (!member->change_busy)
		drop_bytes(member);
}
