/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What deleting in the background costs: requests to the object server, counted. Numbers that a lost client never
 * declared (INO-1), files that are mostly holes.
 */
#include "mdst.h"

#define ROOT NACRE_INO_ROOT
#define OBJECT_BYTES 65536ull		/* as in mdst.c */

static struct mdst_client *client(struct mdst *t, const char *name)
{
	struct mdst_client *c = mdst_client_new(t, name);

	mdst_client_open(c);
	return c;
}

static unsigned int deletions(const struct mdst *t)
{
	return mdst_osd_ops(t->osd, NACRE_OSD_OP_DELETE);
}

/*
 * INO-1: a client is lost together with its rank. Of its range of 1024 numbers two have data, under requests that nobody
 * remembers; what is declared, and what others have, stays.
 */
static void test_ino_1_lost_client_deletes_what_exists(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *lost = client(t, "lost"), *other = client(t, "other");
	struct nacre_inode_info file = mdst_create(lost, ROOT, "f").target;
	uint64_t ino = lost->ino_next;
	unsigned int before;

	mdst_sync(lost);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, file.ino, 0, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, ino, 0, OBJECT_BYTES);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, ino, 1, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, ino + 700, 15, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, other->ino_next, 0, 100);
	mdst_client_destroy(lost);
	mdst_crash(t);
	before = deletions(t);
	mdst_start_only(t);
	mdst_client_reconnect(other, NULL, 0, NULL);
	mdst_run_ms(t, 20000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, ino), 0);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, ino + 700), 0);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, file.ino), 1);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, other->ino_next), 1);
	assert_int_equal(deletions(t) - before, 3);
	assert_int_equal(mdst_osd_ops(t->osd, NACRE_OSD_OP_OBJECTS), MDST_PGS);
	mdst_client_destroy(other);
}

/* The rank dies while it deletes: the next one begins anew, and ends. */
static void test_lost_client_purge_survives_a_restart(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *lost = client(t, "lost"), *other = client(t, "other");
	uint64_t ino = lost->ino_next, i;

	mdst_sync(lost);
	for (i = 0; i < 40; i++)
		mdst_osd_put(t->osd, NACRE_POOL_DATA, ino + i, i % 16, 100);
	mdst_client_destroy(lost);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(other, NULL, 0, NULL);
	mdst_osd_hold(t->osd, ino + 20);
	mdst_run_ms(t, 20000);
	assert_true(mdst_osd_exists(t->osd, NACRE_POOL_DATA, ino + 20, 4));
	mdst_crash(t);
	mdst_osd_hold(t->osd, 0);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, ino + 20, 4, 100);
	mdst_start_only(t);
	mdst_client_reconnect(other, NULL, 0, NULL);
	mdst_run_ms(t, 5000);
	for (i = 0; i < 40; i++)
		assert_false(mdst_osd_exists(t->osd, NACRE_POOL_DATA, ino + i, i % 16));
	mdst_client_destroy(other);
}

/* A file with one block at its far end is not deleted object by object. */
static void test_sparse_file_deletes_what_exists(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = client(t, "c1");
	struct nacre_inode_info cap = mdst_create(c, ROOT, "sparse").target;
	uint64_t far = 1u << 24;
	unsigned int before;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, far, 100);
	assert_int_equal(mdst_flush_size(c, &cap, 1, far * OBJECT_BYTES + 100), 0);
	mdst_release(c, &cap);
	mdst_sync(c);
	before = deletions(t);
	assert_int_equal(mdst_unlink(c, ROOT, "sparse").result, 0);
	mdst_sync(c);
	mdst_run_ms(t, 2000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 0);
	assert_int_equal(deletions(t) - before, 3);	/* and the object in the metadata pool */
	mdst_client_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_ino_1_lost_client_deletes_what_exists),
		T(test_lost_client_purge_survives_a_restart), T(test_sparse_file_deletes_what_exists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
