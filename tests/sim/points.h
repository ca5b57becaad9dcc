/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where OSDs stood when they were killed or lost power: counted by the stage that a transaction or the write-back had reached, by how
 * its data is written, and by what happened. One crash counts once for each such place that something stood at. The counts
 * of many histories, each in a process of its own, come together in shared memory.
 */
#ifndef NACRE_SIM_POINTS_H
#define NACRE_SIM_POINTS_H

#include <stdio.h>
#include "sim_world.h"

#define SIM_POINTS(P)									\
	P(INTENT, "waits for its intent")						\
	P(WRITING, "its data is being written")					\
	P(WRITTEN, "its data waits for a flush")					\
	P(FLUSHING, "its data is being flushed")					\
	P(QUEUED, "waits for the journal")						\
	P(RECORD, "its record is being written and flushed")				\
	P(BEHIND, "its record is durable, one before it is not")			\
	P(DURABLE, "durable, not applied")						\
	P(APPLY_IMAGES, "being applied: images")					\
	P(APPLY_FLUSH, "being applied: flush of the device")				\
	P(APPLY_KEYS, "being applied: keys")						\
	P(TRIM, "applied: keys being flushed, to trim the journal")

#define SIM_POINT_ENUM(name, doc) SIM_POINT_##name,
enum sim_point { SIM_POINTS(SIM_POINT_ENUM) SIM_POINT_COUNT };

enum sim_point_data { SIM_DATA_NONE, SIM_DATA_JOURNALED, SIM_DATA_FRESH, SIM_DATA_IN_PLACE, SIM_DATA_COUNT };
enum sim_point_crash { SIM_POINT_KILL, SIM_POINT_POWER, SIM_POINT_POWER_ALL, SIM_POINT_CRASHES };

struct sim_points {
	uint64_t crashes[SIM_POINT_CRASHES];
	uint64_t errors;		/* of disks */
	uint64_t hit[SIM_POINT_COUNT][SIM_DATA_COUNT][SIM_POINT_CRASHES];
};

/* All zero, shared with processes that are forked from now on. */
struct sim_points *points_create(void);
struct osd_store;
/* This store's OSD is about to crash. */
void points_count(struct sim_points *points, const struct osd_store *store, enum sim_point_crash crash);
void points_error(struct sim_points *points);
/* A table, and how many of its places were never hit. */
void points_print(const struct sim_points *points, FILE *out);

#endif
