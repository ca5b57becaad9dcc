/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clients that are lost (FENCE-2), and what a restart of the rank or of a connection leaves of their caps: claims, flushes
 * that are repeated, sizes that are found out (SIZE-2).
 */
#include "mdst.h"
#include "server/mds/session.h"

#define ROOT NACRE_INO_ROOT

static bool is_killed(void *owner)
{
	return ((struct mdst_client *)owner)->killed;
}

/* FENCE-2: a client that does not answer is put out, and what it held is free only behind the fence. */
static void test_fence_2_stubborn(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	uint64_t began = t->world->now_ns;
	struct mdst_reply r;

	/* it has written, and not told: 2 objects and a half */
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 65536);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 1, 65536);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 2, 32768);
	a->stubborn = true;
	r = mdst_lookup(b, ROOT, "f");
	assert_int_equal(r.result, 0);
	assert_true(a->killed);
	assert_true(t->world->now_ns - began >= 5000 * SIM_NS_PER_MS);
	/* SIZE-2 */
	assert_true(r.target.valid & NACRE_GROUP_FILE);
	assert_int_equal(r.target.size, 2 * 65536 + 32768);
	assert_int_equal(r.target.allocated, 2 * 65536 + 32768);
	assert_int_equal(mdst_counter(t, "evictions"), 1);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* FENCE-2: one whose mount was cut off says so: the fence is enough, its lease need not run out. */
static void test_fence_2_cut(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	struct nacre_session_close close = { .instance = a->instance, .flags = NACRE_CLOSE_CUT };
	uint64_t began = t->world->now_ns;
	struct mdst_reply r;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 1000);
	a->stubborn = true;
	mdst_send(a, NACRE_MSG_SESSION_CLOSE, &close);
	r = mdst_lookup(b, ROOT, "f");
	assert_int_equal(r.result, 0);
	assert_true(a->killed);
	assert_true(t->world->now_ns - began < MDST_LEASE_MS * SIM_NS_PER_MS);
	/* SIZE-2 */
	assert_int_equal(r.target.size, 1000);
	assert_int_equal(mdst_counter(t, "evictions"), 1);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/*
 * Two at once: the map that puts the first out was made without the second, who was forgotten, and with him all who
 * waited for his caps (seed 20359 of the simulator).
 */
static void test_fence_2_two_at_once(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b"), *c = mdst_client_begin(t, "c");
	struct mdst_client *lost[] = { a, b };
	uint64_t began;

	mdst_create(a, ROOT, "of a");
	mdst_create(b, ROOT, "of b");
	began = t->world->now_ns;
	for (int i = 0; i < 2; i++) {
		struct nacre_session_close close = { .instance = lost[i]->instance, .flags = NACRE_CLOSE_CUT };

		lost[i]->stubborn = true;
		mdst_send(lost[i], NACRE_MSG_SESSION_CLOSE, &close);
	}
	assert_int_equal(mdst_lookup(c, ROOT, "of a").result, 0);
	assert_int_equal(mdst_lookup(c, ROOT, "of b").result, 0);
	assert_true(a->killed && b->killed);
	assert_true(t->world->now_ns - began < MDST_LEASE_MS * SIM_NS_PER_MS);
	assert_int_equal(mdst_counter(t, "evictions"), 2);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
	mdst_client_destroy(c);
}

/* A silent one whose caps nobody wants is left alone for a while, and then goes too. */
static void test_silent(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");

	a->silent = true;
	mdst_run_ms(t, 2 * MDST_LEASE_MS);
	assert_int_equal(mdst_counter(t, "sessions"), 1);
	mdst_run_ms(t, 6 * MDST_LEASE_MS);
	assert_int_equal(mdst_counter(t, "sessions"), 0);
	mdst_until(t, is_killed, a);
	mdst_client_destroy(a);
}

/* SIZE-2 through a restart: the writer does not come back. */
static void test_size_2_lost_in_restart(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	struct mdst_reply r;

	mdst_sync(a);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 3, 100);
	mdst_client_destroy(a);
	mdst_writeback(t);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(b, NULL, 0, NULL);
	r = mdst_lookup(b, ROOT, "f");
	assert_int_equal(r.target.size, 3 * 65536 + 100);
	mdst_client_destroy(b);
}

