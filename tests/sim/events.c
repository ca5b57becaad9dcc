// SPDX-License-Identifier: GPL-2.0
/*
 * What each kind of call means for which register. An error that says
 * something about a register is an observation of it; one that only says
 * that the inode is gone by now (ENOENT of a call by number, ESTALE) says nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "history_state.h"
#include "protocol/rules/quota.h"

static struct reg *name_reg(struct history *history, uint64_t dir, const char *name)
{
	return history_reg(history, REG_NAME, dir, history_name_number(name));
}

/* ---- names ------------------------------------------------------------------------ */

static void saw_lookup(struct history *history, struct op *op, const struct client_call *call)
{
	struct reg *reg = name_reg(history, call->ino, call->name);

	if (!call->result)
		history_add(history, op, reg, REG_READ, call->attr.ino, 0);
	else if (call->result == -ENOENT)
		history_add(history, op, reg, REG_READ, 0, 0);
}

/* A new inode: its mode is as given, for the first time. */
static void born(struct history *history, const struct client_call *call, uint32_t type)
{
	struct reg *reg = history_reg(history, REG_MODE, call->attr.ino, 0);

	reg->initial = type | (call->mode & 07777);
}

static void saw_create(struct history *history, struct op *op, const struct client_call *call,
		       uint32_t type)
{
	struct reg *reg = name_reg(history, call->ino, call->name);

	if (call->result == -EEXIST || call->result == -EISDIR) {
		history_add(history, op, reg, REG_READ_NOT, 0, 0);
	} else if (!call->result && type == S_IFREG && !call->created) {
		history_add(history, op, reg, REG_READ, call->attr.ino, 0);
	} else if (!call->result) {
		history_add(history, op, reg, REG_SWAP, 0, call->attr.ino);
		born(history, call, type);
	}
}

static void saw_link(struct history *history, struct op *op, const struct client_call *call)
{
	struct reg *reg = name_reg(history, call->ino, call->name);

	if (call->result == -EEXIST)
		history_add(history, op, reg, REG_READ_NOT, 0, 0);
	else if (!call->result)
		history_add(history, op, reg, REG_SWAP, 0, call->ino2);
}

/* The answer to a re-sent removal may come when its victim is long gone: then it names none. */
static void saw_removal(struct history *history, struct op *op, const struct client_call *call)
{
	struct reg *reg = name_reg(history, call->ino, call->name);

	switch (call->result) {
	case 0:
		if (call->attr.ino)
			history_add(history, op, reg, REG_SWAP, call->attr.ino, 0);
		else
			history_add(history, op, reg, REG_SET, 0, 0);
		break;
	case -ENOENT:
		history_add(history, op, reg, REG_READ, 0, 0);
		break;
	case -EISDIR:
	case -ENOTDIR:
	case -ENOTEMPTY:
		history_add(history, op, reg, REG_READ_NOT, 0, 0);
		break;
	}
}

static const char *saw_rename(struct history *history, struct op *op,
			      const struct client_call *call)
{
	struct reg *from = name_reg(history, call->ino, call->name);
	struct reg *to = name_reg(history, call->ino2, call->name2);

	if (call->result == -EEXIST)
		history_add(history, op, to, REG_READ_NOT, 0, 0);
	if (call->result)
		return NULL;
	if (!call->attr.ino) {
		history_events_unanswered(history, op, call);
		return NULL;
	}
	if (from == to) {
		history_add(history, op, from, REG_READ, call->attr.ino, 0);
		return NULL;
	}
	history_add(history, op, from, REG_SWAP, call->attr.ino, 0);
	if (call->flags & NACRE_RENAME_NOREPLACE)
		history_add(history, op, to, REG_SWAP, 0, call->attr.ino);
	else
		history_add(history, op, to, REG_SET, call->attr.ino, 0);
	return NULL;
}

