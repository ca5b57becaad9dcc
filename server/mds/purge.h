/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deleting what nobody needs any more, in the background: the objects of removed
 * inodes, and of inode numbers that a lost client was given and never declared (INO-1). Jobs are records
 * of the table and events of the journal, so they go on after a restart.
 */
#ifndef MDS_PURGE_H
#define MDS_PURGE_H

#include "format.h"
#include "inode.h"

struct mds_record;

void mds_purge_init(struct mds *mds);
void mds_purge_free(struct mds *mds);
/* The orphan goes: journals its end and frees it. False: something of it is still on its way to the store. */
bool mds_purge_inode(struct mds *mds, struct mds_inode *inode);
/* Delete the objects of numbers that were never declared. */
void mds_purge_numbers(struct mds *mds, uint64_t first, uint64_t count);
/* A job from the table or the journal. */
void mds_purge_known(struct mds *mds, const struct mds_purge_image *image, uint64_t seq);
void mds_purge_forget(struct mds *mds, uint64_t ino);
/* Is this inode gone, though its objects may still be there? Those in the table only are not looked for. */
bool mds_purge_has(struct mds *mds, uint64_t ino);
/* The same, and of numbers that were never declared. */
bool mds_purge_covers(struct mds *mds, uint64_t ino);
uint32_t mds_purge_encode(struct mds *mds, uint64_t ino, uint8_t *room);
/* Begin with what is there. */
void mds_purge_kick(struct mds *mds);
uint64_t mds_purge_count(const struct mds *mds);

/* purge_backlog.c: of them, in the table only. */
uint64_t mds_purge_stored(const struct mds *mds);
/* The table is read, and has this one: true if it stays there alone. */
bool mds_purge_keep_stored(struct mds *mds, const struct mds_purge_image *image);
/* The record stands in the table: drop both if there are too many in memory. */
void mds_purge_written(struct mds *mds, struct mds_record *record);

/*
 * The size of a file whose writer was lost (SIZE-2): pins the FILE lock,
 * probes the objects downward, journals what it found.
 */
void mds_recover_init(struct mds *mds);
void mds_recover_free(struct mds *mds);
void mds_recover_size(struct mds *mds, struct mds_inode *inode);

/*
 * Carry a truncation out that is journaled (trim_end is set): shortens and deletes objects, then journals
 * that it is done and wakes the inode's waiters. The FILE lock is pinned meanwhile.
 */
void mds_truncate_run(struct mds *mds, struct mds_inode *inode);

#endif
