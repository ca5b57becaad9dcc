// SPDX-License-Identifier: GPL-2.0
/* TCP bytes leave in order, each once, and what is missing is told at its place. */
#include "tests/unit/protocol/cmocka_all.h"
#include "server/tools/wiredump/stream.h"

static struct stream stream;
static char got[65536];			/* bytes, and "<n>" for n missing ones */

static void on_bytes(void *owner, const uint8_t *bytes, size_t length)
{
	strncat(got, (const char *)bytes, length);
}

static void on_gap(void *owner, uint64_t length)
{
	sprintf(got + strlen(got), "<%llu>", (unsigned long long)length);
}

static int begin(void **state)
{
	const struct stream_sink sink = { on_bytes, on_gap, NULL };

	stream_init(&stream, &sink);
	*got = 0;
	return 0;
}

static int end(void **state)
{
	stream_clear(&stream);
	return 0;
}

static void send(uint32_t seq, const char *text)
{
	stream_segment(&stream, seq, (const uint8_t *)text, strlen(text));
}

static void in_order(void **state)
{
	stream_syn(&stream, 99);
	send(100, "abc");
	send(103, "def");
	assert_string_equal(got, "abcdef");
	assert_true(stream.from_start);
}

static void out_of_order(void **state)
{
	stream_syn(&stream, 99);
	send(106, "ghi");
	send(103, "def");
	assert_string_equal(got, "");
	send(100, "abc");
	assert_string_equal(got, "abcdefghi");
	assert_int_equal(stream.lost, 0);
	assert_int_equal(stream.waiting_bytes, 0);
}

static void sent_again(void **state)
{
	stream_syn(&stream, 99);
	send(100, "abc");
	send(100, "abc");
	send(99, "x");			/* keepalive: a byte before what is expected */
	send(101, "bcde");		/* overlaps: only what is new */
	send(104, "ef");
	send(108, "ij");
	send(107, "hi");
	send(105, "fgh");
	assert_string_equal(got, "abcdefghij");
	assert_int_equal(stream.repeated, 3 + 1 + 2 + 1 + 1 + 2);
}

static void sequence_numbers_wrap(void **state)
{
	stream_syn(&stream, 0xfffffffd);
	send(2, "efg");
	send(0xfffffffe, "abcd");
	send(5, "h");
	assert_string_equal(got, "abcdefgh");
}

static void gap_at_the_end_of_the_capture(void **state)
{
	stream_syn(&stream, 99);
	send(100, "abc");
	send(106, "ghi");
	assert_string_equal(got, "abc");
	stream_end(&stream);
	assert_string_equal(got, "abc<3>ghi");
	assert_int_equal(stream.lost, 3);
}

/* What was acknowledged will not come again; what merely came late still may. */
static void gap_when_acknowledged_long_ago(void **state)
{
	char one[2] = "x";

	stream_syn(&stream, 99);
	send(103, "def");
	for (uint32_t i = 0; i < 200; i++)
		send(106 + i, one);
	assert_string_equal(got, "");
	stream_ack(&stream, 106);
	for (uint32_t i = 0; i < 65; i++)
		send(306 + i, one);
	assert_memory_equal(got, "<3>defxxx", 9);
}

static void gap_when_too_much_waits(void **state)
{
	static uint8_t much[1 << 20];
	uint32_t at = 1000;

	stream_syn(&stream, 99);
	memset(much, 0, sizeof(much));
	for (int i = 0; i < 18; i++, at += sizeof(much))
		stream_segment(&stream, at, much, sizeof(much));
	assert_string_equal(got, "<900>");
	assert_int_equal(stream.waiting_bytes, 0);
}

/* The end of the stream was received by the other side, not by the capture. A FIN's number is no byte. */
static void gap_behind_the_last_byte(void **state)
{
	stream_syn(&stream, 99);
	send(100, "abc");
	stream_ack(&stream, 104);
	stream_end(&stream);
	assert_string_equal(got, "abc");
	stream_ack(&stream, 110);
	stream_end(&stream);
	assert_string_equal(got, "abc<7>");
}

static void begins_in_the_middle(void **state)
{
	send(500, "abc");
	send(498, "xyabc");		/* from before the capture, and again */
	send(503, "d");
	assert_string_equal(got, "abcd");
	assert_false(stream.from_start);
	assert_true(stream_is_other(&stream, 77));
}

static void other_stream(void **state)
{
	assert_false(stream_is_other(&stream, 99));
	stream_syn(&stream, 99);
	assert_false(stream_is_other(&stream, 99));
	assert_true(stream_is_other(&stream, 5099));
}

/* The same bytes however they are cut and shuffled, with repeats: a thousand orders. */
static void any_order(void **state)
{
	static const char all[] = "the quick brown fox jumps over the lazy dog, twice and once more.";
	const uint32_t length = sizeof(all) - 1;
	unsigned int seed = 1;

	for (int round = 0; round < 1000; round++) {
		begin(NULL);
		stream_syn(&stream, 0xfffffff0);
		for (int i = 0; i < 200; i++) {
			uint32_t at = (uint32_t)rand_r(&seed) % length;
			uint32_t n = (uint32_t)rand_r(&seed) % 9 + 1;

			n = n > length - at ? length - at : n;
			stream_segment(&stream, 0xfffffff1 + at, (const uint8_t *)all + at, n);
		}
		stream_segment(&stream, 0xfffffff1, (const uint8_t *)all, length);
		assert_string_equal(got, all);
		end(NULL);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(in_order), T(out_of_order), T(sent_again), T(sequence_numbers_wrap),
		T(gap_at_the_end_of_the_capture), T(gap_when_acknowledged_long_ago),
		T(gap_when_too_much_waits), T(gap_behind_the_last_byte), T(begins_in_the_middle),
		T(other_stream), T(any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
