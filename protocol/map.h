/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cluster map: one small versioned document that says who is who, where
 * data lives, and which instances are dead. Every change raises `epoch` by one
 * through a compare-and-swap in the map store (server/base/mapstore.h).
 *
 * On the wire and in the store it is struct nacre_map with arrays as tails.
 * Pools stand in the order of their ids from 0, OSDs in the order of theirs;
 * `placement` holds pool 0's groups, then pool 1's, … Lookup without unpacking
 * is in protocol/rules/placement.h.
 */
#ifndef NACRE_MAP_H
#define NACRE_MAP_H

#include "wire.h"

#define NACRE_MAP_POOLS_MAX 16
#define NACRE_MAP_OSDS_MAX 1024
#define NACRE_MAP_RANKS_MAX 64
#define NACRE_MAP_PGS_MAX 16384		/* over all pools */
#define NACRE_REPLICAS_MAX 4
#define NACRE_PG_SLOTS (NACRE_REPLICAS_MAX + 1)	/* of a placement group: one is left for a member whose place was taken */
#define NACRE_OSD_NONE 0xffff		/* an empty slot of a placement group */

/* Pools that every file system has. */
#define NACRE_POOL_META 0		/* journals, directories, tables */
#define NACRE_POOL_DATA 1		/* file data */

/* Where a daemon listens: IPv4 as ::ffff:a.b.c.d in address_hi:address_lo. */
#define NACRE_ADDRESS_FIELDS(F)							\
	F(64, address_hi, "IPv6 address, first eight bytes as a big-endian number") \
	F(64, address_lo, "IPv6 address, last eight bytes; IPv4 is mapped")	\
	F(16, port, "TCP port")

enum nacre_pool_flags {
	NACRE_POOL_F_NONE = 0,
};

/* Journal modes, see DESIGN section 4. */
enum nacre_journal_mode {
	NACRE_JOURNAL_DATA = 0,
	NACRE_JOURNAL_ORDERED = 1,
	NACRE_JOURNAL_COW = 2,
};

/* The limit of inline data is told in these; a map with any needs NACRE_FEATURE_INLINE. */
#define NACRE_INLINE_UNIT 64u

/* The least size of what is written directly is told in these; a map with any needs NACRE_FEATURE_POOL_DIRECT. */
#define NACRE_DIRECT_UNIT 4096u

#define NACRE_MAP_POOL_FIELDS(F, R, T)					\
	F(32, id, "its place in the table")				\
	F(32, pg_count, "placement groups, a power of two")		\
	F(8, replicas, "copies wanted, 1 to NACRE_REPLICAS_MAX")	\
	F(8, min_size, "in-sync replicas needed to serve")		\
	F(8, journal_mode, "enum nacre_journal_mode")			\
	F(8, inline_units, "new files of at most so many times 64 bytes keep their data in the inode; 0 = none") \
	F(16, flags, "enum nacre_pool_flags")				\
	F(16, direct_units, "modes ordered and cow: writes of at least so many times 4096 bytes go directly to their places; 0 = as each OSD decides") \
	F(32, object_bytes, "largest object, the default file layout")	\
	F(32, pg_first, "index of its first group in `placement`")
NACRE_STRUCT(nacre_map_pool, NACRE_MAP_POOL_FIELDS, 24);

enum nacre_osd_flags {
	NACRE_OSD_UP = 1,		/* serves; its lease was alive at this epoch */
	NACRE_OSD_IN = 2,		/* is given data */
};

#define NACRE_MAP_OSD_FIELDS(F, R, T)					\
	F(64, instance, "of the running or last daemon; 0 = never ran")	\
	NACRE_ADDRESS_FIELDS(F)						\
	F(16, id, "its place in the table")				\
	F(32, flags, "enum nacre_osd_flags")				\
	F(32, weight, "share of data, 0x10000 = 1")			\
	F(32, domain, "failure domain: no two replicas in one, if possible") \
	F(64, store_lo, "identity of its store, first half")		\
	F(64, store_hi, "identity of its store, second half")
NACRE_STRUCT(nacre_map_osd, NACRE_MAP_OSD_FIELDS, 56);

