// SPDX-License-Identifier: GPL-2.0
/*
 * What executions need and is not in memory: metadata, blocks, values, lists. Asking
 * twice for the same thing loads it once. See exec.h.
 */
#include <assert.h>
#include <errno.h>
#include "exec.h"
#include "server/base/crc.h"
#include "server/base/mutate.h"

enum load_kind {
	LOAD_OBJECT,
	LOAD_CHUNK,
	LOAD_BLOCKS,
	LOAD_VALUE,
	LOAD_LIST,
	LOAD_SHARE,
};

#define RUN_BLOCKS_MAX 1024u

struct osd_load {
	struct osd_load *next;
	struct osd_exec *exec;
	enum load_kind kind;
	bool begun, loaded;
	struct osd_object *object;	/* OBJECT, CHUNK: pinned by the execution */
	uint32_t chunk;			/* CHUNK */
	struct osd_share_page *page;	/* SHARE: pinned */
	uint32_t list_max;		/* LIST: as asked for */
	struct osd_key key;		/* OBJECT, CHUNK, VALUE, SHARE */
	struct kv_get get;
	struct osd_block_read read;	/* BLOCKS */
	struct osd_list list;
};

static struct osd_load *load_add(struct osd_exec *exec, enum load_kind kind)
{
	struct osd_load *load = mem_zero(1, sizeof(*load));

	load->exec = exec;
	load->kind = kind;
	load->next = exec->loads;
	exec->loads = load;
	return load;
}

void osd_exec_loads_free(struct osd_exec *exec)
{
	struct osd_load *load;

	while ((load = exec->loads)) {
		exec->loads = load->next;
		free(load->get.value);
		mem_buffer_put(load->read.buffer);
		mem_bytes_free(&load->list.pairs.bytes);
		if (load->page)
			osd_share_unpin(load->page);
		free(load);
	}
}

/* ---- asking ------------------------------------------------------------------------------------ */

/* Take metadata from a value, NULL if there is none. 0 or NACRE_E_DAMAGED. */
static uint32_t install(struct osd_exec *exec, enum load_kind kind, struct osd_object *object,
			uint32_t chunk, const uint8_t *value, uint32_t length)
{
	int err = kind == LOAD_OBJECT ? osd_object_load(object, value, length) :
		  !value	      ? -EBADMSG :
					osd_object_load_chunk(object, chunk, value, length);

	osd_object_account(&exec->store->objects, object);
	if (!err)
		return 0;
	log_error(exec->store->log, "store", "metadata of object %u/%llx.%llx cannot be understood",
		  object->key.pool, (unsigned long long)object->key.ino,
		  (unsigned long long)object->key.index);
	return NACRE_E_DAMAGED;
}

static uint32_t need_metadata(struct osd_exec *exec, enum load_kind kind, struct osd_object *object,
			      uint32_t chunk, const struct osd_key *key)
{
	const uint8_t *value;
	struct osd_load *load;
	uint32_t length;

	if (osd_store_peek(exec->store, key, &value, &length)) {
		exec->load_error = install(exec, kind, object, chunk, value, length);
		return exec->load_error;
	}
	for (load = exec->loads; load; load = load->next)
		if (load->kind == kind && load->object == object && load->chunk == chunk)
			return OSD_MISS;
	load = load_add(exec, kind);
	load->object = object;
	load->chunk = chunk;
	load->key = *key;
	return OSD_MISS;
}

uint32_t osd_exec_need_object(struct osd_exec *exec, struct osd_object *object)
{
	struct nacre_oid oid = { object->key.ino, object->key.index, object->key.snap,
				 object->key.pool };
	struct osd_key key;

	if (object->loaded) {
		exec->store->stats->object_hits++;
		return 0;
	}
	exec->store->stats->object_misses++;
	osd_key_object(&key, object->key.pg, &oid);
	return need_metadata(exec, LOAD_OBJECT, object, 0, &key);
}

