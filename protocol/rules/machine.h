/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A state machine as data: a list of transitions, and the one function that walks
 * it. The session, connection, cap and lock machines declare their states, events,
 * actions and transitions as lists in their headers; constant table, names and the
 * pictures in the manual are made from these lists. What is not listed is illegal.
 */
#ifndef NACRE_RULES_MACHINE_H
#define NACRE_RULES_MACHINE_H

#include <linux/types.h>

/* "In state `from`, on `event`: go to `to` and do `actions`." */
struct nacre_transition {
	__u8 from;
	__u8 event;
	__u8 to;
	__u32 actions;			/* bits of the machine's action enum */
};

/* A named constant of a machine, with its reason. */
struct nacre_machine_word {
	__u32 value;			/* state, event, or action bit */
	const char *name;
	const char *doc;
};

struct nacre_machine {
	const char *name;
	const struct nacre_machine_word *states;
	const struct nacre_machine_word *events;
	const struct nacre_machine_word *actions;
	const struct nacre_transition *rows;
	__u16 state_count;
	__u16 event_count;
	__u16 action_count;
	__u16 row_count;
};

/*
 * Take one step. 0: *state is the new state, *actions what to do; -EINVAL: the
 * event is illegal in this state, nothing has changed.
 */
int nacre_machine_step(const struct nacre_machine *machine, __u8 *state, __u8 event,
		       __u32 *actions);

/* Would a step be legal? 1 or 0. */
int nacre_machine_allows(const struct nacre_machine *machine, __u8 state, __u8 event);

/* Names for traces and the manual; "?" for an unknown value. */
const char *nacre_machine_state(const struct nacre_machine *machine, __u8 state);
const char *nacre_machine_event(const struct nacre_machine *machine, __u8 event);

/*
 * A machine declares the lists STATES(W), EVENTS(W) and ACTIONS(W) of W(value, NAME, doc), and
 * ROWS(T) of T(FROM, EVENT, TO, actions). Its .c file turns them into tables with
 * these: the words, and a static machine made of four tables.
 */
#define NACRE_WORD_ROW(value_, name_, doc_) { value_, #name_, doc_ },
#define NACRE_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NACRE_MACHINE_OF(name_, states_, events_, actions_, rows_)		\
	{									\
		.name = name_,							\
		.states = states_, .state_count = NACRE_COUNT_OF(states_),	\
		.events = events_, .event_count = NACRE_COUNT_OF(events_),	\
		.actions = actions_, .action_count = NACRE_COUNT_OF(actions_),	\
		.rows = rows_, .row_count = NACRE_COUNT_OF(rows_),		\
	}

#endif
