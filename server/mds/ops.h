/* SPDX-License-Identifier: GPL-2.0 */
/* The handlers of requests, one per row of dispatch.c, and what several of them share. */
#ifndef MDS_OPS_H
#define MDS_OPS_H

#include "change.h"
#include "request.h"

int mds_op_lookup(struct mds *mds, struct mds_request *request);
int mds_op_getattr(struct mds *mds, struct mds_request *request);
int mds_op_open(struct mds *mds, struct mds_request *request);
int mds_op_readdir(struct mds *mds, struct mds_request *request);
int mds_op_statfs(struct mds *mds, struct mds_request *request);
int mds_op_quota(struct mds *mds, struct mds_request *request);
int mds_op_sync(struct mds *mds, struct mds_request *request);
int mds_op_filelock(struct mds *mds, struct mds_request *request);
int mds_op_create(struct mds *mds, struct mds_request *request);
int mds_op_make(struct mds *mds, struct mds_request *request);
int mds_op_link(struct mds *mds, struct mds_request *request);
int mds_op_unlink(struct mds *mds, struct mds_request *request);
int mds_op_rmdir(struct mds *mds, struct mds_request *request);
int mds_op_rename(struct mds *mds, struct mds_request *request);
int mds_op_setattr(struct mds *mds, struct mds_request *request);
int mds_op_setxattr(struct mds *mds, struct mds_request *request);
int mds_op_rmxattr(struct mds *mds, struct mds_request *request);
int mds_op_tmpfile(struct mds *mds, struct mds_request *request);

/* Time of the operation: the client's, or ours if it says none. */
uint64_t mds_op_time(struct mds *mds, const struct mds_request *request);
/* Entries of a directory have changed: size by `entries`, subdirectories by `subdirs`, times. */
void mds_dir_changed(struct mds_change *change, struct mds_inode *dir, int entries, int subdirs,
		     uint64_t now);
/* The inode has lost a name; with the last one it becomes an orphan. */
void mds_name_lost(struct mds_change *change, struct mds_inode *inode, uint64_t now);
/* A new inode in an entry, as the record says; `ino` from mds_choose_ino(). */
struct mds_inode *mds_make_inode(struct mds_change *change, struct mds_dentry *dentry,
				 uint64_t ino, uint32_t mode, uint64_t now);
/* Number for a new inode: the client's if it may use it, else ours. 0 and *ret_ino, or EINVAL. */
int mds_choose_ino(struct mds *mds, struct mds_request *request, uint64_t *ret_ino);

/*
 * Cut or extend a file for a request that is about to be answered: parks until nobody writes, changes, and parks
 * until the objects are cut. 0: done; the rest of the request's attributes go along through `more`.
 */
int mds_set_size(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
		 uint64_t size, void (*more)(struct mds *mds, struct mds_request *request,
					     struct mds_inode *inode));

#endif
