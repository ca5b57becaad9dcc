/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One captured packet, taken apart down to its TCP segment: link layer, VLAN tags, IPv4 or IPv6. Every
 * length in it is compared with what was captured before it is believed. Pure; knows nothing of nacre.
 */
#ifndef NACRE_WIREDUMP_PACKET_H
#define NACRE_WIREDUMP_PACKET_H

#include <stddef.h>
#include <stdint.h>

/* IPv4 as ::ffff:a.b.c.d. No padding: it is compared and hashed as bytes. */
struct endpoint {
	uint8_t address[16];
	uint16_t port;			/* host order */
};
#define ENDPOINT_TEXT_BYTES 64

/* "10.0.0.1:7270", "[fd00::1]:7270". */
const char *endpoint_text(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_BYTES]);

enum segment_flags {
	SEGMENT_FIN = 1,
	SEGMENT_SYN = 2,
	SEGMENT_RST = 4,
	SEGMENT_ACK = 16,
};

struct segment {
	struct endpoint from, to;
	uint32_t seq, ack;
	uint8_t flags;			/* enum segment_flags; others as TCP has them */
	const uint8_t *bytes;		/* points into the packet */
	size_t length;			/* of them */
	size_t missing;			/* bytes of the payload that the capture has cut off */
};

enum packet_verdict {
	PACKET_TCP,
	PACKET_OTHER,			/* sound, but not TCP over IP */
	PACKET_FRAGMENT,		/* a part of an IP packet: not put together */
	PACKET_BROKEN,			/* too short for what it says of itself */
};

/* Can packets of this link type (DLT_... of libpcap) be read? */
int packet_knows_link(int link);

/* `wire_bytes`: the packet's length before the capture cut it; `length` of it are there. */
enum packet_verdict packet_parse(int link, const uint8_t *bytes, size_t length, size_t wire_bytes,
				 struct segment *segment);

#endif
