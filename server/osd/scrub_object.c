// SPDX-License-Identifier: GPL-2.0
/* Scrubbing one object at its primary: hold it, let every replica look at its own, compare. See scrub.h. */
#include <errno.h>
#include "scrub.h"

#define SCANS_MAX 4u			/* of one that changes meanwhile; with a hold it cannot */
#define AGAIN_MS 100u
#define ANSWER_MS 2000u			/* then a member is asked again */
#define TRIES_MAX 8u
#define DIALS_MAX 40u

static bool granted(struct object_hold *hold);

/* ---- life ------------------------------------------------------------------------------------- */

static void hold_enter(struct scrub_object *object)
{
	object->hold.granted = granted;
	object->hold.owner = object;
	object_hold_enter(&object->osd->queues, &object->key, &object->hold,
			  object->exclusive ? HOLD_WRITE_FIRST : HOLD_READ);
}

struct scrub_object *scrub_object_start(struct pg *pg, const struct osd_object_key *key, bool deep, bool exclusive,
					void (*done)(struct scrub_object *object), void *owner)
{
	struct scrub_object *object = mem_zero(1, sizeof(*object));

	object->osd = pg->osd;
	object->pg = pg;
	object->key = *key;
	object->interval = pg->interval;
	object->deep = deep;
	object->exclusive = exclusive;
	object->done = done;
	object->owner = owner;
	TAILQ_INSERT_TAIL(&pg->osd->scrub->objects, object, link);
	pg->osd->scrub->object_count++;
	hold_enter(object);
	return object;
}

static void object_free(struct scrub_object *object)
{
	mem_bytes_free(&object->bytes);
	free(object);
}

void scrub_object_end(struct scrub_object *object)
{
	object_hold_leave(&object->hold);
	if (object->aborted) {
		object_free(object);
		return;
	}
	TAILQ_REMOVE(&object->osd->scrub->objects, object, link);
	object->osd->scrub->object_count--;
	object->osd->stats.scrub_objects++;
	object->osd->stats.scrub_unstable += object->unstable;
	if (object->done)
		object->done(object);
	object_free(object);
}

void scrub_object_abort(struct scrub_object *object)
{
	object->aborted = true;
	TAILQ_REMOVE(&object->osd->scrub->objects, object, link);
	object->osd->scrub->object_count--;
	if (object->busy)
		object_hold_leave(&object->hold);	/* what is under way ends by itself */
	else
		scrub_object_end(object);
}

/* ---- comparing ----------------------------------------------------------------------------------- */

static bool is_known(const struct scrub_side *side)
{
	return !side->gone && !side->result;
}

/* How a replica differs from another one. False: it does not. */
static bool compare(const struct scrub_object *object, const struct scrub_side *one, const struct scrub_side *side,
		    enum scrub_reason *ret_reason)
{
	bool bytes = object->deep && !one->bad_count && !side->bad_count;

	if (one->exists != side->exists)
		*ret_reason = one->exists ? SCRUB_ABSENT : SCRUB_EXTRA;
	else if (one->version != side->version || one->interval != side->interval)
		*ret_reason = SCRUB_VERSION;
	else if (one->size != side->size)
		*ret_reason = SCRUB_SIZE;
	else if (one->head != side->head)
		*ret_reason = SCRUB_ATTRIBUTES;
	else if (one->keys != side->keys)
		*ret_reason = SCRUB_KEYS;
	else if (bytes && one->data != side->data)
		*ret_reason = SCRUB_DATA;
	else
		return false;
	return true;
}

/* What all are compared with: a replica without bad blocks, if there is one. NULL: none can be read. */
static const struct scrub_side *reference(const struct scrub_object *object)
{
	const struct scrub_side *found = NULL;
	unsigned int i;

	for (i = 0; i < object->count; i++)
		if (is_known(&object->sides[i]) && (!found || (found->bad_count && !object->sides[i].bad_count)))
			found = &object->sides[i];
	return found;
}

static void report(struct scrub_object *object, const struct scrub_side *side, const struct scrub_side *other,
		   enum scrub_reason reason)
{
	struct scrub_finding finding = {
		.key = object->key,
		.osd = side->osd,
		.other = other ? other->osd : NACRE_OSD_NONE,
		.reason = reason,
	};

	object->findings++;
	scrub_found(object->osd, &finding);
}

