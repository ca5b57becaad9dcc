/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The attributes of chattr(1): whom the rank holds to "immutable" and "append only", and what a crash
 * leaves of them.
 */
#include "mdst.h"

#define ROOT NACRE_INO_ROOT

static struct nacre_record_req setattr(struct mdst_client *c, uint64_t ino, uint32_t set_mask)
{
	struct nacre_record_req body = mdst_record(c, 0, NULL);

	body.kind = NACRE_RECORD_SETATTR;
	body.ino = ino;
	body.set_mask = set_mask;
	return body;
}

static struct mdst_reply set_flags(struct mdst_client *c, uint64_t ino, uint32_t flags)
{
	struct nacre_record_req body = setattr(c, ino, NACRE_SET_FLAGS | NACRE_SET_CTIME);

	body.rdev = flags;
	return mdst_call(c, NACRE_MSG_SETATTR, &body);
}

static uint32_t set_mode(struct mdst_client *c, uint64_t ino, uint32_t mode)
{
	struct nacre_record_req body = setattr(c, ino, NACRE_SET_MODE);

	body.mode = mode;
	return mdst_call(c, NACRE_MSG_SETATTR, &body).result;
}

static uint32_t set_mtime(struct mdst_client *c, uint64_t ino)
{
	struct nacre_record_req body = setattr(c, ino, NACRE_SET_MTIME);

	body.mtime = 77;
	return mdst_call(c, NACRE_MSG_SETATTR, &body).result;
}

static uint32_t set_xattr(struct mdst_client *c, uint64_t ino)
{
	struct nacre_record_req body = mdst_record(c, 0, "user.x");

	body.kind = NACRE_RECORD_SETXATTR;
	body.ino = ino;
	return mdst_call(c, NACRE_MSG_SETXATTR, &body).result;
}

static uint64_t make_dir(struct mdst_client *c, uint64_t parent, const char *name)
{
	struct mdst_reply r = mdst_mkdir(c, parent, name);

	assert_int_equal(r.result, 0);
	return r.target.ino;
}

static uint64_t make_file(struct mdst_client *c, uint64_t parent, const char *name)
{
	struct mdst_reply r = mdst_create(c, parent, name);

	assert_int_equal(r.result, 0);
	return r.target.ino;
}

/* Both flags forbid what changes a file, but for what is written behind its end, and nothing forbids to take them away. */
static void test_file(void **state)
{
	static const uint32_t fixed[] = { NACRE_INODE_IMMUTABLE, NACRE_INODE_APPEND };
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c");
	uint64_t f = make_file(c, ROOT, "f");
	struct mdst_reply r;

	make_file(c, ROOT, "g");
	for (int i = 0; i < 2; i++) {
		r = set_flags(c, f, fixed[i] | NACRE_INODE_NODUMP);
		assert_int_equal(r.result, 0);
		assert_int_equal(r.target.inode_flags, fixed[i] | NACRE_INODE_NODUMP);
		assert_int_equal(mdst_unlink(c, ROOT, "f").result, EPERM);
		assert_int_equal(mdst_rename(c, ROOT, "f", ROOT, "h", 0).result, EPERM);
		assert_int_equal(mdst_rename(c, ROOT, "g", ROOT, "f", 0).result, EPERM);
		assert_int_equal(mdst_rename(c, ROOT, "g", ROOT, "f", NACRE_RENAME_EXCHANGE).result, EPERM);
		assert_int_equal(mdst_link(c, f, ROOT, "h").result, EPERM);
		assert_int_equal(mdst_truncate(c, f, 1).result, EPERM);
		assert_int_equal(set_mode(c, f, S_IFREG | 0600), EPERM);
		assert_int_equal(set_xattr(c, f), EPERM);
	}
	assert_int_equal(set_mtime(c, f), 0);
	assert_int_equal(set_flags(c, f, NACRE_INODE_IMMUTABLE).result, 0);
	assert_int_equal(set_mtime(c, f), EPERM);
	assert_int_equal(set_flags(c, f, 0).result, 0);
	assert_int_equal(set_mode(c, f, S_IFREG | 06711), 0);
	assert_int_equal(set_flags(c, f, NACRE_INODE_APPEND).result, 0);
	/* what an append by somebody without privileges takes away */
	assert_int_equal(set_mode(c, f, S_IFREG | 0711), 0);
	assert_int_equal(set_flags(c, f, 0).result, 0);
	assert_int_equal(mdst_rename(c, ROOT, "g", ROOT, "f", 0).result, 0);
	mdst_client_destroy(c);
}

