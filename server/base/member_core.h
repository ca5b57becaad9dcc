/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside a member: what member.c (joining, leaving), member_change.c (maps and
 * changes of them) and coordinator.c (the office) share.
 */
#ifndef NACRE_MEMBER_CORE_H
#define NACRE_MEMBER_CORE_H

#include "mapedit.h"
#include "member.h"

/*	state      why we are here */
#define MEMBER_STATES(S)						\
	S(LOOKING, "reads the map, and who else has its name")		\
	S(ENTERING, "puts itself into the map")				\
	S(HOLDING, "takes its lease")					\
	S(SERVING, "in the map, with a lease")				\
	S(LEAVING, "stops serving, gives back what it holds")		\
	S(ENDED, "failed, fenced or gone; nothing follows")

#define MEMBER_STATE_ENUM(name, doc) MEMBER_##name,
enum member_states { MEMBER_STATES(MEMBER_STATE_ENUM) };

/* A change of the map, waiting or under way. */
struct member_change {
	struct member_change *next;
	member_edit edit;
	void (*changed)(void *owner, int result);
	void *owner;
};

/* A daemon as its lease shows it, by its row in the map. */
struct watched {
	uint64_t instance;		/* of the row this is about */
	uint64_t noticed_ns;		/* when it was first looked at */
	uint64_t expires_ns;		/* its lease; 0 = it has none */
	bool found;			/* there is a lease */
	bool released;
	bool gone;			/* its process has ended */
	bool seen_alive;		/* by this process, at some time */
	bool down;			/* an OSD, by the map */
	uint64_t down_ns;		/* when that was first seen here */
	struct mapedit_fill fill;	/* an OSD: how full it is taken to be */
	uint64_t full_from_ns, full_until_ns;	/* when it has said that it is full, without a break; 0 = it has not */
};

struct coordinator {
	struct member *member;
	bool holds;			/* the office is ours */
	bool listing;			/* leases are being read */
	bool changing;			/* our change of the map is under way */
	unsigned int moved;		/* groups, by that change */
	uint64_t settled_epoch;		/* in that map every group is where it should be, or on its way; 0 = OSDs are fuller, or less full, since */
	struct io_timer tick;
	struct watched osds[NACRE_MAP_OSDS_MAX];
	struct watched ranks[NACRE_MAP_RANKS_MAX];
};

struct member {
	struct member_config config;
	char name[32];
	enum member_states state;
	uint64_t term_ns;
	uint64_t out_ns;		/* 0 = never */
	struct cluster_map *map;	/* newest known; NULL before the first */
	uint64_t instance;		/* ours, once in the map */
	int rank;			/* held; -1: none */
	bool taking;			/* a standby's change of the map is under way */
	/* joining */
	struct io_timer retry;
	void (*retry_do)(struct member *member);
	uint64_t give_up_ns;		/* of waiting for a namesake to go */
	uint64_t namesake;		/* instance that last held our name, 0 = none */
	uint64_t namesake_expires_ns;
	bool *rank_is_held;		/* by a live lease, as last listed; NACRE_MAP_RANKS_MAX */
	uint64_t entering;		/* instance in the map that is being swapped in */
	int entering_rank;
	/* changes */
	struct member_change *changes, **changes_tail;
	struct io_timer change_kick;
	bool change_busy;		/* the first of them is with the store */
	uint8_t *change_bytes;		/* the map it makes */
	size_t change_length;
	uint64_t change_epoch;
	struct coordinator coordinator;
	void (*left)(void *owner);
	void *left_owner;
	char reason[256];
};

/* member.c */
void member_fence(struct member *member, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* member_change.c */
void member_changes_init(struct member *member);
void member_changes_stop(struct member *member);
/* Decode a map from the store and take it on if it is newer. 0, or -errno with member->reason. */
int member_take_map(struct member *member, uint64_t epoch, const uint8_t *bytes, size_t length);

/* coordinator.c */
void coordinator_start(struct coordinator *coordinator, struct member *member);
void coordinator_stop(struct coordinator *coordinator);

#endif
