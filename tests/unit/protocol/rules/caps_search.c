// SPDX-License-Identifier: GPL-2.0
/*
 * All states of a world, breadth first; see caps_search.h. Of a state that has been explored
 * a hash of 128 bits is left, and the step that led to it; a way is walked again to tell it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "caps_search.h"

/* ---- the set of visited states: 128-bit hashes in an open table --------------------------------- */

struct visited {
	XXH128_hash_t *at;
	size_t mask;
	size_t count;
};

static void visited_init(struct visited *v, size_t bits)
{
	v->mask = ((size_t)1 << bits) - 1;
	v->at = calloc(v->mask + 1, sizeof(v->at[0]));
	v->count = 0;
	assert(v->at);
}

/* A table of four times the states. */
static size_t visited_bits(size_t most)
{
	size_t bits = 10;

	while ((size_t)1 << bits < most * 4)
		bits++;
	return bits;
}

/* 1: new. */
static int visited_add(struct visited *v, XXH128_hash_t hash)
{
	size_t i = hash.low64 & v->mask;

	assert(v->count < v->mask / 4 * 3);
	for (; v->at[i].low64 || v->at[i].high64; i = (i + 1) & v->mask)
		if (v->at[i].low64 == hash.low64 && v->at[i].high64 == hash.high64)
			return 0;
	v->at[i] = hash;
	v->count++;
	return 1;
}

/* ---- states waiting to be explored ---------------------------------------------------------------- */

/*
 * Only those at the edge are kept whole, packed: most of a state is zeros. A word of 0 to
 * RUN_MOST says how many words of zeros follow, RUN_MOST more says how many others do.
 */
struct edge {
	uint32_t *at;
	size_t words, room;
	size_t read;
};

#define MODEL_WORDS (sizeof(struct model) / sizeof(uint32_t))
#define RUN_MOST MODEL_WORDS
_Static_assert(sizeof(struct model) % sizeof(uint32_t) == 0, "packed in words");

static size_t run_of(const uint32_t *from, size_t left, int zero)
{
	size_t n = 0;

	while (n < left && (from[n] == 0) == zero)
		n++;
	return n;
}

static void edge_put(struct edge *edge, const struct model *m)
{
	uint32_t from[MODEL_WORDS];
	size_t at, n;

	if (edge->room - edge->words < 2 * MODEL_WORDS) {
		edge->room = edge->room * 2 + 64 * MODEL_WORDS;
		edge->at = realloc(edge->at, edge->room * sizeof(edge->at[0]));
		assert(edge->at);
	}
	memcpy(from, m, sizeof(from));
	for (at = 0; at < MODEL_WORDS; at += n) {
		n = run_of(from + at, MODEL_WORDS - at, 1);
		if (n) {
			edge->at[edge->words++] = (uint32_t)n;
			continue;
		}
		n = run_of(from + at, MODEL_WORDS - at, 0);
		edge->at[edge->words++] = (uint32_t)(RUN_MOST + n);
		memcpy(edge->at + edge->words, from + at, n * sizeof(from[0]));
		edge->words += n;
	}
}

static void edge_get(struct edge *edge, struct model *m)
{
	uint32_t to[MODEL_WORDS] = { 0 };
	size_t at, n;

	for (at = 0; at < MODEL_WORDS; at += n) {
		n = edge->at[edge->read++];
		if (n <= RUN_MOST)
			continue;
		n -= RUN_MOST;
		memcpy(to + at, edge->at + edge->read, n * sizeof(to[0]));
		edge->read += n;
	}
	memcpy(m, to, sizeof(to));
}

/* How a state was reached. */
struct step {
	uint32_t parent;
	int16_t event;
};

struct search {
	struct step *steps;		/* by number of the state */
	size_t count;			/* states found */
	size_t room;
	struct edge here, ahead;	/* states as far from the beginning as this one; one step farther */
	struct visited visited;
	struct model_rules rules;
	size_t depth;
	size_t transitions;
	size_t settled;
	const char *broken;
	size_t broken_at;
	int broken_event;
};

static void stand_in_order(struct model *m, const struct model_rules *rules, int *who)
{
	model_normalize(m, rules);
	model_order(m, rules, who);
}

