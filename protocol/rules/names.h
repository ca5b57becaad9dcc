/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names in directories: which are allowed, in what order they are listed, and
 * under which key an entry lies in its directory's object.
 *
 *	name ──xxh64, seed 0──▶ hash ──▶ cookie (63 bits) ──▶ key = 16 hex digits + name
 *
 * Listings go in the order of cookies, then of names' bytes, which is also the
 * byte order of the keys: the key-value list of the directory object, the rank's
 * cache and a client's readdir position all mean the same place. The caller
 * computes the hash over the name's bytes, without a terminator. Pure.
 */
#ifndef NACRE_RULES_NAMES_H
#define NACRE_RULES_NAMES_H

#include <linux/types.h>
#include "../mds.h"

/* Cookies (directory positions) that no name has. */
#define NACRE_COOKIE_START 0		/* before "." */
#define NACRE_COOKIE_DOT 1		/* behind "." */
#define NACRE_COOKIE_DOTDOT 2		/* behind "..": names come next */
#define NACRE_COOKIE_FIRST 3		/* lowest cookie of a name */
#define NACRE_COOKIE_END 0x7fffffffffffffffull	/* behind every name */

#define NACRE_DENTRY_KEY_DIGITS 16
#define NACRE_DENTRY_KEY_MAX (NACRE_DENTRY_KEY_DIGITS + NACRE_NAME_MAX)

/*
 * May an entry be called so? 0; -ENAMETOOLONG over NACRE_NAME_MAX bytes; -EINVAL for "",
 * ".", ".." and names with '/' or a zero byte. Any other bytes are allowed: names are
 * byte strings.
 */
int nacre_name_check(const __u8 *name, __u32 name_bytes);

/* May an extended attribute be called so (prefix included)? 0, -ERANGE too long or empty, -EINVAL. */
int nacre_xattr_name_check(const __u8 *name, __u32 name_bytes);

/* Listing cookie of a name with this hash: NACRE_COOKIE_FIRST … NACRE_COOKIE_END - 1. */
__u64 nacre_name_cookie(__u64 hash);

/* Key of an entry in its directory's object; its length. `key` has room for NACRE_DENTRY_KEY_MAX. */
__u32 nacre_dentry_key(__u64 cookie, const __u8 *name, __u32 name_bytes, __u8 *key);

/*
 * The key behind which a listing goes on after `cookie`: greater than every key with that cookie
 * or a lower one, smaller than every other, and itself no entry's key. Always
 * NACRE_DENTRY_KEY_DIGITS bytes.
 */
void nacre_dentry_key_after(__u64 cookie, __u8 key[NACRE_DENTRY_KEY_DIGITS]);

/* Take a key apart; *name points into it. 0, or -EINVAL if it is no entry's key. */
int nacre_dentry_key_parse(const __u8 *key, __u32 key_bytes, __u64 *cookie, const __u8 **name,
			   __u32 *name_bytes);

/* Order of entries in a listing: <0, 0, >0. */
int nacre_dentry_compare(__u64 cookie_a, const __u8 *name_a, __u32 name_a_bytes,
			 __u64 cookie_b, const __u8 *name_b, __u32 name_b_bytes);

#endif
