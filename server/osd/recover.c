// SPDX-License-Identifier: GPL-2.0
/*
 * Catching up members that were away: what they are missing, and how they come back
 * in sync. See recover.h.
 *
 * The end: new writes are held for a moment, those under way are committed, what
 * they touched is sent too, and the member gets our log. Once that is durable
 * there it holds all that is committed. From then on every write needs its
 * answer as well, and only then is the map asked to call it in sync: whichever of us
 * dies at whatever moment, a member that the map calls in sync has every
 * acknowledged write.
 */
#include <errno.h>
#include <sys/param.h>
#include "recover.h"

#define RECOVERIES_MAX 8u		/* at a time, of all groups here */
#define CLOSE_AT 8u			/* so few objects are missing: hold writes and finish */
#define RETRY_MS 1000u			/* after an attempt that was cut short */
#define RETRY_DOUBLED_MAX 6u		/* and twice as long each time that the member was too full */
#define LOG_PART_BYTES (512u << 10)

/* ---- what is missing ----------------------------------------------------------------------- */

void recovery_add(struct pg_recovery *recovery, const struct osd_object_key *key)
{
	struct missing *missing;

	HASH_FIND(hh, recovery->missing, key, sizeof(*key), missing);
	if (missing)
		return;
	missing = mem_zero(1, sizeof(*missing));
	missing->key = *key;
	HASH_ADD(hh, recovery->missing, key, sizeof(missing->key), missing);
	TAILQ_INSERT_TAIL(&recovery->order, missing, link);
	recovery->missing_count++;
}

static void add_entry(struct pg_recovery *recovery, uint64_t ino, uint64_t index, uint64_t snap)
{
	struct osd_object_key key = { ino, index, snap, recovery->pg->key.pool,
				      recovery->pg->key.pg };

	recovery_add(recovery, &key);
}

void pg_recovery_touch(struct pg *pg, const struct nacre_rep_entry *entry)
{
	struct pg_member *member;
	int slot;

	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		if (member->recovery && !member->in_set)
			add_entry(member->recovery, entry->ino, entry->index, entry->snap);
	}
}

uint64_t pg_recovery_left(const struct pg *pg)
{
	uint64_t left = 0;
	int slot;

	for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
		if (pg->members[slot].recovery)
			left += pg->members[slot].recovery->missing_count;
	return left;
}

/* ---- begin and end --------------------------------------------------------------------------- */

static void ask(struct pg_recovery *recovery)
{
	struct pg *pg = recovery->pg;
	struct nacre_rep_query query = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = pg->interval,
		.flags = NACRE_REP_QUERY_LOG,
	};

	recovery->member->asked = osd_peer_send(pg->osd, recovery->member->osd,
						NACRE_MSG_REP_QUERY, &query, NULL);
}

static void begin(struct pg *pg, struct pg_member *member)
{
	struct pg_recovery *recovery = mem_zero(1, sizeof(*recovery));

	recovery->pg = pg;
	recovery->member = member;
	TAILQ_INIT(&recovery->order);
	member->recovery = recovery;
	member->told = false;
	pg->osd->recoveries++;
	ask(recovery);
}

/*
 * A member that was too full for what it is missing would be as full the next time, and all would be sent for nothing: it is only asked how
 * much room it has, until that is enough for a whole object.
 */
static bool has_room(struct pg *pg, struct pg_member *member)
{
	if (!member->no_room)
		return true;
	if (pg->osd->peers[member->osd].bytes_free >= pg->object_bytes) {
		log_info(pg->osd->log, "recover", "%u.%u: osd%u has room again", pg->key.pool, pg->key.pg, member->osd);
		member->no_room = false;
		return true;
	}
	if (io_now(pg->osd->io) >= member->retry_ns) {
		pg_ask_space(pg, member);
		member->retry_ns = io_now(pg->osd->io) + osd_scaled_ns(pg->osd, RETRY_MS);
	}
	return false;
}

static void note_full(struct pg *pg, struct pg_member *member, uint64_t bytes_free)
{
	osd_peer_space(pg->osd, member->osd, bytes_free);
	pg->osd->stats.members_full++;
	member->no_room = true;
	member->times_full++;
	log_warn(pg->osd->log, "recover", "%u.%u: osd%u is full: it stays behind until it has room for what it is missing (delete files, or give it less: nacre weight)",
		 pg->key.pool, pg->key.pg, member->osd);
}

