// SPDX-License-Identifier: GPL-2.0
/*
 * Intents, and what a crash has left of them. See intents.h.
 */
#include <errno.h>
#include "exec.h"
#include "server/base/mutate.h"

#define GATHER_MAX 256u			/* intents of one transaction */

void osd_intents_init(struct osd_intents *intents, struct osd_store *store)
{
	memset(intents, 0, sizeof(*intents));
	intents->store = store;
	TAILQ_INIT(&intents->unstable);
}

static void forget(struct osd_intents *intents, struct osd_unstable *unstable)
{
	TAILQ_REMOVE(&intents->unstable, unstable, link);
	free(unstable);
}

void osd_intents_fini(struct osd_intents *intents)
{
	while (!TAILQ_EMPTY(&intents->unstable))
		forget(intents, TAILQ_FIRST(&intents->unstable));
}

/* ---- telling before ---------------------------------------------------------------------- */

bool osd_intents_ride(const struct osd_intents *intents)
{
	return intents->alone || intents->store->journal.waiting;
}

/* Which blocks it overwrites, in runs. */
static void encode(const struct osd_txn *txn, struct mem_bytes *ret_value)
{
	struct osd_disk_intent disk = {
		.ino = txn->object.ino, .index = txn->object.index, .snap = txn->object.snap,
		.number = txn->number, .pool = txn->object.pool, .pg = txn->object.pg,
	};
	struct osd_disk_blocks run = { 0 };
	struct mem_bytes blocks = { 0 };
	uint32_t i;

	for (i = 0; i < txn->direct_count; i++) {
		if (!txn->direct[i].in_place)
			continue;
		if (run.count && run.first + run.count == txn->direct[i].object_block) {
			run.count++;
			continue;
		}
		if (run.count)
			osd_disk_append(&blocks, osd_disk_blocks_desc(), &run);
		run = (struct osd_disk_blocks){ (uint16_t)txn->direct[i].object_block, 1 };
	}
	osd_disk_append(&blocks, osd_disk_blocks_desc(), &run);
	disk.blocks = blocks.at;
	disk.blocks_bytes = (uint32_t)blocks.length;
	osd_disk_append(ret_value, osd_disk_intent_desc(), &disk);
	mem_bytes_free(&blocks);
}

/* Its overwrites may begin. */
static void durable(struct osd_txn *txn)
{
	struct osd_intents *intents = txn->owner;

	if (intents->gathering == txn)
		intents->gathering = NULL;
	osd_direct_intended(&intents->store->direct, txn->seq);
}

static void begin_gathering(struct osd_intents *intents, const struct osd_key *key, const struct mem_bytes *value)
{
	struct osd_txn *txn = osd_txn_new();

	txn->intents = true;
	txn->durable = durable;
	txn->owner = intents;
	osd_txn_put(txn, key, value->at, value->length);
	intents->gathered = 0;
	intents->gathering = txn;
	osd_store_submit(intents->store, txn);
}

/* One more, into a transaction that waits in the journal. */
static void gather(struct osd_intents *intents, const struct osd_key *key, const struct mem_bytes *value)
{
	struct osd_store *store = intents->store;
	struct osd_txn *txn = intents->gathering;
	struct osd_change *change;

	store->journal.waiting_bytes -= txn->packed.length;
	osd_txn_put(txn, key, value->at, value->length);
	change = TAILQ_LAST(&txn->changes, osd_change_list);
	change->seq = txn->seq;
	osd_changes_enter(&store->changes, change);
	osd_txn_pack(txn);
	store->journal.waiting_bytes += txn->packed.length;
}

void osd_intents_begin(struct osd_intents *intents, struct osd_txn *txn)
{
	struct osd_txn *gathering = intents->gathering;
	struct mem_bytes value = { 0 };
	struct osd_key key;

	if (mutate(MUTATE_OSD_INTENT_SKIPPED))
		return;
	encode(txn, &value);
	/* what the journal has taken into a record has nothing packed any more */
	if (gathering && gathering->packed.at && intents->gathered < GATHER_MAX) {
		osd_key_intent(&key, gathering->seq, intents->gathered);
		gather(intents, &key, &value);
	} else {
		osd_key_intent(&key, intents->store->journal.next_seq, 0);
		begin_gathering(intents, &key, &value);
	}
	intents->gathered++;
	intents->store->stats->intents++;
	osd_txn_delete(txn, &key);
	txn->intent_seq = mutate(MUTATE_OSD_INTENT_UNAWAITED) ? 0 : intents->gathering->seq;
	mem_bytes_free(&value);
}

/* ---- what a crash has left ------------------------------------------------------------------ */

