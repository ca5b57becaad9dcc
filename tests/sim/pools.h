/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pools that change how they journal in the middle of a history: mode and least size of a direct write, at any time, under every fault.
 * Members follow when they hear of the map, each on its own: for a while the same request is executed in different modes.
 */
#ifndef NACRE_SIM_POOLS_H
#define NACRE_SIM_POOLS_H

#include "sim.h"

/* Does this history have it? By the seed; before anything is made. */
void pools_choose(struct sim *sim);
void pools_begin(struct sim *sim);
void pools_end(struct sim *sim);

#endif
