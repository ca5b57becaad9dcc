/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Directories in fragments: which cookie lies where; splits and merges of a real rank, cut off after every
 * write; listings that go on over them; and what a removed directory leaves behind (nothing).
 */
#include "mdst.h"
#include "protocol/rules/names.h"
#include "server/mds/dentry.h"
#include "server/mds/fragment.h"

#define ROOT NACRE_INO_ROOT
#define LIMIT 16			/* entries of a fragment */
#define STEPS 16			/* changing requests of a split or a merge, and some */

/* ---- arithmetic ------------------------------------------------------------------------------------------- */

/* Every cookie lies in one fragment, and in its run. */
static void check_cover(uint32_t count)
{
	struct mds_fragment fragment;
	uint64_t cookie = 0;
	uint32_t seen = 0;

	for (;;) {
		fragment = mds_fragment_of(count, cookie);
		assert_true(fragment.index < count);
		assert_true(fragment.first == cookie);
		assert_int_equal(mds_fragment_of(count, fragment.last).index, fragment.index);
		assert_true(mds_fragment_at(count, fragment.index).last == fragment.last);
		seen++;
		if (fragment.last == NACRE_COOKIE_END)
			break;
		cookie = fragment.last + 1;
	}
	assert_int_equal(seen, count);
}

static void test_fragments_cover_all_cookies(void **state)
{
	uint32_t count;

	for (count = 1; count < 600; count++)
		check_cover(count);
	check_cover(4096);
	assert_int_equal(mds_fragment_of(MDS_FRAGMENTS_MAX, NACRE_COOKIE_END).index,
			 MDS_FRAGMENTS_MAX - 1);
}

/* The new fragment takes its source's upper half, and no other is touched. */
static void test_one_fragment_is_split_at_a_time(void **state)
{
	uint32_t count, index;

	for (count = 1; count < 300; count++) {
		uint32_t source = mds_fragment_source(count);
		struct mds_fragment before = mds_fragment_at(count, source);

		for (index = 0; index < count; index++) {
			struct mds_fragment was = mds_fragment_at(count, index);
			struct mds_fragment is = mds_fragment_at(count + 1, index);

			assert_true(is.first == was.first);
			if (index != source)
				assert_true(is.last == was.last);
		}
		assert_true(mds_fragment_at(count + 1, count).last == before.last);
		assert_true(mds_fragment_at(count + 1, count).first ==
			    mds_fragment_at(count + 1, source).last + 1);
	}
}

static uint32_t settle(uint32_t count, uint64_t entries)
{
	uint32_t aim;

	while ((aim = mds_fragment_aim(count, entries, 1000)) != count) {
		assert_true(aim == count + 1 || aim == count - 1);
		count = aim;
	}
	return count;
}

static void test_no_seesaw(void **state)
{
	uint32_t count = 1, peak;
	uint64_t entries;

	for (entries = 0; entries < 1000000; entries += 100)
		count = settle(count, entries);
	assert_in_range(count, 1000, 2048);
	peak = count;
	for (entries = 1000000; entries > 600000; entries -= 100)
		count = settle(count, entries);
	assert_int_equal(count, peak);
	for (; entries; entries -= 100)
		count = settle(count, entries);
	assert_int_equal(settle(count, 0), 1);
}

/* ---- a rank with small fragments ---------------------------------------------------------------------------- */

static struct mdst_client *begin(struct mdst *t)
{
	struct mdst_client *c;

	mdst_crash(t);
	t->dir_split = LIMIT;
	mdst_start(t);
	c = mdst_client_new(t, "c1");
	mdst_client_open(c);
	return c;
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

static void remove_all(struct mdst_client *c, uint64_t dir, unsigned int first, unsigned int end)
{
	for (; first < end; first++) {
		assert_int_equal(mdst_unlink(c, dir, name_of(first)).result, 0);
		c->oldest_tid = c->tid;
	}
}

/* Nothing of the directory stays. */
static void remove_dir(struct mdst *t, struct mdst_client *c, uint64_t dir, const char *name)
{
	struct mdst_reply r = mdst_rmdir(c, ROOT, name);

	assert_int_equal(r.result, 0);
	mdst_release(c, &r.victim);
	mdst_run_ms(t, 1000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_META, dir), 0);
	c->oldest_tid = c->tid;
}

