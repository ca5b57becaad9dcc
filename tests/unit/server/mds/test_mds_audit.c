/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The audit finds every kind of thing that can be wrong between objects and inodes, and nothing else: not what clients are
 * changing while it runs, not what is held, on its way out, or about to be used.
 */
#include "mdst.h"
#include "server/mds/core.h"
#include "server/mds/audit_internal.h"

#define ROOT NACRE_INO_ROOT
#define OBJECT_BYTES 65536ull		/* as in mdst.c */

static void ended(void *owner)
{
	*(bool *)owner = true;
}

static bool is_true(void *owner)
{
	return *(bool *)owner;
}

static void audit(struct mdst *t)
{
	static bool done;

	done = false;
	assert_int_equal(mds_audit_start(t->mds, ended, &done), 0);
	mdst_until(t, is_true, &done);
}

/* Objects of one kind, and the audit's verdict. */
static void assert_audit(struct mdst *t, enum mds_audit_kind kind, uint64_t inodes, uint64_t objects,
			 uint64_t bytes, bool clean)
{
	const struct mds_audit_total *total;

	audit(t);
	total = mds_audit_total(t->mds, kind);
	assert_int_equal(total->inodes, inodes);
	assert_int_equal(total->objects, objects);
	assert_int_equal(total->bytes, bytes);
	assert_int_equal(mds_audit_is_clean(t->mds), clean);
}

/* A file with two objects, released and written back. */
static struct nacre_inode_info make_file(struct mdst *t, struct mdst_client *c, const char *name)
{
	struct nacre_inode_info cap = mdst_create(c, ROOT, name).target;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, OBJECT_BYTES);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 1, 100);
	assert_int_equal(mdst_flush_size(c, &cap, cap.ino, OBJECT_BYTES + 100), 0);
	mdst_release(c, &cap);
	return cap;
}

/* Some of everything, written back and out of memory. */
static void make_tree(struct mdst *t, struct mdst_client *c)
{
	uint64_t dir = mdst_mkdir(c, ROOT, "dir").target.ino, file;

	make_file(t, c, "a");
	file = make_file(t, c, "b").ino;
	mdst_link(c, file, dir, "b2");
	mdst_mkdir(c, dir, "below");
	mdst_rename(c, ROOT, "a", dir, "moved", 0);
	mdst_unlink(c, ROOT, "b");
	mdst_sync(c);
	mdst_writeback(t);
}

static void restart(struct mdst *t, struct mdst_client *c)
{
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, NULL);
	mdst_run_ms(t, 1000);
}

static void test_clean(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");

	audit(t);
	assert_true(mds_audit_is_clean(t->mds));
	make_tree(t, c);
	audit(t);
	assert_true(mds_audit_is_clean(t->mds));
	assert_int_equal(t->mds->audit->changing, 0);
	assert_int_equal(t->mds->audit->entries, 4);
	restart(t, c);
	audit(t);
	assert_true(mds_audit_is_clean(t->mds));
	mdst_client_destroy(c);
}

/* Nothing of it is written back yet: what memory says counts. */
static void test_clean_before_writeback(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	int i;

	make_tree(t, c);
	mdst_rename(c, ROOT, "dir", ROOT, "dir2", 0);
	for (i = 0; i < 5; i++) {
		make_file(t, c, "new");
		mdst_rename(c, ROOT, "new", ROOT, "newer", 0);
		audit(t);
		assert_true(mds_audit_is_clean(t->mds));
	}
	mdst_client_destroy(c);
}

/* Entries and backtraces are just being written, some of them are: what does not fit is looked at again, in memory. */
static void test_clean_while_written_back(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	char names[2][24][8];
	static bool done;
	int i, j;

	for (j = 0; j < 24; j++) {
		snprintf(names[0][j], sizeof(names[0][j]), "a%d", j);
		snprintf(names[1][j], sizeof(names[1][j]), "b%d", j);
		make_file(t, c, names[0][j]);
	}
	for (i = 0; i < 40; i++) {
		mdst_sync(c);
		mdst_writeback(t);
		for (j = 0; j < 24; j++)
			mdst_rename(c, ROOT, names[i % 2][j], ROOT, names[(i + 1) % 2][j], 0);
		mdst_sync(c);
		done = false;
		assert_int_equal(mds_audit_start(t->mds, ended, &done), 0);
		sim_run(t->world, t->world->now_ns + (uint64_t)i * 100 * SIM_NS_PER_US);
		mdst_force_writeback(t);
		mdst_until(t, is_true, &done);
		assert_true(mds_audit_is_clean(t->mds));
	}
	mdst_client_destroy(c);
}

