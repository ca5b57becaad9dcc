/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an object store looks like at rest: the superblock, the records of the
 * journal, and the keys and values kept in the key-value store. Structures are
 * declared like wire structures (protocol/wire.h) and go through the same
 * codec, so that damaged bytes are refused and never believed.
 *
 *	device:  | superblock, 4 KiB | journal, a ring | data, blocks of 4 KiB |
 *
 *	keys:	S			state: what the store has applied, and where replay begins
 *		A chunk			allocation bitmap, OSD_BITMAP_BLOCKS blocks each
 *		O pool pg ino index snap	an object: struct osd_disk_onode
 *		B object_id chunk	where 64 of its blocks are, and their CRC32C
 *		K kv_id key		a key-value pair of an object
 *		L pool pg number	an entry of a group's log
 *		T pool pg number	a whole transaction not yet known to be committed
 *		I seq index		an intent: blocks that are being overwritten in place
 *		R page			which of OSD_SHARE_BLOCKS blocks more than one object has
 *
 * Numbers in keys are big-endian, so that the order of keys is theirs.
 * object_id and kv_id are never used twice in a store, so what a deletion
 * leaves behind for a moment can never be mistaken for a successor's.
 */
#ifndef NACRE_SERVER_OSD_LAYOUT_H
#define NACRE_SERVER_OSD_LAYOUT_H

#include <stdint.h>
#include "protocol/osd.h"
#include "protocol/wire.h"

#define OSD_BLOCK_BYTES 4096u
#define OSD_CHUNK_BLOCKS 64u			/* blocks of one B value */
#define OSD_CHUNK_BYTES (OSD_CHUNK_BLOCKS * OSD_BLOCK_BYTES)
#define OSD_CHUNKS_MAX (NACRE_OBJECT_MAX / OSD_CHUNK_BYTES)
#define OSD_BITMAP_BLOCKS 8192u			/* blocks of one A value */
#define OSD_BITMAP_BYTES (OSD_BITMAP_BLOCKS / 8)
#define OSD_SHARE_BLOCKS 256u			/* blocks of the device that one R value counts */
#define OSD_ATTRS_BYTES_MAX (256u << 10)	/* all attributes of an object, encoded */

#define OSD_SUPER_MAGIC 0x3044534f4352434eull	/* "NCRCOSD0" */
#define OSD_RECORD_MAGIC 0x4c4e524au		/* "JRNL" */
#define OSD_DISK_VERSION 5
#define OSD_DISK_OLDEST 1			/* that is understood, and becomes 5: 1 has no unwritten blocks, 2 no direct writes, 3 no intents, 4 no shared blocks */
#define OSD_JOURNAL_BYTES_MIN (1u << 20)

/* Block 0 of the device, padded with zeros. Written by osd_store_format(), and when an older store is first opened. */
#define OSD_DISK_SUPER_FIELDS(F, R, T)					\
	F(64, magic, "OSD_SUPER_MAGIC")					\
	F(32, version, "OSD_DISK_VERSION")				\
	F(16, osd_id, "which OSD of the file system")			\
	R(16, reserved0)						\
	F(64, fsid_lo, "file system it belongs to, first half")		\
	F(64, fsid_hi, "second half")					\
	F(64, store_lo, "identity of this store, first half")		\
	F(64, store_hi, "second half")					\
	F(64, device_bytes, "size of the device when it was formatted")	\
	F(64, journal_offset, "where the journal begins, bytes")	\
	F(64, journal_bytes, "its size")				\
	F(64, data_offset, "where block 0 of the data is, bytes")	\
	F(64, data_blocks, "how many there are")			\
	F(32, block_bytes, "OSD_BLOCK_BYTES")				\
	F(32, crc, "CRC32C of the fields before it")
NACRE_STRUCT(osd_disk_super, OSD_DISK_SUPER_FIELDS, 96);

/* Value of key S, in every batch. */
#define OSD_DISK_STATE_FIELDS(F, R, T)					\
	F(64, store_lo, "identity of the store, as in the superblock")	\
	F(64, store_hi, "second half")					\
	F(64, applied_seq, "transactions up to this one are in the data blocks and in these keys") \
	F(64, position, "where the first record behind it begins in the journal, counted without end") \
	F(64, record, "number of that record")				\
	F(64, chain, "hash of the record before it")			\
	F(64, next_id, "lowest object_id or kv_id never given")		\
	F(64, objects, "objects in the store")
NACRE_STRUCT(osd_disk_state, OSD_DISK_STATE_FIELDS, 64);

enum osd_record_kind {
	OSD_RECORD_TXNS = 1,
	OSD_RECORD_SKIP = 2,		/* fills the ring to its end */
};

/*
 * Head of a record: one group commit. Behind it the transactions, packed; then,
 * from the next block on, the images of the blocks they change. Without images, what is
 * behind the transactions in their last block may be anything (decision 0019). `chain` ties a
 * record to the one before it: what an earlier life of the ring left behind a
 * torn tail can never be taken for its continuation.
 */
