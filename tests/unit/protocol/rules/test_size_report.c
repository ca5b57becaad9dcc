// SPDX-License-Identifier: GPL-2.0
/*
 * Size reports, every order of what can happen: one writer, one rank, one reader, and between rank and writer two queues that
 * lose all they have with the connection. What a stat is answered must have been the file's size at some moment between its
 * beginning and its answer. The search keeps the worlds it has seen, so it ends; the same search over broken rules must find
 * a wrong answer, or it would prove nothing.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "../cmocka_all.h"
#include "protocol/rules/size_report.h"

#define WRITES_MAX 3
#define CUTS_MAX 2
#define STATS_MAX 2
#define LOSSES_MAX 1
#define QUEUE_MAX 4
#define SIZE_CUT_TO 1
#define HELD (NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)

enum kind { ASK = 1, REVOKE, GRANT, REPORT, ANSWER };
struct item {
	__u8 kind, size, seq, id, flags;
};
struct queue {
	struct item items[QUEUE_MAX];
	__u8 count;
};

/* Bytes only, so that worlds are compared as bytes. */
struct world {
	struct queue to_writer, to_rank;
	__u8 writer_holds, writer_size, writer_seq, dirty;
	__u8 said_size, said_seq, pending;	/* a cut that the writer knows of and has not applied */
	__u8 rank_holds, rank_size, rank_seq;	/* rank_holds: what the writer may still hold */
	__u8 revoking, cutting;
	__u8 asking, id, moments;		/* the stat under way; sizes that the file has had meanwhile, as bits */
	__u8 question_state;
	__u8 writes, cuts, stats, losses;
};

static enum broken {
	SOUND,
	NUMBER_AHEAD,		/* the writer reports its old size under the number of the cut that it has only heard of */
	NUMBER_UNREAD,		/* it reports size and number of before; the rank does not compare the number */
	KEPT,			/* the answer to one stat is given to the next */
} broken;

#define WORLDS_MAX (1u << 21)
#define SLOTS (2 * WORLDS_MAX)

static struct world *seen;
static __u32 *slots;			/* places in `seen`, from 1 */
static size_t seen_count;
static bool wrong;
static unsigned int reported, plain;

/* ---- the world ----------------------------------------------------------------------------- */

static __u8 true_size(const struct world *w)
{
	if (w->pending)
		return w->said_size;
	return w->writer_holds || w->revoking ? w->writer_size : w->rank_size;
}

static void moment(struct world *w)
{
	if (w->asking)
		w->moments |= (__u8)(1u << true_size(w));
}

static bool push(struct queue *queue, struct item item)
{
	if (queue->count == QUEUE_MAX)
		return false;
	queue->items[queue->count++] = item;
	return true;
}

static struct item pop(struct queue *queue)
{
	struct item item = queue->items[0];

	memmove(queue->items, queue->items + 1, sizeof(item) * (QUEUE_MAX - 1));
	memset(&queue->items[QUEUE_MAX - 1], 0, sizeof(item));
	queue->count--;
	return item;
}

static struct nacre_question question_of(const struct world *w)
{
	return (struct nacre_question){ .ask_id = w->id, .state = w->question_state };
}

static void question_is(struct world *w, const struct nacre_question *question)
{
	w->question_state = question->state;
}

/* The request runs again, or for the first time. */
static void answer_stat(struct world *w)
{
	if (w->question_state == NACRE_QUESTION_HEARD) {
		reported++;
		wrong |= !(w->moments >> w->rank_size & 1);
	} else if (w->question_state == NACRE_QUESTION_PLAIN) {
		plain++;
	} else {
		return;
	}
	w->asking = 0;
	w->moments = 0;
	if (broken != KEPT)
		w->question_state = NACRE_QUESTION_NEW;
}

/* ---- what can happen ------------------------------------------------------------------------- */

static bool do_write(struct world *w)
{
	if (!w->writer_holds || w->pending || w->writes == WRITES_MAX)
		return false;
	w->writes++;
	w->writer_size++;
	w->dirty = NACRE_GROUP_FILE;
	return true;
}

