/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two machines of a session between a client instance and a metadata rank:
 * how the client sees it, and how the rank sees it. Messages: protocol/session.h.
 *
 * Client:
 *	 NEW ─open─▶ OPENING ─opened─▶ OPEN ◀──renewed── STALE
 *	  ▲             │               │ └──lease out──▶  │
 *	  │             │   incarnation ▼                  │ incarnation
 *	restart         │          RECONNECTING ◀──────────┘
 *	  │             │               │ reconnected ─▶ OPEN
 *	KILLED ◀── from every state ────┤
 *	                close ─▶ CLOSING ─closed─▶ CLOSED ◀── force, from every state
 *
 * The lease runs from the moment the client *sent* the renewal that was answered. When it is out
 * the client stops I/O before the rank may think it gone (the rank adds its margin).
 *
 * Rank:
 *	 NONE ─open─▶ OPENING ─journaled─▶ OPEN ◀─renew─ STALE
 *	                                    │ └─lease out─▶ │
 *	 (journal replay) AWAITED ─claims─▶ CLAIMING ─done─▶ OPEN
 *	                     │ window out      │
 *	      close: CLOSING ▼─ ─ ─ ─ ─ ─ ─ ─ ─▼ evict
 *	         │         EVICTING ─fenced─▶ FENCED ─recovered─▶ NONE
 *	         └─journaled─▶ NONE
 *
 * A new incarnation grants and answers nothing new before every AWAITED and CLAIMING session is OPEN
 * or gone: until _DONE, values that a client has given up a bit for may still be on their way.
 *
 * FENCE-2: nothing that conflicts with a lost client's caps is granted until FENCED has
 * ended: the fence is in the map *and* its lease has run out with margin.
 *
 * SESSION_STATE answers SESSION_OPEN, _RENEW, _RECONNECT_DONE with result 0, and
 * SESSION_CLOSE with result NO_SESSION. Pure; no timers here: the caller sets them when an
 * action says so and feeds their end as an event.
 */
#ifndef NACRE_RULES_SESSION_H
#define NACRE_RULES_SESSION_H

#include "machine.h"

/* ---- client ---------------------------------------------------------------------------------- */

#define NACRE_SESSION_STATES(W)							\
	W(0, NEW, "no session has been asked for, or a killed one starts anew under a new instance") \
	W(1, OPENING, "SESSION_OPEN is under way")				\
	W(2, OPEN, "the lease lives: caps may be used, requests go out")	\
	W(3, STALE, "the lease ran out: I/O and cached answers stop; nothing is dropped yet") \
	W(4, RECONNECTING, "the rank has a new incarnation: claims and re-sends are under way") \
	W(5, CLOSING, "all is flushed and SESSION_CLOSE is under way")		\
	W(6, CLOSED, "over; nothing is sent any more")				\
	W(7, KILLED, "the rank has ended it: caps and unsafe requests are lost")

#define NACRE_SESSION_EVENTS(W)							\
	W(0, OPEN, "somebody needs the session")				\
	W(1, OPENED, "SESSION_STATE with result 0 to SESSION_OPEN")		\
	W(2, REFUSED, "SESSION_STATE that asks to wait: NOT_ACTIVE, BUSY; or NO_SESSION to SESSION_OPEN with a stale instance of 0") \
	W(3, RENEWED, "SESSION_STATE with result 0 to a renewal; its lease is not over already") \
	W(4, LEASE_OUT, "the lease has run out")				\
	W(5, CONNECTED, "a connection to the same incarnation is ready again")	\
	W(6, INCARNATION, "a connection to a newer incarnation is ready")	\
	W(7, RECONNECTED, "SESSION_STATE with result 0 to the reconnect")	\
	W(8, CLOSE, "unmount; nothing is dirty any more")			\
	W(9, ENDED, "SESSION_STATE with NO_SESSION while closing")		\
	W(10, KILLED, "SESSION_KILLED, or NO_SESSION, EVICTED, DEAD_INSTANCE, UNKNOWN_INSTANCE in any answer") \
	W(11, RESTART, "a new instance may be asked for")			\
	W(12, FORCE, "umount -f")

