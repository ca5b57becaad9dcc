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

struct nacre_message;

struct nacre_conn_ops {
	/* The hello is done, also again after a reconnect. */
	void (*opened)(struct nacre_conn *conn, const struct nacre_hello_reply *hello);
	/* A decoded and validated message; valid during the call unless nacre_message_get(). */
	void (*message)(struct nacre_conn *conn, struct nacre_message *message);
	/* It broke and will be tried again, unless closed. */
	void (*closed)(struct nacre_conn *conn, int reason);
	/* May `type` come with data; where to put it (an iov_iter of data_bytes), or -errno to drop it. */
	int (*data_to)(struct nacre_conn *conn, u16 type, const void *host, u32 data_bytes,
		       struct iov_iter *to);
};

/* A received message: host-order body, tails pointing into `body`. */
struct nacre_message {
	struct kref ref;
	u16 type;
	u32 body_bytes;
	u32 data_bytes;			/* already in the iterator that data_to gave */
	void *body;
	void *host;			/* struct nacre_<body> of the type */
};
struct nacre_message *nacre_message_get(struct nacre_message *message);
void nacre_message_put(struct nacre_message *message);

/* A message to send. Made by nacre_outgoing_new(), freed by the connection when it was sent or lost. */
struct nacre_outgoing {
	struct list_head link;
	u16 type;
	u32 body_bytes;
	u32 data_bytes;
	void *body;			/* encoded */
	struct iov_iter data;		/* bytes stay put until `released` */
	void (*released)(struct nacre_outgoing *out);	/* may be NULL */
	void *owner;
};
/* Encode a host struct. ERR_PTR(-ENOMEM, -EINVAL, -EMSGSIZE). */
struct nacre_outgoing *nacre_outgoing_new(u16 type, const void *host, gfp_t gfp);
void nacre_outgoing_free(struct nacre_outgoing *out);

struct nacre_conn *nacre_conn_create(struct nacre_fs *fs, const struct sockaddr_storage *address,
				     enum nacre_role expect_role, u16 expect_id,
				     const struct nacre_conn_ops *ops, void *owner);
/* No callback runs after it returns. */
void nacre_conn_destroy(struct nacre_conn *conn);
/* Point it at another address (a rank that moved); reconnects. */
void nacre_conn_redirect(struct nacre_conn *conn, const struct sockaddr_storage *address);
/* Break the stream; it reconnects. */
void nacre_conn_reset(struct nacre_conn *conn, int reason);
/* Queue; takes over `out` always. 0, or -ENOTCONN (the owner re-sends at `opened`). Never sleeps. */
int nacre_conn_send(struct nacre_conn *conn, struct nacre_outgoing *out);
/* Take back a queued message whose data must not be read any more: waits until it is not being sent. */
void nacre_conn_cancel(struct nacre_conn *conn, struct nacre_outgoing *out);
bool nacre_conn_is_open(struct nacre_conn *conn);
u32 nacre_conn_generation(struct nacre_conn *conn);
void *nacre_conn_owner(struct nacre_conn *conn);
/* Why the last attempt failed, for mount errors; 0 if none has. */
int nacre_conn_last_error(struct nacre_conn *conn);

int nacre_net_init(void);
void nacre_net_exit(void);

#endif
