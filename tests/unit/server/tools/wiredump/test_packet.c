// SPDX-License-Identifier: GPL-2.0
/* Packets taken apart: every link layer, both IPs, and nothing read behind the end of what was captured. */
#include "tests/unit/protocol/cmocka_all.h"
#include <pcap/dlt.h>
#include "wire_rig.h"

static uint8_t packet[512];
static struct segment segment;
static char text[ENDPOINT_TEXT_BYTES];

static void ethernet(void **state)
{
	size_t n = wire_packet(packet, WIRE_TO_SERVER, 7, 9, SEGMENT_ACK, (const uint8_t *)"hello", 5);

	assert_int_equal(packet_parse(DLT_EN10MB, packet, n, n, &segment), PACKET_TCP);
	assert_string_equal(endpoint_text(&segment.from, text), "10.0.0.1:40000");
	assert_string_equal(endpoint_text(&segment.to, text), "10.0.0.2:7270");
	assert_int_equal(segment.seq, 7);
	assert_int_equal(segment.ack, 9);
	assert_int_equal(segment.flags, SEGMENT_ACK);
	assert_int_equal(segment.length, 5);
	assert_int_equal(segment.missing, 0);
	assert_memory_equal(segment.bytes, "hello", 5);
	/* padding of a short frame is no payload */
	assert_int_equal(packet_parse(DLT_EN10MB, packet, n + 6, n + 6, &segment), PACKET_TCP);
	assert_int_equal(segment.length, 5);
	/* the capture has cut it */
	assert_int_equal(packet_parse(DLT_EN10MB, packet, n - 3, n, &segment), PACKET_TCP);
	assert_int_equal(segment.length, 2);
	assert_int_equal(segment.missing, 3);
}

static void other_links(void **state)
{
	size_t n = wire_packet(packet, WIRE_TO_SERVER, 7, 9, SEGMENT_ACK, (const uint8_t *)"hello", 5);
	uint8_t with[sizeof(packet)] = { 0 };

	assert_int_equal(packet_parse(DLT_RAW, packet + 14, n - 14, n - 14, &segment), PACKET_TCP);
	assert_int_equal(segment.length, 5);
	memcpy(with + 4, packet + 14, n - 14);
	assert_int_equal(packet_parse(DLT_NULL, with, n - 10, n - 10, &segment), PACKET_TCP);
	memcpy(with + 16, packet + 14, n - 14);
	with[14] = 8;
	with[15] = 0;
	assert_int_equal(packet_parse(DLT_LINUX_SLL, with, n + 2, n + 2, &segment), PACKET_TCP);
	memcpy(with + 20, packet + 14, n - 14);
	with[0] = 8;
	with[1] = 0;
	assert_int_equal(packet_parse(DLT_LINUX_SLL2, with, n + 6, n + 6, &segment), PACKET_TCP);
	assert_int_equal(segment.length, 5);
	/* one VLAN tag */
	memcpy(with, packet, 12);
	memcpy(with + 12, "\x81\x00\x00\x05\x08\x00", 6);
	memcpy(with + 18, packet + 14, n - 14);
	assert_int_equal(packet_parse(DLT_EN10MB, with, n + 4, n + 4, &segment), PACKET_TCP);
	assert_int_equal(segment.length, 5);
	assert_false(packet_knows_link(DLT_IEEE802_11));
	assert_true(packet_knows_link(DLT_EN10MB));
}

static void ip6(void **state)
{
	size_t n = wire_packet(packet, WIRE_TO_SERVER, 7, 9, 0, (const uint8_t *)"hello", 5);
	uint8_t six[256] = { 0x60, [5] = 8 + 20 + 5, [6] = 0 };

	six[8] = 0xfd;			/* fd00::1 to fd00::2 */
	six[23] = 1;
	six[24] = 0xfd;
	six[39] = 2;
	six[40] = 6;			/* hop-by-hop options of 8 bytes, then TCP */
	memcpy(six + 48, packet + 34, n - 34);
	assert_int_equal(packet_parse(DLT_RAW, six, 48 + 25, 48 + 25, &segment), PACKET_TCP);
	assert_string_equal(endpoint_text(&segment.from, text), "[fd00::1]:40000");
	assert_int_equal(segment.length, 5);
	six[40] = 44;
	assert_int_equal(packet_parse(DLT_RAW, six, 73, 73, &segment), PACKET_FRAGMENT);
	six[40] = 17;
	assert_int_equal(packet_parse(DLT_RAW, six, 73, 73, &segment), PACKET_OTHER);
}

static void not_tcp(void **state)
{
	size_t n = wire_packet(packet, WIRE_TO_SERVER, 7, 9, 0, (const uint8_t *)"hello", 5);

	packet[14 + 6] = 0x20;		/* more fragments */
	assert_int_equal(packet_parse(DLT_EN10MB, packet, n, n, &segment), PACKET_FRAGMENT);
	packet[14 + 6] = 0x40;		/* do not fragment */
	assert_int_equal(packet_parse(DLT_EN10MB, packet, n, n, &segment), PACKET_TCP);
	packet[14 + 9] = 17;
	assert_int_equal(packet_parse(DLT_EN10MB, packet, n, n, &segment), PACKET_OTHER);
	packet[12] = 9;
	assert_int_equal(packet_parse(DLT_EN10MB, packet, n, n, &segment), PACKET_OTHER);
}

/* Cut anywhere, in memory that ends there. */
static void every_cut(void **state)
{
	size_t n = wire_packet(packet, WIRE_TO_SERVER, 7, 9, 0, (const uint8_t *)"hello", 5);
	uint8_t *copy;

	for (size_t cut = 0; cut < 54; cut++) {
		copy = malloc(cut ? cut : 1);
		assert_non_null(copy);
		memcpy(copy, packet, cut);
		assert_int_equal(packet_parse(DLT_EN10MB, copy, cut, n, &segment), PACKET_BROKEN);
		free(copy);
	}
	packet[14] = 0x42;		/* header length 8 */
	assert_int_equal(packet_parse(DLT_EN10MB, packet, n, n, &segment), PACKET_BROKEN);
	packet[14] = 0x45;
	packet[46] = 0xf0;		/* TCP header of 60 bytes */
	assert_int_equal(packet_parse(DLT_EN10MB, packet, n, n, &segment), PACKET_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ethernet), cmocka_unit_test(other_links), cmocka_unit_test(ip6),
		cmocka_unit_test(not_tcp),  cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
