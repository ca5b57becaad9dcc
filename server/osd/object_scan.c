// SPDX-License-Identifier: GPL-2.0
/* Reading one object against its checksums. See object_scan.h. */
#include <errno.h>
#include <xxhash.h>
#include "object_scan.h"
#include "server/base/crc.h"

#define KEYS_BYTES (128u << 10)
#define KEYS_COUNT 4096u

enum scan_step {
	SCAN_HEAD,
	SCAN_CHUNK,			/* its map is wanted */
	SCAN_BLOCKS,
	SCAN_KEYS,
};

static void turn(struct osd_object_scan *scan);

static void finish(struct osd_object_scan *scan)
{
	struct pg *pg = scan->pg;

	if (scan->object)
		osd_object_unpin(&pg->osd->store->objects, scan->object);
	scan->object = NULL;
	mem_bytes_free(&scan->op);
	mem_bytes_free(&scan->last_key);
	pg->executing--;
	scan->done(scan);
	pg_settle(pg);
}

/* ---- metadata ------------------------------------------------------------------------------- */

static uint64_t hash_head(const struct osd_onode *onode)
{
	const uint64_t facts[] = { onode->size, onode->mtime, onode->truncate_size, onode->truncate_seq };
	uint64_t hash = XXH64(facts, sizeof(facts), 0);
	const struct osd_attr *attr;
	uint32_t i;

	for (i = 0; i < onode->attr_count; i++) {
		attr = onode->attrs[i];
		hash = XXH64(&attr->name_bytes, sizeof(attr->name_bytes), hash);
		hash = XXH64(attr->bytes, (size_t)attr->name_bytes + attr->value_bytes, hash);
	}
	return hash;
}

/* Is it what it was when the scan began? */
static bool is_stable(const struct osd_object_scan *scan)
{
	const struct osd_object *object = scan->object;

	return scan->pg->interval == scan->group_interval && !scan->pg->osd->failed && object->loaded &&
	       object->exists && object->onode.version == scan->version && object->onode.interval == scan->interval;
}

static void take_head(struct osd_object_scan *scan)
{
	const struct osd_onode *onode = &scan->object->onode;

	scan->exists = scan->object->exists;
	if (!scan->exists)
		return;
	scan->version = onode->version;
	scan->interval = onode->interval;
	scan->size = onode->size;
	scan->head = hash_head(onode);
}

static void take_keys(struct osd_object_scan *scan)
{
	const struct osd_exec *exec = &scan->exec;
	struct nacre_reader r = nacre_reader(exec->output.at, exec->output.length);
	struct nacre_key_value pair = { 0 };

	while (nacre_reader_left(&r) && !nacre_decode(nacre_key_value_desc(), &r, &pair)) {
		scan->keys = XXH64(pair.key, pair.key_bytes, scan->keys);
		scan->keys = XXH64(pair.value, pair.value_bytes, scan->keys);
	}
	scan->last_key.length = 0;
	mem_append_bytes(&scan->last_key, pair.key, pair.key_bytes);
}

/* The map of the chunk must be in memory. */
static uint32_t need_chunk(struct osd_exec *exec)
{
	const struct osd_object_scan *scan = exec->owner;

	if (!exec->view.object->exists || !osd_onode_has_chunk(&exec->view.object->onode, scan->chunk))
		return 0;
	return osd_exec_need_chunk(exec, exec->view.object, scan->chunk);
}

/* Blocks of zeros are as good as holes. */
static uint32_t crc_of_zeros(void)
{
	static const uint8_t zeros[OSD_BLOCK_BYTES];
	static uint32_t crc;

	if (!crc)
		crc = crc_of(zeros, sizeof(zeros));
	return crc;
}

static void hash_map(struct osd_object_scan *scan)
{
	uint32_t i, facts[2];

	for (i = 0; i < OSD_CHUNK_BLOCKS; i++) {
		if (osd_chunk_state(&scan->map, i) != OSD_BLOCK_WRITTEN || scan->map.crc[i] == crc_of_zeros())
			continue;
		facts[0] = scan->chunk * OSD_CHUNK_BLOCKS + i;
		facts[1] = scan->map.crc[i];
		scan->data = XXH64(facts, sizeof(facts), scan->data);
	}
}

