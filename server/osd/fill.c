// SPDX-License-Identifier: GPL-2.0
/*
 * How full the store is, in words: nobody's work depends on it, only who looks after the machines. What a full store does is in
 * exec.c (blocks_to_leave) and request.c (judge_space): each request is judged by itself, by the space of its own group's members,
 * and nothing changes for requests that need none, or of other groups.
 */
#include "osd_core.h"

#define BACK_PERCENT 2u			/* so far below a mark it is unsaid: not every few seconds */

unsigned int osd_fill_percent(const struct osd_store_space *space)
{
	uint64_t used = space->bytes_total - space->bytes_free;

	return space->bytes_total ? (unsigned int)(used * 100 / space->bytes_total) : 100;
}

const char *osd_fill_name(enum osd_fill fill)
{
	static const char *const names[] = { "well", "nearly_full", "full" };

	return names[fill];
}

/* Less than an object's usual share is as good as nothing, and what is written now and then shall not make it come and go. */
static enum osd_fill find_fill(const struct osd *osd, const struct osd_store_space *space)
{
	unsigned int percent = osd_fill_percent(space), near = osd->config.nearfull_percent;

	if (space->bytes_free < space->bytes_total / 1000 ||
	    (osd->fill == OSD_FILL_FULL && space->bytes_free < space->bytes_total / 200))
		return OSD_FILL_FULL;
	return percent + (osd->fill != OSD_FILL_WELL ? BACK_PERCENT : 0) >= near ? OSD_FILL_NEARLY : OSD_FILL_WELL;
}

void osd_fill_tick(struct osd *osd)
{
	struct osd_store_space space = osd_store_space(osd->store);
	enum osd_fill fill = find_fill(osd, &space);

	if (fill == osd->fill)
		return;
	if (fill == OSD_FILL_FULL)
		log_warn(osd->log, "osd", "full: what needs space gets ENOSPC; reading, overwriting and deleting go on");
	else if (fill == OSD_FILL_NEARLY)
		log_warn(osd->log, "osd", "nearly full: %u %% of %llu MiB are in use", osd_fill_percent(&space),
			 (unsigned long long)(space.bytes_total >> 20));
	else
		log_info(osd->log, "osd", "no longer nearly full: %u %% in use", osd_fill_percent(&space));
	osd->fill = fill;
}
