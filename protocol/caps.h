/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Capabilities: what a client may cache and do on its own with an inode, and
 * the messages that give and take them.
 *
 * Bits come in groups, each guarding some attributes. `SHARED`: the client may
 * answer from its copy, nobody changes it meanwhile. `EXCL`: the client may
 * change its copy and flush later; it alone holds the group.
 *
 * One cap per inode and session, named by cap_id (never reused by a rank) and
 * versioned by (gen, seq): `gen` is the session generation, `seq` counts the
 * rank's messages about this cap. CAP_REVOKE is repeated until answered
 * (CAP-2); a client that does not know the inode answers all the same, with
 * NACRE_CAP_UPDATE_UNKNOWN (catalogue B1, B2).
 */
#ifndef NACRE_CAPS_H
#define NACRE_CAPS_H

#include "wire.h"
#include "mds.h"

/*	  bit  name  group  what the holder may do, what it does before it gives the bit back (CAP-1) */
#define NACRE_CAPS(C)								\
	C(0, PIN, NONE, "name the inode: its number, type, rdev, symlink target", \
	  "forget it, once nothing has it open or in use")			\
	C(1, AUTH_SHARED, AUTH, "answer mode, uid, gid from its copy",		\
	  "nothing: the copy is asked for anew")				\
	C(2, AUTH_EXCL, AUTH, "change mode, uid, gid",				\
	  "send the changed values")						\
	C(3, LINK_SHARED, LINK, "answer nlink from its copy",			\
	  "nothing: the copy is asked for anew")				\
	C(4, LINK_EXCL, LINK, "know that it has all names; unlink, link, rename it on its own", \
	  "send the changed values")						\
	C(5, XATTR_SHARED, XATTR, "answer xattrs and ACLs from its copy",	\
	  "nothing: the copy is asked for anew")				\
	C(6, XATTR_EXCL, XATTR, "change xattrs and ACLs",			\
	  "send the whole set")							\
	C(7, FILE_SHARED, FILE, "answer size, times, layout from its copy",	\
	  "nothing: the copy is asked for anew")				\
	C(8, FILE_EXCL, FILE, "change size and times",				\
	  "end the calls that use it, send size and times")			\
	C(9, FILE_CACHE, FILE, "answer reads from its page cache",		\
	  "write what is dirty, unmap the pages and drop them")			\
	C(10, FILE_READ, FILE, "read at the OSDs",				\
	  "wait for the answer of every read sent")				\
	C(11, FILE_WRITE, FILE, "write at the OSDs",				\
	  "write what is dirty, wait for the answer of every write, send size and times") \
	C(12, FILE_BUFFER, FILE, "hold written data back in its page cache",	\
	  "write what is dirty, wait for the answers, send size and times")	\
	C(16, DIR_SHARED, DIR, "answer lookups from its dentries; after a full listing also negative ones", \
	  "forget the dentries' leases and that the listing was full; at once")	\
	C(17, DIRX, DIR, "do everything with the entries on its own",		\
	  "send the log of what was done and wait until it is applied")

#define NACRE_CAP_ENUM(bit, name, group, doc, back) NACRE_CAP_##name = 1u << (bit),
enum nacre_cap_bit {
	NACRE_CAPS(NACRE_CAP_ENUM)
};

enum nacre_cap_group {
	NACRE_GROUP_NONE = 0,
	NACRE_GROUP_AUTH = 1,
	NACRE_GROUP_LINK = 2,
	NACRE_GROUP_XATTR = 4,
	NACRE_GROUP_FILE = 8,
	NACRE_GROUP_DIR = 16,
};
#define NACRE_GROUPS_ALL 31

#define NACRE_CAPS_AUTH (NACRE_CAP_AUTH_SHARED | NACRE_CAP_AUTH_EXCL)
#define NACRE_CAPS_LINK (NACRE_CAP_LINK_SHARED | NACRE_CAP_LINK_EXCL)
#define NACRE_CAPS_XATTR (NACRE_CAP_XATTR_SHARED | NACRE_CAP_XATTR_EXCL)
#define NACRE_CAPS_FILE (NACRE_CAP_FILE_SHARED | NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_CACHE | \
			 NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)
#define NACRE_CAPS_DIR (NACRE_CAP_DIR_SHARED | NACRE_CAP_DIRX)
#define NACRE_CAPS_ALL_SHARED (NACRE_CAP_PIN | NACRE_CAP_AUTH_SHARED | NACRE_CAP_LINK_SHARED | \
			       NACRE_CAP_XATTR_SHARED | NACRE_CAP_FILE_SHARED | NACRE_CAP_DIR_SHARED)
#define NACRE_CAPS_ANY_EXCL (NACRE_CAP_AUTH_EXCL | NACRE_CAP_LINK_EXCL | NACRE_CAP_XATTR_EXCL | \
			     NACRE_CAP_FILE_EXCL | NACRE_CAP_DIRX)
