// SPDX-License-Identifier: GPL-2.0
/*
 * What --trace shows of a send: every message in it with all fields that are not
 * zero, from the same descriptors that encode them.
 */
#include <inttypes.h>
#include <stdio.h>
#include "protocol/codec.h"
#include "protocol/messages.h"
#include "sim_trace.h"

static uint64_t load(const uint8_t *at, unsigned int bits)
{
	switch (bits) {
	case 8:
		return *at;
	case 16:
		return *(const uint16_t *)at;
	case 32:
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

static void print_tail(const struct nacre_field *field, const uint8_t *host)
{
	const uint8_t *bytes = *(const uint8_t *const *)(host + field->host_pointer);
	uint64_t length = load(host + field->host_offset, 32), i;

	if (!length)
		return;
	printf(" %s[%" PRIu64 "]=", field->name, length);
	for (i = 0; i < length && i < 24; i++)
		printf(bytes[i] >= ' ' && bytes[i] < 127 ? "%c" : "\\%x", bytes[i]);
}

static void print_struct(const struct nacre_struct *desc, const uint8_t *host)
{
	const struct nacre_field *field;
	uint64_t value;
	int i;

	for (i = 0; i < desc->field_count; i++) {
		field = &desc->fields[i];
		if (field->kind == NACRE_FIELD_TAIL) {
			print_tail(field, host);
		} else if (field->kind == NACRE_FIELD_INT) {
			value = load(host + field->host_offset, field->bits);
			if (value)
				printf(" %s=%" PRIx64, field->name, value);
		}
	}
}

/* Sequences that say the most: infos in replies and grants. */
static void print_infos(const uint8_t *bytes, size_t length)
{
	struct nacre_reader reader = nacre_reader(bytes, length);
	struct nacre_inode_info info;

	while (nacre_reader_left(&reader) &&
	       !nacre_decode(nacre_inode_info_desc(), &reader, &info)) {
		printf("\n%30s info", "");
		print_struct(nacre_inode_info_desc(), (const uint8_t *)&info);
	}
}

static void print_message(const struct nacre_message *message, const uint8_t *body,
			  uint32_t body_bytes)
{
	uint8_t host[1024] __attribute__((aligned(8)));
	const struct nacre_struct *desc = message->body();

	if (desc->host_bytes > sizeof(host) || nacre_decode_all(desc, body, body_bytes, host))
		return;
	print_struct(desc, host);
	if (message->type == NACRE_MSG_REPLY)
		print_infos(((struct nacre_reply *)host)->traces,
			    ((struct nacre_reply *)host)->traces_bytes);
	else if (message->type == NACRE_MSG_CAP_GRANT)
		print_infos(((struct nacre_cap_grant *)host)->info,
			    ((struct nacre_cap_grant *)host)->info_bytes);
}

void sim_trace_bytes(const uint8_t *bytes, size_t length)
{
	const struct nacre_frame_wire *frame;
	const struct nacre_message *message;
	uint32_t body_bytes;
	size_t whole;

	for (; length >= sizeof(*frame); bytes += whole, length -= whole) {
		frame = (const void *)bytes;
		body_bytes = nacre_le32(frame->body_bytes);
		whole = sizeof(*frame) + body_bytes + nacre_le32(frame->data_bytes);
		message = nacre_message_find(nacre_le16(frame->type));
		if (nacre_le32(frame->magic) != NACRE_FRAME_MAGIC || !message || whole > length)
			return;
		printf("%24s %s gen=%u seq=%u data=%u", "", message->name,
		       nacre_le32(frame->conn_gen), (unsigned int)nacre_le64(frame->seq),
		       nacre_le32(frame->data_bytes));
		print_message(message, bytes + sizeof(*frame), body_bytes);
		printf("\n");
	}
}
