/* SPDX-License-Identifier: GPL-2.0 */
/* The rank's memory when clients hold more than it has room for: recalls, who is asked again, and who does not answer. */
#include "mdst.h"

#define ROOT NACRE_INO_ROOT

/* A client that gives nothing back by itself: what it has not used for longest is taken from it. */
static void test_caps_are_recalled_for_memory(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c;
	struct mdst_reply r;
	uint64_t dir, recalls;
	unsigned int i;
	char name[16];

	mdst_crash(t);
	t->cache_inodes = 100;
	mdst_start(t);
	c = mdst_client_begin(t, "c1");
	dir = mdst_mkdir(c, ROOT, "d").target.ino;
	for (i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(mdst_create(c, dir, name).result, 0);
		c->oldest_tid = c->tid;
	}
	mdst_run_ms(t, 1000);
	assert_true(mdst_counter(t, "recalls") >= 480);
	/* most of them came in company */
	assert_in_range(c->several, 1, c->revokes / 3);
	assert_true(mdst_counter(t, "inodes") <= 100);
	assert_true(mdst_counter(t, "caps") <= 100);
	/* files that are open stay, whatever memory holds, and can be used */
	c->answer_wanted = NACRE_WANT_READ;
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		r = mdst_lookup(c, dir, name);
		assert_int_equal(r.result, 0);
		c->oldest_tid = c->tid;
	}
	mdst_run_ms(t, 3000);
	assert_in_range(mdst_counter(t, "caps"), 200, 301);
	/* and are not asked for again and again, though there are more than memory may hold */
	recalls = mdst_counter(t, "recalls");
	mdst_run_ms(t, 5000);
	assert_int_equal(mdst_counter(t, "recalls"), recalls);
	/* some time they are: it may have been closed */
	c->answer_wanted = 0;
	mdst_run_ms(t, 20000);
	assert_true(mdst_counter(t, "recalls") > recalls);
	assert_true(mdst_counter(t, "inodes") <= 100);
	mdst_client_destroy(c);
}

/*
 * Inodes that were to leave, did not have to in the end, and that a listing gives caps on: they still counted as leaving,
 * could not leave, and no others were recalled in their place.
 */
static void test_listed_when_it_was_to_leave(void **state)
{
	struct mdst *t = *state;
	struct nacre_inode_info cap, caps[1000];
	struct mdst_client *c;
	unsigned int i;
	char name[16];
	uint64_t dir;

	mdst_crash(t);
	t->cache_inodes = 200;
	mdst_start(t);
	c = mdst_client_begin(t, "c1");
	dir = mdst_mkdir(c, ROOT, "d").target.ino;
	mds_journal_hold(t->mds, true);
	for (i = 0; i < 250; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		cap = mdst_create(c, dir, name).target;
		c->oldest_tid = c->tid;
		mdst_release(c, &cap);
	}
	assert_int_equal(mdst_counter(t, "inodes"), 252);
	mds_journal_hold(t->mds, false);
	mdst_run_ms(t, 2000);
	mdst_readdir(c, dir, 0, 1000);
	assert_true(mdst_counter(t, "caps") >= 100);
	/* these are all newer: what was listed has to go for them, and then they go themselves */
	for (; i < 1250; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		caps[i - 250] = mdst_create(c, dir, name).target;
		c->oldest_tid = c->tid;
	}
	mdst_run_ms(t, 5000);
	assert_true(mdst_counter(t, "inodes") <= 200);
	for (i = 0; i < 1000; i++)
		mdst_release(c, &caps[i]);
	mdst_run_ms(t, 1000);
	/* of 250 that were listed; who is asked when there are enough on their way goes to the end of the queue once more */
	assert_in_range(mdst_counter(t, "caps"), 0, 10);
	mdst_client_destroy(c);
}

/* A client that gives nothing back when memory is short: others go on meanwhile, and when its time is over it is put out. */
static void test_nothing_is_given_back(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c, *other;
	unsigned int i;
	char name[16];
	uint64_t dir;

	mdst_crash(t);
	t->cache_inodes = 100;
	mdst_start(t);
	c = mdst_client_begin(t, "c1");
	other = mdst_client_begin(t, "c2");
	dir = mdst_mkdir(c, ROOT, "d").target.ino;
	c->stubborn = true;
	for (i = 0; i < 160; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(mdst_create(c, dir, name).result, 0);
		c->oldest_tid = c->tid;
	}
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		assert_int_equal(mdst_mkdir(other, ROOT, name).result, 0);
		other->oldest_tid = other->tid;
	}
	mdst_run_ms(t, 60000);
	assert_int_equal(mdst_counter(t, "evictions"), 1);
	assert_true(mdst_counter(t, "inodes") <= 100);
	assert_int_equal(mdst_mkdir(other, ROOT, "last").result, 0);
	mdst_client_destroy(c);
	mdst_client_destroy(other);
}

/* What an OPEN needs is on its way back: its answer comes after that, and has it in it. Seed 606 of the simulator asked for ever. */
static void test_opened_when_it_is_recalled(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c, *other;
	uint64_t ino, tid;
	struct mdst_reply r;
	unsigned int i;
	char name[16];

	mdst_crash(t);
	t->cache_inodes = 100;
	mdst_start(t);
	c = mdst_client_begin(t, "c1");
	other = mdst_client_begin(t, "c2");
	ino = mdst_create(other, ROOT, "f").target.ino;
	tid = mdst_open_send(c, ino, NACRE_OPEN_READ, NACRE_CAP_FILE_READ, NACRE_CAP_FILE_READ);
	assert_true(mdst_wait(c, tid).target.issued & NACRE_CAP_FILE_READ);
	c->stubborn = true;
	for (i = 0; i < 150 && !c->revokes; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		assert_int_equal(mdst_create(other, ROOT, name).result, 0);
		other->oldest_tid = other->tid;
	}
	assert_true(c->revokes > 0);
	tid = mdst_open_send(c, ino, NACRE_OPEN_READ, NACRE_CAP_FILE_READ, NACRE_CAP_FILE_READ);
	mdst_run_ms(t, 50);
	assert_false(mdst_has_reply(c, tid));
	c->stubborn = false;
	c->answer_wanted = NACRE_WANT_READ;
	r = mdst_wait(c, tid);
	assert_int_equal(r.result, 0);
	assert_true(r.target.issued & NACRE_CAP_FILE_READ);
	mdst_client_destroy(c);
	mdst_client_destroy(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_caps_are_recalled_for_memory), T(test_listed_when_it_was_to_leave), T(test_nothing_is_given_back),
		T(test_opened_when_it_is_recalled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
