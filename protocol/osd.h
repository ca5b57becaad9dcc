/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Object requests: a list of operations on one object, applied atomically or
 * not at all, in order.
 *
 * The body carries the operations and their small inputs (names, values) in
 * `input`, one after another in the order of the operations; bytes written to
 * the object travel in the frame's data payload, likewise. The reply carries a
 * result per operation, small outputs in `output`, bytes read in its data
 * payload.
 *
 * Who sends is judged by the primary against its map (FENCE-1): `instance`
 * must be issued and not dead, `map_epoch` not newer than its map, and
 * `barrier_epoch` not newer either. (instance, tid) names a request; a re-sent
 * mutating one is not applied again but answered as before.
 */
#ifndef NACRE_OSD_H
#define NACRE_OSD_H

#include "wire.h"

#define NACRE_OSD_OPS_MAX 64
#define NACRE_OBJECT_MAX (64u << 20)	/* largest object, bytes */
#define NACRE_KEY_MAX 1024		/* of key-value data */
#define NACRE_VALUE_MAX (256u << 10)
#define NACRE_ATTR_NAME_MAX 255
#define NACRE_SNAP_HEAD (~(__u64)0)	/* the live object */

/* Which object. File data: (data pool, inode, index = offset / object_bytes). */
#define NACRE_OID_FIELDS(F, R, T)					\
	F(64, ino, "inode or table it belongs to")			\
	F(64, index, "which of its objects")				\
	F(64, snap, "NACRE_SNAP_HEAD or a snapshot id")			\
	F(32, pool, "pool")						\
	R(32, reserved0)
NACRE_STRUCT(nacre_oid, NACRE_OID_FIELDS, 32);

/*
 * The operations. r: reads, w: changes. name/value: taken from `input`;
 * data: `length` bytes of the data payload (w) or of the reply's (r).
 */
#define NACRE_OSD_OPS(O)								\
	O(1, READ, 0, "read [offset, +length): data in the reply, short at the object's end")	\
	O(2, STAT, 0, "size, version and mtime in the result; ENOENT if there is none")	\
	O(3, CHECKSUM, 0, "CRC32C of [offset, +length) as output, 4 bytes")		\
	O(4, CMPSIZE, 0, "CMP_FAILED unless the size (0 if absent) is `length`")	\
	O(5, CMPXATTR, 0, "CMP_FAILED unless attribute `name` has exactly `value`")	\
	O(6, GETXATTR, 0, "value of attribute `name` as output; ENODATA")		\
	O(7, LISTXATTR, 0, "nacre_key_value sequence as output, names only with flag NAMES") \
	O(8, KV_GET, 0, "value of key `name` as output; ENODATA")			\
	O(9, KV_LIST, 0, "keys behind `name` (empty: from the first) as nacre_key_value sequence, at most `length` keys, `offset` bytes") \
	O(10, IF_NOXATTR, 0, "if attribute `name` exists, skip the next `length` operations") \
	O(11, OBJECTS, 0, "objects of the request's group with inodes in [`offset`, +`length`), behind the nacre_oid in `value` if there is one, as nacre_oid array as output; whatever the request's own object") \
	O(12, SEEK, 0, "in the result's size: the first byte of [offset, +length) where something was written, or with flag HOLE where nothing was; its end if there is no such") \
	O(13, MAP, 0, "where [offset, +length) has blocks, in whole blocks and in order, also behind the object's size: nacre_osd_extent array as output") \
	O(16, CREATE, 1, "make it; EEXIST with flag EXCL if it exists")			\
	O(17, WRITE, 1, "write data at [offset, +length); grows; makes it if absent")	\
	O(18, WRITE_FULL, 1, "replace all data by `length` bytes; makes it if absent")	\
	O(19, ZERO, 1, "zero [offset, +length), freeing whole blocks; does not grow")	\
	O(20, TRUNCATE, 1, "set the size to `offset`, and give back room behind it; makes it if absent")		\
	O(21, DELETE, 1, "remove with attributes and keys; ENOENT unless flag QUIET")	\
	O(22, CLONE, 1, "become a copy of the object whose nacre_oid is `value`, same group, with the same blocks; ENOENT; EEXIST if it is a snapshot that exists") \
	O(23, SETXATTR, 1, "set attribute `name` to `value`; makes the object")		\
	O(24, RMXATTR, 1, "remove attribute `name`; ENODATA unless flag QUIET")		\
	O(25, KV_SET, 1, "set key `name` to `value`; makes the object")			\
	O(26, KV_RM, 1, "remove key `name`; no error if absent")			\
	O(27, KV_CLEAR, 1, "remove all keys")						\
	O(28, ALLOCATE, 1, "give the holes of [offset, +length) unwritten blocks, with flag ZERO zero all of it; grows, but not with flag KEEP; makes it if absent")