int osd_intents_load(struct osd_intents *intents, const uint8_t *key, uint32_t key_bytes, const uint8_t *value,
		     uint32_t value_bytes)
{
	struct osd_unstable *unstable = mem_zero(1, sizeof(*unstable));
	struct osd_disk_intent disk;
	struct osd_disk_blocks run;
	int i, count = -1;
	uint32_t n;

	if (key_bytes <= sizeof(unstable->key.bytes) &&
	    !nacre_decode_all(osd_disk_intent_desc(), value, value_bytes, &disk))
		count = nacre_array_count(osd_disk_blocks_desc(), disk.blocks_bytes);
	for (i = 0; i < count; i++) {
		if (nacre_array_at(osd_disk_blocks_desc(), disk.blocks, (uint32_t)i, &run) ||
		    run.first + run.count > OSD_CHUNKS_MAX * OSD_CHUNK_BLOCKS)
			count = -1;
		for (n = run.first; count > 0 && n < run.first + (uint32_t)run.count; n++) {
			unstable->blocks[n / OSD_CHUNK_BLOCKS] |= 1ull << (n % OSD_CHUNK_BLOCKS);
			unstable->left++;
		}
	}
	if (count < 0) {
		free(unstable);
		return -EBADMSG;
	}
	unstable->key.length = key_bytes;
	memcpy(unstable->key.bytes, key, key_bytes);
	unstable->object = (struct osd_object_key){ disk.ino, disk.index, disk.snap, disk.pool, disk.pg };
	TAILQ_INSERT_TAIL(&intents->unstable, unstable, link);
	intents->unstable_blocks += unstable->left;
	return 0;
}

static bool has_block(const struct osd_unstable *unstable, uint32_t n)
{
	return unstable->blocks[n / OSD_CHUNK_BLOCKS] >> (n % OSD_CHUNK_BLOCKS) & 1;
}

static bool same_object(const struct osd_object_key *a, const struct osd_object_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool osd_intents_cover(const struct osd_intents *intents, const struct osd_object_key *object, uint32_t n)
{
	const struct osd_unstable *unstable;

	TAILQ_FOREACH(unstable, &intents->unstable, link)
		if (same_object(&unstable->object, object) &&
		    has_block(unstable, n))
			return true;
	return false;
}

bool osd_intents_cover_place(const struct osd_intents *intents, const struct osd_object *object, uint64_t block)
{
	uint32_t c, i;

	for (c = 0; !TAILQ_EMPTY(&intents->unstable) && c < OSD_CHUNKS_MAX; c++)
		for (i = 0; object->chunks[c] && i < OSD_CHUNK_BLOCKS; i++)
			if (object->chunks[c]->block[i] == block)
				return osd_intents_cover(intents, &object->key, c * OSD_CHUNK_BLOCKS + i);
	return false;
}

/* Blocks of a chunk that have new bytes in the view, another object's, or none any more. */
static uint64_t known_blocks(const struct osd_view_chunk *chunk, const struct osd_chunk *old)
{
	uint64_t known = 0;
	uint32_t i;

	for (i = 0; i < OSD_CHUNK_BLOCKS; i++)
		if (chunk->images[i].bytes || osd_chunk_state(&chunk->map, i) != OSD_BLOCK_WRITTEN ||
		    !old || old->block[i] != chunk->map.block[i])
			known |= 1ull << i;
	return known;
}

void osd_intents_settle(struct osd_intents *intents, struct osd_view *view)
{
	struct osd_unstable *unstable, *next;
	uint64_t known;
	uint32_t c;

	for (unstable = TAILQ_FIRST(&intents->unstable); unstable; unstable = next) {
		next = TAILQ_NEXT(unstable, link);
		if (!same_object(&unstable->object, &view->object->key))
			continue;
		for (c = 0; c < OSD_CHUNKS_MAX; c++) {
			if (!view->chunks[c] || !unstable->blocks[c])
				continue;
			known = unstable->blocks[c] & known_blocks(view->chunks[c], view->object->chunks[c]);
			unstable->blocks[c] &= ~known;
			unstable->left -= (uint32_t)__builtin_popcountll(known);
			intents->unstable_blocks -= (uint64_t)__builtin_popcountll(known);
		}
		if (unstable->left)
			continue;
		osd_txn_delete(view->txn, &unstable->key);
		forget(intents, unstable);
	}
}

bool osd_unstable_run(const struct osd_unstable *unstable, uint32_t *first, uint32_t *ret_count)
{
	uint32_t n = *first, end = OSD_CHUNKS_MAX * OSD_CHUNK_BLOCKS;

	while (n < end && !has_block(unstable, n))
		n++;
	*first = n;
	while (n < end && has_block(unstable, n))
		n++;
	*ret_count = n - *first;
	return *ret_count;
}
