// SPDX-License-Identifier: GPL-2.0
/* Size reports. See size_report.h. */
#include <linux/string.h>
#include "size_report.h"

#define ROW(from_, event_, to_, actions_)						\
	{ NACRE_QUESTION_##from_, NACRE_QUESTIONE_##event_, NACRE_QUESTION_##to_, actions_ },

static const struct nacre_machine_word states[] = { NACRE_QUESTION_STATES(NACRE_WORD_ROW) };
static const struct nacre_machine_word events[] = { NACRE_QUESTION_EVENTS(NACRE_WORD_ROW) };
static const struct nacre_machine_word actions[] = { NACRE_QUESTION_ACTIONS(NACRE_WORD_ROW) };
static const struct nacre_transition rows[] = { NACRE_QUESTION_ROWS(ROW) };

const struct nacre_machine nacre_question_machine =
	NACRE_MACHINE_OF("question", states, events, actions, rows);

#define WRITING (NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)

/* ---- the rank ------------------------------------------------------------------------------ */

int nacre_size_may_differ(const struct nacre_cap_rank *cap)
{
	return !!(cap->held & nacre_group_cover(NACRE_GROUP_FILE));
}

int nacre_size_is_written(const struct nacre_cap_rank *cap)
{
	return nacre_size_may_differ(cap) && (cap->wanted & WRITING);
}

void nacre_question_asked(struct nacre_question *question, __u64 ask_id)
{
	__u32 todo;

	if (nacre_machine_step(&nacre_question_machine, &question->state, NACRE_QUESTIONE_ASKED, &todo))
		return;
	question->ask_id = ask_id;
}

/* Is it about the cap that was asked, held still, and about the newest truncation (SIZE-3)? */
static int fits(const struct nacre_cap_rank *cap, const struct nacre_size *known,
		const struct nacre_size_report *report)
{
	return !(report->report_flags & NACRE_SIZE_REPORT_NONE) && cap && nacre_size_may_differ(cap) &&
	       cap->cap_id == report->cap_id && cap->gen == report->cap_gen &&
	       report->truncate_seq == known->truncate_seq;
}

int nacre_question_report(struct nacre_question *question, const struct nacre_cap_rank *cap,
			  const struct nacre_size *known, const struct nacre_size_report *report,
			  __u32 *todo)
{
	int good = fits(cap, known, report);

	*todo = 0;
	if (question->state != NACRE_QUESTION_ASKING || question->ask_id != report->ask_id)
		return 0;
	if (good)
		question->written = report->written;
	nacre_machine_step(&nacre_question_machine, &question->state,
			   good ? NACRE_QUESTIONE_REPORT : NACRE_QUESTIONE_NONE, todo);
	return good && !report->report_flags;
}

__u32 nacre_question_end(struct nacre_question *question, __u8 event)
{
	__u32 todo = 0;

	nacre_machine_step(&nacre_question_machine, &question->state, event, &todo);
	return todo;
}

/* ---- the writer ---------------------------------------------------------------------------- */

/* Has it values of FILE that the rank has not? */
static int has_news(const struct nacre_cap_client *cap)
{
	return !!((cap->dirty | cap->flushing) & NACRE_GROUP_FILE);
}

void nacre_size_report_make(const struct nacre_cap_client *cap, const struct nacre_size *size,
			    const struct nacre_size_ask *ask, struct nacre_size_report *report)
{
	memset(report, 0, sizeof(*report));
	report->ino = ask->ino;
	report->cap_id = ask->cap_id;
	report->ask_id = ask->ask_id;
	report->cap_gen = ask->cap_gen;
	if (!cap || !size || cap->cap_id != ask->cap_id || cap->gen != ask->cap_gen || cap->stale ||
	    !(cap->held & nacre_group_cover(NACRE_GROUP_FILE)) || !(cap->wanted & WRITING)) {
		report->report_flags = NACRE_SIZE_REPORT_NONE;
		return;
	}
	report->truncate_seq = size->truncate_seq;
	if (has_news(cap))
		report->size = size->size;
	else
		report->report_flags = NACRE_SIZE_REPORT_CLEAN;
}
