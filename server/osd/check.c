// SPDX-License-Identifier: GPL-2.0
/*
 * The check of a store, a walk in four parts: what is said of shared blocks; objects with their blocks and pairs, one after the other; then all keys of
 * the other kinds, and of those that belong to objects their number, so that one too many is noticed; then the bitmap.
 * See check.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "check.h"
#include "check_shares.h"
#include "deleted.h"
#include "pglog.h"
#include "protocol/codec.h"
#include "server/base/crc.h"

#define OBJECTS_AT_ONCE 256u
#define KEYS_AT_ONCE 1024u
#define LIST_BYTES (4u << 20)

struct osd_check {
	struct osd_check_config config;
	struct osd_check_counts counts;
	uint64_t *seen;			/* bitmap: blocks that an object has */
	struct check_shares shares;
	struct osd_deleted deleted;
	struct io_task begin;

	struct osd_list objects;
	size_t object_at;
	struct osd_object_key key;	/* the object that is looked at */
	struct osd_onode onode;
	uint8_t chunks_found[OSD_CHUNKS_MAX / 8];

	struct osd_list under;		/* its B keys, then its K keys; later all keys of a kind */
	size_t under_at;
	uint64_t chunk_keys;		/* B keys that objects have */
	struct osd_chunk chunk;
	uint32_t chunk_index;
	uint32_t block_at;		/* in the chunk: looked at so far */
	struct osd_block_read read;

	const char *kind;		/* of keys, in the third part */
	uint64_t kind_keys;
};

const char *osd_check_fault_name(enum osd_check_fault fault)
{
#define FAULT_NAME(NAME, name, doc) #name,
	static const char *const names[] = { OSD_CHECK_FAULTS(FAULT_NAME) };

	return names[fault];
}

const struct osd_check_counts *osd_check_counts(const struct osd_check *check)
{
	return &check->counts;
}

/* ---- faults -------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
fault(struct osd_check *check, enum osd_check_fault kind, const char *format, ...)
{
	char sentence[256];
	va_list args;

	check->counts.faults[kind]++;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	check->config.fault(check->config.owner, kind, sentence);
}

/* Of the object that is looked at. */
static void __attribute__((format(printf, 3, 4)))
object_fault(struct osd_check *check, enum osd_check_fault kind, const char *format, ...)
{
	const struct osd_object_key *key = &check->key;
	char what[160];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	fault(check, kind, "object %" PRIx64 ".%" PRIu64 " of pool %u, group %u: %s", key->ino,
	      key->index, key->pool, key->pg, what);
}

static void finish(struct osd_check *check, int result)
{
	check->config.done(check->config.owner, result);
}

/* ---- lists --------------------------------------------------------------------------------- */

static void list(struct osd_check *check, struct osd_list *list, void (*done)(struct osd_list *))
{
	list->count_max = list == &check->objects ? OBJECTS_AT_ONCE : KEYS_AT_ONCE;
	list->bytes_max = LIST_BYTES;
	list->done = done;
	list->owner = check;
	osd_store_list(check->config.store, list);
}

/* Lists go on behind a key: the next one is a zero byte longer. */
static void go_on_behind(struct osd_list *list, const struct kv_pair *pair)
{
	memcpy(list->first.bytes, pair->key, pair->key_bytes);
	list->first.bytes[pair->key_bytes] = 0;
	list->first.length = pair->key_bytes + 1;
}

/* ---- fourth part: the bitmap, and counts ---------------------------------------------------------------- */

static bool take_bit(uint64_t *bitmap, uint64_t bit)
{
	uint64_t mask = 1ull << (bit % 64);
	bool was = bitmap[bit / 64] & mask;

	bitmap[bit / 64] |= mask;
	return was;
}

static void leaked(struct osd_check *check, uint64_t first, uint64_t end)
{
	check->counts.leaked += end - first;
	fault(check, OSD_CHECK_LEAK, "blocks %" PRIu64 " to %" PRIu64 " are marked as used, and no object has them",
	      first, end - 1);
}

