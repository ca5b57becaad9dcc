// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated map store. The store itself (map, leases, offices) is on the
 * world's clock; a handle (struct mapstore) sees it from one host, with that
 * host's clock. A renewal counts, for its holder, from when it was sent, and for
 * the store from when it arrived: so a holder always stops first.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "sim_mapstore.h"

#define MEMBERS_MAX 64
#define OFFICES_MAX 8
#define RENEWALS 4			/* per term */
#define RETRY_NS (50 * SIM_NS_PER_MS)	/* a host that is cut off asks again */

struct lease {
	char name[32];
	uint64_t instance;
	uint64_t expires_ns;		/* world's clock */
	bool released;
	struct fill fill;
	bool pretends;			/* others read another state */
	enum fill_state pretended;
	struct sim_host *host;		/* of the holder */
	unsigned int life;		/* of that host, when it was taken */
};

struct office {
	char name[32];
	uint64_t holder;		/* handle number, 0 = none */
	uint64_t expires_ns;
};

struct sim_store {
	struct sim_world *world;
	struct sim_host *host;		/* where it stands in the network */
	uint64_t epoch;			/* 0: no map */
	uint8_t *bytes;
	size_t length;
	uint64_t handles;		/* ever opened */
	struct lease leases[MEMBERS_MAX];
	unsigned int lease_count;
	struct office offices[OFFICES_MAX];
	unsigned int office_count;
	struct handle *all;		/* handles ever opened; freed with the store */
};

struct handle {
	struct mapstore base;
	struct sim_store *store;
	struct sim_host *host;
	struct handle *next;
	uint64_t number;
	unsigned int life;		/* of the host, when opened */
	bool closed;
	/* watch */
	mapstore_got watch_got;
	void *watch_owner;
	uint64_t watch_epoch;		/* told last */
	struct sim_event watch_event;
	/* lease */
	struct lease *lease;
	struct fill fill;		/* to be told */
	uint64_t instance, term_ns;
	uint64_t valid_until_ns;	/* world's clock, as the holder counts it */
	void (*lost)(void *owner);
	void *lost_owner;
	struct sim_event renew_event;
	/* office */
	struct office *office;
	uint64_t office_term_ns, office_until_ns;
	void (*elected)(void *owner, bool holds);
	void *elected_owner;
	bool holds;
	struct sim_event office_event;
};

#define handle_of(event, member) \
	((struct handle *)((char *)(event) - offsetof(struct handle, member)))

struct sim_store *sim_store_create(struct sim_world *world)
{
	struct sim_store *store = calloc(1, sizeof(*store));

	assert(store);
	store->world = world;
	store->host = sim_host_add(world, "mapstore");
	return store;
}

void sim_store_destroy(struct sim_store *store)
{
	struct handle *handle;

	while ((handle = store->all)) {
		store->all = handle->next;
		free(handle);
	}
	free(store->bytes);
	free(store);
}

struct sim_host *sim_store_host(struct sim_store *store)
{
	return store->host;
}

/* Its program still runs, and has not closed it. */
static bool is_open(const struct handle *handle)
{
	return !handle->closed && handle->host->up && handle->host->life == handle->life;
}

static bool is_cut(const struct handle *handle)
{
	const struct sim_world *world = handle->store->world;

	return world->cut_until_ns[handle->host->id][handle->store->host->id] > world->now_ns;
}

static uint64_t answer_ns(struct sim_world *world)
{
	return world->now_ns + sim_between(&world->random, 1, world->faults.store_us) *
				       SIM_NS_PER_US;
}

/* ---- map ------------------------------------------------------------------- */

const uint8_t *sim_store_map(const struct sim_store *store, uint64_t *ret_epoch, size_t *ret_length)
{
	*ret_epoch = store->epoch;
	*ret_length = store->length;
	return store->bytes;
}

static void arm_watch(struct handle *handle)
{
	struct sim_world *world = handle->store->world;

	if (is_open(handle) && handle->watch_got && !handle->watch_event.heap_index &&
	    handle->watch_epoch != handle->store->epoch)
		sim_event_at(world, handle->host, &handle->watch_event, world->now_ns +
			     sim_between(&world->random, 1, world->faults.store_watch_us) *
				     SIM_NS_PER_US);
}

