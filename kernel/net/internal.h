/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of a connection, shared by the files of net/ only.
 *
 * One work item per connection does everything: state, sending, receiving. It
 * holds `io` for a slice of work and never blocks in it but for that mutex and
 * small allocations. Others reach in through `lock` (queue, wishes), or through `io`
 * to take a message or a sink back. Order: io → lock. Callbacks run under io.
 */
#ifndef NACRE_NET_INTERNAL_H
#define NACRE_NET_INTERNAL_H

#include <linux/net.h>
#include <net/sock.h>
#include "conn.h"
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/rules/conn.h"
#include "protocol/rules/validate.h"

/* What others ask of the worker; bits of conn->wishes. */
enum nacre_conn_wish {
	NACRE_CONN_WISH_DIAL,
	NACRE_CONN_WISH_RESET,		/* reset_reason */
	NACRE_CONN_WISH_TIMEOUT,	/* the timer has run out */
	NACRE_CONN_WISH_HURRY,		/* no more pause */
};

/* What is being received now. */
enum nacre_recv_phase {
	NACRE_RECV_HEADER,
	NACRE_RECV_MEMORY,		/* header judged; needs an nacre_incoming */
	NACRE_RECV_BODY,
	NACRE_RECV_DATA,
};

struct nacre_recv {
	enum nacre_recv_phase phase;
	u8 header[NACRE_FRAME_BYTES];
	u32 done;			/* bytes of the present phase */
	struct nacre_frame frame;
	const struct nacre_message *row;
	bool drop;			/* seen before: read and forget */
	struct nacre_incoming *in;
	struct nacre_sink sink;		/* DATA: where to, or … */
	bool discard;			/* … nowhere */
	u32 crc;			/* of the data so far, not yet inverted */
};

struct nacre_send {
	struct nacre_outgoing *out;	/* being sent, NULL = none */
	u8 header[NACRE_FRAME_BYTES];
	u32 done;			/* bytes of header and body handed to TCP */
	struct iov_iter data;		/* what is left of out->data */
	bool splice;			/* its pages may be lent to TCP */
};

struct nacre_conn {
	/* Fixed at creation. */
	struct nacre_fs *fs;
	enum nacre_role role;		/* of the peer */
	u16 id;				/* OSD or rank */
	const struct nacre_conn_ops *ops;
	void *owner;

	struct work_struct work;
	struct timer_list timer;
	unsigned long wishes;		/* enum nacre_conn_wish, atomic bits */
	int reset_reason;

	spinlock_t lock;		/* the next block */
	struct sockaddr_storage address;
	bool open;			/* READY: messages may be queued */
	bool closing;			/* destroy has begun */
	struct list_head queue;		/* nacre_outgoing */
	u32 queued;
	int last_error;

	struct mutex io;		/* the rest */
	u8 state;			/* enum nacre_conn_state */
	u32 generation;			/* counts attempts; read without lock */
	u32 attempt;			/* failures in a row */
	struct socket *sock;
	void (*saved_data_ready)(struct sock *sk);
	void (*saved_state_change)(struct sock *sk);
	void (*saved_write_space)(struct sock *sk);
	u64 sent_seq;
	struct nacre_conn_peer peer;
	struct nacre_send send;
	struct nacre_recv recv;
	enum nacre_conn_event fail_event;	/* set with an error that is not DOWN */
};

/* conn.c */
void nacre_conn_kick(struct nacre_conn *conn);
/* Fill in the hello of this attempt and put it in front of the queue. */
int nacre_conn_queue_hello(struct nacre_conn *conn);

/* sock.c: 0 or -errno. */
int nacre_sock_connect(struct nacre_conn *conn);
void nacre_sock_close(struct nacre_conn *conn);
/* 0 connected, -EINPROGRESS, or why not. */
int nacre_sock_status(struct nacre_conn *conn);
u32 nacre_crc32c(const void *bytes, size_t length);
/*
 * Go on with a CRC32C (start with ~0, invert at the end) over the next bytes of an iterator, which
 * is not moved. *lendable turns false when a page must not be lent to TCP.
 */
u32 nacre_crc32c_iter(u32 crc, const struct iov_iter *iter, size_t length, bool *lendable);

/* send.c: > 0 progress, 0 nothing to do or no room, -errno the connection is broken. */
int nacre_conn_try_send(struct nacre_conn *conn);
void nacre_outgoing_released(struct nacre_outgoing *out);

/* recv.c: likewise; -EBADMSG with fail_event = BAD. */
int nacre_conn_try_recv(struct nacre_conn *conn);
void nacre_recv_reset(struct nacre_conn *conn);
/* recv.c → conn.c: judge the reply to our hello. */
int nacre_conn_welcome(struct nacre_conn *conn, const struct nacre_hello_reply *reply);
int nacre_incoming_init(void);
void nacre_incoming_exit(void);

static inline const char *nacre_role_text(enum nacre_role role)
{
	return role == NACRE_ROLE_MDS ? "mds" : "osd";
}

#endif
