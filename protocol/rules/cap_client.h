/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The client's machine for one cap: what may be used, and what stands between a
 * revoke and its answer. Its twin at the rank is cap_rank.h.
 *
 * Words. *issued*: what the rank lets us use from now on. *held*: issued, plus what it took back and
 * we have not yet given back. *used*: bits that something of ours depends on right now; the owner
 * of the inode counts references and passes the mask. *dirty*: groups whose values changed here.
 * *flushing*: groups whose values are on their way to the rank's journal.
 *
 * The step has two halves. First the event changes the masks. Then one *condition* is read off
 * them, and the table below says where to go and what to do:
 *
 *	                 ┌────────────── CALM, READY(answer) ─────────────┐
 *	                 ▼                                                │
 *	 NONE ─grant─▶ HELD ──BUFFERED──▶ WRITING ──IN_USE──▶ DRAINING ──CACHED──▶ INVALIDATING
 *	  ▲              │   (writeback)     ▲                  │  ▲      (invalidate)  │
 *	  └─drop, lost───┘                   └────BUFFERED──────┘  └──────IN_USE────────┘
 *
 * Used bits, as the owner counts them:
 *	FILE_BUFFER	while a dirty page or a page under write-back exists, or a writer fills one
 *	FILE_CACHE	while a reader fills or copies from the page cache (clean pages at rest do not count)
 *	FILE_READ/WRITE	while an OSD request under it is unanswered (write-back included)
 *	*_EXCL		while the values are being changed under it
 *	*_SHARED	need not be counted: values are copied out under the inode's cap lock
 *
 * CAP-1: ANSWER comes only when no revoked bit is used, no dirty page is left under a revoked
 * BUFFER, pages cached under a revoked CACHE are invalidated, and no dirty or flushing value is
 * covered by a revoked bit unless it rides in the same message (then FLUSH comes along).
 * CAP-2: a repeated revoke is answered again. A message older than what is known is
 * ignored but a revoke is always answered (catalogue B1, B2). A GRANT always makes or keeps a
 * cap, even if we have just released it: the rank ignores a release that a grant has crossed.
 * `valid` of its info names the groups that nobody *but us* may have changed; SHARED and EXCL of
 * a group that is missing there are not taken unless they were held all the time, and WANT
 * tells the rank.
 *
 * A write under WRITE without BUFFER first waits until older dirty pages are written.
 * Lock: the caller's cap lock around every call; decide under it, act after it.
 */
#ifndef NACRE_RULES_CAP_CLIENT_H
#define NACRE_RULES_CAP_CLIENT_H

#include "../session.h"
#include "cap_bits.h"
#include "machine.h"

/*	  value NAME          why are we here */
#define NACRE_CAP_CLIENT_STATES(W)						\
	W(0, NONE, "no cap: never had one, released it, or lost it")		\
	W(1, HELD, "a cap, and nothing to be given back")			\
	W(2, WRITING, "a revoke waits for dirty pages to be written")		\
	W(3, DRAINING, "a revoke waits for references on revoked bits")		\
	W(4, INVALIDATING, "a revoke waits for the page cache to be dropped")

/* What the masks say, first that fits. */
#define NACRE_CAP_CLIENT_CONDITIONS(W)						\
	W(0, GONE, "there is no cap")						\
	W(1, BUFFERED, "a revoked BUFFER or WRITE has dirty pages under it")	\
	W(2, IN_USE, "a revoked bit is used")					\
	W(3, CACHED, "CACHE is revoked and pages are not yet invalidated")	\
	W(4, READY, "nothing stands in the way of the answer that is owed")	\
	W(5, CALM, "no answer is owed")

/* What the caller does after the step, in this order. */
#define NACRE_CAP_CLIENT_ACTIONS(W)						\
	W(0x001, INVALIDATE_DIR, "forget dentries and completeness held under DIR_SHARED; at once") \
	W(0x002, WRITEBACK, "write all dirty pages; report by USE without FILE_BUFFER. Comes again: kick it again") \
	W(0x004, INVALIDATE, "drop all clean pages; report INVALIDATED. Comes again: look again") \
	W(0x400, REFLUSH, "send the values of step.reflush groups again: one CAP_UPDATE for each different flush_id, ids as they were; the rank drops what it has") \
	W(0x008, ANSWER, "send CAP_UPDATE, flag ANSWER, from the cap's present fields") \
	W(0x010, FLUSH, "put the values of step.flush groups, under a new flush id, into the ANSWER or a CAP_UPDATE; then FLUSH_SENT, under the same lock") \
	W(0x020, ANSWER_UNKNOWN, "send nacre_cap_answer_unknown() for the message's cap_id") \
	W(0x040, WAKE, "wake who waits for caps on this inode")			\
	W(0x080, RELEASE, "put step.release_* into a CAP_RELEASE")		\
	W(0x100, WANT, "send CAP_UPDATE with wanted and held, no ANSWER")	\
	W(0x200, LOST, "drop all pages; dirty pages and step.flush groups are lost: report them")