static void fewer(void *owner, uint64_t block, uint32_t recorded, uint32_t found)
{
	struct osd_check *check = owner;
	bool has_owner = check->seen[block / 64] >> (block % 64) & 1;

	if (block >= check->config.store->alloc.blocks || !osd_alloc_is_used(&check->config.store->alloc, block))
		fault(check, OSD_CHECK_SHARE, "block %" PRIu64 " is counted for %u objects, and marked as free", block, recorded + 1);
	else
		fault(check, OSD_CHECK_SHARE, "block %" PRIu64 " is counted for %u objects, and %u have it", block, recorded + 1,
		      found + has_owner);
}

static void compare_bitmap(struct osd_check *check)
{
	const struct osd_alloc *alloc = &check->config.store->alloc;
	uint64_t block, first = 0;
	bool was = false, is;

	for (block = 0; block < alloc->blocks; block++) {
		is = osd_alloc_is_used(alloc, block) && !(check->seen[block / 64] >> (block % 64) & 1);
		if (is && !was)
			first = block;
		if (was && !is)
			leaked(check, first, block);
		was = is;
	}
	if (was)
		leaked(check, first, block);
}

/* ---- third part: the other keys ------------------------------------------------------------- */

static void next_kind(struct osd_check *check);

static void look_at_log(struct osd_check *check, const struct kv_pair *pair)
{
	struct nacre_rep_entry entry;
	uint64_t number, committed;

	check->counts.log_entries++;
	if (osd_key_number_parse(pair->key, pair->key_bytes, &number) ||
	    pglog_value_parse(pair->value, pair->value_bytes, &entry, &committed))
		fault(check, OSD_CHECK_METADATA, "an entry of a group's log cannot be understood");
	else if (entry.number != number)
		fault(check, OSD_CHECK_METADATA, "entry %" PRIu64 " of a group's log says that it is %" PRIu64,
		      number, (uint64_t)entry.number);
}

static void look_at_kept(struct osd_check *check, const struct kv_pair *pair)
{
	struct osd_disk_kept kept;
	uint64_t number;

	check->counts.kept++;
	if (osd_key_number_parse(pair->key, pair->key_bytes, &number) ||
	    nacre_decode_all(osd_disk_kept_desc(), pair->value, pair->value_bytes, &kept))
		fault(check, OSD_CHECK_METADATA, "a transaction that is not known to be committed cannot be understood");
}

static void look_at_key(struct osd_check *check, const struct kv_pair *pair)
{
	if (*check->kind == 'L')
		look_at_log(check, pair);
	else if (*check->kind == 'T')
		look_at_kept(check, pair);
	else if (!osd_deleted_has(&check->deleted, pair))
		check->kind_keys++;
}

/* Those of objects were counted with them. */
static void kind_ended(struct osd_check *check)
{
	uint64_t owned = *check->kind == 'B' ? check->chunk_keys : check->counts.pairs;

	if ((*check->kind == 'B' || *check->kind == 'K') && check->kind_keys != owned)
		fault(check, OSD_CHECK_LEAK, "there are %" PRIu64 " %s, and objects have %" PRIu64,
		      check->kind_keys, *check->kind == 'B' ? "lists of blocks" : "key-value pairs", owned);
	check->kind++;
	next_kind(check);
}

/* A page of keys that stand each for itself: look at them, then go on with `again`, or with what comes when all were seen. */
static void take_page(struct osd_list *list_, void (*look)(struct osd_check *check, const struct kv_pair *pair),
		      void (*again)(struct osd_list *list), void (*ended)(struct osd_check *check))
{
	struct osd_check *check = list_->owner;
	struct kv_pair pair;
	bool more = list_->pairs.more;
	size_t at = 0;

	if (list_->result) {
		finish(check, list_->result);
		return;
	}
	while (kv_pairs_next(&list_->pairs, &at, &pair)) {
		look(check, &pair);
		go_on_behind(list_, &pair);
	}
	mem_bytes_free(&list_->pairs.bytes);
	if (more)
		list(check, list_, again);
	else
		ended(check);
}

static void kind_listed(struct osd_list *list_)
{
	take_page(list_, look_at_key, kind_listed, kind_ended);
}

