/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where an object lives, and who may touch it: lookup in the cluster map.
 *
 * A map stays in the encoded form in which it came; struct nacre_map_view points
 * into it and everything here reads single elements, so that a new map costs no
 * allocation beyond its own bytes. The bytes must outlive the view.
 *
 *	object ──xxh64──▶ hash ──mod pg_count──▶ group ──map──▶ slots ──▶ primary
 *
 * Owns: hashing input, group choice, primary choice, the dead set, the judgement
 * of FENCE-1, validation of a whole map. Does not plan placement (the
 * coordinator does) and does not hash (the caller has xxh64: libxxhash in user
 * space, lib/xxhash.c in the kernel). Pure; nothing here fails for memory.
 */
#ifndef NACRE_RULES_PLACEMENT_H
#define NACRE_RULES_PLACEMENT_H

#include "../map.h"

/* What of an object is hashed: 8 + 8 + 8 bytes. */
#define NACRE_PLACEMENT_BYTES 24

/*
 * The bytes whose xxh64 with seed 0 places an object: ino, index, pool, each as a
 * 64-bit little-endian number (the pool widened). The snapshot is left out, so
 * that all snapshots of an object are in one group and clones stay local.
 */
void nacre_placement_bytes(__u64 ino, __u64 index, __u32 pool, __u8 bytes[NACRE_PLACEMENT_BYTES]);

/* Group of an object in a pool of pg_count groups (a power of two). */
__u32 nacre_placement_group(__u64 hash, __u32 pg_count);

/* A decoded nacre_map with its tables counted. */
struct nacre_map_view {
	__u64 epoch;
	__u64 fsid_lo;
	__u64 fsid_hi;
	__u64 features;
	__u64 next_instance;
	__u64 fence_epoch;
	__u32 pool_count;
	__u32 osd_count;
	__u32 rank_count;
	__u32 subtree_count;
	__u32 dead_count;
	__u32 pg_count;			/* over all pools */
	const __u8 *pools;
	const __u8 *osds;
	const __u8 *ranks;
	const __u8 *subtrees;
	const __u8 *dead;
	const __u8 *placement;
};

/*
 * Fill a view from a decoded map. 0, or -EBADMSG when a table's length is no
 * multiple of its element. Says nothing about meaning: see nacre_map_validate.
 */
int nacre_map_view(struct nacre_map_view *view, const struct nacre_map *map);

/*
 * Is the whole map meaningful? Ids in place, powers of two, groups inside the
 * placement table and pools adjoining in it, slots naming OSDs that exist and
 * differ, in-sync bits on filled slots only, subtrees ascending by inode, the dead
 * set ascending and not touching itself, instances issued, epochs not ahead of the map's.
 * 0 or -EBADMSG with *reason (a static string; never NULL on error).
 */
int nacre_map_validate(const struct nacre_map_view *view, const char **reason);

/* Element `index` of a table. 0, or -ENOENT when there is none; *out is then untouched. */
int nacre_map_pool_at(const struct nacre_map_view *view, __u32 index, struct nacre_map_pool *out);
int nacre_map_osd_at(const struct nacre_map_view *view, __u32 index, struct nacre_map_osd *out);
int nacre_map_rank_at(const struct nacre_map_view *view, __u32 index, struct nacre_map_rank *out);
int nacre_map_subtree_at(const struct nacre_map_view *view, __u32 index,
			 struct nacre_map_subtree *out);
int nacre_map_dead_at(const struct nacre_map_view *view, __u32 index, struct nacre_map_dead *out);

/* Group `pg` of a pool. 0, or -ENOENT when pool or group do not exist. */
int nacre_map_pg_at(const struct nacre_map_view *view, __u32 pool, __u32 pg,
		    struct nacre_map_pg *out);

/* Group of the object with this placement hash. 0 and *pg, or -ENOENT: no such pool. */
int nacre_map_pg_of(const struct nacre_map_view *view, __u32 pool, __u64 hash, __u32 *pg);

/* OSD id in slot 0..NACRE_PG_SLOTS-1 of a group, or NACRE_OSD_NONE. */
__u16 nacre_pg_slot(const struct nacre_map_pg *pg, int slot);
/* Only the slot: in_sync is left as it is. */
void nacre_pg_set_slot(struct nacre_map_pg *pg, int slot, __u16 osd);

/* Slot of an OSD in a group, or -1. */
int nacre_pg_slot_of(const struct nacre_map_pg *pg, __u16 osd);

/* Is the OSD marked up? An id that does not exist is not. */
int nacre_map_osd_is_up(const struct nacre_map_view *view, __u16 osd);

/*
 * The primary: the first in-sync slot whose OSD is up. Its OSD id (>= 0);
 * -ENOENT: no such group; -EAGAIN: no in-sync member is up, wait for a newer map.
 */
int nacre_map_primary(const struct nacre_map_view *view, __u32 pool, __u32 pg);

/* In-sync members that are up; 0 when there is no such group. */
int nacre_map_pg_alive(const struct nacre_map_view *view, __u32 pool, __u32 pg);

/*
 * May the group serve, as far as the map says: at least min_size in-sync members
 * are up. (Its primary may still be reconciling.) 1 or 0.
 */
int nacre_map_pg_active(const struct nacre_map_view *view, __u32 pool, __u32 pg);

/* Was the instance id ever given out? 0 never is. */
int nacre_map_was_issued(const struct nacre_map_view *view, __u64 instance);

/* Is it in the dead set? Binary search. */
int nacre_map_is_dead(const struct nacre_map_view *view, __u64 instance);

/*
 * FENCE-1, as a primary (or a rank) applies it before it executes anything for
 * `instance`. `epoch` is the map epoch of the request, `barrier` its barrier epoch.
 * NACRE_OK, NACRE_E_NEWER_EPOCH (fetch the map, then judge again),
 * NACRE_E_UNKNOWN_INSTANCE, NACRE_E_DEAD_INSTANCE.
 */
__u32 nacre_map_judge(const struct nacre_map_view *view, __u64 instance, __u64 epoch,
		      __u64 barrier);

/* Rank that has authority from exactly this directory down, or -ENOENT if no entry names it. */
int nacre_map_subtree_rank(const struct nacre_map_view *view, __u64 ino);

#endif
