// SPDX-License-Identifier: GPL-2.0
/* Sorted sets of intervals in the caller's array. See extents.h. */
#include <linux/errno.h>
#include <linux/string.h>
#include "extents.h"

static __u64 end_of(const struct nacre_extent *e)
{
	return e->start + e->length;
}

int nacre_range_overlaps(__u64 start_a, __u64 length_a, __u64 start_b, __u64 length_b)
{
	if (!length_a || !length_b)
		return 0;
	return start_a < start_b ? start_b - start_a < length_a : start_a - start_b < length_b;
}

int nacre_range_within(__u64 start, __u64 length, __u64 limit)
{
	return start <= limit && length <= limit - start;
}

__u32 nacre_extents_find(const struct nacre_extents *set, __u64 point)
{
	__u32 low = 0, high = set->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (end_of(&set->at[middle]) > point)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int nacre_extents_contains(const struct nacre_extents *set, __u64 start, __u64 length)
{
	__u32 i = nacre_extents_find(set, start);

	return i < set->count && set->at[i].start <= start &&
	       length <= end_of(&set->at[i]) - start;
}

int nacre_extents_overlaps(const struct nacre_extents *set, __u64 start, __u64 length)
{
	__u32 i = nacre_extents_find(set, start);

	return i < set->count &&
	       nacre_range_overlaps(set->at[i].start, set->at[i].length, start, length);
}

/* Replace elements [from, to) by `count` new slots; there is room. */
static void splice(struct nacre_extents *set, __u32 from, __u32 to, __u32 count)
{
	memmove(&set->at[from + count], &set->at[to], (set->count - to) * sizeof(set->at[0]));
	set->count = set->count - (to - from) + count;
}

int nacre_extents_add(struct nacre_extents *set, __u64 start, __u64 length)
{
	__u64 end = start + length;
	__u32 from, to;

	if (!length || end < start)
		return -EINVAL;
	/* [from, to): elements that overlap or touch the range */
	from = nacre_extents_find(set, start ? start - 1 : 0);
	for (to = from; to < set->count && set->at[to].start <= end; to++)
		;
	if (from == to) {
		if (set->count == set->room)
			return -ENOSPC;
	} else {
		if (set->at[from].start < start)
			start = set->at[from].start;
		if (end_of(&set->at[to - 1]) > end)
			end = end_of(&set->at[to - 1]);
	}
	splice(set, from, to, 1);
	set->at[from].start = start;
	set->at[from].length = end - start;
	return 0;
}

int nacre_extents_remove(struct nacre_extents *set, __u64 start, __u64 length)
{
	__u64 end = start + length, left_start, right_end;
	__u32 from, to, keep;
	int left, right;

	if (!length || end < start)
		return -EINVAL;
	/* [from, to): elements that overlap the range */
	from = nacre_extents_find(set, start);
	for (to = from; to < set->count && set->at[to].start < end; to++)
		;
	if (from == to)
		return 0;
	left_start = set->at[from].start;
	right_end = end_of(&set->at[to - 1]);
	left = left_start < start;
	right = right_end > end;
	keep = (__u32)(left + right);
	if (set->count - (to - from) + keep > set->room)
		return -ENOSPC;
	splice(set, from, to, keep);
	if (left) {
		set->at[from].start = left_start;
		set->at[from].length = start - left_start;
	}
	if (right) {
		set->at[from + keep - 1].start = end;
		set->at[from + keep - 1].length = right_end - end;
	}
	return 0;
}

/* Aligned units of [start, end) at or behind `hint`, and where they begin. */
static __u64 aligned_part(const struct nacre_extent *e, __u64 hint, __u64 align, __u64 *start)
{
	__u64 from = e->start > hint ? e->start : hint;
	__u64 first = (from + align - 1) & ~(align - 1);

	if (first < from || first >= end_of(e))
		return 0;
	*start = first;
	return (end_of(e) - first) & ~(align - 1);
}

int nacre_extents_take(struct nacre_extents *set, __u64 hint, __u64 want, __u64 align,
		       __u64 *start, __u64 *got)
{
	__u64 best = 0, best_start = 0, units, at = 0;
	__u32 first, behind, i, n;
	int err;

	if (!want || !align || align & (align - 1) || want & (align - 1))
		return -EINVAL;
	first = nacre_extents_find(set, hint);
	/* From the hint to the end, then everything from the front. */
	behind = set->count - first;
	for (n = 0; n < behind + set->count; n++) {
		i = n < behind ? first + n : n - behind;
		units = aligned_part(&set->at[i], n < behind ? hint : 0, align, &at);
		if (units > best) {
			best = units;
			best_start = at;
		}
		if (best >= want)
			break;
	}
	if (!best)
		return -ENOSPC;
	if (best > want)
		best = want;
	err = nacre_extents_remove(set, best_start, best);
	if (err)
		return err;
	*start = best_start;
	*got = best;
	return 0;
}

int nacre_extents_gap(const struct nacre_extents *set, __u64 start, __u64 length,
		      __u64 *gap_start, __u64 *gap_length)
{
	__u64 end = start + length;
	__u32 i = nacre_extents_find(set, start);

	if (i < set->count && set->at[i].start <= start) {
		start = end_of(&set->at[i]);
		i++;
	}
	if (!length || start >= end)
		return 0;
	*gap_start = start;
	*gap_length = (i < set->count && set->at[i].start < end ? set->at[i].start : end) - start;
	return 1;
}

__u64 nacre_extents_total(const struct nacre_extents *set)
{
	__u64 total = 0;
	__u32 i;

	for (i = 0; i < set->count; i++)
		total += set->at[i].length;
	return total;
}

const char *nacre_extents_invariant(const struct nacre_extents *set)
{
	__u32 i;

	if (set->count > set->room)
		return "more elements than room";
	for (i = 0; i < set->count; i++) {
		if (!set->at[i].length)
			return "an empty element";
		if (end_of(&set->at[i]) < set->at[i].start)
			return "an element that wraps";
		if (i && end_of(&set->at[i - 1]) >= set->at[i].start)
			return "elements out of order or touching";
	}
	return NULL;
}
