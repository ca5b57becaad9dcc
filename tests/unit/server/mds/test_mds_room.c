/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ROOM-1: room behind a file's end (fallocate with KEEP_SIZE) is known to the rank before there is any, so it goes when the
 * file is cut, also to the size it has, or removed, whoever dies meanwhile.
 */
#include "mdst.h"
#include "server/mds/core.h"

#define ROOT NACRE_INO_ROOT
#define OBJECT_BYTES 65536ull		/* as in mdst.c */

/* What a client says before it takes room, and with the next flushes. */
static void tell(struct mdst_client *c, const struct nacre_inode_info *cap, uint64_t flush_id, uint64_t end)
{
	struct nacre_cap_update update = {
		.ino = cap->ino, .cap_id = cap->cap_id, .cap_gen = cap->cap_gen,
		.cap_seq = cap->cap_seq, .held = cap->issued, .wanted = cap->issued,
		.dirty = NACRE_GROUP_FILE, .flush_id = flush_id, .oldest_flush = flush_id,
		.size = 100, .truncate_seq = cap->truncate_seq, .mtime = 5000, .atime = 5000, .ctime = 5000,
		.update_flags = NACRE_CAP_UPDATE_SYNC | NACRE_CAP_UPDATE_KEEPS, .max_size_wanted = end,
	};
	struct message *ack;

	mdst_send(c, NACRE_MSG_CAP_UPDATE, &update);
	ack = mdst_take(c, NACRE_MSG_CAP_FLUSH_ACK);
	assert_int_equal(ack->host.cap_flush_ack.result, 0);
	message_put(ack);
}

/* A file of 100 bytes with room in its objects 3 and 9. */
static struct nacre_inode_info make_room(struct mdst *t, struct mdst_client *c)
{
	struct nacre_inode_info cap = mdst_create(c, ROOT, "roomy").target;

	tell(c, &cap, 1, 10 * OBJECT_BYTES);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 100);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 3, 0);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 9, 0);
	return cap;
}

static unsigned int objects(struct mdst *t, uint64_t ino)
{
	return mdst_osd_objects(t->osd, NACRE_POOL_DATA, ino);
}

static void unlink_it(struct mdst *t, struct mdst_client *c)
{
	struct mdst_reply reply = mdst_unlink(c, ROOT, "roomy");

	assert_int_equal(reply.result, 0);
	if (reply.victim.cap_id)
		mdst_release(c, &reply.victim);
	mdst_sync(c);
	mdst_run_ms(t, 5000);
}

static bool is_kept(struct mdst_client *c, uint64_t ino)
{
	return mdst_getattr(c, ino).target.info_flags & NACRE_INFO_KEPT;
}

static void test_room_1_a_cut_takes_it(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info cap = make_room(t, c);
	uint32_t seq;

	mdst_release(c, &cap);
	assert_int_equal(mdst_getattr(c, cap.ino).target.size, 100);
	assert_true(is_kept(c, cap.ino));
	seq = mdst_truncate(c, cap.ino, 200).target.truncate_seq;
	assert_int_equal(seq, 0);		/* it grows: into the room that was kept for that */
	assert_int_equal(objects(t, cap.ino), 3);
	assert_true(is_kept(c, cap.ino));
	assert_int_equal(mdst_truncate(c, cap.ino, 200).result, 0);
	assert_int_equal(objects(t, cap.ino), 1);
	assert_false(is_kept(c, cap.ino));
	/* SIZE-3: or the object in which the end lies would take it for one that it has had */
	assert_int_equal(mdst_getattr(c, cap.ino).target.truncate_seq, 1);
	assert_int_equal(mdst_truncate(c, cap.ino, 200).result, 0);
	assert_int_equal(mdst_osd_ops(t->osd, NACRE_OSD_OP_TRUNCATE), 1);
	mdst_client_destroy(c);
}

static void test_room_1_outlives_a_restart_and_goes_with_the_file(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = mdst_client_begin(t, "c1");
	struct nacre_inode_info cap = make_room(t, c);

	mdst_release(c, &cap);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, NULL);
	assert_true(is_kept(c, cap.ino));
	unlink_it(t, c);
	assert_int_equal(objects(t, cap.ino), 0);
	mdst_client_destroy(c);
}

/* SIZE-2: what the lost client has allocated is no data, and is not forgotten. */
static void test_room_1_of_a_lost_writer_stays_known(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *lost = mdst_client_begin(t, "lost"), *other = mdst_client_begin(t, "other");
	struct nacre_inode_info cap = make_room(t, lost);

	mdst_client_destroy(lost);
	mdst_run_ms(t, 20000);
	assert_int_equal(mdst_counter(t, "probes"), 1);
	assert_int_equal(mdst_getattr(other, cap.ino).target.size, 100);
	assert_true(is_kept(other, cap.ino));
	assert_int_equal(objects(t, cap.ino), 3);
	unlink_it(t, other);
	assert_int_equal(objects(t, cap.ino), 0);
	mdst_client_destroy(other);
}

/* Much of it is asked for at once, and costs one listing, not one for each object. */
static void test_size_2_probe_passes_over_room(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *lost = mdst_client_begin(t, "lost"), *other = mdst_client_begin(t, "other");
	struct nacre_inode_info cap = mdst_create(lost, ROOT, "roomy").target;
	unsigned int listed;
	uint64_t n;

	tell(lost, &cap, 1, 200 * OBJECT_BYTES);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 70);
	for (n = 1; n < 200; n++)
		mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, n, 0);
	listed = mdst_osd_ops(t->osd, NACRE_OSD_OP_OBJECTS);
	mdst_client_destroy(lost);
	mdst_run_ms(t, 20000);
	assert_int_equal(mdst_counter(t, "probes"), 1);
	assert_in_range(mdst_osd_ops(t->osd, NACRE_OSD_OP_OBJECTS) - listed, 0, 2 * MDST_PGS);
	assert_int_equal(mdst_getattr(other, cap.ino).target.size, 100);
	assert_int_equal(mdst_truncate(other, cap.ino, 100).result, 0);
	assert_int_equal(objects(t, cap.ino), 1);
	mdst_client_destroy(other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_room_1_a_cut_takes_it),
		T(test_room_1_outlives_a_restart_and_goes_with_the_file),
		T(test_room_1_of_a_lost_writer_stays_known),
		T(test_size_2_probe_passes_over_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