/* A listing is no snapshot, but each name of it is an observation. */
static const char *saw_readdir(struct history *history, struct op *op,
			       const struct client_call *call)
{
	uint64_t found[NAMES_MAX] = { 0 };
	unsigned int number;
	size_t i;

	if (call->result)
		return NULL;
	for (i = 0; i < call->entry_count; i++) {
		number = history_name_number(call->entries[i].name);
		if (number == NAMES_MAX)
			return "a listing has a name that nobody made";
		if (found[number])
			return "a listing has a name twice";
		found[number] = call->entries[i].ino;
	}
	for (number = 0; number < NAMES_MAX; number++)
		history_add(history, op, history_reg(history, REG_NAME, call->ino, number),
			    REG_READ, found[number], 0);
	return NULL;
}

/* ---- attributes --------------------------------------------------------------------- */

static void cut_cells(struct history *history, struct op *op, uint64_t ino, uint64_t size)
{
	uint32_t cell;

	for (cell = (uint32_t)(size / CELL_BYTES); cell < CELLS_MAX; cell++)
		history_add(history, op, history_reg(history, REG_CELL, ino, cell), REG_SET, 0, 0);
}

static void saw_setattr(struct history *history, struct op *op, const struct client_call *call)
{
	if (call->result)
		return;
	if (call->set_mask & NACRE_SET_MODE)
		history_add(history, op, history_reg(history, REG_MODE, call->ino, 0), REG_SET,
			    S_IFREG | (call->mode & 07777), 0);
	if (call->set_mask & NACRE_SET_FLAGS)
		history_add(history, op, history_reg(history, REG_FLAGS, call->ino, 0), REG_SET, call->flags, 0);
	if (call->set_mask & NACRE_SET_SIZE) {
		history_add(history, op, history_reg(history, REG_SIZE, call->ino, 0), REG_SET,
			    call->length, 0);
		cut_cells(history, op, call->ino, call->length);
	}
}

static void saw_getattr(struct history *history, struct op *op, const struct client_call *call)
{
	if (call->result)
		return;
	history_add(history, op, history_reg(history, REG_MODE, call->ino, 0), REG_READ,
		    call->attr.mode, 0);
	history_add(history, op, history_reg(history, REG_FLAGS, call->ino, 0), REG_READ, call->attr.flags, 0);
	if (S_ISREG(call->attr.mode))
		history_add(history, op, history_reg(history, REG_SIZE, call->ino, 0), REG_READ,
			    call->attr.size, 0);
}

static uint64_t xattr_value(const void *bytes, size_t length)
{
	uint64_t value = 0;

	memcpy(&value, bytes, length < sizeof(value) ? length : sizeof(value));
	return value;
}

static void saw_setxattr(struct history *history, struct op *op, const struct client_call *call)
{
	/* what quotas are is judged by their sums (quotas.c) */
	if (!call->result && !nacre_xattr_is_own((const __u8 *)call->name, (__u32)strlen(call->name)))
		history_add(history, op, history_reg(history, REG_XATTR, call->ino, 0), REG_SET,
			    xattr_value(call->value, call->value_bytes), 0);
}

static void saw_getxattr(struct history *history, struct op *op, const struct client_call *call)
{
	if (!call->result || call->result == -ENODATA)
		history_add(history, op, history_reg(history, REG_XATTR, call->ino, 0), REG_READ,
			    call->result ? 0 : xattr_value(call->data, call->bytes), 0);
}

/* ---- data ----------------------------------------------------------------------------- */

static void saw_write(struct history *history, struct op *op, const struct client_call *call)
{
	uint64_t cell = call->offset / CELL_BYTES;
	uint64_t end = call->offset + call->length;
	uint32_t number = (uint32_t)(op - history->ops);

	op->offset = call->offset == HISTORY_NOT_PLACED ? 0 : call->offset;
	op->length = call->offset == HISTORY_NOT_PLACED ? 0 : call->length;
	if (call->result || !op->length)
		return;
	/* an append has found the end where it wrote; how much of an unsafe one is left, nobody promises */
	if (op->kind == CLIENT_APPEND && !op->maybe)
		history_add(history, op, history_reg(history, REG_SIZE, call->ino, 0), REG_SWAP,
			    call->offset, end);
	else
		history_add(history, op, history_reg(history, REG_SIZE, call->ino, 0), REG_RAISE,
			    end, 0);
	for (; cell * CELL_BYTES < end; cell++)
		history_add(history, op, history_reg(history, REG_CELL, call->ino, (uint32_t)cell),
			    REG_SET, history_cell_word(number, cell), 0);
}

