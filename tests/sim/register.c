// SPDX-License-Identifier: GPL-2.0
/*
 * The check of register.h: walks the begins and ends of all operations in time,
 * and keeps every possible *configuration*: the value, and which of the pending
 * operations have had their effect. When an operation ends, configurations in
 * which it has none yet are given it, after any sequence of the other pending
 * ones; those where that is impossible die. None left: no order exists.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "register.h"

#define PENDING_MAX 64
#define CONFIGS_MAX 65536

struct config {
	uint64_t value;
	uint64_t done;			/* bits: pending slots that have had their effect */
};

struct search {
	const struct register_log *log;
	const struct register_event *pending[PENDING_MAX];
	uint64_t used;			/* slots taken */
	struct config *configs;
	size_t count, room;
};

/* A begin or an end in time; ends sort behind begins of the same moment: they then overlap. */
struct edge {
	uint64_t at_ns;
	bool is_end;
	size_t event;
};

void register_add(struct register_log *log, const struct register_event *event)
{
	if (log->count == log->room) {
		log->room = log->room ? log->room * 2 : 8;
		log->events = realloc(log->events, log->room * sizeof(*log->events));
		assert(log->events);
	}
	log->events[log->count++] = *event;
}

void register_free(struct register_log *log)
{
	free(log->events);
	free(log->values);
	memset(log, 0, sizeof(*log));
}

static bool is_read(const struct register_event *event)
{
	return event->op <= REG_READ_AT_MOST;
}

static bool apply(const struct register_event *event, uint64_t *value)
{
	switch (event->op) {
	case REG_READ:
		return *value == event->a;
	case REG_READ_NOT:
		return *value != event->a;
	case REG_READ_AT_LEAST:
		return *value >= event->a;
	case REG_READ_AT_MOST:
		return *value <= event->a;
	case REG_SET:
		*value = event->a;
		return true;
	case REG_SWAP:
		if (*value != event->a)
			return false;
		*value = event->b;
		return true;
	case REG_RAISE:
		if (event->a > *value)
			*value = event->a;
		return true;
	default:
		return false;	/* several effects: expand_any() */
	}
}

/* A client's own reads behind a change of its that may be lost prove nothing. */
static void drop_unproven(struct register_log *log)
{
	struct register_event *event, *other;
	size_t i, j, kept = 0;

	for (i = 0; i < log->count; i++) {
		event = &log->events[i];
		for (j = 0; is_read(event) && j < log->count; j++) {
			other = &log->events[j];
			if (other->maybe && other->life == event->life &&
			    event->end_ns > other->begin_ns)
				break;
		}
		if (is_read(event) && (j < log->count || event->end_ns == REGISTER_NEVER))
			event->call = UINT32_MAX;
	}
	for (i = 0; i < log->count; i++)
		if (log->events[i].call != UINT32_MAX)
			log->events[kept++] = log->events[i];
	log->count = kept;
}

static void config_add(struct search *search, struct config config)
{
	size_t i;

	for (i = 0; i < search->count; i++)
		if (search->configs[i].value == config.value &&
		    search->configs[i].done == config.done)
			return;
	if (search->count == search->room) {
		search->room = search->room ? search->room * 2 : 64;
		assert(search->room <= CONFIGS_MAX);
		search->configs = realloc(search->configs, search->room * sizeof(config));
		assert(search->configs);
	}
	search->configs[search->count++] = config;
}

/* An operation with several possible effects has one of them. */
static void expand_any(struct search *search, struct config config, int slot)
{
	bool swaps = search->pending[slot]->op == REG_SWAP_ANY;
	const struct register_value *value = search->log->values;
	size_t i;

	if (swaps && config.value)
		return;
	config.done |= 1ull << slot;
	for (i = 0; i < search->log->value_count; i++, value++) {
		config.value = value->value;
		if (value->fresh || !swaps)
			config_add(search, config);
	}
}

static void expand(struct search *search, struct config config, int slot)
{
	const struct register_event *event = search->pending[slot];

	if (event->op == REG_SET_ANY || event->op == REG_SWAP_ANY) {
		expand_any(search, config, slot);
	} else if (apply(event, &config.value)) {
		config.done |= 1ull << slot;
		config_add(search, config);
	}
}

