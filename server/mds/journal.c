/* SPDX-License-Identifier: GPL-2.0 */
/* Batches, group commit, and who waits for them; see journal.h. */
#include "core.h"
#include "server/base/crc.h"

#define BATCH_ROOM (64u << 10)		/* first allocation */
#define BATCH_SOFT_BYTES (1u << 20)	/* at this size a batch is written without waiting for the timer */
#define BATCH_HEADER ((uint32_t)sizeof(struct mds_batch_header_wire))

static void write_batch(struct mds *mds);

static void flush_task(struct io_task *task)
{
	write_batch(container_of(task, struct mds, journal.flush_task));
}

static void timer_fired(struct io_timer *timer)
{
	mds_journal_flush(container_of(timer, struct mds, journal.timer));
}

void mds_journal_init(struct mds *mds)
{
	struct mds_journal *journal = &mds->journal;

	TAILQ_INIT(&journal->pending);
	TAILQ_INIT(&journal->written);
	journal->timer.fire = timer_fired;
	journal->flush_task.run = flush_task;
}

static void free_commits(struct mds_batch *batch)
{
	struct mds_commit *commit;

	while ((commit = TAILQ_FIRST(&batch->commits))) {
		TAILQ_REMOVE(&batch->commits, commit, link);
		if (commit->owned)
			free(commit);
	}
}

static void free_batches(struct mds_batches *list)
{
	struct mds_batch *batch;

	while ((batch = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, batch, link);
		free_commits(batch);
		free(batch->bytes);
		free(batch->touches);
		free(batch);
	}
}

void mds_journal_free(struct mds *mds)
{
	free_batches(&mds->journal.pending);
	free_batches(&mds->journal.written);
}

void mds_journal_start(struct mds *mds, uint64_t seq, uint64_t pos)
{
	mds->journal.next_seq = seq;
	mds->journal.safe_seq = seq - 1;
	mds->journal.end_pos = pos;
}

void mds_journal_replayed(struct mds *mds, uint64_t seq, uint64_t pos)
{
	struct mds_batch *batch = mds_zalloc(sizeof(*batch));

	batch->seq = seq;
	batch->pos = pos;
	TAILQ_INIT(&batch->waiters);
	TAILQ_INIT(&batch->commits);
	TAILQ_INSERT_TAIL(&mds->journal.written, batch, link);
}

/* ---- appending ---------------------------------------------------------------------------------- */

static struct mds_batch *open_batch(struct mds *mds, uint32_t length)
{
	struct mds_journal *journal = &mds->journal;
	struct mds_batch *batch = TAILQ_LAST(&journal->pending, mds_batches);
	bool taken = batch && batch == TAILQ_FIRST(&journal->pending) && journal->writing;

	if (batch && !taken && batch->length + length <= MDS_BATCH_MAX)
		return batch;
	batch = mds_zalloc(sizeof(*batch));
	batch->seq = journal->next_seq++;
	batch->length = BATCH_HEADER;
	TAILQ_INIT(&batch->waiters);
	TAILQ_INIT(&batch->commits);
	TAILQ_INSERT_TAIL(&journal->pending, batch, link);
	return batch;
}

uint64_t mds_journal_open_seq(struct mds *mds)
{
	return open_batch(mds, 0)->seq;
}

static void touch_session(struct mds_batch *batch, struct mds_session *session)
{
	if (session->touch_seq != batch->seq) {
		session->touch_seq = batch->seq;
		session->touch_index = batch->touch_count++;
		batch->touches = mds_resize(batch->touches,
					    batch->touch_count * sizeof(*batch->touches));
	}
	batch->touches[session->touch_index] =
		(struct mds_touch){ session->instance, session->applied };
}

uint64_t mds_journal_append(struct mds *mds, const struct mds_event *event,
			    struct mds_session *session)
{
	uint32_t length = (uint32_t)nacre_encoded_bytes(mds_event_desc(), event);
	struct mds_journal *journal = &mds->journal;
	struct mds_batch *batch = open_batch(mds, length);
	struct nacre_writer w;

