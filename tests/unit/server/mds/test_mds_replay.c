/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What survives: restarts after any journal write and after any write-back, resends (LOG-2), eviction from
 * memory, and what a new incarnation does with its sessions.
 */
#include "mdst.h"

#define ROOT NACRE_INO_ROOT

/* The rank dies and comes again; the client comes back without any caps. */
static void make_tree(struct mdst_client *c, uint64_t *ret_dir, uint64_t *ret_file)
{
	*ret_dir = mdst_mkdir(c, ROOT, "dir").target.ino;
	*ret_file = mdst_create(c, *ret_dir, "file").target.ino;
	mdst_create(c, *ret_dir, "gone");
	mdst_unlink(c, *ret_dir, "gone");
	mdst_create(c, ROOT, "moved");
	mdst_rename(c, ROOT, "moved", *ret_dir, "here", 0);
	mdst_link(c, *ret_file, ROOT, "second");
}

static void check_tree(struct mdst_client *c, uint64_t dir, uint64_t file)
{
	struct mdst_reply r = mdst_lookup(c, ROOT, "dir");

	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.ino, dir);
	assert_int_equal(r.target.size, 2);
	r = mdst_lookup(c, dir, "file");
	assert_int_equal(r.target.ino, file);
	assert_int_equal(r.target.nlink, 2);
	assert_int_equal(mdst_lookup(c, ROOT, "second").target.ino, file);
	assert_int_equal(mdst_lookup(c, dir, "gone").result, ENOENT);
	assert_int_equal(mdst_lookup(c, ROOT, "moved").result, ENOENT);
	assert_int_equal(mdst_lookup(c, dir, "here").result, 0);
	assert_int_equal(mdst_readdir(c, dir, 0, 100).entry_count, 2);
	assert_int_equal(mdst_readdir(c, ROOT, 0, 100).entry_count, 2);
}

/* `journal writeback` writes what is dirty then; it used to make the rank write every later change at once, for good. */
static void test_forced_writeback_ends(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_new(t, "a");
	uint64_t items;

	mdst_client_open(a);
	mdst_create(a, NACRE_INO_ROOT, "f");
	mdst_writeback(t);
	items = mdst_counter(t, "writeback_items");
	assert_true(items > 0);
	mdst_create(a, NACRE_INO_ROOT, "g");
	mdst_sync(a);
	mdst_run_ms(t, 500);
	assert_int_equal(mdst_counter(t, "writeback_items"), items);
	mdst_client_destroy(a);
}

static void test_replay_journal(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	uint64_t dir, file;

	make_tree(c, &dir, &file);
	mdst_sync(c);
	mdst_restart(t, c);
	check_tree(c, dir, file);
	mdst_restart(t, c);
	check_tree(c, dir, file);
	mdst_client_destroy(c);
}

/*
 * Whoever changed a file has seen versions that a crash takes back. It would not believe the next rank until that has
 * counted as far: an append went to an old end.
 */
static void test_versions_never_go_back(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	uint64_t file = mdst_create(c, ROOT, "file").target.ino, seen;

	mdst_sync(c);
	mdst_link(c, file, ROOT, "second");
	seen = mdst_link(c, file, ROOT, "third").target.version;
	mdst_restart(t, c);
	assert_int_equal(mdst_lookup(c, ROOT, "third").result, ENOENT);
	assert_true(mdst_lookup(c, ROOT, "file").target.version > seen);
	mdst_client_destroy(c);
}

static void test_replay_after_writeback(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	uint64_t dir, file;

	make_tree(c, &dir, &file);
	mdst_writeback(t);
	assert_int_equal(mdst_osd_keys(t->osd, NACRE_POOL_META, dir), 2);
	mdst_restart(t, c);
	check_tree(c, dir, file);
	/* found by number, too: through the backtrace, and in its own object */
	mdst_restart(t, c);
	assert_int_equal(mdst_getattr(c, dir).target.size, 2);
	mdst_restart(t, c);
	assert_int_equal(mdst_getattr(c, file).target.nlink, 2);
	mdst_create(c, dir, "more");
	mdst_sync(c);
	mdst_restart(t, c);
	assert_int_equal(mdst_readdir(c, dir, 0, 100).entry_count, 3);
	mdst_client_destroy(c);
}

