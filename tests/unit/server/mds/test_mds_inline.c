/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small files in the inode at the rank: the bytes come with a flush and go with caps (INLINE-5), are journaled, cut and
 * purged with the inode; they leave it when a client says so, or when a writer is lost and object 0 has the mark (INLINE-4).
 */
#include "mdst.h"
#include "protocol/rules/inline.h"

#define ROOT NACRE_INO_ROOT
#define TEXT "small is beautiful"

static struct nacre_inode_info create(struct mdst_client *c, const char *name, uint16_t flags)
{
	struct nacre_record_req body = mdst_record(c, ROOT, name);
	struct mdst_reply r;

	body.kind = NACRE_RECORD_CREATE;
	body.record_flags = flags;
	body.mode = S_IFREG | 0644;
	body.set_mask = NACRE_SET_MODE;
	body.wanted = NACRE_WANT_WRITE;
	r = mdst_call(c, NACRE_MSG_CREATE, &body);
	assert_int_equal(r.result, 0);
	return r.target;
}

/* A flush of FILE with the bytes (text), or with the word that they have left (NULL). */
static struct nacre_cap_update update_of(const struct nacre_inode_info *cap, uint64_t flush_id,
					 const char *text, uint64_t size)
{
	return (struct nacre_cap_update){
		.ino = cap->ino, .cap_id = cap->cap_id, .cap_gen = cap->cap_gen,
		.cap_seq = cap->cap_seq, .held = cap->issued, .wanted = NACRE_WANT_WRITE,
		.dirty = NACRE_GROUP_FILE, .flush_id = flush_id, .oldest_flush = flush_id,
		.size = size, .truncate_seq = cap->truncate_seq, .inline_gen = 1,
		.update_flags = NACRE_CAP_UPDATE_SYNC | (text ? NACRE_CAP_UPDATE_HAS_DATA :
								NACRE_CAP_UPDATE_UNINLINED),
		.data = (const uint8_t *)text, .data_bytes = text ? (uint32_t)strlen(text) : 0,
	};
}

static void flush(struct mdst_client *c, const struct nacre_inode_info *cap, uint64_t flush_id,
		  const char *text, uint64_t size)
{
	struct nacre_cap_update update = update_of(cap, flush_id, text, size);
	struct message *ack;

	mdst_send(c, NACRE_MSG_CAP_UPDATE, &update);
	ack = mdst_take(c, NACRE_MSG_CAP_FLUSH_ACK);
	assert_int_equal(ack->host.cap_flush_ack.result, 0);
	message_put(ack);
}

/* OPEN for reading: the answer must have these bytes (NULL: and no inline data at all), and this size. */
static void expect(struct mdst_client *c, uint64_t ino, const char *text, uint64_t size)
{
	uint64_t tid = mdst_open_send(c, ino, NACRE_OPEN_READ, NACRE_CAP_FILE_READ, NACRE_WANT_READ);
	struct nacre_inode_info info;
	struct message *reply;
	struct nacre_reader r;

	do
		reply = mdst_take(c, NACRE_MSG_REPLY);
	while (reply->host.reply.tid != tid);
	assert_int_equal(reply->host.reply.result, 0);
	r = nacre_reader(reply->host.reply.traces, reply->host.reply.traces_bytes);
	assert_int_equal(nacre_decode(nacre_inode_info_desc(), &r, &info), 0);
	assert_int_equal(info.size, size);
	assert_true(info.issued & NACRE_CAP_FILE_READ);
	assert_int_equal(info.inline_gen != 0, text != NULL);
	assert_int_equal(!!(info.info_flags & NACRE_INFO_HAS_DATA), text != NULL);
	assert_int_equal(info.data_bytes, text ? strlen(text) : 0);
	if (text)
		assert_memory_equal(info.data, text, info.data_bytes);
	message_put(reply);
}

