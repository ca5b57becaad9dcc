/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of mapedit.h share: rows of groups, and the draw for their slots. */
#ifndef NACRE_MAPEDIT_CORE_H
#define NACRE_MAPEDIT_CORE_H

#include "mapedit.h"
#include "protocol/rules/placement.h"

/* ---- mapedit.c ---- */

bool mapedit_osd_is_up(const struct mapedit *edit, uint16_t id);
/* Give a slot to an OSD, or to NACRE_OSD_NONE: it is not in sync, and a new interval begins. */
void mapedit_set_slot(struct mapedit *edit, struct nacre_map_pg *pg, int slot, uint16_t osd);

static inline bool mapedit_is_in_sync(const struct nacre_map_pg *pg, int slot)
{
	return pg->in_sync >> slot & 1;
}

/* ---- mapedit_place.c ---- */

/* The number that an OSD draws for a group: the higher, the more it is the group's. */
double mapedit_draw(uint32_t pool, uint32_t pg, const struct nacre_map_osd *osd);

/* ---- mapedit_move.c ---- */

/* A pool whose groups are all empty: make the numbers of slots even, in place. */
void mapedit_even_out(struct mapedit *edit, uint32_t pool);

#endif
