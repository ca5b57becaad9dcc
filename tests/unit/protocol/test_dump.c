// SPDX-License-Identifier: GPL-2.0
/* Messages as text: readable, complete, and never over the end of the buffer. */
#include "cmocka_all.h"
#include "fill.h"
#include "samples.h"
#include "protocol/dump.h"
#include "protocol/dump_words.h"
#include "protocol/error.h"

static __u64 body[NACRE_BODY_HOST_MAX / 8];
static char text[4096];

static const char *dump(__u16 type, unsigned int flags)
{
	size_t n;

	assert_true(sample_body(type, body) >= 0);
	n = nacre_dump_message(nacre_message_find(type), body, flags, text, sizeof(text));
	assert_int_equal(n, strlen(text));
	return text;
}

static void dump_reads_well(void **state)
{
	assert_string_equal(dump(NACRE_MSG_LOOKUP, 0),
			    "LOOKUP tid=10 oldest_tid=9 wanted=pAsLsXsFsDs parent=1 name=\"entry\"");
	assert_string_equal(dump(NACRE_MSG_CAP_REVOKE, 0),
			    "CAP_REVOKE ino=1 cap_id=2 cap_gen=1 cap_seq=3 keep=p");
	assert_string_equal(dump(NACRE_MSG_SESSION_KILLED, 0),
			    "SESSION_KILLED instance=12 result=EVICTED text=\"gone\"");
	assert_string_equal(dump(NACRE_MSG_CAP_RELEASE, 0),
			    "CAP_RELEASE caps=[ { ino=1 cap_id=2 cap_gen=1 cap_seq=3 } ]");
	assert_string_equal(dump(NACRE_MSG_CAP_RELEASE, NACRE_DUMP_BRIEF), "CAP_RELEASE caps=32 bytes");
	assert_string_equal(dump(NACRE_MSG_SESSION_RENEW, NACRE_DUMP_ZEROS),
			    "SESSION_RENEW renew_seq=1 inos_left=10 oldest_tid=0");
	assert_non_null(strstr(dump(NACRE_MSG_REPLY, 0), "traces=[ { ino=10000000000 version=3"));
	assert_non_null(strstr(text, "mode=0100644"));
	assert_non_null(strstr(text, "xattrs=[ { name=\"user.a\" value=1:31 }"));
}

/* Every message and structure, in every room, with and without its terminator's byte to spare. */
static void dump_stays_in_its_room(void **state)
{
	unsigned int i, count;
	const struct nacre_struct *const *all = fill_structs(&count);
	__u64 host[64];
	char *small;
	size_t room, n;

	for (i = 0; i < count; i++) {
		fill_host(all[i], host, 40);
		for (room = 0; room < 200; room += 7) {
			small = malloc(room ? room : 1);
			assert_non_null(small);
			n = nacre_dump_struct(all[i], host, i % 4, small, room);
			assert_true(!room || (n < room && small[n] == 0));
			free(small);
		}
	}
}

static void dump_quotes(void **state)
{
	struct nacre_lookup_req *m = (struct nacre_lookup_req *)body;

	sample_body(NACRE_MSG_LOOKUP, body);
	m->name = (const __u8 *)"a\"\n\\b";
	m->name_bytes = 5;
	nacre_dump_message(nacre_message_find(NACRE_MSG_LOOKUP), body, 0, text, sizeof(text));
	assert_non_null(strstr(text, "name=\"a\\\"\\x0a\\\\b\""));
}

static void dump_frames(void **state)
{
	struct nacre_frame f = { .type = NACRE_MSG_MAP, .seq = 3, .body_bytes = 100, .conn_gen = 2 };

	nacre_dump_frame(&f, text, sizeof(text));
	assert_string_equal(text, "#3 MAP body 100 data 0 ack 0 gen 2");
	f.type = 99 + 28;
	nacre_dump_frame(&f, text, sizeof(text));
	assert_string_equal(text, "#3 message 127 body 100 data 0 ack 0 gen 2");
}

