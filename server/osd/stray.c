// SPDX-License-Identifier: GPL-2.0
/*
 * Strays: what the store has of groups in which the map gives this OSD no place any more, because their data went elsewhere.
 * It is removed in the background, a batch per tick: the log first, so that a group that comes back to us half removed has
 * nothing to say (it is filled as an empty one is), then object by object.
 *
 * Nobody needs it: the primary that let us go had all other members in sync, and a later map can only call us in sync
 * after we were filled anew.
 *
 * What is there is found in the keys, group by group, so groups that were lost while this OSD did not run are found, too.
 */
#include <string.h>
#include "pg.h"
#include "exec.h"
#include "server/base/mutate.h"

#define BATCH 128u			/* objects of one group, per tick */
#define BATCH_BYTES (4u << 20)

static const char kinds[] = "LTO";	/* of keys, in the order of removal */

/* Some keys of one kind, and what is being removed of them. */
struct stray_batch {
	struct osd *osd;
	struct pg *pg;			/* whose objects are listed; NULL: it is groups that are looked for */
	struct osd_list list;
	size_t at;			/* next pair */
	struct nacre_osd_request request;
	struct osd_exec exec;
};

static void next_object(struct stray_batch *batch);
static void look(struct osd *osd);

static bool is_ours(const struct osd *osd, uint32_t pool, uint32_t pg)
{
	struct nacre_map_pg row;

	/* of a group that no map knows nothing is removed */
	return nacre_map_pg_at(&osd->map->view, pool, pg, &row) || nacre_pg_slot_of(&row, osd->id) >= 0;
}

static bool has_log(const struct pg *pg)
{
	if (mutate(MUTATE_OSD_STRAY_LOG))
		return false;
	return pg->log.count || !TAILQ_EMPTY(&pg->kept) || pg->unspill_count;
}

static void batch_end(struct stray_batch *batch)
{
	batch->osd->strays.looking = false;
	mem_bytes_free(&batch->list.pairs.bytes);
	free(batch);
}

/* ---- one object ------------------------------------------------------------------------------ */

static uint32_t remove_body(struct osd_exec *exec)
{
	return exec->view.exists ? osd_view_remove(exec) : 0;
}

static void removed(struct stray_batch *batch)
{
	struct osd *osd = batch->osd;
	struct osd_txn *txn;

	if (!osd->failed && !batch->exec.result) {
		txn = osd_exec_commit(&batch->exec, 0, 0);
		txn->bulk = true;
		osd_store_submit(osd->store, txn);
		osd->stats.strays_removed++;
	} else if (!osd->failed) {
		log_error(osd->log, "stray", "%u.%u: object %llx.%llx, which is not needed any more, cannot be removed: result %u",
			  batch->pg->key.pool, batch->pg->key.pg, (unsigned long long)batch->request.ino,
			  (unsigned long long)batch->request.index, batch->exec.result);
	}
	osd_exec_end(&batch->exec);
	batch->pg->executing--;
}

static void exec_done(struct osd_exec *exec)
{
	struct stray_batch *batch = exec->owner;
	struct pg *pg = batch->pg;

	removed(batch);
	next_object(batch);
	pg_settle(pg);
}

/* False: it is being removed; next_object() goes on. */
static bool remove_one(struct stray_batch *batch, const struct kv_pair *pair)
{
	struct osd_exec *exec = &batch->exec;
	struct pg *pg = batch->pg;
	struct nacre_oid oid;
	uint32_t number;

	if (osd_key_object_parse(pair->key, pair->key_bytes, &number, &oid))
		return true;
	batch->request = (struct nacre_osd_request){
		.ino = oid.ino, .index = oid.index, .snap = oid.snap, .pool = pg->key.pool, .pg = pg->key.pg,
	};
	memset(exec, 0, sizeof(*exec));
	pg_exec_init(pg, exec, &batch->request);
	exec->resolved = true;
	exec->body = remove_body;
	exec->done = exec_done;
	exec->owner = batch;
	pg->executing++;
	if (!osd_exec_start(exec))
		return false;
	removed(batch);
	return true;
}

/* The next list begins behind it, whether it can be removed or not. */
static void pass_over(struct osd_strays *strays, const struct kv_pair *pair)
{
	memcpy(strays->next.bytes, pair->key, pair->key_bytes);
	strays->next.bytes[pair->key_bytes] = 0;
	strays->next.length = pair->key_bytes + 1;
}