static void test_directory(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c");
	uint64_t d = make_dir(c, ROOT, "d");
	uint64_t f = make_file(c, ROOT, "f");

	make_file(c, d, "g");
	assert_int_equal(set_flags(c, d, NACRE_INODE_APPEND).result, 0);
	make_file(c, d, "h");
	assert_int_equal(mdst_link(c, f, d, "l").result, 0);
	assert_int_equal(mdst_unlink(c, d, "g").result, EPERM);
	assert_int_equal(mdst_rename(c, d, "g", ROOT, "g", 0).result, EPERM);
	assert_int_equal(mdst_rename(c, ROOT, "f", d, "g", 0).result, EPERM);
	assert_int_equal(set_flags(c, d, NACRE_INODE_IMMUTABLE).result, 0);
	assert_int_equal(mdst_create(c, d, "i").result, EPERM);
	assert_int_equal(mdst_mkdir(c, d, "i").result, EPERM);
	assert_int_equal(mdst_link(c, f, d, "i").result, EPERM);
	assert_int_equal(mdst_unlink(c, d, "g").result, EPERM);
	assert_int_equal(mdst_rename(c, ROOT, "f", d, "i", 0).result, EPERM);
	assert_int_equal(mdst_rmdir(c, ROOT, "d").result, EPERM);
	/* a file that is there is no change of its directory */
	assert_int_equal(mdst_create(c, d, "g").result, 0);
	assert_int_equal(set_flags(c, d, 0).result, 0);
	assert_int_equal(mdst_unlink(c, d, "g").result, 0);
	mdst_client_destroy(c);
}

static void test_restart(void **state)
{
	const uint32_t flags = NACRE_INODE_FLAGS_KNOWN;
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c");
	uint64_t f = make_file(c, ROOT, "f"), g = make_file(c, ROOT, "g");

	assert_int_equal(set_flags(c, f, flags).result, 0);
	mdst_sync(c);
	mdst_writeback(t);
	assert_int_equal(set_flags(c, g, NACRE_INODE_SYNC).result, 0);
	mdst_sync(c);
	mdst_crash(t);
	mdst_osd_revive(t->osd);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, NULL);
	assert_int_equal(mdst_getattr(c, f).target.inode_flags, flags);
	assert_int_equal(mdst_getattr(c, g).target.inode_flags, NACRE_INODE_SYNC);
	assert_int_equal(mdst_unlink(c, ROOT, "f").result, EPERM);
	assert_int_equal(mdst_unlink(c, ROOT, "g").result, 0);
	mdst_client_destroy(c);
}

static struct nacre_record_req again;

static void resend(struct mdst_client *c)
{
	mdst_send(c, NACRE_MSG_CREATE, &again);
}

/* What was answered, and lost with the rank, comes again: it is not refused for a flag that was set since. */
static void test_unsafe_is_repeated(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c");
	uint64_t d = make_dir(c, ROOT, "d");
	struct mdst_reply r;

	assert_int_equal(set_flags(c, d, NACRE_INODE_IMMUTABLE).result, 0);
	mdst_sync(c);
	mds_journal_hold(t->mds, true);
	assert_int_equal(set_flags(c, d, 0).result, 0);
	again = mdst_record(c, d, "f");
	again.kind = NACRE_RECORD_CREATE;
	again.mode = S_IFREG | 0644;
	again.set_mask = NACRE_SET_MODE;
	r = mdst_call(c, NACRE_MSG_CREATE, &again);
	assert_int_equal(r.result, 0);
	again.ino = r.target.ino;
	again.applied = r.applied;
	again.flags = NACRE_REQUEST_RESEND;
	mdst_crash(t);
	mdst_osd_revive(t->osd);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, resend);
	assert_int_equal(mdst_wait(c, again.tid).result, 0);
	assert_int_equal(mdst_create(c, d, "g").result, EPERM);
	mdst_client_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_file), T(test_directory), T(test_restart), T(test_unsafe_is_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
