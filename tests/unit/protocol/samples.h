/* SPDX-License-Identifier: GPL-2.0 */
/* One message of every type that means something: where fuzzing and validation tests start from. */
#ifndef NACRE_TEST_SAMPLES_H
#define NACRE_TEST_SAMPLES_H

#include "protocol/rules/validate.h"

/*
 * Fill *body (room for NACRE_BODY_HOST_MAX bytes, aligned) with a valid message of this type.
 * Returns the length of the data payload that goes with it, or -1 if there is no sample. Tails point
 * into static memory that the next call overwrites.
 */
int sample_body(__u16 type, void *body);

/* A cluster map of three OSDs with two copies, for tests that need one. */
void sample_map(struct nacre_map *map);

#endif