enum nacre_rank_state {
	NACRE_RANK_DOWN = 0,		/* nobody holds it */
	NACRE_RANK_REPLAY = 1,		/* its daemon reads the journal */
	NACRE_RANK_RECONNECT = 2,	/* waits for the sessions it knows */
	NACRE_RANK_ACTIVE = 3,
};

#define NACRE_MAP_RANK_FIELDS(F, R, T)					\
	F(64, instance, "of the daemon that holds or last held it")	\
	NACRE_ADDRESS_FIELDS(F)						\
	F(16, rank, "its place in the table")				\
	F(32, state, "enum nacre_rank_state")				\
	F(64, incarnation, "counts the daemons that have held it, from 1")
NACRE_STRUCT(nacre_map_rank, NACRE_MAP_RANK_FIELDS, 40);

#define NACRE_MAP_SUBTREE_FIELDS(F, R, T)				\
	F(64, ino, "directory at the top of the subtree")		\
	F(32, rank, "its authority")					\
	R(32, reserved0)
NACRE_STRUCT(nacre_map_subtree, NACRE_MAP_SUBTREE_FIELDS, 16);

/* Dead instances first … first + count - 1; ascending, never touching each other. */
#define NACRE_MAP_DEAD_FIELDS(F, R, T)					\
	F(64, first, "first dead instance of the run")			\
	F(64, count, "length of the run, at least 1")
NACRE_STRUCT(nacre_map_dead, NACRE_MAP_DEAD_FIELDS, 16);

/*
 * One placement group. The primary is the first slot that is in sync and
 * whose OSD is up. `interval` is the epoch at which the slots, the in-sync
 * set, or the instance of a member last changed; replicas speak only within
 * one interval. Slots behind the pool's `replicas` are those of members whose
 * places were taken: they go when the new ones are in sync. The fifth can only be one of these; it came later,
 * so an empty one is 0, and a map that has any needs NACRE_FEATURE_FIFTH_SLOT.
 */
#define NACRE_MAP_PG_FIELDS(F, R, T)					\
	F(64, interval, "epoch at which the present interval began")	\
	F(16, osd0, "OSD id of slot 0, or NACRE_OSD_NONE")		\
	F(16, osd1, "slot 1")						\
	F(16, osd2, "slot 2")						\
	F(16, osd3, "slot 3")						\
	F(8, in_sync, "bit i: slot i holds every acknowledged write")	\
	R(8, reserved0)							\
	F(16, osd4, "slot 4: OSD id + 1, 0 = empty")			\
	R(32, reserved1)
NACRE_STRUCT(nacre_map_pg, NACRE_MAP_PG_FIELDS, 24);

#define NACRE_MAP_FIELDS(F, R, T)					\
	F(64, epoch, "version of this map, from 1")			\
	F(64, fsid_lo, "identity of the file system, first half")	\
	F(64, fsid_hi, "second half")					\
	F(64, features, "feature bits that every member must support")	\
	F(64, next_instance, "lowest instance id never issued; ids start at 1") \
	F(64, fence_epoch, "epoch at which the dead set last grew")	\
	T(pools, 24 * NACRE_MAP_POOLS_MAX, "nacre_map_pool array")	\
	T(osds, 56 * NACRE_MAP_OSDS_MAX, "nacre_map_osd array")		\
	T(ranks, 40 * NACRE_MAP_RANKS_MAX, "nacre_map_rank array")	\
	T(subtrees, 16 * 4096, "nacre_map_subtree array")		\
	T(dead, 16 * 16384, "nacre_map_dead array")			\
	T(placement, 24 * NACRE_MAP_PGS_MAX, "nacre_map_pg array")
NACRE_STRUCT(nacre_map, NACRE_MAP_FIELDS, 72);

#define NACRE_MAP_STRUCTS(S)					\
	S(nacre_map_pool, NACRE_MAP_POOL_FIELDS)		\
	S(nacre_map_osd, NACRE_MAP_OSD_FIELDS)			\
	S(nacre_map_rank, NACRE_MAP_RANK_FIELDS)		\
	S(nacre_map_subtree, NACRE_MAP_SUBTREE_FIELDS)		\
	S(nacre_map_dead, NACRE_MAP_DEAD_FIELDS)		\
	S(nacre_map_pg, NACRE_MAP_PG_FIELDS)			\
	S(nacre_map, NACRE_MAP_FIELDS)

#endif
