/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The log of a group: which request made which transaction. It answers re-sent
 * requests (LOG-2), tells how far a member has come, and names the objects that one who
 * was away is missing. Each entry is durable with its transaction.
 *
 * It is cut off at its old end only: down to `keep` entries, as far as no sender
 * may ask again (its oldest_tid has passed, or its instance is dead), and to
 * OSD_LOG_MAX whatever senders say.
 */
#ifndef NACRE_SERVER_OSD_PGLOG_H
#define NACRE_SERVER_OSD_PGLOG_H

#include "store.h"
#include "protocol/replica.h"

#define OSD_LOG_KEEP 1024u
#define OSD_LOG_MAX 4096u

struct pglog_entry {
	uint64_t number, interval;
	uint64_t instance, tid;
	uint64_t ino, index, snap;
	uint32_t op_count;
	uint32_t reply_bytes;
	uint8_t *reply;			/* NULL: nothing but zeros */
	UT_hash_handle hh;		/* by instance and tid */
};

struct pglog {
	struct pglog_entry **entries;	/* ring, oldest at `first` */
	uint32_t room, first, count;
	struct pglog_entry *requests;	/* hash */
};

void pglog_init(struct pglog *log);
void pglog_clear(struct pglog *log);

static inline struct pglog_entry *pglog_at(const struct pglog *log, uint32_t i)
{
	return log->entries[(log->first + i) % log->room];
}

/* Newest number, 0 = the log is empty. Oldest likewise. */
uint64_t pglog_last(const struct pglog *log);
uint64_t pglog_first(const struct pglog *log);
/* The entry of a number, or NULL. */
struct pglog_entry *pglog_number(const struct pglog *log, uint64_t number);
/* The entry of a request, or NULL. */
struct pglog_entry *pglog_request(const struct pglog *log, uint64_t instance, uint64_t tid);

/* Append; `entry` is copied. Its number is one above the last. */
struct pglog_entry *pglog_append(struct pglog *log, const struct nacre_rep_entry *entry);
void pglog_drop_first(struct pglog *log);

/* An entry as it goes over the wire; pointers into the entry. */
void pglog_wire(const struct pglog_entry *entry, bool reply, struct nacre_rep_entry *wire);
/* Value of an L key: `committed` as known then, and the entry. */
void pglog_value(const struct nacre_rep_entry *wire, uint64_t committed, struct mem_bytes *value);
int pglog_value_parse(const uint8_t *value, uint32_t length, struct nacre_rep_entry *wire,
		      uint64_t *committed);

#endif
