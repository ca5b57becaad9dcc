// SPDX-License-Identifier: GPL-2.0
/* Hands that clone and snapshot objects, and what they know; see clones.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "clones.h"
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/osd.h"
#include "protocol/rules/placement.h"
#include "server/base/osdc.h"

#define HANDS 2
#define NUMBERS 2			/* inodes of a hand: all in one group */
#define NAMES 3				/* of an inode: the live object, and two snapshots */
#define THINGS (NUMBERS * NAMES)
#define CELL 1024u
#define CELLS 48u			/* of the largest object */
#define THINK_MAX_NS (20 * SIM_NS_PER_MS)
#define PAUSE_MAX_NS (2 * SIM_NS_PER_S)
#define FIRST_NUMBER 0x10000u		/* below those of the rank's files */

/* What an object must hold: for each cell what its words are. */
struct thing {
	bool exists;
	uint32_t size;			/* cells */
	uint32_t cells[CELLS];		/* 0: zeros */
};

struct op {
	struct hand *hand;
	uint64_t number;
	enum nacre_osd_op_code code;
	unsigned int at, from;		/* things; `from`: CLONE */
	struct thing after;		/* if it succeeds */
	uint32_t expected;		/* result */
	uint64_t began_ns;
	struct sim_client *client;
};

struct hand {
	struct sim *sim;
	uint64_t inos[NUMBERS];
	struct thing things[THINGS];
	uint64_t number;		/* of the operation under way, or the last one */
	struct op *op;			/* NULL: none */
	struct sim_event event;
};

struct clones {
	struct sim_random random;	/* apart from all others */
	struct hand hands[HANDS];
	uint64_t next_ino;
	uint32_t next_value;
};

static uint64_t dice(const struct hand *hand, uint64_t sides)
{
	return sim_below(&hand->sim->clones->random, sides);
}

static uint64_t snap_of(unsigned int at)
{
	return at % NAMES ? at % NAMES : NACRE_SNAP_HEAD;
}

/* ---- numbers ----------------------------------------------------------------------------- */

static uint32_t group_of(uint64_t ino)
{
	uint8_t bytes[NACRE_PLACEMENT_BYTES];

	nacre_placement_bytes(ino, 0, NACRE_POOL_DATA, bytes);
	return nacre_placement_group(XXH64(bytes, sizeof(bytes), 0), SIM_PGS);
}

static void take_numbers(struct hand *hand)
{
	struct clones *clones = hand->sim->clones;
	unsigned int i;

	memset(hand->things, 0, sizeof(hand->things));
	for (i = 0; i < NUMBERS; i++) {
		while (i && group_of(clones->next_ino) != group_of(hand->inos[0]))
			clones->next_ino++;
		hand->inos[i] = clones->next_ino++;
	}
}

/* ---- what was read ----------------------------------------------------------------------- */

/* Are the bytes what the object must hold? */
static bool holds(const struct thing *thing, const uint8_t *bytes, uint32_t length)
{
	uint32_t i, word;

	if (length != thing->size * CELL)
		return false;
	for (i = 0; i < length; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		if (word != thing->cells[i / CELL])
			return false;
	}
	return true;
}

static void judge_read(struct hand *hand, unsigned int at, struct osdc_request *request, uint32_t result)
{
	const struct thing *thing = &hand->things[at];
	struct osdc_result read;

	if (result == NACRE_E_DEAD_INSTANCE || result == ECANCELED)
		return;
	if (result != (thing->exists ? 0 : ENOENT)) {
		sim_fail(hand->sim, "object %" PRIx64 ", snapshot %" PRIx64 " gave %u and should %sbe there", hand->inos[at / NAMES],
			 snap_of(at), result, thing->exists ? "" : "not ");
		return;
	}
	read = osdc_request_result(request, 1);
	if (thing->exists && !holds(thing, read.data, read.data_bytes))
		sim_fail(hand->sim, "object %" PRIx64 ", snapshot %" PRIx64 " does not hold what it should (%u bytes, %u)",
			 hand->inos[at / NAMES], snap_of(at), read.data_bytes, thing->size * CELL);
}

static struct osdc_request *new_request(struct hand *hand, struct client *client, unsigned int at)
{
	struct osdc_request *request = osdc_request_new(client_osdc(client), NACRE_POOL_DATA, hand->inos[at / NAMES], 0);

	osdc_request_snap(request, snap_of(at));
	return request;
}

