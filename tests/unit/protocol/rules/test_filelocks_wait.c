// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for file locks: nobody who can go on waits, nobody waits for himself, nobody starves. Random walks
 * against a model that recomputes all of it from the bytes held, and the plain cases by hand.
 */
#include <stdbool.h>
#include "../cmocka_all.h"
#include "filelocks_rig.h"

#define WAITERS 8

/* A rig with waits, oldest first. */
struct waits {
	struct rig rig;
	struct nacre_filelock_waiter waiters[WAITERS];
	struct rig_want wants[WAITERS];
	unsigned int files[WAITERS];
	unsigned int order[WAITERS];	/* when it was queued, 0 = free */
	unsigned int queued;
	unsigned int granted, deadlocks;
};

static struct waits world;

/* ---- the model's view of waiting ----------------------------------------------------------------------- */

static bool holds_something(const struct rig *rig, unsigned int owner)
{
	unsigned int file, byte;

	for (file = 0; file < RIG_FILES; file++)
		for (byte = 0; byte < RIG_BYTES; byte++)
			if (rig->model[file][owner][byte])
				return true;
	return false;
}

static bool is_kept_by_holders(const struct waits *w, unsigned int file, const struct rig_want *want)
{
	unsigned int other;

	for (other = 0; other < w->rig.owner_count; other++)
		if (rig_model_conflict(&w->rig, file, other, want))
			return true;
	return false;
}

static bool excludes(const struct waits *w, const struct rig_want *a, const struct rig_want *b)
{
	return a->owner != b->owner && a->start <= b->last && b->start <= a->last &&
	       (w->rig.owners[a->owner].kind == NACRE_FILELOCK_FLOCK) ==
	       (w->rig.owners[b->owner].kind == NACRE_FILELOCK_FLOCK) &&
	       (a->mode == NACRE_FILELOCK_WRITE || b->mode == NACRE_FILELOCK_WRITE);
}

static bool must_wait(const struct waits *w, unsigned int i)
{
	unsigned int j;

	if (is_kept_by_holders(w, w->files[i], &w->wants[i]))
		return true;
	if (holds_something(&w->rig, w->wants[i].owner))
		return false;
	for (j = 0; j < WAITERS; j++)
		if (w->order[j] && w->order[j] < w->order[i] && w->files[j] == w->files[i] &&
		    excludes(w, &w->wants[j], &w->wants[i]))
			return true;
	return false;
}

static bool is_posix(const struct waits *w, unsigned int owner)
{
	return w->rig.owners[owner].kind == NACRE_FILELOCK_POSIX;
}

/* All pairs: who waits for whom, closed by force. */
static bool model_deadlocks(const struct waits *w, unsigned int file, const struct rig_want *want)
{
	bool waits[RIG_OWNERS][RIG_OWNERS] = { 0 };
	unsigned int i, a, b, c;

	for (b = 0; b < w->rig.owner_count; b++) {
		waits[want->owner][b] |= rig_model_conflict(&w->rig, file, b, want);
		for (i = 0; i < WAITERS; i++)
			if (w->order[i])
				waits[w->wants[i].owner][b] |=
					rig_model_conflict(&w->rig, w->files[i], b, &w->wants[i]);
	}
	for (a = 0; a < w->rig.owner_count; a++)
		for (b = 0; b < w->rig.owner_count; b++)
			if (!is_posix(w, a) || !is_posix(w, b))
				waits[a][b] = false;
	for (c = 0; c < w->rig.owner_count; c++)
		for (a = 0; a < w->rig.owner_count; a++)
			for (b = 0; b < w->rig.owner_count; b++)
				waits[a][b] |= waits[a][c] && waits[c][b];
	/* through what is wanted now, not through another wait of the owner */
	for (b = 0; b < w->rig.owner_count; b++)
		if (is_posix(w, b) && is_posix(w, want->owner) &&
		    rig_model_conflict(&w->rig, file, b, want) && waits[b][want->owner])
			return true;
	return false;
}

/* ---- the rules driven as a rank drives them ---------------------------------------------------------------- */

static void drop_wait(struct waits *w, unsigned int i)
{
	nacre_filelock_unqueue(&w->waiters[i]);
	w->order[i] = 0;
}

/* The owner was given something: waits of his that can never end now are told. */
static void end_deadlocks(struct waits *w, unsigned int owner)
{
	struct nacre_filelock_waiter *waiter;

	while ((waiter = nacre_filelock_deadlocked(&w->rig.owners[owner]))) {
		unsigned int i = (unsigned int)(waiter - w->waiters);

		assert_true(model_deadlocks(w, w->files[i], &w->wants[i]));
		drop_wait(w, i);
		w->deadlocks++;
	}
}

