/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Several clients: what they may hold together, what is taken back and when, whose changes are seen when
 * (SHARE-1), sizes (SIZE-1). Clients that are lost and ranks that restart: test_mds_lost.c.
 */
#include "mdst.h"
#include "protocol/rules/cap_batch.h"
#include "server/mds/core.h"
#undef log_info

#define ROOT NACRE_INO_ROOT

#define FILE_GROUPS (NACRE_GROUP_AUTH | NACRE_GROUP_LINK | NACRE_GROUP_XATTR | NACRE_GROUP_FILE)
#define FILE_SHARED (NACRE_CAP_AUTH_SHARED | NACRE_CAP_LINK_SHARED | NACRE_CAP_XATTR_SHARED | \
		     NACRE_CAP_FILE_SHARED)

/*
 * Who is alone and wants to read keeps what it has exclusively: a mkdir whose sender wants the shared bits used to cost two
 * revokes, and a lookup of a file of one's own three, though nobody else was there.
 */
static void test_wish_to_read_revokes_nothing_from_who_is_alone(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b;
	struct nacre_record_req body = mdst_record(a, ROOT, "d");
	struct nacre_lookup_req lookup = { .parent = ROOT, .name = (const uint8_t *)"f", .name_bytes = 1,
					   .wanted = NACRE_CAPS_ALL_SHARED };
	struct mdst_reply r;

	body.kind = NACRE_RECORD_MKDIR;
	body.mode = S_IFDIR | 0755;
	body.set_mask = NACRE_SET_MODE;
	body.wanted = NACRE_CAPS_ALL_SHARED;
	r = mdst_call(a, NACRE_MSG_MKDIR, &body);
	assert_int_equal(r.result, 0);
	assert_true(r.target.issued & NACRE_CAP_AUTH_EXCL);
	mdst_create(a, ROOT, "f");
	lookup.tid = ++a->tid;
	lookup.oldest_tid = a->oldest_tid;
	r = mdst_call(a, NACRE_MSG_LOOKUP, &lookup);
	assert_true(r.target.issued & NACRE_CAP_AUTH_EXCL);
	assert_int_equal(a->revokes, 0);
	b = mdst_client_begin(t, "b");
	r = mdst_lookup(b, ROOT, "f");
	assert_int_equal(r.target.valid & FILE_GROUPS, FILE_GROUPS);
	assert_true(a->revokes > 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static void setattr_mode(struct mdst_client *c, uint64_t ino, uint32_t mode, struct mdst_reply *r)
{
	struct nacre_record_req body = mdst_record(c, 0, NULL);

	body.kind = NACRE_RECORD_SETATTR;
	body.ino = ino;
	body.set_mask = NACRE_SET_MODE;
	body.mode = mode;
	*r = mdst_call(c, NACRE_MSG_SETATTR, &body);
}

/* Sends; returns the tid to wait for. */
static uint64_t open_send(struct mdst_client *c, uint64_t ino, uint32_t flags, uint32_t need)
{
	return mdst_open_send(c, ino, flags, need, need);
}

static struct mdst_reply open_file(struct mdst_client *c, uint64_t ino, uint32_t flags, uint32_t need)
{
	return mdst_wait(c, open_send(c, ino, flags, need));
}

/* One client opens a file twice, to append: both wait until its range is journaled, and do not wake each other meanwhile. */
static void test_two_opens_wait_for_the_journal(void **state)
{
	const uint32_t need = NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_WRITE;
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	uint64_t one, two;

	mdst_sync(a);
	mdst_release(a, &cap);
	mdst_run_ms(t, 100);
	mds_journal_hold(t->mds, true);
	one = open_send(a, cap.ino, NACRE_OPEN_WRITE, need);
	two = open_send(a, cap.ino, NACRE_OPEN_WRITE, need);
	mdst_run_ms(t, 100);
	mds_wake(t->mds, &mds_inode_peek(t->mds, cap.ino)->waiters);	/* as anything may */
	mdst_run_ms(t, 300);
	assert_false(mdst_has_reply(a, one));
	assert_false(mdst_has_reply(a, two));
	mds_journal_hold(t->mds, false);
	assert_int_equal(mdst_wait(a, one).result, 0);
	assert_int_equal(mdst_wait(a, two).result, 0);
	mdst_client_destroy(a);
}

/* Everything is granted to who is alone, and taken back when another one looks. */
static void test_exclusive_is_revoked(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct mdst_reply r = mdst_create(a, ROOT, "f");
	uint64_t ino = r.target.ino;

	assert_int_equal(a->revokes, 0);
	r = mdst_lookup(b, ROOT, "f");
	assert_int_equal(r.result, 0);
	assert_true(a->revokes > 0);
	assert_int_equal(r.target.valid & 15, 15);
	assert_true(r.target.issued & NACRE_CAP_AUTH_SHARED);
	assert_false(r.target.issued & NACRE_CAPS_ANY_EXCL);
	a->revokes = b->revokes = 0;
	setattr_mode(a, ino, 0600, &r);
	assert_int_equal(r.target.mode & 07777, 0600);
	assert_true(b->revokes > 0);
	assert_int_equal(mdst_lookup(b, ROOT, "f").target.mode & 07777, 0600);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* A directory is shared among readers; who changes it keeps its own copy, the others lose theirs. */
static void test_directory_shared(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t dir = mdst_mkdir(a, ROOT, "d").target.ino;
	struct mdst_reply r = mdst_readdir(b, dir, 0, 100);

	assert_true(r.flags & NACRE_REPLY_END);
	assert_true(r.target.issued & NACRE_CAP_DIR_SHARED);
	a->revokes = b->revokes = 0;
	r = mdst_create(a, dir, "f");
	assert_int_equal(a->revokes, 0);
	assert_true(b->revokes > 0);
	assert_true(r.parent.issued & NACRE_CAP_DIR_SHARED);
	assert_true(r.parent.valid & NACRE_GROUP_FILE);
	assert_int_equal(mdst_readdir(b, dir, 0, 100).entry_count, 1);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* What a creator has let go of is shown in a listing, with caps: 100,000 GETATTRs followed one listing of such files. */
static void test_left_files_are_listed(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t dir = mdst_mkdir(a, ROOT, "d").target.ino;
	struct mdst_reply r;

	r = mdst_create(a, dir, "f");
	mdst_sync(a);
	mdst_release(a, &r.target);
	mdst_run_ms(t, 50);
	r = mdst_readdir(b, dir, 0, 100);
	assert_int_equal(r.entry_count, 1);
	assert_int_equal(r.entry_valid[0] & FILE_GROUPS, FILE_GROUPS);
	assert_int_equal(r.entry_issued[0] & FILE_SHARED, FILE_SHARED);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* An untar: one message a file, nothing taken back, nothing asked twice. */
static void test_untar_costs_little(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	uint64_t dir = mdst_mkdir(a, ROOT, "d").target.ino, grants;
	char name[16];
	int i;

	grants = mdst_counter(t, "grants");
	for (i = 0; i < 200; i++) {
		struct mdst_reply r;

		snprintf(name, sizeof(name), "f%d", i);
		r = mdst_create(a, dir, name);
		assert_true(r.target.max_size >= 1 << 20);
		assert_int_equal(mdst_flush_size(a, &r.target, (uint64_t)i + 1, 1000), 0);
	}
	assert_int_equal(a->revokes, 0);
	assert_int_equal(mdst_counter(t, "grants"), grants);
	assert_true(a->ino_left > 100);
	mdst_client_destroy(a);
}

/* Two writers: no copies, no buffers, both write; when one goes the other has it all again. */
static void test_two_writers(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct mdst_reply r;
	struct nacre_inode_info mine;
	struct message *grant;
	uint64_t ino = mdst_create(a, ROOT, "f").target.ino;

	r = open_file(a, ino, NACRE_OPEN_WRITE, NACRE_CAP_FILE_WRITE);
	assert_true(r.target.issued & NACRE_CAP_FILE_BUFFER);
	r = open_file(b, ino, NACRE_OPEN_WRITE, NACRE_CAP_FILE_WRITE);
	assert_int_equal(r.result, 0);
	/* a said that it wants nothing more when it answered the revoke, so b may be alone by now */
	assert_true(r.target.issued & NACRE_CAP_FILE_WRITE);
	assert_true(r.target.max_size > 0);
	mine = r.target;
	r = open_file(a, ino, NACRE_OPEN_WRITE, NACRE_CAP_FILE_WRITE);
	assert_true(r.target.issued & NACRE_CAP_FILE_WRITE);
	assert_true(b->revokes > 0);
	while ((grant = mdst_poll(a, NACRE_MSG_CAP_GRANT)))
		message_put(grant);
	mdst_release(b, &mine);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* An OPEN that waits keeps its wish, though the answers that it brings about speak only of what was open before. */
static void test_open_outlives_answers(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b"), *c = mdst_client_begin(t, "c");
	uint64_t ino = mdst_create(c, ROOT, "f").target.ino, revokes;
	struct mdst_reply r;

	mdst_sync(c);
	a->answer_wanted = b->answer_wanted = NACRE_WANT_READ;
	r = open_file(a, ino, NACRE_OPEN_READ, NACRE_CAP_FILE_READ);
	assert_true(r.target.issued & NACRE_CAP_FILE_READ);
	r = open_file(b, ino, NACRE_OPEN_READ, NACRE_CAP_FILE_READ);
	assert_true(r.target.issued & NACRE_CAP_FILE_CACHE);
	revokes = mdst_counter(t, "revokes");
	r = open_file(a, ino, NACRE_OPEN_WRITE, NACRE_CAP_FILE_WRITE);
	assert_int_equal(r.result, 0);
	assert_true(r.target.issued & NACRE_CAP_FILE_WRITE);
	assert_true(r.target.max_size > 0);
	assert_true(mdst_counter(t, "revokes") - revokes < 20);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
	mdst_client_destroy(c);
}

/* Two that append at once, both while a third one's answer is out: each has its turn, the claim of who comes next is no bar. */
static void test_two_appenders(void **state)
{
	const uint32_t append = NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_EXCL;
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b"), *c = mdst_client_begin(t, "c");
	uint64_t ino = mdst_create(c, ROOT, "f").target.ino, first, second;
	struct mdst_reply r;

	mdst_sync(c);
	first = open_send(a, ino, NACRE_OPEN_WRITE, append);
	second = open_send(b, ino, NACRE_OPEN_WRITE, append);
	r = mdst_wait(a, first);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.issued & append, append);
	r = mdst_wait(b, second);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.issued & append, append);
	assert_true(a->revokes + b->revokes > 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
	mdst_client_destroy(c);
}

/*
 * Two that have one file open for writing and map it: each is given what a mapped page needs, though what both would like
 * allows neither to have it, and keeps it until the other one needs it.
 */
static void test_two_mappers(void **state)
{
	const uint32_t load = NACRE_CAP_FILE_READ | NACRE_CAP_FILE_CACHE;
	const uint32_t store = NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_BUFFER;
	const uint32_t both = NACRE_OPEN_READ | NACRE_OPEN_WRITE;
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t ino = mdst_create(a, ROOT, "f").target.ino;
	struct mdst_reply r;
	int i;

	mdst_sync(a);
	a->answer_wanted = b->answer_wanted = NACRE_WANT_READ | NACRE_WANT_WRITE;
	open_file(a, ino, both, NACRE_CAP_FILE_WRITE);
	open_file(b, ino, both, NACRE_CAP_FILE_WRITE);
	for (i = 0; i < 4; i++) {
		struct mdst_client *c = i % 2 ? b : a;

		r = open_file(c, ino, both, load);
		assert_int_equal(r.target.issued & load, load);
		r = open_file(c, ino, both, store);
		assert_int_equal(r.target.issued & store, store);
		a->revokes = b->revokes = 0;
		mdst_run_ms(t, 200);
		assert_int_equal(a->revokes + b->revokes, 0);
	}
	/* who only writes has his way, too, and then both write */
	r = open_file(a, ino, both, NACRE_CAP_FILE_WRITE);
	assert_true(r.target.issued & NACRE_CAP_FILE_WRITE);
	r = open_file(b, ino, both, NACRE_CAP_FILE_WRITE);
	assert_true(r.target.issued & NACRE_CAP_FILE_WRITE);
	a->revokes = 0;
	mdst_run_ms(t, 200);
	assert_int_equal(a->revokes, 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* SHARE-1: another client's look waits for the journal; one's own does not. */
static void test_share_1_waits_for_journal(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_lookup_req look = { .oldest_tid = 1, .parent = ROOT,
					 .name = (const uint8_t *)"f", .name_bytes = 1 };
	struct nacre_readdir_req list = { .oldest_tid = 1, .ino = ROOT, .max_entries = 10,
					  .max_bytes = 65536 };
	struct nacre_sync_req sync = { .oldest_tid = 1 };
	struct mdst_reply r;

	mds_journal_hold(t->mds, true);
	r = mdst_create(a, ROOT, "f");
	assert_int_equal(r.result, 0);
	assert_false(r.flags & NACRE_REPLY_SAFE);
	assert_int_equal(mdst_lookup(a, ROOT, "f").result, 0);
	look.tid = ++b->tid;
	mdst_send(b, NACRE_MSG_LOOKUP, &look);
	list.tid = ++b->tid;
	mdst_send(b, NACRE_MSG_READDIR, &list);
	sync.tid = ++a->tid;
	mdst_send(a, NACRE_MSG_SYNC, &sync);
	mdst_run_ms(t, 300);
	assert_false(mdst_has_reply(b, look.tid));
	assert_false(mdst_has_reply(b, list.tid));
	assert_false(mdst_has_reply(a, sync.tid));
	mds_journal_hold(t->mds, false);
	assert_int_equal(mdst_wait(b, look.tid).result, 0);
	assert_int_equal(mdst_wait(b, list.tid).entry_count, 1);
	assert_int_equal(mdst_wait(a, sync.tid).result, 0);
	mdst_run_ms(t, 50);
	assert_true(a->safe >= 1);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/*
 * A journal that does not move hinders nobody who need not know where it stands: as many files are made and may be written
 * at once (INO-1) as requests are remembered (LOG-2), and the next one is told to come again. After 1,024 files their first
 * write used to wait for the journal.
 */
static void test_journal_held_for_thousands_of_files(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_lookup_req look = { .oldest_tid = 1, .parent = ROOT, .name = (const uint8_t *)"f7", .name_bytes = 2 };
	struct nacre_sync_req sync = { .oldest_tid = 1 };
	struct mdst_reply r;
	char name[16];
	int i;

	mds_journal_hold(t->mds, true);
	for (i = 0; i < MDS_COMPLETED_MAX - 2; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		r = mdst_create(a, ROOT, name);
		assert_int_equal(r.result, 0);
		assert_false(r.flags & NACRE_REPLY_SAFE);
		assert_true(r.target.max_size > 4096);
	}
	sync.tid = ++a->tid;
	mdst_send(a, NACRE_MSG_SYNC, &sync);
	look.tid = ++b->tid;
	mdst_send(b, NACRE_MSG_LOOKUP, &look);
	assert_int_equal(mdst_create(a, ROOT, "later").result, 0);
	assert_int_equal(mdst_create(a, ROOT, "too many").result, NACRE_E_BUSY);
	assert_false(mdst_has_reply(a, sync.tid));
	assert_false(mdst_has_reply(b, look.tid));
	mds_journal_hold(t->mds, false);
	assert_int_equal(mdst_wait(a, sync.tid).result, 0);
	assert_int_equal(mdst_wait(b, look.tid).result, 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* SHARE-1, absence too: that a name is gone is news that waits. */
static void test_share_1_absence(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_lookup_req look = { .oldest_tid = 1, .parent = ROOT,
					 .name = (const uint8_t *)"f", .name_bytes = 1 };

	mdst_create(a, ROOT, "f");
	mdst_sync(a);
	mds_journal_hold(t->mds, true);
	mdst_unlink(a, ROOT, "f");
	look.tid = ++b->tid;
	mdst_send(b, NACRE_MSG_LOOKUP, &look);
	mdst_run_ms(t, 300);
	assert_false(mdst_has_reply(b, look.tid));
	mds_journal_hold(t->mds, false);
	assert_int_equal(mdst_wait(b, look.tid).result, ENOENT);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* SIZE-1: what a writer may reach is journaled before it is told. */
static void test_size_1_max_size(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	struct nacre_cap_update ask = { .ino = cap.ino, .cap_id = cap.cap_id,
					.cap_gen = cap.cap_gen, .cap_seq = cap.cap_seq,
					.held = cap.issued, .wanted = NACRE_WANT_WRITE,
					.max_size_wanted = cap.max_size + 1 };
	struct message *grant;
	struct nacre_inode_info info;

	mdst_sync(a);
	mds_journal_hold(t->mds, true);
	mdst_send(a, NACRE_MSG_CAP_UPDATE, &ask);
	mdst_run_ms(t, 200);
	assert_null(mdst_poll(a, NACRE_MSG_CAP_GRANT));
	mds_journal_hold(t->mds, false);
	grant = mdst_take(a, NACRE_MSG_CAP_GRANT);
	assert_int_equal(nacre_decode_all(nacre_inode_info_desc(), grant->host.cap_grant.info,
					  grant->host.cap_grant.info_bytes, &info), 0);
	assert_true(info.max_size > cap.max_size);
	assert_int_equal(info.issued, cap.issued);
	message_put(grant);
	mdst_client_destroy(a);
}

/* A flush is taken in once; one without a cap is refused, not lost. */
static void test_flush(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target, wrong;

	assert_int_equal(mdst_flush_size(a, &cap, 5, 1000), 0);
	assert_int_equal(mdst_flush_size(a, &cap, 6, 3000), 0);
	/* the old one again, late: acknowledged, and not applied */
	cap.truncate_seq = 0;
	assert_int_equal(mdst_flush_size(a, &cap, 5, 1000), 0);
	assert_int_equal(mdst_getattr(a, cap.ino).target.size, 3000);
	wrong = cap;
	wrong.cap_id = 12345;
	assert_int_equal(mdst_flush_size(a, &wrong, 7, 9000), ESTALE);
	wrong = cap;
	wrong.ino = 0x123456;
	assert_int_equal(mdst_flush_size(a, &wrong, 8, 9000), ESTALE);
	assert_int_equal(mdst_getattr(a, cap.ino).target.size, 3000);
	mdst_client_destroy(a);
}

static struct nacre_cap_update mode_of(const struct nacre_inode_info *cap, uint64_t flush_id, uint32_t mode)
{
	return (struct nacre_cap_update){
		.ino = cap->ino, .cap_id = cap->cap_id, .cap_gen = cap->cap_gen, .cap_seq = cap->cap_seq,
		.held = cap->issued, .dirty = NACRE_GROUP_AUTH, .flush_id = flush_id, .oldest_flush = 1,
		.mode = mode, .update_flags = NACRE_CAP_UPDATE_SYNC,
	};
}

/* What is said of several inodes in one message is done and acknowledged for each; one of no cap harms no other. */
static void test_flush_of_several(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_inode_info f = mdst_create(a, ROOT, "f").target, g = mdst_create(a, ROOT, "g").target;
	struct nacre_inode_info gone = { .ino = 0x123456, .cap_id = 7, .cap_gen = f.cap_gen, .cap_seq = 1 };
	struct nacre_cap_update parts[] = { mode_of(&f, 1, S_IFREG | 0711), mode_of(&gone, 2, S_IFREG),
					    mode_of(&g, 3, S_IFREG | 0722) };
	static const uint32_t results[] = { 0, ESTALE, 0 };
	union nacre_cap_batch_body body;
	struct nacre_cap_batch batch;
	uint8_t buffer[1024];
	uint32_t seen = 0;
	int i;

	nacre_cap_batch_init(&batch, buffer, sizeof(buffer));
	for (i = 0; i < 3; i++)
		assert_int_equal(nacre_cap_batch_add(&batch, &parts[i]), 0);
	assert_int_equal(nacre_cap_batch_take(&batch, &body), NACRE_MSG_CAP_UPDATES);
	mdst_send(a, NACRE_MSG_CAP_UPDATES, &body);
	for (i = 0; i < 3; i++) {
		struct message *ack = mdst_take(a, NACRE_MSG_CAP_FLUSH_ACK);
		const struct nacre_cap_flush_ack *m = &ack->host.cap_flush_ack;

		assert_int_equal(m->result, results[m->flush_id - 1]);
		seen |= 1u << m->flush_id;
		message_put(ack);
	}
	assert_int_equal(seen, 2 | 4 | 8);
	assert_int_equal(mdst_getattr(a, f.ino).target.mode, S_IFREG | 0711);
	assert_int_equal(mdst_getattr(a, g.ino).target.mode, S_IFREG | 0722);
	mdst_client_destroy(a);
}

/* What a file takes follows what was written, once for each flush, through a crash, and a cut takes it down. */
static void test_allocated(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_inode_info cap = mdst_create(a, ROOT, "f").target;
	struct nacre_cap_update update = {
		.ino = cap.ino, .cap_id = cap.cap_id, .cap_gen = cap.cap_gen,
		.cap_seq = cap.cap_seq, .held = cap.issued, .dirty = NACRE_GROUP_FILE,
		.flush_id = 5, .oldest_flush = 5, .size = (1ull << 30) + 3, .written = 4096,
		.truncate_seq = cap.truncate_seq, .update_flags = NACRE_CAP_UPDATE_SYNC,
	};
	int i;

	for (i = 0; i < 2; i++) {
		mdst_send(a, NACRE_MSG_CAP_UPDATE, &update);
		message_put(mdst_take(a, NACRE_MSG_CAP_FLUSH_ACK));
	}
	assert_int_equal(mdst_getattr(a, cap.ino).target.allocated, 4096);
	mdst_release(a, &cap);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(a, NULL, 0, NULL);
	assert_int_equal(mdst_getattr(a, cap.ino).target.allocated, 4096);
	assert_int_equal(mdst_truncate(a, cap.ino, 1ull << 31).target.allocated, 4096);
	assert_int_equal(mdst_truncate(a, cap.ino, 0).target.allocated, 0);
	mdst_client_destroy(a);
}

/* Two clients change the same directories in opposite order, over and over: both get through. */
static void test_renames_against_each_other(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t d1 = mdst_mkdir(a, ROOT, "d1").target.ino, d2 = mdst_mkdir(a, ROOT, "d2").target.ino;
	int i;

	mdst_create(a, d1, "x");
	mdst_create(b, d2, "y");
	for (i = 0; i < 50; i++) {
		uint64_t from = i % 2 ? d2 : d1, to = i % 2 ? d1 : d2;
		struct nacre_record_req ra = mdst_record(a, from, "x");
		struct nacre_record_req rb = mdst_record(b, to, "y");

		ra.kind = rb.kind = NACRE_RECORD_RENAME;
		ra.parent2 = to;
		rb.parent2 = from;
		ra.name2 = (const uint8_t *)"x";
		rb.name2 = (const uint8_t *)"y";
		ra.name2_bytes = rb.name2_bytes = 1;
		mdst_send(a, NACRE_MSG_RENAME, &ra);
		mdst_send(b, NACRE_MSG_RENAME, &rb);
		assert_int_equal(mdst_wait(a, ra.tid).result, 0);
		assert_int_equal(mdst_wait(b, rb.tid).result, 0);
	}
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_wish_to_read_revokes_nothing_from_who_is_alone),
		T(test_exclusive_is_revoked), T(test_directory_shared), T(test_left_files_are_listed),
		T(test_untar_costs_little), T(test_two_writers), T(test_open_outlives_answers),
		T(test_two_appenders), T(test_two_opens_wait_for_the_journal), T(test_two_mappers), T(test_share_1_waits_for_journal),
		T(test_journal_held_for_thousands_of_files),
		T(test_share_1_absence),
		T(test_size_1_max_size), T(test_flush), T(test_flush_of_several), T(test_allocated), T(test_renames_against_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
