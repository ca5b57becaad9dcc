// SPDX-License-Identifier: GPL-2.0
/* What numbers and byte strings stand for. See dump_words.h. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "dump_words.h"
#include "error.h"
#include "rules/cap_bits.h"

/* ---- the words of enums; scripts/tidy compares them with the headers -------------------------------- */

struct word {
	__u32 value;
	const char *text;
};
#define W(prefix, name) { prefix##name, #name }

#define RECORD_WORD(number, name, needs, doc) { number, #name },
#define OSD_OP_WORD(number, name, writes, doc) { number, #name },
#define FEATURE_WORD(bit, name, doc) { 1u << (bit), #name },

static const struct word nacre_feature[] = { NACRE_FEATURES(FEATURE_WORD) };
static const struct word nacre_role[] = { W(NACRE_ROLE_, CLIENT), W(NACRE_ROLE_, MDS),
					  W(NACRE_ROLE_, OSD), W(NACRE_ROLE_, TOOL) };
static const struct word nacre_map_get_flags[] = { W(NACRE_MAP_, SUBSCRIBE) };
static const struct word nacre_close_flags[] = { W(NACRE_CLOSE_, CUT) };
static const struct word nacre_claim_flags[] = { W(NACRE_CLAIM_, OPEN) };
static const struct word nacre_reconnect_flags[] = { W(NACRE_RECONNECT_, MORE) };
static const struct word nacre_record_kind[] = { NACRE_RECORDS(RECORD_WORD) };
static const struct word nacre_record_flags[] = { W(NACRE_RECORD_, EXCL), W(NACRE_RECORD_, TRUNC),
						  W(NACRE_RECORD_, INLINE),
						  W(NACRE_RECORD_, NAMELESS) };
static const struct word nacre_set_mask[] = {
	W(NACRE_SET_, MODE),  W(NACRE_SET_, UID),   W(NACRE_SET_, GID),
	W(NACRE_SET_, SIZE),  W(NACRE_SET_, ATIME), W(NACRE_SET_, MTIME),
	W(NACRE_SET_, CTIME), W(NACRE_SET_, BTIME), W(NACRE_SET_, KILL_PRIV),
	W(NACRE_SET_, FLAGS),
};
static const struct word nacre_inode_flags[] = { W(NACRE_INODE_, IMMUTABLE), W(NACRE_INODE_, APPEND),
						 W(NACRE_INODE_, NOATIME), W(NACRE_INODE_, NODUMP),
						 W(NACRE_INODE_, SYNC) };
static const struct word nacre_rename_flags[] = { W(NACRE_RENAME_, NOREPLACE),
						  W(NACRE_RENAME_, EXCHANGE),
						  W(NACRE_RENAME_, WHITEOUT) };
static const struct word nacre_xattr_flags[] = { W(NACRE_XATTR_, CREATE), W(NACRE_XATTR_, REPLACE) };
static const struct word nacre_request_flags[] = { W(NACRE_REQUEST_, RESEND),
						   W(NACRE_REQUEST_, WANT_XATTRS),
						   W(NACRE_REQUEST_, NO_CAPS), W(NACRE_REQUEST_, WANT_DATA),
						   W(NACRE_REQUEST_, OF_PARENT), W(NACRE_REQUEST_, REPORT) };
static const struct word nacre_open_flags[] = { W(NACRE_OPEN_, READ), W(NACRE_OPEN_, WRITE) };
static const struct word nacre_trace_role[] = {
	W(NACRE_TRACE_, TARGET), W(NACRE_TRACE_, PARENT), W(NACRE_TRACE_, PARENT2),
	W(NACRE_TRACE_, VICTIM), W(NACRE_TRACE_, GRANT),  W(NACRE_TRACE_, ENTRY),
};
static const struct word nacre_info_flags[] = { W(NACRE_INFO_, HAS_XATTRS), W(NACRE_INFO_, NO_XATTRS),
						W(NACRE_INFO_, HAS_DATA), W(NACRE_INFO_, REPORTED),
						W(NACRE_INFO_, NO_ROOM), W(NACRE_INFO_, KEPT) };
