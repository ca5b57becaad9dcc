/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clones and snapshots of objects, in a third of the histories. Metadata servers make none yet, so hands of its own use the object
 * client of whoever is mounted: they write, zero, cut, allocate, clone, snapshot, go back and delete objects of inode numbers
 * that nobody else has, and know what each of them must hold. Each hand does one thing at a time, so every answer is certain;
 * what was under way when its client died may happen or not, at any time, so the hand leaves these objects lying and takes new numbers.
 */
#ifndef NACRE_SIM_CLONES_H
#define NACRE_SIM_CLONES_H

#include "sim.h"

struct clones;

void clones_begin(struct sim *sim);
/* The client is dead, or about to be destroyed. */
void clones_client_gone(struct sim_client *client);
/* Nothing is under way. */
bool clones_are_idle(const struct sim *sim);
/* NULL, or what is stuck. */
const char *clones_stuck(struct sim *sim);
/* The end: all that is known to be there is read by this client, which is mounted. */
void clones_check(struct sim *sim, struct client *client);

#endif
