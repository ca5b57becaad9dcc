// SPDX-License-Identifier: GPL-2.0
/* Messages as text, driven by their descriptors. See dump.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "codec.h"
#include "dump.h"
#include "dump_words.h"

/* Where the text stands; it never grows over its end. */
struct text {
	char *start;
	char *at;
	char *end;			/* of the room, with the terminator */
	unsigned int flags;		/* enum nacre_dump_flags */
	int depth;			/* of sequences in sequences, with NACRE_DUMP_LINES */
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
	size_t room = (size_t)(t->end - t->at);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, room, format, args);
	va_end(args);
	if (n > 0)
		t->at += (size_t)n < room ? (size_t)n : room - 1;
}

static size_t finish(struct text *t)
{
	if (t->at == t->end - 1 && t->end - t->start > 4)
		memcpy(t->at - 3, "...", 3);
	return (size_t)(t->at - t->start);
}

/* What stands before a field: a blank, or its own line; what stands below it has lines of its own. */
static void add_label(struct text *t, const char *name, int below)
{
	if (t->flags & NACRE_DUMP_LINES)
		add(t, "\n%*s%s:%s", 2 * t->depth, "", name, below ? "" : " ");
	else
		add(t, " %s=", name);
}

static void add_int(struct text *t, const struct nacre_field *f, __u64 value)
{
	char words[NACRE_VALUE_TEXT_BYTES];

	if (!value && !(t->flags & NACRE_DUMP_ZEROS))
		return;
	add_label(t, f->name, 0);
	add(t, "%s", nacre_value_text(f, value, words));
}

static void add_quoted(struct text *t, const __u8 *bytes, __u32 length)
{
	__u32 i;

	add(t, "\"");
	for (i = 0; i < length && t->at < t->end - 1; i++) {
		if (bytes[i] == '"' || bytes[i] == '\\')
			add(t, "\\%c", bytes[i]);
		else if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
			add(t, "%c", bytes[i]);
		else
			add(t, "\\x%02x", bytes[i]);
	}
	add(t, "\"");
}

#define BYTES_SHOWN 16

static void add_bytes(struct text *t, const __u8 *bytes, __u32 length)
{
	__u32 i;

	add(t, "%u:", length);
	for (i = 0; i < length && i < BYTES_SHOWN; i++)
		add(t, "%02x", bytes[i]);
	if (length > BYTES_SHOWN)
		add(t, "..");
}

static void add_fields(struct text *t, const struct nacre_struct *desc, const void *host);

/* Large enough for the host struct of anything that stands in a sequence. */
#define ELEMENT_HOST_WORDS 64

static void add_element(struct text *t, const struct nacre_struct *desc, const void *host,
			unsigned int index)
{
	if (t->flags & NACRE_DUMP_LINES)
		add(t, "\n%*s[%u] %s", 2 * t->depth, "", index, desc->name);
	else
		add(t, " {");
	t->depth++;
	add_fields(t, desc, host);
	t->depth--;
	if (!(t->flags & NACRE_DUMP_LINES))
		add(t, " }");
}

static void add_elements(struct text *t, const struct nacre_struct *desc, const __u8 *bytes,
			 __u32 length)
{
	struct nacre_reader r = nacre_reader(bytes, length);
	__u64 host[ELEMENT_HOST_WORDS];
	unsigned int index;

	if (!(t->flags & NACRE_DUMP_LINES))
		add(t, "[");
	t->depth++;
	for (index = 0; nacre_reader_left(&r) && t->at < t->end - 1; index++) {
		if (desc->host_bytes > sizeof(host) || nacre_decode(desc, &r, host)) {
			if (t->flags & NACRE_DUMP_LINES)
				add(t, "\n%*s", 2 * t->depth - 1, "");
			add(t, " ? %zu bytes", nacre_reader_left(&r));
			break;
		}
		add_element(t, desc, host, index);
	}
	t->depth--;
	if (!(t->flags & NACRE_DUMP_LINES))
		add(t, " ]");
}

static void add_tail(struct text *t, const struct nacre_struct *desc, const struct nacre_field *f,
		     const void *host)
{
	const struct nacre_struct *element = nacre_tail_element(desc, f);
	__u32 length = (__u32)nacre_field_load(f, host);
	const __u8 *bytes = nacre_field_bytes(f, host);

	if (!length && !(t->flags & NACRE_DUMP_ZEROS))
		return;
	add_label(t, f->name, element && !(t->flags & NACRE_DUMP_BRIEF));
	if (nacre_tail_is_text(f))
		add_quoted(t, bytes, length);
	else if (t->flags & NACRE_DUMP_BRIEF)
		add(t, "%u bytes", length);
	else if (element)
		add_elements(t, element, bytes, length);
	else
		add_bytes(t, bytes, length);
}

static void add_fields(struct text *t, const struct nacre_struct *desc, const void *host)
{
	const struct nacre_field *f;
	int i;

	for (i = 0; i < desc->field_count; i++) {
		f = &desc->fields[i];
		if (f->kind == NACRE_FIELD_INT)
			add_int(t, f, nacre_field_load(f, host));
		else if (f->kind == NACRE_FIELD_TAIL)
			add_tail(t, desc, f, host);
	}
}

static size_t dump(const char *name, const struct nacre_struct *desc, const void *host,
		   unsigned int flags, char *text, size_t text_bytes)
{
	struct text t = { text, text, text + text_bytes, flags, 1 };

	if (!text_bytes)
		return 0;
	add(&t, "%s", name);
	add_fields(&t, desc, host);
	return finish(&t);
}

size_t nacre_dump_message(const struct nacre_message *row, const void *body, unsigned int flags,
			  char *text, size_t text_bytes)
{
	return dump(row->name, row->body(), body, flags, text, text_bytes);
}

size_t nacre_dump_struct(const struct nacre_struct *desc, const void *host, unsigned int flags,
			 char *text, size_t text_bytes)
{
	return dump(desc->name, desc, host, flags, text, text_bytes);
}

size_t nacre_dump_frame(const struct nacre_frame *frame, char *text, size_t text_bytes)
{
	const struct nacre_message *row = nacre_message_find(frame->type);
	struct text t = { text, text, text + text_bytes, 0, 0 };

	if (!text_bytes)
		return 0;
	add(&t, "#%llu ", (unsigned long long)frame->seq);
	if (row)
		add(&t, "%s", row->name);
	else
		add(&t, "message %u", frame->type);
	add(&t, " body %u data %u ack %llu gen %u", frame->body_bytes, frame->data_bytes,
	    (unsigned long long)frame->ack, frame->conn_gen);
	return finish(&t);
}
