/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How two parties meet: the hello on every connection, map exchange, and the
 * session between a client instance and a metadata rank.
 *
 * HELLO is the first frame each way. The dialler says who it is; the listener
 * answers with HELLO_REPLY (its own facts and a result) and hangs up if the
 * result is not zero. A dialler without an instance id says 0 and may then
 * speak only MAP_GET and SESSION_OPEN.
 *
 * A session outlives connections: after a reconnect to the same incarnation
 * of a rank the client just goes on and re-sends what is unanswered; a new
 * incarnation demands SESSION_RECONNECT first (see protocol/rules/session.h).
 */
#ifndef NACRE_SESSION_H
#define NACRE_SESSION_H

#include "wire.h"

#define NACRE_PROTOCOL_VERSION 1
#define NACRE_DEFAULT_PORT 7270		/* of an MDS, when a mount names none */
#define NACRE_HOST_NAME_MAX 64

/* What a peer can do. Bits in `required` that the other side lacks end the connection. */
#define NACRE_FEATURES(F)						\
	F(0, BASE, "everything in protocol version 1")			\
	F(1, INLINE, "file data in the inode")				\
	F(2, RECORD_BATCH, "batches of namespace records (op log)")	\
	F(3, SIZE_REPORT, "size reports: SIZE_ASK, SIZE_REPORT, and what a client says and hears around them") \
	F(4, CAP_REVOKES, "several CAP_REVOKEs in one message")		\
	F(5, QUOTA, "quotas of directory trees: QUOTA, and being told that there is no room (mds.h)")	\
	F(6, UNWRITTEN, "blocks that are allocated and not written: whole objects in one ALLOCATE, KEEP, MAP, REP_OBJECT with ROOM; room behind a file's end: KEEPS, KEPT") \
	F(7, INODE_FLAGS, "attributes of chattr: enum nacre_inode_flags") \
	F(8, SCRUB, "replicas of an object compared and repaired: REP_SCRUB") \
	F(9, POOL_DIRECT, "a pool says from which size on writes are not journaled") \
	F(10, FIFTH_SLOT, "a placement group has a fifth member while one of four is being replaced")

#define NACRE_FEATURE_ENUM(bit, name, doc) NACRE_FEATURE_##name = 1u << (bit),
enum nacre_feature {
	NACRE_FEATURES(NACRE_FEATURE_ENUM)
};
#define NACRE_FEATURES_SUPPORTED ((__u64)(NACRE_FEATURE_BASE | NACRE_FEATURE_INLINE | \
					  NACRE_FEATURE_SIZE_REPORT | NACRE_FEATURE_CAP_REVOKES | \
					  NACRE_FEATURE_QUOTA | NACRE_FEATURE_UNWRITTEN | \
					  NACRE_FEATURE_INODE_FLAGS | NACRE_FEATURE_SCRUB | \
					  NACRE_FEATURE_POOL_DIRECT | NACRE_FEATURE_FIFTH_SLOT))
#define NACRE_FEATURES_REQUIRED ((__u64)NACRE_FEATURE_BASE)

enum nacre_role {
	NACRE_ROLE_CLIENT = 1,
	NACRE_ROLE_MDS = 2,
	NACRE_ROLE_OSD = 3,
	NACRE_ROLE_TOOL = 4,
};

#define NACRE_HELLO_FIELDS(F, R, T)					\
	F(32, protocol, "NACRE_PROTOCOL_VERSION")			\
	F(8, role, "enum nacre_role of the sender")			\
	R(8, reserved0)							\
	F(16, id, "OSD id or MDS rank of the sender, else 0")		\
	F(64, features, "what the sender supports")			\
	F(64, required, "what the peer must support")			\
	F(64, instance, "of the sender; 0 = none yet")			\
	F(64, fsid_lo, "file system the sender belongs to; 0 = asks")	\
	F(64, fsid_hi, "second half")					\
	F(64, map_epoch, "of the map the sender holds; 0 = none")	\
	F(32, conn_gen, "connection generation")			\
	T(name, NACRE_HOST_NAME_MAX, "host or daemon name, for people")
