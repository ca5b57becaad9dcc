// SPDX-License-Identifier: GPL-2.0
/* The lock table, the rank's caps, and the arithmetic of cap bits, case by case. */
#include "../cmocka_all.h"
#include "protocol/rules/cap_rank.h"
#include "protocol/rules/lock_table.h"

#define A 100
#define B 101

/* ---- bits --------------------------------------------------------------------------------------- */

static void cap_bits_by_group(void **state)
{
	__u32 all = NACRE_CAP_PIN;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		__u32 g = nacre_group_at(i);

		assert_int_equal(nacre_group_index(g), i);
		assert_false(all & nacre_group_caps(g));
		all |= nacre_group_caps(g);
		assert_int_equal(nacre_caps_groups(nacre_group_shared(g)), g);
		assert_int_equal(nacre_caps_groups(nacre_group_excl(g)), g);
		assert_true(nacre_group_cover(g) & nacre_group_excl(g));
	}
	assert_int_equal(all, NACRE_CAPS_KNOWN);
	assert_int_equal(nacre_group_index(3), -1);
	assert_int_equal(nacre_caps_groups(NACRE_CAP_PIN), 0);
	assert_int_equal(nacre_group_caps(NACRE_GROUPS_ALL), NACRE_CAPS_KNOWN & ~NACRE_CAP_PIN);
}

/* Conflicts are mutual, and exactly those of the table. */
static void cap_conflicts(void **state)
{
	__u32 a, b;

	for (a = 0; a < 20; a++)
		for (b = 0; b < 20; b++)
			assert_int_equal(!!nacre_caps_conflict(1u << a, 1u << b),
					 !!nacre_caps_conflict(1u << b, 1u << a));
	assert_false(nacre_caps_conflict(NACRE_CAPS_ALL_SHARED, NACRE_CAPS_ALL_SHARED));
	assert_false(nacre_caps_conflict(NACRE_CAP_FILE_WRITE, NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_READ));
	assert_true(nacre_caps_conflict(NACRE_CAP_FILE_WRITE, NACRE_CAP_FILE_CACHE));
	assert_true(nacre_caps_conflict(NACRE_CAP_FILE_WRITE, NACRE_CAP_FILE_SHARED));
	assert_true(nacre_caps_conflict(NACRE_CAP_FILE_BUFFER, NACRE_CAP_FILE_BUFFER));
	assert_true(nacre_caps_conflict(NACRE_CAP_AUTH_EXCL, NACRE_CAP_AUTH_SHARED));
	assert_true(nacre_caps_conflict(NACRE_CAP_DIRX, NACRE_CAP_DIR_SHARED));
	assert_false(nacre_caps_conflict(NACRE_CAP_AUTH_EXCL, NACRE_CAP_LINK_SHARED));
}

static void cap_text(void **state)
{
	char text[NACRE_CAPS_TEXT_BYTES];

	assert_string_equal(nacre_caps_text(0, text), "-");
	assert_string_equal(nacre_caps_text(NACRE_CAP_PIN | NACRE_CAPS_AUTH | NACRE_CAP_FILE_READ, text),
			    "pAsxFr");
	assert_string_equal(nacre_caps_text(NACRE_CAPS_KNOWN, text), "pAsxLsxXsxFsxcrwbDsx");
}

/* ---- locks -------------------------------------------------------------------------------------- */

static struct nacre_lock lock;
static __u32 todo;

static int need(__u8 event, __u64 loner)
{
	int err = nacre_lock_step(&lock, event, loner, &todo);

	assert_null(nacre_lock_invariant(&lock));
	return err;
}

static void settle(void)
{
	assert_int_equal(need(NACRE_LOCKE_GATHERED, 0), 0);
}