static void next_kind(struct osd_check *check)
{
	if (!*check->kind) {
		compare_bitmap(check);
		check_shares_compare(&check->shares, check, fewer);
		finish(check, 0);
		return;
	}
	check->kind_keys = 0;
	check->under.first = (struct osd_key){ .length = 1, .bytes = { (uint8_t)*check->kind } };
	check->under.end = (struct osd_key){ .length = 1, .bytes = { (uint8_t)(*check->kind + 1) } };
	list(check, &check->under, kind_listed);
}

static void objects_ended(struct osd_check *check)
{
	uint64_t counted = check->config.store->object_count;

	if (counted != check->counts.objects)
		fault(check, OSD_CHECK_METADATA, "there are %" PRIu64 " objects, and the state says %" PRIu64,
		      check->counts.objects, counted);
	check->kind = "BKLT";
	next_kind(check);
}

/* ---- second part: an object's pairs ----------------------------------------------------------- */

static void next_object(struct osd_check *check);

static void pairs_listed(struct osd_list *list_)
{
	struct osd_check *check = list_->owner;
	struct kv_pair pair;
	bool more = list_->pairs.more;
	size_t at = 0;

	if (list_->result) {
		finish(check, list_->result);
		return;
	}
	while (kv_pairs_next(&list_->pairs, &at, &pair)) {
		check->counts.pairs++;
		go_on_behind(list_, &pair);
	}
	mem_bytes_free(&list_->pairs.bytes);
	if (more)
		list(check, list_, pairs_listed);
	else
		next_object(check);
}

static void list_pairs(struct osd_check *check)
{
	osd_key_pair(&check->under.first, check->onode.kv_id, NULL, 0);
	osd_key_pair(&check->under.end, check->onode.kv_id + 1, NULL, 0);
	list(check, &check->under, pairs_listed);
}

/* ---- its blocks -------------------------------------------------------------------------------- */

static void next_chunk(struct osd_check *check);

static void look_at_place(struct osd_check *check, uint32_t i)
{
	const struct osd_alloc *alloc = &check->config.store->alloc;
	uint32_t n = check->chunk_index * OSD_CHUNK_BLOCKS + i;
	enum osd_block_state state = osd_chunk_state(&check->chunk, i);
	uint64_t block = check->chunk.block[i];
	uint32_t recorded;

	if (state == OSD_BLOCK_HOLE)
		return;
	check->counts.blocks++;
	check->counts.unwritten += state == OSD_BLOCK_UNWRITTEN;
	if (block >= alloc->blocks) {
		object_fault(check, OSD_CHECK_PLACE, "block %u is at %" PRIu64 ", behind the end of the device", n, block);
		check->chunk.block[i] = OSD_NO_BLOCK;	/* not to be read */
		return;
	}
	if (!osd_alloc_is_used(alloc, block))
		object_fault(check, OSD_CHECK_PLACE, "block %u is at %" PRIu64 ", which is marked as free", n, block);
	recorded = check_shares_recorded(&check->shares, block);
	if (take_bit(check->seen, block) && check_shares_found(&check->shares, block) > recorded) {
		if (recorded)
			object_fault(check, OSD_CHECK_SHARE, "block %u is at %" PRIu64 ", which is counted for %u objects, and more have it",
				     n, block, recorded + 1);
		else
			object_fault(check, OSD_CHECK_PLACE, "block %u is at %" PRIu64 ", where another is, too", n, block);
	}
	if (recorded && state == OSD_BLOCK_UNWRITTEN)
		object_fault(check, OSD_CHECK_SHARE, "block %u was never written, and is at %" PRIu64 ", which is shared", n, block);
	if (state == OSD_BLOCK_WRITTEN && (uint64_t)n * OSD_BLOCK_BYTES >= check->onode.size)
		object_fault(check, OSD_CHECK_METADATA, "block %u was written, and the object ends before it", n);
}

static void compare_block(struct osd_check *check, uint32_t i, const uint8_t *bytes)
{
	uint32_t n = check->chunk_index * OSD_CHUNK_BLOCKS + i;

	check->counts.blocks_compared++;
	if (crc_of(bytes, OSD_BLOCK_BYTES) == check->chunk.crc[i])
		return;
	if (osd_intents_cover(&check->config.store->intents, &check->key, n))
		check->counts.unstable++;
	else
		object_fault(check, OSD_CHECK_DATA, "block %u at %" PRIu64 " does not match its checksum", n,
			     check->chunk.block[i]);
}

