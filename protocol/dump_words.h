/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the numbers and byte strings of a structure stand for, where a text is to be made of them: bits
 * and values of enums by their names, caps, results, inode numbers, times; which tails are text and which
 * are sequences of structures. A field says it in its own row: its doc names the enum ("enum
 * nacre_reply_flags"), or says "cap bits"; only what the row cannot say stands in dump_words.c. User
 * space only.
 */
#ifndef NACRE_DUMP_WORDS_H
#define NACRE_DUMP_WORDS_H

#include "messages.h"

enum nacre_nature {
	NACRE_NATURE_NUMBER,
	NACRE_NATURE_INO,		/* hexadecimal, as in the module's traces */
	NACRE_NATURE_CAPS,		/* "pAsLsXsFsc" */
	NACRE_NATURE_RESULT,		/* "ENOENT", "DEAD_INSTANCE" */
	NACRE_NATURE_MODE,		/* octal */
	NACRE_NATURE_TIME,		/* signed ns since 1970 */
	NACRE_NATURE_VALUE,		/* one value of an enum */
	NACRE_NATURE_BITS,		/* bits of an enum, or'ed */
};

enum nacre_nature nacre_field_nature(const struct nacre_field *field);

/* Room for the longest text of a value: every bit of an enum by its name. */
#define NACRE_VALUE_TEXT_BYTES 256

/* A value in the words of its field, always terminated; returns `text`. */
const char *nacre_value_text(const struct nacre_field *field, __u64 value,
			     char text[NACRE_VALUE_TEXT_BYTES]);

/* "ENOENT", "DEAD_INSTANCE", "OK". */
const char *nacre_result_text(__u32 result, char text[NACRE_VALUE_TEXT_BYTES]);

/* "CREATE", or its number. */
const char *nacre_osd_op_text(__u16 code, char text[NACRE_VALUE_TEXT_BYTES]);

/* Is the tail text for people; and which structure does it hold one or more of, NULL: plain bytes. */
int nacre_tail_is_text(const struct nacre_field *field);
const struct nacre_struct *nacre_tail_element(const struct nacre_struct *in,
					      const struct nacre_field *field);

/* The integer of a field in a host structure; of a tail: its length. */
__u64 nacre_field_load(const struct nacre_field *field, const void *host);
/* The bytes of a tail. */
const __u8 *nacre_field_bytes(const struct nacre_field *field, const void *host);
/* The field of this name, or NULL. */
const struct nacre_field *nacre_field_find(const struct nacre_struct *desc, const char *name);

/* The enum's rows, for tests and the manual: name of the enum, number of words; NULL behind the last. */
const char *nacre_words_enum(unsigned int index, unsigned int *ret_count);

#endif
