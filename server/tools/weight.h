/* SPDX-License-Identifier: GPL-2.0 */
/* `nacre weight`: how much data an OSD is given, beside the others. The cluster moves it (server/base/mapedit_move.c). */
#ifndef NACRE_TOOLS_WEIGHT_H
#define NACRE_TOOLS_WEIGHT_H

/*
 * OSD "osdN" gets a weight: a decimal number from 0 (it is emptied) to 1000, 1 is that of a new OSD. An exit status (tool.h).
 */
int weight_run(const char *map_store, const char *osd, const char *weight);

#endif
