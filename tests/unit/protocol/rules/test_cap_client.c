// SPDX-License-Identifier: GPL-2.0
/*
 * The client's cap machine, case by case: what an answer waits for (CAP-1), that every revoke is
 * answered (CAP-2), what is flushed and when. All interleavings are in test_caps_exhaustive.c.
 */
#include "../cmocka_all.h"
#include "protocol/rules/cap_client.h"

#define ALL_FILE (NACRE_CAP_PIN | NACRE_CAPS_FILE)
#define ALL_AUTH (NACRE_CAP_PIN | NACRE_CAPS_AUTH)

static struct nacre_cap_client cap;
static struct nacre_cap_step step;
static __u32 used;

static int setup(void **state)
{
	memset(&cap, 0, sizeof(cap));
	used = 0;
	return 0;
}

static int take(struct nacre_cap_event e)
{
	int err;

	e.used = used;
	err = nacre_cap_client_step(&cap, &e, &step);
	assert_null(nacre_cap_client_invariant(&cap, used & cap.held));
	return err;
}
#define EVENT(event_kind, ...) take((struct nacre_cap_event){ .kind = NACRE_CAPE_##event_kind, ##__VA_ARGS__ })

static void grant(__u32 seq, __u32 caps)
{
	assert_int_equal(EVENT(GRANT, .cap_id = 5, .gen = 1, .seq = seq, .caps = caps), 0);
}

static void revoke(__u32 seq, __u32 keep)
{
	assert_int_equal(EVENT(REVOKE, .cap_id = 5, .gen = 1, .seq = seq, .caps = keep), 0);
}

#define ASKED(bits) ((step.actions & (NACRE_CAPA_##bits)) != 0)

static void grant_then_revoke_nothing_used(void **state)
{
	grant(1, ALL_AUTH);
	assert_true(ASKED(WAKE));
	assert_true(nacre_cap_client_can_use(&cap, NACRE_CAP_AUTH_EXCL));
	revoke(2, NACRE_CAP_PIN);
	assert_true(ASKED(ANSWER));
	assert_false(ASKED(FLUSH));
	assert_int_equal(cap.held, NACRE_CAP_PIN);
	assert_int_equal(cap.state, NACRE_CAPC_HELD);
}

/* CAP-1, the long way: reference, dirty pages, cached pages, then the answer with the size in it. */
static void answer_waits_for_everything_cap_1(void **state)
{
	grant(1, ALL_FILE);
	used = NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER;
	assert_int_equal(EVENT(DIRTY, .groups = NACRE_GROUP_FILE), 0);
	revoke(2, NACRE_CAP_PIN);
	assert_true(ASKED(WRITEBACK));
	assert_int_equal(cap.state, NACRE_CAPC_WRITING);
	assert_false(nacre_cap_client_can_use(&cap, NACRE_CAP_FILE_WRITE));
	revoke(2, NACRE_CAP_PIN);
	assert_true(ASKED(WRITEBACK));			/* kicked again, not answered */
	assert_false(ASKED(ANSWER));
	used = NACRE_CAP_FILE_READ;
	EVENT(USE);
	assert_int_equal(cap.state, NACRE_CAPC_DRAINING);
	used = 0;
	EVENT(USE);
	assert_true(ASKED(INVALIDATE));
	assert_int_equal(cap.state, NACRE_CAPC_INVALIDATING);
	EVENT(INVALIDATED);
	assert_true(ASKED(ANSWER) && ASKED(FLUSH));
	assert_int_equal(step.flush, NACRE_GROUP_FILE);
	assert_int_equal(cap.held, NACRE_CAP_PIN);
	assert_int_equal(cap.dirty, 0);
	assert_int_equal(cap.flushing, NACRE_GROUP_FILE);
}

/* Values on their way ride again, under a new id; the old id's acknowledgement says nothing then. */
static void flushing_values_ride_in_the_answer(void **state)
{
	grant(1, ALL_AUTH);
	EVENT(DIRTY, .groups = NACRE_GROUP_AUTH);
	EVENT(FLUSH);
	assert_true(ASKED(FLUSH));
	EVENT(FLUSH_SENT, .groups = NACRE_GROUP_AUTH, .flush_id = 1);
	revoke(2, NACRE_CAP_PIN | NACRE_CAP_AUTH_SHARED);
	assert_true(ASKED(ANSWER) && ASKED(FLUSH));
	EVENT(FLUSH_SENT, .groups = step.flush, .flush_id = 2);
	EVENT(FLUSH_ACKED, .flush_id = 1);
	assert_int_equal(cap.flushing, NACRE_GROUP_AUTH);
	EVENT(FLUSH_ACKED, .flush_id = 2);
	assert_int_equal(cap.flushing, 0);
	assert_true(ASKED(WAKE));
}

