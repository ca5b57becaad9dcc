// SPDX-License-Identifier: GPL-2.0
/*
 * Held file locks against the plainest model: for every byte and owner a mode. All sequences of three
 * operations over a small file, then long random ones.
 */
#include "../cmocka_all.h"
#include "filelocks_rig.h"

/* ---- every sequence ---------------------------------------------------------------------------------- */

#define OWNERS 3
#define BYTES 4
#define DEPTH 3

static unsigned int choices(void)
{
	return OWNERS * 3 * BYTES * (BYTES + 1) / 2;
}

/* The number of a choice is an owner, a mode and a range. */
static struct rig_want choice(unsigned int number)
{
	struct rig_want want = { .owner = number % OWNERS };
	unsigned int start, last;

	number /= OWNERS;
	want.mode = (__u8)(NACRE_FILELOCK_READ + number % 3);
	number /= 3;
	for (start = 0; start < BYTES; start++)
		for (last = start; last < BYTES; last++)
			if (!number--) {
				want.start = start;
				want.last = last;
				return want;
			}
	fail();
	return want;
}

static void sequences_of(const __u8 kinds[OWNERS])
{
	unsigned int total = choices() * choices() * choices(), run, step, rest;
	struct rig rig;

	for (run = 0; run < total; run++) {
		rig_init(&rig, kinds, OWNERS);
		for (rest = run, step = 0; step < DEPTH; step++, rest /= choices()) {
			struct rig_want want = choice(rest % choices());

			rig_set(&rig, 0, &want);
		}
		rig_compare(&rig);
		rig_free(&rig);
	}
}

static void every_sequence_of_posix_and_ofd_locks_is_what_the_bytes_say(void **state)
{
	sequences_of((__u8[]){ NACRE_FILELOCK_POSIX, NACRE_FILELOCK_OFD, NACRE_FILELOCK_POSIX });
}

static void long_random_sequences_are_what_the_bytes_say(void **state)
{
	static const __u8 kinds[] = { NACRE_FILELOCK_POSIX, NACRE_FILELOCK_POSIX, NACRE_FILELOCK_OFD,
				      NACRE_FILELOCK_OFD, NACRE_FILELOCK_FLOCK, NACRE_FILELOCK_FLOCK };
	unsigned int seed, step;
	struct rig rig;

	for (seed = 1; seed <= 200; seed++) {
		rig_init(&rig, kinds, 6);
		srandom(seed);
		for (step = 0; step < 300; step++) {
			struct rig_want want = rig_random(&rig);

			rig_set(&rig, step & 1, &want);
			rig_compare(&rig);
		}
		rig_free(&rig);
	}
}

/* ---- by hand ------------------------------------------------------------------------------------------- */

static const __u8 two[] = { NACRE_FILELOCK_POSIX, NACRE_FILELOCK_POSIX };

static void a_write_lock_in_the_middle_splits_a_read_lock(void **state)
{
	struct rig rig;

	rig_init(&rig, two, 2);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 0, NACRE_FILELOCK_READ, 0, 9 }), 0);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 4, 5 }), 0);
	assert_int_equal(rig_ranges(&rig, 0), 3);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 1, NACRE_FILELOCK_READ, 0, 3 }), 0);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 1, NACRE_FILELOCK_READ, 3, 4 }), -EAGAIN);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 0, NACRE_FILELOCK_READ, 4, 5 }), 0);
	assert_int_equal(rig_ranges(&rig, 0), 2);
	rig_free(&rig);
}

static void a_lock_to_the_end_of_the_file_can_be_split_and_merged_there(void **state)
{
	struct rig rig;
	struct nacre_filelock_want want;

	rig_init(&rig, two, 2);
	want = (struct nacre_filelock_want){ &rig.owners[0], 5, NACRE_FILELOCK_END, 1, NACRE_FILELOCK_WRITE };
	assert_int_equal(rig_take(&rig, 0, &want), 0);
	want.mode = NACRE_FILELOCK_UNLOCK;
	want.start = want.last;
	assert_int_equal(rig_take(&rig, 0, &want), 0);
	want.mode = NACRE_FILELOCK_WRITE;
	assert_int_equal(rig_take(&rig, 0, &want), 0);
	assert_int_equal(rig_ranges(&rig, 0), 1);
	want.start = 0;
	assert_int_equal(nacre_filelock_holds(&rig.files[0], &want), 0);
	want.start = 5;
	assert_int_equal(nacre_filelock_holds(&rig.files[0], &want), 1);
	rig_free(&rig);
}