/* In any two states that a lock can be in at once, nobody may hold what excludes another's. */
static void lock_allows_no_conflict(void **state)
{
	static const __u8 events[] = { NACRE_LOCKE_NEED_SYNC, NACRE_LOCKE_NEED_EXCL,
				       NACRE_LOCKE_NEED_MIX, NACRE_LOCKE_NEED_LOCK };
	size_t e;
	int g;

	for (g = 0; g < NACRE_GROUP_COUNT; g++)
		for (e = 0; e < COUNT_OF(events); e++) {
			nacre_lock_init(&lock, nacre_group_at(g));
			if (need(events[e], A) == -EINVAL)
				continue;
			assert_false(nacre_caps_conflict(nacre_lock_may_hold(&lock, A),
							 nacre_lock_may_hold(&lock, B)));
			assert_false(nacre_caps_conflict(nacre_lock_may_hold(&lock, B),
							 nacre_lock_may_hold(&lock, B)));
			assert_false(nacre_lock_may_hold(&lock, A) & ~nacre_group_caps(lock.group));
			if (!nacre_lock_is_stable(&lock))
				assert_int_equal(nacre_lock_may_grant(&lock, A), 0);
		}
}

static void lock_file_states(void **state)
{
	nacre_lock_init(&lock, NACRE_GROUP_FILE);
	assert_int_equal(nacre_lock_may_grant(&lock, A),
			 NACRE_CAP_FILE_SHARED | NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ);
	assert_int_equal(need(NACRE_LOCKE_NEED_EXCL, A), 0);
	assert_true(todo & NACRE_LOCKA_REVOKE);
	assert_int_equal(nacre_lock_forbidden(&lock, B, NACRE_CAPS_ALL_SHARED), NACRE_CAP_FILE_SHARED);
	settle();
	assert_true(todo & NACRE_LOCKA_RANGE);		/* SIZE-1 */
	assert_int_equal(nacre_lock_may_grant(&lock, A), NACRE_CAPS_FILE);
	assert_int_equal(nacre_lock_may_grant(&lock, B), 0);
	assert_int_equal(need(NACRE_LOCKE_NEED_EXCL, A), 0);
	assert_int_equal(todo, 0);
	assert_int_equal(need(NACRE_LOCKE_NEED_MIX, 0), 0);
	settle();
	assert_int_equal(nacre_lock_may_grant(&lock, B), NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE);
	assert_false(nacre_lock_can_read(&lock, A));
	assert_int_equal(need(NACRE_LOCKE_NEED_LOCK, A), 0);
	settle();
	assert_int_equal(nacre_lock_may_hold(&lock, A), NACRE_CAP_FILE_SHARED);
	assert_int_equal(nacre_lock_may_hold(&lock, B), 0);
	assert_int_equal(nacre_lock_may_grant(&lock, A), 0);
	assert_int_equal(need(NACRE_LOCKE_NEED_LOCK, B), 0);
	assert_true(todo & NACRE_LOCKA_REVOKE);		/* from A this time */
}

static void lock_mix_is_for_files(void **state)
{
	nacre_lock_init(&lock, NACRE_GROUP_AUTH);
	assert_int_equal(need(NACRE_LOCKE_NEED_MIX, 0), -EINVAL);
	assert_int_equal(need(NACRE_LOCKE_NEED_EXCL, 0), -EINVAL);
	assert_int_equal(need(NACRE_LOCKE_GATHERED, 0), -EINVAL);
}

static void lock_pins_hold_the_state(void **state)
{
	nacre_lock_init(&lock, NACRE_GROUP_AUTH);
	assert_int_equal(nacre_lock_pin_read(&lock, A), 0);
	assert_int_equal(nacre_lock_pin_read(&lock, B), 0);
	assert_int_equal(need(NACRE_LOCKE_NEED_LOCK, A), -EBUSY);
	assert_int_equal(need(NACRE_LOCKE_NEED_SYNC, 0), 0);
	assert_int_equal(nacre_lock_unpin_read(&lock), 0);
	assert_int_equal(nacre_lock_unpin_read(&lock), NACRE_LOCKA_WAKE);
	assert_int_equal(nacre_lock_pin_change(&lock, A), -EAGAIN);
	assert_int_equal(need(NACRE_LOCKE_NEED_LOCK, A), 0);
	assert_int_equal(nacre_lock_pin_change(&lock, A), -EAGAIN);
	settle();
	assert_int_equal(nacre_lock_pin_change(&lock, B), -EAGAIN);
	assert_int_equal(nacre_lock_pin_change(&lock, A), 0);
	assert_false(nacre_lock_can_read(&lock, A));
	assert_int_equal(nacre_lock_pin_change(&lock, A), -EAGAIN);
	assert_int_equal(need(NACRE_LOCKE_NEED_EXCL, B), -EBUSY);
	assert_int_equal(nacre_lock_unpin_change(&lock), NACRE_LOCKA_WAKE);
	assert_int_equal(need(NACRE_LOCKE_NEED_EXCL, B), 0);
	settle();
	assert_true(nacre_lock_can_change(&lock, B));	/* its values come with the request */
	assert_false(nacre_lock_can_change(&lock, A));
	assert_true(nacre_lock_can_read(&lock, B));
	assert_false(nacre_lock_can_read(&lock, 0));
}

