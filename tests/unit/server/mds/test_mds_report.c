// SPDX-License-Identifier: GPL-2.0
/*
 * Size reports: a stat of a file that another client writes asks that client, and takes nothing from it; and everything that
 * can be in the way of that. The rules are in protocol/rules/size_report.h.
 */
#include "mdst.h"
#include "server/mds/core.h"
#undef log_info

#define ROOT NACRE_INO_ROOT
#define STAT_GROUPS (NACRE_GROUP_AUTH | NACRE_GROUP_LINK | NACRE_GROUP_FILE)

/* a has made the file and writes it, b and c look at it. */
struct three {
	struct mdst *t;
	struct mdst_client *a, *b, *c;
	struct nacre_inode_info file;	/* as a was told */
};

static struct three three(void **state)
{
	struct three s = { .t = *state };

	s.a = mdst_client_begin(s.t, "a");
	s.b = mdst_client_begin(s.t, "b");
	s.c = mdst_client_begin(s.t, "c");
	s.file = mdst_create(s.a, ROOT, "f").target;
	mdst_sync(s.a);
	s.a->answer_wanted = NACRE_WANT_WRITE;
	return s;
}

static void end(struct three *s)
{
	mdst_client_destroy(s->a);
	mdst_client_destroy(s->b);
	mdst_client_destroy(s->c);
}

static uint64_t stat_send(struct mdst_client *c, uint64_t ino)
{
	struct nacre_getattr_req body = { .tid = ++c->tid, .oldest_tid = c->oldest_tid, .ino = ino,
					  .mask = STAT_GROUPS, .flags = NACRE_REQUEST_REPORT };

	mdst_send(c, NACRE_MSG_GETATTR, &body);
	return body.tid;
}

static struct nacre_size_report to(const struct nacre_size_ask *ask, uint64_t size)
{
	return (struct nacre_size_report){
		.ino = ask->ino, .cap_id = ask->cap_id, .ask_id = ask->ask_id, .cap_gen = ask->cap_gen,
		.size = size, .mtime = 77000, .written = 4096,
	};
}

static struct nacre_size_ask take_ask(struct mdst_client *c)
{
	struct message *message = mdst_take(c, NACRE_MSG_SIZE_ASK);
	struct nacre_size_ask ask = message->host.size_ask;

	message_put(message);
	return ask;
}

/* The writer is asked, and answers so. */
static void report(struct mdst_client *c, uint64_t size)
{
	struct nacre_size_ask ask = take_ask(c);
	struct nacre_size_report answer = to(&ask, size);

	mdst_send(c, NACRE_MSG_SIZE_REPORT, &answer);
}

static void check_reported(const struct mdst_reply *r, uint64_t size)
{
	assert_int_equal(r->result, 0);
	assert_int_equal(r->target.size, size);
	assert_true(r->target.info_flags & NACRE_INFO_REPORTED);
	assert_false(r->target.valid & NACRE_GROUP_FILE);
	assert_false(r->target.issued & NACRE_CAPS_FILE);
}

/* Each stat is answered by the size of its own moment, and the writer writes on. */
static void test_writer_keeps_its_caps(void **state)
{
	struct three s = three(state);
	unsigned int revokes = 0;
	struct mdst_reply r;
	uint64_t tid, size;

	for (size = 1000; size <= 5000; size += 1000) {
		tid = stat_send(s.b, s.file.ino);
		report(s.a, size);
		r = mdst_wait(s.b, tid);
		check_reported(&r, size);
		assert_int_equal(r.target.mtime, 77000);
		assert_int_equal(r.target.allocated, 4096);
		/* the first one took AUTH and LINK, which the creator had to itself */
		if (size == 1000)
			revokes = s.a->revokes;
		assert_int_equal(s.a->revokes, revokes);
	}
	assert_int_equal(mdst_counter(s.t, "size_reports"), 5);
	assert_int_equal(mdst_counter(s.t, "size_reports_missed"), 0);
	end(&s);
}

