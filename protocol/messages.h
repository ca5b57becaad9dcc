/* SPDX-License-Identifier: GPL-2.0 */
/*
 * THE table: every message there is. From it come the enum, the names, the
 * limits, dispatch in module and servers, the fuzz targets, the golden files,
 * nacre-wiredump and the manual.
 *
 *	M(NAME, number, body structure, who sends it, largest data payload, what it says)
 *
 * Senders: C client, M metadata server, O object server, or several.
 * Numbers are never used again for something else.
 */
#ifndef NACRE_MESSAGES_H
#define NACRE_MESSAGES_H

#include "structs.h"

enum nacre_sender {
	NACRE_FROM_CLIENT = 1,
	NACRE_FROM_MDS = 2,
	NACRE_FROM_OSD = 4,
	NACRE_FROM_TOOL = 8,
	NACRE_FROM_ANY = 15,
};
#define NACRE_FROM_C NACRE_FROM_CLIENT
#define NACRE_FROM_M NACRE_FROM_MDS
#define NACRE_FROM_O NACRE_FROM_OSD
#define NACRE_FROM_CMT (NACRE_FROM_CLIENT | NACRE_FROM_MDS | NACRE_FROM_TOOL)
#define NACRE_FROM_MO (NACRE_FROM_MDS | NACRE_FROM_OSD)

