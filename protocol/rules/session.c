// SPDX-License-Identifier: GPL-2.0
/* The session machines' tables, made from the lists in session.h. */
#include "session.h"

#define ROW(from_, event_, to_, actions_)						\
	{ NACRE_SESSION_##from_, NACRE_SESE_##event_, NACRE_SESSION_##to_, actions_ },

static const struct nacre_machine_word client_states[] = { NACRE_SESSION_STATES(NACRE_WORD_ROW) };
static const struct nacre_machine_word client_events[] = { NACRE_SESSION_EVENTS(NACRE_WORD_ROW) };
static const struct nacre_machine_word client_actions[] = { NACRE_SESSION_ACTIONS(NACRE_WORD_ROW) };
static const struct nacre_transition client_rows[] = { NACRE_SESSION_ROWS(ROW) };

const struct nacre_machine nacre_session_machine =
	NACRE_MACHINE_OF("session", client_states, client_events, client_actions, client_rows);

int nacre_session_may_io(__u8 state, int io_stopped)
{
	return !io_stopped && (state == NACRE_SESSION_OPEN || state == NACRE_SESSION_RECONNECTING ||
			       state == NACRE_SESSION_CLOSING);
}

#undef ROW
#define ROW(from_, event_, to_, actions_)						\
	{ NACRE_RSES_##from_, NACRE_RSESE_##event_, NACRE_RSES_##to_, actions_ },

static const struct nacre_machine_word rank_states[] = { NACRE_RANK_SESSION_STATES(NACRE_WORD_ROW) };
static const struct nacre_machine_word rank_events[] = { NACRE_RANK_SESSION_EVENTS(NACRE_WORD_ROW) };
static const struct nacre_machine_word rank_actions[] = {
	NACRE_RANK_SESSION_ACTIONS(NACRE_WORD_ROW)
};
static const struct nacre_transition rank_rows[] = { NACRE_RANK_SESSION_ROWS(ROW) };

const struct nacre_machine nacre_rank_session_machine =
	NACRE_MACHINE_OF("rank session", rank_states, rank_events, rank_actions, rank_rows);

int nacre_rank_session_serves(__u8 state)
{
	return state == NACRE_RSES_OPEN || state == NACRE_RSES_STALE ||
	       state == NACRE_RSES_CLAIMING;
}
