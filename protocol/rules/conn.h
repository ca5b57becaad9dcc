/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One framed connection: its life at either end, and the checks that every frame
 * passes before its body is decoded. Frames: protocol/frame.h; hello: protocol/session.h.
 *
 *	dialler:   IDLE ─dial─▶ CONNECTING ─tcp up─▶ HELLO_SENT ─accepted─▶ READY
 *	             ▲              │ down, timeout      │ down, bad, timeout  │ down, bad
 *	             │              └──────────┬─────────┴─────────────────────┘
 *	             │                         ▼
 *	             └── (still wanted: CONNECTING) ◀─pause over─ BACKOFF
 *	listener:  ─accept─▶ HELLO_WAIT ─hello─▶ READY      down, bad, timeout ─▶ CLOSED
 *	both:      refused, close ─▶ CLOSED
 *
 * A bad frame (magic, checksum, order, decoding, meaning) resets the connection: one
 * log line that names peer, message and reason, a counter, and nothing else.
 * Pure; the caller owns sockets and timers.
 */
#ifndef NACRE_RULES_CONN_H
#define NACRE_RULES_CONN_H

#include "../frame.h"
#include "../messages.h"
#include "machine.h"

#define NACRE_CONN_STATES(W)							\
	W(0, IDLE, "nobody needs it yet, or just made")				\
	W(1, CONNECTING, "dialler: waiting for TCP")				\
	W(2, HELLO_SENT, "dialler: waiting for HELLO_REPLY")			\
	W(3, HELLO_WAIT, "listener: waiting for HELLO")				\
	W(4, READY, "any message may pass")					\
	W(5, BACKOFF, "dialler: it broke; waiting before the next attempt")	\
	W(6, CLOSED, "over, by our own wish or the peer's refusal")

#define NACRE_CONN_EVENTS(W)							\
	W(0, DIAL, "somebody needs the connection")				\
	W(1, ACCEPT, "a listener has taken this socket")			\
	W(2, TCP_UP, "TCP is connected")					\
	W(3, HELLO, "a HELLO that suits us has come, and its reply is to be sent") \
	W(4, WELCOME, "a HELLO_REPLY with result 0 that suits us has come")	\
	W(5, REFUSED, "a HELLO or HELLO_REPLY that can never suit: version, features, fsid, dead instance") \
	W(6, DOWN, "the socket broke, or the peer hung up, or asked to come back later") \
	W(7, BAD, "the peer sent what it must not")				\
	W(8, TIMEOUT, "the timer of this state has run out")			\
	W(9, CLOSE, "nobody needs it any more")

#define NACRE_CONN_ACTIONS(W)							\
	W(0x01, CONNECT, "count conn_gen up, set seq and ack to 0, start TCP connect, start the timer") \
	W(0x02, SEND_HELLO, "send HELLO, restart the timer")			\
	W(0x04, SEND_REPLY, "send HELLO_REPLY")					\
	W(0x08, UP, "stop the timer; tell the owner: it re-sends what is unanswered") \
	W(0x10, LOST, "tell the owner that what is unanswered may be lost")	\
	W(0x20, HANG_UP, "close the socket, throw queued frames away")		\
	W(0x40, PAUSE, "start the timer with the next back-off time")		\
	W(0x80, COMPLAIN, "one rate-limited log line, count it")		\
	W(0x100, FAILED, "tell the owner: do not try again")			\
	W(0x200, TIMER, "start the timer of this state")

#define NACRE_CONN_ROWS(T)							\
	T(IDLE, DIAL, CONNECTING, NACRE_CONNA_CONNECT)				\
	T(IDLE, ACCEPT, HELLO_WAIT, NACRE_CONNA_TIMER)				\
	T(IDLE, CLOSE, CLOSED, 0)						\
	T(CONNECTING, DIAL, CONNECTING, 0)					\
	T(CONNECTING, TCP_UP, HELLO_SENT, NACRE_CONNA_SEND_HELLO)		\
	T(CONNECTING, DOWN, BACKOFF, NACRE_CONNA_HANG_UP | NACRE_CONNA_PAUSE)	\
	T(CONNECTING, TIMEOUT, BACKOFF, NACRE_CONNA_HANG_UP | NACRE_CONNA_PAUSE) \
	T(CONNECTING, CLOSE, CLOSED, NACRE_CONNA_HANG_UP)			\
	T(HELLO_SENT, DIAL, HELLO_SENT, 0)					\
	T(HELLO_SENT, WELCOME, READY, NACRE_CONNA_UP)				\
	T(HELLO_SENT, REFUSED, CLOSED, NACRE_CONNA_HANG_UP | NACRE_CONNA_COMPLAIN | NACRE_CONNA_FAILED) \
	T(HELLO_SENT, DOWN, BACKOFF, NACRE_CONNA_HANG_UP | NACRE_CONNA_PAUSE)	\
	T(HELLO_SENT, BAD, BACKOFF, NACRE_CONNA_HANG_UP | NACRE_CONNA_COMPLAIN | NACRE_CONNA_PAUSE) \
	T(HELLO_SENT, TIMEOUT, BACKOFF, NACRE_CONNA_HANG_UP | NACRE_CONNA_PAUSE) \
	T(HELLO_SENT, CLOSE, CLOSED, NACRE_CONNA_HANG_UP)			\
	T(HELLO_WAIT, HELLO, READY, NACRE_CONNA_SEND_REPLY | NACRE_CONNA_UP)	\
	T(HELLO_WAIT, REFUSED, CLOSED, NACRE_CONNA_SEND_REPLY | NACRE_CONNA_HANG_UP | NACRE_CONNA_COMPLAIN) \
	T(HELLO_WAIT, DOWN, CLOSED, NACRE_CONNA_HANG_UP)			\
	T(HELLO_WAIT, BAD, CLOSED, NACRE_CONNA_HANG_UP | NACRE_CONNA_COMPLAIN)	\
	T(HELLO_WAIT, TIMEOUT, CLOSED, NACRE_CONNA_HANG_UP)			\
	T(HELLO_WAIT, CLOSE, CLOSED, NACRE_CONNA_HANG_UP)			\
	T(BACKOFF, DIAL, BACKOFF, 0)						\
	T(BACKOFF, TIMEOUT, CONNECTING, NACRE_CONNA_CONNECT)			\
	T(BACKOFF, DOWN, BACKOFF, 0)						\
	T(BACKOFF, CLOSE, CLOSED, 0)						\
	T(CLOSED, DOWN, CLOSED, 0)						\
	T(CLOSED, TIMEOUT, CLOSED, 0)						\
	T(CLOSED, CLOSE, CLOSED, 0)