static void grant_all(struct waits *w)
{
	struct nacre_filelock_waiter *waiter;

	while ((waiter = nacre_filelocks_grantable(&w->rig.all))) {
		unsigned int i = (unsigned int)(waiter - w->waiters);

		assert_false(must_wait(w, i));
		drop_wait(w, i);
		assert_int_equal(rig_set(&w->rig, w->files[i], &w->wants[i]), 0);
		end_deadlocks(w, w->wants[i].owner);
		w->granted++;
	}
}

static int wait_for(struct waits *w, unsigned int file, const struct rig_want *want)
{
	struct nacre_filelock_want rules = rig_rules_want(&w->rig, want);
	unsigned int i;
	int deadlock;

	for (i = 0; i < WAITERS && w->order[i]; i++)
		;
	if (i == WAITERS)
		return -ENOLCK;
	deadlock = nacre_filelock_deadlocks(&w->rig.files[file], &rules);
	assert_int_equal(deadlock, model_deadlocks(w, file, want));
	if (deadlock)
		return -EDEADLK;
	rig_give_up(&w->rig, file, want);
	w->wants[i] = *want;
	w->files[i] = file;
	w->order[i] = ++w->queued;
	nacre_filelock_queue(&w->rig.files[file], &w->waiters[i], &rules, i);
	grant_all(w);
	return w->order[i] ? -EINPROGRESS : 0;
}

static int set(struct waits *w, unsigned int file, const struct rig_want *want)
{
	int result = rig_set(&w->rig, file, want);

	if (!result && want->mode != NACRE_FILELOCK_UNLOCK)
		end_deadlocks(w, want->owner);
	grant_all(w);
	return result;
}

static void begin(struct waits *w, const __u8 *kinds, unsigned int owners)
{
	memset(w, 0, sizeof(*w));
	rig_init(&w->rig, kinds, owners);
}

/* Nobody who can go on waits; no POSIX owner waits for himself. */
static void check(struct waits *w)
{
	unsigned int i;

	rig_compare(&w->rig);
	for (i = 0; i < WAITERS; i++)
		if (w->order[i]) {
			assert_true(must_wait(w, i));
			assert_false(model_deadlocks(w, w->files[i], &w->wants[i]));
		}
}

/* When all give up what they have, all that wait come to their turn. */
static void finish(struct waits *w)
{
	unsigned int round, owner, file, i;

	for (round = 0; round <= WAITERS; round++)
		for (file = 0; file < RIG_FILES; file++)
			for (owner = 0; owner < w->rig.owner_count; owner++)
				set(w, file, &(struct rig_want){ owner, NACRE_FILELOCK_UNLOCK, 0,
								 RIG_BYTES - 1 });
	for (i = 0; i < WAITERS; i++)
		assert_false(w->order[i]);
	rig_free(&w->rig);
}

/* ---- cases ------------------------------------------------------------------------------------------------ */

static void random_walks_lose_no_wake_up_and_miss_no_deadlock(void **state)
{
	static const __u8 kinds[] = { NACRE_FILELOCK_POSIX, NACRE_FILELOCK_POSIX, NACRE_FILELOCK_POSIX,
				      NACRE_FILELOCK_OFD, NACRE_FILELOCK_FLOCK, NACRE_FILELOCK_FLOCK };
	unsigned int seed, step, i, granted = 0, deadlocks = 0;
	struct waits *w = &world;

	for (seed = 1; seed <= 400; seed++) {
		begin(w, kinds, 6);
		srandom(seed);
		for (step = 0; step < 250; step++) {
			struct rig_want want = rig_random(&w->rig);
			unsigned int file = (unsigned int)random() % RIG_FILES;

			i = (unsigned int)random() % WAITERS;
			if (w->order[i] && random() % 8 == 0) {
				drop_wait(w, i);
				grant_all(w);
			} else if (want.mode == NACRE_FILELOCK_UNLOCK || random() % 3 == 0) {
				set(w, file, &want);
			} else {
				wait_for(w, file, &want);
			}
			check(w);
		}
		granted += w->granted;
		deadlocks += w->deadlocks;
		finish(w);
	}
	assert_true(granted > 1000 && deadlocks > 10);
}