#define NACRE_SESSION_ACTIONS(W)						\
	W(0x001, SEND_OPEN, "send SESSION_OPEN")				\
	W(0x002, SEND_RENEW, "send SESSION_RENEW now")				\
	W(0x004, SEND_CLOSE, "send SESSION_CLOSE")				\
	W(0x008, SEND_CLAIMS, "send SESSION_RECONNECT parts, unacknowledged flushes under their old ids, unsafe requests by apply number, unanswered ones, _DONE") \
	W(0x010, RESEND, "send unanswered requests and unacknowledged flushes again, flag RESEND") \
	W(0x020, START_LEASE, "the lease counts from when the answered message was sent; start renewing") \
	W(0x040, STOP_IO, "no cached answer and no OSD request may begin; caps: STALE") \
	W(0x080, RESUME_IO, "they may again; caps: FRESH")			\
	W(0x100, WAKE, "wake who waits for the session")			\
	W(0x200, RETRY_LATER, "send SESSION_OPEN again after a pause")		\
	W(0x400, DROP, "caps: LOST; fail unanswered and unsafe requests; record the loss on their files") \
	W(0x800, STOP_LEASE, "stop renewing")

#define NACRE_SESSION_ROWS(T)							\
	T(NEW, OPEN, OPENING, NACRE_SESA_SEND_OPEN)				\
	T(NEW, CONNECTED, NEW, 0)						\
	T(NEW, INCARNATION, NEW, 0)						\
	T(NEW, CLOSE, CLOSED, NACRE_SESA_WAKE)					\
	T(NEW, FORCE, CLOSED, NACRE_SESA_WAKE)					\
	T(OPENING, OPEN, OPENING, 0)						\
	T(OPENING, OPENED, OPEN, NACRE_SESA_START_LEASE | NACRE_SESA_RESUME_IO | NACRE_SESA_WAKE) \
	T(OPENING, REFUSED, OPENING, NACRE_SESA_RETRY_LATER)			\
	T(OPENING, CONNECTED, OPENING, NACRE_SESA_SEND_OPEN)			\
	T(OPENING, INCARNATION, OPENING, NACRE_SESA_SEND_OPEN)			\
	T(OPENING, CLOSE, CLOSED, NACRE_SESA_WAKE)				\
	T(OPENING, KILLED, KILLED, NACRE_SESA_DROP | NACRE_SESA_WAKE)		\
	T(OPENING, FORCE, CLOSED, NACRE_SESA_DROP | NACRE_SESA_WAKE)		\
	T(OPEN, OPEN, OPEN, 0)							\
	T(OPEN, OPENED, OPEN, 0)						\
	T(OPEN, REFUSED, OPEN, 0)						\
	T(OPEN, RENEWED, OPEN, NACRE_SESA_START_LEASE)				\
	T(OPEN, LEASE_OUT, STALE, NACRE_SESA_STOP_IO | NACRE_SESA_SEND_RENEW)	\
	T(OPEN, CONNECTED, OPEN, NACRE_SESA_RESEND | NACRE_SESA_SEND_RENEW)	\
	T(OPEN, INCARNATION, RECONNECTING, NACRE_SESA_SEND_CLAIMS)		\
	T(OPEN, CLOSE, CLOSING, NACRE_SESA_SEND_CLOSE)				\
	T(OPEN, KILLED, KILLED, NACRE_SESA_STOP_IO | NACRE_SESA_STOP_LEASE | NACRE_SESA_DROP | NACRE_SESA_WAKE) \
	T(OPEN, FORCE, CLOSED, NACRE_SESA_STOP_IO | NACRE_SESA_STOP_LEASE | NACRE_SESA_DROP | NACRE_SESA_WAKE) \
	T(STALE, OPEN, STALE, 0)						\
	T(STALE, OPENED, STALE, 0)						\
	T(STALE, REFUSED, STALE, 0)						\
	T(STALE, RENEWED, OPEN, NACRE_SESA_START_LEASE | NACRE_SESA_RESUME_IO | NACRE_SESA_WAKE) \
	T(STALE, LEASE_OUT, STALE, 0)						\
	T(STALE, CONNECTED, STALE, NACRE_SESA_RESEND | NACRE_SESA_SEND_RENEW)	\
	T(STALE, INCARNATION, RECONNECTING, NACRE_SESA_SEND_CLAIMS)		\
	T(STALE, CLOSE, CLOSING, NACRE_SESA_SEND_CLOSE)				\
	T(STALE, KILLED, KILLED, NACRE_SESA_STOP_LEASE | NACRE_SESA_DROP | NACRE_SESA_WAKE) \
	T(STALE, FORCE, CLOSED, NACRE_SESA_STOP_LEASE | NACRE_SESA_DROP | NACRE_SESA_WAKE) \
	T(RECONNECTING, OPEN, RECONNECTING, 0)					\
	T(RECONNECTING, REFUSED, RECONNECTING, 0)				\
	T(RECONNECTING, RENEWED, RECONNECTING, 0)				\
	T(RECONNECTING, LEASE_OUT, RECONNECTING, NACRE_SESA_STOP_IO)		\
	T(RECONNECTING, CONNECTED, RECONNECTING, NACRE_SESA_SEND_CLAIMS)	\
	T(RECONNECTING, INCARNATION, RECONNECTING, NACRE_SESA_SEND_CLAIMS)	\
	T(RECONNECTING, RECONNECTED, OPEN, NACRE_SESA_START_LEASE | NACRE_SESA_RESUME_IO | NACRE_SESA_WAKE) \
	T(RECONNECTING, CLOSE, CLOSING, NACRE_SESA_SEND_CLOSE)			\
	T(RECONNECTING, KILLED, KILLED, NACRE_SESA_STOP_IO | NACRE_SESA_STOP_LEASE | NACRE_SESA_DROP | NACRE_SESA_WAKE) \
	T(RECONNECTING, FORCE, CLOSED, NACRE_SESA_STOP_IO | NACRE_SESA_STOP_LEASE | NACRE_SESA_DROP | NACRE_SESA_WAKE) \
	T(CLOSING, OPENED, CLOSING, 0)						\
	T(CLOSING, REFUSED, CLOSING, 0)						\
	T(CLOSING, RENEWED, CLOSING, NACRE_SESA_START_LEASE)			\
	T(CLOSING, LEASE_OUT, CLOSING, NACRE_SESA_STOP_IO)			\
	T(CLOSING, CONNECTED, CLOSING, NACRE_SESA_SEND_CLOSE)			\
	T(CLOSING, INCARNATION, CLOSING, NACRE_SESA_SEND_CLOSE)			\
	T(CLOSING, RECONNECTED, CLOSING, 0)					\
	T(CLOSING, CLOSE, CLOSING, 0)						\
	T(CLOSING, ENDED, CLOSED, NACRE_SESA_STOP_IO | NACRE_SESA_STOP_LEASE | NACRE_SESA_WAKE) \
	T(CLOSING, KILLED, CLOSED, NACRE_SESA_STOP_IO | NACRE_SESA_STOP_LEASE | NACRE_SESA_DROP | NACRE_SESA_WAKE) \
	T(CLOSING, FORCE, CLOSED, NACRE_SESA_STOP_IO | NACRE_SESA_STOP_LEASE | NACRE_SESA_DROP | NACRE_SESA_WAKE) \
	T(CLOSED, CONNECTED, CLOSED, 0)						\
	T(CLOSED, INCARNATION, CLOSED, 0)					\
	T(CLOSED, ENDED, CLOSED, 0)						\
	T(CLOSED, KILLED, CLOSED, 0)						\
	T(CLOSED, LEASE_OUT, CLOSED, 0)						\
	T(CLOSED, RENEWED, CLOSED, 0)						\
	T(CLOSED, OPENED, CLOSED, 0)						\
	T(CLOSED, REFUSED, CLOSED, 0)						\
	T(CLOSED, RECONNECTED, CLOSED, 0)					\
	T(CLOSED, CLOSE, CLOSED, 0)						\
	T(CLOSED, FORCE, CLOSED, 0)						\
	T(KILLED, OPEN, KILLED, 0)						\
	T(KILLED, OPENED, KILLED, 0)						\
	T(KILLED, REFUSED, KILLED, 0)						\
	T(KILLED, RENEWED, KILLED, 0)						\
	T(KILLED, RECONNECTED, KILLED, 0)					\
	T(KILLED, LEASE_OUT, KILLED, 0)						\
	T(KILLED, CONNECTED, KILLED, 0)						\
	T(KILLED, INCARNATION, KILLED, 0)					\
	T(KILLED, KILLED, KILLED, 0)						\
	T(KILLED, RESTART, NEW, 0)						\
	T(KILLED, CLOSE, CLOSED, NACRE_SESA_WAKE)				\
	T(KILLED, FORCE, CLOSED, NACRE_SESA_WAKE)

