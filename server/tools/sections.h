/* SPDX-License-Identifier: GPL-2.0 */
/* Which daemons a configuration file speaks of: the numbers in its [mdsN] and [osdN]. */
#ifndef NACRE_TOOLS_SECTIONS_H
#define NACRE_TOOLS_SECTIONS_H

#include <stdint.h>
#include "protocol/map.h"

struct sections {
	uint16_t osds[NACRE_MAP_OSDS_MAX];	/* ascending */
	unsigned int osd_count;
	uint16_t mds[NACRE_MAP_RANKS_MAX];	/* ascending */
	unsigned int mds_count;
};

/*
 * Read the section names of a file that config_load() has accepted. 0; -EFBIG: more
 * daemons than a map has room for; -errno.
 */
int sections_read(const char *file, struct sections *sections);

#endif
