// SPDX-License-Identifier: GPL-2.0
/* Meaning of messages about caps, and of size reports. See validate.h. */
#include <linux/errno.h>
#include "validate.h"
#include "cap_bits.h"

static const char *validate_cap_grant(const void *body)
{
	const struct nacre_cap_grant *m = body;
	struct nacre_inode_info info;
	const char *reason = NULL;

	if (nacre_decode_all(nacre_inode_info_desc(), m->info, m->info_bytes, &info))
		return "grant: an info that cannot be decoded";
	if (!info.cap_id)
		return "grant: of no cap";
	nacre_validate_info(&info, 1u << NACRE_TRACE_GRANT, &reason);
	return reason;
}

static const char *validate_cap_revoke(const void *body)
{
	const struct nacre_cap_revoke *m = body;

	if (!m->ino || !m->cap_id || !m->cap_seq)
		return "revoke: of no cap";
	return m->keep & ~(__u32)NACRE_CAPS_KNOWN ? "revoke: unknown cap bits" : NULL;
}

#define UPDATE_FLAGS (NACRE_CAP_UPDATE_ANSWER | NACRE_CAP_UPDATE_UNKNOWN | \
		      NACRE_CAP_UPDATE_WAITING | NACRE_CAP_UPDATE_UNINLINED | \
		      NACRE_CAP_UPDATE_SYNC | NACRE_CAP_UPDATE_HAS_DATA | NACRE_CAP_UPDATE_KEEPS)
#define INLINE_FLAGS (NACRE_CAP_UPDATE_UNINLINED | NACRE_CAP_UPDATE_HAS_DATA)

/* Inline data goes with a flush of FILE: it stays in the inode, or has left it. */
static const char *check_update_inline(const struct nacre_cap_update *m)
{
	if (!(m->update_flags & INLINE_FLAGS))
		return m->data_bytes || m->inline_gen ? "cap update: inline data without its flag" : NULL;
	if ((m->update_flags & INLINE_FLAGS) == INLINE_FLAGS)
		return "cap update: inline data that has left";
	if (!m->inline_gen || !(m->dirty & NACRE_GROUP_FILE))
		return "cap update: inline data without generation or flush";
	if (m->data_bytes && (m->update_flags & NACRE_CAP_UPDATE_UNINLINED))
		return "cap update: inline data that has left";
	return m->data_bytes > m->size ? "cap update: inline data behind the end" : NULL;
}

static const char *validate_cap_update(const void *body)
{
	const struct nacre_cap_update *m = body;
	const char *reason = NULL;

	if (!m->ino || !m->cap_id)
		return "cap update: of no cap";
	if ((m->held | m->wanted) & ~(__u32)NACRE_CAPS_KNOWN)
		return "cap update: unknown cap bits";
	if (m->dirty & ~(__u32)NACRE_GROUPS_ALL)
		return "cap update: unknown groups";
	if (m->update_flags & ~(__u32)UPDATE_FLAGS)
		return "cap update: flags";
	if ((m->update_flags & NACRE_CAP_UPDATE_UNKNOWN) && (m->held || m->dirty))
		return "cap update: unknown inode, but something of it held or dirty";
	if ((m->update_flags & NACRE_CAP_UPDATE_WAITING) &&
	    (m->update_flags & NACRE_CAP_UPDATE_ANSWER))
		return "cap update: waits and answers";
	if (!m->flush_id != !m->dirty)
		return "cap update: flush id and dirty groups do not go together";
	if (m->oldest_flush > m->flush_id && m->flush_id)
		return "cap update: flush older than the oldest";
	if (m->mode >> 16)
		return "cap update: mode";
	if (m->size > NACRE_FILE_MAX || m->max_size_wanted > NACRE_FILE_MAX)
		return "cap update: size";
	if ((m->update_flags & NACRE_CAP_UPDATE_KEEPS) &&
	    (!m->max_size_wanted || !(m->dirty & NACRE_GROUP_FILE)))
		return "cap update: room without an end or a flush";
	if (m->xattrs_bytes && !(m->dirty & NACRE_GROUP_XATTR))
		return "cap update: xattrs that are not dirty";
	reason = check_update_inline(m);
	if (reason)
		return reason;
	nacre_validate_xattrs(m->xattrs, m->xattrs_bytes, &reason);
	return reason;
}

