/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Namespace records: which fields each kind must, may and must not set, and the
 * way between a record and the request that carries it. One table (RECORDS in
 * protocol/mds.h has the letters for people; the rows here are the same for the machine).
 */
#ifndef NACRE_RULES_RECORD_H
#define NACRE_RULES_RECORD_H

#include "../mds.h"

/* Parts of a record. */
enum nacre_record_part {
	NACRE_PART_PARENT = 1,
	NACRE_PART_NAME = 2,
	NACRE_PART_INO = 4,
	NACRE_PART_SECOND = 8,		/* parent2 and name2 */
	NACRE_PART_ATTRS = 16,		/* set_mask and the attributes it names */
	NACRE_PART_VALUE = 32,
	NACRE_PART_XATTRS = 64,
	NACRE_PART_DATA = 128,
	NACRE_PART_RDEV = 256,
};

/*
 * One row per kind. ctime, the time of the operation, may be set with every kind.
 * file_types: bit (mode >> 12) for each type that a creating kind may make; 0 = creates nothing.
 */
struct nacre_record_rule {
	__u16 kind;			/* enum nacre_record_kind */
	__u16 must;			/* enum nacre_record_part */
	__u16 may;
	__u16 record_flags;		/* flags allowed */
	__u16 rename_flags;
	__u16 xattr_flags;
	__u32 set_mask;			/* bits allowed */
	__u32 set_must;			/* bits demanded */
	__u32 file_types;
	const char *name;
};

/* The row of a kind, or NULL. */
const struct nacre_record_rule *nacre_record_rule(__u16 kind);

/* Record kind of a request's message type (CREATE → CREATE …), or 0; and back. */
__u16 nacre_record_kind_of(__u16 message_type);
__u16 nacre_record_message(__u16 kind);

/* Copy the record out of a request, or into one (whose head stays as it is). Tails are shared, not copied. */
void nacre_record_from_req(struct nacre_record *record, const struct nacre_record_req *req);
void nacre_record_to_req(struct nacre_record_req *req, const struct nacre_record *record);

/* Does the record mean something? 0 or -EBADMSG with *reason, a static text. */
int nacre_record_validate(const struct nacre_record *record, const char **reason);

#endif
