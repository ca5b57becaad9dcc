// SPDX-License-Identifier: GPL-2.0
/* Names, their cookies and their keys. See names.h. */
#include <linux/errno.h>
#include <linux/string.h>
#include "names.h"

int nacre_name_check(const __u8 *name, __u32 name_bytes)
{
	__u32 i;

	if (!name_bytes)
		return -EINVAL;
	if (name_bytes > NACRE_NAME_MAX)
		return -ENAMETOOLONG;
	if (name[0] == '.' && (name_bytes == 1 || (name_bytes == 2 && name[1] == '.')))
		return -EINVAL;
	for (i = 0; i < name_bytes; i++)
		if (!name[i] || name[i] == '/')
			return -EINVAL;
	return 0;
}

int nacre_xattr_name_check(const __u8 *name, __u32 name_bytes)
{
	__u32 i;

	if (!name_bytes || name_bytes > NACRE_XATTR_NAME_MAX)
		return -ERANGE;
	for (i = 0; i < name_bytes; i++)
		if (!name[i])
			return -EINVAL;
	return 0;
}

__u64 nacre_name_cookie(__u64 hash)
{
	__u64 cookie = hash >> 1;

	if (cookie < NACRE_COOKIE_FIRST)
		return NACRE_COOKIE_FIRST;
	if (cookie == NACRE_COOKIE_END)
		return NACRE_COOKIE_END - 1;
	return cookie;
}

static void put_digits(__u64 value, __u8 *digits)
{
	static const char hex[] = "0123456789abcdef";
	int i;

	for (i = NACRE_DENTRY_KEY_DIGITS - 1; i >= 0; i--, value >>= 4)
		digits[i] = (__u8)hex[value & 15];
}

__u32 nacre_dentry_key(__u64 cookie, const __u8 *name, __u32 name_bytes, __u8 *key)
{
	put_digits(cookie, key);
	memcpy(key + NACRE_DENTRY_KEY_DIGITS, name, name_bytes);
	return NACRE_DENTRY_KEY_DIGITS + name_bytes;
}

/* Names are never empty, so the bare digits of the next cookie are below all its keys. */
void nacre_dentry_key_after(__u64 cookie, __u8 key[NACRE_DENTRY_KEY_DIGITS])
{
	put_digits(cookie + 1, key);
}

static int digit_value(__u8 digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

int nacre_dentry_key_parse(const __u8 *key, __u32 key_bytes, __u64 *cookie, const __u8 **name,
			   __u32 *name_bytes)
{
	__u64 value = 0;
	int i, v;

	if (key_bytes <= NACRE_DENTRY_KEY_DIGITS)
		return -EINVAL;
	for (i = 0; i < NACRE_DENTRY_KEY_DIGITS; i++) {
		v = digit_value(key[i]);
		if (v < 0)
			return -EINVAL;
		value = value << 4 | (__u64)v;
	}
	if (value < NACRE_COOKIE_FIRST || value >= NACRE_COOKIE_END)
		return -EINVAL;
	if (nacre_name_check(key + NACRE_DENTRY_KEY_DIGITS, key_bytes - NACRE_DENTRY_KEY_DIGITS))
		return -EINVAL;
	*cookie = value;
	*name = key + NACRE_DENTRY_KEY_DIGITS;
	*name_bytes = key_bytes - NACRE_DENTRY_KEY_DIGITS;
	return 0;
}

int nacre_dentry_compare(__u64 cookie_a, const __u8 *name_a, __u32 name_a_bytes,
			 __u64 cookie_b, const __u8 *name_b, __u32 name_b_bytes)
{
	__u32 common = name_a_bytes < name_b_bytes ? name_a_bytes : name_b_bytes;
	int order;

	if (cookie_a != cookie_b)
		return cookie_a < cookie_b ? -1 : 1;
	order = memcmp(name_a, name_b, common);
	if (order)
		return order;
	return name_a_bytes < name_b_bytes ? -1 : name_a_bytes > name_b_bytes;
}
