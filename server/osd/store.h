/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The object store of one OSD: objects on a device, their metadata in a
 * key-value store, both covered by one journal. It knows struct io and struct kv,
 * no network, no placement, no replicas.
 *
 * A request is executed (exec.h) against the state that all submitted transactions
 * leave, which is ahead of what is durable; who may see that is the caller's
 * business. What it changes becomes a transaction (txn.h); osd_store_submit() makes
 * it part of the state at once and durable in time:
 *
 *	exec ──txn──▶ submit ──▶ journal ──durable──▶ write-back ──▶ device, key-value store
 *	                 └─▶ changes, images: what readers see in the meantime
 *
 * All calls answer from the top of the loop.
 */
#ifndef NACRE_SERVER_OSD_STORE_H
#define NACRE_SERVER_OSD_STORE_H

#include "allocator.h"
#include "changes.h"
#include "direct.h"
#include "discard.h"
#include "images.h"
#include "intents.h"
#include "journal.h"
#include "kv.h"
#include "object.h"
#include "shares.h"
#include "server/base/io.h"
#include "server/base/log.h"
#include "server/base/stats.h"
#include "txn.h"
#include "writeback.h"

#define OSD_STORE_COUNTERS(C)							\
	C(bytes_client_written, "bytes that requests asked to write, on this replica")	\
	C(bytes_journal, "bytes written to the journal")			\
	C(bytes_data, "bytes written to the data area")				\
	C(bytes_direct, "of these, bytes written before their record was journaled (modes ordered and cow)")	\
	C(bytes_in_place, "of these, bytes written over older ones (mode ordered)") \
	C(bytes_read, "bytes read from the data area")				\
	C(bytes_kv, "bytes handed to the key-value store")			\
	C(flushes, "flushes of the device")					\
	C(flushes_direct, "of these, for data whose record was to be journaled then")	\
	C(flushes_intents, "of these, for journal records that hold nothing but intents")	\
	C(kv_flushes, "flushes of the key-value store")				\
	C(transactions, "transactions made durable")				\
	C(records, "journal records, group commits")				\
	C(intents, "overwrites in place, each told by an intent")		\
	C(images_saved, "block images never written to their place, as newer ones came") \
	C(replayed, "transactions replayed at start-up")			\
	C(journal_full, "times the journal had no room")			\
	C(bytes_discarded, "bytes of free blocks that the device was told of")	\
	C(discards, "ranges of them")						\
	C(discards_refused, "ranges that the device has refused")		\
	C(space_waits, "requests that waited until blocks could be used again")	\
	C(checksum_errors, "blocks read that did not match their checksum")	\
	C(object_hits, "objects found in memory")				\
	C(object_misses, "objects loaded")

STATS_STRUCT(osd_store_stats, OSD_STORE_COUNTERS);

struct osd_store_calls {
	/* osd_store_open() has ended: 0, or -errno and a sentence. */
	void (*opened)(void *owner, int result, const char *why);
	/* Start-up: the journal holds this transaction of a group. Borrowed during the call. */
	void (*replayed)(void *owner, const struct osd_txn *txn);
	/* What osd_txn_payload() could not give at replayed() it gives now. Comes for all that are not settled. NULL: not wanted. */
	void (*filled)(void *owner, const struct osd_txn *txn);
	/* Would keep() say no by now? Then its record can go without being kept elsewhere. NULL: always. */
	bool (*settled)(void *owner, const struct osd_txn *txn);
	/*
	 * A group's transaction is being applied, and its journal record will go.
	 * Must the whole of it be kept (REC-1)? True, and osd_disk_kept in *value.
	 */
	bool (*keep)(void *owner, const struct osd_txn *txn, struct mem_bytes *value);
	/* Nothing more will become durable; the sentence names the cause. */
	void (*failed)(void *owner, const char *why);
	/* After osd_store_is_full(): there is room again. */
	void (*room)(void *owner);
};

