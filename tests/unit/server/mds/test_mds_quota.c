/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quotas of directory trees: what is counted where, what is refused, what a crash leaves of the sums, and
 * whose reserves are taken back when room is short.
 */
#include "mdst.h"

#define ROOT NACRE_INO_ROOT
#define MB ((uint64_t)1 << 20)

/* A value of NULL removes it. */
static uint32_t set(struct mdst_client *c, uint64_t dir, const char *name, const char *value)
{
	struct nacre_record_req body = mdst_record(c, 0, name);

	body.kind = value ? NACRE_RECORD_SETXATTR : NACRE_RECORD_RMXATTR;
	body.ino = dir;
	body.value = (const uint8_t *)value;
	body.value_bytes = value ? (uint32_t)strlen(value) : 0;
	return mdst_call(c, value ? NACRE_MSG_SETXATTR : NACRE_MSG_RMXATTR, &body).result;
}

static struct nacre_quota get(struct mdst_client *c, uint64_t ino)
{
	struct nacre_quota_req body = { .tid = ++c->tid, .oldest_tid = c->oldest_tid, .ino = ino };
	struct nacre_quota quota;
	struct message *reply;

	mdst_send(c, NACRE_MSG_QUOTA, &body);
	reply = mdst_take(c, NACRE_MSG_REPLY);
	assert_int_equal(reply->host.reply.tid, body.tid);
	assert_int_equal(reply->host.reply.result, 0);
	assert_int_equal(nacre_decode_all(nacre_quota_desc(), reply->host.reply.extra,
					  reply->host.reply.extra_bytes, &quota), 0);
	message_put(reply);
	return quota;
}

static void used(struct mdst_client *c, uint64_t dir, uint64_t files, uint64_t bytes)
{
	struct nacre_quota quota = get(c, dir);

	assert_int_equal(quota.dir, dir);
	assert_int_equal(quota.used_files, files);
	assert_int_equal(quota.used_bytes, bytes);
}

static uint64_t make_dir(struct mdst_client *c, uint64_t parent, const char *name)
{
	struct mdst_reply r = mdst_mkdir(c, parent, name);

	assert_int_equal(r.result, 0);
	return r.target.ino;
}

static uint64_t limited(struct mdst_client *c, uint64_t parent, const char *name, const char *files,
			const char *bytes)
{
	uint64_t dir = make_dir(c, parent, name);

	if (files)
		assert_int_equal(set(c, dir, "nacre.quota.max_files", files), 0);
	if (bytes)
		assert_int_equal(set(c, dir, "nacre.quota.max_bytes", bytes), 0);
	return dir;
}

static uint64_t file(struct mdst_client *c, uint64_t dir, const char *name, uint64_t size)
{
	struct mdst_reply r = mdst_create(c, dir, name);

	assert_int_equal(r.result, 0);
	mdst_release(c, &r.target);
	if (size)
		assert_int_equal(mdst_truncate(c, r.target.ino, size).result, 0);
	return r.target.ino;
}

