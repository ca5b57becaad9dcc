// SPDX-License-Identifier: GPL-2.0
/*
 * All state machines as tables: no transition twice, every state can be reached and left, every
 * word has its reason; and the walks through them that the drawings show.
 */
#include "../cmocka_all.h"
#include "protocol/rules/cap_client.h"
#include "protocol/rules/conn.h"
#include "protocol/rules/inline.h"
#include "protocol/rules/lock_table.h"
#include "protocol/rules/session.h"
#include "protocol/rules/size_report.h"

static const struct nacre_machine *const machines[] = {
	&nacre_session_machine, &nacre_rank_session_machine, &nacre_conn_dialler_machine,
	&nacre_conn_listener_machine, &nacre_lock_machine, &nacre_cap_client_machine,
	&nacre_inline_machine, &nacre_inline_rank_machine, &nacre_question_machine,
};

static void check_words(const struct nacre_machine_word *words, unsigned int count, int bits)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		assert_true(words[i].name[0] && words[i].doc[0]);
		if (bits)
			assert_true(words[i].value && !(words[i].value & (words[i].value - 1)));
		else
			assert_int_equal(words[i].value, i);
	}
}

static __u32 all_actions(const struct nacre_machine *m)
{
	__u32 all = 0;
	unsigned int i;

	for (i = 0; i < m->action_count; i++) {
		assert_false(all & m->actions[i].value);
		all |= m->actions[i].value;
	}
	return all;
}

static void check_rows(const struct nacre_machine *m)
{
	__u32 actions = all_actions(m);
	unsigned int i, j;

	for (i = 0; i < m->row_count; i++) {
		assert_true(m->rows[i].from < m->state_count && m->rows[i].to < m->state_count);
		assert_true(m->rows[i].event < m->event_count);
		assert_false(m->rows[i].actions & ~actions);
		for (j = 0; j < i; j++)
			if (m->rows[i].from == m->rows[j].from && m->rows[i].event == m->rows[j].event)
				fail_msg("%s: %s on %s is listed twice", m->name,
					 nacre_machine_state(m, m->rows[i].from),
					 nacre_machine_event(m, m->rows[i].event));
	}
}

/* AWAITED is where a journal replay puts a session; the cap's masks choose its state. */
static int is_entry(const struct nacre_machine *m, unsigned int state)
{
	return state == 0 || (m == &nacre_rank_session_machine && state == NACRE_RSES_AWAITED) ||
	       (m == &nacre_cap_client_machine && state == NACRE_CAPC_HELD) ||
	       (m == &nacre_inline_rank_machine && state == NACRE_INLINER_INLINE) ||
	       (m == &nacre_conn_listener_machine &&
		(state == NACRE_CONN_CONNECTING || state == NACRE_CONN_BACKOFF));
}

static void check_reachable(const struct nacre_machine *m)
{
	unsigned int i, round, state;
	__u32 seen = 0;

	for (state = 0; state < m->state_count; state++)
		if (is_entry(m, state))
			seen |= 1u << state;
	for (round = 0; round < m->state_count; round++)
		for (i = 0; i < m->row_count; i++)
			if (seen & 1u << m->rows[i].from)
				seen |= 1u << m->rows[i].to;
	for (state = 0; state < m->state_count; state++)
		if (!(seen & 1u << state))
			fail_msg("%s: nothing leads to %s", m->name, nacre_machine_state(m, (__u8)state));
}

static void machines_are_well_formed(void **state)
{
	unsigned int i;

	for (i = 0; i < COUNT_OF(machines); i++) {
		check_words(machines[i]->states, machines[i]->state_count, 0);
		check_words(machines[i]->events, machines[i]->event_count, 0);
		check_words(machines[i]->actions, machines[i]->action_count, 1);
		check_rows(machines[i]);
		check_reachable(machines[i]);
	}
}

static void machine_refuses_what_is_not_listed(void **state)
{
	__u8 s = NACRE_SESSION_NEW;
	__u32 actions = 77;

	assert_int_equal(nacre_machine_step(&nacre_session_machine, &s, NACRE_SESE_RENEWED, &actions),
			 -EINVAL);
	assert_int_equal(s, NACRE_SESSION_NEW);
	assert_int_equal(actions, 77);
	assert_false(nacre_machine_allows(&nacre_session_machine, s, NACRE_SESE_RENEWED));
	assert_true(nacre_machine_allows(&nacre_session_machine, s, NACRE_SESE_OPEN));
	assert_string_equal(nacre_machine_state(&nacre_session_machine, s), "NEW");
	assert_string_equal(nacre_machine_state(&nacre_session_machine, 99), "?");
	assert_string_equal(nacre_machine_event(&nacre_session_machine, NACRE_SESE_OPEN), "OPEN");
}

/* One walk: events, the states they lead to, and actions that must be among those asked for. */
struct stride {
	__u8 event;
	__u8 to;
	__u32 actions;
};