#define NACRE_CAPS_KNOWN (NACRE_CAP_PIN | NACRE_CAPS_AUTH | NACRE_CAPS_LINK | NACRE_CAPS_XATTR | \
			  NACRE_CAPS_FILE | NACRE_CAPS_DIR)

/*
 * What opening a file asks for. A writer wants CACHE, too: what it has written stays in its page
 * cache, and only the loss of CACHE throws it out.
 */
#define NACRE_WANT_READ (NACRE_CAP_PIN | NACRE_CAP_FILE_SHARED | NACRE_CAP_FILE_CACHE | \
			 NACRE_CAP_FILE_READ)
#define NACRE_WANT_WRITE (NACRE_CAP_PIN | NACRE_CAP_FILE_SHARED | NACRE_CAP_FILE_EXCL | \
			  NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)

/* rank → client: caps and attributes that nobody asked for in a request. */
#define NACRE_CAP_GRANT_FIELDS(F, R, T)					\
	F(64, barrier_epoch, "no OSD request below this map epoch (FENCE-2)")	\
	F(64, safe, "apply number up to which all is journaled")	\
	R(32, reserved0)						\
	T(info, 262144, "one nacre_inode_info with role GRANT")
NACRE_STRUCT(nacre_cap_grant, NACRE_CAP_GRANT_FIELDS, 24);

/* rank → client: give back everything but `keep`. */
#define NACRE_CAP_REVOKE_FIELDS(F, R, T)				\
	F(64, ino, "inode")						\
	F(64, cap_id, "the cap meant")					\
	F(32, cap_gen, "its generation")				\
	F(32, cap_seq, "its sequence number; a repeat has the same")	\
	F(32, keep, "cap bits that stay")				\
	F(32, repeats, "how often this was sent before")		\
	F(64, barrier_epoch, "no OSD request below this map epoch")
NACRE_STRUCT(nacre_cap_revoke, NACRE_CAP_REVOKE_FIELDS, 40);

/*
 * rank → client: what is taken back of several inodes at one moment. It means what its parts would mean, had each come
 * alone, in this order. Only to clients with the feature CAP_REVOKES.
 */
#define NACRE_CAP_REVOKES_FIELDS(F, R, T)				\
	R(32, reserved0)						\
	T(revokes, 40 * 4096, "nacre_cap_revoke array, two at least")
NACRE_STRUCT(nacre_cap_revokes, NACRE_CAP_REVOKES_FIELDS, 8);

enum nacre_cap_update_flags {
	NACRE_CAP_UPDATE_ANSWER = 1,	/* answers the revoke with this seq */
	NACRE_CAP_UPDATE_UNKNOWN = 2,	/* no such inode or cap here: it is released */
	NACRE_CAP_UPDATE_WAITING = 4,	/* cannot answer yet: waits for waiting_pg */
	NACRE_CAP_UPDATE_UNINLINED = 8,	/* the file's data has left the inode */
	NACRE_CAP_UPDATE_SYNC = 16,	/* somebody waits: journal it at once */
	NACRE_CAP_UPDATE_HAS_DATA = 32,	/* `data` is all of the inline data: the sender alone has the file */
	NACRE_CAP_UPDATE_KEEPS = 64,	/* FILE: room behind the file's end is about to be taken, up to max_size_wanted at most.
					   Only to ranks with the feature UNWRITTEN */
};

/*
 * client → rank: answers a revoke, says what is wanted, flushes dirty
 * attributes, asks for a larger max_size. Any of these, together.
 */
#define NACRE_CAP_UPDATE_FIELDS(F, R, T)					\
	F(64, ino, "inode")							\
	F(64, cap_id, "the cap meant")						\
	F(32, cap_gen, "its generation")					\
	F(32, cap_seq, "highest sequence number seen")				\
	F(32, held, "cap bits still held after this")				\
	F(32, wanted, "cap bits wanted")					\
	F(32, dirty, "cap groups whose values below are new (nacre_cap_group)")	\
	F(32, update_flags, "enum nacre_cap_update_flags")			\
	F(64, flush_id, "of this flush, counts up per session; 0 = nothing dirty")	\
	F(64, oldest_flush, "every flush below it is acknowledged here")	\
	F(32, mode, "AUTH")							\
	F(32, uid, "AUTH")							\
	F(32, gid, "AUTH")							\
	F(32, truncate_seq, "FILE: the truncation this size knows of")		\
	F(64, size, "FILE")							\
	F(64, written, "FILE: bytes of blocks written since the flush before (size.h)")	\
	F(64, atime, "FILE")							\
	F(64, mtime, "FILE")							\
	F(64, ctime, "any group; the later one wins")				\
	F(64, max_size_wanted, "writes, or with KEEPS room, are about to reach this offset; 0 = no need")	\
	F(64, inline_gen, "with UNINLINED or HAS_DATA: generation of the inline data that was left, or sent")	\
	F(32, waiting_pg, "WAITING: pool << 24 | group")			\
	T(xattrs, NACRE_XATTRS_MAX, "XATTR: the whole set, nacre_xattr sequence")	\
	T(data, NACRE_INLINE_MAX, "FILE, if HAS_DATA: the file's inline data")	\
	R(32, reserved0)
