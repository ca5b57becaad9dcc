// SPDX-License-Identifier: GPL-2.0
/* Questions and answers. See pairs.h. */
#include <stdlib.h>
#include <string.h>
#include "pairs.h"
#include "protocol/dump_words.h"

/* Questions of one connection that may be open at a time; the oldest is forgotten then. */
#define QUESTIONS_MAX 65536

/* The fields must have the same values in both. */
static const struct pair_row {
	uint16_t question, answer;
	const char *fields[PAIR_KEYS];
} rows[] = {
	{ NACRE_MSG_HELLO, NACRE_MSG_HELLO_REPLY, { NULL } },
	{ NACRE_MSG_SESSION_OPEN, NACRE_MSG_SESSION_STATE, { NULL } },
	{ NACRE_MSG_SESSION_RENEW, NACRE_MSG_SESSION_STATE, { "renew_seq" } },
	{ NACRE_MSG_LOOKUP, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_GETATTR, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_OPEN, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_READDIR, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_STATFS, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_QUOTA, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_SYNC, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_FILELOCK, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_CREATE, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_MKDIR, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_MKNOD, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_SYMLINK, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_LINK, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_UNLINK, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_RMDIR, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_RENAME, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_SETATTR, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_SETXATTR, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_RMXATTR, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_TMPFILE, NACRE_MSG_REPLY, { "tid" } },
	{ NACRE_MSG_CAP_REVOKE, NACRE_MSG_CAP_UPDATE, { "cap_id", "cap_gen", "cap_seq" } },
	{ NACRE_MSG_CAP_UPDATE, NACRE_MSG_CAP_FLUSH_ACK, { "flush_id" } },
	{ NACRE_MSG_SIZE_ASK, NACRE_MSG_SIZE_REPORT, { "ask_id" } },
	{ NACRE_MSG_OSD_REQUEST, NACRE_MSG_OSD_REPLY, { "tid" } },
	{ NACRE_MSG_OSD_STATFS, NACRE_MSG_OSD_STATFS_REPLY, { "tid" } },
	{ NACRE_MSG_REP_APPLY, NACRE_MSG_REP_DONE, { "pool", "pg", "number" } },
	{ NACRE_MSG_REP_QUERY, NACRE_MSG_REP_INFO, { "pool", "pg", "interval" } },
	{ NACRE_MSG_REP_LIST, NACRE_MSG_REP_LISTED, { "pool", "pg", "interval" } },
	{ NACRE_MSG_REP_SCRUB, NACRE_MSG_REP_SCRUBBED, { "pool", "pg", "tid" } },
	{ NACRE_MSG_REP_OBJECT, NACRE_MSG_REP_OBJECT_DONE, { "pool", "pg", "part" } },
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static struct pair_key make_key(const struct pair_row *row, unsigned int asker, uint16_t type,
				const void *body)
{
	const struct nacre_struct *desc = nacre_message_find(type)->body();
	struct pair_key key = { .answer = row->answer, .side = asker };
	const struct nacre_field *field;

	for (int i = 0; i < PAIR_KEYS && row->fields[i]; i++) {
		field = nacre_field_find(desc, row->fields[i]);
		key.values[i] = field ? nacre_field_load(field, body) : 0;
	}
	return key;
}

static const struct pair_row *find_question(uint16_t type)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (rows[i].question == type)
			return &rows[i];
	return NULL;
}

/* Some messages ask only at times. */
static bool asks(uint16_t type, const void *body)
{
	return type != NACRE_MSG_CAP_UPDATE || ((const struct nacre_cap_update *)body)->flush_id;
}

/* Some answer only at times. */
static bool answers(uint16_t type, const void *body)
{
	return type != NACRE_MSG_CAP_UPDATE ||
	       ((const struct nacre_cap_update *)body)->update_flags & NACRE_CAP_UPDATE_ANSWER;
}

static void forget(struct pairs *pairs, struct question *question)
{
	HASH_DEL(pairs->questions, question);
	question_free(question);
}

struct question *pairs_ask(struct pairs *pairs, unsigned int side, uint16_t type, const void *body,
			   uint64_t ns, const char *text)
{
	const struct pair_row *row = find_question(type);
	struct question *question;
	struct pair_key key;

	if (!row || !asks(type, body))
		return NULL;
	key = make_key(row, side, type, body);
	HASH_FIND(hh, pairs->questions, &key, sizeof(key), question);
	if (question)
		forget(pairs, question);
	else if (HASH_COUNT(pairs->questions) >= QUESTIONS_MAX)
		forget(pairs, pairs->questions);
	question = calloc(1, sizeof(*question));
	if (!question)
		abort();
	question->key = key;
	question->ns = ns;
	question->type = type;
	question->text = strdup(text);
	if (!question->text)
		abort();
	HASH_ADD(hh, pairs->questions, key, sizeof(key), question);
	return question;
}

struct question *pairs_answer(struct pairs *pairs, unsigned int side, uint16_t type, const void *body)
{
	struct question *question;
	struct pair_key key;

	if (!answers(type, body))
		return NULL;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].answer != type)
			continue;
		key = make_key(&rows[i], !side, type, body);
		HASH_FIND(hh, pairs->questions, &key, sizeof(key), question);
		if (question) {
			HASH_DEL(pairs->questions, question);
			return question;
		}
	}
	return NULL;
}

bool pairs_is_answer(uint16_t type)
{
	return type == NACRE_MSG_REPLY || type == NACRE_MSG_OSD_REPLY || type == NACRE_MSG_OSD_STATFS_REPLY;
}

void question_free(struct question *question)
{
	free(question->text);
	free(question);
}

void pairs_clear(struct pairs *pairs)
{
	struct question *question, *next;

	HASH_ITER(hh, pairs->questions, question, next)
		forget(pairs, question);
}
