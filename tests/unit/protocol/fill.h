/* SPDX-License-Identifier: GPL-2.0 */
/* Filling any wire structure deterministically, by its descriptor: for round trips and golden bytes. */
#ifndef NACRE_TEST_FILL_H
#define NACRE_TEST_FILL_H

#include "protocol/codec.h"

/* Every structure there is. */
const struct nacre_struct *const *fill_structs(unsigned int *count);

/*
 * Give every field of *host a value of its own, different from its neighbours', and every tail some
 * bytes (at most tail_most, at most its limit). Tails point into static memory.
 */
void fill_host(const struct nacre_struct *desc, void *host, __u32 tail_most);

/* Are two host structs the same, tails by contents? */
int fill_equal(const struct nacre_struct *desc, const void *a, const void *b);

#endif
