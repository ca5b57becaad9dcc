// SPDX-License-Identifier: GPL-2.0
/*
 * What two or three clients and a rank can get into, breadth first: the machines of
 * cap_client.h, cap_rank.h and lock_table.h driven against each other in the world of
 * caps_model.h. Small worlds must be explored as a whole, of larger ones what is near; long
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
#include "caps_search.h"

/* ---- small worlds: every state ------------------------------------------------------------------- */

#define WHOLE_MOST ((size_t)1 << 20)	/* more than any of them has */

static void explore_whole(struct model_rules rules)
{
	struct found found = search_run(&rules, WHOLE_MOST, 331, 0);

	assert_null(found.broken);
	assert_true(found.all);
}

/* Two clients, two messages under way at a time. */
static void caps_whole_attributes(void **state)
{
	explore_whole((struct model_rules){ .clients = 2, .queue = 2, .flight = 2, .crashes = 1,
					    .use_attr = 1 });
	explore_whole((struct model_rules){ .clients = 2, .queue = 2, .flight = 2, .resets = 1,
					    .use_attr = 1 });
}

static void caps_whole_reader_and_writer(void **state)
{
	explore_whole((struct model_rules){ .clients = 2, .queue = 2, .flight = 2, .crashes = 1,
					    .use_data = 1, .readers = 1, .writers = 2 });
	explore_whole((struct model_rules){ .clients = 2, .queue = 2, .flight = 2, .resets = 1,
					    .use_data = 1, .readers = 1, .writers = 2 });
}

static void caps_whole_two_writers(void **state)
{
	explore_whole((struct model_rules){ .clients = 2, .queue = 2, .flight = 2, .crashes = 1,
					    .use_data = 1, .writers = 3 });
	explore_whole((struct model_rules){ .clients = 2, .queue = 2, .flight = 2, .resets = 1,
					    .use_data = 1, .writers = 3 });
}

/* ---- larger worlds: what is near the beginning ------------------------------------------------------ */

/* States of each world that are explored; CAPS_STATES in the environment sets another limit. */
#define STATES_MOST 20000

static size_t states_most(void)
{
	const char *text = getenv("CAPS_STATES");
	long n = text ? atol(text) : 0;

	return n > 0 ? (size_t)n : STATES_MOST;
}

static void explore(struct model_rules rules)
{
	assert_null(search_run(&rules, states_most(), 11, 0).broken);
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

/* ---- renaming does no harm ----------------------------------------------------------------------- */

/* Let an event happen here and in a likeness of here: does it lead to likenesses? */
static void step_alike(const struct model *m, const struct model *alike, int event, int alike_event,
		       int swapped, const struct model_rules *rules)
{
	struct model a = *m, b = *alike;
	int happens = model_try(&a, rules, event);

	assert_int_equal(happens, model_try(&b, rules, alike_event));
	if (!happens)
		return;
	assert_ptr_equal(model_check(&a, rules), model_check(&b, rules));
	if (swapped)
		model_swap(&a, 0, 1);
	model_normalize(&a, rules);
	model_normalize(&b, rules);
	assert_memory_equal(&a, &b, sizeof(a));
}

/* The same event for the first two clients exchanged. */
static int swap_event(const struct model_rules *rules, int event)
{
	int per_client = (model_events(rules) - 1) / rules->clients;

	return event < per_client ? event + per_client :
	       event < 2 * per_client ? event - per_client : event;
}

static void look_alike(const struct model *m, const struct model_rules *rules)
{
	struct model renamed = *m, swapped = *m;
	int event;

	model_normalize(&renamed, rules);
	model_swap(&swapped, 0, 1);
	for (event = 0; event < model_events(rules); event++) {
		step_alike(m, &renamed, event, event, 0, rules);
		step_alike(m, &swapped, event, swap_event(rules, event), 1, rules);
	}
}

static void caps_renaming_does_no_harm(void **state)
{
	static const struct model_rules worlds[] = {
		{ .clients = 2, .queue = 3, .resets = 40, .crashes = 5, .use_data = 1 },
		{ .clients = 2, .queue = 3, .resets = 40, .crashes = 5, .use_attr = 1 },
		{ .clients = 3, .queue = 4, .flight = 8, .resets = 40, .crashes = 5, .use_attr = 1,
		  .use_data = 1 },
	};
	unsigned int w, step;
	struct model m;
	__u64 seed;

	for (w = 0; w < sizeof(worlds) / sizeof(worlds[0]); w++)
		for (seed = 1; seed <= WALKS; seed++) {
			__u64 random = seed;

			model_init(&m, &worlds[w]);
			for (step = 0; step < WALK_STEPS / 4; step++) {
				if (walk_one(&m, &worlds[w], &random) < 0)
					break;
				look_alike(&m, &worlds[w]);
			}
		}
}

/* Each of these rules, broken, is noticed, and by a world that is explored as a whole. */
static void caps_broken_rules_are_noticed(void **state)
{
	static const struct model_rules broken[] = {
		{ .use_data = 1, .readers = 1, .writers = 2,
		  .break_rule = MODEL_BREAK_ANSWER_EARLY },
		{ .use_attr = 1, .break_rule = MODEL_BREAK_FORGET_FLUSH },
		{ .use_data = 1, .readers = 1, .writers = 2, .resets = 1,
		  .break_rule = MODEL_BREAK_NO_REPEAT },
		{ .use_attr = 1, .break_rule = MODEL_BREAK_RELEASE_CROSSES },
		{ .use_data = 1, .readers = 1, .writers = 2,
		  .break_rule = MODEL_BREAK_GRANT_EARLY },
		{ .use_attr = 1, .resets = 1, .break_rule = MODEL_BREAK_UNKNOWN_SILENT },
	};
	struct model_rules rules;
	const char *noticed;
	size_t i;

	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		rules = broken[i];
		rules.clients = rules.queue = rules.flight = 2;
		noticed = search_run(&rules, 100000, 1, 1).broken;
		printf("  rule %d broken: %s\n", broken[i].break_rule, noticed ? noticed : "NOT NOTICED");
		assert_non_null(noticed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caps_whole_attributes),
		cmocka_unit_test(caps_whole_reader_and_writer),
		cmocka_unit_test(caps_whole_two_writers),
		cmocka_unit_test(caps_attributes_two_clients),
		cmocka_unit_test(caps_data_two_clients),
		cmocka_unit_test(caps_attributes_lost_connections),
		cmocka_unit_test(caps_data_lost_connections),
		cmocka_unit_test(caps_attributes_new_incarnation),
		cmocka_unit_test(caps_data_new_incarnation),
		cmocka_unit_test(caps_three_clients),
		cmocka_unit_test(caps_both_groups),
		cmocka_unit_test(caps_long_walks),
		cmocka_unit_test(caps_renaming_does_no_harm),
		cmocka_unit_test(caps_broken_rules_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