static void repeated_revoke_is_answered_again_cap_2(void **state)
{
	grant(1, ALL_AUTH);
	revoke(2, NACRE_CAP_PIN);
	assert_true(ASKED(ANSWER));
	revoke(2, NACRE_CAP_PIN);
	assert_true(ASKED(ANSWER));
	grant(3, ALL_AUTH);
	revoke(2, NACRE_CAP_PIN);			/* older than what we know */
	assert_true(ASKED(ANSWER));
	assert_int_equal(cap.issued, ALL_AUTH);
	assert_int_equal(cap.seq, 3);
}

/* B4: an inode that was made dirty again and again stayed in a queue of things to do later, and its revoke with it. */
static void b4_a_revoke_does_not_wait_for_clean_values(void **state)
{
	__u32 id;

	grant(1, ALL_AUTH);
	for (id = 1; id < 5; id++) {
		EVENT(DIRTY, .groups = NACRE_GROUP_AUTH);
		EVENT(FLUSH);
		EVENT(FLUSH_SENT, .groups = NACRE_GROUP_AUTH, .flush_id = id);
	}
	EVENT(DIRTY, .groups = NACRE_GROUP_AUTH);
	revoke(2, NACRE_CAP_PIN);
	assert_true(ASKED(ANSWER) && ASKED(FLUSH));	/* now, with the newest values */
	assert_int_equal(EVENT(DIRTY, .groups = NACRE_GROUP_AUTH), -EINVAL);
}

/* B7: the answer waited for cached pages, these for a writer, and the writer for the very bit that was being given back. */
static void b7_who_waits_for_a_bit_hinders_no_answer(void **state)
{
	grant(1, NACRE_CAP_PIN | NACRE_CAP_FILE_READ | NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_SHARED);
	EVENT(WANT, .caps = NACRE_WANT_WRITE);		/* waits, and holds nothing (CAP-3) */
	revoke(2, NACRE_CAP_PIN | NACRE_CAP_FILE_READ);
	assert_true(ASKED(INVALIDATE));
	EVENT(INVALIDATED);
	assert_true(ASKED(ANSWER));
}

/* Catalogue B1, B2: a cap nobody here knows is answered, with the message's own ids. */
static void unknown_cap_is_answered_b1_b2(void **state)
{
	struct nacre_cap_update u;

	revoke(4, 0);
	assert_true(ASKED(ANSWER_UNKNOWN));
	grant(5, ALL_AUTH);
	EVENT(REVOKE, .cap_id = 3, .gen = 1, .seq = 9, .caps = 0);
	assert_true(ASKED(ANSWER_UNKNOWN));
	assert_int_equal(cap.issued, ALL_AUTH);
	nacre_cap_answer_unknown(77, 3, 1, 9, &u);
	assert_int_equal(u.cap_id, 3);
	assert_int_equal(u.held, 0);
	assert_true(u.update_flags & NACRE_CAP_UPDATE_UNKNOWN);
}

static void old_grants_are_ignored(void **state)
{
	grant(5, ALL_AUTH);
	revoke(6, NACRE_CAP_PIN);
	grant(5, ALL_AUTH);
	assert_int_equal(cap.issued, NACRE_CAP_PIN);
	EVENT(GRANT, .cap_id = 5, .gen = 0, .seq = 99, .caps = ALL_AUTH);
	assert_int_equal(cap.issued, NACRE_CAP_PIN);
	EVENT(GRANT, .cap_id = 5, .gen = 2, .seq = 1, .caps = ALL_AUTH);
	assert_int_equal(cap.issued, ALL_AUTH);
	assert_int_equal(cap.gen, 2);
}

/* A grant that takes bits away is a revoke, too. */
static void shrinking_grant_is_answered(void **state)
{
	grant(1, ALL_AUTH);
	used = NACRE_CAP_AUTH_EXCL;
	grant(2, NACRE_CAP_PIN);
	assert_int_equal(cap.state, NACRE_CAPC_DRAINING);
	used = 0;
	EVENT(USE);
	assert_true(ASKED(ANSWER));
}