/* Send creates and now and then a sync, whatever comes back. */
static void create_blindly(struct mdst *t, struct mdst_client *c, uint64_t dir)
{
	char names[20][16];
	unsigned int i;

	for (i = 0; i < 20; i++) {
		struct nacre_record_req body;

		snprintf(names[i], sizeof(names[i]), "f%u", i);
		body = mdst_record(c, dir, names[i]);
		body.kind = NACRE_RECORD_CREATE;
		body.mode = S_IFREG | 0644;
		body.set_mask = NACRE_SET_MODE;
		mdst_send(c, NACRE_MSG_CREATE, &body);
		mdst_run_ms(t, 3);
		if (i % 5 == 4) {
			struct nacre_sync_req sync = { .tid = ++c->tid, .oldest_tid = 1 };

			mdst_send(c, NACRE_MSG_SYNC, &sync);
		}
	}
	mdst_run_ms(t, 200);
}

/* The OSD dies after every possible change; what was safe is there, and the tree is whole. */
static void test_crash_at_every_write(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	unsigned int changes, i;
	char name[16];

	for (changes = 0; changes < 40; changes++) {
		uint64_t dir, safe;
		struct mdst_reply r;

		snprintf(name, sizeof(name), "d%u", changes);
		dir = mdst_mkdir(c, ROOT, name).target.ino;
		mdst_sync(c);
		safe = c->safe;
		mdst_osd_die_after(t->osd, changes);
		create_blindly(t, c, dir);
		safe = c->safe - safe;
		mdst_restart(t, c);
		r = mdst_readdir(c, dir, 0, 100);
		/* a prefix, and in it all that was called safe */
		assert_true(r.entry_count >= safe);
		assert_int_equal(mdst_getattr(c, dir).target.size, r.entry_count);
		for (i = 0; i < 20; i++) {
			uint32_t expected = i < r.entry_count ? 0 : ENOENT;

			snprintf(name, sizeof(name), "f%u", i);
			assert_int_equal(mdst_lookup(c, dir, name).result, expected);
		}
		if (changes > 25)
			assert_int_equal(safe, 20);
		c->oldest_tid = c->tid;
	}
	mdst_client_destroy(c);
}

static void crash_in_writeback(struct mdst *t, struct mdst_client *c, unsigned int changes)
{
	uint64_t dir, file;
	char name[16];

	snprintf(name, sizeof(name), "top%u", changes);
	dir = mdst_mkdir(c, ROOT, name).target.ino;
	file = mdst_create(c, dir, "a").target.ino;
	mdst_create(c, dir, "x");
	mdst_link(c, file, dir, "b");
	mdst_rename(c, dir, "x", ROOT, name + 3, 0);
	mdst_unlink(c, dir, "a");
	mdst_sync(c);
	mdst_osd_die_after(t->osd, changes);
	mdst_force_writeback(t);
	mdst_run_ms(t, 100);
	mdst_restart(t, c);
	assert_int_equal(mdst_lookup(c, dir, "a").result, ENOENT);
	assert_int_equal(mdst_lookup(c, dir, "x").result, ENOENT);
	assert_int_equal(mdst_lookup(c, dir, "b").target.ino, file);
	assert_int_equal(mdst_lookup(c, ROOT, name + 3).result, 0);
	assert_int_equal(mdst_getattr(c, dir).target.size, 1);
	c->oldest_tid = c->tid;
}

