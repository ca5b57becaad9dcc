/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The journal: a byte stream of batches over objects of the metadata pool. Owns batches, group commit,
 * waiting for them, and where the stream ends. Does not know what an event means
 * (change.h, replay.h) nor when it may be trimmed (checkpoint.h).
 *
 *	append ─▶ open batch ──flush──▶ one OSD write ──▶ safe: waiters, commits, sessions
 *	              ▲ the next one collects meanwhile
 */
#ifndef MDS_JOURNAL_H
#define MDS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "inode.h"
#include "server/base/io.h"

struct mds;
struct mds_session;

/* Something to be done when a batch is safe; embedded by the one who waits. */
struct mds_commit {
	TAILQ_ENTRY(mds_commit) link;
	void (*done)(struct mds *mds, struct mds_commit *commit);
	bool owned;			/* starts an allocation that is freed with the journal */
};

/* "With this batch that session is safe up to there." */
struct mds_touch {
	uint64_t instance;
	uint64_t applied;
};

struct mds_batch {
	TAILQ_ENTRY(mds_batch) link;
	uint64_t seq;
	uint64_t pos;			/* where it was written; set when sent */
	uint8_t *bytes;			/* header and events; freed when safe */
	uint32_t length;
	uint32_t room;
	uint32_t events;
	uint32_t touch_count;
	struct mds_touch *touches;
	struct mds_waitlist waiters;
	TAILQ_HEAD(, mds_commit) commits;
};

TAILQ_HEAD(mds_batches, mds_batch);

struct mds_journal {
	struct mds_batches pending;	/* first: being written if `writing`; last: open */
	struct mds_batches written;	/* safe, not yet trimmed; without bytes */
	uint64_t next_seq;		/* of the next batch to be opened */
	uint64_t safe_seq;		/* every batch up to this is on the OSDs */
	uint64_t end_pos;		/* where the next batch goes */
	uint64_t pending_bytes;
	struct io_timer timer;		/* the open batch is written at the latest then; after ENOSPC: again */
	struct io_task flush_task;
	struct osdc_request *write;
	bool writing;
	bool held;			/* by an administrator or a test */
	bool flush_wanted;
};

void mds_journal_init(struct mds *mds);
void mds_journal_free(struct mds *mds);
/* Replay has ended: the next batch is `seq` at `pos`. */
void mds_journal_start(struct mds *mds, uint64_t seq, uint64_t pos);

/* Replay has found batch `seq` at `pos`. */
void mds_journal_replayed(struct mds *mds, uint64_t seq, uint64_t pos);

/* Append one event; the batch that carries it. `session`: whose apply number rises; may be NULL. */
uint64_t mds_journal_append(struct mds *mds, const struct mds_event *event,
			    struct mds_session *session);
/* The batch an event appended now would be in. */
uint64_t mds_journal_open_seq(struct mds *mds);
static inline bool mds_journal_is_safe(const struct mds_journal *journal, uint64_t seq)
{
	return seq <= journal->safe_seq;
}
/* Write the open batch as soon as the one before is done. */
void mds_journal_flush(struct mds *mds);
/* Call `commit` when batch `seq` is safe, or the next one if it is already. Whoever is in a hurry flushes, too. */
void mds_journal_on_safe(struct mds *mds, uint64_t seq, struct mds_commit *commit);
void mds_journal_forget(struct mds *mds, struct mds_commit *commit);
/* The list of requests that wait for a batch; NULL when it is safe already. */
struct mds_waitlist *mds_journal_waiters(struct mds *mds, uint64_t seq);
/* Is there so much unwritten, or untrimmed, that changes have to wait? */
bool mds_journal_is_full(const struct mds *mds);
/* Where batch `seq` stands: for the header. The end if it is not written yet. */
uint64_t mds_journal_pos(const struct mds *mds, uint64_t seq);
/* Batches below `seq` are no more needed. */
void mds_journal_trimmed(struct mds *mds, uint64_t seq);
uint64_t mds_journal_used(const struct mds *mds);

#endif
