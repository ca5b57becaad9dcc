/* SPDX-License-Identifier: GPL-2.0 */
/* The queue of what is dirty, when it is written back, and trimming of the journal; see checkpoint.h. */
#include "core.h"
#include "writeback.h"

#define IN_FLIGHT_MAX 16		/* object requests that write back */
#define IN_FLIGHT_CROWDED 64		/* the same, while memory has too much in it */
#define LOOK_MAX 256			/* items looked at in one turn (TIME-1) */
#define AGE_MS 5000			/* before scaling: older dirt is written though there is room */

static void checkpoint_task(struct io_task *task);

void mds_checkpoint_init(struct mds *mds)
{
	TAILQ_INIT(&mds->checkpoint.queue);
	TAILQ_INIT(&mds->checkpoint.writing);
	TAILQ_INIT(&mds->checkpoint.sealed);
	mds->checkpoint.task.run = checkpoint_task;
}

void mds_checkpoint_kick(struct mds *mds)
{
	mds_defer(mds, &mds->checkpoint.task);
}

void mds_checkpoint_force(struct mds *mds)
{
	mds->checkpoint.forced = mds->journal.next_seq - 1;
	mds_checkpoint_kick(mds);
}

/* ---- the queue ---------------------------------------------------------------------------------------- */

void mds_dirty_mark(struct mds *mds, struct mds_dirty *dirty, uint64_t seq)
{
	struct mds_checkpoint *checkpoint = &mds->checkpoint;
	struct mds_dirty *last = TAILQ_LAST(&checkpoint->queue, mds_dirty_list);

	if (dirty->last < seq)
		dirty->last = seq;
	if (dirty->queued)
		return;
	dirty->queued = true;
	dirty->since = last && last->since > seq ? last->since : seq;
	dirty->marked_ns = mds_now(mds);
	TAILQ_INSERT_TAIL(&checkpoint->queue, dirty, link);
	checkpoint->queued++;
}

static void unqueue(struct mds_checkpoint *checkpoint, struct mds_dirty *dirty)
{
	if (checkpoint->passed == dirty)
		checkpoint->passed = TAILQ_PREV(dirty, mds_dirty_list, link);
	TAILQ_REMOVE(&checkpoint->queue, dirty, link);
	checkpoint->queued--;
	dirty->queued = false;
}

void mds_dirty_drop(struct mds *mds, struct mds_dirty *dirty)
{
	if (dirty->queued)
		unqueue(&mds->checkpoint, dirty);
	if (dirty->writing) {
		/* only when the whole rank goes; the answer will not be looked at */
		TAILQ_REMOVE(&mds->checkpoint.writing, dirty, writing_link);
		dirty->writing = false;
	}
}

void mds_dirty_begin(struct mds *mds, struct mds_dirty *dirty)
{
	assert(dirty->queued && !dirty->writing);
	unqueue(&mds->checkpoint, dirty);
	dirty->writing = true;
	dirty->writing_since = dirty->since;
	TAILQ_INSERT_TAIL(&mds->checkpoint.writing, dirty, writing_link);
}

void mds_dirty_end(struct mds *mds, struct mds_dirty *dirty, bool written)
{
	struct mds_checkpoint *checkpoint = &mds->checkpoint;
	struct mds_dirty *at;

	TAILQ_REMOVE(&checkpoint->writing, dirty, writing_link);
	dirty->writing = false;
	if (written)
		return;
	/* as dirty as before, in its old place */
	if (dirty->queued)
		unqueue(checkpoint, dirty);
	checkpoint->queued++;
	dirty->queued = true;
	dirty->since = dirty->writing_since;
	TAILQ_FOREACH(at, &checkpoint->queue, link)
		if (at->since >= dirty->since) {
			TAILQ_INSERT_BEFORE(at, dirty, link);
			return;
		}
	TAILQ_INSERT_TAIL(&checkpoint->queue, dirty, link);
}

