/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is a history of operations on one value linearizable? A *register* is one
 * thing that concurrent clients read and change: a name in a directory, the mode
 * of an inode, one cell of a file. Every operation has an interval; there must
 * be an order of all of them, each at one point inside its interval, in which
 * every result is right (Herlihy and Wing 1990).
 *
 * Operations of a client that died are *maybe*: they happened inside their
 * interval, or never. What such a client itself read of them proves nothing.
 */
#ifndef NACRE_SIM_REGISTER_H
#define NACRE_SIM_REGISTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define REGISTER_NEVER UINT64_MAX	/* end of an operation that was not answered */

enum register_op {
	REG_READ,		/* saw a */
	REG_READ_NOT,		/* saw something else than a */
	REG_READ_AT_LEAST,
	REG_READ_AT_MOST,
	REG_SET,		/* becomes a */
	REG_SWAP,		/* was a, becomes b */
	REG_RAISE,		/* becomes the larger of it and a */
	REG_SET_ANY,		/* becomes one of the log's values, nobody was told which */
	REG_SWAP_ANY,		/* was 0, becomes one of the log's fresh values */
};

struct register_event {
	uint64_t begin_ns, end_ns;
	enum register_op op;
	uint64_t a, b;
	uint32_t life;		/* which client's life it belongs to */
	uint32_t call;		/* for the report */
	bool maybe;
};

/* What an operation whose effect nobody was told may have put here. */
struct register_value {
	uint64_t value;
	bool fresh;		/* no call was told that it made it */
};

struct register_log {
	struct register_event *events;
	size_t count, room;
	struct register_value *values;
	size_t value_count;
};

void register_add(struct register_log *log, const struct register_event *event);
void register_free(struct register_log *log);

/*
 * Check a log from an initial value. True when it is linearizable. Otherwise
 * *ret_stuck is the event that no order can explain. Reorders and drops
 * events of the log.
 */
bool register_check(struct register_log *log, uint64_t initial, struct register_event *ret_stuck);

void register_print(const struct register_log *log, FILE *out);

#endif
