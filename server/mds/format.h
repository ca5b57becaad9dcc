/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a rank stores: the structures in its journal, in directory objects, and
 * in its table object. Declared by the same macros and written by the same codec
 * as the wire, so bounds are checked and there is one dump for everything.
 *
 * Where things live, all in the metadata pool but for the backtraces of files:
 *
 *	journal		(NACRE_INO_JOURNAL(rank), n): bytes [n, n+1) * MDS_JOURNAL_OBJECT_BYTES
 *	directory	(directory, fragment): key = names.h key, value = mds_entry. Its image says how many
 *			fragments there are, fragment.h which entries lie in which
 *	own inode	(inode, 0): attribute "inode" = mds_image. An inode has this instead of a
 *			place in a directory entry once it has had two names, when it has no
 *			name left (orphan), and if it is the root
 *	backtrace	attribute "backtrace" = mds_backtrace of (directory, 0), and of (file, 0)
 *			in the file's data pool: finds an inode by its number
 *	table		(NACRE_INO_TABLE(rank), 0): key "header" = mds_header, "s"+instance =
 *			mds_session_image, "o"+ino = orphan, "w"+ino = has writers' ranges,
 *			"p"+ino = mds_purge_image, "q"+id = mds_quota_image; numbers as 16 hex digits
 *
 * Everything here grows only at the end and by version (mds_header.version).
 */
#ifndef MDS_FORMAT_H
#define MDS_FORMAT_H

#include "protocol/mds.h"
#include "protocol/osd.h"

#define MDS_FORMAT_VERSION 6
/* That is understood: 2 has no fragments of directories, 3 no inline data, 4 no quotas, 5 no inode flags. */
#define MDS_FORMAT_OLDEST 2
#define MDS_JOURNAL_OBJECT_BYTES (4u << 20)
#define MDS_BATCH_MAGIC 0x4a43524eu	/* "NRCJ" */
#define MDS_BATCH_MAX (3u << 20)	/* bytes of one batch, header included */

#define MDS_ATTR_INODE "inode"
#define MDS_ATTR_BACKTRACE "backtrace"
#define MDS_KEY_HEADER "header"
#define MDS_KEY_BYTES 24		/* room for any key of the table object */

/* Up to where a session may write (SIZE-1); lives in the inode. */
#define MDS_WRITER_FIELDS(F, R, T)					\
	F(64, instance, "whose")					\
	F(64, max_size, "bytes; it may write below this")
NACRE_STRUCT(mds_writer, MDS_WRITER_FIELDS, 16);

enum mds_image_flags {
	MDS_IMAGE_OWN = 1,		/* lives in an object of its own, not in an entry */
	MDS_IMAGE_PROBE = 2,		/* a writer was lost: the size is to be probed before anyone sees it (SIZE-2) */
	MDS_IMAGE_INODE_FLAGS = 0xff00,	/* enum nacre_inode_flags << 8 */
};
#define MDS_IMAGE_INODE_FLAGS_SHIFT 8

/* An inode, whole. The same bytes in the journal, in an entry, and in an own object. */
#define MDS_IMAGE_FIELDS(F, R, T)					\
	F(64, ino, "inode number")					\
	F(64, version, "counts changes")				\
	F(64, parent, "journal: directory that holds its entry; 0 = own object") \
	F(32, mode, "file type and permissions")			\
	F(32, uid, "owner")						\
	F(32, gid, "group")						\
	F(32, nlink, "names; 0 = orphan")				\
	F(32, rdev, "device")						\
	F(32, object_bytes, "layout")					\
	F(16, pool, "data pool")					\
	F(16, image_flags, "enum mds_image_flags")			\
	F(32, nsubdirs, "of a directory: directories in it")		\
	F(64, size, "bytes; of a directory: its entries")		\
	F(64, data_end, "no object has data at or behind this offset")	\
	F(64, allocated, "bytes that its data takes at most (size.h)")	\
	F(64, trim_end, "a truncation is being carried out: objects up to here; 0 = none") \
	F(64, truncate_size, "what the last truncation cut to")		\
	F(32, truncate_seq, "counts truncations (SIZE-3)")		\
	F(32, fragments, "of a directory: objects that its entries lie in; 0 = one, and there never was another") \
	F(64, inline_gen, "generation of inline data, 0 = none")	\
	F(64, atime, "ns")						\
	F(64, mtime, "ns")						\
	F(64, ctime, "ns")						\
	F(64, btime, "ns")						\
	F(64, xattr_version, "counts changes of xattrs")		\
	T(name, NACRE_NAME_MAX, "journal: of that entry")		\
	T(symlink, NACRE_SYMLINK_MAX, "target")				\
	T(xattrs, NACRE_XATTRS_MAX, "nacre_xattr sequence")		\
	T(data, NACRE_INLINE_MAX, "inline data")			\
	T(writers, 16 * 1024, "mds_writer array")			\
	F(32, quota, "id of the quota that it is charged to; 0 = none")