/* INLINE-5, and through a crash. */
static void test_inline_5_bytes_go_with_caps(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE);

	assert_int_equal(cap.inline_gen, NACRE_INLINE_FIRST_GEN);
	assert_true(cap.info_flags & NACRE_INFO_HAS_DATA);
	flush(a, &cap, 1, TEXT, strlen(TEXT));
	assert_int_equal(mdst_counter(t, "inline_bytes"), strlen(TEXT));
	a->answer_wanted = NACRE_CAP_PIN;
	expect(b, cap.ino, TEXT, strlen(TEXT));
	assert_int_equal(mdst_osd_exists(t->osd, NACRE_POOL_DATA, cap.ino, 0), false);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
	mdst_writeback(t);
	mdst_crash(t);
	mdst_start(t);
	b = mdst_client_begin(t, "b2");
	expect(b, cap.ino, TEXT, strlen(TEXT));
	mdst_client_destroy(b);
}

/* A client that does not ask for it gets files like those of a file system without inline data. */
static void test_not_asked_for(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_inode_info cap = create(a, "f", 0);

	assert_int_equal(cap.inline_gen, 0);
	assert_false(cap.info_flags & NACRE_INFO_HAS_DATA);
	mdst_client_destroy(a);
}

/* Once it has left it has left: bytes that come later are not the file's. */
static void test_left_for_good(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE);

	flush(a, &cap, 1, TEXT, strlen(TEXT));
	flush(a, &cap, 2, NULL, 70000);
	assert_int_equal(mdst_counter(t, "inline_bytes"), 0);
	assert_int_equal(mdst_counter(t, "uninlined"), 1);
	flush(a, &cap, 3, "late", 70000);
	a->answer_wanted = NACRE_CAP_PIN;
	expect(b, cap.ino, NULL, 70000);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static unsigned int complaints;

static void count_complaints(void *owner, enum log_level level, const char *line)
{
	complaints += level == LOG_ERROR;
}

static void open_to_write(struct mdst_client *c, uint64_t ino)
{
	uint64_t tid = mdst_open_send(c, ino, NACRE_OPEN_READ | NACRE_OPEN_WRITE, NACRE_CAP_FILE_WRITE, NACRE_WANT_WRITE);

	assert_int_equal(mdst_wait(c, tid).result, 0);
}

/*
 * A client that has not seen its bytes journaled says them again with every flush, also when another has the file by then. That was
 * called an error, though nothing is wrong. Other bytes than the file's are one, and are not taken in.
 */
static void test_bytes_said_again_by_who_shares(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE);

	complaints = 0;
	log_set_sink(t->log, count_complaints, NULL);
	flush(a, &cap, 1, TEXT, strlen(TEXT));
	a->answer_wanted = NACRE_WANT_WRITE;
	open_to_write(b, cap.ino);
	mdst_run_ms(t, 100);
	flush(a, &cap, 2, TEXT, strlen(TEXT));
	assert_int_equal(complaints, 0);
	flush(a, &cap, 3, "other", strlen(TEXT));
	assert_int_equal(complaints, 1);
	flush(a, &cap, 4, NULL, strlen(TEXT));
	flush(a, &cap, 5, TEXT, strlen(TEXT));
	assert_int_equal(complaints, 1);
	assert_int_equal(mdst_counter(t, "uninlined"), 1);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* A truncation cuts the bytes and no object; growing makes zeros that nobody stores. */
static void test_truncate_both_ways(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE);

	flush(a, &cap, 1, TEXT, strlen(TEXT));
	a->answer_wanted = NACRE_CAP_PIN;
	assert_int_equal(mdst_truncate(b, cap.ino, 5).result, 0);
	expect(b, cap.ino, "small", 5);
	assert_int_equal(mdst_truncate(b, cap.ino, 1 << 20).result, 0);
	expect(b, cap.ino, "small", 1 << 20);
	assert_int_equal(mdst_truncate(b, cap.ino, 0).result, 0);
	expect(b, cap.ino, "", 0);
	assert_int_equal(mdst_counter(t, "trims"), 0);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* INLINE-4: the lost writer had not written yet; what it had flushed is the file. */
