// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the store's keys and blocks: what is not applied yet lies above what the
 * key-value store and the device hold.
 *
 * What lies above is copied when a list begins: everything that was applied
 * before is seen by the list below, and nobody may change a range while it is
 * being listed (requests on one object keep their order).
 */
#include <errno.h>
#include "store.h"

bool osd_store_peek(const struct osd_store *store, const struct osd_key *key,
		    const uint8_t **value, uint32_t *value_bytes)
{
	const struct osd_change *change = osd_changes_find(&store->changes, key->bytes, key->length);

	if (!change)
		return false;
	*value = change->kind == OSD_CHANGE_PUT ? osd_change_value(change) : NULL;
	*value_bytes = change->value_bytes;
	return true;
}

/* ---- lists ------------------------------------------------------------------------------- */

/* Above: pairs whose value is prefixed by the kind of the change. */
static void copy_above(struct osd_list *list)
{
	struct osd_change *change = osd_changes_from(&list->store->changes, list->first.bytes,
						     list->first.length);
	struct mem_bytes value = { 0 };
	uint32_t room = list->count_max + 64;

	list->above_cut = false;
	for (; change; change = osd_changes_next(change)) {
		if (kv_compare(change->bytes, change->key_bytes, list->end.bytes,
			       list->end.length) >= 0)
			break;
		if (!room--) {
			list->above_cut = true;
			break;
		}
		value.length = 0;
		*mem_append(&value, 1) = change->kind;
		mem_append_bytes(&value, osd_change_value(change), change->value_bytes);
		kv_pairs_add(&list->above, change->bytes, change->key_bytes, value.at,
			     (uint32_t)value.length);
	}
	mem_bytes_free(&value);
}

/* Where one source of a merge stands. */
struct source {
	const struct kv_pairs *pairs;
	size_t at;
	struct kv_pair pair;
	bool valid;
};

static void source_next(struct source *source)
{
	source->valid = kv_pairs_next(source->pairs, &source->at, &source->pair);
}

/* Take one pair into the result. False: it is full. */
static bool merge_add(struct osd_list *list, const uint8_t *key, uint32_t key_bytes,
		      const uint8_t *value, uint32_t value_bytes)
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

/*
 * Merge both sources as far as both are known; *ret_covered is the last key
 * that was looked at.
 */
static void merge(struct osd_list *list, struct kv_pair *ret_covered)
{
	struct source above = { .pairs = &list->above }, under = { .pairs = &list->under.pairs };
	struct source *from;
	int order;

	source_next(&above);
	source_next(&under);
	while (above.valid || under.valid) {
		if ((!above.valid && list->above_cut) || (!under.valid && under.pairs->more)) {
			list->pairs.more = true;
			return;
		}
		order = !above.valid ? 1 : !under.valid ? -1 :
			kv_compare(above.pair.key, above.pair.key_bytes, under.pair.key,
				   under.pair.key_bytes);
		from = order <= 0 ? &above : &under;
		if (from == &under && !merge_add(list, from->pair.key, from->pair.key_bytes,
						 from->pair.value, from->pair.value_bytes))
			return;
		if (from == &above && from->pair.value[0] == OSD_CHANGE_PUT &&
		    !merge_add(list, from->pair.key, from->pair.key_bytes, from->pair.value + 1,
			       from->pair.value_bytes - 1))
			return;
		*ret_covered = from->pair;
		if (!order)
			source_next(&under);
		source_next(from);
	}
	list->pairs.more = list->above_cut || under.pairs->more;
}

static void list_begin(struct osd_list *list);

static void list_under(struct kv_list *under)
{
	struct osd_list *list = (struct osd_list *)((char *)under - offsetof(struct osd_list, under));
	struct kv_pair covered = { 0 };

	list->store->loads--;
	list->result = under->result;
	if (!list->result)
		merge(list, &covered);
	else
		osd_store_keys_failed(list->store);
	if (!list->result && !list->pairs.count && list->pairs.more && covered.key_bytes) {
		/* All that was seen is deleted: go on behind it (the next key is one zero byte longer). */
		memcpy(list->first.bytes, covered.key, covered.key_bytes);
		list->first.bytes[covered.key_bytes] = 0;
		list->first.length = covered.key_bytes + 1;
		mem_bytes_free(&list->above.bytes);
		mem_bytes_free(&under->pairs.bytes);
		list->pairs.more = false;
		list_begin(list);
		return;
	}
	mem_bytes_free(&list->above.bytes);
	mem_bytes_free(&under->pairs.bytes);
	list->done(list);
}

static void list_begin(struct osd_list *list)
{
	struct kv_list *under = &list->under;

	memset(&list->above, 0, sizeof(list->above));
	memset(under, 0, sizeof(*under));
	copy_above(list);
	under->first = list->first.bytes;
	under->first_bytes = list->first.length;
	under->end = list->end.bytes;
	under->end_bytes = list->end.length;
	under->count_max = list->count_max + 64;
	under->bytes_max = list->bytes_max;
	under->done = list_under;
	list->store->loads++;
	kv_list(list->store->kv, under);
}

void osd_store_list(struct osd_store *store, struct osd_list *list)
{
	list->store = store;
	memset(&list->pairs, 0, sizeof(list->pairs));
	list_begin(list);
}

/* ---- blocks ----------------------------------------------------------------------------------- */

static void blocks_read(struct io_disk *disk, int result)
{
	struct osd_block_read *read = (struct osd_block_read *)((char *)disk -
								offsetof(struct osd_block_read, disk));

	read->store->loads--;
	read->result = result;
	read->done(read);
}

void osd_store_read_blocks(struct osd_store *store, struct osd_block_read *read)
{
	uint64_t bytes = (uint64_t)read->count * OSD_BLOCK_BYTES;

	read->store = store;
	read->buffer = mem_buffer_new(bytes);
	read->iov = (struct iovec){ read->buffer->bytes, bytes };
	memset(&read->disk, 0, sizeof(read->disk));
	read->disk.kind = IO_DISK_READ;
	read->disk.file = store->file;
	read->disk.iov = &read->iov;
	read->disk.iov_count = 1;
	read->disk.offset = store->super.data_offset + read->block * OSD_BLOCK_BYTES;
	read->disk.done = blocks_read;
	store->loads++;
	store->stats->bytes_read += bytes;
	io_disk_submit(store->io, &read->disk);
}
