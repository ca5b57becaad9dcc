/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between a client and a metadata rank: the namespace record, the requests,
 * the reply, and what a reply says of an inode.
 *
 * Every change of the namespace is one *record*. The synchronous path sends
 * one record in a request and waits; the op log will send the same bytes in
 * batches, and the rank's journal keeps them. One field list, one encoder.
 *
 * Every request has a `tid`, counted up by the client instance and never used
 * again: a request that is re-sent after a lost connection keeps its tid and is
 * applied at most once (LOG-2). A mutating request is answered by a REPLY
 * without NACRE_REPLY_SAFE once it is applied in memory ("unsafe"), then
 * covered by the cumulative `safe` of a later message ("safe"). A rank may
 * also answer once, with NACRE_REPLY_SAFE set.
 *
 * Times are signed 64-bit nanoseconds since 1970 (1677 to 2262), sent as
 * unsigned. Sizes and offsets are bytes.
 */
#ifndef NACRE_MDS_H
#define NACRE_MDS_H

#include "wire.h"

#define NACRE_NAME_MAX 255		/* bytes of a name, without a terminator */
#define NACRE_SYMLINK_MAX 4095
#define NACRE_XATTR_NAME_MAX 255
#define NACRE_XATTR_VALUE_MAX 65536
#define NACRE_XATTRS_MAX 131072		/* all xattrs of one inode, encoded */
#define NACRE_INLINE_MAX 4096		/* bytes of file data in the inode */
#define NACRE_LINK_MAX 65000
#define NACRE_FILE_MAX ((__u64)1 << 60)	/* largest file, bytes */

/* Inode numbers. */
#define NACRE_INO_NONE 0
#define NACRE_INO_ROOT 1
#define NACRE_INO_JOURNAL(rank) (0x100 + (__u64)(rank))	/* journal objects, metadata pool */
#define NACRE_INO_TABLE(rank) (0x200 + (__u64)(rank))	/* sessions, number ranges, checkpoints */
#define NACRE_INO_FIRST(rank) (((__u64)(rank) + 1) << 40)	/* where a rank's own numbers begin */

/*
 * The record kinds. The letters say which fields must be there, which may be,
 * and everything else must be zero or empty (validate.h holds the same table):
 * P parent, N name, I ino (new inode: its number, 0 = the rank chooses; else
 * the inode meant), 2 parent2 and name2, A attributes by set_mask, V value.
 */
#define NACRE_RECORDS(K)							\
	K(1, CREATE, "P N I A", "make a regular file, and open it for the caller")	\
	K(2, MKDIR, "P N I A", "make a directory")				\
	K(3, MKNOD, "P N I A", "make a device node, a fifo or a socket")	\
	K(4, SYMLINK, "P N I A V", "make a symbolic link; value = target")	\
	K(5, LINK, "P N I", "one more name for inode `ino`")			\
	K(6, UNLINK, "P N", "remove a name that is no directory; ino = what the caller takes it for, or 0") \
	K(7, RMDIR, "P N", "remove an empty directory")				\
	K(8, RENAME, "P N 2", "move P/N to parent2/name2, by rename_flags")	\
	K(9, SETATTR, "I A", "set the attributes in set_mask")			\
	K(10, SETXATTR, "I N V", "set the extended attribute `name`, by xattr_flags")	\
	K(11, RMXATTR, "I N", "remove the extended attribute `name`")		\
	K(12, TMPFILE, "P I A", "make a regular file that has no name, and open it for the caller")

#define NACRE_RECORD_ENUM(number, name, needs, doc) NACRE_RECORD_##name = number,
enum nacre_record_kind {
	NACRE_RECORDS(NACRE_RECORD_ENUM)
};

/* What SETATTR sets, and what a creating record gives. */
enum nacre_set_mask {
	NACRE_SET_MODE = 1,
	NACRE_SET_UID = 2,
	NACRE_SET_GID = 4,
	NACRE_SET_SIZE = 8,
	NACRE_SET_ATIME = 16,
	NACRE_SET_MTIME = 32,
	NACRE_SET_CTIME = 64,
	NACRE_SET_BTIME = 128,
	NACRE_SET_KILL_PRIV = 256,	/* drop setuid and setgid as a write would */
	NACRE_SET_FLAGS = 512,		/* `rdev` is enum nacre_inode_flags; only to ranks with the feature INODE_FLAGS */
};

