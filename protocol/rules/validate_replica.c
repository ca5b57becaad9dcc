// SPDX-License-Identifier: GPL-2.0
/* Meaning of what the OSDs of a placement group say to each other. See validate.h, protocol/replica.h. */
#include <linux/errno.h>
#include "validate.h"
#include "extents.h"

/* All replica messages begin with the group and the interval. */
struct pg_head {
	NACRE_PG_HEAD(NACRE_HF)
};

static const char *check_head(const void *body)
{
	const struct pg_head *head = body;

	if (head->pool >= NACRE_MAP_POOLS_MAX || head->pg >= NACRE_MAP_PGS_MAX)
		return "replica: pool or group";
	return head->interval ? NULL : "replica: no interval";
}

static const char *check_entry(const struct nacre_rep_entry *entry, __u64 newest_interval)
{
	if (!entry->number)
		return "replica: log entry without a number";
	if (!entry->interval || entry->interval > newest_interval)
		return "replica: log entry's interval";
	if (entry->op_count > NACRE_OSD_OPS_MAX)
		return "replica: log entry's number of operations";
	return NULL;
}

/* A sequence of entries, numbers without a gap. *first, *last: 0 when there are none. */
static const char *check_entries(const __u8 *bytes, __u32 length, __u64 newest_interval,
				 __u64 *first, __u64 *last)
{
	struct nacre_reader r = nacre_reader(bytes, length);
	struct nacre_rep_entry entry;
	const char *reason;
	__u32 count = 0;

	*first = 0;
	*last = 0;
	while (nacre_reader_left(&r)) {
		if (nacre_decode(nacre_rep_entry_desc(), &r, &entry))
			return "replica: log entry that cannot be decoded";
		reason = check_entry(&entry, newest_interval);
		if (reason)
			return reason;
		if (*last && entry.number != *last + 1)
			return "replica: a gap in the log";
		if (++count > NACRE_REP_LIST_MAX)
			return "replica: too many log entries";
		if (!*first)
			*first = entry.number;
		*last = entry.number;
	}
	return NULL;
}

static const char *check_apply(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_apply *m = body;
	struct nacre_osd_request request;
	struct nacre_rep_entry entry;
	const char *reason = NULL;

	if (!m->number || m->committed > m->number)
		return "replica: number";
	if (nacre_decode_all(nacre_rep_entry_desc(), m->entry, m->entry_bytes, &entry))
		return "replica: log entry that cannot be decoded";
	if (entry.number != m->number)
		return "replica: log entry of another number";
	reason = check_entry(&entry, m->interval);
	if (reason)
		return reason;
	if (nacre_decode_all(nacre_osd_request_desc(), m->transaction, m->transaction_bytes,
			     &request))
		return "replica: transaction that cannot be decoded";
	if (request.pool != m->pool || request.pg != m->pg)
		return "replica: transaction of another group";
	nacre_validate_osd_transaction(&request, data_bytes, &reason);
	return reason;
}

static const char *check_info(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_info *m = body;
	__u64 first, last;
	const char *reason = check_entries(m->entries, m->entries_bytes, m->interval, &first, &last);

	if (reason)
		return reason;
	if (m->first > m->last || m->committed > m->last)
		return "replica: log's bounds";
	if (last && (first < m->first || last > m->last))
		return "replica: log entries out of its bounds";
	return NULL;
}

static const char *check_query(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_query *m = body;

	return m->flags & ~(__u32)NACRE_REP_QUERY_LOG ? "replica: query's flags" : NULL;
}

static const char *check_fetch(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_fetch *m = body;

	return m->first && m->first <= m->last ? NULL : "replica: fetch of nothing";
}

static const char *check_list(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_list *m = body;

	if (m->flags & ~(__u32)NACRE_REP_LIST_FIRST)
		return "replica: list's flags";
	if (!m->count || m->count > NACRE_REP_LIST_MAX)
		return "replica: list's count";
	return NULL;
}

static int object_order(const struct nacre_rep_listed_object *a,
			const struct nacre_rep_listed_object *b)
{
	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	return a->snap < b->snap ? -1 : a->snap > b->snap;
}

static const char *check_listed(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_listed *m = body;
	int i, count = nacre_array_count(nacre_rep_listed_object_desc(), m->objects_bytes);
	struct nacre_rep_listed_object object, before = { 0 };

	if (m->flags & ~(__u32)NACRE_REP_LIST_MORE)
		return "replica: listing's flags";
	if (count < 0)
		return "replica: listing's length";
	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_rep_listed_object_desc(), m->objects, (__u32)i, &object))
			return "replica: listed object";
		if (i && object_order(&before, &object) >= 0)
			return "replica: listing out of order";
		before = object;
	}
	return NULL;
}

/* A nacre_key_value sequence. */
static const char *check_pairs(const __u8 *bytes, __u32 length)
{
	struct nacre_reader r = nacre_reader(bytes, length);
	struct nacre_key_value pair;

	while (nacre_reader_left(&r))
		if (nacre_decode(nacre_key_value_desc(), &r, &pair) || !pair.key_bytes)
			return "replica: attribute or key";
	return NULL;
}

#define WHOLE (NACRE_REP_OBJECT_FIRST | NACRE_REP_OBJECT_LAST)

/* Runs of unwritten blocks. Validation sees the length of the payload; its elements are judged where they are used. */
static const char *check_room(const struct nacre_rep_object *m, __u32 data_bytes)
{
	if ((m->flags & NACRE_REP_OBJECT_ABSENT) || m->offset || !data_bytes ||
	    nacre_array_count(nacre_osd_extent_desc(), data_bytes) < 0)
		return "replica: object's room";
	return NULL;
}

