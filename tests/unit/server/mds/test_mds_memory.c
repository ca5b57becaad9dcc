/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a rank keeps in memory is bounded, whoever is busy: a directory that somebody always works on, many who make files
 * at once, a million removed files that wait to be deleted. And who does not wait: for a split, for write-backs in line.
 */
#include "mdst.h"
#include "server/mds/core.h"
#include "server/mds/split.h"

#define ROOT NACRE_INO_ROOT

static void begin(struct mdst *t, uint64_t cache_inodes, uint64_t dir_split)
{
	mdst_crash(t);
	t->cache_inodes = cache_inodes;
	t->dir_split = dir_split;
	mdst_start(t);
}

static const char *name_of(unsigned int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "f%u", i);
	return name;
}

static void create(struct mdst_client *c, uint64_t dir, unsigned int first, unsigned int end)
{
	for (; first < end; first++) {
		struct mdst_reply r = mdst_create(c, dir, name_of(first));

		assert_int_equal(r.result, 0);
		mdst_release(c, &r.target);
		c->oldest_tid = c->tid;
	}
}

/* The same without waiting for an answer; the tid of the last. */
static uint64_t create_at_once(struct mdst_client *c, uint64_t dir, unsigned int first, unsigned int end)
{
	for (; first < end; first++) {
		struct nacre_record_req body = mdst_record(c, dir, name_of(first));

		body.kind = NACRE_RECORD_CREATE;
		body.mode = S_IFREG | 0644;
		body.set_mask = NACRE_SET_MODE;
		mdst_send(c, NACRE_MSG_CREATE, &body);
	}
	return c->tid;
}

static uint64_t cookie_of(unsigned int i)
{
	const char *name = name_of(i);

	return mds_name_cookie((const uint8_t *)name, (uint32_t)strlen(name));
}

static bool is_in_memory(struct mds_inode *dir, unsigned int i)
{
	const char *name = name_of(i);

	return mds_dentry_find(dir->dir, (const uint8_t *)name, (uint32_t)strlen(name));
}

/* ---- inodes ---------------------------------------------------------------------------------------------------- */

/* It used to keep all of a directory as long as there was one load or one request on it: for ever, under load. */
static void test_of_a_busy_directory_only_what_is_held_stays(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c;
	struct mds_hold hold, range;
	struct mds_inode *dir;
	unsigned int i, held = 0;
	uint64_t ino;

	begin(t, 1000, 0);
	c = mdst_client_begin(t, "c1");
	ino = mdst_mkdir(c, ROOT, "dir").target.ino;
	create(c, ino, 0, 300);
	mdst_sync(c);
	mdst_writeback(t);
	dir = mds_inode_find(t->mds, ino);
	mds_hold_begin(&hold, dir, cookie_of(7), cookie_of(7));
	mds_hold_begin(&range, dir, 0, cookie_of(11));
	t->mds->config.cache_inodes = 10;
	mds_defer(t->mds, &t->mds->evict_task);
	mdst_run_ms(t, 5000);
	assert_true(is_in_memory(dir, 7));
	for (i = 0; i < 300; i++)
		if (cookie_of(i) <= cookie_of(11)) {
			assert_true(is_in_memory(dir, i));
			held++;
		}
	assert_in_range(held, 1, 299);
	assert_in_range(mdst_counter(t, "inodes"), held, held + 10);
	mds_hold_end(t->mds, &range);
	mdst_run_ms(t, 5000);
	assert_true(is_in_memory(dir, 7));
	assert_in_range(mdst_counter(t, "inodes"), 3, 10);
	mds_hold_end(t->mds, &hold);
	mdst_client_destroy(c);
}

/* A limit of so many inodes is one of memory: what small files have in theirs counts, too. */
static void test_inline_data_counts(void **state)
{
	static const uint8_t bytes[NACRE_INLINE_MAX];
	struct mdst *t = *state;
	struct mdst_client *c;
	struct mds_inode *dir;
	unsigned int i;
	uint64_t ino;

	begin(t, 200, 0);
	c = mdst_client_begin(t, "c1");
	ino = mdst_mkdir(c, ROOT, "dir").target.ino;
	create(c, ino, 0, 100);
	mdst_sync(c);
	mdst_writeback(t);
	mdst_run_ms(t, 5000);
	dir = mds_inode_find(t->mds, ino);
	for (i = 0; i < 100; i++) {
		assert_true(is_in_memory(dir, i));
		mds_inode_set_data(t->mds, mds_dentry_find(dir->dir, (const uint8_t *)name_of(i),
							   (uint32_t)strlen(name_of(i)))->inode,
				   bytes, sizeof(bytes));
	}
	mdst_run_ms(t, 5000);
	assert_in_range(mdst_counter(t, "inline_bytes") / sizeof(bytes), 30, 40);
	assert_in_range(mdst_counter(t, "inodes"), 30, 50);
	mdst_client_destroy(c);
}