static bool do_stat(struct world *w)
{
	struct nacre_question question = { 0 };

	if (w->asking || w->stats == STATS_MAX || !w->rank_holds || w->revoking || w->cutting)
		return false;
	if (!push(&w->to_writer, (struct item){ .kind = ASK, .id = (__u8)(w->stats + 1) }))
		return false;
	w->stats++;
	w->asking = 1;
	moment(w);
	if (w->question_state == NACRE_QUESTION_HEARD) {
		answer_stat(w);		/* broken only: what the one before was told */
		return true;
	}
	nacre_question_asked(&question, w->stats);
	w->id = w->stats;
	question_is(w, &question);
	return true;
}

static bool do_late(struct world *w)
{
	struct nacre_question question = question_of(w);

	if (!w->asking || !nacre_question_end(&question, NACRE_QUESTIONE_LATE))
		return false;
	question_is(w, &question);
	answer_stat(w);
	return true;
}

/* The rank truncates: it takes everything back first. */
static bool do_cut(struct world *w)
{
	if (w->cuts == CUTS_MAX || w->cutting || !w->rank_holds)
		return false;
	if (!push(&w->to_writer, (struct item){ .kind = REVOKE }))
		return false;
	w->cuts++;
	w->cutting = 1;
	w->revoking = 1;
	return true;
}

static bool do_lose(struct world *w)
{
	if (w->losses == LOSSES_MAX)
		return false;
	w->losses++;
	memset(&w->to_writer, 0, sizeof(w->to_writer));
	memset(&w->to_rank, 0, sizeof(w->to_rank));
	if (w->revoking)
		push(&w->to_writer, (struct item){ .kind = REVOKE });
	return true;
}

static bool do_settle(struct world *w)
{
	if (!w->pending)
		return false;
	w->writer_size = w->said_size;
	w->writer_seq = w->said_seq;
	w->pending = 0;
	return true;
}

static void hear_ask(struct world *w, struct item ask)
{
	struct nacre_cap_client cap = { .cap_id = 1, .gen = 1, .held = w->writer_holds ? HELD : 0,
					      .wanted = HELD, .dirty = w->dirty };
	const struct nacre_size_ask question = { .ino = 1, .cap_id = 1, .cap_gen = 1, .ask_id = ask.id };
	struct nacre_size size = { .size = w->writer_size, .truncate_seq = w->writer_seq };
	struct nacre_size_report report;
	bool known = !w->pending || broken == NUMBER_AHEAD || broken == NUMBER_UNREAD;

	if (w->pending && broken == NUMBER_AHEAD)
		size.truncate_seq = w->said_seq;
	if (w->pending && known)
		cap.dirty = NACRE_GROUP_FILE;
	nacre_size_report_make(&cap, known ? &size : NULL, &question, &report);
	push(&w->to_rank, (struct item){ .kind = REPORT, .id = ask.id, .size = (__u8)report.size,
					 .seq = (__u8)report.truncate_seq,
					 .flags = (__u8)report.report_flags });
}

static bool do_hear_at_writer(struct world *w)
{
	struct item item;

	if (!w->to_writer.count || w->to_rank.count == QUEUE_MAX)
		return false;
	item = pop(&w->to_writer);
	if (item.kind == ASK) {
		hear_ask(w, item);
	} else if (item.kind == REVOKE) {
		if (w->pending)
			do_settle(w);
		w->writer_holds = 0;
		w->dirty = 0;
		push(&w->to_rank, (struct item){ .kind = ANSWER, .size = w->writer_size,
						 .seq = w->writer_seq });
	} else {
		w->said_size = item.size;
		w->said_seq = item.seq;
		w->pending = 1;
		w->writer_holds = 1;
	}
	return true;
}

static void hear_report(struct world *w, struct item item)
{
	const struct nacre_cap_rank cap = { .cap_id = 1, .gen = 1, .held = w->rank_holds ? HELD : 0 };
	struct nacre_size known = { .size = w->rank_size, .truncate_seq = w->rank_seq };
	struct nacre_size_report report = { .ino = 1, .cap_id = 1, .cap_gen = 1, .ask_id = item.id,
					    .size = item.size, .truncate_seq = item.seq,
					    .report_flags = item.flags };
	struct nacre_question question = question_of(w);
	__u32 actions;

	if (broken == NUMBER_UNREAD)
		report.truncate_seq = known.truncate_seq;
	if (report.report_flags == NACRE_SIZE_REPORT_CLEAN)
		report.size = 0;
	if (nacre_question_report(&question, &cap, &known, &report, &actions)) {
		nacre_size_flush(&known, report.size, report.truncate_seq);
		w->rank_size = (__u8)known.size;
	}
	question_is(w, &question);
	if (actions & NACRE_QUESTIONA_WAKE)
		answer_stat(w);
}

