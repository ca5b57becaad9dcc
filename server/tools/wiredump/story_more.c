// SPDX-License-Identifier: GPL-2.0
/* What templates cannot say: lists, and numbers that mean something only beside others. See story.h. */
#include <inttypes.h>
#include "protocol/codec.h"
#include "protocol/dump_words.h"
#include "protocol/rules/cap_bits.h"
#include "protocol/rules/validate.h"
#include "story.h"

/* ---- inodes ------------------------------------------------------------------------------------------- */

static void tell_info(FILE *out, const struct nacre_inode_info *info)
{
	const struct nacre_field *role = nacre_field_find(nacre_inode_info_desc(), "role");
	char caps[NACRE_CAPS_TEXT_BYTES];

	fprintf(out, "; ");
	story_value(out, role, info);
	fprintf(out, " %" PRIx64 " v%" PRIu64 " mode 0%o", (uint64_t)info->ino, (uint64_t)info->version,
		info->mode);
	if (info->size)
		fprintf(out, " size %" PRIu64, (uint64_t)info->size);
	if (info->cap_id)
		fprintf(out, " caps %s seq %u", nacre_caps_text(info->issued & NACRE_CAPS_KNOWN, caps),
			info->cap_seq);
}

static void tell_dirents(FILE *out, const struct nacre_reply *reply)
{
	struct nacre_reader r = nacre_reader(reply->extra, reply->extra_bytes);
	struct nacre_dirent dirent;
	unsigned int count = 0;

	if (nacre_validate_dirents(reply->extra, reply->extra_bytes, &(const char *){ NULL }))
		return;
	while (nacre_dirent_next(&r, &dirent)) {
		if (count < STORY_LIST_MAX) {
			fputs(count ? ", " : "; entries ", out);
			story_quote(out, dirent.name, dirent.name_bytes);
		}
		count++;
	}
	if (count > STORY_LIST_MAX)
		fprintf(out, ", … %u in all", count);
}

static void tell_statfs(FILE *out, const struct nacre_reply *reply)
{
	struct nacre_statfs s;

	if (nacre_decode_all(nacre_statfs_desc(), reply->extra, reply->extra_bytes, &s))
		return;
	fprintf(out, "; %" PRIu64 " of %" PRIu64 " bytes free, %" PRIu64 " files", (uint64_t)s.bytes_free,
		(uint64_t)s.bytes_total, (uint64_t)s.files);
}

static void tell_range(FILE *out, uint64_t start, uint64_t last)
{
	fprintf(out, ", bytes %" PRIu64 " to ", start);
	if (last == NACRE_FILELOCK_END)
		fputs("the end", out);
	else
		fprintf(out, "%" PRIu64, last);
}

/* Who is in the way of a lock that was tested. */
static void tell_holder(FILE *out, const struct nacre_reply *reply)
{
	struct nacre_filelock lock;

	if (nacre_decode_all(nacre_filelock_desc(), reply->extra, reply->extra_bytes, &lock))
		return;
	fprintf(out, ", held by process %u of instance %" PRIu64, lock.pid, (uint64_t)lock.instance);
	tell_range(out, lock.start, lock.last);
}

static void tell_quota(FILE *out, const struct nacre_reply *reply)
{
	struct nacre_quota quota;

	if (nacre_decode_all(nacre_quota_desc(), reply->extra, reply->extra_bytes, &quota))
		return;
	if (!quota.dir)
		fputs(", no quota", out);
	else
		fprintf(out, ", quota of %#" PRIx64 ": %" PRIu64 " of %" PRIu64 " bytes, %" PRIu64 " of %" PRIu64
			" files", (uint64_t)quota.dir, (uint64_t)quota.used_bytes, (uint64_t)quota.max_bytes,
			(uint64_t)quota.used_files, (uint64_t)quota.max_files);
}

