// SPDX-License-Identifier: GPL-2.0
/* See locking.h. */
#include <errno.h>
#include <string.h>
#include "locking.h"
#include "sim.h"
#include "workload.h"

#define FIRST_INO 0x77000000ull		/* the rank asks no inode about its locks, so none need be */
#define SLOT_BYTES 10
#define FLOCK_SLOT (LOCKING_SLOTS - 1)
#define PATIENCE_MAX_NS (2 * SIM_NS_PER_S)

static uint64_t dice(const struct sim_worker *worker, uint64_t sides)
{
	return sim_below(&worker->client->sim->lock_random, sides);
}

/* ---- who believes what -------------------------------------------------------------------------------- */

static bool believes(const struct sim_worker *worker)
{
	const struct sim_client *client = worker->client;

	return client->client && client->mounted && !client->killed && client_may_rely(client->client);
}

/*
 * Ranges of one file do not overlap, so only the same slot excludes. Who hears of his lock when his lease has run out may rely on it as
 * little as he who had it before.
 */
static void check_alone(const struct sim_worker *worker, unsigned int file, unsigned int slot)
{
	struct sim *sim = worker->client->sim;
	uint8_t mine = worker->locked[file][slot];
	unsigned int c, w;

	if (!believes(worker))
		return;
	for (c = 0; c < sim->client_count; c++)
		for (w = 0; w < SIM_WORKERS; w++) {
			const struct sim_worker *other = &sim->clients[c].workers[w];
			uint8_t theirs = other->client ? other->locked[file][slot] : 0;

			if (other == worker || !theirs || !believes(other))
				continue;
			if (mine == NACRE_FILELOCK_WRITE || theirs == NACRE_FILELOCK_WRITE)
				sim_fail(sim, "clients %u and %u both hold lock %u of file %u",
					 worker->client->id, c, slot, file);
		}
}

bool locking_holds(const struct sim_worker *worker)
{
	static const uint8_t nothing[LOCKING_FILES][LOCKING_SLOTS];

	return memcmp(worker->locked, nothing, sizeof(nothing));
}

void locking_forget(struct sim_client *client)
{
	unsigned int w;

	for (w = 0; w < SIM_WORKERS; w++)
		memset(client->workers[w].locked, 0, sizeof(client->workers[w].locked));
}

/* ---- calls ----------------------------------------------------------------------------------------------- */

static bool is_expected(const struct client_call *call)
{
	switch (call->result) {
	case 0:
		return true;
	case -EAGAIN:
		return call->kind == CLIENT_LOCK && !call->lock.waits;
	case -EINTR:
	case -EDEADLK:
		return call->kind == CLIENT_LOCK && call->lock.waits;
	default:
		return false;
	}
}

static void done(struct client_call *call)
{
	struct sim_worker *worker = call->owner;
	struct sim_client *client = worker->client;
	struct sim *sim = client->sim;
	unsigned int file = (unsigned int)(call->ino - FIRST_INO);

	sim_note(sim->world, client->host, client_call_name(call->kind), worker->lock_slot,
		 (uint64_t)(uint32_t)-call->result);
	sim_event_cancel(sim->world, &worker->event);
	worker->busy = false;
	if (!client_is_mounted(client->client))
		return;
	if (!is_expected(call))
		sim_fail(sim, "%s of client %u: result %d", client_call_name(call->kind), client->id,
			 call->result);
	if (call->kind == CLIENT_LOCK && !call->result) {
		worker->locked[file][worker->lock_slot] = call->lock.mode;
		check_alone(worker, file, worker->lock_slot);
	}
	workload_think(worker);
}

static void lose_patience(struct sim_event *event)
{
	struct sim_worker *worker = (struct sim_worker *)((char *)event -
							  offsetof(struct sim_worker, event));

	client_cancel(&worker->call);
}

static void start(struct sim_worker *worker, enum client_call_kind kind, unsigned int file,
		  unsigned int slot, uint8_t mode, bool waits)
{
	struct sim_client *client = worker->client;
	struct sim_world *world = client->sim->world;
	uint64_t number = 1 + (uint64_t)(worker - client->workers);
	bool is_flock = slot == FLOCK_SLOT;

	memset(&worker->call, 0, sizeof(worker->call));
	worker->call.kind = kind;
	worker->call.ino = FIRST_INO + file;
	worker->call.lock = (struct client_lock){
		.owner = number, .mode = mode, .waits = waits,
		.kind = is_flock ? NACRE_FILELOCK_FLOCK : NACRE_FILELOCK_POSIX,
		.start = is_flock ? 0 : slot * SLOT_BYTES,
		.last = is_flock ? NACRE_FILELOCK_END : slot * SLOT_BYTES + SLOT_BYTES - 1,
	};
	worker->call.done = done;
	worker->call.owner = worker;
	worker->busy = true;
	worker->lock_slot = slot;
	client_start(client->client, &worker->call);
	if (!waits || dice(worker, 3))
		return;
	worker->event.run = lose_patience;
	sim_event_at(world, client->host, &worker->event, world->now_ns + dice(worker, PATIENCE_MAX_NS));
}

/* Belief ends before the rank is asked. */
static void give_up(struct sim_worker *worker)
{
	unsigned int at = (unsigned int)dice(worker, LOCKING_FILES * LOCKING_SLOTS), file, slot;

	do {
		at = (at + 1) % (LOCKING_FILES * LOCKING_SLOTS);
		file = at / LOCKING_SLOTS;
		slot = at % LOCKING_SLOTS;
	} while (!worker->locked[file][slot]);
	worker->locked[file][slot] = 0;
	start(worker, CLIENT_UNLOCK, file, slot, NACRE_FILELOCK_WRITE, false);
}

/*
 * A flock is only tried, never waited for, so that who waits waits for POSIX locks only, and a circle is found. One that is held
 * is not asked for in another mode.
 */
static bool take(struct sim_worker *worker)
{
	unsigned int file = (unsigned int)dice(worker, LOCKING_FILES);
	unsigned int slot = (unsigned int)dice(worker, LOCKING_SLOTS);
	uint8_t mode = dice(worker, 5) < 3 ? NACRE_FILELOCK_READ : NACRE_FILELOCK_WRITE;
	bool waits = slot != FLOCK_SLOT && dice(worker, 2);

	if (slot == FLOCK_SLOT && worker->locked[file][slot])
		return false;
	if (!dice(worker, 8)) {
		start(worker, CLIENT_TESTLOCK, file, slot, mode, false);
		return true;
	}
	/* a write lock that becomes a read lock is one from now on */
	if (worker->locked[file][slot] > mode)
		worker->locked[file][slot] = mode;
	start(worker, CLIENT_LOCK, file, slot, mode, waits);
	return true;
}

bool locking_next(struct sim_worker *worker, bool over)
{
	bool holds = locking_holds(worker);

	if (!worker->client->sim->locks_on)
		return false;
	if (over && !holds)
		return false;
	if (over || (holds && dice(worker, 2))) {
		give_up(worker);
		return true;
	}
	return !dice(worker, 4) && take(worker);
}

void locking_begin(struct sim *sim)
{
	sim->lock_random = sim_random_from(sim->options.seed ^ 0x10c5);
	sim->locks_on = sim->options.seed % 3 == 0;
}
