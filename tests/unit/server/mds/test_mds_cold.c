/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a rank with nothing in memory reads to answer lookups: requests to the object server, counted. And requests that
 * wait for such a read while their client's connection breaks.
 */
#include "mdst.h"

#define ROOT NACRE_INO_ROOT

static unsigned int reads(const struct mdst *t)
{
	return mdst_osd_ops(t->osd, NACRE_OSD_OP_KV_GET) + mdst_osd_ops(t->osd, NACRE_OSD_OP_KV_LIST) +
	       mdst_osd_ops(t->osd, NACRE_OSD_OP_LISTXATTR);
}

/* A directory with so many files in a rank that has just started and replayed nothing. */
static struct mdst_client *cold_directory(struct mdst *t, unsigned int files, uint64_t *ret_dir)
{
	struct mdst_client *c = mdst_client_new(t, "c1");
	unsigned int i;
	char name[16];

	mdst_client_open(c);
	*ret_dir = mdst_mkdir(c, ROOT, "dir").target.ino;
	for (i = 0; i < files; i++) {
		struct nacre_inode_info cap;

		snprintf(name, sizeof(name), "f%u", i);
		cap = mdst_create(c, *ret_dir, name).target;
		mdst_release(c, &cap);
	}
	mdst_sync(c);
	mdst_writeback(t);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, NULL);
	return c;
}

static void look_up_all(struct mdst_client *c, uint64_t dir, unsigned int files)
{
	unsigned int i;
	char name[16];

	assert_int_equal(mdst_lookup(c, ROOT, "dir").target.ino, dir);
	for (i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(mdst_lookup(c, dir, name).result, 0);
		assert_int_equal(mdst_lookup(c, dir, "none").result, ENOENT);
	}
}

static void test_a_small_directory_is_read_once(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c;
	unsigned int before;
	uint64_t dir;

	c = cold_directory(t, 200, &dir);
	before = reads(t);
	look_up_all(c, dir, 200);
	assert_in_range(reads(t) - before, 1, 4);
	mdst_client_destroy(c);
}

/* 2,000 look-ups: some entries by themselves, then all pages; not one read each. */
static void test_a_large_directory_is_read_whole_when_much_is_asked(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c;
	unsigned int before;
	uint64_t dir;

	c = cold_directory(t, 2000, &dir);
	before = reads(t);
	look_up_all(c, dir, 2000);
	assert_in_range(reads(t) - before, 2000 / 64, 2000 / 64 + 2000 / 512 + 6);
	mdst_client_destroy(c);
}

/*
 * LOG-2: a failure is not remembered, so it is not told over a connection by which the request is still to come again: the client would go on,
 * and then it would be done. Simulator, seed 1202402.
 */
static void test_log_2_a_failure_is_told_once(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c, *other;
	struct nacre_record_req body;
	uint64_t dir;

	c = cold_directory(t, 2, &dir);
	other = mdst_client_begin(t, "c2");
	mdst_osd_hold(t->osd, dir);
	body = mdst_record(c, dir, "file");
	body.kind = NACRE_RECORD_UNLINK;
	mdst_send(c, NACRE_MSG_UNLINK, &body);
	mdst_run_ms(t, 100);
	assert_null(mdst_poll(c, NACRE_MSG_REPLY));
	mdst_client_reset(c);
	mdst_osd_hold(t->osd, 0);
	mdst_run_ms(t, 100);
	assert_null(mdst_poll(c, NACRE_MSG_REPLY));
	assert_int_equal(mdst_create(other, dir, "file").result, 0);
	mdst_sync(other);
	body.flags = NACRE_REQUEST_RESEND;
	assert_int_equal(mdst_call(c, NACRE_MSG_UNLINK, &body).result, 0);
	mdst_client_destroy(c);
	mdst_client_destroy(other);
}

/* It comes again while it is under way: then it is told where it came last. */
static void test_log_2_a_failure_is_told_where_it_came_last(void **state)
{
	struct mdst *t = *state;
	struct nacre_record_req body;
	struct mdst_client *c;
	uint64_t dir;

	c = cold_directory(t, 2, &dir);
	mdst_osd_hold(t->osd, dir);
	body = mdst_record(c, dir, "file");
	body.kind = NACRE_RECORD_UNLINK;
	mdst_send(c, NACRE_MSG_UNLINK, &body);
	mdst_run_ms(t, 100);
	mdst_client_reset(c);
	body.flags = NACRE_REQUEST_RESEND;
	mdst_send(c, NACRE_MSG_UNLINK, &body);
	mdst_run_ms(t, 100);
	mdst_osd_hold(t->osd, 0);
	assert_int_equal(mdst_wait(c, body.tid).result, ENOENT);
	mdst_run_ms(t, 100);
	assert_null(mdst_poll(c, NACRE_MSG_REPLY));
	mdst_client_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_a_small_directory_is_read_once),
		T(test_a_large_directory_is_read_whole_when_much_is_asked),
		T(test_log_2_a_failure_is_told_once), T(test_log_2_a_failure_is_told_where_it_came_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