static void test_leaked(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	uint64_t gone = NACRE_INO_FIRST(0) + (1u << 30);

	make_tree(t, c);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, gone, 0, 1000);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, gone, 7, 500);
	mdst_osd_put(t->osd, NACRE_POOL_META, gone + 1, 0, 0);
	assert_audit(t, MDS_AUDIT_LEAKED, 2, 3, 1500, false);
	/* it repairs nothing */
	assert_audit(t, MDS_AUDIT_LEAKED, 2, 3, 1500, false);
	mdst_client_destroy(c);
}

static void test_leaked_own_object(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info file = make_file(t, c, "f");

	/* one name, and it lives in its entry: the object in the metadata pool is nobody's */
	mdst_osd_put(t->osd, NACRE_POOL_META, file.ino, 0, 0);
	mdst_sync(c);
	assert_audit(t, MDS_AUDIT_LEAKED, 1, 1, 0, false);
	mdst_client_destroy(c);
}

static void test_leaked_journal(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");

	t->mds->checkpoint.trim_index = 3;
	mdst_osd_put(t->osd, NACRE_POOL_META, NACRE_INO_JOURNAL(0), 2, 4096);
	assert_audit(t, MDS_AUDIT_LEAKED, 1, 2, 4096 + t->mds->journal.end_pos, false);
	t->mds->checkpoint.trim_index = 0;
	mdst_client_destroy(c);
}

static void test_behind(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info file = make_file(t, c, "f");

	mdst_osd_put(t->osd, NACRE_POOL_DATA, file.ino, 2, 300);
	mdst_sync(c);
	assert_audit(t, MDS_AUDIT_BEHIND, 1, 1, 300, false);
	mdst_client_destroy(c);
}

/* Below its max_size a writer may have put anything. */
static void test_not_behind_while_written(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info file = mdst_create(c, ROOT, "f").target;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, file.ino, 2, 300);
	mdst_sync(c);
	assert_audit(t, MDS_AUDIT_BEHIND, 0, 0, 0, true);
	mdst_client_destroy(c);
}

static void test_untraced(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info file;

	file = make_file(t, c, "f");
	make_tree(t, c);
	mdst_osd_lose(t->osd, NACRE_POOL_DATA, file.ino, 0);
	assert_audit(t, MDS_AUDIT_UNTRACED, 1, 0, 0, false);
	restart(t, c);
	/* the rest of it hangs on the backtrace: it is found by its number no more */
	assert_audit(t, MDS_AUDIT_UNTRACED, 1, 0, 0, false);
	mdst_client_destroy(c);
}

static void test_unstored(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	uint64_t file = make_file(t, c, "f").ino;

	mdst_link(c, file, ROOT, "f2");
	mdst_sync(c);
	mdst_writeback(t);
	mdst_osd_lose(t->osd, NACRE_POOL_META, file, 0);
	assert_audit(t, MDS_AUDIT_UNSTORED, 1, 0, 0, false);
	mdst_client_destroy(c);
}

static void test_orphan_is_told(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1"), *other = mdst_client_begin(t, "c2");
	struct nacre_inode_info file = mdst_create(c, ROOT, "f").target;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, file.ino, 0, 300);
	mdst_sync(c);
	mdst_unlink(other, ROOT, "f");
	mdst_sync(other);
	mdst_writeback(t);
	assert_audit(t, MDS_AUDIT_ORPHAN, 2, 2, 300, true);
	mdst_client_destroy(c);
	mdst_client_destroy(other);
}

static void test_purging_is_told(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");

	make_file(t, c, "f");
	mdst_sync(c);
	mdst_osd_refuse(t->osd, NACRE_OSD_OP_DELETE, 1000, EIO);
	mdst_unlink(c, ROOT, "f");
	mdst_sync(c);
	mdst_run_ms(t, 100);
	assert_audit(t, MDS_AUDIT_PURGING, 1, 2, OBJECT_BYTES + 100, true);
	mdst_client_destroy(c);
}

static void test_undeclared_is_told(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");

	mdst_osd_put(t->osd, NACRE_POOL_DATA, c->ino_next + 5, 0, 300);
	assert_audit(t, MDS_AUDIT_UNDECLARED, 1, 1, 300, true);
	mdst_client_destroy(c);
}

