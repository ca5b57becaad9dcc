// SPDX-License-Identifier: GPL-2.0
/* Frames out of bytes. See frames.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "frames.h"
#include "protocol/codec.h"
#include "server/base/crc.h"

static void trouble(struct frames *f, uint64_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void trouble(struct frames *f, uint64_t offset, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	f->sink.trouble(f->sink.owner, offset, text);
}

void frames_init(struct frames *frames, const struct frames_sink *sink, bool from_start, bool resync)
{
	*frames = (struct frames){ .sink = *sink, .resync = resync };
	frames->want = NACRE_FRAME_BYTES;
	frames->found = from_start;
	if (!from_start)
		frames->state = FRAMES_LOST;
}

/* Looked for is the first header of a stream whose beginning is not there; others only if asked. */
static bool looks_for_header(const struct frames *f)
{
	return f->resync || !f->found;
}

void frames_clear(struct frames *frames)
{
	free(frames->body);
	frames->body = NULL;
}

/* ---- one part after the other ------------------------------------------------------------------------- */

static void expect_header(struct frames *f)
{
	frames_clear(f);
	f->state = FRAMES_HEADER;
	f->want = NACRE_FRAME_BYTES;
	f->have = f->missing = 0;
}

/* Where the next frame begins is not known. The rest of this direction is not read, unless `resync`. */
static void lose(struct frames *f, uint64_t offset)
{
	frames_clear(f);
	f->state = FRAMES_LOST;
	f->lost_offset = offset;
	f->have = 0;
}

static void finish_message(struct frames *f)
{
	struct frame_message message = {
		.offset = f->frame_offset,
		.frame = &f->frame,
		.row = f->row,
		.body = f->body,
		.data_missing = f->state == FRAMES_DATA ? f->missing : 0,
	};

	if (f->state == FRAMES_DATA && !f->missing && f->crc != f->frame.data_crc)
		trouble(f, f->frame_offset, "#%" PRIu64 " %s: data payload has checksum %08x, its header says %08x",
			(uint64_t)f->frame.seq, f->row ? f->row->name : "?", f->crc, f->frame.data_crc);
	if (f->row)
		f->sink.message(f->sink.owner, &message);
	expect_header(f);
}

static void begin_data(struct frames *f)
{
	f->state = FRAMES_DATA;
	f->want = f->frame.data_bytes;
	f->have = f->missing = 0;
	f->crc = 0;
	if (!f->want)
		finish_message(f);
}

static void finish_body(struct frames *f)
{
	const char *name = f->row ? f->row->name : "message of no known type";
	uint32_t crc;

	if (f->missing) {
		trouble(f, f->frame_offset, "#%" PRIu64 " %s: %" PRIu64 " of %u bytes of its body were not captured",
			(uint64_t)f->frame.seq, name, f->missing, f->frame.body_bytes);
		frames_clear(f);
	} else if (f->body) {
		crc = f->want ? crc_of(f->body, f->want) : 0;
		if (crc != f->frame.body_crc) {
			trouble(f, f->frame_offset, "#%" PRIu64 " %s: body has checksum %08x, its header says %08x",
				(uint64_t)f->frame.seq, name, crc, f->frame.body_crc);
			frames_clear(f);
		}
	}
	begin_data(f);
}

static void begin_body(struct frames *f)
{
	f->state = FRAMES_BODY;
	f->want = f->frame.body_bytes;
	f->have = f->missing = 0;
	if (f->row && f->want <= NACRE_BODY_MAX) {
		f->body = malloc(f->want ? f->want : 1);
		if (!f->body)
			abort();
	}
	if (!f->want)
		finish_body(f);
}

/* ---- headers ------------------------------------------------------------------------------------------ */

static uint32_t load32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool is_header(const uint8_t *bytes)
{
	return load32(bytes) == NACRE_FRAME_MAGIC &&
	       load32(bytes + NACRE_FRAME_CRC_BYTES) == crc_of(bytes, NACRE_FRAME_CRC_BYTES);
}

