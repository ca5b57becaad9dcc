// SPDX-License-Identifier: GPL-2.0
/*
 * Small files in the inode (protocol/rules/inline.h): both machines driven against each other over one object 0, all
 * states of worlds of two and three clients. Clients read, write alone and beside each other, leave the inode, flush, give
 * back, die; the rank journals and dies. The file is one value, and every write writes a higher one, so "no byte
 * lost" is: whoever reads sees the newest, and after a loss nothing durable is gone.
 */
#include <stdlib.h>
#include "../cmocka_all.h"
#include "protocol/rules/inline.h"

#define CLIENTS_MAX 3
#define FLUSHES_MAX 4
#define STATES_MAX 4000000u

enum mode { NOTHING, READS, ALONE, SHARES, DEAD };
enum request { NO_REQUEST, SENT, APPLIED };

struct client {
	struct nacre_inline_client file;
	uint8_t mode;			/* caps it holds */
	uint8_t small;			/* its copy of the inline bytes */
	uint8_t news;			/* it has changed them and not flushed */
	uint8_t page;			/* ALONE: what it reads in its cache; 0 = nothing */
	uint8_t request;		/* with the guard, to object 0 */
	uint8_t direct;			/* of that request: it was sent while others could write, too */
	uint8_t initial, write;		/* of that request; write 0: the guard alone */
};

/* A flush that the rank has taken and not journaled. */
struct flush {
	uint8_t client, id, left, has_data, data;
};

struct inode_image {
	uint8_t gen, probe, bytes;
};

struct world {
	struct client clients[CLIENTS_MAX];
	struct flush flushes[FLUSHES_MAX];
	struct inode_image memory, journal;
	uint8_t flush_count, next_flush;
	uint8_t marked, object;		/* object 0 */
	uint8_t newest, durable, written;
	uint8_t client_deaths, rank_deaths;
	uint8_t unsafe_of;		/* 1 + client whose change is not journaled (SHARE-1) */
	uint8_t left_times;
};

/* The size of one world and what may happen in it. */
static struct limits {
	int clients, writes, client_deaths, rank_deaths;
} limits;

static int broken_rule;			/* the last case breaks one */
enum { RULE_NONE, RULE_TELL, RULE_CHECK, RULE_GUARD, RULE_BYTES, RULE_UNDER_WAY };

static const char *failure;

static void claim(int holds, const char *what)
{
	if (!holds && !failure)
		failure = what;
}

/* ---- the rank ---------------------------------------------------------------------------------- */

static void rank_step(struct world *w, uint8_t event, uint8_t data)
{
	uint8_t state = nacre_inline_rank_state(w->memory.gen, w->memory.probe);
	uint32_t actions = 0;

	claim(!nacre_machine_step(&nacre_inline_rank_machine, &state, event, &actions),
	      "the rank has an event that its machine does not know");
	claim(!(actions & NACRE_INLINERA_REFUSE), "a client flushes bytes that have left");
	if (actions & NACRE_INLINERA_STORE)
		w->memory.bytes = data;
	if (actions & NACRE_INLINERA_DROP) {
		w->memory.gen = w->memory.bytes = 0;
		w->left_times++;
	}
	if (actions & NACRE_INLINERA_PROBE)
		w->memory.probe = 1;
}

static void take_flush(struct world *w, const struct flush *flush)
{
	if (flush->left)
		rank_step(w, NACRE_INLINERE_LEFT, 0);
	if (flush->has_data)
		rank_step(w, NACRE_INLINERE_BYTES, flush->data);
}

static void rank_journals(struct world *w)
{
	uint8_t i;

	w->journal = w->memory;
	w->unsafe_of = 0;
	for (i = 0; i < w->flush_count; i++) {
		struct client *c = &w->clients[w->flushes[i].client];

		if (w->flushes[i].has_data && w->durable < w->flushes[i].data)
			w->durable = w->flushes[i].data;
		if (c->mode != DEAD)
			nacre_inline_flushed(&c->file, w->flushes[i].id);
	}
	memset(w->flushes, 0, sizeof(w->flushes));
	w->flush_count = 0;
}

/* What was not journaled comes again from those who live. */
static void rank_dies(struct world *w)
{
	uint8_t i;

	w->rank_deaths++;
	w->memory = w->journal;
	for (i = 0; i < w->flush_count; i++)
		if (w->clients[w->flushes[i].client].mode != DEAD)
			take_flush(w, &w->flushes[i]);
}

/* ---- clients ------------------------------------------------------------------------------------- */

static int has_to_flush(const struct client *c)
{
	return c->news || c->file.state == NACRE_INLINE_LEFT;
}