/* As if nothing were being written: later than that replay cannot begin. */
static uint64_t expire_at_most(const struct mds *mds)
{
	const struct mds_dirty *dirty = TAILQ_FIRST(&mds->checkpoint.queue);
	uint64_t expire = mds->journal.safe_seq + 1;

	return dirty && dirty->since < expire ? dirty->since : expire;
}

uint64_t mds_checkpoint_expire(const struct mds *mds)
{
	uint64_t expire = expire_at_most(mds);
	const struct mds_dirty *dirty;

	TAILQ_FOREACH(dirty, &mds->checkpoint.writing, writing_link)
		if (dirty->writing_since < expire)
			expire = dirty->writing_since;
	return expire;
}

/* ---- the header and trimming ---------------------------------------------------------------------------- */

struct header_write {
	struct mds *mds;
	void (*done)(struct mds *mds, uint32_t result);
};

static void header_written(struct osdc_request *request, uint32_t result)
{
	struct header_write *write = osdc_request_owner(request);
	struct mds *mds = write->mds;

	osdc_request_free(request);
	if (mds->state != MDS_DEAD)
		write->done(mds, result);
	free(write);
}

void mds_header_write(struct mds *mds, uint64_t expire_seq, uint64_t expire_pos,
		      void (*done)(struct mds *mds, uint32_t result))
{
	struct mds_header header = {
		.version = MDS_FORMAT_VERSION,
		.expire_seq = expire_seq,
		.expire_pos = expire_pos,
		.next_ino = mds->next_ino,
		.next_quota = mds->quotas.next_id,
		.incarnation = mds->incarnation,
	};
	uint8_t bytes[sizeof(struct mds_header_wire)];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));
	struct header_write *write = mds_zalloc(sizeof(*write));
	struct osdc_request *request;

	mds_ids_block(mds, &header.block_first, &header.block_count);
	nacre_encode(mds_header_desc(), &w, &header);
	write->mds = mds;
	write->done = done;
	request = mds_must(osdc_request_new(mds->osdc, NACRE_POOL_META,
					    NACRE_INO_TABLE(mds->config.rank), 0));
	osdc_add(request, NACRE_OSD_OP_KV_SET, 0, MDS_KEY_HEADER, strlen(MDS_KEY_HEADER), bytes,
		 sizeof(bytes), 0, 0);
	osdc_submit(request, header_written, write);
}

static void object_deleted(struct osdc_request *request, uint32_t result)
{
	struct mds *mds = osdc_request_owner(request);

	if (result && mds->state != MDS_DEAD)
		log_warn(mds->log, "journal", "a trimmed journal object stays: result %u", result);
	osdc_request_free(request);
}

static void delete_objects(struct mds *mds, uint64_t below)
{
	struct mds_checkpoint *checkpoint = &mds->checkpoint;
	struct osdc_request *request;

	for (; checkpoint->trim_index < below; checkpoint->trim_index++) {
		request = mds_must(osdc_request_new(mds->osdc, NACRE_POOL_META,
						    NACRE_INO_JOURNAL(mds->config.rank),
						    checkpoint->trim_index));
		osdc_add(request, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, NULL, 0, NULL, 0, 0, 0);
		osdc_submit(request, object_deleted, mds);
	}
}

static void trim_written(struct mds *mds, uint32_t result)
{
	struct mds_checkpoint *checkpoint = &mds->checkpoint;

	checkpoint->header_writing = false;
	if (result) {
		log_warn(mds->log, "checkpoint", "header not written: result %u", result);
		return;
	}
	checkpoint->header_expire = checkpoint->header_next;
	delete_objects(mds, checkpoint->header_next_pos / MDS_JOURNAL_OBJECT_BYTES);
	mds_journal_trimmed(mds, checkpoint->header_expire);
	mds_checkpoint_kick(mds);
}