void pg_recover(struct pg *pg)
{
	struct pg_member *member;
	int slot;

	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		if (!member->up || member->in_sync || member->in_set)
			continue;
		if (member->recovery && member->recovery->state == RECOVERY_ASKING &&
		    !member->asked)
			ask(member->recovery);
		if (!member->recovery && has_room(pg, member) && pg->osd->recoveries < RECOVERIES_MAX &&
		    io_now(pg->osd->io) >= member->retry_ns)
			begin(pg, member);
	}
}

/* Let writes go again, unless another recovery is about to end too. */
static void end_hold(struct pg *pg)
{
	struct pg_recovery *other;
	int slot;

	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		other = pg->members[slot].recovery;
		if (other && (other->state == RECOVERY_CLOSING || other->state == RECOVERY_LOGGING))
			return;
	}
	if (pg->hold)
		object_queues_kick(&pg->osd->queues);
	pg->hold = false;
}

static void recovery_free(struct pg_recovery *recovery)
{
	struct pg *pg = recovery->pg;
	struct missing *missing, *next;

	recovery_push_end(recovery);
	recovery_compare_end(recovery);
	HASH_ITER(hh, recovery->missing, missing, next) {
		HASH_DELETE(hh, recovery->missing, missing);
		free(missing);
	}
	recovery->member->recovery = NULL;
	pg->osd->recoveries -= recovery->state != RECOVERY_EDITING;
	free(recovery);
	osd_edits_kick(pg->osd);
	end_hold(pg);
}

void pg_recovery_end(struct pg *pg, struct pg_member *member, const char *why)
{
	log_debug(pg->osd->log, "recover", "%u.%u: osd%u is not caught up: %s", pg->key.pool,
		  pg->key.pg, member->osd, why);
	member->retry_ns = io_now(pg->osd->io) +
			   (osd_scaled_ns(pg->osd, RETRY_MS) << MIN(member->times_full, RETRY_DOUBLED_MAX));
	member->asked = member->told = false;
	recovery_free(member->recovery);
}

void pg_recovery_opened(struct pg *pg, struct pg_member *member)
{
	if (member->recovery->state == RECOVERY_ASKING)
		ask(member->recovery);
	else
		pg_recovery_end(pg, member, "its connection broke");
}

/* ---- what the member has ------------------------------------------------------------------------ */

/*
 * The newest entry that both logs have. Its number; UINT64_MAX: they do not meet. A member without a log may
 * have objects nevertheless, left over from an earlier time in this group (stray.c).
 */
static uint64_t common_entry(const struct pg *pg, const struct nacre_rep_info *info)
{
	struct nacre_reader r = nacre_reader(info->entries, info->entries_bytes);
	const struct pglog_entry *ours;
	struct nacre_rep_entry entry;
	uint64_t common = UINT64_MAX;

	while (!nacre_decode(nacre_rep_entry_desc(), &r, &entry)) {
		ours = pglog_number(&pg->log, entry.number);
		if (ours && ours->interval == entry.interval)
			common = entry.number;
	}
	return common;
}

/* Everything behind the common entry, on either side, may differ. */
static void add_from_logs(struct pg_recovery *recovery, const struct nacre_rep_info *info,
			  uint64_t common)
{
	struct nacre_reader r = nacre_reader(info->entries, info->entries_bytes);
	const struct pglog *log = &recovery->pg->log;
	const struct pglog_entry *ours;
	struct nacre_rep_entry entry;
	uint32_t i;

	for (i = 0; i < log->count; i++) {
		ours = pglog_at(log, i);
		if (ours->number > common)
			add_entry(recovery, ours->ino, ours->index, ours->snap);
	}
	while (!nacre_decode(nacre_rep_entry_desc(), &r, &entry))
		if (entry.number > common)
			add_entry(recovery, entry.ino, entry.index, entry.snap);
}

void recovery_compared(struct pg_recovery *recovery)
{
	struct pg *pg = recovery->pg;

	log_info(pg->osd->log, "recover", "%u.%u: osd%u misses %llu objects", pg->key.pool,
		 pg->key.pg, recovery->member->osd, (unsigned long long)recovery->missing_count);
	recovery->state = RECOVERY_PUSHING;
	pg_recovery_advance(pg, recovery->member);
}

void pg_recovery_info(struct pg *pg, struct pg_member *member, const struct nacre_rep_info *info)
{
	struct pg_recovery *recovery = member->recovery;
	uint64_t common;

	if (recovery->state != RECOVERY_ASKING)
		return;
	member->told = true;
	common = common_entry(pg, info);
	if (common == UINT64_MAX) {
		recovery->state = RECOVERY_LISTING;
		recovery_compare_start(recovery);
		return;
	}
	add_from_logs(recovery, info, common);
	recovery_compared(recovery);
}

