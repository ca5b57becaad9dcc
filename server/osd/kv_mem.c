// SPDX-License-Identifier: GPL-2.0
/*
 * Key-value pairs in a tree. The disk holds two trees: what is durable, and what
 * is visible; the batches between them are kept in order until a flush. A crash
 * makes the visible tree anew from the durable one and the batches that survive.
 */
#include <assert.h>
#include <errno.h>
#include <bsd/sys/tree.h>
#include "kv_mem.h"
#include "layout.h"

struct pair {
	RB_ENTRY(pair) entry;
	uint32_t key_bytes;
	uint32_t value_bytes;
	uint8_t *key;			/* key and value in one piece */
	uint8_t *value;
};

static int pair_compare(const struct pair *a, const struct pair *b)
{
	return kv_compare(a->key, a->key_bytes, b->key, b->key_bytes);
}

RB_HEAD(pairs, pair);
RB_GENERATE_INTERNAL(pairs, pair, entry, pair_compare, static inline)

/* A batch that is visible and not durable. */
struct pending {
	struct pending *next;
	struct kv_batch batch;		/* only its bytes */
};

struct kv_mem_disk {
	struct pairs durable;
	struct pairs visible;
	struct pending *pending, **pending_last;
	struct kv_mem *opener;
};

struct kv_mem {
	struct kv kv;
	struct kv_mem_disk *disk;
	unsigned int under_way;
};

/* ---- trees -------------------------------------------------------------------- */

static void pair_free(struct pairs *tree, struct pair *pair)
{
	RB_REMOVE(pairs, tree, pair);
	free(pair->key);
	free(pair);
}

static void tree_clear(struct pairs *tree)
{
	struct pair *pair;

	while ((pair = RB_ROOT(tree)))
		pair_free(tree, pair);
}

/* The first pair at or behind a key. */
static struct pair *tree_from(struct pairs *tree, const uint8_t *key, uint32_t key_bytes)
{
	struct pair probe = { .key = (uint8_t *)key, .key_bytes = key_bytes };

	return RB_NFIND(pairs, tree, &probe);
}

static void tree_put(struct pairs *tree, const struct kv_pair *from)
{
	struct pair *pair = mem_zero(1, sizeof(*pair));
	struct pair *old;

	pair->key = mem_resize(NULL, from->key_bytes + from->value_bytes);
	pair->value = pair->key + from->key_bytes;
	memcpy(pair->key, from->key, from->key_bytes);
	if (from->value_bytes)
		memcpy(pair->value, from->value, from->value_bytes);
	pair->key_bytes = from->key_bytes;
	pair->value_bytes = from->value_bytes;
	old = RB_FIND(pairs, tree, pair);
	if (old)
		pair_free(tree, old);
	RB_INSERT(pairs, tree, pair);
}

static void tree_apply(struct pairs *tree, const struct kv_batch *batch)
{
	struct kv_pair change;
	struct pair *pair;
	uint32_t kind;
	size_t at = 0;

	while (kv_batch_next(batch, &at, &kind, &change)) {
		if (kind == OSD_CHANGE_PUT) {
			tree_put(tree, &change);
			continue;
		}
		while ((pair = tree_from(tree, change.key, change.key_bytes))) {
			if (kind == OSD_CHANGE_DELETE &&
			    kv_compare(pair->key, pair->key_bytes, change.key, change.key_bytes))
				break;
			if (kind == OSD_CHANGE_DELETE_RANGE &&
			    kv_compare(pair->key, pair->key_bytes, change.value,
				       change.value_bytes) >= 0)
				break;
			pair_free(tree, pair);
		}
	}
}

/* ---- the disk ------------------------------------------------------------------ */

struct kv_mem_disk *kv_mem_disk_create(void)
{
	struct kv_mem_disk *disk = mem_zero(1, sizeof(*disk));

	RB_INIT(&disk->durable);
	RB_INIT(&disk->visible);
	disk->pending_last = &disk->pending;
	return disk;
}

static void pending_pop(struct kv_mem_disk *disk)
{
	struct pending *pending = disk->pending;

	disk->pending = pending->next;
	if (!disk->pending)
		disk->pending_last = &disk->pending;
	mem_bytes_free(&pending->batch.bytes);
	free(pending);
}

void kv_mem_disk_destroy(struct kv_mem_disk *disk)
{
	if (!disk)
		return;
	while (disk->pending)
		pending_pop(disk);
	tree_clear(&disk->durable);
	tree_clear(&disk->visible);
	free(disk);
}

