/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One message as a line that people read: 'CREATE "foo" in 1 as 10000100040 mode 0100644'. Every message
 * has a template over the fields of its body (story.c); what a template cannot say, lists and numbers
 * that depend on others, is added by a function of its own (story_more.c).
 */
#ifndef NACRE_WIREDUMP_STORY_H
#define NACRE_WIREDUMP_STORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "protocol/codec.h"
#include "protocol/messages.h"

struct story {
	const struct nacre_message *row;
	const void *body;		/* decoded */
	bool valid;			/* passed validation: what is nested in it may be walked */
	uint32_t data_bytes;
	bool short_form;		/* only what names it */
	uint16_t answered;		/* type of the message it answers, 0 = not known */
	const char *question;		/* the short form of that message; NULL: not known */
	uint64_t latency_ns;		/* since then */
};

/* The name is part of it. */
void story_tell(FILE *out, const struct story *story);

/* The template of a message, for tests; NULL: it has none. */
const char *story_template(uint16_t type);

/* ---- between story.c and story_more.c ------------------------------------------------------------------ */

/* Lists in a line end in "…" behind so many. */
#define STORY_LIST_MAX 8

/* What is added behind the template; NULL: nothing. */
typedef void (*story_more)(FILE *out, const struct story *story);
story_more story_more_find(uint16_t type);

/* Messages that are several in one: the type of their parts (0: it is not such a one), the parts, and room for any of them. */
union story_part {
	__u64 ino;			/* begins each */
	struct nacre_cap_update update;
	struct nacre_cap_revoke revoke;
};
uint16_t story_part_type(uint16_t type);
struct nacre_reader story_parts(uint16_t type, const void *body);

/* A field's value in its words. */
void story_value(FILE *out, const struct nacre_field *field, const void *host);
/* "text", what is not printable as \x.., cut behind STORY_TEXT_MAX bytes. */
#define STORY_TEXT_MAX 80
void story_quote(FILE *out, const uint8_t *bytes, size_t length);

#endif
