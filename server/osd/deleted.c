// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges of keys that are to be deleted. See deleted.h.
 */
#include <stdlib.h>
#include "deleted.h"

struct osd_deleted_range {
	const uint8_t *first, *end;
	uint32_t first_bytes, end_bytes;
};

static int compare(const void *a, const void *b)
{
	const struct osd_deleted_range *x = a, *y = b;

	return kv_compare(x->first, x->first_bytes, y->first, y->first_bytes);
}

static void collect_txn(struct osd_deleted *deleted, const struct osd_txn *txn)
{
	struct osd_change *change;

	TAILQ_FOREACH(change, &txn->changes, link) {
		if (change->kind != OSD_CHANGE_DELETE_RANGE)
			continue;
		deleted->ranges = mem_resize(deleted->ranges, (deleted->count + 1) * sizeof(*deleted->ranges));
		deleted->ranges[deleted->count++] = (struct osd_deleted_range){
			change->bytes, osd_change_value(change), change->key_bytes, change->value_bytes,
		};
	}
}

/* Object ids are never used twice, so ranges do not overlap, and nothing is put into one after it was deleted. */
void osd_deleted_collect(struct osd_deleted *deleted, const struct osd_store *store)
{
	const struct osd_record *record;
	const struct osd_txn *txn;

	for (record = store->writeback.queue; record; record = record->next)
		for (txn = record->txns; txn; txn = txn->next)
			collect_txn(deleted, txn);
	if (deleted->count)
		qsort(deleted->ranges, deleted->count, sizeof(*deleted->ranges), compare);
}

bool osd_deleted_has(const struct osd_deleted *deleted, const struct kv_pair *pair)
{
	size_t low = 0, high = deleted->count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (kv_compare(deleted->ranges[middle].first, deleted->ranges[middle].first_bytes, pair->key,
			       pair->key_bytes) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low && kv_compare(pair->key, pair->key_bytes, deleted->ranges[low - 1].end,
				 deleted->ranges[low - 1].end_bytes) < 0;
}

void osd_deleted_free(struct osd_deleted *deleted)
{
	free(deleted->ranges);
	memset(deleted, 0, sizeof(*deleted));
}
