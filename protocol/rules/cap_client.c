// SPDX-License-Identifier: GPL-2.0
/*
 * The client's cap machine. An event changes the masks (one function each), a
 * condition is read off them, the table says what to do. See cap_client.h.
 */
#include <linux/errno.h>
#include <linux/string.h>
#include "cap_client.h"

#define ROW(from_, cond_, to_, actions_)						\
	{ NACRE_CAPC_##from_, NACRE_CAPC_COND_##cond_, NACRE_CAPC_##to_, actions_ },

static const struct nacre_machine_word states[] = { NACRE_CAP_CLIENT_STATES(NACRE_WORD_ROW) };
static const struct nacre_machine_word conditions[] = {
	NACRE_CAP_CLIENT_CONDITIONS(NACRE_WORD_ROW)
};
static const struct nacre_machine_word actions[] = { NACRE_CAP_CLIENT_ACTIONS(NACRE_WORD_ROW) };
static const struct nacre_transition rows[] = { NACRE_CAP_CLIENT_ROWS(ROW) };

const struct nacre_machine nacre_cap_client_machine =
	NACRE_MACHINE_OF("client cap", states, conditions, actions, rows);

static const struct nacre_machine_word events[] = { NACRE_CAP_CLIENT_EVENTS(NACRE_WORD_ROW) };

const char *nacre_cap_event_name(__u8 kind)
{
	return kind < NACRE_COUNT_OF(events) ? events[kind].name : "?";
}

__u32 nacre_cap_client_revoked(const struct nacre_cap_client *cap)
{
	return cap->held & ~cap->issued;
}

/* ---- first half: what an event does to the masks ------------------------------------------------ */

/* <0, 0, >0: the message is about an older, the same, or a newer cap than ours. */
static int compare_identity(const struct nacre_cap_client *cap, const struct nacre_cap_event *e)
{
	if (e->gen != cap->gen)
		return e->gen < cap->gen ? -1 : 1;
	if (e->cap_id != cap->cap_id)
		return e->cap_id < cap->cap_id ? -1 : 1;
	return 0;
}

/* issued becomes `issued`; what falls out of it is revoked from now on. */
static void set_issued(struct nacre_cap_client *cap, __u32 issued, struct nacre_cap_step *step)
{
	__u32 taken = cap->issued & ~issued;

	cap->issued = issued;
	cap->held |= issued;
	if (taken & NACRE_CAP_DIR_SHARED)
		step->actions |= NACRE_CAPA_INVALIDATE_DIR;
	if (taken & NACRE_CAP_FILE_CACHE)
		cap->invalidated = 0;
	if (nacre_cap_client_revoked(cap))
		cap->owes_answer = 1;
}

static void take_identity(struct nacre_cap_client *cap, const struct nacre_cap_event *e)
{
	cap->cap_id = e->cap_id;
	cap->gen = e->gen;
	cap->seq = e->seq;
	if (cap->state == NACRE_CAPC_NONE)
		cap->state = NACRE_CAPC_HELD;
}

/*
 * Groups that we would answer from our copy (SHARED, EXCL), though its values neither came along
 * nor were kept current here: the rank has lost track of what we know. Take nothing new of them.
 */
static __u32 groundless(const struct nacre_cap_client *cap, const struct nacre_cap_event *e)
{
	__u32 caps = e->caps & ~cap->held;
	__u32 groups = nacre_caps_groups(caps & (nacre_group_shared(e->missing) |
						 nacre_group_excl(e->missing)));

	return caps & nacre_group_caps(groups);
}

static void on_grant(struct nacre_cap_client *cap, const struct nacre_cap_event *e,
		     struct nacre_cap_step *step)
{
	int order = cap->cap_id ? compare_identity(cap, e) : 1;
	__u32 caps = e->caps & ~groundless(cap, e);

	if (order < 0 || (!order && e->seq <= cap->seq))
		return;
	if (caps & ~cap->issued)
		step->actions |= NACRE_CAPA_WAKE;
	take_identity(cap, e);
	set_issued(cap, caps, step);
	/* The rank must hear of bits not taken, and may not know our wishes under a new identity. */
	if (caps != e->caps || (order && (cap->wanted & ~caps)))
		step->actions |= NACRE_CAPA_WANT;
}

/*
 * CAP-2: every revoke is answered. A newer identity than ours means that a grant
 * was lost; what we hold is then judged by the new one.
 */
static void on_revoke(struct nacre_cap_client *cap, const struct nacre_cap_event *e,
		      struct nacre_cap_step *step)
{
	int order;

	if (!cap->cap_id || compare_identity(cap, e) < 0) {
		step->actions |= NACRE_CAPA_ANSWER_UNKNOWN;
		return;
	}
	order = compare_identity(cap, e);
	cap->owes_answer = 1;
	if (!order && e->seq <= cap->seq)
		return;
	take_identity(cap, e);
	set_issued(cap, cap->issued & e->caps, step);
}

static int on_dirty(struct nacre_cap_client *cap, __u32 groups)
{
	__u32 group;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		group = groups & nacre_group_at(i);
		if (group && !(nacre_group_cover(group) & cap->held))
			return -EINVAL;
	}
	cap->dirty |= (__u8)groups;
	return 0;
}

