// SPDX-License-Identifier: GPL-2.0
/* Meaning of the pieces that messages are made of: inode infos, xattrs, listings, maps. See validate.h. */
#include <linux/errno.h>
#include <linux/string.h>
#include "validate.h"
#include "layout.h"
#include "names.h"
#include "placement.h"

#define MODE_TYPE_LNK 10	/* mode >> 12 of a symbolic link */
#define MODE_TYPE_REG 8

static const char *check_xattrs(const __u8 *bytes, __u32 length);

static const char *check_info_numbers(const struct nacre_inode_info *info)
{
	if (!info->ino)
		return "info: inode 0";
	if (info->valid & ~(__u32)NACRE_GROUPS_ALL)
		return "info: unknown groups";
	if (info->issued & ~(__u32)NACRE_CAPS_KNOWN)
		return "info: unknown cap bits";
	if (!info->cap_id && (info->issued || info->cap_seq))
		return "info: caps without a cap";
	if (info->cap_id && !info->cap_seq)
		return "info: a cap without seq";
	if (info->mode >> 16)
		return "info: mode";
	if (info->object_bytes && !nacre_layout_valid(info->object_bytes))
		return "info: object size";
	if (info->size > NACRE_FILE_MAX || info->max_size > NACRE_FILE_MAX ||
	    info->truncate_size > NACRE_FILE_MAX)
		return "info: size";
	return NULL;
}

static const char *check_info_tails(const struct nacre_inode_info *info)
{
	const __u32 xattrs = NACRE_INFO_HAS_XATTRS | NACRE_INFO_NO_XATTRS;

	if (info->info_flags & ~(xattrs | NACRE_INFO_HAS_DATA | NACRE_INFO_REPORTED |
				  NACRE_INFO_NO_ROOM | NACRE_INFO_KEPT))
		return "info: flags";
	if (info->inode_flags & ~NACRE_INODE_FLAGS_KNOWN)
		return "info: inode flags";
	if ((info->info_flags & NACRE_INFO_REPORTED) &&
	    (info->mode >> 12 != MODE_TYPE_REG || info->role != NACRE_TRACE_TARGET ||
	     (info->valid & NACRE_GROUP_FILE)))
		return "info: a size report of no file, or of one whose size is known";
	if ((info->info_flags & NACRE_INFO_NO_ROOM) && info->role != NACRE_TRACE_GRANT)
		return "info: no room, where nobody asked for any";
	if ((info->info_flags & xattrs) == xattrs)
		return "info: xattrs there and not there";
	if (info->xattrs_bytes && !(info->info_flags & NACRE_INFO_HAS_XATTRS))
		return "info: xattrs without their flag";
	if (info->symlink_bytes &&
	    (info->mode >> 12 != MODE_TYPE_LNK || memchr(info->symlink, 0, info->symlink_bytes)))
		return "info: symlink target";
	return check_xattrs(info->xattrs, info->xattrs_bytes);
}

#define DATA_CAPS (NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE | \
		   NACRE_CAP_FILE_BUFFER)

static const char *check_info_inline(const struct nacre_inode_info *info)
{
	int has_data = info->info_flags & NACRE_INFO_HAS_DATA;

	if (info->inline_gen && info->mode >> 12 != MODE_TYPE_REG)
		return "info: inline data of what is no file";
	if (has_data && !info->inline_gen)
		return "info: inline data of what is not inline";
	if (info->data_bytes && (!has_data || info->data_bytes > info->size))
		return "info: inline data without its flag, or behind the end";
	/* INLINE-5 */
	if (info->inline_gen && (info->issued & DATA_CAPS) && !has_data)
		return "info: caps on data without the inline data";
	return NULL;
}

int nacre_validate_info(const struct nacre_inode_info *info, __u32 roles, const char **reason)
{
	*reason = NULL;
	if (info->role > NACRE_TRACE_ENTRY || !(roles & 1u << info->role))
		*reason = "info: role";
	if (!*reason)
		*reason = check_info_numbers(info);
	if (!*reason)
		*reason = check_info_tails(info);
	if (!*reason)
		*reason = check_info_inline(info);
	return *reason ? -EBADMSG : 0;
}

