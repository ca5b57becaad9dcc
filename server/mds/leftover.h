/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Journal objects that an earlier incarnation trimmed and did not live to delete: they are looked for once, when the
 * rank is active.
 */
#ifndef MDS_LEFTOVER_H
#define MDS_LEFTOVER_H

struct mds;
struct mds_leftover;

void mds_leftover_begin(struct mds *mds);
void mds_leftover_free(struct mds *mds);

#endif