void sim_store_set_map(struct sim_store *store, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct handle *handle;

	free(store->bytes);
	store->bytes = malloc(length);
	assert(store->bytes);
	memcpy(store->bytes, bytes, length);
	store->length = length;
	store->epoch = epoch;
	sim_note(store->world, NULL, "map epoch, bytes", epoch, length);
	for (handle = store->all; handle; handle = handle->next)
		arm_watch(handle);
}

/* A get or a swap on its way: reaches the store once, and its answer the asker. */
struct call {
	struct sim_event event;
	struct handle *handle;
	bool answered;
	int result;
	mapstore_got got;		/* GET */
	mapstore_swapped swapped;	/* SWAP */
	void *owner;
	uint64_t new_epoch;
	size_t length;
	uint8_t *bytes;
};

static void call_arrives(struct call *call)
{
	struct sim_store *store = call->handle->store;

	if (call->got) {
		call->result = store->epoch ? 0 : -ENOENT;
		call->new_epoch = store->epoch;
		call->length = store->length;
		call->bytes = malloc(store->length + 1);
		assert(call->bytes);
		if (store->length)
			memcpy(call->bytes, store->bytes, store->length);
	} else if (call->new_epoch != store->epoch + 1) {
		call->result = -EAGAIN;
	} else {
		sim_store_set_map(store, call->new_epoch, call->bytes, call->length);
	}
}

static void call_answer(struct call *call)
{
	if (call->got)
		call->got(call->owner, call->result, call->new_epoch, call->bytes, call->length);
	else
		call->swapped(call->owner, call->result);
}

static void run_call(struct sim_event *event)
{
	struct call *call = (struct call *)event;
	struct sim_world *world = call->handle->store->world;

	if (is_cut(call->handle)) {
		sim_event_at(world, call->handle->host, event, world->now_ns + RETRY_NS);
		return;
	}
	if (!call->answered) {
		call->answered = true;
		call_arrives(call);
		sim_event_at(world, call->handle->host, event, answer_ns(world));
		return;
	}
	if (!call->handle->closed)
		call_answer(call);
	free(call->bytes);
	free(call);
}

static struct call *call_new(struct mapstore *base, void *owner)
{
	struct call *call = calloc(1, sizeof(*call));

	assert(call);
	call->event.run = run_call;
	call->handle = (struct handle *)base;
	call->owner = owner;
	sim_event_at(call->handle->store->world, call->handle->host, &call->event,
		     answer_ns(call->handle->store->world));
	return call;
}

static void store_get(struct mapstore *base, mapstore_got got, void *owner)
{
	call_new(base, owner)->got = got;
}

static void store_swap(struct mapstore *base, uint64_t new_epoch, const uint8_t *bytes,
		       size_t length, mapstore_swapped swapped, void *owner)
{
	struct call *call = call_new(base, owner);

	call->swapped = swapped;
	call->new_epoch = new_epoch;
	call->length = length;
	call->bytes = malloc(length);
	assert(call->bytes);
	memcpy(call->bytes, bytes, length);
}

static void run_watch(struct sim_event *event)
{
	struct handle *handle = handle_of(event, watch_event);
	struct sim_store *store = handle->store;

	if (is_cut(handle)) {
		sim_event_at(store->world, handle->host, event, store->world->now_ns + RETRY_NS);
		return;
	}
	if (handle->watch_epoch == store->epoch)
		return;
	handle->watch_epoch = store->epoch;
	handle->watch_got(handle->watch_owner, 0, store->epoch, store->bytes, store->length);
}

static void store_watch(struct mapstore *base, mapstore_got got, void *owner)
{
	struct handle *handle = (struct handle *)base;

	assert(!handle->watch_got);
	handle->watch_got = got;
	handle->watch_owner = owner;
	handle->watch_event.run = run_watch;
	arm_watch(handle);
}

/* ---- lease ------------------------------------------------------------------- */

static struct lease *lease_of(struct sim_store *store, const char *name)
{
	struct lease *lease = store->leases;
	unsigned int i;

	for (i = 0; i < store->lease_count; i++, lease++)
		if (!strcmp(lease->name, name))
			return lease;
	assert(store->lease_count < MEMBERS_MAX && strlen(name) < sizeof(lease->name));
	store->lease_count++;
	strcpy(lease->name, name);
	return lease;
}

