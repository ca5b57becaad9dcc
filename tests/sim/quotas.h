/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quotas in a third of the histories: limits are set on directories that happen to be empty, and lifted. At the end
 * the sums of each must be those of the tree.
 */
#ifndef SIM_QUOTAS_H
#define SIM_QUOTAS_H

#include "sim.h"

/* Does this history have any? And how tight they are. */
void quotas_begin(struct sim *sim);
/* Fill in a call that sets or lifts one on `dir`. */
void quotas_choose(struct sim *sim, struct client_call *call, uint64_t dir, uint64_t dice);

/* An inode of the tree that was found at the end, and a directory that it is in. */
struct quotas_inode {
	uint64_t ino, parent, size;
};

/* What the rank says of `dir` against what is in the tree. */
void quotas_check(struct sim *sim, uint64_t dir, const struct nacre_quota *quota,
		  const struct quotas_inode *inodes, size_t count);

#endif