/* What a sound header says that it must not. Reading goes on: the lengths are true. */
static void check_header(struct frames *f)
{
	const struct nacre_frame *h = &f->frame;
	char text[160] = "";

	frames_explain(nacre_frame_desc(), f->header, sizeof(f->header), text, sizeof(text));
	if (*text)
		trouble(f, f->frame_offset, "#%" PRIu64 " header: %s", (uint64_t)h->seq, text);
	if (h->version != NACRE_FRAME_VERSION)
		trouble(f, f->frame_offset, "#%" PRIu64 " header: version %u, %u is known", (uint64_t)h->seq,
			h->version, NACRE_FRAME_VERSION);
	if (!f->row)
		trouble(f, f->frame_offset, "#%" PRIu64 ": type %u is no message; %u bytes of body, %u of data payload",
			(uint64_t)h->seq, h->type, h->body_bytes, h->data_bytes);
	else if (h->body_bytes > NACRE_BODY_MAX || h->data_bytes > f->row->data_max)
		trouble(f, f->frame_offset, "#%" PRIu64 " %s: %u bytes of body, %u of data payload are more than it may have",
			(uint64_t)h->seq, f->row->name, h->body_bytes, h->data_bytes);
	if (f->last_seq && h->conn_gen == f->last_gen && h->seq != f->last_seq + 1)
		trouble(f, f->frame_offset, "#%" PRIu64 " follows #%" PRIu64, (uint64_t)h->seq, f->last_seq);
}

/* The header without the check of reserved fields, which a decoder would refuse. */
static void read_header(struct frames *f)
{
	struct nacre_frame_wire wire;

	memcpy(&wire, f->header, sizeof(wire));
	f->frame = (struct nacre_frame){
		.magic = nacre_le32(wire.magic), .type = nacre_le16(wire.type), .version = wire.version,
		.body_bytes = nacre_le32(wire.body_bytes), .data_bytes = nacre_le32(wire.data_bytes),
		.seq = nacre_le64(wire.seq), .ack = nacre_le64(wire.ack),
		.conn_gen = nacre_le32(wire.conn_gen), .body_crc = nacre_le32(wire.body_crc),
		.data_crc = nacre_le32(wire.data_crc), .header_crc = nacre_le32(wire.header_crc),
	};
	f->row = nacre_message_find(f->frame.type);
}

static void take_header(struct frames *f)
{
	read_header(f);
	check_header(f);
	f->count++;
	f->last_seq = f->frame.seq;
	f->last_gen = f->frame.conn_gen;
	begin_body(f);
}

static void finish_header(struct frames *f)
{
	if (is_header(f->header)) {
		take_header(f);
		return;
	}
	if (load32(f->header) != NACRE_FRAME_MAGIC)
		trouble(f, f->frame_offset, "no frame: it begins with %02x %02x %02x %02x; not read from here%s",
			f->header[0], f->header[1], f->header[2], f->header[3],
			f->resync ? " to the next header" : "");
	else
		trouble(f, f->frame_offset, "header has checksum %08x, it says %08x; not read from here%s",
			crc_of(f->header, NACRE_FRAME_CRC_BYTES), load32(f->header + NACRE_FRAME_CRC_BYTES),
			f->resync ? " to the next header" : "");
	f->last_seq = 0;
	lose(f, f->frame_offset);
}

/* ---- lost --------------------------------------------------------------------------------------------- */

/* Keep the last 63 bytes, look at each 64. Returns the bytes taken. */
static size_t look_for_header(struct frames *f, const uint8_t *bytes, size_t length)
{
	size_t i;

	if (!looks_for_header(f)) {
		f->offset += length;
		return length;
	}
	for (i = 0; i < length; i++) {
		if (f->have == NACRE_FRAME_BYTES) {
			memmove(f->header, f->header + 1, NACRE_FRAME_BYTES - 1);
			f->have--;
		}
		f->header[f->have++] = bytes[i];
		f->offset++;
		if (f->have < NACRE_FRAME_BYTES || !is_header(f->header))
			continue;
		f->frame_offset = f->offset - NACRE_FRAME_BYTES;
		f->found = true;
		if (f->frame_offset > f->lost_offset)
			trouble(f, f->lost_offset, "%" PRIu64 " bytes were passed over, up to the next sound header",
				f->frame_offset - f->lost_offset);
		take_header(f);
		return i + 1;
	}
	return length;
}

