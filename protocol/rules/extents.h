/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sets of intervals in a sorted array that the caller owns: dirty ranges, free
 * space, inode number ranges, the dead set of the map.
 *
 * Always ascending, never empty elements, never touching (neighbours are merged). Units are the caller's:
 * bytes, blocks, numbers. No element may end above 2^64 - 1. Searches are binary, changes move the
 * array's rest. Pure, no allocation; an array that is full says -ENOSPC and is unchanged.
 */
#ifndef NACRE_RULES_EXTENTS_H
#define NACRE_RULES_EXTENTS_H

#include <linux/types.h>

/* [start, start + length). */
struct nacre_extent {
	__u64 start;
	__u64 length;			/* at least 1 */
};

/* The caller's array. */
struct nacre_extents {
	struct nacre_extent *at;
	__u32 count;
	__u32 room;			/* elements that fit */
};

/* Do two ranges share anything? Empty ranges share nothing. */
int nacre_range_overlaps(__u64 start_a, __u64 length_a, __u64 start_b, __u64 length_b);

/* Does [start, +length) end without wrapping, at or below limit? */
int nacre_range_within(__u64 start, __u64 length, __u64 limit);

/* Index of the first element that ends above `point`; count if there is none. */
__u32 nacre_extents_find(const struct nacre_extents *set, __u64 point);

/* Is every point of the range (not empty) in the set? Is any? */
int nacre_extents_contains(const struct nacre_extents *set, __u64 start, __u64 length);
int nacre_extents_overlaps(const struct nacre_extents *set, __u64 start, __u64 length);

/* Add a range, whether parts of it are in already or not. 0; -ENOSPC; -EINVAL: empty or wraps. */
int nacre_extents_add(struct nacre_extents *set, __u64 start, __u64 length);

/* Remove a range, whether all of it is in or not. 0; -ENOSPC: a split needs one more; -EINVAL. */
int nacre_extents_remove(struct nacre_extents *set, __u64 start, __u64 length);

/*
 * Take up to `want` units out of the set: the first element at or behind `hint` (then from the
 * front) that has `want` units; if there is none, the largest element as far as it goes. The range
 * begins at a multiple of `align` (a power of two) and *got is one too. 0, -ENOSPC: nothing
 * aligned is left (or no room to split), -EINVAL.
 */
int nacre_extents_take(struct nacre_extents *set, __u64 hint, __u64 want, __u64 align,
		       __u64 *start, __u64 *got);

/* The first part of [start, +length) that is not in the set: 1 and the gap, or 0. */
int nacre_extents_gap(const struct nacre_extents *set, __u64 start, __u64 length,
		      __u64 *gap_start, __u64 *gap_length);

/* Units in the set. */
__u64 nacre_extents_total(const struct nacre_extents *set);

/* 0, or a static text that says what is broken. */
const char *nacre_extents_invariant(const struct nacre_extents *set);

#endif