#define NACRE_SESSION_STATE_ENUM(value, name, doc) NACRE_SESSION_##name = value,
#define NACRE_SESSION_EVENT_ENUM(value, name, doc) NACRE_SESE_##name = value,
#define NACRE_SESSION_ACTION_ENUM(value, name, doc) NACRE_SESA_##name = value,
enum nacre_session_client_state { NACRE_SESSION_STATES(NACRE_SESSION_STATE_ENUM) };
enum nacre_session_event { NACRE_SESSION_EVENTS(NACRE_SESSION_EVENT_ENUM) };
enum nacre_session_action { NACRE_SESSION_ACTIONS(NACRE_SESSION_ACTION_ENUM) };

extern const struct nacre_machine nacre_session_machine;

/* May cached answers and OSD requests begin? `io_stopped` is the caller's note of STOP_IO. */
int nacre_session_may_io(__u8 state, int io_stopped);

/* ---- rank ------------------------------------------------------------------------------------ */

#define NACRE_RANK_SESSION_STATES(W)						\
	W(0, NONE, "no session of this instance")				\
	W(1, OPENING, "SESSION_OPEN came; session and number range are being journaled (INO-1)") \
	W(2, OPEN, "served")							\
	W(3, STALE, "its lease ran out; it may come back until it is evicted")	\
	W(4, AWAITED, "known from the journal of the incarnation before; its claims are awaited") \
	W(5, CLAIMING, "claims and re-sends are coming in")			\
	W(6, CLOSING, "SESSION_CLOSE came; the end is being journaled")		\
	W(7, EVICTING, "to be evicted; the fence is not yet in the map")	\
	W(8, FENCED, "the fence is in the map; lease margin and size recovery are under way")

