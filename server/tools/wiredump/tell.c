// SPDX-License-Identifier: GPL-2.0
/*
 * What is printed: each message that the filters let through, as a line of story or with all fields; each
 * trouble; at the end what has no answer, and a summary. Also where messages are decoded, as everything
 * that is said of them is known here.
 *
 *	  0.001234 client.5 -> mds0         CREATE "foo" in 1 as 10000100040 mode 0100644  tid 7
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "conns.h"
#include "protocol/codec.h"
#include "protocol/dump.h"
#include "protocol/dump_words.h"
#include "protocol/rules/validate.h"
#include "story.h"

#define TEXT_BYTES (16u << 20)
#define QUESTION_BYTES_MAX 100		/* of its text, in the line of its answer */
#define WHO_COLUMNS 20

/* ---- the beginning of a line -------------------------------------------------------------------------- */

static void print_who(struct side *side)
{
	struct wiredump *dump = side->conn->dump;
	struct side *other = &side->conn->sides[!side->index];
	char from[PEER_TEXT_BYTES], to[PEER_TEXT_BYTES];
	int columns;

	if (side->conn == dump->raw) {
		fprintf(dump->options.out, "%10" PRIu64 " ", side->frames.frame_offset);
		return;
	}
	columns = fprintf(dump->options.out, "%10.6f %s -> %s",
			  (double)(int64_t)(dump->now_ns - dump->first_ns) / 1e9,
			  peer_text(&side->peer, &side->endpoint, from),
			  peer_text(&other->peer, &other->endpoint, to)) - 11;
	fprintf(dump->options.out, "%*s  ", columns < WHO_COLUMNS ? WHO_COLUMNS - columns : 0, "");
}

static bool is_peer_wanted(struct side *side)
{
	const char *name = side->conn->dump->options.peer;
	struct side *other = &side->conn->sides[!side->index];

	return !name || peer_is(&side->peer, &side->endpoint, name) ||
	       peer_is(&other->peer, &other->endpoint, name);
}

void tell_trouble(struct side *side, uint64_t offset, const char *text)
{
	struct wiredump *dump = side->conn->dump;

	dump->troubles++;
	if (!is_peer_wanted(side))
		return;
	print_who(side);
	fprintf(dump->options.out, "!! at byte %" PRIu64 " of the stream: %s\n", offset, text);
}

/* ---- filters ------------------------------------------------------------------------------------------ */

static bool mentions_ino(const struct nacre_struct *desc, const void *host, uint64_t ino);

static bool tail_mentions_ino(const struct nacre_struct *desc, const uint8_t *bytes, size_t length,
			      uint64_t ino)
{
	struct nacre_reader r = nacre_reader(bytes, length);
	__u64 host[NACRE_BODY_HOST_MAX / 8];

	while (nacre_reader_left(&r) && desc->host_bytes <= sizeof(host) && !nacre_decode(desc, &r, host))
		if (mentions_ino(desc, host, ino))
			return true;
	return false;
}

static bool mentions_ino(const struct nacre_struct *desc, const void *host, uint64_t ino)
{
	const struct nacre_struct *element;
	const struct nacre_field *f;

	for (int i = 0; i < desc->field_count; i++) {
		f = &desc->fields[i];
		if (f->kind == NACRE_FIELD_INT && nacre_field_nature(f) == NACRE_NATURE_INO &&
		    nacre_field_load(f, host) == ino)
			return true;
		element = f->kind == NACRE_FIELD_TAIL ? nacre_tail_element(desc, f) : NULL;
		if (element &&
		    tail_mentions_ino(element, nacre_field_bytes(f, host), nacre_field_load(f, host), ino))
			return true;
	}
	return false;
}

static bool is_type_wanted(const struct wiredump_options *options, uint16_t type)
{
	for (int i = 0; i < WIREDUMP_FILTERS_MAX && options->types[i]; i++)
		if (options->types[i] == type)
			return true;
	return !options->types[0];
}

static bool is_tid_wanted(const struct wiredump_options *options, const struct nacre_struct *desc,
			  const void *body)
{
	const struct nacre_field *tid = nacre_field_find(desc, "tid");

	return !options->tid || (tid && nacre_field_load(tid, body) == options->tid);
}

/* ---- a message ---------------------------------------------------------------------------------------- */

