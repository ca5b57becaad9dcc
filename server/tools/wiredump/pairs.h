/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which message answers which: within one connection, by what the answer repeats of the question (tid,
 * renew_seq, flush_id, …). One table says it for all messages. A question that comes again on the same
 * connection takes the place of the first.
 */
#ifndef NACRE_WIREDUMP_PAIRS_H
#define NACRE_WIREDUMP_PAIRS_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include "protocol/messages.h"

#define PAIR_KEYS 3

struct pair_key {
	uint64_t values[PAIR_KEYS];
	uint32_t answer;		/* type of the answer */
	uint32_t side;			/* of the connection: who asked */
};

/* A question not yet answered. */
struct question {
	struct pair_key key;
	uint64_t ns;			/* when it was asked */
	uint16_t type;
	bool mentions_ino;		/* the one that is looked for */
	char *text;			/* its story */
	UT_hash_handle hh;
};

struct pairs {
	struct question *questions;	/* in the order asked */
};

/*
 * Keep a question asked by one side; NULL: nothing answers such a message. `text` is copied.
 */
struct question *pairs_ask(struct pairs *pairs, unsigned int side, uint16_t type, const void *body,
			   uint64_t ns, const char *text);
/* The question that this message, sent by `side`, answers: the caller frees it. NULL: none is known. */
struct question *pairs_answer(struct pairs *pairs, unsigned int side, uint16_t type, const void *body);
/* Does a message of this type answer others, always? */
bool pairs_is_answer(uint16_t type);
void question_free(struct question *question);
void pairs_clear(struct pairs *pairs);

#endif
