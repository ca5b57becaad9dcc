// SPDX-License-Identifier: GPL-2.0
/*
 * Golden bytes: what every message and every structure looks like on the wire, kept in
 * tests/golden. A difference means that the wire format has changed: if that was meant (and
 * features or the protocol version say so), rewrite the files with --update and commit them.
 * Run from the top of the tree, as scripts/unit does.
 */
#include <unistd.h>
#include "cmocka_all.h"
#include "fill.h"
#include "protocol/messages.h"

#define FOLDER "tests/golden/"
#define TAIL_MOST 11
#define TEXT_MAX 65536

static int update;

/* The bytes as text: 32 a line, in hexadecimal. */
static size_t make_text(const struct nacre_struct *desc, char *text)
{
	static __u8 bytes[4096];
	static __u64 host[64];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));
	size_t i, n = 0, at = 0;

	assert_true(desc->host_bytes <= sizeof(host));
	fill_host(desc, host, TAIL_MOST);
	assert_int_equal(nacre_encode(desc, &w, host), 0);
	n = nacre_writer_bytes(&w);
	for (i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, TEXT_MAX - at, "%02x%s", bytes[i],
				       i % 32 == 31 || i + 1 == n ? "\n" : " ");
	return at;
}

static void write_file(const char *path, const char *text, size_t length)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, length, f), length);
	assert_int_equal(fclose(f), 0);
}

static void check(const char *name, const struct nacre_struct *desc)
{
	static char text[TEXT_MAX], golden[TEXT_MAX];
	size_t length = make_text(desc, text), n;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), FOLDER "%s.hex", name);
	if (update) {
		write_file(path, text, length);
		return;
	}
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: no golden bytes (run this test with --update)", path);
	n = fread(golden, 1, sizeof(golden), f);
	fclose(f);
	if (n != length || memcmp(text, golden, n))
		fail_msg("%s: the wire format has changed", path);
}

static void golden_messages(void **state)
{
	unsigned int i, count;
	const struct nacre_message *table = nacre_message_table(&count);

	for (i = 0; i < count; i++)
		check(table[i].name, table[i].body());
	print_message("%u messages\n", count);
}

static void golden_structs(void **state)
{
	unsigned int i, count;
	const struct nacre_struct *const *all = fill_structs(&count);

	for (i = 0; i < count; i++)
		check(all[i]->name, all[i]);
	print_message("%u structures\n", count);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_messages),
		cmocka_unit_test(golden_structs),
	};

	update = argc > 1 && !strcmp(argv[1], "--update");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
