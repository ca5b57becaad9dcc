// SPDX-License-Identifier: GPL-2.0
/* Who is who. See peers.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "peers.h"
#include "protocol/codec.h"

/* ---- the map's addresses ------------------------------------------------------------------------------ */

struct address {
	struct endpoint endpoint;	/* the key */
	struct peer peer;
	UT_hash_handle hh;
};

struct address_book {
	struct address *addresses;
};

struct address_book *address_book_create(void)
{
	struct address_book *book = calloc(1, sizeof(*book));

	if (!book)
		abort();
	return book;
}

void address_book_destroy(struct address_book *book)
{
	struct address *at, *next;

	HASH_ITER(hh, book->addresses, at, next) {
		HASH_DEL(book->addresses, at);
		free(at);
	}
	free(book);
}

static void put_be64(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> (56 - 8 * i));
}

static void add_address(struct address_book *book, uint64_t hi, uint64_t lo, uint16_t port,
			const struct peer *peer)
{
	struct endpoint endpoint = { .port = port };
	struct address *at;

	if (!port)
		return;
	put_be64(endpoint.address, hi);
	put_be64(endpoint.address + 8, lo);
	HASH_FIND(hh, book->addresses, &endpoint, sizeof(endpoint), at);
	if (!at) {
		at = calloc(1, sizeof(*at));
		if (!at)
			abort();
		at->endpoint = endpoint;
		HASH_ADD(hh, book->addresses, endpoint, sizeof(endpoint), at);
	}
	at->peer = *peer;
}

void address_book_learn(struct address_book *book, const struct nacre_map *map)
{
	struct nacre_map_osd osd;
	struct nacre_map_rank rank;
	struct peer peer = { .role = NACRE_ROLE_OSD };
	int i, count = nacre_array_count(nacre_map_osd_desc(), map->osds_bytes);

	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_map_osd_desc(), map->osds, (__u32)i, &osd))
			continue;
		peer.id = osd.id;
		add_address(book, osd.address_hi, osd.address_lo, osd.port, &peer);
	}
	peer.role = NACRE_ROLE_MDS;
	count = nacre_array_count(nacre_map_rank_desc(), map->ranks_bytes);
	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_map_rank_desc(), map->ranks, (__u32)i, &rank))
			continue;
		peer.id = rank.rank;
		add_address(book, rank.address_hi, rank.address_lo, rank.port, &peer);
	}
}

struct peer address_book_find(const struct address_book *book, const struct endpoint *endpoint)
{
	struct address *at;

	HASH_FIND(hh, book->addresses, endpoint, sizeof(*endpoint), at);
	return at ? at->peer : (struct peer){ 0 };
}

/* ---- what messages say -------------------------------------------------------------------------------- */

void peers_learn(struct peer *from, struct peer *to, uint16_t type, const void *body)
{
	const struct nacre_hello *hello = body;
	const struct nacre_hello_reply *reply = body;
	const struct nacre_session_state *state = body;

	switch (type) {
	case NACRE_MSG_HELLO:
		*from = (struct peer){ hello->role, hello->id, hello->instance };
		break;
	case NACRE_MSG_HELLO_REPLY:
		*from = (struct peer){ reply->role, reply->id, reply->instance };
		break;
	case NACRE_MSG_SESSION_STATE:
		from->role = NACRE_ROLE_MDS;
		if (state->instance && (!to->role || to->role == NACRE_ROLE_CLIENT)) {
			to->role = NACRE_ROLE_CLIENT;
			to->instance = state->instance;
		}
		break;
	default:
		break;
	}
}

/* ---- names -------------------------------------------------------------------------------------------- */

static const char *const roles[] = { NULL, "client", "mds", "osd", "tool" };
#define ROLE_COUNT (sizeof(roles) / sizeof(roles[0]))

const char *peer_text(const struct peer *peer, const struct endpoint *endpoint,
		      char text[PEER_TEXT_BYTES])
{
	char address[ENDPOINT_TEXT_BYTES];

	if (!peer->role || peer->role >= ROLE_COUNT)
		snprintf(text, PEER_TEXT_BYTES, "%s", endpoint_text(endpoint, address));
	else if (peer->role == NACRE_ROLE_MDS || peer->role == NACRE_ROLE_OSD)
		snprintf(text, PEER_TEXT_BYTES, "%s%u", roles[peer->role], peer->id);
	else if (peer->instance)
		snprintf(text, PEER_TEXT_BYTES, "%s.%llu", roles[peer->role],
			 (unsigned long long)peer->instance);
	else
		snprintf(text, PEER_TEXT_BYTES, "%s %s", roles[peer->role],
			 endpoint_text(endpoint, address));
	return text;
}

int peer_is(const struct peer *peer, const struct endpoint *endpoint, const char *name)
{
	char text[PEER_TEXT_BYTES], address[ENDPOINT_TEXT_BYTES];

	if (!strcmp(name, peer_text(peer, endpoint, text)) ||
	    !strcmp(name, endpoint_text(endpoint, address)))
		return 1;
	return peer->role && peer->role < ROLE_COUNT && !strcmp(name, roles[peer->role]);
}
