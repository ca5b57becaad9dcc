/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the OSDs of one placement group: replication of numbered
 * transactions, reconciliation when the set changes, and catching up of a
 * member that was away. The primary speaks, members answer.
 *
 * The primary gives each mutating request the next `number` of the group's
 * log, sends it to all in-sync members, and answers the client when all have
 * made it durable. Every message names the interval (map.h); one of another
 * interval is refused with WRONG_INTERVAL, which makes the sender look at its
 * map. Replicas judge the primary by its interval, never the client.
 *
 *	serving         REP_APPLY ───▶  ◀─── REP_DONE      REP_COMMITTED ───▶
 *	new interval    REP_QUERY ───▶  ◀─── REP_INFO      who has the longest log?
 *	                                ◀─── REP_UNSTABLE  before it, if there is something
 *	                REP_FETCH ───▶  ◀─── REP_TRANSACTION … the primary was behind
 *	                REP_APPLY ───▶  ◀─── REP_DONE      a member was behind
 *	catching up     REP_QUERY ───▶  ◀─── REP_INFO      with the log's entries
 *	                REP_LIST ───▶   ◀─── REP_LISTED    if the logs do not meet
 *	                REP_OBJECT ───▶ ◀─── REP_OBJECT_DONE  each that differs
 *	                REP_LOG ───▶    ◀─── REP_DONE      the log that belongs to them
 *	scrubbing       REP_LIST ───▶   ◀─── REP_LISTED    a slice of the objects
 *	                REP_SCRUB ───▶  ◀─── REP_SCRUBBED  one object, held by the primary
 *
 * server/osd/README.md says why this is safe.
 */
#ifndef NACRE_REPLICA_H
#define NACRE_REPLICA_H

#include "wire.h"
#include "osd.h"

#define NACRE_PG_HEAD(F)						\
	F(32, pool, "pool")						\
	F(32, pg, "placement group in the pool")			\
	F(64, interval, "epoch at which the sender's interval began")

#define NACRE_REP_LIST_MAX 8192u	/* elements of a listing or of a log, in one message */

/*
 * One entry of a group's log: which request made transaction `number`, and of
 * which object. (number, interval) is the same on two OSDs only if the
 * transaction is.
 */
#define NACRE_REP_ENTRY_FIELDS(F, R, T)					\
	F(64, number, "position in the group's log")			\
	F(64, interval, "in which the primary numbered it")		\
	F(64, instance, "of the requester")				\
	F(64, tid, "of the request; (instance, tid) is applied at most once") \
	F(64, ino, "object: inode")					\
	F(64, index, "object: which")					\
	F(64, snap, "object: snapshot")					\
	F(32, op_count, "operations in the request")			\
	T(reply, 1 << 16, "nacre_osd_reply with its data payload's bytes behind it, where the results are more than zeros")
NACRE_STRUCT(nacre_rep_entry, NACRE_REP_ENTRY_FIELDS, 64);

/*
 * primary → member: make transaction `number` durable. Data payload as in the
 * request. REP_TRANSACTION has the same body, in answer to REP_FETCH.
 */
#define NACRE_REP_APPLY_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(64, number, "position in the group's log")			\
	F(64, committed, "every number up to this is durable on all in-sync members") \
	T(transaction, 3 << 18, "nacre_osd_request as the primary resolved it: changes only, without conditions") \
	T(entry, 1 << 17, "nacre_rep_entry: its place in the log")
NACRE_STRUCT(nacre_rep_apply, NACRE_REP_APPLY_FIELDS, 40);

/* member → primary: what of the log is durable here. Also refuses any message of the primary. */
#define NACRE_REP_DONE_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(64, number, "made durable, with all before it")		\
	F(64, bytes_free, "space left for data here")			\
	F(32, result, "0, or why not")					\
	R(32, reserved0)
NACRE_STRUCT(nacre_rep_done, NACRE_REP_DONE_FIELDS, 40);