/* Is it worth a write to say that replay may begin at `expire`? */
static bool is_worth_writing(const struct mds *mds, uint64_t expire)
{
	const struct mds_checkpoint *checkpoint = &mds->checkpoint;

	if (expire <= checkpoint->header_expire)
		return false;
	return checkpoint->header_expire <= checkpoint->forced ||
	       (!checkpoint->in_flight && !checkpoint->queued) ||
	       mds_journal_pos(mds, expire) / MDS_JOURNAL_OBJECT_BYTES > checkpoint->trim_index;
}

static void trim(struct mds *mds)
{
	struct mds_checkpoint *checkpoint = &mds->checkpoint;
	uint64_t expire;

	/* this runs after every write-back, and what is being written is a long list: mostly the rest says enough */
	if (checkpoint->header_writing || mds->reconnect || !is_worth_writing(mds, expire_at_most(mds)))
		return;
	expire = mds_checkpoint_expire(mds);
	if (!is_worth_writing(mds, expire))
		return;
	checkpoint->header_writing = true;
	checkpoint->header_next = expire;
	checkpoint->header_next_pos = mds_journal_pos(mds, expire);
	mds_header_write(mds, expire, checkpoint->header_next_pos, trim_written);
}

/* ---- when to write back ---------------------------------------------------------------------------------- */

static bool is_due(const struct mds *mds, const struct mds_dirty *oldest)
{
	return oldest->since <= mds->checkpoint.forced ||
	       mds_journal_used(mds) > mds->config.journal_bytes / 2 ||
	       mds_inodes_excess(mds) ||
	       mds->checkpoint.queued > mds->config.cache_inodes ||
	       mds_now(mds) - oldest->marked_ns > mds_scaled_ns(mds, AGE_MS);
}

/*
 * The next one that is to be looked at. What cannot go yet stands where it is and lets those behind it pass: they may be
 * many, half a fragment that is being split. Behind the first whose every change is unsafe all are so.
 */
static struct mds_dirty *next_due(struct mds *mds)
{
	struct mds_checkpoint *checkpoint = &mds->checkpoint;
	struct mds_dirty *first = TAILQ_FIRST(&checkpoint->queue), *dirty = first;

	if (checkpoint->passed)
		dirty = TAILQ_NEXT(checkpoint->passed, link);
	if (!dirty || !is_due(mds, first))
		return NULL;
	if (mds_journal_is_safe(&mds->journal, dirty->since))
		return dirty;
	if (!checkpoint->in_flight)
		mds_journal_flush(mds);
	return NULL;
}

bool mds_checkpoint_works(const struct mds *mds)
{
	const struct mds_checkpoint *checkpoint = &mds->checkpoint;

	return checkpoint->in_flight || checkpoint->task.queued ||
	       (checkpoint->queued && mds->journal.pending_bytes && !mds->journal.held);
}

static unsigned int in_flight_max(const struct mds *mds)
{
	return mds_inodes_excess(mds) ? IN_FLIGHT_CROWDED : IN_FLIGHT_MAX;
}

static void checkpoint_task(struct io_task *task)
{
	struct mds *mds = container_of(task, struct mds, checkpoint.task);
	struct mds_checkpoint *checkpoint = &mds->checkpoint;
	struct mds_dirty *dirty;
	unsigned int looked = 0;

	if (mds->state < MDS_RECONNECTING || mds->state == MDS_DEAD)
		return;
	while (checkpoint->in_flight < in_flight_max(mds) && looked < LOOK_MAX) {
		dirty = next_due(mds);
		if (!dirty) {
			checkpoint->passed = NULL;
			break;
		}
		if (!mds_writeback_start(mds, dirty)) {
			checkpoint->passed = dirty;
			looked++;
		}
	}
	if (looked == LOOK_MAX)
		mds_checkpoint_kick(mds);
	trim(mds);
}

int mds_checkpoint_idle(const struct mds *mds)
{
	const struct mds_checkpoint *checkpoint = &mds->checkpoint;

	return !checkpoint->in_flight && !checkpoint->queued && !checkpoint->header_writing &&
	       checkpoint->header_expire == mds_checkpoint_expire(mds);
}
