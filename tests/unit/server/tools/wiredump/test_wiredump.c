// SPDX-License-Identifier: GPL-2.0
/* Captures made by hand, as nacre-wiredump prints them: who, what, what answers what, what is wrong. */
#include "tests/unit/protocol/cmocka_all.h"
#include <pcap/dlt.h>
#include "server/tools/wiredump/story.h"
#include "tests/unit/protocol/samples.h"
#include "wire_rig.h"

static struct wiredump_options options;
static struct wiredump *dump;
static char *text;
static size_t text_bytes;
static uint64_t troubles;
static __u64 body[NACRE_BODY_HOST_MAX / 8];
static uint32_t seqs[2];		/* next sequence number of each direction */
static uint64_t frames[2];		/* last frame number of each */
static uint8_t frame[WIRE_FRAME_MAX + 65536];

static int begin(void **state)
{
	options = (struct wiredump_options){ .out = open_memstream(&text, &text_bytes) };
	assert_non_null(options.out);
	dump = NULL;
	seqs[0] = 1000;
	seqs[1] = 5000;
	frames[0] = frames[1] = 0;
	return 0;
}

static void start(void)
{
	dump = wiredump_create(&options);
	wiredump_link(dump, DLT_EN10MB);
}

static const char *finish(void)
{
	troubles = wiredump_finish(dump);
	fflush(options.out);
	return text;
}

static int end(void **state)
{
	wiredump_destroy(dump);
	fclose(options.out);
	free(text);
	return 0;
}

static void handshake(void)
{
	wire_send(dump, WIRE_TO_SERVER, seqs[0]++, 0, SEGMENT_SYN, NULL, 0);
	wire_send(dump, WIRE_TO_CLIENT, seqs[1]++, seqs[0], SEGMENT_SYN | SEGMENT_ACK, NULL, 0);
}

static void send_bytes(enum wire_direction direction, size_t length)
{
	wire_send(dump, direction, seqs[direction], seqs[!direction], SEGMENT_ACK, frame, length);
	seqs[direction] += (uint32_t)length;
}

/* `body` as a frame of its own in one segment. */
static void say(enum wire_direction direction, uint16_t type)
{
	send_bytes(direction, wire_frame(frame, type, ++frames[direction], body, 0));
}

static void say_sample(enum wire_direction direction, uint16_t type)
{
	assert_true(sample_body(type, body) >= 0);
	say(direction, type);
}

static void greet(void)
{
	struct nacre_hello hello = { .protocol = 1, .role = NACRE_ROLE_CLIENT, .features = 1, .conn_gen = 1,
				     .name = (const __u8 *)"box", .name_bytes = 3 };
	struct nacre_hello_reply reply = { .protocol = 1, .features = 1, .role = NACRE_ROLE_MDS, .id = 0,
					   .instance = 1, .fsid_lo = 1, .time_scale_percent = 100 };
	struct nacre_session_open open = { .rank = 0 };
	struct nacre_session_state state = { .lease_ms = 30000, .instance = 5, .incarnation = 1,
					     .ino_first = 0x10000100000, .ino_count = 1024 };

	handshake();
	memcpy(body, &hello, sizeof(hello));
	say(WIRE_TO_SERVER, NACRE_MSG_HELLO);
	memcpy(body, &reply, sizeof(reply));
	say(WIRE_TO_CLIENT, NACRE_MSG_HELLO_REPLY);
	memcpy(body, &open, sizeof(open));
	say(WIRE_TO_SERVER, NACRE_MSG_SESSION_OPEN);
	memcpy(body, &state, sizeof(state));
	say(WIRE_TO_CLIENT, NACRE_MSG_SESSION_STATE);
}

static void make_create(uint64_t tid, uint64_t ino)
{
	struct nacre_record_req create = {
		.tid = tid, .oldest_tid = 1, .kind = NACRE_RECORD_CREATE, .parent = 1, .ino = ino,
		.set_mask = NACRE_SET_MODE, .mode = 0100644, .name = (const __u8 *)"foo", .name_bytes = 3,
	};

	memcpy(body, &create, sizeof(create));
}

static void make_reply(uint64_t tid, uint32_t result, uint64_t applied)
{
	struct nacre_reply reply = { .tid = tid, .result = result, .applied = applied };

	memcpy(body, &reply, sizeof(reply));
}

