/* SPDX-License-Identifier: GPL-2.0 */
/* The version that every program of nacre tells. */
#ifndef NACRE_VERSION_H
#define NACRE_VERSION_H

#include <stdio.h>
#include "protocol/session.h"

#define NACRE_VERSION "0.1"

/* "nacre-osd 0.1, protocol 1" */
static inline void version_print(const char *program)
{
	printf("%s %s, protocol %u\n", program, NACRE_VERSION, NACRE_PROTOCOL_VERSION);
}

#endif
