/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looks into the placement groups of running OSDs, every few events, and tells
 * applied.h what is committed there. Logs keep 64 entries here, so none is cut off
 * between two looks; what an OSD had committed when it died is durable, and is
 * seen when it is back, or on its replica.
 */
#ifndef NACRE_SIM_GROUPS_H
#define NACRE_SIM_GROUPS_H

#include "sim.h"
#include "protocol/replica.h"

/* From now on. Fails the history when a rule is broken. */
void groups_watch(struct sim *sim);
/* One committed entry of a log, wherever it was found. */
void groups_note(struct sim *sim, uint32_t pool, uint32_t pg, const struct nacre_rep_entry *entry);
/* The end: was nothing missed? */
void groups_check(struct sim *sim);
/* How many requests were applied. */
uint64_t groups_applied(const struct sim *sim);
void groups_forget(struct sim *sim);

#endif