#define assert_says(line) do {						\
	if (!strstr(text, line))					\
		fail_msg("not said: %s\n%s", line, text);		\
} while (0)
#define assert_never_says(line) assert_null(strstr(text, line))

/* ---- what is right ------------------------------------------------------------------------------------ */

/* Several flushes in one message: each has its line, and is what its acknowledgement answers. */
static void parts_are_told(void **state)
{
	struct nacre_cap_flush_ack ack = { .ino = 6, .flush_id = 5, .flags = NACRE_FLUSH_ACK_SAFE };

	start();
	greet();
	say_sample(WIRE_TO_SERVER, NACRE_MSG_CAP_UPDATES);
	memcpy(body, &ack, sizeof(ack));
	say(WIRE_TO_CLIENT, NACRE_MSG_CAP_FLUSH_ACK);
	finish();
	assert_says("CAP_UPDATES of 2 inodes\n");
	assert_says("CAP_UPDATE 5: ");
	assert_says("CAP_UPDATE 6: ");
	assert_says("CAP_FLUSH_ACK to CAP_UPDATE 6 (+1.000 ms): 6 flush 5 (SAFE)");
	assert_int_equal(troubles, 0);
}

static void reads_like_a_story(void **state)
{
	start();
	greet();
	make_create(7, 0x10000100040);
	say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
	make_reply(7, 0, 7);
	say(WIRE_TO_CLIENT, NACRE_MSG_REPLY);
	finish();
	assert_int_equal(troubles, 0);
	assert_says("client 10.0.0.1:40000 -> 10.0.0.2:7270  HELLO as CLIENT \"box\", generation 1\n");
	assert_says("mds0 -> client 10.0.0.1:40000  HELLO_REPLY to HELLO as CLIENT (+1.000 ms): as MDS, instance 1");
	assert_says("mds0 -> client.5      SESSION_STATE to SESSION_OPEN rank 0 (+1.000 ms): instance 5, lease "
		    "30000 ms, inode numbers 10000100000 and 1024 on\n");
	assert_says("client.5 -> mds0      CREATE \"foo\" in 1 as 10000100040 mode 0100644  tid 7\n");
	assert_says("mds0 -> client.5      REPLY to CREATE \"foo\" in 1 (+1.000 ms): OK, unsafe #7  tid 7\n");
	assert_says("-- 6 messages, 6 shown, on 1 connections\n");
}

static void every_message_has_a_template(void **state)
{
	unsigned int count;
	const struct nacre_message *rows = nacre_message_table(&count);

	for (unsigned int i = 0; i < count; i++) {
		const char *at = story_template(rows[i].type);
		int open = 0;

		if (!at)
			fail_msg("%s has no template", rows[i].name);
		for (; *at; at++) {
			open += *at == '[' ? 1 : *at == ']' ? -1 : 0;
			if (open < 0 || open > 1)
				fail_msg("%s: brackets of its template", rows[i].name);
			if (*at == '{') {
				char name[64];
				const struct nacre_struct *desc = rows[i].body();
				int found = 0;

				assert_int_equal(sscanf(at, "{%63[a-z0-9_]", name), 1);
				for (int f = 0; f < desc->field_count; f++)
					found |= !strcmp(desc->fields[f].name, name);
				if (!found)
					fail_msg("%s has no field %s", rows[i].name, name);
				at = strchr(at, '}');
				assert_non_null(at);
			}
		}
		assert_int_equal(open, 0);
	}
}

/* Every sample message in both forms, in a frame with its data payload, without a trouble. */
static void every_message_is_told(void **state)
{
	unsigned int count;
	const struct nacre_message *rows = nacre_message_table(&count);

	for (int full = 0; full < 2; full++) {
		options.full = full;
		start();
		for (unsigned int i = 0; i < count; i++) {
			int data = sample_body(rows[i].type, body);

			assert_true(data >= 0);
			wiredump_raw(dump, frame,
				     wire_frame(frame, rows[i].type, i + 1, body, (uint32_t)data));
		}
		finish();
		if (troubles)
			fail_msg("%s", text);
		for (unsigned int i = 0; i < count; i++)
			assert_says(rows[i].name);
		if (!full)
			wiredump_destroy(dump);
	}
}