struct osd_store_config {
	struct io *io;
	struct io_file *file;		/* the store closes it */
	struct kv *kv;			/* the store closes it */
	struct log *log;
	uint64_t fsid_lo, fsid_hi;
	uint16_t osd_id;
	uint64_t backlog_bytes;		/* images not yet at their place, 0 = 64 MiB */
	uint64_t cache_bytes;		/* object metadata in memory, 0 = 64 MiB */
	uint32_t writeback_ms;		/* how long an image may wait, 0 = 250 */
	uint32_t direct_bytes;		/* modes ordered and cow: smaller writes go through the journal, 0 = 32 KiB */
	uint32_t journal_unit;		/* see journal.h; 0 = the device's */
	uint64_t pipeline_bytes;	/* see journal.h; 0 = 256 KiB */
	bool lone_intents;		/* mode ordered: overwrite in place also where the intent needs a record of its own */
	uint64_t trim_bytes;		/* of the journal held by what is applied: then it is made durable there, and trimmed; 0 = a quarter */
	bool discard;			/* what is given back is discarded (discard.h) */
	uint32_t discard_bytes;		/* the least that is worth it, 0 = 64 KiB; rounded up to what the device knows */
	uint32_t discard_ms;		/* how long what is given back is gathered, 0 = 30 s */
	bool read_only;			/* for tools: what the journal holds stays in memory; of whichever file system */
	struct osd_store_stats *stats;	/* where to count; NULL: in the store itself */
	const struct osd_store_calls *calls;
	void *owner;
};

/* Somebody for whom blocks are free that may not be used yet. */
struct osd_space_wait {
	struct osd_space_wait *next;
	/* Look again; -EIO: there is no use. */
	void (*wake)(struct osd_space_wait *wait, int result);
};

struct osd_store {
	struct io *io;
	struct io_file *file;
	struct kv *kv;
	struct log *log;
	struct osd_disk_super super;
	struct osd_alloc alloc;
	struct osd_shares shares;
	struct osd_changes changes;
	struct osd_images images;
	struct osd_journal journal;
	struct osd_direct direct;
	struct osd_intents intents;
	struct osd_discard discard;
	struct osd_writeback writeback;
	struct osd_objects objects;
	struct osd_store_stats *stats;
	struct osd_store_stats own_stats;	/* if the caller has no place for them */
	uint64_t next_id;		/* lowest object_id or kv_id never given */
	uint64_t object_count;		/* after all submitted transactions */
	uint64_t backlog_limit;		/* bytes of images */
	uint32_t direct_blocks;		/* modes ordered and cow: writes of so many blocks go to their places at once */
	struct osd_space_wait *space_waits;
	unsigned int loads;		/* operations under way that are not the journal's or write-back's, and waits for space */
	bool read_only;
	bool failed;
	bool damaged;			/* and another start would find the same */
	bool was_full;
	struct osd_open *opening;	/* store_open.c, while it lasts */
	struct osd_closing *closing;	/* store_open.c, likewise */
	const struct osd_store_calls *calls;
	void *owner;
};

/* ---- life: super.c, store_open.c -------------------------------------------------- */

struct osd_format_config {
	struct io *io;
	struct io_file *file;		/* stays the caller's */
	struct kv *kv;			/* empty; stays the caller's */
	uint64_t fsid_lo, fsid_hi;
	uint64_t store_lo, store_hi;	/* random, not 0 */
	uint64_t journal_bytes;		/* 0 = default; made to fit the device */
	uint16_t osd_id;
	bool force;			/* format although the device holds a store */
};

/* Make a device a store. The result: 0, or -errno and a sentence that names the cause. */
typedef void (*osd_formatted)(void *owner, int result, const char *why);
void osd_store_format(const struct osd_format_config *config, osd_formatted done, void *owner);

/*
 * The same for a tool: opens device and RocksDB, runs a ring of its own until it
 * is done. 0, or -errno with a sentence in error.
 */
struct osd_format_paths {
	const char *device;		/* file or block device, of its final size */
	const char *kv_dir;		/* made; must not hold a database (force: it is removed first) */
};
int osd_store_format_paths(const struct osd_format_paths *paths, struct osd_format_config *config,
			   char *error, size_t error_bytes);

/* Begin to open; calls->opened follows, before it calls->replayed. 0 or -errno (nothing follows). */
int osd_store_open(const struct osd_store_config *config, struct osd_store **ret_store);
/*
 * Write everything back, flush, close, free; then `closed`. No new transactions;
 * executions under way are awaited.
 */