unsigned int kv_mem_disk_crash(struct kv_mem_disk *disk, unsigned int keep)
{
	unsigned int count = 0;
	struct pair *pair;
	struct kv_pair copy;

	for (; disk->pending; count++) {
		if (count < keep)
			tree_apply(&disk->durable, &disk->pending->batch);
		pending_pop(disk);
	}
	tree_clear(&disk->visible);
	RB_FOREACH(pair, pairs, &disk->durable) {
		copy = (struct kv_pair){ pair->key, pair->value, pair->key_bytes, pair->value_bytes };
		tree_put(&disk->visible, &copy);
	}
	disk->opener = NULL;
	return count;
}

/* ---- operations: done in a later turn, as a helper thread would ---------------- */

static void run_get(struct io_job *job)
{
	struct kv_get *get = (struct kv_get *)((char *)job - offsetof(struct kv_get, job));
	struct kv_mem *mem = (struct kv_mem *)get->kv;
	struct pair *pair = tree_from(&mem->disk->visible, get->key, get->key_bytes);

	mem->under_way--;
	get->value = NULL;
	get->value_bytes = 0;
	get->result = -ENOENT;
	if (pair && !kv_compare(pair->key, pair->key_bytes, get->key, get->key_bytes)) {
		get->value = mem_copy(pair->value, pair->value_bytes);
		get->value_bytes = pair->value_bytes;
		get->result = 0;
	}
	get->done(get);
}

static void run_list(struct io_job *job)
{
	struct kv_list *list = (struct kv_list *)((char *)job - offsetof(struct kv_list, job));
	struct kv_mem *mem = (struct kv_mem *)list->kv;
	struct pair *pair = tree_from(&mem->disk->visible, list->first, list->first_bytes);

	mem->under_way--;
	list->result = 0;
	for (; pair; pair = RB_NEXT(pairs, &mem->disk->visible, pair)) {
		if (kv_compare(pair->key, pair->key_bytes, list->end, list->end_bytes) >= 0)
			break;
		if (!kv_list_add(list, pair->key, pair->key_bytes, pair->value, pair->value_bytes))
			break;
	}
	list->done(list);
}

static void run_apply(struct io_job *job)
{
	struct kv_batch *batch = (struct kv_batch *)((char *)job - offsetof(struct kv_batch, job));
	struct kv_mem *mem = (struct kv_mem *)batch->kv;
	struct pending *pending = mem_zero(1, sizeof(*pending));

	mem->under_way--;
	tree_apply(&mem->disk->visible, batch);
	pending->batch.bytes.at = mem_copy(batch->bytes.at, batch->bytes.length);
	pending->batch.bytes.length = batch->bytes.length;
	*mem->disk->pending_last = pending;
	mem->disk->pending_last = &pending->next;
	batch->result = 0;
	batch->done(batch);
}

static void run_flush(struct io_job *job)
{
	struct kv_flush *flush = (struct kv_flush *)((char *)job - offsetof(struct kv_flush, job));
	struct kv_mem *mem = (struct kv_mem *)flush->kv;

	mem->under_way--;
	while (mem->disk->pending) {
		tree_apply(&mem->disk->durable, &mem->disk->pending->batch);
		pending_pop(mem->disk);
	}
	flush->result = 0;
	flush->done(flush);
}

/* The work is done in the loop; the helper thread only brings the delay. */
static void no_work(struct io_job *job)
{
}

static void begin(struct kv *kv, struct io_job *job, void (*run)(struct io_job *job))
{
	((struct kv_mem *)kv)->under_way++;
	job->work = no_work;
	job->done = run;
	io_offload(kv->io, job);
}

static void mem_get(struct kv *kv, struct kv_get *get)
{
	get->kv = kv;
	begin(kv, &get->job, run_get);
}

static void mem_list(struct kv *kv, struct kv_list *list)
{
	list->kv = kv;
	begin(kv, &list->job, run_list);
}

static void mem_apply(struct kv *kv, struct kv_batch *batch)
{
	batch->kv = kv;
	begin(kv, &batch->job, run_apply);
}

static void mem_flush(struct kv *kv, struct kv_flush *flush)
{
	flush->kv = kv;
	begin(kv, &flush->job, run_flush);
}

static void mem_close(struct kv *kv)
{
	struct kv_mem *mem = (struct kv_mem *)kv;

	assert(!mem->under_way && mem->disk->opener == mem);
	kv_mem_disk_crash(mem->disk, 0);	/* a close is no flush */
	free(mem);
}

static const struct kv_ops mem_ops = {
	.name = "memory",
	.get = mem_get,
	.list = mem_list,
	.apply = mem_apply,
	.flush = mem_flush,
	.close = mem_close,
};

struct kv *kv_mem_open(struct io *io, struct kv_mem_disk *disk)
{
	struct kv_mem *mem = mem_zero(1, sizeof(*mem));

	assert(!disk->opener);
	mem->kv.ops = &mem_ops;
	mem->kv.io = io;
	mem->disk = disk;
	disk->opener = mem;
	return &mem->kv;
}
