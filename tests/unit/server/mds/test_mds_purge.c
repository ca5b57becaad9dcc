/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What deleting in the background costs: requests to the object server, counted. Numbers that a lost client never
 * declared (INO-1), files that are mostly holes: removed, cut, probed. And that nothing stays: files unlinked while they are
 * open, whoever dies first; object servers that refuse.
 */
#include "mdst.h"
#include "server/mds/core.h"

#define ROOT NACRE_INO_ROOT
#define OBJECT_BYTES 65536ull		/* as in mdst.c */

static unsigned int deletions(const struct mdst *t)
{
	return mdst_osd_ops(t->osd, NACRE_OSD_OP_DELETE);
}

static unsigned int listings(const struct mdst *t)
{
	return mdst_osd_ops(t->osd, NACRE_OSD_OP_OBJECTS);
}

/*
 * INO-1: a client is lost together with its rank. Of its range of 1024 numbers two have data, under requests that nobody
 * remembers; what is declared, and what others have, stays.
 */
static void test_ino_1_lost_client_deletes_what_exists(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *lost = mdst_client_begin(t, "lost"), *other = mdst_client_begin(t, "other");
	struct nacre_inode_info file = mdst_create(lost, ROOT, "f").target;
	uint64_t ino = lost->ino_next;
	unsigned int before, listed;

	mdst_sync(lost);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, file.ino, 0, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, ino, 0, OBJECT_BYTES);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, ino, 1, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, ino + 700, 15, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, other->ino_next, 0, 100);
	mdst_client_destroy(lost);
	mdst_crash(t);
	before = deletions(t);
	listed = listings(t);
	mdst_start_only(t);
	mdst_client_reconnect(other, NULL, 0, NULL);
	mdst_run_ms(t, 20000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, ino), 0);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, ino + 700), 0);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, file.ino), 1);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, other->ino_next), 1);
	assert_int_equal(deletions(t) - before, 3);
	/* for the numbers, for the size of the file that it may have been writing, for journal objects left behind */
	assert_int_equal(listings(t) - listed, 3 * MDST_PGS);
	mdst_client_destroy(other);
}

/* The rank dies while it deletes: the next one begins anew, and ends. */
static void test_lost_client_purge_survives_a_restart(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *lost = mdst_client_begin(t, "lost"), *other = mdst_client_begin(t, "other");
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
	struct mdst_client *c = mdst_client_begin(t, "c1");
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
	assert_int_equal(deletions(t) - before, 2);
	mdst_client_destroy(c);
}

static void unlink_all(struct mdst *t, struct mdst_client *c, const char *a, const char *b)
{
	struct mdst_reply r = mdst_unlink(c, ROOT, a);

	assert_int_equal(r.result, 0);
	if (b) {
		mdst_release(c, &r.victim);
		assert_int_equal(mdst_unlink(c, ROOT, b).result, 0);
	}
	mdst_sync(c);
	mdst_run_ms(t, 2000);
}

/* A file that never had an object for its inode costs no deletion of one; one that had leaves nothing, restart or not. */
static void test_inode_object_is_deleted_if_there_was_one(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info plain = mdst_create(c, ROOT, "plain").target;
	uint64_t ino, restarts;
	unsigned int before = deletions(t);

	mdst_release(c, &plain);
	unlink_all(t, c, "plain", NULL);
	assert_int_equal(deletions(t) - before, 1);
	for (restarts = 0; restarts < 2; restarts++) {
		struct nacre_inode_info linked = mdst_create(c, ROOT, "a").target;

		ino = linked.ino;
		linked = mdst_link(c, ino, ROOT, "b").target;
		mdst_release(c, &linked);
		mdst_writeback(t);
		assert_true(mdst_osd_exists(t->osd, NACRE_POOL_META, ino, 0));
		if (restarts) {
			mdst_crash(t);
			mdst_start_only(t);
			mdst_client_reconnect(c, NULL, 0, NULL);
		}
		unlink_all(t, c, "a", "b");
		assert_false(mdst_osd_exists(t->osd, NACRE_POOL_META, ino, 0));
	}
	mdst_client_destroy(c);
}

