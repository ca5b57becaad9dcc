// SPDX-License-Identifier: GPL-2.0
/*
 * The bad blocks of an object that is held exclusively: for each run on each replica, its bytes are fetched from one where
 * they match their checksums, and stored as any write is, under the version that the object has. See scrub.h.
 */
#include <errno.h>
#include "scrub.h"
#include "server/base/mutate.h"

#define PIECE_BYTES (256u << 10)	/* fetched and stored at once */

static void next(struct scrub_object *object);

/* ---- who has it right ------------------------------------------------------------------------- */

/* Bytes from `at` on that match their checksums there, up to `end`. */
static uint64_t good_bytes(const struct scrub_side *side, uint64_t at, uint64_t end)
{
	const struct nacre_osd_extent *bad;
	uint32_t i;

	for (i = 0; i < side->bad_count; i++) {
		bad = &side->bad[i];
		if (at >= bad->offset && at < bad->offset + bad->length)
			return 0;
		if (bad->offset > at && bad->offset < end)
			end = bad->offset;
	}
	return end - at;
}

/* Choose object->source for the target's bytes from `at` on. How many it has; 0: there is none. */
static uint32_t choose(struct scrub_object *object, uint64_t at, uint64_t end)
{
	const struct scrub_side *target = &object->sides[object->target], *side;
	uint64_t length;
	unsigned int i;

	if (end > at + PIECE_BYTES)
		end = at + PIECE_BYTES;
	if (mutate(MUTATE_OSD_SCRUB_COPIES)) {
		object->source = 0;
		return (uint32_t)(end - at);
	}
	for (i = 0; i < object->count && !object->differs; i++) {
		side = &object->sides[i];
		if (side == target || side->gone || side->result || side->cut || !side->exists ||
		    side->version != target->version || side->interval != target->interval)
			continue;
		length = good_bytes(side, at, end);
		if (!length)
			continue;
		object->source = i;
		return (uint32_t)length;
	}
	return 0;
}

static void report(struct scrub_object *object, bool repaired)
{
	struct scrub_finding finding = {
		.key = object->key,
		.offset = object->at,
		.length = object->length,
		.osd = object->sides[object->target].osd,
		.other = repaired ? object->sides[object->source].osd : NACRE_OSD_NONE,
		.reason = SCRUB_CHECKSUM,
		.repaired = repaired,
	};

	object->findings++;
	scrub_found(object->osd, &finding);
	object->at += object->length;
}

/* ---- our own store ------------------------------------------------------------------------------ */

static uint32_t read_body(struct osd_exec *exec)
{
	const struct scrub_object *object = exec->owner;
	const struct scrub_side *self = &object->sides[0];

	return osd_repair_read(exec, self->version, self->interval, object->at, object->length);
}

static uint32_t store_body(struct osd_exec *exec)
{
	const struct scrub_object *object = exec->owner;
	const struct scrub_side *self = &object->sides[0];

	return osd_repair_view(exec, self->version, self->interval, object->at, object->length, object->bytes.at);
}

static void fetched(struct scrub_object *object, uint32_t result, const uint8_t *bytes, size_t length);
static void stored(struct scrub_object *object, uint32_t result);

static void self_done(struct osd_exec *exec)
{
	struct scrub_object *object = exec->owner;
	struct scrub_side *self = &object->sides[0];
	bool stores = exec->writes, aborted = object->aborted;
	struct pg *pg = object->pg;
	uint32_t result = exec->result;
	struct mem_bytes bytes = exec->read_data;
	struct osd_txn *txn;

	object->busy = false;
	pg->executing--;
	memset(&exec->read_data, 0, sizeof(exec->read_data));
	if (stores && !result && !aborted) {
		txn = osd_exec_commit(exec, self->version, self->interval);
		txn->bulk = true;
		osd_store_submit(pg->osd->store, txn);
	}
	osd_exec_end(exec);
	if (aborted)
		scrub_object_end(object);
	else if (stores)
		stored(object, result);
	else
		fetched(object, result, bytes.at, bytes.length);
	mem_bytes_free(&bytes);
	pg_settle(pg);
}