/* A number with more objects than a page, and more findings than there is room for. */
static void test_many(void **state)
{
	struct mdst *t = *state;
	uint64_t gone = NACRE_INO_FIRST(0) + (1u << 30), i;

	for (i = 0; i < MDS_AUDIT_ROWS_MAX + 10; i++)
		mdst_osd_put(t->osd, NACRE_POOL_DATA, gone + i, 0, 10);
	audit(t);
	assert_int_equal(mds_audit_total(t->mds, MDS_AUDIT_LEAKED)->inodes, MDS_AUDIT_ROWS_MAX);
	assert_int_equal(mds_audit_total(t->mds, MDS_AUDIT_LEAKED)->objects, MDS_AUDIT_ROWS_MAX + 10);
	assert_int_equal(mds_audit_total(t->mds, MDS_AUDIT_LEAKED)->bytes,
			 10 * (MDS_AUDIT_ROWS_MAX + 10));
	assert_int_equal(t->mds->audit->unlisted, 10);
}

/* Stopped in the middle, another one can begin; the rank may end at any moment. */
static void test_stop(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	static bool done;
	int i;

	make_tree(t, c);
	restart(t, c);
	for (i = 0; i < 30; i++) {
		done = false;
		assert_int_equal(mds_audit_start(t->mds, ended, &done), 0);
		assert_int_equal(mds_audit_start(t->mds, NULL, NULL), -EALREADY);
		sim_run(t->world, t->world->now_ns + (uint64_t)i * 200 * SIM_NS_PER_US);
		mds_audit_stop(t->mds);
		assert_true(done);
		mdst_run_ms(t, 100);
	}
	audit(t);
	assert_true(mds_audit_is_clean(t->mds));
	for (i = 0; i < 30; i++) {
		assert_int_equal(mds_audit_start(t->mds, NULL, NULL), 0);
		sim_run(t->world, t->world->now_ns + (uint64_t)i * 200 * SIM_NS_PER_US);
		restart(t, c);
	}
	mdst_client_destroy(c);
}

/* A change of nearly the size of its target. */
static void make_symlink(struct mdst_client *c, const char *name)
{
	static const char target[NACRE_SYMLINK_MAX + 1] = { [0 ... NACRE_SYMLINK_MAX - 1] = 'x' };
	struct nacre_record_req body = mdst_record(c, ROOT, name);

	body.kind = NACRE_RECORD_SYMLINK;
	body.mode = S_IFLNK | 0777;
	body.set_mask = NACRE_SET_MODE;
	body.value = (const uint8_t *)target;
	body.value_bytes = NACRE_SYMLINK_MAX;
	assert_int_equal(mdst_call(c, NACRE_MSG_SYMLINK, &body).result, 0);
}

/* A trimmed journal object stays when its rank dies before it is deleted: the next one looks for it. */
static void test_journal_leftover_is_deleted(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	char name[16];
	int i;

	mdst_osd_refuse(t->osd, NACRE_OSD_OP_DELETE, 1000, EIO);
	for (i = 0; !t->mds->checkpoint.trim_index && i < 2000; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		make_symlink(c, name);
		if (i % 200 == 199)
			mdst_writeback(t);
	}
	assert_int_equal(t->mds->checkpoint.trim_index, 1);
	mdst_run_ms(t, 1000);		/* the deletion has been refused */
	assert_true(mdst_osd_exists(t->osd, NACRE_POOL_META, NACRE_INO_JOURNAL(0), 0));
	mdst_osd_refuse(t->osd, NACRE_OSD_OP_DELETE, 0, 0);
	restart(t, c);
	assert_false(mdst_osd_exists(t->osd, NACRE_POOL_META, NACRE_INO_JOURNAL(0), 0));
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_META, NACRE_INO_JOURNAL(0)), 1);
	assert_int_equal(mdst_counter(t, "leftovers"), 1);
	audit(t);
	assert_true(mds_audit_is_clean(t->mds));
	mdst_client_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_clean), T(test_clean_before_writeback), T(test_clean_while_written_back), T(test_leaked), T(test_leaked_own_object),
		T(test_leaked_journal), T(test_behind), T(test_not_behind_while_written), T(test_untraced),
		T(test_unstored), T(test_orphan_is_told), T(test_purging_is_told),
		T(test_undeclared_is_told), T(test_many), T(test_stop), T(test_journal_leftover_is_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
