/* SPDX-License-Identifier: GPL-2.0 */
/* Sets of numbers as sorted runs; see intervals.h. */
#include "intervals.h"
#include "alloc.h"

/* The first run that ends behind `number`. */
static uint32_t run_at(const struct mds_intervals *set, uint64_t number)
{
	uint32_t low = 0, high = set->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct mds_run *run = &set->runs[middle];

		if (run->first + run->count <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool mds_intervals_has(const struct mds_intervals *set, uint64_t number)
{
	uint32_t at = run_at(set, number);

	return at < set->count && set->runs[at].first <= number;
}

static void insert_run(struct mds_intervals *set, uint32_t at, uint64_t first, uint64_t count)
{
	if (set->count == set->room) {
		set->room = set->room ? set->room * 2 : 4;
		set->runs = mds_resize(set->runs, set->room * sizeof(*set->runs));
	}
	memmove(&set->runs[at + 1], &set->runs[at], (set->count - at) * sizeof(*set->runs));
	set->runs[at] = (struct mds_run){ first, count };
	set->count++;
}

static void remove_run(struct mds_intervals *set, uint32_t at)
{
	set->count--;
	memmove(&set->runs[at], &set->runs[at + 1], (set->count - at) * sizeof(*set->runs));
}

void mds_intervals_add(struct mds_intervals *set, uint64_t first, uint64_t count)
{
	uint32_t at;

	if (!count)
		return;
	mds_intervals_remove(set, first, count);
	at = run_at(set, first);
	if (at > 0 && set->runs[at - 1].first + set->runs[at - 1].count == first)
		set->runs[--at].count += count;
	else
		insert_run(set, at, first, count);
	if (at + 1 < set->count && set->runs[at].first + set->runs[at].count == set->runs[at + 1].first) {
		set->runs[at].count += set->runs[at + 1].count;
		remove_run(set, at + 1);
	}
}

void mds_intervals_remove(struct mds_intervals *set, uint64_t first, uint64_t count)
{
	uint64_t end = first + count;
	uint32_t at = run_at(set, first);

	while (at < set->count && set->runs[at].first < end) {
		uint64_t run_first = set->runs[at].first;
		uint64_t run_end = run_first + set->runs[at].count;

		if (run_first < first) {
			set->runs[at].count = first - run_first;
			if (run_end > end)
				insert_run(set, at + 1, end, run_end - end);
			at++;
		} else if (run_end > end) {
			set->runs[at] = (struct mds_run){ end, run_end - end };
		} else {
			remove_run(set, at);
		}
	}
}

void mds_intervals_remove_below(struct mds_intervals *set, uint64_t number)
{
	if (number)
		mds_intervals_remove(set, 0, number);
}

uint64_t mds_intervals_total(const struct mds_intervals *set)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < set->count; i++)
		total += set->runs[i].count;
	return total;
}

void mds_intervals_free(struct mds_intervals *set)
{
	free(set->runs);
	*set = (struct mds_intervals){ 0 };
}