	assert(BATCH_HEADER + length <= MDS_BATCH_MAX);
	if (batch->length + length > batch->room) {
		batch->room = batch->length + length + BATCH_ROOM;
		batch->bytes = mds_resize(batch->bytes, batch->room);
	}
	w = nacre_writer(batch->bytes + batch->length, length);
	if (nacre_encode(mds_event_desc(), &w, event))
		assert(!"an event that cannot be encoded");
	batch->length += length;
	batch->events++;
	if (session)
		touch_session(batch, session);
	journal->pending_bytes += length;
	mds->counters.events++;
	if (batch->length >= BATCH_SOFT_BYTES)
		mds_journal_flush(mds);
	else if (!journal->timer.heap_index)
		io_timer_arm(mds->io, &journal->timer,
			     mds_now(mds) + mds_scaled_ns(mds, mds->config.commit_ms));
	return batch->seq;
}

bool mds_journal_is_full(const struct mds *mds)
{
	return mds->journal.pending_bytes > mds->config.journal_bytes / 4 ||
	       mds_journal_used(mds) + mds->journal.pending_bytes >
		       mds->config.journal_bytes - mds->config.journal_bytes / 8;
}

/* ---- writing ------------------------------------------------------------------------------------ */

void mds_journal_flush(struct mds *mds)
{
	mds->journal.flush_wanted = true;
	mds_defer(mds, &mds->journal.flush_task);
}

void mds_journal_hold(struct mds *mds, bool hold)
{
	mds->journal.held = hold;
	if (!hold)
		mds_journal_flush(mds);
}

static void seal_batch(struct mds *mds, struct mds_batch *batch)
{
	struct mds_batch_header header = {
		.magic = MDS_BATCH_MAGIC,
		.seq = batch->seq,
		.incarnation = mds->incarnation,
		.events = batch->events,
		.body_bytes = batch->length - BATCH_HEADER,
	};
	struct nacre_writer w = nacre_writer(batch->bytes, BATCH_HEADER);
	__le32 crc;

	nacre_encode(mds_batch_header_desc(), &w, &header);
	crc = nacre_to_le32(crc_of(batch->bytes + 8, batch->length - 8));
	memcpy(batch->bytes + 4, &crc, sizeof(crc));
}

static void batch_is_safe(struct mds *mds, struct mds_batch *batch)
{
	struct mds_journal *journal = &mds->journal;
	struct mds_commit *commit;
	uint32_t i;

	TAILQ_REMOVE(&journal->pending, batch, link);
	TAILQ_INSERT_TAIL(&journal->written, batch, link);
	journal->pending_bytes -= batch->length - BATCH_HEADER;
	journal->safe_seq = batch->seq;
	free(batch->bytes);
	batch->bytes = NULL;
	mds->counters.batches++;
	mds->counters.journal_bytes += batch->length;
	for (i = 0; i < batch->touch_count; i++)
		mds_session_is_safe(mds, batch->touches[i].instance, batch->touches[i].applied);
	free(batch->touches);
	batch->touches = NULL;
	while ((commit = TAILQ_FIRST(&batch->commits))) {
		TAILQ_REMOVE(&batch->commits, commit, link);
		commit->done(mds, commit);
	}
	mds_wake(mds, &batch->waiters);
}

/* No space: what is promised stays in memory and is tried again; anything else ends the rank. */
static void write_failed(struct mds *mds, struct mds_batch *batch, uint32_t result)
{
	struct mds_journal *journal = &mds->journal;

	if (result != ENOSPC) {
		mds_fail(mds, -EIO, "journal batch %llu could not be written: result %u",
			 (unsigned long long)batch->seq, result);
		return;
	}
	log_warn(mds->log, "journal", "no space for batch %llu, trying again",
		 (unsigned long long)batch->seq);
	journal->end_pos = batch->pos;
	io_timer_arm(mds->io, &journal->timer, mds_now(mds) + mds_scaled_ns(mds, 1000));
}

static void batch_written(struct osdc_request *request, uint32_t result)
{
	struct mds *mds = osdc_request_owner(request);
	struct mds_journal *journal = &mds->journal;
	struct mds_batch *batch = TAILQ_FIRST(&journal->pending);
	uint64_t behind_ns;

	stats_longest(&mds->counters.longest_batch_us, osdc_request_took_ns(request, &behind_ns) / 1000);
	osdc_request_free(request);
	journal->write = NULL;
	if (mds->state == MDS_DEAD)
		return;
	journal->writing = false;
	if (result) {
		write_failed(mds, batch, result);
		return;
	}
	batch_is_safe(mds, batch);
	mds->checkpoint.passed = NULL;	/* what had to wait for this may go */
	if (!TAILQ_EMPTY(&journal->pending) &&
	    (journal->flush_wanted || TAILQ_NEXT(TAILQ_FIRST(&journal->pending), link)))
		write_batch(mds);
	mds_caps_settle_run(mds);
	mds_checkpoint_kick(mds);
	if (!TAILQ_EMPTY(&mds->waiting_room) && !mds_journal_is_full(mds))
		mds_wake(mds, &mds->waiting_room);
}

