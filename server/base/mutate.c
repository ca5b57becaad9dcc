// SPDX-License-Identifier: GPL-2.0
/* The switches behind mutate.h: one word, zero in every program but nacre-sim. */
#include <stdint.h>
#include "mutate.h"

static uint32_t mutations;

bool mutate(enum mutation mutation)
{
	return __builtin_expect(mutations >> mutation & 1, 0);
}

void mutate_set(enum mutation mutation, bool on)
{
	if (on)
		mutations |= 1u << mutation;
	else
		mutations &= ~(1u << mutation);
}