static struct mdst_reply look_up(struct mdst_client *c)
{
	struct nacre_lookup_req lookup = { .parent = ROOT, .name = (const uint8_t *)"f", .name_bytes = 1,
					   .flags = NACRE_REQUEST_REPORT };

	lookup.tid = ++c->tid;
	lookup.oldest_tid = c->oldest_tid;
	return mdst_call(c, NACRE_MSG_LOOKUP, &lookup);
}

/* A name is looked up without a revoke, too; an older client gets what it always got. */
static void test_lookup_leaves_the_writer_alone(void **state)
{
	struct three s = three(state);
	struct mdst_reply r;
	unsigned int revokes;

	r = look_up(s.b);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.ino, s.file.ino);
	assert_false(r.target.valid & NACRE_GROUP_FILE);
	assert_false(r.target.info_flags & NACRE_INFO_REPORTED);
	/* AUTH, LINK and XATTR were the creator's: those it gives back, FILE it keeps */
	revokes = s.a->revokes;
	assert_null(mdst_poll(s.a, NACRE_MSG_SIZE_ASK));
	r = mdst_getattr(s.c, s.file.ino);
	assert_true(r.target.valid & NACRE_GROUP_FILE);
	assert_true(s.a->revokes > revokes);
	end(&s);
}

/* SHARE-1: the size is the writer's change; it is shown when it is journaled, and then it stays. */
static void test_share_1_a_reported_size_is_journaled(void **state)
{
	struct three s = three(state);
	struct mdst_reply r;
	uint64_t tid;

	stat_send(s.b, s.file.ino);	/* so that AUTH and LINK are where they can be shown */
	report(s.a, 10);
	mdst_run_ms(s.t, 50);
	mds_journal_hold(s.t->mds, true);
	tid = stat_send(s.b, s.file.ino);
	report(s.a, 1234);
	mdst_run_ms(s.t, 300);
	assert_false(mdst_has_reply(s.b, tid));
	mds_journal_hold(s.t->mds, false);
	r = mdst_wait(s.b, tid);
	check_reported(&r, 1234);
	mdst_crash(s.t);
	mdst_client_destroy(s.a);
	mdst_client_destroy(s.b);
	mdst_client_destroy(s.c);
	mdst_start(s.t);
	s.c = mdst_client_begin(s.t, "d");
	assert_true(mdst_getattr(s.c, s.file.ino).target.size >= 1234);
	mdst_client_destroy(s.c);
}

/* Whoever comes after the question was sent asks for himself: the answer may be of before. */
static void test_every_stat_asks_for_itself(void **state)
{
	struct three s = three(state);
	struct nacre_size_ask first, second;
	struct nacre_size_report answer;
	struct mdst_reply r;
	uint64_t tid, tid2;

	stat_send(s.b, s.file.ino);
	report(s.a, 10);
	mdst_run_ms(s.t, 50);
	tid = stat_send(s.b, s.file.ino);
	first = take_ask(s.a);
	tid2 = stat_send(s.c, s.file.ino);
	second = take_ask(s.a);
	assert_int_not_equal(first.ask_id, second.ask_id);
	answer = to(&first, 100);
	mdst_send(s.a, NACRE_MSG_SIZE_REPORT, &answer);
	r = mdst_wait(s.b, tid);
	check_reported(&r, 100);
	assert_false(mdst_has_reply(s.c, tid2));
	answer = to(&second, 200);
	mdst_send(s.a, NACRE_MSG_SIZE_REPORT, &answer);
	r = mdst_wait(s.c, tid2);
	check_reported(&r, 200);
	end(&s);
}

/* A slow writer: its caps are taken back as they always were. */
static void test_no_report_in_time_is_a_revoke(void **state)
{
	struct three s = three(state);
	struct mdst_reply r;
	unsigned int revokes;
	uint64_t tid = stat_send(s.b, s.file.ino);

	take_ask(s.a);
	revokes = s.a->revokes;
	r = mdst_wait(s.b, tid);
	assert_int_equal(r.result, 0);
	assert_true(r.target.valid & NACRE_GROUP_FILE);
	assert_false(r.target.info_flags & NACRE_INFO_REPORTED);
	assert_true(s.a->revokes > revokes);
	assert_int_equal(mdst_counter(s.t, "size_reports_missed"), 1);
	end(&s);
}