#define NACRE_OSD_OP_ENUM(number, name, writes, doc) NACRE_OSD_OP_##name = number,
enum nacre_osd_op_code {
	NACRE_OSD_OPS(NACRE_OSD_OP_ENUM)
};

enum nacre_osd_op_flags {
	NACRE_OSD_OPF_EXCL = 1,		/* CREATE */
	NACRE_OSD_OPF_QUIET = 2,	/* DELETE, RMXATTR: absence is no error */
	NACRE_OSD_OPF_NAMES = 4,	/* LISTXATTR, KV_LIST: no values */
	NACRE_OSD_OPF_HOLE = 8,		/* SEEK: look for a hole */
	NACRE_OSD_OPF_ZERO = 16,	/* ALLOCATE: what is there becomes zeros, too */
	NACRE_OSD_OPF_KEEP = 32,	/* ALLOCATE: the size stays, and room may be behind it */
};

#define NACRE_OSD_OP_FIELDS(F, R, T)					\
	F(16, code, "enum nacre_osd_op_code")				\
	F(16, op_flags, "enum nacre_osd_op_flags")			\
	F(32, name_size, "bytes of `input`, the name")			\
	F(64, offset, "bytes")						\
	F(64, length, "bytes")						\
	F(32, value_size, "bytes of `input` behind the name, the value")	\
	R(32, reserved0)
NACRE_STRUCT(nacre_osd_op, NACRE_OSD_OP_FIELDS, 32);

enum nacre_osd_request_flags {
	NACRE_OSD_REQUEST_RESEND = 1,	/* was sent before */
};

#define NACRE_OSD_REQUEST_FIELDS(F, R, T)					\
	F(64, tid, "request id, from 1, never used twice by an instance")	\
	F(64, oldest_tid, "every request below it is finished at the sender")	\
	F(64, instance, "of the sender")					\
	F(64, map_epoch, "of the map by which the primary was chosen")		\
	F(64, barrier_epoch, "lowest epoch at which this may be executed")	\
	F(32, conn_gen, "sender's connection generation")			\
	F(32, pg, "placement group in the pool")				\
	F(64, ino, "object: inode")						\
	F(64, index, "object: which")						\
	F(64, snap, "object: snapshot")						\
	F(32, pool, "object: pool")						\
	F(32, flags, "enum nacre_osd_request_flags")				\
	F(64, truncate_size, "file size of that truncation")			\
	F(64, inline_gen, "of the inline data that the request takes to its object, if it is the first; 0 = none")	\
	F(32, truncate_seq, "newest truncation the sender knows of (SIZE-3), 0 = does not matter") \
	R(32, reserved0)							\
	F(64, mtime, "ns, of the change")					\
	T(ops, 32 * NACRE_OSD_OPS_MAX, "nacre_osd_op array")			\
	T(input, 1 << 19, "names and values, in order")
NACRE_STRUCT(nacre_osd_request, NACRE_OSD_REQUEST_FIELDS, 120);

/*
 * Snapshots. An object with a snapshot id other than NACRE_SNAP_HEAD is made by CLONE, from the live object or from another
 * snapshot, and ended by DELETE; every other operation that changes gives EROFS. Going back to one is a CLONE of it to the live object.
 * CLONE takes room for unwritten blocks only. What is written to a block that several objects have needs a fresh one: ENOSPC,
 * also where ALLOCATE had given room before.
 */

/*
 * OBJECTS names every object that exists throughout, in the order of (inode, index, snapshot). One that is made
 * or deleted meanwhile may be named or not, and so may one whose making is not committed yet.
 */