static void test_crash_in_every_writeback(void **state)
{
	struct mdst_client *c = mdst_client_begin(*state, "c1");
	unsigned int changes;

	for (changes = 0; changes < 24; changes++)
		crash_in_writeback(*state, c, changes);
	mdst_client_destroy(c);
}

/*
 * The table is written back lazily, so it may be newer than the journal's beginning: it does not have a session
 * any more to which the journal still gives numbers.
 */
static void test_session_ended_in_table(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1"), *gone = mdst_client_begin(t, "c2");
	struct nacre_session_renew renew = { .renew_seq = 1000, .oldest_tid = 1 };
	struct nacre_session_close close = { .instance = gone->instance };
	unsigned int changes;

	mdst_create(gone, ROOT, "f");
	mdst_sync(gone);
	mdst_writeback(t);		/* replay begins behind the session's begin ... */
	mdst_send(gone, NACRE_MSG_SESSION_RENEW, &renew);
	mdst_run_ms(t, 100);
	mdst_send(gone, NACRE_MSG_SESSION_CLOSE, &close);
	mdst_run_ms(t, 100);
	mdst_client_destroy(gone);
	assert_int_equal(mdst_counter(t, "sessions"), 1);
	for (changes = 0; changes < 8; changes++) {
		mdst_osd_die_after(t->osd, changes);
		mdst_force_writeback(t);	/* ... and its record goes before the header says so */
		mdst_run_ms(t, 100);
		mdst_restart(t, c);
		assert_int_equal(mdst_lookup(c, ROOT, "f").result, 0);
	}
	mdst_client_destroy(c);
}

/* A client that has taken its leave has written nothing that must be looked for, though it gave no cap back. */
static void test_closed_writer_is_not_probed(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1"), *gone = mdst_client_begin(t, "c2");
	struct nacre_session_close close = { .instance = gone->instance };

	assert_int_equal(mdst_create(gone, ROOT, "f").result, 0);
	mdst_sync(gone);
	mdst_send(gone, NACRE_MSG_SESSION_CLOSE, &close);
	mdst_run_ms(t, 100);
	mdst_client_destroy(gone);
	mdst_writeback(t);
	mdst_restart(t, c);
	assert_int_equal(mdst_lookup(c, ROOT, "f").result, 0);
	mdst_run_ms(t, 100);
	assert_int_equal(mdst_counter(t, "probes"), 0);
	mdst_client_destroy(c);
}

/* LOG-2: the same tid again, before and after a restart, is answered and not applied. */
static void test_log_2_resend(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_record_req body = mdst_record(c, ROOT, "once");
	struct mdst_reply r;
	uint64_t ino, applied;

	body.kind = NACRE_RECORD_MKDIR;
	body.mode = S_IFDIR | 0700;
	body.set_mask = NACRE_SET_MODE;
	body.ino = c->ino_next;
	r = mdst_call(c, NACRE_MSG_MKDIR, &body);
	ino = r.target.ino;
	applied = r.applied;
	body.flags = NACRE_REQUEST_RESEND;
	r = mdst_call(c, NACRE_MSG_MKDIR, &body);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.ino, ino);
	assert_int_equal(r.applied, applied);
	mdst_sync(c);
	mdst_restart(t, c);
	r = mdst_call(c, NACRE_MSG_MKDIR, &body);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.applied, applied);
	mdst_writeback(t);
	mdst_restart(t, c);
	r = mdst_call(c, NACRE_MSG_MKDIR, &body);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.ino, ino);
	/* finished: a new directory of that name is refused again */
	c->oldest_tid = c->tid + 1;
	assert_int_equal(mdst_mkdir(c, ROOT, "once").result, EEXIST);
	mdst_client_destroy(c);
}

static struct nacre_record_req unsafe[2];

static void send_unsafe(struct mdst_client *c)
{
	unsafe[0].flags |= NACRE_REQUEST_RESEND;
	unsafe[1].flags |= NACRE_REQUEST_RESEND;
	/* in the wrong order: the rank goes by apply numbers */
	mdst_send(c, NACRE_MSG_CREATE, &unsafe[1]);
	mdst_send(c, NACRE_MSG_MKDIR, &unsafe[0]);
}

