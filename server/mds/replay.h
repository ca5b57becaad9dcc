/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From what the OSDs hold to what the rank had in memory when it ended:
 *
 *	table object (header, sessions, orphans, writers, purges)
 *	  ─▶ journal from the header's position, event by event, all in memory, nothing read meanwhile
 *	  ─▶ directories that are only known by number, orphans, inodes with writers: loaded
 *	  ─▶ reconnect.c
 */
#ifndef MDS_REPLAY_H
#define MDS_REPLAY_H

#include <stdint.h>
#include "format.h"

struct mds;

void mds_replay_begin(struct mds *mds);
void mds_replay_free(struct mds *mds);
/* Apply one event of batch `seq`. 0 or -EBADMSG. */
int mds_replay_event(struct mds *mds, const struct mds_event *event, uint64_t seq);

#endif
