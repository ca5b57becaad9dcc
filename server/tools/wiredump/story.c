// SPDX-License-Identifier: GPL-2.0
/*
 * The templates of all messages, and how they are filled in. In a template {field} stands for the field's
 * value in its words, {field!} for a tail of bytes as quoted text; what stands in [ ] is told only if a
 * field in it is not zero, and never where a message is only named, as in the line of its answer. See
 * story.h.
 */
#include <string.h>
#include "protocol/dump_words.h"
#include "story.h"

/* What every request to a rank has. */
static const char request_tail[] = "[, wants {wanted}][ ({flags})]";
#define NEW_INODE "{name} in {parent}[ as {ino}]"

static const struct template_row {
	uint16_t type;
	const char *text;
} templates[] = {
	{ NACRE_MSG_HELLO, "as {role}[ {name}][, instance {instance}][, map {map_epoch}][, generation {conn_gen}]" },
	{ NACRE_MSG_HELLO_REPLY, "[ refused: {result} {text};] as {role}[, instance {instance}][, map {map_epoch}][, time scale {time_scale_percent} %]" },
	{ NACRE_MSG_MAP_GET, "newer than {have_epoch}[ ({flags})]" },
	{ NACRE_MSG_MAP, "epoch {epoch}" },
	{ NACRE_MSG_SESSION_OPEN, "rank {rank}[ as instance {instance}]" },
	{ NACRE_MSG_SESSION_STATE, "[ {result},] instance {instance}, lease {lease_ms} ms[, renewal {renew_seq}][, inode numbers {ino_first} and {ino_count} on][, safe up to #{safe}][, barrier {barrier_epoch}]" },
	{ NACRE_MSG_SESSION_RENEW, "renewal {renew_seq}, {inos_left} inode numbers left" },
	{ NACRE_MSG_SESSION_CLOSE, "instance {instance}[ ({flags})]" },
	{ NACRE_MSG_SESSION_KILLED, "instance {instance}: {result} {text}" },
	{ NACRE_MSG_SESSION_RECONNECT, "instance {instance}[, safe up to #{safe}][ ({flags})]" },
	{ NACRE_MSG_SESSION_RECONNECT_DONE, "instance {instance}" },
	{ NACRE_MSG_SESSION_FILELOCKS, "instance {instance}" },
	{ NACRE_MSG_LOOKUP, "{name} in {parent}" },
	{ NACRE_MSG_GETATTR, "{ino}[ for {mask}][ ({flags})]" },
	{ NACRE_MSG_OPEN, "{ino}[ to {open_flags}][, needs {need}]" },
	{ NACRE_MSG_READDIR, "{ino}[ behind {after}][, at most {max_entries} entries]" },
	{ NACRE_MSG_STATFS, "" },
	{ NACRE_MSG_QUOTA, "of {ino}" },
	{ NACRE_MSG_SYNC, "[ up to #{upto}]" },
	{ NACRE_MSG_FILELOCK, "{op} {kind} {lock_mode} on {ino}, owner {owner}[, waiter {waiter}][, process {pid}]" },
	{ NACRE_MSG_CREATE, NEW_INODE "[ mode {mode}][ ({record_flags})]" },
	{ NACRE_MSG_MKDIR, NEW_INODE "[ mode {mode}]" },
	{ NACRE_MSG_MKNOD, NEW_INODE "[ mode {mode}][ device {rdev}]" },
	{ NACRE_MSG_SYMLINK, NEW_INODE "[ to {value!}]" },
	{ NACRE_MSG_LINK, "{name} in {parent} to {ino}[ ({record_flags})]" },
	{ NACRE_MSG_UNLINK, "{name} in {parent}[, known as {ino}]" },
	{ NACRE_MSG_RMDIR, "{name} in {parent}[, known as {ino}]" },
	{ NACRE_MSG_RENAME, "{name} in {parent} to {name2} in {parent2}[ ({rename_flags})]" },
	{ NACRE_MSG_SETATTR, "{ino}" },
	{ NACRE_MSG_SETXATTR, "{name} of {ino}[ to {value!}][ ({xattr_flags})]" },
	{ NACRE_MSG_RMXATTR, "{name} of {ino}" },
	{ NACRE_MSG_TMPFILE, "in {parent}[ as {ino}][ mode {mode}][ ({record_flags})]" },
	{ NACRE_MSG_REPLY, "{result}" },
	{ NACRE_MSG_SAFE, "up to #{safe}" },
	{ NACRE_MSG_FILELOCK_GRANTED, "{ino} to waiter {waiter}[: {result}]" },
	{ NACRE_MSG_CAP_GRANT, "[ barrier {barrier_epoch}][ safe up to #{safe}]" },
	{ NACRE_MSG_CAP_REVOKE, "{ino}[: keep {keep}, seq {cap_seq}][, repeat {repeats}][, barrier {barrier_epoch}]" },
	{ NACRE_MSG_CAP_UPDATE, "{ino}[ ({update_flags})][: holds {held}, wants {wanted}, seq {cap_seq}][, dirty {dirty}][, flush {flush_id}][, asks to write up to {max_size_wanted}][, waits for group {waiting_pg}]" },
	{ NACRE_MSG_CAP_FLUSH_ACK, "{ino} flush {flush_id}[: {result}][ ({flags})]" },
	{ NACRE_MSG_CAP_RELEASE, "" },
	{ NACRE_MSG_CAP_UPDATES, "" },
	{ NACRE_MSG_CAP_REVOKES, "" },
	{ NACRE_MSG_SIZE_ASK, "{ino}, question {ask_id}" },
	{ NACRE_MSG_SIZE_REPORT, "{ino}[ ({report_flags})][: size {size}][, {written} bytes not flushed][, cut {truncate_seq}], question {ask_id}" },
	{ NACRE_MSG_OSD_REQUEST, "[ ({flags})]" },
	{ NACRE_MSG_OSD_REPLY, "{result}[ at operation {failed_op}][, version {version}]" },
	{ NACRE_MSG_OSD_STATFS, "" },
	{ NACRE_MSG_OSD_STATFS_REPLY, "{bytes_free} of {bytes_total} bytes free, {objects} objects" },
	{ NACRE_MSG_REP_APPLY, "{pool}.{pg} number {number}[, committed {committed}]" },
	{ NACRE_MSG_REP_DONE, "{pool}.{pg} number {number}[: {result}]" },
	{ NACRE_MSG_REP_COMMITTED, "{pool}.{pg} up to {committed}" },
	{ NACRE_MSG_REP_QUERY, "{pool}.{pg} interval {interval}[ ({flags})]" },
	{ NACRE_MSG_REP_INFO, "{pool}.{pg} interval {interval}:[ {result},] log {first} to {last}, committed {committed}" },
	{ NACRE_MSG_REP_FETCH, "{pool}.{pg} {first} to {last}" },
	{ NACRE_MSG_REP_TRANSACTION, "{pool}.{pg} number {number}[, committed {committed}]" },
	{ NACRE_MSG_REP_LIST, "{pool}.{pg}[ behind {ino}.{index}][ ({flags})]" },
	{ NACRE_MSG_REP_LISTED, "{pool}.{pg}[: {result}][ ({flags})]" },
	{ NACRE_MSG_REP_OBJECT, "{pool}.{pg} part {part}: {ino}.{index} version {version}[ ({flags})]" },
	{ NACRE_MSG_REP_OBJECT_DONE, "{pool}.{pg} part {part}[: {result}]" },
	{ NACRE_MSG_REP_LOG, "{pool}.{pg} up to {last}, committed {committed}[ ({flags})]" },
	{ NACRE_MSG_REP_SCRUB, "{pool}.{pg} {what} {ino}.{index}[ version {version}][ at {offset}][, {length} bytes], question {tid}" },
	{ NACRE_MSG_REP_SCRUBBED, "{pool}.{pg}[: {result}][ ({flags})] version {version} size {size}, question {tid}" },
	{ NACRE_MSG_REP_UNSTABLE, "{pool}.{pg}" },
};