/* Every configuration that can follow by effects of pending operations. */
static void close_over(struct search *search)
{
	size_t i;
	int slot;

	for (i = 0; i < search->count; i++)
		for (slot = 0; slot < PENDING_MAX; slot++)
			if ((search->used >> slot & 1) &&
			    !(search->configs[i].done >> slot & 1))
				expand(search, search->configs[i], slot);
}

static int slot_of(const struct search *search, const struct register_event *event)
{
	int slot = 0;

	while (search->pending[slot] != event || !(search->used >> slot & 1))
		slot++;
	return slot;
}

static void begin(struct search *search, const struct register_event *event)
{
	int slot = 0;

	while (search->used >> slot & 1)
		slot++;
	assert(slot < PENDING_MAX);
	search->used |= 1ull << slot;
	search->pending[slot] = event;
}

/* It ends: keep what has its effect; of a maybe also what has not. */
static bool end(struct search *search, const struct register_event *event)
{
	int slot = slot_of(search, event);
	struct config *all, config;
	size_t i, count;

	close_over(search);
	all = search->configs;
	count = search->count;
	search->configs = NULL;
	search->count = search->room = 0;
	for (i = 0; i < count; i++) {
		config = all[i];
		if (!event->maybe && !(config.done >> slot & 1))
			continue;
		config.done &= ~(1ull << slot);
		config_add(search, config);
	}
	free(all);
	search->used &= ~(1ull << slot);
	return search->count != 0;
}

static int compare_edges(const void *x, const void *y)
{
	const struct edge *a = x, *b = y;

	if (a->at_ns != b->at_ns)
		return a->at_ns < b->at_ns ? -1 : 1;
	if (a->is_end != b->is_end)
		return a->is_end ? 1 : -1;
	return a->event < b->event ? -1 : 1;
}

static struct edge *make_edges(const struct register_log *log, size_t *ret_count)
{
	struct edge *edges = calloc(log->count * 2 + 1, sizeof(*edges));
	size_t i, count = 0;

	assert(edges);
	for (i = 0; i < log->count; i++) {
		edges[count++] = (struct edge){ log->events[i].begin_ns, false, i };
		if (log->events[i].end_ns != REGISTER_NEVER)
			edges[count++] = (struct edge){ log->events[i].end_ns, true, i };
	}
	qsort(edges, count, sizeof(*edges), compare_edges);
	*ret_count = count;
	return edges;
}

bool register_check(struct register_log *log, uint64_t initial, struct register_event *ret_stuck)
{
	struct search search = { .log = log };
	const struct register_event *event;
	struct edge *edges;
	size_t i, count;
	bool good = true;

	drop_unproven(log);
	edges = make_edges(log, &count);
	config_add(&search, (struct config){ initial, 0 });
	for (i = 0; good && i < count; i++) {
		event = &log->events[edges[i].event];
		if (!edges[i].is_end) {
			begin(&search, event);
		} else if (!end(&search, event)) {
			*ret_stuck = *event;
			good = false;
		}
	}
	free(search.configs);
	free(edges);
	return good;
}

static int compare_events(const void *x, const void *y)
{
	const struct register_event *a = x, *b = y;

	return a->begin_ns < b->begin_ns ? -1 : a->begin_ns > b->begin_ns;
}

void register_print(const struct register_log *log, FILE *out)
{
	static const char *const names[] = {
		[REG_READ] = "saw", [REG_READ_NOT] = "saw not", [REG_READ_AT_LEAST] = "saw >=",
		[REG_READ_AT_MOST] = "saw <=", [REG_SET] = "set", [REG_SWAP] = "swapped",
		[REG_RAISE] = "raised to", [REG_SET_ANY] = "set to anything",
		[REG_SWAP_ANY] = "made something new",
	};
	const struct register_event *event;
	size_t i;

	qsort(log->events, log->count, sizeof(*log->events), compare_events);
	for (i = 0; i < log->count; i++) {
		event = &log->events[i];
		fprintf(out, "  %12.6f .. ", (double)event->begin_ns / 1e9);
		if (event->end_ns == REGISTER_NEVER)
			fprintf(out, "%12s", "?");
		else
			fprintf(out, "%12.6f", (double)event->end_ns / 1e9);
		fprintf(out, " life %u call %u: %s%s %" PRIx64, event->life, event->call,
			event->maybe ? "maybe " : "", names[event->op], event->a);
		if (event->op == REG_SWAP)
			fprintf(out, " for %" PRIx64, event->b);
		fprintf(out, "\n");
	}
}