#define NACRE_CAP_CLIENT_ROWS(T)						\
	T(NONE, GONE, NONE, 0)							\
	T(HELD, GONE, NONE, 0)							\
	T(HELD, CALM, HELD, 0)							\
	T(HELD, BUFFERED, WRITING, NACRE_CAPA_WRITEBACK)			\
	T(HELD, IN_USE, DRAINING, 0)						\
	T(HELD, CACHED, INVALIDATING, NACRE_CAPA_INVALIDATE)			\
	T(HELD, READY, HELD, NACRE_CAPA_ANSWER)					\
	T(WRITING, GONE, NONE, 0)						\
	T(WRITING, BUFFERED, WRITING, NACRE_CAPA_WRITEBACK)			\
	T(WRITING, IN_USE, DRAINING, 0)						\
	T(WRITING, CACHED, INVALIDATING, NACRE_CAPA_INVALIDATE)			\
	T(WRITING, READY, HELD, NACRE_CAPA_ANSWER)				\
	T(DRAINING, GONE, NONE, 0)						\
	T(DRAINING, BUFFERED, WRITING, NACRE_CAPA_WRITEBACK)			\
	T(DRAINING, IN_USE, DRAINING, 0)					\
	T(DRAINING, CACHED, INVALIDATING, NACRE_CAPA_INVALIDATE)		\
	T(DRAINING, READY, HELD, NACRE_CAPA_ANSWER)				\
	T(INVALIDATING, GONE, NONE, 0)						\
	T(INVALIDATING, BUFFERED, WRITING, NACRE_CAPA_WRITEBACK)		\
	T(INVALIDATING, IN_USE, DRAINING, 0)					\
	T(INVALIDATING, CACHED, INVALIDATING, NACRE_CAPA_INVALIDATE)		\
	T(INVALIDATING, READY, HELD, NACRE_CAPA_ANSWER)

#define NACRE_CAPC_STATE(value, name, doc) NACRE_CAPC_##name = value,
#define NACRE_CAPC_CONDITION(value, name, doc) NACRE_CAPC_COND_##name = value,
#define NACRE_CAPC_ACTION(value, name, doc) NACRE_CAPA_##name = value,
enum nacre_cap_client_state { NACRE_CAP_CLIENT_STATES(NACRE_CAPC_STATE) };
enum nacre_cap_client_condition { NACRE_CAP_CLIENT_CONDITIONS(NACRE_CAPC_CONDITION) };
enum nacre_cap_client_action { NACRE_CAP_CLIENT_ACTIONS(NACRE_CAPC_ACTION) };

/*
 * What can happen. The columns say which fields of struct nacre_cap_event are read.
 *	  value NAME         fields; meaning
 */
#define NACRE_CAP_CLIENT_EVENTS(W)						\
	W(0, GRANT, "cap_id gen seq caps missing: CAP_GRANT or an info in a reply; caps = issued") \
	W(1, REVOKE, "cap_id gen seq caps: CAP_REVOKE; caps = keep")		\
	W(2, USE, "the used mask has changed: references taken or dropped, pages dirtied or cleaned") \
	W(3, WANT, "caps: what we want from now on")				\
	W(4, DIRTY, "groups: values changed under a held bit that covers them")	\
	W(5, FLUSH, "groups: flush these if dirty (fsync, age, close); 0 = all")	\
	W(6, FLUSH_SENT, "groups flush_id: the FLUSH asked for has been put into a message") \
	W(7, FLUSH_ACKED, "flush_id: CAP_FLUSH_ACK with SAFE has come")		\
	W(8, INVALIDATED, "the pages are gone")					\
	W(9, STALE, "the session's lease ran out: use nothing")			\
	W(10, FRESH, "the session's lease lives again")				\
	W(11, RECONNECTED, "a new connection to the same incarnation: say again what may be lost") \
	W(12, LOST, "the session is killed, or the rank says that this cap is gone")	\
	W(13, DROP, "give the cap back if nothing hangs on it")

#define NACRE_CAPC_EVENT(value, name, doc) NACRE_CAPE_##name = value,
enum nacre_cap_client_event { NACRE_CAP_CLIENT_EVENTS(NACRE_CAPC_EVENT) };