static void every_field(void **state)
{
	options.full = true;
	start();
	greet();
	make_create(7, 0x10000100040);
	say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
	make_reply(7, 2, 0);
	say(WIRE_TO_CLIENT, NACRE_MSG_REPLY);
	finish();
	assert_says("#3 CREATE body 147 data 0 ack 0 gen 1\n  nacre_record_req\n  tid: 7\n");
	assert_says("\n  set_mask: MODE\n  parent: 1\n  ino: 10000100040\n");
	assert_says("  answers CREATE \"foo\" in 1, +1.000 ms\n  nacre_reply\n  tid: 7\n");
	assert_says("\n  result: ENOENT\n");
}

static void names_come_from_the_map(void **state)
{
	struct nacre_map *map = (struct nacre_map *)body;
	struct nacre_map_osd osd = { .instance = 9, .address_lo = 0xffff0a000002, .port = 7270, .id = 0,
				     .flags = NACRE_OSD_UP | NACRE_OSD_IN, .weight = 0x10000 };
	uint8_t bytes[128];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));

	start();
	sample_map(map);
	assert_int_equal(nacre_encode(nacre_map_osd_desc(), &w, &osd), 0);
	memcpy((void *)(uintptr_t)map->osds, bytes, nacre_writer_bytes(&w));
	say(WIRE_TO_CLIENT, NACRE_MSG_MAP);
	say_sample(WIRE_TO_SERVER, NACRE_MSG_OSD_STATFS);
	finish();
	assert_says("osd0 -> 10.0.0.1:40000  MAP epoch");
	assert_says("10.0.0.1:40000 -> osd0  OSD_STATFS  tid");
}

static void filters(void **state)
{
	options.ino = 0x10000100041;
	start();
	greet();
	for (uint64_t tid = 7; tid < 10; tid++) {
		make_create(tid, 0x10000100039 + tid);
		say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
		make_reply(tid, 0, tid);
		say(WIRE_TO_CLIENT, NACRE_MSG_REPLY);
	}
	finish();
	assert_says("as 10000100041");
	assert_says("unsafe #8");
	assert_says("-- 10 messages, 2 shown");
}

static void filter_by_type_and_peer(void **state)
{
	options.types[0] = NACRE_MSG_CREATE;
	options.peer = "client.5";
	start();
	greet();
	make_create(7, 0x10000100040);
	say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
	make_reply(7, 0, 7);
	say(WIRE_TO_CLIENT, NACRE_MSG_REPLY);
	say_sample(WIRE_TO_SERVER, NACRE_MSG_GETATTR);
	finish();
	assert_says("CREATE \"foo\"");
	assert_says("REPLY to CREATE");
	assert_says("-- 7 messages, 2 shown");
}

static void filter_by_tid(void **state)
{
	options.tid = 8;
	start();
	greet();
	for (uint64_t tid = 7; tid < 10; tid++) {
		make_create(tid, 0);
		say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
	}
	finish();
	assert_says("-- 7 messages, 1 shown");
	assert_says("no answer for 1.000 ms: CREATE \"foo\" in 1  tid 8\n");
	assert_never_says("tid 9");
}

/* ---- what is wrong ------------------------------------------------------------------------------------ */

static void no_answer(void **state)
{
	start();
	greet();
	make_create(7, 0);
	say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
	make_reply(6, 0, 6);
	say(WIRE_TO_CLIENT, NACRE_MSG_REPLY);
	finish();
	assert_says("REPLY OK, unsafe #6; to a request that was not captured  tid 6\n");
	assert_says("client.5 -> mds0      -- no answer for 1.000 ms: CREATE \"foo\" in 1  tid 7\n");
	assert_int_equal(troubles, 0);
}

/* A body of which a segment is missing is lost; the frame behind it is not. */
static void missing_segment_in_a_body(void **state)
{
	size_t length;

	start();
	greet();
	make_create(7, 0);
	length = wire_frame(frame, NACRE_MSG_CREATE, ++frames[0], body, 0);
	send_bytes(WIRE_TO_SERVER, 100);
	seqs[0] += (uint32_t)(length - 100);
	make_create(8, 0);
	say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
	finish();
	assert_says("!! at byte 219 of the stream: #3 CREATE: 111 of 147 bytes of its body were not captured\n");
	assert_says("CREATE \"foo\" in 1 mode 0100644  tid 8\n");
	assert_says("; 111 bytes were not captured; 1 troubles\n");
}