/* So is one that says that it does not write the file any more, or speaks of another cap or truncation (SIZE-3). */
static void test_useless_reports_are_revokes(void **state)
{
	struct three s = three(state);
	struct nacre_size_report answer;
	struct nacre_size_ask ask;
	struct mdst_reply r;
	uint64_t tid;
	int kind;

	for (kind = 0; kind < 3; kind++) {
		char name[2] = { (char)('g' + kind), 0 };

		s.file = mdst_create(s.a, ROOT, name).target;
		tid = stat_send(s.b, s.file.ino);
		ask = take_ask(s.a);
		answer = to(&ask, 999);
		if (kind == 0)
			answer = (struct nacre_size_report){ .ino = ask.ino, .cap_id = ask.cap_id, .ask_id = ask.ask_id,
							     .report_flags = NACRE_SIZE_REPORT_NONE };
		else if (kind == 1)
			answer.truncate_seq = s.file.truncate_seq + 1;
		else
			answer.cap_gen++;
		mdst_send(s.a, NACRE_MSG_SIZE_REPORT, &answer);
		r = mdst_wait(s.b, tid);
		assert_int_equal(r.result, 0);
		assert_true(r.target.valid & NACRE_GROUP_FILE);
		assert_int_equal(r.target.size, 0);
	}
	assert_int_equal(mdst_counter(s.t, "size_reports"), 0);
	end(&s);
}

/* A report that comes when nobody waits any more changes nothing. */
static void test_late_report_is_dropped(void **state)
{
	struct three s = three(state);
	struct nacre_size_report answer;
	struct nacre_size_ask ask;
	uint64_t tid = stat_send(s.b, s.file.ino);

	ask = take_ask(s.a);
	mdst_wait(s.b, tid);
	answer = to(&ask, 4321);
	mdst_send(s.a, NACRE_MSG_SIZE_REPORT, &answer);
	mdst_run_ms(s.t, 100);
	assert_int_equal(mdst_getattr(s.b, s.file.ino).target.size, 0);
	end(&s);
}

/* A truncation comes between question and report: the old size is not taken for the new file (SIZE-3). */
static void test_size_3_a_cut_before_the_report(void **state)
{
	struct three s = three(state);
	struct nacre_size_report answer;
	struct nacre_size_ask ask;
	uint64_t tid, size;

	assert_int_equal(mdst_flush_size(s.a, &s.file, 1, 500), 0);
	tid = stat_send(s.b, s.file.ino);
	ask = take_ask(s.a);
	mdst_truncate(s.c, s.file.ino, 7);
	answer = to(&ask, 500);
	mdst_send(s.a, NACRE_MSG_SIZE_REPORT, &answer);
	size = mdst_wait(s.b, tid).target.size;
	assert_int_equal(size, 7);
	assert_int_equal(mdst_getattr(s.b, s.file.ino).target.size, 7);
	end(&s);
}

/* SIZE-2: the writer is lost with the question: its size is sought before anyone is answered. */
static void test_size_2_the_writer_is_lost(void **state)
{
	struct three s = three(state);
	struct mdst_reply r;
	uint64_t tid = stat_send(s.b, s.file.ino);

	take_ask(s.a);
	s.a->silent = s.a->stubborn = true;
	r = mdst_wait(s.b, tid);
	assert_int_equal(r.result, 0);
	assert_true(r.target.valid & NACRE_GROUP_FILE);
	assert_int_equal(mdst_counter(s.t, "probes"), 1);
	end(&s);
}