static void grant_without_values_is_not_taken(void **state)
{
	EVENT(GRANT, .cap_id = 5, .gen = 1, .seq = 1, .caps = ALL_AUTH | NACRE_CAP_LINK_SHARED,
	      .missing = NACRE_GROUP_AUTH);
	assert_int_equal(cap.issued, NACRE_CAP_PIN | NACRE_CAP_LINK_SHARED);
	assert_true(ASKED(WANT));
	grant(2, ALL_AUTH);
	EVENT(GRANT, .cap_id = 5, .gen = 1, .seq = 3, .caps = ALL_AUTH, .missing = NACRE_GROUP_AUTH);
	assert_int_equal(cap.issued, ALL_AUTH);		/* held all the time */
	EVENT(GRANT, .cap_id = 5, .gen = 1, .seq = 4, .missing = NACRE_GROUP_FILE,
	      .caps = ALL_AUTH | NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE);
	assert_true(nacre_cap_client_can_use(&cap, NACRE_CAP_FILE_WRITE));	/* MIX */
}

static void dirtying_needs_a_covering_bit(void **state)
{
	grant(1, NACRE_CAP_PIN | NACRE_CAP_AUTH_SHARED | NACRE_CAP_FILE_WRITE);
	assert_int_equal(EVENT(DIRTY, .groups = NACRE_GROUP_AUTH), -EINVAL);
	assert_int_equal(cap.dirty, 0);
	assert_int_equal(EVENT(DIRTY, .groups = NACRE_GROUP_FILE), 0);
}

static void drop_only_when_nothing_hangs_on_it(void **state)
{
	assert_int_equal(EVENT(DROP), 0);
	assert_false(ASKED(RELEASE));
	grant(1, ALL_FILE | NACRE_CAP_DIR_SHARED);
	used = NACRE_CAP_FILE_READ;
	assert_int_equal(EVENT(DROP), -EBUSY);
	used = 0;
	EVENT(DIRTY, .groups = NACRE_GROUP_FILE);
	assert_int_equal(EVENT(DROP), -EBUSY);
	EVENT(FLUSH);
	EVENT(FLUSH_SENT, .groups = NACRE_GROUP_FILE, .flush_id = 3);
	assert_int_equal(EVENT(DROP), -EBUSY);
	EVENT(FLUSH_ACKED, .flush_id = 3);
	assert_int_equal(EVENT(DROP), 0);
	assert_true(ASKED(RELEASE) && ASKED(INVALIDATE) && ASKED(INVALIDATE_DIR));
	assert_int_equal(step.release_cap_id, 5);
	assert_int_equal(step.release_seq, 1);
	assert_int_equal(cap.cap_id, 0);
}

static void lease_stops_use_and_lets_it_go_on(void **state)
{
	grant(1, ALL_AUTH);
	EVENT(STALE);
	assert_false(nacre_cap_client_can_use(&cap, NACRE_CAP_AUTH_SHARED));
	revoke(2, NACRE_CAP_PIN | NACRE_CAP_AUTH_SHARED);
	assert_true(ASKED(ANSWER));
	EVENT(FRESH);
	assert_true(ASKED(WAKE));
	assert_true(nacre_cap_client_can_use(&cap, NACRE_CAP_AUTH_SHARED));
}

static void lost_reports_what_is_lost(void **state)
{
	grant(1, ALL_AUTH | ALL_FILE);
	EVENT(DIRTY, .groups = NACRE_GROUP_AUTH);
	EVENT(FLUSH, .groups = NACRE_GROUP_AUTH);
	EVENT(DIRTY, .groups = NACRE_GROUP_FILE);
	EVENT(LOST);
	assert_true(ASKED(LOST));
	assert_int_equal(step.flush, NACRE_GROUP_AUTH | NACRE_GROUP_FILE);
	assert_int_equal(cap.cap_id, 0);
	assert_int_equal(cap.state, NACRE_CAPC_NONE);
}

static void reconnected_says_again(void **state)
{
	grant(1, ALL_AUTH);
	EVENT(WANT, .caps = ALL_AUTH | NACRE_CAP_FILE_READ);
	assert_true(ASKED(WANT));
	EVENT(DIRTY, .groups = NACRE_GROUP_AUTH);
	EVENT(FLUSH);
	EVENT(FLUSH_SENT, .groups = NACRE_GROUP_AUTH, .flush_id = 8);
	EVENT(RECONNECTED);
	assert_true(ASKED(REFLUSH) && ASKED(WANT));
	assert_int_equal(step.reflush, NACRE_GROUP_AUTH);
	assert_int_equal(cap.flush_id[0], 8);
}