static void test_inline_4_no_mark(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE);

	flush(a, &cap, 1, TEXT, strlen(TEXT));
	mdst_writeback(t);		/* object 0 exists, and has the backtrace */
	assert_true(mdst_osd_exists(t->osd, NACRE_POOL_DATA, cap.ino, 0));
	a->stubborn = true;
	expect(b, cap.ino, TEXT, strlen(TEXT));
	assert_true(a->killed);
	assert_int_equal(mdst_counter(t, "probes"), 1);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* INLINE-4: it had left the inode, and nobody had said so. */
static void test_inline_4_mark(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE);

	flush(a, &cap, 1, TEXT, strlen(TEXT));
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 65536);
	mdst_osd_mark(t->osd, cap.ino, NACRE_INLINE_MARK);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 1, 100);
	a->stubborn = true;
	expect(b, cap.ino, NULL, 65536 + 100);
	assert_int_equal(mdst_counter(t, "uninlined"), 1);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* INLINE-4 through a restart: the writer does not come back. */
static void test_inline_4_lost_in_restart(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE);
	struct nacre_inode_info other = create(a, "g", NACRE_RECORD_INLINE);

	flush(a, &cap, 1, TEXT, strlen(TEXT));
	flush(a, &other, 2, "g", 1);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 30);
	mdst_osd_mark(t->osd, cap.ino, NACRE_INLINE_MARK);
	mdst_client_destroy(a);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(b, NULL, 0, NULL);
	expect(b, cap.ino, NULL, 30);
	expect(b, other.ino, "g", 1);
	mdst_client_destroy(b);
}

static uint64_t left_ino;

static void say_left(struct mdst_client *c)
{
	struct nacre_inode_info cap = { .ino = left_ino, .cap_id = c->claims->cap_id, .cap_seq = 1,
					.cap_gen = (uint32_t)c->incarnation,
					.issued = c->claims->held };
	struct nacre_cap_update update = update_of(&cap, 9, NULL, 20);

	conn_send(c->conn, NACRE_MSG_CAP_UPDATE, &update, NULL);
}

/* INLINE-4: "un-inlined" died with the rank before it was journaled; its sender comes back and says it again. */
static void test_inline_4_said_again(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE);
	struct nacre_cap_claim claim = { .ino = cap.ino, .cap_id = cap.cap_id, .held = cap.issued,
					 .wanted = NACRE_WANT_WRITE, .max_size = cap.max_size,
					 .dirty = NACRE_GROUP_FILE };

	flush(a, &cap, 1, TEXT, strlen(TEXT));
	left_ino = cap.ino;
	b->coming_back = true;
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(a, &claim, 1, say_left);
	a->answer_wanted = NACRE_CAP_PIN;
	expect(b, cap.ino, NULL, 20);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* A change of size that was not safe, and what was written behind it, which has been given back since. */
static void say_both(struct mdst_client *c)
{
	struct nacre_record_req cut = { .tid = ++c->tid, .oldest_tid = 1, .applied = 1, .flags = NACRE_REQUEST_RESEND,
					.kind = NACRE_RECORD_SETATTR, .wanted = NACRE_WANT_WRITE, .ino = left_ino,
					.set_mask = NACRE_SET_SIZE, .size = 5 };
	struct nacre_inode_info cap = { .ino = left_ino, .cap_id = c->claims->cap_id, .cap_seq = 1,
					.cap_gen = (uint32_t)c->incarnation, .issued = c->claims->held };
	struct nacre_cap_update update = update_of(&cap, 1, TEXT, strlen(TEXT));

	conn_send(c->conn, NACRE_MSG_CAP_UPDATE, &update, NULL);
	conn_send(c->conn, NACRE_MSG_SETATTR, &cut, NULL);
}

/*
 * INLINE-5 in a restart: the rank does the change of size again before it takes in the bytes that were written after it. It grants nothing of the
 * file in between: the client took what came with that for newer than its own bytes, and wrote zeros later (simulator, seed 300690).
 */
