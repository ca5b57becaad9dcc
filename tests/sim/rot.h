/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Silent corruption: in a third of the histories bytes of blocks, or checksums of them, change on one OSD that is not told.
 * They must never be seen, scrubs must find and repair them, and nothing else may ever be found by a scrub. While there is
 * rot the other OSDs stay up: what only the rotten one had would be lost. Where two of three must be there, and nothing is
 * overwritten in place, all come and go, with what they have stored.
 */
#ifndef NACRE_SIM_ROT_H
#define NACRE_SIM_ROT_H

#include "sim.h"

void rot_begin(struct sim *sim);
/* Is there rot that no scrub has looked for yet? Then no other disk may fail. */
bool rot_is_there(const struct sim *sim);
/*
 * May OSDs be struck, but for what they have stored? Not while there is rot, unless another one that is right is always there (min_size), and
 * nothing is overwritten in place.
 */
bool rot_bears_faults(const struct sim *sim);
/* No clients are left: rot once more, scrub, and wait until a second scrub finds nothing. */
void rot_at_end(struct sim *sim);
/* What scrubs have found so far must be rot, and repaired. */
void rot_check(struct sim *sim);

#endif
