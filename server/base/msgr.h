/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages between daemons, and between daemons and clients: framing, hello,
 * checksums, decoding and validation, reconnection, bounded queues.
 *
 * A struct msgr is one party's end: it may listen, and it may dial. A dialled
 * connection is a *peer* that is kept up: it reconnects with back-off under a
 * new connection generation until it is closed by its owner. An accepted
 * connection lives as long as its TCP stream.
 *
 * Nothing is re-sent here: what was sent on a generation that ended is lost, or
 * not; the owner re-sends requests under their old ids when `opened` comes
 * again, and the receiver knows them (LOG-2).
 *
 * A handler sees only messages that were decoded (bounds) and validated
 * (meaning). Bad bytes cost the sender its connection, one log line and a
 * counter, nothing else.
 */
#ifndef NACRE_MSGR_H
#define NACRE_MSGR_H

#include <stdbool.h>
#include "io.h"
#include "log.h"
#include "stats.h"
#include "protocol/messages.h"

struct msgr;
struct conn;

/* Every host-order body there is, so that one message needs one allocation. */
union message_host {
	struct nacre_hello hello;
	struct nacre_hello_reply hello_reply;
	struct nacre_map_get map_get;
	struct nacre_map map;
	struct nacre_session_open session_open;
	struct nacre_session_state session_state;
	struct nacre_session_renew session_renew;
	struct nacre_session_close session_close;
	struct nacre_session_killed session_killed;
	struct nacre_session_reconnect session_reconnect;
	struct nacre_session_reconnect_done session_reconnect_done;
	struct nacre_session_filelocks session_filelocks;
	struct nacre_lookup_req lookup;
	struct nacre_getattr_req getattr;
	struct nacre_open_req open;
	struct nacre_readdir_req readdir;
	struct nacre_statfs_req statfs;
	struct nacre_quota_req quota;
	struct nacre_sync_req sync;
	struct nacre_record_req record;
	struct nacre_reply reply;
	struct nacre_filelock_req filelock;
	struct nacre_filelock_granted filelock_granted;
	struct nacre_safe safe;
	struct nacre_cap_grant cap_grant;
	struct nacre_cap_revoke cap_revoke;
	struct nacre_cap_revokes cap_revokes;
	struct nacre_cap_update cap_update;
	struct nacre_cap_updates cap_updates;
	struct nacre_cap_flush_ack cap_flush_ack;
	struct nacre_cap_release cap_release;
	struct nacre_size_ask size_ask;
	struct nacre_size_report size_report;
	struct nacre_osd_request osd_request;
	struct nacre_osd_reply osd_reply;
	struct nacre_osd_statfs_req osd_statfs_req;
	struct nacre_osd_statfs osd_statfs;
	struct nacre_rep_apply rep_apply;
	struct nacre_rep_done rep_done;
	struct nacre_rep_committed rep_committed;
	struct nacre_rep_query rep_query;
	struct nacre_rep_info rep_info;
	struct nacre_rep_fetch rep_fetch;
	struct nacre_rep_list rep_list;
	struct nacre_rep_listed rep_listed;
	struct nacre_rep_object rep_object;
	struct nacre_rep_object_done rep_object_done;
	struct nacre_rep_log rep_log;
	struct nacre_rep_scrub rep_scrub;
	struct nacre_rep_scrubbed rep_scrubbed;
	struct nacre_rep_unstable rep_unstable;
	uint8_t raw[512];		/* room for bodies that are not named here */
};

/*
 * One received message. Tails of `host` point into `body`. The handler owns one
 * reference; while messages of a connection are held, their bytes count against
 * the connection's window, and a full window stops reading (back-pressure).
 */
struct message {
	uint16_t type;
	uint32_t conn_gen;		/* of the sender */
	uint32_t references;
	uint32_t body_bytes;
	uint32_t data_bytes;
	uint8_t *body;
	uint8_t *data;			/* page-aligned, padded with zeros to a page; NULL if none */
	bool released;			/* message_release() */
	uint64_t received_ns;		/* io_now at arrival, for ages */
	struct conn *conn;		/* referenced; may be closed by now */
	struct message *next;		/* the holder's, for its queues */
	struct message *whole;		/* of a part: what it came in, and where its bytes are; else NULL */
	union message_host host;
};

struct message *message_get(struct message *message);
void message_put(struct message *message);
/*
 * It stays, but is handled: it counts against its connection's window no longer. For what is kept until something else comes by the same
 * connection, which would otherwise stand behind it for ever. How much of it there can be is for its holder to bound.
 */
void message_release(struct message *message);
/*
 * A message that came inside of another one, as if it had come alone: its body is decoded already, its tails
 * point into the whole, which it refers to.
 */