static bool store_lease_valid(struct mapstore *base)
{
	struct handle *handle = (struct handle *)base;

	return handle->lease && handle->store->world->now_ns < handle->valid_until_ns;
}

static void lease_lose(struct handle *handle)
{
	handle->lease = NULL;
	sim_note(handle->store->world, handle->host, "lease lost", handle->instance, 0);
	handle->lost(handle->lost_owner);
}

/* Renew, or find that it is too late. A renewal that cannot pass is tried again. */
static void run_renew(struct sim_event *event)
{
	struct handle *handle = handle_of(event, renew_event);
	struct sim_world *world = handle->store->world;
	uint64_t next_ns = world->now_ns + handle->term_ns / RENEWALS;

	if (!store_lease_valid(&handle->base)) {
		lease_lose(handle);
		return;
	}
	if (is_cut(handle)) {
		next_ns = world->now_ns + RETRY_NS;
		if (next_ns > handle->valid_until_ns)
			next_ns = handle->valid_until_ns;
	} else {
		handle->valid_until_ns = world->now_ns + handle->term_ns;
		handle->lease->expires_ns = answer_ns(world) + handle->term_ns;
		handle->lease->fill = handle->fill;
	}
	sim_event_at(world, handle->host, event, next_ns);
}

/* A store on one machine knows when a process has ended, one for a cluster does not: be either, by the seed. */
static bool holder_is_gone(const struct sim_store *store, const struct lease *lease)
{
	return (store->world->seed & 1) && lease->host &&
	       (!lease->host->up || lease->host->life != lease->life);
}

static int store_lease_hold(struct mapstore *base, const char *name, uint64_t instance,
			    uint64_t term_ns, void (*lost)(void *owner), void *owner)
{
	struct handle *handle = (struct handle *)base;
	struct sim_store *store = handle->store;
	struct lease *lease = lease_of(store, name);

	assert(!handle->lease);
	if (lease->instance && lease->instance != instance && !lease->released &&
	    lease->expires_ns > store->world->now_ns && !holder_is_gone(store, lease))
		return -EBUSY;
	lease->instance = instance;
	lease->released = false;
	lease->host = handle->host;
	lease->life = handle->life;
	lease->fill = handle->fill;
	lease->expires_ns = store->world->now_ns + term_ns;
	handle->lease = lease;
	handle->instance = instance;
	handle->term_ns = term_ns;
	handle->valid_until_ns = lease->expires_ns;
	handle->lost = lost;
	handle->lost_owner = owner;
	handle->renew_event.run = run_renew;
	sim_event_at(store->world, handle->host, &handle->renew_event,
		     store->world->now_ns + term_ns / RENEWALS);
	return 0;
}

static void store_lease_tell(struct mapstore *base, struct fill fill)
{
	((struct handle *)base)->fill = fill;
}

static void store_lease_release(struct mapstore *base)
{
	struct handle *handle = (struct handle *)base;

	if (!handle->lease)
		return;
	handle->lease->released = true;
	handle->lease = NULL;
	sim_event_cancel(handle->store->world, &handle->renew_event);
}

static struct fill read_fill(const struct lease *lease)
{
	struct fill fill = lease->fill;

	if (lease->pretends)
		fill.state = lease->pretended;
	return fill;
}

void sim_store_pretend_fill(struct sim_store *store, const char *name, bool pretends, enum fill_state state)
{
	struct lease *lease = lease_of(store, name);

	lease->pretends = pretends;
	lease->pretended = state;
}

struct fill sim_store_fill(struct sim_store *store, const char *name)
{
	return read_fill(lease_of(store, name));
}

/* A listing on its way back. */
struct listing {
	struct sim_event event;
	struct handle *handle;
	void (*listed)(void *owner, int result, const struct mapstore_lease *leases, size_t count);
	void *owner;
};