static void next_object(struct stray_batch *batch)
{
	struct osd *osd = batch->osd;
	struct kv_pair pair;

	while (!osd->failed && !is_ours(osd, batch->pg->key.pool, batch->pg->key.pg) && !has_log(batch->pg) &&
	       !osd_store_is_full(osd->store) && kv_pairs_next(&batch->list.pairs, &batch->at, &pair)) {
		pass_over(&osd->strays, &pair);
		if (!remove_one(batch, &pair))
			return;
	}
	batch_end(batch);		/* the tick goes on */
}

/* ---- one group ------------------------------------------------------------------------------- */

static void log_gone(struct osd_txn *txn)
{
	struct pg *pg = txn->owner;

	pg->durable = pg->last;
	pg_settle(pg);
}

static void forget_log(struct pg *pg)
{
	struct osd_txn *txn = osd_txn_new();

	log_info(pg->osd->log, "stray", "%u.%u: is elsewhere now, what is here of it is removed", pg->key.pool, pg->key.pg);
	pg_clear_log(pg, txn);
	pg->last = pg->committed = 0;
	txn->bulk = true;
	txn->durable = log_gone;
	txn->owner = pg;
	osd_store_submit(pg->osd->store, txn);
}

/*
 * A group that is not ours: can it be removed now? Its log goes first, each time: since this was last asked the group may have
 * been ours, and have got another one.
 */
static bool can_begin(struct osd *osd, uint32_t pool, uint32_t number)
{
	struct pg *pg = pg_find(osd, pool, number);

	if (!pg)
		pg_adopt(osd, pool, number);
	if (!pg || pg->state == PG_LOADING || !pg_is_quiet(pg)) {
		osd->strays.due = true;		/* once more, later */
		return false;
	}
	if (has_log(pg))
		forget_log(pg);
	return true;
}

/* ---- looking --------------------------------------------------------------------------------- */

static void begin_kind(struct osd_strays *strays, unsigned int kind)
{
	strays->inside = false;
	strays->kind = kind;
	if (kinds[kind])
		osd_key_group_begin(&strays->next, kinds[kind], 0, 0);
}

static void leave_group(struct osd_strays *strays)
{
	strays->inside = false;
	osd_key_group_end(&strays->next, kinds[strays->kind], strays->pool, strays->pg);
}

/* The next group that has keys of this kind. */
static void found_group(struct osd *osd, const struct kv_pair *pair)
{
	struct osd_strays *strays = &osd->strays;

	osd_key_group_parse(pair->key, &strays->pool, &strays->pg);
	if (!is_ours(osd, strays->pool, strays->pg) && can_begin(osd, strays->pool, strays->pg) &&
	    kinds[strays->kind] == 'O')
		strays->inside = true;	/* its objects are removed in batches */
	else
		leave_group(strays);
}

static void listed(struct osd_list *list)
{
	struct stray_batch *batch = list->owner;
	struct osd *osd = batch->osd;
	struct osd_strays *strays = &osd->strays;
	struct kv_pair pair;

	if (osd->failed || list->result) {
		batch_end(batch);
		return;
	}
	if (batch->pg && list->pairs.count && !is_ours(osd, strays->pool, strays->pg) &&
	    can_begin(osd, strays->pool, strays->pg)) {
		next_object(batch);
		return;
	}
	if (batch->pg)
		leave_group(strays);
	else if (kv_pairs_next(&list->pairs, &batch->at, &pair))
		found_group(osd, &pair);
	else
		begin_kind(strays, strays->kind + 1);
	batch_end(batch);
	look(osd);
}

static void look(struct osd *osd)
{
	struct osd_strays *strays = &osd->strays;
	struct stray_batch *batch;

	if (!kinds[strays->kind])
		return;
	batch = mem_zero(1, sizeof(*batch));
	batch->osd = osd;
	batch->list.first = strays->next;
	if (strays->inside) {
		batch->pg = pg_find(osd, strays->pool, strays->pg);
		osd_key_group_end(&batch->list.end, 'O', strays->pool, strays->pg);
	} else {
		osd_key_group_begin(&batch->list.end, (char)(kinds[strays->kind] + 1), 0, 0);
	}
	batch->list.count_max = strays->inside ? BATCH : 1;
	batch->list.bytes_max = BATCH_BYTES;
	batch->list.done = listed;
	batch->list.owner = batch;
	strays->looking = true;
	osd_store_list(osd->store, &batch->list);
}

void osd_strays_tick(struct osd *osd)
{
	struct osd_strays *strays = &osd->strays;

	if (strays->looking)
		return;
	if (!kinds[strays->kind]) {
		if (!strays->due)
			return;
		strays->due = false;
		begin_kind(strays, 0);
	}
	look(osd);
}

void osd_strays_init(struct osd *osd)
{
	osd->strays.due = true;		/* groups may have gone while this OSD did not run */
	osd->strays.kind = sizeof(kinds) - 1;
}
