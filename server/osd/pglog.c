// SPDX-License-Identifier: GPL-2.0
/*
 * The log of a group, in memory and as values. See pglog.h.
 */
#include <assert.h>
#include <errno.h>
#include "pglog.h"

#define REQUEST_KEY_BYTES (2 * sizeof(uint64_t))	/* instance, tid */

_Static_assert(offsetof(struct pglog_entry, tid) ==
	       offsetof(struct pglog_entry, instance) + sizeof(uint64_t), "hashed as one key");

void pglog_init(struct pglog *log)
{
	memset(log, 0, sizeof(*log));
}

static void entry_free(struct pglog_entry *entry)
{
	free(entry->reply);
	free(entry);
}

void pglog_drop_first(struct pglog *log)
{
	struct pglog_entry *entry = pglog_at(log, 0);

	if (pglog_request(log, entry->instance, entry->tid) == entry)
		HASH_DELETE(hh, log->requests, entry);
	log->first = (log->first + 1) % log->room;
	log->count--;
	entry_free(entry);
}

void pglog_clear(struct pglog *log)
{
	while (log->count)
		pglog_drop_first(log);
	free(log->entries);
	pglog_init(log);
}

uint64_t pglog_last(const struct pglog *log)
{
	return log->count ? pglog_at(log, log->count - 1)->number : 0;
}

uint64_t pglog_first(const struct pglog *log)
{
	return log->count ? pglog_at(log, 0)->number : 0;
}

struct pglog_entry *pglog_number(const struct pglog *log, uint64_t number)
{
	uint64_t first = pglog_first(log);

	if (!log->count || number < first || number - first >= log->count)
		return NULL;
	return pglog_at(log, (uint32_t)(number - first));
}

struct pglog_entry *pglog_request(const struct pglog *log, uint64_t instance, uint64_t tid)
{
	uint64_t key[2] = { instance, tid };
	struct pglog_entry *entry;

	HASH_FIND(hh, log->requests, key, REQUEST_KEY_BYTES, entry);
	return entry;
}

static void make_room(struct pglog *log)
{
	uint32_t room = log->room ? log->room * 2 : 64, i;
	struct pglog_entry **entries;

	if (log->count < log->room)
		return;
	entries = mem_zero(room, sizeof(*entries));
	for (i = 0; i < log->count; i++)
		entries[i] = pglog_at(log, i);
	free(log->entries);
	log->entries = entries;
	log->room = room;
	log->first = 0;
}

struct pglog_entry *pglog_append(struct pglog *log, const struct nacre_rep_entry *wire)
{
	struct pglog_entry *entry = mem_zero(1, sizeof(*entry)), *old;

	assert(!log->count || wire->number == pglog_last(log) + 1);
	entry->number = wire->number;
	entry->interval = wire->interval;
	entry->instance = wire->instance;
	entry->tid = wire->tid;
	entry->ino = wire->ino;
	entry->index = wire->index;
	entry->snap = wire->snap;
	entry->op_count = wire->op_count;
	entry->reply_bytes = wire->reply_bytes;
	entry->reply = wire->reply_bytes ? mem_copy(wire->reply, wire->reply_bytes) : NULL;
	make_room(log);
	log->entries[(log->first + log->count++) % log->room] = entry;
	old = pglog_request(log, entry->instance, entry->tid);
	if (old)
		HASH_DELETE(hh, log->requests, old);
	HASH_ADD(hh, log->requests, instance, REQUEST_KEY_BYTES, entry);
	return entry;
}

void pglog_wire(const struct pglog_entry *entry, bool reply, struct nacre_rep_entry *wire)
{
	*wire = (struct nacre_rep_entry){
		.number = entry->number,
		.interval = entry->interval,
		.instance = entry->instance,
		.tid = entry->tid,
		.ino = entry->ino,
		.index = entry->index,
		.snap = entry->snap,
		.op_count = entry->op_count,
		.reply = reply ? entry->reply : NULL,
		.reply_bytes = reply ? entry->reply_bytes : 0,
	};
}

void pglog_value(const struct nacre_rep_entry *wire, uint64_t committed, struct mem_bytes *value)
{
	__le64 number = nacre_to_le64(committed);

	mem_append_bytes(value, &number, sizeof(number));
	osd_disk_append(value, nacre_rep_entry_desc(), wire);
}

int pglog_value_parse(const uint8_t *value, uint32_t length, struct nacre_rep_entry *wire,
		      uint64_t *committed)
{
	__le64 number;

	if (length < sizeof(number))
		return -EBADMSG;
	memcpy(&number, value, sizeof(number));
	*committed = nacre_le64(number);
	return nacre_decode_all(nacre_rep_entry_desc(), value + sizeof(number),
				length - sizeof(number), wire);
}
