/* SPDX-License-Identifier: GPL-2.0 */
/*
 * After a loss of power, before the OSD starts again: is its store right in itself (server/osd/check.h)? Replicas would
 * heal what is not, and nobody would see the fault.
 */
#ifndef NACRE_SIM_SCRUB_H
#define NACRE_SIM_SCRUB_H

#include "sim.h"

/* On the daemon's host, which is up. `done` follows; what has been opened is then to be forgotten with a crash of the host. */
void scrub_start(struct sim_daemon *daemon, void (*done)(struct sim_daemon *daemon));

#endif
