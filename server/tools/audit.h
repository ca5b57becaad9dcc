/* SPDX-License-Identifier: GPL-2.0 */
/* `nacre audit`: lets the rank compare objects with inodes (server/mds/audit.h), and waits for its verdict. */
#ifndef NACRE_TOOLS_AUDIT_H
#define NACRE_TOOLS_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

/* Differs from other commands: a script tells a leak from an audit that could not be made. */
enum audit_exit {
	AUDIT_CLEAN = 0,
	AUDIT_FINDINGS = 1,
	AUDIT_NOT_MADE = 2,
};

/* What of an answer to `audit` is needed here. */
struct audit_words {
	char state[16];			/* none, running, stopped, clean, findings */
	char at[64];			/* "pool 1 group 2 of 64"; empty: nowhere */
	uint64_t objects, entries;
};

/* False: it is no such answer. */
bool audit_parse(const char *answer, struct audit_words *words);

/*
 * Run one with the metadata server `name`, or NULL: the one of this machine that is active. The report goes to standard
 * output, progress to standard error. enum audit_exit.
 */
int audit_run(const char *config_file, const char *name, unsigned int limit_ms);

#endif