/* Zeros are as good as what was cut; room alone changes the size only. */
static void saw_allocate(struct history *history, struct op *op, const struct client_call *call)
{
	uint64_t cell = call->offset / CELL_BYTES, end = call->offset + call->length;

	if (call->flags & (CLIENT_ALLOCATE_PUNCH | CLIENT_ALLOCATE_KEEP))
		op->length = 0;		/* no size is raised, so none is torn */
	if (call->result)
		return;
	if (op->length)
		history_add(history, op, history_reg(history, REG_SIZE, call->ino, 0), REG_RAISE, end, 0);
	for (; call->flags & ~CLIENT_ALLOCATE_KEEP && cell * CELL_BYTES < end; cell++)
		history_add(history, op, history_reg(history, REG_CELL, call->ino, (uint32_t)cell),
			    REG_SET, 0, 0);
}

static void saw_zeros(struct history *history, struct op *op, uint64_t ino, uint64_t from, uint64_t to)
{
	uint64_t cell = from / CELL_BYTES;

	for (; (cell + 1) * CELL_BYTES <= to; cell++)
		history_add(history, op, history_reg(history, REG_CELL, ino, (uint32_t)cell), REG_READ, 0, 0);
}

/* What was passed over in search of data, and where a hole was found, was zero. Holes may go unfound. */
static void saw_seek(struct history *history, struct op *op, const struct client_call *call)
{
	struct reg *size = history_reg(history, REG_SIZE, call->ino, 0);
	bool hole = call->flags & CLIENT_SEEK_HOLE;

	if (call->result == -ENXIO && hole) {
		history_add(history, op, size, REG_READ_AT_MOST, call->offset, 0);
	} else if (call->result == -ENXIO) {
		saw_zeros(history, op, call->ino, call->offset, CELLS_MAX * CELL_BYTES);
	} else if (!call->result && hole) {
		history_add(history, op, size, REG_READ_AT_LEAST, call->bytes, 0);
		if (call->bytes < CELLS_MAX * CELL_BYTES)
			saw_zeros(history, op, call->ino, call->bytes, call->bytes + CELL_BYTES);
	} else if (!call->result) {
		history_add(history, op, size, REG_READ_AT_LEAST, call->bytes + 1, 0);
		saw_zeros(history, op, call->ino, call->offset, call->bytes);
	}
}

/* Its objects may have come one by one: the size may stand at any border between them. */
void history_events_torn(struct history *history, struct op *op)
{
	struct reg *size = history_reg(history, REG_SIZE, op->ino, 0);
	uint64_t border = (op->offset / SIM_OBJECT_BYTES + 1) * SIM_OBJECT_BYTES;

	for (; border < op->offset + op->length; border += SIM_OBJECT_BYTES)
		history_add(history, op, size, REG_RAISE, border, 0);
}

static const char *saw_cell(struct history *history, struct op *op, uint64_t ino, uint64_t cell,
			    const uint64_t *words)
{
	size_t i;

	for (i = 1; i < CELL_BYTES / sizeof(*words); i++)
		if (words[i] != words[0])
			return "a read saw a torn cell";
	if (words[0] && (words[0] & 0xffff) != cell)
		return "a read saw bytes of another place";
	history_add(history, op, history_reg(history, REG_CELL, ino, (uint32_t)cell), REG_READ,
		    words[0], 0);
	return NULL;
}

static const char *saw_read(struct history *history, struct op *op,
			    const struct client_call *call)
{
	struct reg *size = history_reg(history, REG_SIZE, call->ino, 0);
	const uint8_t *bytes = call->data;
	const char *wrong = NULL;
	uint64_t at;

	if (call->result)
		return NULL;
	if (call->bytes == call->length)
		history_add(history, op, size, REG_READ_AT_LEAST, call->offset + call->length, 0);
	else if (call->bytes)
		history_add(history, op, size, REG_READ, call->offset + call->bytes, 0);
	else
		history_add(history, op, size, REG_READ_AT_MOST, call->offset, 0);
	for (at = 0; !wrong && at + CELL_BYTES <= call->bytes; at += CELL_BYTES)
		wrong = saw_cell(history, op, call->ino, (call->offset + at) / CELL_BYTES,
				 (const uint64_t *)(bytes + at));
	return wrong;
}