static void more_of_reply(FILE *out, const struct story *story)
{
	const struct nacre_reply *reply = story->body;
	struct nacre_reader r = nacre_reader(reply->traces, reply->traces_bytes);
	struct nacre_inode_info info;

	if (reply->applied)
		fprintf(out, ", %s #%" PRIu64, reply->flags & NACRE_REPLY_SAFE ? "safe" : "unsafe",
			(uint64_t)reply->applied);
	if (reply->flags & NACRE_REPLY_CREATED)
		fputs(", created", out);
	if (reply->flags & NACRE_REPLY_QUEUED)
		fputs(", queued", out);
	if (reply->flags & NACRE_REPLY_END)
		fputs(", the end", out);
	if (reply->safe)
		fprintf(out, ", safe up to #%" PRIu64, (uint64_t)reply->safe);
	if (reply->lease_ms)
		fprintf(out, ", name leased %u ms", reply->lease_ms);
	while (nacre_trace_next(&r, &info))
		tell_info(out, &info);
	if (reply->extra_bytes && story->answered == NACRE_MSG_READDIR)
		tell_dirents(out, reply);
	else if (reply->extra_bytes && story->answered == NACRE_MSG_STATFS)
		tell_statfs(out, reply);
	else if (reply->extra_bytes && story->answered == NACRE_MSG_QUOTA)
		tell_quota(out, reply);
	else if (reply->extra_bytes && story->answered == NACRE_MSG_FILELOCK)
		tell_holder(out, reply);
}

/* 0 is a good byte, so the template cannot tell of it. */
static void more_of_filelock(FILE *out, const struct story *story)
{
	const struct nacre_filelock_req *request = story->body;

	tell_range(out, request->start, request->last);
}

static void more_of_filelock_claims(FILE *out, const struct story *story)
{
	const struct nacre_session_filelocks *claims = story->body;

	fprintf(out, ", %d locks", nacre_array_count(nacre_filelock_desc(), claims->locks_bytes));
}

static void more_of_grant(FILE *out, const struct story *story)
{
	const struct nacre_cap_grant *grant = story->body;
	struct nacre_inode_info info;

	if (!nacre_decode_all(nacre_inode_info_desc(), grant->info, grant->info_bytes, &info))
		tell_info(out, &info);
}

/* Values also where they are zero: a file may well be given to uid 0. */
static void more_of_setattr(FILE *out, const struct story *story)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} rows[] = {
		{ NACRE_SET_MODE, "mode" },   { NACRE_SET_UID, "uid" },	    { NACRE_SET_GID, "gid" },
		{ NACRE_SET_SIZE, "size" },   { NACRE_SET_ATIME, "atime" }, { NACRE_SET_MTIME, "mtime" },
		{ NACRE_SET_CTIME, "ctime" }, { NACRE_SET_BTIME, "btime" },
	};
	const struct nacre_record_req *request = story->body;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!(request->set_mask & rows[i].bit))
			continue;
		fprintf(out, ", %s ", rows[i].name);
		story_value(out, nacre_field_find(nacre_record_req_desc(), rows[i].name), request);
	}
	if (request->set_mask & NACRE_SET_KILL_PRIV)
		fputs(", setuid and setgid dropped", out);
}

static void more_of_cap_update(FILE *out, const struct story *story)
{
	const struct nacre_cap_update *update = story->body;

	if (update->dirty & NACRE_GROUP_AUTH)
		fprintf(out, ", mode 0%o uid %u gid %u", update->mode, update->uid, update->gid);
	if (update->dirty & NACRE_GROUP_FILE)
		fprintf(out, ", size %" PRIu64, (uint64_t)update->size);
	if (update->dirty & NACRE_GROUP_XATTR)
		fprintf(out, ", %u bytes of xattrs", update->xattrs_bytes);
}

uint16_t story_part_type(uint16_t type)
{
	switch (type) {
	case NACRE_MSG_CAP_UPDATES:
		return NACRE_MSG_CAP_UPDATE;
	case NACRE_MSG_CAP_REVOKES:
		return NACRE_MSG_CAP_REVOKE;
	default:
		return 0;
	}
}

struct nacre_reader story_parts(uint16_t type, const void *body)
{
	const struct nacre_cap_updates *updates = body;
	const struct nacre_cap_revokes *revokes = body;

	return type == NACRE_MSG_CAP_UPDATES ? nacre_reader(updates->updates, updates->updates_bytes) :
					       nacre_reader(revokes->revokes, revokes->revokes_bytes);
}

/* Its parts follow, a line each. */
static void more_of_parts(FILE *out, const struct story *story)
{
	struct nacre_reader r = story_parts(story->row->type, story->body);
	const struct nacre_struct *desc = nacre_message_find(story_part_type(story->row->type))->body();
	union story_part part;
	unsigned int count = 0;

	while (nacre_reader_left(&r) && !nacre_decode(desc, &r, &part))
		count++;
	fprintf(out, " of %u inodes", count);
}

