// SPDX-License-Identifier: GPL-2.0
/* The codec on every structure there is: what goes in comes out, and nothing else gets in. */
#include "cmocka_all.h"
#include "fill.h"
#include "protocol/error.h"
#include "protocol/messages.h"
#include "protocol/rules/validate.h"

#define BUFFER_BYTES (4u << 20)
static __u8 buffer[BUFFER_BYTES];
static __u8 again[BUFFER_BYTES];

/* Large enough for any host struct, not only bodies. */
union host {
	__u64 align;
	__u8 bytes[512];
};

static size_t encode(const struct nacre_struct *desc, const void *host, __u8 *to)
{
	struct nacre_writer w = nacre_writer(to, BUFFER_BYTES);

	assert_int_equal(nacre_encode(desc, &w, host), 0);
	assert_int_equal(nacre_writer_bytes(&w), nacre_encoded_bytes(desc, host));
	return nacre_writer_bytes(&w);
}

static void round_trip(const struct nacre_struct *desc, __u32 tail_most)
{
	union host in, out;
	size_t length;

	assert_true(desc->host_bytes <= sizeof(in));
	fill_host(desc, &in, tail_most);
	length = encode(desc, &in, buffer);
	memset(&out, 0xee, sizeof(out));
	assert_int_equal(nacre_decode_all(desc, buffer, length, &out), 0);
	assert_true(fill_equal(desc, &in, &out));
	assert_int_equal(encode(desc, &out, again), length);
	assert_memory_equal(buffer, again, length);
}

static void codec_round_trip_every_struct(void **state)
{
	unsigned int i, count;
	const struct nacre_struct *const *all = fill_structs(&count);

	for (i = 0; i < count; i++) {
		round_trip(all[i], 0);
		round_trip(all[i], 7);
		round_trip(all[i], ~0u);
	}
	print_message("%u structures\n", count);
}

/* Every shorter input is refused, and the reader stays where it was. */
static void codec_refuses_truncation(void **state)
{
	unsigned int i, count;
	const struct nacre_struct *const *all = fill_structs(&count);
	struct nacre_reader r;
	union host in, out;
	size_t length, cut;

	for (i = 0; i < count; i++) {
		fill_host(all[i], &in, 3);
		length = encode(all[i], &in, buffer);
		for (cut = 0; cut < length; cut++) {
			r = nacre_reader(buffer, cut);
			assert_int_equal(nacre_decode(all[i], &r, &out), -EBADMSG);
			assert_ptr_equal(r.at, buffer);
		}
		assert_int_equal(nacre_decode_all(all[i], buffer, length + 1, &out), -EBADMSG);
	}
}

static void codec_refuses_reserved(void **state)
{
	unsigned int i, count, found = 0;
	const struct nacre_struct *const *all = fill_structs(&count);
	const struct nacre_field *f;
	union host in, out;
	size_t length;
	int j;

	for (i = 0; i < count; i++) {
		fill_host(all[i], &in, 3);
		length = encode(all[i], &in, buffer);
		for (j = 0; j < all[i]->field_count; j++) {
			f = &all[i]->fields[j];
			if (f->kind != NACRE_FIELD_RESERVED)
				continue;
			buffer[f->wire_offset + f->bits / 8 - 1] = 1;
			assert_int_equal(nacre_decode_all(all[i], buffer, length, &out), -EBADMSG);
			buffer[f->wire_offset + f->bits / 8 - 1] = 0;
			found++;
		}
		assert_int_equal(nacre_decode_all(all[i], buffer, length, &out), 0);
	}
	assert_true(found > 20);
}

static void put_le32(__u8 *at, __u32 v)
{
	at[0] = (__u8)v;
	at[1] = (__u8)(v >> 8);
	at[2] = (__u8)(v >> 16);
	at[3] = (__u8)(v >> 24);
}

/* A tail longer than its limit, or than what is there, at every value that could wrap. */
static void codec_refuses_long_tails(void **state)
{
	static const __u32 lengths[] = { 1, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };
	unsigned int i, count;
	const struct nacre_struct *const *all = fill_structs(&count);
	const struct nacre_field *f;
	union host in, out;
	size_t length, k;
	int j;

	for (i = 0; i < count; i++)
		for (j = 0; j < all[i]->field_count; j++) {
			f = &all[i]->fields[j];
			if (f->kind != NACRE_FIELD_TAIL)
				continue;
			fill_host(all[i], &in, 0);
			length = encode(all[i], &in, buffer);
			for (k = 0; k < COUNT_OF(lengths); k++) {
				put_le32(buffer + f->wire_offset, lengths[k]);
				assert_int_equal(nacre_decode_all(all[i], buffer, length, &out),
						 -EBADMSG);
			}
			put_le32(buffer + f->wire_offset, f->max + 1);
			assert_int_equal(nacre_decode_all(all[i], buffer,
							  length + f->max + 1, &out), -EBADMSG);
		}
}

