/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In some histories others read that OSDs are nearly full, full, or have not said, at random times and for as long, whatever is true: where data goes
 * is to heed that, and to come to rest; nothing else may depend on it.
 */
#ifndef NACRE_SIM_FILLS_H
#define NACRE_SIM_FILLS_H

#include "server/base/mapedit.h"
#include "sim.h"

void fills_begin(struct sim *sim);
/* No more changes; in half of the histories what OSDs say is the truth again. */
void fills_end(struct sim *sim);
/* How full all are, as others read it. */
void fills_read(struct sim *sim, struct mapedit_fill fills[NACRE_MAP_OSDS_MAX]);

#endif
