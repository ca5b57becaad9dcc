/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of the object server: allocation that does not fail, and buffers of
 * whole blocks, counted, that journal, write-back and readers share.
 *
 * An OSD whose memory has run out can promise nothing; it dies and the other
 * replicas go on. What it holds is bounded by the queues, not by checking here.
 */
#ifndef NACRE_SERVER_OSD_MEM_H
#define NACRE_SERVER_OSD_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void *mem_zero(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);

	if (!p)
		abort();
	return p;
}

static inline void *mem_resize(void *old, size_t bytes)
{
	void *p = realloc(old, bytes ? bytes : 1);

	if (!p)
		abort();
	return p;
}

static inline void *mem_copy(const void *bytes, size_t length)
{
	void *p = mem_resize(NULL, length);

	if (length)
		memcpy(p, bytes, length);
	return p;
}

/* Bytes that grow at the end. */
struct mem_bytes {
	uint8_t *at;
	size_t length;
	size_t room;
};

/* Make room for `length` more bytes and return where they go; they count at once. */
static inline uint8_t *mem_append(struct mem_bytes *b, size_t length)
{
	uint8_t *at;

	if (b->length + length > b->room) {
		b->room = (b->length + length) * 2 + 64;
		b->at = mem_resize(b->at, b->room);
	}
	at = b->at + b->length;
	b->length += length;
	return at;
}

static inline void mem_append_bytes(struct mem_bytes *b, const void *bytes, size_t length)
{
	if (length)
		memcpy(mem_append(b, length), bytes, length);
}

static inline void mem_bytes_free(struct mem_bytes *b)
{
	free(b->at);
	memset(b, 0, sizeof(*b));
}

/* Block-aligned memory, counted. */
struct mem_buffer {
	uint32_t references;
	size_t length;
	uint8_t *bytes;
};

static inline struct mem_buffer *mem_buffer_new(size_t length)
{
	struct mem_buffer *buffer = mem_zero(1, sizeof(*buffer));

	buffer->references = 1;
	buffer->length = length;
	buffer->bytes = aligned_alloc(4096, length);
	if (!buffer->bytes)
		abort();
	return buffer;
}

static inline struct mem_buffer *mem_buffer_get(struct mem_buffer *buffer)
{
	buffer->references++;
	return buffer;
}

static inline void mem_buffer_put(struct mem_buffer *buffer)
{
	if (!buffer || --buffer->references)
		return;
	free(buffer->bytes);
	free(buffer);
}

#endif