static void start_flush(struct nacre_cap_client *cap, __u32 groups, struct nacre_cap_step *step)
{
	if (!groups)
		return;
	cap->dirty &= (__u8)~groups;
	cap->flushing |= (__u8)groups;
	step->flush |= groups;
	step->actions |= NACRE_CAPA_FLUSH;
}

static void on_flush_sent(struct nacre_cap_client *cap, const struct nacre_cap_event *e)
{
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (e->groups & nacre_group_at(i))
			cap->flush_id[i] = e->flush_id;
}

/* An acknowledgement of an older flush of a group that was flushed again says nothing. */
static void on_flush_acked(struct nacre_cap_client *cap, __u64 flush_id,
			   struct nacre_cap_step *step)
{
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if ((cap->flushing & nacre_group_at(i)) && cap->flush_id[i] == flush_id) {
			cap->flushing &= (__u8)~nacre_group_at(i);
			step->actions |= NACRE_CAPA_WAKE;
		}
}

static void on_reconnected(struct nacre_cap_client *cap, struct nacre_cap_step *step)
{
	if (cap->flushing) {
		step->reflush |= cap->flushing;
		step->actions |= NACRE_CAPA_REFLUSH;
	}
	if (cap->cap_id && (cap->wanted & ~cap->issued))
		step->actions |= NACRE_CAPA_WANT;
}

static void clear_cap(struct nacre_cap_client *cap)
{
	cap->cap_id = 0;
	cap->issued = 0;
	cap->held = 0;
	cap->owes_answer = 0;
	cap->stale = 0;
}

static void on_lost(struct nacre_cap_client *cap, struct nacre_cap_step *step)
{
	step->actions |= NACRE_CAPA_LOST | NACRE_CAPA_INVALIDATE_DIR | NACRE_CAPA_WAKE;
	step->flush = cap->dirty | cap->flushing;
	cap->dirty = 0;
	cap->flushing = 0;
	clear_cap(cap);
}

static int on_drop(struct nacre_cap_client *cap, __u32 used, struct nacre_cap_step *step)
{
	if (!cap->cap_id)
		return 0;
	if (used || cap->dirty || cap->flushing || cap->owes_answer)
		return -EBUSY;
	step->actions |= NACRE_CAPA_RELEASE;
	if (cap->held & NACRE_CAP_FILE_CACHE)
		step->actions |= NACRE_CAPA_INVALIDATE;
	if (cap->held & NACRE_CAP_DIR_SHARED)
		step->actions |= NACRE_CAPA_INVALIDATE_DIR;
	step->release_cap_id = cap->cap_id;
	step->release_gen = cap->gen;
	step->release_seq = cap->seq;
	clear_cap(cap);
	return 0;
}

