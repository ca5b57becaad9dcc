/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of a history: what history.c and events.c share. */
#ifndef NACRE_SIM_HISTORY_STATE_H
#define NACRE_SIM_HISTORY_STATE_H

#include <uthash.h>
#include "history.h"

enum reg_kind { REG_NAME, REG_MODE, REG_FLAGS, REG_XATTR, REG_SIZE, REG_CELL };

struct reg_key {
	uint64_t ino;			/* directory, or inode */
	uint32_t kind;
	uint32_t sub;			/* number of a name, or of a cell */
};

#define UNKNOWN_MAX 16

struct reg {
	UT_hash_handle hh;
	struct reg_key key;
	uint64_t initial;
	struct register_log log;
	/* unanswered calls that put an inode of unknown number here */
	struct {
		uint32_t op;
		bool over_existing;
	} unknown[UNKNOWN_MAX];
	size_t unknown_count;
};

/* Where an event of an operation stands. */
struct event_ref {
	struct reg *reg;
	size_t index;
};

/* One call, as far as it matters after its end. */
struct op {
	const struct client_call *call;	/* while it is under way */
	enum client_call_kind kind;
	uint32_t life;
	uint64_t ino, tid;
	uint64_t offset, length;	/* of a write */
	uint64_t begin_ns, end_ns;
	bool safe, maybe;
	struct event_ref *refs;
	size_t ref_count;
};

struct history {
	struct reg *registers;
	struct op *ops;
	uint32_t op_count, op_room;
	uint32_t lives;
	struct history_counts counts;
	bool quotas;			/* calls may be refused for want of room in a quota */
};

struct reg *history_reg(struct history *history, enum reg_kind kind, uint64_t ino, uint32_t sub);
void history_add(struct history *history, struct op *op, struct reg *reg, enum register_op what,
		 uint64_t a, uint64_t b);
/* Events of a write that a crash may have torn between objects. */
void history_events_torn(struct history *history, struct op *op);
uint64_t history_cell_word(uint32_t number, uint64_t cell);

/* events.c: what an answered call says. NULL, or what is wrong with the answer. */
const char *history_events(struct history *history, struct op *op, const struct client_call *call);
/* What a call that was never answered may have done. */
void history_events_unanswered(struct history *history, struct op *op,
			       const struct client_call *call);

#endif