/* List what is behind `after`, so many a request; counts each name. Where the listing stands after `requests`. */
static uint64_t list(struct mdst_client *c, uint64_t dir, uint64_t after, unsigned int requests,
		     unsigned int *counts, unsigned int room)
{
	struct mdst_reply r;
	uint32_t i, number;

	while (requests--) {
		r = mdst_readdir(c, dir, after, 7);
		assert_int_equal(r.result, 0);
		for (i = 0; i < r.entry_count; i++) {
			assert_true(r.entries[i].cookie > after);
			after = r.entries[i].cookie;
			number = (uint32_t)atoi((const char *)r.entries[i].name + 1);
			assert_true(number < room);
			counts[number]++;
		}
		c->oldest_tid = c->tid;
		if (r.flags & NACRE_REPLY_END)
			return NACRE_COOKIE_END;
	}
	return after;
}

/* Files first … end - 1 and no others, below `room`, by listing and by name. */
static void check(struct mdst_client *c, uint64_t dir, unsigned int first, unsigned int end,
		  unsigned int room)
{
	unsigned int counts[512] = { 0 }, i;

	assert_true(list(c, dir, 0, 1000, counts, room) == NACRE_COOKIE_END);
	for (i = 0; i < room; i++) {
		bool is = i >= first && i < end;

		assert_int_equal(counts[i], is);
		assert_int_equal(mdst_lookup(c, dir, name_of(i)).result, is ? 0 : ENOENT);
		c->oldest_tid = c->tid;
	}
	assert_int_equal(mdst_getattr(c, dir).target.size, end - first);
}

static void test_grows_and_shrinks(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = begin(t);
	uint64_t dir = mdst_mkdir(c, ROOT, "d").target.ino;

	create(c, dir, 0, 400);
	check(c, dir, 0, 400, 410);
	mdst_writeback(t);
	mdst_run_ms(t, 1000);
	assert_in_range(mdst_counter(t, "splits"), 25, 63);
	assert_int_equal(mdst_counter(t, "merges"), 0);
	assert_int_equal(mdst_osd_keys(t->osd, NACRE_POOL_META, dir), 400);
	assert_true(mdst_osd_keys_max(t->osd, NACRE_POOL_META, dir) <= 2 * LIMIT);
	mdst_restart(t, c);
	check(c, dir, 0, 400, 410);
	remove_all(c, dir, 0, 395);
	check(c, dir, 395, 400, 410);
	mdst_writeback(t);
	mdst_run_ms(t, 1000);
	assert_in_range(mdst_counter(t, "merges"), 20, 63);
	assert_int_equal(mdst_osd_keys(t->osd, NACRE_POOL_META, dir), 5);
	assert_in_range(mdst_osd_objects(t->osd, NACRE_POOL_META, dir), 1, 3);
	mdst_restart(t, c);
	check(c, dir, 395, 400, 410);
	remove_all(c, dir, 395, 400);
	remove_dir(t, c, dir, "d");
	mdst_client_destroy(c);
}

/* A position is a cookie: fragments that come and go behind its back do not move it. */
static void test_listing_over_splits_and_merges(void **state)
{
	unsigned int counts[512] = { 0 }, i;
	struct mdst *t = *state;
	struct mdst_client *c = begin(t);
	uint64_t dir = mdst_mkdir(c, ROOT, "d").target.ino, at;

	create(c, dir, 0, 30);
	at = list(c, dir, 0, 2, counts, 512);
	create(c, dir, 30, 300);
	mdst_writeback(t);
	mdst_restart(t, c);
	at = list(c, dir, at, 3, counts, 512);
	remove_all(c, dir, 30, 300);
	mdst_writeback(t);
	mdst_run_ms(t, 500);
	assert_true(mdst_counter(t, "merges") > 5);
	assert_true(list(c, dir, at, 1000, counts, 512) == NACRE_COOKIE_END);
	for (i = 0; i < 30; i++)
		assert_int_equal(counts[i], 1);
	for (; i < 512; i++)
		assert_in_range(counts[i], 0, 1);
	mdst_client_destroy(c);
}

/* Without an answer being waited for. */
static void send_record(struct mdst *t, struct mdst_client *c, uint64_t dir, uint16_t type,
			uint16_t kind, unsigned int i)
{
	struct nacre_record_req body = mdst_record(c, dir, name_of(i));

	body.kind = kind;
	body.mode = S_IFREG | 0644;
	body.set_mask = kind == NACRE_RECORD_CREATE ? NACRE_SET_MODE : 0;
	mdst_send(c, type, &body);
	mdst_run_ms(t, 3);
}

/* The last file of these was made, or removed, or was not. */
static unsigned int what_is_there(struct mdst_client *c, uint64_t dir, unsigned int i)
{
	return mdst_lookup(c, dir, name_of(i)).result ? i : i + 1;
}