/* One event with its operands; unread fields are zero. */
struct nacre_cap_event {
	__u8 kind;			/* enum nacre_cap_client_event */
	__u32 used;			/* cap bits used now; read with every event */
	__u64 cap_id;
	__u32 gen;
	__u32 seq;
	__u32 caps;			/* GRANT: issued; REVOKE: keep; WANT: wanted */
	__u32 missing;			/* GRANT: groups whose values did not come along (not in the info's valid) */
	__u32 groups;			/* cap groups */
	__u64 flush_id;
};

/* The cap. All fields belong to the machine; others read them under the cap lock. */
struct nacre_cap_client {
	__u64 cap_id;			/* 0 = none */
	__u32 gen;			/* session generation it belongs to */
	__u32 seq;			/* highest message seen about it */
	__u32 issued;
	__u32 held;			/* always covers issued */
	__u32 wanted;			/* survives the cap */
	__u8 state;			/* enum nacre_cap_client_state */
	__u8 owes_answer;		/* a revoke has come and is not answered */
	__u8 invalidated;		/* pages are dropped since CACHE was revoked */
	__u8 stale;			/* lease ran out: nothing may be used */
	__u8 dirty;			/* groups changed here, not sent */
	__u8 flushing;			/* groups sent, not acknowledged */
	__u64 flush_id[NACRE_GROUP_COUNT];	/* of the latest flush of each group, 0 = none */
};

/* What a step wants done. */
struct nacre_cap_step {
	__u32 actions;			/* enum nacre_cap_client_action bits */
	__u32 flush;			/* FLUSH: groups whose values go out; LOST: groups lost */
	__u32 reflush;			/* REFLUSH: groups whose values go out again */
	__u64 release_cap_id;		/* RELEASE: which cap (it is already gone from the machine) */
	__u32 release_gen;
	__u32 release_seq;
};

/*
 * Take one step. 0; -EINVAL: the event is illegal now (dirtying without a covering bit), nothing
 * has changed; -EBUSY: DROP, but something hangs on the cap.
 */
int nacre_cap_client_step(struct nacre_cap_client *cap, const struct nacre_cap_event *event,
			  struct nacre_cap_step *step);

/* May a new use of all these bits begin? Issued, not merely held, and the session is alive. */
int nacre_cap_client_can_use(const struct nacre_cap_client *cap, __u32 caps);

/* Bits that were taken back and are still held. */
__u32 nacre_cap_client_revoked(const struct nacre_cap_client *cap);

/*
 * May values of a group in an inode info (valid there) be taken over? Judged before the info's GRANT
 * is stepped. Not while we hold it exclusively, nor while values of ours are dirty or flushing
 * under a bit that we still hold: then ours are newer. Once the bits are given back, what
 * the rank says includes ours. The reply to a change of our own is taken in any case: until it
 * comes, the caller answers nothing from its copy of the group and changes nothing in it.
 * (FILE sizes are merged by size.h in any case.)
 */
int nacre_cap_client_takes(const struct nacre_cap_client *cap, __u32 group);

/*
 * The machine's rules on its own fields; 0, or a static text that says what is broken.
 * `used` as in the last step.
 */
const char *nacre_cap_client_invariant(const struct nacre_cap_client *cap, __u32 used);

/*
 * Fill a CAP_UPDATE from the cap: ids, seq, held, wanted, and ANSWER if asked. Values are the
 * caller's. Always use this: what it reports as held is part of the protocol.
 */
void nacre_cap_client_update(const struct nacre_cap_client *cap, __u64 ino, int answer,
			     struct nacre_cap_update *update);

/* The answer to a cap message about an inode or cap that is not known here. */
void nacre_cap_answer_unknown(__u64 ino, __u64 cap_id, __u32 gen, __u32 seq,
			      struct nacre_cap_update *update);

/*
 * Is there anything to claim from a new incarnation? Not of a cap that was given back whole (recalled): the rank has
 * forgotten it, and would load the inode for nothing.
 */
int nacre_cap_client_has_claim(const struct nacre_cap_client *cap);

/* Fill the claim on this cap for SESSION_RECONNECT. size, max_size and flags are the caller's. */
void nacre_cap_client_claim(const struct nacre_cap_client *cap, __u64 ino,
			    struct nacre_cap_claim *claim);

extern const struct nacre_machine nacre_cap_client_machine;	/* state × condition */

/* Name of an event's kind, for traces; "?" for an unknown one. */
const char *nacre_cap_event_name(__u8 kind);

#endif
