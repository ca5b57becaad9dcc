/* SPDX-License-Identifier: GPL-2.0 */
/*
 * After a loss of power, before the OSD starts again: is what its store says whole? Every block that an object has is
 * read and has the checksum of its map. Replicas would heal what is not, and nobody would see the fault.
 *
 * The store is opened as the OSD would, replays its journal, and writes nothing.
 */
#ifndef NACRE_SIM_SCRUB_H
#define NACRE_SIM_SCRUB_H

#include "sim.h"

/* On the daemon's host, which is up. `done` follows; what has been opened is then to be forgotten with a crash of the host. */
void scrub_start(struct sim_daemon *daemon, uint64_t fsid_lo, uint64_t fsid_hi,
		 void (*done)(struct sim_daemon *daemon));

#endif
