/* SPDX-License-Identifier: GPL-2.0 */
/* What the workload offers those who make calls of their own. */
#ifndef NACRE_SIM_WORKLOAD_H
#define NACRE_SIM_WORKLOAD_H

struct sim_worker;

/* Its call has ended: the next one after a while. */
void workload_think(struct sim_worker *worker);

#endif