static int can_flush(const struct world *w, const struct client *c)
{
	return has_to_flush(c) && w->flush_count < FLUSHES_MAX;
}

static void flush(struct world *w, int n)
{
	struct client *c = &w->clients[n];
	struct flush *f = &w->flushes[w->flush_count++];

	f->client = (uint8_t)n;
	f->id = ++w->next_flush;
	f->left = (uint8_t)nacre_inline_says_left(&c->file, f->id) && broken_rule != RULE_TELL;
	f->has_data = (uint8_t)nacre_inline_says_data(&c->file, c->news) &&
		      !(c->file.guards && broken_rule == RULE_UNDER_WAY);
	f->data = f->has_data ? c->small : 0;
	c->news = 0;
	w->unsafe_of = (uint8_t)(n + 1);
	take_flush(w, f);
}

/* What the file is, as the rank and object 0 have it. */
static uint8_t content(const struct world *w)
{
	return w->marked ? w->object : w->memory.bytes;
}

static int may_grant(const struct world *w, int n, uint8_t mode)
{
	int i;

	if (w->memory.probe || (w->clients[n].mode != NOTHING && (w->clients[n].mode != SHARES || mode != ALONE)))
		return 0;
	if (w->unsafe_of && w->unsafe_of != n + 1)
		return 0;		/* SHARE-1 */
	for (i = 0; i < limits.clients; i++)
		if (i != n && w->clients[i].mode != NOTHING && w->clients[i].mode != DEAD &&
		    (mode == ALONE || w->clients[i].mode != mode))
			return 0;
	return 1;
}

/* INLINE-5: the bytes come along. Who may write beside others gets the file to itself with a guard under way. */
static void grant(struct world *w, int n, uint8_t mode)
{
	struct client *c = &w->clients[n];
	uint32_t actions = nacre_inline_told(&c->file, w->memory.gen, 1);

	c->direct = c->request != NO_REQUEST;
	c->mode = mode;
	if ((actions & NACRE_INLINEA_TAKE) && broken_rule != RULE_BYTES)
		c->small = w->memory.bytes;
	if (!w->memory.gen)
		claim(c->file.state == NACRE_INLINE_NONE || c->file.state == NACRE_INLINE_LEFT,
		      "a client does not know that the data has left");
}

static void give_back(struct world *w, int n)
{
	struct client *c = &w->clients[n];

	if (has_to_flush(c))
		flush(w, n);
	c->mode = NOTHING;
	c->page = 0;
}

/* The exclusive cap is revoked, and the one to write is not: a guard may be under way (CAP-1). */
static void shares(struct world *w, int n)
{
	struct client *c = &w->clients[n];

	if (has_to_flush(c))
		flush(w, n);
	c->mode = SHARES;
	c->page = 0;
}

/* `write` 0: the guard alone. */
static void send(struct world *w, struct client *c, uint8_t write)
{
	if (nacre_inline_needs_guard(&c->file))
		nacre_inline_guard_sent(&c->file);
	c->request = SENT;
	c->initial = c->small;
	c->write = write;
	if (c->mode == ALONE && write) {
		c->page = write;
		w->newest = write;
	}
}

/* INLINE-1: the primary of object 0 executes the compound request. */
static void apply(struct world *w, struct client *c)
{
	if (!w->marked && c->file.state != NACRE_INLINE_NONE && c->file.state != NACRE_INLINE_LEFT) {
		w->object = c->initial;
		w->marked = broken_rule != RULE_GUARD;
	}
	if (c->write && (c->mode != ALONE || c->direct || c->write >= w->object))
		w->object = c->write;
	if ((c->mode == SHARES || c->direct) && c->write)
		w->newest = c->write;
	w->durable = w->object;
	c->request = APPLIED;
}

static void answered(struct world *w, struct client *c)
{
	if (c->file.guards)
		nacre_inline_guard_answered(&c->file, 1);
	if (!nacre_inline_is_in(&c->file))
		c->small = c->news = 0;
	c->request = NO_REQUEST;
	c->write = c->initial = c->direct = 0;
}

static void reads(struct world *w, struct client *c)
{
	uint8_t saw;

	if (c->mode == ALONE && c->page) {
		saw = c->page;
	} else if (!nacre_inline_is_in(&c->file)) {
		saw = w->object;
	} else if (c->mode == SHARES && w->marked) {
		nacre_inline_seen(&c->file);
		if (!nacre_inline_is_in(&c->file))
			c->small = 0;
		saw = w->object;
	} else {
		saw = c->small;
	}
	claim(saw == w->newest, "a read does not see the newest");
}