static void more_of_release(FILE *out, const struct story *story)
{
	const struct nacre_cap_release *release = story->body;
	int i, count = nacre_array_count(nacre_cap_ref_desc(), release->caps_bytes);
	struct nacre_cap_ref ref;

	for (i = 0; i < count && i < STORY_LIST_MAX; i++)
		if (!nacre_array_at(nacre_cap_ref_desc(), release->caps, (__u32)i, &ref))
			fprintf(out, "%s%" PRIx64, i ? ", " : " ", (uint64_t)ref.ino);
	if (count > STORY_LIST_MAX)
		fprintf(out, ", … %d in all", count);
}

static void more_of_claims(FILE *out, const struct story *story)
{
	const struct nacre_session_reconnect *reconnect = story->body;

	fprintf(out, ", claims %d caps", nacre_array_count(nacre_cap_claim_desc(), reconnect->claims_bytes));
}

/* ---- the map ------------------------------------------------------------------------------------------ */

static void more_of_map(FILE *out, const struct story *story)
{
	const struct nacre_field *state = nacre_field_find(nacre_map_rank_desc(), "state");
	const struct nacre_map *map = story->body;
	struct nacre_map_osd osd;
	struct nacre_map_rank rank;
	int i, up = 0, count = nacre_array_count(nacre_map_osd_desc(), map->osds_bytes);

	for (i = 0; i < count; i++)
		if (!nacre_array_at(nacre_map_osd_desc(), map->osds, (__u32)i, &osd))
			up += osd.flags & NACRE_OSD_UP ? 1 : 0;
	fprintf(out, ", %d of %d OSDs up", up, count);
	count = nacre_array_count(nacre_map_rank_desc(), map->ranks_bytes);
	for (i = 0; i < count && i < STORY_LIST_MAX; i++) {
		if (nacre_array_at(nacre_map_rank_desc(), map->ranks, (__u32)i, &rank))
			continue;
		fprintf(out, ", mds%u ", rank.rank);
		story_value(out, state, &rank);
	}
	count = nacre_array_count(nacre_map_dead_desc(), map->dead_bytes);
	if (count)
		fprintf(out, ", %d runs of dead instances", count);
}

/* ---- objects ------------------------------------------------------------------------------------------ */

/* "1.7 10000100040.0": group and object; a rank's own objects by what they are for. */
static void tell_object(FILE *out, const struct nacre_osd_request *request)
{
	uint64_t ino = request->ino;

	fprintf(out, " %u.%u ", request->pool, request->pg);
	if (request->pool == NACRE_POOL_META && ino >= NACRE_INO_JOURNAL(0) && ino < NACRE_INO_TABLE(0))
		fprintf(out, "journal%" PRIu64, (uint64_t)(ino - NACRE_INO_JOURNAL(0)));
	else if (request->pool == NACRE_POOL_META && ino >= NACRE_INO_TABLE(0) &&
		 ino < NACRE_INO_TABLE(0) + NACRE_MAP_RANKS_MAX)
		fprintf(out, "table%" PRIu64, (uint64_t)(ino - NACRE_INO_TABLE(0)));
	else
		fprintf(out, "%" PRIx64, ino);
	fprintf(out, ".%" PRIu64 ":", (uint64_t)request->index);
}

static void tell_op(FILE *out, const struct nacre_osd_step *step)
{
	const struct nacre_osd_op *op = &step->op;
	char text[NACRE_VALUE_TEXT_BYTES];

	fprintf(out, " %s", nacre_osd_op_text(op->code, text));
	switch (op->code) {
	case NACRE_OSD_OP_READ:
	case NACRE_OSD_OP_CHECKSUM:
	case NACRE_OSD_OP_WRITE:
	case NACRE_OSD_OP_ZERO:
	case NACRE_OSD_OP_SEEK:
	case NACRE_OSD_OP_MAP:
	case NACRE_OSD_OP_ALLOCATE:
		fprintf(out, " %" PRIu64 "+%" PRIu64, (uint64_t)op->offset, (uint64_t)op->length);
		break;
	case NACRE_OSD_OP_WRITE_FULL:
	case NACRE_OSD_OP_CMPSIZE:
		fprintf(out, " %" PRIu64, (uint64_t)op->length);
		break;
	case NACRE_OSD_OP_TRUNCATE:
		fprintf(out, " to %" PRIu64, (uint64_t)op->offset);
		break;
	default:
		break;
	}
	if (op->name_size) {
		fputc(' ', out);
		story_quote(out, step->name, op->name_size);
	}
	if (op->value_size)
		fprintf(out, " = %u bytes", op->value_size);
}

