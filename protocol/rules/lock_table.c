// SPDX-License-Identifier: GPL-2.0
/* The rank's lock machine: the tables of lock_table.h, and what they let clients hold. */
#include <linux/errno.h>
#include "lock_table.h"

#define ROW(from_, event_, to_, actions_)						\
	{ NACRE_LOCK_##from_, NACRE_LOCKE_##event_, NACRE_LOCK_##to_, actions_ },

static const struct nacre_machine_word states[] = { NACRE_LOCK_STATES(NACRE_WORD_ROW) };
static const struct nacre_machine_word events[] = { NACRE_LOCK_EVENTS(NACRE_WORD_ROW) };
static const struct nacre_machine_word actions[] = { NACRE_LOCK_ACTIONS(NACRE_WORD_ROW) };
static const struct nacre_transition rows[] = { NACRE_LOCK_ROWS(ROW) };

const struct nacre_machine nacre_lock_machine =
	NACRE_MACHINE_OF("lock", states, events, actions, rows);

#define FILE_SYNC (NACRE_CAP_FILE_SHARED | NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ)
#define FILE_MIX (NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE)
#define CHANGING (NACRE_CAPS_ANY_EXCL | NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)

/* One row of the drawing in lock_table.h: what the loner and what others may hold. */
struct hold_row {
	__u32 loner;
	__u32 others;
};

static const struct hold_row other_groups[] = {
	[NACRE_LOCK_SYNC] = { ~0u, ~0u },	/* cut to the SHARED bits below */
	[NACRE_LOCK_EXCL] = { ~0u, 0 },
	[NACRE_LOCK_MIX] = { 0, 0 },
	[NACRE_LOCK_LOCK] = { ~0u, 0 },
};

static const struct hold_row file_group[] = {
	[NACRE_LOCK_SYNC] = { FILE_SYNC, FILE_SYNC },
	[NACRE_LOCK_EXCL] = { NACRE_CAPS_FILE, 0 },
	[NACRE_LOCK_MIX] = { FILE_MIX, FILE_MIX },
	[NACRE_LOCK_LOCK] = { NACRE_CAP_FILE_SHARED, 0 },
};

/* The stable state that a state is or goes to. */
static __u8 aim(__u8 state)
{
	return state >= NACRE_LOCK_TO_SYNC ? state - NACRE_LOCK_TO_SYNC : state;
}

void nacre_lock_init(struct nacre_lock *lock, __u32 group)
{
	lock->loner = 0;
	lock->group = group;
	lock->read_pins = 0;
	lock->change_pin = 0;
	lock->state = NACRE_LOCK_SYNC;
}

/* WRITE beside a copy is what is left of EXCL when messages were lost: nobody else has anything then. */
static int is_of_loner(__u32 held)
{
	return held & (NACRE_CAPS_ANY_EXCL | NACRE_CAP_FILE_BUFFER) ||
	       ((held & NACRE_CAP_FILE_WRITE) &&
		(held & (NACRE_CAP_FILE_SHARED | NACRE_CAP_FILE_CACHE)));
}

void nacre_lock_claim(struct nacre_lock *lock, __u64 client, __u32 held)
{
	held &= nacre_group_caps(lock->group);
	if (is_of_loner(held)) {
		lock->state = NACRE_LOCK_EXCL;
		lock->loner = client;
	} else if ((held & NACRE_CAP_FILE_WRITE) && lock->state != NACRE_LOCK_EXCL) {
		lock->state = NACRE_LOCK_MIX;
	}
}

static int is_pinned(const struct nacre_lock *lock)
{
	return lock->read_pins || lock->change_pin;
}

/* NEED of what is there already, for the same loner: nothing to do, pinned or not. */
static int is_satisfied(const struct nacre_lock *lock, __u8 event, __u64 loner)
{
	if (event > NACRE_LOCKE_NEED_LOCK || aim(lock->state) != event)
		return 0;
	return event == NACRE_LOCKE_NEED_SYNC || event == NACRE_LOCKE_NEED_MIX ||
	       lock->loner == loner;
}

int nacre_lock_step(struct nacre_lock *lock, __u8 event, __u64 loner, __u32 *todo)
{
	int err;

	*todo = 0;
	if (event == NACRE_LOCKE_NEED_MIX && lock->group != NACRE_GROUP_FILE)
		return -EINVAL;
	if (event == NACRE_LOCKE_NEED_EXCL && !loner)
		return -EINVAL;
	if (is_satisfied(lock, event, loner))
		return 0;
	if (event <= NACRE_LOCKE_NEED_LOCK && is_pinned(lock))
		return -EBUSY;
	err = nacre_machine_step(&nacre_lock_machine, &lock->state, event, todo);
	if (err)
		return err;
	if (event != NACRE_LOCKE_GATHERED)
		lock->loner = event == NACRE_LOCKE_NEED_EXCL || event == NACRE_LOCKE_NEED_LOCK ?
				      loner : 0;
	return 0;
}

__u32 nacre_lock_may_hold(const struct nacre_lock *lock, __u64 client)
{
	__u8 state = aim(lock->state);
	int is_loner = lock->loner && lock->loner == client;
	const struct hold_row *row;
	__u32 caps;

	if (lock->group == NACRE_GROUP_FILE) {
		row = &file_group[state];
		return is_loner ? row->loner : row->others;
	}
	row = &other_groups[state];
	caps = nacre_group_caps(lock->group) & (is_loner ? row->loner : row->others);
	return state == NACRE_LOCK_EXCL ? caps : caps & nacre_group_shared(lock->group);
}

__u32 nacre_lock_may_grant(const struct nacre_lock *lock, __u64 client)
{
	if (!nacre_lock_is_stable(lock) || lock->state == NACRE_LOCK_LOCK)
		return 0;
	return nacre_lock_may_hold(lock, client);
}

__u32 nacre_lock_forbidden(const struct nacre_lock *lock, __u64 client, __u32 held)
{
	return held & nacre_group_caps(lock->group) & ~nacre_lock_may_hold(lock, client);
}

int nacre_lock_waits_for(const struct nacre_lock *lock, __u64 client, __u32 held, __u32 issued)
{
	return nacre_lock_forbidden(lock, client, held) ||
	       (held & ~issued & nacre_group_caps(lock->group));
}

int nacre_lock_is_stable(const struct nacre_lock *lock)
{
	return lock->state < NACRE_LOCK_TO_SYNC;
}

static int is_excl_of(const struct nacre_lock *lock, __u64 client)
{
	return lock->state == NACRE_LOCK_EXCL && client && lock->loner == client;
}

int nacre_lock_can_read(const struct nacre_lock *lock, __u64 client)
{
	return !lock->change_pin && (lock->state == NACRE_LOCK_SYNC ||
				     lock->state == NACRE_LOCK_LOCK || is_excl_of(lock, client));
}

int nacre_lock_can_change(const struct nacre_lock *lock, __u64 client)
{
	if (is_pinned(lock))
		return 0;
	if (is_excl_of(lock, client))
		return 1;
	return lock->state == NACRE_LOCK_LOCK && (!lock->loner || lock->loner == client);
}

int nacre_lock_pin_read(struct nacre_lock *lock, __u64 client)
{
	if (!nacre_lock_can_read(lock, client))
		return -EAGAIN;
	lock->read_pins++;
	return 0;
}

int nacre_lock_pin_change(struct nacre_lock *lock, __u64 client)
{
	if (!nacre_lock_can_change(lock, client))
		return -EAGAIN;
	lock->change_pin = 1;
	return 0;
}

__u32 nacre_lock_unpin_read(struct nacre_lock *lock)
{
	lock->read_pins--;
	return is_pinned(lock) ? 0 : NACRE_LOCKA_WAKE;
}

__u32 nacre_lock_unpin_change(struct nacre_lock *lock)
{
	lock->change_pin = 0;
	return is_pinned(lock) ? 0 : NACRE_LOCKA_WAKE;
}

/* ---- demand ------------------------------------------------------------------------------------- */

void nacre_lock_demand_add(struct nacre_lock_demand *demand, __u32 group, __u64 client,
			   __u32 wanted)
{
	wanted &= nacre_group_caps(group);
	if (!wanted)
		return;
	demand->wanting++;
	if (wanted & CHANGING) {
		demand->changing++;
		demand->loner = client;
	} else if (!demand->changing) {
		demand->loner = client;
	}
}

int nacre_lock_target(const struct nacre_lock *lock, const struct nacre_lock_demand *demand,
		      __u64 *loner)
{
	__u8 event = NACRE_LOCKE_NEED_SYNC;

	*loner = 0;
	if (!demand->wanting || is_pinned(lock))
		return -EALREADY;
	/* whoever has all of it need not give it back to read: nobody else wants it */
	if (demand->wanting == 1 && aim(lock->state) == NACRE_LOCK_EXCL &&
	    lock->loner == demand->loner)
		return -EALREADY;
	if (demand->wanting == 1 && demand->changing) {
		event = NACRE_LOCKE_NEED_EXCL;
		*loner = demand->loner;
	} else if (demand->changing && lock->group == NACRE_GROUP_FILE) {
		event = NACRE_LOCKE_NEED_MIX;
	}
	return is_satisfied(lock, event, *loner) ? -EALREADY : event;
}

/* ---- invariants --------------------------------------------------------------------------------- */

const char *nacre_lock_invariant(const struct nacre_lock *lock)
{
	__u8 state = aim(lock->state);

	if (lock->state > NACRE_LOCK_TO_LOCK)
		return "lock: no such state";
	if (nacre_group_index(lock->group) < 0)
		return "lock: not one group";
	if (state == NACRE_LOCK_EXCL && !lock->loner)
		return "lock: EXCL of nobody";
	if ((state == NACRE_LOCK_SYNC || state == NACRE_LOCK_MIX) && lock->loner)
		return "lock: a loner where all are equal";
	if (state == NACRE_LOCK_MIX && lock->group != NACRE_GROUP_FILE)
		return "lock: MIX of something else than FILE";
	if (is_pinned(lock) && (!nacre_lock_is_stable(lock) || lock->state == NACRE_LOCK_MIX))
		return "lock: pinned where values are not current";
	if (lock->change_pin && lock->read_pins)
		return "lock: changed under a reader";
	if (lock->change_pin && lock->state == NACRE_LOCK_SYNC)
		return "lock: changed while others have copies";
	return NULL;
}

const char *nacre_lock_holder_invariant(const struct nacre_lock *lock, __u64 client, __u32 held)
{
	if (nacre_lock_is_stable(lock) && nacre_lock_forbidden(lock, client, held))
		return "lock: a client holds what the state forbids";
	return NULL;
}