#define OSD_DISK_RECORD_FIELDS(F, R, T)					\
	F(32, magic, "OSD_RECORD_MAGIC")				\
	F(16, kind, "enum osd_record_kind")				\
	R(16, reserved0)						\
	F(64, store_lo, "identity of the store, first half")		\
	F(64, record, "counts records from 1")				\
	F(64, first_seq, "of its first transaction")			\
	F(64, chain, "hash of the head of the record before it")	\
	F(32, txn_count, "transactions")				\
	F(32, txn_bytes, "of the transactions, packed")			\
	F(32, image_count, "blocks behind them")			\
	F(32, skip_blocks, "SKIP: length of the record, blocks")	\
	F(32, txn_crc, "CRC32C of the transactions")			\
	F(32, crc, "CRC32C of the fields before it")
NACRE_STRUCT(osd_disk_record, OSD_DISK_RECORD_FIELDS, 64);

/* One transaction: what it does to the store, in final form (replay decides nothing). */
#define OSD_DISK_TXN_FIELDS(F, R, T)					\
	F(64, seq, "counts the transactions of the store from 1")	\
	F(64, next_id, "as in the state, after it")			\
	F(64, number, "in the group's log, 0 = not part of one")	\
	F(64, committed, "of the group, as known when it was made")	\
	F(32, pool, "of the group")					\
	F(32, pg, "group")						\
	F(32, objects_more, "objects made")				\
	F(32, objects_less, "objects removed")				\
	T(changes, 1u << 28, "osd_disk_change sequence")		\
	T(images, 1u << 24, "osd_disk_image array, in the order of the blocks of the record, then those written directly") \
	T(space, 1u << 24, "osd_disk_space array")			\
	T(request, 1u << 20, "nacre_osd_request as resolved, when number is not 0") \
	T(entry, 1u << 17, "nacre_rep_entry, when number is not 0")	\
	R(32, reserved0)
NACRE_STRUCT(osd_disk_txn, OSD_DISK_TXN_FIELDS, 72);

enum osd_change_kind {
	OSD_CHANGE_PUT = 1,
	OSD_CHANGE_DELETE = 2,
	OSD_CHANGE_DELETE_RANGE = 3,	/* [key, value) */
};

/* A change of the key-value store. */
#define OSD_DISK_CHANGE_FIELDS(F, R, T)					\
	F(32, kind, "enum osd_change_kind")				\
	T(key, 4096, "key")						\
	T(value, 1u << 26, "its value; DELETE_RANGE: the key behind the last")
NACRE_STRUCT(osd_disk_change, OSD_DISK_CHANGE_FIELDS, 12);

enum osd_image_flags {
	OSD_IMAGE_DIRECT = 1,		/* it stands at its place, and not in the record */
};

/* A block that the transaction writes. */
#define OSD_DISK_IMAGE_FIELDS(F, R, T)					\
	F(64, block, "where, in blocks of the data area")		\
	F(16, object_block, "which block of the object it is")		\
	F(16, image_flags, "enum osd_image_flags")			\
	F(32, crc, "CRC32C of its 4096 bytes")
NACRE_STRUCT(osd_disk_image, OSD_DISK_IMAGE_FIELDS, 16);

/* Blocks taken or given back. */
#define OSD_DISK_SPACE_FIELDS(F, R, T)					\
	F(64, block, "first")						\
	F(32, count, "blocks")						\
	F(32, taken, "1 = now in use, 0 = now free")
NACRE_STRUCT(osd_disk_space, OSD_DISK_SPACE_FIELDS, 16);

/* Value of an O key. */
#define OSD_DISK_ONODE_FIELDS(F, R, T)					\
	F(64, object_id, "names its B keys")				\
	F(64, kv_id, "names its K keys, 0 = it has none")		\
	F(64, size, "bytes")						\
	F(64, version, "number in the group's log that last changed it; 0 = not all of it has arrived") \
	F(64, interval, "of that number")				\
	F(64, mtime, "ns")						\
	F(64, truncate_size, "file size of the newest truncation it has seen") \
	F(32, truncate_seq, "of that truncation (SIZE-3)")		\
	T(attributes, OSD_ATTRS_BYTES_MAX, "nacre_key_value sequence, by name") \
	T(chunks, OSD_CHUNKS_MAX / 8, "bitmap: which B keys exist")	\
	R(32, reserved0)
NACRE_STRUCT(osd_disk_onode, OSD_DISK_ONODE_FIELDS, 72);

/* Value of a B key: runs, then the checksums of their written blocks in order. */
#define OSD_DISK_CHUNK_FIELDS(F, R, T)					\
	T(runs, 16 * OSD_CHUNK_BLOCKS, "osd_disk_run array")		\
	T(crcs, 4 * OSD_CHUNK_BLOCKS, "32-bit little-endian numbers")
NACRE_STRUCT(osd_disk_chunk, OSD_DISK_CHUNK_FIELDS, 8);

enum osd_run_flags {
	OSD_RUN_UNWRITTEN = 1,		/* its blocks were allocated and never written: zeros, no checksums */
};

