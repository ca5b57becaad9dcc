/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rank's lock on one group of one inode: who may hold which cap bits, and how
 * the lock gets from one state to the next.
 *
 *	           TO_SYNC ──▶ SYNC       many readers
 *	          ╱
 *	  any ───┼─ TO_EXCL ──▶ EXCL      one client, the loner, has all of it
 *	  state   ╲
 *	           ╲ TO_MIX ──▶ MIX       FILE only: several clients, one at least writes
 *	            TO_LOCK ──▶ LOCK      the rank has it: it changes the values itself
 *
 * A transitional state →X means: what X does not allow has been revoked and is not yet all
 * given back; nothing is granted. GATHERED ends it. The target may change on
 * the way; bits already revoked stay revoked.
 *
 * What clients may hold (lock_may_hold; PIN is always allowed):
 *
 *	state  who     AUTH, LINK, XATTR  FILE                        DIR
 *	SYNC   all     SHARED             SHARED CACHE READ           DIR_SHARED
 *	EXCL   loner   SHARED EXCL        SHARED EXCL CACHE READ      DIR_SHARED DIRX
 *	                                  WRITE BUFFER
 *	EXCL   others  -                  -                           -
 *	MIX    all     (illegal)          READ WRITE                  (illegal)
 *	LOCK   loner   SHARED             SHARED                      DIR_SHARED
 *	LOCK   others  -                  -                           -
 *
 * The loner of LOCK is the client that asked for the change: it may keep its SHARED,
 * because its reply carries the new values (while its own change is under way it
 * answers nothing from its copy). A change with no requester has loner 0.
 *
 * Pins. An operation of the rank that reads or changes a group *pins* the lock while it works, so
 * that the state does not leave under it: read pins need SYNC or LOCK, or EXCL of the very
 * client that asks; a change pin needs LOCK, or EXCL of the very client that asks, and is alone.
 * A pinned lock refuses NEED events with -EBUSY; the caller tries again when UNPIN says WAKE.
 *
 * Memory: 24 bytes a lock. An inode's five locks start in SYNC. The caller keeps the holders
 * (cap_rank.h), sends, and reports GATHERED when nacre_lock_waits_for() no holder. Pure.
 */
#ifndef NACRE_RULES_LOCK_TABLE_H
#define NACRE_RULES_LOCK_TABLE_H

#include "cap_bits.h"
#include "machine.h"

#define NACRE_LOCK_STATES(W)							\
	W(0, SYNC, "nobody changes the group: everybody may have a copy")	\
	W(1, EXCL, "one client changes it on its own")				\
	W(2, MIX, "several clients do I/O and one writes: no copies, no buffers")	\
	W(3, LOCK, "the rank changes it, or recovers it")			\
	W(4, TO_SYNC, "revoking towards SYNC")					\
	W(5, TO_EXCL, "revoking towards EXCL")					\
	W(6, TO_MIX, "revoking towards MIX")					\
	W(7, TO_LOCK, "revoking towards LOCK")

#define NACRE_LOCK_EVENTS(W)							\
	W(0, NEED_SYNC, "somebody wants to read, or readers are all there is")	\
	W(1, NEED_EXCL, "one client is left and wants to change")		\
	W(2, NEED_MIX, "several want the data, one of them to write")		\
	W(3, NEED_LOCK, "the rank must change the group")			\
	W(4, GATHERED, "nacre_lock_waits_for() is false for every holder")	\
	W(5, LOST, "a holder that could change the group is dead: its values must be recovered")

#define NACRE_LOCK_ACTIONS(W)							\
	W(1, REVOKE, "revoke from every holder what nacre_lock_may_hold forbids; if there is nobody to wait for, GATHERED") \
	W(2, GRANT, "holders may be granted what they want")			\
	W(4, WAKE, "operations that wait for this lock look again")		\
	W(8, RANGE, "before any FILE_WRITE goes out, journal its max_size (SIZE-1)")	\
	W(16, RECOVER, "before anything goes out, recover the group behind the fence (SIZE-2)")