/* Look at every replica; tell of what is wrong if `tell`. True: something is. */
static bool compare_all(struct scrub_object *object, bool tell)
{
	const struct scrub_side *one = reference(object);
	struct scrub_side *side;
	enum scrub_reason reason;
	bool wrong = false;
	unsigned int i;

	object->differs = false;
	for (i = 0; i < object->count; i++) {
		side = &object->sides[i];
		if (side->gone)
			continue;
		if (side->result) {
			wrong = true;
			if (tell)
				report(object, side, NULL, SCRUB_METADATA);
		} else if (side != one && compare(object, one, side, &reason)) {
			wrong = object->differs = true;
			if (tell)
				report(object, side, one, reason);
		}
		wrong |= side->bad_count;
	}
	return wrong;
}

static bool any_unstable(const struct scrub_object *object)
{
	unsigned int i;

	for (i = 0; i < object->count; i++)
		if (!object->sides[i].gone && object->sides[i].unstable)
			return true;
	return false;
}

static bool any_bad(const struct scrub_object *object)
{
	unsigned int i;

	for (i = 0; i < object->count; i++)
		if (is_known(&object->sides[i]) && object->sides[i].bad_count)
			return true;
	return false;
}

static void scanned(struct scrub_object *object)
{
	if (any_unstable(object)) {
		object->unstable = ++object->scans == SCANS_MAX;
		object->again_ns = io_now(object->osd->io) + osd_scaled_ns(object->osd, AGAIN_MS);
		if (object->unstable)
			scrub_object_end(object);
		return;
	}
	if (!compare_all(object, object->exclusive)) {
		scrub_object_end(object);
		return;
	}
	if (!object->exclusive) {	/* look again, with nobody else about */
		object_hold_leave(&object->hold);
		object->exclusive = true;
		object->deep = true;
		hold_enter(object);
	} else if (any_bad(object)) {
		object->repairing = true;
		scrub_repair_begin(object);
	} else {
		scrub_object_end(object);
	}
}

/* ---- asking ------------------------------------------------------------------------------------------ */

static void one_done(struct scrub_object *object)
{
	unsigned int i;

	if (object->busy)
		return;
	for (i = 0; i < object->count; i++)
		if (object->sides[i].waits)
			return;
	scanned(object);
}

static void self_scanned(struct osd_object_scan *scan)
{
	struct scrub_object *object = scan->owner;
	struct scrub_side *side = &object->sides[0];

	object->busy = false;
	if (object->aborted) {
		scrub_object_end(object);
		return;
	}
	side->result = scan->result;
	side->unstable = scan->unstable;
	side->exists = scan->exists;
	side->cut = scan->cut;
	side->version = scan->version;
	side->interval = scan->interval;
	side->size = scan->size;
	side->head = scan->head;
	side->keys = scan->keys;
	side->data = scan->data;
	side->bytes = scan->bytes;
	object->osd->stats.scrub_bytes += scan->bytes;
	side->bad_count = scan->bad_count;
	memcpy(side->bad, scan->bad, sizeof(side->bad));
	one_done(object);
}

static void take_answer(struct scrub_side *side, const struct nacre_rep_scrubbed *wire)
{
	uint32_t i;

	side->result = wire->result;
	side->unstable = wire->flags & NACRE_REP_SCRUB_UNSTABLE;
	side->exists = !(wire->flags & NACRE_REP_SCRUB_ABSENT);
	side->cut = wire->flags & NACRE_REP_SCRUB_CUT;
	side->version = wire->version;
	side->interval = wire->version_interval;
	side->size = wire->size;
	side->head = wire->head;
	side->keys = wire->keys;
	side->data = wire->data;
	side->bytes = wire->bytes;
	side->bad_count = wire->bad_bytes / sizeof(struct nacre_osd_extent_wire);
	for (i = 0; i < side->bad_count; i++)
		nacre_array_at(nacre_osd_extent_desc(), wire->bad, i, &side->bad[i]);
}

/* It has every acknowledged write, whether it can be asked at this moment or not. */
static bool has_all(const struct pg_member *member)
{
	return member && member->osd != NACRE_OSD_NONE && member->up && member->in_sync && member->in_set;
}

bool scrub_member_counts(const struct pg *pg, const struct pg_member *member)
{
	struct conn *conn = has_all(member) ? osd_peer_conn(pg->osd, member->osd) : NULL;

	return conn && (conn_peer_features(conn) & NACRE_FEATURE_SCRUB);
}

/* A broken connection is no verdict: who is being dialled is waited for, and asked. */
static bool all_are_connected(const struct pg *pg)
{
	int i;

	for (i = 0; i < NACRE_PG_SLOTS; i++)
		if (has_all(&pg->members[i]) && !osd_peer_conn(pg->osd, pg->members[i].osd))
			return false;
	return true;
}

