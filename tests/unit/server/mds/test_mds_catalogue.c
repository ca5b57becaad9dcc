/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bugs that other file systems with capabilities had, each by its number in the catalogue of Documentation/caps.md: here
 * those that a rank can be asked about. B1 and B2 are in protocol/rules (test_locks.c, test_cap_client.c), B15 is in
 * test_mds_lost.c.
 */
#include "mdst.h"
#include "server/mds/core.h"

#define ROOT NACRE_INO_ROOT

static uint64_t lookup_send(struct mdst_client *c, uint64_t parent, const char *name)
{
	struct nacre_lookup_req body = { .tid = ++c->tid, .oldest_tid = c->oldest_tid, .parent = parent,
					 .name = (const uint8_t *)name,
					 .name_bytes = (uint32_t)strlen(name) };

	mdst_send(c, NACRE_MSG_LOOKUP, &body);
	return body.tid;
}

/* B3: the client has answered, and the rank went on waiting for it. What is outstanding is on one list only. */
static void test_b3_an_answer_ends_the_revoke(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t tid;

	mdst_create(a, ROOT, "f");
	a->stubborn = true;
	tid = lookup_send(b, ROOT, "f");
	mdst_run_ms(t, 100);
	assert_false(TAILQ_EMPTY(&t->mds->revoking));
	a->stubborn = false;
	assert_int_equal(mdst_wait(b, tid).result, 0);
	assert_true(TAILQ_EMPTY(&t->mds->revoking));
	mdst_run_ms(t, 20000);
	assert_int_equal(mdst_counter(t, "evictions"), 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* B5: a revoke was sent once. It is repeated until it is answered, and also when the connection took it with it. */
static void test_b5_a_revoke_is_repeated(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	unsigned int heard;
	uint64_t tid;

	mdst_create(a, ROOT, "f");
	a->stubborn = true;
	tid = lookup_send(b, ROOT, "f");
	mdst_run_ms(t, 3000);
	heard = a->revokes;
	assert_true(heard > 1);
	mdst_client_reset(a);
	mdst_run_ms(t, 1000);
	assert_true(a->revokes > heard);
	assert_false(mdst_has_reply(b, tid));
	a->stubborn = false;
	assert_int_equal(mdst_wait(b, tid).result, 0);
	assert_int_equal(mdst_counter(t, "evictions"), 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static struct nacre_record_req removal, creation;

static void send_removal(struct mdst_client *c)
{
	removal.flags |= NACRE_REQUEST_RESEND;
	mdst_send(c, NACRE_MSG_UNLINK, &removal);
}

static void send_creation(struct mdst_client *c)
{
	creation.flags |= NACRE_REQUEST_RESEND;
	mdst_send(c, NACRE_MSG_CREATE, &creation);
}

static bool is_open(void *owner) { return ((struct mdst_client *)owner)->open; }

/* Both come back to the next incarnation, the second one first. */
static void restart_for_both(struct mdst *t, struct mdst_client *a, struct mdst_client *b)
{
	mdst_crash(t);
	mdst_start_only(t);
	b->open = false;
	b->resend = send_creation;
	b->coming_back = true;
	mdst_client_reconnect(a, NULL, 0, send_removal);
	mdst_until(t, is_open, b);
	b->coming_back = false;
}

/*
 * B10: a removal that is under way met a new file of that name. The name waits until the removal is journaled (SHARE-1),
 * and when the rank is lost before that, the removal is done again before anybody's new file.
 */
static void test_b10_a_name_that_is_being_removed(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t old = mdst_create(a, ROOT, "f").target.ino;
	struct mdst_reply r;

	mdst_sync(a);
	mds_journal_hold(t->mds, true);
	removal = mdst_record(a, ROOT, "f");
	removal.kind = NACRE_RECORD_UNLINK;
	r = mdst_call(a, NACRE_MSG_UNLINK, &removal);
	assert_int_equal(r.result, 0);
	assert_true(r.applied > r.safe);
	removal.applied = r.applied;
	creation = mdst_record(b, ROOT, "f");
	creation.kind = NACRE_RECORD_CREATE;
	creation.mode = S_IFREG | 0644;
	creation.set_mask = NACRE_SET_MODE;
	mdst_send(b, NACRE_MSG_CREATE, &creation);
	mdst_run_ms(t, 200);
	assert_false(mdst_has_reply(b, creation.tid));
	restart_for_both(t, a, b);
	r = mdst_wait(b, creation.tid);
	assert_int_equal(r.result, 0);
	assert_int_not_equal(r.target.ino, old);
	assert_int_equal(mdst_lookup(a, ROOT, "f").target.ino, r.target.ino);
	assert_int_equal(mdst_lookup(a, ROOT, "f").target.nlink, 1);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/*
 * B11: what was made without waiting came without its label. The one record carries all that an inode is made with, and
 * carries it again to the next incarnation.
 */
static void test_b11_a_label_is_made_with_the_file(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_xattr label = { .name = (const uint8_t *)"security.selinux", .name_bytes = 16,
				     .value = (const uint8_t *)"u:r:t", .value_bytes = 5 };
	uint8_t encoded[64];
	struct nacre_writer w = nacre_writer(encoded, sizeof(encoded));
	struct mdst_reply r;

	assert_int_equal(nacre_encode(nacre_xattr_desc(), &w, &label), 0);
	mds_journal_hold(t->mds, true);
	creation = mdst_record(a, ROOT, "f");
	creation.kind = NACRE_RECORD_CREATE;
	creation.mode = S_IFREG | 0644;
	creation.set_mask = NACRE_SET_MODE;
	creation.xattrs = encoded;
	creation.xattrs_bytes = (uint32_t)nacre_writer_bytes(&w);
	r = mdst_call(a, NACRE_MSG_CREATE, &creation);
	assert_int_equal(r.result, 0);
	assert_true(r.applied > r.safe);
	creation.applied = r.applied;
	creation.ino = r.target.ino;
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(a, NULL, 0, send_creation);
	mdst_sync(a);
	r = mdst_getattr(a, creation.ino);
	assert_int_equal(r.target.xattrs_bytes, creation.xattrs_bytes);
	mdst_client_destroy(a);
}

/* B12: a wish for a larger file came before the file was known. What is not known is answered, and nobody waits for it. */
static void test_b12_a_wish_about_an_unknown_file(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_cap_update wish = { .ino = a->ino_next, .cap_id = 77, .cap_gen = 1, .cap_seq = 1,
					 .held = NACRE_CAP_FILE_WRITE, .wanted = NACRE_WANT_WRITE,
					 .max_size_wanted = 1u << 20 };
	struct message *answer;

	mdst_send(a, NACRE_MSG_CAP_UPDATE, &wish);
	answer = mdst_take(a, NACRE_MSG_CAP_REVOKE);
	assert_int_equal(answer->host.cap_revoke.ino, wish.ino);
	assert_int_equal(answer->host.cap_revoke.cap_id, 77);
	message_put(answer);
	assert_int_equal(mdst_create(a, ROOT, "f").result, 0);
	mdst_client_destroy(a);
}

/* B13: what was answered is not yet durable, and what was synced is: with client and rank lost at once. */
static void test_b13_durable_is_what_was_synced(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");

	assert_int_equal(mdst_create(a, ROOT, "synced").result, 0);
	mdst_sync(a);
	mds_journal_hold(t->mds, true);
	assert_int_equal(mdst_create(a, ROOT, "answered").result, 0);
	mdst_client_destroy(a);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(b, NULL, 0, NULL);
	assert_int_equal(mdst_lookup(b, ROOT, "synced").result, 0);
	assert_int_equal(mdst_lookup(b, ROOT, "answered").result, ENOENT);
	mdst_client_destroy(b);
}

/* B14: one client removed a name of what another one was linking, each by what it knew alone: the count was wrong. */
static void test_b14_removed_here_and_linked_there(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t ino = mdst_create(a, ROOT, "f").target.ino, linked;
	struct nacre_record_req link = mdst_record(b, ROOT, "g");

	a->stubborn = true;
	link.kind = NACRE_RECORD_LINK;
	link.ino = ino;
	mdst_send(b, NACRE_MSG_LINK, &link);
	linked = link.tid;
	mdst_run_ms(t, 50);
	assert_false(mdst_has_reply(b, linked));	/* a has the count to itself */
	a->stubborn = false;
	assert_int_equal(mdst_unlink(a, ROOT, "f").result, 0);
	/* either order will do, if the count is that of the names */
	if (mdst_wait(b, linked).result == 0)
		assert_int_equal(mdst_lookup(b, ROOT, "g").target.nlink, 1);
	else
		assert_int_equal(mdst_lookup(b, ROOT, "g").result, ENOENT);
	assert_int_equal(mdst_lookup(b, ROOT, "f").result, ENOENT);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_b3_an_answer_ends_the_revoke), T(test_b5_a_revoke_is_repeated),
		T(test_b10_a_name_that_is_being_removed), T(test_b11_a_label_is_made_with_the_file),
		T(test_b12_a_wish_about_an_unknown_file),
		T(test_b13_durable_is_what_was_synced), T(test_b14_removed_here_and_linked_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