static void walk(const struct nacre_machine *m, __u8 from, const struct stride *strides, size_t count)
{
	__u8 s = from;
	__u32 actions;
	size_t i;

	for (i = 0; i < count; i++) {
		if (nacre_machine_step(m, &s, strides[i].event, &actions))
			fail_msg("%s: %s is illegal in %s", m->name,
				 nacre_machine_event(m, strides[i].event), nacre_machine_state(m, s));
		assert_int_equal(s, strides[i].to);
		assert_int_equal(actions & strides[i].actions, strides[i].actions);
	}
}
#define WALK(machine, from, ...)						\
	do {									\
		static const struct stride strides[] = { __VA_ARGS__ };		\
		walk(&machine, from, strides, COUNT_OF(strides));		\
	} while (0)

static void session_lease_and_reconnect(void **state)
{
	WALK(nacre_session_machine, NACRE_SESSION_NEW,
	     { NACRE_SESE_OPEN, NACRE_SESSION_OPENING, NACRE_SESA_SEND_OPEN },
	     { NACRE_SESE_REFUSED, NACRE_SESSION_OPENING, NACRE_SESA_RETRY_LATER },
	     { NACRE_SESE_OPENED, NACRE_SESSION_OPEN, NACRE_SESA_RESUME_IO },
	     { NACRE_SESE_LEASE_OUT, NACRE_SESSION_STALE, NACRE_SESA_STOP_IO },
	     { NACRE_SESE_RENEWED, NACRE_SESSION_OPEN, NACRE_SESA_RESUME_IO },
	     { NACRE_SESE_CONNECTED, NACRE_SESSION_OPEN, NACRE_SESA_RESEND },
	     { NACRE_SESE_INCARNATION, NACRE_SESSION_RECONNECTING, NACRE_SESA_SEND_CLAIMS },
	     { NACRE_SESE_LEASE_OUT, NACRE_SESSION_RECONNECTING, NACRE_SESA_STOP_IO },
	     { NACRE_SESE_RECONNECTED, NACRE_SESSION_OPEN, NACRE_SESA_RESUME_IO },
	     { NACRE_SESE_CLOSE, NACRE_SESSION_CLOSING, NACRE_SESA_SEND_CLOSE },
	     { NACRE_SESE_ENDED, NACRE_SESSION_CLOSED, NACRE_SESA_STOP_LEASE });
}

/* Whatever goes on, a killed session drops everything and can start anew; umount -f ends every state. */
static void session_kill_and_force_everywhere(void **state)
{
	__u8 s, at;
	__u32 actions;

	for (s = NACRE_SESSION_OPENING; s <= NACRE_SESSION_CLOSING; s++) {
		at = s;
		assert_int_equal(nacre_machine_step(&nacre_session_machine, &at, NACRE_SESE_KILLED,
						    &actions), 0);
		assert_true(actions & NACRE_SESA_DROP);
		assert_true(at == NACRE_SESSION_KILLED || at == NACRE_SESSION_CLOSED);
	}
	for (s = NACRE_SESSION_NEW; s <= NACRE_SESSION_KILLED; s++) {
		at = s;
		assert_int_equal(nacre_machine_step(&nacre_session_machine, &at, NACRE_SESE_FORCE,
						    &actions), 0);
		assert_int_equal(at, NACRE_SESSION_CLOSED);
	}
	assert_true(nacre_session_may_io(NACRE_SESSION_OPEN, 0));
	assert_false(nacre_session_may_io(NACRE_SESSION_OPEN, 1));
	assert_false(nacre_session_may_io(NACRE_SESSION_STALE, 0));
}

static void rank_session_life(void **state)
{
	WALK(nacre_rank_session_machine, NACRE_RSES_NONE,
	     { NACRE_RSESE_RENEW, NACRE_RSES_NONE, NACRE_RSESA_STATE_GONE },
	     { NACRE_RSESE_OPEN, NACRE_RSES_OPENING, NACRE_RSESA_JOURNAL },
	     { NACRE_RSESE_JOURNALED, NACRE_RSES_OPEN, NACRE_RSESA_STATE_OK },
	     { NACRE_RSESE_LEASE_OUT, NACRE_RSES_STALE, NACRE_RSESA_CONSIDER_EVICT },
	     { NACRE_RSESE_RENEW, NACRE_RSES_OPEN, NACRE_RSESA_START_LEASE },
	     { NACRE_RSESE_CLOSE, NACRE_RSES_CLOSING, NACRE_RSESA_JOURNAL },
	     { NACRE_RSESE_JOURNALED, NACRE_RSES_NONE, NACRE_RSESA_FREE });
}