struct message *message_part(struct message *whole, uint16_t type, const void *host, size_t host_bytes);

/* What to send beside the body: bytes that stay put until `release` is called. */
struct payload {
	const struct iovec *iov;
	unsigned int iov_count;
	uint32_t bytes;
	void (*release)(void *owner);	/* may be NULL: the bytes are copied at once */
	void *owner;
};

struct msgr_handler {
	/* The hello is done, also again after a reconnect. */
	void (*opened)(void *owner, struct conn *conn);
	/* A valid message; the handler takes over the reference. */
	void (*message)(void *owner, struct conn *conn, struct message *message);
	/*
	 * It broke; for a peer another `opened` may follow, unless conn_is_refused():
	 * then the peer will never have us (version, file system, dead instance) and
	 * all that is left is conn_close(). An accepted conn ends with this call.
	 */
	void (*closed)(void *owner, struct conn *conn, int reason);
};

struct msgr_config {
	struct io *io;
	const char *name;		/* "osd0", in logs and hellos */
	enum nacre_role role;
	uint16_t id;			/* OSD id or rank */
	uint32_t time_scale_percent;	/* 100 = real time */
	uint64_t window_bytes;		/* received and not yet put, per connection; 0 = 64 MiB */
	uint64_t queue_bytes;		/* queued to send, per connection; 0 = 64 MiB */
	unsigned int conns_max;		/* accepted connections, 0 = 4096 */
	const struct msgr_handler *handler;
	void *owner;
	struct log *log;		/* NULL: silent */
};

int msgr_create(const struct msgr_config *config, struct msgr **ret_msgr);
/* Closes everything; `closed` is called for each open connection first. */
void msgr_destroy(struct msgr *msgr);
/*
 * Identity may become known after creation: it is told in later hellos. A daemon
 * without an instance answers hellos with NOT_ACTIVE: the dialler comes again.
 */
void msgr_set_id(struct msgr *msgr, uint16_t id);
void msgr_set_instance(struct msgr *msgr, uint64_t instance);
void msgr_set_fsid(struct msgr *msgr, uint64_t fsid_lo, uint64_t fsid_hi);
void msgr_set_map_epoch(struct msgr *msgr, uint64_t epoch);
/* A listener of this file system: peers that dial must have these features, too (the map's). */
void msgr_set_required(struct msgr *msgr, uint64_t features);
int msgr_listen(struct msgr *msgr, const struct io_address *address);
uint16_t msgr_port(const struct msgr *msgr);
/* Counters: of connections and bytes, and of messages received and sent by kind. */
const struct stats_set *msgr_stats(const struct msgr *msgr);
const struct stats_set *msgr_received_stats(const struct msgr *msgr);
const struct stats_set *msgr_sent_stats(const struct msgr *msgr);

/* Keep a connection up to a peer; the owner pointer is conn_owner(). NULL: no memory. */
struct conn *msgr_dial(struct msgr *msgr, const struct io_address *address, void *conn_owner);
/*
 * Drop the connection (a peer too) for good; `closed` does not follow. The struct dies with its last
 * reference: a conn is borrowed from its msgr until it is closed, unless conn_get() was called.
 */
void conn_close(struct conn *conn);
/* Break the stream; a peer reconnects. `closed` follows. */
void conn_reset(struct conn *conn, int reason);

struct conn *conn_get(struct conn *conn);
void conn_put(struct conn *conn);

/*
 * Send one message: the body is encoded from the host struct of that type.
 * 0; -ENOTCONN when it is not open (nothing is kept); -ENOBUFS when queue_bytes
 * are waiting already; -EMSGSIZE, -EINVAL for a body that cannot be encoded.
 */
int conn_send(struct conn *conn, uint16_t type, const void *host, const struct payload *payload);

bool conn_is_open(const struct conn *conn);
bool conn_is_refused(const struct conn *conn);
/* A rank that has given its client an instance says so: from then on it may send everything. */
void conn_set_peer_instance(struct conn *conn, uint64_t instance);
void conn_set_owner(struct conn *conn, void *conn_owner);
void *conn_owner(const struct conn *conn);
uint64_t conn_peer_instance(const struct conn *conn);	/* from its hello; 0 = none */
enum nacre_role conn_peer_role(const struct conn *conn);
uint16_t conn_peer_id(const struct conn *conn);
uint64_t conn_peer_map_epoch(const struct conn *conn);
uint64_t conn_peer_features(const struct conn *conn);	/* enum nacre_feature */
uint32_t conn_generation(const struct conn *conn);	/* of the dialler */
uint64_t conn_queued_bytes(const struct conn *conn);
const char *conn_peer_text(const struct conn *conn);	/* "client.17 10.0.0.3:4711" */

#endif
