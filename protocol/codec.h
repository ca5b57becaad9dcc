/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one encoder and the one decoder of all wire structures, and the cursors
 * for sequences of them. Decoding checks bounds and reserved fields only; what
 * the values mean is judged by protocol/rules/validate.h.
 *
 * Pure: no allocation, no locks. A decoded tail points into the received body,
 * which must outlive the host struct. Every received length is compared with
 * what is left before anything is added to it.
 */
#ifndef NACRE_CODEC_H
#define NACRE_CODEC_H

#include "wire.h"

/* Where reading of a received byte string stands. */
struct nacre_reader {
	const __u8 *at;
	const __u8 *end;
};

static inline struct nacre_reader nacre_reader(const void *bytes, size_t length)
{
	struct nacre_reader r = { bytes, (const __u8 *)bytes + length };

	return r;
}

static inline size_t nacre_reader_left(const struct nacre_reader *r)
{
	return (size_t)(r->end - r->at);
}

/* Where writing into a buffer of fixed size stands. */
struct nacre_writer {
	__u8 *start;
	__u8 *at;
	__u8 *end;
};

static inline struct nacre_writer nacre_writer(void *buffer, size_t length)
{
	struct nacre_writer w = { buffer, buffer, (__u8 *)buffer + length };

	return w;
}

static inline size_t nacre_writer_bytes(const struct nacre_writer *w)
{
	return (size_t)(w->at - w->start);
}

/*
 * Decode one structure at the reader into *host, tails included.
 * 0, or -EBADMSG (too short, a tail over its limit or over the end, a reserved
 * field that is not zero); on error the reader has not moved.
 */
int nacre_decode(const struct nacre_struct *desc, struct nacre_reader *r, void *host);

/* The same, and nothing may follow. */
int nacre_decode_all(const struct nacre_struct *desc, const void *bytes, size_t length, void *host);

/* Encode *host with its tails. 0, -EMSGSIZE (no room), -EINVAL (a tail over its limit). */
int nacre_encode(const struct nacre_struct *desc, struct nacre_writer *w, const void *host);

/* Bytes that nacre_encode will write. */
size_t nacre_encoded_bytes(const struct nacre_struct *desc, const void *host);

/* Take `length` raw bytes; NULL when fewer are left. */
const __u8 *nacre_take(struct nacre_reader *r, size_t length);

/* Put raw bytes; 0 or -EMSGSIZE. */
int nacre_put(struct nacre_writer *w, const void *bytes, size_t length);

/*
 * Element `index` of a tail that is an array of tail-less structures.
 * The tail's length must have been checked with nacre_array_count().
 * 0, or -EBADMSG when a reserved field of the element is not zero.
 */
int nacre_array_at(const struct nacre_struct *desc, const __u8 *array, __u32 index, void *host);

/* Elements in such a tail (0 bytes: none), or -EBADMSG when the length is no multiple of the element. */
int nacre_array_count(const struct nacre_struct *desc, __u32 array_bytes);

#endif
