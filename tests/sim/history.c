// SPDX-License-Identifier: GPL-2.0
/*
 * Turns calls into register events. The table of what a call means is
 * events.c; here are registers, calls, lives, and what is safe when a life
 * ends. See history.h.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "history_state.h"

const char *const history_names[NAMES_MAX] = {
	"d0", "d1", "d2", "f0", "f1", "f2", "f3", "f4", "f5", "f6", "l0", "l1", "l2", "s0", "s1",
	"a-name-that-is-longer-than-the-others-and-has-a-\xc3\xa9",
};

unsigned int history_name_number(const char *name)
{
	unsigned int i = 0;

	while (i < NAMES_MAX && strcmp(history_names[i], name))
		i++;
	return i;
}

void history_may_be_refused(struct history *history, bool quotas)
{
	history->quotas = quotas;
}

struct history *history_create(void)
{
	struct history *history = calloc(1, sizeof(*history));

	assert(history);
	return history;
}

void history_destroy(struct history *history)
{
	struct reg *reg, *next;
	uint32_t i;

	HASH_ITER(hh, history->registers, reg, next) {
		HASH_DEL(history->registers, reg);
		register_free(&reg->log);
		free(reg);
	}
	for (i = 0; i < history->op_count; i++)
		free(history->ops[i].refs);
	free(history->ops);
	free(history);
}

static struct reg *find_reg(struct history *history, const struct reg_key *key)
{
	struct reg *reg;

	HASH_FIND(hh, history->registers, key, sizeof(*key), reg);
	return reg;
}

struct reg *history_reg(struct history *history, enum reg_kind kind, uint64_t ino, uint32_t sub)
{
	struct reg_key key;
	struct reg *reg;

	memset(&key, 0, sizeof(key));
	key.kind = kind;
	key.ino = ino;
	key.sub = sub;
	reg = find_reg(history, &key);
	if (reg)
		return reg;
	reg = calloc(1, sizeof(*reg));
	assert(reg);
	reg->key = key;
	HASH_ADD(hh, history->registers, key, sizeof(reg->key), reg);
	return reg;
}

void history_add(struct history *history, struct op *op, struct reg *reg, enum register_op what,
		 uint64_t a, uint64_t b)
{
	struct register_event event = {
		.begin_ns = op->begin_ns, .end_ns = op->end_ns, .op = what, .a = a, .b = b,
		.life = op->life, .call = (uint32_t)(op - history->ops), .maybe = op->maybe,
	};

	op->refs = realloc(op->refs, (op->ref_count + 1) * sizeof(*op->refs));
	assert(op->refs);
	op->refs[op->ref_count++] = (struct event_ref){ reg, reg->log.count };
	register_add(&reg->log, &event);
	history->counts.events++;
}

uint32_t history_born(struct history *history)
{
	return ++history->lives;
}

uint32_t history_begin(struct history *history, uint32_t life, const struct client_call *call,
		       uint64_t now_ns)
{
	struct op *op;

	if (history->op_count == history->op_room) {
		history->op_room = history->op_room ? history->op_room * 2 : 4096;
		history->ops = realloc(history->ops, history->op_room * sizeof(*op));
		assert(history->ops);
	}
	op = &history->ops[history->op_count];
	memset(op, 0, sizeof(*op));
	op->call = call;
	op->kind = call->kind;
	op->life = life;
	op->ino = call->ino;
	op->offset = call->offset;
	op->length = call->length;
	op->begin_ns = now_ns;
	op->end_ns = REGISTER_NEVER;
	history->counts.calls++;
	return history->op_count++;
}

static bool is_change(const struct op *op)
{
	switch (op->kind) {
	case CLIENT_CREATE:
	case CLIENT_TMPFILE:
	case CLIENT_MKDIR:
	case CLIENT_SYMLINK:
	case CLIENT_LINK:
	case CLIENT_UNLINK:
	case CLIENT_RMDIR:
	case CLIENT_RENAME:
	case CLIENT_SETATTR:
	case CLIENT_SETXATTR:
	case CLIENT_RMXATTR:
	case CLIENT_WRITE:
	case CLIENT_APPEND:
	case CLIENT_ALLOCATE:
		return true;
	default:
		return false;
	}
}

static bool is_write(const struct op *op)
{
	return op->kind == CLIENT_WRITE || op->kind == CLIENT_APPEND || op->kind == CLIENT_ALLOCATE;
}

/* An fsync (or sync: ino 0) that began at begin_ns has ended well. */
static void synced(struct history *history, uint32_t life, uint64_t ino, uint64_t begin_ns)
{
	struct op *op;
	uint32_t i;

	for (i = 0; i < history->op_count; i++) {
		op = &history->ops[i];
		if (op->life == life && op->end_ns <= begin_ns && (!ino || op->ino == ino))
			op->safe = true;
	}
}

/* It may have been done, or not, or may yet be done by what is still under way. */
static void unanswered(struct history *history, struct op *op)
{
	op->maybe = true;
	history->counts.maybe++;
	history_events_unanswered(history, op, op->call);
	if (is_write(op))
		history_events_torn(history, op);
	op->call = NULL;
}