#define NACRE_RANK_SESSION_EVENTS(W)						\
	W(0, OPEN, "SESSION_OPEN of this instance")				\
	W(1, JOURNALED, "what was to be journaled for the session is safe")	\
	W(2, RENEW, "SESSION_RENEW")						\
	W(3, LEASE_OUT, "no renewal for lease plus margin")			\
	W(4, CLAIMS, "a part of SESSION_RECONNECT")				\
	W(5, DONE, "SESSION_RECONNECT_DONE")					\
	W(6, WINDOW_OUT, "the time for reconnecting is over")			\
	W(7, CLOSE, "SESSION_CLOSE")						\
	W(8, EVICT, "a revoke's deadline, silence, or an administrator")	\
	W(9, FENCE, "a map with the instance in its dead set is in force")	\
	W(10, RECOVERED, "margin is over, sizes are probed, numbers purged")

#define NACRE_RANK_SESSION_ACTIONS(W)						\
	W(0x01, JOURNAL, "journal the session's begin (or end)")		\
	W(0x02, STATE_OK, "send SESSION_STATE with result 0")			\
	W(0x04, STATE_GONE, "send SESSION_STATE with NO_SESSION")		\
	W(0x08, KILLED, "send SESSION_KILLED, hang up")				\
	W(0x10, START_LEASE, "lease and margin count from now")			\
	W(0x20, FENCE, "add the instance to the map's dead set")		\
	W(0x40, RECOVER, "wait for the lease margin, then recover what its caps covered (SIZE-2)") \
	W(0x80, FREE, "drop caps and session; grants that waited may go on")	\
	W(0x100, TAKE_CLAIMS, "take the claims in")				\
	W(0x200, CONSIDER_EVICT, "evict if the rank wants something back from it, or after the grace time")