static const struct word nacre_reply_flags[] = { W(NACRE_REPLY_, SAFE), W(NACRE_REPLY_, END),
						 W(NACRE_REPLY_, CREATED), W(NACRE_REPLY_, QUEUED) };
static const struct word nacre_filelock_kind[] = { W(NACRE_FILELOCK_, POSIX), W(NACRE_FILELOCK_, OFD),
						   W(NACRE_FILELOCK_, FLOCK) };
static const struct word nacre_filelock_mode[] = { W(NACRE_FILELOCK_, READ), W(NACRE_FILELOCK_, WRITE),
						   W(NACRE_FILELOCK_, UNLOCK) };
static const struct word nacre_filelock_op[] = { W(NACRE_FILELOCK_, TEST), W(NACRE_FILELOCK_, SET),
						 W(NACRE_FILELOCK_, WAIT), W(NACRE_FILELOCK_, CANCEL) };
static const struct word nacre_journal_mode[] = { W(NACRE_JOURNAL_, DATA), W(NACRE_JOURNAL_, ORDERED),
						  W(NACRE_JOURNAL_, COW) };
static const struct word nacre_pool_flags[] = { { NACRE_POOL_F_NONE, "NONE" } };
static const struct word nacre_osd_flags[] = { W(NACRE_OSD_, UP), W(NACRE_OSD_, IN) };
static const struct word nacre_rank_state[] = { W(NACRE_RANK_, DOWN), W(NACRE_RANK_, REPLAY),
						W(NACRE_RANK_, RECONNECT), W(NACRE_RANK_, ACTIVE) };
static const struct word nacre_cap_group[] = {
	W(NACRE_GROUP_, NONE),	W(NACRE_GROUP_, AUTH), W(NACRE_GROUP_, LINK),
	W(NACRE_GROUP_, XATTR), W(NACRE_GROUP_, FILE), W(NACRE_GROUP_, DIR),
};
static const struct word nacre_cap_update_flags[] = {
	W(NACRE_CAP_UPDATE_, ANSWER),	  W(NACRE_CAP_UPDATE_, UNKNOWN), W(NACRE_CAP_UPDATE_, WAITING),
	W(NACRE_CAP_UPDATE_, UNINLINED), W(NACRE_CAP_UPDATE_, SYNC),	 W(NACRE_CAP_UPDATE_, HAS_DATA),
	W(NACRE_CAP_UPDATE_, KEEPS),
};
static const struct word nacre_size_report_flags[] = { W(NACRE_SIZE_REPORT_, NONE),
						       W(NACRE_SIZE_REPORT_, CLEAN) };
static const struct word nacre_flush_ack_flags[] = { W(NACRE_FLUSH_ACK_, SAFE) };
static const struct word nacre_osd_op_code[] = { NACRE_OSD_OPS(OSD_OP_WORD) };
static const struct word nacre_osd_op_flags[] = { W(NACRE_OSD_OPF_, EXCL), W(NACRE_OSD_OPF_, QUIET),
						  W(NACRE_OSD_OPF_, NAMES), W(NACRE_OSD_OPF_, HOLE),
						  W(NACRE_OSD_OPF_, ZERO), W(NACRE_OSD_OPF_, KEEP) };
static const struct word nacre_osd_request_flags[] = { W(NACRE_OSD_REQUEST_, RESEND) };
static const struct word nacre_osd_result_flags[] = { W(NACRE_OSD_RESULT_, MORE),
						      W(NACRE_OSD_RESULT_, SKIPPED) };
static const struct word nacre_rep_query_flags[] = { W(NACRE_REP_QUERY_, LOG) };
static const struct word nacre_rep_list_flags[] = { W(NACRE_REP_LIST_, FIRST), W(NACRE_REP_LIST_, MORE) };
static const struct word nacre_rep_object_flags[] = { W(NACRE_REP_OBJECT_, FIRST),
						      W(NACRE_REP_OBJECT_, LAST),
						      W(NACRE_REP_OBJECT_, ABSENT),
						      W(NACRE_REP_OBJECT_, ROOM) };
static const struct word nacre_rep_scrub_what[] = { W(NACRE_REP_SCRUB_, LIGHT), W(NACRE_REP_SCRUB_, DEEP),
						    W(NACRE_REP_SCRUB_, READ), W(NACRE_REP_SCRUB_, REPAIR) };
