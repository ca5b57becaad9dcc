/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A daemon as a member of the cluster: it gets an instance id, enters the map,
 * keeps its lease, follows the map, and stands for coordinator. The same code
 * for MDS and OSD; what differs is in struct member_config.
 *
 * Start: get the map → swap in a map with next_instance + 1 and the daemon's
 * own row (an OSD: up, its address and instance, new intervals for its groups;
 * an MDS: the rank that is free, or standby) → hold the lease → `joined`.
 * Self-fencing: when the lease is lost, `fenced` is called; the daemon stops
 * serving at once, and starts anew under a new instance.
 */
#ifndef NACRE_MEMBER_H
#define NACRE_MEMBER_H

#include <stdbool.h>
#include "mapstore.h"
#include "msgr.h"
#include "protocol/rules/placement.h"

/* A map that can be shared: immutable, counted. */
struct cluster_map {
	uint32_t references;
	size_t bytes_count;
	const uint8_t *bytes;		/* encoded, as in the store */
	struct nacre_map map;		/* decoded; tails point into bytes */
	struct nacre_map_view view;	/* lookup, see protocol/rules/placement.h */
};

struct cluster_map *cluster_map_get(struct cluster_map *map);
void cluster_map_put(struct cluster_map *map);
/* Decode and validate a copy of `bytes`. 0, -EBADMSG, -ENOMEM. */
int cluster_map_create(const uint8_t *bytes, size_t length, struct cluster_map **ret_map);

struct member;

struct member_handler {
	/* In the map, with an instance and a lease; serve. */
	void (*joined)(void *owner, uint64_t instance);
	/*
	 * A newer map; `map` is borrowed during the call. First called before `joined`, with
	 * the map in which this daemon stands.
	 */
	void (*map_changed)(void *owner, struct cluster_map *map);
	/* The lease or our row in the map is lost: stop serving now. Nothing follows. */
	void (*fenced)(void *owner, const char *reason);
	/* It cannot join; the text names the cause. Nothing follows. */
	void (*failed)(void *owner, int result, const char *reason);
};

struct member_config {
	struct io *io;
	struct mapstore *store;
	struct msgr *msgr;
	enum nacre_role role;		/* NACRE_ROLE_OSD or NACRE_ROLE_MDS */
	const char *name;		/* "osd0", "mds0" */
	uint16_t id;			/* OSD id; an MDS: the rank it would like */
	struct io_address address;	/* where it listens, as others reach it */
	uint64_t store_lo, store_hi;	/* OSD: identity of its store; must match the map once known */
	uint32_t time_scale_percent;
	uint32_t lease_ms;		/* before scaling; 0 = default 5000 */
	uint32_t out_after_ms;		/* before scaling; down for so long, an OSD's data is placed elsewhere; 0 = never */
	const struct member_handler *handler;
	void *owner;
	struct log *log;		/* NULL: silent */
};

int member_start(const struct member_config *config, struct member **ret_member);
/*
 * Leave, then `left`. A rank becomes free at once. An OSD gives its lease back and stays in the
 * map: the coordinator marks it down when the term would have ended, so that a restart, or a
 * stop of the whole cluster, costs no group a replica.
 */
void member_leave(struct member *member, void (*left)(void *owner), void *owner);
/* Without leaving; not from inside a callback of the member. The map store is to be destroyed in the same turn: it may still have answers. */
void member_destroy(struct member *member);

struct cluster_map *member_map(struct member *member);	/* borrowed; NULL before the first */
uint64_t member_instance(const struct member *member);
/* May this daemon claim anything at this moment? Checked before every answer. */
bool member_lease_valid(struct member *member);
bool member_is_coordinator(const struct member *member);
/* The rank it holds, -1: none (standby, or an OSD). */
int member_rank(const struct member *member);
/* "joining", "serving", ... for status. */
const char *member_state(const struct member *member);

/*
 * Change the map: `edit` fills `next` from `now` (see mapedit.h) or returns
 * non-zero to give up (that value is the result; 0 entries changed = -EALREADY
 * is a usual one). Repeated by itself when another member's change came first.
 */
struct mapedit;
typedef int (*member_edit)(void *owner, const struct cluster_map *now, struct mapedit *next);
void member_change_map(struct member *member, member_edit edit,
		       void (*changed)(void *owner, int result), void *owner);

#endif