static void execute(struct scrub_object *object, bool stores)
{
	struct osd_exec *exec = &object->exec;
	struct pg *pg = object->pg;

	object->request = (struct nacre_osd_request){
		.ino = object->key.ino,
		.index = object->key.index,
		.snap = object->key.snap,
		.pool = pg->key.pool,
		.pg = pg->key.pg,
	};
	memset(exec, 0, sizeof(*exec));
	pg_exec_init(pg, exec, &object->request);
	exec->resolved = stores;
	exec->body = stores ? store_body : read_body;
	exec->done = self_done;
	exec->owner = object;
	object->busy = true;
	pg->executing++;
	if (osd_exec_start(exec))
		self_done(exec);
}

/* ---- fetch, store, next ----------------------------------------------------------------------------- */

static void ask(struct scrub_object *object, unsigned int which, uint32_t what)
{
	struct scrub_side *side = &object->sides[which];

	side->wire = (struct nacre_rep_scrub){
		.version = object->sides[object->target].version,
		.version_interval = object->sides[object->target].interval,
		.offset = object->at,
		.length = object->length,
		.what = what,
	};
	scrub_object_ask(object, side);
}

static void fetched(struct scrub_object *object, uint32_t result, const uint8_t *bytes, size_t length)
{
	if (result || length != object->length) {
		object->sides[object->source].gone = true;	/* somebody else may have it */
		next(object);
		return;
	}
	object->bytes.length = 0;
	mem_append_bytes(&object->bytes, bytes, length);
	if (object->target)
		ask(object, object->target, NACRE_REP_SCRUB_REPAIR);
	else
		execute(object, true);
}

static void stored(struct scrub_object *object, uint32_t result)
{
	if (!result)
		object->osd->stats.scrub_repaired += object->length / OSD_BLOCK_BYTES;
	report(object, !result);
	next(object);
}

void scrub_repair_answered(struct scrub_object *object, struct scrub_side *side, const uint8_t *data,
			   uint32_t data_bytes)
{
	uint32_t result = side->gone ? EIO : side->result;

	side->result = 0;
	if (side->wire.what == NACRE_REP_SCRUB_READ)
		fetched(object, result, data, data_bytes);
	else
		stored(object, result);
}

/* Take the next piece that somebody has right; tell of those that nobody has. False: that was all. */
static bool next_piece(struct scrub_object *object)
{
	const struct nacre_osd_extent *bad;
	const struct scrub_side *side;
	uint64_t end;

	for (; object->target < object->count; object->target++, object->range = 0) {
		side = &object->sides[object->target];
		if (side->gone || side->result)
			continue;
		for (; object->range < side->bad_count; object->range++, object->at = 0) {
			bad = &side->bad[object->range];
			end = bad->offset + bad->length;
			if (object->at < bad->offset)
				object->at = bad->offset;
			while (object->at < end) {
				object->length = choose(object, object->at, end);
				if (object->length)
					return true;
				do
					object->length += OSD_BLOCK_BYTES;
				while (object->at + object->length < end &&
				       !choose(object, object->at + object->length, end));
				report(object, false);
			}
		}
	}
	return false;
}

static void next(struct scrub_object *object)
{
	if (!next_piece(object))
		scrub_object_end(object);
	else if (object->source)
		ask(object, object->source, NACRE_REP_SCRUB_READ);
	else
		execute(object, false);
}

/* A scrub without a checksum's verdict, which is no repair: the primary's bytes go everywhere. */
static void copy_primary(struct scrub_object *object)
{
	unsigned int i;

	for (i = 1; i < object->count && object->sides[0].bad_count; i++) {
		memcpy(object->sides[i].bad, object->sides[0].bad, sizeof(object->sides[0].bad));
		object->sides[i].bad_count = object->sides[0].bad_count;
	}
}

void scrub_repair_begin(struct scrub_object *object)
{
	object->target = object->range = 0;
	object->at = 0;
	if (mutate(MUTATE_OSD_SCRUB_COPIES))
		copy_primary(object);
	next(object);
}
