// SPDX-License-Identifier: GPL-2.0
/* Names and values of quotas. */
#include <errno.h>
#include <string.h>
#include "../cmocka_all.h"
#include "protocol/rules/quota.h"

static enum nacre_quota_xattr named(const char *name)
{
	return nacre_quota_xattr((const __u8 *)name, (__u32)strlen(name));
}

static void names(void **state)
{
	assert_int_equal(named("nacre.quota.max_bytes"), NACRE_QUOTA_MAX_BYTES);
	assert_int_equal(named("nacre.quota.files"), NACRE_QUOTA_FILES);
	assert_int_equal(named("nacre.quota.file"), NACRE_QUOTA_NONE);
	assert_int_equal(named("nacre."), NACRE_QUOTA_NONE);
	assert_int_equal(named("user.quota.files"), NACRE_QUOTA_NONE);
	assert_int_equal(named(""), NACRE_QUOTA_NONE);
	assert_true(nacre_xattr_is_own((const __u8 *)"nacre.x", 7));
	assert_false(nacre_xattr_is_own((const __u8 *)"nacre.x", 5));
	assert_true(nacre_quota_is_settable(NACRE_QUOTA_MAX_FILES));
	assert_false(nacre_quota_is_settable(NACRE_QUOTA_BYTES));
	assert_false(nacre_quota_is_settable(NACRE_QUOTA_NONE));
}

static int parse(const char *text, __u64 *value)
{
	return nacre_quota_parse((const __u8 *)text, (__u32)strlen(text), value);
}

static void values(void **state)
{
	static const char *const bad[] = { "", "K", "-1", "1 ", "1KB", "0x10", "1.5G", " 1", "G1" };
	char text[NACRE_QUOTA_TEXT_BYTES];
	__u64 value;
	size_t i;

	assert_int_equal(parse("0", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(parse("10G", &value), 0);
	assert_int_equal(value, 10ull << 30);
	assert_int_equal(parse("3k", &value), 0);
	assert_int_equal(value, 3072);
	assert_int_equal(parse("1024P", &value), 0);
	assert_int_equal(value, NACRE_FILE_MAX);
	assert_int_equal(parse("1025P", &value), -ERANGE);
	assert_int_equal(parse("99999999999999999999", &value), -ERANGE);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], &value), -EINVAL);
	assert_int_equal(nacre_quota_text(0, text), 1);
	assert_memory_equal(text, "0", 1);
	assert_int_equal(nacre_quota_text(UINT64_MAX, text), 20);
	assert_memory_equal(text, "18446744073709551615", 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