/* ---- files that are mostly holes ----------------------------------------------------------------------------- */

#define FAR (1ull << 24)		/* an object so far out makes it a TiB */

/* A file with an object 0, one at 50 and one at FAR; the cap of its writer. */
static struct nacre_inode_info make_sparse(struct mdst *t, struct mdst_client *c)
{
	struct nacre_inode_info cap = mdst_create(c, ROOT, "sparse").target;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 50, OBJECT_BYTES);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, FAR, 100);
	assert_int_equal(mdst_flush_size(c, &cap, 1, FAR * OBJECT_BYTES + 100), 0);
	return cap;
}

/* Cutting a hole of a TiB cost a journaled deletion for each of its 16 million objects. */
static void test_size_3_sparse_truncation_cuts_what_exists(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info cap = make_sparse(t, c);
	unsigned int before = deletions(t), listed = listings(t);

	mdst_release(c, &cap);
	assert_int_equal(mdst_truncate(c, cap.ino, 3 * OBJECT_BYTES + 100).result, 0);
	assert_true(mdst_osd_exists(t->osd, NACRE_POOL_DATA, cap.ino, 0));
	assert_true(mdst_osd_exists(t->osd, NACRE_POOL_DATA, cap.ino, 3));
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 2);
	assert_int_equal(deletions(t) - before, 2);
	assert_int_equal(mdst_osd_ops(t->osd, NACRE_OSD_OP_TRUNCATE), 1);
	assert_int_equal(listings(t) - listed, MDST_PGS);
	mdst_client_destroy(c);
}

/* Both kinds of requests are refused meanwhile: nothing that was cut off stays. */
static void test_size_3_refused_cut_is_done_again(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info cap = make_sparse(t, c);

	mdst_release(c, &cap);
	mdst_osd_refuse(t->osd, NACRE_OSD_OP_TRUNCATE, 2, EIO);
	assert_int_equal(mdst_truncate(c, cap.ino, 50 * OBJECT_BYTES + 10).result, 0);
	assert_int_equal(mdst_osd_ops(t->osd, NACRE_OSD_OP_TRUNCATE), 1);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 2);
	mdst_osd_refuse(t->osd, NACRE_OSD_OP_DELETE, 3, EIO);
	assert_int_equal(mdst_truncate(c, cap.ino, 0).result, 0);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 1);
	mdst_client_destroy(c);
}

/* SIZE-2: the same file, its writer lost. The end is found by asking the groups, not every object below it. */
static void test_size_2_sparse_probe_looks_at_what_exists(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *lost = mdst_client_begin(t, "lost"), *other = mdst_client_begin(t, "other");
	struct nacre_inode_info cap = make_sparse(t, lost);

	mdst_osd_lose(t->osd, NACRE_POOL_DATA, cap.ino, FAR);
	mdst_osd_refuse(t->osd, NACRE_OSD_OP_STAT, 2, EIO);
	mdst_client_destroy(lost);
	mdst_run_ms(t, 20000);
	assert_int_equal(mdst_counter(t, "probes"), 1);
	assert_int_equal(mdst_osd_ops(t->osd, NACRE_OSD_OP_STAT), 1);
	/* a probe never shortens what the writer has said */
	assert_int_equal(mdst_getattr(other, cap.ino).target.size, FAR * OBJECT_BYTES + 100);
	mdst_client_destroy(other);
}

/* ---- refusals -------------------------------------------------------------------------------------------------- */

/* A group that could not be listed was passed over, and its objects stayed for ever. */
static void test_refused_listing_is_asked_again(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info cap = make_sparse(t, c);

	mdst_release(c, &cap);
	mdst_osd_refuse(t->osd, NACRE_OSD_OP_OBJECTS, 3, EIO);
	assert_int_equal(mdst_unlink(c, ROOT, "sparse").result, 0);
	mdst_run_ms(t, 5000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 0);
	assert_int_equal(mdst_osd_ordinary(t->osd), 0);
	mdst_client_destroy(c);
}

