// SPDX-License-Identifier: GPL-2.0
/*
 * The coordinator: marks daemons down whose lease has ended, and lets data go where it should be.
 *
 * Every member reads all leases a few times a term, holder of the office or not,
 * so that a new coordinator knows whom it has seen alive. Such a daemon is marked
 * down when its lease ends. One that was dead when we first looked gets a grace:
 * after the whole cluster was killed and comes back piece by piece, the pieces
 * that are late should not cost their groups a replica.
 *
 * An OSD whose groups would gain nothing (nobody else in sync has renewed its lease
 * since) stays as it is: when all died together, whoever returns finds the in-sync
 * sets as they were.
 *
 * An OSD that has been down for long is out: its groups get other members (mapedit_move.c). Not while half of the OSDs
 * are down: then something else is wrong, which moving data would not mend.
 *
 * How full OSDs are stands in their leases: who is nearly full is given nothing more, as far as that can be (mapedit_move.c).
 *
 * Several daemons are marked in one change of the map.
 */
#include <errno.h>
#include <string.h>
#include "mapedit_core.h"
#include "member_core.h"

#define OFFICE_GRACE_TERMS 4		/* for a daemon never seen alive */
#define MOVING_MAX 16u			/* groups on their way at a time */
#define FILL_STEP_PERCENT 5u		/* so much fuller or emptier, an OSD may be due other groups */

#define container(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

static uint64_t now_ns(const struct coordinator *c)
{
	return io_now(c->member->config.io);
}

/* ---- who is alive --------------------------------------------------------------------------- */

static const struct mapstore_lease *find_lease(const struct mapstore_lease *leases, size_t count,
					       uint64_t instance)
{
	for (size_t i = 0; i < count; i++)
		if (leases[i].instance == instance)
			return &leases[i];
	return NULL;
}

static void look_at(struct coordinator *c, struct watched *w, uint64_t instance,
		    const struct mapstore_lease *leases, size_t count)
{
	const struct mapstore_lease *lease = find_lease(leases, count, instance);

	if (w->instance != instance)
		*w = (struct watched){ .instance = instance, .noticed_ns = now_ns(c) };
	w->found = lease != NULL;
	w->released = lease && lease->released;
	w->gone = lease && lease->gone;
	w->expires_ns = lease ? lease->expires_ns : 0;
	if (lease && !lease->released && !lease->gone && lease->expires_ns > now_ns(c))
		w->seen_alive = true;
}

static void look_whether_down(struct coordinator *c, struct watched *w, const struct nacre_map_osd *osd)
{
	bool down = !(osd->flags & NACRE_OSD_UP);

	if (down && !w->down)
		w->down_ns = now_ns(c);
	w->down = down;
}

/*
 * By the lease of the instance in the map; who has none, or has not said, is neither full nor empty. One that was full shortly ago counts as
 * nearly full: a group that does not fit there shall not come and go.
 */
static struct mapedit_fill find_fill(struct coordinator *c, struct watched *w, const struct mapstore_lease *lease)
{
	struct mapedit_fill found = { .fill = lease ? lease->fill : (struct fill){ FILL_UNKNOWN } };
	uint64_t now = now_ns(c), long_ns = c->member->out_ns;

	if (found.fill.state == FILL_FULL) {
		if (w->fill.fill.state != FILL_FULL)
			w->full_from_ns = now;
		w->full_until_ns = now;
		found.full_for_long = long_ns && now - w->full_from_ns >= long_ns;
	} else if (found.fill.state == FILL_WELL && w->full_until_ns && now - w->full_until_ns < long_ns) {
		found.fill.state = FILL_NEARLY;
	}
	return found;
}

static void look_how_full(struct coordinator *c, struct watched *w, const struct mapstore_lease *lease)
{
	struct mapedit_fill fill = find_fill(c, w, lease);

	if (fill.fill.state != w->fill.fill.state || fill.full_for_long != w->fill.full_for_long ||
	    fill_percent(&fill.fill) / FILL_STEP_PERCENT != fill_percent(&w->fill.fill) / FILL_STEP_PERCENT)
		c->settled_epoch = 0;
	w->fill = fill;
}

/* Its lease has ended, and what it is due of grace, too. */
static bool is_dead(const struct coordinator *c, const struct watched *w, uint64_t instance)
{
	uint64_t now = now_ns(c);

	if (w->instance != instance || now < w->expires_ns)
		return false;
	return w->seen_alive || now - w->noticed_ns >= OFFICE_GRACE_TERMS * c->member->term_ns;
}

