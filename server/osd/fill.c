// SPDX-License-Identifier: GPL-2.0
/*
 * How full the store is, in words, for who looks after the machines, and for the coordinator, which gives nothing more to who is nearly
 * full (mapedit_move.c): it goes with the lease. No request depends on it. What a full store does is in
 * exec.c (blocks_to_leave) and request.c (judge_space): each request is judged by itself, by the space of its own group's members,
 * and nothing changes for requests that need none, or of other groups.
 */
#include "osd_core.h"

#define BACK_PERCENT 2u			/* so far below a mark it is unsaid: not every few seconds */

/* Less than an object's usual share is as good as nothing, and what is written now and then shall not make it come and go. */
static enum fill_state judge(const struct osd *osd, const struct fill *fill)
{
	if (fill->bytes_free < fill->bytes_total / 1000 ||
	    (osd->fill == FILL_FULL && fill->bytes_free < fill->bytes_total / 200))
		return FILL_FULL;
	return fill_percent(fill) + (osd->fill >= FILL_NEARLY ? BACK_PERCENT : 0) >= osd->config.nearfull_percent ? FILL_NEARLY
													: FILL_WELL;
}

struct fill osd_fill(const struct osd *osd)
{
	struct osd_store_space space = osd_store_space(osd->store);
	struct fill fill = { .bytes_total = space.bytes_total, .bytes_free = space.bytes_free };

	fill.state = judge(osd, &fill);
	return fill;
}

void osd_fill_tick(struct osd *osd)
{
	struct fill fill = osd_fill(osd);
	enum fill_state before = osd->fill;

	mapstore_lease_tell(osd->config.mapstore, fill);
	osd->fill = fill.state;
	if (fill.state == before)
		return;
	if (fill.state == FILL_FULL)
		log_warn(osd->log, "osd", "full: what needs space gets ENOSPC; reading, overwriting and deleting go on");
	else if (fill.state == FILL_NEARLY)
		log_warn(osd->log, "osd", "nearly full: %u %% of %llu MiB are in use", fill_percent(&fill),
			 (unsigned long long)(fill.bytes_total >> 20));
	else if (before != FILL_UNKNOWN)
		log_info(osd->log, "osd", "no longer nearly full: %u %% in use", fill_percent(&fill));
}
