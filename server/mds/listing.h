/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which objects of a range of inodes a pool has: its groups are asked one after the other, behind the
 * barrier, so whatever a fenced client has made is among them. For whoever would otherwise ask for
 * each object that there may be. A group that does not answer is asked again, after a pause, until it does.
 */
#ifndef MDS_LISTING_H
#define MDS_LISTING_H

#include <stdbool.h>
#include <stdint.h>

struct mds;
struct mds_listing;

/* Requests that a listing takes: the pool's groups. */
uint32_t mds_listing_cost(struct mds *mds, uint32_t pool);
/* Of inodes [first, first + count). `turned` is called when there is something to take, or the end. */
struct mds_listing *mds_listing_new(struct mds *mds, uint32_t pool, uint64_t first, uint64_t count,
				    void (*turned)(void *owner), void *owner);
/* NULL is harmless. Not while it is asking, unless the rank ends. */
void mds_listing_free(struct mds_listing *listing);
/* The next object; false: it is on its way, or there is none. Asks for more as it goes. */
bool mds_listing_take(struct mds_listing *listing, uint64_t *ret_ino, uint64_t *ret_index);
/* Is an answer on its way? */
bool mds_listing_asks(const struct mds_listing *listing);
/* The group that is being asked. */
uint32_t mds_listing_group(const struct mds_listing *listing);
/* Was the last one taken? */
bool mds_listing_ended(const struct mds_listing *listing);

#endif