/*
 * Who asks for a name that a small directory has not has all of it read, and is told at the next turn. Others may be
 * evicted of it before, and it is not known whole any more: so the name itself stays known (it was read for ever).
 */
static void test_what_was_asked_for_and_is_absent_stays_known(void **state)
{
	static const uint8_t absent[] = "absent";
	uint64_t cookie = mds_name_cookie(absent, 6), ino;
	struct mdst *t = *state;
	struct mdst_client *c;
	struct mds_inode *dir;
	struct mds_hold hold;

	begin(t, 1000, 0);
	c = mdst_client_begin(t, "c1");
	ino = mdst_mkdir(c, ROOT, "dir").target.ino;
	create(c, ino, 0, 100);
	mdst_sync(c);
	mdst_writeback(t);
	dir = mds_inode_find(t->mds, ino);
	mds_hold_begin(&hold, dir, cookie, cookie);
	hold.name = absent;
	hold.name_bytes = 6;
	dir->dir->complete = false;
	assert_int_equal(mdst_lookup(c, ino, "absent").result, ENOENT);
	t->mds->config.cache_inodes = 10;
	mds_defer(t->mds, &t->mds->evict_task);
	mdst_run_ms(t, 5000);
	assert_false(dir->dir->complete);
	assert_non_null(mds_dentry_find(dir->dir, absent, 6));
	mds_hold_end(t->mds, &hold);
	mdst_client_destroy(c);
}

/* Knowledge of what is not there: bounded too, while somebody is at work on the directory. */
static void test_absent_entries_are_dropped_from_a_busy_directory(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c;
	struct mds_inode *dir;
	struct mds_hold hold;
	unsigned int i;
	uint64_t ino;

	begin(t, 1000, 0);
	c = mdst_client_begin(t, "c1");
	ino = mdst_mkdir(c, ROOT, "dir").target.ino;
	dir = mds_inode_find(t->mds, ino);
	mds_hold_begin(&hold, dir, cookie_of(0), cookie_of(0));
	dir->dir->complete = false;
	dir->size = 100000;		/* too large to be read whole */
	for (i = 0; i < 3000; i++) {
		assert_int_equal(mdst_lookup(c, ino, name_of(i)).result, ENOENT);
		c->oldest_tid = c->tid;
	}
	assert_in_range(dir->dir->entry_count, 1000, 1100);
	assert_true(is_in_memory(dir, 0));
	mds_hold_end(t->mds, &hold);
	dir->size = 0;
	mdst_client_destroy(c);
}

/* All that waited for memory used to go on with the first write-back. */
static void test_of_many_who_make_files_few_go_on_at_a_time(void **state)
{
	struct mdst *t = *state;
	uint64_t ino, most = 0, last;
	struct mdst_client *c;
	unsigned int i;

	begin(t, 1100, 0);	/* more than a directory has that is read whole */
	c = mdst_client_begin(t, "c1");
	ino = mdst_mkdir(c, ROOT, "dir").target.ino;
	last = create_at_once(c, ino, 0, 3500);
	for (i = 0; i < 60000 && !mdst_has_reply(c, last); i++) {
		mdst_run_ms(t, 1);
		most = mdst_counter(t, "inodes") > most ? mdst_counter(t, "inodes") : most;
	}
	assert_true(mdst_has_reply(c, last));
	assert_in_range(most, 1100, 1500);
	mdst_client_destroy(c);
}

/* ---- who does not wait --------------------------------------------------------------------------------------------- */

/* SHARE-1: the switch of a split was taken for a change that others may not see before it is journaled. */
static void test_share_1_a_split_is_nobodys_change(void **state)
{
	struct mdst *t = *state;
	struct mds_inode *dir;
	struct mdst_client *c;
	uint64_t ino, version;

	begin(t, 0, 16);
	c = mdst_client_begin(t, "c1");
	ino = mdst_mkdir(c, ROOT, "dir").target.ino;
	create(c, ino, 0, 17);
	dir = mds_inode_find(t->mds, ino);
	version = dir->version;
	mdst_run_ms(t, 2000);
	assert_int_equal(mdst_counter(t, "splits"), 1);
	assert_true(mdst_counter(t, "longest_split_us") > 0);
	assert_int_equal(dir->fragments, 2);
	assert_true(dir->version == version);
	assert_true(dir->unsafe_instance == c->instance);
	mdst_client_destroy(c);
}

