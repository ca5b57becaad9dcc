/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An OSD whose store is damaged gets an empty one, which its peers fill, without waiting for anybody (configuration osd_rebuild):
 *
 *	damaged ──the daemon ends──▶ mkfs.nacre --osd N --force ──made──▶ the daemon starts anew, in the same process
 *	                                   └──refused: again in 5 s, then in twice as long, up to 5 minutes (× time_scale)
 *
 * mkfs.nacre judges whether that would lose data, and does nothing then: while this OSD alone has all of a group, what it has left
 * is for its operator to look at: the log says each time what it was refused for. There is no admin socket meanwhile.
 */
#ifndef NACRE_SERVER_OSD_REBUILD_H
#define NACRE_SERVER_OSD_REBUILD_H

#include "server/base/config.h"

/* Does this complaint of RocksDB say that what it holds is damaged, not that it cannot be had? */
int osd_rebuild_helps(const char *complaint);
/* How long to wait when mkfs.nacre has refused so many times, 1 or more. */
unsigned int osd_rebuild_pause_s(unsigned int refusals, uint64_t time_scale_percent);
/* The store of the OSD with this configuration is to be made anew when the daemon has ended. */
void osd_rebuild_want(const struct config *config, unsigned int id);
/* The daemon has ended with this status: make the store if that is wanted, and begin again with `argv`. Returns the status if not. */
int osd_rebuild_if_wanted(int status, char **argv);

#endif