NACRE_STRUCT(nacre_hello, NACRE_HELLO_FIELDS, 64);

#define NACRE_HELLO_REPLY_FIELDS(F, R, T)				\
	F(32, result, "0, or why the connection ends (error.h)")	\
	F(32, protocol, "NACRE_PROTOCOL_VERSION of the listener")	\
	F(64, features, "what the listener supports")			\
	F(64, required, "what the listener demands")			\
	F(64, instance, "of the listener")				\
	F(64, fsid_lo, "file system the listener belongs to")		\
	F(64, fsid_hi, "second half")					\
	F(64, map_epoch, "of the map the listener holds")		\
	F(32, time_scale_percent, "100 = real time; all leases are multiplied by it") \
	F(8, role, "enum nacre_role of the listener")			\
	R(8, reserved0)							\
	F(16, id, "OSD id or MDS rank of the listener, else 0")		\
	R(32, reserved1)						\
	T(text, 256, "the reason in words, when result is not 0")
NACRE_STRUCT(nacre_hello_reply, NACRE_HELLO_REPLY_FIELDS, 72);

enum nacre_map_get_flags {
	NACRE_MAP_SUBSCRIBE = 1,	/* send every newer map, as it comes */
};

#define NACRE_MAP_GET_FIELDS(F, R, T)					\
	F(64, have_epoch, "answer only with a newer one; 0 = any")	\
	F(32, flags, "enum nacre_map_get_flags")			\
	R(32, reserved0)
NACRE_STRUCT(nacre_map_get, NACRE_MAP_GET_FIELDS, 16);

/* The body of MAP is struct nacre_map. */

#define NACRE_SESSION_OPEN_FIELDS(F, R, T)				\
	F(64, instance, "0 = give me one; else taken from an earlier answer") \
	F(32, rank, "which rank is meant")				\
	R(32, reserved0)						\
	R(64, reserved1)
NACRE_STRUCT(nacre_session_open, NACRE_SESSION_OPEN_FIELDS, 24);

/*
 * Answers SESSION_OPEN, SESSION_RENEW and SESSION_RECONNECT_DONE: the state of
 * the session as the rank sees it; and SESSION_CLOSE, with result NO_SESSION
 * once the end is journaled (one that was cut off is answered by SESSION_KILLED). Not sent as granted before the
 * session and its number range are journaled (INO-1).
 */
#define NACRE_SESSION_STATE_FIELDS(F, R, T)				\
	F(32, result, "0, NO_SESSION, EVICTED, NOT_ACTIVE, …")		\
	F(32, lease_ms, "the session lives this long after a renewal was sent") \
	F(64, instance, "of the client")				\
	F(64, incarnation, "of the rank")				\
	F(64, renew_seq, "echo of SESSION_RENEW, 0 otherwise")		\
	F(64, applied, "apply number of the session's last applied request") \
	F(64, safe, "apply number up to which all is journaled")	\
	F(64, ino_first, "first inode number of a range now delegated")	\
	F(64, ino_count, "length of that range, 0 = no new range")	\
	F(64, barrier_epoch, "no OSD request below this map epoch")
NACRE_STRUCT(nacre_session_state, NACRE_SESSION_STATE_FIELDS, 72);

#define NACRE_SESSION_RENEW_FIELDS(F, R, T)				\
	F(64, renew_seq, "counts up; the lease runs from the sending of this") \
	F(64, inos_left, "unused numbers of the delegated ranges")	\
	F(64, oldest_tid, "every request below it is finished here")
NACRE_STRUCT(nacre_session_renew, NACRE_SESSION_RENEW_FIELDS, 24);

