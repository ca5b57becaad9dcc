/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Write-back and trimming. Everything dirty stands in one queue by the batch that first changed it; the
 * journal is needed from the oldest of them on. Nothing is written back before
 * the batch of its newest change is safe: objects never run ahead of the journal.
 *
 *	dirty ──oldest first, all of one object together──▶ object requests ──done──▶ header ──▶ delete journal objects
 */
#ifndef MDS_CHECKPOINT_H
#define MDS_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

struct mds;

void mds_checkpoint_init(struct mds *mds);
/* Look whether there is something to write back or to trim; from the top of the loop. */
void mds_checkpoint_kick(struct mds *mds);
/* Write back everything that is dirty now, as if the journal were full; what comes later has its time. */
void mds_checkpoint_force(struct mds *mds);
/* Is something being written back, or about to be? */
bool mds_checkpoint_works(const struct mds *mds);
/* Is everything written back and trimmed? */
int mds_checkpoint_idle(const struct mds *mds);
/* Oldest batch that replay would need. */
uint64_t mds_checkpoint_expire(const struct mds *mds);
/* Write the header now (first start, new block of ids is in the journal). `done` from the top of the loop. */
void mds_header_write(struct mds *mds, uint64_t expire_seq, uint64_t expire_pos,
		      void (*done)(struct mds *mds, uint32_t result));

#endif
