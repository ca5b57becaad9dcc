// SPDX-License-Identifier: GPL-2.0
/*
 * Simulated byte streams. Each end owns what flies towards it (a queue of
 * segments and one event for the first of them), so that bytes sent just
 * before a crash still arrive. A segment is one send. See sim_net.h for what
 * faults do; sim_world.h for how often.
 *
 * A stream is freed in its close event, the turn after its end was decided,
 * so callbacks may close the stream they are called for.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/messages.h"
#include "sim_stream.h"
#include "sim_trace.h"

#define WINDOW_BYTES (512u << 10)	/* in flight or unread; more sends wait */

static struct sim_world *world_of(const struct io_stream *stream)
{
	return stream->host->world;
}

static void run_close(struct sim_event *event);
static void run_deliver(struct sim_event *event);
static void run_sent(struct sim_event *event);
static void run_fault(struct sim_event *event);

struct io_stream *sim_stream_new(struct sim_host *host, struct sim_host *peer_host)
{
	struct io_stream *stream = calloc(1, sizeof(*stream));

	assert(stream);
	stream->host = host;
	stream->peer_host = peer_host;
	stream->last = &stream->first;
	stream->sends_last = &stream->sends;
	stream->deliver_event.run = run_deliver;
	stream->sent_event.run = run_sent;
	stream->close_event.run = run_close;
	stream->fault_event.run = run_fault;
	stream->next = host->streams;
	stream->link = &host->streams;
	if (stream->next)
		stream->next->link = &stream->next;
	host->streams = stream;
	return stream;
}

static void drop_inbound(struct io_stream *stream)
{
	struct segment *segment;

	while ((segment = stream->first)) {
		stream->first = segment->next;
		free(segment);
	}
	stream->last = &stream->first;
	stream->unread = 0;
	sim_event_cancel(world_of(stream), &stream->deliver_event);
}

void sim_stream_free(struct io_stream *stream)
{
	struct sim_world *world = world_of(stream);

	drop_inbound(stream);
	sim_event_cancel(world, &stream->sent_event);
	sim_event_cancel(world, &stream->open_event);
	sim_event_cancel(world, &stream->close_event);
	sim_event_cancel(world, &stream->fault_event);
	if (stream->peer)
		stream->peer->peer = NULL;
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	free(stream->held);
	free(stream);
}

/* Decide that this end is over; its owner hears of it in a turn of its own. */
void sim_stream_end_at(struct io_stream *stream, int reason, uint64_t at_ns)
{
	if (stream->dead)
		return;
	stream->reason = reason;
	if (at_ns <= world_of(stream)->now_ns) {
		stream->dead = true;
		drop_inbound(stream);
	}
	sim_event_at(world_of(stream), stream->host, &stream->close_event, at_ns);
}

static void run_close(struct sim_event *event)
{
	struct io_stream *stream = sim_stream_of(event, close_event);
	struct io_send *send;

	stream->dead = true;
	while ((send = stream->sends)) {
		stream->sends = send->next;
		if (!stream->sends)
			stream->sends_last = &stream->sends;
		send->done(send, -ECANCELED);
	}
	if (stream->events)
		stream->events->closed(stream->owner, stream->reason);
	if (stream->host->up)
		sim_stream_free(stream);
}

/* Both ends break, each in its own time. */
void sim_stream_break(struct io_stream *stream, int reason, uint64_t spread_ns)
{
	struct sim_world *world = world_of(stream);
	struct io_stream *peer = stream->peer;

	if (peer) {
		peer->peer = NULL;
		sim_stream_end_at(peer, reason, world->now_ns + sim_below(&world->random, spread_ns));
	}
	stream->peer = NULL;
	sim_stream_end_at(stream, reason, world->now_ns + sim_below(&world->random, spread_ns));
}

static void run_fault(struct sim_event *event)
{
	struct io_stream *stream = sim_stream_of(event, fault_event);

	sim_note(world_of(stream), stream->host, "reset by fault", stream->peer_host->id, 0);
	sim_stream_break(stream, -ECONNRESET, SIM_NS_PER_MS);
}

/* ---- receiving ----------------------------------------------------------- */

void sim_stream_arm(struct io_stream *stream)
{
	struct sim_world *world = world_of(stream);
	uint64_t at_ns;

	if (!stream->first || stream->paused || stream->dead || !stream->events || !stream->open ||
	    stream->deliver_event.heap_index)
		return;
	at_ns = stream->first->at_ns;
	sim_event_at(world, stream->host, &stream->deliver_event,
		     at_ns > world->now_ns ? at_ns : world->now_ns);
}