/* ---- all -------------------------------------------------------------------------------- */

/* Errors that a correct system may give to a correct client. */
static const char *judge_error(const struct history *history, const struct op *op, const struct client_call *call)
{
	static char text[80];

	switch (call->result) {
	case 0:
	case -ENOENT:
	case -EEXIST:
	case -ENOTDIR:
	case -EISDIR:
	case -ENOTEMPTY:
	case -ENODATA:
	case -ESTALE:
		return NULL;
	case -ENXIO:
		if (op->kind == CLIENT_SEEK)
			return NULL;
		break;
	case -EXDEV:
		if (history->quotas && (op->kind == CLIENT_RENAME || op->kind == CLIENT_LINK))
			return NULL;
		break;
	case -EDQUOT:
		if (history->quotas)
			return NULL;
		break;
	case -EINVAL:
	case -ELOOP:
		if (op->kind == CLIENT_RENAME)
			return NULL;
		break;
	}
	snprintf(text, sizeof(text), "%s gave errno %d", client_call_name(op->kind),
		 -call->result);
	return text;
}

const char *history_events(struct history *history, struct op *op, const struct client_call *call)
{
	const char *wrong = judge_error(history, op, call);

	if (wrong)
		return wrong;
	switch (op->kind) {
	case CLIENT_LOOKUP:
		saw_lookup(history, op, call);
		break;
	case CLIENT_CREATE:
		saw_create(history, op, call, S_IFREG);
		break;
	case CLIENT_TMPFILE:
		if (!call->result && call->attr.ino)
			born(history, call, S_IFREG);
		break;
	case CLIENT_MKDIR:
		saw_create(history, op, call, S_IFDIR);
		break;
	case CLIENT_SYMLINK:
		saw_create(history, op, call, S_IFLNK);
		break;
	case CLIENT_LINK:
		saw_link(history, op, call);
		break;
	case CLIENT_UNLINK:
	case CLIENT_RMDIR:
		saw_removal(history, op, call);
		break;
	case CLIENT_RENAME:
		return saw_rename(history, op, call);
	case CLIENT_READDIR:
		return saw_readdir(history, op, call);
	case CLIENT_SETATTR:
		saw_setattr(history, op, call);
		break;
	case CLIENT_GETATTR:
		saw_getattr(history, op, call);
		break;
	case CLIENT_SETXATTR:
		saw_setxattr(history, op, call);
		break;
	case CLIENT_GETXATTR:
		saw_getxattr(history, op, call);
		break;
	case CLIENT_WRITE:
	case CLIENT_APPEND:
		saw_write(history, op, call);
		break;
	case CLIENT_ALLOCATE:
		saw_allocate(history, op, call);
		break;
	case CLIENT_SEEK:
		saw_seek(history, op, call);
		break;
	case CLIENT_READ:
		return saw_read(history, op, call);
	default:
		break;
	}
	return NULL;
}

static void unknown_at(struct history *history, struct op *op, struct reg *reg,
		       bool over_existing)
{
	if (reg->unknown_count == UNKNOWN_MAX)
		return;
	reg->unknown[reg->unknown_count].op = (uint32_t)(op - history->ops);
	reg->unknown[reg->unknown_count++].over_existing = over_existing;
}

void history_events_unanswered(struct history *history, struct op *op,
			       const struct client_call *call)
{
	struct client_call would = *call;

	would.result = 0;
	switch (op->kind) {
	case CLIENT_CREATE:
	case CLIENT_MKDIR:
	case CLIENT_SYMLINK:
		unknown_at(history, op, name_reg(history, call->ino, call->name), false);
		break;
	case CLIENT_UNLINK:
	case CLIENT_RMDIR:
		history_add(history, op, name_reg(history, call->ino, call->name), REG_SET, 0, 0);
		break;
	case CLIENT_RENAME:
		history_add(history, op, name_reg(history, call->ino, call->name), REG_SET, 0, 0);
		unknown_at(history, op, name_reg(history, call->ino2, call->name2), true);
		break;
	default:
		history_events(history, op, &would);
	}
}