NACRE_STRUCT(nacre_cap_update, NACRE_CAP_UPDATE_FIELDS, 144);

/*
 * client → rank: what is to be said of several inodes at one moment. It means what its parts would mean, had
 * each come alone, in this order.
 */
#define NACRE_CAP_UPDATES_FIELDS(F, R, T)				\
	R(32, reserved0)						\
	T(updates, 262144, "nacre_cap_update sequence, two at least")
NACRE_STRUCT(nacre_cap_updates, NACRE_CAP_UPDATES_FIELDS, 8);

enum nacre_flush_ack_flags {
	NACRE_FLUSH_ACK_SAFE = 1,	/* journaled; the client may forget it */
};

/* rank → client: a flush has been taken in. */
#define NACRE_CAP_FLUSH_ACK_FIELDS(F, R, T)				\
	F(64, ino, "inode")						\
	F(64, flush_id, "of the flush")					\
	F(32, result, "0, or why its changes were refused")		\
	F(32, flags, "enum nacre_flush_ack_flags")
NACRE_STRUCT(nacre_cap_flush_ack, NACRE_CAP_FLUSH_ACK_FIELDS, 24);

#define NACRE_CAP_REF_FIELDS(F, R, T)					\
	F(64, ino, "inode")						\
	F(64, cap_id, "the cap given back")				\
	F(32, cap_gen, "its generation")				\
	F(32, cap_seq, "highest sequence number seen; an older one is ignored") \
	R(64, reserved0)
NACRE_STRUCT(nacre_cap_ref, NACRE_CAP_REF_FIELDS, 32);

/* client → rank: caps not needed any more, nothing dirty under them. */
#define NACRE_CAP_RELEASE_FIELDS(F, R, T)				\
	R(32, reserved0)						\
	T(caps, 32 * 4096, "nacre_cap_ref array")
NACRE_STRUCT(nacre_cap_release, NACRE_CAP_RELEASE_FIELDS, 8);

/*
 * rank → client: how large is this file, which you are writing? Somebody wants to know it now (rules/size_report.h). Nothing is
 * taken from the client and nothing is given to it. Only to clients with the feature SIZE_REPORT.
 */
#define NACRE_SIZE_ASK_FIELDS(F, R, T)					\
	F(64, ino, "inode")						\
	F(64, cap_id, "the cap under which the client writes")		\
	F(64, ask_id, "of this question; never used again by an incarnation")	\
	F(32, cap_gen, "generation of the cap")				\
	R(32, reserved0)
NACRE_STRUCT(nacre_size_ask, NACRE_SIZE_ASK_FIELDS, 32);

enum nacre_size_report_flags {
	NACRE_SIZE_REPORT_NONE = 1,	/* not to be had here: no such cap, nobody has the file open for writing, a cut is under way */
	NACRE_SIZE_REPORT_CLEAN = 2,	/* nothing was changed here that the rank has not: its values are the newest */
};

/* client → rank: the answer, at once. It is no flush: what is dirty stays dirty. */
#define NACRE_SIZE_REPORT_FIELDS(F, R, T)				\
	F(64, ino, "inode")						\
	F(64, cap_id, "as asked")					\
	F(64, ask_id, "as asked")					\
	F(32, cap_gen, "as asked")					\
	F(32, truncate_seq, "the truncation this size knows of (SIZE-3)")	\
	F(64, size, "bytes, every completed write included")		\
	F(64, written, "bytes of blocks written that no acknowledged flush has told of (size.h)")	\
	F(64, atime, "ns")						\
	F(64, mtime, "ns")						\
	F(64, ctime, "ns")						\
	F(32, report_flags, "enum nacre_size_report_flags; with any of them the values are 0")	\
	R(32, reserved0)
NACRE_STRUCT(nacre_size_report, NACRE_SIZE_REPORT_FIELDS, 80);

#define NACRE_CAPS_STRUCTS(S)					\
	S(nacre_cap_grant, NACRE_CAP_GRANT_FIELDS)		\
	S(nacre_cap_revoke, NACRE_CAP_REVOKE_FIELDS)		\
	S(nacre_cap_revokes, NACRE_CAP_REVOKES_FIELDS)		\
	S(nacre_cap_update, NACRE_CAP_UPDATE_FIELDS)		\
	S(nacre_cap_updates, NACRE_CAP_UPDATES_FIELDS)		\
	S(nacre_cap_flush_ack, NACRE_CAP_FLUSH_ACK_FIELDS)	\
	S(nacre_cap_ref, NACRE_CAP_REF_FIELDS)			\
	S(nacre_cap_release, NACRE_CAP_RELEASE_FIELDS)		\
	S(nacre_size_ask, NACRE_SIZE_ASK_FIELDS)		\
	S(nacre_size_report, NACRE_SIZE_REPORT_FIELDS)

#endif