/* A directory made by unsafe[0], which is then as it would be sent again. */
static struct mdst_reply mkdir_unsafe(struct mdst_client *c)
{
	struct mdst_reply r;

	unsafe[0] = mdst_record(c, ROOT, "dir");
	unsafe[0].kind = NACRE_RECORD_MKDIR;
	unsafe[0].mode = S_IFDIR | 0755;
	unsafe[0].set_mask = NACRE_SET_MODE;
	r = mdst_call(c, NACRE_MSG_MKDIR, &unsafe[0]);
	unsafe[0].applied = r.applied;
	unsafe[0].ino = r.target.ino;
	return r;
}

/* Unsafe requests are lost with the rank and come again, with the numbers that were given. */
static void test_unsafe_resent(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_cap_claim claim;
	struct mdst_reply r;
	uint64_t dir;

	mdst_sync(c);
	mds_journal_hold(t->mds, true);
	r = mkdir_unsafe(c);
	assert_false(r.flags & NACRE_REPLY_SAFE);
	dir = r.target.ino;
	unsafe[1] = mdst_record(c, dir, "file");
	unsafe[1].kind = NACRE_RECORD_CREATE;
	unsafe[1].mode = S_IFREG | 0644;
	unsafe[1].set_mask = NACRE_SET_MODE;
	unsafe[1].wanted = NACRE_WANT_WRITE;
	r = mdst_call(c, NACRE_MSG_CREATE, &unsafe[1]);
	unsafe[1].applied = r.applied;
	unsafe[1].ino = r.target.ino;
	assert_true(r.applied > r.safe);
	claim = (struct nacre_cap_claim){ .ino = r.target.ino, .cap_id = r.target.cap_id,
					  .held = r.target.issued, .wanted = NACRE_WANT_WRITE };
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(c, &claim, 1, send_unsafe);
	r = mdst_wait(c, unsafe[1].tid);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.ino, unsafe[1].ino);
	assert_int_equal(r.target.cap_id, claim.cap_id);
	assert_int_equal(r.applied, unsafe[1].applied);
	assert_int_equal(mdst_lookup(c, dir, "file").target.ino, unsafe[1].ino);
	assert_int_equal(c->revokes, 0);
	mdst_client_destroy(c);
}

static void send_mkdir(struct mdst_client *c)
{
	unsafe[0].flags |= NACRE_REQUEST_RESEND;
	mdst_send(c, NACRE_MSG_MKDIR, &unsafe[0]);
}

/*
 * INO-1: a rank leaves numbers free that the one before may have given out and lost, gives out one behind them itself, and dies
 * before it has journaled anything: the next one left the same numbers free, refused that one, and gave it to somebody else.
 */
static void test_ino_1_lost_twice(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct mdst_reply r;

	mdst_sync(c);
	mdst_restart(t, c);
	mds_journal_hold(t->mds, true);
	r = mkdir_unsafe(c);
	assert_true(r.applied > r.safe);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, send_mkdir);
	r = mdst_wait(c, unsafe[0].tid);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.ino, unsafe[0].ino);
	assert_int_equal(mdst_mkdir(c, ROOT, "other").result, 0);
	mdst_client_destroy(c);
}

static void send_setattr(struct mdst_client *c)
{
	unsafe[0].flags |= NACRE_REQUEST_RESEND;
	mdst_send(c, NACRE_MSG_SETATTR, &unsafe[0]);
}