#define NACRE_RANK_SESSION_ROWS(T)						\
	T(NONE, OPEN, OPENING, NACRE_RSESA_JOURNAL)				\
	T(NONE, RENEW, NONE, NACRE_RSESA_STATE_GONE)				\
	T(NONE, CLAIMS, NONE, NACRE_RSESA_KILLED)				\
	T(NONE, DONE, NONE, NACRE_RSESA_KILLED)					\
	T(NONE, CLOSE, NONE, NACRE_RSESA_STATE_GONE)				\
	T(OPENING, OPEN, OPENING, 0)						\
	T(OPENING, JOURNALED, OPEN, NACRE_RSESA_STATE_OK | NACRE_RSESA_START_LEASE) \
	T(OPENING, RENEW, OPENING, 0)						\
	T(OPENING, CLOSE, CLOSING, NACRE_RSESA_JOURNAL)				\
	T(OPENING, EVICT, EVICTING, NACRE_RSESA_FENCE | NACRE_RSESA_KILLED)	\
	T(OPENING, LEASE_OUT, OPENING, 0)					\
	T(OPEN, OPEN, OPEN, NACRE_RSESA_STATE_OK | NACRE_RSESA_START_LEASE)	\
	T(OPEN, JOURNALED, OPEN, 0)						\
	T(OPEN, RENEW, OPEN, NACRE_RSESA_STATE_OK | NACRE_RSESA_START_LEASE)	\
	T(OPEN, LEASE_OUT, STALE, NACRE_RSESA_CONSIDER_EVICT)			\
	T(OPEN, CLAIMS, OPEN, 0)						\
	T(OPEN, DONE, OPEN, NACRE_RSESA_STATE_OK | NACRE_RSESA_START_LEASE)	\
	T(OPEN, CLOSE, CLOSING, NACRE_RSESA_JOURNAL)				\
	T(OPEN, EVICT, EVICTING, NACRE_RSESA_FENCE | NACRE_RSESA_KILLED)	\
	T(STALE, OPEN, OPEN, NACRE_RSESA_STATE_OK | NACRE_RSESA_START_LEASE)	\
	T(STALE, JOURNALED, STALE, 0)						\
	T(STALE, RENEW, OPEN, NACRE_RSESA_STATE_OK | NACRE_RSESA_START_LEASE)	\
	T(STALE, CLAIMS, STALE, 0)						\
	T(STALE, DONE, OPEN, NACRE_RSESA_STATE_OK | NACRE_RSESA_START_LEASE)	\
	T(STALE, LEASE_OUT, STALE, NACRE_RSESA_CONSIDER_EVICT)			\
	T(STALE, CLOSE, CLOSING, NACRE_RSESA_JOURNAL)				\
	T(STALE, EVICT, EVICTING, NACRE_RSESA_FENCE | NACRE_RSESA_KILLED)	\
	T(AWAITED, OPEN, AWAITED, 0)						\
	T(AWAITED, RENEW, AWAITED, 0)						\
	T(AWAITED, CLAIMS, CLAIMING, NACRE_RSESA_TAKE_CLAIMS)			\
	T(AWAITED, DONE, AWAITED, 0)						\
	T(AWAITED, LEASE_OUT, AWAITED, 0)					\
	T(AWAITED, WINDOW_OUT, EVICTING, NACRE_RSESA_FENCE | NACRE_RSESA_KILLED) \
	T(AWAITED, CLOSE, CLOSING, NACRE_RSESA_JOURNAL)				\
	T(AWAITED, EVICT, EVICTING, NACRE_RSESA_FENCE | NACRE_RSESA_KILLED)	\
	T(CLAIMING, OPEN, CLAIMING, 0)						\
	T(CLAIMING, RENEW, CLAIMING, 0)						\
	T(CLAIMING, CLAIMS, CLAIMING, NACRE_RSESA_TAKE_CLAIMS)			\
	T(CLAIMING, DONE, OPEN, NACRE_RSESA_STATE_OK | NACRE_RSESA_START_LEASE)	\
	T(CLAIMING, LEASE_OUT, CLAIMING, 0)					\
	T(CLAIMING, WINDOW_OUT, EVICTING, NACRE_RSESA_FENCE | NACRE_RSESA_KILLED) \
	T(CLAIMING, CLOSE, CLOSING, NACRE_RSESA_JOURNAL)			\
	T(CLAIMING, EVICT, EVICTING, NACRE_RSESA_FENCE | NACRE_RSESA_KILLED)	\
	T(CLOSING, OPEN, CLOSING, 0)						\
	T(CLOSING, RENEW, CLOSING, 0)						\
	T(CLOSING, CLOSE, CLOSING, 0)						\
	T(CLOSING, CLAIMS, CLOSING, 0)						\
	T(CLOSING, DONE, CLOSING, 0)						\
	T(CLOSING, LEASE_OUT, CLOSING, 0)					\
	T(CLOSING, EVICT, CLOSING, 0)						\
	T(CLOSING, WINDOW_OUT, CLOSING, 0)					\
	T(CLOSING, JOURNALED, NONE, NACRE_RSESA_STATE_GONE | NACRE_RSESA_FREE)	\
	T(EVICTING, OPEN, EVICTING, NACRE_RSESA_KILLED)				\
	T(EVICTING, JOURNALED, EVICTING, 0)					\
	T(EVICTING, RENEW, EVICTING, NACRE_RSESA_KILLED)			\
	T(EVICTING, CLAIMS, EVICTING, NACRE_RSESA_KILLED)			\
	T(EVICTING, DONE, EVICTING, NACRE_RSESA_KILLED)				\
	T(EVICTING, CLOSE, EVICTING, NACRE_RSESA_KILLED)			\
	T(EVICTING, LEASE_OUT, EVICTING, 0)					\
	T(EVICTING, WINDOW_OUT, EVICTING, 0)					\
	T(EVICTING, EVICT, EVICTING, 0)						\
	T(EVICTING, FENCE, FENCED, NACRE_RSESA_RECOVER)				\
	T(FENCED, OPEN, FENCED, NACRE_RSESA_KILLED)				\
	T(FENCED, JOURNALED, FENCED, 0)						\
	T(FENCED, RENEW, FENCED, NACRE_RSESA_KILLED)				\
	T(FENCED, CLAIMS, FENCED, NACRE_RSESA_KILLED)				\
	T(FENCED, DONE, FENCED, NACRE_RSESA_KILLED)				\
	T(FENCED, CLOSE, FENCED, NACRE_RSESA_KILLED)				\
	T(FENCED, LEASE_OUT, FENCED, 0)						\
	T(FENCED, WINDOW_OUT, FENCED, 0)					\
	T(FENCED, EVICT, FENCED, 0)						\
	T(FENCED, FENCE, FENCED, 0)						\
	T(FENCED, RECOVERED, NONE, NACRE_RSESA_FREE)				\
	T(OPENING, FENCE, FENCED, NACRE_RSESA_KILLED | NACRE_RSESA_RECOVER)	\
	T(OPEN, FENCE, FENCED, NACRE_RSESA_KILLED | NACRE_RSESA_RECOVER)	\
	T(STALE, FENCE, FENCED, NACRE_RSESA_KILLED | NACRE_RSESA_RECOVER)	\
	T(AWAITED, FENCE, FENCED, NACRE_RSESA_KILLED | NACRE_RSESA_RECOVER)	\
	T(CLAIMING, FENCE, FENCED, NACRE_RSESA_KILLED | NACRE_RSESA_RECOVER)	\
	T(CLOSING, FENCE, CLOSING, 0)

#define NACRE_RANK_SESSION_STATE_ENUM(value, name, doc) NACRE_RSES_##name = value,
#define NACRE_RANK_SESSION_EVENT_ENUM(value, name, doc) NACRE_RSESE_##name = value,
#define NACRE_RANK_SESSION_ACTION_ENUM(value, name, doc) NACRE_RSESA_##name = value,
enum nacre_rank_session_state { NACRE_RANK_SESSION_STATES(NACRE_RANK_SESSION_STATE_ENUM) };
enum nacre_rank_session_event { NACRE_RANK_SESSION_EVENTS(NACRE_RANK_SESSION_EVENT_ENUM) };
enum nacre_rank_session_action { NACRE_RANK_SESSION_ACTIONS(NACRE_RANK_SESSION_ACTION_ENUM) };

extern const struct nacre_machine nacre_rank_session_machine;

/* Are requests and cap messages of a session in this state executed (re-sends included)? */
int nacre_rank_session_serves(__u8 state);

#endif
