/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a decoded message means: the second of the three layers decode → validate →
 * handle. A handler sees only what has passed here, so it checks no lengths, no enums, no flags.
 *
 * One row per message; nested sequences (traces, claims, operations, xattrs, records) are
 * checked with it. What needs state (does the inode exist, is the instance dead) is the handler's.
 * Every check returns 0, or -EBADMSG with *reason, a static text for the one log line;
 * reason is never NULL then. Pure.
 */
#ifndef NACRE_RULES_VALIDATE_H
#define NACRE_RULES_VALIDATE_H

#include "../codec.h"
#include "../messages.h"

/*
 * Validate a decoded body of message `type`. data_bytes: length of the frame's data payload.
 * -EBADMSG also for an unknown type.
 */
int nacre_validate(__u16 type, const void *body, __u32 data_bytes, const char **reason);

/* Decode and validate in one go: what a dispatcher calls. `body` has room for the row's host_bytes. */
int nacre_open_body(const struct nacre_message *row, const void *bytes, size_t length,
		    __u32 data_bytes, void *body, const char **reason);

/* Largest host struct of any message: room for a body on the stack or in a request. */
#define NACRE_BODY_HOST_MAX 320

/* ---- pieces, for those who meet them outside a message (journal, tests) ------------------------ */

/* An inode as shown in a reply, a grant or a listing entry; role is checked against `roles` (bits 1 << role). */
int nacre_validate_info(const struct nacre_inode_info *info, __u32 roles, const char **reason);

/* A nacre_xattr sequence: good names, exactly to its end. A name that comes twice means its last value. */
int nacre_validate_xattrs(const __u8 *bytes, __u32 length, const char **reason);

/* READDIR's extra: a nacre_dirent sequence with ascending positions and good names. */
int nacre_validate_dirents(const __u8 *bytes, __u32 length, const char **reason);

/* An object request's operations against its input and data payload. */
int nacre_validate_osd_request(const struct nacre_osd_request *request, __u32 data_bytes,
			       const char **reason);

/* The same for a transaction as a primary resolved it: it may have come down to no operation at all. */
int nacre_validate_osd_transaction(const struct nacre_osd_request *request, __u32 data_bytes,
				   const char **reason);

/* Results against output and data payload. */
int nacre_validate_osd_reply(const struct nacre_osd_reply *reply, __u32 data_bytes,
			     const char **reason);

/* Messages about caps and sizes, type CAP_… and SIZE_…: called by nacre_validate. */
int nacre_validate_caps(__u16 type, const void *body, const char **reason);

/* Messages between the OSDs of a group, type REP_…: called by nacre_validate. */
int nacre_validate_replica(__u16 type, const void *body, __u32 data_bytes, const char **reason);

/* The cluster map (placement.h does the work). */
int nacre_validate_map(const struct nacre_map *map, const char **reason);

/* ---- walking sequences that have been validated ------------------------------------------------- */

/* Next xattr, dirent, trace or cap update of a sequence; 1, or 0 at the end. */
int nacre_xattr_next(struct nacre_reader *r, struct nacre_xattr *xattr);
int nacre_dirent_next(struct nacre_reader *r, struct nacre_dirent *dirent);
int nacre_trace_next(struct nacre_reader *r, struct nacre_inode_info *info);
int nacre_cap_update_next(struct nacre_reader *r, struct nacre_cap_update *update);

/* The first trace with this role: 1 and *info, or 0. */
int nacre_trace_find(const struct nacre_reply *reply, __u8 role, struct nacre_inode_info *info);

/* Where the operations of an object request stand in input and data payload. */
struct nacre_osd_cursor {
	const struct nacre_osd_request *request;
	__u32 index;			/* of the next operation */
	__u32 input_at;			/* bytes of input taken so far */
	__u32 data_at;			/* bytes of data payload taken so far */
};

/* One operation with its inputs found. */
struct nacre_osd_step {
	struct nacre_osd_op op;
	const __u8 *name;		/* op.name_size bytes */
	const __u8 *value;		/* op.value_size bytes */
	__u32 data_offset;		/* WRITE, WRITE_FULL: op.length bytes of the data payload from here */
};

void nacre_osd_cursor(struct nacre_osd_cursor *cursor, const struct nacre_osd_request *request);

/* Next operation of a validated request; 1, or 0 at the end. */
int nacre_osd_next(struct nacre_osd_cursor *cursor, struct nacre_osd_step *step);

/* Does the operation change the object? And does the request? */
int nacre_osd_op_writes(__u16 code);
int nacre_osd_request_writes(const struct nacre_osd_request *request);

#endif
