// SPDX-License-Identifier: GPL-2.0
/*
 * The codec: walks a structure's descriptor, field by field. See codec.h.
 * Compiled into the module, the servers and the tests alike.
 */
#include <linux/errno.h>
#include <linux/string.h>
#include "codec.h"

/* Integers on the wire are aligned in their structure only, wherever that begins. */
static __u64 wire_load(const __u8 *p, __u8 bits)
{
	__le16 v16;
	__le32 v32;
	__le64 v64;

	switch (bits) {
	case 8:
		return *p;
	case 16:
		memcpy(&v16, p, sizeof(v16));
		return nacre_le16(v16);
	case 32:
		memcpy(&v32, p, sizeof(v32));
		return nacre_le32(v32);
	default:
		memcpy(&v64, p, sizeof(v64));
		return nacre_le64(v64);
	}
}

static void wire_store(__u8 *p, __u8 bits, __u64 v)
{
	__le16 v16;
	__le32 v32;
	__le64 v64;

	switch (bits) {
	case 8:
		*p = (__u8)v;
		break;
	case 16:
		v16 = nacre_to_le16((__u16)v);
		memcpy(p, &v16, sizeof(v16));
		break;
	case 32:
		v32 = nacre_to_le32((__u32)v);
		memcpy(p, &v32, sizeof(v32));
		break;
	default:
		v64 = nacre_to_le64(v);
		memcpy(p, &v64, sizeof(v64));
		break;
	}
}

static __u64 host_load(const __u8 *p, __u8 bits)
{
	switch (bits) {
	case 8:
		return *p;
	case 16:
		return *(const __u16 *)p;
	case 32:
		return *(const __u32 *)p;
	default:
		return *(const __u64 *)p;
	}
}

static void host_store(__u8 *p, __u8 bits, __u64 v)
{
	switch (bits) {
	case 8:
		*p = (__u8)v;
		break;
	case 16:
		*(__u16 *)p = (__u16)v;
		break;
	case 32:
		*(__u32 *)p = (__u32)v;
		break;
	default:
		*(__u64 *)p = v;
		break;
	}
}

/* Move one tail's bytes out of the reader; `tails` stands behind the last one. */
static int decode_tail(const struct nacre_field *f, struct nacre_reader *tails,
		       const __u8 *fixed, __u8 *host)
{
	__u32 length = (__u32)wire_load(fixed + f->wire_offset, 32);
	const __u8 *bytes;

	if (length > f->max)
		return -EBADMSG;
	bytes = nacre_take(tails, length);
	if (!bytes)
		return -EBADMSG;
	*(__u32 *)(host + f->host_offset) = length;
	*(const __u8 **)(host + f->host_pointer) = bytes;
	return 0;
}

int nacre_decode(const struct nacre_struct *desc, struct nacre_reader *r, void *host)
{
	struct nacre_reader tails = *r;
	const __u8 *fixed = nacre_take(&tails, desc->wire_bytes);
	const struct nacre_field *f;
	__u64 v;
	int i, err;

	if (!fixed)
		return -EBADMSG;
	memset(host, 0, desc->host_bytes);
	for (i = 0; i < desc->field_count; i++) {
		f = &desc->fields[i];
		if (f->kind == NACRE_FIELD_TAIL) {
			err = decode_tail(f, &tails, fixed, host);
			if (err)
				return err;
			continue;
		}
		v = wire_load(fixed + f->wire_offset, f->bits);
		if (f->kind == NACRE_FIELD_INT)
			host_store((__u8 *)host + f->host_offset, f->bits, v);
		else if (v)
			return -EBADMSG;
	}
	*r = tails;
	return 0;
}

int nacre_decode_all(const struct nacre_struct *desc, const void *bytes, size_t length, void *host)
{
	struct nacre_reader r = nacre_reader(bytes, length);
	int err = nacre_decode(desc, &r, host);

	if (!err && nacre_reader_left(&r))
		err = -EBADMSG;
	return err;
}

static __u32 tail_bytes(const struct nacre_field *f, const void *host)
{
	return *(const __u32 *)((const __u8 *)host + f->host_offset);
}

/* Adds the tails' lengths to *total; -EINVAL: one is over its limit. */
static int sum_tails(const struct nacre_struct *desc, const void *host, size_t *total)
{
	const struct nacre_field *f = desc->fields;
	int left, err = 0;

	for (left = desc->tail_count; left; f++) {
		if (f->kind != NACRE_FIELD_TAIL)
			continue;
		if (tail_bytes(f, host) > f->max)
			err = -EINVAL;
		*total += tail_bytes(f, host);
		left--;
	}
	return err;
}

size_t nacre_encoded_bytes(const struct nacre_struct *desc, const void *host)
{
	size_t total = desc->wire_bytes;

	sum_tails(desc, host, &total);
	return total;
}

/* Everything fits and every tail is within its limit: then encoding cannot fail half way. */
static int check_room(const struct nacre_struct *desc, const struct nacre_writer *w,
		      const void *host)
{
	size_t total = desc->wire_bytes;
	int err = sum_tails(desc, host, &total);

	if (err)
		return err;
	return total > (size_t)(w->end - w->at) ? -EMSGSIZE : 0;
}

int nacre_encode(const struct nacre_struct *desc, struct nacre_writer *w, const void *host)
{
	const struct nacre_field *f;
	__u8 *fixed = w->at;
	__u32 length;
	int i, err;

	err = check_room(desc, w, host);
	if (err)
		return err;
	memset(fixed, 0, desc->wire_bytes);
	w->at += desc->wire_bytes;
	for (i = 0; i < desc->field_count; i++) {
		f = &desc->fields[i];
		if (f->kind == NACRE_FIELD_INT) {
			wire_store(fixed + f->wire_offset, f->bits,
				   host_load((const __u8 *)host + f->host_offset, f->bits));
		} else if (f->kind == NACRE_FIELD_TAIL) {
			length = tail_bytes(f, host);
			wire_store(fixed + f->wire_offset, 32, length);
			nacre_put(w, *(const __u8 *const *)((const __u8 *)host + f->host_pointer),
				  length);
		}
	}
	return 0;
}

const __u8 *nacre_take(struct nacre_reader *r, size_t length)
{
	const __u8 *at = r->at;

	if (length > nacre_reader_left(r))
		return NULL;
	r->at += length;
	return at;
}

int nacre_put(struct nacre_writer *w, const void *bytes, size_t length)
{
	if (length > (size_t)(w->end - w->at))
		return -EMSGSIZE;
	if (length)
		memcpy(w->at, bytes, length);
	w->at += length;
	return 0;
}

int nacre_array_count(const struct nacre_struct *desc, __u32 array_bytes)
{
	if (array_bytes % desc->wire_bytes)
		return -EBADMSG;
	return (int)(array_bytes / desc->wire_bytes);
}

int nacre_array_at(const struct nacre_struct *desc, const __u8 *array, __u32 index, void *host)
{
	return nacre_decode_all(desc, array + (size_t)index * desc->wire_bytes,
				desc->wire_bytes, host);
}