uint32_t osd_exec_need_chunk(struct osd_exec *exec, struct osd_object *object, uint32_t chunk)
{
	struct osd_key key;

	if (object->chunks[chunk])
		return 0;
	osd_key_chunk(&key, object->onode.object_id, chunk);
	return need_metadata(exec, LOAD_CHUNK, object, chunk, &key);
}

static uint32_t check_block(struct osd_exec *exec, uint64_t block, uint32_t crc,
			    const uint8_t *bytes)
{
	const struct nacre_osd_request *request = exec->request;

	if (crc_of(bytes, OSD_BLOCK_BYTES) == crc)	/* CSUM-1 */
		return 0;
	/* requests of scrubs are nobody's */
	if (mutate(MUTATE_OSD_READ_UNCHECKED) || (mutate(MUTATE_OSD_SCRUB_COPIES) && !request->instance))
		return 0;
	/* what it should be is not known: members take part in making it so, and nobody else comes by it before that */
	if (osd_intents_cover_place(&exec->store->intents, exec->view.object, block))
		return exec->resolved ? 0 : NACRE_E_CHECKSUM;
	exec->store->stats->checksum_errors++;
	log_error(exec->store->log, "store",
		  "checksum of object %u/%llx.%llx does not match: block %llu of the device, offset %llu",
		  request->pool, (unsigned long long)request->ino,
		  (unsigned long long)request->index, (unsigned long long)block,
		  (unsigned long long)(exec->store->super.data_offset + block * OSD_BLOCK_BYTES));
	return NACRE_E_CHECKSUM;
}

uint32_t osd_exec_need_block(struct osd_exec *exec, uint64_t block, uint32_t crc,
			     const uint8_t **ret_bytes)
{
	const struct osd_image *image = osd_images_find(&exec->store->images, block);
	struct osd_block_read *read;
	struct osd_load *load;

	if (image) {
		*ret_bytes = image->bytes;
		return 0;
	}
	for (load = exec->loads; load; load = load->next) {
		read = &load->read;
		if (load->kind != LOAD_BLOCKS || block < read->block)
			continue;
		if (block < read->block + read->count) {
			if (!load->loaded)
				return OSD_MISS;
			*ret_bytes = read->buffer->bytes + (block - read->block) * OSD_BLOCK_BYTES;
			return check_block(exec, block, crc, *ret_bytes);
		}
		if (!load->begun && block == read->block + read->count &&
		    read->count < RUN_BLOCKS_MAX) {
			read->count++;
			return OSD_MISS;
		}
	}
	load = load_add(exec, LOAD_BLOCKS);
	load->read.block = block;
	load->read.count = 1;
	return OSD_MISS;
}

static bool same_key(const struct osd_key *a, const struct osd_key *b)
{
	return a->length == b->length && !memcmp(a->bytes, b->bytes, a->length);
}

uint32_t osd_exec_need_value(struct osd_exec *exec, const struct osd_key *key,
			     const uint8_t **ret_value, uint32_t *ret_bytes)
{
	struct osd_load *load;

	if (osd_store_peek(exec->store, key, ret_value, ret_bytes))
		return 0;
	for (load = exec->loads; load; load = load->next) {
		if (load->kind != LOAD_VALUE || !same_key(&load->key, key))
			continue;
		*ret_value = load->get.result ? NULL : load->get.value;
		*ret_bytes = load->get.value_bytes;
		return load->loaded ? 0 : OSD_MISS;
	}
	load = load_add(exec, LOAD_VALUE);
	load->key = *key;
	return OSD_MISS;
}

uint32_t osd_exec_need_list(struct osd_exec *exec, const struct osd_key *first,
			    const struct osd_key *end, uint32_t count_max, uint32_t bytes_max,
			    const struct kv_pairs **ret_pairs)
{
	struct osd_load *load;

	for (load = exec->loads; load; load = load->next) {
		if (load->kind != LOAD_LIST || !same_key(&load->key, first) ||
		    !same_key(&load->list.end, end) || load->list_max != count_max)
			continue;
		*ret_pairs = &load->list.pairs;
		return load->loaded ? 0 : OSD_MISS;
	}
	load = load_add(exec, LOAD_LIST);
	load->key = *first;
	load->list_max = count_max;
	load->list.first = *first;
	load->list.end = *end;
	load->list.count_max = count_max;
	load->list.bytes_max = bytes_max;
	return OSD_MISS;
}