/* What chattr(1) sets. They belong to the group AUTH. The rank holds everybody to the first two. */
enum nacre_inode_flags {
	NACRE_INODE_IMMUTABLE = 1,	/* i: nothing of it changes, neither its names nor, of a directory, its entries */
	NACRE_INODE_APPEND = 2,		/* a: is only appended to; of a directory: entries only come */
	NACRE_INODE_NOATIME = 4,	/* A */
	NACRE_INODE_NODUMP = 8,		/* d */
	NACRE_INODE_SYNC = 16,		/* S: a write returns when it is durable */
};
#define NACRE_INODE_FIXED ((__u32)(NACRE_INODE_IMMUTABLE | NACRE_INODE_APPEND))
#define NACRE_INODE_FLAGS_KNOWN ((__u32)31)

enum nacre_rename_flags {
	NACRE_RENAME_NOREPLACE = 1,
	NACRE_RENAME_EXCHANGE = 2,
	NACRE_RENAME_WHITEOUT = 4,
};

enum nacre_xattr_flags {
	NACRE_XATTR_CREATE = 1,		/* fail if it exists */
	NACRE_XATTR_REPLACE = 2,	/* fail if it does not */
};

enum nacre_record_flags {
	NACRE_RECORD_EXCL = 1,		/* CREATE: fail with EEXIST; without it an existing file is opened */
	NACRE_RECORD_TRUNC = 2,		/* CREATE of an existing file: cut it to 0 */
	NACRE_RECORD_INLINE = 4,	/* CREATE, TMPFILE of a new file: its data begins in the inode, if the file system allows that */
	NACRE_RECORD_NAMELESS = 8,	/* LINK: of a file that TMPFILE made; any other without a name gets none (ENOENT) */
};

#define NACRE_RECORD_FIELDS(F, R, T)						\
	F(16, kind, "enum nacre_record_kind")					\
	F(16, record_flags, "enum nacre_record_flags")				\
	F(32, set_mask, "enum nacre_set_mask")					\
	F(64, parent, "directory of `name`")					\
	F(64, ino, "inode made or meant")					\
	F(64, parent2, "directory of `name2`")					\
	F(32, mode, "file type and permissions")				\
	F(32, uid, "owner")							\
	F(32, gid, "group")							\
	F(32, rdev, "device: major << 20 | minor; SETATTR: enum nacre_inode_flags")	\
	F(64, size, "bytes")							\
	F(64, atime, "ns")							\
	F(64, mtime, "ns")							\
	F(64, ctime, "ns; the time of the operation")				\
	F(64, btime, "ns")							\
	F(16, rename_flags, "enum nacre_rename_flags")				\
	F(16, xattr_flags, "enum nacre_xattr_flags")				\
	T(name, NACRE_NAME_MAX, "entry in `parent`, or the xattr's name")	\
	T(name2, NACRE_NAME_MAX, "entry in `parent2`")				\
	T(value, NACRE_XATTR_VALUE_MAX, "symlink target or xattr value")	\
	T(xattrs, NACRE_XATTRS_MAX, "initial xattrs: nacre_xattr sequence")	\
	T(data, NACRE_INLINE_MAX, "initial inline data")
NACRE_STRUCT(nacre_record, NACRE_RECORD_FIELDS, 112);

/* One extended attribute in a sequence. */
#define NACRE_XATTR_FIELDS(F, R, T)					\
	T(name, NACRE_XATTR_NAME_MAX, "with its prefix: user.x, trusted.y, …") \
	T(value, NACRE_XATTR_VALUE_MAX, "as set")
NACRE_STRUCT(nacre_xattr, NACRE_XATTR_FIELDS, 8);

/* What every request begins with. */
enum nacre_request_flags {
	NACRE_REQUEST_RESEND = 1,	/* sent before, on a lost connection or to an old incarnation */
	NACRE_REQUEST_WANT_XATTRS = 2,	/* put all xattrs into the target's info */
	NACRE_REQUEST_NO_CAPS = 4,	/* an answer only: issue nothing */
	NACRE_REQUEST_WANT_DATA = 8,	/* READDIR: the inline data of small files, and what it takes to keep it */
	NACRE_REQUEST_OF_PARENT = 16,	/* GETATTR: not of `ino` but of the directory that its only name is in; ENOENT */
	NACRE_REQUEST_REPORT = 32,	/* what others write now is left to them: LOOKUP: the file's FILE need not be
					   current; GETATTR: FILE may come as a size report (rules/size_report.h) */
};

