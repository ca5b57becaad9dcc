// SPDX-License-Identifier: GPL-2.0
/*
 * Every state that two or three clients and a rank can get into, breadth first: the machines of
 * cap_client.h, cap_rank.h and lock_table.h driven against each other in the world of
 * caps_model.h. Each run prints how many states it visited and whether that was all of them; long
 * random walks, with fixed seeds, look at what is farther away.
 * The last cases break a rule each and demand that the checks notice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <xxhash.h>
#include "caps_model.h"

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
	assert_non_null(v->at);
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

	assert_true(v->count < v->mask / 4 * 3);
	for (; v->at[i].low64 || v->at[i].high64; i = (i + 1) & v->mask)
		if (v->at[i].low64 == hash.low64 && v->at[i].high64 == hash.high64)
			return 0;
	v->at[i] = hash;
	v->count++;
	return 1;
}

/* ---- states waiting to be explored, with the way back for the report ----------------------------- */

struct node {
	struct model m;
	int32_t parent;
	int16_t event;
};

struct search {
	struct node *nodes;
	size_t count;
	size_t room;
	struct visited visited;
	struct model_rules rules;
	size_t transitions;
	size_t settled;
	const char *broken;
	size_t broken_at;
	int broken_event;
};

static void search_report(const struct search *s)
{
	int events[512], n = 0;
	int32_t at = (int32_t)s->broken_at;

	if (s->broken_event >= 0)
		events[n++] = s->broken_event;
	for (; at > 0 && n < 512; at = s->nodes[at].parent)
		events[n++] = s->nodes[at].event;
	printf("  broken: %s\n", s->broken);
	while (n--)
		printf("    %s\n", model_event_name(&s->rules, events[n]));
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
	model_normalize(m, &s->rules);
	if (s->count == s->room || !visited_add(&s->visited, XXH3_128bits(m, sizeof(*m))))
		return;
	s->nodes[s->count].m = *m;
	s->nodes[s->count].parent = (int32_t)parent;
	s->nodes[s->count].event = (int16_t)event;
	s->count++;
}

