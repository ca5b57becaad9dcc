/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which object of a directory an entry lies in. A directory of `count` fragments has its entries in objects
 * 0 … count - 1; fragment 0 is all there is of a small one. Fragments divide the cookies, evenly, and are made one
 * after the other in a fixed order, so that the number alone says who has what (linear hashing):
 *
 *	count 1   [0                              ]
 *	count 2   [0              |1              ]	0 has given its upper half to 1
 *	count 3   [0      |2      |1              ]	0 again, to 2
 *	count 4   [0      |2      |1      |3      ]	1, to 3; then 0 to 4, 2 to 6 …
 *
 * A fragment is one run of cookies, so a listing reads one object after the other. Pure.
 */
#ifndef MDS_FRAGMENT_H
#define MDS_FRAGMENT_H

#include <stdint.h>

#define MDS_FRAGMENTS_MAX (1u << 20)

struct mds_fragment {
	uint32_t index;			/* of the object */
	uint64_t first, last;		/* cookies, both included */
};

/* The one that a cookie falls into. */
struct mds_fragment mds_fragment_of(uint32_t count, uint64_t cookie);
/* The one with this index, below count. */
struct mds_fragment mds_fragment_at(uint32_t count, uint32_t index);
/* From which one fragment `index` (> 0) was split off, and into which it is merged. */
uint32_t mds_fragment_source(uint32_t index);
/*
 * How many there should be next, for so many entries: count + 1 when the largest has more than `limit`, count - 1
 * when the last and its source together have less than a quarter of that, else count.
 */
uint32_t mds_fragment_aim(uint32_t count, uint64_t entries, uint64_t limit);

#endif