static void on_want(struct nacre_cap_client *cap, __u32 wanted, struct nacre_cap_step *step)
{
	cap->wanted = wanted;
	if (cap->cap_id && (wanted & ~cap->issued))
		step->actions |= NACRE_CAPA_WANT;
}

static int apply(struct nacre_cap_client *cap, const struct nacre_cap_event *e,
		 struct nacre_cap_step *step)
{
	switch (e->kind) {
	case NACRE_CAPE_GRANT:
		on_grant(cap, e, step);
		return 0;
	case NACRE_CAPE_REVOKE:
		on_revoke(cap, e, step);
		return 0;
	case NACRE_CAPE_USE:
		return 0;
	case NACRE_CAPE_WANT:
		on_want(cap, e->caps, step);
		return 0;
	case NACRE_CAPE_DIRTY:
		return on_dirty(cap, e->groups);
	case NACRE_CAPE_FLUSH:
		start_flush(cap, cap->dirty & (e->groups ? e->groups : NACRE_GROUPS_ALL), step);
		return 0;
	case NACRE_CAPE_FLUSH_SENT:
		on_flush_sent(cap, e);
		return 0;
	case NACRE_CAPE_FLUSH_ACKED:
		on_flush_acked(cap, e->flush_id, step);
		return 0;
	case NACRE_CAPE_INVALIDATED:
		cap->invalidated = 1;
		return 0;
	case NACRE_CAPE_STALE:
		cap->stale = cap->cap_id != 0;
		return 0;
	case NACRE_CAPE_FRESH:
		cap->stale = 0;
		step->actions |= NACRE_CAPA_WAKE;
		return 0;
	case NACRE_CAPE_RECONNECTED:
		on_reconnected(cap, step);
		return 0;
	case NACRE_CAPE_LOST:
		on_lost(cap, step);
		return 0;
	case NACRE_CAPE_DROP:
		return on_drop(cap, e->used, step);
	default:
		return -EINVAL;
	}
}

/* ---- second half: what stands in the way of the answer (CAP-1) ----------------------------------- */

static __u8 condition(const struct nacre_cap_client *cap, __u32 used)
{
	__u32 revoked = nacre_cap_client_revoked(cap);

	if (!cap->cap_id)
		return NACRE_CAPC_COND_GONE;
	if (!cap->owes_answer)
		return NACRE_CAPC_COND_CALM;
	if ((revoked & (NACRE_CAP_FILE_BUFFER | NACRE_CAP_FILE_WRITE)) &&
	    (used & NACRE_CAP_FILE_BUFFER))
		return NACRE_CAPC_COND_BUFFERED;
	if (revoked & used)
		return NACRE_CAPC_COND_IN_USE;
	if ((revoked & NACRE_CAP_FILE_CACHE) && !cap->invalidated)
		return NACRE_CAPC_COND_CACHED;
	return NACRE_CAPC_COND_READY;
}

/* Groups with values of ours that a revoked bit covers. */
static __u32 riding_groups(const struct nacre_cap_client *cap)
{
	__u32 revoked = nacre_cap_client_revoked(cap);
	__u32 group, groups = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		group = (__u32)(cap->dirty | cap->flushing) & nacre_group_at(i);
		if (group && (nacre_group_cover(group) & revoked))
			groups |= group;
	}
	return groups;
}

/*
 * CAP-1: the values ride in the answer itself. Those already on their way ride again, since a
 * connection may have lost them; nobody else can have changed them before this message.
 */
static void give_back(struct nacre_cap_client *cap, struct nacre_cap_step *step)
{
	start_flush(cap, riding_groups(cap), step);
	cap->held &= cap->issued;
	cap->owes_answer = 0;
}

int nacre_cap_client_step(struct nacre_cap_client *cap, const struct nacre_cap_event *event,
			  struct nacre_cap_step *step)
{
	struct nacre_cap_client next = *cap;
	__u32 todo = 0;
	int err;