static void test_set(void **state)
{
	struct mdst_client *c = mdst_client_begin(*state, "c");
	uint64_t dir = make_dir(c, ROOT, "d"), full = make_dir(c, ROOT, "full");
	uint64_t ino = file(c, full, "f", 0);
	struct nacre_quota quota;

	assert_int_equal(get(c, dir).dir, 0);
	assert_int_equal(set(c, dir, "nacre.quota.max_bytes", "10G"), 0);
	assert_int_equal(set(c, dir, "nacre.quota.max_files", "100"), 0);
	quota = get(c, dir);
	assert_int_equal(quota.dir, dir);
	assert_int_equal(quota.max_bytes, 10ull << 30);
	assert_int_equal(quota.max_files, 100);
	assert_int_equal(quota.bytes_free, 10ull << 30);
	assert_int_equal(quota.files_free, 100);
	assert_int_equal(set(c, dir, "nacre.quota.max_bytes", "ten"), EINVAL);
	assert_int_equal(set(c, dir, "nacre.quota.max_bytes", ""), EINVAL);
	assert_int_equal(set(c, dir, "nacre.quota.max_bytes", "1000000P"), ERANGE);
	assert_int_equal(set(c, dir, "nacre.quota.bytes", "1"), EPERM);
	assert_int_equal(set(c, dir, "nacre.other", "1"), EOPNOTSUPP);
	assert_int_equal(set(c, full, "nacre.quota.max_files", "1"), ENOTEMPTY);
	assert_int_equal(set(c, full, "nacre.quota.max_files", NULL), ENODATA);
	assert_int_equal(set(c, ino, "nacre.quota.max_files", "1"), ENOTDIR);
	assert_int_equal(get(c, full).dir, 0);
	/* one limit goes, the other stays; without either it is lifted */
	assert_int_equal(set(c, dir, "nacre.quota.max_bytes", NULL), 0);
	assert_int_equal(get(c, dir).max_bytes, 0);
	assert_int_equal(set(c, dir, "nacre.quota.max_files", "0"), 0);
	assert_int_equal(get(c, dir).dir, 0);
	assert_int_equal(mdst_counter(*state, "quotas"), 0);
	mdst_client_destroy(c);
}

static void test_files(void **state)
{
	struct mdst_client *c = mdst_client_begin(*state, "c");
	uint64_t dir = limited(c, ROOT, "d", "3", NULL), sub = make_dir(c, dir, "sub"), ino;

	used(c, dir, 1, 0);
	ino = file(c, sub, "f", 5);
	used(c, dir, 2, 5);
	assert_int_equal(mdst_create(c, sub, "g").result, 0);
	assert_int_equal(mdst_create(c, sub, "h").result, EDQUOT);
	assert_int_equal(mdst_mkdir(c, dir, "h").result, EDQUOT);
	assert_int_equal(mdst_create(c, ROOT, "outside").result, 0);
	/* another name is no other inode */
	assert_int_equal(mdst_link(c, ino, dir, "second").result, 0);
	assert_int_equal(mdst_unlink(c, sub, "f").result, 0);
	used(c, dir, 3, 5);
	assert_int_equal(mdst_unlink(c, dir, "second").result, 0);
	used(c, dir, 2, 0);
	assert_int_equal(mdst_create(c, sub, "h").result, 0);
	/* what replaces a file of the tree takes its place */
	assert_int_equal(mdst_rename(c, ROOT, "outside", sub, "h", 0).result, 0);
	used(c, dir, 3, 0);
	mdst_client_destroy(c);
}

/* A file that is open stays, but counts no more, however large it yet becomes. */
static void test_removed_open_file(void **state)
{
	struct mdst_client *c = mdst_client_begin(*state, "c");
	uint64_t dir = limited(c, ROOT, "d", "1", "1M");
	struct nacre_inode_info cap = mdst_create(c, dir, "f").target;

	assert_int_equal(mdst_flush_size(c, &cap, 1, 1000), 0);
	used(c, dir, 1, 1000);
	assert_int_equal(mdst_unlink(c, dir, "f").result, 0);
	used(c, dir, 0, 0);
	assert_int_equal(mdst_flush_size(c, &cap, 2, 2000), 0);
	used(c, dir, 0, 0);
	assert_int_equal(mdst_create(c, dir, "g").result, 0);
	mdst_client_destroy(c);
}

static void test_truncate(void **state)
{
	struct mdst_client *c = mdst_client_begin(*state, "c");
	uint64_t dir = limited(c, ROOT, "d", NULL, "1M"), ino = file(c, dir, "f", MB);

	used(c, dir, 1, MB);
	assert_int_equal(mdst_truncate(c, ino, MB + 1).result, EDQUOT);
	assert_int_equal(mdst_truncate(c, ino, 10).result, 0);
	used(c, dir, 1, 10);
	assert_int_equal(get(c, dir).bytes_free, MB - 10);
	assert_int_equal(mdst_truncate(c, ino, MB).result, 0);
	/* a limit below what is used: it may only shrink */
	assert_int_equal(set(c, dir, "nacre.quota.max_bytes", "4K"), 0);
	assert_int_equal(get(c, dir).bytes_free, 0);
	assert_int_equal(mdst_truncate(c, ino, MB - 1).result, 0);
	assert_int_equal(mdst_truncate(c, ino, MB).result, EDQUOT);
	mdst_client_destroy(c);
}