/* READY differs by role: a dialler tries again, a listener is done. */
#define NACRE_CONN_ROWS_DIALLER(T)						\
	NACRE_CONN_ROWS(T)							\
	T(READY, DIAL, READY, 0)						\
	T(READY, DOWN, BACKOFF, NACRE_CONNA_HANG_UP | NACRE_CONNA_LOST | NACRE_CONNA_PAUSE) \
	T(READY, BAD, BACKOFF, NACRE_CONNA_HANG_UP | NACRE_CONNA_COMPLAIN | NACRE_CONNA_LOST | NACRE_CONNA_PAUSE) \
	T(READY, CLOSE, CLOSED, NACRE_CONNA_HANG_UP)

#define NACRE_CONN_ROWS_LISTENER(T)						\
	NACRE_CONN_ROWS(T)							\
	T(READY, DOWN, CLOSED, NACRE_CONNA_HANG_UP | NACRE_CONNA_LOST)		\
	T(READY, BAD, CLOSED, NACRE_CONNA_HANG_UP | NACRE_CONNA_COMPLAIN | NACRE_CONNA_LOST) \
	T(READY, CLOSE, CLOSED, NACRE_CONNA_HANG_UP)

#define NACRE_CONN_STATE_ENUM(value, name, doc) NACRE_CONN_##name = value,
#define NACRE_CONN_EVENT_ENUM(value, name, doc) NACRE_CONNE_##name = value,
#define NACRE_CONN_ACTION_ENUM(value, name, doc) NACRE_CONNA_##name = value,
enum nacre_conn_state { NACRE_CONN_STATES(NACRE_CONN_STATE_ENUM) };
enum nacre_conn_event { NACRE_CONN_EVENTS(NACRE_CONN_EVENT_ENUM) };
enum nacre_conn_action { NACRE_CONN_ACTIONS(NACRE_CONN_ACTION_ENUM) };

extern const struct nacre_machine nacre_conn_dialler_machine;
extern const struct nacre_machine nacre_conn_listener_machine;

/* ---- frames ---------------------------------------------------------------------------------- */

/* What is known of the other end, for judging its frames. */
struct nacre_conn_peer {
	__u64 instance;			/* from its hello; 0 = it has none */
	__u64 received;			/* seq of the last frame taken, 0 = none */
	__u64 features;			/* what it said it supports */
	__u8 role;			/* enum nacre_role from its hello; 0 = no hello yet */
	__u8 is_listener;		/* the peer is the side that was dialled */
};

enum nacre_frame_verdict {
	NACRE_FRAME_TAKE = 0,		/* new: read body and data, then execute */
	NACRE_FRAME_DROP = 1,		/* seen before: read body and data, forget them */
	NACRE_FRAME_RESET = 2,		/* wrong: reset the connection */
};

/*
 * Judge a decoded header whose header_crc the caller has compared (CRC32C as frame.h says).
 * In this order: magic, version, type known, hello first, sender's role allowed, lengths within the
 * message's limits, crc fields of empty parts, seq. On TAKE peer->received is updated.
 * *row is the message's row (TAKE, DROP), *reason a static text (RESET).
 */
enum nacre_frame_verdict nacre_frame_judge(const struct nacre_frame *frame,
					   struct nacre_conn_peer *peer,
					   const struct nacre_message **row,
					   const char **reason);

/* Longest body of a message: its fixed part and all tails at their limits, at most NACRE_BODY_MAX. */
__u32 nacre_message_body_max(const struct nacre_message *row);

/* The nacre_sender bit of a role, 0 for an unknown one. */
__u8 nacre_role_sender(__u8 role);

/*
 * Judge a validated HELLO (as listener) or HELLO_REPLY (as dialler): protocol version and required
 * features on both sides, same file system (a zero fsid asks). Returns the result to
 * send or to report: NACRE_OK, NACRE_E_BAD_VERSION, NACRE_E_BAD_FSID, or the reply's own result.
 * A dialler passes its own fsid, 0 if it does not know it yet.
 */
__u32 nacre_hello_judge(const struct nacre_hello *hello, __u64 fsid_lo, __u64 fsid_hi);
__u32 nacre_hello_reply_judge(const struct nacre_hello_reply *reply, __u64 fsid_lo, __u64 fsid_hi);

/* Pause before attempt number `attempt` (from 0), before jitter: 50 ms doubling to 5 s. */
__u32 nacre_conn_backoff_ms(__u32 attempt);

#endif