/* primary → member: so much is committed. Sent when the group falls quiet; no answer. */
#define NACRE_REP_COMMITTED_FIELDS(F, R, T)				\
	NACRE_PG_HEAD(F)						\
	F(64, committed, "every number up to this is durable on all in-sync members")
NACRE_STRUCT(nacre_rep_committed, NACRE_REP_COMMITTED_FIELDS, 24);

enum nacre_rep_query_flags {
	NACRE_REP_QUERY_LOG = 1,	/* with the entries of the log */
};

/* primary → member: how far does your log go? Answered when nothing is under way there. */
#define NACRE_REP_QUERY_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(32, flags, "enum nacre_rep_query_flags")			\
	R(32, reserved0)
NACRE_STRUCT(nacre_rep_query, NACRE_REP_QUERY_FIELDS, 24);

#define NACRE_REP_INFO_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(64, first, "oldest number in the log, 0 = it is empty")	\
	F(64, last, "newest number in the log, 0 = nothing was ever done here") \
	F(64, committed, "known to be committed")			\
	F(64, bytes_free, "space left for data here")			\
	F(32, result, "0, or why there is no answer")			\
	T(entries, 64 * NACRE_REP_LIST_MAX, "nacre_rep_entry sequence without replies, oldest first; with flag LOG")
NACRE_STRUCT(nacre_rep_info, NACRE_REP_INFO_FIELDS, 56);

/* Bytes of an object, whole blocks. */
#define NACRE_REP_RANGE_FIELDS(F, R, T)					\
	F(64, ino, "object: inode")					\
	F(64, index, "object: which")					\
	F(64, snap, "object: snapshot")					\
	F(32, offset, "first byte")					\
	F(32, length, "bytes")
NACRE_STRUCT(nacre_rep_range, NACRE_REP_RANGE_FIELDS, 32);

/*
 * member → primary, in answer to a query and before its REP_INFO: what stands in these ranges here is not known, as a crash
 * ended an overwrite in place (journal mode ordered). More ranges than fit come in further messages.
 */
#define NACRE_REP_UNSTABLE_FIELDS(F, R, T)				\
	NACRE_PG_HEAD(F)						\
	R(32, reserved0)						\
	T(ranges, 32 * NACRE_REP_LIST_MAX, "nacre_rep_range array")
NACRE_STRUCT(nacre_rep_unstable, NACRE_REP_UNSTABLE_FIELDS, 24);

/* primary → member with a longer log: send me these, each as REP_TRANSACTION, in order. */
#define NACRE_REP_FETCH_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(64, first, "first number wanted")				\
	F(64, last, "last number wanted")
NACRE_STRUCT(nacre_rep_fetch, NACRE_REP_FETCH_FIELDS, 32);

enum nacre_rep_list_flags {
	NACRE_REP_LIST_FIRST = 1,	/* LIST: from the beginning; ino, index, snap say nothing */
	NACRE_REP_LIST_MORE = 2,	/* LISTED: there are objects behind the last one */
};

/* primary → member: which objects of the group are there, in the order of (ino, index, snap)? */
#define NACRE_REP_LIST_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(64, ino, "list behind this object")				\
	F(64, index, "list behind this object")				\
	F(64, snap, "list behind this object")				\
	F(32, flags, "enum nacre_rep_list_flags")			\
	F(32, count, "objects at most")
NACRE_STRUCT(nacre_rep_list, NACRE_REP_LIST_FIELDS, 48);

/* One object of a listing. version 0: not all of it has arrived. */
#define NACRE_REP_LISTED_OBJECT_FIELDS(F, R, T)				\
	F(64, ino, "object: inode")					\
	F(64, index, "object: which")					\
	F(64, snap, "object: snapshot")					\
	F(64, version, "number that last changed it")			\
	F(64, interval, "of that number")
NACRE_STRUCT(nacre_rep_listed_object, NACRE_REP_LISTED_OBJECT_FIELDS, 40);

