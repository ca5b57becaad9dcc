// SPDX-License-Identifier: GPL-2.0
/* Names, cookies, keys: the three orders of a listing are one. */
#include <xxhash.h>
#include "../cmocka_all.h"
#include "protocol/osd.h"
#include "protocol/rules/names.h"

static int check(const char *name)
{
	return nacre_name_check((const __u8 *)name, (__u32)strlen(name));
}

static void names_allowed(void **state)
{
	char longest[257];

	memset(longest, 'x', 256);
	longest[256] = 0;
	assert_int_equal(check("a"), 0);
	assert_int_equal(check("..."), 0);
	assert_int_equal(check(".hidden"), 0);
	assert_int_equal(check("\xff\xfe\n"), 0);
	assert_int_equal(check(""), -EINVAL);
	assert_int_equal(check("."), -EINVAL);
	assert_int_equal(check(".."), -EINVAL);
	assert_int_equal(check("a/b"), -EINVAL);
	assert_int_equal(nacre_name_check((const __u8 *)"a\0b", 3), -EINVAL);
	assert_int_equal(check(longest), -ENAMETOOLONG);
	longest[255] = 0;
	assert_int_equal(check(longest), 0);
}

static void xattr_names_allowed(void **state)
{
	assert_int_equal(nacre_xattr_name_check((const __u8 *)"user.a/b", 8), 0);
	assert_int_equal(nacre_xattr_name_check((const __u8 *)"", 0), -ERANGE);
	assert_int_equal(nacre_xattr_name_check((const __u8 *)"a\0", 2), -EINVAL);
}

static void cookies_stay_in_range(void **state)
{
	static const __u64 hashes[] = { 0, 1, 2, 5, 6, 7, 8, ~0ull, ~1ull, ~2ull, 1ull << 63 };
	size_t i;
	__u64 c;

	for (i = 0; i < COUNT_OF(hashes); i++) {
		c = nacre_name_cookie(hashes[i]);
		assert_true(c >= NACRE_COOKIE_FIRST && c < NACRE_COOKIE_END);
	}
	assert_int_equal(nacre_name_cookie(1ull << 40), 1ull << 39);
}

static void keys_round_trip(void **state)
{
	__u8 key[NACRE_DENTRY_KEY_MAX];
	const __u8 *name;
	__u64 cookie;
	__u32 bytes, n = nacre_dentry_key(0xabc, (const __u8 *)"name", 4, key);

	assert_int_equal(n, 20);
	assert_memory_equal(key, "0000000000000abcname", 20);
	assert_int_equal(nacre_dentry_key_parse(key, n, &cookie, &name, &bytes), 0);
	assert_int_equal(cookie, 0xabc);
	assert_int_equal(bytes, 4);
	assert_memory_equal(name, "name", 4);
	assert_int_equal(nacre_dentry_key_parse(key, 16, &cookie, &name, &bytes), -EINVAL);
	key[3] = 'A';
	assert_int_equal(nacre_dentry_key_parse(key, n, &cookie, &name, &bytes), -EINVAL);
	n = nacre_dentry_key(2, (const __u8 *)"name", 4, key);
	assert_int_equal(nacre_dentry_key_parse(key, n, &cookie, &name, &bytes), -EINVAL);
	n = nacre_dentry_key(7, (const __u8 *)"..", 2, key);
	assert_int_equal(nacre_dentry_key_parse(key, n, &cookie, &name, &bytes), -EINVAL);
	assert_true(NACRE_DENTRY_KEY_MAX <= NACRE_KEY_MAX);
}

static int key_order(const __u8 *a, __u32 na, const __u8 *b, __u32 nb)
{
	int order = memcmp(a, b, na < nb ? na : nb);

	return order ? order : (na > nb) - (na < nb);
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void keys_are_ordered_as_listings_are(void **state)
{
	static const char *const names[] = { "a", "b", "ab", "\xff", "\x01", "zz", "name", "name2" };
	__u8 ka[NACRE_DENTRY_KEY_MAX], kb[NACRE_DENTRY_KEY_MAX], behind[NACRE_DENTRY_KEY_DIGITS];
	size_t i, j;

	for (i = 0; i < COUNT_OF(names); i++)
		for (j = 0; j < COUNT_OF(names); j++) {
			__u32 la = (__u32)strlen(names[i]), lb = (__u32)strlen(names[j]);
			/* every other pair in one bucket, as a collision would have it */
			__u64 ca = (i + j) % 2 ? 9 : nacre_name_cookie(XXH64(names[i], la, 0));
			__u64 cb = (i + j) % 2 ? 9 : nacre_name_cookie(XXH64(names[j], lb, 0));
			__u32 na = nacre_dentry_key(ca, (const __u8 *)names[i], la, ka);
			__u32 nb = nacre_dentry_key(cb, (const __u8 *)names[j], lb, kb);

			assert_int_equal(sign(key_order(ka, na, kb, nb)),
					 sign(nacre_dentry_compare(ca, (const __u8 *)names[i], la, cb,
								   (const __u8 *)names[j], lb)));
			nacre_dentry_key_after(ca, behind);
			assert_true(key_order(behind, sizeof(behind), ka, na) > 0);
			if (cb > ca)
				assert_true(key_order(behind, sizeof(behind), kb, nb) < 0);
		}
	nacre_dentry_key_after(NACRE_COOKIE_START, behind);
	assert_memory_equal(behind, "0000000000000001", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_allowed), cmocka_unit_test(xattr_names_allowed),
		cmocka_unit_test(cookies_stay_in_range), cmocka_unit_test(keys_round_trip),
		cmocka_unit_test(keys_are_ordered_as_listings_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
