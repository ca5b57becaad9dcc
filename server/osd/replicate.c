// SPDX-License-Identifier: GPL-2.0
/*
 * The primary in service: transactions go to every member of the set while they go
 * into the journal here; a number is committed when it, and all before it, is
 * durable on all of them (OSD-1).
 *
 * The set is what the map calls in sync, and a member that has just been caught up
 * and whose change of the map is under way (recover.c).
 */
#include <errno.h>
#include "pg.h"
#include "request.h"
#include "stabilize.h"
#include "server/base/mutate.h"

#define PLENTY_BYTES (1ull << 30)	/* more than can be on its way to a member */
#define SHARERS_MAX 8u

static void kept_sent(void *owner)
{
	pg_kept_put(owner);
}

bool pg_kept_send(struct pg *pg, struct pg_kept *kept, struct conn *conn, uint16_t type)
{
	struct nacre_rep_apply apply = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = pg->interval,
		.number = kept->number,
		.committed = pg->committed,
		.transaction = kept->request,
		.transaction_bytes = kept->request_bytes,
		.entry = kept->entry,
		.entry_bytes = kept->entry_bytes,
	};
	struct payload payload = { &kept->iov, 1, kept->data_bytes, kept_sent, kept };

	if (!kept->data_bytes)
		return !conn_send(conn, type, &apply, NULL);
	kept->iov = (struct iovec){ (void *)kept->data, kept->data_bytes };
	pg_kept_get(kept);
	if (!conn_send(conn, type, &apply, &payload))
		return true;
	pg_kept_put(kept);
	return false;
}

static bool send_apply(struct pg *pg, struct pg_member *member, struct pg_kept *kept)
{
	struct conn *conn = osd_peer_conn(pg->osd, member->osd);

	if (!conn || !pg_kept_send(pg, kept, conn, NACRE_MSG_REP_APPLY))
		return false;
	member->committed_told = pg->committed;
	pg->osd->stats.replicated++;
	return true;
}

bool pg_push(struct pg *pg, struct pg_member *member)
{
	struct pg_kept *kept;

	while (member->sent < pg->last) {
		kept = pg_kept_find(pg, member->sent + 1);
		if (!kept)
			return false;
		if (!send_apply(pg, member, kept))
			break;		/* again when the connection opens, or at the next tick */
		member->sent = kept->number;
	}
	return true;
}

void pg_replicate(struct pg *pg)
{
	int slot;

	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (pg->members[slot].in_set)
			pg_push(pg, &pg->members[slot]);
}

void pg_write(struct pg *pg, struct osd_exec *exec, const struct nacre_rep_entry *entry,
	      struct request *request, struct pg_stabilizing *stabilizing)
{
	struct mem_bytes resolved = { 0 }, data = { 0 }, encoded = { 0 };
	struct pg_write *write = mem_zero(1, sizeof(*write));
	struct pg_kept *kept;
	struct osd_txn *txn;

	osd_exec_resolved(exec, &resolved, &data);
	osd_disk_append(&encoded, nacre_rep_entry_desc(), entry);
	kept = pg_kept_take(pg->key.pool, pg->key.pg, entry->number, &resolved, &encoded, &data);
	txn = osd_exec_commit(exec, entry->number, entry->interval);
	write->number = entry->number;
	write->blocks = pg_txn_blocks(txn);
	write->request = request;
	write->stabilizing = stabilizing;
	TAILQ_INSERT_TAIL(&pg->writes, write, link);
	pg_submit(pg, txn, entry, kept);
	pg_recovery_touch(pg, entry);
	pg_replicate(pg);
}

void pg_advance(struct pg *pg)
{
	uint64_t committed = pg->durable;
	struct pg_write *write;
	int slot;

	if (pg->state != PG_ACTIVE && pg->state != PG_STARVED)
		return;
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (pg->members[slot].in_set && pg->members[slot].acked < committed)
			committed = pg->members[slot].acked;
	if (mutate(MUTATE_OSD_ACK_BEFORE_DURABLE))
		committed = pg->last;
	pg_set_committed(pg, committed);
	while ((write = TAILQ_FIRST(&pg->writes)) && write->number <= pg->committed) {
		TAILQ_REMOVE(&pg->writes, write, link);
		if (write->request)
			request_committed(write->request);
		if (write->stabilizing)
			pg_stabilized(write->stabilizing);
		free(write);
	}
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (pg->members[slot].recovery)
			pg_recovery_advance(pg, &pg->members[slot]);
}

