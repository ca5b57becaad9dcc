/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An object server for tests of the rank: real frames in front, objects in plain memory behind, no replicas,
 * no disk. Every object of every group is on this one OSD. It can be told to
 * hold requests on one inode, and to die after so many of them.
 */
#ifndef MDST_OSD_H
#define MDST_OSD_H

#include <stdbool.h>
#include "protocol/osd.h"
#include "tests/sim/sim_mapstore.h"

struct mdst_osd;

#define MDST_OSD_INSTANCE 1
#define MDST_OSD_PORT 7300
#define MDST_PGS 2			/* groups of each pool */

struct mdst_osd *mdst_osd_create(struct sim_world *world, struct sim_store *store);
void mdst_osd_destroy(struct mdst_osd *osd);
struct io_address mdst_osd_address(const struct mdst_osd *osd);

/* Requests on objects of this inode wait (0: none do; those that waited are executed). */
void mdst_osd_hold(struct mdst_osd *osd, uint64_t ino);
/* Execute so many more changing requests, and then nothing at all until mdst_osd_revive(). */
void mdst_osd_die_after(struct mdst_osd *osd, unsigned int changes);
void mdst_osd_revive(struct mdst_osd *osd);
bool mdst_osd_is_dead(const struct mdst_osd *osd);
/* Answer the next `times` requests that begin with such an operation with `result`, and do nothing. */
void mdst_osd_refuse(struct mdst_osd *osd, enum nacre_osd_op_code code, unsigned int times,
		     uint32_t result);
/* Changing requests executed so far. */
unsigned int mdst_osd_changes(const struct mdst_osd *osd);
/* Operations of this kind executed so far. */
unsigned int mdst_osd_ops(const struct mdst_osd *osd, enum nacre_osd_op_code code);

/* What is there. */
bool mdst_osd_exists(const struct mdst_osd *osd, uint32_t pool, uint64_t ino, uint64_t index);
/* Of all its objects together, and of the fullest of them. */
unsigned int mdst_osd_keys(const struct mdst_osd *osd, uint32_t pool, uint64_t ino);
unsigned int mdst_osd_keys_max(const struct mdst_osd *osd, uint32_t pool, uint64_t ino);
unsigned int mdst_osd_objects(const struct mdst_osd *osd, uint32_t pool, uint64_t ino);
bool mdst_osd_has_attr(const struct mdst_osd *osd, uint32_t pool, uint64_t ino, const char *name);
/* Objects of ordinary inodes, in all pools. */
unsigned int mdst_osd_ordinary(const struct mdst_osd *osd);
/* As if it had been lost, or never deleted. */
void mdst_osd_lose(struct mdst_osd *osd, uint32_t pool, uint64_t ino, uint64_t index);
/* As if a client had written: an object of so many bytes. */
void mdst_osd_put(struct mdst_osd *osd, uint32_t pool, uint64_t ino, uint64_t index, uint64_t bytes);
/* An attribute of a file's object 0, as if a client had set it. */
void mdst_osd_mark(struct mdst_osd *osd, uint64_t ino, const char *name);

#endif
