// SPDX-License-Identifier: GPL-2.0
/*
 * Meaning of messages, one function a message. See validate.h. Sequences inside
 * them are in validate_parts.c, caps in validate_caps.c, object requests in validate_osd.c, what replicas say to each
 * other in validate_replica.c, records in record.c.
 */
#include <linux/errno.h>
#include <linux/string.h>
#include "validate.h"
#include "cap_bits.h"
#include "filelocks.h"
#include "names.h"
#include "placement.h"
#include "record.h"

/* What every check has: the body, and the length of the data payload. NULL = good. */
typedef const char *(*check_fn)(const void *body, __u32 data_bytes);

#define HELLO_NAME_PRINTABLE(c) ((c) >= 0x20 && (c) < 0x7f)

static const char *check_text(const __u8 *text, __u32 bytes)
{
	__u32 i;

	for (i = 0; i < bytes; i++)
		if (!HELLO_NAME_PRINTABLE(text[i]))
			return "text for people is not printable";
	return NULL;
}

/* ---- every connection --------------------------------------------------------------------------- */

static const char *validate_hello(const void *body, __u32 data_bytes)
{
	const struct nacre_hello *m = body;

	if (!m->protocol)
		return "hello: protocol 0";
	if (m->role < NACRE_ROLE_CLIENT || m->role > NACRE_ROLE_TOOL)
		return "hello: role";
	if (m->id && m->role != NACRE_ROLE_OSD && m->role != NACRE_ROLE_MDS)
		return "hello: an id from a sender that has none";
	if (m->required & ~m->features)
		return "hello: requires what it does not support";
	return check_text(m->name, m->name_bytes);
}

static const char *validate_hello_reply(const void *body, __u32 data_bytes)
{
	const struct nacre_hello_reply *m = body;

	if (!m->protocol)
		return "hello reply: protocol 0";
	if (m->required & ~m->features)
		return "hello reply: requires what it does not support";
	if (!m->result && (!m->time_scale_percent || m->time_scale_percent > 100000))
		return "hello reply: time scale";
	if (!m->result && (m->role < NACRE_ROLE_MDS || m->role > NACRE_ROLE_OSD))
		return "hello reply: role";
	return check_text(m->text, m->text_bytes);
}

static const char *validate_map_get(const void *body, __u32 data_bytes)
{
	const struct nacre_map_get *m = body;

	return m->flags & ~(__u32)NACRE_MAP_SUBSCRIBE ? "map get: flags" : NULL;
}

static const char *validate_map(const void *body, __u32 data_bytes)
{
	const char *reason = NULL;

	nacre_validate_map(body, &reason);
	return reason;
}

/* ---- session ------------------------------------------------------------------------------------ */

static const char *validate_session_open(const void *body, __u32 data_bytes)
{
	const struct nacre_session_open *m = body;

	return m->rank < NACRE_MAP_RANKS_MAX ? NULL : "session open: rank";
}

static const char *validate_session_state(const void *body, __u32 data_bytes)
{
	const struct nacre_session_state *m = body;

	if (m->result)
		return NULL;
	if (!m->instance)
		return "session state: no instance";
	if (!m->lease_ms)
		return "session state: no lease";
	if (!m->incarnation)
		return "session state: no incarnation";
	if (m->safe > m->applied)
		return "session state: safe ahead of applied";
	if (m->ino_count && (!m->ino_first || m->ino_first + m->ino_count < m->ino_first))
		return "session state: number range";
	return NULL;
}

static const char *validate_session_renew(const void *body, __u32 data_bytes)
{
	const struct nacre_session_renew *m = body;

	return m->renew_seq ? NULL : "session renew: seq 0";
}

static const char *validate_session_close(const void *body, __u32 data_bytes)
{
	const struct nacre_session_close *m = body;

	if (m->flags & ~(__u32)NACRE_CLOSE_CUT)
		return "session close: flags";
	return m->instance ? NULL : "session close: no instance";
}

static const char *validate_session_killed(const void *body, __u32 data_bytes)
{
	const struct nacre_session_killed *m = body;

	if (!m->result)
		return "session killed: without a reason";
	return check_text(m->text, m->text_bytes);
}

