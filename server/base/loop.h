/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The loop of a thread: io.h on this machine. One thread, and a small pool of
 * helper threads for io_offload(). It has two drivers with the same behaviour:
 *
 *	io_uring	one ring for sockets, disks and all (uring.c)
 *	epoll		epoll for sockets, libaio for disks, a timerfd (epoll.c)
 *
 * Without a wish io_uring is taken where it can be had, the other one where not.
 */
#ifndef NACRE_LOOP_H
#define NACRE_LOOP_H

#include "io.h"
#include "stats.h"

enum loop_kind {
	LOOP_AUTO,			/* what the environment's NACRE_IO says, else io_uring if it can be had */
	LOOP_URING,
	LOOP_AIO,
};

struct loop_config {
	enum loop_kind kind;
	unsigned int entries;		/* submission queue, 0 = default */
	unsigned int helper_threads;	/* for io_offload, 0 = default; one more for urgent jobs */
	unsigned int recv_buffers;	/* for received bytes, 0 = default */
	unsigned int recv_buffer_bytes;
	uint32_t deadline_ms;		/* no disk operation may take longer, 0 = default; before scaling */
	uint32_t time_scale_percent;	/* of that deadline and of the sockets', 0 = 100 */
};

/* "auto", "uring" or "aio". */
bool loop_kind_parse(const char *text, enum loop_kind *ret_kind);
/* 0 or -errno; loop_error() says it in words. */
int loop_create(const struct loop_config *config, struct io **ret_io);
const char *loop_error(int err);
/* Why this loop does without io_uring, although nobody has asked for that; NULL: it does not. */
const char *loop_fallback(struct io *io);
/* Run until loop_stop(). */
int loop_run(struct io *io);
/* May be called from the loop's thread only. */
void loop_stop(struct io *io);
/* Call `handler` from the loop when one of SIGTERM, SIGINT, SIGHUP arrives (signalfd). */
int loop_on_signal(struct io *io, void (*handler)(void *owner, int signal), void *owner);
/*
 * Owners are not called any more, but for what they wait to be rid of: jobs given to io_offload(),
 * streams they have closed.
 */
void loop_destroy(struct io *io);
/* What this loop has done: bytes on wires and disks, system calls. */
const struct stats_set *loop_stats(struct io *io);

#endif