static void missing_header(void **state)
{
	size_t length;

	for (int resync = 0; resync < 2; resync++) {
		options.resync = resync;
		if (resync)
			wiredump_destroy(dump);
		seqs[0] = 1000;
		seqs[1] = 5000;
		frames[0] = frames[1] = 0;
		start();
		greet();
		make_create(7, 0);
		length = wire_frame(frame, NACRE_MSG_CREATE, ++frames[0], body, 0);
		seqs[0] += 100;
		wire_send(dump, WIRE_TO_SERVER, seqs[0], seqs[1], SEGMENT_ACK, frame + 100, length - 100);
		seqs[0] += (uint32_t)(length - 100);
		make_create(8, 0);
		say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
		finish();
		if (!resync) {
			assert_says("!! at byte 219 of the stream: 100 bytes were not captured, a header among "
				    "them; not read from here\n");
			assert_says("!! at byte 219 of the stream: 422 bytes were not read, to the end\n");
			assert_never_says("tid 8");
		}
	}
	assert_says("a header among them; not read from here to the next header\n");
	assert_says("!! at byte 219 of the stream: 211 bytes were passed over, up to the next sound header\n");
	assert_says("CREATE \"foo\" in 1 mode 0100644  tid 8\n");
}

/* The capture begins inside a connection: the first sound header is looked for. */
static void begins_in_the_middle(void **state)
{
	size_t length;

	start();
	make_create(7, 0);
	length = wire_frame(frame, NACRE_MSG_CREATE, 1, body, 0);
	wire_send(dump, WIRE_TO_SERVER, 777, 0, SEGMENT_ACK, frame + 70, length - 70);
	seqs[0] = 777 + (uint32_t)(length - 70);
	make_create(8, 0);
	frames[0] = 1;
	say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
	finish();
	assert_says("141 bytes were passed over, up to the next sound header\n");
	assert_says("10.0.0.1:40000 -> 10.0.0.2:7270  CREATE \"foo\" in 1 mode 0100644  tid 8\n");
}

static void wrong_bytes(void **state)
{
	size_t length;

	start();
	greet();
	make_create(7, 0);
	length = wire_frame(frame, NACRE_MSG_CREATE, ++frames[0], body, 0);
	frame[70] ^= 1;
	send_bytes(WIRE_TO_SERVER, length);
	/* lengths that are true around a body that is none */
	length = wire_frame_of(frame, NACRE_MSG_LOOKUP, ++frames[0], (const uint8_t *)"short", 5, 0);
	send_bytes(WIRE_TO_SERVER, length);
	/* no such message */
	length = wire_frame_of(frame, 127, ++frames[0], (const uint8_t *)"hello", 5, 10);
	send_bytes(WIRE_TO_SERVER, length);
	/* a number is missing */
	make_create(8, 0);
	frames[0]++;
	say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
	/* decodable, but with nothing to mean */
	make_create(9, 0);
	((struct nacre_record_req *)body)->name_bytes = 0;
	say(WIRE_TO_SERVER, NACRE_MSG_CREATE);
	/* a header that is none */
	memset(frame, 'z', 100);
	send_bytes(WIRE_TO_SERVER, 100);
	finish();
	assert_says("at byte 219 of the stream: #3 CREATE: body has checksum");
	assert_says("at byte 430 of the stream: #4 LOOKUP: body is not decodable: 5 bytes, nacre_lookup_req has at least 48\n");
	assert_says("at byte 499 of the stream: #5: type 127 is no message; 5 bytes of body, 10 of data payload\n");
	assert_says("at byte 578 of the stream: #7 follows #5\n");
	assert_says("#8 CREATE: means nothing: ");
	assert_says("no frame: it begins with 7a 7a 7a 7a; not read from here\n");
	assert_says("bytes were not read, to the end\n");
	assert_int_equal(troubles, 7);
}