enum nacre_close_flags {
	/* Its mount was cut off: it uses nothing of what it holds any more, and what it has not flushed is lost. */
	NACRE_CLOSE_CUT = 1,
};

#define NACRE_SESSION_CLOSE_FIELDS(F, R, T)				\
	F(64, instance, "whose session ends, with nothing dirty left")	\
	F(32, flags, "enum nacre_close_flags")				\
	R(32, reserved0)
NACRE_STRUCT(nacre_session_close, NACRE_SESSION_CLOSE_FIELDS, 16);

/* Why a rank ends a session by itself; the client answers by a new instance. */
#define NACRE_SESSION_KILLED_FIELDS(F, R, T)				\
	F(64, instance, "whose session it was")				\
	F(32, result, "EVICTED, NO_SESSION, …")				\
	T(text, 256, "the reason in words")
NACRE_STRUCT(nacre_session_killed, NACRE_SESSION_KILLED_FIELDS, 16);

/* One cap a client says it still holds, after a rank changed hands. */
#define NACRE_CAP_CLAIM_FIELDS(F, R, T)					\
	F(64, ino, "inode")						\
	F(64, cap_id, "as the old incarnation gave it")			\
	F(64, size, "bytes, as the holder knows it")			\
	F(64, max_size, "up to which the holder may have written")	\
	F(32, held, "cap bits held")					\
	F(32, wanted, "cap bits wanted")				\
	F(32, dirty, "cap groups with changes not yet acknowledged")	\
	F(32, flags, "enum nacre_claim_flags")
NACRE_STRUCT(nacre_cap_claim, NACRE_CAP_CLAIM_FIELDS, 48);

enum nacre_claim_flags {
	NACRE_CLAIM_OPEN = 1,		/* a file is open on it */
};

enum nacre_reconnect_flags {
	NACRE_RECONNECT_MORE = 1,	/* another part follows */
};

/*
 * Sent to a rank's new incarnation: all caps, in parts. After the last part
 * come the unsafe requests in apply order, then the unanswered ones, then
 * SESSION_RECONNECT_DONE.
 */
#define NACRE_SESSION_RECONNECT_FIELDS(F, R, T)				\
	F(64, instance, "of the client")				\
	F(64, oldest_tid, "every request below it is finished here")	\
	F(64, safe, "highest safe apply number the client has seen")	\
	F(32, flags, "enum nacre_reconnect_flags")			\
	T(claims, 48 * 16384, "nacre_cap_claim array")
NACRE_STRUCT(nacre_session_reconnect, NACRE_SESSION_RECONNECT_FIELDS, 32);

#define NACRE_SESSION_RECONNECT_DONE_FIELDS(F, R, T)			\
	F(64, instance, "of the client: nothing more to re-send")	\
	R(64, reserved0)
NACRE_STRUCT(nacre_session_reconnect_done, NACRE_SESSION_RECONNECT_DONE_FIELDS, 16);

#define NACRE_SESSION_STRUCTS(S)					\
	S(nacre_hello, NACRE_HELLO_FIELDS)				\
	S(nacre_hello_reply, NACRE_HELLO_REPLY_FIELDS)			\
	S(nacre_map_get, NACRE_MAP_GET_FIELDS)				\
	S(nacre_session_open, NACRE_SESSION_OPEN_FIELDS)		\
	S(nacre_session_state, NACRE_SESSION_STATE_FIELDS)		\
	S(nacre_session_renew, NACRE_SESSION_RENEW_FIELDS)		\
	S(nacre_session_close, NACRE_SESSION_CLOSE_FIELDS)		\
	S(nacre_session_killed, NACRE_SESSION_KILLED_FIELDS)		\
	S(nacre_cap_claim, NACRE_CAP_CLAIM_FIELDS)			\
	S(nacre_session_reconnect, NACRE_SESSION_RECONNECT_FIELDS)	\
	S(nacre_session_reconnect_done, NACRE_SESSION_RECONNECT_DONE_FIELDS)

#endif
