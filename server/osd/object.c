// SPDX-License-Identifier: GPL-2.0
/*
 * Metadata of objects: cache, encoding, attributes. See object.h.
 */
#include <assert.h>
#include <errno.h>
#include "kv.h"
#include "object.h"
#include "protocol/codec.h"

/* ---- cache --------------------------------------------------------------------------- */

void osd_objects_init(struct osd_objects *objects, uint64_t bytes_max)
{
	memset(objects, 0, sizeof(*objects));
	TAILQ_INIT(&objects->unused);
	objects->bytes_max = bytes_max;
}

static void object_free(struct osd_objects *objects, struct osd_object *object)
{
	uint32_t i;

	HASH_DELETE(hh, objects->all, object);
	objects->bytes -= object->bytes;
	objects->count--;
	for (i = 0; i < OSD_CHUNKS_MAX; i++)
		free(object->chunks[i]);
	osd_onode_free(&object->onode);
	free(object);
}

void osd_objects_fini(struct osd_objects *objects)
{
	struct osd_object *object, *next;

	HASH_ITER(hh, objects->all, object, next)
		object_free(objects, object);
}

static void evict(struct osd_objects *objects)
{
	struct osd_object *object;

	while (objects->bytes > objects->bytes_max && (object = TAILQ_FIRST(&objects->unused))) {
		TAILQ_REMOVE(&objects->unused, object, lru);
		object_free(objects, object);
	}
}

struct osd_object *osd_object_pin(struct osd_objects *objects, const struct osd_object_key *key)
{
	struct osd_object *object;

	HASH_FIND(hh, objects->all, key, sizeof(*key), object);
	if (object) {
		if (!object->pins++)
			TAILQ_REMOVE(&objects->unused, object, lru);
		return object;
	}
	object = mem_zero(1, sizeof(*object));
	object->key = *key;
	object->pins = 1;
	object->bytes = sizeof(*object);
	objects->bytes += object->bytes;
	objects->count++;
	HASH_ADD(hh, objects->all, key, sizeof(object->key), object);
	evict(objects);
	return object;
}

void osd_object_unpin(struct osd_objects *objects, struct osd_object *object)
{
	assert(object->pins);
	if (--object->pins)
		return;
	TAILQ_INSERT_TAIL(&objects->unused, object, lru);
	evict(objects);
}

void osd_object_account(struct osd_objects *objects, struct osd_object *object)
{
	uint32_t i, bytes = sizeof(*object) + osd_attrs_bytes(&object->onode) +
			    object->onode.attr_count * 64;

	for (i = 0; i < OSD_CHUNKS_MAX; i++)
		bytes += object->chunks[i] ? sizeof(*object->chunks[i]) : 0;
	objects->bytes += bytes - (uint64_t)object->bytes;
	object->bytes = bytes;
}

int osd_object_load(struct osd_object *object, const uint8_t *value, uint32_t length)
{
	int err;

	if (object->loaded)
		return 0;
	if (value) {
		err = osd_onode_decode(&object->onode, value, length);
		if (err)
			return err;
	}
	object->exists = value;
	object->loaded = true;
	return 0;
}

int osd_object_load_chunk(struct osd_object *object, uint32_t chunk, const uint8_t *value,
			  uint32_t length)
{
	struct osd_chunk *loaded;
	int err;

	if (object->chunks[chunk])
		return 0;
	loaded = osd_chunk_new();
	err = osd_chunk_decode(loaded, value, length);
	if (err)
		free(loaded);
	else
		object->chunks[chunk] = loaded;
	return err;
}

/* ---- attributes ------------------------------------------------------------------------ */

static void attr_put(struct osd_attr *attr)
{
	if (!--attr->references)
		free(attr);
}