static struct nacre_inode_info take_grant(struct mdst_client *c)
{
	struct message *grant = mdst_take(c, NACRE_MSG_CAP_GRANT);
	struct nacre_inode_info info;

	nacre_decode_all(nacre_inode_info_desc(), grant->host.cap_grant.info,
			 grant->host.cap_grant.info_bytes, &info);
	message_put(grant);
	return info;
}

static void ask_max(struct mdst_client *c, const struct nacre_inode_info *cap, uint64_t wanted)
{
	struct nacre_cap_update ask = { .ino = cap->ino, .cap_id = cap->cap_id, .cap_gen = cap->cap_gen,
					.cap_seq = cap->cap_seq, .held = cap->issued,
					.wanted = NACRE_WANT_WRITE, .max_size_wanted = wanted };

	mdst_send(c, NACRE_MSG_CAP_UPDATE, &ask);
}

/* A writer is granted nothing that could take the tree over its limit, and is told so. */
static void test_writer(void **state)
{
	struct mdst_client *c = mdst_client_begin(*state, "c");
	uint64_t dir = limited(c, ROOT, "d", NULL, "16M");
	struct nacre_inode_info cap = mdst_create(c, dir, "f").target, info;

	assert_int_equal(cap.max_size, cap.object_bytes < MB ? cap.object_bytes : MB);
	ask_max(c, &cap, 10 * MB);
	info = take_grant(c);
	assert_true(info.max_size >= 10 * MB && info.max_size <= 16 * MB);
	assert_false(info.info_flags & NACRE_INFO_NO_ROOM);
	ask_max(c, &info, 16 * MB + 1);
	info = take_grant(c);
	assert_true(info.info_flags & NACRE_INFO_NO_ROOM);
	ask_max(c, &info, 16 * MB);
	info = take_grant(c);
	assert_false(info.info_flags & NACRE_INFO_NO_ROOM);
	assert_int_equal(info.max_size, 16 * MB);
	assert_int_equal(mdst_flush_size(c, &info, 1, 16 * MB), 0);
	used(c, dir, 1, 16 * MB);
	assert_int_equal(get(c, dir).bytes_free, 0);
	mdst_client_destroy(c);
}

