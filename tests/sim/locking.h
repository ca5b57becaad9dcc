/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File locks in a history: in every third one workers lock, test, wait and give up between their other calls, out of
 * a random stream of their own. The oracle is who believes to hold what: from the end of a call that took a lock
 * to the beginning of the one that gives it up, or as long as its client's lease lives. No two
 * that exclude each other may believe so at once (FLOCK-1, FLOCK-2); whoever waits comes to his turn,
 * or workload_stuck() says so (FLOCK-3).
 */
#ifndef NACRE_SIM_LOCKING_H
#define NACRE_SIM_LOCKING_H

#include <stdbool.h>
#include <stdint.h>

struct sim;
struct sim_client;
struct sim_worker;

#define LOCKING_FILES 2
#define LOCKING_SLOTS 5			/* of a file: ranges of 10 bytes, and the last one is its flock */

void locking_begin(struct sim *sim);
/* Instead of its next call the worker does something about locks; `over`: it gives up what it has. False: nothing. */
bool locking_next(struct sim_worker *worker, bool over);
bool locking_holds(const struct sim_worker *worker);
/* The client is dead: it believes nothing any more. */
void locking_forget(struct sim_client *client);

#endif