/* Write the oldest pending batch, if none is on its way. */
static void write_batch(struct mds *mds)
{
	struct mds_journal *journal = &mds->journal;
	struct mds_batch *batch = TAILQ_FIRST(&journal->pending);
	uint32_t left = MDS_JOURNAL_OBJECT_BYTES - journal->end_pos % MDS_JOURNAL_OBJECT_BYTES;

	if (journal->writing || journal->held || !batch || mds->state == MDS_DEAD)
		return;
	journal->flush_wanted = false;
	if (!batch->bytes)
		batch->bytes = mds_zalloc(BATCH_HEADER);
	if (batch->length > left)
		journal->end_pos += left;
	batch->pos = journal->end_pos;
	journal->end_pos += batch->length;
	seal_batch(mds, batch);
	journal->writing = true;
	io_timer_cancel(mds->io, &journal->timer);
	journal->write = mds_must(osdc_request_new(mds->osdc, NACRE_POOL_META,
						   NACRE_INO_JOURNAL(mds->config.rank),
						   batch->pos / MDS_JOURNAL_OBJECT_BYTES));
	osdc_add_data(journal->write, NACRE_OSD_OP_WRITE, batch->pos % MDS_JOURNAL_OBJECT_BYTES,
		      batch->bytes, batch->length);
	osdc_submit(journal->write, batch_written, mds);
}

/* ---- waiting ------------------------------------------------------------------------------------ */

/* The pending batch that makes `seq` safe: batches are written in order, so the first at or behind it. */
static struct mds_batch *find_pending(struct mds *mds, uint64_t seq)
{
	struct mds_batch *batch;

	TAILQ_FOREACH(batch, &mds->journal.pending, link)
		if (batch->seq >= seq)
			return batch;
	return NULL;
}

struct mds_waitlist *mds_journal_waiters(struct mds *mds, uint64_t seq)
{
	struct mds_batch *batch = find_pending(mds, seq);

	if (mds_journal_is_safe(&mds->journal, seq))
		return NULL;
	assert(batch);
	return &batch->waiters;
}

void mds_journal_on_safe(struct mds *mds, uint64_t seq, struct mds_commit *commit)
{
	struct mds_batch *batch = find_pending(mds, seq);

	if (!batch)
		batch = open_batch(mds, 0);
	TAILQ_INSERT_TAIL(&batch->commits, commit, link);
}

void mds_journal_forget(struct mds *mds, struct mds_commit *commit)
{
	struct mds_batch *batch;
	struct mds_commit *at;

	TAILQ_FOREACH(batch, &mds->journal.pending, link)
		TAILQ_FOREACH(at, &batch->commits, link)
			if (at == commit) {
				TAILQ_REMOVE(&batch->commits, commit, link);
				return;
			}
}

/* ---- trimming ------------------------------------------------------------------------------------ */

uint64_t mds_journal_pos(const struct mds *mds, uint64_t seq)
{
	const struct mds_batch *batch;

	TAILQ_FOREACH(batch, &mds->journal.written, link)
		if (batch->seq >= seq)
			return batch->pos;
	batch = TAILQ_FIRST(&mds->journal.pending);
	return batch && mds->journal.writing ? batch->pos : mds->journal.end_pos;
}

uint64_t mds_journal_used(const struct mds *mds)
{
	const struct mds_batch *first = TAILQ_FIRST(&mds->journal.written);

	return first ? mds->journal.end_pos - first->pos : 0;
}

void mds_journal_trimmed(struct mds *mds, uint64_t seq)
{
	struct mds_journal *journal = &mds->journal;
	struct mds_batch *batch;

	while ((batch = TAILQ_FIRST(&journal->written)) && batch->seq < seq) {
		TAILQ_REMOVE(&journal->written, batch, link);
		free(batch);
	}
	if (!TAILQ_EMPTY(&mds->waiting_room) && !mds_journal_is_full(mds))
		mds_wake(mds, &mds->waiting_room);
}