/* FENCE-2: caps are freed only after the fence is in the map and recovery is over. */
static void rank_session_fence_2(void **state)
{
	__u8 s, at;
	__u32 actions;

	WALK(nacre_rank_session_machine, NACRE_RSES_AWAITED,
	     { NACRE_RSESE_CLAIMS, NACRE_RSES_CLAIMING, NACRE_RSESA_TAKE_CLAIMS },
	     { NACRE_RSESE_WINDOW_OUT, NACRE_RSES_EVICTING, NACRE_RSESA_FENCE },
	     { NACRE_RSESE_RENEW, NACRE_RSES_EVICTING, NACRE_RSESA_KILLED },
	     { NACRE_RSESE_FENCE, NACRE_RSES_FENCED, NACRE_RSESA_RECOVER },
	     { NACRE_RSESE_OPEN, NACRE_RSES_FENCED, NACRE_RSESA_KILLED },
	     { NACRE_RSESE_RECOVERED, NACRE_RSES_NONE, NACRE_RSESA_FREE });
	for (s = NACRE_RSES_OPENING; s <= NACRE_RSES_FENCED; s++) {
		if (s == NACRE_RSES_CLOSING)
			continue;
		at = s;
		assert_int_equal(nacre_machine_step(&nacre_rank_session_machine, &at,
						    NACRE_RSESE_EVICT, &actions), 0);
		assert_false(actions & NACRE_RSESA_FREE);
	}
	assert_true(nacre_rank_session_serves(NACRE_RSES_CLAIMING));
	assert_false(nacre_rank_session_serves(NACRE_RSES_EVICTING));
}

/* Sessions of both ends together: a client that loses its rank and comes back. */
static void session_ends_agree(void **state)
{
	__u8 client = NACRE_SESSION_OPEN, rank = NACRE_RSES_AWAITED;
	__u32 ca, ra;

	assert_int_equal(nacre_machine_step(&nacre_session_machine, &client, NACRE_SESE_INCARNATION, &ca), 0);
	assert_true(ca & NACRE_SESA_SEND_CLAIMS);
	assert_int_equal(nacre_machine_step(&nacre_rank_session_machine, &rank, NACRE_RSESE_CLAIMS, &ra), 0);
	assert_int_equal(nacre_machine_step(&nacre_rank_session_machine, &rank, NACRE_RSESE_CLAIMS, &ra), 0);
	assert_int_equal(nacre_machine_step(&nacre_rank_session_machine, &rank, NACRE_RSESE_DONE, &ra), 0);
	assert_true(ra & NACRE_RSESA_STATE_OK);
	assert_int_equal(nacre_machine_step(&nacre_session_machine, &client, NACRE_SESE_RECONNECTED, &ca), 0);
	assert_int_equal(client, NACRE_SESSION_OPEN);
	assert_int_equal(rank, NACRE_RSES_OPEN);
}

static void conn_dialler_life(void **state)
{
	WALK(nacre_conn_dialler_machine, NACRE_CONN_IDLE,
	     { NACRE_CONNE_DIAL, NACRE_CONN_CONNECTING, NACRE_CONNA_CONNECT },
	     { NACRE_CONNE_DOWN, NACRE_CONN_BACKOFF, NACRE_CONNA_PAUSE },
	     { NACRE_CONNE_TIMEOUT, NACRE_CONN_CONNECTING, NACRE_CONNA_CONNECT },
	     { NACRE_CONNE_TCP_UP, NACRE_CONN_HELLO_SENT, NACRE_CONNA_SEND_HELLO },
	     { NACRE_CONNE_WELCOME, NACRE_CONN_READY, NACRE_CONNA_UP },
	     { NACRE_CONNE_BAD, NACRE_CONN_BACKOFF, NACRE_CONNA_COMPLAIN | NACRE_CONNA_LOST },
	     { NACRE_CONNE_TIMEOUT, NACRE_CONN_CONNECTING, NACRE_CONNA_CONNECT },
	     { NACRE_CONNE_TCP_UP, NACRE_CONN_HELLO_SENT, NACRE_CONNA_SEND_HELLO },
	     { NACRE_CONNE_REFUSED, NACRE_CONN_CLOSED, NACRE_CONNA_FAILED });
}

static void conn_listener_life(void **state)
{
	WALK(nacre_conn_listener_machine, NACRE_CONN_IDLE,
	     { NACRE_CONNE_ACCEPT, NACRE_CONN_HELLO_WAIT, NACRE_CONNA_TIMER },
	     { NACRE_CONNE_HELLO, NACRE_CONN_READY, NACRE_CONNA_SEND_REPLY },
	     { NACRE_CONNE_BAD, NACRE_CONN_CLOSED, NACRE_CONNA_HANG_UP | NACRE_CONNA_COMPLAIN });
	WALK(nacre_conn_listener_machine, NACRE_CONN_IDLE,
	     { NACRE_CONNE_ACCEPT, NACRE_CONN_HELLO_WAIT, NACRE_CONNA_TIMER },
	     { NACRE_CONNE_REFUSED, NACRE_CONN_CLOSED, NACRE_CONNA_SEND_REPLY });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machines_are_well_formed),
		cmocka_unit_test(machine_refuses_what_is_not_listed),
		cmocka_unit_test(session_lease_and_reconnect),
		cmocka_unit_test(session_kill_and_force_everywhere),
		cmocka_unit_test(rank_session_life),
		cmocka_unit_test(rank_session_fence_2),
		cmocka_unit_test(session_ends_agree),
		cmocka_unit_test(conn_dialler_life),
		cmocka_unit_test(conn_listener_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
