// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers of a group: giving them, making them durable here, knowing them committed;
 * the log entry that goes with each, and the cutting of the log's old end.
 */
#include <assert.h>
#include "pg.h"

struct pg_kept *pg_kept_find(struct pg *pg, uint64_t number)
{
	struct pg_kept *kept;

	TAILQ_FOREACH_REVERSE(kept, &pg->kept, pg_kept_list, link)
		if (kept->number <= number)
			return kept->number == number ? kept : NULL;
	return NULL;
}

static void unspill_later(struct pg *pg, uint64_t number)
{
	if (pg->unspill_count == pg->unspill_room) {
		pg->unspill_room = pg->unspill_room * 2 + 16;
		pg->unspill = mem_resize(pg->unspill, pg->unspill_room * sizeof(*pg->unspill));
	}
	pg->unspill[pg->unspill_count++] = number;
}

void pg_set_committed(struct pg *pg, uint64_t committed)
{
	struct pg_kept *kept;

	if (committed > pg->last)
		committed = pg->last;
	if (committed > pg->committed)
		pg->committed = committed;
	while ((kept = TAILQ_FIRST(&pg->kept)) && kept->number <= pg->committed) {
		TAILQ_REMOVE(&pg->kept, kept, link);
		if (kept->spilled)
			unspill_later(pg, kept->number);
		pg_kept_put(kept);
	}
}

/* Can the sender of an entry still ask for its answer? */
static bool may_be_asked(const struct pg *pg, const struct pglog_entry *entry)
{
	const struct osd_client *client = osd_client_find(pg->osd, entry->instance);

	if (pg->osd->map && nacre_map_is_dead(&pg->osd->map->view, entry->instance))
		return false;
	return !client || entry->tid >= client->oldest_tid;
}

static void delete_entry(struct pg *pg, struct osd_txn *txn, uint64_t number)
{
	struct osd_key key;

	osd_key_log(&key, pg->key.pool, pg->key.pg, number);
	osd_txn_delete(txn, &key);
}

static void trim_log(struct pg *pg, struct osd_txn *txn)
{
	uint32_t keep = pg->osd->config.log_keep;
	const struct pglog_entry *oldest;

	while (pg->log.count > keep) {
		oldest = pglog_at(&pg->log, 0);
		if (oldest->number > pg->committed ||
		    (pg->log.count <= OSD_LOG_MAX && may_be_asked(pg, oldest)))
			return;
		delete_entry(pg, txn, oldest->number);
		pglog_drop_first(&pg->log);
	}
}

static void delete_spilled(struct pg *pg, struct osd_txn *txn)
{
	struct osd_key key;

	while (pg->unspill_count) {
		osd_key_kept(&key, pg->key.pool, pg->key.pg, pg->unspill[--pg->unspill_count]);
		osd_txn_delete(txn, &key);
	}
}

static void put_entry(struct pg *pg, struct osd_txn *txn, const struct nacre_rep_entry *entry)
{
	struct mem_bytes value = { 0 };
	struct osd_key key;

	osd_key_log(&key, pg->key.pool, pg->key.pg, entry->number);
	pglog_value(entry, pg->committed, &value);
	osd_txn_put(txn, &key, value.at, value.length);
	mem_bytes_free(&value);
}

/* It is in the journal, with all before it. */
static void durable(struct osd_txn *txn)
{
	struct pg *pg = txn->owner;

	pg->durable = txn->number;
	if (pg->state == PG_RECONCILING)
		pg_reconcile_advance(pg);
	else if (pg->state == PG_REPLICA || pg->state == PG_RECOVERING)
		pg_member_durable(pg);
	else
		pg_advance(pg);
	pg_settle(pg);
}

void pg_submit(struct pg *pg, struct osd_txn *txn, const struct nacre_rep_entry *entry,
	       struct pg_kept *kept)
{
	assert(entry->number == pg->last + 1);
	pg->last = entry->number;
	txn->number = entry->number;
	txn->committed = pg->committed;
	txn->pool = pg->key.pool;
	txn->pg = pg->key.pg;
	mem_append_bytes(&txn->request, kept->request, kept->request_bytes);
	mem_append_bytes(&txn->entry, kept->entry, kept->entry_bytes);
	put_entry(pg, txn, entry);
	trim_log(pg, txn);
	delete_spilled(pg, txn);
	pglog_append(&pg->log, entry);
	TAILQ_INSERT_TAIL(&pg->kept, kept, link);
	txn->durable = durable;
	txn->owner = pg;
	osd_store_submit(pg->osd->store, txn);
}

void pg_clear_log(struct pg *pg, struct osd_txn *txn)
{
	struct pg_kept *kept;
	uint32_t i;

	for (i = 0; i < pg->log.count; i++)
		delete_entry(pg, txn, pglog_at(&pg->log, i)->number);
	pglog_clear(&pg->log);
	while ((kept = TAILQ_FIRST(&pg->kept))) {
		TAILQ_REMOVE(&pg->kept, kept, link);
		if (kept->spilled)
			unspill_later(pg, kept->number);
		pg_kept_put(kept);
	}
	delete_spilled(pg, txn);
}

void pg_extend_log(struct pg *pg, struct osd_txn *txn, const struct nacre_rep_entry *entry)
{
	pg->last = pg->committed = entry->number;
	pglog_append(&pg->log, entry);
	put_entry(pg, txn, entry);
}