/* ---- the end: the log, the set, the map ------------------------------------------------------------ */

static bool send_log_part(struct pg_recovery *recovery, struct mem_bytes *entries, uint32_t flags)
{
	struct pg *pg = recovery->pg;
	struct nacre_rep_log wire = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = pg->interval,
		.last = pg->last,
		.committed = pg->committed,
		.flags = flags,
		.entries = entries->at,
		.entries_bytes = (uint32_t)entries->length,
	};
	bool sent = osd_peer_send(pg->osd, recovery->member->osd, NACRE_MSG_REP_LOG, &wire, NULL);

	entries->length = 0;
	return sent;
}

static void send_log(struct pg_recovery *recovery)
{
	const struct pglog *log = &recovery->pg->log;
	struct mem_bytes entries = { 0 };
	struct nacre_rep_entry entry;
	uint32_t i, flags = NACRE_REP_LOG_FIRST;
	bool sent = true;

	recovery->state = RECOVERY_LOGGING;
	for (i = 0; i < log->count && sent; i++) {
		pglog_wire(pglog_at(log, i), true, &entry);
		osd_disk_append(&entries, nacre_rep_entry_desc(), &entry);
		if (entries.length < LOG_PART_BYTES)
			continue;
		sent = send_log_part(recovery, &entries, flags);
		flags = 0;
	}
	sent = sent && send_log_part(recovery, &entries, flags | NACRE_REP_LOG_LAST);
	mem_bytes_free(&entries);
	if (!sent)
		pg_recovery_end(recovery->pg, recovery->member, "its log cannot be sent");
}

void pg_recovery_edited(struct pg *pg, struct pg_member *member, uint64_t interval, int result)
{
	if (!result)
		pg->osd->stats.members_caught_up++;
	if (!result || pg->interval != interval)
		return;
	member->in_set = false;
	if (member->recovery)
		pg_recovery_end(pg, member, "the map was not changed");
	pg_advance(pg);
}

/* One is done but for the map: others that waited for their turn may begin. */
static void begin_others(struct osd *osd)
{
	struct pg *pg, *next;

	osd->recoveries--;
	HASH_ITER(hh, osd->pgs, pg, next)
		if (pg->state == PG_ACTIVE || pg->state == PG_STARVED)
			pg_recover(pg);
}

/* Our log is durable there: the member holds all that is committed. */
void pg_recovery_log_done(struct pg *pg, struct pg_member *member)
{
	struct pg_recovery *recovery = member->recovery;

	if (recovery->state != RECOVERY_LOGGING || pg->edit_under_way)
		return;
	recovery->state = RECOVERY_EDITING;
	member->in_set = true;		/* from here on no write is acknowledged without it */
	member->sent = member->acked = pg->last;
	end_hold(pg);
	log_info(pg->osd->log, "recover", "%u.%u: osd%u is caught up, %llu objects sent",
		 pg->key.pool, pg->key.pg, member->osd, (unsigned long long)recovery->pushed);
	begin_others(pg->osd);
	pg_edit_sync(pg, member, true);
}

/* ---- turning ------------------------------------------------------------------------------------------ */

void pg_recovery_advance(struct pg *pg, struct pg_member *member)
{
	struct pg_recovery *recovery = member->recovery;

	if (recovery->state != RECOVERY_PUSHING && recovery->state != RECOVERY_CLOSING)
		return;
	if (recovery->push)
		return;
	if (recovery->state == RECOVERY_PUSHING && recovery->missing_count <= CLOSE_AT &&
	    !pg->edit_under_way) {
		recovery->state = RECOVERY_CLOSING;
		pg->hold = true;
	}
	if (recovery->missing_count)
		recovery_push_start(recovery);
	else if (recovery->state == RECOVERY_CLOSING && !pg->executing_writes &&
		 pg->committed == pg->last && recovery->part_done == recovery->part_sent)
		send_log(recovery);
}

void pg_recovery_object_done(struct pg *pg, struct pg_member *member,
			     const struct nacre_rep_object_done *done)
{
	struct pg_recovery *recovery = member->recovery;

	if (done->result) {
		if (done->result == ENOSPC)
			note_full(pg, member, done->bytes_free);
		pg_recovery_end(pg, member, "it cannot store an object");
		return;
	}
	if (done->part > recovery->part_done && done->part <= recovery->part_sent)
		recovery->part_done = done->part;
	if (recovery->push)
		recovery_push_go_on(recovery);
	if (member->recovery == recovery)
		pg_recovery_advance(pg, member);
}