static void search_expand(struct search *s, size_t at)
{
	struct model next;
	const char *broken;
	int event;

	for (event = 0; event < model_events(&s->rules); event++) {
		memcpy(&next, &s->nodes[at].m, sizeof(next));
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
static void search_settle(struct search *s, size_t at)
{
	struct model m;
	const char *broken;

	memcpy(&m, &s->nodes[at].m, sizeof(m));
	broken = model_settle(&m, &s->rules);
	s->settled++;
	if (broken)
		search_fail(s, broken, at, -1);
}

static const char *search_run(const struct model_rules *rules, size_t most, size_t stride,
			      int expect_broken)
{
	struct search s = { .rules = *rules, .room = most };
	struct model first;
	size_t at;

	s.nodes = malloc(most * sizeof(s.nodes[0]));
	assert_non_null(s.nodes);
	visited_init(&s.visited, visited_bits(most));
	model_init(&first, rules);
	search_add(&s, &first, 0, -1);
	for (at = 0; at < s.count && !s.broken; at++) {
		search_expand(&s, at);
		if (!s.broken && at % stride == 0)
			search_settle(&s, at);
	}
	printf("  %d clients, queues of %d, %d lost connections, %d new incarnations,%s%s: %zu states"
	       " explored, %s, %zu transitions, %zu settled\n",
	       rules->clients, rules->queue, rules->resets, rules->crashes,
	       rules->use_attr ? " attributes" : "", rules->use_data ? " data" : "", at,
	       s.count < s.room ? "all there are" : "breadth first until the limit",
	       s.transitions, s.settled);
	if (s.broken && !expect_broken)
		search_report(&s);
	free(s.nodes);
	free(s.visited.at);
	return s.broken;
}

/* ---- cases -------------------------------------------------------------------------------------- */

/* States of each world that are explored; CAPS_STATES in the environment sets another limit. */
#define STATES_MOST 40000

static size_t states_most(void)
{
	const char *text = getenv("CAPS_STATES");
	long n = text ? atol(text) : 0;

	return n > 0 ? (size_t)n : STATES_MOST;
}

static void explore(struct model_rules rules)
{
	assert_null(search_run(&rules, states_most(), 11, 0));
}

static void caps_attributes_two_clients(void **state)
{
	explore((struct model_rules){ .clients = 2, .queue = 2, .use_attr = 1 });
}

static void caps_data_two_clients(void **state)
{
	explore((struct model_rules){ .clients = 2, .queue = 2, .use_data = 1 });
}

static void caps_attributes_lost_connections(void **state)
{
	explore((struct model_rules){ .clients = 2, .queue = 2, .resets = 2, .use_attr = 1 });
}

static void caps_data_lost_connections(void **state)
{
	explore((struct model_rules){ .clients = 2, .queue = 2, .resets = 2, .use_data = 1 });
}

static void caps_attributes_new_incarnation(void **state)
{
	explore((struct model_rules){ .clients = 2, .queue = 2, .resets = 1, .crashes = 1,
				      .use_attr = 1 });
}

static void caps_data_new_incarnation(void **state)
{
	explore((struct model_rules){ .clients = 2, .queue = 2, .crashes = 1, .use_data = 1 });
}

static void caps_three_clients(void **state)
{
	explore((struct model_rules){ .clients = 3, .queue = 2, .resets = 1, .use_data = 1 });
	explore((struct model_rules){ .clients = 3, .queue = 2, .resets = 1, .use_attr = 1 });
}

static void caps_both_groups(void **state)
{
	explore((struct model_rules){ .clients = 2, .queue = 3, .resets = 1, .use_attr = 1,
				      .use_data = 1 });
}

/* ---- far from the beginning ---------------------------------------------------------------------- */

static __u64 walk_random(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

#define WALKS 100
#define WALK_STEPS 600
#define WALK_EVENTS_KEPT 40

/* Any event that can happen, or -1 when none can. */
static int walk_one(struct model *m, const struct model_rules *rules, __u64 *seed)
{
	unsigned int events = (unsigned int)model_events(rules), first, i;
	struct model next;

	first = (unsigned int)(walk_random(seed) % events);
	for (i = 0; i < events * 8; i++) {
		int event = (int)(i < events * 7 ? walk_random(seed) % events : (first + i) % events);

		memcpy(&next, m, sizeof(next));
		if (model_try(&next, rules, event)) {
			memcpy(m, &next, sizeof(next));
			return event;
		}
	}
	return -1;
}

/* One long walk; the last events of a walk that breaks are printed. */
static const char *walk(const struct model_rules *rules, __u64 seed)
{
	int events[WALK_STEPS], step, event;
	const char *broken = NULL;
	struct model m, settled;

	model_init(&m, rules);
	for (step = 0; step < WALK_STEPS && !broken; step++) {
		event = walk_one(&m, rules, &seed);
		events[step] = event;
		if (event >= 0)
			broken = model_check(&m, rules);
		if (!broken && (step % 30 == 0 || event < 0)) {
			memcpy(&settled, &m, sizeof(m));
			broken = model_settle(&settled, rules);
		}
		if (event < 0)
			break;		/* all queues are full: the end of a world with such small ones */
	}
	if (!broken)
		return NULL;
	printf("  broken after %d steps: %s\n", step, broken);
	for (event = step > WALK_EVENTS_KEPT ? step - WALK_EVENTS_KEPT : 0; event < step; event++)
		printf("    %s\n", model_event_name(rules, events[event]));
	return broken;
}

/* Breadth first sees everything near the beginning; long walks see a little of what is far away. */
static void caps_long_walks(void **state)
{
	static const struct model_rules worlds[] = {
		{ .clients = 2, .queue = 2, .resets = 0, .use_data = 1 },
		{ .clients = 2, .queue = 2, .resets = 40, .crashes = 5, .use_data = 1 },
		{ .clients = 2, .queue = 2, .resets = 40, .crashes = 5, .use_attr = 1 },
		{ .clients = 3, .queue = 2, .resets = 40, .crashes = 5, .use_attr = 1,
		  .use_data = 1 },
	};
	unsigned int w, seed;

	for (w = 0; w < sizeof(worlds) / sizeof(worlds[0]); w++)
		for (seed = 0; seed < WALKS; seed++)
			assert_null(walk(&worlds[w], seed));
	printf("  %u walks of %d steps\n", 4 * WALKS, WALK_STEPS);
}

/* Each of these rules, broken, is noticed. */
static void caps_broken_rules_are_noticed(void **state)
{
	static const struct model_rules broken[] = {
		{ .clients = 2, .queue = 2, .use_data = 1, .break_rule = MODEL_BREAK_ANSWER_EARLY },
		{ .clients = 2, .queue = 2, .use_attr = 1, .break_rule = MODEL_BREAK_FORGET_FLUSH },
		{ .clients = 2, .queue = 2, .use_data = 1, .resets = 1,
		  .break_rule = MODEL_BREAK_NO_REPEAT },
		{ .clients = 2, .queue = 2, .use_attr = 1,
		  .break_rule = MODEL_BREAK_RELEASE_CROSSES },
		{ .clients = 2, .queue = 2, .use_data = 1, .break_rule = MODEL_BREAK_GRANT_EARLY },
		{ .clients = 2, .queue = 2, .use_attr = 1, .resets = 1,
		  .break_rule = MODEL_BREAK_UNKNOWN_SILENT },
	};
	const char *noticed;
	size_t i;

	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		noticed = search_run(&broken[i], 100000, 1, 1);
		printf("  rule %d broken: %s\n", broken[i].break_rule, noticed ? noticed : "NOT NOTICED");
		assert_non_null(noticed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caps_attributes_two_clients),
		cmocka_unit_test(caps_data_two_clients),
		cmocka_unit_test(caps_attributes_lost_connections),
		cmocka_unit_test(caps_data_lost_connections),
		cmocka_unit_test(caps_attributes_new_incarnation),
		cmocka_unit_test(caps_data_new_incarnation),
		cmocka_unit_test(caps_three_clients),
		cmocka_unit_test(caps_both_groups),
		cmocka_unit_test(caps_long_walks),
		cmocka_unit_test(caps_broken_rules_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