static void hear_answer(struct world *w, struct item item)
{
	struct nacre_size known = { .size = w->rank_size, .truncate_seq = w->rank_seq };

	if (!w->revoking)
		return;
	nacre_size_flush(&known, item.size, item.seq);
	w->rank_size = SIZE_CUT_TO < known.size ? SIZE_CUT_TO : (__u8)known.size;
	w->rank_seq++;
	w->revoking = 0;
	w->cutting = 0;
	push(&w->to_writer, (struct item){ .kind = GRANT, .size = w->rank_size, .seq = w->rank_seq });
}

static bool do_hear_at_rank(struct world *w)
{
	struct item item;

	if (!w->to_rank.count || w->to_writer.count == QUEUE_MAX)
		return false;
	item = pop(&w->to_rank);
	if (item.kind == REPORT)
		hear_report(w, item);
	else
		hear_answer(w, item);
	return true;
}

static bool (*const events[])(struct world *w) = {
	do_write, do_stat, do_late, do_cut, do_lose, do_settle, do_hear_at_writer, do_hear_at_rank,
};

/* ---- the search ------------------------------------------------------------------------------ */

static size_t slot_of(const struct world *w)
{
	const __u8 *bytes = (const __u8 *)w;
	__u64 hash = 14695981039346656037ull;
	size_t i, slot;

	for (i = 0; i < sizeof(*w); i++)
		hash = (hash ^ bytes[i]) * 1099511628211ull;
	for (slot = hash % SLOTS; slots[slot]; slot = (slot + 1) % SLOTS)
		if (!memcmp(&seen[slots[slot] - 1], w, sizeof(*w)))
			break;
	return slot;
}

/* Keep a world that was not seen before. */
static void reach(const struct world *w)
{
	size_t slot = slot_of(w);

	if (slots[slot])
		return;
	assert_true(seen_count < WORLDS_MAX);
	seen[seen_count++] = *w;
	slots[slot] = (__u32)seen_count;
}

/* Every world that there can be, or up to the first wrong answer. */
static void search(enum broken how)
{
	struct world w = { .writer_holds = 1, .rank_holds = 1 };
	size_t at, event;

	broken = how;
	wrong = false;
	reported = plain = 0;
	seen_count = 0;
	seen = malloc(WORLDS_MAX * sizeof(*seen));
	slots = calloc(SLOTS, sizeof(*slots));
	assert_non_null(seen);
	assert_non_null(slots);
	reach(&w);
	for (at = 0; at < seen_count && !wrong; at++)
		for (event = 0; event < sizeof(events) / sizeof(events[0]) && !wrong; event++) {
			w = seen[at];
			if (!events[event](&w))
				continue;
			moment(&w);
			reach(&w);
		}
	print_message("%zu worlds, %u stats answered by reports, %u without, %s\n", seen_count, reported,
		      plain, wrong ? "a wrong answer" : "all right");
	free(seen);
	free(slots);
}

static void every_order_is_right(void **state)
{
	search(SOUND);
	assert_false(wrong);
	assert_true(reported && plain);
}

static void broken_rules_are_noticed(void **state)
{
	search(NUMBER_AHEAD);
	assert_true(wrong);
	search(NUMBER_UNREAD);
	assert_true(wrong);
	search(KEPT);
	assert_true(wrong);
}

/* ---- one by one ------------------------------------------------------------------------------ */

static const struct nacre_size_ask ask = { .ino = 1, .cap_id = 7, .cap_gen = 3, .ask_id = 11 };
static const struct nacre_size size = { .size = 500, .truncate_seq = 2 };

static __u32 flags_of(const struct nacre_cap_client *cap, const struct nacre_size *known)
{
	struct nacre_size_report report;

	nacre_size_report_make(cap, known, &ask, &report);
	assert_int_equal(report.ask_id, 11);
	assert_int_equal(report.cap_id, 7);
	assert_int_equal(report.size, report.report_flags ? 0 : 500);
	if (report.report_flags != NACRE_SIZE_REPORT_NONE)
		assert_int_equal(report.truncate_seq, 2);
	return report.report_flags;
}