/*
 * ALLOCATE is how space is promised: what it has given blocks to can be overwritten however full the OSDs are. An
 * unwritten block takes room and no writing: it reads as zeros until it is written, in whole or in part. SEEK counts it as a
 * hole, so data is where something was written, in whole blocks. Room behind an object's size (KEEP) is seen by MAP only; a
 * truncation, to whatever size, gives back what lies behind that.
 */

/* A run of an object's blocks that have room. */
#define NACRE_OSD_EXTENT_FIELDS(F, R, T)				\
	F(64, offset, "in the object, bytes")				\
	F(32, length, "bytes")						\
	F(32, extent_flags, "enum nacre_osd_extent_flags")
NACRE_STRUCT(nacre_osd_extent, NACRE_OSD_EXTENT_FIELDS, 16);

enum nacre_osd_extent_flags {
	NACRE_OSD_EXTENT_UNWRITTEN = 1,	/* allocated only: zeros */
};

/* What one operation gave. `output_size` bytes of `output`, `data_size` of the data payload. */
#define NACRE_OSD_RESULT_FIELDS(F, R, T)				\
	F(32, result, "0, errno or error.h")				\
	F(32, output_size, "bytes of `output`")				\
	F(32, data_size, "bytes of the data payload")			\
	F(32, result_flags, "enum nacre_osd_result_flags")		\
	F(64, size, "STAT, READ: size of the object, bytes; SEEK: what was found")		\
	F(64, mtime, "STAT: ns")
NACRE_STRUCT(nacre_osd_result, NACRE_OSD_RESULT_FIELDS, 32);

enum nacre_osd_result_flags {
	NACRE_OSD_RESULT_MORE = 1,	/* lists: there is more behind the last key */
	NACRE_OSD_RESULT_SKIPPED = 2,	/* behind IF_NOXATTR whose attribute exists */
};

#define NACRE_OSD_REPLY_FIELDS(F, R, T)					\
	F(64, tid, "of the request")					\
	F(64, version, "of the object after it: position in the group's log")	\
	F(64, map_epoch, "of the OSD's map")				\
	F(32, result, "0, or that of the operation that failed")	\
	F(32, failed_op, "index of that operation")			\
	T(results, 32 * NACRE_OSD_OPS_MAX, "nacre_osd_result array")	\
	T(output, 1 << 19, "outputs, in order")
NACRE_STRUCT(nacre_osd_reply, NACRE_OSD_REPLY_FIELDS, 40);

/* One key of a list; `more` of a value that did not fit is never sent: the list ends before it. */
#define NACRE_KEY_VALUE_FIELDS(F, R, T)					\
	T(key, NACRE_KEY_MAX, "key or attribute name")			\
	T(value, NACRE_VALUE_MAX, "empty with flag NAMES")
NACRE_STRUCT(nacre_key_value, NACRE_KEY_VALUE_FIELDS, 8);

/* Space and counts of one OSD: answers OSD_STATFS. */
#define NACRE_OSD_STATFS_REQ_FIELDS(F, R, T)				\
	F(64, tid, "request id")
NACRE_STRUCT(nacre_osd_statfs_req, NACRE_OSD_STATFS_REQ_FIELDS, 8);

#define NACRE_OSD_STATFS_FIELDS(F, R, T)				\
	F(64, tid, "of the request")					\
	F(64, bytes_total, "capacity for object data")			\
	F(64, bytes_free, "of it, free")				\
	F(64, objects, "stored here")
NACRE_STRUCT(nacre_osd_statfs, NACRE_OSD_STATFS_FIELDS, 32);

#define NACRE_OSD_STRUCTS(S)					\
	S(nacre_oid, NACRE_OID_FIELDS)				\
	S(nacre_osd_op, NACRE_OSD_OP_FIELDS)			\
	S(nacre_osd_extent, NACRE_OSD_EXTENT_FIELDS)		\
	S(nacre_osd_request, NACRE_OSD_REQUEST_FIELDS)		\
	S(nacre_osd_result, NACRE_OSD_RESULT_FIELDS)		\
	S(nacre_osd_reply, NACRE_OSD_REPLY_FIELDS)		\
	S(nacre_key_value, NACRE_KEY_VALUE_FIELDS)		\
	S(nacre_osd_statfs_req, NACRE_OSD_STATFS_REQ_FIELDS)	\
	S(nacre_osd_statfs, NACRE_OSD_STATFS_FIELDS)

#endif