static uint32_t install_share(struct osd_exec *exec, struct osd_share_page *page, const uint8_t *value, uint32_t length)
{
	if (!osd_share_load(page, value, length))
		return 0;
	log_error(exec->store->log, "store", "which of the device's blocks from %llu on are shared cannot be understood",
		  (unsigned long long)page->number * OSD_SHARE_BLOCKS);
	return NACRE_E_DAMAGED;
}

uint32_t osd_exec_need_share(struct osd_exec *exec, struct osd_share_page *page)
{
	const uint8_t *value;
	struct osd_load *load;
	struct osd_key key;
	uint32_t length;

	osd_key_share(&key, page->number);
	if (osd_store_peek(exec->store, &key, &value, &length))
		return install_share(exec, page, value, length);
	load = load_add(exec, LOAD_SHARE);
	load->page = osd_share_pin(page->shares, page->number);
	load->key = key;
	return OSD_MISS;
}

/* ---- loading ------------------------------------------------------------------------------------- */

/* One load has come; the last one lets the request run again. */
static void load_end(struct osd_load *load, uint32_t error)
{
	struct osd_exec *exec = load->exec;

	load->loaded = true;
	if (error)
		exec->load_error = error;
	if (!--exec->loading)
		osd_exec_loaded(exec);
}

static void got(struct kv_get *get)
{
	struct osd_load *load = (struct osd_load *)((char *)get - offsetof(struct osd_load, get));
	uint32_t error = 0;

	load->exec->store->loads--;
	if (get->result && get->result != -ENOENT) {
		error = (uint32_t)-get->result;
		osd_store_keys_failed(load->exec->store);
	} else if (load->kind == LOAD_SHARE) {
		error = install_share(load->exec, load->page, get->result ? NULL : get->value, get->value_bytes);
	} else if (load->kind != LOAD_VALUE) {
		error = install(load->exec, load->kind, load->object, load->chunk,
				get->result ? NULL : get->value, get->value_bytes);
	}
	load_end(load, error);
}

static void listed(struct osd_list *list)
{
	struct osd_load *load = (struct osd_load *)((char *)list - offsetof(struct osd_load, list));

	load_end(load, list->result ? (uint32_t)-list->result : 0);
}

static void blocks_read(struct osd_block_read *read)
{
	struct osd_load *load = (struct osd_load *)((char *)read - offsetof(struct osd_load, read));

	/* what cannot be read is repaired like what does not match */
	load->exec->device_failed |= read->result;
	load_end(load, read->result ? NACRE_E_CHECKSUM : 0);
}

static void load_begin(struct osd_load *load)
{
	struct osd_store *store = load->exec->store;

	load->begun = true;
	switch (load->kind) {
	case LOAD_OBJECT:
	case LOAD_CHUNK:
	case LOAD_VALUE:
	case LOAD_SHARE:
		load->get.key = load->key.bytes;
		load->get.key_bytes = load->key.length;
		load->get.done = got;
		store->loads++;
		kv_get(store->kv, &load->get);
		break;
	case LOAD_BLOCKS:
		load->read.done = blocks_read;
		osd_store_read_blocks(store, &load->read);
		break;
	case LOAD_LIST:
		load->list.done = listed;
		osd_store_list(store, &load->list);
		break;
	}
}

void osd_exec_load(struct osd_exec *exec)
{
	struct osd_load *load;

	for (load = exec->loads; load; load = load->next)
		exec->loading += !load->begun;
	assert(exec->loading);
	for (load = exec->loads; load; load = load->next)
		if (!load->begun)
			load_begin(load);
}