static const char *check_claim(const struct nacre_cap_claim *claim)
{
	if (!claim->ino || !claim->cap_id)
		return "claim: without inode or cap";
	if ((claim->held | claim->wanted) & ~(__u32)NACRE_CAPS_KNOWN)
		return "claim: unknown cap bits";
	if (claim->dirty & ~(__u32)NACRE_GROUPS_ALL)
		return "claim: unknown groups";
	if (claim->flags & ~(__u32)NACRE_CLAIM_OPEN)
		return "claim: flags";
	if (claim->size > NACRE_FILE_MAX || claim->max_size > NACRE_FILE_MAX)
		return "claim: size";
	return NULL;
}

static const char *validate_session_reconnect(const void *body, __u32 data_bytes)
{
	const struct nacre_session_reconnect *m = body;
	int i, count = nacre_array_count(nacre_cap_claim_desc(), m->claims_bytes);
	struct nacre_cap_claim claim;
	const char *reason;

	if (!m->instance)
		return "reconnect: no instance";
	if (m->flags & ~(__u32)NACRE_RECONNECT_MORE)
		return "reconnect: flags";
	if (count < 0)
		return "reconnect: claims' length";
	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_cap_claim_desc(), m->claims, (__u32)i, &claim))
			return "reconnect: a claim's reserved fields";
		reason = check_claim(&claim);
		if (reason)
			return reason;
	}
	return NULL;
}

static const char *validate_session_reconnect_done(const void *body, __u32 data_bytes)
{
	const struct nacre_session_reconnect_done *m = body;

	return m->instance ? NULL : "reconnect done: no instance";
}

static const char *validate_session_filelocks(const void *body, __u32 data_bytes)
{
	const struct nacre_session_filelocks *m = body;
	int i, count = nacre_array_count(nacre_filelock_desc(), m->locks_bytes);
	struct nacre_filelock lock;
	const char *reason;

	if (!m->instance)
		return "file lock claims: no instance";
	if (count <= 0)
		return "file lock claims: none, or their length";
	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_filelock_desc(), m->locks, (__u32)i, &lock))
			return "file lock claims: reserved fields";
		if (!lock.ino || lock.instance != m->instance || lock.lock_mode == NACRE_FILELOCK_UNLOCK)
			return "file lock claims: no lock of the sender";
		reason = nacre_filelock_check(lock.kind, lock.lock_mode, lock.start, lock.last);
		if (reason)
			return reason;
	}
	return NULL;
}

/* ---- requests ----------------------------------------------------------------------------------- */