NACRE_STRUCT(mds_image, MDS_IMAGE_FIELDS, 176);

/* Value of a directory entry. `image` is the inode, or empty: it has its own object. */
#define MDS_ENTRY_FIELDS(F, R, T)					\
	F(64, ino, "inode number")					\
	F(32, mode, "file type bits")					\
	T(image, 1 << 18, "mds_image, or nothing")
NACRE_STRUCT(mds_entry, MDS_ENTRY_FIELDS, 16);

#define MDS_BACKTRACE_FIELDS(F, R, T)					\
	F(64, ino, "inode number")					\
	F(64, parent, "directory that holds its entry")			\
	R(32, reserved0)						\
	T(name, NACRE_NAME_MAX, "of the entry")
NACRE_STRUCT(mds_backtrace, MDS_BACKTRACE_FIELDS, 24);

/* Numbers first … first + count - 1. */
#define MDS_INTERVAL_FIELDS(F, R, T)					\
	F(64, first, "first number")					\
	F(64, count, "how many")
NACRE_STRUCT(mds_interval, MDS_INTERVAL_FIELDS, 16);

/* A request that was applied, kept until the client has its answer for sure (LOG-2). */
#define MDS_COMPLETED_FIELDS(F, R, T)					\
	F(64, tid, "of the request")					\
	F(64, applied, "its apply number")				\
	F(64, ino, "inode it made or changed")				\
	F(16, kind, "enum nacre_record_kind")				\
	F(16, flags, "enum nacre_reply_flags to repeat")		\
	R(32, reserved0)
NACRE_STRUCT(mds_completed, MDS_COMPLETED_FIELDS, 32);

#define MDS_COMPLETED_MAX 4096		/* per session */
#define MDS_INTERVALS_MAX 1024		/* per session, of each kind */

#define MDS_SESSION_IMAGE_FIELDS(F, R, T)				\
	F(64, instance, "of the client")				\
	F(64, applied, "apply number of its last change")		\
	F(64, oldest_tid, "requests below it are finished at the client") \
	T(name, 64, "host name, for people")				\
	T(inos, 16 * MDS_INTERVALS_MAX, "mds_interval array: numbers delegated and not used (INO-1)") \
	T(completed, 32 * MDS_COMPLETED_MAX, "mds_completed array")	\
	T(flushes, 16 * MDS_INTERVALS_MAX, "mds_interval array: cap flushes taken in")
NACRE_STRUCT(mds_session_image, MDS_SESSION_IMAGE_FIELDS, 40);

/* Objects to be deleted: those of a removed inode, or of a number that was never declared. */
#define MDS_PURGE_IMAGE_FIELDS(F, R, T)					\
	F(64, ino, "whose objects")					\
	F(64, count, "and those of the count - 1 numbers behind it")	\
	F(64, objects, "of each: data objects 0 … objects - 1")		\
	F(16, pool, "data pool")					\
	F(16, purge_flags, "enum mds_purge_flags")			\
	R(32, reserved0)
NACRE_STRUCT(mds_purge_image, MDS_PURGE_IMAGE_FIELDS, 32);

enum mds_purge_flags {
	MDS_PURGE_META = 1,		/* the object in the metadata pool, too */
};

/* A quota of a directory tree (quota.h), its limits and what is charged to it. */
#define MDS_QUOTA_IMAGE_FIELDS(F, R, T)					\
	F(32, id, "of the quota; never used again")			\
	F(32, parent, "id of the quota that its directory is charged to; 0 = none") \
	F(64, dir, "directory it was set on; 0 = lifted")		\
	F(64, max_bytes, "limit of bytes; 0 = none")			\
	F(64, max_files, "limit of inodes; 0 = none")			\
	F(64, used_bytes, "sum of the sizes of regular files below it")	\
	F(64, used_files, "inodes below it")				\
	F(32, quota_flags, "enum mds_quota_flags")			\
	R(32, reserved0)
NACRE_STRUCT(mds_quota_image, MDS_QUOTA_IMAGE_FIELDS, 56);

enum mds_quota_flags {
	MDS_QUOTA_GONE = 1,		/* journal: there is no such quota any more */
};

/* What replay starts from. Written last of all when the journal is trimmed. */
#define MDS_HEADER_FIELDS(F, R, T)					\
	F(32, version, "MDS_FORMAT_VERSION")				\
	F(32, next_quota, "lowest quota id never given out; 0 = as 1")	\
	F(64, expire_seq, "batch with which replay begins")		\
	F(64, expire_pos, "byte of the journal where it stands")	\
	F(64, next_ino, "lowest inode number never given out")		\
	F(64, block_first, "instance ids taken from the map and not yet given out: first") \
	F(64, block_count, "how many")					\
	F(64, incarnation, "of the rank that wrote this")
NACRE_STRUCT(mds_header, MDS_HEADER_FIELDS, 56);

/* ---- the journal --------------------------------------------------------------------------- */