/* One on its way through here. */
struct told {
	struct side *side;
	const struct frame_message *message;
	const struct nacre_message *row;	/* the message's, or that of one of its parts */
	const void *body;		/* decoded */
	const char *reason;		/* why it is not valid; NULL: it is */
	struct question *question;	/* that it answers */
	bool mentions_ino;		/* the one looked for */
};

static struct story story_of(const struct told *told)
{
	const struct frame_message *m = told->message;
	struct story story = {
		.row = told->row,
		.body = told->body,
		.valid = !told->reason,
		.data_bytes = m->frame->data_bytes,
	};

	if (told->question) {
		story.answered = told->question->type;
		story.question = told->question->text;
		story.latency_ns = told->side->conn->dump->now_ns - told->question->ns;
	}
	return story;
}

static bool is_wanted(const struct told *told)
{
	const struct wiredump_options *options = &told->side->conn->dump->options;
	const struct nacre_message *row = told->row;

	if (!is_peer_wanted(told->side) || !is_tid_wanted(options, row->body(), told->body))
		return false;
	if (!is_type_wanted(options, row->type) &&
	    !(told->question && is_type_wanted(options, told->question->type)))
		return false;
	return !options->ino || told->mentions_ino || (told->question && told->question->mentions_ino);
}

static void print_fields(struct wiredump *dump, const struct told *told)
{
	const struct frame_message *m = told->message;
	FILE *out = dump->options.out;

	if (!dump->text)
		dump->text = malloc(TEXT_BYTES);
	if (!dump->text)
		abort();
	nacre_dump_frame(m->frame, dump->text, TEXT_BYTES);
	fprintf(out, "%s\n", dump->text);
	if (told->question)
		fprintf(out, "  answers %s, +%.3f ms\n", told->question->text,
			(double)(int64_t)(dump->now_ns - told->question->ns) / 1e6);
	nacre_dump_struct(m->row->body(), told->body, NACRE_DUMP_ZEROS | NACRE_DUMP_LINES, dump->text,
			  TEXT_BYTES);
	fprintf(out, "  %s\n", dump->text);
}

static void print_line(struct wiredump *dump, const struct told *told)
{
	const struct nacre_field *tid = nacre_field_find(told->row->body(), "tid");
	struct story story = story_of(told);
	FILE *out = dump->options.out;

	story_tell(out, &story);
	if (!told->question && pairs_is_answer(story.row->type))
		fputs("; to a request that was not captured", out);
	if (tid)
		fprintf(out, "  tid %" PRIu64, (uint64_t)nacre_field_load(tid, told->body));
	fputc('\n', out);
}

/* What the line of its answer will repeat of it. */
static void ask(const struct told *told)
{
	struct story story = story_of(told);
	struct question *question;
	size_t length, cut = QUESTION_BYTES_MAX - sizeof("…");
	char *text = NULL;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	story.question = NULL;
	story.short_form = true;
	story_tell(out, &story);
	if (fclose(out))
		abort();
	if (length > QUESTION_BYTES_MAX) {
		while ((text[cut] & 0xc0) == 0x80)	/* not within a character */
			cut--;
		strcpy(text + cut, "…");
	}
	question = pairs_ask(&told->side->conn->pairs, told->side->index, story.row->type, told->body,
			     told->side->conn->dump->now_ns, text);
	if (question)
		question->mentions_ino = told->mentions_ino;
	free(text);
}

static void learn(struct side *side, uint16_t type, const void *body)
{
	struct wiredump *dump = side->conn->dump;
	struct side *other = &side->conn->sides[!side->index];

	peers_learn(&side->peer, &other->peer, type, body);
	if (type != NACRE_MSG_MAP)
		return;
	address_book_learn(dump->book, body);
	if (!side->peer.role)
		side->peer = address_book_find(dump->book, &side->endpoint);
}

/* A line for each, and a question that its answer or acknowledgement answers; with all fields they have been shown. */
static void tell_parts(const struct told *whole)
{
	struct nacre_reader r = story_parts(whole->row->type, whole->body);
	struct wiredump *dump = whole->side->conn->dump;
	struct told part = *whole;
	union story_part body;

	part.row = nacre_message_find(story_part_type(whole->row->type));
	part.body = &body;
	while (nacre_reader_left(&r) && !nacre_decode(part.row->body(), &r, &body)) {
		part.question = pairs_answer(&part.side->conn->pairs, part.side->index, part.row->type, &body);
		part.mentions_ino = dump->options.ino == body.ino;
		if (is_wanted(&part) && !dump->options.full) {
			print_who(part.side);
			print_line(dump, &part);
		}
		ask(&part);
		if (part.question)
			question_free(part.question);
	}
}