static void run_listing(struct sim_event *event)
{
	struct listing *listing = (struct listing *)event;
	struct sim_store *store = listing->handle->store;
	struct sim_host *host = listing->handle->host;
	struct mapstore_lease leases[MEMBERS_MAX];
	unsigned int i;

	if (is_cut(listing->handle)) {
		sim_event_at(store->world, host, event, store->world->now_ns + RETRY_NS);
		return;
	}
	for (i = 0; i < store->lease_count; i++) {
		memset(&leases[i], 0, sizeof(leases[i]));
		strcpy(leases[i].name, store->leases[i].name);
		leases[i].instance = store->leases[i].instance;
		leases[i].expires_ns = store->leases[i].expires_ns + host->clock_offset_ns;
		leases[i].released = store->leases[i].released;
		leases[i].fill = read_fill(&store->leases[i]);
		leases[i].gone = holder_is_gone(store, &store->leases[i]);
	}
	if (!listing->handle->closed)
		listing->listed(listing->owner, 0, leases, store->lease_count);
	free(listing);
}

static void store_leases(struct mapstore *base,
			 void (*listed)(void *owner, int result,
					const struct mapstore_lease *leases, size_t count),
			 void *owner)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	assert(listing);
	listing->event.run = run_listing;
	listing->handle = (struct handle *)base;
	listing->listed = listed;
	listing->owner = owner;
	sim_event_at(listing->handle->store->world, listing->handle->host, &listing->event,
		     answer_ns(listing->handle->store->world));
}

/* ---- office ------------------------------------------------------------------ */

static struct office *office_of(struct sim_store *store, const char *name)
{
	struct office *office = store->offices;
	unsigned int i;

	for (i = 0; i < store->office_count; i++, office++)
		if (!strcmp(office->name, name))
			return office;
	assert(store->office_count < OFFICES_MAX && strlen(name) < sizeof(office->name));
	store->office_count++;
	strcpy(office->name, name);
	return office;
}

static void office_set(struct handle *handle, bool holds)
{
	if (handle->holds == holds)
		return;
	handle->holds = holds;
	sim_note(handle->store->world, handle->host, holds ? "elected" : "not elected any more",
		 handle->number, 0);
	handle->elected(handle->elected_owner, holds);
}

static void run_office(struct sim_event *event)
{
	struct handle *handle = handle_of(event, office_event);
	struct sim_world *world = handle->store->world;
	struct office *office = handle->office;
	bool mine = office->holder == handle->number;

	sim_event_at(world, handle->host, event, world->now_ns + handle->office_term_ns / RENEWALS);
	if (handle->holds && world->now_ns >= handle->office_until_ns) {
		office_set(handle, false);
		return;
	}
	if (is_cut(handle) || (!mine && office->holder && office->expires_ns > world->now_ns))
		return;
	office->holder = handle->number;
	office->expires_ns = answer_ns(world) + handle->office_term_ns;
	handle->office_until_ns = world->now_ns + handle->office_term_ns;
	office_set(handle, true);
}

static void store_elect(struct mapstore *base, const char *office, uint64_t term_ns,
			void (*elected)(void *owner, bool holds), void *owner)
{
	struct handle *handle = (struct handle *)base;
	struct sim_world *world = handle->store->world;

	assert(!handle->office);
	handle->office = office_of(handle->store, office);
	handle->office_term_ns = term_ns;
	handle->elected = elected;
	handle->elected_owner = owner;
	handle->office_event.run = run_office;
	sim_event_at(world, handle->host, &handle->office_event, answer_ns(world));
}

/* ---- life ---------------------------------------------------------------------- */

/* Calls on their way still look at the handle, so it stays until the store goes. */
static void store_close(struct mapstore *base)
{
	struct handle *handle = (struct handle *)base;
	struct sim_world *world = handle->store->world;

	handle->closed = true;
	sim_event_cancel(world, &handle->watch_event);
	sim_event_cancel(world, &handle->renew_event);
	sim_event_cancel(world, &handle->office_event);
}

static const struct mapstore_ops store_ops = {
	.name = "simulated",
	.get = store_get,
	.swap = store_swap,
	.watch = store_watch,
	.lease_hold = store_lease_hold,
	.lease_valid = store_lease_valid,
	.lease_tell = store_lease_tell,
	.lease_release = store_lease_release,
	.leases = store_leases,
	.elect = store_elect,
	.destroy = store_close,
};

struct mapstore *sim_store_open(struct sim_store *store, struct io *io)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	assert(handle);
	handle->base.ops = &store_ops;
	handle->base.io = io;
	handle->store = store;
	handle->host = sim_host_of(io);
	handle->number = ++store->handles;
	handle->life = handle->host->life;
	handle->next = store->all;
	store->all = handle;
	return &handle->base;
}