static const char *validate_cap_updates(const void *body)
{
	const struct nacre_cap_updates *m = body;
	struct nacre_reader r = nacre_reader(m->updates, m->updates_bytes);
	struct nacre_cap_update update;
	const char *reason;
	int count = 0;

	for (; nacre_cap_update_next(&r, &update); count++) {
		reason = validate_cap_update(&update);
		if (reason)
			return reason;
	}
	if (nacre_reader_left(&r))
		return "cap updates: one cannot be decoded";
	return count < 2 ? "cap updates: not several" : NULL;
}

static const char *validate_cap_revokes(const void *body)
{
	const struct nacre_cap_revokes *m = body;
	int i, count = nacre_array_count(nacre_cap_revoke_desc(), m->revokes_bytes);
	struct nacre_cap_revoke revoke;
	const char *reason;

	if (count < 2)
		return "cap revokes: not several, or their length";
	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_cap_revoke_desc(), m->revokes, (__u32)i, &revoke))
			return "cap revokes: one cannot be decoded";
		reason = validate_cap_revoke(&revoke);
		if (reason)
			return reason;
	}
	return NULL;
}

static const char *validate_cap_flush_ack(const void *body)
{
	const struct nacre_cap_flush_ack *m = body;

	if (!m->ino || !m->flush_id)
		return "flush ack: of no flush";
	return m->flags & ~(__u32)NACRE_FLUSH_ACK_SAFE ? "flush ack: flags" : NULL;
}

static const char *validate_cap_release(const void *body)
{
	const struct nacre_cap_release *m = body;
	int i, count = nacre_array_count(nacre_cap_ref_desc(), m->caps_bytes);
	struct nacre_cap_ref ref;

	if (count <= 0)
		return "release: of nothing, or its length";
	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_cap_ref_desc(), m->caps, (__u32)i, &ref))
			return "release: an entry's reserved fields";
		if (!ref.ino || !ref.cap_id || !ref.cap_seq)
			return "release: of no cap";
	}
	return NULL;
}

/* ---- size reports ----------------------------------------------------------------------------- */

static const char *validate_size_ask(const void *body)
{
	const struct nacre_size_ask *m = body;

	return m->ino && m->cap_id && m->ask_id ? NULL : "size ask: of no cap, or no question";
}

static const char *validate_size_report(const void *body)
{
	const struct nacre_size_report *m = body;

	if (!m->ino || !m->cap_id || !m->ask_id)
		return "size report: of no cap, or to no question";
	if (m->report_flags & ~(__u32)(NACRE_SIZE_REPORT_NONE | NACRE_SIZE_REPORT_CLEAN) ||
	    m->report_flags == (NACRE_SIZE_REPORT_NONE | NACRE_SIZE_REPORT_CLEAN))
		return "size report: flags";
	if (m->size > NACRE_FILE_MAX)
		return "size report: size";
	if (m->report_flags && (m->size || m->written || m->atime || m->mtime || m->ctime))
		return "size report: there are no values, and it has some";
	return NULL;
}

/* ---- the table ---------------------------------------------------------------------------------- */

struct check_row {
	__u16 type;
	const char *(*check)(const void *body);
};

static const struct check_row checks[] = {
	{ NACRE_MSG_CAP_GRANT, validate_cap_grant },
	{ NACRE_MSG_CAP_REVOKE, validate_cap_revoke },
	{ NACRE_MSG_CAP_UPDATE, validate_cap_update },
	{ NACRE_MSG_CAP_FLUSH_ACK, validate_cap_flush_ack },
	{ NACRE_MSG_CAP_RELEASE, validate_cap_release },
	{ NACRE_MSG_CAP_UPDATES, validate_cap_updates },
	{ NACRE_MSG_CAP_REVOKES, validate_cap_revokes },
	{ NACRE_MSG_SIZE_ASK, validate_size_ask },
	{ NACRE_MSG_SIZE_REPORT, validate_size_report },
};

int nacre_validate_caps(__u16 type, const void *body, const char **reason)
{
	unsigned int i;

	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i].type != type)
			continue;
		*reason = checks[i].check(body);
		return *reason ? -EBADMSG : 0;
	}
	*reason = "a message type nobody knows";
	return -EBADMSG;
}
