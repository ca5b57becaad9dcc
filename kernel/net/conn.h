/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Framed connections of the module: TCP, hello, checksums, decode, validate,
 * reconnect. One connection per server; it is kept up until it is closed.
 *
 * Nothing is re-sent here; the owner does that when `opened` comes again.
 * Callbacks run in the connection's worker and must not sleep on caps, folios
 * or another connection. Wrong bytes from a server give one rate-limited line,
 * a counter and a reset, never a WARN.
 */
#ifndef NACRE_NET_CONN_H
#define NACRE_NET_CONN_H

#include "../nacre.h"

struct nacre_incoming;
struct nacre_sink;
struct seq_file;

struct nacre_conn_ops {
	/* The hello is done, also again after a reconnect. */
	void (*opened)(struct nacre_conn *conn, const struct nacre_hello_reply *hello);
	/* A decoded and validated message; valid during the call unless nacre_incoming_get(). */
	void (*message)(struct nacre_conn *conn, struct nacre_incoming *in);
	/* It broke, or an attempt failed, and will be tried again. What was queued has been released. */
	void (*closed)(struct nacre_conn *conn, int reason);
	/* Refused for good (version, file system, dead instance): it will not be tried again. May be NULL. */
	void (*refused)(struct nacre_conn *conn, int reason);
	/* A message with a data payload comes: where to put it, or -errno to drop it. NULL: always dropped. */
	int (*data_to)(struct nacre_conn *conn, u16 type, const void *host, u32 data_bytes,
		       struct nacre_sink *sink);
};

/* Where received data goes: an iterator over kernel pages with room for it. */
struct nacre_sink {
	struct iov_iter iter;
	u64 cookie;			/* names it for nacre_conn_drop_data() */
};

/* A received message: host-order body, tails pointing into `body`. */
struct nacre_incoming {
	struct kref ref;
	u16 type;
	u32 body_bytes;
	u32 data_bytes;			/* already in the iterator that data_to gave; 0 if it was dropped */
	void *body;
	void *host;			/* struct nacre_<body> of the type */
};
struct nacre_incoming *nacre_incoming_get(struct nacre_incoming *in);
void nacre_incoming_put(struct nacre_incoming *in);

/*
 * A message to send. When it was handed to TCP or lost, the connection calls `released`, which then
 * owns it again, or without one frees it.
 */
struct nacre_outgoing {
	struct list_head link;
	u16 type;
	u32 body_bytes;
	u32 data_bytes;
	void *body;			/* encoded */
	struct iov_iter data;		/* bvec, kvec or folio queue; stays put until `released` */
	void (*released)(struct nacre_outgoing *out);	/* NULL: nacre_outgoing_free */
	void *owner;
};
/* Encode a host struct. ERR_PTR(-ENOMEM, -EINVAL, -EMSGSIZE). */
struct nacre_outgoing *nacre_outgoing_new(u16 type, const void *host, gfp_t gfp);
void nacre_outgoing_free(struct nacre_outgoing *out);

struct nacre_conn *nacre_conn_create(struct nacre_fs *fs, const struct sockaddr_storage *address,
				     enum nacre_role expect_role, u16 expect_id,
				     const struct nacre_conn_ops *ops, void *owner);
/* No callback runs after it returns. Not from a callback. */
void nacre_conn_destroy(struct nacre_conn *conn);
/* Its server is at this address now: reconnects if that is another one, and ends a pause at once. */
void nacre_conn_redirect(struct nacre_conn *conn, const struct sockaddr_storage *address);
/* Break the stream; it reconnects. */
void nacre_conn_reset(struct nacre_conn *conn, int reason);
/* Queue; takes over `out` always. 0, or -ENOTCONN (the owner re-sends at `opened`). Never sleeps. */
int nacre_conn_send(struct nacre_conn *conn, struct nacre_outgoing *out);
/*
 * Take back a queued message, whose data is not read any more then. True: it is the caller's again,
 * `released` does not come; a frame half sent costs the connection a reset. False: it was
 * released before. Sleeps for at most a slice of the worker; not from a callback.
 */
bool nacre_conn_cancel(struct nacre_conn *conn, struct nacre_outgoing *out);
/* If data is being received into the sink with this cookie, drop the rest of it. Sleeps likewise. */
void nacre_conn_drop_data(struct nacre_conn *conn, u64 cookie);
bool nacre_conn_is_open(struct nacre_conn *conn);
u32 nacre_conn_generation(struct nacre_conn *conn);
/* What the server said it supports, in the last hello (enum nacre_feature). */
u64 nacre_conn_features(struct nacre_conn *conn);
void *nacre_conn_owner(struct nacre_conn *conn);
/* Why the last attempt failed, for mount errors; 0 if none has. */
int nacre_conn_last_error(struct nacre_conn *conn);
/* One line for debugfs: peer, state, generation, what is queued. */
void nacre_conn_show(struct seq_file *m, struct nacre_conn *conn);
/* A span of real time as this file system counts it (time_scale), in jiffies; at least 1. */
unsigned long nacre_scaled_jiffies(const struct nacre_fs *fs, unsigned int ms);

int nacre_net_init(void);
void nacre_net_exit(void);

#endif