/* Walk the way again: clients change places on it, and are called here what they were called first. */
static void search_report(const struct search *s)
{
	int events[512], n = 0, c, event, who[MODEL_CLIENTS_MAX] = { 0, 1, 2 };
	int per_client = (model_events(&s->rules) - 1) / s->rules.clients;
	uint32_t at = (uint32_t)s->broken_at;
	struct model m;

	if (s->broken_event >= 0)
		events[n++] = s->broken_event;
	for (; at > 0 && n < 512; at = s->steps[at].parent)
		events[n++] = s->steps[at].event;
	printf("  broken: %s\n", s->broken);
	model_init(&m, &s->rules);
	stand_in_order(&m, &s->rules, who);
	while (n--) {
		event = events[n];
		c = event / per_client;
		printf("    %s\n", model_event_name(&s->rules, c == s->rules.clients ? event :
						    who[c] * per_client + event % per_client));
		model_try(&m, &s->rules, event);
		stand_in_order(&m, &s->rules, who);
	}
}

static void search_fail(struct search *s, const char *broken, size_t at, int event)
{
	s->broken = broken;
	s->broken_at = at;
	s->broken_event = event;
}

/* Put a state at the end of the line if it is new. */
static void search_add(struct search *s, struct model *m, size_t parent, int event)
{
	int who[MODEL_CLIENTS_MAX] = { 0 };

	stand_in_order(m, &s->rules, who);
	if (s->count == s->room || !visited_add(&s->visited, XXH3_128bits(m, sizeof(*m))))
		return;
	edge_put(&s->ahead, m);
	s->steps[s->count].parent = (uint32_t)parent;
	s->steps[s->count].event = (int16_t)event;
	s->count++;
}

static void search_expand(struct search *s, const struct model *m, size_t at)
{
	struct model next;
	const char *broken;
	int event;

	for (event = 0; event < model_events(&s->rules); event++) {
		memcpy(&next, m, sizeof(next));
		if (!model_try(&next, &s->rules, event))
			continue;
		s->transitions++;
		broken = model_check(&next, &s->rules);
		if (broken) {
			search_fail(s, broken, at, event);
			return;
		}
		search_add(s, &next, at, event);
	}
}

/* Does everything come to an end from here? Asked of every `stride`-th state. */
static void search_settle(struct search *s, const struct model *from, size_t at)
{
	struct model m;
	const char *broken;

	memcpy(&m, from, sizeof(m));
	broken = model_settle(&m, &s->rules);
	s->settled++;
	if (broken)
		search_fail(s, broken, at, -1);
}

/* The next state that waits, or 0. */
static int search_next(struct search *s, struct model *m)
{
	struct edge empty;

	if (s->here.read == s->here.words) {
		empty = s->here;
		empty.words = empty.read = 0;
		s->here = s->ahead;
		s->ahead = empty;
		s->depth++;
	}
	if (s->here.read == s->here.words)
		return 0;
	edge_get(&s->here, m);
	return 1;
}

static void search_print(const struct search *s, size_t explored)
{
	const struct model_rules *rules = &s->rules;

	printf("  %d clients, queues of %d", rules->clients, rules->queue);
	if (rules->flight)
		printf(", %d messages under way", rules->flight);
	printf(", %d lost connections, %d new incarnations,%s%s%s: explored %zu states, %s, %zu steps"
	       " deep, %zu transitions, %zu settled\n", rules->resets, rules->crashes,
	       rules->use_attr ? " attributes" : "", rules->use_data ? " data" : "",
	       !rules->writers ? "" : rules->readers ? " of a reader and a writer" : " of two writers",
	       explored,
	       s->broken ? "then one was broken" : s->count < s->room ? "all of them" :
	       "breadth first until the limit", s->depth,
	       s->transitions, s->settled);
}

struct found search_run(const struct model_rules *rules, size_t most, size_t stride,
			int expect_broken)
{
	struct search s = { .rules = *rules, .room = most };
	struct model m;
	size_t at;

	s.steps = malloc(most * sizeof(s.steps[0]));
	assert(s.steps);
	visited_init(&s.visited, visited_bits(most));
	model_init(&m, rules);
	search_add(&s, &m, 0, -1);
	for (at = 0; !s.broken && search_next(&s, &m); at++) {
		search_expand(&s, &m, at);
		if (!s.broken && at % stride == 0)
			search_settle(&s, &m, at);
	}
	search_print(&s, at);
	if (s.broken && !expect_broken)
		search_report(&s);
	free(s.steps);
	free(s.here.at);
	free(s.ahead.at);
	free(s.visited.at);
	return (struct found){ s.broken, !s.broken && s.count < s.room };
}