/* An execution has ended. True: go on. */
static bool take(struct osd_object_scan *scan)
{
	struct osd_exec *exec = &scan->exec;
	bool more = exec->results[0].result_flags & NACRE_OSD_RESULT_MORE;
	uint32_t result = exec->result;

	if (!result && scan->step == SCAN_HEAD)
		take_head(scan);
	else if (!result && scan->step == SCAN_KEYS)
		take_keys(scan);
	osd_exec_end(exec);
	if (result && !(scan->step == SCAN_KEYS && result == ENOENT)) {
		scan->result = result;
	} else if (scan->exists && !is_stable(scan)) {
		scan->unstable = true;
	} else if (scan->step == SCAN_HEAD && scan->exists && scan->deep) {
		scan->step = SCAN_CHUNK;
		return true;
	} else if (scan->step == SCAN_CHUNK) {
		scan->unstable = !scan->object->chunks[scan->chunk];
		if (!scan->unstable) {
			scan->map = *scan->object->chunks[scan->chunk];
			scan->block = 0;
			scan->run_max = OSD_CHUNK_BLOCKS;
			hash_map(scan);
			scan->step = SCAN_BLOCKS;
			return true;
		}
	} else if (scan->step == SCAN_KEYS && more) {
		return true;
	}
	finish(scan);
	return false;
}

static void exec_done(struct osd_exec *exec)
{
	struct osd_object_scan *scan = exec->owner;

	if (take(scan))
		turn(scan);
}

/* Execute one reading operation, or none. True: it is done and taken, go on. */
static bool execute(struct osd_object_scan *scan, const struct nacre_osd_op *op)
{
	struct osd_exec *exec = &scan->exec;
	struct pg *pg = scan->pg;

	scan->op.length = 0;
	if (op)
		osd_disk_append(&scan->op, nacre_osd_op_desc(), op);
	scan->request = (struct nacre_osd_request){
		.ino = scan->key.ino,
		.index = scan->key.index,
		.snap = scan->key.snap,
		.pool = scan->key.pool,
		.pg = scan->key.pg,
		.ops = scan->op.at,
		.ops_bytes = (uint32_t)scan->op.length,
		.input = scan->last_key.at,
		.input_bytes = op ? op->name_size : 0,
	};
	memset(exec, 0, sizeof(*exec));
	exec->store = pg->osd->store;
	exec->mode = pg->mode;
	exec->request = &scan->request;
	exec->pg = pg->key.pg;
	exec->pg_count = pg->pg_count;
	exec->object_bytes = pg->object_bytes;
	exec->body = scan->step == SCAN_CHUNK ? need_chunk : NULL;
	exec->done = exec_done;
	exec->owner = scan;
	return osd_exec_start(exec) && take(scan);
}

/* ---- blocks ------------------------------------------------------------------------------------- */

static void add_bad(struct osd_object_scan *scan, uint32_t n)
{
	struct nacre_osd_extent *last = scan->bad_count ? &scan->bad[scan->bad_count - 1] : NULL;
	uint64_t offset = (uint64_t)n * OSD_BLOCK_BYTES;

	if (last && last->offset + last->length == offset) {
		last->length += OSD_BLOCK_BYTES;
		return;
	}
	if (scan->bad_count == NACRE_REP_SCRUB_BAD_MAX) {
		scan->cut = true;
		return;
	}
	scan->bad[scan->bad_count++] = (struct nacre_osd_extent){ .offset = offset, .length = OSD_BLOCK_BYTES };
}

static bool is_at_rest(const struct osd_object_scan *scan, uint32_t i)
{
	const struct osd_store *store = scan->pg->osd->store;

	return osd_chunk_state(&scan->map, i) == OSD_BLOCK_WRITTEN &&
	       !osd_images_find(&store->images, scan->map.block[i]) &&
	       !osd_intents_cover(&store->intents, &scan->object->key, scan->chunk * OSD_CHUNK_BLOCKS + i);
}

/* Is block `i` still the one that was read? */
static bool is_same(const struct osd_object_scan *scan, uint32_t i)
{
	const struct osd_chunk *now = scan->object->chunks[scan->chunk];

	return now && now->block[i] == scan->map.block[i] && now->crc[i] == scan->map.crc[i] && is_at_rest(scan, i);
}

static void judge_blocks(struct osd_object_scan *scan)
{
	const struct osd_block_read *read = &scan->read;
	uint32_t k, i;

	for (k = 0; k < read->count && !scan->unstable; k++) {
		i = scan->block + k;
		if (!read->result &&
		    crc_of(read->buffer->bytes + (size_t)k * OSD_BLOCK_BYTES, OSD_BLOCK_BYTES) == scan->map.crc[i])
			continue;
		if (!is_stable(scan) || !is_same(scan, i))
			scan->unstable = true;
		else
			add_bad(scan, scan->chunk * OSD_CHUNK_BLOCKS + i);
	}
}