int osd_attr_find(const struct osd_onode *onode, const uint8_t *name, uint32_t name_bytes,
		  uint32_t *ret_at)
{
	uint32_t low = 0, high = onode->attr_count, middle;
	const struct osd_attr *attr;
	int order;

	while (low < high) {
		middle = (low + high) / 2;
		attr = onode->attrs[middle];
		order = kv_compare(name, name_bytes, attr->bytes, attr->name_bytes);
		if (!order)
			return (int)middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	if (ret_at)
		*ret_at = low;
	return -1;
}

static struct osd_attr *attr_new(const uint8_t *name, uint32_t name_bytes, const uint8_t *value,
				 uint32_t value_bytes)
{
	struct osd_attr *attr = mem_zero(1, sizeof(*attr) + name_bytes + value_bytes);

	attr->references = 1;
	attr->name_bytes = name_bytes;
	attr->value_bytes = value_bytes;
	memcpy(attr->bytes, name, name_bytes);
	if (value_bytes)
		memcpy(attr->bytes + name_bytes, value, value_bytes);
	return attr;
}

void osd_attr_set(struct osd_onode *onode, const uint8_t *name, uint32_t name_bytes,
		  const uint8_t *value, uint32_t value_bytes)
{
	struct osd_attr *attr = attr_new(name, name_bytes, value, value_bytes);
	uint32_t at = 0;
	int found = osd_attr_find(onode, name, name_bytes, &at);

	if (found >= 0) {
		attr_put(onode->attrs[found]);
		onode->attrs[found] = attr;
		return;
	}
	onode->attrs = mem_resize(onode->attrs, (onode->attr_count + 1) * sizeof(*onode->attrs));
	memmove(onode->attrs + at + 1, onode->attrs + at,
		(onode->attr_count - at) * sizeof(*onode->attrs));
	onode->attrs[at] = attr;
	onode->attr_count++;
}

void osd_attr_remove(struct osd_onode *onode, uint32_t at)
{
	attr_put(onode->attrs[at]);
	onode->attr_count--;
	memmove(onode->attrs + at, onode->attrs + at + 1,
		(onode->attr_count - at) * sizeof(*onode->attrs));
}

uint32_t osd_attrs_bytes(const struct osd_onode *onode)
{
	uint32_t i, bytes = 0;

	for (i = 0; i < onode->attr_count; i++)
		bytes += sizeof(struct nacre_key_value_wire) + onode->attrs[i]->name_bytes +
			 onode->attrs[i]->value_bytes;
	return bytes;
}

/* ---- onodes ------------------------------------------------------------------------------ */

void osd_onode_copy(struct osd_onode *to, const struct osd_onode *from)
{
	uint32_t i;

	*to = *from;
	to->attrs = mem_resize(NULL, from->attr_count * sizeof(*to->attrs));
	for (i = 0; i < from->attr_count; i++) {
		to->attrs[i] = from->attrs[i];
		to->attrs[i]->references++;
	}
}

void osd_onode_free(struct osd_onode *onode)
{
	uint32_t i;

	for (i = 0; i < onode->attr_count; i++)
		attr_put(onode->attrs[i]);
	free(onode->attrs);
	memset(onode, 0, sizeof(*onode));
}

void osd_onode_encode(const struct osd_onode *onode, struct mem_bytes *ret_value)
{
	struct mem_bytes attrs = { 0 };
	struct nacre_key_value pair;
	struct osd_disk_onode disk = {
		.object_id = onode->object_id,
		.kv_id = onode->kv_id,
		.size = onode->size,
		.version = onode->version,
		.interval = onode->interval,
		.mtime = onode->mtime,
		.truncate_size = onode->truncate_size,
		.truncate_seq = onode->truncate_seq,
		.chunks = onode->chunks,
		.chunks_bytes = sizeof(onode->chunks),
	};
	uint32_t i;

	while (disk.chunks_bytes && !onode->chunks[disk.chunks_bytes - 1])
		disk.chunks_bytes--;
	for (i = 0; i < onode->attr_count; i++) {
		pair = (struct nacre_key_value){
			.key = onode->attrs[i]->bytes,
			.key_bytes = onode->attrs[i]->name_bytes,
			.value = onode->attrs[i]->bytes + onode->attrs[i]->name_bytes,
			.value_bytes = onode->attrs[i]->value_bytes,
		};
		osd_disk_append(&attrs, nacre_key_value_desc(), &pair);
	}
	disk.attributes = attrs.at;
	disk.attributes_bytes = (uint32_t)attrs.length;
	osd_disk_append(ret_value, osd_disk_onode_desc(), &disk);
	mem_bytes_free(&attrs);
}

int osd_onode_decode(struct osd_onode *onode, const uint8_t *value, uint32_t length)
{
	struct nacre_key_value pair;
	struct osd_disk_onode disk;
	struct nacre_reader r;

	memset(onode, 0, sizeof(*onode));
	if (nacre_decode_all(osd_disk_onode_desc(), value, length, &disk))
		return -EBADMSG;
	r = nacre_reader(disk.attributes, disk.attributes_bytes);
	while (nacre_reader_left(&r)) {
		if (nacre_decode(nacre_key_value_desc(), &r, &pair) || !pair.key_bytes) {
			osd_onode_free(onode);
			return -EBADMSG;
		}
		osd_attr_set(onode, pair.key, pair.key_bytes, pair.value, pair.value_bytes);
	}
	onode->object_id = disk.object_id;
	onode->kv_id = disk.kv_id;
	onode->size = disk.size;
	onode->version = disk.version;
	onode->interval = disk.interval;
	onode->mtime = disk.mtime;
	onode->truncate_size = disk.truncate_size;
	onode->truncate_seq = disk.truncate_seq;
	if (disk.chunks_bytes)
		memcpy(onode->chunks, disk.chunks, disk.chunks_bytes);
	return 0;
}

/* ---- chunks -------------------------------------------------------------------------------- */

void osd_chunk_clear(struct osd_chunk *chunk)
{
	uint32_t i;

	memset(chunk, 0, sizeof(*chunk));
	for (i = 0; i < OSD_CHUNK_BLOCKS; i++)
		chunk->block[i] = OSD_NO_BLOCK;
}

struct osd_chunk *osd_chunk_new(void)
{
	struct osd_chunk *chunk = mem_resize(NULL, sizeof(*chunk));

	osd_chunk_clear(chunk);
	return chunk;
}

bool osd_chunk_is_empty(const struct osd_chunk *chunk)
{
	uint32_t i;

	for (i = 0; i < OSD_CHUNK_BLOCKS; i++)
		if (chunk->block[i] != OSD_NO_BLOCK)
			return false;
	return true;
}

void osd_chunk_encode(const struct osd_chunk *chunk, struct mem_bytes *ret_value)
{
	struct mem_bytes runs = { 0 }, crcs = { 0 };
	struct osd_disk_chunk disk = { 0 };
	struct osd_disk_run run;
	uint32_t i;
	__le32 crc;

	for (i = 0; i < OSD_CHUNK_BLOCKS; i += run.count) {
		run = (struct osd_disk_run){ .block = chunk->block[i], .at = (uint16_t)i, .count = 1 };
		if (run.block == OSD_NO_BLOCK)
			continue;
		while (i + run.count < OSD_CHUNK_BLOCKS &&
		       chunk->block[i + run.count] == run.block + run.count &&
		       osd_chunk_state(chunk, i + run.count) == osd_chunk_state(chunk, i))
			run.count++;
		if (osd_chunk_state(chunk, i) == OSD_BLOCK_UNWRITTEN)
			run.run_flags = OSD_RUN_UNWRITTEN;
		osd_disk_append(&runs, osd_disk_run_desc(), &run);
	}
	for (i = 0; i < OSD_CHUNK_BLOCKS; i++) {
		if (osd_chunk_state(chunk, i) != OSD_BLOCK_WRITTEN)
			continue;
		crc = nacre_to_le32(chunk->crc[i]);
		mem_append_bytes(&crcs, &crc, sizeof(crc));
	}
	disk.runs = runs.at;
	disk.runs_bytes = (uint32_t)runs.length;
	disk.crcs = crcs.at;
	disk.crcs_bytes = (uint32_t)crcs.length;
	osd_disk_append(ret_value, osd_disk_chunk_desc(), &disk);
	mem_bytes_free(&runs);
	mem_bytes_free(&crcs);
}

/* The blocks of a run; *crcs: how many checksums the runs before it have used. 0 or -EBADMSG. */
static int decode_run(struct osd_chunk *chunk, const struct osd_disk_run *run,
		      const struct osd_disk_chunk *disk, uint32_t *crcs)
{
	bool unwritten = run->run_flags & OSD_RUN_UNWRITTEN;
	uint32_t i, at;
	__le32 crc;

	if (run->at >= OSD_CHUNK_BLOCKS || run->count > OSD_CHUNK_BLOCKS - run->at ||
	    run->run_flags & ~OSD_RUN_UNWRITTEN ||
	    (!unwritten && (*crcs + run->count) * sizeof(crc) > disk->crcs_bytes))
		return -EBADMSG;
	for (i = 0; i < run->count; i++) {
		at = run->at + i;
		chunk->block[at] = run->block + i;
		if (unwritten) {
			chunk->unwritten |= 1ull << at;
			continue;
		}
		memcpy(&crc, disk->crcs + (*crcs)++ * sizeof(crc), sizeof(crc));
		chunk->crc[at] = nacre_le32(crc);
	}
	return 0;
}

int osd_chunk_decode(struct osd_chunk *chunk, const uint8_t *value, uint32_t length)
{
	struct osd_disk_chunk disk;
	struct osd_disk_run run;
	uint32_t crcs = 0;
	int runs, n;

	if (nacre_decode_all(osd_disk_chunk_desc(), value, length, &disk))
		return -EBADMSG;
	runs = nacre_array_count(osd_disk_run_desc(), disk.runs_bytes);
	for (n = 0; n < runs; n++)
		if (nacre_array_at(osd_disk_run_desc(), disk.runs, (uint32_t)n, &run) ||
		    decode_run(chunk, &run, &disk, &crcs))
			return -EBADMSG;
	return runs < 0 || crcs * sizeof(__le32) != disk.crcs_bytes ? -EBADMSG : 0;
}
