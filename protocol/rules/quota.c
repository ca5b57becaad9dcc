// SPDX-License-Identifier: GPL-2.0
/* Names and values of quotas; see quota.h. */
#include <linux/errno.h>
#include <linux/string.h>
#include "quota.h"

#define PREFIX_BYTES (sizeof(NACRE_XATTR_OWN_PREFIX) - 1)

static const struct {
	const char *name;		/* behind the prefix */
	__u8 settable;
} xattrs[] = {
#define ROW(id, text, field, settable) [NACRE_QUOTA_##id] = { text, settable },
	NACRE_QUOTA_XATTRS(ROW)
};

int nacre_xattr_is_own(const __u8 *name, __u32 name_bytes)
{
	return name_bytes >= PREFIX_BYTES && !memcmp(name, NACRE_XATTR_OWN_PREFIX, PREFIX_BYTES);
}

enum nacre_quota_xattr nacre_quota_xattr(const __u8 *name, __u32 name_bytes)
{
	unsigned int i;

	if (!nacre_xattr_is_own(name, name_bytes))
		return NACRE_QUOTA_NONE;
	name += PREFIX_BYTES;
	name_bytes -= PREFIX_BYTES;
	for (i = NACRE_QUOTA_NONE + 1; i < sizeof(xattrs) / sizeof(xattrs[0]); i++)
		if (strlen(xattrs[i].name) == name_bytes && !memcmp(xattrs[i].name, name, name_bytes))
			return (enum nacre_quota_xattr)i;
	return NACRE_QUOTA_NONE;
}

int nacre_quota_is_settable(enum nacre_quota_xattr xattr)
{
	return xattrs[xattr].settable;
}

__u64 nacre_quota_value(enum nacre_quota_xattr xattr, const struct nacre_quota *quota)
{
	switch (xattr) {
#define CASE(id, text, field, settable) case NACRE_QUOTA_##id: return quota->field;
	NACRE_QUOTA_XATTRS(CASE)
	default:
		return 0;
	}
}

/* How many times ten bits a suffix stands for; 0: it is none. */
static unsigned int suffix_power(__u8 c)
{
	static const char suffixes[] = "KMGTPkmgtp";
	const char *at = c ? memchr(suffixes, c, sizeof(suffixes) - 1) : NULL;

	return at ? (unsigned int)(at - suffixes) % 5 + 1 : 0;
}

int nacre_quota_parse(const __u8 *text, __u32 text_bytes, __u64 *value)
{
	unsigned int power = text_bytes ? suffix_power(text[text_bytes - 1]) : 0;
	__u32 digits = text_bytes - !!power, i;
	__u64 n = 0;

	if (!digits)
		return -EINVAL;
	for (i = 0; i < digits; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (n > NACRE_FILE_MAX / 10)
			return -ERANGE;
		n = n * 10 + (text[i] - '0');
	}
	if (n > NACRE_FILE_MAX >> (10 * power))
		return -ERANGE;
	*value = n << (10 * power);
	return 0;
}

__u32 nacre_quota_text(__u64 value, char text[NACRE_QUOTA_TEXT_BYTES])
{
	char *at = text + NACRE_QUOTA_TEXT_BYTES;
	__u32 bytes;

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	bytes = (__u32)(text + NACRE_QUOTA_TEXT_BYTES - at);
	memmove(text, at, bytes);
	return bytes;
}
