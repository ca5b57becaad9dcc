// SPDX-License-Identifier: GPL-2.0
/* The rules of namespace records. See record.h. */
#include <linux/errno.h>
#include <linux/string.h>
#include "record.h"
#include "names.h"
#include "validate.h"

/* File types as mode >> 12, the same on every Linux. */
enum file_type {
	TYPE_FIFO = 1,
	TYPE_CHR = 2,
	TYPE_DIR = 4,
	TYPE_BLK = 6,
	TYPE_REG = 8,
	TYPE_LNK = 10,
	TYPE_SOCK = 12,
};
#define TYPE_BIT(type) (1u << (type))

#define ENTRY (NACRE_PART_PARENT | NACRE_PART_NAME)
#define NEW_MUST (ENTRY | NACRE_PART_ATTRS)
#define NEW_MAY (NACRE_PART_INO | NACRE_PART_XATTRS)
#define TIMES (NACRE_SET_ATIME | NACRE_SET_MTIME | NACRE_SET_CTIME | NACRE_SET_BTIME)
#define OWNED (NACRE_SET_MODE | NACRE_SET_UID | NACRE_SET_GID)
#define NEW_SET (OWNED | TIMES)

static const struct nacre_record_rule rules[] = {
	{ .kind = NACRE_RECORD_CREATE, .name = "CREATE", .must = NEW_MUST,
	  .may = NEW_MAY | NACRE_PART_DATA, .set_mask = NEW_SET, .set_must = NACRE_SET_MODE,
	  .record_flags = NACRE_RECORD_EXCL | NACRE_RECORD_TRUNC | NACRE_RECORD_INLINE,
	  .file_types = TYPE_BIT(TYPE_REG) },
	{ .kind = NACRE_RECORD_MKDIR, .name = "MKDIR", .must = NEW_MUST, .may = NEW_MAY,
	  .set_mask = NEW_SET, .set_must = NACRE_SET_MODE, .file_types = TYPE_BIT(TYPE_DIR) },
	{ .kind = NACRE_RECORD_MKNOD, .name = "MKNOD", .must = NEW_MUST,
	  .may = NEW_MAY | NACRE_PART_RDEV, .set_mask = NEW_SET, .set_must = NACRE_SET_MODE,
	  .file_types = TYPE_BIT(TYPE_FIFO) | TYPE_BIT(TYPE_CHR) | TYPE_BIT(TYPE_BLK) |
			TYPE_BIT(TYPE_SOCK) },
	{ .kind = NACRE_RECORD_SYMLINK, .name = "SYMLINK", .must = NEW_MUST | NACRE_PART_VALUE,
	  .may = NEW_MAY, .set_mask = NEW_SET, .set_must = NACRE_SET_MODE,
	  .file_types = TYPE_BIT(TYPE_LNK) },
	{ .kind = NACRE_RECORD_LINK, .name = "LINK", .must = ENTRY | NACRE_PART_INO,
	  .record_flags = NACRE_RECORD_NAMELESS },
	{ .kind = NACRE_RECORD_UNLINK, .name = "UNLINK", .must = ENTRY, .may = NACRE_PART_INO },
	{ .kind = NACRE_RECORD_RMDIR, .name = "RMDIR", .must = ENTRY, .may = NACRE_PART_INO },
	{ .kind = NACRE_RECORD_RENAME, .name = "RENAME", .must = ENTRY | NACRE_PART_SECOND,
	  .may = NACRE_PART_INO,
	  .rename_flags = NACRE_RENAME_NOREPLACE | NACRE_RENAME_EXCHANGE |
			  NACRE_RENAME_WHITEOUT },
	{ .kind = NACRE_RECORD_SETATTR, .name = "SETATTR", .must = NACRE_PART_INO | NACRE_PART_ATTRS,
	  .may = NACRE_PART_RDEV, .set_mask = NEW_SET | NACRE_SET_SIZE | NACRE_SET_KILL_PRIV | NACRE_SET_FLAGS },
	{ .kind = NACRE_RECORD_SETXATTR, .name = "SETXATTR",
	  .must = NACRE_PART_INO | NACRE_PART_NAME, .may = NACRE_PART_VALUE,
	  .xattr_flags = NACRE_XATTR_CREATE | NACRE_XATTR_REPLACE },
	{ .kind = NACRE_RECORD_RMXATTR, .name = "RMXATTR",
	  .must = NACRE_PART_INO | NACRE_PART_NAME },
	{ .kind = NACRE_RECORD_TMPFILE, .name = "TMPFILE",
	  .must = NACRE_PART_PARENT | NACRE_PART_ATTRS, .may = NEW_MAY, .set_mask = NEW_SET,
	  .set_must = NACRE_SET_MODE, .record_flags = NACRE_RECORD_INLINE,
	  .file_types = TYPE_BIT(TYPE_REG) },
};