static void writes_inline(struct world *w, struct client *c)
{
	c->small = c->page = w->newest = ++w->written;
	c->news = 1;
}

/* Fenced: what it had under way is done or never will be. Who could write has a journaled range. */
static void dies(struct world *w, int n, int late)
{
	struct client *c = &w->clients[n];
	int wrote = c->mode == ALONE || c->mode == SHARES;

	w->client_deaths++;
	if (c->request == SENT && late)
		apply(w, c);
	memset(c, 0, sizeof(*c));
	c->mode = DEAD;
	if (wrote && w->memory.gen && broken_rule != RULE_CHECK)
		rank_step(w, NACRE_INLINERE_LOST, 0);
	rank_journals(w);
	if (!w->memory.probe) {
		claim(content(w) >= w->durable, "something durable is lost with a client");
		if (wrote && !w->memory.gen)
			w->newest = w->object;
	}
}

/* INLINE-4: nobody holds anything, and the rank looks at object 0. */
static void rank_looks(struct world *w)
{
	if (w->memory.gen)		/* or somebody has told meanwhile */
		rank_step(w, w->marked ? NACRE_INLINERE_MARKED : NACRE_INLINERE_UNMARKED, 0);
	w->memory.probe = 0;
	claim(content(w) >= w->durable, "something durable is lost behind the fence");
	w->newest = content(w);
	rank_journals(w);
}

/* ---- all that may happen --------------------------------------------------------------------------- */

static int nobody_holds(const struct world *w)
{
	int i;

	for (i = 0; i < limits.clients; i++)
		if (w->clients[i].mode != NOTHING && w->clients[i].mode != DEAD)
			return 0;
	return 1;
}

#define EVENTS 14			/* of a client */

static int rank_event(struct world *w, int event)
{
	switch (event) {
	case 0:
		rank_journals(w);
		return 1;
	case 1:
		if (w->rank_deaths == limits.rank_deaths)
			return 0;
		rank_dies(w);
		return 1;
	default:
		if (!w->memory.probe || !nobody_holds(w))
			return 0;
		rank_looks(w);
		return 1;
	}
}

static int may_write(const struct world *w, const struct client *c)
{
	return (c->mode == ALONE || c->mode == SHARES) && !c->request && w->written < limits.writes;
}

/* What a client does with the file. */
static int use_event(struct world *w, struct client *c, int event)
{
	switch (event) {
	case 5:
		/* beside its own write it sees this or that; before that is done, what others have written */
		if (c->mode == NOTHING || (c->mode == SHARES && c->request) ||
		    (c->direct && c->request == APPLIED))
			return 0;
		reads(w, c);
		return 1;
	case 12:
		if (c->mode != ALONE || c->request || !nacre_inline_needs_guard(&c->file))
			return 0;
		send(w, c, 0);
		return 1;
	case 6:
		if (c->mode != ALONE || c->file.state != NACRE_INLINE_INLINE || !may_write(w, c))
			return 0;
		writes_inline(w, c);
		return 1;
	case 7:
		if (!may_write(w, c))
			return 0;
		send(w, c, ++w->written);
		return 1;
	case 8:
		if (c->request != SENT)
			return 0;
		apply(w, c);
		return 1;
	default:
		if (c->request != APPLIED)
			return 0;
		answered(w, c);
		return 1;
	}
}

static int client_event(struct world *w, int n, int event)
{
	struct client *c = &w->clients[n];

	switch (event) {
	case 0:
	case 1:
	case 2:
		if (!may_grant(w, n, (uint8_t)(READS + event)))
			return 0;
		grant(w, n, (uint8_t)(READS + event));
		return 1;
	case 3:				/* CAP-1 */
		if (c->mode == NOTHING || c->request || (has_to_flush(c) && !can_flush(w, c)))
			return 0;
		give_back(w, n);
		return 1;
	case 4:
		if (c->mode == NOTHING || !can_flush(w, c))
			return 0;
		flush(w, n);
		return 1;
	case 10:
	case 11:
		if (w->client_deaths == limits.client_deaths)
			return 0;
		dies(w, n, event == 10);
		return 1;
	case 13:			/* what was written under BUFFER is written back first */
		if (c->mode != ALONE || c->write || (has_to_flush(c) && !can_flush(w, c)))
			return 0;
		shares(w, n);
		return 1;
	default:
		return use_event(w, c, event);
	}
}

/* Is this event possible here? Then it happens. */
static int happens(struct world *w, int event)
{
	int n = event / EVENTS;

	if (n == limits.clients)
		return rank_event(w, event % EVENTS);
	return w->clients[n].mode != DEAD && client_event(w, n, event % EVENTS);
}