#define NACRE_REP_LISTED_FIELDS(F, R, T)				\
	NACRE_PG_HEAD(F)						\
	F(32, result, "0, or why there is no answer")			\
	F(32, flags, "enum nacre_rep_list_flags")			\
	R(32, reserved0)						\
	T(objects, 40 * NACRE_REP_LIST_MAX, "nacre_rep_listed_object array, ascending")
NACRE_STRUCT(nacre_rep_listed, NACRE_REP_LISTED_FIELDS, 32);

enum nacre_rep_object_flags {
	NACRE_REP_OBJECT_FIRST = 1,	/* whatever is there of it goes first */
	NACRE_REP_OBJECT_LAST = 2,	/* with it the object is whole, at `version` */
	NACRE_REP_OBJECT_ABSENT = 4,	/* it does not exist (FIRST and LAST) */
	NACRE_REP_OBJECT_ROOM = 8,	/* the data payload is a nacre_osd_extent array: these have unwritten blocks */
};

/* primary → member: a part of an object. The data payload stands at `offset`. */
#define NACRE_REP_OBJECT_FIELDS(F, R, T)				\
	NACRE_PG_HEAD(F)						\
	F(64, part, "counts the parts sent to this member in this interval, from 1") \
	F(64, ino, "object: inode")					\
	F(64, index, "object: which")					\
	F(64, snap, "object: snapshot")					\
	F(64, version, "number that last changed it")			\
	F(64, version_interval, "of that number")			\
	F(64, size, "of the whole object, bytes")			\
	F(64, mtime, "ns")						\
	F(64, truncate_size, "of the newest truncation it has seen")	\
	F(32, truncate_seq, "of the newest truncation it has seen")	\
	F(32, flags, "enum nacre_rep_object_flags")			\
	F(64, offset, "of the data payload in the object; what no part names is a hole; ROOM: 0") \
	T(attributes, 1 << 18, "nacre_key_value sequence")		\
	T(keys, 1 << 19, "nacre_key_value sequence")
NACRE_STRUCT(nacre_rep_object, NACRE_REP_OBJECT_FIELDS, 112);

/* member → primary: the parts up to this one are stored (not yet durable). */
#define NACRE_REP_OBJECT_DONE_FIELDS(F, R, T)				\
	NACRE_PG_HEAD(F)						\
	F(64, part, "of REP_OBJECT")					\
	F(64, bytes_free, "space left for data here")			\
	F(32, result, "0, or why not")					\
	R(32, reserved0)
NACRE_STRUCT(nacre_rep_object_done, NACRE_REP_OBJECT_DONE_FIELDS, 40);

enum nacre_rep_log_flags {
	NACRE_REP_LOG_FIRST = 1,
	NACRE_REP_LOG_LAST = 2,		/* replace the log by these parts, then answer REP_DONE */
};

/*
 * primary → member that has all objects as the log leaves them: this is the
 * log now. Durable together with all objects sent before, when REP_DONE
 * answers with `last`.
 */
#define NACRE_REP_LOG_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(64, last, "newest number of the log")				\
	F(64, committed, "as in REP_APPLY")				\
	F(32, flags, "enum nacre_rep_log_flags")			\
	T(entries, 3 << 18, "nacre_rep_entry sequence, oldest first")
NACRE_STRUCT(nacre_rep_log, NACRE_REP_LOG_FIELDS, 40);

enum nacre_rep_scrub_what {
	NACRE_REP_SCRUB_LIGHT = 1,	/* what its metadata says */
	NACRE_REP_SCRUB_DEEP = 2,	/* and its keys, and every block against its checksum */
	NACRE_REP_SCRUB_READ = 3,	/* its bytes in a range, if they match their checksums */
	NACRE_REP_SCRUB_REPAIR = 4,	/* the payload holds the right bytes of whole blocks */
};

/*
 * primary → in-sync member: one object, which the primary holds so that nothing is under way to it. READ and REPAIR only
 * if it stands at that version there. With feature SCRUB.
 */