/*
 * A batch is one OSD write: this header and `body_bytes` of events. A batch never
 * crosses an object's border: one that does not fit starts at the next object.
 */
#define MDS_BATCH_FIELDS(F, R, T)					\
	F(32, magic, "MDS_BATCH_MAGIC")					\
	F(32, crc, "CRC32C of everything behind this field")		\
	F(64, seq, "counts batches, from 1, without a gap")		\
	F(64, incarnation, "of the rank that wrote it")			\
	F(32, events, "how many")					\
	F(32, body_bytes, "of events behind this header")
NACRE_STRUCT(mds_batch_header, MDS_BATCH_FIELDS, 32);

/*
 * One event: all that one request changed, applied whole or not at all. Its items are
 * after-images, so replay evaluates no policy and may be repeated.
 */
#define MDS_EVENT_FIELDS(F, R, T)					\
	F(16, kind, "enum nacre_record_kind; 0 = the rank's own doing")	\
	F(16, flags, "enum nacre_reply_flags of its answer")		\
	R(32, reserved0)						\
	F(64, instance, "session that asked for it; 0 = none")		\
	F(64, tid, "of its request; 0 = none")				\
	F(64, applied, "its apply number; 0 = none")			\
	F(64, flush_id, "cap flush it takes in; 0 = none")		\
	F(64, ino, "inode it made or changed")				\
	F(32, item_count, "items")					\
	T(items, MDS_BATCH_MAX, "mds_item sequence")
NACRE_STRUCT(mds_event, MDS_EVENT_FIELDS, 56);

#define MDS_ITEM_FIELDS(F, R, T)					\
	F(16, type, "enum mds_item_type")				\
	R(16, reserved0)						\
	T(payload, 1 << 18, "the structure of that type")
NACRE_STRUCT(mds_item, MDS_ITEM_FIELDS, 8);

/*
 * An entry that is gone (ino 0) or that names an inode with an object of its own.
 * Entries in which the inode lives have no item: its image says where it lives.
 */
#define MDS_LINK_FIELDS(F, R, T)					\
	F(64, dir, "directory")						\
	F(64, ino, "inode it now names; 0 = none")			\
	F(32, mode, "file type bits")					\
	T(name, NACRE_NAME_MAX, "of the entry")
NACRE_STRUCT(mds_link, MDS_LINK_FIELDS, 24);

#define MDS_SESSION_ITEM_FIELDS(F, R, T)				\
	F(64, instance, "of the client")				\
	F(64, first, "INOS: first number delegated; END: 1 = its client closed it, with nothing left to flush") \
	F(64, count, "INOS: how many")					\
	R(32, reserved0)						\
	T(name, 64, "BEGIN: host name")
NACRE_STRUCT(mds_session_item, MDS_SESSION_ITEM_FIELDS, 32);

#define MDS_ITEMS(I)							\
	I(1, INODE, "mds_image: the inode is now this")			\
	I(2, LINK, "mds_link: the entry is gone, or names an own inode")			\
	I(3, SESSION_BEGIN, "mds_session_item: a session")		\
	I(4, SESSION_END, "mds_session_item: no session any more")	\
	I(5, SESSION_INOS, "mds_session_item: numbers delegated (INO-1)") \
	I(6, NEXT_INO, "mds_interval: `first` is the lowest number never given out; `count` before it may have been, and lost") \
	I(7, BLOCK, "mds_interval: instance ids taken from the map")	\
	I(8, PURGE, "mds_purge_image: the inode is gone, its objects are to be deleted") \
	I(9, PURGED, "mds_interval: the objects of inode `first` are deleted") \
	I(10, QUOTA, "mds_quota_image: the quota is now this")

#define MDS_ITEM_ENUM(number, name, doc) MDS_ITEM_##name = number,
enum mds_item_type {
	MDS_ITEMS(MDS_ITEM_ENUM)
};

#define MDS_FORMAT_STRUCTS(S)					\
	S(mds_writer, MDS_WRITER_FIELDS)			\
	S(mds_image, MDS_IMAGE_FIELDS)				\
	S(mds_entry, MDS_ENTRY_FIELDS)				\
	S(mds_backtrace, MDS_BACKTRACE_FIELDS)			\
	S(mds_interval, MDS_INTERVAL_FIELDS)			\
	S(mds_completed, MDS_COMPLETED_FIELDS)			\
	S(mds_session_image, MDS_SESSION_IMAGE_FIELDS)		\
	S(mds_purge_image, MDS_PURGE_IMAGE_FIELDS)		\
	S(mds_quota_image, MDS_QUOTA_IMAGE_FIELDS)		\
	S(mds_header, MDS_HEADER_FIELDS)			\
	S(mds_batch_header, MDS_BATCH_FIELDS)			\
	S(mds_event, MDS_EVENT_FIELDS)				\
	S(mds_item, MDS_ITEM_FIELDS)				\
	S(mds_link, MDS_LINK_FIELDS)				\
	S(mds_session_item, MDS_SESSION_ITEM_FIELDS)

#endif