const char *story_template(uint16_t type)
{
	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++)
		if (templates[i].type == type)
			return templates[i].text;
	return NULL;
}

void story_quote(FILE *out, const uint8_t *bytes, size_t length)
{
	size_t shown = length < STORY_TEXT_MAX ? length : STORY_TEXT_MAX;

	fputc('"', out);
	for (size_t i = 0; i < shown; i++) {
		if (bytes[i] == '"' || bytes[i] == '\\')
			fprintf(out, "\\%c", bytes[i]);
		else if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
			fputc(bytes[i], out);
		else
			fprintf(out, "\\x%02x", bytes[i]);
	}
	fputs(shown < length ? "\"…" : "\"", out);
}

void story_value(FILE *out, const struct nacre_field *field, const void *host)
{
	char text[NACRE_VALUE_TEXT_BYTES];
	uint64_t value = nacre_field_load(field, host);

	if (field->kind != NACRE_FIELD_TAIL)
		fputs(nacre_value_text(field, value, text), out);
	else if (nacre_tail_is_text(field))
		story_quote(out, nacre_field_bytes(field, host), value);
	else
		fprintf(out, "%llu bytes", (unsigned long long)value);
}

/* ---- filling in --------------------------------------------------------------------------------------- */

/* The field between the braces that open at `at`; *end is behind them. */
static const struct nacre_field *named_field(const struct story *story, const char *at, const char **end,
					     bool *quoted)
{
	const char *close = strchr(at, '}');
	size_t length = (size_t)(close - at) - 1;
	char name[64];

	*end = close + 1;
	*quoted = close[-1] == '!';
	if (*quoted)
		length--;
	if (length >= sizeof(name))
		return NULL;
	memcpy(name, at + 1, length);
	name[length] = 0;
	return nacre_field_find(story->row->body(), name);
}

