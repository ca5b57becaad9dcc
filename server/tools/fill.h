/* SPDX-License-Identifier: GPL-2.0 */
/* How full OSDs are: what those of this machine answer at their admin sockets. Nobody else is asked, and who does not answer is left out. */
#ifndef NACRE_TOOLS_FILL_H
#define NACRE_TOOLS_FILL_H

#include <stdbool.h>

struct fill {
	bool known;
	unsigned int percent;
	char word[16];			/* "well", "nearly full", "full" */
};

/* An OSD's answer to `status`. False: it does not say. */
bool fill_parse(const char *answer, struct fill *ret_fill);
/* By OSD id, NACRE_MAP_OSDS_MAX of them, malloc'ed; NULL: nothing is known. */
struct fill *fill_ask(const char *config_file);

#endif
