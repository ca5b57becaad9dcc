/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quotas of directory trees as extended attributes: their names and values. A rank reads what is set, a client
 * writes what is read; see Documentation/decisions/0012-quotas.md. Pure.
 */
#ifndef NACRE_RULES_QUOTA_H
#define NACRE_RULES_QUOTA_H

#include "protocol/mds.h"

/* The names that are the file system's own; no other ones begin so. */
#define NACRE_XATTR_OWN_PREFIX "nacre."
#define NACRE_QUOTA_TEXT_BYTES 21	/* room for any value */

#define NACRE_QUOTA_XATTRS(X)						\
	X(MAX_BYTES, "quota.max_bytes", max_bytes, 1)			\
	X(MAX_FILES, "quota.max_files", max_files, 1)			\
	X(BYTES, "quota.bytes", used_bytes, 0)				\
	X(FILES, "quota.files", used_files, 0)

#define NACRE_QUOTA_ENUM(name, text, field, settable) NACRE_QUOTA_##name,
enum nacre_quota_xattr {
	NACRE_QUOTA_NONE,
	NACRE_QUOTA_XATTRS(NACRE_QUOTA_ENUM)
};

/* Does the name begin with NACRE_XATTR_OWN_PREFIX? */
int nacre_xattr_is_own(const __u8 *name, __u32 name_bytes);
/* Which one it is, by its whole name. */
enum nacre_quota_xattr nacre_quota_xattr(const __u8 *name, __u32 name_bytes);
int nacre_quota_is_settable(enum nacre_quota_xattr xattr);
/* The value in this answer. A limit of 0, or any of no directory, is not there. */
__u64 nacre_quota_value(enum nacre_quota_xattr xattr, const struct nacre_quota *quota);
/* Decimal digits, and perhaps one of K M G T P, in 1024s. 0, -EINVAL, -ERANGE. */
int nacre_quota_parse(const __u8 *text, __u32 text_bytes, __u64 *value);
/* Decimal digits without a terminator; their number. */
__u32 nacre_quota_text(__u64 value, char text[NACRE_QUOTA_TEXT_BYTES]);

#endif