#define NACRE_REQUEST_HEAD(F)						\
	F(64, tid, "request id, from 1, never used twice by an instance")	\
	F(64, oldest_tid, "every request below it is finished here")	\
	F(64, applied, "re-sent unsafe request: its apply number; else 0")	\
	F(32, flags, "enum nacre_request_flags")			\
	F(32, wanted, "cap bits the client would like on the target")

/* All mutating requests: CREATE, MKDIR, … are this body under their own message type. */
#define NACRE_RECORD_REQ_FIELDS(F, R, T)				\
	NACRE_REQUEST_HEAD(F)						\
	NACRE_RECORD_FIELDS(F, R, T)
NACRE_STRUCT(nacre_record_req, NACRE_RECORD_REQ_FIELDS, 144);

/* Look a name up. The reply's traces are the target (if it exists) and the parent. */
#define NACRE_LOOKUP_REQ_FIELDS(F, R, T)				\
	NACRE_REQUEST_HEAD(F)						\
	F(64, parent, "directory")					\
	R(32, reserved0)						\
	T(name, NACRE_NAME_MAX, "entry looked for")
NACRE_STRUCT(nacre_lookup_req, NACRE_LOOKUP_REQ_FIELDS, 48);

/* Attributes of an inode, current in the groups of `mask`. */
#define NACRE_GETATTR_REQ_FIELDS(F, R, T)				\
	NACRE_REQUEST_HEAD(F)						\
	F(64, ino, "inode")						\
	F(32, mask, "cap group bits that must be current (nacre_cap_group)") \
	R(32, reserved0)
NACRE_STRUCT(nacre_getattr_req, NACRE_GETATTR_REQ_FIELDS, 48);

/* Open an existing file: like GETATTR, and the caps in `wanted` are worked for. */
#define NACRE_OPEN_REQ_FIELDS(F, R, T)					\
	NACRE_REQUEST_HEAD(F)						\
	F(64, ino, "inode")						\
	F(32, need, "cap bits without which the reply must wait")	\
	F(32, open_flags, "enum nacre_open_flags")
NACRE_STRUCT(nacre_open_req, NACRE_OPEN_REQ_FIELDS, 48);

enum nacre_open_flags {
	NACRE_OPEN_READ = 1,
	NACRE_OPEN_WRITE = 2,
};

/*
 * List a directory in the order of name hashes. `after` is the cookie of the
 * last entry seen, 0 at the start. Entries of equal hash are never parted.
 */
#define NACRE_READDIR_REQ_FIELDS(F, R, T)				\
	NACRE_REQUEST_HEAD(F)						\
	F(64, ino, "directory")						\
	F(64, after, "cookie, 0 = from the start")			\
	F(32, max_entries, "at most so many")				\
	F(32, max_bytes, "of the reply's body, at most so many")
NACRE_STRUCT(nacre_readdir_req, NACRE_READDIR_REQ_FIELDS, 56);

#define NACRE_STATFS_REQ_FIELDS(F, R, T)				\
	NACRE_REQUEST_HEAD(F)
NACRE_STRUCT(nacre_statfs_req, NACRE_STATFS_REQ_FIELDS, 32);

/*
 * The quota of the tree that an inode is in: answered by nacre_quota. Quotas are set as extended attributes of a directory,
 * by SETXATTR and RMXATTR with names of rules/quota.h. Only to ranks with the feature QUOTA.
 */
#define NACRE_QUOTA_REQ_FIELDS(F, R, T)					\
	NACRE_REQUEST_HEAD(F)						\
	F(64, ino, "inode")
NACRE_STRUCT(nacre_quota_req, NACRE_QUOTA_REQ_FIELDS, 40);

/* What an inode's info stands for in a reply. */
enum nacre_trace_role {
	NACRE_TRACE_TARGET = 1,		/* the inode looked up, made or changed */
	NACRE_TRACE_PARENT = 2,
	NACRE_TRACE_PARENT2 = 3,	/* destination directory of a rename */
	NACRE_TRACE_VICTIM = 4,		/* what was unlinked, or replaced by a rename */
	NACRE_TRACE_GRANT = 5,		/* in CAP_GRANT */
	NACRE_TRACE_ENTRY = 6,		/* in a READDIR reply */
};

/*
 * An inode as a rank shows it to one client, with the caps that go along.
 * Groups not in `valid` may be stale: somebody may be changing them. A rank puts a group there
 * only while nacre_lock_can_read() for the receiver (rules/lock_table.h).
 * A receiver takes a group's values unless it holds that group exclusively
 * itself, or the `version` is older than the one it has.
 */