static const struct word nacre_rep_scrub_flags[] = { W(NACRE_REP_SCRUB_, ABSENT), W(NACRE_REP_SCRUB_, UNSTABLE),
						     W(NACRE_REP_SCRUB_, CUT) };
static const struct word nacre_osd_extent_flags[] = { W(NACRE_OSD_EXTENT_, UNWRITTEN) };
static const struct word nacre_rep_log_flags[] = { W(NACRE_REP_LOG_, FIRST), W(NACRE_REP_LOG_, LAST) };

/* One enum. */
struct words {
	const char *name;
	const struct word *words;
	unsigned int count;
	enum nacre_nature nature;	/* VALUE or BITS */
};
#define ROW(name, nature) { #name, name, sizeof(name) / sizeof((name)[0]), NACRE_NATURE_##nature }

static const struct words all_words[] = {
	ROW(nacre_feature, BITS),	     ROW(nacre_role, VALUE),
	ROW(nacre_map_get_flags, BITS),	     ROW(nacre_close_flags, BITS),
	ROW(nacre_claim_flags, BITS),
	ROW(nacre_reconnect_flags, BITS),    ROW(nacre_record_kind, VALUE),
	ROW(nacre_record_flags, BITS),	     ROW(nacre_set_mask, BITS),
	ROW(nacre_inode_flags, BITS),
	ROW(nacre_rename_flags, BITS),	     ROW(nacre_xattr_flags, BITS),
	ROW(nacre_request_flags, BITS),	     ROW(nacre_open_flags, BITS),
	ROW(nacre_trace_role, VALUE),	     ROW(nacre_info_flags, BITS),
	ROW(nacre_reply_flags, BITS),	     ROW(nacre_journal_mode, VALUE),
	ROW(nacre_pool_flags, BITS),	     ROW(nacre_osd_flags, BITS),
	ROW(nacre_rank_state, VALUE),	     ROW(nacre_cap_group, BITS),
	ROW(nacre_cap_update_flags, BITS),   ROW(nacre_flush_ack_flags, BITS),
	ROW(nacre_osd_op_code, VALUE),	     ROW(nacre_osd_op_flags, BITS),
	ROW(nacre_osd_request_flags, BITS),  ROW(nacre_osd_result_flags, BITS),
	ROW(nacre_rep_query_flags, BITS),    ROW(nacre_rep_list_flags, BITS),
	ROW(nacre_rep_object_flags, BITS),   ROW(nacre_rep_log_flags, BITS),
	ROW(nacre_osd_extent_flags, BITS),
	ROW(nacre_rep_scrub_what, VALUE),    ROW(nacre_rep_scrub_flags, BITS),
	ROW(nacre_filelock_kind, VALUE),     ROW(nacre_filelock_mode, VALUE),
	ROW(nacre_filelock_op, VALUE),	     ROW(nacre_size_report_flags, BITS),
};
#define ENUM_COUNT (sizeof(all_words) / sizeof(all_words[0]))

const char *nacre_words_enum(unsigned int index, unsigned int *ret_count)
{
	if (index >= ENUM_COUNT)
		return NULL;
	*ret_count = all_words[index].count;
	return all_words[index].name;
}

static const struct words *find_enum(const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < ENUM_COUNT; i++)
		if (strlen(all_words[i].name) == length && !strncmp(all_words[i].name, name, length))
			return &all_words[i];
	return NULL;
}

/* The enum that a field's doc speaks of. */
static const struct words *words_of(const struct nacre_field *f)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	const struct words *found;
	const char *at;

	if (!strcmp(f->name, "features") || !strcmp(f->name, "required"))
		return find_enum("nacre_feature", 13);
	if (!strncmp(f->doc, "cap group", 9))
		return find_enum("nacre_cap_group", 15);
	for (at = strstr(f->doc, "nacre_"); at; at = strstr(at + 6, "nacre_")) {
		found = find_enum(at, strspn(at, letters));
		if (found)
			return found;
	}
	return NULL;
}

/* ---- fields ----------------------------------------------------------------------------------------- */

static int is_one_of(const char *name, const char *const *names, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return 1;
	return 0;
}
#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof((names)[0]))

