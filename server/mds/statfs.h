/* SPDX-License-Identifier: GPL-2.0 */
/* Space and counts of the cluster, kept for a second; see statfs.c. */
#ifndef MDS_STATFS_H
#define MDS_STATFS_H

#include <stdbool.h>

struct mds;
struct conn;
struct message;

void mds_statfs_init(struct mds *mds);

void mds_statfs_free(struct mds *mds);
/* Connections to OSDs that are ours: true. A message that is not ours stays the caller's. */
bool mds_statfs_opened(struct mds *mds, struct conn *conn);
bool mds_statfs_closed(struct mds *mds, struct conn *conn);
bool mds_statfs_message(struct mds *mds, struct conn *conn, struct message *message);

#endif