static void tell_ops(FILE *out, const struct nacre_osd_request *request)
{
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;
	unsigned int count = 0;

	tell_object(out, request);
	nacre_osd_cursor(&cursor, request);
	while (nacre_osd_next(&cursor, &step)) {
		if (count == STORY_LIST_MAX)
			fputs(", …", out);
		if (count++ >= STORY_LIST_MAX)
			continue;
		fputs(count > 1 ? "," : "", out);
		tell_op(out, &step);
	}
	if (count > STORY_LIST_MAX)
		fprintf(out, " %u in all", count);
}

static void more_of_osd_request(FILE *out, const struct story *story)
{
	tell_ops(out, story->body);
}

static void more_of_osd_reply(FILE *out, const struct story *story)
{
	const struct nacre_osd_reply *reply = story->body;

	if (story->data_bytes)
		fprintf(out, ", %u bytes read", story->data_bytes);
	if (reply->output_bytes)
		fprintf(out, ", %u bytes of attributes or keys", reply->output_bytes);
}

static void more_of_transaction(FILE *out, const struct story *story)
{
	const struct nacre_rep_apply *apply = story->body;
	struct nacre_osd_request request;

	if (nacre_decode_all(nacre_osd_request_desc(), apply->transaction, apply->transaction_bytes,
			     &request))
		return;
	fputs(";", out);
	tell_ops(out, &request);
}

static void more_of_listed(FILE *out, const struct story *story)
{
	const struct nacre_rep_listed *listed = story->body;

	fprintf(out, ", %d objects",
		nacre_array_count(nacre_rep_listed_object_desc(), listed->objects_bytes));
}

static void more_of_unstable(FILE *out, const struct story *story)
{
	const struct nacre_rep_unstable *unstable = story->body;

	fprintf(out, ", %d ranges", nacre_array_count(nacre_rep_range_desc(), unstable->ranges_bytes));
}

static void more_of_object(FILE *out, const struct story *story)
{
	const struct nacre_rep_object *object = story->body;

	if (story->data_bytes)
		fprintf(out, ", bytes %" PRIu64 "+%u", (uint64_t)object->offset, story->data_bytes);
}

story_more story_more_find(uint16_t type)
{
	static const story_more rows[NACRE_MSG_LIMIT] = {
		[NACRE_MSG_MAP] = more_of_map,
		[NACRE_MSG_SESSION_RECONNECT] = more_of_claims,
		[NACRE_MSG_SESSION_FILELOCKS] = more_of_filelock_claims,
		[NACRE_MSG_FILELOCK] = more_of_filelock,
		[NACRE_MSG_SETATTR] = more_of_setattr,
		[NACRE_MSG_REPLY] = more_of_reply,
		[NACRE_MSG_CAP_GRANT] = more_of_grant,
		[NACRE_MSG_CAP_UPDATE] = more_of_cap_update,
		[NACRE_MSG_CAP_UPDATES] = more_of_parts,
		[NACRE_MSG_CAP_REVOKES] = more_of_parts,
		[NACRE_MSG_CAP_RELEASE] = more_of_release,
		[NACRE_MSG_OSD_REQUEST] = more_of_osd_request,
		[NACRE_MSG_OSD_REPLY] = more_of_osd_reply,
		[NACRE_MSG_REP_APPLY] = more_of_transaction,
		[NACRE_MSG_REP_TRANSACTION] = more_of_transaction,
		[NACRE_MSG_REP_LISTED] = more_of_listed,
		[NACRE_MSG_REP_OBJECT] = more_of_object,
		[NACRE_MSG_REP_UNSTABLE] = more_of_unstable,
	};

	return type < NACRE_MSG_LIMIT ? rows[type] : NULL;
}