static int target(__u32 wanted_a, __u32 wanted_b, __u64 *loner)
{
	struct nacre_lock_demand demand = { 0 };

	nacre_lock_demand_add(&demand, lock.group, A, wanted_a);
	nacre_lock_demand_add(&demand, lock.group, B, wanted_b);
	return nacre_lock_target(&lock, &demand, loner);
}

static void lock_follows_demand(void **state)
{
	__u64 loner;

	nacre_lock_init(&lock, NACRE_GROUP_FILE);
	assert_int_equal(target(0, 0, &loner), -EALREADY);
	assert_int_equal(target(NACRE_WANT_READ, NACRE_WANT_READ, &loner), -EALREADY);
	assert_int_equal(target(NACRE_WANT_WRITE, 0, &loner), NACRE_LOCKE_NEED_EXCL);
	assert_int_equal(loner, A);
	assert_int_equal(target(0, NACRE_WANT_WRITE, &loner), NACRE_LOCKE_NEED_EXCL);
	assert_int_equal(loner, B);
	assert_int_equal(target(NACRE_WANT_WRITE, NACRE_WANT_READ, &loner), NACRE_LOCKE_NEED_MIX);
	assert_int_equal(target(NACRE_WANT_WRITE, NACRE_WANT_WRITE, &loner), NACRE_LOCKE_NEED_MIX);
	need(NACRE_LOCKE_NEED_EXCL, A);
	settle();
	assert_int_equal(target(0, 0, &loner), -EALREADY);	/* closed: the creator keeps it */
	assert_int_equal(target(NACRE_WANT_WRITE, 0, &loner), -EALREADY);
	assert_int_equal(target(NACRE_WANT_READ, 0, &loner), -EALREADY);	/* alone, it reads as it is */
	assert_int_equal(target(0, NACRE_WANT_READ, &loner), NACRE_LOCKE_NEED_SYNC);
	assert_int_equal(target(NACRE_WANT_READ, NACRE_WANT_READ, &loner), NACRE_LOCKE_NEED_SYNC);
	nacre_lock_init(&lock, NACRE_GROUP_AUTH);
	assert_int_equal(target(NACRE_CAPS_AUTH, NACRE_CAP_AUTH_SHARED, &loner), -EALREADY);
	assert_int_equal(target(NACRE_CAPS_AUTH, NACRE_CAP_FILE_READ, &loner), NACRE_LOCKE_NEED_EXCL);
}

static void lock_after_losing_a_writer(void **state)
{
	nacre_lock_init(&lock, NACRE_GROUP_FILE);
	need(NACRE_LOCKE_NEED_EXCL, A);
	settle();
	assert_int_equal(need(NACRE_LOCKE_LOST, 0), 0);
	assert_true(todo & NACRE_LOCKA_RECOVER);	/* SIZE-2 */
	assert_int_equal(lock.loner, 0);
	assert_int_equal(nacre_lock_may_hold(&lock, A), 0);
}

static void lock_from_claims(void **state)
{
	nacre_lock_init(&lock, NACRE_GROUP_FILE);
	nacre_lock_claim(&lock, A, NACRE_CAP_FILE_READ | NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_SHARED);
	assert_int_equal(lock.state, NACRE_LOCK_SYNC);
	nacre_lock_init(&lock, NACRE_GROUP_FILE);
	nacre_lock_claim(&lock, A, NACRE_CAP_FILE_READ);
	nacre_lock_claim(&lock, B, NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE);
	assert_int_equal(lock.state, NACRE_LOCK_MIX);
	nacre_lock_init(&lock, NACRE_GROUP_FILE);
	nacre_lock_claim(&lock, A, NACRE_CAPS_FILE);
	assert_int_equal(lock.state, NACRE_LOCK_EXCL);
	assert_int_equal(lock.loner, A);
	nacre_lock_init(&lock, NACRE_GROUP_FILE);
	nacre_lock_claim(&lock, A, NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_CACHE);
	assert_int_equal(lock.state, NACRE_LOCK_EXCL);	/* what lost messages left of it */
	assert_null(nacre_lock_holder_invariant(&lock, A, NACRE_CAPS_FILE));
	assert_non_null(nacre_lock_holder_invariant(&lock, B, NACRE_CAP_FILE_READ));
}