/* Is any field before the closing bracket not zero? */
static bool has_something(const struct story *story, const char *at)
{
	const struct nacre_field *field;
	bool quoted;

	while (*at != ']') {
		if (*at != '{') {
			at++;
			continue;
		}
		field = named_field(story, at, &at, &quoted);
		if (field && nacre_field_load(field, story->body))
			return true;
	}
	return false;
}

static void fill_in(FILE *out, const struct story *story, const char *at)
{
	const struct nacre_field *field;
	bool quoted;

	while (*at) {
		if (*at == '[' && (story->short_form || !has_something(story, at + 1))) {
			at = strchr(at, ']') + 1;
		} else if (*at == '[' || *at == ']') {
			at++;
		} else if (*at != '{') {
			fputc(*at++, out);
		} else {
			field = named_field(story, at, &at, &quoted);
			if (field && quoted)
				story_quote(out, nacre_field_bytes(field, story->body),
					    nacre_field_load(field, story->body));
			else if (field)
				story_value(out, field, story->body);
		}
	}
}

static bool is_request(const struct nacre_message *row)
{
	return row->type >= NACRE_MSG_LOOKUP && row->type < NACRE_MSG_REPLY;
}

void story_tell(FILE *out, const struct story *story)
{
	const char *template = story_template(story->row->type);
	story_more more = story_more_find(story->row->type);

	fputs(story->row->name, out);
	if (story->question)
		fprintf(out, " to %s (+%.3f ms):", story->question, (double)story->latency_ns / 1e6);
	if (template && *template) {
		if (*template != '[')
			fputc(' ', out);
		fill_in(out, story, template);
	}
	if (more && story->valid && (!story->short_form || story->row->type == NACRE_MSG_OSD_REQUEST))
		more(out, story);
	if (is_request(story->row) && !story->short_form)
		fill_in(out, story, request_tail);
}