#define NACRE_LOCK_ROWS(T)							\
	T(SYNC, NEED_SYNC, SYNC, 0)						\
	T(SYNC, NEED_EXCL, TO_EXCL, NACRE_LOCKA_REVOKE)				\
	T(SYNC, NEED_MIX, TO_MIX, NACRE_LOCKA_REVOKE)				\
	T(SYNC, NEED_LOCK, TO_LOCK, NACRE_LOCKA_REVOKE)				\
	T(SYNC, LOST, TO_LOCK, NACRE_LOCKA_REVOKE | NACRE_LOCKA_RECOVER)	\
	T(EXCL, NEED_SYNC, TO_SYNC, NACRE_LOCKA_REVOKE)				\
	T(EXCL, NEED_EXCL, TO_EXCL, NACRE_LOCKA_REVOKE)				\
	T(EXCL, NEED_MIX, TO_MIX, NACRE_LOCKA_REVOKE)				\
	T(EXCL, NEED_LOCK, TO_LOCK, NACRE_LOCKA_REVOKE)				\
	T(EXCL, LOST, TO_LOCK, NACRE_LOCKA_REVOKE | NACRE_LOCKA_RECOVER)	\
	T(MIX, NEED_SYNC, TO_SYNC, NACRE_LOCKA_REVOKE)				\
	T(MIX, NEED_EXCL, TO_EXCL, NACRE_LOCKA_REVOKE)				\
	T(MIX, NEED_MIX, MIX, 0)						\
	T(MIX, NEED_LOCK, TO_LOCK, NACRE_LOCKA_REVOKE)				\
	T(MIX, LOST, TO_LOCK, NACRE_LOCKA_REVOKE | NACRE_LOCKA_RECOVER)		\
	T(LOCK, NEED_SYNC, TO_SYNC, NACRE_LOCKA_REVOKE)				\
	T(LOCK, NEED_EXCL, TO_EXCL, NACRE_LOCKA_REVOKE)				\
	T(LOCK, NEED_MIX, TO_MIX, NACRE_LOCKA_REVOKE)				\
	T(LOCK, NEED_LOCK, TO_LOCK, NACRE_LOCKA_REVOKE)				\
	T(LOCK, LOST, TO_LOCK, NACRE_LOCKA_REVOKE | NACRE_LOCKA_RECOVER)	\
	T(TO_SYNC, NEED_SYNC, TO_SYNC, 0)					\
	T(TO_SYNC, NEED_EXCL, TO_EXCL, NACRE_LOCKA_REVOKE)			\
	T(TO_SYNC, NEED_MIX, TO_MIX, NACRE_LOCKA_REVOKE)			\
	T(TO_SYNC, NEED_LOCK, TO_LOCK, NACRE_LOCKA_REVOKE)			\
	T(TO_SYNC, GATHERED, SYNC, NACRE_LOCKA_GRANT | NACRE_LOCKA_WAKE)	\
	T(TO_SYNC, LOST, TO_LOCK, NACRE_LOCKA_REVOKE | NACRE_LOCKA_RECOVER)	\
	T(TO_EXCL, NEED_SYNC, TO_SYNC, NACRE_LOCKA_REVOKE)			\
	T(TO_EXCL, NEED_EXCL, TO_EXCL, NACRE_LOCKA_REVOKE)			\
	T(TO_EXCL, NEED_MIX, TO_MIX, NACRE_LOCKA_REVOKE)			\
	T(TO_EXCL, NEED_LOCK, TO_LOCK, NACRE_LOCKA_REVOKE)			\
	T(TO_EXCL, GATHERED, EXCL, NACRE_LOCKA_GRANT | NACRE_LOCKA_WAKE | NACRE_LOCKA_RANGE) \
	T(TO_EXCL, LOST, TO_LOCK, NACRE_LOCKA_REVOKE | NACRE_LOCKA_RECOVER)	\
	T(TO_MIX, NEED_SYNC, TO_SYNC, NACRE_LOCKA_REVOKE)			\
	T(TO_MIX, NEED_EXCL, TO_EXCL, NACRE_LOCKA_REVOKE)			\
	T(TO_MIX, NEED_MIX, TO_MIX, 0)						\
	T(TO_MIX, NEED_LOCK, TO_LOCK, NACRE_LOCKA_REVOKE)			\
	T(TO_MIX, GATHERED, MIX, NACRE_LOCKA_GRANT | NACRE_LOCKA_WAKE | NACRE_LOCKA_RANGE) \
	T(TO_MIX, LOST, TO_LOCK, NACRE_LOCKA_REVOKE | NACRE_LOCKA_RECOVER)	\
	T(TO_LOCK, NEED_SYNC, TO_SYNC, NACRE_LOCKA_REVOKE)			\
	T(TO_LOCK, NEED_EXCL, TO_EXCL, NACRE_LOCKA_REVOKE)			\
	T(TO_LOCK, NEED_MIX, TO_MIX, NACRE_LOCKA_REVOKE)			\
	T(TO_LOCK, NEED_LOCK, TO_LOCK, NACRE_LOCKA_REVOKE)			\
	T(TO_LOCK, GATHERED, LOCK, NACRE_LOCKA_WAKE)				\
	T(TO_LOCK, LOST, TO_LOCK, NACRE_LOCKA_REVOKE | NACRE_LOCKA_RECOVER)

#define NACRE_LOCK_STATE_ENUM(value, name, doc) NACRE_LOCK_##name = value,
#define NACRE_LOCK_EVENT_ENUM(value, name, doc) NACRE_LOCKE_##name = value,
#define NACRE_LOCK_ACTION_ENUM(value, name, doc) NACRE_LOCKA_##name = value,
enum nacre_lock_state { NACRE_LOCK_STATES(NACRE_LOCK_STATE_ENUM) };
enum nacre_lock_event { NACRE_LOCK_EVENTS(NACRE_LOCK_EVENT_ENUM) };
enum nacre_lock_action { NACRE_LOCK_ACTIONS(NACRE_LOCK_ACTION_ENUM) };