#define NACRE_REP_SCRUB_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(64, tid, "comes back in the answer")				\
	F(64, ino, "object: inode")					\
	F(64, index, "object: which")					\
	F(64, snap, "object: snapshot")					\
	F(64, version, "READ, REPAIR: number that last changed it, at the primary") \
	F(64, version_interval, "of that number")			\
	F(64, offset, "READ, REPAIR: where, a multiple of 4096")	\
	F(32, length, "READ, REPAIR: bytes, likewise")			\
	F(32, what, "enum nacre_rep_scrub_what")
NACRE_STRUCT(nacre_rep_scrub, NACRE_REP_SCRUB_FIELDS, 80);

enum nacre_rep_scrub_flags {
	NACRE_REP_SCRUB_ABSENT = 1,	/* it does not exist here */
	NACRE_REP_SCRUB_UNSTABLE = 2,	/* it changed meanwhile: this says nothing */
	NACRE_REP_SCRUB_CUT = 4,	/* there is more behind what `bad` names */
};

#define NACRE_REP_SCRUB_BAD_MAX 256u	/* ranges */

/*
 * member → primary. Hashes are XXH64, of what every replica has alike; where blocks lie, and whether zeros are stored, is
 * each one's own. REPAIR: it is stored. READ: the data payload is the bytes, those behind the object's end zeros.
 */
#define NACRE_REP_SCRUBBED_FIELDS(F, R, T)				\
	NACRE_PG_HEAD(F)						\
	F(64, tid, "of REP_SCRUB")					\
	F(64, version, "number that last changed it")			\
	F(64, version_interval, "of that number")			\
	F(64, size, "bytes")						\
	F(64, head, "hash of times, truncation and attributes")	\
	F(64, keys, "DEEP: hash of its pairs")				\
	F(64, data, "DEEP: hash of its blocks' checksums; says nothing when there are bad ones") \
	F(64, bytes, "read for that")					\
	F(32, result, "0, or why it cannot be said")			\
	F(32, flags, "enum nacre_rep_scrub_flags")			\
	T(bad, 16 * NACRE_REP_SCRUB_BAD_MAX, "nacre_osd_extent array, ascending: blocks that do not match their checksums") \
	R(32, reserved0)
NACRE_STRUCT(nacre_rep_scrubbed, NACRE_REP_SCRUBBED_FIELDS, 96);

#define NACRE_REPLICA_STRUCTS(S)					\
	S(nacre_rep_entry, NACRE_REP_ENTRY_FIELDS)			\
	S(nacre_rep_apply, NACRE_REP_APPLY_FIELDS)			\
	S(nacre_rep_done, NACRE_REP_DONE_FIELDS)			\
	S(nacre_rep_committed, NACRE_REP_COMMITTED_FIELDS)		\
	S(nacre_rep_query, NACRE_REP_QUERY_FIELDS)			\
	S(nacre_rep_info, NACRE_REP_INFO_FIELDS)			\
	S(nacre_rep_fetch, NACRE_REP_FETCH_FIELDS)			\
	S(nacre_rep_list, NACRE_REP_LIST_FIELDS)			\
	S(nacre_rep_listed_object, NACRE_REP_LISTED_OBJECT_FIELDS)	\
	S(nacre_rep_listed, NACRE_REP_LISTED_FIELDS)			\
	S(nacre_rep_object, NACRE_REP_OBJECT_FIELDS)			\
	S(nacre_rep_object_done, NACRE_REP_OBJECT_DONE_FIELDS)		\
	S(nacre_rep_log, NACRE_REP_LOG_FIELDS)				\
	S(nacre_rep_scrub, NACRE_REP_SCRUB_FIELDS)			\
	S(nacre_rep_scrubbed, NACRE_REP_SCRUBBED_FIELDS)		\
	S(nacre_rep_range, NACRE_REP_RANGE_FIELDS)			\
	S(nacre_rep_unstable, NACRE_REP_UNSTABLE_FIELDS)

#endif