static void add_read(struct osdc_request *request)
{
	osdc_add(request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
	osdc_add(request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, CELLS * CELL);
}

/* ---- one operation ----------------------------------------------------------------------- */

static void think(struct hand *hand);

static void judge_change(struct hand *hand, const struct op *op, uint32_t result)
{
	if (result == NACRE_E_DEAD_INSTANCE || result == ECANCELED)
		take_numbers(hand);
	else if (result == ENOSPC)
		;			/* then nothing has happened */
	else if (result != op->expected)
		sim_fail(hand->sim, "operation %u on object %" PRIx64 ", snapshot %" PRIx64 " gave %u, not %u", op->code,
			 hand->inos[op->at / NAMES], snap_of(op->at), result, op->expected);
	else if (!result)
		hand->things[op->at] = op->after;
}

static void done(struct osdc_request *request, uint32_t result)
{
	struct op *op = osdc_request_owner(request);
	struct hand *hand = op->hand;

	if (hand->op == op) {
		hand->op = NULL;
		if (op->code == NACRE_OSD_OP_READ)
			judge_read(hand, op->at, request, result);
		else
			judge_change(hand, op, result);
		think(hand);
	}
	osdc_request_free(request);
	free(op);
}

/* Cells [first, +count) get a new value. */
static void add_write(struct op *op, struct osdc_request *request)
{
	struct thing *after = &op->after;
	uint32_t words[CELLS * CELL / 4], i, count, first = (uint32_t)dice(op->hand, CELLS);
	uint32_t value = ++op->hand->sim->clones->next_value;

	if (dice(op->hand, 2))
		first &= ~3u;		/* from the beginning of a block */
	count = 1 + (uint32_t)dice(op->hand, CELLS - first);
	for (i = 0; i < count * CELL / 4; i++)
		words[i] = value;
	for (i = first; i < first + count; i++)
		after->cells[i] = value;
	after->exists = true;
	if (first + count > after->size)
		after->size = first + count;
	osdc_add_data(request, NACRE_OSD_OP_WRITE, first * CELL, words, count * CELL);
}

static void cells_to_zero(struct thing *thing, uint32_t first, uint32_t end)
{
	for (; first < end; first++)
		thing->cells[first] = 0;
}

static void add_range(struct op *op, struct osdc_request *request)
{
	uint32_t first = (uint32_t)dice(op->hand, CELLS), count = 1 + (uint32_t)dice(op->hand, CELLS - first);
	struct thing *after = &op->after;
	uint16_t flags = NACRE_OSD_OPF_ZERO | NACRE_OSD_OPF_KEEP;

	switch (op->code) {
	case NACRE_OSD_OP_TRUNCATE:
		cells_to_zero(after, first, CELLS);
		after->size = first;
		after->exists = true;
		osdc_add(request, op->code, 0, NULL, 0, NULL, 0, first * CELL, 0);
		return;
	case NACRE_OSD_OP_ALLOCATE:
		after->exists = true;
		osdc_add(request, op->code, flags, NULL, 0, NULL, 0, first * CELL, count * CELL);
		break;
	default:
		osdc_add(request, op->code, 0, NULL, 0, NULL, 0, first * CELL, count * CELL);
	}
	cells_to_zero(after, first, first + count);
}

static void add_clone(struct op *op, struct osdc_request *request)
{
	struct hand *hand = op->hand;
	struct nacre_oid oid = { .ino = hand->inos[op->from / NAMES], .snap = snap_of(op->from), .pool = NACRE_POOL_DATA };
	uint8_t bytes[sizeof(struct nacre_oid_wire)];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));

	nacre_encode(nacre_oid_desc(), &w, &oid);
	osdc_add(request, NACRE_OSD_OP_CLONE, 0, NULL, 0, bytes, sizeof(bytes), 0, 0);
	op->after = hand->things[op->from];
	if (!hand->things[op->from].exists)
		op->expected = ENOENT;
	else if (op->at % NAMES && hand->things[op->at].exists)
		op->expected = EEXIST;
	else
		hand->sim->cloned++;
	if (!(op->at % NAMES) && !dice(hand, 3))
		add_write(op, request);
}

static void add_op(struct op *op, struct osdc_request *request)
{
	struct thing *after = &op->after;

	*after = op->hand->things[op->at];
	switch (op->code) {
	case NACRE_OSD_OP_READ:
		add_read(request);
		return;
	case NACRE_OSD_OP_CLONE:
		add_clone(op, request);
		return;
	case NACRE_OSD_OP_DELETE:
		op->expected = after->exists ? 0 : ENOENT;
		memset(after, 0, sizeof(*after));
		osdc_add(request, op->code, 0, NULL, 0, NULL, 0, 0, 0);
		return;
	case NACRE_OSD_OP_WRITE:
		add_write(op, request);
		break;
	default:
		add_range(op, request);
	}
	if (op->at % NAMES)
		op->expected = EROFS;
}

static enum nacre_osd_op_code choose_code(const struct hand *hand, unsigned int at)
{
	static const enum nacre_osd_op_code codes[] = {
		NACRE_OSD_OP_WRITE, NACRE_OSD_OP_WRITE, NACRE_OSD_OP_WRITE, NACRE_OSD_OP_ZERO, NACRE_OSD_OP_TRUNCATE,
		NACRE_OSD_OP_ALLOCATE, NACRE_OSD_OP_DELETE, NACRE_OSD_OP_READ, NACRE_OSD_OP_READ, NACRE_OSD_OP_CLONE,
		NACRE_OSD_OP_CLONE,
	};