static void send(struct scrub_object *object, struct scrub_side *side)
{
	struct iovec iov = { object->bytes.at, object->bytes.length };
	struct payload payload = { &iov, 1, (uint32_t)object->bytes.length, NULL, NULL };
	bool stores = side->wire.what == NACRE_REP_SCRUB_REPAIR;

	side->sent_ns = io_now(object->osd->io);
	side->tries++;
	osd_peer_send(object->osd, side->osd, NACRE_MSG_REP_SCRUB, &side->wire, stores ? &payload : NULL);
}

void scrub_object_ask(struct scrub_object *object, struct scrub_side *side)
{
	struct pg *pg = object->pg;

	side->wire.pool = pg->key.pool;
	side->wire.pg = pg->key.pg;
	side->wire.interval = pg->interval;
	side->wire.tid = ++object->osd->scrub->next_tid;
	side->wire.ino = object->key.ino;
	side->wire.index = object->key.index;
	side->wire.snap = object->key.snap;
	side->waits = true;
	side->tries = 0;
	send(object, side);
}

/* A member answers, or will not any more. */
static void side_done(struct scrub_object *object, struct scrub_side *side, const uint8_t *data, uint32_t data_bytes)
{
	side->waits = false;
	if (object->repairing)
		scrub_repair_answered(object, side, data, data_bytes);
	else
		one_done(object);
}

void scrub_object_answered(struct pg *pg, const struct pg_member *member, struct message *message)
{
	const struct nacre_rep_scrubbed *wire = &message->host.rep_scrubbed;
	struct scrub_object *object;
	struct scrub_side *side;
	unsigned int i;

	TAILQ_FOREACH(object, &pg->osd->scrub->objects, link) {
		for (i = 1; object->pg == pg && i < object->count; i++) {
			side = &object->sides[i];
			if (!side->waits || side->osd != member->osd || side->wire.tid != wire->tid)
				continue;
			if (object->repairing)
				side->result = wire->result;
			else
				take_answer(side, wire);
			side_done(object, side, message->data, message->data_bytes);
			return;
		}
	}
}

static void add_side(struct scrub_object *object, uint16_t osd, bool self)
{
	struct scrub_side *side = &object->sides[object->count++];

	memset(side, 0, sizeof(*side));
	side->osd = osd;
	side->self = self;
	side->wire.what = object->deep ? NACRE_REP_SCRUB_DEEP : NACRE_REP_SCRUB_LIGHT;
}

static void scan_all(struct scrub_object *object)
{
	struct pg *pg = object->pg;
	unsigned int i;

	object->again_ns = 0;
	object->count = 0;
	if (!all_are_connected(pg) && object->dialled++ < DIALS_MAX) {
		object->again_ns = io_now(pg->osd->io) + osd_scaled_ns(pg->osd, AGAIN_MS);
		return;
	}
	add_side(object, pg->osd->id, true);
	for (i = 0; i < NACRE_PG_SLOTS; i++)
		if (scrub_member_counts(pg, &pg->members[i]))
			add_side(object, pg->members[i].osd, false);
	for (i = 1; i < object->count; i++)
		scrub_object_ask(object, &object->sides[i]);
	memset(&object->scan, 0, sizeof(object->scan));
	object->scan.pg = pg;
	object->scan.key = object->key;
	object->scan.deep = object->deep;
	object->scan.done = self_scanned;
	object->scan.owner = object;
	object->busy = true;
	osd_object_scan_start(&object->scan);
}

static bool granted(struct object_hold *hold)
{
	struct scrub_object *object = hold->owner;

	if (object->exclusive && (!object_hold_is_alone(hold)))
		return false;
	object_hold_changed(hold, HOLD_RUNNING);
	scan_all(object);
	return true;
}

void scrub_object_tick(struct scrub_object *object)
{
	uint64_t now_ns = io_now(object->osd->io);
	struct scrub_side *side;
	unsigned int i;

	if (object->again_ns && now_ns >= object->again_ns) {
		scan_all(object);
		return;
	}
	for (i = 1; i < object->count; i++) {
		side = &object->sides[i];
		if (!side->waits || now_ns < side->sent_ns + osd_scaled_ns(object->osd, ANSWER_MS))
			continue;
		if (side->tries < TRIES_MAX && has_all(pg_member_of(object->pg, side->osd))) {
			send(object, side);
			continue;
		}
		side->gone = true;
		side_done(object, side, NULL, 0);
		return;			/* the object may be gone */
	}
}
