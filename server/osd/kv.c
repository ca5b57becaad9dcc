// SPDX-License-Identifier: GPL-2.0
/*
 * Batches and results of the key-value store: packing and walking. See kv.h.
 */
#include <string.h>
#include "kv.h"
#include "layout.h"

int kv_compare(const void *a, uint32_t a_bytes, const void *b, uint32_t b_bytes)
{
	uint32_t common = a_bytes < b_bytes ? a_bytes : b_bytes;
	int order = common ? memcmp(a, b, common) : 0;

	if (order)
		return order;
	return a_bytes < b_bytes ? -1 : a_bytes > b_bytes;
}

static void put_u32(struct mem_bytes *bytes, uint32_t value)
{
	memcpy(mem_append(bytes, sizeof(value)), &value, sizeof(value));
}

static uint32_t take_u32(const struct mem_bytes *bytes, size_t *at)
{
	uint32_t value;

	memcpy(&value, bytes->at + *at, sizeof(value));
	*at += sizeof(value);
	return value;
}

static void put_pair(struct mem_bytes *bytes, const void *key, uint32_t key_bytes, const void *value,
		     uint32_t value_bytes)
{
	put_u32(bytes, key_bytes);
	put_u32(bytes, value_bytes);
	mem_append_bytes(bytes, key, key_bytes);
	mem_append_bytes(bytes, value, value_bytes);
}

static void take_pair(const struct mem_bytes *bytes, size_t *at, struct kv_pair *pair)
{
	pair->key_bytes = take_u32(bytes, at);
	pair->value_bytes = take_u32(bytes, at);
	pair->key = bytes->at + *at;
	*at += pair->key_bytes;
	pair->value = bytes->at + *at;
	*at += pair->value_bytes;
}

static void batch_add(struct kv_batch *batch, uint32_t kind, const void *key, uint32_t key_bytes,
		      const void *value, uint32_t value_bytes)
{
	put_u32(&batch->bytes, kind);
	put_pair(&batch->bytes, key, key_bytes, value, value_bytes);
	batch->count++;
}

void kv_batch_put(struct kv_batch *batch, const void *key, uint32_t key_bytes, const void *value,
		  uint32_t value_bytes)
{
	batch_add(batch, OSD_CHANGE_PUT, key, key_bytes, value, value_bytes);
}

void kv_batch_delete(struct kv_batch *batch, const void *key, uint32_t key_bytes)
{
	batch_add(batch, OSD_CHANGE_DELETE, key, key_bytes, NULL, 0);
}

void kv_batch_delete_range(struct kv_batch *batch, const void *first, uint32_t first_bytes,
			   const void *end, uint32_t end_bytes)
{
	batch_add(batch, OSD_CHANGE_DELETE_RANGE, first, first_bytes, end, end_bytes);
}

bool kv_batch_next(const struct kv_batch *batch, size_t *at, uint32_t *kind, struct kv_pair *pair)
{
	if (*at >= batch->bytes.length)
		return false;
	*kind = take_u32(&batch->bytes, at);
	take_pair(&batch->bytes, at, pair);
	return true;
}

bool kv_pairs_next(const struct kv_pairs *pairs, size_t *at, struct kv_pair *pair)
{
	if (*at >= pairs->bytes.length)
		return false;
	take_pair(&pairs->bytes, at, pair);
	return true;
}

void kv_pairs_add(struct kv_pairs *pairs, const void *key, uint32_t key_bytes, const void *value,
		  uint32_t value_bytes)
{
	put_pair(&pairs->bytes, key, key_bytes, value, value_bytes);
	pairs->count++;
}

bool kv_list_add(struct kv_list *list, const void *key, uint32_t key_bytes, const void *value,
		 uint32_t value_bytes)
{
	struct kv_pairs *pairs = &list->pairs;

	if (pairs->count >= list->count_max ||
	    (pairs->count && pairs->bytes.length + key_bytes + value_bytes > list->bytes_max)) {
		pairs->more = true;
		return false;
	}
	kv_pairs_add(pairs, key, key_bytes, value, value_bytes);
	return true;
}