#define OSD_DISK_RUN_FIELDS(F, R, T)					\
	F(64, block, "first, in the data area")				\
	F(16, at, "first, in the chunk")				\
	F(16, count, "blocks")						\
	F(16, run_flags, "enum osd_run_flags")				\
	R(16, reserved0)
NACRE_STRUCT(osd_disk_run, OSD_DISK_RUN_FIELDS, 16);

/* Value of a T key: the bytes of a REP_APPLY, and its data payload. */
#define OSD_DISK_KEPT_FIELDS(F, R, T)					\
	T(request, 1u << 20, "nacre_osd_request as resolved")		\
	T(entry, 1u << 17, "nacre_rep_entry")				\
	T(data, NACRE_OBJECT_MAX, "data payload")
NACRE_STRUCT(osd_disk_kept, OSD_DISK_KEPT_FIELDS, 12);

/* Some blocks of an object. */
#define OSD_DISK_BLOCKS_FIELDS(F, R, T)					\
	F(16, first, "block of the object")				\
	F(16, count, "blocks")
NACRE_STRUCT(osd_disk_blocks, OSD_DISK_BLOCKS_FIELDS, 4);

/* Value of an I key: until it is deleted nobody knows what these blocks hold. */
#define OSD_DISK_INTENT_FIELDS(F, R, T)					\
	F(64, ino, "object: inode")					\
	F(64, index, "object: which")					\
	F(64, snap, "object: snapshot")					\
	F(64, number, "of the transaction that overwrites them, in the group's log") \
	F(32, pool, "object: pool")					\
	F(32, pg, "its group")						\
	R(32, reserved0)						\
	T(blocks, 4 * (NACRE_OBJECT_MAX / OSD_BLOCK_BYTES), "osd_disk_blocks array, ascending")
NACRE_STRUCT(osd_disk_intent, OSD_DISK_INTENT_FIELDS, 48);

/* The value of an R key is an array of these, ascending: blocks that have references beyond the first. */
#define OSD_DISK_SHARE_FIELDS(F, R, T)					\
	F(16, first, "block of the page")				\
	F(16, count, "blocks")						\
	F(32, more, "references of each, beyond the first")
NACRE_STRUCT(osd_disk_share, OSD_DISK_SHARE_FIELDS, 8);

/* ---- keys -------------------------------------------------------------------- */

#define OSD_KEY_MAX (16 + NACRE_KEY_MAX)

struct osd_key {
	uint32_t length;
	uint8_t bytes[OSD_KEY_MAX];
};

void osd_key_state(struct osd_key *key);
void osd_key_bitmap(struct osd_key *key, uint64_t chunk);
void osd_key_object(struct osd_key *key, uint32_t pg, const struct nacre_oid *oid);
void osd_key_chunk(struct osd_key *key, uint64_t object_id, uint32_t chunk);
void osd_key_pair(struct osd_key *key, uint64_t kv_id, const void *name, uint32_t name_bytes);
void osd_key_log(struct osd_key *key, uint32_t pool, uint32_t pg, uint64_t number);
void osd_key_kept(struct osd_key *key, uint32_t pool, uint32_t pg, uint64_t number);
void osd_key_intent(struct osd_key *key, uint64_t seq, uint32_t index);
void osd_key_share(struct osd_key *key, uint64_t page);
/* All keys of a group that begin with `kind` ('O', 'L', 'T') stand before this one. */
void osd_key_group_end(struct osd_key *key, char kind, uint32_t pool, uint32_t pg);
void osd_key_group_begin(struct osd_key *key, char kind, uint32_t pool, uint32_t pg);

/* Bytes that an O, L or T key of a group begins with, and the name in front of a pair's key. */
#define OSD_KEY_GROUP_BYTES 9u
#define OSD_KEY_PAIR_BYTES 9u

/* The group of an O, L or T key. */
void osd_key_group_parse(const uint8_t *bytes, uint32_t *pool, uint32_t *pg);
/* Take an O key, a B key, an L or T key, an A key, an R key apart. 0 or -EBADMSG. */
int osd_key_object_parse(const uint8_t *bytes, uint32_t length, uint32_t *pg, struct nacre_oid *oid);
int osd_key_chunk_parse(const uint8_t *bytes, uint32_t length, uint32_t *chunk);
int osd_key_number_parse(const uint8_t *bytes, uint32_t length, uint64_t *number);
int osd_key_bitmap_parse(const uint8_t *bytes, uint32_t length, uint64_t *chunk);
int osd_key_share_parse(const uint8_t *bytes, uint32_t length, uint64_t *page);

/* Encode a structure at the end of growing bytes. */
struct mem_bytes;
void osd_disk_append(struct mem_bytes *bytes, const struct nacre_struct *desc, const void *host);

/* Fixed-size structures whose last 4 bytes are the CRC32C of those before them. */
void osd_disk_seal(uint8_t *wire, uint32_t wire_bytes);
int osd_disk_sealed(const uint8_t *wire, uint32_t wire_bytes);

#endif
