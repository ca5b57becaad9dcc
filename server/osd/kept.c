// SPDX-License-Identifier: GPL-2.0
/*
 * Transactions kept until they are known to be committed (REC-1): in memory, in the
 * journal as long as their record is there, and then under a T key.
 */
#include "osd_core.h"
#include "pg.h"

struct pg_kept *pg_kept_get(struct pg_kept *kept)
{
	kept->references++;
	return kept;
}

void pg_kept_put(struct pg_kept *kept)
{
	int i;

	if (--kept->references)
		return;
	for (i = 0; i < 3; i++)
		mem_bytes_free(&kept->own[i]);
	if (kept->message)
		message_put(kept->message);
	free(kept);
}

static struct pg_kept *kept_new(uint32_t pool, uint32_t pg, uint64_t number)
{
	struct pg_kept *kept = mem_zero(1, sizeof(*kept));

	kept->references = 1;
	kept->pool = pool;
	kept->pg = pg;
	kept->number = number;
	return kept;
}

struct pg_kept *pg_kept_take(uint32_t pool, uint32_t pg, uint64_t number, struct mem_bytes *request,
			     struct mem_bytes *entry, struct mem_bytes *data)
{
	struct pg_kept *kept = kept_new(pool, pg, number);

	kept->own[0] = *request;
	kept->own[1] = *entry;
	kept->own[2] = *data;
	kept->request = request->at;
	kept->request_bytes = (uint32_t)request->length;
	kept->entry = entry->at;
	kept->entry_bytes = (uint32_t)entry->length;
	kept->data = data->at;
	kept->data_bytes = (uint32_t)data->length;
	return kept;
}

struct pg_kept *pg_kept_message(struct message *message)
{
	const struct nacre_rep_apply *apply = &message->host.rep_apply;
	struct pg_kept *kept = kept_new(apply->pool, apply->pg, apply->number);

	/* That it is committed is told on the same connection: it must not keep that from coming. What waits for the journal is bounded there. */
	message_release(message);
	kept->message = message_get(message);
	kept->request = apply->transaction;
	kept->request_bytes = apply->transaction_bytes;
	kept->entry = apply->entry;
	kept->entry_bytes = apply->entry_bytes;
	kept->data = message->data;
	kept->data_bytes = message->data_bytes;
	return kept;
}

void pg_kept_encode(const struct pg_kept *kept, struct mem_bytes *ret_value)
{
	struct osd_disk_kept disk = {
		.request = kept->request,
		.request_bytes = kept->request_bytes,
		.entry = kept->entry,
		.entry_bytes = kept->entry_bytes,
		.data = kept->data,
		.data_bytes = kept->data_bytes,
	};

	osd_disk_append(ret_value, osd_disk_kept_desc(), &disk);
}

struct pg_kept *pg_kept_decode(uint32_t pool, uint32_t pg, uint64_t number, const uint8_t *value,
			       uint32_t length)
{
	struct mem_bytes bytes[3] = { 0 };
	struct osd_disk_kept disk;
	struct pg_kept *kept;

	if (nacre_decode_all(osd_disk_kept_desc(), value, length, &disk))
		return NULL;
	mem_append_bytes(&bytes[0], disk.request, disk.request_bytes);
	mem_append_bytes(&bytes[1], disk.entry, disk.entry_bytes);
	mem_append_bytes(&bytes[2], disk.data, disk.data_bytes);
	kept = pg_kept_take(pool, pg, number, &bytes[0], &bytes[1], &bytes[2]);
	kept->spilled = true;
	return kept;
}

/* ---- the store's hooks ------------------------------------------------------------------ */

void osd_kept_replayed(void *owner, const struct osd_txn *txn)
{
	struct mem_bytes request = { 0 }, entry = { 0 }, data = { 0 };
	struct osd *osd = owner;
	struct pg_kept *kept, *next;

	for (kept = TAILQ_FIRST(&osd->replayed); kept; kept = next) {
		next = TAILQ_NEXT(kept, link);
		if (kept->pool != txn->pool || kept->pg != txn->pg || kept->number > txn->committed)
			continue;
		TAILQ_REMOVE(&osd->replayed, kept, link);
		pg_kept_put(kept);
	}
	mem_append_bytes(&request, txn->request.at, txn->request.length);
	mem_append_bytes(&entry, txn->entry.at, txn->entry.length);
	osd_txn_payload(txn, &data);
	kept = pg_kept_take(txn->pool, txn->pg, txn->number, &request, &entry, &data);
	TAILQ_INSERT_TAIL(&osd->replayed, kept, link);
}

static struct pg_kept *find_kept(struct osd *osd, const struct osd_txn *txn)
{
	struct pg *pg = pg_find(osd, txn->pool, txn->pg);
	struct pg_kept *kept;

	if (pg && pg->state != PG_LOADING)
		return pg_kept_find(pg, txn->number);
	TAILQ_FOREACH(kept, &osd->replayed, link)
		if (kept->pool == txn->pool && kept->pg == txn->pg && kept->number == txn->number)
			break;
	return kept;
}

void osd_kept_filled(void *owner, const struct osd_txn *txn)
{
	struct pg_kept *kept = find_kept(owner, txn);

	if (!kept)
		return;
	kept->own[2].length = 0;
	osd_txn_payload(txn, &kept->own[2]);
	kept->data = kept->own[2].at;
	kept->data_bytes = (uint32_t)kept->own[2].length;
}

bool osd_kept_settled(void *owner, const struct osd_txn *txn)
{
	return !find_kept(owner, txn);
}

bool osd_kept_keep(void *owner, const struct osd_txn *txn, struct mem_bytes *value)
{
	struct pg_kept *kept = find_kept(owner, txn);

	if (!kept)
		return false;
	kept->spilled = true;
	pg_kept_encode(kept, value);
	return true;
}