static const char *check_object(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_object *m = body;
	const char *reason;

	if (!m->part || !m->ino || !m->snap)
		return "replica: part of no object";
	if (m->flags & ~(__u32)(WHOLE | NACRE_REP_OBJECT_ABSENT | NACRE_REP_OBJECT_ROOM))
		return "replica: object's flags";
	if ((m->flags & NACRE_REP_OBJECT_ABSENT) &&
	    ((m->flags & WHOLE) != WHOLE || data_bytes || m->attributes_bytes || m->keys_bytes))
		return "replica: an absent object that is there";
	if (m->size > NACRE_OBJECT_MAX ||
	    (!(m->flags & NACRE_REP_OBJECT_ROOM) && !nacre_range_within(m->offset, data_bytes, m->size)))
		return "replica: object's size";
	if (m->flags & NACRE_REP_OBJECT_ROOM && (reason = check_room(m, data_bytes)))
		return reason;
	reason = check_pairs(m->attributes, m->attributes_bytes);
	return reason ? reason : check_pairs(m->keys, m->keys_bytes);
}

static const char *check_object_done(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_object_done *m = body;

	return m->part || m->result ? NULL : "replica: no part is stored";
}

static const char *check_log(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_log *m = body;
	__u64 first, last;
	const char *reason = check_entries(m->entries, m->entries_bytes, m->interval, &first, &last);

	if (reason)
		return reason;
	if (m->flags & ~(__u32)(NACRE_REP_LOG_FIRST | NACRE_REP_LOG_LAST))
		return "replica: log's flags";
	return last > m->last || m->committed > m->last ? "replica: log's bounds" : NULL;
}

static const char *check_scrub(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_scrub *m = body;
	int of_range = m->what == NACRE_REP_SCRUB_READ || m->what == NACRE_REP_SCRUB_REPAIR;

	if (!m->ino || !m->snap)
		return "replica: scrub of no object";
	if (m->what < NACRE_REP_SCRUB_LIGHT || m->what > NACRE_REP_SCRUB_REPAIR)
		return "replica: scrub's kind";
	if (of_range != !!m->length || (!of_range && m->offset) || (m->offset | m->length) % 4096 ||
	    !nacre_range_within(m->offset, m->length, NACRE_OBJECT_MAX) || m->length > NACRE_DATA_MAX)
		return "replica: scrub's range";
	return data_bytes == (m->what == NACRE_REP_SCRUB_REPAIR ? m->length : 0) ? NULL : "replica: scrub's payload";
}

static const char *check_scrubbed(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_scrubbed *m = body;
	int i, count = nacre_array_count(nacre_osd_extent_desc(), m->bad_bytes);
	struct nacre_osd_extent extent;
	__u64 end = 0;

	if (m->flags & ~(__u32)(NACRE_REP_SCRUB_ABSENT | NACRE_REP_SCRUB_UNSTABLE | NACRE_REP_SCRUB_CUT))
		return "replica: scrubbed's flags";
	if (count < 0 || count > (int)NACRE_REP_SCRUB_BAD_MAX)
		return "replica: scrubbed's length";
	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_osd_extent_desc(), m->bad, (__u32)i, &extent) || extent.extent_flags ||
		    !extent.length || extent.offset < end ||
		    !nacre_range_within(extent.offset, extent.length, NACRE_OBJECT_MAX))
			return "replica: scrubbed's range";
		end = extent.offset + extent.length;
	}
	return NULL;
}

static const char *check_unstable(const void *body, __u32 data_bytes)
{
	const struct nacre_rep_unstable *m = body;
	int i, count = nacre_array_count(nacre_rep_range_desc(), m->ranges_bytes);
	struct nacre_rep_range range;

	if (count < 1)
		return "replica: number of unstable ranges";
	for (i = 0; i < count; i++)
		if (nacre_array_at(nacre_rep_range_desc(), m->ranges, (__u32)i, &range) || !range.ino ||
		    !range.snap || !range.length ||
		    !nacre_range_within(range.offset, range.length, NACRE_OBJECT_MAX))
			return "replica: unstable range";
	return NULL;
}

static const char *check_head_only(const void *body, __u32 data_bytes)
{
	return NULL;
}

int nacre_validate_replica(__u16 type, const void *body, __u32 data_bytes, const char **reason)
{
	static const struct {
		__u16 type;
		const char *(*check)(const void *body, __u32 data_bytes);
	} checks[] = {
		{ NACRE_MSG_REP_APPLY, check_apply },
		{ NACRE_MSG_REP_DONE, check_head_only },
		{ NACRE_MSG_REP_COMMITTED, check_head_only },
		{ NACRE_MSG_REP_QUERY, check_query },
		{ NACRE_MSG_REP_INFO, check_info },
		{ NACRE_MSG_REP_FETCH, check_fetch },
		{ NACRE_MSG_REP_TRANSACTION, check_apply },
		{ NACRE_MSG_REP_LIST, check_list },
		{ NACRE_MSG_REP_LISTED, check_listed },
		{ NACRE_MSG_REP_OBJECT, check_object },
		{ NACRE_MSG_REP_OBJECT_DONE, check_object_done },
		{ NACRE_MSG_REP_SCRUB, check_scrub },
		{ NACRE_MSG_REP_SCRUBBED, check_scrubbed },
		{ NACRE_MSG_REP_LOG, check_log },
		{ NACRE_MSG_REP_UNSTABLE, check_unstable },
	};
	unsigned int i;

	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i].type != type)
			continue;
		*reason = check_head(body);
		if (!*reason)
			*reason = checks[i].check(body, data_bytes);
		return *reason ? -EBADMSG : 0;
	}
	*reason = "a message type nobody knows";
	return -EBADMSG;
}
