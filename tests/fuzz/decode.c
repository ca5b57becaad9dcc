// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target of every message's decoder and validation. The first byte of the input chooses the
 * message by its row in the table, three more the length of the data payload; the rest is the body.
 */
#include <stdint.h>
#include "decode_one.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const struct nacre_message *table;
	unsigned int count;
	uint32_t data_bytes;
	uint8_t *copy;

	if (length < 4)
		return 0;
	table = nacre_message_table(&count);
	data_bytes = bytes[1] | (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3] << 16;
	/* Exactly as long as the body, so that a read behind its end is noticed. */
	copy = malloc(length - 4 ? length - 4 : 1);
	if (!copy)
		return 0;
	memcpy(copy, bytes + 4, length - 4);
	decode_one(&table[bytes[0] % count], copy, length - 4, data_bytes);
	free(copy);
	return 0;
}
