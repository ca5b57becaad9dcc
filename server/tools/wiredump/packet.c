// SPDX-License-Identifier: GPL-2.0
/* Packets down to TCP segments. See packet.h. */
#include <arpa/inet.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <string.h>
#include "packet.h"

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define PROTOCOL_TCP 6
#define IP6_HEADERS_MAX 8		/* extension headers of one packet */

/* What is left of the packet: in the capture, and on the wire. */
struct rest {
	const uint8_t *at;
	size_t length;
	size_t wire_bytes;		/* at least `length` */
};

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)be16(at) << 16 | be16(at + 2);
}

/* The next `bytes` bytes, or NULL. */
static const uint8_t *take(struct rest *r, size_t bytes)
{
	const uint8_t *at = r->at;

	if (r->length < bytes)
		return NULL;
	r->at += bytes;
	r->length -= bytes;
	r->wire_bytes -= bytes;
	return at;
}

/* Nothing behind the next `bytes` bytes counts: padding of short Ethernet frames. */
static void end_at(struct rest *r, size_t bytes)
{
	if (r->wire_bytes > bytes)
		r->wire_bytes = bytes;
	if (r->length > r->wire_bytes)
		r->length = r->wire_bytes;
}

const char *endpoint_text(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_BYTES])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char address[INET6_ADDRSTRLEN];

	if (!memcmp(endpoint->address, mapped, sizeof(mapped))) {
		inet_ntop(AF_INET, endpoint->address + 12, address, sizeof(address));
		snprintf(text, ENDPOINT_TEXT_BYTES, "%s:%u", address, endpoint->port);
	} else {
		inet_ntop(AF_INET6, endpoint->address, address, sizeof(address));
		snprintf(text, ENDPOINT_TEXT_BYTES, "[%s]:%u", address, endpoint->port);
	}
	return text;
}

/* ---- link layer --------------------------------------------------------------------------------------- */

int packet_knows_link(int link)
{
	switch (link) {
	case DLT_EN10MB:
	case DLT_RAW:
	case DLT_NULL:
	case DLT_LOOP:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
	case DLT_IPV4:
	case DLT_IPV6:
		return 1;
	default:
		return 0;
	}
}

/* By the version in its first byte. */
static uint16_t version_type(const struct rest *r)
{
	if (!r->length)
		return 0;
	return r->at[0] >> 4 == 4 ? ETHERTYPE_IP4 : r->at[0] >> 4 == 6 ? ETHERTYPE_IP6 : 0;
}

/* The link header off; *type is what follows, 0: nothing of IP. */
static int take_link(struct rest *r, int link, uint16_t *type)
{
	const uint8_t *header;

	switch (link) {
	case DLT_EN10MB:
		header = take(r, 14);
		*type = header ? be16(header + 12) : 0;
		break;
	case DLT_LINUX_SLL:
		header = take(r, 16);
		*type = header ? be16(header + 14) : 0;
		break;
	case DLT_LINUX_SLL2:
		header = take(r, 20);
		*type = header ? be16(header) : 0;
		break;
	case DLT_NULL:
	case DLT_LOOP:
		header = take(r, 4);
		*type = version_type(r);
		break;
	default:
		header = r->at;
		*type = version_type(r);
	}
	while (header && (*type == ETHERTYPE_VLAN || *type == ETHERTYPE_QINQ)) {
		header = take(r, 4);
		*type = header ? be16(header + 2) : 0;
	}
	return header ? 0 : -1;
}

/* ---- IP ----------------------------------------------------------------------------------------------- */

static enum packet_verdict take_ip4(struct rest *r, struct segment *s)
{
	const uint8_t *header = take(r, 20);
	size_t header_bytes, total;

	if (!header)
		return PACKET_BROKEN;
	header_bytes = (size_t)(header[0] & 15) * 4;
	total = be16(header + 2);
	/* a packet that the card is to cut says 0 when it is longer than 16 bits can tell */
	if (!total)
		total = r->wire_bytes + 20;
	if (header[0] >> 4 != 4 || header_bytes < 20 || total < header_bytes ||
	    !take(r, header_bytes - 20))
		return PACKET_BROKEN;
	end_at(r, total - header_bytes);
	if (header[9] != PROTOCOL_TCP)
		return PACKET_OTHER;
	if (be16(header + 6) & 0x3fff)
		return PACKET_FRAGMENT;
	s->from = s->to = (struct endpoint){ .address = { [10] = 0xff, [11] = 0xff } };
	memcpy(s->from.address + 12, header + 12, 4);
	memcpy(s->to.address + 12, header + 16, 4);
	return PACKET_TCP;
}

/* Extension headers up to TCP. */
static enum packet_verdict skip_extensions(struct rest *r, uint8_t next)
{
	const uint8_t *header;

	for (int i = 0; i < IP6_HEADERS_MAX; i++) {
		switch (next) {
		case PROTOCOL_TCP:
			return PACKET_TCP;
		case 0:			/* hop by hop */
		case 43:		/* routing */
		case 60:		/* destination */
			header = take(r, 8);
			if (!header || !take(r, (size_t)header[1] * 8))
				return PACKET_BROKEN;
			next = header[0];
			break;
		case 44:
			return PACKET_FRAGMENT;
		default:
			return PACKET_OTHER;
		}
	}
	return PACKET_OTHER;
}

static enum packet_verdict take_ip6(struct rest *r, struct segment *s)
{
	const uint8_t *header = take(r, 40);
	size_t payload;

	if (!header || header[0] >> 4 != 6)
		return PACKET_BROKEN;
	payload = be16(header + 4);
	if (payload)
		end_at(r, payload);
	memcpy(s->from.address, header + 8, 16);
	memcpy(s->to.address, header + 24, 16);
	return skip_extensions(r, header[6]);
}

/* ---- TCP ---------------------------------------------------------------------------------------------- */

static enum packet_verdict take_tcp(struct rest *r, struct segment *s)
{
	const uint8_t *header = take(r, 20);
	size_t header_bytes;

	if (!header)
		return PACKET_BROKEN;
	header_bytes = (size_t)(header[12] >> 4) * 4;
	if (header_bytes < 20 || !take(r, header_bytes - 20))
		return PACKET_BROKEN;
	s->from.port = be16(header);
	s->to.port = be16(header + 2);
	s->seq = be32(header + 4);
	s->ack = be32(header + 8);
	s->flags = header[13];
	s->bytes = r->at;
	s->length = r->length;
	s->missing = r->wire_bytes - r->length;
	return PACKET_TCP;
}

enum packet_verdict packet_parse(int link, const uint8_t *bytes, size_t length, size_t wire_bytes,
				 struct segment *segment)
{
	struct rest r = { bytes, length, wire_bytes > length ? wire_bytes : length };
	enum packet_verdict verdict;
	uint16_t type;

	memset(segment, 0, sizeof(*segment));
	if (take_link(&r, link, &type))
		return PACKET_BROKEN;
	if (type == ETHERTYPE_IP4)
		verdict = take_ip4(&r, segment);
	else if (type == ETHERTYPE_IP6)
		verdict = take_ip6(&r, segment);
	else
		verdict = PACKET_OTHER;
	return verdict == PACKET_TCP ? take_tcp(&r, segment) : verdict;
}
