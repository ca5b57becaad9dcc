// SPDX-License-Identifier: GPL-2.0
/* Namespace records: the table of fields by kind, and the way between record and request. */
#include "../cmocka_all.h"
#include "../fill.h"
#include "../samples.h"
#include "protocol/rules/record.h"

static __u64 body[NACRE_BODY_HOST_MAX / 8];
static struct nacre_record_req *const req = (struct nacre_record_req *)body;
static const char *reason;

static int refused(__u16 kind)
{
	__u16 type = nacre_record_message(kind);

	return nacre_validate(type, req, 0, &reason) == -EBADMSG && reason;
}

static void start(__u16 kind)
{
	assert_int_equal(sample_body(nacre_record_message(kind), body), 0);
	if (refused(kind))
		fail_msg("sample of kind %u: %s", kind, reason);
}

#define REFUSED(kind, change)				\
	do {						\
		start(NACRE_RECORD_##kind);		\
		change;					\
		assert_true(refused(NACRE_RECORD_##kind)); \
	} while (0)
#define TAKEN(kind, change)				\
	do {						\
		start(NACRE_RECORD_##kind);		\
		change;					\
		assert_false(refused(NACRE_RECORD_##kind)); \
	} while (0)

static void every_kind_has_a_rule_and_a_message(void **state)
{
	__u16 kind;

	for (kind = NACRE_RECORD_CREATE; kind <= NACRE_RECORD_TMPFILE; kind++) {
		assert_non_null(nacre_record_rule(kind));
		assert_int_equal(nacre_record_kind_of(nacre_record_message(kind)), kind);
		assert_string_equal(nacre_message_find(nacre_record_message(kind))->name,
				    nacre_record_rule(kind)->name);
	}
	assert_null(nacre_record_rule(0));
	assert_null(nacre_record_rule(NACRE_RECORD_TMPFILE + 1));
	assert_int_equal(nacre_record_kind_of(NACRE_MSG_LOOKUP), 0);
	assert_int_equal(nacre_record_message(NACRE_RECORD_TMPFILE + 1), 0);
}

/* The letters in mds.h say the same as the rules. */
#define LETTERS(number, name, needs, doc) { number, needs },
static const struct {
	__u16 kind;
	const char *needs;
} letters[] = { NACRE_RECORDS(LETTERS) };

static void letters_match_the_rules(void **state)
{
	size_t i;

	for (i = 0; i < COUNT_OF(letters); i++) {
		const struct nacre_record_rule *rule = nacre_record_rule(letters[i].kind);
		__u32 parts = (__u32)rule->must | rule->may;

		assert_int_equal(!!strchr(letters[i].needs, 'P'), !!(parts & NACRE_PART_PARENT));
		assert_int_equal(!!strchr(letters[i].needs, 'N'), !!(parts & NACRE_PART_NAME));
		assert_int_equal(!!strchr(letters[i].needs, '2'), !!(parts & NACRE_PART_SECOND));
		assert_int_equal(!!strchr(letters[i].needs, 'A'), !!(parts & NACRE_PART_ATTRS));
		assert_int_equal(!!strchr(letters[i].needs, 'V'), !!(parts & NACRE_PART_VALUE));
		if (strchr(letters[i].needs, 'I'))
			assert_true(parts & NACRE_PART_INO);
	}
}

static void fields_missing(void **state)
{
	REFUSED(CREATE, req->parent = 0);
	REFUSED(CREATE, req->name_bytes = 0);
	REFUSED(CREATE, (req->set_mask = 0, req->mode = 0, req->uid = 0, req->mtime = 0));
	REFUSED(SYMLINK, req->value_bytes = 0);
	REFUSED(LINK, req->ino = 0);
	REFUSED(RENAME, req->parent2 = 0);
	REFUSED(RENAME, req->name2_bytes = 0);
	REFUSED(SETATTR, req->ino = 0);
	REFUSED(SETXATTR, req->ino = 0);
	REFUSED(RMXATTR, req->name_bytes = 0);
	REFUSED(TMPFILE, req->name = (const __u8 *)"n"; req->name_bytes = 1);
	REFUSED(TMPFILE, req->parent = 0);
	REFUSED(TMPFILE, req->mode = 040755);
	REFUSED(UNLINK, req->record_flags = NACRE_RECORD_NAMELESS);
	TAKEN(LINK, req->record_flags = NACRE_RECORD_NAMELESS);
	TAKEN(TMPFILE, req->record_flags = NACRE_RECORD_INLINE);
	TAKEN(CREATE, req->ino = 0);
	TAKEN(UNLINK, req->ino = 0);
	TAKEN(SETXATTR, req->value_bytes = 0);
	TAKEN(CREATE, req->xattrs_bytes = 0);
}

static void fields_that_do_not_belong(void **state)
{
	REFUSED(UNLINK, req->set_mask = NACRE_SET_MODE);
	REFUSED(UNLINK, req->parent2 = 1);
	REFUSED(MKDIR, (req->data = (const __u8 *)"x", req->data_bytes = 1));
	REFUSED(MKDIR, (req->value = (const __u8 *)"x", req->value_bytes = 1));
	REFUSED(CREATE, req->rdev = 1);
	REFUSED(LINK, req->mode = 0644);
	REFUSED(RENAME, req->size = 1);
	REFUSED(SETATTR, req->parent = 1);
	REFUSED(SETXATTR, req->parent = 1);
	REFUSED(CREATE, req->gid = 5);			/* not in set_mask */
	REFUSED(CREATE, req->atime = 5);
	REFUSED(UNLINK, req->record_flags = NACRE_RECORD_EXCL);
	REFUSED(CREATE, req->record_flags = 8);
	TAKEN(CREATE, req->record_flags = NACRE_RECORD_INLINE);
	REFUSED(CREATE, req->rename_flags = 1);
	REFUSED(CREATE, req->xattr_flags = 1);
	REFUSED(CREATE, req->kind = NACRE_RECORD_MKDIR);
	TAKEN(UNLINK, req->ctime = 99);
}

static void values_that_mean_nothing(void **state)
{
	REFUSED(CREATE, req->set_mask |= NACRE_SET_SIZE);
	REFUSED(CREATE, req->set_mask |= 1u << 20);
	REFUSED(CREATE, req->mode = 0040755);
	REFUSED(MKDIR, req->mode = 0100644);
	REFUSED(MKNOD, req->mode = 0100644);
	REFUSED(CREATE, req->mode |= 1u << 16);
	REFUSED(MKNOD, req->rdev = 1);			/* a fifo has none */
	TAKEN(MKNOD, (req->mode = 0020600, req->rdev = 1u << 20 | 3));
	REFUSED(CREATE, req->name = (const __u8 *)"a/b/c/d/e");
	REFUSED(SYMLINK, req->value = (const __u8 *)"a\0aaaaaaa");
	REFUSED(SETATTR, (req->set_mask |= NACRE_SET_SIZE, req->size = NACRE_FILE_MAX + 1));
	TAKEN(SETATTR, (req->set_mask |= NACRE_SET_SIZE, req->size = NACRE_FILE_MAX));
	REFUSED(RENAME, req->rename_flags = NACRE_RENAME_EXCHANGE | NACRE_RENAME_NOREPLACE);
	TAKEN(RENAME, req->rename_flags = NACRE_RENAME_EXCHANGE);
	TAKEN(RENAME, req->rename_flags = NACRE_RENAME_NOREPLACE | NACRE_RENAME_WHITEOUT);
	REFUSED(SETXATTR, req->xattr_flags = NACRE_XATTR_CREATE | NACRE_XATTR_REPLACE);
	REFUSED(CREATE, req->xattrs_bytes--);
	REFUSED(CREATE, req->tid = 0);
	REFUSED(CREATE, req->oldest_tid = req->tid + 1);
	REFUSED(CREATE, req->applied = 3);
	TAKEN(CREATE, (req->applied = 3, req->flags = NACRE_REQUEST_RESEND));
	REFUSED(CREATE, req->flags = 1u << 9);
	REFUSED(CREATE, req->wanted = 1u << 30);
}

static void record_and_request_are_the_same(void **state)
{
	struct nacre_record_req a, b;
	struct nacre_record record, again;

	fill_host(nacre_record_req_desc(), &a, 9);
	nacre_record_from_req(&record, &a);
	memset(&b, 0, sizeof(b));
	nacre_record_to_req(&b, &record);
	nacre_record_from_req(&again, &b);
	assert_true(fill_equal(nacre_record_desc(), &record, &again));
	b.tid = a.tid;
	b.oldest_tid = a.oldest_tid;
	b.applied = a.applied;
	b.flags = a.flags;
	b.wanted = a.wanted;
	assert_true(fill_equal(nacre_record_req_desc(), &a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_a_rule_and_a_message),
		cmocka_unit_test(letters_match_the_rules), cmocka_unit_test(fields_missing),
		cmocka_unit_test(fields_that_do_not_belong),
		cmocka_unit_test(values_that_mean_nothing),
		cmocka_unit_test(record_and_request_are_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
