// SPDX-License-Identifier: GPL-2.0
/* Captures made by hand. See wire_rig.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/codec.h"
#include "server/base/crc.h"
#include "wire_rig.h"

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

void wire_seal(uint8_t *frame)
{
	uint32_t crc = crc_of(frame, NACRE_FRAME_CRC_BYTES);

	for (int i = 0; i < 4; i++)
		frame[NACRE_FRAME_CRC_BYTES + i] = (uint8_t)(crc >> 8 * i);
}

size_t wire_frame_of(uint8_t *out, uint16_t type, uint64_t seq, const uint8_t *body, uint32_t body_bytes,
		     uint32_t data_bytes)
{
	struct nacre_frame frame = { .magic = NACRE_FRAME_MAGIC, .type = type,
				     .version = NACRE_FRAME_VERSION, .body_bytes = body_bytes,
				     .data_bytes = data_bytes, .seq = seq, .conn_gen = 1 };
	struct nacre_writer w = nacre_writer(out, NACRE_FRAME_BYTES);
	int err;

	if (body_bytes)
		memcpy(out + NACRE_FRAME_BYTES, body, body_bytes);
	for (uint32_t i = 0; i < data_bytes; i++)
		out[NACRE_FRAME_BYTES + body_bytes + i] = (uint8_t)i;
	frame.body_crc = body_bytes ? crc_of(body, body_bytes) : 0;
	frame.data_crc = data_bytes ? crc_of(out + NACRE_FRAME_BYTES + body_bytes, data_bytes) : 0;
	err = nacre_encode(nacre_frame_desc(), &w, &frame);
	assert(!err);
	wire_seal(out);
	return NACRE_FRAME_BYTES + body_bytes + data_bytes;
}

size_t wire_frame(uint8_t *out, uint16_t type, uint64_t seq, const void *body, uint32_t data_bytes)
{
	uint8_t *bytes = malloc(WIRE_FRAME_MAX);
	struct nacre_writer w = nacre_writer(bytes, WIRE_FRAME_MAX);
	size_t length;
	int err;

	assert(bytes);
	err = nacre_encode(nacre_message_find(type)->body(), &w, body);
	assert(!err);
	length = wire_frame_of(out, type, seq, bytes, (uint32_t)nacre_writer_bytes(&w), data_bytes);
	free(bytes);
	return length;
}

size_t wire_packet(uint8_t *out, enum wire_direction direction, uint32_t seq, uint32_t ack, uint8_t flags,
		   const uint8_t *bytes, size_t length)
{
	uint8_t *ip = out + 14, *tcp = ip + 20;

	memset(out, 0, 54);
	put16(out + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned int)(40 + length));
	ip[9] = 6;
	put32(ip + 12, direction == WIRE_TO_SERVER ? 0x0a000001 : 0x0a000002);
	put32(ip + 16, direction == WIRE_TO_SERVER ? 0x0a000002 : 0x0a000001);
	put16(tcp, direction == WIRE_TO_SERVER ? 40000 : 7270);
	put16(tcp + 2, direction == WIRE_TO_SERVER ? 7270 : 40000);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	if (length)
		memcpy(out + 54, bytes, length);
	return 54 + length;
}

void wire_send(struct wiredump *dump, enum wire_direction direction, uint32_t seq, uint32_t ack,
	       uint8_t flags, const uint8_t *bytes, size_t length)
{
	static uint8_t packet[WIRE_PACKET_MAX];
	static uint64_t ns;
	size_t n = wire_packet(packet, direction, seq, ack, flags, bytes, length);

	ns += 1000000;
	wiredump_packet(dump, packet, n, n, ns);
}
