/* SPDX-License-Identifier: GPL-2.0 */
/* Between checkpoint.c, which decides when, and writeback.c, which knows how. */
#ifndef MDS_WRITEBACK_H
#define MDS_WRITEBACK_H

#include "dirty.h"

/*
 * Write this item, and others of the same object with it. False: it cannot go yet
 * (its change is not journaled, it is being written, a truncation is under way).
 */
bool mds_writeback_start(struct mds *mds, struct mds_dirty *dirty);

/* The rank ends: what waits for its batch goes nowhere. */
void mds_writeback_free_sealed(struct mds *mds);

/* It leaves the queue, its present value is on its way. */
void mds_dirty_begin(struct mds *mds, struct mds_dirty *dirty);
/* The answer has come. */
void mds_dirty_end(struct mds *mds, struct mds_dirty *dirty, bool written);

#endif
