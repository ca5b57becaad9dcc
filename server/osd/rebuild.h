/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An OSD whose store is damaged gets an empty one, which its peers fill, without waiting for anybody (configuration osd_rebuild):
 *
 *	damaged ──the daemon ends──▶ mkfs.nacre --osd N --force ──made──▶ the daemon starts anew, in the same process
 *	                                   └──refused: again in a while
 *
 * mkfs.nacre judges whether that would lose data, and does nothing then: while this OSD alone has all of a group, what it has left
 * is for its operator to look at.
 */
#ifndef NACRE_SERVER_OSD_REBUILD_H
#define NACRE_SERVER_OSD_REBUILD_H

/* Does this complaint of RocksDB say that what it holds is damaged, not that it cannot be had? */
int osd_rebuild_helps(const char *complaint);
/* The store of OSD `id` is to be made anew when the daemon has ended. */
void osd_rebuild_want(const char *config_file, unsigned int id);
/* The daemon has ended with this status: make the store if that is wanted, and begin again with `argv`. Returns the status if not. */
int osd_rebuild_if_wanted(int status, char **argv);

#endif