/* SIZE-2: a client that has closed its session has flushed all: a restart asks no OSD about what it could have written. */
static void test_size_2_closed(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	struct nacre_session_close close = { .instance = a->instance };

	assert_true(cap.max_size > 0);
	mdst_sync(a);
	mdst_send(a, NACRE_MSG_SESSION_CLOSE, &close);
	mdst_run_ms(t, 100);
	mdst_client_destroy(a);
	assert_int_equal(mdst_counter(t, "sessions"), 1);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(b, NULL, 0, NULL);
	assert_int_equal(mdst_lookup(b, ROOT, "f").result, 0);
	assert_int_equal(mdst_counter(t, "probes"), 0);
	mdst_client_destroy(b);
}

static struct nacre_inode_info take_grant(struct mdst_client *c)
{
	struct message *grant = mdst_take(c, NACRE_MSG_CAP_GRANT);
	struct nacre_inode_info info;

	assert_int_equal(nacre_decode_all(nacre_inode_info_desc(), grant->host.cap_grant.info,
					  grant->host.cap_grant.info_bytes, &info), 0);
	message_put(grant);
	return info;
}

/* All that was issued, by a client that has the file open for writing. */
static struct nacre_cap_claim claim_of(const struct nacre_inode_info *cap)
{
	return (struct nacre_cap_claim){ .ino = cap->ino, .cap_id = cap->cap_id, .held = cap->issued,
					 .wanted = NACRE_WANT_WRITE, .max_size = cap->max_size };
}

