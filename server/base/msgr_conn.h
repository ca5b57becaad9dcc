/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the messenger: what msgr.c, conn.c, hello.c, receive.c and send.c share.
 *
 *	struct msgr ──▶ struct conn ──▶ struct link ──▶ io_stream
 *
 * A conn is a peer and outlives streams; a link is one TCP stream's life, with
 * the frame that is being received on it. A conn lets go of a link at once
 * (hang-up); the link ends when its stream says `closed`.
 */
#ifndef NACRE_MSGR_CONN_H
#define NACRE_MSGR_CONN_H

#include "msgr.h"
#include "protocol/rules/conn.h"

#define MSGR_COUNTERS(C)							\
	C(accepted, "connections accepted")					\
	C(dialled, "attempts to connect")					\
	C(opened, "hellos exchanged")						\
	C(refused, "hellos that cannot suit")					\
	C(broken, "open connections that broke")				\
	C(bad, "connections reset because of wrong bytes")			\
	C(overflowed, "sends refused because a queue was full")			\
	C(held_back, "times that a full window stopped reading")		\
	C(received_bytes, "bytes of frames received")				\
	C(sent_bytes, "bytes of frames sent")
STATS_STRUCT(msgr_counters, MSGR_COUNTERS);

/* Deadlines, before time_scale. */
#define HELLO_MS 5000			/* from connecting, or accepting, to the end of the hello */
#define REFUSAL_MS 1000			/* how long a refusal may take to go out */

struct msgr {
	struct io *io;
	struct log *log;
	const struct msgr_handler *handler;
	void *owner;
	char name[NACRE_HOST_NAME_MAX];
	enum nacre_role role;
	uint16_t id;
	uint32_t time_scale_percent;
	uint64_t window_bytes, queue_bytes;
	unsigned int conns_max, accepted_count;
	uint64_t instance, fsid_lo, fsid_hi, map_epoch, required;
	struct io_listener *listener;
	struct conn *conns;
	struct msgr_counters counters;
	struct stats_set stats, received_stats, sent_stats;
	uint64_t *received, *sent;		/* by row of the table of messages */
};

/* How far the frame that is being received has come. */
enum receive_stage { RECEIVE_HEADER, RECEIVE_BODY, RECEIVE_DATA };

struct link {
	struct conn *conn;		/* NULL: hung up */
	struct io *io;
	struct io_stream *stream;
	enum receive_stage stage;
	size_t have;			/* bytes of the stage's part */
	bool drop;			/* a frame seen before: read, then forgotten */
	struct nacre_frame frame;
	const struct nacre_message *row;
	struct message *message;	/* being filled */
	uint8_t header[NACRE_FRAME_BYTES];
};

struct conn {
	struct msgr *msgr;		/* NULL: gone */
	struct conn *next, **at;	/* in msgr->conns */
	struct io *io;			/* outlives the msgr */
	unsigned int references;
	void *owner;
	bool dialled;
	bool refused;
	bool paused;			/* the window is full */
	uint8_t state;			/* enum nacre_conn_state */
	bool breaking;			/* conn_reset() was called, the step follows */
	bool lingers;			/* refused; it ends when the reply is out */
	int reason;			/* of the break */
	const char *bad;		/* what was wrong with the peer's bytes */
	const char *bad_message;	/* the message it was in */
	struct io_address address;
	struct link *link;
	struct io_timer timer;		/* of the state */
	struct io_task reset;
	uint32_t attempts;		/* since it was last open */
	uint32_t generation;		/* the dialler's */
	uint64_t seq;			/* of the last frame sent */
	uint64_t held_bytes;		/* delivered and not yet put */
	uint64_t queued_bytes;		/* queued to send */
	struct nacre_conn_peer peer;
	struct nacre_hello_reply reply;	/* listener: what will be answered to the hello */
	char reply_text[224];		/* why it was refused, ours or the peer's words */
	uint16_t peer_id;
	uint64_t peer_map_epoch;
	char text[128];			/* conn_peer_text() */
};

/* conn.c */
struct conn *conn_create(struct msgr *msgr, bool dialled, const struct io_address *address);
/* Take a step of the machine and do what it says. The conn may be gone afterwards. */
void conn_step(struct conn *conn, enum nacre_conn_event event);
/* The peer's bytes are wrong. */
void conn_bad(struct conn *conn, const char *message, const char *reason);
void conn_accept(struct msgr *msgr, struct io_stream *stream, const struct io_address *peer);
/* Take it out of the msgr and give up the msgr's reference. */
void conn_forget(struct conn *conn);
void conn_describe(struct conn *conn, const char *name, size_t name_bytes);
uint64_t msgr_scaled_ns(const struct msgr *msgr, uint64_t ms);

/* hello.c */
void hello_send(struct conn *conn);
void hello_reply_send(struct conn *conn);
/* A HELLO or HELLO_REPLY came. */
void hello_take(struct conn *conn, const struct message *message);

/* receive.c */
extern const struct io_stream_events link_events;
void link_hang_up(struct link *link);
/* Bytes of messages went away: the window may be open again. */
void receive_window(struct conn *conn);

/* send.c */
int send_message(struct conn *conn, const struct nacre_message *row, const void *host,
		 const struct payload *payload);

#endif