static void check(const struct world *w)
{
	int i;

	claim(w->journal.gen || !w->memory.gen, "what has left comes back");
	claim(w->left_times <= 1 + limits.rank_deaths, "the data leaves twice");
	for (i = 0; i < limits.clients; i++)
		claim(w->clients[i].file.state != NACRE_INLINE_LEFT || w->marked,
		      "a client says that the data has left, and there is no mark");
	if (!nobody_holds(w) || w->memory.probe)
		return;
	claim(!w->memory.gen == !!w->marked, "nobody holds the file, and rank and mark do not agree");
	claim(content(w) == w->newest, "nobody holds the file, and its newest data is gone");
}

/* ---- the search ---------------------------------------------------------------------------------------- */

static struct world *states;
static uint32_t *table;			/* 1 + index of a state, by hash */
static uint32_t state_count, table_mask;

static uint32_t hash_of(const struct world *w)
{
	const uint8_t *bytes = (const uint8_t *)w;
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < sizeof(*w); i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static void add(const struct world *w)
{
	uint32_t at = hash_of(w) & table_mask;

	for (; table[at]; at = (at + 1) & table_mask)
		if (!memcmp(&states[table[at] - 1], w, sizeof(*w)))
			return;
	assert_true(state_count < STATES_MAX / 4);
	states[state_count] = *w;
	table[at] = ++state_count;
}

/* Flush ids are only compared with each other: count them from the lowest that matters. */
static void normalize(struct world *w)
{
	uint8_t least = w->next_flush;
	int i;

	for (i = 0; i < w->flush_count; i++)
		if (least >= w->flushes[i].id)
			least = (uint8_t)(w->flushes[i].id - 1);
	for (i = 0; i < limits.clients; i++)
		if (w->clients[i].file.said_flush && least >= w->clients[i].file.said_flush)
			least = (uint8_t)(w->clients[i].file.said_flush - 1);
	for (i = 0; i < w->flush_count; i++)
		w->flushes[i].id = (uint8_t)(w->flushes[i].id - least);
	for (i = 0; i < limits.clients; i++)
		if (w->clients[i].file.said_flush)
			w->clients[i].file.said_flush -= least;
	w->next_flush = (uint8_t)(w->next_flush - least);
}

/* All states from a new file on; the first broken claim, or NULL. */
static const char *search(struct limits of)
{
	struct world first;
	uint32_t at;
	int event;

	limits = of;
	failure = NULL;
	state_count = 0;
	states = calloc(STATES_MAX / 4, sizeof(*states));
	table_mask = (1u << 22) - 1;
	table = calloc(table_mask + 1, sizeof(*table));
	assert_true(states && table);
	memset(&first, 0, sizeof(first));
	first.memory.gen = first.journal.gen = NACRE_INLINE_FIRST_GEN;
	add(&first);
	for (at = 0; at < state_count && !failure; at++)
		for (event = 0; event < EVENTS * limits.clients + 3 && !failure; event++) {
			struct world next = states[at];

			if (!happens(&next, event))
				continue;
			check(&next);
			normalize(&next);
			add(&next);
		}
	free(states);
	free(table);
	return failure;
}

static void explore(struct limits of, uint32_t at_least)
{
	const char *wrong = search(of);

	if (wrong)
		fail_msg("%s (after %u states)", wrong, state_count);
	print_message("%u states\n", state_count);
	assert_true(state_count >= at_least);
}

static void two_clients_in_every_order(void **state)
{
	explore((struct limits){ 2, 4, 0, 0 }, 1000);
}

static void three_clients_in_every_order(void **state)
{
	explore((struct limits){ 3, 2, 0, 0 }, 1000);
}

/* INLINE-4 */
static void a_client_dies_anywhere(void **state)
{
	explore((struct limits){ 2, 3, 1, 0 }, 1000);
	explore((struct limits){ 3, 2, 1, 0 }, 1000);
}

static void the_rank_dies_anywhere(void **state)
{
	explore((struct limits){ 2, 3, 0, 1 }, 1000);
	explore((struct limits){ 2, 3, 1, 1 }, 1000);
}

static void broken_rules_are_noticed(void **state)
{
	for (broken_rule = RULE_TELL; broken_rule <= RULE_BYTES; broken_rule++)
		if (!search((struct limits){ 2, 3, 1, 1 }))
			fail_msg("nobody noticed that rule %d was broken", broken_rule);
	broken_rule = RULE_NONE;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_clients_in_every_order),
		cmocka_unit_test(three_clients_in_every_order),
		cmocka_unit_test(a_client_dies_anywhere),
		cmocka_unit_test(the_rank_dies_anywhere),
		cmocka_unit_test(broken_rules_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