static void test_inline_5_not_before_what_was_said(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE), info;
	struct nacre_cap_claim claim = { .ino = cap.ino, .cap_id = cap.cap_id, .held = NACRE_CAP_PIN,
					 .wanted = NACRE_WANT_WRITE, .dirty = NACRE_GROUP_FILE };
	struct mdst_reply cut;
	struct message *grant;

	mdst_sync(a);
	left_ino = cap.ino;
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(a, &claim, 1, say_both);
	cut = mdst_wait(a, a->tid);
	assert_int_equal(cut.result, 0);
	assert_int_equal(cut.target.issued & NACRE_CAPS_FILE, 0);
	assert_false(cut.target.info_flags & NACRE_INFO_HAS_DATA);
	do {
		grant = mdst_take(a, NACRE_MSG_CAP_GRANT);
		nacre_decode_all(nacre_inode_info_desc(), grant->host.cap_grant.info, grant->host.cap_grant.info_bytes, &info);
		message_put(grant);
	} while (info.cap_gen == cap.cap_gen || !(info.issued & NACRE_CAPS_FILE));
	assert_int_equal(info.data_bytes, strlen(TEXT));
	assert_int_equal(info.size, strlen(TEXT));
	mdst_client_destroy(a);
}

/* INLINE-3: object 0 goes with the inode, and nothing else is looked for. */
static void test_inline_3_purge(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_inode_info cap = create(a, "f", NACRE_RECORD_INLINE);
	struct mdst_reply r;

	flush(a, &cap, 1, TEXT, strlen(TEXT));
	mdst_writeback(t);
	r = mdst_unlink(a, ROOT, "f");
	assert_int_equal(r.result, 0);
	mdst_release(a, &r.victim);
	mdst_run_ms(t, 2000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 0);
	assert_int_equal(mdst_counter(t, "inline_bytes"), 0);
	mdst_client_destroy(a);
}

/*
 * A listing brings data up to where its budget ends and none behind: who asked for more goes on exactly there. Small ones that
 * still found room behind larger ones that did not used to leave gaps, of which each cost a request.
 */
static void test_listing_brings_data_without_gaps(void **state)
{
	enum { FILES = 12, LARGE = 3000, BUDGET = 12000 };
	static char text[LARGE + 1];
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "a");
	struct nacre_readdir_req body = { .oldest_tid = 1, .ino = ROOT, .max_entries = 100,
					  .max_bytes = 2 * BUDGET, .flags = NACRE_REQUEST_WANT_DATA };
	unsigned int i, with_data = 0;
	struct mdst_reply r;
	char name[8];

	for (i = 0; i < FILES; i++) {
		struct nacre_inode_info cap;

		snprintf(name, sizeof(name), "f%u", i);
		cap = create(c, name, NACRE_RECORD_INLINE);
		memset(text, 'x', LARGE);
		text[i % 2 ? 10 : LARGE] = 0;
		flush(c, &cap, i + 1, text, strlen(text));
	}
	mdst_client_destroy(c);
	mdst_crash(t);
	mdst_start(t);
	c = mdst_client_begin(t, "b");
	body.tid = ++c->tid;
	r = mdst_call(c, NACRE_MSG_READDIR, &body);
	assert_int_equal(r.entry_count, FILES);
	for (i = 0; i < FILES && r.entry_issued[i] & NACRE_CAP_FILE_READ; i++)
		with_data++;
	assert_in_range(with_data, BUDGET / LARGE, FILES - 1);
	for (; i < FILES; i++)
		assert_false(r.entry_issued[i] & NACRE_CAP_FILE_READ);
	mdst_client_destroy(c);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, mdst_setup, mdst_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_inline_5_bytes_go_with_caps),
		CASE(test_not_asked_for),
		CASE(test_left_for_good),
		CASE(test_bytes_said_again_by_who_shares),
		CASE(test_truncate_both_ways),
		CASE(test_inline_4_no_mark),
		CASE(test_inline_4_mark),
		CASE(test_inline_4_lost_in_restart),
		CASE(test_inline_4_said_again),
		CASE(test_inline_5_not_before_what_was_said),
		CASE(test_inline_3_purge),
		CASE(test_listing_brings_data_without_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
