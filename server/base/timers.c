// SPDX-License-Identifier: GPL-2.0
/* The heap of armed timers. See timers.h. */
#include <assert.h>
#include <stdlib.h>
#include "timers.h"

static bool fires_before(const struct io_timer *a, const struct io_timer *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void place(struct timers *timers, size_t index, struct io_timer *timer)
{
	timers->heap[index] = timer;
	timer->heap_index = index;
}

/* Put `timer` where it belongs, given that slot `index` is free. */
static void settle(struct timers *timers, size_t index, struct io_timer *timer)
{
	size_t child;

	while (index > 1 && fires_before(timer, timers->heap[index / 2])) {
		place(timers, index, timers->heap[index / 2]);
		index /= 2;
	}
	while ((child = index * 2) <= timers->count) {
		if (child < timers->count &&
		    fires_before(timers->heap[child + 1], timers->heap[child]))
			child++;
		if (!fires_before(timers->heap[child], timer))
			break;
		place(timers, index, timers->heap[child]);
		index = child;
	}
	place(timers, index, timer);
}

void timers_free(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){ 0 };
}

void timers_arm(struct timers *timers, struct io_timer *timer, uint64_t at_ns)
{
	size_t index = timer->heap_index;

	timer->at_ns = at_ns;
	timer->order = ++timers->armed;
	if (!index) {
		if (timers->count + 1 >= timers->room) {
			timers->room = timers->room ? timers->room * 2 : 64;
			timers->heap = realloc(timers->heap, timers->room * sizeof(*timers->heap));
			assert(timers->heap);
		}
		index = ++timers->count;
	}
	settle(timers, index, timer);
}

void timers_cancel(struct timers *timers, struct io_timer *timer)
{
	size_t index = timer->heap_index;
	struct io_timer *last;

	if (!index)
		return;
	timer->heap_index = 0;
	last = timers->heap[timers->count--];
	if (last != timer)
		settle(timers, index, last);
}

struct io_timer *timers_first(const struct timers *timers)
{
	return timers->count ? timers->heap[1] : NULL;
}
