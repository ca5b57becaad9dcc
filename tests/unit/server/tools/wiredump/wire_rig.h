/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Captures made by hand, for the tests of nacre-wiredump and its fuzzer: frames with right checksums, TCP
 * segments in Ethernet packets between a client (10.0.0.1:40000) and a server (10.0.0.2:7270).
 */
#ifndef NACRE_TEST_WIRE_RIG_H
#define NACRE_TEST_WIRE_RIG_H

#include <stddef.h>
#include <stdint.h>
#include "protocol/messages.h"
#include "server/tools/wiredump/wiredump.h"

#define WIRE_PACKET_MAX (65536 + 54)
#define WIRE_FRAME_MAX (1u << 20)

enum wire_direction { WIRE_TO_SERVER, WIRE_TO_CLIENT };

/* A frame with `data_bytes` bytes of payload. Returns its length. */
size_t wire_frame(uint8_t *out, uint16_t type, uint64_t seq, const void *body, uint32_t data_bytes);
/* The same around bytes that need be no body. */
size_t wire_frame_of(uint8_t *out, uint16_t type, uint64_t seq, const uint8_t *body, uint32_t body_bytes,
		     uint32_t data_bytes);
/* The header's checksum, after something in it was changed. */
void wire_seal(uint8_t *frame);

/* An Ethernet packet with one segment. Returns its length. */
size_t wire_packet(uint8_t *out, enum wire_direction direction, uint32_t seq, uint32_t ack, uint8_t flags,
		   const uint8_t *bytes, size_t length);
/* Straight into a dump, one millisecond after the packet before. */
void wire_send(struct wiredump *dump, enum wire_direction direction, uint32_t seq, uint32_t ack,
	       uint8_t flags, const uint8_t *bytes, size_t length);

#endif