#define NACRE_INODE_INFO_FIELDS(F, R, T)					\
	F(64, ino, "inode number")						\
	F(64, version, "counts every change of the inode; never goes back, also when changes are lost with a rank")	\
	F(8, role, "enum nacre_trace_role")					\
	R(8, reserved0)								\
	F(16, pool, "data pool of its objects")					\
	F(32, valid, "cap group bits (nacre_cap_group) that are current here")	\
	F(32, mode, "file type and permissions")				\
	F(32, uid, "owner")							\
	F(32, gid, "group")							\
	F(32, nlink, "names")							\
	F(32, rdev, "device: major << 20 | minor")				\
	F(32, object_bytes, "layout: bytes of file data per object")		\
	F(64, size, "bytes; of a directory: its entries")			\
	F(64, allocated, "bytes that its data takes at most, in whole blocks (size.h)")	\
	F(64, max_size, "the receiver may write below this offset (SIZE-1)")	\
	F(64, truncate_size, "size the last truncation cut to")			\
	F(64, inline_gen, "generation of inline data, 0 = not inline")		\
	F(64, atime, "ns")							\
	F(64, mtime, "ns")							\
	F(64, ctime, "ns")							\
	F(64, btime, "ns")							\
	F(64, xattr_version, "counts changes of the xattrs")			\
	F(32, truncate_seq, "counts truncations (SIZE-3)")			\
	F(32, nsubdirs, "of a directory: directories in it; of a file: see KEPT")	\
	F(64, cap_id, "the cap this info carries; 0 = none is held")		\
	F(32, cap_gen, "session generation the cap belongs to")			\
	F(32, cap_seq, "counts messages about this cap, from 1")		\
	F(32, issued, "cap bits now issued under cap_id")			\
	F(32, inode_flags, "enum nacre_inode_flags; 0 to clients without the feature INODE_FLAGS") \
	F(32, info_flags, "enum nacre_info_flags")				\
	T(symlink, NACRE_SYMLINK_MAX, "target of a symbolic link")		\
	T(xattrs, NACRE_XATTRS_MAX, "nacre_xattr sequence, if HAS_XATTRS")	\
	T(data, NACRE_INLINE_MAX, "if HAS_DATA: the inline data; behind it, up to `size`, all is zero")
NACRE_STRUCT(nacre_inode_info, NACRE_INODE_INFO_FIELDS, 176);

enum nacre_info_flags {
	NACRE_INFO_HAS_XATTRS = 1,	/* `xattrs` is the whole set */
	NACRE_INFO_NO_XATTRS = 2,	/* the set is known to be empty */
	NACRE_INFO_HAS_DATA = 4,	/* `data` is all of the inline data: always there when FILE_CACHE, READ, WRITE
					   or BUFFER is issued on an inode with inline_gen (INLINE-5) */
	NACRE_INFO_REPORTED = 8,	/* FILE is not valid, but its values are what its writers reported for this request:
					   they answer the call that asked, and only a size that has grown is kept */
	NACRE_INFO_NO_ROOM = 16,	/* CAP_GRANT: the max_size asked for is more than a quota leaves room for (EDQUOT).
					   Only to clients with the feature QUOTA */
	NACRE_INFO_KEPT = 32,		/* there may be room behind the file's end, which a truncation to its size gives back; in objects
					   below nsubdirs only, if that is not all ones.
					   Only to clients with the feature UNWRITTEN */
};

enum nacre_reply_flags {
	NACRE_REPLY_SAFE = 1,		/* journaled, or nothing to journal */
	NACRE_REPLY_END = 2,		/* READDIR: no entry behind the last one here */
	NACRE_REPLY_CREATED = 4,	/* CREATE made the file (else it was there) */
	NACRE_REPLY_QUEUED = 8,		/* FILELOCK: not had yet, FILELOCK_GRANTED will follow */
};

/* Answers every request. */
#define NACRE_REPLY_FIELDS(F, R, T)					\
	F(64, tid, "of the request")					\
	F(64, applied, "apply number of this change; 0 = changed nothing")	\
	F(64, safe, "apply number up to which all is journaled")	\
	F(64, barrier_epoch, "no OSD request below this map epoch")	\
	F(32, result, "0, errno, or error.h")				\
	F(32, flags, "enum nacre_reply_flags")				\
	F(32, lease_ms, "the name in the request may be cached so long without a directory cap") \
	R(32, reserved0)						\
	T(traces, 1 << 20, "nacre_inode_info sequence, by role")	\
	T(extra, 1 << 20, "READDIR: nacre_dirent sequence; STATFS: nacre_statfs; QUOTA: nacre_quota; FILELOCK: nacre_filelock")