static const char *check_xattrs(const __u8 *bytes, __u32 length)
{
	struct nacre_reader r = nacre_reader(bytes, length);
	struct nacre_xattr x;

	while (nacre_reader_left(&r)) {
		if (nacre_decode(nacre_xattr_desc(), &r, &x))
			return "xattrs: one that cannot be decoded";
		if (nacre_xattr_name_check(x.name, x.name_bytes))
			return "xattrs: name";
	}
	return NULL;
}

int nacre_validate_xattrs(const __u8 *bytes, __u32 length, const char **reason)
{
	*reason = check_xattrs(bytes, length);
	return *reason ? -EBADMSG : 0;
}

static const char *check_dirent(const struct nacre_dirent *d)
{
	struct nacre_inode_info info;
	const char *reason = NULL;

	if (!d->ino)
		return "listing: inode 0";
	if (nacre_name_check(d->name, d->name_bytes))
		return "listing: name";
	if (d->cookie < NACRE_COOKIE_FIRST || d->cookie >= NACRE_COOKIE_END)
		return "listing: cookie";
	if (d->mode >> 16)
		return "listing: mode";
	if (!d->info_bytes)
		return NULL;
	if (nacre_decode_all(nacre_inode_info_desc(), d->info, d->info_bytes, &info))
		return "listing: an info that cannot be decoded";
	if (info.ino != d->ino)
		return "listing: info of another inode";
	nacre_validate_info(&info, 1u << NACRE_TRACE_ENTRY, &reason);
	return reason;
}

static const char *check_dirents(const __u8 *bytes, __u32 length)
{
	struct nacre_reader r = nacre_reader(bytes, length);
	struct nacre_dirent last = { 0 }, d;
	const char *reason;

	while (nacre_reader_left(&r)) {
		if (nacre_decode(nacre_dirent_desc(), &r, &d))
			return "listing: an entry that cannot be decoded";
		reason = check_dirent(&d);
		if (reason)
			return reason;
		if (last.cookie && nacre_dentry_compare(last.cookie, last.name, last.name_bytes,
							d.cookie, d.name, d.name_bytes) >= 0)
			return "listing: out of order";
		last = d;
	}
	return NULL;
}

int nacre_validate_dirents(const __u8 *bytes, __u32 length, const char **reason)
{
	*reason = check_dirents(bytes, length);
	return *reason ? -EBADMSG : 0;
}

int nacre_validate_map(const struct nacre_map *map, const char **reason)
{
	struct nacre_map_view view;

	if (nacre_map_view(&view, map)) {
		*reason = "map: a table's length";
		return -EBADMSG;
	}
	return nacre_map_validate(&view, reason);
}

/* ---- walking ------------------------------------------------------------------------------------ */

int nacre_xattr_next(struct nacre_reader *r, struct nacre_xattr *xattr)
{
	return nacre_reader_left(r) && !nacre_decode(nacre_xattr_desc(), r, xattr);
}

int nacre_dirent_next(struct nacre_reader *r, struct nacre_dirent *dirent)
{
	return nacre_reader_left(r) && !nacre_decode(nacre_dirent_desc(), r, dirent);
}

int nacre_trace_next(struct nacre_reader *r, struct nacre_inode_info *info)
{
	return nacre_reader_left(r) && !nacre_decode(nacre_inode_info_desc(), r, info);
}

int nacre_cap_update_next(struct nacre_reader *r, struct nacre_cap_update *update)
{
	return nacre_reader_left(r) && !nacre_decode(nacre_cap_update_desc(), r, update);
}

int nacre_trace_find(const struct nacre_reply *reply, __u8 role, struct nacre_inode_info *info)
{
	struct nacre_reader r = nacre_reader(reply->traces, reply->traces_bytes);

	while (nacre_trace_next(&r, info))
		if (info->role == role)
			return 1;
	return 0;
}
