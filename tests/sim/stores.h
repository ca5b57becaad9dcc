/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies in the object stores at the end of a history. All daemons are killed,
 * the stores opened as after a crash; then in-sync replicas of a group must have the same
 * objects, byte for byte, with the same version, attributes and keys (OSD-3), and no object
 * may belong to an inode that nobody can reach. Their logs must be what was committed
 * before (groups.h), and nothing may have been missed there.
 */
#ifndef NACRE_SIM_STORES_H
#define NACRE_SIM_STORES_H

#include "sim.h"

/* `inos`: every inode of the tree. Fails the history when something is wrong. */
void stores_check(struct sim *sim, const uint64_t *inos, size_t count);

#endif