static void blocks_read(struct osd_block_read *read)
{
	struct osd_object_scan *scan = read->owner;

	if (read->result && read->count > 1) {	/* which of them cannot be read? */
		scan->run_max = 1;
	} else {
		judge_blocks(scan);
		scan->block += read->count;
		scan->bytes += (uint64_t)read->count * OSD_BLOCK_BYTES;
	}
	mem_buffer_put(read->buffer);
	read->buffer = NULL;
	if (scan->unstable)
		finish(scan);
	else
		turn(scan);
}

/* Read the next run of blocks. False: there is none. */
static bool read_run(struct osd_object_scan *scan)
{
	struct osd_block_read *read = &scan->read;
	uint32_t i = scan->block;

	while (i < OSD_CHUNK_BLOCKS && !is_at_rest(scan, i))
		i++;
	scan->block = i;
	if (i == OSD_CHUNK_BLOCKS)
		return false;
	*read = (struct osd_block_read){ .block = scan->map.block[i], .done = blocks_read, .owner = scan };
	while (i < OSD_CHUNK_BLOCKS && read->count < scan->run_max && is_at_rest(scan, i) &&
	       scan->map.block[i] == read->block + read->count) {
		read->count++;
		i++;
	}
	osd_store_read_blocks(scan->pg->osd->store, read);
	return true;
}

/* ---- in order ----------------------------------------------------------------------------------------- */

/* The next chunk, or the keys. False: that was all. */
static bool next_chunk(struct osd_object_scan *scan)
{
	const struct osd_onode *onode = &scan->object->onode;

	while (scan->chunk < OSD_CHUNKS_MAX && !osd_onode_has_chunk(onode, scan->chunk))
		scan->chunk++;
	if (scan->chunk < OSD_CHUNKS_MAX)
		return true;
	scan->step = SCAN_KEYS;
	return onode->kv_id;
}

static void turn(struct osd_object_scan *scan)
{
	struct nacre_osd_op list = { .code = NACRE_OSD_OP_KV_LIST, .offset = KEYS_BYTES, .length = KEYS_COUNT };

	for (;;) {
		if (scan->step != SCAN_HEAD && !is_stable(scan)) {
			scan->unstable = true;
			finish(scan);
			return;
		}
		if (scan->step == SCAN_BLOCKS) {
			if (read_run(scan))
				return;
			scan->chunk++;
			scan->step = SCAN_CHUNK;
		}
		if (scan->step == SCAN_CHUNK && !next_chunk(scan)) {
			finish(scan);
			return;
		}
		list.name_size = (uint32_t)scan->last_key.length;
		if (!execute(scan, scan->step == SCAN_KEYS ? &list : NULL))
			return;
	}
}

void osd_object_scan_start(struct osd_object_scan *scan)
{
	struct pg *pg = scan->pg;

	scan->group_interval = pg->interval;
	scan->object = osd_object_pin(&pg->osd->store->objects, &scan->key);
	pg->executing++;
	turn(scan);
}

/* ---- repair ---------------------------------------------------------------------------------------------- */

static bool is_at(const struct osd_exec *exec, uint64_t version, uint64_t interval)
{
	return exec->view.exists && exec->view.onode.version == version && exec->view.onode.interval == interval;
}

uint32_t osd_repair_read(struct osd_exec *exec, uint64_t version, uint64_t interval, uint64_t offset, uint32_t length)
{
	uint64_t size = exec->view.onode.size, there;
	uint8_t *bytes;

	if (!is_at(exec, version, interval))
		return EAGAIN;
	there = offset >= size ? 0 : size - offset < length ? size - offset : length;
	bytes = mem_append(&exec->read_data, length);
	memset(bytes, 0, length);
	return osd_view_read(exec, offset, there, bytes);
}

uint32_t osd_repair_view(struct osd_exec *exec, uint64_t version, uint64_t interval, uint64_t offset,
			 uint32_t length, const uint8_t *bytes)
{
	struct osd_onode *onode = &exec->view.onode;
	uint64_t size = onode->size;
	uint32_t err;

	if (!is_at(exec, version, interval))
		return EAGAIN;
	err = osd_view_write(exec, offset, length, bytes);
	onode->size = size;
	return err;
}
