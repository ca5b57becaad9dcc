// SPDX-License-Identifier: GPL-2.0
/*
 * Who is in sync, in the map: members that were caught up come in, members that cannot apply go out, and those whose
 * places were taken (mapedit_move.c) leave the group. Each change
 * of the map reaches everybody in the cluster, so what the groups of this OSD want is gathered: one change for all that
 * come within a window, which ends early when nobody else is being caught up, and one at a time.
 */
#include <errno.h>
#include "pg.h"
#include "server/base/mapedit.h"

#define WINDOW_MS 200u

enum edit_kind {
	EDIT_IN,			/* into the set */
	EDIT_OUT,
	EDIT_TRIM,			/* members whose places were taken go */
};

/* What a group wants; true of this interval and this daemon only. */
struct sync_edit {
	TAILQ_ENTRY(sync_edit) link;
	uint32_t pool, pg;
	uint64_t interval, instance;
	int slot;
	uint16_t member;
	enum edit_kind kind;
	int result;			/* of the edit last made */
};

static int edit_in(const struct sync_edit *edit, const struct cluster_map *now, struct mapedit *next)
{
	struct nacre_map_osd osd;

	if (nacre_map_osd_at(&now->view, edit->member, &osd) || osd.instance != edit->instance ||
	    !(osd.flags & NACRE_OSD_UP))
		return -EALREADY;
	return mapedit_pg_in_sync(next, edit->pool, edit->pg, (unsigned int)edit->slot);
}

/* Never the last member (OSD-1). */
static int edit_out(const struct sync_edit *edit, const struct nacre_map_pg *row, struct mapedit *next)
{
	struct nacre_map_pg *group = &next->pgs[next->pools[edit->pool].pg_first + edit->pg];

	if (!(row->in_sync & ~(1u << edit->slot)))
		return -EALREADY;
	group->in_sync &= (uint8_t)~(1u << edit->slot);
	group->interval = next->head.epoch;
	return 0;
}

static int edit_one(const struct sync_edit *edit, const struct cluster_map *now, const struct nacre_map_pg *row,
		    struct mapedit *next)
{
	switch (edit->kind) {
	case EDIT_IN:
		return edit_in(edit, now, next);
	case EDIT_OUT:
		return edit_out(edit, row, next);
	default:
		return mapedit_pg_trim(next, edit->pool, edit->pg);
	}
}

/* A group has one edit under way, so they do not touch each other. */
static int edit_all(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	struct osd *osd = owner;
	struct sync_edit *edit;
	struct nacre_map_pg row;
	unsigned int made = 0;

	TAILQ_FOREACH(edit, &osd->edits.under_way, link) {
		if (nacre_map_pg_at(&now->view, edit->pool, edit->pg, &row) ||
		    row.interval != edit->interval)
			edit->result = -EALREADY;
		else
			edit->result = edit_one(edit, now, &row, next);
		made += !edit->result;
	}
	return made ? 0 : -EALREADY;
}

/* The map is changed, or will never be by this: a new interval may have begun long since. */
static void edited(void *owner, int result)
{
	struct osd *osd = owner;
	struct sync_edit *edit;
	struct pg *pg;

	osd->edits.busy = false;
	while ((edit = TAILQ_FIRST(&osd->edits.under_way))) {
		TAILQ_REMOVE(&osd->edits.under_way, edit, link);
		pg = pg_find(osd, edit->pool, edit->pg);
		pg->edit_under_way = false;
		if (edit->kind == EDIT_IN)
			pg_recovery_edited(pg, &pg->members[edit->slot], edit->interval,
					   result ? result : edit->result);
		free(edit);
	}
	if (!TAILQ_EMPTY(&osd->edits.gathered))
		io_timer_arm(osd->io, &osd->edits.window, io_now(osd->io));
}

static void window_ends(struct io_timer *timer)
{
	struct osd *osd = (struct osd *)((char *)timer - offsetof(struct osd, edits.window));

	if (osd->edits.busy || TAILQ_EMPTY(&osd->edits.gathered))
		return;
	osd->edits.busy = true;
	osd->edits.urgent = false;
	TAILQ_CONCAT(&osd->edits.under_way, &osd->edits.gathered, link);
	member_change_map(osd->member, edit_all, edited, osd);
}

void osd_edits_init(struct osd *osd)
{
	TAILQ_INIT(&osd->edits.gathered);
	TAILQ_INIT(&osd->edits.under_way);
	osd->edits.window.fire = window_ends;
}

void osd_edits_end(struct osd *osd)
{
	struct sync_edit *edit;

	io_timer_cancel(osd->io, &osd->edits.window);
	TAILQ_CONCAT(&osd->edits.gathered, &osd->edits.under_way, link);
	while ((edit = TAILQ_FIRST(&osd->edits.gathered))) {
		TAILQ_REMOVE(&osd->edits.gathered, edit, link);
		free(edit);
	}
}

void osd_edits_kick(struct osd *osd)
{
	uint64_t now = io_now(osd->io);

	if (osd->failed || osd->edits.busy || TAILQ_EMPTY(&osd->edits.gathered))
		return;
	if (!osd->recoveries || osd->edits.urgent)
		io_timer_arm(osd->io, &osd->edits.window, now);
	else if (!osd->edits.window.heap_index)
		io_timer_arm(osd->io, &osd->edits.window, now + osd_scaled_ns(osd, WINDOW_MS));
}

static struct sync_edit *gather(struct pg *pg, enum edit_kind kind)
{
	struct sync_edit *edit = mem_zero(1, sizeof(*edit));

	edit->kind = kind;
	edit->pool = pg->key.pool;
	edit->pg = pg->key.pg;
	edit->interval = pg->interval;
	TAILQ_INSERT_TAIL(&pg->osd->edits.gathered, edit, link);
	pg->edit_under_way = true;
	return edit;
}

void pg_edit_sync(struct pg *pg, const struct pg_member *member, bool in)
{
	struct sync_edit *edit = gather(pg, in ? EDIT_IN : EDIT_OUT);
	struct nacre_map_osd row = { 0 };

	nacre_map_osd_at(&pg->osd->map->view, member->osd, &row);
	edit->instance = row.instance;
	edit->slot = (int)(member - pg->members);
	edit->member = member->osd;
	pg->osd->edits.urgent |= !in;	/* writes wait for it */
	osd_edits_kick(pg->osd);
}

/* All in the places below, and somebody behind them who is not us: then the next change of the map is theirs. */
static bool can_trim(const struct pg *pg)
{
	bool behind = false;
	int slot;

	for (slot = 0; slot < (int)pg->replicas; slot++)
		if (slot != pg->slot && !(pg->members[slot].in_set && pg->members[slot].up))
			return false;
	for (; slot < NACRE_PG_SLOTS; slot++)
		behind |= pg->members[slot].osd != NACRE_OSD_NONE;
	return behind;
}

void pg_trim(struct pg *pg)
{
	if (pg->state != PG_ACTIVE || pg->edit_under_way || !can_trim(pg))
		return;
	gather(pg, EDIT_TRIM);
	osd_edits_kick(pg->osd);
}
