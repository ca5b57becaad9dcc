/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the dump: its connections. See wiredump.h. */
#ifndef NACRE_WIREDUMP_CONNS_H
#define NACRE_WIREDUMP_CONNS_H

#include "frames.h"
#include "pairs.h"
#include "peers.h"
#include "stream.h"
#include "wiredump.h"

struct conn;

/* One direction. */
struct side {
	struct conn *conn;
	unsigned int index;		/* in conn->sides; the other is !index */
	struct endpoint endpoint;	/* of who sends here */
	struct peer peer;
	struct stream stream;
	struct frames frames;
	bool begun;			/* bytes have come */
	bool foreign;			/* its first bytes are no frame's */
};

struct conn_key {
	struct endpoint ends[2];	/* in the order of memcmp() */
};

struct conn {
	struct conn_key key;
	struct wiredump *dump;
	struct side sides[2];
	struct pairs pairs;
	bool is_nacre;			/* frames, or what should be one, were seen in it */
	UT_hash_handle hh;
};

struct wiredump {
	struct wiredump_options options;
	struct conn *conns;
	struct conn *raw;		/* of wiredump_raw() */
	struct address_book *book;
	int link;			/* DLT_... of the packets */
	uint64_t first_ns, now_ns;	/* times of the first and of the present packet */
	bool timed;			/* first_ns is known */
	uint64_t messages, shown, troubles;
	uint64_t nacre_conns, other_conns;
	uint64_t lost, fragments, broken, cut;	/* bytes; packets */
	char *text;			/* room for a message with all its fields */
};

/* ---- tell.c ------------------------------------------------------------------------------------------ */

void tell_message(struct side *side, const struct frame_message *message);
void tell_trouble(struct side *side, uint64_t offset, const char *text);
/* Requests that have no answer. */
void tell_unanswered(struct conn *conn);
void tell_summary(struct wiredump *dump);

#endif