/* So did an object whose deletion was refused once. A restart meanwhile changes nothing. */
static void refuse_deletion(struct mdst *t, bool restart)
{
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info cap = mdst_create(c, ROOT, "f").target;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 1, 100);
	assert_int_equal(mdst_flush_size(c, &cap, 1, OBJECT_BYTES + 100), 0);
	mdst_release(c, &cap);
	mdst_osd_refuse(t->osd, NACRE_OSD_OP_DELETE, restart ? 1000 : 4, EIO);
	assert_int_equal(mdst_unlink(c, ROOT, "f").result, 0);
	mdst_sync(c);
	mdst_run_ms(t, 2000);
	if (restart) {
		assert_int_equal(mds_purge_count(t->mds), 1);
		mdst_writeback(t);
		mdst_crash(t);
		mdst_osd_refuse(t->osd, NACRE_OSD_OP_DELETE, 0, 0);
		mdst_start_only(t);
		mdst_client_reconnect(c, NULL, 0, NULL);
	}
	mdst_run_ms(t, 10000);
	assert_int_equal(mds_purge_count(t->mds), 0);
	assert_int_equal(mdst_osd_ordinary(t->osd), 0);
	mdst_client_destroy(c);
}

static void test_refused_deletion_is_done_again(void **state)
{
	refuse_deletion(*state, false);
}

static void test_refused_deletion_survives_a_restart(void **state)
{
	refuse_deletion(*state, true);
}

/* ---- unlinked while open ------------------------------------------------------------------------------------------ */

/* What the rank has since said of this cap. */
static void follow(struct mdst_client *c, struct nacre_inode_info *cap)
{
	struct nacre_inode_info news;
	struct message *message;

	while ((message = mdst_poll(c, NACRE_MSG_CAP_REVOKE))) {
		cap->cap_gen = message->host.cap_revoke.cap_gen;
		cap->cap_seq = message->host.cap_revoke.cap_seq;
		cap->issued = message->host.cap_revoke.keep;
		message_put(message);
	}
	while ((message = mdst_poll(c, NACRE_MSG_CAP_GRANT))) {
		assert_int_equal(nacre_decode_all(nacre_inode_info_desc(), message->host.cap_grant.info,
						  message->host.cap_grant.info_bytes, &news), 0);
		if (news.ino == cap->ino && (news.cap_gen != cap->cap_gen || news.cap_seq > cap->cap_seq)) {
			cap->cap_gen = news.cap_gen;
			cap->cap_seq = news.cap_seq;
			cap->issued = news.issued;
		}
		message_put(message);
	}
}

/* Somebody holds it, somebody else has removed its only name; all of that is written back. */
static struct nacre_inode_info make_orphan(struct mdst *t, struct mdst_client *holder,
					   struct mdst_client *other)
{
	struct nacre_inode_info cap = mdst_create(holder, ROOT, "f").target;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, OBJECT_BYTES);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 1, 100);
	assert_int_equal(mdst_flush_size(holder, &cap, 1, OBJECT_BYTES + 100), 0);
	mdst_sync(holder);
	assert_int_equal(mdst_unlink(other, ROOT, "f").result, 0);
	mdst_sync(other);
	mdst_writeback(t);
	mdst_run_ms(t, 1000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 2);
	assert_true(mdst_osd_has_attr(t->osd, NACRE_POOL_META, cap.ino, MDS_ATTR_INODE));
	follow(holder, &cap);
	return cap;
}

/* Nothing of it is left, now and after a new incarnation has read what is stored. */
static void assert_purged(struct mdst *t, struct mdst_client *last)
{
	assert_int_equal(mdst_osd_ordinary(t->osd), 0);
	assert_int_equal(mds_purge_count(t->mds), 0);
	mdst_writeback(t);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(last, NULL, 0, NULL);
	mdst_run_ms(t, 2000);
	assert_int_equal(mdst_osd_ordinary(t->osd), 0);
	assert_int_equal(mdst_getattr(last, 0x7777777).result, ESTALE);
	mdst_client_destroy(last);
}