static const __u8 three[] = { NACRE_FILELOCK_POSIX, NACRE_FILELOCK_POSIX, NACRE_FILELOCK_POSIX };

static void three_owners_in_a_circle_are_a_deadlock(void **state)
{
	struct waits *w = &world;
	unsigned int i;

	begin(w, three, 3);
	for (i = 0; i < 3; i++)
		assert_int_equal(set(w, 0, &(struct rig_want){ i, NACRE_FILELOCK_WRITE, i, i }), 0);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 1, 1 }), -EINPROGRESS);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 1, NACRE_FILELOCK_READ, 2, 2 }), -EINPROGRESS);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 2, NACRE_FILELOCK_READ, 0, 0 }), -EDEADLK);
	finish(w);
}

static void two_readers_that_want_to_write_are_a_deadlock(void **state)
{
	struct waits *w = &world;

	begin(w, three, 2);
	assert_int_equal(set(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_READ, 0, 3 }), 0);
	assert_int_equal(set(w, 0, &(struct rig_want){ 1, NACRE_FILELOCK_READ, 0, 3 }), 0);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 0, 3 }), -EINPROGRESS);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 0, 3 }), -EDEADLK);
	finish(w);
}

static void a_stream_of_readers_does_not_starve_a_writer(void **state)
{
	static const __u8 kinds[] = { NACRE_FILELOCK_OFD, NACRE_FILELOCK_OFD, NACRE_FILELOCK_OFD };
	struct waits *w = &world;

	begin(w, kinds, 3);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_READ, 0, 3 }), 0);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 0, 3 }), -EINPROGRESS);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 2, NACRE_FILELOCK_READ, 0, 3 }), -EINPROGRESS);
	assert_int_equal(set(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_UNLOCK, 0, 3 }), 0);
	assert_int_equal(w->rig.model[0][1][0], NACRE_FILELOCK_WRITE);
	finish(w);
}

static void who_holds_something_does_not_queue_behind_those_who_wait_for_him(void **state)
{
	struct waits *w = &world;

	begin(w, three, 2);
	assert_int_equal(set(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_READ, 0, 1 }), 0);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 0, 3 }), -EINPROGRESS);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_READ, 2, 3 }), 0);
	finish(w);
}

static void a_cancelled_writer_lets_the_readers_behind_him_go_on(void **state)
{
	struct waits *w = &world;

	begin(w, three, 3);
	assert_int_equal(set(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_READ, 0, 3 }), 0);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 0, 3 }), -EINPROGRESS);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 2, NACRE_FILELOCK_READ, 0, 3 }), -EINPROGRESS);
	drop_wait(w, 0);
	grant_all(w);
	assert_int_equal(w->rig.model[0][2][0], NACRE_FILELOCK_READ);
	finish(w);
}

/* Two threads of one process: what one of them is given may close a circle through what the other waits for. */
static void a_lock_that_is_given_ends_a_wait_that_it_makes_hopeless(void **state)
{
	struct waits *w = &world;

	begin(w, three, 2);
	assert_int_equal(set(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 0, 0 }), 0);
	assert_int_equal(set(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 2, 2 }), 0);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 0, 0 }), -EINPROGRESS);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 2, 2 }), -EINPROGRESS);
	assert_int_equal(set(w, 1, &(struct rig_want){ 1, NACRE_FILELOCK_WRITE, 5, 5 }), 0);
	assert_int_equal(wait_for(w, 1, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 5, 5 }), -EDEADLK);
	assert_int_equal(set(w, 1, &(struct rig_want){ 1, NACRE_FILELOCK_UNLOCK, 5, 5 }), 0);
	assert_int_equal(set(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_UNLOCK, 0, 0 }), 0);
	assert_int_equal(wait_for(w, 0, &(struct rig_want){ 0, NACRE_FILELOCK_WRITE, 0, 0 }), -EDEADLK);
	finish(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_owners_in_a_circle_are_a_deadlock),
		cmocka_unit_test(two_readers_that_want_to_write_are_a_deadlock),
		cmocka_unit_test(a_stream_of_readers_does_not_starve_a_writer),
		cmocka_unit_test(who_holds_something_does_not_queue_behind_those_who_wait_for_him),
		cmocka_unit_test(a_cancelled_writer_lets_the_readers_behind_him_go_on),
		cmocka_unit_test(a_lock_that_is_given_ends_a_wait_that_it_makes_hopeless),
		cmocka_unit_test(random_walks_lose_no_wake_up_and_miss_no_deadlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