static void put_segment(struct io_stream *stream, struct segment *segment)
{
	struct sim_world *world = world_of(stream);

	segment->at_ns = world->now_ns + sim_net_flight_ns(world);
	if (segment->at_ns < stream->last_at_ns)
		segment->at_ns = stream->last_at_ns;
	stream->last_at_ns = segment->at_ns;
	segment->next = NULL;
	*stream->last = segment;
	stream->last = &segment->next;
	stream->unread += segment->length;
	sim_stream_arm(stream);
}

void sim_stream_put_mark(struct io_stream *stream, enum segment_kind kind, int reason,
		     uint64_t delay_ns)
{
	struct segment *segment = calloc(1, sizeof(*segment));

	assert(segment);
	segment->kind = kind;
	segment->reason = reason;
	stream->last_at_ns += delay_ns;
	if (stream->last_at_ns < world_of(stream)->now_ns + delay_ns)
		stream->last_at_ns = world_of(stream)->now_ns + delay_ns;
	put_segment(stream, segment);
}

/* Nothing passes a cut link; a stream that waits for too long breaks. */
static bool stalled(struct io_stream *stream)
{
	struct sim_world *world = world_of(stream);

	if (!sim_net_is_cut(world, stream->host, stream->peer_host)) {
		stream->began_ns = 0;
		return false;
	}
	if (!stream->began_ns)
		stream->began_ns = world->now_ns;
	if (world->now_ns - stream->began_ns > world->faults.net_timeout_ms * SIM_NS_PER_MS) {
		sim_note(world, stream->host, "stream timed out", stream->peer_host->id, 0);
		sim_stream_break(stream, -ETIMEDOUT, 2 * SIM_NS_PER_S);
		return true;
	}
	sim_event_at(world, stream->host, &stream->deliver_event, world->now_ns + SIM_RETRY_NS);
	return true;
}

static void deliver_bytes(struct io_stream *stream, const struct segment *segment)
{
	struct sim_world *world = world_of(stream);
	size_t cut = 0;

	if (segment->length > 1 && sim_chance(&world->random, world->faults.net_split_ppm)) {
		cut = 1 + sim_below(&world->random, segment->length - 1);
		stream->events->received(stream->owner, segment->bytes, cut);
	}
	if (!stream->dead && stream->host->up)
		stream->events->received(stream->owner, segment->bytes + cut,
					 segment->length - cut);
}

static void run_deliver(struct sim_event *event)
{
	struct io_stream *stream = sim_stream_of(event, deliver_event);
	struct segment *segment = stream->first;
	struct sim_host *host = stream->host;

	if (!segment || stalled(stream))
		return;
	stream->first = segment->next;
	if (!stream->first)
		stream->last = &stream->first;
	stream->unread -= segment->length;
	if (stream->peer && stream->peer->sends && stream->unread <= WINDOW_BYTES &&
	    !stream->peer->sent_event.heap_index)
		sim_event_at(host->world, stream->peer_host, &stream->peer->sent_event,
			     host->world->now_ns);
	if (segment->kind == SEGMENT_DATA)
		deliver_bytes(stream, segment);
	else
		sim_stream_end_at(stream, segment->reason, host->world->now_ns);
	free(segment);
	if (host->up)
		sim_stream_arm(stream);
}

void sim_net_attach(struct io_stream *stream, const struct io_stream_events *events, void *owner)
{
	stream->events = events;
	stream->owner = owner;
	sim_stream_arm(stream);
}

void sim_net_pause(struct io_stream *stream, bool paused)
{
	stream->paused = paused;
	if (paused)
		sim_event_cancel(world_of(stream), &stream->deliver_event);
	else
		sim_stream_arm(stream);
}

/* ---- sending ------------------------------------------------------------- */

static struct segment *gather(const struct io_send *send)
{
	struct segment *segment;
	size_t length = 0;
	unsigned int i;

	for (i = 0; i < send->iov_count; i++)
		length += send->iov[i].iov_len;
	segment = malloc(sizeof(*segment) + length);
	assert(segment);
	memset(segment, 0, sizeof(*segment));
	for (i = 0; i < send->iov_count; i++) {
		if (!send->iov[i].iov_len)
			continue;
		memcpy(segment->bytes + segment->length, send->iov[i].iov_base,
		       send->iov[i].iov_len);
		segment->length += send->iov[i].iov_len;
	}
	return segment;
}

