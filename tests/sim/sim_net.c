// SPDX-License-Identifier: GPL-2.0
/*
 * How simulated streams begin and break: listeners, dialling, partitions and
 * crashes. An open stream is in sim_stream.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "sim_stream.h"

uint64_t sim_net_flight_ns(struct sim_world *world)
{
	const struct sim_faults *faults = &world->faults;
	uint64_t us = sim_between(&world->random, faults->net_min_us, faults->net_max_us);

	if (sim_chance(&world->random, faults->net_slow_ppm))
		us *= sim_between(&world->random, 2, 200);
	return us * SIM_NS_PER_US;
}

bool sim_net_is_cut(const struct sim_world *world, const struct sim_host *a,
		    const struct sim_host *b)
{
	return world->cut_until_ns[a->id][b->id] > world->now_ns;
}

static struct sim_host *host_at(struct sim_world *world, const struct io_address *address)
{
	unsigned int i;

	for (i = 0; i < world->host_count; i++)
		if (!memcmp(world->hosts[i]->address.ip, address->ip, sizeof(address->ip)))
			return world->hosts[i];
	return NULL;
}

static struct io_listener *listener_at(struct sim_host *host, uint16_t port)
{
	struct io_listener *listener = host->listeners;

	while (listener && listener->port != port)
		listener = listener->next;
	return listener;
}

static void run_opened(struct sim_event *event)
{
	struct io_stream *stream = sim_stream_of(event, open_event);

	if (stream->dead)
		return;
	stream->open = true;
	stream->events->opened(stream->owner);
	if (stream->host->up)
		sim_stream_arm(stream);
}

static void run_accept(struct sim_event *event)
{
	struct io_stream *stream = sim_stream_of(event, open_event);
	struct io_listener *listener = stream->listener;

	stream->listener = NULL;
	if (!stream->dead)
		listener->accepted(listener->owner, stream, &stream->address);
}

/* The dialler's first packet arrives; the machine answers, whatever its program does. */
static void run_arrive(struct sim_event *event)
{
	struct io_stream *dialler = sim_stream_of(event, open_event), *stream;
	struct sim_world *world = dialler->host->world;
	struct sim_host *target = dialler->peer_host;
	struct io_listener *listener;

	if (sim_net_is_cut(world, dialler->host, target)) {
		if (world->now_ns - dialler->began_ns >
		    world->faults.net_timeout_ms * SIM_NS_PER_MS)
			sim_stream_end_at(dialler, -ETIMEDOUT, world->now_ns);
		else
			sim_event_at(world, NULL, event, world->now_ns + SIM_RETRY_NS);
		return;
	}
	listener = target->up ? listener_at(target, dialler->address.port) : NULL;
	if (!listener) {
		sim_stream_end_at(dialler, -ECONNREFUSED, world->now_ns + sim_net_flight_ns(world));
		return;
	}
	stream = sim_stream_new(target, dialler->host);
	stream->peer = dialler;
	stream->listener = listener;
	stream->open = true;
	stream->address = dialler->host->address;
	stream->address.port = dialler->host->next_port++;
	stream->open_event.run = run_accept;
	sim_event_at(world, target, &stream->open_event, world->now_ns);
	dialler->peer = stream;
	dialler->began_ns = 0;
	dialler->open_event.run = run_opened;
	sim_event_at(world, dialler->host, &dialler->open_event, world->now_ns + sim_net_flight_ns(world));
}

int sim_net_connect(struct io *io, const struct io_address *address,
		    const struct io_stream_events *events, void *owner,
		    struct io_stream **ret_stream)
{
	struct sim_host *host = sim_host_of(io);
	struct sim_host *target = host_at(host->world, address);
	struct io_stream *stream;

	if (!target)
		return -ENETUNREACH;
	stream = sim_stream_new(host, target);
	stream->address = *address;
	stream->events = events;
	stream->owner = owner;
	stream->began_ns = host->world->now_ns;
	stream->open_event.run = run_arrive;
	sim_event_at(host->world, NULL, &stream->open_event,
		     host->world->now_ns + sim_net_flight_ns(host->world));
	*ret_stream = stream;
	return 0;
}

static struct io_listener *listener_new(struct sim_host *host, uint16_t port,
					void (*accepted)(void *, struct io_stream *,
							 const struct io_address *), void *owner)
{
	struct io_listener *listener = calloc(1, sizeof(*listener));

	assert(listener);
	listener->host = host;
	listener->port = port;
	listener->accepted = accepted;
	listener->owner = owner;
	listener->next = host->listeners;
	host->listeners = listener;
	return listener;
}

int sim_net_listen(struct io *io, const struct io_address *address,
		   void (*accepted)(void *, struct io_stream *, const struct io_address *),
		   void *owner, struct io_listener **ret_listener)
{
	struct sim_host *host = sim_host_of(io);
	uint16_t port = address->port ? address->port : host->next_port++;

	if (listener_at(host, port))
		return -EADDRINUSE;
	*ret_listener = listener_new(host, port, accepted, owner);
	return 0;
}

int sim_net_listen_path(struct io *io, const char *path,
			void (*accepted)(void *, struct io_stream *, const struct io_address *),
			void *owner, struct io_listener **ret_listener)
{
	*ret_listener = listener_new(sim_host_of(io), 0, accepted, owner);
	return 0;
}

uint16_t sim_net_listener_port(struct io_listener *listener)
{
	return listener->port;
}

void sim_net_listener_close(struct io_listener *listener)
{
	struct io_listener **link = &listener->host->listeners;
	struct io_stream *stream;

	for (stream = listener->host->streams; stream; stream = stream->next)
		if (stream->listener == listener) {
			stream->listener = NULL;
			sim_event_cancel(stream->host->world, &stream->open_event);
			sim_stream_break(stream, -ECONNRESET, SIM_NS_PER_MS);
		}
	while (*link != listener)
		link = &(*link)->next;
	*link = listener->next;
	free(listener);
}

/* ---- faults from outside --------------------------------------------------- */

void sim_net_crash(struct sim_host *host, enum sim_crash kind)
{
	struct sim_world *world = host->world;
	struct io_stream *stream;

	for (stream = host->streams; stream; stream = stream->next) {
		if (!stream->peer)
			continue;
		stream->peer->peer = NULL;
		if (kind == SIM_CRASH_KILL)
			sim_stream_put_mark(stream->peer, SEGMENT_RESET, -ECONNRESET, 0);
		else
			sim_stream_put_mark(stream->peer, SEGMENT_RESET, -ETIMEDOUT,
				 sim_between(&world->random, 1,
					     world->faults.net_timeout_ms) * SIM_NS_PER_MS);
		stream->peer = NULL;
	}
	sim_net_forget(host);
}

void sim_net_forget(struct sim_host *host)
{
	struct io_listener *listener;

	while (host->streams)
		sim_stream_free(host->streams);
	while ((listener = host->listeners)) {
		host->listeners = listener->next;
		free(listener);
	}
}

void sim_net_reset(struct sim_host *a, struct sim_host *b)
{
	struct io_stream *stream;

	for (stream = a->streams; stream; stream = stream->next)
		if (stream->peer_host == b && stream->peer && !stream->dead) {
			sim_note(a->world, a, "reset by fault", b->id, 0);
			sim_stream_break(stream, -ECONNRESET, SIM_NS_PER_MS);
			return;
		}
}
