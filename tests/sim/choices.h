/* SPDX-License-Identifier: GPL-2.0 */
/* What a worker of the workload calls next, and what it learns from the answer. */
#ifndef NACRE_SIM_CHOICES_H
#define NACRE_SIM_CHOICES_H

#include "sim.h"

uint64_t worker_dice(const struct sim_worker *worker, uint64_t sides);
/* Fill worker->call: the next one. */
void worker_choose(struct sim_worker *worker);
/* The open file that the call reads or writes, or NULL: it is not closed meanwhile. */
struct sim_open_file *worker_file_in_use(struct sim_worker *worker);
/* The call has ended. */
void worker_learn(struct sim_worker *worker);

#endif