static void tell(struct told *told)
{
	struct side *side = told->side;
	struct wiredump *dump = side->conn->dump;
	const struct nacre_message *row = told->row;

	if (!told->reason)
		learn(side, row->type, told->body);
	told->question = pairs_answer(&side->conn->pairs, side->index, row->type, told->body);
	told->mentions_ino = dump->options.ino && mentions_ino(row->body(), told->body, dump->options.ino);
	if (is_wanted(told)) {
		dump->shown++;
		print_who(side);
		if (dump->options.full)
			print_fields(dump, told);
		else
			print_line(dump, told);
	}
	ask(told);
	if (told->question)
		question_free(told->question);
	if (story_part_type(row->type) && !told->reason)
		tell_parts(told);
}

void tell_message(struct side *side, const struct frame_message *message)
{
	const struct nacre_frame *frame = message->frame;
	__u64 body[NACRE_BODY_HOST_MAX / 8];
	struct told told = { .side = side, .message = message, .row = message->row, .body = body };
	char text[256], line[384];

	side->conn->dump->messages++;
	if (!message->body)
		return;			/* what is wrong has been said */
	if (nacre_decode_all(message->row->body(), message->body, frame->body_bytes, body)) {
		*text = 0;
		frames_explain(message->row->body(), message->body, frame->body_bytes, text, sizeof(text));
		snprintf(line, sizeof(line), "#%" PRIu64 " %s: body is not decodable: %s",
			 (uint64_t)frame->seq, message->row->name, text);
		tell_trouble(side, message->offset, line);
		return;
	}
	if (nacre_validate(message->row->type, body, frame->data_bytes, &told.reason)) {
		snprintf(line, sizeof(line), "#%" PRIu64 " %s: means nothing: %s", (uint64_t)frame->seq,
			 message->row->name, told.reason);
		tell_trouble(side, message->offset, line);
	}
	if (message->data_missing) {
		snprintf(line, sizeof(line), "#%" PRIu64 " %s: %" PRIu64 " of %u bytes of its data payload were not captured",
			 (uint64_t)frame->seq, message->row->name, message->data_missing, frame->data_bytes);
		tell_trouble(side, message->offset, line);
	}
	tell(&told);
}

/* ---- the end ------------------------------------------------------------------------------------------ */

void tell_unanswered(struct conn *conn)
{
	const struct wiredump_options *options = &conn->dump->options;
	struct question *question, *next;
	struct side *side;

	HASH_ITER(hh, conn->pairs.questions, question, next) {
		side = &conn->sides[question->key.side];
		if (!pairs_is_answer((uint16_t)question->key.answer) || conn == conn->dump->raw ||
		    !is_peer_wanted(side) || !is_type_wanted(options, question->type) ||
		    (options->ino && !question->mentions_ino) ||
		    (options->tid && question->key.values[0] != options->tid))
			continue;
		print_who(side);
		fprintf(options->out, "-- no answer for %.3f ms: %s  tid %" PRIu64 "\n",
			(double)(int64_t)(conn->dump->now_ns - question->ns) / 1e6, question->text,
			question->key.values[0]);
	}
}

void tell_summary(struct wiredump *dump)
{
	FILE *out = dump->options.out;

	fprintf(out, "-- %" PRIu64 " messages, %" PRIu64 " shown, on %" PRIu64 " connections", dump->messages,
		dump->shown, dump->nacre_conns);
	if (dump->other_conns)
		fprintf(out, "; %" PRIu64 " connections of something else", dump->other_conns);
	if (dump->lost)
		fprintf(out, "; %" PRIu64 " bytes were not captured", dump->lost);
	if (dump->cut)
		fprintf(out, "; %" PRIu64 " packets were cut by the capture", dump->cut);
	if (dump->fragments)
		fprintf(out, "; %" PRIu64 " IP fragments were not put together", dump->fragments);
	if (dump->broken)
		fprintf(out, "; %" PRIu64 " packets are damaged", dump->broken);
	if (dump->troubles)
		fprintf(out, "; %" PRIu64 " troubles", dump->troubles);
	fputc('\n', out);
}
