/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages as text: for servers' traces, the admin socket and nacre-wiredump. Everything comes from
 * the descriptors; what numbers and tails stand for is said by dump_words.h. User space only: it
 * formats with stdio.
 */
#ifndef NACRE_DUMP_H
#define NACRE_DUMP_H

#include "messages.h"

enum nacre_dump_flags {
	NACRE_DUMP_ZEROS = 1,		/* fields that are zero, too */
	NACRE_DUMP_BRIEF = 2,		/* tails by their length only */
	NACRE_DUMP_LINES = 4,		/* a line for each field, what it holds indented below it */
};

/*
 * "LOOKUP tid=10 parent=1 name=\"entry\"": a decoded body, on one line, in the caller's buffer,
 * always terminated. What does not fit is cut and ends in "...". Returns the length of the text.
 * The body need not be valid, only decoded.
 */
size_t nacre_dump_message(const struct nacre_message *row, const void *body, unsigned int flags,
			  char *text, size_t text_bytes);

/* The same for any structure. */
size_t nacre_dump_struct(const struct nacre_struct *desc, const void *host, unsigned int flags,
			 char *text, size_t text_bytes);

/* "#12 LOOKUP body 57 data 0 ack 11 gen 1": a frame's header. */
size_t nacre_dump_frame(const struct nacre_frame *frame, char *text, size_t text_bytes);

#endif