static void wrong_fields(void **state)
{
	uint8_t bytes[64] = { 0 };
	size_t length;

	start();
	greet();
	bytes[40] = 1;			/* reserved */
	length = wire_frame_of(frame, NACRE_MSG_LOOKUP, ++frames[0], bytes, 48, 0);
	send_bytes(WIRE_TO_SERVER, length);
	bytes[40] = 0;
	bytes[44] = 9;			/* a name of 9 bytes */
	length = wire_frame_of(frame, NACRE_MSG_LOOKUP, ++frames[0], bytes, 50, 0);
	send_bytes(WIRE_TO_SERVER, length);
	bytes[45] = 9;
	length = wire_frame_of(frame, NACRE_MSG_LOOKUP, ++frames[0], bytes, 50, 0);
	send_bytes(WIRE_TO_SERVER, length);
	bytes[44] = bytes[45] = 0;
	length = wire_frame_of(frame, NACRE_MSG_LOOKUP, ++frames[0], bytes, 50, 0);
	send_bytes(WIRE_TO_SERVER, length);
	/* reserved fields and version of a header whose checksum is right */
	make_create(8, 0);
	length = wire_frame(frame, NACRE_MSG_CREATE, ++frames[0], body, 0);
	frame[7] = 3;
	frame[6] = 9;
	wire_seal(frame);
	send_bytes(WIRE_TO_SERVER, length);
	finish();
	assert_says("body is not decodable: offset 40: reserved0 is 0x1, not zero\n");
	assert_says("body is not decodable: offset 44: name has 9 bytes, there are 2\n");
	assert_says("body is not decodable: offset 44: name has 2313 bytes, at most 255\n");
	assert_says("body is not decodable: offset 48: 2 bytes behind the last field\n");
	assert_says("#7 header: offset 7: reserved0 is 0x3, not zero\n");
	assert_says("#7 header: version 9, 1 is known\n");
	assert_says("tid 8");
}

static void ends_within_a_frame(void **state)
{
	start();
	greet();
	make_create(7, 0);
	wire_frame(frame, NACRE_MSG_CREATE, ++frames[0], body, 0);
	send_bytes(WIRE_TO_SERVER, 90);
	finish();
	assert_says("!! at byte 219 of the stream: ends within a frame: 26 of 147 bytes of its body\n");
}

/* A data payload that was not captured whole costs its bytes, not the message. */
static void payload_cut_by_the_capture(void **state)
{
	static uint8_t packet[WIRE_PACKET_MAX];
	int data = sample_body(NACRE_MSG_OSD_REQUEST, body);
	size_t length, n;

	assert_true(data > 100);
	start();
	handshake();
	length = wire_frame(frame, NACRE_MSG_OSD_REQUEST, 1, body, (uint32_t)data);
	n = wire_packet(packet, WIRE_TO_SERVER, seqs[0], seqs[1], SEGMENT_ACK, frame, length);
	wiredump_packet(dump, packet, n - 100, n, 1);
	seqs[0] += (uint32_t)length;
	frames[0] = 1;
	say_sample(WIRE_TO_SERVER, NACRE_MSG_OSD_STATFS);
	finish();
	assert_says("#1 OSD_REQUEST: 100 of");
	assert_says("bytes of its data payload were not captured\n");
	assert_says("  OSD_REQUEST ");
	assert_says("  OSD_STATFS  tid");
	assert_says("; 1 packets were cut by the capture");
}

static void something_else_is_passed_over(void **state)
{
	start();
	handshake();
	memcpy(frame, "GET / HTTP/1.1\r\n\r\n", 18);
	send_bytes(WIRE_TO_SERVER, 18);
	memcpy(frame, "HTTP/1.1 200\r\n\r\n", 16);
	send_bytes(WIRE_TO_CLIENT, 16);
	/* what is not looked at is not missed */
	send_bytes(WIRE_TO_CLIENT, 16);
	send_bytes(WIRE_TO_SERVER, 18);
	send_bytes(WIRE_TO_CLIENT, 16);
	finish();
	assert_string_equal(text, "-- 0 messages, 0 shown, on 0 connections; 1 connections of something else\n");
}

/* The same ports used again are another connection with its own numbers. */
static void ports_used_again(void **state)
{
	start();
	greet();
	seqs[0] = 90000;
	seqs[1] = 95000;
	frames[0] = frames[1] = 0;
	greet();
	finish();
	assert_int_equal(troubles, 0);
	assert_says("-- 8 messages, 8 shown, on 2 connections\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_like_a_story), T(parts_are_told), cmocka_unit_test(every_message_has_a_template),
		T(every_message_is_told), T(every_field), T(names_come_from_the_map), T(filters),
		T(filter_by_type_and_peer), T(filter_by_tid), T(no_answer), T(missing_segment_in_a_body),
		T(missing_header), T(begins_in_the_middle), T(wrong_bytes), T(wrong_fields),
		T(ends_within_a_frame), T(payload_cut_by_the_capture), T(something_else_is_passed_over),
		T(ports_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
