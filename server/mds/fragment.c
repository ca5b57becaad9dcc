/* SPDX-License-Identifier: GPL-2.0 */
/* Arithmetic of fragments; see fragment.h. */
#include "fragment.h"
#include "protocol/rules/names.h"

#define COOKIE_BITS 63
#define MERGE_SHARE 4			/* a fragment so much below the limit is merged: no seesaw */

/* Fragments of `depth` bits are as wide as a run of cookies with the same `depth` bits at the top. */
static uint32_t depth_of(uint32_t count)
{
	return 31 - (uint32_t)__builtin_clz(count);
}

/* The top bits of a cookie, the highest one as bit 0: in this order the runs are split off. */
static uint32_t place_of(uint64_t cookie, uint32_t depth)
{
	uint32_t i, place = 0;

	for (i = 0; i < depth; i++)
		place |= (uint32_t)(cookie >> (COOKIE_BITS - 1 - i) & 1) << i;
	return place;
}

struct mds_fragment mds_fragment_at(uint32_t count, uint32_t index)
{
	uint32_t depth = depth_of(count), split = count - (1u << depth);
	struct mds_fragment fragment = { .index = index };
	uint32_t i;

	/* those below `split` have been split at this depth already, and the new halves stand behind the old ones */
	if (index < split || index >> depth)
		depth++;
	for (i = 0; i < depth; i++)
		fragment.first |= (uint64_t)(index >> i & 1) << (COOKIE_BITS - 1 - i);
	fragment.last = fragment.first + (1ull << (COOKIE_BITS - depth)) - 1;
	return fragment;
}

struct mds_fragment mds_fragment_of(uint32_t count, uint64_t cookie)
{
	uint32_t depth = depth_of(count), split = count - (1u << depth);
	uint32_t index = place_of(cookie, depth);

	return mds_fragment_at(count, index < split ? place_of(cookie, depth + 1) : index);
}

uint32_t mds_fragment_source(uint32_t index)
{
	return index - (1u << depth_of(index));
}

uint32_t mds_fragment_aim(uint32_t count, uint64_t entries, uint64_t limit)
{
	if (entries >> depth_of(count) > limit && count < MDS_FRAGMENTS_MAX)
		return count + 1;
	if (count > 1 && entries >> depth_of(count - 1) < limit / MERGE_SHARE)
		return count - 1;
	return count;
}
