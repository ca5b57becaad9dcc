// SPDX-License-Identifier: GPL-2.0
/* See fill.h. */
#include <string.h>
#include "fill.h"
#include "protocol/structs.h"

#define STRUCT_ROW(name, LIST) name##_desc,

static const struct nacre_struct *(*const makers[])(void) = { NACRE_STRUCTS(STRUCT_ROW) };
#define STRUCT_COUNT (sizeof(makers) / sizeof(makers[0]))

#define TAIL_BYTES (1u << 20)
static __u8 tail_bytes[TAIL_BYTES];

const struct nacre_struct *const *fill_structs(unsigned int *count)
{
	static const struct nacre_struct *all[STRUCT_COUNT];
	unsigned int i;

	for (i = 0; i < STRUCT_COUNT; i++)
		all[i] = makers[i]();
	*count = STRUCT_COUNT;
	return all;
}

static void put_int(void *at, __u8 bits, __u64 value)
{
	__u8 v8 = (__u8)value;
	__u16 v16 = (__u16)value;
	__u32 v32 = (__u32)value;

	switch (bits) {
	case 8:
		memcpy(at, &v8, sizeof(v8));
		break;
	case 16:
		memcpy(at, &v16, sizeof(v16));
		break;
	case 32:
		memcpy(at, &v32, sizeof(v32));
		break;
	default:
		memcpy(at, &value, sizeof(value));
	}
}

/* Bytes n, n + 1, …: the lowest byte names the field, the others show its width and order. */
static __u64 field_value(int field)
{
	__u64 value = 0;
	int i;

	for (i = 7; i >= 0; i--)
		value = value << 8 | (__u8)(field * 8 + i + 1);
	return value;
}

void fill_host(const struct nacre_struct *desc, void *host, __u32 tail_most)
{
	const struct nacre_field *f;
	const __u8 *tail = tail_bytes;
	__u32 length, i;

	for (i = 0; i < TAIL_BYTES; i++)
		tail_bytes[i] = (__u8)(0xa0 + i * 7);
	memset(host, 0, desc->host_bytes);
	for (i = 0; i < desc->field_count; i++) {
		f = &desc->fields[i];
		if (f->kind == NACRE_FIELD_INT)
			put_int((__u8 *)host + f->host_offset, f->bits, field_value((int)i));
		if (f->kind != NACRE_FIELD_TAIL)
			continue;
		length = f->max < tail_most ? f->max : tail_most;
		put_int((__u8 *)host + f->host_offset, 32, length);
		memcpy((__u8 *)host + f->host_pointer, &tail, sizeof(tail));
		tail += length < 64 ? length : 0;
	}
}

static int tails_equal(const struct nacre_field *f, const __u8 *a, const __u8 *b)
{
	const __u8 *tail_a, *tail_b;
	__u32 length;

	if (memcmp(a + f->host_offset, b + f->host_offset, sizeof(length)))
		return 0;
	memcpy(&length, a + f->host_offset, sizeof(length));
	memcpy(&tail_a, a + f->host_pointer, sizeof(tail_a));
	memcpy(&tail_b, b + f->host_pointer, sizeof(tail_b));
	return !length || !memcmp(tail_a, tail_b, length);
}

int fill_equal(const struct nacre_struct *desc, const void *a, const void *b)
{
	const struct nacre_field *f;
	int i;

	for (i = 0; i < desc->field_count; i++) {
		f = &desc->fields[i];
		if (f->kind == NACRE_FIELD_INT &&
		    memcmp((const __u8 *)a + f->host_offset, (const __u8 *)b + f->host_offset,
			   f->bits / 8))
			return 0;
		if (f->kind == NACRE_FIELD_TAIL && !tails_equal(f, a, b))
			return 0;
	}
	return 1;
}