/* The flight recorder names the first message of a send. */
static void note_send(const struct io_stream *stream, const struct segment *segment)
{
	const struct nacre_frame_wire *frame = (const void *)segment->bytes;
	const struct nacre_message *message = NULL;
	struct sim_world *world = world_of(stream);

	if (segment->length >= sizeof(*frame) && nacre_le32(frame->magic) == NACRE_FRAME_MAGIC) {
		message = nacre_message_find(nacre_le16(frame->type));
		sim_mix(world, (uint64_t)nacre_le32(frame->header_crc) << 32 |
				       nacre_le32(frame->body_crc));
	}
	sim_note(world, stream->host, message ? message->name : "bytes", stream->peer_host->id,
		 segment->length);
	if (world->trace)
		sim_trace_bytes(segment->bytes, segment->length);
}

static void reset_soon(struct io_stream *stream)
{
	struct sim_world *world = world_of(stream);

	if (!stream->fault_event.heap_index)
		sim_event_at(world, NULL, &stream->fault_event,
			     world->now_ns + sim_below(&world->random, SIM_NS_PER_S));
}

static struct segment *segment_copy(const struct segment *segment)
{
	struct segment *copy = malloc(sizeof(*copy) + segment->length);

	assert(copy);
	memcpy(copy, segment, sizeof(*copy) + segment->length);
	return copy;
}

/* Put a send on its way, or do to it what a bad network does. */
static void transmit(struct io_stream *stream, struct segment *segment)
{
	struct sim_world *world = world_of(stream);
	const struct sim_faults *faults = &world->faults;
	struct io_stream *peer = stream->peer;
	struct segment *held = stream->held;

	if (sim_chance(&world->random, faults->net_reset_ppm))
		reset_soon(stream);
	if (sim_chance(&world->random, faults->net_drop_ppm)) {
		sim_note(world, stream->host, "lost", peer->host->id, segment->length);
		reset_soon(stream);
		free(segment);
		return;
	}
	if (!held && sim_chance(&world->random, faults->net_swap_ppm)) {
		sim_note(world, stream->host, "held back", peer->host->id, segment->length);
		reset_soon(stream);
		stream->held = segment;
		return;
	}
	if (segment->length && sim_chance(&world->random, faults->net_corrupt_ppm)) {
		sim_note(world, stream->host, "damaged", peer->host->id, segment->length);
		reset_soon(stream);
		segment->bytes[sim_below(&world->random, segment->length)] ^=
			(uint8_t)(1u << sim_below(&world->random, 8));
	}
	if (sim_chance(&world->random, faults->net_duplicate_ppm)) {
		sim_note(world, stream->host, "duplicated", peer->host->id, segment->length);
		put_segment(peer, segment_copy(segment));
	}
	put_segment(peer, segment);
	if (held) {
		stream->held = NULL;
		put_segment(peer, held);
	}
}

void sim_net_send(struct io_stream *stream, struct io_send *send)
{
	struct sim_world *world = world_of(stream);
	struct segment *segment;

	if (stream->open && !stream->dead && stream->peer) {
		segment = gather(send);
		note_send(stream, segment);
		transmit(stream, segment);
	}
	send->next = NULL;
	*stream->sends_last = send;
	stream->sends_last = &send->next;
	if (!stream->sent_event.heap_index && !stream->dead)
		sim_event_at(world, stream->host, &stream->sent_event, world->now_ns);
}

static void run_sent(struct sim_event *event)
{
	struct io_stream *stream = sim_stream_of(event, sent_event);
	struct sim_host *host = stream->host;
	struct io_send *send = stream->sends;

	if (!send || stream->dead || (stream->peer && stream->peer->unread > WINDOW_BYTES))
		return;
	stream->sends = send->next;
	if (stream->sends)
		sim_event_at(host->world, host, event, host->world->now_ns);
	else
		stream->sends_last = &stream->sends;
	send->done(send, 0);
}

void sim_net_close(struct io_stream *stream)
{
	struct sim_world *world = world_of(stream);

	if (stream->dead)
		return;
	if (stream->peer) {
		sim_stream_put_mark(stream->peer, SEGMENT_END, 0, 0);
		stream->peer->peer = NULL;
		stream->peer = NULL;
	}
	sim_event_cancel(world, &stream->open_event);
	sim_stream_end_at(stream, -ECANCELED, world->now_ns);
}

