/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The io_uring implementation of io.h: one ring, one thread, a small pool of
 * helper threads for io_offload(). See uring.c.
 */
#ifndef NACRE_URING_H
#define NACRE_URING_H

#include "io.h"
#include "stats.h"

struct uring_config {
	unsigned int entries;		/* submission queue, 0 = default */
	unsigned int helper_threads;	/* for io_offload, 0 = default; one more for urgent jobs */
	unsigned int recv_buffers;	/* provided buffers, 0 = default */
	unsigned int recv_buffer_bytes;
	uint32_t deadline_ms;		/* no disk operation may take longer, 0 = default; before scaling */
	uint32_t time_scale_percent;	/* of that deadline and of the sockets', 0 = 100 */
};

/* 0 or -errno (-ENOSYS, -EPERM: io_uring is switched off here). */
int uring_create(const struct uring_config *config, struct io **ret_io);
/* Run the loop until uring_stop(). */
int uring_run(struct io *io);
/* May be called from the loop's thread only. */
void uring_stop(struct io *io);
/* Call `handler` from the loop when one of SIGTERM, SIGINT, SIGHUP arrives (signalfd). */
int uring_on_signal(struct io *io, void (*handler)(void *owner, int signal), void *owner);
/*
 * Owners are not called any more, but for what they wait to be rid of: jobs given to io_offload(),
 * streams they have closed.
 */
void uring_destroy(struct io *io);
/* What this ring has done: bytes on wires and disks, system calls. */
const struct stats_set *uring_stats(struct io *io);

#endif
