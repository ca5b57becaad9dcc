/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the records say of shared blocks (shares.h), beside what a check of the store finds in objects.
 *
 * Memory: 2 KiB for each page in which a block is shared, or said to be.
 */
#ifndef NACRE_SERVER_OSD_CHECK_SHARES_H
#define NACRE_SERVER_OSD_CHECK_SHARES_H

#include "store.h"

struct check_share_page;

struct check_shares {
	struct check_share_page *pages;	/* hash by number */
};

/* A record. 0, or -EBADMSG: it cannot be understood. */
int check_shares_record(struct check_shares *shares, const struct kv_pair *pair);
/* How many references of a block beyond the first there are by its record. */
uint32_t check_shares_recorded(const struct check_shares *shares, uint64_t block);
/* One more than the first is found. How many by now? */
uint32_t check_shares_found(struct check_shares *shares, uint64_t block);
/* All objects are known: blocks of which fewer references are found than there should be, ascending. */
void check_shares_compare(struct check_shares *shares, void *owner,
			  void (*fewer)(void *owner, uint64_t block, uint32_t recorded, uint32_t found));
void check_shares_free(struct check_shares *shares);

#endif