const struct nacre_record_rule *nacre_record_rule(__u16 kind)
{
	unsigned int i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].kind == kind)
			return &rules[i];
	return NULL;
}

/* Requests stand in the message table in the order of the kinds. */
_Static_assert(NACRE_MSG_TMPFILE - NACRE_MSG_CREATE == NACRE_RECORD_TMPFILE - NACRE_RECORD_CREATE,
	       "record kinds and their messages run in parallel");

__u16 nacre_record_kind_of(__u16 message_type)
{
	if (message_type < NACRE_MSG_CREATE || message_type > NACRE_MSG_TMPFILE)
		return 0;
	return (__u16)(message_type - NACRE_MSG_CREATE + NACRE_RECORD_CREATE);
}

__u16 nacre_record_message(__u16 kind)
{
	if (kind < NACRE_RECORD_CREATE || kind > NACRE_RECORD_TMPFILE)
		return 0;
	return (__u16)(kind - NACRE_RECORD_CREATE + NACRE_MSG_CREATE);
}

#define COPY_FIELD(bits, name, doc) to->name = from->name;
#define COPY_NONE(bits, name)
#define COPY_TAIL(name, max, doc) to->name = from->name; to->name##_bytes = from->name##_bytes;

void nacre_record_from_req(struct nacre_record *to, const struct nacre_record_req *from)
{
	NACRE_RECORD_FIELDS(COPY_FIELD, COPY_NONE, COPY_TAIL)
}

void nacre_record_to_req(struct nacre_record_req *to, const struct nacre_record *from)
{
	NACRE_RECORD_FIELDS(COPY_FIELD, COPY_NONE, COPY_TAIL)
}

/* ---- meaning ------------------------------------------------------------------------------------ */

static __u32 parts_of(const struct nacre_record *r)
{
	__u32 parts = 0;

	if (r->parent)
		parts |= NACRE_PART_PARENT;
	if (r->name_bytes)
		parts |= NACRE_PART_NAME;
	if (r->ino)
		parts |= NACRE_PART_INO;
	if (r->parent2 || r->name2_bytes)
		parts |= NACRE_PART_SECOND;
	if (r->set_mask)
		parts |= NACRE_PART_ATTRS;
	if (r->value_bytes)
		parts |= NACRE_PART_VALUE;
	if (r->xattrs_bytes)
		parts |= NACRE_PART_XATTRS;
	if (r->data_bytes)
		parts |= NACRE_PART_DATA;
	if (r->rdev)
		parts |= NACRE_PART_RDEV;
	return parts;
}

/* An attribute that set_mask does not name must be zero. ctime is free: the time of the operation. */
static int strays(const struct nacre_record *r)
{
	__u32 mask = r->set_mask;

	return (!(mask & NACRE_SET_MODE) && r->mode) || (!(mask & NACRE_SET_UID) && r->uid) ||
	       (!(mask & NACRE_SET_GID) && r->gid) || (!(mask & NACRE_SET_SIZE) && r->size) ||
	       (!(mask & NACRE_SET_ATIME) && r->atime) ||
	       (!(mask & NACRE_SET_MTIME) && r->mtime) || (!(mask & NACRE_SET_BTIME) && r->btime);
}

