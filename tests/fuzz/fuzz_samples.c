// SPDX-License-Identifier: GPL-2.0
/*
 * Where the fuzzer of the decoders starts from: the same valid messages as the unit tests, mixed
 * in by a custom mutator, so that it need not guess lengths that fit together.
 */
#include <stdint.h>
#include <string.h>
#include "protocol/codec.h"
#include "tests/unit/protocol/samples.c"

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t length, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t length, size_t room, unsigned int seed);

/* Row, length of the data payload, body: the input format of decode.c. */
static size_t put_sample(uint8_t *bytes, size_t room, unsigned int seed)
{
	__u64 body[NACRE_BODY_HOST_MAX / 8];
	unsigned int count, row;
	const struct nacre_message *table = nacre_message_table(&count);
	struct nacre_writer w;
	int data_bytes;

	row = seed % count;
	data_bytes = sample_body(table[row].type, body);
	if (data_bytes < 0 || room < 4)
		return 0;
	w = nacre_writer(bytes + 4, room - 4);
	if (nacre_encode(table[row].body(), &w, body))
		return 0;
	bytes[0] = (uint8_t)row;
	bytes[1] = (uint8_t)data_bytes;
	bytes[2] = (uint8_t)(data_bytes >> 8);
	bytes[3] = (uint8_t)(data_bytes >> 16);
	return 4 + nacre_writer_bytes(&w);
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t length, size_t room, unsigned int seed)
{
	size_t fresh = 0;

	if (length < 8 || seed % 64 == 0)
		fresh = put_sample(bytes, room, seed / 64);
	return LLVMFuzzerMutate(bytes, fresh ? fresh : length, room);
}