/* A writer that has nothing to tell leaves the rank's values as they are, whatever it remembers: times may have been set back. */
static void test_clean_writer_changes_no_times(void **state)
{
	struct three s = three(state);
	struct nacre_size_report answer;
	struct nacre_size_ask ask;
	struct mdst_reply r;
	uint64_t tid;

	tid = stat_send(s.b, s.file.ino);
	report(s.a, 1000);
	mdst_wait(s.b, tid);
	tid = stat_send(s.b, s.file.ino);
	ask = take_ask(s.a);
	answer = to(&ask, 0);
	answer.mtime = answer.written = 0;
	answer.report_flags = NACRE_SIZE_REPORT_CLEAN;
	mdst_send(s.a, NACRE_MSG_SIZE_REPORT, &answer);
	r = mdst_wait(s.b, tid);
	check_reported(&r, 1000);
	assert_int_equal(r.target.mtime, 77000);
	assert_int_equal(mdst_counter(s.t, "size_reports_missed"), 0);
	end(&s);
}

static void open_for_writing(struct three *s, struct mdst_client *c)
{
	struct mdst_reply r;

	c->answer_wanted = NACRE_WANT_WRITE;
	r = mdst_wait(c, mdst_open_send(c, s->file.ino, NACRE_OPEN_WRITE, NACRE_CAP_FILE_WRITE, NACRE_CAP_FILE_WRITE));
	assert_true(r.target.issued & NACRE_CAP_FILE_WRITE);
	mdst_run_ms(s->t, 100);
}

static void check_revoked(struct three *s, struct mdst_client *reader)
{
	unsigned int revokes = s->a->revokes + s->c->revokes;
	struct mdst_reply r = mdst_wait(reader, stat_send(reader, s->file.ino));

	assert_int_equal(r.result, 0);
	assert_false(r.target.info_flags & NACRE_INFO_REPORTED);
	assert_true(s->a->revokes + s->c->revokes > revokes);
	assert_int_equal(mdst_counter(s->t, "size_asks"), 0);
}

/* Simulator, seed 1200941: reports of several writers are of several moments, and their largest may never have been the file's size. */
static void test_several_writers_do_not_report(void **state)
{
	struct three s = three(state);

	open_for_writing(&s, s.c);
	check_revoked(&s, s.b);
	end(&s);
}

/* Nor is the larger of another's report and of what was written here. */
static void test_who_writes_is_told_no_report(void **state)
{
	struct three s = three(state);

	open_for_writing(&s, s.c);
	check_revoked(&s, s.c);
	end(&s);
}

/* A second one begins to write while the first is asked. */
static void test_a_second_writer_before_the_report(void **state)
{
	struct three s = three(state);
	struct nacre_size_report answer;
	struct nacre_size_ask ask;
	struct mdst_reply r;
	uint64_t tid;

	tid = stat_send(s.b, s.file.ino);
	ask = take_ask(s.a);
	open_for_writing(&s, s.c);
	answer = to(&ask, 500);
	mdst_send(s.a, NACRE_MSG_SIZE_REPORT, &answer);
	r = mdst_wait(s.b, tid);
	assert_false(r.target.info_flags & NACRE_INFO_REPORTED);
	end(&s);
}

/* What does not show the size leaves any number of writers alone. */
static void test_lookup_leaves_several_writers_alone(void **state)
{
	struct three s = three(state);
	unsigned int revokes;
	struct mdst_reply r;

	open_for_writing(&s, s.c);
	look_up(s.b);			/* takes what is not FILE */
	revokes = s.a->revokes + s.c->revokes;
	r = look_up(s.b);
	assert_int_equal(r.result, 0);
	assert_false(r.target.valid & NACRE_GROUP_FILE);
	assert_int_equal(s.a->revokes + s.c->revokes, revokes);
	end(&s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
	const struct CMUnitTest tests[] = {
		T(test_writer_keeps_its_caps), T(test_lookup_leaves_the_writer_alone),
		T(test_share_1_a_reported_size_is_journaled), T(test_every_stat_asks_for_itself),
		T(test_no_report_in_time_is_a_revoke), T(test_useless_reports_are_revokes),
		T(test_late_report_is_dropped), T(test_size_3_a_cut_before_the_report),
		T(test_size_2_the_writer_is_lost), T(test_clean_writer_changes_no_times),
		T(test_several_writers_do_not_report), T(test_who_writes_is_told_no_report),
		T(test_a_second_writer_before_the_report), T(test_lookup_leaves_several_writers_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