#define NACRE_MESSAGES(M)								\
	/* every connection */								\
	M(HELLO, 1, nacre_hello, NACRE_FROM_ANY, 0, "the dialler says who it is")	\
	M(HELLO_REPLY, 2, nacre_hello_reply, NACRE_FROM_ANY, 0, "the listener accepts or refuses") \
	M(MAP_GET, 3, nacre_map_get, NACRE_FROM_ANY, 0, "send me the map")		\
	M(MAP, 4, nacre_map, NACRE_FROM_MO, 0, "the cluster map")			\
	/* session of a client at a rank */						\
	M(SESSION_OPEN, 16, nacre_session_open, NACRE_FROM_C, 0, "begin a session")	\
	M(SESSION_STATE, 17, nacre_session_state, NACRE_FROM_M, 0, "the session as the rank sees it") \
	M(SESSION_RENEW, 18, nacre_session_renew, NACRE_FROM_C, 0, "keep the lease (keepalive)") \
	M(SESSION_CLOSE, 19, nacre_session_close, NACRE_FROM_C, 0, "end the session")	\
	M(SESSION_KILLED, 20, nacre_session_killed, NACRE_FROM_M, 0, "the rank has ended the session") \
	M(SESSION_RECONNECT, 21, nacre_session_reconnect, NACRE_FROM_C, 0, "claims on caps, to a new incarnation") \
	M(SESSION_RECONNECT_DONE, 22, nacre_session_reconnect_done, NACRE_FROM_C, 0, "all claims and old requests are sent") \
	M(SESSION_FILELOCKS, 23, nacre_session_filelocks, NACRE_FROM_C, 0, "file locks held, to a new incarnation") \
	/* requests that read */							\
	M(LOOKUP, 32, nacre_lookup_req, NACRE_FROM_C, 0, "look a name up")		\
	M(GETATTR, 33, nacre_getattr_req, NACRE_FROM_C, 0, "current attributes of an inode") \
	M(OPEN, 34, nacre_open_req, NACRE_FROM_C, 0, "caps for an open file")		\
	M(READDIR, 35, nacre_readdir_req, NACRE_FROM_C, 0, "list a directory with attributes") \
	M(STATFS, 36, nacre_statfs_req, NACRE_FROM_C, 0, "space and counts")		\
	M(SYNC, 37, nacre_sync_req, NACRE_FROM_C, 0, "answer when all is journaled")	\
	M(FILELOCK, 38, nacre_filelock_req, NACRE_FROM_C, 0, "take, test or give up a file lock; wait for one") \
	M(QUOTA, 39, nacre_quota_req, NACRE_FROM_C, 0, "the quota that an inode counts in, and its use") \
	/* requests that change: one record each */					\
	M(CREATE, 48, nacre_record_req, NACRE_FROM_C, 0, "make or open a regular file")	\
	M(MKDIR, 49, nacre_record_req, NACRE_FROM_C, 0, "make a directory")		\
	M(MKNOD, 50, nacre_record_req, NACRE_FROM_C, 0, "make a special file")		\
	M(SYMLINK, 51, nacre_record_req, NACRE_FROM_C, 0, "make a symbolic link")	\
	M(LINK, 52, nacre_record_req, NACRE_FROM_C, 0, "add a name")			\
	M(UNLINK, 53, nacre_record_req, NACRE_FROM_C, 0, "remove a name")		\
	M(RMDIR, 54, nacre_record_req, NACRE_FROM_C, 0, "remove a directory")		\
	M(RENAME, 55, nacre_record_req, NACRE_FROM_C, 0, "move or exchange names")	\
	M(SETATTR, 56, nacre_record_req, NACRE_FROM_C, 0, "set attributes")		\
	M(SETXATTR, 57, nacre_record_req, NACRE_FROM_C, 0, "set an extended attribute")	\
	M(RMXATTR, 58, nacre_record_req, NACRE_FROM_C, 0, "remove an extended attribute") \
	M(TMPFILE, 59, nacre_record_req, NACRE_FROM_C, 0, "make a file without a name")	\
	/* answers */									\
	M(REPLY, 64, nacre_reply, NACRE_FROM_M, 0, "answers a request")			\
	M(SAFE, 65, nacre_safe, NACRE_FROM_M, 0, "what is journaled by now")		\
	M(FILELOCK_GRANTED, 66, nacre_filelock_granted, NACRE_FROM_M, 0, "a wait for a file lock is over") \
	/* caps */									\
	M(CAP_GRANT, 80, nacre_cap_grant, NACRE_FROM_M, 0, "caps and attributes")	\
	M(CAP_REVOKE, 81, nacre_cap_revoke, NACRE_FROM_M, 0, "give caps back")		\
	M(CAP_UPDATE, 82, nacre_cap_update, NACRE_FROM_C, 0, "answer a revoke, flush, want") \
	M(CAP_FLUSH_ACK, 83, nacre_cap_flush_ack, NACRE_FROM_M, 0, "a flush is taken in") \
	M(CAP_RELEASE, 84, nacre_cap_release, NACRE_FROM_C, 0, "caps not needed any more") \
	M(CAP_UPDATES, 85, nacre_cap_updates, NACRE_FROM_C, 0, "several CAP_UPDATEs in one") \
	M(SIZE_ASK, 86, nacre_size_ask, NACRE_FROM_M, 0, "how large is the file that you write") \
	M(SIZE_REPORT, 87, nacre_size_report, NACRE_FROM_C, 0, "so large; all caps stay where they are") \
	M(CAP_REVOKES, 88, nacre_cap_revokes, NACRE_FROM_M, 0, "several CAP_REVOKEs in one") \
	/* objects */									\
	M(OSD_REQUEST, 96, nacre_osd_request, NACRE_FROM_CMT, NACRE_DATA_MAX, "operations on one object") \
	M(OSD_REPLY, 97, nacre_osd_reply, NACRE_FROM_O, NACRE_DATA_MAX, "their results")	\
	M(OSD_STATFS, 98, nacre_osd_statfs_req, NACRE_FROM_CMT, 0, "space of one OSD")	\
	M(OSD_STATFS_REPLY, 99, nacre_osd_statfs, NACRE_FROM_O, 0, "its answer")	\
	/* replicas */									\
	M(REP_APPLY, 112, nacre_rep_apply, NACRE_FROM_O, NACRE_DATA_MAX, "make a transaction durable") \
	M(REP_DONE, 113, nacre_rep_done, NACRE_FROM_O, 0, "it is durable here")		\
	M(REP_COMMITTED, 114, nacre_rep_committed, NACRE_FROM_O, 0, "so much is durable everywhere") \
	M(REP_QUERY, 115, nacre_rep_query, NACRE_FROM_O, 0, "how far does your log go")	\
	M(REP_INFO, 116, nacre_rep_info, NACRE_FROM_O, 0, "so far")			\
	M(REP_FETCH, 117, nacre_rep_fetch, NACRE_FROM_O, 0, "send me transactions")	\
	M(REP_TRANSACTION, 118, nacre_rep_apply, NACRE_FROM_O, NACRE_DATA_MAX, "one of them") \
	M(REP_LIST, 119, nacre_rep_list, NACRE_FROM_O, 0, "which objects have you")	\
	M(REP_LISTED, 120, nacre_rep_listed, NACRE_FROM_O, 0, "these")			\
	M(REP_OBJECT, 121, nacre_rep_object, NACRE_FROM_O, NACRE_DATA_MAX, "a part of an object") \
	M(REP_OBJECT_DONE, 122, nacre_rep_object_done, NACRE_FROM_O, 0, "it is stored here") \
	M(REP_LOG, 123, nacre_rep_log, NACRE_FROM_O, 0, "the log that belongs to the objects sent") \
	M(REP_SCRUB, 124, nacre_rep_scrub, NACRE_FROM_O, NACRE_DATA_MAX, "is your replica of an object right; its bytes; right bytes for it") \
	M(REP_SCRUBBED, 125, nacre_rep_scrubbed, NACRE_FROM_O, NACRE_DATA_MAX, "so it stands here") \
	M(REP_UNSTABLE, 126, nacre_rep_unstable, NACRE_FROM_O, 0, "what a crash may have torn here")

#define NACRE_MESSAGE_ENUM(NAME, number, body, sender, data_max, doc) NACRE_MSG_##NAME = number,
enum nacre_message_type {
	NACRE_MESSAGES(NACRE_MESSAGE_ENUM)
	NACRE_MSG_LIMIT = 128,		/* every number is below it */
};

/* One row, as dispatch, dump and tests see it. */
struct nacre_message {
	__u16 type;
	__u8 sender;				/* enum nacre_sender, or'ed */
	__u32 data_max;				/* bytes */
	const char *name;
	const struct nacre_struct *(*body)(void);
	const char *doc;
};

/* The row of a type, or NULL. */
const struct nacre_message *nacre_message_find(__u16 type);

/* All rows. */
const struct nacre_message *nacre_message_table(unsigned int *count);

#endif