/*
 * Whatever a split or merge that was cut off has left does not come to light: not when what it is a copy of is removed,
 * not in the next splits and merges.
 */
static void use_and_remove(struct mdst *t, struct mdst_client *c, uint64_t dir, unsigned int count,
			   const char *name)
{
	unsigned int some = count > LIMIT / 2 ? LIMIT / 2 : 0;

	t->dir_split = 2 * LIMIT;	/* neither a split nor a merge tidies up */
	mdst_restart(t, c);
	remove_all(c, dir, 0, some);
	mdst_writeback(t);
	t->dir_split = LIMIT;
	mdst_restart(t, c);
	check(c, dir, some, count, 64);
	create(c, dir, 0, some);
	create(c, dir, count, 60);
	mdst_writeback(t);
	mdst_run_ms(t, 500);
	check(c, dir, 0, 60, 64);
	assert_int_equal(mdst_osd_keys(t->osd, NACRE_POOL_META, dir), 60);
	remove_all(c, dir, 0, 58);
	mdst_writeback(t);
	mdst_run_ms(t, 500);
	mdst_restart(t, c);
	check(c, dir, 58, 60, 64);
	assert_int_equal(mdst_osd_keys(t->osd, NACRE_POOL_META, dir), 2);
	create(c, dir, 0, 40);
	mdst_writeback(t);
	mdst_run_ms(t, 500);
	mdst_restart(t, c);
	assert_int_equal(mdst_getattr(c, dir).target.size, 42);
	remove_all(c, dir, 0, 40);
	remove_all(c, dir, 58, 60);
	remove_dir(t, c, dir, name);
}

static void test_crash_in_every_split(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = begin(t);
	unsigned int changes, count;
	char name[16];
	uint64_t dir;

	for (changes = 0; changes < STEPS; changes++) {
		snprintf(name, sizeof(name), "d%u", changes);
		dir = mdst_mkdir(c, ROOT, name).target.ino;
		create(c, dir, 0, LIMIT);
		mdst_writeback(t);
		mdst_osd_die_after(t->osd, changes);
		send_record(t, c, dir, NACRE_MSG_CREATE, NACRE_RECORD_CREATE, LIMIT);
		mdst_run_ms(t, 200);
		mdst_restart(t, c);
		count = what_is_there(c, dir, LIMIT);
		check(c, dir, 0, count, 64);
		use_and_remove(t, c, dir, count, name);
	}
	mdst_client_destroy(c);
}

static void test_crash_in_every_merge(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = begin(t);
	unsigned int changes, count;
	char name[16];
	uint64_t dir;

	for (changes = 0; changes < STEPS; changes++) {
		snprintf(name, sizeof(name), "d%u", changes);
		dir = mdst_mkdir(c, ROOT, name).target.ino;
		create(c, dir, 0, LIMIT + 1);
		mdst_writeback(t);
		remove_all(c, dir, LIMIT / 4, LIMIT + 1);
		mdst_writeback(t);
		mdst_osd_die_after(t->osd, changes);
		send_record(t, c, dir, NACRE_MSG_UNLINK, NACRE_RECORD_UNLINK, LIMIT / 4 - 1);
		mdst_run_ms(t, 200);
		mdst_restart(t, c);
		count = what_is_there(c, dir, LIMIT / 4 - 1);
		check(c, dir, 0, count, 64);
		use_and_remove(t, c, dir, count, name);
	}
	mdst_client_destroy(c);
}

/* The directory goes while a fragment of it is being split. */
static void test_removed_in_every_split(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = begin(t);
	unsigned int changes;
	char name[16];
	uint64_t dir;

	for (changes = 0; changes < STEPS; changes++) {
		snprintf(name, sizeof(name), "d%u", changes);
		dir = mdst_mkdir(c, ROOT, name).target.ino;
		create(c, dir, 0, LIMIT);
		mdst_writeback(t);
		mdst_osd_die_after(t->osd, changes);
		send_record(t, c, dir, NACRE_MSG_CREATE, NACRE_RECORD_CREATE, LIMIT);
		mdst_run_ms(t, 200);
		t->dir_split = 1000;	/* nothing tidies up any more */
		mdst_restart(t, c);
		remove_all(c, dir, 0, what_is_there(c, dir, LIMIT));
		remove_dir(t, c, dir, name);
		t->dir_split = LIMIT;
		mdst_restart(t, c);
	}
	mdst_client_destroy(c);
}

