/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How full an OSD is, as it judges itself (server/osd/fill.c) and tells all members with its lease (mapstore_lease_tell): status shows it, and
 * the coordinator heeds it (mapedit_move.c). No request depends on it.
 */
#ifndef NACRE_FILL_H
#define NACRE_FILL_H

#include <stdint.h>

enum fill_state {
	FILL_UNKNOWN,			/* it has not said: neither full nor empty */
	FILL_WELL,
	FILL_NEARLY,			/* osd_nearfull_percent */
	FILL_FULL,			/* writes of file data that need space get ENOSPC */
};

struct fill {
	enum fill_state state;
	uint64_t bytes_total, bytes_free;	/* for ordinary requests */
};

/* In use, rounded down: 100 is full. */
static inline unsigned int fill_percent(const struct fill *fill)
{
	return fill->bytes_total ? (unsigned int)((fill->bytes_total - fill->bytes_free) * 100 / fill->bytes_total) : 100;
}

static inline const char *fill_name(enum fill_state state)
{
	static const char *const names[] = { "unknown", "well", "nearly full", "full" };

	return names[state];
}

#endif
