/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Simulated disks: named files of a host, of fixed size. A write is visible
 * when it is done and durable when a sync that began later is done. When the
 * machine loses power each write that is not durable is kept, lost, or torn at
 * sectors of 512 bytes, in any order and independently of the others. A discard
 * writes anything, and may not overlap with a write or discard that is under way.
 */
#ifndef NACRE_SIM_DISK_H
#define NACRE_SIM_DISK_H

#include "sim_world.h"

#define SIM_SECTOR_BYTES 512u

/* Make an empty (all zero) file on a host, as a tool would before the program starts. */
struct sim_file *sim_disk_add(struct sim_host *host, const char *path, uint64_t bytes);
/* What a discard of it should be aligned to; 0: it knows none. */
void sim_disk_set_grain(struct sim_file *file, uint32_t bytes);
/* Bytes of a host's disks that were discarded, ever. */
uint64_t sim_disk_discarded(const struct sim_host *host);
/* Synchronous access for tools and checks: no latency, durable at once. */
void sim_disk_peek(struct sim_file *file, uint64_t offset, void *buffer, size_t length);
void sim_disk_poke(struct sim_file *file, uint64_t offset, const void *buffer, size_t length);

int sim_disk_open(struct io *io, const char *path, struct io_file **ret_file);
uint64_t sim_disk_bytes(struct io_file *file);
/* By the seed: 512 or 4096. */
struct io_units sim_disk_units(const struct io_file *file);
void sim_disk_close(struct io_file *file);
void sim_disk_submit(struct io *io, struct io_disk *disk);

/*
 * Run an event once a write that is to be flushed has reached one of the host's disks, before that flush is done: one that is not the
 * only one on its way, as that has nothing to be out of order with; `alone`: whichever it is, and whatever is flushed.
 */
void sim_disk_at_flush(struct sim_host *host, struct sim_event *event, bool alone);
/* Run an event while the write or flush is under way, or shortly after, that one of the host's disks begins when so many have begun. */
void sim_disk_at_write(struct sim_host *host, struct sim_event *event, unsigned int skip);
/* The next operation of each of the host's disks fails with EIO, or does not after all; of a write anything may have been written. */
void sim_disk_fail_next(struct sim_host *host, bool fail);
void sim_disk_crash(struct sim_host *host, enum sim_crash kind);
void sim_disk_destroy_all(struct sim_host *host);

#endif