/* ---- bytes and gaps ----------------------------------------------------------------------------------- */

/* The part that is under way has all it wants. */
static void finish_part(struct frames *f)
{
	if (f->state == FRAMES_HEADER)
		finish_header(f);
	else if (f->state == FRAMES_BODY)
		finish_body(f);
	else
		finish_message(f);
}

static size_t take_part(struct frames *f, const uint8_t *bytes, size_t length)
{
	size_t n = length < f->want - f->have ? length : (size_t)(f->want - f->have);

	if (f->state == FRAMES_HEADER) {
		if (!f->have)
			f->frame_offset = f->offset;
		memcpy(f->header + f->have, bytes, n);
	} else if (f->state == FRAMES_BODY) {
		if (f->body)
			memcpy(f->body + f->have, bytes, n);
	} else {
		f->crc = crc_add(f->crc, bytes, n);
	}
	f->have += n;
	f->offset += n;
	if (f->have == f->want)
		finish_part(f);
	return n;
}

void frames_bytes(struct frames *frames, const uint8_t *bytes, size_t length)
{
	size_t n;

	for (; length; bytes += n, length -= n)
		n = frames->state == FRAMES_LOST ? look_for_header(frames, bytes, length)
						 : take_part(frames, bytes, length);
}

void frames_gap(struct frames *f, uint64_t length)
{
	uint64_t n, at = f->offset, all = length;

	while (length && f->state != FRAMES_LOST && f->state != FRAMES_HEADER) {
		n = length < f->want - f->have ? length : f->want - f->have;
		f->have += n;
		f->missing += n;
		f->offset += n;
		length -= n;
		if (f->have == f->want)
			finish_part(f);
	}
	if (!length)
		return;
	f->offset += length;
	f->last_seq = 0;
	if (f->state == FRAMES_LOST) {
		f->have = 0;
		return;
	}
	trouble(f, at, "%" PRIu64 " bytes were not captured, a header among them; not read from here%s", all,
		f->resync ? " to the next header" : "");
	lose(f, at);
}

void frames_end(struct frames *f)
{
	static const char *const parts[] = { "header", "body", "data payload" };

	if (f->state == FRAMES_LOST) {
		if (f->found && f->offset > f->lost_offset)
			trouble(f, f->lost_offset, "%" PRIu64 " bytes were not read, to the end",
				f->offset - f->lost_offset);
	} else if (f->have || f->state != FRAMES_HEADER) {
		trouble(f, f->frame_offset, "ends within a frame: %" PRIu64 " of %" PRIu64 " bytes of its %s",
			f->have, f->want, parts[f->state]);
	}
	frames_clear(f);
}

/* ---- why not ------------------------------------------------------------------------------------------ */

static uint64_t load_int(const struct nacre_field *field, const uint8_t *bytes)
{
	uint64_t value = 0;

	for (int i = field->bits / 8 - 1; i >= 0; i--)
		value = value << 8 | bytes[field->wire_offset + i];
	return value;
}

void frames_explain(const struct nacre_struct *desc, const uint8_t *bytes, size_t length, char *text,
		    size_t text_bytes)
{
	const struct nacre_field *field;
	size_t at = desc->wire_bytes;
	uint64_t value;

	if (length < at) {
		snprintf(text, text_bytes, "%zu bytes, %s has at least %zu", length, desc->name, at);
		return;
	}
	for (int i = 0; i < desc->field_count; i++) {
		field = &desc->fields[i];
		value = load_int(field, bytes);
		if (field->kind == NACRE_FIELD_RESERVED && value) {
			snprintf(text, text_bytes, "offset %u: %s is %#" PRIx64 ", not zero",
				 field->wire_offset, field->name, value);
			return;
		}
		if (field->kind != NACRE_FIELD_TAIL)
			continue;
		if (value > field->max || value > length - at) {
			snprintf(text, text_bytes, "offset %u: %s has %" PRIu64 " bytes, %s %zu",
				 field->wire_offset, field->name, value,
				 value > field->max ? "at most" : "there are",
				 value > field->max ? (size_t)field->max : length - at);
			return;
		}
		at += value;
	}
	if (at < length)
		snprintf(text, text_bytes, "offset %zu: %zu bytes behind the last field", at, length - at);
}
