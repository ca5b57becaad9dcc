// SPDX-License-Identifier: GPL-2.0
/*
 * The world's clock, its queue of events (a binary heap ordered by time, then
 * by the order of queueing), its hosts and the flight recorder. Crash, pause
 * and partition are decided by callers; what they do to streams and disks is
 * in sim_net.c and sim_disk.c.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim_world.h"
#include "sim_disk.h"
#include "sim_net.h"

/* A queued event; `index` points into it, so that it knows its place. */
struct sim_node {
	uint64_t at_ns;
	uint64_t order;
	struct sim_host *host;
	struct sim_event *event;	/* one of the two */
	struct io_timer *timer;
};

static size_t *node_index(const struct sim_node *node)
{
	return node->event ? &node->event->heap_index : &node->timer->heap_index;
}

static bool node_before(const struct sim_node *a, const struct sim_node *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void heap_put(struct sim_world *world, size_t i, struct sim_node node)
{
	world->heap[i] = node;
	*node_index(&node) = i;
}

static void heap_up(struct sim_world *world, size_t i, struct sim_node node)
{
	while (i > 1 && node_before(&node, &world->heap[i / 2])) {
		heap_put(world, i, world->heap[i / 2]);
		i /= 2;
	}
	heap_put(world, i, node);
}

static void heap_down(struct sim_world *world, size_t i, struct sim_node node)
{
	size_t child;

	while ((child = i * 2) <= world->heap_count) {
		if (child < world->heap_count &&
		    node_before(&world->heap[child + 1], &world->heap[child]))
			child++;
		if (!node_before(&world->heap[child], &node))
			break;
		heap_put(world, i, world->heap[child]);
		i = child;
	}
	heap_put(world, i, node);
}

static void heap_add(struct sim_world *world, struct sim_node node)
{
	if (world->heap_count + 2 > world->heap_room) {
		world->heap_room = world->heap_room ? world->heap_room * 2 : 1024;
		world->heap = realloc(world->heap, world->heap_room * sizeof(*world->heap));
		assert(world->heap);
	}
	node.order = world->order++;
	heap_up(world, ++world->heap_count, node);
}

static void heap_remove(struct sim_world *world, size_t i)
{
	struct sim_node last = world->heap[world->heap_count];

	*node_index(&world->heap[i]) = 0;
	if (i == world->heap_count--)
		return;
	if (i > 1 && node_before(&last, &world->heap[i / 2]))
		heap_up(world, i, last);
	else
		heap_down(world, i, last);
}

void sim_event_at(struct sim_world *world, struct sim_host *host, struct sim_event *event,
		  uint64_t at_ns)
{
	struct sim_node node = { .at_ns = at_ns, .host = host, .event = event };

	sim_event_cancel(world, event);
	heap_add(world, node);
}

void sim_event_cancel(struct sim_world *world, struct sim_event *event)
{
	if (event->heap_index)
		heap_remove(world, event->heap_index);
}

void sim_timer_at(struct sim_world *world, struct sim_host *host, struct io_timer *timer,
		  uint64_t at_ns)
{
	struct sim_node node = { .at_ns = at_ns, .host = host, .timer = timer };

	sim_timer_cancel(world, timer);
	heap_add(world, node);
}

void sim_timer_cancel(struct sim_world *world, struct io_timer *timer)
{
	if (timer->heap_index)
		heap_remove(world, timer->heap_index);
}

void sim_events_forget(struct sim_world *world, struct sim_host *host)
{
	size_t i, kept = 0;

	for (i = 1; i <= world->heap_count; i++) {
		if (world->heap[i].host == host)
			*node_index(&world->heap[i]) = 0;
		else
			heap_put(world, ++kept, world->heap[i]);
	}
	world->heap_count = kept;
	for (i = kept / 2; i >= 1; i--)
		heap_down(world, i, world->heap[i]);
}

/* A paused host is called when it wakes, in the order things would have happened. */
static bool postpone(struct sim_world *world, const struct sim_node *node)
{
	struct sim_node later = *node;

	if (!node->host || node->host->paused_until_ns <= world->now_ns)
		return false;
	later.at_ns = node->host->paused_until_ns;
	heap_remove(world, 1);
	heap_up(world, ++world->heap_count, later);
	return true;
}

static void run_first(struct sim_world *world)
{
	struct sim_node node = world->heap[1];

	if (node.at_ns > world->now_ns)
		world->now_ns = node.at_ns;
	if (postpone(world, &node))
		return;
	assert(!node.host || node.host->up);
	heap_remove(world, 1);
	world->events_run++;
	sim_mix(world, world->now_ns ^ (uint64_t)(node.host ? node.host->id + 1 : 0) << 56);
	if (node.event)
		node.event->run(node.event);
	else
		node.timer->fire(node.timer);
	if (world->watch && world->events_run % SIM_WATCH_EVENTS == 0)
		world->watch(world->watch_owner);
}

bool sim_run(struct sim_world *world, uint64_t until_ns)
{
	world->stop = false;
	while (!world->stop && world->heap_count && world->heap[1].at_ns <= until_ns)
		run_first(world);
	if (!world->stop && world->now_ns < until_ns && until_ns != UINT64_MAX)
		world->now_ns = until_ns;
	return world->stop;
}

#define FAULT_DEFAULT(name, value, doc) .name = value,

struct sim_world *sim_world_create(uint64_t seed)
{
	struct sim_world *world = calloc(1, sizeof(*world));

	assert(world);
	world->seed = seed;
	world->random = sim_random_from(seed);
	world->now_ns = SIM_NS_PER_S;
	world->hash = 0xcbf29ce484222325u;
	world->faults = (struct sim_faults){ SIM_FAULTS(FAULT_DEFAULT) };
	return world;
}

void sim_world_destroy(struct sim_world *world)
{
	unsigned int i;

	for (i = 0; i < world->host_count; i++) {
		sim_net_forget(world->hosts[i]);
		sim_disk_destroy_all(world->hosts[i]);
		free(world->hosts[i]);
	}
	free(world->heap);
	free(world);
}

struct sim_host *sim_host_add(struct sim_world *world, const char *name)
{
	struct sim_host *host = calloc(1, sizeof(*host));

	assert(host && world->host_count < SIM_HOSTS_MAX);
	host->io.ops = &sim_io_ops;
	host->world = world;
	host->id = world->host_count;
	snprintf(host->name, sizeof(host->name), "%s", name);
	host->address.ip[10] = host->address.ip[11] = 0xff;
	host->address.ip[12] = 10;
	host->address.ip[15] = (uint8_t)(host->id + 1);
	host->next_port = 40000;
	host->random = sim_random_from(world->seed ^ (host->id + 1) * 0x9e3779b97f4a7c15u);
	host->clock_offset_ns = sim_below(&host->random, 1000) * SIM_NS_PER_S;
	host->wall_offset_ns = (int64_t)sim_below(&host->random, 200 * SIM_NS_PER_MS);
	host->tasks_tail = &host->tasks;
	host->up = true;
	world->hosts[world->host_count++] = host;
	return host;
}

void sim_host_crash(struct sim_host *host, enum sim_crash kind)
{
	assert(host->up);
	sim_note(host->world, host, kind == SIM_CRASH_KILL ? "killed" : "power lost", 0, 0);
	host->up = false;
	host->life++;
	sim_net_crash(host, kind);
	sim_disk_crash(host, kind);
	sim_events_forget(host->world, host);
	host->tasks = NULL;
	host->tasks_tail = &host->tasks;
	host->paused_until_ns = 0;
}

void sim_host_restart(struct sim_host *host)
{
	assert(!host->up);
	sim_note(host->world, host, "restarted", 0, 0);
	host->up = true;
}

void sim_host_pause(struct sim_host *host, uint64_t duration_ns)
{
	sim_note(host->world, host, "paused for us", duration_ns / SIM_NS_PER_US, 0);
	host->paused_until_ns = host->world->now_ns + duration_ns;
}

void sim_partition(struct sim_host *a, struct sim_host *b, uint64_t duration_ns)
{
	struct sim_world *world = a->world;

	sim_note(world, a, "cut off from host, for us", b->id, duration_ns / SIM_NS_PER_US);
	world->cut_until_ns[a->id][b->id] = world->now_ns + duration_ns;
	world->cut_until_ns[b->id][a->id] = world->now_ns + duration_ns;
}

void sim_heal(struct sim_world *world)
{
	unsigned int i;

	memset(world->cut_until_ns, 0, sizeof(world->cut_until_ns));
	for (i = 0; i < world->host_count; i++)
		if (world->hosts[i]->paused_until_ns > world->now_ns)
			world->hosts[i]->paused_until_ns = world->now_ns;
	sim_note(world, NULL, "healed", 0, 0);
}

void sim_mix(struct sim_world *world, uint64_t value)
{
	world->hash = (sim_rotate(world->hash, 23) ^ value) * 0x9e3779b97f4a7c15u;
}

static void note_print(FILE *out, const struct sim_note *note)
{
	fprintf(out, "%14.6f %-8s %s %" PRIu64 " %" PRIu64 "\n",
		(double)note->at_ns / (double)SIM_NS_PER_S, note->host, note->what, note->a,
		note->b);
}

void sim_note(struct sim_world *world, const struct sim_host *host, const char *what, uint64_t a,
	      uint64_t b)
{
	struct sim_note *note = &world->notes[world->note_count++ % SIM_NOTES_MAX];

	*note = (struct sim_note){ world->now_ns, host ? host->name : "world", what, a, b };
	sim_mix(world, a ^ sim_rotate(b, 32) ^ (uint8_t)what[0]);
	if (world->trace)
		note_print(stdout, note);
}

void sim_notes_print(const struct sim_world *world, unsigned int count)
{
	uint64_t i = world->note_count > count ? world->note_count - count : 0;

	if (world->note_count > SIM_NOTES_MAX && i < world->note_count - SIM_NOTES_MAX)
		i = world->note_count - SIM_NOTES_MAX;
	for (; i < world->note_count; i++)
		note_print(stderr, &world->notes[i % SIM_NOTES_MAX]);
}