/* Entries that a split holds stood at the front of the queue, and nothing behind them was written back. */
static void test_what_a_split_holds_lets_others_pass(void **state)
{
	struct mdst *t = *state;
	uint64_t split, other;
	struct mdst_client *c;

	begin(t, 0, 10000);
	c = mdst_client_begin(t, "c1");
	split = mdst_mkdir(c, ROOT, "split").target.ino;
	other = mdst_mkdir(c, ROOT, "other").target.ino;
	create(c, split, 0, 1000);
	mdst_sync(c);
	mdst_writeback(t);
	mdst_wait(c, create_at_once(c, split, 1000, 1700));
	mdst_osd_hold(t->osd, split);
	t->mds->config.dir_split = 1000;
	mds_split_look(t->mds, mds_inode_find(t->mds, split));
	create(c, other, 0, 1);
	mdst_sync(c);
	mdst_force_writeback(t);
	mdst_run_ms(t, 3000);
	assert_int_equal(mdst_osd_keys(t->osd, NACRE_POOL_META, other), 1);
	mdst_osd_hold(t->osd, 0);
	mdst_writeback(t);
	mdst_run_ms(t, 5000);
	assert_int_equal(mdst_osd_keys(t->osd, NACRE_POOL_META, split), 1700);
	mdst_client_destroy(c);
}

/*
 * What every request changes was never written back under load, as its newest change was never journaled: the journal
 * could not be trimmed until it was full and all changes stood still.
 */
static void test_what_always_changes_does_not_fill_the_journal(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c;
	unsigned int i;
	uint64_t ino;

	t->journal_bytes = 1u << 20;
	begin(t, 0, 0);
	c = mdst_client_begin(t, "c1");
	ino = mdst_mkdir(c, ROOT, "dir").target.ino;
	for (i = 0; i < 8000; i += 8) {
		create_at_once(c, ino, i, i + 8);
		mdst_run_ms(t, 2);
		if (i >= 64)
			mdst_wait(c, c->tid - 64);
		c->oldest_tid = i >= 128 ? c->tid - 128 : 0;
	}
	assert_true(mdst_counter(t, "journal_bytes") > 2u << 20);
	assert_int_equal(mdst_counter(t, "waits_for_room"), 0);
	mdst_client_destroy(c);
}

/* ---- what is to be deleted ------------------------------------------------------------------------------------------ */

#define REMOVED 300u

static void restart(struct mdst *t, struct mdst_client *c)
{
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, NULL);
}

/* Most jobs are in the table only, also after a restart; then all are done. */
static void test_a_backlog_of_purges_waits_in_the_table(void **state)
{
	struct mdst *t = *state;
	uint64_t inos[REMOVED];
	struct mdst_client *c;
	unsigned int i;

	begin(t, 16, 0);
	c = mdst_client_begin(t, "c1");
	for (i = 0; i < REMOVED; i++) {
		struct mdst_reply r = mdst_create(c, ROOT, name_of(i));

		inos[i] = r.target.ino;
		mdst_osd_put(t->osd, NACRE_POOL_DATA, inos[i], 0, 100);
		mdst_release(c, &r.target);
		c->oldest_tid = c->tid;
	}
	mdst_osd_refuse(t->osd, NACRE_OSD_OP_DELETE, 1000000, NACRE_E_BUSY);
	for (i = 0; i < REMOVED; i++) {
		assert_int_equal(mdst_unlink(c, ROOT, name_of(i)).result, 0);
		c->oldest_tid = c->tid;
	}
	mdst_sync(c);
	mdst_force_writeback(t);
	mdst_run_ms(t, 3000);
	assert_int_equal(mds_purge_count(t->mds), REMOVED);
	assert_in_range(mds_purge_stored(t->mds), REMOVED - 100, REMOVED - 50);
	for (i = 0; i < REMOVED; i++)
		if (!mds_purge_has(t->mds, inos[i])) {
			assert_int_equal(mdst_getattr(c, inos[i]).result, ESTALE);
			c->oldest_tid = c->tid;
		}
	restart(t, c);
	mdst_run_ms(t, 1000);
	assert_int_equal(mds_purge_count(t->mds), REMOVED);
	assert_in_range(mds_purge_stored(t->mds), REMOVED - 100, REMOVED - 50);
	mdst_osd_refuse(t->osd, NACRE_OSD_OP_DELETE, 0, 0);
	mdst_run_ms(t, 30000);
	assert_int_equal(mds_purge_count(t->mds), 0);
	assert_int_equal(mdst_osd_ordinary(t->osd), 0);
	mdst_writeback(t);
	restart(t, c);
	assert_int_equal(mds_purge_count(t->mds), 0);
	mdst_client_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_of_a_busy_directory_only_what_is_held_stays),
		T(test_inline_data_counts),
		T(test_what_was_asked_for_and_is_absent_stays_known),
		T(test_absent_entries_are_dropped_from_a_busy_directory),
		T(test_of_many_who_make_files_few_go_on_at_a_time),
		T(test_share_1_a_split_is_nobodys_change),
		T(test_what_a_split_holds_lets_others_pass),
		T(test_what_always_changes_does_not_fill_the_journal),
		T(test_a_backlog_of_purges_waits_in_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