static void who_reports(void **state)
{
	const struct nacre_cap_client good = { .cap_id = 7, .gen = 3, .held = HELD, .wanted = HELD,
					       .dirty = NACRE_GROUP_FILE };
	struct nacre_cap_client cap = good;

	assert_int_equal(flags_of(&cap, &size), 0);
	assert_int_equal(flags_of(NULL, &size), NACRE_SIZE_REPORT_NONE);
	assert_int_equal(flags_of(&cap, NULL), NACRE_SIZE_REPORT_NONE);
	cap.cap_id = 6;
	assert_int_equal(flags_of(&cap, &size), NACRE_SIZE_REPORT_NONE);
	cap = good;
	cap.gen = 2;
	assert_int_equal(flags_of(&cap, &size), NACRE_SIZE_REPORT_NONE);
	cap = good;
	cap.stale = 1;
	assert_int_equal(flags_of(&cap, &size), NACRE_SIZE_REPORT_NONE);
	cap = good;
	cap.held = NACRE_CAP_FILE_SHARED;
	assert_int_equal(flags_of(&cap, &size), NACRE_SIZE_REPORT_NONE);
	/* nothing that the rank does not know: no values, and none are needed */
	cap = good;
	cap.dirty = NACRE_GROUP_AUTH;
	assert_int_equal(flags_of(&cap, &size), NACRE_SIZE_REPORT_CLEAN);
	cap.flushing = NACRE_GROUP_FILE;
	assert_int_equal(flags_of(&cap, &size), 0);
	/* it is open nowhere: whoever asks had better get a copy to keep */
	cap = good;
	cap.wanted = NACRE_CAP_FILE_EXCL;
	assert_int_equal(flags_of(&cap, &size), NACRE_SIZE_REPORT_NONE);
}

static void question_has_one_answer(void **state)
{
	const struct nacre_cap_rank cap = { .cap_id = 7, .gen = 3, .held = HELD, .wanted = HELD };
	struct nacre_size_report report = { .cap_id = 7, .cap_gen = 3, .ask_id = 11, .truncate_seq = 2,
					    .written = 4096 };
	struct nacre_question question = { 0 };
	__u32 actions;

	assert_true(nacre_size_is_written(&cap));
	nacre_question_asked(&question, 11);
	report.ask_id = 10;		/* somebody else's */
	assert_false(nacre_question_report(&question, &cap, &size, &report, &actions));
	assert_int_equal(question.state, NACRE_QUESTION_ASKING);
	report.ask_id = 11;
	assert_true(nacre_question_report(&question, &cap, &size, &report, &actions));
	assert_int_equal(actions, NACRE_QUESTIONA_WAKE);
	assert_int_equal(question.state, NACRE_QUESTION_HEARD);
	assert_int_equal(question.written, 4096);
	/* SIZE-2, SIZE-3: what is cut or probed meanwhile is not shown */
	nacre_question_end(&question, NACRE_QUESTIONE_CUT);
	assert_int_equal(question.state, NACRE_QUESTION_PLAIN);
	nacre_question_end(&question, NACRE_QUESTIONE_LATE);
	assert_int_equal(question.state, NACRE_QUESTION_PLAIN);
}

static void old_number_counts_as_none_size_3(void **state)
{
	const struct nacre_cap_rank cap = { .cap_id = 7, .gen = 3, .held = HELD, .wanted = HELD };
	struct nacre_size_report report = { .cap_id = 7, .cap_gen = 3, .ask_id = 11, .truncate_seq = 1 };
	struct nacre_question question = { 0 };
	__u32 actions;

	nacre_question_asked(&question, 11);
	assert_false(nacre_question_report(&question, &cap, &size, &report, &actions));
	assert_int_equal(question.state, NACRE_QUESTION_PLAIN);
	assert_int_equal(actions, NACRE_QUESTIONA_WAKE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_is_right),
		cmocka_unit_test(broken_rules_are_noticed),
		cmocka_unit_test(who_reports),
		cmocka_unit_test(question_has_one_answer),
		cmocka_unit_test(old_number_counts_as_none_size_3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
