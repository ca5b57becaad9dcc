// SPDX-License-Identifier: GPL-2.0
/*
 * Groups: their life, their states, and what a new map means for them. See pg.h.
 */
#include <assert.h>
#include "exec.h"
#include "pg.h"
#include "request.h"
#include "scrub.h"
#include "stabilize.h"

#define PG_STATE_NAME(NAME, text, doc) text,
static const char *const state_names[] = { PG_STATES(PG_STATE_NAME) };

const char *pg_state_name(enum pg_state state)
{
	return state_names[state];
}

void pg_set_state(struct pg *pg, enum pg_state state)
{
	if (pg->state == state)
		return;
	log_debug(pg->osd->log, "pg", "%u.%u: %s, then %s, interval %llu, log to %llu",
		  pg->key.pool, pg->key.pg, state_names[pg->state], state_names[state],
		  (unsigned long long)pg->interval, (unsigned long long)pg->last);
	pg->state = state;
	pg->state_ns = io_now(pg->osd->io);
}

struct pg *pg_find(struct osd *osd, uint32_t pool, uint32_t pg)
{
	uint32_t key[2] = { pool, pg };
	struct pg *found;

	HASH_FIND(hh, osd->pgs, key, sizeof(key), found);
	return found;
}

static struct pg *pg_new(struct osd *osd, uint32_t pool, uint32_t number)
{
	struct pg *pg = mem_zero(1, sizeof(*pg));

	pg->osd = osd;
	pg->key.pool = pool;
	pg->key.pg = number;
	pg->slot = -1;
	pg->state = PG_LOADING;
	pg->state_ns = io_now(osd->io);
	pglog_init(&pg->log);
	TAILQ_INIT(&pg->kept);
	TAILQ_INIT(&pg->writes);
	TAILQ_INIT(&pg->stabilizing);
	pg->inbox_last = &pg->inbox;
	HASH_ADD(hh, osd->pgs, key, sizeof(pg->key), pg);
	return pg;
}

static void kept_free(struct pg_kept_list *list)
{
	struct pg_kept *kept;

	while ((kept = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, kept, link);
		pg_kept_put(kept);
	}
}

static void forget_writes(struct pg *pg, uint32_t result)
{
	struct pg_write *write;

	while ((write = TAILQ_FIRST(&pg->writes))) {
		TAILQ_REMOVE(&pg->writes, write, link);
		if (write->request)
			request_abandon(write->request, result);
		if (write->stabilizing)
			pg_stabilized(write->stabilizing);
		free(write);
	}
}

static void end_recoveries(struct pg *pg, const char *why)
{
	int slot;

	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (pg->members[slot].recovery)
			pg_recovery_end(pg, &pg->members[slot], why);
}

void pgs_end(struct osd *osd)
{
	struct pg *pg, *next;

	HASH_ITER(hh, osd->pgs, pg, next) {
		end_recoveries(pg, "stopped");
		pg_member_reset(pg);
	}
}

bool pgs_quiet(struct osd *osd)
{
	struct pg *pg, *next;

	HASH_ITER(hh, osd->pgs, pg, next)
		if (pg->executing)
			return false;
	return true;
}

void pgs_free(struct osd *osd)
{
	struct pg *pg, *next;
	struct pg_write *write;

	HASH_ITER(hh, osd->pgs, pg, next) {
		while ((write = TAILQ_FIRST(&pg->writes))) {
			TAILQ_REMOVE(&pg->writes, write, link);
			if (write->stabilizing)
				pg_stabilized(write->stabilizing);
			free(write);	/* its request went with its client */
		}
		pg_stabilize_reset(pg);
		kept_free(&pg->kept);
		pglog_clear(&pg->log);
		free(pg->unspill);
		free(pg->loading);
		mem_bytes_free(&pg->log_parts);
		HASH_DELETE(hh, osd->pgs, pg);
		free(pg);
	}
	kept_free(&osd->replayed);
}

/* ---- what the map says ---------------------------------------------------------------------- */

struct pg_member *pg_member_of(struct pg *pg, uint16_t osd)
{
	int slot;

	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (pg->members[slot].osd == osd)
			return &pg->members[slot];
	return NULL;
}

/* Those parts of the map that can change within an interval. */
static void read_roles(struct pg *pg)
{
	const struct nacre_map_view *view = &pg->osd->map->view;
	struct pg_member *member;
	int slot;

	pg->slot = nacre_pg_slot_of(&pg->row, pg->osd->id);
	pg->primary = nacre_map_primary(view, pg->key.pool, pg->key.pg) == pg->osd->id;
	pg->enough = nacre_map_pg_active(view, pg->key.pool, pg->key.pg);
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		member->osd = slot == pg->slot ? NACRE_OSD_NONE : nacre_pg_slot(&pg->row, slot);
		member->up = member->osd != NACRE_OSD_NONE && nacre_map_osd_is_up(view, member->osd);
		member->in_sync = member->osd != NACRE_OSD_NONE && (pg->row.in_sync >> slot & 1);
		/* OSD-1: one that is in sync and not there (it never ran, say) would miss what is acknowledged */
		pg->enough &= member->up || !member->in_sync;
	}
}

static void begin_interval(struct pg *pg)
{
	bool loaded = pg->state != PG_LOADING;

	pg->osd->stats.intervals++;
	end_recoveries(pg, "a new interval");
	osd_scrub_abort(pg);
	pg_member_reset(pg);
	pg_stabilize_reset(pg);
	memset(pg->members, 0, sizeof(pg->members));
	read_roles(pg);
	pg->hold = false;
	pg->fetching = 0;
	requests_refuse(pg, pg->primary ? NACRE_E_PG_INACTIVE : NACRE_E_NOT_PRIMARY);
	if (!pg->primary)
		forget_writes(pg, NACRE_E_NOT_PRIMARY);
	if (loaded)
		pg_set_state(pg, PG_INACTIVE);
}