const char *history_end(struct history *history, uint32_t number, uint64_t now_ns)
{
	struct op *op = &history->ops[number];
	const struct client_call *call = op->call;
	const char *wrong;

	if (is_change(op) && call->result == -ESTALE) {
		unanswered(history, op);
		return NULL;
	}
	op->end_ns = now_ns;
	op->tid = call->tid;
	op->safe = !is_change(op) || call->result || (is_write(op) && !call->local);
	history->counts.answered++;
	history->counts.failed += call->result != 0;
	wrong = history_events(history, op, call);
	if (!call->result && op->kind == CLIENT_FSYNC)
		synced(history, op->life, op->ino, op->begin_ns);
	if (!call->result && (op->kind == CLIENT_SYNC || op->kind == CLIENT_UNMOUNT))
		synced(history, op->life, 0, op->begin_ns);
	op->call = NULL;
	return wrong;
}

static void make_maybe(struct history *history, struct op *op)
{
	struct register_event *event;
	size_t i;

	op->maybe = true;
	history->counts.maybe++;
	for (i = 0; i < op->ref_count; i++) {
		event = &op->refs[i].reg->log.events[op->refs[i].index];
		event->maybe = true;
		/* its pages may have come before those of the append before it */
		if (op->kind == CLIENT_APPEND && event->op == REG_SWAP) {
			event->op = REG_RAISE;
			event->a = event->b;
		}
	}
	if (is_write(op))
		history_events_torn(history, op);
}

void history_died(struct history *history, uint32_t life, const struct client *client)
{
	struct op *op;
	uint32_t i;

	for (i = 0; i < history->op_count; i++) {
		op = &history->ops[i];
		if (op->life != life || !is_change(op) || op->maybe)
			continue;
		if (op->call)
			unanswered(history, op);
		else if (!op->safe && !(op->tid && client_is_safe(client, op->tid)))
			make_maybe(history, op);
	}
}

/* ---- data ------------------------------------------------------------------------- */

uint64_t history_cell_word(uint32_t number, uint64_t cell)
{
	return (uint64_t)(number + 1) << 16 | (cell & 0xffff);
}

void history_fill(uint32_t number, uint64_t offset, void *data, size_t length)
{
	uint64_t *words = data;
	size_t i;

	for (i = 0; i < length / sizeof(*words); i++)
		words[i] = history_cell_word(number, (offset + i * sizeof(*words)) / CELL_BYTES);
}

/* ---- the check ---------------------------------------------------------------------- */

static const char *const kind_names[] = {
	[REG_NAME] = "name", [REG_MODE] = "mode", [REG_FLAGS] = "flags", [REG_XATTR] = "xattr", [REG_SIZE] = "size",
	[REG_CELL] = "cell",
};

static void print_register(struct history *history, struct reg *reg,
			   const struct register_event *stuck, FILE *out)
{
	const struct op *op = &history->ops[stuck->call];

	fprintf(out, "no order explains the %s %" PRIx64 "/%s%u: stuck at call %u (%s)\n",
		kind_names[reg->key.kind], reg->key.ino,
		reg->key.kind == REG_NAME ? history_names[reg->key.sub] : "", reg->key.sub,
		stuck->call, client_call_name(op->kind));
	register_print(&reg->log, out);
}

#define INO_UNSEEN UINT64_MAX	/* something was there, and gone before anyone was told its number */

/* Some call was told that it made this inode; then no other did. */
static bool is_birth_known(struct history *history, uint64_t ino)
{
	struct reg_key key;
	struct reg *mode;

	memset(&key, 0, sizeof(key));
	key.kind = REG_MODE;
	key.ino = ino;
	mode = find_reg(history, &key);
	return mode && mode->initial;
}

static void add_value(struct history *history, struct register_log *log, uint64_t value)
{
	size_t i;

	for (i = 0; i < log->value_count; i++)
		if (log->values[i].value == value)
			return;
	log->values = realloc(log->values, (log->value_count + 1) * sizeof(*log->values));
	assert(log->values);
	log->values[log->value_count++] =
		(struct register_value){ value, !is_birth_known(history, value) };
}

/*
 * An unanswered create or rename put an inode there whose number nobody was
 * told: a create one that no other call made, a rename any that was ever seen.
 */
static void explain_unknown(struct history *history, struct reg *reg)
{
	size_t i, w, count = reg->log.count;
	const struct register_event *event;
	enum register_op what;

	if (reg->unknown_count)
		add_value(history, &reg->log, INO_UNSEEN);
	for (i = 0; reg->unknown_count && i < count; i++) {
		event = &reg->log.events[i];
		if ((event->op == REG_READ || event->op == REG_SWAP) && event->a)
			add_value(history, &reg->log, event->a);
	}
	for (w = 0; w < reg->unknown_count; w++) {
		what = reg->unknown[w].over_existing ? REG_SET_ANY : REG_SWAP_ANY;
		history_add(history, &history->ops[reg->unknown[w].op], reg, what, 0, 0);
	}
}

bool history_check(struct history *history, FILE *out)
{
	struct register_event stuck;
	struct reg *reg, *next;

	HASH_ITER(hh, history->registers, reg, next) {
		history->counts.registers++;
		if (reg->key.kind == REG_MODE && !reg->initial)
			continue;
		explain_unknown(history, reg);
		if (!register_check(&reg->log, reg->initial, &stuck)) {
			print_register(history, reg, &stuck, out);
			return false;
		}
	}
	return true;
}

struct history_counts history_counts(const struct history *history)
{
	return history->counts;
}