static void test_orphan_goes_with_its_last_holder(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *holder = mdst_client_begin(t, "holder"), *other = mdst_client_begin(t, "other");
	struct nacre_inode_info cap = make_orphan(t, holder, other);

	mdst_run_ms(t, 10000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 2);
	mdst_release(holder, &cap);
	mdst_run_ms(t, 1000);
	mdst_client_destroy(holder);
	assert_purged(t, other);
}

static void test_orphan_goes_when_its_holder_is_evicted(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *holder = mdst_client_begin(t, "holder"), *other = mdst_client_begin(t, "other");
	struct nacre_inode_info cap = make_orphan(t, holder, other);

	mdst_client_destroy(holder);
	mdst_run_ms(t, 1000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 2);
	mdst_run_ms(t, 20000);
	assert_int_equal(mdst_counter(t, "evictions"), 1);
	assert_purged(t, other);
}

/* The rank dies and comes back; the holder claims its cap, so the file stays until it is released. */
static void test_orphan_outlives_the_rank_and_goes_with_its_holder(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *holder = mdst_client_begin(t, "holder"), *other = mdst_client_begin(t, "other");
	struct nacre_inode_info cap = make_orphan(t, holder, other);
	struct nacre_cap_claim claim = {
		.ino = cap.ino, .cap_id = cap.cap_id, .held = cap.issued, .wanted = cap.issued,
	};

	mdst_crash(t);
	mdst_start_only(t);
	holder->coming_back = true;
	holder->claims = &claim;
	holder->claim_count = 1;
	mdst_client_reconnect(other, NULL, 0, NULL);
	mdst_run_ms(t, 10000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 2);
	follow(holder, &cap);
	mdst_release(holder, &cap);
	mdst_run_ms(t, 1000);
	mdst_client_destroy(holder);
	assert_purged(t, other);
}

/* The rank dies while the file is held, and the holder never comes back. */
static void test_orphan_goes_when_rank_and_holder_are_lost(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *holder = mdst_client_begin(t, "holder"), *other = mdst_client_begin(t, "other");

	make_orphan(t, holder, other);
	mdst_crash(t);
	mdst_client_destroy(holder);
	mdst_start_only(t);
	mdst_client_reconnect(other, NULL, 0, NULL);
	mdst_run_ms(t, 20000);
	assert_purged(t, other);
}

/* All at once, the one who removed the name, too, and before anything but the journal has been written. */
static void test_orphan_goes_when_everybody_is_lost(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *holder = mdst_client_begin(t, "holder"), *other = mdst_client_begin(t, "other");
	struct nacre_inode_info cap = mdst_create(holder, ROOT, "f").target;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 3, 100);	/* below max_size, and never flushed */
	mdst_sync(holder);
	assert_int_equal(mdst_unlink(other, ROOT, "f").result, 0);
	mdst_sync(other);
	mdst_crash(t);
	mdst_client_destroy(holder);
	mdst_client_destroy(other);
	mdst_start(t);
	mdst_run_ms(t, 20000);
	assert_int_equal(mdst_osd_ordinary(t->osd), 0);
	assert_int_equal(mds_purge_count(t->mds), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_ino_1_lost_client_deletes_what_exists), T(test_inode_object_is_deleted_if_there_was_one),
		T(test_lost_client_purge_survives_a_restart), T(test_sparse_file_deletes_what_exists),
		T(test_size_3_sparse_truncation_cuts_what_exists),
		T(test_size_3_refused_cut_is_done_again),
		T(test_size_2_sparse_probe_looks_at_what_exists),
		T(test_refused_listing_is_asked_again), T(test_refused_deletion_is_done_again),
		T(test_refused_deletion_survives_a_restart),
		T(test_orphan_goes_with_its_last_holder),
		T(test_orphan_goes_when_its_holder_is_evicted),
		T(test_orphan_outlives_the_rank_and_goes_with_its_holder),
		T(test_orphan_goes_when_rank_and_holder_are_lost),
		T(test_orphan_goes_when_everybody_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
