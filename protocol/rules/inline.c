// SPDX-License-Identifier: GPL-2.0
/* Inline data: the two machines' tables, and the steps of the client's. See inline.h. */
#include "inline.h"

#define ROW(from_, event_, to_, actions_)						\
	{ NACRE_INLINE_##from_, NACRE_INLINEE_##event_, NACRE_INLINE_##to_, actions_ },

static const struct nacre_machine_word client_states[] = { NACRE_INLINE_STATES(NACRE_WORD_ROW) };
static const struct nacre_machine_word client_events[] = { NACRE_INLINE_EVENTS(NACRE_WORD_ROW) };
static const struct nacre_machine_word client_actions[] = { NACRE_INLINE_ACTIONS(NACRE_WORD_ROW) };
static const struct nacre_transition client_rows[] = { NACRE_INLINE_ROWS(ROW) };

const struct nacre_machine nacre_inline_machine =
	NACRE_MACHINE_OF("inline data", client_states, client_events, client_actions, client_rows);

#undef ROW
#define ROW(from_, event_, to_, actions_)						\
	{ NACRE_INLINER_##from_, NACRE_INLINERE_##event_, NACRE_INLINER_##to_, actions_ },

static const struct nacre_machine_word rank_states[] = { NACRE_INLINE_RANK_STATES(NACRE_WORD_ROW) };
static const struct nacre_machine_word rank_events[] = { NACRE_INLINE_RANK_EVENTS(NACRE_WORD_ROW) };
static const struct nacre_machine_word rank_actions[] = { NACRE_INLINE_RANK_ACTIONS(NACRE_WORD_ROW) };
static const struct nacre_transition rank_rows[] = { NACRE_INLINE_RANK_ROWS(ROW) };

const struct nacre_machine nacre_inline_rank_machine =
	NACRE_MACHINE_OF("rank inline data", rank_states, rank_events, rank_actions, rank_rows);

/* An event that is not listed changes nothing: nothing that a peer says leads to one. */
static __u32 step(struct nacre_inline_client *file, __u8 event)
{
	__u32 actions = 0;

	nacre_machine_step(&nacre_inline_machine, &file->state, event, &actions);
	return actions;
}

__u32 nacre_inline_told(struct nacre_inline_client *file, __u64 inline_gen, int has_data)
{
	if (!inline_gen)
		return step(file, NACRE_INLINEE_TOLD_NONE);
	if (!has_data)
		return 0;
	if (file->state == NACRE_INLINE_UNKNOWN)
		file->gen = inline_gen;
	return step(file, NACRE_INLINEE_TOLD_INLINE);
}

int nacre_inline_is_in(const struct nacre_inline_client *file)
{
	return file->state == NACRE_INLINE_INLINE || file->state == NACRE_INLINE_LEAVING;
}

int nacre_inline_needs_guard(const struct nacre_inline_client *file)
{
	return nacre_inline_is_in(file);
}

void nacre_inline_guard_sent(struct nacre_inline_client *file)
{
	file->guards++;
	step(file, NACRE_INLINEE_GUARD);
}

__u32 nacre_inline_guard_answered(struct nacre_inline_client *file, int good)
{
	file->guards--;
	if (good)
		return step(file, NACRE_INLINEE_MARKED);
	return file->guards ? 0 : step(file, NACRE_INLINEE_FAILED);
}

__u32 nacre_inline_seen(struct nacre_inline_client *file)
{
	return step(file, NACRE_INLINEE_SEEN);
}

int nacre_inline_says_left(struct nacre_inline_client *file, __u64 flush_id)
{
	if (file->state != NACRE_INLINE_LEFT)
		return 0;
	if (!file->said_flush)
		file->said_flush = flush_id;
	return 1;
}

int nacre_inline_says_data(const struct nacre_inline_client *file, int news)
{
	return news && nacre_inline_is_in(file);
}

void nacre_inline_flushed(struct nacre_inline_client *file, __u64 flush_id)
{
	if (!file->said_flush || flush_id < file->said_flush)
		return;
	file->said_flush = 0;
	step(file, NACRE_INLINEE_SAFE);
}

__u32 nacre_inline_lost(struct nacre_inline_client *file)
{
	file->said_flush = 0;
	return step(file, NACRE_INLINEE_LOST);
}

__u8 nacre_inline_rank_state(__u64 inline_gen, int probe)
{
	if (!inline_gen)
		return NACRE_INLINER_NONE;
	return probe ? NACRE_INLINER_UNSURE : NACRE_INLINER_INLINE;
}
