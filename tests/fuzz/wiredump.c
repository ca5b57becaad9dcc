// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target of nacre-wiredump, in the input format of decode.c: a message's row, three bytes more, a body.
 * The body is printed in every way in which it can arrive: in a frame with right checksums, in segments whose
 * cuts, order, repeats and losses the input decides; as raw bytes; and as packets of every link type.
 * Whatever it is, there is a line for it, and nothing is read that is not there.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pcap/dlt.h>
#include "tests/unit/server/tools/wiredump/wire_rig.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#define SEQ_FIRST 0xffffff00u		/* so that it wraps */

static struct wiredump *start(FILE *out, uint8_t choice)
{
	struct wiredump_options options = {
		.out = out,
		.full = choice & 1,
		.resync = choice & 2,
		.ino = choice & 4 ? 1 : 0,
		.tid = choice & 8 ? 10 : 0,
		.peer = choice & 16 ? "client" : NULL,
	};
	struct wiredump *dump = wiredump_create(&options);

	wiredump_link(dump, DLT_EN10MB);
	return dump;
}

static void finish(struct wiredump *dump)
{
	wiredump_finish(dump);
	wiredump_destroy(dump);
}

/* Segments of a stream, each decided by one byte of `plan`: its length, and what becomes of it. */
static void send_in_segments(struct wiredump *dump, const uint8_t *stream, size_t stream_bytes,
			     const uint8_t *plan, size_t plan_bytes)
{
	size_t at = 0, held = 0, held_bytes = 0, n;
	uint8_t step;

	if (plan_bytes && plan[0] & 1)
		wire_send(dump, WIRE_TO_SERVER, SEQ_FIRST - 1, 0, SEGMENT_SYN, NULL, 0);
	for (size_t i = 0; at < stream_bytes; i++, at += n) {
		step = plan_bytes ? plan[i % plan_bytes] : 0;
		n = (size_t)(step >> 2) * 9 + 1;
		n = n < stream_bytes - at ? n : stream_bytes - at;
		if ((step & 3) == 3 && !held_bytes) {
			held = at;
			held_bytes = n;
			continue;
		}
		if ((step & 3) == 2 && i % 7 == 0)
			continue;	/* lost */
		wire_send(dump, (step & 3) == 1 && i % 11 == 0 ? WIRE_TO_CLIENT : WIRE_TO_SERVER,
			  SEQ_FIRST + (uint32_t)at, SEQ_FIRST + (uint32_t)at, SEGMENT_ACK, stream + at, n);
		if (held_bytes && (step & 3) != 0) {
			wire_send(dump, WIRE_TO_SERVER, SEQ_FIRST + (uint32_t)held, 0, SEGMENT_ACK,
				  stream + held, held_bytes);
			held_bytes = 0;
		}
	}
}

/* The frame three times, the second with one byte changed: what comes behind damage is seen, too. */
static void try_frames(FILE *out, uint16_t type, uint32_t data_bytes, const uint8_t *body, size_t length)
{
	size_t one = NACRE_FRAME_BYTES + length + data_bytes;
	uint8_t *stream = malloc(3 * one);
	struct wiredump *dump = start(out, length ? body[0] : 0);

	if (!stream)
		abort();
	for (uint64_t i = 0; i < 3; i++)
		wire_frame_of(stream + i * one, type, i + 1, body, (uint32_t)length, data_bytes);
	if (length)
		stream[one + body[length - 1] % one] ^= 0x10;
	send_in_segments(dump, stream, 3 * one, body, length);
	finish(dump);
	dump = start(out, length ? (uint8_t)~body[0] : 1);
	wiredump_raw(dump, stream, 3 * one);
	finish(dump);
	free(stream);
}

static void try_packets(FILE *out, const uint8_t *bytes, size_t length)
{
	static const int links[] = { DLT_EN10MB, DLT_RAW, DLT_NULL, DLT_LINUX_SLL, DLT_LINUX_SLL2 };
	struct wiredump *dump = start(out, 0);
	uint8_t *copy = malloc(length ? length : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, length);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		wiredump_link(dump, links[i]);
		wiredump_packet(dump, copy, length, length + i, i);
	}
	free(copy);
	finish(dump);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const struct nacre_message *table;
	struct wiredump *dump;
	unsigned int count;
	char *text = NULL;
	size_t text_bytes;
	FILE *out;

	if (length < 4)
		return 0;
	out = open_memstream(&text, &text_bytes);
	if (!out)
		return 0;
	table = nacre_message_table(&count);
	try_frames(out, table[bytes[0] % count].type,
		   (bytes[1] | (uint32_t)bytes[2] << 8) % 8192, bytes + 4, length - 4);
	dump = start(out, bytes[3]);
	wiredump_raw(dump, bytes + 4, length - 4);
	finish(dump);
	try_packets(out, bytes + 4, length - 4);
	fclose(out);
	free(text);
	return 0;
}