/* Claims: what was held is held again, under the same id and without a revoke. */
static void test_claims(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target, info;
	struct nacre_cap_claim claim = claim_of(&cap);

	mdst_sync(a);
	mdst_crash(t);
	mdst_start_only(t);
	b->coming_back = true;
	mdst_client_reconnect(a, &claim, 1, NULL);
	info = take_grant(a);
	assert_int_equal(info.cap_id, cap.cap_id);
	assert_int_equal(info.issued, cap.issued);
	assert_int_equal(info.max_size, cap.max_size);
	assert_int_equal(a->revokes, 0);
	b->coming_back = false;
	assert_int_equal(mdst_lookup(b, ROOT, "f").result, 0);
	assert_true(a->revokes > 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static uint64_t flush_ino;

static void flush_size(struct mdst_client *c, uint64_t flush_id, uint64_t size)
{
	struct nacre_cap_update update = {
		.ino = flush_ino, .cap_id = c->claims->cap_id, .cap_gen = 1, .cap_seq = 1,
		.held = c->claims->held, .dirty = NACRE_GROUP_FILE, .flush_id = flush_id,
		.oldest_flush = 1, .size = size,
	};

	mdst_send(c, NACRE_MSG_CAP_UPDATE, &update);
}

/* Before RECONNECT_DONE: the flush that the last incarnation took to its grave. */
static void flush_again(struct mdst_client *c)
{
	flush_size(c, 1, 4711);
}

/* Likewise, and what was written after it. */
static void flush_twice(struct mdst_client *c)
{
	flush_size(c, 1, 4000);
	flush_size(c, 2, 4711);
}

static void outlive_cover(struct mdst *t, void (*resend)(struct mdst_client *c), unsigned int flushes)
{
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	struct nacre_cap_claim claim = { .ino = cap.ino, .cap_id = cap.cap_id,
					 .held = NACRE_CAP_PIN | NACRE_CAP_FILE_SHARED,
					 .dirty = NACRE_GROUP_FILE, .size = 4711 };
	struct message *ack;

	flush_ino = cap.ino;
	mdst_sync(a);
	mdst_crash(t);
	mdst_start_only(t);
	b->coming_back = true;
	mdst_client_reconnect(a, &claim, 1, resend);
	b->coming_back = false;
	assert_int_equal(mdst_lookup(b, ROOT, "f").target.size, 4711);
	while (flushes--) {
		ack = mdst_take(a, NACRE_MSG_CAP_FLUSH_ACK);
		assert_int_equal(ack->host.cap_flush_ack.result, 0);
		message_put(ack);
	}
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* CAP-1: given back with a flush that was lost in a restart; the claim says so, and its values are there before anyone looks. */
static void test_flush_outlives_its_cover(void **state)
{
	outlive_cover(*state, flush_again, 1);
}

/* The first flush of a claim used to end it for those that followed: refused with ESTALE, what was written last was lost (simulator, seed 5660). */
static void test_second_flush_outlives_its_cover(void **state)
{
	outlive_cover(*state, flush_twice, 2);
}

/* Another may claim what is wanted here, or have values of it on their way: nobody is given more before all are back. */
static void test_no_grant_before_all_claims(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	struct nacre_cap_claim wants = { .ino = cap.ino, .cap_id = cap.cap_id + 1,
					 .held = NACRE_CAP_PIN, .wanted = NACRE_WANT_WRITE };
	struct nacre_cap_claim has = { .ino = cap.ino, .cap_id = cap.cap_id,
				       .held = NACRE_CAP_PIN, .dirty = NACRE_GROUP_FILE };
	struct nacre_session_renew renew = { .renew_seq = 1000, .oldest_tid = 1 };
	struct nacre_inode_info info;

	flush_ino = cap.ino;
	mdst_sync(a);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(b, &wants, 1, NULL);
	mdst_send(b, NACRE_MSG_SESSION_RENEW, &renew);
	mdst_run_ms(t, 200);
	assert_null(mdst_poll(b, NACRE_MSG_CAP_GRANT));
	mdst_client_reconnect(a, &has, 1, flush_again);
	do
		info = take_grant(b);
	while (!(info.issued & NACRE_CAP_FILE_SHARED));
	assert_int_equal(info.size, 4711);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static struct nacre_record_req unsafe;

static void send_unsafe(struct mdst_client *c)
{
	unsafe.flags |= NACRE_REQUEST_RESEND;
	mdst_send(c, NACRE_MSG_CREATE, &unsafe);
}

/* "f" under this number, or one that the rank chooses (0), is made and answered, and will not be journaled. */
static void create_unsafely(struct mdst *t, struct mdst_client *c, uint64_t ino)
{
	struct mdst_reply r;

	mdst_sync(c);
	mds_journal_hold(t->mds, true);
	unsafe = mdst_record(c, ROOT, "f");
	unsafe.kind = NACRE_RECORD_CREATE;
	unsafe.ino = ino;
	unsafe.mode = S_IFREG | 0644;
	unsafe.set_mask = NACRE_SET_MODE;
	r = mdst_call(c, NACRE_MSG_CREATE, &unsafe);
	assert_int_equal(r.result, 0);
	assert_true(r.applied > r.safe);
	unsafe.applied = r.applied;
	unsafe.ino = r.target.ino;
}

/*
 * A flush that came while claims were still taken up waits until the rank is active. What was given back meanwhile took its cover: it was
 * refused with ESTALE (simulator, seeds 1000812 and 1005804).
 */
static void test_early_flush_outlives_its_cover(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "written").target, granted;
	struct nacre_cap_claim claim = claim_of(&cap);
	struct nacre_cap_update back = { .ino = cap.ino, .cap_id = cap.cap_id, .held = NACRE_CAP_PIN,
					 .oldest_flush = 1 };
	struct message *ack;

	mdst_sync(a);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(a, &claim, 1, NULL);
	flush_ino = cap.ino;
	flush_size(a, 1, 4711);
	mdst_run_ms(t, 100);
	mdst_osd_hold(t->osd, NACRE_INO_JOURNAL(0));
	mdst_client_reconnect(b, NULL, 0, NULL);
	granted = take_grant(a);
	assert_int_equal(granted.ino, cap.ino);
	assert_null(mdst_poll(a, NACRE_MSG_CAP_FLUSH_ACK));
	back.cap_gen = granted.cap_gen;
	back.cap_seq = granted.cap_seq;
	mdst_send(a, NACRE_MSG_CAP_UPDATE, &back);
	mdst_run_ms(t, 100);
	assert_false(t->active);
	mdst_osd_hold(t->osd, 0);
	ack = mdst_take(a, NACRE_MSG_CAP_FLUSH_ACK);
	assert_int_equal(ack->host.cap_flush_ack.result, 0);
	message_put(ack);
	assert_int_equal(mdst_lookup(b, ROOT, "written").target.size, 4711);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* The journal was full when the rank died. What is sent again had waited for room, which there is none before the rank is active: for ever (simulator, seed 1604052). */
static void test_unsafe_needs_no_room(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	char name[16];
	int i;

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(mdst_create(a, ROOT, name).result, 0);
	}
	create_unsafely(t, a, 0);
	mdst_crash(t);
	t->journal_bytes = 2048;
	mdst_start_only(t);
	mdst_client_reconnect(a, NULL, 0, send_unsafe);
	assert_int_equal(mdst_lookup(a, ROOT, "f").target.ino, unsafe.ino);
	assert_int_equal(mdst_create(a, ROOT, "another").result, 0);
	mdst_client_destroy(a);
}

/*
 * INO-1: the rank dies with a create that was answered unsafe; its client sends it again, and is lost while the next rank still waits
 * for others, or comes when it is being evicted already. What it had written belongs to nothing, though it came back.
 */
static void lose_unsafe_create(struct mdst *t, bool too_late)
{
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b"), *c;

	create_unsafely(t, a, a->ino_next);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, unsafe.ino, 2, 100);
	mdst_crash(t);
	mdst_start_only(t);
	if (too_late) {
		mdst_run_ms(t, 500);
		mds_evict(t->mds, mds_session_find(t->mds, a->instance), "is too late");
		a->resend = send_unsafe;
		a->coming_back = true;
		mdst_until(t, is_killed, a);
	} else {
		mdst_client_reconnect(a, NULL, 0, send_unsafe);
		mds_evict(t->mds, mds_session_find(t->mds, a->instance), "is lost");
	}
	mdst_client_destroy(a);
	mdst_run_ms(t, 20000);
	c = mdst_client_begin(t, "c");
	assert_int_equal(mdst_lookup(c, ROOT, "f").result, ENOENT);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, unsafe.ino), 0);
	mdst_client_destroy(b);
	mdst_client_destroy(c);
}