/* A rank that was given back is free at once: nothing is lost by it. */
static bool rank_is_dead(const struct coordinator *c, const struct watched *w, uint64_t instance)
{
	return is_dead(c, w, instance) || (w->instance == instance && w->released);
}

static bool osd_counts(const struct coordinator *c, const struct nacre_map_osd *osd)
{
	return osd->flags & NACRE_OSD_UP && osd->instance != c->member->instance;
}

static bool rank_counts(const struct coordinator *c, const struct nacre_map_rank *rank)
{
	return rank->state != NACRE_RANK_DOWN && rank->instance != c->member->instance;
}

/* ---- the plan ------------------------------------------------------------------------------- */

/*
 * Has this OSD shown itself after a moment: renewed its lease, or it is us? Not to be dead by its
 * lease is not enough: of several that die together one lease ends first.
 */
static bool shown_after(const struct coordinator *c, const struct mapedit *next, uint16_t id,
			uint64_t after_ns)
{
	const struct watched *w;

	if (id >= next->osd_count || !(next->osds[id].flags & NACRE_OSD_UP))
		return false;
	if (!osd_counts(c, &next->osds[id]))
		return true;
	w = &c->osds[id];
	return w->instance == next->osds[id].instance && w->found && !w->released && !w->gone &&
	       w->expires_ns >= after_ns + c->member->term_ns;
}

/*
 * Is anything gained by marking it down: a group that goes on with others, or the truth about
 * groups of which it was the last?
 */
static bool is_worth_it(const struct coordinator *c, const struct mapedit *next, uint16_t id)
{
	bool alone = true;

	for (unsigned int i = 0; i < next->pg_count; i++) {
		const struct nacre_map_pg *pg = &next->pgs[i];
		int slot = nacre_pg_slot_of(pg, id);

		if (slot < 0 || !(pg->in_sync & 1u << slot))
			continue;
		for (int other = 0; other < NACRE_PG_SLOTS; other++) {
			if (other == slot || !(pg->in_sync & 1u << other))
				continue;
			alone = false;
			if (shown_after(c, next, nacre_pg_slot(pg, other), c->osds[id].expires_ns))
				return true;
		}
	}
	return alone;
}

static int mark_osds(struct coordinator *c, struct mapedit *next, unsigned int *ret_marked)
{
	bool marked[NACRE_MAP_OSDS_MAX] = { false };
	int err = 0;

	/* judge all by the map as it stands, then mark */
	for (unsigned int i = 0; i < next->osd_count; i++)
		marked[i] = osd_counts(c, &next->osds[i]) &&
			    is_dead(c, &c->osds[i], next->osds[i].instance) &&
			    is_worth_it(c, next, (uint16_t)i);
	for (unsigned int i = 0; !err && i < next->osd_count; i++) {
		if (!marked[i])
			continue;
		log_warn(c->member->config.log, "coordinator", "osd%u, instance %llu, is marked down", i,
			 (unsigned long long)next->osds[i].instance);
		err = mapedit_osd_down(next, (uint16_t)i);
		++*ret_marked;
	}
	return err;
}

static int mark_ranks(struct coordinator *c, struct mapedit *next, unsigned int *ret_marked)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < next->rank_count; i++) {
		struct nacre_map_rank *rank = &next->ranks[i];

		if (!rank_counts(c, rank) || !rank_is_dead(c, &c->ranks[i], rank->instance))
			continue;
		log_warn(c->member->config.log, "coordinator", "rank %u, instance %llu, is marked down",
			 i, (unsigned long long)rank->instance);
		rank->state = NACRE_RANK_DOWN;
		err = mapedit_kill(next, rank->instance);
		++*ret_marked;
	}
	return err;
}

/* ---- out ------------------------------------------------------------------------------------ */

static bool is_overdue(const struct coordinator *c, const struct nacre_map_osd *osd)
{
	const struct watched *w = &c->osds[osd->id];

	return c->member->out_ns && !(osd->flags & NACRE_OSD_UP) && osd->flags & NACRE_OSD_IN &&
	       w->down && w->instance == osd->instance &&
	       now_ns(c) - w->down_ns >=
		       c->member->out_ns;
}