/* Until an answer says so, the rank must not believe that a flushed group's values are all there. */
static void update_reports_held(void **state)
{
	struct nacre_cap_update u;

	grant(1, ALL_AUTH);
	EVENT(DIRTY, .groups = NACRE_GROUP_AUTH);
	revoke(2, NACRE_CAP_PIN);
	assert_true(ASKED(FLUSH));
	nacre_cap_client_update(&cap, 7, 1, &u);
	assert_int_equal(u.held, NACRE_CAP_PIN);
	assert_int_equal(u.update_flags, NACRE_CAP_UPDATE_ANSWER);
	assert_int_equal(u.cap_seq, 2);
	nacre_cap_client_update(&cap, 7, 0, &u);
	assert_int_equal(u.held, NACRE_CAP_PIN | NACRE_CAP_AUTH_EXCL);
	assert_int_equal(u.update_flags, 0);
}

static void claim_tells_all(void **state)
{
	struct nacre_cap_claim claim;

	grant(1, ALL_AUTH);
	used = NACRE_CAP_AUTH_EXCL;
	EVENT(DIRTY, .groups = NACRE_GROUP_AUTH);
	revoke(2, NACRE_CAP_PIN);
	nacre_cap_client_claim(&cap, 7, &claim);
	assert_int_equal(claim.held, ALL_AUTH);		/* what is in use is held, revoked or not */
	assert_int_equal(claim.dirty, NACRE_GROUP_AUTH);
	assert_int_equal(claim.cap_id, 5);
}

static void directory_is_forgotten_at_once(void **state)
{
	grant(1, NACRE_CAP_PIN | NACRE_CAP_DIR_SHARED);
	revoke(2, NACRE_CAP_PIN);
	assert_true(ASKED(INVALIDATE_DIR) && ASKED(ANSWER));
}

static void values_to_take(void **state)
{
	assert_true(nacre_cap_client_takes(&cap, NACRE_GROUP_AUTH));
	grant(1, ALL_AUTH);
	assert_false(nacre_cap_client_takes(&cap, NACRE_GROUP_AUTH));
	assert_true(nacre_cap_client_takes(&cap, NACRE_GROUP_LINK));
	EVENT(DIRTY, .groups = NACRE_GROUP_AUTH);
	revoke(2, NACRE_CAP_PIN | NACRE_CAP_AUTH_SHARED);
	assert_false(nacre_cap_client_takes(&cap, NACRE_GROUP_AUTH));	/* ours is newer */
	revoke(3, NACRE_CAP_PIN);
	assert_true(nacre_cap_client_takes(&cap, NACRE_GROUP_AUTH));
}

static void event_names(void **state)
{
	assert_string_equal(nacre_cap_event_name(NACRE_CAPE_FLUSH_ACKED), "FLUSH_ACKED");
	assert_string_equal(nacre_cap_event_name(200), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(grant_then_revoke_nothing_used, setup),
		cmocka_unit_test_setup(answer_waits_for_everything_cap_1, setup),
		cmocka_unit_test_setup(flushing_values_ride_in_the_answer, setup),
		cmocka_unit_test_setup(repeated_revoke_is_answered_again_cap_2, setup),
		cmocka_unit_test_setup(b4_a_revoke_does_not_wait_for_clean_values, setup),
		cmocka_unit_test_setup(b7_who_waits_for_a_bit_hinders_no_answer, setup),
		cmocka_unit_test_setup(unknown_cap_is_answered_b1_b2, setup),
		cmocka_unit_test_setup(old_grants_are_ignored, setup),
		cmocka_unit_test_setup(shrinking_grant_is_answered, setup),
		cmocka_unit_test_setup(grant_without_values_is_not_taken, setup),
		cmocka_unit_test_setup(dirtying_needs_a_covering_bit, setup),
		cmocka_unit_test_setup(drop_only_when_nothing_hangs_on_it, setup),
		cmocka_unit_test_setup(lease_stops_use_and_lets_it_go_on, setup),
		cmocka_unit_test_setup(lost_reports_what_is_lost, setup),
		cmocka_unit_test_setup(reconnected_says_again, setup),
		cmocka_unit_test_setup(update_reports_held, setup),
		cmocka_unit_test_setup(claim_tells_all, setup),
		cmocka_unit_test_setup(directory_is_forgotten_at_once, setup),
		cmocka_unit_test_setup(values_to_take, setup),
		cmocka_unit_test_setup(event_names, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
