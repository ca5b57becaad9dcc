// SPDX-License-Identifier: GPL-2.0
/* Messages as text, driven by their descriptors. See dump.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "codec.h"
#include "dump.h"
#include "error.h"
#include "rules/cap_bits.h"

/* Where the text stands; it never grows over its end. */
struct text {
	char *start;
	char *at;
	char *end;			/* of the room, with the terminator */
	unsigned int flags;		/* enum nacre_dump_flags */
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

/* How a tail is to be read, where it is more than bytes. */
struct tail_row {
	const char *in;			/* structure */
	const char *field;
	const struct nacre_struct *(*element)(void);	/* of a sequence; NULL: text */
};

static const struct tail_row tails[] = {
	{ "nacre_map", "pools", nacre_map_pool_desc },
	{ "nacre_map", "osds", nacre_map_osd_desc },
	{ "nacre_map", "ranks", nacre_map_rank_desc },
	{ "nacre_map", "subtrees", nacre_map_subtree_desc },
	{ "nacre_map", "dead", nacre_map_dead_desc },
	{ "nacre_map", "placement", nacre_map_pg_desc },
	{ "nacre_session_reconnect", "claims", nacre_cap_claim_desc },
	{ "nacre_record", "xattrs", nacre_xattr_desc },
	{ "nacre_record_req", "xattrs", nacre_xattr_desc },
	{ "nacre_inode_info", "xattrs", nacre_xattr_desc },
	{ "nacre_cap_update", "xattrs", nacre_xattr_desc },
	{ "nacre_reply", "traces", nacre_inode_info_desc },
	{ "nacre_dirent", "info", nacre_inode_info_desc },
	{ "nacre_cap_grant", "info", nacre_inode_info_desc },
	{ "nacre_cap_release", "caps", nacre_cap_ref_desc },
	{ "nacre_osd_request", "ops", nacre_osd_op_desc },
	{ "nacre_osd_reply", "results", nacre_osd_result_desc },
	{ "nacre_rep_apply", "transaction", nacre_osd_request_desc },
	{ "nacre_rep_apply", "entry", nacre_rep_entry_desc },
	{ "nacre_rep_info", "entries", nacre_rep_entry_desc },
	{ "nacre_rep_log", "entries", nacre_rep_entry_desc },
	{ "nacre_rep_listed", "objects", nacre_rep_listed_object_desc },
	{ "nacre_rep_object", "attributes", nacre_key_value_desc },
	{ "nacre_rep_object", "keys", nacre_key_value_desc },
};

static const char *const text_tails[] = { "name", "name2", "symlink", "text", "key" };
static const char *const cap_fields[] = { "held", "wanted", "issued", "keep", "need" };

static int is_one_of(const char *name, const char *const *names, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return 1;
	return 0;
}
#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof((names)[0]))

static const struct tail_row *find_tail(const char *in, const char *field)
{
	size_t i;

	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		if (!strcmp(tails[i].in, in) && !strcmp(tails[i].field, field))
			return &tails[i];
	return NULL;
}

static __u64 load(const __u8 *host, const struct nacre_field *f)
{
	__u64 v64;
	__u32 v32;
	__u16 v16;

	switch (f->bits) {
	case 8:
		return host[f->host_offset];
	case 16:
		memcpy(&v16, host + f->host_offset, sizeof(v16));
		return v16;
	case 32:
		memcpy(&v32, host + f->host_offset, sizeof(v32));
		return v32;
	default:
		memcpy(&v64, host + f->host_offset, sizeof(v64));
		return v64;
	}
}

static void add_int(struct text *t, const struct nacre_field *f, __u64 value)
{
	char words[NACRE_CAPS_TEXT_BYTES];

	if (!value && !(t->flags & NACRE_DUMP_ZEROS))
		return;
	add(t, " %s=", f->name);
	if (!strcmp(f->name, "result"))
		add(t, "%s", nacre_error_name((__u32)value, words, sizeof(words)));
	else if (f->bits == 32 && IS_ONE_OF(f->name, cap_fields) &&
		 !(value & ~(__u64)NACRE_CAPS_KNOWN))
		add(t, "%s", nacre_caps_text((__u32)value, words));
	else if (!strcmp(f->name, "mode"))
		add(t, "0%llo", (unsigned long long)value);
	else if (value >> 36)
		add(t, "0x%llx", (unsigned long long)value);
	else
		add(t, "%llu", (unsigned long long)value);
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

static void add_elements(struct text *t, const struct nacre_struct *desc, const __u8 *bytes,
			 __u32 length)
{
	struct nacre_reader r = nacre_reader(bytes, length);
	__u64 host[ELEMENT_HOST_WORDS];

	add(t, "[");
	while (nacre_reader_left(&r) && t->at < t->end - 1) {
		if (desc->host_bytes > sizeof(host) || nacre_decode(desc, &r, host)) {
			add(t, " ?");
			break;
		}
		add(t, " {");
		add_fields(t, desc, host);
		add(t, " }");
	}
	add(t, " ]");
}

static void add_tail(struct text *t, const struct nacre_struct *desc, const struct nacre_field *f,
		     const __u8 *host)
{
	const struct tail_row *row = find_tail(desc->name, f->name);
	__u32 length = (__u32)load(host, f);
	const __u8 *bytes;

	memcpy(&bytes, host + f->host_pointer, sizeof(bytes));
	if (!length && !(t->flags & NACRE_DUMP_ZEROS))
		return;
	add(t, " %s=", f->name);
	if (IS_ONE_OF(f->name, text_tails))
		add_quoted(t, bytes, length);
	else if (t->flags & NACRE_DUMP_BRIEF)
		add(t, "%u bytes", length);
	else if (row)
		add_elements(t, row->element(), bytes, length);
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
			add_int(t, f, load(host, f));
		else if (f->kind == NACRE_FIELD_TAIL)
			add_tail(t, desc, f, host);
	}
}

static size_t dump(const char *name, const struct nacre_struct *desc, const void *host,
		   unsigned int flags, char *text, size_t text_bytes)
{
	struct text t = { text, text, text + text_bytes, flags };

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
	struct text t = { text, text, text + text_bytes, 0 };

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