static void set_mode(struct mdst_client *c, uint64_t ino)
{
	struct nacre_record_req body = mdst_record(c, 0, "");

	body.kind = NACRE_RECORD_SETATTR;
	body.ino = ino;
	body.mode = 0600;
	body.set_mask = NACRE_SET_MODE;
	assert_int_equal(mdst_call(c, NACRE_MSG_SETATTR, &body).result, 0);
}

/*
 * Replay knows a directory by its number alone when only a file in it has changed: where the entries of that directory
 * lie, it knows when the directory itself is loaded.
 */
static void test_replay_in_an_unknown_directory(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = begin(t);
	uint64_t dir = mdst_mkdir(c, ROOT, "d").target.ino, subs[8], files[8], near;
	unsigned int i;
	char name[16];

	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		subs[i] = mdst_mkdir(c, dir, name).target.ino;
		files[i] = mdst_create(c, subs[i], "f").target.ino;
	}
	near = mdst_create(c, dir, "near").target.ino;
	create(c, dir, 0, 60);
	mdst_writeback(t);
	mdst_run_ms(t, 500);
	assert_true(mdst_counter(t, "splits") > 1);
	mdst_writeback(t);
	set_mode(c, near);
	for (i = 0; i < 8; i++)
		set_mode(c, files[i]);
	mdst_sync(c);
	mdst_restart(t, c);
	for (i = 0; i < 8; i++)
		assert_int_equal(mdst_lookup(c, subs[i], "f").target.ino, files[i]);
	mdst_client_destroy(c);
}

/* ---- pages without an entry ------------------------------------------------------------------------------------ */

#define MANY 1100			/* entries: such a directory is not read whole at the first miss */

/* The next name, from *number on, whose entry would lie in this one of `count` fragments. */
static const char *name_in(uint32_t count, uint32_t index, unsigned int *number)
{
	const char *name;
	uint64_t cookie;

	do {
		name = name_of((*number)++);
		cookie = mds_name_cookie((const uint8_t *)name, (uint32_t)strlen(name));
	} while (mds_fragment_of(count, cookie).index != index);
	return name;
}

static unsigned int lists_before;

static bool has_listed(void *owner)
{
	return mdst_osd_ops(((struct mdst *)owner)->osd, NACRE_OSD_OP_KV_LIST) > lists_before;
}

/*
 * The lower half of a directory is empty, so a listing passes over its pages. What another client makes there before the first
 * entry is found is listed: the client may take the listing for the whole truth from then on.
 */
static void test_made_behind_a_listing(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = begin(t), *other;
	uint64_t dir = mdst_mkdir(c, ROOT, "d").target.ino, tid;
	struct nacre_readdir_req body = { .ino = dir, .max_entries = 7, .max_bytes = 1 << 18 };
	unsigned int number = 0, i;
	struct mdst_reply r;
	const char *late;

	for (i = 0; i < MANY; i++) {
		r = mdst_create(c, dir, name_in(2, 1, &number));
		assert_int_equal(r.result, 0);
		mdst_release(c, &r.target);
		c->oldest_tid = c->tid;
	}
	mdst_writeback(t);
	mdst_restart(t, c);
	other = mdst_client_new(t, "c2");
	mdst_client_open(other);
	late = name_in(1024, 0, &number);	/* on the first page, whatever their number */
	assert_int_equal(mdst_lookup(other, dir, late).result, ENOENT);
	lists_before = mdst_osd_ops(t->osd, NACRE_OSD_OP_KV_LIST);
	body.tid = tid = ++c->tid;
	body.oldest_tid = c->oldest_tid;
	mdst_send(c, NACRE_MSG_READDIR, &body);
	mdst_until(t, has_listed, t);
	mdst_osd_hold(t->osd, dir);
	assert_int_equal(mdst_create(other, dir, late).result, 0);
	mdst_osd_hold(t->osd, 0);
	r = mdst_wait(c, tid);
	assert_int_equal(r.result, 0);
	assert_string_equal((const char *)r.entries[0].name, late);
	mdst_client_destroy(c);
	mdst_client_destroy(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		cmocka_unit_test(test_fragments_cover_all_cookies),
		cmocka_unit_test(test_one_fragment_is_split_at_a_time),
		cmocka_unit_test(test_no_seesaw),
		T(test_grows_and_shrinks),
		T(test_listing_over_splits_and_merges),
		T(test_crash_in_every_split),
		T(test_crash_in_every_merge),
		T(test_removed_in_every_split),
		T(test_replay_in_an_unknown_directory),
		T(test_made_behind_a_listing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