static unsigned int mark_out(struct coordinator *c, struct mapedit *next)
{
	unsigned int in = 0, down = 0, marked = 0;

	for (unsigned int i = 0; i < next->osd_count; i++) {
		in += mapedit_takes_data(&next->osds[i]);
		down += mapedit_takes_data(&next->osds[i]) && !(next->osds[i].flags & NACRE_OSD_UP);
	}
	for (unsigned int i = 0; down * 2 < in && i < next->osd_count; i++) {
		if (!is_overdue(c, &next->osds[i]))
			continue;
		log_warn(c->member->config.log, "coordinator", "osd%u has been down for long: its data is placed elsewhere", i);
		next->osds[i].flags &= ~(uint32_t)NACRE_OSD_IN;
		marked++;
	}
	return marked;
}

/* ---- moves ---------------------------------------------------------------------------------- */

static unsigned int let_move(const struct coordinator *c, struct mapedit *next)
{
	struct mapedit_fill fills[NACRE_MAP_OSDS_MAX] = { 0 };

	for (unsigned int i = 0; i < next->osd_count; i++)
		if (c->osds[i].instance == next->osds[i].instance)
			fills[i] = c->osds[i].fill;
	return mapedit_rebalance(next, fills, MOVING_MAX);
}

/* ---- the edit ------------------------------------------------------------------------------- */

static int plan_edit(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	struct coordinator *c = owner;
	unsigned int marked = 0;
	int err;

	if (!c->holds || !member_lease_valid(c->member))
		return -EPERM;
	err = mark_osds(c, next, &marked);
	if (!err)
		err = mark_ranks(c, next, &marked);
	if (err)
		return err;
	marked += mark_out(c, next);
	c->moved = let_move(c, next);
	if (!marked && !c->moved)
		c->settled_epoch = now->view.epoch;
	return marked || c->moved ? 0 : -EALREADY;
}

static void planned(void *owner, int result)
{
	struct coordinator *c = owner;

	c->changing = false;
	if (!result && c->moved)
		log_info(c->member->config.log, "coordinator", "%u groups have other members", c->moved);
	if (result && result != -EALREADY && result != -EPERM)
		log_warn(c->member->config.log, "coordinator", "the map could not be changed: %s",
			 strerror(-result));
}

/* ---- looking at the leases ------------------------------------------------------------------ */

/* Worth an edit? The edit judges again, by the newest map. */
static bool anything_due(struct coordinator *c, const struct nacre_map_view *view)
{
	struct nacre_map_rank rank;
	struct nacre_map_osd osd;

	if (view->epoch != c->settled_epoch)
		return true;
	for (uint32_t i = 0; !nacre_map_osd_at(view, i, &osd); i++)
		if ((osd_counts(c, &osd) && is_dead(c, &c->osds[i], osd.instance)) || is_overdue(c, &osd))
			return true;
	for (uint32_t i = 0; !nacre_map_rank_at(view, i, &rank); i++)
		if (rank_counts(c, &rank) && rank_is_dead(c, &c->ranks[i], rank.instance))
			return true;
	return false;
}

static void listed(void *owner, int result, const struct mapstore_lease *leases, size_t count)
{
	struct coordinator *c = owner;
	const struct nacre_map_view *view = &c->member->map->view;
	struct nacre_map_rank rank;
	struct nacre_map_osd osd;

	c->listing = false;
	if (result || c->member->state != MEMBER_SERVING)
		return;
	for (uint32_t i = 0; !nacre_map_osd_at(view, i, &osd); i++) {
		look_at(c, &c->osds[i], osd.instance, leases, count);
		look_whether_down(c, &c->osds[i], &osd);
		look_how_full(c, &c->osds[i], find_lease(leases, count, osd.instance));
	}
	for (uint32_t i = 0; !nacre_map_rank_at(view, i, &rank); i++)
		look_at(c, &c->ranks[i], rank.instance, leases, count);
	if (!c->holds || c->changing || !anything_due(c, view))
		return;
	c->changing = true;
	member_change_map(c->member, plan_edit, planned, c);
}

static void tick(struct io_timer *timer)
{
	struct coordinator *c = container(timer, struct coordinator, tick);

	io_timer_arm(c->member->config.io, timer, now_ns(c) + c->member->term_ns / 4);
	if (c->listing)
		return;
	c->listing = true;
	mapstore_leases(c->member->config.store, listed, c);
}

void coordinator_start(struct coordinator *c, struct member *member)
{
	c->member = member;
	c->tick.fire = tick;
	io_timer_arm(member->config.io, &c->tick, now_ns(c));
}

void coordinator_stop(struct coordinator *c)
{
	c->holds = false;
	if (c->member)
		io_timer_cancel(c->member->config.io, &c->tick);
}