static void dump_in_lines(void **state)
{
	assert_string_equal(dump(NACRE_MSG_CAP_RELEASE, NACRE_DUMP_LINES),
			    "CAP_RELEASE\n  caps:\n    [0] nacre_cap_ref\n      ino: 1\n"
			    "      cap_id: 2\n      cap_gen: 1\n      cap_seq: 3");
}

static const char *value(const struct nacre_struct *desc, const char *field, __u64 number)
{
	const struct nacre_field *f = nacre_field_find(desc, field);

	assert_non_null(f);
	return nacre_value_text(f, number, text);
}

static void words_say_what_numbers_mean(void **state)
{
	const struct nacre_struct *reply = nacre_reply_desc(), *record = nacre_record_desc();

	assert_string_equal(value(reply, "flags", 5), "SAFE|CREATED");
	assert_string_equal(value(reply, "flags", 0x41), "SAFE|0x40");
	assert_string_equal(value(reply, "flags", 0), "0");
	assert_string_equal(value(reply, "result", 2), "ENOENT");
	assert_string_equal(value(reply, "result", NACRE_E_EVICTED), "EVICTED");
	assert_string_equal(value(reply, "result", 999), "errno 999");
	assert_string_equal(value(record, "kind", NACRE_RECORD_RENAME), "RENAME");
	assert_string_equal(value(record, "kind", 77), "77");
	assert_string_equal(value(record, "mtime", 1500000000), "1970-01-01T00:00:01.500000000Z");
	assert_string_equal(value(record, "mtime", (__u64)-1), "1969-12-31T23:59:59.999999999Z");
	assert_string_equal(value(record, "ino", 0x10000000040), "10000000040");
	assert_string_equal(value(nacre_cap_update_desc(), "dirty", 9), "AUTH|FILE");
	assert_string_equal(value(nacre_cap_claim_desc(), "dirty", 4), "XATTR");
	assert_string_equal(value(nacre_getattr_req_desc(), "mask", 2), "LINK");
	assert_string_equal(value(nacre_inode_info_desc(), "valid", 17), "AUTH|DIR");
	assert_string_equal(value(nacre_cap_revoke_desc(), "keep", 1u << 30), "0x40000000");
	assert_string_equal(value(nacre_hello_desc(), "features", 1), "BASE");
	assert_string_equal(value(nacre_hello_desc(), "role", 2), "MDS");
	assert_string_equal(nacre_osd_op_text(NACRE_OSD_OP_WRITE_FULL, text), "WRITE_FULL");
	assert_string_equal(nacre_osd_op_text(99, text), "99");
}

/* All bits of every field have room. */
static void words_fit(void **state)
{
	const struct nacre_struct *const *all;
	unsigned int i, count;
	int at;

	all = fill_structs(&count);
	for (i = 0; i < count; i++)
		for (at = 0; at < all[i]->field_count; at++)
			if (all[i]->fields[at].kind == NACRE_FIELD_INT)
				assert_true(strlen(nacre_value_text(&all[i]->fields[at], ~(__u64)0,
								    text)) < NACRE_VALUE_TEXT_BYTES);
}

/* A field whose doc names an enum is shown in its words. */
static void words_know_every_enum(void **state)
{
	const struct nacre_struct *const *all;
	const struct nacre_field *f;
	unsigned int i, count;
	int at;

	all = fill_structs(&count);
	for (i = 0; i < count; i++)
		for (at = 0; at < all[i]->field_count; at++) {
			f = &all[i]->fields[at];
			if (strncmp(f->doc, "enum nacre_", 11))
				continue;
			if (nacre_field_nature(f) < NACRE_NATURE_VALUE)
				fail_msg("%s.%s: no words for %s", all[i]->name, f->name, f->doc);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dump_in_lines), cmocka_unit_test(words_say_what_numbers_mean),
		cmocka_unit_test(words_fit), cmocka_unit_test(words_know_every_enum),
		cmocka_unit_test(dump_reads_well), cmocka_unit_test(dump_stays_in_its_room),
		cmocka_unit_test(dump_quotes), cmocka_unit_test(dump_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