/* What a file was granted and does not use is taken back for another one: nobody is refused room that is not used. */
static void test_reserve_is_taken_back(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t dir = limited(a, ROOT, "d", NULL, "16M");
	struct nacre_inode_info idle = mdst_create(a, dir, "idle").target, cap, info;

	ask_max(a, &idle, 12 * MB);
	assert_true(take_grant(a).max_size >= 12 * MB);
	cap = mdst_create(b, dir, "busy").target;
	a->revokes = 0;
	ask_max(b, &cap, 10 * MB);
	info = take_grant(b);
	while (!(info.info_flags & NACRE_INFO_NO_ROOM) && info.max_size < 10 * MB)
		info = take_grant(b);
	assert_false(info.info_flags & NACRE_INFO_NO_ROOM);
	assert_true(a->revokes > 0);
	assert_true(mdst_counter(t, "quota_recalls") > 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* Who does not give back keeps others waiting for some seconds, and then they are refused; till he is evicted. */
static void test_reserve_stays(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t dir = limited(a, ROOT, "d", NULL, "16M"), ino;
	struct nacre_inode_info idle = mdst_create(a, dir, "idle").target, cap, info;

	ask_max(a, &idle, 12 * MB);
	assert_true(take_grant(a).max_size >= 12 * MB);
	ino = file(b, dir, "other", 0);
	cap = mdst_create(b, dir, "busy").target;
	a->stubborn = true;
	ask_max(b, &cap, 10 * MB);
	do
		info = take_grant(b);
	while (!(info.info_flags & NACRE_INFO_NO_ROOM));
	mdst_run_ms(t, 40000);
	assert_int_equal(mdst_truncate(b, ino, 10 * MB).result, 0);
	used(b, dir, 3, 10 * MB);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static void test_rename_across(void **state)
{
	struct mdst_client *c = mdst_client_begin(*state, "c");
	uint64_t a = limited(c, ROOT, "a", "3", "1M"), b = limited(c, ROOT, "b", "4", "1M");
	uint64_t ino = file(c, a, "f", 700000), sub = make_dir(c, a, "sub"), own;

	assert_int_equal(mdst_rename(c, a, "f", b, "f", 0).result, 0);
	used(c, a, 1, 0);
	used(c, b, 1, 700000);
	file(c, a, "g", 500000);
	assert_int_equal(mdst_rename(c, a, "g", b, "g", 0).result, EDQUOT);
	assert_int_equal(mdst_rename(c, a, "g", b, "f", NACRE_RENAME_EXCHANGE).result, EXDEV);
	/* in the place of the other one there is room */
	assert_int_equal(mdst_rename(c, a, "g", b, "f", 0).result, 0);
	used(c, b, 1, 500000);
	/* an empty directory goes, another one is to be copied */
	assert_int_equal(mdst_rename(c, a, "sub", b, "sub", 0).result, 0);
	used(c, a, 0, 0);
	ino = file(c, sub, "in", 1);
	used(c, b, 3, 500001);
	assert_int_equal(mdst_rename(c, b, "sub", a, "sub", 0).result, EXDEV);
	assert_int_equal(mdst_rename(c, b, "sub", ROOT, "sub", 0).result, EXDEV);
	assert_int_equal(mdst_rename(c, b, "sub", b, "sub2", 0).result, 0);
	/* names of one file are all in one tree */
	assert_int_equal(mdst_link(c, ino, a, "link").result, EXDEV);
	assert_int_equal(mdst_link(c, ino, b, "link").result, 0);
	assert_int_equal(mdst_rename(c, b, "link", a, "link", 0).result, EXDEV);
	/* with a quota of its own a directory is known whole */
	own = limited(c, ROOT, "own", "10", NULL);
	file(c, own, "1", 100);
	file(c, own, "2", 100);
	assert_int_equal(mdst_rename(c, ROOT, "own", b, "own", 0).result, EDQUOT);
	assert_int_equal(mdst_rename(c, ROOT, "own", a, "own", 0).result, 0);
	used(c, a, 3, 200);
	used(c, own, 2, 200);
	assert_int_equal(mdst_create(c, own, "3").result, EDQUOT);
	assert_int_equal(mdst_unlink(c, own, "2").result, 0);
	used(c, a, 2, 100);
	assert_int_equal(mdst_rename(c, a, "own", ROOT, "own", 0).result, 0);
	used(c, a, 0, 0);
	used(c, own, 1, 100);
	mdst_client_destroy(c);
}

/* What somebody writes into a file while it moves counts where it goes: he steps back, and what he was granted ahead is void. */
static void test_rename_of_a_file_that_is_written(void **state)
{
	struct mdst_client *c = mdst_client_begin(*state, "c");
	uint64_t dir = limited(c, ROOT, "d", NULL, "64K");
	struct nacre_inode_info cap = mdst_create(c, ROOT, "f").target;

	assert_true(cap.issued & NACRE_CAP_FILE_WRITE);
	assert_true(cap.max_size > 64 << 10);
	c->revokes = 0;
	assert_int_equal(mdst_rename(c, ROOT, "f", dir, "f", 0).result, 0);
	assert_true(c->revokes > 0);
	used(c, dir, 1, 0);
	/* all but an empty file's first byte is for others */
	assert_int_equal(mdst_truncate(c, file(c, dir, "g", 0), (64 << 10) - 1).result, 0);
	assert_int_equal(mdst_counter(*state, "quota_recalls"), 0);
	mdst_client_destroy(c);
}

/* Returns the tid to wait for. */
static uint64_t open_to_write(struct mdst_client *c, uint64_t ino)
{
	return mdst_open_send(c, ino, NACRE_OPEN_WRITE, NACRE_CAP_FILE_WRITE, NACRE_WANT_WRITE);
}

/*
 * While a range is on its way to the journal the move waits for it, and keeps the writers' lock meanwhile. Both writers want to have it here,
 * and neither can be granted anything before the journal has gone on: they and the move took it from each other for ever, without a pause.
 */
static void test_rename_waits_for_a_range(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t dir = limited(a, ROOT, "d", NULL, "64M"), opened;
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	struct nacre_record_req move;

	mdst_release(a, &cap);
	b->answer_wanted = NACRE_WANT_WRITE;
	assert_int_equal(mdst_wait(b, open_to_write(b, cap.ino)).result, 0);
	mdst_sync(a);
	mdst_osd_hold(t->osd, NACRE_INO_JOURNAL(0));
	assert_int_equal(mdst_truncate(a, cap.ino, 100).result, 0);
	opened = open_to_write(a, cap.ino);
	move = mdst_record(a, ROOT, "f");
	move.kind = NACRE_RECORD_RENAME;
	move.parent2 = dir;
	move.name2 = move.name;
	move.name2_bytes = move.name_bytes;
	mdst_send(a, NACRE_MSG_RENAME, &move);
	mdst_run_ms(t, 2000);
	assert_false(mdst_has_reply(a, move.tid));
	mdst_osd_hold(t->osd, 0);
	assert_int_equal(mdst_wait(a, move.tid).result, 0);
	assert_int_equal(mdst_wait(a, opened).result, 0);
	used(a, dir, 1, 100);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* The inner one counts in the outer one, and goes on doing so after it is lifted. */
static void test_nested(void **state)
{
	struct mdst_client *c = mdst_client_begin(*state, "c");
	uint64_t outer = limited(c, ROOT, "outer", "10", "1M"), inner = limited(c, outer, "inner", "2", "8M");
	uint64_t sub = make_dir(c, inner, "sub");

	file(c, sub, "f", 1000);
	assert_int_equal(mdst_create(c, inner, "g").result, EDQUOT);
	used(c, inner, 2, 1000);
	used(c, outer, 3, 1000);
	assert_int_equal(get(c, inner).bytes_free, MB - 1000);	/* the outer one is tighter */
	assert_int_equal(get(c, inner).files_free, 0);
	assert_int_equal(set(c, inner, "nacre.quota.max_bytes", "0"), 0);
	assert_int_equal(set(c, inner, "nacre.quota.max_files", NULL), 0);
	used(c, outer, 3, 1000);
	assert_int_equal(get(c, sub).dir, outer);
	file(c, sub, "g", 24);
	used(c, outer, 4, 1024);
	/* all of it is one tree now */
	assert_int_equal(mdst_rename(c, inner, "sub", outer, "sub", 0).result, 0);
	assert_int_equal(mdst_rename(c, sub, "f", outer, "f", 0).result, 0);
	used(c, outer, 4, 1024);
	assert_int_equal(mdst_unlink(c, outer, "f").result, 0);
	assert_int_equal(mdst_unlink(c, sub, "g").result, 0);
	assert_int_equal(mdst_rmdir(c, outer, "sub").result, 0);
	used(c, outer, 1, 0);
	assert_int_equal(mdst_counter(*state, "quotas"), 1);
	assert_int_equal(mdst_rmdir(c, outer, "inner").result, 0);
	assert_int_equal(mdst_rmdir(c, ROOT, "outer").result, 0);
	assert_int_equal(mdst_counter(*state, "quotas"), 0);
	mdst_client_destroy(c);
}

static void check_after(struct mdst_client *c, uint64_t dir, uint64_t inner, uint64_t linked)
{
	used(c, dir, 4, 1500);
	used(c, inner, 1, 500);
	assert_int_equal(mdst_lookup(c, dir, "f").target.size, 1000);
	assert_int_equal(get(c, linked).dir, dir);
	assert_int_equal(mdst_create(c, inner, "more").result, EDQUOT);
}

/* From the journal, from the table, and from both. */
static void test_restart(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c");
	uint64_t dir = limited(c, ROOT, "d", "5", "1M"), inner, linked, gone, next;

	linked = file(c, dir, "f", 1000);
	mdst_link(c, linked, dir, "second");
	inner = limited(c, dir, "inner", "1", NULL);
	file(c, inner, "i", 500);
	mdst_writeback(t);
	file(c, dir, "late", 0);
	file(c, dir, "removed", 100);
	mdst_unlink(c, dir, "removed");
	gone = limited(c, ROOT, "gone", "1", NULL);
	assert_int_equal(set(c, gone, "nacre.quota.max_files", NULL), 0);
	mdst_sync(c);
	mdst_restart(t, c);
	check_after(c, dir, inner, linked);
	mdst_restart(t, c);
	check_after(c, dir, inner, linked);
	mdst_writeback(t);
	mdst_restart(t, c);
	check_after(c, dir, inner, linked);
	/* a file whose directory is not in memory is charged all the same */
	assert_int_equal(mdst_truncate(c, linked, 1001).result, 0);
	used(c, dir, 4, 1501);
	assert_int_equal(mdst_truncate(c, linked, 2 * MB).result, EDQUOT);
	/* numbers of lifted quotas are not used again */
	next = limited(c, ROOT, "next", "7", NULL);
	used(c, next, 0, 0);
	assert_int_equal(mdst_counter(t, "quotas"), 3);
	mdst_client_destroy(c);
}

static struct nacre_record_req again;

static void resend_create(struct mdst_client *c)
{
	mdst_send(c, NACRE_MSG_CREATE, &again);
}

/* What was answered, and lost with the rank, comes again: it is not refused then, and counts once. */
static void test_unsafe_is_repeated(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c");
	uint64_t dir = limited(c, ROOT, "d", "1", NULL);
	struct mdst_reply r;

	mdst_sync(c);
	mds_journal_hold(t->mds, true);
	again = mdst_record(c, dir, "f");
	again.kind = NACRE_RECORD_CREATE;
	again.mode = S_IFREG | 0644;
	again.set_mask = NACRE_SET_MODE;
	r = mdst_call(c, NACRE_MSG_CREATE, &again);
	assert_int_equal(r.result, 0);
	assert_int_equal(mdst_create(c, dir, "g").result, EDQUOT);
	again.ino = r.target.ino;
	again.applied = r.applied;
	again.flags = NACRE_REQUEST_RESEND;
	mdst_crash(t);
	mdst_osd_revive(t->osd);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, resend_create);
	assert_int_equal(mdst_wait(c, again.tid).result, 0);
	used(c, dir, 1, 0);
	assert_int_equal(mdst_create(c, dir, "g").result, EDQUOT);
	mdst_client_destroy(c);
}

/* A writer that is lost: what it wrote is found, and counted; until then what it might have written is reserved. */
static void test_lost_writer(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t dir = limited(a, ROOT, "d", NULL, "16M"), ino;
	struct nacre_inode_info cap = mdst_create(a, dir, "f").target;

	ask_max(a, &cap, 12 * MB);
	assert_true(take_grant(a).max_size >= 12 * MB);
	ino = file(b, dir, "g", 0);
	a->silent = true;
	mdst_run_ms(t, 4 * MDST_LEASE_MS);
	assert_int_equal(mdst_truncate(b, ino, 10 * MB).result, 0);
	used(b, dir, 2, 10 * MB);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_set), T(test_files), T(test_removed_open_file), T(test_truncate), T(test_writer),
		T(test_reserve_is_taken_back), T(test_reserve_stays), T(test_rename_across), T(test_nested),
		T(test_rename_of_a_file_that_is_written), T(test_rename_waits_for_a_range),
		T(test_restart), T(test_unsafe_is_repeated), T(test_lost_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
