/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CRC32C as it stands on the wire and on disk: initial value and final
 * complement of ones, what the kernel calls ~crc32c(~0, p, n). isa-l computes it.
 */
#ifndef NACRE_CRC_H
#define NACRE_CRC_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <isa-l/crc.h>

/* Of a byte string in several pieces: start from 0, feed each result into the next call. */
static inline uint32_t crc_add(uint32_t crc, const void *bytes, size_t length)
{
	uint32_t state = ~crc;

	for (; length > INT_MAX; length -= INT_MAX, bytes = (const uint8_t *)bytes + INT_MAX)
		state = crc32_iscsi((unsigned char *)(uintptr_t)bytes, INT_MAX, state);
	return ~crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)length, state);
}

static inline uint32_t crc_of(const void *bytes, size_t length)
{
	return crc_add(0, bytes, length);
}

#endif