	memset(step, 0, sizeof(*step));
	err = apply(&next, event, step);
	if (err)
		return err;
	err = nacre_machine_step(&nacre_cap_client_machine, &next.state,
				 condition(&next, event->used), &todo);
	if (err)
		return err;
	step->actions |= todo;
	if (todo & NACRE_CAPA_ANSWER)
		give_back(&next, step);
	*cap = next;
	return 0;
}

/* ---- questions ---------------------------------------------------------------------------------- */

int nacre_cap_client_can_use(const struct nacre_cap_client *cap, __u32 caps)
{
	return !cap->stale && !(caps & ~cap->issued);
}

int nacre_cap_client_takes(const struct nacre_cap_client *cap, __u32 group)
{
	__u32 current = nacre_group_shared(group) | nacre_group_cover(group);

	if (cap->held & nacre_group_excl(group))
		return 0;
	return !((cap->dirty | cap->flushing) & group) || !(cap->held & current);
}

const char *nacre_cap_client_invariant(const struct nacre_cap_client *cap, __u32 used)
{
	__u32 group;
	int i;

	if (cap->issued & ~cap->held)
		return "cap: issued what is not held";
	if (!cap->cap_id)
		return cap->held || cap->owes_answer || cap->state || cap->dirty ?
			       "cap: something left without a cap" : NULL;
	if (cap->state == NACRE_CAPC_NONE || cap->state > NACRE_CAPC_INVALIDATING)
		return "cap: state without meaning";
	if (used & ~cap->held)
		return "cap: used what is not held";
	if (nacre_cap_client_revoked(cap) && !cap->owes_answer)
		return "cap: revoked, but nobody will answer";
	if ((cap->state == NACRE_CAPC_HELD) == !!cap->owes_answer)
		return "cap: state and owed answer do not agree";
	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		group = cap->dirty & nacre_group_at(i);
		if (group && !(nacre_group_cover(group) & cap->held))
			return "cap: dirty without a bit that covers it";
	}
	return NULL;
}

/* ---- messages ----------------------------------------------------------------------------------- */

void nacre_cap_client_update(const struct nacre_cap_client *cap, __u64 ino, int answer,
			     struct nacre_cap_update *update)
{
	memset(update, 0, sizeof(*update));
	update->ino = ino;
	update->cap_id = cap->cap_id;
	update->cap_gen = cap->gen;
	update->cap_seq = cap->seq;
	update->held = cap->held;
	update->wanted = cap->wanted;
	/*
	 * Values under way may ride in a later message than this: until an answer says so, do not let
	 * the rank believe that they are all there.
	 */
	if (answer)
		update->update_flags = NACRE_CAP_UPDATE_ANSWER;
	else
		update->held |= nacre_group_cover(cap->flushing);
}

void nacre_cap_answer_unknown(__u64 ino, __u64 cap_id, __u32 gen, __u32 seq,
			      struct nacre_cap_update *update)
{
	memset(update, 0, sizeof(*update));
	update->ino = ino;
	update->cap_id = cap_id;
	update->cap_gen = gen;
	update->cap_seq = seq;
	update->update_flags = NACRE_CAP_UPDATE_ANSWER | NACRE_CAP_UPDATE_UNKNOWN;
}

int nacre_cap_client_has_claim(const struct nacre_cap_client *cap)
{
	return cap->cap_id && (cap->held || cap->dirty || cap->flushing ||
			       (cap->wanted & ~(__u32)NACRE_CAP_PIN));
}

void nacre_cap_client_claim(const struct nacre_cap_client *cap, __u64 ino,
			    struct nacre_cap_claim *claim)
{
	memset(claim, 0, sizeof(*claim));
	claim->ino = ino;
	claim->cap_id = cap->cap_id;
	claim->held = cap->held;
	claim->wanted = cap->wanted;
	claim->dirty = cap->dirty | cap->flushing;
}