bool pg_is_quiet(const struct pg *pg)
{
	return !pg->executing && pg->last == pg->durable;
}

/* Nothing of an older interval is under way: take up the role of this one. */
static void begin_role(struct pg *pg)
{
	if (pg->slot < 0)
		return;
	if (pg->primary) {
		pg_set_state(pg, PG_RECONCILING);
		pg_reconcile(pg);
		return;
	}
	pg_set_state(pg, pg->row.in_sync >> pg->slot & 1 ? PG_REPLICA : PG_RECOVERING);
}

void pg_settle(struct pg *pg)
{
	int slot;

	if (pg->osd->failed)
		return;
	if (pg->state == PG_INACTIVE && pg_is_quiet(pg))
		begin_role(pg);
	if (pg->state == PG_REPLICA || pg->state == PG_RECOVERING)
		pg_member_advance(pg);
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (pg->members[slot].recovery)
			pg_recovery_advance(pg, &pg->members[slot]);
}

/* The same interval, but members may have come or gone, or too few are left. */
static void same_interval(struct pg *pg)
{
	struct pg_member *member;
	int slot;

	read_roles(pg);
	if (pg->state == PG_ACTIVE && !pg->enough)
		pg_set_state(pg, PG_STARVED);
	else if (pg->state == PG_STARVED && pg->enough)
		pg_set_state(pg, PG_ACTIVE);
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		if (member->up || member->in_sync || pg->edit_under_way)
			continue;
		if (member->recovery)
			pg_recovery_end(pg, member, "it is down");
		member->in_set = false;
	}
	pg_advance(pg);
}

static void take_row(struct pg *pg, const struct nacre_map_pool *pool, const struct nacre_map_pg *row)
{
	pg->osd->strays.due |= pg->slot >= 0 && nacre_pg_slot_of(row, pg->osd->id) < 0;
	pg->row = *row;
	pg->pg_count = pool->pg_count;
	pg->object_bytes = pool->object_bytes;
	pg->replicas = pool->replicas;
	pg->mode = osd_journal_mode_find(pool->journal_mode);
	pg->direct_blocks = pool->direct_units * (NACRE_DIRECT_UNIT / OSD_BLOCK_BYTES);
}

void pg_adopt(struct osd *osd, uint32_t pool, uint32_t number)
{
	const struct nacre_map_view *view = &osd->map->view;
	struct nacre_map_pool p;
	struct nacre_map_pg row;
	struct pg *pg;

	if (nacre_map_pool_at(view, pool, &p) || nacre_map_pg_at(view, pool, number, &row))
		return;
	pg = pg_new(osd, pool, number);
	take_row(pg, &p, &row);
	pg->interval = row.interval;
	pg_load(pg);
}

static void update_one(struct osd *osd, const struct nacre_map_pool *pool, uint32_t number)
{
	struct pg *pg = pg_find(osd, pool->id, number);
	struct nacre_map_pg row;
	bool fresh = !pg, primary;

	if (nacre_map_pg_at(&osd->map->view, pool->id, number, &row))
		return;
	if (fresh && nacre_pg_slot_of(&row, osd->id) < 0)
		return;
	if (fresh)
		pg = pg_new(osd, pool->id, number);
	take_row(pg, pool, &row);
	primary = pg->primary;
	if (row.interval == pg->interval)
		same_interval(pg);
	if (row.interval != pg->interval || primary != pg->primary) {
		pg->interval = row.interval;
		begin_interval(pg);
	}
	if (fresh)
		pg_load(pg);
	else
		pg_settle(pg);
}

void pgs_update(struct osd *osd)
{
	const struct nacre_map_view *view = &osd->map->view;
	struct nacre_map_pool pool;
	uint32_t p, number;

	for (p = 0; p < view->pool_count; p++) {
		if (nacre_map_pool_at(view, p, &pool))
			continue;
		for (number = 0; number < pool.pg_count; number++)
			update_one(osd, &pool, number);
	}
}

void pg_exec_init(const struct pg *pg, struct osd_exec *exec, const struct nacre_osd_request *request)
{
	exec->store = pg->osd->store;
	exec->mode = pg->mode;
	exec->request = request;
	exec->pg = pg->key.pg;
	exec->pg_count = pg->pg_count;
	exec->object_bytes = pg->object_bytes;
	exec->direct_blocks = pg->direct_blocks;
}

/* ---- time, connections -------------------------------------------------------------------------- */

void pg_tick(struct pg *pg)
{
	struct pg_member *member;
	int slot;

	if (pg->state == PG_RECONCILING) {
		pg_reconcile(pg);
		return;
	}
	if (pg->state != PG_ACTIVE && pg->state != PG_STARVED)
		return;
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		if (member->in_set)
			pg_push(pg, member);
	}
	pg_tell_committed(pg);
	pg_recover(pg);
	pg_trim(pg);
}

void pg_peer_opened(struct pg *pg, uint16_t osd)
{
	struct pg_member *member = pg_member_of(pg, osd);

	if (!pg->primary || !member)
		return;
	/* What was sent on the connection before is lost, or not: everything unanswered goes again. */
	member->asked = member->told;
	member->sent = member->acked;
	member->committed_told = 0;
	if (pg->state == PG_RECONCILING)
		pg_reconcile(pg);
	else if (member->in_set)
		pg_push(pg, member);
	if (member->recovery && !member->in_set)
		pg_recovery_opened(pg, member);
}