static void flock_and_posix_locks_do_not_see_each_other(void **state)
{
	static const __u8 kinds[] = { NACRE_FILELOCK_POSIX, NACRE_FILELOCK_FLOCK, NACRE_FILELOCK_FLOCK };
	struct rig rig;

	rig_init(&rig, kinds, 3);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 0, 7 }), 0);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 0, 7 }), 0);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 2, NACRE_FILELOCK_READ, 0, 7 }), -EAGAIN);
	rig_free(&rig);
}

static void a_flock_that_changes_its_mode_is_given_up_first(void **state)
{
	static const __u8 kinds[] = { NACRE_FILELOCK_FLOCK, NACRE_FILELOCK_FLOCK };
	struct rig rig;

	rig_init(&rig, kinds, 2);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 0, NACRE_FILELOCK_READ, 0, 7 }), 0);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 1, NACRE_FILELOCK_READ, 0, 7 }), 0);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 0, 7 }), -EAGAIN);
	assert_int_equal(rig_ranges(&rig, 0), 1);
	assert_int_equal(rig_set(&rig, 0, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 0, 7 }), 0);
	rig_free(&rig);
}

static void claim(struct rig *rig, const struct rig_want *want)
{
	struct nacre_filelock_want rules = rig_rules_want(rig, want);

	while (rig_claim(rig, 0, &rules) > 0)
		;
}

/* Both ways round: who comes first does not matter. */
static void a_write_lock_claimed_beside_a_read_lock_was_being_given_up(void **state)
{
	static const struct rig_want claims[2] = { { 0, NACRE_FILELOCK_WRITE, 0, 9 },
						   { 1, NACRE_FILELOCK_READ, 3, 4 } };
	struct rig rig;
	int first;

	for (first = 0; first < 2; first++) {
		rig_init(&rig, two, 2);
		claim(&rig, &claims[first]);
		claim(&rig, &claims[!first]);
		memset(rig.model[0][0], NACRE_FILELOCK_WRITE, 10);
		memset(&rig.model[0][0][3], NACRE_FILELOCK_READ, 2);
		memset(&rig.model[0][1][3], NACRE_FILELOCK_READ, 2);
		rig_compare(&rig);
		rig_free(&rig);
	}
}

static void the_second_of_two_writers_that_claim_is_refused(void **state)
{
	struct nacre_filelock_want want;
	struct rig rig;

	rig_init(&rig, two, 2);
	claim(&rig, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 0, 9 });
	want = rig_rules_want(&rig, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 9, 10 });
	assert_int_equal(rig_claim(&rig, 0, &want), -EAGAIN);
	rig_free(&rig);
}

static void impossible_values_are_refused(void **state)
{
	assert_null(nacre_filelock_check(NACRE_FILELOCK_POSIX, NACRE_FILELOCK_READ, 3, 3));
	assert_non_null(nacre_filelock_check(0, NACRE_FILELOCK_READ, 0, 1));
	assert_non_null(nacre_filelock_check(NACRE_FILELOCK_POSIX, 4, 0, 1));
	assert_non_null(nacre_filelock_check(NACRE_FILELOCK_POSIX, NACRE_FILELOCK_READ, 2, 1));
	assert_non_null(nacre_filelock_check(NACRE_FILELOCK_OFD, NACRE_FILELOCK_READ, 0,
					     NACRE_FILELOCK_END + 1));
	assert_non_null(nacre_filelock_check(NACRE_FILELOCK_FLOCK, NACRE_FILELOCK_READ, 1,
					     NACRE_FILELOCK_END));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_lock_in_the_middle_splits_a_read_lock),
		cmocka_unit_test(a_lock_to_the_end_of_the_file_can_be_split_and_merged_there),
		cmocka_unit_test(flock_and_posix_locks_do_not_see_each_other),
		cmocka_unit_test(a_flock_that_changes_its_mode_is_given_up_first),
		cmocka_unit_test(a_write_lock_claimed_beside_a_read_lock_was_being_given_up),
		cmocka_unit_test(the_second_of_two_writers_that_claim_is_refused),
		cmocka_unit_test(impossible_values_are_refused),
		cmocka_unit_test(every_sequence_of_posix_and_ofd_locks_is_what_the_bytes_say),
		cmocka_unit_test(long_random_sequences_are_what_the_bytes_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
