// SPDX-License-Identifier: GPL-2.0
/*
 * Reading a group's log and its kept transactions from the store, when the map first
 * gives this OSD a place in it.
 */
#include <errno.h>
#include <stdio.h>
#include "pg.h"

#define LOAD_AT_ONCE 1024u
#define LOAD_BYTES (8u << 20)

static void list_more(struct pg *pg, char kind, uint64_t from);

static void damaged(struct pg *pg)
{
	struct osd *osd = pg->osd;

	snprintf(osd->reason, sizeof(osd->reason), "the log of group %u.%u in the store is damaged",
		 pg->key.pool, pg->key.pg);
	osd_fail(osd, -EIO, osd->reason);
}

/* Keep it in the order of numbers; what is there already is the same. */
static void insert_kept(struct pg *pg, struct pg_kept *kept)
{
	struct pg_kept *at;

	TAILQ_FOREACH(at, &pg->kept, link)
		if (at->number >= kept->number)
			break;
	if (at && at->number == kept->number) {
		at->spilled |= kept->spilled;
		pg_kept_put(kept);
	} else if (at) {
		TAILQ_INSERT_BEFORE(at, kept, link);
	} else {
		TAILQ_INSERT_TAIL(&pg->kept, kept, link);
	}
}

static void take_replayed(struct pg *pg)
{
	struct pg_kept *kept, *next;

	for (kept = TAILQ_FIRST(&pg->osd->replayed); kept; kept = next) {
		next = TAILQ_NEXT(kept, link);
		if (kept->pool != pg->key.pool || kept->pg != pg->key.pg)
			continue;
		TAILQ_REMOVE(&pg->osd->replayed, kept, link);
		insert_kept(pg, kept);
	}
}

static void loaded(struct pg *pg)
{
	uint64_t committed = pg->committed;

	take_replayed(pg);
	pg->last = pglog_last(&pg->log);
	pg->durable = pg->last;
	pg->committed = 0;
	pg_set_committed(pg, committed);
	pg_set_state(pg, PG_INACTIVE);
	log_debug(pg->osd->log, "pg", "%u.%u: log %llu to %llu, committed %llu", pg->key.pool,
		  pg->key.pg, (unsigned long long)pglog_first(&pg->log),
		  (unsigned long long)pg->last, (unsigned long long)pg->committed);
	pg_settle(pg);
}

/* One L or T pair. 0 or -EBADMSG. */
static int take_pair(struct pg *pg, const struct kv_pair *pair, uint64_t *number)
{
	struct nacre_rep_entry entry;
	struct pg_kept *kept;
	uint64_t committed;

	if (osd_key_number_parse(pair->key, pair->key_bytes, number))
		return -EBADMSG;
	if (pair->key[0] == 'T') {
		kept = pg_kept_decode(pg->key.pool, pg->key.pg, *number, pair->value,
				      pair->value_bytes);
		if (!kept)
			return -EBADMSG;
		insert_kept(pg, kept);
		return 0;
	}
	if (pglog_value_parse(pair->value, pair->value_bytes, &entry, &committed) ||
	    (pg->log.count && entry.number != pglog_last(&pg->log) + 1))
		return -EBADMSG;
	pglog_append(&pg->log, &entry);
	if (committed > pg->committed)
		pg->committed = committed;
	return 0;
}

static void listed(struct osd_list *list)
{
	struct pg *pg = list->owner;
	char kind = (char)list->end.bytes[0];
	uint64_t number = 0;
	struct kv_pair pair;
	size_t at = 0;
	int err = list->result;
	bool more = list->pairs.more;

	while (!err && kv_pairs_next(&list->pairs, &at, &pair))
		err = take_pair(pg, &pair, &number);
	mem_bytes_free(&list->pairs.bytes);
	free(list);
	pg->loading = NULL;
	if (err)
		damaged(pg);
	else if (more)
		list_more(pg, kind, number + 1);
	else if (kind == 'L')
		list_more(pg, 'T', 0);
	else
		loaded(pg);
}

static void list_more(struct pg *pg, char kind, uint64_t from)
{
	struct osd_list *list = mem_zero(1, sizeof(*list));

	if (kind == 'L')
		osd_key_log(&list->first, pg->key.pool, pg->key.pg, from);
	else
		osd_key_kept(&list->first, pg->key.pool, pg->key.pg, from);
	osd_key_group_end(&list->end, kind, pg->key.pool, pg->key.pg);
	list->count_max = LOAD_AT_ONCE;
	list->bytes_max = LOAD_BYTES;
	list->done = listed;
	list->owner = pg;
	pg->loading = list;
	osd_store_list(pg->osd->store, list);
}

void pg_load(struct pg *pg)
{
	list_more(pg, 'L', 0);
}