void osd_store_close(struct osd_store *store, void (*closed)(void *owner), void *owner);
/* Free everything as it is, write nothing. Operations of disk and kv must have ended, or never end. */
void osd_store_abandon(struct osd_store *store);

/* ---- use: store.c ------------------------------------------------------------------ */

/* Make a transaction part of the state; txn->durable follows, in the order of submission. */
void osd_store_submit(struct osd_store *store, struct osd_txn *txn);
/* Is so much waiting that callers should pause? calls->room says when to go on. */
bool osd_store_is_full(struct osd_store *store);
/* Could so many blocks be taken, with so many left? */
bool osd_store_has_space(const struct osd_store *store, uint64_t blocks, uint64_t leave);
/* Blocks are free but barred: wake() follows when that has changed. */
void osd_store_wait_space(struct osd_store *store, struct osd_space_wait *wait);
/* Barred blocks are wanted back: apply and trim what bars them. */
void osd_store_want_space(struct osd_store *store);
/* So many blocks were given back, or a few more, that are not to be had for everybody yet. */
uint64_t osd_store_resting(const struct osd_store *store);
/* A fresh object_id or kv_id. */
uint64_t osd_store_new_id(struct osd_store *store);

struct osd_store_space {
	uint64_t bytes_total;
	uint64_t bytes_free;		/* for ordinary requests */
	uint64_t objects;
};
struct osd_store_space osd_store_space(const struct osd_store *store);

/* ---- among the store's own files ---- */

/* A transaction with its seq becomes what readers see; also at replay. */
void osd_store_enter(struct osd_store *store, struct osd_txn *txn);
/* Write-back has applied a batch: memory is free again. */
void osd_store_applied(struct osd_store *store);
/* Transactions up to this one can be replayed no more. */
void osd_store_trimmed(struct osd_store *store, uint64_t seq);
/* Blocks can be had again: whoever waits looks. */
void osd_store_wake_space(struct osd_store *store);
/* Replayed: must its payload be read from the device before its record can go? refill.c */
bool osd_txn_is_needed(struct osd_store *store, const struct osd_txn *txn);
/* Replay may go on, if it waits for that. */
void osd_open_resume(struct osd_store *store);
extern const struct osd_journal_owner osd_store_journal_calls;

/* Nothing more is promised from here on. Idempotent. */
void osd_store_fail(struct osd_store *store, const char *why);

/* The key-value store gives an error where it should give keys: likewise, with what it says. */
void osd_store_keys_failed(struct osd_store *store);

/* ---- reading keys: store_read.c ----------------------------------------------------- */

/* Do unapplied changes say what stands under a key? True: *value is it, NULL if there is none. */
bool osd_store_peek(const struct osd_store *store, const struct osd_key *key,
		    const uint8_t **value, uint32_t *value_bytes);

/* Keys and values of [first, end) as all submitted transactions leave them. */
struct osd_list {
	struct osd_store *store;
	struct osd_key first, end;
	uint32_t count_max;
	uint32_t bytes_max;
	struct kv_pairs pairs;		/* the result; pairs.more; the caller frees pairs.bytes */
	int result;			/* 0 or -EIO */
	void (*done)(struct osd_list *list);
	void *owner;
	struct kv_list under;		/* store_read.c's */
	struct kv_pairs above;		/* store_read.c's: unapplied changes when it began */
	bool above_cut;
};

void osd_store_list(struct osd_store *store, struct osd_list *list);

/* ---- reading blocks: store_read.c ----------------------------------------------------- */

/* Consecutive blocks of the data area, whose newest images are not in memory. */
struct osd_block_read {
	struct osd_store *store;
	uint64_t block;
	uint32_t count;
	struct mem_buffer *buffer;	/* the result, the caller's */
	int result;
	void (*done)(struct osd_block_read *read);
	void *owner;
	struct io_disk disk;		/* store_read.c's */
	struct iovec iov;
};

void osd_store_read_blocks(struct osd_store *store, struct osd_block_read *read);

#endif
