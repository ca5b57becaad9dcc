// SPDX-License-Identifier: GPL-2.0
/* Updates that share a message: order, one alone, no room. */
#include "../cmocka_all.h"
#include "protocol/messages.h"
#include "protocol/rules/cap_batch.h"
#include "protocol/rules/validate.h"

static struct nacre_cap_update update_of(__u64 ino)
{
	return (struct nacre_cap_update){ .ino = ino, .cap_id = ino + 100, .cap_gen = 1, .cap_seq = 1,
					  .dirty = NACRE_GROUP_AUTH, .flush_id = ino, .oldest_flush = 1,
					  .mode = 0100644 };
}

static void nothing_is_no_message(void **state)
{
	union nacre_cap_batch_body body;
	struct nacre_cap_batch batch;
	__u8 buffer[512];

	nacre_cap_batch_init(&batch, buffer, sizeof(buffer));
	assert_int_equal(nacre_cap_batch_take(&batch, &body), 0);
}

static void one_alone_is_a_plain_update(void **state)
{
	struct nacre_cap_update update = update_of(7);
	union nacre_cap_batch_body body;
	struct nacre_cap_batch batch;
	__u8 buffer[512];

	nacre_cap_batch_init(&batch, buffer, sizeof(buffer));
	assert_int_equal(nacre_cap_batch_add(&batch, &update), 0);
	assert_int_equal(nacre_cap_batch_take(&batch, &body), NACRE_MSG_CAP_UPDATE);
	assert_int_equal(body.update.ino, 7);
	assert_int_equal(body.update.flush_id, 7);
	assert_int_equal(nacre_cap_batch_take(&batch, &body), 0);
}

static void several_keep_their_order(void **state)
{
	union nacre_cap_batch_body body;
	struct nacre_cap_update update;
	struct nacre_cap_batch batch;
	struct nacre_reader r;
	__u8 buffer[4096];
	const char *reason;
	__u64 ino;

	nacre_cap_batch_init(&batch, buffer, sizeof(buffer));
	for (ino = 1; ino <= 20; ino++) {
		update = update_of(ino);
		assert_int_equal(nacre_cap_batch_add(&batch, &update), 0);
	}
	assert_int_equal(nacre_cap_batch_take(&batch, &body), NACRE_MSG_CAP_UPDATES);
	assert_int_equal(nacre_validate(NACRE_MSG_CAP_UPDATES, &body, 0, &reason), 0);
	r = nacre_reader(body.updates.updates, body.updates.updates_bytes);
	for (ino = 1; nacre_cap_update_next(&r, &update); ino++)
		assert_int_equal(update.ino, ino);
	assert_int_equal(ino, 21);
}

static void what_does_not_fit_changes_nothing(void **state)
{
	struct nacre_cap_update update = update_of(1), large = update_of(2);
	union nacre_cap_batch_body body;
	struct nacre_cap_batch batch;
	__u8 buffer[300], xattrs[200] = { 0 };

	large.xattrs = xattrs;
	large.xattrs_bytes = sizeof(xattrs);
	nacre_cap_batch_init(&batch, buffer, sizeof(buffer));
	assert_int_equal(nacre_cap_batch_add(&batch, &large), -EMSGSIZE);
	assert_int_equal(batch.count, 0);
	assert_int_equal(nacre_cap_batch_add(&batch, &update), 0);
	assert_int_equal(nacre_cap_batch_add(&batch, &large), -EMSGSIZE);
	assert_int_equal(nacre_cap_batch_take(&batch, &body), NACRE_MSG_CAP_UPDATE);
	assert_int_equal(body.update.ino, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_no_message),
		cmocka_unit_test(one_alone_is_a_plain_update),
		cmocka_unit_test(several_keep_their_order),
		cmocka_unit_test(what_does_not_fit_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