/* Values may ride in the answer: until it is here the lock waits, though the bits are allowed again. */
static void lock_waits_for_answers(void **state)
{
	__u32 shared = NACRE_CAP_AUTH_SHARED, both = NACRE_CAPS_AUTH;

	nacre_lock_init(&lock, NACRE_GROUP_AUTH);
	need(NACRE_LOCKE_NEED_EXCL, A);
	assert_false(nacre_lock_waits_for(&lock, A, both, both));
	assert_true(nacre_lock_waits_for(&lock, A, both, shared));
	assert_true(nacre_lock_waits_for(&lock, B, shared, shared));
	assert_false(nacre_lock_waits_for(&lock, B, NACRE_CAPS_FILE, 0));
}

/* ---- the rank's caps ---------------------------------------------------------------------------- */

static struct nacre_cap_rank cap;

static struct nacre_cap_update report(__u32 seq, __u32 held)
{
	return (struct nacre_cap_update){ .cap_id = 5, .cap_gen = 1, .cap_seq = seq, .held = held,
					  .wanted = cap.wanted };
}

static __u32 hear(struct nacre_cap_update u, int same_connection)
{
	__u32 news = nacre_cap_rank_update(&cap, &u, same_connection);

	assert_null(nacre_cap_rank_invariant(&cap));
	return news;
}

#define SHARED_EXCL (NACRE_CAP_PIN | NACRE_CAPS_AUTH)

static int granted(void **state)
{
	nacre_cap_rank_init(&cap, 5, 1);
	assert_int_equal(nacre_cap_rank_grant(&cap, NACRE_CAPS_AUTH), SHARED_EXCL);
	assert_int_equal(cap.seq, 1);
	return 0;
}

static void rank_revoke_and_answer(void **state)
{
	assert_int_equal(nacre_cap_rank_revoke(&cap, NACRE_CAP_LINK_SHARED), 0);
	assert_int_equal(nacre_cap_rank_revoke(&cap, NACRE_CAP_AUTH_EXCL), 1);
	assert_int_equal(nacre_cap_rank_revoke(&cap, NACRE_CAP_AUTH_EXCL), 0);
	assert_true(nacre_cap_rank_revoking(&cap));
	assert_int_equal(cap.held, SHARED_EXCL);
	/* what is being revoked is not given again before the answer */
	assert_int_equal(nacre_cap_rank_grant(&cap, NACRE_CAP_AUTH_EXCL),
			 NACRE_CAP_PIN | NACRE_CAP_AUTH_SHARED);
	cap.grow_seq = 1;
	cap.seq = 2;
	/* a report from before the revoke changes nothing */
	assert_int_equal(hear(report(1, SHARED_EXCL), 1), 0);
	assert_int_equal(hear(report(2, NACRE_CAP_PIN | NACRE_CAP_AUTH_SHARED), 1),
			 NACRE_CAPR_SHRUNK | NACRE_CAPR_GATHERED);
	assert_false(nacre_cap_rank_revoking(&cap));
}

/* While a grant is under way a report is believed only where a revoke was answered. */
static void rank_report_that_crosses_a_grant(void **state)
{
	nacre_cap_rank_revoke(&cap, NACRE_CAP_AUTH_EXCL);		/* seq 2 */
	nacre_cap_rank_grant(&cap, NACRE_CAP_LINK_SHARED);		/* seq 3 */
	assert_int_equal(hear(report(1, SHARED_EXCL), 1), 0);
	assert_int_equal(hear(report(2, NACRE_CAP_PIN), 1), NACRE_CAPR_SHRUNK | NACRE_CAPR_GATHERED);
	assert_true(cap.held & NACRE_CAP_LINK_SHARED);
	assert_true(cap.issued & NACRE_CAP_AUTH_SHARED);
	assert_int_equal(hear(report(2, NACRE_CAP_PIN), 0), NACRE_CAPR_BEHIND);
	assert_int_equal(hear(report(3, NACRE_CAP_PIN), 1), NACRE_CAPR_SHRUNK);
	assert_int_equal(cap.held, NACRE_CAP_PIN);
}

