/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the simulated network: what sim_stream.c (an open stream) and
 * sim_net.c (how streams begin and break) share. Nobody else includes this.
 */
#ifndef NACRE_SIM_STREAM_H
#define NACRE_SIM_STREAM_H

#include "sim_net.h"

#define SIM_RETRY_NS (200 * SIM_NS_PER_MS)	/* how soon a cut link is tried again */

enum segment_kind { SEGMENT_DATA, SEGMENT_END, SEGMENT_RESET };

struct segment {
	struct segment *next;
	uint64_t at_ns;
	enum segment_kind kind;
	int reason;			/* RESET */
	size_t length;
	uint8_t bytes[];
};

struct io_listener {
	struct sim_host *host;
	struct io_listener *next;
	uint16_t port;			/* 0: a path, which nobody can connect to here */
	void (*accepted)(void *owner, struct io_stream *stream, const struct io_address *peer);
	void *owner;
};

struct io_stream {
	struct sim_host *host, *peer_host;
	struct io_stream *next, **link;	/* in host->streams */
	struct io_stream *peer;		/* NULL: gone, or not connected yet */
	struct io_listener *listener;	/* accepted() is still to be called */
	struct io_address address;	/* dialled, or the peer's */
	const struct io_stream_events *events;	/* NULL: not attached yet */
	void *owner;
	bool open, paused, dead;	/* dead: close_event is on its way */
	int reason;
	uint64_t began_ns;		/* of connecting, or of a stall; 0 = none */
	/* what flies or waits here */
	struct segment *first, **last;
	uint64_t last_at_ns;
	size_t unread;
	struct sim_event deliver_event;
	/* what this end sends */
	struct io_send *sends, **sends_last;
	struct segment *held;		/* to be overtaken */
	struct sim_event sent_event;
	struct sim_event open_event;	/* connecting, accepting */
	struct sim_event close_event;
	struct sim_event fault_event;
};

#define sim_stream_of(event, member) \
	((struct io_stream *)((char *)(event) - offsetof(struct io_stream, member)))

struct io_stream *sim_stream_new(struct sim_host *host, struct sim_host *peer_host);
/* Free one end, telling nobody. */
void sim_stream_free(struct io_stream *stream);
/* Decide that this end is over; its owner hears of it in a turn of its own. */
void sim_stream_end_at(struct io_stream *stream, int reason, uint64_t at_ns);
/* Both ends break, each in its own time. */
void sim_stream_break(struct io_stream *stream, int reason, uint64_t spread_ns);
/* Let an end or a reset fly to this end, behind what flies there already. */
void sim_stream_put_mark(struct io_stream *stream, enum segment_kind kind, int reason,
			 uint64_t delay_ns);
void sim_stream_arm(struct io_stream *stream);

uint64_t sim_net_flight_ns(struct sim_world *world);
bool sim_net_is_cut(const struct sim_world *world, const struct sim_host *a,
		    const struct sim_host *b);

#endif