/* Blocks that lie side by side on the device, from `i` on; their newest bytes are there. */
static uint32_t run_length(const struct osd_check *check, uint32_t i)
{
	const struct osd_chunk *chunk = &check->chunk;
	uint32_t n = 1;

	while (i + n < OSD_CHUNK_BLOCKS && osd_chunk_state(chunk, i + n) == OSD_BLOCK_WRITTEN &&
	       chunk->block[i + n] == chunk->block[i] + n &&
	       !osd_images_find(&check->config.store->images, chunk->block[i + n]))
		n++;
	return n;
}

static bool compare_blocks(struct osd_check *check);

static void run_read(struct osd_block_read *read)
{
	struct osd_check *check = read->owner;
	uint32_t i;

	for (i = 0; i < read->count; i++) {
		if (read->result)
			object_fault(check, OSD_CHECK_DATA, "block %u at %" PRIu64 " cannot be read: %s",
				     check->chunk_index * OSD_CHUNK_BLOCKS + check->block_at + i,
				     read->block + i, strerror(-read->result));
		else
			compare_block(check, check->block_at + i,
				      read->buffer->bytes + (size_t)i * OSD_BLOCK_BYTES);
	}
	mem_buffer_put(read->buffer);
	check->block_at += read->count;
	if (compare_blocks(check))
		next_chunk(check);
}

/* The chunk's written blocks with their checksums. False: some are being read. */
static bool compare_blocks(struct osd_check *check)
{
	const struct osd_image *image;
	uint32_t i;

	for (; check->block_at < OSD_CHUNK_BLOCKS; check->block_at++) {
		i = check->block_at;
		if (osd_chunk_state(&check->chunk, i) != OSD_BLOCK_WRITTEN)
			continue;
		image = osd_images_find(&check->config.store->images, check->chunk.block[i]);
		if (image) {
			compare_block(check, i, image->bytes);
			continue;
		}
		check->read = (struct osd_block_read){
			.block = check->chunk.block[i], .count = run_length(check, i),
			.done = run_read, .owner = check,
		};
		osd_store_read_blocks(check->config.store, &check->read);
		return false;
	}
	return true;
}

static void chunks_ended(struct osd_check *check)
{
	if (memcmp(check->chunks_found, check->onode.chunks, sizeof(check->chunks_found)))
		object_fault(check, OSD_CHECK_METADATA, "its lists of blocks are not those that it says it has");
	if (check->onode.kv_id)
		list_pairs(check);
	else
		next_object(check);
}

/* True: it is done with, else its blocks are being read. */
static bool look_at_chunk(struct osd_check *check, const struct kv_pair *pair)
{
	uint32_t i;

	check->chunk_keys++;
	osd_chunk_clear(&check->chunk);
	if (osd_key_chunk_parse(pair->key, pair->key_bytes, &check->chunk_index) ||
	    osd_chunk_decode(&check->chunk, pair->value, pair->value_bytes)) {
		object_fault(check, OSD_CHECK_METADATA, "list %u of its blocks cannot be understood", check->chunk_index);
		return true;
	}
	check->chunks_found[check->chunk_index / 8] |= (uint8_t)(1u << (check->chunk_index % 8));
	for (i = 0; i < OSD_CHUNK_BLOCKS; i++)
		look_at_place(check, i);
	check->block_at = check->config.deep ? 0 : OSD_CHUNK_BLOCKS;
	return compare_blocks(check);
}

static void chunks_listed(struct osd_list *list_)
{
	struct osd_check *check = list_->owner;

	check->under_at = 0;
	if (list_->result)
		finish(check, list_->result);
	else
		next_chunk(check);
}

static void next_chunk(struct osd_check *check)
{
	bool more = check->under.pairs.more;
	struct kv_pair pair;

	while (kv_pairs_next(&check->under.pairs, &check->under_at, &pair)) {
		go_on_behind(&check->under, &pair);
		if (!look_at_chunk(check, &pair))
			return;
	}
	mem_bytes_free(&check->under.pairs.bytes);
	if (more)
		list(check, &check->under, chunks_listed);
	else
		chunks_ended(check);
}