	/* of a snapshot everything but these is refused, which need not be heard often */
	if (at % NAMES && dice(hand, 8))
		return dice(hand, 2) ? NACRE_OSD_OP_READ : dice(hand, 3) ? NACRE_OSD_OP_CLONE : NACRE_OSD_OP_DELETE;
	return codes[dice(hand, sizeof(codes) / sizeof(codes[0]))];
}

static void begin(struct hand *hand, struct sim_client *client)
{
	struct op *op = calloc(1, sizeof(*op));
	struct osdc_request *request;

	op->hand = hand;
	op->client = client;
	op->at = (unsigned int)dice(hand, THINGS);
	op->from = (op->at + 1 + (unsigned int)dice(hand, THINGS - 1)) % THINGS;
	op->code = choose_code(hand, op->at);
	op->began_ns = io_now(sim_host_io(client->host));
	request = new_request(hand, client->client, op->at);
	add_op(op, request);
	hand->op = op;
	osdc_submit(request, done, op);
}

/* ---- one after the other --------------------------------------------------------------------- */

static void thought(struct sim_event *event)
{
	struct hand *hand = (struct hand *)((char *)event - offsetof(struct hand, event));
	struct sim *sim = hand->sim;
	struct sim_client *client = &sim->clients[dice(hand, sim->client_count)];

	if (sim->draining)
		return;
	if (client->client && client->mounted && !client->killed && client->host->up)
		begin(hand, client);
	else
		think(hand);
}

static void think(struct hand *hand)
{
	struct sim_world *world = hand->sim->world;

	hand->event.run = thought;
	sim_event_at(world, NULL, &hand->event, world->now_ns + dice(hand, dice(hand, 30) ? THINK_MAX_NS : PAUSE_MAX_NS));
}

void clones_begin(struct sim *sim)
{
	struct sim_random random = sim_random_from(sim->options.seed ^ 0xc10e5);
	unsigned int i;

	if (sim_below(&random, 3))
		return;
	sim->clones = calloc(1, sizeof(*sim->clones));
	sim->clones->random = random;
	sim->clones->next_ino = FIRST_NUMBER;
	for (i = 0; i < HANDS; i++) {
		sim->clones->hands[i].sim = sim;
		take_numbers(&sim->clones->hands[i]);
		think(&sim->clones->hands[i]);
	}
}

void clones_client_gone(struct sim_client *client)
{
	struct hand *hand;
	unsigned int i;

	for (i = 0; client->sim->clones && i < HANDS; i++) {
		hand = &client->sim->clones->hands[i];
		if (!hand->op || hand->op->client != client)
			continue;
		if (hand->op->code != NACRE_OSD_OP_READ)
			take_numbers(hand);
		hand->op = NULL;	/* its memory is the client's */
		think(hand);
	}
}

bool clones_are_idle(const struct sim *sim)
{
	unsigned int i;

	for (i = 0; sim->clones && i < HANDS; i++)
		if (sim->clones->hands[i].op)
			return false;
	return true;
}

const char *clones_stuck(struct sim *sim)
{
	const struct op *op;
	unsigned int i;

	for (i = 0; sim->clones && i < HANDS; i++) {
		op = sim->clones->hands[i].op;
		if (op && io_now(sim_host_io(op->client->host)) - op->began_ns > SIM_CALL_LIMIT_NS)
			return "an operation on an object that is cloned is stuck";
	}
	return NULL;
}

/* ---- the end ----------------------------------------------------------------------------------- */

struct last_read {
	struct sim *sim;
	bool done;
	uint32_t result;
};

static void last_done(struct osdc_request *request, uint32_t result)
{
	struct last_read *last = osdc_request_owner(request);

	last->done = true;
	last->result = result;
	last->sim->world->stop = true;
}

static void check_thing(struct hand *hand, struct client *client, unsigned int at)
{
	struct last_read last = { .sim = hand->sim };
	struct osdc_request *request = new_request(hand, client, at);
	uint64_t limit_ns = hand->sim->world->now_ns + SIM_CALL_LIMIT_NS;

	add_read(request);
	osdc_submit(request, last_done, &last);
	while (!last.done && !hand->sim->failed && hand->sim->world->now_ns < limit_ns)
		sim_run(hand->sim->world, limit_ns);
	if (!last.done)
		sim_fail(hand->sim, "the last look at a clone does not end");
	else
		judge_read(hand, at, request, last.result);
	if (last.done)
		osdc_request_free(request);
}

void clones_check(struct sim *sim, struct client *client)
{
	unsigned int i, at;

	for (i = 0; sim->clones && i < HANDS; i++)
		for (at = 0; at < THINGS && !sim->failed; at++)
			check_thing(&sim->clones->hands[i], client, at);
}
