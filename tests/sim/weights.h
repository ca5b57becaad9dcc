/* SPDX-License-Identifier: GPL-2.0 */
/* In some histories the weights of OSDs change at random times, so that groups move; at the end everything must be where it should be. */
#ifndef NACRE_SIM_WEIGHTS_H
#define NACRE_SIM_WEIGHTS_H

#include "sim.h"

void weights_begin(struct sim *sim);
/* No more changes; in half of the histories all OSDs weigh the same again. */
void weights_end(struct sim *sim);
/* Has every group the members it should have, all in sync, and nobody on its way out? */
bool weights_settled(struct sim *sim);
/* A hash of who has which slot. */
uint64_t weights_placement(struct sim *sim);

#endif