void pg_on_done(struct pg *pg, struct pg_member *member, const struct nacre_rep_done *done)
{
	if (done->result == NACRE_E_WRONG_INTERVAL) {
		member->asked = member->told;	/* it has another map than we: ask again later */
		return;
	}
	if (done->result) {
		pg_drop_member(pg, member, done->result);
		return;
	}
	if (member->recovery && !member->in_set) {
		pg_recovery_log_done(pg, member);
		return;
	}
	if (done->number > member->acked && done->number <= pg->last)
		member->acked = done->number;
	if (pg->state == PG_RECONCILING)
		pg_reconcile_advance(pg);
	else
		pg_advance(pg);
}

void pg_ask_space(struct pg *pg, const struct pg_member *member)
{
	struct nacre_rep_query query = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = pg->interval,
	};

	osd_peer_send(pg->osd, member->osd, NACRE_MSG_REP_QUERY, &query, NULL);
}

uint64_t pg_txn_blocks(const struct osd_txn *txn)
{
	uint64_t blocks = 0;
	uint32_t i;

	for (i = 0; i < txn->space_count; i++)
		blocks += txn->space[i].taken ? txn->space[i].count : 0;
	return blocks - txn->moved;
}

/* What we have sent to a member, of all groups, and it has not said to have. */
static uint64_t blocks_under_way(struct osd *osd, uint16_t id)
{
	const struct pg_member *member;
	const struct pg_write *write;
	struct pg *pg, *next;
	uint64_t blocks = 0;

	HASH_ITER(hh, osd->pgs, pg, next) {
		member = pg->primary ? pg_member_of(pg, id) : NULL;
		if (!member || !member->in_set)
			continue;
		TAILQ_FOREACH(write, &pg->writes, link)
			blocks += write->number > member->acked ? write->blocks : 0;
	}
	return blocks;
}

/* Other primaries write to it as well, as far as we know as much as we do. */
static unsigned int sharers(const struct osd *osd)
{
	unsigned int count = 0;
	struct nacre_map_osd row;
	uint32_t i;

	for (i = 0; count < SHARERS_MAX && !nacre_map_osd_at(&osd->map->view, i, &row); i++)
		count += i != osd->id && row.flags & NACRE_OSD_UP;
	return count;
}

/*
 * What a member last said is of the moment when it said it. While it has plenty that does; when it runs full each primary goes by its share of what
 * is left, without what is on its way there: otherwise all of them would promise the same blocks many times over, and the member would fall out of sync.
 */
static bool has_space(struct osd *osd, const struct osd_peer *peer, uint64_t blocks)
{
	uint64_t left = peer->bytes_free / OSD_BLOCK_BYTES;

	if (peer->bytes_free >= PLENTY_BYTES)
		return true;
	return left / (sharers(osd) + 1) >= blocks + blocks_under_way(osd, peer->id);
}

/* The same here, where they are taken already: as many are left for each of the others, who believe what we last said. */
static bool have_space(struct osd *osd, uint64_t blocks)
{
	uint64_t left = osd_store_space(osd->store).bytes_free;

	return left >= PLENTY_BYTES || left / OSD_BLOCK_BYTES >= blocks * sharers(osd);
}

bool pg_members_have_space(struct pg *pg, uint64_t blocks)
{
	struct osd_peer *peer;
	bool all = !blocks || have_space(pg->osd, blocks);
	int slot;

	for (slot = 0; blocks && slot < NACRE_PG_SLOTS; slot++) {
		if (!pg->members[slot].in_set)
			continue;
		peer = &pg->osd->peers[pg->members[slot].osd];
		if (has_space(pg->osd, peer, blocks))
			continue;
		all = false;
		if (!peer->full)
			pg_ask_space(pg, &pg->members[slot]);
		peer->full = true;
	}
	return all;
}

void pg_tell_committed(struct pg *pg)
{
	struct nacre_rep_committed committed = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = pg->interval,
		.committed = pg->committed,
	};
	struct pg_member *member;
	int slot;

	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		if (!member->in_set || member->committed_told >= pg->committed)
			continue;
		if (osd_peer_send(pg->osd, member->osd, NACRE_MSG_REP_COMMITTED, &committed, NULL))
			member->committed_told = pg->committed;
	}
}

/* ---- taking a member out of sync ---------------------------------------------------------------- */

void pg_drop_member(struct pg *pg, struct pg_member *member, uint32_t result)
{
	char name[32];

	if (member->recovery && !member->in_sync) {
		pg_recovery_end(pg, member, "it cannot store what it is sent");
		return;
	}
	if (!member->in_sync || pg->edit_under_way)
		return;
	log_warn(pg->osd->log, "pg", "%u.%u: osd%u cannot apply a transaction (%s): out of sync",
		 pg->key.pool, pg->key.pg, member->osd,
		 nacre_error_name(result, name, sizeof(name)));
	pg->osd->stats.members_dropped++;
	pg_edit_sync(pg, member, false);
}
