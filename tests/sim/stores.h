/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies in the object stores at the end of a history. All daemons are killed,
 * the stores opened as after a crash; then in-sync replicas of a group must have the same
 * objects, byte for byte, with the same version, attributes and keys (OSD-3), and the objects
 * must be those that the tree needs: none of an inode that nobody can reach, none behind the end of a file, none missing.
 * Their logs must be what was committed before (groups.h), and nothing may have been missed there.
 */
#ifndef NACRE_SIM_STORES_H
#define NACRE_SIM_STORES_H

#include "sim.h"

/* An inode of the tree, as a client sees it. */
struct store_inode {
	uint64_t ino;
	uint64_t size;			/* of a file; else 0 */
	bool is_dir;
	bool kept;			/* room behind its end is no leak */
	bool is_inline;			/* its data is in the inode: no object has any, or the mark (INLINE-1) */
	bool stored;			/* stores_check(): it has an object 0 in some pool */
};

/* Every inode of the tree. Fails the history when something is wrong. */
void stores_check(struct sim *sim, struct store_inode *inodes, size_t count);

#endif