/* An inode without a name that nobody claims any more: it stays until the unsafe requests about it are repeated. */
static void test_orphan_with_unsafe(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info file = mdst_create(c, ROOT, "f").target;
	struct mdst_reply r;

	mdst_unlink(c, ROOT, "f");
	mdst_sync(c);
	mds_journal_hold(t->mds, true);
	unsafe[0] = mdst_record(c, 0, "");
	unsafe[0].kind = NACRE_RECORD_SETATTR;
	unsafe[0].ino = file.ino;
	unsafe[0].mode = 0600;
	unsafe[0].set_mask = NACRE_SET_MODE;
	r = mdst_call(c, NACRE_MSG_SETATTR, &unsafe[0]);
	assert_int_equal(r.result, 0);
	unsafe[0].applied = r.applied;
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, send_setattr);
	assert_int_equal(mdst_wait(c, unsafe[0].tid).result, 0);
	mdst_client_destroy(c);
}

/* Far more inodes than memory may hold: they come back from the directory objects. */
static void test_cache_eviction(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c;
	uint64_t dirs[4];
	unsigned int i, seen, after_calls = 0;
	char name[16];

	mdst_crash(t);
	t->cache_inodes = 100;
	mdst_start(t);
	c = mdst_client_begin(t, "c1");
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		dirs[i] = mdst_mkdir(c, ROOT, name).target.ino;
	}
	for (i = 0; i < 600; i++) {
		struct nacre_inode_info cap;

		snprintf(name, sizeof(name), "f%u", i);
		cap = mdst_create(c, dirs[i % 4], name).target;
		mdst_release(c, &cap);
	}
	mdst_run_ms(t, 1000);
	assert_true(mdst_counter(t, "inodes") <= 120);
	for (i = 0; i < 600; i += 7) {
		struct mdst_reply r;

		snprintf(name, sizeof(name), "f%u", i);
		r = mdst_lookup(c, dirs[i % 4], name);
		assert_int_equal(r.result, 0);
		mdst_release(c, &r.target);
	}
	for (i = 0; i < 4; i++) {
		uint64_t after = 0;
		struct mdst_reply r;

		seen = 0;
		do {
			r = mdst_readdir(c, dirs[i], after, 64);
			seen += r.entry_count;
			after = r.entries[r.entry_count - 1].cookie;
			after_calls++;
		} while (!(r.flags & NACRE_REPLY_END));
		assert_int_equal(seen, 150);
	}
	assert_true(after_calls >= 12);
	mdst_client_destroy(c);
}

/* The journal is trimmed: much more passes through than it may hold. */
static void test_journal_bounded(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c;
	uint64_t dir, file = 0;
	unsigned int i;
	char name[16];

	mdst_crash(t);
	t->journal_bytes = 1 << 20;
	mdst_start(t);
	c = mdst_client_begin(t, "c1");
	dir = mdst_mkdir(c, ROOT, "d").target.ino;
	for (i = 0; i < 9000; i++) {
		snprintf(name, sizeof(name), "f%u", i % 50);
		if (i % 100 < 50)
			file = mdst_mkdir(c, dir, name).target.ino;
		else
			assert_int_equal(mdst_rmdir(c, dir, name).result, 0);
		c->oldest_tid = c->tid;
	}
	assert_true(file != 0);
	assert_true(mdst_counter(t, "journal_bytes") > 3 << 20);
	assert_true(mdst_osd_objects(t->osd, NACRE_POOL_META, NACRE_INO_JOURNAL(0)) <= 2);
	mdst_sync(c);
	mdst_restart(t, c);
	assert_int_equal(mdst_readdir(c, dir, 0, 100).entry_count, 0);
	mdst_client_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_replay_journal), T(test_versions_never_go_back),
		T(test_replay_after_writeback), T(test_forced_writeback_ends),
		T(test_crash_at_every_write), T(test_crash_in_every_writeback),
		T(test_session_ended_in_table), T(test_closed_writer_is_not_probed), T(test_log_2_resend), T(test_unsafe_resent), T(test_ino_1_lost_twice), T(test_orphan_with_unsafe),
		T(test_cache_eviction), T(test_journal_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
