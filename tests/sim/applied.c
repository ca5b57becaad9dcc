// SPDX-License-Identifier: GPL-2.0
/* Sequences of committed requests; see applied.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "applied.h"

/* A request that was applied. */
struct request {
	struct {
		uint64_t instance, tid;
	} id;
	uint64_t number, interval;
	UT_hash_handle hh;
};

struct sequence {
	struct {
		uint32_t pool, pg;
	} key;
	struct request **numbers;	/* by number; NULL: not noted yet */
	uint64_t room, last;
	struct request *requests;	/* hash by id */
	UT_hash_handle hh;
};

struct applied {
	struct sequence *sequences;	/* hash by group */
	uint64_t count;
	char why[256];
};

struct applied *applied_create(void)
{
	return calloc(1, sizeof(struct applied));
}

void applied_destroy(struct applied *applied)
{
	struct sequence *sequence, *next;
	struct request *request, *after;

	HASH_ITER(hh, applied->sequences, sequence, next) {
		HASH_ITER(hh, sequence->requests, request, after) {
			HASH_DELETE(hh, sequence->requests, request);
			free(request);
		}
		HASH_DELETE(hh, applied->sequences, sequence);
		free(sequence->numbers);
		free(sequence);
	}
	free(applied);
}

static struct sequence *sequence_of(struct applied *applied, uint32_t pool, uint32_t pg)
{
	struct sequence *sequence, like = { .key = { pool, pg } };

	HASH_FIND(hh, applied->sequences, &like.key, sizeof(like.key), sequence);
	if (sequence)
		return sequence;
	sequence = calloc(1, sizeof(*sequence));
	sequence->key = like.key;
	HASH_ADD(hh, applied->sequences, key, sizeof(sequence->key), sequence);
	return sequence;
}

static void make_room(struct sequence *sequence, uint64_t number)
{
	uint64_t room = sequence->room;

	while (number >= room)
		room = room * 2 + 64;
	if (room == sequence->room)
		return;
	sequence->numbers = realloc(sequence->numbers, room * sizeof(*sequence->numbers));
	memset(sequence->numbers + sequence->room, 0,
	       (room - sequence->room) * sizeof(*sequence->numbers));
	sequence->room = room;
}

static const char *changed(struct applied *applied, const struct applied_entry *entry,
			   const struct request *was)
{
	snprintf(applied->why, sizeof(applied->why), "OSD-1: number %" PRIu64 " of group %u.%u was "
		 "request %" PRIu64 " of %" PRIx64 " in interval %" PRIu64 ", and is request %" PRIu64
		 " of %" PRIx64 " in interval %" PRIu64, entry->number, entry->pool, entry->pg,
		 was->id.tid, was->id.instance, was->interval, entry->tid, entry->instance,
		 entry->interval);
	return applied->why;
}

static const char *twice(struct applied *applied, const struct applied_entry *entry,
			 const struct request *was)
{
	snprintf(applied->why, sizeof(applied->why), "LOG-2: request %" PRIu64 " of %" PRIx64
		 " was applied twice in group %u.%u: as number %" PRIu64 " in interval %" PRIu64
		 ", and as number %" PRIu64 " in interval %" PRIu64, entry->tid, entry->instance,
		 entry->pool, entry->pg, was->number, was->interval, entry->number,
		 entry->interval);
	return applied->why;
}

const char *applied_note(struct applied *applied, const struct applied_entry *entry)
{
	struct sequence *sequence = sequence_of(applied, entry->pool, entry->pg);
	struct request *was, like = { .id = { entry->instance, entry->tid } };

	make_room(sequence, entry->number);
	was = sequence->numbers[entry->number];
	if (was)
		return was->interval == entry->interval && !memcmp(&was->id, &like.id, sizeof(like.id)) ?
			       NULL : changed(applied, entry, was);
	HASH_FIND(hh, sequence->requests, &like.id, sizeof(like.id), was);
	if (was)
		return twice(applied, entry, was);
	was = calloc(1, sizeof(*was));
	was->id = like.id;
	was->number = entry->number;
	was->interval = entry->interval;
	HASH_ADD(hh, sequence->requests, id, sizeof(was->id), was);
	sequence->numbers[entry->number] = was;
	if (entry->number > sequence->last)
		sequence->last = entry->number;
	applied->count++;
	return NULL;
}

const char *applied_is_whole(struct applied *applied)
{
	struct sequence *sequence, *next;
	uint64_t number;

	HASH_ITER(hh, applied->sequences, sequence, next)
		for (number = 1; number <= sequence->last; number++)
			if (!sequence->numbers[number]) {
				snprintf(applied->why, sizeof(applied->why), "number %" PRIu64
					 " of group %u.%u was cut off before anybody looked",
					 number, sequence->key.pool, sequence->key.pg);
				return applied->why;
			}
	return NULL;
}

uint64_t applied_count(const struct applied *applied)
{
	return applied->count;
}
