// SPDX-License-Identifier: GPL-2.0
/*
 * A fuzz run of fixed length for every message, without a fuzzer: a valid sample, mutated. Every
 * input is refused, or comes out of the encoder as it went in (tests/fuzz/decode_one.h). Meant to run
 * under the sanitizers; tests/fuzz/decode.c is the same for libFuzzer, which goes deeper.
 */
#include "cmocka_all.h"
#include "samples.h"
#include "tests/fuzz/decode_one.h"

#define RUNS 4000
#define ROOM 70000

static __u64 random_state;

/* splitmix64: the same numbers everywhere. */
static __u64 next_random(void)
{
	__u64 z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static const __u8 interesting[] = { 0, 1, 2, 7, 8, 0x7f, 0x80, 0xfe, 0xff };

/* Change some bytes, mostly few; sometimes cut or lengthen. */
static size_t mutate(__u8 *bytes, size_t length)
{
	unsigned int i, changes = next_random() % 16 ? 1 + next_random() % 4 : 32;

	for (i = 0; i < changes && length; i++) {
		__u8 *at = &bytes[next_random() % length];

		switch (next_random() % 3) {
		case 0:
			*at ^= (__u8)(1u << next_random() % 8);
			break;
		case 1:
			*at = interesting[next_random() % sizeof(interesting)];
			break;
		default:
			*at = (__u8)next_random();
		}
	}
	if (!(next_random() % 8))
		length = next_random() % (length + 1);
	else if (!(next_random() % 8))
		length += next_random() % 9;
	return length;
}

struct tally {
	unsigned long runs[3];		/* by enum decode_outcome */
};

static size_t make_sample(const struct nacre_message *row, __u8 *bytes, __u32 *data_bytes)
{
	__u64 body[NACRE_BODY_HOST_MAX / 8];
	struct nacre_writer w = nacre_writer(bytes, ROOM);
	const char *reason = NULL;
	int data = sample_body(row->type, body);

	if (data < 0)
		fail_msg("%s: no sample", row->name);
	if (nacre_validate(row->type, body, (__u32)data, &reason))
		fail_msg("%s: the sample is refused: %s", row->name, reason);
	assert_int_equal(nacre_encode(row->body(), &w, body), 0);
	*data_bytes = (__u32)data;
	return nacre_writer_bytes(&w);
}

static void smoke(const struct nacre_message *row, struct tally *tally)
{
	static __u8 sample[ROOM];
	__u32 data_bytes, data;
	size_t length = make_sample(row, sample, &data_bytes), n;
	int run;

	random_state = row->type;
	assert_int_equal(decode_one(row, sample, length, data_bytes), DECODE_TAKEN);
	for (run = 0; run < RUNS; run++) {
		__u8 *copy = calloc(1, length + 16);

		assert_non_null(copy);
		memcpy(copy, sample, length);
		n = mutate(copy, length);
		copy = realloc(copy, n ? n : 1);
		data = next_random() % 8 ? data_bytes : (__u32)(next_random() % NACRE_DATA_MAX);
		tally->runs[decode_one(row, copy, n, data)]++;
		free(copy);
	}
}

static void decode_smoke_every_message(void **state)
{
	struct tally tally = { { 0 } };
	unsigned int i, count;
	const struct nacre_message *table = nacre_message_table(&count);

	for (i = 0; i < count; i++)
		smoke(&table[i], &tally);
	print_message("%u messages, %u runs each: %lu not decodable, %lu meaningless, %lu taken\n",
		      count, RUNS, tally.runs[DECODE_REFUSED], tally.runs[DECODE_MEANINGLESS],
		      tally.runs[DECODE_TAKEN]);
	assert_true(tally.runs[DECODE_REFUSED] && tally.runs[DECODE_MEANINGLESS] &&
		    tally.runs[DECODE_TAKEN]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode_smoke_every_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