static const char *check_attributes(const struct nacre_record_rule *rule,
				    const struct nacre_record *r)
{
	if (r->set_mask & ~rule->set_mask)
		return "record: attributes this kind does not set";
	if ((r->set_mask & rule->set_must) != rule->set_must)
		return "record: an attribute is missing";
	if (strays(r))
		return "record: a value for an attribute that is not set";
	if (r->mode >> 16)
		return "record: mode";
	if (rule->file_types && !(rule->file_types & TYPE_BIT(r->mode >> 12)))
		return "record: file type";
	if (r->size > NACRE_FILE_MAX)
		return "record: size";
	if (r->set_mask & NACRE_SET_FLAGS)
		return r->rdev & ~NACRE_INODE_FLAGS_KNOWN ? "record: inode flags" : NULL;
	if (r->rdev && r->mode >> 12 != TYPE_CHR && r->mode >> 12 != TYPE_BLK)
		return "record: device number of what is no device";
	return NULL;
}

static const char *check_flags(const struct nacre_record_rule *rule, const struct nacre_record *r)
{
	if (r->record_flags & ~rule->record_flags)
		return "record: record flags";
	if (r->rename_flags & ~rule->rename_flags)
		return "record: rename flags";
	if ((r->rename_flags & NACRE_RENAME_EXCHANGE) && r->rename_flags != NACRE_RENAME_EXCHANGE)
		return "record: exchange goes with no other rename flag";
	if (r->xattr_flags & ~rule->xattr_flags)
		return "record: xattr flags";
	if (r->xattr_flags == (NACRE_XATTR_CREATE | NACRE_XATTR_REPLACE))
		return "record: xattr to be there and not to be there";
	return NULL;
}

static const char *check_names(const struct nacre_record_rule *rule, const struct nacre_record *r)
{
	__u32 parts = rule->must;

	if ((parts & NACRE_PART_NAME) && (parts & NACRE_PART_PARENT) &&
	    nacre_name_check(r->name, r->name_bytes))
		return "record: name";
	if ((parts & NACRE_PART_NAME) && !(parts & NACRE_PART_PARENT) &&
	    nacre_xattr_name_check(r->name, r->name_bytes))
		return "record: xattr name";
	if ((parts & NACRE_PART_SECOND) &&
	    (!r->parent2 || nacre_name_check(r->name2, r->name2_bytes)))
		return "record: second name";
	return NULL;
}

static const char *check_symlink(const struct nacre_record *r)
{
	if (r->kind != NACRE_RECORD_SYMLINK)
		return NULL;
	if (r->value_bytes > NACRE_SYMLINK_MAX || memchr(r->value, 0, r->value_bytes))
		return "record: symlink target";
	return NULL;
}

int nacre_record_validate(const struct nacre_record *record, const char **reason)
{
	const struct nacre_record_rule *rule = nacre_record_rule(record->kind);
	__u32 parts = parts_of(record);

	*reason = NULL;
	if (!rule)
		*reason = "record: kind";
	else if (parts & ~(__u32)(rule->must | rule->may))
		*reason = "record: a field this kind does not have";
	else if ((parts & rule->must) != rule->must)
		*reason = "record: a field is missing";
	if (!*reason)
		*reason = check_flags(rule, record);
	if (!*reason)
		*reason = check_attributes(rule, record);
	if (!*reason)
		*reason = check_names(rule, record);
	if (!*reason)
		*reason = check_symlink(record);
	if (*reason)
		return -EBADMSG;
	return nacre_validate_xattrs(record->xattrs, record->xattrs_bytes, reason);
}