/* All requests begin with the same fields in the same order. */
struct request_head {
	NACRE_REQUEST_HEAD(NACRE_HF)
};
#define SAME_HEAD(name)									\
	_Static_assert(__builtin_offsetof(struct name, wanted) ==			\
		       __builtin_offsetof(struct request_head, wanted), #name ": request head")
SAME_HEAD(nacre_lookup_req);
SAME_HEAD(nacre_getattr_req);
SAME_HEAD(nacre_open_req);
SAME_HEAD(nacre_readdir_req);
SAME_HEAD(nacre_statfs_req);
SAME_HEAD(nacre_quota_req);
SAME_HEAD(nacre_sync_req);
SAME_HEAD(nacre_record_req);
SAME_HEAD(nacre_filelock_req);

static const char *check_head_with(const void *body, __u32 flags)
{
	const struct request_head *head = body;

	if (!head->tid)
		return "request: tid 0";
	if (head->oldest_tid > head->tid)
		return "request: older than its sender's oldest";
	if (head->flags & ~(flags | NACRE_REQUEST_RESEND | NACRE_REQUEST_WANT_XATTRS |
			    NACRE_REQUEST_NO_CAPS | NACRE_REQUEST_WANT_DATA))
		return "request: flags";
	if (head->wanted & ~(__u32)NACRE_CAPS_KNOWN)
		return "request: unknown cap bits";
	if (head->applied && !(head->flags & NACRE_REQUEST_RESEND))
		return "request: an apply number, but not sent before";
	return NULL;
}

static const char *check_head(const void *body)
{
	return check_head_with(body, 0);
}

static const char *validate_lookup(const void *body, __u32 data_bytes)
{
	const struct nacre_lookup_req *m = body;

	if (!m->parent)
		return "lookup: no directory";
	if (nacre_name_check(m->name, m->name_bytes))
		return "lookup: name";
	return check_head_with(body, NACRE_REQUEST_REPORT);
}

static const char *validate_getattr(const void *body, __u32 data_bytes)
{
	const struct nacre_getattr_req *m = body;

	if (!m->ino)
		return "getattr: no inode";
	if (m->mask & ~(__u32)NACRE_GROUPS_ALL)
		return "getattr: unknown groups";
	return check_head_with(body, NACRE_REQUEST_OF_PARENT | NACRE_REQUEST_REPORT);
}

static const char *validate_open(const void *body, __u32 data_bytes)
{
	const struct nacre_open_req *m = body;

	if (!m->ino)
		return "open: no inode";
	if (m->need & ~(__u32)NACRE_CAPS_KNOWN)
		return "open: unknown cap bits";
	if (m->need & ~m->wanted)
		return "open: needs what it does not want";
	if (m->open_flags & ~(__u32)(NACRE_OPEN_READ | NACRE_OPEN_WRITE))
		return "open: flags";
	return check_head(body);
}

static const char *validate_readdir(const void *body, __u32 data_bytes)
{
	const struct nacre_readdir_req *m = body;

	if (!m->ino)
		return "readdir: no inode";
	if (m->after > NACRE_COOKIE_END)
		return "readdir: cookie";
	if (!m->max_entries || !m->max_bytes)
		return "readdir: room for nothing";
	return check_head(body);
}

static const char *validate_filelock(const void *body, __u32 data_bytes)
{
	const struct nacre_filelock_req *m = body;
	int waits = m->op == NACRE_FILELOCK_WAIT || m->op == NACRE_FILELOCK_CANCEL;

	if (!m->ino)
		return "file lock: no inode";
	if (m->op < NACRE_FILELOCK_TEST || m->op > NACRE_FILELOCK_CANCEL)
		return "file lock: op";
	if (m->lock_mode == NACRE_FILELOCK_UNLOCK && m->op != NACRE_FILELOCK_SET)
		return "file lock: an unlock that tests or waits";
	if (waits != !!m->waiter)
		return "file lock: waiter";
	return nacre_filelock_check(m->kind, m->lock_mode, m->start, m->last) ?: check_head(body);
}

static const char *validate_quota(const void *body, __u32 data_bytes)
{
	const struct nacre_quota_req *m = body;

	return m->ino ? check_head(body) : "quota: no inode";
}

static const char *validate_head_only(const void *body, __u32 data_bytes)
{
	return check_head(body);
}

static const char *check_record(const void *body, __u16 kind)
{
	const struct nacre_record_req *m = body;
	struct nacre_record record;
	const char *reason = check_head(body);

	if (reason)
		return reason;
	if (m->kind != kind)
		return "record: kind is not the message's";
	nacre_record_from_req(&record, m);
	nacre_record_validate(&record, &reason);
	return reason;
}

#define RECORD_CHECK(number, NAME, needs, doc)						\
	static const char *validate_record_##NAME(const void *body, __u32 data_bytes)	\
	{										\
		return check_record(body, NACRE_RECORD_##NAME);				\
	}
NACRE_RECORDS(RECORD_CHECK)

/* ---- answers ------------------------------------------------------------------------------------ */

#define REPLY_ROLES (1u << NACRE_TRACE_TARGET | 1u << NACRE_TRACE_PARENT | \
		     1u << NACRE_TRACE_PARENT2 | 1u << NACRE_TRACE_VICTIM)

static const char *validate_reply(const void *body, __u32 data_bytes)
{
	const struct nacre_reply *m = body;
	struct nacre_reader r = nacre_reader(m->traces, m->traces_bytes);
	struct nacre_inode_info info;
	const char *reason;

	if (!m->tid)
		return "reply: tid 0";
	if (m->flags & ~(__u32)(NACRE_REPLY_SAFE | NACRE_REPLY_END | NACRE_REPLY_CREATED | NACRE_REPLY_QUEUED))
		return "reply: flags";
	while (nacre_reader_left(&r)) {
		if (nacre_decode(nacre_inode_info_desc(), &r, &info))
			return "reply: a trace that cannot be decoded";
		if (nacre_validate_info(&info, REPLY_ROLES, &reason))
			return reason;
	}
	return NULL;
}

static const char *validate_safe(const void *body, __u32 data_bytes)
{
	const struct nacre_safe *m = body;

	return m->safe ? NULL : "safe: nothing is";
}

static const char *validate_filelock_granted(const void *body, __u32 data_bytes)
{
	const struct nacre_filelock_granted *m = body;

	return m->ino && m->waiter ? NULL : "file lock granted: to nobody";
}

/* ---- objects --------------------------------------------------------------------------------- */

static const char *validate_osd_request(const void *body, __u32 data_bytes)
{
	const char *reason = NULL;

	nacre_validate_osd_request(body, data_bytes, &reason);
	return reason;
}

static const char *validate_osd_reply(const void *body, __u32 data_bytes)
{
	const char *reason = NULL;

	nacre_validate_osd_reply(body, data_bytes, &reason);
	return reason;
}

static const char *validate_osd_statfs(const void *body, __u32 data_bytes)
{
	const struct nacre_osd_statfs_req *m = body;

	return m->tid ? NULL : "OSD statfs: tid 0";
}

static const char *validate_osd_statfs_reply(const void *body, __u32 data_bytes)
{
	const struct nacre_osd_statfs *m = body;

	if (!m->tid)
		return "OSD statfs reply: tid 0";
	return m->bytes_free > m->bytes_total ? "OSD statfs reply: more free than there is" : NULL;
}

/* ---- the table ---------------------------------------------------------------------------------- */

struct check_row {
	__u16 type;
	check_fn check;
};

#define RECORD_ROW(number, NAME, needs, doc) { NACRE_MSG_##NAME, validate_record_##NAME },

static const struct check_row checks[] = {
	{ NACRE_MSG_HELLO, validate_hello },
	{ NACRE_MSG_HELLO_REPLY, validate_hello_reply },
	{ NACRE_MSG_MAP_GET, validate_map_get },
	{ NACRE_MSG_MAP, validate_map },
	{ NACRE_MSG_SESSION_OPEN, validate_session_open },
	{ NACRE_MSG_SESSION_STATE, validate_session_state },
	{ NACRE_MSG_SESSION_RENEW, validate_session_renew },
	{ NACRE_MSG_SESSION_CLOSE, validate_session_close },
	{ NACRE_MSG_SESSION_KILLED, validate_session_killed },
	{ NACRE_MSG_SESSION_RECONNECT, validate_session_reconnect },
	{ NACRE_MSG_SESSION_RECONNECT_DONE, validate_session_reconnect_done },
	{ NACRE_MSG_SESSION_FILELOCKS, validate_session_filelocks },
	{ NACRE_MSG_LOOKUP, validate_lookup },
	{ NACRE_MSG_GETATTR, validate_getattr },
	{ NACRE_MSG_OPEN, validate_open },
	{ NACRE_MSG_READDIR, validate_readdir },
	{ NACRE_MSG_STATFS, validate_head_only },
	{ NACRE_MSG_QUOTA, validate_quota },
	{ NACRE_MSG_SYNC, validate_head_only },
	{ NACRE_MSG_FILELOCK, validate_filelock },
	NACRE_RECORDS(RECORD_ROW)
	{ NACRE_MSG_REPLY, validate_reply },
	{ NACRE_MSG_SAFE, validate_safe },
	{ NACRE_MSG_FILELOCK_GRANTED, validate_filelock_granted },
	{ NACRE_MSG_OSD_REQUEST, validate_osd_request },
	{ NACRE_MSG_OSD_REPLY, validate_osd_reply },
	{ NACRE_MSG_OSD_STATFS, validate_osd_statfs },
	{ NACRE_MSG_OSD_STATFS_REPLY, validate_osd_statfs_reply },
};

int nacre_validate(__u16 type, const void *body, __u32 data_bytes, const char **reason)
{
	unsigned int i;

	if (type >= NACRE_MSG_REP_APPLY && type < NACRE_MSG_LIMIT)
		return nacre_validate_replica(type, body, data_bytes, reason);
	if (type >= NACRE_MSG_CAP_GRANT && type < NACRE_MSG_OSD_REQUEST)
		return nacre_validate_caps(type, body, reason);
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i].type != type)
			continue;
		*reason = checks[i].check(body, data_bytes);
		return *reason ? -EBADMSG : 0;
	}
	*reason = "a message type nobody knows";
	return -EBADMSG;
}

#define BODY_FITS(NAME, number, body, sender, data_max, doc)				\
	_Static_assert(sizeof(struct body) <= NACRE_BODY_HOST_MAX, #NAME ": host struct");
NACRE_MESSAGES(BODY_FITS)

int nacre_open_body(const struct nacre_message *row, const void *bytes, size_t length,
		    __u32 data_bytes, void *body, const char **reason)
{
	if (nacre_decode_all(row->body(), bytes, length, body)) {
		*reason = "body cannot be decoded";
		return -EBADMSG;
	}
	return nacre_validate(row->type, body, data_bytes, reason);
}