NACRE_STRUCT(nacre_reply, NACRE_REPLY_FIELDS, 56);

/* One entry of a listing; its `info` is one nacre_inode_info, or empty. */
#define NACRE_DIRENT_FIELDS(F, R, T)					\
	F(64, ino, "inode number")					\
	F(64, cookie, "nacre_name_cookie(name); listing goes on behind it") \
	F(32, mode, "file type bits")					\
	R(32, reserved0)						\
	T(name, NACRE_NAME_MAX, "of the entry")				\
	T(info, 262144, "nacre_inode_info with role ENTRY, or nothing")
NACRE_STRUCT(nacre_dirent, NACRE_DIRENT_FIELDS, 32);

#define NACRE_STATFS_FIELDS(F, R, T)					\
	F(64, bytes_total, "raw capacity divided by the data pool's replicas") \
	F(64, bytes_free, "of it, free")				\
	F(64, files, "inodes in use")					\
	F(64, files_free, "inodes that could still be made")
NACRE_STRUCT(nacre_statfs, NACRE_STATFS_FIELDS, 32);

/*
 * The nearest directory, from the inode asked for upwards, that a quota was set on; all zero if there is none. Below it, what
 * a caller of statfs() is to see: of all directories upwards the one with the least room.
 */
#define NACRE_QUOTA_FIELDS(F, R, T)					\
	F(64, dir, "the directory; 0 = none, and all else is 0")	\
	F(64, max_bytes, "its limit of bytes; 0 = none")		\
	F(64, max_files, "its limit of inodes; 0 = none")		\
	F(64, used_bytes, "sum of the sizes of all regular files below it") \
	F(64, used_files, "inodes below it")				\
	F(64, bytes_total, "tightest limit of bytes upwards; 0 = none")	\
	F(64, bytes_free, "what it leaves")				\
	F(64, files_total, "tightest limit of inodes upwards; 0 = none")	\
	F(64, files_free, "what it leaves")
NACRE_STRUCT(nacre_quota, NACRE_QUOTA_FIELDS, 72);

/* Cumulative news about the journal, sent when no reply is at hand to carry it. */
#define NACRE_SAFE_FIELDS(F, R, T)					\
	F(64, safe, "apply number up to which all of this session is journaled")	\
	R(64, reserved0)
NACRE_STRUCT(nacre_safe, NACRE_SAFE_FIELDS, 16);

/* Ask for everything of this session to be journaled now (fsync, syncfs); answered by REPLY. */
#define NACRE_SYNC_REQ_FIELDS(F, R, T)					\
	NACRE_REQUEST_HEAD(F)						\
	F(64, upto, "apply number that must be safe before the reply; 0 = all")
NACRE_STRUCT(nacre_sync_req, NACRE_SYNC_REQ_FIELDS, 40);

#define NACRE_MDS_STRUCTS(S)					\
	S(nacre_record, NACRE_RECORD_FIELDS)			\
	S(nacre_xattr, NACRE_XATTR_FIELDS)			\
	S(nacre_record_req, NACRE_RECORD_REQ_FIELDS)		\
	S(nacre_lookup_req, NACRE_LOOKUP_REQ_FIELDS)		\
	S(nacre_getattr_req, NACRE_GETATTR_REQ_FIELDS)		\
	S(nacre_open_req, NACRE_OPEN_REQ_FIELDS)		\
	S(nacre_readdir_req, NACRE_READDIR_REQ_FIELDS)		\
	S(nacre_statfs_req, NACRE_STATFS_REQ_FIELDS)		\
	S(nacre_quota_req, NACRE_QUOTA_REQ_FIELDS)		\
	S(nacre_inode_info, NACRE_INODE_INFO_FIELDS)		\
	S(nacre_reply, NACRE_REPLY_FIELDS)			\
	S(nacre_dirent, NACRE_DIRENT_FIELDS)			\
	S(nacre_statfs, NACRE_STATFS_FIELDS)			\
	S(nacre_quota, NACRE_QUOTA_FIELDS)			\
	S(nacre_safe, NACRE_SAFE_FIELDS)			\
	S(nacre_sync_req, NACRE_SYNC_REQ_FIELDS)

#endif