static struct mdst *rank;

static void send_unsafe_late(struct mdst_client *c)
{
	mds_take_inos(rank->mds, 5000);
	send_unsafe(c);
}

/*
 * INO-1: the rank has chosen the number of a file, and dies with it. Its client names the number when it sends the request again, and that
 * is right however many numbers the new rank has given out before.
 */
static void test_ino_1_chosen_by_the_rank_and_lost(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct mdst_reply r;

	create_unsafely(t, a, 0);
	mdst_crash(t);
	mdst_start_only(t);
	rank = t;
	mdst_client_reconnect(a, NULL, 0, send_unsafe_late);
	r = mdst_lookup(a, ROOT, "f");
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.ino, unsafe.ino);
	mdst_client_destroy(a);
}

static void test_lost_after_sending_again(void **state)
{
	lose_unsafe_create(*state, false);
}

static void test_lost_for_coming_too_late(void **state)
{
	lose_unsafe_create(*state, true);
}

/* A broken connection loses nothing: the same session goes on, requests are sent again. */
static void test_reset(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	uint64_t instance = a->instance;

	mdst_create(a, ROOT, "f");
	mdst_client_reset(a);
	assert_int_equal(mdst_lookup(a, ROOT, "f").result, 0);
	assert_int_equal(mdst_counter(t, "sessions"), 1);
	assert_int_equal(a->instance, instance);
	mdst_client_destroy(a);
}

/* ---- many caps ------------------------------------------------------------------------------------------------- */

enum { MANY = 700 };

static bool is_alone(void *owner) { return mdst_counter(owner, "sessions") == 1; }

static unsigned int writers_ended;

static void end_writer(struct mds *mds, struct mds_inode *inode, uint64_t instance)
{
	writers_ended++;
}

static void all_are_dropped(struct mdst *t, struct mdst_client *b)
{
	mdst_until(t, is_alone, t);
	assert_true(mdst_counter(t, "caps") < 3);
	assert_int_equal(mdst_lookup(b, ROOT, "f0").result, 0);
}

static void make_many(struct mdst_client *c)
{
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(mdst_create(c, ROOT, name).result, 0);
	}
	mdst_sync(c);
}

/* TIME-1, catalogue B15: the caps of a lost client used to be dropped in one turn, however many they were. */
static void test_b15_a_lost_client_with_many_caps(void **state)
{
	struct mdst *t = *state;
	uint64_t before;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");

	make_many(a);
	before = mdst_counter(t, "caps");
	assert_false(mds_session_drop_caps(t->mds, mds_session_find(t->mds, a->instance), end_writer));
	assert_int_equal(mdst_counter(t, "caps"), before - writers_ended);
	assert_in_range(writers_ended, 1, MANY / 2);
	a->silent = true;
	all_are_dropped(t, b);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static void test_b15_many_caps_of_a_client_that_closes(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_session_close close = { .instance = a->instance };

	make_many(a);
	mdst_send(a, NACRE_MSG_SESSION_CLOSE, &close);
	all_are_dropped(t, b);
	assert_int_equal(mdst_counter(t, "probes"), 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_fence_2_stubborn), T(test_fence_2_cut), T(test_fence_2_two_at_once), T(test_ino_1_chosen_by_the_rank_and_lost), T(test_silent), T(test_size_2_lost_in_restart), T(test_size_2_closed),
		T(test_claims), T(test_flush_outlives_its_cover), T(test_second_flush_outlives_its_cover),
		T(test_early_flush_outlives_its_cover), T(test_unsafe_needs_no_room), T(test_no_grant_before_all_claims),
		T(test_lost_after_sending_again), T(test_lost_for_coming_too_late), T(test_reset),
		T(test_b15_a_lost_client_with_many_caps), T(test_b15_many_caps_of_a_client_that_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