enum nacre_nature nacre_field_nature(const struct nacre_field *f)
{
	static const char *const inos[] = { "ino", "parent", "parent2", "ino_first" };
	static const char *const times[] = { "atime", "mtime", "ctime", "btime" };
	const struct words *words;

	if (f->kind != NACRE_FIELD_INT)
		return NACRE_NATURE_NUMBER;
	if (f->bits == 64 && IS_ONE_OF(f->name, inos))
		return NACRE_NATURE_INO;
	if (f->bits == 64 && IS_ONE_OF(f->name, times))
		return NACRE_NATURE_TIME;
	if (!strncmp(f->doc, "cap bits", 8))
		return NACRE_NATURE_CAPS;
	if (!strcmp(f->name, "result"))
		return NACRE_NATURE_RESULT;
	if (!strcmp(f->name, "mode"))
		return NACRE_NATURE_MODE;
	words = words_of(f);
	return words ? words->nature : NACRE_NATURE_NUMBER;
}

const char *nacre_result_text(__u32 result, char text[NACRE_VALUE_TEXT_BYTES])
{
	const char *name = result < 1000 ? strerrorname_np((int)result) : NULL;

	if (!result)
		return "OK";
	return name ? name : nacre_error_name(result, text, NACRE_VALUE_TEXT_BYTES);
}

static const char *enum_text(const struct words *words, __u64 value, char *text)
{
	unsigned int i;

	for (i = 0; i < words->count; i++)
		if (words->words[i].value == value)
			return words->words[i].text;
	snprintf(text, NACRE_VALUE_TEXT_BYTES, "%llu", (unsigned long long)value);
	return text;
}

/* "SAFE|CREATED|0x40": what has no name as a number. */
static const char *bits_text(const struct words *words, __u64 value, char *text)
{
	size_t at = 0;
	unsigned int i;

	*text = 0;
	for (i = 0; i < words->count && at < NACRE_VALUE_TEXT_BYTES; i++) {
		if (!(value & words->words[i].value))
			continue;
		at += (size_t)snprintf(text + at, NACRE_VALUE_TEXT_BYTES - at, "%s%s", at ? "|" : "",
				       words->words[i].text);
		value &= ~(__u64)words->words[i].value;
	}
	if (at < NACRE_VALUE_TEXT_BYTES && (value || !at))
		snprintf(text + at, NACRE_VALUE_TEXT_BYTES - at, value ? "%s0x%llx" : "%s%llu",
			 at ? "|" : "", (unsigned long long)value);
	return text;
}