/* One lock. Clients are named by their instance id; 0 = nobody. */
struct nacre_lock {
	__u64 loner;			/* of EXCL and LOCK and on the way there */
	__u32 group;			/* one bit of nacre_cap_group */
	__u16 read_pins;
	__u8 change_pin;		/* 0 or 1 */
	__u8 state;			/* enum nacre_lock_state */
};

void nacre_lock_init(struct nacre_lock *lock, __u32 group);

/*
 * After a change of incarnation: account for one client's claim on the group. Call it on a fresh
 * lock, once for each claim, before the first step; EXCL or BUFFER makes it EXCL of that
 * client, WRITE alone makes it MIX. What was being changed by the old incarnation is re-sent.
 */
void nacre_lock_claim(struct nacre_lock *lock, __u64 client, __u32 held);

/*
 * Take one step. `loner` is read with NEED_EXCL (who; not 0) and NEED_LOCK (the
 * requester, or 0). 0 and *actions; -EINVAL: not listed, or MIX for a group other than FILE;
 * -EBUSY: pinned (never for LOST, which the caller must follow by failing the pinned operations).
 */
int nacre_lock_step(struct nacre_lock *lock, __u8 event, __u64 loner, __u32 *actions);

/* Bits of the group that this client may keep now; in →X: what X allows. */
__u32 nacre_lock_may_hold(const struct nacre_lock *lock, __u64 client);

/* Bits of the group that may newly be granted to it now; in →X: none. LOCK: none (its loner only keeps). */
__u32 nacre_lock_may_grant(const struct nacre_lock *lock, __u64 client);

/* Is this bit pattern, held by this client, something the lock must wait for (or revoke)? */
__u32 nacre_lock_forbidden(const struct nacre_lock *lock, __u64 client, __u32 held);

/*
 * Must the lock wait for this client? It holds what the state forbids, or it has not answered a
 * revoke of the group's bits, even if they are allowed again meanwhile: its answer may carry
 * values, and until they are here nothing of the group is current. Takes the fields of cap_rank.h.
 */
int nacre_lock_waits_for(const struct nacre_lock *lock, __u64 client, __u32 held, __u32 issued);

/* Has the lock no revokes to wait for? */
int nacre_lock_is_stable(const struct nacre_lock *lock);

/* May the rank's operation for `client` (0 = none) read the group's values here and now? */
int nacre_lock_can_read(const struct nacre_lock *lock, __u64 client);

/* May it change them? */
int nacre_lock_can_change(const struct nacre_lock *lock, __u64 client);

/* Hold the state still while an operation reads (or changes). 0, or -EAGAIN: not now. */
int nacre_lock_pin_read(struct nacre_lock *lock, __u64 client);
int nacre_lock_pin_change(struct nacre_lock *lock, __u64 client);

/* End of it; NACRE_LOCKA_WAKE when the last pin has gone, else 0. */
__u32 nacre_lock_unpin_read(struct nacre_lock *lock);
__u32 nacre_lock_unpin_change(struct nacre_lock *lock);

/* ---- which state the clients' wishes ask for ----------------------------------------------- */

/* A summary of all holders of an inode with respect to one group; start from zero. */
struct nacre_lock_demand {
	__u32 wanting;			/* clients that want any bit of the group */
	__u32 changing;			/* of them, those that want EXCL, WRITE, BUFFER or DIRX */
	__u64 loner;			/* the last one seen that wants to change, else the last that wants */
};

/* Count one client. wanted is its whole mask; bits of other groups do not matter. */
void nacre_lock_demand_add(struct nacre_lock_demand *demand, __u32 group, __u64 client,
			   __u32 wanted);

/*
 * The event that brings the lock where the demand wants it, with *loner for it:
 * nobody wants anything: the lock stays as it is (returns -EALREADY); one client, and it
 * wants to change, or has it in EXCL anyway: NEED_EXCL; several and one changes: NEED_MIX for FILE, else
 * NEED_SYNC; else NEED_SYNC. -EALREADY also when the lock is (going) there already, or is pinned.
 */
int nacre_lock_target(const struct nacre_lock *lock, const struct nacre_lock_demand *demand,
		      __u64 *loner);

/* 0, or a static text that says what is broken in the lock itself. */
const char *nacre_lock_invariant(const struct nacre_lock *lock);

/*
 * Is it right that this client holds these bits in this state? 0, or a text. In a stable state
 * held must be within may_hold; two clients are compared by nacre_caps_conflict (cap_bits.h).
 */
const char *nacre_lock_holder_invariant(const struct nacre_lock *lock, __u64 client, __u32 held);

extern const struct nacre_machine nacre_lock_machine;

#endif
