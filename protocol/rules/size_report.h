/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Size reports: how a stat learns the size of a file that another client is writing, without taking its caps away.
 *
 *	reader          rank              writer
 *	  │ GETATTR, REPORT │                 │
 *	  │ ──────────────▶ │ ── SIZE_ASK ──▶ │
 *	  │                 │ ◀─ SIZE_REPORT ─│   values as of now; nothing of the cap changes
 *	  │                 │ journals what was new (SHARE-1)
 *	  │ ◀─── REPLY ──── │                 │   FILE not valid, REPORTED: an answer, of which only a grown size is kept
 *
 * Each request asks for itself, after it has come: a write that was completed before the stat began is in the report, whoever else
 * asks. What a report says goes into the inode as a flush would bring it, so that it is journaled before it is shown; it is
 * no flush, though: what is dirty at the writer stays dirty, and the next stat asks again.
 *
 * Only what is dirty or flushing at the writer is news. With nothing of its own it says CLEAN, and the rank's values count: its times may be
 * older than what somebody has set since.
 *
 * What a stat is answered must have been the file's size at some moment while it ran. A report is that of the moment in which it was
 * made, if nobody else could write: reports of several writers are of several moments, and the largest may never have been the
 * size of the file, nor may the larger of a report and of what the reader has written himself. So with a second writer, or when it is the
 * reader that writes, there are no reports.
 *
 * A report is not to be had when the writer is slow, away, or does not know the file as one that is being written: then the
 * request goes on as if there were no reports, and the caps are revoked. One that speaks of another cap, or of another
 * truncation than the rank's newest (SIZE-3), counts as none; while a lost writer's size is sought (SIZE-2) or the file
 * is being cut nobody is answered by reports.
 *
 * The question, one for a request:
 *
 *	 NEW ──ASKED──▶ ASKING ─REPORT─▶ HEARD
 *	                  │ NONE, LATE, CUT  │ CUT
 *	                  └──────▶ PLAIN ◀───┘
 *
 * Pure; no locks. The rank's loop, or the client's cap lock.
 */
#ifndef NACRE_RULES_SIZE_REPORT_H
#define NACRE_RULES_SIZE_REPORT_H

#include "cap_client.h"
#include "cap_rank.h"
#include "machine.h"
#include "size.h"

#define NACRE_QUESTION_STATES(W)						\
	W(0, NEW, "nobody was asked yet")					\
	W(1, ASKING, "the writer has not reported yet")				\
	W(2, HEARD, "it has: the inode has what it said, and FILE can be shown to this request") \
	W(3, PLAIN, "no report is to be had: FILE is made current as for anybody, by revokes")

#define NACRE_QUESTION_EVENTS(W)						\
	W(0, ASKED, "SIZE_ASK has been sent to the writer")			\
	W(1, REPORT, "it has reported")						\
	W(2, NONE, "it cannot say, says it of another cap or truncation, or writes no more alone") \
	W(3, LATE, "it has let the time pass")					\
	W(4, CUT, "the file is being cut, or probed after a loss (SIZE-2, SIZE-3)")

#define NACRE_QUESTION_ACTIONS(W)						\
	W(1, WAKE, "the request runs again")

#define NACRE_QUESTION_ROWS(T)							\
	T(NEW, ASKED, ASKING, 0)						\
	T(ASKING, REPORT, HEARD, NACRE_QUESTIONA_WAKE)				\
	T(ASKING, NONE, PLAIN, NACRE_QUESTIONA_WAKE)				\
	T(ASKING, LATE, PLAIN, NACRE_QUESTIONA_WAKE)				\
	T(ASKING, CUT, PLAIN, NACRE_QUESTIONA_WAKE)				\
	T(HEARD, CUT, PLAIN, 0)

#define NACRE_QUESTION_STATE_ENUM(value, name, doc) NACRE_QUESTION_##name = value,
#define NACRE_QUESTION_EVENT_ENUM(value, name, doc) NACRE_QUESTIONE_##name = value,
#define NACRE_QUESTION_ACTION_ENUM(value, name, doc) NACRE_QUESTIONA_##name = value,
enum nacre_question_state { NACRE_QUESTION_STATES(NACRE_QUESTION_STATE_ENUM) };
enum nacre_question_event { NACRE_QUESTION_EVENTS(NACRE_QUESTION_EVENT_ENUM) };
enum nacre_question_action { NACRE_QUESTION_ACTIONS(NACRE_QUESTION_ACTION_ENUM) };

/* What one request asks of the writer of a file; zero is a new one. */
struct nacre_question {
	__u64 ask_id;			/* 0 = nobody was asked */
	__u64 written;			/* of the report, bytes of blocks */
	__u8 state;			/* enum nacre_question_state */
};

extern const struct nacre_machine nacre_question_machine;

/* ---- the rank ------------------------------------------------------------------------------ */

/* Could this holder know a newer size than the rank? (It may change the file.) */
int nacre_size_may_differ(const struct nacre_cap_rank *cap);
/* Is it one to be asked: it may change the file, and has said that it is about to write? */
int nacre_size_is_written(const struct nacre_cap_rank *cap);

/* The writer is asked, under this id (not 0). */
void nacre_question_asked(struct nacre_question *question, __u64 ask_id);
/*
 * It has answered; `known` is what the rank believes, `cap` that of the sender (NULL: it has none). True if it has values
 * that are to be taken in. *actions as in the table; false with no action: an answer that nobody waits for.
 */
int nacre_question_report(struct nacre_question *question, const struct nacre_cap_rank *cap,
			  const struct nacre_size *known, const struct nacre_size_report *report,
			  __u32 *actions);
/* LATE or CUT; what is not listed changes nothing. Actions. */
__u32 nacre_question_end(struct nacre_question *question, __u8 event);

/* ---- the writer ---------------------------------------------------------------------------- */

/*
 * The answer to a question, all but times and `written`, which the caller adds unless a flag is set. `cap`: NULL if there is no
 * such inode. `size`: NULL while a truncation is known and not yet applied: size and number would not be of one moment.
 */
void nacre_size_report_make(const struct nacre_cap_client *cap, const struct nacre_size *size,
			    const struct nacre_size_ask *ask, struct nacre_size_report *report);

#endif
