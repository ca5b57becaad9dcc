/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small files whose data lies in the inode: what the rank does with it, by protocol/rules/inline.h. The bytes are in
 * the inode's image like everything else of it; clients get them together with the caps that need them, and send them back
 * with a flush. Looking for the mark after a loss is recover.c's.
 */
#ifndef MDS_INLINE_H
#define MDS_INLINE_H

#include "inode.h"
#include "protocol/caps.h"

/* A new file's data begins in the inode, if the file system allows it. */
void mds_inline_begin(struct mds *mds, struct mds_inode *inode);
/* One of the events of the rank's machine that take nothing from a flush. */
void mds_inline_step(struct mds *mds, struct mds_inode *inode, uint8_t event);
/* A flush of FILE, its size and times already taken in. `alone`: its sender had the file to itself. */
void mds_inline_flush(struct mds *mds, struct mds_inode *inode,
		      const struct nacre_cap_update *update, bool alone);
/* INLINE-5: caps on data go with the data. Called with the caps filled in; `asked`: even without caps. */
void mds_inline_fill(const struct mds_inode *inode, bool asked, struct nacre_inode_info *info);

#endif
