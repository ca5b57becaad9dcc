/* SPDX-License-Identifier: GPL-2.0 */
/* Clients and tools that ask this rank for the cluster map, once or for every newer one. */
#ifndef MDS_MAP_READERS_H
#define MDS_MAP_READERS_H

#include "protocol/session.h"

struct mds;
struct conn;

void mds_map_get(struct mds *mds, struct conn *conn, const struct nacre_map_get *get);
void mds_map_tell(struct mds *mds);
void mds_map_forget(struct mds *mds, struct conn *conn);
void mds_map_readers_free(struct mds *mds);

#endif
