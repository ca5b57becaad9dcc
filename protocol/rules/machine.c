// SPDX-License-Identifier: GPL-2.0
/* Walking a machine's list of transitions. See machine.h. */
#include <linux/errno.h>
#include <linux/string.h>
#include "machine.h"

static const struct nacre_transition *find(const struct nacre_machine *machine, __u8 state,
					   __u8 event)
{
	const struct nacre_transition *row = machine->rows;
	const struct nacre_transition *end = row + machine->row_count;

	for (; row < end; row++)
		if (row->from == state && row->event == event)
			return row;
	return NULL;
}

int nacre_machine_step(const struct nacre_machine *machine, __u8 *state, __u8 event,
		       __u32 *actions)
{
	const struct nacre_transition *row = find(machine, *state, event);

	if (!row)
		return -EINVAL;
	*state = row->to;
	*actions = row->actions;
	return 0;
}

int nacre_machine_allows(const struct nacre_machine *machine, __u8 state, __u8 event)
{
	return find(machine, state, event) != NULL;
}

static const char *word(const struct nacre_machine_word *words, __u16 count, __u32 value)
{
	__u16 i;

	for (i = 0; i < count; i++)
		if (words[i].value == value)
			return words[i].name;
	return "?";
}

const char *nacre_machine_state(const struct nacre_machine *machine, __u8 state)
{
	return word(machine->states, machine->state_count, state);
}

const char *nacre_machine_event(const struct nacre_machine *machine, __u8 event)
{
	return word(machine->events, machine->event_count, event);
}
