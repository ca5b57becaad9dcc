/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap of armed timers: a binary heap ordered by (time, order of arming),
 * so that equal times fire in the order they were armed. Shared by every
 * implementation of io.h. A timer knows its own place, so cancelling costs O(log n).
 */
#ifndef NACRE_TIMERS_H
#define NACRE_TIMERS_H

#include "io.h"

struct timers {
	struct io_timer **heap;		/* from index 1 */
	size_t count, room;
	uint64_t armed;			/* counts, for io_timer.order */
};

void timers_free(struct timers *timers);
/* Arm or move. Aborts when there is no memory: a lost deadline would be worse. */
void timers_arm(struct timers *timers, struct io_timer *timer, uint64_t at_ns);
void timers_cancel(struct timers *timers, struct io_timer *timer);
/* The next to fire, NULL: none. */
struct io_timer *timers_first(const struct timers *timers);

#endif