/* ---- objects ------------------------------------------------------------------------------------ */

static bool read_object(struct osd_check *check, const struct kv_pair *pair)
{
	struct osd_object_key *key = &check->key;
	struct nacre_oid oid;

	check->counts.objects++;
	osd_onode_free(&check->onode);
	memset(&check->onode, 0, sizeof(check->onode));
	memset(check->chunks_found, 0, sizeof(check->chunks_found));
	if (osd_key_object_parse(pair->key, pair->key_bytes, &key->pg, &oid)) {
		fault(check, OSD_CHECK_METADATA, "the name of an object cannot be understood");
		return false;
	}
	key->ino = oid.ino;
	key->index = oid.index;
	key->snap = oid.snap;
	key->pool = oid.pool;
	if (osd_onode_decode(&check->onode, pair->value, pair->value_bytes)) {
		memset(&check->onode, 0, sizeof(check->onode));
		object_fault(check, OSD_CHECK_METADATA, "its metadata cannot be understood");
		return false;
	}
	if (check->onode.size > NACRE_OBJECT_MAX)
		object_fault(check, OSD_CHECK_METADATA, "its size is %" PRIu64, check->onode.size);
	if (check->onode.object_id >= check->config.store->next_id ||
	    check->onode.kv_id >= check->config.store->next_id)
		object_fault(check, OSD_CHECK_METADATA, "its number was never given");
	return true;
}

static void objects_listed(struct osd_list *list_)
{
	struct osd_check *check = list_->owner;

	check->object_at = 0;
	if (list_->result)
		finish(check, list_->result);
	else
		next_object(check);
}

static void next_object(struct osd_check *check)
{
	bool more = check->objects.pairs.more;
	struct kv_pair pair;

	while (kv_pairs_next(&check->objects.pairs, &check->object_at, &pair)) {
		go_on_behind(&check->objects, &pair);
		if (!read_object(check, &pair))
			continue;
		osd_key_chunk(&check->under.first, check->onode.object_id, 0);
		osd_key_chunk(&check->under.end, check->onode.object_id + 1, 0);
		list(check, &check->under, chunks_listed);
		return;
	}
	mem_bytes_free(&check->objects.pairs.bytes);
	if (more)
		list(check, &check->objects, objects_listed);
	else
		objects_ended(check);
}

/* ---- first part: what is said of shared blocks --------------------------------------------------- */

static void look_at_share(struct osd_check *check, const struct kv_pair *pair)
{
	if (check_shares_record(&check->shares, pair))
		fault(check, OSD_CHECK_METADATA, "which blocks are shared cannot be understood");
}

static void shares_ended(struct osd_check *check)
{
	list(check, &check->objects, objects_listed);
}

static void shares_listed(struct osd_list *list_)
{
	take_page(list_, look_at_share, shares_listed, shares_ended);
}

static void begin(struct io_task *task)
{
	struct osd_check *check = (struct osd_check *)((char *)task - offsetof(struct osd_check, begin));

	check->under.first = (struct osd_key){ .length = 1, .bytes = { 'R' } };
	check->under.end = (struct osd_key){ .length = 1, .bytes = { 'S' } };
	list(check, &check->under, shares_listed);
}

struct osd_check *osd_check_start(const struct osd_check_config *config)
{
	struct osd_check *check = mem_zero(1, sizeof(*check));

	check->config = *config;
	check->seen = mem_zero(config->store->alloc.blocks / 64 + 1, sizeof(*check->seen));
	osd_deleted_collect(&check->deleted, config->store);
	check->objects.first = (struct osd_key){ .length = 1, .bytes = { 'O' } };
	check->objects.end = (struct osd_key){ .length = 1, .bytes = { 'P' } };
	check->begin.run = begin;
	io_defer(config->store->io, &check->begin);
	return check;
}

void osd_check_free(struct osd_check *check)
{
	mem_bytes_free(&check->objects.pairs.bytes);
	mem_bytes_free(&check->under.pairs.bytes);
	osd_onode_free(&check->onode);
	osd_deleted_free(&check->deleted);
	check_shares_free(&check->shares);
	free(check->seen);
	free(check);
}
