/* SPDX-License-Identifier: GPL-2.0 */
/* `nacre fsck`: is the store of an OSD that does not run right in itself (server/osd/check.h)? Nothing is changed. */
#ifndef NACRE_TOOLS_FSCK_H
#define NACRE_TOOLS_FSCK_H

#include <stdbool.h>
#include "server/base/config.h"

/* As of `nacre audit`: a script tells faults from a check that could not be made. */
enum fsck_exit {
	FSCK_CLEAN = 0,
	FSCK_FAULTS = 1,
	FSCK_NOT_MADE = 2,
};

/*
 * Of the OSD that the configuration was loaded for. `deep`: every block is read and compared with its checksum. Faults and
 * sums go to standard output, progress to standard error. enum fsck_exit.
 */
int fsck_run(const struct config *config, bool deep);

#endif
