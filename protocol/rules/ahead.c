// SPDX-License-Identifier: GPL-2.0
/* Whether to ask for small files' data ahead; see ahead.h. */
#include "ahead.h"
#include "names.h"

/* Cookies are hashes: entries lie about this far apart. */
static int is_near(__u64 from, __u64 to, __u64 entries)
{
	return entries <= NACRE_AHEAD_GAP ||
	       to - from <= NACRE_COOKIE_END / entries * NACRE_AHEAD_GAP;
}

int nacre_ahead_open(struct nacre_ahead *ahead, __u64 cookie, __u64 entries, int missing)
{
	int asks;

	if (cookie <= ahead->last) {		/* somebody has begun anew, or goes to and fro */
		ahead->last = 0;
		ahead->covered = 0;
	}
	/* What was asked for and did not come is asked for by itself. */
	asks = missing && cookie > ahead->covered && is_near(ahead->last, cookie, entries);
	ahead->last = cookie;
	if (asks)
		ahead->covered = NACRE_COOKIE_END;	/* one at a time */
	return asks;
}

void nacre_ahead_answered(struct nacre_ahead *ahead, __u64 covered)
{
	ahead->covered = covered ? covered : NACRE_COOKIE_END;
}