/* "2024-05-01T12:00:00.123456789Z". */
static const char *time_text(__s64 ns, char *text)
{
	__s64 second = ns / 1000000000, rest = ns % 1000000000;
	char day[64];
	struct tm tm;
	time_t t;

	if (rest < 0) {
		rest += 1000000000;
		second--;
	}
	t = (time_t)second;
	if (!gmtime_r(&t, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(day, sizeof(day), "%lld", (long long)second);
	snprintf(text, NACRE_VALUE_TEXT_BYTES, "%s.%09lldZ", day, (long long)rest);
	return text;
}

static const char *number_text(const char *format, __u64 value, char *text)
{
	snprintf(text, NACRE_VALUE_TEXT_BYTES, format, (unsigned long long)value);
	return text;
}

const char *nacre_value_text(const struct nacre_field *f, __u64 value,
			     char text[NACRE_VALUE_TEXT_BYTES])
{
	switch (nacre_field_nature(f)) {
	case NACRE_NATURE_INO:
		return number_text("%llx", value, text);
	case NACRE_NATURE_CAPS:
		if (value & ~(__u64)NACRE_CAPS_KNOWN)
			return number_text("0x%llx", value, text);
		return nacre_caps_text((__u32)value, text);
	case NACRE_NATURE_RESULT:
		return nacre_result_text((__u32)value, text);
	case NACRE_NATURE_MODE:
		return number_text("0%llo", value, text);
	case NACRE_NATURE_TIME:
		return time_text((__s64)value, text);
	case NACRE_NATURE_VALUE:
		return enum_text(words_of(f), value, text);
	case NACRE_NATURE_BITS:
		return bits_text(words_of(f), value, text);
	default:
		return number_text(value >> 36 ? "0x%llx" : "%llu", value, text);
	}
}

const char *nacre_osd_op_text(__u16 code, char text[NACRE_VALUE_TEXT_BYTES])
{
	return enum_text(find_enum("nacre_osd_op_code", 17), code, text);
}

__u64 nacre_field_load(const struct nacre_field *f, const void *host)
{
	const __u8 *at = (const __u8 *)host + f->host_offset;
	__u64 v64;
	__u32 v32;
	__u16 v16;

	switch (f->bits) {
	case 8:
		return *at;
	case 16:
		memcpy(&v16, at, sizeof(v16));
		return v16;
	case 32:
		memcpy(&v32, at, sizeof(v32));
		return v32;
	default:
		memcpy(&v64, at, sizeof(v64));
		return v64;
	}
}

const __u8 *nacre_field_bytes(const struct nacre_field *f, const void *host)
{
	const __u8 *bytes;

	memcpy(&bytes, (const __u8 *)host + f->host_pointer, sizeof(bytes));
	return bytes;
}

const struct nacre_field *nacre_field_find(const struct nacre_struct *desc, const char *name)
{
	int i;

	for (i = 0; i < desc->field_count; i++)
		if (!strcmp(desc->fields[i].name, name))
			return &desc->fields[i];
	return NULL;
}

/* ---- tails ------------------------------------------------------------------------------------------ */

/* How a tail is to be read, where it is more than bytes. */
struct tail_row {
	const char *in;			/* structure */
	const char *field;
	const struct nacre_struct *(*element)(void);	/* of a sequence */
};

static const struct tail_row tails[] = {
	{ "nacre_map", "pools", nacre_map_pool_desc },
	{ "nacre_map", "osds", nacre_map_osd_desc },
	{ "nacre_map", "ranks", nacre_map_rank_desc },
	{ "nacre_map", "subtrees", nacre_map_subtree_desc },
	{ "nacre_map", "dead", nacre_map_dead_desc },
	{ "nacre_map", "placement", nacre_map_pg_desc },
	{ "nacre_session_reconnect", "claims", nacre_cap_claim_desc },
	{ "nacre_session_filelocks", "locks", nacre_filelock_desc },
	{ "nacre_record", "xattrs", nacre_xattr_desc },
	{ "nacre_record_req", "xattrs", nacre_xattr_desc },
	{ "nacre_inode_info", "xattrs", nacre_xattr_desc },
	{ "nacre_cap_update", "xattrs", nacre_xattr_desc },
	{ "nacre_cap_updates", "updates", nacre_cap_update_desc },
	{ "nacre_reply", "traces", nacre_inode_info_desc },
	{ "nacre_dirent", "info", nacre_inode_info_desc },
	{ "nacre_cap_grant", "info", nacre_inode_info_desc },
	{ "nacre_cap_release", "caps", nacre_cap_ref_desc },
	{ "nacre_osd_request", "ops", nacre_osd_op_desc },
	{ "nacre_osd_reply", "results", nacre_osd_result_desc },
	{ "nacre_rep_apply", "transaction", nacre_osd_request_desc },
	{ "nacre_rep_apply", "entry", nacre_rep_entry_desc },
	{ "nacre_rep_info", "entries", nacre_rep_entry_desc },
	{ "nacre_rep_log", "entries", nacre_rep_entry_desc },
	{ "nacre_rep_listed", "objects", nacre_rep_listed_object_desc },
	{ "nacre_rep_unstable", "ranges", nacre_rep_range_desc },
	{ "nacre_rep_object", "attributes", nacre_key_value_desc },
	{ "nacre_rep_object", "keys", nacre_key_value_desc },
	{ "nacre_rep_scrubbed", "bad", nacre_osd_extent_desc },
};

int nacre_tail_is_text(const struct nacre_field *f)
{
	static const char *const names[] = { "name", "name2", "symlink", "text", "key" };

	return IS_ONE_OF(f->name, names);
}

const struct nacre_struct *nacre_tail_element(const struct nacre_struct *in,
					      const struct nacre_field *f)
{
	size_t i;

	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		if (!strcmp(tails[i].in, in->name) && !strcmp(tails[i].field, f->name))
			return tails[i].element();
	return NULL;
}