static void rank_ignores_others(void **state)
{
	struct nacre_cap_update u = report(1, 0);

	u.cap_id = 4;
	assert_int_equal(hear(u, 1), NACRE_CAPR_IGNORED);
	u = report(2, 0);			/* a message never sent */
	assert_int_equal(hear(u, 1), NACRE_CAPR_IGNORED);
	u = report(1, 0);
	u.cap_gen = 2;
	assert_int_equal(hear(u, 1), NACRE_CAPR_IGNORED);
	u.cap_gen = 0;
	u.wanted = NACRE_CAP_FILE_READ;
	assert_int_equal(hear(u, 0), NACRE_CAPR_WANTED | NACRE_CAPR_BEHIND);
	assert_int_equal(cap.held, SHARED_EXCL);
}

/* Catalogue B1, B2: releases and unknown caps, with and without a grant under way. */
static void rank_release_b1_b2(void **state)
{
	struct nacre_cap_ref ref = { .cap_id = 5, .cap_gen = 1, .cap_seq = 1 };
	struct nacre_cap_update u = report(2, 0);

	nacre_cap_rank_grant(&cap, NACRE_CAP_LINK_SHARED);	/* seq 2 crosses the release */
	assert_int_equal(nacre_cap_rank_release(&cap, &ref), NACRE_CAPR_IGNORED);
	nacre_cap_rank_revoke(&cap, NACRE_CAP_AUTH_EXCL);	/* seq 3 does not matter */
	ref.cap_seq = 2;
	assert_true(nacre_cap_rank_release(&cap, &ref) & NACRE_CAPR_GONE);
	granted(state);
	nacre_cap_rank_revoke(&cap, NACRE_CAPS_AUTH);
	u.update_flags = NACRE_CAP_UPDATE_UNKNOWN | NACRE_CAP_UPDATE_ANSWER;
	assert_true(hear(u, 1) & NACRE_CAPR_GONE);
	granted(state);
	nacre_cap_rank_revoke(&cap, NACRE_CAPS_AUTH);
	nacre_cap_rank_grant(&cap, NACRE_CAP_LINK_SHARED);
	assert_false(hear(u, 1) & NACRE_CAPR_GONE);		/* the grant will make a cap again */
	assert_false(nacre_cap_rank_revoking(&cap));
}

static void rank_takes_claims(void **state)
{
	nacre_cap_rank_claim(&cap, 5, 2, SHARED_EXCL, NACRE_CAP_AUTH_EXCL);
	assert_int_equal(cap.held, SHARED_EXCL);
	assert_int_equal(nacre_cap_rank_grant(&cap, 0), SHARED_EXCL);
	assert_int_equal(cap.seq, 1);
	assert_null(nacre_cap_rank_invariant(&cap));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cap_bits_by_group), cmocka_unit_test(cap_conflicts),
		cmocka_unit_test(cap_text), cmocka_unit_test(lock_allows_no_conflict),
		cmocka_unit_test(lock_file_states), cmocka_unit_test(lock_mix_is_for_files),
		cmocka_unit_test(lock_pins_hold_the_state), cmocka_unit_test(lock_follows_demand),
		cmocka_unit_test(lock_after_losing_a_writer), cmocka_unit_test(lock_waits_for_answers),
		cmocka_unit_test(lock_from_claims),
		cmocka_unit_test_setup(rank_revoke_and_answer, granted),
		cmocka_unit_test_setup(rank_report_that_crosses_a_grant, granted),
		cmocka_unit_test_setup(rank_ignores_others, granted),
		cmocka_unit_test_setup(rank_release_b1_b2, granted),
		cmocka_unit_test_setup(rank_takes_claims, granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
