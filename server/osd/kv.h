/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The key-value store under the object store, asynchronous: ordered byte
 * strings, batches that are applied whole, and an explicit flush.
 *
 * It has no log of its own: a batch is visible when it is done, and durable
 * only when a flush that began later is done (it may become durable earlier, but
 * always as a prefix of the batches). The journal covers the difference: every batch
 * records up to where it has been applied (key S), and the journal is trimmed
 * only past a flushed one.
 *
 * One batch at a time is under way; gets and lists run beside it and see all of it
 * or nothing. Callbacks come from the top of the loop. The operations' structs stay
 * untouched until then.
 *
 * Implementations: kv_rocksdb.c, kv_mem.c.
 */
#ifndef NACRE_SERVER_OSD_KV_H
#define NACRE_SERVER_OSD_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "mem.h"
#include "server/base/io.h"

struct kv;

struct kv_get {
	struct io_job job;		/* implementation's */
	struct kv *kv;			/* implementation's */
	char *error;			/* implementation's */
	const uint8_t *key;		/* caller's, untouched until done */
	uint32_t key_bytes;
	uint8_t *value;			/* malloc'ed, the caller's when done; NULL if there is none */
	uint32_t value_bytes;
	int result;			/* 0, -ENOENT, -EIO */
	void (*done)(struct kv_get *get);
};

/* What a list gave, in one piece of memory: walk it with kv_pairs_next(). */
struct kv_pairs {
	struct mem_bytes bytes;		/* 32-bit key length, value length, key, value, … */
	uint32_t count;
	bool more;			/* there are keys behind the last one */
};

struct kv_pair {
	const uint8_t *key;
	const uint8_t *value;
	uint32_t key_bytes;
	uint32_t value_bytes;
};

struct kv_list {
	struct io_job job;		/* implementation's */
	struct kv *kv;			/* implementation's */
	char *error;			/* implementation's */
	const uint8_t *first;		/* from this key, itself included */
	uint32_t first_bytes;
	const uint8_t *end;		/* up to this key, itself excluded */
	uint32_t end_bytes;
	uint32_t count_max;		/* pairs, at least 1 */
	uint32_t bytes_max;		/* of keys and values; one pair always fits */
	struct kv_pairs pairs;		/* the caller frees pairs.bytes */
	int result;			/* 0 or -EIO */
	void (*done)(struct kv_list *list);
};

/* Changes in order, as kv_batch_* put them. */
struct kv_batch {
	struct io_job job;		/* implementation's */
	struct kv *kv;			/* implementation's */
	char *error;			/* implementation's */
	struct mem_bytes bytes;		/* kind, key length, value length (32 bits each), key, value, … */
	uint32_t count;
	int result;			/* 0 or -EIO */
	void (*done)(struct kv_batch *batch);
};

struct kv_flush {
	struct io_job job;		/* implementation's */
	struct kv *kv;			/* implementation's */
	char *error;			/* implementation's */
	int result;			/* 0 or -EIO */
	void (*done)(struct kv_flush *flush);
};

struct kv_ops {
	const char *name;
	void (*get)(struct kv *kv, struct kv_get *get);
	void (*list)(struct kv *kv, struct kv_list *list);
	void (*apply)(struct kv *kv, struct kv_batch *batch);
	void (*flush)(struct kv *kv, struct kv_flush *flush);
	void (*close)(struct kv *kv);
};

/* The first member of every implementation. */
struct kv {
	const struct kv_ops *ops;
	struct io *io;
	char *complaint;		/* what it said of the first failure: file, offset, reason; NULL: nothing yet */
};

static inline void kv_get(struct kv *kv, struct kv_get *get) { kv->ops->get(kv, get); }
static inline void kv_list(struct kv *kv, struct kv_list *list) { kv->ops->list(kv, list); }
static inline void kv_apply(struct kv *kv, struct kv_batch *batch) { kv->ops->apply(kv, batch); }
/* Make all batches that are done durable. One flush at a time. */
static inline void kv_flush(struct kv *kv, struct kv_flush *flush) { kv->ops->flush(kv, flush); }
/* Nothing may be under way. What was not flushed may be lost. */
static inline void kv_close(struct kv *kv) { kv->ops->close(kv); }

void kv_batch_put(struct kv_batch *batch, const void *key, uint32_t key_bytes, const void *value,
		  uint32_t value_bytes);
void kv_batch_delete(struct kv_batch *batch, const void *key, uint32_t key_bytes);
/* Everything from `first` to below `end`. */
void kv_batch_delete_range(struct kv_batch *batch, const void *first, uint32_t first_bytes,
			   const void *end, uint32_t end_bytes);

/* Walk a batch; kind is enum osd_change_kind. *at starts at 0. */
bool kv_batch_next(const struct kv_batch *batch, size_t *at, uint32_t *kind, struct kv_pair *pair);
/* Walk what a list gave. *at starts at 0. */
bool kv_pairs_next(const struct kv_pairs *pairs, size_t *at, struct kv_pair *pair);
/* Add a pair at the end, as an implementation does; false when it does not fit the limits any more. */
bool kv_list_add(struct kv_list *list, const void *key, uint32_t key_bytes, const void *value,
		 uint32_t value_bytes);
void kv_pairs_add(struct kv_pairs *pairs, const void *key, uint32_t key_bytes, const void *value,
		  uint32_t value_bytes);

/* Like memcmp for strings of different length. */
int kv_compare(const void *a, uint32_t a_bytes, const void *b, uint32_t b_bytes);

enum kv_open {
	KV_OPEN,
	KV_CREATE,			/* there must be none */
	KV_READ_ONLY,			/* nobody may have it open */
};

/*
 * RocksDB in directory `path`. Blocking work runs behind io_offload(). 0, or -errno with a sentence
 * in error; -EBUSY: READ_ONLY, and a process has it open.
 */
int kv_rocksdb_open(struct io *io, const char *path, enum kv_open how, struct kv **ret_kv, char *error,
		    size_t error_bytes);

#endif
