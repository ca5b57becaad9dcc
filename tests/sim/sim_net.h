/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The simulated network: byte streams between hosts. A stream delivers in
 * order and whole, like TCP, unless a fault makes a whole send vanish, arrive
 * twice or late, or arrive damaged: the layer above must notice. A send that
 * was lost is followed by a reset soon, so that a loss with nothing behind it
 * is found too.
 */
#ifndef NACRE_SIM_NET_H
#define NACRE_SIM_NET_H

#include "sim_world.h"

int sim_net_listen(struct io *io, const struct io_address *address,
		   void (*accepted)(void *, struct io_stream *, const struct io_address *),
		   void *owner, struct io_listener **ret_listener);
int sim_net_listen_path(struct io *io, const char *path,
			void (*accepted)(void *, struct io_stream *, const struct io_address *),
			void *owner, struct io_listener **ret_listener);
uint16_t sim_net_listener_port(struct io_listener *listener);
void sim_net_listener_close(struct io_listener *listener);
int sim_net_connect(struct io *io, const struct io_address *address,
		    const struct io_stream_events *events, void *owner,
		    struct io_stream **ret_stream);
void sim_net_attach(struct io_stream *stream, const struct io_stream_events *events, void *owner);
void sim_net_send(struct io_stream *stream, struct io_send *send);
void sim_net_pause(struct io_stream *stream, bool paused);
void sim_net_close(struct io_stream *stream);

/* The host's program is gone: its streams and listeners too; peers hear of it, or not. */
void sim_net_crash(struct sim_host *host, enum sim_crash kind);
/* Free all streams and listeners of a host, telling nobody. */
void sim_net_forget(struct sim_host *host);
/* Reset one random stream between two hosts, if there is one. */
void sim_net_reset(struct sim_host *a, struct sim_host *b);

#endif
