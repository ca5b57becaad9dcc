/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every state that a world of caps_model.h can get into, breadth first: in each of them every
 * event is tried and everything checked. Prints what it found, and the events that lead to a state
 * where something is broken.
 */
#ifndef NACRE_TEST_CAPS_SEARCH_H
#define NACRE_TEST_CAPS_SEARCH_H

#include <stddef.h>
#include "caps_model.h"

struct found {
	const char *broken;		/* NULL, or what is */
	int all;			/* nothing is, and there are no more states */
};

/*
 * Up to `most` states; every `stride`-th is settled too. `expect_broken`: how it came about
 * is of no interest.
 */
struct found search_run(const struct model_rules *rules, size_t most, size_t stride,
			int expect_broken);

#endif
