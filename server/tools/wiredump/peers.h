/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is who: "mds0", "osd2", "client.5" for the ends of connections. A peer says so itself in HELLO or
 * HELLO_REPLY; a client's instance comes with SESSION_STATE; where daemons listen stands in every MAP,
 * which gives names to connections whose hello was not captured. Anybody else is called by address.
 */
#ifndef NACRE_WIREDUMP_PEERS_H
#define NACRE_WIREDUMP_PEERS_H

#include "packet.h"
#include "protocol/messages.h"

struct peer {
	uint8_t role;			/* enum nacre_role, 0 = not known */
	uint16_t id;			/* of a daemon */
	uint64_t instance;		/* of a client or a tool; 0 = none yet */
};

/* Where daemons listen. */
struct address_book;

struct address_book *address_book_create(void);
void address_book_destroy(struct address_book *book);
void address_book_learn(struct address_book *book, const struct nacre_map *map);
/* Who listens there; role 0: nobody we know. */
struct peer address_book_find(const struct address_book *book, const struct endpoint *endpoint);

/* What a decoded message says of its sender and its receiver. */
void peers_learn(struct peer *from, struct peer *to, uint16_t type, const void *body);

#define PEER_TEXT_BYTES 96
/* "mds0", "client.5", "client 10.0.0.1:50000", "10.0.0.1:50000". */
const char *peer_text(const struct peer *peer, const struct endpoint *endpoint,
		      char text[PEER_TEXT_BYTES]);
/* Is it meant by "mds0", "client.5", "client", "10.0.0.1:50000"? */
int peer_is(const struct peer *peer, const struct endpoint *endpoint, const char *name);

#endif