static void codec_encode_refuses(void **state)
{
	const struct nacre_struct *desc = nacre_xattr_desc();
	struct nacre_xattr x = { .name = buffer, .name_bytes = 4, .value = buffer, .value_bytes = 4 };
	struct nacre_writer w = nacre_writer(again, 15);

	assert_int_equal(nacre_encode(desc, &w, &x), -EMSGSIZE);
	assert_int_equal(nacre_writer_bytes(&w), 0);
	x.name_bytes = NACRE_XATTR_NAME_MAX + 1;
	w = nacre_writer(again, sizeof(again));
	assert_int_equal(nacre_encode(desc, &w, &x), -EINVAL);
	assert_int_equal(nacre_writer_bytes(&w), 0);
}

static void codec_arrays(void **state)
{
	struct nacre_map_dead run = { .first = 5, .count = 2 };
	struct nacre_writer w = nacre_writer(buffer, sizeof(buffer));

	assert_int_equal(nacre_encode(nacre_map_dead_desc(), &w, &run), 0);
	run.first = 9;
	assert_int_equal(nacre_encode(nacre_map_dead_desc(), &w, &run), 0);
	assert_int_equal(nacre_array_count(nacre_map_dead_desc(), 32), 2);
	assert_int_equal(nacre_array_count(nacre_map_dead_desc(), 0), 0);
	assert_int_equal(nacre_array_count(nacre_map_dead_desc(), 31), -EBADMSG);
	assert_int_equal(nacre_array_at(nacre_map_dead_desc(), buffer, 1, &run), 0);
	assert_int_equal(run.first, 9);
}

static void codec_take_and_put(void **state)
{
	struct nacre_reader r = nacre_reader("abc", 3);
	struct nacre_writer w = nacre_writer(buffer, 2);

	assert_null(nacre_take(&r, 4));
	assert_non_null(nacre_take(&r, 2));
	assert_int_equal(nacre_reader_left(&r), 1);
	assert_int_equal(nacre_put(&w, "abc", 3), -EMSGSIZE);
	assert_int_equal(nacre_put(&w, "ab", 2), 0);
	assert_int_equal(nacre_put(&w, NULL, 0), 0);
}

/* Little-endian whatever the machine: one known structure, byte by byte. */
static void codec_bytes_are_little_endian(void **state)
{
	static const __u8 expect[16] = { 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0x80 };
	struct nacre_map_dead run = { .first = 0x0102030405060708, .count = 1ull << 63 };

	assert_int_equal(encode(nacre_map_dead_desc(), &run, buffer), 16);
	assert_memory_equal(buffer, expect, 16);
}

static void message_table_is_sound(void **state)
{
	unsigned int i, j, count;
	const struct nacre_message *table = nacre_message_table(&count);

	for (i = 0; i < count; i++) {
		assert_true(table[i].type && table[i].type < NACRE_MSG_LIMIT);
		assert_ptr_equal(nacre_message_find(table[i].type), &table[i]);
		assert_true(table[i].sender && !(table[i].sender & ~NACRE_FROM_ANY));
		assert_true(table[i].data_max <= NACRE_DATA_MAX);
		assert_true(table[i].body()->host_bytes <= NACRE_BODY_HOST_MAX);
		assert_true(table[i].body()->wire_bytes % 8 == 0);
		for (j = 0; j < i; j++) {
			assert_int_not_equal(table[i].type, table[j].type);
			assert_string_not_equal(table[i].name, table[j].name);
		}
	}
	assert_null(nacre_message_find(0));
	assert_null(nacre_message_find(NACRE_MSG_LIMIT));
	print_message("%u messages\n", count);
}

static void errors_have_names_and_errnos(void **state)
{
	char text[32];

	assert_int_equal(nacre_error_errno(0), 0);
	assert_int_equal(nacre_error_errno(ENOENT), ENOENT);
	assert_int_equal(nacre_error_errno(NACRE_E_DEAD_INSTANCE), ESTALE);
	assert_int_equal(nacre_error_errno(NACRE_E_CMP_FAILED), ECANCELED);
	assert_int_equal(nacre_error_errno(999999), EIO);
	assert_string_equal(nacre_error_name(0, text, sizeof(text)), "OK");
	assert_string_equal(nacre_error_name(NACRE_E_BUSY, text, sizeof(text)), "BUSY");
	assert_string_equal(nacre_error_name(28, text, sizeof(text)), "errno 28");
	assert_string_equal(nacre_error_name(4294967295u, text, sizeof(text)), "errno 4294967295");
	assert_string_equal(nacre_error_name(28, text, 8), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codec_round_trip_every_struct),
		cmocka_unit_test(codec_refuses_truncation),
		cmocka_unit_test(codec_refuses_reserved),
		cmocka_unit_test(codec_refuses_long_tails),
		cmocka_unit_test(codec_encode_refuses),
		cmocka_unit_test(codec_arrays),
		cmocka_unit_test(codec_take_and_put),
		cmocka_unit_test(codec_bytes_are_little_endian),
		cmocka_unit_test(message_table_is_sound),
		cmocka_unit_test(errors_have_names_and_errnos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
